//! Traces of .NET: the types of the whole chain first, `Outer: message ---> Inner: message` on one line or on
//! several, then the root's frames, `--- End of inner exception stack trace ---`, and the frames of the next one out.

use std::borrow::Cow;

use super::{Exception, MAX_EXCEPTIONS, MAX_FRAMES, jvm, lines, typed};

/// Reads a trace that has frames.
pub(super) fn exceptions(text: &str) -> Vec<Exception<'_>> {
    let mut found: Vec<Exception<'_>> = Vec::new();
    // Whose frames come next; the exceptions behind it have had theirs.
    let mut current = 0;
    let mut has_frames = false;
    for line in lines(text) {
        let trimmed = line.trim_start();
        if let Some(frame) = jvm::frame(trimmed) {
            if found.is_empty() {
                found.push(Exception::default());
            }
            has_frames = true;
            if found[current].frames.len() < MAX_FRAMES {
                found[current].frames.push(frame);
            }
        } else if trimmed.starts_with("--- End of inner exception") {
            current = current.saturating_sub(1);
        } else if !has_frames {
            read_header(line, &mut found);
            current = found.len().saturating_sub(1);
        }
    }
    found
}

/// Adds the exceptions that a line before the frames names.
fn read_header<'t>(line: &'t str, found: &mut Vec<Exception<'t>>) {
    let goes_on = line.trim_start().strip_prefix("---> ");
    let mut parts = goes_on.unwrap_or(line.trim_start()).split(" ---> ");
    if let Some(first) = parts.next().and_then(header) {
        if goes_on.is_none() {
            found.clear();
        }
        found.push(first);
        found.extend(parts.filter_map(header));
        found.truncate(MAX_EXCEPTIONS);
    }
}

/// Reads `[Unhandled exception. ]Namespace.Type[ (0x80004005)]: message`.
fn header(line: &str) -> Option<Exception<'_>> {
    let unhandled = line.strip_prefix("Unhandled exception. ").or(line.strip_prefix("Unhandled Exception: "));
    let line = unhandled.unwrap_or(line);
    let (kind, rest) = line.split_at(line.find([':', ' ']).unwrap_or(line.len()));
    let code = rest.strip_prefix(" (0x").and_then(|rest| rest.split_once(')'));
    let message = code.map_or(rest, |(_, message)| message).trim_start_matches([':', ' ']);
    let is_type = typed(kind).is_some()
        && kind.contains('.')
        && (code.is_some() || typed(line).is_some())
        && kind.rsplit('.').next().is_some_and(|simple| simple.starts_with(char::is_uppercase));
    is_type.then_some(Exception { kind, message, ..Exception::default() })
}

/// Whether a line `at name(` is a frame of .NET: parameters in the brackets, where the JVM names a file.
pub(super) fn is_frame(line: &str) -> bool {
    let Some((_, rest)) = line.split_once('(') else { return false };
    let (inner, behind) = rest.split_once(')').unwrap_or((rest, ""));
    let is_jvm = ["Native Method", "Unknown Source"].contains(&inner);
    behind.starts_with(" in ") || inner.is_empty() || inner.contains(' ') && !is_jvm
}

/// Leaves out the numbers that the compiler gives closures and state machines: `<Run>d__5`, `<>c__DisplayClass3_0`,
/// `g__Local|3_0`, `lambda_method12`, and F#'s `pay@31-1`.
pub(super) fn normalised(name: &str) -> Cow<'_, str> {
    if !name.contains(['<', '@', '|']) && !name.contains("lambda_method") {
        return Cow::Borrowed(name);
    }
    let kept = |part: &str| {
        let part = part.split(['@', '|']).next().unwrap_or(part);
        let end =
            part.rfind(|letter: char| !letter.is_ascii_digit() && letter != '_').map_or(0, |last| last + 1);
        part.get(..end).unwrap_or(part).to_owned()
    };
    let parts: Vec<_> = name.split('.').map(kept).filter(|part| part != "MoveNext").collect();
    Cow::Owned(parts.join("."))
}
