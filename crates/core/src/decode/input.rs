//! The stored bytes of an object: a buffer that remembers where it is and can step back a little.

use std::io::{self, ErrorKind, Read};

/// The buffer's length at first: most objects of very many are small, and clearing a large buffer would take longer than
/// reading them.
const FIRST_BYTES: usize = 16 << 10;
/// The buffer's length at the most. Large enough for [`KEEP_BYTES`], a header of `gzip::HEADER_BYTES` and fresh bytes.
const BUFFER_BYTES: usize = 256 << 10;
/// How far a reader may step back at the most.
pub(super) const KEEP_BYTES: usize = 64 << 10;

/// A buffered reader of stored bytes.
pub(super) struct Input<R> {
    reader: R,
    buffer: Vec<u8>,
    /// The first unread byte in `buffer`.
    start: usize,
    /// The end of the bytes in `buffer`.
    end: usize,
    /// The place in the object of the buffer's first byte.
    base: u64,
}

impl<R> Input<R> {
    pub(super) fn new(reader: R) -> Self {
        Self::at(reader, 0)
    }

    /// Returns the input whose reader is positioned at `base` in the object.
    pub(super) fn at(reader: R, base: u64) -> Self {
        Self { reader, buffer: Vec::new(), start: 0, end: 0, base }
    }

    pub(super) fn get_ref(&self) -> &R {
        &self.reader
    }

    /// Returns the bytes read but not consumed.
    pub(super) fn unread(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Returns the place in the object of the first unread byte.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    pub(super) fn consume(&mut self, bytes: usize) {
        self.start = (self.start + bytes).min(self.end);
    }

    /// Steps back to `offset`, or as far towards it as the buffer reaches.
    pub(super) fn step_back(&mut self, offset: u64) {
        let start = offset.max(self.base) - self.base;
        self.start = self.start.min(start as usize);
    }
}

impl<R: Read> Input<R> {
    /// Reads more bytes after the unread ones and keeps up to [`KEEP_BYTES`] consumed bytes from `keep_from`
    /// on. `false`: there are no more, or the buffer is full of unread bytes.
    pub(super) fn fill(&mut self, keep_from: u64) -> io::Result<bool> {
        if self.end == self.buffer.len() {
            self.make_room(keep_from);
        }
        loop {
            match self.reader.read(&mut self.buffer[self.end..]) {
                Ok(bytes) => {
                    self.end += bytes;
                    return Ok(bytes > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Extends a full buffer, or drops consumed bytes from one that has its maximum length.
    fn make_room(&mut self, keep_from: u64) {
        if self.buffer.len() < BUFFER_BYTES {
            self.buffer.resize((self.buffer.len() * 4).clamp(FIRST_BYTES, BUFFER_BYTES), 0);
        } else {
            self.drop_consumed(keep_from);
        }
    }

    fn drop_consumed(&mut self, keep_from: u64) {
        let wanted = keep_from.clamp(self.base, self.offset()) - self.base;
        let first = self.start.saturating_sub(KEEP_BYTES).max(wanted as usize);
        self.buffer.copy_within(first..self.end, 0);
        self.base += first as u64;
        self.start -= first;
        self.end -= first;
    }
}
