//! A phrase: bytes that a line has as it stands, or with its escapes undone once or twice. There, and in the value of a
//! field, a blank of the phrase also stands for a line break or a tab.

use std::ops::Range;

use memchr::memmem::Finder;

use super::Need;
use crate::words::escapes::undone;

/// The start of an escape that may stand for any character.
const ANY_ESCAPE: &[u8] = br"\u";
/// The start of an escape.
const ESCAPE: &[u8] = br"\";

/// The kind of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Text {
    /// A line, in all its readings.
    Line,
    /// A line as it stands, or a part of it.
    Standing,
    /// A line with its escapes undone, or a part of it.
    Undone,
    /// A value with its escapes resolved.
    Value,
}

/// The text of a phrase, ready to be looked for.
#[derive(Clone, Debug)]
pub struct Phrase {
    finder: Finder<'static>,
    /// The text with blanks instead of other white space, if it has any.
    blanked: Option<Finder<'static>>,
    /// Its longest part for whose characters there is only one escape, `\uXXXX`.
    verbatim: Finder<'static>,
    any_escape: Finder<'static>,
    /// What a line holds that has the phrase only with its escapes undone.
    escape: Finder<'static>,
}

impl Phrase {
    /// Returns the phrase of a text, which is not empty.
    pub(super) fn new(text: &[u8]) -> Self {
        let verbatim =
            text.split(|&byte| has_short_escape(byte)).max_by_key(|part| part.len()).unwrap_or_default();
        let escape = if verbatim.len() == text.len() { ANY_ESCAPE } else { ESCAPE };
        let owned = |text: &[u8]| Finder::new(text).into_owned();
        Self {
            finder: owned(text),
            blanked: blanked(text).map(|text| owned(&text)),
            verbatim: owned(verbatim),
            any_escape: owned(ANY_ESCAPE),
            escape: owned(escape),
        }
    }

    /// Returns its bytes.
    pub(super) fn text(&self) -> &[u8] {
        self.finder.needle()
    }

    /// Returns finders of which one finds something in each line that has the phrase.
    pub(super) fn required(&self) -> [&Finder<'static>; 2] {
        [&self.finder, &self.escape]
    }

    /// Returns whether a line has it, as it stands or with its escapes undone.
    pub(super) fn is_in_line(&self, line: &[u8]) -> bool {
        self.is_in(line)
            || self.may_be_escaped(line) && undone(line).any(|reading| self.is_in_undone(&reading))
    }

    /// Returns whether a text has these bytes.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        self.finder.find(text).is_some()
    }

    /// Returns whether a text has it whose escapes have been undone, so that white space of escapes is a blank.
    pub(super) fn is_in_undone(&self, text: &[u8]) -> bool {
        self.is_in(text) || self.blanked.as_ref().is_some_and(|finder| finder.find(text).is_some())
    }

    /// Returns whether a value has it, whose escapes have been resolved.
    pub(super) fn is_in_value(&self, value: &[u8]) -> bool {
        self.is_in(value) || blanked(value).is_some_and(|value| self.is_in_undone(&value))
    }

    /// Returns the places of the phrase in a line as it stands, or with its escapes undone.
    pub(super) fn places<'t>(
        &'t self,
        text: &'t [u8],
        kind: Text,
    ) -> impl Iterator<Item = Range<usize>> + 't {
        let blanked = self.blanked.iter().filter(move |_| kind == Text::Undone);
        let finders = std::iter::once(&self.finder).chain(blanked);
        finders.flat_map(|finder| finder.find_iter(text).map(|at| at..at + finder.needle().len()))
    }

    /// Whether a line may have it with its escapes undone: `verbatim` stands there, or a character of it is a `\uXXXX`.
    fn may_be_escaped(&self, line: &[u8]) -> bool {
        self.escape.find(line).is_some()
            && (self.escape.needle() == ESCAPE && self.verbatim.find(line).is_some()
                || self.any_escape.find(line).is_some())
    }

    /// Returns what a block must hold for one of its lines to have it.
    pub(super) fn need(&self) -> Need {
        Need::any([Need::substring(self.text()), Need::undone(self.text())])
    }
}

/// Whether a character has an escape of two letters.
fn has_short_escape(byte: u8) -> bool {
    matches!(byte, b'"' | b'\\' | b'/' | b' ' | b'\x08'..=b'\r')
}

/// Returns a text with a blank instead of each run of other white space, if there is any.
fn blanked(text: &[u8]) -> Option<Vec<u8>> {
    let is_blanked = |byte: &u8| matches!(byte, b'\x08'..=b'\r');
    if !text.iter().any(is_blanked) {
        return None;
    }
    let runs = text.chunk_by(|a, b| is_blanked(a) == is_blanked(b));
    Some(runs.flat_map(|run| if is_blanked(&run[0]) { b" " } else { run }).copied().collect())
}
