//! FluentD's `out_file` format: `2023-10-30T06:10:37+00:00`, tab, tag, tab, one JSON object.

use super::time::{self, Clock};
use crate::model::UtcMs;

/// The longest time in front of the first tab.
const TIME_BYTES: usize = 48;

/// Splits a line into its time and its JSON object, which is not looked into; `None` for other lines.
pub(super) fn split<'a>(line: &'a [u8], clock: &mut Clock) -> Option<(UtcMs, &'a [u8])> {
    let time_end = memchr::memchr(b'\t', &line[..line.len().min(TIME_BYTES)])?;
    let tagged = &line[time_end + 1..];
    let json = &tagged[memchr::memchr(b'\t', tagged)? + 1..];
    if !json.starts_with(b"{") {
        return None;
    }
    Some((time::read(&line[..time_end], clock)?, json))
}
