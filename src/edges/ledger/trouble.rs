//! Problems that outlast a run: what could not be read or listed, and what does not fit the layout.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, Row, params};

use super::column::value;
use super::rows::unsigned;
use super::schema::Added;
use super::{Ledger, Result};
use gzette_core::model::{AppName, UtcMs};
use gzette_core::plan::{ObjectState, UNPLACED_APP};

/// Objects of one application that cannot be read, or prefixes that cannot be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// The application; `None` for prefixes.
    pub app: Option<AppName>,
    /// What became of the objects.
    pub state: ObjectState,
    /// How many.
    pub number: u64,
    /// Since when the first of them.
    pub since_ms: UtcMs,
    /// When the first of them is tried again.
    pub next_try_ms: UtcMs,
    /// Whether the run at the given time has found them.
    pub is_new: bool,
}

/// Objects of a source that are listed and not in the mirror.
const PENDING: &str = "state <> 'mirrored' AND state IN ('listed', 'missing', 'denied', 'archived', 'failed')
    AND +source_id = ?1";
/// The condition that makes them objects that are failing.
const FAILING: &str = "failing_since_ms IS NOT NULL";

impl Ledger {
    /// Returns what is failing in a source, except what a run at `now_ms` found.
    pub fn troubles(&self, source_id: i64, now_ms: UtcMs) -> Result<Vec<Trouble>> {
        let objects = format!(
            "SELECT (SELECT name FROM app WHERE id = app_id), state, count(*), min(failing_since_ms), min(next_try_ms),
                failing_since_ms = ?2 AS is_new
             FROM object WHERE {PENDING} AND {FAILING} GROUP BY 1, 2, is_new ORDER BY 1, 2, is_new"
        );
        let prefixes = "SELECT NULL, 'failed', count(*), min(failing_since_ms), min(next_try_ms),
                failing_since_ms = ?2 AS is_new
            FROM listing WHERE source_id = ?1 AND failing_since_ms IS NOT NULL GROUP BY is_new";
        let mut troubles = Vec::new();
        for sql in [objects.as_str(), prefixes] {
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map(params![source_id, now_ms.get()], trouble)?;
            troubles.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
        }
        Ok(troubles)
    }

    /// Returns what an earlier run has found one by one, as key or prefix and reason, at most `limit`.
    pub fn troubled(&self, source_id: i64, now_ms: UtcMs, limit: usize) -> Result<Vec<(String, String)>> {
        let sql = format!(
            "SELECT prefix AS place, failure FROM listing
             WHERE source_id = ?1 AND failing_since_ms <> ?2
             UNION ALL SELECT key, coalesce(reason, '') FROM object WHERE {PENDING} AND {FAILING} AND failing_since_ms <> ?2
             ORDER BY place LIMIT ?3"
        );
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement.query_map(params![source_id, now_ms.get(), limit as i64], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Forgets what failed and is no longer asked for, because the source has another place, layout or reach now:
    /// prefixes, and objects outside `root`, which count as deleted. Listed again, they are as if new.
    pub fn abandon(&mut self, source_id: i64, root: &str, prefixes: &[String]) -> Result<()> {
        let transaction = self.connection.transaction()?;
        let sql = "UPDATE listing SET failure = NULL, attempts = 0, next_try_ms = 0, failing_since_ms = NULL,
              listed_ms = NULL WHERE source_id = ?1 AND prefix = ?2";
        for prefix in prefixes {
            transaction.execute(sql, params![source_id, prefix])?;
        }
        let sql = format!(
            "UPDATE object SET state = 'deleted', reason = NULL, attempts = 0, next_try_ms = 0,
              failing_since_ms = NULL WHERE {PENDING} AND substr(key, 1, length(?2)) <> ?2"
        );
        transaction.execute(&sql, params![source_id, root])?;
        Ok(transaction.commit()?)
    }

    /// Returns whether a source has objects with a day or an application of their own.
    pub fn has_fitting(&self, source_id: i64) -> Result<bool> {
        let sql = "SELECT EXISTS (SELECT 1 FROM object WHERE source_id = ?1 AND (day IS NOT NULL
            OR app_id NOT IN (SELECT id FROM app WHERE name = ?2)))";
        Ok(self.connection.query_row(sql, params![source_id, UNPLACED_APP], |row| row.get(0))?)
    }

    /// Returns the prefixes under which something is known not to fit the layout.
    pub fn stray_prefixes(&self, source_id: i64) -> Result<HashSet<String>> {
        let mut statement = self.connection.prepare("SELECT prefix FROM stray WHERE source_id = ?1")?;
        let rows = statement.query_map([source_id], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Notes what does not fit the layout below a prefix: the first place, and how many. Returns whether that is new, or
    /// more than was known.
    pub fn note_stray(
        &mut self,
        source_id: i64,
        prefix: &str,
        (place, number): (&str, u64),
        now_ms: UtcMs,
    ) -> Result<bool> {
        let transaction = self.connection.transaction()?;
        let sql = "SELECT number FROM stray WHERE source_id = ?1 AND prefix = ?2";
        let known: Option<i64> =
            transaction.query_row(sql, params![source_id, prefix], |row| row.get(0)).optional()?;
        let number = number as i64;
        let sql = "INSERT INTO stray (source_id, prefix, place, number, told_ms) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (source_id, prefix) DO UPDATE SET place = excluded.place, number = excluded.number,
              told_ms = iif(excluded.number > number, excluded.told_ms, told_ms)
              WHERE (excluded.number, excluded.place) <> (number, place)";
        transaction.execute(sql, params![source_id, prefix, place, number, now_ms.get()])?;
        transaction.commit()?;
        Ok(known.is_none_or(|known| number > known))
    }

    /// Forgets what did not fit below a prefix.
    pub fn forget_stray(&mut self, source_id: i64, prefix: &str) -> Result<()> {
        let sql = "DELETE FROM stray WHERE source_id = ?1 AND prefix = ?2";
        self.connection.execute(sql, params![source_id, prefix])?;
        Ok(())
    }

    /// Returns how many keys and folders do not fit the layouts.
    pub fn stray_count(&self) -> Result<u64> {
        if !self.has(Added::Troubles) {
            return Ok(0);
        }
        let sql = "SELECT coalesce(sum(number), 0) FROM stray";
        Ok(self.connection.query_row(sql, [], |row| unsigned(row, 0))?)
    }
}

fn trouble(row: &Row<'_>) -> rusqlite::Result<Trouble> {
    Ok(Trouble {
        app: value(row, 0)?,
        state: value(row, 1)?,
        number: unsigned(row, 2)?,
        since_ms: value(row, 3)?,
        next_try_ms: value(row, 4)?,
        is_new: row.get(5)?,
    })
}
