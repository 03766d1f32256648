//! Conditions on the fields of a line: `logger:Basket`, `status>=500`.

use super::expr::Facts;
use super::{Expr, Need};
use crate::model::Field;
use crate::words::{is_word, plain_words};

/// The replacement for invalid UTF-8 in a value's text.
const REPLACEMENT: &[u8] = b"\xef\xbf\xbd";

/// A condition on the values of a field. One of the values has to fulfil it.
#[derive(Clone, Debug)]
pub struct FieldTest {
    /// Which field.
    pub name: FieldName,
    /// What a value has to be.
    pub test: ValueTest,
}

/// A field of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldName {
    /// What the parser takes as the logger.
    Logger,
    /// What the parser takes as the thread.
    Thread,
    /// A key of JSON, keys of nested objects joined by dots, or a label of LTSV.
    Path(String),
}

/// What a value has to be.
#[derive(Clone, Debug)]
pub enum ValueTest {
    /// A text for which the condition holds.
    Text(Expr),
    /// A number, or a text that is one.
    Number(Comparison, f64),
}

/// How numbers and levels are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    UpTo,
    /// `>`
    Above,
    /// `>=`
    From,
}

impl Comparison {
    /// All, each with its sign; the longer signs first.
    pub(super) const SIGNS: [(&'static str, Self); 4] =
        [("<=", Self::UpTo), (">=", Self::From), ("<", Self::Below), (">", Self::Above)];

    pub(super) fn sign(self) -> &'static str {
        Self::SIGNS.iter().find(|(_, comparison)| *comparison == self).map_or("", |(sign, _)| sign)
    }

    /// Returns whether the comparison of two values holds.
    pub(super) fn holds<T: PartialOrd>(self, value: &T, limit: &T) -> bool {
        match self {
            Self::Below => value < limit,
            Self::UpTo => value <= limit,
            Self::Above => value > limit,
            Self::From => value >= limit,
        }
    }
}

impl FieldName {
    /// Returns the field of that name.
    pub fn named(name: &str) -> Self {
        match name {
            "logger" => Self::Logger,
            "thread" => Self::Thread,
            path => Self::Path(path.to_owned()),
        }
    }

    /// Returns the field's first value in a line.
    pub fn value_in(&self, facts: &mut Facts<'_>) -> Option<String> {
        let Facts { head, is_cut, parser, .. } = facts;
        let value = match self {
            Self::Logger => parser.parse_alone(head, *is_cut)?.logger,
            Self::Thread => parser.parse_alone(head, *is_cut)?.thread,
            Self::Path(path) => parser.values(head, path, *is_cut).into_iter().next(),
        };
        value.map(|value| value.text().into_owned())
    }

    /// Returns the name as it is written in an expression.
    pub fn text(&self) -> &str {
        match self {
            Self::Logger => "logger",
            Self::Thread => "thread",
            Self::Path(path) => path,
        }
    }
}

impl FieldTest {
    pub(super) fn holds(&self, facts: &mut Facts<'_>) -> bool {
        let Facts { head, is_cut, parser, .. } = facts;
        match &self.name {
            FieldName::Logger => parser
                .parse_alone(head, *is_cut)
                .and_then(|event| event.logger)
                .is_some_and(|value| self.test.holds(&value)),
            FieldName::Thread => parser
                .parse_alone(head, *is_cut)
                .and_then(|event| event.thread)
                .is_some_and(|value| self.test.holds(&value)),
            FieldName::Path(path) => {
                parser.values(head, path, *is_cut).iter().any(|value| self.test.holds(value))
            }
        }
    }

    /// Returns which words a block must have for a line of it to have such a value.
    ///
    /// A value's characters may all be written as `\uXXXX`; then only that is known. Otherwise its words are in
    /// the line unchanged, perhaps with other escapes between them.
    pub(super) fn need(&self) -> Need {
        let is_delimited = matches!(self.name, FieldName::Path(_));
        let of_value = match &self.test {
            ValueTest::Text(expr) => value_need(expr, is_delimited),
            ValueTest::Number(..) => Need::Anything,
        };
        let of_name = match &self.name {
            FieldName::Path(path) => Need::all(plain_words(path.as_bytes()).map(Need::word)),
            FieldName::Logger | FieldName::Thread => Need::Anything,
        };
        Need::any([Need::all([of_name, of_value]), Need::UnicodeEscape])
    }
}

impl ValueTest {
    fn holds(&self, value: &Field<'_>) -> bool {
        match self {
            Self::Text(expr) => expr.holds_for_value(value.text().as_bytes()),
            Self::Number(comparison, limit) => {
                number(&value.text()).is_some_and(|value| comparison.holds(&value, limit))
            }
        }
    }
}

/// Reads a finite number.
pub(super) fn number(text: &str) -> Option<f64> {
    let is_number =
        text.trim_start_matches(['-', '+']).starts_with(|first: char| first.is_ascii_digit() || first == '.');
    text.parse().ok().filter(|number: &f64| is_number && number.is_finite())
}

/// Returns which words a line must have if a value in it matches `expr`. With `is_delimited`, a value has
/// no part of a word directly before or after it.
fn value_need(expr: &Expr, is_delimited: bool) -> Need {
    match expr {
        Expr::And(terms) => Need::all(terms.iter().map(|term| value_need(term, is_delimited))),
        Expr::Or(terms) => Need::any(terms.iter().map(|term| value_need(term, is_delimited))),
        Expr::Word(word) if is_delimited => delimited(word, Need::word),
        Expr::Prefix(start) if is_delimited => delimited(start, Need::prefix),
        Expr::Word(text) | Expr::Prefix(text) => verbatim(text),
        Expr::Phrase(phrase) => verbatim(phrase.text()),
        Expr::Substring(finder) => verbatim(finder.needle()),
        Expr::Regex(pattern) => pattern.need(&verbatim),
        _ => Need::Anything,
    }
}

/// The need of a text within a value. A backslash or a quote may be escaped there, and U+FFFD may replace any byte; words are
/// the same with and without escapes between them.
fn verbatim(needle: &[u8]) -> Need {
    let is_sure = !needle.contains(&b'\\') && !has_replacement(needle);
    if is_sure { Need::substring(needle) } else { Need::Anything }
}

/// The need of a word, or the start of one, that begins in a value: where escapes are not resolved (LTSV), its first
/// letter may look like the end of an escape.
fn delimited(word: &[u8], need: fn(&[u8]) -> Need) -> Need {
    match word.split_first() {
        Some((first, rest)) if b"bfnrt".contains(&first.to_ascii_lowercase()) => {
            // What follows an escape may be marks, which belong to no word then.
            Need::any([need(word), if is_word(rest) { need(rest) } else { Need::Anything }])
        }
        _ => need(word),
    }
}

fn has_replacement(text: &[u8]) -> bool {
    memchr::memmem::find(text, REPLACEMENT).is_some()
}
