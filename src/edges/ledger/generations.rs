//! The ingested versions, as searches and recounts ask for them.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, Params, Row};

use super::column::value;
use super::rows::{GenerationRow, key_at, object_version, unsigned};
use super::schema::Added;
use super::{Ledger, LedgerError, Result, packed, samples};
use gzette_core::model::{AppName, GenerationId, GroupId, UtcMs};
use gzette_core::partial::Reading;
use gzette_core::partial::packed::GroupNumber;

/// Where less than one of this many versions is asked for, each is looked up.
const FEW: u64 = 8;

/// What a search needs to know of an ingested version before it has asked the index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outline {
    /// Its id.
    pub generation: GenerationId,
    /// The row of its object.
    pub object_id: i64,
    /// Its batch.
    pub batch: i64,
    /// Whether the retention has left its documents in the index.
    pub is_indexed: bool,
    /// The number of its blocks in the index.
    pub blocks: u64,
    /// Whether another version with the same bytes counts instead.
    pub is_duplicate: bool,
    /// The times of its earliest and latest event.
    pub span_ms: Option<(UtcMs, UtcMs)>,
}

impl Ledger {
    /// Returns all ingested versions, ordered by (source, key).
    pub fn generations(&self) -> Result<Vec<GenerationRow>> {
        let sql = self.select_generations("ORDER BY source.name, object.key");
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement.query_map([], |row| Ok(generation_row(row)))?;
        rows.map(|row| row?).collect()
    }

    /// Returns the ingested versions with these ids, in no order to rely on.
    pub fn generations_of(&self, ids: &HashSet<GenerationId>) -> Result<Vec<GenerationRow>> {
        if ids.len() as u64 > self.generation_count()? / FEW {
            let mut all = self.generations()?;
            all.retain(|row| ids.contains(&row.object.generation));
            return Ok(all);
        }
        let sql = self.select_generations("WHERE generation.id = ?1");
        let mut statement = self.connection.prepare(&sql)?;
        let mut found = Vec::with_capacity(ids.len());
        for id in ids {
            let row = statement.query_row([id.0], |row| Ok(generation_row(row))).optional()?;
            found.extend(row.transpose()?);
        }
        Ok(found)
    }

    /// Calls `visit` with what an index of the ledger holds of every ingested version of some applications, of all where
    /// none is named.
    pub fn each_outline(&self, apps: &[AppName], mut visit: impl FnMut(Outline)) -> Result<()> {
        let indexed = if self.has(Added::Retention) { "indexed" } else { "1" };
        let chosen = "WHERE app_id IN (SELECT id FROM app WHERE name IN (SELECT value FROM json_each(?1)))";
        let chosen = if apps.is_empty() { "WHERE ?1 IS NOT NULL" } else { chosen };
        let sql = format!(
            "SELECT id, object_id, batch_id, {indexed}, blocks, duplicate_of IS NOT NULL, first_ms, last_ms
             FROM generation {chosen}"
        );
        let names: Vec<&str> = apps.iter().map(AppName::as_str).collect();
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query([serde_json::Value::from(names).to_string()])?;
        while let Some(row) = rows.next()? {
            visit(Outline {
                generation: GenerationId(row.get(0)?),
                object_id: row.get(1)?,
                batch: row.get(2)?,
                is_indexed: row.get(3)?,
                blocks: unsigned(row, 4)?,
                is_duplicate: row.get(5)?,
                span_ms: value::<Option<UtcMs>>(row, 6)?.zip(value(row, 7)?),
            });
        }
        Ok(())
    }

    /// Returns the ingested version of an object by its place, as people write it.
    pub fn generation_at(&self, place: &str) -> Result<Option<GenerationRow>> {
        let sql = self.select_generations("WHERE object.source_id = ?1 AND object.key = ?2");
        let mut statement = self.connection.prepare_cached(&sql)?;
        for source in self.source_rows()? {
            let Some(key) = key_at(&source.url, place) else { continue };
            let found = statement.query_row((source.id, key), |row| Ok(generation_row(row))).optional()?;
            if let Some(row) = found {
                return row.map(Some);
            }
        }
        Ok(None)
    }

    fn select_generations(&self, which: &str) -> String {
        let kept =
            if self.has(Added::Retention) { "generation.mirrored, generation.indexed" } else { "1, 1" };
        let grouping = if self.has(Added::Grouping) { "generation.grouping" } else { "0" };
        format!(
            "SELECT source.name, object.key, generation.etag, generation.size_bytes, app.name, object.day, object.id,
                generation.batch_id, generation.blocks, generation.first_ms, generation.last_ms,
                generation.duplicate_of IS NOT NULL, source.url, {kept}, generation.parser_version, {grouping},
                generation.checksum
             FROM generation JOIN object ON object.id = generation.object_id
             JOIN source ON source.id = object.source_id JOIN app ON app.id = generation.app_id
             {which}"
        )
    }

    /// Returns the ids of all ingested versions.
    pub fn generation_ids(&self) -> Result<HashSet<GenerationId>> {
        self.generations_where("SELECT id FROM generation", [])
    }

    /// Returns the versions that hold events of a group.
    pub fn generations_with_group(&self, group: GroupId) -> Result<HashSet<GenerationId>> {
        let number = packed::known_number(&self.connection, group)?;
        number.map_or_else(|| Ok(HashSet::new()), |number| self.generations_holding(&HashSet::from([number])))
    }

    /// Returns the versions with errors.
    pub fn generations_with_errors(&self) -> Result<HashSet<GenerationId>> {
        self.generations_where("SELECT generation_id FROM counted WHERE groups NOT IN (x'', x'00')", [])
    }

    /// Returns the versions with events of the groups whose template is `template`, or begins with it and a newline.
    pub fn generations_with_template(&self, template: &str) -> Result<HashSet<GenerationId>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT number FROM error_group JOIN group_number ON group_id = id
             WHERE template = ?1 OR substr(template, 1, length(?1) + 1) = ?1 || char(10)",
        )?;
        let numbers = statement.query_map([template], |row| row.get(0))?;
        self.generations_holding(&numbers.collect::<rusqlite::Result<_>>()?)
    }

    fn generations_holding(&self, numbers: &HashSet<GroupNumber>) -> Result<HashSet<GenerationId>> {
        let mut generations = HashSet::new();
        self.each_held(|generation, number| {
            if numbers.contains(&number) {
                generations.insert(GenerationId(generation));
            }
        })?;
        Ok(generations)
    }

    fn generations_where(&self, sql: &str, params: impl Params) -> Result<HashSet<GenerationId>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let rows = statement.query_map(params, |row| row.get(0).map(GenerationId))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}

/// Deletes a generation and all that hangs on it; returns the checksum of its bytes. Groups that lose a sample with it are
/// noted.
pub(super) fn delete_generation(
    connection: &Connection,
    generation: GenerationId,
) -> Result<Option<Vec<u8>>> {
    samples::note_short(connection, &samples::take(connection, generation.0)?)?;
    let sql = "DELETE FROM generation WHERE id = ?1 RETURNING checksum";
    Ok(connection.prepare_cached(sql)?.query_row([generation.0], |row| row.get(0)).optional()?)
}

fn generation_row(row: &Row<'_>) -> Result<GenerationRow> {
    let checksum: Vec<u8> = row.get(17)?;
    let unreadable = |_| LedgerError::Unreadable { what: "generation.checksum" };
    Ok(GenerationRow {
        object: object_version(row)?,
        object_id: row.get(6)?,
        batch: row.get(7)?,
        blocks: unsigned(row, 8)?,
        span_ms: value::<Option<UtcMs>>(row, 9)?.zip(value(row, 10)?),
        duplicate: row.get(11)?,
        source_url: row.get(12)?,
        mirrored: row.get(13)?,
        indexed: row.get(14)?,
        reading: Reading { parser_version: row.get(15)?, grouping: row.get(16)? },
        checksum: checksum.try_into().map_err(unreadable)?,
    })
}
