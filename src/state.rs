//! The state directory: where its parts lie, and the lock that one run holds.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

/// A state directory.
#[derive(Clone, Debug)]
pub struct State {
    dir: PathBuf,
}

/// The lock of a state directory; released when dropped, or by the system when the process dies.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

/// Why the lock was not had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("another gzette is at work on `{dir}`: {holder}")]
    Held {
        /// The state directory.
        dir: PathBuf,
        /// What the holder wrote about itself.
        holder: String,
    },
    /// The directory or the lock's file cannot be written.
    #[error("cannot write the state directory `{dir}`: {source}")]
    Io {
        /// The state directory.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl State {
    /// Returns the state in `dir`; nothing is read or made yet.
    pub fn new(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// Returns the directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the ledger's file.
    pub fn ledger(&self) -> PathBuf {
        self.dir.join("ledger.sqlite")
    }

    /// Returns the index's folder.
    pub fn index(&self) -> PathBuf {
        self.dir.join("index")
    }

    /// Returns the mirror's folder.
    pub fn mirror(&self) -> PathBuf {
        self.dir.join("mirror")
    }

    /// Returns the folder of mails that go to files.
    pub fn outbox(&self) -> PathBuf {
        self.dir.join("outbox")
    }

    /// Takes the lock, or says who has it. `about` is what others are told: command and start.
    pub fn lock(&self, about: &str) -> Result<StateLock, LockError> {
        let io = |source| LockError::Io { dir: self.dir.clone(), source };
        fs::create_dir_all(&self.dir).map_err(io)?;
        let path = self.dir.join("lock");
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::Error(source)) => return Err(io(source)),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = (&file).take(200).read_to_string(&mut holder);
                let holder =
                    if holder.trim().is_empty() { "it has not said who it is" } else { holder.trim() };
                return Err(LockError::Held { dir: self.dir.clone(), holder: holder.to_owned() });
            }
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(io)?;
        writeln!(file, "process {}, {about}", std::process::id()).map_err(io)?;
        Ok(StateLock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_is_at_work() {
        let dir = tempfile::tempdir().unwrap();
        let state = State::new(dir.path().join("state"));
        let first = state.lock("gzette run since 12:00").unwrap();
        let second = state.lock("gzette ingest").unwrap_err().to_string();
        assert!(
            second.contains(&format!("process {}, gzette run since 12:00", std::process::id())),
            "{second}"
        );
        drop(first);
        state.lock("gzette ingest").unwrap();
    }
}
