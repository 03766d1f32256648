//! A stretch of an object's lines, and how much of one is held.

use crate::edges::index::BlockAddress;
use gzette_core::events::Place;
use gzette_core::model::Day;
use gzette_core::partial::{ReadSettings, day_start_ms};

/// The most bytes of a line that are held and handed out; the rest of a longer one is searched and dropped.
pub(super) const HELD_LINE_BYTES: usize = 64 << 20;
/// A block of no more bytes than this is held and checked before any of its lines is looked at. Only one with a very long
/// line is longer; it is read once more to be checked.
const HELD_BLOCK_BYTES: u64 = 4 << 20;

/// A stretch of lines of a decoded object.
#[derive(Clone, Debug)]
pub(super) struct Range {
    pub(super) offset: u64,
    pub(super) length: u64,
    pub(super) first_line: u64,
    /// What goes on at its start.
    pub(super) place: Place,
    /// The CRC-32 of its bytes; `None` for a whole object.
    crc: Option<u32>,
}

impl Range {
    /// Returns its first byte and the first one after it.
    pub(super) fn bytes(&self) -> (u64, u64) {
        (self.offset, self.offset.saturating_add(self.length))
    }

    /// Returns the number of its first line.
    pub(super) fn first_line(&self) -> u64 {
        self.first_line
    }

    /// Returns what goes on at its start.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Returns the CRC-32 of its bytes; `None` for a whole object without known blocks.
    pub(super) fn crc(&self) -> Option<u32> {
        self.crc
    }

    /// Whether it is a block that is held while it is looked at.
    pub(super) fn is_held(&self) -> bool {
        self.crc.is_some() && self.length <= HELD_BLOCK_BYTES
    }

    pub(super) fn of_block(block: &BlockAddress) -> Self {
        Self {
            offset: block.offset,
            length: block.length,
            first_line: block.first_line,
            place: block.place.clone(),
            crc: Some(block.crc),
        }
    }

    /// The whole object of a day.
    pub(super) fn whole(settings: &ReadSettings, day: Option<Day>) -> Self {
        let place = Place { time_ms: day_start_ms(day, &settings.parse), streams: Vec::new() };
        Self { offset: 0, length: u64::MAX, first_line: 1, place, crc: None }
    }
}
