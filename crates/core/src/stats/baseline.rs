//! How many events an hour may have before a group spikes.
//!
//! The formulas are those of Sentry's public document "Escalating Issues Algorithm"
//! (docs.sentry.io, Product, Issues, States and Triage). What it leaves open is decided here: the weights
//! (the judged hour's weekday counts twice), the deviation (of a sample), hours without events (they count).

use super::windows::{DAY_SLOTS, HOUR_SLOTS};
use crate::model::Slot;

/// The hours of history that [`hourly_limit`] looks at: one week.
pub const HISTORY_HOURS: usize = 7 * 24;

/// An hour may have this many times the largest hour of a group's first week (the same document).
const YOUNG_FACTOR: f64 = 10.0;

/// Returns the hourly limit of a group that is older than a week: the larger of the spike term and the
/// burst term over the `hours` of its baseline, oldest first, the last one ending before slot `end`; the
/// judged hour begins with slot `judged`. 0 without events.
///
/// - spike: `avg_w + min(max((avg + 5σ) / avg, 5), 8) · avg`, `avg_w` weighted by weekday;
/// - burst: `max · min(max(2, 5·e^(−0.65·cv)), 5)`, `cv = σ / avg`.
pub fn hourly_limit(hours: &[u64], end: Slot, judged: Slot) -> f64 {
    let average = mean(hours);
    // Below, it is a divisor.
    if average <= 0.0 {
        return 0.0;
    }
    let deviation = deviation(hours, average);
    let spike =
        weighted_mean(hours, end, judged) + ((average + 5.0 * deviation) / average).clamp(5.0, 8.0) * average;
    let burst = largest(hours) * (5.0 * (-0.65 * deviation / average).exp()).clamp(2.0, 5.0);
    spike.max(burst)
}

/// Returns the hourly limit of a group in its first week: ten times its largest hour.
pub fn young_limit(hours: &[u64]) -> f64 {
    YOUNG_FACTOR * largest(hours)
}

/// Returns the weekday of a slot in UTC, Monday being 0.
pub fn weekday_of_slot(slot: Slot) -> usize {
    // 1970-01-01 was a Thursday.
    (slot.number().div_euclid(DAY_SLOTS) + 3).rem_euclid(7) as usize
}

/// Returns the mean of hourly counts; 0 of none.
pub(super) fn mean(hours: &[u64]) -> f64 {
    let sum: f64 = hours.iter().map(|&events| events as f64).sum();
    sum / hours.len().max(1) as f64
}

fn weighted_mean(hours: &[u64], end: Slot, judged: Slot) -> f64 {
    let today = weekday_of_slot(judged);
    let (mut sum, mut weights) = (0.0, 0.0);
    for (back, &events) in (1..).zip(hours.iter().rev()) {
        let weight = if weekday_of_slot(end - back * HOUR_SLOTS) == today { 2.0 } else { 1.0 };
        sum += weight * events as f64;
        weights += weight;
    }
    if weights > 0.0 { sum / weights } else { 0.0 }
}

fn deviation(hours: &[u64], average: f64) -> f64 {
    let squares: f64 = hours.iter().map(|&events| (events as f64 - average).powi(2)).sum();
    (squares / (hours.len().max(2) - 1) as f64).sqrt()
}

/// Returns the largest hour.
pub(super) fn largest(hours: &[u64]) -> f64 {
    hours.iter().copied().max().unwrap_or(0) as f64
}
