//! Counts of events by whatever people ask.

use hashbrown::HashMap;

use super::column::value;
use super::packed::{self, Numbers};
use super::{Ledger, Result};
use gzette_core::model::{AppName, DAY_MS, GroupId, HOUR_MS, Level, SLOT_MS, Slot, UtcMs, Window};
use gzette_core::partial::packed::GroupNumber;
use gzette_core::stats::{DAY_SLOTS, HOUR_SLOTS, slots_starting_in};

/// What events can be counted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// The application.
    App,
    /// The level.
    Level,
    /// The hour, UTC.
    Hour,
    /// The day, UTC.
    Day,
    /// The error group.
    Group,
}

impl Dimension {
    /// All, in the order of their names.
    pub const ALL: [Self; 5] = [Self::App, Self::Day, Self::Group, Self::Hour, Self::Level];

    /// Returns the name in JSON and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::App => "app",
            Self::Level => "level",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Group => "group",
        }
    }
}

/// A value of a [`Dimension`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// No group.
    None,
    /// An application.
    Name(AppName),
    /// A level.
    Level(Level),
    /// The start of an hour or day.
    Time(UtcMs),
    /// A group.
    Group(GroupId),
}

/// Which events are counted. Times count by whole ten-minute slots that begin in the window.
#[derive(Clone, Debug)]
pub struct CountFilter {
    /// The applications; empty for all.
    pub apps: Vec<AppName>,
    /// A mask of [`Level::bit`]s.
    pub levels: u8,
    /// The times.
    pub window: Window,
    /// One group.
    pub group: Option<GroupId>,
}

/// Events with the same values of the asked dimensions.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CountRow {
    /// One for each dimension asked.
    pub cells: Vec<Cell>,
    /// How many.
    pub events: u64,
}

/// The values of the dimensions that are asked for; of the others the same for all.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
struct Key {
    app: i64,
    level: u8,
    hour: i64,
    day: i64,
    group: GroupNumber,
}

impl Key {
    fn of(by: &[Dimension], app: i64, (group, level, slot): (GroupNumber, Level, Slot)) -> Self {
        let mut key = Self::default();
        for dimension in by {
            match dimension {
                Dimension::App => key.app = app,
                Dimension::Level => key.level = level as u8,
                Dimension::Hour => key.hour = slot.number().div_euclid(HOUR_SLOTS),
                Dimension::Day => key.day = slot.number().div_euclid(DAY_SLOTS),
                Dimension::Group => key.group = group,
            }
        }
        key
    }
}

impl Ledger {
    /// Returns the counts of the events that pass the filter, sorted by their cells.
    pub fn count(&self, by: &[Dimension], filter: &CountFilter) -> Result<Vec<CountRow>> {
        let only = filter.group.map(|group| packed::known_number(&self.connection, group)).transpose()?;
        // Of most objects no count is looked at, for their times are others.
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT app.id, app.name, groups, counts FROM generation
             JOIN app ON app.id = generation.app_id JOIN counted ON counted.generation_id = generation.id
             WHERE generation.duplicate_of IS NULL
                AND generation.last_ms >= ?1 * {SLOT_MS} AND generation.first_ms < ?2 * {SLOT_MS}"
        ))?;
        let slots = slots_starting_in(filter.window);
        let mut rows = statement.query([slots.start.number(), slots.end.number()])?;
        let (mut sums, mut names) = (HashMap::new(), HashMap::new());
        if by.is_empty() {
            sums.insert(Key::default(), 0_u64);
        }
        while let Some(row) = rows.next()? {
            let (app, name): (i64, AppName) = (row.get(0)?, value(row, 1)?);
            if !filter.apps.is_empty() && !filter.apps.contains(&name) {
                continue;
            }
            names.insert(app, name);
            packed::counts_in(row, 2, |group, level, slot, events| {
                let is_asked = only.is_none_or(|only| only == Some(group));
                if is_asked && slots.contains(&slot) && filter.levels >> level as u8 & 1 == 1 {
                    let sum = sums.entry(Key::of(by, app, (group, level, slot))).or_default();
                    *sum = sum.saturating_add(events);
                }
            })?;
        }
        let numbers = self.numbers()?;
        let row = |(key, events): (Key, u64)| {
            let cells = by.iter().map(|&dimension| cell(dimension, key, &names, &numbers));
            Ok(CountRow { cells: cells.collect::<Result<_>>()?, events })
        };
        let mut rows = sums.into_iter().map(row).collect::<Result<Vec<_>>>()?;
        rows.sort();
        Ok(rows)
    }
}

fn cell(dimension: Dimension, key: Key, names: &HashMap<i64, AppName>, numbers: &Numbers) -> Result<Cell> {
    Ok(match dimension {
        Dimension::App => names.get(&key.app).map_or(Cell::None, |name| Cell::Name(name.clone())),
        Dimension::Level => Cell::Level(Level::from_number(key.level)),
        Dimension::Hour => Cell::Time(UtcMs::EPOCH + key.hour * HOUR_MS),
        Dimension::Day => Cell::Time(UtcMs::EPOCH + key.day * DAY_MS),
        Dimension::Group => numbers.group(key.group)?.map_or(Cell::None, Cell::Group),
    })
}
