//! `--by` and `--histogram`: how much was found, by what lines hold and over time.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use unicode_width::UnicodeWidthStr as _;

use super::fields::FieldReader;
use super::output::{Output, cut, record};
use crate::flows::search::{Buckets, Hit, Part, Tally};
use crate::shell::ui::write_json;
use gzette_core::human;
use gzette_core::model::{DAY_MS, HOUR_MS, MINUTE_MS, UtcMs};
use gzette_core::visible::cell;

/// The most bars of a histogram.
pub(super) const ROWS: usize = 40;
/// The columns of what no terminal shows.
const PAPER_COLUMNS: usize = 80;
/// Longer values are compared only up to here.
const VALUE_CHARACTERS: usize = 200;
/// No column is wider.
const COLUMN_WIDTH: usize = 60;
/// What lines are counted under whose keys came after too many others.
const OTHER: &str = "(other)";

/// What lines are counted by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Key {
    App,
    Level,
    Hour,
    Day,
    Logger,
    Thread,
    Group,
    Object,
    /// A field of JSON, dots lead into nested objects, or of LTSV.
    Field(String),
}

pub(super) fn parse_key(text: &str) -> Result<Key, String> {
    Ok(match text {
        "app" => Key::App,
        "level" => Key::Level,
        "hour" => Key::Hour,
        "day" => Key::Day,
        "logger" => Key::Logger,
        "thread" => Key::Thread,
        "group" => Key::Group,
        "object" => Key::Object,
        "" => {
            return Err(
                "one of app, level, hour, day, logger, thread, group, object, or a field's name".to_owned()
            );
        }
        field => Key::Field(field.to_owned()),
    })
}

impl Key {
    fn name(&self) -> &str {
        match self {
            Self::App => "app",
            Self::Level => "level",
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Logger => "logger",
            Self::Thread => "thread",
            Self::Group => "group",
            Self::Object => "object",
            Self::Field(name) => name,
        }
    }

    /// Whether the content of lines decides.
    pub(super) fn reads_lines(&self) -> bool {
        matches!(self, Self::Logger | Self::Thread | Self::Field(_))
    }

    /// Returns what a line counts under.
    pub(super) fn of(&self, hit: &Hit, fields: &mut FieldReader<'_>) -> Part {
        let start = |length_ms: i64| Part::Time(hit.time_ms.start_of(length_ms));
        let told = |text: Option<String>| text.map_or(Part::None, |text| Part::Text(short(&text).into()));
        match self {
            Self::App => Part::Text(hit.app.clone()),
            Self::Level => Part::Text(hit.level.name().into()),
            Self::Hour => start(HOUR_MS),
            Self::Day => start(DAY_MS),
            Self::Logger => told(fields.logger(hit)),
            Self::Thread => told(fields.thread(hit)),
            Self::Group => told(hit.group.map(|group| group.to_string())),
            Self::Object => Part::Text(hit.object.clone()),
            Self::Field(path) => {
                let values = fields.values(hit, path);
                told((!values.is_empty()).then(|| values.join(", ")))
            }
        }
    }
}

fn short(text: &str) -> String {
    match text.char_indices().nth(VALUE_CHARACTERS) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Returns the one number.
pub(super) fn total(lines: u64, output: Output) -> String {
    match output {
        Output::Json => format!("{{\"lines\": {lines}}}\n"),
        Output::Csv => format!("lines\r\n{lines}\r\n"),
        _ => format!("{lines}\n"),
    }
}

/// Returns the counts by keys.
pub(super) fn rows(by: &[Key], tally: Tally, output: Output) -> String {
    let (rows, other) = tally.into_rows();
    match output {
        Output::Json => json_rows(by, rows, other),
        Output::Csv => csv_rows(by, &rows, other),
        _ => text_rows(&rows, other),
    }
}

fn json_rows(by: &[Key], rows: Vec<(Vec<Part>, u64)>, other: u64) -> String {
    let mut array: Vec<Value> = Vec::with_capacity(rows.len() + 1);
    for (parts, lines) in rows {
        let mut row: Map<_, _> = by
            .iter()
            .zip(&parts)
            .map(|(key, part)| {
                let value = if *part == Part::None { Value::Null } else { told(part).into() };
                (key.name().to_owned(), value)
            })
            .collect();
        row.insert("lines".to_owned(), lines.into());
        array.push(row.into());
    }
    if other > 0 {
        array.push(json!({ "other": true, "lines": other }));
    }
    let mut text = Vec::new();
    // Writing into memory cannot fail.
    let _ = write_json(&mut text, &array);
    String::from_utf8_lossy(&text).into_owned() + "\n"
}

fn csv_rows(by: &[Key], rows: &[(Vec<Part>, u64)], other: u64) -> String {
    let header: Vec<&str> = by.iter().map(Key::name).chain(["lines"]).collect();
    let mut text = Vec::new();
    add(&mut text, &header);
    for (parts, lines) in rows {
        let cells: Vec<_> = parts
            .iter()
            .map(|part| if *part == Part::None { String::new() } else { told(part) })
            .chain([lines.to_string()])
            .collect();
        add(&mut text, &cells.iter().map(String::as_str).collect::<Vec<_>>());
    }
    if other > 0 {
        let mut cells = vec![OTHER];
        cells.resize(by.len(), "");
        let other = other.to_string();
        cells.push(&other);
        add(&mut text, &cells);
    }
    String::from_utf8_lossy(&text).into_owned()
}

/// Adds a record of CSV.
fn add(text: &mut Vec<u8>, cells: &[&str]) {
    // Writing into memory cannot fail.
    let _ = record(cells, text);
}

fn text_rows(rows: &[(Vec<Part>, u64)], other: u64) -> String {
    let shown = |part: &Part| cut(&cell(&told(part)), COLUMN_WIDTH).into_owned();
    let mut cells: Vec<(String, Vec<String>)> =
        rows.iter().map(|(parts, lines)| (human::count(*lines), parts.iter().map(shown).collect())).collect();
    if other > 0 {
        cells.push((human::count(other), vec![OTHER.to_owned()]));
    }
    let numbers = cells.iter().map(|(lines, _)| lines.len()).max().unwrap_or(0);
    let columns = rows.first().map_or(0, |(parts, _)| parts.len());
    let widest = |column: usize| {
        cells.iter().filter_map(|(_, cells)| cells.get(column)).map(|cell| cell.width()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(widest).collect();
    let mut text = String::new();
    for (lines, cells) in &cells {
        let mut row = format!("{lines:>numbers$}");
        for (cell, width) in cells.iter().zip(&widths) {
            let _ = write!(row, "  {cell}{:pad$}", "", pad = width - cell.width());
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

fn told(part: &Part) -> String {
    match part {
        Part::Time(time_ms) => human::time(*time_ms).replace(".000Z", "Z"),
        Part::Text(text) => text.to_string(),
        Part::None => "-".to_owned(),
    }
}

/// Returns the counts over time, with bars where people read them.
pub(super) fn histogram(found: &Buckets, output: Output, columns: Option<usize>) -> String {
    match output {
        Output::Json => {
            let bucket =
                |&(start_ms, lines): &(UtcMs, u64)| json!({ "time": human::time(start_ms), "lines": lines });
            let buckets: Vec<_> = found.buckets.iter().map(bucket).collect();
            format!("{}\n", json!({ "bucket_seconds": found.width_ms / 1000, "buckets": buckets }))
        }
        Output::Csv => {
            let mut text = Vec::new();
            add(&mut text, &["time", "lines"]);
            for (start_ms, lines) in &found.buckets {
                add(&mut text, &[&human::time(*start_ms), &lines.to_string()]);
            }
            String::from_utf8_lossy(&text).into_owned()
        }
        _ => bars(found, columns.unwrap_or(PAPER_COLUMNS)),
    }
}

fn bars(found: &Buckets, columns: usize) -> String {
    let most = found.buckets.iter().map(|bucket| bucket.1).max().unwrap_or(0);
    let numbers = human::count(most).len();
    let mut text = String::new();
    for (start_ms, lines) in &found.buckets {
        let head = format!("{}  {:>numbers$}  ", label(*start_ms, found.width_ms), human::count(*lines));
        let room = columns.saturating_sub(head.len() + 1).max(10) as u64;
        text.push_str(head.trim_end_matches(' '));
        if *lines > 0 {
            text.push_str("  ");
            text.push_str(&bar(*lines, most, room));
        }
        text.push('\n');
    }
    text
}

/// Returns a bar of full blocks and an eighth to seven eighths of one; something for whatever is not nothing.
fn bar(lines: u64, most: u64, columns: u64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (lines as f64 / most.max(1) as f64 * (columns * 8) as f64).round().max(1.0) as usize;
    "█".repeat(eighths / 8) + EIGHTHS[eighths % 8]
}

/// Returns the start of a bucket as exactly as its width asks for.
fn label(start_ms: UtcMs, width_ms: i64) -> String {
    let time = human::time(start_ms).replace('T', " ");
    let length = match width_ms {
        width if width < MINUTE_MS => 19,
        width if width < DAY_MS => 16,
        _ => 10,
    };
    time.get(..length).unwrap_or(&time).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_have_eighths_and_gaps_none() {
        let found = Buckets {
            width_ms: MINUTE_MS,
            buckets: [(0, 16), (60_000, 0), (120_000, 1), (180_000, 8)]
                .map(|(at, lines)| (UtcMs::new(at), lines))
                .to_vec(),
        };
        let expected = "\
            1970-01-01 00:00  16  ████████████████\n\
            1970-01-01 00:01   0\n\
            1970-01-01 00:02   1  █\n\
            1970-01-01 00:03   8  ████████\n";
        assert_eq!(bars(&found, 39), expected);
        assert_eq!((bar(1, 1_000_000, 10).as_str(), bar(3, 16, 10).as_str()), ("▏", "█▉"));
    }
}
