//! What stands in brackets in front of a line: `[06:10:37 WRN]`, `[E 231030 06:10:37 web:12]`, `[Nest] 12  - ...`,
//! Apache's modules; and .NET's console.

use super::{event, runtimes, span, split};
use crate::model::{Event, Field, Level};
use crate::parse::head::words_event;
use crate::parse::level::letter_level;
use crate::parse::time::{self, Clock};

/// Reads a line that a bracket begins and that words do not tell.
pub(super) fn bracketed<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Event<'a>> {
    match line.get(1..)? {
        // Tornado and Jupyter.
        [letter @ (b'D' | b'I' | b'W' | b'E' | b'C'), b' ', rest @ ..] => {
            let (time_ms, used) = time::scan(rest, clock)?;
            let (place, message) = split(&rest[used..], b"]")?;
            let (logger, _) = span(place.trim_ascii(), |byte| *byte != b':');
            Some(event(Some(time_ms), letter_level(*letter), Some(logger), message))
        }
        [b'N', b'e', b's', b't', b']', rest @ ..] => {
            let (_, rest) = split(rest, b" - ")?;
            words_event(rest.trim_ascii_start(), clock)
        }
        // Chromium and Flutter: `[ERROR:file.cc(12)] it broke`.
        [b'A'..=b'Z', ..] => {
            let (word, rest) = span(&line[1..], u8::is_ascii_uppercase);
            let level = Level::from_word(word)?;
            let (place, message) = split(rest.strip_prefix(b":")?, b"]")?;
            (!place.contains(&b' ')).then(|| event(None, level, Some(place), message))
        }
        _ => None,
    }
}

/// Reads `ERRO[0000] it broke` of logrus on a terminal, and `ERROR[11-20|06:10:37.143] it broke` of geth.
pub(super) fn numbered<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Event<'a>> {
    const WORDS: [(&[u8], Level); 9] = [
        (b"ERRO", Level::Error),
        (b"WARN", Level::Warn),
        (b"INFO", Level::Info),
        (b"DEBU", Level::Debug),
        (b"TRAC", Level::Trace),
        (b"FATA", Level::Fatal),
        (b"PANI", Level::Fatal),
        (b"CRIT", Level::Fatal),
        (b"DBUG", Level::Debug),
    ];
    let (word, rest) = span(line, u8::is_ascii_uppercase);
    let &(_, level) = WORDS.iter().find(|(start, _)| word.starts_with(start) && word.len() < 6)?;
    let (inner, message) = split(rest.trim_ascii_start().strip_prefix(b"[")?, b"]")?;
    if let [m1, m2, b'-', d1, d2, b'|', ..] = inner {
        let stamp = [b" ", &inner[6..]].concat();
        let (time_ms, _) = time::behind_digits(&[*m1, *m2, *d1, *d2], &stamp, clock)?;
        return Some(event(time_ms, level, None, message));
    }
    let is_number = !inner.is_empty() && inner.iter().all(u8::is_ascii_digit);
    is_number.then(|| event(None, level, None, message))
}

/// Reads what stands behind a time in brackets, where it is a line of PHP's, Apache's or `WebSphere`'s.
pub(in crate::parse) fn behind_time(rest: &[u8]) -> Option<Event<'_>> {
    match rest.first()? {
        b'P' => runtimes::php_head(rest).map(|(level, message)| event(None, level, None, message)),
        b'[' => apache(rest),
        b'0'..=b'9' | b'a'..=b'f' => websphere(rest),
        _ => None,
    }
}

/// Reads `[core:error] [pid 12:tid 139] [client 192.0.2.1:80] it broke`, and without module and process before 2.4.
fn apache(rest: &[u8]) -> Option<Event<'_>> {
    let (inner, mut rest) = split(&rest[1..], b"] ")?;
    let (module, word) = split(inner, b":").unwrap_or((b"", inner));
    let is_name = |name: &[u8]| name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let level = Level::from_word(word).filter(|_| is_name(module))?;
    if module.is_empty() && !rest.starts_with(b"[client ") && !rest.starts_with(b"[pid ") {
        return None;
    }
    while [&b"[pid "[..], b"[client ", b"[remote ", b"[tid "].iter().any(|start| rest.starts_with(start)) {
        (_, rest) = split(rest, b"] ")?;
    }
    Some(event(None, level, Some(module), rest))
}

/// Reads `0000001a Cart          E   it broke`: thread, component, letter. `A` is audit, `O` and `R` are what was printed.
fn websphere(rest: &[u8]) -> Option<Event<'_>> {
    let (thread, rest) = span(rest, u8::is_ascii_hexdigit);
    if thread.len() != 8 {
        return None;
    }
    let (name, rest) = span(rest.strip_prefix(b" ")?, |byte| !byte.is_ascii_whitespace());
    let [letter, b' ', message @ ..] = rest.trim_ascii_start() else { return None };
    let level = match letter {
        b'A' | b'O' => Level::Info,
        b'1' | b'2' | b'3' | b'>' | b'<' => Level::Trace,
        b'R' => Level::Unknown,
        letter => Some(letter_level(*letter)).filter(|level| *level != Level::Unknown)?,
    };
    Some(Event { thread: Some(Field::plain(thread)), ..event(None, level, Some(name), message) })
}

/// Reads `fail: Acme.Orders.Cart[0]`, as .NET's console writes it: the message stands in the next line, or behind it.
pub(super) fn dotnet(line: &[u8]) -> Option<Event<'_>> {
    let level = match line.get(..6)? {
        b"trce: " => Level::Trace,
        b"dbug: " => Level::Debug,
        b"info: " => Level::Info,
        b"warn: " => Level::Warn,
        b"fail: " => Level::Error,
        b"crit: " => Level::Fatal,
        _ => return None,
    };
    let (category, rest) = split(&line[6..], b"[")?;
    let (number, message) = split(rest, b"]")?;
    let is_number = !number.is_empty() && number.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
    (is_number && !category.contains(&b' ')).then(|| event(None, level, Some(category), message))
}
