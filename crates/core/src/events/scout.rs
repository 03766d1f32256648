//! The lines at the start of an object that say no time: they take that of the first event that has one, so they wait for
//! it. The scout reads ahead of the reader and finds it.

use super::{Line, Reader, Step};
use crate::model::UtcMs;

/// No more lines and bytes without a time are kept: as many as a block of the index has.
const HELD_LINES: usize = 128;
const HELD_BYTES: usize = 128 << 10;

/// Lines before the first event with a time of its own.
#[derive(Clone, Debug)]
pub(super) struct Scout {
    reader: Box<Reader>,
    lines: Vec<HeldLine>,
    bytes: usize,
}

#[derive(Clone, Debug)]
struct HeldLine {
    number: u64,
    bytes: Vec<u8>,
    is_cut: bool,
}

/// What a scout knows.
pub(super) enum Sight {
    /// No event has a time so far.
    Nothing,
    /// The first time.
    Time(UtcMs),
    /// There are more lines without a time than are kept.
    TooFar,
}

impl Scout {
    /// Returns one that reads as `reader` does.
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader: Box::new(reader), lines: Vec::new(), bytes: 0 }
    }

    /// Takes the next line.
    pub(super) fn read(&mut self, line: &Line<'_>) -> Sight {
        let mut first = None;
        self.reader.read(line, &mut |step| {
            if let Step::Begins(begun) = step {
                first = first.or(begun.event.time_ms);
            }
        });
        self.lines.push(HeldLine { number: line.number, bytes: line.bytes.to_vec(), is_cut: line.is_cut });
        self.bytes += line.bytes.len();
        match first {
            Some(time_ms) => Sight::Time(time_ms),
            None if self.lines.len() >= HELD_LINES || self.bytes >= HELD_BYTES => Sight::TooFar,
            None => Sight::Nothing,
        }
    }

    /// Returns the lines that it has read.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        self.lines.iter().map(|line| Line { number: line.number, bytes: &line.bytes, is_cut: line.is_cut })
    }
}
