//! The local gz files: safe names, temporary file, fsync, rename. What is in the mirror
//! and why is the ledger's business; this only keeps bytes.
//!
//! ```text
//! mirror/<source>/<segment>/.../<last segment>~<generation, 16 hex digits>
//! mirror/.tmp/                                    unfinished files
//! mirror/~state                                   which state it belongs to
//! ```
//! The path is a pure function of (source, key, generation), and different ones never share a path:
//! - a segment is percent-encoded except `A-Z a-z 0-9 . _ -`; a leading dot is encoded too, so that neither `.`
//!   nor `..` nor a hidden file comes out; an empty segment (`a//b`, `/a`, `a/`) is a lone `%`;
//! - only files hold a `~`, so a key may also be the folder of another;
//! - a segment over 200 bytes becomes `%h` and its BLAKE3; a key of over 32 segments or 1,000 encoded bytes
//!   becomes `%k` and the BLAKE3 of the key, directly below its source;
//! - keys that differ only in case have different generations, hence different file names, also where the
//!   file system ignores case.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::edges::disk::{self, named};
use gzette_core::model::{GenerationId, ObjectKey, SourceName, StateId, UtcMs};

/// What stays as it is in a file name.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');
/// The longest encoded segment; with `~` and a generation far below the 255 bytes of common file systems.
const MAX_SEGMENT_BYTES: usize = 200;
/// The deepest a key may go.
const MAX_SEGMENTS: usize = 32;
/// The longest encoded key; the rest of Linux's 4,096 bytes a path is left to the folder above.
const MAX_KEY_BYTES: usize = 1000;
/// The folder of unfinished files; no source is encoded so.
const TEMPORARY: &str = ".tmp";
/// The file that names the state; everything else beside it is a folder.
const IDENTITY: &str = "~state";

/// The name of the next unfinished file.
static NEXT_TEMPORARY: AtomicU64 = AtomicU64::new(0);

/// The folder of mirrored objects. Errors name the path they are about.
#[derive(Clone, Debug)]
pub struct Mirror {
    dir: PathBuf,
}

impl Mirror {
    /// Returns the mirror in `dir`, which need not exist yet.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Returns the state that it says it belongs to; `None` where it does not say, or not legibly.
    pub fn id(&self) -> io::Result<Option<StateId>> {
        let path = self.dir.join(IDENTITY);
        match fs::read(&path) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            line => Ok(StateId::of_line(&named(line, "read", &path)?)),
        }
    }

    /// Records the state that the mirror belongs to.
    pub fn set_id(&self, id: StateId) -> io::Result<()> {
        self.write_file(&self.dir.join(IDENTITY), id.line().as_bytes())
    }

    /// Returns the folder of a source.
    pub fn folder(&self, source: &SourceName) -> PathBuf {
        self.dir.join(encode_segment(source))
    }

    /// Returns the folders of sources.
    pub fn folders(&self) -> io::Result<Vec<PathBuf>> {
        let entries = match fs::read_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => named(entries, "read", &self.dir)?,
        };
        let mut folders = Vec::new();
        for entry in entries {
            let path = named(entry, "read", &self.dir)?.path();
            // A mirror may be a disk of its own, whose file system has a `lost+found`.
            if path.is_dir() && path.file_name().is_some_and(|name| name != TEMPORARY && name != "lost+found")
            {
                folders.push(path);
            }
        }
        folders.sort();
        Ok(folders)
    }

    /// Returns how many objects the folder of a source holds, and when the first of them was written.
    pub fn census(&self, source: &SourceName) -> io::Result<(u64, Option<UtcMs>)> {
        let (mut files, mut first_ms) = (0, None::<UtcMs>);
        let mut folders = vec![self.folder(source)];
        while let Some(folder) = folders.pop() {
            let entries = match fs::read_dir(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                entries => named(entries, "read", &folder)?,
            };
            for entry in entries {
                let path = named(entry, "read", &folder)?.path();
                let found = named(fs::symlink_metadata(&path), "look at", &path)?;
                if found.is_dir() {
                    folders.push(path);
                    continue;
                }
                files += 1;
                let written = found.modified()?.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                let written_ms = UtcMs::new(written.as_millis() as i64);
                first_ms = Some(first_ms.map_or(written_ms, |first_ms| first_ms.min(written_ms)));
            }
        }
        Ok((files, first_ms))
    }

    /// Returns the path of one version of an object.
    pub fn path(&self, source: &SourceName, key: &ObjectKey, generation: GenerationId) -> PathBuf {
        let mut path = self.dir.join(encode_segment(source));
        path.push(encode_key(key));
        let mut whole: OsString = path.into_os_string();
        whole.push(format!("~{generation}"));
        whole.into()
    }

    /// Removes what an interrupted run left unfinished. Returns how many files. Only for the holder of the state
    /// directory's lock.
    pub fn clean(&self) -> io::Result<u64> {
        disk::remove_unfinished(&self.dir.join(TEMPORARY), None, |_| true)
    }

    /// Writes one version of an object; when it returns, the file is whole and will survive a power cut. An older
    /// file of the same name is replaced.
    pub fn write(
        &self,
        source: &SourceName,
        key: &ObjectKey,
        generation: GenerationId,
        bytes: &[u8],
    ) -> io::Result<()> {
        self.write_file(&self.path(source, key, generation), bytes)
    }

    fn write_file(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let folder = path.parent().unwrap_or(&self.dir);
        let temporary = self.dir.join(TEMPORARY);
        disk::create_folder(&temporary)?;
        disk::create_folder(folder)?;
        // Several are written at a time.
        let number = NEXT_TEMPORARY.fetch_add(1, Ordering::Relaxed);
        disk::write(path, &temporary.join(number.to_string()), bytes)
    }

    /// Opens one version of an object.
    pub fn open(&self, source: &SourceName, key: &ObjectKey, generation: GenerationId) -> io::Result<File> {
        let path = self.path(source, key, generation);
        named(File::open(&path), "open", &path)
    }

    /// Opens one version of an object if its file has the right length. A file that was cut counts as not found, like
    /// one that is not there.
    pub fn open_whole(
        &self,
        source: &SourceName,
        key: &ObjectKey,
        generation: GenerationId,
        size_bytes: u64,
    ) -> io::Result<File> {
        let file = self.open(source, key, generation)?;
        let length = file.metadata()?.len();
        if length == size_bytes {
            return Ok(file);
        }
        let path = self.path(source, key, generation);
        let text = format!("`{}` has {length} bytes instead of {size_bytes}", path.display());
        Err(io::Error::new(io::ErrorKind::NotFound, text))
    }

    /// Returns the length of one version of an object in bytes; `None` when it is not in the mirror.
    pub fn len(
        &self,
        source: &SourceName,
        key: &ObjectKey,
        generation: GenerationId,
    ) -> io::Result<Option<u64>> {
        let path = self.path(source, key, generation);
        match fs::metadata(&path) {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => named(Err(error), "look at", &path),
        }
    }

    /// Gives one version of an object the name that it has under another source and id. Nothing happens when it is not
    /// there, or has that name already.
    pub fn rename(
        &self,
        key: &ObjectKey,
        (old_source, old): (&SourceName, GenerationId),
        (new_source, new): (&SourceName, GenerationId),
    ) -> io::Result<()> {
        let (from, to) = (self.path(old_source, key, old), self.path(new_source, key, new));
        // A file that cannot be looked at is not one that is gone.
        if !named(from.try_exists(), "look at", &from)? {
            return Ok(());
        }
        // Where both are there, the one with the new name is whole: files only ever get their names as a whole.
        if !named(to.try_exists(), "look at", &to)? {
            let folder = to.parent().unwrap_or(&self.dir);
            disk::create_folder(folder)?;
            disk::rename(&from, &to)?;
            disk::sync_folder(folder)?;
        }
        self.remove(old_source, key, old)?;
        self.remove_empty_folders(&from);
        Ok(())
    }

    /// Removes all that is kept of a source.
    pub fn remove_source(&self, source: &SourceName) -> io::Result<()> {
        let folder = self.dir.join(encode_segment(source));
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => named(removed, "remove", &folder),
        }
    }

    fn remove_empty_folders(&self, path: &Path) {
        for folder in path.ancestors().skip(1).take_while(|folder| *folder != self.dir) {
            // Fails while the folder is not empty, which is the common case.
            if fs::remove_dir(folder).is_err() {
                break;
            }
        }
    }

    /// Removes one version of an object, and the folders that this leaves empty. Returns whether it was there.
    pub fn remove(&self, source: &SourceName, key: &ObjectKey, generation: GenerationId) -> io::Result<bool> {
        let path = self.path(source, key, generation);
        match fs::remove_file(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            removed => named(removed, "remove", &path)?,
        }
        self.remove_empty_folders(&path);
        Ok(true)
    }
}

fn encode_key(key: &str) -> String {
    let encoded: Vec<String> = key.split('/').take(MAX_SEGMENTS + 1).map(encode_segment).collect();
    let bytes: usize = encoded.iter().map(|segment| segment.len() + 1).sum();
    if encoded.len() > MAX_SEGMENTS || bytes > MAX_KEY_BYTES {
        // No encoded segment begins with `%k` or `%h`: what a percent sign stands before is always two hex digits.
        return format!("%k{}", blake3::hash(key.as_bytes()));
    }
    encoded.join("/")
}

fn encode_segment(segment: &str) -> String {
    let encoded = match segment.strip_prefix('.') {
        _ if segment.is_empty() => "%".to_owned(),
        Some(rest) => format!("%2E{}", utf8_percent_encode(rest, ENCODED)),
        None => utf8_percent_encode(segment, ENCODED).to_string(),
    };
    if encoded.len() > MAX_SEGMENT_BYTES {
        return format!("%h{}", blake3::hash(segment.as_bytes()));
    }
    encoded
}

#[cfg(test)]
mod tests;
