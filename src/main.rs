//! Parses the command line, runs it, returns its exit code.

fn main() {}
