//! Sources, listings and objects: what was listed, what is in the mirror, what could not be gotten and why.

use rusqlite::types::{FromSql, Value};
use rusqlite::{OptionalExtension, Row, Transaction, named_params, params};

use gzette_core::model::{AppName, Checksum, DAY_MS, Day, ListedObject, ObjectKey, UtcMs};
use gzette_core::plan::{Diff, KnownListing, KnownObject, ObjectState, PlacedObject, pause_ms};

use super::batch::mark_duplicates;
use super::column::{Name, named};
use super::moved::move_object;
use super::{Ledger, LedgerError, Result};

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

/// What came of getting an object.
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

/// A prefix that could not be listed, or was not reached.
#[derive(Clone, Debug)]
pub struct FailedListing<'a> {
    /// The whole prefix.
    pub prefix: &'a str,
    /// When it was tried.
    pub now_ms: UtcMs,
    /// Why it failed.
    pub why: &'a str,
    /// How many tries have failed in a row; `None` when it was not reached, which is no failure of its own.
    pub attempts: Option<u32>,
    /// How long it is left alone.
    pub pause_ms: i64,
}

/// An object that a listing has shown to be new or changed, and that is to be gotten.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRow {
    /// The object's row.
    pub id: i64,
    /// Its application.
    pub app: AppName,
    /// Its day.
    pub day: Option<Day>,
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
    /// Notes a source and returns its row.
    pub fn source_id(&mut self, name: &str, url: &str) -> Result<i64> {
        let sql = "INSERT INTO source (name, url) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET url = excluded.url RETURNING id";
        self.insert_returning(sql, [name, url])
    }

    /// Returns when a source was listed for the first time; `now_ms` if never, and then remembers it.
    pub fn first_listed_ms(&mut self, source_id: i64, now_ms: UtcMs) -> Result<UtcMs> {
        let name = format!("first_listed_ms:{source_id}");
        let sql = "INSERT INTO fact (name, value) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET value = value RETURNING value";
        let value: String = self.insert_returning(sql, [&name, &now_ms.to_string()])?;
        value.parse().map_err(|_| LedgerError::Unreadable { what: "fact.first_listed_ms" })
    }

    /// Writes a row and returns a value of it. Outside a transaction the commit would follow the value, and its failure
    /// would go unseen.
    fn insert_returning<T: FromSql>(&mut self, sql: &str, values: [&str; 2]) -> Result<T> {
        let transaction = self.connection.transaction()?;
        let value = transaction.query_row(sql, values, |row| row.get(0))?;
        transaction.commit()?;
        Ok(value)
    }

    /// Returns what is known of every prefix of a source.
    pub fn listings(&self, source_id: i64) -> Result<Vec<KnownListing>> {
        let sql = "SELECT prefix, tried_ms, listed_ms, objects, failure IS NOT NULL, attempts, next_try_ms
                   FROM listing WHERE source_id = ?1 ORDER BY prefix";
        let mut statement = self.connection.prepare_cached(sql)?;
        let listings = statement.query_map([source_id], |row| {
            Ok(KnownListing {
                prefix: row.get(0)?,
                tried_ms: row.get(1)?,
                listed_ms: row.get(2)?,
                entries: row.get::<_, Option<i64>>(3)?.map(|entries| entries as u64),
                failed: row.get(4)?,
                attempts: row.get(5)?,
                next_try_ms: row.get(6)?,
            })
        })?;
        Ok(listings.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns the known objects under `prefix` in the order of their keys; with `delimited` only those
    /// directly in it, as a listing with delimiter gives them.
    pub fn known_objects(&self, source_id: i64, prefix: &str, delimited: bool) -> Result<Vec<KnownObject>> {
        if delimited {
            return self.known_directly_in(source_id, prefix);
        }
        let mut statement = self.connection.prepare_cached(KNOWN_IN_RANGE)?;
        let range =
            named_params! { ":source": source_id, ":from": prefix, ":to": end_of(prefix), ":limit": -1 };
        let objects = statement.query_map(range, known_object)?;
        Ok(objects.collect::<rusqlite::Result<_>>()?)
    }

    /// Steps over the keys of sub-prefixes, so that the cost is that of the answer, not of the source.
    fn known_directly_in(&self, source_id: i64, prefix: &str) -> Result<Vec<KnownObject>> {
        let mut statement = self.connection.prepare_cached(KNOWN_IN_RANGE)?;
        let to = end_of(prefix);
        let mut objects = Vec::new();
        let mut next = Some(prefix.to_owned());
        while let Some(from) = next {
            let range = named_params! { ":source": source_id, ":from": from, ":to": to, ":limit": 1 };
            let Some(object) = statement.query_row(range, known_object).optional()? else {
                break;
            };
            let rest = object.key.get(prefix.len()..).unwrap_or_default();
            if let Some(slash) = rest.find('/') {
                next = after_prefix(&object.key[..=prefix.len() + slash]);
            } else {
                next = Some(format!("{}\0", object.key));
                objects.push(object);
            }
        }
        Ok(objects)
    }

    /// Writes down a complete listing and all that it changes, in one transaction. Returns the objects that are to be
    /// gotten for it.
    pub fn record_listing(&mut self, source_id: i64, listing: &ListingRecord<'_>) -> Result<Vec<ListedRow>> {
        let transaction = self.connection.transaction()?;
        let mut listed = Vec::new();
        for placed in listing.diff.new.iter().chain(&listing.diff.changed) {
            let (id, state) = upsert_object(&transaction, source_id, placed, listing.now_ms)?;
            if state == ObjectState::Listed {
                listed.push(ListedRow { id, app: placed.app.clone(), day: placed.day });
            }
        }
        for placed in &listing.diff.moved {
            let find = "SELECT id FROM object WHERE source_id = ?1 AND key = ?2";
            let id = transaction
                .prepare_cached(find)?
                .query_row(params![source_id, placed.object.key], |row| row.get(0))?;
            if let Some(checksum) = move_object(&transaction, id, &placed.app, placed.day)? {
                mark_duplicates(&transaction, &checksum)?;
            }
        }
        {
            // To the day only: an idle run is not to write every row. The exact time is the listing's.
            let keep = "UPDATE object SET last_listed_ms = ?2 WHERE id = ?1 AND last_listed_ms <= ?2 - ?3";
            let mut keep = transaction.prepare_cached(keep)?;
            for id in &listing.diff.kept {
                keep.execute(params![id, listing.now_ms, DAY_MS])?;
            }
            let gone = "UPDATE object SET state = 'deleted', reason = NULL, attempts = 0, next_try_ms = 0,
                          failing_since_ms = NULL WHERE id = ?1";
            let mut gone = transaction.prepare_cached(gone)?;
            for id in &listing.diff.gone {
                gone.execute([id])?;
            }
            let found = "INSERT OR IGNORE INTO listing (source_id, prefix, tried_ms) VALUES (?1, ?2, 0)";
            let mut found = transaction.prepare_cached(found)?;
            for prefix in listing.found {
                found.execute(params![source_id, prefix])?;
            }
        }
        transaction.execute(
            "INSERT INTO listing (source_id, prefix, tried_ms, listed_ms, objects) VALUES (?1, ?2, ?3, ?3, ?4)
             ON CONFLICT (source_id, prefix) DO UPDATE SET tried_ms = excluded.tried_ms,
               listed_ms = excluded.listed_ms, objects = excluded.objects, failure = NULL, attempts = 0,
               next_try_ms = 0, failing_since_ms = NULL",
            params![source_id, listing.prefix, listing.now_ms, listing.entries as i64],
        )?;
        transaction.commit()?;
        Ok(listed)
    }

    /// Writes down that a prefix could not be listed. Its objects, and when it was listed last, stay as they are.
    pub fn record_failed_listing(&mut self, source_id: i64, failed: &FailedListing<'_>) -> Result<()> {
        let since_ms = failed.attempts.map(|_| failed.now_ms);
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
                failed.now_ms,
                failed.why,
                failed.attempts,
                failed.pause_ms,
                since_ms
            ],
        )?;
        Ok(())
    }

    /// Returns the objects of a source that are listed and not in the mirror, newest day first, then by key.
    pub fn pending_objects(&self, source_id: i64) -> Result<Vec<PendingObject>> {
        let mut statement = self.connection.prepare_cached(PENDING)?;
        let objects = statement.query_map([source_id], |row| {
            let day: Option<String> = row.get(5)?;
            Ok(PendingObject {
                id: row.get(0)?,
                state: named(row, 1)?,
                attempts: row.get(2)?,
                next_try_ms: row.get(3)?,
                app: row.get(4)?,
                day: day.and_then(|day| day.parse().ok()),
                key: row.get(6)?,
            })
        })?;
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

    /// Writes down what came of a few gets, in one transaction. A version that is no longer the listed one
    /// changes nothing; one that was not gotten is left alone for longer each time.
    pub fn record_gets(&mut self, gets: &[GetRecord], now_ms: UtcMs) -> Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut attempts = transaction.prepare_cached("SELECT attempts FROM object WHERE id = ?1")?;
            let mut failed = transaction.prepare_cached(
                "UPDATE object SET state = ?4, reason = ?5, attempts = ?6, next_try_ms = ?7,
                   failing_since_ms = coalesce(failing_since_ms, ?8)
                 WHERE id = ?1 AND etag = ?2 AND size_bytes = ?3",
            )?;
            let mut got = transaction.prepare_cached(
                "UPDATE object SET state = 'mirrored', reason = NULL, attempts = 0, next_try_ms = 0,
                   failing_since_ms = NULL, stored_checksum = coalesce(?4, stored_checksum)
                 WHERE id = ?1 AND etag = ?2 AND size_bytes = ?3",
            )?;
            // What the retention had taken is back.
            let mut back = transaction.prepare_cached(
                "UPDATE generation SET mirrored = 1
                 WHERE object_id = ?1 AND etag = ?2 AND size_bytes = ?3 AND mirrored = 0",
            )?;
            for get in gets {
                let size_bytes = get.size_bytes as i64;
                if get.state == ObjectState::Mirrored {
                    back.execute(params![get.object_id, get.etag, size_bytes])?;
                    got.execute(params![get.object_id, get.etag, size_bytes, get.stored_checksum])?;
                    continue;
                }
                let tries =
                    attempts.query_row([get.object_id], |row| row.get::<_, u32>(0))?.saturating_add(1);
                let next_ms = now_ms + pause_ms(tries);
                failed.execute(params![
                    get.object_id,
                    get.etag,
                    size_bytes,
                    Name(get.state),
                    get.reason,
                    tries,
                    next_ms,
                    now_ms
                ])?;
            }
        }
        Ok(transaction.commit()?)
    }

    /// Has an object fetched again that the ledger thinks is in the mirror. Returns whether there is such an object.
    pub fn get_again(&mut self, source: &str, key: &str) -> Result<bool> {
        let sql = "UPDATE object SET state = 'listed', reason = NULL, attempts = 0
                   WHERE source_id = (SELECT id FROM source WHERE name = ?1) AND key = ?2 AND state = 'mirrored'";
        Ok(self.connection.execute(sql, [source, key])? > 0)
    }

    /// Returns how many objects are in each state, of all sources.
    pub fn object_counts(&self) -> Result<Vec<(ObjectState, u64)>> {
        let mut statement = self.connection.prepare("SELECT state, count(*) FROM object GROUP BY state")?;
        let counts = statement.query_map([], |row| Ok((named(row, 0)?, row.get::<_, i64>(1)? as u64)))?;
        let mut counts = counts.collect::<rusqlite::Result<Vec<_>>>()?;
        counts.sort_unstable();
        Ok(counts)
    }
}

/// The first condition lets SQLite use the partial index, the second keeps it off the deleted, which only grow,
/// and the plus keeps it from preferring the index of keys.
const PENDING: &str = "
    SELECT id, state, attempts, next_try_ms, (SELECT name FROM app WHERE app.id = app_id), day, key FROM object
    WHERE state <> 'mirrored' AND state IN ('listed', 'missing', 'denied', 'archived', 'failed') AND +source_id = ?1
    ORDER BY day DESC, key";

const KNOWN_IN_RANGE: &str = "
    SELECT object.id, key, etag, size_bytes, state, app.name, day
    FROM object JOIN app ON app.id = app_id
    WHERE source_id = :source AND key >= :from AND key < :to
    ORDER BY key LIMIT :limit";

const LISTED_OBJECT: &str = "SELECT key, etag, size_bytes, modified_ms FROM object WHERE id = ?1";

fn listed_object(row: &Row<'_>) -> rusqlite::Result<ListedObject> {
    Ok(ListedObject {
        key: row.get(0)?,
        etag: row.get(1)?,
        size_bytes: row.get::<_, i64>(2)? as u64,
        modified_ms: row.get(3)?,
    })
}

fn known_object(row: &Row<'_>) -> rusqlite::Result<KnownObject> {
    let day: Option<String> = row.get(6)?;
    Ok(KnownObject {
        id: row.get(0)?,
        key: row.get(1)?,
        etag: row.get(2)?,
        size_bytes: row.get::<_, i64>(3)? as u64,
        state: named(row, 4)?,
        app: row.get(5)?,
        // Unreadable is like none: the next listing writes it anew.
        day: day.and_then(|day| day.parse::<Day>().ok()),
    })
}

/// Writes a new or changed object; a version that is not in the mirror has its tries before it. One that is listed
/// again and that the retention had dropped stays dropped.
fn upsert_object(
    transaction: &Transaction<'_>,
    source_id: i64,
    placed: &PlacedObject,
    now_ms: UtcMs,
) -> Result<(i64, ObjectState)> {
    let app_id = app_id(transaction, &placed.app)?;
    let sql =
        "INSERT INTO object (source_id, key, app_id, day, etag, size_bytes, modified_ms, first_listed_ms,
                 last_listed_ms, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8, 'listed')
               ON CONFLICT (source_id, key) DO UPDATE SET app_id = excluded.app_id, day = excluded.day,
                 etag = excluded.etag, size_bytes = excluded.size_bytes, modified_ms = excluded.modified_ms,
                 last_listed_ms = excluded.last_listed_ms, reason = NULL, attempts = 0,
                 next_try_ms = 0, failing_since_ms = NULL,
                 state = CASE WHEN (etag, size_bytes) = (excluded.etag, excluded.size_bytes) AND (expired
                   OR EXISTS (SELECT 1 FROM generation WHERE object_id = object.id AND mirrored = 0
                     AND (generation.etag, generation.size_bytes) = (excluded.etag, excluded.size_bytes)))
                   THEN 'mirrored' ELSE 'listed' END,
                 expired = expired AND (etag, size_bytes) = (excluded.etag, excluded.size_bytes),
                 stored_checksum = CASE WHEN (etag, size_bytes) = (excluded.etag, excluded.size_bytes)
                   THEN stored_checksum END
               RETURNING id, state";
    let object = &placed.object;
    let values = params![
        source_id,
        object.key,
        app_id,
        placed.day.map(|day| day.to_string()),
        object.etag,
        object.size_bytes as i64,
        object.modified_ms,
        now_ms,
    ];
    Ok(transaction.prepare_cached(sql)?.query_row(values, |row| Ok((row.get(0)?, named(row, 1)?)))?)
}

pub(super) fn app_id(transaction: &Transaction<'_>, app: &AppName) -> Result<i64> {
    let find = "SELECT id FROM app WHERE name = ?1";
    if let Some(id) = transaction.prepare_cached(find)?.query_row([app], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    transaction.execute("INSERT INTO app (name) VALUES (?1)", [app])?;
    Ok(transaction.last_insert_rowid())
}

/// The exclusive end of a range of keys, in one plain comparison that SQLite searches the index by: every text is
/// below every blob.
fn end_of(prefix: &str) -> Value {
    after_prefix(prefix).map_or_else(|| Value::Blob(Vec::new()), Value::Text)
}

/// Returns the least text above every text that starts with `prefix`, in the byte order of UTF-8; `None`
/// when there is none.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // Surrogates are no characters; the one after them is.
        let next = if last == '\u{D7FF}' { Some('\u{E000}') } else { char::from_u32(last as u32 + 1) };
        if let Some(next) = next {
            text.push(next);
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(key: &str, etag: &str) -> PlacedObject {
        let object =
            ListedObject { key: key.to_owned(), etag: etag.to_owned(), size_bytes: 1, modified_ms: 0 };
        PlacedObject { object, app: "web".to_owned(), day: None }
    }

    fn ledger_with(keys: &[&str]) -> (Ledger, i64) {
        let mut ledger = Ledger::in_memory().unwrap();
        let source_id = ledger.source_id("prod", "s3://b/p").unwrap();
        let diff = Diff { new: keys.iter().map(|key| placed(key, "e1")).collect(), ..Diff::default() };
        record(&mut ledger, source_id, "", &diff);
        (ledger, source_id)
    }

    fn record(ledger: &mut Ledger, source_id: i64, prefix: &str, diff: &Diff) {
        let listing = ListingRecord { prefix, now_ms: 9, entries: 1, diff, found: &["x/".to_owned()] };
        ledger.record_listing(source_id, &listing).unwrap();
    }

    fn keys(objects: &[KnownObject]) -> Vec<&str> {
        objects.iter().map(|object| object.key.as_str()).collect()
    }

    #[test]
    fn known_objects_are_those_a_listing_would_give() {
        let all = ["a", "a/", "a/b/c", "a/b/d", "a/b0", "a/\u{10FFFF}x", "a/x", "a0", "b"];
        let (ledger, source_id) = ledger_with(&all);
        let under = |prefix, delimited| ledger.known_objects(source_id, prefix, delimited).unwrap();
        assert_eq!(keys(&under("a/", false)), ["a/", "a/b/c", "a/b/d", "a/b0", "a/x", "a/\u{10FFFF}x"]);
        assert_eq!(keys(&under("a/", true)), ["a/", "a/b0", "a/x", "a/\u{10FFFF}x"]);
        assert_eq!(keys(&under("", true)), ["a", "a0", "b"]);
        assert_eq!(under("", false).len(), all.len());
    }

    #[test]
    fn a_changed_object_is_to_get_again_and_an_old_answer_does_not_count() {
        let (mut ledger, source_id) = ledger_with(&["k"]);
        let id = ledger.pending_objects(source_id).unwrap()[0].id;
        let got = |etag: &str, state, reason| GetRecord {
            object_id: id,
            etag: etag.to_owned(),
            size_bytes: 1,
            state,
            reason,
            stored_checksum: None,
        };
        ledger.record_gets(&[got("e1", ObjectState::Denied, Some("no".to_owned()))], 20).unwrap();
        assert_eq!(ledger.pending_objects(source_id).unwrap()[0].attempts, 1);
        let diff = Diff { changed: vec![placed("k", "e2")], ..Diff::default() };
        record(&mut ledger, source_id, "", &diff);
        ledger.record_gets(&[got("e1", ObjectState::Mirrored, None)], 30).unwrap();
        let pending = PendingObject {
            id,
            state: ObjectState::Listed,
            attempts: 0,
            next_try_ms: 0,
            app: "web".to_owned(),
            day: None,
            key: "k".to_owned(),
        };
        assert_eq!(ledger.pending_objects(source_id).unwrap(), std::slice::from_ref(&pending));
        ledger.record_gets(&[got("e2", ObjectState::Mirrored, None)], 40).unwrap();
        assert_eq!(ledger.object_counts().unwrap(), [(ObjectState::Mirrored, 1)]);
        assert!(ledger.get_again("prod", "k").unwrap() && !ledger.get_again("prod", "k").unwrap());
        assert_eq!(ledger.pending_objects(source_id).unwrap(), [pending]);
    }

    #[test]
    fn a_failed_listing_keeps_the_last_good_one() {
        let (mut ledger, source_id) = ledger_with(&["k"]);
        let failed = FailedListing { prefix: "", now_ms: 20, why: "denied", attempts: Some(1), pause_ms: 7 };
        ledger.record_failed_listing(source_id, &failed).unwrap();
        // That a run does not reach it is no other failure.
        let left = FailedListing { now_ms: 30, attempts: None, pause_ms: 0, ..failed };
        ledger.record_failed_listing(source_id, &left).unwrap();
        let listings = ledger.listings(source_id).unwrap();
        let root = KnownListing {
            prefix: String::new(),
            tried_ms: 20,
            listed_ms: Some(9),
            entries: Some(1),
            failed: true,
            attempts: 1,
            next_try_ms: 27,
        };
        let found = KnownListing { prefix: "x/".to_owned(), ..KnownListing::default() };
        assert_eq!(listings, [root, found]);
        record(&mut ledger, source_id, "", &Diff::default());
        assert!(!ledger.listings(source_id).unwrap()[0].failed);
    }

    #[test]
    fn what_is_gone_is_kept_as_deleted_and_may_come_back() {
        let (mut ledger, source_id) = ledger_with(&["k"]);
        let known = ledger.known_objects(source_id, "", false).unwrap();
        record(&mut ledger, source_id, "", &Diff { gone: vec![known[0].id], ..Diff::default() });
        assert_eq!(ledger.object_counts().unwrap(), [(ObjectState::Deleted, 1)]);
        assert!(ledger.pending_objects(source_id).unwrap().is_empty());
        record(&mut ledger, source_id, "", &Diff { new: vec![placed("k", "e1")], ..Diff::default() });
        assert_eq!(ledger.object_counts().unwrap(), [(ObjectState::Listed, 1)]);
    }

    #[test]
    fn pending_objects_are_found_without_reading_all_rows() {
        let (ledger, _) = ledger_with(&["k"]);
        let sql = format!("EXPLAIN QUERY PLAN {PENDING}");
        let plan: String = ledger.connection.query_row(&sql, [1], |row| row.get(3)).unwrap();
        assert_eq!(plan, "SEARCH object USING INDEX object_state (state=?)");
    }

    #[test]
    fn a_prefix_is_read_without_the_keys_after_it() {
        let (ledger, source_id) = ledger_with(&["k"]);
        let mut statement =
            ledger.connection.prepare(&format!("EXPLAIN QUERY PLAN {KNOWN_IN_RANGE}")).unwrap();
        let range = named_params! { ":source": source_id, ":from": "a/", ":to": end_of("a/"), ":limit": -1 };
        let plan: String = statement.query_row(range, |row| row.get(3)).unwrap();
        assert!(plan.ends_with("(source_id=? AND key>? AND key<?)"), "{plan}");
    }

    #[test]
    fn the_first_listing_is_remembered() {
        let mut ledger = Ledger::in_memory().unwrap();
        assert_eq!(ledger.first_listed_ms(1, 5).unwrap(), 5);
        assert_eq!(ledger.first_listed_ms(1, 6).unwrap(), 5);
    }
}
