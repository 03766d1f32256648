//! Heads that no reading of words finds, one file a family. Each takes a line and returns its event, or gives up within the
//! first bytes.

mod access;
mod console;
mod daemons;
mod glog;
mod logfmt;
mod runtimes;
mod syslog;
mod tail;
#[cfg(test)]
mod tests;

use super::names::Names;
use super::time::Clock;
use crate::model::{Event, Field, Level, UtcMs};

pub(super) use console::behind_time as behind_bracket;
pub(super) use tail::{complete, is_detail, nginx};

/// Reads a line by the family that its first bytes tell; `None`: it is of none.
pub(super) fn special<'a>(line: &'a [u8], names: &Names, clock: &mut Clock) -> Option<Event<'a>> {
    match line.first()? {
        b'0'..=b'9' if line.get(4) == Some(&b'-') => None,
        b'0'..=b'9' => daemons::redis(line, clock).or_else(|| daemons::stamped(line, clock)),
        b'[' => console::bracketed(line, clock).or_else(|| access::bare(line, clock)),
        b'<' => syslog::with_priority(line, names, clock).or_else(|| daemons::weblogic(line, clock)),
        b'#' => daemons::weblogic(line.strip_prefix(b"####")?, clock),
        b'=' => runtimes::erlang(line, clock),
        b'A'..=b'Z' => glog::event(line, clock)
            .or_else(|| runtimes::ruby(line, clock))
            .or_else(|| runtimes::python(line))
            .or_else(|| console::numbered(line, clock))
            .or_else(|| runtimes::php(line))
            .or_else(|| syslog::plain(line, names, clock))
            .or_else(|| access::bare(line, clock)),
        b'a'..=b'z' | b'@' | b'_' => logfmt::event(line, names, clock)
            .or_else(|| console::dotnet(line))
            .or_else(|| daemons::balancer(line, clock)),
        _ => None,
    }
}

/// Returns an event of what a head says.
fn event<'a>(time_ms: Option<UtcMs>, level: Level, logger: Option<&'a [u8]>, message: &'a [u8]) -> Event<'a> {
    let logger = logger.filter(|logger| !logger.is_empty()).map(Field::plain);
    Event { time_ms, level, logger, message: Field::plain(message.trim_ascii_start()), ..Event::default() }
}

/// Splits at the first `mark`.
fn split<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let head = &text[..text.len().min(256)];
    let at = memchr::memmem::find(head, mark)?;
    Some((&text[..at], &text[at + mark.len()..]))
}

/// Splits behind the first bytes for which `is_part` holds.
fn span(text: &[u8], is_part: impl Fn(&u8) -> bool) -> (&[u8], &[u8]) {
    let length = text.iter().take(256).take_while(|byte| is_part(byte)).count();
    text.split_at(length)
}
