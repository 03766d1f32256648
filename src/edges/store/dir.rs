//! A folder as a store: keys are the paths below it, `/` between.
//!
//! What a bucket does not have:
//! - **Links.** A link to a file inside the folder is an object. A link to a folder inside is passed
//!   over: its files are listed where they are, so there are no loops. A link that leads out of the folder, or
//!   nowhere, is listed too, and reading it is an error: it is named, never followed and never lost.
//! - **Names that are not UTF-8.** Each invalid byte is written as the character U+F700 +
//!   byte, and read back; so is a name that has such characters already. Every name has one key.
//! - **Headers.** They are not kept.
//! - **Etags.** A hash of size, modification time and inode; it never looks like an MD5.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirEntry, File, Metadata};
use std::io::{self, Read as _};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::count::Counter;
use super::memory::hex;
use super::{Action, Listing, ObjectStore, PutOptions, Service, StoreError, StoreErrorKind, StoreFuture};
use crate::edges::disk;
use gzette_core::model::{ListedObject, Requests, UtcMs};

/// What names of files being written begin with; a crash leaves them, listings pass them over.
const TEMPORARY: &str = ".gzette-put-";
/// The characters that represent the bytes 0x80 to 0xff of names that are not UTF-8; private use.
const STRAY_BYTES: u32 = 0xf700;

/// A folder.
#[derive(Clone, Debug)]
pub struct DirStore {
    folder: Arc<Folder>,
}

#[derive(Debug)]
struct Folder {
    root: PathBuf,
    counter: Counter,
    /// The folders that hold nothing more of what killed puts left.
    cleaned: Mutex<HashSet<PathBuf>>,
}

/// Why something failed, before it is known what it is about.
type Refusal = (StoreErrorKind, String);

impl DirStore {
    /// Returns the store of a folder, which need not be there yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let counter = Counter::default();
        Self { folder: Arc::new(Folder { root, counter, cleaned: Mutex::default() }) }
    }

    fn read<'a>(&'a self, object: &'a ListedObject, matched: bool) -> StoreFuture<'a, Vec<u8>> {
        let wanted = object.clone();
        Box::pin(self.blocking(Action::Get, &object.key, move |folder| folder.get(&wanted, matched)))
    }

    /// Does blocking work away from the tasks that wait for the network.
    async fn blocking<T: Send + 'static>(
        &self,
        what: Action,
        key: &str,
        work: impl FnOnce(&Folder) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, StoreError> {
        let folder = Arc::clone(&self.folder);
        // A hung network share would hold a worker of the runtime, and with it the requests of all other
        // stores.
        let outcome = tokio::task::spawn_blocking(move || work(&folder)).await;
        // A panic of the work is an error of this object, not the end of the run.
        let outcome = outcome.unwrap_or_else(|error| Err((StoreErrorKind::Local, error.to_string())));
        outcome.map_err(|(kind, reason)| {
            StoreError::new(kind, self.service(), what, &self.describe(key), &reason)
        })
    }
}

impl ObjectStore for DirStore {
    fn list<'a>(&'a self, prefix: &'a str, delimited: bool) -> StoreFuture<'a, Listing> {
        let wanted = prefix.to_owned();
        Box::pin(self.blocking(Action::List, prefix, move |folder| folder.list(&wanted, delimited)))
    }

    fn get<'a>(&'a self, object: &'a ListedObject) -> StoreFuture<'a, Vec<u8>> {
        self.read(object, true)
    }

    fn get_unmatched<'a>(&'a self, object: &'a ListedObject) -> StoreFuture<'a, Vec<u8>> {
        self.read(object, false)
    }

    fn put<'a>(&'a self, key: &'a str, body: Vec<u8>, _options: &'a PutOptions) -> StoreFuture<'a, ()> {
        let target = key.to_owned();
        Box::pin(self.blocking(Action::Put, key, move |folder| folder.put(&target, &body)))
    }

    fn delete<'a>(&'a self, key: &'a str) -> StoreFuture<'a, ()> {
        let target = key.to_owned();
        Box::pin(self.blocking(Action::Delete, key, move |folder| folder.delete(&target)))
    }

    fn keeps_headers(&self) -> bool {
        false
    }

    fn service(&self) -> Service {
        Service::Folder
    }

    fn requests(&self) -> Requests {
        self.folder.counter.requests()
    }

    fn describe(&self, key: &str) -> String {
        self.folder.root.join(key.trim_start_matches('/')).display().to_string()
    }
}

impl Folder {
    fn list(&self, prefix: &str, delimited: bool) -> Result<Listing, Refusal> {
        self.counter.list();
        let root = self.real_root()?;
        let (folder, _) = prefix.rsplit_once('/').map_or(("", prefix), |(folder, rest)| (folder, rest));
        let mut walk = Walk { root: &root, prefix, delimited, listing: Listing::default() };
        // A prefix that begins with `/` has the same empty folder, but no key begins so.
        let begin = if folder.is_empty() && !prefix.starts_with('/') {
            Some(root.clone())
        } else {
            path_of(folder).map(|below| root.join(below))
        };
        let base = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        match begin.map(|path| within(&root, &path).map(|real| (real == path, real))) {
            Some(Ok((true, path))) if path.is_dir() => walk.folder(&path, &base)?,
            // No key can begin so, none does, or the folder is a link to one that is listed elsewhere.
            Some(Err((StoreErrorKind::Missing, _)) | Ok(_)) | None => {}
            Some(Err(refusal)) => return Err(refusal),
        }
        let mut listing = walk.listing;
        // As S3 lists them, by their UTF-8 bytes; `read_dir` has no order.
        listing.objects.sort_by(|a, b| a.key.cmp(&b.key));
        listing.prefixes.sort();
        Ok(listing)
    }

    /// Reads a file; with `matched`, only if its etag is the listed one.
    fn get(&self, object: &ListedObject, matched: bool) -> Result<Vec<u8>, Refusal> {
        self.counter.get();
        let path = self.existing(&object.key)?;
        let changed = || (StoreErrorKind::Changed, "the file has changed since it was listed".to_owned());
        let mut file = File::open(&path).map_err(local_disk)?;
        let before = file.metadata().map_err(local_disk)?;
        if !before.is_file() {
            return Err((StoreErrorKind::Missing, "no file".to_owned()));
        }
        let etag = etag_of(&before);
        if matched && etag != object.etag {
            return Err(changed());
        }
        if before.len() != object.size_bytes {
            let reason = format!("the file has {} bytes, not the listed {}", before.len(), object.size_bytes);
            return Err((StoreErrorKind::Odd, reason));
        }
        let mut body = Vec::with_capacity(before.len() as usize);
        // One byte more than there was: a file that grows is noticed and not followed to its end.
        (&mut file).take(before.len() + 1).read_to_end(&mut body).map_err(local_disk)?;
        self.counter.received(body.len());
        let after = file.metadata().map_err(local_disk)?;
        if etag_of(&after) != etag || body.len() as u64 != object.size_bytes {
            return Err(changed());
        }
        Ok(body)
    }

    fn put(&self, key: &str, body: &[u8]) -> Result<(), Refusal> {
        self.counter.put();
        let below = path_of(key).ok_or_else(no_key)?;
        fs::create_dir_all(&self.root).map_err(local_disk)?;
        let root = self.real_root()?;
        let parent = made_parent(&root, &below)?;
        let name = below.file_name().ok_or_else(no_key)?;
        let target = parent.join(name);
        if target.is_dir() {
            return Err((StoreErrorKind::Config, "a folder has this name".to_owned()));
        }
        let unfinished = parent.join(disk::unique_name(TEMPORARY));
        disk::write(&target, &unfinished, body).map_err(local_disk)?;
        self.counter.sent(body.len());
        self.remove_unfinished(&parent, &target);
        Ok(())
    }

    /// Removes from a folder, once, what puts left that were killed. Others may be putting into it as well. What cannot
    /// be removed is passed over by listings.
    fn remove_unfinished(&self, folder: &Path, put: &Path) {
        let mut cleaned = self.cleaned.lock().unwrap_or_else(PoisonError::into_inner);
        if cleaned.insert(folder.to_owned()) {
            // Only what is older than the file just put goes: another process may be writing. Both times are
            // the file system's own, as the clock of a share may differ from this machine's.
            let written = fs::metadata(put).and_then(|put| put.modified());
            let _ = written.and_then(|written| {
                disk::remove_unfinished(folder, Some(written), |name| name.starts_with(TEMPORARY))
            });
        }
    }

    fn delete(&self, key: &str) -> Result<(), Refusal> {
        self.counter.put();
        let below = path_of(key).ok_or_else(no_key)?;
        let root = self.real_root()?;
        let parent = below.parent().map_or_else(|| root.clone(), |parent| root.join(parent));
        let outcome = within(&root, &parent).and_then(|parent| {
            let name = below.file_name().ok_or_else(no_key)?;
            fs::remove_file(parent.join(name)).map_err(local_disk)
        });
        match outcome {
            // S3, too, answers that a key is deleted when it was not there.
            Err((StoreErrorKind::Missing, _)) => Ok(()),
            other => other,
        }
    }

    fn real_root(&self) -> Result<PathBuf, Refusal> {
        let root = self.root.canonicalize().map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => (StoreErrorKind::NoBucket, "no such folder".to_owned()),
            _ => local(&error),
        })?;
        if root.is_dir() { Ok(root) } else { Err((StoreErrorKind::NoBucket, "not a folder".to_owned())) }
    }

    /// Returns the real path of the file of `key`, which is inside the folder.
    fn existing(&self, key: &str) -> Result<PathBuf, Refusal> {
        let root = self.real_root()?;
        let below =
            path_of(key).ok_or_else(|| (StoreErrorKind::Missing, "no file can have this key".to_owned()))?;
        within(&root, &root.join(below))
    }
}

/// A listing in the making.
struct Walk<'a> {
    root: &'a Path,
    prefix: &'a str,
    delimited: bool,
    listing: Listing,
}

impl Walk<'_> {
    /// Lists the folder `path`, whose files' keys begin with `base`.
    fn folder(&mut self, path: &Path, base: &str) -> Result<(), Refusal> {
        for entry in fs::read_dir(path).map_err(|error| about(path, &error))? {
            let entry = entry.map_err(|error| about(path, &error))?;
            let key = format!("{base}{}", key_of(&entry.file_name()));
            if entry.file_name().as_bytes().starts_with(TEMPORARY.as_bytes()) {
                continue;
            }
            match entry.metadata() {
                Ok(found) => self.entry(&entry, key, &found)?,
                // Gone since the folder was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(about(&entry.path(), &error)),
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &DirEntry, key: String, found: &Metadata) -> Result<(), Refusal> {
        if found.is_dir() {
            self.below(&entry.path(), key + "/")
        } else if found.is_symlink() {
            self.link(&entry.path(), key, found);
            Ok(())
        } else {
            // Sockets, pipes and devices are not objects: to open a pipe would wait for its writer.
            if found.is_file() {
                self.object(key, found);
            }
            Ok(())
        }
    }

    fn below(&mut self, path: &Path, base: String) -> Result<(), Refusal> {
        let inside = base.starts_with(self.prefix);
        if inside && self.delimited {
            self.listing.prefixes.push(base);
            Ok(())
        } else if inside || self.prefix.starts_with(&base) {
            self.folder(path, &base)
        } else {
            Ok(())
        }
    }

    fn link(&mut self, path: &Path, key: String, link: &Metadata) {
        match within(self.root, path).and_then(|target| fs::metadata(target).map_err(local_disk)) {
            Ok(target) if target.is_file() => self.object(key, &target),
            // A folder inside: its files are listed where they are.
            Ok(_) => {}
            Err(_) => self.object(key, link),
        }
    }

    fn object(&mut self, key: String, found: &Metadata) {
        if key.starts_with(self.prefix) {
            self.listing.objects.push(ListedObject {
                key: key.into(),
                etag: etag_of(found),
                size_bytes: found.len(),
                modified_ms: UtcMs::new(found.mtime() * 1000 + found.mtime_nsec() / 1_000_000),
            });
        }
    }
}

/// Makes the folders above `below`, none of them outside `root`; returns the last.
fn made_parent(root: &Path, below: &Path) -> Result<PathBuf, Refusal> {
    let mut parent = root.to_owned();
    for segment in below.parent().into_iter().flat_map(Path::iter) {
        // One folder at a time: `create_dir_all` would follow a link out of the root before it can be
        // checked.
        let next = parent.join(segment);
        match fs::create_dir(&next) {
            // A new folder survives a power cut only once its parent is synced.
            Ok(()) => disk::sync_folder(&parent).map_err(local_disk)?,
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(local(&error)),
            Err(_) => {}
        }
        parent = within(root, &next)?;
    }
    Ok(parent)
}

/// Returns the real path of `path`, which must be inside `root`.
fn within(root: &Path, path: &Path) -> Result<PathBuf, Refusal> {
    // Resolved before it is compared, as any folder of the path may be a link.
    let real = path.canonicalize().map_err(local_disk)?;
    if real.starts_with(root) {
        Ok(real)
    } else {
        let reason = "a link leads out of the folder; it is not followed".to_owned();
        Err((StoreErrorKind::Denied, reason))
    }
}

/// Returns the path below the root that `key` names; `None` when none can: empty, `.` and `..` segments
/// and NUL have no file.
fn path_of(key: &str) -> Option<PathBuf> {
    let fine = |segment: &str| !matches!(segment, "" | "." | "..") && !segment.contains('\0');
    key.split('/').all(fine).then(|| PathBuf::from(name_of(key)))
}

/// Returns the key of a file name: itself, where it is UTF-8.
fn key_of(name: &OsStr) -> String {
    let mut key = String::with_capacity(name.len());
    for chunk in name.as_bytes().utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_stray(character) {
                push_stray(&mut key, character.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                key.push(character);
            }
        }
        push_stray(&mut key, chunk.invalid());
    }
    key
}

fn push_stray(key: &mut String, bytes: &[u8]) {
    key.extend(bytes.iter().filter_map(|&byte| char::from_u32(STRAY_BYTES + u32::from(byte))));
}

/// Returns the file name of a key: what [`key_of`] made it from.
fn name_of(key: &str) -> OsString {
    let mut name = Vec::with_capacity(key.len());
    for character in key.chars() {
        if is_stray(character) {
            name.push((u32::from(character) - STRAY_BYTES) as u8);
        } else {
            name.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
        }
    }
    OsString::from_vec(name)
}

fn is_stray(character: char) -> bool {
    (STRAY_BYTES + 0x80..=STRAY_BYTES + 0xff).contains(&u32::from(character))
}

/// Returns 24 hexadecimal digits of a hash of what changes when a file's bytes do.
fn etag_of(found: &Metadata) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&found.len().to_le_bytes());
    hasher.update(&found.mtime().to_le_bytes());
    hasher.update(&found.mtime_nsec().to_le_bytes());
    hasher.update(&found.ino().to_le_bytes());
    hex(&hasher.finalize().as_bytes()[..12])
}

fn about(path: &Path, error: &io::Error) -> Refusal {
    let (kind, reason) = local(error);
    (kind, format!("`{}`: {reason}", path.display()))
}

fn local(error: &io::Error) -> Refusal {
    let kind = match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => StoreErrorKind::Missing,
        io::ErrorKind::PermissionDenied => StoreErrorKind::Denied,
        _ => StoreErrorKind::Local,
    };
    (kind, error.to_string())
}

#[expect(clippy::needless_pass_by_value, reason = "`map_err` hands its error over")]
fn local_disk(error: io::Error) -> Refusal {
    local(&error)
}

fn no_key() -> Refusal {
    (StoreErrorKind::Config, "no file can have this key".to_owned())
}
