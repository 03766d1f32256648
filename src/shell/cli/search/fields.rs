//! The fields of found lines, each read by itself.

use std::borrow::Cow;
use std::sync::Arc;

use crate::flows::search::Hit;
use gzette_core::model::{Day, Event, SourceName};
use gzette_core::parse::Parser;
use gzette_core::partial::SourceSettings;

/// Reads the fields of lines as their sources are configured.
pub(super) struct FieldReader<'s> {
    settings: &'s SourceSettings,
    parser: Option<(Arc<SourceName>, Option<Day>, Parser)>,
}

impl<'s> FieldReader<'s> {
    pub(super) fn new(settings: &'s SourceSettings) -> Self {
        Self { settings, parser: None }
    }

    /// Returns the message; of a line that starts no event, the line.
    pub(super) fn message<'h>(&mut self, hit: &'h Hit) -> Cow<'h, str> {
        let message = self.event(hit, |event| event.message.text().into_owned());
        message.map_or_else(|| String::from_utf8_lossy(&hit.raw), Cow::Owned)
    }

    pub(super) fn logger(&mut self, hit: &Hit) -> Option<String> {
        self.event(hit, |event| event.logger.map(|logger| logger.text().into_owned())).flatten()
    }

    pub(super) fn thread(&mut self, hit: &Hit) -> Option<String> {
        self.event(hit, |event| event.thread.map(|thread| thread.text().into_owned())).flatten()
    }

    /// Returns the values of a field of JSON or LTSV.
    pub(super) fn values(&mut self, hit: &Hit, path: &str) -> Vec<String> {
        let (head, is_cut) = self.head(hit);
        self.parser(hit).values(head, path, is_cut).iter().map(|value| value.text().into_owned()).collect()
    }

    fn event<T>(&mut self, hit: &Hit, take: impl FnOnce(Event<'_>) -> T) -> Option<T> {
        let (head, is_cut) = self.head(hit);
        self.parser(hit).parse_alone(head, is_cut).map(take)
    }

    /// Returns as much of a line as is parsed, and whether that is not all.
    fn head<'h>(&self, hit: &'h Hit) -> (&'h [u8], bool) {
        let limit = self.settings.of(&hit.source).limits.max_line_bytes;
        let head = hit.raw.get(..limit).unwrap_or(&hit.raw);
        (head, head.len() < hit.raw.len())
    }

    fn parser(&mut self, hit: &Hit) -> &mut Parser {
        let fits = |(source, day, _): &(Arc<SourceName>, Option<Day>, Parser)| {
            *source == hit.source && *day == hit.day
        };
        if !self.parser.as_ref().is_some_and(fits) {
            self.parser = None;
        }
        let settings = &self.settings.of(&hit.source).parse;
        let new = || (hit.source.clone(), hit.day, Parser::new(settings, hit.day));
        &mut self.parser.get_or_insert_with(new).2
    }
}
