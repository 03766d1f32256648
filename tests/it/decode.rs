//! Objects as programs write them: by flate2, by `gzip`, appended to, cut and broken; read to lines and events.

#![expect(clippy::unwrap_used, reason = "helpers of tests, outside of the test functions")]

use std::fs;
use std::io::{BufReader, Write};
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::write::GzEncoder;
use gzette_core::decode::{Decoder, Limits, Lines};
use gzette_core::model::{Level, LineCounts};
use gzette_core::parse::{Format, ParseSettings, Parsed, Parser};

/// What an object holds.
#[derive(Debug, Default, PartialEq, Eq)]
struct Read {
    counts: LineCounts,
    errors: u64,
    damaged: bool,
    format: Option<Format>,
}

fn read(stored: &[u8]) -> Read {
    let limits = Limits::default();
    let mut lines = Lines::new(Decoder::new(stored, &limits), limits.max_line_bytes);
    let mut parser = Parser::new(&ParseSettings::default(), None);
    let mut found = Read::default();
    while let Some(line) = lines.next_line().unwrap() {
        found.counts.total += 1;
        match parser.parse(line.bytes) {
            Parsed::Event(event) => {
                found.counts.events += 1;
                found.counts.undated += u64::from(event.time_ms.is_none());
                found.errors += u64::from(event.level == Level::Error);
            }
            Parsed::Continuation => found.counts.continuation += 1,
            Parsed::Unparsed => found.counts.unparsed += 1,
        }
    }
    let decoder = lines.into_inner();
    found.counts.quarantined = decoder.stretches();
    found.damaged = decoder.damage().is_some();
    found.format = parser.format();
    found
}

fn gz(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Returns what `gzip` makes of `text`.
fn by_gzip(text: &[u8], arguments: &[&str]) -> Vec<u8> {
    let mut child = Command::new("gzip")
        .args(arguments)
        .arg("-c")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the test needs the `gzip` program");
    let mut stdin = child.stdin.take().unwrap();
    let text = text.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&text));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    output.stdout
}

fn fixture(name: &str) -> Vec<u8> {
    let path = format!("{}/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn counts(events: u64, continuation: u64, unparsed: u64) -> LineCounts {
    LineCounts {
        total: events + continuation + unparsed,
        events,
        continuation,
        unparsed,
        ..LineCounts::default()
    }
}

#[test]
fn every_fixture_is_read_in_its_format() {
    for (name, format, lines, errors) in [
        ("orders.json.log", Format::Json, counts(6, 0, 0), 2),
        ("fluent-bit.json.log", Format::Json, counts(3, 3, 0), 0),
        ("out_file.log", Format::OutFile, counts(3, 0, 0), 1),
        ("log4j.log", Format::Text, counts(3, 4, 0), 1),
        ("python.log", Format::Text, counts(2, 4, 0), 1),
        ("mixed.log", Format::Text, counts(3, 1, 1), 2),
    ] {
        let expected = Read { counts: lines, errors, damaged: false, format: Some(format) };
        let text = fixture(name);
        for stored in [text.clone(), gz(&text), by_gzip(&text, &["-9"]), by_gzip(&gz(&text), &["-1"])] {
            assert_eq!(read(&stored), expected, "{name}");
        }
    }
}

#[test]
fn appended_gzip_files_are_one_object() {
    let text = fixture("orders.json.log");
    let stored = [by_gzip(&text, &[]), gz(&text), by_gzip(&text, &["-1", "--name"])].concat();
    let found = read(&stored);
    assert_eq!((found.counts, found.damaged), (counts(18, 0, 0), false));
}

#[test]
fn a_member_a_line_reads_like_one_member() {
    let text: String = (0..20_000)
        .map(|number| ["{\"level\":\"error\",\"msg\":\"order ", &number.to_string(), "\"}\n"].concat())
        .collect();
    let members: Vec<u8> = text.split_inclusive('\n').flat_map(|line| gz(line.as_bytes())).collect();
    let found = read(&members);
    assert_eq!(found, read(&gz(text.as_bytes())));
    assert_eq!(
        (found.counts, found.errors),
        (LineCounts { undated: 20_000, ..counts(20_000, 0, 0) }, 20_000)
    );
}

#[test]
fn what_stands_before_and_behind_a_broken_member_is_kept() {
    let text = fixture("orders.json.log");
    let mut broken = by_gzip(&text.repeat(50), &[]);
    let middle = broken.len() / 2;
    broken[middle..middle + 40].fill(0xff);
    let stored = [gz(&text), broken, gz(&text)].concat();
    let found = read(&stored);
    assert!(found.damaged);
    assert!(found.counts.events >= 12, "{:?}", found.counts);
    assert_eq!(found.counts.total, found.counts.events + found.counts.continuation + found.counts.unparsed);
}

#[test]
fn an_upload_cut_short_keeps_what_came() {
    let text = fixture("orders.json.log").repeat(200);
    let stored = by_gzip(&text, &[]);
    let whole = read(&stored);
    let cut = read(&stored[..stored.len() * 3 / 4]);
    assert!(cut.damaged && !whole.damaged);
    assert_eq!(cut.counts.quarantined, 1);
    assert!(cut.counts.total > whole.counts.total / 2 && cut.counts.total < whole.counts.total);
}

/// `zcat` is the measure: the same bytes for what it accepts.
#[test]
fn small_reads_give_what_gzip_gives() {
    let text = [fixture("orders.json.log"), fixture("log4j.log")].concat().repeat(40);
    let stored = [by_gzip(&text, &["-6"]), by_gzip(&text, &["-1"])].concat();
    for capacity in [1, 13, 4096] {
        let mut decoder = Decoder::new(BufReader::with_capacity(capacity, &stored[..]), &Limits::default());
        let mut given = Vec::new();
        std::io::copy(&mut decoder, &mut given).unwrap();
        assert!(given == text.repeat(2), "reads of {capacity}");
        assert_eq!(decoder.damage(), None);
    }
}
