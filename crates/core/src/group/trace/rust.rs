//! Traces of Rust: `thread 'main' panicked at src/main.rs:4:5:` with the message on the next line (before Rust
//! 1.73 in quotes on the same), then `stack backtrace:` and numbered frames.

use super::{Exception, Frame, MAX_FRAMES, lines};

/// Whether a text holds a panic or a backtrace.
pub(super) fn is_panic(text: &str) -> bool {
    let holds = |mark: &str| memchr::memmem::find(text.as_bytes(), mark.as_bytes()).is_some();
    holds("' panicked at ") || holds("tack backtrace:")
}

/// Reads the first panic of a text.
pub(super) fn exceptions(text: &str) -> Vec<Exception<'_>> {
    let mut exception = Exception::default();
    let mut lines = lines(text);
    let mut in_backtrace = false;
    while let Some(line) = lines.next() {
        if in_backtrace {
            exception.frames.extend(frame(line).filter(|_| exception.frames.len() < MAX_FRAMES));
        } else if let Some((_, place)) = line.split_once("' panicked at ") {
            exception.message = match place.strip_prefix('\'').and_then(|rest| rest.rsplit_once("', ")) {
                Some((message, _)) => message,
                None => lines.next().unwrap_or_default(),
            };
        } else {
            in_backtrace = line.trim_start().to_ascii_lowercase().starts_with("stack backtrace:");
        }
    }
    let has_any = !exception.message.is_empty() || !exception.frames.is_empty();
    has_any.then_some(exception).into_iter().collect()
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
    name.contains("::").then_some(Frame { name, file: "" })
}
