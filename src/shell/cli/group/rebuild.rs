//! `gzette group rebuild`: the past by the present rules.

use crate::shell::cli::CommandError;
use crate::shell::cli::context::Context;
use crate::shell::cli::run::show;
use crate::shell::error::Exit;

/// The arguments of `gzette group rebuild`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Run it after a change of `[grouping]` or `[[group]]` to see the effect before the next run.\n\
    Only objects that the change affects are read again, from the mirror; for pruned objects, the samples decide.\n\
    Old ids lead to the new groups: on the site, in `group show` and in searches."
)]
pub(super) struct Args {
    /// Read everything again, even if no rule has changed
    #[arg(long)]
    all: bool,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let stages = context.stages_that_stop(&project, None)?;
    show(&stages.regroup(args.all)?, context)
}
