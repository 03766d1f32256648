//! What an expression means, how it is printed, and what is said of a wrong one.

use proptest::prelude::*;

use super::{holds, matches, with_facts};
use crate::model::Level;
use crate::query::{Expr, ObjectFacts, lower_case_operator};
use crate::words::BlockWords;

fn parse(text: &str) -> Expr {
    Expr::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

/// Requires for each expression whether it holds for the line, and that its text is read back the same.
fn require(line: &str, cases: &[(&str, bool)]) {
    for (text, expected) in cases {
        let expr = parse(text);
        assert_eq!(matches(&expr, line.as_bytes()), *expected, "{text}");
        let printed = expr.to_string();
        let again = parse(&printed);
        assert_eq!(again.to_string(), printed, "{text}");
        assert_eq!(matches(&again, line.as_bytes()), *expected, "{text}, printed as {printed}");
    }
}

#[test]
fn an_expression_is_words_and_exact_substrings() {
    let expr = parse(r#"error "Connection refused" db-7"#);
    assert!(matches(&expr, b"ERROR: Connection refused by db-7"));
    assert!(!matches(&expr, b"ERROR: connection refused by db-7"));
    assert!(!matches(&expr, b"errors: Connection refused by db-7"));
    assert!(matches(&parse(r#""a \"b\" c""#), br#"x a "b" c"#));
    assert!(matches(&parse(""), b""));
    assert!(Expr::parse("\"open").is_err());
}

#[test]
fn operators_bind_as_usual() {
    require(
        "one two",
        &[
            ("one AND two", true),
            ("one two", true),
            ("one AND three", false),
            ("one OR three", true),
            ("three OR four", false),
            ("NOT three", true),
            ("NOT one", false),
            ("NOT NOT one", true),
            ("three four OR one", true),
            ("three (four OR one)", false),
            ("one OR three four", true),
            ("(one OR three) four", false),
            ("NOT three one", true),
            ("NOT (three one)", true),
            ("NOT one OR two", true),
            ("NOT (one OR two)", false),
            ("((one))", true),
            (r#""AND""#, false),
            ("and", false),
        ],
    );
}

#[test]
fn what_only_looks_like_an_operator_is_text() {
    require(
        "GET /api/v1 db-7:5432 Basket.java:42) at foo(bar) http://x/y a->b x<y -Xmx a*b",
        &[
            ("/api/v1", true),
            ("/api", true),
            ("db-7:5432", true),
            ("Basket.java:42", true),
            ("Basket.java:42)", true),
            ("foo(bar)", true),
            ("(foo(bar) AND http://x/y)", true),
            ("(foo(baz) OR http://x/z)", false),
            ("a->b", true),
            ("x<y", true),
            ("-Xmx", true),
            ("a*b", true),
            ("ge*", true),
            ("xm*", true),
            ("asket*", false),
            ("NOT db-7:5433", true),
        ],
    );
}

#[test]
fn regular_expressions_are_matched_anywhere() {
    require(
        r#"{"msg":"Read timed out /api/x","path":"a\\b"}"#,
        &[
            ("/timed? out/", true),
            ("/TIMED? out/", false),
            ("/TIMED? out/i", true),
            (r"/api\/x/", true),
            ("/^\\{.*\\}$/", true),
            ("/^Read/", false),
            (r"/\bout\b/ AND NOT /\bou\b/", true),
            ("(/refused/ OR /timed out/)", true),
            (r"/a\\\\b/", true),
            ("/a b c|Read (timed|took)/", true),
        ],
    );
}

#[test]
fn fields_are_those_of_the_line() {
    let line = r#"{"@timestamp":"2026-03-01T12:00:00Z","logLevel":"WARN","logClass":"com.acme.Basket","thread":"http-1","status":503,"durationMs":"1200.5","user":{"name":"Ann \"B\" Caf\u00e9","tags":["red","blue"],"n.m":1},"items":[{"id":7},{"id":8}],"none":null,"msg":"x"}"#;
    require(
        line,
        &[
            ("logger:Basket", true),
            ("logger:basket", true),
            ("logger:com.acme", true),
            ("logger:com.acme.*", true),
            ("logger:Bask*", true),
            ("logger:ask*", false),
            ("logger:/acme\\.[A-Z]/", true),
            ("logger:(Basket com)", true),
            ("logger:(Cart OR Basket)", true),
            ("logger:(NOT Basket)", false),
            ("thread:http-1", true),
            ("thread:http-2", false),
            ("level:warn", true),
            ("level:WARNING", true),
            ("level:error", false),
            ("level:(error OR warn)", true),
            ("level>=warn", true),
            ("level>warn", false),
            ("level<=warn", true),
            ("level<warn", false),
            ("NOT level:warn", false),
            ("status:503", true),
            ("status:50*", true),
            ("status:50", false),
            ("status>=500", true),
            ("status>503", false),
            ("status<504", true),
            ("status<=503.0", true),
            ("durationMs>1200", true),
            ("durationMs<1e3", false),
            ("msg>0", false),
            (r#"user.name:"Ann \"B\" Café""#, true),
            ("user.name:café", true),
            ("user.name:caf", false),
            ("user.tags:blue", true),
            ("user.tags:(red blue)", false),
            ("user.n.m:1", true),
            ("items.id:8", true),
            ("items.id:9", false),
            ("items.id>7", true),
            ("user:*", false),
            ("none:*", false),
            ("user.name:*", true),
            ("absent:*", false),
            ("NOT absent:x", true),
            ("user.tags:red status>=500 level>=warn", true),
        ],
    );
    require(
        "time:2026-03-01T12:00:00Z\tlevel:ERROR\tpath:C:\\new\tn:5",
        &[("path:new", true), ("path:ew", false), ("n>=5", true), ("level:error", true)],
    );
}

#[test]
fn an_object_decides_on_its_name_and_place() {
    let facts =
        ObjectFacts { app: "pay-api", place: "s3://logs/pay-api/20260301/pod_7.gz", has_group: &|_| false };
    for (text, printed) in [
        ("app:pay-api", r#""""#),
        ("app:pay*", r#""""#),
        ("app:/^pay/ x", "x"),
        ("app:api x", "level<unknown"),
        ("app:(api OR pay-api) x", "x"),
        ("app:api x OR y", "y"),
        ("NOT app:api x", "x"),
        ("object:pod_7 x", "x"),
        ("object:pod_8 x", "level<unknown"),
        (r#"object:"20260301/pod" x"#, "x"),
        ("group:abcdefgh2345 OR x", "x"),
    ] {
        let given = parse(text).given(&facts);
        if printed == "level<unknown" {
            assert!(given.is_nothing(), "{text}: {given}");
        } else {
            assert_eq!(given.to_string(), printed, "{text}");
        }
    }
}

#[test]
fn a_wrong_expression_is_shown_with_the_place() {
    for (text, expected) in [
        ("timeout \"Read", "the quote is not closed\n  timeout \"Read\n          ^"),
        ("(a OR b", "the parenthesis is not closed\n  (a OR b\n  ^"),
        ("a )", "this parenthesis closes nothing\n  a )\n    ^"),
        ("()", "there is no term before this parenthesis\n  ()\n   ^"),
        ("a OR", "a term is missing here\n  a OR\n      ^"),
        ("OR a", "there is no term before this operator\n  OR a\n  ^^"),
        ("a AND OR b", "there is no term before this operator\n  a AND OR b\n        ^^"),
        ("x /a(b/", "invalid regular expression: unclosed group\n  x /a(b/\n    ^^^^^"),
        (
            "/[b-a]/",
            "invalid regular expression: invalid character class range, the start must be <= the end\n  /[b-a]/\n  ^^^^^^^",
        ),
        ("logger:/a b", "the regular expression is not closed\n  logger:/a b\n         ^^"),
        (
            "level:warm",
            "unknown level `warm`; one of trace, debug, info, warn, error, fatal, unknown\n  level:warm\n        ^^^^",
        ),
        ("level: warn", "`level:` has no value\n  level: warn\n  ^^^^^^"),
        ("custom:/x/", "a level or a group must be a plain word\n  custom:/x/\n         ^^^"),
        ("rule:/x/", "a level or a group must be a plain word\n  rule:/x/\n       ^^^"),
        ("family:x", "`x` is not a group id; an id has 12 letters of a-z and 2-7\n  family:x\n         ^"),
        ("group:x", "`x` is not a group id; an id has 12 letters of a-z and 2-7\n  group:x\n        ^"),
        (
            "logger:(level:warn)",
            "a field cannot be part of another field's value\n  logger:(level:warn)\n          ^^^^^^",
        ),
        ("é\t(\u{202e}", "the parenthesis is not closed\n  é (\u{fffd}\n    ^"),
    ] {
        assert_eq!(Expr::parse(text).unwrap_err().to_string(), expected);
    }
    assert_eq!(Expr::parse("level:warm").unwrap_err().hint.unwrap(), "did you mean `warn`?");
}

#[test]
fn a_small_or_is_noticed() {
    assert_eq!(lower_case_operator("a or b"), Some("or"));
    assert_eq!(lower_case_operator("a and (b)"), Some("and"));
    for fine in ["or", "a OR b", "and b", "\"a or b\"", "NOT or x", "a oR b"] {
        assert_eq!(lower_case_operator(fine), None, "{fine}");
    }
}

#[test]
fn size_and_depth_are_bounded() {
    for text in [
        "(".repeat(10_000),
        "NOT ".repeat(4_000),
        "a:(".repeat(5_000),
        "x".repeat(20_000),
        r"/\w{1000}{1000}/".to_owned(),
        format!("/{}/", "(".repeat(5_000)),
        "/a/ ".repeat(50),
    ] {
        assert!(Expr::parse(&text).is_err());
    }
    assert!(Expr::parse(&"a OR ".repeat(2_000)).is_err());
    assert!(matches(&parse(&format!("{}z", "a OR ".repeat(2_000))), b"z"));
}

#[test]
fn case_is_ignored_where_asked() {
    let expr = Expr::fixed_ignoring_case([b"Say \"hi.\xe9\"".as_slice()]).unwrap();
    assert!(matches(&expr, b"x sAY \"HI.\xe9\""));
    assert!(!matches(&expr, b"x sAY \"HI-\xe9\""));
}

/// What an expression may be made of, whole and broken.
const PARTS: [&str; 40] = [
    "a",
    "b",
    "ab",
    "A",
    "n",
    "u00e9",
    "é",
    " ",
    " ",
    " ",
    "\"",
    "\"a b\"",
    "\"\\\\n\"",
    "/a.b/",
    "/A|b/i",
    "/",
    "*",
    "a*",
    "u*",
    "(",
    ")",
    "AND",
    "OR",
    "NOT",
    "k:",
    "k:a",
    "k:\"a b\"",
    "k:/a/",
    "k:(",
    "k>=1",
    "k<5",
    "level>=warn",
    "level:",
    "app:a",
    ":",
    "logger:",
    "\\",
    "\n",
    "[",
    "\u{202e}",
];

/// Pieces of values in JSON, escapes among them, and what only looks like one.
const VALUE: [&str; 22] = [
    "a", "b", "ab", "A", "n", "na", "u00e9", "é", " ", ".", "-", "\\n", "\\\\", "\\\"", "\\u00e9", "\\u0061",
    "\\u12", "\\q", "5", "1", "\\/b", "\\ud83d",
];

/// Terms whose needs have something to say about such values.
const TERMS: [&str; 34] = [
    "a",
    "ab",
    "na",
    "é",
    "a*",
    "n*",
    "u00*",
    "\"a b\"",
    "\"b.a\"",
    "\"\\\\\"",
    "\"\\\\n\"",
    "\"n\"",
    "\"u00e9\"",
    "\"ab\"",
    "/a.b/",
    "/ab|ba/",
    "/(?:na|nb)[ab]+/",
    "/AB/i",
    "/\\\\n/",
    "/\\\\NA/i",
    "/[a]b-/",
    "/b{2}a?/",
    "/nab/i",
    "/(u00)?e9 ?/",
    "k:a",
    "k:n",
    "k:é",
    "k:\"a b\"",
    "k:/a.?b/",
    "k:a*",
    "k:\"\\\\\"",
    "k:*",
    "k>=5",
    "level:warn",
];

fn parts(parts: &'static [&'static str], most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(parts), 0..most).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    /// Nothing is too odd to be read or refused, and what is read is printed so that it reads the same.
    #[test]
    fn any_text_is_read_or_refused(text in parts(&PARTS, 14)) {
        match Expr::parse(&text) {
            Err(error) => prop_assert!(!error.to_string().is_empty()),
            Ok(expr) => {
                let printed = expr.to_string();
                let again = Expr::parse(&printed);
                prop_assert!(again.is_ok(), "{:?} is printed as {:?}", text, printed);
                prop_assert_eq!(again.unwrap().to_string(), printed);
            }
        }
    }

    /// Where the predicate holds, the need does; and what bytes decide is what is decided with all that is known.
    #[test]
    fn a_line_that_matches_is_never_ruled_out(
        value in parts(&VALUE, 9),
        shape in 0..5,
        terms in prop::collection::vec((prop::sample::select(&TERMS[..]), any::<bool>()), 1..4),
        operator in prop::sample::select(&[" AND ", " OR "][..]),
    ) {
        let line = match shape {
            0 => format!(r#"{{"level":"WARN","k":"{value}"}}"#),
            1 => format!(r#"{{"k":["x",{{}},"{value}"],"logger":"{value}"}}"#),
            2 => format!("level:WARN\tk:{value}\tz:1"),
            3 => format!("\u{feff}k:{value}\tlevel:WARN"),
            _ => value,
        };
        let terms: Vec<_> =
            terms.iter().map(|(term, negated)| format!("{}{term}", if *negated { "NOT " } else { "" })).collect();
        let expr = parse(&terms.join(operator));
        let line = line.as_bytes();
        let mut words = BlockWords::default();
        words.add_line(line);
        let is_match = matches(&expr, line);
        if let Some(judged) = expr.judge(line) {
            prop_assert_eq!(judged, is_match);
        }
        let level = with_facts(line, |facts| facts.level);
        prop_assert!(!is_match || holds(&expr.need(), &words, level), "{}: {:?}", expr, expr.need());
    }

    /// What a regular expression requires stands in whatever it matches.
    #[test]
    fn a_regular_expression_requires_no_more_than_it_matches(
        pattern in r"([a-cnNuU]|\\\\|0|[.]|[(](a|nb)[|](c|bb)[)]|[\[]a-c[\]]|b[*]|c[+]|(ab)[?]|-| ){1,8}",
        ignores_case in any::<bool>(),
        line in r"([a-cA-CnNuU0 -]|\\|\\n|\\u00ab){0,24}",
    ) {
        let Ok(expr) = Expr::parse(&format!("/{pattern}/{}", if ignores_case { "i" } else { "" })) else { return Ok(()) };
        let mut words = BlockWords::default();
        words.add_line(line.as_bytes());
        prop_assert!(
            !matches(&expr, line.as_bytes()) || holds(&expr.need(), &words, Level::Unknown),
            "{:?}", expr.need()
        );
    }
}
