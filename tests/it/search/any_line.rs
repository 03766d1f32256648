//! Any part of any line, in objects that are made up: what a search finds is what a scan finds.

use std::collections::BTreeMap;
use std::fmt;

use gzette_core::model::HOUR_MS;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index as Pick, select};

use super::Shelf;
use crate::support::{NOON_MS, event, lines_of};

/// A generated object.
#[derive(Clone)]
struct Made {
    app: &'static str,
    lines: Vec<Vec<u8>>,
    members: usize,
    has_last_newline: bool,
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {} members: \"{}\"", self.app, self.members, self.text().escape_ascii())
    }
}

impl Made {
    fn text(&self) -> Vec<u8> {
        let mut text = self.lines.join(&b'\n');
        if self.has_last_newline {
            text.push(b'\n');
        }
        text
    }
}

/// How a needle comes from a line.
#[derive(Clone, Copy, Debug)]
enum How {
    Cut,
    /// From inside an escape on.
    InEscape,
    AtWord,
    OneByte,
    Altered,
    OtherCase,
    Absent,
    /// Three parts of the line.
    Anded,
}

#[derive(Clone, Debug)]
struct Probe {
    how: How,
    line: Pick,
    places: [Pick; 3],
    length: usize,
}

impl Probe {
    fn needles(&self, held: &BTreeMap<String, Vec<u8>>) -> Vec<Vec<u8>> {
        let lines: Vec<_> = held.values().flat_map(|text| lines_of(text)).collect();
        let line = if lines.is_empty() { b"nothing".to_vec() } else { self.line.get(&lines).clone() };
        let line = if line.is_empty() { b"x".to_vec() } else { line };
        let cut = |at: usize| line[at..line.len().min(at + self.length)].to_vec();
        let [first, second, third] = self.places.map(|place| place.index(line.len()));
        let needle = match self.how {
            How::Cut => cut(first),
            How::InEscape => cut(after(&line, first, |byte| byte == b'\\') + second % 6),
            How::AtWord => cut(after(&line, first, |byte| !byte.is_ascii_alphanumeric())),
            How::OneByte => vec![line[first]],
            How::Altered => altered(cut(first), second, third),
            How::OtherCase => {
                cut(first).iter().map(|byte| byte ^ 0x20).filter(|&byte| byte != b'\n').collect()
            }
            How::Absent => b"zzz nowhere to be seen".to_vec(),
            How::Anded => return vec![cut(first), cut(second), cut(third)],
        };
        vec![needle]
    }
}

/// Returns the next place, from `from` on, of such a byte; the last place before the end otherwise.
fn after(line: &[u8], from: usize, is_wanted: impl Fn(u8) -> bool) -> usize {
    let at = line[from..].iter().position(|&byte| is_wanted(byte)).map_or(from, |at| from + at);
    at.min(line.len().saturating_sub(6))
}

fn altered(mut needle: Vec<u8>, at: usize, by: usize) -> Vec<u8> {
    let at = at % needle.len();
    needle[at] = b"aZ9\\\"u e.\xe9"[by % 10];
    needle
}

/// Pieces of lines: words that share parts, escapes whole and broken, what stands between.
const PIECES: [&[u8]; 52] = [
    b"order",
    b"Order",
    b"border",
    b"orders",
    b"or",
    b"error",
    b"timeout",
    b"id42",
    b"42",
    b"7",
    b"a",
    b"_",
    b"x_y",
    b"caf\xc3\xa9",
    b"na\xefve",
    b"\xff\xfe",
    b"\xf0\x9f\x98\x80",
    b" ",
    b" ",
    b".",
    b":",
    b"=",
    b"-",
    b"\t",
    b"\0",
    b"\\n",
    b"\\t",
    b"\\\"",
    b"\\\\",
    b"\\u00e9",
    b"\\ud83d\\ude00",
    b"\\u12",
    b"\\x",
    b"\\",
    b"\\r\\n",
    b"\\/",
    b"\\b",
    b"user=\\\"a b\\\"",
    b"Caused by: java.io.IOException",
    b"\\n\\tat com.acme",
    "‘basket’".as_bytes(),
    "order→shipped".as_bytes(),
    "timeout…".as_bytes(),
    "Ошибка".as_bytes(),
    "ошибка".as_bytes(),
    "\u{212a}".as_bytes(),
    "ſ".as_bytes(),
    "e\u{301}".as_bytes(),
    "⚠\u{fe0f}".as_bytes(),
    "字段".as_bytes(),
    b"\xe2\x80",
    b"\x99",
];

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    vec(select(&PIECES[..]), 0..14).prop_map(|pieces| pieces.concat())
}

fn word(lengths: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    (select(&b"abcXYZ019"[..]), lengths, pieces()).prop_map(|(byte, length, around)| {
        let word: Vec<u8> = (0..length).map(|place| byte + u8::from(place % 3 == 2)).collect();
        [around.as_slice(), &word, &around].concat()
    })
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let json =
        (0..3 * HOUR_MS, select(&["INFO", "WARN", "ERROR"][..]), pieces()).prop_map(|(ms, level, text)| {
            let line = event(NOON_MS - 3 * HOUR_MS + ms, level, "TEXT");
            let at = line.find("TEXT").unwrap();
            [&line.as_bytes()[..at], &text, line[at + 4..].trim_end().as_bytes()].concat()
        });
    let trace = select(
        &["\tat com.acme.Shop.buy(Shop.java:42)", "Caused by: java.io.IOException: x", "\t... 12 more"][..],
    );
    let bytes =
        vec(any::<u8>(), 0..60).prop_map(|bytes| bytes.into_iter().filter(|&byte| byte != b'\n').collect());
    let plain = prop_oneof![
        8 => json,
        4 => pieces(),
        2 => trace.prop_map(|line| line.as_bytes().to_vec()),
        1 => bytes,
        1 => Just(Vec::new()),
        1 => word(190..280),
        1 => (pieces(), 1..400_usize).prop_map(|(text, times)| text.repeat(times)),
    ];
    (plain, prop::bool::weighted(0.1)).prop_map(|(mut line, is_dos)| {
        line.extend(is_dos.then_some(b'\r'));
        line
    })
}

fn made() -> impl Strategy<Value = Made> {
    let app = select(&["api", "web"][..]);
    // Repeated, so that an object has several blocks.
    let lines = (vec(line(), 0..40), 1..12_usize).prop_map(|(lines, times)| {
        let numbered = (0..times).flat_map(|time| {
            lines.iter().map(move |line| if time % 2 == 0 { line.clone() } else { numbered(line, time) })
        });
        numbered.collect()
    });
    (app, lines, 1..5_usize, any::<bool>()).prop_map(|(app, lines, members, has_last_newline)| Made {
        app,
        lines,
        members,
        has_last_newline,
    })
}

fn numbered(line: &[u8], number: usize) -> Vec<u8> {
    [line, b"n", number.to_string().as_bytes()].concat()
}

fn probe() -> impl Strategy<Value = Probe> {
    use How::{Absent, Altered, Anded, AtWord, Cut, InEscape, OneByte, OtherCase};
    let how = select(
        &[Cut, Cut, Cut, InEscape, InEscape, AtWord, OneByte, Altered, Altered, OtherCase, Absent, Anded][..],
    );
    let length = prop_oneof![4 => 1..9_usize, 4 => 9..40_usize, 1 => 40..400_usize];
    (how, any::<Pick>(), any::<[Pick; 3]>(), length).prop_map(|(how, line, places, length)| Probe {
        how,
        line,
        places,
        length,
    })
}

/// The objects of a case, one that replaces the first, and what is searched.
fn case() -> impl Strategy<Value = (Vec<Made>, Made, Vec<Probe>)> {
    (vec(made(), 1..5), made(), vec(probe(), 10))
}

/// Over 10 cases with 10 probes at 6 points: 600 searches, as many counts.
#[test]
fn any_part_of_any_line_finds_what_a_scan_finds() {
    let config = ProptestConfig {
        cases: 10,
        failure_persistence: None,
        max_shrink_iters: 150,
        ..ProptestConfig::default()
    };
    proptest!(config, |((objects, replacement, probes) in case())| {
        let mut shelf = Shelf::new();
        let key = |number: usize| format!("{}/20260301/pod_{number}.gz", objects[number].app);
        shelf.put(&key(0), &objects[0].text(), objects[0].members);
        shelf.take_in();
        agree(&shelf, &probes)?;
        for (number, object) in objects.iter().enumerate().skip(1) {
            shelf.put(&key(number), &object.text(), object.members);
        }
        shelf.take_in();
        agree(&shelf, &probes)?;
        shelf.put(&key(0), &replacement.text(), replacement.members);
        shelf.sync();
        agree(&shelf, &probes)?; // what is not yet ingested is not found, what it replaces still is
        shelf.ingest();
        agree(&shelf, &probes)?;
        shelf.lose_index();
        agree(&shelf, &probes)?;
        shelf.ingest();
        agree(&shelf, &probes)?;
    });
}

fn agree(shelf: &Shelf, probes: &[Probe]) -> Result<(), TestCaseError> {
    probes.iter().try_for_each(|probe| shelf.agrees(&probe.needles(&shelf.held)))
}
