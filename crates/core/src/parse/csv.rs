//! Values between commas or tabs, as FluentD's `csv` and `tsv` formatters, databases and exports write them. What a column
//! holds tells its value, whether a first line names the columns or not: one is the time, one a level, one with dots the
//! logger, and the message is the first text behind the level that reads like one, else the longest of the others.

use super::time::{self, Clock};
use crate::model::{Event, Field, Level};

/// No more values than this are looked at.
const MAX_VALUES: usize = 64;

/// Reads a line of values: quoted ones, or those behind a time or a level that a comma ends. `None` for others, and where
/// none of them is a time.
pub(super) fn event<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Event<'a>> {
    let is_quoted = line.first() == Some(&b'"');
    if !is_quoted && !begins_bare(line, clock) {
        return None;
    }
    let mut row = Row::default();
    let mut rest = line;
    for _ in 0..MAX_VALUES {
        let (value, behind) = value(rest, is_quoted)?;
        row.note(value, clock);
        rest = match behind {
            [] => break,
            [b',', rest @ ..] => rest,
            [b'\t', rest @ ..] if is_quoted => rest,
            _ => return None,
        };
    }
    row.into_event(is_quoted)
}

/// The bytes in which the first value has to end.
const FIRST_BYTES: usize = 40;

/// Whether a line begins with a time or a level and a comma, and goes on at once: prose has a blank there, and a time its
/// fraction.
fn begins_bare(line: &[u8], clock: &mut Clock) -> bool {
    let is_dated = line.first().is_some_and(u8::is_ascii_digit);
    let Some(comma) = memchr::memchr(b',', &line[..line.len().min(FIRST_BYTES)]) else { return false };
    let digits = line[comma + 1..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    match line.get(comma + 1 + digits) {
        None | Some(b' ') => false,
        Some(next) if is_dated && digits > 0 && *next != b',' => false,
        Some(_) if is_dated => time::scan(line, clock).is_some_and(|(_, used)| line.get(used) == Some(&b',')),
        Some(_) => Level::from_word(&line[..comma]).is_some(),
    }
}

/// Reads a value and returns it with what is behind it; a quoted one may break off.
fn value(text: &[u8], must_be_quoted: bool) -> Option<(&[u8], &[u8])> {
    if let Some(quoted) = text.strip_prefix(b"\"") {
        return Some(match value_end(quoted) {
            Some(end) => (&quoted[..end], &quoted[end + 1..]),
            None => (quoted, &[]),
        });
    }
    if must_be_quoted && !text.is_empty() && text.first() != Some(&b',') {
        return None;
    }
    let end = memchr::memchr(b',', text).unwrap_or(text.len());
    Some(text.split_at(end))
}

#[derive(Default)]
struct Row<'a> {
    event: Event<'a>,
    has_level: bool,
    /// Whether the message is a text behind the level.
    is_told: bool,
}

impl<'a> Row<'a> {
    fn note(&mut self, value: &'a [u8], clock: &mut Clock) {
        let is_longer = (reads_like_text(value), value.len()) > self.rank();
        let event = &mut self.event;
        if event.time_ms.is_none()
            && let Some(time_ms) = time::read(value, clock)
        {
            event.time_ms = Some(time_ms);
        } else if !self.has_level
            && let Some(level) = Level::from_word(value)
        {
            event.level = level;
            self.has_level = true;
        } else if event.logger.is_none() && is_class(value) {
            event.logger = Some(Field::plain(value));
        } else if self.has_level && !self.is_told && reads_like_text(value) {
            event.message = Field::plain(value);
            self.is_told = true;
        } else if !self.is_told && is_longer {
            event.message = Field::plain(value);
        }
    }

    fn rank(&self) -> (bool, usize) {
        (reads_like_text(self.event.message.raw), self.event.message.raw.len())
    }

    fn into_event(self, is_quoted: bool) -> Option<Event<'a>> {
        let Self { mut event, has_level, .. } = self;
        let is_row = event.time_ms.is_some() && (has_level || is_quoted);
        if event.message.is_empty()
            && let Some(logger) = event.logger.take()
        {
            event.message = logger;
        }
        is_row.then_some(event)
    }
}

/// Words with blanks between them, most of their bytes letters.
fn reads_like_text(value: &[u8]) -> bool {
    let head = &value[..value.len().min(256)];
    let letters = head.iter().filter(|byte| byte.is_ascii_alphabetic() || !byte.is_ascii()).count();
    memchr::memchr(b' ', head).is_some() && letters * 2 > head.len()
}

/// `com.acme.Cart`, `shop.cart`: names with dots between them.
fn is_class(value: &[u8]) -> bool {
    let mut parts = 0;
    let are_names = value.split(|byte| *byte == b'.').all(|part| {
        parts += 1;
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_$".contains(byte);
        part.first().is_some_and(u8::is_ascii_alphabetic) && part.iter().all(is_part)
    });
    parts > 1 && are_names
}

/// Returns where the quote stands that ends a value; two are one in it.
fn value_end(text: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let quote = from + memchr::memchr(b'"', text.get(from..)?)?;
        if text.get(quote + 1) != Some(&b'"') {
            return Some(quote);
        }
        from = quote + 2;
    }
}
