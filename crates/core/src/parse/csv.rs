//! Quoted values between commas or tabs, as FluentD's `csv` and `tsv` formatters write them. There is no header: one value
//! is the time, one a level, and the longest of the others the message.

use super::time::{self, Clock};
use crate::model::{Event, Field, Level};

/// No more values than this are looked at.
const MAX_VALUES: usize = 64;

/// Reads a line of quoted values; `None` for others, and where none of them is a time.
pub(super) fn event<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Event<'a>> {
    let mut event = Event::default();
    let mut rest = line.strip_prefix(b"\"")?;
    for _ in 0..MAX_VALUES {
        let end = value_end(rest)?;
        note(&mut event, &rest[..end], clock);
        rest = match &rest[end + 1..] {
            [] => return event.time_ms.is_some().then_some(event),
            [b',' | b'\t', b'"', rest @ ..] => rest,
            _ => return None,
        };
    }
    event.time_ms.is_some().then_some(event)
}

fn note<'a>(event: &mut Event<'a>, value: &'a [u8], clock: &mut Clock) {
    if event.time_ms.is_none()
        && let Some(time_ms) = time::read(value, clock)
    {
        event.time_ms = Some(time_ms);
    } else if event.level == Level::Unknown
        && let Some(level) = Level::from_word(value)
    {
        event.level = level;
    } else if value.len() > event.message.raw.len() {
        event.message = Field::plain(value);
    }
}

/// Returns where the quote stands that ends a value; two are one in it.
fn value_end(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let quote = from + memchr::memchr(b'"', text.get(from..)?)?;
        if text.get(quote + 1) != Some(&b'"') {
            return Some(quote);
        }
        from = quote + 2;
    }
}
