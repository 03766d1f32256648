//! Numbers, bytes and durations as people read them: the same on the terminal, the pages and in the mails.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::{DAY_MS, HOUR_MS, MINUTE_MS, UtcMs};

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

/// Returns the known name most like `name`, if one is like it at all.
pub fn nearest<'k>(name: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // 0.7 is where clap draws the line for its own suggestions.
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|&(likeness, _)| likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
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

/// Returns a time as RFC 3339 in UTC, with milliseconds: `2026-01-31T12:00:00.000Z`.
pub fn time(time_ms: UtcMs) -> String {
    time_ms.stamp().map_or_else(|| time_ms.get().to_string(), |stamp| format!("{stamp:.3}"))
}

/// Returns a time in UTC to the minute: `2026-01-31 12:00 UTC`.
pub fn minute(time_ms: UtcMs) -> String {
    let minute = |stamp: Timestamp| stamp.strftime("%Y-%m-%d %H:%M UTC").to_string();
    time_ms.stamp().map_or_else(|| time_ms.get().to_string(), minute)
}

/// Returns a time as people say it at `now_ms`: `09:40` of today, else with its date, `Sat 21 Nov 09:40`, and with its
/// year when that is some months off.
pub fn day_and_time(time_ms: UtcMs, now_ms: UtcMs, zone: &TimeZone) -> String {
    let local = |time_ms: UtcMs| time_ms.stamp().map(|stamp| zone.to_datetime(stamp));
    let (Some(time), Some(now)) = (local(time_ms), local(now_ms)) else {
        return "an unknown time".to_owned();
    };
    let form = if time.date() == now.date() {
        "%H:%M"
    } else if (now_ms - time_ms).abs() < 100 * DAY_MS {
        "%a %-d %b %H:%M"
    } else {
        "%-d %b %Y %H:%M"
    };
    time.strftime(form).to_string()
}

/// Returns a number of bytes in units of 1000: `999 B`, `3.4 MB`, `150 MB`.
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if number < 1000 {
        return format!("{number} B");
    }
    let (mut value, mut unit) = (number as f64 / 1000.0, 0);
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let places = usize::from(value < 99.95);
    format!("{value:.places$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            (plural(1, "line"), plural(2000, "line")),
            ("1 line".to_owned(), "2,000 lines".to_owned())
        );
        assert_eq!(
            [0, MINUTE_MS, 119 * MINUTE_MS, 2 * HOUR_MS, 47 * HOUR_MS, 9 * DAY_MS].map(duration),
            ["less than a minute", "1 minute", "119 minutes", "2 hours", "47 hours", "9 days"]
        );
        assert_eq!(
            [0, 999, 1060, 3_400_000, 99_960_000, 150_000_000, 999_600, u64::MAX].map(bytes),
            ["0 B", "999 B", "1.1 kB", "3.4 MB", "100 MB", "150 MB", "1.0 MB", "18.4 EB"]
        );
        assert_eq!(time(UtcMs::new(1_769_860_800_000)), "2026-01-31T12:00:00.000Z");
    }

    #[test]
    fn a_time_of_another_day_has_its_date() {
        const NOON: UtcMs = UtcMs::new(1_769_860_800_000);
        let shown = [0, 11 * HOUR_MS, 13 * HOUR_MS, 8 * DAY_MS, 400 * DAY_MS]
            .map(|ago_ms| day_and_time(NOON - ago_ms, NOON, &TimeZone::UTC));
        assert_eq!(shown, ["12:00", "01:00", "Fri 30 Jan 23:00", "Fri 23 Jan 12:00", "27 Dec 2024 12:00"]);
        assert_eq!(day_and_time(UtcMs::MAX, NOON, &TimeZone::UTC), "an unknown time");
    }
}
