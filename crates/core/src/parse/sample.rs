//! The kept raw lines of an event back to what people read.

use std::borrow::Cow;

use super::{ParseSettings, Parsed, Parser, strip};
use crate::model::{Event, Level, UtcMs};

/// An event's fields as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SampleText {
    /// When it happened, as the line says.
    pub time_ms: Option<UtcMs>,
    /// Its severity.
    pub level: Level,
    /// The logger or class that wrote it.
    pub logger: Option<String>,
    /// The thread that wrote it.
    pub thread: Option<String>,
    /// The message, the trace field where it is not in the message, and the continuation lines.
    pub text: String,
}

/// Reads an event's first line and its continuation lines, joined by newlines; they may break off anywhere.
///
/// Escapes are resolved and invalid UTF-8 replaced. Lines that no format accepts are text as they stand. There
/// is no key here, so that a stamp without a date or a year gives no time.
pub fn read_sample(raw: &[u8], settings: &ParseSettings) -> SampleText {
    let mut lines = raw.split(|&byte| byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let mut parser = Parser::new(settings, None);
    let mut sample = match parser.parse_cut(first) {
        Parsed::Event(event) => of_event(&event),
        Parsed::Continuation | Parsed::Unparsed => {
            SampleText { text: String::from_utf8_lossy(strip(first)).into_owned(), ..SampleText::default() }
        }
    };
    for line in lines {
        sample.text.push('\n');
        parser.open = None;
        sample.text.push_str(&continuation_text(strip(line), &mut parser));
    }
    let end = sample.text.trim_end().len();
    sample.text.truncate(end);
    sample
}

fn of_event(event: &Event<'_>) -> SampleText {
    let mut text = event.message.text().into_owned();
    if let Some(trace) = &event.trace {
        let trace = trace.text();
        if !text.contains(trace.trim_ascii()) {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&trace);
        }
    }
    SampleText {
        time_ms: event.time_ms,
        level: event.level,
        logger: event.logger.map(|field| field.text().into_owned()),
        thread: event.thread.map(|field| field.text().into_owned()),
        text,
    }
}

/// Returns the text of a continuation line: the message of one that a collector wrapped, else the line.
fn continuation_text<'a>(line: &'a [u8], parser: &mut Parser) -> Cow<'a, str> {
    if line.trim_ascii_start().starts_with(b"{")
        && let Parsed::Event(event) = parser.parse_cut(line)
    {
        return match event.message.text() {
            Cow::Borrowed(text) => Cow::Borrowed(text.trim_end()),
            Cow::Owned(text) => Cow::Owned(text.trim_end().to_owned()),
        };
    }
    String::from_utf8_lossy(line)
}
