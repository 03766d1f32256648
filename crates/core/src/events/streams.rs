//! The streams of an object: one open event each, and the parts of records that wait for others.

use std::collections::{HashMap, VecDeque};

use super::frame::Depth;
use super::head::LevelHead;
use super::place::{Place, StreamPlace};
use super::{Begun, Continued, Line, STREAM_RECORDS, Step, WAITING_BYTES, WAITING_LINES};
use crate::model::{Event, Field, Level, UtcMs};
use crate::parse::{Flow, Form, Outer, Read, Turn, untagged};

/// All streams of an object.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    /// By slot.
    open: Vec<Stream>,
    free: Vec<usize>,
    slots: HashMap<u64, usize>,
    /// The key and the slot of the last record.
    last: Option<(u64, usize)>,
    /// One entry for each stream in use: its slot, and the number of a record of it.
    ages: VecDeque<(u64, usize)>,
    records: u64,
    lines: u64,
    time_ms: UtcMs,
    waiting: Vec<Waiting>,
    /// First lines of heads that go over two, one a stream.
    heads: Vec<LevelHead>,
    /// The line at which something began to wait.
    waiting_since: u64,
    waiting_bytes: usize,
}

#[derive(Clone, Debug, Default)]
struct Stream {
    key: u64,
    /// The number of its last record.
    record: u64,
    flow: Flow,
    event: Option<OpenEvent>,
}

#[derive(Clone, Copy, Debug)]
struct OpenEvent {
    line: u64,
    time_ms: UtcMs,
    level: Level,
}

/// Parts of a record, or lines of an object printed over lines, so far.
#[derive(Clone, Debug)]
pub(super) struct Waiting {
    key: u64,
    /// Whether they are lines; else parts of one.
    pub(super) is_lines: bool,
    /// Whether they stood in records of a collector.
    is_wrapped: bool,
    pub(super) text: Vec<u8>,
    pub(super) outer: Outer,
    pub(super) is_cut: bool,
    depth: Depth,
    lines: Vec<HeldLine>,
}

#[derive(Clone, Debug)]
struct HeldLine {
    number: u64,
    raw: Vec<u8>,
    /// Where its part of the text ends.
    end: usize,
}

impl Waiting {
    /// Whether these are lines as they stand in the object.
    pub(super) fn is_bare(&self) -> bool {
        !self.is_wrapped
    }

    fn add(&mut self, line: &Line<'_>, raw: &[u8], text: &[u8]) {
        if self.is_lines && !self.text.is_empty() {
            self.text.push(b'\n');
        }
        self.text.extend_from_slice(text);
        self.is_cut |= line.is_cut;
        self.lines.push(HeldLine { number: line.number, raw: raw.to_vec(), end: self.text.len() });
    }
}

impl Streams {
    pub(super) fn new(time_ms: UtcMs) -> Self {
        Self {
            open: Vec::new(),
            free: Vec::new(),
            slots: HashMap::new(),
            last: None,
            ages: VecDeque::new(),
            records: 0,
            lines: 0,
            time_ms,
            waiting: Vec::new(),
            heads: Vec::new(),
            waiting_since: 0,
            waiting_bytes: 0,
        }
    }

    pub(super) fn next_line(&mut self) {
        self.lines += 1;
        self.records += 1;
    }

    pub(super) fn next_record(&mut self) {
        self.records += 1;
    }

    pub(super) fn time_ms(&self) -> UtcMs {
        self.time_ms
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty() || !self.heads.is_empty()
    }

    /// Notes the time that lines take of which none before them has one.
    pub(super) fn begin_at(&mut self, time_ms: UtcMs) {
        self.time_ms = time_ms;
    }

    /// Whether lines of an object that stand bare in this one are waited for.
    pub(super) fn waits_for_lines(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.is_lines && waiting.is_bare())
    }

    pub(super) fn has_waited_too_long(&self) -> bool {
        self.is_waiting()
            && (self.lines - self.waiting_since >= WAITING_LINES || self.waiting_bytes >= WAITING_BYTES)
    }

    pub(super) fn is_open(&self, line: u64) -> bool {
        let is_of = |event: &OpenEvent| event.line == line;
        self.is_waiting() || self.open.iter().any(|stream| stream.event.as_ref().is_some_and(is_of))
    }

    pub(super) fn resume(&mut self, place: &Place) {
        *self = Self::new(place.time_ms);
        for stream in &place.streams {
            let slot = self.slot(stream.key);
            let StreamPlace { line, time_ms, level, flow, .. } = *stream;
            self.open[slot].flow = flow;
            self.open[slot].event = Some(OpenEvent { line, time_ms, level });
        }
    }

    /// Takes a record in: at once, or to wait. Returns what is complete with it.
    pub(super) fn take_in(
        &mut self,
        read: &Read<'_>,
        line: &Line<'_>,
        raw: &[u8],
        told: &mut dyn FnMut(Step<'_>),
    ) -> Option<Waiting> {
        if !self.heads.is_empty() && self.take_behind_head(read, line, raw, told) {
            return None;
        }
        if read.awaits_level() {
            self.hold_head(read, line, raw);
            return None;
        }
        if !self.waiting.is_empty() || read.goes_on || opens_lines(read) {
            return self.take_part(read, line, raw, told);
        }
        self.follow(read.key, Some(read), read.text, &[(line.number, raw)], line.is_cut, told);
        None
    }

    fn take_part(
        &mut self,
        read: &Read<'_>,
        line: &Line<'_>,
        raw: &[u8],
        told: &mut dyn FnMut(Step<'_>),
    ) -> Option<Waiting> {
        let at = self.waiting.iter().position(|waiting| waiting.key == read.key && waiting.is_wrapped);
        if let Some(at) = at {
            let waiting = &mut self.waiting[at];
            // A record with a head of its own is not a line of the object that waits.
            let is_of_lines = waiting.is_lines && (read.form != Form::Headless || read.goes_on);
            if is_of_lines {
                let waited = self.remove(at);
                self.settle_singly(&waited, told);
                return self.take_in(read, line, raw, told);
            }
            // Both are held: the text to be read as one record, the raw lines for samples.
            self.waiting_bytes += read.text.len() + raw.len();
            waiting.add(line, raw, read.text);
            let is_whole = if waiting.is_lines { waiting.depth.add(read.text) } else { !read.goes_on };
            return is_whole.then(|| self.remove(at));
        }
        if read.goes_on || opens_lines(read) {
            let outer = Outer::of(&read.event);
            self.begin(read.key, !read.goes_on, true, outer, line, raw, read.text);
            return None;
        }
        self.follow(read.key, Some(read), read.text, &[(line.number, raw)], line.is_cut, told);
        None
    }

    /// Takes a record whose stream has the first line of a head: the line with its level, or another. Returns whether it was
    /// the former.
    fn take_behind_head(
        &mut self,
        read: &Read<'_>,
        line: &Line<'_>,
        raw: &[u8],
        told: &mut dyn FnMut(Step<'_>),
    ) -> bool {
        let Some(head) = self.take_head(read.key) else { return false };
        if !read.is_level_line() {
            self.settle_head(&head, told);
            return false;
        }
        let read = read.saying(head.completed(&read.event));
        let lines = [(head.number, head.raw.as_slice()), (line.number, raw)];
        self.follow(head.key, Some(&read), read.text, &lines, head.is_cut || line.is_cut, told);
        true
    }

    fn take_head(&mut self, key: u64) -> Option<LevelHead> {
        let at = self.heads.iter().position(|head| head.key == key)?;
        Some(self.heads.swap_remove(at))
    }

    fn hold_head(&mut self, read: &Read<'_>, line: &Line<'_>, raw: &[u8]) {
        if !self.is_waiting() {
            (self.waiting_since, self.waiting_bytes) = (self.lines, 0);
        }
        self.waiting_bytes += read.text.len() + raw.len();
        self.heads.push(LevelHead::new(read, line, raw));
    }

    /// Follows the first line of a head by itself.
    pub(super) fn settle_head(&mut self, head: &LevelHead, told: &mut dyn FnMut(Step<'_>)) {
        let read = Read::headed(head.event(), &head.text);
        let lines = [(head.number, head.raw.as_slice())];
        self.follow(head.key, Some(&read), &head.text, &lines, head.is_cut, told);
    }

    /// Takes out the first lines of heads.
    pub(super) fn take_heads(&mut self) -> Vec<LevelHead> {
        std::mem::take(&mut self.heads)
    }

    #[expect(clippy::too_many_arguments, reason = "all of them are what waits")]
    fn begin(
        &mut self,
        key: u64,
        is_lines: bool,
        is_wrapped: bool,
        outer: Outer,
        line: &Line<'_>,
        raw: &[u8],
        text: &[u8],
    ) {
        if !self.is_waiting() {
            (self.waiting_since, self.waiting_bytes) = (self.lines, 0);
        }
        let mut waiting = Waiting {
            key,
            is_lines,
            is_wrapped,
            text: Vec::new(),
            outer,
            is_cut: false,
            depth: Depth::default(),
            lines: Vec::new(),
        };
        waiting.depth.add(text);
        waiting.add(line, raw, text);
        self.waiting_bytes += text.len() + raw.len();
        self.waiting.push(waiting);
    }

    /// Begins an object that is printed over lines.
    pub(super) fn begin_lines(&mut self, line: &Line<'_>, raw: &[u8], told: &mut dyn FnMut(Step<'_>)) {
        if let Some(head) = self.take_head(0) {
            self.settle_head(&head, told);
        }
        let text = raw.trim_ascii_start();
        let text = text.strip_prefix(b"[").unwrap_or(text);
        self.begin(0, true, false, Outer::default(), line, raw, text);
    }

    /// Adds a line to it; returns it when it is whole.
    pub(super) fn add_line(&mut self, line: &Line<'_>, raw: &[u8]) -> Option<Waiting> {
        let at = self.waiting.iter().position(|waiting| waiting.is_lines && waiting.is_bare())?;
        self.waiting_bytes += 2 * raw.len();
        let waiting = &mut self.waiting[at];
        waiting.add(line, raw, raw);
        if !waiting.depth.add(raw) {
            return None;
        }
        let end = waiting.text.trim_ascii_end();
        let end = end.strip_suffix(b",").unwrap_or(end).len();
        waiting.text.truncate(end);
        Some(self.remove(at))
    }

    fn remove(&mut self, at: usize) -> Waiting {
        self.waiting.remove(at)
    }

    /// Takes out all that waits.
    pub(super) fn take_waiting(&mut self) -> Vec<Waiting> {
        std::mem::take(&mut self.waiting)
    }

    /// Takes out the lines of an object that stand bare.
    pub(super) fn take_lines(&mut self) -> Vec<Waiting> {
        self.waiting.extract_if(.., |waiting| waiting.is_lines && waiting.is_bare()).collect()
    }

    /// Follows a record that waited for its parts.
    pub(super) fn settle(&mut self, read: &Read<'_>, waited: &Waiting, told: &mut dyn FnMut(Step<'_>)) {
        let lines: Vec<_> = waited.lines.iter().map(|line| (line.number, line.raw.as_slice())).collect();
        let key = if waited.is_wrapped { waited.key } else { read.key };
        self.follow(key, Some(read), read.text, &lines, waited.is_cut, told);
    }

    /// Follows lines that waited in vain, each by itself.
    pub(super) fn settle_singly(&mut self, waited: &Waiting, told: &mut dyn FnMut(Step<'_>)) {
        let mut start = 0;
        for line in &waited.lines {
            let text =
                &waited.text[start.min(line.end)..line.end.min(waited.text.len()).max(start.min(line.end))];
            let text = text.strip_prefix(b"\n").unwrap_or(text);
            start = line.end;
            let lines = [(line.number, line.raw.as_slice())];
            if waited.is_wrapped {
                let read = Read::headless(waited.outer, text);
                self.follow(waited.key, Some(&read), text, &lines, false, told);
            } else {
                self.follow(waited.key, None, text, &lines, false, told);
            }
        }
    }

    /// Follows a line that no format takes.
    pub(super) fn take_unread(&mut self, line: &Line<'_>, raw: &[u8], told: &mut dyn FnMut(Step<'_>)) {
        if let Some(head) = self.take_head(0) {
            self.settle_head(&head, told);
        }
        self.follow(0, None, raw, &[(line.number, raw)], line.is_cut, told);
    }

    /// Follows a record in its stream, and tells what it is; the first of its lines is the event's, if it begins one.
    fn follow(
        &mut self,
        key: u64,
        read: Option<&Read<'_>>,
        text: &[u8],
        lines: &[(u64, &[u8])],
        is_cut: bool,
        told: &mut dyn FnMut(Step<'_>),
    ) {
        let slot = self.slot_of_next(key, told);
        let stream = &mut self.open[slot];
        let before = stream.place();
        let turn = stream.flow.take(read, text);
        let Some((&(line, raw), parts)) = lines.split_first() else { return };
        let place = match (turn, before) {
            (Turn::Begins, _) => {
                let plain = Event { message: Field::plain(text), ..Event::default() };
                let event = read.map_or(&plain, |read| &read.event);
                self.begin_event(slot, (line, raw), is_cut, event, told)
            }
            (Turn::Continues, Some(before)) => {
                let added = read.map_or_else(|| untagged(text), Read::added_text);
                told(Step::Continues(Continued { slot, line, raw, text: Some(&added), before }));
                before
            }
            _ => {
                self.end_event(slot, told);
                let time_ms = self.time_ms;
                for &(line, _) in lines {
                    told(Step::Unparsed { line, time_ms });
                }
                return;
            }
        };
        for &(line, raw) in parts {
            told(Step::Continues(Continued { slot, line, raw, text: None, before: place }));
        }
    }

    fn begin_event(
        &mut self,
        slot: usize,
        (line, raw): (u64, &[u8]),
        is_cut: bool,
        event: &Event<'_>,
        told: &mut dyn FnMut(Step<'_>),
    ) -> StreamPlace {
        self.end_event(slot, told);
        // Inherited from the object, not from the stream: what a search reads begins with one time for all streams.
        let time_ms = event.time_ms.unwrap_or(self.time_ms);
        self.time_ms = time_ms;
        let open = OpenEvent { line, time_ms, level: event.level };
        let stream = &mut self.open[slot];
        stream.event = Some(open);
        let place = stream.place_of(open);
        told(Step::Begins(Begun { slot, line, raw, is_cut, event, time_ms }));
        place
    }

    fn end_event(&mut self, slot: usize, told: &mut dyn FnMut(Step<'_>)) {
        if self.open[slot].event.take().is_some() {
            told(Step::Ends { slot });
        }
    }

    /// Returns the slot of a stream at its next record. One that is too old begins again.
    fn slot_of_next(&mut self, key: u64, told: &mut dyn FnMut(Step<'_>)) -> usize {
        let slot = match self.last {
            // Most lines are of the stream of the one before, and most objects have one stream: no hash is looked up.
            Some((last, slot)) if last == key => slot,
            _ => self.slot(key),
        };
        self.last = Some((key, slot));
        let stream = &mut self.open[slot];
        if stream.record + STREAM_RECORDS < self.records {
            stream.flow = Flow::default();
            self.end_event(slot, told);
        }
        self.open[slot].record = self.records;
        slot
    }

    fn slot(&mut self, key: u64) -> usize {
        if let Some(&slot) = self.slots.get(&key) {
            return slot;
        }
        let stream = Stream { key, record: self.records, ..Stream::default() };
        let slot = self.free.pop().unwrap_or(self.open.len());
        if slot == self.open.len() {
            self.open.push(stream);
        } else {
            self.open[slot] = stream;
        }
        self.slots.insert(key, slot);
        self.ages.push_back((self.records, slot));
        slot
    }

    /// Forgets the streams whose last record lies far back.
    pub(super) fn forget_old(&mut self, told: &mut dyn FnMut(Step<'_>)) {
        while let Some(&(record, slot)) = self.ages.front()
            && record + STREAM_RECORDS < self.records
        {
            self.ages.pop_front();
            let stream = &self.open[slot];
            if stream.record + STREAM_RECORDS < self.records {
                self.end_event(slot, told);
                self.slots.remove(&self.open[slot].key);
                self.last = self.last.filter(|&(_, last)| last != slot);
                self.free.push(slot);
            } else {
                // The entry was old, the stream is not. Each stream has one entry, moved back when it comes up, so a
                // line costs nothing here.
                self.ages.push_back((stream.record, slot));
            }
        }
    }

    /// Returns how many streams, ages of streams and lines that wait are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        let waiting: usize = self.waiting.iter().map(|waiting| waiting.lines.len()).sum();
        self.open.len() + self.slots.len() + self.ages.len() + waiting + self.heads.len()
    }

    pub(super) fn end(&mut self, told: &mut dyn FnMut(Step<'_>)) {
        for slot in 0..self.open.len() {
            self.end_event(slot, told);
        }
    }
}

impl Stream {
    fn place(&self) -> Option<StreamPlace> {
        self.event.map(|event| self.place_of(event))
    }

    fn place_of(&self, OpenEvent { line, time_ms, level }: OpenEvent) -> StreamPlace {
        StreamPlace { key: self.key, line, time_ms, level, flow: self.flow }
    }
}

/// Whether a record holds the first line of a JSON object that is printed over lines.
fn opens_lines(read: &Read<'_>) -> bool {
    read.form == Form::Headless && super::frame::opens(read.text)
}
