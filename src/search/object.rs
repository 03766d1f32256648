//! One object's decoded bytes for a search: read forward, and over what is not wanted by way of access points.

use std::io::{self, Read, Seek, SeekFrom};
use std::sync::Arc;

use crate::decode::{Decoder, Limits, Point};
use crate::ledger::GenerationRow;

use super::fetch::{Stock, Stored};

/// The decoded bytes of an object.
pub(super) struct Object<'o> {
    stock: Stock<'o>,
    fetched: Option<Arc<[u8]>>,
    row: &'o GenerationRow,
    limits: &'o Limits,
    points: &'o [Point],
    decoder: Decoder<Stored>,
    at: u64,
}

impl<'o> Object<'o> {
    pub(super) fn open(
        stock: Stock<'o>,
        row: &'o GenerationRow,
        limits: &'o Limits,
        points: &'o [Point],
    ) -> io::Result<Self> {
        let stored = stock.open(&row.object)?;
        let fetched = stored.fetched();
        let decoder = Decoder::new(stored, limits);
        Ok(Self { stock, fetched, row, limits, points, decoder, at: 0 })
    }

    /// Opens it once more at its beginning, to be read by way of other points.
    pub(super) fn again(&self, points: &'o [Point]) -> io::Result<Self> {
        let stored = self.stock.reopen(&self.row.object, self.fetched.as_ref())?;
        let decoder = Decoder::new(stored, self.limits);
        let fetched = self.fetched.clone();
        Ok(Self { fetched, points, decoder, at: 0, ..*self })
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
        let mut stored = self.stock.reopen(&self.row.object, self.fetched.as_ref())?;
        stored.seek(SeekFrom::Start(point.stored_at))?;
        if let Some(decoder) = Decoder::resume(stored, self.limits, point) {
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
