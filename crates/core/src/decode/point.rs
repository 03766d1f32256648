//! Access points: places within a gzip object where decoding can start, so that a line far inside can be read without
//! decoding everything before it. After Mark Adler's zran (zlib, examples/zran.c).

use std::io;

use super::inflate::WINDOW_BYTES;

/// The decoded bytes between two points, at the least. A window takes about 4 KB once compressed: 0.2 % of this.
const SPAN_BYTES: u64 = 2 << 20;
/// At this many points, every second one is dropped, and the distance doubles.
const MAX_POINTS: usize = 1024;
/// How hard windows are compressed: what zstd calls its default.
const LEVEL: i32 = 3;

/// A place between two blocks of deflate.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Point {
    /// The decoded bytes before it.
    pub decoded_at: u64,
    /// The stored bytes before it, the shared byte included.
    pub stored_at: u64,
    /// The stored byte before it,
    pub byte: u8,
    /// of which this many bits belong to what follows.
    pub bits: u8,
    /// The decoded bytes before it to which what follows may refer: a zstd frame with a checksum.
    #[serde(with = "crate::model::bytes::text")]
    pub window: Vec<u8>,
}

impl Point {
    /// Whether decoding goes on alike from both.
    pub fn leads_to(&self, other: &Self) -> bool {
        let place = |point: &Self| (point.decoded_at, point.stored_at, point.byte, point.bits);
        let window = |point: &Self| point.unpacked_window().ok();
        place(self) == place(other) && window(self).is_some() && window(self) == window(other)
    }

    /// Returns the decoded bytes before it.
    pub(super) fn unpacked_window(&self) -> io::Result<Vec<u8>> {
        zstd::bulk::decompress(&self.window, WINDOW_BYTES)
    }
}

/// The points of an object that is being decoded.
#[derive(Default)]
pub(super) struct Points {
    points: Vec<Point>,
    span_bytes: u64,
}

impl Points {
    pub(super) fn new() -> Self {
        Self { points: Vec::new(), span_bytes: SPAN_BYTES }
    }

    /// Whether a point is wanted at a boundary after this many decoded bytes.
    pub(super) fn wants(&self, decoded_bytes: u64) -> bool {
        decoded_bytes - self.points.last().map_or(0, |point| point.decoded_at) >= self.span_bytes
    }

    /// Adds a point, whose window is as it was decoded.
    pub(super) fn add(&mut self, point: &Point) -> io::Result<()> {
        let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
        compressor.include_checksum(true)?;
        let window = compressor.compress(&point.window)?;
        self.points.push(Point { window, ..*point });
        if self.points.len() == MAX_POINTS {
            let mut number = 0;
            self.points.retain(|_| {
                number += 1;
                number % 2 == 0
            });
            self.span_bytes *= 2;
        }
        Ok(())
    }

    pub(super) fn into_points(self) -> Vec<Point> {
        self.points
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::decode::{Decoder, Limits};

    /// Lines of a log, 9 MB.
    fn text() -> Vec<u8> {
        let mut text = Vec::new();
        for order in 0_u64.. {
            // A hash packs as badly as an id.
            let id = blake3::hash(&order.to_le_bytes()).to_hex();
            writeln!(text, "{} order {order} is late, again", &id[..16]).unwrap();
            if text.len() > 9 << 20 {
                break;
            }
        }
        text
    }

    fn gz(text: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn decoded(stored: &[u8]) -> (Vec<u8>, Vec<Point>) {
        let mut decoder = Decoder::new(stored, &Limits::default()).noting_points();
        let mut text = Vec::new();
        decoder.read_to_end(&mut text).unwrap();
        (text, decoder.take_points())
    }

    fn rest(stored: &[u8], point: &Point) -> Option<Vec<u8>> {
        let reader = &stored[point.stored_at as usize..];
        let mut rest = Vec::new();
        Decoder::resume(reader, &Limits::default(), point)?.read_to_end(&mut rest).unwrap();
        Some(rest)
    }

    #[test]
    fn from_every_point_the_rest_is_the_same() {
        let text = text();
        let two_members = [gz(&text[..5 << 20], 6), gz(&text[5 << 20..], 9)].concat();
        let many: Vec<u8> = text.chunks(100_000).flat_map(|part| gz(part, 6)).collect();
        // A member of 100 KB has one or two blocks: its start is not a point, but the ends of its blocks are.
        for (stored, least) in [
            // One block, as zlib-rs writes its fastest level.
            (gz(&text, 1), 0),
            (gz(&text, 6), 4),
            (gz(&text, 9), 4),
            (gz(&text, 0), 4),
            (two_members, 3),
            (many, 0),
        ] {
            let (whole, points) = decoded(&stored);
            assert!(whole == text);
            assert!(points.len() >= least, "{} points", points.len());
            for point in &points {
                assert!(rest(&stored, point).unwrap() == text[point.decoded_at as usize..]);
            }
            let all = [0].into_iter().chain(points.iter().map(|point| point.decoded_at));
            assert!(all.is_sorted_by(|a, b| a + SPAN_BYTES <= *b));
        }
    }

    #[test]
    fn a_point_that_was_changed_is_not_used() {
        let stored = gz(&text(), 6);
        let (_, points) = decoded(&stored);
        for at in [0, points[0].window.len() / 2, points[0].window.len() - 1] {
            let mut window = points[0].window.clone();
            window[at] ^= 0x10;
            assert_eq!(rest(&stored, &Point { window, ..points[0].clone() }), None);
        }
    }

    #[test]
    fn what_is_damaged_or_no_gzip_has_no_points() {
        let text = text();
        let mut stored = gz(&text, 6);
        stored.truncate(stored.len() - 3);
        assert_eq!(decoded(&stored).1, []);
        assert_eq!(decoded(&gz(&gz(&text, 0), 6)).1, []);
        assert_eq!(decoded(&text).1, []);
        assert_eq!(decoded(&zstd::bulk::compress(&text, 1).unwrap()).1, []);
    }

    #[test]
    fn many_points_lie_farther_apart() {
        let mut points = Points::new();
        let mut at = 0;
        for _ in 0..3000 {
            at += SPAN_BYTES;
            if points.wants(at) {
                let point = Point { decoded_at: at, stored_at: at, byte: 0, bits: 0, window: vec![7; 100] };
                points.add(&point).unwrap();
            }
        }
        let points = points.into_points();
        assert!((MAX_POINTS / 2..MAX_POINTS).contains(&points.len()), "{}", points.len());
        assert_eq!(points[1].decoded_at - points[0].decoded_at, 4 * SPAN_BYTES);
    }
}
