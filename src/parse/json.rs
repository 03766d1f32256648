//! One JSON object a line, without a tree: a walk over the top-level keys that borrows the values of those
//! asked for and skips the others.
//!
//! What is checked: the syntax of the top level, the kinds of brackets and the strings below it. What is not:
//! commas and colons below the top level, and the bytes of numbers. The last of duplicate keys wins.

use crate::model::Field;

/// How deep values may be nested, as in `serde_json`.
const MAX_DEPTH: u32 = 128;
/// Keys up to this length are found by their length.
const LENGTHS: usize = 32;

/// The names that the fields of a JSON line may have. Where a line has several of a list, the first of the list
/// counts. A name with a dot is that name, not a path into nested objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldNames {
    /// Names of the time.
    pub time: Vec<String>,
    /// Names of the level.
    pub level: Vec<String>,
    /// Names of the logger or class.
    pub logger: Vec<String>,
    /// Names of the thread.
    pub thread: Vec<String>,
    /// Names of the message.
    pub message: Vec<String>,
    /// Names of the stack trace.
    pub trace: Vec<String>,
}

impl Default for FieldNames {
    fn default() -> Self {
        let names = |text: &str| text.split(' ').map(str::to_owned).collect();
        Self {
            time: names("@timestamp time timestamp date ts"),
            level: names("logLevel level severity lvl log.level levelname"),
            logger: names("logClass logger logger_name log.logger loggerName"),
            thread: names("thread thread_name process.thread.name threadName"),
            message: names("origLogEntry message msg log"),
            trace: names("stack_trace stackTrace exception error.stack_trace stack"),
        }
    }
}

/// The values of a line that have one of the [`FieldNames`]: strings, numbers, `true` and `false`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fields<'a> {
    pub(super) time: Option<Field<'a>>,
    pub(super) level: Option<Field<'a>>,
    pub(super) logger: Option<Field<'a>>,
    pub(super) thread: Option<Field<'a>>,
    pub(super) message: Option<Field<'a>>,
    pub(super) trace: Option<Field<'a>>,
}

/// Reads `line`; `None` when it is no JSON object. With `cut`, one that breaks off is read as far as it goes.
pub(super) fn fields<'a>(line: &'a [u8], names: &Names, cut: bool) -> Option<Fields<'a>> {
    let mut walk = Walk { line, at: 0, cut, ended: false };
    let mut slots = [Slot::EMPTY; ROLES];
    walk.object(names, &mut slots)?;
    let [time, level, logger, thread, message, trace] = slots.map(|slot| slot.value);
    Some(Fields { time, level, logger, thread, message, trace })
}

const ROLES: usize = 6;

#[derive(Clone, Copy)]
struct Slot<'a> {
    value: Option<Field<'a>>,
    rank: u8,
}

impl Slot<'_> {
    const EMPTY: Self = Slot { value: None, rank: u8::MAX };
}

/// [`FieldNames`] by the length of the name.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// Sorted by length.
    names: Vec<Name>,
    /// Where the names of each length start; the last entry is for all longer ones.
    starts: [u16; LENGTHS + 2],
}

#[derive(Clone, Debug)]
struct Name {
    text: Vec<u8>,
    role: u8,
    rank: u8,
}

impl Names {
    pub(super) fn new(fields: &FieldNames) -> Self {
        let FieldNames { time, level, logger, thread, message, trace } = fields;
        let mut names: Vec<Name> = Vec::new();
        for (role, list) in (0..).zip([time, level, logger, thread, message, trace]) {
            names.extend((0..u8::MAX).zip(list).map(|(rank, text)| Name {
                text: text.as_bytes().to_vec(),
                role,
                rank,
            }));
        }
        names.sort_by_key(|name| name.text.len());
        let mut starts = [0; LENGTHS + 2];
        for (length, start) in starts.iter_mut().enumerate() {
            *start = names.partition_point(|name| name.text.len() < length) as u16;
        }
        Self { names, starts }
    }

    fn find(&self, key: &[u8]) -> Option<&Name> {
        let first = usize::from(self.starts[key.len().min(LENGTHS + 1)]);
        let rest = self.names.get(first..)?;
        let candidates = rest.iter().take_while(|name| name.text.len() <= key.len());
        candidates.into_iter().find(|name| name.text == key)
    }
}

/// A place in a line.
struct Walk<'a> {
    line: &'a [u8],
    at: usize,
    /// Whether the line may break off.
    cut: bool,
    /// Whether it did.
    ended: bool,
}

enum Value<'a> {
    /// A string, a number, `true` or `false`.
    Plain(Field<'a>),
    /// `null`, an object or an array.
    Other,
}

impl<'a> Walk<'a> {
    fn object(&mut self, names: &Names, slots: &mut [Slot<'a>; ROLES]) -> Option<()> {
        self.expect(b'{')?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return self.end();
        }
        loop {
            match self.pair(names, slots) {
                Some(()) => {}
                None if self.ended => return Some(()),
                None => return None,
            }
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return self.end();
                }
                None if self.cut => return Some(()),
                _ => return None,
            }
        }
    }

    fn pair(&mut self, names: &Names, slots: &mut [Slot<'a>; ROLES]) -> Option<()> {
        self.expect(b'"')?;
        let key = self.string()?;
        if self.ended {
            return None;
        }
        let name = if key.escaped { names.find(key.text().as_bytes()) } else { names.find(key.raw) };
        self.expect(b':')?;
        let value = self.value()?;
        if let (Some(name), Value::Plain(value)) = (name, value) {
            let slot = &mut slots[usize::from(name.role)];
            if name.rank <= slot.rank {
                *slot = Slot { value: Some(value), rank: name.rank };
            }
        }
        Some(())
    }

    fn value(&mut self) -> Option<Value<'a>> {
        let Some(first) = self.peek() else {
            self.ended = self.cut;
            return None;
        };
        match first {
            b'"' => {
                self.at += 1;
                self.string().map(Value::Plain)
            }
            b'{' | b'[' => self.nested().map(|()| Value::Other),
            _ => self.scalar(first),
        }
    }

    /// Reads the rest of a string whose opening quote has been read. Looks for quotes alone and counts the
    /// backslashes before one: a stack trace has many escapes and few quotes.
    fn string(&mut self) -> Option<Field<'a>> {
        let start = self.at;
        let mut from = start;
        loop {
            let Some(found) = memchr::memchr(b'"', self.line.get(from..)?) else {
                return self.cut_string(start);
            };
            let quote = from + found;
            let before = &self.line[start..quote];
            let backslashes = before.iter().rev().take_while(|&&byte| byte == b'\\').count();
            if backslashes % 2 == 0 {
                self.at = quote + 1;
                let escaped = memchr::memchr(b'\\', before).is_some();
                return Some(Field { raw: before, escaped });
            }
            from = quote + 1;
        }
    }

    /// Reads a string that breaks off, without the escape that it may break off in.
    fn cut_string(&mut self, start: usize) -> Option<Field<'a>> {
        self.ended = self.cut;
        self.at = self.line.len();
        let mut raw = &self.line[start..];
        if let Some(last) = memchr::memrchr(b'\\', raw) {
            let backslashes = raw[..=last].iter().rev().take_while(|&&byte| byte == b'\\').count();
            let needs = if raw.get(last + 1) == Some(&b'u') { 6 } else { 2 };
            if backslashes % 2 == 1 && raw.len() < last + needs {
                raw = &raw[..last];
            }
        }
        let escaped = memchr::memchr(b'\\', raw).is_some();
        self.cut.then_some(Field { raw, escaped })
    }

    /// Skips an object or an array.
    fn nested(&mut self) -> Option<()> {
        // A bit a level: whether it is an object.
        let mut kinds: u128 = 0;
        let mut depth = 0;
        while let Some(&byte) = self.line.get(self.at) {
            self.at += 1;
            match byte {
                b'"' => {
                    self.string()?;
                }
                b'{' | b'[' if depth == MAX_DEPTH => return None,
                b'{' | b'[' => {
                    kinds = kinds << 1 | u128::from(byte == b'{');
                    depth += 1;
                }
                b'}' | b']' => {
                    if (kinds & 1 == 1) != (byte == b'}') {
                        return None;
                    }
                    kinds >>= 1;
                    depth -= 1;
                    if depth == 0 {
                        return Some(());
                    }
                }
                _ => {}
            }
        }
        self.ended = self.cut;
        None
    }

    /// Reads a number or a literal.
    fn scalar(&mut self, first: u8) -> Option<Value<'a>> {
        let rest = &self.line[self.at..];
        let ends = |&byte: &u8| matches!(byte, b',' | b'}' | b' ' | b'\t' | b'\r' | b'\n');
        let length = rest.iter().position(ends).unwrap_or(rest.len());
        let raw = &rest[..length];
        self.at += length;
        match first {
            b'-' | b'0'..=b'9' => Some(Value::Plain(Field::plain(raw))),
            _ if matches!(raw, b"true" | b"false") => Some(Value::Plain(Field::plain(raw))),
            _ if raw == b"null" => Some(Value::Other),
            _ => {
                let literals: [&[u8]; 3] = [b"true", b"false", b"null"];
                self.ended = self.cut
                    && self.at == self.line.len()
                    && literals.iter().any(|literal| literal.starts_with(raw));
                None
            }
        }
    }

    /// Checks that nothing but white space is left.
    fn end(&mut self) -> Option<()> {
        self.peek().is_none().then_some(())
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        match self.peek() {
            Some(found) if found == byte => {
                self.at += 1;
                Some(())
            }
            None => {
                self.ended = self.cut;
                None
            }
            Some(_) => None,
        }
    }

    /// Returns the next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.line.get(self.at)?;
            if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
                return Some(byte);
            }
            self.at += 1;
        }
    }
}
