//! One object's decoded bytes for a search: read forward, skipping unwanted parts with access points, and checked
//! against what was counted before they are used.

use std::io::{self, Read};

use super::fetch::{Rotten, Stored, StoredBytes};
use super::range::Range;
use crate::edges::ledger::GenerationRow;
use gzette_core::decode::{Decoder, Limits, Point};

/// Bytes that are only checked are read in pieces of this size.
const CHECKED_BYTES: usize = 64 << 10;

/// The decoded bytes of an object.
pub(super) struct Object<'o> {
    bytes: StoredBytes,
    row: &'o GenerationRow,
    limits: &'o Limits,
    points: &'o [Point],
    decoder: Decoder<Stored>,
    at: u64,
    /// The checksum of what was read so far, if the whole object must be read. Blocks have their own.
    hasher: Option<blake3::Hasher>,
    /// Where blocks are checked ahead: it goes forward only, so that each byte is decoded once more at the most.
    ahead: Option<Box<Self>>,
}

impl<'o> Object<'o> {
    /// Returns an object at its beginning.
    pub(super) fn new(
        bytes: StoredBytes,
        row: &'o GenerationRow,
        limits: &'o Limits,
        points: &'o [Point],
    ) -> Self {
        let decoder = Decoder::new(bytes.reader(0), limits);
        Self { bytes, row, limits, points, decoder, at: 0, hasher: None, ahead: None }
    }

    /// Checks the bytes as a whole, since no blocks are known: see [`Object::check_end`].
    pub(super) fn checked_whole(self) -> Self {
        Self { hasher: Some(blake3::Hasher::new()), ..self }
    }

    /// Returns it once more at its beginning, to be read by way of other points.
    pub(super) fn again(&self, points: &'o [Point]) -> Self {
        Self::new(self.bytes.clone(), self.row, self.limits, points)
    }

    /// Goes forward to a place, from the last point before it if there is one.
    pub(super) fn skip_to(&mut self, place: u64) -> io::Result<()> {
        let before = self.points.partition_point(|point| point.decoded_at <= place);
        // Only ahead: to a point behind, everything up to the place would be decoded once more.
        if let Some(point) = self.points[..before].last().filter(|point| point.decoded_at > self.at) {
            self.jump(point);
        }
        let left = place.saturating_sub(self.at);
        io::copy(&mut self.take(left), &mut io::sink())?;
        Ok(())
    }

    /// Begins at a point, unless that is not to be used.
    fn jump(&mut self, point: &Point) {
        let stored = self.bytes.reader(point.stored_at);
        if let Some(decoder) = Decoder::resume(stored, self.limits, point) {
            (self.decoder, self.at) = (decoder, point.decoded_at);
        }
    }

    /// Reads adjoining blocks that begin here into `out`, which has their length. Nothing of them is to be used on an
    /// error. They are read in one go: the decoder copies a window of 32 KiB at the end of each read.
    pub(super) fn read_blocks(&mut self, blocks: &[Range], out: &mut [u8]) -> io::Result<()> {
        let length = read_full(self, out)?;
        let mut rest = &out[..length];
        let mut is_right = |block: &Range| {
            let bytes = rest.split_off(..block.length() as usize);
            bytes.is_some_and(|bytes| block.crc().is_none_or(|crc| crc == crc32fast::hash(bytes)))
        };
        if blocks.iter().all(&mut is_right) { Ok(()) } else { Err(io::Error::other(Rotten)) }
    }

    /// Checks a block that is too long to be held, before it is read.
    pub(super) fn check_ahead(&mut self, block: &Range) -> io::Result<()> {
        let Some(crc) = block.crc() else { return Ok(()) };
        let (start, end) = block.bytes();
        // The pass ahead goes on where it was, as the checks of a search come in order; only a place behind
        // it needs a new one.
        let kept = self.ahead.take().filter(|ahead| ahead.at <= start);
        let mut object = kept.unwrap_or_else(|| Box::new(self.again(self.points)));
        object.skip_to(start)?;
        let mut hasher = crc32fast::Hasher::new();
        each_piece(&mut object.by_ref().take(end - start), |piece| hasher.update(piece))?;
        let is_right = object.at == end && hasher.finalize() == crc;
        self.ahead = Some(object);
        if is_right { Ok(()) } else { Err(io::Error::other(Rotten)) }
    }

    /// Checks an object that has been read to its end, where it is checked as a whole.
    pub(super) fn check_end(&mut self) -> io::Result<()> {
        if self.hasher.is_some() {
            each_piece(&mut *self, |_| {})?;
        }
        self.compare()
    }

    /// Checks the rest of an object before it is used. What is read later is not checked again.
    pub(super) fn check_all(&mut self) -> io::Result<()> {
        if self.hasher.take().is_some() {
            self.again(&[]).checked_whole().check_end()?;
        }
        Ok(())
    }

    fn compare(&mut self) -> io::Result<()> {
        match self.hasher.take() {
            Some(hasher) if *hasher.finalize().as_bytes() != self.row.checksum => {
                Err(io::Error::other(Rotten))
            }
            _ => Ok(()),
        }
    }
}

impl Read for Object<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.decoder.read(out)?;
        self.at += read as u64;
        if let Some(hasher) = &mut self.hasher {
            hasher.update(&out[..read]);
        }
        Ok(read)
    }
}

/// Reads to the end and hands over each piece.
fn each_piece(reader: &mut impl Read, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut piece = vec![0; CHECKED_BYTES];
    loop {
        let length = read_full(reader, &mut piece)?;
        take(&piece[..length]);
        if length < piece.len() {
            return Ok(());
        }
    }
}

/// Reads until `out` is full or all is read; returns how much that was.
pub(super) fn read_full(reader: &mut impl Read, out: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < out.len() {
        match reader.read(&mut out[length..]) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::super::plan::tests::row;
    use super::*;
    use gzette_core::partial::Block;

    const BLOCK: &[u8] = b"a block of one line\n";

    fn block(number: u64, crc: u32) -> Range {
        let length = BLOCK.len() as u64;
        let first_line = number + 1;
        Range::Block(Block { first_line, lines: 1, offset: number * length, length, crc, ..Block::default() })
    }

    #[test]
    fn long_blocks_are_checked_ahead_without_beginning_again() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&BLOCK.repeat(3)).unwrap();
        let bytes = StoredBytes::Fetched(encoder.finish().unwrap().into());
        let (row, limits, crc) = (row(1, 0), Limits::default(), crc32fast::hash(BLOCK));
        let mut object = Object::new(bytes.clone(), &row, &limits, &[]);
        object.check_ahead(&block(0, crc)).unwrap();
        // Where nothing can be opened, only a reader that goes on finds the next blocks.
        object.bytes = StoredBytes::Fetched([].into());
        object.check_ahead(&block(1, crc)).unwrap();
        object.check_ahead(&block(2, crc + 1)).unwrap_err();
        object.bytes = bytes;
        object.check_ahead(&block(0, crc)).unwrap();
    }
}
