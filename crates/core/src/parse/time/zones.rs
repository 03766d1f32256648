//! Names of zones as they stand behind a time: `CET`, `PDT`.

use jiff::tz::TimeZone;

use super::{Clock, civil};
use crate::model::MINUTE_MS;

/// Returns the minutes east of UTC of a zone's name (abbreviations in use, IANA tz database 2024b). Of those that
/// several countries use, the zone with most people; the source's own zone goes before.
fn minutes_east(name: &[u8]) -> Option<i64> {
    Some(match name {
        b"UTC" | b"GMT" | b"UT" | b"WET" => 0,
        b"WEST" | b"BST" | b"CET" | b"MEZ" => 60,
        b"CEST" | b"MESZ" | b"EET" | b"SAST" => 120,
        b"EEST" | b"MSK" => 180,
        b"IST" => 330,
        b"WIB" => 420,
        b"SGT" | b"HKT" | b"AWST" => 480,
        b"JST" | b"KST" => 540,
        b"ACST" => 570,
        b"AEST" => 600,
        b"ACDT" => 630,
        b"AEDT" => 660,
        b"NZST" => 720,
        b"NZDT" => 780,
        b"BRT" | b"ADT" => -180,
        b"AST" | b"EDT" => -240,
        b"EST" | b"CDT" => -300,
        b"CST" | b"MDT" => -360,
        b"MST" | b"PDT" => -420,
        b"PST" | b"AKDT" => -480,
        b"AKST" => -540,
        b"HST" => -600,
        _ => return None,
    })
}

/// Reads a zone's name at the start of `text`, behind a stamp of local time; returns its offset in milliseconds and the
/// length of the name.
pub(super) fn offset(text: &[u8], local_ms: i64, clock: &mut Clock) -> Option<(i64, usize)> {
    if text.get(1).is_some_and(u8::is_ascii_lowercase) {
        return of_place(text, local_ms, clock);
    }
    let length = text.iter().take(5).take_while(|byte| byte.is_ascii_uppercase()).count();
    let name = text.get(..length).filter(|name| (2..=4).contains(&name.len()))?;
    let minutes = minutes_east(name)?;
    let own = if clock.is_utc { None } else { clock.offset_named(name, local_ms) };
    Some((own.unwrap_or(minutes * MINUTE_MS), length))
}

/// Reads `Europe/Berlin`, as PHP writes its zone.
fn of_place(text: &[u8], local_ms: i64, clock: &mut Clock) -> Option<(i64, usize)> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'/' | b'-' | b'+');
    let length = text.iter().take(40).take_while(|byte| is_part(byte)).count();
    let name = std::str::from_utf8(&text[..length]).ok().filter(|name| name.contains('/'))?;
    if clock.place.as_ref().is_none_or(|(known, _)| known != name) {
        clock.place = Some((name.to_owned(), TimeZone::get(name).ok()));
    }
    let zone = clock.place.as_ref()?.1.as_ref()?;
    let offset = zone.to_ambiguous_timestamp(civil(local_ms)?).compatible().ok()?;
    Some((local_ms - offset.as_millisecond(), length))
}
