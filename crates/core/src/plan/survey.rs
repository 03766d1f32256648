//! Which prefixes a run lists. A state machine without I/O: it hands out tasks, receives what each
//! found, and hands out the tasks that follow.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};

use crate::model::{DAY_MS, Day, UtcMs};

use super::{Layout, Level, has_passed, has_rested};

/// The most entries of a page: of `ListObjectsV2`, `MaxKeys`.
const PAGE_ENTRIES: u64 = 1000;

/// What the ledger knows of a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KnownListing {
    /// The whole prefix.
    pub prefix: String,
    /// The last try; 0 when it has been seen in a listing and not been listed itself.
    pub tried_ms: UtcMs,
    /// The last complete listing.
    pub listed_ms: Option<UtcMs>,
    /// Its objects and prefixes.
    pub entries: Option<u64>,
    /// Whether the last try failed, or the last run did not reach it.
    pub failed: bool,
    /// How many tries have failed since it was listed.
    pub attempts: u32,
    /// When it is tried again after a failure.
    pub next_try_ms: UtcMs,
}

/// How far a run looks, and since when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Today where the keys are named.
    pub today: Day,
    /// Days before today that are listed on every run.
    pub look_back_days: u32,
    /// Days before `first_day` that belong to the source; 0 for all there are.
    pub backfill_days: u32,
    /// The day of the source's first run.
    pub first_day: Day,
    /// Now.
    pub now_ms: UtcMs,
    /// The run before this one; `None` for the first.
    pub last_run_ms: Option<UtcMs>,
}

impl Reach {
    /// Returns the days listed on every run: to tomorrow, for clocks and zones that are ahead.
    pub fn look_back(&self) -> (Day, Day) {
        (before(self.today, self.look_back_days), self.today.tomorrow().unwrap_or(Day::MAX))
    }

    /// Returns the first day that belongs to the source.
    pub fn floor(&self) -> Day {
        match self.backfill_days {
            0 => Day::MIN,
            days => before(self.first_day, days).min(self.look_back().0),
        }
    }

    /// Returns the part of a day since the run before, at most one; a run in the future was a wrong clock.
    fn elapsed_ms(&self) -> i64 {
        match self.last_run_ms {
            Some(last_ms) if last_ms <= self.now_ms => (self.now_ms - last_ms).min(DAY_MS),
            // After the clock was set back, the last run tells nothing of the time that has passed.
            _ => DAY_MS,
        }
    }
}

/// Why a prefix is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum Why {
    /// It holds applications or days that are looked at on every run.
    Discover,
    /// Its day is in the look-back, where objects are still arriving.
    LookBack,
    /// The layout's folders name no day: everything is listed on every run.
    Undated,
    /// It has never been listed.
    New,
    /// It is older and its turn of the day has come.
    InTurn,
    /// An object of it was missing or changed when it was to be read.
    Again,
}

/// A prefix to list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListTask {
    /// The whole prefix, empty or ending in `/`.
    pub prefix: String,
    /// Whether only up to the next `/`.
    pub delimited: bool,
    /// Why.
    pub why: Why,
}

/// What listings cost, in requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prices {
    /// Of the prefixes that are listed on every run.
    pub by_prefix: u64,
    /// Of one listing of everything that is known.
    pub flat: u64,
}

/// The order in which prefixes are listed: those that failed come after all others, by their last try; newest days
/// first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    failed_ms: Option<UtcMs>,
    day: Reverse<Day>,
    prefix: Reverse<String>,
}

/// The prefixes that one run lists, found level by level.
///
/// - The root and every level above the date: on every run.
/// - Days (and the years and months above them) that meet the look-back: on every run, if they exist.
/// - Older ones in range, days after tomorrow and prefixes that do not fit the layout: when first seen, then
///   once a day. Its rank among them decides the moment of the day, so that the work is spread;
///   at most `ceil(n · elapsed / 24 h) + 1` of n in a run, those tried longest ago first.
/// - A prefix that failed the last time: when its pause is over, after all others; until then the ledger records that it is
///   failing. The root is never left out.
/// - Days before the backfill: never.
/// - A prefix that is gone although its last listing held objects: like any other, so that an empty
///   listing shows that they are gone; after that, no more.
pub struct Survey<'a> {
    layout: &'a Layout,
    reach: &'a Reach,
    root: String,
    known: HashMap<String, KnownListing>,
    seen: HashSet<String>,
    ready: Vec<ListTask>,
    /// Older prefixes and whether each is a listing with delimiter.
    older: BTreeMap<String, bool>,
    stage: Stage,
    /// Prefixes passed over because they start with other text than the layout's.
    pub outside: u64,
    /// The first of them.
    pub first_outside: Option<String>,
    /// Prefixes skipped because their days are before the backfill.
    pub too_old: u64,
    /// Prefixes below which a placeholder of the layout does not fit.
    pub strays: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Root,
    Known,
    InTurn,
    Done,
}

impl<'a> Survey<'a> {
    /// Starts a survey of the source below `prefix` (empty or ending in `/`).
    pub fn new(layout: &'a Layout, prefix: &str, reach: &'a Reach, known: Vec<KnownListing>) -> Self {
        let known = known.into_iter().map(|listing| (listing.prefix.clone(), listing)).collect();
        Self {
            layout,
            reach,
            root: prefix.to_owned(),
            known,
            seen: HashSet::new(),
            ready: Vec::new(),
            older: BTreeMap::new(),
            stage: Stage::Root,
            outside: 0,
            first_outside: None,
            too_old: 0,
            strays: Vec::new(),
        }
    }

    /// Returns what can be listed now, in the order of [`Survey::rank`]; empty when the survey is complete. The first
    /// answer is the root alone, so that a source that cannot be read costs one request.
    pub fn next_tasks(&mut self) -> Vec<ListTask> {
        while self.ready.is_empty() && self.stage != Stage::Done {
            self.advance();
        }
        self.found_tasks()
    }

    /// Returns the tasks that follow from the last listings, without those known from earlier runs.
    pub fn found_tasks(&mut self) -> Vec<ListTask> {
        let mut tasks = std::mem::take(&mut self.ready);
        tasks.sort_by_cached_key(|task| self.rank(&task.prefix));
        tasks
    }

    /// Returns the position of a prefix in the order of listing.
    pub fn rank(&self, prefix: &str) -> Rank {
        let failed = self.known.get(prefix).filter(|known| known.attempts > 0);
        let relative = prefix.strip_prefix(&self.root).unwrap_or(prefix);
        let day = match self.layout.level(relative) {
            Level::Folder { days: Some((_, last)), .. } => last,
            // What leads to days is listed before them.
            Level::Folder { days: None, .. } => Day::MAX,
            Level::Stray | Level::Outside => Day::MIN,
        };
        Rank {
            failed_ms: failed.map(|known| known.tried_ms),
            day: Reverse(day),
            prefix: Reverse(prefix.to_owned()),
        }
    }

    /// Returns whether a prefix is a folder that does not fit the layout.
    pub fn is_stray(&self, prefix: &str) -> bool {
        prefix.strip_prefix(&self.root).is_some_and(|relative| self.layout.level(relative) == Level::Stray)
    }

    /// Returns the prefixes that failed and that this source, as it is configured now, would never list again.
    pub fn abandoned(&self) -> Vec<String> {
        let failed = self.known.values().filter(|known| known.failed && !self.is_own(&known.prefix));
        failed.map(|known| known.prefix.clone()).collect()
    }

    /// Returns whether a prefix is of this source and in range.
    fn is_own(&self, prefix: &str) -> bool {
        let Some(relative) = prefix.strip_prefix(&self.root) else { return false };
        match self.layout.level(relative) {
            Level::Outside => false,
            Level::Folder { days: Some((_, last)), .. } => last >= self.reach.floor(),
            Level::Stray | Level::Folder { days: None, .. } => true,
        }
    }

    /// Returns how many requests listings take, by what earlier runs have found.
    pub fn prices(&self) -> Prices {
        let (start, end) = self.reach.look_back();
        let (mut by_prefix, mut objects) = (0, 0);
        for known in self.known.values() {
            let Some(relative) = known.prefix.strip_prefix(&self.root) else { continue };
            let (is_leaf, is_each_time) = match self.layout.level(relative) {
                Level::Outside => continue,
                Level::Stray => (true, false),
                Level::Folder { is_leaf, days } => {
                    (is_leaf, days.is_none_or(|(first, last)| first <= end && last >= start))
                }
            };
            let entries = known.entries.unwrap_or(0);
            if is_leaf {
                objects += entries;
            }
            if is_each_time && (known.entries != Some(0) || known.failed) {
                by_prefix += pages(entries);
            }
        }
        Prices { by_prefix, flat: pages(objects) }
    }

    /// Returns what was known of a prefix before this run.
    pub fn known(&self, prefix: &str) -> Option<&KnownListing> {
        self.known.get(prefix)
    }

    /// Notes the prefixes that a listing with delimiter found. Returns those that are new and in range, for
    /// the ledger to remember should this run not reach them.
    pub fn found(&mut self, children: &[String]) -> Vec<String> {
        let mut fresh = Vec::new();
        for child in children {
            let Some(relative) = child.strip_prefix(&self.root) else {
                continue;
            };
            let prefix = match self.layout.level(relative) {
                Level::Folder { .. } => format!("{}{}", self.root, self.layout.descend(relative)),
                Level::Stray | Level::Outside => child.clone(),
            };
            if self.consider(&prefix) && !self.known.contains_key(&prefix) {
                fresh.push(prefix);
            }
        }
        fresh
    }

    fn advance(&mut self) {
        self.stage = match self.stage {
            Stage::Root => {
                let root = format!("{}{}", self.root, self.layout.descend(""));
                self.consider(&root);
                Stage::Known
            }
            Stage::Known => {
                // One that was empty and failed since may be empty again: only a listing shows it.
                let held = |listing: &&KnownListing| listing.entries != Some(0) || listing.failed;
                let mut held: Vec<String> =
                    self.known.values().filter(held).map(|listing| listing.prefix.clone()).collect();
                // The same ledger makes the same requests in the same order, which a `HashMap` does not have.
                held.sort();
                for prefix in held {
                    self.consider(&prefix);
                }
                Stage::InTurn
            }
            Stage::InTurn | Stage::Done => {
                self.take_turns();
                Stage::Done
            }
        };
    }

    /// Decides about a prefix once. Returns whether it is of this source and in range.
    fn consider(&mut self, prefix: &str) -> bool {
        let Some(relative) = prefix.strip_prefix(&self.root) else {
            return false;
        };
        if !self.seen.insert(prefix.to_owned()) {
            return false;
        }
        match self.layout.level(relative) {
            Level::Outside => {
                self.outside += 1;
                self.first_outside.get_or_insert_with(|| prefix.to_owned());
                false
            }
            Level::Stray => {
                self.strays.push(prefix.to_owned());
                self.put_off(prefix, false);
                true
            }
            Level::Folder { is_leaf, days: None } => {
                let why = if is_leaf { Why::Undated } else { Why::Discover };
                self.put_now(prefix, !is_leaf, why);
                true
            }
            Level::Folder { is_leaf, days: Some(days) } => self.consider_days(prefix, is_leaf, days),
        }
    }

    fn consider_days(&mut self, prefix: &str, is_leaf: bool, (first, last): (Day, Day)) -> bool {
        let (start, end) = self.reach.look_back();
        if last < self.reach.floor() {
            self.too_old += 1;
            return false;
        }
        if first <= end && last >= start {
            let why = if is_leaf { Why::LookBack } else { Why::Discover };
            self.put_now(prefix, !is_leaf, why);
        } else {
            self.put_off(prefix, !is_leaf);
        }
        true
    }

    fn put_now(&mut self, prefix: &str, delimited: bool, why: Why) {
        // A paused root would leave the whole source unread, and cost nothing but one request.
        let is_root = self.stage == Stage::Root;
        let is_paused = |known: &KnownListing| !has_rested(known.next_try_ms, self.reach.now_ms);
        if !is_root && self.known.get(prefix).is_some_and(is_paused) {
            return;
        }
        self.ready.push(ListTask { prefix: prefix.to_owned(), delimited, why });
    }

    /// Lists at once what never was, and leaves the rest to its turn.
    fn put_off(&mut self, prefix: &str, delimited: bool) {
        match self.known.get(prefix) {
            // It was empty and is named again, after the turns have been taken.
            Some(known) if known.entries == Some(0) && self.stage == Stage::Done => {
                self.put_now(prefix, delimited, Why::InTurn);
            }
            Some(known) if known.listed_ms.is_some() && known.failed => {
                self.put_now(prefix, delimited, Why::InTurn);
            }
            Some(known) if known.listed_ms.is_some() => {
                self.older.insert(prefix.to_owned(), delimited);
            }
            _ => self.put_now(prefix, delimited, Why::New),
        }
    }

    fn take_turns(&mut self) {
        let count = self.older.len() as i64;
        // However rarely gzette runs, a run lists no more than the share of the time since the last one. Otherwise the
        // first run after a weekend would list years of days at once.
        let limit = (count * self.reach.elapsed_ms() + DAY_MS - 1) / DAY_MS + 1;
        let mut due: Vec<(UtcMs, &String, bool)> = (0..)
            .zip(&self.older)
            .filter_map(|(rank, (prefix, delimited))| {
                let known = self.known.get(prefix)?;
                self.is_due(known, rank * DAY_MS / count).then_some((known.tried_ms, prefix, *delimited))
            })
            .collect();
        due.sort_unstable();
        due.truncate(limit as usize);
        let tasks = due.into_iter().map(|(_, prefix, delimited)| ListTask {
            prefix: prefix.clone(),
            delimited,
            why: Why::InTurn,
        });
        self.ready.extend(tasks);
    }

    fn is_due(&self, known: &KnownListing, phase_ms: i64) -> bool {
        let now_ms = self.reach.now_ms;
        is_rested(known.tried_ms, DAY_MS, now_ms) || has_passed(phase_ms, known.tried_ms, now_ms)
    }
}

/// Returns the requests of a listing with so many entries.
fn pages(entries: u64) -> u64 {
    entries.div_ceil(PAGE_ENTRIES).max(1)
}

/// Whether the last try is long enough ago; a try in the future was a wrong clock and does not count.
fn is_rested(tried_ms: UtcMs, rest_ms: i64, now_ms: UtcMs) -> bool {
    // A time in the future was written by a wrong clock: to wait for it could take years.
    tried_ms > now_ms || now_ms - tried_ms >= rest_ms
}

fn before(day: Day, days: u32) -> Day {
    // jiff panics where a span has more days than it can hold; the calendar ends long before the limit set
    // here.
    day.checked_sub(jiff::Span::new().days(i64::from(days.min(100_000)))).unwrap_or(Day::MIN)
}
