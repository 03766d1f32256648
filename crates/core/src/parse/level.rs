//! The level that a field of a record holds: words, letters and numbers.
//!
//! What a number means depends on who wrote it, which the field's name, the size of the number and the names beside it
//! tell: pino and bunyan count from 10 (`trace`) to 60 (`fatal`), Python from 10 (`DEBUG`) to 50 (`CRITICAL`), syslog, GELF and
//! journald from 7 (`debug`) down to 0 (`emerg`), Monolog from 100 to 600, Google Cloud from 100 to 800, OpenTelemetry from
//! 1 to 24, `java.util.logging` from 300 to 1000, log4j 1 and Logback in ten thousands.

use crate::model::Level;

/// How the numbers of a field are meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Scale {
    /// By their size.
    #[default]
    BySize,
    /// RFC 5424, 0 to 7.
    Syslog,
    /// As syslog's, where journald or syslog wrote the record: applications call the importance of a task so, too.
    Priority,
    /// OpenTelemetry's `SeverityNumber`, 1 to 24.
    OpenTelemetry,
    /// Python's `levelno`, 10 to 50.
    Python,
    /// Google Cloud's `LogSeverity`, 100 to 800; small ones as syslog's.
    GoogleCloud,
    /// No number is a level: the field is mostly something else. Only whole words count.
    WordsAlone,
}

/// Returns the level that a field holds; `None` when it says none.
pub(super) fn read(raw: &[u8], scale: Scale) -> Option<Level> {
    let word = raw.trim_ascii();
    let word = match word {
        [b'[' | b'<', inner @ .., b']' | b'>'] => inner.trim_ascii(),
        word => word,
    };
    let known = Level::from_word(word).filter(|level| *level != Level::Unknown);
    if known.is_some() || scale == Scale::WordsAlone {
        return known.filter(|_| scale != Scale::WordsAlone || word.len() > 3);
    }
    match word {
        [] => None,
        [letter] if letter.is_ascii_alphabetic() => {
            Some(letter_level(*letter)).filter(|level| *level != Level::Unknown)
        }
        [b'D', b'1'..=b'5'] => Some(Level::Debug),
        [b'0'..=b'9', ..] => number(word).and_then(|number| of_number(number, scale)),
        _ => rare_word(word),
    }
}

/// Words that are levels in a field for levels, but mostly something else in text.
fn rare_word(word: &[u8]) -> Option<Level> {
    const WORDS: [(&str, Level); 15] = [
        ("http", Level::Debug),
        ("silly", Level::Trace),
        ("debug1", Level::Debug),
        ("debug2", Level::Debug),
        ("debug3", Level::Debug),
        ("debug4", Level::Debug),
        ("debug5", Level::Debug),
        ("mark", Level::Info),
        ("audit", Level::Info),
        ("basic", Level::Info),
        ("failure", Level::Error),
        ("exception", Level::Error),
        ("severe error", Level::Error),
        ("fatal error", Level::Fatal),
        ("system.err", Level::Error),
    ];
    WORDS.iter().find(|(known, _)| word.eq_ignore_ascii_case(known.as_bytes())).map(|&(_, level)| level)
}

fn number(word: &[u8]) -> Option<u32> {
    let whole = word.strip_suffix(b".0").unwrap_or(word);
    let digits = whole.iter().all(u8::is_ascii_digit) && whole.len() <= 6;
    digits.then(|| whole.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
}

fn of_number(number: u32, scale: Scale) -> Option<Level> {
    match (scale, number) {
        (Scale::OpenTelemetry, 1..=24) => Some(Level::from_number((number as u8).div_ceil(4))),
        (Scale::OpenTelemetry, _) => None,
        (Scale::Python, 1..=60) => Some(python(number)),
        (Scale::GoogleCloud, 100..=800) => Some(google_cloud(number)),
        (_, 0..=7) => Some(syslog_level(number as u8)),
        (Scale::Syslog, _) => None,
        // pino and bunyan; custom levels lie between.
        (_, 10..=69) => Some(Level::from_number((number / 10) as u8)),
        (_, 100..=699) => Some(monolog(number)),
        (_, 700) => Some(Level::Debug),
        (_, 800) => Some(Level::Info),
        (_, 900) => Some(Level::Warn),
        (_, 1000) => Some(Level::Error),
        (_, 5_000) => Some(Level::Trace),
        (_, 10_000..=59_999) => Some(Level::from_number((number / 10_000 + 1) as u8)),
        _ => None,
    }
}

/// Returns the level of a number of Python's `logging`; loguru has 5 and 25 as well.
pub(super) fn python(number: u32) -> Level {
    match number {
        0..10 => Level::Trace,
        10..20 => Level::Debug,
        20..30 => Level::Info,
        30..40 => Level::Warn,
        40..50 => Level::Error,
        _ => Level::Fatal,
    }
}

/// `LogSeverity` of Google Cloud Logging.
fn google_cloud(number: u32) -> Level {
    match number / 100 {
        1 => Level::Debug,
        2 | 3 => Level::Info,
        4 => Level::Warn,
        5 => Level::Error,
        _ => Level::Fatal,
    }
}

/// `Monolog\Level`, 100 to 600.
fn monolog(number: u32) -> Level {
    match number / 100 {
        1 => Level::Debug,
        2 => Level::Info,
        3 => Level::Warn,
        4 => Level::Error,
        _ => Level::Fatal,
    }
}

/// Returns the level of a syslog severity (RFC 5424, table 2).
pub(super) fn syslog_level(severity: u8) -> Level {
    match severity {
        0..=2 => Level::Fatal,
        3 => Level::Error,
        4 => Level::Warn,
        5 | 6 => Level::Info,
        _ => Level::Debug,
    }
}

/// Returns the level of a single letter, as glog and Android write it.
pub(super) fn letter_level(letter: u8) -> Level {
    match letter {
        b'F' | b'f' | b'C' => Level::Fatal,
        b'E' | b'e' => Level::Error,
        b'W' | b'w' => Level::Warn,
        b'I' | b'i' => Level::Info,
        b'D' | b'd' => Level::Debug,
        b'T' | b't' | b'V' | b'v' => Level::Trace,
        _ => Level::Unknown,
    }
}
