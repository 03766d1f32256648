//! Several records on one line, and one record over several lines.

use std::borrow::Cow;

use crate::parse::{each_element, each_pair, json_end};

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

/// A record in an object that holds several.
pub(super) struct Held<'a> {
    pub(super) record: &'a [u8],
    /// The logger that the object names.
    pub(super) logger: Option<&'a [u8]>,
}

/// Returns the records of an object that services make of many: `CloudTrail`'s and Azure's `records`, what `CloudWatch` hands
/// on, and the export of OpenTelemetry's protocol. `None` for other lines.
pub(super) fn held(line: &[u8]) -> Option<Vec<Held<'_>>> {
    let inner = line.strip_prefix(b"{")?.trim_ascii_start();
    let is_export = inner.starts_with(b"\"resourceLogs\"");
    let is_list = inner.starts_with(b"\"Records\"") || inner.starts_with(b"\"records\"");
    if !(is_export || is_list || inner.starts_with(b"\"messageType\":\"DATA_MESSAGE\"")) {
        return None;
    }
    let mut records = Vec::new();
    each_pair(line, |key, value| match key {
        b"resourceLogs" => each_element(value, |resource| exported(resource, &mut records)),
        b"Records" | b"records" | b"logEvents" => add(value, None, &mut records),
        _ => {}
    });
    let are_objects = records.iter().all(|held| held.record.starts_with(b"{"));
    (!records.is_empty() && are_objects).then_some(records)
}

/// Adds the records of a resource, scope by scope.
fn exported<'a>(resource: &'a [u8], records: &mut Vec<Held<'a>>) {
    each_pair(resource, |key, scopes| {
        if matches!(key, b"scopeLogs" | b"instrumentationLibraryLogs") {
            each_element(scopes, |scope| {
                let (mut logger, mut list) = (None, None);
                each_pair(scope, |key, value| match key {
                    b"scope" | b"instrumentationLibrary" => each_pair(value, |key, value| {
                        if key == b"name" && value.len() > 2 {
                            logger = value.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\""));
                        }
                    }),
                    b"logRecords" => list = Some(value),
                    _ => {}
                });
                add(list.unwrap_or_default(), logger, records);
            });
        }
    });
}

fn add<'a>(list: &'a [u8], logger: Option<&'a [u8]>, records: &mut Vec<Held<'a>>) {
    if list.starts_with(b"[") {
        each_element(list, |record| records.push(Held { record, logger }));
    }
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
