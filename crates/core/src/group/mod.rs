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
#[cfg(test)]
mod trace_tests;
#[cfg(test)]
mod traces_tests;
mod values;
mod words;

pub use explain::{ExplainedException, ExplainedFrame, Explanation, explain};
pub use family::families;
pub use settings::GroupSettings;
pub use template::template;
use token::VARIABLE;

use crate::model::{GroupId, GroupKind, Grouped};
use crate::trace::{self, Trace};
pub use crate::trace::{FramePrefixes, frame_lines};
use crate::visible::columns;

/// The version of the rules; part of every id. 3: traces of Ruby, PHP, Elixir, Erlang, Dart, C++, Swift, Perl, Firefox and
/// Safari, groups of exceptions in Python, `Wrapped by:`, the causes of anyhow, the place of a failed `unwrap`; names that
/// libraries, compilers and bundlers generate; empty values, offsets and hex masked. 2: traces of other languages than Java, the topmost own frames
/// of an exception alone, no frames of generated classes, a trace without a type told by its message, the template of a
/// template is itself, of a long text its beginning alone counts.
pub const VERSION: u8 = 3;

/// No more of a message or a trace is looked at, up to its last whole line: 32 exceptions with their own frames
/// fit many times.
const MAX_TEXT_BYTES: usize = 256 << 10;

/// The longest title, in characters.
const TITLE_CHARS: usize = 300;

/// Returns the group of an error. `message` may hold its stack trace; `trace` is the field or the lines that
/// hold it otherwise.
///
/// With frames, the types of the exceptions and their topmost own frames decide (all frames, if none is the
/// application's own); without frames, the types of the exceptions, the templates of what they say, and that of the
/// message around them; else the template of the message up to the first line break.
pub fn group(message: &str, trace: Option<&str>) -> Grouped {
    group_with(message, trace, &GroupSettings::default())
}

/// As [`group`], with the user's word on what it sees.
pub fn group_with(message: &str, trace: Option<&str>, settings: &GroupSettings) -> Grouped {
    // Cut at a line, so that no half frame gets into a key.
    let (message, trace) = (bounded(message), trace.map(bounded));
    let Some(found) = read(message, trace) else {
        return by_message(said_by(message, trace), settings);
    };
    let title = title(message, &found, settings);
    if found.has_frames() {
        by_frames(message, &title, &found, settings)
    } else {
        by_words(message, &title, &found, settings)
    }
}

/// Reads the trace of an event: of the field that holds it, unless only the message has frames.
fn read<'t>(message: &'t str, trace: Option<&'t str>) -> Option<Trace<'t>> {
    let of_field = trace.and_then(trace::read);
    if of_field.as_ref().is_some_and(Trace::has_frames) {
        return of_field;
    }
    let of_message = trace::read(message);
    if of_message.as_ref().is_some_and(Trace::has_frames) { of_message } else { of_field.or(of_message) }
}

/// What an event without a trace says: without a message, what stands in the place of the trace.
fn said_by<'t>(message: &'t str, trace: Option<&'t str>) -> &'t str {
    if message.trim().is_empty() { trace.unwrap_or(message) } else { message }
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
fn title(message: &str, trace: &Trace<'_>, settings: &GroupSettings) -> String {
    let Some(outermost) = trace.exceptions.first() else {
        return settings.template(first_line(message));
    };
    let mut said = settings.template(outermost.message);
    // What an error is about is at the end of a chain of messages.
    if let [first, .., last] = trace.exceptions.as_slice()
        && first.kind.is_empty()
        && last.kind.is_empty()
        && !last.message.is_empty()
    {
        said = format!("{said}: {}", settings.template(last.message));
    }
    let (kind, _) = typed_by(message, outermost);
    let simple = kind.rsplit(['.', '$', '\\']).next().unwrap_or_default();
    let simple = simple.rsplit("::").next().unwrap_or(simple);
    match (simple, said.as_str()) {
        ("", "") => settings.template(first_line(message)),
        ("", _) => said,
        (simple, "") => simple.to_owned(),
        (simple, said) => format!("{simple}: {said}"),
    }
}

/// The type of an exception and what it says; where the trace has neither, the message may: `TypeError: x is undefined`.
fn typed_by<'t>(message: &'t str, exception: &trace::Exception<'t>) -> (&'t str, &'t str) {
    if !exception.kind.is_empty() || !exception.message.is_empty() {
        return (exception.kind, exception.message);
    }
    trace::thrown_in(first_line(message)).map_or(("", ""), |thrown| (thrown.kind, thrown.message))
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
    let is_nameless = trace.is_nameless(&settings.frames);
    for (exception, frames) in trace.exceptions.iter().zip(trace.key_frames(&settings.frames)) {
        parts.push(kind_in_key(message, exception, trace, settings));
        if is_nameless {
            parts.push(format!("  {}", settings.template(typed_by(message, exception).1)));
        }
        parts.extend(frames.into_iter().map(|frame| format!("  at {frame}")));
    }
    grouped_by(GroupKind::Trace, &parts, title)
}

/// Groups exceptions without frames: what they say is all that tells where they come from, and so is the message around
/// them.
fn by_words(message: &str, title: &str, trace: &Trace<'_>, settings: &GroupSettings) -> Grouped {
    let part = |exception: &trace::Exception<'_>| {
        let kind = trace.language.kind(exception);
        let said = trace.told_by(exception, |text| settings.template(text)).unwrap_or_default();
        if kind.is_empty() || said.is_empty() { format!("{kind}{said}") } else { format!("{kind}: {said}") }
    };
    let mut parts: Vec<_> = trace.exceptions.iter().map(part).collect();
    let around = first_line(message);
    // A message that only repeats the exception adds nothing, and would part events whose logger prints it from those
    // whose does not.
    if !around.is_empty() && trace::read(around).is_none() && !trace.holds(around) {
        parts.push(format!("  {}", settings.template(around)));
    }
    grouped_by(GroupKind::Exception, &parts, title)
}

/// The type of an exception; without one, the template of what it or the event says.
fn kind_in_key(
    message: &str,
    exception: &trace::Exception<'_>,
    trace: &Trace<'_>,
    settings: &GroupSettings,
) -> String {
    let kind = trace.language.kind(exception);
    if !kind.is_empty() {
        return kind.into_owned();
    }
    let template = |text: &str| settings.template(text);
    if let Some(said) = trace.told_by(exception, template) {
        return said;
    }
    match typed_by(message, exception) {
        ("", _) => settings.template(first_line(message)),
        (kind, _) => kind.to_owned(),
    }
}

fn grouped_by(kind: GroupKind, parts: &[String], title: &str) -> Grouped {
    let shown = parts.join("\n");
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    grouped(kind, &parts, title, shown)
}

fn grouped(kind: GroupKind, parts: &[&str], title: &str, template: String) -> Grouped {
    Grouped { id: id(kind, parts), kind, title: shown(title), template }
}

/// Returns a custom group: the id is made of the parts that name it, not of the event.
pub fn custom(parts: &[&str], title: &str, template: String) -> Grouped {
    grouped(GroupKind::Custom, parts, title, template)
}

/// The first 60 bits of BLAKE3 over version, kind and the parts, each with its length before it.
fn id(kind: GroupKind, parts: &[&str]) -> GroupId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[VERSION, kind as u8]);
    for part in parts {
        // With the lengths, `a`, `bc` and `ab`, `c` are different groups.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    // 60 bits are 12 letters of base32 without padding. Among a million groups, two share an id once in two million
    // states.
    GroupId::from_bits(u64::from_be_bytes(first) >> 4)
}

/// One line for lists, without what is hidden.
fn shown(title: &str) -> String {
    let title = if title.is_empty() { "(no message)" } else { title };
    if title.len() <= TITLE_CHARS {
        return columns(title).into_owned();
    }
    let cut = title.char_indices().nth(TITLE_CHARS).map_or(title.len(), |(at, _)| at);
    columns(&title[..cut]).into_owned()
}
