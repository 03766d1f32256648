//! One line of an object, its event and the lines around it.

use std::io;
use std::sync::Arc;

use super::context::Around;
use super::fetch::{Replaced, Rotten, Stock, StoredBytes, is};
use super::lines::{Lines, TextLine};
use super::object::Object;
use super::plan::{points_for, stretches_of};
use super::present::Present;
use super::range::Range;
use super::{Hit, Library};
use crate::edges::ledger::{GenerationRow, LedgerError};
use crate::flows::error::StateError;
use gzette_core::decode::Point;

/// Why a line is not shown.
#[derive(Debug, thiserror::Error)]
pub enum ShowError {
    /// The ledger or the index failed.
    #[error(transparent)]
    Search(#[from] StateError),
    /// The object's bytes cannot be read.
    #[error(transparent)]
    Io(io::Error),
    /// Another version has replaced this one since the ledger was asked for it.
    #[error("it was replaced by another version")]
    Replaced,
    /// The object has fewer lines.
    #[error("it has {lines} lines")]
    Beyond {
        /// How many.
        lines: u64,
    },
}

impl From<io::Error> for ShowError {
    fn from(error: io::Error) -> Self {
        if is::<Replaced>(&error) { Self::Replaced } else { Self::Io(error) }
    }
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
    library.ledger.generation_at(place)
}

/// Hands the event of a line and the lines around it to `found`, in order. Nothing was handed over when the object
/// turns out to be replaced.
pub fn show(
    library: &Library<'_>,
    row: &GenerationRow,
    line: u64,
    around: Around,
    found: &mut dyn FnMut(Shown) -> bool,
) -> Result<(), ShowError> {
    let present = Present::of(library.ledger);
    let stock = Stock { mirror: library.mirror, fetch: library.fetch, present: &present };
    let stretches = library.ask(|library| stretches_of(library, row))?;
    let mut last = 0;
    // What was handed over was correct: when the object is read again, continue after it.
    let mut found = |shown: Shown| {
        let is_next = shown.line.line > last;
        last = last.max(shown.line.line);
        !is_next || found(shown)
    };
    let opened = |bytes, points| Opened { library, row, stretches: &stretches, bytes, has_points: points };
    let mirrored = opened(stock.open(&row.object)?, true);
    match mirrored.show(line, around, &mut found) {
        Err(ShowError::Io(error)) if is::<Rotten>(&error) => {}
        shown => return shown,
    }
    opened(stock.fetch_instead(&row.object)?, false).show(line, around, &mut found)
}

/// An object whose stretches are known.
struct Opened<'o> {
    library: &'o Library<'o>,
    row: &'o GenerationRow,
    stretches: &'o [Range],
    bytes: StoredBytes,
    /// Whether access points are used.
    has_points: bool,
}

impl Opened<'_> {
    fn show(&self, line: u64, around: Around, found: &mut dyn FnMut(Shown) -> bool) -> Result<(), ShowError> {
        // Where blocks cannot be checked one by one, the whole object is, before a line of it is shown.
        if self.stretches.iter().any(|stretch| stretch.crc().is_none()) {
            self.object(&[]).checked_whole().check_end()?;
        }
        // A pass of its own: where the lines around begin depends on the first line of the event.
        let (first, last) = self.event_of(line)?;
        let begin = first.saturating_sub(around.before).max(1);
        let points = self.points(self.stretch_of(begin))?;
        let mut lines = self.lines(&points);
        let place: Arc<str> = self.row.place().into();
        for number in begin..=last.saturating_add(around.after) {
            let Some(text) = lines.line(number)? else { break };
            let in_event = number == line || text.event == Some(first);
            let shown = Shown { line: self.hit(&place, number, text, number == line), in_event };
            if !found(shown) {
                break;
            }
        }
        Ok(())
    }

    fn hit(&self, place: &Arc<str>, line: u64, text: TextLine, is_match: bool) -> Hit {
        let object = &self.row.object;
        Hit {
            time_ms: text.time_ms,
            level: text.level,
            app: object.app.as_str().into(),
            source: Arc::new(object.source.clone()),
            day: object.day,
            object: Arc::clone(place),
            line,
            length: text.raw.len(),
            raw: text.raw,
            group: None,
            is_match,
        }
    }

    /// Returns the first and the last line of the event that a line belongs to.
    fn event_of(&self, line: u64) -> Result<(u64, u64), ShowError> {
        let points = self.points(self.stretch_of(line))?;
        let mut lines = self.lines(&points);
        let Some(asked) = lines.line(line)? else {
            return Err(ShowError::Beyond { lines: lines.last_number() });
        };
        let Some(first) = asked.event else { return Ok((line, line)) };
        let mut last = line;
        while lines.is_open(first)
            && let Some(text) = lines.line(lines.last_number() + 1)?
        {
            if text.event == Some(first) {
                last = lines.last_number();
            }
        }
        Ok((first, last))
    }

    /// Returns the number of the stretch that holds a line.
    fn stretch_of(&self, line: u64) -> usize {
        self.stretches.partition_point(|stretch| stretch.first_line() <= line).saturating_sub(1)
    }

    fn points(&self, stretch: usize) -> Result<Vec<Point>, StateError> {
        if !self.has_points {
            return Ok(Vec::new());
        }
        let stretch = self.stretches.get(stretch..=stretch).unwrap_or_default();
        Ok(points_for(self.library.ledger, self.row, stretch)?)
    }

    fn lines<'l>(&'l self, points: &'l [Point]) -> Lines<'l> {
        let settings = self.library.settings.of(&self.row.object.source);
        Lines::new(self.object(points), self.stretches, settings, self.row)
    }

    fn object<'l>(&'l self, points: &'l [Point]) -> Object<'l> {
        let limits = &self.library.settings.of(&self.row.object.source).limits;
        Object::new(self.bytes.clone(), self.row, limits, points)
    }
}
