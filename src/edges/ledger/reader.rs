//! Opening a ledger for reading, also by a user who may read the state directory and not write it. `SQLite` keeps a
//! file beside a ledger, `-shm`, by which those who read and those who write agree; where it is missing and cannot be
//! made, it reads nothing. Then, while no run is at work:
//!
//! - Without a log the file is all there is, and is read without locks. If it changes meanwhile, that is an error.
//! - With a log, which a killed run left, both are copied into a temporary folder and read there.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tempfile::TempDir;

use super::{BUSY_WAIT, LedgerError, Result, checked_vfs, log, migrations};

/// How long, and how often, a run that just begins or ends is waited for.
const WAIT: Duration = Duration::from_millis(100);
const TRIES: usize = 50;
/// The largest ledger that is copied.
const MAX_COPIED_BYTES: u64 = 1 << 30;

/// A ledger opened for reading.
pub(super) struct Opened {
    pub(super) connection: Connection,
    /// The version of its schema.
    pub(super) schema: i64,
    /// Where it was copied to; gone when this is.
    pub(super) copy: Option<TempDir>,
}

/// Opens the ledger at `path` for reading.
pub(super) fn open(path: &Path) -> Result<Opened> {
    // SQLite says only that it cannot open a database; this says why.
    File::open(path).map_err(|source| LedgerError::Denied { path: path.to_owned(), source })?;
    log::check(path)?;
    for _ in 0..TRIES {
        match opened(path, OpenFlags::SQLITE_OPEN_READ_ONLY) {
            Err(error) if is_alone(&error) => {}
            other => return other,
        }
        // The lock is asked after the failure: a run that has begun meanwhile makes the shared file, and the next try
        // succeeds.
        if !is_locked(path) {
            return open_alone(path);
        }
        thread::sleep(WAIT);
    }
    Err(LedgerError::Unshared { path: Some(path.to_owned()) })
}

fn opened(path: &Path, flags: OpenFlags) -> Result<Opened> {
    let connection = checked_vfs::connect(path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    let schema = migrations::check(&connection)?;
    Ok(Opened { connection, schema, copy: None })
}

/// Whether the file that all agree by is missing and cannot be made.
fn is_alone(error: &LedgerError) -> bool {
    let LedgerError::Sqlite(error) = error else { return false };
    matches!(error.sqlite_error_code(), Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen))
}

/// Whether a run holds the lock of the state directory that contains the ledger.
fn is_locked(path: &Path) -> bool {
    let lock = File::open(path.with_file_name("lock"));
    // Shared with all who look, and given back at once.
    lock.is_ok_and(|lock| matches!(lock.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Opens the ledger while no run is at work on it.
fn open_alone(path: &Path) -> Result<Opened> {
    let wal = log::beside(path, "-wal");
    let log_bytes = fs::metadata(&wal).map_or(0, |found| found.len());
    if log_bytes == 0 {
        // As a URI, in which a path may hold no `?`, `#` or `%` of its own.
        let name = percent_encode(path.as_os_str().as_bytes(), NON_ALPHANUMERIC);
        let uri = PathBuf::from(format!("file:{name}?immutable=1"));
        return opened(&uri, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI);
    }
    let denied = |source| LedgerError::Denied { path: path.to_owned(), source };
    if fs::metadata(path).map_err(denied)?.len() + log_bytes > MAX_COPIED_BYTES {
        return Err(LedgerError::Unshared { path: Some(path.to_owned()) });
    }
    let folder = copied(path, &wal).map_err(denied)?;
    let opened = opened(&folder.path().join("ledger.sqlite"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    Ok(Opened { copy: Some(folder), ..opened })
}

/// Copies the ledger and its log, unless a run begins meanwhile.
fn copied(path: &Path, wal: &Path) -> io::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("gzette-").tempdir()?;
    // Two files are not copied at one moment. If neither changed from before the first to after the last, the copies
    // fit together.
    let stamps = || Ok::<_, io::Error>((fs::metadata(path)?.modified()?, fs::metadata(wal)?.modified()?));
    let before = stamps()?;
    fs::copy(path, folder.path().join("ledger.sqlite"))?;
    fs::copy(wal, folder.path().join("ledger.sqlite-wal"))?;
    if is_locked(path) || stamps()? != before {
        return Err(io::Error::other("a run has begun; try again"));
    }
    Ok(folder)
}
