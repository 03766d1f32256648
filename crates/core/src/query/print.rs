//! An expression back to text that reads as the same expression.

use std::fmt;

use super::Expr;
use super::field::{FieldTest, ValueTest};
use crate::model::Level;

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("\"\""),
            Self::Word(word) => f.write_str(&String::from_utf8_lossy(word)),
            Self::Prefix(start) => write!(f, "{}*", String::from_utf8_lossy(start)),
            Self::Phrase(phrase) => quoted(f, phrase.text()),
            Self::Substring(finder) => quoted(f, finder.needle()),
            Self::Regex(pattern) => regex(f, pattern.text(), pattern.ignores_case()),
            Self::Name { text, is_prefix: true } => write!(f, "{}*", String::from_utf8_lossy(text)),
            Self::Name { text, .. } => quoted(f, text),
            Self::Levels(mask) => levels(f, *mask),
            Self::Group(group) => write!(f, "group:{group}"),
            Self::Family(group) => write!(f, "family:{group}"),
            Self::Custom(name) => {
                f.write_str("custom:")?;
                quoted(f, name.as_bytes())
            }
            Self::App(test) if matches!(**test, Self::Name { .. }) => write!(f, "app:{test}"),
            Self::App(test) => write!(f, "app:({test})"),
            Self::Object(test) => write!(f, "object:({test})"),
            Self::Field(test) => field(f, test),
            Self::And(terms) => joined(f, terms, " "),
            Self::Or(terms) => joined(f, terms, " OR "),
            Self::Not(term) => {
                f.write_str("NOT ")?;
                operand(f, term)
            }
        }
    }
}

/// Writes an operand, in parentheses if it has operators.
fn operand(f: &mut fmt::Formatter<'_>, expr: &Expr) -> fmt::Result {
    match expr {
        Expr::And(_) | Expr::Or(_) => write!(f, "({expr})"),
        expr => write!(f, "{expr}"),
    }
}

fn joined(f: &mut fmt::Formatter<'_>, terms: &[Expr], operator: &str) -> fmt::Result {
    for (number, term) in terms.iter().enumerate() {
        if number > 0 {
            f.write_str(operator)?;
        }
        operand(f, term)?;
    }
    Ok(())
}

fn quoted(f: &mut fmt::Formatter<'_>, text: &[u8]) -> fmt::Result {
    let text = String::from_utf8_lossy(text).replace('\\', "\\\\").replace('"', "\\\"");
    write!(f, "\"{text}\"")
}

fn regex(f: &mut fmt::Formatter<'_>, pattern: &str, ignores_case: bool) -> fmt::Result {
    f.write_str("/")?;
    let mut chars = pattern.chars();
    while let Some(character) = chars.next() {
        match character {
            '/' => f.write_str("\\/")?,
            '\\' => write!(f, "\\{}", chars.next().unwrap_or_default())?,
            other => write!(f, "{other}")?,
        }
    }
    f.write_str(if ignores_case { "/i" } else { "/" })
}

fn levels(f: &mut fmt::Formatter<'_>, mask: u8) -> fmt::Result {
    let names: Vec<_> =
        Level::ALL.into_iter().filter(|level| mask & level.bit() != 0).map(Level::name).collect();
    match names[..] {
        [] => f.write_str("level<unknown"),
        [name] => write!(f, "level:{name}"),
        _ => write!(f, "level:({})", names.join(" OR ")),
    }
}

fn field(f: &mut fmt::Formatter<'_>, field: &FieldTest) -> fmt::Result {
    let name = field.name.text();
    match &field.test {
        ValueTest::Text(test) => write!(f, "{name}:({test})"),
        ValueTest::Number(comparison, limit) => write!(f, "{name}{}{limit}", comparison.sign()),
    }
}
