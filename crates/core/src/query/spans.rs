//! Finds the texts of an expression in a line, to mark them on a terminal.

use std::ops::Range;

use super::Expr;
use super::phrase::Text;
use crate::words::escapes::Traced;
use crate::words::{each_word, is_same_word, plain_word_places, start_len};

/// Texts are searched in this many bytes of a line: more of it is not read on a terminal.
const MARKED_BYTES: usize = 64 << 10;

impl Expr {
    /// Returns the stretches of a line's beginning that words, phrases and regular expressions match which are not
    /// negated: in order, apart, and without a part of a character.
    pub fn spans(&self, line: &[u8]) -> Vec<Range<usize>> {
        let line = &line[..line.len().min(MARKED_BYTES)];
        let mut spans = Vec::new();
        self.add_spans(line, Text::Standing, &mut spans);
        for reading in Traced::readings(line) {
            let mut of_reading = Vec::new();
            self.add_spans(&reading.text, Text::Undone, &mut of_reading);
            spans.extend(of_reading.iter().map(|span| reading.origin(span)));
        }
        let is_within = |at: usize| line.get(at).is_some_and(|byte| byte & 0xc0 == 0x80);
        for span in &mut spans {
            while span.start > 0 && is_within(span.start) {
                span.start -= 1;
            }
            while is_within(span.end) {
                span.end += 1;
            }
        }
        spans.sort_unstable_by_key(|span| (span.start, span.end));
        spans.dedup_by(|next, span| {
            let meets = next.start <= span.end;
            span.end = if meets { span.end.max(next.end) } else { span.end };
            meets
        });
        spans
    }

    fn add_spans(&self, text: &[u8], kind: Text, spans: &mut Vec<Range<usize>>) {
        match self {
            Self::And(terms) | Self::Or(terms) => {
                for term in terms {
                    term.add_spans(text, kind, spans);
                }
            }
            Self::Word(word) => {
                add_words(text, kind, spans, |held| is_same_word(held, word).then_some(held.len()));
            }
            Self::Prefix(start) => add_words(text, kind, spans, |held| start_len(held, start)),
            Self::Phrase(phrase) => spans.extend(phrase.places(text, kind)),
            Self::Substring(finder) if kind == Text::Standing => {
                spans.extend(finder.find_iter(text).map(|at| at..at + finder.needle().len()));
            }
            Self::Regex(pattern) if kind == Text::Standing => spans.extend(pattern.matches(text)),
            _ => {}
        }
    }
}

/// Adds the beginnings of words, as long as `length` says, if it does.
fn add_words(
    text: &[u8],
    kind: Text,
    spans: &mut Vec<Range<usize>>,
    length: impl Fn(&[u8]) -> Option<usize>,
) {
    let mut add = |start: usize, end: usize| {
        spans.extend(length(&text[start..end]).map(|length| start..start + length));
    };
    if kind == Text::Standing {
        each_word(text, add);
    } else {
        plain_word_places(text).for_each(|place| add(place.start, place.end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line with brackets around the marked texts.
    fn marked(expr: &str, line: &str) -> String {
        let mut out = Vec::new();
        let mut at = 0;
        for span in Expr::parse(expr).unwrap().spans(line.as_bytes()) {
            assert!(at <= span.start && span.start < span.end && span.end <= line.len(), "{span:?}");
            out.extend_from_slice(&line.as_bytes()[at..span.start]);
            out.push(b'[');
            out.extend_from_slice(&line.as_bytes()[span.clone()]);
            out.push(b']');
            at = span.end;
        }
        out.extend_from_slice(&line.as_bytes()[at..]);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_was_asked_for_is_marked() {
        for (expr, line, expected) in [
            ("timeout", "Timeout, timeouts, timeout", "[Timeout], timeouts, [timeout]"),
            ("time*", "timeout at time 5", "[time]out at [time] 5"),
            (r#""time""#, "timetime Time", "[timetime] Time"),
            ("caused", r"at x\nCaused by", r"at x\n[Caused] by"),
            (r"/\d+/", "17 of 4711", "[17] of [4711]"),
            ("/x*/", "axxb", "a[xx]b"),
            ("a NOT b", "a c", "[a] c"),
            ("NOT b", "a b", "a b"),
            ("one OR (two three)", "three two one", "[three] [two] [one]"),
            (r#""abc" "cde""#, "abcde", "[abcde]"),
            ("level:error lost", "lost error", "[lost] error"),
            (r#""é""#, "café", "caf[é]"),
            ("refused", "say “Refused”… refused→", "say “[Refused]”… [refused]→"),
            ("ОШИ*", "«Ошибка» ошибка", "«[Оши]бка» [оши]бка"),
            ("ki*", "\u{212a}ilo kilo", "[\u{212a}i]lo [ki]lo"),
            ("level:error", "error", "error"),
            ("müller", r"von M\u00fcller, Müller", r"von [M\u00fcller], [Müller]"),
            ("MÜL*", r"\u004d\u00FCller", r"[\u004d\u00FCl]ler"),
            (r#""say \"hi\"""#, r#"{"m":"say \"hi\"!"}"#, r#"{"m":"[say \"hi\"]!"}"#),
            ("<b>", r"x \u003cb\u003e y", r"x [\u003cb\u003e] y"),
            ("a/b", r"a\/b a/b", r"[a\/b] [a/b]"),
            (r#""failed at x""#, r"it failed\n\tat x", r"it [failed\n\tat x]"),
            ("müller", r#"{\"m\":\"M\\u00fcller\"}"#, r#"{\"m\":\"[M\\u00fcller]\"}"#),
            (r"/M\\u00fc/", r"M\u00fcller", r"[M\u00fc]ller"),
            ("ü", r"\u00fcx \ud83d\ude00\u00fc", r"\u00fcx \ud83d\ude00[\u00fc]"),
        ] {
            assert_eq!(marked(expr, line), expected, "{expr}");
        }
    }

    #[test]
    fn half_a_character_is_marked_whole() {
        let needles: [&[u8]; 2] = [b"\xc3", b"\xa9"];
        for needle in needles {
            assert_eq!(Expr::fixed([needle]).unwrap().spans("é!".as_bytes()), [Range { start: 0, end: 2 }]);
        }
    }

    #[test]
    fn a_long_line_is_marked_at_its_beginning() {
        let line = vec![b'a'; 1 << 20];
        assert_eq!(Expr::fixed([&b"aa"[..]]).unwrap().spans(&line), [Range { start: 0, end: MARKED_BYTES }]);
    }
}
