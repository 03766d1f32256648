//! What a changed configuration makes of known objects: another place, another name of their source, another reading, or
//! none at all.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, Transaction, params};

use super::column::value;
use super::duplicates::mark_duplicates;
use super::facts::set_fact;
use super::generations::delete_generation;
use super::objects::app_id;
use super::rows::{listed_day, unsigned};
use super::sources::SourceRow;
use super::{Ledger, Result};
use gzette_core::model::{AppName, Day, GenerationId, ObjectKey, SourceName, UtcMs, rank};

/// The fact that a source is being renamed, by its row: the old name.
pub(super) const RENAMING: &str = "renaming:";

/// A version that may be in the mirror.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MirroredVersion {
    /// The key.
    pub key: ObjectKey,
    /// The etag.
    pub etag: String,
    /// The stored length.
    pub size_bytes: u64,
}

/// What a changed layout has moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// Objects with another application or day.
    pub objects: u64,
    /// The applications they have now.
    pub apps: u64,
}

/// Returns the name of the fact that says how a source's lines were read.
pub fn reading_fact(source: &SourceName) -> String {
    format!("reading of {source}")
}

impl Ledger {
    /// Gives the objects of a source the application and day that `place` finds in their keys (`None`: as they are), and
    /// sets a fact; all or nothing. Their counts go with them, and the next ingest reads them again.
    pub fn move_objects(
        &mut self,
        source_id: i64,
        (fact, value): (&str, &str),
        place: impl Fn(&ObjectKey) -> Option<(AppName, Option<Day>)>,
    ) -> Result<Moved> {
        let transaction = self.connection.transaction()?;
        let changed = misplaced(&transaction, source_id, place)?;
        let apps: BTreeSet<&AppName> = changed.iter().map(|(_, app, _)| app).collect();
        let moved = Moved { objects: changed.len() as u64, apps: apps.len() as u64 };
        let mut checksums = BTreeSet::new();
        for (object_id, app, day) in &changed {
            checksums.extend(move_object(&transaction, *object_id, app, *day)?);
        }
        for checksum in &checksums {
            mark_duplicates(&transaction, checksum)?;
        }
        if moved.objects > 0 {
            forget_empty_apps(&transaction)?;
        }
        set_fact(&transaction, fact, value)?;
        transaction.commit()?;
        Ok(moved)
    }

    /// Marks the versions of a source to be read again and sets a fact, all or nothing; returns how many.
    pub fn outdate_source(&mut self, name: &SourceName, (fact, value): (&str, &str)) -> Result<u64> {
        let transaction = self.connection.transaction()?;
        let sql = "UPDATE generation SET grouping = 0 FROM object JOIN source ON source.id = object.source_id
            WHERE object.id = generation.object_id AND source.name = ?1";
        let versions = transaction.execute(sql, [name.as_str()])? as u64;
        set_fact(&transaction, fact, value)?;
        transaction.commit()?;
        Ok(versions)
    }

    /// Gives a source another name, and its versions the ids that follow from it. Mirrored files keep their old names
    /// until [`Ledger::forget_old_name`]; the index is made to follow by a batch of its own.
    pub fn rename_source(&mut self, source: &SourceRow, name: &SourceName, now_ms: UtcMs) -> Result<()> {
        let transaction = self.connection.transaction()?;
        // A generation's id hashes the source's name. Ids of parents and children change one after the other, so the
        // keys are checked at the end.
        transaction.pragma_update(None, "defer_foreign_keys", true)?;
        transaction
            .execute("UPDATE source SET name = ?2 WHERE id = ?1", params![source.id, name.as_str()])?;
        let fact = format!("{RENAMING}{}", source.id);
        set_fact(&transaction, &fact, &source.name)?;
        let facts = [reading_fact(&source.name), reading_fact(name)];
        transaction.execute("UPDATE OR REPLACE fact SET name = ?2 WHERE name = ?1", facts)?;
        let mut checksums = BTreeSet::new();
        for Renumbered { old, new, rank, checksum } in renumbered(&transaction, source.id, name)? {
            let sql = "UPDATE sample SET generation_id = ?2, rank = ?3 WHERE generation_id = ?1";
            transaction.prepare_cached(sql)?.execute([old, new.0, rank])?;
            for sql in [
                "UPDATE generation SET id = ?2 WHERE id = ?1",
                "UPDATE counted SET generation_id = ?2 WHERE generation_id = ?1",
                "UPDATE point SET generation_id = ?2 WHERE generation_id = ?1",
            ] {
                transaction.prepare_cached(sql)?.execute([old, new.0])?;
            }
            checksums.insert(checksum);
        }
        for checksum in &checksums {
            mark_duplicates(&transaction, checksum)?;
        }
        // An empty batch: the index is one behind now, and the next ingest gives its documents the new ids.
        transaction.execute("INSERT INTO batch (committed_ms, objects) VALUES (?1, 0)", [now_ms.get()])?;
        Ok(transaction.commit()?)
    }

    /// Returns the old name under which the mirror may still hold files of a source.
    pub fn old_name(&self, source_id: i64) -> Result<Option<SourceName>> {
        Ok(self.fact(&format!("{RENAMING}{source_id}"))?.map(SourceName::from))
    }

    /// Forgets that name when no file has it any more.
    pub fn forget_old_name(&mut self, source_id: i64) -> Result<()> {
        self.connection.execute("DELETE FROM fact WHERE name = ?1", [format!("{RENAMING}{source_id}")])?;
        Ok(())
    }

    /// Returns all versions of a source's objects that may be in the mirror.
    pub fn mirrored_versions(&self, source_id: i64) -> Result<Vec<MirroredVersion>> {
        let mut statement = self.connection.prepare(
            // Listed, counted and replaced versions: a crash may have left the file of any of them.
            "SELECT key, etag, size_bytes FROM object WHERE source_id = ?1
             UNION SELECT key, generation.etag, generation.size_bytes FROM generation
               JOIN object ON object.id = object_id WHERE source_id = ?1
             UNION SELECT key, replaced.etag, replaced.size_bytes FROM replaced
               JOIN object ON object.id = object_id WHERE source_id = ?1",
        )?;
        let rows = statement.query_map([source_id], |row| {
            Ok(MirroredVersion { key: value(row, 0)?, etag: row.get(1)?, size_bytes: unsigned(row, 2)? })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Forgets a source of which nothing is counted any more.
    pub fn forget_source(&mut self, source_id: i64) -> Result<()> {
        let transaction = self.connection.transaction()?;
        for generation in of_source(&transaction, source_id)? {
            delete_generation(&transaction, generation)?;
        }
        let sql = "SELECT name FROM source WHERE id = ?1";
        let name: Option<SourceName> =
            transaction.query_row(sql, [source_id], |row| value(row, 0)).optional()?;
        for sql in [
            "DELETE FROM listing WHERE source_id = ?1",
            "DELETE FROM object WHERE source_id = ?1",
            "DELETE FROM source WHERE id = ?1",
        ] {
            transaction.execute(sql, [source_id])?;
        }
        let facts = ["first_listed_ms", "layout", "etags_differ", "flat_refused", "renaming"];
        let facts = facts.into_iter().map(|fact| format!("{fact}:{source_id}"));
        for fact in facts.chain(name.as_ref().map(reading_fact)) {
            transaction.execute("DELETE FROM fact WHERE name = ?1", [fact])?;
        }
        forget_empty_apps(&transaction)?;
        Ok(transaction.commit()?)
    }
}

type Misplaced = Vec<(i64, AppName, Option<Day>)>;

fn misplaced(
    transaction: &Transaction<'_>,
    source_id: i64,
    place: impl Fn(&ObjectKey) -> Option<(AppName, Option<Day>)>,
) -> Result<Misplaced> {
    let sql =
        "SELECT object.id, key, app.name, day FROM object JOIN app ON app.id = app_id WHERE source_id = ?1";
    let mut statement = transaction.prepare(sql)?;
    let mut rows = statement.query([source_id])?;
    let mut changed = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, key): (i64, ObjectKey) = (row.get(0)?, value(row, 1)?);
        let Some(placed) = place(&key) else { continue };
        if placed != (value(row, 2)?, listed_day(row, 3)?) {
            changed.push((id, placed.0, placed.1));
        }
    }
    Ok(changed)
}

/// Gives an object and what is counted of it another application and day; returns the checksum of its bytes.
pub(super) fn move_object(
    transaction: &Transaction<'_>,
    object_id: i64,
    app: &AppName,
    day: Option<Day>,
) -> Result<Option<Vec<u8>>> {
    let app_id = app_id(transaction, app)?;
    let sql = "UPDATE object SET app_id = ?2, day = ?3 WHERE id = ?1";
    let day = day.map(|day| day.to_string());
    transaction.prepare_cached(sql)?.execute(params![object_id, app_id, day])?;
    // Rules of groups may ask for the application, and lines without a date take the day.
    let sql = "UPDATE generation SET app_id = ?2, grouping = 0 WHERE object_id = ?1 RETURNING checksum";
    let mut statement = transaction.prepare_cached(sql)?;
    Ok(statement.query_row([object_id, app_id], |row| row.get(0)).optional()?)
}

fn of_source(transaction: &Transaction<'_>, source_id: i64) -> Result<Vec<GenerationId>> {
    let sql =
        "SELECT generation.id FROM generation JOIN object ON object.id = object_id WHERE source_id = ?1";
    let mut statement = transaction.prepare(sql)?;
    let ids = statement.query_map([source_id], |row| row.get(0).map(GenerationId))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

/// A version whose source is renamed: its ids, the rank that its object has then, and the checksum of its bytes.
struct Renumbered {
    old: i64,
    new: GenerationId,
    rank: i64,
    checksum: Vec<u8>,
}

/// Returns the versions of a source that gets another name.
fn renumbered(transaction: &Transaction<'_>, source_id: i64, name: &SourceName) -> Result<Vec<Renumbered>> {
    let mut statement = transaction.prepare(
        "SELECT generation.id, key, generation.etag, generation.size_bytes, checksum
         FROM generation JOIN object ON object.id = object_id WHERE source_id = ?1",
    )?;
    let rows = statement.query_map([source_id], |row| {
        let (key, etag): (ObjectKey, String) = (value(row, 1)?, row.get(2)?);
        let new = GenerationId::of(name, &key, &etag, unsigned(row, 3)?);
        Ok(Renumbered { old: row.get(0)?, new, rank: rank(name, &key), checksum: row.get(4)? })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn forget_empty_apps(transaction: &Transaction<'_>) -> Result<()> {
    transaction.execute(
        "DELETE FROM app WHERE id NOT IN (SELECT app_id FROM object UNION SELECT app_id FROM generation)",
        [],
    )?;
    Ok(())
}
