//! Numbers, times and lines as people read them.

use jiff::tz::TimeZone;

use super::DigestSettings;
use crate::edges::mail;
use gzette_core::human::day_and_time;
pub(super) use gzette_core::human::{bytes, count};
use gzette_core::model::{DAY_MS, HOUR_MS, MINUTE_MS, UtcMs};

/// The longest slug of a digest's name.
const SLUG_CHARS: usize = 40;

/// A count at which a ratio is said as `×4.1` and no longer in percent.
const FACTOR_FROM: f64 = 2.0;

/// Returns a count that the view keeps as a float.
pub(super) fn number(value: f64) -> String {
    count(value.max(0.0).round() as u64)
}

/// Returns a share from 0 to 1 as `0.84 %`.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        value if value >= 10.0 => format!("{value:.0} %"),
        value if value >= 1.0 => format!("{value:.1} %"),
        value => format!("{value:.2} %"),
    }
}

/// Returns how `now` compares with `before`: `×4.1`, `+12 %`, `same`; empty if a ratio says nothing.
pub(super) fn change(now: f64, before: f64) -> String {
    if before <= 0.0 {
        return String::new();
    }
    let ratio = now / before;
    if ratio >= FACTOR_FROM {
        format!("×{ratio:.1}")
    } else {
        match ((ratio - 1.0) * 100.0).round() as i64 {
            0 => "same".to_owned(),
            percent @ 1.. => format!("+{percent} %"),
            percent => format!("−{} %", -percent),
        }
    }
}

/// Returns `Tue 24 Nov 2026 09:00`.
pub(super) fn date_and_time(time_ms: UtcMs, zone: &TimeZone) -> String {
    let stamp = time_ms.stamp().unwrap_or_default();
    zone.to_datetime(stamp).strftime("%a %-d %b %Y %H:%M").to_string()
}

/// Returns a time with its age: `06:52 (8 min ago)`.
pub(super) fn time_and_age(time_ms: UtcMs, now_ms: UtcMs, zone: &TimeZone) -> String {
    let age_ms = now_ms - time_ms;
    let age = match age_ms {
        0..MINUTE_MS => "just now".to_owned(),
        MINUTE_MS.. => format!("{} ago", span(age_ms)),
        _ => format!("{} ahead of the clock", span(age_ms.saturating_neg())),
    };
    format!("{} ({age})", day_and_time(time_ms, now_ms, zone))
}

/// Returns a length of time: `8 min`, `4 h 10 min`, `3 days`.
pub(super) fn span(length_ms: i64) -> String {
    match length_ms.max(0) {
        ms @ 0..HOUR_MS => format!("{} min", ms / MINUTE_MS),
        ms if ms < DAY_MS => match ms % HOUR_MS / MINUTE_MS {
            0 => format!("{} h", ms / HOUR_MS),
            minutes => format!("{} h {minutes} min", ms / HOUR_MS),
        },
        ms if ms < 2 * DAY_MS => format!("1 day {} h", (ms - DAY_MS) / HOUR_MS),
        ms => format!("{} days", ms / DAY_MS),
    }
}

/// Returns `1 object`, `3 objects`.
pub(super) fn plural(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// Returns whether `url` can be a link in a mail: only http(s), nothing to quote.
pub(super) fn is_link(url: &str) -> bool {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        !rest.is_empty()
            && url.len() <= 500
            && rest.bytes().all(|byte| byte.is_ascii_graphic() && !b"\"'<>\\`{}|^#?".contains(&byte))
    })
}

/// Appends `text` broken into lines of at most `width` characters: `first` begins the first line, `indent`
/// the others. A word longer than a line is cut, except a link.
pub(super) fn wrap(out: &mut String, text: &str, first: &str, indent: &str, width: usize) {
    let mut line = first.to_owned();
    let mut chars = first.chars().count();
    let mut has_word = false;
    let room = width.saturating_sub(indent.chars().count()).max(1);
    for word in text.split(' ').flat_map(|word| pieces(word, room)) {
        let wanted = word.chars().count();
        if has_word && chars + 1 + wanted > width {
            out.push_str(line.trim_end());
            out.push('\n');
            indent.clone_into(&mut line);
            chars = indent.chars().count();
            has_word = false;
        }
        if has_word {
            line.push(' ');
            chars += 1;
        }
        line.push_str(word);
        chars += wanted;
        has_word = true;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

/// Cuts a word into pieces of at most `room` characters.
fn pieces(word: &str, room: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = word;
    while !is_link(rest)
        && let Some((at, _)) = rest.char_indices().nth(room)
    {
        let (piece, after) = rest.split_at(at);
        pieces.push(piece);
        rest = after;
    }
    pieces.push(rest);
    pieces
}

/// Returns a digest's name as letters, digits and single `-`.
pub(super) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for character in name.chars().take(SLUG_CHARS) {
        if character.is_ascii_alphanumeric() {
            slug.push(character.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    match slug.trim_end_matches('-') {
        "" => "digest".to_owned(),
        slug => slug.to_owned(),
    }
}

/// Returns the domain of the sender for Message-ID and List-Id.
pub(super) fn domain(settings: &DigestSettings) -> String {
    match mail::mailbox(&settings.from) {
        Ok(from) if !from.email.domain().starts_with('[') => from.email.domain().to_ascii_lowercase(),
        _ => "gzette.invalid".to_owned(),
    }
}
