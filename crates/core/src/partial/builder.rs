//! Follows the lines of one object: what they add up to, and the blocks they make.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::event::EventGrouper;
use super::{About, Block, Count, Partial, ReadSettings, Sample, Sighting, day_start_ms};
use crate::events::{Begun, Continued, Step};
use crate::model::{GroupId, Level, LineCounts, RawLine, Slot, UtcMs};
use crate::words::BlockWords;

/// A block is closed at the next event after this many lines,
const BLOCK_LINES: u64 = 128;
/// or this many bytes,
const BLOCK_BYTES: u64 = 128 << 10;
/// and at this many times either, whether an event begins or not.
const BLOCK_STRETCH: u64 = 8;

/// Takes a whole block and its words.
pub(super) type HandOut<'h> = &'h mut dyn FnMut(&Block, &BlockWords);

/// Follows the lines of one object.
pub(super) struct Builder<'s> {
    lines: LineCounts,
    /// The lines of which nothing was told when they were read: what they are shows later, or at the end.
    held: HashSet<u64>,
    counts: HashMap<(Level, Slot), u64>,
    group_counts: HashMap<(GroupId, Level, Slot), u64>,
    sightings: HashMap<GroupId, Sighting>,
    span_ms: Option<(UtcMs, UtcMs)>,
    blocks: u64,
    block: Block,
    /// The CRC-32 of the block's bytes so far.
    crc: crc32fast::Hasher,
    words: BlockWords,
    carry_ms: UtcMs,
    /// By slot.
    open: Vec<Option<OpenEvent>>,
    grouper: EventGrouper<'s>,
    asked: &'s [u64],
    answers: Vec<(u64, GroupId)>,
}

/// An event that is not complete.
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
            held: HashSet::new(),
            counts: HashMap::new(),
            group_counts: HashMap::new(),
            sightings: HashMap::new(),
            span_ms: None,
            blocks: 0,
            block: Block::default(),
            crc: crc32fast::Hasher::new(),
            words: BlockWords::default(),
            carry_ms: day_start_ms(about.day, &settings.parse),
            open: Vec::new(),
            grouper: EventGrouper::new(settings, about),
            asked: about.asked,
            answers: Vec::new(),
        }
    }

    /// Begins with the object's next line; `is_settled`: all before it have been told.
    pub(super) fn next_line<'b>(
        &'b mut self,
        line: &'b RawLine<'b>,
        is_settled: bool,
        hand_out: HandOut<'b>,
    ) -> Adding<'b, 's> {
        self.lines.total += 1;
        self.lines.truncated += u64::from(line.truncated);
        Adding { builder: self, line, is_settled, is_added: false, told: 0, hand_out }
    }

    fn block_is_full(&self, at_event: bool) -> bool {
        let over =
            |times: u64| self.block.lines >= times * BLOCK_LINES || self.block.length >= times * BLOCK_BYTES;
        if at_event { over(1) } else { over(BLOCK_STRETCH) }
    }

    /// Hands out the block, if it has lines, and makes room for the next one in its memory.
    pub(super) fn close_block(&mut self, hand_out: HandOut<'_>) {
        if self.block.lines == 0 {
            return;
        }
        self.block.crc = std::mem::take(&mut self.crc).finalize();
        hand_out(&self.block, &self.words);
        self.blocks += 1;
        self.words.clear();
        self.block = Block::default();
    }

    /// Takes what is told of a line after it was read, or when an event ends.
    pub(super) fn take_late(&mut self, step: Step<'_>) {
        if let Some(line) = line_of(&step) {
            // A line that holds several records counts as that many, so all after the first add one.
            self.lines.total += u64::from(!self.held.remove(&line));
        }
        self.take(step);
    }

    /// Takes what a line of the block at hand is.
    fn take(&mut self, step: Step<'_>) {
        match step {
            Step::Begins(begun) => self.begin_event(&begun),
            Step::Continues(continued) => self.go_on(&continued),
            Step::Unparsed { time_ms, .. } => {
                self.lines.unparsed += 1;
                self.add_to_span(Level::Unknown, time_ms);
            }
            Step::Ends { slot } => self.end_event(slot),
        }
    }

    fn start_block(&mut self, line: &RawLine<'_>) {
        if self.block.lines == 0 {
            self.block.first_line = line.number;
            self.block.offset = line.offset;
            self.block.place.time_ms = self.carry_ms;
            (self.block.first_ms, self.block.last_ms) = (UtcMs::MAX, UtcMs::MIN);
        }
    }

    fn add_to_block(&mut self, line: &RawLine<'_>) {
        self.block.lines += 1;
        self.block.length += line.len_bytes;
        self.crc.update(line.whole);
        // The bytes behind the line limit are not held, but a search compares the whole block: their checksum is
        // combined in.
        let dropped_bytes = line.len_bytes - line.whole.len() as u64;
        if dropped_bytes > 0 {
            self.crc.combine(&crc32fast::Hasher::new_with_initial_len(line.dropped_crc, dropped_bytes));
        }
        self.words.add_line(line.bytes);
        self.words.has_cut_line |= line.truncated;
    }

    /// Notes what a line of the block inherits.
    fn add_to_span(&mut self, level: Level, time_ms: UtcMs) {
        let block = &mut self.block;
        block.levels |= level.bit();
        block.first_ms = block.first_ms.min(time_ms);
        block.last_ms = block.last_ms.max(time_ms);
    }

    fn begin_event(&mut self, begun: &Begun<'_>) {
        let Begun { slot, line, event, time_ms, .. } = *begun;
        self.lines.events += 1;
        self.lines.undated += u64::from(event.time_ms.is_none());
        self.carry_ms = time_ms;
        let span = self.span_ms.get_or_insert((time_ms, time_ms));
        *span = (span.0.min(time_ms), span.1.max(time_ms));
        self.add_to_span(event.level, time_ms);
        if self.open.len() <= slot {
            self.open.resize(slot + 1, None);
        }
        self.open[slot] = Some(OpenEvent { time_ms, line, level: event.level });
        self.grouper.begin(begun);
    }

    fn go_on(&mut self, continued: &Continued<'_>) {
        self.lines.continuation += 1;
        let before = continued.before;
        self.add_to_span(before.level, before.time_ms);
        let place = &mut self.block.place;
        if before.line < self.block.first_line && !place.streams.iter().any(|stream| stream.key == before.key)
        {
            place.streams.push(before);
        }
        self.grouper.add(continued);
    }

    fn end_event(&mut self, slot: usize) {
        let Some(OpenEvent { time_ms, line, level }) = self.open.get_mut(slot).and_then(Option::take) else {
            return;
        };
        let when = Slot::of(time_ms);
        let Some((group, raw)) = self.grouper.close(slot) else {
            *self.counts.entry((level, when)).or_default() += 1;
            return;
        };
        if self.asked.binary_search(&line).is_ok() {
            self.answers.push((line, group.id));
        }
        *self.group_counts.entry((group.id, level, when)).or_default() += 1;
        let sample = Sample { time_ms, line, raw };
        match self.sightings.entry(group.id) {
            Entry::Vacant(entry) => {
                entry.insert(Sighting { group, events: 1, first: sample.clone(), last: sample });
            }
            Entry::Occupied(mut entry) => entry.get_mut().add(sample),
        }
    }

    pub(super) fn finish(mut self) -> Partial {
        self.answers.sort_unstable();
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

/// A line on its way into a block. Which block that is shows what the line turns out to be.
pub(super) struct Adding<'b, 's> {
    builder: &'b mut Builder<'s>,
    line: &'b RawLine<'b>,
    is_settled: bool,
    is_added: bool,
    /// What was told of the line.
    told: u64,
    hand_out: HandOut<'b>,
}

impl Adding<'_, '_> {
    /// Takes what is told while the line is read.
    pub(super) fn take(&mut self, step: Step<'_>) {
        let Some(line) = line_of(&step) else { return self.builder.take(step) };
        self.add(matches!(step, Step::Begins(_)));
        if line != self.line.number {
            return self.builder.take_late(step);
        }
        self.told += 1;
        self.builder.take(step);
    }

    /// Ends with the line. One that holds several records counts as that many.
    pub(super) fn end(mut self) {
        // What waits may begin an event.
        self.add(true);
        if self.told == 0 {
            self.builder.held.insert(self.line.number);
        }
        self.builder.lines.total += self.told.saturating_sub(1);
    }

    fn add(&mut self, begins_event: bool) {
        if std::mem::replace(&mut self.is_added, true) {
            return;
        }
        // A block begins where nothing waits, or a search that starts there would take the parts of a record for
        // lines.
        if self.is_settled && self.builder.block_is_full(begins_event) {
            self.builder.close_block(self.hand_out);
        }
        self.builder.start_block(self.line);
        self.builder.add_to_block(self.line);
    }
}

/// The number of the line that a step tells of.
fn line_of(step: &Step<'_>) -> Option<u64> {
    match step {
        Step::Begins(begun) => Some(begun.line),
        Step::Continues(continued) => Some(continued.line),
        Step::Unparsed { line, .. } => Some(*line),
        Step::Ends { .. } => None,
    }
}

impl Sighting {
    /// Adds another event.
    fn add(&mut self, sample: Sample) {
        self.events += 1;
        let place = |sample: &Sample| (sample.time_ms, sample.line);
        if place(&sample) < place(&self.first) {
            self.first = sample;
        } else if place(&sample) >= place(&self.last) {
            self.last = sample;
        }
    }
}
