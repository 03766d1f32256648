//! Whether a version that was planned still counts, by a look at the ledger as it is now.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use crate::edges::ledger::Ledger;
use gzette_core::model::GenerationId;

/// The ledger as it is now, for the threads of a search. It is opened when it is needed first.
pub(super) struct Present {
    path: Option<PathBuf>,
    ledger: Mutex<Option<Ledger>>,
}

impl Present {
    pub(super) fn of(ledger: &Ledger) -> Self {
        Self { path: ledger.path(), ledger: Mutex::new(None) }
    }

    /// Whether a version counts. If the ledger does not answer, its last answer applies.
    pub(super) fn has(&self, generation: GenerationId) -> bool {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        if ledger.is_none() {
            *ledger = self.path.as_ref().and_then(|path| Ledger::open_read_only(path).ok());
        }
        ledger.as_ref().is_none_or(|ledger| ledger.has_generation(generation).unwrap_or(true))
    }
}
