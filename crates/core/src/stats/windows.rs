//! The windows of a report in whole slots, and comparisons with the same window earlier.

use std::ops::Range;

use crate::model::{HOUR_MS, SLOT_MS, UtcMs, Window};

/// Slots in an hour.
pub const HOUR_SLOTS: i64 = HOUR_MS / SLOT_MS;
/// Slots in a day.
pub const DAY_SLOTS: i64 = 24 * HOUR_SLOTS;
/// Slots in a week.
pub const WEEK_SLOTS: i64 = 7 * DAY_SLOTS;

/// How old the newest event may be for later events to count as not delivered yet: collectors
/// that write an object an hour, and some minutes later, stay well within it.
pub const MAX_LAG_SLOTS: i64 = 3 * HOUR_SLOTS;

/// Returns the slots that start inside `window`. Windows that meet share no slot and leave none out.
pub fn slots_starting_in(window: Window) -> Range<i64> {
    ceil(window.start_ms)..ceil(window.end_ms)
}

fn ceil(time_ms: UtcMs) -> i64 {
    time_ms.div_euclid(SLOT_MS) + i64::from(time_ms.rem_euclid(SLOT_MS) > 0)
}

/// The windows of one report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// The first slot that starts at or after now.
    end: i64,
    /// The first slot without delivered events, at most [`MAX_LAG_SLOTS`] before `end`.
    edge: i64,
}

impl Windows {
    /// Returns the windows for `now_ms` if the newest event is in `newest_slot`.
    pub fn new(now_ms: UtcMs, newest_slot: Option<i64>) -> Self {
        let end = ceil(now_ms);
        let edge = newest_slot.map_or(end, |newest| edge_of(newest, end));
        Self { end, edge }
    }

    /// Returns the first slot that is not past: the end of every window.
    pub fn end(&self) -> i64 {
        self.end
    }

    /// Returns the last 24 hours.
    pub fn day(&self) -> Range<i64> {
        self.end - DAY_SLOTS..self.end
    }

    /// Returns whether a ledger that begins with slot `reach` goes back far enough, a day before the last
    /// 24 hours, for what it has not seen earlier to be called new.
    pub fn can_tell_new(&self, reach: Option<i64>) -> bool {
        reach.is_some_and(|reach| reach <= self.day().start - DAY_SLOTS)
    }

    /// Returns what the last 24 hours are compared with: the same stretch `days` earlier, which ends as far
    /// before its end as the delivered events of today do.
    pub fn day_before(&self, days: i64) -> Range<i64> {
        let day = self.day();
        day.start - days * DAY_SLOTS..self.edge - days * DAY_SLOTS
    }

    /// Returns where the last full hour of delivered events ends for something whose newest slot is given.
    pub fn hour_end(&self, newest_slot: Option<i64>) -> i64 {
        newest_slot.map_or(self.end, |newest| edge_of(newest, self.end))
    }

    /// Returns `measure` of the last 24 hours, of yesterday and of last week; `None` where the ledger, which
    /// begins with slot `reach`, does not cover the whole window.
    pub fn compare<T>(
        &self,
        reach: Option<i64>,
        measure: impl Fn(Range<i64>) -> T,
    ) -> (T, Option<T>, Option<T>) {
        let earlier = |days| {
            let window = self.day_before(days);
            reach.filter(|&reach| reach <= window.start).map(|_| measure(window))
        };
        (measure(self.day()), earlier(1), earlier(7))
    }
}

fn edge_of(newest_slot: i64, end: i64) -> i64 {
    let edge = newest_slot.saturating_add(1).min(end);
    if end - edge > MAX_LAG_SLOTS { end } else { edge }
}
