//! `gzette group`: which error group a message belongs to.

use std::io::{self, BufRead};

use super::CommandError;
use super::context::Context;
use crate::error::Exit;
use crate::group::{group, template};

/// The arguments of `gzette group`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: GroupCommand,
}

#[derive(Debug, clap::Subcommand)]
enum GroupCommand {
    /// Read one message a line from stdin and print the id of each one's group
    #[command(after_help = "Example:  echo 'order 4711 not found' | gzette group id\n\
        The id is a function of the message alone: the same on every machine and in every order.")]
    Id {
        /// Print the template instead: the message with what varies masked
        #[arg(long)]
        template: bool,
    },
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let GroupCommand::Id { template: as_template } = args.command;
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Ok(Exit::Fine);
        }
        let message = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line));
        let answer = if as_template { template(&message) } else { group(&message, None).id.to_string() };
        context.ui.result(&crate::ui::visible(answer.as_bytes()))?;
    }
}
