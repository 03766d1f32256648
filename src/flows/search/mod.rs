//! Search: candidate blocks from the index, the exact lines from the mirror. What the index does not hold
//! (yet) is read whole, so that an answer never depends on the index's state.

mod again;
mod context;
mod fetch;
mod follow;
mod lines;
mod newest;
mod object;
mod piece;
mod plan;
mod present;
mod range;
mod read;
mod run;
mod show;
mod tally;

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::edges::index::Index;
use crate::edges::ledger::Ledger;
use crate::edges::mirror::Mirror;
use crate::flows::error::StateError;
pub use context::Around;
pub use fetch::Fetch;
use gzette_core::model::{AppName, Day, GroupId, Level, SourceName, UtcMs, Window};
use gzette_core::partial::SourceSettings;
use gzette_core::query::Expr;
use gzette_core::workers;
use newest::Newest;
use plan::{Plan, Settled, Task};
pub use run::Progress;
pub use show::{ShowError, Shown, object_at, show};
pub use tally::{Buckets, Histogram, Part, Tally};

/// What to search.
#[derive(Clone, Debug)]
pub struct Request {
    /// What a line must hold.
    pub expr: Expr,
    /// The applications; empty for all.
    pub apps: Vec<AppName>,
    /// A mask of [`Level::bit`]s.
    pub levels: u8,
    /// The times.
    pub window: Window,
    /// Only lines of this error group's events.
    pub group: Option<GroupId>,
    /// At most this many of the newest lines.
    pub limit: Option<usize>,
    /// Whether only the number of lines is wanted: hits come without their bytes.
    pub count_only: bool,
    /// Whether lines are to come with their bytes.
    pub with_bytes: bool,
    /// Whether each line is to have its event's group.
    pub with_groups: bool,
    /// The lines wanted beside those found.
    pub around: Around,
    /// Only these objects, by [`GenerationRow::object_id`](crate::edges::ledger::GenerationRow::object_id); `None` for all
    /// that count.
    pub only: Option<HashSet<i64>>,
}

impl Request {
    /// Returns a request for every line that fulfils `expr`.
    pub fn new(expr: Expr) -> Self {
        Self {
            expr,
            apps: Vec::new(),
            levels: u8::MAX,
            window: Window::ALL,
            group: None,
            limit: None,
            count_only: false,
            with_bytes: true,
            with_groups: false,
            around: Around::default(),
            only: None,
        }
    }

    /// Whether a line's time and level decide or are wanted.
    fn needs_events(&self) -> bool {
        self.levels != u8::MAX || self.window != Window::ALL || self.limit.is_some()
    }

    /// The whole condition on lines, except their times.
    fn condition(&self) -> Expr {
        match self.group {
            Some(group) => Expr::Group(group).with(self.expr.clone()),
            None => self.expr.clone(),
        }
    }
}

/// A matching line, or a line of context.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its event's time, or the one it inherits.
    pub time_ms: UtcMs,
    /// Its event's level.
    pub level: Level,
    /// The application.
    pub app: Arc<str>,
    /// The name of the object's source.
    pub source: Arc<SourceName>,
    /// The day that the object's key names.
    pub day: Option<Day>,
    /// The object as people write it.
    pub object: Arc<str>,
    /// The line in the object, from 1.
    pub line: u64,
    /// The bytes of the line, without the newline; none where [`Request::with_bytes`] does not ask for them.
    pub raw: Vec<u8>,
    /// How many bytes those are; `raw` is empty while others than the newest lines may still be found.
    length: usize,
    /// Its event's group, where [`Request::with_groups`] or the expression asks for groups.
    pub group: Option<GroupId>,
    /// Whether it was found; otherwise it is context.
    pub is_match: bool,
}

/// What a search did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SearchReport {
    /// Lines found, before the limit.
    pub hits: u64,
    /// Objects searched in all.
    pub objects: u64,
    /// Objects opened.
    pub objects_read: u64,
    /// Blocks read back.
    pub blocks_read: u64,
    /// Blocks in the index.
    pub blocks: u64,
    /// Objects passed over because another holds the same records.
    pub duplicates: u64,
    /// Objects that could not be read, and why.
    pub unreadable: Vec<(String, String)>,
    /// Whether there was an index that could not be read: the mirror was read instead.
    pub index_failed: bool,
}

/// What a search reads from.
#[derive(Clone, Copy)]
pub struct Library<'l> {
    /// Which objects count.
    pub ledger: &'l Ledger,
    /// Where to look; without one, everything is read.
    pub index: Option<&'l Index>,
    /// The lines.
    pub mirror: &'l Mirror,
    /// Fetches what the mirror has no more; without it, that is unreadable.
    pub fetch: Option<&'l Fetch<'l>>,
    /// How lines are read.
    pub settings: &'l SourceSettings,
    /// Told how far a search is, after each object; by several threads.
    pub progress: Option<&'l (dyn Fn(&Progress) + Sync)>,
}

impl Library<'_> {
    /// Asks with the index, or without it when that fails: all that it says is in the mirror, too.
    fn ask<T>(&self, mut asked: impl FnMut(&Self) -> Result<T, StateError>) -> Result<T, StateError> {
        match asked(self) {
            Err(StateError::Index(_)) if self.index.is_some() => asked(&Self { index: None, ..*self }),
            answer => answer,
        }
    }

    /// Returns the last batch that the index holds; 0 without one.
    fn indexed_batch(&self) -> i64 {
        self.index.and_then(Index::payload).map_or(0, |payload| payload.batch)
    }
}

impl Hit {
    /// Gives up the bytes, which can be read again.
    fn forget(&mut self) {
        self.raw = Vec::new();
    }

    /// Whether the bytes were given up.
    fn is_forgotten(&self) -> bool {
        self.raw.len() < self.length
    }
}

/// How often a search looks at the ledger at the most, when runs beside it replace what it is about to read.
const LOOKS: u32 = 50;

/// Finds lines and hands them to `found`, until it breaks. With a limit: the newest, oldest first; without:
/// object by object from the oldest on, in the order of their lines, as they are found. With context: object by object,
/// also where a limit chooses the newest.
///
/// When a run beside the search replaces an object before it is read, the new version is read in its place: each object
/// is in the answer once, by one of its versions.
pub fn search(
    library: &Library<'_>,
    request: &Request,
    found: &mut (dyn FnMut(Hit) -> ControlFlow<()> + Send),
) -> Result<SearchReport, StateError> {
    let Some(limit) = request.limit else {
        let mut searching = Searching::begin(library, request)?;
        searching.run(&mut |_, _, hits| hits.into_iter().try_for_each(&mut *found))?;
        return Ok(searching.report);
    };
    let mut looks = LOOKS;
    loop {
        looks -= 1;
        let mut searching = Searching::begin(library, request)?;
        let mut newest = Newest::new(limit);
        searching.run(&mut |tasks, next, hits| {
            newest.add(next - 1, hits);
            if newest.is_settled(tasks.get(next)) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        let Searching { tasks, mut report, .. } = searching;
        let is_done = if request.around.is_none() {
            let hits = newest.into_hits();
            again::hand_over(library, request, (&tasks, hits), looks > 0, &mut report, found)
        } else {
            let places = newest.into_places();
            run::with_context(library, request, (&tasks, &places), looks > 0, &mut report, found)
        };
        if is_done {
            return Ok(report);
        }
    }
}

/// A search and what it has to read.
struct Searching<'s> {
    library: &'s Library<'s>,
    request: &'s Request,
    tasks: Vec<Task>,
    report: SearchReport,
}

/// Takes hits; see [`run::Consume`]. It is also given the tasks.
type Take<'t> = &'t mut (dyn FnMut(&[Task], usize, Vec<Hit>) -> ControlFlow<()> + Send);

impl<'s> Searching<'s> {
    fn begin(library: &'s Library<'s>, request: &'s Request) -> Result<Self, StateError> {
        let (tasks, report) = planned(library, request, Settled::default())?;
        Ok(Self { library, request, tasks: in_order(request, tasks), report })
    }

    /// Reads all, and plans the rest once more where an object was replaced meanwhile.
    fn run(&mut self, take: Take<'_>) -> Result<(), StateError> {
        let (mut start, mut looks) = (0, LOOKS);
        loop {
            looks -= 1;
            let tasks = &self.tasks;
            let mut consume = |next, hits| take(tasks, next, hits);
            let report = &mut self.report;
            let stopped =
                run::run(self.library, self.request, (tasks, start), looks > 0, report, &mut consume);
            match stopped {
                None => return Ok(()),
                Some(replaced) => start = replaced,
            }
            self.plan_rest(start)?;
        }
    }

    /// Plans what to read from number `start` on, by the current ledger. Objects that are open already are read as
    /// planned, because some of their parts may have been read.
    fn plan_rest(&mut self, start: usize) -> Result<(), StateError> {
        let mut rest = self.tasks.split_off(start);
        rest.retain(|task| task.opened.is_some());
        let mut settled = Settled::default();
        settled.add(&self.tasks);
        settled.add(&rest);
        rest.extend(planned(self.library, self.request, settled)?.0);
        self.tasks.extend(in_order(self.request, rest));
        Ok(())
    }
}

/// Returns tasks in the order of their reading. The parts of an object stay in theirs.
fn in_order(request: &Request, mut tasks: Vec<Task>) -> Vec<Task> {
    if request.limit.is_some() {
        tasks.sort_by(|a, b| (b.last_ms, &a.row.object.key).cmp(&(a.last_ms, &b.row.object.key)));
    } else {
        tasks.sort_by(|a, b| (a.first_ms, &a.row.object.key).cmp(&(b.first_ms, &b.row.object.key)));
    }
    tasks
}

/// Returns what to read of the objects that are not settled, all from one state of the ledger, and the
/// start of a report.
fn planned(
    library: &Library<'_>,
    request: &Request,
    mut settled: Settled,
) -> Result<(Vec<Task>, SearchReport), StateError> {
    let (mut tasks, mut report) = (Vec::new(), None);
    for look in 0..LOOKS {
        // The mirror has all that the index has, and waits for no run.
        let library = &if look + 1 < LOOKS { *library } else { Library { index: None, ..*library } };
        let (mut plan, lost) = planned_once(library, request, &settled)?;
        plan.tasks.retain(|task| !lost.contains(&task.row.object_id));
        tasks.append(&mut plan.tasks);
        report = report.or(Some(plan.report));
        if lost.is_empty() {
            break;
        }
        settled.add(&tasks);
        settled.leave(lost);
    }
    if request.limit.is_none() {
        tasks = plan::share_out(library, request, workers::count(), in_order(request, tasks))?;
    }
    Ok((tasks, report.unwrap_or_default()))
}

/// Returns a plan, and the objects that a concurrent run removed from the index during planning. If
/// there are any, their former duplicates may have to be read instead.
fn planned_once(
    library: &Library<'_>,
    request: &Request,
    settled: &Settled,
) -> Result<(Plan, HashSet<i64>), StateError> {
    let snapshot = library.ledger.snapshot()?;
    let batch = library.ledger.last_batch()?;
    // An index of later batches than the ledger's may lack what the ledger still counts.
    let indexed_batch = library.indexed_batch();
    let library = &if indexed_batch <= batch { *library } else { Library { index: None, ..*library } };
    let mut plan = library.ask(|asked| {
        let mut plan = plan::plan(asked, request, settled)?;
        plan.report.index_failed = asked.index.is_none() && library.index.is_some();
        Ok(plan)
    })?;
    drop(snapshot);
    if library.ledger.last_batch()? == batch && library.indexed_batch() >= indexed_batch {
        return Ok((plan, HashSet::new()));
    }
    let present = library.ledger.indexed_since(batch)?;
    let indexed = std::mem::take(&mut plan.indexed).into_iter();
    let lost = indexed.filter(|(generation, _)| !present.contains(generation));
    let mut lost: HashSet<_> = lost.map(|(_, object)| object).collect();
    if !lost.is_empty() {
        lost.extend(std::mem::take(&mut plan.duplicates));
    }
    Ok((plan, lost))
}
