//! One object's ingest as a value: what the ledger and the index merge. Bytes and settings in, a
//! [`Partial`] and a stream of [`Block`]s out; no state is shared between objects.

mod builder;
#[cfg(test)]
mod cases;
mod choice;
mod event;
#[cfg(test)]
mod grid;
mod ingested;
pub mod packed;
mod regroup;
mod settings;
#[cfg(test)]
mod tests;

use std::io::{self, Read};

use crate::decode::{Decoder, Limits, Lines, Point};
use crate::events::{Line, Place, Reader};
use crate::model::{Checksum, Damage, Day, GroupId, Grouped, Level, LineCounts, Slot, UtcMs, bytes};
use crate::parse::ParseSettings;
use crate::words::BlockWords;
use builder::Builder;
use serde::{Deserialize, Serialize};

pub use choice::{End, chosen};
pub use event::{EventExplanation, EventGrouper, explain_event};
pub use ingested::Ingested;
pub use settings::{ReadSettings, Reading, SourceSettings};

/// What one object adds to the ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// The accounting of its lines.
    pub lines: LineCounts,
    /// The decoded length.
    pub decoded_bytes: u64,
    /// BLAKE3 of the decoded bytes.
    #[serde(with = "bytes::hex")]
    pub checksum: Checksum,
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
    /// Where decoding can begin within the object.
    pub points: Vec<Point>,
    /// The groups of the events that begin at [`About::asked`] lines: line and group.
    pub answers: Vec<(u64, GroupId)>,
}

/// Events of one group, level and slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Count {
    /// The group; `None` for events that are not errors. An event below `error` has one when it carries a stack
    /// trace.
    pub group: Option<GroupId>,
    /// Their level.
    pub level: Level,
    /// Their slot.
    pub slot: Slot,
    /// How many.
    pub events: u64,
}

/// A group's events in one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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

impl Sighting {
    /// Whether a sighting that a ledger holds is this one, as far as the ledger keeps it: of most sightings it has neither
    /// raw lines nor title, and what it does not have is empty.
    #[must_use]
    pub fn is_kept_as(&self, kept: &Self) -> bool {
        let is_same = |kept: &Sample, found: &Sample| {
            (kept.time_ms, kept.line) == (found.time_ms, found.line)
                && (kept.raw.is_empty() || kept.raw == found.raw)
        };
        let (own, other) = (&self.group, &kept.group);
        (self.events, own.id, own.kind, &own.template) == (kept.events, other.id, other.kind, &other.template)
            && (other.title.is_empty() || own.title == other.title)
            && is_same(&kept.first, &self.first)
            && is_same(&kept.last, &self.last)
    }
}

/// An event's place and its raw lines.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// When it happened.
    pub time_ms: UtcMs,
    /// The number of its first line, from 1.
    pub line: u64,
    /// Its raw lines, joined by newlines, at most [`SAMPLE_BYTES`].
    #[serde(with = "bytes::text")]
    pub raw: Vec<u8>,
}

/// The most bytes of raw lines that a [`Sample`] keeps.
pub const SAMPLE_BYTES: usize = 8 << 10;

/// What is known of an object besides its bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'o> {
    /// The day that its key names.
    pub day: Option<Day>,
    /// Its application.
    pub app: &'o str,
    /// The object as people write it.
    pub place: &'o str,
    /// Lines that began an error event in an earlier reading, and whose group is asked for.
    pub asked: &'o [u64],
}

/// A run of lines that is stored and indexed together: where it is and what it holds, besides its words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The number of its first line, from 1.
    pub first_line: u64,
    /// How many lines.
    pub lines: u64,
    /// Its first byte in the decoded object.
    pub offset: u64,
    /// Its length in the decoded object.
    pub length: u64,
    /// The earliest time of its lines, of those that inherit theirs too.
    pub first_ms: UtcMs,
    /// The latest.
    pub last_ms: UtcMs,
    /// The time that a line without one inherits at the block's start, and the streams whose event goes on in the block.
    pub place: Place,
    /// A mask of [`Level::bit`]s of its lines.
    pub levels: u8,
    /// The CRC-32 of its decoded bytes, by which a search knows that they are those that were indexed.
    pub crc: u32,
}

/// Reads one object: hands out its blocks in order and returns what it adds to the ledger. Damage and
/// lines that no format accepts are in the result; an error is one of the reader or of `on_block`.
pub fn read_object<R: Read, E: From<io::Error>>(
    reader: R,
    settings: &ReadSettings,
    about: &About<'_>,
    mut on_block: impl FnMut(&Block, &BlockWords) -> Result<(), E>,
) -> Result<Partial, E> {
    let decoder = Decoder::new(reader, &settings.limits).noting_points();
    let mut lines = Lines::new(Hashing::new(decoder), settings.limits.max_line_bytes);
    let mut reader = Reader::new(&settings.parse, about.day, day_start_ms(about.day, &settings.parse));
    let mut builder = Builder::new(settings, about);
    while let Some(line) = lines.next_line()? {
        let mut handed = Ok(());
        let mut hand_out = |block: &Block, words: &BlockWords| handed = on_block(block, words);
        let mut adding = builder.next_line(&line, reader.is_settled(), &mut hand_out);
        let read = Line { number: line.number, bytes: line.bytes, is_cut: line.truncated };
        reader.read(&read, &mut |step| adding.take(step));
        adding.end();
        handed?;
    }
    reader.end(&mut |step| builder.take_late(step));
    let mut handed = Ok(());
    builder.close_block(&mut |block, words| handed = on_block(block, words));
    handed?;
    let mut decoder = lines.into_inner();
    let mut partial = builder.finish();
    partial.decoded_bytes = decoder.bytes;
    partial.checksum = *decoder.hasher.finalize().as_bytes();
    partial.damage = decoder.inner.damage().cloned();
    partial.lines.quarantined = decoder.inner.stretches();
    partial.points = decoder.inner.take_points();
    Ok(partial)
}

/// Returns the checksum of the decoded bytes, as [`read_object`] would, and the first damage.
pub fn decoded_checksum<R: Read>(reader: R, limits: &Limits) -> io::Result<(Checksum, Option<Damage>)> {
    let decoder = Decoder::new(reader, limits);
    // Read by lines, too: how much of a broken zstd block is given depends on how it is asked for.
    let mut lines = Lines::new(Hashing::new(decoder), limits.max_line_bytes);
    while lines.next_line()?.is_some() {}
    let decoder = lines.into_inner();
    Ok((*decoder.hasher.finalize().as_bytes(), decoder.inner.damage().cloned()))
}

/// Returns the time that an undated first line takes: the start of the key's day in the source's zone, or 1970.
pub fn day_start_ms(day: Option<Day>, parse: &ParseSettings) -> UtcMs {
    day.and_then(|day| day.to_zoned_datetime(parse.zone.clone()).ok())
        .map_or(UtcMs::EPOCH, |zoned| zoned.timestamp().into())
}

/// Counts and hashes the decoded bytes on their way.
struct Hashing<R> {
    inner: R,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl<R> Hashing<R> {
    fn new(inner: R) -> Self {
        Self { inner, hasher: blake3::Hasher::new(), bytes: 0 }
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}
