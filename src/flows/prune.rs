//! Carries out retention: the ledger's transaction first, then the index's commit, then the files of the mirror.
//! The next ingest repairs whatever a crash leaves between them: documents as after any batch, files as those of
//! replaced versions.

use std::collections::HashSet;
use std::path::Path;

use jiff::tz::TimeZone;

use crate::edges::index::{INCOMPLETE, Index, IndexError, Payload, Segments};
use crate::edges::ledger::{Ledger, RetainedRow};
use crate::edges::mirror::Mirror;
use crate::flows::error::StateError;
use crate::flows::ingest::{own_index, remove_replaced};
use gzette_core::model::{GenerationId, SourceName, UtcMs};
use gzette_core::retention::{Kept, Plan, Retention, plan};

/// What to keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PruneSettings {
    /// How long.
    pub retention: Retention,
    /// Sources whose objects go when a listing no longer names them.
    pub drop_deleted: HashSet<SourceName>,
}

impl PruneSettings {
    /// Returns whether everything is kept for ever.
    pub fn is_for_ever(&self) -> bool {
        self.retention.is_for_ever() && self.drop_deleted.is_empty()
    }
}

/// What went, or would go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PruneReport {
    /// Objects of which nothing is left, neither counts nor documents nor file.
    pub expired: u64,
    /// Of these, objects that were no longer listed.
    pub deleted: u64,
    /// Objects whose documents left the index, the expired included.
    pub unindexed: u64,
    /// Blocks that left the index.
    pub blocks: u64,
    /// Objects whose file left the mirror, the expired included.
    pub unmirrored: u64,
    /// The bytes of these files.
    pub mirror_bytes: u64,
    /// Objects whose file has to stay until the index is complete.
    pub needed: u64,
}

/// Drops expired data. With `dry_run` it only says what would go.
pub fn prune(
    ledger: &mut Ledger,
    mirror: &Mirror,
    index_dir: &Path,
    settings: &PruneSettings,
    now_ms: UtcMs,
    dry_run: bool,
) -> Result<PruneReport, StateError> {
    let index = own_index(ledger, index_dir)?;
    if let (Some(index), false) = (&index, dry_run) {
        index.repair()?;
    }
    let payload = index.as_ref().and_then(Index::payload);
    let indexed_batch = payload.as_ref().map_or(INCOMPLETE, |payload| payload.batch);
    let mut rows = ledger.retained()?;
    for row in &mut rows {
        row.kept.is_unwanted = row.is_deleted && settings.drop_deleted.contains(&row.source);
        // Its blocks are not in the index yet, and this file is what they are made of.
        row.kept.is_file_needed = row.kept.is_indexed && row.batch > indexed_batch;
    }
    let kept: Vec<Kept> = rows.iter().map(|row| row.kept.clone()).collect();
    let plan = plan(&settings.retention, &kept, now_ms.day(&TimeZone::UTC));
    let report = PruneReport::of(&rows, &plan);
    if dry_run || plan.is_empty() {
        return Ok(report);
    }
    carry_out(ledger, mirror, index.as_ref(), &plan, now_ms)?;
    Ok(report)
}

/// Drops all that is known of a source: counts, documents, files and the source itself. Returns `None` when the ledger has
/// none of that name. What an interrupted one has left goes with the next.
pub fn drop_source(
    ledger: &mut Ledger,
    mirror: &Mirror,
    index_dir: &Path,
    name: &SourceName,
    now_ms: UtcMs,
) -> Result<Option<PruneReport>, StateError> {
    let Some(source) = ledger.source_rows()?.into_iter().find(|row| row.name == *name) else {
        return Ok(None);
    };
    let mut rows = ledger.retained()?;
    rows.retain(|row| row.source == *name);
    let plan = Plan { expired: rows.iter().map(|row| row.kept.generation).collect(), ..Plan::default() };
    let report = PruneReport::of(&rows, &plan);
    let index = own_index(ledger, index_dir)?;
    if let Some(index) = &index {
        index.repair()?;
    }
    if !plan.is_empty() {
        carry_out(ledger, mirror, index.as_ref(), &plan, now_ms)?;
    }
    for folder in [Some(source.name), ledger.old_name(source.id)?].into_iter().flatten() {
        mirror.remove_source(&folder).map_err(StateError::Mirror)?;
    }
    ledger.forget_source(source.id)?;
    Ok(Some(report))
}

fn carry_out(
    ledger: &mut Ledger,
    mirror: &Mirror,
    index: Option<&Index>,
    plan: &Plan,
    now_ms: UtcMs,
) -> Result<(), StateError> {
    // Asked before the prune, which is a batch itself.
    let last_batch = ledger.last_batch()?;
    let payload = index.and_then(Index::payload);
    let batch = ledger.prune(plan, now_ms)?;
    if let (Some(index), Some(payload), Some(batch)) = (index, payload, batch) {
        // An index that lacks something goes on claiming that it does.
        let batch = if payload.batch == last_batch { batch } else { payload.batch };
        remove_documents(index, plan, &Payload { batch, ..payload })?;
    }
    remove_replaced(ledger, mirror)?;
    Ok(())
}

fn remove_documents(index: &Index, plan: &Plan, payload: &Payload) -> Result<(), IndexError> {
    let mut writer = index.writer()?;
    for &generation in plan.expired.iter().chain(&plan.unindexed) {
        writer.delete_generation(generation);
    }
    writer.commit(&Segments::default(), payload)?;
    writer.shrink(payload)
}

impl PruneReport {
    fn of(rows: &[RetainedRow], plan: &Plan) -> Self {
        let set = |ids: &[GenerationId]| ids.iter().copied().collect::<HashSet<_>>();
        let (expired, unindexed) = (set(&plan.expired), set(&plan.unindexed));
        let unmirrored = set(&plan.unmirrored);
        let mut report = Self::default();
        for RetainedRow { kept, .. } in rows {
            let goes = expired.contains(&kept.generation);
            report.expired += u64::from(goes);
            report.deleted += u64::from(goes && kept.is_unwanted);
            if kept.is_indexed && (goes || unindexed.contains(&kept.generation)) {
                report.unindexed += 1;
                report.blocks += kept.blocks;
            }
            if kept.is_mirrored && (goes || unmirrored.contains(&kept.generation)) {
                report.unmirrored += 1;
                report.mirror_bytes += kept.size_bytes;
            }
            report.needed += u64::from(!goes && kept.is_mirrored && kept.is_file_needed);
        }
        report
    }
}
