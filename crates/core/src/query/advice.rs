//! What may have been meant otherwise, where an expression finds nothing.

use super::lexer::{FIELDS, Kind, Lexer, Token};
use super::parser::is_path;
use crate::words::{is_unspaced, is_word};

/// A part of an expression that often finds nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// A text in which `*` stands elsewhere than at its end, and the regular expression that was meant.
    Wildcard {
        /// The text.
        text: String,
        /// The regular expression, with its slashes.
        regex: String,
    },
    /// A word of a script without spaces: there, it may be a part of a longer word.
    Unspaced(String),
    /// The name of a field.
    Field {
        /// The name.
        name: String,
        /// Whether it can be nothing else: `name:"value"`, not `name:value`, which may be a text.
        is_sure: bool,
    },
}

impl Advice {
    /// Returns what there is to say about an expression, in the order of its terms.
    pub fn on(text: &str) -> Vec<Self> {
        let mut lexer = Lexer::new(text);
        let tokens = std::iter::from_fn(|| lexer.next().ok().flatten());
        tokens.filter_map(|Token { kind, .. }| Self::on_token(&kind)).collect()
    }

    fn on_token(kind: &Kind) -> Option<Self> {
        let field = |name: &str, is_sure| {
            (!FIELDS.contains(&name)).then(|| Self::Field { name: name.to_owned(), is_sure })
        };
        match kind {
            Kind::Field(name) | Kind::Comparison(name, ..) => field(name, true),
            Kind::Bare(text) if is_word(text.as_bytes()) => {
                text.chars().all(is_unspaced).then(|| Self::Unspaced(text.clone()))
            }
            Kind::Bare(text) => wildcard(text).or_else(|| match text.split_once(':') {
                Some((name, value)) if is_path(name) && !value.is_empty() => field(name, false),
                _ => None,
            }),
            _ => None,
        }
    }
}

/// Returns what was meant by words with a `*` before or between them.
fn wildcard(text: &str) -> Option<Advice> {
    let words: Vec<&str> = text.split('*').collect();
    let are_words = words.iter().all(|word| word.is_empty() || is_word(word.as_bytes()));
    let is_prefix = words.len() == 2 && words[1].is_empty();
    if words.len() < 2 || is_prefix || !are_words || words.iter().all(|word| word.is_empty()) {
        return None;
    }
    let begin = if words[0].is_empty() { "" } else { r"\b" };
    let end = if words[words.len() - 1].is_empty() { "" } else { r"\b" };
    let inner: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
    let regex = format!("/{begin}{}{end}/i", inner.join(r"\w*"));
    Some(Advice::Wildcard { text: text.to_owned(), regex })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_often_finds_nothing_is_noticed() {
        let wildcard =
            |text: &str, regex: &str| Advice::Wildcard { text: text.to_owned(), regex: regex.to_owned() };
        let field = |name: &str, is_sure| Advice::Field { name: name.to_owned(), is_sure };
        for (text, expected) in [
            ("*ock", vec![wildcard("*ock", r"/ock\b/i")]),
            ("x *ock*", vec![wildcard("*ock*", "/ock/i")]),
            ("a*b", vec![wildcard("a*b", r"/\ba\w*b\b/i")]),
            ("日本語 x", vec![Advice::Unspaced("日本語".to_owned())]),
            ("한국어", vec![Advice::Unspaced("한국어".to_owned())]),
            ("stauts:503", vec![field("stauts", false)]),
            ("stauts>=500 NOT a.b:\"x y\"", vec![field("stauts", true), field("a.b", true)]),
            ("time* x \"*ock\" /a*b/ * SELECT ** level:warn app:x 日本語x a.*b http://x", Vec::new()),
        ] {
            let advice: Vec<_> =
                Advice::on(text).into_iter().filter(|advice| *advice != field("http", false)).collect();
            assert_eq!(advice, expected, "{text}");
        }
    }
}
