//! Several threads read the objects of a search; what they find is handed over in the order of the objects.

use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::context::Weaver;
use super::fetch::Stock;
use super::lines::Lines;
use super::object::Object;
use super::plan::Task;
use super::read::Scan;
use super::{Hit, Library, Request, SearchReport};
use crate::ingest::IngestSettings;
use crate::partial::ReadSettings;
use crate::workers;

/// Takes the hits of a task, in the order of the tasks; the number is that of the next task.
type Consume<'c> = &'c mut (dyn FnMut(usize, Vec<Hit>) -> ControlFlow<()> + Send);

/// Workers hold no more than so many bytes of hits before their turn has come.
const HELD_BYTES: usize = 2 << 20;

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
    /// What was found and not handed over before.
    hits: Vec<Hit>,
    counted: u64,
    failure: Option<String>,
}

impl Outcome {
    fn held_bytes(&self) -> usize {
        self.hits.iter().map(|hit| hit.raw.len() + size_of::<Hit>()).sum()
    }
}

/// The output, which workers use in the order of their tasks.
struct Turn<'c> {
    next: usize,
    /// The outcomes of later tasks than the next one, and the bytes in them.
    waiting: HashMap<usize, Outcome>,
    waiting_bytes: usize,
    /// Stored bytes of the objects so far.
    bytes: u64,
    report: SearchReport,
    consume: Consume<'c>,
}

/// Reads the tasks and hands over what is found.
pub(super) fn run(
    library: &Library<'_>,
    request: &Request,
    tasks: &[Task],
    report: &mut SearchReport,
    consume: Consume<'_>,
) {
    let turn = Mutex::new(Turn {
        next: 0,
        waiting: HashMap::new(),
        waiting_bytes: 0,
        bytes: 0,
        report: std::mem::take(report),
        consume,
    });
    let runner = Runner {
        progress: library.progress,
        stock: Stock { mirror: library.mirror, fetch: library.fetch },
        settings: library.settings,
        request,
        tasks,
        turn,
        turned: Condvar::new(),
        taken: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
    };
    workers::each(workers::count().min(tasks.len()), || runner.work());
    *report = runner.turn.into_inner().unwrap_or_else(PoisonError::into_inner).report;
}

struct Runner<'r> {
    progress: Option<&'r (dyn Fn(&Progress) + Sync)>,
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
            let outcome = self.read(number, task);
            self.settle(number, outcome);
        }
    }

    /// Settles a task in its turn, and the later ones that wait for it. One that is too early is left to wait while its
    /// worker goes on, if it is small.
    fn settle(&self, number: usize, outcome: Outcome) {
        let mut turn = self.turn();
        let bytes = outcome.held_bytes();
        if turn.next != number && turn.waiting_bytes + bytes <= HELD_BYTES {
            turn.waiting_bytes += bytes;
            turn.waiting.insert(number, outcome);
            return;
        }
        let mut turn = self.wait(turn, number);
        let mut outcome = Some(outcome);
        while let Some(next) = outcome {
            self.settle_next(&mut turn, next);
            let number = turn.next;
            outcome = turn.waiting.remove(&number);
            turn.waiting_bytes -= outcome.as_ref().map_or(0, Outcome::held_bytes);
        }
        drop(turn);
        self.turned.notify_all();
    }

    fn settle_next(&self, turn: &mut Turn<'_>, outcome: Outcome) {
        let task = &self.tasks[turn.next];
        turn.next += 1;
        if task.counts {
            turn.report.objects_read += 1;
            turn.bytes += task.row.object.size_bytes;
        }
        turn.report.hits += outcome.counted;
        if let Some(reason) = outcome.failure {
            let unreadable = (task.row.place(), reason);
            // Of several tasks of an object, another may have said it.
            if task.counts || !turn.report.unreadable.contains(&unreadable) {
                turn.report.unreadable.push(unreadable);
            }
        }
        self.hand_over(turn, turn.next, outcome.hits);
        self.tell(turn);
    }

    /// Reads a task; hands over early what grows too large to hold.
    fn read(&self, number: usize, task: &Task) -> Outcome {
        let mut hand_over = |hits: Vec<Hit>| {
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
            hand_over: if is_limited { None } else { Some(&mut hand_over) },
            stop: &self.stop,
        };
        let (hits, counted, result) = reading.read();
        Outcome { hits, counted, failure: result.err().map(|error| error.to_string()) }
    }

    fn tell(&self, turn: &Turn<'_>) {
        if let Some(progress) = self.progress {
            progress(&Progress {
                objects: turn.report.objects_read,
                of: self.tasks.iter().filter(|task| task.counts).count() as u64,
                bytes: turn.bytes,
                hits: turn.report.hits,
            });
        }
    }

    fn turn(&self) -> MutexGuard<'_, Turn<'r>> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'t>(&'t self, turn: MutexGuard<'t, Turn<'r>>, number: usize) -> MutexGuard<'t, Turn<'r>> {
        self.turned.wait_while(turn, |turn| turn.next != number).unwrap_or_else(PoisonError::into_inner)
    }

    fn hand_over(&self, turn: &mut Turn<'_>, next: usize, hits: Vec<Hit>) {
        if !self.stop.load(Ordering::Relaxed) && (turn.consume)(next, hits).is_break() {
            self.stop.store(true, Ordering::Relaxed);
        }
    }
}

/// Reads the lines of a search's tasks that were chosen, with their context, one task after another.
pub(super) fn with_context(
    library: &Library<'_>,
    request: &Request,
    tasks: &[Task],
    places: Vec<(usize, HashSet<u64>)>,
    report: &mut SearchReport,
    found: &mut dyn FnMut(Hit) -> ControlFlow<()>,
) {
    let stop = AtomicBool::new(false);
    let mut hand_over = |hits: Vec<Hit>| {
        if hits.into_iter().try_for_each(&mut *found).is_break() {
            stop.store(true, Ordering::Relaxed);
        }
    };
    for (task, lines) in places {
        let task = &tasks[task];
        let mut reading = Reading {
            stock: Stock { mirror: library.mirror, fetch: library.fetch },
            settings: library.settings.of(&task.row.object.source),
            request,
            task,
            kept: Some(&lines),
            weaves: true,
            newest: None,
            hand_over: Some(&mut hand_over),
            stop: &stop,
        };
        let (hits, _, result) = reading.read();
        hand_over(hits);
        report.unreadable.extend(result.err().map(|error| (task.row.place(), error.to_string())));
        if stop.load(Ordering::Relaxed) {
            return;
        }
    }
}

/// The reading of one task.
struct Reading<'t, 'h> {
    stock: Stock<'t>,
    settings: &'t ReadSettings,
    request: &'t Request,
    task: &'t Task,
    /// The lines that count among those found; `None` for all.
    kept: Option<&'t HashSet<u64>>,
    /// Whether what was found is surrounded with context.
    weaves: bool,
    /// Only so many of the newest lines are wanted; the others go when what is held grows too large.
    newest: Option<usize>,
    /// Takes what grows too large to hold.
    hand_over: Option<&'h mut dyn FnMut(Vec<Hit>)>,
    stop: &'t AtomicBool,
}

impl Reading<'_, '_> {
    /// Returns what was found last, how many lines were found in all, and whether all could be read.
    fn read(&mut self) -> (Vec<Hit>, u64, io::Result<()>) {
        let mut scan = Scan::new(self.request, &self.task.expr, self.settings, &self.task.row);
        let result = self.read_with(&mut scan);
        (scan.hits, scan.counted, result)
    }

    fn read_with(&mut self, scan: &mut Scan<'_>) -> io::Result<()> {
        let task = self.task;
        let mut object = Object::open(self.stock, &task.row, &self.settings.limits, &task.points)?;
        let mut weaver = None;
        if self.weaves {
            let lines =
                Lines::new(object.again(&task.around_points)?, &task.around, self.settings, &task.row);
            weaver = Some(Weaver::new(lines, self.request.around, &task.row));
        }
        let mut woven = Ok(());
        let read = scan.read(&mut object, &task.ranges, &mut |scan| {
            if self.hand_over.is_some() && scan.held_bytes > HELD_BYTES {
                scan.held_bytes = 0;
                let hits = std::mem::take(&mut scan.hits);
                woven = self.pass_on(weaver.as_mut(), hits);
            }
            if let (Some(limit), true) = (self.newest, scan.held_bytes > HELD_BYTES) {
                scan.held_bytes = 0;
                scan.keep_newest(limit);
            }
            woven.is_ok() && !self.stop.load(Ordering::Relaxed)
        });
        if let Some(weaver) = &mut weaver {
            let rest = std::mem::take(&mut scan.hits);
            woven = woven.and_then(|()| self.weave(weaver, rest)).and_then(|()| weaver.end());
            scan.hits = std::mem::take(&mut weaver.woven);
        }
        read.and(woven)
    }

    fn pass_on(&mut self, weaver: Option<&mut Weaver<'_>>, hits: Vec<Hit>) -> io::Result<()> {
        match (weaver, &mut self.hand_over) {
            (Some(weaver), _) => self.weave(weaver, hits),
            (None, Some(hand_over)) => {
                hand_over(hits);
                Ok(())
            }
            (None, None) => Ok(()),
        }
    }

    fn weave(&mut self, weaver: &mut Weaver<'_>, hits: Vec<Hit>) -> io::Result<()> {
        for hit in hits {
            let counts = self.kept.is_none_or(|kept| kept.contains(&hit.line));
            weaver.add(hit, counts)?;
            if let (Some(hand_over), true) = (&mut self.hand_over, weaver.held_bytes > HELD_BYTES) {
                weaver.held_bytes = 0;
                hand_over(std::mem::take(&mut weaver.woven));
            }
        }
        Ok(())
    }
}
