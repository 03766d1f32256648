//! What the commands share: the project that they are about, the clock, and the user's side.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, OnceLock};

use super::observer::Shown;
use super::{CommandError, Global};
use crate::edges::clock;
use crate::edges::index::Index;
use crate::edges::state::StateLock;
use crate::flows::run::TimeLimit;
use crate::shell::config::ConfigFile;
use crate::shell::error::Failure;
use crate::shell::project::{Project, Stages};
use crate::shell::ui::Ui;
use gzette_core::model::UtcMs;
use gzette_core::partial::ReadSettings;

/// The surroundings of a command.
pub(super) struct Context {
    pub(super) global: Global,
    pub(super) ui: Ui,
    /// The ledger that the command works on, as soon as it is known.
    ledger: OnceLock<PathBuf>,
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
        let state_dir = self.global.state.as_deref();
        let project = Project::open(self.global.config.as_deref(), state_dir)?;
        let _ = self.ledger.set(project.state.ledger());
        self.uses(&project.file, state_dir.map(|_| project.state.dir()));
        Ok(project)
    }

    /// Names the ledger in a failure that is about it.
    pub(super) fn named(&self, failure: Failure) -> Failure {
        match self.ledger.get() {
            Some(ledger) => failure.naming(ledger),
            None => failure,
        }
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
        let first = project.config.sources.first().map(|source| source.name.clone());
        Ok(project.ingest_settings().of(&first.unwrap_or_default()).clone())
    }

    /// Takes the state's lock for a command that only reads; a user who may not write it shares it with others.
    pub(super) fn lock_to_read(
        &self,
        project: &Project,
        command: &str,
    ) -> Result<Option<StateLock>, CommandError> {
        self.names_state(project);
        match project.lock(command) {
            Err(_) if !project.state.is_writable() => Ok(project.state.share_lock()?),
            taken => Ok(taken.map(Some)?),
        }
    }

    /// Prepares the stages of the pipeline for a command that ends cleanly when a signal asks it to.
    pub(super) fn stages_that_stop<'c>(
        &'c self,
        project: &'c Project,
        limit: Option<TimeLimit>,
    ) -> Result<Stages<'c>, CommandError> {
        Ok(self.stages(project)?.until(stop_flag(), limit))
    }

    /// Prepares the stages of the pipeline. A signal ends the command at once, which costs nothing.
    pub(super) fn stages<'c>(&'c self, project: &'c Project) -> Result<Stages<'c>, CommandError> {
        self.names_state(project);
        Ok(Stages::new(project, self.now_ms(), Box::new(Shown::new(&self.ui)))?)
    }

    /// Says which state a command works on.
    pub(super) fn names_state(&self, project: &Project) {
        self.ui.detail(&format!("state in {}", project.state.dir().display()));
    }

    /// Says why the index was not used, unless there is none.
    pub(super) fn tell_of_index(&self, project: &Project) {
        if let Some(error) = Index::refused(&project.state.index()) {
            self.ui.warn(&format!("{error}; the mirror was read instead, which takes longer"));
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
