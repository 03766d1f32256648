//! The schema's history. A file here is never edited once released; a new one is added.

use rusqlite::Connection;

use super::{LedgerError, Result};

const MIGRATIONS: [&str; 12] = [
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_replaced.sql"),
    include_str!("migrations/0003_point.sql"),
    include_str!("migrations/0004_title.sql"),
    include_str!("migrations/0005_retention.sql"),
    include_str!("migrations/0006_grouping.sql"),
    include_str!("migrations/0007_stored.sql"),
    include_str!("migrations/0008_pauses.sql"),
    include_str!("migrations/0009_waiting.sql"),
    include_str!("migrations/0010_samples.sql"),
    include_str!("migrations/0011_uncounted.sql"),
    include_str!("migrations/0012_packed.sql"),
];

/// Applies what the file lacks, each step in one transaction with its version. Returns the version it has then.
pub(super) fn migrate(connection: &mut Connection) -> Result<i64> {
    let found = check(connection)?;
    for (version, sql) in MIGRATIONS.iter().enumerate().skip(found as usize) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", version as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(MIGRATIONS.len() as i64)
}

/// Returns the file's schema version. One that was opened for reading may have an older one than the present.
pub(super) fn version(connection: &Connection) -> Result<i64> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Returns the file's schema version, unless it is newer than the present.
pub(super) fn check(connection: &Connection) -> Result<i64> {
    let found = version(connection)?;
    let known = MIGRATIONS.len() as i64;
    if found > known { Err(LedgerError::TooNew { found, known }) } else { Ok(found) }
}
