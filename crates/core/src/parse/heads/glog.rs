//! glog, klog and `CockroachDB`: `E1030 06:10:37.143456       1 controller.go:12] it broke`, a letter and the date, which has
//! no year, or one of two or four digits.

use super::{span, split};
use crate::model::{Event, Field};
use crate::parse::level::letter_level;
use crate::parse::time::{self, Clock};

/// Reads a line of glog's.
pub(super) fn event<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Event<'a>> {
    let [letter @ (b'I' | b'W' | b'E' | b'F' | b'D'), rest @ ..] = line else { return None };
    let (date, rest) = span(rest, u8::is_ascii_digit);
    if !matches!(date.len(), 4 | 6 | 8) || rest.first() != Some(&b' ') {
        return None;
    }
    let (time_ms, used) = time::behind_digits(date, &rest[1..], clock)?;
    let (place, message) = split(&rest[1 + used..], b"] ").or_else(|| split(&rest[1 + used..], b"]"))?;
    let (thread, file) = span(place.trim_ascii_start(), u8::is_ascii_digit);
    let file = file.trim_ascii_start();
    if file.contains(&b' ') && !file.contains(&b':') {
        return None;
    }
    let message = message.strip_prefix("⋮ ".as_bytes()).unwrap_or(message);
    let file = file.split(|byte| *byte == b':').next();
    let thread = (!thread.is_empty()).then(|| Field::plain(thread));
    Some(Event { thread, ..super::event(time_ms, letter_level(*letter), file, message) })
}
