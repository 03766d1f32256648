//! What groups were made by: which versions have to be read again, and which ids lead to others since.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rusqlite::{Connection, params};

use super::batch::{insert_counts, insert_sightings, mirrored_object};
use super::column::named;
use super::{Ingested, Ledger, MirroredObject, Result, migrations};
use gzette_core::model::{GenerationId, GroupId, Grouped};

/// The schema that brought it.
const SCHEMA: i64 = 6;

/// How often an id leads to another before the search ends.
const MAX_ALIASES: usize = 16;

/// By what a version was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// The parser's version.
    pub parser_version: u32,
    /// A number of all that groups depend on.
    pub grouping: i64,
}

impl Ledger {
    /// Returns counted versions in the mirror that were read by something else than `reading`, at most `limit`.
    pub fn outdated(&self, reading: Reading, limit: usize) -> Result<Vec<MirroredObject>> {
        let sql = format!(
            "{OUTDATED} AND generation.mirrored = 1 AND object.state IN ('mirrored', 'deleted')
                AND (generation.etag, generation.size_bytes) = (object.etag, object.size_bytes)
             ORDER BY object.day, source.name, object.key LIMIT ?3"
        );
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement
            .query_map(params![reading.parser_version, reading.grouping, limit as i64], |row| {
                Ok(mirrored_object(row))
            })?;
        rows.map(|row| row?).collect()
    }

    /// Returns counted versions that were grouped by something else than `reading` and are no longer in the mirror.
    pub fn outdated_and_pruned(&self, reading: Reading) -> Result<Vec<MirroredObject>> {
        let sql = format!(
            "{OUTDATED} AND generation.mirrored = 0 AND generation.grouping <> ?2 AND ?1 IS NOT NULL"
        );
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement
            .query_map(params![reading.parser_version, reading.grouping], |row| Ok(mirrored_object(row)))?;
        rows.map(|row| row?).collect()
    }

    /// Returns the lines that begin the latest event of each group in a version, in order.
    pub fn sample_lines(&self, generation: GenerationId) -> Result<Vec<u64>> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT last_line FROM sighting WHERE generation_id = ?1 ORDER BY last_line")?;
        let rows = statement.query_map([generation.0], |row| row.get::<_, i64>(0))?;
        Ok(rows.map(|line| line.map(|line| line as u64)).collect::<rusqlite::Result<_>>()?)
    }

    /// Replaces the groups of a version whose file is gone; `item.partial.answers` says what became of its samples.
    pub fn regroup(&mut self, item: &Ingested, grouping: i64) -> Result<()> {
        let transaction = self.connection.transaction()?;
        let generation = item.object.generation;
        rename_groups(&transaction, generation, &item.partial.answers)?;
        transaction.execute("DELETE FROM sighting WHERE generation_id = ?1", [generation.0])?;
        transaction.execute("DELETE FROM count WHERE generation_id = ?1", [generation.0])?;
        insert_sightings(&transaction, item)?;
        insert_counts(&transaction, item)?;
        transaction
            .execute("UPDATE generation SET grouping = ?2 WHERE id = ?1", params![generation.0, grouping])?;
        Ok(transaction.commit()?)
    }

    /// Takes versions grouped by `from` as grouped by `to`, but for `touched` ones, and sets a fact; all or nothing.
    pub fn take_grouping_over(
        &mut self,
        (from, to): (i64, i64),
        touched: &HashSet<GenerationId>,
        (fact, value): (&str, &str),
    ) -> Result<()> {
        let transaction = self.connection.transaction()?;
        {
            let mut select = transaction.prepare("SELECT id FROM generation WHERE grouping = ?1")?;
            let ids = select.query_map([from], |row| row.get(0).map(GenerationId))?;
            let ids: Vec<_> = ids.collect::<rusqlite::Result<_>>()?;
            let mut update = transaction.prepare("UPDATE generation SET grouping = ?2 WHERE id = ?1")?;
            for id in ids.into_iter().filter(|id| !touched.contains(id)) {
                update.execute(params![id.0, to])?;
            }
        }
        transaction.execute("INSERT OR REPLACE INTO fact (name, value) VALUES (?1, ?2)", [fact, value])?;
        Ok(transaction.commit()?)
    }

    /// Has every version read again, from the mirror where it is there.
    pub fn outdate_all(&mut self) -> Result<()> {
        self.connection.execute("UPDATE generation SET grouping = 0", [])?;
        Ok(())
    }

    /// Returns the versions with errors.
    pub fn generations_with_errors(&self) -> Result<HashSet<GenerationId>> {
        self.generations_where("SELECT DISTINCT generation_id FROM sighting", [])
    }

    /// Returns the versions with events of the groups whose template is `template`, or begins with it and a newline.
    pub fn generations_with_template(&self, template: &str) -> Result<HashSet<GenerationId>> {
        let sql = "SELECT DISTINCT generation_id FROM sighting
            JOIN error_group ON error_group.id = sighting.group_id
            WHERE template = ?1 OR substr(template, 1, length(?1) + 1) = ?1 || char(10)";
        self.generations_where(sql, [template])
    }

    fn generations_where(&self, sql: &str, params: impl rusqlite::Params) -> Result<HashSet<GenerationId>> {
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map(params, |row| row.get(0).map(GenerationId))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns the groups with events: ids, kinds and templates; the titles are left out.
    pub fn groups_described(&self) -> Result<Vec<Grouped>> {
        let mut statement = self.connection.prepare(
            "SELECT id, kind, template FROM error_group
             WHERE EXISTS (SELECT 1 FROM sighting WHERE group_id = error_group.id) ORDER BY id",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(Grouped {
                id: group(row.get(0)?),
                kind: named(row, 1)?,
                title: String::new(),
                template: row.get(2)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns where ids of groups that have no events any more lead: to the group that most of their events went to.
    pub fn group_aliases(&self) -> Result<BTreeMap<GroupId, GroupId>> {
        if !has_grouping(&self.connection)? {
            return Ok(BTreeMap::new());
        }
        let mut statement = self
            .connection
            .prepare("SELECT old_id, new_id FROM group_alias ORDER BY old_id, events, new_id DESC")?;
        let rows = statement.query_map([], |row| Ok((group(row.get(0)?), group(row.get(1)?))))?;
        let next: BTreeMap<_, _> = rows.collect::<rusqlite::Result<_>>()?;
        if next.is_empty() {
            return Ok(next);
        }
        let mut statement = self.connection.prepare("SELECT DISTINCT group_id FROM sighting")?;
        let live = statement.query_map([], |row| row.get(0).map(group))?;
        let live: BTreeSet<GroupId> = live.collect::<rusqlite::Result<_>>()?;
        let leads_to = |old: GroupId| {
            let steps = std::iter::successors(Some(old), |id| next.get(id).copied());
            steps.take(MAX_ALIASES).find(|id| live.contains(id))
        };
        let dead = next.keys().filter(|old| !live.contains(old));
        Ok(dead.filter_map(|&old| Some((old, leads_to(old)?))).collect())
    }
}

/// Versions that were read by something else than (?1, ?2).
const OUTDATED: &str = "
    SELECT object.id, source.name, object.key, generation.etag, generation.size_bytes, app.name, object.day
    FROM generation JOIN object ON object.id = generation.object_id
    JOIN source ON source.id = object.source_id JOIN app ON app.id = generation.app_id
    WHERE (generation.parser_version <> ?1 OR generation.grouping <> ?2)";

fn group(id: i64) -> GroupId {
    GroupId::from_bits(id as u64)
}

/// Notes which ids the groups of a version have now, from the groups of their latest events. `answers` is by line.
pub(super) fn rename_groups(
    connection: &Connection,
    generation: GenerationId,
    answers: &[(u64, GroupId)],
) -> Result<()> {
    let mut select = connection
        .prepare_cached("SELECT group_id, last_line, events FROM sighting WHERE generation_id = ?1")?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO group_alias (old_id, new_id, events) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET events = events + excluded.events",
    )?;
    let mut forget = connection.prepare_cached("DELETE FROM group_alias WHERE old_id = ?1")?;
    let mut rows = select.query([generation.0])?;
    while let Some(row) = rows.next()? {
        let (old, line, events): (i64, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let Ok(at) = answers.binary_search_by_key(&(line as u64), |answer| answer.0) else { continue };
        let new = answers[at].1.bits() as i64;
        if new != old {
            insert.execute([old, new, events])?;
            // It has events: it leads nowhere else.
            forget.execute([new])?;
        }
    }
    Ok(())
}

/// Whether the file is of a version that knows what groups were made by: what only reads does not change an older one.
fn has_grouping(connection: &Connection) -> Result<bool> {
    Ok(migrations::version(connection)? >= SCHEMA)
}

/// The column of [`Reading::grouping`], 0 where there is none yet.
pub(super) fn grouping_column(connection: &Connection) -> Result<&'static str> {
    Ok(if has_grouping(connection)? { "generation.grouping" } else { "0" })
}
