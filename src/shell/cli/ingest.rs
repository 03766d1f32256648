//! `gzette ingest`: counts mirrored objects that are not counted yet.

use super::CommandError;
use super::context::Context;
use crate::shell::error::{Exit, Failure};

/// The arguments of `gzette ingest`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Counts, groups and indexes mirrored objects that are not counted yet, and repairs what a crash left."
)]
pub(super) struct Args {}

pub(super) fn run(_: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let stages = context.stages_that_stop(&project, None)?;
    super::run::recorded(context, &project, "ingest", |ledger, summary| {
        stages.pipeline().ingest(ledger, summary).map_err(Failure::from)?;
        Ok(())
    })?
    .show(context)
}
