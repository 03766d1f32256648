//! Fields that a message holds: `key=value`, `key: value`, pairs in brackets (`traceInfo= [SAVN, siteCode=L236]`) and keys
//! of JSON in it. Looked for only where a condition or a column asks for a name.

use crate::model::Field;

/// How many values are returned, and how many places where the name stands are looked at.
const MAX_VALUES: usize = 64;
const MAX_PLACES: usize = 4096;

/// How long a value in quotes or brackets may be.
const MAX_VALUE_BYTES: usize = 4 << 10;

/// Returns the values that a message gives a name.
pub(super) fn values<'a>(message: &Field<'a>, name: &str) -> Vec<Field<'a>> {
    if name.is_empty() || message.nested {
        return Vec::new();
    }
    let text = Text { raw: message.raw, escaped: message.escaped };
    let places = memchr::memmem::find_iter(text.raw, name.as_bytes()).take(MAX_PLACES);
    let mut values = Vec::new();
    for at in places {
        if text.begins_key(at)
            && let Some(start) = text.value_start(at, at + name.len())
        {
            text.gather(start, &mut values);
        }
        if values.len() >= MAX_VALUES {
            break;
        }
    }
    values
}

/// A message as it stands in its line.
#[derive(Clone, Copy)]
struct Text<'a> {
    raw: &'a [u8],
    escaped: bool,
}

impl<'a> Text<'a> {
    fn rest(self, at: usize) -> &'a [u8] {
        self.raw.get(at..).unwrap_or_default()
    }

    /// Returns whether no name goes on across `at`.
    fn begins_key(self, at: usize) -> bool {
        match &self.raw[..at] {
            [] => true,
            // The letter of `\n` or `\t`.
            [.., b'\\', b'n' | b't' | b'r'] if self.escaped => true,
            [.., before] => !is_key_byte(*before),
        }
    }

    /// Returns where the value of the key from `start` to `end` starts.
    fn value_start(self, start: usize, end: usize) -> Option<usize> {
        let is_quoted = start > 0 && matches!(self.raw[start - 1], b'"' | b'\'');
        let end = end + self.quote(end).filter(|_| is_quoted).map_or(0, <[u8]>::len);
        let end = end + blanks(self.rest(end));
        let behind = match self.rest(end) {
            [b'=' | b':', b'=' | b':', ..] | [b':', b'/', b'/', ..] => return None,
            [b'=', b'>', ..] => end + 2,
            [b'=' | b':', ..] => end + 1,
            _ => return None,
        };
        Some(behind + blanks(self.rest(behind)))
    }

    /// Returns the quote at `at`: in a JSON string its quotes have a backslash before them.
    fn quote(self, at: usize) -> Option<&'a [u8]> {
        match self.rest(at) {
            [quote @ (b'"' | b'\''), ..] => Some(std::slice::from_ref(quote)),
            rest @ [b'\\', b'"', ..] if self.escaped => Some(&rest[..2]),
            _ => None,
        }
    }

    /// Gathers the value at `start`, of a list each element.
    fn gather(self, start: usize, values: &mut Vec<Field<'a>>) {
        if self.rest(start).first() != Some(&b'[') {
            values.extend(self.value(start).map(|(value, _)| value));
            return;
        }
        let mut at = start + 1;
        while at < start + MAX_VALUE_BYTES && values.len() < MAX_VALUES {
            at += self.rest(at).iter().take(4).take_while(|byte| matches!(byte, b' ' | b',')).count();
            let Some((value, end)) = self.value(at) else { return };
            values.push(value);
            at = end;
        }
    }

    /// Reads a value and returns it with its end.
    fn value(self, start: usize) -> Option<(Field<'a>, usize)> {
        let rest = self.rest(start);
        let bounded = &rest[..rest.len().min(MAX_VALUE_BYTES)];
        let (from, length, after) = match self.quote(start) {
            Some(quote) => {
                let inner = &bounded[quote.len()..];
                (quote.len(), memchr::memmem::find(inner, quote)?, quote.len())
            }
            None => (0, bare_length(bounded, self.escaped), 0),
        };
        let raw = &bounded[from..from + length];
        let end = start + from + length + after;
        (length > 0).then_some((Field { raw, escaped: self.escaped, nested: false }, end))
    }
}

/// The length of a value without quotes; a full stop or a colon at its end belongs to the sentence.
fn bare_length(text: &[u8], escaped: bool) -> usize {
    let ends = |byte: &u8| {
        byte.is_ascii_whitespace()
            || matches!(byte, b',' | b';' | b')' | b']' | b'}' | b'"' | b'|' | b'&' | b'<' | b'>')
            || escaped && *byte == b'\\'
    };
    let length = text.iter().position(ends).unwrap_or(text.len());
    let signs =
        text[..length].iter().rev().take_while(|byte| matches!(byte, b'.' | b':' | b'!' | b'?')).count();
    length - signs
}

fn blanks(text: &[u8]) -> usize {
    text.iter().take(2).take_while(|byte| **byte == b' ').count()
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii() || matches!(byte, b'_' | b'-' | b'.' | b'$' | b'@')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(message: &str, name: &str) -> Vec<String> {
        let fields = values(&Field::plain(message.as_bytes()), name);
        fields.iter().map(|field| field.text().into_owned()).collect()
    }

    #[test]
    fn pairs_of_every_kind_are_found() {
        for message in [
            "siteCode=L236",
            "done for siteCode=L236, ok",
            "siteCode: L236",
            "siteCode = L236.",
            "traceInfo= [SAVN, siteCode=L236, x]",
            "(siteCode=L236)",
            r#"level=error siteCode="L236" x=1"#,
            "siteCode='L236'",
            r#"paid {"order":{"id":1},"siteCode":"L236"}"#,
            r#"{"siteCode" : "L236"}"#,
            "{siteCode=L236}",
            "a?siteCode=L236&b=1",
            "siteCode=>L236",
            "siteCode=L236|b=2",
            "<siteCode: L236>",
            "msg=\"siteCode=L236 x\"",
            "x\nsiteCode=L236",
            "siteCode=L236\tb",
        ] {
            assert_eq!(texts(message, "siteCode"), ["L236"], "{message}");
        }
        assert_eq!(texts("a=1 a=2 ba=3 a.b=4 a_=5 é a=6", "a"), ["1", "2", "6"]);
        assert_eq!(texts("codes=[A1, B2,C3] codes= ['D 4']", "codes"), ["A1", "B2", "C3", "D 4"]);
        assert_eq!(texts("took 12 ms, latencyMs=12.5", "latencyMs"), ["12.5"]);
    }

    #[test]
    fn what_is_no_pair_is_not_found() {
        for message in [
            "siteCode",
            "siteCode L236",
            "siteCode==L236",
            "siteCode::L236",
            "siteCode://L236",
            "xsiteCode=L236",
            "siteCodes=L236",
            "siteCode=",
            "siteCode= ,",
            "my-siteCode=1",
            "",
        ] {
            assert_eq!(texts(message, "siteCode"), [""; 0], "{message}");
        }
        assert_eq!(texts("a=1", ""), [""; 0]);
    }

    #[test]
    fn a_message_with_escapes_is_read_as_it_stands() {
        let raw = r#"x\nsiteCode=L236\t{\"order\":17,\"user\":\"ann b\"} path=C:\\x"#;
        let of = |name| {
            let fields = values(&Field::string(raw.as_bytes()), name);
            fields.iter().map(|field| field.text().into_owned()).collect::<Vec<_>>()
        };
        assert_eq!(of("siteCode"), ["L236"]);
        assert_eq!(of("order"), ["17"]);
        assert_eq!(of("user"), ["ann b"]);
    }

    #[test]
    fn hostile_messages_take_no_time() {
        for part in ["a=\"", "a='", "a=[", "a=[x,", "a=", "a:a:", "\"a\":"] {
            let message = part.repeat(300_000);
            assert!(texts(&message, "a").len() <= MAX_VALUES, "{part}");
        }
    }
}
