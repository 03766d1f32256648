//! Traces of Ruby: `/app/cart.rb:31:in 'Cart#pay': message (Type)`, then `\tfrom /app/server.rb:12:in 'handle'`; and as
//! loggers and Rails write them: `message (Type)`, `Type (message):` or `Type: message`, then a frame a line.

use std::borrow::Cow;

use super::{Exception, Frame, MAX_EXCEPTIONS, MAX_FRAMES, file_name, lines, numbered_end, typed};

/// Reads a trace that has frames.
pub(super) fn exceptions(text: &str) -> Vec<Exception<'_>> {
    let mut found: Vec<Exception<'_>> = Vec::new();
    let mut header = None;
    for line in lines(text) {
        let trimmed = line.trim_start();
        let Some((frame, rest)) = call(trimmed) else {
            if let Some(next) = self::header(trimmed.strip_prefix("Caused by: ").unwrap_or(trimmed)) {
                header = Some(next);
            }
            continue;
        };
        let thrown = rest.strip_prefix(": ").map(|said| thrown(said));
        if let Some(next) =
            thrown.or_else(|| header.take()).or_else(|| found.is_empty().then(Exception::default))
        {
            if found.len() == MAX_EXCEPTIONS {
                break;
            }
            found.push(next);
        }
        if let Some(last) = found.last_mut().filter(|last| last.frames.len() < MAX_FRAMES) {
            last.frames.push(frame);
        }
    }
    found
}

/// Reads `[from ]file:12:in 'name'`, and returns what follows.
pub(super) fn call(line: &str) -> Option<(Frame<'_>, &str)> {
    let line = line.strip_prefix("from ").unwrap_or(line);
    let at = memchr::memmem::find(line.as_bytes(), b":in ")?;
    let file = numbered_end(&line[..at])?;
    let (name, rest) = line[at + 4..].strip_prefix(['`', '\''])?.split_once('\'')?;
    // Tagged loggers repeat their tags on every line.
    let file = file.rsplit_once("] ").filter(|_| file.starts_with('[')).map_or(file, |(_, file)| file);
    let is_file = !file.is_empty() && !file.contains(char::is_whitespace);
    is_file.then_some((Frame { name, file }, rest))
}

/// Reads `message (Type)`, or a message alone.
fn thrown(said: &str) -> Exception<'_> {
    typed_behind(said).unwrap_or(Exception { message: said, ..Exception::default() })
}

/// Reads `message (Type)`.
fn typed_behind(line: &str) -> Option<Exception<'_>> {
    let (message, kind) = line.trim_end().strip_suffix(')')?.rsplit_once(" (")?;
    is_constant(kind).then_some(Exception { kind, message, ..Exception::default() })
}

/// Reads `Type (message):`, `message (Type)` or `Type: message`.
fn header(line: &str) -> Option<Exception<'_>> {
    let line = line.trim_end();
    let open = line.strip_suffix(':').unwrap_or(line).strip_suffix(')');
    if let Some((kind, message)) = open.and_then(|text| text.split_once(" ("))
        && is_constant(kind)
    {
        return Some(Exception { kind, message, ..Exception::default() });
    }
    if let Some(found) = typed_behind(line) {
        return Some(found);
    }
    let (kind, message) = line.split_once(": ")?;
    let is_plain = is_constant(kind) && (kind.contains("::") || typed(kind).is_some());
    is_plain.then_some(Exception { kind, message, ..Exception::default() })
}

/// Whether a line is an exception as Rails writes it in front of its frames: `Acme::NoStock (no stock for order 17):`.
pub(super) fn is_thrown(line: &str) -> bool {
    let open = line.strip_suffix("):").and_then(|text| text.split_once(" ("));
    open.is_some_and(|(kind, _)| {
        is_constant(kind) && (kind.contains("::") || kind.ends_with("Error") || kind.ends_with("Exception"))
    })
}

/// Whether a text is the name of a class, as `Acme::NoStock`.
fn is_constant(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b':')
}

/// File and method, without its blocks, and without its class, which Ruby names since 3.4.
pub(super) fn normalised<'t>(frame: &Frame<'t>) -> Cow<'t, str> {
    let name = frame.name.rsplit(" in ").next().unwrap_or(frame.name);
    let name = if name.starts_with('<') { name } else { name.rsplit(['#', '.']).next().unwrap_or(name) };
    Cow::Owned(format!("{}:{name}", file_name(frame.file)))
}
