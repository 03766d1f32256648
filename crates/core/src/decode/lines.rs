//! Decoded bytes to lines, in one buffer that is used again.

use std::io::{self, ErrorKind, Read};

use crate::model::RawLine;

/// The buffer's first length.
const BUFFER_BYTES: usize = 256 << 10;
/// The room after a line of full length into which the rest of a longer line is read and dropped.
const SPARE_BYTES: usize = 64 << 10;

/// A lending iterator over the lines of a reader.
///
/// Lines end at `\n`; the last one need not. The buffer grows to hold a line of the limit, never further.
pub struct Lines<R> {
    reader: R,
    max_line_bytes: usize,
    buffer: Vec<u8>,
    /// The first byte not handed out.
    start: usize,
    /// The end of the bytes in `buffer`.
    end: usize,
    /// The place in the object of the next line.
    offset: u64,
    number: u64,
}

/// A line found in the buffer.
struct Found {
    from: usize,
    to: usize,
    /// Where the bytes of the line end that are in the buffer.
    end: usize,
    len_bytes: u64,
    truncated: bool,
    dropped_crc: u32,
}

impl<R: Read> Lines<R> {
    /// Returns the lines of `reader`, of each at most `max_line_bytes` (at least 1).
    pub fn new(reader: R, max_line_bytes: usize) -> Self {
        Self {
            reader,
            max_line_bytes: max_line_bytes.max(1),
            buffer: vec![0; BUFFER_BYTES],
            start: 0,
            end: 0,
            offset: 0,
            number: 0,
        }
    }

    /// Returns the next line; `None` at the end. Fails where the reader does.
    pub fn next_line(&mut self) -> io::Result<Option<RawLine<'_>>> {
        let Some(found) = self.find()? else {
            return Ok(None);
        };
        let offset = self.offset;
        self.number += 1;
        self.offset += found.len_bytes;
        Ok(Some(RawLine {
            bytes: &self.buffer[found.from..found.to],
            number: self.number,
            offset,
            len_bytes: found.len_bytes,
            truncated: found.truncated,
            whole: &self.buffer[found.from..found.end],
            dropped_crc: found.dropped_crc,
        }))
    }

    /// Returns the reader.
    pub fn into_inner(self) -> R {
        self.reader
    }

    fn find(&mut self) -> io::Result<Option<Found>> {
        // What was searched is not searched again once more is read: a line of 64 MB would otherwise take
        // quadratic time.
        let mut searched = self.start;
        loop {
            if let Some(at) = memchr::memchr(b'\n', &self.buffer[searched..self.end]) {
                return Ok(Some(self.hand_out(searched + at, 1)));
            }
            let have = self.end - self.start;
            // Over the limit, not at it: a line of just that length is whole.
            if have > self.max_line_bytes {
                return self.drop_rest().map(Some);
            }
            self.make_room();
            searched = self.start + have;
            if self.fill(self.end)? == 0 {
                return Ok((have > 0).then(|| self.hand_out(self.end, 0)));
            }
        }
    }

    /// Hands out the line from `start` to `to`, followed by `ending` bytes that belong to it.
    fn hand_out(&mut self, to: usize, ending: usize) -> Found {
        let from = self.start;
        self.start = to + ending;
        Found {
            from,
            to: to.min(from.saturating_add(self.max_line_bytes)),
            end: self.start,
            len_bytes: (self.start - from) as u64,
            truncated: to - from > self.max_line_bytes,
            dropped_crc: 0,
        }
    }

    /// Makes room after the unread bytes: moves them to the front, and doubles the buffer if they fill it.
    fn make_room(&mut self) {
        if self.end < self.buffer.len() {
            return;
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            let most = self.max_line_bytes.saturating_add(SPARE_BYTES).max(BUFFER_BYTES);
            self.buffer.resize((self.end * 2).min(most), 0);
        }
    }

    fn fill(&mut self, from: usize) -> io::Result<usize> {
        loop {
            match self.reader.read(&mut self.buffer[from..]) {
                Ok(bytes) => {
                    self.end = from + bytes;
                    return Ok(bytes);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Keeps the first bytes of a line over the limit and reads on to its end.
    fn drop_rest(&mut self) -> io::Result<Found> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let kept = self.max_line_bytes;
        if self.buffer.len() < kept + SPARE_BYTES {
            self.buffer.resize(kept + SPARE_BYTES, 0);
        }
        let mut len_bytes = self.end as u64;
        // A block's CRC-32 is of the bytes that the object has, the dropped ones included, so that a search
        // can check it.
        let mut dropped = crc32fast::Hasher::new();
        dropped.update(&self.buffer[kept..self.end]);
        loop {
            let bytes = self.fill(kept)?;
            let ending = memchr::memchr(b'\n', &self.buffer[kept..self.end]);
            self.start = ending.map_or(self.end, |at| kept + at + 1);
            len_bytes += (self.start - kept) as u64;
            dropped.update(&self.buffer[kept..self.start]);
            if bytes == 0 || ending.is_some() {
                let dropped_crc = dropped.finalize();
                return Ok(Found { from: 0, to: kept, end: kept, len_bytes, truncated: true, dropped_crc });
            }
        }
    }
}
