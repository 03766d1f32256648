//! The head of a line of text as words: the time, then in any order a level, a `[thread]`, a process id, a dotted logger, and
//! the signs between them; the message starts at the first word that is none of these.

use super::level::letter_level;
use super::time::{self, Clock};
use crate::model::{Event, Field, Level, UtcMs};

/// The bytes in which the parts of a head are looked for.
pub(super) const HEAD_BYTES: usize = 256;
/// The most words of a head.
const HEAD_WORDS: usize = 12;

/// Reads a line as words alone.
pub(super) fn words_event<'a>(line: &'a [u8], clock: &mut Clock) -> Option<Event<'a>> {
    let mut head = Head::default();
    let at = head.time(line, clock).or_else(|| head.leading_level(line))?;
    Some(head.event_from(line, at))
}

/// What was found in front of a message.
#[derive(Default)]
pub(super) struct Head<'a> {
    pub(super) time_ms: Option<UtcMs>,
    level: Level,
    logger: Option<&'a [u8]>,
    thread: Option<&'a [u8]>,
}

impl<'a> Head<'a> {
    pub(super) fn event_from(mut self, line: &'a [u8], at: usize) -> Event<'a> {
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

    /// Finds the time at the start, behind a bracket, behind a level and a thread, or where an access log has it; returns
    /// where it ends.
    pub(super) fn time(&mut self, line: &'a [u8], clock: &mut Clock) -> Option<usize> {
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
        self.time_behind_number(line, clock).or_else(|| self.access_log_time(line, clock))
    }

    /// Reads `[12] 2023/10/30 06:10:37 ...`: a process in brackets in front of the time.
    fn time_behind_number(&mut self, line: &'a [u8], clock: &mut Clock) -> Option<usize> {
        let leading = word(line, 0).bracketed()?;
        let is_number = !leading.text.is_empty() && leading.text.iter().all(u8::is_ascii_digit);
        let at = leading.end + 1;
        if is_number { self.time_at(line, at, clock) } else { None }
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
        // Most lines of a stack trace end here: the scan of a stamp costs more than this look.
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
    pub(super) fn leading_level(&mut self, line: &'a [u8]) -> Option<usize> {
        let first = word(line, 0);
        if let Some(level) = level_word(first, false) {
            self.level = level;
            return Some(first.end);
        }
        if !first.bracketed || line.get(first.end) != Some(&b' ') {
            return None;
        }
        let blanks = line[first.end..].iter().take(4).take_while(|byte| **byte == b' ').count();
        let second = word(line, first.end + blanks);
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
                return behind_place(line, from);
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
        if self.level != Level::Unknown && word.colon && is_process(text) {
            return Some(word.end);
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
        // Twisted: `[com.acme.Cart#error]`.
        if self.level == Level::Unknown
            && let Some(at) = memchr::memrchr(b'#', text)
            && let Some(level) = Level::from_word(&text[at + 1..])
        {
            self.level = level;
            self.logger = Some(&text[..at]);
            return word.end;
        }
        let is_printed = matches!(text, b"stdout" | b"stderr");
        if self.logger.is_some() || !is_printed && !is_dotted_logger(text) {
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
        let is_column = self.level != Level::Unknown && line.get(word.end) == Some(&b'\t');
        let is_class = self.level != Level::Unknown && self.thread.is_some() && is_catalina(line, word);
        let is_set_off = word.colon || is_column || is_class || self.expects_more(line, word.end);
        // `ERROR TypeError: x is undefined`.
        let is_thrown = word.colon && (text.ends_with(b"Error") || text.ends_with(b"Exception"));
        if self.logger.is_some() || !is_name || !is_set_off || is_thrown {
            return None;
        }
        // `main | com.acme.Foo | ...`: of two names the dotted one is the logger.
        let next = self::word(line, word.end + separators(&line[word.end..]));
        let is_next = next.text.contains(&b'.') && is_logger(next.text) && !is_place_of_go(next.text);
        if self.thread.is_none() && !text.contains(&b'.') && is_next {
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

/// Skips the place in a file between the logger and the message, as zap's console has it between tabs.
fn behind_place(line: &[u8], at: usize) -> usize {
    let rest = &line[at..line.len().min(at + HEAD_BYTES)];
    let Some(tab) = memchr::memchr(b'\t', rest) else { return at };
    let is_place = is_place_of_go(&rest[..tab]) && !rest[..tab].contains(&b' ');
    if is_place { at + tab + 1 } else { at }
}

/// `cart/cart.go:31`.
fn is_place_of_go(text: &[u8]) -> bool {
    memchr::memmem::find(text, b".go:").is_some()
}

/// `(12)`, a process.
fn is_process(text: &[u8]) -> bool {
    let inner = text.strip_prefix(b"(").and_then(|text| text.strip_suffix(b")"));
    inner.is_some_and(|inner| !inner.is_empty() && inner.iter().all(u8::is_ascii_digit))
}

/// Whether a word is class and method in a line of Tomcat's, whose days come first: `20-Nov-2026 06:10:37.143 SEVERE [main]
/// org.apache.catalina.core.StandardContext.startInternal it broke`.
fn is_catalina(line: &[u8], word: Word<'_>) -> bool {
    let is_date = matches!(line, [_, _, b'-', b'A'..=b'Z', _, _, b'-', ..]);
    is_date && memchr::memchr_iter(b'.', word.text).count() > 1
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
    // Telegraf: `E! [outputs.file] it broke`.
    if let [letter @ (b'E' | b'W' | b'I' | b'D'), b'!'] = word.text {
        return Some(Joined { level: letter_level(*letter), logger: None, thread: None, end: word.end });
    }
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
        && text.iter().enumerate().all(|(at, byte)| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'.' | b'_' | b'$' | b'-' | b':' | b'/' | b'#')
                // Python's module level and lambdas: `shop:<module>`.
                || *byte == b'<' && text[..at].ends_with(b":")
                || *byte == b'>' && text.get(at + 1) == Some(&b':')
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
