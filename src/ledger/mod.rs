//! The ledger: one SQLite database that says what was listed, read, counted and sent. It leads, the
//! index follows. Each file of this folder holds one concern's reads and writes.

mod batch;
mod counts;
mod error;
mod grouping;
mod migrations;
mod objects;
mod points;
mod read;
mod retention;
mod status;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use objects::{GetRecord, ListingRecord, PendingObject};

pub use batch::{Committed, GenerationRow, Ingested, MirroredObject, object_place};
pub use counts::{Cell, CountFilter, CountRow, Dimension};
pub use error::{LedgerError, Result};
pub use grouping::Reading;
pub use read::{AppTotals, CountedSlot, Problem, SightingSpan, SourceTotals, StoredSighting};
pub use retention::RetainedRow;
pub use status::{ObjectTotals, RunRow};
mod outbox;

pub use outbox::{GivenUp, NewMail, PendingMail};
mod published;

pub use published::PublishedChecksum;

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction};

/// How long a reader waits for a writer, and a writer for a checkpoint.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// An open ledger.
pub struct Ledger {
    connection: Connection,
    /// The version of its schema when it was opened. What only reads does not change an older one.
    schema: i64,
}

/// One state of a ledger: while this lives, all that is asked of the ledger is answered from it.
pub struct Snapshot<'l> {
    _transaction: Transaction<'l>,
}

impl Ledger {
    /// Opens or creates the ledger at `path` and brings its schema up to date.
    pub fn open(path: &Path) -> Result<Self> {
        error::are_about(path);
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_WAIT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        Self::prepare(connection)
    }

    /// Opens an existing ledger for reading beside a run that writes.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        error::are_about(path);
        let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        connection.busy_timeout(BUSY_WAIT)?;
        let schema = migrations::check(&connection)?;
        Ok(Self { connection, schema })
    }

    /// Holds on to the present state, whatever a run beside this one writes meanwhile.
    pub fn snapshot(&self) -> Result<Snapshot<'_>> {
        Ok(Snapshot { _transaction: self.connection.unchecked_transaction()? })
    }

    /// Returns an empty ledger in memory.
    pub fn in_memory() -> Result<Self> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(mut connection: Connection) -> Result<Self> {
        connection.pragma_update(None, "foreign_keys", true)?;
        let schema = migrations::migrate(&mut connection)?;
        Ok(Self { connection, schema })
    }
}
