//! The decoder's and the line splitter's laws on small inputs; whole files are in `tests/it/decode.rs`.

use std::io::{BufReader, Read, Write};

use flate2::Compression as Strength;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;

/// What an object decodes to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    lines: Vec<String>,
    reasons: Vec<String>,
    stretches: u64,
}

fn gz(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Strength::default());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Returns a gzip file with a member a line.
fn members(lines: &[&str]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|line| gz(format!("{line}\n").as_bytes()))
        .collect()
}

fn decode_from(reader: impl BufRead, limits: &Limits) -> Outcome {
    let mut lines = Lines::new(Decoder::new(reader, limits), limits.max_line_bytes);
    let mut outcome = Outcome::default();
    let mut offset = 0;
    while let Some(line) = lines.next_line().unwrap() {
        assert_eq!(line.offset, offset);
        assert_eq!(line.number, outcome.lines.len() as u64 + 1);
        offset += line.len_bytes;
        outcome
            .lines
            .push(String::from_utf8_lossy(line.bytes).into_owned());
    }
    let decoder = lines.into_inner();
    assert_eq!(decoder.decoded_bytes(), offset);
    outcome.reasons = decoder
        .damages()
        .iter()
        .map(|damage| damage.reason.clone())
        .collect();
    outcome.stretches = decoder.stretches();
    outcome
}

fn decode(stored: &[u8]) -> Outcome {
    decode_from(stored, &Limits::default())
}

fn whole(lines: &[&str]) -> Outcome {
    Outcome {
        lines: lines.iter().map(|&line| line.to_owned()).collect(),
        ..Outcome::default()
    }
}

/// A reader that gives at most so many bytes at a time, in turn.
struct Drips<'a> {
    rest: &'a [u8],
    sizes: Vec<usize>,
    turn: usize,
}

impl Read for Drips<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes[self.turn % self.sizes.len()].min(out.len());
        self.turn += 1;
        self.rest
            .take(size as u64)
            .read(&mut out[..size])
            .inspect(|&read| self.rest = &self.rest[read..])
    }
}

#[test]
fn every_compression_gives_the_same_lines() {
    let text = b"one\ntwo\r\n\nlast";
    let lines = whole(&["one", "two\r", "", "last"]);
    let zstd = ::zstd::encode_all(&text[..], 3).unwrap();
    for stored in [text.to_vec(), gz(text), gz(&gz(text)), zstd.clone(), gz(&zstd)] {
        assert_eq!(decode(&stored), lines);
    }
}

#[test]
fn nothing_is_no_damage() {
    for stored in [vec![], gz(b""), [gz(b""), gz(b"")].concat(), gz(&gz(b""))] {
        assert_eq!(decode(&stored), Outcome::default());
    }
}
