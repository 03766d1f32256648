//! The search expression: its text ([`Expr::parse`]), and its two readings: an exact predicate on a line
//! ([`Expr::holds`]), and what a block must hold for it to be true of one of its lines ([`Expr::need`]).

mod advice;
mod error;
mod expr;
mod field;
mod lexer;
mod need;
mod parser;
mod phrase;
mod pieces;
mod places;
mod print;
mod regex;
mod spans;
#[cfg(test)]
mod tests;

pub use self::advice::Advice;
pub use self::error::QueryError;
pub use self::expr::{Expr, Facts, ObjectFacts};
pub use self::field::{Comparison, FieldName, FieldTest, ValueTest};
pub use self::need::Need;
pub use self::parser::{has_old_name_of_custom, lower_case_operator};
pub use self::phrase::Phrase;
pub use self::pieces::Pieces;
pub use self::places::Places;
pub use self::regex::Pattern;
