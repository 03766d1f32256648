//! Labeled tab-separated values (ltsv.org): `time:2023-10-30T06:10:37Z`, tab, `level:ERROR`, tab, `message:bad`.
//! A value is what stands between the first colon and the next tab; there are no escapes.

use super::names::{Fields, Names};
use crate::model::Field;

/// Reads `line`; `None` when a field of it has no label. Unless the format is `known`, it also has to begin with a
/// letter, `_` or `@`, its first value must not be empty or begin with a blank (`error: bad` is text), and a label must be one
/// of the names: text with tabs and colons is common. The last of duplicate labels counts. With `cut`, the line may
/// break off in a label.
pub(super) fn fields<'a>(line: &'a [u8], names: &Names, known: bool, cut: bool) -> Option<Fields<'a>> {
    let mut found = Fields::default();
    let top = names.top();
    let mut has_name = known;
    if !known && !may_begin(line) {
        return None;
    }
    let mut labels = 0;
    let mut fields = line.split(|&byte| byte == b'\t').filter(|field| !field.is_empty()).peekable();
    while let Some(field) = fields.next() {
        let Some(colon) = memchr::memchr(b':', field) else {
            if cut && fields.peek().is_none() && field.iter().copied().all(is_label_byte) {
                break;
            }
            return None;
        };
        let (label, value) = (&field[..colon], &field[colon + 1..]);
        if label.is_empty() || !label.iter().copied().all(is_label_byte) {
            return None;
        }
        labels += 1;
        if let Some(name) = top.find(label).and_then(|entry| entry.name) {
            has_name = true;
            found.put(name, Field::plain(value));
        }
    }
    (has_name && labels > usize::from(!known)).then_some(found)
}

/// Returns the values of a label in a line of labels and values.
pub(super) fn values<'a>(line: &'a [u8], label: &str) -> Vec<Field<'a>> {
    let of_label = |field: &'a [u8]| field.strip_prefix(label.as_bytes())?.strip_prefix(b":");
    line.split(|&byte| byte == b'\t').filter_map(of_label).map(Field::plain).collect()
}

/// Returns whether a line may be one of labels and values.
fn may_begin(line: &[u8]) -> bool {
    let label = line.iter().take_while(|&&byte| is_label_byte(byte)).count();
    let is_letter = line.first().is_some_and(|first| first.is_ascii_alphabetic() || b"_@".contains(first));
    is_letter && line.get(label) == Some(&b':') && !matches!(line.get(label + 1), None | Some(b' ' | b'\t'))
}

/// The label of the specification, and `@`, with which `@timestamp` begins.
fn is_label_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@')
}
