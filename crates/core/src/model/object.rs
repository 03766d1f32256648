//! Remote objects and their ingested versions.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;

use serde::{Deserialize, Serialize};

use super::{Day, UtcMs};

/// Declares a type of texts with one meaning. It reads as text, and no other text passes for one.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Returns it as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl Deref for $name {
            type Target = str;

            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self(text)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, text: &str) -> bool {
                self.0 == text
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }
    };
}

text_type! {
    /// The name of an application, as the key spells it.
    AppName
}

text_type! {
    /// The name of a `[[source]]` of the configuration.
    SourceName
}

text_type! {
    /// The key of an object, as the store lists it; never a path.
    ObjectKey
}

/// One entry of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedObject {
    /// The whole key, the source's prefix included.
    pub key: ObjectKey,
    /// The entity tag without its quotes; opaque, an MD5 only for simple uploads.
    pub etag: String,
    /// The stored length (compressed bytes).
    pub size_bytes: u64,
    /// When the store says it was last written.
    pub modified_ms: UtcMs,
}

/// A version of an object: what every machine needs to know to fetch and read it. It holds no row of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectVersion {
    /// The name of its source.
    pub source: SourceName,
    /// The key.
    pub key: ObjectKey,
    /// The etag.
    pub etag: String,
    /// The stored length.
    pub size_bytes: u64,
    /// The application.
    pub app: AppName,
    /// The day of the key.
    pub day: Option<Day>,
    /// The id of this version.
    pub generation: GenerationId,
}

/// One ingested version of an object: the first 63 bits of BLAKE3 over source, key, etag and size,
/// so that every machine gives the same version the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct GenerationId(pub i64);

impl GenerationId {
    /// Returns the id of one version of one object.
    pub fn of(source: &SourceName, key: &ObjectKey, etag: &str, size_bytes: u64) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in [source.as_str(), key.as_str(), etag] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        hasher.update(&size_bytes.to_le_bytes());
        let mut first = [0; 8];
        first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
        Self((u64::from_be_bytes(first) >> 1) as i64)
    }
}

/// Returns the place of an object, in all its versions, in an order that has nothing to do with keys or times.
pub fn rank(source: &SourceName, key: &ObjectKey) -> i64 {
    GenerationId::of(source, key, "", 0).0
}

impl fmt::Display for GenerationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A BLAKE3 checksum.
pub type Checksum = [u8; 32];

/// What is known of the stored bytes of a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KnownBytes {
    /// How many they are.
    pub size_bytes: u64,
    /// The checksum of them, as they were fetched or counted.
    pub stored: Option<Checksum>,
    /// The checksum of what they decoded to when they were counted.
    pub counted: Option<Checksum>,
}

impl KnownBytes {
    /// Returns whether a checksum is known that tells these bytes from any others.
    pub fn has_checksum(&self) -> bool {
        self.stored.is_some() || self.counted.is_some()
    }
}
