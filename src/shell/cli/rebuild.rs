//! A new ledger in the place of one that cannot be used: listed as a sync does it, with the files of the mirror taken
//! over where their bytes are proved, and counted as an ingest does it.

use std::path::{Path, PathBuf};

use tokio::runtime::Runtime;

use super::CommandError;
use super::context::Context;
use crate::edges::ledger::Ledger;
use crate::edges::mirror::Mirror;
use crate::flows::identity::{Identity, name_ledger};
use crate::flows::run::{Pipeline, Summary};
use crate::flows::sync::{SyncReport, SyncSource};
use crate::shell::error::Failure;
use crate::shell::project::{Project, with_runtime};
use gzette_core::human::{count, plural};

/// What no other part of a state holds.
pub(super) const ONLY_THERE: &str = "This loses the history of mails and runs, and the counts of objects that are no longer listed or mirrored";

/// Rebuilds the ledger; `why` says what is wrong with the old one, which is kept under another name. Returns whether
/// the new one holds everything that the sources list and all files of the mirror.
pub(super) fn rebuild(context: &Context, project: &Project, why: &str) -> Result<bool, CommandError> {
    context.ui.warn(&format!("{why}; it is rebuilt from the sources and the mirror. {ONLY_THERE}"));
    let stages = context.stages_that_stop(project, None)?;
    let path = project.state.new_ledger()?;
    let filled = fill(context, project, &stages.pipeline(), &path);
    if filled.is_err() {
        // A partial ledger is useless; the next try starts from scratch.
        let _ = project.state.new_ledger();
    }
    let is_complete = filled?;
    if let Some(old) = project.state.replace_ledger()? {
        context.ui.stage("rebuild", &format!("the old ledger is kept as `{}`", old.display()));
    }
    Ok(is_complete)
}

fn fill(context: &Context, project: &Project, pipeline: &Pipeline<'_>, path: &Path) -> Result<bool, Failure> {
    let mut ledger = Ledger::open(path)?;
    name_ledger(&mut ledger, Identity::read(&project.state, None)?.without_ledger())?;
    with_runtime(|runtime| fill_from_sources(context, project, pipeline, &mut ledger, runtime))
}

fn fill_from_sources(
    context: &Context,
    project: &Project,
    pipeline: &Pipeline<'_>,
    ledger: &mut Ledger,
    runtime: &Runtime,
) -> Result<bool, Failure> {
    let sources = runtime.block_on(project.sources())?;
    date_sources(context, project, ledger, &sources)?;
    let mut summary = Summary::default();
    let synced = pipeline.sync(runtime, ledger, &sources, &mut summary).map_err(Failure::from);
    let synced = synced.map_err(|failure| unlisted(&failure.message))?;
    if summary.stopped || synced.prefixes_failed > 0 || !synced.source_errors.is_empty() {
        return Err(unlisted("some of them could not be listed"));
    }
    let mut ingested = pipeline.ingest(ledger, &mut summary).map_err(Failure::from)?;
    if !ingested.unreadable.is_empty() {
        pipeline.sync(runtime, ledger, &sources, &mut summary).map_err(Failure::from)?;
        ingested = pipeline.ingest(ledger, &mut summary).map_err(Failure::from)?;
    }
    let left = count_left(&project.mirror(), ledger, &sources)?;
    let strangers = strangers(&project.mirror(), &sources)?;
    tell(context, &synced, left, &strangers);
    Ok(left == 0
        && strangers.is_empty()
        && !synced.has_problems()
        && ingested.unreadable.is_empty()
        && !ingested.stopped)
}

/// Notes since when each source has been listed: since its first file was written. The lost ledger knew it, and which
/// days belong to the source depends on it.
fn date_sources(
    context: &Context,
    project: &Project,
    ledger: &mut Ledger,
    sources: &[SyncSource],
) -> Result<(), Failure> {
    let (mirror, now_ms) = (project.mirror(), context.now_ms());
    for source in sources {
        let (_, first_ms) = mirror.census(&source.name)?;
        let id = ledger.source_id(&source.name, &source.url)?;
        ledger.first_listed_ms(id, first_ms.map_or(now_ms, |first_ms| first_ms.min(now_ms)))?;
    }
    Ok(())
}

/// Counts the files of the mirror that the ledger does not know, now that all that is listed has been fetched.
fn count_left(mirror: &Mirror, ledger: &Ledger, sources: &[SyncSource]) -> Result<u64, Failure> {
    let mut files = 0;
    for source in sources {
        files += mirror.census(&source.name)?.0;
    }
    Ok(files.saturating_sub(ledger.object_totals()?.mirrored))
}

/// Returns the folders of the mirror that belong to no source of the configuration.
fn strangers(mirror: &Mirror, sources: &[SyncSource]) -> Result<Vec<PathBuf>, Failure> {
    let own: Vec<PathBuf> = sources.iter().map(|source| mirror.folder(&source.name)).collect();
    Ok(mirror.folders()?.into_iter().filter(|folder| !own.contains(folder)).collect())
}

fn unlisted(why: &str) -> Failure {
    Failure::failed(format!("the ledger cannot be rebuilt without listing the sources: {why}"))
        .hint("run it again when all sources can be listed; the mirror and the old ledger are unchanged")
}

fn tell(context: &Context, synced: &SyncReport, left: u64, strangers: &[PathBuf]) {
    let what = format!(
        "{} listed: {} taken over from the mirror, {} fetched",
        plural(synced.listed, "object"),
        count(synced.adopted),
        count(synced.got)
    );
    context.ui.stage("rebuild", &what);
    if left > 0 {
        context.ui.warn(&format!(
            "the mirror holds {} of objects or versions that the sources no longer list: kept but not counted",
            plural(left, "file")
        ));
    }
    for folder in strangers {
        context.ui.warn(&format!(
            "`{}` belongs to no source of the configuration: its files are kept but not counted",
            folder.display()
        ));
    }
}
