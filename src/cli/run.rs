//! `gzette run`: the whole pipeline under one lock.

use std::time::Instant;

use super::CommandError;
use super::context::{Context, Project, runtime, stop_flag};
use super::observer::Shown;
use crate::clock;
use crate::error::{Exit, Failure};
use crate::run::{Pipeline, Summary};
use crate::ui;

/// The arguments of `gzette run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example, every ten minutes from cron:\n  \
    */10 * * * *  gzette --config /etc/gzette/gzette.toml run\n\
    It is safe to repeat and safe to kill. A second run at the same time says who is at work and leaves.")]
pub(super) struct Args {}

pub(super) fn run(_: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    run_project(context, &project)
}

/// Runs the pipeline of a project; `gzette demo` comes here too.
pub(super) fn run_project(context: &Context, project: &Project) -> Result<Exit, CommandError> {
    let settings = project.run_settings()?;
    recorded(context, project, "run", |pipeline_parts| {
        let runtime = runtime()?;
        let sources = runtime.block_on(project.sources())?;
        let target = runtime.block_on(project.publish_target())?;
        let shown = Shown::new(&context.ui);
        let stop = stop_flag();
        let pipeline = Pipeline {
            state: &project.state,
            settings: &settings,
            now_ms: context.now_ms(),
            stop: &stop,
            observer: &shown,
        };
        Ok(pipeline.run(&runtime, pipeline_parts, &sources, target.as_ref()).map_err(Failure::from)?)
    })
}

/// Does some work under the lock, keeps its summary in the ledger and shows it.
pub(super) fn recorded(
    context: &Context,
    project: &Project,
    command: &str,
    work: impl FnOnce(&mut crate::ledger::Ledger) -> Result<Summary, CommandError>,
) -> Result<Exit, CommandError> {
    let _lock = context.lock(&project.state, command)?;
    let begin = Instant::now();
    let mut ledger = project.ledger()?;
    let row = ledger.start_run(command, context.now_ms())?;
    let finished_ms = || clock::now_ms(context.global.now);
    match work(&mut ledger) {
        Ok(mut summary) => {
            summary.seconds = (begin.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
            let exit = if summary.has_problems { Exit::Partly } else { Exit::Fine };
            let json = serde_json::json!(summary);
            ledger.finish_run(row, finished_ms(), exit as i32, &json.to_string())?;
            show(context, &summary, &json)?;
            Ok(exit)
        }
        Err(error) => {
            if let CommandError::Failure(failure) = &error {
                let json = serde_json::json!({ "error": failure.message });
                // The failure itself is what the user has to hear of.
                let _ = ledger.finish_run(row, finished_ms(), failure.exit as i32, &json.to_string());
            }
            Err(error)
        }
    }
}

fn show(context: &Context, summary: &Summary, json: &serde_json::Value) -> Result<(), CommandError> {
    if context.global.json {
        return Ok(context.ui.result(&json.to_string())?);
    }
    let Summary { objects, requests, .. } = summary;
    let what = format!(
        "{} listed, {} new, {} damaged; {}, {}, {}; {} list, {} get, {} put; {} in {:.1} s",
        ui::things(objects.listed, "object"),
        ui::count(objects.new),
        ui::count(objects.damaged),
        ui::things(summary.lines.total, "line"),
        ui::things(summary.errors, "error"),
        ui::things(summary.groups_new, "new group"),
        ui::count(requests.list),
        ui::count(requests.get),
        ui::count(requests.put),
        ui::bytes(summary.bytes),
        summary.seconds,
    );
    context.ui.stage(if summary.stopped { "stopped" } else { "done" }, &what);
    Ok(())
}
