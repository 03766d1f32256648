//! How much of each application's recent lines was understood.

use std::collections::BTreeMap;

use gzette_core::model::{AppName, Level, ObjectVersion, UtcMs};
use gzette_core::stats::Clarity;

use super::column::value;
use super::rows::{object_version, unsigned};
use super::{Ledger, Result, packed};

/// When an object is from: its latest event, or when it was stored if it has none.
const OBJECT_MS: &str = "coalesce(generation.last_ms, object.modified_ms)";

impl Ledger {
    /// Returns how the lines of each application were read in objects from `since_ms` on, by its name.
    pub fn clarity(&self, since_ms: UtcMs) -> Result<Vec<(AppName, Clarity)>> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT app.name, lines, generation.events, unparsed, undated, groups, counts FROM generation
             JOIN object ON object.id = generation.object_id
             JOIN app ON app.id = generation.app_id
             JOIN counted ON counted.generation_id = generation.id
             WHERE {OBJECT_MS} >= ?1 AND generation.duplicate_of IS NULL"
        ))?;
        let mut apps: BTreeMap<AppName, Clarity> = BTreeMap::new();
        let mut rows = statement.query([since_ms.get()])?;
        while let Some(row) = rows.next()? {
            let clarity = apps.entry(value(row, 0)?).or_default();
            clarity.lines += unsigned(row, 1)?;
            clarity.events += unsigned(row, 2)?;
            clarity.unparsed += unsigned(row, 3)?;
            clarity.undated += unsigned(row, 4)?;
            packed::counts_in(row, 5, |group, level, _, events| {
                // Errors without a level are understood: what makes them errors is their stack trace.
                if group == 0 && level == Level::Unknown {
                    clarity.unlevelled += events;
                }
            })?;
        }
        Ok(apps.into_iter().collect())
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
