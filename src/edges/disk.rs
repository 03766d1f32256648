//! Writes files completely or not at all, even across a power cut: under a temporary name, synced, then renamed. Files get
//! the mode of the umask, so anyone who may read the folder may read them. A call that a signal interrupts is repeated.
//! Every file that gzette writes as a whole goes through here; `tests/it/tidy.rs` checks that.
//!
//! - [`write`] also syncs the folder: when it returns, the new file survives a power cut. For files that the ledger relies
//!   on from then on: mirrored objects, the ids of a state, mails that count as sent, files that count as published.
//! - [`replace`] does not: after a power cut the old file may still be there, or none. For files that the next run makes
//!   again: pages, and the list of a site's files. Also for the index: each commit syncs its folder once for all files, and
//!   start-up compares its batch with the ledger's.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Write as _};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// The age after which an unfinished file counts as abandoned.
const LEFT: Duration = Duration::from_hours(1);

/// Writes a file completely, through `unfinished`, an unused name in a folder on the same disk. A crash may
/// leave that file; see [`remove_unfinished`].
///
/// # Errors
/// Names the path.
pub fn write(path: &Path, unfinished: &Path, bytes: &[u8]) -> io::Result<()> {
    replace(path, unfinished, bytes)?;
    path.parent().map_or(Ok(()), sync_folder)
}

/// As [`write`], but leaves it to the caller to sync the folder: a power cut may leave the file that was there before.
pub fn replace(path: &Path, unfinished: &Path, bytes: &[u8]) -> io::Result<()> {
    let written = create(unfinished).and_then(|mut file| {
        file.write_all(bytes)?;
        // Interrupted calls of this one the standard library makes again.
        file.sync_all()
    });
    let done = named(written, "write", unfinished).and_then(|()| rename(unfinished, path));
    if done.is_err() {
        // What went wrong is the error to tell of.
        let _ = fs::remove_file(unfinished);
    }
    done
}

/// Returns a name that begins with `prefix` and that no other writer in a folder has, whatever process it is in.
pub fn unique_name(prefix: &str) -> String {
    // The keys of a `RandomState` are random, and other ones each time.
    format!("{prefix}{:016x}", RandomState::new().build_hasher().finish())
}

/// Creates a file in the place of one that a crash left; never by way of a link.
fn create(path: &Path) -> io::Result<File> {
    let create = || OpenOptions::new().write(true).create_new(true).open(path);
    match create() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path)?;
            create()
        }
        created => created,
    }
}

/// Renames a file.
pub fn rename(from: &Path, to: &Path) -> io::Result<()> {
    named(uninterrupted(|| fs::rename(from, to)), "rename to", to)
}

/// Makes a call again for as long as signals interrupt it.
fn uninterrupted<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}

/// Creates a folder and its parents; a folder is only durable once its parent is synced.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(above) = folder.parent().filter(|above| !above.as_os_str().is_empty()) {
        create_folder(above)?;
    }
    match fs::create_dir(folder) {
        // Another writer was first.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        created => named(created, "create", folder)?,
    }
    folder.parent().map_or(Ok(()), sync_folder)
}

/// Makes the names in a folder safe from a power cut.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    named(File::open(folder).and_then(|folder| folder.sync_all()), "sync", folder)
}

/// Removes the files in a folder that have such names, which a crash left; returns how many. Where others may be writing,
/// with the time of a file just written: then only those that are an hour older.
pub fn remove_unfinished(
    folder: &Path,
    written: Option<SystemTime>,
    is_unfinished: impl Fn(&str) -> bool,
) -> io::Result<u64> {
    // Ages are compared between files of one folder: the clock of a file server may differ from this machine's.
    let is_left = |path: &Path| {
        written.is_none_or(|written| {
            let begun = fs::metadata(path).and_then(|found| found.modified());
            begun.is_ok_and(|begun| written.duration_since(begun).is_ok_and(|age| age >= LEFT))
        })
    };
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => named(entries, "read", folder)?,
    };
    let mut removed = 0;
    for entry in entries {
        let entry = named(entry, "read", folder)?;
        let path = entry.path();
        if entry.file_name().to_str().is_some_and(&is_unfinished) && is_left(&path) {
            named(fs::remove_file(&path), "remove", &path)?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Whether an error says that a place may be read and not written.
pub fn is_read_only(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
}

/// Adds the operation and the path to an error; the kind stays.
pub fn named<T>(result: io::Result<T>, what: &str, path: &Path) -> io::Result<T> {
    result.map_err(|error| io::Error::new(error.kind(), format!("{what} `{}`: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let (path, unfinished) = (dir.path().join("a"), dir.path().join("a.tmp"));
        fs::write(&unfinished, "left by a crash").unwrap();
        write(&path, &unfinished, b"one").unwrap();
        write(&path, &unfinished, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_cannot_be_renamed_leaves_nothing_and_names_its_place() {
        let dir = tempfile::tempdir().unwrap();
        let (path, unfinished) = (dir.path().join("a"), dir.path().join("a.tmp"));
        fs::create_dir(&path).unwrap();
        let error = write(&path, &unfinished, b"one").unwrap_err().to_string();
        assert!(error.contains("rename to") && error.contains(path.to_str().unwrap()), "{error}");
        assert!(!unfinished.exists());
    }

    #[test]
    fn an_interrupted_call_is_made_again() {
        let mut calls = 0;
        let outcome = uninterrupted(|| {
            calls += 1;
            if calls < 3 { Err(io::ErrorKind::Interrupted.into()) } else { Ok(calls) }
        });
        assert_eq!(outcome.unwrap(), 3);
    }

    #[test]
    fn only_what_a_crash_left_is_removed() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["a", ".tmp1", "b.tmp"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let is_unfinished = |name: &str| name.starts_with(".tmp");
        let now = fs::metadata(dir.path().join("a")).unwrap().modified().unwrap();
        assert_eq!(remove_unfinished(dir.path(), Some(now), is_unfinished).unwrap(), 0);
        assert_eq!(remove_unfinished(dir.path(), Some(now + LEFT), is_unfinished).unwrap(), 1);
        fs::write(dir.path().join(".tmp2"), "").unwrap();
        assert_eq!(remove_unfinished(dir.path(), None, is_unfinished).unwrap(), 1);
        assert_eq!(remove_unfinished(&dir.path().join("none"), None, |_| true).unwrap(), 0);
        assert!(dir.path().join("a").exists() && dir.path().join("b.tmp").exists());
    }
}
