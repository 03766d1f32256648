//! The expression: a condition on a line, and whether it holds. What the bytes of a line decide is decided first
//! ([`Expr::judge`]); a line is parsed only where they do not ([`Expr::holds`]).

use memchr::memmem;

use super::field::FieldTest;
use super::phrase::{Phrase, Text};
use super::regex::Pattern;
use super::{Need, QueryError};
use crate::model::{GroupId, Level};
use crate::parse::Parser;
use crate::words::escapes::undone;
use crate::words::{each_word, has_word_that, is_same_word, plain_words, start_len};

/// A condition on a line.
#[derive(Clone, Debug)]
pub enum Expr {
    /// Every line.
    Everything,
    /// The line has this word, in any case.
    Word(Vec<u8>),
    /// The line has a word that begins so, in any case.
    Prefix(Vec<u8>),
    /// The line has these bytes, as it stands or with its escapes undone.
    Phrase(Box<Phrase>),
    /// The line has these bytes as it stands.
    Substring(Box<memmem::Finder<'static>>),
    /// The pattern matches somewhere in the line.
    Regex(Box<Pattern>),
    /// The text is this, or begins so: names of applications.
    Name {
        /// The name or its beginning.
        text: Vec<u8>,
        /// Whether it is only the beginning.
        is_prefix: bool,
    },
    /// The line's event has one of these levels, a mask of [`Level::bit`]s.
    Levels(u8),
    /// The line belongs to an event of this error group.
    Group(GroupId),
    /// The line belongs to an event of a group of this one's family. Which those are has to be told before lines are:
    /// see [`Expr::with_groups`].
    Family(GroupId),
    /// The line belongs to an event of this custom group, or of one of its parts. As for families.
    Custom(String),
    /// The condition holds for the name of the line's application.
    App(Box<Expr>),
    /// The condition holds for the place of the line's object.
    Object(Box<Expr>),
    /// A field of the line has a value of some kind.
    Field(Box<FieldTest>),
    /// All hold.
    And(Vec<Expr>),
    /// One holds. Of none: no line.
    Or(Vec<Expr>),
    /// It does not hold.
    Not(Box<Expr>),
}

/// What is known about a line besides its bytes.
pub struct Facts<'f> {
    /// The level of its event.
    pub level: Level,
    /// The error group of its event.
    pub group: Option<GroupId>,
    /// The bytes that are parsed: of a line over the limit its beginning.
    pub head: &'f [u8],
    /// Whether that is not all of the line.
    pub is_cut: bool,
    /// Reads its fields.
    pub parser: &'f mut Parser,
}

/// What is known about an object.
pub struct ObjectFacts<'f> {
    /// Its application.
    pub app: &'f str,
    /// Its place, as people write it.
    pub place: &'f str,
    /// Whether it has events of an error group.
    pub has_group: &'f dyn Fn(GroupId) -> bool,
}

impl Expr {
    /// Returns the expression that matches lines with the bytes of every needle, as
    /// `grep -F` finds each.
    pub fn fixed<'n>(needles: impl IntoIterator<Item = &'n [u8]>) -> Result<Self, QueryError> {
        let terms = needles.into_iter().map(|needle| in_one_line(needle).map(Self::substring));
        Ok(Self::and(terms.collect::<Result<Vec<_>, _>>()?))
    }

    /// Returns [`Expr::fixed`] without regard to ASCII case, as `grep -iF` would find each.
    pub fn fixed_ignoring_case<'n>(needles: impl IntoIterator<Item = &'n [u8]>) -> Result<Self, QueryError> {
        let terms = needles.into_iter().map(|needle| match in_one_line(needle)? {
            b"" => Ok(Self::Everything),
            needle => Pattern::ignoring_case(needle).map(Self::from).map_err(QueryError::of_all),
        });
        Ok(Self::and(terms.collect::<Result<Vec<_>, _>>()?))
    }

    pub(super) fn and(terms: impl IntoIterator<Item = Self>) -> Self {
        let mut terms: Vec<_> = terms.into_iter().collect();
        match terms.len() {
            0 => Self::Everything,
            1 => terms.remove(0),
            _ => Self::And(terms),
        }
    }

    pub(super) fn or(mut terms: Vec<Self>) -> Self {
        if terms.len() == 1 {
            return terms.remove(0);
        }
        let union = terms.iter().try_fold(0, |union, term| match term {
            Self::Levels(levels) => Some(union | levels),
            _ => None,
        });
        union.filter(|&levels| levels != 0).map_or(Self::Or(terms), Self::Levels)
    }

    pub(super) fn nothing() -> Self {
        Self::Or(Vec::new())
    }

    pub(super) fn phrase(text: &[u8]) -> Self {
        if text.is_empty() { Self::Everything } else { Self::Phrase(Box::new(Phrase::new(text))) }
    }

    pub(super) fn substring(needle: &[u8]) -> Self {
        if needle.is_empty() {
            return Self::Everything;
        }
        Self::Substring(Box::new(memmem::Finder::new(needle).into_owned()))
    }

    /// Returns the conjunction with another expression.
    #[must_use]
    pub fn with(self, other: Self) -> Self {
        match self {
            Self::Everything => other,
            expr => Self::And(vec![expr, other]),
        }
    }

    /// Returns whether no line at all fulfils the expression, by its form.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Or(terms) if terms.is_empty())
    }

    /// Returns whether the expression holds for a line, if its bytes decide.
    pub fn judge(&self, line: &[u8]) -> Option<bool> {
        match self {
            Self::And(terms) => decided(terms.iter().map(|term| term.judge(line)), false),
            Self::Or(terms) => decided(terms.iter().map(|term| term.judge(line)), true),
            Self::Not(term) => term.judge(line).map(|holds| !holds),
            leaf => leaf.is_in(line, Text::Line),
        }
    }

    /// Returns whether the expression holds for a line.
    pub fn holds(&self, line: &[u8], facts: &mut Facts<'_>) -> bool {
        match self {
            Self::And(terms) => terms.iter().all(|term| term.holds(line, facts)),
            Self::Or(terms) => terms.iter().any(|term| term.holds(line, facts)),
            Self::Not(term) => !term.holds(line, facts),
            Self::Levels(levels) => levels & facts.level.bit() != 0,
            Self::Group(group) => facts.group == Some(*group),
            Self::Field(test) => test.holds(facts),
            leaf => leaf.is_in(line, Text::Line).unwrap_or_default(),
        }
    }

    /// Returns whether the expression, which asks about a text alone, holds for a value.
    pub(super) fn holds_for_value(&self, value: &[u8]) -> bool {
        match self {
            Self::And(terms) => terms.iter().all(|term| term.holds_for_value(value)),
            Self::Or(terms) => terms.iter().any(|term| term.holds_for_value(value)),
            Self::Not(term) => !term.holds_for_value(value),
            leaf => leaf.is_in_value(value),
        }
    }

    /// Whether a leaf holds for a value. JSON in one is read once more, with its escapes undone.
    fn is_in_value(&self, value: &[u8]) -> bool {
        let is_in = |text: &[u8], kind| self.is_in(text, kind).unwrap_or_default();
        let is_json = matches!(value.first(), Some(b'{' | b'['));
        is_in(value, Text::Value) || is_json && undone(value).any(|reading| is_in(&reading, Text::Undone))
    }

    /// Whether a leaf holds for a text; `None` when the text does not decide.
    pub(super) fn is_in(&self, text: &[u8], kind: Text) -> Option<bool> {
        let any_word = |test: &dyn Fn(&[u8]) -> bool| match kind {
            Text::Line => has_word_that(text, test),
            Text::Standing => has_standing_word(text, test),
            Text::Undone | Text::Value => plain_words(text).any(test),
        };
        Some(match self {
            Self::Everything => true,
            Self::Word(word) => any_word(&|held| is_same_word(held, word)),
            Self::Prefix(start) => any_word(&|held| start_len(held, start).is_some()),
            Self::Phrase(phrase) => match kind {
                Text::Line => phrase.is_in_line(text),
                Text::Standing => phrase.is_in(text),
                Text::Undone => phrase.is_in_undone(text),
                Text::Value => phrase.is_in_value(text),
            },
            Self::Substring(finder) => kind != Text::Undone && finder.find(text).is_some(),
            Self::Regex(pattern) => kind != Text::Undone && pattern.is_in(text),
            Self::Name { text: name, is_prefix: true } => text.starts_with(name),
            Self::Name { text: name, .. } => text == name,
            _ => return None,
        })
    }

    /// Returns the rest of the expression that the lines of one object must decide.
    #[must_use]
    pub fn given(&self, object: &ObjectFacts<'_>) -> Self {
        let known = |holds| if holds { Self::Everything } else { Self::nothing() };
        match self {
            Self::App(test) => known(test.holds_for_value(object.app.as_bytes())),
            Self::Object(test) => known(test.holds_for_value(object.place.as_bytes())),
            Self::Group(group) if !(object.has_group)(*group) => Self::nothing(),
            Self::And(terms) => {
                let mut terms: Vec<_> = terms.iter().map(|term| term.given(object)).collect();
                terms.retain(|term| !matches!(term, Self::Everything));
                if terms.iter().any(Self::is_nothing) { Self::nothing() } else { Self::and(terms) }
            }
            Self::Or(terms) => {
                let mut terms: Vec<_> = terms.iter().map(|term| term.given(object)).collect();
                terms.retain(|term| !term.is_nothing());
                let is_all = terms.iter().any(|term| matches!(term, Self::Everything));
                if is_all { Self::Everything } else { Self::or(terms) }
            }
            Self::Not(term) => match term.given(object) {
                Self::Everything => Self::nothing(),
                term if term.is_nothing() => Self::Everything,
                term => Self::Not(Box::new(term)),
            },
            leaf => leaf.clone(),
        }
    }

    /// Returns what a block's words and levels must hold for the expression to hold for one of its lines.
    pub fn need(&self) -> Need {
        self.need_where(true)
    }

    /// Returns the need for the expression to hold, or not to hold.
    fn need_where(&self, holds: bool) -> Need {
        match (self, holds) {
            (Self::And(terms), true) | (Self::Or(terms), false) => {
                Need::all(terms.iter().map(|term| term.need_where(holds)))
            }
            (Self::And(terms), false) | (Self::Or(terms), true) => {
                Need::any(terms.iter().map(|term| term.need_where(holds)))
            }
            (Self::Not(term), holds) => term.need_where(!holds),
            (Self::Levels(levels), true) => Need::Levels(*levels),
            (Self::Levels(levels), false) => Need::Levels(!levels),
            (Self::Word(word), true) => Need::word(word),
            (Self::Prefix(start), true) => Need::prefix(start),
            (Self::Phrase(phrase), true) => phrase.need(),
            (Self::Substring(finder), true) => Need::substring(finder.needle()),
            (Self::Regex(pattern), true) => pattern.need(&Need::substring),
            (Self::Field(test), true) => test.need(),
            _ => Need::Anything,
        }
    }

    /// Returns the error groups that the expression names.
    pub fn groups(&self) -> Vec<GroupId> {
        let mut groups = Vec::new();
        self.each_leaf(&mut |leaf| {
            if let Self::Group(group) = leaf {
                groups.push(*group);
            }
        });
        groups
    }

    /// Returns the expression with each leaf that asks about groups as the groups that `known` says it means.
    #[must_use]
    pub fn with_groups(&self, known: &dyn Fn(&Self) -> Vec<GroupId>) -> Self {
        let all = |terms: &[Self]| terms.iter().map(|term| term.with_groups(known)).collect();
        match self {
            Self::And(terms) => Self::And(all(terms)),
            Self::Or(terms) => Self::Or(all(terms)),
            Self::Not(term) => Self::Not(Box::new(term.with_groups(known))),
            leaf if leaf.is_about_groups() => Self::or(known(leaf).into_iter().map(Self::Group).collect()),
            leaf => leaf.clone(),
        }
    }

    fn is_about_groups(&self) -> bool {
        matches!(self, Self::Group(_) | Self::Family(_) | Self::Custom(_))
    }

    /// Returns whether the expression asks about groups that only a ledger can name.
    pub fn asks_about_sets_of_groups(&self) -> bool {
        self.has_leaf(|leaf| matches!(leaf, Self::Family(_) | Self::Custom(_)))
    }

    /// Returns whether an object decides on a part of the expression.
    pub fn asks_about_objects(&self) -> bool {
        self.has_leaf(|leaf| matches!(leaf, Self::App(_) | Self::Object(_)) || leaf.is_about_groups())
    }

    /// Returns whether the error group of a line's event has to be known.
    pub fn asks_about_groups(&self) -> bool {
        self.has_leaf(Self::is_about_groups)
    }

    /// Returns whether lines have to be parsed.
    pub fn asks_about_events(&self) -> bool {
        self.has_leaf(|leaf| matches!(leaf, Self::Levels(_) | Self::Field(_)) || leaf.is_about_groups())
    }

    fn has_leaf(&self, test: impl Fn(&Self) -> bool) -> bool {
        let mut has = false;
        self.each_leaf(&mut |leaf| has |= test(leaf));
        has
    }

    /// Calls `found` with each leaf, in order.
    pub(super) fn each_leaf<'e>(&'e self, found: &mut dyn FnMut(&'e Self)) {
        match self {
            Self::And(terms) | Self::Or(terms) => terms.iter().for_each(|term| term.each_leaf(found)),
            Self::Not(term) => term.each_leaf(found),
            leaf => found(leaf),
        }
    }
}

impl From<Pattern> for Expr {
    fn from(pattern: Pattern) -> Self {
        Self::Regex(Box::new(pattern))
    }
}

/// Whether a line has a word as it stands that passes the test.
fn has_standing_word(line: &[u8], test: &dyn Fn(&[u8]) -> bool) -> bool {
    let mut held = false;
    each_word(line, |start, end| held = held || test(&line[start..end]));
    held
}

/// Refuses what no line can hold.
fn in_one_line(needle: &[u8]) -> Result<&[u8], QueryError> {
    if needle.contains(&b'\n') {
        return Err(QueryError::of_all(
            "a search text cannot contain a newline: lines are searched one by one",
        ));
    }
    Ok(needle)
}

/// Combines what is known about several terms; one that equals `decisive` decides.
fn decided(terms: impl Iterator<Item = Option<bool>>, decisive: bool) -> Option<bool> {
    let mut all = Some(!decisive);
    for term in terms {
        match term {
            Some(holds) if holds == decisive => return Some(decisive),
            Some(_) => {}
            None => all = None,
        }
    }
    all
}
