//! The stages of the pipeline as a way into gzette calls them: under the lock, with the ledger open, and with what a run
//! did kept in the ledger.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use tokio::runtime::Runtime;

use super::Project;
use crate::edges::ledger::{Ledger, RunCommand};
use crate::flows::digest::{self, Mail, Tries};
use crate::flows::identity::{Lost, look_at_mirror};
use crate::flows::prune::{PruneReport, drop_source, prune};
use crate::flows::run::{Delivered, Observer, Pipeline, RunSettings, Summary, TimeLimit};
use crate::shell::error::{Exit, Failure};
use gzette_core::model::{SourceName, UtcMs};

/// The stages of the pipeline of a project.
pub struct Stages<'p> {
    pub(super) project: &'p Project,
    settings: RunSettings,
    pub(super) now_ms: UtcMs,
    stop: Arc<AtomicBool>,
    limit: Option<TimeLimit>,
    pub(super) observer: Box<dyn Observer + 'p>,
}

/// What a run did.
pub struct Done {
    /// How it ended.
    pub exit: Exit,
    /// What it did.
    pub summary: Summary,
}

impl<'p> Stages<'p> {
    /// Prepares the stages; `observer` is told what each does.
    pub fn new(
        project: &'p Project,
        now_ms: UtcMs,
        observer: Box<dyn Observer + 'p>,
    ) -> Result<Self, Failure> {
        let settings = project.run_settings()?;
        Ok(Self { project, settings, now_ms, stop: Arc::default(), limit: None, observer })
    }

    /// Has them end cleanly when `stop` is set, or before the time is up.
    #[must_use]
    pub fn until(self, stop: Arc<AtomicBool>, limit: Option<TimeLimit>) -> Self {
        Self { stop, limit, ..self }
    }

    /// Returns the pipeline.
    pub fn pipeline(&self) -> Pipeline<'_> {
        Pipeline {
            state: &self.project.state,
            settings: &self.settings,
            now_ms: self.now_ms,
            stop: &self.stop,
            limit: self.limit,
            observer: self.observer.as_ref(),
        }
    }

    /// Does everything: sync, ingest, report, publish, digest, prune.
    pub fn run(&self) -> Result<Done, Failure> {
        self.recorded(&RunCommand::Run, |ledger, summary| {
            with_runtime(|runtime| {
                let sources = runtime.block_on(self.project.sources())?;
                let target = runtime.block_on(self.project.publish_target())?;
                Ok(self.pipeline().run(runtime, ledger, &sources, target.as_ref(), summary)?)
            })
        })
    }

    /// Mirrors what is new.
    pub fn sync(&self) -> Result<Done, Failure> {
        self.recorded(&RunCommand::Sync, |ledger, summary| self.fetch(ledger, summary))
    }

    /// Mirrors what is new into a ledger that is open.
    pub fn fetch(&self, ledger: &mut Ledger, summary: &mut Summary) -> Result<(), Failure> {
        with_runtime(|runtime| {
            let sources = runtime.block_on(self.project.sources())?;
            self.pipeline().sync(runtime, ledger, &sources, summary)?;
            Ok(())
        })
    }

    /// Counts and indexes what is in the mirror and not yet counted.
    pub fn ingest(&self) -> Result<Done, Failure> {
        self.recorded(&RunCommand::Ingest, |ledger, summary| {
            self.pipeline().ingest(ledger, summary)?;
            Ok(())
        })
    }

    /// Groups the past by the present rules; with `all`, whether they have changed or not.
    pub fn regroup(&self, all: bool) -> Result<Done, Failure> {
        self.recorded(&RunCommand::GroupRebuild, |ledger, summary| {
            if all {
                ledger.outdate_all()?;
            }
            self.pipeline().ingest(ledger, summary)?;
            Ok(())
        })
    }

    /// Renders the site and publishes it.
    pub fn publish(&self) -> Result<Done, Failure> {
        self.recorded(&RunCommand::Publish, |ledger, summary| {
            with_runtime(|runtime| {
                let target = runtime.block_on(self.project.publish_target())?.ok_or_else(|| {
                    Failure::usage("there is no `publish` in `[site]`")
                        .hint("set it to s3://bucket/prefix/ or to a folder")
                })?;
                let rendered = self.pipeline().report(ledger, None)?;
                summary.has_problems |= rendered.failure.is_some();
                self.pipeline().publish(runtime, ledger, &target, &rendered, summary)?;
                Ok(())
            })
        })
    }

    /// Renders the site.
    pub fn report(&self) -> Result<(), Failure> {
        self.locked("report", |ledger| {
            let rendered = self.pipeline().report(ledger, None)?;
            if self.project.config.site.publish.is_none() {
                self.pipeline().note_folder(ledger, &rendered)?;
            }
            Ok(rendered.failure.map_or(Ok(()), Err)?)
        })
    }

    /// Mails what changed; with `retry`, what was given up as well.
    pub fn digest(&self, retry: bool) -> Result<Vec<Delivered>, Failure> {
        if self.settings.digests.is_empty() {
            return Err(Failure::usage("there is no `[[digest]]`").hint("`gzette init` writes an example"));
        }
        self.locked("digest", |ledger| {
            for plan in self.settings.digests.iter().filter(|_| retry) {
                ledger.retry_given_up_mails(&plan.settings.name)?;
            }
            let view = self.pipeline().view(ledger, None)?;
            with_runtime(|runtime| Ok(self.pipeline().deliver(runtime, ledger, &view, Tries::All)?))
        })
    }

    /// Returns what the first digest would say now, and sends nothing.
    pub fn preview(&self) -> Result<Mail, Failure> {
        let ledger = self.project.ledger_read_only()?;
        let view = self.pipeline().view(&ledger, None)?;
        let first = self.settings.digests.first().map(|plan| plan.settings.clone());
        let settings = first.unwrap_or_default();
        Ok(digest::render(&view, &settings))
    }

    /// Does some work under the lock.
    fn locked<T>(
        &self,
        command: &str,
        work: impl FnOnce(&mut Ledger) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let _lock = self.project.lock(command)?;
        self.project.named(self.project.ledger().and_then(|mut ledger| work(&mut ledger)))
    }

    /// Does some work under the lock and keeps its summary in the ledger.
    fn recorded(
        &self,
        command: &RunCommand,
        work: impl FnOnce(&mut Ledger, &mut Summary) -> Result<(), Failure>,
    ) -> Result<Done, Failure> {
        let _lock = self.project.lock(command.as_str())?;
        let begin = Instant::now();
        let is_ledger_lost = self.project.has_lost_ledger()?;
        let mut ledger = self.project.ledger()?;
        let row = ledger.start_run(command, self.now_ms)?;
        let lost = look_at_mirror(&self.project.state, &mut ledger)?;
        self.observer.missed(is_ledger_lost, &lost);
        let has_problems = is_ledger_lost || lost != Lost::default();
        let mut summary = Summary { has_problems, ..Summary::default() };
        let result = self.project.named(work(&mut ledger, &mut summary));
        summary.seconds = (begin.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        let mut json = serde_json::json!(summary);
        if let Err(failure) = &result {
            json["error"] = failure.message.as_str().into();
            // The failure itself is what the user has to hear of, also when this one cannot be kept.
            let _ = ledger.finish_run(row, self.now_ms, failure.exit as i32, &json.to_string());
        }
        result?;
        let exit = if summary.has_problems || summary.stopped { Exit::Partly } else { Exit::Fine };
        ledger.finish_run(row, self.now_ms, exit as i32, &json.to_string())?;
        Ok(Done { exit, summary })
    }
}

impl Project {
    /// Drops what is past its time; with `dry_run`, only says what would go.
    pub fn prune(&self, now_ms: UtcMs, dry_run: bool) -> Result<PruneReport, Failure> {
        let _lock = self.lock("prune")?;
        let (mut ledger, settings) = (self.ledger()?, self.prune_settings());
        let report = prune(&mut ledger, &self.mirror(), &self.state.index(), &settings, now_ms, dry_run);
        self.named(report.map_err(Failure::from))
    }

    /// Drops all that is known of a source that is no longer configured.
    pub fn drop_source(&self, name: &SourceName, now_ms: UtcMs) -> Result<PruneReport, Failure> {
        let _lock = self.lock("prune")?;
        let mut ledger = self.ledger()?;
        if self.config.sources.iter().any(|source| source.name == *name) {
            let message = format!("source `{name}` is configured; the next run would read it again");
            return Err(Failure::usage(message).hint("remove it from gzette.toml first"));
        }
        let report = drop_source(&mut ledger, &self.mirror(), &self.state.index(), name, now_ms);
        let report = self.named(report.map_err(Failure::from))?;
        report.ok_or_else(|| Failure::usage(format!("the ledger has no source `{name}`")))
    }
}

/// Runs work that uses the network. Tasks that still run at the end, such as a read from a hung disk or a mail to a silent
/// server, are not waited for.
pub fn with_runtime<T>(work: impl FnOnce(&Runtime) -> Result<T, Failure>) -> Result<T, Failure> {
    let runtime = runtime()?;
    let result = work(&runtime);
    runtime.shutdown_background();
    result
}

/// Returns a runtime. Dropping it waits for all that it has begun, unlike [`with_runtime`].
pub fn runtime() -> Result<Runtime, Failure> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
