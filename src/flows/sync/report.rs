//! What a sync did and what it could not do.

use std::collections::BTreeMap;

use crate::edges::ledger::Trouble;
use crate::edges::store::StoreError;
use gzette_core::model::SourceName;
use gzette_core::plan::{ObjectState, Why};

/// The most problems that are named one by one; all are counted.
pub(super) const MAX_PROBLEMS: usize = 10_000;

/// What a sync did, of all sources.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct SyncReport {
    /// Objects listed.
    pub listed: u64,
    /// Of these, keys not known before (or known as deleted).
    pub new: u64,
    /// Known keys with another etag or size.
    pub changed: u64,
    /// Known keys that are listed no more.
    pub gone: u64,
    /// Objects read and mirrored.
    pub got: u64,
    /// Their bytes.
    pub got_bytes: u64,
    /// Objects that were whole in the mirror already (an interrupted run, a lost ledger) and not read again.
    pub adopted: u64,
    /// Objects that were asked for in vain.
    pub failed: u64,
    /// Objects that are still not in the mirror: failed, or not reached before the deadline.
    pub waiting: u64,
    /// Objects whose key does not fit the layout; they are mirrored all the same.
    pub unplaced: u64,
    /// Empty entries that represent folders; left out.
    pub folder_markers: u64,
    /// Prefixes and objects left out because their day is before the backfill.
    pub too_old: u64,
    /// Prefixes left out because they start with other literal text than the layout's.
    pub outside: u64,
    /// Prefixes listed completely, by why they were listed.
    pub prefixes_listed: BTreeMap<Why, u64>,
    /// Prefixes that could not be listed.
    pub prefixes_failed: u64,
    /// Whether work was left because the deadline came.
    pub deadline_reached: bool,
    /// New problems of this run, with their places; at most the first 10,000.
    pub problems: Vec<Problem>,
    /// All problems, told or not.
    pub problem_count: u64,
    /// Whether something cannot be read or listed that may pass by itself.
    pub is_failing: bool,
    /// What an earlier run has told one by one and is still wrong.
    pub known: Vec<Known>,
    /// The same one by one, as place and reason; at most 10,000.
    pub known_places: Vec<(String, String)>,
    /// What looks odd without being wrong: an empty source, a layout that no key fits, a proxy.
    pub notes: Vec<String>,
    /// Sources that could not be read at all.
    pub source_errors: Vec<SourceError>,
    /// Sources whose first listing failed, those included.
    pub root_errors: Vec<SourceError>,
    /// The first refusal of each kind and operation, for what can be done about it.
    #[serde(skip)]
    pub refusals: Vec<StoreError>,
}

/// Objects or prefixes of a source that have been failing since an earlier run.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Known {
    /// The source.
    pub source: SourceName,
    /// What, since when, and when it is tried again.
    #[serde(skip)]
    pub trouble: Trouble,
}

impl Known {
    /// Returns whether it may pass by itself.
    pub fn may_pass(&self) -> bool {
        self.trouble.state != ObjectState::Archived
    }
}

/// Something that people should look at.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// The source.
    pub source: SourceName,
    /// What it is about, as the store writes it.
    pub place: String,
    /// What kind of problem.
    pub kind: ProblemKind,
    /// Why, in a few words.
    pub reason: String,
}

/// The kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// A prefix could not be listed.
    Listing,
    /// An object could not be read.
    Object,
    /// A key or prefix does not fit the layout.
    Unplaced,
}

/// A source that could not be read.
#[derive(Clone, Debug, serde::Serialize)]
pub struct SourceError {
    /// The source.
    pub source: SourceName,
    /// Why.
    #[serde(serialize_with = "as_text")]
    pub error: StoreError,
}

impl SyncReport {
    /// Returns whether anything is wrong since this run, or still wrong though it may pass by itself: exit code 3.
    pub fn has_problems(&self) -> bool {
        self.problem_count > 0 || !self.source_errors.is_empty() || self.deadline_reached || self.is_failing
    }

    /// Returns how many prefixes were listed completely.
    pub fn prefix_count(&self) -> u64 {
        self.prefixes_listed.values().sum()
    }

    /// Removes the messages about a source, for a caller that reports them in another way.
    pub fn forget(&mut self, source: &SourceName) {
        self.source_errors.retain(|failed| failed.source != *source);
        let told = self.problems.len();
        self.problems.retain(|problem| problem.source != *source);
        self.problem_count -= (told - self.problems.len()) as u64;
        self.known.retain(|known| known.source != *source);
    }

    pub(super) fn has_failed(&self, source: &SourceName) -> bool {
        self.source_errors.iter().any(|failed| failed.source == *source)
    }

    pub(super) fn add_problem(&mut self, problem: Problem) {
        self.problem_count += 1;
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(problem);
        }
    }

    pub(super) fn add_known(&mut self, place: String, reason: String) {
        if self.known_places.len() < MAX_PROBLEMS {
            self.known_places.push((place, reason));
        }
    }

    /// Records the error of a source of which nothing was listed yet; only the first counts.
    pub(super) fn note_root_error(&mut self, source: &SourceName, error: &StoreError) {
        if !self.root_errors.iter().any(|failed| failed.source == *source) {
            self.root_errors.push(SourceError { source: source.clone(), error: error.clone() });
        }
    }

    pub(super) fn note_refused(&mut self, error: &StoreError) {
        if !self.refusals.iter().any(|known| (known.kind, known.what) == (error.kind, error.what)) {
            self.refusals.push(error.clone());
        }
    }

    /// Notes the error that ends a source; the first is the one that counts.
    pub(super) fn fail_source(&mut self, source: &SourceName, error: StoreError) {
        if !self.has_failed(source) {
            self.source_errors.push(SourceError { source: source.clone(), error });
        }
    }
}

fn as_text<S: serde::Serializer>(error: &StoreError, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(error)
}
