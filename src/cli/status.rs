//! `gzette status`: what was read, and how complete it is.

use super::CommandError;
use super::context::Context;
use super::filter::show_time;
use crate::error::Exit;
use crate::index::Index;
use crate::ui;

/// The arguments of `gzette status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example, for a monitor:  gzette status --json")]
pub(super) struct Args {}

pub(super) fn run(_: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let ledger = project.ledger_read_only()?;
    let objects = ledger.object_totals()?;
    let lines = ledger.line_totals()?;
    let newest_event = ledger.newest_event_ms()?.map(show_time);
    let last_run = ledger.last_run()?;
    let batch = ledger.last_batch()?;
    let index_batch = project.index().as_ref().and_then(Index::payload).map(|payload| payload.batch);
    let requests = |kind| ledger.summed_over_runs(&format!("/requests/{kind}"));
    let (list, get, put) = (requests("list")?, requests("get")?, requests("put")?);
    if context.global.json {
        let last_run = last_run.map(|run| {
            serde_json::json!({
                "command": run.command,
                "started": show_time(run.started_ms),
                "finished": run.finished_ms.map(show_time),
                "exit_code": run.exit_code,
                "summary": serde_json::from_str::<serde_json::Value>(&run.summary).unwrap_or_default(),
            })
        });
        let status = serde_json::json!({
            "objects": objects,
            "lines": lines,
            "newest_event": newest_event,
            "last_run": last_run,
            "batch": batch,
            "index_batch": index_batch,
            "requests": { "list": list, "get": get, "put": put },
        });
        context.ui.result(&status.to_string())?;
        return Ok(Exit::Fine);
    }
    let ui = &context.ui;
    let line = |name: &str, what: String| ui.result(&format!("{name:<14}{what}"));
    line(
        "objects",
        format!(
            "{} listed, {} mirrored, {} damaged, {} missing, {} denied, {} duplicate",
            ui::count(objects.listed),
            ui::count(objects.mirrored),
            ui::count(objects.damaged),
            ui::count(objects.missing),
            ui::count(objects.denied),
            ui::count(objects.duplicate)
        ),
    )?;
    line(
        "lines",
        format!(
            "{} = {} events + {} continuation + {} unparsed",
            ui::count(lines.total),
            ui::count(lines.events),
            ui::count(lines.continuation),
            ui::count(lines.unparsed)
        ),
    )?;
    line("newest event", newest_event.unwrap_or_else(|| "none".to_owned()))?;
    let last = last_run.map_or("never".to_owned(), |run| {
        let end = run.exit_code.map_or("not finished".to_owned(), |code| format!("exit code {code}"));
        format!("{} ({}), {end}", show_time(run.started_ms), run.command)
    });
    line("last run", last)?;
    let index = index_batch.map_or("none".to_owned(), |index_batch| index_batch.to_string());
    line("batch", format!("{batch} in the ledger, {index} in the index"))?;
    line("requests", format!("{} list, {} get, {} put", ui::count(list), ui::count(get), ui::count(put)))?;
    Ok(Exit::Fine)
}
