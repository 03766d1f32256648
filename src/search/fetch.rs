//! The stored bytes of an object: from the mirror, or, where they are there no more, from whoever can fetch them.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::sync::Arc;

use crate::ledger::MirroredObject;
use crate::mirror::Mirror;

/// Fetches the bytes of an object's version from its source, or says why it does not. Called by several threads.
pub type Fetch<'f> = dyn Fn(&MirroredObject) -> io::Result<Vec<u8>> + Sync + 'f;

/// Where a search gets stored bytes from.
#[derive(Clone, Copy)]
pub(super) struct Stock<'s> {
    pub(super) mirror: &'s Mirror,
    pub(super) fetch: Option<&'s Fetch<'s>>,
}

/// An object's stored bytes, from their beginning or where they were sought to.
pub(super) enum Stored {
    File(File),
    Fetched(Cursor<Arc<[u8]>>),
}

impl Stock<'_> {
    /// Opens one version of an object.
    pub(super) fn open(&self, object: &MirroredObject) -> io::Result<Stored> {
        let MirroredObject { source, key, generation, size_bytes, .. } = object;
        match (self.mirror.open_whole(source, key, *generation, *size_bytes), self.fetch) {
            (Ok(file), _) => Ok(Stored::File(file)),
            (Err(lost), Some(fetch)) if lost.kind() == io::ErrorKind::NotFound => {
                let fetched = fetch(object).map_err(|error| {
                    let text = format!("not in the mirror any more, or cut there, and not fetched: {error}");
                    io::Error::new(error.kind(), text)
                })?;
                Ok(Stored::Fetched(Cursor::new(fetched.into())))
            }
            (Err(error), _) => Err(error),
        }
    }

    /// Opens it once more, without fetching it again.
    pub(super) fn reopen(&self, object: &MirroredObject, fetched: Option<&Arc<[u8]>>) -> io::Result<Stored> {
        fetched.map_or_else(|| self.open(object), |bytes| Ok(Stored::Fetched(Cursor::new(Arc::clone(bytes)))))
    }
}

impl Stored {
    /// Returns the bytes, if they are in memory.
    pub(super) fn fetched(&self) -> Option<Arc<[u8]>> {
        match self {
            Self::File(_) => None,
            Self::Fetched(bytes) => Some(Arc::clone(bytes.get_ref())),
        }
    }
}

impl Read for Stored {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.read(out),
            Self::Fetched(bytes) => bytes.read(out),
        }
    }
}

impl Seek for Stored {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Self::File(file) => file.seek(to),
            Self::Fetched(bytes) => bytes.seek(to),
        }
    }
}
