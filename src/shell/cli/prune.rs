//! `gzette prune`: deletes expired data.

use super::CommandError;
use super::context::Context;
use super::observer::describe_prune;
use crate::flows::prune::PruneReport;
use crate::shell::error::Exit;

/// The arguments of `gzette prune`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "`[retention]` in the configuration sets how long mirrored files, index data and counts are kept. \
    `gzette run` prunes at its end.\n\
    To see what would be deleted:  gzette prune --dry-run"
)]
pub(super) struct Args {
    /// Only print what would be deleted
    #[arg(long)]
    dry_run: bool,
    /// Drop everything known of a source that is no longer configured: counts, index, mirrored files
    #[arg(long, value_name = "NAME", conflicts_with = "dry_run")]
    source: Option<String>,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    context.names_state(&project);
    let report = match &args.source {
        Some(name) => project.drop_source(&name.as_str().into(), context.now_ms())?,
        None => project.prune(context.now_ms(), args.dry_run)?,
    };
    show(args, context, &report)
}

fn show(args: &Args, context: &Context, report: &PruneReport) -> Result<Exit, CommandError> {
    if context.global.json {
        let mut json = serde_json::json!(report);
        json["dry_run"] = args.dry_run.into();
        context.ui.result_json(&json)?;
    } else {
        context.ui.result(&format!(
            "{}{}",
            if args.dry_run { "would be deleted: " } else { "" },
            describe_prune(report)
        ))?;
    }
    Ok(Exit::Fine)
}
