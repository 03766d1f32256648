//! Line to event, one file per format; time stamps and zones.
//!
//! Each format knows its own lines by their syntax, whatever the lines before them were, so that a JSON line in a text
//! log is understood as well. `unwrap` takes off what collectors put around a line (`envelope` in front of it, `wrap` as
//! a JSON record), and `flow` decides which lines belong to the event before them. Whole objects are read by
//! [`events`](crate::events).

mod csv;
mod envelope;
mod flow;
mod head;
mod heads;
mod json;
mod level;
mod ltsv;
mod message_fields;
mod names;
#[cfg(test)]
mod tests;
mod text;
mod time;
mod unwrap;
mod wrap;

pub(crate) use flow::{FLOW_BYTES, Flow, Turn};
pub(crate) use text::untagged;
pub(crate) use unwrap::{Form, LineParser, Outer, Read, Scratch};
pub(crate) use wrap::{each_element, each_pair, json_end};

pub use names::FieldNames;

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;

use crate::model::{Day, Event, Field};

/// The version of what lines are read as. A change that reads any line differently adds one. 2: panics and other
/// crashes whose lines have no mark in front. 3: lines in records of collectors, streams. 4: traces whose lines each have a
/// head, heads over two lines, objects of records, levels of access logs, undated lines at the start of an object.
pub const PARSER_VERSION: u32 = 4;

/// How the lines of an object are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One JSON object a line.
    Json,
    /// FluentD's `out_file`: time, tab, tag, tab, JSON object.
    OutFile,
    /// Labeled tab-separated values.
    Ltsv,
    /// Text with a time or a level near the start of an event's first line.
    Text,
    /// Each line is a message, whatever it looks like. Never found out, only configured.
    SingleValue,
}

impl Format {
    /// All formats, in the order in which they are tried.
    pub const ALL: [Self; 5] = [Self::Json, Self::OutFile, Self::Ltsv, Self::Text, Self::SingleValue];

    /// Returns the name used in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::OutFile => "out_file",
            Self::Ltsv => "ltsv",
            Self::Text => "text",
            Self::SingleValue => "single_value",
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|format| format.name() == name).ok_or_else(|| {
            let known = Self::ALL.map(Self::name).join(", ");
            format!("unknown format `{name}`; one of {known}")
        })
    }
}

/// How a source's lines are to be read.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct ParseSettings {
    /// The zone of time stamps without one.
    #[serde(with = "jiff::fmt::serde::tz::required")]
    pub zone: TimeZone,
    /// The format to try first; `None` to find out.
    pub format: Option<Format>,
    /// The names that fields of JSON and LTSV lines have.
    pub fields: FieldNames,
}

impl Default for ParseSettings {
    fn default() -> Self {
        Self { zone: TimeZone::UTC, format: None, fields: FieldNames::default() }
    }
}

/// What a line is. A line is always exactly one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed<'a> {
    /// It starts an event.
    Event(Event<'a>),
    /// It belongs to the event before it.
    Continuation,
    /// No format accepts it.
    Unparsed,
}

/// A parser of the lines of one object that are all of one stream. Objects of several streams, and records over several
/// lines, are read by [`Reader`](crate::events::Reader).
#[derive(Clone, Debug)]
pub struct Parser {
    lines: LineParser,
    scratch: Scratch,
    /// The events of each format so far, in the order of [`Format::ALL`].
    seen: [u64; Format::ALL.len()],
    flow: Flow,
}

impl Parser {
    /// Returns a parser of an object whose key names `day`; stamps without a date or a year take theirs from it.
    pub fn new(settings: &ParseSettings, day: Option<Day>) -> Self {
        Self {
            lines: LineParser::new(settings, day),
            scratch: Scratch::default(),
            seen: [0; Format::ALL.len()],
            flow: Flow::default(),
        }
    }

    /// Reads the object's next line, which may end with `\r`.
    pub fn parse<'a>(&'a mut self, line: &'a [u8]) -> Parsed<'a> {
        self.read(line, false)
    }

    /// Reads the object's next line when it was cut at the line limit: a JSON object may break off in a value, which
    /// then counts up to there.
    pub fn parse_cut<'a>(&'a mut self, line: &'a [u8]) -> Parsed<'a> {
        self.read(line, true)
    }

    /// Reads a line by itself, whatever stands before it in the object; `None` when it starts no event. `cut` as for
    /// [`Parser::parse_cut`].
    pub fn parse_alone<'a>(&'a mut self, line: &'a [u8], cut: bool) -> Option<Event<'a>> {
        self.lines.read(line, cut, &mut self.scratch).map(|read| read.event)
    }

    /// Returns the values that `path` names in a line read by itself: in JSON a key, or keys joined by dots, also in JSON
    /// that a message holds as text; in LTSV a label. Of an array each element counts, of duplicates each.
    pub fn values<'a>(&'a mut self, line: &'a [u8], path: &str, cut: bool) -> Vec<Field<'a>> {
        self.lines.values(line, path, cut, &mut self.scratch)
    }

    /// Returns the format that most events so far had; the configured one before the first.
    pub fn format(&self) -> Option<Format> {
        let most = self.seen.iter().copied().max().filter(|&most| most > 0);
        let at = most.and_then(|most| self.seen.iter().position(|&seen| seen == most));
        at.map(|at| Format::ALL[at]).or(self.lines.format)
    }

    fn read<'a>(&'a mut self, line: &'a [u8], cut: bool) -> Parsed<'a> {
        let line = strip(line);
        let read = self.lines.read(line, cut, &mut self.scratch);
        let text = read.as_ref().map_or(line, |read| read.text);
        match self.flow.take(read.as_ref(), text) {
            Turn::Begins => {
                self.seen[read.map_or(Format::Text, |read| read.format) as usize] += 1;
                let plain = Event { message: Field::plain(line), ..Event::default() };
                Parsed::Event(read.map_or(plain, |read| read.event))
            }
            Turn::Continues => Parsed::Continuation,
            Turn::Unparsed => Parsed::Unparsed,
        }
    }
}

/// Takes off what is not part of the line: a byte order mark, the `\r` of `\r\n`, NULs that a crash left around it.
pub(crate) fn strip(line: &[u8]) -> &[u8] {
    let mut line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    while let [b'\0', rest @ ..] | [rest @ .., b'\0' | b'\r'] = line {
        line = rest;
    }
    line
}
