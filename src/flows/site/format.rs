//! Numbers, times and spans as people read them.

use jiff::{Timestamp, civil::DateTime, tz::Offset};
use maud::{Markup, html};

pub(super) use gzette_core::human::{bytes, count};
use gzette_core::model::{DAY_MS, HOUR_MS, MINUTE_MS, UtcMs};

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// How much of a time is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Show {
    /// `16:11`
    Clock,
    /// `23 Nov 16:11`
    Minute,
    /// `2026-11-23 16:11:04.123 UTC`
    Full,
}

impl Show {
    /// Returns how much of a time a reader at `now_ms` needs: the clock is enough for one of today.
    pub(super) fn clock_of(time_ms: UtcMs, now_ms: UtcMs) -> Self {
        let is_today = time_ms.stretch(DAY_MS) == now_ms.stretch(DAY_MS);
        if is_today { Self::Clock } else { Self::Minute }
    }
}

/// Returns a count that the view holds as a float: rounded, not negative.
pub(super) fn whole(number: f64) -> String {
    count(number.max(0.0).round() as u64)
}

/// Returns `1,942 errors`, `1 error`, `no errors`; `noun` is singular.
pub(super) fn counted(number: u64, noun: &str) -> String {
    match number {
        0 => format!("no {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{} {noun}s", count(number)),
    }
}

/// Returns a share (0 to 1) as a percentage with up to three significant digits: `0.84 %`, `12 %`.
pub(super) fn share(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let percent = value * 100.0;
    let text = match percent.abs() {
        p if p >= 9.95 => format!("{percent:.0}"),
        p if p >= 0.995 => format!("{percent:.1}"),
        _ => format!("{percent:.2}"),
    };
    if percent > 0.0 && text == "0.00" {
        return "< 0.01 %".to_owned();
    }
    format!("{text} %")
}

/// Returns a span in its largest unit: `9 min`, `5 h`, `12 days`.
pub(super) fn span(ms: i64) -> String {
    let ms = ms.max(0);
    match ms {
        _ if ms < MINUTE_MS => "under a minute".to_owned(),
        _ if ms < 2 * HOUR_MS => format!("{} min", ms / MINUTE_MS),
        _ if ms < 2 * DAY_MS => format!("{} h", ms / HOUR_MS),
        _ => format!("{} days", count((ms / DAY_MS) as u64)),
    }
}

/// Returns how long before `now_ms` a time was: `2 min ago`, or `ahead of the clock`.
pub(super) fn ago(time_ms: UtcMs, now_ms: UtcMs) -> String {
    match now_ms - time_ms {
        gone if gone < -MINUTE_MS => "ahead of the clock".to_owned(),
        gone if gone < MINUTE_MS => "just now".to_owned(),
        gone => format!("{} ago", span(gone)),
    }
}

/// Returns a `<time>` that the script can switch to the reader's own zone.
pub(super) fn time(time_ms: UtcMs, show: Show) -> Markup {
    let Some(stamp) = time_ms.stamp() else {
        return html! { span { "outside the calendar" } };
    };
    // HTML knows no year before 1.
    if utc(stamp).year() < 1 {
        return html! { span { (stamp) } };
    }
    let name = match show {
        Show::Clock => "clock",
        Show::Minute => "minute",
        Show::Full => "full",
    };
    html! { time datetime=(iso(stamp)) data-show=(name) { (text(time_ms, show)) } }
}

/// Returns a time in UTC as text.
pub(super) fn text(time_ms: UtcMs, show: Show) -> String {
    let Some(stamp) = time_ms.stamp() else {
        return "outside the calendar".to_owned();
    };
    let at = utc(stamp);
    let clock = format!("{:02}:{:02}", at.hour(), at.minute());
    match show {
        Show::Clock => clock,
        Show::Minute => format!("{} {clock}", day(time_ms)),
        Show::Full => format!(
            "{:04}-{:02}-{:02} {clock}:{:02}.{:03} UTC",
            at.year(),
            at.month(),
            at.day(),
            at.second(),
            at.subsec_nanosecond() / 1_000_000
        ),
    }
}

/// Returns `23 Nov`, with the year for times far from those that dashboards show.
pub(super) fn day(time_ms: UtcMs) -> String {
    let Some(stamp) = time_ms.stamp() else {
        return "outside the calendar".to_owned();
    };
    let at = utc(stamp);
    let month = MONTHS[(at.month() - 1) as usize];
    if (2000..2100).contains(&at.year()) {
        format!("{} {month}", at.day())
    } else {
        format!("{} {month} {}", at.day(), at.year())
    }
}

/// Returns `Mon`.
pub(super) fn weekday(time_ms: UtcMs) -> &'static str {
    let days = time_ms.stretch(DAY_MS);
    // 1 January 1970 was a Thursday.
    WEEKDAYS[(days + 3).rem_euclid(7) as usize]
}

/// The weekdays, Monday first.
pub(super) fn weekdays() -> [&'static str; 7] {
    WEEKDAYS
}

fn iso(stamp: Timestamp) -> String {
    utc(stamp).strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

fn utc(stamp: Timestamp) -> DateTime {
    Offset::UTC.to_datetime(stamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UtcMs = UtcMs::new(1_795_435_864_123);

    #[test]
    fn numbers_read_well() {
        assert_eq!(counted(1, "error"), "1 error");
        assert_eq!(counted(0, "error"), "no errors");
        assert_eq!(
            [0.0, 0.000_01, 0.0084, 0.0312, 0.5].map(share),
            ["0.00 %", "< 0.01 %", "0.84 %", "3.1 %", "50 %"]
        );
        assert_eq!(share(f64::NAN), "–");
        assert_eq!(whole(-3.0), "0");
    }

    #[test]
    fn times_read_well() {
        assert_eq!(text(NOON, Show::Minute), "23 Nov 12:11");
        assert_eq!(text(NOON, Show::Full), "2026-11-23 12:11:04.123 UTC");
        assert_eq!(weekday(NOON), "Mon");
        assert_eq!(weekday(UtcMs::new(-1)), "Wed");
        assert_eq!(day(UtcMs::EPOCH), "1 Jan 1970");
        assert_eq!(
            time(NOON, Show::Clock).into_string(),
            r#"<time datetime="2026-11-23T12:11:04.123Z" data-show="clock">12:11</time>"#
        );
        assert_eq!(time(UtcMs::MAX, Show::Full).into_string(), "<span>outside the calendar</span>");
        assert!(!time(UtcMs::new(-99_999_999_999_999), Show::Full).into_string().contains("<time"));
    }

    #[test]
    fn spans_read_well() {
        assert_eq!(ago(NOON - 130_000, NOON), "2 min ago");
        assert_eq!(ago(NOON + 3_600_000, NOON), "ahead of the clock");
        assert_eq!(ago(UtcMs::MIN, NOON), "106,751,991,167 days ago");
        assert_eq!(span(3 * DAY_MS), "3 days");
    }
}
