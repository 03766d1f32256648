//! Times: milliseconds since 1970 in UTC, ten-minute slots, half-open windows.

/// A time in milliseconds since 1970-01-01T00:00:00Z.
pub type UtcMs = i64;

/// A minute in milliseconds.
pub const MINUTE_MS: i64 = 60_000;
/// An hour in milliseconds.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// A day in milliseconds.
pub const DAY_MS: i64 = 24 * HOUR_MS;
/// The length of a [`Slot`] in milliseconds.
pub const SLOT_MS: i64 = 10 * MINUTE_MS;

/// A ten-minute slot: the number of whole slots since 1970, negative before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct Slot(pub i64);

impl Slot {
    /// Returns the slot that holds `time_ms`.
    pub fn of(time_ms: UtcMs) -> Self {
        Self(time_ms.div_euclid(SLOT_MS))
    }

    /// Returns the first millisecond of the slot.
    pub fn start_ms(self) -> UtcMs {
        self.0 * SLOT_MS
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
    pub const ALL: Self = Self { start_ms: i64::MIN, end_ms: i64::MAX };

    /// Returns whether `time_ms` is inside.
    pub fn holds(&self, time_ms: UtcMs) -> bool {
        (self.start_ms..self.end_ms).contains(&time_ms)
    }

    /// Returns whether any time of `first_ms..=last_ms` is inside.
    pub fn meets(&self, first_ms: UtcMs, last_ms: UtcMs) -> bool {
        first_ms < self.end_ms && last_ms >= self.start_ms
    }
}
