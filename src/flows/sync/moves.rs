//! What the configuration says of sources that are known: a new name, another layout, or nothing any more. It holds for
//! all objects, those of earlier runs included.

use crate::edges::ledger::{Ledger, Moved};
use crate::edges::mirror::Mirror;
use crate::flows::error::StateError;
use gzette_core::human::plural;
use gzette_core::model::{AppName, Day, GenerationId, ObjectKey, SourceName};
use gzette_core::plan::UNPLACED_APP;

use super::{SyncOptions, SyncReport, SyncSource};

/// Renames sources that have another name in the configuration and the same address, and names those that have gone
/// from it.
pub(super) fn settle_sources(
    sources: &[SyncSource],
    ledger: &mut Ledger,
    mirror: &Mirror,
    options: &SyncOptions,
    report: &mut SyncReport,
) -> Result<(), StateError> {
    // This comes first: a source renamed again would lose track of where its files are.
    finish_renames(ledger, mirror)?;
    let rows = ledger.source_rows()?;
    let is_configured = |name: &SourceName| sources.iter().any(|source| source.name == *name);
    for source in sources.iter().filter(|source| rows.iter().all(|row| row.name != source.name)) {
        let mut same = rows.iter().filter(|row| row.url == source.url && !is_configured(&row.name));
        // With two candidates nothing tells which of them got the new name.
        let (Some(row), None) = (same.next(), same.next()) else { continue };
        if sources.iter().filter(|other| other.url == source.url).count() > 1 {
            continue;
        }
        ledger.rename_source(row, &source.name, options.now_ms)?;
        report.notes.push(format!("source `{}` is now called `{}`", row.name, source.name));
    }
    finish_renames(ledger, mirror)?;
    for row in ledger.source_rows()?.into_iter().filter(|row| !is_configured(&row.name)) {
        let objects = ledger.source_objects(row.id)?;
        if objects > 0 {
            report.notes.push(unconfigured(&row.name, objects));
        }
    }
    Ok(())
}

/// Has the mirrored files of renamed sources follow, those of an interrupted run included.
fn finish_renames(ledger: &mut Ledger, mirror: &Mirror) -> Result<(), StateError> {
    for row in ledger.source_rows()? {
        if let Some(old) = ledger.old_name(row.id)? {
            rename_files(ledger, mirror, (&old, &row.name), row.id)?;
        }
    }
    Ok(())
}

/// Says that the ledger holds objects of a source that is not configured.
pub fn unconfigured(name: &SourceName, objects: u64) -> String {
    format!(
        "the ledger holds {} of the source `{name}`, which is not configured; `gzette prune --source {name}` drops them",
        plural(objects, "object")
    )
}

/// Gives the mirrored files of a source the names that follow from its new one.
fn rename_files(
    ledger: &mut Ledger,
    mirror: &Mirror,
    (old, new): (&SourceName, &SourceName),
    source_id: i64,
) -> Result<(), StateError> {
    for version in ledger.mirrored_versions(source_id)? {
        let id = |name| GenerationId::of(name, &version.key, &version.etag, version.size_bytes);
        mirror.rename(&version.key, (old, id(old)), (new, id(new))).map_err(StateError::Mirror)?;
    }
    Ok(ledger.forget_old_name(source_id)?)
}

/// Moves the known objects of a source to the applications and days that its layout gives their keys now.
pub(super) fn settle_layout(
    source: &SyncSource,
    source_id: i64,
    prefix: &str,
    ledger: &mut Ledger,
    report: &mut SyncReport,
) -> Result<(), StateError> {
    let fact = format!("layout:{source_id}");
    let layout = format!("{}\n{prefix}", source.layout);
    // What has no application in its key has the name of its source.
    let value = format!("{layout}\n{}", source.name);
    let earlier: Option<String> = ledger.fact(&fact)?;
    if earlier.as_ref() == Some(&value) {
        return Ok(());
    }
    let is_renamed =
        earlier.is_some_and(|value| value.rsplit_once('\n').is_some_and(|(old, _)| old == layout));
    let place = |key: &ObjectKey| Some(place_of(source, key.strip_prefix(prefix)?));
    let Moved { objects, apps } = ledger.move_objects(source_id, (&fact, &value), place)?;
    if objects > 0 {
        let name = &source.name;
        let what = if is_renamed { format!("`{name}`") } else { format!("layout of `{name}` changed") };
        let (objects, apps) = (plural(objects, "object"), plural(apps, "application"));
        report.notes.push(format!("{what}: {objects} moved to {apps}"));
    }
    Ok(())
}

fn place_of(source: &SyncSource, key: &str) -> (AppName, Option<Day>) {
    let place = source.layout.place(key);
    let app = match place.app {
        Some(app) => app,
        None if place.fits => source.name.as_str(),
        None => UNPLACED_APP,
    };
    (AppName::from(app), place.day)
}
