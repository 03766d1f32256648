//! The raw lines of error groups: a few for each group, chosen by [`chosen`] of all its events in all versions. A batch chooses
//! among what it adds and what is there. When a version goes with samples that nothing of its successor replaces, their
//! groups are noted as short; the next ingest looks at all their events and reads from the mirror what it lacks.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::{Connection, Row, params};
use zstd::bulk::Compressor;

use super::column::value;
use super::read::{BELIEVED_FROM_MS, BELIEVED_UNTIL};
use super::rows::{Decompressor, group_id, object_place, object_row, object_version, unsigned};
use super::schema::Added;
use super::{Ledger, LedgerError, Result, packed};
use gzette_core::model::{
    AppName, GenerationId, GroupId, GroupKind, ObjectKey, ObjectVersion, SourceName, UtcMs, rank,
};
use gzette_core::partial::{End, Ingested, Partial, Sample, Sighting, chosen};

/// How hard samples are compressed: what zstd calls its default.
const LEVEL: i32 = 3;

/// So many ends of a group are chosen from before more are looked at.
const MANY_ENDS: usize = 64;

/// The columns of `sample` that [`end`] reads.
const END: &str =
    "sample.generation_id, sample.is_last, sample.rank, sample.is_believed, sample.time_ms, sample.line";

/// An event of a group with its raw lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSample {
    /// Where it is.
    pub end: End,
    /// The name of the object's source.
    pub source: SourceName,
    /// The object as people write it.
    pub place: String,
    /// The application.
    pub app: AppName,
    /// Its lines.
    pub raw: Vec<u8>,
}

impl Ledger {
    /// Returns the events of a group of which raw lines are there, in the order of their objects' ranks.
    pub fn samples(&self, group: GroupId) -> Result<Vec<StoredSample>> {
        if !self.has(Added::Samples) {
            return self.samples_of_sightings(group);
        }
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {END}, raw, source.name, source.url, object.key, app.name
             FROM sample JOIN generation ON generation.id = generation_id
             JOIN object ON object.id = generation.object_id JOIN source ON source.id = object.source_id
             JOIN app ON app.id = generation.app_id
             WHERE group_id = ?1 AND raw IS NOT NULL ORDER BY sample.rank, is_last"
        ))?;
        let mut decompressor = Decompressor::new()?;
        let rows = statement.query_map([group.bits() as i64], |row| Ok(stored(row, &mut decompressor)))?;
        rows.map(|row| row?).collect()
    }

    /// Returns the same of a ledger that keeps the lines of every sighting.
    fn samples_of_sightings(&self, group: GroupId) -> Result<Vec<StoredSample>> {
        let mut samples = Vec::new();
        let mut decompressor = Decompressor::new()?;
        for end in chosen(&ends_in_rows(&self.connection, group)?) {
            let which = if end.is_last { "last" } else { "first" };
            let sql = format!(
                "SELECT ?1, ?2, ?3, ?4, ?5, ?6, {which}_raw, source.name, source.url, object.key, app.name
                 FROM sighting JOIN generation ON generation.id = generation_id
                 JOIN object ON object.id = generation.object_id JOIN source ON source.id = object.source_id
                 JOIN app ON app.id = generation.app_id WHERE generation_id = ?1 AND group_id = ?7"
            );
            let mut statement = self.connection.prepare_cached(&sql)?;
            let End { generation, is_last, rank, is_believed, time_ms, line } = end;
            let values = params![
                generation.0,
                is_last,
                rank,
                is_believed,
                time_ms.get(),
                line as i64,
                group.bits() as i64
            ];
            samples.push(statement.query_row(values, |row| Ok(stored(row, &mut decompressor)))??);
        }
        samples.sort_by_key(|sample| (sample.end.rank, sample.end.is_last));
        Ok(samples)
    }

    /// Adds the lines of the samples that are kept of a version to its sightings, and the titles: without a sample, the
    /// title of a group that is not a message is not known for this object, and empty.
    pub(super) fn add_samples(&self, generation: GenerationId, sightings: &mut [Sighting]) -> Result<()> {
        let mut statement = self.connection.prepare_cached(
            "SELECT group_id, is_last, title, raw FROM sample WHERE generation_id = ?1 AND raw IS NOT NULL",
        )?;
        for sighting in sightings.iter_mut().filter(|seen| seen.group.kind != GroupKind::Message) {
            sighting.group.title.clear();
        }
        let mut decompressor = Decompressor::new()?;
        let mut rows = statement.query([generation.0])?;
        while let Some(row) = rows.next()? {
            let (group, is_last) = (group_id(row, 0)?, row.get(1)?);
            let (title, raw): (Option<String>, Vec<u8>) = (row.get(2)?, row.get(3)?);
            let Ok(at) = sightings.binary_search_by_key(&group, |sighting| sighting.group.id) else {
                continue;
            };
            let sighting = &mut sightings[at];
            if let Some(title) = title {
                sighting.group.title = title;
            }
            let sample = if is_last { &mut sighting.last } else { &mut sighting.first };
            sample.raw = decompressor.lines(&raw)?;
        }
        Ok(())
    }

    /// Adds the lines and titles of a version's sightings from a ledger that keeps those of every sighting.
    pub(super) fn add_lines(&self, generation: GenerationId, sightings: &mut [Sighting]) -> Result<()> {
        let title = if self.has(Added::Titles) { "title" } else { "NULL" };
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT group_id, {title}, first_raw, last_raw FROM sighting WHERE generation_id = ?1"
        ))?;
        let mut decompressor = Decompressor::new()?;
        let mut rows = statement.query([generation.0])?;
        while let Some(row) = rows.next()? {
            let group = group_id(row, 0)?;
            let Ok(at) = sightings.binary_search_by_key(&group, |sighting| sighting.group.id) else {
                continue;
            };
            let sighting = &mut sightings[at];
            if let Some(title) = row.get(1)? {
                sighting.group.title = title;
            }
            sighting.first.raw = decompressor.lines(&row.get::<_, Vec<u8>>(2)?)?;
            sighting.last.raw = decompressor.lines(&row.get::<_, Vec<u8>>(3)?)?;
        }
        Ok(())
    }

    /// Returns the events of a group that are its samples, whether or not their lines are there.
    pub fn sample_ends(&self, group: GroupId) -> Result<Vec<End>> {
        if self.has(Added::Samples) {
            chosen_before(&self.connection, group)
        } else {
            ends_in_rows(&self.connection, group)
        }
    }

    /// Chooses the samples of the groups that lack one since a version of an object has gone.
    pub fn choose_lacking_samples(&mut self) -> Result<()> {
        let transaction = self.connection.transaction()?;
        choose_lacking(&transaction)?;
        Ok(transaction.commit()?)
    }

    /// Returns the versions in the mirror that samples are to be read from.
    pub fn unread_samples(&self) -> Result<Vec<ObjectVersion>> {
        let mut statement = self.connection.prepare(
            "SELECT source.name, object.key, generation.etag, generation.size_bytes, app.name, object.day
             FROM generation JOIN object ON object.id = generation.object_id
             JOIN source ON source.id = object.source_id JOIN app ON app.id = generation.app_id
             WHERE generation.id IN (SELECT generation_id FROM sample WHERE raw IS NULL)
               AND generation.mirrored = 1 AND object.state IN ('mirrored', 'deleted')
               AND (generation.etag, generation.size_bytes) = (object.etag, object.size_bytes)
             ORDER BY object.day, source.name, object.key",
        )?;
        let rows = statement.query_map([], |row| Ok(object_version(row)))?;
        rows.map(|row| row?).collect()
    }

    /// Keeps the lines of the samples that were to be read from a version, and no longer asks for those that are not in it.
    pub fn keep_samples(&mut self, generation: GenerationId, partial: &Partial) -> Result<()> {
        let transaction = self.connection.transaction()?;
        let mut writer = Writer::new(&transaction)?;
        for sighting in &partial.sightings {
            for is_last in [false, true] {
                writer.fill(generation, sighting, is_last)?;
            }
        }
        drop(writer);
        transaction.execute("DELETE FROM sample WHERE generation_id = ?1 AND raw IS NULL", [generation.0])?;
        Ok(transaction.commit()?)
    }
}

/// The samples that went with versions.
pub(super) type Gone = Vec<(GroupId, End)>;

/// Deletes the samples of a version that goes; returns them, for [`choose`] or [`note_short`].
pub(super) fn take(connection: &Connection, generation: i64) -> Result<Gone> {
    let sql = format!(
        "DELETE FROM sample WHERE generation_id = ?1 RETURNING group_id, {}",
        END.replace("sample.", "")
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([generation], |row| Ok((group_id(row, 0)?, end(row, 1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Notes the groups of samples that have gone with nothing in their place.
pub(super) fn note_short(connection: &Connection, gone: &Gone) -> Result<()> {
    let mut statement = connection.prepare_cached("INSERT OR IGNORE INTO short_group VALUES (?1)")?;
    let groups: BTreeSet<GroupId> = gone.iter().map(|(group, _)| *group).collect();
    for group in groups {
        statement.execute([group.bits() as i64])?;
    }
    Ok(())
}

/// Chooses the samples of the groups that were inserted, from these and what is there. `gone` are those of the versions that
/// they replace.
pub(super) fn choose(connection: &Connection, items: &[Ingested], gone: &Gone) -> Result<()> {
    let offers = offers(connection, items)?;
    let of_group = |group: &GroupId| offers.get(group).map_or(&[][..], Vec::as_slice);
    let is_short =
        |(group, gone): &&(GroupId, End)| !of_group(group).iter().any(|offer| offer.end.replaces(gone));
    note_short(connection, &gone.iter().filter(is_short).copied().collect())?;
    let mut writer = Writer::new(connection)?;
    for (&group, offers) in &offers {
        let mut all = chosen_before(connection, group)?;
        all.extend(offers.iter().map(|offer| offer.end));
        writer.replace(group, &chosen(&all), offers)?;
    }
    Ok(())
}

/// Chooses the samples of the groups that are noted as short.
pub(super) fn choose_lacking(connection: &Connection) -> Result<()> {
    let groups = short_groups(connection)?;
    if groups.is_empty() {
        return Ok(());
    }
    let mut ends = ends_of_groups(connection, &groups)?;
    let mut writer = Writer::new(connection)?;
    for group in groups {
        let ends = ends.remove(&group).unwrap_or_default();
        writer.replace(group, &chosen(&ends), &[])?;
    }
    connection.execute("DELETE FROM short_group", [])?;
    Ok(())
}

/// An event that may become a sample.
struct Offer<'i> {
    end: End,
    sighting: &'i Sighting,
}

impl<'i> Offer<'i> {
    fn sample(&self) -> &'i Sample {
        if self.end.is_last { &self.sighting.last } else { &self.sighting.first }
    }
}

/// Returns both ends of all sightings, by group. Groups are in order, so that a batch is written the same way each time.
fn offers<'i>(connection: &Connection, items: &'i [Ingested]) -> Result<BTreeMap<GroupId, Vec<Offer<'i>>>> {
    let mut offers: BTreeMap<GroupId, Vec<Offer<'_>>> = BTreeMap::new();
    for item in items.iter().filter(|item| !item.partial.sightings.is_empty()) {
        let (object, until_ms) = (&item.object, believed_until(connection, item)?);
        let (rank, generation) = (rank(&object.source, &object.key), object.generation);
        for sighting in &item.partial.sightings {
            let ends = both_ends(generation, rank, until_ms, [&sighting.first, &sighting.last].map(place));
            let ends = ends.map(|end| Offer { end, sighting });
            offers.entry(sighting.group.id).or_default().extend(ends);
        }
    }
    Ok(offers)
}

fn place(sample: &Sample) -> (UtcMs, u64) {
    (sample.time_ms, sample.line)
}

fn both_ends(
    generation: GenerationId,
    rank: i64,
    until_ms: UtcMs,
    [first, last]: [(UtcMs, u64); 2],
) -> [End; 2] {
    let (is_early, is_late) = (first.0 >= BELIEVED_FROM_MS, last.0 <= until_ms);
    let end =
        |is_last, is_believed, (time_ms, line)| End { generation, is_last, rank, is_believed, time_ms, line };
    [end(false, is_early, first), end(true, is_late, last)]
}

fn believed_until(connection: &Connection, item: &Ingested) -> Result<UtcMs> {
    let sql = format!("SELECT {BELIEVED_UNTIL} FROM object WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row([object_row(connection, &item.object)?], |row| value(row, 0))?)
}

/// Returns the ends that samples of groups are chosen from, of all versions.
fn ends_of_groups(connection: &Connection, groups: &[GroupId]) -> Result<HashMap<GroupId, Vec<End>>> {
    let mut numbers = HashMap::new();
    for &group in groups {
        numbers.extend(packed::known_number(connection, group)?.map(|number| (number, group)));
    }
    let mut statement = connection.prepare_cached(&format!(
        "SELECT generation.id, source.name, object.key, {BELIEVED_UNTIL}, groups, spans
         FROM counted JOIN generation ON generation.id = generation_id
         JOIN object ON object.id = generation.object_id JOIN source ON source.id = object.source_id"
    ))?;
    let mut rows = statement.query([])?;
    let mut ends: HashMap<GroupId, Vec<End>> = HashMap::new();
    while let Some(row) = rows.next()? {
        let (source, key): (SourceName, ObjectKey) = (value(row, 1)?, value(row, 2)?);
        let (generation, rank) = (GenerationId(row.get(0)?), rank(&source, &key));
        let until_ms = value(row, 3)?;
        packed::spans_in(row, 4, |number, span| {
            let Some(&group) = numbers.get(&number) else { return };
            let ends = ends.entry(group).or_default();
            ends.extend(both_ends(generation, rank, until_ms, [span.first, span.last]));
            if ends.len() >= MANY_ENDS {
                *ends = chosen(ends);
            }
        })?;
    }
    Ok(ends)
}

/// Returns both ends of all sightings of a group, from a ledger that has them as rows.
fn ends_in_rows(connection: &Connection, group: GroupId) -> Result<Vec<End>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT generation_id, source.name, object.key, {BELIEVED_UNTIL}, sighting.first_ms, first_line, sighting.last_ms,
            last_line
         FROM sighting JOIN generation ON generation.id = generation_id
         JOIN object ON object.id = generation.object_id JOIN source ON source.id = object.source_id
         WHERE group_id = ?1"
    ))?;
    let mut rows = statement.query([group.bits() as i64])?;
    let mut ends = Vec::new();
    while let Some(row) = rows.next()? {
        let (source, key): (SourceName, ObjectKey) = (value(row, 1)?, value(row, 2)?);
        let places = [(value(row, 4)?, unsigned(row, 5)?), (value(row, 6)?, unsigned(row, 7)?)];
        let generation = GenerationId(row.get(0)?);
        ends.extend(both_ends(generation, rank(&source, &key), value(row, 3)?, places));
    }
    Ok(ends)
}

fn short_groups(connection: &Connection) -> Result<Vec<GroupId>> {
    let mut statement = connection.prepare("SELECT group_id FROM short_group ORDER BY group_id")?;
    let groups = statement.query_map([], |row| group_id(row, 0))?;
    Ok(groups.collect::<rusqlite::Result<_>>()?)
}

fn end(row: &Row<'_>, column: usize) -> rusqlite::Result<End> {
    Ok(End {
        generation: GenerationId(row.get(column)?),
        is_last: row.get(column + 1)?,
        rank: row.get(column + 2)?,
        is_believed: row.get(column + 3)?,
        time_ms: value(row, column + 4)?,
        line: unsigned(row, column + 5)?,
    })
}

fn stored(row: &Row<'_>, decompressor: &mut Decompressor) -> Result<StoredSample> {
    let (raw, url, key): (Vec<u8>, String, String) = (row.get(6)?, row.get(8)?, row.get(9)?);
    Ok(StoredSample {
        end: end(row, 0)?,
        source: value(row, 7)?,
        place: object_place(&url, &key),
        app: value(row, 10)?,
        raw: decompressor.lines(&raw)?,
    })
}

/// Returns what is chosen of a group.
fn chosen_before(connection: &Connection, group: GroupId) -> Result<Vec<End>> {
    let sql = format!("SELECT {END} FROM sample WHERE group_id = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([group.bits() as i64], |row| end(row, 0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Writes samples; one compressor serves them all.
struct Writer<'c> {
    connection: &'c Connection,
    compressor: Compressor<'static>,
}

impl<'c> Writer<'c> {
    fn new(connection: &'c Connection) -> Result<Self> {
        let compressor = Compressor::new(LEVEL).map_err(LedgerError::Uncompressed)?;
        Ok(Self { connection, compressor })
    }

    /// Makes `ends` the samples of a group. What is new is in `offers`, or has to be read from the mirror.
    fn replace(&mut self, group: GroupId, ends: &[End], offers: &[Offer<'_>]) -> Result<()> {
        let key = |end: &End| (end.generation, end.is_last);
        let offered: HashMap<_, _> = offers.iter().map(|offer| (key(&offer.end), offer)).collect();
        let before = chosen_before(self.connection, group)?;
        let sql = "DELETE FROM sample WHERE group_id = ?1 AND generation_id = ?2 AND is_last = ?3";
        let mut delete = self.connection.prepare_cached(sql)?;
        for end in before.iter().filter(|end| !ends.iter().any(|kept| key(kept) == key(end))) {
            delete.execute(params![group.bits() as i64, end.generation.0, end.is_last])?;
        }
        for end in ends.iter().filter(|end| !before.iter().any(|kept| key(kept) == key(end))) {
            self.insert(group, end, offered.get(&key(end)).copied())?;
        }
        Ok(())
    }

    fn insert(&mut self, group: GroupId, end: &End, offer: Option<&Offer<'_>>) -> Result<()> {
        let raw = offer.map(|offer| self.compress(offer.sample())).transpose()?.flatten();
        let sql = "INSERT INTO sample (group_id, generation_id, is_last, rank, is_believed, time_ms, line, title, raw)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
        self.connection.prepare_cached(sql)?.execute(params![
            group.bits() as i64,
            end.generation.0,
            end.is_last,
            end.rank,
            end.is_believed,
            end.time_ms.get(),
            end.line as i64,
            offer.and_then(|offer| own_title(offer.sighting)),
            raw,
        ])?;
        Ok(())
    }

    /// Fills in the lines of a sample, if they are asked for.
    fn fill(&mut self, generation: GenerationId, sighting: &Sighting, is_last: bool) -> Result<()> {
        let key = params![sighting.group.id.bits() as i64, generation.0, is_last];
        let sql = "SELECT EXISTS (SELECT 1 FROM sample
            WHERE group_id = ?1 AND generation_id = ?2 AND is_last = ?3 AND raw IS NULL)";
        if !self.connection.prepare_cached(sql)?.query_row(key, |row| row.get::<_, bool>(0))? {
            return Ok(());
        }
        let raw = self.compress(if is_last { &sighting.last } else { &sighting.first })?;
        let sql = "UPDATE sample SET title = ?4, raw = ?5
            WHERE group_id = ?1 AND generation_id = ?2 AND is_last = ?3";
        let group = sighting.group.id.bits() as i64;
        let values = params![group, generation.0, is_last, own_title(sighting), raw];
        self.connection.prepare_cached(sql)?.execute(values)?;
        Ok(())
    }

    /// Compresses the lines of a sample for their column; a version whose groups come from samples may have none.
    fn compress(&mut self, sample: &Sample) -> Result<Option<Vec<u8>>> {
        if sample.raw.is_empty() {
            return Ok(None);
        }
        self.compressor.compress(&sample.raw).map(Some).map_err(LedgerError::Uncompressed)
    }
}

/// The title that a group has in one object. That of a message is its template, the same in every object.
fn own_title(sighting: &Sighting) -> Option<&str> {
    let title = Some(sighting.group.title.as_str()).filter(|title| !title.is_empty());
    title.filter(|_| sighting.group.kind != GroupKind::Message)
}
