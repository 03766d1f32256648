//! Regular expressions: whether one matches, and which bytes it requires of a line.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::literal::{ExtractKind, Extractor, Seq};
use regex_syntax::hir::{Class, Hir, HirKind};

use super::Need;
use crate::words::common_fold;

/// How large a compiled pattern may be.
const SIZE_BYTES: usize = 1 << 20;
/// How deep a pattern may be nested.
const NESTING: u32 = 50;
/// How many alternatives are looked up.
const MAX_LITERALS: usize = 16;
/// Shorter bytes say too little to be worth looking up.
const MIN_LITERAL_BYTES: usize = 3;

/// In how many forms a letter may be written that is looked up in any case.
const MOST_FORMS: usize = 4;

/// A regular expression, matched anywhere in the bytes of a line.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: String,
    ignores_case: bool,
    regex: Regex,
    hir: Hir,
}

impl Pattern {
    /// Compiles a pattern; says why it cannot be.
    pub(super) fn new(text: &str, ignores_case: bool) -> Result<Self, String> {
        let hir = ParserBuilder::new()
            .utf8(false)
            .case_insensitive(ignores_case)
            .nest_limit(NESTING)
            .build()
            .parse(text)
            .map_err(|error| reason(&error))?;
        let regex = RegexBuilder::new(text)
            .case_insensitive(ignores_case)
            .size_limit(SIZE_BYTES)
            .dfa_size_limit(SIZE_BYTES)
            .nest_limit(NESTING)
            .build()
            .map_err(|_| "it is too large".to_owned())?;
        Ok(Self { text: text.to_owned(), ignores_case, regex, hir })
    }

    /// Returns the pattern of these bytes in any ASCII case.
    pub(super) fn ignoring_case(needle: &[u8]) -> Result<Self, String> {
        let bytes = needle.iter().map(|&byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b' ' | b'_' => char::from(byte).to_string(),
            byte => format!(r"\x{byte:02x}"),
        });
        let pattern = format!("(?i-u:{})", bytes.collect::<String>());
        Self::new(&pattern, false).map_err(|_| "a search text is too long".to_owned())
    }

    /// Returns whether it matches somewhere in `text`.
    pub(super) fn is_in(&self, text: &[u8]) -> bool {
        self.regex.is_match(text)
    }

    /// Returns the stretches that it matches, except empty ones.
    pub(super) fn matches<'t>(&'t self, text: &'t [u8]) -> impl Iterator<Item = Range<usize>> + 't {
        self.regex.find_iter(text).map(|found| found.range()).filter(|range| !range.is_empty())
    }

    /// Returns the pattern as it was written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Returns whether it was to ignore case.
    pub(super) fn ignores_case(&self) -> bool {
        self.ignores_case
    }

    /// Returns what a match requires; `of_bytes` returns what bytes in the text require.
    pub(super) fn need(&self, of_bytes: &dyn Fn(&[u8]) -> Need) -> Need {
        let ends = [ExtractKind::Prefix, ExtractKind::Suffix].map(|kind| self.end_need(kind, of_bytes));
        Need::all(ends.into_iter().chain([need(&self.hir, of_bytes)]))
    }

    /// What the alternatives that every match begins or ends with require.
    fn end_need(&self, kind: ExtractKind, of_bytes: &dyn Fn(&[u8]) -> Need) -> Need {
        let found: Seq = Extractor::new().kind(kind).limit_total(MAX_LITERALS).extract(&self.hir);
        let literals = found.literals().unwrap_or_default();
        let is_enough =
            !literals.is_empty() && literals.iter().all(|literal| literal.len() >= MIN_LITERAL_BYTES);
        if !is_enough {
            return Need::Anything;
        }
        Need::any(literals.iter().map(|literal| of_bytes(literal.as_bytes())))
    }
}

/// Returns what is wrong with a pattern, in the parser's words, without its drawing.
fn reason(error: &regex_syntax::Error) -> String {
    match error {
        regex_syntax::Error::Parse(error) => error.kind().to_string(),
        regex_syntax::Error::Translate(error) => error.kind().to_string(),
        _ => "it cannot be read".to_owned(),
    }
}

/// Returns what every match requires: the contiguous bytes, and what the parts between them require.
fn need(hir: &Hir, of_bytes: &dyn Fn(&[u8]) -> Need) -> Need {
    let mut runs = Runs { run: Vec::new(), is_folded: false, needs: Vec::new(), of_bytes };
    runs.walk(hir);
    runs.flush();
    Need::all(runs.needs)
}

/// The contiguous bytes so far, and the other requirements.
struct Runs<'n> {
    run: Vec<u8>,
    /// Whether a letter of the run may be in either case.
    is_folded: bool,
    needs: Vec<Need>,
    of_bytes: &'n dyn Fn(&[u8]) -> Need,
}

impl Runs<'_> {
    fn walk(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => self.run.extend_from_slice(&literal.0),
            HirKind::Class(class) => match folded_letter(class) {
                Some(letter) => {
                    self.run.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes());
                    self.is_folded = true;
                }
                None => self.flush(),
            },
            HirKind::Capture(capture) => self.walk(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.walk(part)),
            HirKind::Repetition(repetition) => {
                self.flush();
                if repetition.min > 0 {
                    self.needs.push(need(&repetition.sub, self.of_bytes));
                }
            }
            HirKind::Alternation(parts) => {
                self.flush();
                self.needs.push(Need::any(parts.iter().map(|part| need(part, self.of_bytes))));
            }
        }
    }

    /// Ends the run. Where case is ignored a backslash ends one too: `\n` is an escape, `\N` is none.
    fn flush(&mut self) {
        let run = std::mem::take(&mut self.run);
        if self.is_folded {
            self.needs.extend(run.split(|&byte| byte == b'\\').map(|part| (self.of_bytes)(part)));
        } else {
            self.needs.push((self.of_bytes)(&run));
        }
        self.is_folded = false;
    }
}

/// Returns the folded letter of which a class has all cases.
fn folded_letter(class: &Class) -> Option<char> {
    match class {
        Class::Bytes(class) => {
            let [first, second] = class.ranges() else { return None };
            let is_single = first.start() == first.end() && second.start() == second.end();
            let lower = first.start().to_ascii_lowercase();
            let is_letter = first.start().is_ascii_uppercase() && second.start() == lower;
            (is_single && is_letter).then_some(char::from(lower))
        }
        Class::Unicode(class) => {
            let characters = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            // No letter has more forms: `θ` has four.
            let few: Vec<char> = characters.take(MOST_FORMS + 1).collect();
            if few.len() > MOST_FORMS { None } else { common_fold(few.into_iter()) }
        }
    }
}
