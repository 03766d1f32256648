//! Batches: what is in the mirror and not yet counted, and the one transaction that counts it.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::duplicates::mark_duplicates;
use super::generations::delete_generation;
use super::grouping::rename_groups;
use super::partials::insert_partial;
use super::rows::{object_row, object_version, unsigned};
use super::{Ledger, Result, samples};
use gzette_core::model::{GenerationId, ObjectVersion, UtcMs};
use gzette_core::partial::Ingested;

/// What a commit did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// The batch.
    pub batch: i64,
    /// The versions that others replaced, and those that were read again: their documents have to go.
    pub replaced: Vec<ObjectVersion>,
    /// Groups never seen before.
    pub new_groups: u64,
}

/// The index has the order of the answer, so that each batch reads its own rows only.
pub(super) const PENDING: &str = "SELECT source.name, object.key, object.etag, object.size_bytes, app.name, object.day
             FROM object INDEXED BY object_uncounted
             CROSS JOIN source ON source.id = object.source_id CROSS JOIN app ON app.id = object.app_id
             LEFT JOIN generation ON generation.object_id = object.id
             WHERE object.uncounted = 1 AND object.state = 'mirrored' AND object.expired = 0 AND (generation.id IS NULL
                OR generation.etag <> object.etag OR generation.size_bytes <> object.size_bytes)
             ORDER BY object.day, object.source_id, object.key LIMIT ?1";

impl Ledger {
    /// Returns the mirrored versions that no batch holds, oldest day first, at most `limit`.
    pub fn pending(&self, limit: usize) -> Result<Vec<ObjectVersion>> {
        let mut statement = self.connection.prepare(PENDING)?;
        let rows = statement.query_map([limit as i64], |row| Ok(object_version(row)))?;
        debug_assert_eq!(self.overlooked()?, 0, "each version that is not counted is marked so");
        rows.map(|row| row?).collect()
    }

    /// Returns how many versions are to be counted and are not marked so. Looks at all objects.
    fn overlooked(&self) -> Result<u64> {
        let sql = "SELECT count(*) FROM object WHERE state = 'mirrored' AND expired = 0 AND uncounted = 0
            AND NOT EXISTS (SELECT 1 FROM generation WHERE object_id = object.id
              AND (generation.etag, generation.size_bytes) = (object.etag, object.size_bytes))";
        Ok(self.connection.query_row(sql, [], |row| unsigned(row, 0))?)
    }

    /// Notes that the mirrored file of an object's version is lost or unreadable: the next sync gets it again, unless
    /// another version has been listed since.
    pub fn fetch_again(&mut self, object: &ObjectVersion, reason: &str) -> Result<()> {
        self.connection.execute(
            // The generation stays: until the file is back, its counts are what is known.
            "UPDATE object SET state = 'listed', reason = ?2 WHERE id = ?1 AND etag = ?3 AND size_bytes = ?4",
            params![object_row(&self.connection, object)?, reason, object.etag, object.size_bytes as i64],
        )?;
        Ok(())
    }

    /// Notes that the mirrored file of an object's version is lost for good, if its source no longer has it: then the
    /// counts are what is left. Returns whether that is so.
    pub fn leave_lost(&mut self, object: &ObjectVersion) -> Result<bool> {
        // Like a pruned one: the counts stay, no recount asks for the file. An object that is still listed is fetched
        // instead.
        let sql = "UPDATE generation SET mirrored = 0 WHERE object_id = ?1 AND etag = ?2 AND size_bytes = ?3
            AND EXISTS (SELECT 1 FROM object WHERE id = ?1 AND state = 'deleted')";
        let row = object_row(&self.connection, object)?;
        let version = params![row, object.etag, object.size_bytes as i64];
        Ok(self.connection.execute(sql, version)? > 0)
    }

    /// Forgets what was counted of a generation: its object is counted again by the next ingest.
    pub fn forget_generation(&mut self, generation: GenerationId) -> Result<()> {
        let transaction = self.connection.transaction()?;
        let sql =
            "UPDATE object SET uncounted = 1 WHERE id = (SELECT object_id FROM generation WHERE id = ?1)";
        transaction.execute(sql, [generation.0])?;
        if let Some(checksum) = delete_generation(&transaction, generation)? {
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
    pub fn commit_batch(&mut self, items: &[Ingested], now_ms: UtcMs) -> Result<Committed> {
        let transaction = self.connection.transaction()?;
        transaction.execute(
            "INSERT INTO batch (committed_ms, objects) VALUES (?1, ?2)",
            params![now_ms.get(), items.len() as i64],
        )?;
        let mut committed = Committed { batch: transaction.last_insert_rowid(), ..Committed::default() };
        // Both the bytes that left and those that came: of the copies that remain of either, another one may count
        // now.
        let mut checksums = BTreeSet::new();
        let mut gone = samples::Gone::new();
        for item in items {
            if let Some((replaced, checksum)) = remove_generation(&transaction, item, &mut gone)? {
                committed.replaced.push(replaced);
                checksums.insert(checksum);
            }
            let new_groups = insert_partial(&transaction, item, committed.batch)?;
            // A version read again by new rules gives old events new ids. They are not news.
            committed.new_groups += if item.is_read_again { 0 } else { new_groups };
            checksums.insert(item.partial.checksum.to_vec());
        }
        // After all items: the copies of one object may be in the same batch.
        for checksum in &checksums {
            mark_duplicates(&transaction, checksum)?;
        }
        samples::choose(&transaction, items, &gone)?;
        transaction.commit()?;
        Ok(committed)
    }

    /// Returns the versions that others have replaced or the retention has dropped and that
    /// [`Ledger::forget_replaced`] has not removed, except those that are listed or counted again: what is left of
    /// them in the mirror is of no use any more.
    pub fn replaced(&self) -> Result<Vec<ObjectVersion>> {
        let mut statement = self.connection.prepare(
            "SELECT source.name, object.key, replaced.etag, replaced.size_bytes, app.name, object.day
             FROM replaced JOIN object ON object.id = replaced.object_id
             JOIN source ON source.id = object.source_id JOIN app ON app.id = object.app_id
             LEFT JOIN generation ON generation.object_id = object.id
                AND (generation.etag, generation.size_bytes) = (replaced.etag, replaced.size_bytes)
             WHERE generation.mirrored = 0 OR (generation.id IS NULL
                AND ((replaced.etag, replaced.size_bytes) <> (object.etag, object.size_bytes)
                    OR object.expired OR object.state = 'deleted'))",
        )?;
        let rows = statement.query_map([], |row| Ok(object_version(row)))?;
        rows.map(|row| row?).collect()
    }

    /// Forgets replaced versions, once their files are removed.
    pub fn forget_replaced(&mut self, removed: &[ObjectVersion]) -> Result<()> {
        let transaction = self.connection.transaction()?;
        for object in removed {
            transaction.execute(
                "DELETE FROM replaced WHERE object_id = ?1 AND etag = ?2 AND size_bytes = ?3",
                params![object_row(&transaction, object)?, object.etag, object.size_bytes as i64],
            )?;
        }
        Ok(transaction.commit()?)
    }
}

/// Removes the object's earlier version; returns it with the checksum of its bytes. Its samples are added to `gone`.
fn remove_generation(
    connection: &Connection,
    item: &Ingested,
    gone: &mut samples::Gone,
) -> Result<Option<(ObjectVersion, Vec<u8>)>> {
    let object = &item.object;
    let object_id = object_row(connection, object)?;
    let earlier = connection
        .prepare_cached("SELECT id, etag, size_bytes, checksum FROM generation WHERE object_id = ?1")?
        .query_row([object_id], |row| Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?, row.get(3)?)))
        .optional()?;
    let Some((id, etag, size_bytes, checksum)) = earlier else {
        return Ok(None);
    };
    // The same version again: its rows are about to go, so what became of its groups is noted now. Only another
    // version leaves a file behind.
    if id == object.generation.0 {
        rename_groups(connection, object.generation, &item.partial.answers)?;
    } else {
        connection.execute(
            "INSERT OR IGNORE INTO replaced (object_id, etag, size_bytes) VALUES (?1, ?2, ?3)",
            params![object_id, etag, size_bytes],
        )?;
    }
    gone.extend(samples::take(connection, id)?);
    // Counts, sightings and points go with it, by their foreign keys.
    connection.execute("DELETE FROM generation WHERE id = ?1", [id])?;
    let earlier =
        ObjectVersion { etag, size_bytes: size_bytes as u64, generation: GenerationId(id), ..object.clone() };
    Ok(Some((earlier, checksum)))
}
