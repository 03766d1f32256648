//! A parsed line.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::{UtcMs, nested};

/// The severity of an event, least first.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum Level {
    /// No level was found.
    #[default]
    Unknown = 0,
    /// `TRACE`, `FINEST`.
    Trace = 1,
    /// `DEBUG`, `FINE`.
    Debug = 2,
    /// `INFO`, `NOTICE`.
    Info = 3,
    /// `WARN`, `WARNING`.
    Warn = 4,
    /// `ERROR`, `SEVERE`, `ERR`.
    Error = 5,
    /// `FATAL`, `CRITICAL`, `ALERT`, `EMERG`, `PANIC`.
    Fatal = 6,
}

impl Level {
    /// All levels, least first.
    pub const ALL: [Self; 7] =
        [Self::Unknown, Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];

    /// Returns the level of a ledger row or an index bit; [`Level::Unknown`] when out of range.
    pub fn from_number(number: u8) -> Self {
        Self::ALL.get(number as usize).copied().unwrap_or_default()
    }

    /// Returns the level's bit in a mask of levels.
    pub fn bit(self) -> u8 {
        1 << self as u8
    }

    /// Returns whether events of this level are grouped and reported.
    pub fn is_error(self) -> bool {
        self >= Self::Error
    }

    /// Returns the level that a log spells `word`, ignoring case; `None` for an unknown spelling.
    /// Names of syslog, Java util logging, .NET and Serilog are known; numbers and single letters are not.
    pub fn from_word(word: &[u8]) -> Option<Self> {
        // By length, the common ones first: every line of a log asks.
        let words: &[(&str, Self)] = match word.len() {
            3 => &[
                ("err", Self::Error),
                ("log", Self::Info),
                ("inf", Self::Info),
                ("wrn", Self::Warn),
                ("dbg", Self::Debug),
                ("trc", Self::Trace),
                ("ftl", Self::Fatal),
                ("vrb", Self::Trace),
            ],
            4 => &[
                ("info", Self::Info),
                ("warn", Self::Warn),
                ("crit", Self::Fatal),
                ("fine", Self::Debug),
                ("eror", Self::Error),
                ("fail", Self::Error),
                ("dbug", Self::Debug),
                ("trce", Self::Trace),
            ],
            5 => &[
                ("error", Self::Error),
                ("debug", Self::Debug),
                ("trace", Self::Trace),
                ("fatal", Self::Fatal),
                ("alert", Self::Fatal),
                ("emerg", Self::Fatal),
                ("panic", Self::Fatal),
                ("finer", Self::Trace),
            ],
            6 => &[
                ("notice", Self::Info),
                ("severe", Self::Error),
                ("config", Self::Debug),
                ("finest", Self::Trace),
                ("dpanic", Self::Fatal),
            ],
            7 => &[
                ("warning", Self::Warn),
                ("verbose", Self::Trace),
                ("success", Self::Info),
                ("unknown", Self::Unknown),
            ],
            8 => &[("critical", Self::Fatal)],
            9 => &[("emergency", Self::Fatal)],
            11 => &[("information", Self::Info)],
            13 => &[("informational", Self::Info)],
            _ => &[],
        };
        words.iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes())).map(|&(_, level)| level)
    }

    /// Returns the name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Fatal => "fatal",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Self::from_word(word.as_bytes()).ok_or_else(|| {
            format!("unknown level `{word}`; one of trace, debug, info, warn, error, fatal, unknown")
        })
    }
}

/// A field of a line, exactly as in the line: still escaped if it came from a JSON string, still JSON if it was an array or
/// an object.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Field<'a> {
    /// The bytes as in the line, without surrounding quotes.
    pub raw: &'a [u8],
    /// Whether `raw` holds JSON escapes that [`Field::text`] has to resolve.
    pub escaped: bool,
    /// Whether `raw` is a JSON array or object that holds a stack trace.
    pub nested: bool,
}

impl<'a> Field<'a> {
    /// Returns a field whose bytes mean themselves.
    pub fn plain(raw: &'a [u8]) -> Self {
        Self { raw, escaped: false, nested: false }
    }

    /// Returns the field of a JSON string that stands between these quotes.
    pub fn string(raw: &'a [u8]) -> Self {
        Self { raw, escaped: memchr::memchr(b'\\', raw).is_some(), nested: false }
    }

    /// Returns the field of a JSON array or object.
    pub fn json(raw: &'a [u8]) -> Self {
        Self { raw, escaped: false, nested: true }
    }

    /// Returns the text: escapes resolved, arrays and objects as the traces they hold, without colours, invalid UTF-8 and
    /// lone surrogates replaced by U+FFFD.
    pub fn text(&self) -> Cow<'a, str> {
        let text = match self {
            Self { nested: true, raw, .. } => Cow::Owned(nested::text(raw)),
            Self { escaped: true, raw, .. } => Cow::Owned(unescape(raw)),
            Self { raw, .. } => String::from_utf8_lossy(raw),
        };
        if memchr::memchr(b'\x1b', text.as_bytes()).is_some() { Cow::Owned(plain(&text)) } else { text }
    }

    /// Adds the bytes of the text, escapes resolved, to `out`.
    pub fn unescape_into(&self, out: &mut Vec<u8>) {
        if self.escaped { unescape_into(self.raw, out) } else { out.extend_from_slice(self.raw) }
    }

    /// Returns whether there are no bytes.
    pub fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }
}

/// A line that starts an event, its fields borrowed from the line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Event<'a> {
    /// When it happened; `None` when the line has no readable time.
    pub time_ms: Option<UtcMs>,
    /// Its severity.
    pub level: Level,
    /// The logger or class that wrote it.
    pub logger: Option<Field<'a>>,
    /// The thread that wrote it.
    pub thread: Option<Field<'a>>,
    /// The message, with the stack trace where the format keeps both in one field.
    pub message: Field<'a>,
    /// The stack trace, where the format has a field of its own for it.
    pub trace: Option<Field<'a>>,
}

/// Returns the length of the escape sequence at the start of `bytes` that sets a colour or a style (ECMA-48, SGR); 0
/// when there is none.
pub(crate) fn colour(bytes: &[u8]) -> usize {
    let Some(parameters) = bytes.strip_prefix(b"\x1b[") else { return 0 };
    let length =
        parameters.iter().take(32).take_while(|byte| matches!(byte, b'0'..=b'9' | b';' | b':')).count();
    if parameters.get(length) == Some(&b'm') { length + 3 } else { 0 }
}

/// Returns a text without colours.
fn plain(text: &str) -> String {
    let (mut out, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(at) = memchr::memchr(b'\x1b', rest.as_bytes()) {
        let length = colour(&rest.as_bytes()[at..]);
        let end = at + length.max(1);
        out.push_str(if length > 0 { &rest[..at] } else { &rest[..end] });
        rest = &rest[end..];
    }
    out + rest
}

/// Resolves JSON string escapes (RFC 8259, section 7). Invalid escapes stay as they are;
/// a lone surrogate becomes U+FFFD.
fn unescape(raw: &[u8]) -> String {
    let mut out: Vec<u8> = Vec::with_capacity(raw.len());
    unescape_into(raw, &mut out);
    String::from_utf8(out).unwrap_or_else(|bad| String::from_utf8_lossy(bad.as_bytes()).into_owned())
}

fn unescape_into(raw: &[u8], out: &mut Vec<u8>) {
    let mut rest = raw;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        // The lines of a trace are parted by two escapes, `\n\t`.
        while rest.first() == Some(&b'\\') {
            let (text, used) = unescape_one(rest);
            match text {
                Some(character) if character.is_ascii() => out.push(character as u8),
                Some(character) => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                None => out.extend_from_slice(&rest[..used]),
            }
            rest = &rest[used..];
        }
    }
    out.extend_from_slice(rest);
}

/// Reads the escape at the start of `rest`, which begins with a backslash: the character (`None`: no
/// escape, keep the bytes) and the number of bytes it takes.
pub(crate) fn unescape_one(rest: &[u8]) -> (Option<char>, usize) {
    let simple = match rest.get(1) {
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(&byte @ (b'"' | b'\\' | b'/')) => byte as char,
        Some(b'u') => return unescape_unicode(rest),
        _ => return (None, 1),
    };
    (Some(simple), 2)
}

fn unescape_unicode(rest: &[u8]) -> (Option<char>, usize) {
    let Some(first) = hex4(rest, 2) else {
        return (None, 1);
    };
    if (0xd800..0xdc00).contains(&first)
        && rest.get(6..8) == Some(b"\\u")
        && let Some(second @ 0xdc00..0xe000) = hex4(rest, 8)
    {
        let code = 0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00);
        return (char::from_u32(code), 12);
    }
    (Some(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER)), 6)
}

fn hex4(bytes: &[u8], at: usize) -> Option<u32> {
    let digits = bytes.get(at..at + 4)?;
    digits.iter().try_fold(0, |value, &byte| Some(value * 16 + (byte as char).to_digit(16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_known_by_any_of_their_words() {
        for level in Level::ALL {
            assert_eq!(Level::from_word(level.name().as_bytes()), Some(level));
        }
        for (word, level) in [
            ("SEVERE", Level::Error),
            ("Warning", Level::Warn),
            ("EMERGENCY", Level::Fatal),
            ("informational", Level::Info),
            ("finer", Level::Trace),
        ] {
            assert_eq!(Level::from_word(word.as_bytes()), Some(level));
        }
        for word in ["", "errors", "50", "erro", "e"] {
            assert_eq!(Level::from_word(word.as_bytes()), None);
        }
    }

    #[test]
    fn colours_are_no_part_of_a_text() {
        let text = |raw: &str| Field::string(raw.as_bytes()).text().into_owned();
        assert_eq!(text("\x1b[31mERROR\x1b[0m it \x1b[1;38:5:9mbroke\x1b[m"), "ERROR it broke");
        assert_eq!(text(r"\u001b[2mé\u001b[0m"), "é");
        assert_eq!(text("\x1b[2Jx\x1b"), "\x1b[2Jx\x1b");
    }

    #[test]
    fn escapes_are_resolved_as_json_defines_them() {
        let text =
            |raw: &str| Field { raw: raw.as_bytes(), escaped: true, nested: false }.text().into_owned();
        assert_eq!(text(r#"a\n\tat \"x\" \\ \/"#), "a\n\tat \"x\" \\ /");
        assert_eq!(text(r"\u00e9 \ud83d\ude00"), "é 😀");
        assert_eq!(text(r"\ud83d! \q \u12"), "\u{fffd}! \\q \\u12");
        assert_eq!(text("end\\"), "end\\");
    }
}
