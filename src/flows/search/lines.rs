//! The lines of one object by their numbers, each with the time and level of its event.

use std::io::{self, Read};

use super::object::Object;
use super::read::{HELD_LINE_BYTES, Range, parse};
use crate::edges::ledger::GenerationRow;
use gzette_core::model::{Level, UtcMs};
use gzette_core::parse::{Parsed, Parser};
use gzette_core::partial::ReadSettings;

/// So much is decoded at a time.
const READ_BYTES: usize = 64 << 10;

/// A line and what it inherits.
#[derive(Clone, Debug)]
pub(super) struct TextLine {
    pub(super) time_ms: UtcMs,
    pub(super) level: Level,
    /// Whether it belongs to the event of the line before it.
    pub(super) goes_on: bool,
    pub(super) raw: Vec<u8>,
}

/// The lines of an object, read forward; it skips what lies between known stretches. Known blocks are checked; a
/// whole object must be checked by the caller.
pub(super) struct Lines<'l> {
    object: Object<'l>,
    stretches: &'l [Range],
    settings: &'l ReadSettings,
    parser: Parser,
    /// Decoded and not yet used, from `used` on.
    buffer: Vec<u8>,
    used: usize,
    /// The decoded bytes before the buffer's end.
    decoded: u64,
    /// The number of the next line.
    next: u64,
    time_ms: UtcMs,
    level: Level,
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
            parser: Parser::new(&settings.parse, row.object.day),
            buffer: Vec::new(),
            used: 0,
            decoded: 0,
            next: 1,
            time_ms: Range::whole(settings, row.object.day).carry_ms(),
            level: Level::Unknown,
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
        let Some(stretch) = at.checked_sub(1).map(|at| self.stretches[at]) else { return Ok(()) };
        if stretch.first_line() <= self.next {
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
        (self.time_ms, self.level) = (stretch.carry_ms(), stretch.carry_level());
        self.parser.resume(self.level);
        Ok(())
    }

    fn next_line(&mut self) -> io::Result<Option<TextLine>> {
        let Some(raw) = self.next_bytes()? else { return Ok(None) };
        self.next += 1;
        let goes_on = match parse(&mut self.parser, &raw, self.settings) {
            Parsed::Event(event) => {
                self.time_ms = event.time_ms.unwrap_or(self.time_ms);
                self.level = event.level;
                false
            }
            Parsed::Continuation => true,
            Parsed::Unparsed => {
                self.level = Level::Unknown;
                false
            }
        };
        Ok(Some(TextLine { time_ms: self.time_ms, level: self.level, goes_on, raw }))
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
