//! Raw lines, their accounting, and damage.

/// One line of a decoded object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawLine<'a> {
    /// The bytes before the newline (a `\r` before it is kept), cut at the line limit.
    pub bytes: &'a [u8],
    /// The place in the object, counted from 1.
    pub number: u64,
    /// The first byte's place in the decoded object.
    pub offset: u64,
    /// The whole length in the decoded object, including the newline and anything that was cut.
    pub len_bytes: u64,
    /// Whether bytes past the line limit were left out of `bytes`.
    pub truncated: bool,
    /// `bytes` and as much of what follows them, the newline included, as was at hand.
    pub whole: &'a [u8],
    /// The CRC-32 of the rest, which was read and dropped.
    pub dropped_crc: u32,
}

/// What became of an object's lines. Always `total = events + continuation + unparsed`;
/// a truncated line is in one of those too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct LineCounts {
    /// Lines read.
    pub total: u64,
    /// Lines that start an event.
    pub events: u64,
    /// Lines that belong to the event before them (a stack trace split over lines).
    pub continuation: u64,
    /// Lines that no format accepts; indexed as text all the same.
    pub unparsed: u64,
    /// Stretches of bytes that could not be read at all (damaged members).
    pub quarantined: u64,
    /// Lines that were longer than the limit.
    pub truncated: u64,
    /// Events without a readable time, dated by their neighbour or their key.
    pub undated: u64,
}

impl LineCounts {
    /// Adds the counts of another object.
    pub fn add(&mut self, other: &Self) {
        self.total += other.total;
        self.events += other.events;
        self.continuation += other.continuation;
        self.unparsed += other.unparsed;
        self.quarantined += other.quarantined;
        self.truncated += other.truncated;
        self.undated += other.undated;
    }
}

/// Where and why reading an object stopped early, or bytes of it were passed over.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Damage {
    /// The place in the stored (compressed) bytes.
    pub offset: u64,
    /// The gzip member, counted from 1.
    pub member: u64,
    /// The fault in a few words: `member ends early`, `wrong checksum`.
    pub reason: String,
}
