//! Whether an expression holds for a line that is too long to be held: it is shown in pieces.

use super::{Expr, Facts};
use crate::words::is_separator;

/// How far from its end a piece is looked through for a place that is neither in a word nor in an escape.
const CUT_BYTES: usize = 64 << 10;
/// The longest escape, `\uXXXX`.
const ESCAPE_BYTES: usize = 6;

/// A line that is added piece by piece.
///
/// The answer is that of [`Expr::holds`], except that a run of over 64 KiB without an ASCII separator is
/// cut somewhere, and that everything except words and substrings is matched against the line's beginning only.
pub struct Pieces<'e> {
    expr: &'e Expr,
    /// Whether each of the expression's words and substrings, in order, was seen.
    seen: Vec<bool>,
    /// The bytes at the end that the next piece is looked at with.
    held: Vec<u8>,
    /// Where in `held` the bytes begin whose words were not looked at.
    words_from: usize,
    longest: usize,
}

impl<'e> Pieces<'e> {
    /// Returns the state before the first piece.
    pub fn new(expr: &'e Expr) -> Self {
        let leaves = leaves(expr);
        let length = |leaf: &&Expr| match leaf {
            Expr::Substring(finder) => finder.needle().len(),
            _ => 0,
        };
        let longest = leaves.iter().map(length).max().unwrap_or(0);
        Self { expr, seen: vec![false; leaves.len()], held: Vec::new(), words_from: 0, longest }
    }

    /// Looks at the line's next bytes.
    pub fn add(&mut self, piece: &[u8]) {
        self.held.extend_from_slice(piece);
        let cut = safe_cut(&self.held, self.words_from);
        self.look(cut);
        let from = cut.min((self.held.len() + 1).saturating_sub(self.longest));
        self.words_from = cut - from;
        self.held.drain(..from);
    }

    /// Ends the line and returns whether the expression holds for it; `beginning` is the part in memory.
    pub fn end(mut self, beginning: &[u8], facts: &mut Facts<'_>) -> bool {
        self.look(self.held.len());
        holds(self.expr, &mut self.seen.iter().copied(), beginning, facts)
    }

    fn look(&mut self, words_to: usize) {
        let words = &self.held[self.words_from..words_to];
        for (leaf, seen) in leaves(self.expr).into_iter().zip(&mut self.seen) {
            let text = if matches!(leaf, Expr::Substring(_)) { &self.held } else { words };
            *seen = *seen || leaf.judge(text) == Some(true);
        }
    }
}

/// Returns the words and substrings of an expression, in order.
fn leaves(expr: &Expr) -> Vec<&Expr> {
    let mut leaves = Vec::new();
    expr.each_leaf(&mut |leaf| leaves.extend(is_followed(leaf).then_some(leaf)));
    leaves
}

fn is_followed(leaf: &Expr) -> bool {
    matches!(leaf, Expr::Word(_) | Expr::Prefix(_) | Expr::Substring(_))
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
