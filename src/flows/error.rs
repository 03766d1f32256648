//! What keeps a use case from going on: a part of the state that cannot be read or written. What a source, a target of
//! pages or a mail server refuses is not such an error: a run goes on without it.

use std::io;

use crate::edges::index::IndexError;
use crate::edges::ledger::LedgerError;
use crate::edges::state::LockError;

/// A part of the state that failed.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another process is at work, or the state directory cannot be written.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The index.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The mirror; the message names the path.
    #[error("mirror: {0}")]
    Mirror(#[source] io::Error),
    /// A file that names the state; the message says which.
    #[error(transparent)]
    File(#[from] io::Error),
    /// A bug: a task of this process panicked. What it did until then is kept.
    #[error("a task panicked")]
    Panicked,
}
