//! One JSON object a line, without a tree: a walk over the keys that borrows the values of those asked for, at the top
//! and in the objects where names may stand, and skips the others.
//!
//! What is checked: the syntax of the objects walked through, the kinds of brackets and the strings below them. What is
//! not: commas and colons below, and the bytes of numbers. The last of duplicate keys wins.

use super::names::{Entry, Fields, Name, Names, Node, Role};
use super::wrap;
use crate::model::Field;

/// How deep values may be nested, as in `serde_json`.
const MAX_DEPTH: u32 = 128;

/// Reads `line`; `None` when it is not a JSON object. With `cut`, one that breaks off is read up to there.
pub(super) fn fields<'a>(line: &'a [u8], names: &Names, cut: bool) -> Option<Fields<'a>> {
    let mut walk = Walk { line, at: 0, cut, ended: false, in_array: false, inner_trace: None };
    let mut fields = Fields::default();
    let read = walk.object(Place { node: names.top(), in_trace: false }, &mut fields);
    (walk.ended || read.and_then(|()| walk.end()).is_some() || cut && walk.at == line.len() && read.is_some())
        .then_some(fields)
}

/// Returns the values that `path` names in a line: a key, or keys of nested objects joined by dots. Of an array each
/// element, of duplicate keys each value; objects and `null` have no value. `None` when the line is not a JSON object.
pub(super) fn values<'a>(line: &'a [u8], path: &str, cut: bool) -> Option<Vec<Field<'a>>> {
    let mut walk = Walk { line, at: 0, cut, ended: false, in_array: false, inner_trace: None };
    let mut values = Vec::new();
    let whole = walk.find(path, 0, &mut values).and_then(|()| walk.end());
    (whole.is_some() || walk.ended || cut && walk.at == line.len()).then_some(values)
}

/// A place in a line.
struct Walk<'a> {
    line: &'a [u8],
    at: usize,
    /// Whether the line may break off.
    cut: bool,
    /// Whether it did.
    ended: bool,
    /// Whether a value stands in an array, where a bracket ends it.
    in_array: bool,
    /// The name of a trace in the object that is read, which is one as a whole.
    inner_trace: Option<Name>,
}

enum Value<'a> {
    /// A string, a number, `true` or `false`.
    Plain(Field<'a>),
    /// `null`, an object or an array.
    Other,
}

/// An object that may hold names.
#[derive(Clone, Copy)]
struct Place<'n> {
    node: Node<'n>,
    /// Whether the object is a trace as a whole, so that arrays in it are not.
    in_trace: bool,
}

impl<'a> Walk<'a> {
    fn object(&mut self, place: Place<'_>, fields: &mut Fields<'a>) -> Option<()> {
        self.expect(b'{')?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Some(());
        }
        loop {
            self.pair(place, fields)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Some(());
                }
                None => {
                    self.ended = self.cut;
                    return None;
                }
                Some(_) => return None,
            }
        }
    }

    fn pair(&mut self, place: Place<'_>, fields: &mut Fields<'a>) -> Option<()> {
        self.expect(b'"')?;
        let key = self.string()?;
        if self.ended {
            return None;
        }
        let entry =
            if key.escaped { place.node.find(key.text().as_bytes()) } else { place.node.find(key.raw) };
        fields.is_collected |= place.node.is_top() && wrap::is_mark(key.raw);
        self.expect(b':')?;
        if let Some(entry) = entry
            && matches!(self.peek(), Some(b'{' | b'['))
        {
            return self.named_object(entry, place, fields);
        }
        let value = self.value();
        if let Some(Value::Plain(value)) = value {
            match entry {
                Some(Entry { name: Some(name), .. })
                    if place.in_trace && name.role == Role::Trace && !self.ended =>
                {
                    self.inner_trace.get_or_insert(*name);
                }
                Some(Entry { name: Some(name), .. }) => fields.put(*name, value),
                None if place.node.is_record() => fields.put_other(value),
                _ => {}
            }
        }
        value.filter(|_| !self.ended).map(|_| ())
    }

    /// Reads an array or an object that means something, or holds what does.
    fn named_object(&mut self, entry: &Entry, place: Place<'_>, fields: &mut Fields<'a>) -> Option<()> {
        let start = self.at;
        let in_trace = entry.nested.is_some_and(|name| name.role == Role::Trace);
        match place.node.below(entry) {
            Some(node) if self.peek() == Some(b'{') => self.object(Place { node, in_trace }, fields)?,
            Some(node) if !in_trace => self.key_values_or_array(node, fields)?,
            _ => self.nested()?,
        }
        let inner = if place.in_trace { None } else { self.inner_trace.take() };
        if let Some(name) = inner.or(entry.nested.filter(|name| name.role == Role::Time || !place.in_trace)) {
            let raw = &self.line[start..self.at];
            match first_text(raw).filter(|_| name.role == Role::Time) {
                Some(first) => fields.put(name, first),
                None if name.role == Role::Trace => fields.put(name, Field::json(raw)),
                None => {}
            }
        }
        Some(())
    }

    /// Reads an array of which each element has a key and a value, as the JSON of OpenTelemetry's protocol has the attributes of
    /// a record: `[{"key":"k","value":{"stringValue":"v"}}]`; another array is skipped.
    fn key_values_or_array(&mut self, node: Node<'_>, fields: &mut Fields<'a>) -> Option<()> {
        let start = self.at;
        if self.key_values(node, fields).is_none() && !self.ended {
            self.at = start;
            return self.nested();
        }
        (!self.ended).then_some(())
    }

    fn key_values(&mut self, node: Node<'_>, fields: &mut Fields<'a>) -> Option<()> {
        self.expect(b'[')?;
        loop {
            self.expect(b'{')?;
            self.key("key")?;
            self.expect(b'"')?;
            let key = self.string()?;
            self.expect(b',')?;
            self.key("value")?;
            self.expect(b'{')?;
            self.expect(b'"')?;
            self.string()?;
            self.expect(b':')?;
            if let Value::Plain(value) = self.value()?
                && let Some(name) = node.find(key.raw).and_then(|entry| entry.name)
            {
                fields.put(name, value);
            }
            self.expect(b'}')?;
            self.expect(b'}')?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// Reads a key that has to be this one, and the colon behind it.
    fn key(&mut self, wanted: &str) -> Option<()> {
        self.expect(b'"')?;
        let key = self.string()?;
        self.expect(b':')?;
        (key.raw == wanted.as_bytes()).then_some(())
    }

    /// Reads an object and gathers the values below it that `path` names.
    fn find(&mut self, path: &str, depth: u32, values: &mut Vec<Field<'a>>) -> Option<()> {
        self.expect(b'{')?;
        self.in_array = false;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Some(());
        }
        loop {
            self.expect(b'"')?;
            let key = self.string()?;
            self.expect(b':')?;
            let rest = path.strip_prefix(key.text().as_ref());
            match rest.map(|rest| (rest, rest.strip_prefix('.'))) {
                Some(("", _)) => self.gather("", depth, values)?,
                Some((_, Some(rest))) => self.gather(rest, depth, values)?,
                _ => self.value().map(|_| ())?,
            }
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// Reads a value: of a path that ends here it is gathered, else the path goes on below it.
    fn gather(&mut self, path: &str, depth: u32, values: &mut Vec<Field<'a>>) -> Option<()> {
        match self.peek() {
            Some(b'[') if depth < MAX_DEPTH => self.elements(path, depth + 1, values),
            Some(b'{') if depth < MAX_DEPTH && !path.is_empty() => self.find(path, depth + 1, values),
            _ => {
                if let (Value::Plain(value), "") = (self.value()?, path) {
                    values.push(value);
                }
                Some(())
            }
        }
    }

    /// Gathers from each element of an array.
    fn elements(&mut self, path: &str, depth: u32, values: &mut Vec<Field<'a>>) -> Option<()> {
        self.expect(b'[')?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Some(());
        }
        loop {
            self.in_array = true;
            self.gather(path, depth, values)?;
            self.in_array = false;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
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
            let Some(found) = next_quote(self.line.get(from..)?) else {
                return self.cut_string(start);
            };
            let quote = from + found;
            let before = &self.line[start..quote];
            // An even number of backslashes escape one another; an odd one escapes the quote.
            let backslashes = before.iter().rev().take_while(|&&byte| byte == b'\\').count();
            if backslashes % 2 == 0 {
                self.at = quote + 1;
                return Some(Field::string(before));
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
        self.cut.then_some(Field::string(raw))
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
                // Not recursive and bounded by the bits of `kinds`: a line of brackets cannot exhaust the stack.
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
        let ends = |&byte: &u8| {
            byte == b']' && self.in_array || matches!(byte, b',' | b'}' | b' ' | b'\t' | b'\r' | b'\n')
        };
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

    /// Returns the next byte that is not white space.
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

/// Returns where the first quote is. Keys and most values are so short that a call costs more than the search.
#[inline]
fn next_quote(text: &[u8]) -> Option<usize> {
    const STEPS: usize = 3;
    const ONES: u64 = u64::MAX / 0xff;
    let (words, _) = text.as_chunks::<8>();
    for (step, word) in words.iter().take(STEPS).enumerate() {
        // A byte that is a quote becomes zero; the lowest zero byte has its high bit set in `zeros` (Mycroft, 1987).
        let other = u64::from_le_bytes(*word) ^ (ONES * u64::from(b'"'));
        let zeros = other.wrapping_sub(ONES) & !other & (ONES << 7);
        if zeros != 0 {
            return Some(step * 8 + zeros.trailing_zeros() as usize / 8);
        }
    }
    let looked_at = words.len().min(STEPS) * 8;
    memchr::memchr(b'"', &text[looked_at..]).map(|at| looked_at + at)
}

/// Returns the first text of an array.
fn first_text(array: &[u8]) -> Option<Field<'_>> {
    let text = array.strip_prefix(b"[")?.trim_ascii_start().strip_prefix(b"\"")?;
    let end = memchr::memchr2(b'"', b'\\', text)?;
    Some(Field::plain(&text[..end]))
}
