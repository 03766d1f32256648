//! Stamps that are not ISO 8601: the day or the month first, months by name, weekdays, clocks of twelve hours.
//!
//! `03/04/2026` is the day that is nearer to the day of the object's key. Where the key names none, the month comes first
//! on a clock of twelve hours and in years of two digits, else the day.

use super::{Clock, days_from_civil, finish, in_day, month_name, number, valid_days};
use crate::model::{DAY_MS, Day, UtcMs};

/// Reads a stamp at the start of `text`; see [`super::scan`].
pub(super) fn scan(text: &[u8], clock: &mut Clock) -> Option<(UtcMs, usize)> {
    match text.first()? {
        b'0'..=b'9' => by_digits(text, clock),
        b'A'..=b'Z' => by_letters(text, clock),
        _ => None,
    }
}

/// Reads `2023-10-30T06:10Z`, without seconds, as a whole field.
pub(super) fn minutes(text: &[u8], clock: &mut Clock) -> Option<UtcMs> {
    let (days, at) = super::date(text)?;
    let [h1, h2, b':', m1, m2] = *text.get(at..at + 5)? else { return None };
    let (day_ms, _) = in_day([number(&[h1, h2])?, number(&[m1, m2])?, 0], b"", 0)?;
    let (time_ms, used) = finish(text, days * DAY_MS + day_ms, at + 5, clock)?;
    (used == text.len()).then_some(time_ms)
}

/// Reads `6:10PM`, as zerolog writes on a console; returns milliseconds and the bytes read.
pub(super) fn kitchen(text: &[u8]) -> Option<(i64, usize)> {
    let (hour, at) = digits(text, 0, 2)?;
    let [b':', m1, m2, ..] = *text.get(at..)? else { return None };
    let rest = text.get(at + 3..).filter(|rest| matches!(rest.first(), Some(b'A' | b'P')))?;
    let (hour, used) = meridiem(rest, hour)?;
    let minute = number(&[m1, m2]).filter(|minute| *minute < 60)?;
    (used > 0 && hour < 24).then_some((i64::from(hour * 60 + minute) * 60_000, at + 3 + used))
}

/// Reads ` AM` or ` PM` behind a time of day; returns the hour of 24 and the bytes read, `None` for an hour that no clock
/// shows. A narrow no-break space may stand before it (CLDR 42).
pub(super) fn meridiem(text: &[u8], hour: u32) -> Option<(u32, usize)> {
    let spaces = match text {
        [b' ', ..] => 1,
        [0xe2, 0x80, 0xaf, ..] => 3,
        _ => 0,
    };
    let is_after = match text.get(spaces..spaces + 2) {
        Some(b"AM" | b"am") => false,
        Some(b"PM" | b"pm") => true,
        _ => return Some((hour, 0)),
    };
    if text.get(spaces + 2).is_some_and(u8::is_ascii_alphanumeric) {
        return Some((hour, 0));
    }
    match hour {
        1..=12 => Some((hour % 12 + if is_after { 12 } else { 0 }, spaces + 2)),
        // Some write the clock of 24 hours and say the half of the day as well.
        0 | 13..=23 => Some((hour, spaces + 2)),
        _ => None,
    }
}

/// Reads a time of day that follows a date of 4 (`MMDD`), 6 (`YYMMDD`) or 8 digits; a date without a year has no time where
/// the key names no day.
pub(in crate::parse) fn behind_digits(
    date: &[u8],
    text: &[u8],
    clock: &mut Clock,
) -> Option<(Option<UtcMs>, usize)> {
    let value = number(date)?;
    let (month, day) = (value / 100 % 100, value % 100);
    let (day_ms, end) = time(text, 0)?;
    let days = match date.len() {
        4 => {
            // A leap year, so that every day is one.
            valid_days(2000, month, day)?;
            match clock.day {
                Some(near) => in_nearest_year(month, day, near)?,
                None => return Some((None, end)),
            }
        }
        6 => valid_days(2000 + i64::from(value / 10_000), month, day)?,
        _ => valid_days(i64::from(value / 10_000), month, day)?,
    };
    let (time_ms, used) = finish(text, days * DAY_MS + day_ms, end, clock)?;
    Some((Some(time_ms), used))
}

/// Returns the days since 1970 of a calendar day.
pub(super) fn days_of(day: Day) -> i64 {
    days_from_civil(i64::from(day.year()), day.month() as u32, day.day() as u32)
}

fn by_digits(text: &[u8], clock: &mut Clock) -> Option<(UtcMs, usize)> {
    let (first, at) = digits(text, 0, 8)?;
    let (days, time_at) = match (at, text.get(at)?) {
        (1 | 2, b'-' | b'/' | b' ') if text.get(at + 1)?.is_ascii_alphabetic() => {
            let (month, month_end) = month_at(text, at + 1)?;
            let next = separator(text, month_end, text[at])?;
            match year(text, next) {
                Some((year, end)) => (valid_days(year, month, first)?, gap(text, end)?),
                None => (in_nearest_year(month, first, clock.day?)?, next),
            }
        }
        (1 | 2, b'-' | b'/' | b'.') => return numeric(text, first, at, clock),
        (4, b'-' | b'.' | b'/') => {
            let (month, day_at) = digits(text, at + 1, 2)?;
            let (day, end) = digits(text, separator(text, day_at, text[at])?, 2)?;
            (valid_days(i64::from(first), month, day)?, gap(text, end)?)
        }
        (6, b' ') => {
            (valid_days(2000 + i64::from(first / 10_000), first / 100 % 100, first % 100)?, gap(text, at)?)
        }
        (8, b' ') => (valid_days(i64::from(first / 10_000), first / 100 % 100, first % 100)?, gap(text, at)?),
        _ => return None,
    };
    let (day_ms, end) = time(text, time_at)?;
    finish(text, days * DAY_MS + day_ms, end, clock)
}

/// Reads `30.10.2023 06:10:37` and the like, whose first number ends at `at`.
fn numeric(text: &[u8], first: u32, at: usize, clock: &mut Clock) -> Option<(UtcMs, usize)> {
    let sign = text[at];
    let (second, second_end) = digits(text, at + 1, 2)?;
    let year_at = separator(text, second_end, sign)?;
    let (last, end) = digits(text, year_at, 4)?;
    let time_at = gap(text, end)?;
    let (day_ms, time_end) = time(text, time_at)?;
    let is_short = match end - year_at {
        4 => false,
        2 => true,
        _ => return None,
    };
    let is_meridiem = matches!(text.get(time_end - 1), Some(b'M' | b'm'));
    let year = i64::from(last) + if is_short { 2000 } else { 0 };
    let day_first = valid_days(year, second, first);
    let month_first = valid_days(year, first, second);
    let year_first = if is_short { valid_days(2000 + i64::from(first), second, last) } else { None };
    let usual = if is_short || is_meridiem {
        [month_first, year_first, day_first]
    } else {
        [day_first, month_first, None]
    };
    let days = nearest(usual, clock.day)?;
    finish(text, days * DAY_MS + day_ms, time_end, clock)
}

/// Of the days that a date may mean, the one nearest to `day`; without one the first.
fn nearest(candidates: [Option<i64>; 3], day: Option<Day>) -> Option<i64> {
    let mut days = candidates.into_iter().flatten();
    match day.map(days_of) {
        Some(day) => days.min_by_key(|days| (days - day).abs()),
        None => days.next(),
    }
}

/// Reads `Oct 30 06:10:37`, `Mon Oct 30 06:10:37.143 CET 2023`, `Oct 30, 2023 6:10:37 AM`, `Mon, 30 Oct 2023 06:10:37 GMT`.
fn by_letters(text: &[u8], clock: &mut Clock) -> Option<(UtcMs, usize)> {
    let at = weekday(text);
    if text.get(at)?.is_ascii_digit() {
        let (time_ms, used) = by_digits(&text[at..], clock)?;
        return Some((time_ms, at + used));
    }
    let (month, month_end) = month_at(text, at)?;
    let (day, day_end) = digits(text, blanks(text, month_end)?, 2)?;
    let next = gap(text, day_end)?;
    if let Some((year, end)) = year(text, next)
        && let Some(time_at) = gap(text, end)
        && let Some((day_ms, time_end)) = time(text, time_at)
    {
        return finish(text, valid_days(year, month, day)? * DAY_MS + day_ms, time_end, clock);
    }
    let (day_ms, time_end) = time(text, next)?;
    with_year_behind(text, (month, day), day_ms, time_end, clock)
        .or_else(|| finish(text, in_nearest_year(month, day, clock.day?)? * DAY_MS + day_ms, time_end, clock))
}

/// Finishes `Oct 30 06:10:37 2023` and `Oct 30 06:10:37 CET 2023`.
fn with_year_behind(
    text: &[u8],
    (month, day): (u32, u32),
    day_ms: i64,
    end: usize,
    clock: &mut Clock,
) -> Option<(UtcMs, usize)> {
    // The year matters to zones with summer time only; the time is read again with the year.
    let zone = super::offset(&text[end..], day_ms, clock);
    let year_at = end + zone.map_or(0, |(_, used)| used) + 1;
    let (year, used) = year(text, year_at)?;
    if text.get(year_at - 1) != Some(&b' ') || text.get(used) == Some(&b':') {
        return None;
    }
    let local_ms = valid_days(year, month, day)? * DAY_MS + day_ms;
    let (time_ms, _) = finish(&text[..year_at - 1], local_ms, end, clock)?;
    Some((time_ms, used))
}

/// Returns the days since 1970 of a date without a year: of the year that is nearest to `near`.
pub(super) fn in_nearest_year(month: u32, day: u32, near: Day) -> Option<i64> {
    let year = i64::from(near.year());
    nearest([0, -1, 1].map(|by| valid_days(year + by, month, day)), Some(near))
}

/// Returns where a weekday and the signs behind it end.
fn weekday(text: &[u8]) -> usize {
    const NAMES: [&[u8; 3]; 7] = [b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"];
    let Some(name) = text.get(..3) else { return 0 };
    if !NAMES.iter().any(|known| name == *known) {
        return 0;
    }
    let letters = text.iter().take(9).take_while(|byte| byte.is_ascii_alphabetic()).count();
    match &text[letters..] {
        [b',', b' ', ..] => letters + 2,
        [b' ' | b',', ..] => letters + 1,
        _ => 0,
    }
}

/// Reads a month's name at `at`, three letters of it or all.
fn month_at(text: &[u8], at: usize) -> Option<(u32, usize)> {
    let month = month_name(text.get(at..at + 3)?)?;
    let letters = text[at..].iter().take(10).take_while(|byte| byte.is_ascii_alphabetic()).count();
    (letters <= 9).then_some((month, at + letters))
}

/// Reads a year of four digits.
fn year(text: &[u8], at: usize) -> Option<(i64, usize)> {
    let (year, end) = digits(text, at, 4)?;
    (end == at + 4).then_some((i64::from(year), end))
}

/// Reads up to `most` digits that no further digit follows.
fn digits(text: &[u8], at: usize, most: usize) -> Option<(u32, usize)> {
    let rest = text.get(at..)?;
    let length = rest.iter().take(most + 1).take_while(|byte| byte.is_ascii_digit()).count();
    (1..=most).contains(&length).then(|| number(&rest[..length])).flatten().map(|value| (value, at + length))
}

fn separator(text: &[u8], at: usize, sign: u8) -> Option<usize> {
    (text.get(at) == Some(&sign)).then_some(at + 1)
}

fn blanks(text: &[u8], at: usize) -> Option<usize> {
    let spaces = text.get(at..)?.iter().take(3).take_while(|byte| **byte == b' ').count();
    (1..=2).contains(&spaces).then_some(at + spaces)
}

/// Returns where the time of day starts behind a date: a space, `T`, `:`, `::`, `, ` or ` at `.
fn gap(text: &[u8], at: usize) -> Option<usize> {
    let signs = match text.get(at..)? {
        [b' ', b'a', b't', b' ', ..] => 4,
        [b',' | b' ', b' ', ..] | [b':', b':', ..] => 2,
        [b' ' | b'T' | b':' | b'\t' | b',', ..] => 1,
        _ => return None,
    };
    Some(at + signs)
}

/// Reads a time of day whose hour may have one digit.
fn time(text: &[u8], at: usize) -> Option<(i64, usize)> {
    let (hour, end) = digits(text, at, 2)?;
    let [b':', m1, m2, b':', s1, s2] = *text.get(end..end + 6)? else { return None };
    in_day([hour, number(&[m1, m2])?, number(&[s1, s2])?], text, end + 6)
}
