//! The group of an event, whose lines come one by one.

use std::borrow::Cow;

use super::{About, ReadSettings, SAMPLE_BYTES};
use crate::custom::{CustomGroup, name_of};
use crate::events::{Begun, Continued, Line, Reader, Step};
use crate::group::{Explanation, explain, group_with};
use crate::model::{Event, Field, GroupKind, Grouped, Level, UtcMs};
use crate::parse::Parser;
use crate::query::Facts;

/// The most bytes of an event's text that grouping looks at; what a stack trace says is said by then.
const EVENT_BYTES: usize = 64 << 10;

/// A custom group looks at no more lines of an event than this. An event of so few lines is in one
/// block of the index, so that the index can tell which objects it may hold in.
const CUSTOM_LINES: u32 = 512;

/// The most bytes of an event's message that are held; grouping looks at no more of it.
const MESSAGE_BYTES: usize = 512 << 10;

/// Of an object with more open events than this at a time, the further ones are held up to [`CROWD_BYTES`] each, so that
/// thousands of streams take little memory.
const CROWD: usize = 64;
const CROWD_BYTES: usize = 4 << 10;

/// How Python's traces begin, also those that no log line introduces.
const CALLS: &str = "Traceback (most recent call last)";

/// Follows the events of an object and tells the group of each that is an error: by its level, or because it
/// carries a stack trace.
pub struct EventGrouper<'s> {
    settings: &'s ReadSettings,
    custom: Cow<'s, [CustomGroup]>,
    /// Reads the lines that have to be read once more.
    parser: Parser,
    /// By the slot of the event.
    slots: Vec<Slot>,
}

/// The events of a slot, one after the other.
#[derive(Default)]
struct Slot {
    /// The latest event, if it is not an error by itself.
    understated: Understated,
    level: Level,
    open: Option<OpenEvent>,
}

/// How much of an event is held.
#[derive(Clone, Copy)]
struct Bounds {
    message: usize,
    trace: usize,
    raw: usize,
    has_custom: bool,
}

/// An event that is not an error by itself, in memory that is used again: it becomes one if a stack trace follows.
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
            custom: settings.custom.given(about.app, about.place),
            parser: Parser::new(&settings.parse, about.day),
            slots: Vec::new(),
        }
    }

    /// Begins an event; the one before it in its slot has to be closed.
    pub fn begin(&mut self, begun: &Begun<'_>) {
        self.begin_in(begun.slot, begun.raw, begun.is_cut, begun.event);
    }

    fn begin_in(&mut self, slot: usize, line: &[u8], is_cut: bool, event: &Event<'_>) {
        let bounds = self.bounds(slot);
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, Slot::default);
        }
        let slot = &mut self.slots[slot];
        slot.level = event.level;
        slot.understated.is_latest = false;
        if event.level.is_error() || understates(event.level) && may_carry_trace(event) {
            slot.open = Some(OpenEvent::new(line, is_cut, event, bounds));
        // Most events are no errors. Of these only the line is kept, in memory that is used again, in case a trace
        // follows.
        } else if understates(event.level) {
            slot.understated.note(line, is_cut, event, bounds);
        }
    }

    /// Adds a line to its event.
    pub fn add(&mut self, continued: &Continued<'_>) {
        let bounds = self.bounds(continued.slot);
        let Some(slot) = self.slots.get_mut(continued.slot) else { return };
        // The line may begin a stack trace.
        // A part of a record that was told as a whole begins nothing.
        if continued.text.is_some() {
            slot.open_now(bounds);
        }
        match &mut slot.open {
            Some(open) => open.add(continued.raw, continued.text, bounds),
            None => slot.understated.add(continued.raw, bounds),
        }
    }

    /// Adds a line to the event of the first slot, whatever it is by itself.
    fn add_line(&mut self, raw: &[u8], text: &[u8]) {
        let bounds = self.bounds(0);
        let Some(slot) = self.slots.first_mut() else { return };
        slot.open_now(bounds);
        if let Some(open) = &mut slot.open {
            open.add(raw, Some(text), bounds);
        }
    }

    /// Whether further lines do not change the group of the event in a slot.
    pub fn is_full(&self, slot: usize) -> bool {
        let bounds = self.bounds(slot);
        let Some(slot) = self.slots.get(slot) else { return true };
        let Some(open) = &slot.open else { return !slot.understated.is_latest };
        let has_raw = !bounds.has_custom || open.lines > CUSTOM_LINES || open.raw.len() >= bounds.raw;
        has_raw && open.trace.len() >= bounds.trace
    }

    /// Ends an event and returns its group with the bytes that a sample keeps; `None` when it is not an error, or none was
    /// begun.
    pub fn close(&mut self, slot: usize) -> Option<(Grouped, Vec<u8>)> {
        let of_slot = self.slots.get_mut(slot)?;
        of_slot.understated.is_latest = false;
        let (level, mut open) = (of_slot.level, of_slot.open.take()?);
        if slot >= CROWD {
            // Its buffers go, too: very many streams would otherwise hold memory for as long as the object is
            // read.
            *of_slot = Slot::default();
        }
        let trace = (!open.trace.is_empty()).then_some(open.trace.as_str());
        let group = group_with(&open.message, trace, &self.settings.custom.settings);
        // An info line counts only with a real stack trace; a message that merely looks like an exception does not.
        if !level.is_error() && group.kind != GroupKind::Trace {
            return None;
        }
        let custom = self.custom(level, &group, &open);
        open.raw.truncate(SAMPLE_BYTES);
        Some((custom.unwrap_or(group), open.raw))
    }

    fn custom(&mut self, level: Level, base: &Grouped, open: &OpenEvent) -> Option<Grouped> {
        let mut facts = Facts {
            level,
            group: Some(base.id),
            head: &open.raw[..open.head],
            is_cut: open.is_cut,
            parser: &mut self.parser,
        };
        // In the order of the configuration: the first that holds decides.
        self.custom.iter().find_map(|custom| custom.apply(base, &open.raw, &mut facts))
    }

    /// Returns how much is held of the event in a slot.
    fn bounds(&self, slot: usize) -> Bounds {
        let has_custom = !self.custom.is_empty();
        if slot >= CROWD {
            return Bounds { message: CROWD_BYTES, trace: CROWD_BYTES, raw: CROWD_BYTES, has_custom };
        }
        // Conditions may ask for any line of the event; a sample only shows its beginning.
        let raw = if has_custom { EVENT_BYTES } else { SAMPLE_BYTES };
        Bounds { message: MESSAGE_BYTES, trace: EVENT_BYTES, raw, has_custom }
    }
}

impl Slot {
    /// Takes the latest event for one that may be an error.
    fn open_now(&mut self, bounds: Bounds) {
        let Understated { is_latest, line, is_cut, message, is_escaped } = &mut self.understated;
        if std::mem::take(is_latest) {
            let message = Field { raw: message, escaped: *is_escaped, nested: false };
            let event = Event { level: self.level, message, ..Event::default() };
            self.open = Some(OpenEvent::new(line, *is_cut, &event, bounds));
        }
    }
}

impl Understated {
    fn note(&mut self, line: &[u8], is_cut: bool, event: &Event<'_>, bounds: Bounds) {
        let most = bounds.trace;
        let (line_bytes, message) = (line.len().min(most), event.message.raw);
        self.is_latest = true;
        self.is_cut = is_cut || line_bytes < line.len();
        self.is_escaped = event.message.escaped;
        self.line.clear();
        self.line.extend_from_slice(&line[..line_bytes]);
        self.message.clear();
        self.message.extend_from_slice(&message[..message.len().min(most)]);
    }

    /// Adds a further line of the record.
    fn add(&mut self, line: &[u8], bounds: Bounds) {
        if self.is_latest {
            push_line(&mut self.line, line, bounds.trace);
        }
    }
}

impl OpenEvent {
    fn new(line: &[u8], is_cut: bool, event: &Event<'_>, bounds: Bounds) -> Self {
        let head = line.len().min(bounds.raw);
        let text = |field: &Field<'_>| {
            let raw = &field.raw[..field.raw.len().min(bounds.message)];
            Field { raw, ..*field }.text().into_owned()
        };
        let message = text(&event.message);
        let trace = match event.trace {
            Some(trace) => text(&trace),
            // The frames in the lines behind it are told by it.
            None if message.starts_with(CALLS) => message.clone(),
            None => String::new(),
        };
        Self {
            message,
            trace,
            raw: line[..head].to_vec(),
            head,
            lines: 1,
            is_cut: is_cut || head < line.len(),
        }
    }

    fn add(&mut self, line: &[u8], text: Option<&[u8]>, bounds: Bounds) {
        if let Some(text) = text
            && self.trace.len() < bounds.trace
        {
            if !self.trace.is_empty() {
                self.trace.push('\n');
            }
            self.trace.push_str(&String::from_utf8_lossy(text));
        }
        self.lines += 1;
        if !bounds.has_custom || self.lines <= CUSTOM_LINES {
            push_line(&mut self.raw, line, bounds.raw);
        }
    }
}

/// Adds a line to others, as far as there is room.
fn push_line(lines: &mut Vec<u8>, line: &[u8], most: usize) {
    let room = most.saturating_sub(lines.len() + 1);
    if room > 0 {
        lines.push(b'\n');
        lines.extend_from_slice(&line[..line.len().min(room)]);
    }
}

/// Why an event is in its group.
#[derive(Clone, Debug)]
pub struct EventExplanation {
    /// Its level.
    pub level: Level,
    /// Whether it counts as an error.
    pub is_counted: bool,
    /// Its group, the custom ones included.
    pub group: Grouped,
    /// The custom group that decided.
    pub custom: Option<String>,
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
        grouper.begin_in(0, text, false, &Event { level: Level::Error, message, ..Event::default() });
    } else {
        begin_first(&mut grouper, text.trim_ascii_end(), settings, about);
    }
    let bounds = grouper.bounds(0);
    let slot = grouper.slots.first_mut()?;
    slot.open_now(bounds);
    let (level, open) = (slot.level, slot.open.take()?);
    let trace = (!open.trace.is_empty()).then_some(open.trace.as_str());
    let explanation = explain(&open.message, trace, &settings.custom.settings);
    let is_counted = level.is_error() || understates(level) && explanation.group.kind == GroupKind::Trace;
    let custom = grouper.custom(level, &explanation.group, &open);
    let name = custom.as_ref().and_then(|group| name_of(&group.template)).map(str::to_owned);
    let group = custom.unwrap_or_else(|| explanation.group.clone());
    Some(EventExplanation { level, is_counted, group, custom: name, explanation })
}

/// Begins the first event of a text and adds all lines behind it.
fn begin_first(grouper: &mut EventGrouper<'_>, text: &[u8], settings: &ReadSettings, about: &About<'_>) {
    let mut reader = Reader::new(&settings.parse, about.day, UtcMs::EPOCH);
    let lines: Vec<_> = text.split(|&byte| byte == b'\n').collect();
    let mut has_begun = false;
    let mut told = |step: Step<'_>| match step {
        Step::Begins(event) if !std::mem::replace(&mut has_begun, true) => {
            grouper.begin_in(0, event.raw, event.is_cut, event.event);
        }
        Step::Begins(Begun { raw, event, .. }) => grouper.add_line(raw, event.message.text().as_bytes()),
        Step::Continues(continued) => grouper.add(&Continued { slot: 0, ..continued }),
        Step::Unparsed { line, .. } if has_begun => {
            let bytes = lines.get(line as usize - 1).copied().unwrap_or_default();
            grouper.add_line(bytes, bytes);
        }
        Step::Unparsed { .. } | Step::Ends { .. } => {}
    };
    for (number, &bytes) in (1..).zip(&lines) {
        reader.read(&Line { number, bytes, is_cut: false }, &mut told);
    }
    reader.end(&mut told);
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
