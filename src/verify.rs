//! Recounts everything from the mirror, compares it with ledger and index, and names what differs.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufReader};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use crate::index::{Index, IndexError};
use crate::ingest::IngestSettings;
use crate::ledger::{GenerationRow, Ledger, LedgerError};
use crate::mirror::Mirror;
use crate::model::LineCounts;
use crate::partial::{Partial, read_object};

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
    /// What differs.
    pub differences: Vec<Difference>,
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
}

/// What stops a recount.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
}

/// Recounts every ingested object from the mirror. `progress` is told the objects done and their number.
pub fn verify(
    ledger: &Ledger,
    index: Option<&Index>,
    mirror: &Mirror,
    settings: &IngestSettings,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<VerifyReport, VerifyError> {
    let rows = ledger.generations()?;
    let mut report = VerifyReport::default();
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::sync_channel(4);
    let recounted = std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            let (sender, rows, next) = (sender.clone(), &rows, &next);
            scope.spawn(move || {
                while let Some(row) = rows.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if sender.send((row, recount(row, mirror, settings))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        receiver.iter().try_for_each(|(row, recounted)| {
            report.objects += 1;
            progress(report.objects, rows.len() as u64);
            report.compare_object(ledger, row, recounted)
        })
    });
    recounted?;
    report.compare_index(ledger, index, &rows)?;
    report.differences.sort_by(|a, b| (&a.place, &a.what).cmp(&(&b.place, &b.what)));
    report.ok = report.differences.is_empty();
    Ok(report)
}

fn recount(row: &GenerationRow, mirror: &Mirror, settings: &IngestSettings) -> io::Result<Partial> {
    let object = &row.object;
    let file = mirror.open(&object.source, &object.key, object.generation)?;
    read_object(
        BufReader::with_capacity(128 << 10, file),
        settings.of(&object.source),
        object.day,
        |_| Ok(()),
    )
}

impl VerifyReport {
    fn differs(&mut self, place: &str, what: &str, ledger: impl fmt::Display, found: impl fmt::Display) {
        self.differences.push(Difference {
            place: place.to_owned(),
            what: what.to_owned(),
            ledger: ledger.to_string(),
            found: found.to_string(),
        });
    }

    fn compare_object(
        &mut self,
        ledger: &Ledger,
        row: &GenerationRow,
        recounted: io::Result<Partial>,
    ) -> Result<(), LedgerError> {
        let place = row.place();
        let found = match recounted {
            Ok(found) => found,
            Err(error) => {
                self.differs(&place, "mirrored file", "present", error);
                return Ok(());
            }
        };
        self.lines.add(&found.lines);
        self.decoded_bytes += found.decoded_bytes;
        let Some(stored) = ledger.stored_partial(row.object.generation)? else {
            self.differs(&place, "generation", "absent", "present");
            return Ok(());
        };
        if stored.checksum != found.checksum {
            self.differs(&place, "decoded bytes", stored.decoded_bytes, found.decoded_bytes);
        }
        if stored.lines != found.lines {
            self.differs(&place, "lines", format!("{:?}", stored.lines), format!("{:?}", found.lines));
        }
        let events = |partial: &Partial| partial.counts.iter().map(|count| count.events).sum::<u64>();
        if stored.counts != found.counts {
            self.differs(&place, "counts", events(&stored), events(&found));
        }
        if stored.sightings != found.sightings {
            self.differs(&place, "error groups", stored.sightings.len(), found.sightings.len());
        }
        if stored.span_ms != found.span_ms {
            self.differs(&place, "times", format!("{:?}", stored.span_ms), format!("{:?}", found.span_ms));
        }
        if stored.damage != found.damage {
            self.differs(&place, "damage", format!("{:?}", stored.damage), format!("{:?}", found.damage));
        }
        if stored.blocks != found.blocks {
            self.differs(&place, "blocks", stored.blocks, found.blocks);
        }
        Ok(())
    }

    fn compare_index(
        &mut self,
        ledger: &Ledger,
        index: Option<&Index>,
        rows: &[GenerationRow],
    ) -> Result<(), VerifyError> {
        let Some(index) = index else {
            if !rows.is_empty() {
                self.differs("index", "index", "present", "absent or unreadable");
            }
            return Ok(());
        };
        let last_batch = ledger.last_batch()?;
        let indexed_batch = index.payload().map_or(0, |payload| payload.batch);
        if last_batch != indexed_batch {
            self.differs("index", "batch", last_batch, indexed_batch);
        }
        for file in index.damaged_files()? {
            self.differs("index", "checksum of a file", "as written", file.display());
        }
        let mut held: BTreeMap<_, _> = index.generations()?.into_iter().collect();
        self.documents = held.values().sum();
        for row in rows {
            let found = held.remove(&row.object.generation).unwrap_or(0);
            if found != row.blocks {
                self.differs(&row.place(), "documents in the index", row.blocks, found);
            }
        }
        for (generation, documents) in held {
            self.differs("index", &format!("documents of generation {generation}"), 0, documents);
        }
        Ok(())
    }
}
