//! Tokens to an expression, by recursive descent:
//!
//! ```text
//! expression = all { "OR" all }
//! all        = one { [ "AND" ] one }
//! one        = "NOT" one | "(" expression ")" | field | name sign value | text
//! field      = name ":" ( text | "(" expression ")" )
//! ```

use std::ops::Range;

use super::Expr;
use super::error::QueryError;
use super::field::{Comparison, FieldName, FieldTest, ValueTest, number};
use super::lexer::{FIELDS, Kind, Lexer, Token};
use super::regex::Pattern;
use crate::model::Level;
use crate::words::is_word;

/// The longest expression.
const MAX_BYTES: usize = 16 << 10;
/// How deep parentheses and `NOT` may be nested.
const MAX_DEPTH: usize = 64;
/// How many regular expressions an expression may have; each takes memory.
const MAX_PATTERNS: usize = 32;

/// What a text is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    /// The line.
    Line,
    /// The value of a field.
    Value,
    /// The name of an application.
    App,
    Level,
    Group,
    Family,
    Custom,
}

impl Expr {
    /// Reads an expression. The language is described in docs/search.md.
    pub fn parse(text: &str) -> Result<Self> {
        if text.len() > MAX_BYTES {
            let message = format!("the expression has {} bytes; at most {MAX_BYTES} are allowed", text.len());
            return Err(QueryError::of_all(message));
        }
        let mut parser = Parser { lexer: Lexer::new(text), text, peeked: None, depth: 0, patterns: 0 };
        parser.peeked = parser.lexer.next()?;
        if parser.peeked.is_none() {
            return Ok(Self::Everything);
        }
        let expr = parser.expression(&Subject::Line)?;
        match parser.peeked {
            None => Ok(expr),
            Some(ref token) => Err(parser.stray(token)),
        }
    }
}

struct Parser<'t> {
    lexer: Lexer<'t>,
    text: &'t str,
    peeked: Option<Token>,
    depth: usize,
    patterns: usize,
}

type Result<T> = std::result::Result<T, QueryError>;

impl Parser<'_> {
    fn advance(&mut self) -> Result<Option<Token>> {
        let next = self.lexer.next()?;
        Ok(std::mem::replace(&mut self.peeked, next))
    }

    fn is_next(&self, kind: &Kind) -> bool {
        self.peeked.as_ref().is_some_and(|token| token.kind == *kind)
    }

    fn expression(&mut self, subject: &Subject) -> Result<Expr> {
        let mut terms = vec![self.all(subject)?];
        while self.is_next(&Kind::Or) {
            self.advance()?;
            terms.push(self.all(subject)?);
        }
        Ok(Expr::or(terms))
    }

    fn all(&mut self, subject: &Subject) -> Result<Expr> {
        let mut terms = vec![self.one(subject)?];
        while self.peeked.as_ref().is_some_and(|token| !matches!(token.kind, Kind::Or | Kind::Close)) {
            if self.is_next(&Kind::And) {
                self.advance()?;
            }
            terms.push(self.one(subject)?);
        }
        Ok(Expr::and(terms))
    }

    fn one(&mut self, subject: &Subject) -> Result<Expr> {
        let Some(token) = self.advance()? else {
            let end = self.text.trim_end().len();
            return Err(self.error(
                "a term is missing here",
                Some("an operator needs a term on both sides"),
                end..end,
            ));
        };
        match token.kind {
            Kind::Not => {
                let inner = self.nested(&token.span, |parser| parser.one(subject))?;
                Ok(Expr::Not(Box::new(inner)))
            }
            Kind::Open => self.group(&token.span, subject),
            Kind::Field(name) if *subject == Subject::Line => self.field(&name, &token.span),
            Kind::Comparison(name, comparison, value) if *subject == Subject::Line => {
                self.comparison(&name, comparison, &value, token.span)
            }
            Kind::Field(_) | Kind::Comparison(..) => {
                let hint = "put the text in quotes, or close the parenthesis before it";
                Err(self.error("a field cannot be part of another field's value", Some(hint), token.span))
            }
            Kind::And | Kind::Or | Kind::Close => Err(self.stray(&token)),
            Kind::Bare(_) | Kind::Quoted(_) | Kind::Regex(..) => self.text(token, subject),
        }
    }

    /// Reads the rest of a pair of parentheses after the first one.
    fn group(&mut self, open: &Range<usize>, subject: &Subject) -> Result<Expr> {
        let inner = self.nested(open, |parser| parser.expression(subject))?;
        if self.is_next(&Kind::Close) {
            self.advance()?;
            return Ok(inner);
        }
        let hint = "add `)`, or put the parenthesis in quotes to search for it";
        Err(self.error("the parenthesis is not closed", Some(hint), open.clone()))
    }

    fn nested(&mut self, at: &Range<usize>, read: impl FnOnce(&mut Self) -> Result<Expr>) -> Result<Expr> {
        // The parser calls itself: without a limit, a long row of parentheses would overflow the stack.
        if self.depth == MAX_DEPTH {
            return Err(self.error(&format!("nested deeper than {MAX_DEPTH}"), None, at.clone()));
        }
        self.depth += 1;
        let inner = read(self);
        self.depth -= 1;
        inner
    }

    fn field(&mut self, name: &str, span: &Range<usize>) -> Result<Expr> {
        let follows = self.peeked.as_ref().is_some_and(|next| next.span.start == span.end);
        if !follows {
            let hint = format!(
                "write the value directly after the colon: `{name}:value`; for the text itself write `\"{name}:\"`"
            );
            return Err(self.error(&format!("`{name}:` has no value"), Some(&hint), span.clone()));
        }
        let value = match name {
            "level" => return self.one(&Subject::Level),
            "group" => return self.one(&Subject::Group),
            "family" => return self.one(&Subject::Family),
            "custom" | "rule" => return self.one(&Subject::Custom),
            "app" => return Ok(Expr::App(Box::new(self.one(&Subject::App)?))),
            _ => self.one(&Subject::Value)?,
        };
        Ok(match name {
            "object" => Expr::Object(Box::new(value)),
            name => field_expr(FieldName::named(name), ValueTest::Text(value)),
        })
    }

    fn comparison(
        &mut self,
        name: &str,
        comparison: Comparison,
        value: &str,
        span: Range<usize>,
    ) -> Result<Expr> {
        if name == "level" {
            let level = self.level(value, span)?;
            let levels = Level::ALL.into_iter().filter(|other| comparison.holds(other, &level));
            return Ok(Expr::Levels(levels.fold(0, |mask, level| mask | level.bit())));
        }
        let limit = number(value).unwrap_or_default();
        Ok(field_expr(FieldName::Path(name.to_owned()), ValueTest::Number(comparison, limit)))
    }

    fn text(&mut self, token: Token, subject: &Subject) -> Result<Expr> {
        if self.text[token.span.clone()].contains('\n') && *subject == Subject::Line {
            let message = "a search text cannot contain a newline";
            return Err(self.error(message, Some("lines are searched one by one"), token.span));
        }
        match (subject, token.kind) {
            (_, Kind::Bare(text)) if text.starts_with(')') => {
                let hint = "put the parenthesis in quotes to search for it";
                Err(self.error("this parenthesis closes nothing", Some(hint), token.span))
            }
            (Subject::Level, Kind::Bare(word) | Kind::Quoted(word)) => {
                Ok(Expr::Levels(self.level(&word, token.span)?.bit()))
            }
            (Subject::Group | Subject::Family, Kind::Bare(word) | Kind::Quoted(word)) => {
                let leaf = if *subject == Subject::Group { Expr::Group } else { Expr::Family };
                word.parse().map(leaf).map_err(|reason: String| self.error(&reason, None, token.span))
            }
            (Subject::Custom, Kind::Bare(word) | Kind::Quoted(word)) => Ok(Expr::Custom(word)),
            (Subject::Level | Subject::Group | Subject::Family | Subject::Custom, _) => {
                Err(self.error("a level or a group must be a plain word", None, token.span))
            }
            (_, Kind::Regex(pattern, ignores_case)) => self.regex(&pattern, ignores_case, token.span),
            (Subject::App, Kind::Quoted(name)) => Ok(Expr::Name { text: name.into(), is_prefix: false }),
            (Subject::App, Kind::Bare(name)) => {
                let start = name.strip_suffix('*');
                Ok(Expr::Name { text: start.unwrap_or(&name).into(), is_prefix: start.is_some() })
            }
            (_, Kind::Quoted(text)) => Ok(Expr::phrase(text.as_bytes())),
            (_, Kind::Bare(text)) => Ok(bare(&text, subject)),
            (_, _) => Err(self.error("a text is missing here", None, token.span)),
        }
    }

    fn regex(&mut self, pattern: &str, ignores_case: bool, span: Range<usize>) -> Result<Expr> {
        self.patterns += 1;
        // Each pattern becomes an automaton of its own, which takes memory.
        if self.patterns > MAX_PATTERNS {
            return Err(self.error(&format!("more than {MAX_PATTERNS} regular expressions"), None, span));
        }
        Pattern::new(pattern, ignores_case).map(Expr::from).map_err(|reason| {
            let hint = "put a text with slashes in quotes to search for it literally";
            self.error(&format!("invalid regular expression: {reason}"), Some(hint), span)
        })
    }

    fn level(&self, word: &str, span: Range<usize>) -> Result<Level> {
        word.parse().map_err(|reason: String| {
            let likeness = |level: &Level| strsim::jaro_winkler(&word.to_lowercase(), level.name());
            let nearest = Level::ALL.into_iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
            let nearest = nearest.filter(|level| likeness(level) > 0.7);
            let hint = nearest.map(|level| format!("did you mean `{level}`?"));
            self.error(&reason, hint.as_deref(), span)
        })
    }

    fn stray(&self, token: &Token) -> QueryError {
        let (message, hint) = match token.kind {
            Kind::Close => {
                ("there is no term before this parenthesis", "write a term between the parentheses")
            }
            _ => (
                "there is no term before this operator",
                "an operator needs a term on both sides; to search for the word itself, put it in quotes",
            ),
        };
        self.error(message, Some(hint), token.span.clone())
    }

    fn error(&self, message: &str, hint: Option<&str>, span: Range<usize>) -> QueryError {
        QueryError {
            message: message.to_owned(),
            hint: hint.map(str::to_owned),
            span,
            text: self.text.to_owned(),
        }
    }
}

fn field_expr(name: FieldName, test: ValueTest) -> Expr {
    Expr::Field(Box::new(FieldTest { name, test }))
}

/// Reads a text without quotes: a word, the start of one, or else exact bytes. `name:value` is both those bytes and a
/// field.
fn bare(text: &str, subject: &Subject) -> Expr {
    if is_word(text.as_bytes()) {
        return Expr::Word(text.into());
    }
    match text.strip_suffix('*') {
        Some(start) if is_word(start.as_bytes()) => return Expr::Prefix(start.into()),
        Some(start) if *subject == Subject::Value => return Expr::phrase(start.as_bytes()),
        _ => {}
    }
    let bytes = Expr::phrase(text.as_bytes());
    match text.split_once(':') {
        Some((name, value)) if *subject == Subject::Line && is_path(name) && is_value(value) => {
            let value = ValueTest::Text(bare(value, &Subject::Value));
            Expr::Or(vec![bytes, field_expr(FieldName::Path(name.to_owned()), value)])
        }
        _ => bytes,
    }
}

/// Returns whether a text can be the value of a field without quotes.
fn is_value(text: &str) -> bool {
    !text.is_empty() && !["AND", "OR", "NOT"].contains(&text)
}

/// Returns whether a text can be the name of a field.
pub(super) fn is_path(name: &str) -> bool {
    let is_inside = |character: char| character.is_ascii_alphanumeric() || "_@$.-".contains(character);
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || "_@$".contains(first));
    begins && name.chars().all(is_inside) && !FIELDS.contains(&name)
}

/// Returns whether an expression calls custom groups by their old name, `rule:`, which is still read.
pub fn has_old_name_of_custom(text: &str) -> bool {
    let mut lexer = Lexer::new(text);
    std::iter::from_fn(|| lexer.next().ok().flatten())
        .any(|token| matches!(&token.kind, Kind::Field(name) if name == "rule"))
}

/// Returns a word between two others that may have been meant as an operator: `or` for `OR`.
pub fn lower_case_operator(text: &str) -> Option<&str> {
    let mut lexer = Lexer::new(text);
    let tokens: Vec<_> = std::iter::from_fn(|| lexer.next().ok().flatten()).collect();
    let is_meant = |token: &Token| matches!(&token.kind, Kind::Bare(word) if word == "and" || word == "or");
    let is_term = |token: &Token| !matches!(token.kind, Kind::And | Kind::Or | Kind::Not);
    tokens.windows(3).find_map(|window| match window {
        [left, word, right] if is_term(left) && is_meant(word) && is_term(right) => {
            Some(&text[word.span.clone()])
        }
        _ => None,
    })
}
