//! `gzette run`: the whole pipeline under one lock.

use std::time::{Duration, Instant};

use super::CommandError;
use super::context::{Context, Project, with_runtime};
use super::filter;
use super::rebuild::ONLY_THERE;
use crate::edges::ledger::Ledger;
use crate::flows::identity::{Lost, look_at_mirror};
use crate::flows::run::{Summary, TimeLimit};
use crate::shell::error::{Exit, Failure};
use gzette_core::human;

/// The arguments of `gzette run`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example, every ten minutes from cron:\n  \
    */10 * * * *  gzette --config /etc/gzette/gzette.toml run\n\
    It is safe to repeat and to kill. A second run at the same time names the first one and exits.")]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) time: TimeArgs,
}

/// How long a command may take.
#[derive(Debug, Default, clap::Args)]
pub(super) struct TimeArgs {
    /// End within this time: 90s, 8m, 1h. What was not fetched by then is named and left to the next run
    #[arg(long, value_name = "SPAN", value_parser = filter::parse_span)]
    deadline: Option<i64>,
}

impl TimeArgs {
    /// Returns the limit, counted from now.
    pub(super) fn limit(&self, is_whole_run: bool) -> Option<TimeLimit> {
        let span = Duration::from_millis(self.deadline?.unsigned_abs());
        Some(TimeLimit { begin: Instant::now(), span, is_whole_run })
    }
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let limit = args.time.limit(true);
    run_project(context, &context.project()?, limit)?.show(context)
}

/// Runs the pipeline of a project; `gzette demo` comes here too.
pub(super) fn run_project(
    context: &Context,
    project: &Project,
    limit: Option<TimeLimit>,
) -> Result<Done, CommandError> {
    let stages = context.stages_that_stop(project, limit)?;
    recorded(context, project, "run", |ledger, summary| {
        with_runtime(|runtime| {
            let sources = runtime.block_on(project.sources())?;
            let target = runtime.block_on(project.publish_target())?;
            let run = stages.pipeline().run(runtime, ledger, &sources, target.as_ref(), summary);
            Ok(run.map_err(Failure::from)?)
        })
    })
}

/// What a command did.
pub(super) struct Done {
    pub(super) exit: Exit,
    summary: Summary,
}

impl Done {
    /// Tells the user; returns the exit code.
    pub(super) fn show(&self, context: &Context) -> Result<Exit, CommandError> {
        if context.global.json {
            context.ui.result_json(&self.json())?;
        } else {
            self.summary.show(context);
        }
        Ok(self.exit)
    }

    /// Returns the summary as JSON.
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::json!(self.summary)
    }
}

/// Does some work under the lock and keeps its summary in the ledger.
pub(super) fn recorded(
    context: &Context,
    project: &Project,
    command: &str,
    work: impl FnOnce(&mut Ledger, &mut Summary) -> Result<(), CommandError>,
) -> Result<Done, CommandError> {
    let _lock = context.lock(&project.state, command)?;
    let begin = Instant::now();
    let is_ledger_lost = project.has_lost_ledger()?;
    let mut ledger = project.ledger()?;
    let row = ledger.start_run(command, context.now_ms())?;
    let lost = look_at_mirror(&project.state, &mut ledger)?;
    let has_problems = tell_of_losses(context, is_ledger_lost, &lost);
    let mut summary = Summary { has_problems, ..Summary::default() };
    let result = work(&mut ledger, &mut summary);
    summary.seconds = (begin.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
    let mut json = serde_json::json!(summary);
    if let Err(CommandError::Failure(failure)) = &result {
        json["error"] = failure.message.as_str().into();
        // The failure itself is what the user has to hear of, also when this one cannot be kept.
        let _ = ledger.finish_run(row, context.now_ms(), failure.exit as i32, &json.to_string());
    }
    result?;
    let exit = if summary.has_problems || summary.stopped { Exit::Partly } else { Exit::Fine };
    ledger.finish_run(row, context.now_ms(), exit as i32, &json.to_string())?;
    Ok(Done { exit, summary })
}

/// Says what of the state is lost; returns whether anything is.
fn tell_of_losses(context: &Context, is_ledger_lost: bool, lost: &Lost) -> bool {
    let ui = &context.ui;
    if is_ledger_lost {
        ui.warn(&format!(
            "the ledger is lost; a new one is built from the sources and the mirror. {ONLY_THERE}"
        ));
    }
    if let Some(folder) = &lost.folder {
        ui.warn(&format!(
            "the mirrored files in `{}` are gone; the counts stay. Mount the disk that holds them, or run \
             `gzette verify --repair`, which fetches them again",
            folder.display()
        ));
    }
    for (object, reason) in &lost.files {
        ui.warn(&format!("{}: {reason}; it is fetched again", object.key));
    }
    for (object, reason) in &lost.for_good {
        ui.warn(&format!("{}: {reason}, and the source no longer has it; its counts stay", object.key));
    }
    is_ledger_lost || *lost != Lost::default()
}

impl Summary {
    fn show(&self, context: &Context) {
        let Self { objects, requests, .. } = self;
        let what = format!(
            "{} listed, {} new, {} damaged; {}, {}, {}; {} list, {} get, {} put; {} in {:.1} s",
            human::plural(objects.listed, "object"),
            human::count(objects.new),
            human::count(objects.damaged),
            human::plural(self.lines.total, "line"),
            human::plural(self.errors, "error"),
            human::plural(self.groups_new, "new group"),
            human::count(requests.list),
            human::count(requests.get),
            human::count(requests.put),
            human::bytes(self.bytes),
            self.seconds,
        );
        context.ui.stage(if self.stopped { "stopped" } else { "done" }, &what);
    }
}
