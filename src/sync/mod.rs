//! Sources to mirror: discover, list, compare, get, record. Carries out what [`crate::plan`] decides; the
//! ledger is written by this task alone, in small transactions, so that a run that stops anywhere keeps
//! what it has.
//!
//! What goes wrong stays where it is:
//! - a prefix that cannot be listed changes nothing of what is known under it;
//! - an object that cannot be read is recorded with its reason and tried again by later runs;
//! - an object that was missing or changed when it was to be read: the prefix it lies in is listed once more in
//!   the same run, and what is new there is gotten; what still does not fit waits for the next run;
//! - wrong credentials, a bucket that is not there, wrong configuration, or a network failure on the first
//!   listing end the source with [`SourceError`], and the next source follows;
//! - only the local disk or the ledger ends the run.

mod get;
mod list;
mod report;

pub use report::{Problem, ProblemKind, SourceError, SyncReport};

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::ledger::{Ledger, LedgerError};
use crate::mirror::Mirror;
use crate::model::{Day, ObjectKey, UtcMs};
use crate::plan::{Layout, Reach};
use crate::store::{ObjectStore, StoreErrorKind};

/// How often a wait for an answer looks whether the deadline has come.
const DEADLINE_LOOK: Duration = Duration::from_millis(100);

/// Where objects come from.
#[derive(Clone)]
pub struct SyncSource {
    /// Its name in the configuration.
    pub name: String,
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
}

impl SyncOptions {
    /// Returns the defaults: 16 objects and 256 MiB at a time, no deadline, after one 4 seconds.
    pub fn new(now_ms: UtcMs) -> Self {
        Self {
            now_ms,
            parallel_gets: 16,
            max_bytes_in_flight: 256 << 20,
            deadline: Deadline::Never,
            patience: Duration::from_secs(4),
        }
    }
}

/// When a run starts nothing more; what has been started is finished, or cut when the patience is used up.
#[derive(Clone)]
pub enum Deadline {
    /// Never.
    Never,
    /// At a moment.
    At(Instant),
    /// When the answer is yes: a signal came, the time is used up.
    When(Arc<dyn Fn() -> bool + Send + Sync>),
}

impl Deadline {
    /// Returns whether it has come.
    pub fn has_come(&self) -> bool {
        match self {
            Self::Never => false,
            Self::At(moment) => !moment.elapsed().is_zero(),
            Self::When(asked) => asked(),
        }
    }
}

/// Is told how far a sync is. Every method may do nothing.
pub trait Progress: Send + Sync {
    /// So many prefixes of a source have been listed, with so many objects.
    fn listed(&self, source: &str, prefixes: u64, objects: u64) {
        let _ = (source, prefixes, objects);
    }

    /// So many of a source's objects have been dealt with, with so many bytes.
    fn got(&self, source: &str, done: u64, total: u64, bytes: u64) {
        let _ = (source, done, total, bytes);
    }
}

/// Tells nobody.
impl Progress for () {}

/// What ends a sync as a whole.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The local disk; the message names the path.
    #[error("mirror: {0}")]
    Mirror(#[source] io::Error),
    /// A bug: a task of this process panicked.
    #[error("a task of the sync panicked")]
    Panicked,
}

/// Brings the mirror and the ledger up to what the sources list. All sources are listed before any is read,
/// so that a long backfill of one does not hide what is new in another.
pub async fn sync(
    sources: &[SyncSource],
    ledger: &mut Ledger,
    mirror: &Mirror,
    options: &SyncOptions,
    progress: &dyn Progress,
) -> Result<SyncReport, SyncError> {
    mirror.clean().map_err(SyncError::Mirror)?;
    let mut run = Run { ledger, mirror, options, progress, report: SyncReport::default(), over_since: None };
    let mut listed = Vec::new();
    for source in sources {
        let place = Place::new(source, run.ledger, options.now_ms)?;
        if run.list_source(&place).await? {
            listed.push(place);
        }
    }
    for place in &listed {
        run.get_source(place).await?;
    }
    Ok(run.report)
}

/// One sync at work.
struct Run<'a> {
    ledger: &'a mut Ledger,
    mirror: &'a Mirror,
    options: &'a SyncOptions,
    progress: &'a dyn Progress,
    report: SyncReport,
    over_since: Option<Instant>,
}

impl Run<'_> {
    /// Gets what is to be gotten, then once more what was found to have changed meanwhile.
    async fn get_source(&mut self, place: &Place<'_>) -> Result<(), SyncError> {
        let pending = self.ledger.pending_objects(place.id)?;
        let mut doubts = self.get_objects(place, place.to_try(&pending)).await?;
        if !doubts.is_empty() && !self.is_over() && !self.report.has_failed(place.name()) {
            let prefixes = doubts.iter().map(|doubt| doubt.prefix.clone()).collect();
            self.list_again(place, &prefixes).await?;
            let fresh = self.ledger.pending_objects(place.id)?;
            let fresh = fresh.iter().filter(|object| object.attempts == 0).map(|object| object.id).collect();
            doubts.extend(self.get_objects(place, fresh).await?);
        }
        let pending: HashSet<i64> =
            self.ledger.pending_objects(place.id)?.iter().map(|object| object.id).collect();
        self.report.waiting += pending.len() as u64;
        let mut told = HashSet::new();
        for doubt in doubts {
            if pending.contains(&doubt.id) && told.insert(doubt.id) {
                self.report.failed += 1;
                self.add_problem(place, &doubt.key, ProblemKind::Object, doubt.reason);
            }
        }
        Ok(())
    }

    fn is_over(&mut self) -> bool {
        if self.over_since.is_none() && self.options.deadline.has_come() {
            self.over_since = Some(Instant::now());
            self.report.deadline_reached = true;
        }
        self.over_since.is_some()
    }

    /// Waits for the next task of a set; `None` when there is none, or when those at work have had their time after
    /// the deadline and were cut.
    async fn next_of<T: 'static>(&mut self, running: &mut JoinSet<T>) -> Result<Option<T>, SyncError> {
        loop {
            match timeout(DEADLINE_LOOK, running.join_next()).await {
                Ok(done) => return done.transpose().map_err(|_| SyncError::Panicked),
                Err(_) => {
                    if self.is_over()
                        && self.over_since.is_some_and(|since| since.elapsed() >= self.options.patience)
                    {
                        running.shutdown().await;
                        return Ok(None);
                    }
                }
            }
        }
    }
}

/// A source with what the ledger says of it.
struct Place<'a> {
    source: &'a SyncSource,
    id: i64,
    prefix: String,
    reach: Reach,
}

impl<'a> Place<'a> {
    fn new(source: &'a SyncSource, ledger: &mut Ledger, now_ms: UtcMs) -> Result<Self, SyncError> {
        let id = ledger.source_id(&source.name, &source.url)?;
        let first_ms = ledger.first_listed_ms(id, now_ms)?;
        let mut prefix = source.prefix.clone();
        if !prefix.is_empty() && !prefix.ends_with('/') {
            prefix.push('/');
        }
        let root = format!("{prefix}{}", source.layout.descend(""));
        let root = ledger.listings(id)?.into_iter().find(|listing| listing.prefix == root);
        let reach = Reach {
            today: day_of(now_ms, &source.zone),
            look_back_days: source.look_back_days,
            backfill_days: source.backfill_days,
            first_day: day_of(first_ms, &source.zone),
            now_ms,
            last_run_ms: root.map(|root| root.tried_ms),
        };
        Ok(Self { source, id, prefix, reach })
    }

    fn name(&self) -> &'a str {
        &self.source.name
    }

    /// Returns the prefix whose listing holds a key; `None` for a key outside the layout.
    fn leaf_of(&self, key: &str) -> Option<String> {
        let leaf = self.source.layout.leaf_of(key.strip_prefix(&self.prefix)?)?;
        Some(format!("{}{leaf}", self.prefix))
    }
}

/// An object that was missing or changed when it was to be read: a problem only if it still is after its prefix
/// has been listed again.
struct Doubt {
    id: i64,
    key: ObjectKey,
    reason: String,
    prefix: String,
}

/// Prefixes to list again.
type Prefixes = BTreeSet<String>;

fn day_of(time_ms: UtcMs, zone: &TimeZone) -> Day {
    zone.to_datetime(Timestamp::from_millisecond(time_ms).unwrap_or_default()).date()
}

/// Whether nothing of the source can be expected to work.
fn ends_source(kind: StoreErrorKind) -> bool {
    matches!(kind, StoreErrorKind::NoBucket | StoreErrorKind::Credentials | StoreErrorKind::Config)
}
