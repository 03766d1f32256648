//! `gzette report`: renders the dashboard.

use super::CommandError;
use super::context::{Context, stop_flag};
use super::observer::Shown;
use crate::error::{Exit, Failure};
use crate::run::Pipeline;

/// The arguments of `gzette report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Renders the site from the ledger into `[site] dir`. Only files that changed are written.\n\
    The same ledger and the same --now give the same bytes.")]
pub(super) struct Args {}

pub(super) fn run(_: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let settings = project.run_settings()?;
    let _lock = context.lock(&project.state, "report")?;
    let ledger = project.ledger()?;
    let (shown, stop) = (Shown::new(&context.ui), stop_flag());
    let pipeline = Pipeline {
        state: &project.state,
        settings: &settings,
        now_ms: context.now_ms(),
        stop: &stop,
        observer: &shown,
    };
    pipeline.report(&ledger).map_err(Failure::from)?;
    context.ui.result(&settings.site_dir.join("index.html").display().to_string())?;
    Ok(Exit::Fine)
}
