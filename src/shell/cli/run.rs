//! `gzette run`: the whole pipeline under one lock.

use std::time::{Duration, Instant};

use super::CommandError;
use super::context::Context;
use super::filter;
use crate::flows::run::{Summary, TimeLimit};
use crate::shell::error::Exit;
use crate::shell::project::Done;
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
    let project = context.project()?;
    let stages = context.stages_that_stop(&project, args.time.limit(true))?;
    show(&stages.run()?, context)
}

/// Tells the user what a run did; returns the exit code.
pub(super) fn show(done: &Done, context: &Context) -> Result<Exit, CommandError> {
    if context.global.json {
        context.ui.result_json(&done.summary)?;
    } else {
        done.summary.show(context);
    }
    Ok(done.exit)
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
