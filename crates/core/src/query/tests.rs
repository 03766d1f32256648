//! The two readings of an expression against each other.

mod escapes;
mod language;

use proptest::prelude::*;

use super::regex::Pattern;
use super::{Expr, Facts, Need, Pieces};
use crate::model::Level;
use crate::parse::{ParseSettings, Parser};
use crate::words::grams::{self, is_sampled};
use crate::words::{BlockWords, each_word, folded};

/// Whether the expression holds for a line that stands alone.
fn matches(expr: &Expr, line: &[u8]) -> bool {
    with_facts(line, |facts| expr.holds(line, facts))
}

fn with_facts<T>(line: &[u8], ask: impl FnOnce(&mut Facts<'_>) -> T) -> T {
    let mut parser = Parser::new(&ParseSettings::default(), None);
    let level = parser.parse_alone(line, false).map(|event| event.level).unwrap_or_default();
    ask(&mut Facts { level, group: None, head: line, is_cut: false, parser: &mut parser })
}

/// Whether a block of these words and lines of this level may hold a match, by a naive reading of the need.
fn holds(need: &Need, words: &BlockWords, level: Level) -> bool {
    let some = |test: &dyn Fn(&[u8]) -> bool| words.known().iter().any(|word| test(word));
    let filter = (!words.grams.is_empty()).then(|| words.grams.filter(1 << 16));
    let sampled = |part: &[u8], begins, ends| {
        filter.as_ref().is_some_and(|filter| grams::Part::new(part, begins, ends).may_be_in(filter))
    };
    match need {
        Need::Anything => true,
        Need::Word(word) if is_sampled(word) => sampled(word, true, true),
        Need::Word(word) => some(&|held| held == word.as_slice()),
        Need::Prefix(part) => some(&|held| held.starts_with(part)) || sampled(part, true, false),
        Need::Suffix(part) => some(&|held| held.ends_with(part)) || sampled(part, false, true),
        Need::Inner(part) => {
            some(&|held| held.windows(part.len()).any(|window| window == part.as_slice()))
                || sampled(part, false, false)
        }
        Need::UnicodeEscape => words.has_unicode_escape,
        Need::Levels(levels) => levels & level.bit() != 0,
        Need::All(needs) => needs.iter().all(|need| holds(need, words, level)),
        Need::Any(needs) => needs.iter().any(|need| holds(need, words, level)),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Whatever is cut out of a line is required of no block that the line is not in.
    #[test]
    fn a_needle_cut_from_a_line_never_rules_the_line_out(
        line in r#"([a-fuUnNtZ0-9_]|\\|["\\/bfnrtu]|\\u[0-9a-f]{0,4}|[ .:-]|é){0,40}"#,
        from in 0usize..200,
        len in 0usize..60,
    ) {
        let bytes = line.as_bytes();
        let from = from.min(bytes.len());
        let needle = &bytes[from..(from + len).min(bytes.len())];
        let mut words = BlockWords::default();
        words.add_line(bytes);
        let expr = Expr::fixed([needle]).unwrap();
        prop_assert_eq!(expr.judge(bytes), Some(true));
        prop_assert!(holds(&expr.need(), &words, Level::Unknown), "{:?} in {:?}", expr.need(), line);
    }
}

/// Letters in several cases and of all lengths, marks, what stands between, and parts of characters.
const PIECES: [&[u8]; 34] = [
    b"a",
    b"K",
    b"s",
    b"S",
    b"n",
    b"7",
    b"_",
    b" ",
    b".",
    b"\\",
    b"\\n",
    b"\\u00e9",
    b"u00",
    b"\"",
    b"\x80",
    b"\xc3",
    b"\xe2\x80",
    b"\xf0\x9f",
    b"\xff",
    "é".as_bytes(),
    "É".as_bytes(),
    "\u{212a}".as_bytes(),
    "ſ".as_bytes(),
    "Σ".as_bytes(),
    "ς".as_bytes(),
    "İ".as_bytes(),
    "Ⱥ".as_bytes(),
    "\u{301}".as_bytes(),
    "\u{fe0f}".as_bytes(),
    "’".as_bytes(),
    "→".as_bytes(),
    "字".as_bytes(),
    "😀\u{200d}".as_bytes(),
    "𐐀".as_bytes(),
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// The same of lines in any language, cut in the middle of a character as well; and of the words in them.
    #[test]
    fn no_need_rules_out_a_line_of_any_language(
        pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..16),
        from in any::<prop::sample::Index>(),
        len in 0usize..24,
    ) {
        let line = pieces.concat();
        let from = from.index(line.len() + 1);
        let needle = &line[from..(from + len).min(line.len())];
        let mut words = BlockWords::default();
        words.add_line(&line);
        let mut exprs = vec![Expr::fixed([needle]).unwrap(), Expr::fixed_ignoring_case([needle]).unwrap()];
        if let Ok(text) = std::str::from_utf8(needle) && !text.is_empty() {
            let pattern = regex::escape(text);
            exprs.extend(Pattern::new(&pattern, false).map(Expr::from));
            exprs.extend(Pattern::new(&pattern, true).map(Expr::from));
            exprs.extend(Pattern::new(&text.to_uppercase(), true).map(Expr::from).ok().filter(|expr| matches(expr, &line)));
        }
        each_word(&line, |start, end| {
            let word = String::from_utf8(line[start..end].to_vec()).unwrap();
            let first: String = word.chars().take(1).collect();
            for text in [folded(word.as_bytes()), word.clone().into_bytes()] {
                exprs.push(Expr::Word(text));
            }
            for text in [folded(first.as_bytes()), first.into_bytes()] {
                exprs.push(Expr::Prefix(text));
            }
        });
        for expr in exprs {
            prop_assert_eq!(expr.judge(&line), Some(true), "{:?} in {:?}", expr, line.escape_ascii().to_string());
            prop_assert!(holds(&expr.need(), &words, Level::Unknown), "{:?} in {:?}", expr, line.escape_ascii().to_string());
        }
    }
}

#[test]
fn inner_pieces_are_whole_words() {
    let need = Expr::fixed([b"rder 4711: no sto".as_slice()]).unwrap().need();
    let expected = Need::all([
        Need::Word(b"4711".to_vec()),
        Need::Word(b"no".to_vec()),
        Need::Suffix(b"rder".to_vec()),
        Need::Prefix(b"sto".to_vec()),
    ]);
    // `r` may end an escape `\r`: then `der` begins a word.
    let escaped = Need::all([
        Need::Word(b"der".to_vec()),
        Need::Word(b"4711".to_vec()),
        Need::Word(b"no".to_vec()),
        Need::Prefix(b"sto".to_vec()),
    ]);
    assert_eq!(need, Need::any([expected, escaped]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// A line in pieces is the same line, wherever it is cut.
    #[test]
    fn pieces_say_what_the_whole_line_says(
        line in r"(ab|a|b|\\n|\\u00e9|\\u005c|\\u0061|\\|u|n| |:|é){0,60}",
        sizes in prop::collection::vec(1_usize..9, 1..6),
        needles in prop::collection::vec(r"(a|b|ab|n| |\\){1,6}", 1..3),
        word in "[abnu0-9]{1,4}",
        negated in any::<bool>(),
    ) {
        let mut terms = vec![Expr::Word(word.into_bytes())];
        terms.extend(needles.iter().map(|needle| Expr::fixed([needle.as_bytes()]).unwrap()));
        terms.extend(needles.iter().map(|needle| Expr::phrase(needle.as_bytes())));
        let last = terms.pop().unwrap();
        terms.push(if negated { Expr::Not(Box::new(last)) } else { last });
        for expr in [Expr::And(terms.clone()), Expr::Or(terms)] {
            let mut pieces = Pieces::new(&expr);
            let (mut rest, mut turn) = (line.as_bytes(), 0);
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(sizes[turn % sizes.len()].min(rest.len()));
                pieces.add(piece);
                (rest, turn) = (behind, turn + 1);
            }
            let line = line.as_bytes();
            let seen = with_facts(line, |facts| pieces.end(line, facts));
            prop_assert_eq!(seen, matches(&expr, line));
        }
    }
}
