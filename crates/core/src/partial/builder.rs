//! Follows the lines of one object: what they add up to, and the blocks they make.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::event::EventGrouper;
use super::{About, Block, Count, Partial, ReadSettings, Sample, Sighting, day_start_ms};
use crate::model::{Event, GroupId, Level, LineCounts, RawLine, Slot, UtcMs};
use crate::parse::Parsed;

/// A block is closed at the next event after so many lines,
const BLOCK_LINES: u64 = 128;
/// or so many bytes,
const BLOCK_BYTES: u64 = 128 << 10;
/// and, event or not, at so many times either.
const BLOCK_STRETCH: u64 = 8;

/// Follows the lines of one object.
pub(super) struct Builder<'s> {
    lines: LineCounts,
    counts: HashMap<(Level, Slot), u64>,
    group_counts: HashMap<(GroupId, Level, Slot), u64>,
    sightings: HashMap<GroupId, Sighting>,
    span_ms: Option<(UtcMs, UtcMs)>,
    blocks: u64,
    pub(super) block: Block,
    carry_ms: UtcMs,
    carry_level: Level,
    open: Option<OpenEvent>,
    grouper: EventGrouper<'s>,
    asked: &'s [u64],
    answers: Vec<(u64, GroupId)>,
}

/// The event that the next continuation line belongs to.
#[derive(Clone, Copy)]
struct OpenEvent {
    time_ms: UtcMs,
    line: u64,
    level: Level,
}

impl<'s> Builder<'s> {
    pub(super) fn new(settings: &'s ReadSettings, about: &About<'s>) -> Self {
        Self {
            lines: LineCounts::default(),
            counts: HashMap::new(),
            group_counts: HashMap::new(),
            sightings: HashMap::new(),
            span_ms: None,
            blocks: 0,
            block: Block::default(),
            carry_ms: day_start_ms(about.day, &settings.parse),
            carry_level: Level::Unknown,
            open: None,
            grouper: EventGrouper::new(settings, about),
            asked: about.asked,
            answers: Vec::new(),
        }
    }

    pub(super) fn block_is_full(&self, at_event: bool) -> bool {
        let over =
            |times: u64| self.block.lines >= times * BLOCK_LINES || self.block.length >= times * BLOCK_BYTES;
        if at_event { over(1) } else { over(BLOCK_STRETCH) }
    }

    /// Makes room for the next block, in the memory of the last.
    pub(super) fn close_block(&mut self) {
        self.blocks += 1;
        let mut words = std::mem::take(&mut self.block.words);
        words.clear();
        self.block = Block { words, ..Block::default() };
    }

    pub(super) fn add(&mut self, line: &RawLine<'_>, parsed: &Parsed<'_>) {
        self.start_block(line);
        self.lines.total += 1;
        self.lines.truncated += u64::from(line.truncated);
        match parsed {
            Parsed::Event(event) => self.add_event(line, event),
            Parsed::Continuation => {
                self.lines.continuation += 1;
                self.grouper.add(line.bytes);
            }
            Parsed::Unparsed => {
                self.lines.unparsed += 1;
                self.close_event();
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
        block.crc.update(line.whole);
        let dropped_bytes = line.len_bytes - line.whole.len() as u64;
        if dropped_bytes > 0 {
            block.crc.combine(&crc32fast::Hasher::new_with_initial_len(line.dropped_crc, dropped_bytes));
        }
        block.words.add_line(line.bytes);
        block.words.has_cut_line |= line.truncated;
    }

    fn add_event(&mut self, line: &RawLine<'_>, event: &Event<'_>) {
        self.close_event();
        self.lines.events += 1;
        self.lines.undated += u64::from(event.time_ms.is_none());
        let time_ms = event.time_ms.unwrap_or(self.carry_ms);
        self.carry_ms = time_ms;
        self.carry_level = event.level;
        let span = self.span_ms.get_or_insert((time_ms, time_ms));
        *span = (span.0.min(time_ms), span.1.max(time_ms));
        self.open = Some(OpenEvent { time_ms, line: line.number, level: event.level });
        self.grouper.begin(line.bytes, line.truncated, event);
    }

    fn close_event(&mut self) {
        let Some(OpenEvent { time_ms, line, level }) = self.open.take() else { return };
        let slot = Slot::of(time_ms);
        let Some((group, raw)) = self.grouper.close() else {
            *self.counts.entry((level, slot)).or_default() += 1;
            return;
        };
        if self.asked.binary_search(&line).is_ok() {
            self.answers.push((line, group.id));
        }
        *self.group_counts.entry((group.id, level, slot)).or_default() += 1;
        let sample = Sample { time_ms, line, raw };
        match self.sightings.entry(group.id) {
            Entry::Vacant(entry) => {
                entry.insert(Sighting { group, events: 1, first: sample.clone(), last: sample });
            }
            Entry::Occupied(mut entry) => entry.get_mut().add(sample),
        }
    }

    pub(super) fn finish(mut self) -> Partial {
        self.close_event();
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
            answers: self.answers,
        }
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
