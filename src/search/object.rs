//! One object's decoded bytes for a search: read forward, and over what is not wanted by way of access points.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use crate::decode::{Decoder, Limits, Point};
use crate::ledger::GenerationRow;
use crate::mirror::Mirror;

/// Read ahead of a mirrored file.
const READ_BYTES: usize = 128 << 10;

/// The decoded bytes of an object.
pub(super) struct Object<'o> {
    mirror: &'o Mirror,
    row: &'o GenerationRow,
    limits: &'o Limits,
    points: &'o [Point],
    decoder: Decoder<BufReader<File>>,
    at: u64,
}

impl<'o> Object<'o> {
    pub(super) fn open(
        mirror: &'o Mirror,
        row: &'o GenerationRow,
        limits: &'o Limits,
        points: &'o [Point],
    ) -> io::Result<Self> {
        let decoder = Decoder::new(BufReader::with_capacity(READ_BYTES, file(mirror, row)?), limits);
        Ok(Self { mirror, row, limits, points, decoder, at: 0 })
    }

    /// Goes forward to a place, from the last point before it if there is one.
    pub(super) fn skip_to(&mut self, place: u64) -> io::Result<()> {
        let between = self.at + 1..=place;
        if let Some(point) = self.points.iter().rfind(|point| between.contains(&point.decoded_at)) {
            self.jump(point)?;
        }
        let left = place.saturating_sub(self.at);
        io::copy(&mut self.take(left), &mut io::sink())?;
        Ok(())
    }

    /// Begins at a point, unless that is not to be used.
    fn jump(&mut self, point: &Point) -> io::Result<()> {
        let mut file = file(self.mirror, self.row)?;
        file.seek(SeekFrom::Start(point.stored_at))?;
        let reader = BufReader::with_capacity(READ_BYTES, file);
        if let Some(decoder) = Decoder::resume(reader, self.limits, point) {
            (self.decoder, self.at) = (decoder, point.decoded_at);
        }
        Ok(())
    }
}

impl Read for Object<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = self.decoder.read(out)?;
        self.at += read as u64;
        Ok(read)
    }
}

fn file(mirror: &Mirror, row: &GenerationRow) -> io::Result<File> {
    let object = &row.object;
    mirror.open(&object.source, &object.key, object.generation)
}
