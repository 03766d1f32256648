//! `gzette group`: error groups, one file for each question.

mod explain;
mod id;
mod list;
mod rebuild;
mod show;

use super::CommandError;
use super::context::Context;
use crate::shell::error::Exit;

/// The arguments of `gzette group`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: GroupCommand,
}

#[derive(Debug, clap::Subcommand)]
enum GroupCommand {
    /// List error groups
    List(list::Args),
    /// Show everything about one group
    Show(show::Args),
    /// Read an event from stdin and explain which group it is in, and why
    Explain(explain::Args),
    /// Read one message per line from stdin and print the id of its group
    Id(id::Args),
    /// Apply changed rules to the past, as the next run would
    Rebuild(rebuild::Args),
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    match &args.command {
        GroupCommand::List(args) => list::run(args, context),
        GroupCommand::Show(args) => show::run(args, context),
        GroupCommand::Explain(args) => explain::run(args, context),
        GroupCommand::Id(args) => id::run(args, context),
        GroupCommand::Rebuild(args) => rebuild::run(args, context),
    }
}
