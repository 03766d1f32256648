//! What is known to exist but has not been read: prefixes whose last listing failed, objects that are not in the
//! mirror or not counted. Whether an application is silent depends on it.

use super::column::value;
use super::rows::listed_day;
use super::schema::Added;
use super::{Ledger, Result};
use gzette_core::model::{AppName, Day, SourceName, UtcMs};
use gzette_core::plan::ObjectState;

/// A prefix with its last try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrefixState {
    /// The name of its source.
    pub source: SourceName,
    /// The whole prefix.
    pub prefix: String,
    /// The last try; 0 when there was none.
    pub tried_ms: UtcMs,
    /// The last complete listing.
    pub listed_ms: Option<UtcMs>,
    /// Why the last try failed; `None` when it did not.
    pub failure: Option<String>,
}

/// An object whose lines are not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnreadObject {
    /// The name of its source.
    pub source: SourceName,
    /// Its application.
    pub app: AppName,
    /// What became of it: in the mirror it waits to be counted, and one that holds only damage has failed.
    pub state: ObjectState,
    /// The reason, in the words of the store or the decoder; empty for what was not requested or counted yet.
    pub reason: String,
    /// The day of its key.
    pub day: Option<Day>,
    /// When it was stored, by the source's word.
    pub modified_ms: UtcMs,
    /// When a listing showed it for the first time.
    pub first_listed_ms: UtcMs,
}

/// The first condition lets SQLite use the partial index.
const NOT_FETCHED: &str = "
    SELECT source.name, app.name, state, coalesce(reason, ''), day, modified_ms, first_listed_ms
    FROM object JOIN source ON source.id = object.source_id JOIN app ON app.id = object.app_id
    WHERE state <> 'mirrored' AND state IN ('listed', 'missing', 'denied', 'archived', 'failed')";

const NOT_COUNTED: &str = "
    SELECT source.name, app.name, iif(generation.id IS NULL, state, 'failed'), coalesce(damage_reason, ''), day,
      modified_ms, first_listed_ms
    FROM object JOIN source ON source.id = object.source_id JOIN app ON app.id = object.app_id
    LEFT JOIN generation ON generation.object_id = object.id
      AND (generation.etag, generation.size_bytes) = (object.etag, object.size_bytes)
    WHERE state = 'mirrored' AND (generation.id IS NULL OR (damage_reason IS NOT NULL AND last_ms IS NULL))";

/// Limits [`NOT_COUNTED`] to the objects that it may name, so that it does not look at all.
const MAY_NOT_BE_COUNTED: &str = "AND object.id IN (SELECT id FROM object WHERE uncounted = 1
      UNION ALL SELECT object_id FROM generation WHERE damage_reason IS NOT NULL)";

impl Ledger {
    /// Returns all prefixes that were ever tried, by source and prefix.
    pub fn prefix_states(&self) -> Result<Vec<PrefixState>> {
        let mut statement = self.connection.prepare(
            "SELECT source.name, prefix, tried_ms, listed_ms, failure FROM listing
             JOIN source ON source.id = listing.source_id
             WHERE tried_ms > 0 ORDER BY source.name, prefix",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(PrefixState {
                source: value(row, 0)?,
                prefix: row.get(1)?,
                tried_ms: value(row, 2)?,
                listed_ms: value(row, 3)?,
                failure: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Calls `visit` with every listed object that is not in the mirror, not counted, or damaged without an event that
    /// could be read, in no order to rely on.
    pub fn each_unread(&self, mut visit: impl FnMut(UnreadObject)) -> Result<()> {
        let mut statement = self.connection.prepare(&self.unread())?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            visit(UnreadObject {
                source: value(row, 0)?,
                app: value(row, 1)?,
                state: value(row, 2)?,
                reason: row.get(3)?,
                day: listed_day(row, 4)?,
                modified_ms: value(row, 5)?,
                first_listed_ms: value(row, 6)?,
            });
        }
        Ok(())
    }

    /// Returns the query of [`Ledger::each_unread`].
    pub(super) fn unread(&self) -> String {
        let kept = if self.has(Added::Retention) { "AND NOT object.expired" } else { "" };
        let few = if self.has(Added::Uncounted) { MAY_NOT_BE_COUNTED } else { "" };
        format!("{NOT_FETCHED} UNION ALL {NOT_COUNTED} {kept} {few}")
    }

    /// Returns whether no prefix of any source was ever listed whole.
    pub fn is_unlisted(&self) -> Result<bool> {
        let sql = "SELECT NOT EXISTS (SELECT 1 FROM listing WHERE listed_ms IS NOT NULL)";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// Returns which sources hold objects of which applications, by their names. A source whose objects were counted
    /// still feeds an application: that all its objects were deleted does not mean that it has ended.
    pub fn feeds(&self) -> Result<Vec<(SourceName, AppName)>> {
        let mut statement = self.connection.prepare(
            "SELECT source.name, app.name
             FROM (SELECT DISTINCT source_id, app_id FROM object WHERE state <> 'deleted'
                   OR EXISTS (SELECT 1 FROM generation WHERE object_id = object.id)) AS feed
             JOIN source ON source.id = source_id JOIN app ON app.id = app_id
             ORDER BY source.name, app.name",
        )?;
        let rows = statement.query_map([], |row| Ok((value(row, 0)?, value(row, 1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }
}
