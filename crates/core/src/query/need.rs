//! What a block's words must hold for an expression to be true of one of its lines: the index's question.

use crate::words::escapes::escape_len;
use crate::words::{Standing, folded, is_cut, standing_at, tail_len};

/// A condition on the words of a block. Necessary, never sufficient: a block that fails it holds no match.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Nothing can be said.
    Anything,
    /// The block has this word.
    Word(Vec<u8>),
    /// The block has a word that begins so.
    Prefix(Vec<u8>),
    /// The block has a word that ends so.
    Suffix(Vec<u8>),
    /// The block has a word that contains this.
    Inner(Vec<u8>),
    /// The block has a `\uXXXX` escape.
    UnicodeEscape,
    /// The block has a line of one of these levels, a mask of [`Level::bit`](crate::model::Level::bit)s.
    Levels(u8),
    /// All hold.
    All(Vec<Need>),
    /// One holds.
    Any(Vec<Need>),
}

impl Need {
    /// Returns the conjunction, simplified.
    pub fn all(needs: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for need in needs {
            match need {
                Self::Anything => {}
                Self::All(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        flat.sort();
        flat.dedup();
        match flat.len() {
            0 => Self::Anything,
            1 => flat.remove(0),
            _ => Self::All(flat),
        }
    }

    /// Returns the disjunction, simplified. Of nothing: what nothing fulfils, an empty `Any`.
    pub fn any(needs: impl IntoIterator<Item = Self>) -> Self {
        let mut flat = Vec::new();
        for need in needs {
            match need {
                Self::Anything => return Self::Anything,
                Self::Any(inner) => flat.extend(inner),
                other => flat.push(other),
            }
        }
        flat.sort();
        flat.dedup();
        if flat.len() == 1 { flat.remove(0) } else { Self::Any(flat) }
    }

    /// Returns what a whole word requires.
    pub fn word(word: &[u8]) -> Self {
        Self::Word(folded(word))
    }

    /// Returns what the start of a word requires.
    pub fn prefix(start: &[u8]) -> Self {
        Self::Prefix(folded(start))
    }

    /// Returns what the bytes `needle` require, wherever they are in a line.
    ///
    /// Words are found by walking a line from its start, so a needle that begins inside an escape is split
    /// into different words than it seems: each way to read its start is one alternative.
    pub fn substring(needle: &[u8]) -> Self {
        Self::any(readings(needle).into_iter().map(|(skipped, escape)| {
            let pieces = pieces(needle, skipped, true);
            Self::all(pieces.into_iter().chain(escape.then_some(Self::UnicodeEscape)))
        }))
    }

    /// Returns what the bytes `needle` require, wherever they are in a line whose escapes have been undone: there, a backslash is
    /// an ordinary separator.
    pub(super) fn undone(needle: &[u8]) -> Self {
        Self::all(pieces(needle, 0, false))
    }
}

/// The ways to read a needle's start: how many bytes belong to an escape that began before it, and whether
/// that escape is a `\uXXXX`.
fn readings(needle: &[u8]) -> Vec<(usize, bool)> {
    let mut readings = vec![(0, false)];
    if needle.first().is_some_and(|byte| br#""\/bfnrt"#.contains(byte)) {
        readings.push((1, false));
    }
    // Inside the four digits, or at the `u` before them; a needle shorter than the rest of the escape is within it.
    let hex = needle.iter().take(4).take_while(|byte| byte.is_ascii_hexdigit()).count();
    readings.extend((1..=hex).map(|digits| (digits, true)));
    if needle.first() == Some(&b'u') {
        let hex = needle[1..].iter().take(4).take_while(|byte| byte.is_ascii_hexdigit()).count();
        if hex == 4 || hex + 1 == needle.len() {
            readings.push((hex + 1, true));
        }
    }
    readings
}

/// The pieces of `needle[skipped..]`. Only at `skipped == 0` can its first word have begun before it; then the rest of a
/// character and marks at its start may belong to that word, or be between words: nothing is certain about them.
fn pieces(needle: &[u8], skipped: usize, has_escapes: bool) -> Vec<Need> {
    let mut pieces = Vec::new();
    let open_at = (skipped == 0).then(|| tail_len(needle));
    let mut at = open_at.unwrap_or(skipped);
    while at < needle.len() {
        if needle[at] == b'\\' && has_escapes {
            let rest = &needle[at..];
            if rest.len() < 6 && rest.get(1) == Some(&b'u') && rest[2..].iter().all(u8::is_ascii_hexdigit) {
                break; // an escape that goes on after the needle, or a word: nothing is certain
            }
            at += escape_len(rest);
            continue;
        }
        match standing_at(needle, at) {
            Standing::Word(end) => {
                let has_open_end = end == needle.len() || is_cut(&needle[end..]);
                pieces.push(piece(&needle[at..end], open_at == Some(at), has_open_end));
                at = end;
            }
            Standing::Between(len) => at += len,
        }
    }
    pieces
}

fn piece(word: &[u8], has_open_start: bool, has_open_end: bool) -> Need {
    match (has_open_start, has_open_end) {
        (false, false) => Need::word(word),
        (true, false) => Need::Suffix(folded(word)),
        (false, true) => Need::Prefix(folded(word)),
        (true, true) => Need::Inner(folded(word)),
    }
}
