//! The state directory: where its parts lie, and the lock that one run holds.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// The name of the lock's file.
const LOCK: &str = "lock";
/// How often, and how long after one another, the lock is tried.
const TRIES: usize = 4;
const TRY_AGAIN: Duration = Duration::from_millis(20);

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
        let path = self.dir.join(LOCK);
        let mut file =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path).map_err(io)?;
        // A reader that looks whether a run is at work holds it for a moment.
        let mut tries = (1..TRIES).map(|_| thread::sleep(TRY_AGAIN));
        self.taken(&file, || {
            loop {
                match file.try_lock() {
                    Err(TryLockError::WouldBlock) if tries.next().is_some() => {}
                    taken => break taken,
                }
            }
        })?;
        file.set_len(0).and_then(|()| file.rewind()).map_err(io)?;
        writeln!(file, "process {}, {about}", std::process::id()).map_err(io)?;
        Ok(StateLock { _file: file })
    }

    /// Shares the lock with others that only read, for a user who may not write it; `None` when there is none.
    pub fn share_lock(&self) -> Result<Option<StateLock>, LockError> {
        let file = match File::open(self.dir.join(LOCK)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(|source| LockError::Io { dir: self.dir.clone(), source })?,
        };
        self.taken(&file, || file.try_lock_shared())?;
        Ok(Some(StateLock { _file: file }))
    }

    /// Whether the lock can be written.
    pub fn is_writable(&self) -> bool {
        OpenOptions::new().write(true).open(self.dir.join(LOCK)).is_ok()
    }

    /// Says who has the lock, if it cannot be taken.
    fn taken(&self, file: &File, take: impl FnOnce() -> Result<(), TryLockError>) -> Result<(), LockError> {
        let dir = self.dir.clone();
        match take() {
            Ok(()) => Ok(()),
            Err(TryLockError::Error(source)) => Err(LockError::Io { dir, source }),
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = file.take(200).read_to_string(&mut holder);
                let holder = if holder.trim().is_empty() { "unknown process" } else { holder.trim() };
                Err(LockError::Held { dir, holder: holder.to_owned() })
            }
        }
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
