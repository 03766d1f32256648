//! Why an expression is invalid: the mistake, its position, and what to write instead.

use std::fmt;
use std::ops::Range;

use crate::visible::columns;

/// An expression that could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryError {
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Where: a range of bytes of the expression.
    pub span: Range<usize>,
    /// The expression.
    pub text: String,
}

/// The most characters that are shown in front of the place, and from it on.
const SHOWN_CHARS: usize = 60;

impl QueryError {
    /// Returns an error that has no place in the expression.
    pub(super) fn of_all(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, span: 0..0, text: String::new() }
    }
}

impl std::error::Error for QueryError {}

/// The message; below it the expression, and below that a mark under the place.
impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.is_empty() {
            return f.write_str(&self.message);
        }
        let (before, behind) = self.text.split_at(self.span.start);
        let start = before.char_indices().rev().nth(SHOWN_CHARS - 1).map_or(0, |(at, _)| at);
        let end = behind.char_indices().nth(SHOWN_CHARS).map_or(behind.len(), |(at, _)| at);
        let [before, behind] = [&before[start..], &behind[..end]].map(|text| text.replace('\t', " "));
        let [before, behind] = [columns(&before), columns(&behind)];
        let marked = self.text[self.span.clone()].chars().count().clamp(1, SHOWN_CHARS);
        let margin = " ".repeat(before.chars().count());
        write!(f, "{}\n  {before}{behind}\n  {margin}{}", self.message, "^".repeat(marked))
    }
}
