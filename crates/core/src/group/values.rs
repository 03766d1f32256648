//! The values of `key=value` and `"key":value`.

use super::brackets::{closing, matching};
use super::token::{Token, TokenList};
use super::words::is_telling_key;

/// Masks the values of `key=value` and `"key":value`, unless the key says that the value tells errors apart. A value that
/// is missing is one, too.
/// `is_final` stays if there was none to mask.
pub(super) fn mask_values<'m>(tokens: &[Token<'m>], is_final: &mut bool) -> TokenList<'m> {
    let mut out = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let token = tokens[at];
        out.push(token);
        at += 1;
        if token.is(b"=") {
            at = mask_assigned(tokens, at, &mut out);
        } else if token.is(b":") && is_json_key(&out[..out.len() - 1]) {
            at = mask_json_value(tokens, at, &mut out);
        }
    }
    *is_final &= out == tokens;
    out
}

/// Whether the value of `key` tells errors apart: its last segment is such a word.
fn tells(key: Token<'_>) -> bool {
    let Some(key) = key.text() else { return false };
    let mut start = 0;
    for at in 0..key.len() {
        if b"._-$".contains(&key[at]) {
            start = at + 1;
        } else if at > 0 && key[at - 1].is_ascii_lowercase() && key[at].is_ascii_uppercase() {
            start = at;
        }
    }
    is_telling_key(&key[start..])
}

fn is_json_key(before: &[Token<'_>]) -> bool {
    matches!(before, [.., open, key, close] if open.is(b"\"") && key.is_word() && close.is(b"\""))
}

/// Masks a JSON value at `at`; returns where to go on.
fn mask_json_value<'m>(tokens: &[Token<'m>], at: usize, out: &mut TokenList<'m>) -> usize {
    if tells(out[out.len() - 3]) {
        return at;
    }
    let value = if tokens.get(at + 1).is_some() && tokens[at] == Token::Space { at + 1 } else { at };
    let Some(&first) = tokens.get(value) else {
        return at;
    };
    let end = if first.is(b"\"") {
        matching(tokens, value)
    } else {
        let is_literal = |text: &[u8]| {
            [&b"true"[..], b"false", b"null"].iter().any(|word| text.eq_ignore_ascii_case(word))
        };
        first.text().is_some_and(is_literal).then_some(value)
    };
    end.map_or(at, |end| {
        out.push(Token::Variable);
        end + 1
    })
}

/// Masks the value behind the `=` that `out` ends with; returns where to go on.
fn mask_assigned<'m>(tokens: &[Token<'m>], at: usize, out: &mut TokenList<'m>) -> usize {
    let before = &out[..out.len() - 1];
    let Some(key_at) = before.iter().rposition(|&token| token != Token::Space) else {
        return at;
    };
    let key = before[key_at];
    let is_key =
        key.is_word() || key == Token::Variable || [b"]", b")", b"\"", b"'"].iter().any(|&mark| key.is(mark));
    if !is_key {
        return at;
    }
    let is_last_of_run = is_behind_pair(&before[..key_at]);
    let is_spaced_before = key_at + 1 < before.len();
    let is_spaced_after = tokens.get(at) == Some(&Token::Space);
    let value = at + usize::from(is_spaced_after);
    let first = tokens.get(value).copied();
    // "key= value": no value, unless a lone variable follows that is not a key itself.
    if is_spaced_after && !is_spaced_before && first.is_some() {
        let is_key = tokens.get(value + 1).is_some_and(|next| next.is(b"="));
        if is_key && key.is_word() {
            out.push(Token::Variable);
        }
        if is_key || first != Some(Token::Variable) {
            return at;
        }
    }
    let ends = |first: Token<'_>| [b",", b";", b")", b"]", b"}"].iter().any(|&mark| first.is(mark));
    let Some(first) = first.filter(|&first| !ends(first)) else {
        // That the last of a run of pairs has no value says something: PAM's `ruser= rhost=` is a login on the machine.
        if key.is_word() && !(first.is_none() && is_last_of_run) {
            out.push(Token::Variable);
        }
        return at;
    };
    if first.is(b"=") || tells(key) {
        return at;
    }
    if closing(first).is_some() {
        return matching(tokens, value).map_or(at, |end| {
            out.push(Token::Variable);
            end + 1
        });
    }
    mask_plain_value(tokens, at, value, out)
}

/// Whether the tokens before a key end with another pair.
fn is_behind_pair(before: &[Token<'_>]) -> bool {
    let before = before.strip_suffix(&[Token::Space]).unwrap_or_default();
    let is_assigned = |place: usize| before.len().checked_sub(place).is_some_and(|at| before[at].is(b"="));
    is_assigned(1) || is_assigned(2)
}

/// Masks a value that goes on up to the next space or structure, with the bracket that follows it directly.
fn mask_plain_value<'m>(tokens: &[Token<'m>], at: usize, value: usize, out: &mut TokenList<'m>) -> usize {
    let ends = |token: Token<'_>| {
        token == Token::Space
            || token.text().is_some_and(|text| text.len() == 1 && b",;)]}\"'=({[<>|".contains(&text[0]))
    };
    let end = (value..tokens.len()).find(|&place| ends(tokens[place])).unwrap_or(tokens.len());
    let is_stop = |token: Token<'_>| [&b"."[..], b":", b"!", b"?", b"..."].iter().any(|mark| token.is(mark));
    let last = (value..end).rev().find(|&place| !is_stop(tokens[place]));
    let Some(stop) = last.map(|last| last + 1) else {
        return at;
    };
    out.push(Token::Variable);
    let opens = stop == end
        && tokens.get(end).is_some_and(|next| [b"(", b"{", b"[", b"<"].iter().any(|&mark| next.is(mark)));
    if opens && let Some(close) = matching(tokens, end) {
        return close + 1;
    }
    out.extend_from_slice(&tokens[stop..end]);
    end
}
