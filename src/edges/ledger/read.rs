//! What reports are made of: counts, groups, sightings and how complete the ledger is.

use std::collections::HashMap;

use rusqlite::OptionalExtension;

use super::column::{Named, value};
use super::rows::{LINE_SUMS, line_counts, object_place, unsigned};
use super::schema::Added;
use super::{Ledger, Result, packed};
use gzette_core::model::{AppName, GroupId, Grouped, Level, LineCounts, Slot, SourceName, UtcMs};
use gzette_core::partial::packed::GroupNumber;

/// The title in the object with the latest event.
const LATEST_TITLE: &str = "(SELECT sample.title FROM sample WHERE group_id = error_group.id AND is_last
    ORDER BY is_believed DESC, time_ms DESC LIMIT 1)";
/// The same in a ledger without samples; in the order of the index `sighting_group`.
const LATEST_TITLE_OF_SIGHTINGS: &str = "(SELECT sighting.title FROM sighting WHERE group_id = error_group.id
    ORDER BY last_ms DESC, first_ms DESC, generation_id DESC LIMIT 1)";

/// 2000-01-01. Earlier stamps come from clocks that were not set.
pub const BELIEVED_FROM_MS: UtcMs = UtcMs::new(946_684_800_000);
/// The latest stamp of a row of `object` that is believed: a day, for zones, after it was stored. A folder may give its files times long past, hence the time
/// of the first listing beside that of the store.
pub(super) const BELIEVED_UNTIL: &str = "(max(object.modified_ms, object.first_listed_ms) + 86400000)";

/// Events of one application, group, level and slot in one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountedSlot {
    /// The application's row ([`AppTotals::id`]).
    pub app: i64,
    /// The number of the group; 0 for events that are not errors.
    pub group: GroupNumber,
    /// Their level.
    pub level: Level,
    /// Their slot.
    pub slot: Slot,
    /// How many.
    pub events: u64,
    /// The latest time that a stamp of the object can have: later ones come from a clock gone wrong.
    pub believed_until_ms: UtcMs,
}

/// An application and what was read of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppTotals {
    /// Its row.
    pub id: i64,
    /// Its name.
    pub name: AppName,
    /// Objects read, without those that hold the same records as another.
    pub objects: u64,
    /// The accounting of their lines.
    pub lines: LineCounts,
    /// The newest event of those objects whose latest stamp can be believed and does not lie after the given time.
    pub newest_ms: Option<UtcMs>,
    /// For each object with events since the given time, how old its first event was when it was stored.
    pub delivery_ms: Vec<i64>,
}

/// A source with its listings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceTotals {
    /// Its name.
    pub name: SourceName,
    /// Where it is.
    pub url: String,
    /// Objects listed and not deleted since.
    pub objects: u64,
    /// Its last complete listing of a prefix.
    pub listed_ms: Option<UtcMs>,
    /// Prefixes whose last listing failed.
    pub failed_prefixes: u64,
}

/// What is wrong with an object or a prefix, in the order of the names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// The object is in an archive tier.
    Archived,
    /// The object was counted up to where it is damaged.
    Damaged,
    /// There is no permission to read the object.
    Denied,
    /// The object holds the same bytes as another.
    Duplicate,
    /// Reading the object failed otherwise.
    Failed,
    /// The prefix could not be listed.
    Unlisted,
    /// The object was listed, and not there when read.
    Missing,
    /// The key or the prefix does not fit the layout.
    Stray,
}

impl ProblemKind {
    /// All kinds.
    const ALL: [Self; 8] = [
        Self::Archived,
        Self::Damaged,
        Self::Denied,
        Self::Duplicate,
        Self::Failed,
        Self::Unlisted,
        Self::Missing,
        Self::Stray,
    ];

    /// Returns its name, for people and for the queries of the ledger.
    pub fn name(self) -> &'static str {
        match self {
            Self::Archived => "archived",
            Self::Damaged => "damaged",
            Self::Denied => "denied",
            Self::Duplicate => "duplicate",
            Self::Failed => "failed",
            Self::Unlisted => "listing failed",
            Self::Missing => "missing",
            Self::Stray => "stray",
        }
    }
}

impl Named for ProblemKind {
    fn name(&self) -> &'static str {
        ProblemKind::name(*self)
    }

    fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// An object or prefix with a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The object or prefix as people write it.
    pub place: String,
    /// What is wrong with it.
    pub kind: ProblemKind,
    /// Why.
    pub reason: String,
    /// When it was last tried or listed.
    pub tried_ms: UtcMs,
}

impl Ledger {
    /// Calls `visit` with every count, except those of duplicates, in no particular order.
    pub fn each_count(&self, mut visit: impl FnMut(CountedSlot)) -> Result<()> {
        let mut statement = self.connection.prepare(&format!(
            "SELECT generation.app_id, {BELIEVED_UNTIL}, groups, counts
             FROM generation CROSS JOIN object ON object.id = generation.object_id
             CROSS JOIN counted ON counted.generation_id = generation.id
             WHERE generation.duplicate_of IS NULL"
        ))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let (app, believed_until_ms) = (row.get(0)?, value(row, 1)?);
            packed::counts_in(row, 2, |group, level, slot, events| {
                visit(CountedSlot { app, group, level, slot, events, believed_until_ms });
            })?;
        }
        Ok(())
    }

    /// Returns the groups by the numbers that [`Ledger::each_count`] gives.
    pub fn groups_by_number(&self) -> Result<Vec<Option<GroupId>>> {
        Ok(self.numbers()?.groups)
    }

    /// Returns the names of all applications that objects were ever ingested of.
    pub fn app_names(&self) -> Result<Vec<AppName>> {
        let mut statement = self.connection.prepare("SELECT name FROM app ORDER BY name")?;
        let names = statement.query_map([], |row| value(row, 0))?;
        Ok(names.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns all applications by name. Newest events are those up to `until_ms`; deliveries are told of
    /// objects with events since `delivered_since_ms`.
    pub fn app_totals(&self, until_ms: UtcMs, delivered_since_ms: UtcMs) -> Result<Vec<AppTotals>> {
        let from = BELIEVED_FROM_MS.get();
        let mut statement = self.connection.prepare(&format!(
            "SELECT {LINE_SUMS}, app.id, app.name, count(generation.id),
                max(CASE WHEN generation.last_ms BETWEEN {from} AND min(?1, {BELIEVED_UNTIL})
                    THEN generation.last_ms END)
             FROM app LEFT JOIN generation ON generation.app_id = app.id AND generation.duplicate_of IS NULL
             LEFT JOIN object ON object.id = generation.object_id
             GROUP BY app.id ORDER BY app.name"
        ))?;
        let rows = statement.query_map([until_ms.get()], |row| {
            Ok(AppTotals {
                lines: line_counts(row)?,
                id: row.get(7)?,
                name: value(row, 8)?,
                objects: unsigned(row, 9)?,
                newest_ms: value(row, 10)?,
                delivery_ms: Vec::new(),
            })
        })?;
        let mut apps = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        for app in &mut apps {
            app.delivery_ms = self.delivery_ms(app.id, delivered_since_ms)?;
        }
        Ok(apps)
    }

    fn delivery_ms(&self, app: i64, since_ms: UtcMs) -> Result<Vec<i64>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT object.modified_ms - generation.first_ms
             FROM generation JOIN object ON object.id = generation.object_id
             WHERE generation.app_id = ?1 AND generation.last_ms >= ?2 AND generation.duplicate_of IS NULL",
        )?;
        let rows = statement.query_map([app, since_ms.get()], |row| row.get(0))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns what people are shown of a group; `None` when there is no such group. Where objects title it
    /// differently, that with the latest event counts.
    pub fn group(&self, id: GroupId) -> Result<Option<Grouped>> {
        let own_title = match () {
            () if self.has(Added::Samples) => LATEST_TITLE,
            () if self.has(Added::Titles) => LATEST_TITLE_OF_SIGHTINGS,
            () => "NULL",
        };
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT kind, coalesce({own_title}, title), template FROM error_group WHERE id = ?1"
        ))?;
        let group = statement.query_row([id.bits() as i64], |row| {
            Ok(Grouped { id, kind: value(row, 0)?, title: row.get(1)?, template: row.get(2)? })
        });
        Ok(group.optional()?)
    }

    /// Returns the times of the first and the latest event of each group, or of one, except in duplicates.
    pub fn group_spans(&self, only: Option<GroupId>) -> Result<HashMap<GroupId, (UtcMs, UtcMs)>> {
        let number = only.map(|group| packed::known_number(&self.connection, group)).transpose()?;
        let mut statement = self.connection.prepare_cached(
            "SELECT groups, spans FROM counted JOIN generation ON generation.id = generation_id
             WHERE duplicate_of IS NULL",
        )?;
        let mut rows = statement.query([])?;
        let mut spans: HashMap<GroupNumber, (UtcMs, UtcMs)> = HashMap::new();
        while let Some(row) = rows.next()? {
            packed::spans_in(row, 0, |group, span| {
                if number.is_none_or(|number| number == Some(group)) {
                    let (first, last) = spans.entry(group).or_insert((span.first.0, span.last.0));
                    (*first, *last) = (span.first.0.min(*first), span.last.0.max(*last));
                }
            })?;
        }
        let numbers = self.numbers()?;
        let named = |(number, span)| Ok(numbers.group(number)?.map(|group| (group, span)));
        spans.into_iter().filter_map(|entry| named(entry).transpose()).collect()
    }
}

impl Ledger {
    /// Returns the sources by name.
    pub fn source_totals(&self) -> Result<Vec<SourceTotals>> {
        let mut statement = self.connection.prepare(
            "SELECT name, url,
                (SELECT count(*) FROM object WHERE source_id = source.id AND state <> 'deleted'),
                (SELECT max(listed_ms) FROM listing WHERE source_id = source.id),
                (SELECT count(*) FROM listing WHERE source_id = source.id AND failure IS NOT NULL)
             FROM source ORDER BY name",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(SourceTotals {
                name: value(row, 0)?,
                url: row.get(1)?,
                objects: unsigned(row, 2)?,
                listed_ms: value(row, 3)?,
                failed_prefixes: unsigned(row, 4)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns where the sources are, by name.
    pub fn source_urls(&self) -> Result<HashMap<SourceName, String>> {
        let mut statement = self.connection.prepare("SELECT name, url FROM source")?;
        let rows = statement.query_map([], |row| Ok((value(row, 0)?, row.get(1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns up to `limit` problems, newest first, and how many there are. Duplicates are harmless:
    /// they come last into the `limit`.
    pub fn problems(&self, limit: usize) -> Result<(Vec<Problem>, u64)> {
        let strays = if self.has(Added::Troubles) { STRAYS } else { "" };
        let mut statement = self.connection.prepare(&format!(
            "SELECT url, key, kind, reason, tried_ms, count(*) OVER () FROM ({PROBLEMS} {strays})
             ORDER BY kind = 'duplicate', tried_ms DESC, url, key, kind LIMIT ?1"
        ))?;
        let rows = statement.query_map([limit as i64], |row| {
            let (url, key): (String, String) = (row.get(0)?, row.get(1)?);
            let problem = Problem {
                place: object_place(&url, &key),
                kind: value(row, 2)?,
                reason: row.get(3)?,
                tried_ms: value(row, 4)?,
            };
            Ok((problem, unsigned(row, 5)?))
        })?;
        let rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        let number = rows.first().map_or(0, |row| row.1);
        let mut problems: Vec<_> = rows.into_iter().map(|row| row.0).collect();
        problems.sort_by(|a, b| (b.tried_ms, &a.place, &a.kind).cmp(&(a.tried_ms, &b.place, &b.kind)));
        Ok((problems, number))
    }

    /// Returns the decoded and the stored length of all objects that count.
    pub fn byte_totals(&self) -> Result<(u64, u64)> {
        let sql = "SELECT coalesce(sum(decoded_bytes), 0), coalesce(sum(size_bytes), 0) FROM generation
            WHERE duplicate_of IS NULL";
        Ok(self.connection.query_row(sql, [], |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?)))?)
    }
}

/// Everything that is wrong: unreadable objects, damaged ones, duplicates, failed listings. The kinds are names of
/// [`ProblemKind`].
const PROBLEMS: &str = "
    SELECT source.url AS url, object.key AS key, object.state AS kind,
        coalesce(object.reason, '') AS reason, object.last_listed_ms AS tried_ms
    FROM object JOIN source ON source.id = object.source_id
    WHERE object.state IN ('missing', 'denied', 'archived', 'failed')
    UNION ALL
    SELECT source.url, object.key, 'damaged',
        generation.damage_reason || ' at byte ' || generation.damage_offset
            || ' (member ' || generation.damage_member || ')', batch.committed_ms
    FROM generation JOIN object ON object.id = generation.object_id
    JOIN source ON source.id = object.source_id JOIN batch ON batch.id = generation.batch_id
    WHERE generation.damage_reason IS NOT NULL
    UNION ALL
    SELECT source.url, object.key, 'duplicate', 'the same bytes as `' || counted_object.key || '`',
        batch.committed_ms
    FROM generation JOIN object ON object.id = generation.object_id
    JOIN source ON source.id = object.source_id JOIN batch ON batch.id = generation.batch_id
    JOIN generation AS counted ON counted.id = generation.duplicate_of
    JOIN object AS counted_object ON counted_object.id = counted.object_id
    UNION ALL
    SELECT source.url, listing.prefix, 'listing failed', listing.failure, listing.tried_ms
    FROM listing JOIN source ON source.id = listing.source_id
    WHERE listing.failure IS NOT NULL";

/// What does not fit the layout.
const STRAYS: &str = "
    UNION ALL
    SELECT source.url, stray.place, 'stray', iif(stray.number > 1,
        'does not fit the layout, nor do ' || (stray.number - 1) || ' more here', 'does not fit the layout'),
        stray.told_ms
    FROM stray JOIN source ON source.id = stray.source_id";
