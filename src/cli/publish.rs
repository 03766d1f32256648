//! `gzette publish`: the dashboard to where people see it.

use super::CommandError;
use super::context::{Context, runtime, stop_flag};
use super::observer::Shown;
use crate::error::{Exit, Failure};
use crate::run::Pipeline;

/// The arguments of `gzette publish`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Renders the site and puts the files that changed to `[site] publish`: assets first, index.html last, deletions at the end.")]
pub(super) struct Args {}

pub(super) fn run(_: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let settings = project.run_settings()?;
    let _lock = context.lock(&project.state, "publish")?;
    let mut ledger = project.ledger()?;
    let runtime = runtime()?;
    let target = runtime.block_on(project.publish_target())?.ok_or_else(|| {
        Failure::usage("there is no `publish` in `[site]`").hint("set it to s3://bucket/prefix/ or to a folder")
    })?;
    let (shown, stop) = (Shown::new(&context.ui), stop_flag());
    let pipeline = Pipeline {
        state: &project.state,
        settings: &settings,
        now_ms: context.now_ms(),
        stop: &stop,
        observer: &shown,
    };
    let (_, files) = pipeline.report(&ledger).map_err(Failure::from)?;
    match pipeline.publish(&runtime, &mut ledger, &target, &files) {
        Ok(()) => Ok(Exit::Fine),
        Err(error) => Err(Failure::from(error).into()),
    }
}
