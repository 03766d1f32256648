//! Sources to mirror: discover, list, compare, get, record. Carries out what [`gzette_core::plan`] decides.
//! Only this task writes the ledger, in small transactions, so that a run that stops anywhere keeps
//! what it has.
//!
//! All sources are listed in parallel, and listed objects are read while other listings continue. What does
//! not answer holds up nothing else: after [`SyncOptions::slow`] a listing no longer counts towards the limit on
//! listings, and a read is given up for a while when others wait for its place.
//!
//! What goes wrong stays where it is:
//! - a prefix that cannot be listed changes nothing of what is known under it;
//! - an object that cannot be read is recorded with its reason and tried again by later runs, after pauses that grow;
//! - if an object was missing or changed when it was read, its prefix is listed once more in
//!   the same run, and new objects there are fetched; what still does not fit waits for the next run;
//! - wrong credentials, a missing bucket, a wrong configuration, or a network failure on the first
//!   listing end the source with [`SourceError`], and the next source follows;
//! - only the local disk or the ledger ends the run.

mod flat;
mod get;
mod list;
mod moves;
mod queue;
mod report;

pub use moves::unconfigured;
pub use report::{Known, Problem, ProblemKind, SourceError, SyncReport};

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::edges::ledger::Ledger;
use crate::edges::mirror::Mirror;
use crate::edges::store::{ObjectStore, StoreErrorKind};
use crate::flows::error::StateError;
use gzette_core::model::{ListedObject, ObjectKey, SourceName, UtcMs};
use gzette_core::plan::{Layout, Reach};

use get::{Done, Gets};
use list::{Answer, Front};
use queue::{Queue, Waiting};

/// How often a wait for an answer looks whether the deadline has come.
const DEADLINE_LOOK: Duration = Duration::from_millis(100);

/// Where objects come from.
#[derive(Clone)]
pub struct SyncSource {
    /// Its name in the configuration.
    pub name: SourceName,
    /// Its place, as people write it.
    pub url: String,
    /// How its keys are built, relative to `prefix`.
    pub layout: Layout,
    /// The zone in which keys name days.
    pub zone: TimeZone,
    /// Days before today that are listed on every run.
    pub look_back_days: u32,
    /// Days before the first run that belong to the source; 0 for all.
    pub backfill_days: u32,
    /// The store.
    pub store: Arc<dyn ObjectStore>,
    /// The prefix of all its keys in the store; a missing last `/` is added.
    pub prefix: String,
}

/// How to sync.
#[derive(Clone)]
pub struct SyncOptions {
    /// Now.
    pub now_ms: UtcMs,
    /// Objects read at a time.
    pub parallel_gets: usize,
    /// Bytes of objects held in memory at a time; a larger object is read alone.
    pub max_bytes_in_flight: u64,
    /// When to start nothing more.
    pub deadline: Deadline,
    /// How long what has been started by then may still take.
    pub patience: Duration,
    /// How long a request may keep others waiting.
    pub slow: Duration,
}

impl SyncOptions {
    /// Returns the defaults: 16 objects and 256 MiB at a time, no deadline, after one 4 seconds; slow after 3.
    pub fn new(now_ms: UtcMs) -> Self {
        Self {
            now_ms,
            parallel_gets: 16,
            max_bytes_in_flight: 256 << 20,
            deadline: Deadline::Never,
            patience: Duration::from_secs(4),
            slow: Duration::from_secs(3),
        }
    }
}

/// When a run starts nothing more; what has been started is finished, or cut when the patience is used up.
#[derive(Clone)]
pub enum Deadline {
    /// Never.
    Never,
    /// When the answer is yes: a signal came, the time is used up.
    When(Arc<dyn Fn() -> bool + Send + Sync>),
}

impl Deadline {
    /// Returns whether it has come.
    pub fn has_come(&self) -> bool {
        match self {
            Self::Never => false,
            Self::When(asked) => asked(),
        }
    }
}

/// Receives the progress of a sync. Every method may do nothing.
pub trait Progress: Send + Sync {
    /// Called with the prefixes and objects of a source listed so far.
    fn listed(&self, source: &SourceName, prefixes: u64, objects: u64) {
        let _ = (source, prefixes, objects);
    }

    /// Called with the objects and bytes of a source handled so far.
    fn got(&self, source: &SourceName, done: u64, total: u64, bytes: u64) {
        let _ = (source, done, total, bytes);
    }
}

/// Ignores progress.
impl Progress for () {}

/// Brings the mirror and the ledger up to what the sources list.
pub async fn sync(
    sources: &[SyncSource],
    ledger: &mut Ledger,
    mirror: &Mirror,
    options: &SyncOptions,
    progress: &dyn Progress,
) -> Result<SyncReport, StateError> {
    // Safe only here: the caller holds the lock, so no other run is writing these files.
    mirror.clean().map_err(StateError::Mirror)?;
    let mut report = SyncReport::default();
    moves::settle_sources(sources, ledger, mirror, options, &mut report)?;
    let mut places = Vec::with_capacity(sources.len());
    for source in sources {
        let place = Place::new(source, ledger, options.now_ms)?;
        moves::settle_layout(source, place.id, &place.prefix, ledger, &mut report)?;
        places.push(place);
    }
    let fronts: Vec<Front<'_>> =
        places.iter().map(|place| Front::new(place, ledger)).collect::<Result<_, StateError>>()?;
    let mut run = Run {
        ledger,
        mirror,
        options,
        progress,
        report,
        over_since: None,
        fronts,
        queue: Queue::default(),
        gets: Gets::default(),
        running: JoinSet::new(),
    };
    run.work().await?;
    run.finish()?;
    let mut report = run.report;
    // They fail side by side; people look for them in the order of the configuration.
    let order = |failed: &SourceError| sources.iter().position(|source| source.name == failed.source);
    report.source_errors.sort_by_key(order);
    report.root_errors.sort_by_key(order);
    Ok(report)
}

/// One sync at work.
struct Run<'a> {
    ledger: &'a mut Ledger,
    mirror: &'a Mirror,
    options: &'a SyncOptions,
    progress: &'a dyn Progress,
    report: SyncReport,
    over_since: Option<Instant>,
    fronts: Vec<Front<'a>>,
    queue: Queue,
    gets: Gets,
    running: JoinSet<Event>,
}

/// What comes back from a task.
enum Event {
    /// A listing of the source with this number.
    Listed(usize, Answer),
    /// An object.
    Got(Done),
}

impl<'a> Run<'a> {
    /// Starts what there is room for and records what comes back, until nothing is left or the time is up.
    async fn work(&mut self) -> Result<(), StateError> {
        loop {
            for at in 0..self.fronts.len() {
                self.start_lists(at)?;
            }
            self.start_gets()?;
            let Some(events) = self.next_events().await? else { return Ok(()) };
            let mut done = Vec::new();
            for event in events {
                match event {
                    Event::Listed(at, answer) => self.take_answer(at, answer)?,
                    Event::Got(object) => done.push(object),
                }
            }
            self.record_batch(done)?;
            self.make_room();
        }
    }

    /// Names what was not reached, and sums up known failures.
    fn finish(&mut self) -> Result<(), StateError> {
        self.leave_running()?;
        for at in 0..self.fronts.len() {
            self.leave_prefixes(at)?;
            self.leave_objects(at)?;
            self.doubt_source(at)?;
            self.tell_strays(at)?;
            self.note_etags(at)?;
            self.note_flat(at)?;
            self.sum_up(at)?;
        }
        Ok(())
    }

    /// Counts what is not in the mirror, and sums up in one line per application what an earlier run named one by one.
    fn sum_up(&mut self, at: usize) -> Result<(), StateError> {
        let place = self.fronts[at].place;
        self.report.waiting += self.ledger.pending_objects(place.id)?.len() as u64;
        for trouble in self.ledger.troubles(place.id, self.options.now_ms)? {
            let (is_new, known) = (trouble.is_new, Known { source: place.name().clone(), trouble });
            self.report.is_failing |= known.may_pass();
            if !is_new {
                self.report.known.push(known);
            }
        }
        for (key, reason) in self.ledger.troubled(place.id, self.options.now_ms, report::MAX_PROBLEMS)? {
            self.report.add_known(place.source.store.describe(&key), reason);
        }
        Ok(())
    }

    fn place(&self, at: usize) -> &'a Place<'a> {
        self.fronts[at].place
    }

    fn has_failed(&self, at: usize) -> bool {
        self.report.has_failed(self.place(at).name())
    }

    fn is_over(&mut self) -> bool {
        if self.over_since.is_none() && self.options.deadline.has_come() {
            self.over_since = Some(Instant::now());
            self.report.deadline_reached = true;
        }
        self.over_since.is_some()
    }

    /// Waits a little for what comes next, and takes what has come with it; `None` when nothing is at work, or when what
    /// is at work has had its time after the deadline and was cut.
    async fn next_events(&mut self) -> Result<Option<Vec<Event>>, StateError> {
        let Ok(first) = timeout(DEADLINE_LOOK, self.running.join_next()).await else {
            let is_overdue = self.is_over()
                && self.over_since.is_some_and(|since| since.elapsed() >= self.options.patience);
            if is_overdue {
                self.running.shutdown().await;
            }
            return Ok((!is_overdue).then(Vec::new));
        };
        let Some(first) = first else { return Ok(None) };
        let mut events = Vec::new();
        let mut next = Some(first);
        while let Some(event) = next {
            match event {
                Ok(event) => events.push(event),
                // It was given up to make room.
                Err(error) if error.is_cancelled() => {}
                Err(_) => return Err(StateError::Panicked),
            }
            // Many outcomes in one transaction: a commit waits for the disk, which is what a run with thousands of
            // small objects would spend its time on.
            next = if events.len() < get::RECORDS_AT_ONCE { self.running.try_join_next() } else { None };
        }
        Ok(Some(events))
    }
}

/// A source with what the ledger says of it.
struct Place<'a> {
    source: &'a SyncSource,
    id: i64,
    prefix: String,
    reach: Reach,
    /// Whether the server gives other etags for reading than for listing.
    is_loose: bool,
}

impl<'a> Place<'a> {
    fn new(source: &'a SyncSource, ledger: &mut Ledger, now_ms: UtcMs) -> Result<Self, StateError> {
        let id = ledger.source_id(&source.name, &source.url)?;
        let first_ms = ledger.first_listed_ms(id, now_ms)?;
        let mut prefix = source.prefix.clone();
        if !prefix.is_empty() && !prefix.ends_with('/') {
            prefix.push('/');
        }
        let root = format!("{prefix}{}", source.layout.descend(""));
        let root = ledger.listings(id)?.into_iter().find(|listing| listing.prefix == root);
        let reach = Reach {
            today: now_ms.day(&source.zone),
            look_back_days: source.look_back_days,
            backfill_days: source.backfill_days,
            first_day: first_ms.day(&source.zone),
            now_ms,
            last_run_ms: root.map(|root| root.tried_ms),
        };
        let is_loose = ledger.fact(&get::etags_fact(id))?.is_some();
        Ok(Self { source, id, prefix, reach, is_loose })
    }

    fn name(&self) -> &'a SourceName {
        &self.source.name
    }

    /// Returns the prefix whose listing holds a key; `None` for a key outside the layout.
    fn leaf_of(&self, key: &ObjectKey) -> Option<String> {
        let leaf = self.source.layout.leaf_of(key.strip_prefix(&self.prefix)?)?;
        Some(format!("{}{leaf}", self.prefix))
    }
}

/// An object that was missing or changed when it was to be read: a problem only if it still is after its prefix
/// has been listed again.
struct Doubt {
    waiting: Waiting,
    object: ListedObject,
    kind: StoreErrorKind,
    reason: String,
}

/// Whether nothing of the source can be expected to work.
fn ends_source(kind: StoreErrorKind) -> bool {
    use StoreErrorKind::{Clock, Config, Credentials, NoBucket};
    matches!(kind, NoBucket | Credentials | Clock | Config)
}
