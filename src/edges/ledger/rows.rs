//! What several concerns read from the ledger: ingested versions, and the columns that they share.

use rusqlite::{Connection, Row, RowIndex};

use super::column::value;
use super::{LedgerError, Result};
use gzette_core::model::{
    Day, GenerationId, GroupId, LineCounts, ObjectKey, ObjectVersion, SourceName, UtcMs,
};
use gzette_core::partial::{Reading, SAMPLE_BYTES};

/// An ingested version as a search needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationRow {
    /// The row of its object in this ledger.
    pub object_id: i64,
    /// What was ingested.
    pub object: ObjectVersion,
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
    format!("{}/{key}", base_of(source_url))
}

/// Returns the key of what [`object_place`] writes as `place`, if that is in the source.
pub(super) fn key_at<'p>(source_url: &str, place: &'p str) -> Option<&'p str> {
    place.strip_prefix(base_of(source_url))?.strip_prefix('/')
}

/// Returns what stands before the slash and the key: the bucket, or the folder.
fn base_of(source_url: &str) -> &str {
    match source_url.strip_prefix("s3://") {
        Some(rest) => &source_url[..source_url.len() - rest.len() + rest.find('/').unwrap_or(rest.len())],
        None => source_url.trim_end_matches('/'),
    }
}

/// Reads the first six columns: source, key, etag, size, application, day.
pub(super) fn object_version(row: &Row<'_>) -> Result<ObjectVersion> {
    let (source, key, etag): (SourceName, ObjectKey, String) = (value(row, 0)?, value(row, 1)?, row.get(2)?);
    let size_bytes = unsigned(row, 3)?;
    Ok(ObjectVersion {
        generation: GenerationId::of(&source, &key, &etag, size_bytes),
        source,
        key,
        etag,
        size_bytes,
        app: value(row, 4)?,
        day: known_day(row, 5)?,
    })
}

/// Returns the row of an object.
pub(super) fn object_row(connection: &Connection, object: &ObjectVersion) -> Result<i64> {
    let sql = "SELECT object.id FROM object JOIN source ON source.id = source_id
        WHERE source.name = ?1 AND object.key = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    Ok(statement.query_row([object.source.as_str(), object.key.as_str()], |row| row.get(0))?)
}

/// The columns of a generation that [`line_counts`] reads, summed.
pub(super) const LINE_SUMS: &str = "coalesce(sum(lines), 0), coalesce(sum(events), 0),
    coalesce(sum(continuation), 0), coalesce(sum(unparsed), 0), coalesce(sum(quarantined), 0),
    coalesce(sum(truncated), 0), coalesce(sum(undated), 0)";

/// The same columns of one generation.
pub(super) const LINES: &str = "lines, events, continuation, unparsed, quarantined, truncated, undated";

/// Reads the first seven columns, [`LINE_SUMS`] or [`LINES`].
pub(super) fn line_counts(row: &Row<'_>) -> rusqlite::Result<LineCounts> {
    Ok(LineCounts {
        total: unsigned(row, 0)?,
        events: unsigned(row, 1)?,
        continuation: unsigned(row, 2)?,
        unparsed: unsigned(row, 3)?,
        quarantined: unsigned(row, 4)?,
        truncated: unsigned(row, 5)?,
        undated: unsigned(row, 6)?,
    })
}

/// Decompresses the raw lines of samples; one serves many, because making one costs more than what it does for a sample.
pub(super) struct Decompressor(zstd::bulk::Decompressor<'static>);

impl Decompressor {
    pub(super) fn new() -> Result<Self> {
        zstd::bulk::Decompressor::new().map(Self).map_err(LedgerError::Uncompressed)
    }

    /// Returns the raw lines of a sample's column.
    pub(super) fn lines(&mut self, column: &[u8]) -> Result<Vec<u8>> {
        // The capacity is a bound, not a guess: a damaged column cannot ask for more memory than a sample may take.
        let lines = self.0.decompress(column, 2 * SAMPLE_BYTES);
        lines.map_err(|_| LedgerError::Unreadable { what: "sample.raw" })
    }
}

/// Reads a count or a length, which SQLite keeps as a signed number.
pub(super) fn unsigned(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<u64> {
    // Written by `as i64`, so the same cast back keeps every bit.
    row.get::<_, i64>(column).map(|number| number as u64)
}

/// Reads the id of a group.
pub(super) fn group_id(row: &Row<'_>, column: usize) -> rusqlite::Result<GroupId> {
    unsigned(row, column).map(GroupId::from_bits)
}

/// Reads the group of a count, where 0 stands for none.
pub(super) fn counted_group(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<GroupId>> {
    let bits = unsigned(row, column)?;
    Ok((bits != 0).then(|| GroupId::from_bits(bits)))
}

/// Reads the day of a key that bytes were counted by; one that cannot be read is an error.
pub(super) fn known_day(row: &Row<'_>, column: usize) -> Result<Option<Day>> {
    let text: Option<String> = row.get(column)?;
    let day = text.map(|text| text.parse()).transpose();
    day.map_err(|_| LedgerError::Unreadable { what: "object.day" })
}

/// Reads the day of a key that is still to be fetched. One that cannot be read is like none: the next listing writes it
/// again.
pub(super) fn listed_day(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Day>> {
    let text: Option<String> = row.get(column)?;
    Ok(text.and_then(|text| text.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_found_by_what_people_write() {
        for (url, key, place) in [
            ("s3://bucket/logs", "logs/a b/1.gz", "s3://bucket/logs/a b/1.gz"),
            ("s3://bucket", "/1.gz", "s3://bucket//1.gz"),
            ("/var/log/", "app/1.gz", "/var/log/app/1.gz"),
            ("/", "1.gz", "/1.gz"),
        ] {
            assert_eq!(object_place(url, key), place);
            assert_eq!(key_at(url, place), Some(key));
        }
        for (url, place) in [
            ("s3://bucket/logs", "s3://buckets/logs/1.gz"),
            ("s3://bucket", "s3://bucket"),
            ("/var/log", "/var/logs/1.gz"),
            ("/", "1.gz"),
        ] {
            assert_eq!(key_at(url, place), None, "{place}");
        }
    }
}
