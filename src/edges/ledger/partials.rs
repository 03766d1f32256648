//! Partials, as they are written with their batch and read back.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::column::{Name, value};
use super::points::insert_points;
use super::rows::{LINES, group_id, line_counts, object_row, unsigned};
use super::schema::Added;
use super::{Ledger, LedgerError, Result, packed};
use gzette_core::group;
use gzette_core::model::{Damage, GenerationId, Grouped, UtcMs};
use gzette_core::partial::packed::Span;
use gzette_core::partial::{Count, Ingested, Partial, Sample, Sighting};

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
        let mut select =
            self.connection.prepare_cached("SELECT groups, counts FROM counted WHERE generation_id = ?1")?;
        let mut rows = select.query([generation.0])?;
        let Some(row) = rows.next()? else { return Ok(Vec::new()) };
        let mut numbered = Vec::new();
        packed::counts_in(row, 0, |number, level, slot, events| {
            numbered.push((number, level, slot, events));
        })?;
        let mut counts = Vec::with_capacity(numbered.len());
        for of_group in numbered.chunk_by(|a, b| a.0 == b.0) {
            let group = packed::group_of(&self.connection, of_group[0].0)?;
            let count = |&(_, level, slot, events)| Count { group, level, slot, events };
            counts.extend(of_group.iter().map(count));
        }
        counts.sort_unstable();
        Ok(counts)
    }

    /// Of the raw lines those that are kept, and of the titles those that are known for this object; others are empty.
    fn stored_sightings(&self, generation: GenerationId) -> Result<Vec<Sighting>> {
        let mut spans = Vec::new();
        packed::spans_of(&self.connection, generation, |number, span| spans.push((number, span)))?;
        let mut statement = self.connection.prepare_cached(
            "SELECT id, kind, title, template FROM group_number JOIN error_group ON id = group_id WHERE number = ?1",
        )?;
        let mut sightings = Vec::with_capacity(spans.len());
        for (number, span) in spans {
            let group = statement.query_row([number], |row| {
                let (kind, title, template) = (value(row, 1)?, row.get(2)?, row.get(3)?);
                Ok(Grouped { id: group_id(row, 0)?, kind, title, template })
            })?;
            let bare = |(time_ms, line)| Sample { time_ms, line, raw: Vec::new() };
            let Span { events, first, last } = span;
            sightings.push(Sighting { group, events, first: bare(first), last: bare(last) });
        }
        sightings.sort_unstable_by_key(|sighting| sighting.group.id);
        if self.has(Added::Samples) {
            self.add_samples(generation, &mut sightings)?;
        } else {
            self.add_lines(generation, &mut sightings)?;
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

/// Inserts all that was read of a version; returns how many of its groups were new.
pub(super) fn insert_partial(connection: &Connection, item: &Ingested, batch: i64) -> Result<u64> {
    insert_generation(connection, item, batch)?;
    note_counted(connection, item)?;
    insert_points(connection, item.object.generation, &item.partial.points)?;
    insert_groups(connection, item)
}

/// Inserts the groups and the counts of a version; returns how many groups were new.
pub(super) fn insert_groups(connection: &Connection, item: &Ingested) -> Result<u64> {
    let mut new_groups = 0;
    for sighting in &item.partial.sightings {
        new_groups += u64::from(insert_group(connection, &sighting.group)?);
    }
    packed::write(connection, item.object.generation, &item.partial)?;
    Ok(new_groups)
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

/// Inserts a group; returns whether it is new.
fn insert_group(connection: &Connection, group: &Grouped) -> Result<bool> {
    let Grouped { id, kind, title, template } = group;
    let mut statement = connection.prepare_cached(
        "INSERT INTO error_group (id, version, kind, title, template) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (id) DO NOTHING",
    )?;
    Ok(statement.execute(params![id.bits() as i64, group::VERSION, Name(*kind), title, template])? > 0)
}
