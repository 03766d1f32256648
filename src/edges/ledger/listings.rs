//! Listings of prefixes: what each one found, changed or failed with.

use rusqlite::{Transaction, params};

use super::column::value;
use super::duplicates::mark_duplicates;
use super::moved::move_object;
use super::objects::upsert_object;
use super::{Ledger, Result};
use gzette_core::model::{AppName, DAY_MS, Day, UtcMs};
use gzette_core::plan::{Diff, KnownListing, ObjectState, PlacedObject};

/// A complete listing, compared with what was known.
#[derive(Clone, Debug)]
pub struct ListingRecord<'a> {
    /// The whole prefix.
    pub prefix: &'a str,
    /// When it was listed.
    pub now_ms: UtcMs,
    /// Its objects and prefixes.
    pub entries: u64,
    /// What it changes.
    pub diff: &'a Diff,
    /// Prefixes seen for the first time, to be listed by this run or a later one.
    pub found: &'a [String],
}

/// A prefix that could not be listed, or was not reached.
#[derive(Clone, Debug)]
pub struct FailedListing<'a> {
    /// The whole prefix.
    pub prefix: &'a str,
    /// When it was tried.
    pub now_ms: UtcMs,
    /// Why it failed.
    pub why: &'a str,
    /// How many tries have failed in a row; `None` if it was not reached, which does not count as a failure.
    pub attempts: Option<u32>,
    /// How long it is left alone.
    pub pause_ms: i64,
}

/// An object that is new or changed according to a listing and must be fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRow {
    /// The object's row.
    pub id: i64,
    /// Its application.
    pub app: AppName,
    /// Its day.
    pub day: Option<Day>,
}

impl Ledger {
    /// Returns what is known of every prefix of a source.
    pub fn listings(&self, source_id: i64) -> Result<Vec<KnownListing>> {
        let sql = "SELECT prefix, tried_ms, listed_ms, objects, failure IS NOT NULL, attempts, next_try_ms
                   FROM listing WHERE source_id = ?1 ORDER BY prefix";
        let mut statement = self.connection.prepare_cached(sql)?;
        let listings = statement.query_map([source_id], |row| {
            Ok(KnownListing {
                prefix: row.get(0)?,
                tried_ms: value(row, 1)?,
                listed_ms: value(row, 2)?,
                entries: row.get::<_, Option<i64>>(3)?.map(|entries| entries as u64),
                failed: row.get(4)?,
                attempts: row.get(5)?,
                next_try_ms: value(row, 6)?,
            })
        })?;
        Ok(listings.collect::<rusqlite::Result<_>>()?)
    }

    /// Records a complete listing and all its consequences in one transaction. Returns the objects to
    /// fetch for it.
    pub fn record_listing(&mut self, source_id: i64, listing: &ListingRecord<'_>) -> Result<Vec<ListedRow>> {
        let ListingRecord { diff, now_ms, .. } = listing;
        let transaction = self.connection.transaction()?;
        // Objects, prefixes and the time of the listing in one transaction: a kill between them would leave a prefix
        // that counts as listed and lacks objects.
        let listed = upsert_all(&transaction, source_id, diff.new.iter().chain(&diff.changed), *now_ms)?;
        for placed in &diff.moved {
            follow_move(&transaction, source_id, placed)?;
        }
        keep_listed(&transaction, &diff.kept, *now_ms)?;
        mark_deleted(&transaction, &diff.gone)?;
        add_prefixes(&transaction, source_id, listing.found)?;
        note_listing(&transaction, source_id, listing)?;
        transaction.commit()?;
        Ok(listed)
    }

    /// Writes down that a prefix could not be listed. Its objects, and when it was listed last, stay as they are.
    pub fn record_failed_listing(&mut self, source_id: i64, failed: &FailedListing<'_>) -> Result<()> {
        // A prefix that was only not reached is not failing: it keeps its tries and its pause.
        let since_ms = failed.attempts.map(|_| failed.now_ms.get());
        self.connection.execute(
            "INSERT INTO listing (source_id, prefix, tried_ms, failure, attempts, next_try_ms, failing_since_ms)
             VALUES (?1, ?2, ?3, ?4, coalesce(?5, 0), ?3 + ?6, ?7)
             ON CONFLICT (source_id, prefix) DO UPDATE SET failure = excluded.failure,
               tried_ms = iif(?5 IS NULL AND tried_ms > 0, tried_ms, excluded.tried_ms),
               attempts = coalesce(?5, attempts), next_try_ms = iif(?5 IS NULL, next_try_ms, excluded.next_try_ms),
               failing_since_ms = coalesce(failing_since_ms, excluded.failing_since_ms)",
            params![
                source_id,
                failed.prefix,
                failed.now_ms.get(),
                failed.why,
                failed.attempts,
                failed.pause_ms,
                since_ms
            ],
        )?;
        Ok(())
    }
}

/// Writes new or changed objects; returns those that are to be fetched.
fn upsert_all<'p>(
    transaction: &Transaction<'_>,
    source_id: i64,
    objects: impl Iterator<Item = &'p PlacedObject>,
    now_ms: UtcMs,
) -> Result<Vec<ListedRow>> {
    let mut listed = Vec::new();
    for placed in objects {
        let (id, state) = upsert_object(transaction, source_id, placed, now_ms)?;
        if state == ObjectState::Listed {
            listed.push(ListedRow { id, app: placed.app.clone(), day: placed.day });
        }
    }
    Ok(listed)
}

/// Gives an object the application and day that its key has by a changed layout.
fn follow_move(transaction: &Transaction<'_>, source_id: i64, placed: &PlacedObject) -> Result<()> {
    let find = "SELECT id FROM object WHERE source_id = ?1 AND key = ?2";
    let mut find = transaction.prepare_cached(find)?;
    let id = find.query_row(params![source_id, placed.object.key.as_str()], |row| row.get(0))?;
    if let Some(checksum) = move_object(transaction, id, &placed.app, placed.day)? {
        mark_duplicates(transaction, &checksum)?;
    }
    Ok(())
}

/// Notes when objects were listed last, to the day only: an idle run is not to write every row. The exact time is the
/// listing's.
fn keep_listed(transaction: &Transaction<'_>, objects: &[i64], now_ms: UtcMs) -> Result<()> {
    let keep = "UPDATE object SET last_listed_ms = ?2 WHERE id = ?1 AND last_listed_ms <= ?2 - ?3";
    let mut keep = transaction.prepare_cached(keep)?;
    for id in objects {
        keep.execute(params![id, now_ms.get(), DAY_MS])?;
    }
    Ok(())
}

fn mark_deleted(transaction: &Transaction<'_>, objects: &[i64]) -> Result<()> {
    let gone = "UPDATE object SET state = 'deleted', reason = NULL, attempts = 0, next_try_ms = 0,
                  failing_since_ms = NULL WHERE id = ?1";
    let mut gone = transaction.prepare_cached(gone)?;
    for id in objects {
        gone.execute([id])?;
    }
    Ok(())
}

fn add_prefixes(transaction: &Transaction<'_>, source_id: i64, prefixes: &[String]) -> Result<()> {
    let add = "INSERT OR IGNORE INTO listing (source_id, prefix, tried_ms) VALUES (?1, ?2, 0)";
    let mut add = transaction.prepare_cached(add)?;
    for prefix in prefixes {
        add.execute(params![source_id, prefix])?;
    }
    Ok(())
}

fn note_listing(transaction: &Transaction<'_>, source_id: i64, listing: &ListingRecord<'_>) -> Result<()> {
    transaction.execute(
        "INSERT INTO listing (source_id, prefix, tried_ms, listed_ms, objects) VALUES (?1, ?2, ?3, ?3, ?4)
         ON CONFLICT (source_id, prefix) DO UPDATE SET tried_ms = excluded.tried_ms,
           listed_ms = excluded.listed_ms, objects = excluded.objects, failure = NULL, attempts = 0,
           next_try_ms = 0, failing_since_ms = NULL",
        params![source_id, listing.prefix, listing.now_ms.get(), listing.entries as i64],
    )?;
    Ok(())
}
