//! Bytes and checksums in formats that are text, such as JSON.

/// Bytes as a text with one character a byte (ISO 8859-1): log lines stay readable, and all others survive.
pub(crate) mod text {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes bytes as a text.
    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&bytes.iter().copied().map(char::from).collect::<String>())
    }

    /// Reads a text as bytes.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = text.chars().map(|letter| u8::try_from(letter).map_err(D::Error::custom));
        bytes.collect()
    }
}

/// A checksum as hexadecimal digits.
pub(crate) mod hex {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::Checksum;

    /// Writes a checksum as digits.
    pub(crate) fn serialize<S: Serializer>(checksum: &Checksum, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&blake3::Hash::from_bytes(*checksum))
    }

    /// Reads the digits of a checksum.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Checksum, D::Error> {
        let text = String::deserialize(deserializer)?;
        let hash = blake3::Hash::from_hex(text).map_err(D::Error::custom)?;
        Ok(*hash.as_bytes())
    }
}

/// The same of a checksum that may be missing.
pub(crate) mod some_hex {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::Checksum;

    /// Writes the digits, or nothing.
    #[expect(clippy::ref_option, reason = "serde hands the field over like this")]
    pub(crate) fn serialize<S: Serializer>(
        checksum: &Option<Checksum>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match checksum {
            Some(checksum) => super::hex::serialize(checksum, serializer),
            None => serializer.serialize_none(),
        }
    }

    /// Reads the digits, or nothing.
    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Checksum>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let hash = text.map(blake3::Hash::from_hex).transpose().map_err(D::Error::custom)?;
        Ok(hash.map(|hash| *hash.as_bytes()))
    }
}
