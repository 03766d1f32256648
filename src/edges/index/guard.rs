//! Which files of the index are trusted. A commit seals each file that it takes in: it notes name, length, inode and
//! times. While these stay the same, nothing has written to the file, and it is read as it is. A file that is not
//! sealed or no longer the same (a copy, a restored backup, a damaged disk that was repaired) is read once in full and
//! compared with the checksum in its footer before it is trusted.
//!
//! A search of a large index takes some milliseconds and reads a small part of it; checksums of whole files would take
//! longer than that, and checksums of pages as long again as the scan of packed words. One `stat` of each opened file
//! costs 1 µs. Changes that bypass the file system are found by `gzette verify`, which reads everything.
//!
//! tantivy's two small files that are replaced as a whole (`meta.json`, `.managed.json`) end with a line of the index's
//! format and a checksum, and are checked each time.
//!
//! The seals: 8 bytes of BLAKE3 for each file, sorted, and at the end 8 bytes of BLAKE3 over all of them.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tantivy::Directory;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::footer::Footer;
use tantivy::directory::{
    DirectoryLock, FileHandle, FileSlice, Lock, OwnedBytes, WatchCallback, WatchHandle, WritePtr,
};

use super::directory::Folder;
use crate::edges::disk;

/// The format of the index: its files, its fields, and what a word is. An index of another one is built again from the
/// mirror. Raised with every change of any of them.
const FORMAT: u32 = 7;

/// The name of the file of seals. tantivy leaves alone what begins with a dot.
const SEALS: &str = ".seals";
/// What it is called before it is whole.
const UNFINISHED_SEALS: &str = ".seals.unfinished";
/// The bytes of a seal and of a checksum.
const SEAL_BYTES: usize = 8;

/// The numbers at the end of a footer.
const LEAST_BYTES: usize = 8;

/// The folder of the index, whose files are checked before they are read.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    inner: Folder,
    dir: Arc<Path>,
    seals: Arc<OnceLock<Seals>>,
    /// The seals of files that were not sealed and have been found to be as they were written.
    sound: Arc<Mutex<HashSet<Seal>>>,
}

/// What a file's name, length, inode and times come to.
type Seal = [u8; SEAL_BYTES];

impl Guard {
    /// Guards the folder, if it is one.
    pub(super) fn new(dir: &Path) -> tantivy::Result<Self> {
        let inner = Folder::open(dir)?;
        Ok(Self { inner, dir: dir.into(), seals: Arc::default(), sound: Arc::default() })
    }

    /// Returns the folder.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns whether a file is as it was written: by its seal, or else as `check` says of its bytes.
    pub(super) fn is_sound(
        &self,
        name: &Path,
        metadata: &Metadata,
        check: impl FnOnce() -> io::Result<bool>,
    ) -> io::Result<bool> {
        let seal = seal(name, metadata);
        let is_known = || self.sound.lock().unwrap_or_else(PoisonError::into_inner).contains(&seal);
        if self.seals.get_or_init(|| Seals::read(&self.dir)).has(seal) || is_known() {
            return Ok(true);
        }
        let is_sound = check()?;
        if is_sound {
            self.sound.lock().unwrap_or_else(PoisonError::into_inner).insert(seal);
        }
        Ok(is_sound)
    }

    /// Returns whether one of tantivy's files is there and as it was written.
    pub(super) fn has_sound(&self, name: &Path) -> bool {
        self.get_file_handle(name).is_ok()
    }

    /// Returns whether one of tantivy's files is there and its bytes are as they were written, whatever its seal says.
    pub(super) fn has_sound_bytes(&self, name: &Path) -> bool {
        let bytes =
            self.inner.get_file_handle(name).ok().and_then(|file| file.read_bytes(0..file.len()).ok());
        bytes.is_some_and(is_whole)
    }

    /// Seals the files, which were found intact or have just been written. A file that changed at the time of sealing is
    /// left to the next commit: file systems count time in ticks, and a second change within a tick would go unnoticed.
    pub(super) fn seal(&self, names: impl Iterator<Item = PathBuf>) -> io::Result<()> {
        // The time of the file system that holds the index, which may be a server's. The clock of this machine says
        // nothing about its ticks.
        let now = changed(&tempfile::tempfile_in(&self.dir)?.metadata()?);
        let sealed = names.filter_map(|name| {
            let metadata = fs::metadata(self.dir.join(&name)).ok()?;
            (changed(&metadata) < now).then(|| seal(&name, &metadata))
        });
        let mut sealed: Vec<Seal> = sealed.collect();
        sealed.sort_unstable();
        let mut bytes = sealed.concat();
        bytes.extend(checksum(&bytes));
        // What a crash makes of it has another checksum, and seals nothing.
        disk::replace(&self.dir.join(SEALS), &self.dir.join(UNFINISHED_SEALS), &bytes)
    }

    fn check(&self, path: &Path, file: &dyn FileHandle) -> Result<(), OpenReadError> {
        let failed = |error: io::Error| OpenReadError::wrap_io_error(error, path.to_owned());
        let metadata = match fs::metadata(self.dir.join(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(OpenReadError::FileDoesNotExist(path.to_owned()));
            }
            metadata => metadata.map_err(failed)?,
        };
        let check = || Ok(is_whole(file.read_bytes(0..file.len())?));
        if self.is_sound(path, &metadata, check).map_err(failed)? {
            Ok(())
        } else {
            Err(failed(damaged(path)))
        }
    }
}

/// The seals as stored in their file.
#[derive(Debug)]
struct Seals(Vec<u8>);

impl Seals {
    /// Reads the seals; none when they cannot be read.
    fn read(dir: &Path) -> Self {
        let bytes = fs::read(dir.join(SEALS)).unwrap_or_default();
        let sealed = bytes.split_last_chunk().filter(|(seals, sum)| checksum(seals) == **sum);
        Self(sealed.map_or_else(Vec::new, |(seals, _)| seals.to_vec()))
    }

    fn has(&self, seal: Seal) -> bool {
        let (seals, _) = self.0.as_chunks::<SEAL_BYTES>();
        seals.binary_search(&seal).is_ok()
    }
}

/// Returns when a file or its metadata last changed.
fn changed(metadata: &Metadata) -> (i64, i64) {
    (metadata.ctime(), metadata.ctime_nsec())
}

fn seal(name: &Path, metadata: &Metadata) -> Seal {
    let numbers = [
        metadata.ino() as i64,
        metadata.len() as i64,
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
    ];
    let numbers: Vec<u8> = numbers.into_iter().flat_map(i64::to_le_bytes).collect();
    checksum(&[&numbers, name.as_os_str().as_encoded_bytes()].concat())
}

/// Returns the first bytes of BLAKE3.
pub(super) fn checksum(bytes: &[u8]) -> [u8; SEAL_BYTES] {
    let mut first = [0; SEAL_BYTES];
    first.copy_from_slice(&blake3::hash(bytes).as_bytes()[..SEAL_BYTES]);
    first
}

/// Returns whether the bytes of a file are those that tantivy wrote: its footer holds their CRC-32.
fn is_whole(file: OwnedBytes) -> bool {
    // Of fewer bytes tantivy does not expect a footer, and panics.
    if file.len() < LEAST_BYTES {
        return false;
    }
    let Ok((footer, body)) = Footer::extract_footer(FileSlice::new(Arc::new(file))) else { return false };
    let crc = serde_json::json!(footer)["crc"].as_u64();
    let found = body.read_bytes().ok().map(|bytes| u64::from(crc32fast::hash(&bytes)));
    footer.is_compatible().is_ok() && found.is_some() && found == crc
}

fn damaged(path: &Path) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("`{}` has changed since it was written", path.display()),
    )
}

/// Returns the last line of a file that is replaced as a whole. What a letter is depends on the compiler's tables.
fn last_line(content: &[u8]) -> String {
    let (major, minor, update) = char::UNICODE_VERSION;
    let sum = u64::from_le_bytes(checksum(content));
    format!("\ngzette index format {FORMAT}, unicode {major}.{minor}.{update}, checksum {sum:016x}\n")
}

impl Directory for Guard {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let file = self.inner.get_file_handle(path)?;
        self.check(path, &*file)?;
        Ok(file)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.inner.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.inner.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        self.inner.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let mut bytes = self.inner.atomic_read(path)?;
        let end = bytes.trim_ascii_end().iter().rposition(|&byte| byte == b'\n').unwrap_or(0);
        if bytes[end..] != *last_line(&bytes[..end]).as_bytes() {
            return Err(OpenReadError::wrap_io_error(damaged(path), path.to_owned()));
        }
        bytes.truncate(end);
        Ok(bytes)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        self.inner.atomic_write(path, &[data, last_line(data).as_bytes()].concat())
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.inner.sync_directory()
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.inner.acquire_lock(lock)
    }

    fn watch(&self, watch_callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.inner.watch(watch_callback)
    }
}
