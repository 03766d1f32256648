//! Objects as they were listed last.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, Row, Transaction, named_params, params};

use gzette_core::model::{AppName, UtcMs};
use gzette_core::plan::{KnownObject, ObjectState, PlacedObject};

use super::column::value;
use super::rows::{listed_day, unsigned};
use super::{Ledger, Result};

impl Ledger {
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
}

const KNOWN_IN_RANGE: &str = "
    SELECT object.id, key, etag, size_bytes, state, app.name, day
    FROM object JOIN app ON app.id = app_id
    WHERE source_id = :source AND key >= :from AND key < :to
    ORDER BY key LIMIT :limit";

fn known_object(row: &Row<'_>) -> rusqlite::Result<KnownObject> {
    Ok(KnownObject {
        id: row.get(0)?,
        key: value(row, 1)?,
        etag: row.get(2)?,
        size_bytes: unsigned(row, 3)?,
        state: value(row, 4)?,
        app: value(row, 5)?,
        day: listed_day(row, 6)?,
    })
}

/// Writes a new or changed object; the tries of a new version start at zero. One that is listed
/// again and that the retention had dropped stays dropped.
pub(super) fn upsert_object(
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
        object.key.as_str(),
        app_id,
        placed.day.map(|day| day.to_string()),
        object.etag,
        object.size_bytes as i64,
        object.modified_ms.get(),
        now_ms.get(),
    ];
    Ok(transaction.prepare_cached(sql)?.query_row(values, |row| Ok((row.get(0)?, value(row, 1)?)))?)
}

pub(super) fn app_id(transaction: &Transaction<'_>, app: &AppName) -> Result<i64> {
    let find = "SELECT id FROM app WHERE name = ?1";
    if let Some(id) =
        transaction.prepare_cached(find)?.query_row([app.as_str()], |row| row.get(0)).optional()?
    {
        return Ok(id);
    }
    transaction.execute("INSERT INTO app (name) VALUES (?1)", [app.as_str()])?;
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
        // Surrogates are not characters; continue after them.
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
    use super::super::gets::{GetRecord, PendingObject};
    use super::super::listings::{FailedListing, ListingRecord};
    use super::*;
    use gzette_core::model::ListedObject;
    use gzette_core::plan::{Diff, KnownListing};

    fn placed(key: &str, etag: &str) -> PlacedObject {
        let object =
            ListedObject { key: key.into(), etag: etag.to_owned(), size_bytes: 1, modified_ms: UtcMs::EPOCH };
        PlacedObject { object, app: "web".into(), day: None }
    }

    fn ledger_with(keys: &[&str]) -> (Ledger, i64) {
        let mut ledger = Ledger::in_memory().unwrap();
        let source_id = ledger.source_id(&"prod".into(), "s3://b/p").unwrap();
        let diff = Diff { new: keys.iter().map(|key| placed(key, "e1")).collect(), ..Diff::default() };
        record(&mut ledger, source_id, "", &diff);
        (ledger, source_id)
    }

    fn record(ledger: &mut Ledger, source_id: i64, prefix: &str, diff: &Diff) {
        let listing =
            ListingRecord { prefix, now_ms: UtcMs::new(9), entries: 1, diff, found: &["x/".to_owned()] };
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
        ledger.record_gets(&[got("e1", ObjectState::Denied, Some("no".to_owned()))], UtcMs::new(20)).unwrap();
        assert_eq!(ledger.pending_objects(source_id).unwrap()[0].attempts, 1);
        let diff = Diff { changed: vec![placed("k", "e2")], ..Diff::default() };
        record(&mut ledger, source_id, "", &diff);
        ledger.record_gets(&[got("e1", ObjectState::Mirrored, None)], UtcMs::new(30)).unwrap();
        let pending = PendingObject {
            id,
            state: ObjectState::Listed,
            attempts: 0,
            next_try_ms: UtcMs::EPOCH,
            app: "web".into(),
            day: None,
            key: "k".into(),
        };
        assert_eq!(ledger.pending_objects(source_id).unwrap(), [pending]);
        ledger.record_gets(&[got("e2", ObjectState::Mirrored, None)], UtcMs::new(40)).unwrap();
        assert_eq!(ledger.object_totals().unwrap().mirrored, 1);
        assert_eq!(ledger.pending_objects(source_id).unwrap(), []);
    }

    #[test]
    fn a_failed_listing_keeps_the_last_good_one() {
        let (mut ledger, source_id) = ledger_with(&["k"]);
        let failed = FailedListing {
            prefix: "",
            now_ms: UtcMs::new(20),
            why: "denied",
            attempts: Some(1),
            pause_ms: 7,
        };
        ledger.record_failed_listing(source_id, &failed).unwrap();
        // A run that does not reach it adds no failure.
        let left = FailedListing { now_ms: UtcMs::new(30), attempts: None, pause_ms: 0, ..failed };
        ledger.record_failed_listing(source_id, &left).unwrap();
        let listings = ledger.listings(source_id).unwrap();
        let root = KnownListing {
            prefix: String::new(),
            tried_ms: UtcMs::new(20),
            listed_ms: Some(UtcMs::new(9)),
            entries: Some(1),
            failed: true,
            attempts: 1,
            next_try_ms: UtcMs::new(27),
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
        assert_eq!(ledger.object_totals().unwrap().deleted, 1);
        assert!(ledger.pending_objects(source_id).unwrap().is_empty());
        record(&mut ledger, source_id, "", &Diff { new: vec![placed("k", "e1")], ..Diff::default() });
        assert_eq!(ledger.object_totals().unwrap().waiting, 1);
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
}
