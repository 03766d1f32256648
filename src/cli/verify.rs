//! `gzette verify`: recounts everything from the mirror.

use super::CommandError;
use super::context::Context;
use crate::error::Exit;
use crate::human;
use crate::ui;
use crate::verify::{VerifyReport, verify};

/// The arguments of `gzette verify`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Reads every mirrored object again and compares lines, counts, groups, checksums and the index.\n\
    Exit code 0: all agrees. 3: something differs, and each difference is named.\n\
    Example, every night from cron:\n  \
    15 3 * * *  gzette --config /etc/gzette/gzette.toml verify"
)]
pub(super) struct Args {}

pub(super) fn run(_: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let _lock = context.lock(&project.state, "verify")?;
    let ledger = project.ledger_read_only()?;
    let index = project.index();
    let bar = context.ui.progress("verify");
    let report =
        verify(&ledger, index.as_ref(), &project.mirror(), &project.ingest_settings(), &|done, all| {
            bar.set_message(format!("{} of {}", human::count(done), human::plural(all, "object")));
        })?;
    bar.finish_and_clear();
    // A reader who has seen enough does not make it right.
    match show(context, &report) {
        Ok(()) | Err(CommandError::BrokenPipe) => Ok(if report.ok { Exit::Fine } else { Exit::Partly }),
        Err(error) => Err(error),
    }
}

fn show(context: &Context, report: &VerifyReport) -> Result<(), CommandError> {
    if context.global.json {
        return Ok(context.ui.result(&serde_json::json!(report).to_string())?);
    }
    let verdict = if report.ok { "all agrees" } else { "NOT ALL AGREES" };
    context.ui.result(&format!(
        "{verdict}: {}, {}, {} recounted; {} in the index",
        human::plural(report.objects, "object"),
        human::plural(report.lines.total, "line"),
        human::bytes(report.decoded_bytes),
        human::plural(report.documents, "block"),
    ))?;
    for difference in &report.differences {
        let text = format!(
            "{}: {}: the ledger says {}, found {}",
            difference.place, difference.what, difference.ledger, difference.found
        );
        context.ui.result(&ui::visible(text.as_bytes()))?;
    }
    Ok(())
}
