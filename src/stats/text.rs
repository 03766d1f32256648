//! Numbers and durations as the sentences of a report write them.

use crate::model::{DAY_MS, HOUR_MS, MINUTE_MS};

/// Returns a whole number with its thousands marked: `12,345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Returns a number with its noun: `1 event`, `2 events`.
pub fn plural(number: u64, noun: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {noun}{ending}", count(number))
}

/// Returns a length of time in its largest fitting unit, rounded down: `40 minutes`, `3 hours`, `9 days`.
/// Hours go up to 48, minutes up to 120, so that little is lost.
pub fn duration(length_ms: i64) -> String {
    let length_ms = length_ms.max(0);
    let (unit_ms, noun) = match length_ms {
        ..MINUTE_MS => return "less than a minute".to_owned(),
        length if length < 2 * HOUR_MS => (MINUTE_MS, "minute"),
        length if length < 2 * DAY_MS => (HOUR_MS, "hour"),
        _ => (DAY_MS, "day"),
    };
    plural((length_ms / unit_ms) as u64, noun)
}
