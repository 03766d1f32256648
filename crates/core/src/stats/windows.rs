//! The windows of a report in whole slots, and comparisons with the same window earlier.

use std::ops::Range;

use crate::model::{HOUR_MS, SLOT_MS, Slot, UtcMs, Window};

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
pub fn slots_starting_in(window: Window) -> Range<Slot> {
    Slot::at_or_after(window.start_ms)..Slot::at_or_after(window.end_ms)
}

/// The windows of one report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// The first slot that starts at or after now.
    end: Slot,
    /// The first slot without delivered events, at most [`MAX_LAG_SLOTS`] before `end`.
    edge: Slot,
}

impl Windows {
    /// Returns the windows for `now_ms` if the newest event is in `newest_slot`.
    pub fn new(now_ms: UtcMs, newest_slot: Option<Slot>) -> Self {
        let end = Slot::at_or_after(now_ms);
        let edge = newest_slot.map_or(end, |newest| edge_of(newest, end));
        Self { end, edge }
    }

    /// Returns the first slot that is not past: the end of every window.
    pub fn end(&self) -> Slot {
        self.end
    }

    /// Returns the last 24 hours.
    pub fn day(&self) -> Range<Slot> {
        self.end - DAY_SLOTS..self.end
    }

    /// Returns whether a ledger that begins with slot `reach` goes back far enough, a day before the last
    /// 24 hours, for what it has not seen earlier to be called new.
    pub fn can_tell_new(&self, reach: Option<Slot>) -> bool {
        reach.is_some_and(|reach| reach <= self.day().start - DAY_SLOTS)
    }

    /// Returns what the last 24 hours are compared with: the same stretch `days` earlier, which ends as far
    /// before its end as the delivered events of today do.
    pub fn day_before(&self, days: i64) -> Range<Slot> {
        let day = self.day();
        day.start - days * DAY_SLOTS..self.edge - days * DAY_SLOTS
    }

    /// Returns where the last full hour of delivered events ends for something whose newest slot is given.
    pub fn hour_end(&self, newest_slot: Option<Slot>) -> Slot {
        newest_slot.map_or(self.end, |newest| edge_of(newest, self.end))
    }

    /// Returns `measure` of the last 24 hours, of yesterday and of last week; `None` where the ledger, which
    /// begins with slot `reach`, does not cover the whole window.
    pub fn compare<T>(
        &self,
        reach: Option<Slot>,
        measure: impl Fn(Range<Slot>) -> T,
    ) -> (T, Option<T>, Option<T>) {
        let earlier = |days| {
            let window = self.day_before(days);
            reach.filter(|&reach| reach <= window.start).map(|_| measure(window))
        };
        (measure(self.day()), earlier(1), earlier(7))
    }
}

fn edge_of(newest_slot: Slot, end: Slot) -> Slot {
    let edge = (newest_slot + 1).min(end);
    if end - edge > MAX_LAG_SLOTS { end } else { edge }
}
