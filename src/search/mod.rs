//! Search: candidate blocks from the index, the exact lines from the mirror. What the index does not hold
//! (yet) is read whole, so that an answer never depends on the index's state.

mod fetch;
mod object;
mod read;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::decode::Point;
use crate::index::{Index, IndexError, Wanted};
use crate::ingest::IngestSettings;
use crate::ledger::{GenerationRow, Ledger, LedgerError};
use crate::mirror::Mirror;
use crate::model::{AppName, GenerationId, GroupId, Level, UtcMs, Window};
use crate::query::{Expr, Need, ObjectFacts};
pub use fetch::Fetch;
use fetch::Stock;
use object::Object;
use read::{Range, Scan};

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

/// A line that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its event's time, or the one it inherits.
    pub time_ms: UtcMs,
    /// Its event's level.
    pub level: Level,
    /// The application.
    pub app: AppName,
    /// The object as people write it.
    pub object: String,
    /// The line in the object, from 1.
    pub line: u64,
    /// The bytes of the line, without the newline.
    pub raw: Vec<u8>,
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
}

/// Finds lines and hands them to `found`, until it breaks. With a limit: the newest, oldest first; without:
/// object by object from the oldest on, in the order of their lines, as they are found.
pub fn search(
    library: &Library<'_>,
    request: &Request,
    found: &mut (dyn FnMut(Hit) -> ControlFlow<()> + Send),
) -> Result<SearchReport, SearchError> {
    let mut report = SearchReport::default();
    let mut tasks = plan(library, request, &mut report)?;
    match request.limit {
        None => {
            tasks.sort_by(|a, b| (a.first_ms, &a.row.object.key).cmp(&(b.first_ms, &b.row.object.key)));
            run(library, request, &tasks, &mut report, &mut |_, hits| {
                hits.into_iter().try_for_each(&mut *found)
            });
        }
        Some(limit) => {
            tasks.sort_by_key(|task| (Reverse(task.last_ms), task.row.object.key.clone()));
            let mut newest = Newest { limit, hits: BTreeMap::new() };
            run(library, request, &tasks, &mut report, &mut |next, hits| {
                newest.add(hits);
                newest.is_settled(tasks.get(next)).map_or(ControlFlow::Continue(()), ControlFlow::Break)
            });
            let _ = newest.hits.into_values().try_for_each(found);
        }
    }
    Ok(report)
}

/// One object and the stretches of it to read.
struct Task {
    row: GenerationRow,
    /// What its lines have to fulfil.
    expr: Arc<Expr>,
    ranges: Vec<Range>,
    /// Places to begin at, where much lies between two stretches.
    points: Vec<Point>,
    first_ms: UtcMs,
    last_ms: UtcMs,
}

fn plan(
    library: &Library<'_>,
    request: &Request,
    report: &mut SearchReport,
) -> Result<Vec<Task>, SearchError> {
    let expr = in_present_ids(request.condition(), library.ledger)?;
    let mut wanted = wanted_objects(library, request, &expr, report)?;
    report.objects = wanted.len() as u64;
    let mut tasks = Vec::new();
    let indexed_batch = library.index.and_then(Index::payload).map_or(0, |payload| payload.batch);
    let is_indexed = |row: &GenerationRow| row.indexed && row.batch <= indexed_batch;
    if let (Some(index), true) = (library.index, indexed_batch > 0) {
        let generations: HashSet<_> = wanted
            .values()
            .filter(|(row, _)| is_indexed(row))
            .map(|(row, _)| row.object.generation)
            .collect();
        // An event's group is known from all of its lines, wherever the words stand.
        let need = if expr.asks_about_groups() { Need::Anything } else { expr.need() };
        let asked =
            Wanted { need: &need, generations: &generations, window: request.window, levels: request.levels };
        let candidates = index.candidates(&asked)?;
        report.blocks = candidates.of;
        report.blocks_read = candidates.blocks.len() as u64;
        for blocks in candidates.blocks.chunk_by(|a, b| a.generation == b.generation) {
            let Some((row, expr)) = wanted.get(&blocks[0].generation) else {
                continue;
            };
            let ranges: Vec<_> = blocks.iter().map(Range::of_block).collect();
            tasks.push(Task {
                row: row.clone(),
                expr: expr.clone(),
                points: points_for(library.ledger, row, &ranges)?,
                ranges,
                first_ms: blocks.iter().map(|block| block.first_ms).min().unwrap_or(0),
                last_ms: blocks.iter().map(|block| block.last_ms).max().unwrap_or(0),
            });
        }
    }
    // A batch that is in the ledger and not in the index, or what the retention took out of the index.
    wanted.retain(|_, (row, _)| !is_indexed(row) && row.blocks > 0);
    tasks.extend(wanted.into_values().map(|(row, expr)| whole(library.settings, row, expr)));
    tasks.retain(|task| request.window.meets(task.first_ms, task.last_ms));
    Ok(tasks)
}

/// Returns the expression with the ids that groups have by the present rules.
fn in_present_ids(expr: Expr, ledger: &Ledger) -> Result<Expr, LedgerError> {
    if !expr.asks_about_groups() {
        return Ok(expr);
    }
    let aliases = ledger.group_aliases()?;
    Ok(expr.with_groups(&|id| aliases.get(&id).copied().unwrap_or(id)))
}

/// Returns the task to read all of an object. Lines before its first event have the time of its day.
fn whole(settings: &IngestSettings, row: GenerationRow, expr: Arc<Expr>) -> Task {
    let range = Range::whole(settings.of(&row.object.source), row.object.day);
    let (first_ms, last_ms) = row.span_ms.unwrap_or((range.carry_ms(), range.carry_ms()));
    Task {
        first_ms: first_ms.min(range.carry_ms()),
        last_ms: last_ms.max(range.carry_ms()),
        ranges: vec![range],
        points: Vec::new(),
        row,
        expr,
    }
}

/// Returns the access points that save decoding what lies before and between stretches.
fn points_for(ledger: &Ledger, row: &GenerationRow, ranges: &[Range]) -> Result<Vec<Point>, LedgerError> {
    let mut points = Vec::new();
    let mut at = 0;
    for (start, end) in ranges.iter().map(Range::bytes) {
        if start.saturating_sub(at) >= WORTH_A_JUMP_BYTES {
            points.extend(ledger.point_between(row.object.generation, at, start)?);
        }
        at = end;
    }
    Ok(points)
}

/// The objects to search, each with what its lines have to fulfil.
type WantedObjects = BTreeMap<GenerationId, (GenerationRow, Arc<Expr>)>;

/// Returns the objects that may hold a line for which `expr` holds.
fn wanted_objects(
    library: &Library<'_>,
    request: &Request,
    expr: &Expr,
    report: &mut SearchReport,
) -> Result<WantedObjects, SearchError> {
    let mut sighted = HashMap::new();
    for group in expr.groups() {
        sighted.insert(group, library.ledger.generations_with_group(group)?);
    }
    let whole = Arc::new(expr.clone());
    let is_shared = !expr.asks_about_objects();
    let mut wanted = BTreeMap::new();
    for row in library.ledger.generations()? {
        if !request.apps.is_empty() && !request.apps.contains(&row.object.app) {
            continue;
        }
        let has_group = |group| sighted.get(&group).is_some_and(|seen| seen.contains(&row.object.generation));
        let facts = ObjectFacts { app: row.object.app.as_str(), place: &row.place(), has_group: &has_group };
        let expr = if is_shared { whole.clone() } else { Arc::new(expr.given(&facts)) };
        if expr.is_nothing() {
            continue;
        }
        if row.duplicate {
            report.duplicates += 1;
        } else {
            wanted.insert(row.object.generation, (row, expr));
        }
    }
    Ok(wanted)
}

/// The newest hits seen so far, by (time, object, line).
struct Newest {
    limit: usize,
    hits: BTreeMap<(UtcMs, String, u64), Hit>,
}

impl Newest {
    fn add(&mut self, hits: Vec<Hit>) {
        for hit in hits {
            self.hits.insert((hit.time_ms, hit.object.clone(), hit.line), hit);
            if self.hits.len() > self.limit {
                self.hits.pop_first();
            }
        }
    }

    /// Whether no object from `next` on can hold a newer line than those kept.
    fn is_settled(&self, next: Option<&Task>) -> Option<()> {
        let oldest = self.hits.keys().next().filter(|_| self.hits.len() == self.limit)?;
        next.is_none_or(|task| task.last_ms < oldest.0).then_some(())
    }
}

/// Takes the hits of a task, in the order of the tasks; the number is that of the next task.
type Consume<'c> = &'c mut (dyn FnMut(usize, Vec<Hit>) -> ControlFlow<()> + Send);

/// To begin at a point costs about as much as to decode so many bytes.
const WORTH_A_JUMP_BYTES: u64 = 256 << 10;

/// Workers hold no more than so many bytes of hits before their turn has come.
const HELD_BYTES: usize = 2 << 20;

/// The output, which workers use in the order of their tasks.
struct Turn<'c> {
    next: usize,
    report: SearchReport,
    consume: Consume<'c>,
}

fn run(
    library: &Library<'_>,
    request: &Request,
    tasks: &[Task],
    report: &mut SearchReport,
    consume: Consume<'_>,
) {
    let workers = std::thread::available_parallelism().map_or(1, usize::from).min(tasks.len());
    let turn = Mutex::new(Turn { next: 0, report: std::mem::take(report), consume });
    let runner = Runner {
        stock: Stock { mirror: library.mirror, fetch: library.fetch },
        settings: library.settings,
        request,
        tasks,
        turn,
        turned: Condvar::new(),
        taken: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
    };
    std::thread::scope(|scope| {
        for _ in 1..workers {
            scope.spawn(|| runner.work());
        }
        runner.work();
    });
    *report = runner.turn.into_inner().unwrap_or_else(PoisonError::into_inner).report;
}

struct Runner<'r> {
    stock: Stock<'r>,
    settings: &'r IngestSettings,
    request: &'r Request,
    tasks: &'r [Task],
    turn: Mutex<Turn<'r>>,
    turned: Condvar,
    taken: AtomicUsize,
    stop: AtomicBool,
}

impl<'r> Runner<'r> {
    fn work(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            let number = self.taken.fetch_add(1, Ordering::Relaxed);
            let Some(task) = self.tasks.get(number) else {
                return;
            };
            let (hits, counted, failure) = self.read(number, task);
            let mut turn = self.my_turn(number);
            turn.report.objects_read += 1;
            turn.report.hits += counted;
            turn.report.unreadable.extend(failure.map(|reason| (task.row.place(), reason)));
            self.hand_over(&mut turn, number + 1, hits);
            turn.next += 1;
            drop(turn);
            self.turned.notify_all();
        }
    }

    /// Reads a task; hands over early what grows too large to hold.
    fn read(&self, number: usize, task: &Task) -> (Vec<Hit>, u64, Option<String>) {
        let settings = self.settings.of(&task.row.object.source);
        let mut scan = Scan::new(self.request, &task.expr, settings, &task.row);
        let object = Object::open(self.stock, &task.row, &settings.limits, &task.points);
        let go_on = &mut |scan: &mut Scan<'_>| {
            if self.request.limit.is_none() && scan.held_bytes > HELD_BYTES {
                let mut turn = self.my_turn(number);
                self.hand_over(&mut turn, number, std::mem::take(&mut scan.hits));
                scan.held_bytes = 0;
            }
            !self.stop.load(Ordering::Relaxed)
        };
        let result = object.and_then(|mut object| scan.read(&mut object, &task.ranges, go_on));
        (scan.hits, scan.counted, result.err().map(|error| error.to_string()))
    }

    fn my_turn(&self, number: usize) -> MutexGuard<'_, Turn<'r>> {
        let turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.turned.wait_while(turn, |turn| turn.next != number).unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_over(&self, turn: &mut Turn<'_>, next: usize, hits: Vec<Hit>) {
        if !self.stop.load(Ordering::Relaxed) && (turn.consume)(next, hits).is_break() {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}
