//! Bytes to members to lines: what is stored is the data itself or the data compressed, whole or with a byte changed.
//! Lines are numbered and add up, limits hold, and reads of any size give the same lines of gzip and plain bytes.
#![no_main]

use std::io::{self, BufReader, Read, Write};

use arbitrary::Arbitrary;
use flate2::Compression;
use flate2::write::GzEncoder;
use gzette_core::decode::{DAMAGES_KEPT, Decoder, Limits, Lines};
use gzette_fuzz::object::{ReadError, check_accounting};
use gzette_core::partial::{About, ReadSettings, read_object};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits =
    Limits { max_line_bytes: 100, max_decoded_bytes: 1 << 20, max_ratio: 1100, max_members: 500 };

/// How the data is stored.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
enum Wrap {
    AsItIs,
    Gzip,
    GzipInGzip,
    /// A member for each line.
    Members,
    Zstd,
}

#[derive(Arbitrary, Debug)]
struct Object<'a> {
    wrap: Wrap,
    /// Where a byte is changed, and how.
    broken: Option<(u16, u8)>,
    /// The sizes of the reads, in turn.
    reads: [u8; 3],
    data: &'a [u8],
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    lines: Vec<(Vec<u8>, u64, bool)>,
    reasons: Vec<String>,
    stretches: u64,
    decoded_bytes: u64,
}

fuzz_target!(|object: Object<'_>| {
    let mut stored = wrapped(object.wrap, object.data);
    let at = object.broken.map_or(0, |(at, _)| usize::from(at) % stored.len().max(1));
    let flip = object.broken.map_or(0, |(_, flip)| flip);
    if let Some(byte) = stored.get_mut(at) {
        *byte ^= flip;
    }
    let at_once = decode(&stored[..]);
    if !may_hold_zstd(&stored) {
        let drips = Drips { rest: &stored, sizes: object.reads, turn: 0 };
        assert_eq!(at_once, decode(BufReader::with_capacity(1, drips)), "reads of {:?}", object.reads);
    }
    if object.wrap != Wrap::AsItIs && flip == 0 && !is_compressed(object.data) {
        check_whole(&at_once, object.data);
    }
    if stored.len().is_multiple_of(4) {
        check_ingest(&stored, &at_once);
    }
});

fn wrapped(wrap: Wrap, data: &[u8]) -> Vec<u8> {
    match wrap {
        Wrap::AsItIs => data.to_vec(),
        Wrap::Gzip => gz(data),
        Wrap::GzipInGzip => gz(&gz(data)),
        Wrap::Members => data.split_inclusive(|&byte| byte == b'\n').flat_map(gz).collect(),
        Wrap::Zstd => zstd::encode_all(data, 1).expect("memory can be compressed"),
    }
}

fn gz(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(data).expect("memory can be written");
    encoder.finish().expect("memory can be written")
}

fn decode(reader: impl io::BufRead) -> Outcome {
    let mut lines = Lines::new(Decoder::new(reader, &LIMITS), LIMITS.max_line_bytes);
    let mut outcome = Outcome::default();
    let mut offset = 0;
    while let Some(line) = lines.next_line().expect("memory can be read") {
        assert_eq!(line.offset, offset);
        assert_eq!(line.number, outcome.lines.len() as u64 + 1);
        assert!(line.len_bytes >= 1);
        assert!(line.bytes.len() <= LIMITS.max_line_bytes);
        assert_eq!(line.truncated, line.len_bytes > line.bytes.len() as u64 + 1 || outrun(&line));
        offset += line.len_bytes;
        outcome.lines.push((line.bytes.to_vec(), line.len_bytes, line.truncated));
    }
    let decoder = lines.into_inner();
    assert_eq!(decoder.decoded_bytes(), offset, "lines and decoded bytes");
    assert!(offset <= LIMITS.max_decoded_bytes);
    assert!(decoder.damages().len() <= DAMAGES_KEPT);
    assert!(decoder.stretches() == 0 || decoder.damage().is_some());
    outcome.decoded_bytes = decoder.decoded_bytes();
    outcome.reasons = decoder.damages().iter().map(|damage| format!("{damage:?}")).collect();
    outcome.stretches = decoder.stretches();
    outcome
}

/// A last line without its newline that is one byte longer than the limit.
fn outrun(line: &gzette_core::model::RawLine<'_>) -> bool {
    line.truncated && line.len_bytes == LIMITS.max_line_bytes as u64 + 1
}

/// Intact data comes back line by line.
fn check_whole(outcome: &Outcome, data: &[u8]) {
    if data.len() as u64 > LIMITS.max_decoded_bytes
        || outcome.reasons.iter().any(|why| why.contains("members"))
    {
        return;
    }
    assert_eq!(outcome.reasons, [""; 0]);
    let lines = data.split_inclusive(|&byte| byte == b'\n');
    let expected: Vec<_> = lines
        .map(|line| {
            let text = line.strip_suffix(b"\n").unwrap_or(line);
            let kept = &text[..text.len().min(LIMITS.max_line_bytes)];
            (kept.to_vec(), line.len() as u64, kept.len() < text.len())
        })
        .collect();
    assert_eq!(outcome.lines, expected);
}

/// The ingest reads the same lines, and accounts for each of them.
fn check_ingest(stored: &[u8], outcome: &Outcome) {
    let settings = ReadSettings { limits: LIMITS, ..ReadSettings::default() };
    let (mut line, mut offset) = (1, 0);
    let partial = read_object::<_, ReadError>(stored, &settings, &About::default(), |block, _| {
        assert_eq!((block.first_line, block.offset), (line, offset));
        assert!(block.lines > 0);
        line += block.lines;
        offset += block.length;
        Ok(())
    });
    let partial = partial.expect("memory can be read");
    check_accounting(&partial);
    assert_eq!((line - 1, offset), (partial.lines.total, partial.decoded_bytes), "blocks and lines");
    assert_eq!(partial.lines.total, outcome.lines.len() as u64);
    assert_eq!(partial.decoded_bytes, outcome.decoded_bytes);
    assert_eq!(partial.lines.quarantined, outcome.stretches);
    assert_eq!(partial.lines.truncated, outcome.lines.iter().filter(|line| line.2).count() as u64);
}

fn is_compressed(data: &[u8]) -> bool {
    matches!(data, [0x1f, 0x8b, ..] | [0x1f]) || may_be_zstd(data)
}

/// A frame, a skippable frame, or a magic number that breaks off.
fn may_be_zstd(data: &[u8]) -> bool {
    let magic = [0x28, 0xb5, 0x2f, 0xfd];
    let head = &data[..data.len().min(4)];
    !head.is_empty() && magic.starts_with(head)
        || matches!(head, [first, rest @ ..] if first & 0xf0 == 0x50 && [0x2a, 0x4d, 0x18].starts_with(rest))
}

/// How much of a broken zstd block comes out before its decoder gives up depends on how it is fed. What is gzip
/// outside is asked through one more gzip: what holds a compression is then refused.
fn may_hold_zstd(stored: &[u8]) -> bool {
    if !is_compressed(stored) || may_be_zstd(stored) {
        return may_be_zstd(stored);
    }
    let stored_again = gz(stored);
    let mut decoder = Decoder::new(&stored_again[..], &LIMITS);
    let _ = io::copy(&mut decoder, &mut io::sink());
    let twice = decoder.damage().is_some_and(|damage| damage.reason == "compressed more than twice");
    twice && !matches!(first_bytes(stored).as_slice(), [0x1f, 0x8b, ..])
}

/// What the first intact member begins with.
fn first_bytes(stored: &[u8]) -> Vec<u8> {
    let mut head = Vec::new();
    let _ = flate2::read::MultiGzDecoder::new(stored).take(4).read_to_end(&mut head);
    head
}

/// A reader that gives at most so many bytes at a time, in turn.
struct Drips<'a> {
    rest: &'a [u8],
    sizes: [u8; 3],
    turn: usize,
}

impl Read for Drips<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let size = usize::from(self.sizes[self.turn % 3].max(1)).min(out.len());
        self.turn += 1;
        self.rest.read(&mut out[..size])
    }
}
