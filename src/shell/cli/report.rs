//! `gzette report`: renders the dashboard.

use super::CommandError;
use super::context::Context;
use crate::shell::error::Exit;
use gzette_core::visible::terminal;

/// The arguments of `gzette report`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Renders the site from the ledger into `[site] dir`. Writes only changed files.\n\
    The same ledger and the same --now give the same bytes.")]
pub(super) struct Args {}

pub(super) fn run(_: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let stages = context.stages(&project)?;
    stages.report()?;
    let index = project.config.site.dir.join("index.html").display().to_string();
    if context.global.json {
        context.ui.result_json(&serde_json::json!({ "index": index }))?;
    } else {
        context.ui.result(&terminal(&index))?;
    }
    Ok(Exit::Fine)
}
