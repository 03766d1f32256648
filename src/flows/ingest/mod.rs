//! Mirror to ledger and index, one batch at a time, exactly once: the ledger's transaction first, the
//! index's commit after it. At the start, whatever a crash left between the two is repaired.

mod regroup;
mod samples;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::edges::index::{INCOMPLETE, Index, IndexError, Payload, SegmentBuilder, Segments};
use crate::edges::ledger::{Ledger, LedgerError, object_place};
use crate::edges::mirror::Mirror;
use crate::flows::error::StateError;
use gzette_core::model::{
    Checksum, GenerationId, KnownBytes, LineCounts, ObjectKey, ObjectVersion, SourceName, UtcMs,
};
use gzette_core::partial::{About, Ingested, Partial, Reading, SourceSettings, read_object};
use gzette_core::proof::{Unproved, prove};
use gzette_core::workers;

/// A batch ends after this many objects,
const BATCH_OBJECTS: usize = 1000;
/// or this many stored bytes,
const BATCH_BYTES: u64 = 256 << 20;
/// or when this many bytes of partials wait for the commit.
const HELD_BYTES: u64 = 32 << 20;
/// More workers would read faster than one small machine's disk, and take more memory.
const MAX_WORKERS: usize = 4;

/// The name of the fact that says which index belongs to a ledger.
const INDEX_UUID: &str = "index_uuid";

/// What an ingest did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngestReport {
    /// The batches committed.
    pub batches: u64,
    /// The objects in them.
    pub objects: u64,
    /// The damaged ones among them: the key and the damage.
    pub damaged: Vec<(ObjectKey, String)>,
    /// The accounting of their lines.
    pub lines: LineCounts,
    /// Error events.
    pub errors: u64,
    /// Groups never seen before.
    pub new_groups: u64,
    /// Their decoded length.
    pub decoded_bytes: u64,
    /// Objects whose mirrored file could not be read: the key and why. They are fetched again.
    pub unreadable: Vec<(ObjectKey, String)>,
    /// What was wrong with the index, if it is rebuilt in full or in part.
    pub index_fault: Option<String>,
    /// Generations whose blocks were written to the index again, after a crash or for a lost index.
    pub reindexed: u64,
    /// Generations that a lost index is built again without, because their mirrored files were pruned.
    pub unindexed: u64,
    /// Objects that were counted again, because the rules of reading or grouping have changed since.
    pub read_again: u64,
    /// Objects regrouped from their samples, because their mirrored files were pruned.
    pub regrouped: u64,
    /// What in the configuration has changed, and how much is read again for it.
    pub notes: Vec<String>,
    /// Whether it was asked to stop before all was done.
    pub stopped: bool,
}

/// Brings ledger and index up to date with the mirror. `stop` is checked between objects; what was
/// read by then is committed. `progress` receives the objects and stored bytes done.
pub fn ingest(
    ledger: &mut Ledger,
    mirror: &Mirror,
    index_dir: &Path,
    settings: &SourceSettings,
    now_ms: UtcMs,
    stop: &AtomicBool,
    progress: &(dyn Fn(u64, u64) + Sync),
) -> Result<IngestReport, StateError> {
    let mut report = IngestReport::default();
    let index = open_index(ledger, index_dir, &mut report)?;
    let uuid = index.uuid().to_owned();
    let reader = Reader {
        index: &index,
        mirror,
        settings,
        reading: settings.reading(),
        urls: ledger.source_urls()?,
        stop,
        progress,
        done: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
    };
    // Before anything new: the batch number that the index claims stands for all earlier batches, too.
    let mut lacking = reconcile(ledger, &reader, &uuid, &mut report)?;
    remove_replaced(ledger, mirror)?;
    if lacking.is_empty() {
        // Only with a whole index: one that lacks blocks cannot say which objects a changed group may touch.
        regroup::take_over(ledger, reader.index, settings)?;
        report.notes = regroup::outdate_sources(ledger, settings)?;
        report.regrouped = regroup::from_samples(ledger, settings)?;
    }
    loop {
        let mut pending = ledger.pending(BATCH_OBJECTS)?;
        // What is new comes first: it is what people wait for, and old counts are right by the rules of their time.
        let is_read_again = pending.is_empty() && lacking.is_empty();
        if is_read_again {
            pending = ledger.outdated(settings.reading(), BATCH_OBJECTS)?;
        }
        if pending.is_empty() || stop.load(Ordering::Relaxed) {
            report.stopped |= !pending.is_empty();
            break;
        }
        let jobs = jobs(ledger, pending, is_read_again)?;
        commit_batch(ledger, &reader, jobs, &uuid, now_ms, lacking.is_empty(), &mut report)?;
    }
    if !lacking.is_empty() && report.batches > 0 {
        // A batch may have replaced what could not be read.
        lacking = reconcile(ledger, &reader, &uuid, &mut report)?;
    }
    samples::fill(ledger, &reader, &mut report)?;
    if report.batches > 0 {
        let batch = if lacking.is_empty() { ledger.last_batch()? } else { INCOMPLETE };
        index.writer()?.merge_if_many(&Payload { batch, uuid })?;
    }
    report.unreadable.extend(lacking);
    Ok(report)
}

/// Returns the index that belongs to the ledger; `None` if none is usable. Every query of an index must
/// get it here, because the index of another ledger would answer, too.
pub fn own_index(ledger: &Ledger, dir: &Path) -> Result<Option<Index>, LedgerError> {
    Ok(ledger.fact(INDEX_UUID)?.and_then(|uuid| Index::open(dir, &uuid).ok()))
}

/// Returns the index that belongs to the ledger, without its lost parts; a new, empty one if it is unusable.
fn open_index(ledger: &mut Ledger, dir: &Path, report: &mut IngestReport) -> Result<Index, StateError> {
    Index::clean(dir)?;
    match ledger.fact(INDEX_UUID)?.map(|uuid| Index::open(dir, &uuid)) {
        Some(Ok(index)) => {
            let damaged = index.repair()?;
            let first = damaged.first().and_then(|name| name.to_str());
            report.index_fault = first.map(|name| match damaged.len() - 1 {
                0 => format!("the index's file `{name}` was lost or damaged"),
                more => format!("the index's file `{name}` and {more} more were lost or damaged"),
            });
            return Ok(index);
        }
        Some(Err(fault)) => report.index_fault = Some(fault.to_string()),
        None => {}
    }
    let index = Index::create(dir)?;
    let uuid = index.uuid();
    index.writer()?.commit(&Segments::default(), &Payload { batch: INCOMPLETE, uuid: uuid.to_owned() })?;
    // Only now: a crash before this leaves an index that is not the ledger's, and is made again.
    ledger.set_fact(INDEX_UUID, uuid)?;
    Ok(index)
}

/// Brings the index in line with the ledger if their last batches differ. Returns the objects that it
/// still lacks because their mirrored file could not be read, and why; they are fetched again. Objects pruned from the
/// mirror are left out for good: a search reads them without the index.
fn reconcile(
    ledger: &mut Ledger,
    reader: &Reader<'_>,
    uuid: &str,
    report: &mut IngestReport,
) -> Result<Vec<(ObjectKey, String)>, StateError> {
    let last_batch = ledger.last_batch()?;
    if reader.index.payload().is_some_and(|found| found.batch == last_batch) {
        return Ok(Vec::new());
    }
    let mut held: BTreeMap<GenerationId, Vec<(i64, u64)>> = BTreeMap::new();
    for (generation, batch, documents) in reader.index.generations()? {
        held.entry(generation).or_default().push((batch, documents));
    }
    let (mut lacking, mut pruned) = (Vec::new(), Vec::new());
    for row in ledger.generations()?.into_iter().filter(|row| row.indexed) {
        let wanted = if row.blocks > 0 { vec![(row.batch, row.blocks)] } else { Vec::new() };
        // The right number of blocks under the right batch. Any other number is a read that broke off, and is redone
        // whole.
        if held.get(&row.object.generation).unwrap_or(&Vec::new()) == &wanted {
            held.remove(&row.object.generation);
        } else if row.mirrored {
            lacking.push(Job {
                known: ledger.known_bytes_of(&row.object)?,
                object: row.object,
                batch: row.batch,
                asked: None,
            });
        } else {
            pruned.push(row.object.generation);
        }
    }
    ledger.leave_unindexed(&pruned)?;
    report.unindexed += pruned.len() as u64;
    let mut writer = reader.index.writer()?;
    if !held.is_empty() {
        for &generation in held.keys() {
            writer.delete_generation(generation);
        }
        writer.commit(&Segments::default(), &Payload { batch: INCOMPLETE, uuid: uuid.to_owned() })?;
    }
    let wanted = lacking.len() as u64;
    let segments = Segments::default();
    let read = reader.read(lacking, &segments, Keep::BlocksOnly)?;
    if read.left > 0 {
        report.stopped = true;
        return Ok(Vec::new());
    }
    report.reindexed += wanted - read.failed.len() as u64;
    let batch = if read.failed.is_empty() { last_batch } else { INCOMPLETE };
    writer.commit(&segments, &Payload { batch, uuid: uuid.to_owned() })?;
    let mut lacking = Vec::new();
    for (object, reason) in read.failed {
        ledger.fetch_again(&object, &reason)?;
        lacking.push((object.key, reason));
    }
    Ok(lacking)
}

/// An object to read.
struct Job {
    object: ObjectVersion,
    /// What its bytes have to be.
    known: KnownBytes,
    batch: i64,
    /// If it was counted before, by other rules: the lines whose groups are asked for.
    asked: Option<Vec<u64>>,
}

/// Returns the jobs of the next batch.
fn jobs(ledger: &Ledger, objects: Vec<ObjectVersion>, is_read_again: bool) -> Result<Vec<Job>, LedgerError> {
    let batch = ledger.last_batch()? + 1;
    let job = |object: ObjectVersion| {
        let asked = is_read_again.then(|| ledger.sample_lines(object.generation)).transpose()?;
        Ok(Job { known: ledger.known_bytes_of(&object)?, object, batch, asked })
    };
    objects.into_iter().map(job).collect()
}

fn commit_batch(
    ledger: &mut Ledger,
    reader: &Reader<'_>,
    mut jobs: Vec<Job>,
    uuid: &str,
    now_ms: UtcMs,
    is_complete: bool,
    report: &mut IngestReport,
) -> Result<(), StateError> {
    let mut bytes = 0;
    jobs.retain(|job| {
        bytes += job.object.size_bytes;
        // An object larger than a whole batch is one by itself.
        bytes <= BATCH_BYTES || bytes == job.object.size_bytes
    });
    let segments = Segments::default();
    let Read { mut items, failed, .. } = reader.read(jobs, &segments, Keep::Partials)?;
    for (object, reason) in failed {
        ledger.fetch_again(&object, &reason)?;
        report.unreadable.push((object.key, reason));
    }
    if items.is_empty() {
        return Ok(());
    }
    // Workers finish in any order. Sorted, a batch is written the same way each time.
    items.sort_by(|a, b| (&a.object.source, &a.object.key).cmp(&(&b.object.source, &b.object.key)));
    // From here to the index's commit a crash leaves the ledger one batch ahead, which `reconcile` finds by the
    // numbers.
    let committed = ledger.commit_batch(&items, now_ms)?;
    let mut writer = reader.index.writer()?;
    committed.replaced.iter().for_each(|object| writer.delete_generation(object.generation));
    let batch = |batch| if is_complete { batch } else { INCOMPLETE };
    if items.iter().any(|item| item.is_read_again) {
        // A commit may delete and add the same version, read again. A crash between
        // the two is then handled like one between ledger and index.
        let payload = Payload { batch: batch(committed.batch - 1), uuid: uuid.to_owned() };
        writer.commit(&Segments::default(), &payload)?;
    }
    let batch = batch(committed.batch);
    writer.commit(&segments, &Payload { batch, uuid: uuid.to_owned() })?;
    // Last: until both have committed, a crash may need the old version's file.
    remove_replaced(ledger, reader.mirror)?;
    report.batches += 1;
    report.new_groups += committed.new_groups;
    for item in &items {
        report.add(item);
    }
    Ok(())
}

/// Removes the mirrored files of replaced and pruned versions, those that a crash has left included.
pub(crate) fn remove_replaced(ledger: &mut Ledger, mirror: &Mirror) -> Result<(), LedgerError> {
    let mut replaced = ledger.replaced()?;
    // A file that cannot be removed now costs space, nothing else; the next run tries again.
    replaced.retain(|object| mirror.remove(&object.source, &object.key, object.generation).is_ok());
    ledger.forget_replaced(&replaced)?;
    Ok(())
}

impl IngestReport {
    fn add(&mut self, item: &Ingested) {
        if item.is_read_again {
            self.read_again += 1;
            return;
        }
        let (object, partial) = (&item.object, &item.partial);
        self.objects += 1;
        let damage = partial.damage.as_ref();
        self.damaged.extend(damage.map(|damage| (object.key.clone(), damage.reason.clone())));
        self.lines.add(&partial.lines);
        self.errors += partial
            .counts
            .iter()
            .filter(|count| count.level.is_error() || count.group.is_some())
            .map(|count| count.events)
            .sum::<u64>();
        self.decoded_bytes += partial.decoded_bytes;
    }
}

/// What a round of reading gave.
#[derive(Default)]
struct Read {
    items: Vec<Ingested>,
    /// Objects that could not be read from the mirror, and why.
    failed: Vec<(ObjectVersion, String)>,
    /// Objects not begun, because enough is held or a stop was asked for.
    left: usize,
}

/// Which results of the objects read are kept.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Keep {
    /// Partials for the ledger, blocks for the index.
    Partials,
    /// The ledger has the rest.
    BlocksOnly,
}

/// Reads objects from the mirror with a few workers.
struct Reader<'r> {
    index: &'r Index,
    mirror: &'r Mirror,
    settings: &'r SourceSettings,
    reading: Reading,
    /// Where the sources are, by name.
    urls: HashMap<SourceName, String>,
    stop: &'r AtomicBool,
    progress: &'r (dyn Fn(u64, u64) + Sync),
    done: AtomicU64,
    bytes: AtomicU64,
}

/// What the workers share.
struct Work {
    queue: Mutex<VecDeque<Job>>,
    read: Mutex<Read>,
    keep: Keep,
    held_bytes: AtomicU64,
}

impl Reader<'_> {
    /// Reads objects into `segments`, each with its batch, until all are done, enough is held in memory or a stop
    /// is requested.
    fn read(&self, jobs: Vec<Job>, segments: &Segments, keep: Keep) -> Result<Read, StateError> {
        let workers = workers::count().min(MAX_WORKERS).min(jobs.len());
        let work = Work {
            queue: Mutex::new(jobs.into()),
            read: Mutex::default(),
            keep,
            held_bytes: AtomicU64::new(0),
        };
        workers::each(workers, || self.work(&work, segments)).into_iter().collect::<Result<(), _>>()?;
        let left = lock(&work.queue).len();
        Ok(Read { left, ..work.read.into_inner().unwrap_or_else(PoisonError::into_inner) })
    }

    fn work(&self, work: &Work, segments: &Segments) -> Result<(), StateError> {
        let mut builder = self.index.segment_builder(segments);
        // The bound is on results, not on objects: a small object with many groups holds more than a large quiet one.
        while work.held_bytes.load(Ordering::Relaxed) < HELD_BYTES && !self.stop.load(Ordering::Relaxed) {
            let next = lock(&work.queue).pop_front();
            let Some(job) = next else { break };
            match self.read_one(&job, &mut builder) {
                Ok((partial, stored)) => {
                    let Job { object, asked, .. } = job;
                    let bytes =
                        self.bytes.fetch_add(object.size_bytes, Ordering::Relaxed) + object.size_bytes;
                    (self.progress)(self.done.fetch_add(1, Ordering::Relaxed) + 1, bytes);
                    if work.keep == Keep::Partials {
                        work.held_bytes.fetch_add(held_bytes(&partial), Ordering::Relaxed);
                        lock(&work.read).items.push(Ingested {
                            object,
                            partial,
                            reading: self.reading,
                            stored_checksum: Some(stored),
                            is_read_again: asked.is_some(),
                        });
                    }
                }
                // One unreadable file does not stop the batch: it is fetched again, the rest is counted.
                Err(ReadError::Io(error)) => lock(&work.read).failed.push((job.object, error.to_string())),
                Err(ReadError::Index(error)) => return Err(error.into()),
            }
        }
        Ok(builder.finish()?)
    }

    /// Returns an object as people write it.
    fn place(&self, object: &ObjectVersion) -> String {
        self.urls.get(&object.source).map_or_else(String::new, |url| object_place(url, &object.key))
    }

    /// Reads one object after proving that its bytes are those of its version: a fault must be known before
    /// the first block goes to the index. Also returns the checksum of its stored bytes.
    fn read_one(
        &self,
        job: &Job,
        builder: &mut SegmentBuilder<'_>,
    ) -> Result<(Partial, Checksum), ReadError> {
        let object = &job.object;
        let settings = self.settings.of(&object.source);
        let mut file = self.mirror.open(&object.source, &object.key, object.generation)?;
        let checksum = prove(&mut file, &object.etag, &job.known, &settings.limits)?;
        let place = self.place(object);
        let asked = job.asked.as_deref().unwrap_or_default();
        let about = About { day: object.day, app: &object.app, place: &place, asked };
        let partial = read_object(file, settings, &about, |block, words| {
            Ok::<_, ReadError>(builder.add(object.generation, job.batch, block, words)?)
        })?;
        Ok((partial, checksum))
    }
}

/// Locks a mutex; a panicking worker ends the ingest anyway.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What stops the reading of one object.
enum ReadError {
    Io(io::Error),
    Index(IndexError),
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Unproved> for ReadError {
    fn from(error: Unproved) -> Self {
        Self::Io(match error {
            Unproved::Io(error) => error,
            Unproved::Other(_) => io::Error::new(io::ErrorKind::InvalidData, error),
        })
    }
}

impl From<IndexError> for ReadError {
    fn from(error: IndexError) -> Self {
        Self::Index(error)
    }
}

/// Roughly what a partial takes in memory.
fn held_bytes(partial: &Partial) -> u64 {
    let samples = partial.sightings.iter().map(|sighting| {
        sighting.first.raw.len() + sighting.last.raw.len() + sighting.group.template.len() + 256
    });
    let points: usize = partial.points.iter().map(|point| point.window.len() + 32).sum();
    (samples.sum::<usize>() + partial.counts.len() * 40 + points) as u64
}
