//! Several threads read the objects of a search; what they find is handed over in the order of the objects.

use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::context::Weaver;
use super::fetch::{Replaced, Rotten, Stock, StoredBytes, is};
use super::lines::Lines;
use super::object::Object;
use super::piece::Piece;
use super::plan::Task;
use super::present::Present;
use super::read::Scan;
use super::{Hit, Library, Request, SearchReport, newest};
use gzette_core::decode::Point;
use gzette_core::partial::{ReadSettings, SourceSettings};
use gzette_core::workers;

/// Takes the hits of a task, in the order of the tasks; the number is that of the next task.
pub(super) type Consume<'c> = &'c mut (dyn FnMut(usize, Vec<Hit>) -> ControlFlow<()> + Send);

/// Workers hold no more bytes of hits than this before their turn has come.
const HELD_BYTES: usize = 2 << 20;

/// Of the newest lines, each worker holds as many bytes as its share of those that are held in all, but no smaller one.
const NEWEST_SHARES: usize = 8;

/// No more files than this are kept open between the choice of lines and the reading of their context.
const OPEN_FILES: usize = 256;

/// How far a search is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Objects read.
    pub objects: u64,
    /// Objects to read, if nothing ends the search before.
    pub of: u64,
    /// The stored bytes of those read.
    pub bytes: u64,
    /// Lines found.
    pub hits: u64,
}

/// What the reading of a task came to.
struct Outcome {
    /// Matches that were not handed over before.
    hits: Vec<Hit>,
    counted: u64,
    failure: Option<io::Error>,
}

impl Outcome {
    fn held_bytes(&self) -> usize {
        self.hits.iter().map(|hit| hit.raw.len() + size_of::<Hit>()).sum()
    }

    fn is_replaced(&self) -> bool {
        self.failure.as_ref().is_some_and(is::<Replaced>)
    }
}

/// The output, which workers use in the order of their tasks.
struct Turn<'c> {
    next: usize,
    /// The next task is of a version that no longer counts: nothing more is handed over.
    is_replaced: bool,
    /// The outcomes of later tasks than the next one, and the bytes in them.
    waiting: HashMap<usize, Outcome>,
    waiting_bytes: usize,
    /// Stored bytes of the objects so far.
    bytes: u64,
    report: SearchReport,
    /// The objects that are among the unreadable ones.
    unreadable: HashSet<i64>,
    consume: Consume<'c>,
}

/// Reads the tasks from number `start` on and hands over the matches. Returns the number of a task whose version a
/// concurrent run has replaced: neither it nor any later task was handed over. If the ledger must not be read
/// again, such an object counts as unreadable.
pub(super) fn run(
    library: &Library<'_>,
    request: &Request,
    (tasks, start): (&[Task], usize),
    looks_again: bool,
    report: &mut SearchReport,
    consume: Consume<'_>,
) -> Option<usize> {
    let counting = |tasks: &[Task]| tasks.iter().filter(|task| task.counts).map(stored_bytes).sum::<u64>();
    let turn = Mutex::new(Turn {
        next: start,
        is_replaced: false,
        waiting: HashMap::new(),
        waiting_bytes: 0,
        bytes: counting(&tasks[..start]),
        report: std::mem::take(report),
        unreadable: HashSet::new(),
        consume,
    });
    let present = Present::of(library.ledger);
    let runner = Runner {
        progress: library.progress,
        stock: Stock { mirror: library.mirror, fetch: library.fetch, present: &present },
        settings: library.settings,
        request,
        tasks,
        objects: tasks.iter().filter(|task| task.counts).count() as u64,
        looks_again,
        turn,
        turned: Condvar::new(),
        taken: AtomicUsize::new(start),
        stop: AtomicBool::new(false),
    };
    workers::each(workers::count().min(tasks.len() - start), || runner.work());
    let turn = runner.turn.into_inner().unwrap_or_else(PoisonError::into_inner);
    *report = turn.report;
    turn.is_replaced.then_some(turn.next)
}

fn stored_bytes(task: &Task) -> u64 {
    task.row.object.size_bytes
}

struct Runner<'r> {
    progress: Option<&'r (dyn Fn(&Progress) + Sync)>,
    stock: Stock<'r>,
    settings: &'r SourceSettings,
    request: &'r Request,
    tasks: &'r [Task],
    /// How many objects they are of.
    objects: u64,
    looks_again: bool,
    turn: Mutex<Turn<'r>>,
    turned: Condvar,
    taken: AtomicUsize,
    stop: AtomicBool,
}

impl<'r> Runner<'r> {
    fn work(&self) {
        let mut piece = Piece::new();
        while !self.stop.load(Ordering::Relaxed) {
            // Taken in order, so that the object whose turn it is has always been begun, and no thread waits
            // for ever.
            let number = self.taken.fetch_add(1, Ordering::Relaxed);
            let Some(task) = self.tasks.get(number) else {
                return;
            };
            let outcome = self.read(number, task, &mut piece);
            self.settle(number, outcome);
        }
    }

    /// Settles a task in its turn, and the later ones that wait for it. One that is too early is left to wait while its
    /// worker goes on, if it is small.
    fn settle(&self, number: usize, outcome: Outcome) {
        let mut turn = self.turn();
        let bytes = outcome.held_bytes();
        // Small results wait in the map, so that one slow object does not stop all workers. Large ones stop theirs,
        // which bounds the memory.
        if turn.next != number && turn.waiting_bytes + bytes <= HELD_BYTES {
            turn.waiting_bytes += bytes;
            turn.waiting.insert(number, outcome);
            return;
        }
        let mut turn = self.wait(turn, number);
        let mut outcome = Some(outcome);
        while let Some(next) = outcome.filter(|_| !turn.is_replaced) {
            self.settle_next(&mut turn, next);
            let number = turn.next;
            outcome = turn.waiting.remove(&number);
            turn.waiting_bytes -= outcome.as_ref().map_or(0, Outcome::held_bytes);
        }
        // Those who are woken need the lock first.
        drop(turn);
        // All, because each waits for a number of its own.
        self.turned.notify_all();
    }

    fn settle_next(&self, turn: &mut Turn<'_>, mut outcome: Outcome) {
        // The rest of a search that has ended is not needed.
        if outcome.is_replaced() && self.stop.load(Ordering::Relaxed) {
            outcome.failure = None;
        }
        if self.looks_again && outcome.is_replaced() {
            turn.is_replaced = true;
            self.stop.store(true, Ordering::Relaxed);
            return;
        }
        let task = &self.tasks[turn.next];
        turn.next += 1;
        if task.counts {
            turn.report.objects_read += 1;
            turn.bytes += stored_bytes(task);
        }
        turn.report.hits += outcome.counted;
        // Of several tasks of an object, another may have said it.
        if let Some(reason) = outcome.failure
            && turn.unreadable.insert(task.row.object_id)
        {
            turn.report.unreadable.push((task.row.place(), reason.to_string()));
        }
        self.hand_over(turn, turn.next, outcome.hits);
        self.tell(turn);
    }

    /// Reads a task; hands over early what grows too large to hold.
    fn read(&self, number: usize, task: &Task, piece: &mut Piece) -> Outcome {
        let mut hand_over = |hits: Vec<Hit>| {
            // What is too large to be held leaves only when all objects before have left, or the order would
            // be lost.
            let mut turn = self.wait(self.turn(), number);
            self.hand_over(&mut turn, number, hits);
        };
        let is_limited = self.request.limit.is_some();
        let mut reading = Reading {
            stock: self.stock,
            settings: self.settings.of(&task.row.object.source),
            request: self.request,
            task,
            kept: None,
            weaves: !self.request.around.is_none() && !is_limited,
            newest: self.request.limit,
            // With a limit nothing is final until the newest lines of all objects are known.
            hand_over: if is_limited { None } else { Some(&mut hand_over) },
            handed: Handed::default(),
            stop: &self.stop,
            piece,
        };
        let (hits, counted, result) = reading.read();
        Outcome { hits, counted, failure: result.err() }
    }

    fn tell(&self, turn: &Turn<'_>) {
        if let Some(progress) = self.progress {
            progress(&Progress {
                objects: turn.report.objects_read,
                of: self.objects,
                bytes: turn.bytes,
                hits: turn.report.hits,
            });
        }
    }

    fn turn(&self) -> MutexGuard<'_, Turn<'r>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'t>(&'t self, turn: MutexGuard<'t, Turn<'r>>, number: usize) -> MutexGuard<'t, Turn<'r>> {
        let is_early = |turn: &mut Turn<'_>| turn.next != number && !turn.is_replaced;
        self.turned.wait_while(turn, is_early).unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_over(&self, turn: &mut Turn<'_>, next: usize, hits: Vec<Hit>) {
        if !self.stop.load(Ordering::Relaxed) && (turn.consume)(next, hits).is_break() {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

/// The lines chosen of a task, by its number.
pub(super) type Place = (usize, HashSet<u64>);

/// Reads the lines of a search's tasks that were chosen, with their context, one task after another. Returns whether it
/// could: otherwise nothing was handed over, since a run beside the search has replaced one of the versions.
pub(super) fn with_context(
    library: &Library<'_>,
    request: &Request,
    (tasks, places): (&[Task], &[Place]),
    looks_again: bool,
    report: &mut SearchReport,
    found: &mut dyn FnMut(Hit) -> ControlFlow<()>,
) -> bool {
    let present = Present::of(library.ledger);
    let stock = Stock { mirror: library.mirror, fetch: library.fetch, present: &present };
    let Some(tasks) = opened(stock, tasks, places, looks_again) else { return false };
    let stop = AtomicBool::new(false);
    let mut piece = Piece::new();
    let mut hand_over = |hits: Vec<Hit>| {
        if !stop.load(Ordering::Relaxed) && hits.into_iter().try_for_each(&mut *found).is_break() {
            stop.store(true, Ordering::Relaxed);
        }
    };
    for (task, (_, lines)) in tasks.iter().zip(places) {
        let mut reading = Reading {
            stock,
            settings: library.settings.of(&task.row.object.source),
            request,
            task,
            kept: Some(lines),
            weaves: true,
            newest: None,
            hand_over: Some(&mut hand_over),
            handed: Handed::default(),
            stop: &stop,
            piece: &mut piece,
        };
        let (hits, _, result) = reading.read();
        hand_over(hits);
        report.unreadable.extend(result.err().map(|error| (task.row.place(), error.to_string())));
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    true
}

/// Returns some lines of a task, which matched when it was searched.
pub(super) fn lines_of(
    library: &Library<'_>,
    (stock, request): (Stock<'_>, &Request),
    task: &Task,
    lines: &HashSet<u64>,
) -> io::Result<Vec<Hit>> {
    let mut reading = Reading {
        stock,
        settings: library.settings.of(&task.row.object.source),
        request,
        task,
        kept: Some(lines),
        weaves: false,
        newest: None,
        hand_over: None,
        handed: Handed::default(),
        stop: &AtomicBool::new(false),
        piece: &mut Piece::new(),
    };
    let (hits, _, result) = reading.read();
    result.map(|()| hits)
}

/// Returns the tasks of some places with their files open, as far as these are in the mirror and not very many; `None`
/// when one was replaced.
pub(super) fn opened(
    stock: Stock<'_>,
    tasks: &[Task],
    places: &[Place],
    looks_again: bool,
) -> Option<Vec<Task>> {
    let open = |(number, (task, _)): (usize, &Place)| {
        let task = tasks[*task].clone();
        // Open files stay readable when a run removes them, so what was chosen is what is shown. Processes may often
        // hold no more than 1,024.
        if task.opened.is_some() || number >= OPEN_FILES {
            return Some(task);
        }
        match stock.open_file(&task.row.object) {
            Err(error) if looks_again && is::<Replaced>(&error) => None,
            opened => Some(Task { opened: opened.ok(), ..task }),
        }
    };
    places.iter().enumerate().map(open).collect()
}

/// The reading of one task.
struct Reading<'t, 'h> {
    stock: Stock<'t>,
    settings: &'t ReadSettings,
    request: &'t Request,
    task: &'t Task,
    /// The lines that count among those found; `None` for all.
    kept: Option<&'t HashSet<u64>>,
    /// Whether matches are shown with context.
    weaves: bool,
    /// Only this many of the newest lines are needed; the others are dropped when too many are held.
    newest: Option<usize>,
    /// Takes what grows too large to hold.
    hand_over: Option<&'h mut dyn FnMut(Vec<Hit>)>,
    handed: Handed,
    stop: &'t AtomicBool,
    piece: &'h mut Piece,
}

/// How much of a task was handed over.
#[derive(Default)]
struct Handed {
    /// The number of the last line.
    line: u64,
    matches: u64,
}

impl Handed {
    /// When a task is read again, drops what was handed over before and records the rest.
    fn add(&mut self, hits: &mut Vec<Hit>) {
        hits.retain(|hit| hit.line > self.line);
        self.line = hits.last().map_or(self.line, |hit| hit.line);
        self.matches += hits.iter().filter(|hit| hit.is_match).count() as u64;
    }
}

/// Matches that were not handed over, and the number of all matches.
type Found = (Vec<Hit>, u64);

impl Reading<'_, '_> {
    /// Returns the last matches, the number of all matches, and whether everything could be read. For an object that
    /// could not be read, only what was handed over counts.
    fn read(&mut self) -> (Vec<Hit>, u64, io::Result<()>) {
        match self.read_somehow() {
            Ok((mut hits, counted)) => {
                if self.handed.line > 0 {
                    self.handed.add(&mut hits);
                }
                (hits, counted, Ok(()))
            }
            Err(error) => (Vec::new(), self.handed.matches, Err(error)),
        }
    }

    /// Reads the mirrored file; if its bytes differ from those counted, fetches the object instead.
    fn read_somehow(&mut self) -> io::Result<Found> {
        let task = self.task;
        let bytes = match &task.opened {
            Some(bytes) => bytes.clone(),
            None => self.stock.open(&task.row.object)?,
        };
        let mut found = self.read_from(&bytes, &task.points, &task.around_points);
        let is_rotten = |found: &io::Result<Found>| found.as_ref().is_err_and(is::<Rotten>);
        // The access point itself may be damaged, so try once without.
        if is_rotten(&found) && !(task.points.is_empty() && task.around_points.is_empty()) {
            found = self.read_from(&bytes, &[], &[]);
        }
        if is_rotten(&found) && matches!(bytes, StoredBytes::File(_)) {
            found = self.read_from(&self.stock.fetch_instead(&task.row.object)?, &[], &[]);
        }
        found
    }

    fn read_from(
        &mut self,
        bytes: &StoredBytes,
        points: &[Point],
        around_points: &[Point],
    ) -> io::Result<Found> {
        let task = self.task;
        let only = self.kept.filter(|_| !self.weaves);
        let mut scan = Scan::new(self.request, &task.expr, self.settings, &task.row).of_lines(only);
        if self.newest.is_some() {
            scan = scan.holding(newest::HELD_BYTES / workers::count().clamp(1, NEWEST_SHARES));
        }
        let mut object = Object::new(bytes.clone(), &task.row, &self.settings.limits, points);
        if task.ranges.iter().any(|range| range.crc().is_none()) {
            object = object.checked_whole();
        }
        let mut weaver = None;
        if self.weaves {
            let lines = Lines::new(object.again(around_points), &task.around, self.settings, &task.row);
            weaver = Some(Weaver::new(lines, self.request.around, &task.row));
        }
        // Taken out for the call: `lighten` borrows all of `self`. The empty one costs nothing.
        let mut piece = std::mem::replace(self.piece, Piece::new());
        let read = scan.read(&mut object, &task.ranges, &mut piece, &mut |scan, object| {
            self.lighten(scan, object, weaver.as_mut())?;
            if scan.has_all() {
                object.check_all()?;
                return Ok(false);
            }
            Ok(!self.stop.load(Ordering::Relaxed))
        });
        *self.piece = piece;
        read?;
        if let Some(weaver) = &mut weaver {
            let rest = std::mem::take(&mut scan.hits);
            self.weave(weaver, rest)?;
            weaver.end()?;
            scan.hits = std::mem::take(&mut weaver.woven);
        }
        Ok((scan.hits, scan.counted))
    }

    /// Hands over, or drops, what has grown too large to hold.
    fn lighten(
        &mut self,
        scan: &mut Scan<'_>,
        object: &mut Object<'_>,
        weaver: Option<&mut Weaver<'_>>,
    ) -> io::Result<()> {
        if scan.held_bytes <= HELD_BYTES {
            return Ok(());
        }
        if let Some(limit) = self.newest {
            scan.held_bytes = 0;
            scan.keep_newest(limit);
        }
        if self.hand_over.is_none() {
            return Ok(());
        }
        // What is handed over cannot be taken back, so a whole object is checked to its end before its first line goes
        // out.
        object.check_all()?;
        scan.held_bytes = 0;
        let hits = std::mem::take(&mut scan.hits);
        if let Some(weaver) = weaver {
            return self.weave(weaver, hits);
        }
        self.pass_on(hits);
        Ok(())
    }

    fn pass_on(&mut self, mut hits: Vec<Hit>) {
        self.handed.add(&mut hits);
        if let Some(hand_over) = &mut self.hand_over {
            hand_over(hits);
        }
    }

    fn weave(&mut self, weaver: &mut Weaver<'_>, hits: Vec<Hit>) -> io::Result<()> {
        for hit in hits {
            let counts = self.kept.is_none_or(|kept| kept.contains(&hit.line));
            weaver.add(hit, counts)?;
            if self.hand_over.is_some() && weaver.held_bytes > HELD_BYTES {
                weaver.held_bytes = 0;
                let woven = std::mem::take(&mut weaver.woven);
                self.pass_on(woven);
            }
        }
        Ok(())
    }
}
