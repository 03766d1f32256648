//! The listing half of a sync.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use crate::edges::ledger::{FailedListing, Ledger, ListedRow, ListingRecord};
use crate::edges::store::{Action, Listing, ObjectStore, StoreError, StoreErrorKind};
use crate::flows::error::StateError;
use gzette_core::model::{AppName, Day, UtcMs};
use gzette_core::plan::{Arranged, ListTask, Rank, Survey, Why, arrange, diff, eager_pause_ms, pause_ms};

use super::flat::{Flat, refused_fact};
use super::queue::{Group, Waiting};
use super::{Doubt, Event, Place, Problem, ProblemKind, Run, ends_source};

/// Listings of a source sent at a time. They are small, and S3 answers hundreds a second.
const PARALLEL_LISTS: usize = 8;
/// The most of them, when those that do not answer are counted as well.
const OPEN_LISTS: usize = 64;
/// The waits before a prefix with an odd listing is listed again.
const ODD_WAITS: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(2)];

/// A listing that has come back.
pub(super) type Answer = (ListTask, Result<Listing, StoreError>);

/// Rows of objects, and whether an earlier run could not read them.
type Rows = Vec<(i64, bool)>;

/// How far a source is.
pub(super) struct Front<'a> {
    pub(super) place: &'a Place<'a>,
    survey: Survey<'a>,
    /// Where it is worth its price: one listing that answers for the prefixes.
    flat: Option<Arc<Flat>>,
    tasks: BTreeMap<Rank, ListTask>,
    /// What is being listed, and since when.
    open: BTreeMap<String, (ListTask, Instant)>,
    is_surveyed: bool,
    pub(super) has_listed: bool,
    /// Prefixes with something that does not fit the layout, by earlier runs.
    strays: HashSet<String>,
    /// Objects that this run has put into the queue.
    queued: HashSet<i64>,
    has_queued_pending: bool,
    /// Objects to look at again, by the prefix that is listed for it.
    pub(super) doubts: HashMap<String, Vec<Doubt>>,
    /// Prefixes that were listed again.
    again: HashSet<String>,
    /// Objects queued, dealt with, and their bytes.
    pub(super) counts: (u64, u64, u64),
    /// Objects read that had the listed etag, and read whatever theirs was.
    pub(super) matched: u64,
    pub(super) unmatched: u64,
    /// Entries that listings have named, and objects that fit the layout.
    entries: u64,
    fitting: u64,
    /// The first key or folder that does not fit.
    misfit: Option<String>,
}

impl<'a> Front<'a> {
    pub(super) fn new(place: &'a Place<'a>, ledger: &mut Ledger) -> Result<Self, StateError> {
        let known = ledger.listings(place.id)?;
        let survey = Survey::new(&place.source.layout, &place.prefix, &place.reach, known);
        ledger.abandon(place.id, &place.prefix, &survey.abandoned())?;
        let refused_ms = ledger.fact(&refused_fact(place.id))?.and_then(|at_ms| at_ms.parse().ok());
        let root = format!("{}{}", place.prefix, place.source.layout.descend(""));
        let flat = Flat::new(root, survey.prices(), refused_ms.map(UtcMs::new), place.reach.now_ms);
        Ok(Self {
            place,
            survey,
            flat: flat.map(Arc::new),
            tasks: BTreeMap::new(),
            open: BTreeMap::new(),
            is_surveyed: false,
            has_listed: false,
            strays: ledger.stray_prefixes(place.id)?,
            queued: HashSet::new(),
            has_queued_pending: false,
            doubts: HashMap::new(),
            again: HashSet::new(),
            counts: (0, 0, 0),
            matched: 0,
            unmatched: 0,
            entries: 0,
            fitting: 0,
            misfit: None,
        })
    }

    fn add_tasks(&mut self, tasks: Vec<ListTask>) {
        for task in tasks {
            self.tasks.insert(self.survey.rank(&task.prefix), task);
        }
    }

    /// Returns how many listings are being waited for that others have to wait for as well.
    fn prompt(&self, slow: Duration) -> usize {
        self.open.values().filter(|(_, since)| since.elapsed() < slow).count()
    }

    /// Whether more may be listed.
    pub(super) fn is_listing(&self) -> bool {
        !self.is_surveyed || !self.tasks.is_empty() || !self.open.is_empty()
    }

    /// Lists a prefix once more, because an object in it was not what had been listed; returns whether it has not been
    /// before.
    pub(super) fn list_again(&mut self, prefix: &str) -> bool {
        if !self.again.insert(prefix.to_owned()) {
            return false;
        }
        let task = ListTask { prefix: prefix.to_owned(), delimited: false, why: Why::Again };
        self.add_tasks(vec![task]);
        true
    }
}

impl Run<'_> {
    /// Starts as many listings of a source as there is room for. What the survey asks for next does not wait for
    /// listings that do not answer.
    pub(super) fn start_lists(&mut self, at: usize) -> Result<(), StateError> {
        let slow = self.options.slow;
        loop {
            if self.has_failed(at) || !self.fronts[at].is_listing() || self.is_over() {
                return Ok(());
            }
            let front = &mut self.fronts[at];
            let prompt = front.prompt(slow);
            if front.tasks.is_empty() && prompt == 0 && !front.is_surveyed {
                let tasks = front.survey.next_tasks();
                front.is_surveyed = tasks.is_empty();
                front.add_tasks(tasks);
            }
            // Two limits: a listing that hangs gives up its place among the prompt ones, but even hung ones may not
            // pile up without end.
            let has_room = prompt < PARALLEL_LISTS && front.open.len() < OPEN_LISTS;
            let Some((_, task)) = (if has_room { front.tasks.pop_first() } else { None }) else {
                // Not before: a listing may say that they have changed or gone.
                return if prompt == 0 { self.queue_pending(at) } else { Ok(()) };
            };
            front.open.insert(task.prefix.clone(), (task.clone(), Instant::now()));
            let listing = list(front.place, front.flat.clone(), task);
            self.running.spawn(async move { Event::Listed(at, listing.await) });
        }
    }

    /// Takes an answer in.
    pub(super) fn take_answer(&mut self, at: usize, (task, answer): Answer) -> Result<(), StateError> {
        let front = &mut self.fronts[at];
        front.open.remove(&task.prefix);
        let is_listed = answer.is_ok();
        match answer {
            Ok(listing) => {
                front.has_listed = true;
                self.record_listing(at, &task, listing)?;
            }
            Err(error) => self.record_failure(at, &task, error)?,
        }
        // Once what was listed is recorded: it may say that a doubtful object has changed or gone.
        self.settle_doubts(at, &task.prefix, is_listed)
    }

    /// Puts the objects into the queue that earlier runs have left, if their pause is over.
    pub(super) fn queue_pending(&mut self, at: usize) -> Result<(), StateError> {
        if std::mem::replace(&mut self.fronts[at].has_queued_pending, true) {
            return Ok(());
        }
        let place = self.place(at);
        let pending = self.ledger.pending_objects(place.id)?;
        let mut groups: BTreeMap<(String, AppName, Option<Day>), Rows> = BTreeMap::new();
        for object in place.to_try(pending) {
            let prefix = place.leaf_of(&object.key).unwrap_or_default();
            let objects = groups.entry((prefix, object.app, object.day)).or_default();
            objects.push((object.id, object.attempts > 0));
        }
        for ((prefix, app, day), objects) in groups {
            self.queue(Group { at, prefix, app, day }, objects);
        }
        Ok(())
    }

    /// Puts objects into the queue, each once in a run; those that an earlier run could not read are marked.
    fn queue(&mut self, group: Group, objects: Rows) {
        let group = Arc::new(group);
        let front = &mut self.fronts[group.at];
        let waiting: VecDeque<Waiting> = objects
            .into_iter()
            // What a listing has just named is also among the rows left by earlier runs.
            .filter(|(id, _)| front.queued.insert(*id))
            .map(|(id, is_known)| Waiting {
                id,
                group: Arc::clone(&group),
                is_known,
                is_loose: front.place.is_loose,
            })
            .collect();
        front.counts.0 += waiting.len() as u64;
        self.queue.push(&group, waiting);
    }

    fn queue_listed(&mut self, at: usize, prefix: &str, rows: Vec<ListedRow>) {
        let mut groups: BTreeMap<(AppName, Option<Day>), Rows> = BTreeMap::new();
        for row in rows {
            // Another version of what has been read or refused in this run is an object of its own.
            self.fronts[at].queued.remove(&row.id);
            groups.entry((row.app, row.day)).or_default().push((row.id, false));
        }
        for ((app, day), objects) in groups {
            self.queue(Group { at, prefix: prefix.to_owned(), app, day }, objects);
        }
    }

    /// Writes down the prefixes that were not reached; the next run lists them.
    pub(super) fn leave_prefixes(&mut self, at: usize) -> Result<(), StateError> {
        let place = self.place(at);
        let reason = format!("not listed, {}", self.why_left(at));
        let slow = self.options.slow;
        let front = &mut self.fronts[at];
        let open: Vec<_> = std::mem::take(&mut front.open).into_values().collect();
        let mut left: Vec<ListTask> = std::mem::take(&mut front.tasks).into_values().collect();
        let has_failed = self.report.has_failed(place.name());
        if !has_failed {
            loop {
                let tasks = front.survey.next_tasks();
                if tasks.is_empty() {
                    break;
                }
                left.extend(tasks);
            }
        }
        for (task, since) in open {
            if since.elapsed() < slow || has_failed {
                left.push(task);
                continue;
            }
            let why = format!("no answer within {:.0?}, when time ran out", since.elapsed());
            self.note_failure(at, &task, &why, true)?;
        }
        for task in left {
            let (prefix, now_ms) = (task.prefix.as_str(), self.options.now_ms);
            let record = FailedListing { prefix, now_ms, why: &reason, attempts: None, pause_ms: 0 };
            self.ledger.record_failed_listing(place.id, &record)?;
            self.report.prefixes_failed += 1;
            self.add_problem(at, prefix, ProblemKind::Listing, reason.clone());
        }
        if has_failed && self.fronts[at].has_listed {
            let rest = "the rest of it was not listed, because the source failed";
            self.add_problem(at, &place.prefix, ProblemKind::Listing, rest.to_owned());
        }
        Ok(())
    }

    /// Returns why something was not begun or not ended.
    pub(super) fn why_left(&self, at: usize) -> &'static str {
        if self.has_failed(at) {
            "because the source failed earlier"
        } else {
            "because time ran out or a stop was requested"
        }
    }

    fn record_listing(&mut self, at: usize, task: &ListTask, listing: Listing) -> Result<(), StateError> {
        let place = self.place(at);
        let entries = (listing.objects.len() + listing.prefixes.len()) as u64;
        let objects = listing.objects.len() as u64;
        let floor = place.reach.floor();
        let arranged = arrange(listing.objects, &place.source.layout, &place.prefix, place.name(), floor);
        self.fronts[at].entries += entries;
        self.count_arranged(at, task, &arranged)?;
        let known = self.ledger.known_objects(place.id, &task.prefix, task.delimited)?;
        // The listing leaves out days before the backfill, so the comparison must too.
        let known: Vec<_> =
            known.into_iter().filter(|object| object.day.is_none_or(|day| day >= floor)).collect();
        let diff = diff(arranged.objects, &known);
        let found = self.found(at, task, &listing.prefixes);
        let now_ms = self.options.now_ms;
        let record = ListingRecord { prefix: &task.prefix, now_ms, entries, diff: &diff, found: &found };
        let rows = self.ledger.record_listing(place.id, &record)?;
        self.queue_listed(at, &task.prefix, rows);
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

    /// Tells the survey what a listing has found; returns the prefixes that are new.
    fn found(&mut self, at: usize, task: &ListTask, prefixes: &[String]) -> Vec<String> {
        if task.why == Why::Again {
            return Vec::new();
        }
        let front = &mut self.fronts[at];
        let fresh = front.survey.found(prefixes);
        let tasks = front.survey.found_tasks();
        front.add_tasks(tasks);
        fresh
    }

    /// Counts what does not belong; keys and folders that do not fit the layout are reported when they are new.
    fn count_arranged(&mut self, at: usize, task: &ListTask, arranged: &Arranged) -> Result<(), StateError> {
        if task.why == Why::Again {
            return Ok(());
        }
        self.report.unplaced += arranged.unplaced;
        self.report.folder_markers += arranged.folder_markers;
        self.report.too_old += arranged.too_old;
        let front = &mut self.fronts[at];
        front.fitting += arranged.objects.len() as u64 - arranged.unplaced;
        front.misfit =
            front.misfit.take().or_else(|| arranged.first_unplaced.as_ref().map(ToString::to_string));
        let (place, now_ms) = (self.place(at), self.options.now_ms);
        if self.fronts[at].survey.strays.contains(&task.prefix) {
            // The folder is reported, not each key in it.
            return Ok(());
        }
        let Some(key) = &arranged.first_unplaced else {
            if self.fronts[at].strays.contains(&task.prefix) {
                self.ledger.forget_stray(place.id, &task.prefix)?;
            }
            return Ok(());
        };
        if self.ledger.note_stray(place.id, &task.prefix, (key, arranged.unplaced), now_ms)? {
            let reason = match arranged.unplaced {
                1 => "the key does not fit the layout".to_owned(),
                more => format!("the key does not fit the layout, nor do {} more here", more - 1),
            };
            self.add_problem(at, key, ProblemKind::Unplaced, reason);
        }
        Ok(())
    }

    /// Tells which folders do not fit the layout, those that are new.
    pub(super) fn tell_strays(&mut self, at: usize) -> Result<(), StateError> {
        let (place, now_ms) = (self.place(at), self.options.now_ms);
        let is_whole = !self.has_failed(at) && self.over_since.is_none();
        let front = &mut self.fronts[at];
        let survey = &mut front.survey;
        let strays = std::mem::take(&mut survey.strays);
        for known in std::mem::take(&mut front.strays).into_iter().filter(|_| is_whole) {
            if survey.is_stray(&known) && !strays.contains(&known) {
                self.ledger.forget_stray(place.id, &known)?;
            }
        }
        self.report.outside += survey.outside;
        self.report.too_old += survey.too_old;
        for stray in strays {
            if self.ledger.note_stray(place.id, &stray, (&stray, 1), now_ms)? {
                let reason = "the folder does not fit the layout".to_owned();
                self.add_problem(at, &stray, ProblemKind::Unplaced, reason);
            }
        }
        Ok(())
    }

    /// Says when a source looks as if its address or its layout were wrong.
    pub(super) fn doubt_source(&mut self, at: usize) -> Result<(), StateError> {
        let (place, front) = (self.place(at), &self.fronts[at]);
        let is_whole = front.has_listed && !self.has_failed(at) && self.over_since.is_none();
        if !is_whole || front.fitting > 0 || self.ledger.has_fitting(place.id)? {
            return Ok(());
        }
        let Some(misfit) = front.misfit.clone().or_else(|| front.survey.first_outside.clone()) else {
            if front.entries == 0 {
                let url = &place.source.url;
                let note = format!("nothing below `{url}`: no key and no folder; is the prefix right?");
                self.report.notes.push(note);
            }
            return Ok(());
        };
        let (layout, name) = (&place.source.layout, place.name());
        let seen = misfit.strip_prefix(&place.prefix).unwrap_or(&misfit);
        self.report.notes.push(format!(
            "source `{name}`: no key fits the layout `{layout}`, which expects keys such as `{}`; found keys such as `{seen}`",
            layout.example()
        ));
        Ok(())
    }

    fn record_failure(&mut self, at: usize, task: &ListTask, error: StoreError) -> Result<(), StateError> {
        let name = self.place(at).name();
        if !self.fronts[at].has_listed {
            self.report.note_root_error(name, &error);
        }
        // When nothing has been listed yet, the network is down for all prefixes. Later, it is this prefix that
        // failed.
        let is_out_of_reach = error.kind == StoreErrorKind::Network && !self.fronts[at].has_listed;
        if ends_source(error.kind) || is_out_of_reach {
            let record = FailedListing {
                prefix: &task.prefix,
                now_ms: self.options.now_ms,
                why: &error.reason,
                attempts: None,
                pause_ms: 0,
            };
            self.ledger.record_failed_listing(self.place(at).id, &record)?;
            self.report.prefixes_failed += 1;
            self.report.fail_source(name, error);
            return Ok(());
        }
        self.report.note_refused(&error);
        let may_pass = matches!(error.kind, StoreErrorKind::Network | StoreErrorKind::Odd);
        self.note_failure(at, task, &error.reason, may_pass)
    }

    /// Writes down that a prefix could not be listed and how long it is left alone; tells it when that is new.
    fn note_failure(
        &mut self,
        at: usize,
        task: &ListTask,
        why: &str,
        may_pass: bool,
    ) -> Result<(), StateError> {
        let earlier = self.fronts[at].survey.known(&task.prefix).map_or(0, |known| known.attempts);
        let attempts = earlier.saturating_add(1);
        // What the newest objects depend on is tried again soon. Old days can wait.
        let is_eager = may_pass && matches!(task.why, Why::Discover | Why::LookBack | Why::Undated);
        let pause_ms = if is_eager { eager_pause_ms(attempts) } else { pause_ms(attempts) };
        let (prefix, now_ms) = (task.prefix.as_str(), self.options.now_ms);
        let record = FailedListing { prefix, now_ms, why, attempts: Some(attempts), pause_ms };
        self.ledger.record_failed_listing(self.place(at).id, &record)?;
        self.report.prefixes_failed += 1;
        // Told once; while it goes on failing, the summary at the end of each run counts it.
        if earlier == 0 {
            self.add_problem(at, prefix, ProblemKind::Listing, why.to_owned());
        }
        Ok(())
    }

    /// Remembers that a source does not answer one listing of everything within its price.
    pub(super) fn note_flat(&mut self, at: usize) -> Result<(), StateError> {
        if self.fronts[at].flat.as_ref().is_some_and(|flat| flat.is_refused()) {
            let (fact, now_ms) = (refused_fact(self.place(at).id), self.options.now_ms);
            self.ledger.set_fact(&fact, &now_ms.get().to_string())?;
        }
        Ok(())
    }

    pub(super) fn add_problem(&mut self, at: usize, key: &str, kind: ProblemKind, reason: String) {
        let place = self.place(at);
        let about = place.source.store.describe(key);
        self.report.add_problem(Problem { source: place.name().clone(), place: about, kind, reason });
    }
}

/// Lists one prefix in a task of its own. An odd listing is requested again from its first page.
fn list(
    place: &Place<'_>,
    flat: Option<Arc<Flat>>,
    task: ListTask,
) -> impl Future<Output = Answer> + Send + 'static {
    let store = place.source.store.clone();
    async move {
        if let Some(flat) = flat
            && let Some(listing) = flat.answer(&*store, &task).await
        {
            return (task, Ok(listing));
        }
        let mut again = ODD_WAITS.iter();
        loop {
            let answer = store.list(&task.prefix, task.delimited).await;
            let answer = answer.and_then(|listing| check(listing, &task, &*store));
            match (answer, again.next()) {
                (Err(error), Some(wait)) if error.kind == StoreErrorKind::Odd => sleep(*wait).await,
                (answer, _) => return (task, answer),
            }
        }
    }
}

/// Refuses an answer about something else than the request: if trusted, it would delete and hide objects.
fn check(listing: Listing, task: &ListTask, store: &dyn ObjectStore) -> Result<Listing, StoreError> {
    let prefix = task.prefix.as_str();
    let is_inside = listing.objects.iter().all(|object| object.key.starts_with(prefix))
        && listing.prefixes.iter().all(|below| below.len() > prefix.len() && below.starts_with(prefix));
    if is_inside {
        return Ok(listing);
    }
    let reason = "the answer holds keys outside the prefix";
    let place = store.describe(prefix);
    Err(StoreError::new(StoreErrorKind::Odd, store.service(), Action::List, &place, reason))
}
