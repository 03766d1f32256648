//! Errors of a store, in the kinds that a run distinguishes.

use std::fmt;

use gzette_core::model::UtcMs;
use gzette_core::visible::{cell, header};

/// The longest reason kept, in characters; the other side may be hostile.
const MAX_REASON_CHARS: usize = 400;

/// The kind of a [`StoreError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StoreErrorKind {
    /// The object is not there (any more).
    Missing,
    /// The object's etag is no longer the listed one.
    Changed,
    /// The object is in an archive tier and must be restored first.
    Archived,
    /// No permission for this key or prefix.
    Denied,
    /// The bucket or folder is not there.
    NoBucket,
    /// No credentials, or expired or wrong ones.
    Credentials,
    /// This machine's clock and the server's are too far apart for a signed request.
    Clock,
    /// The endpoint cannot be reached, or did not answer in time.
    Network,
    /// The answer makes no sense: cut, inconsistent, no XML, wrong checksum.
    Odd,
    /// Wrong region, endpoint or request; configuration has to change.
    Config,
    /// The local disk refused.
    Local,
}

/// What is asked of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Action {
    /// Connecting to it.
    Open,
    /// Making a bucket.
    Create,
    /// Listing a prefix.
    List,
    /// Reading an object.
    Get,
    /// Writing an object.
    Put,
    /// Deleting an object.
    Delete,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Create => "create",
            Self::List => "list",
            Self::Get => "get",
            Self::Put => "put",
            Self::Delete => "delete",
        })
    }
}

/// What kind of store it is. What to do about a failure depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// A bucket.
    S3,
    /// A folder.
    Folder,
    /// Memory, in tests.
    Memory,
}

/// A store's failure, with the key or prefix it is about.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what} `{place}`: {reason}")]
pub struct StoreError {
    /// The kind.
    pub kind: StoreErrorKind,
    /// Where.
    pub service: Service,
    /// What was tried.
    pub what: Action,
    /// The key or prefix, as [`super::ObjectStore::describe`] writes it.
    pub place: String,
    /// What the other side said, in one line, without what is hidden.
    pub reason: String,
    /// What the server's clock said, where it matters.
    pub server_ms: Option<UtcMs>,
}

impl StoreError {
    /// Returns a failure whose place and reason can be shown: the place in one line, the reason too, cut when it is long.
    pub fn new(kind: StoreErrorKind, service: Service, what: Action, place: &str, reason: &str) -> Self {
        Self {
            kind,
            service,
            what,
            place: cell(place).into_owned(),
            reason: header(reason, MAX_REASON_CHARS),
            server_ms: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_answer_becomes_one_short_printable_line() {
        let reason = format!("bad\r\n\u{1b}[31m  {}", "é".repeat(5000));
        let error = StoreError::new(StoreErrorKind::Odd, Service::S3, Action::Get, "s3://b/a\nb", &reason);
        let text = error.to_string();
        assert!(text.starts_with(r"get `s3://b/a\x0ab`: bad ‹ESC›[31m éé") && text.ends_with('…'), "{text}");
        assert_eq!(error.reason.chars().count(), MAX_REASON_CHARS + 1);
        assert!(!text.contains(char::is_control));
    }
}
