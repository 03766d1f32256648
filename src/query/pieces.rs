//! Whether an expression holds for a line that is too long to be held: it is shown in pieces.

use super::Expr;
use crate::words::is_word_byte;

/// How far from its end a piece is looked through for a place that is neither in a word nor in an escape.
const CUT_BYTES: usize = 64 << 10;
/// The longest escape, `\uXXXX`.
const ESCAPE_BYTES: usize = 6;

/// A line of which piece after piece is added.
///
/// The answer is that of [`Expr::matches`], except that a run of over 64 KiB without any byte that parts words is
/// cut somewhere.
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
        let mut leaves = Vec::new();
        gather(expr, &mut leaves);
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

    /// Ends the line and returns whether the expression holds for it.
    pub fn end(mut self) -> bool {
        self.look(self.held.len());
        holds(self.expr, &mut self.seen.iter().copied())
    }

    fn look(&mut self, words_to: usize) {
        let mut leaves = Vec::new();
        gather(self.expr, &mut leaves);
        let words = &self.held[self.words_from..words_to];
        for (leaf, seen) in leaves.into_iter().zip(&mut self.seen) {
            *seen = *seen
                || match leaf {
                    Expr::Substring(finder) => finder.find(&self.held).is_some(),
                    leaf => leaf.matches(words),
                };
        }
    }
}

/// Gathers the words and substrings of an expression, in order.
fn gather<'e>(expr: &'e Expr, leaves: &mut Vec<&'e Expr>) {
    match expr {
        Expr::Everything => {}
        Expr::Word(_) | Expr::Substring(_) => leaves.push(expr),
        Expr::And(terms) | Expr::Or(terms) => terms.iter().for_each(|term| gather(term, leaves)),
        Expr::Not(term) => gather(term, leaves),
    }
}

/// Returns whether an expression holds, given what was seen of its leaves. All of them are taken, in order.
fn holds(expr: &Expr, seen: &mut impl Iterator<Item = bool>) -> bool {
    match expr {
        Expr::Everything => true,
        Expr::Word(_) | Expr::Substring(_) => seen.next().unwrap_or_default(),
        Expr::And(terms) => terms.iter().filter(|term| !holds(term, seen)).count() == 0,
        Expr::Or(terms) => terms.iter().filter(|term| holds(term, seen)).count() > 0,
        Expr::Not(term) => !holds(term, seen),
    }
}

/// Returns a place behind `from`, as far back as it can be, that parts words and is in no escape.
fn safe_cut(bytes: &[u8], from: usize) -> usize {
    let first = bytes.len().saturating_sub(CUT_BYTES).max(from + 1);
    let is_safe = |&cut: &usize| {
        !is_word_byte(bytes[cut - 1])
            && !bytes[cut.saturating_sub(ESCAPE_BYTES).max(from)..cut].contains(&b'\\')
    };
    (first..=bytes.len()).rev().find(is_safe).unwrap_or(if bytes.len() - from > CUT_BYTES {
        bytes.len()
    } else {
        from
    })
}
