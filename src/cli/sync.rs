//! `gzette sync`: the mirror only.

use super::CommandError;
use super::context::{Context, runtime, stop_flag};
use super::observer::Shown;
use crate::error::{Exit, Failure};
use crate::run::Pipeline;

/// The arguments of `gzette sync`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Lists the sources and fetches new and changed objects into the mirror. Nothing is counted: `gzette ingest` does that.")]
pub(super) struct Args {}

pub(super) fn run(_: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let settings = project.run_settings()?;
    super::run::recorded(context, &project, "sync", |ledger, summary| {
        let runtime = runtime()?;
        let sources = runtime.block_on(project.sources())?;
        let (shown, stop) = (Shown::new(&context.ui), stop_flag());
        let pipeline = Pipeline {
            state: &project.state,
            settings: &settings,
            now_ms: context.now_ms(),
            stop: &stop,
            observer: &shown,
        };
        Ok(pipeline.sync(&runtime, ledger, &sources, summary).map_err(Failure::from)?)
    })
}
