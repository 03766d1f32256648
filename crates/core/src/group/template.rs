//! Message to template: what varies is masked, so that the events of one error have one template. A pure
//! function of the message, without state and without learning.

use std::borrow::Cow;

use super::brackets::{collapse_brackets, matching};
use super::token::{Token, TokenList, VARIABLE, is_alphanumeric, is_listed, is_space, tokens};
use super::values::mask_values;
use super::words::{DAY, FOR, MONTH, NAMING_NOUN, QUOTING, UNIT, is_no_name, roles};

/// No more of a message is looked at: what an error is about stands at its start.
const MAX_BYTES: usize = 4096;
/// The same before colours and blanks around it are taken away.
const MAX_RAW_BYTES: usize = 4 * MAX_BYTES;

/// Returns the template of a message: variables as `<*>`, white space as single blanks. The template of a template
/// is itself.
pub fn template(message: &str) -> String {
    let mut found = masked(message);
    // Each round only ever takes text away, so there is a last one; mostly it is the first or the second.
    while !found.is_final {
        let next = masked(&found.text);
        if next.text == found.text {
            break;
        }
        found = next;
    }
    found.text
}

/// A message after one round of the rules.
struct Masked {
    text: String,
    /// Whether another round is known to change nothing.
    is_final: bool,
}

/// Applies each rule once.
fn masked(message: &str) -> Masked {
    let plain = without_colours(&message.as_bytes()[..message.floor_char_boundary(MAX_RAW_BYTES)]);
    let trimmed = trim(&plain);
    let trimmed = &trimmed[..boundary(trimmed, MAX_BYTES)];
    let mut tokens = tokens(trimmed);
    let mut is_final = tokens.is_plain && matches!(plain, Cow::Borrowed(_));
    let list = &mut tokens.list;
    // The rules run in this order, because each looks for the variables that those before it have made. The roles of
    // all words tell in advance which of them have nothing to do.
    if tokens.roles & (MONTH | DAY) != 0 {
        is_final &= !mask_dates(list);
    }
    if tokens.has_values {
        *list = mask_values(list, &mut is_final);
    }
    if tokens.has_brackets || tokens.roles & UNIT != 0 {
        is_final &= !drop_comparators_and_units(list);
    }
    if tokens.roles & (NAMING_NOUN | FOR) != 0 {
        is_final &= !mask_names(list);
    }
    if tokens.roles & QUOTING != 0 {
        is_final &= !mask_quoted(list);
    }
    is_final &= !trim_plurals(list);
    if tokens.has_brackets {
        is_final &= !collapse_brackets(list);
    }
    is_final &= !collapse_lists(list);
    let has_letters = has_letters(list);
    // Of a message such as `404 / 17` everything would be a variable, and all such messages one group.
    let text = if has_letters { join(list, trimmed.len()) } else { mask_digits(trimmed) };
    is_final &= has_letters && text.len() <= MAX_BYTES;
    Masked { text, is_final }
}

/// The last boundary of a character up to `limit`.
fn boundary(text: &[u8], limit: usize) -> usize {
    // A cut inside a character would make a U+FFFD of its rest, and of one message two templates.
    let is_inside = |at: usize| text.get(at).is_some_and(|&byte| byte & 0xc0 == 0x80);
    let mut at = limit.min(text.len());
    while is_inside(at) {
        at -= 1;
    }
    at
}

/// Removes ANSI control sequences: `ESC [ digits and semicolons, a letter`.
fn without_colours(message: &[u8]) -> Cow<'_, [u8]> {
    if memchr::memchr(0x1b, message).is_none() {
        return message.into();
    }
    let mut out = Vec::with_capacity(message.len());
    let mut rest = message;
    while let Some(&first) = rest.first() {
        let parameters =
            rest.iter().skip(2).take_while(|byte| byte.is_ascii_digit() || **byte == b';').count();
        let is_sequence =
            rest.starts_with(b"\x1b[") && rest.get(2 + parameters).is_some_and(u8::is_ascii_alphabetic);
        if is_sequence {
            rest = &rest[3 + parameters..];
        } else {
            out.push(first);
            rest = &rest[1..];
        }
    }
    out.into()
}

fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|&byte| !is_space(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|&byte| !is_space(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// Month and day names beside a variable are part of a date, and so are those beside these. Returns whether there
/// was one.
fn mask_dates(tokens: &mut TokenList<'_>) -> bool {
    let before = tokens.clone();
    let is_month = |token: Token<'_>| token.text().is_some_and(|text| roles(text) & MONTH != 0);
    let is_gap = |token: Token<'_>| {
        token == Token::Space || [b"-", b"/", b",", b"."].iter().any(|&mark| token.is(mark))
    };
    mask_behind(tokens.iter_mut(), is_month, is_gap);
    // In both directions: `3 Jan 2026` and `Jan 3, 2026`.
    mask_behind(tokens.iter_mut().rev(), is_month, is_gap);
    mask_behind(
        tokens.iter_mut().rev(),
        |token| token.text().is_some_and(|text| roles(text) & DAY != 0),
        |token| token == Token::Space || token.is(b","),
    );
    *tokens != before
}

/// Masks what `varies` next behind a variable, in the order of `tokens`, gaps between them aside.
fn mask_behind<'t, 'm: 't>(
    tokens: impl Iterator<Item = &'t mut Token<'m>>,
    varies: impl Fn(Token<'m>) -> bool,
    is_gap: impl Fn(Token<'m>) -> bool,
) {
    let mut is_behind = false;
    for token in tokens {
        if is_behind && varies(*token) {
            *token = Token::Variable;
        }
        if !is_gap(*token) {
            is_behind = *token == Token::Variable;
        }
    }
}

/// Drops `<` and `>` before a variable, and units behind one. Returns whether there was one.
fn drop_comparators_and_units(tokens: &mut TokenList<'_>) -> bool {
    let before = tokens.len();
    let mut kept = 0;
    for at in 0..before {
        let token = tokens[at];
        if is_comparator(tokens, at) {
            continue;
        }
        if let Some(dots) = dots_behind_unit(token, tokens.get(at + 1)) {
            match &tokens[..kept] {
                [.., Token::Variable] => {}
                [.., Token::Variable, Token::Space] => kept -= 1,
                _ => {
                    tokens[kept] = token;
                    kept += 1;
                    continue;
                }
            }
            if dots {
                tokens[kept] = Token::Text(b".");
                kept += 1;
            }
            continue;
        }
        tokens[kept] = token;
        kept += 1;
    }
    tokens.truncate(kept);
    kept < before
}

/// Whether the token at `at` is a `<` or `>` before a variable.
fn is_comparator(tokens: &[Token<'_>], at: usize) -> bool {
    (tokens[at].is(b"<") || tokens[at].is(b">"))
        && tokens.get(at + 1) == Some(&Token::Variable)
        && (at == 0 || tokens[at - 1] == Token::Space)
        && !tokens.get(at + 2).is_some_and(|after| after.is(b">"))
}

/// Whether dots follow in a token that is a unit; `None` if it is not one, or is the key of a value.
fn dots_behind_unit(token: Token<'_>, next: Option<&Token<'_>>) -> Option<bool> {
    let text = token.text()?;
    let len = text.iter().rposition(|&byte| byte != b'.').map_or(0, |last| last + 1);
    let is_unit = roles(&text[..len]) & UNIT != 0 && !next.is_some_and(|next| next.is(b"="));
    is_unit.then_some(len < text.len())
}

/// Masks the name behind `user`, `login`, `domain` …, and in `for NAME from <*>`. Returns whether there was one.
fn mask_names(tokens: &mut TokenList<'_>) -> bool {
    let mut changed = false;
    for at in 0..tokens.len() {
        let roles = tokens[at].text().map_or(0, roles);
        let is_noun = roles & NAMING_NOUN != 0;
        if is_noun && names_somebody(tokens, at) || roles & FOR != 0 && is_for_from(tokens, at) {
            tokens[at + 2] = Token::Variable;
            changed = true;
        } else if is_noun && is_quoted_word(&tokens[at + 1..]) {
            tokens[at + 3] = Token::Variable;
            changed = true;
        }
    }
    changed
}

/// Whether a quoted word follows, behind a space: `user 'alice'`.
fn is_quoted_word(tokens: &[Token<'_>]) -> bool {
    let [Token::Space, open, name, close, ..] = tokens else { return false };
    (open.is(b"'") || open.is(b"\"")) && open == close && name.is_word()
}

/// Masks what is quoted behind `entry`, `value`, `string` and the like, where a message quotes an input. Returns whether there was any.
fn mask_quoted(tokens: &mut TokenList<'_>) -> bool {
    let mut out = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while let Some(&token) = tokens.get(at) {
        out.push(token);
        at += 1;
        let is_quoting = token.text().is_some_and(|text| roles(text) & QUOTING != 0);
        let quoted = if is_quoting && at < tokens.len() { quoted_behind(&tokens[at..]) } else { None };
        if let Some((open, close)) = quoted {
            out.extend_from_slice(&tokens[at..=at + open]);
            out.push(Token::Variable);
            at += close;
        }
    }
    let changed = out != *tokens;
    *tokens = out;
    changed
}

/// The quotes around a text, behind a space and perhaps a colon.
fn quoted_behind(tokens: &[Token<'_>]) -> Option<(usize, usize)> {
    let colon = usize::from(tokens.first()?.is(b":"));
    let open = colon + 1;
    let is_open = tokens.get(open).is_some_and(|token| token.is(b"'") || token.is(b"\""));
    if tokens.get(colon) != Some(&Token::Space) || !is_open {
        return None;
    }
    matching(tokens, open).map(|close| (open, close))
}

fn names_somebody(tokens: &[Token<'_>], at: usize) -> bool {
    let Some(name) = tokens.get(at + 2) else {
        return false;
    };
    let is_stop = |token: &Token<'_>| token.text().is_some_and(is_no_name);
    if tokens[at + 1] != Token::Space || !name.is_word() || is_stop(name) {
        return false;
    }
    let next = match tokens.get(at + 3) {
        Some(Token::Space) => tokens.get(at + 4).or(Some(&Token::Space)),
        other => other,
    };
    next.is_none_or(|next| !next.is_word() || is_stop(next))
}

fn is_for_from(tokens: &[Token<'_>], at: usize) -> bool {
    let Some([space, name, second, from, third, variable]) = tokens.get(at + 1..at + 7) else {
        return false;
    };
    [space, second, third].iter().all(|&&token| token == Token::Space)
        && name.is_word()
        && from.text().is_some_and(|from| from.eq_ignore_ascii_case(b"from"))
        && *variable == Token::Variable
}

/// `<*> files` and `<*> file` are one. Returns whether there was one.
fn trim_plurals(tokens: &mut TokenList<'_>) -> bool {
    let mut changed = false;
    for at in 2..tokens.len() {
        if tokens[at - 1] == Token::Space
            && tokens[at - 2] == Token::Variable
            && let Token::Text(word) = tokens[at]
            && let [.., before, b's'] = word
            && word.len() >= 4
            // `class` and `status` are not plurals.
            && !b"su".contains(before)
            && word.iter().all(|&byte| byte.is_ascii_alphabetic() || byte >= 0x80)
        {
            tokens[at] = Token::Text(&word[..word.len() - 1]);
            changed = true;
        }
    }
    changed
}

/// A list of variables is one variable. Returns whether there was one.
fn collapse_lists(tokens: &mut TokenList<'_>) -> bool {
    let before = tokens.len();
    let (mut at, mut kept) = (0, 0);
    while at < before {
        tokens[kept] = tokens[at];
        kept += 1;
        if tokens[at] == Token::Variable {
            let listed = tokens[at..].iter().take_while(|&&token| is_listed(token)).count();
            let last = tokens[at..at + listed].iter().rposition(|&token| token == Token::Variable);
            at += last.unwrap_or(0);
        }
        at += 1;
    }
    tokens.truncate(kept);
    kept < before
}

fn has_letters(tokens: &[Token<'_>]) -> bool {
    let is_letter =
        |byte: &u8| byte.is_ascii_alphabetic() || is_alphanumeric(*byte) && !byte.is_ascii_digit();
    tokens.iter().filter_map(|token| token.text()).any(|text| text.iter().any(is_letter))
}

fn join(tokens: &[Token<'_>], size_hint: usize) -> String {
    let mut out = Vec::with_capacity(size_hint + 16);
    for token in tokens {
        match token {
            Token::Space if out.last().is_none_or(|&last| last == b' ') => {}
            Token::Space => out.push(b' '),
            Token::Variable => out.extend_from_slice(VARIABLE.as_bytes()),
            Token::Text(text) => out.extend_from_slice(text),
        }
    }
    while out.last() == Some(&b' ') {
        out.pop();
    }
    into_string(out)
}

/// The template of a message without a letter outside its variables: only its numbers are masked, those in hex with their
/// letters.
fn mask_digits(message: &[u8]) -> String {
    let mut out = Vec::with_capacity(message.len());
    let mut rest = message;
    while let Some(&byte) = rest.first() {
        let word = rest.iter().position(|&byte| !is_alphanumeric(byte)).unwrap_or(rest.len());
        if word > 0 {
            mask_digits_of(&rest[..word], &mut out);
        } else if !is_space(byte) {
            out.push(byte);
        } else if out.last() != Some(&b' ') {
            out.push(b' ');
        }
        rest = &rest[word.max(1)..];
    }
    into_string(out)
}

fn mask_digits_of(word: &[u8], out: &mut Vec<u8>) {
    let hex = word.strip_prefix(b"0x").unwrap_or(word);
    let has_digit = word.iter().any(u8::is_ascii_digit);
    if has_digit && hex.iter().all(u8::is_ascii_hexdigit) {
        return out.extend_from_slice(VARIABLE.as_bytes());
    }
    let mut before = b' ';
    for &byte in word {
        match byte {
            b'0'..=b'9' if before.is_ascii_digit() => {}
            b'0'..=b'9' => out.extend_from_slice(VARIABLE.as_bytes()),
            other => out.push(other),
        }
        before = byte;
    }
}

/// A text that was only cut at ASCII bytes is still valid UTF-8.
fn into_string(text: Vec<u8>) -> String {
    String::from_utf8(text).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
