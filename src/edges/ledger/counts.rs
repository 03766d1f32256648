//! Counts of events by whatever people ask.

use rusqlite::types::Value;

use super::rows::unsigned;
use super::{Ledger, Result};
use gzette_core::model::{AppName, DAY_MS, GroupId, HOUR_MS, Level, SLOT_MS, UtcMs, Window};
use gzette_core::stats::slots_starting_in;

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

    fn sql(self) -> &'static str {
        match self {
            Self::App => "app.name",
            Self::Level => "count.level",
            // Slots are ten minutes; SQLite rounds towards zero, so times before 1970 are moved up first.
            Self::Hour => "((count.slot + 6000000000) / 6 - 1000000000)",
            Self::Day => "((count.slot + 14400000000) / 144 - 100000000)",
            Self::Group => "count.group_id",
        }
    }

    fn cell(self, value: Value) -> Cell {
        match (self, value) {
            (Self::App, Value::Text(name)) => Cell::Name(name.into()),
            (Self::Level, Value::Integer(level)) => Cell::Level(Level::from_number(level as u8)),
            (Self::Hour, Value::Integer(hour)) => Cell::Time(UtcMs::EPOCH + hour * HOUR_MS),
            (Self::Day, Value::Integer(day)) => Cell::Time(UtcMs::EPOCH + day * DAY_MS),
            (Self::Group, Value::Integer(group)) if group != 0 => {
                Cell::Group(GroupId::from_bits(group as u64))
            }
            _ => Cell::None,
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

impl Ledger {
    /// Returns the counts of the events that pass the filter, sorted by their cells.
    pub fn count(&self, by: &[Dimension], filter: &CountFilter) -> Result<Vec<CountRow>> {
        let mut columns: Vec<&str> = by.iter().map(|dimension| dimension.sql()).collect();
        columns.push("coalesce(sum(count.events), 0)");
        let columns = columns.join(", ");
        let group_by: Vec<String> = (1..=by.len()).map(|place| place.to_string()).collect();
        let grouping =
            if by.is_empty() { String::new() } else { format!("GROUP BY {}", group_by.join(", ")) };
        let apps: Vec<String> = (0..filter.apps.len()).map(|place| format!("?{}", place + 5)).collect();
        let in_apps =
            if apps.is_empty() { String::new() } else { format!("AND app.name IN ({})", apps.join(", ")) };
        // A cross join keeps the order: of most objects no count is looked at, for their times are others.
        let sql = format!(
            "SELECT {columns} FROM generation
             JOIN app ON app.id = generation.app_id
             CROSS JOIN count ON count.generation_id = generation.id
             WHERE generation.duplicate_of IS NULL
                AND generation.last_ms >= ?1 * {SLOT_MS} AND generation.first_ms < ?2 * {SLOT_MS}
                AND count.slot >= ?1 AND count.slot < ?2
                AND (?3 >> count.level) & 1 AND (?4 IS NULL OR count.group_id = ?4) {in_apps} {grouping}"
        );
        let slots = slots_starting_in(filter.window);
        let mut values = vec![
            Value::Integer(slots.start.number()),
            Value::Integer(slots.end.number()),
            Value::Integer(i64::from(filter.levels)),
            filter.group.map_or(Value::Null, |group| Value::Integer(group.bits() as i64)),
        ];
        values.extend(filter.apps.iter().map(|app| Value::Text(app.to_string())));
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement.query_map(rusqlite::params_from_iter(values), |row| {
            let cells = by.iter().enumerate().map(|(place, dimension)| Ok(dimension.cell(row.get(place)?)));
            let cells = cells.collect::<rusqlite::Result<_>>()?;
            Ok(CountRow { cells, events: unsigned(row, by.len())? })
        })?;
        let mut rows = rows.collect::<rusqlite::Result<Vec<_>>>()?;
        rows.sort();
        Ok(rows)
    }
}
