//! Traces of Rust: `thread 'main' panicked at src/main.rs:4:5:` with the message on the next line (before Rust
//! 1.73 in quotes on the same), then `stack backtrace:` and numbered frames; and the chains of `anyhow`, `Error: message`,
//! then `Caused by:` with a line for each cause.

use super::{Exception, Frame, MAX_EXCEPTIONS, MAX_FRAMES, lines, numbered};

/// What a failed `unwrap` says before the value, which says little of the place.
const UNWRAPPED: [&str; 3] = [
    "called `Result::unwrap()` on an `Err` value",
    "called `Option::unwrap()` on a `None` value",
    "called `Result::unwrap_err()` on an `Ok` value",
];

/// Whether a line is the first of a panic.
pub(super) fn is_panic(line: &str) -> bool {
    line.contains(" panicked at ") && line.contains("thread '")
}

/// Whether a line, without its indentation, begins a backtrace or a chain of causes.
pub(super) fn is_mark(line: &str) -> bool {
    is_backtrace(line) || line.trim_end() == "Caused by:"
}

fn is_backtrace(line: &str) -> bool {
    line.get(..16).is_some_and(|start| start.eq_ignore_ascii_case("stack backtrace:"))
}

/// Whether a line is one of a backtrace.
pub(super) fn is_frame(line: &str) -> bool {
    frame(line).is_some() || line.strip_prefix("at ").is_some_and(|place| place.contains(".rs:"))
}

/// Returns what identifies a panic instead of its message, if that is the one of a failed `unwrap`.
pub(super) fn unwrapped(message: &str) -> Option<&'static str> {
    UNWRAPPED.into_iter().find(|start| message.starts_with(start))
}

/// Reads the first panic of a text, or an error with its causes.
pub(super) fn exceptions(text: &str) -> Vec<Exception<'_>> {
    let mut found = vec![Exception::default()];
    let mut said = "";
    let mut lines = lines(text);
    let mut part = Part::Head;
    while let Some(line) = lines.next() {
        let trimmed = line.trim_start();
        if is_backtrace(trimmed) {
            part = Part::Backtrace;
        } else if trimmed.trim_end() == "Caused by:" && part == Part::Head {
            part = Part::Causes;
            if found[0].message.is_empty() {
                found[0].message = said.strip_prefix("Error: ").unwrap_or(said);
            }
        } else if part == Part::Backtrace {
            let room = found[0].frames.len() < MAX_FRAMES;
            found[0].frames.extend(frame(line).filter(|_| room));
        } else if part == Part::Causes {
            if let Some(message) = cause(line).filter(|_| found.len() < MAX_EXCEPTIONS) {
                found.push(Exception { message, ..Exception::default() });
            }
        } else if is_panic(line)
            && let Some((_, place)) = line.split_once(" panicked at ")
        {
            (found[0].message, found[0].place) =
                match place.strip_prefix('\'').and_then(|rest| rest.rsplit_once("', ")) {
                    Some((message, place)) => (message, place),
                    None => (lines.next().unwrap_or_default(), place.trim_end_matches(':')),
                };
        } else if !trimmed.is_empty() {
            said = trimmed;
        }
    }
    let has_any = !found[0].message.is_empty() || !found[0].frames.is_empty();
    if has_any { found } else { Vec::new() }
}

/// What is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Head,
    Causes,
    Backtrace,
}

/// Reads `    0: no stock` or `    no stock`.
fn cause(line: &str) -> Option<&str> {
    let trimmed = line.strip_prefix(' ')?.trim();
    let numbered = numbered(trimmed).and_then(|rest| rest.strip_prefix(": "));
    let message = numbered.unwrap_or(trimmed);
    (!message.is_empty()).then_some(message)
}

/// Reads `   4: app::main`, also with an address or a hash: `4: 0x55d - app::main::h0123456789abcdef`.
fn frame(line: &str) -> Option<Frame<'_>> {
    let (number, name) = line.trim_start().split_once(": ")?;
    if number.is_empty() || !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let name = name.trim();
    let name = name.strip_prefix("0x").and_then(|rest| rest.split_once(" - ")).map_or(name, |(_, name)| name);
    let is_hash = |hash: &str| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = name.rsplit_once("::h").filter(|(_, hash)| is_hash(hash)).map_or(name, |(name, _)| name);
    // Others are of the C runtime: `main`, `_start`, `clone`.
    (name.contains("::") && !name.contains(": ")).then_some(Frame { name, file: "" })
}
