//! Recounts everything from the mirror, compares it with ledger and index, and names what differs.

mod rows;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use crate::edges::index::Index;
use crate::edges::ledger::{GenerationRow, Ledger, LedgerError};
use crate::edges::mirror::Mirror;
use crate::flows::error::StateError;
use gzette_core::human::{count, plural, time};
use gzette_core::model::{Damage, KnownBytes, LineCounts, ObjectVersion, UtcMs};
use gzette_core::partial::{About, Partial, Reading, SourceSettings, read_object};
use gzette_core::proof::{Unproved, prove};
use gzette_core::workers;

/// What a recount found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct VerifyReport {
    /// Whether nothing differs.
    pub ok: bool,
    /// Generations recounted.
    pub objects: u64,
    /// The accounting of their lines, recounted.
    pub lines: LineCounts,
    /// Their decoded length, recounted.
    pub decoded_bytes: u64,
    /// Documents in the index.
    pub documents: u64,
    /// Objects that were pruned from the mirror and cannot be recounted.
    pub pruned: Pruned,
    /// Objects that were read by other rules: only their bytes are compared. The next ingest reads them again.
    pub outdated: u64,
    /// What differs.
    pub differences: Vec<Difference>,
}

/// Generations without a mirrored file, as the retention wants it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Pruned {
    /// How many.
    pub objects: u64,
    /// Their stored bytes.
    pub bytes: u64,
}

/// Something that is not as the ledger says.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The object as people write it, or the part of the state.
    pub place: String,
    /// What was compared.
    pub what: String,
    /// What the ledger says.
    pub ledger: String,
    /// What the recount says.
    pub found: String,
    /// What makes it good.
    #[serde(skip)]
    pub cure: Cure,
}

/// What makes a difference good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cure {
    /// The mirrored file is fetched again.
    Fetch(ObjectVersion),
    /// The object is counted and indexed again.
    Recount(ObjectVersion),
    /// The index is built again.
    Reindex,
}

/// A ledger that was built from the sources and the mirror to replace an unusable one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Objects that the sources list.
    pub listed: u64,
    /// Of these, those whose file was in the mirror and right.
    pub adopted: u64,
    /// Of these, those that were fetched.
    pub fetched: u64,
    /// Files of the mirror that no source lists any more: kept but not counted.
    pub left: u64,
    /// Folders of the mirror that belong to no source of the configuration.
    pub strangers: Vec<PathBuf>,
    /// Whether nothing else is missing or wrong.
    pub is_whole: bool,
    /// Where the old ledger is kept.
    pub kept_as: Option<PathBuf>,
}

impl Rebuilt {
    /// Returns whether all that the sources list is in the new ledger, and all files of the mirror.
    pub fn is_complete(&self) -> bool {
        self.is_whole && self.left == 0 && self.strangers.is_empty()
    }
}

/// Recounts every ingested object from the mirror. `progress` receives the objects done and their number.
pub fn verify(
    ledger: &Ledger,
    index: Option<&Index>,
    mirror: &Mirror,
    settings: &SourceSettings,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<VerifyReport, StateError> {
    // First: in a damaged ledger everything differs, and recounting objects would be the wrong cure.
    ledger.check_pages()?;
    let all = ledger.generations()?;
    let mut report = VerifyReport::default();
    let (rows, pruned): (Vec<_>, Vec<_>) = all.iter().partition(|row| row.mirrored);
    for row in pruned {
        report.pruned.objects += 1;
        report.pruned.bytes += row.object.size_bytes;
    }
    let known = ledger.all_known_bytes()?;
    let next = AtomicUsize::new(0);
    // Bounded, so that counts do not pile up where comparing is slower than counting.
    let (sender, receiver) = mpsc::sync_channel(4);
    let recounted = std::thread::scope(|scope| {
        for _ in 0..workers::count() {
            let (sender, rows, next, known) = (sender.clone(), &rows, &next, &known);
            scope.spawn(move || {
                // Taken one by one instead of in shares: the sizes of objects differ a thousandfold.
                while let Some(&row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let known = known.get(&row.object.generation).copied().unwrap_or_default();
                    if sender.send((row, recount(row, &known, mirror, settings))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        // Taken whole: when it ends early it is dropped, and no thread waits to be heard.
        receiver.into_iter().try_for_each(|(row, recounted)| {
            report.objects += 1;
            progress(report.objects, rows.len() as u64);
            report.compare_object(ledger, row, settings.reading(), recounted)
        })
    });
    recounted?;
    match report.compare_index(ledger, index, &all) {
        // Files that do not fit together are found only when they are read.
        Err(StateError::Index(error)) => report.index_differs("files", "readable", error),
        compared => compared?,
    }
    report.differences.sort_by(|a, b| (&a.place, &a.what).cmp(&(&b.place, &b.what)));
    report.ok = report.differences.is_empty();
    Ok(report)
}

/// Recounts an object whose mirrored bytes are those of its version; other bytes say nothing about the counts.
fn recount(
    row: &GenerationRow,
    known: &KnownBytes,
    mirror: &Mirror,
    settings: &SourceSettings,
) -> Result<Partial, Unproved> {
    let (object, settings) = (&row.object, settings.of(&row.object.source));
    let mut file = mirror.open(&object.source, &object.key, object.generation)?;
    // Before the count: rot that still decodes would otherwise look like a wrong count, which has another
    // cure.
    prove(&mut file, &object.etag, known, &settings.limits)?;
    let about = About { day: object.day, app: &object.app, place: &row.place(), asked: &[] };
    Ok(read_object(file, settings, &about, |_, _| Ok::<_, io::Error>(()))?)
}

impl VerifyReport {
    fn object_differs(
        &mut self,
        row: &GenerationRow,
        what: &str,
        ledger: impl fmt::Display,
        found: impl fmt::Display,
    ) {
        let cure = Cure::Recount(row.object.clone());
        self.differs(&row.place(), what, ledger, found, cure);
    }

    fn index_differs(&mut self, what: &str, ledger: impl fmt::Display, found: impl fmt::Display) {
        self.differs("index", what, ledger, found, Cure::Reindex);
    }

    fn differs(
        &mut self,
        place: &str,
        what: &str,
        ledger: impl fmt::Display,
        found: impl fmt::Display,
        cure: Cure,
    ) {
        self.differences.push(Difference {
            place: place.to_owned(),
            what: what.to_owned(),
            ledger: ledger.to_string(),
            found: found.to_string(),
            cure,
        });
    }

    fn compare_object(
        &mut self,
        ledger: &Ledger,
        row: &GenerationRow,
        reading: Reading,
        recounted: Result<Partial, Unproved>,
    ) -> Result<(), LedgerError> {
        let found = match recounted {
            Ok(found) => found,
            Err(error) => {
                let (ledger, found) = match error {
                    Unproved::Io(error) => ("present", format!("unreadable: {error}")),
                    Unproved::Other(found) => ("whole", found),
                };
                let cure = Cure::Fetch(row.object.clone());
                self.differs(&row.place(), "mirrored file", ledger, found, cure);
                return Ok(());
            }
        };
        self.lines.add(&found.lines);
        self.decoded_bytes += found.decoded_bytes;
        let Some(stored) = ledger.stored_partial(row.object.generation)? else {
            self.object_differs(row, "generation", "absent", "present");
            return Ok(());
        };
        if stored.checksum != found.checksum {
            self.object_differs(row, "decoded bytes", bytes(&stored), bytes(&found));
        }
        if stored.damage != found.damage {
            self.object_differs(row, "damage", damage(stored.damage.as_ref()), damage(found.damage.as_ref()));
        }
        // What other rules counted may rightly differ; the next ingest counts it again.
        if row.reading == reading {
            self.compare_partials(row, &stored, &found);
        } else {
            self.outdated += 1;
        }
        Ok(())
    }

    /// Compares what the rules of reading make of the same bytes.
    fn compare_partials(&mut self, row: &GenerationRow, stored: &Partial, found: &Partial) {
        if stored.lines != found.lines {
            self.object_differs(row, "lines", lines(&stored.lines), lines(&found.lines));
        }
        if stored.span_ms != found.span_ms {
            self.object_differs(row, "times", span(stored.span_ms), span(found.span_ms));
        }
        for first in [rows::counts(stored, found), rows::sightings(stored, found)].into_iter().flatten() {
            self.object_differs(row, &first.what, first.ledger, first.found);
        }
        if stored.blocks != found.blocks {
            self.object_differs(row, "blocks", stored.blocks, found.blocks);
        }
        // Versions before there were points stored none.
        if !stored.points.iter().all(|stored| found.points.iter().any(|found| stored.leads_to(found))) {
            self.object_differs(row, "access points", stored.points.len(), found.points.len());
        }
    }

    fn compare_index(
        &mut self,
        ledger: &Ledger,
        index: Option<&Index>,
        rows: &[GenerationRow],
    ) -> Result<(), StateError> {
        let Some(index) = index else {
            if !rows.is_empty() {
                self.index_differs("files", "present", "absent or unreadable");
            }
            return Ok(());
        };
        let last_batch = ledger.last_batch()?;
        let indexed_batch = index.payload().map_or(0, |payload| payload.batch);
        if last_batch != indexed_batch {
            self.index_differs("batch", last_batch, indexed_batch);
        }
        let damaged = index.damaged_files()?;
        for file in &damaged {
            self.index_differs("checksum of a file", "as written", file.display());
        }
        if !damaged.is_empty() {
            // What they say of documents is not worth a comparison.
            return Ok(());
        }
        let mut held: BTreeMap<_, u64> = BTreeMap::new();
        for (generation, _, documents) in index.generations()? {
            *held.entry(generation).or_default() += documents;
        }
        self.documents = held.values().sum();
        for row in rows {
            let found = held.remove(&row.object.generation).unwrap_or(0);
            if found != row.documents() {
                self.differs(&row.place(), "documents in the index", row.documents(), found, Cure::Reindex);
            }
        }
        for (generation, documents) in held {
            self.index_differs(&format!("documents of generation {generation}"), 0, documents);
        }
        Ok(())
    }
}

/// Prepares what makes the differences good: the next sync fetches lost files again, the next ingest counts
/// what differed and builds the index. Returns whether anything has to be fetched.
pub fn repair(ledger: &mut Ledger, differences: &[Difference], index_dir: &Path) -> Result<bool, StateError> {
    let mut must_fetch = false;
    for difference in differences {
        match &difference.cure {
            Cure::Fetch(object) => {
                if !ledger.leave_lost(object)? {
                    ledger.fetch_again(object, "the mirrored file is lost or its bytes have changed")?;
                    must_fetch = true;
                }
            }
            Cure::Recount(object) => ledger.forget_generation(object.generation)?,
            Cure::Reindex => {}
        }
    }
    // Documents of recounted objects must go too; the mirror has everything that an index needs, except pruned objects.
    if differences.iter().any(|difference| !matches!(difference.cure, Cure::Fetch(_))) {
        must_fetch |= ledger.fetch_pruned()? > 0;
        Index::remove(index_dir)?;
    }
    Ok(must_fetch)
}

/// `1,200 bytes (checksum 9f86d081)`: the same number of bytes may be others.
fn bytes(partial: &Partial) -> String {
    let [a, b, c, d, ..] = partial.checksum;
    format!("{} (checksum {a:02x}{b:02x}{c:02x}{d:02x})", plural(partial.decoded_bytes, "byte"))
}

/// `634 lines = 630 events + 3 continuation + 1 unparsed`, and what else was noted.
fn lines(counts: &LineCounts) -> String {
    let mut text = format!(
        "{} = {} + {} continuation + {} unparsed",
        plural(counts.total, "line"),
        plural(counts.events, "event"),
        count(counts.continuation),
        count(counts.unparsed)
    );
    let noted =
        [(counts.quarantined, "quarantined"), (counts.truncated, "truncated"), (counts.undated, "undated")];
    for (number, name) in noted.into_iter().filter(|(number, _)| *number > 0) {
        let _ = write!(text, ", {} {name}", count(number));
    }
    text
}

fn span(span_ms: Option<(UtcMs, UtcMs)>) -> String {
    let text = |(first_ms, last_ms)| format!("{} to {}", time(first_ms), time(last_ms));
    span_ms.map_or("no events".to_owned(), text)
}

fn damage(damage: Option<&Damage>) -> String {
    let text =
        |damage: &Damage| format!("{} at byte {} (member {})", damage.reason, damage.offset, damage.member);
    damage.map_or("none".to_owned(), text)
}
