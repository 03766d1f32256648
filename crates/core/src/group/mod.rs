//! Message and stack trace to template to group id: pure functions of the event, the same on every machine
//! and in every order. Any change of what they return is a new [`VERSION`].

mod brackets;
mod explain;
mod family;
#[cfg(test)]
mod pairs_tests;
mod settings;
mod template;
#[cfg(test)]
mod tests;
mod token;
mod trace;
mod values;
mod words;

pub use explain::{ExplainedException, ExplainedFrame, Explanation, explain};
pub use family::families;
pub use settings::GroupSettings;
use template::VARIABLE;
pub use template::template;

use crate::model::{GroupId, GroupKind, Grouped};
use crate::visible::columns;
use trace::{Exception, Trace};
pub use trace::{FramePrefixes, frame_lines};

/// The version of the rules; part of every id. 2: traces of other languages than Java, the topmost own frames
/// of an exception alone, no frames of generated classes, a trace without a type told by its message, the template of a
/// template is itself, of a long text its beginning alone counts.
pub const VERSION: u8 = 2;

/// No more of a message or a trace is looked at, up to its last whole line: 32 exceptions with their own frames
/// fit many times.
const MAX_TEXT_BYTES: usize = 256 << 10;

/// The longest title, in characters.
const TITLE_CHARS: usize = 300;

/// Returns the group of an error. `message` may hold its stack trace; `trace` is the field or the lines that
/// hold it otherwise.
///
/// With frames, the types of the exceptions and their topmost own frames decide (all frames, if none is the
/// application's own); without frames, the exception's type and the template of what it says; else the
/// template of the message up to the first line break.
pub fn group(message: &str, trace: Option<&str>) -> Grouped {
    group_with(message, trace, &GroupSettings::default())
}

/// As [`group`], with the user's word on what it sees.
pub fn group_with(message: &str, trace: Option<&str>, settings: &GroupSettings) -> Grouped {
    let message = bounded(message);
    let found = trace.map(bounded).and_then(trace::read).or_else(|| trace::read(message));
    let Some(found) = found else {
        return by_message(message, settings);
    };
    let Some(outermost) = found.exceptions.first() else {
        return by_message(message, settings);
    };
    let said = settings.template(outermost.message);
    let title = title(message, outermost, &said, settings);
    if found.has_frames() {
        return by_frames(message, &title, &found, settings);
    }
    let kinds: Vec<_> = found.exceptions.iter().map(|exception| exception.kind).collect();
    let shown = format!("{}: {said}", kinds.join("\n"));
    grouped(GroupKind::Exception, &[kinds.as_slice(), &[said.as_str()]].concat(), &title, shown)
}

/// The beginning of a long text.
fn bounded(text: &str) -> &str {
    if text.len() <= MAX_TEXT_BYTES {
        return text;
    }
    let start = &text[..text.floor_char_boundary(MAX_TEXT_BYTES)];
    start.rfind('\n').map_or(start, |end| &start[..=end])
}

/// `Type: what it says`; without a type what it says, or what the event does.
fn title(message: &str, outermost: &Exception<'_>, said: &str, settings: &GroupSettings) -> String {
    let simple = outermost.kind.rsplit(['.', '$']).next().unwrap_or_default();
    match (simple, said) {
        ("", "") => settings.template(first_line(message)),
        ("", said) => said.to_owned(),
        (simple, "") => simple.to_owned(),
        (simple, said) => format!("{simple}: {said}"),
    }
}

fn by_message(message: &str, settings: &GroupSettings) -> Grouped {
    let template = settings.template(first_line(message));
    grouped(GroupKind::Message, &[template.as_str()], &template, template.clone())
}

/// The first line that says something.
fn first_line(message: &str) -> &str {
    message.lines().find(|line| !line.trim().is_empty()).unwrap_or(message)
}

fn by_frames(message: &str, title: &str, trace: &Trace<'_>, settings: &GroupSettings) -> Grouped {
    let mut parts = Vec::new();
    for (exception, frames) in trace.exceptions.iter().zip(trace.key_frames(&settings.frames)) {
        parts.push(kind_in_key(message, exception, trace, settings));
        parts.extend(frames.into_iter().map(|frame| format!("  at {frame}")));
    }
    let shown = parts.join("\n");
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    grouped(GroupKind::Trace, &parts, title, shown)
}

/// The type of an exception; for want of one, the template of what it or the event says.
fn kind_in_key(
    message: &str,
    exception: &Exception<'_>,
    trace: &Trace<'_>,
    settings: &GroupSettings,
) -> String {
    if !exception.kind.is_empty() {
        return exception.kind.to_owned();
    }
    let said = if exception.message.is_empty() { first_line(message) } else { exception.message };
    let said = settings.template(said);
    if trace.is_panic() && !exception.message.is_empty() { format!("panic: {said}") } else { said }
}

fn grouped(kind: GroupKind, parts: &[&str], title: &str, template: String) -> Grouped {
    Grouped { id: id(kind, parts), kind, title: shown(title), template }
}

/// Returns the group that a rule of the user's makes: the id is one of the parts that name it, not of the event.
pub fn by_rule(parts: &[&str], title: &str, template: String) -> Grouped {
    grouped(GroupKind::Rule, parts, title, template)
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

/// One line for lists, without what is hidden.
fn shown(title: &str) -> String {
    let title = if title.is_empty() { "(no message)" } else { title };
    let cut = title.char_indices().nth(TITLE_CHARS).map_or(title.len(), |(at, _)| at);
    columns(&title[..cut]).into_owned()
}
