//! A version with what was read of it: what one machine reads and another may commit.

use serde::{Deserialize, Serialize};

use super::{Partial, Reading};
use crate::model::{Checksum, ObjectVersion, bytes};

/// A version and what was read of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ingested {
    /// What was read.
    pub object: ObjectVersion,
    /// What it adds.
    pub partial: Partial,
    /// By what it was read.
    pub reading: Reading,
    /// The checksum of the stored bytes that were read, if they were.
    #[serde(with = "bytes::some_hex")]
    pub stored_checksum: Option<Checksum>,
    /// Whether the version was counted before, by other rules.
    pub is_read_again: bool,
}
