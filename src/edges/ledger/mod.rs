//! The ledger: one SQLite database that says what was listed, read, counted and sent. It leads, the
//! index follows. Each file of this folder holds one concern's reads and writes.

mod batch;
mod beside;
mod checked_vfs;
mod clarity;
mod column;
mod counts;
mod duplicates;
mod error;
mod facts;
mod generations;
mod gets;
mod grouping;
mod layout;
mod listings;
mod log;
mod migrations;
mod moved;
mod objects;
mod outbox;
mod packed;
mod partials;
mod points;
mod published;
mod read;
mod reader;
mod retention;
mod rows;
mod samples;
mod schema;
mod sources;
mod status;
mod stored;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod trouble;
mod unread;

pub use batch::Committed;
pub use counts::{Cell, CountFilter, CountRow, Dimension};
pub use error::{FileFault, LedgerError, Result};
pub use generations::Outline;
pub use gets::{GetRecord, PendingObject};
pub use listings::{FailedListing, ListedRow, ListingRecord};
pub use moved::{MirroredVersion, Moved, reading_fact};
pub use outbox::{MailCause, MailWait, NewMail, PendingMail, UnsentMail};
pub use published::{PagesState, PublishedChecksum};
pub use read::{AppTotals, BELIEVED_FROM_MS, CountedSlot, Problem, ProblemKind, SourceTotals};
pub use retention::RetainedRow;
pub use rows::{GenerationRow, object_place};
pub use samples::StoredSample;
pub use sources::SourceRow;
pub use status::{ObjectTotals, RunCommand, RunRow, Stamps};
pub use trouble::Trouble;
pub use unread::{PrefixState, UnreadObject};

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction};
use tempfile::TempDir;

/// How long a reader waits for a writer, and a writer for a checkpoint.
const BUSY_WAIT: Duration = Duration::from_secs(10);
/// The pages that a run keeps in memory, in KiB. Its rows lie scattered over the file, and each page that is read again is
/// copied and checked again.
const CACHE_KIB: i64 = 32 << 10;

/// An open ledger.
pub struct Ledger {
    connection: Connection,
    /// The version of its schema when it was opened. What only reads does not change an older one.
    schema: i64,
    /// The folder that holds a copy, where the ledger itself cannot be shared; removed after the connection is closed.
    _copy: Option<TempDir>,
}

/// One state of a ledger: while this lives, all queries of the ledger are answered from it.
pub struct Snapshot<'l> {
    _transaction: Transaction<'l>,
}

/// Opens the database of a ledger as gzette does, with the checksums of its pages. For tests, and for programs that look
/// into a ledger.
pub fn connect(path: &Path) -> rusqlite::Result<Connection> {
    checked_vfs::connect(path, OpenFlags::default())
}

impl Ledger {
    /// Opens or creates the ledger at `path` and brings its schema up to date.
    pub fn open(path: &Path) -> Result<Self> {
        let open = || {
            log::check(path)?;
            let connection = connect(path)?;
            connection.busy_timeout(BUSY_WAIT)?;
            layout::prepare(&connection)?;
            Self::prepare(connection)
        };
        open().map_err(|error: LedgerError| error.in_file(path))
    }

    /// Opens an existing ledger for reading beside a run that writes.
    pub fn open_read_only(path: &Path) -> Result<Self> {
        let opened = reader::open(path).map_err(|error| error.in_file(path))?;
        let reader::Opened { connection, schema, copy } = opened;
        if packed::has_rows(&connection)? {
            packed::pack_rows_beside(&connection)?;
        }
        Ok(Self { connection, schema, _copy: copy })
    }

    /// Holds on to the present state, whatever a run beside this one writes meanwhile.
    pub fn snapshot(&self) -> Result<Snapshot<'_>> {
        Ok(Snapshot { _transaction: self.connection.unchecked_transaction()? })
    }

    /// Reads every page, and checks that each is as it was written and that they fit together.
    pub fn check_pages(&self) -> Result<()> {
        let found: String = self.connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if found == "ok" { Ok(()) } else { Err(LedgerError::damage(found)) }
    }

    /// Returns an empty ledger in memory.
    #[cfg(test)]
    pub(crate) fn in_memory() -> Result<Self> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(mut connection: Connection) -> Result<Self> {
        connection.pragma_update(None, "foreign_keys", true)?;
        // Negative, or it would be a number of pages.
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        let schema = migrations::migrate(&mut connection)?;
        packed::pack_rows(&mut connection)?;
        Ok(Self { connection, schema, _copy: None })
    }
}
