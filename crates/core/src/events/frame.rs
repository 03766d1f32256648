//! Several records on one line, and one record over several lines.

use std::borrow::Cow;

use crate::parse::json_end;

/// Returns the JSON objects of a line that holds several, or one with a comma or a bracket of an array around it: `{..}{..}`,
/// `[{..},{..}]`, `{..},`. `None` for other lines.
pub(super) fn records(line: &[u8]) -> Option<Vec<&[u8]>> {
    let mut rest = match line.trim_ascii_start() {
        [b'[' | b',', rest @ ..] => rest.trim_ascii_start(),
        rest @ [b'{', ..] => rest,
        _ => return None,
    };
    let mut records = Vec::new();
    while rest.first() == Some(&b'{') {
        let (record, behind) = rest.split_at(json_end(rest)?);
        records.push(record);
        rest = behind.trim_ascii_start();
        if let [b',', behind @ ..] = rest {
            rest = behind.trim_ascii_start();
        }
    }
    let is_end = matches!(rest, [] | [b']'] | [b']', b',']);
    let is_framed =
        records.len() > 1 || records.first().is_some_and(|record| record.len() < line.trim_ascii().len());
    (is_end && is_framed).then_some(records)
}

/// Returns a line of FluentD's `hash` formatter, which is Ruby's way to print one (`{"level"=>"ERROR"}`), as JSON.
pub(super) fn as_json(line: &[u8]) -> Option<Vec<u8>> {
    if !line.starts_with(b"{\"") || !line.ends_with(b"}") {
        return None;
    }
    // Nearly no line has it, and the copy below costs as much as parsing.
    memchr::memmem::find(line, b"\"=>")?;
    let mut json = Vec::with_capacity(line.len());
    let (mut rest, mut in_string) = (line, false);
    while let Some((&byte, behind)) = rest.split_first() {
        let (written, used): (Cow<'_, [u8]>, usize) = match byte {
            b'\\' if in_string => (Cow::Borrowed(&rest[..rest.len().min(2)]), rest.len().min(2)),
            b'=' if !in_string && behind.first() == Some(&b'>') => (Cow::Borrowed(b":"), 2),
            b'n' if !in_string && rest.starts_with(b"nil") => (Cow::Borrowed(b"null"), 3),
            _ => (Cow::Borrowed(&rest[..1]), 1),
        };
        in_string ^= byte == b'"';
        json.extend_from_slice(&written);
        rest = &rest[used..];
    }
    Some(json)
}

/// Returns whether a line may be the first of a JSON object that is printed over lines.
pub(super) fn opens(line: &[u8]) -> bool {
    let line = line.trim_ascii();
    let line = line.strip_prefix(b"[").map_or(line, <[u8]>::trim_ascii_start);
    line.first() == Some(&b'{') && matches!(line.last(), Some(b'{' | b'[' | b',')) && json_end(line).is_none()
}

/// Returns whether a line may be a further one of such an object.
pub(super) fn may_go_on(line: &[u8]) -> bool {
    match line.first() {
        None | Some(b' ' | b'\t' | b'}' | b']' | b'"' | b',') => true,
        Some(b'{') => json_end(line).is_none(),
        _ => false,
    }
}

/// Follows the brackets of a text that comes in lines.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Depth {
    depth: i64,
    in_string: bool,
}

impl Depth {
    /// Takes the next line; returns whether all brackets are closed behind it.
    pub(super) fn add(&mut self, line: &[u8]) -> bool {
        let mut bytes = line.iter();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\\' if self.in_string => {
                    bytes.next();
                }
                b'"' => self.in_string = !self.in_string,
                b'{' | b'[' if !self.in_string => self.depth += 1,
                b'}' | b']' if !self.in_string => self.depth -= 1,
                _ => {}
            }
        }
        // A string does not go over lines.
        self.in_string = false;
        self.depth <= 0
    }
}
