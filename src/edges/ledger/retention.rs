//! What the retention takes back: files, documents and counts of generations. The ledger says so first, files and
//! documents follow; what a crash leaves of them is removed by the next ingest.

use std::collections::BTreeSet;

use jiff::tz::TimeZone;
use rusqlite::{Row, Transaction, params};

use super::column::value;
use super::duplicates::mark_duplicates;
use super::generations::delete_generation;
use super::rows::{known_day, unsigned};
use super::{Ledger, Result, samples};
use gzette_core::model::{GenerationId, SourceName, UtcMs};
use gzette_core::retention::{Kept, Plan};

/// An ingested version as a prune needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetainedRow {
    /// What the retention decides on.
    pub kept: Kept,
    /// The name of its source.
    pub source: SourceName,
    /// Its batch.
    pub batch: i64,
    /// Whether the last listing no longer named the object.
    pub is_deleted: bool,
}

impl Ledger {
    /// Returns all ingested versions, ordered by (source, key). An object without a day has that of its storing.
    pub fn retained(&self) -> Result<Vec<RetainedRow>> {
        let mut statement = self.connection.prepare(
            "SELECT generation.id, object.day, object.modified_ms, generation.size_bytes, generation.blocks,
                generation.mirrored, generation.indexed, source.name, generation.batch_id, object.state = 'deleted'
             FROM generation JOIN object ON object.id = generation.object_id
             JOIN source ON source.id = object.source_id
             ORDER BY source.name, object.key",
        )?;
        let rows = statement.query_map([], |row| Ok(retained(row)))?;
        rows.map(|row| row?).collect()
    }

    /// Takes back what a plan names, whole or not at all. Returns the new batch that the index has to follow;
    /// `None` when only files go.
    pub fn prune(&mut self, plan: &Plan, now_ms: UtcMs) -> Result<Option<i64>> {
        let transaction = self.connection.transaction()?;
        // Before anything expires: this finds the file by the row that `expire` deletes.
        for &generation in plan.expired.iter().chain(&plan.unmirrored) {
            leave_file(&transaction, generation)?;
        }
        let mut checksums = BTreeSet::new();
        for &generation in &plan.expired {
            checksums.extend(expire(&transaction, generation)?);
        }
        // What goes may be the copy that counted of several with the same bytes; another takes its place.
        for checksum in &checksums {
            mark_duplicates(&transaction, checksum)?;
        }
        samples::choose_lacking(&transaction)?;
        mark(&transaction, "UPDATE generation SET indexed = 0 WHERE id = ?1", &plan.unindexed)?;
        mark(&transaction, "UPDATE generation SET mirrored = 0 WHERE id = ?1", &plan.unmirrored)?;
        // The index commits once for each batch, and has nothing to drop where only files go.
        let batch = if plan.expired.is_empty() && plan.unindexed.is_empty() {
            None
        } else {
            transaction
                .execute("INSERT INTO batch (committed_ms, objects) VALUES (?1, 0)", [now_ms.get()])?;
            Some(transaction.last_insert_rowid())
        };
        transaction.commit()?;
        Ok(batch)
    }

    /// Notes that the index goes without these generations.
    pub fn leave_unindexed(&mut self, generations: &[GenerationId]) -> Result<()> {
        let transaction = self.connection.transaction()?;
        mark(&transaction, "UPDATE generation SET indexed = 0 WHERE id = ?1", generations)?;
        Ok(transaction.commit()?)
    }

    /// Has the next sync fetch the pruned files that an index is built from. Returns how many.
    pub fn fetch_pruned(&mut self) -> Result<u64> {
        // A deleted object is left out, as its source no longer has it. Tries that failed earlier were of
        // another fetch, so they start again.
        let sql = "UPDATE object SET state = 'listed', reason = NULL, attempts = 0
            FROM generation WHERE generation.object_id = object.id AND generation.mirrored = 0
              AND generation.indexed = 1 AND object.state <> 'deleted'
              AND (generation.etag, generation.size_bytes) = (object.etag, object.size_bytes)";
        Ok(self.connection.execute(sql, [])? as u64)
    }
}

fn retained(row: &Row<'_>) -> Result<RetainedRow> {
    let stored_ms: UtcMs = value(row, 2)?;
    Ok(RetainedRow {
        kept: Kept {
            generation: GenerationId(row.get(0)?),
            day: known_day(row, 1)?.unwrap_or(stored_ms.day(&TimeZone::UTC)),
            size_bytes: unsigned(row, 3)?,
            blocks: unsigned(row, 4)?,
            is_mirrored: row.get(5)?,
            is_indexed: row.get(6)?,
            is_file_needed: false,
            is_unwanted: false,
        },
        source: value(row, 7)?,
        batch: row.get(8)?,
        is_deleted: row.get(9)?,
    })
}

fn mark(transaction: &Transaction<'_>, sql: &str, generations: &[GenerationId]) -> Result<()> {
    let mut statement = transaction.prepare_cached(sql)?;
    for generation in generations {
        statement.execute([generation.0])?;
    }
    Ok(())
}

/// Has the mirrored file of a generation removed, now or after a crash.
fn leave_file(transaction: &Transaction<'_>, generation: GenerationId) -> Result<()> {
    let sql = "INSERT OR IGNORE INTO replaced (object_id, etag, size_bytes)
        SELECT object_id, etag, size_bytes FROM generation WHERE id = ?1";
    transaction.prepare_cached(sql)?.execute([generation.0])?;
    Ok(())
}

/// Deletes a generation and all that hangs on it; returns the checksum of its bytes. A deleted object that comes
/// back is counted again, another one is not.
fn expire(transaction: &Transaction<'_>, generation: GenerationId) -> Result<Option<Vec<u8>>> {
    let sql = "UPDATE object SET expired = 1 FROM generation
        WHERE generation.id = ?1 AND generation.object_id = object.id AND object.state <> 'deleted'
          AND (generation.etag, generation.size_bytes) = (object.etag, object.size_bytes)";
    transaction.prepare_cached(sql)?.execute(params![generation.0])?;
    delete_generation(transaction, generation)
}
