//! What a digest remembers of what it has mailed: a word each, as the ledger keeps them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use gzette_core::model::{GroupId, UtcMs};
use gzette_core::stats::GroupState;

/// Something that needs attention.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub(super) enum Thing {
    /// A group in a state.
    Group(GroupId, GroupState),
    /// An application that has been silent since a time.
    Silent(Name, UtcMs),
    /// No lines of any application since a time.
    Dark(UtcMs),
    /// A place that cannot be read.
    Unread(Name),
    /// An application that is not understood.
    Unclear(Name),
}

/// A name of any length and spelling, as 16 hexadecimal digits of its BLAKE3.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(String);

impl Name {
    /// Returns that of a name.
    pub(super) fn of(name: &str) -> Self {
        Self(blake3::hash(name.as_bytes()).to_hex()[..16].to_owned())
    }

    fn parse(text: &str) -> Option<Self> {
        let is_name = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_name.then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Group(id, state) => write!(f, "{id} {}", state.name()),
            Self::Silent(Name(name), since_ms) => write!(f, "{name} silent {}", since_ms.get()),
            Self::Dark(since_ms) => write!(f, "all dark {}", since_ms.get()),
            Self::Unread(Name(name)) => write!(f, "{name} unread"),
            Self::Unclear(Name(name)) => write!(f, "{name} unclear"),
        }
    }
}

impl FromStr for Thing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or_else(|| format!("`{text}` is nothing that a digest remembers"))
    }
}

fn parse(text: &str) -> Option<Thing> {
    let time = |since_ms: &str| since_ms.parse().ok().map(UtcMs::new);
    let mut words = text.split(' ');
    let (what, kind, rest) = (words.next()?, words.next()?, words.next());
    if words.next().is_some() {
        return None;
    }
    Some(match (what, kind, rest) {
        ("all", "dark", Some(since_ms)) => Thing::Dark(time(since_ms)?),
        (name, "silent", Some(since_ms)) => Thing::Silent(Name::parse(name)?, time(since_ms)?),
        (name, "unread", None) => Thing::Unread(Name::parse(name)?),
        (name, "unclear", None) => Thing::Unclear(Name::parse(name)?),
        (id, state, None) => Thing::Group(id.parse().ok()?, GroupState::of_name(state)?),
        _ => return None,
    })
}

impl From<Thing> for String {
    fn from(thing: Thing) -> Self {
        thing.to_string()
    }
}

impl TryFrom<String> for Thing {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_read_back_from_its_word() {
        let id: GroupId = "s4ryz45tkl2q".parse().unwrap();
        let states = GroupState::ALL.map(|state| Thing::Group(id, state));
        let name = Name::of("checkout api");
        let others = [
            Thing::Silent(name.clone(), UtcMs::new(5)),
            Thing::Dark(UtcMs::new(-1)),
            Thing::Unread(name.clone()),
            Thing::Unclear(name),
        ];
        for thing in states.into_iter().chain(others) {
            assert_eq!(thing.to_string().parse(), Ok(thing.clone()));
        }
        assert_eq!(Thing::Group(id, GroupState::New).to_string(), "s4ryz45tkl2q new");
    }

    #[test]
    fn a_word_of_an_unknown_kind_is_an_error() {
        for text in [
            "",
            "s4ryz45tkl2q",
            "s4ryz45tkl2q fading",
            "x new",
            "all dark",
            "all dark soon",
            "api unread",
            "0123456789abcdef silent 5 6",
        ] {
            assert!(text.parse::<Thing>().is_err(), "{text}");
        }
    }
}
