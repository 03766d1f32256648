//! Batches: what is in the mirror and not yet counted, and the one transaction that counts it.

use std::collections::{BTreeSet, HashSet};

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::column::named;
use super::grouping::{Reading, grouping_column, rename_groups};
use super::points::insert_points;
use super::read::has_titles;
use super::{Ledger, LedgerError, Result};
use gzette_core::model::{
    AppName, Checksum, Damage, Day, GenerationId, GroupId, GroupKind, Grouped, Level, LineCounts, ObjectKey,
    Slot, SourceName, UtcMs,
};
use gzette_core::partial::{Count, Partial, SAMPLE_BYTES, Sample, Sighting};

/// A mirrored version of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirroredObject {
    /// The object's row.
    pub object_id: i64,
    /// The source's name.
    pub source: SourceName,
    /// The key.
    pub key: ObjectKey,
    /// The etag of the mirrored version.
    pub etag: String,
    /// Its stored length.
    pub size_bytes: u64,
    /// The application.
    pub app: AppName,
    /// The day of the key.
    pub day: Option<Day>,
    /// The version's id.
    pub generation: GenerationId,
}

/// A mirrored version and what was read from it.
#[derive(Clone, Debug)]
pub struct Ingested {
    /// What was read.
    pub object: MirroredObject,
    /// What it adds.
    pub partial: Partial,
    /// The checksum of the stored bytes that were read, if they were.
    pub stored_checksum: Option<Checksum>,
    /// Whether the version was counted before, by other rules.
    pub is_read_again: bool,
}

/// What a commit did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The batch.
    pub batch: i64,
    /// The versions that others replaced, and those that were read again: their documents have to go.
    pub replaced: Vec<MirroredObject>,
    /// Groups never seen before.
    pub new_groups: u64,
}

/// An ingested version as a search needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationRow {
    /// What was ingested.
    pub object: MirroredObject,
    /// The batch.
    pub batch: i64,
    /// The number of its blocks in the index.
    pub blocks: u64,
    /// The times of its earliest and latest event.
    pub span_ms: Option<(UtcMs, UtcMs)>,
    /// Whether another generation with the same bytes counts instead.
    pub duplicate: bool,
    /// The BLAKE3 checksum of its decoded bytes.
    pub checksum: [u8; 32],
    /// The source's URL, for writing the object's place.
    pub source_url: String,
    /// Whether the retention has left its file in the mirror.
    pub mirrored: bool,
    /// Whether the retention has left its documents in the index.
    pub indexed: bool,
    /// How it was read.
    pub reading: Reading,
}

impl GenerationRow {
    /// Returns how many documents the index has to hold of it.
    pub fn documents(&self) -> u64 {
        if self.indexed { self.blocks } else { 0 }
    }

    /// Returns the object as people write it: `s3://bucket/key` or a path.
    pub fn place(&self) -> String {
        object_place(&self.source_url, &self.object.key)
    }
}

/// Returns an object as people write it, from its source's URL and its key.
pub fn object_place(source_url: &str, key: &str) -> String {
    match source_url.strip_prefix("s3://") {
        Some(rest) => format!("s3://{}/{key}", rest.split('/').next().unwrap_or_default()),
        None => format!("{}/{key}", source_url.trim_end_matches('/')),
    }
}

impl Ledger {
    /// Returns the generations that hold events of a group.
    pub fn generations_with_group(&self, group: GroupId) -> Result<HashSet<GenerationId>> {
        let mut statement =
            self.connection.prepare_cached("SELECT generation_id FROM sighting WHERE group_id = ?1")?;
        let rows = statement.query_map([group.bits() as i64], |row| row.get(0).map(GenerationId))?;
        Ok(rows.collect::<std::result::Result<_, _>>()?)
    }

    /// Returns the mirrored versions that no batch holds, oldest day first, at most `limit`.
    pub fn pending(&self, limit: usize) -> Result<Vec<MirroredObject>> {
        let mut statement = self.connection.prepare(
            "SELECT object.id, source.name, object.key, object.etag, object.size_bytes, app.name, object.day
             FROM object JOIN source ON source.id = object.source_id JOIN app ON app.id = object.app_id
             LEFT JOIN generation ON generation.object_id = object.id
             WHERE object.state = 'mirrored' AND object.expired = 0 AND (generation.id IS NULL
                OR generation.etag <> object.etag OR generation.size_bytes <> object.size_bytes)
             ORDER BY object.day, source.name, object.key LIMIT ?1",
        )?;
        let rows = statement.query_map([limit as i64], |row| Ok(mirrored_object(row)))?;
        rows.map(|row| row?).collect()
    }

    /// Notes that the mirrored file of an object's version is lost or unreadable: the next sync gets it again, unless
    /// another version has been listed since.
    pub fn fetch_again(&mut self, object: &MirroredObject, reason: &str) -> Result<()> {
        self.connection.execute(
            "UPDATE object SET state = 'listed', reason = ?2 WHERE id = ?1 AND etag = ?3 AND size_bytes = ?4",
            params![object.object_id, reason, object.etag, object.size_bytes as i64],
        )?;
        Ok(())
    }

    /// Notes that the mirrored file of an object's version is lost for good, if its source no longer has it: then the
    /// counts are what is left. Returns whether that is so.
    pub fn leave_lost(&mut self, object: &MirroredObject) -> Result<bool> {
        let sql = "UPDATE generation SET mirrored = 0 WHERE object_id = ?1 AND etag = ?2 AND size_bytes = ?3
            AND EXISTS (SELECT 1 FROM object WHERE id = ?1 AND state = 'deleted')";
        let version = params![object.object_id, object.etag, object.size_bytes as i64];
        Ok(self.connection.execute(sql, version)? > 0)
    }

    /// Forgets what was counted of a generation: its object is counted again by the next ingest.
    pub fn forget_generation(&mut self, generation: GenerationId) -> Result<()> {
        let transaction = self.connection.transaction()?;
        let checksum: Option<Vec<u8>> = transaction
            .query_row("DELETE FROM generation WHERE id = ?1 RETURNING checksum", [generation.0], |row| {
                row.get(0)
            })
            .optional()?;
        if let Some(checksum) = checksum {
            mark_duplicates(&transaction, &checksum)?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Returns the number of the last batch; 0 before the first.
    pub fn last_batch(&self) -> Result<i64> {
        Ok(self.connection.query_row("SELECT coalesce(max(id), 0) FROM batch", [], |row| row.get(0))?)
    }

    /// Commits a batch whole or not at all.
    pub fn commit_batch(&mut self, items: &[Ingested], reading: Reading, now_ms: UtcMs) -> Result<Committed> {
        let transaction = self.connection.transaction()?;
        transaction.execute(
            "INSERT INTO batch (committed_ms, objects) VALUES (?1, ?2)",
            params![now_ms, items.len() as i64],
        )?;
        let mut committed = Committed { batch: transaction.last_insert_rowid(), ..Committed::default() };
        let mut checksums = BTreeSet::new();
        for item in items {
            if let Some((replaced, checksum)) = remove_generation(&transaction, item)? {
                committed.replaced.push(replaced);
                checksums.insert(checksum);
            }
            insert_generation(&transaction, item, committed.batch, reading)?;
            let new_groups = insert_sightings(&transaction, item)?;
            committed.new_groups += if item.is_read_again { 0 } else { new_groups };
            insert_counts(&transaction, item)?;
            insert_points(&transaction, item.object.generation, &item.partial.points)?;
            checksums.insert(item.partial.checksum.to_vec());
        }
        for checksum in &checksums {
            mark_duplicates(&transaction, checksum)?;
        }
        transaction.commit()?;
        Ok(committed)
    }

    /// Returns the versions that others have replaced or the retention has dropped and that
    /// [`Ledger::forget_replaced`] was not told of, but for those that are listed or counted again: what is left of
    /// them in the mirror is of no use any more.
    pub fn replaced(&self) -> Result<Vec<MirroredObject>> {
        let mut statement = self.connection.prepare(
            "SELECT object.id, source.name, object.key, replaced.etag, replaced.size_bytes, app.name, object.day
             FROM replaced JOIN object ON object.id = replaced.object_id
             JOIN source ON source.id = object.source_id JOIN app ON app.id = object.app_id
             LEFT JOIN generation ON generation.object_id = object.id
                AND (generation.etag, generation.size_bytes) = (replaced.etag, replaced.size_bytes)
             WHERE generation.mirrored = 0 OR (generation.id IS NULL
                AND ((replaced.etag, replaced.size_bytes) <> (object.etag, object.size_bytes)
                    OR object.expired OR object.state = 'deleted'))",
        )?;
        let rows = statement.query_map([], |row| Ok(mirrored_object(row)))?;
        rows.map(|row| row?).collect()
    }

    /// Forgets replaced versions, once their files are removed.
    pub fn forget_replaced(&mut self, removed: &[MirroredObject]) -> Result<()> {
        let transaction = self.connection.transaction()?;
        for object in removed {
            transaction.execute(
                "DELETE FROM replaced WHERE object_id = ?1 AND etag = ?2 AND size_bytes = ?3",
                params![object.object_id, object.etag, object.size_bytes as i64],
            )?;
        }
        Ok(transaction.commit()?)
    }

    /// Returns all ingested versions, ordered by (source, key).
    pub fn generations(&self) -> Result<Vec<GenerationRow>> {
        let kept = if self.has_retention() { "generation.mirrored, generation.indexed" } else { "1, 1" };
        let grouping = grouping_column(&self.connection)?;
        let mut statement = self.connection.prepare(&format!(
            "SELECT object.id, source.name, object.key, generation.etag, generation.size_bytes, app.name, object.day,
                generation.batch_id, generation.blocks, generation.first_ms, generation.last_ms,
                generation.duplicate_of IS NOT NULL, source.url, {kept}, generation.parser_version, {grouping},
                generation.checksum
             FROM generation JOIN object ON object.id = generation.object_id
             JOIN source ON source.id = object.source_id JOIN app ON app.id = generation.app_id
             ORDER BY source.name, object.key"
        ))?;
        let rows = statement.query_map([], |row| {
            let span = row.get::<_, Option<i64>>(9)?.zip(row.get(10)?);
            let (batch, blocks) = (row.get(7)?, row.get::<_, i64>(8)? as u64);
            let (duplicate, source_url) = (row.get(11)?, row.get(12)?);
            let (mirrored, indexed) = (row.get(13)?, row.get(14)?);
            let reading = Reading { parser_version: row.get(15)?, grouping: row.get(16)? };
            let checksum = row.get(17)?;
            Ok(mirrored_object(row).map(|object| GenerationRow {
                object,
                batch,
                blocks,
                span_ms: span,
                duplicate,
                checksum,
                source_url,
                mirrored,
                indexed,
                reading,
            }))
        })?;
        rows.map(|row| row?).collect()
    }
}

impl Ledger {
    /// Returns what was committed of a generation, as it was given; `None` when there is no such generation.
    pub fn stored_partial(&self, generation: GenerationId) -> Result<Option<Partial>> {
        let partial = self
            .connection
            .query_row("SELECT * FROM generation WHERE id = ?1", [generation.0], |row| Ok(stored_totals(row)))
            .optional()?;
        let Some(mut partial) = partial.transpose()? else {
            return Ok(None);
        };
        partial.counts = stored_counts(&self.connection, generation)?;
        partial.sightings = stored_sightings(&self.connection, generation)?;
        partial.points = self.stored_points(generation)?;
        Ok(Some(partial))
    }

    /// Returns a small fact by its name.
    pub fn fact(&self, name: &str) -> Result<Option<String>> {
        let mut statement = self.connection.prepare_cached("SELECT value FROM fact WHERE name = ?1")?;
        Ok(statement.query_row([name], |row| row.get(0)).optional()?)
    }

    /// Sets a small fact.
    pub fn set_fact(&mut self, name: &str, value: &str) -> Result<()> {
        self.connection
            .execute("INSERT OR REPLACE INTO fact (name, value) VALUES (?1, ?2)", [name, value])?;
        Ok(())
    }
}

/// Reads the first seven columns: object id, source, key, etag, size, application, day.
pub(super) fn mirrored_object(row: &Row<'_>) -> Result<MirroredObject> {
    let (source, key, etag): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
    let size_bytes = row.get::<_, i64>(4)? as u64;
    let day: Option<String> = row.get(6)?;
    let day = day.map(|day| day.parse()).transpose();
    Ok(MirroredObject {
        object_id: row.get(0)?,
        generation: GenerationId::of(&source, &key, &etag, size_bytes),
        source,
        key,
        etag,
        size_bytes,
        app: row.get(5)?,
        day: day.map_err(|_| LedgerError::Unreadable { what: "object.day" })?,
    })
}

/// Removes the object's earlier version; returns it with the checksum of its bytes.
fn remove_generation(connection: &Connection, item: &Ingested) -> Result<Option<(MirroredObject, Vec<u8>)>> {
    let object = &item.object;
    let earlier = connection
        .prepare_cached("SELECT id, etag, size_bytes, checksum FROM generation WHERE object_id = ?1")?
        .query_row([object.object_id], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?, row.get(3)?))
        })
        .optional()?;
    let Some((id, etag, size_bytes, checksum)) = earlier else {
        return Ok(None);
    };
    if id == object.generation.0 {
        rename_groups(connection, object.generation, &item.partial.answers)?;
    } else {
        connection.execute(
            "INSERT OR IGNORE INTO replaced (object_id, etag, size_bytes) VALUES (?1, ?2, ?3)",
            params![object.object_id, etag, size_bytes],
        )?;
    }
    connection.execute("DELETE FROM generation WHERE id = ?1", [id])?;
    let earlier = MirroredObject {
        etag,
        size_bytes: size_bytes as u64,
        generation: GenerationId(id),
        ..object.clone()
    };
    Ok(Some((earlier, checksum)))
}

fn insert_generation(connection: &Connection, item: &Ingested, batch: i64, reading: Reading) -> Result<()> {
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
            object.object_id,
            object.etag,
            object.size_bytes as i64,
            batch,
            reading.parser_version,
            lines.total as i64,
            lines.events as i64,
            lines.continuation as i64,
            lines.unparsed as i64,
            lines.quarantined as i64,
            lines.truncated as i64,
            lines.undated as i64,
            partial.decoded_bytes as i64,
            partial.checksum,
            partial.span_ms.map(|span| span.0),
            partial.span_ms.map(|span| span.1),
            partial.blocks as i64,
            damage.map(|damage| damage.offset as i64),
            damage.map(|damage| damage.member as i64),
            damage.map(|damage| &damage.reason),
            reading.grouping,
            item.stored_checksum,
        ])?;
    Ok(())
}

/// Inserts the sightings and the groups they name; returns how many groups were new.
pub(super) fn insert_sightings(connection: &Connection, item: &Ingested) -> Result<u64> {
    let mut group_statement = connection.prepare_cached(
        "INSERT INTO error_group (id, version, kind, title, template) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (id) DO NOTHING",
    )?;
    let mut statement = connection.prepare_cached(
        "INSERT INTO sighting (generation_id, group_id, events, first_ms, first_line, first_raw, last_ms, last_line, last_raw, title)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    let mut new_groups = 0;
    for sighting in &item.partial.sightings {
        let Grouped { id, kind, title, template } = &sighting.group;
        let id = id.bits() as i64;
        new_groups +=
            group_statement.execute(params![id, gzette_core::group::VERSION, kind.name(), title, template])?
                as u64;
        let (first, last) = (&sighting.first, &sighting.last);
        statement.execute(params![
            item.object.generation.0,
            id,
            sighting.events as i64,
            first.time_ms,
            first.line as i64,
            compress(&first.raw),
            last.time_ms,
            last.line as i64,
            compress(&last.raw),
            // The title of a message is its template, the same in every object.
            (*kind != GroupKind::Message).then_some(title),
        ])?;
    }
    Ok(new_groups)
}

pub(super) fn insert_counts(connection: &Connection, item: &Ingested) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO count (generation_id, group_id, level, slot, events) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for count in &item.partial.counts {
        let group = count.group.map_or(0, |group| group.bits() as i64);
        statement.execute(params![
            item.object.generation.0,
            group,
            count.level as u8,
            count.slot.0,
            count.events as i64
        ])?;
    }
    Ok(())
}

/// Among the generations of one application with these bytes, the smallest (source, key) counts.
/// Objects without a line are no duplicates of one another.
pub(super) fn mark_duplicates(connection: &Connection, checksum: &[u8]) -> Result<()> {
    connection
        .prepare_cached(
            "WITH ranked AS (
                SELECT generation.id, first_value(generation.id) OVER (
                    PARTITION BY generation.app_id ORDER BY source.name, object.key) AS counting
                FROM generation JOIN object ON object.id = generation.object_id
                JOIN source ON source.id = object.source_id
                WHERE generation.checksum = ?1 AND generation.lines > 0)
             UPDATE generation SET duplicate_of = nullif(ranked.counting, generation.id)
             FROM ranked WHERE ranked.id = generation.id",
        )?
        .execute([checksum])?;
    Ok(())
}

fn stored_totals(row: &Row<'_>) -> Result<Partial> {
    let number = |name| row.get::<_, i64>(name).map(|value| value as u64);
    let damage = row.get::<_, Option<String>>("damage_reason")?.map(|reason| {
        Ok::<_, rusqlite::Error>(Damage {
            offset: number("damage_offset")?,
            member: number("damage_member")?,
            reason,
        })
    });
    let checksum: Vec<u8> = row.get("checksum")?;
    Ok(Partial {
        lines: LineCounts {
            total: number("lines")?,
            events: number("events")?,
            continuation: number("continuation")?,
            unparsed: number("unparsed")?,
            quarantined: number("quarantined")?,
            truncated: number("truncated")?,
            undated: number("undated")?,
        },
        decoded_bytes: number("decoded_bytes")?,
        checksum: checksum.try_into().map_err(|_| LedgerError::Unreadable { what: "generation.checksum" })?,
        damage: damage.transpose()?,
        span_ms: row.get::<_, Option<i64>>("first_ms")?.zip(row.get("last_ms")?),
        counts: Vec::new(),
        sightings: Vec::new(),
        blocks: number("blocks")?,
        points: Vec::new(),
        answers: Vec::new(),
    })
}

fn stored_counts(connection: &Connection, generation: GenerationId) -> Result<Vec<Count>> {
    let mut statement = connection
        .prepare_cached("SELECT group_id, level, slot, events FROM count WHERE generation_id = ?1")?;
    let rows = statement.query_map([generation.0], |row| {
        let group: i64 = row.get(0)?;
        Ok(Count {
            group: (group != 0).then(|| GroupId::from_bits(group as u64)),
            level: Level::from_number(row.get(1)?),
            slot: Slot(row.get(2)?),
            events: row.get::<_, i64>(3)? as u64,
        })
    })?;
    let mut counts = rows.collect::<std::result::Result<Vec<_>, _>>()?;
    counts.sort_unstable();
    Ok(counts)
}

fn stored_sightings(connection: &Connection, generation: GenerationId) -> Result<Vec<Sighting>> {
    let own_title = if has_titles(connection)? { "sighting.title" } else { "NULL" };
    let mut statement = connection.prepare_cached(&format!(
        "SELECT group_id, kind, coalesce({own_title}, error_group.title), template, events,
            first_ms, first_line, first_raw, last_ms, last_line, last_raw
         FROM sighting JOIN error_group ON error_group.id = sighting.group_id
         WHERE generation_id = ?1 ORDER BY group_id"
    ))?;
    let sample = |row: &Row<'_>, at: usize| {
        let raw: Vec<u8> = row.get(at + 2)?;
        Ok::<_, LedgerError>(Sample {
            time_ms: row.get(at)?,
            line: row.get::<_, i64>(at + 1)? as u64,
            raw: decompress(&raw)?,
        })
    };
    let rows = statement.query_map([generation.0], |row| {
        let group = Grouped {
            id: GroupId::from_bits(row.get::<_, i64>(0)? as u64),
            kind: named(row, 1)?,
            title: row.get(2)?,
            template: row.get(3)?,
        };
        let events = row.get::<_, i64>(4)? as u64;
        Ok(sample(row, 5).and_then(|first| Ok(Sighting { group, events, first, last: sample(row, 8)? })))
    })?;
    rows.map(|row| row?).collect()
}

/// Compresses the raw lines of a sample for its column.
fn compress(raw: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(raw, 3).unwrap_or_default()
}

/// Returns the raw lines of a sample's column.
pub(super) fn decompress(column: &[u8]) -> Result<Vec<u8>> {
    zstd::bulk::decompress(column, 2 * SAMPLE_BYTES)
        .map_err(|_| LedgerError::Unreadable { what: "sighting.raw" })
}
