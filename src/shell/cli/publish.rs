//! `gzette publish`: the dashboard to where people see it.

use super::CommandError;
use super::context::Context;
use super::run::show;
use crate::shell::error::Exit;

/// The arguments of `gzette publish`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Renders the site and sends the changed files to `[site] publish`: assets first, index.html last, then deletions."
)]
pub(super) struct Args {}

pub(super) fn run(_: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let stages = context.stages(&project)?;
    show(&stages.publish()?, context)
}
