//! Traces of JavaScript as V8 writes them: `Type: message`, frames `    at fn (file:1:2)` or `    at file:1:2`, a
//! cause behind `[cause]: `; and as Firefox and Safari do: `fn@https://host/file.js:1:2`, often without the first line.

use std::borrow::Cow;

use super::{
    Exception, Frame, MAX_EXCEPTIONS, MAX_FRAMES, file_name, has_extension, lines, numbered_end, typed,
    without_line,
};

/// Reads a trace that has frames.
pub(super) fn exceptions(text: &str) -> Vec<Exception<'_>> {
    let mut found: Vec<Exception<'_>> = Vec::new();
    let mut latest = None;
    for line in lines(text) {
        let trimmed = line.trim_start();
        if let Some(frame) = frame(trimmed) {
            if found.is_empty() {
                found.push(latest.take().unwrap_or_default());
            }
            if let Some(last) = found.last_mut().filter(|last| last.frames.len() < MAX_FRAMES) {
                last.frames.push(frame);
            }
        } else if let Some(cause) = trimmed.strip_prefix("[cause]: ") {
            if found.len() < MAX_EXCEPTIONS {
                found.push(header(cause).unwrap_or_default());
            }
        } else if found.is_empty() {
            latest = header(trimmed).or(latest);
        }
    }
    found
}

/// Reads `[Uncaught ][(in promise) ]Type[ [CODE]]: message`.
pub(super) fn header(line: &str) -> Option<Exception<'_>> {
    let line = line.strip_prefix("Uncaught ").unwrap_or(line);
    let line = line.strip_prefix("(in promise) ").unwrap_or(line);
    let (kind, rest) = line.split_at(line.find([':', ' ']).unwrap_or(line.len()));
    let message = match rest.strip_prefix(" [").and_then(|rest| rest.split_once(']')) {
        Some((_, message)) => message.trim_start_matches([':', ' ']),
        None => typed(line)?.message,
    };
    let is_type = kind.starts_with(char::is_uppercase) && typed(kind).is_some();
    is_type.then_some(Exception { kind, message, ..Exception::default() })
}

/// Reads `at [async ][new ]fn[ [as alias]] (file:1:2)` or `at file:1:2`, or `fn@file:1:2`.
pub(super) fn frame(line: &str) -> Option<Frame<'_>> {
    let Some(rest) = line.strip_prefix("at ") else {
        return called(line);
    };
    let rest = rest.strip_prefix("async ").unwrap_or(rest);
    let Some((name, place)) = rest.split_once(" (") else {
        let file = without_line(rest);
        let is_place = is_place(rest) && !file.is_empty() && !rest.ends_with(')');
        return is_place.then_some(Frame { name: "<anonymous>", file });
    };
    let place = place.trim_end().strip_suffix(')').unwrap_or(place);
    let name = name.strip_prefix("new ").unwrap_or(name);
    let name = name.split(" [as ").next().unwrap_or(name);
    let is_built_in = ["native", "<anonymous>"].contains(&place)
        || ["index ", "eval at "].iter().any(|mark| place.starts_with(mark));
    if is_built_in {
        return Some(Frame { name, file: "<anonymous>" });
    }
    is_place(place).then(|| Frame { name: told(name, place), file: without_line(place) })
}

/// Reads `fn@https://host/file.js:1:2` or `map@[native code]`.
fn called(line: &str) -> Option<Frame<'_>> {
    let (name, place) = line.split_once('@')?;
    if place == "[native code]" {
        return Some(Frame { name, file: "<anonymous>" });
    }
    let is_address =
        place.contains("://") || place.starts_with('/') || has_extension(without_line(place), &["js"]);
    let is_name =
        !name.contains([' ', ':', '"', '=']) || name.ends_with(" code") || name.contains("callback*");
    if !is_place(place) || place.contains(' ') || !is_address || !is_name {
        return None;
    }
    // What called whom asynchronously, and the numbers and marks of functions without names.
    let name = name.rsplit('*').next().unwrap_or(name);
    let name = name.split(['/', '<']).next().unwrap_or(name);
    let is_nameless = name.is_empty() || name.ends_with(" code");
    let name = if is_nameless { "<anonymous>" } else { told(name, place) };
    Some(Frame { name, file: without_line(place) })
}

/// What stands for the names that a minifier gives: they change with every build.
pub(super) const MINIFIED: &str = "<minified>";
/// A line that ends behind this column was not written by hand.
const WRITTEN_COLUMNS: usize = 300;

/// The name of a function, unless a minifier gave it: short, in a file that a bundler wrote.
fn told<'t>(name: &'t str, place: &str) -> &'t str {
    let is_short = |part: &str| {
        part.len() <= 2 || part.len() == 3 && part.bytes().any(|byte| !byte.is_ascii_alphabetic())
    };
    let last = name.rsplit('.').next().unwrap_or(name);
    if !is_short(last) {
        return name;
    }
    let column = place.rsplit(':').next().and_then(|column| column.parse::<usize>().ok());
    let file = file_name(without_line(place));
    let is_bundled = column.is_some_and(|column| column > WRITTEN_COLUMNS)
        || file.contains(".min.")
        || built_name(file).is_some();
    if is_bundled { MINIFIED } else { name }
}

/// Whether a text ends with a line and a column, `:12:5`.
fn is_place(text: &str) -> bool {
    numbered_end(text).and_then(numbered_end).is_some()
}

/// Function and file; hashes that a bundler puts into the file's name are left out.
pub(super) fn normalised<'t>(frame: &Frame<'t>) -> Cow<'t, str> {
    let file = file_name(frame.file.split(['?', '#']).next().unwrap_or_default());
    let name = if frame.name.contains(".prototype.") {
        frame.name.replace(".prototype.", ".")
    } else {
        frame.name.to_owned()
    };
    let file = built_name(file).unwrap_or_else(|| file.to_owned());
    let is_hash = |part: &&str| is_hex(part);
    let parts: Vec<_> = file.split(['.', '-']).filter(|part| !is_hash(part)).collect();
    Cow::Owned(format!("{}:{name}", parts.join(".")))
}

/// Eight hex digits and more.
fn is_hex(part: &str) -> bool {
    part.len() >= 8
        && part.bytes().all(|b| b.is_ascii_hexdigit())
        && part.contains(|c: char| c.is_ascii_digit())
}

/// The name of a file without the hash that Vite, Rollup, esbuild, webpack and the like put before its end:
/// `index-BxK3a9Qz.js`, `main.4f3a2b1c9d.js`, `chunk-5XKFQ2LZ.js`. `None` if there is none.
fn built_name(file: &str) -> Option<String> {
    let (stem, end) = file.rsplit_once('.')?;
    let (stem, end) =
        stem.strip_suffix(".chunk").map_or((stem, end.to_owned()), |stem| (stem, format!("chunk.{end}")));
    let hash_at = stem.rfind('.').map(|dot| dot + 1).filter(|&at| is_hash(&stem[at..]));
    // The hash of Rollup may hold hyphens; it is of eight letters.
    let behind_hyphen = || {
        let at = stem.len().checked_sub(8).filter(|&at| stem.is_char_boundary(at))?;
        (stem[..at].ends_with('-') && is_hash(&stem[at..])).then_some(at)
    };
    let long = || stem.rfind('-').map(|hyphen| hyphen + 1).filter(|&at| is_hex(&stem[at..]));
    let at = hash_at.or_else(behind_hyphen).or_else(long)?;
    Some(format!("{}.{end}", stem[..at].trim_end_matches(['.', '-'])))
}

/// Whether a part of a file's name is a hash: hex, or eight letters that no one writes as a word.
fn is_hash(part: &str) -> bool {
    let is_base64 = part.len() == 8
        && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-');
    let has_digit = part.bytes().any(|byte| byte.is_ascii_digit());
    let lower = part.bytes().filter(u8::is_ascii_lowercase).count();
    is_hex(part)
        || is_base64 && (has_digit && !is_numbered_word(part) || lower > 0 && !is_words(part) || lower == 0)
}

/// A word with a number at its end, `orders12`.
fn is_numbered_word(part: &str) -> bool {
    let word = part.trim_end_matches(|letter: char| letter.is_ascii_digit());
    word.len() >= 4 && (word.bytes().all(|byte| byte.is_ascii_lowercase()) || is_words(word))
}

/// Whether a text is of words, `checkout`, `OrderRow`, `vue-core`: no capital stands alone.
fn is_words(part: &str) -> bool {
    let bytes = part.as_bytes();
    (0..bytes.len()).all(|at| {
        let is_lower = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_lowercase);
        is_lower(at)
            || bytes[at].is_ascii_uppercase() && is_lower(at + 1) && is_lower(at + 2)
            || b"-_".contains(&bytes[at])
    })
}
