//! One object's ingest as a value: what the ledger and the index merge. Bytes and settings in, a
//! [`Partial`] and a stream of [`Block`]s out; no state is shared between objects.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{self, BufRead, Read};

use crate::decode::{Decoder, Limits, Lines, Point};
use crate::model::{
    Damage, Day, Event, Field, GroupId, GroupKind, Grouped, Level, LineCounts, RawLine, Slot, UtcMs,
};
use crate::parse::{ParseSettings, Parsed, Parser};
use crate::words::BlockWords;

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
    /// Where decoding can begin within the object.
    pub points: Vec<Point>,
}

/// Events of one group, level and slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Count {
    /// The group; `None` for events that are no errors. An event below `error` has one when it carries a stack
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

/// What reading an object depends on besides its bytes.
#[derive(Clone, Debug, Default)]
pub struct ReadSettings {
    /// The bounds of decoding.
    pub limits: Limits,
    /// Formats, field names and the zone of stamps without one.
    pub parse: ParseSettings,
}

/// A run of lines that is stored and indexed together.
#[derive(Debug, Default)]
pub struct Block {
    /// The number of its first line, from 1.
    pub first_line: u64,
    /// How many lines.
    pub lines: u64,
    /// Its first byte in the decoded object.
    pub offset: u64,
    /// Its length in the decoded object.
    pub length: u64,
    /// The earliest and the latest time of its lines.
    pub span_ms: (UtcMs, UtcMs),
    /// The time that a line without one inherits at the block's start.
    pub carry_ms: UtcMs,
    /// The level of the event that a continuation line at the block's start belongs to.
    pub carry_level: Level,
    /// A mask of the levels of its lines.
    pub levels: u8,
    /// Its words.
    pub words: BlockWords,
}

/// A block is closed at the next event after so many lines,
const BLOCK_LINES: u64 = 128;
/// or so many bytes,
const BLOCK_BYTES: u64 = 128 << 10;
/// and, event or not, at so many times either.
const BLOCK_STRETCH: u64 = 8;

/// The most bytes of an event's text that grouping looks at; what a stack trace says is said by then.
const EVENT_BYTES: usize = 64 << 10;

/// Reads one object: hands out its blocks in order and returns what it adds to the ledger. Damage and
/// lines that no format accepts are in the result; an error is one of the reader or of `on_block`.
pub fn read_object<R: BufRead, E: From<io::Error>>(
    reader: R,
    settings: &ReadSettings,
    day: Option<Day>,
    mut on_block: impl FnMut(&Block) -> Result<(), E>,
) -> Result<Partial, E> {
    let decoder = Decoder::new(reader, &settings.limits).noting_points();
    let decoder = Hashing { inner: decoder, hasher: blake3::Hasher::new(), bytes: 0 };
    let mut lines = Lines::new(decoder, settings.limits.max_line_bytes);
    let mut parser = Parser::new(&settings.parse, day);
    let mut builder = Builder::new(day_start_ms(day, &settings.parse));
    while let Some(line) = lines.next_line()? {
        let parsed = if line.truncated { parser.parse_cut(line.bytes) } else { parser.parse(line.bytes) };
        if builder.block_is_full(matches!(parsed, Parsed::Event(_))) {
            on_block(&builder.block)?;
            builder.close_block();
        }
        builder.add(&line, &parsed);
    }
    if builder.block.lines > 0 {
        on_block(&builder.block)?;
        builder.close_block();
    }
    let mut decoder = lines.into_inner();
    let mut partial = builder.finish();
    partial.decoded_bytes = decoder.bytes;
    partial.checksum = *decoder.hasher.finalize().as_bytes();
    partial.damage = decoder.inner.damage().cloned();
    partial.lines.quarantined = decoder.inner.stretches();
    partial.points = decoder.inner.take_points();
    Ok(partial)
}

/// Returns the time that an undated first line takes: the start of the key's day in the source's zone, or 1970.
pub fn day_start_ms(day: Option<Day>, parse: &ParseSettings) -> UtcMs {
    day.and_then(|day| day.to_zoned_datetime(parse.zone.clone()).ok())
        .map_or(0, |zoned| zoned.timestamp().as_millisecond())
}

/// Counts and hashes the decoded bytes on their way.
struct Hashing<R> {
    inner: R,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

/// Follows the lines of one object.
struct Builder {
    lines: LineCounts,
    counts: HashMap<(Level, Slot), u64>,
    group_counts: HashMap<(GroupId, Level, Slot), u64>,
    sightings: HashMap<GroupId, Sighting>,
    span_ms: Option<(UtcMs, UtcMs)>,
    blocks: u64,
    block: Block,
    carry_ms: UtcMs,
    carry_level: Level,
    open: Option<OpenError>,
    understated: Understated,
}

/// The latest event that is no error by itself, in memory that is used again: it is one if a stack trace follows.
#[derive(Default)]
struct Understated {
    is_latest: bool,
    time_ms: UtcMs,
    line: u64,
    level: Level,
    message: Vec<u8>,
    is_escaped: bool,
    raw: Vec<u8>,
}

/// An error event whose continuation lines may still come.
struct OpenError {
    time_ms: UtcMs,
    line: u64,
    level: Level,
    message: String,
    trace: String,
    raw: Vec<u8>,
}

impl Builder {
    fn new(day_start_ms: UtcMs) -> Self {
        Self {
            lines: LineCounts::default(),
            counts: HashMap::new(),
            group_counts: HashMap::new(),
            sightings: HashMap::new(),
            span_ms: None,
            blocks: 0,
            block: Block::default(),
            carry_ms: day_start_ms,
            carry_level: Level::Unknown,
            open: None,
            understated: Understated::default(),
        }
    }

    fn block_is_full(&self, at_event: bool) -> bool {
        let over =
            |times: u64| self.block.lines >= times * BLOCK_LINES || self.block.length >= times * BLOCK_BYTES;
        if at_event { over(1) } else { over(BLOCK_STRETCH) }
    }

    /// Makes room for the next block, in the memory of the last.
    fn close_block(&mut self) {
        self.blocks += 1;
        let mut words = std::mem::take(&mut self.block.words);
        words.clear();
        self.block = Block { words, ..Block::default() };
    }

    fn add(&mut self, line: &RawLine<'_>, parsed: &Parsed<'_>) {
        self.start_block(line);
        self.lines.total += 1;
        self.lines.truncated += u64::from(line.truncated);
        match parsed {
            Parsed::Event(event) => self.add_event(line, event),
            Parsed::Continuation => self.add_continuation(line),
            Parsed::Unparsed => {
                self.lines.unparsed += 1;
                self.close_error();
                self.understated.is_latest = false;
                self.carry_level = Level::Unknown;
            }
        }
        self.add_to_block(line);
    }

    fn start_block(&mut self, line: &RawLine<'_>) {
        if self.block.lines == 0 {
            self.block.first_line = line.number;
            self.block.offset = line.offset;
            self.block.carry_ms = self.carry_ms;
            self.block.carry_level = self.carry_level;
            self.block.span_ms = (i64::MAX, i64::MIN);
        }
    }

    fn add_to_block(&mut self, line: &RawLine<'_>) {
        let block = &mut self.block;
        block.lines += 1;
        block.length += line.len_bytes;
        block.levels |= self.carry_level.bit();
        block.span_ms.0 = block.span_ms.0.min(self.carry_ms);
        block.span_ms.1 = block.span_ms.1.max(self.carry_ms);
        block.words.add_line(line.bytes);
        block.words.has_cut_line |= line.truncated;
    }

    fn add_event(&mut self, line: &RawLine<'_>, event: &Event<'_>) {
        self.close_error();
        self.lines.events += 1;
        self.lines.undated += u64::from(event.time_ms.is_none());
        let time_ms = event.time_ms.unwrap_or(self.carry_ms);
        self.carry_ms = time_ms;
        self.carry_level = event.level;
        let span = self.span_ms.get_or_insert((time_ms, time_ms));
        *span = (span.0.min(time_ms), span.1.max(time_ms));
        if event.level.is_error() || may_carry_trace(event) {
            self.open = Some(OpenError {
                time_ms,
                line: line.number,
                level: event.level,
                message: event.message.text().into_owned(),
                trace: event.trace.map(|trace| trace.text().into_owned()).unwrap_or_default(),
                raw: line.bytes[..line.bytes.len().min(SAMPLE_BYTES)].to_vec(),
            });
        } else {
            *self.counts.entry((event.level, Slot::of(time_ms))).or_default() += 1;
        }
        self.understated.is_latest = self.open.is_none() && understates(event.level);
        if self.understated.is_latest {
            self.understated.note(line, event, time_ms);
        }
    }

    /// Takes the latest event out of the counts again, as a trace may follow it.
    fn open_understated(&mut self) {
        let latest = &mut self.understated;
        latest.is_latest = false;
        let field = Field { raw: &latest.message, escaped: latest.is_escaped };
        self.open = Some(OpenError {
            time_ms: latest.time_ms,
            line: latest.line,
            level: latest.level,
            message: field.text().into_owned(),
            trace: String::new(),
            raw: latest.raw.clone(),
        });
        let key = (latest.level, Slot::of(latest.time_ms));
        if let Entry::Occupied(mut count) = self.counts.entry(key) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    fn add_continuation(&mut self, line: &RawLine<'_>) {
        self.lines.continuation += 1;
        if self.understated.is_latest {
            self.open_understated();
        }
        let Some(open) = &mut self.open else { return };
        add_trace_line(&mut open.trace, line.bytes);
        let room = SAMPLE_BYTES.saturating_sub(open.raw.len() + 1);
        if room > 0 {
            open.raw.push(b'\n');
            open.raw.extend_from_slice(&line.bytes[..line.bytes.len().min(room)]);
        }
    }

    fn close_error(&mut self) {
        let Some(open) = self.open.take() else { return };
        let Some(group) = group_of(open.level, &open.message, &open.trace) else {
            *self.counts.entry((open.level, Slot::of(open.time_ms))).or_default() += 1;
            return;
        };
        *self.group_counts.entry((group.id, open.level, Slot::of(open.time_ms))).or_default() += 1;
        let sample = Sample { time_ms: open.time_ms, line: open.line, raw: open.raw };
        match self.sightings.entry(group.id) {
            Entry::Vacant(entry) => {
                entry.insert(Sighting { group, events: 1, first: sample.clone(), last: sample });
            }
            Entry::Occupied(mut entry) => entry.get_mut().add(sample),
        }
    }

    fn finish(mut self) -> Partial {
        self.close_error();
        let plain =
            self.counts.into_iter().map(|((level, slot), events)| Count { group: None, level, slot, events });
        let grouped = self.group_counts.into_iter().map(|((group, level, slot), events)| Count {
            group: Some(group),
            level,
            slot,
            events,
        });
        let mut counts: Vec<_> = plain.chain(grouped).collect();
        counts.sort_unstable();
        let mut sightings: Vec<_> = self.sightings.into_values().collect();
        sightings.sort_unstable_by_key(|sighting| sighting.group.id);
        Partial {
            lines: self.lines,
            decoded_bytes: 0,
            checksum: [0; 32],
            damage: None,
            span_ms: self.span_ms,
            counts,
            sightings,
            blocks: self.blocks,
            points: Vec::new(),
        }
    }
}

impl Understated {
    fn note(&mut self, line: &RawLine<'_>, event: &Event<'_>, time_ms: UtcMs) {
        let raw = event.message.raw;
        (self.time_ms, self.line, self.level) = (time_ms, line.number, event.level);
        self.is_escaped = event.message.escaped;
        self.message.clear();
        self.message.extend_from_slice(&raw[..raw.len().min(EVENT_BYTES)]);
        self.raw.clear();
        self.raw.extend_from_slice(&line.bytes[..line.bytes.len().min(SAMPLE_BYTES)]);
    }
}

/// Whether an event that says of itself that it is no error may carry a stack trace all the same: in a field of
/// its own, or in a message of several lines.
fn may_carry_trace(event: &Event<'_>) -> bool {
    if !understates(event.level) {
        return false;
    }
    let message = &event.message;
    event.trace.is_some()
        || memchr::memchr(b'\n', message.raw).is_some()
        || message.escaped && memchr::memmem::find(message.raw, b"\\n").is_some()
}

/// Whether a level is one that prints and collectors give to what has none: an event of it is an error if a stack
/// trace follows. Who writes `debug` or `warn` beside a stack trace means it.
pub fn understates(level: Level) -> bool {
    matches!(level, Level::Info | Level::Unknown)
}

/// Returns the group of an event; `None` when it is no error: neither by its level, nor by a stack trace.
pub fn group_of(level: Level, message: &str, trace: &str) -> Option<Grouped> {
    let group = crate::group::group(message, (!trace.is_empty()).then_some(trace));
    let is_error = level.is_error() || understates(level) && group.kind == GroupKind::Trace;
    is_error.then_some(group)
}

/// Adds a continuation line to the trace of its event, up to what grouping looks at.
pub fn add_trace_line(trace: &mut String, line: &[u8]) {
    if trace.len() < EVENT_BYTES {
        if !trace.is_empty() {
            trace.push('\n');
        }
        trace.push_str(&String::from_utf8_lossy(line));
    }
}

impl Sighting {
    /// Adds a later line's event.
    fn add(&mut self, sample: Sample) {
        self.events += 1;
        if sample.time_ms < self.first.time_ms {
            self.first = sample;
        } else if sample.time_ms >= self.last.time_ms {
            self.last = sample;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_carries_a_stack_trace_is_an_error_and_keeps_its_level() {
        let trace = r"java.lang.IllegalStateException: closed\n\tat com.acme.A.b(A.java:1)";
        let line =
            |level: &str, message: &str| format!("{{\"level\":\"{level}\",\"message\":\"{message}\"}}\n");
        for (level, message, is_error) in [
            ("INFO", trace, true),
            ("", trace, true),
            ("ERROR", "it broke", true),
            ("ERROR", "", true),
            ("INFO", r"no error: Exception\nfatal", false),
            ("DEBUG", trace, false),
            ("WARN", trace, false),
        ] {
            let text = line(level, message);
            let read =
                read_object(text.as_bytes(), &ReadSettings::default(), None, |_| Ok::<_, io::Error>(()));
            let partial = read.unwrap();
            let [count] = partial.counts.as_slice() else { panic!("{:?}", partial.counts) };
            assert_eq!(count.group.is_some(), is_error, "{text}");
            assert_eq!(count.level, Level::from_word(level.as_bytes()).unwrap_or_default(), "{text}");
            assert_eq!(partial.sightings.len(), usize::from(is_error), "{text}");
        }
    }

    #[test]
    fn an_event_that_a_stack_trace_follows_is_an_error_and_so_is_a_crash_alone() {
        let info = "{\"level\":\"info\",\"message\":\"serving\"}\n";
        let crash =
            "thread 'main' panicked at src/a.rs:1:2:\nno order 7\nstack backtrace:\n   0: app::main\n";
        for (text, errors, events) in [
            (format!("{info}{crash}{info}"), 1, 2),
            (crash.to_owned(), 1, 1),
            (format!("{info}  indented\n{info}"), 0, 2),
            (format!("{}{crash}", info.replace("info", "warn")), 0, 1),
        ] {
            let read =
                read_object(text.as_bytes(), &ReadSettings::default(), None, |_| Ok::<_, io::Error>(()));
            let partial = read.unwrap();
            let of_group = partial.counts.iter().filter(|count| count.group.is_some());
            assert_eq!(of_group.map(|count| count.events).sum::<u64>(), errors, "{text}");
            assert_eq!(partial.counts.iter().map(|count| count.events).sum::<u64>(), events, "{text}");
            let lines = partial.lines;
            assert_eq!(lines.events + lines.continuation + lines.unparsed, lines.total, "{text}");
        }
    }
}
