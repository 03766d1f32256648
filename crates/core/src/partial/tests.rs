//! What an object adds, and that it survives being written and read.

use std::io::Write as _;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use regex::Regex;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::*;
use crate::custom::{CustomGroup, CustomGrouping};
use crate::group::{FramePrefixes, GroupSettings};
use crate::model::{GenerationId, ObjectVersion};
use crate::query::{Expr, FieldName};

#[test]
fn an_event_that_carries_a_stack_trace_is_an_error_and_keeps_its_level() {
    let trace = r"java.lang.IllegalStateException: closed\n\tat com.acme.A.b(A.java:1)";
    let line = |level: &str, message: &str| format!("{{\"level\":\"{level}\",\"message\":\"{message}\"}}\n");
    for (level, message, is_error) in [
        ("INFO", trace, true),
        ("", trace, true),
        ("ERROR", "it broke", true),
        ("ERROR", "", true),
        ("INFO", r"no error: Exception\nfatal", false),
        ("DEBUG", trace, false),
        ("WARN", trace, false),
    ] {
        let text = line(level, message);
        let read = read_object(text.as_bytes(), &ReadSettings::default(), &About::default(), |_, _| {
            Ok::<_, io::Error>(())
        });
        let partial = read.unwrap();
        let [count] = partial.counts.as_slice() else { panic!("{:?}", partial.counts) };
        assert_eq!(count.group.is_some(), is_error, "{text}");
        assert_eq!(count.level, Level::from_word(level.as_bytes()).unwrap_or_default(), "{text}");
        assert_eq!(partial.sightings.len(), usize::from(is_error), "{text}");
    }
}

#[test]
fn a_block_has_the_checksum_of_its_bytes_and_of_those_of_cut_lines() {
    let limits = Limits { max_line_bytes: 100, ..Limits::default() };
    let settings = ReadSettings { limits, ..ReadSettings::default() };
    let long = "x".repeat(300_000);
    let short: Vec<String> =
        (0..1_000).map(|number| format!("{{\"level\":\"info\",\"n\":{number}}}\n")).collect();
    let cut = format!("{{\"level\":\"info\",\"long\":\"{}\"}}\n", &long[..120]);
    let text = [&short.concat(), &long, "\r\n", &cut, "the last ", &long].concat();
    let (mut blocks, mut end) = (0, 0);
    let read = read_object(text.as_bytes(), &settings, &About::default(), |block, _| {
        let bytes = &text.as_bytes()[block.offset as usize..][..block.length as usize];
        assert_eq!(block.crc, crc32fast::hash(bytes), "from {}", block.offset);
        (blocks, end) = (blocks + 1, block.offset + block.length);
        Ok::<_, io::Error>(())
    });
    assert_eq!((read.unwrap().blocks, end), (blocks, text.len() as u64));
    assert!(blocks > 5, "{blocks}");
}

#[test]
fn an_event_that_a_stack_trace_follows_is_an_error_and_so_is_a_crash_alone() {
    let info = "{\"level\":\"info\",\"message\":\"serving\"}\n";
    let crash = "thread 'main' panicked at src/a.rs:1:2:\nno order 7\nstack backtrace:\n   0: app::main\n";
    for (text, errors, events) in [
        (format!("{info}{crash}{info}"), 1, 2),
        (crash.to_owned(), 1, 1),
        (format!("{info}  indented\n{info}"), 0, 2),
        (format!("{}{crash}", info.replace("info", "warn")), 0, 1),
    ] {
        let read = read_object(text.as_bytes(), &ReadSettings::default(), &About::default(), |_, _| {
            Ok::<_, io::Error>(())
        });
        let partial = read.unwrap();
        let of_group = partial.counts.iter().filter(|count| count.group.is_some());
        assert_eq!(of_group.map(|count| count.events).sum::<u64>(), errors, "{text}");
        assert_eq!(partial.counts.iter().map(|count| count.events).sum::<u64>(), events, "{text}");
        let lines = partial.lines;
        assert_eq!(lines.events + lines.continuation + lines.unparsed, lines.total, "{text}");
    }
}

/// An application's own word on groups, as a user might write it.
fn settings(zone: &str, max_line_bytes: usize) -> ReadSettings {
    let custom = CustomGroup {
        name: "full".to_owned(),
        title: Some("No room".to_owned()),
        condition: Expr::parse("full app:shop").unwrap(),
        text: "full app:shop".to_owned(),
        split: Some(FieldName::named("tenant.id")),
    };
    let frames = FramePrefixes { own: vec!["com.acme.".to_owned()], foreign: vec!["com.vendor.".to_owned()] };
    let groups = GroupSettings { frames, masks: vec![Regex::new("job-[a-z]+").unwrap()] };
    ReadSettings {
        limits: Limits { max_line_bytes, ..Limits::default() },
        parse: ParseSettings { zone: TimeZone::get(zone).unwrap(), ..ParseSettings::default() },
        custom: Arc::new(CustomGrouping { settings: groups, groups: vec![custom] }),
    }
}

/// Returns a value as another machine gets it.
fn shipped<T: Serialize + DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn another_machine_reads_the_same_and_sends_back_what_it_read(
        lines in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..30),
        zone in prop::sample::select(vec!["Europe/Berlin", "UTC", "Asia/Kolkata"]),
        max_line_bytes in 20_usize..2000,
        is_damaged in any::<bool>(),
    ) {
        let settings = settings(zone, max_line_bytes);
        let (text, about) = (text_of(&lines), About { app: "shop", asked: &[1, 2, 3], ..About::default() });
        let mut stored = gzipped(&text);
        if is_damaged {
            stored.truncate(stored.len() * 2 / 3);
        }
        let read = |settings: &ReadSettings| {
            read_object::<_, io::Error>(&stored[..], settings, &about, |_, _| Ok(())).unwrap()
        };
        let (here, there) = (read(&settings), read(&shipped(&settings)));
        prop_assert_eq!(&here, &there);
        prop_assert_eq!(shipped(&settings).reading(), settings.reading());
        let object = ObjectVersion {
            source: "prod".into(),
            key: "logs/shop/\u{e9}\u{1}.gz".into(),
            etag: "e\"1".to_owned(),
            size_bytes: u64::MAX,
            app: "shop".into(),
            day: Some(jiff::civil::date(2026, 2, 28)),
            generation: GenerationId(i64::MAX),
        };
        let reading = settings.reading();
        let item =
            Ingested { object, partial: there, reading, stored_checksum: Some([7; 32]), is_read_again: true };
        prop_assert_eq!(&shipped(&item), &item);
    }
}

/// Makes lines of some forms out of numbers and bytes.
fn text_of(lines: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut text = Vec::new();
    for (form, bytes) in lines {
        let start = match form % 4 {
            0 => "2026-02-28 10:00:00 ERROR disk full ",
            1 => r#"{"time":"2026-02-28T10:00:00","level":"ERROR","tenant":{"id":7},"message":"full job-a"}"#,
            2 => "\tat com.acme.Shop.sell(Shop.java:1)",
            _ => "",
        };
        text.extend_from_slice(start.as_bytes());
        text.extend_from_slice(bytes);
        text.push(b'\n');
    }
    text
}

fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn points_and_their_windows_survive_too() {
    let mut text = Vec::new();
    for number in 0_u64..40_000 {
        writeln!(text, "{} {number}", blake3::hash(&number.to_le_bytes()).to_hex()).unwrap();
    }
    let stored = gzipped(&text);
    let partial =
        read_object::<_, io::Error>(&stored[..], &ReadSettings::default(), &About::default(), |_, _| Ok(()));
    let partial = partial.unwrap();
    assert!(!partial.points.is_empty());
    assert_eq!(shipped(&partial), partial);
}

#[test]
fn settings_of_another_version_or_with_a_broken_group_are_refused() {
    let good = serde_json::to_value(settings("UTC", 1000)).unwrap();
    let read = |value: &serde_json::Value| serde_json::from_value::<ReadSettings>(value.clone());
    assert!(read(&good).is_ok());
    for (pointer, value) in [
        ("/custom/version", json!(0)),
        ("/custom/masks/0", json!("(")),
        ("/custom/rules/0/text", json!("(")),
        ("/parse/zone", json!("Nowhere/Land")),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).unwrap() = value;
        assert!(read(&bad).is_err(), "{pointer}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Each record of a line counts as a line, when it is told at once and when it has waited: for the first time of the object,
    /// or for the rest of a record.
    #[test]
    fn lines_are_events_continuations_and_what_is_unparsed(
        lines in prop::collection::vec(prop::sample::select(&SHAPES[..]), 0..12),
    ) {
        let text = lines.join("\n");
        let read = read_object::<_, std::io::Error>(text.as_bytes(), &ReadSettings::default(), &About::default(), |_, _| Ok(()));
        let LineCounts { total, events, continuation, unparsed, .. } = read.unwrap().lines;
        prop_assert_eq!(total, events + continuation + unparsed);
        prop_assert!(total >= text.lines().count() as u64);
    }
}

/// Lines with several records, records over several lines, and others; with times and without.
const SHAPES: [&str; 18] = [
    r#"{"level":"ERROR","msg":"a"}{"level":"ERROR","msg":"b"}"#,
    r#"{}{"level":"error"}"#,
    r#"[{"level":"info","msg":"a"},{"level":"warn","msg":"b"}]"#,
    r#"{"time":"2026-03-01T06:00:00Z","msg":"a"}{"time":"2026-03-01T06:00:01Z","msg":"b"}"#,
    r#"{"records":[{"level":"error","msg":"a"},{"level":"error","msg":"b"}]}"#,
    r#"{"log":"one\n","stream":"stdout"}"#,
    r#"{"log":"a part without its end","stream":"stdout"}"#,
    r#"{"log":"{\"level\":\"error\",","stream":"stdout"}"#,
    "2026-03-01T06:00:00.0Z stdout P half",
    "2026-03-01T06:00:00.0Z stdout F a line",
    "{",
    r#"  "level": "error","#,
    r#"  "msg": "printed over lines""#,
    "}",
    "java.lang.IllegalStateException: closed",
    "\tat com.example.Shop.buy(Shop.java:7)",
    "2026-03-01 06:00:00 ERROR lost",
    "no time at all",
];
