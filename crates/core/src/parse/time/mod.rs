//! Time stamps, read by hand and without allocation. This file reads ISO 8601 and numbers, `calendar` all other ways to
//! write a date, `zones` the names of zones.
//!
//! A stamp without a zone takes the source's. Where clocks go forward, a stamp in the gap is shifted forward
//! by the gap's length; where they go back, a stamp that occurs twice means the earlier (RFC 5545, and what
//! jiff calls "compatible"), unless a line before it was already later. A fraction finer than a millisecond is cut. A leap second counts as the second
//! after it. Years 0001 to 9999 are read as they stand, far-off stamps are for others to judge; only the very
//! end of 9999 is cut to [`LATEST`].

mod calendar;
mod zones;

pub(super) use calendar::behind_digits;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

use crate::model::{DAY_MS, Day, HOUR_MS, MINUTE_MS, UtcMs};

/// The latest time given, 9999-12-30T22:00:00Z: `jiff::Timestamp::MAX` in whole milliseconds, so that every time can be
/// shown.
const LATEST: UtcMs = UtcMs::new(253_402_207_200_000);

/// How far a line may be behind the one before it: threads write past one another. Further back in the hour that clocks
/// show twice, it is the second time.
const SLACK_MS: i64 = MINUTE_MS;

/// The zone of stamps without one and the offset it had when last asked; the day of stamps without one.
#[derive(Clone, Debug)]
pub(super) struct Clock {
    zone: TimeZone,
    is_utc: bool,
    /// The day that the object's key names.
    day: Option<Day>,
    /// The latest time given to a stamp without a zone.
    before_ms: Option<UtcMs>,
    /// Whether a stamp was one that clocks show twice.
    was_ambiguous: bool,
    /// The zone that a stamp named last, as a place.
    place: Option<(String, Option<TimeZone>)>,
    /// A local hour (hours since 1970 on the local calendar) and its offset, valid all through it.
    last: Option<(i64, i64)>,
}

impl Clock {
    pub(super) fn new(zone: &TimeZone) -> Self {
        Self {
            zone: zone.clone(),
            is_utc: *zone == TimeZone::UTC,
            day: None,
            before_ms: None,
            was_ambiguous: false,
            place: None,
            last: None,
        }
    }

    /// Returns the clock for an object whose key names `day`.
    pub(super) fn on(self, day: Option<Day>) -> Self {
        Self { day, ..self }
    }

    /// Notes the time of the line before the next one.
    pub(super) fn after(&mut self, time_ms: UtcMs) {
        self.before_ms = Some(time_ms);
    }

    /// Goes back to what was known before lines out of their order were read. Returns whether their times are the same
    /// whatever stands before them.
    pub(super) fn go_back_to(&mut self, earlier: Option<UtcMs>) -> bool {
        self.before_ms = earlier;
        !std::mem::take(&mut self.was_ambiguous)
    }

    /// Returns what [`Clock::go_back_to`] goes back to.
    pub(super) fn before_ms(&self) -> Option<UtcMs> {
        self.before_ms
    }

    /// Returns the time at which the zone's clocks show `local_ms` (milliseconds since 1970 on the local calendar).
    fn resolve(&mut self, local_ms: i64) -> Option<UtcMs> {
        if self.is_utc || local_ms >= LATEST.get() {
            return Some(UtcMs::new(local_ms));
        }
        let hour = local_ms.div_euclid(HOUR_MS);
        if let Some((known, offset_ms)) = self.last
            && known == hour
        {
            self.before_ms = Some(UtcMs::new(local_ms - offset_ms));
            return self.before_ms;
        }
        let first = self.offset_at(hour * HOUR_MS);
        let last = self.offset_at((hour + 1) * HOUR_MS - 1);
        if let Some(offset_ms) = first
            && first == last
        {
            self.last = Some((hour, offset_ms));
            self.before_ms = Some(UtcMs::new(local_ms - offset_ms));
            return self.before_ms;
        }
        self.was_ambiguous = true;
        self.before_ms = Some(self.ambiguous(local_ms)?);
        self.before_ms
    }

    /// Returns the time of a stamp that clocks skip or show twice.
    fn ambiguous(&self, local_ms: i64) -> Option<UtcMs> {
        let stamp = self.zone.to_ambiguous_timestamp(civil(local_ms)?);
        let later = UtcMs::from(stamp.later().ok()?);
        let first = UtcMs::from(stamp.compatible().ok()?);
        let is_second = self
            .before_ms
            .is_some_and(|before| first + SLACK_MS < before && before <= later + SLACK_MS + HOUR_MS);
        Some(if is_second { later } else { first })
    }

    /// Returns the zone's offset in milliseconds when its clocks show `local_ms` and call it `name`.
    fn offset_named(&self, name: &[u8], local_ms: i64) -> Option<i64> {
        let stamp = self.zone.to_timestamp(civil(local_ms)?).ok()?;
        let info = self.zone.to_offset_info(stamp);
        let is_named = info.abbreviation().as_bytes() == name;
        is_named.then(|| i64::from(info.offset().seconds()) * 1000)
    }

    /// Returns the offset in milliseconds where it is unambiguous.
    fn offset_at(&self, local_ms: i64) -> Option<i64> {
        match self.zone.to_ambiguous_timestamp(civil(local_ms)?).offset() {
            AmbiguousOffset::Unambiguous { offset } => Some(i64::from(offset.seconds()) * 1000),
            AmbiguousOffset::Gap { .. } | AmbiguousOffset::Fold { .. } => None,
        }
    }
}

fn civil(local_ms: i64) -> Option<DateTime> {
    let stamp = jiff::Timestamp::from_millisecond(local_ms).ok()?;
    Some(Offset::UTC.to_datetime(stamp))
}

/// Reads a whole field as a time: a calendar stamp, or a number of seconds, milliseconds, microseconds or
/// nanoseconds since 1970 by its size. `None` for anything else.
pub(super) fn read(text: &[u8], clock: &mut Clock) -> Option<UtcMs> {
    let text = text.trim_ascii();
    if let Some((time_ms, used)) = scan(text, clock)
        && is_end(&text[used..])
    {
        return Some(time_ms);
    }
    epoch(text).or_else(|| calendar::minutes(text, clock))
}

/// An RFC 9557 zone name in brackets may follow an offset, or what JavaScript calls it in parentheses; the offset
/// decides.
fn is_end(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_start();
    matches!(rest, [] | [b'[', .., b']'] | [b'(', .., b')'])
}

/// Reads a calendar stamp at the start of `text` and returns it with the number of bytes it takes:
/// `2023-10-30 06:10:37.143` (`T` or a space, `.`, `,` or `:` before the fraction, `/` in the date), the same with a zone
/// or an offset, `20231030T061037Z`, and what [`calendar::scan`] reads.
pub(super) fn scan(text: &[u8], clock: &mut Clock) -> Option<(UtcMs, usize)> {
    if let Some((days, date_end)) = date(text)
        && let Some((day_ms, time_end)) = time_of_day(text, date_end)
    {
        return finish(text, days * DAY_MS + day_ms, time_end, clock);
    }
    calendar::scan(text, clock)
}

/// Reads a stamp without a date, `06:10:37.143` or `6:10PM`, on the clock's day; without such a day it gives no time.
pub(super) fn scan_time_of_day(text: &[u8], clock: &mut Clock) -> Option<(Option<UtcMs>, usize)> {
    let (day_ms, used) = clock_time(text, 0).or_else(|| calendar::kitchen(text))?;
    let Some(day) = clock.day else {
        return Some((None, used));
    };
    let (time_ms, used) = finish(text, calendar::days_of(day) * DAY_MS + day_ms, used, clock)?;
    Some((Some(time_ms), used))
}

fn finish(text: &[u8], local_ms: i64, end: usize, clock: &mut Clock) -> Option<(UtcMs, usize)> {
    let (time_ms, used) = match offset(&text[end..], local_ms, clock) {
        Some((offset_ms, used)) => (UtcMs::new(local_ms - offset_ms), end + used),
        None => (clock.resolve(local_ms)?, end),
    };
    Some((time_ms.min(LATEST), used))
}

/// Reads a date and what parts it from the time of day; returns days since 1970 and where the time starts.
fn date(text: &[u8]) -> Option<(i64, usize)> {
    match text.get(..11)? {
        [y @ .., b'-', m1, m2, b'-', d1, d2, b'T' | b't' | b' ' | b'_' | b'\t']
        | [y @ .., b'/', m1, m2, b'/', d1, d2, b' ' | b'T'] => {
            Some((valid_days(i64::from(number(y)?), number(&[*m1, *m2])?, number(&[*d1, *d2])?)?, 11))
        }
        [y1, y2, y3, y4, m1, m2, d1, d2, b'T', ..] => {
            let year = number(&[*y1, *y2, *y3, *y4])?;
            Some((valid_days(i64::from(year), number(&[*m1, *m2])?, number(&[*d1, *d2])?)?, 9))
        }
        _ => None,
    }
}

/// Reads a time of day at `at`, with or without colons; returns milliseconds and where it ends.
fn time_of_day(text: &[u8], at: usize) -> Option<(i64, usize)> {
    clock_time(text, at).or_else(|| {
        let digits = text.get(at..at + 6)?;
        let parts = [number(&digits[..2])?, number(&digits[2..4])?, number(&digits[4..])?];
        in_day(parts, text, at + 6)
    })
}

fn clock_time(text: &[u8], at: usize) -> Option<(i64, usize)> {
    let [h1, h2, b':', m1, m2, b':', s1, s2] = *text.get(at..at + 8)? else {
        return None;
    };
    in_day([number(&[h1, h2])?, number(&[m1, m2])?, number(&[s1, s2])?], text, at + 8)
}

fn in_day([hour, minute, second]: [u32; 3], text: &[u8], end: usize) -> Option<(i64, usize)> {
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (fraction_ms, used) = fraction(&text[end..]);
    let rest = &text[end + used..];
    if rest.first().is_some_and(u8::is_ascii_digit) {
        return None;
    }
    let (hour, meridiem) = match rest {
        [b' ' | b'A' | b'P' | b'a' | b'p' | 0xe2, ..] => calendar::meridiem(rest, hour)?,
        _ => (hour, 0),
    };
    let seconds = hour * 3600 + minute * 60 + second;
    Some((i64::from(seconds) * 1000 + fraction_ms, end + used + meridiem))
}

/// Reads `.143` or `,143` with up to nine digits, or `:143`; returns milliseconds and the bytes read.
fn fraction(text: &[u8]) -> (i64, usize) {
    if !matches!(text.first(), Some(b'.' | b',' | b':')) {
        return (0, 0);
    }
    let digits = text[1..].iter().take(9).take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || text[0] == b':' && digits != 3 {
        return (0, 0);
    }
    let first_three = text[1..=digits].iter().chain([&b'0', &b'0']).take(3);
    let ms = first_three.fold(0, |ms, &digit| ms * 10 + i64::from(digit - b'0'));
    (ms, 1 + digits)
}

/// Reads `Z`, a zone's name, `+01:00`, `+0100` or `+01`, and `GMT+0100`. Two digits behind a space are an offset only
/// where no text follows: ` -10 left` is text.
fn offset(text: &[u8], local_ms: i64, clock: &mut Clock) -> Option<(i64, usize)> {
    let spaces = usize::from(text.first() == Some(&b' '));
    let rest = &text[spaces..];
    let ends = |used: usize| !rest.get(used).is_some_and(u8::is_ascii_alphanumeric);
    let (offset_ms, used) = match rest {
        [b'Z' | b'z', ..] if spaces == 0 => (0, 1),
        [b'U', b'T', b'C', sign @ (b'+' | b'-'), digits @ ..]
        | [b'G', b'M', b'T', sign @ (b'+' | b'-'), digits @ ..] => {
            let (offset_ms, used) = signed_digits(*sign, digits)?;
            (offset_ms, 3 + used)
        }
        [b'A'..=b'Z', ..] => zones::offset(rest, local_ms, clock)?,
        [sign @ (b'+' | b'-'), digits @ ..] => {
            let (offset_ms, used) = signed_digits(*sign, digits)?;
            let is_text = spaces > 0 && used == 3 && !closes(&rest[used..]);
            (!is_text).then_some((offset_ms, used))?
        }
        _ => return None,
    };
    ends(used).then_some((offset_ms, spaces + used))
}

/// Reads `01:00`, `0100` or `01` behind a sign; returns the offset and the bytes read with the sign.
fn signed_digits(sign: u8, digits: &[u8]) -> Option<(i64, usize)> {
    match digits {
        [h1, h2, b':', m1, m2, ..] => Some((signed(sign, [*h1, *h2, *m1, *m2])?, 6)),
        [h1, h2, m1, m2, ..] if digits[..4].iter().all(u8::is_ascii_digit) => {
            Some((signed(sign, [*h1, *h2, *m1, *m2])?, 5))
        }
        [h1, h2, ..] => Some((signed(sign, [*h1, *h2, b'0', b'0'])?, 3)),
        _ => None,
    }
}

/// Returns whether a stamp may end here: with its line, with a sign, or before a process or a level.
fn closes(rest: &[u8]) -> bool {
    match rest {
        [] | [b']' | b':' | b'|' | b',' | b'\t', ..] | [b' ', b'[' | b'|', ..] => true,
        [b' ', rest @ ..] => rest.iter().take_while(|byte| byte.is_ascii_uppercase()).count() > 2,
        _ => false,
    }
}

fn signed(sign: u8, digits: [u8; 4]) -> Option<i64> {
    let (hours, minutes) = (number(&digits[..2])?, number(&digits[2..])?);
    if hours > 25 || minutes > 59 {
        return None;
    }
    let offset_ms = i64::from(hours) * HOUR_MS + i64::from(minutes) * MINUTE_MS;
    Some(if sign == b'-' { -offset_ms } else { offset_ms })
}

/// Reads a number since 1970. By size: below 10^11 seconds (until the year 5138), below 10^14 milliseconds
/// (from 1973 on), below 10^17 microseconds, above nanoseconds. Fourteen digits that spell a calendar time in
/// one go, `20231030061037`, are that in UTC: as milliseconds they would lie after the year 2286.
fn epoch(text: &[u8]) -> Option<UtcMs> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > 19 {
        return None;
    }
    if let [b'1' | b'2', ..] = text
        && digits == 14
        && text.len() == 14
        && let Some(days) =
            valid_days(i64::from(number(&text[..4])?), number(&text[4..6])?, number(&text[6..8])?)
        && let Some((day_ms, 14)) = time_of_day(text, 8)
    {
        return Some(UtcMs::new(days * DAY_MS + day_ms));
    }
    let whole = text[..digits]
        .iter()
        .try_fold(0_i64, |sum, &digit| sum.checked_mul(10)?.checked_add(i64::from(digit - b'0')))?;
    let rest = &text[digits..];
    let fraction_end = rest.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count() + 1;
    match rest {
        [] => {}
        [b'.', ..] if fraction_end == rest.len() => {}
        _ => return float_epoch(text),
    }
    Some(UtcMs::new(match whole {
        0..100_000_000_000 => whole * 1000 + fraction(rest).0,
        100_000_000_000..100_000_000_000_000 => whole,
        100_000_000_000_000..100_000_000_000_000_000 => whole / 1000,
        _ => whole / 1_000_000,
    }))
}

/// Reads a number with an exponent, as some JSON writers print seconds: `1.698646237143E9`.
fn float_epoch(text: &[u8]) -> Option<UtcMs> {
    let plain = text.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'));
    if !plain || text.len() > 40 {
        return None;
    }
    let value: f64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let ms = match value {
        0.0..1e11 => value * 1e3,
        1e11..1e14 => value,
        1e14..1e17 => value / 1e3,
        1e17..1e19 => value / 1e6,
        _ => return None,
    };
    Some(UtcMs::new(ms.round() as i64))
}

/// Reads a few digits; `None` when a byte is not a digit.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |sum, &byte| byte.is_ascii_digit().then(|| sum * 10 + u32::from(byte - b'0')))
}

fn month_name(name: &[u8]) -> Option<u32> {
    const NAMES: [&[u8; 3]; 12] =
        [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];
    let at = NAMES.iter().position(|known| name.eq_ignore_ascii_case(*known))?;
    Some(at as u32 + 1)
}

/// Returns the days since 1970 of a date that exists.
fn valid_days(year: i64, month: u32, day: u32) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        1..=12 => 31,
        _ => return None,
    };
    ((1..=9999).contains(&year) && (1..=length).contains(&day)).then(|| days_from_civil(year, month, day))
}

/// Howard Hinnant's `days_from_civil` (chrono-compatible low-level date algorithms, 2014): years start in March, so
/// that the leap day is the last.
fn days_from_civil(year: i64, month: u32, day: u32) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((i64::from(month) + 9) % 12) + 2) / 5 + i64::from(day) - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}
