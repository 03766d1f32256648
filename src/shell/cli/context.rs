//! What the commands share: configuration, state, clock, and the user's side.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use tokio::runtime::Runtime;

use super::observer::Shown;
use super::{CommandError, Global};
use crate::edges::clock;
use crate::edges::index::Index;
use crate::edges::ledger::{Ledger, LedgerError};
use crate::edges::mail::{self, MailError, MailOptions};
use crate::edges::mirror::Mirror;
use crate::edges::state::{State, StateLock};
use crate::edges::store::{self, Location};
use crate::flows::digest::{DigestSettings, When};
use crate::flows::error::StateError;
use crate::flows::identity::{Identity, Part, name_ledger, settle};
use crate::flows::ingest::own_index;
use crate::flows::prune::PruneSettings;
use crate::flows::publish::Target;
use crate::flows::report::SourceShape;
use crate::flows::run::{DigestPlan, Pipeline, RunSettings, TimeLimit};
use crate::flows::sync::SyncSource;
use crate::shell::config::{self, Config, ConfigFile};
use crate::shell::error::{Failure, REBUILD};
use crate::shell::ui::Ui;
use gzette_core::human;
use gzette_core::model::{SourceName, UtcMs};
use gzette_core::parse::ParseSettings;
use gzette_core::partial::{ReadSettings, SourceSettings};
use gzette_core::paste::Invocation;

/// The surroundings of a command.
pub(super) struct Context {
    pub(super) global: Global,
    pub(super) ui: Ui,
    /// The ledger that the command works on, as soon as it is known.
    ledger: OnceLock<PathBuf>,
}

/// A configuration and the state it names.
pub(super) struct Project {
    pub(super) config: Config,
    pub(super) state: State,
    /// How commands are written that somebody else may paste.
    pub(super) invocation: Invocation,
}

impl Context {
    pub(super) fn new(global: Global, ui: Ui) -> Self {
        Self { global, ui, ledger: OnceLock::new() }
    }

    /// The present time, or that of `--now`.
    pub(super) fn now_ms(&self) -> UtcMs {
        clock::now_ms(self.global.now)
    }

    /// Reads the configuration.
    pub(super) fn project(&self) -> Result<Project, CommandError> {
        let (config, file) = Config::load(self.global.config.as_deref())?;
        let elsewhere = self.elsewhere();
        self.uses(&file, elsewhere.as_deref());
        let state = State::new(elsewhere.unwrap_or_else(|| config.state_dir.clone()));
        let _ = self.ledger.set(state.ledger());
        Ok(Project { state, config, invocation: self.ui.invocation() })
    }

    /// Names the ledger in a failure that is about it.
    pub(super) fn named(&self, failure: Failure) -> Failure {
        match self.ledger.get() {
            Some(ledger) => failure.naming(ledger),
            None => failure,
        }
    }

    /// Returns the absolute path of `--state`.
    fn elsewhere(&self) -> Option<PathBuf> {
        let dir = self.global.state.as_ref()?;
        Some(std::path::absolute(dir).unwrap_or_else(|_| dir.clone()))
    }

    /// Has commands written for this configuration, and says which it is.
    pub(super) fn uses(&self, file: &ConfigFile, state: Option<&Path>) {
        self.ui.detail(&format!("configuration {}", file.path.display()));
        self.ui.set_invocation(file.invocation().with_state(state));
    }

    /// Returns how the lines of the first source are read; without a configuration, as built in.
    pub(super) fn read_settings(&self) -> Result<ReadSettings, CommandError> {
        if ConfigFile::find(self.global.config.as_deref()).is_none() {
            return Ok(ReadSettings::default());
        }
        let project = self.project()?;
        let first = project.config.sources.first().map(|source| source.name.as_str());
        Ok(project.ingest_settings().of(first.unwrap_or_default()).clone())
    }

    /// Takes the state's lock for a command.
    pub(super) fn lock(&self, state: &State, command: &str) -> Result<StateLock, CommandError> {
        self.ui.detail(&format!("state in {}", state.dir().display()));
        let since = human::time(clock::now_ms(None));
        Ok(state.lock(&format!("`gzette {command}` since {since}"))?)
    }

    /// Takes the state's lock for a command that may not have to write; then a user who cannot shares it with others.
    pub(super) fn lock_for(
        &self,
        state: &State,
        command: &str,
        writes: bool,
    ) -> Result<Option<StateLock>, CommandError> {
        match self.lock(state, command) {
            Err(_) if !writes && !state.is_writable() => Ok(state.share_lock()?),
            taken => taken.map(Some),
        }
    }

    /// Prepares the stages of the pipeline for a command that ends cleanly when a signal asks it to.
    pub(super) fn stages_that_stop(
        &self,
        project: &Project,
        limit: Option<TimeLimit>,
    ) -> Result<Stages<'_>, CommandError> {
        let stages = self.stages(project)?;
        Ok(Stages { stop: stop_flag(), limit, ..stages })
    }

    /// Prepares the stages of the pipeline. A signal ends the command at once, which costs nothing.
    pub(super) fn stages(&self, project: &Project) -> Result<Stages<'_>, CommandError> {
        Ok(Stages {
            state: project.state.clone(),
            settings: project.run_settings()?,
            now_ms: self.now_ms(),
            stop: Arc::default(),
            limit: None,
            shown: Shown::new(&self.ui),
        })
    }
}

/// The stages of the pipeline, told what to do and shown to the user.
pub(super) struct Stages<'u> {
    state: State,
    pub(super) settings: RunSettings,
    now_ms: UtcMs,
    stop: Arc<AtomicBool>,
    limit: Option<TimeLimit>,
    shown: Shown<'u>,
}

impl Stages<'_> {
    /// Returns the pipeline.
    pub(super) fn pipeline(&self) -> Pipeline<'_> {
        Pipeline {
            state: &self.state,
            settings: &self.settings,
            now_ms: self.now_ms,
            stop: &self.stop,
            limit: self.limit,
            observer: &self.shown,
        }
    }
}

/// Returns a flag that SIGTERM and SIGINT set; the second signal ends the process at once.
pub(super) fn stop_flag() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT] {
        // Without the handlers a signal ends the process; the next run repairs that.
        let _ = signal_hook::flag::register_conditional_shutdown(signal, 1, Arc::clone(&stop));
        let _ = signal_hook::flag::register(signal, Arc::clone(&stop));
    }
    stop
}

impl Project {
    /// Opens the ledger for writing. One that belongs to another state than the rest is refused.
    pub(super) fn ledger(&self) -> Result<Ledger, CommandError> {
        let mut ledger = self.any_ledger()?;
        self.refuse_odd_parts(&ledger)?;
        settle(&self.state, &mut ledger)?;
        Ok(ledger)
    }

    /// Opens the ledger for writing, whichever state it belongs to. A new one that replaces a lost ledger belongs to
    /// the rest of the state.
    pub(super) fn any_ledger(&self) -> Result<Ledger, CommandError> {
        std::fs::create_dir_all(self.state.dir()).map_err(|error| {
            Failure::failed(format!(
                "cannot create the state directory `{}`: {error}",
                self.state.dir().display()
            ))
        })?;
        let is_new = self.state.lacks_ledger();
        let mut ledger = Ledger::open(&self.state.ledger())?;
        if is_new {
            name_ledger(&mut ledger, Identity::read(&self.state, None)?.without_ledger())?;
        }
        Ok(ledger)
    }

    /// Returns whether there is no ledger although something belongs to one.
    pub(super) fn has_lost_ledger(&self) -> Result<bool, CommandError> {
        let is_known =
            || Ok::<_, StateError>(Identity::read(&self.state, None)?.without_ledger().is_some());
        Ok(self.state.lacks_ledger() && is_known()?)
    }

    fn refuse_odd_parts(&self, ledger: &Ledger) -> Result<(), CommandError> {
        match Identity::read(&self.state, Some(ledger))?.odd() {
            None => Ok(()),
            Some(part) => Err(odd_part(&self.state, part).into()),
        }
    }

    /// Opens the ledger for reading.
    pub(super) fn ledger_read_only(&self) -> Result<Ledger, CommandError> {
        let path = self.state.ledger();
        if self.has_lost_ledger()? {
            let message = format!("the ledger `{}` is missing or empty", path.display());
            return Err(Failure::failed(message).hint(REBUILD).into());
        }
        let is_there = path.try_exists().map_err(|source| LedgerError::Denied { path: path.clone(), source });
        if !is_there? {
            let message =
                format!("nothing was ingested yet: there is no ledger in `{}`", self.state.dir().display());
            return Err(Failure::failed(message).hint("run `gzette run` first").into());
        }
        let ledger = Ledger::open_read_only(&path)?;
        self.refuse_odd_parts(&ledger)?;
        Ok(ledger)
    }

    /// Opens the ledger's index, if there is one that can be read.
    pub(super) fn index(&self, ledger: &Ledger) -> Result<Option<Index>, CommandError> {
        Ok(own_index(ledger, &self.state.index())?)
    }

    /// Says why the index was not used, unless there is none.
    pub(super) fn tell_of_index(&self, ui: &Ui) {
        if let Some(error) = Index::refused(&self.state.index()) {
            ui.warn(&format!("{error}; the mirror was read instead, which takes longer"));
        }
    }

    /// Returns the mirror.
    pub(super) fn mirror(&self) -> Mirror {
        Mirror::new(self.state.mirror())
    }

    /// Returns how the sources' lines are read.
    pub(super) fn ingest_settings(&self) -> SourceSettings {
        let other = ReadSettings { overrides: Arc::clone(&self.config.overrides), ..ReadSettings::default() };
        let sources = self.config.sources.iter().map(|source| {
            let parse = ParseSettings {
                zone: source.zone.clone(),
                format: source.format,
                fields: source.fields.clone(),
            };
            (source.name.clone(), ReadSettings { parse, ..other.clone() })
        });
        SourceSettings { sources: sources.collect(), other: other.clone() }
    }

    /// Returns how the keys of the sources are built.
    pub(super) fn source_shapes(&self) -> BTreeMap<SourceName, SourceShape> {
        let shape = |source: &config::Source| {
            let prefix = match &source.location {
                Location::S3 { prefix, .. } => prefix.clone(),
                Location::Dir(_) => String::new(),
            };
            (source.name.clone(), SourceShape { layout: source.layout.clone(), prefix })
        };
        self.config.sources.iter().map(shape).collect()
    }

    /// Returns the retention settings.
    pub(super) fn prune_settings(&self) -> PruneSettings {
        let dropping = self.config.sources.iter().filter(|source| !source.keep_deleted);
        PruneSettings {
            retention: self.config.retention,
            drop_deleted: dropping.map(|source| source.name.clone()).collect(),
        }
    }

    /// Connects the sources.
    pub(super) async fn sources(&self) -> Result<Vec<SyncSource>, CommandError> {
        let mut sources = Vec::new();
        for source in &self.config.sources {
            let (store, prefix) = store::open(&source.location, &source.s3).await?;
            sources.push(SyncSource {
                name: source.name.clone(),
                url: source.url.clone(),
                layout: source.layout.clone(),
                zone: source.zone.clone(),
                look_back_days: source.look_back_days,
                backfill_days: source.backfill_days,
                store,
                prefix,
            });
        }
        Ok(sources)
    }

    /// Connects the place that the site is published to.
    pub(super) async fn publish_target(&self) -> Result<Option<Target>, CommandError> {
        let Some((url, location)) = &self.config.site.publish else { return Ok(None) };
        let (store, prefix) = store::open(location, &self.config.site.s3).await?;
        Ok(Some(Target { name: url.clone(), store, prefix }))
    }

    /// Returns everything that the pipeline needs.
    pub(super) fn run_settings(&self) -> Result<RunSettings, CommandError> {
        Ok(RunSettings {
            ingest: self.ingest_settings(),
            site_dir: self.config.site.dir.clone(),
            title: self.config.site.title.clone(),
            shapes: self.source_shapes(),
            digests: self.digests()?,
            prune: self.prune_settings(),
        })
    }

    /// Returns the mails with their transports.
    pub(super) fn digests(&self) -> Result<Vec<DigestPlan>, CommandError> {
        let plan = |digest: &config::Digest| {
            let settings = DigestSettings {
                name: digest.name.clone(),
                from: digest.from.clone(),
                to: digest.to.clone(),
                subject_prefix: digest.subject_prefix.clone(),
                site_url: self.config.site.base_url.clone(),
                when: if digest.when == "always" { When::Always } else { When::Changes },
                invocation: self.invocation.clone(),
                ..DigestSettings::default()
            };
            let options = MailOptions {
                outbox_dir: self.state.outbox(),
                smtp_password: config::smtp_password(),
                ca_file: digest.ca_file.clone(),
                ..MailOptions::default()
            };
            if let Some(path) = &digest.ca_file {
                mail::check_ca_file(path).map_err(|error| unusable_ca_file(digest, path, &error))?;
            }
            DigestPlan::new(settings, &digest.transport, options)
                .map_err(|error| Failure::usage(format!("digest `{}`: {error}", digest.name)))
        };
        Ok(self.config.digests.iter().map(plan).collect::<Result<_, Failure>>()?)
    }
}

fn unusable_ca_file(digest: &config::Digest, path: &Path, error: &MailError) -> Failure {
    Failure::usage(format!("digest `{}`: `{}`: {}", digest.name, path.display(), error.reason))
        .hint("`ca_file` of `[[digest]]` names a PEM file, relative to gzette.toml")
}

/// Says which part of a state belongs to another one, and what to do.
fn odd_part(state: &State, part: Part) -> Failure {
    match part {
        Part::Ledger => Failure::failed(format!(
            "the ledger `{}` belongs to another state than the rest of its folder",
            state.ledger().display()
        ))
        .hint("put the right one back, or run `gzette verify --repair`: it sets this one aside and rebuilds the ledger"),
        Part::Mirror => Failure::failed(format!("the mirror `{}` belongs to another state", state.mirror().display()))
            .hint("put the right one back, or run `gzette verify --repair`: it keeps the files that are right and fetches the rest"),
    }
}

/// Runs work that uses the network. Tasks that still run at the end, such as a read from a hung disk or a
/// mail to a silent server, are not waited for.
pub(super) fn with_runtime<T>(
    work: impl FnOnce(&Runtime) -> Result<T, CommandError>,
) -> Result<T, CommandError> {
    let runtime = runtime()?;
    let result = work(&runtime);
    runtime.shutdown_background();
    result
}

/// Returns a runtime. Dropping it waits for all that it has begun, unlike [`with_runtime`].
pub(super) fn runtime() -> Result<Runtime, CommandError> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}
