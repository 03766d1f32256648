//! What the loggers that come with a language write: Ruby's `Logger`, Python's `basicConfig`, PHP's error log, Erlang's
//! reports.

use super::{event, span, split};
use crate::model::{Event, Field, Level};
use crate::parse::time::{self, Clock};

/// Reads `E, [2023-10-30T06:10:37.143456 #12] ERROR -- shop: it broke`.
pub(super) fn ruby<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Event<'a>> {
    let [b'D' | b'I' | b'W' | b'E' | b'F' | b'U' | b'A', b',', b' ', b'[', rest @ ..] = line else {
        return None;
    };
    let (time_ms, used) = time::scan(rest, clock)?;
    let (_, rest) = split(&rest[used..], b"] ")?;
    let (word, rest) = split(rest.trim_ascii_start(), b" -- ")?;
    let (program, message) = split(rest, b": ").or_else(|| Some((rest.strip_suffix(b":")?, &b""[..])))?;
    Some(event(Some(time_ms), Level::from_word(word).unwrap_or_default(), Some(program), message))
}

/// Reads `ERROR:shop.cart:it broke`.
pub(super) fn python(line: &[u8]) -> Option<Event<'_>> {
    let (word, rest) = span(line, u8::is_ascii_uppercase);
    let level = Level::from_word(word).filter(|_| word.len() > 3)?;
    let (name, message) = span(rest.strip_prefix(b":")?, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
    });
    let message = message.strip_prefix(b":").filter(|_| !name.is_empty())?;
    Some(event(None, level, Some(name), message))
}

/// Reads `PHP Fatal error:  it broke`, as the command line writes it to stderr.
pub(super) fn php(line: &[u8]) -> Option<Event<'_>> {
    let (level, message) = php_head(line)?;
    Some(event(None, level, None, message))
}

/// Returns the level and the message of a line of PHP's.
pub(super) fn php_head(line: &[u8]) -> Option<(Level, &[u8])> {
    const KINDS: [(&str, Level); 11] = [
        ("Fatal error", Level::Error),
        ("Parse error", Level::Error),
        ("Core error", Level::Error),
        ("Compile error", Level::Error),
        ("Recoverable fatal error", Level::Error),
        ("Catchable fatal error", Level::Error),
        ("Warning", Level::Warn),
        ("Core warning", Level::Warn),
        ("Notice", Level::Info),
        ("Deprecated", Level::Info),
        ("Strict Standards", Level::Info),
    ];
    let rest = line.strip_prefix(b"PHP ")?;
    let (kind, message) = split(rest, b":")?;
    let &(_, level) = KINDS.iter().find(|(known, _)| kind.eq_ignore_ascii_case(known.as_bytes()))?;
    Some((level, message.trim_ascii_start()))
}

/// Reads `=ERROR REPORT==== 30-Oct-2023::06:10:37.143 ===`; what happened stands in the lines behind it.
pub(super) fn erlang<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Event<'a>> {
    let (kind, rest) = split(line.strip_prefix(b"=")?, b" REPORT====")?;
    let level = match kind {
        b"ERROR" | b"CRASH" | b"SUPERVISOR" => Level::Error,
        b"WARNING" => Level::Warn,
        b"INFO" | b"PROGRESS" | b"NOTICE" => Level::Info,
        b"DEBUG" => Level::Debug,
        _ => return None,
    };
    let (time_ms, _) = time::scan(rest.trim_ascii_start(), clock)?;
    let message = Field::plain(&b""[..]);
    Some(Event { message, ..event(Some(time_ms), level, None, b"") })
}
