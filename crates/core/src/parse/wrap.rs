//! What a collector writes around an application's line in a JSON record: the container or the tag it came from, and
//! whether the line was cut into parts. Read by a walk of its own, over records that look like a collector's.

/// A line that docker cut holds 16 KiB (moby, `daemon/logger/copier.go`); escapes make it longer, never shorter.
const DOCKER_PART_BYTES: usize = 16_000;

/// What a collector says of a line besides its text.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wrap {
    /// The stream that the line belongs to; 0 for the only one of the object.
    pub(super) key: u64,
    /// Whether a collector wrote the record, not the application.
    pub(super) is_collector: bool,
    /// Whether the line goes on with the next one of the stream.
    pub(super) goes_on: bool,
    /// Whether the record is a part of a line, the last one included.
    pub(super) is_part: bool,
}

/// The keys that tell streams apart and parts of lines.
#[derive(Default)]
struct Keys<'a> {
    container: &'a [u8],
    name: &'a [u8],
    pod: &'a [u8],
    tag: &'a [u8],
    stream: &'a [u8],
    log: Option<&'a [u8]>,
    is_part: bool,
    is_last: bool,
    /// Keys that docker's own files do not have.
    others: u32,
}

impl Wrap {
    /// Returns what a collector says in a JSON object that has one of its keys ([`is_mark`]).
    pub(super) fn of(line: &[u8]) -> Self {
        let mut keys = Keys::default();
        each_pair(line, |key, value| keys.note(key, value));
        keys.into_wrap()
    }
}

/// Whether a key of a record is one that collectors give it. Most records of applications have none.
pub(super) fn is_mark(key: &[u8]) -> bool {
    matches!(key, b"stream" | b"log" | b"container_id" | b"container_name" | b"kubernetes" | b"docker")
}

impl<'a> Keys<'a> {
    fn note(&mut self, key: &[u8], value: &'a [u8]) {
        match key {
            b"stream" => self.stream = unquoted(value),
            b"log" => self.log = value.starts_with(b"\"").then(|| unquoted(value)),
            b"time" => {}
            _ => self.note_other(key, value),
        }
    }

    fn note_other(&mut self, key: &[u8], value: &'a [u8]) {
        self.others += u32::from(key != b"attrs");
        match key {
            b"source" if matches!(value, b"\"stdout\"" | b"\"stderr\"") => self.stream = unquoted(value),
            b"container_id" | b"docker_id" => self.container = unquoted(value),
            b"container_name" => self.name = unquoted(value),
            b"pod_name" | b"pod_id" => self.pod = unquoted(value),
            b"tag" | b"fluentd_tag" => self.tag = unquoted(value),
            b"kubernetes" | b"docker" if value.starts_with(b"{") => {
                each_pair(value, |key, value| self.note_other(key, value));
            }
            b"logtag" | b"_p" => self.is_part |= unquoted(value).starts_with(b"P"),
            b"partial_message" => self.is_part |= unquoted(value) == b"true",
            b"partial_last" => self.is_last = unquoted(value) == b"true",
            _ => {}
        }
    }

    fn into_wrap(self) -> Wrap {
        let is_std = matches!(self.stream, b"stdout" | b"stderr");
        let stream = if is_std { self.stream } else { b"" };
        let has_container = [self.container, self.name, self.pod].iter().any(|name| !name.is_empty());
        let key = if !self.container.is_empty() {
            key_of(&[self.container, stream])
        } else if has_container {
            key_of(&[self.pod, self.name, stream])
        } else if is_std || !self.tag.is_empty() && self.log.is_some() {
            key_of(&[self.tag, stream])
        } else {
            0
        };
        Wrap {
            key,
            is_collector: is_std || has_container || self.log.is_some(),
            is_part: self.is_part,
            goes_on: self.is_part && !self.is_last || self.is_docker_part(),
        }
    }

    /// Docker ends each line with a newline; what has none goes on.
    fn is_docker_part(&self) -> bool {
        let is_docker = self.others == 0 && !self.stream.is_empty();
        let is_cut = |log: &[u8]| log.len() >= DOCKER_PART_BYTES && !log.ends_with(b"\\n");
        is_docker && self.log.is_some_and(is_cut)
    }
}

/// Returns the key of what these names name; never 0. FNV-1a (Fowler, Noll, Vo), each name with its length.
pub(super) fn key_of(names: &[&[u8]]) -> u64 {
    let add = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let mut hash = 0xcbf2_9ce4_8422_2325;
    for name in names {
        hash = name.iter().copied().fold(add(hash, name.len() as u8), add);
    }
    hash.max(1)
}

fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', text @ .., b'"'] => text,
        other => other,
    }
}

/// Calls `found` with each key of a JSON object and its value as it stands there.
pub(crate) fn each_pair<'a>(object: &'a [u8], mut found: impl FnMut(&'a [u8], &'a [u8])) {
    let mut at = 1;
    while let Some(key_start) = next(object, at, b'"') {
        let Some(key_end) = string_end(object, key_start + 1) else { return };
        let Some(colon) = next(object, key_end + 1, b':') else { return };
        let start = skip_blanks(object, colon + 1);
        let Some(end) = value_end(object, start) else { return };
        found(&object[key_start + 1..key_end], object[start..end].trim_ascii_end());
        let Some(comma) = next(object, end, b',') else { return };
        at = comma + 1;
    }
}

/// Calls `found` with each element of a JSON array as it stands there, as far as the array goes.
pub(crate) fn each_element<'a>(array: &'a [u8], mut found: impl FnMut(&'a [u8])) {
    let mut at = 1;
    loop {
        at = skip_blanks(array, at);
        let Some(end) = value_end(array, at).filter(|end| *end > at) else { return };
        found(array[at..end].trim_ascii_end());
        let Some(comma) = next(array, end, b',') else { return };
        at = comma + 1;
    }
}

/// Returns where the next byte that is not blank stands, if it is this one.
fn next(text: &[u8], at: usize, wanted: u8) -> Option<usize> {
    let at = skip_blanks(text, at);
    (text.get(at) == Some(&wanted)).then_some(at)
}

fn skip_blanks(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count()
}

/// Returns where the quote stands that ends a string.
fn string_end(text: &[u8], start: usize) -> Option<usize> {
    let mut from = start;
    loop {
        let quote = from + memchr::memchr(b'"', text.get(from..)?)?;
        let backslashes = text[start..quote].iter().rev().take_while(|&&byte| byte == b'\\').count();
        if backslashes % 2 == 0 {
            return Some(quote);
        }
        from = quote + 1;
    }
}

/// Returns the first byte behind a value.
fn value_end(text: &[u8], start: usize) -> Option<usize> {
    match text.get(start)? {
        b'"' => string_end(text, start + 1).map(|quote| quote + 1),
        b'{' | b'[' => brackets_end(text, start),
        _ => {
            let rest = &text[start..];
            let length = rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']'));
            Some(start + length.unwrap_or(rest.len()))
        }
    }
}

/// Returns the first byte behind the bracket that closes the one at `start`.
fn brackets_end(text: &[u8], start: usize) -> Option<usize> {
    let (mut at, mut depth) = (start, 0_u32);
    loop {
        match text.get(at)? {
            b'"' => at = string_end(text, at + 1)?,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
}

/// Returns the length of the JSON object that a text begins with; `None` when it does not end in the text.
pub(crate) fn json_end(text: &[u8]) -> Option<usize> {
    brackets_end(text, 0)
}
