//! `gzette verify`: recounts everything from the mirror; repairs differences on request.

use super::CommandError;
use super::context::Context;
use super::rebuild::rebuild;
use crate::edges::ledger::Ledger;
use crate::flows::error::StateError;
use crate::flows::identity::{Identity, Part, claim_mirror, settle};
use crate::flows::ingest::own_index;
use crate::flows::run::Summary;
use crate::flows::verify::{VerifyReport, repair, verify};
use crate::shell::error::{Exit, Failure};
use crate::shell::project::Project;
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
    let _lock = context.lock_for(&project, "verify", args.repair)?;
    let (report, is_complete) = if args.repair {
        repaired(context, &project)?
    } else {
        (recount(context, &project, &project.ledger_read_only()?)?, true)
    };
    let exit = if report.ok && is_complete { Exit::Fine } else { Exit::Partly };
    // A reader who has seen enough does not make it right.
    match show(context, &report) {
        Ok(()) | Err(CommandError::BrokenPipe) => Ok(exit),
        Err(error) => Err(error),
    }
}

fn recount(context: &Context, project: &Project, ledger: &Ledger) -> Result<VerifyReport, StateError> {
    let index = own_index(ledger, &project.state.index())?;
    let bar = context.ui.progress("verify");
    let report =
        verify(ledger, index.as_ref(), &project.mirror(), &project.ingest_settings(), &|done, all| {
            bar.set_message(format!("{} of {}", human::count(done), human::plural(all, "object")));
        })?;
    bar.finish_and_clear();
    Ok(report)
}

/// Repairs what it can; returns the result of a new recount, and whether nothing was left out.
fn repaired(context: &Context, project: &Project) -> Result<(VerifyReport, bool), CommandError> {
    let (mut report, mut is_complete) = match examined(context, project)? {
        Examined::Counted(report) => (report, true),
        Examined::Unusable(why) => {
            let is_complete = rebuild(context, project, &why)?;
            (recount(context, project, &project.any_ledger()?)?, is_complete)
        }
    };
    if !report.ok {
        for difference in texts(&report) {
            context.ui.warn(&difference);
        }
        report = made_good(context, project, report)?;
    }
    is_complete &= report.ok;
    let mut ledger = project.any_ledger()?;
    if report.ok {
        // Whatever it was before, it holds what the ledger says.
        claim_mirror(&ledger, &project.mirror())?;
    }
    settle(&project.state, &mut ledger)?;
    Ok((report, is_complete))
}

/// What a ledger is worth.
enum Examined {
    Counted(VerifyReport),
    /// It has to be rebuilt: why.
    Unusable(String),
}

fn examined(context: &Context, project: &Project) -> Result<Examined, CommandError> {
    if project.has_lost_ledger()? {
        let path = project.state.ledger();
        return Ok(Examined::Unusable(format!("the ledger `{}` is missing or empty", path.display())));
    }
    let recounted = if project.state.ledger().exists() {
        Ledger::open_read_only(&project.state.ledger()).map_err(StateError::from).and_then(|ledger| {
            match Identity::read(&project.state, Some(&ledger)) {
                Ok(identity) if identity.odd() == Some(Part::Ledger) => Ok(None),
                Err(StateError::Ledger(error)) => Err(error.into()),
                _ => recount(context, project, &ledger).map(Some),
            }
        })
    } else {
        Ok(Some(recount(context, project, &project.ledger_read_only()?)?))
    };
    match recounted {
        Ok(Some(report)) => Ok(Examined::Counted(report)),
        Ok(None) => Ok(Examined::Unusable("the ledger belongs to another state".to_owned())),
        Err(StateError::Ledger(error)) if error.is_about_content() => {
            Ok(Examined::Unusable(error.in_file(&project.state.ledger()).to_string()))
        }
        Err(error) => Err(error.into()),
    }
}

/// Repairs the differences and verifies again. Twice, because a fetched file may show that other bytes were counted.
fn made_good(
    context: &Context,
    project: &Project,
    mut report: VerifyReport,
) -> Result<VerifyReport, CommandError> {
    let stages = context.stages_that_stop(project, None)?;
    let mut ledger = project.any_ledger()?;
    let (mut summary, mut unreadable) = (Summary::default(), 0);
    for _ in 0..2 {
        if repair(&mut ledger, &report.differences, &project.state.index())? || unreadable > 0 {
            stages.fetch(&mut ledger, &mut summary)?;
        }
        let ingested = stages.pipeline().ingest(&mut ledger, &mut summary).map_err(Failure::from)?;
        unreadable = ingested.unreadable.len();
        report = recount(context, project, &ledger)?;
        if report.ok && unreadable == 0 {
            break;
        }
    }
    Ok(report)
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
            "; {} grouped by earlier rules: only bytes and lines were compared; the next run reads them again",
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
    for difference in texts(report) {
        context.ui.result(&terminal(&difference))?;
    }
    Ok(())
}

fn texts(report: &VerifyReport) -> impl Iterator<Item = String> {
    report.differences.iter().map(|difference| {
        format!(
            "{}: {}: the ledger says {}, found {}",
            difference.place, difference.what, difference.ledger, difference.found
        )
    })
}
