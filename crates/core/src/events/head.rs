//! The first line of a head that goes over two, as `java.util.logging` writes it: when and where, then the level and the
//! message (`SimpleFormatter`: `%1$tb %1$td, %1$tY %1$tl:%1$tM:%1$tS %1$Tp %2$s%n%4$s: %5$s%6$s%n`).

use super::Line;
use crate::model::{Event, Field, UtcMs};
use crate::parse::Read;

/// The first line of a head, which waits for the line with the level.
#[derive(Clone, Debug)]
pub(super) struct LevelHead {
    /// Its stream.
    pub(super) key: u64,
    pub(super) number: u64,
    pub(super) raw: Vec<u8>,
    /// The line without what collectors put around it.
    pub(super) text: Vec<u8>,
    pub(super) is_cut: bool,
    time_ms: Option<UtcMs>,
    /// The class and the method.
    place: Vec<u8>,
}

impl LevelHead {
    pub(super) fn new(read: &Read<'_>, line: &Line<'_>, raw: &[u8]) -> Self {
        Self {
            key: read.key,
            number: line.number,
            raw: raw.to_vec(),
            text: read.text.to_vec(),
            is_cut: line.is_cut,
            time_ms: read.event.time_ms,
            place: read.event.message.raw.to_vec(),
        }
    }

    /// Returns the line as an event of its own.
    pub(super) fn event(&self) -> Event<'_> {
        Event { time_ms: self.time_ms, message: Field::plain(&self.place), ..Event::default() }
    }

    /// Returns the event of both lines; `second` is what the second says.
    pub(super) fn completed<'a>(&'a self, second: &Event<'a>) -> Event<'a> {
        let class = self.place.split(|byte| *byte == b' ').next().unwrap_or_default();
        Event { time_ms: self.time_ms, logger: Some(Field::plain(class)), ..*second }
    }
}
