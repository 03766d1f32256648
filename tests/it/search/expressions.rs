//! Random expressions find what a plain reading of every line finds: the reading here is its own, of rows whose
//! fields are known because they were made.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use gzette::flows::search::Request;
use gzette_core::group::group;
use gzette_core::model::{AppName, Level};
use gzette_core::query::Expr;
use gzette_core::retention::Retention;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use regex::bytes::Regex;

use super::Shelf;
use super::readings::{named, undone};
use crate::support::Project;

/// A line and its facts.
#[derive(Clone, Debug)]
struct Row {
    line: Vec<u8>,
    level: Level,
    /// By name, as text.
    fields: Vec<(&'static str, String)>,
    /// The message of [`FAILURES`] that it is an error with.
    failure: Option<usize>,
}

#[derive(Clone, Debug)]
struct Object {
    app: &'static str,
    rows: Vec<Row>,
}

static ESCAPES: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"\\(["\\/bfnrt]|u[0-9a-fA-F]{4})"#).unwrap());
static SEPARATORS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?-u)[^A-Za-z0-9_\x80-\xff]+").unwrap());
static MATCHERS: LazyLock<HashMap<&str, Regex>> =
    LazyLock::new(|| REGEXES.iter().map(|pattern| (*pattern, Regex::new(pattern).unwrap())).collect());

/// An expression of the test's own.
#[derive(Clone, Debug)]
enum Ask {
    Word(&'static str),
    Phrase(&'static str),
    Prefix(&'static str),
    Regex(&'static str),
    App(&'static str),
    Level(Level),
    LevelFrom(Level),
    Status(&'static str, i64),
    /// The group of a message of [`FAILURES`].
    Group(usize),
    /// A field and a word, phrase, prefix or regular expression of its value.
    Field(&'static str, Box<Ask>),
    Not(Box<Ask>),
    And(Vec<Ask>),
    Or(Vec<Ask>),
}

const WORDS: [&str; 9] = ["order", "border", "timeout", "tab", "new", "retry", "42", "caf", "café"];
const PHRASES: [&str; 11] =
    ["order 4", "rder", "e\" t", "out\\\\n", "new", "\\\\", "42 caf", "é", "ab", "u00e9", "order"];
const PREFIXES: [&str; 5] = ["or", "ti", "4", "n", "u00"];
const REGEXES: [&str; 9] = [
    "b?order|retry",
    "order (4|t)[0-9a-z]+",
    "(?i)TIMEOUT",
    "^.{0,20}[0-9]{2}",
    r"\bnew\b",
    r"\\+new",
    "(time|re)(out|try)",
    "caf.",
    "x*",
];
const FAILURES: [&str; 3] = ["order 42 failed", "retry 4: timeout", "new tab"];
const LEVELS: [Level; 4] = [Level::Info, Level::Warn, Level::Error, Level::Unknown];
const FIELDS: [&str; 4] = ["logger", "note", "user.name", "status"];

impl Ask {
    fn text(&self) -> String {
        let joined = |terms: &[Self], operator: &str| {
            let terms: Vec<_> = terms.iter().map(Self::text).collect();
            format!("({})", terms.join(operator))
        };
        match self {
            Self::Word(word) => (*word).to_owned(),
            Self::Phrase(phrase) => format!("\"{}\"", phrase.replace('"', "\\\"")),
            Self::Prefix(start) => format!("{start}*"),
            Self::Regex(pattern) => format!("/{pattern}/"),
            Self::App(app) => format!("app:{app}"),
            Self::Level(level) => format!("level:{level}"),
            Self::LevelFrom(level) => format!("level>={level}"),
            Self::Status(sign, limit) => format!("status{sign}{limit}"),
            Self::Group(failure) => format!("group:{}", group(FAILURES[*failure], None).id),
            Self::Field(name, test) => format!("{name}:({})", test.text()),
            Self::Not(term) => format!("NOT {}", term.text()),
            Self::And(terms) => joined(terms, " "),
            Self::Or(terms) => joined(terms, " OR "),
        }
    }

    fn holds(&self, app: &str, row: &Row) -> bool {
        let mut values = row.fields.iter();
        match self {
            Self::App(name) => app == *name,
            Self::Level(level) => row.level == *level,
            Self::LevelFrom(level) => row.level >= *level,
            Self::Group(failure) => row.failure == Some(*failure),
            Self::Status(sign, limit) => values.any(|(name, value)| {
                let number = (*name == "status").then(|| value.parse::<i64>().ok()).flatten();
                number.is_some_and(|number| match *sign {
                    "<" => number < *limit,
                    "<=" => number <= *limit,
                    ">" => number > *limit,
                    _ => number >= *limit,
                })
            }),
            Self::Field(field, test) => values.any(|(name, value)| {
                name == field
                    && (test.is_in(value.as_bytes(), value.as_bytes())
                        || test.is_undone(named(value).as_bytes()))
            }),
            Self::Not(term) => !term.holds(app, row),
            Self::And(terms) => terms.iter().all(|term| term.holds(app, row)),
            Self::Or(terms) => terms.iter().any(|term| term.holds(app, row)),
            text => {
                text.is_in(&row.line, &ESCAPES.replace_all(&row.line, &b" "[..]))
                    || undone(&row.line).iter().any(|reading| text.is_undone(reading))
            }
        }
    }

    /// Whether a text holds in a reading with its escapes undone. Regular expressions are for what stands there.
    fn is_undone(&self, reading: &[u8]) -> bool {
        !matches!(self, Self::Regex(_)) && self.is_in(reading, reading)
    }

    /// Whether a text holds; its words stand in `words`.
    fn is_in(&self, text: &[u8], words: &[u8]) -> bool {
        let words: Vec<_> = SEPARATORS.split(words).map(<[u8]>::to_ascii_lowercase).collect();
        match self {
            Self::Word(word) => words.iter().any(|held| held == word.as_bytes()),
            Self::Prefix(start) => words.iter().any(|held| held.starts_with(start.as_bytes())),
            Self::Phrase(phrase) => {
                let phrase = phrase.replace("\\\\", "\\");
                text.windows(phrase.len()).any(|window| window == phrase.as_bytes())
            }
            Self::Regex(pattern) => MATCHERS[pattern].is_match(text),
            other => panic!("{other:?} is no condition on a text"),
        }
    }
}

fn text_ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        select(&WORDS[..]).prop_map(Ask::Word),
        select(&PHRASES[..]).prop_map(Ask::Phrase),
        select(&PREFIXES[..]).prop_map(Ask::Prefix),
        select(&REGEXES[..]).prop_map(Ask::Regex),
    ]
}

fn ask() -> impl Strategy<Value = Ask> {
    let signs = select(&["<", "<=", ">", ">="][..]);
    let leaf = prop_oneof![
        6 => text_ask(),
        1 => select(&["api", "web"][..]).prop_map(Ask::App),
        1 => select(&LEVELS[..]).prop_map(Ask::Level),
        1 => select(&LEVELS[..]).prop_map(Ask::LevelFrom),
        1 => (signs, 40..46_i64).prop_map(|(sign, limit)| Ask::Status(sign, limit)),
        2 => (0..FAILURES.len()).prop_map(Ask::Group),
        4 => (select(&FIELDS[..]), text_ask()).prop_map(|(name, test)| Ask::Field(name, Box::new(test))),
    ];
    leaf.prop_recursive(3, 10, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|term| Ask::Not(Box::new(term))),
            vec(inner.clone(), 2..4).prop_map(Ask::And),
            vec(inner, 2..4).prop_map(Ask::Or),
        ]
    })
}

fn value() -> impl Strategy<Value = String> {
    const PARTS: [&str; 19] = [
        "order", "b", " ", " ", "timeout", "\n", "\t", "\"", "\\", "new", "retry", "42", "café", "4", "t",
        ".", "/", "-", "tab",
    ];
    vec(select(&PARTS[..]), 0..7).prop_map(|parts| parts.concat())
}

/// Writes a JSON string, with more escapes than it needs if asked.
fn json(text: &str, escaped: bool) -> String {
    if !escaped {
        return serde_json::to_string(text).unwrap();
    }
    let units = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
    format!("\"{}\"", units.collect::<String>())
}

fn row() -> impl Strategy<Value = Row> {
    let level = select(&[Level::Info, Level::Warn, Level::Error][..]);
    let values = (value(), value(), value(), 40..46_i64, prop::bool::weighted(0.15));
    let json_row = (level.clone(), values).prop_map(|(level, (logger, note, user, status, escaped))| Row {
        line: format!(
            r#"{{"level":"{level}","logger":{},"note":["x",{}],"user":{{"name":{}}},"status":{status}}}"#,
            json(&logger, escaped),
            json(&note, false),
            json(&user, escaped)
        )
        .into_bytes(),
        level,
        // An empty logger counts as no logger.
        fields: [
            ("logger", logger),
            ("note", "x".to_owned()),
            ("note", note),
            ("user.name", user),
            ("status", status.to_string()),
        ]
        .into_iter()
        .filter(|(name, value)| *name != "logger" || !value.is_empty())
        .collect(),
        failure: None,
    });
    let failed_row = (0..FAILURES.len(), 40..46_i64).prop_map(|(failure, status)| Row {
        line: format!(r#"{{"level":"error","message":"{}","status":{status}}}"#, FAILURES[failure])
            .into_bytes(),
        level: Level::Error,
        fields: vec![("message", FAILURES[failure].to_owned()), ("status", status.to_string())],
        failure: Some(failure),
    });
    let ltsv_row = (level, value(), 40..46_i64).prop_map(|(level, note, status)| {
        let note = note.replace(['\n', '\t'], "");
        Row {
            line: format!("level:{level}\tnote:{note}\tstatus:{status}").into_bytes(),
            level,
            fields: vec![("note", note), ("status", status.to_string())],
            failure: None,
        }
    });
    // Neither an event nor part of one, whatever stands before it.
    let odd_row = value().prop_map(|text| Row {
        line: format!("{{ {}", text.replace('\n', "")).into_bytes(),
        level: Level::Unknown,
        fields: Vec::new(),
        failure: None,
    });
    prop_oneof![4 => json_row, 2 => failed_row, 2 => ltsv_row, 1 => odd_row]
}

fn object() -> impl Strategy<Value = Object> {
    // Repeated, so that an object has several blocks, of which an expression rules some out.
    let rows = vec((row(), 1..90_usize), 1..5);
    (select(&["api", "web"][..]), rows).prop_map(|(app, rows)| Object {
        app,
        rows: rows.into_iter().flat_map(|(row, times)| vec![row; times]).collect(),
    })
}

fn put(shelf: &mut Shelf, key: &str, object: &Object) {
    let lines: Vec<_> = object.rows.iter().map(|row| row.line.as_slice()).collect();
    shelf.put(key, &[lines.join(&b'\n'), format!("\n{{ {key}\n").into_bytes()].concat(), 2);
}

/// Requires of each expression that search finds the lines of `objects` that the plain reading finds.
fn agree(shelf: &Shelf, objects: &[(String, &Object)], asks: &[Ask]) -> Result<(), TestCaseError> {
    for ask in asks {
        let mut expected = Vec::new();
        for (key, object) in objects {
            let mark = Row {
                line: format!("{{ {key}").into_bytes(),
                level: Level::Unknown,
                fields: Vec::new(),
                failure: None,
            };
            let found = object.rows.iter().chain([&mark]).filter(|row| ask.holds(object.app, row));
            expected.extend(found.map(|row| (object.app.to_owned(), row.line.clone())));
        }
        expected.sort();
        let text = ask.text();
        let request =
            Request::new(Expr::parse(&text).map_err(|error| TestCaseError::fail(error.to_string()))?);
        let (hits, report) = shelf.search(&request);
        let mut found: Vec<_> = hits.into_iter().map(|hit| (hit.app.to_string(), hit.raw)).collect();
        found.sort();
        prop_assert_eq!(found.len(), expected.len(), "lines with {}", text);
        prop_assert!(found == expected, "other lines with {}", text);
        prop_assert_eq!(report.hits, expected.len() as u64);
        let counted = shelf.search(&Request { count_only: true, ..request.clone() }).1;
        prop_assert_eq!(counted.hits, expected.len() as u64, "count of {}", text);
        let app = AppName::from("api");
        let of_api = shelf.search(&Request { apps: vec![app], levels: Level::Warn.bit(), ..request }).1;
        let expected =
            objects.iter().filter(|(_, object)| object.app == "api").flat_map(|(_, object)| &object.rows);
        let expected = expected.filter(|row| row.level == Level::Warn && ask.holds("api", row)).count();
        prop_assert_eq!(of_api.hits, expected as u64, "warnings of api with {}", text);
    }
    Ok(())
}

/// 4 cases with 12 expressions at 5 points.
#[test]
fn any_expression_finds_what_a_plain_reading_finds() {
    let config = ProptestConfig {
        cases: 4,
        failure_persistence: None,
        max_shrink_iters: 20,
        ..ProptestConfig::default()
    };
    let cases = (vec(object(), 2..4), object(), vec(ask(), 12));
    proptest!(config, |((objects, replacement, asks) in cases)| {
        let mut shelf = Shelf::new();
        let mut held: Vec<(String, &Object)> = Vec::new();
        for (number, object) in objects.iter().enumerate() {
            let key = format!("{}/20260301/pod_{number}.gz", object.app);
            put(&mut shelf, &key, object);
            held.push((key, object));
            if number == 0 {
                shelf.take_in();
                agree(&shelf, &held, &asks)?;
            }
        }
        shelf.take_in();
        agree(&shelf, &held, &asks)?;
        let (key, first) = held[0].clone();
        let replacement = Object { app: first.app, ..replacement };
        put(&mut shelf, &key, &replacement);
        shelf.sync();
        agree(&shelf, &held, &asks)?; // what it replaces is still found
        shelf.ingest();
        held[0].1 = &replacement;
        agree(&shelf, &held, &asks)?;
        shelf.lose_index();
        agree(&shelf, &held, &asks)?;
    });
}

/// Objects one by one until their segments are merged, then without some of their files and documents.
#[test]
fn any_expression_finds_the_same_in_what_was_merged_and_pruned() {
    const OBJECTS: usize = 102;
    const DAYS: [&str; 4] = ["20260226", "20260227", "20260228", "20260301"];
    let config = ProptestConfig {
        cases: 1,
        failure_persistence: None,
        max_shrink_iters: 0,
        ..ProptestConfig::default()
    };
    proptest!(config, |(objects in vec(object(), OBJECTS), asks in vec(ask(), 20))| {
        let mut shelf = Shelf::new();
        let mut held: Vec<(String, &Object)> = Vec::new();
        for (number, object) in objects.iter().enumerate() {
            let key = format!("{}/{}/pod_{number}.gz", object.app, DAYS[number % DAYS.len()]);
            put(&mut shelf, &key, object);
            shelf.take_in();
            held.push((key, object));
        }
        let summaries = files_with(&shelf.index_dir(), "summary");
        prop_assert!(summaries < OBJECTS / 2, "{} segments after a merge", summaries);
        agree(&shelf, &held, &asks)?;
        // Many documents go, so that segments are rewritten, and then nearly all files.
        let pruned = shelf.prune(Retention { index_days: 2, ..Retention::default() });
        prop_assert!(pruned.unindexed > 0 && pruned.unmirrored == 0, "{:?}", pruned);
        agree(&shelf, &held, &asks)?;
        let pruned = shelf.prune(Retention { index_days: 2, mirror_bytes: 10_000, ..Retention::default() });
        prop_assert!(pruned.unmirrored > 0, "{:?}", pruned);
        agree(&shelf, &held, &asks)?;
    });
}

fn files_with(dir: &Path, extension: &str) -> usize {
    let paths = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    paths.filter(|path| path.extension().is_some_and(|of_file| of_file == extension)).count()
}

#[test]
fn a_wrong_expression_is_shown_with_the_place_and_a_hint() {
    let project = Project::new();
    project.put("api/20260301/api_0.gz", "x\n");
    project.gzette("run").exits(0);
    let failed = project.gzette("search timeout level:warm").exits(2);
    let expected = [
        "error     unknown level `warm`; one of trace, debug, info, warn, error, fatal, unknown",
        "            timeout level:warm",
        "                          ^^^^",
        "hint      did you mean `warn`?\n",
    ];
    assert_eq!(failed.stderr, expected.join("\n"));
    let noted = project.gzette("search a or b").exits(0);
    assert_eq!(noted.stderr, "note      `or` is searched as a word; the operator is `OR`\n");
}
