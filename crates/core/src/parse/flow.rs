//! Which lines belong to the event before them. What is followed is one stream of lines: a text file, or what one
//! container wrote to one of its outputs.

use super::text::{self, Mark};
use super::unwrap::{Form, Read};
use crate::model::Level;

/// The lines in a row without any mark of a stack trace that still belong to an event of a text log: the further lines
/// of its message, of an exception's, or of a statement.
const UNMARKED_LINES: u8 = 8;

/// An exception of JavaScript's plainest type; a line of its own begins with a level so, too.
const BARE_ERROR: &[u8] = b"Error: ";

/// What becomes of a line in its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It begins an event.
    Begins,
    /// It belongs to the event before it.
    Continues,
    /// It belongs to none.
    Unparsed,
}

/// The event of a stream that its next line may belong to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Flow {
    open: Option<Open>,
}

#[expect(clippy::struct_excessive_bools, reason = "each is a mark of its own, kept as a bit")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Open {
    level: Level,
    /// The level that a collector gave its first line.
    outer_level: Level,
    /// Whether that line stood in a record of a collector.
    is_wrapped: bool,
    /// Whether it began with a line of text that has a head.
    is_text: bool,
    /// Whether a line of a stack trace followed.
    is_traced: bool,
    /// Whether its message is blank so far: the logger writes it in several calls.
    is_blank: bool,
    /// Whether the type of Python's exception is to come, behind the frames.
    awaits_type: bool,
    /// Whether its first line is itself one of JavaScript's that names an exception.
    is_bare_error: bool,
    /// How many more lines without a mark belong to it.
    unmarked: u8,
}

/// The bytes of [`Flow::to_bytes`].
pub(crate) const FLOW_BYTES: usize = 4;

impl Flow {
    /// Takes the next line of the stream: `read` is what its syntax says, `None` when no format accepts it; `line` is
    /// the line without what collectors put around it.
    pub(crate) fn take(&mut self, read: Option<&Read<'_>>, line: &[u8]) -> Turn {
        let Some(read) = read else { return self.take_unread(line) };
        let continues = match (&mut self.open, read.form) {
            (None, _) => false,
            (Some(open), Form::Headed) => open.has_as_headed(read, line),
            (Some(open), Form::Record) => open.has_as_record(read) || open.has_as_unleveled(read, line),
            (Some(open), Form::Headless) => open.has_as_line(read.outer_level, read.is_wrapped, line),
        };
        if continues {
            return Turn::Continues;
        }
        self.open = Some(Open {
            level: read.event.level,
            outer_level: read.outer_level,
            is_wrapped: read.is_wrapped,
            is_text: read.is_text(),
            is_traced: false,
            is_blank: read.is_blank_call(line),
            awaits_type: read.begins_calls(),
            is_bare_error: line.starts_with(BARE_ERROR),
            unmarked: match read.form {
                Form::Headed if read.is_text() => UNMARKED_LINES,
                Form::Record if !read.is_wrapped => 0,
                _ => text::unmarked_behind(line) as u8,
            },
        });
        Turn::Begins
    }

    /// Decides about a line that no format takes for an event. One that begins a crash is an event where none is open.
    fn take_unread(&mut self, line: &[u8]) -> Turn {
        if let Some(open) = &mut self.open {
            if open.has_as_line(Level::Unknown, false, line) {
                return Turn::Continues;
            }
            self.open = None;
            return Turn::Unparsed;
        }
        if !text::starts_crash(line) && !text::is_exception_line(line) {
            return Turn::Unparsed;
        }
        let unmarked = text::unmarked_behind(line) as u8;
        self.open = Some(Open { is_text: true, is_traced: true, unmarked, ..Open::default() });
        Turn::Begins
    }

    /// Returns what [`Flow::from_bytes`] makes the same flow of.
    pub(crate) fn to_bytes(self) -> [u8; FLOW_BYTES] {
        let Some(open) = self.open else { return [u8::MAX, 0, 0, 0] };
        let flags = [
            open.is_text,
            open.is_traced,
            open.is_wrapped,
            open.is_blank,
            open.awaits_type,
            open.is_bare_error,
        ];
        let flags = flags.iter().rev().fold(0, |flags, &flag| flags << 1 | u8::from(flag));
        [open.level as u8, open.outer_level as u8, flags, open.unmarked]
    }

    /// Returns the flow of some bytes.
    pub(crate) fn from_bytes([level, outer_level, flags, unmarked]: [u8; FLOW_BYTES]) -> Self {
        let open = Open {
            level: Level::from_number(level),
            outer_level: Level::from_number(outer_level),
            is_wrapped: flags & 4 != 0,
            is_text: flags & 1 != 0,
            is_traced: flags & 2 != 0,
            is_blank: flags & 8 != 0,
            awaits_type: flags & 16 != 0,
            is_bare_error: flags & 32 != 0,
            unmarked,
        };
        Self { open: (level != u8::MAX).then_some(open) }
    }
}

impl Open {
    /// Returns whether a record of an application is only a line of the event's stack trace: its message is such a line,
    /// and their levels do not differ.
    fn has_as_record(&mut self, read: &Read<'_>) -> bool {
        let event = &read.event;
        let may_be = event.trace.is_none() && (event.level == Level::Unknown || event.level == self.level);
        let has = may_be && text::is_trace_line(&event.message);
        self.is_traced |= has;
        self.awaits_type |= has && read.begins_calls();
        has || may_be && event.level.is_error() && self.has_mark(read.mark())
    }

    /// Returns whether a line with a head of its own only goes on with the event: what prints a trace line by line gets a
    /// head before each.
    fn has_as_headed(&mut self, read: &Read<'_>, line: &[u8]) -> bool {
        let event = &read.event;
        let is_alike = self.is_text && read.is_text() && event.trace.is_none();
        if !is_alike || event.level != self.level || event.level == Level::Unknown {
            return false;
        }
        if self.has_mark(read.mark()) || self.has_as_bare_error(line) {
            return true;
        }
        let is_gathered = self.is_blank && self.unmarked > 0 && text::is_written_in_calls(line);
        self.unmarked -= u8::from(is_gathered);
        is_gathered
    }

    /// Whether a line is JavaScript's name of an exception, right behind a line with a head, rather than a level.
    fn has_as_bare_error(&mut self, line: &[u8]) -> bool {
        let has = line.starts_with(BARE_ERROR) && !self.is_bare_error && self.unmarked == UNMARKED_LINES;
        self.is_traced |= has;
        self.unmarked -= u8::from(has);
        has
    }

    /// Whether a line with this mark belongs to the event.
    fn has_mark(&mut self, mark: Option<Mark>) -> bool {
        let has = match mark {
            Some(Mark::Frame | Mark::Calls) => true,
            Some(Mark::Note) => self.is_traced,
            Some(Mark::Type) => self.awaits_type,
            None => false,
        };
        if has {
            self.is_traced = true;
            self.is_blank = false;
            self.awaits_type = mark == Some(Mark::Calls) || self.awaits_type && mark != Some(Mark::Type);
        }
        has
    }

    /// Returns whether a record without a level holds a further line of the event, which began with a line of text in
    /// such a record.
    fn has_as_unleveled(&mut self, read: &Read<'_>, line: &[u8]) -> bool {
        let is_line = read.is_wrapped && read.event.level == Level::Unknown && read.event.trace.is_none();
        let is_alike = self.is_wrapped && (self.is_text || self.level == Level::Unknown);
        is_line && is_alike && self.has_as_line(Level::Unknown, true, line)
    }

    /// Returns whether a line without a head belongs to the event. One that a collector gave a level has to have the level
    /// of the event, or that which the collector gave the event's first line.
    fn has_as_line(&mut self, level: Level, is_wrapped: bool, line: &[u8]) -> bool {
        if level != Level::Unknown && level != self.level && level != self.outer_level {
            return false;
        }
        let is_marked = if level == Level::Unknown { text::continues(line) } else { self.has_leveled(line) };
        if is_marked {
            self.mark(line);
            self.is_wrapped = is_wrapped;
            return true;
        }
        let may_be_unmarked = is_wrapped == self.is_wrapped && (level == Level::Unknown || self.is_traced);
        if self.unmarked > 0 && may_be_unmarked && !line.starts_with(b"{") {
            self.unmarked -= 1;
            return true;
        }
        false
    }

    /// Whether a line of the event's level has a mark. The name of an exception is one at the start of a trace alone:
    /// later it may be another error.
    fn has_leveled(self, line: &[u8]) -> bool {
        text::continues(line) && (!self.is_traced || self.unmarked > 0 || !text::is_exception_line(line))
    }

    /// Notes that a line with a mark of a trace belongs to the event.
    fn mark(&mut self, line: &[u8]) {
        self.is_traced = true;
        self.unmarked = if self.is_text {
            UNMARKED_LINES
        } else if text::is_exception_line(line) {
            0
        } else {
            self.unmarked.max(text::unmarked_behind(line) as u8)
        };
    }
}
