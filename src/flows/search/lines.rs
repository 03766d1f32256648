//! The lines of one object by their numbers, each with the time and level of its event.

use std::collections::VecDeque;
use std::io::{self, Read};

use super::object::Object;
use super::range::{HELD_LINE_BYTES, Range};
use crate::edges::ledger::GenerationRow;
use gzette_core::events::{Line, Reader, Step};
use gzette_core::model::{Day, Level, UtcMs};
use gzette_core::partial::ReadSettings;

/// So much is decoded at a time.
const READ_BYTES: usize = 64 << 10;

/// A line and what it inherits.
#[derive(Clone, Debug)]
pub(super) struct TextLine {
    pub(super) time_ms: UtcMs,
    pub(super) level: Level,
    /// The number of the line that its event begins with; `None` for a line of none.
    pub(super) event: Option<u64>,
    pub(super) raw: Vec<u8>,
}

/// The lines of an object, read forward; it skips what lies between known stretches. Known blocks are checked; a
/// whole object must be checked by the caller.
pub(super) struct Lines<'l> {
    object: Object<'l>,
    stretches: &'l [Range],
    settings: &'l ReadSettings,
    day: Option<Day>,
    reader: Reader,
    /// Lines that were read and not yet returned; the facts of those in front are known.
    ahead: VecDeque<(u64, TextLine)>,
    /// Decoded and not yet used, from `used` on.
    buffer: Vec<u8>,
    used: usize,
    /// The decoded bytes before the buffer's end.
    decoded: u64,
    /// The number of the next line to be returned.
    next: u64,
    /// The number of the next line to be read.
    next_read: u64,
}

impl<'l> Lines<'l> {
    /// Returns a reader at the start of an object; `stretches` are the known ones.
    pub(super) fn new(
        object: Object<'l>,
        stretches: &'l [Range],
        settings: &'l ReadSettings,
        row: &GenerationRow,
    ) -> Self {
        Self {
            object,
            stretches,
            settings,
            day: row.object.day,
            reader: reader(settings, row.object.day),
            ahead: VecDeque::new(),
            buffer: Vec::new(),
            used: 0,
            decoded: 0,
            next: 1,
            next_read: 1,
        }
    }

    /// Returns a line; `None` after the last one. Lines before the requested one are skipped.
    pub(super) fn line(&mut self, number: u64) -> io::Result<Option<TextLine>> {
        self.jump(number)?;
        while self.next < number {
            if self.next_line()?.is_none() {
                return Ok(None);
            }
        }
        self.next_line()
    }

    /// Returns the number of the last line read.
    pub(super) fn last_number(&self) -> u64 {
        self.next - 1
    }

    /// Jumps to the last known place before a line, if that is ahead.
    fn jump(&mut self, number: u64) -> io::Result<()> {
        let at = self.stretches.partition_point(|stretch| stretch.first_line() <= number);
        let Some(stretch) = at.checked_sub(1).map(|at| &self.stretches[at]) else { return Ok(()) };
        if stretch.first_line() <= self.next_read {
            return Ok(());
        }
        let place = stretch.bytes().0;
        match self.decoded.checked_sub(place).map(|behind| behind as usize) {
            Some(behind) if behind <= self.buffer.len() => self.used = self.buffer.len() - behind,
            _ => {
                self.buffer.clear();
                self.used = 0;
                self.object.skip_to(place)?;
                self.decoded = place;
            }
        }
        self.next = stretch.first_line();
        self.next_read = self.next;
        self.ahead.clear();
        // The beginning has no place to resume from: its first lines may have to wait for a time.
        if self.next == 1 {
            self.reader = reader(self.settings, self.day);
        } else {
            self.reader.resume(stretch.place());
        }
        Ok(())
    }

    /// Whether an event that begins at a line may go on.
    pub(super) fn is_open(&self, line: u64) -> bool {
        self.reader.is_open(line) || !self.ahead.is_empty()
    }

    fn next_line(&mut self) -> io::Result<Option<TextLine>> {
        // A line is handed out once nothing that follows can still change what it is.
        while self.ahead.is_empty() || !self.reader.is_settled() {
            let Some(raw) = self.next_bytes()? else {
                self.tell_rest();
                break;
            };
            self.read(raw);
        }
        let line = self.ahead.pop_front().map(|(_, line)| line);
        self.next += u64::from(line.is_some());
        Ok(line)
    }

    fn read(&mut self, raw: Vec<u8>) {
        let number = self.next_read;
        self.next_read += 1;
        let unknown = TextLine { time_ms: self.reader.time_ms(), level: Level::Unknown, event: None, raw };
        let (ahead, reader) = (&mut self.ahead, &mut self.reader);
        ahead.push_back((number, unknown));
        // A copy, because the callback changes `ahead`, where the line stands.
        let raw = ahead.back().map(|(_, line)| line.raw.clone()).unwrap_or_default();
        let bytes = raw.get(..self.settings.limits.max_line_bytes).unwrap_or(&raw);
        let is_cut = bytes.len() < raw.len();
        reader.read(&Line { number, bytes, is_cut }, &mut |step| note(ahead, &step));
    }

    fn tell_rest(&mut self) {
        let ahead = &mut self.ahead;
        self.reader.end(&mut |step| note(ahead, &step));
    }

    /// Returns the bytes of the next line, at most [`HELD_LINE_BYTES`] of them.
    fn next_bytes(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut has_begun = false;
        loop {
            if self.used == self.buffer.len() && !self.fill()? {
                return Ok(has_begun.then_some(line));
            }
            has_begun = true;
            let rest = &self.buffer[self.used..];
            let newline = memchr::memchr(b'\n', rest);
            let part = &rest[..newline.unwrap_or(rest.len())];
            line.extend_from_slice(&part[..part.len().min(HELD_LINE_BYTES - line.len())]);
            self.used += part.len() + usize::from(newline.is_some());
            if newline.is_some() {
                return Ok(Some(line));
            }
        }
    }

    /// Reads on: a block that is known is checked before any of its lines is handed out.
    fn fill(&mut self) -> io::Result<bool> {
        self.buffer.clear();
        self.used = 0;
        let at = self.decoded;
        let (own, next) = self.stretches_at(at);
        match own {
            Some(block) if block.bytes().0 == at && block.is_held() => {
                self.buffer.resize((block.bytes().1 - at) as usize, 0);
                self.object.read_blocks(std::slice::from_ref(block), &mut self.buffer)?;
            }
            _ => {
                // A block that is too large to be held is checked in a pass of its own, before a line of it
                // leaves.
                if let Some(block) = own.filter(|block| block.bytes().0 == at) {
                    self.object.check_ahead(block)?;
                }
                let end = own.map_or(next, |block| block.bytes().1);
                let wanted = (end - at).min(READ_BYTES as u64);
                (&mut self.object).take(wanted).read_to_end(&mut self.buffer)?;
            }
        }
        self.decoded += self.buffer.len() as u64;
        Ok(!self.buffer.is_empty())
    }

    /// Returns the known stretch that holds a byte, and where the next one begins.
    fn stretches_at(&self, at: u64) -> (Option<&'l Range>, u64) {
        let behind = self.stretches.partition_point(|stretch| stretch.bytes().0 <= at);
        let own = self.stretches[..behind].last().filter(|stretch| at < stretch.bytes().1);
        (own, self.stretches.get(behind).map_or(u64::MAX, |next| next.bytes().0))
    }
}

fn reader(settings: &ReadSettings, day: Option<Day>) -> Reader {
    Reader::new(&settings.parse, day, Range::whole(settings, day).place().time_ms)
}

/// Notes what was told of a line. Of one that holds several records the first counts.
fn note(ahead: &mut VecDeque<(u64, TextLine)>, step: &Step<'_>) {
    let (line, time_ms, level, event) = match *step {
        Step::Begins(begun) => (begun.line, begun.time_ms, begun.event.level, Some(begun.line)),
        Step::Continues(continued) => {
            let before = continued.before;
            (continued.line, before.time_ms, before.level, Some(before.line))
        }
        Step::Unparsed { line, time_ms } => (line, time_ms, Level::Unknown, None),
        Step::Ends { .. } => return,
    };
    let at = ahead.partition_point(|(number, _)| *number < line);
    if let Some((_, found)) =
        ahead.get_mut(at).filter(|(number, found)| *number == line && found.event.is_none())
    {
        (found.time_ms, found.level, found.event) = (time_ms, level, event);
    }
}
