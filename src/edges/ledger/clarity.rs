//! How much of each application's recent lines was understood.

use gzette_core::model::{AppName, Level, ObjectVersion, UtcMs};
use gzette_core::stats::Clarity;

use super::column::value;
use super::rows::object_version;
use super::{Ledger, Result};

/// When an object is from: its latest event, or when it was stored if it has none.
const OBJECT_MS: &str = "coalesce(generation.last_ms, object.modified_ms)";

impl Ledger {
    /// Returns how the lines of each application were read in objects from `since_ms` on, by its name.
    pub fn clarity(&self, since_ms: UtcMs) -> Result<Vec<(AppName, Clarity)>> {
        // Errors without a level are understood: what makes them errors is their stack trace.
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT app.name, sum(lines), sum(generation.events), sum(unparsed), sum(undated),
                sum(coalesce((SELECT sum(count.events) FROM count
                    WHERE count.generation_id = generation.id AND count.group_id = 0 AND count.level = ?2), 0))
             FROM generation
             JOIN object ON object.id = generation.object_id
             JOIN app ON app.id = generation.app_id
             WHERE {OBJECT_MS} >= ?1 AND generation.duplicate_of IS NULL
             GROUP BY app.id ORDER BY app.name"
        ))?;
        let rows = statement.query_map((since_ms.get(), Level::Unknown as u8), |row| {
            let number = |column| row.get::<_, i64>(column).map(|number| number as u64);
            let clarity = Clarity {
                lines: number(1)?,
                events: number(2)?,
                unparsed: number(3)?,
                undated: number(4)?,
                unlevelled: number(5)?,
            };
            Ok((value(row, 0)?, clarity))
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns the newest mirrored version of an application that is not a copy of another.
    pub fn newest_version(&self, app: &AppName) -> Result<Option<ObjectVersion>> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT source.name, object.key, generation.etag, generation.size_bytes, app.name, object.day
             FROM generation
             JOIN object ON object.id = generation.object_id
             JOIN source ON source.id = object.source_id
             JOIN app ON app.id = generation.app_id
             WHERE app.name = ?1 AND generation.duplicate_of IS NULL AND object.state = 'mirrored'
             ORDER BY {OBJECT_MS} DESC LIMIT 1"
        ))?;
        let mut rows = statement.query([app.as_str()])?;
        rows.next()?.map(object_version).transpose()
    }
}
