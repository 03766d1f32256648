//! Error groups and their ids.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The letters of an id: RFC 4648 base32, in lower case.
const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The id of an error group: 60 bits of a hash of (version, kind, key parts), a pure function of the
/// event. Shown as 12 letters of lower-case base32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct GroupId(u64);

impl GroupId {
    /// Returns the id of the given 60 bits; higher bits are dropped.
    pub fn from_bits(bits: u64) -> Self {
        Self(bits & ((1 << 60) - 1))
    }

    /// Returns the 60 bits.
    pub fn bits(self) -> u64 {
        self.0
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: String =
            (0..12).rev().map(|place| LETTERS[(self.0 >> (5 * place)) as usize & 31] as char).collect();
        f.pad(&text)
    }
}

impl From<GroupId> for String {
    fn from(id: GroupId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for GroupId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl FromStr for GroupId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}` is not a group id; an id has 12 letters of a-z and 2-7");
        if text.len() != 12 {
            return Err(wrong());
        }
        text.bytes()
            .try_fold(0, |bits, byte| {
                let digit = LETTERS.iter().position(|&letter| letter == byte.to_ascii_lowercase())?;
                Some(bits << 5 | digit as u64)
            })
            .map(Self)
            .ok_or_else(wrong)
    }
}

/// What decided a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[repr(u8)]
pub enum GroupKind {
    /// The template of the message.
    Message = 1,
    /// Exception types and frames of a stack trace.
    Trace = 2,
    /// An exception without frames: its type and the template of its message.
    Exception = 3,
    /// A custom group: the user's own condition.
    #[serde(alias = "rule")]
    Custom = 4,
}

impl GroupKind {
    /// Returns the kind with that name in a ledger.
    pub fn from_stored_name(name: &str) -> Option<Self> {
        let kinds = [Self::Message, Self::Trace, Self::Exception, Self::Custom];
        kinds.into_iter().find(|kind| kind.stored_name() == name)
    }

    /// Returns the name used in a ledger, where a custom group still is what it was called first.
    pub fn stored_name(self) -> &'static str {
        if self == Self::Custom { "rule" } else { self.name() }
    }

    /// Returns the name that people and scripts see.
    pub fn name(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Trace => "trace",
            Self::Exception => "exception",
            Self::Custom => "custom",
        }
    }
}

/// An event's group and what people are shown of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grouped {
    /// The id.
    pub id: GroupId,
    /// What decided it.
    pub kind: GroupKind,
    /// One line for lists: the template, or `Type: template` for an exception. At most 300 characters.
    pub title: String,
    /// The hashed text in readable form: the template, or types and frames, one per line.
    pub template: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_being_written_and_read() {
        for bits in [0, 1, (1 << 60) - 1, 0x0123_4567_89ab_cdef] {
            let id = GroupId::from_bits(bits);
            let text = id.to_string();
            assert_eq!(text.len(), 12);
            assert_eq!(text.parse::<GroupId>().unwrap(), id);
        }
        assert!("abc".parse::<GroupId>().is_err());
        assert!("0189xxxxxxxx".parse::<GroupId>().is_err());
    }
}
