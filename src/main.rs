//! Parses the command line, runs the command, returns its exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(gzette::cli::main(std::env::args_os()) as u8)
}
