//! JSON's escapes (RFC 8259, section 7) in a text, and the text with them undone.
//!
//! A writer of JSON may escape any character, and JSON that is a string of other JSON is escaped twice. So a text has up to
//! three readings: as it stands, and with its escapes undone once and twice ([`undone`]). An escaped line break, tab or other
//! white space of control characters becomes a blank, and so do several in a row: in an undone reading a phrase goes on
//! across `\n\tat` as across a blank. What only looks like an escape stays what it is.

use std::ops::Range;

use super::is_separator;
use crate::model::unescape_one;

/// How often escapes are undone.
pub const DEPTH: usize = 2;

/// The longest escape: two surrogates.
const MAX_BYTES: usize = 12;

/// Returns the length of the JSON escape at the start of `rest`, which begins with a backslash;
/// 1 if it is not an escape.
pub fn escape_len(rest: &[u8]) -> usize {
    match rest.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
        Some(b'u') if rest.len() >= 6 && rest[2..6].iter().all(u8::is_ascii_hexdigit) => 6,
        _ => 1,
    }
}

/// Returns whether a text may have other words once its escapes are undone, because of an escape of this length at its
/// start: `\uXXXX`, or an escaped backslash before the letter of an escape. All others separate words either way.
pub(super) fn changes_words(rest: &[u8], len: usize) -> bool {
    len == 6 || matches!(rest, [b'\\', b'\\', b'b' | b'f' | b'n' | b'r' | b't' | b'u', ..])
}

/// Returns the stretch of `text` around `at` that has its words and escapes to itself, however often escapes are undone: it
/// ends with an ASCII separator, which no word holds, and with which an escape ends if it is part of one.
pub(super) fn segment(text: &[u8], at: usize) -> Range<usize> {
    let is_end = |&byte: &u8| is_separator(byte);
    let start = text[..at].iter().rposition(is_end).map_or(0, |before| before + 1);
    let end = text[at..].iter().position(is_end).map_or(text.len(), |behind| at + behind + 1);
    start..end
}

/// Returns the segments of a line that have other words once escapes are undone.
pub(super) fn changed_segments(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while let Some(backslash) = memchr::memchr(b'\\', &line[at..]).map(|next| at + next) {
            let len = escape_len(&line[backslash..]);
            if changes_words(&line[backslash..], len) {
                let segment = segment(line, backslash);
                at = segment.end;
                return Some(&line[segment]);
            }
            at = backslash + len;
        }
        None
    })
}

/// Returns a text with its escapes undone once and, if escapes are left in it, twice.
pub fn undone(text: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let once = |text: &[u8]| {
        memchr::memchr(b'\\', text)?;
        let mut undone = Vec::with_capacity(text.len());
        undo(text, &mut undone);
        Some(undone)
    };
    std::iter::successors(once(text), move |text| once(text)).take(DEPTH)
}

/// Adds a text with its escapes undone to `out`.
pub(super) fn undo(text: &[u8], out: &mut Vec<u8>) {
    let mut undoing = Undoing::default();
    undoing.take(text, true, out);
}

/// Undoes the escapes of a text that comes in pieces.
#[derive(Clone, Debug, Default)]
pub struct Undoing {
    /// The start of an escape that may go on in the next piece.
    open: Vec<u8>,
    /// Whether the text so far ends with the blank of an escape.
    ends_blank: bool,
}

impl Undoing {
    /// Adds the undone text of the next piece to `out`.
    pub fn add(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut text = std::mem::take(&mut self.open);
        text.extend_from_slice(piece);
        let taken = self.take(&text, false, out);
        self.open = text.split_off(taken);
    }

    /// Adds what is left at the end.
    pub fn end(&mut self, out: &mut Vec<u8>) {
        let text = std::mem::take(&mut self.open);
        self.take(&text, true, out);
    }

    /// Undoes a text and returns how much of it that was: all, or up to an escape that may go on.
    fn take(&mut self, text: &[u8], is_end: bool, out: &mut Vec<u8>) -> usize {
        each_part(text, is_end, &mut self.ends_blank, |part| match part {
            Part::Same(range) => out.extend_from_slice(&text[range]),
            Part::Escape(character, _) => {
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Part::Blank(_) => out.push(b' '),
        })
    }
}

/// A text with its escapes undone, and where each of its bytes comes from.
pub struct Traced {
    /// The text.
    pub text: Vec<u8>,
    /// Where each byte of the text begins in the original, and where the original ends.
    starts: Vec<usize>,
}

impl Traced {
    /// Returns a text with its escapes undone, as [`undone`] does.
    pub fn readings(text: &[u8]) -> impl Iterator<Item = Self> {
        let undone = |traced: &Self| memchr::memchr(b'\\', &traced.text).map(|_| traced.undone());
        let first = memchr::memchr(b'\\', text).map(|_| {
            let starts = (0..=text.len()).collect();
            Self { text: text.to_vec(), starts }.undone()
        });
        std::iter::successors(first, undone).take(DEPTH)
    }

    fn undone(&self) -> Self {
        let mut undone = Self { text: Vec::new(), starts: Vec::new() };
        each_part(&self.text, true, &mut false, |part| match part {
            Part::Same(range) => {
                undone.text.extend_from_slice(&self.text[range.clone()]);
                undone.starts.extend_from_slice(&self.starts[range]);
            }
            Part::Escape(character, at) => {
                undone.text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                undone.starts.resize(undone.text.len(), self.starts[at]);
            }
            Part::Blank(at) => {
                undone.text.push(b' ');
                undone.starts.push(self.starts[at]);
            }
        });
        undone.starts.extend(self.starts.last());
        undone
    }

    /// Returns the stretch of the original that a stretch of the text comes from.
    pub fn origin(&self, range: &Range<usize>) -> Range<usize> {
        self.starts[range.start]..self.starts[range.end]
    }
}

/// A part of a text whose escapes are undone.
enum Part {
    /// Bytes that stay.
    Same(Range<usize>),
    /// An escape of a character, and where it begins.
    Escape(char, usize),
    /// Escapes of white space, and where the first begins.
    Blank(usize),
}

/// Calls `found` with each part of a text; returns where it stopped: at the end, or, if the text may go on, at an escape that
/// may. `ends_blank` says whether a blank came last, before and after.
fn each_part(text: &[u8], is_end: bool, ends_blank: &mut bool, mut found: impl FnMut(Part)) -> usize {
    let mut at = 0;
    while let Some(backslash) = memchr::memchr(b'\\', &text[at..]).map(|next| at + next) {
        if backslash > at {
            found(Part::Same(at..backslash));
            *ends_blank = false;
        }
        let rest = &text[backslash..];
        if !is_end && may_go_on(rest) {
            return backslash;
        }
        let (character, len) = unescape_one(rest);
        at = backslash + len;
        match character {
            Some('\u{8}'..='\r') if std::mem::replace(ends_blank, true) => {}
            Some('\u{8}'..='\r') => found(Part::Blank(backslash)),
            Some(character) => {
                *ends_blank = false;
                found(Part::Escape(character, backslash));
            }
            None => {
                *ends_blank = false;
                found(Part::Same(backslash..at));
            }
        }
    }
    if at < text.len() {
        found(Part::Same(at..text.len()));
        *ends_blank = false;
    }
    text.len()
}

/// Whether the escape at the start of `rest` may go on after it, or the next one belong to it.
fn may_go_on(rest: &[u8]) -> bool {
    let begins = |rest: &[u8]| match rest {
        [] | [b'\\'] => true,
        [b'\\', b'u', digits @ ..] => digits.len() < 4 && digits.iter().all(u8::is_ascii_hexdigit),
        _ => false,
    };
    let is_first_surrogate =
        matches!(rest, [b'\\', b'u', b'd' | b'D', b'8'..=b'9' | b'a'..=b'b' | b'A'..=b'B', ..]);
    rest.len() < MAX_BYTES
        && (begins(rest) || is_first_surrogate && escape_len(rest) == 6 && begins(&rest[6..]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn once(text: &str) -> String {
        let mut out = Vec::new();
        undo(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn escapes_become_what_they_stand_for_and_white_space_a_blank() {
        for (text, expected) in [
            (r"M\u00fcller \u00FC \ud83d\ude00", "Müller ü 😀"),
            (r#"say \"hi\" a\/b \u003cb\u003e C:\\x"#, r#"say "hi" a/b <b> C:\x"#),
            (r"failed\r\n\tat x\u000ay\n z", "failed at x y  z"),
            (r"\ud83d! \q \u12 \", "\u{fffd}! \\q \\u12 \\"),
            ("a\tb", "a\tb"),
        ] {
            assert_eq!(once(text), expected, "{text}");
        }
        let readings: Vec<_> = undone(br#"{\"msg\":\"M\\u00fcller\"}"#).collect();
        assert_eq!(readings, [br#"{"msg":"M\u00fcller"}"#.to_vec(), r#"{"msg":"Müller"}"#.into()]);
        assert_eq!(undone(b"plain").count(), 0);
    }

    proptest! {
        /// Where a text is cut does not matter, and each byte knows the part of the original it comes from.
        #[test]
        fn pieces_are_undone_as_the_whole(
            text in r"(a|\\|\\n|\\u00e9|\\ud83d|\\ude00|u|n|0|d83d| |é){0,24}",
            size in 1_usize..9,
        ) {
            let text = text.as_bytes();
            let (mut whole, mut pieces, mut undoing) = (Vec::new(), Vec::new(), Undoing::default());
            undo(text, &mut whole);
            text.chunks(size).for_each(|piece| undoing.add(piece, &mut pieces));
            undoing.end(&mut pieces);
            prop_assert_eq!(&pieces, &whole);
            let Some(traced) = Traced::readings(text).next() else { return Ok(()) };
            prop_assert_eq!(&traced.text, &whole);
            for at in (0..traced.text.len()).filter(|&at| traced.text[at].is_ascii()) {
                let origin = &text[traced.origin(&(at..at + 1))];
                let again = once(std::str::from_utf8(origin).unwrap());
                prop_assert_eq!(again.as_bytes(), &traced.text[at..=at]);
            }
        }
    }
}
