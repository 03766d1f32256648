//! The programs of `benches/` that compare gzette with others and with itself, at sizes at which only answers count.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Outcome, files_below};

const GZETTE: &str = env!("CARGO_BIN_EXE_gzette");

/// Runs a program of `benches/` with these arguments.
fn bench(name: &str, args: &[&str]) -> Outcome {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches").join(name);
    Outcome::of(Command::new("python3").arg("-B").arg(script).args(args).output().unwrap())
}

/// Measures one round of two small corpora.
fn sweep(binary: &str, folder: &TempDir) -> (Outcome, PathBuf) {
    let (corpora, kept) = (folder.path().join("corpora"), folder.path().join("sweep.json"));
    let places = ["--folder", corpora.to_str().unwrap(), "--json", kept.to_str().unwrap()];
    let cells = ["--cells", "docker-plain-utf8,small-blobs-all", "--size", "1", "--rounds", "1"];
    (bench("sweep.py", &[&[binary], &places[..], &cells].concat()), kept)
}

/// Writes half a megabyte of a cell.
fn corpus(folder: &Path, cell: &str, more: &[&str]) -> BTreeMap<String, Vec<u8>> {
    let size = [folder.to_str().unwrap(), cell, "--size", "0.5", "--object-kb", "20"];
    bench("corpora.py", &[&size, more].concat()).exits(0);
    files_below(&folder.join("logs"))
}

#[test]
fn the_sweep_gets_the_answers_of_its_peers() {
    let folder = tempfile::tempdir().unwrap();
    let (outcome, kept) = sweep(GZETTE, &folder);
    let table = outcome.exits(0).text();
    let kept: BTreeMap<String, Value> = serde_json::from_slice(&fs::read(kept).unwrap()).unwrap();
    assert_eq!(kept.keys().collect::<Vec<_>>(), ["docker-plain-utf8", "small-blobs-all"]);
    for (cell, told) in kept {
        let figures = told["figures of new"].as_object().unwrap();
        for (figure, value) in figures {
            assert!(value.as_f64().unwrap() > 0.0, "{cell}: {figure}");
            assert!(table.contains(&format!("| {figure} |")), "{figure} is not in the table");
        }
        assert_eq!(figures.len(), 14, "{figures:?}");
    }
}

#[test]
fn the_sweep_stops_at_a_wrong_answer() {
    let folder = tempfile::tempdir().unwrap();
    let liar = folder.path().join("liar");
    let script =
        format!("#!/bin/sh\n'{GZETTE}' \"$@\" || exit $?\ncase \"$*\" in *absent*) echo found;; esac\n");
    fs::write(&liar, script).unwrap();
    fs::set_permissions(&liar, fs::Permissions::from_mode(0o755)).unwrap();
    let (outcome, _) = sweep(liar.to_str().unwrap(), &folder);
    let outcome = outcome.exits(1);
    assert!(
        outcome.stderr.contains("absent word") && outcome.stderr.contains("1 and 0 lines"),
        "{outcome:?}"
    );
}

#[test]
fn a_binary_does_in_turns_what_it_does_itself() {
    let folder = tempfile::tempdir().unwrap();
    corpus(folder.path(), "base", &[]);
    let table = bench("turns.py", &[GZETTE, GZETTE, folder.path().to_str().unwrap(), "1"]).exits(0).text();
    let rows: Vec<&str> = table.lines().filter(|line| line.ends_with("| same |")).collect();
    assert_eq!(rows.len(), 23, "{table}");
    assert!(!table.contains("DIFFERENT"), "{table}");
}

#[test]
fn a_recipe_gives_the_same_objects_each_time() {
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let [one, same, other] =
        [(&folders[0], "1"), (&folders[1], "1"), (&folders[2], "2")].map(|(folder, seed)| {
            corpus(folder.path(), "blobs-100", &["--wrap", "cri", "--ids", "ulid", "--seed", seed])
        });
    assert!(one.len() > 3, "{:?}", one.keys());
    assert!(one == same && one != other);
}

#[test]
fn many_small_objects_are_measured_and_their_answers_compared() {
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let size = ["--objects", "60", "--apps", "5", "--days", "2", "--rounds", "1"];
    let args = [&[GZETTE, "--keep", kept.to_str().unwrap()], &size[..]].concat();
    let table = bench("objects.py", &args).exits(0).text();
    assert!(table.contains("| 60 objects, 5 applications, 2 days |"), "{table}");
    assert_eq!(table.lines().filter(|line| line.matches('|').count() == 5).count(), 9, "{table}");
}
