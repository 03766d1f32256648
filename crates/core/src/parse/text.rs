//! Plain text: a time and a level near the start of an event's first line, as Log4j, Logback, Spring Boot, Python,
//! Go, nginx, Apache and syslog write them; and the lines of stack traces in Java, Python, JavaScript, Go, Rust
//! and .NET, which start no event.

use std::borrow::Cow;

use super::head::{HEAD_BYTES, Head};
use super::heads;
use super::names::Names;
use super::time::Clock;
use crate::model::{Event, Field, Level, colour};
use crate::trace::{begins_crash, continues_trace, is_frame_line};

/// The longest tag of a tagged logger, and the most of them on a line.
const TAG_BYTES: usize = 64;
const TAGS: usize = 4;

/// Reads the first line of an event; `None` when it has neither a time nor a level near its start, or only adds to the
/// event before it.
pub(super) fn event<'a>(line: &'a [u8], names: &Names, clock: &mut Clock) -> Option<Event<'a>> {
    if memchr::memchr(b'\x1b', &line[..line.len().min(HEAD_BYTES)]).is_some() {
        return coloured_event(line, names, clock);
    }
    plain_event(line, names, clock)
}

fn plain_event<'a>(line: &'a [u8], names: &Names, clock: &mut Clock) -> Option<Event<'a>> {
    if let Some(event) = heads::special(line, names, clock) {
        return Some(event);
    }
    let mut head = Head::default();
    if let Some(end) = head.time(line, clock) {
        return dated_event(head, line, end, names, clock);
    }
    let at = head.leading_level(line)?;
    Some(head.event_from(line, at))
}

/// Reads what stands behind a time that ends at `end`.
fn dated_event<'a>(
    head: Head<'a>,
    line: &'a [u8],
    end: usize,
    names: &Names,
    clock: &mut Clock,
) -> Option<Event<'a>> {
    let (time_ms, rest) = (head.time_ms, &line[end..]);
    if let Some(behind) = rest.strip_prefix(b"]")
        && let Some(event) = heads::behind_bracket(behind.trim_ascii_start())
    {
        return Some(Event { time_ms, ..event });
    }
    let event = head.event_from(line, end);
    if let Some(message) = heads::nginx(event.message.raw) {
        return Some(Event { message: Field::plain(message), ..event });
    }
    if event.level == Level::Unknown { heads::complete(event, rest, names, clock) } else { Some(event) }
}

/// Reads a line whose head has colours: as without them, then the parts are found in the line as it is.
fn coloured_event<'a>(line: &'a [u8], names: &Names, clock: &mut Clock) -> Option<Event<'a>> {
    let (mut text, mut places) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < line.len() && text.len() < 2 * HEAD_BYTES {
        let escape = colour(&line[at..]);
        if escape == 0 {
            text.push(line[at]);
            places.push(at);
        }
        at += escape.max(1);
    }
    places.push(at);
    let event = plain_event(&text, names, clock)?;
    let start = |part: &[u8]| part.as_ptr() as usize - text.as_ptr() as usize;
    let found = |field: Field<'_>| {
        let from = start(field.raw);
        Field::plain(&line[places[from]..places[from + field.raw.len()]])
    };
    let message = if event.message.is_empty() {
        line.len()..line.len()
    } else {
        let from = start(event.message.raw);
        let end = from + event.message.raw.len();
        places[from]..if end == text.len() { line.len() } else { places[end] }
    };
    Some(Event {
        time_ms: event.time_ms,
        level: event.level,
        logger: event.logger.map(found),
        thread: event.thread.map(found),
        message: Field { raw: &line[message], escaped: event.message.escaped, nested: false },
        trace: None,
    })
}

/// Returns whether a line that starts no event belongs to the event before it: it is indented or empty, or has a
/// mark of a stack trace.
pub(super) fn continues(line: &[u8]) -> bool {
    matches!(line.first(), None | Some(b' ' | b'\t'))
        || has_trace_mark(line)
        || is_exception_line(line)
        || starts_crash(line)
        || is_go_line(line)
        || heads::is_detail(line)
        || continues_trace(line)
        || has_tagged_mark(line)
}

/// Returns whether a line is blank behind the tags of a tagged logger, or has a mark of a stack trace there.
fn has_tagged_mark(line: &[u8]) -> bool {
    let inner = without_tags(line);
    inner.len() < line.len()
        && (inner.trim_ascii().is_empty() || continues_trace(inner) || is_exception_line(inner))
}

/// Takes off the tags that a tagged logger repeats on every line of a message: `[a1b2] [shop] it broke`.
pub(super) fn without_tags(line: &[u8]) -> &[u8] {
    // Dropwizard's lines of a trace.
    if let Some(rest) = line.strip_prefix(b"! ") {
        return rest;
    }
    let mut rest = line;
    for _ in 0..TAGS {
        let Some(inner) = rest.strip_prefix(b"[") else { break };
        let Some(end) = memchr::memchr(b']', &inner[..inner.len().min(TAG_BYTES)]) else { break };
        rest = match &inner[end + 1..] {
            [b' ', behind @ ..] => behind,
            [] => &[],
            _ => break,
        };
    }
    rest
}

/// Takes tags and colours off a line of a trace.
pub(crate) fn untagged(line: &[u8]) -> Cow<'_, [u8]> {
    let line = match line {
        // loguru marks the frame that caught the exception.
        [b'>', b' ', rest @ ..] if is_call_of_python(rest) => rest,
        _ if has_tagged_mark(line) => without_tags(line),
        _ => line,
    };
    if memchr::memchr(b'\x1b', line).is_none() {
        return Cow::Borrowed(line);
    }
    let (mut plain, mut at) = (Vec::with_capacity(line.len()), 0);
    while at < line.len() {
        let escape = colour(&line[at..]);
        if escape == 0 {
            plain.push(line[at]);
        }
        at += escape.max(1);
    }
    Cow::Owned(plain)
}

/// What a line with a head, or a record, is to a trace whose lines each have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// A frame, or the beginning of a cause.
    Frame,
    /// A frame of Python, behind which the exception's type is to come.
    Calls,
    /// What stands between frames.
    Note,
    /// The name of an exception and what it says.
    Type,
}

/// Returns the mark of a message, which `indent` blanks set off from its head.
pub(super) fn mark(message: &[u8], indent: usize, is_error: bool) -> Option<Mark> {
    if message.trim_ascii().is_empty() || message.starts_with(b"Exception in thread ") {
        return None;
    }
    if message.starts_with(b"Traceback (most recent call last)") || is_call_of_python(message) {
        return Some(Mark::Calls);
    }
    let is_frame = if message.starts_with(b"at ") {
        continues_trace(message)
    } else {
        has_trace_mark(message) || is_error && is_frame_line(message)
    };
    if is_frame {
        return Some(Mark::Frame);
    }
    if is_error && (indent > 1 || continues_trace(message)) {
        return Some(Mark::Note);
    }
    (is_error && names_type(message)).then_some(Mark::Type)
}

fn is_call_of_python(message: &[u8]) -> bool {
    let head = &message[..message.len().min(HEAD_BYTES)];
    message.starts_with(b"File \"") && memchr::memmem::find(head, b"\", line ").is_some()
}

/// `ValueError: bad`, `shop.gateway.Down: 17`.
fn names_type(message: &[u8]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_');
    let length = message.iter().take_while(|byte| is_name(byte)).count();
    let (name, rest) = message.split_at(length);
    let is_dotted = name.contains(&b'.') && name.first().is_some_and(u8::is_ascii_alphabetic);
    is_dotted && matches!(rest, [] | [b':', b' ', ..]) || is_exception_line(message)
}

/// Returns whether a line that begins with the name of a month says nothing but when and where: `message` is a class and a
/// method.
pub(super) fn is_place_alone(line: &[u8], message: &[u8]) -> bool {
    let is_name = |name: &[u8]| {
        !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"._$<>".contains(byte))
    };
    let is_date =
        matches!(line, [b'A'..=b'Z', _, _, b' ', _, b',', ..] | [b'A'..=b'Z', _, _, b' ', _, _, b',', ..]);
    let Some(blank) = memchr::memchr(b' ', message).filter(|_| is_date) else { return false };
    message.len() < HEAD_BYTES && is_name(&message[..blank]) && is_name(&message[blank + 1..])
}

/// Returns whether a line begins with a level in capitals and a colon.
pub(super) fn is_level_line(line: &[u8]) -> bool {
    let length = line.iter().take(8).take_while(|byte| byte.is_ascii_uppercase()).count();
    line[length..].starts_with(b": ") && Level::from_word(&line[..length]).is_some()
}

/// Returns the blanks in front of a message in its line.
pub(super) fn indent(line: &[u8], message: &[u8]) -> usize {
    let before = (message.as_ptr() as usize).checked_sub(line.as_ptr() as usize);
    let head = before.and_then(|before| line.get(..before)).unwrap_or_default();
    head.iter().rev().take_while(|byte| matches!(byte, b' ' | b'\t')).count()
}

/// Returns whether a line is one of Ruby's `Logger` at the level of errors, with which Rails writes an exception call by
/// call: a blank message, the exception, a blank one, its frames.
pub(super) fn is_written_in_calls(line: &[u8]) -> bool {
    matches!(line, [b'F' | b'E', b',', b' ', b'[', ..])
}

/// Returns whether a line is the first of what a program prints when it dies of an uncaught error.
pub(super) fn starts_crash(line: &[u8]) -> bool {
    let starts = |marks: &[&[u8]]| marks.iter().any(|mark| line.starts_with(mark));
    starts(&[b"Uncaught ", b"Exception in thread "]) || begins_crash(without_tags(line)).is_some()
}

fn is_rust_panic(line: &[u8]) -> bool {
    line.starts_with(b"thread '")
        && memchr::memmem::find(&line[..line.len().min(HEAD_BYTES)], b" panicked at ").is_some()
}

/// Returns how many lines without a mark follow a line of a trace: what a panic of Rust says, and the last line of
/// a Python traceback, whatever the name of its exception.
pub(super) fn unmarked_behind(line: &[u8]) -> u32 {
    let first = line.trim_ascii_start();
    let is_one = match first.first() {
        Some(b't') => is_rust_panic(first),
        Some(b'T') => first.starts_with(b"Traceback (most recent call last)"),
        // Node.js quotes the line that failed.
        Some(b'/' | b'n' | b'f') => is_place_of_node(first),
        // It points into that line; what it says comes next.
        Some(b'^') => first.iter().all(|byte| *byte == b'^'),
        _ => false,
    };
    u32::from(is_one)
}

/// `/app/cart.js:31`, `node:internal/process:9`, `file:///app/cart.mjs:31`.
fn is_place_of_node(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    line.last().is_some_and(u8::is_ascii_digit) && !line.contains(&b' ') && begins_crash(line).is_some()
}

/// Returns whether a line is one of a Go trace that is not indented: `main.(*Server).handle(0xc000010000)`,
/// `created by main.run in goroutine 1`, `[signal SIGSEGV: segmentation violation ...`.
fn is_go_line(line: &[u8]) -> bool {
    if line.starts_with(b"created by ") || line.starts_with(b"[signal SIG") {
        return true;
    }
    let Some(line) = line.strip_suffix(b")").filter(|line| line.first().is_some_and(u8::is_ascii_alphabetic))
    else {
        return false;
    };
    let line = &line[..line.len().min(HEAD_BYTES)];
    let name = memchr::memrchr(b'(', line).map_or(&[][..], |open| &line[..open]);
    let is_name = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b'/' | b'-' | b'(' | b'*' | b')' | b'[' | b']')
    };
    name == b"panic" || name.contains(&b'.') && name.iter().all(is_name)
}

/// Returns whether a message is only a line of a stack trace. Stricter than [`continues`]: an indented message may be an
/// event of its own.
pub(super) fn is_trace_line(message: &Field<'_>) -> bool {
    let raw = message.raw;
    let indented = match raw {
        [b'\\', b't', rest @ ..] if message.escaped => Some(rest),
        [b' ' | b'\t', rest @ ..] => Some(rest.trim_ascii_start()),
        _ => None,
    };
    match indented {
        Some(rest) => [&b"at "[..], b"... ", b"Caused by: ", b"Suppressed: ", b"File \"", b"File \\\""]
            .iter()
            .any(|mark| rest.starts_with(mark)),
        None => has_trace_mark(raw) && !raw.starts_with(b"at "),
    }
}

/// Returns whether an unindented line has a mark that only stack traces have.
fn has_trace_mark(line: &[u8]) -> bool {
    const MARKS: [&[u8]; 14] = [
        b"Caused by: ",
        b"Suppressed: ",
        b"at ",
        b"... ",
        b"Traceback (most recent call last)",
        b"During handling of the above exception",
        b"The above exception was the direct cause",
        b"Wrapped by: ",
        b"goroutine ",
        b"--- End of ",
        b"---> ",
        b"stack backtrace:",
        b"note: run with `RUST_BACKTRACE",
        b"Exception in thread ",
    ];
    // The first letters, so that most lines end here.
    if !matches!(
        line.first(),
        Some(b'C' | b'S' | b'a' | b'.' | b'T' | b'D' | b'W' | b'g' | b'-' | b's' | b'n' | b'E')
    ) {
        return false;
    }
    MARKS.iter().any(|mark| line.starts_with(mark)) && !line.starts_with(b"goroutine pool")
}

/// Returns whether a line starts with the name of an exception class: `java.io.IOException: closed`,
/// `ValueError: bad`, `System.NullReferenceException`.
pub(super) fn is_exception_line(line: &[u8]) -> bool {
    const ENDINGS: [&[u8]; 6] = [b"Exception", b"Error", b"Throwable", b"Failure", b"Warning", b"Interrupt"];
    let head = &line[..line.len().min(HEAD_BYTES)];
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$');
    let length = head.iter().take_while(|byte| is_name(byte)).count();
    let (name, rest) = head.split_at(length);
    name.first().is_some_and(u8::is_ascii_alphabetic)
        && matches!(rest, [] | [b':', b' ', ..] | [b':'])
        && ENDINGS.iter().any(|ending| name.ends_with(ending) && name.len() > ending.len())
}
