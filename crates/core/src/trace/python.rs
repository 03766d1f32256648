//! Traces of Python: `Traceback (most recent call last):`, `  File "x.py", line 1, in f` with the innermost call
//! last, then `Type: message`. Of chained exceptions the root comes first. The exceptions of a group follow it behind
//! margins, `  | ` and `+-+---------------- 1 ----------------`.

use super::{Exception, Frame, MAX_EXCEPTIONS, MAX_FRAMES, file_name, lines, typed};

/// How a trace begins.
const START: &str = "Traceback (most recent call last)";
/// How the trace of a group begins.
const GROUP: &str = "Exception Group Traceback (most recent call last)";

/// Whether a line, without its indentation, begins a trace.
pub(super) fn is_start(line: &str) -> bool {
    line.starts_with(START) || line.starts_with(GROUP)
}

/// Whether a line is one of the trace of a group by its margin.
pub(super) fn is_margin(line: &str) -> bool {
    let margin = &line[..line.len() - unindented(line).len()];
    let rest = unindented(line);
    margin.contains("| ") && line.starts_with("  ")
        || margin.contains("+-")
            && (rest.is_empty()
                || rest
                    .trim_end_matches('-')
                    .trim()
                    .bytes()
                    .all(|byte| byte.is_ascii_digit() || byte == b'.'))
}

/// Whether a line can be the last of a traceback: a type, and what it says.
pub(super) fn is_last(line: &str) -> bool {
    typed(line).is_some()
}

fn unindented(line: &str) -> &str {
    line.trim_start_matches([' ', '\t', '|', '+', '-'])
}

/// Reads all the tracebacks of a text.
pub(super) fn exceptions(text: &str) -> Vec<Exception<'_>> {
    let mut found: Vec<Exception<'_>> = Vec::new();
    // How many were found before the first of a group.
    let mut before_group = None;
    // The indentation of the traceback that is being read.
    let mut open = None;
    for line in lines(text) {
        let trimmed = unindented(line);
        let indent = line.len() - trimmed.len();
        if is_start(trimmed) {
            if found.len() == MAX_EXCEPTIONS {
                break;
            }
            found.push(Exception::default());
            open = Some(indent);
        } else if let (Some(base), Some(last)) = (open, found.last_mut()) {
            if let Some(frame) = frame(trimmed) {
                last.frames.push(frame);
            } else if indent <= base && !trimmed.is_empty() {
                let Exception { kind, message, .. } =
                    typed(trimmed).unwrap_or(Exception { message: trimmed, ..Exception::default() });
                (last.kind, last.message) = (kind, message);
                open = None;
            }
        } else if before_group.is_none() && line.trim_start().starts_with("+-+-") {
            before_group = Some(found.len());
        }
    }
    for exception in &mut found {
        exception.frames.reverse();
        exception.frames.truncate(MAX_FRAMES);
    }
    let members = found.split_off(before_group.unwrap_or(found.len()));
    found.reverse();
    found.extend(sorted(members));
    found
}

/// The exceptions of a group, each kind once: how many tasks failed, and in which order, is chance.
fn sorted(mut members: Vec<Exception<'_>>) -> Vec<Exception<'_>> {
    let key = |exception: &Exception<'_>| -> (String, Vec<(String, String)>) {
        let frames =
            exception.frames.iter().map(|frame| (file_name(frame.file).to_owned(), frame.name.to_owned()));
        (exception.kind.to_owned(), frames.collect())
    };
    members.sort_by_cached_key(key);
    members.dedup_by(|a, b| key(a) == key(b));
    members
}

/// Reads `File "/app/x.py", line 42, in book`.
pub(super) fn frame(line: &str) -> Option<Frame<'_>> {
    let (file, rest) = line.strip_prefix("File \"")?.split_once("\", line ")?;
    let name = rest.split_once(", in ").map_or("<module>", |(_, name)| name.trim_end());
    Some(Frame { name, file })
}
