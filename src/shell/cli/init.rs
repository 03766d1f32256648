//! `gzette init`: a commented configuration to start from.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::CommandError;
use super::context::Context;
use crate::shell::config::{ConfigFile, FILE_NAME, TEMPLATE};
use crate::shell::error::{Exit, Failure};

/// The arguments of `gzette init`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Writes gzette.toml (or the file of --config); an existing file stays as it is.\n\
    Next: set `url` in it, then `gzette run`.")]
pub(super) struct Args {}

pub(super) fn run(_: &Args, context: &Context) -> Result<Exit, CommandError> {
    let path = context.global.config.as_deref().unwrap_or(Path::new(FILE_NAME));
    if let Some(dir) = path.parent() {
        // If this fails, writing the file fails too, and that error is reported.
        let _ = fs::create_dir_all(dir);
    }
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = file.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::usage(format!("`{}` exists already", path.display()))
            .hint("edit it, or name another file with --config"),
        _ => Failure::failed(format!("cannot write `{}`: {error}", path.display())),
    })?;
    file.write_all(TEMPLATE.as_bytes())?;
    context.uses(&ConfigFile::at(path), None);
    let run = context.ui.invocation().command(&["run"]);
    context.ui.stage("init", &format!("wrote {}; set `url` in it, then `{run}`", path.display()));
    Ok(Exit::Fine)
}
