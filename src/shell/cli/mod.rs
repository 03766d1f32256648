//! The command line: one file per command, each with its `Args` and `run`.

mod completions;
mod context;
mod count;
mod demo;
mod digest;
mod filter;
mod group;
mod ingest;
mod init;
mod mails;
mod observer;
mod prune;
mod publish;
mod remote;
mod report;
mod run;
mod scanning;
mod search;
mod show;
mod status;
mod sync;
mod verify;

use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

use clap::{CommandFactory, Parser, Subcommand};

use crate::shell::error::{Exit, Failure};
use crate::shell::ui::{OutputError, Ui, Verbosity};
use context::Context;
use gzette_core::model::UtcMs;

/// Turns logs in S3 into a dashboard, a mail of what changed and an offline search.
#[derive(Debug, Parser)]
#[command(name = "gzette", version, max_term_width = 100, arg_required_else_help = true)]
#[command(after_help = "Try it without an account or a configuration:  gzette demo\n\
    Exit codes: 0 success, 1 failure, 2 wrong usage or configuration, 3 finished, but something was damaged, \
    denied or missing.")]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// What every command understands.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Global options")]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
struct Global {
    /// The configuration file [default: `GZETTE_CONFIG`, or the first of ./gzette.toml, ~/.config/gzette/gzette.toml,
    /// /etc/gzette/gzette.toml]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The state directory; overrides the configuration
    #[arg(long, global = true, value_name = "DIR")]
    state: Option<PathBuf>,
    /// Print the result as JSON, where the command supports it
    #[arg(long, global = true)]
    json: bool,
    /// Print only results, warnings and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// Print every problem noticed
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Use no colours, as with `NO_COLOR` set
    #[arg(long, global = true)]
    no_color: bool,
    /// Use this as the present time: 2026-01-31T12:00:00Z
    #[arg(long, global = true, value_name = "TIME", value_parser = filter::parse_time)]
    now: Option<UtcMs>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write a commented gzette.toml
    Init(init::Args),
    /// Run all stages: sync, ingest, report, publish, digest, prune
    Run(run::Args),
    /// Mirror new objects
    Sync(sync::Args),
    /// Count and index mirrored objects that are not counted yet
    Ingest(ingest::Args),
    /// Render the dashboard
    Report(report::Args),
    /// Render the dashboard and publish it to `[site] publish`
    Publish(publish::Args),
    /// Mail what changed
    Digest(digest::Args),
    /// Find lines, offline
    Search(search::Args),
    /// Show a line of an object with its event and the lines around it
    Show(show::Args),
    /// Count events
    Count(count::Args),
    /// List, show and explain error groups
    Group(group::Args),
    /// Show what was read and how complete it is
    Status(status::Args),
    /// Recount everything from the mirror and compare
    Verify(verify::Args),
    /// Delete what retention has expired
    Prune(prune::Args),
    /// Create a week of sample logs and run the pipeline on them
    Demo(demo::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
}

/// Runs a command line; returns its exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> Exit {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    let verbosity = match (cli.global.quiet, cli.global.verbose) {
        (true, _) => Verbosity::Quiet,
        (_, true) => Verbosity::Verbose,
        _ => Verbosity::Normal,
    };
    let ui = Ui::new(verbosity, cli.global.no_color || crate::shell::config::no_colour());
    let context = Context::new(cli.global, ui);
    let result =
        dispatch(cli.command, &context).and_then(|exit| match context.ui.flush().map_err(Into::into) {
            // A reader that left before the last results still gets the exit code.
            Ok(()) | Err(CommandError::BrokenPipe) => Ok(exit),
            Err(error) => Err(error),
        });
    match result {
        Ok(exit) => exit,
        Err(CommandError::BrokenPipe) => Exit::Fine,
        Err(CommandError::Failure(failure)) => {
            // What was found before the failure comes first, as it happened.
            let _ = context.ui.flush();
            let failure = context.named(failure);
            context.ui.failure(&failure);
            failure.exit
        }
    }
}

/// Prints clap's message: help, version, or the mistake in the command line.
fn explain(error: &clap::Error) -> Exit {
    let ui = Ui::new(Verbosity::Normal, crate::shell::config::no_colour());
    let text = error.render();
    if error.use_stderr() {
        ui.complain(&text.to_string(), &text.ansi().to_string());
        return Exit::Usage;
    }
    // Help into a closed pipe is quiet.
    let _ = ui.help(&text.to_string(), &text.ansi().to_string());
    Exit::Fine
}

fn dispatch(command: Command, context: &Context) -> Result<Exit, CommandError> {
    match command {
        Command::Init(args) => init::run(&args, context),
        Command::Run(args) => run::run(&args, context),
        Command::Sync(args) => sync::run(&args, context),
        Command::Ingest(args) => ingest::run(&args, context),
        Command::Report(args) => report::run(&args, context),
        Command::Publish(args) => publish::run(&args, context),
        Command::Digest(args) => digest::run(&args, context),
        Command::Search(args) => search::run(&args, context),
        Command::Show(args) => show::run(&args, context),
        Command::Count(args) => count::run(&args, context),
        Command::Group(args) => group::run(&args, context),
        Command::Status(args) => status::run(&args, context),
        Command::Verify(args) => verify::run(&args, context),
        Command::Prune(args) => prune::run(&args, context),
        Command::Demo(args) => demo::run(&args, context),
        Command::Completions(args) => completions::run(&args, context),
    }
}

/// Returns the command line's definition, for completions and documentation.
pub fn command() -> clap::Command {
    Cli::command()
}

/// What ends a command early.
enum CommandError {
    /// The reader of the results has closed the pipe; this is not an error.
    BrokenPipe,
    /// It failed.
    Failure(Failure),
}

impl<E: Into<Failure>> From<E> for CommandError {
    fn from(error: E) -> Self {
        Self::Failure(error.into())
    }
}

impl From<OutputError> for CommandError {
    fn from(error: OutputError) -> Self {
        match error.0.kind() {
            io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Self::Failure(Failure::failed(error)),
        }
    }
}
