//! One line of an object, its event and what stands around it.

use std::io;
use std::sync::Arc;

use super::context::Around;
use super::fetch::Stock;
use super::lines::Lines;
use super::object::Object;
use super::plan::{points_for, stretches_of};
use super::read::Range;
use super::{Hit, Library, SearchError};
use crate::decode::Point;
use crate::ledger::{GenerationRow, LedgerError};

/// Why a line is not shown.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// The ledger or the index failed.
    #[error(transparent)]
    Search(#[from] SearchError),
    /// The object's bytes are not to be had.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The object has fewer lines.
    #[error("it has {lines} lines")]
    Beyond {
        /// How many.
        lines: u64,
    },
}

/// A line to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The line; it is a match if it is the one that was asked for.
    pub line: Hit,
    /// Whether it belongs to the event of that line.
    pub in_event: bool,
}

/// Returns the object at a place, `s3://bucket/key` or a path, if it was ingested.
pub fn object_at(library: &Library<'_>, place: &str) -> Result<Option<GenerationRow>, LedgerError> {
    Ok(library.ledger.generations()?.into_iter().find(|row| row.place() == place))
}

/// Hands the event of a line and the lines around it to `found`, in order.
pub fn show(
    library: &Library<'_>,
    row: &GenerationRow,
    line: u64,
    around: Around,
    found: &mut dyn FnMut(Shown) -> bool,
) -> Result<(), ShowError> {
    let stretches = library.ask(|library| stretches_of(library, row))?;
    let opened = Opened::new(library, row, &stretches)?;
    let (first, last) = opened.event_of(line)?;
    let begin = first.saturating_sub(around.before).max(1);
    let points = opened.points(opened.stretch_of(begin))?;
    let mut lines = opened.lines(&points)?;
    let place: Arc<str> = row.place().into();
    for number in begin..=last.saturating_add(around.after) {
        let Some(text) = lines.line(number)? else { break };
        let shown = Hit {
            time_ms: text.time_ms,
            level: text.level,
            app: row.object.app.as_str().into(),
            source: row.object.source.as_str().into(),
            day: row.object.day,
            object: place.clone(),
            line: number,
            raw: text.raw,
            group: None,
            is_match: number == line,
        };
        if !found(Shown { line: shown, in_event: (first..=last).contains(&number) }) {
            break;
        }
    }
    Ok(())
}

/// An object whose stretches are known.
struct Opened<'o> {
    library: &'o Library<'o>,
    row: &'o GenerationRow,
    stretches: &'o [Range],
    object: Object<'o>,
}

impl<'o> Opened<'o> {
    fn new(library: &'o Library<'o>, row: &'o GenerationRow, stretches: &'o [Range]) -> io::Result<Self> {
        let stock = Stock { mirror: library.mirror, fetch: library.fetch };
        let limits = &library.settings.of(&row.object.source).limits;
        Ok(Self { library, row, stretches, object: Object::open(stock, row, limits, &[])? })
    }

    /// Returns the first and the last line of an event. Where that begins is looked for from the stretch of the line
    /// backwards, for a stack trace may go over many.
    fn event_of(&self, line: u64) -> Result<(u64, u64), ShowError> {
        let mut from = self.stretch_of(line);
        let mut step = 1;
        loop {
            let points = self.points(from)?;
            let mut lines = self.lines(&points)?;
            let begin = self.stretches.get(from).map_or(1, Range::first_line);
            let mut first = None;
            for number in begin..=line {
                match lines.line(number)? {
                    Some(text) if !text.goes_on => first = Some(number),
                    Some(_) => {}
                    None => return Err(ShowError::Beyond { lines: lines.last_number() }),
                }
            }
            if first.is_some() || from == 0 {
                let mut last = line;
                while lines.line(last + 1)?.is_some_and(|text| text.goes_on) {
                    last += 1;
                }
                return Ok((first.unwrap_or(begin), last));
            }
            from = from.saturating_sub(step);
            step *= 2;
        }
    }

    /// Returns the number of the stretch that holds a line.
    fn stretch_of(&self, line: u64) -> usize {
        self.stretches.partition_point(|stretch| stretch.first_line() <= line).saturating_sub(1)
    }

    fn points(&self, stretch: usize) -> Result<Vec<Point>, SearchError> {
        let stretch = self.stretches.get(stretch..=stretch).unwrap_or_default();
        Ok(points_for(self.library.ledger, self.row, stretch)?)
    }

    fn lines<'l>(&'l self, points: &'l [Point]) -> io::Result<Lines<'l>> {
        let settings = self.library.settings.of(&self.row.object.source);
        Ok(Lines::new(self.object.again(points)?, self.stretches, settings, self.row))
    }
}
