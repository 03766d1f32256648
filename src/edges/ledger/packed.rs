//! Counts and sightings, packed by generation (`partial::packed`), and the numbers that groups have in them.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, Params, Row, params};

use super::column::value;
use super::rows::{counted_group, group_id, unsigned};
use super::{Ledger, LedgerError, Result};
use gzette_core::model::{GenerationId, GroupId, Level, Slot};
use gzette_core::partial::Partial;
use gzette_core::partial::packed::{GroupNumber, GroupPart, Packed, Span, each_count, each_group, each_span};

/// A row of `counted` that gzette did not write so.
fn unreadable<E>(_: E) -> LedgerError {
    LedgerError::Unreadable { what: "counted" }
}

/// The groups by their numbers.
pub(super) struct Numbers {
    pub(super) groups: Vec<Option<GroupId>>,
}

impl Numbers {
    pub(super) fn read(connection: &Connection) -> Result<Self> {
        let mut statement =
            connection.prepare_cached("SELECT number, group_id FROM group_number ORDER BY number")?;
        let mut rows = statement.query([])?;
        let mut groups = vec![None];
        while let Some(row) = rows.next()? {
            groups.resize(row.get::<_, u32>(0)? as usize, None);
            groups.push(Some(group_id(row, 1)?));
        }
        Ok(Self { groups })
    }

    /// Returns a group by its number; `None` for events without one.
    pub(super) fn group(&self, number: GroupNumber) -> Result<Option<GroupId>> {
        let group = self.groups.get(number as usize).copied().flatten();
        if group.is_none() && number != 0 { Err(unreadable(())) } else { Ok(group) }
    }
}

/// Returns the number of a group, which it gets if it has none.
fn number_of(connection: &Connection, group: GroupId) -> Result<GroupNumber> {
    let id = group.bits() as i64;
    let insert = "INSERT INTO group_number (group_id) VALUES (?1) ON CONFLICT DO NOTHING";
    connection.prepare_cached(insert)?.execute([id])?;
    known_number(connection, group)?.ok_or_else(|| unreadable(()))
}

/// Returns the group of a number; `None` for events without one.
pub(super) fn group_of(connection: &Connection, number: GroupNumber) -> Result<Option<GroupId>> {
    if number == 0 {
        return Ok(None);
    }
    let mut select = connection.prepare_cached("SELECT group_id FROM group_number WHERE number = ?1")?;
    Ok(Some(select.query_row([number], |row| group_id(row, 0))?))
}

/// Returns the number of a group, if it has one.
pub(super) fn known_number(connection: &Connection, group: GroupId) -> Result<Option<GroupNumber>> {
    let mut select = connection.prepare_cached("SELECT number FROM group_number WHERE group_id = ?1")?;
    let mut rows = select.query([group.bits() as i64])?;
    Ok(rows.next()?.map(|row| row.get(0)).transpose()?)
}

type Parts = BTreeMap<GroupNumber, GroupPart>;

/// Writes the counts and the sightings of a generation, in place of those that are there.
pub(super) fn write(connection: &Connection, generation: GenerationId, partial: &Partial) -> Result<()> {
    let mut parts = Parts::new();
    for count in &partial.counts {
        let number = count.group.map_or(Ok(0), |group| number_of(connection, group))?;
        parts.entry(number).or_default().counts.push((count.level, count.slot, count.events));
    }
    for sighting in &partial.sightings {
        let (first, last) = (&sighting.first, &sighting.last);
        let span = Span {
            events: sighting.events,
            first: (first.time_ms, first.line),
            last: (last.time_ms, last.line),
        };
        parts.entry(number_of(connection, sighting.group.id)?).or_default().span = Some(span);
    }
    put(connection, generation.0, &parts)
}

fn put(connection: &Connection, generation: i64, parts: &Parts) -> Result<()> {
    let Packed { groups, counts, spans } = Packed::of(parts);
    let sql = "INSERT OR REPLACE INTO counted (generation_id, groups, counts, spans) VALUES (?1, ?2, ?3, ?4)";
    connection.prepare_cached(sql)?.execute(params![generation, groups, counts, spans])?;
    Ok(())
}

/// Calls `visit` with the sightings of one generation, in the order of the groups' numbers.
pub(super) fn spans_of(
    connection: &Connection,
    generation: GenerationId,
    visit: impl FnMut(GroupNumber, Span),
) -> Result<()> {
    let mut select =
        connection.prepare_cached("SELECT groups, spans FROM counted WHERE generation_id = ?1")?;
    let mut rows = select.query([generation.0])?;
    let Some(row) = rows.next()? else { return Ok(()) };
    each_span(bytes(row, 0)?, bytes(row, 1)?, visit).map_err(unreadable)
}

/// Calls `visit` with the counts in a row that has `groups` in a column and `counts` in the next.
pub(super) fn counts_in(
    row: &Row<'_>,
    column: usize,
    visit: impl FnMut(GroupNumber, Level, Slot, u64),
) -> Result<()> {
    let (groups, counts) = (bytes(row, column)?, bytes(row, column + 1)?);
    if counts.is_empty() {
        return Ok(());
    }
    each_count(groups, counts, visit).map_err(unreadable)
}

/// Calls `visit` with the sightings in a row that has `groups` in a column and `spans` in the next.
pub(super) fn spans_in(row: &Row<'_>, column: usize, visit: impl FnMut(GroupNumber, Span)) -> Result<()> {
    each_span(bytes(row, column)?, bytes(row, column + 1)?, visit).map_err(unreadable)
}

/// The bytes of a column; none for NULL.
fn bytes<'r>(row: &'r Row<'_>, column: usize) -> Result<&'r [u8]> {
    let bytes = row.get_ref(column)?.as_blob_or_null().map_err(unreadable)?;
    Ok(bytes.unwrap_or_default())
}

impl Ledger {
    /// Calls `visit` with each group that each generation holds; both are numbers of the ledger.
    pub(super) fn each_held(&self, mut visit: impl FnMut(i64, GroupNumber)) -> Result<()> {
        let mut select = self.connection.prepare_cached("SELECT generation_id, groups FROM counted")?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let generation = row.get(0)?;
            let groups = bytes(row, 1)?;
            each_group(groups, |number| visit(generation, number)).map_err(unreadable)?;
        }
        Ok(())
    }

    /// Returns which numbers of groups are in use.
    pub(super) fn held_numbers(&self) -> Result<Vec<bool>> {
        let mut held = Vec::new();
        self.each_held(|_, number| {
            let number = number as usize;
            if held.len() <= number {
                held.resize(number + 1, false);
            }
            held[number] = true;
        })?;
        Ok(held)
    }

    /// Returns the groups by their numbers.
    pub(super) fn numbers(&self) -> Result<Numbers> {
        Numbers::read(&self.connection)
    }
}

/// Whether a ledger still has its counts as rows, as older versions wrote them.
pub(super) fn has_rows(connection: &Connection) -> Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = 'count')";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

/// Packs what an older ledger has as rows, and drops these.
pub(super) fn pack_rows(connection: &mut Connection) -> Result<()> {
    if !has_rows(connection)? {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    pack_each(&transaction)?;
    transaction.execute_batch("DROP TABLE count; DROP TABLE sighting;")?;
    transaction.commit()?;
    shrink(connection);
    Ok(())
}

/// Gives the file back what the rows took. While another reads it, it stays as large, and is filled again.
fn shrink(connection: &Connection) {
    // Nothing depends on it: what fails here leaves the ledger as it was.
    let _ = connection.execute_batch("VACUUM");
}

/// Packs the same beside a ledger that is only read.
pub(super) fn pack_rows_beside(connection: &Connection) -> Result<()> {
    connection.execute_batch(
        "PRAGMA temp_store = MEMORY;
         CREATE TEMP TABLE group_number (number INTEGER PRIMARY KEY, group_id INTEGER NOT NULL UNIQUE);
         CREATE TEMP TABLE counted (
            generation_id INTEGER PRIMARY KEY, groups BLOB NOT NULL, counts BLOB NOT NULL, spans BLOB NOT NULL);",
    )?;
    pack_each(connection)
}

fn pack_each(connection: &Connection) -> Result<()> {
    connection.execute_batch("INSERT INTO group_number (group_id) SELECT id FROM error_group ORDER BY id")?;
    let mut numbers = HashMap::new();
    let mut select = connection.prepare("SELECT id FROM generation ORDER BY id")?;
    let generations = select.query_map([], |row| row.get(0))?;
    for generation in generations.collect::<rusqlite::Result<Vec<i64>>>()? {
        let parts = rows_of(connection, generation, &mut numbers)?;
        put(connection, generation, &parts)?;
    }
    Ok(())
}

/// Returns what an older ledger has of a generation.
fn rows_of(
    connection: &Connection,
    generation: i64,
    numbers: &mut HashMap<GroupId, GroupNumber>,
) -> Result<Parts> {
    let mut parts = Parts::new();
    let mut number_of = |group: GroupId| -> Result<GroupNumber> {
        if let Some(&number) = numbers.get(&group) {
            return Ok(number);
        }
        let number = number_of(connection, group)?;
        numbers.insert(group, number);
        Ok(number)
    };
    let sql = "SELECT group_id, level, slot, events FROM count WHERE generation_id = ?1
        ORDER BY group_id, level, slot";
    each_row(connection, sql, [generation], |row| {
        let number = counted_group(row, 0)?.map_or(Ok(0), &mut number_of)?;
        let count = (Level::from_number(row.get(1)?), value(row, 2)?, unsigned(row, 3)?);
        parts.entry(number).or_default().counts.push(count);
        Ok(())
    })?;
    let sql = "SELECT group_id, events, first_ms, first_line, last_ms, last_line FROM sighting
        WHERE generation_id = ?1";
    each_row(connection, sql, [generation], |row| {
        let span = Span {
            events: unsigned(row, 1)?,
            first: (value(row, 2)?, unsigned(row, 3)?),
            last: (value(row, 4)?, unsigned(row, 5)?),
        };
        parts.entry(number_of(group_id(row, 0)?)?).or_default().span = Some(span);
        Ok(())
    })?;
    Ok(parts)
}

fn each_row(
    connection: &Connection,
    sql: &str,
    values: impl Params,
    mut visit: impl FnMut(&Row<'_>) -> Result<()>,
) -> Result<()> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(values)?;
    while let Some(row) = rows.next()? {
        visit(row)?;
    }
    Ok(())
}
