//! `gzette ingest`: what is in the mirror and not yet counted.

use super::CommandError;
use super::context::{Context, stop_flag};
use super::observer::Shown;
use crate::error::{Exit, Failure};
use crate::run::Pipeline;

/// The arguments of `gzette ingest`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Counts, groups and indexes the objects in the mirror that no batch holds yet, and makes good what a crash left.")]
pub(super) struct Args {}

pub(super) fn run(_: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let settings = project.run_settings()?;
    super::run::recorded(context, &project, "ingest", |ledger, summary| {
        let (shown, stop) = (Shown::new(&context.ui), stop_flag());
        let pipeline = Pipeline {
            state: &project.state,
            settings: &settings,
            now_ms: context.now_ms(),
            stop: &stop,
            observer: &shown,
        };
        Ok(pipeline.ingest(ledger, summary).map_err(Failure::from)?)
    })
}
