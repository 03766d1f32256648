//! A configuration and the state that it names, and what is done with them. Every way into gzette shares this: the command
//! line, and what a scheduler or a queue calls. They parse what they are asked, call the stages, and show what came of it.

mod repair;
mod stages;

pub use stages::{Done, Stages, runtime, with_runtime};

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::edges::clock;
use crate::edges::index::Index;
use crate::edges::ledger::{Ledger, LedgerError};
use crate::edges::mail::{self, MailError, MailOptions};
use crate::edges::mirror::Mirror;
use crate::edges::state::{State, StateLock};
use crate::edges::store::{self, Location};
use crate::flows::digest::DigestSettings;
use crate::flows::error::StateError;
use crate::flows::identity::{Identity, Part, name_ledger, settle};
use crate::flows::ingest::own_index;
use crate::flows::prune::PruneSettings;
use crate::flows::publish::Target;
use crate::flows::report::SourceShape;
use crate::flows::run::{DigestPlan, RunSettings};
use crate::flows::sync::SyncSource;
use crate::shell::config::{self, Config, ConfigFile};
use crate::shell::error::{Failure, REBUILD};
use gzette_core::human;
use gzette_core::model::{AppName, SourceName};
use gzette_core::parse::ParseSettings;
use gzette_core::partial::{ReadSettings, SourceSettings};
use gzette_core::paste::Invocation;

/// A configuration and the state it names.
pub struct Project {
    /// What the configuration says.
    pub config: Config,
    /// Where it was read from.
    pub file: ConfigFile,
    /// The state.
    pub state: State,
    /// How commands are written that somebody else may paste.
    pub invocation: Invocation,
}

impl Project {
    /// Reads the configuration: `file`, or the one that is found. `state_dir` is the state directory in place of its own.
    pub fn open(file: Option<&Path>, state_dir: Option<&Path>) -> Result<Self, Failure> {
        let (config, file) = Config::load(file)?;
        Ok(Self::new(config, file, state_dir))
    }

    /// Returns the project of a configuration that was read from `file`.
    pub fn new(config: Config, file: ConfigFile, state_dir: Option<&Path>) -> Self {
        // Absolute, as hints and mails name it, and those are pasted in other folders.
        let state_dir = state_dir.map(|dir| std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned()));
        let invocation = file.invocation().with_state(state_dir.as_deref());
        let state = State::new(state_dir.unwrap_or_else(|| config.state_dir.clone()));
        Self { config, file, state, invocation }
    }

    /// Takes the lock of the state for a command.
    pub fn lock(&self, command: &str) -> Result<StateLock, Failure> {
        let since = human::time(clock::now_ms(None));
        Ok(self.state.lock(&format!("`gzette {command}` since {since}"))?)
    }

    /// Names the ledger in a failure that is about it.
    pub fn named<T>(&self, result: Result<T, Failure>) -> Result<T, Failure> {
        result.map_err(|failure| failure.naming(&self.state.ledger()))
    }

    /// Opens the ledger for writing. One that belongs to another state than the rest is refused.
    pub fn ledger(&self) -> Result<Ledger, Failure> {
        let mut ledger = self.any_ledger()?;
        self.refuse_odd_parts(&ledger)?;
        // After the check: this gives parts without an id that of the ledger, which must be the right one.
        settle(&self.state, &mut ledger)?;
        Ok(ledger)
    }

    /// Opens the ledger for writing, whichever state it belongs to. A new one that replaces a lost ledger belongs to
    /// the rest of the state.
    pub fn any_ledger(&self) -> Result<Ledger, Failure> {
        std::fs::create_dir_all(self.state.dir()).map_err(|error| {
            Failure::failed(format!(
                "cannot create the state directory `{}`: {error}",
                self.state.dir().display()
            ))
        })?;
        // Asked before the ledger is opened, which creates the file.
        let is_new = self.state.lacks_ledger();
        let mut ledger = Ledger::open(&self.state.ledger())?;
        if is_new {
            name_ledger(&mut ledger, Identity::read(&self.state, None)?.without_ledger())?;
        }
        Ok(ledger)
    }

    /// Returns whether there is no ledger although something belongs to one.
    pub fn has_lost_ledger(&self) -> Result<bool, Failure> {
        let is_known = || Ok::<_, StateError>(Identity::read(&self.state, None)?.without_ledger().is_some());
        Ok(self.state.lacks_ledger() && is_known()?)
    }

    fn refuse_odd_parts(&self, ledger: &Ledger) -> Result<(), Failure> {
        match Identity::read(&self.state, Some(ledger))?.odd() {
            None => Ok(()),
            Some(part) => Err(odd_part(&self.state, part)),
        }
    }

    /// Opens the ledger for reading.
    pub fn ledger_read_only(&self) -> Result<Ledger, Failure> {
        let path = self.state.ledger();
        // Without this, a state that lost its ledger would answer like one that never had an error.
        if self.has_lost_ledger()? {
            let message = format!("the ledger `{}` is missing or empty", path.display());
            return Err(Failure::failed(message).hint(REBUILD));
        }
        let is_there = path.try_exists().map_err(|source| LedgerError::Denied { path: path.clone(), source });
        if !is_there? {
            let message =
                format!("nothing was ingested yet: there is no ledger in `{}`", self.state.dir().display());
            return Err(Failure::failed(message).hint("run `gzette run` first"));
        }
        let ledger = Ledger::open_read_only(&path)?;
        self.refuse_odd_parts(&ledger)?;
        Ok(ledger)
    }

    /// Opens the ledger's index, if there is one that can be read.
    pub fn index(&self, ledger: &Ledger) -> Result<Option<Index>, Failure> {
        Ok(own_index(ledger, &self.state.index())?)
    }

    /// Returns the mirror.
    pub fn mirror(&self) -> Mirror {
        Mirror::new(self.state.mirror())
    }

    /// Returns how the sources' lines are read.
    pub fn ingest_settings(&self) -> SourceSettings {
        // Sources that are no longer configured still have objects to count again and to search.
        let other = ReadSettings { custom: Arc::clone(&self.config.custom), ..ReadSettings::default() };
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

    /// Returns the applications that log no levels.
    pub fn unlevelled_apps(&self) -> BTreeSet<AppName> {
        self.config.sources.iter().flat_map(|source| source.unlevelled.iter().cloned()).collect()
    }

    /// Returns how the keys of the sources are built.
    pub fn source_shapes(&self) -> BTreeMap<SourceName, SourceShape> {
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
    pub fn prune_settings(&self) -> PruneSettings {
        let dropping = self.config.sources.iter().filter(|source| !source.keep_deleted);
        PruneSettings {
            retention: self.config.retention,
            drop_deleted: dropping.map(|source| source.name.clone()).collect(),
        }
    }

    /// Connects the sources.
    pub async fn sources(&self) -> Result<Vec<SyncSource>, Failure> {
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
    pub async fn publish_target(&self) -> Result<Option<Target>, Failure> {
        let Some((url, location)) = &self.config.site.publish else { return Ok(None) };
        let (store, prefix) = store::open(location, &self.config.site.s3).await?;
        Ok(Some(Target { name: url.clone(), store, prefix }))
    }

    /// Returns everything that the pipeline needs.
    pub fn run_settings(&self) -> Result<RunSettings, Failure> {
        Ok(RunSettings {
            ingest: self.ingest_settings(),
            site_dir: self.config.site.dir.clone(),
            title: self.config.site.title.clone(),
            shapes: self.source_shapes(),
            unlevelled: self.unlevelled_apps(),
            digests: self.digests()?,
            prune: self.prune_settings(),
        })
    }

    /// Returns the mails with their transports.
    pub fn digests(&self) -> Result<Vec<DigestPlan>, Failure> {
        let plan = |digest: &config::Digest| {
            let settings = DigestSettings {
                name: digest.name.clone(),
                from: digest.from.clone(),
                to: digest.to.clone(),
                subject_prefix: digest.subject_prefix.clone(),
                zone: digest.zone.clone(),
                site_url: self.config.site.base_url.clone(),
                when: digest.when,
                invocation: self.invocation.clone(),
                ..DigestSettings::default()
            };
            let options = MailOptions {
                outbox_dir: self.state.outbox(),
                smtp_password: config::smtp_password(),
                ca_file: digest.ca_file.clone(),
                ..MailOptions::default()
            };
            // Now, not with the first mail: a wrong setting must not come to light only when there is
            // something to tell.
            if let Some(path) = &digest.ca_file {
                mail::check_ca_file(path).map_err(|error| unusable_ca_file(digest, path, &error))?;
            }
            DigestPlan::new(settings, &digest.transport, options)
                .map_err(|error| Failure::usage(format!("digest `{}`: {error}", digest.name)))
        };
        self.config.digests.iter().map(plan).collect()
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
