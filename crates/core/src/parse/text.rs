//! Plain text: a time and a level near the start of an event's first line, as Log4j, Logback, Spring Boot, Python,
//! Go, nginx, Apache and syslog write them; and the lines of stack traces in Java, Python, JavaScript, Go, Rust
//! and .NET, which start no event.
//!
//! The head of a line is read as words: the time, then in any order a level, a `[thread]`, a process id, a dotted
//! logger, and the signs between them; the message starts at the first word that is none of these.

use super::heads;
use super::level::letter_level;
use super::names::Names;
use super::time::{self, Clock};
use crate::model::{Event, Field, Level, UtcMs, colour};
use crate::trace::{begins_crash, continues_trace};

/// The bytes in which the parts of a head are looked for.
const HEAD_BYTES: usize = 256;
/// The most words of a head.
const HEAD_WORDS: usize = 12;

/// Reads the first line of an event; `None` when it has neither a time nor a level near its start, or only adds to the
/// event before it.
pub(super) fn event<'a>(line: &'a [u8], names: &Names, clock: &mut Clock) -> Option<Event<'a>> {
    if memchr::memchr(b'\x1b', &line[..line.len().min(HEAD_BYTES)]).is_some() {
        return coloured_event(line, names, clock);
    }
    plain_event(line, names, clock)
}

fn plain_event<'a>(line: &'a [u8], names: &Names, clock: &mut Clock) -> Option<Event<'a>> {
    if let Some(event) = heads::special(line, names, clock) {
        return Some(event);
    }
    let mut head = Head::default();
    if let Some(end) = head.time(line, clock) {
        return head.dated_event(line, end, names, clock);
    }
    let at = head.leading_level(line)?;
    Some(head.event_from(line, at))
}

/// Reads a line as words alone.
pub(super) fn words_event<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Event<'a>> {
    let mut head = Head::default();
    let at = head.time(line, clock).or_else(|| head.leading_level(line))?;
    Some(head.event_from(line, at))
}

/// Reads a line whose head has colours: as without them, then the parts are found in the line as it is.
fn coloured_event<'a>(line: &'a [u8], names: &Names, clock: &mut Clock) -> Option<Event<'a>> {
    let (mut text, mut places) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < line.len() && text.len() < 2 * HEAD_BYTES {
        let escape = colour(&line[at..]);
        if escape == 0 {
            text.push(line[at]);
            places.push(at);
        }
        at += escape.max(1);
    }
    places.push(at);
    let event = plain_event(&text, names, clock)?;
    let start = |part: &[u8]| part.as_ptr() as usize - text.as_ptr() as usize;
    let found = |field: Field<'_>| {
        let from = start(field.raw);
        Field::plain(&line[places[from]..places[from + field.raw.len()]])
    };
    let message = if event.message.is_empty() {
        line.len()..line.len()
    } else {
        let from = start(event.message.raw);
        let end = from + event.message.raw.len();
        places[from]..if end == text.len() { line.len() } else { places[end] }
    };
    Some(Event {
        time_ms: event.time_ms,
        level: event.level,
        logger: event.logger.map(found),
        thread: event.thread.map(found),
        message: Field { raw: &line[message], escaped: event.message.escaped, nested: false },
        trace: None,
    })
}

/// What was found in front of a message.
#[derive(Default)]
struct Head<'a> {
    time_ms: Option<UtcMs>,
    level: Level,
    logger: Option<&'a [u8]>,
    thread: Option<&'a [u8]>,
}

impl<'a> Head<'a> {
    fn event_from(mut self, line: &'a [u8], at: usize) -> Event<'a> {
        let message_at = self.words(line, at);
        Event {
            time_ms: self.time_ms,
            level: self.level,
            logger: self.logger.map(Field::plain),
            thread: self.thread.map(Field::plain),
            message: Field::plain(&line[message_at..]),
            trace: None,
        }
    }

    /// Reads what stands behind a time that ends at `end`.
    fn dated_event(self, line: &'a [u8], end: usize, names: &Names, clock: &mut Clock) -> Option<Event<'a>> {
        let (time_ms, rest) = (self.time_ms, &line[end..]);
        if let Some(behind) = rest.strip_prefix(b"]")
            && let Some(event) = heads::behind_bracket(behind.trim_ascii_start())
        {
            return Some(Event { time_ms, ..event });
        }
        let event = self.event_from(line, end);
        if let Some(message) = heads::nginx(event.message.raw) {
            return Some(Event { message: Field::plain(message), ..event });
        }
        if event.level == Level::Unknown { heads::complete(event, rest, names, clock) } else { Some(event) }
    }

    /// Finds the time at the start, behind a bracket, behind a level and a thread, or where an access log has it; returns
    /// where it ends.
    fn time(&mut self, line: &'a [u8], clock: &mut Clock) -> Option<usize> {
        let start = opening(line);
        if let Some(end) = self.time_at(line, start, clock) {
            return Some(end);
        }
        let first = line.first()?;
        if first.is_ascii_alphabetic() || *first == b'[' {
            let leading = word(line, 0);
            if let Some(level) = level_word(leading, true)
                && let Some(end) = self.time_behind(line, leading.end, clock)
            {
                self.level = level;
                return Some(end);
            }
        }
        self.access_log_time(line, clock)
    }

    /// Finds the time behind a level, and a thread in brackets.
    fn time_behind(&mut self, line: &'a [u8], at: usize, clock: &mut Clock) -> Option<usize> {
        let next = at + opening(&line[at..]);
        self.time_at(line, next, clock).or_else(|| {
            let thread = word(line, at + separators(&line[at..])).bracketed()?;
            let next = thread.end + opening(&line[thread.end..]);
            let end = self.time_at(line, next, clock)?;
            self.thread = Some(thread.text);
            Some(end)
        })
    }

    fn time_at(&mut self, line: &[u8], at: usize, clock: &mut Clock) -> Option<usize> {
        let text = line.get(at..)?;
        let first = *text.first()?;
        if !first.is_ascii_digit() && !first.is_ascii_uppercase() {
            return None;
        }
        let (time_ms, used) = match time::scan(text, clock) {
            Some((time_ms, used)) => (Some(time_ms), used),
            None => time::scan_time_of_day(text, clock)?,
        };
        self.time_ms = time_ms;
        Some(at + used)
    }

    /// Reads `192.0.2.1 - frank [30/Oct/2023:06:10:37 +0000] "GET ...`; the message starts behind the time.
    fn access_log_time(&mut self, line: &[u8], clock: &mut Clock) -> Option<usize> {
        let head = &line[..line.len().min(HEAD_BYTES)];
        let bracket = memchr::memmem::find(head, b" [")?;
        let at = bracket + 2;
        let dated = line.get(at + 2) == Some(&b'/') && line.get(at + 6) == Some(&b'/');
        let (time_ms, used) = time::scan(dated.then(|| &line[at..])?, clock)?;
        self.time_ms = Some(time_ms);
        Some(at + used)
    }

    /// Reads a level that a line without a time starts with: `ERROR ...`, `[error] ...`, `warning: ...`,
    /// `[main] ERROR ...`. A word in lower or mixed case counts only with a sign around it.
    fn leading_level(&mut self, line: &'a [u8]) -> Option<usize> {
        let first = word(line, 0);
        if let Some(level) = level_word(first, false) {
            self.level = level;
            return Some(first.end);
        }
        if !first.bracketed || line.get(first.end) != Some(&b' ') {
            return None;
        }
        let second = word(line, first.end + 1);
        self.level = level_word(second, false)?;
        self.thread = Some(first.text);
        Some(second.end)
    }

    /// Reads the words behind the time; returns where the message starts.
    fn words(&mut self, line: &'a [u8], start: usize) -> usize {
        let mut at = start;
        for number in 0..HEAD_WORDS {
            let from = at + separators(&line[at..]);
            let complete = self.level != Level::Unknown && self.logger.is_some();
            if complete || from >= line.len() {
                return from;
            }
            let word = word(line, from);
            at = match self.take(word, line, number == 0) {
                Some(end) => end,
                None => match self.skipped(word, line) {
                    Some(end) => end,
                    None => return from,
                },
            };
        }
        at + separators(&line[at..])
    }

    /// Takes a word as a part of the head and returns where it ends; `None`: the message starts here.
    fn take(&mut self, word: Word<'a>, line: &'a [u8], is_first: bool) -> Option<usize> {
        if self.level == Level::Unknown
            && let Some(level) = level_word(word, is_first)
            && (is_marked(word) || self.is_set_off(line, word.end))
        {
            self.level = level;
            return Some(word.end);
        }
        let text = word.text;
        if word.bracketed {
            return Some(self.take_bracket(word, line));
        }
        if self.level == Level::Unknown
            && let Some(found) = joined_level(word).or_else(|| letter_word(line, word))
        {
            self.level = found.level;
            self.logger = found.logger.or(self.logger);
            self.thread = found.thread.or(self.thread);
            return Some(found.end);
        }
        if self.thread.is_none() && is_id(text) {
            self.thread = Some(text);
            return Some(word.end);
        }
        if text.iter().all(u8::is_ascii_digit) {
            return (self.logger.is_none() && self.expects_more(line, word.end)).then_some(word.end);
        }
        self.take_name(word, line)
    }

    /// Takes what stands in brackets: a process id, a logger with dots, else the thread.
    fn take_bracket(&mut self, word: Word<'a>, line: &'a [u8]) -> usize {
        let text = word.text;
        let is_number = text.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-');
        if is_number || text.starts_with(b"MY-") {
            return word.end;
        }
        if self.logger.is_some() || !is_dotted_logger(text) {
            self.thread = self.thread.or(Some(text));
            return word.end;
        }
        self.logger = Some(text);
        // `JBoss`: `[com.acme.Foo] (main) it broke`.
        let rest = &line[word.end..];
        if self.thread.is_none()
            && let Some(inner) = rest.strip_prefix(b" (")
            && let Some(length) = memchr::memchr(b')', &inner[..inner.len().min(HEAD_BYTES)])
        {
            self.thread = Some(&inner[..length]);
            return word.end + length + 3;
        }
        word.end
    }

    fn take_name(&mut self, word: Word<'a>, line: &'a [u8]) -> Option<usize> {
        let text = word.text;
        let is_name = is_logger(text) && !text.starts_with(b"TID-");
        if self.logger.is_some() || !is_name || !(word.colon || self.expects_more(line, word.end)) {
            return None;
        }
        // `main | com.acme.Foo | ...`: of two names the dotted one is the logger.
        let next = self::word(line, word.end + separators(&line[word.end..]));
        if self.thread.is_none() && !text.contains(&b'.') && next.text.contains(&b'.') && is_logger(next.text)
        {
            self.thread = Some(text);
        } else {
            self.logger = Some(without_place(text));
        }
        Some(word.end)
    }

    /// Returns the end of a word that says nothing of this but stands in the head: a pair before the level, the
    /// span of Rust's `tracing` behind it.
    fn skipped(&self, word: Word<'a>, line: &'a [u8]) -> Option<usize> {
        if self.level != Level::Unknown {
            return span_end(line, word).filter(|_| self.logger.is_none());
        }
        (is_skippable(word) && has_level_ahead(line, word.end)).then_some(word.end)
    }

    /// Returns whether signs or blanks set a word off from what follows, as they do in columns.
    fn is_set_off(&self, line: &[u8], at: usize) -> bool {
        matches!(line.get(at..), Some([b'\t', ..] | [b' ', b' ', ..])) || self.expects_more(line, at)
    }

    /// Returns whether what follows a word shows that it is part of the head still: a sign, a bracket, a level or,
    /// once there is a level, nothing of these but a logger.
    fn expects_more(&self, line: &[u8], at: usize) -> bool {
        let rest = &line[at..];
        let signs = separators(rest);
        if rest[..signs].iter().any(|byte| !byte.is_ascii_whitespace()) || rest[signs..].starts_with(b"[") {
            return true;
        }
        let next = word(line, at + signs);
        self.level == Level::Unknown && level_word(next, false).is_some()
    }
}

/// A level that is joined to a name.
struct Joined<'a> {
    level: Level,
    logger: Option<&'a [u8]>,
    thread: Option<&'a [u8]>,
    end: usize,
}

/// Reads `production.ERROR:` of Monolog and `ERROR/MainProcess` of Celery.
fn joined_level(word: Word<'_>) -> Option<Joined<'_>> {
    let at = word.text.iter().rposition(|byte| matches!(byte, b'.' | b'/'))?;
    let (before, behind) = (&word.text[..at], &word.text[at + 1..]);
    let is_thread = word.text[at] == b'/';
    let (level, name) = if is_thread { (before, behind) } else { (behind, before) };
    let is_upper = !level.is_empty() && level.iter().all(u8::is_ascii_uppercase);
    let level = Level::from_word(level).filter(|_| is_upper && (is_thread || word.colon))?;
    let name = Some(name).filter(|name| !name.is_empty());
    let (logger, thread) = if is_thread { (None, name) } else { (name, None) };
    Some(Joined { level, logger, thread, end: word.end })
}

/// Reads a level of one letter: `E NETWORK  [conn1] it broke` of `MongoDB` before 4.4, `E | etcdserver: it broke`.
fn letter_word<'a>(line: &'a [u8], word: Word<'a>) -> Option<Joined<'a>> {
    let [letter @ (b'F' | b'E' | b'W' | b'I' | b'D' | b'T' | b'N')] = word.text else { return None };
    let level = if *letter == b'N' { Level::Info } else { letter_level(*letter) };
    let rest = line.get(word.end..)?.strip_prefix(b" ")?;
    if rest.starts_with(b"| ") {
        return Some(Joined { level, logger: None, thread: None, end: word.end + 2 });
    }
    let length = rest.iter().take(16).take_while(|byte| byte.is_ascii_uppercase() || **byte == b'-').count();
    let blanks = rest[length..].iter().take(16).take_while(|byte| **byte == b' ').count();
    let context = self::word(line, word.end + 1 + length + blanks).bracketed();
    context.filter(|_| length > 0 && blanks > 0).map(|context| Joined {
        level,
        logger: Some(&rest[..length]),
        thread: Some(context.text),
        end: context.end,
    })
}

/// Cuts function and line off loguru's `shop.cart:pay:31`.
fn without_place(text: &[u8]) -> &[u8] {
    let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    match memchr::memrchr(b':', text) {
        Some(at) if is_number(&text[at + 1..]) => memchr::memchr(b':', text).map_or(text, |at| &text[..at]),
        _ => text,
    }
}

/// Returns where `request{id=1}:` ends, or several joined.
fn span_end(line: &[u8], word: Word<'_>) -> Option<usize> {
    if !word.text.contains(&b'{') || !word.text.first().is_some_and(u8::is_ascii_lowercase) {
        return None;
    }
    let start = word.end - word.text.len() - usize::from(word.colon);
    let head = &line[start..line.len().min(start + HEAD_BYTES)];
    memchr::memmem::find(head, b"}: ").map(|at| start + at + 2)
}

/// Returns whether a word is a request's id, as AWS Lambda writes it: a UUID.
fn is_id(text: &[u8]) -> bool {
    text.len() == 36
        && text.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// Returns whether a word may stand between a time and a level: a pair, an address, what is in other brackets.
fn is_skippable(word: Word<'_>) -> bool {
    let text = word.text;
    word.bracketed
        || matches!(text, [b'<', .., b'>'] | [b'{', .., b'}'] | [b'(', .., b')'] | [b'-'])
        || text.starts_with(b"TID-")
        || text.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'x')
        || text.iter().any(|byte| matches!(byte, b'=' | b'@'))
}

/// Returns whether a level in capitals or brackets follows, with nothing but skippable words before it.
fn has_level_ahead(line: &[u8], start: usize) -> bool {
    let mut at = start;
    for _ in 0..HEAD_WORDS {
        let from = at + separators(&line[at..]);
        if from >= line.len() {
            return false;
        }
        let word = word(line, from);
        if level_word(word, false).is_some() {
            return true;
        }
        if !is_skippable(word) {
            return false;
        }
        at = word.end;
    }
    false
}

/// A word of a head.
#[derive(Clone, Copy)]
struct Word<'a> {
    text: &'a [u8],
    bracketed: bool,
    /// Whether a colon ends it.
    colon: bool,
    /// Where it ends in the line, signs around it included.
    end: usize,
}

impl Word<'_> {
    fn bracketed(self) -> Option<Self> {
        self.bracketed.then_some(self)
    }
}

/// Reads the word at `at`: up to a space, or to the closing bracket.
fn word(line: &[u8], at: usize) -> Word<'_> {
    let rest = &line[at..line.len().min(at + HEAD_BYTES)];
    if rest.starts_with(b"[")
        && let Some(length) = memchr::memchr(b']', rest)
    {
        let colon = rest.get(length + 1) == Some(&b':');
        return Word {
            text: rest[1..length].trim_ascii(),
            bracketed: true,
            colon,
            end: at + length + 1 + usize::from(colon),
        };
    }
    let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b'|' | b'[' | b']');
    let length = rest.iter().position(ends).unwrap_or(rest.len());
    let text = &rest[..length];
    let (text, colon) = match text {
        [text @ .., b':'] => (text, true),
        _ => (text, false),
    };
    Word { text, bracketed: false, colon, end: at + length }
}

/// The levels that a word in lower case is, where a level is expected.
const COMMON: [&[u8]; 7] = [b"error", b"warn", b"warning", b"info", b"debug", b"trace", b"fatal"];

/// Returns the level that a word spells. In lower or mixed case only where a sign marks it, or one of the common
/// words where a level is `expected`: prose may start with `error`, `fine` or `config`.
fn level_word(word: Word<'_>, expected: bool) -> Option<Level> {
    let text = unwrapped(word);
    if !(3..=13).contains(&text.len()) {
        return None;
    }
    if is_marked(word) {
        return Level::from_word(text);
    }
    let common = expected && COMMON.iter().any(|common| text.eq_ignore_ascii_case(common));
    common.then(|| Level::from_word(text)).flatten()
}

/// Returns whether upper case or a sign marks a word that may be a level.
fn is_marked(word: Word<'_>) -> bool {
    word.bracketed
        || word.colon
        || unwrapped(word).len() < word.text.len()
        || word.text.iter().all(u8::is_ascii_uppercase)
}

fn unwrapped(word: Word<'_>) -> &[u8] {
    match word.text {
        [b'<' | b'(', text @ .., b'>' | b')'] | [text @ .., b','] | text => text,
    }
}

/// Returns whether a word may name a logger: dotted or `::` parts, or a name in one piece.
fn is_logger(text: &[u8]) -> bool {
    text.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
        && text.len() <= HEAD_BYTES / 2
        && text.iter().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$' | b'-' | b':' | b'/' | b'#')
        })
}

/// Returns whether a text in brackets names a logger rather than a thread.
fn is_dotted_logger(text: &[u8]) -> bool {
    let name = text.split(|byte| *byte == b':').next().unwrap_or_default();
    let has_parts = name.split(|byte| *byte == b'.').filter(|part| !part.is_empty()).count() > 1;
    has_parts && is_logger(text) && !text.contains(&b'/') && !text.iter().any(u8::is_ascii_whitespace)
}

/// Returns the bytes of an opening bracket or quote in front of a time.
fn opening(text: &[u8]) -> usize {
    text.iter().take(4).take_while(|byte| matches!(byte, b'[' | b'(' | b' ' | b'"' | b'\t')).count()
}

/// Returns the bytes of white space and signs between the words of a head.
fn separators(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let spaces = rest.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let signs = rest[spaces..]
            .iter()
            .take_while(|byte| matches!(byte, b'-' | b'|' | b':' | b']' | b')' | b'"' | b',' | b';'))
            .count();
        // `-5 left` and `"quoted"` are text.
        let last = rest.get((spaces + signs).wrapping_sub(1));
        let attached =
            rest.get(spaces + signs).is_some_and(|byte| !byte.is_ascii_whitespace() && *byte != b'[');
        let is_text = spaces > 0 && signs > 0 && attached && matches!(last, Some(b'-' | b'"'));
        if signs == 0 || is_text {
            return at + spaces;
        }
        at += spaces + signs;
    }
}

/// Returns whether a line that starts no event belongs to the event before it: it is indented or empty, or has a
/// mark of a stack trace.
pub(super) fn continues(line: &[u8]) -> bool {
    matches!(line.first(), None | Some(b' ' | b'\t'))
        || has_trace_mark(line)
        || is_exception_line(line)
        || starts_crash(line)
        || is_go_line(line)
        || heads::is_detail(line)
        || continues_trace(line)
}

/// Returns whether a line is the first of what a program prints when it dies of an error that nobody caught.
pub(super) fn starts_crash(line: &[u8]) -> bool {
    let starts = |marks: &[&[u8]]| marks.iter().any(|mark| line.starts_with(mark));
    starts(&[b"Uncaught ", b"Exception in thread "]) || begins_crash(line).is_some()
}

fn is_rust_panic(line: &[u8]) -> bool {
    line.starts_with(b"thread '")
        && memchr::memmem::find(&line[..line.len().min(HEAD_BYTES)], b"' panicked at ").is_some()
}

/// Returns how many lines without a mark follow a line of a trace: what a panic of Rust says, and the last line of
/// a Python traceback, whatever the name of its exception.
pub(super) fn unmarked_behind(line: &[u8]) -> u32 {
    let first = line.trim_ascii_start();
    let is_one = match first.first() {
        Some(b't') => is_rust_panic(first),
        Some(b'T') => first.starts_with(b"Traceback (most recent call last)"),
        _ => false,
    };
    u32::from(is_one)
}

/// Returns whether a line is one of a Go trace that is not indented: `main.(*Server).handle(0xc000010000)`,
/// `created by main.run in goroutine 1`, `[signal SIGSEGV: segmentation violation ...`.
fn is_go_line(line: &[u8]) -> bool {
    if line.starts_with(b"created by ") || line.starts_with(b"[signal SIG") {
        return true;
    }
    let Some(line) = line.strip_suffix(b")").filter(|line| line.first().is_some_and(u8::is_ascii_alphabetic))
    else {
        return false;
    };
    let line = &line[..line.len().min(HEAD_BYTES)];
    let name = memchr::memrchr(b'(', line).map_or(&[][..], |open| &line[..open]);
    let is_name = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b'/' | b'-' | b'(' | b'*' | b')' | b'[' | b']')
    };
    name == b"panic" || name.contains(&b'.') && name.iter().all(is_name)
}

/// Returns whether a message is only a line of a stack trace. Stricter than [`continues`]: an indented message may be an
/// event of its own.
pub(super) fn is_trace_line(message: &Field<'_>) -> bool {
    let raw = message.raw;
    let indented = match raw {
        [b'\\', b't', rest @ ..] if message.escaped => Some(rest),
        [b' ' | b'\t', rest @ ..] => Some(rest.trim_ascii_start()),
        _ => None,
    };
    match indented {
        Some(rest) => [&b"at "[..], b"... ", b"Caused by: ", b"Suppressed: ", b"File \"", b"File \\\""]
            .iter()
            .any(|mark| rest.starts_with(mark)),
        None => has_trace_mark(raw) && !raw.starts_with(b"at "),
    }
}

/// Returns whether an unindented line has a mark that only stack traces have.
fn has_trace_mark(line: &[u8]) -> bool {
    const MARKS: [&[u8]; 14] = [
        b"Caused by: ",
        b"Suppressed: ",
        b"at ",
        b"... ",
        b"Traceback (most recent call last)",
        b"During handling of the above exception",
        b"The above exception was the direct cause",
        b"Wrapped by: ",
        b"goroutine ",
        b"--- End of ",
        b"---> ",
        b"stack backtrace:",
        b"note: run with `RUST_BACKTRACE",
        b"Exception in thread ",
    ];
    // The first letters, so that most lines end here.
    if !matches!(
        line.first(),
        Some(b'C' | b'S' | b'a' | b'.' | b'T' | b'D' | b'W' | b'g' | b'-' | b's' | b'n' | b'E')
    ) {
        return false;
    }
    MARKS.iter().any(|mark| line.starts_with(mark)) && !line.starts_with(b"goroutine pool")
}

/// Returns whether a line starts with the name of an exception class: `java.io.IOException: closed`,
/// `ValueError: bad`, `System.NullReferenceException`.
pub(super) fn is_exception_line(line: &[u8]) -> bool {
    const ENDINGS: [&[u8]; 6] = [b"Exception", b"Error", b"Throwable", b"Failure", b"Warning", b"Interrupt"];
    let head = &line[..line.len().min(HEAD_BYTES)];
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$');
    let length = head.iter().take_while(|byte| is_name(byte)).count();
    let (name, rest) = head.split_at(length);
    name.first().is_some_and(u8::is_ascii_alphabetic)
        && matches!(rest, [] | [b':', b' ', ..] | [b':'])
        && ENDINGS.iter().any(|ending| name.ends_with(ending) && name.len() > ending.len())
}
