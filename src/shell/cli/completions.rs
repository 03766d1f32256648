//! `gzette completions`: a script for a shell.

use super::CommandError;
use super::context::Context;
use crate::shell::error::Exit;

/// The arguments of `gzette completions`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:  gzette completions bash > /etc/bash_completion.d/gzette")]
pub(super) struct Args {
    /// The shell
    shell: clap_complete::Shell,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "gzette", &mut script);
    context.ui.result_bytes(&script)?;
    Ok(Exit::Fine)
}
