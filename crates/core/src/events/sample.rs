//! The kept raw lines of an event back to what people read.

use super::{Line, Reader, Step};
use crate::model::{Event, Level, UtcMs};
use crate::parse::{ParseSettings, strip};

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
/// Escapes are resolved, invalid UTF-8 is replaced, and what collectors put around a line is left out. Lines that no
/// format accepts are text as they stand. There is no key here, so that a stamp without a date or a year gives no time.
pub fn read_sample(raw: &[u8], settings: &ParseSettings) -> SampleText {
    let mut reader = Reader::new(settings, None, UtcMs::EPOCH);
    let mut sample = SampleText::default();
    let mut is_first = true;
    let lines: Vec<_> = raw.split(|&byte| byte == b'\n').collect();
    let mut told = |step: Step<'_>| {
        let begins = std::mem::take(&mut is_first);
        if !begins
            && !matches!(step, Step::Ends { .. } | Step::Continues(super::Continued { text: None, .. }))
        {
            sample.text.push('\n');
        }
        match step {
            Step::Begins(begun) if begins => sample = of_event(begun.event),
            Step::Begins(begun) => sample.text.push_str(begun.event.message.text().trim_end()),
            Step::Continues(continued) => {
                sample.text.push_str(String::from_utf8_lossy(continued.text.unwrap_or_default()).trim_end());
            }
            Step::Unparsed { line, .. } => {
                let bytes = lines.get(line as usize - 1).copied().unwrap_or_default();
                sample.text.push_str(&String::from_utf8_lossy(strip(bytes)));
            }
            Step::Ends { .. } => {}
        }
    };
    for (number, &bytes) in (1..).zip(&lines) {
        let is_cut = number == 1 || number as usize == lines.len();
        reader.read(&Line { number, bytes, is_cut }, &mut told);
    }
    reader.end(&mut told);
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
