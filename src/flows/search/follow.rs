//! What the lines of an object are, for a search: each line that may match waits until its event is known.

use std::collections::{HashMap, VecDeque};

use gzette_core::events::{Line, Place, Reader, Step};
use gzette_core::model::{Day, GroupId, Level, UtcMs};
use gzette_core::partial::{About, EventGrouper, ReadSettings, day_start_ms};

/// What a line belongs to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fact {
    /// The number of its event among those told; `None` for a line that belongs to none.
    event: Option<u64>,
    pub(super) time_ms: UtcMs,
    pub(super) level: Level,
}

impl Fact {
    /// Returns the event of a line about which nothing was reported.
    pub(super) fn unknown(time_ms: UtcMs) -> Self {
        Self { event: None, time_ms, level: Level::Unknown }
    }
}

/// A line that may match, and what it belongs to: a line that holds several records belongs to several events.
struct Waiting {
    line: u64,
    raw: Vec<u8>,
    facts: Vec<Fact>,
    /// Whether the reader has taken it.
    is_read: bool,
}

/// A line whose events are known.
pub(super) struct Known {
    pub(super) line: u64,
    pub(super) raw: Vec<u8>,
    pub(super) facts: Vec<(Fact, Option<GroupId>)>,
}

/// Follows the events of an object.
pub(super) struct Follower<'s> {
    reader: Reader,
    settings: &'s ReadSettings,
    day: Option<Day>,
    told: Told<'s>,
}

/// What the reader told.
struct Told<'s> {
    /// Follows the groups of the events, where they are wanted.
    grouper: Option<EventGrouper<'s>>,
    /// The number of the event in each slot.
    slots: Vec<u64>,
    events: u64,
    /// The groups of complete events.
    groups: HashMap<u64, Option<GroupId>>,
    /// In the order of the lines.
    waiting: VecDeque<Waiting>,
    latest: Option<(u64, Fact)>,
}

impl<'s> Follower<'s> {
    pub(super) fn new(settings: &'s ReadSettings, about: &About<'_>, with_groups: bool) -> Self {
        Self {
            reader: Reader::new(&settings.parse, about.day, day_start_ms(about.day, &settings.parse)),
            settings,
            day: about.day,
            told: Told {
                grouper: with_groups.then(|| EventGrouper::new(settings, about)),
                slots: Vec::new(),
                events: 0,
                groups: HashMap::new(),
                waiting: VecDeque::new(),
                latest: None,
            },
        }
    }

    /// Begins elsewhere in the object, where line `first` stands. What waited has to be taken before.
    pub(super) fn begin(&mut self, place: &Place, first: u64) {
        if first == 1 {
            self.reader = Reader::new(&self.settings.parse, self.day, place.time_ms);
        } else {
            self.reader.resume(place);
        }
        self.told.slots.clear();
        for number in 0..place.streams.len() {
            self.told.begin(number);
        }
    }

    /// Takes the next line of the object, of whose bytes the head is read.
    pub(super) fn read(&mut self, number: u64, raw: &[u8]) {
        let bytes = raw.get(..self.settings.limits.max_line_bytes).unwrap_or(raw);
        let line = Line { number, bytes, is_cut: bytes.len() < raw.len() };
        let told = &mut self.told;
        self.reader.read(&line, &mut |step| told.take(step));
    }

    /// As [`Follower::read`], of a line that may match.
    pub(super) fn read_match(&mut self, number: u64, raw: &[u8]) {
        let waiting = Waiting { line: number, raw: raw.to_vec(), facts: Vec::new(), is_read: false };
        self.told.waiting.push_back(waiting);
        self.read(number, raw);
        if let Some(last) = self.told.waiting.back_mut() {
            last.is_read = true;
        }
    }

    /// Ends the object, or a stretch of it after which nothing is known.
    pub(super) fn end(&mut self) {
        let told = &mut self.told;
        self.reader.end(&mut |step| told.take(step));
    }

    /// Whether nothing waits for further lines.
    pub(super) fn is_settled(&self) -> bool {
        self.reader.is_settled()
    }

    /// Returns the next line whose events are known; `is_end`: no further lines will tell more.
    pub(super) fn next_known(&mut self, is_end: bool) -> Option<Known> {
        let is_settled = self.reader.is_settled();
        let told = &mut self.told;
        let front = told.waiting.front()?;
        let is_told = front.is_read && (!front.facts.is_empty() || is_settled);
        let has_groups = front.facts.iter().all(|fact| told.knows_group(fact));
        if !(is_end || is_told && has_groups) {
            return None;
        }
        let Waiting { line, raw, facts, .. } = told.waiting.pop_front()?;
        let facts = facts.into_iter().map(|fact| (fact, told.group_of(&fact))).collect();
        told.forget();
        Some(Known { line, raw, facts })
    }

    /// Returns what a line belongs to, if it is the last that was told.
    pub(super) fn latest(&self, line: u64) -> Fact {
        let latest = self.told.latest.filter(|(told, _)| *told == line);
        latest.map_or(Fact::unknown(self.reader.time_ms()), |(_, fact)| fact)
    }

    /// Returns time and level of a line that states them itself, whatever comes before it.
    pub(super) fn alone(&mut self, raw: &[u8]) -> Option<(UtcMs, Level)> {
        // A line that was cut is read by its head, which may lack the field that counts.
        if raw.len() > self.settings.limits.max_line_bytes {
            return None;
        }
        self.reader.read_alone(raw)
    }
}

impl Told<'_> {
    fn take(&mut self, step: Step<'_>) {
        match step {
            Step::Begins(begun) => {
                let event = Some(self.begin(begun.slot));
                if let Some(grouper) = &mut self.grouper {
                    grouper.begin(&begun);
                }
                self.note(begun.line, Fact { event, time_ms: begun.time_ms, level: begun.event.level });
            }
            Step::Continues(continued) => {
                let before = continued.before;
                let event = self.slots.get(continued.slot).copied();
                self.note(continued.line, Fact { event, time_ms: before.time_ms, level: before.level });
                if let Some(grouper) = &mut self.grouper {
                    grouper.add(&continued);
                    if grouper.is_full(continued.slot) {
                        self.complete(continued.slot);
                    }
                }
            }
            Step::Unparsed { line, time_ms } => {
                self.note(line, Fact { event: None, time_ms, level: Level::Unknown });
            }
            Step::Ends { slot } => self.complete(slot),
        }
    }

    /// Returns the number of a new event.
    fn begin(&mut self, slot: usize) -> u64 {
        self.events += 1;
        if self.slots.len() <= slot {
            self.slots.resize(slot + 1, 0);
        }
        self.slots[slot] = self.events;
        self.events
    }

    fn complete(&mut self, slot: usize) {
        if let (Some(grouper), Some(&event)) = (&mut self.grouper, self.slots.get(slot)) {
            let group = grouper.close(slot).map(|(group, _)| group.id);
            // A full event was completed before its end, which completes it once more. The first answer counts.
            self.groups.entry(event).or_insert(group);
        }
    }

    fn note(&mut self, line: u64, fact: Fact) {
        self.latest = Some((line, fact));
        let at = self.waiting.partition_point(|waiting| waiting.line < line);
        if let Some(waiting) = self.waiting.get_mut(at).filter(|waiting| waiting.line == line) {
            waiting.facts.push(fact);
        }
    }

    /// Whether the group of what a line belongs to is known, or not asked for.
    fn knows_group(&self, fact: &Fact) -> bool {
        self.grouper.is_none() || fact.event.is_none_or(|event| self.groups.contains_key(&event))
    }

    fn group_of(&self, fact: &Fact) -> Option<GroupId> {
        self.groups.get(&fact.event?).copied().flatten()
    }

    /// Forgets the groups that no line waits for.
    fn forget(&mut self) {
        // Rarely, as each time costs a walk over all that is held.
        if self.groups.len() > 1024 + 4 * self.waiting.len() {
            let open = self.slots.iter().copied();
            let of_lines =
                self.waiting.iter().flat_map(|waiting| &waiting.facts).filter_map(|fact| fact.event);
            let wanted: std::collections::HashSet<_> = open.chain(of_lines).collect();
            self.groups.retain(|event, _| wanted.contains(event));
        }
    }
}
