//! What stands in front of a line that a collector or a container runtime wrote to a file, apart from JSON:
//!
//! - FluentD's `out_file`: time, tag and a JSON object, with a tab, a space, a comma, SOH or nothing between them, and each of
//!   time and tag only if it was asked for; its `stdout` formatter: `2026-03-01 06:10:37.143 +0000 tag: {...}`
//!   (docs.fluentd.org, `formatter/out_file` and `formatter/stdout`);
//! - the log files of containerd and CRI-O: time, `stdout` or `stderr`, `F` or `P` for a line or a part of one
//!   (kubernetes.io, CRI log format).

use super::time::{self, Clock};
use super::wrap::key_of;
use crate::model::{Level, UtcMs};

/// The longest time in front of a line.
const TIME_BYTES: usize = 48;
/// The longest time and tag in front of a JSON object.
const HEAD_BYTES: usize = 256;

/// A line and what stood in front of it.
pub(super) struct Envelope<'a> {
    pub(super) time_ms: Option<UtcMs>,
    /// The stream that it belongs to.
    pub(super) key: u64,
    /// Whether the line goes on with the next one of the stream.
    pub(super) goes_on: bool,
    /// Whether what is inside has to be a JSON object.
    pub(super) is_record: bool,
    pub(super) body: &'a [u8],
}

/// Opens a line; `None` when nothing stands in front of it.
pub(super) fn open<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Envelope<'a>> {
    match line.first()? {
        b'0'..=b'9' => container_line(line, clock).or_else(|| tagged_record(line, clock)),
        b'A'..=b'Z' | b'a'..=b'z' | b'_' => tagged_record(line, clock),
        _ => None,
    }
}

fn container_line<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Envelope<'a>> {
    let (stamp, rest) = split_at_space(line, TIME_BYTES)?;
    let (stream, rest) = split_at_space(rest, "stdout".len() + 1)?;
    if !matches!(stream, b"stdout" | b"stderr") {
        return None;
    }
    let (tags, body) = split_at_space(rest, TIME_BYTES).unwrap_or((rest, b""));
    let goes_on = match tags {
        [b'F'] | [b'F', b':', ..] => false,
        [b'P'] | [b'P', b':', ..] => true,
        _ => return None,
    };
    let time_ms = Some(time::read(stamp, clock)?);
    Some(Envelope { time_ms, key: key_of(&[stream]), goes_on, is_record: false, body })
}

fn split_at_space(text: &[u8], within: usize) -> Option<(&[u8], &[u8])> {
    let at = memchr::memchr(b' ', &text[..text.len().min(within)])?;
    Some((&text[..at], &text[at + 1..]))
}

fn tagged_record<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Envelope<'a>> {
    if line.last() != Some(&b'}') {
        // A line that was cut breaks off anywhere.
        return cut_record(line, clock);
    }
    let at = memchr::memchr(b'{', &line[..line.len().min(HEAD_BYTES)])?;
    head(&line[..at], clock).map(|(time_ms, key)| envelope(time_ms, key, &line[at..]))
}

fn cut_record<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Envelope<'a>> {
    let at = memchr::memmem::find(&line[..line.len().min(HEAD_BYTES)], b"\t{\"")?;
    head(&line[..=at], clock).map(|(time_ms, key)| envelope(time_ms, key, &line[at + 1..]))
}

fn envelope(time_ms: Option<UtcMs>, key: u64, body: &[u8]) -> Envelope<'_> {
    Envelope { time_ms, key, goes_on: false, is_record: true, body }
}

/// Reads what stands in front of an object: the time and the stream of the tag.
fn head(head: &[u8], clock: &mut Clock) -> Option<(Option<UtcMs>, u64)> {
    if !head.first()?.is_ascii_digit() {
        let tag = head.strip_suffix(b"\t")?;
        return is_tag(tag).then(|| (None, key_of(&[tag])));
    }
    let (time_ms, used) = stamp(head, clock)?;
    let is_separator = |byte: &u8| matches!(byte, b'\t' | b' ' | b',' | b':' | b';' | b'|' | 1..=8);
    let rest = &head[used..];
    let start = rest.iter().take_while(|byte| is_separator(byte)).count();
    let end = rest.iter().rposition(|byte| !is_separator(byte)).map_or(start, |last| last + 1);
    let tag = &rest[start..end.max(start)];
    if tag.is_empty() {
        return Some((Some(time_ms), 0));
    }
    // `2026-03-01 06:10:37 ERROR {...}` is text.
    let is_level = start > 0 && Level::from_word(tag).is_some();
    (is_tag(tag) && !is_level).then(|| (Some(time_ms), key_of(&[tag])))
}

/// Reads a calendar stamp, with an offset behind a space, or a number of seconds that a separator ends.
fn stamp(head: &[u8], clock: &mut Clock) -> Option<(UtcMs, usize)> {
    if let Some((time_ms, used)) = time::scan(head, clock) {
        // The zone may stand apart, and the tag right behind it.
        let offset = match &head[used..] {
            [b' ', b'+' | b'-', digits @ ..]
                if digits.iter().take(4).filter(|byte| byte.is_ascii_digit()).count() == 4 =>
            {
                6
            }
            [b'+' | b'-', _, _, b':', _, _, ..] => 6,
            _ => 0,
        };
        let zoned = time::read(&head[..used + offset], clock);
        return Some(zoned.map_or((time_ms, used), |time_ms| (time_ms, used + offset)));
    }
    let used = head.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    let is_ended = matches!(head.get(used), Some(b'\t' | b' ' | b','));
    Some((time::read(is_ended.then(|| &head[..used])?, clock)?, used))
}

fn is_tag(tag: &[u8]) -> bool {
    let is_tag_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-/*@#:".contains(byte);
    !tag.is_empty() && tag.iter().all(is_tag_byte)
}
