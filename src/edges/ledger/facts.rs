//! Small facts by name, for what needs no table.

use rusqlite::{Connection, OptionalExtension};

use super::{Ledger, Result};

impl Ledger {
    /// Returns a small fact by its name.
    pub fn fact(&self, name: &str) -> Result<Option<String>> {
        let mut statement = self.connection.prepare_cached("SELECT value FROM fact WHERE name = ?1")?;
        Ok(statement.query_row([name], |row| row.get(0)).optional()?)
    }

    /// Sets a small fact.
    pub fn set_fact(&mut self, name: &str, value: &str) -> Result<()> {
        set_fact(&self.connection, name, value)
    }
}

/// Sets a small fact within a transaction.
pub(super) fn set_fact(connection: &Connection, name: &str, value: &str) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO fact (name, value) VALUES (?1, ?2)";
    connection.prepare_cached(sql)?.execute([name, value])?;
    Ok(())
}
