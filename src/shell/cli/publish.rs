//! `gzette publish`: the dashboard to where people see it.

use super::CommandError;
use super::context::{Context, with_runtime};
use crate::shell::error::{Exit, Failure};

/// The arguments of `gzette publish`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Renders the site and sends the changed files to `[site] publish`: assets first, index.html last, then deletions."
)]
pub(super) struct Args {}

pub(super) fn run(_: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let stages = context.stages(&project)?;
    super::run::recorded(context, &project, "publish", |ledger, summary| {
        with_runtime(|runtime| {
            let target = runtime.block_on(project.publish_target())?.ok_or_else(|| {
                Failure::usage("there is no `publish` in `[site]`")
                    .hint("set it to s3://bucket/prefix/ or to a folder")
            })?;
            let rendered = stages.pipeline().report(ledger, None).map_err(Failure::from)?;
            summary.has_problems |= rendered.failure.is_some();
            stages.pipeline().publish(runtime, ledger, &target, &rendered, summary).map_err(Failure::from)?;
            Ok(())
        })
    })?
    .show(context)
}
