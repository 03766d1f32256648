//! What reading an object depends on besides its bytes. It can be written and read, so that another machine reads the
//! same.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::custom::CustomGrouping;
use crate::decode::Limits;
use crate::model::SourceName;
use crate::parse::{PARSER_VERSION, ParseSettings};

/// How to read an object.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct ReadSettings {
    /// The bounds of decoding.
    pub limits: Limits,
    /// Formats, field names and the zone of stamps without one.
    pub parse: ParseSettings,
    /// The user's word on groups.
    #[serde(with = "shared", alias = "overrides")]
    pub custom: Arc<CustomGrouping>,
}

/// How to read the objects of each source.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct SourceSettings {
    /// By the source's name.
    pub sources: HashMap<SourceName, ReadSettings>,
    /// For sources that are not named. The user's word on groups is the same in all of them.
    pub other: ReadSettings,
}

/// By what a version was read: with another one, its lines or groups may be others.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The parser's version.
    pub parser_version: u32,
    /// A number of all that groups depend on.
    pub grouping: i64,
}

impl ReadSettings {
    /// Returns what the ledger notes of how versions are read.
    pub fn reading(&self) -> Reading {
        Reading { parser_version: PARSER_VERSION, grouping: self.custom.basis().fingerprint() }
    }
}

impl SourceSettings {
    /// Returns how to read the objects of a source.
    pub fn of(&self, source: &SourceName) -> &ReadSettings {
        self.sources.get(source).unwrap_or(&self.other)
    }

    /// Returns what the ledger notes of how versions are read, the same for all sources.
    pub fn reading(&self) -> Reading {
        self.other.reading()
    }
}

/// A value behind an [`Arc`], written as the value itself.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        shared: &Arc<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        shared.as_ref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<T>, D::Error> {
        T::deserialize(deserializer).map(Arc::new)
    }
}
