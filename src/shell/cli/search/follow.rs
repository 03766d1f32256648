//! `--follow`: what runs beside it take in, as it comes.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::{Asked, CommandError, Printer, attempt};
use crate::edges::ledger::GenerationRow;
use crate::flows::search::{Hit, Library, Request, SearchReport, search};
use crate::shell::cli::context::stop_flag;
use crate::shell::error::Exit;
use gzette_core::model::{GenerationId, UtcMs};

/// How often the ledger is checked for a new batch.
const POLL: Duration = Duration::from_secs(1);
/// A signal, and that the reader has gone, is noticed after no more than this.
const NAP: Duration = Duration::from_millis(50);
/// By default, this many lines are shown first, as by `tail`.
const FIRST_LINES: usize = 10;

/// Shows the newest lines there are and then those of each new batch, until a signal comes or the reader has gone.
pub(super) fn follow(asked: &Asked<'_>, request: &Request) -> Result<Exit, CommandError> {
    let stop = stop_flag();
    let ui = &asked.context.ui;
    let ledger = asked.library.ledger;
    let mut printer = asked.printer(asked.output(), ui.is_terminal().then_some(ui), request);
    let mut seen = Seen::default();
    let mut exit = Exit::Fine;
    let mut batch = None;
    let goes_on = || !stop.load(Ordering::Relaxed) && !ui.reader_is_gone();
    while goes_on() {
        // Asked before the generations: a batch that is committed in between is looked at once more, and
        // `seen` knows it. The other way round it would never be shown.
        let last = ledger.last_batch()?;
        if batch == Some(last) {
            nap(&goes_on);
            continue;
        }
        let round = Round::new(asked, request, seen.fresh(ledger.generations()?), batch.is_none());
        let report = round.show(asked, &mut seen, &mut printer, &stop)?;
        for (place, reason) in &report.unreadable {
            ui.warn(&format!("{place}: {reason}"));
            exit = Exit::Partly;
        }
        batch = Some(last);
    }
    Ok(exit)
}

/// Waits until it is time to ask again, or to stop.
fn nap(goes_on: &dyn Fn() -> bool) {
    let naps = POLL.as_millis() / NAP.as_millis();
    (0..naps).take_while(|_| goes_on()).for_each(|_| thread::sleep(NAP));
}

/// The search of one batch or more.
struct Round<'r> {
    library: Library<'r>,
    request: Request,
    fresh: HashMap<String, GenerationRow>,
}

impl<'r> Round<'r> {
    fn new(
        asked: &Asked<'r>,
        request: &Request,
        fresh: HashMap<String, GenerationRow>,
        is_first: bool,
    ) -> Self {
        // New objects are read whole, whether the index has them by now or not.
        let index = asked.library.index.filter(|_| is_first);
        let only = fresh.values().map(|row| row.object_id).collect();
        let first = asked.args.limit.unwrap_or(FIRST_LINES);
        let limit = (is_first && first > 0).then_some(first);
        Self {
            library: Library { index, progress: None, ..*asked.library },
            request: Request { only: Some(only), limit, ..request.clone() },
            fresh,
        }
    }

    fn show(
        self,
        asked: &Asked<'_>,
        seen: &mut Seen,
        printer: &mut Printer<'_>,
        stop: &AtomicBool,
    ) -> Result<SearchReport, CommandError> {
        let ui = &asked.context.ui;
        let mut failure = None;
        let mut shown = Vec::new();
        let report = search(&self.library, &self.request, &mut |hit| {
            if stop.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            if seen.knows(&hit) {
                return ControlFlow::Continue(());
            }
            // Only lines at the end of their object need a mark: a version that replaces it is told apart by
            // time before that.
            if self.fresh.get(&*hit.object).is_some_and(|row| last_ms(row) <= hit.time_ms) {
                shown.push((hit.object.to_string(), mark(&hit)));
            }
            attempt(ui.results(|out| printer.line(&hit, out)), &mut failure)
        })?;
        if let Some(error) = failure {
            return Err(error.into());
        }
        ui.results(|out| printer.end(out))?;
        ui.flush()?;
        seen.add(self.fresh, shown);
        Ok(report)
    }
}

/// What was searched so far, by the object's place.
#[derive(Default)]
struct Seen(HashMap<String, Known>);

/// The version of an object that was looked at last.
struct Known {
    generation: GenerationId,
    /// The time of its last event. A version that replaces it has what came later, and what came at that time again.
    last_ms: UtcMs,
    /// The lines shown that have this time or a later one.
    shown: HashSet<u64>,
}

impl Seen {
    /// Returns the versions not looked at yet.
    fn fresh(&self, rows: Vec<GenerationRow>) -> HashMap<String, GenerationRow> {
        let placed = rows.into_iter().map(|row| (row.place(), row));
        let is_new = |place: &str, row: &GenerationRow| {
            self.0.get(place).is_none_or(|known| known.generation != row.object.generation)
        };
        placed.filter(|(place, row)| is_new(place, row)).collect()
    }

    /// Whether an earlier version of the line's object had that line.
    fn knows(&self, hit: &Hit) -> bool {
        self.0
            .get(&*hit.object)
            .is_some_and(|known| hit.time_ms < known.last_ms || known.shown.contains(&mark(hit)))
    }

    fn add(&mut self, fresh: HashMap<String, GenerationRow>, shown: Vec<(String, u64)>) {
        for (place, row) in fresh {
            let generation = row.object.generation;
            let last_ms = last_ms(&row);
            let earlier = self.0.remove(&place);
            // A version that ends at a later time needs no marks of the earlier end: everything before it counts as
            // shown.
            let kept = earlier.filter(|known| known.last_ms == last_ms).map(|known| known.shown);
            self.0.insert(place, Known { generation, last_ms, shown: kept.unwrap_or_default() });
        }
        for (place, mark) in shown {
            if let Some(known) = self.0.get_mut(&place) {
                known.shown.insert(mark);
            }
        }
    }
}

/// Returns the time of the last event; of an object without any, before all times.
fn last_ms(row: &GenerationRow) -> UtcMs {
    row.span_ms.map_or(UtcMs::MIN, |(_, last_ms)| last_ms)
}

/// Returns what tells a line of an object from its other lines.
fn mark(hit: &Hit) -> u64 {
    let mut hasher = DefaultHasher::new();
    (hit.line, &hit.raw).hash(&mut hasher);
    hasher.finish()
}
