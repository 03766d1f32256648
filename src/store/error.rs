//! What a store can answer instead of what was asked, in kinds that a run decides by.

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
    /// The endpoint cannot be reached, or did not answer in time.
    Network,
    /// The answer makes no sense: cut, inconsistent, no XML, wrong checksum.
    Odd,
    /// Wrong region, endpoint or request; configuration has to change.
    Config,
    /// The local disk refused.
    Local,
}

/// A store's failure, with the key or prefix it is about.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what} `{place}`: {reason}")]
pub struct StoreError {
    /// The kind.
    pub kind: StoreErrorKind,
    /// What was tried: `list`, `get`, `put`, `delete`.
    pub what: &'static str,
    /// The key or prefix, as [`super::ObjectStore::describe`] writes it.
    pub place: String,
    /// What the other side said, in one line, without control characters.
    pub reason: String,
}
