//! What stands between a time and the message where words alone do not tell it: severities of `PostgreSQL`, programs behind
//! ISO stamps, pairs of logfmt, nginx' connections.

use super::{access, logfmt, runtimes, span, split, syslog};
use crate::model::{Event, Field, Level};
use crate::parse::names::Names;
use crate::parse::time::Clock;

/// Completes an event whose words said no level.
pub(in crate::parse) fn complete<'a>(
    event: Event<'a>,
    rest: &'a [u8],
    names: &Names,
    clock: &mut Clock,
) -> Option<Event<'a>> {
    let trimmed = rest.trim_ascii_start();
    match postgres(rest) {
        Some(Postgres::Event(level, message)) => {
            let message = Field::plain(message);
            return Some(Event { level, logger: None, thread: None, message, ..event });
        }
        Some(Postgres::Detail) => return None,
        None => {}
    }
    if let Some(answered) = access::complete(&event, rest) {
        return Some(answered);
    }
    if let Some((level, message)) = runtimes::php_head(trimmed) {
        return Some(Event { level, message: Field::plain(message), ..event });
    }
    if event.message.raw.first().is_some_and(u8::is_ascii_lowercase)
        && let Some(pairs) = logfmt::event(event.message.raw, names, clock)
    {
        return Some(Event { time_ms: event.time_ms, ..pairs });
    }
    if let Some(inner) = syslog::tagged(trimmed, true).or_else(|| syslog::tagged(trimmed, false))
        && inner.thread.is_some()
    {
        let read = syslog::completed(inner, names, clock);
        return Some(Event { time_ms: event.time_ms, ..read });
    }
    if let Some(inner) = behind_colon(rest).or_else(|| sidekiq(trimmed)) {
        return Some(Event { time_ms: event.time_ms, ..inner });
    }
    if event.message.raw.starts_with(b"Task timed out after ") {
        return Some(Event { level: Level::Error, ..event });
    }
    Some(event)
}

/// Reads `:ERROR:shop.cart:it broke`, and the same without a name.
fn behind_colon(rest: &[u8]) -> Option<Event<'_>> {
    let rest = rest.strip_prefix(b":")?;
    runtimes::python(rest).or_else(|| {
        let (word, message) = span(rest, u8::is_ascii_uppercase);
        let level = Level::from_word(word)?;
        Some(super::event(None, level, None, message.strip_prefix(b":")?))
    })
}

/// Reads `12 TID-abc Cart JID-1 INFO: start` of Sidekiq before 6.
fn sidekiq(rest: &[u8]) -> Option<Event<'_>> {
    let (process, rest) = span(rest, u8::is_ascii_digit);
    rest.strip_prefix(b" TID-")?;
    let (head, message) = split(rest, b": ")?;
    let word = head.rsplit(|byte| *byte == b' ').next()?;
    let level = Level::from_word(word)?;
    Some(Event { thread: Some(Field::plain(process)), ..super::event(None, level, None, message) })
}

/// Returns whether a line is one of `PostgreSQL` that only adds to the event before it.
pub(in crate::parse) fn is_detail(line: &[u8]) -> bool {
    line.first().is_some_and(u8::is_ascii_digit) && matches!(postgres(line), Some(Postgres::Detail))
}

/// Cuts process and connection off a message of nginx: `31#31: *17 it broke`.
pub(in crate::parse) fn nginx(message: &[u8]) -> Option<&[u8]> {
    let (_, rest) = span(message, u8::is_ascii_digit);
    let (thread, rest) = span(rest.strip_prefix(b"#")?, u8::is_ascii_digit);
    let rest = rest.strip_prefix(b": ").filter(|_| !thread.is_empty())?;
    let connection = rest.strip_prefix(b"*").map(|rest| span(rest, u8::is_ascii_digit));
    match connection {
        Some((number, behind)) if !number.is_empty() => Some(behind.trim_ascii_start()),
        _ => Some(rest),
    }
}

/// A line that has a severity of `PostgreSQL`.
enum Postgres<'a> {
    Event(Level, &'a [u8]),
    /// It only adds to the event before it.
    Detail,
}

/// Finds `ERROR:  it broke` behind whatever `log_line_prefix` writes: a severity in capitals, a colon and two blanks.
fn postgres(rest: &[u8]) -> Option<Postgres<'_>> {
    let (prefix, message) = split(rest, b":  ")?;
    let start = prefix.iter().rposition(|byte| !byte.is_ascii_alphanumeric()).map_or(0, |at| at + 1);
    let level = match &prefix[start..] {
        b"LOG" | b"INFO" | b"NOTICE" => Level::Info,
        b"WARNING" => Level::Warn,
        b"ERROR" => Level::Error,
        b"FATAL" | b"PANIC" => Level::Fatal,
        b"DEBUG" | b"DEBUG1" | b"DEBUG2" | b"DEBUG3" | b"DEBUG4" | b"DEBUG5" => Level::Debug,
        b"DETAIL" | b"HINT" | b"STATEMENT" | b"CONTEXT" | b"QUERY" | b"LOCATION" => {
            return Some(Postgres::Detail);
        }
        _ => return None,
    };
    Some(Postgres::Event(level, message))
}
