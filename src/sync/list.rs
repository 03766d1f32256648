//! The listing half of a sync.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::ledger::ListingRecord;
use crate::plan::{Arranged, ListTask, Survey, Why, arrange, diff};
use crate::store::{Listing, StoreError, StoreErrorKind};

use super::{Place, Prefixes, Problem, ProblemKind, Run, SyncError, ends_source};

/// Listings sent at a time. They are small, and S3 answers hundreds a second.
const PARALLEL_LISTS: usize = 8;
/// The waits before a prefix is asked for again whose listing was odd.
const ODD_WAITS: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(2)];

/// A listing that has come back.
type Answer = (ListTask, Result<Listing, StoreError>);

impl Run<'_> {
    /// Lists what this run's survey asks for. Returns whether the source can be read.
    pub(super) async fn list_source(&mut self, place: &Place<'_>) -> Result<bool, SyncError> {
        let known = self.ledger.listings(place.id)?;
        let mut survey = Survey::new(&place.source.layout, &place.prefix, &place.reach, known);
        let mut is_first = true;
        loop {
            let tasks = survey.next_tasks();
            // What the deadline leaves is handed on as well, to be named.
            if tasks.is_empty() || self.report.has_failed(place.name()) {
                break;
            }
            self.list_tasks(place, tasks, Some(&mut survey), is_first).await?;
            is_first = false;
        }
        if self.report.has_failed(place.name()) && self.report.prefix_count() > 0 {
            let rest = "the rest of it was not listed, because the source failed";
            self.add_problem(place, &place.prefix, ProblemKind::Listing, rest.to_owned());
        }
        self.report.outside += survey.outside;
        self.report.too_old += survey.too_old;
        for stray in &survey.strays {
            self.add_problem(
                place,
                stray,
                ProblemKind::Unplaced,
                "the folder does not fit the layout".to_owned(),
            );
        }
        Ok(!self.report.has_failed(place.name()))
    }

    /// Lists prefixes once more in which an object was not what had been listed.
    pub(super) async fn list_again(
        &mut self,
        place: &Place<'_>,
        prefixes: &Prefixes,
    ) -> Result<(), SyncError> {
        let again = |prefix: &String| ListTask { prefix: prefix.clone(), delimited: false, why: Why::Again };
        self.list_tasks(place, prefixes.iter().map(again).collect(), None, false).await
    }

    /// Lists a few at a time and records each as it comes.
    async fn list_tasks(
        &mut self,
        place: &Place<'_>,
        tasks: Vec<ListTask>,
        mut survey: Option<&mut Survey<'_>>,
        is_first: bool,
    ) -> Result<(), SyncError> {
        let mut waiting = tasks.into_iter();
        let mut running: JoinSet<Answer> = JoinSet::new();
        let mut on_its_way = BTreeSet::new();
        loop {
            while running.len() < PARALLEL_LISTS && !self.report.has_failed(place.name()) && !self.is_over() {
                let Some(task) = waiting.next() else { break };
                on_its_way.insert(task.prefix.clone());
                running.spawn(list(place, task));
            }
            let Some((task, answer)) = self.next_of(&mut running).await? else { break };
            on_its_way.remove(&task.prefix);
            match answer {
                Ok(listing) => self.record_listing(place, &task, listing, survey.as_deref_mut())?,
                Err(error) => self.record_failure(place, &task, error, is_first)?,
            }
        }
        on_its_way.extend(waiting.map(|task| task.prefix));
        self.leave_prefixes(place, &on_its_way)
    }

    /// Writes down the prefixes that were not reached; the next run lists them.
    fn leave_prefixes(&mut self, place: &Place<'_>, prefixes: &Prefixes) -> Result<(), SyncError> {
        let reason = format!("not listed, {}", self.why_left(place));
        for prefix in prefixes {
            self.ledger.record_failed_listing(place.id, prefix, self.options.now_ms, &reason)?;
            self.report.prefixes_failed += 1;
            self.add_problem(place, prefix, ProblemKind::Listing, reason.clone());
        }
        Ok(())
    }

    /// Returns why something was not begun or not ended.
    pub(super) fn why_left(&self, place: &Place<'_>) -> &'static str {
        if self.report.has_failed(place.name()) {
            "because the source failed before"
        } else {
            "because the time was up or a stop was asked for"
        }
    }

    fn record_listing(
        &mut self,
        place: &Place<'_>,
        task: &ListTask,
        listing: Listing,
        survey: Option<&mut Survey<'_>>,
    ) -> Result<(), SyncError> {
        let entries = (listing.objects.len() + listing.prefixes.len()) as u64;
        let objects = listing.objects.len() as u64;
        let floor = place.reach.floor();
        let arranged = arrange(listing.objects, &place.source.layout, &place.prefix, place.name(), floor);
        self.count_arranged(place, &arranged, task.why);
        let known = self.ledger.known_objects(place.id, &task.prefix, task.delimited)?;
        // What is before the backfill is left out of the listing, hence of the comparison too.
        let known: Vec<_> =
            known.into_iter().filter(|object| object.day.is_none_or(|day| day >= floor)).collect();
        let diff = diff(arranged.objects, &known);
        let found = survey.map(|survey| survey.found(&listing.prefixes)).unwrap_or_default();
        let now_ms = self.options.now_ms;
        let record = ListingRecord { prefix: &task.prefix, now_ms, entries, diff: &diff, found: &found };
        self.ledger.record_listing(place.id, &record)?;
        self.report.new += diff.new.len() as u64;
        self.report.changed += diff.changed.len() as u64;
        self.report.gone += diff.gone.len() as u64;
        *self.report.prefixes_listed.entry(task.why).or_default() += 1;
        if task.why != Why::Again {
            self.report.listed += objects - arranged.folder_markers;
        }
        self.progress.listed(place.name(), self.report.prefix_count(), self.report.listed);
        Ok(())
    }

    fn count_arranged(&mut self, place: &Place<'_>, arranged: &Arranged, why: Why) {
        if why == Why::Again {
            return;
        }
        self.report.unplaced += arranged.unplaced;
        self.report.folder_markers += arranged.folder_markers;
        self.report.too_old += arranged.too_old;
        if let Some(key) = &arranged.first_unplaced {
            let reason = match arranged.unplaced {
                1 => "the key does not fit the layout".to_owned(),
                more => format!("the key does not fit the layout, nor do {} more here", more - 1),
            };
            self.add_problem(place, key, ProblemKind::Unplaced, reason);
        }
    }

    fn record_failure(
        &mut self,
        place: &Place<'_>,
        task: &ListTask,
        error: StoreError,
        is_first: bool,
    ) -> Result<(), SyncError> {
        self.ledger.record_failed_listing(place.id, &task.prefix, self.options.now_ms, &error.reason)?;
        self.report.prefixes_failed += 1;
        if ends_source(error.kind) || (is_first && error.kind == StoreErrorKind::Network) {
            if !is_first {
                self.add_problem(place, &task.prefix, ProblemKind::Listing, error.reason.clone());
            }
            self.report.fail_source(place.name(), error);
        } else {
            self.add_problem(place, &task.prefix, ProblemKind::Listing, error.reason);
        }
        Ok(())
    }

    pub(super) fn add_problem(&mut self, place: &Place<'_>, key: &str, kind: ProblemKind, reason: String) {
        let about = place.source.store.describe(key);
        self.report.add_problem(Problem { source: place.name().to_owned(), place: about, kind, reason });
    }
}

/// Lists one prefix in a task of its own. What came odd is asked for again, from its first page.
fn list(place: &Place<'_>, task: ListTask) -> impl Future<Output = Answer> + Send + 'static {
    let store = place.source.store.clone();
    async move {
        let mut again = ODD_WAITS.iter();
        loop {
            let answer = store.list(&task.prefix, task.delimited).await;
            let answer = answer.and_then(|listing| check(listing, &task, || store.describe(&task.prefix)));
            match (answer, again.next()) {
                (Err(error), Some(wait)) if error.kind == StoreErrorKind::Odd => sleep(*wait).await,
                (answer, _) => return (task, answer),
            }
        }
    }
}

/// Refuses an answer that is not about what was asked: believed, it would delete and hide.
fn check(listing: Listing, task: &ListTask, place: impl Fn() -> String) -> Result<Listing, StoreError> {
    let prefix = task.prefix.as_str();
    let is_inside = listing.objects.iter().all(|object| object.key.starts_with(prefix))
        && listing.prefixes.iter().all(|below| below.len() > prefix.len() && below.starts_with(prefix));
    if is_inside {
        return Ok(listing);
    }
    Err(StoreError {
        kind: StoreErrorKind::Odd,
        what: "list",
        place: place(),
        reason: "the answer holds keys outside the prefix".to_owned(),
    })
}
