//! Words and phrases are found however a writer of JSON escaped them, in JSON that is a string of JSON as well.

use proptest::prelude::*;

use super::{holds, matches};
use crate::model::Level;
use crate::query::{Expr, Pieces};
use crate::words::escapes::undone;
use crate::words::{BlockWords, plain_words};

/// How a writer of JSON escapes what it need not.
#[derive(Clone, Copy, Debug)]
enum Writer {
    /// Only what it must: serde, Jackson, Go without HTML.
    Minimal,
    /// All beyond ASCII, in lower case: Python.
    Ascii,
    /// The same in upper case: .NET, Gson's HTML-safe form of ASCII.
    AsciiUpper,
    /// `<`, `>`, `&`, U+2028: Go.
    Html,
    /// Slashes, too: PHP.
    Slashes,
    /// Everything.
    All,
}

const WRITERS: [Writer; 6] =
    [Writer::Minimal, Writer::Ascii, Writer::AsciiUpper, Writer::Html, Writer::Slashes, Writer::All];

/// Returns a string of JSON.
fn string(text: &str, writer: Writer) -> String {
    let mut out = String::from("\"");
    for character in text.chars() {
        let must = matches!(character, '"' | '\\' | '\0'..='\x1f');
        let short = "\"\\\n\r\t\x08\x0c".find(character).map(|at| &"\"\\nrtbf"[at..=at]);
        let is_escaped = match writer {
            Writer::Minimal => must,
            Writer::Ascii | Writer::AsciiUpper => must || !character.is_ascii(),
            Writer::Html => must || "<>&\u{2028}".contains(character),
            Writer::Slashes => must || !character.is_ascii() || character == '/',
            Writer::All => true,
        };
        match (is_escaped, short, writer) {
            (false, ..) => out.push(character),
            (true, Some(letter), Writer::Minimal | Writer::Ascii | Writer::Html | Writer::Slashes) => {
                out.push('\\');
                out.push_str(letter);
            }
            (true, None, Writer::Slashes) if character == '/' => out.push_str("\\/"),
            (true, ..) => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let digits = format!("{unit:04x}");
                    let is_upper = matches!(writer, Writer::AsciiUpper);
                    out.push_str("\\u");
                    out.push_str(&if is_upper { digits.to_uppercase() } else { digits });
                }
            }
        }
    }
    out + "\""
}

fn text() -> impl Strategy<Value = String> {
    const PARTS: [&str; 26] = [
        "Müller",
        "müller",
        "order",
        "n",
        "u00e9",
        "4711",
        "é",
        "e\u{301}",
        "字段",
        "😀",
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
        "C:\\new\\tmp",
        "\u{2028}",
        "-",
        "_",
        "\u{7f}",
    ];
    prop::collection::vec(prop::sample::select(&PARTS[..]), 0..8).prop_map(|parts| parts.concat())
}

/// Returns a text as a phrase names it: with a blank for line breaks and tabs.
fn named(text: &str) -> String {
    let is_blanked = |byte: &u8| matches!(byte, b'\x08'..=b'\r');
    let runs = text.as_bytes().chunk_by(|a, b| is_blanked(a) == is_blanked(b));
    let runs = runs.map(|run| if is_blanked(&run[0]) { b" " } else { run });
    String::from_utf8(runs.collect::<Vec<_>>().concat()).unwrap()
}

/// Whether the expression holds for a line by all ways of asking, which must agree.
fn is_found(expr: &Expr, line: &[u8], size: usize) -> Result<bool, TestCaseError> {
    let found = matches(expr, line);
    prop_assert_eq!(expr.judge(line), Some(found));
    prop_assert_eq!(matches(&Expr::Not(Box::new(expr.clone())), line), !found);
    let mut pieces = Pieces::new(expr);
    line.chunks(size).for_each(|piece| pieces.add(piece));
    prop_assert_eq!(super::with_facts(line, |facts| pieces.end(line, facts)), found);
    if found {
        let mut words = BlockWords::default();
        words.add_line(line);
        prop_assert!(holds(&expr.need(), &words, Level::Unknown), "{} needs {:?}", expr, expr.need());
        if let Some(mut places) = expr.places(line) {
            prop_assert!(places.next_from(0).is_some(), "{} has no place", expr);
        }
    }
    Ok(found)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    /// What a text holds is found in it, in JSON of it, and in JSON of that.
    #[test]
    fn the_words_and_phrases_of_a_text_are_found_in_json_of_it(
        text in text(),
        writers in [prop::sample::select(&WRITERS[..]), prop::sample::select(&WRITERS[..])],
        picks in any::<[prop::sample::Index; 2]>(),
        is_nested in any::<bool>(),
        size in 1_usize..30,
    ) {
        let mut line = format!("{{\"m\":{}}}", string(&text, writers[0]));
        if is_nested {
            line = format!("{{\"log\":{}}}", string(&line, writers[1]));
        }
        let named = named(&text);
        let ends: Vec<usize> = named.char_indices().map(|(at, _)| at).chain([named.len()]).collect();
        let (a, b) = (*picks[0].get(&ends), *picks[1].get(&ends));
        let words = plain_words(text.as_bytes()).map(|word| Expr::Word(word.to_vec()));
        let starts = plain_words(text.as_bytes()).filter_map(|word| {
            let first = std::str::from_utf8(word).ok()?.chars().next()?;
            Some(Expr::Prefix(first.to_string().into_bytes()))
        });
        let phrase = Expr::phrase(&named.as_bytes()[a.min(b)..a.max(b)]);
        for expr in words.chain(starts).chain([phrase]) {
            prop_assert!(is_found(&expr, line.as_bytes(), size)?, "{} in {}", expr, line);
        }
    }

    /// Found or not, all ways of asking agree, also of what is no JSON.
    #[test]
    fn all_ways_of_asking_agree(
        line in r#"(a|b|\\|\\\\|\\n|\\u00e9|\\u005c|\\u0061|\\"|"|\\/|u0061|n|é|e| |	|:){0,30}"#,
        needle in r#"(a|b|\\|\\n|é|e|"|/|n| |	|u0061){1,4}"#,
        size in 1_usize..30,
    ) {
        for expr in [Expr::phrase(needle.as_bytes()), Expr::fixed([needle.as_bytes()]).unwrap()] {
            is_found(&expr, line.as_bytes(), size)?;
        }
        for reading in std::iter::once(line.clone().into_bytes()).chain(undone(line.as_bytes())) {
            let is_in = memchr::memmem::find(&reading, needle.as_bytes()).is_some();
            prop_assert!(!is_in || matches(&Expr::phrase(needle.as_bytes()), line.as_bytes()));
        }
        for word in plain_words(needle.as_bytes()) {
            is_found(&Expr::Word(word.to_vec()), line.as_bytes(), size)?;
            is_found(&Expr::Prefix(word.to_vec()), line.as_bytes(), size)?;
        }
    }
}

#[test]
fn what_an_event_says_is_found_however_it_is_escaped() {
    for (expr, line, expected) in [
        ("Müller", r#"{"m":"M\u00fcller"}"#, true),
        ("MÜLLER", r#"{"m":"M\u00FCller"}"#, true),
        ("NOT Müller", r#"{"m":"M\u00fcller"}"#, false),
        ("Müll*", r#"{"m":"M\u00fcller"}"#, true),
        ("Müller", r#"{"m":"M\u00fcllers"}"#, false),
        ("\"😀!\"", r#"{"m":"\ud83d\ude00!"}"#, true),
        (r#""say \"hi\"""#, r#"{"m":"say \"hi\""}"#, true),
        ("a/b", r#"{"m":"a\/b"}"#, true),
        ("<b>", r#"{"m":"\u003cb\u003e"}"#, true),
        ("\"failed Caused by\"", r#"{"m":"failed\nCaused by"}"#, true),
        ("\"failed at x\"", r#"{"m":"failed\r\n\tat x"}"#, true),
        ("\"failed\tat\"", r#"{"m":"failed\tat"}"#, true),
        ("\"failed at\"", "failed\tat", false),
        ("Müller", r#"{"log":"{\"m\":\"M\\u00fcller\"}"}"#, true),
        ("caused", r#"{"log":"{\"m\":\"x\\nCaused by\"}"}"#, true),
        ("m:Müller", r#"{"message":"{\"m\":\"M\\u00fcller\"}"}"#, true),
        ("log:Müller", r#"{"log":"{\"m\":\"M\\u00fcller\"}"}"#, true),
        ("m:\"failed at\"", r#"{"m":"failed\n\tat x"}"#, true),
        ("m:\"failed at\"", r#"{"m":"failed\n\n at x"}"#, false),
        ("C:\\new", r#"{"m":"C:\\new"}"#, true),
        ("new", r#"{"m":"C:\\new"}"#, true),
        (r"/M\u00fcller/", r#"{"m":"M\u00fcller"}"#, false),
        (r"/M\\u00fcller/", r#"{"m":"M\u00fcller"}"#, true),
    ] {
        assert_eq!(matches(&Expr::parse(expr).unwrap(), line.as_bytes()), expected, "{expr} in {line}");
    }
    let fixed = Expr::fixed(["Müller".as_bytes()]).unwrap();
    assert!(!matches(&fixed, br"M\u00fcller"), "bytes are those of the line");
}

#[test]
fn a_tab_of_a_phrase_is_a_blank_of_an_escaped_line_that_comes_in_pieces() {
    let phrase = Expr::phrase(b"a\tb");
    for (line, expected) in
        [("a b", false), ("a b\\", true), ("a b c\\n", true), ("c\\n a b", true), ("a\tb", true)]
    {
        for size in 1..=line.len() {
            assert_eq!(is_found(&phrase, line.as_bytes(), size).unwrap(), expected, "{line} by {size}");
        }
    }
}
