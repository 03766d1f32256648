//! The decoded bytes that a search has at hand: some lines of a stretch, and the start of the next one.

use std::io::{self, Read};

use super::object::{Object, read_full};
use super::range::{HELD_LINE_BYTES, Range};

/// A stretch is read in pieces of about this many bytes, cut at a line's end.
pub(super) const PIECE_BYTES: usize = 256 << 10;

/// Bytes of a stretch, in memory that is used for one piece after the other.
pub(super) struct Piece {
    memory: Vec<u8>,
    length: usize,
}

impl Piece {
    /// Returns a piece whose memory is taken when it is needed.
    pub(super) fn new() -> Self {
        Self { memory: Vec::new(), length: 0 }
    }

    /// Forgets the bytes at hand.
    pub(super) fn clear(&mut self) {
        self.length = 0;
    }

    /// Replaces the content with whole blocks, each checked: the first, and those after it that fit into a piece.
    /// Returns how many. The blocks must be contiguous; the first is always held.
    pub(super) fn fill_with_blocks(
        &mut self,
        object: &mut Object<'_>,
        blocks: &[Range],
    ) -> io::Result<usize> {
        let blocks = &blocks[..fitting(blocks)];
        let length = blocks.iter().map(length_of).sum();
        if self.memory.len() < length {
            self.memory.resize(length, 0);
        }
        self.clear();
        object.read_blocks(blocks, &mut self.memory[..length])?;
        self.length = length;
        Ok(blocks.len())
    }

    /// Returns the bytes at hand.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.memory[..self.length]
    }

    /// Tops the piece up and returns the length of its whole lines; at the end of the stretch, of all of it, and of all
    /// that was read of a line of at least [`HELD_LINE_BYTES`].
    pub(super) fn fill(&mut self, stretch: &mut impl Read) -> io::Result<usize> {
        loop {
            let before = self.length;
            let want = PIECE_BYTES.saturating_sub(before).max(PIECE_BYTES / 2);
            if self.memory.len() < before + want {
                self.memory.resize(before + want, 0);
            }
            self.length += read_full(stretch, &mut self.memory[before..before + want])?;
            if self.length == before {
                return Ok(self.length);
            }
            if let Some(newline) = memchr::memrchr(b'\n', &self.bytes()[before..]) {
                return Ok(before + newline + 1);
            }
            if self.length >= HELD_LINE_BYTES {
                return Ok(self.length);
            }
        }
    }

    /// Drops the first bytes.
    pub(super) fn drop_first(&mut self, length: usize) {
        self.memory.copy_within(length..self.length, 0);
        self.length -= length;
    }

    /// Replaces all bytes by others, at most [`PIECE_BYTES`], and frees the memory that these do not need.
    pub(super) fn replace(&mut self, bytes: &[u8]) {
        self.memory.truncate(PIECE_BYTES);
        self.memory.shrink_to_fit();
        self.memory[..bytes.len()].copy_from_slice(bytes);
        self.length = bytes.len();
    }
}

/// Returns how many blocks a piece takes in at a time.
fn fitting(blocks: &[Range]) -> usize {
    let mut length = 0;
    let fits = |(number, block): (usize, &Range)| {
        length += length_of(block);
        number == 0 || (block.is_held() && length <= PIECE_BYTES)
    };
    blocks.iter().enumerate().map(fits).take_while(|&fits| fits).count()
}

fn length_of(block: &Range) -> usize {
    block.length() as usize
}
