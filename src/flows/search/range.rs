//! A stretch of an object's lines, and how much of one is held.

use crate::edges::index::IndexedBlock;
use gzette_core::events::Place;
use gzette_core::model::Day;
use gzette_core::partial::{Block, ReadSettings, day_start_ms};

/// The most bytes of a line that are held and handed out; the rest of a longer one is searched and dropped.
pub(super) const HELD_LINE_BYTES: usize = 64 << 20;
/// A block of no more bytes than this is held and checked before any of its lines is looked at. Only one with a very long
/// line is longer; it is read once more to be checked.
const HELD_BLOCK_BYTES: u64 = 4 << 20;

/// A stretch of lines of a decoded object.
#[derive(Clone, Debug)]
pub(super) enum Range {
    /// A block that the index knows.
    Block(Block),
    /// A whole object without known blocks, and what is known at its start.
    Whole(Place),
}

impl Range {
    pub(super) fn of_block(indexed: &IndexedBlock) -> Self {
        Self::Block(indexed.block.clone())
    }

    /// The whole object of a day.
    pub(super) fn whole(settings: &ReadSettings, day: Option<Day>) -> Self {
        Self::Whole(Place { time_ms: day_start_ms(day, &settings.parse), streams: Vec::new() })
    }

    /// Returns its first byte and the first one after it.
    pub(super) fn bytes(&self) -> (u64, u64) {
        match self {
            Self::Block(block) => (block.offset, block.offset.saturating_add(block.length)),
            Self::Whole(_) => (0, u64::MAX),
        }
    }

    /// Returns how many bytes it has; of a whole object, more than there can be.
    pub(super) fn length(&self) -> u64 {
        let (start, end) = self.bytes();
        end - start
    }

    /// Returns the number of its first line.
    pub(super) fn first_line(&self) -> u64 {
        match self {
            Self::Block(block) => block.first_line,
            Self::Whole(_) => 1,
        }
    }

    /// Returns what goes on at its start.
    pub(super) fn place(&self) -> &Place {
        match self {
            Self::Block(Block { place, .. }) | Self::Whole(place) => place,
        }
    }

    /// Returns the CRC-32 of its bytes; `None` for a whole object without known blocks.
    pub(super) fn crc(&self) -> Option<u32> {
        match self {
            Self::Block(block) => Some(block.crc),
            Self::Whole(_) => None,
        }
    }

    /// Whether it is a block that is held while it is looked at.
    pub(super) fn is_held(&self) -> bool {
        matches!(self, Self::Block(block) if block.length <= HELD_BLOCK_BYTES)
    }
}
