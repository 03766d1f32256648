//! Message and stack trace to template to group id: pure functions of the event, the same on every machine
//! and in every order. Any change of what they return is a new [`VERSION`].

mod template;
#[cfg(test)]
mod tests;
mod token;
mod trace;
mod words;

pub use template::template;

use crate::model::{GroupId, GroupKind, Grouped};
use trace::Exception;

/// The version of the rules; part of every id.
pub const VERSION: u8 = 1;

/// The longest title, in characters.
const TITLE_CHARS: usize = 300;

/// Returns the group of an error. `message` may hold its stack trace; `trace` is the field or the lines that
/// hold it otherwise.
///
/// With frames, the types of the exceptions and their in-app frames decide (all frames, if none is the
/// application's own); without frames, the exception's type and the template of what it says; else the
/// template of the message up to the first line break.
pub fn group(message: &str, trace: Option<&str>) -> Grouped {
    let mut exceptions = trace.map(trace::exceptions).unwrap_or_default();
    if exceptions.is_empty() {
        exceptions = trace::exceptions(message);
    }
    let Some(outermost) = exceptions.first() else {
        return by_message(message);
    };
    let said = template(outermost.message);
    let simple = outermost.kind.rsplit(['.', '$']).next().unwrap_or_default();
    let title = match (simple, said.as_str()) {
        ("", _) => template(first_line(message)),
        (simple, "") => simple.to_owned(),
        (simple, said) => format!("{simple}: {said}"),
    };
    if exceptions.iter().all(|exception| exception.frames.is_empty()) {
        let kinds: Vec<_> = exceptions.iter().map(|exception| exception.kind).collect();
        let shown = format!("{}: {said}", kinds.join("\n"));
        return grouped(GroupKind::Exception, &[kinds.as_slice(), &[said.as_str()]].concat(), &title, shown);
    }
    by_frames(&title, exceptions)
}

fn by_message(message: &str) -> Grouped {
    let template = template(first_line(message));
    grouped(GroupKind::Message, &[template.as_str()], &template, template.clone())
}

/// The first line that says something.
fn first_line(message: &str) -> &str {
    message.lines().find(|line| !line.trim().is_empty()).unwrap_or(message)
}

fn by_frames(title: &str, exceptions: Vec<Exception<'_>>) -> Grouped {
    let any_in_app =
        exceptions.iter().any(|exception| exception.frames.iter().any(|frame| trace::is_in_app(frame)));
    let mut parts = Vec::new();
    for exception in exceptions {
        parts.push(exception.kind.to_owned());
        let frames = exception.frames.into_iter().filter(|frame| !any_in_app || trace::is_in_app(frame));
        let frames = trace::without_recursion(frames.map(trace::normalised).collect());
        parts.extend(frames.into_iter().map(|frame| format!("  at {frame}")));
    }
    let shown = parts.join("\n");
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    grouped(GroupKind::Trace, &parts, title, shown)
}

fn grouped(kind: GroupKind, parts: &[&str], title: &str, template: String) -> Grouped {
    Grouped { id: id(kind, parts), kind, title: visible(title), template }
}

/// The first 60 bits of BLAKE3 over version, kind and the parts, each with its length before it.
fn id(kind: GroupKind, parts: &[&str]) -> GroupId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[VERSION, kind as u8]);
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    GroupId::from_bits(u64::from_be_bytes(first) >> 4)
}

/// One line for lists, without control characters.
fn visible(title: &str) -> String {
    let title = if title.is_empty() { "(no message)" } else { title };
    title
        .chars()
        .take(TITLE_CHARS)
        .map(|character| if character.is_control() { '\u{fffd}' } else { character })
        .collect()
}
