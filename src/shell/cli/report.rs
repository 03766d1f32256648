//! `gzette report`: renders the dashboard.

use super::CommandError;
use super::context::Context;
use crate::shell::error::{Exit, Failure};
use gzette_core::visible::terminal;

/// The arguments of `gzette report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Renders the site from the ledger into `[site] dir`. Writes only changed files.\n\
    The same ledger and the same --now give the same bytes.")]
pub(super) struct Args {}

pub(super) fn run(_: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let stages = context.stages(&project)?;
    let _lock = context.lock(&project.state, "report")?;
    let mut ledger = project.ledger()?;
    let rendered = stages.pipeline().report(&ledger, None).map_err(Failure::from)?;
    if project.config.site.publish.is_none() {
        stages.pipeline().note_folder(&mut ledger, &rendered).map_err(Failure::from)?;
    }
    if let Some(error) = rendered.failure {
        return Err(Failure::from(error).into());
    }
    let index = stages.settings.site_dir.join("index.html").display().to_string();
    if context.global.json {
        context.ui.result_json(&serde_json::json!({ "index": index }))?;
    } else {
        context.ui.result(&terminal(&index))?;
    }
    Ok(Exit::Fine)
}
