//! Handing over the newest lines. Their bytes are held while they are few; those of many or long lines are read once more
//! when their turn has come, a few megabytes at a time.

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::ControlFlow;

use super::fetch::Stock;
use super::newest::HELD_BYTES;
use super::plan::Task;
use super::present::Present;
use super::run::{Place, lines_of, opened};
use super::{Hit, Library, Request, SearchReport};

/// Hands over hits in order, each given with the number of its task. Returns whether it could: otherwise nothing was handed
/// over, since a run beside the search has replaced an object that has to be read again.
pub(super) fn hand_over(
    library: &Library<'_>,
    request: &Request,
    (tasks, hits): (&[Task], Vec<(usize, Hit)>),
    looks_again: bool,
    report: &mut SearchReport,
    found: &mut dyn FnMut(Hit) -> ControlFlow<()>,
) -> bool {
    let present = Present::of(library.ledger);
    let stock = Stock { mirror: library.mirror, fetch: library.fetch, present: &present };
    let forgotten = hits.iter().filter(|(_, hit)| hit.is_forgotten());
    let places = places(forgotten.map(|(task, hit)| (*task, hit)));
    let Some(tasks) = opened(stock, tasks, &places, looks_again) else { return false };
    let tasks = places.iter().map(|(number, _)| *number).zip(tasks).collect();
    let mut again = Again { library, request, stock, tasks, lines: HashMap::new(), report };
    let mut hits = VecDeque::from(hits);
    while let Some((task, mut hit)) = hits.pop_front() {
        if hit.is_forgotten() {
            let Some(raw) = again.line(task, &hit, &hits) else { continue };
            hit.raw = raw;
        }
        if found(hit).is_break() {
            break;
        }
    }
    true
}

/// Returns the tasks of hits, in the order of the first hit of each, and the lines of each.
fn places<'h>(hits: impl Iterator<Item = (usize, &'h Hit)>) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    let mut place_of = HashMap::new();
    for (task, hit) in hits {
        let place = *place_of.entry(task).or_insert(places.len());
        if place == places.len() {
            places.push((task, HashSet::new()));
        }
        places[place].1.insert(hit.line);
    }
    places
}

/// Reads lines again.
struct Again<'a, 'l> {
    library: &'a Library<'l>,
    request: &'a Request,
    stock: Stock<'a>,
    /// The tasks by their numbers.
    tasks: HashMap<usize, Task>,
    /// The bytes of lines by their tasks and numbers.
    lines: HashMap<(usize, u64), Vec<u8>>,
    report: &'a mut SearchReport,
}

impl Again<'_, '_> {
    /// Returns the bytes of a hit; `None` where they cannot be read. As many of the next hits are read with it as may be held.
    fn line(&mut self, task: usize, hit: &Hit, next: &VecDeque<(usize, Hit)>) -> Option<Vec<u8>> {
        if !self.lines.contains_key(&(task, hit.line)) {
            let mut bytes = hit.length;
            let mut fits = |hit: &Hit| {
                bytes += hit.length;
                bytes <= HELD_BYTES
            };
            let forgotten = next.iter().filter(|(_, hit)| hit.is_forgotten());
            let with_it = forgotten.take_while(|(_, hit)| fits(hit)).map(|(task, hit)| (*task, hit));
            self.read(&places(std::iter::once((task, hit)).chain(with_it)));
        }
        self.lines.remove(&(task, hit.line))
    }

    fn read(&mut self, places: &[Place]) {
        for (number, lines) in places {
            // One that could not be read was named then.
            let Some(task) = self.tasks.get(number) else { continue };
            match lines_of(self.library, (self.stock, self.request), task, lines) {
                Ok(hits) => self.lines.extend(hits.into_iter().map(|hit| ((*number, hit.line), hit.raw))),
                Err(error) => {
                    self.report.unreadable.push((task.row.place(), error.to_string()));
                    self.tasks.remove(number);
                }
            }
        }
    }
}
