//! `gzette sync`: the mirror only.

use super::CommandError;
use super::context::Context;
use super::run::{TimeArgs, show};
use crate::shell::error::Exit;

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
    show(&stages.sync()?, context)
}
