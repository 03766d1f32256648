//! A place in an object at which reading may begin, as the index keeps it.

use crate::model::{Level, UtcMs};
use crate::parse::{FLOW_BYTES, Flow};

/// What has to be known of the lines before a place to read on there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The time that a line without one inherits.
    pub time_ms: UtcMs,
    /// The streams whose open event goes on behind the place.
    pub streams: Vec<StreamPlace>,
}

/// A stream at a place: its open event, and what the next line is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamPlace {
    /// The stream.
    pub key: u64,
    /// The number of the line that the event began with.
    pub line: u64,
    /// When the event happened.
    pub time_ms: UtcMs,
    /// The event's level.
    pub level: Level,
    pub(super) flow: Flow,
}

/// The bytes of a stream.
const STREAM_BYTES: usize = 8 + 8 + 8 + 1 + FLOW_BYTES;

impl Place {
    /// Returns the streams as bytes, which [`Place::from_bytes`] reads.
    pub fn stream_bytes(&self) -> Vec<u8> {
        self.streams.iter().flat_map(|stream| stream.to_bytes()).collect()
    }

    /// Returns a place with the streams that some bytes hold.
    pub fn from_bytes(time_ms: UtcMs, streams: &[u8]) -> Self {
        let (streams, _) = streams.as_chunks::<STREAM_BYTES>();
        Self { time_ms, streams: streams.iter().map(StreamPlace::from_bytes).collect() }
    }
}

impl StreamPlace {
    fn to_bytes(self) -> [u8; STREAM_BYTES] {
        let mut bytes = [0; STREAM_BYTES];
        bytes[..8].copy_from_slice(&self.key.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.line.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.time_ms.get().to_le_bytes());
        bytes[24] = self.level as u8;
        bytes[25..].copy_from_slice(&self.flow.to_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8; STREAM_BYTES]) -> Self {
        let number = |at: usize| u64::from_le_bytes(std::array::from_fn(|byte| bytes[at + byte]));
        Self {
            key: number(0),
            line: number(8),
            time_ms: UtcMs::new(number(16).cast_signed()),
            level: Level::from_number(bytes[24]),
            flow: Flow::from_bytes(std::array::from_fn(|byte| bytes[25 + byte])),
        }
    }
}
