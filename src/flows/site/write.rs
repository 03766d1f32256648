//! Files into a folder: only what changed, `index.html` last, own stale files removed, nothing else touched.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use super::File;
use crate::edges::disk;

/// Names the files that were made here, one a line; what it does not name is not ours.
const MANIFEST: &str = ".gzette-site";
/// Ends the name of a file that is being written.
const UNFINISHED: &str = ".gzette-tmp";

/// What [`write`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Files made or changed.
    pub changed: usize,
    /// Files that had the same bytes already.
    pub unchanged: usize,
    /// Files of earlier sites that were removed.
    pub removed: usize,
}

/// Writes the site into `dir`, which is made if needed. A reader sees each file old or new, never half, and
/// `index.html` after all that it links to. After a crash the next call finishes the work.
///
/// # Errors
/// Fails when a file cannot be read or written, and before anything is written when `dir` holds a file under the
/// name of a page that an earlier call did not make.
pub fn write(dir: &Path, files: &[File]) -> io::Result<Written> {
    fs::create_dir_all(dir)?;
    let before = read_manifest(dir)?;
    let wanted: BTreeSet<String> = files.iter().map(|file| file.path.clone()).collect();
    if let Some(path) = wanted.iter().find(|path| !is_plain(path)) {
        let message = format!("`{path}` is not a path of a site");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let changed = changed(dir, files, &before)?;
    // Both sets while the work goes on: whatever is there after a crash is known as ours.
    let ours = &before | &wanted;
    write_manifest(dir, &ours)?;
    remove_unfinished(dir, &ours)?;
    let (index, pages): (Vec<&File>, Vec<&File>) = changed.iter().partition(|file| file.path == "index.html");
    for file in pages.into_iter().chain(index) {
        replace(&dir.join(&file.path), &file.bytes)?;
    }
    let removed = remove_stale(dir, before.difference(&wanted))?;
    write_manifest(dir, &wanted)?;
    Ok(Written { changed: changed.len(), unchanged: files.len() - changed.len(), removed })
}

fn changed<'a>(dir: &Path, files: &'a [File], ours: &BTreeSet<String>) -> io::Result<Vec<&'a File>> {
    let mut out = Vec::new();
    for file in files {
        let path = dir.join(&file.path);
        match fs::read(&path) {
            Ok(bytes) if bytes == file.bytes => {}
            // A mistyped `dir` must not cost anyone a web site.
            Ok(_) if !ours.contains(&file.path) && !looks_like_ours(dir) => return Err(foreign(&path)),
            Ok(_) => out.push(file),
            Err(error) if error.kind() == io::ErrorKind::NotFound => out.push(file),
            Err(error) => return Err(about(&path, &error)),
        }
    }
    Ok(out)
}

/// Whether the folder holds a site that was made here, although the file that names its pages is lost or damaged.
fn looks_like_ours(dir: &Path) -> bool {
    let policy = super::page::POLICY.as_bytes();
    fs::read(dir.join("index.html")).is_ok_and(|page| memchr::memmem::find(&page, policy).is_some())
}

fn foreign(path: &Path) -> io::Error {
    let message = format!(
        "`{}` was not made by gzette and is left untouched; choose another folder or remove it",
        path.display()
    );
    io::Error::new(io::ErrorKind::AlreadyExists, message)
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| about(parent, &error))?;
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(UNFINISHED);
    // A power cut after the rename must leave no empty file: without its names the manifest would make every page a
    // stranger's, and an empty page would stay until the next run. An old one may stay.
    disk::replace(path, unfinished.as_ref(), bytes)
}

/// Removes what a crash left of our own files, in their folders.
fn remove_unfinished(dir: &Path, ours: &BTreeSet<String>) -> io::Result<()> {
    let folders: BTreeSet<&Path> = ours.iter().filter_map(|path| Path::new(path).parent()).collect();
    for folder in folders {
        let is_unfinished = |name: &str| {
            let finished = name.strip_suffix(UNFINISHED).map(|name| folder.join(name));
            let is_ours =
                |path: &Path| path.to_str().is_some_and(|path| path == MANIFEST || ours.contains(path));
            finished.is_some_and(|path| is_ours(&path))
        };
        disk::remove_unfinished(&dir.join(folder), None, is_unfinished)?;
    }
    Ok(())
}

fn remove_stale<'a>(dir: &Path, stale: impl Iterator<Item = &'a String>) -> io::Result<usize> {
    let mut removed = 0;
    for path in stale {
        match fs::remove_file(dir.join(path)) {
            Ok(()) => removed += 1,
            // A cut manifest ends with a part of a name, which may be that of a folder.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::IsADirectory) => {}
            Err(error) => return Err(about(&dir.join(path), &error)),
        }
    }
    Ok(removed)
}

fn read_manifest(dir: &Path) -> io::Result<BTreeSet<String>> {
    let path = dir.join(MANIFEST);
    match fs::read(&path) {
        // A line that leads out of the folder is not from us.
        Ok(text) => Ok(String::from_utf8_lossy(&text)
            .lines()
            .filter(|line| is_plain(line))
            .map(str::to_owned)
            .collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeSet::new()),
        Err(error) => Err(about(&path, &error)),
    }
}

fn write_manifest(dir: &Path, paths: &BTreeSet<String>) -> io::Result<()> {
    let text: String = paths.iter().flat_map(|path| [path.as_str(), "\n"]).collect();
    let path = dir.join(MANIFEST);
    // An unchanged site writes nothing at all, which backups and syncing folders notice.
    if fs::read(&path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(());
    }
    replace(&path, text.as_bytes())
}

/// Returns whether a path stays in the folder: letters, digits and `-_.` in each part, none starting with a dot.
fn is_plain(path: &str) -> bool {
    path.split('/').all(|part| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
    })
}

fn about(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display()))
}
