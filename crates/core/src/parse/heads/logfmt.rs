//! logfmt: `time=2023-10-30T06:10:37Z level=error msg="it broke"`, as logrus, go-kit, slog and Prometheus write it.
//! A value is in quotes, with the escapes of JSON, or ends at a blank; a key may have no value.

use crate::model::{Event, Field};
use crate::parse::names::{Fields, Names};
use crate::parse::time::Clock;

/// How far a line is looked through, and the most pairs.
const MAX_BYTES: usize = 16 << 10;
const MAX_PAIRS: usize = 128;

/// Reads a line of pairs that say a time, a level or a message.
pub(super) fn event<'a>(line: &'a [u8], names: &Names, clock: &mut Clock) -> Option<Event<'a>> {
    let fields = fields(line, names)?;
    Some(Event { time_ms: fields.time(clock), ..fields.event(line) })
}

/// Returns what a line of pairs says; `None` unless it begins with two pairs, and one is a time, a level or a message.
pub(in crate::parse) fn fields<'a>(line: &'a [u8], names: &Names) -> Option<Fields<'a>> {
    let top = names.top();
    let mut fields = Fields::default();
    let mut rest = &line[..line.len().min(MAX_BYTES)];
    for number in 0..MAX_PAIRS {
        let Some((key, value, behind)) = pair(rest) else {
            if number < 2 {
                return None;
            }
            // A key without a value, or text behind the pairs.
            let Some(blank) = memchr::memchr(b' ', rest) else { break };
            rest = rest[blank..].trim_ascii_start();
            continue;
        };
        match top.find(key).and_then(|entry| entry.name) {
            Some(name) => fields.put(name, value),
            None => fields.put_other(value),
        }
        rest = behind.trim_ascii_start();
        if rest.is_empty() {
            return (number > 0 && fields.says_something()).then_some(fields);
        }
    }
    fields.says_something().then_some(fields)
}

/// Reads a pair at the start of `text`: key, value, and what is behind it.
fn pair(text: &[u8]) -> Option<(&[u8], Field<'_>, &[u8])> {
    let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@' | b'/');
    let length = text.iter().take(64).take_while(|byte| is_key(byte)).count();
    let value = text[length..].strip_prefix(b"=")?;
    if length == 0 || text[0].is_ascii_digit() {
        return None;
    }
    let key = &text[..length];
    if let Some(quoted) = value.strip_prefix(b"\"") {
        let end = closing_quote(quoted)?;
        return Some((key, Field::string(&quoted[..end]), &quoted[end + 1..]));
    }
    // Python's `repr`.
    if let Some(quoted) = value.strip_prefix(b"'")
        && let Some(end) =
            memchr::memmem::find(quoted, b"' ").or_else(|| quoted.ends_with(b"'").then(|| quoted.len() - 1))
    {
        return Some((key, Field::string(&quoted[..end]), &quoted[end + 1..]));
    }
    let end = memchr::memchr(b' ', value).unwrap_or(value.len());
    Some((key, Field::plain(&value[..end]), &value[end..]))
}

/// Returns the place of the quote that ends a text.
fn closing_quote(text: &[u8]) -> Option<usize> {
    let mut is_escaped = false;
    text.iter().position(|byte| {
        let ends = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        ends
    })
}
