//! `gzette verify`: recounts everything from the mirror; repairs differences on request.

use super::CommandError;
use super::context::Context;
use super::observer::{Shown, differences};
use crate::flows::verify::VerifyReport;
use crate::shell::error::Exit;
use gzette_core::human;
use gzette_core::visible::terminal;

/// The arguments of `gzette verify`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Reads every mirrored object again and compares lines, counts, groups, checksums and the index.\n\
    Exit code 0: everything agrees. 3: something differs; each difference is named.\n\
    Example, every night from cron:\n  \
    15 3 * * *  gzette --config /etc/gzette/gzette.toml verify"
)]
pub(super) struct Args {
    /// Repair what differs: fetch lost files, recount objects, rebuild the index; then verify again
    #[arg(long)]
    repair: bool,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let (report, is_complete) = if args.repair {
        context.stages_that_stop(&project, None)?.repair()?
    } else {
        let _lock = context.lock_to_read(&project, "verify")?;
        (project.recount(&project.ledger_read_only()?, &Shown::new(&context.ui))?, true)
    };
    let exit = if report.ok && is_complete { Exit::Fine } else { Exit::Partly };
    // A reader who has seen enough does not make it right.
    match show(context, &report) {
        Ok(()) | Err(CommandError::BrokenPipe) => Ok(exit),
        Err(error) => Err(error),
    }
}

fn show(context: &Context, report: &VerifyReport) -> Result<(), CommandError> {
    if context.global.json {
        return Ok(context.ui.result_json(&report)?);
    }
    let verdict = if report.ok { "everything agrees" } else { "DIFFERENCES FOUND" };
    let pruned = match report.pruned.objects {
        0 => String::new(),
        number => format!(
            "; {} ({}) pruned from the mirror and not recounted",
            human::plural(number, "object"),
            human::bytes(report.pruned.bytes)
        ),
    };
    let outdated = match report.outdated {
        0 => String::new(),
        number => format!(
            "; {} grouped by earlier rules: only bytes were compared; the next run reads them again",
            human::plural(number, "object")
        ),
    };
    context.ui.result(&format!(
        "{verdict}: {}, {}, {} recounted; {} in the index{pruned}{outdated}",
        human::plural(report.objects, "object"),
        human::plural(report.lines.total, "line"),
        human::bytes(report.decoded_bytes),
        human::plural(report.documents, "block"),
    ))?;
    for difference in differences(report) {
        context.ui.result(&terminal(&difference))?;
    }
    Ok(())
}
