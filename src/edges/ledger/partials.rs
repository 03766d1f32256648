//! Partials, as they are written with their batch and read back.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::column::{Name, value};
use super::points::insert_points;
use super::rows::{LINES, counted_group, group_id, line_counts, object_row, sample, unsigned};
use super::schema::Added;
use super::{Ledger, LedgerError, Result};
use gzette_core::group;
use gzette_core::model::{Damage, GenerationId, Grouped, Level, UtcMs};
use gzette_core::partial::{Count, Ingested, Partial, Sighting};

impl Ledger {
    /// Returns what was committed of a generation, as it was given; `None` when there is no such generation.
    pub fn stored_partial(&self, generation: GenerationId) -> Result<Option<Partial>> {
        let sql = format!(
            "SELECT {LINES}, decoded_bytes, checksum, damage_reason, damage_offset, damage_member, first_ms, last_ms,
                blocks FROM generation WHERE id = ?1"
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let totals = statement.query_row([generation.0], |row| Ok(stored_totals(row))).optional()?;
        let Some(totals) = totals.transpose()? else { return Ok(None) };
        Ok(Some(Partial {
            counts: self.stored_counts(generation)?,
            sightings: self.stored_sightings(generation)?,
            points: self.stored_points(generation)?,
            ..totals
        }))
    }

    fn stored_counts(&self, generation: GenerationId) -> Result<Vec<Count>> {
        let sql = "SELECT group_id, level, slot, events FROM count WHERE generation_id = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map([generation.0], stored_count)?;
        let mut counts = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        counts.sort_unstable();
        Ok(counts)
    }

    /// Of the raw lines those that are kept, and of the titles those that are known for this object; others are empty.
    fn stored_sightings(&self, generation: GenerationId) -> Result<Vec<Sighting>> {
        let title = if self.has(Added::Titles) && !self.has(Added::Samples) {
            "coalesce(sighting.title, error_group.title)"
        } else {
            "error_group.title"
        };
        let raw = if self.has(Added::Samples) { ["NULL", "NULL"] } else { ["first_raw", "last_raw"] };
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT group_id, kind, {title}, template, events, first_ms, first_line, {}, last_ms, last_line, {}
             FROM sighting JOIN error_group ON error_group.id = sighting.group_id
             WHERE generation_id = ?1 ORDER BY group_id",
            raw[0], raw[1]
        ))?;
        let rows = statement.query_map([generation.0], |row| Ok(stored_sighting(row)))?;
        let mut sightings = rows.map(|row| row?).collect::<Result<Vec<_>>>()?;
        if self.has(Added::Samples) {
            self.add_samples(generation, &mut sightings)?;
        }
        Ok(sightings)
    }
}

fn stored_totals(row: &Row<'_>) -> Result<Partial> {
    let checksum: Vec<u8> = row.get(8)?;
    let unreadable = |_| LedgerError::Unreadable { what: "generation.checksum" };
    Ok(Partial {
        lines: line_counts(row)?,
        decoded_bytes: unsigned(row, 7)?,
        checksum: checksum.try_into().map_err(unreadable)?,
        damage: stored_damage(row)?,
        span_ms: value::<Option<UtcMs>>(row, 12)?.zip(value(row, 13)?),
        blocks: unsigned(row, 14)?,
        ..Partial::default()
    })
}

fn stored_damage(row: &Row<'_>) -> rusqlite::Result<Option<Damage>> {
    let Some(reason) = row.get(9)? else { return Ok(None) };
    Ok(Some(Damage { offset: unsigned(row, 10)?, member: unsigned(row, 11)?, reason }))
}

fn stored_count(row: &Row<'_>) -> rusqlite::Result<Count> {
    Ok(Count {
        group: counted_group(row, 0)?,
        level: Level::from_number(row.get(1)?),
        slot: value(row, 2)?,
        events: unsigned(row, 3)?,
    })
}

fn stored_sighting(row: &Row<'_>) -> Result<Sighting> {
    let group =
        Grouped { id: group_id(row, 0)?, kind: value(row, 1)?, title: row.get(2)?, template: row.get(3)? };
    Ok(Sighting { group, events: unsigned(row, 4)?, first: sample(row, 5)?, last: sample(row, 8)? })
}

/// Inserts all that was read of a version; returns how many of its groups were new.
pub(super) fn insert_partial(connection: &Connection, item: &Ingested, batch: i64) -> Result<u64> {
    insert_generation(connection, item, batch)?;
    note_counted(connection, item)?;
    insert_points(connection, item.object.generation, &item.partial.points)?;
    insert_groups(connection, item)
}

/// Inserts the groups and the counts of a version; returns how many groups were new.
pub(super) fn insert_groups(connection: &Connection, item: &Ingested) -> Result<u64> {
    insert_counts(connection, item)?;
    insert_sightings(connection, item)
}

fn insert_generation(connection: &Connection, item: &Ingested, batch: i64) -> Result<()> {
    let (object, partial) = (&item.object, &item.partial);
    let (lines, damage) = (&partial.lines, partial.damage.as_ref());
    connection
        .prepare_cached(
            "INSERT INTO generation (id, object_id, app_id, etag, size_bytes, batch_id, parser_version,
                lines, events, continuation, unparsed, quarantined, truncated, undated,
                decoded_bytes, checksum, first_ms, last_ms, blocks, damage_offset, damage_member, damage_reason, grouping,
                stored_checksum)
             VALUES (?1, ?2, (SELECT app_id FROM object WHERE id = ?2), ?3, ?4, ?5, ?6,
                ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)",
        )?
        .execute(params![
            object.generation.0,
            object_row(connection, object)?,
            object.etag,
            object.size_bytes as i64,
            batch,
            item.reading.parser_version,
            lines.total as i64,
            lines.events as i64,
            lines.continuation as i64,
            lines.unparsed as i64,
            lines.quarantined as i64,
            lines.truncated as i64,
            lines.undated as i64,
            partial.decoded_bytes as i64,
            partial.checksum,
            partial.span_ms.map(|span| span.0.get()),
            partial.span_ms.map(|span| span.1.get()),
            partial.blocks as i64,
            damage.map(|damage| damage.offset as i64),
            damage.map(|damage| damage.member as i64),
            damage.map(|damage| &damage.reason),
            item.reading.grouping,
            item.stored_checksum,
        ])?;
    Ok(())
}

/// Notes that the object is counted, if this is still its listed version.
fn note_counted(connection: &Connection, item: &Ingested) -> Result<()> {
    let object = &item.object;
    let sql = "UPDATE object SET uncounted = 0
        WHERE id = ?1 AND etag = ?2 AND size_bytes = ?3 AND uncounted = 1";
    let version = params![object_row(connection, object)?, object.etag, object.size_bytes as i64];
    connection.prepare_cached(sql)?.execute(version)?;
    Ok(())
}

fn insert_counts(connection: &Connection, item: &Ingested) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO count (generation_id, group_id, level, slot, events) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for count in &item.partial.counts {
        let group = count.group.map_or(0, |group| group.bits() as i64);
        statement.execute(params![
            item.object.generation.0,
            group,
            count.level as u8,
            count.slot.number(),
            count.events as i64
        ])?;
    }
    Ok(())
}

/// Inserts the sightings and the groups they name; returns how many groups were new.
fn insert_sightings(connection: &Connection, item: &Ingested) -> Result<u64> {
    let mut new_groups = 0;
    for sighting in &item.partial.sightings {
        new_groups += u64::from(insert_group(connection, &sighting.group)?);
        insert_sighting(connection, item.object.generation, sighting)?;
    }
    Ok(new_groups)
}

/// Inserts a group; returns whether it is new.
fn insert_group(connection: &Connection, group: &Grouped) -> Result<bool> {
    let Grouped { id, kind, title, template } = group;
    let mut statement = connection.prepare_cached(
        "INSERT INTO error_group (id, version, kind, title, template) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (id) DO NOTHING",
    )?;
    Ok(statement.execute(params![id.bits() as i64, group::VERSION, Name(*kind), title, template])? > 0)
}

fn insert_sighting(connection: &Connection, generation: GenerationId, sighting: &Sighting) -> Result<()> {
    let Sighting { group, events, first, last } = sighting;
    let mut statement = connection.prepare_cached(
        "INSERT INTO sighting (generation_id, group_id, events, first_ms, first_line, last_ms, last_line)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    statement.execute(params![
        generation.0,
        group.id.bits() as i64,
        *events as i64,
        first.time_ms.get(),
        first.line as i64,
        last.time_ms.get(),
        last.line as i64,
    ])?;
    Ok(())
}
