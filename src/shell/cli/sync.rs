//! `gzette sync`: the mirror only.

use super::CommandError;
use super::context::{Context, with_runtime};
use super::run::TimeArgs;
use crate::shell::error::{Exit, Failure};

/// The arguments of `gzette sync`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Lists the sources and fetches new and changed objects into the mirror. Counts nothing: `gzette ingest` does that."
)]
pub(super) struct Args {
    #[command(flatten)]
    time: TimeArgs,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let stages = context.stages_that_stop(&project, args.time.limit(false))?;
    super::run::recorded(context, &project, "sync", |ledger, summary| {
        with_runtime(|runtime| {
            let sources = runtime.block_on(project.sources())?;
            stages.pipeline().sync(runtime, ledger, &sources, summary).map_err(Failure::from)?;
            Ok(())
        })
    })?
    .show(context)
}
