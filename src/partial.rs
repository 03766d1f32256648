//! One object's ingest as a value: what the ledger and the index merge. Bytes and settings in, a
//! [`Partial`] and a stream of [`Block`]s out; no state is shared between objects.

use crate::model::{Damage, GroupId, Grouped, Level, LineCounts, Slot, UtcMs};

/// What one object adds to the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partial {
    /// The accounting of its lines.
    pub lines: LineCounts,
    /// The decoded length.
    pub decoded_bytes: u64,
    /// BLAKE3 of the decoded bytes.
    pub checksum: [u8; 32],
    /// Where decoding stopped early, if it did.
    pub damage: Option<Damage>,
    /// The times of the earliest and the latest event.
    pub span_ms: Option<(UtcMs, UtcMs)>,
    /// Events by group, level and slot, sorted.
    pub counts: Vec<Count>,
    /// The error groups seen, sorted by id.
    pub sightings: Vec<Sighting>,
    /// How many blocks were handed out.
    pub blocks: u64,
}

/// Events of one group, level and slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count {
    /// The group; `None` for events that are no errors.
    pub group: Option<GroupId>,
    /// Their level.
    pub level: Level,
    /// Their slot.
    pub slot: Slot,
    /// How many.
    pub events: u64,
}

/// A group's events in one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// The group.
    pub group: Grouped,
    /// How many events.
    pub events: u64,
    /// The earliest by (time, line).
    pub first: Sample,
    /// The latest by (time, line).
    pub last: Sample,
}

/// An event's place and its raw lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// When it happened.
    pub time_ms: UtcMs,
    /// The number of its first line, from 1.
    pub line: u64,
    /// Its raw lines, joined by newlines, at most [`SAMPLE_BYTES`].
    pub raw: Vec<u8>,
}

/// The most bytes of raw lines that a [`Sample`] keeps.
pub const SAMPLE_BYTES: usize = 8 << 10;
