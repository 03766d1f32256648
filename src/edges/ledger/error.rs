//! What goes wrong in the ledger. A damaged file is told apart from all else, since it can be rebuilt.

use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use rusqlite::ErrorCode;
use rusqlite::ffi;

/// The file that the errors of `SQLite` are about, which do not name one: a process works on one ledger.
static FILE: RwLock<Option<PathBuf>> = RwLock::new(None);

/// What went wrong in the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// `SQLite` refused.
    #[error("ledger: {0}")]
    Sqlite(#[source] rusqlite::Error),
    /// The file does not hold what was written to it: a fault of the disk, a partial copy, another program.
    #[error("the ledger `{path}` is damaged: {reason}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// How that was noticed.
        reason: String,
    },
    /// A file may not be read.
    #[error("cannot read `{path}`: {source}")]
    Denied {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another user's run is at work, or left its log, and the state directory may not be written.
    #[error("the ledger `{path}` cannot be read beside another user's run")]
    Unshared {
        /// The file.
        path: PathBuf,
    },
    /// A newer gzette wrote this file.
    #[error("the ledger has schema {found}, this gzette knows up to {known}: a newer gzette wrote it")]
    TooNew {
        /// The file's schema version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// A value in the ledger that gzette did not write so.
    #[error("ledger: `{what}` is unreadable")]
    Unreadable {
        /// The table and column.
        what: &'static str,
    },
}

impl LedgerError {
    /// Returns whether the file itself does not hold what a ledger holds, so that another one has to be made.
    pub fn is_about_content(&self) -> bool {
        match self {
            Self::Corrupt { .. } | Self::Unreadable { .. } => true,
            Self::Sqlite(error) => error.to_string().starts_with("no such "),
            _ => false,
        }
    }
}

/// What keeps the ledger's file from being read or written. `SQLite` does not say more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileFault {
    /// The disk is full.
    Full,
    /// The disk failed, or a quota or a limit is used up.
    Failed,
    /// The file system is mounted read-only, or the file may not be written.
    ReadOnly,
    /// The file cannot be opened or made.
    Closed,
}

impl LedgerError {
    /// Returns what is wrong with the file, if that is the cause.
    pub fn file_fault(&self) -> Option<FileFault> {
        let Self::Sqlite(error) = self else { return None };
        match error.sqlite_error_code()? {
            ErrorCode::DiskFull => Some(FileFault::Full),
            ErrorCode::SystemIoFailure => Some(FileFault::Failed),
            ErrorCode::ReadOnly => Some(FileFault::ReadOnly),
            ErrorCode::CannotOpen | ErrorCode::PermissionDenied => Some(FileFault::Closed),
            _ => None,
        }
    }
}

/// What a ledger call returns.
pub type Result<T> = std::result::Result<T, LedgerError>;

/// Says which file the errors from now on are about.
pub(super) fn are_about(path: &Path) {
    *FILE.write().unwrap_or_else(PoisonError::into_inner) = Some(path.to_owned());
}

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        if is_damage(&error) {
            damage(error.to_string())
        } else if error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_BUSY_SNAPSHOT) {
            // It was read without locks, and a run has begun.
            Self::Unshared { path: file() }
        } else {
            Self::Sqlite(error)
        }
    }
}

/// Returns the error that the ledger is damaged.
pub(super) fn damage(reason: String) -> LedgerError {
    LedgerError::Corrupt { path: file(), reason }
}

fn file() -> PathBuf {
    FILE.read().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
}

/// Whether an error says that the file does not hold what was written to it.
fn is_damage(error: &rusqlite::Error) -> bool {
    let Some(error) = error.sqlite_error() else { return false };
    matches!(error.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        || matches!(error.extended_code, ffi::SQLITE_IOERR_DATA | ffi::SQLITE_IOERR_CORRUPTFS)
}
