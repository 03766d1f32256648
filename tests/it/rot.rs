//! Rot in the state directory: files that are lost, cut, emptied, changed, or those of another state. No command gives a
//! wrong answer with exit code 0, no right count is replaced by a wrong one, and while the source is whole, one
//! `gzette run` or `gzette verify --repair` makes the state whole again.

use std::fs;
use std::path::PathBuf;

use gzette::model::{HOUR_MS, MINUTE_MS};

use crate::support::{NOON_MS, Project, event, files_below, gz, text_of};

/// Parts of lines that the objects have.
const NEEDLES: [&str; 4] = ["thing 3", "Basket.java:4)", "out of memory", "precious"];

/// A project of four objects that was run once; one is not compressed.
fn project() -> Project {
    let mut project = Project::new();
    project.put("api/20260301/api_0.gz", text_of("api", NOON_MS - 6 * HOUR_MS, 40));
    project.put("api/20260301/precious_0.gz", precious());
    project.put("web/20260228/web_0.gz", text_of("web", NOON_MS - 20 * HOUR_MS, 40));
    project.put_stored("web/20260301/plain_0.log", text_of("web", NOON_MS - 5 * HOUR_MS, 30).as_bytes());
    project.gzette("run").exits(0);
    project.now_ms += 10 * MINUTE_MS;
    project
}

fn precious() -> String {
    (0..200).map(|number| event(NOON_MS - HOUR_MS, "ERROR", &format!("precious {number}"))).collect()
}

/// Returns the mirrored file of a key that holds this.
fn mirrored(project: &Project, part: &str) -> PathBuf {
    let dir = project.path("state/mirror");
    let names = files_below(&dir);
    let name = names.keys().find(|name| name.contains(part)).unwrap();
    dir.join(name)
}

/// Ways in which one file rots, each with its name.
type Damage = (&'static str, fn(&[u8]) -> Vec<u8>);

const DAMAGES: [Damage; 4] = [
    ("cut", |bytes| bytes[..bytes.len() / 2].to_vec()),
    ("emptied", |_| Vec::new()),
    ("of other bytes", |bytes| {
        // Whole gzip, and as long as the file was: only its checksum tells.
        let mut other = gz(text_of("evil", NOON_MS - 2 * HOUR_MS, 3).as_bytes());
        other.resize(bytes.len(), 0);
        other
    }),
    ("changed", |bytes| {
        let mut bytes = bytes.to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x20;
        bytes
    }),
];

fn damage(project: &Project, part: &str, (_, change): Damage) {
    let path = mirrored(project, part);
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, change(&bytes)).unwrap();
}

#[test]
fn verify_names_other_bytes_and_its_repair_fetches_them() {
    for rot in DAMAGES {
        for part in ["precious", "plain"] {
            let project = project();
            let before = project.gzette("status --json").json()["lines"].clone();
            damage(&project, part, rot);
            let verify = project.gzette("verify").exits(3);
            assert!(verify.text().contains("mirrored file"), "{}: {}", rot.0, verify.text());
            project.gzette("verify --repair").exits(0);
            assert_eq!(project.gzette("status --json").json()["lines"], before, "{}", rot.0);
            is_whole(&project);
        }
    }
}

#[test]
fn a_recount_leaves_the_counts_of_what_rotted_and_the_next_run_fetches_it() {
    for rot in DAMAGES {
        let mut project = project();
        damage(&project, "precious", rot);
        project.reconfigure("[site]", "[grouping]\nmask = ['precious [0-9]+']\n\n[site]");
        let run = project.gzette("run").exits(3);
        assert!(run.stderr.contains("precious_0.gz: the mirrored file holds "), "{}", run.stderr);
        project.counts_what_is_there();
        project.now_ms += 10 * MINUTE_MS;
        project.gzette("run").exits(0);
        is_whole(&project);
    }
}

#[test]
fn a_lost_index_is_not_built_from_what_rotted() {
    for rot in DAMAGES {
        let mut project = project();
        damage(&project, "precious", rot);
        fs::remove_dir_all(project.path("state/index")).unwrap();
        let run = project.gzette("run").exits(3);
        assert!(run.stderr.contains("precious_0.gz: the mirrored file holds "), "{}", run.stderr);
        project.now_ms += 10 * MINUTE_MS;
        project.gzette("run").exits(0);
        is_whole(&project);
    }
}

#[test]
fn what_rotted_before_it_was_counted_is_fetched_again() {
    for rot in DAMAGES {
        let mut project = project();
        project.put("api/20260301/fresh_0.gz", text_of("fresh", NOON_MS - HOUR_MS, 40));
        project.gzette("sync").exits(0);
        damage(&project, "fresh", rot);
        let run = project.gzette("ingest").exits(3);
        assert!(run.stderr.contains("fresh_0.gz: the mirrored file holds "), "{}", run.stderr);
        project.now_ms += 10 * MINUTE_MS;
        project.gzette("run").exits(0);
        is_whole(&project);
    }
}

#[test]
fn a_new_ledger_takes_over_only_files_that_are_whole() {
    // The etags of a folder are no checksums: of other whole gzip of the same length nothing tells.
    for rot in DAMAGES.into_iter().filter(|rot| rot.0 != "of other bytes") {
        let project = project();
        damage(&project, "precious", rot);
        for name in files_below(&project.path("state")).keys().filter(|name| name.starts_with("ledger")) {
            fs::remove_file(project.path("state").join(name)).unwrap();
        }
        let summary = project.gzette("run --json").exits(0).json();
        // Of what is not compressed nothing says that it is whole.
        assert_eq!(summary["requests"]["get"], 2, "{}: {summary:#}", rot.0);
        is_whole(&project);
    }
}

#[test]
fn a_search_takes_a_cut_file_for_none() {
    let project = project();
    damage(&project, "precious", DAMAGES[0]);
    let found = project.gzette("search --fixed precious").exits(0);
    assert_eq!(found.text().lines().count(), 200);
    assert!(found.stderr.contains("1 object that the mirror lacks or has only in part"), "{}", found.stderr);
    let found = project.gzette("search --fixed --offline precious").exits(3);
    assert!(found.stderr.contains("not in the mirror any more, or cut there"), "{}", found.stderr);
}

/// Requires that counts, searches and the recount agree with plain decoding.
fn is_whole(project: &Project) {
    project.verifies();
    project.counts_what_is_there();
    project.finds_what_is_there(NEEDLES);
}
