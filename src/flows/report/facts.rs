//! The counts of the ledger in memory: one pass over all rows, those of the last 28 days kept by slot,
//! older ones as sums.

use std::ops::Range;

use hashbrown::HashMap;

use super::pile::Pile;
use crate::edges::ledger::{AppTotals, BELIEVED_FROM_MS, CountedSlot, Ledger, LedgerError};
use gzette_core::model::{DAY_MS, GroupId, HOUR_MS, Level, Slot, UtcMs};
use gzette_core::partial::packed::GroupNumber;
use gzette_core::stats::{HOUR_SLOTS, Series, Windows};

/// How far back counts are kept by slot: what the heat map shows, and more than any baseline needs.
const KEPT_HOURS: i64 = 28 * 24;
/// Earlier timestamps come from clocks that were not set, and are not history.
const EARLIEST_SLOT: Slot = Slot::of(BELIEVED_FROM_MS);
/// An hour with fewer than a thousandth of the busiest hour's events does not begin the history: stray
/// stamps in otherwise recent logs would.
const STRAY_SHARE: u64 = 1000;

/// Events of a group in one slot, application and level: the group's number, the slot after the first that is kept, the
/// index into [`Facts::apps`] and the level, in this order. There are as many as there are counts, so each is one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowKey(u64);

/// The bits of the parts of a [`RowKey`] that stand behind others: more slots than are kept, more applications than have
/// names that anyone can tell apart, all levels.
const SLOT_BITS: u32 = 13;
const APP_BITS: u32 = 20;
const LEVEL_BITS: u32 = 3;

impl RowKey {
    fn new(group: GroupNumber, slots: i64, app: u32, level: Level) -> Self {
        let group_and_slot = u64::from(group) << SLOT_BITS | slots as u64;
        Self((group_and_slot << APP_BITS | u64::from(app)) << LEVEL_BITS | level as u64)
    }

    fn group(self) -> GroupNumber {
        (self.0 >> (SLOT_BITS + APP_BITS + LEVEL_BITS)) as GroupNumber
    }

    fn slots(self) -> i64 {
        (self.0 >> (APP_BITS + LEVEL_BITS) & ((1 << SLOT_BITS) - 1)) as i64
    }

    /// Returns the index into [`Facts::apps`].
    pub(super) fn app(self) -> u32 {
        (self.0 >> LEVEL_BITS & ((1 << APP_BITS) - 1)) as u32
    }
}

/// What the whole ledger holds of a group in one application.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Totals {
    /// Events by level.
    pub(super) levels: [u64; Level::ALL.len()],
    /// The first and the last slot before those that are kept.
    pub(super) earlier: Option<(Slot, Slot)>,
}

impl Totals {
    /// Returns the events of all levels.
    pub(super) fn events(&self) -> u64 {
        self.levels.iter().sum()
    }
}

/// An application with its series.
#[derive(Debug)]
pub(super) struct AppFacts {
    pub(super) totals: AppTotals,
    /// Events of any level.
    pub(super) events: Series,
    /// Error events.
    pub(super) errors: Series,
}

impl AppFacts {
    /// Returns the newest event that is not in the future.
    pub(super) fn newest_ms(&self) -> Option<UtcMs> {
        let newest_slot = self.events.points().last().map(|&(slot, _)| slot.begins());
        self.totals.newest_ms.max(newest_slot)
    }

    fn newest_slot(&self) -> Option<Slot> {
        self.events.points().last().map(|&(slot, _)| slot)
    }
}

/// A group with events among those that are kept.
#[derive(Clone, Debug)]
pub(super) struct GroupFacts {
    pub(super) id: GroupId,
    /// Its part of [`Facts::rows`].
    pub(super) rows: Range<usize>,
    /// Its totals by application, by name.
    pub(super) totals: Vec<(u32, Totals)>,
}

impl GroupFacts {
    /// Returns the events of all the ledger.
    pub(super) fn events(&self) -> u64 {
        self.totals.iter().map(|(_, totals)| totals.events()).sum()
    }

    /// Returns the first and the last slot before those that are kept.
    pub(super) fn earlier(&self) -> Option<(Slot, Slot)> {
        let spans = self.totals.iter().filter_map(|(_, totals)| totals.earlier);
        spans.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))
    }
}

/// All that the ledger counted.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) now_ms: UtcMs,
    pub(super) windows: Windows,
    /// The end of the UTC hour of now, as a slot.
    pub(super) hour_end: Slot,
    /// The first slot of the history.
    pub(super) reach: Option<Slot>,
    /// By name.
    pub(super) apps: Vec<AppFacts>,
    /// By the group's number, slot, application and level.
    rows: Vec<(RowKey, u64)>,
    /// The first slot that is kept.
    start: Slot,
    /// By id.
    pub(super) groups: Vec<GroupFacts>,
}

impl Facts {
    /// Reads the ledger.
    pub(super) fn read(ledger: &Ledger, now_ms: UtcMs) -> Result<Self, LedgerError> {
        let totals = ledger.app_totals(now_ms, now_ms - 14 * DAY_MS)?;
        let mut collector = Collector::new(&totals, now_ms);
        ledger.each_count(|count| collector.add(&count))?;
        let (start, hour_end) = (collector.kept.start, collector.kept.end_hour());
        let Collector { events, errors, rows, by_app, .. } = collector;
        let series = events.into_iter().zip(errors);
        let apps: Vec<_> = totals
            .into_iter()
            .zip(series)
            .map(|(totals, (events, errors))| AppFacts {
                totals,
                events: Series::from_sorted(events.into_sorted()),
                errors: Series::from_sorted(errors.into_sorted()),
            })
            .collect();
        let rows = rows.into_sorted();
        let newest_slot = apps.iter().filter_map(AppFacts::newest_slot).max();
        Ok(Self {
            now_ms,
            windows: Windows::new(now_ms, newest_slot),
            hour_end,
            reach: reach(&apps, hour_end),
            groups: groups(&rows, by_app, &ledger.groups_by_number()?),
            apps,
            rows,
            start,
        })
    }

    /// Returns a group's rows.
    pub(super) fn rows_of(&self, group: &GroupFacts) -> &[(RowKey, u64)] {
        &self.rows[group.rows.clone()]
    }

    /// Returns the slot of a row.
    pub(super) fn slot_of(&self, key: RowKey) -> Slot {
        self.start + key.slots()
    }

    /// Returns a group's events by slot.
    pub(super) fn series_of(&self, group: &GroupFacts) -> Series {
        Series::from_sorted(self.rows_of(group).iter().map(|&(key, events)| (self.slot_of(key), events)))
    }

    /// Returns where the last full hour of a group's applications ends.
    pub(super) fn hour_end_of(&self, group: &GroupFacts) -> Slot {
        let newest = group.totals.iter().filter_map(|&(app, _)| self.apps[app as usize].newest_slot()).max();
        self.windows.hour_end(newest)
    }

    /// Returns the newest event of all that is not in the future.
    pub(super) fn newest_ms(&self) -> Option<UtcMs> {
        self.apps.iter().filter_map(AppFacts::newest_ms).max()
    }
}

/// The slots that are kept.
#[derive(Clone, Copy, Debug)]
struct Kept {
    start: Slot,
    /// After the slot of now.
    end: Slot,
}

impl Kept {
    fn new(now_ms: UtcMs) -> Self {
        let hour_end = Slot::of(now_ms.start_of(HOUR_MS) + HOUR_MS);
        Self { start: hour_end - KEPT_HOURS * HOUR_SLOTS, end: Windows::new(now_ms, None).end() }
    }

    fn end_hour(self) -> Slot {
        self.start + KEPT_HOURS * HOUR_SLOTS
    }
}

/// Takes the ledger's rows as they come.
struct Collector {
    kept: Kept,
    app_index: HashMap<i64, u32>,
    events: Vec<Pile<Slot>>,
    errors: Vec<Pile<Slot>>,
    rows: Pile<RowKey>,
    /// The totals of the groups of each application.
    by_app: Vec<GroupTotals>,
}

/// The totals of groups. The counts of an object come by group, so those of the next group lie next to those of the last:
/// they are looked up by number, not by hash.
#[derive(Debug, Default)]
struct GroupTotals {
    /// By a group's number: the place of its totals, from 1.
    places: Vec<u32>,
    totals: Vec<(GroupNumber, Totals)>,
}

impl GroupTotals {
    fn of(&mut self, group: GroupNumber) -> &mut Totals {
        let at = group as usize;
        if at >= self.places.len() {
            self.places.resize(at + 1, 0);
        }
        if self.places[at] == 0 {
            self.totals.push((group, Totals::default()));
            self.places[at] = self.totals.len() as u32;
        }
        &mut self.totals[self.places[at] as usize - 1].1
    }
}

impl Collector {
    fn new(apps: &[AppTotals], now_ms: UtcMs) -> Self {
        Self {
            kept: Kept::new(now_ms),
            app_index: (0..).zip(apps).map(|(at, app)| (app.id, at)).collect(),
            events: apps.iter().map(|_| Pile::default()).collect(),
            errors: apps.iter().map(|_| Pile::default()).collect(),
            rows: Pile::default(),
            by_app: apps.iter().map(|_| GroupTotals::default()).collect(),
        }
    }

    fn add(&mut self, count: &CountedSlot) {
        let Some(&app) = self.app_index.get(&count.app) else {
            return;
        };
        // An event in the future, by a wrong clock, is in the totals only: in a chart it would hide what is new behind
        // it.
        let is_believed = count.slot.begins() <= count.believed_until_ms;
        let kept = is_believed && (self.kept.start..self.kept.end).contains(&count.slot);
        if kept {
            self.events[app as usize].add(count.slot, count.events);
            if count.level.is_error() || count.group != 0 {
                self.errors[app as usize].add(count.slot, count.events);
            }
        }
        if count.group == 0 {
            return;
        }
        let totals = self.by_app[app as usize].of(count.group);
        let of_level = &mut totals.levels[count.level as usize];
        *of_level = of_level.saturating_add(count.events);
        if kept {
            let slots = count.slot - self.kept.start;
            self.rows.add(RowKey::new(count.group, slots, app, count.level), count.events);
        // Of older counts only the span is kept: whether a group was seen before, and when last.
        } else if (EARLIEST_SLOT..self.kept.start).contains(&count.slot) {
            let (first, last) = totals.earlier.unwrap_or((count.slot, count.slot));
            totals.earlier = Some((first.min(count.slot), last.max(count.slot)));
        }
    }
}

/// Returns the groups of the rows by id, with their totals. `ids` are by number.
fn groups(rows: &[(RowKey, u64)], mut by_app: Vec<GroupTotals>, ids: &[Option<GroupId>]) -> Vec<GroupFacts> {
    let (mut groups, mut start) = (Vec::new(), 0);
    for chunk in rows.chunk_by(|a, b| a.0.group() == b.0.group()) {
        let number = chunk[0].0.group();
        let of_app = |(app, totals): (u32, &mut GroupTotals)| {
            let is_there = totals.places.get(number as usize).is_some_and(|&place| place > 0);
            is_there.then(|| (app, *totals.of(number)))
        };
        let totals = (0..).zip(&mut by_app).filter_map(of_app).collect();
        let rows = start..start + chunk.len();
        groups.extend(ids[number as usize].map(|id| GroupFacts { id, rows, totals }));
        start += chunk.len();
    }
    groups.sort_unstable_by_key(|group| group.id);
    groups
}

/// Returns the first slot of the first hour that is not an outlier.
fn reach(apps: &[AppFacts], hour_end: Slot) -> Option<Slot> {
    let start = hour_end - KEPT_HOURS * HOUR_SLOTS;
    let mut hours = vec![0_u64; KEPT_HOURS as usize];
    for app in apps {
        let of_app = app.events.stretches(hour_end, HOUR_SLOTS, KEPT_HOURS as usize);
        hours.iter_mut().zip(of_app).for_each(|(sum, events)| *sum = sum.saturating_add(events));
    }
    let busiest = hours.iter().copied().max().unwrap_or(0);
    let hour =
        hours.iter().position(|&events| events > 0 && events.saturating_mul(STRAY_SHARE) >= busiest)?;
    let slots = start + hour as i64 * HOUR_SLOTS..start + (hour as i64 + 1) * HOUR_SLOTS;
    apps.iter().filter_map(|app| app.events.first_in(slots.clone())).min()
}

/// Returns the slot after the UTC day that contains the slot before `end`.
pub(super) fn day_end(end: Slot) -> Slot {
    Slot::of((end - 1).begins().start_of(DAY_MS) + DAY_MS)
}
