//! What is known of the stored bytes of objects, to distinguish rot from the bytes that were fetched and counted.

use std::collections::HashMap;

use rusqlite::{OptionalExtension, Row, params};

use super::column::value;
use super::moved::RENAMING;
use super::rows::{object_row, object_version, unsigned};
use super::schema::Added;
use super::{Ledger, LedgerError, Result};
use gzette_core::model::{Checksum, GenerationId, KnownBytes, ObjectVersion, SourceName};

impl Ledger {
    /// Returns what is known of the stored bytes of an object's version.
    pub fn known_bytes(&self, object_id: i64, etag: &str, size_bytes: u64) -> Result<KnownBytes> {
        let sql = format!(
            "SELECT {} FROM object LEFT JOIN generation ON generation.object_id = object.id
               AND (generation.etag, generation.size_bytes) = (?2, ?3)
             WHERE object.id = ?1",
            self.known_columns("(?2, ?3)")
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let known = statement
            .query_row(params![object_id, etag, size_bytes as i64], |row| Ok(known(row, size_bytes)))
            .optional()?;
        known.unwrap_or(Ok(KnownBytes { size_bytes, ..KnownBytes::default() }))
    }

    /// Returns the same of a version that was listed or counted.
    pub fn known_bytes_of(&self, object: &ObjectVersion) -> Result<KnownBytes> {
        self.known_bytes(object_row(&self.connection, object)?, &object.etag, object.size_bytes)
    }

    /// Returns what is known of the stored bytes of every ingested version.
    pub fn all_known_bytes(&self) -> Result<HashMap<GenerationId, KnownBytes>> {
        let sql = format!(
            "SELECT {}, generation.id, generation.size_bytes
             FROM generation JOIN object ON object.id = generation.object_id",
            self.known_columns("(generation.etag, generation.size_bytes)")
        );
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement.query_map([], |row| {
            let (generation, size_bytes) = (row.get(3).map(GenerationId)?, unsigned(row, 4)?);
            Ok(known(row, size_bytes).map(|known| (generation, known)))
        })?;
        rows.map(|row| row?).collect()
    }

    /// Returns how many versions are counted: no fewer than are in the mirror. Every run asks, so it reads an index only.
    pub fn generation_count(&self) -> Result<u64> {
        let sql = "SELECT count(*) FROM generation";
        Ok(self.connection.query_row(sql, [], |row| unsigned(row, 0))?)
    }

    /// Returns the sources with counted versions in the mirror, and the old names under which files of renamed
    /// ones may still be there.
    pub fn sources_in_mirror(&self) -> Result<Vec<(SourceName, Option<SourceName>)>> {
        let sql = format!(
            "SELECT name, (SELECT value FROM fact WHERE fact.name = '{RENAMING}' || source.id) FROM source
             WHERE EXISTS (SELECT 1 FROM object JOIN generation ON object.id = generation.object_id
               WHERE object.source_id = source.id AND {})
             ORDER BY name",
            self.is_in_mirror()
        );
        let mut statement = self.connection.prepare(&sql)?;
        let names = statement.query_map([], |row| Ok((value(row, 0)?, value(row, 1)?)))?;
        Ok(names.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns up to `number` of the counted versions in the mirror whose ids follow a generation's; after the last it goes
    /// on with the first. Leaves out sources whose files are still to be renamed.
    pub fn mirrored_after(&self, from: GenerationId, number: u64) -> Result<Vec<ObjectVersion>> {
        let mut found = self.mirrored_range("generation.id > ?1", from, number)?;
        let rest = number.saturating_sub(found.len() as u64);
        found.extend(self.mirrored_range("generation.id <= ?1", from, rest)?);
        Ok(found)
    }

    /// Reads one range of [`Ledger::mirrored_after`] in the order of the ids, and stops at the limit.
    fn mirrored_range(&self, range: &str, from: GenerationId, number: u64) -> Result<Vec<ObjectVersion>> {
        let sql = format!(
            // CROSS JOIN makes SQLite keep this order of the loops, by the ids of generations, so that LIMIT
            // ends the walk early. Its planner might begin with `object` and sort everything for each slice.
            "SELECT (SELECT name FROM source WHERE id = object.source_id), object.key, generation.etag,
                generation.size_bytes, (SELECT name FROM app WHERE id = generation.app_id), object.day
             FROM generation CROSS JOIN object ON object.id = generation.object_id
             WHERE {range} AND {}
               AND NOT EXISTS (SELECT 1 FROM fact WHERE fact.name = '{RENAMING}' || object.source_id)
             ORDER BY generation.id LIMIT ?2",
            self.is_in_mirror()
        );
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement.query_map(params![from.0, number as i64], |row| Ok(object_version(row)))?;
        rows.map(|row| row?).collect()
    }

    /// Counted versions that a file has to be there for: neither pruned nor to be fetched again.
    fn is_in_mirror(&self) -> String {
        let kept = if self.has(Added::Retention) { "generation.mirrored = 1" } else { "1" };
        format!(
            "{kept} AND object.state IN ('mirrored', 'deleted')
               AND (generation.etag, generation.size_bytes) = (object.etag, object.size_bytes)"
        )
    }

    /// The columns that [`known`] reads, of the version with this etag and size.
    fn known_columns(&self, version: &str) -> String {
        if !self.has(Added::StoredChecksums) {
            return "NULL, NULL, generation.checksum".to_owned();
        }
        format!(
            "CASE WHEN (object.etag, object.size_bytes) = {version} THEN object.stored_checksum END,
             generation.stored_checksum, generation.checksum"
        )
    }
}

/// Reads the first three columns. What was fetched last is newer than what was counted.
fn known(row: &Row<'_>, size_bytes: u64) -> Result<KnownBytes> {
    let checksum = |at| -> Result<Option<Checksum>> {
        let column: Option<Vec<u8>> = row.get(at)?;
        let unreadable = |_| LedgerError::Unreadable { what: "object.stored_checksum" };
        column.map(|bytes| bytes.try_into().map_err(unreadable)).transpose()
    };
    Ok(KnownBytes { size_bytes, stored: checksum(0)?.or(checksum(1)?), counted: checksum(2)? })
}
