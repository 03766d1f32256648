//! Search: candidate blocks from the index, the exact lines from the mirror. What the index does not hold
//! (yet) is read whole, so that an answer never depends on the index's state.

mod context;
mod fetch;
mod lines;
mod newest;
mod object;
mod piece;
mod plan;
mod read;
mod run;
mod show;
mod tally;

use std::cmp::Reverse;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::index::{Index, IndexError};
use crate::ingest::IngestSettings;
use crate::ledger::{Ledger, LedgerError};
use crate::mirror::Mirror;
use crate::model::{AppName, Day, GenerationId, GroupId, Level, UtcMs, Window};
use crate::query::Expr;
use crate::workers;
pub use context::Around;
pub use fetch::Fetch;
use newest::Newest;
use plan::Task;
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
    /// At most so many of the newest lines.
    pub limit: Option<usize>,
    /// Whether only the number of lines is wanted: hits come without their bytes.
    pub count_only: bool,
    /// Whether lines are to come with their bytes.
    pub with_bytes: bool,
    /// Whether each line is to have its event's group.
    pub with_groups: bool,
    /// The lines wanted beside those found.
    pub around: Around,
    /// Only these objects; `None` for all that count.
    pub only: Option<HashSet<GenerationId>>,
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

    /// The whole condition on lines but for their times.
    fn condition(&self) -> Expr {
        match self.group {
            Some(group) => Expr::Group(group).with(self.expr.clone()),
            None => self.expr.clone(),
        }
    }
}

/// A line that was found, or that stands beside one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its event's time, or the one it inherits.
    pub time_ms: UtcMs,
    /// Its event's level.
    pub level: Level,
    /// The application.
    pub app: Arc<str>,
    /// The name of the object's source.
    pub source: Arc<str>,
    /// The day that the object's key names.
    pub day: Option<Day>,
    /// The object as people write it.
    pub object: Arc<str>,
    /// The line in the object, from 1.
    pub line: u64,
    /// The bytes of the line, without the newline; none where [`Request::with_bytes`] does not ask for them.
    pub raw: Vec<u8>,
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

/// What stops a search.
#[derive(Debug, thiserror::Error)]
pub enum SearchError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
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
    pub settings: &'l IngestSettings,
    /// Told how far a search is, after each object; by several threads.
    pub progress: Option<&'l (dyn Fn(&Progress) + Sync)>,
}

impl Library<'_> {
    /// Asks with the index, or without it when that fails: all that it says is in the mirror, too.
    fn ask<T>(&self, asked: impl Fn(&Self) -> Result<T, SearchError>) -> Result<T, SearchError> {
        match asked(self) {
            Err(SearchError::Index(_)) if self.index.is_some() => asked(&Self { index: None, ..*self }),
            answer => answer,
        }
    }
}

/// Finds lines and hands them to `found`, until it breaks. With a limit: the newest, oldest first; without:
/// object by object from the oldest on, in the order of their lines, as they are found. With context: object by object,
/// also where a limit chooses the newest.
pub fn search(
    library: &Library<'_>,
    request: &Request,
    found: &mut (dyn FnMut(Hit) -> ControlFlow<()> + Send),
) -> Result<SearchReport, SearchError> {
    let (tasks, mut report) = planned(library, request)?;
    let Some(limit) = request.limit else {
        run::run(library, request, &tasks, &mut report, &mut |_, hits| {
            hits.into_iter().try_for_each(&mut *found)
        });
        return Ok(report);
    };
    let mut newest = Newest::new(limit);
    run::run(library, request, &tasks, &mut report, &mut |next, hits| {
        newest.add(next - 1, hits);
        if newest.is_settled(tasks.get(next)) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    if request.around.is_none() {
        let _ = newest.into_hits().try_for_each(found);
    } else {
        run::with_context(library, request, &tasks, newest.into_places(), &mut report, found);
    }
    Ok(report)
}

/// Returns what is to be read in its order, all of it as one state of the ledger has it, and the start of a report.
fn planned(library: &Library<'_>, request: &Request) -> Result<(Vec<Task>, SearchReport), SearchError> {
    let _snapshot = library.ledger.snapshot()?;
    let (mut tasks, report) = library.ask(|asked| {
        let (tasks, report) = plan::plan(asked, request)?;
        let index_failed = asked.index.is_none() && library.index.is_some();
        Ok((tasks, SearchReport { index_failed, ..report }))
    })?;
    if request.limit.is_some() {
        tasks.sort_by_key(|task| (Reverse(task.last_ms), task.row.object.key.clone()));
        return Ok((tasks, report));
    }
    tasks.sort_by(|a, b| (a.first_ms, &a.row.object.key).cmp(&(b.first_ms, &b.row.object.key)));
    let tasks = plan::share_out(library, request, workers::count(), tasks)?;
    Ok((tasks, report))
}
