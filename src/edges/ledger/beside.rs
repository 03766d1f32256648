//! What a reader asks while a run beside it writes: whether what it read before still holds.

use std::collections::HashSet;
use std::path::PathBuf;

use super::schema::Added;
use super::{Ledger, Result};
use gzette_core::model::GenerationId;

impl Ledger {
    /// Returns its path, so that another thread can open it too; `None` for a ledger in memory.
    pub fn path(&self) -> Option<PathBuf> {
        self.connection.path().filter(|path| !path.is_empty()).map(PathBuf::from)
    }

    /// Whether a version still counts: no other one has replaced it, and it has not expired.
    pub fn has_generation(&self, generation: GenerationId) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM generation WHERE id = ?1)";
        Ok(self.connection.prepare_cached(sql)?.query_row([generation.0], |row| row.get(0))?)
    }

    /// Returns the versions that have been in the index since a batch.
    pub fn indexed_since(&self, batch: i64) -> Result<HashSet<GenerationId>> {
        let indexed = if self.has(Added::Retention) { "AND indexed" } else { "" };
        let sql = format!("SELECT id FROM generation WHERE batch_id <= ?1 {indexed}");
        let mut statement = self.connection.prepare(&sql)?;
        let ids = statement.query_map([batch], |row| row.get(0).map(GenerationId))?;
        Ok(ids.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns the ids of the objects that the last run took in.
    pub fn objects_of_last_run(&self) -> Result<HashSet<i64>> {
        let sql = "SELECT generation.object_id FROM generation JOIN batch ON batch.id = generation.batch_id
            WHERE batch.committed_ms >= (SELECT started_ms FROM run WHERE command IN ('run', 'ingest')
                ORDER BY id DESC LIMIT 1)";
        let mut statement = self.connection.prepare(sql)?;
        let ids = statement.query_map([], |row| row.get(0))?;
        Ok(ids.collect::<rusqlite::Result<_>>()?)
    }
}
