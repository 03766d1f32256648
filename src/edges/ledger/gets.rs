//! Objects on their way into the mirror: what is to be fetched, and what came of it.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::column::{Name, value};
use super::rows::{listed_day, unsigned};
use super::{Ledger, Result};
use gzette_core::model::{AppName, Checksum, Day, ListedObject, ObjectKey, UtcMs};
use gzette_core::plan::{ObjectState, pause_ms};

/// The outcome of fetching an object.
#[derive(Clone, Debug)]
pub struct GetRecord {
    /// The object's row.
    pub object_id: i64,
    /// The version that was asked for.
    pub etag: String,
    /// Its size.
    pub size_bytes: u64,
    /// The state it is in now.
    pub state: ObjectState,
    /// Why, when it is not in the mirror.
    pub reason: Option<String>,
    /// The checksum of its stored bytes, when it is.
    pub stored_checksum: Option<Checksum>,
}

/// An object that is not in the mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingObject {
    /// The object's row.
    pub id: i64,
    /// Its state.
    pub state: ObjectState,
    /// How many tries have failed.
    pub attempts: u32,
    /// When it is tried again.
    pub next_try_ms: UtcMs,
    /// Its application.
    pub app: AppName,
    /// Its day.
    pub day: Option<Day>,
    /// Its key.
    pub key: ObjectKey,
}

impl Ledger {
    /// Returns the objects of a source that are listed and not in the mirror, newest day first, then by key.
    pub fn pending_objects(&self, source_id: i64) -> Result<Vec<PendingObject>> {
        let mut statement = self.connection.prepare_cached(PENDING)?;
        let objects = statement.query_map([source_id], pending_object)?;
        Ok(objects.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns an object as it was listed last.
    pub fn listed_object(&self, object_id: i64) -> Result<ListedObject> {
        let mut statement = self.connection.prepare_cached(LISTED_OBJECT)?;
        Ok(statement.query_row([object_id], listed_object)?)
    }

    /// Returns the same of an object that is not in the mirror; `None` for one that is, or that is no longer listed.
    pub fn pending_object(&self, object_id: i64) -> Result<Option<ListedObject>> {
        let sql = format!("{LISTED_OBJECT} AND state NOT IN ('mirrored', 'deleted')");
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_row([object_id], listed_object).optional()?)
    }

    /// Returns whether this version of an object is the listed one and is not in the mirror.
    pub fn is_pending(&self, object_id: i64, etag: &str, size_bytes: u64) -> Result<bool> {
        let sql = "SELECT state NOT IN ('mirrored', 'deleted') FROM object
                   WHERE id = ?1 AND etag = ?2 AND size_bytes = ?3";
        let mut statement = self.connection.prepare_cached(sql)?;
        let is_pending =
            statement.query_row(params![object_id, etag, size_bytes as i64], |row| row.get(0)).optional()?;
        Ok(is_pending.unwrap_or(false))
    }

    /// Records the outcomes of a few gets in one transaction. A version that is no longer the listed one
    /// changes nothing; one that was not fetched is left alone for longer each time.
    pub fn record_gets(&mut self, gets: &[GetRecord], now_ms: UtcMs) -> Result<()> {
        let transaction = self.connection.transaction()?;
        for get in gets {
            if get.state == ObjectState::Mirrored {
                note_got(&transaction, get)?;
            } else {
                note_failed(&transaction, get, now_ms)?;
            }
        }
        Ok(transaction.commit()?)
    }
}

/// The first condition lets SQLite use the partial index, the second keeps it off the deleted, which only grow,
/// and the plus keeps it from preferring the index of keys.
const PENDING: &str = "
    SELECT id, state, attempts, next_try_ms, (SELECT name FROM app WHERE app.id = app_id), day, key FROM object
    WHERE state <> 'mirrored' AND state IN ('listed', 'missing', 'denied', 'archived', 'failed') AND +source_id = ?1
    ORDER BY day DESC, key";

const LISTED_OBJECT: &str = "SELECT key, etag, size_bytes, modified_ms FROM object WHERE id = ?1";

fn listed_object(row: &Row<'_>) -> rusqlite::Result<ListedObject> {
    Ok(ListedObject {
        key: value(row, 0)?,
        etag: row.get(1)?,
        size_bytes: unsigned(row, 2)?,
        modified_ms: value(row, 3)?,
    })
}

fn pending_object(row: &Row<'_>) -> rusqlite::Result<PendingObject> {
    Ok(PendingObject {
        id: row.get(0)?,
        state: value(row, 1)?,
        attempts: row.get(2)?,
        next_try_ms: value(row, 3)?,
        app: value(row, 4)?,
        day: listed_day(row, 5)?,
        key: value(row, 6)?,
    })
}

fn note_got(transaction: &Transaction<'_>, get: &GetRecord) -> Result<()> {
    // What the retention had taken is back.
    let back = "UPDATE generation SET mirrored = 1
        WHERE object_id = ?1 AND etag = ?2 AND size_bytes = ?3 AND mirrored = 0";
    let version = params![get.object_id, get.etag, get.size_bytes as i64];
    transaction.prepare_cached(back)?.execute(version)?;
    // Only if this is still the listed version: a listing may have named another while the file was on its
    // way.
    let got = "UPDATE object SET state = 'mirrored', reason = NULL, attempts = 0, next_try_ms = 0,
          failing_since_ms = NULL, stored_checksum = coalesce(?4, stored_checksum),
          uncounted = NOT EXISTS (SELECT 1 FROM generation
            WHERE object_id = ?1 AND generation.etag = ?2 AND generation.size_bytes = ?3)
        WHERE id = ?1 AND etag = ?2 AND size_bytes = ?3";
    let version = params![get.object_id, get.etag, get.size_bytes as i64, get.stored_checksum];
    transaction.prepare_cached(got)?.execute(version)?;
    Ok(())
}

fn note_failed(transaction: &Transaction<'_>, get: &GetRecord, now_ms: UtcMs) -> Result<()> {
    let attempts = "SELECT attempts FROM object WHERE id = ?1";
    let mut attempts = transaction.prepare_cached(attempts)?;
    let tries = attempts.query_row([get.object_id], |row| row.get::<_, u32>(0))?.saturating_add(1);
    let failed = "UPDATE object SET state = ?4, reason = ?5, attempts = ?6, next_try_ms = ?7,
          failing_since_ms = coalesce(failing_since_ms, ?8)
        WHERE id = ?1 AND etag = ?2 AND size_bytes = ?3";
    transaction.prepare_cached(failed)?.execute(params![
        get.object_id,
        get.etag,
        get.size_bytes as i64,
        Name(get.state),
        get.reason,
        tries,
        (now_ms + pause_ms(tries)).get(),
        now_ms.get()
    ])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pending_objects_are_found_without_reading_all_rows() {
        let ledger = Ledger::in_memory().unwrap();
        let sql = format!("EXPLAIN QUERY PLAN {PENDING}");
        let plan: String = ledger.connection.query_row(&sql, [1], |row| row.get(3)).unwrap();
        assert_eq!(plan, "SEARCH object USING INDEX object_state (state=?)");
    }
}
