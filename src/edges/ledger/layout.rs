//! The layout of the ledger's pages. New ledgers have room for a checksum at the end of each page
//! ([`super::checked_vfs`]); one of an older version is rewritten once, by the first that writes.

use rusqlite::Connection;
use std::ffi::c_int;

use super::checked_vfs::{CHECKSUM_BYTES, MARK, reserve_bytes, write_checksums};
use super::{LedgerError, Result};

/// Makes the pages of an open ledger carry checksums from now on.
pub(super) fn prepare(connection: &Connection) -> Result<()> {
    // Only an empty file can be given room without rewriting it.
    if connection.pragma_query_value(None, "page_count", |row| row.get::<_, i64>(0))? == 0 {
        reserve_bytes(connection, Some(CHECKSUM_BYTES))?;
    }
    // Searches read while a run writes; with a rollback journal one would wait for the other.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Files of the mirror are removed once a commit says so. With NORMAL a power cut may take that commit back.
    connection.pragma_update(None, "synchronous", "FULL")?;
    // `SQLite` knows the layout once it has read a page.
    connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))?;
    if reserve_bytes(connection, None)? == c_int::from(CHECKSUM_BYTES) || is_rewritten(connection)? {
        // The file's own header may be an old one still, and the present one in the log.
        write_checksums(connection)?;
        mark(connection)?;
    }
    Ok(())
}

/// Makes room for checksums in the pages of an older ledger. Returns whether it did: it does not while another user's
/// search holds the file open, or without room for a second ledger; the next writer tries again.
///
/// The log is emptied before, so that only pages of the new layout are ever copied out of it; a page of the old layout
/// must not get a checksum, which would overwrite its last bytes. A crash leaves the old ledger or the new one.
fn is_rewritten(connection: &Connection) -> Result<bool> {
    if !empties_log(connection)? {
        return Ok(false);
    }
    let often: i64 = connection.pragma_query_value(None, "wal_autocheckpoint", |row| row.get(0))?;
    // A checkpoint in the middle of VACUUM would copy pages of both layouts.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    let done = is_rewritten_apart(connection);
    connection.pragma_update(None, "wal_autocheckpoint", often)?;
    done
}

/// Does so while nothing else copies pages out of the log.
fn is_rewritten_apart(connection: &Connection) -> Result<bool> {
    reserve_bytes(connection, Some(CHECKSUM_BYTES))?;
    match connection.execute_batch("VACUUM").map_err(LedgerError::from) {
        Err(LedgerError::Sqlite(_)) => return Ok(false),
        done => done?,
    }
    write_checksums(connection)?;
    empties_log(connection)?;
    Ok(true)
}

/// Copies the whole log into the file, unless something reads an older state of it.
fn empties_log(connection: &Connection) -> Result<bool> {
    let is_busy: i64 = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    Ok(is_busy == 0)
}

/// Marks the ledger as one with checksums.
fn mark(connection: &Connection) -> Result<()> {
    let mark: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if mark != MARK {
        connection.pragma_update(None, "application_id", MARK)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_that_cannot_be_rewritten_still_empties_its_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.sqlite");
        let old = Connection::open(&path).unwrap();
        // An index that cannot be built again, so that VACUUM fails.
        let sql = "CREATE TABLE line (text TEXT); INSERT INTO line VALUES ('a'); CREATE INDEX by_text ON line (text);
            PRAGMA writable_schema = ON;
            UPDATE sqlite_schema SET sql = 'CREATE INDEX by_text ON line (text COLLATE unknown)' WHERE name = 'by_text';";
        old.execute_batch(sql).unwrap();
        drop(old);
        let ledger = super::super::connect(&path).unwrap();
        let often = |ledger: &Connection| -> i64 {
            ledger.pragma_query_value(None, "wal_autocheckpoint", |row| row.get(0)).unwrap()
        };
        let before = often(&ledger);
        prepare(&ledger).unwrap();
        let mark: i32 = ledger.pragma_query_value(None, "application_id", |row| row.get(0)).unwrap();
        assert_ne!(mark, MARK, "it is not rewritten");
        assert_eq!((before > 0, often(&ledger)), (true, before));
    }
}
