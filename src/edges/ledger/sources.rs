//! The sources that were ever read.

use rusqlite::types::FromSql;

use super::column::value;
use super::rows::unsigned;
use super::{Ledger, LedgerError, Result};
use gzette_core::model::{SourceName, UtcMs};

/// A source of the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRow {
    /// The row.
    pub id: i64,
    /// Its name.
    pub name: SourceName,
    /// Where it is.
    pub url: String,
}

impl Ledger {
    /// Notes a source and returns its row.
    pub fn source_id(&mut self, name: &SourceName, url: &str) -> Result<i64> {
        let sql = "INSERT INTO source (name, url) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET url = excluded.url RETURNING id";
        self.insert_returning(sql, [name.as_str(), url])
    }

    /// Returns when a source was listed for the first time; `now_ms` if never, and then remembers it.
    pub fn first_listed_ms(&mut self, source_id: i64, now_ms: UtcMs) -> Result<UtcMs> {
        let name = format!("first_listed_ms:{source_id}");
        let sql = "INSERT INTO fact (name, value) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET value = value RETURNING value";
        let value: String = self.insert_returning(sql, [&name, &now_ms.get().to_string()])?;
        value.parse().map(UtcMs::new).map_err(|_| LedgerError::Unreadable { what: "fact.first_listed_ms" })
    }

    /// Writes a row and returns a value of it. Outside a transaction the commit would follow the value, and its failure
    /// would go unseen.
    fn insert_returning<T: FromSql>(&mut self, sql: &str, values: [&str; 2]) -> Result<T> {
        let transaction = self.connection.transaction()?;
        let value = transaction.query_row(sql, values, |row| row.get(0))?;
        transaction.commit()?;
        Ok(value)
    }

    /// Returns all sources by name.
    pub fn source_rows(&self) -> Result<Vec<SourceRow>> {
        let mut statement = self.connection.prepare("SELECT id, name, url FROM source ORDER BY name")?;
        let rows = statement
            .query_map([], |row| Ok(SourceRow { id: row.get(0)?, name: value(row, 1)?, url: row.get(2)? }))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns how many objects of a source are listed or counted. Looks at all of them.
    pub fn source_objects(&self, source_id: i64) -> Result<u64> {
        let sql = "SELECT count(*) FROM object LEFT JOIN generation ON generation.object_id = object.id
            WHERE source_id = ?1 AND (state <> 'deleted' OR generation.id IS NOT NULL)";
        Ok(self.connection.query_row(sql, [source_id], |row| unsigned(row, 0))?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_listing_is_remembered() {
        let mut ledger = Ledger::in_memory().unwrap();
        assert_eq!(ledger.first_listed_ms(1, UtcMs::new(5)).unwrap(), UtcMs::new(5));
        assert_eq!(ledger.first_listed_ms(1, UtcMs::new(6)).unwrap(), UtcMs::new(5));
    }
}
