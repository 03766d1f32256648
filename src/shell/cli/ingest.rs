//! `gzette ingest`: counts mirrored objects that are not counted yet.

use super::CommandError;
use super::context::Context;
use super::run::show;
use crate::shell::error::Exit;

/// The arguments of `gzette ingest`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Counts, groups and indexes mirrored objects that are not counted yet, and repairs what a crash left."
)]
pub(super) struct Args {}

pub(super) fn run(_: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let stages = context.stages_that_stop(&project, None)?;
    show(&stages.ingest()?, context)
}
