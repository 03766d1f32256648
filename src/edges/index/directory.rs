//! The folder of the index as tantivy sees it: mapped files, except where tantivy uses temporary files, which
//! only their owner may read and which a crash leaves for ever. It is also readable without write permission.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tantivy::directory::error::{DeleteError, LockError, OpenDirectoryError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, Lock, MmapDirectory, WatchCallback, WatchHandle, WritePtr,
};

use crate::edges::disk;

/// What the names of files that are not yet whole end with.
pub(super) const UNFINISHED_EXTENSION: &str = "unfinished";
/// What the names of tantivy's own temporary files begin with, which versions before this one left.
const FORMER_PREFIX: &str = ".tmp";

/// A folder.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    path: PathBuf,
    files: MmapDirectory,
}

impl Folder {
    /// Opens the folder of an index.
    pub(super) fn open(path: &Path) -> Result<Self, OpenDirectoryError> {
        Ok(Self { path: path.to_owned(), files: MmapDirectory::open(path)? })
    }

    /// Takes a lock that a user who may not write here can share with other readers.
    fn share(&self, lock: &Lock) -> io::Result<DirectoryLock> {
        match File::open(self.path.join(&lock.filepath)) {
            Ok(file) => {
                file.lock_shared()?;
                Ok(Box::new(file).into())
            }
            // A writer would have left this file behind, so there is none to lock out.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Box::new(()).into()),
            Err(error) => Err(error),
        }
    }
}

impl Directory for Folder {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.files.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.files.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.files.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        self.files.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.files.atomic_read(path)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        let mut unfinished = self.path.join(path).into_os_string();
        unfinished.push(".");
        unfinished.push(UNFINISHED_EXTENSION);
        // tantivy's own version makes a temporary file with mode 0600, which other users could not read after the
        // rename.
        disk::replace(&self.path.join(path), unfinished.as_ref(), data)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.files.sync_directory()
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        match self.files.acquire_lock(lock) {
            // The lock that blocks is the one that readers take. A writer's own does not, and one that may not write
            // must fail.
            Err(LockError::IoError(error)) if lock.is_blocking && disk::is_read_only(&error) => {
                self.share(lock).map_err(LockError::wrap_io_error)
            }
            taken => taken,
        }
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.files.watch(callback)
    }
}

/// Removes what a crash left half-written. Only for the holder of the state directory's lock, before it writes.
pub(super) fn clean(path: &Path) -> io::Result<u64> {
    let ending = format!(".{UNFINISHED_EXTENSION}");
    disk::remove_unfinished(path, None, |name| name.starts_with(FORMER_PREFIX) || name.ends_with(&ending))
}

/// Returns the first file of the folder that may not be read, and why.
pub(super) fn refused(path: &Path) -> Option<(PathBuf, io::Error)> {
    let refused = |path: PathBuf| match File::open(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Some((path, error)),
        _ => None,
    };
    match std::fs::read_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => Some((path.to_owned(), error)),
        Ok(entries) => {
            let mut paths: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
            paths.sort();
            paths.into_iter().find_map(refused)
        }
    }
}
