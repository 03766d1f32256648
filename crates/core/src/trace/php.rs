//! Traces of PHP: `Uncaught Type: message in /x.php:31`, `Stack trace:`, `#0 /y.php(12): Class->method()`, `#1 {main}`,
//! and `Next Type: message` for the exception around it; and as Monolog writes them, the other way round.
//!
//! A line names the place of a call and the function called, so a function's own file is on the line before its own.

use std::borrow::Cow;

use super::{
    Exception, Frame, MAX_EXCEPTIONS, MAX_FRAMES, file_name, has_extension, lines, numbered, numbered_end,
};

/// What Monolog writes before an exception inside another.
const PREVIOUS: &str = "[previous exception] ";

/// Reads a trace that has frames.
pub(super) fn exceptions(text: &str) -> Vec<Exception<'_>> {
    let mut found: Vec<Exception<'_>> = Vec::new();
    let mut header = None;
    // The file that the function of the next line is in.
    let mut file = "";
    let mut root_is_first = true;
    for line in lines(text) {
        let trimmed = line.trim();
        root_is_first &= !trimmed.starts_with(PREVIOUS);
        let Some((place, name)) = call(trimmed) else {
            if let Some((next, thrown_in)) = self::header(trimmed) {
                (header, file) = (Some(next), thrown_in);
            }
            continue;
        };
        if found.is_empty() || header.is_some() {
            if found.len() == MAX_EXCEPTIONS {
                break;
            }
            found.push(header.take().unwrap_or_default());
        }
        if let Some(last) = found.last_mut().filter(|last| last.frames.len() < MAX_FRAMES) {
            let file = if name.is_empty() { place } else { file };
            last.frames.push(Frame { name, file });
        }
        file = place;
    }
    if root_is_first {
        found.reverse();
    }
    found
}

/// Reads `#0 /x.php(12): Class->method(1)`, `#1 [internal function]: f()`, `#2 {main}`, or a place alone, `/x.php:12`;
/// returns the place of the call and the function.
pub(super) fn call(line: &str) -> Option<(&str, &str)> {
    let Some(rest) = line.strip_prefix('#').and_then(numbered).and_then(|rest| rest.strip_prefix(' ')) else {
        return numbered_end(line)
            .filter(|file| has_extension(file, &["php"]) && !file.contains(' '))
            .map(|file| (file, ""));
    };
    if rest.starts_with("{main}") {
        return Some(("", &rest[..6]));
    }
    if let Some(call) = rest.strip_prefix("[internal function]: ") {
        return Some(("[internal function]", function(call)));
    }
    let (place, call) = rest.split_once("): ")?;
    let (file, line) = place.rsplit_once('(')?;
    let is_number = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && call.contains('(')).then(|| (file, function(call)))
}

/// The function of `Class->method(1, 2)`; PHP names where a closure stands, with brackets of its own.
fn function(call: &str) -> &str {
    let behind = call.find("{closure:").and_then(|at| Some(at + call[at..].find('}')?)).unwrap_or(0);
    call[behind..].find('(').map_or(call, |open| &call[..behind + open])
}

/// Reads the line that names an exception, and returns the file that it was thrown in.
fn header(line: &str) -> Option<(Exception<'_>, &str)> {
    let line = line.find("Uncaught ").map_or(line, |at| &line[at + "Uncaught ".len()..]);
    let line = line.strip_prefix("Next ").unwrap_or(line);
    if let Some(at) = line.find("[object] (") {
        let (kind, rest) = line[at + "[object] (".len()..].split_once("(code: ")?;
        let message = rest.split_once("): ").map_or(rest, |(_, message)| message);
        return is_class(kind).then(|| thrown(kind, message, " at "));
    }
    let (kind, message) = line.split_once(": ").unwrap_or((line, ""));
    let (kind, message) = if message.is_empty() {
        kind.split_once(" in ").map_or((kind, ""), |(kind, _)| (kind, line))
    } else {
        (kind, message)
    };
    is_class(kind).then(|| thrown(kind, message, " in "))
}

/// Whether a line is what PHP writes of an error that ends the program.
pub(super) fn is_fatal(line: &str) -> bool {
    let line = line.strip_prefix("PHP ").unwrap_or(line);
    ["Fatal error: ", "Parse error: ", "Recoverable fatal error: "]
        .iter()
        .any(|start| line.starts_with(start))
        && (line.contains(" in /") || line.contains("Uncaught "))
}

/// Whether a line names the exception around the one before.
pub(super) fn is_next(line: &str) -> bool {
    let kind = line.strip_prefix("Next ").and_then(|rest| rest.split([':', ' ']).next());
    kind.is_some_and(|kind| {
        is_class(kind) && ["Exception", "Error", "\\"].iter().any(|part| kind.contains(part))
    })
}

/// Cuts the place off what an exception says.
fn thrown<'t>(kind: &'t str, message: &'t str, before_place: &str) -> (Exception<'t>, &'t str) {
    let (message, place) = message.rsplit_once(before_place).unwrap_or((message, ""));
    let file = numbered_end(place.trim_end_matches([')', '"', '}'])).unwrap_or("");
    (Exception { kind, message, ..Exception::default() }, file)
}

fn is_class(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_uppercase() || first == '\\')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'\\' || byte >= 0x80)
}

/// The function with its class; without one, its file.
pub(super) fn normalised<'t>(frame: &Frame<'t>) -> Cow<'t, str> {
    let (name, file) = (frame.name, file_name(frame.file));
    if name.is_empty() || name == "{main}" && !file.is_empty() {
        return Cow::Owned(format!("{file}:{name}"));
    }
    let plain = without(name, "{closure:", '}', "{closure}");
    let plain = plain.map_or(Cow::Borrowed(name), Cow::Owned);
    let named = without(&plain, "class@anonymous", '-', "class@anonymous-");
    let plain = named.map_or(plain, Cow::Owned);
    // As JSON writes it.
    if plain.contains("\\\\") { Cow::Owned(plain.replace("\\\\", "\\")) } else { plain }
}

/// Replaces what stands from `start` to `end`.
fn without(name: &str, start: &str, end: char, with: &str) -> Option<String> {
    let at = name.find(start)?;
    let behind = at + start.len();
    let close = name[behind..].find(end).map_or(name.len(), |close| behind + close + end.len_utf8());
    Some(format!("{}{with}{}", &name[..at], &name[close..]))
}
