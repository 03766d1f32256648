//! Access logs: requests, and the status of the answer, which is the level that the server does not write. From 500 on it
//! is an error: the server failed. All others are `info`, 4xx as well: clients ask for what is not there all day, and what a
//! server refuses as it should is no fault of its own.
//!
//! The message is the request and the status alone. What stands beside them (addresses, sizes, durations, browsers) differs
//! for each request, so that the same error would make as many groups.

use super::{event, span};
use crate::model::{Event, Field, Level};
use crate::parse::time::{self, Clock};

/// How far requests are looked for.
const HEAD_BYTES: usize = 1024;

/// Completes the event of a line whose time has been read; `rest` is what stands behind that.
pub(super) fn complete<'a>(read: &Event<'a>, rest: &'a [u8]) -> Option<Event<'a>> {
    let (level, message) = quoted(rest).or_else(|| in_columns(rest))?;
    Some(Event { level, message: Field::plain(message), ..*read })
}

/// Reads `GET /a 500 1.2 ms - 12`, as morgan writes it without a time, and `[GIN] 2026/03/01 - 06:10:37 | 500 | ...`.
pub(super) fn bare<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Event<'a>> {
    if let Some(rest) = line.strip_prefix(b"[GIN] ") {
        return gin(rest, clock);
    }
    let target = behind_method(line)?;
    let (_, behind) = span(target.strip_prefix(b"/")?, |byte| !byte.is_ascii_whitespace());
    let behind = behind.strip_prefix(b" ")?;
    let (version, numbered) = span(behind, |byte| *byte != b' ');
    let behind = if version.starts_with(b"HTTP/") { numbered.strip_prefix(b" ")? } else { behind };
    let level = status(behind)?;
    let is_timed = memchr::memmem::find(&behind[..behind.len().min(64)], b" ms").is_some();
    is_timed.then(|| event(None, level, None, &line[..line.len() - behind.len() + 3]))
}

fn gin<'a>(rest: &'a [u8], clock: &mut Clock) -> Option<Event<'a>> {
    let (date, rest) = rest.split_at_checked(10)?;
    let rest = rest.strip_prefix(b" - ")?;
    let stamp = [date, b" ", rest.get(..8)?].concat();
    let time_ms = time::read(&stamp, clock)?;
    let message = rest[8..].strip_prefix(b" | ")?;
    Some(event(Some(time_ms), status(message)?, None, message))
}

/// Reads `"GET /a HTTP/1.1" 500`, as nginx, Apache, Envoy, Traefik and S3 write it, or what balancers have in front of it.
fn quoted(text: &[u8]) -> Option<(Level, &[u8])> {
    let start = memchr::memchr(b'"', &text[..text.len().min(HEAD_BYTES)])?;
    let request = &text[start + 1..];
    let end = closing_quote(request)?;
    let behind = &request[end + 1..];
    let is_request =
        behind_method(request).is_some_and(|target| matches!(target.first(), Some(b'/' | b'*' | b'h')));
    let is_common = text.starts_with(b"] \"");
    if let Some(level) = behind.strip_prefix(b" ").and_then(status)
        && (is_request || is_common)
    {
        return Some((level, &text[start..start + end + 2 + 4]));
    }
    let level = is_request.then(|| balanced(&text[..start])).flatten()?;
    Some((level, &text[start..start + end + 2]))
}

/// Reads the status in front of a request: AWS' balancers have it before the target's and two sizes, `HAProxy` behind the five
/// durations.
fn balanced(text: &[u8]) -> Option<Level> {
    let fields: Vec<_> = text.trim_ascii().split(|byte| *byte == b' ').collect();
    let is_number = |field: &[u8]| !field.is_empty() && field.iter().all(u8::is_ascii_digit);
    let is_durations = |field: &&[u8]| {
        memchr::memchr_iter(b'/', field).count() == 4
            && field.iter().all(|byte| byte.is_ascii_digit() || b"/-+".contains(byte))
    };
    if let [.., own, targets, received, sent] = fields.as_slice()
        && is_number(received)
        && is_number(sent)
        && (is_number(targets) || *targets == b"-")
    {
        return status(own);
    }
    let durations = fields.iter().position(is_durations)?;
    status(fields.get(durations + 1)?)
}

/// Reads columns without quotes: CloudFront's method, host, path and status between tabs, and those of IIS, which end with the
/// status, two codes and a duration.
fn in_columns(text: &[u8]) -> Option<(Level, &[u8])> {
    let text = &text[..text.len().min(8 * HEAD_BYTES)];
    let is_tabbed = text.starts_with(b"\t");
    let by = if is_tabbed { b'\t' } else { b' ' };
    let mut start = 1;
    for _ in 0..6 {
        let rest = text.get(start..)?;
        let length = memchr::memchr(by, rest)?;
        if is_method(&rest[..length]) {
            let column = if is_tabbed { rest.split(|byte| *byte == by).nth(3)? } else { fourth_last(rest)? };
            let target = rest[length + 1..].split(|byte| *byte == by).nth(usize::from(is_tabbed))?;
            let level = status(column).filter(|_| target.starts_with(b"/"))?;
            let end = target.as_ptr() as usize - rest.as_ptr() as usize + target.len();
            return Some((level, &rest[..end]));
        }
        start += length + 1;
    }
    None
}

fn fourth_last(text: &[u8]) -> Option<&[u8]> {
    let mut columns = text.trim_ascii_end().rsplit(|byte| *byte == b' ');
    let are_numbers =
        (0..3).all(|_| columns.next().is_some_and(|column| column.iter().all(u8::is_ascii_digit)));
    columns.next().filter(|_| are_numbers)
}

/// Returns the level that the three digits at the start of a text say.
fn status(text: &[u8]) -> Option<Level> {
    match text {
        [b'1'..=b'4', b'0'..=b'9', b'0'..=b'9', rest @ ..] if is_end(rest) => Some(Level::Info),
        [b'5', b'0'..=b'9', b'0'..=b'9', rest @ ..] if is_end(rest) => Some(Level::Error),
        _ => None,
    }
}

fn is_end(rest: &[u8]) -> bool {
    matches!(rest.first(), None | Some(b' ' | b'\t' | b'|'))
}

fn is_method(word: &[u8]) -> bool {
    (3..=9).contains(&word.len()) && word.iter().all(u8::is_ascii_uppercase)
}

/// Returns what stands behind a method and a blank.
fn behind_method(text: &[u8]) -> Option<&[u8]> {
    let (word, rest) = span(text, u8::is_ascii_uppercase);
    rest.strip_prefix(b" ").filter(|_| is_method(word))
}

/// Returns the place of the quote that ends a text.
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut is_escaped = false;
    text.iter().position(|byte| {
        let ends = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        ends
    })
}
