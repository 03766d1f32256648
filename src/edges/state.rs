//! The state directory: where its parts are, and the lock that one run holds.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::edges::disk;
use gzette_core::model::StateId;

/// The name of the lock's file.
const LOCK: &str = "lock";
/// How often, and how long after one another, the lock is tried.
const TRIES: usize = 4;
const TRY_AGAIN: Duration = Duration::from_millis(20);

/// The file that names the state.
const IDENTITY: &str = "id";
/// What the names of the files of a ledger end with.
const LEDGER_FILES: [&str; 3] = ["", "-wal", "-shm"];

/// Returns an identity that no other state has.
pub fn new_id() -> StateId {
    // The keys of a `RandomState` are random, and other ones each time.
    let [high, low] = [RandomState::new(), RandomState::new()].map(|state| state.build_hasher().finish());
    StateId(u128::from(high) << 64 | u128::from(low))
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(ending);
    path.into()
}

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
    #[error("another gzette is using `{dir}`: {holder}")]
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

    /// Returns which state this is; `None` where the directory does not say, or not legibly.
    pub fn id(&self) -> io::Result<Option<StateId>> {
        match fs::read(self.dir.join(IDENTITY)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            line => Ok(StateId::of_line(&line?)),
        }
    }

    /// Records in the directory which state it is.
    pub fn set_id(&self, id: StateId) -> io::Result<()> {
        let unfinished = self.dir.join(format!("{IDENTITY}.tmp"));
        disk::write(&self.dir.join(IDENTITY), &unfinished, id.line().as_bytes())
    }

    /// Returns whether the ledger is missing or empty.
    pub fn lacks_ledger(&self) -> bool {
        // SQLite creates the file when it opens it and fills it with the first commit; a crash between the
        // two leaves it empty.
        fs::metadata(self.ledger()).map_or(true, |found| found.len() == 0)
    }

    /// Returns where a ledger is rebuilt, without what an earlier try left there.
    pub fn new_ledger(&self) -> io::Result<PathBuf> {
        let path = self.dir.join("ledger.sqlite.new");
        for name in LEDGER_FILES {
            match fs::remove_file(beside(&path, name)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(path)
    }

    /// Puts the rebuilt ledger in the place of the old one, which stays under another name. Returns that, if there was
    /// an old one.
    pub fn replace_ledger(&self) -> io::Result<Option<PathBuf>> {
        let old = self.ledger();
        let is_free = |path: &PathBuf| LEDGER_FILES.iter().all(|name| !beside(path, name).exists());
        // No kept ledger is ever overwritten: it may hold what the sources no longer list.
        let mut numbered = (1..1000).map(|number| self.dir.join(format!("ledger.sqlite.broken-{number}")));
        let aside =
            numbered.find(is_free).ok_or_else(|| io::Error::other("too many old ledgers are kept"))?;
        let mut kept = false;
        for name in LEDGER_FILES {
            match disk::rename(&beside(&old, name), &beside(&aside, name)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                renamed => {
                    renamed?;
                    kept = true;
                }
            }
        }
        // The log and its index have been moved with the old file: SQLite would take a log that is left for the new
        // ledger's.
        disk::rename(&self.dir.join("ledger.sqlite.new"), &old)?;
        disk::sync_folder(&self.dir)?;
        Ok(kept.then_some(aside))
    }

    /// Takes the lock, or says who holds it. `about` is shown to others: command and start.
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
        // Emptied only now, under the lock: what stands there is who holds it.
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
        // flock needs no right to write, so a user who may only read can hold the lock.
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
                // Anything may stand under this name; a line of ours is shorter.
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
