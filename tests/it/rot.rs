//! Rot in the state directory: files that are lost, cut, emptied, changed, or those of another state. No command gives a
//! wrong answer with exit code 0, no right count is replaced by a wrong one, and while the source is whole, one
//! `gzette run` or `gzette verify --repair` makes the state whole again.

mod grid;

use std::fs;
use std::path::PathBuf;

use gzette_core::model::{HOUR_MS, MINUTE_MS};

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
        // Its length is seen before it is read.
        assert!(run.stderr.contains("precious_0.gz: the mirrored file h"), "{}", run.stderr);
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
        assert!(run.stderr.contains("precious_0.gz: the mirrored file h"), "{}", run.stderr);
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
    // The etags of a folder are not checksums: nothing reveals other whole gzip of the same length.
    for rot in DAMAGES.into_iter().filter(|rot| rot.0 != "of other bytes") {
        let project = project();
        damage(&project, "precious", rot);
        for name in files_below(&project.path("state")).keys().filter(|name| name.starts_with("ledger")) {
            fs::remove_file(project.path("state").join(name)).unwrap();
        }
        let summary = project.gzette("run --json").exits(3).json();
        // Nothing shows that an uncompressed file is whole.
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
    assert!(found.stderr.contains("missing or cut short in the mirror"), "{}", found.stderr);
}

#[test]
fn a_part_of_another_state_is_named_and_the_repair_takes_none_of_it() {
    let other = Project::new();
    other.put("else/20260301/else_0.gz", text_of("else", NOON_MS - 3 * HOUR_MS, 30));
    other.gzette("run").exits(0);
    for (part, name) in [("ledger.sqlite", "the ledger `"), ("mirror/~state", "the mirror `")] {
        let mut project = project();
        let path = project.path("state").join(part);
        fs::copy(other.path("state").join(part), path).unwrap();
        for command in ["run", "count", "search order", "status", "verify", "prune"] {
            let error = [name, "belongs to another state"];
            project
                .gzette(command)
                .exits(1)
                .says(&error, "put the right one back, or run `gzette verify --repair`");
        }
        project.gzette("verify --repair").exits(0);
        is_whole(&project);
        project.now_ms += 10 * MINUTE_MS;
        project.gzette("run").exits(0);
        is_whole(&project);
        let is_kept = project.path("state/ledger.sqlite.broken-1").exists();
        assert_eq!(is_kept, part == "ledger.sqlite", "what is set aside is kept");
    }
}

#[test]
fn a_mirror_that_is_gone_is_noticed_until_it_is_fetched_again() {
    let mut project = project();
    fs::remove_dir_all(project.path("state/mirror")).unwrap();
    for number in 0..2 {
        // New objects are mirrored and counted as always, which creates the folder again.
        project.put(&format!("api/20260301/new_{number}.gz"), text_of("new", NOON_MS - HOUR_MS, 20 + number));
        let run = project.gzette("run").exits(3);
        assert!(run.stderr.contains("are gone; the counts stay. Mount the disk"), "{}", run.stderr);
        project.counts_what_is_there();
        let status = project.gzette("status").exits(0).text();
        assert!(status.contains("mirror        the files in `"), "{status}");
        project.now_ms += 10 * MINUTE_MS;
    }
    project.gzette("verify --repair").exits(0);
    assert!(project.gzette("status --json").json()["lost_mirror"].is_null());
    project.gzette("run").exits(0);
    is_whole(&project);
}

#[test]
fn a_run_looks_whether_mirrored_files_are_there_and_fetches_lost_ones() {
    let mut project = project();
    fs::remove_file(mirrored(&project, "precious")).unwrap();
    let run = project.gzette("run").exits(3);
    assert!(
        run.stderr.contains("precious_0.gz: the mirrored file is gone; it is fetched again"),
        "{}",
        run.stderr
    );
    is_whole(&project);
    project.now_ms += 10 * MINUTE_MS;
    project.gzette("run").exits(0);
}

#[test]
fn a_damaged_ledger_is_rebuilt_when_its_sources_can_be_listed() {
    let project = project();
    let path = project.path("state/ledger.sqlite");
    let mut broken = fs::read(&path).unwrap();
    let middle = broken.len() / 2;
    broken[middle..middle + 4096].fill(0xa5);
    fs::write(&path, &broken).unwrap();
    fs::rename(project.path("logs"), project.path("away")).unwrap();
    let refused = project.gzette("verify --repair").exits(1);
    assert!(refused.stderr.contains("cannot be rebuilt without listing the sources"), "{}", refused.stderr);
    assert!(fs::read(&path).unwrap() == broken, "the old ledger stays as it was");
    assert!(!project.path("state/ledger.sqlite.new").exists());

    fs::rename(project.path("away"), project.path("logs")).unwrap();
    let repaired = project.gzette("verify --repair").exits(0);
    // Nothing shows that the uncompressed object is whole.
    let words = [
        "4 objects listed: 3 taken over from the mirror, 1 fetched",
        "This loses the history of mails and runs",
    ];
    assert!(words.iter().all(|words| repaired.stderr.contains(words)), "{}", repaired.stderr);
    assert!(fs::read(project.path("state/ledger.sqlite.broken-1")).unwrap() == broken);
    is_whole(&project);
}

#[test]
fn a_rebuilt_ledger_names_the_files_that_it_does_not_count() {
    let project = project();
    fs::write(project.path("state/ledger.sqlite"), "no ledger").unwrap();
    // New objects do not make up for lost ones.
    fs::remove_file(project.path("logs/api/20260301/precious_0.gz")).unwrap();
    project.put("api/20260301/new_0.gz", text_of("new", NOON_MS - HOUR_MS, 20));
    fs::create_dir_all(project.path("state/mirror/former")).unwrap();
    fs::write(project.path("state/mirror/former/old.gz~0"), "old").unwrap();
    let repaired = project.gzette("verify --repair").exits(3);
    let words = [
        "the mirror holds 1 file of objects or versions that the sources no longer list",
        "state/mirror/former` belongs to no source of the configuration",
    ];
    assert!(words.iter().all(|words| repaired.stderr.contains(words)), "{}", repaired.stderr);
}

#[test]
fn a_lost_file_that_the_source_no_longer_has_is_told_once() {
    for command in ["run", "verify --repair"] {
        let mut project = project();
        fs::remove_file(project.path("logs/api/20260301/precious_0.gz")).unwrap();
        project.gzette("run").exits(0);
        let before = project.gzette("status --json").json()["lines"].clone();
        fs::remove_file(mirrored(&project, "precious")).unwrap();
        project.now_ms += 10 * MINUTE_MS;
        let told = project.gzette(command);
        if command == "run" {
            let said = "the mirrored file is gone, and the source no longer has it; its counts stay";
            assert!(told.exits(3).stderr.contains(said));
        }
        project.now_ms += 10 * MINUTE_MS;
        let run = project.gzette("run").exits(0);
        assert!(!run.stderr.contains("precious"), "{}", run.stderr);
        project.gzette("verify").exits(0);
        assert_eq!(project.gzette("status --json").json()["lines"], before);
    }
}

/// Requires that counts, searches and the recount agree with plain decoding.
fn is_whole(project: &Project) {
    project.verifies();
    project.counts_what_is_there();
    project.finds_what_is_there(NEEDLES);
}
