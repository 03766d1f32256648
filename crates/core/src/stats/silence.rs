//! Applications that log nothing for longer than is their habit.

use super::series::Series;
use super::windows::DAY_SLOTS;
use crate::model::{DAY_MS, HOUR_MS, MINUTE_MS, SLOT_MS, Slot, UtcMs};

/// Nothing shorter is a silence.
const MIN_SILENCE_MS: i64 = 30 * MINUTE_MS;
/// A single application that has been silent for longer is taken to be switched off: it leaves the headline.
pub const SWITCHED_OFF_MS: i64 = 7 * DAY_MS;
/// How far back the longest gap is looked for, from the newest event.
const HABIT_DAYS: i64 = 14;
/// An application with fewer slots with events, or over a shorter time, has no habit yet.
const MIN_ACTIVE_SLOTS: usize = 24;
/// See [`MIN_ACTIVE_SLOTS`].
const MIN_HISTORY_SLOTS: i64 = DAY_SLOTS;
/// With a shorter history no weekend was seen yet, and the limit is doubled.
const SURE_HISTORY_SLOTS: i64 = 8 * DAY_SLOTS;
/// Objects that came later than this after their first event were copied or retried: they say nothing about
/// how long events take to come.
const MAX_DELIVERY_MS: i64 = 6 * HOUR_MS;

/// What is known about an application's events.
#[derive(Clone, Copy, Debug)]
pub struct Presence<'a> {
    /// Its events of any level.
    pub events: &'a Series,
    /// The time of the newest.
    pub newest_ms: UtcMs,
    /// Up to when everything of it was looked for and read.
    pub known_until_ms: UtcMs,
    /// For each object of the last 14 days, how old its first event was when the object was stored.
    pub delivery_ms: &'a [i64],
}

/// How long an application is used to pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Habit {
    /// The longest gap before, in milliseconds, to ten minutes.
    pub habit_ms: i64,
    /// The silence that would still pass.
    pub limit_ms: i64,
}

impl Presence<'_> {
    /// Returns how long nothing has come, as far as that is known.
    pub fn silent_ms(&self) -> i64 {
        self.known_until_ms - self.newest_ms
    }
}

/// Returns the habit of an application, if it has been seen for long enough to have one: its longest gap of the 14 days
/// before (at least 30 minutes) and the time its objects usually take to come.
pub fn habit(presence: &Presence<'_>) -> Option<Habit> {
    let newest_slot = Slot::of(presence.newest_ms);
    // Counted from the newest event, not from now: a silence must not become part of the habit that it is judged by.
    let history = presence.events.within(newest_slot - HABIT_DAYS * DAY_SLOTS..newest_slot + 1);
    let length_slots = history.last()?.0 - history.first()?.0;
    if history.len() < MIN_ACTIVE_SLOTS || length_slots < MIN_HISTORY_SLOTS {
        return None;
    }
    let habit_ms = longest_gap(history) * SLOT_MS;
    let doubt = if length_slots < SURE_HISTORY_SLOTS { 2 } else { 1 };
    // Slots hide up to one slot of a gap at its ends.
    let limit_ms = doubt * (habit_ms + SLOT_MS).max(MIN_SILENCE_MS) + usual_delivery(presence.delivery_ms);
    Some(Habit { habit_ms, limit_ms })
}

fn longest_gap(history: &[(Slot, u64)]) -> i64 {
    history.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap_or(0)
}

/// Returns the median; 0 when most objects were copied long after they were written.
fn usual_delivery(delivery_ms: &[i64]) -> i64 {
    let mut sorted = delivery_ms.to_vec();
    sorted.sort_unstable();
    let median = sorted.get(sorted.len() / 2).copied().unwrap_or(0);
    if (0..=MAX_DELIVERY_MS).contains(&median) { median } else { 0 }
}
