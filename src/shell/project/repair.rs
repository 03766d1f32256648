//! Verifies a state and repairs differences. Where the ledger cannot be used, a new one takes its place: listed as a
//! sync does it, with the files of the mirror taken over where their bytes are proved, and counted as an ingest does it.

use std::path::{Path, PathBuf};

use tokio::runtime::Runtime;

use super::{Project, Stages, with_runtime};
use crate::edges::ledger::Ledger;
use crate::edges::mirror::Mirror;
use crate::flows::error::StateError;
use crate::flows::identity::{Identity, Part, claim_mirror, name_ledger, settle};
use crate::flows::ingest::own_index;
use crate::flows::run::{Observer, Summary};
use crate::flows::sync::SyncSource;
use crate::flows::verify::{Rebuilt, VerifyReport, repair, verify};
use crate::shell::error::Failure;
use gzette_core::model::UtcMs;

impl Project {
    /// Recounts everything from the mirror and compares.
    pub fn recount(&self, ledger: &Ledger, observer: &dyn Observer) -> Result<VerifyReport, StateError> {
        let index = own_index(ledger, &self.state.index())?;
        let progress = |done, objects| observer.recounting(done, objects);
        let report = verify(ledger, index.as_ref(), &self.mirror(), &self.ingest_settings(), &progress);
        observer.recounted();
        report
    }
}

impl Stages<'_> {
    /// Repairs what it can: fetches lost files, recounts objects, rebuilds the index or the ledger. Returns the result of a
    /// new recount, and whether nothing was left out.
    pub fn repair(&self) -> Result<(VerifyReport, bool), Failure> {
        let _lock = self.project.lock("verify")?;
        self.project.named(self.repaired())
    }

    fn repaired(&self) -> Result<(VerifyReport, bool), Failure> {
        let (project, observer) = (self.project, self.observer.as_ref());
        let (mut report, mut is_complete) = match examined(project, observer)? {
            Examined::Counted(report) => (report, true),
            Examined::Unusable(why) => {
                observer.rebuilding(&why);
                let is_complete = self.rebuild()?;
                (project.recount(&project.any_ledger()?, observer)?, is_complete)
            }
        };
        if !report.ok {
            observer.differs(&report);
            report = self.made_good(report)?;
        }
        is_complete &= report.ok;
        let mut ledger = project.any_ledger()?;
        if report.ok {
            // Whatever it was before, it holds what the ledger says.
            claim_mirror(&ledger, &project.mirror())?;
        }
        settle(&project.state, &mut ledger)?;
        Ok((report, is_complete))
    }

    /// Repairs the differences and verifies again. Twice, because a fetched file may show that other bytes were counted.
    fn made_good(&self, mut report: VerifyReport) -> Result<VerifyReport, Failure> {
        let mut ledger = self.project.any_ledger()?;
        let (mut summary, mut unreadable) = (Summary::default(), 0);
        for _ in 0..2 {
            if repair(&mut ledger, &report.differences, &self.project.state.index())? || unreadable > 0 {
                self.fetch(&mut ledger, &mut summary)?;
            }
            unreadable = self.pipeline().ingest(&mut ledger, &mut summary)?.unreadable.len();
            report = self.project.recount(&ledger, self.observer.as_ref())?;
            if report.ok && unreadable == 0 {
                break;
            }
        }
        Ok(report)
    }

    /// Rebuilds the ledger; the old one is kept under another name. Returns whether the new one holds everything that the
    /// sources list and all files of the mirror.
    fn rebuild(&self) -> Result<bool, Failure> {
        let state = &self.project.state;
        let path = state.new_ledger()?;
        let filled = self.fill(&path);
        if filled.is_err() {
            // A partial ledger is useless; the next try starts from scratch.
            let _ = state.new_ledger();
        }
        let mut rebuilt = filled.map_err(|failure| failure.naming(&path))?;
        rebuilt.kept_as = state.replace_ledger()?;
        self.observer.rebuilt(&rebuilt);
        Ok(rebuilt.is_complete())
    }

    fn fill(&self, path: &Path) -> Result<Rebuilt, Failure> {
        let mut ledger = Ledger::open(path)?;
        name_ledger(&mut ledger, Identity::read(&self.project.state, None)?.without_ledger())?;
        with_runtime(|runtime| self.fill_from_sources(&mut ledger, runtime))
    }

    fn fill_from_sources(&self, ledger: &mut Ledger, runtime: &Runtime) -> Result<Rebuilt, Failure> {
        let (pipeline, mirror) = (self.pipeline(), self.project.mirror());
        let sources = runtime.block_on(self.project.sources())?;
        date_sources(&mirror, ledger, &sources, self.now_ms)?;
        let mut summary = Summary::default();
        let synced = pipeline.sync(runtime, ledger, &sources, &mut summary).map_err(Failure::from);
        let synced = synced.map_err(|failure| unlisted(&failure.message))?;
        if summary.stopped || synced.prefixes_failed > 0 || !synced.source_errors.is_empty() {
            return Err(unlisted("some of them could not be listed"));
        }
        let mut ingested = pipeline.ingest(ledger, &mut summary)?;
        if !ingested.unreadable.is_empty() {
            pipeline.sync(runtime, ledger, &sources, &mut summary)?;
            ingested = pipeline.ingest(ledger, &mut summary)?;
        }
        Ok(Rebuilt {
            listed: synced.listed,
            adopted: synced.adopted,
            fetched: synced.got,
            left: count_left(&mirror, ledger, &sources)?,
            strangers: strangers(&mirror, &sources)?,
            is_whole: !synced.has_problems() && ingested.unreadable.is_empty() && !ingested.stopped,
            kept_as: None,
        })
    }
}

/// What a ledger is worth.
enum Examined {
    Counted(VerifyReport),
    /// It has to be rebuilt: why.
    Unusable(String),
}

fn examined(project: &Project, observer: &dyn Observer) -> Result<Examined, Failure> {
    if project.has_lost_ledger()? {
        let path = project.state.ledger();
        return Ok(Examined::Unusable(format!("the ledger `{}` is missing or empty", path.display())));
    }
    let recounted = if project.state.ledger().exists() {
        Ledger::open_read_only(&project.state.ledger()).map_err(StateError::from).and_then(|ledger| {
            match Identity::read(&project.state, Some(&ledger)) {
                Ok(identity) if identity.odd() == Some(Part::Ledger) => Ok(None),
                Err(StateError::Ledger(error)) => Err(error.into()),
                _ => project.recount(&ledger, observer).map(Some),
            }
        })
    } else {
        Ok(Some(project.recount(&project.ledger_read_only()?, observer)?))
    };
    match recounted {
        Ok(Some(report)) => Ok(Examined::Counted(report)),
        Ok(None) => Ok(Examined::Unusable("the ledger belongs to another state".to_owned())),
        Err(StateError::Ledger(error)) if error.is_about_content() => {
            Ok(Examined::Unusable(error.in_file(&project.state.ledger()).to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Notes since when each source has been listed: since its first file was written. The lost ledger knew it, and which
/// days belong to the source depends on it.
fn date_sources(
    mirror: &Mirror,
    ledger: &mut Ledger,
    sources: &[SyncSource],
    now_ms: UtcMs,
) -> Result<(), Failure> {
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
