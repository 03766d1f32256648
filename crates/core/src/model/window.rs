//! Times: milliseconds since 1970 in UTC, ten-minute slots, half-open windows. A length of time is a plain number of
//! milliseconds or of slots, and its name says which.

use std::ops::{Add, AddAssign, Sub};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// A minute in milliseconds.
pub const MINUTE_MS: i64 = 60_000;
/// An hour in milliseconds.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// A day in milliseconds.
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// The length of a [`Slot`] in milliseconds.
pub const SLOT_MS: i64 = 10 * MINUTE_MS;

/// A day of the calendar. That of a key is in the zone of its source.
pub type Day = jiff::civil::Date;

/// A time in milliseconds since 1970-01-01T00:00:00Z. Logs may name any time, so all arithmetic saturates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[repr(transparent)]
pub struct UtcMs(i64);

impl UtcMs {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// A time before all others.
    pub const MIN: Self = Self(i64::MIN);
    /// A time after all others.
    pub const MAX: Self = Self(i64::MAX);

    /// Returns the time that is this many milliseconds after 1970.
    pub const fn new(since_1970_ms: i64) -> Self {
        Self(since_1970_ms)
    }

    /// Returns the milliseconds since 1970.
    pub const fn get(self) -> i64 {
        self.0
    }

    /// Returns the time as jiff has it; `None` outside its calendar, the years -9999 to 9999.
    pub fn stamp(self) -> Option<Timestamp> {
        Timestamp::from_millisecond(self.0).ok()
    }

    /// Returns the day of the time in a zone. A time outside jiff's calendar counts as 1970-01-01, so that a wild stamp in a
    /// log stops nothing.
    pub fn day(self, zone: &TimeZone) -> Day {
        zone.to_datetime(self.stamp().unwrap_or_default()).date()
    }

    /// Returns how many whole stretches of `length_ms` there are between 1970 and the time; negative before.
    pub fn stretch(self, length_ms: i64) -> i64 {
        self.0.div_euclid(length_ms)
    }

    /// Returns the start of the stretch of `length_ms` that holds the time, counted from 1970: of its hour, of its day.
    #[must_use]
    pub fn start_of(self, length_ms: i64) -> Self {
        Self(self.stretch(length_ms).saturating_mul(length_ms))
    }
}

impl From<Timestamp> for UtcMs {
    fn from(stamp: Timestamp) -> Self {
        Self(stamp.as_millisecond())
    }
}

impl Add<i64> for UtcMs {
    type Output = Self;

    /// Returns the time `length_ms` later.
    fn add(self, length_ms: i64) -> Self {
        Self(self.0.saturating_add(length_ms))
    }
}

impl AddAssign<i64> for UtcMs {
    fn add_assign(&mut self, length_ms: i64) {
        *self = *self + length_ms;
    }
}

impl Sub<i64> for UtcMs {
    type Output = Self;

    /// Returns the time `length_ms` earlier.
    fn sub(self, length_ms: i64) -> Self {
        Self(self.0.saturating_sub(length_ms))
    }
}

impl Sub for UtcMs {
    type Output = i64;

    /// Returns the milliseconds from `earlier` on; negative when that is later.
    fn sub(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A ten-minute slot: the number of whole slots since 1970, negative before. Its arithmetic saturates as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[repr(transparent)]
pub struct Slot(i64);

impl Slot {
    /// A slot before all others.
    pub const MIN: Self = Self(i64::MIN);

    /// Returns the slot with this number.
    pub const fn new(number: i64) -> Self {
        Self(number)
    }

    /// Returns its number.
    pub const fn number(self) -> i64 {
        self.0
    }

    /// Returns the slot that holds a time.
    pub const fn of(time: UtcMs) -> Self {
        Self(time.0.div_euclid(SLOT_MS))
    }

    /// Returns the first slot that begins at a time or after it.
    pub const fn at_or_after(time: UtcMs) -> Self {
        Self(time.0.div_euclid(SLOT_MS) + (time.0.rem_euclid(SLOT_MS) > 0) as i64)
    }

    /// Returns the first millisecond of the slot.
    pub const fn begins(self) -> UtcMs {
        UtcMs(self.0.saturating_mul(SLOT_MS))
    }
}

impl Add<i64> for Slot {
    type Output = Self;

    /// Returns the slot that is `slots` later.
    fn add(self, slots: i64) -> Self {
        Self(self.0.saturating_add(slots))
    }
}

impl Sub<i64> for Slot {
    type Output = Self;

    /// Returns the slot that is `slots` earlier.
    fn sub(self, slots: i64) -> Self {
        Self(self.0.saturating_sub(slots))
    }
}

impl Sub for Slot {
    type Output = i64;

    /// Returns how many slots there are from the beginning of `earlier` to that of this one.
    fn sub(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A half-open window of time, `[start_ms, end_ms)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The first millisecond inside.
    pub start_ms: UtcMs,
    /// The first millisecond after.
    pub end_ms: UtcMs,
}

impl Window {
    /// The window that holds every time.
    pub const ALL: Self = Self { start_ms: UtcMs::MIN, end_ms: UtcMs::MAX };

    /// Returns whether `time_ms` is inside.
    pub fn holds(&self, time_ms: UtcMs) -> bool {
        (self.start_ms..self.end_ms).contains(&time_ms)
    }

    /// Returns whether any time of `first_ms..=last_ms` is inside.
    pub fn meets(&self, first_ms: UtcMs, last_ms: UtcMs) -> bool {
        first_ms < self.end_ms && last_ms >= self.start_ms
    }
}
