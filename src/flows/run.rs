//! The whole pipeline: sync, ingest, report, publish, digest, prune, with a summary. What one source or the
//! publishing cannot do does not keep the rest from going on; what the ledger or the disk cannot do ends it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::edges::ledger::{Ledger, LedgerError, PagesState};
use crate::edges::mail::{self, MailOptions, TransportSetting};
use crate::edges::mirror::Mirror;
use crate::edges::state::State;
use crate::flows::digest::{self, Delivery, DigestError, DigestSettings, Tries};
use crate::flows::error::StateError;
use crate::flows::identity::Lost;
use crate::flows::ingest::{IngestReport, ingest};
use crate::flows::prune::{PruneReport, PruneSettings, prune};
use crate::flows::publish::{PublishError, PublishReport, SiteFile, Target, publish};
use crate::flows::report::{self, PagesTrouble, ReportSettings, SourceShape, Unread, View};
use crate::flows::site::{self, SiteSettings, Written};
use crate::flows::sync::{Deadline, Progress, SyncOptions, SyncReport, SyncSource, sync};
use crate::flows::verify::{Rebuilt, VerifyReport};
use gzette_core::model::{AppName, LineCounts, Requests, SourceName, UtcMs};
use gzette_core::partial::SourceSettings;

/// How often a stage that waits for a network looks whether it has to stop,
const STOP_LOOK: Duration = Duration::from_millis(100);
/// and how long work in progress may still take then; service managers wait 10 s or more before they kill.
const STOP_PATIENCE: Duration = Duration::from_secs(4);

/// How long a request of the sync may keep others waiting, unless there is a deadline.
const SLOW: Duration = Duration::from_secs(3);

/// The settings of the pipeline.
pub struct RunSettings {
    /// How lines are read.
    pub ingest: SourceSettings,
    /// The folder of the site.
    pub site_dir: PathBuf,
    /// The name at the top of its pages.
    pub title: String,
    /// How the keys of each source are built, by its name.
    pub shapes: BTreeMap<SourceName, SourceShape>,
    /// Applications that log no levels.
    pub unlevelled: BTreeSet<AppName>,
    /// The mails.
    pub digests: Vec<DigestPlan>,
    /// What to keep.
    pub prune: PruneSettings,
}

/// A mail and its way.
pub struct DigestPlan {
    /// What it says and to whom.
    pub settings: DigestSettings,
    /// How it goes.
    pub transport: TransportSetting,
    /// What that needs.
    pub options: MailOptions,
}

/// The result of a digest.
#[derive(Debug)]
pub struct Delivered {
    /// Its name.
    pub digest: String,
    /// What was sent, or why nothing could be sent.
    pub result: Result<Delivery, DigestError>,
}

impl Delivered {
    /// Returns whether everything that was to be sent is sent.
    pub fn is_complete(&self) -> bool {
        self.result.as_ref().is_ok_and(Delivery::is_complete)
    }
}

/// Follows the stages.
pub trait Observer: Progress + Sync {
    /// Called with the objects and stored bytes ingested so far.
    fn ingested(&self, objects: u64, bytes: u64);
    /// The state was looked at: whether its ledger is lost, and what of the mirror is.
    fn missed(&self, is_ledger_lost: bool, lost: &Lost);
    /// The sync is done.
    fn synced(&self, report: &SyncReport);
    /// The ingest is done.
    fn counted(&self, report: &IngestReport);
    /// The site is rendered, or its folder cannot be written.
    fn rendered(&self, view: &View, result: &Result<Written, RunError>);
    /// The site is published.
    fn published(&self, target: &str, result: &Result<PublishReport, PublishError>);
    /// Called when expired data has been dropped.
    fn pruned(&self, report: &PruneReport);
    /// So many of all objects have been recounted.
    fn recounting(&self, done: u64, objects: u64);
    /// All objects have been recounted.
    fn recounted(&self);
    /// Something differs, and is made good.
    fn differs(&self, report: &VerifyReport);
    /// The ledger cannot be used, and is rebuilt: why.
    fn rebuilding(&self, why: &str);
    /// It is rebuilt.
    fn rebuilt(&self, rebuilt: &Rebuilt);
    /// A mail was dealt with.
    fn delivered(&self, digest: &str, result: &Result<Delivery, DigestError>, now_ms: UtcMs);
}

/// A rendered site.
pub struct Rendered {
    /// What it was rendered from.
    pub view: View,
    /// Its files, which can be published whether or not they could be written.
    pub files: Vec<site::File>,
    /// Why the folder could not be written.
    pub failure: Option<RunError>,
}

/// What a run did, as it is shown and kept.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct Summary {
    /// Objects.
    pub objects: SummaryObjects,
    /// Lines ingested.
    pub lines: LineCounts,
    /// Error events ingested.
    pub errors: u64,
    /// Groups never seen before.
    pub groups_new: u64,
    /// Requests sent, retries included.
    pub requests: Requests,
    /// Stored bytes read from the sources.
    pub bytes: u64,
    /// How long it took.
    pub seconds: f64,
    /// Whether something was damaged, denied, missing or left undone.
    pub has_problems: bool,
    /// Whether it was asked to stop before the end.
    pub stopped: bool,
}

/// The objects of a [`Summary`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SummaryObjects {
    /// Listed.
    pub listed: u64,
    /// Ingested for the first time, or again because they changed.
    pub new: u64,
    /// Of the new ones, damaged.
    pub damaged: u64,
}

/// What ends a run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A part of the state.
    #[error(transparent)]
    State(#[from] StateError),
    /// The site's folder.
    #[error("cannot write the site into `{dir}`: {source}")]
    Site {
        /// The folder.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No source could be read: the first one's reason.
    #[error(transparent)]
    NoSource(crate::edges::store::StoreError),
}

impl From<LedgerError> for RunError {
    fn from(error: LedgerError) -> Self {
        Self::State(error.into())
    }
}

/// How long a run may take.
#[derive(Clone, Copy, Debug)]
pub struct TimeLimit {
    /// When it began.
    pub begin: Instant,
    /// How long after that it has to have ended.
    pub span: Duration,
    /// Whether stages follow the sync, which then leaves them a quarter of the time.
    pub is_whole_run: bool,
}

impl TimeLimit {
    /// Returns when the sync starts nothing more.
    fn end_of_sync(&self) -> Instant {
        self.begin + if self.is_whole_run { self.span * 3 / 4 } else { self.span * 9 / 10 }
    }

    /// Returns when publishing ends, so that a mail can go that says so.
    fn end_of_publish(&self) -> Instant {
        self.begin + self.span * 17 / 20
    }

    /// Returns when no further stage begins but the mails.
    fn end(&self) -> Instant {
        self.begin + self.span * 9 / 10
    }

    /// Returns when nothing waits for the network any more.
    fn end_of_mails(&self) -> Instant {
        self.begin + self.span * 19 / 20
    }

    /// Returns how long a request of the sync may keep others waiting.
    fn slow(&self) -> Duration {
        SLOW.min(self.span / 20)
    }

    /// Returns how long work in progress may take after each of them.
    fn patience(&self) -> Duration {
        STOP_PATIENCE.min(self.span / 20)
    }
}

/// A state directory and the stages that run on it.
pub struct Pipeline<'p> {
    /// The state.
    pub state: &'p State,
    /// The settings.
    pub settings: &'p RunSettings,
    /// The present time.
    pub now_ms: UtcMs,
    /// Set when a stop is requested; the current stage ends cleanly and no other begins.
    pub stop: &'p Arc<AtomicBool>,
    /// How long it may take in all.
    pub limit: Option<TimeLimit>,
    /// Who follows.
    pub observer: &'p dyn Observer,
}

impl Pipeline<'_> {
    /// Runs all stages. `summary` holds what was done, even if a stage failed.
    pub fn run(
        &self,
        runtime: &Runtime,
        ledger: &mut Ledger,
        sources: &[SyncSource],
        target: Option<&Target>,
        summary: &mut Summary,
    ) -> Result<(), RunError> {
        self.sync(runtime, ledger, sources, summary)?;
        if !self.stops(summary) {
            self.ingest(ledger, summary)?;
        }
        if self.stops(summary) {
            return Ok(());
        }
        let rendered = self.report(ledger, Some(summary))?;
        summary.has_problems |= rendered.view.unread.iter().any(Unread::may_pass);
        match target {
            Some(target) => match self.publish(runtime, ledger, target, &rendered, summary) {
                // A damaged ledger ends the run: what comes after would be written from it.
                Err(PublishError::Ledger(error @ LedgerError::Corrupt { .. })) => return Err(error.into()),
                result => summary.has_problems |= result.is_err(),
            },
            None => self.note_folder(ledger, &rendered)?,
        }
        summary.has_problems |= rendered.failure.is_some();
        // After publishing, so that a link in a mail leads to the pages it speaks of, or the mail says that they are
        // old.
        if self.may_mail() {
            let view = as_mailed(rendered.view, ledger.pages()?, summary);
            let delivered = self.deliver(runtime, ledger, &view, Tries::Due)?;
            summary.has_problems |= !delivered.iter().all(Delivered::is_complete);
        }
        // Last, because it only frees space: a run that is short of time leaves it to the next.
        if !self.stops(summary) && !self.settings.prune.is_for_ever() {
            self.prune(ledger)?;
        }
        Ok(())
    }

    fn stops(&self, summary: &mut Summary) -> bool {
        summary.stopped |= self.is_to_stop();
        summary.stopped
    }

    fn is_to_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed) || self.limit.is_some_and(|limit| Instant::now() >= limit.end())
    }

    /// Returns whether there is time for mails: some is left of what the stages before them had.
    fn may_mail(&self) -> bool {
        let is_over = self.limit.is_some_and(|limit| Instant::now() >= limit.end_of_mails());
        !is_over && !self.stop.load(Ordering::Relaxed)
    }

    fn patience(&self) -> Duration {
        self.limit.map_or(STOP_PATIENCE, |limit| limit.patience())
    }

    /// Does work that waits for a network. When a stop was asked for or `end` is reached, and it does not end by itself,
    /// leaves it where it is, as a crash might too.
    fn until_overdue<T>(
        &self,
        runtime: &Runtime,
        end: Option<Instant>,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let overdue = async {
            while !self.stop.load(Ordering::Relaxed) && end.is_none_or(|end| Instant::now() < end) {
                tokio::time::sleep(STOP_LOOK).await;
            }
            // What is on its way gets some seconds to end and to be recorded.
            tokio::time::sleep(self.patience()).await;
        };
        runtime.block_on(async {
            tokio::select! {
                done = work => Some(done),
                () = overdue => None,
            }
        })
    }

    /// Mirrors new and changed objects.
    pub fn sync(
        &self,
        runtime: &Runtime,
        ledger: &mut Ledger,
        sources: &[SyncSource],
        summary: &mut Summary,
    ) -> Result<SyncReport, RunError> {
        let mirror = Mirror::new(self.state.mirror());
        let stop = Arc::clone(self.stop);
        let end = self.limit.map(|limit| limit.end_of_sync());
        let is_over = move || stop.load(Ordering::Relaxed) || end.is_some_and(|end| Instant::now() >= end);
        let options = SyncOptions {
            deadline: Deadline::When(Arc::new(is_over)),
            patience: self.patience(),
            slow: self.limit.map_or(SLOW, |limit| limit.slow()),
            ..SyncOptions::new(self.now_ms)
        };
        let progress: &dyn Progress = self.observer;
        let result = runtime.block_on(sync(sources, ledger, &mirror, &options, progress));
        // They were sent, and cost money, also when the sync failed.
        summary.add_requests(sources.iter().map(|source| source.store.requests()));
        let mut report = result?;
        summary.stopped |= self.stop.load(Ordering::Relaxed);
        // A fatal error is reported by its failure, not here. If anything was ever listed, the run continues: its
        // pages and mails say since when nothing could be read.
        let is_end = !sources.is_empty()
            && report.root_errors.len() == sources.len()
            && report.prefix_count() == 0
            && ledger.is_unlisted()?;
        let end = is_end.then(|| report.root_errors.remove(0));
        if let Some(first) = &end {
            report.forget(&first.source);
            let said = (first.error.kind, first.error.what);
            report.refusals.retain(|refusal| (refusal.kind, refusal.what) != said);
        }
        self.observer.synced(&report);
        if let Some(first) = end {
            return Err(RunError::NoSource(first.error));
        }
        summary.objects.listed = report.listed;
        summary.bytes = report.got_bytes;
        summary.has_problems |= report.has_problems();
        Ok(report)
    }

    /// Counts and indexes mirrored objects.
    pub fn ingest(&self, ledger: &mut Ledger, summary: &mut Summary) -> Result<IngestReport, RunError> {
        let mirror = Mirror::new(self.state.mirror());
        let progress = |objects, bytes| self.observer.ingested(objects, bytes);
        let index_dir = self.state.index();
        let report =
            ingest(ledger, &mirror, &index_dir, &self.settings.ingest, self.now_ms, self.stop, &progress)?;
        self.observer.counted(&report);
        summary.objects.new = report.objects;
        summary.objects.damaged = report.damaged.len() as u64;
        summary.lines = report.lines;
        summary.errors = report.errors;
        summary.groups_new = report.new_groups;
        summary.stopped |= report.stopped;
        summary.has_problems |= !report.damaged.is_empty() || !report.unreadable.is_empty();
        Ok(report)
    }

    /// Drops expired data.
    pub fn prune(&self, ledger: &mut Ledger) -> Result<(), RunError> {
        let mirror = Mirror::new(self.state.mirror());
        let (index_dir, settings) = (self.state.index(), &self.settings.prune);
        let report = prune(ledger, &mirror, &index_dir, settings, self.now_ms, false)?;
        self.observer.pruned(&report);
        Ok(())
    }

    /// Renders the site; `run` is the run that does it, if it read the sources.
    pub fn report(&self, ledger: &Ledger, run: Option<&Summary>) -> Result<Rendered, RunError> {
        let view = self.view(ledger, run)?;
        let files = site::render(&view, &self.site_settings());
        let dir = &self.settings.site_dir;
        let written = site::write(dir, &files).map_err(|source| RunError::Site { dir: dir.clone(), source });
        self.observer.rendered(&view, &written);
        Ok(Rendered { view, files, failure: written.err() })
    }

    /// Notes whether the site's folder holds the pages, for a site that is not published.
    pub fn note_folder(&self, ledger: &mut Ledger, rendered: &Rendered) -> Result<(), RunError> {
        let place = self.settings.site_dir.display().to_string();
        let failure = rendered.failure.as_ref().map(ToString::to_string);
        ledger.note_pages(&place, failure.is_none(), failure.as_deref(), self.now_ms)?;
        Ok(())
    }

    /// Works out what the pages and mails say; `run` is the run that does it, if it read the sources.
    pub fn view(&self, ledger: &Ledger, run: Option<&Summary>) -> Result<View, RunError> {
        let run = run.map(|summary| (self.now_ms, summary.requests));
        let (shapes, unlevelled) = (self.settings.shapes.clone(), self.settings.unlevelled.clone());
        let mut settings = ReportSettings { shapes, unlevelled, run, ..ReportSettings::default() };
        settings.parse = self
            .settings
            .ingest
            .sources
            .iter()
            .map(|(name, read)| (name.clone(), read.parse.clone()))
            .collect();
        let mut view = report::build(ledger, self.now_ms, &settings)?;
        let parse = |source: &SourceName| settings.parse.get(source).unwrap_or(&settings.parse_other).clone();
        report::add_examples(&mut view.unclear, ledger, &Mirror::new(self.state.mirror()), parse)?;
        Ok(view)
    }

    fn site_settings(&self) -> SiteSettings {
        let frames = self.settings.ingest.other.custom.settings.frames.clone();
        SiteSettings { title: self.settings.title.clone(), frames, ..SiteSettings::default() }
    }

    /// Publishes the site, and notes whether the target has the pages.
    pub fn publish(
        &self,
        runtime: &Runtime,
        ledger: &mut Ledger,
        target: &Target,
        rendered: &Rendered,
        summary: &mut Summary,
    ) -> Result<PublishReport, PublishError> {
        let files: Vec<_> = rendered.files.iter().map(site_file).collect();
        let end = self.limit.map(|limit| limit.end_of_publish());
        let result = self.until_overdue(runtime, end, publish(&files, target, ledger, self.now_ms));
        summary.add_requests([target.store.requests()]);
        summary.stopped |= result.is_none();
        let result = result.unwrap_or(Err(PublishError::Stopped));
        self.observer.published(&target.name, &result);
        let failure = match (&result, &rendered.failure) {
            (Err(error), _) => Some(format!("the site was not published: {error}")),
            (Ok(_), folder) => folder.as_ref().map(ToString::to_string),
        };
        // A failure is noted, too: the mail that follows says that the pages are old.
        ledger.note_pages(&target.name, result.is_ok(), failure.as_deref(), self.now_ms)?;
        result
    }

    /// Mails what changed; returns the result of each mail. Only a damaged ledger is an error.
    pub fn deliver(
        &self,
        runtime: &Runtime,
        ledger: &mut Ledger,
        view: &View,
        tries: Tries,
    ) -> Result<Vec<Delivered>, RunError> {
        let end = self.limit.map(|limit| limit.end_of_mails());
        let mut deliver = |plan: &DigestPlan| {
            let work = async {
                let transport = mail::open_or_say(&plan.transport, &plan.options).await;
                digest::deliver(ledger, view, &plan.settings, transport.as_ref(), tries).await
            };
            let result = self.until_overdue(runtime, end, work).unwrap_or(Err(DigestError::Stopped));
            if let Err(DigestError::Ledger(error @ LedgerError::Corrupt { .. })) = result {
                return Err(error.into());
            }
            self.observer.delivered(&plan.settings.name, &result, self.now_ms);
            Ok(Delivered { digest: plan.settings.name.clone(), result })
        };
        self.settings.digests.iter().map(&mut deliver).collect()
    }
}

/// Returns the view for mails: with the state of the pages, and with the requests of publishing.
fn as_mailed(mut view: View, pages: PagesState, summary: &Summary) -> View {
    view.completeness.requests = summary.requests;
    let good_ms = pages.good_ms;
    view.completeness.pages_trouble = pages.failure.map(|failure| PagesTrouble { failure, of_ms: good_ms });
    view
}

fn site_file(file: &site::File) -> SiteFile<'_> {
    SiteFile {
        path: &file.path,
        content_type: file.content_type,
        bytes: &file.bytes,
        immutable: file.immutable,
    }
}

impl Summary {
    /// Adds what stores have sent.
    fn add_requests(&mut self, sent: impl IntoIterator<Item = Requests>) {
        for sent in sent {
            self.requests.add(&sent);
        }
    }
}

impl DigestPlan {
    /// Returns the plan of a mail; wrong addresses and transports are found here.
    pub fn new(settings: DigestSettings, transport: &str, options: MailOptions) -> Result<Self, DigestError> {
        settings.check()?;
        Ok(Self { settings, transport: transport.parse()?, options })
    }
}
