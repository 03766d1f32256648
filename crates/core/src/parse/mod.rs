//! Line to event, one file per format; time stamps and zones.
//!
//! A [`Parser`] reads the lines of one object in order. Each format knows its own lines by their syntax; the
//! one that most of an object's lines had so far is tried first, the others after it, so that a JSON line in a
//! text log is understood as well. Joining continuation lines to their event is the caller's part.

mod heads;
mod json;
mod level;
mod ltsv;
mod message_fields;
mod names;
mod out_file;
mod sample;
#[cfg(test)]
mod tests;
mod text;
mod time;

pub use names::FieldNames;
pub use sample::{SampleText, read_sample};

use std::fmt;
use std::str::FromStr;

use jiff::tz::TimeZone;

use self::names::{Fields, Names};
use self::time::Clock;
use crate::model::{Day, Event, Field, Level};

/// The version of what lines are read as. A change that reads any line differently adds one. 2: panics and other
/// crashes whose lines have no mark in front.
pub const PARSER_VERSION: u32 = 2;

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

/// The lines in a row without any mark of a stack trace that still belong to one, when they follow it in a
/// text log: the further lines of an exception's message.
const UNMARKED_LINES: u32 = 8;

/// A parser of the lines of one object.
#[derive(Clone, Debug)]
pub struct Parser {
    format: Option<Format>,
    names: Names,
    clock: Clock,
    /// The events of each format so far, in the order of [`Format::ALL`].
    seen: [u64; Format::ALL.len()],
    open: Option<Open>,
}

/// The event that a continuation line would belong to.
#[derive(Clone, Copy, Debug)]
struct Open {
    level: Level,
    format: Format,
    /// How many more lines without a mark belong to it.
    unmarked: u32,
}

impl Parser {
    /// Returns a parser of an object whose key names `day`; stamps without a date or a year take theirs from it.
    pub fn new(settings: &ParseSettings, day: Option<Day>) -> Self {
        Self {
            format: settings.format,
            names: Names::new(&settings.fields),
            clock: Clock::new(&settings.zone).on(day),
            seen: [0; Format::ALL.len()],
            open: None,
        }
    }

    /// Reads the object's next line, which may end with `\r`.
    pub fn parse<'a>(&mut self, line: &'a [u8]) -> Parsed<'a> {
        self.read(line, false)
    }

    /// Reads the object's next line when it was cut at the line limit: a JSON object may break off in a value, which
    /// then counts as far as it goes.
    pub fn parse_cut<'a>(&mut self, line: &'a [u8]) -> Parsed<'a> {
        self.read(line, true)
    }

    /// Goes on elsewhere in the object, at a line that may belong to an event of this level;
    /// [`Level::Unknown`] when it belongs to none, or to one whose level does not matter.
    pub fn resume(&mut self, level: Level) {
        let format = self.format().unwrap_or(Format::Json);
        let unmarked = if format == Format::Text { UNMARKED_LINES } else { 0 };
        self.open = (level != Level::Unknown).then_some(Open { level, format, unmarked });
    }

    /// Reads a line by itself, whatever stands before it in the object; `None` when it starts no event. `cut` as for
    /// [`Parser::parse_cut`].
    pub fn parse_alone<'a>(&mut self, line: &'a [u8], cut: bool) -> Option<Event<'a>> {
        self.alone(strip(line), cut).map(|(_, event)| event)
    }

    /// Returns whether a line begins an event with a time of its own, whatever stands before it in the object.
    pub fn begins_dated_event(&mut self, line: &[u8], cut: bool) -> bool {
        let line = strip(line);
        if self.format == Some(Format::SingleValue) {
            return self.message_event(line).time_ms.is_some();
        }
        self.event(line, cut).is_some_and(|(format, event)| {
            let may_continue = event.trace.is_none() && text::is_trace_line(&event.message);
            event.time_ms.is_some() && (format == Format::Text || !may_continue)
        })
    }

    /// Returns the values that `path` names in a line read by itself: in JSON a key, or keys joined by dots, in LTSV
    /// a label. Of an array each element counts, of duplicates each. Where the record has none, those that the message
    /// gives the name.
    pub fn values<'a>(&mut self, line: &'a [u8], path: &str, cut: bool) -> Vec<Field<'a>> {
        let line = strip(line);
        let Some((format, event)) = self.alone(line, cut) else {
            return message_fields::values(&Field::plain(line), path);
        };
        let values = match format {
            Format::Json => json::values(line, path, cut).unwrap_or_default(),
            Format::OutFile => out_file::split(line, &mut self.clock)
                .and_then(|(_, json)| json::values(json, path, cut))
                .unwrap_or_default(),
            Format::Ltsv => ltsv::values(line, path),
            // The whole line: its head holds pairs, too.
            Format::Text | Format::SingleValue => return message_fields::values(&Field::plain(line), path),
        };
        if values.is_empty() { message_fields::values(&event.message, path) } else { values }
    }

    fn alone<'a>(&mut self, line: &'a [u8], cut: bool) -> Option<(Format, Event<'a>)> {
        if self.format == Some(Format::SingleValue) {
            return Some((Format::SingleValue, self.message_event(line)));
        }
        self.event_with_first(self.format.unwrap_or(Format::Json), line, cut)
    }

    /// Returns the format that most events so far had; the configured one before the first.
    pub fn format(&self) -> Option<Format> {
        let most = self.seen.iter().copied().max().filter(|&most| most > 0);
        let at = most.and_then(|most| self.seen.iter().position(|&seen| seen == most));
        at.map(|at| Format::ALL[at]).or(self.format)
    }

    fn read<'a>(&mut self, line: &'a [u8], cut: bool) -> Parsed<'a> {
        let line = strip(line);
        if self.format == Some(Format::SingleValue) {
            return self.single_value(line);
        }
        let Some((format, event)) = self.event(line, cut) else {
            return self.continuation(line);
        };
        if format != Format::Text && self.continues_as_event(&event) {
            return Parsed::Continuation;
        }
        self.seen[format as usize] += 1;
        self.open = Some(Open { level: event.level, format, unmarked: 0 });
        Parsed::Event(event)
    }

    fn event<'a>(&mut self, line: &'a [u8], cut: bool) -> Option<(Format, Event<'a>)> {
        let first = self.format.or_else(|| self.format()).unwrap_or(Format::Json);
        self.event_with_first(first, line, cut)
    }

    /// Reads a line as the first format that takes it, `first` before all others.
    fn event_with_first<'a>(
        &mut self,
        first: Format,
        line: &'a [u8],
        cut: bool,
    ) -> Option<(Format, Event<'a>)> {
        if let Some(event) = self.event_of(first, line, cut) {
            return Some((first, event));
        }
        let others = Format::ALL.into_iter().filter(|&format| format != first);
        others.into_iter().find_map(|format| Some((format, self.event_of(format, line, cut)?)))
    }

    fn event_of<'a>(&mut self, format: Format, line: &'a [u8], cut: bool) -> Option<Event<'a>> {
        match format {
            Format::Json => self.json_event(line, cut),
            Format::OutFile => {
                let (time_ms, json) = out_file::split(line, &mut self.clock)?;
                let mut event = self.json_event(json, cut)?;
                event.time_ms = event.time_ms.or(Some(time_ms));
                Some(event)
            }
            Format::Ltsv => self.ltsv_event(line, cut),
            Format::Text => text::event(line, &self.names, &mut self.clock),
            // Would take every line; see `single_value`.
            Format::SingleValue => None,
        }
    }

    fn json_event<'a>(&mut self, line: &'a [u8], cut: bool) -> Option<Event<'a>> {
        let fields = json::fields(line, &self.names, cut)?;
        Some(self.event_with(line, &fields))
    }

    fn ltsv_event<'a>(&mut self, line: &'a [u8], cut: bool) -> Option<Event<'a>> {
        let fields = ltsv::fields(line, &self.names, self.format == Some(Format::Ltsv), cut)?;
        Some(self.event_with(line, &fields))
    }

    /// Returns the event of a line with these fields; what they do not say is taken from the message.
    fn event_with<'a>(&mut self, line: &'a [u8], fields: &Fields<'a>) -> Event<'a> {
        let mut event = Event { time_ms: fields.time(&mut self.clock), ..fields.event(line) };
        if (event.level == Level::Unknown || event.time_ms.is_none()) && fields.message().is_some() {
            self.read_message_head(&mut event);
        }
        event
    }

    /// Takes a line as a message, unless it belongs to a stack trace.
    fn single_value<'a>(&mut self, line: &'a [u8]) -> Parsed<'a> {
        let event = self.message_event(line);
        let has_head = event.time_ms.is_some() || event.level != Level::Unknown;
        if let Some(open) = &mut self.open
            && !has_head
        {
            if text::continues(line) {
                open.marked(line);
                return Parsed::Continuation;
            }
            if open.unmarked > 0 {
                open.unmarked -= 1;
                return Parsed::Continuation;
            }
        }
        self.seen[Format::SingleValue as usize] += 1;
        let unmarked = text::unmarked_behind(line);
        self.open = Some(Open { level: event.level, format: Format::SingleValue, unmarked });
        Parsed::Event(event)
    }

    fn message_event<'a>(&mut self, line: &'a [u8]) -> Event<'a> {
        let mut event = Event { message: Field::plain(line), ..Event::default() };
        self.read_message_head(&mut event);
        event
    }

    /// Takes what the JSON around a text line does not say from the head of that line, as collectors that wrap lines
    /// leave it: `{"log":"2023-10-30 06:10:37 ERROR ..."}`.
    fn read_message_head(&mut self, event: &mut Event<'_>) {
        let Some(head) = text::event(event.message.raw, &self.names, &mut self.clock) else {
            return;
        };
        event.time_ms = event.time_ms.or(head.time_ms);
        if event.level == Level::Unknown {
            event.level = head.level;
        }
        event.logger = event.logger.or(head.logger);
        event.thread = event.thread.or(head.thread);
    }

    /// Returns whether an event of its own is only a line of the stack trace before it, wrapped by a collector: its
    /// message is such a line, the line before belongs to an event, and their levels do not differ.
    fn continues_as_event(&mut self, event: &Event<'_>) -> bool {
        let Some(open) = &mut self.open else {
            return false;
        };
        event.trace.is_none()
            && (event.level == Level::Unknown || event.level == open.level)
            && text::is_trace_line(&event.message)
    }

    /// Decides about a line that no format takes for an event. See [`text::continues`]; in a text log the lines
    /// between those with a mark belong to the trace too, [`UNMARKED_LINES`] in a row.
    fn continuation<'a>(&mut self, line: &'a [u8]) -> Parsed<'a> {
        let Some(open) = &mut self.open else {
            return self.crash(line);
        };
        if text::continues(line) {
            open.marked(line);
            return Parsed::Continuation;
        }
        if open.unmarked > 0 && !line.starts_with(b"{") {
            open.unmarked -= 1;
            return Parsed::Continuation;
        }
        self.open = None;
        Parsed::Unparsed
    }

    /// Takes the first line of a trace that has no event before it as an event of its own, of no level.
    fn crash<'a>(&mut self, line: &'a [u8]) -> Parsed<'a> {
        if !text::starts_crash(line) && !text::is_exception_line(line) {
            return Parsed::Unparsed;
        }
        let format = self.format().unwrap_or(Format::Text);
        self.open = Some(Open { level: Level::Unknown, format, unmarked: text::unmarked_behind(line) });
        Parsed::Event(Event { message: Field::plain(line), ..Event::default() })
    }
}

impl Open {
    /// Notes that a line with a mark of a trace belongs to the event.
    fn marked(&mut self, line: &[u8]) {
        self.unmarked = if self.format == Format::Text {
            UNMARKED_LINES
        } else if text::is_exception_line(line) {
            0
        } else {
            self.unmarked.max(text::unmarked_behind(line))
        };
    }
}

/// Takes off what is not part of the line: a byte order mark, the `\r` of `\r\n`, NULs that a crash left around it.
fn strip(line: &[u8]) -> &[u8] {
    let mut line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    while let [b'\0', rest @ ..] | [rest @ .., b'\0' | b'\r'] = line {
        line = rest;
    }
    line
}
