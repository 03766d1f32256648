//! Lines to events: the one reader of an object, for counting and searching alike.
//!
//! How a line travels:
//!
//! 1. **Frame.** A [`Reader`] takes the lines of an object in order. Most lines are one record. `frame` finds several on
//!    one line (JSON objects one behind the other, arrays), and `streams` holds back those that are only a part of one: a
//!    JSON object printed over lines, a line that docker, a CRI runtime or `FireLens` cut.
//! 2. **Unwrap.** What collectors put around the application's own line is taken off (`parse::unwrap`), and says which
//!    stream the line belongs to: a container's output, or a tag.
//! 3. **Follow.** Each stream has at most one open event. `parse::flow` decides whether the next line of the stream begins
//!    another, belongs to it, or is unparsed, whatever other streams wrote in between.
//! 4. **Tell.** All of that is told in [`Step`]s, through one callback: what each line is, and when an event is complete.
//!
//! **Where a search may begin.** What a line is depends only on the lines before it back to the last place at which the
//! reader [`is_settled`](Reader::is_settled), and on the streams with an open event there. Blocks of the index begin at
//! such places and carry those streams ([`Place`]) that go on in the block. So a search that reads one block learns of
//! each line what the count did.
//!
//! **Before the first time.** Lines at the start of an object that say no time take that of the first event that has one
//! (`scout`); where none comes within the bounds, that of the object's key.
//!
//! **Bounds.** A stream is forgotten when [`STREAM_RECORDS`] records of others came since its last one. Parts of lines wait
//! for [`WAITING_LINES`] lines or [`WAITING_BYTES`] at the most. Both are functions of the lines alone.

mod frame;
mod head;
mod place;
mod sample;
mod scout;
mod streams;
#[cfg(test)]
pub(crate) mod tests;

pub use place::{Place, StreamPlace};
pub use sample::{SampleText, read_sample};
use scout::{Scout, Sight};
use streams::Streams;

use crate::model::{Day, Event, Field, Level, UtcMs};
use crate::parse::{LineParser, Outer, ParseSettings, Scratch, strip};

/// A stream whose last record lies further back than this is forgotten.
pub const STREAM_RECORDS: u64 = 4096;
/// Parts of records wait for no more lines than this, counted from the first that waits.
pub const WAITING_LINES: u64 = 1000;
/// Parts of records that wait are no more bytes than this.
pub const WAITING_BYTES: usize = 2 << 20;

/// A line of an object.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// The place in the object, counted from 1.
    pub number: u64,
    /// Its bytes without the newline, cut at the line limit.
    pub bytes: &'a [u8],
    /// Whether it was cut.
    pub is_cut: bool,
}

/// What the reader tells, in order. A line that waits for others is told once they have come.
#[derive(Clone, Copy, Debug)]
pub enum Step<'a> {
    /// A line begins an event. The event that was open in its slot has ended before.
    Begins(Begun<'a>),
    /// A line belongs to an open event.
    Continues(Continued<'a>),
    /// A line belongs to no event.
    Unparsed {
        /// Its number.
        line: u64,
        /// The time that it inherits.
        time_ms: UtcMs,
    },
    /// The event in this slot is complete.
    Ends {
        /// The slot.
        slot: usize,
    },
}

/// The beginning of an event.
#[derive(Clone, Copy, Debug)]
pub struct Begun<'a> {
    /// A small number that is the event's own until it ends.
    pub slot: usize,
    /// The number of the line.
    pub line: u64,
    /// The record: the line, or a part of it.
    pub raw: &'a [u8],
    /// Whether the line was cut.
    pub is_cut: bool,
    /// What the record says.
    pub event: &'a Event<'a>,
    /// When it happened: its own time, or the one it inherits.
    pub time_ms: UtcMs,
}

/// A further line of an event.
#[derive(Clone, Copy, Debug)]
pub struct Continued<'a> {
    /// The slot of its event.
    pub slot: usize,
    /// The number of the line.
    pub line: u64,
    /// The record: the line, or a part of it.
    pub raw: &'a [u8],
    /// What it adds to the event's text, without what collectors put around it; `None` for a part of a record that was
    /// told as a whole.
    pub text: Option<&'a [u8]>,
    /// Where its stream was before it.
    pub before: StreamPlace,
}

/// Reads the lines of one object.
#[derive(Clone, Debug)]
pub struct Reader {
    parser: LineParser,
    scratch: Scratch,
    streams: Streams,
    /// Before the first event with a time.
    scout: Option<Scout>,
}

impl Reader {
    /// Returns a reader at the beginning of an object whose key names `day`. What has no time before the first event that
    /// has one takes that event's; without one, it is of `time_ms`.
    pub fn new(settings: &ParseSettings, day: Option<Day>, time_ms: UtcMs) -> Self {
        let reader = Self {
            parser: LineParser::new(settings, day),
            scratch: Scratch::default(),
            streams: Streams::new(time_ms),
            scout: None,
        };
        // The scout reads ahead with a reader of its own: looking for a time must not move the one that
        // tells.
        Self { scout: Some(Scout::new(reader.clone())), ..reader }
    }

    /// Takes the next line.
    pub fn read(&mut self, line: &Line<'_>, told: &mut dyn FnMut(Step<'_>)) {
        let Some(scout) = &mut self.scout else { return self.read_now(line, told) };
        match scout.read(line) {
            Sight::Nothing => {}
            Sight::Time(time_ms) => {
                self.streams.begin_at(time_ms);
                self.read_held(told);
            }
            Sight::TooFar => self.read_held(told),
        }
    }

    /// Reads the lines that have waited for a time.
    fn read_held(&mut self, told: &mut dyn FnMut(Step<'_>)) {
        let Some(scout) = self.scout.take() else { return };
        for line in scout.lines() {
            self.read_now(&line, told);
        }
    }

    fn read_now(&mut self, line: &Line<'_>, told: &mut dyn FnMut(Step<'_>)) {
        self.streams.next_line();
        let bytes = strip(line.bytes);
        // First, because a line of an object that is printed over lines can look like a whole record.
        if self.streams.waits_for_lines() && self.wait_on(line, bytes, told) {
            return;
        }
        // Before the parser, which would take the envelope and all its records for one event.
        if bytes.first() == Some(&b'{')
            && let Some(records) = frame::held(bytes)
        {
            return self.read_held_records(&records, line, told);
        }
        let Some(read) = self.parser.read(bytes, line.is_cut, &mut self.scratch) else {
            self.read_framed(line, bytes, told);
            return self.let_go(told);
        };
        if read.is_wrapped && read.is_text() && memchr::memchr(b'\n', read.text).is_some() {
            let heads = self.parser.heads_in(read.text);
            if heads.len() > 1 && !self.streams.is_waiting() {
                // Copied, as the text may stand in the scratch memory, which each of its parts uses again.
                let (text, key) = (read.text.to_vec(), read.key);
                return self.read_joined(&text, &heads, key, line, told);
            }
        }
        if let Some(waited) = self.streams.take_in(&read, line, bytes, told) {
            self.read_waited(&waited, told);
        }
        self.let_go(told);
    }

    /// Reads the records of an object that holds several; each is an event.
    fn read_held_records(
        &mut self,
        records: &[frame::Held<'_>],
        line: &Line<'_>,
        told: &mut dyn FnMut(Step<'_>),
    ) {
        for held in records {
            self.streams.next_record();
            let Some(read) = self.parser.read(held.record, false, &mut self.scratch) else {
                self.streams.take_unread(line, held.record, told);
                continue;
            };
            let logger = read.event.logger.or(held.logger.map(Field::string));
            let read = read.saying(Event { logger, ..read.event });
            if let Some(waited) = self.streams.take_in(&read, line, held.record, told) {
                self.read_waited(&waited, told);
            }
        }
        self.let_go(told);
    }

    /// Reads the lines that a collector joined to one record, each of which begins an event at its head.
    fn read_joined(
        &mut self,
        text: &[u8],
        heads: &[usize],
        key: u64,
        line: &Line<'_>,
        told: &mut dyn FnMut(Step<'_>),
    ) {
        let ends = heads.iter().skip(1).copied().chain([text.len()]);
        for (&start, end) in heads.iter().zip(ends) {
            let record = text[start..end].trim_ascii_end();
            self.streams.next_record();
            let mut read = self.parser.read_inner(record, line.is_cut, Outer::default(), &mut self.scratch);
            read.key = key;
            let waited = self.streams.take_in(&read, line, record, told);
            debug_assert!(waited.is_none(), "nothing waits");
        }
        self.let_go(told);
    }

    /// Ends the object: what waits or is open is complete.
    pub fn end(&mut self, told: &mut dyn FnMut(Step<'_>)) {
        self.read_held(told);
        self.give_up_waiting(told);
        self.streams.end(told);
    }

    /// Whether every line so far has been told.
    pub fn is_settled(&self) -> bool {
        self.scout.is_none() && !self.streams.is_waiting()
    }

    /// Whether an event that began at a line may still go on.
    pub fn is_open(&self, line: u64) -> bool {
        self.scout.is_some() || self.streams.is_open(line)
    }

    /// Returns the time that a line without one inherits.
    pub fn time_ms(&self) -> UtcMs {
        self.streams.time_ms()
    }

    /// Returns time and level of a line that begins an event with a time of its own, whatever stands before it in the
    /// object; `None` for others, and for lines of which that is not sure.
    pub fn read_alone(&mut self, line: &[u8]) -> Option<(UtcMs, Level)> {
        let line = strip(line);
        let read = self.parser.read_alone(line, &mut self.scratch)?;
        // Taken off by nothing: what a collector put in front may belong to a stream, whose event this line continues.
        let is_bare = read.key == 0 && !read.goes_on && read.text.as_ptr() == line.as_ptr();
        let is_sure = is_bare && !read.may_go_on() && !read.awaits_level();
        read.event.time_ms.filter(|_| is_sure).map(|time_ms| (time_ms, read.event.level))
    }

    /// Goes on elsewhere in the object, at a place where a block begins.
    pub fn resume(&mut self, place: &Place) {
        self.scout = None;
        // The place has the time, so no scout needs to look for one.
        self.parser.after(place.time_ms);
        self.streams.resume(place);
    }

    /// Adds a line to a JSON object that is printed over lines. Returns whether it may be a line of it.
    fn wait_on(&mut self, line: &Line<'_>, bytes: &[u8], told: &mut dyn FnMut(Step<'_>)) -> bool {
        if !frame::may_go_on(bytes) {
            self.give_up_lines(told);
            return false;
        }
        if let Some(waited) = self.streams.add_line(line, bytes) {
            self.read_waited(&waited, told);
        }
        self.let_go(told);
        true
    }

    /// Reads a line that no format takes as it stands.
    fn read_framed(&mut self, line: &Line<'_>, bytes: &[u8], told: &mut dyn FnMut(Step<'_>)) {
        if let Some(records) = frame::records(bytes) {
            for record in records {
                self.streams.next_record();
                let Some(read) = self.parser.read(record, false, &mut self.scratch) else {
                    self.streams.take_unread(line, record, told);
                    continue;
                };
                if let Some(waited) = self.streams.take_in(&read, line, record, told) {
                    self.read_waited(&waited, told);
                }
            }
            return;
        }
        if let Some(record) = frame::as_json(bytes)
            && let Some(read) = self.parser.read(&record, false, &mut self.scratch)
        {
            let waited = self.streams.take_in(&read, line, bytes, told);
            debug_assert!(waited.is_none(), "a record by itself has no parts");
            return;
        }
        // The rest of a line that was cut is not there, so its brackets would never close.
        if !line.is_cut && frame::opens(bytes) {
            self.streams.begin_lines(line, bytes, told);
            return;
        }
        self.streams.take_unread(line, bytes, told);
    }

    /// Reads parts of a record that are complete.
    fn read_waited(&mut self, waited: &streams::Waiting, told: &mut dyn FnMut(Step<'_>)) {
        let is_bare = waited.is_bare();
        let read = if is_bare {
            self.parser.read(&waited.text, waited.is_cut, &mut self.scratch)
        } else {
            Some(self.parser.read_inner(&waited.text, waited.is_cut, waited.outer, &mut self.scratch))
        };
        match read {
            Some(read) if !is_bare || read.text.first() == Some(&b'{') => {
                self.streams.settle(&read, waited, told);
            }
            _ => self.streams.settle_singly(waited, told),
        }
    }

    /// Completes what has waited too long.
    fn let_go(&mut self, told: &mut dyn FnMut(Step<'_>)) {
        if self.streams.has_waited_too_long() {
            self.give_up_waiting(told);
        }
        self.streams.forget_old(told);
    }

    fn give_up_lines(&mut self, told: &mut dyn FnMut(Step<'_>)) {
        for waited in self.streams.take_lines() {
            self.streams.settle_singly(&waited, told);
        }
    }

    fn give_up_waiting(&mut self, told: &mut dyn FnMut(Step<'_>)) {
        for head in self.streams.take_heads() {
            self.streams.settle_head(&head, told);
        }
        for mut waited in self.streams.take_waiting() {
            if waited.is_lines {
                self.streams.settle_singly(&waited, told);
            } else {
                // Its last parts are missing, so a JSON object may break off in a value.
                waited.is_cut = true;
                self.read_waited(&waited, told);
            }
        }
    }
}
