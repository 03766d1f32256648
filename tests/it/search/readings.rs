//! Words and phrases are found however a writer of JSON escaped them, also in JSON that is a string of other JSON: with the
//! index, without it, and by a reading of each line that shares nothing with gzette's own.

use std::sync::LazyLock;

use gzette::flows::search::Request;
use gzette_core::query::Expr;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index as Pick, select};
use regex::Captures;
use regex::bytes::Regex;

use super::Shelf;
use crate::support::{Project, lines_of};

/// A run of white space, any other escape.
static ESCAPES: LazyLock<Regex> = LazyLock::new(|| {
    let white = r"(?P<white>(?:\\[bfnrt]|\\u00(?:0[89]|0[a-dA-D]))+)";
    let others = r#"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\["\\/]"#;
    Regex::new(&format!("{white}|{others}")).unwrap()
});
static WORDS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"[\p{Alphabetic}\p{N}_][\p{Alphabetic}\p{N}\p{M}_]*").unwrap());

/// Returns the readings of a line that has escapes: with them undone once, and if any are left, twice.
pub(super) fn undone(line: &[u8]) -> Vec<Vec<u8>> {
    let once = |line: &[u8]| {
        let stands_for = |found: &regex::bytes::Captures<'_>| -> Vec<u8> {
            if found.name("white").is_some() {
                return b" ".to_vec();
            }
            let string = [b"\"", &found[0], b"\""].concat();
            serde_json::from_slice::<String>(&string).map_or("\u{fffd}".into(), String::into_bytes)
        };
        ESCAPES.replace_all(line, stands_for).into_owned()
    };
    let first = once(line);
    if first.contains(&b'\\') { vec![once(&first), first] } else { vec![first] }
}

/// Returns the words of a text in which nothing is an escape, folded.
pub(super) fn plain_words(text: &[u8]) -> Vec<String> {
    WORDS.find_iter(text).map(|word| String::from_utf8(word.as_bytes().to_vec()).unwrap()).collect()
}

/// Returns the words of a line in all its readings.
fn words(line: &[u8]) -> Vec<String> {
    let standing = ESCAPES.replace_all(line, &b" "[..]).into_owned();
    undone(line).iter().chain([&standing]).flat_map(|reading| plain_words(reading)).collect()
}

/// Returns a text as a phrase names it: with a blank for line breaks and tabs.
pub(super) fn named(text: &str) -> String {
    static WHITE: LazyLock<regex::Regex> = LazyLock::new(|| regex::Regex::new(r"[\x08-\r]+").unwrap());
    WHITE.replace_all(text, " ").into_owned()
}

fn has_phrase(line: &[u8], phrase: &str) -> bool {
    let has = |text: &[u8], phrase: &str| memchr::memmem::find(text, phrase.as_bytes()).is_some();
    has(line, phrase)
        || undone(line).iter().any(|reading| has(reading, phrase) || has(reading, &named(phrase)))
}

/// Escapes what a style of JSON escapes besides what it must, in digits of its case.
fn string(text: &str, (extra, is_upper): (&str, bool)) -> String {
    let extra = regex::Regex::new(extra).unwrap();
    let minimal = serde_json::to_string(text).unwrap();
    let digits = |found: &Captures<'_>| {
        let escape = |unit: &u16| if is_upper { format!("\\u{unit:04X}") } else { format!("\\u{unit:04x}") };
        if &found[0] == "/" {
            "\\/".to_owned()
        } else {
            found[0].encode_utf16().collect::<Vec<_>>().iter().map(escape).collect()
        }
    };
    extra.replace_all(&minimal, digits).into_owned()
}

/// serde, Jackson; Python; .NET; Go; Gson; PHP.
const STYLES: [(&str, bool); 6] = [
    ("x^", false),
    (r"[^\x00-\x7f]", false),
    (r"[^\x00-\x7f]", true),
    (r"[<>&\u2028\u2029]", false),
    (r"[<>&='\u2028\u2029]", false),
    (r"[^\x00-\x7f]|/", false),
];

const PARTS: [&str; 30] = [
    "Müller",
    "MÜLLER",
    "order",
    "border",
    "Ошибка",
    "n",
    "tab",
    "4711",
    "é",
    "e\u{301}",
    "字段",
    "😀",
    " ",
    " ",
    " ",
    " ",
    "\n",
    "\t",
    "\r\n",
    "\"",
    "\\",
    "/",
    "<b>",
    "&",
    "C:\\new",
    "\u{2028}",
    "-",
    "u00e9",
    "\\n",
    "\\u00e9",
];

fn line() -> impl Strategy<Value = String> {
    let text = vec(select(&PARTS[..]), 0..8).prop_map(|parts| parts.concat());
    (text, select(&STYLES[..]), select(&STYLES[..]), 0..4).prop_map(|(text, inner, outer, form)| match form {
        0 => format!("plain {}", named(&text)),
        1 => format!(r#"{{"log":{}}}"#, string(&format!(r#"{{"m":{}}}"#, string(&text, inner)), outer)),
        _ => format!(r#"{{"m":{}}}"#, string(&text, inner)),
    })
}

/// A search and what finds the same lines without gzette.
type Asked = (String, Expr, Box<dyn Fn(&[u8]) -> bool>);

/// What is asked: a word, its beginning, and a phrase, all from some reading of a line, and the opposite of each.
fn asked(line: &[u8], picks: [Pick; 4]) -> Vec<Asked> {
    let mut asked: Vec<Asked> = Vec::new();
    let words_of_line = words(line);
    if !words_of_line.is_empty() {
        let word = picks[0].get(&words_of_line);
        let letters = 1 + picks[1].index(word.chars().count());
        let start: String = word.chars().take(letters).collect();
        for (text, pattern) in
            [(word.clone(), format!("(?i)^(?:{word})$")), (format!("{start}*"), format!("(?i)^(?:{start})"))]
        {
            let same = regex::Regex::new(&pattern).unwrap();
            let expr = Expr::parse(&text).unwrap();
            asked.push((
                text,
                expr,
                Box::new(move |line| words(line).iter().any(|word| same.is_match(word))),
            ));
        }
    }
    let mut readings = undone(line);
    readings.push(line.to_vec());
    let reading = String::from_utf8_lossy(picks[0].get::<Vec<u8>>(&readings)).into_owned();
    let ends: Vec<usize> = reading.char_indices().map(|(at, _)| at).chain([reading.len()]).collect();
    let (a, b) = (*picks[2].get(&ends), *picks[3].get(&ends));
    let phrase = reading[a.min(b)..a.max(b)].to_owned();
    let quoted = format!("\"{}\"", phrase.replace('\\', "\\\\").replace('"', "\\\""));
    let expr = Expr::parse(&quoted).unwrap();
    asked.push((quoted, expr, Box::new(move |line| has_phrase(line, &phrase))));
    let negated = asked.pop().map(|(text, expr, holds)| {
        let not: Asked =
            (format!("NOT {text}"), Expr::Not(Box::new(expr.clone())), Box::new(move |line| !holds(line)));
        not
    });
    asked.extend(negated);
    asked
}

fn agrees(shelf: &Shelf, (text, expr, holds): &Asked) -> Result<(), TestCaseError> {
    let lines = shelf.held.values().flat_map(|text| lines_of(text));
    let mut expected: Vec<_> = lines.filter(|line| holds(line)).collect();
    expected.sort();
    let request = Request::new(expr.clone());
    let counted = shelf.search(&Request { count_only: true, ..request.clone() }).1.hits;
    prop_assert_eq!(counted, expected.len() as u64, "count of {}", text);
    for (index, how) in [(shelf.index(), "with the index"), (None, "without it")] {
        let (hits, _) = shelf.search_with(index.as_ref(), &request);
        let mut found: Vec<_> = hits.into_iter().map(|hit| hit.raw).collect();
        found.sort();
        prop_assert!(found == expected, "{} {}: {} lines and not {}", text, how, found.len(), expected.len());
    }
    Ok(())
}

#[test]
fn words_and_phrases_are_found_however_json_escaped_them() {
    let config =
        ProptestConfig { cases: 4, failure_persistence: None, max_shrink_iters: 60, ..Default::default() };
    let probe = (any::<Pick>(), any::<[Pick; 4]>());
    proptest!(config, |(lines in vec(line(), 150..250), probes in vec(probe, 8))| {
        let mut shelf = Shelf::new();
        shelf.put("api/20260301/pod.gz", lines.join("\n").as_bytes(), 2);
        shelf.take_in();
        for (line, picks) in probes {
            for asked in asked(line.get(&lines).as_bytes(), picks) {
                agrees(&shelf, &asked)?;
            }
        }
    });
}

/// None of the lines with escapes was found.
#[test]
fn a_search_finds_what_the_event_says() {
    const LINES: [&str; 9] = [
        "Müller says hi",
        r#"{"msg":"M\u00fcller"}"#,
        r#"{"msg":"M\u00FCLLER \ud83d\ude00"}"#,
        r#"{"log":"{\"msg\":\"M\\u00fcller\"}\n"}"#,
        r#"{"msg":"say \"hi\""}"#,
        r#"{"msg":"GET \/a\/b \u003cb\u003e"}"#,
        r#"{"msg":"failed\r\n\tat com.acme.Pay"}"#,
        r#"{"log":"{\"msg\":\"failed\\nCaused by: x\"}"}"#,
        r#"{"message":"{\"message\":\"{\\\"who\\\":\\\"M\\\\u00fcller\\\"}\"}"}"#,
    ];
    let project = Project::new();
    project.put("api/20260301/pod.gz", LINES.join("\n"));
    project.gzette("run").exits(0);
    let found = |args: &[&str]| -> Vec<usize> {
        let outcome = project.gzette_with(&[&["search", "-q"], args].concat()).exits(0);
        let number = |line: &str| LINES.iter().position(|known| *known == line).unwrap();
        outcome.text().lines().map(number).collect()
    };
    for (args, expected) in [
        (&["müller"][..], &[0, 1, 2, 3][..]),
        (&["mül*"], &[0, 1, 2, 3]),
        (&["\"Müller\""], &[0, 1, 3]),
        (&["NOT müller"], &[4, 5, 6, 7, 8]),
        (&["msg:Müller"], &[1, 2, 3]),
        (&["who:Müller"], &[8]),
        (&["log:Müller"], &[3]),
        (&["\"😀\""], &[2]),
        (&[r#""say \"hi\"""#], &[4]),
        (&["/a/b"], &[5]),
        (&["<b>"], &[5]),
        (&["\"failed at com.acme\""], &[6]),
        (&["caused"], &[7]),
        (&["\"failed Caused by\""], &[7]),
        (&["--fixed", "Müller"], &[0]),
        (&["--fixed", r"M\u00fcller"], &[1]),
        (&[r"/M\\u00fcller/"], &[1]),
        (&["/Müller/"], &[0]),
    ] {
        assert_eq!(found(args), expected, "{args:?}");
    }
}
