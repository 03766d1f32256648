//! Words of any language: the index finds what an independent reading of each line finds.

use std::sync::LazyLock;

use gzette::flows::search::Request;
use gzette_core::query::Expr;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index as Pick, select};
use regex::bytes::Regex;

use super::Shelf;
use super::readings::{plain_words, undone};
use crate::support::{Project, lines_of};

/// The parts of lines: words between characters that are not letters, letters in several cases, marks, scripts without
/// spaces, characters of four bytes, escapes, and bytes that are not UTF-8.
const PIECES: [&[u8]; 44] = [
    b"basket",
    b"Basket",
    b"disk",
    b"DISK",
    b"order_7",
    b"42",
    b" ",
    b" ",
    b" ",
    b"-",
    b"\\n",
    b"\\u00e9",
    b"\\",
    b"\"",
    b"\xff",
    b"\xe2\x80",
    b"\x99",
    b"\xf0\x9f\x98",
    "‘".as_bytes(),
    "’".as_bytes(),
    "“".as_bytes(),
    "—".as_bytes(),
    "…".as_bytes(),
    "→".as_bytes(),
    "Ошибка".as_bytes(),
    "ошибка".as_bytes(),
    "ΟΔΟΣ".as_bytes(),
    "οδος".as_bytes(),
    "İ".as_bytes(),
    "ı".as_bytes(),
    "\u{212a}".as_bytes(),
    "ſ".as_bytes(),
    "straße".as_bytes(),
    "ＡＢ".as_bytes(),
    "ａｂ".as_bytes(),
    "字段".as_bytes(),
    "。".as_bytes(),
    "é".as_bytes(),
    "e\u{301}".as_bytes(),
    "\u{301}".as_bytes(),
    "⚠\u{fe0f}".as_bytes(),
    "👩\u{200d}🚀".as_bytes(),
    "𐐀𐐨".as_bytes(),
    "नमस्ते".as_bytes(),
];

/// An escape, or a word.
static WORDS: LazyLock<Regex> = LazyLock::new(|| {
    let pattern = r#"\\u[0-9a-fA-F]{4}|\\["\\/bfnrt]|[\p{Alphabetic}\p{N}_][\p{Alphabetic}\p{N}\p{M}_]*"#;
    Regex::new(pattern).unwrap()
});

fn line() -> impl Strategy<Value = Vec<u8>> {
    // An unassigned character may be a letter to one of the two readings.
    let assigned = Regex::new(r"^[^\n\p{Cn}]$").unwrap();
    let letter = any::<char>().prop_map(|letter| letter.to_string().into_bytes());
    let letter = letter.prop_filter("assigned", move |letter| assigned.is_match(letter));
    let piece = prop_oneof![12 => select(&PIECES[..]).prop_map(<[u8]>::to_vec), 1 => letter];
    vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

/// Whether a line is one of those.
type Holds = Box<dyn Fn(&[u8]) -> bool>;

/// A search and what finds the same lines without gzette.
struct Asked {
    what: String,
    expr: Expr,
    holds: Holds,
}

/// Returns the words of a line as it stands, and with its escapes undone.
fn words(line: &[u8]) -> Vec<String> {
    let found = WORDS.find_iter(line).filter(|found| !found.as_bytes().starts_with(b"\\"));
    let standing = found.map(|found| String::from_utf8(found.as_bytes().to_vec()).unwrap());
    standing.chain(undone(line).iter().flat_map(|reading| plain_words(reading))).collect()
}

/// A word, or its beginning, in another case than it stands there.
fn by_word(word: &str, is_prefix: bool) -> Asked {
    let end = if is_prefix { "" } else { "$" };
    let same = Regex::new(&format!("(?i)^(?:{}){end}", regex::escape(word))).unwrap();
    let text = if is_prefix { format!("{word}*") } else { word.to_owned() };
    Asked {
        expr: Expr::parse(&text).unwrap(),
        what: text,
        holds: Box::new(move |line| words(line).iter().any(|word| same.is_match(word.as_bytes()))),
    }
}

fn by_pattern(pattern: &str, ignores_case: bool) -> Asked {
    let same = Regex::new(&format!("(?{}:{pattern})", if ignores_case { "i" } else { "s" })).unwrap();
    let text = format!("/{}/{}", pattern.replace('/', "\\/"), if ignores_case { "i" } else { "" });
    let expr = Expr::parse(&text).unwrap();
    Asked { what: text, expr, holds: Box::new(move |line| same.is_match(line)) }
}

fn by_bytes(needle: &[u8]) -> Asked {
    let finder = memchr::memmem::Finder::new(needle).into_owned();
    Asked {
        what: format!("`{}`", needle.escape_ascii()),
        expr: Expr::fixed([needle]).unwrap(),
        holds: Box::new(move |line| finder.find(line).is_some()),
    }
}

/// The searches made from a line: its words in other cases, their beginnings, and stretches cut at any byte.
fn asked(line: &[u8], picks: [Pick; 3], length: usize) -> Vec<Asked> {
    let mut asked = Vec::new();
    let words: Vec<String> =
        words(line).into_iter().filter(|word| !["AND", "OR", "NOT"].contains(&word.as_str())).collect();
    if !words.is_empty() {
        let word = picks[0].get(&words);
        let single = |mapped: String| {
            if mapped.chars().count() == word.chars().count() { mapped } else { word.clone() }
        };
        asked.extend([word.clone(), single(word.to_uppercase())].map(|word| by_word(&word, false)));
        let letters = 1 + picks[1].index(word.chars().count());
        asked.push(by_word(&word.chars().take(letters).collect::<String>(), true));
    }
    let from = picks[2].index(line.len() + 1);
    let needle = &line[from..(from + length).min(line.len())];
    asked.push(by_bytes(needle));
    if let (Ok(text), false) = (std::str::from_utf8(needle), needle.is_empty()) {
        asked.extend([false, true].map(|ignores_case| by_pattern(&regex::escape(text), ignores_case)));
    }
    asked
}

fn agrees(shelf: &Shelf, asked: &Asked) -> Result<(), TestCaseError> {
    let lines = shelf.held.values().flat_map(|text| lines_of(text));
    let mut expected: Vec<_> = lines.filter(|line| (asked.holds)(line)).collect();
    expected.sort();
    let (hits, _) = shelf.search(&Request::new(asked.expr.clone()));
    let mut found: Vec<_> = hits.into_iter().map(|hit| hit.raw).collect();
    found.sort();
    prop_assert!(found == expected, "{}: {} lines and not {}", asked.what, found.len(), expected.len());
    Ok(())
}

#[test]
fn the_index_finds_words_phrases_and_patterns_of_any_language() {
    let config =
        ProptestConfig { cases: 6, failure_persistence: None, max_shrink_iters: 100, ..Default::default() };
    let probe = (any::<Pick>(), any::<[Pick; 3]>(), 1..20_usize);
    proptest!(config, |(lines in vec(line(), 200..300), probes in vec(probe, 10))| {
        let mut shelf = Shelf::new();
        shelf.put("api/20260301/pod.gz", &lines.join(&b'\n'), 2);
        shelf.take_in();
        for (line, picks, length) in probes {
            for asked in asked(line.get::<Vec<u8>>(&lines), picks, length) {
                agrees(&shelf, &asked)?;
            }
        }
    });
}

/// Lines of words, ids, and tokens of up to 700 letters: hex, base64 in both alphabets, URL-encoded.
fn token_line() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        "[0-9a-f]{8,90}",
        "[0-9A-F]{65,300}",
        "[A-Za-z0-9+/]{20,700}={0,2}",
        r"eyJ[A-Za-z0-9_-]{30,90}\.[A-Za-z0-9_-]{20,300}\.[A-Za-z0-9_-]{43}",
        "[0-9A-HJKMNP-TV-Z]{26}",
        "(%[0-9A-F]{2}|[a-z0-9]{1,9}){10,60}",
        "[a-z]{60,80}",
    ];
    let piece = prop_oneof![2 => "[a-z]{2,9}", 1 => "[0-9]{1,6}", 1 => token];
    vec(piece, 1..8).prop_map(|pieces| pieces.join(" ").into_bytes())
}

/// Long words and those that look random are known by samples of their parts alone.
#[test]
fn tokens_are_found_by_any_part() {
    let config =
        ProptestConfig { cases: 4, failure_persistence: None, max_shrink_iters: 50, ..Default::default() };
    let probe = (any::<Pick>(), any::<[Pick; 3]>(), 1..60_usize);
    proptest!(config, |(lines in vec(token_line(), 300..400), probes in vec(probe, 20))| {
        let mut shelf = Shelf::new();
        shelf.put("api/20260301/pod.gz", &lines.join(&b'\n'), 2);
        shelf.take_in();
        for (line, picks, length) in probes {
            for asked in asked(line.get::<Vec<u8>>(&lines), picks, length) {
                agrees(&shelf, &asked)?;
            }
        }
    });
}

/// None of these words was found: every byte of a quotation mark, a dash or an arrow counted as a letter.
#[test]
fn words_beside_quotation_marks_dashes_and_arrows_are_found() {
    let project = Project::new();
    let text = "‘basket’ — timeout… “refused” order→shipped\nОшибка сети\nплохая ошибка⚠\u{fe0f}disk\n";
    project.put("api/20260301/pod.gz", text);
    project.gzette("run").exits(0);
    let found = |expr: &str| project.gzette_with(&["search", "-q", expr]).exits(0).text();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for word in ["basket", "timeout", "refused", "order", "Shipped", "ship*", "“refused”", "order→shipped"]
    {
        assert_eq!(found(word), lines[0], "{word}");
    }
    for (expr, expected) in [
        ("ошибка", lines[1..].concat()),
        ("ОШИ*", lines[1..].concat()),
        ("/ОШИБКА с/i", lines[1].to_owned()),
        ("disk", lines[2].to_owned()),
        ("сет", String::new()),
    ] {
        assert_eq!(found(expr), expected, "{expr}");
    }
}
