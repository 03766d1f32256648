//! Traces of Python: `Traceback (most recent call last):`, `  File "x.py", line 1, in f` with the innermost call
//! last, then `Type: message`. Of chained exceptions the root comes first.

use super::{Exception, Frame, MAX_EXCEPTIONS, MAX_FRAMES, lines, typed};

/// How a trace begins.
pub(super) const START: &str = "Traceback (most recent call last)";

/// Reads all the tracebacks of a text.
pub(super) fn exceptions(text: &str) -> Vec<Exception<'_>> {
    let mut found: Vec<Exception<'_>> = Vec::new();
    // The indentation of the traceback that is being read.
    let mut open = None;
    for line in lines(text) {
        let trimmed = line.trim_start_matches([' ', '\t', '|', '+', '-']);
        let indent = line.len() - trimmed.len();
        if trimmed.starts_with(START) {
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
        }
    }
    for exception in &mut found {
        exception.frames.reverse();
        exception.frames.truncate(MAX_FRAMES);
    }
    found.reverse();
    found
}

/// Reads `File "/app/x.py", line 42, in book`.
fn frame(line: &str) -> Option<Frame<'_>> {
    let (file, rest) = line.strip_prefix("File \"")?.split_once("\", line ")?;
    let name = rest.split_once(", in ").map_or("<module>", |(_, name)| name.trim_end());
    Some(Frame { name, file })
}
