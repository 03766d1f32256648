//! Every shape of object, key and line: read, counted, found again, and never lost.
#![expect(clippy::unwrap_used, reason = "helpers of tests, outside of the test functions")]

use std::collections::BTreeSet;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use gzette::edges::ledger::Ledger;
use gzette::edges::mirror::Mirror;
use gzette::edges::store::{MemoryStore, ObjectStore as _, PutOptions};
use gzette::flows::ingest::{ingest, own_index};
use gzette::flows::search::{Library, Request, search};
use gzette::flows::sync::{SyncOptions, SyncSource, sync};
use gzette_core::model::{Level, LineCounts, UtcMs};
use gzette_core::parse::{Format, ParseSettings, Parsed, Parser};
use gzette_core::partial::{About, Partial, ReadSettings, SourceSettings, read_object};
use gzette_core::plan::Layout;
use gzette_core::query::Expr;
use jiff::Timestamp;
use jiff::civil::date;
use jiff::tz::TimeZone;
use proptest::prelude::*;

use crate::support::{NOON_MS, Project, decoded, files_below, gz, lines_of};

/// A trace, an unparsed line and events; 6 lines, the last without a newline.
const TEXT: &str = concat!(
    "{\"@timestamp\":\"2026-03-01T06:00:00Z\",\"level\":\"error\",\"message\":\"one\"}\n",
    "\tat com.acme.Main.run(Main.java:7)\n",
    "Caused by: java.io.IOException: disk\n",
    "nothing in particular\n",
    "{\"@timestamp\":\"2026-03-01T06:00:01Z\",\"level\":\"info\",\"message\":\"two\"}\n",
    "{\"@timestamp\":\"2026-03-01T06:00:02Z\",\"level\":\"info\",\"message\":\"three\"}",
);

/// Reads an object and checks what holds of every one: each line is one of three kinds and in one block, each
/// decoded byte is in one line, damage has a place and a reason.
fn read(stored: &[u8], settings: &ReadSettings) -> Partial {
    let (mut lines, mut bytes) = (0, 0);
    let partial = read_object(
        stored,
        settings,
        &About { day: Some(date(2026, 3, 1)), ..About::default() },
        |block, _| {
            assert_eq!((block.first_line, block.offset), (lines + 1, bytes));
            lines += block.lines;
            bytes += block.length;
            Ok::<_, io::Error>(())
        },
    )
    .unwrap();
    let LineCounts { total, events, continuation, unparsed, .. } = partial.lines;
    assert_eq!(total, events + continuation + unparsed);
    // A line that holds several records counts as that many.
    assert!(lines <= total, "{lines} lines in blocks, {total} in all");
    assert_eq!(bytes, partial.decoded_bytes);
    let counted: u64 = partial.counts.iter().map(|count| count.events).sum();
    assert_eq!(counted, events);
    if let Some(damage) = &partial.damage {
        assert!(damage.offset <= stored.len() as u64 && !damage.reason.is_empty(), "{damage:?}");
    }
    partial
}

fn kinds(partial: &Partial) -> [u64; 3] {
    [partial.lines.events, partial.lines.continuation, partial.lines.unparsed]
}

fn member_a_line(text: &str) -> Vec<u8> {
    text.split_inclusive('\n').flat_map(|line| gz(line.as_bytes())).collect()
}

fn zstd(text: &[u8]) -> Vec<u8> {
    zstd::encode_all(text, 3).unwrap()
}

/// Returns an object with some bytes of the trailer, counted from its end, changed.
fn with_wrong_trailer(from_end: usize) -> Vec<u8> {
    let mut stored = gz(TEXT.as_bytes());
    let at = stored.len() - from_end;
    stored[at] ^= 0x55;
    stored
}

/// Names of objects, their bytes, events, continuation and unparsed lines, and whether they are damaged.
fn objects() -> Vec<(&'static str, Vec<u8>, [u64; 3], bool)> {
    let text = TEXT.as_bytes();
    let whole = [3, 2, 1];
    vec![
        ("one.gz", gz(text), whole, false),
        ("members.gz", member_a_line(TEXT), whole, false),
        ("twice.gz.gz", gz(&gz(text)), whole, false),
        ("members-twice.gz", gz(&member_a_line(TEXT)), whole, false),
        ("out.gz-objectQx7Yz1Ab", gz(text), whole, false),
        ("no-suffix", gz(text), whole, false),
        ("a.zst", zstd(text), whole, false),
        ("zstd.gz", zstd(text), whole, false),
        ("zstd-in-gzip.gz", gz(&zstd(text)), whole, false),
        ("plain.gz", text.to_vec(), whole, false),
        ("plain.log", text.to_vec(), whole, false),
        ("empty.gz", vec![], [0; 3], false),
        ("empty-member.gz", gz(b""), [0; 3], false),
        ("zeros-behind.gz", [gz(text), vec![0; 512]].concat(), whole, false),
        ("garbage-behind.gz", [gz(text), b"garbage".to_vec()].concat(), whole, true),
        ("wrong-checksum.gz", with_wrong_trailer(8), whole, true),
        ("wrong-length.gz", with_wrong_trailer(1), whole, true),
        ("cut.gz", gz(text)[..gz(text).len() - 9].to_vec(), whole, true),
    ]
}

#[test]
fn every_shape_of_object_is_counted() {
    for (name, stored, expected, is_damaged) in objects() {
        let partial = read(&stored, &ReadSettings::default());
        assert_eq!(
            (kinds(&partial), partial.damage.is_some()),
            (expected, is_damaged),
            "{name}: {partial:?}"
        );
    }
}

#[test]
fn every_shape_of_object_is_found_again() {
    let project = Project::new();
    let mut expected = [0, 0, 0, 0];
    for (at, (name, stored, kinds, is_damaged)) in objects().into_iter().enumerate() {
        // An application each, so that none is a duplicate of another.
        project.put_stored(&format!("app-{at}/20260301/{name}"), &stored);
        for (sum, count) in expected.iter_mut().zip(kinds.into_iter().chain([u64::from(is_damaged)])) {
            *sum += count;
        }
    }
    project.gzette("run").exits(3);
    let status = project.gzette("status --json").json();
    let lines = &status["lines"];
    let counted = ["events", "continuation", "unparsed"].map(|kind| lines[kind].as_u64().unwrap());
    assert_eq!(counted, expected[..3]);
    assert_eq!(status["objects"]["damaged"], expected[3]);
    let with_text = objects().iter().filter(|(_, _, kinds, _)| kinds[0] > 0).count();
    for line in lines_of(TEXT.as_bytes()) {
        assert_eq!(project.finds(&line), vec![line.clone(); with_text], "{}", String::from_utf8_lossy(&line));
    }
    project.verifies();
}

#[test]
fn an_object_cut_anywhere_keeps_what_came() {
    let text = TEXT.as_bytes();
    let shapes =
        [gz(text), member_a_line(TEXT), gz(&gz(text)), zstd(text), [gz(text), gz(b""), gz(text)].concat()];
    for stored in shapes {
        let whole = read(&stored, &ReadSettings::default());
        let mut before = 0;
        for end in 2..stored.len() {
            let cut = read(&stored[..end], &ReadSettings::default());
            assert!(cut.decoded_bytes >= before, "cut at {end}");
            before = cut.decoded_bytes;
            assert!(cut.lines.total <= whole.lines.total, "cut at {end}");
            if cut.decoded_bytes < whole.decoded_bytes && cut.damage.is_none() {
                // Only between members does a cut leave no trace: there all that stands before is whole.
                assert!(decoded(&stored[..end]).len() as u64 == cut.decoded_bytes, "cut at {end}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bytes_of_any_kind_are_accounted_for(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "{\"level\":\"error\",\"msg\":\"x\"}", "\n", "\r\n", "\0", "\u{feff}", "\tat a.B(C.java:1)", "{", "level:warn\t",
            "msg:y", "2026-03-01 06:00:00", " ERROR ", "\t", "é", "\\ud800", "Caused by: z", "[[[", "\u{2028}",
        ]), 0..40),
        stray in prop::collection::vec(any::<u8>(), 0..6),
        limit in 1_usize..60,
        format in prop::option::of(prop::sample::select(Format::ALL.to_vec())),
    ) {
        let text = [pieces.concat().as_bytes(), &stray].concat();
        let mut settings = ReadSettings::default();
        settings.limits.max_line_bytes = limit;
        settings.parse.format = format;
        let partial = read(&gz(&text), &settings);
        prop_assert_eq!(partial.lines.total, lines_of(&text).len() as u64);
        prop_assert_eq!(partial.decoded_bytes, text.len() as u64);
        prop_assert!(partial.damage.is_none());
        if format == Some(Format::SingleValue) {
            prop_assert_eq!(partial.lines.unparsed, 0);
        }
    }
}

/// Keys that a folder can hold; each stands for an object of its own.
fn keys_of_files() -> Vec<String> {
    let long = format!("{}/{}/{}/{}.gz", "x".repeat(250), "é".repeat(125), "y".repeat(250), "z".repeat(240));
    let mut keys: Vec<String> = [
        "ünï-日本.gz",
        "with space.gz",
        "plus+plus.gz",
        "%2F.gz",
        "%2e%2e/x.gz",
        "line\nbreak.gz",
        "bell\u{7}escape\u{1b}[31m.gz",
        "\u{202e}zg.gz",
        "twin.gz",
        "TWIN.gz",
        "<script>alert(1)</script>.gz",
        "-rf",
        "~",
        "*?",
        "back\\slash.gz",
        "'\"$(x)`y`.gz",
        "..gz",
        "...",
        ".hidden",
    ]
    .map(str::to_owned)
    .to_vec();
    keys.push(long);
    keys.into_iter().map(|name| format!("app/20260301/{name}")).collect()
}

/// Returns an object's line; the number tells it from others.
fn numbered(at: usize) -> String {
    format!("{{\"@timestamp\":\"2026-03-01T06:00:00Z\",\"level\":\"error\",\"message\":\"number_{at}_\"}}\n")
}

/// Requires that each file of the mirror has a name that is safe anywhere.
fn assert_safe_names(mirror: &Path, objects: usize) {
    let files = files_below(mirror);
    assert_eq!(files.len(), objects, "{:?}", files.keys());
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-%~/".contains(&byte);
    for path in files.keys() {
        assert!(path.bytes().all(is_plain), "{path}");
        assert!(path.split('/').all(|name| !name.starts_with('.') && name.len() < 256), "{path}");
    }
}

#[test]
fn files_of_any_name_are_mirrored_counted_found_and_shown_harmless() {
    let project = Project::new();
    let keys = keys_of_files();
    assert_eq!(keys.last().unwrap().len(), "app/20260301/".len() + 250 + 1 + 250 + 1 + 250 + 1 + 243);
    for (at, key) in keys.iter().enumerate() {
        project.put(key, numbered(at));
    }
    project.gzette("run").exits(0);
    assert_safe_names(&project.path("state/mirror/prod"), keys.len());
    assert_eq!(project.gzette("status --json").json()["lines"]["events"], keys.len());
    for (at, key) in keys.iter().enumerate() {
        let needle = format!("number_{at}_");
        let hit = project.gzette_with(&["search", "--json", "--fixed", &needle]).exits(0).json();
        assert!(hit["object"].as_str().unwrap().ends_with(key.as_str()), "{hit}: {key}");
    }
    let table = project.gzette("search --fixed --output text number_").exits(0).text();
    assert!(table.lines().all(|line| !line.chars().any(char::is_control)), "{table:?}");
    assert!(!table.contains('\u{202e}') && table.contains("\\x1b[31m"), "{table}");
    for (name, page) in files_below(&project.path("site")) {
        let page = String::from_utf8_lossy(&page);
        assert!(!page.contains("<script>alert") && !page.contains('\u{1b}'), "{name}");
    }
    project.verifies();
}

#[tokio::test]
async fn keys_of_any_kind_in_a_bucket_are_mirrored_counted_and_found() {
    let mut keys: Vec<String> =
        ["..", "../../../etc/passwd", "/leading", "a//b", "a", "a/", "A", "nul\0", "./x", "tab\t"]
            .map(|name| format!("logs/app/20260301/{name}"))
            .to_vec();
    keys.extend(keys_of_files().into_iter().map(|key| format!("logs/{key}")));
    keys.push(format!("logs/app/20260301/{}", "k".repeat(1024 - 18)));
    keys.push("logs//20260301/no-application.gz".to_owned());
    keys.push("logs/../20260301/up.gz".to_owned());
    let store = Arc::new(MemoryStore::new());
    for (at, key) in keys.iter().enumerate() {
        assert!(key.len() <= 1024, "{key}");
        store.put(key, gz(numbered(at).as_bytes()), &PutOptions::default()).await.unwrap();
    }
    let dir = tempfile::tempdir().unwrap();
    let (state, mirror) = (tempfile::tempdir().unwrap(), Mirror::new(dir.path().join("mirror")));
    let mut ledger = Ledger::open(&state.path().join("ledger.sqlite")).unwrap();
    let source = SyncSource {
        name: "prod".into(),
        url: "s3://bucket/logs".to_owned(),
        layout: Layout::parse("{app}/{date:%Y%m%d}/").unwrap(),
        zone: TimeZone::UTC,
        look_back_days: 4,
        backfill_days: 30,
        store,
        prefix: "logs/".to_owned(),
    };
    let report = sync(&[source], &mut ledger, &mirror, &SyncOptions::new(NOON_MS), &()).await.unwrap();
    assert_eq!((report.got, report.failed), (keys.len() as u64, 0), "{:?}", report.problems);
    let (settings, index_dir) = (SourceSettings::default(), dir.path().join("index"));
    let stop = AtomicBool::new(false);
    let report = ingest(&mut ledger, &mirror, &index_dir, &settings, NOON_MS, &stop, &|_, _| {}).unwrap();
    assert_eq!((report.objects, report.lines.events), (keys.len() as u64, keys.len() as u64));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "something lies outside of the mirror");
    let index = own_index(&ledger, &index_dir).unwrap().unwrap();
    let library = Library {
        ledger: &ledger,
        index: Some(&index),
        mirror: &mirror,
        fetch: None,
        settings: &settings,
        progress: None,
    };
    let mut found = BTreeSet::new();
    let request = Request::new(Expr::fixed([&b"number_"[..]]).unwrap());
    search(&library, &request, &mut |hit| {
        found.insert((hit.object.to_string(), String::from_utf8(hit.raw).unwrap() + "\n"));
        ControlFlow::Continue(())
    })
    .unwrap();
    let expected = keys.iter().enumerate().map(|(at, key)| (format!("s3://bucket/{key}"), numbered(at)));
    assert_eq!(found, expected.collect());
}

#[test]
fn every_configured_format_is_read_counted_and_found() {
    let ltsv =
        "time:2026-03-01T06:00:00Z\tlevel:ERROR\tmessage:it broke\ntime:1772344801\tmessage:fine\nstray\n";
    let single = "it broke\n{\"level\":\"error\"}\n2026-03-01 06:00:00 ERROR bad\n\tat a.B.c(B.java:1)\n";
    for (format, text, kinds, errors) in [
        (None, ltsv, [2, 0, 1], 1),
        (Some("ltsv"), ltsv, [2, 0, 1], 1),
        (Some("single_value"), single, [3, 1, 0], 1),
        (Some("json"), TEXT, [3, 2, 1], 1),
    ] {
        let project = Project::new();
        if let Some(format) = format {
            project.reconfigure("url = \"logs/\"\n", &format!("url = \"logs/\"\nformat = \"{format}\"\n"));
        }
        project.put("app/20260301/a.gz", text);
        project.gzette("run").exits(0);
        let status = project.gzette("status --json").json();
        let counted =
            ["events", "continuation", "unparsed"].map(|kind| status["lines"][kind].as_u64().unwrap());
        assert_eq!(counted, kinds, "{format:?}");
        assert_eq!(project.gzette("count --level error").exits(0).text().trim(), errors.to_string());
        for line in lines_of(text.as_bytes()) {
            assert_eq!(project.finds(&line), [line]);
        }
        project.verifies();
    }
}

fn parser(zone: &str) -> Parser {
    let settings = ParseSettings { zone: TimeZone::get(zone).unwrap(), ..ParseSettings::default() };
    Parser::new(&settings, Some(date(2026, 3, 1)))
}

/// Returns an event's time, level and message.
fn event(line: &[u8]) -> (Option<UtcMs>, Level, String) {
    match parser("UTC").parse(line) {
        Parsed::Event(event) => (event.time_ms, event.level, event.message.text().into_owned()),
        other => panic!("{other:?}: {}", String::from_utf8_lossy(&line[..line.len().min(200)])),
    }
}

#[test]
fn odd_lines_are_events() {
    let deep = format!(r#"{{"a":{}{},"level":"error","msg":"m"}}"#, "[".repeat(128), "]".repeat(128));
    let fields: Vec<String> = (0..20_000).map(|number| format!(r#""f{number}":{number}"#)).collect();
    let wide = format!(r#"{{{},"level":"error","msg":"m"}}"#, fields.join(","));
    let cases: [(&[u8], &str); 10] = [
        (b"{\"level\":\"error\",\"msg\":\"m\"}\r", "m"),
        (b"\xef\xbb\xbf{\"level\":\"error\",\"msg\":\"m\"}", "m"),
        (b"\0\0\0{\"level\":\"error\",\"msg\":\"m\"}\0", "m"),
        (b"{\"level\":\"error\",\"msg\":\"a\0b\"}", "a\0b"),
        (b"{\"level\":\"error\",\"msg\":\"a\xffb\"}", "a\u{fffd}b"),
        (br#"{"level":"error","msg":"\ud800 \udc00 \ud83d\ude00"}"#, "\u{fffd} \u{fffd} \u{1f600}"),
        (br#"{"level":"info","msg":"first","msg":"m","level":"error"}"#, "m"),
        (deep.as_bytes(), "m"),
        (wide.as_bytes(), "m"),
        (b"level:error\tmsg:a\xffb\0c", "a\u{fffd}b\0c"),
    ];
    for (line, message) in cases {
        assert_eq!(event(line), (None, Level::Error, message.to_owned()));
    }
}

#[test]
fn stamps_of_collectors_and_programs_are_read_in_the_sources_zone() {
    const STAMP: &str = "2026-03-01T06:00:00.123Z";
    for (time, expected) in [
        // Zoneless, as Log4j and Python write them; with a zone.
        (r#""2026-03-01 07:00:00.123""#, Some(STAMP)),
        (r#""2026-03-01 07:00:00,123""#, Some(STAMP)),
        (r#""2026-03-01T01:00:00.123-05:00""#, Some(STAMP)),
        // Since 1970 in seconds, milliseconds, microseconds and nanoseconds, as number or text.
        ("1772344800.123", Some(STAMP)),
        ("1772344800123", Some(STAMP)),
        ("1772344800123000", Some(STAMP)),
        ("1772344800123000000", Some(STAMP)),
        (r#""1772344800.123""#, Some(STAMP)),
        (r#""1772344800123""#, Some(STAMP)),
        (r#""1772344800123000""#, Some(STAMP)),
        (r#""1772344800123000000""#, Some(STAMP)),
        // Fluent Bit's json_date_format: double, iso8601, java_sql_timestamp; FluentD's defaults.
        ("1772344800.123000", Some(STAMP)),
        (r#""2026-03-01T06:00:00.123000Z""#, Some(STAMP)),
        (r#""2026-03-01T06:00:00+00:00""#, Some("2026-03-01T06:00:00Z")),
        (r#""2026-03-01 06:00:00 +0000""#, Some("2026-03-01T06:00:00Z")),
        // The far ends.
        (r#""9999-12-31T23:59:59Z""#, Some("9999-12-30T22:00:00Z")),
        // Berlin's clocks skip 02:00 to 03:00 on 2026-03-29 and have it twice on 2026-10-25.
        (r#""2026-03-29 01:59:59""#, Some("2026-03-29T00:59:59Z")),
        (r#""2026-03-29 02:30:00""#, Some("2026-03-29T01:30:00Z")),
        (r#""2026-03-29 03:00:00""#, Some("2026-03-29T01:00:00Z")),
        (r#""2026-10-25 02:30:00""#, Some("2026-10-25T00:30:00Z")),
        (r#""2026-10-25 03:00:00""#, Some("2026-10-25T02:00:00Z")),
        // None. A small number is how long something took.
        ("0", None),
        (r#""yesterday""#, None),
        ("null", None),
        ("{}", None),
    ] {
        let line = format!(r#"{{"time":{time},"msg":"m"}}"#);
        let mut parser = parser("Europe/Berlin");
        let Parsed::Event(event) = parser.parse(line.as_bytes()) else {
            panic!("{line}");
        };
        let expected = expected.map(|stamp| stamp.parse::<Timestamp>().unwrap().into());
        assert_eq!(event.time_ms, expected, "{line}");
    }
}

#[test]
fn a_line_longer_than_the_limit_is_counted_once_and_found_by_its_end() {
    let project = Project::new();
    let filler = "filler ".repeat(300_000);
    let long = format!("{{\"level\":\"error\",\"message\":\"begins {filler} ends_here\"}}");
    project.put("app/20260301/a.gz", format!("{}{long}\n{}", numbered(1), numbered(2)));
    project.gzette("run").exits(0);
    let lines = &project.gzette("status --json").json()["lines"];
    assert_eq!((&lines["events"], &lines["truncated"]), (&3.into(), &1.into()));
    assert_eq!(project.finds(b"ends_here"), [long.as_bytes()]);
    assert_eq!(project.finds(b"number_2_").len(), 1);
}

#[test]
fn a_line_too_long_to_be_held_is_searched_to_its_end() {
    let project = Project::new();
    let long = ["begins ".as_bytes(), &vec![0; 65 << 20], b" ends_here"].concat();
    let text = [numbered(1).as_bytes(), &long, b"\n", numbered(2).as_bytes()].concat();
    project.put("app/20260301/a.gz", text);
    project.gzette("sync").exits(0);
    project.gzette("ingest").exits(0);
    for (words, lines) in [("begins ends_here", "1"), ("begins number_2_", "0")] {
        let found = project.gzette_with(&["search", "--count", words]).exits(0).text();
        assert_eq!(found.trim(), lines, "{words}");
    }
    // Shown up to the limit; the line after it keeps its number.
    assert!(long.starts_with(&project.finds(b"ends_here")[0]));
    let hit = project.gzette("search --fixed --json number_2_").exits(0).json();
    assert_eq!(hit["line"], 3);
}
