//! The ledger's file: damage in it is an error that says what to do, never another answer.

use std::fs;

use crate::support::Project;

/// What reads the ledger.
const READERS: [&str; 6] = ["count", "status", "search order", "group list", "report", "run"];

#[test]
fn a_file_that_is_not_a_database_is_named_with_what_rebuilds_it() {
    let project = Project::new();
    project.put_week();
    project.gzette("run").exits(0);
    let path = project.path("state/ledger.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    bytes[..100].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    for command in READERS {
        project
            .gzette(command)
            .exits(1)
            .says(&["the ledger", "ledger.sqlite` is damaged"], "`gzette verify --repair` rebuilds it");
    }
}
