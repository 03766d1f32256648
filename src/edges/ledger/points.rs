//! Access points of objects: written with their batch, read by searches.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::rows::unsigned;
use super::schema::Added;
use super::{Ledger, Result};
use gzette_core::decode::Point;
use gzette_core::model::GenerationId;

const COLUMNS: &str = "SELECT decoded_at, stored_at, byte, bits, window FROM point WHERE generation_id = ?1";

impl Ledger {
    /// Returns the last point of a generation after `after` and not beyond `at`.
    pub fn point_between(&self, generation: GenerationId, after: u64, at: u64) -> Result<Option<Point>> {
        if !self.has(Added::Points) {
            return Ok(None);
        }
        let sql =
            format!("{COLUMNS} AND decoded_at > ?2 AND decoded_at <= ?3 ORDER BY decoded_at DESC LIMIT 1");
        let mut statement = self.connection.prepare_cached(&sql)?;
        Ok(statement.query_row(params![generation.0, after as i64, at as i64], point).optional()?)
    }

    pub(super) fn stored_points(&self, generation: GenerationId) -> Result<Vec<Point>> {
        if !self.has(Added::Points) {
            return Ok(Vec::new());
        }
        let mut statement = self.connection.prepare_cached(&format!("{COLUMNS} ORDER BY decoded_at"))?;
        let points = statement.query_map([generation.0], point)?;
        Ok(points.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns the places of a generation's points in its decoded bytes.
    pub fn point_places(&self, generation: GenerationId) -> Result<Vec<u64>> {
        if !self.has(Added::Points) {
            return Ok(Vec::new());
        }
        let sql = "SELECT decoded_at FROM point WHERE generation_id = ?1 ORDER BY decoded_at";
        let mut statement = self.connection.prepare_cached(sql)?;
        let places = statement.query_map([generation.0], |row| unsigned(row, 0))?;
        Ok(places.collect::<rusqlite::Result<_>>()?)
    }
}

pub(super) fn insert_points(
    connection: &Connection,
    generation: GenerationId,
    points: &[Point],
) -> Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO point (generation_id, decoded_at, stored_at, byte, bits, window) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for Point { decoded_at, stored_at, byte, bits, window } in points {
        statement.execute(params![
            generation.0,
            *decoded_at as i64,
            *stored_at as i64,
            byte,
            bits,
            window
        ])?;
    }
    Ok(())
}

fn point(row: &Row<'_>) -> rusqlite::Result<Point> {
    Ok(Point {
        decoded_at: unsigned(row, 0)?,
        stored_at: unsigned(row, 1)?,
        byte: row.get(2)?,
        bits: row.get(3)?,
        window: row.get(4)?,
    })
}
