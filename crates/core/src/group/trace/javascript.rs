//! Traces of JavaScript as V8 writes them: `Type: message`, frames `    at fn (file:1:2)` or `    at file:1:2`, a
//! cause behind `[cause]: `.

use std::borrow::Cow;

use super::{Exception, Frame, MAX_EXCEPTIONS, MAX_FRAMES, file_name, lines, typed, without_line};

/// Reads a trace that has frames.
pub(super) fn exceptions(text: &str) -> Vec<Exception<'_>> {
    let mut found: Vec<Exception<'_>> = Vec::new();
    let mut latest = None;
    for line in lines(text) {
        let trimmed = line.trim_start();
        if let Some(frame) = frame(trimmed) {
            if found.is_empty() {
                found.push(latest.take().unwrap_or_default());
            }
            if let Some(last) = found.last_mut().filter(|last| last.frames.len() < MAX_FRAMES) {
                last.frames.push(frame);
            }
        } else if let Some(cause) = trimmed.strip_prefix("[cause]: ") {
            if found.len() < MAX_EXCEPTIONS {
                found.push(header(cause).unwrap_or_default());
            }
        } else if found.is_empty() {
            latest = header(trimmed).or(latest);
        }
    }
    found
}

/// Reads `[Uncaught ]Type[ [CODE]]: message`.
fn header(line: &str) -> Option<Exception<'_>> {
    let line = line.strip_prefix("Uncaught ").unwrap_or(line);
    let (kind, rest) = line.split_at(line.find([':', ' ']).unwrap_or(line.len()));
    let message = match rest.strip_prefix(" [").and_then(|rest| rest.split_once(']')) {
        Some((_, message)) => message.trim_start_matches([':', ' ']),
        None => typed(line)?.message,
    };
    let is_type = kind.starts_with(char::is_uppercase) && typed(kind).is_some();
    is_type.then_some(Exception { kind, message, frames: Vec::new() })
}

/// Reads `at [async ][new ]fn[ [as alias]] (file:1:2)` or `at file:1:2`.
pub(super) fn frame(line: &str) -> Option<Frame<'_>> {
    let rest = line.strip_prefix("at ")?;
    let rest = rest.strip_prefix("async ").unwrap_or(rest);
    let Some((name, place)) = rest.split_once(" (") else {
        let file = without_line(rest);
        let is_place = is_place(rest) && !file.is_empty() && !rest.ends_with(')');
        return is_place.then_some(Frame { name: "<anonymous>", file });
    };
    let place = place.trim_end().strip_suffix(')').unwrap_or(place);
    let name = name.strip_prefix("new ").unwrap_or(name);
    let name = name.split(" [as ").next().unwrap_or(name);
    let is_built_in = ["native", "<anonymous>"].contains(&place)
        || ["index ", "eval at "].iter().any(|mark| place.starts_with(mark));
    if is_built_in {
        return Some(Frame { name, file: "<anonymous>" });
    }
    is_place(place).then(|| Frame { name, file: without_line(place) })
}

/// Whether a text ends with a line and a column, `:12:5`.
fn is_place(text: &str) -> bool {
    let mut parts = text.rsplitn(3, ':');
    let is_number = |part: Option<&str>| {
        part.is_some_and(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    is_number(parts.next()) && is_number(parts.next()) && parts.next().is_some()
}

/// Function and file; hashes that a bundler puts into the file's name are left out.
pub(super) fn normalised<'t>(frame: &Frame<'t>) -> Cow<'t, str> {
    let file = file_name(frame.file).split('?').next().unwrap_or_default();
    let is_hash = |part: &&str| {
        part.len() >= 8
            && part.bytes().all(|b| b.is_ascii_hexdigit())
            && part.contains(|c: char| c.is_ascii_digit())
    };
    let parts: Vec<_> = file.split(['.', '-']).filter(|part| !is_hash(part)).collect();
    Cow::Owned(format!("{}:{}", parts.join("."), frame.name))
}
