//! Brackets and quotes of a message, and what they hold.

use super::token::{Token, TokenList, is_listed};

/// How many tokens ahead a bracket's match is looked for.
const REACH: usize = 40;

pub(super) fn closing(open: Token<'_>) -> Option<&'static [u8]> {
    Some(match open.text()? {
        b"(" => b")",
        b"[" => b"]",
        b"{" => b"}",
        b"<" => b">",
        b"\"" => b"\"",
        b"'" => b"'",
        _ => return None,
    })
}

/// The place of the bracket or quote that closes the one at `at`.
pub(super) fn matching(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let open = tokens[at];
    let close = closing(open)?;
    let is_quote = open.is(close);
    let mut depth = 1;
    // Bounded, or a message of many open brackets would take quadratic time.
    let reach = tokens.len().min(at + REACH);
    for (place, token) in tokens.iter().enumerate().take(reach).skip(at + 1) {
        if token.is(close) {
            if is_quote || depth == 1 {
                return Some(place);
            }
            depth -= 1;
        } else if *token == open {
            depth += 1;
        }
    }
    None
}

/// Drops brackets that hold nothing but variables and separators: `(…)` wholly, others for one variable.
/// Returns whether there was one.
pub(super) fn collapse_brackets(tokens: &mut TokenList<'_>) -> bool {
    let before = tokens.len();
    loop {
        let mut out: TokenList<'_> = Vec::with_capacity(tokens.len());
        let mut changed = false;
        let mut at = 0;
        while at < tokens.len() {
            let is_first = begins(&out) || !tokens[at].is(b"(") && is_behind_bracket(&out);
            match hollow_bracket(tokens, at).filter(|_| is_first) {
                Some(close) if tokens[at].is(b"(") => {
                    let had_space = out.pop().is_some();
                    let skips_space = !had_space && tokens.get(close + 1) == Some(&Token::Space);
                    at = close + 1 + usize::from(skips_space);
                    changed = true;
                }
                Some(close) if tokens[at..close].contains(&Token::Variable) => {
                    out.push(Token::Variable);
                    at = close + 1;
                    changed = true;
                }
                _ => {
                    out.push(tokens[at]);
                    at += 1;
                }
            }
        }
        *tokens = out;
        if !changed {
            return tokens.len() < before;
        }
    }
}

/// Whether the next token is the first of a message, or behind a space.
fn begins(before: &[Token<'_>]) -> bool {
    before.last().is_none_or(|&last| last == Token::Space)
}

/// Whether the next token is the first in a bracket, as in `[<c0128b5f>]`. Deeper ones are not looked for: each level takes
/// another pass.
fn is_behind_bracket(before: &[Token<'_>]) -> bool {
    let [around @ .., open] = before else { return false };
    [b"(", b"[", b"{"].iter().any(|&mark| open.is(mark)) && begins(around)
}

/// The place of the closing bracket, if only variables and separators stand between.
fn hollow_bracket(tokens: &[Token<'_>], at: usize) -> Option<usize> {
    let is_bracket = [b"(", b"[", b"{", b"<"].iter().any(|&mark| tokens[at].is(mark));
    let close = closing(tokens[at]).filter(|_| is_bracket)?;
    let end = (at + 1..tokens.len()).find(|&place| !is_listed(tokens[place]))?;
    tokens[end].is(close).then_some(end)
}
