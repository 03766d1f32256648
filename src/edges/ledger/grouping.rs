//! What groups were made by: which versions have to be read again, and which ids lead to others since.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rusqlite::{Connection, Row, params};

use super::column::value;
use super::facts::set_fact;
use super::partials::insert_groups;
use super::rows::{group_id, object_version};
use super::schema::Added;
use super::{Ledger, Result, packed, samples};
use gzette_core::model::{GenerationId, GroupId, Grouped, ObjectVersion};
use gzette_core::partial::packed::Span;
use gzette_core::partial::{Ingested, Reading};

/// How often an id leads to another before the search ends.
const MAX_ALIASES: usize = 16;

impl Ledger {
    /// Returns counted versions in the mirror that were not read by `reading`, at most `limit`.
    pub fn outdated(&self, reading: Reading, limit: usize) -> Result<Vec<ObjectVersion>> {
        let values = params![reading.grouping, reading.parser_version, limit as i64];
        let mut statement = self.connection.prepare(&outdated())?;
        let rows = statement.query_map(values, |row| Ok(object_version(row)))?;
        rows.map(|row| row?).collect()
    }

    /// Returns counted versions that were not grouped by `grouping` and are no longer in the mirror.
    pub fn outdated_and_pruned(&self, grouping: i64) -> Result<Vec<ObjectVersion>> {
        let sql = format!("{COUNTED} WHERE generation.id IN ({OTHER_GROUPING}) AND generation.mirrored = 0");
        let mut statement = self.connection.prepare(&sql)?;
        let rows = statement.query_map([grouping], |row| Ok(object_version(row)))?;
        rows.map(|row| row?).collect()
    }

    /// Returns the lines that begin the latest event of each group in a version, in order.
    pub fn sample_lines(&self, generation: GenerationId) -> Result<Vec<u64>> {
        let mut lines = Vec::new();
        packed::spans_of(&self.connection, generation, |_, span| lines.push(span.last.1))?;
        lines.sort_unstable();
        Ok(lines)
    }

    /// Replaces the groups of a version whose file is gone; `item.partial.answers` says what became of its samples.
    pub fn regroup(&mut self, item: &Ingested) -> Result<()> {
        let transaction = self.connection.transaction()?;
        let generation = item.object.generation;
        // First, while the sightings that it asks are still there.
        rename_groups(&transaction, generation, &item.partial.answers)?;
        let gone = samples::take(&transaction, generation.0)?;
        insert_groups(&transaction, item)?;
        samples::choose(&transaction, std::slice::from_ref(item), &gone)?;
        set_grouping(&transaction, generation, item.reading.grouping)?;
        Ok(transaction.commit()?)
    }

    /// Takes versions grouped by `from` as grouped by `to`, except `touched` ones, and sets a fact; all or nothing.
    pub fn take_grouping_over(
        &mut self,
        (from, to): (i64, i64),
        touched: &HashSet<GenerationId>,
        (fact, value): (&str, &str),
    ) -> Result<()> {
        let transaction = self.connection.transaction()?;
        for id in grouped_by(&transaction, from)?.into_iter().filter(|id| !touched.contains(id)) {
            set_grouping(&transaction, id, to)?;
        }
        set_fact(&transaction, fact, value)?;
        Ok(transaction.commit()?)
    }

    /// Marks every version to be read again, from the mirror where its file is there.
    pub fn outdate_all(&mut self) -> Result<()> {
        self.connection.execute("UPDATE generation SET grouping = 0", [])?;
        Ok(())
    }

    /// Returns the groups with events: ids, kinds and templates; the titles are left out.
    pub fn groups_described(&self) -> Result<Vec<Grouped>> {
        let held = self.held_numbers()?;
        let mut statement = self.connection.prepare(
            "SELECT id, kind, template, number FROM error_group JOIN group_number ON group_id = id ORDER BY id",
        )?;
        let mut rows = statement.query([])?;
        let mut groups = Vec::new();
        while let Some(row) = rows.next()? {
            if held.get(row.get::<_, u32>(3)? as usize) == Some(&true) {
                groups.push(described_group(row)?);
            }
        }
        Ok(groups)
    }

    /// Returns where ids of groups that have no events any more lead: to the group that most of their events went to.
    pub fn group_aliases(&self) -> Result<BTreeMap<GroupId, GroupId>> {
        if !self.has(Added::Grouping) {
            return Ok(BTreeMap::new());
        }
        let next = self.next_ids()?;
        if next.is_empty() {
            return Ok(next);
        }
        let live = self.live_groups()?;
        // Rules may change and change back, so ids can lead round in a circle: hence the bound.
        let leads_to = |old: GroupId| {
            let steps = std::iter::successors(Some(old), |id| next.get(id).copied());
            steps.take(MAX_ALIASES).find(|id| live.contains(id))
        };
        let dead = next.keys().filter(|old| !live.contains(old));
        Ok(dead.filter_map(|&old| Some((old, leads_to(old)?))).collect())
    }

    /// Returns to which id most events of each earlier one went; that may lead on.
    fn next_ids(&self) -> Result<BTreeMap<GroupId, GroupId>> {
        // The last row of an old id wins when they are collected: most events, and of equals the smaller id, in
        // whatever order they were written.
        let sql = "SELECT old_id, new_id FROM group_alias ORDER BY old_id, events, new_id DESC";
        let mut statement = self.connection.prepare(sql)?;
        let rows = statement.query_map([], |row| Ok((group_id(row, 0)?, group_id(row, 1)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn live_groups(&self) -> Result<BTreeSet<GroupId>> {
        let numbers = self.numbers()?;
        let held = self.held_numbers()?.into_iter().zip(0..).filter(|&(is_held, _)| is_held);
        let groups = held.map(|(_, number)| numbers.group(number)).collect::<Result<Vec<_>>>()?;
        Ok(groups.into_iter().flatten().collect())
    }
}

/// Counted versions, with the columns of [`object_version`].
const COUNTED: &str = "
    SELECT source.name, object.key, generation.etag, generation.size_bytes, app.name, object.day
    FROM generation JOIN object ON object.id = generation.object_id
    JOIN source ON source.id = object.source_id JOIN app ON app.id = generation.app_id";

/// Returns the query of [`Ledger::outdated`].
pub(super) fn outdated() -> String {
    format!(
        "{COUNTED} WHERE generation.id IN ({OTHER_GROUPING}
                  UNION ALL SELECT id FROM generation WHERE grouping = ?1 AND parser_version < ?2
                  UNION ALL SELECT id FROM generation WHERE grouping = ?1 AND parser_version > ?2)
                AND generation.mirrored = 1 AND object.state IN ('mirrored', 'deleted')
                AND (generation.etag, generation.size_bytes) = (object.etag, object.size_bytes)
             ORDER BY object.day, source.name, object.key LIMIT ?3"
    )
}

/// Versions that were not grouped by the first parameter. An index is searched for each part, so that a run with nothing to
/// do looks at none.
const OTHER_GROUPING: &str = "
    SELECT id FROM generation WHERE grouping < ?1 UNION ALL SELECT id FROM generation WHERE grouping > ?1";

fn described_group(row: &Row<'_>) -> rusqlite::Result<Grouped> {
    Ok(Grouped { id: group_id(row, 0)?, kind: value(row, 1)?, title: String::new(), template: row.get(2)? })
}

fn grouped_by(connection: &Connection, grouping: i64) -> Result<Vec<GenerationId>> {
    let mut select = connection.prepare_cached("SELECT id FROM generation WHERE grouping = ?1")?;
    let ids = select.query_map([grouping], |row| row.get(0).map(GenerationId))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

fn set_grouping(connection: &Connection, generation: GenerationId, grouping: i64) -> Result<()> {
    let sql = "UPDATE generation SET grouping = ?2 WHERE id = ?1";
    connection.prepare_cached(sql)?.execute(params![generation.0, grouping])?;
    Ok(())
}

/// Notes which ids the groups of a version have now, from the groups of their latest events. `answers` is by line.
pub(super) fn rename_groups(
    connection: &Connection,
    generation: GenerationId,
    answers: &[(u64, GroupId)],
) -> Result<()> {
    let mut spans = Vec::new();
    packed::spans_of(connection, generation, |number, span| spans.push((number, span)))?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO group_alias (old_id, new_id, events) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET events = events + excluded.events",
    )?;
    let mut forget = connection.prepare_cached("DELETE FROM group_alias WHERE old_id = ?1")?;
    for (number, Span { events, last: (_, line), .. }) in spans {
        let old = packed::group_of(connection, number)?.map_or(0, |group| group.bits() as i64);
        // Its latest event begins no error by these rules: nothing says where the group went.
        let Ok(at) = answers.binary_search_by_key(&line, |answer| answer.0) else { continue };
        let new = answers[at].1.bits() as i64;
        if new != old {
            insert.execute([old, new, events as i64])?;
            // An id with events does not lead to another.
            forget.execute([new])?;
        }
    }
    Ok(())
}
