//! The text of an expression to tokens. Log lines are full of brackets, slashes and colons, so what only looks like an
//! operator is left a plain text: a regular expression ends with a slash before a blank, `foo(bar)` and
//! `db-7:5432` are texts.

use std::ops::Range;

use super::error::QueryError;
use super::field::Comparison;
use crate::words::is_word;

/// Names that are always fields when a colon follows.
pub(super) const FIELDS: [&str; 9] =
    ["app", "level", "logger", "thread", "group", "family", "object", "custom", "rule"];

/// A token and its position.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) span: Range<usize>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Open,
    Close,
    And,
    Or,
    Not,
    /// `name:`, with what follows as a token of its own.
    Field(String),
    /// `name>=value`
    Comparison(String, Comparison, String),
    /// A text without quotes.
    Bare(String),
    /// The text between quotes, without the escapes.
    Quoted(String),
    /// The pattern between slashes, and whether it ignores case.
    Regex(String, bool),
}

/// Reads an expression token by token.
pub(super) struct Lexer<'t> {
    text: &'t str,
    at: usize,
    /// How many parentheses are open.
    depth: usize,
    /// Whether the last token was a field, whose value follows.
    is_value: bool,
}

impl<'t> Lexer<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0, depth: 0, is_value: false }
    }

    /// Returns the next token; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token>, QueryError> {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else { return Ok(None) };
        let is_value = std::mem::take(&mut self.is_value);
        let (kind, len) = match first {
            '(' => {
                self.depth += 1;
                (Kind::Open, 1)
            }
            ')' if self.depth > 0 => {
                self.depth -= 1;
                (Kind::Close, 1)
            }
            '"' => self.quoted(rest)?,
            '/' => match regex(rest) {
                Some(found) => found,
                None if is_value => return Err(self.open_regex(rest)),
                None => text(self.bare(rest)),
            },
            _ if is_value => operator(self.bare(rest)),
            _ => self.named(rest).unwrap_or_else(|| operator(self.bare(rest))),
        };
        let span = self.at..self.at + len;
        self.at = span.end;
        Ok(Some(Token { kind, span }))
    }

    /// Reads `"…"`; `\"` and `\\` inside mean a quote and a backslash.
    fn quoted(&self, rest: &str) -> Result<(Kind, usize), QueryError> {
        let mut text = String::new();
        let mut chars = rest.char_indices().skip(1);
        while let Some((at, character)) = chars.next() {
            match character {
                '"' => return Ok((Kind::Quoted(text), at + 1)),
                '\\' if rest[at + 1..].starts_with(['"', '\\']) => {
                    text.extend(chars.next().map(|(_, next)| next));
                }
                other => text.push(other),
            }
        }
        let hint = "end it with `\"`; write `\\\"` for a quote inside";
        Err(self.error("the quote is not closed", hint, self.at..self.at + 1))
    }

    fn open_regex(&self, rest: &str) -> QueryError {
        let len = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let hint = "end it with `/`, or `/i` to ignore case, and write `\\/` for a slash inside; put a text that begins with a slash in quotes";
        self.error("the regular expression is not closed", hint, self.at..self.at + len)
    }

    /// Reads up to a blank, or up to the parenthesis that closes one opened before.
    fn bare<'r>(&self, rest: &'r str) -> &'r str {
        let mut inner = 0_usize;
        let end = rest.find(|character: char| {
            match character {
                '(' => inner += 1,
                ')' if inner == 0 && self.depth > 0 => return true,
                ')' => inner = inner.saturating_sub(1),
                _ => {}
            }
            character.is_whitespace()
        });
        &rest[..end.unwrap_or(rest.len())]
    }

    /// Reads `name:` before a value, or `name>=value`.
    fn named(&mut self, rest: &str) -> Option<(Kind, usize)> {
        let is_inside = |character: char| character.is_ascii_alphanumeric() || "_@$.-".contains(character);
        let name = &rest[..rest.find(|character| !is_inside(character)).unwrap_or(rest.len())];
        let is_name = name.starts_with(|first: char| first.is_ascii_alphabetic() || "_@$".contains(first));
        let behind = rest[name.len()..].strip_prefix(':');
        if let (true, Some(behind)) = (is_name, behind) {
            if !FIELDS.contains(&name) && !self.is_only_value(behind) {
                return None;
            }
            self.is_value = true;
            return Some((Kind::Field(name.to_owned()), name.len() + 1));
        }
        let (sign, comparison) =
            Comparison::SIGNS.into_iter().find(|(sign, _)| rest[name.len()..].starts_with(sign))?;
        let start = name.len() + sign.len();
        let value = self.bare(&rest[start..]);
        let is_compared = name == "level" || super::field::number(value).is_some();
        let ends_as_name = name.ends_with(|last: char| last.is_ascii_alphanumeric() || last == '_');
        (is_name && ends_as_name && is_compared)
            .then(|| (Kind::Comparison(name.to_owned(), comparison, value.to_owned()), start + value.len()))
    }

    /// Returns whether the text after `name:` can only be a field's value.
    fn is_only_value(&self, behind: &str) -> bool {
        let start = self.bare(behind).strip_suffix('*');
        let is_prefix = start.is_some_and(|start| start.is_empty() || is_word(start.as_bytes()));
        behind.starts_with(['"', '(']) || regex(behind).is_some() || is_prefix
    }

    fn error(&self, message: &str, hint: &str, span: Range<usize>) -> QueryError {
        QueryError {
            message: message.to_owned(),
            hint: Some(hint.to_owned()),
            span,
            text: self.text.to_owned(),
        }
    }
}

/// Reads `/…/` or `/…/i`, if there is one here. `\/` inside means a slash.
fn regex(rest: &str) -> Option<(Kind, usize)> {
    let mut pattern = String::new();
    let mut chars = rest.strip_prefix('/')?.char_indices();
    let end = loop {
        match chars.next()? {
            (at, '/') => break at + 2,
            (_, '\\') => match chars.next()? {
                (_, '/') => pattern.push('/'),
                (_, escaped) => pattern.extend(['\\', escaped]),
            },
            (_, character) => pattern.push(character),
        }
    };
    let behind = &rest[end..];
    let ignores_case = behind.starts_with('i');
    let behind = behind.strip_prefix('i').unwrap_or(behind);
    let is_end = behind.is_empty() || behind.starts_with(|next: char| next.is_whitespace() || next == ')');
    (is_end && !pattern.is_empty())
        .then_some((Kind::Regex(pattern, ignores_case), end + usize::from(ignores_case)))
}

/// Takes a text as what it is, and `AND`, `OR` and `NOT` as operators.
fn operator(word: &str) -> (Kind, usize) {
    match word {
        "AND" => (Kind::And, word.len()),
        "OR" => (Kind::Or, word.len()),
        "NOT" => (Kind::Not, word.len()),
        _ => text(word),
    }
}

fn text(word: &str) -> (Kind, usize) {
    (Kind::Bare(word.to_owned()), word.len())
}
