//! The ledger's file: damage in it is an error that says what to do, never another answer.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use gzette_core::model::HOUR_MS;

use crate::support::{NOON_MS, Outcome, Project, day_of, text_of};

/// What reads the ledger.
const READERS: [&str; 6] =
    ["count --by app,level,hour", "status", "search order", "group list", "report", "run"];

/// How many places of each file are tried.
const PLACES: usize = 60;

#[test]
fn a_file_that_is_not_a_database_is_named_with_what_rebuilds_it() {
    let project = project();
    let path = project.path("state/ledger.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    bytes[..100].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    for command in READERS {
        says_damaged(&project.gzette(command), command);
    }
}

#[test]
fn a_changed_byte_anywhere_in_the_ledger_is_an_error_or_changes_nothing() {
    let project = project();
    let errors = flips(&project, &["state/ledger.sqlite"]);
    assert!(errors > PLACES, "only {errors} commands noticed");
}

#[test]
fn a_changed_byte_in_what_a_killed_run_left_is_an_error_or_changes_nothing() {
    let project = project();
    leave_log(&project);
    let errors = flips(&project, &["state/ledger.sqlite-wal", "state/ledger.sqlite"]);
    assert!(errors > PLACES, "only {errors} commands noticed");
}

#[test]
fn a_cut_ledger_is_an_error() {
    let project = project();
    let path = project.path("state/ledger.sqlite");
    let whole = fs::read(&path).unwrap();
    for cut in [4096, 5000, whole.len() / 2] {
        for command in READERS {
            fs::write(&path, &whole[..whole.len() - cut]).unwrap();
            says_damaged(&project.gzette(command), &format!("{command} without the last {cut} bytes"));
        }
    }
}

/// Returns a project with two applications' objects, run once.
fn project() -> Project {
    let project = Project::new();
    for (app, hours) in [("api", 2), ("jobs", 5)] {
        let start_ms = NOON_MS - hours * HOUR_MS;
        project.put(&format!("{app}/{}/{app}.gz", day_of(start_ms)), text_of(app, start_ms, 40));
    }
    project.gzette("run").exits(0);
    project
}

/// Has another run take in one more object, and keeps its log as a killed run leaves it, with all that it committed.
pub(crate) fn leave_log(project: &Project) {
    let start_ms = NOON_MS - 3 * HOUR_MS;
    project.put(&format!("web/{}/web.gz", day_of(start_ms)), text_of("web", start_ms, 40));
    // While another connection is open, the run does not remove the log at its end.
    let other = gzette::edges::ledger::connect(&project.path("state/ledger.sqlite")).unwrap();
    let count = |sql: &str| other.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    count("SELECT count(*) FROM generation");
    project.gzette("run").exits(0);
    let names = ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"];
    let kept: Vec<_> = names.iter().map(|name| fs::read(project.path("state").join(name)).unwrap()).collect();
    drop(other);
    for (name, bytes) in names.iter().zip(kept) {
        fs::write(project.path("state").join(name), bytes).unwrap();
    }
    assert!(fs::metadata(project.path("state/ledger.sqlite-wal")).unwrap().len() > 20_000);
}

/// Changes one byte after the other at places spread over the first of the files, and requires of every command the
/// answer that it gives without, or the error. Returns how many gave the error.
fn flips(project: &Project, files: &[&str]) -> usize {
    let start = project.path("start");
    copy(&project.path("state"), &start);
    let rightly: Vec<_> = READERS.iter().map(|command| answer(project, &start, command)).collect();
    let size = fs::metadata(start.join(Path::new(files[0]).file_name().unwrap())).unwrap().len() as usize;
    let mut errors = 0;
    for place in 0..PLACES {
        let seed = blake3::hash(&place.to_le_bytes());
        let random = u64::from_le_bytes(*seed.as_bytes().first_chunk().unwrap()) as usize;
        // The headers, and one place of each part of the rest.
        let at = match place {
            0..20 => [0, 16, 17, 18, 20, 24, 28, 31, 33, 36, 40, 44, 48, 52, 56, 60, 63, 68, 92, 99][place],
            _ => (place - 20) * size / (PLACES - 20) + random % (size / (PLACES - 20)),
        };
        for (command, right) in READERS.iter().zip(&rightly) {
            copy(&start, &project.path("state"));
            flip(&project.path(files[0]), at, 1 << (random % 8));
            let outcome = project.gzette(command);
            if outcome.code() == Some(1) {
                says_damaged(&outcome, &format!("byte {at}: {command}"));
                errors += 1;
            } else {
                let found = (outcome.code(), shown(command, &outcome));
                assert!(found == *right, "byte {at} of {size}: {command}: {found:?}, not {right:?}");
            }
        }
    }
    errors
}

/// Returns what a command says of the state in `start`.
fn answer(project: &Project, start: &Path, command: &str) -> (Option<i32>, String) {
    copy(start, &project.path("state"));
    let outcome = project.gzette(command).exits(0);
    (outcome.code(), shown(command, &outcome))
}

/// Returns what a command printed, without what depends on how long it took.
fn shown(command: &str, outcome: &Outcome) -> String {
    match command {
        "run" | "report" => String::new(),
        _ => outcome.text(),
    }
}

fn says_damaged(outcome: &Outcome, what: &str) {
    let stderr = &outcome.stderr;
    assert_eq!(outcome.code(), Some(1), "{what}: {}{stderr}", outcome.text());
    assert!(stderr.contains("the ledger `") && stderr.contains("ledger.sqlite"), "{what}: {stderr}");
    assert!(stderr.contains("is damaged"), "{what}: {stderr}");
    assert!(stderr.contains("verify --repair` rebuilds it"), "{what}: {stderr}");
}

fn flip(path: &Path, at: usize, bit: u8) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= bit;
    fs::write(path, bytes).unwrap();
}

/// Puts a copy of a folder in the place of another.
fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    let done = Command::new("cp").arg("-a").args([from, to]).stdin(Stdio::null()).status().unwrap();
    assert!(done.success());
}
