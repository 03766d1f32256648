//! The search expression and its two readings: an exact predicate on a line ([`Expr::matches`]) and what
//! the words of a block must hold for it to be true of one of its lines ([`Expr::need`]).

mod need;
mod pieces;
#[cfg(test)]
mod tests;

pub use need::Need;
pub use pieces::Pieces;

use memchr::memmem;

use crate::words::{has_word, is_word_byte};

/// A condition on the raw bytes of a line.
#[derive(Clone, Debug)]
pub enum Expr {
    /// Every line.
    Everything,
    /// The line has this word, ignoring ASCII case.
    Word(Vec<u8>),
    /// The line has these bytes.
    Substring(Box<memmem::Finder<'static>>),
    /// All hold.
    And(Vec<Expr>),
    /// One holds.
    Or(Vec<Expr>),
    /// It does not hold.
    Not(Box<Expr>),
}

/// Why an expression could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// A quote without its end.
    #[error("the quote at `{rest}` has no end; write `\\\"` for a quote inside")]
    OpenQuote {
        /// The text from the quote on.
        rest: String,
    },
    /// A line never holds a newline.
    #[error("a search text cannot hold a newline: lines are searched one by one")]
    Newline,
}

impl Expr {
    /// Returns the expression that holds where the bytes of every needle stand in the line, as
    /// `grep -F` would find each.
    pub fn fixed<'n>(needles: impl IntoIterator<Item = &'n [u8]>) -> Result<Self, QueryError> {
        needles.into_iter().map(Self::substring).collect::<Result<_, _>>().map(Self::and)
    }

    /// Reads an expression: words and `"exact substrings"`, all of which must be in the line. A word with
    /// other characters than letters, digits and `_` is taken as an exact substring.
    pub fn parse(text: &str) -> Result<Self, QueryError> {
        let mut terms = Vec::new();
        let mut rest = text.trim_start();
        while !rest.is_empty() {
            let (term, tail) = if rest.starts_with('"') { quoted(rest)? } else { bare(rest)? };
            terms.push(term);
            rest = tail.trim_start();
        }
        Ok(Self::and(terms))
    }

    fn and(mut terms: Vec<Self>) -> Self {
        match terms.len() {
            0 => Self::Everything,
            1 => terms.remove(0),
            _ => Self::And(terms),
        }
    }

    fn substring(needle: &[u8]) -> Result<Self, QueryError> {
        if needle.contains(&b'\n') {
            return Err(QueryError::Newline);
        }
        if needle.is_empty() {
            return Ok(Self::Everything);
        }
        Ok(Self::Substring(Box::new(memmem::Finder::new(needle).into_owned())))
    }

    /// Returns whether the expression holds for the line.
    pub fn matches(&self, line: &[u8]) -> bool {
        match self {
            Self::Everything => true,
            Self::Word(word) => has_word(line, word),
            Self::Substring(finder) => finder.find(line).is_some(),
            Self::And(terms) => terms.iter().all(|term| term.matches(line)),
            Self::Or(terms) => terms.iter().any(|term| term.matches(line)),
            Self::Not(term) => !term.matches(line),
        }
    }

    /// Returns the longest bytes that a line must hold, if there are such.
    pub fn required_bytes(&self) -> Option<&memmem::Finder<'static>> {
        match self {
            Self::Substring(finder) => Some(finder),
            Self::And(terms) => {
                terms.iter().filter_map(Self::required_bytes).max_by_key(|finder| finder.needle().len())
            }
            Self::Everything | Self::Word(_) | Self::Or(_) | Self::Not(_) => None,
        }
    }

    /// Returns what a block's words must hold for the expression to hold for one of its lines.
    pub fn need(&self) -> Need {
        match self {
            Self::Everything | Self::Not(_) => Need::Anything,
            Self::Word(word) => Need::word(word),
            Self::Substring(finder) => Need::substring(finder.needle()),
            Self::And(terms) => Need::all(terms.iter().map(Self::need)),
            Self::Or(terms) => Need::any(terms.iter().map(Self::need)),
        }
    }
}

/// Reads `"…"` at the start of `rest`; `\"` and `\\` inside stand for a quote and a backslash.
fn quoted(rest: &str) -> Result<(Expr, &str), QueryError> {
    let mut needle = String::new();
    let mut chars = rest.char_indices().skip(1);
    while let Some((at, character)) = chars.next() {
        match character {
            '"' => return Ok((Expr::substring(needle.as_bytes())?, &rest[at + 1..])),
            '\\' if rest[at + 1..].starts_with(['"', '\\']) => {
                needle.extend(chars.next().map(|(_, next)| next));
            }
            other => needle.push(other),
        }
    }
    Err(QueryError::OpenQuote { rest: rest.chars().take(40).collect() })
}

fn bare(rest: &str) -> Result<(Expr, &str), QueryError> {
    let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
    let (word, tail) = rest.split_at(end);
    let expr = if word.bytes().all(is_word_byte) {
        Expr::Word(word.as_bytes().to_vec())
    } else {
        Expr::substring(word.as_bytes())?
    };
    Ok((expr, tail))
}
