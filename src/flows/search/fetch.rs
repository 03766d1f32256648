//! The stored bytes of an object: from the mirror, or, where they are no longer there, from its source.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use super::present::Present;
use crate::edges::mirror::Mirror;
use gzette_core::model::ObjectVersion;

/// Fetches the bytes of an object's version from its source, or says why it does not. Called by several threads.
pub type Fetch<'f> = dyn Fn(&ObjectVersion) -> io::Result<Vec<u8>> + Sync + 'f;

/// Where a search gets stored bytes from.
#[derive(Clone, Copy)]
pub(super) struct Stock<'s> {
    pub(super) mirror: &'s Mirror,
    pub(super) fetch: Option<&'s Fetch<'s>>,
    pub(super) present: &'s Present,
}

/// The stored bytes of one version of an object, for any number of readers. An open file stays readable when a run
/// removes it.
#[derive(Clone)]
pub(super) enum StoredBytes {
    File(Arc<File>),
    Fetched(Arc<[u8]>),
}

/// A reader of stored bytes.
pub(super) struct Stored {
    bytes: StoredBytes,
    at: u64,
}

/// Why a version is not read: it no longer counts, and its file is gone.
#[derive(Debug, thiserror::Error)]
#[error("a run replaced it during the search; search again")]
pub(super) struct Replaced;

/// Why a version is not read: its bytes are not those that were counted.
#[derive(Debug, thiserror::Error)]
#[error("the mirrored file has changed since it was counted; run `gzette verify --repair`")]
pub(super) struct Rotten;

/// Whether an error is, or wraps, one of a kind.
pub(super) fn is<E: std::error::Error + 'static>(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<E>)
}

impl Stock<'_> {
    /// Opens one version of an object.
    pub(super) fn open(&self, object: &ObjectVersion) -> io::Result<StoredBytes> {
        let lost = match self.open_file(object) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => error,
            opened => return opened,
        };
        if self.fetch.is_none() {
            return Err(lost);
        }
        self.fetched(object).map_err(|error| {
            let text = format!("missing or cut short in the mirror, and not fetched: {error}");
            io::Error::new(error.kind(), text)
        })
    }

    /// Opens the mirrored file of one version. When that is not found because the version no longer counts, the error
    /// is [`Replaced`].
    pub(super) fn open_file(&self, object: &ObjectVersion) -> io::Result<StoredBytes> {
        let ObjectVersion { source, key, generation, size_bytes, .. } = object;
        match self.mirror.open_whole(source, key, *generation, *size_bytes) {
            Ok(file) => Ok(StoredBytes::File(Arc::new(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.present.has(*generation) => {
                Err(io::Error::other(Replaced))
            }
            Err(error) => Err(error),
        }
    }

    /// Fetches a version whose mirrored file differs from what was counted.
    pub(super) fn fetch_instead(&self, object: &ObjectVersion) -> io::Result<StoredBytes> {
        if self.fetch.is_none() {
            return Err(io::Error::other(Rotten));
        }
        self.fetched(object)
            .map_err(|error| io::Error::new(error.kind(), format!("{Rotten}; it was not fetched: {error}")))
    }

    fn fetched(&self, object: &ObjectVersion) -> io::Result<StoredBytes> {
        let fetch = self.fetch.ok_or(io::ErrorKind::Unsupported)?;
        Ok(StoredBytes::Fetched(fetch(object)?.into()))
    }
}

impl StoredBytes {
    /// Returns a reader that begins at a place.
    pub(super) fn reader(&self, at: u64) -> Stored {
        Stored { bytes: self.clone(), at }
    }
}

impl Read for Stored {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let read = match &self.bytes {
            // Several readers share the file, so none of them may move its cursor.
            StoredBytes::File(file) => file.read_at(out, self.at)?,
            StoredBytes::Fetched(bytes) => {
                let start = bytes.len().min(usize::try_from(self.at).unwrap_or(usize::MAX));
                (&bytes[start..]).read(out)?
            }
        };
        self.at += read as u64;
        Ok(read)
    }
}
