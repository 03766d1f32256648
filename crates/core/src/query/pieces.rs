//! Whether an expression holds for a line that is too long to be held: it is shown in pieces.

use super::phrase::Text;
use super::{Expr, Facts};
use crate::words::escapes::{DEPTH, Undoing};
use crate::words::is_separator;

/// How far from its end a piece is looked through for a place that is neither in a word nor in an escape.
const CUT_BYTES: usize = 64 << 10;
/// The longest escape of one character as a line is read, `\uXXXX`.
const ESCAPE_BYTES: usize = 6;

/// A line that is added piece by piece.
///
/// The answer is that of [`Expr::holds`], except that a run of over 64 KiB without an ASCII separator is
/// cut somewhere, and that everything except words, phrases and substrings is matched against the line's beginning only.
pub struct Pieces<'e> {
    expr: &'e Expr,
    /// Whether each of the expression's words, phrases and substrings, in order, was seen.
    seen: Vec<bool>,
    /// Whether each was seen in what stands before the first escape, in case one comes: there, a phrase's tabs are blanks.
    seen_if_escaped: Vec<bool>,
    /// The line as it stands, and with its escapes undone once and twice, from where that makes a difference.
    readings: Vec<Reading>,
}

impl<'e> Pieces<'e> {
    /// Returns the state before the first piece.
    pub fn new(expr: &'e Expr) -> Self {
        let leaves = leaves(expr);
        let length = |leaf: &&Expr| match leaf {
            Expr::Phrase(phrase) => phrase.text().len(),
            Expr::Substring(finder) => finder.needle().len(),
            _ => 0,
        };
        let longest = leaves.iter().map(length).max().unwrap_or(0);
        let reading = Reading { longest, ..Reading::default() };
        let none = vec![false; leaves.len()];
        Self { expr, seen_if_escaped: none.clone(), seen: none, readings: vec![reading] }
    }

    /// Looks at the line's next bytes.
    pub fn add(&mut self, piece: &[u8]) {
        self.add_to(0, piece);
    }

    /// Adds what comes next in a reading, and in those that are made of it.
    fn add_to(&mut self, depth: usize, text: &[u8]) {
        let is_last = self.readings.len() == depth + 1;
        if is_last && depth < DEPTH && memchr::memchr(b'\\', text).is_some() {
            // Up to here, it is the same with its escapes undone.
            let same = Reading { undoing: Undoing::default(), ..self.readings[depth].clone() };
            self.readings.push(same);
            self.seen.iter_mut().zip(&self.seen_if_escaped).for_each(|(seen, before)| *seen |= before);
        }
        if let Some(next) = self.readings.get_mut(depth + 1) {
            let mut undone = Vec::with_capacity(text.len());
            next.undoing.add(text, &mut undone);
            self.add_to(depth + 1, &undone);
        }
        let reading = &mut self.readings[depth];
        reading.held.extend_from_slice(text);
        let cut = safe_cut(&reading.held, reading.words_from);
        self.look(depth, cut);
        self.readings[depth].drop_before(cut);
    }

    /// Ends the line and returns whether the expression holds for it; `beginning` is the part in memory.
    pub fn end(mut self, beginning: &[u8], facts: &mut Facts<'_>) -> bool {
        for depth in 0..=DEPTH {
            let Some(reading) = self.readings.get_mut(depth) else { break };
            let mut rest = Vec::new();
            reading.undoing.end(&mut rest);
            self.add_to(depth, &rest);
            self.look(depth, self.readings[depth].held.len());
        }
        holds(self.expr, &mut self.seen.iter().copied(), beginning, facts)
    }

    fn look(&mut self, depth: usize, words_to: usize) {
        let Reading { held, words_from, .. } = &self.readings[depth];
        let words = &held[*words_from..words_to];
        let kind = if depth == 0 { Text::Standing } else { Text::Undone };
        let is_unescaped = self.readings.len() == 1;
        let seen = self.seen.iter_mut().zip(&mut self.seen_if_escaped);
        for (leaf, (seen, seen_if_escaped)) in leaves(self.expr).into_iter().zip(seen) {
            let text = if matches!(leaf, Expr::Word(_) | Expr::Prefix(_)) { words } else { held };
            *seen = *seen || leaf.is_in(text, kind) == Some(true);
            if is_unescaped && let Expr::Phrase(phrase) = leaf {
                *seen_if_escaped = *seen_if_escaped || phrase.is_in_undone(text);
            }
        }
    }
}

/// One reading of the line, as far as the next piece is looked at with it.
#[derive(Clone, Default)]
struct Reading {
    /// Makes it of the reading before it.
    undoing: Undoing,
    /// The bytes at the end.
    held: Vec<u8>,
    /// Where in `held` the bytes begin whose words were not looked at.
    words_from: usize,
    /// The bytes of the longest phrase.
    longest: usize,
}

impl Reading {
    /// Drops what no word after `cut` and no phrase that goes on after the end begins in.
    fn drop_before(&mut self, cut: usize) {
        let from = cut.min((self.held.len() + 1).saturating_sub(self.longest));
        self.words_from = cut - from;
        self.held.drain(..from);
    }
}

/// Returns the words, phrases and substrings of an expression, in order.
fn leaves(expr: &Expr) -> Vec<&Expr> {
    let mut leaves = Vec::new();
    expr.each_leaf(&mut |leaf| leaves.extend(is_followed(leaf).then_some(leaf)));
    leaves
}

fn is_followed(leaf: &Expr) -> bool {
    matches!(leaf, Expr::Word(_) | Expr::Prefix(_) | Expr::Phrase(_) | Expr::Substring(_))
}

/// Returns whether an expression holds, given which of its leaves matched. It consumes all of them, in order.
fn holds(
    expr: &Expr,
    seen: &mut impl Iterator<Item = bool>,
    beginning: &[u8],
    facts: &mut Facts<'_>,
) -> bool {
    match expr {
        Expr::And(terms) => terms.iter().filter(|term| !holds(term, seen, beginning, facts)).count() == 0,
        Expr::Or(terms) => terms.iter().filter(|term| holds(term, seen, beginning, facts)).count() > 0,
        Expr::Not(term) => !holds(term, seen, beginning, facts),
        leaf if is_followed(leaf) => seen.next().unwrap_or_default(),
        leaf => leaf.holds(beginning, facts),
    }
}

/// Returns the last position after `from` that is between words and outside escapes.
fn safe_cut(bytes: &[u8], from: usize) -> usize {
    let first = bytes.len().saturating_sub(CUT_BYTES).max(from + 1);
    let is_safe = |&cut: &usize| {
        is_separator(bytes[cut - 1])
            && !bytes[cut.saturating_sub(ESCAPE_BYTES).max(from)..cut].contains(&b'\\')
    };
    (first..=bytes.len()).rev().find(is_safe).unwrap_or(if bytes.len() - from > CUT_BYTES {
        bytes.len()
    } else {
        from
    })
}
