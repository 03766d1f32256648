//! Syslog (RFC 3164 and 5424), as daemons send it and as rsyslog and journald write it: host and program in front of the
//! message, which often has a head of its own.

use super::{access, event, glog, logfmt, runtimes, span, split};
use crate::model::{Event, Field, Level};
use crate::parse::head::words_event;
use crate::parse::level::syslog_level;
use crate::parse::names::Names;
use crate::parse::time::{self, Clock};

/// Reads a line that begins with `<34>`.
pub(super) fn with_priority<'a>(line: &'a [u8], names: &Names, clock: &mut Clock) -> Option<Event<'a>> {
    let (digits, rest) = span(line.strip_prefix(b"<")?, u8::is_ascii_digit);
    let rest = rest.strip_prefix(b">").filter(|_| (1..=3).contains(&digits.len()))?;
    let value = digits.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    let level = syslog_level((value & 7) as u8);
    let inner = match rest {
        [b'1', b' ', rest @ ..] => version_1(rest, clock),
        rest => stamped(rest, clock),
    };
    let inner =
        inner.unwrap_or_else(|| tagged(rest, false).unwrap_or_else(|| event(None, level, None, rest)));
    Some(completed(Event { level, ..inner }, names, clock))
}

/// Reads `Oct 30 06:10:37 host sshd[77]: it broke`.
pub(super) fn plain<'a>(line: &'a [u8], names: &Names, clock: &mut Clock) -> Option<Event<'a>> {
    let is_date = line.get(3) == Some(&b' ') && line.get(6) == Some(&b' ') && line.get(9) == Some(&b':');
    let read = if is_date { stamped(line, clock)? } else { return None };
    Some(completed(read, names, clock))
}

/// Reads `2023-10-30T06:10:37.143Z host app 77 ID47 [sd@1 a="b"] it broke` (RFC 5424, section 6).
fn version_1<'a>(rest: &'a [u8], clock: &mut Clock) -> Option<Event<'a>> {
    let (stamp, rest) = split(rest, b" ")?;
    let (_, rest) = split(rest, b" ")?;
    let (app, rest) = split(rest, b" ")?;
    let (process, rest) = split(rest, b" ")?;
    let (_, mut rest) = split(rest, b" ")?;
    while let Some(inner) = rest.strip_prefix(b"[") {
        rest = &inner[element_end(inner)?..];
    }
    let message = rest.strip_prefix(b"-").unwrap_or(rest).trim_ascii_start();
    let message = message.strip_prefix(b"\xef\xbb\xbf").unwrap_or(message);
    let named = |name: &'a [u8]| (name != b"-").then_some(name);
    let thread = named(process).map(Field::plain);
    Some(Event { thread, ..event(time::read(stamp, clock), Level::Unknown, named(app), message) })
}

/// Returns where an element of structured data ends; in its values quotes are escaped.
fn element_end(text: &[u8]) -> Option<usize> {
    let (mut is_escaped, mut is_quoted) = (false, false);
    let end = text.iter().position(|byte| {
        is_quoted ^= *byte == b'"' && !is_escaped;
        let ends = *byte == b']' && !is_escaped && !is_quoted;
        is_escaped = *byte == b'\\' && !is_escaped;
        ends
    });
    end.map(|end| end + 1)
}

/// Reads a stamp, a host and a program. Without a host, the colon behind it shows the program.
fn stamped<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Event<'a>> {
    let (time_ms, used) = time::scan(line, clock)?;
    let rest = line[used..].trim_ascii_start();
    let inner = tagged(rest, false).or_else(|| tagged(rest, true));
    Some(Event { time_ms: Some(time_ms), ..inner.unwrap_or_else(|| event(None, Level::Unknown, None, rest)) })
}

/// Reads `sshd[77]: it broke`, `app: it broke`, with a host in front if it `has_host`.
pub(super) fn tagged(text: &[u8], has_host: bool) -> Option<Event<'_>> {
    let is_name = |byte: &u8| !byte.is_ascii_whitespace() && !matches!(byte, b':' | b'[' | b'=' | b'"');
    let text = if has_host {
        let (host, rest) = span(text, |byte| !byte.is_ascii_whitespace());
        if host.is_empty() || host.ends_with(b":") {
            return None;
        }
        rest.strip_prefix(b" ")?
    } else {
        text
    };
    let (name, rest) = span(text, is_name);
    if name.is_empty() || name.len() > 64 {
        return None;
    }
    let (process, rest) = match rest.strip_prefix(b"[") {
        Some(inner) => {
            let (process, rest) =
                span(inner, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
            (Some(process), rest.strip_prefix(b"]")?)
        }
        None => (None, rest),
    };
    let message = rest.strip_prefix(b":").filter(|rest| matches!(rest.first(), None | Some(b' ')))?;
    // `kernel: [12345.678901] it broke`.
    let message = message.trim_ascii_start();
    let message = match message.strip_prefix(b"[") {
        Some(inner) if name == b"kernel" => split(inner, b"] ").map_or(message, |(_, rest)| rest),
        _ => message,
    };
    Some(Event { thread: process.map(Field::plain), ..event(None, Level::Unknown, Some(name), message) })
}

/// Takes what the message's own head says; its level is the program's, that of the priority often only the stream's.
pub(super) fn completed<'a>(mut read: Event<'a>, names: &Names, clock: &mut Clock) -> Event<'a> {
    let message = read.message.raw;
    let inner = logfmt::event(message, names, clock)
        .or_else(|| glog::event(message, clock))
        .or_else(|| runtimes::python(message))
        .or_else(|| words_event(message, clock));
    if let Some(inner) = inner
        && inner.level != Level::Unknown
    {
        read = Event {
            time_ms: inner.time_ms.or(read.time_ms),
            logger: inner.logger.or(read.logger),
            thread: inner.thread.or(read.thread),
            ..inner
        };
    }
    if read.level == Level::Unknown && memchr::memchr(b'"', message).is_some() {
        return access::complete(&read, message).unwrap_or(read);
    }
    read
}
