//! Servers with layouts of their own: Redis, `WebLogic`, Squid, Android, load balancers of AWS.

use super::{access, event, span, split};
use crate::model::{Event, Field, Level};
use crate::parse::head::words_event;
use crate::parse::level::letter_level;
use crate::parse::time::{self, Clock};

/// Reads `1:M 30 Oct 2023 06:10:37.143 # it broke`.
pub(super) fn redis<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Event<'a>> {
    let (process, rest) = span(line, u8::is_ascii_digit);
    let [b':', b'M' | b'S' | b'C' | b'X', b' ', rest @ ..] = rest else { return None };
    let (time_ms, used) = time::scan(rest, clock)?;
    let [b' ', sign, b' ', message @ ..] = &rest[used..] else { return None };
    let level = match sign {
        b'#' => Level::Warn,
        b'*' => Level::Info,
        b'-' | b'.' => Level::Debug,
        _ => return None,
    };
    Some(Event { thread: Some(Field::plain(process)), ..event(Some(time_ms), level, None, message) })
}

/// Reads a line that begins with seconds since 1970, as Squid's do, or with month and day, as Android's do.
pub(super) fn stamped<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Event<'a>> {
    let (number, rest) = span(line, u8::is_ascii_digit);
    match (number.len(), rest) {
        (10, [b'.', fraction @ ..]) => {
            let (digits, rest) = span(fraction, u8::is_ascii_digit);
            let stamp = &line[..11 + digits.len()];
            let message = rest.strip_prefix(b" ").filter(|_| !digits.is_empty())?;
            let time_ms = Some(time::read(stamp, clock)?);
            let inner = words_event(message, clock).filter(|inner| inner.level != Level::Unknown);
            Some(inner.map_or_else(
                || event(time_ms, Level::Unknown, None, message),
                |inner| Event { time_ms, ..inner },
            ))
        }
        (2, [b'-', _, _, b' ', ..]) => android(line, clock),
        // log4j's TTCC, which begins with milliseconds: `17 [main] ERROR com.acme.Cart  - it broke`.
        (1.., [b' ', b'[', ..]) => words_event(&rest[1..], clock).filter(|read| read.level != Level::Unknown),
        _ => None,
    }
}

/// Reads `10-30 06:10:37.143  1234  5678 E Cart: it broke`.
fn android<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Event<'a>> {
    let date = [line[0], line[1], line[3], line[4]];
    let (time_ms, used) = time::behind_digits(&date, line.get(6..)?, clock)?;
    let (_, rest) = span(&line[6 + used..], |byte| byte.is_ascii_digit() || *byte == b' ');
    let [letter @ (b'V' | b'D' | b'I' | b'W' | b'E' | b'F'), b' ', rest @ ..] = rest else { return None };
    let (tag, message) = split(rest, b": ")?;
    Some(event(time_ms, letter_level(*letter), Some(tag.trim_ascii()), message))
}

/// Reads `<Oct 30, 2023 6:10:37 AM UTC> <Error> <HTTP> <BEA-101017> <it broke>`; in files there is more in between.
pub(super) fn weblogic<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Event<'a>> {
    let rest = line.strip_prefix(b"<").filter(|rest| rest.first().is_some_and(u8::is_ascii_alphabetic))?;
    let (time_ms, used) = time::scan(rest, clock)?;
    let (_, rest) = split(&rest[used..], b"> <")?;
    let (word, rest) = split(rest, b"> <")?;
    let (logger, rest) = split(rest, b"> <")?;
    let message = memchr::memmem::rfind(rest, b"> <").map_or(rest, |at| &rest[at + 3..]);
    let message = message.strip_suffix(b"> ").or_else(|| message.strip_suffix(b">")).unwrap_or(message);
    Some(event(Some(time_ms), Level::from_word(word).unwrap_or_default(), Some(logger), message))
}

/// Reads the access log of AWS' application load balancers: the kind of connection in front of the time.
pub(super) fn balancer<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Event<'a>> {
    let (kind, rest) = span(line, u8::is_ascii_alphanumeric);
    if ![&b"http"[..], b"https", b"h2", b"ws", b"wss", b"grpcs", b"tls"].contains(&kind) {
        return None;
    }
    let rest = rest.strip_prefix(b" ").filter(|rest| rest.first().is_some_and(u8::is_ascii_digit))?;
    let (time_ms, used) = time::scan(rest, clock)?;
    let read = event(Some(time_ms), Level::Unknown, None, &rest[used..]);
    Some(access::complete(&read, &rest[used..]).unwrap_or(read))
}
