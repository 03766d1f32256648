//! Errors of the ledger. A damaged file is distinguished from everything else, because it can be rebuilt.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use rusqlite::ffi;

/// What went wrong in the ledger. Errors of `SQLite` do not say which file they are about: the caller that knows adds it, with
/// [`LedgerError::in_file`].
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// `SQLite` refused.
    #[error("ledger: {0}")]
    Sqlite(#[source] rusqlite::Error),
    /// The file does not hold what was written to it: a fault of the disk, a partial copy, another program.
    #[error("the ledger{} is damaged: {reason}", quoted(.path.as_deref()))]
    Corrupt {
        /// The file, where it is known.
        path: Option<PathBuf>,
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
    #[error("the ledger{} cannot be read beside another user's run", quoted(.path.as_deref()))]
    Unshared {
        /// The file, where it is known.
        path: Option<PathBuf>,
    },
    /// A newer gzette wrote this file.
    #[error("the ledger has schema {found}, this gzette knows up to {known}: a newer gzette wrote it")]
    TooNew {
        /// The file's schema version.
        found: i64,
        /// The newest version known here.
        known: i64,
    },
    /// A sample cannot be compressed: memory ran out.
    #[error("ledger: cannot compress a sample: {0}")]
    Uncompressed(#[source] std::io::Error),
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
            Self::Sqlite(error) => is_misfit(error),
            _ => false,
        }
    }

    /// Returns whether the message is about a file that it does not name.
    pub fn lacks_file(&self) -> bool {
        matches!(self, Self::Corrupt { path: None, .. } | Self::Unshared { path: None })
    }

    /// Names the ledger's file in an error that does not name one yet.
    #[must_use]
    pub fn in_file(mut self, file: &Path) -> Self {
        if let Self::Corrupt { path: path @ None, .. } | Self::Unshared { path: path @ None } = &mut self {
            *path = Some(file.to_owned());
        }
        self
    }
}

/// Returns a path in backticks with a space before them, if there is one.
fn quoted(path: Option<&Path>) -> String {
    path.map(|path| format!(" `{}`", path.display())).unwrap_or_default()
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

impl From<rusqlite::Error> for LedgerError {
    fn from(error: rusqlite::Error) -> Self {
        if is_damage(&error) {
            Self::damage(error.to_string())
        } else if error.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_BUSY_SNAPSHOT) {
            // It was read without locks, and a run has begun.
            Self::Unshared { path: None }
        } else {
            Self::Sqlite(error)
        }
    }
}

impl LedgerError {
    /// Returns the error that the ledger is damaged.
    pub(super) fn damage(reason: String) -> Self {
        Self::Corrupt { path: None, reason }
    }
}

/// Whether an error says that the file does not hold what was written to it.
fn is_damage(error: &rusqlite::Error) -> bool {
    let Some(error) = error.sqlite_error() else { return false };
    matches!(error.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        || matches!(error.extended_code, ffi::SQLITE_IOERR_DATA | ffi::SQLITE_IOERR_CORRUPTFS)
}

/// Whether a statement does not fit the tables of the file. `SQLite` has no code of its own for a table or column that is
/// not there (`SQLITE_ERROR`: <https://sqlite.org/rescode.html#error>), but statements are gzette's own, and fit every
/// schema that gzette writes: what is wrong then is the file.
fn is_misfit(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(error, _) | rusqlite::Error::SqlInputError { error, .. } => {
            error.extended_code == ffi::SQLITE_ERROR
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    fn error_of(before: &str, statement: &str) -> LedgerError {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(before).unwrap();
        connection.execute_batch(statement).unwrap_err().into()
    }

    #[test]
    fn a_table_or_column_that_is_not_there_is_about_the_content_of_the_file() {
        let table = "CREATE TABLE t (a INTEGER PRIMARY KEY)";
        for statement in
            ["SELECT a FROM t2", "SELECT b FROM t", "INSERT INTO t (c) VALUES (1)", table, "DROP INDEX i"]
        {
            assert!(error_of(table, statement).is_about_content(), "{statement}");
        }
    }

    #[test]
    fn a_constraint_or_a_read_only_file_is_not() {
        let table = "CREATE TABLE t (a INTEGER PRIMARY KEY, b UNIQUE); INSERT INTO t VALUES (1, 1)";
        assert!(!error_of(table, "INSERT INTO t VALUES (2, 1)").is_about_content());
        let read_only = format!("{table}; PRAGMA query_only = true");
        let error = error_of(&read_only, "DELETE FROM t");
        assert!(!error.is_about_content() && error.file_fault() == Some(FileFault::ReadOnly), "{error}");
    }

    #[test]
    fn an_error_names_the_file_once_it_is_known() {
        let error = LedgerError::damage("page 3".to_owned());
        assert!(error.lacks_file());
        assert_eq!(error.to_string(), "the ledger is damaged: page 3");
        let named = error.in_file(Path::new("/a/ledger.sqlite")).in_file(Path::new("/b"));
        assert_eq!(named.to_string(), "the ledger `/a/ledger.sqlite` is damaged: page 3");
        assert!(!named.lacks_file());
    }
}
