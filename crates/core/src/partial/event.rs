//! The group of an event, whose lines come one by one.

use std::borrow::Cow;

use super::{About, ReadSettings, SAMPLE_BYTES};
use crate::group::{Explanation, explain, group_with};
use crate::model::{Event, Field, GroupKind, Grouped, Level};
use crate::overrides::{Rule, rule_name};
use crate::parse::{Parsed, Parser};
use crate::query::Facts;

/// The most bytes of an event's text that grouping looks at; what a stack trace says is said by then.
const EVENT_BYTES: usize = 64 << 10;

/// The most lines of an event that a rule is asked of. The lines of an event that are no more than that are in one
/// block of the index, so that the index can tell which objects a rule may hold in.
const RULE_LINES: u32 = 512;

/// Follows the events of an object and tells the group of each that is an error: by its level, or because it
/// carries a stack trace.
pub struct EventGrouper<'s> {
    settings: &'s ReadSettings,
    rules: Cow<'s, [Rule]>,
    /// Reads the lines that have to be read once more.
    parser: Parser,
    /// The latest event, if it is no error by itself.
    understated: Understated,
    level: Level,
    open: Option<OpenEvent>,
}

/// An event that is no error by itself, in memory that is used again: it is one if a stack trace follows.
#[derive(Default)]
struct Understated {
    is_latest: bool,
    line: Vec<u8>,
    is_cut: bool,
    message: Vec<u8>,
    is_escaped: bool,
}

/// An event that may be an error; its continuation lines may still come.
struct OpenEvent {
    message: String,
    trace: String,
    raw: Vec<u8>,
    /// The length of its first line in `raw`.
    head: usize,
    lines: u32,
    is_cut: bool,
}

impl<'s> EventGrouper<'s> {
    /// Returns one for an object.
    pub fn new(settings: &'s ReadSettings, about: &About<'_>) -> Self {
        Self {
            settings,
            rules: settings.overrides.given(about.app, about.place),
            parser: Parser::new(&settings.parse, about.day),
            understated: Understated::default(),
            level: Level::Unknown,
            open: None,
        }
    }

    /// Begins an event at its first line; the one before it has to be closed.
    pub fn begin(&mut self, line: &[u8], is_cut: bool, event: &Event<'_>) {
        self.level = event.level;
        self.understated.is_latest = false;
        if event.level.is_error() || understates(event.level) && may_carry_trace(event) {
            self.open = Some(OpenEvent::new(line, is_cut, event, self.raw_bytes()));
        } else if understates(event.level) {
            self.understated.note(line, is_cut, event);
        }
    }

    /// Adds a line to the event.
    pub fn add(&mut self, line: &[u8]) {
        // The line may begin a stack trace.
        self.open_now();
        let raw_bytes = self.raw_bytes();
        if let Some(open) = &mut self.open {
            open.add(line, raw_bytes);
        }
    }

    /// Takes the latest event for one that may be an error.
    fn open_now(&mut self) {
        let Understated { is_latest, line, is_cut, message, is_escaped } = &mut self.understated;
        if std::mem::take(is_latest) {
            let message = Field { raw: message, escaped: *is_escaped, nested: false };
            let event = Event { level: self.level, message, ..Event::default() };
            let raw_bytes = if self.rules.is_empty() { SAMPLE_BYTES } else { EVENT_BYTES };
            self.open = Some(OpenEvent::new(line, *is_cut, &event, raw_bytes));
        }
    }

    /// Ends the event and returns its group with the bytes that a sample keeps; `None` when it is no error, or none
    /// was begun.
    pub fn close(&mut self) -> Option<(Grouped, Vec<u8>)> {
        self.understated.is_latest = false;
        let mut open = self.open.take()?;
        let trace = (!open.trace.is_empty()).then_some(open.trace.as_str());
        let group = group_with(&open.message, trace, &self.settings.overrides.settings);
        if !self.level.is_error() && group.kind != GroupKind::Trace {
            return None;
        }
        let by_rule = self.by_rule(&group, &open);
        open.raw.truncate(SAMPLE_BYTES);
        Some((by_rule.unwrap_or(group), open.raw))
    }

    fn by_rule(&mut self, base: &Grouped, open: &OpenEvent) -> Option<Grouped> {
        let mut facts = Facts {
            level: self.level,
            group: Some(base.id),
            head: &open.raw[..open.head],
            is_cut: open.is_cut,
            parser: &mut self.parser,
        };
        self.rules.iter().find_map(|rule| rule.apply(base, &open.raw, &mut facts))
    }

    /// How much of an event's lines is kept.
    fn raw_bytes(&self) -> usize {
        if self.rules.is_empty() { SAMPLE_BYTES } else { EVENT_BYTES }
    }
}

impl Understated {
    fn note(&mut self, line: &[u8], is_cut: bool, event: &Event<'_>) {
        let (line_bytes, message) = (line.len().min(EVENT_BYTES), event.message.raw);
        self.is_latest = true;
        self.is_cut = is_cut || line_bytes < line.len();
        self.is_escaped = event.message.escaped;
        self.line.clear();
        self.line.extend_from_slice(&line[..line_bytes]);
        self.message.clear();
        self.message.extend_from_slice(&message[..message.len().min(EVENT_BYTES)]);
    }
}

impl OpenEvent {
    fn new(line: &[u8], is_cut: bool, event: &Event<'_>, raw_bytes: usize) -> Self {
        let head = line.len().min(raw_bytes);
        Self {
            message: event.message.text().into_owned(),
            trace: event.trace.map(|trace| trace.text().into_owned()).unwrap_or_default(),
            raw: line[..head].to_vec(),
            head,
            lines: 1,
            is_cut: is_cut || head < line.len(),
        }
    }

    fn add(&mut self, line: &[u8], raw_bytes: usize) {
        if self.trace.len() < EVENT_BYTES {
            if !self.trace.is_empty() {
                self.trace.push('\n');
            }
            self.trace.push_str(&String::from_utf8_lossy(line));
        }
        self.lines += 1;
        let room = raw_bytes.saturating_sub(self.raw.len() + 1);
        if room > 0 && (raw_bytes == SAMPLE_BYTES || self.lines <= RULE_LINES) {
            self.raw.push(b'\n');
            self.raw.extend_from_slice(&line[..line.len().min(room)]);
        }
    }
}

/// Why an event is in its group.
#[derive(Clone, Debug)]
pub struct EventExplanation {
    /// Its level.
    pub level: Level,
    /// Whether it counts as an error.
    pub is_counted: bool,
    /// Its group, by the user's rules as well.
    pub group: Grouped,
    /// The user's rule that decided.
    pub rule: Option<String>,
    /// What the built-in rules say.
    pub explanation: Explanation,
}

/// Explains the group of an event from its lines; `None` when the first of them begins no event. With `is_message`
/// the text is what the event says, and its level an error's.
pub fn explain_event(
    text: &[u8],
    is_message: bool,
    settings: &ReadSettings,
    about: &About<'_>,
) -> Option<EventExplanation> {
    let mut grouper = EventGrouper::new(settings, about);
    if is_message {
        let text = text.trim_ascii();
        let message = Field::plain(text);
        grouper.begin(text, false, &Event { level: Level::Error, message, ..Event::default() });
    } else {
        let mut parser = Parser::new(&settings.parse, about.day);
        let mut lines = text.trim_ascii_end().split(|&byte| byte == b'\n');
        let first = lines.next()?;
        let Parsed::Event(event) = parser.parse(first) else { return None };
        grouper.begin(first, false, &event);
        lines.for_each(|line| grouper.add(line));
        grouper.open_now();
    }
    let open = grouper.open.as_ref()?;
    let trace = (!open.trace.is_empty()).then_some(open.trace.as_str());
    let explanation = explain(&open.message, trace, &settings.overrides.settings);
    let level = grouper.level;
    let is_counted = level.is_error() || understates(level) && explanation.group.kind == GroupKind::Trace;
    let open = grouper.open.take()?;
    let by_rule = grouper.by_rule(&explanation.group, &open);
    let rule = by_rule.as_ref().and_then(|group| rule_name(&group.template)).map(str::to_owned);
    let group = by_rule.unwrap_or_else(|| explanation.group.clone());
    Some(EventExplanation { level, is_counted, group, rule, explanation })
}

/// Whether a level is one that prints and collectors give to what has none. Who writes `debug` or `warn` beside a
/// stack trace means it.
fn understates(level: Level) -> bool {
    matches!(level, Level::Info | Level::Unknown)
}

/// Whether an event may carry a stack trace: in a field of its own, or in a message of several lines.
fn may_carry_trace(event: &Event<'_>) -> bool {
    let message = &event.message;
    event.trace.is_some()
        || memchr::memchr(b'\n', message.raw).is_some()
        || message.escaped && memchr::memmem::find(message.raw, b"\\n").is_some()
}
