//! The schema's history. A file here is never edited once released; a new one is added.

use rusqlite::Connection;

use super::{LedgerError, Result};

const MIGRATIONS: [&str; 5] = [
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_replaced.sql"),
    include_str!("migrations/0003_point.sql"),
    include_str!("migrations/0004_retention.sql"),
    include_str!("migrations/0005_title.sql"),
];

/// Applies what the file lacks, each step in one transaction with its version.
pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    let found = check(connection)?;
    for (version, sql) in MIGRATIONS.iter().enumerate().skip(found as usize) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", version as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A migration that has landed is in people's ledgers: what it says must not change, another one is added.
    const LANDED: [&str; 4] = [
        "4a461cec020605a0ae9cc3dd4d994fde222599787103c8185dc0ae6518cc00c6",
        "ac47371957cc5a3a7095b65c0072111710560ba45884b8687cf6996b22f803ff",
        "70a4737d41d2a67ac88a2bd58d1684cceabfb460a8d5f3f21129ee1732dcb201",
        "c836dae6cb2b7993d62deab603927f5d252ef97aa8de49d5f38590d8c3fe7fe9",
    ];

    #[test]
    fn no_landed_migration_is_edited() {
        let checksums = MIGRATIONS.map(|sql| blake3::hash(sql.as_bytes()).to_hex().to_string());
        assert_eq!(checksums, LANDED);
    }
}
