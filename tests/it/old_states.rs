//! States of older versions: the present one reads them, finds the same counts and lines, and refuses what a newer one
//! wrote.

use std::fs;
use std::path::{Path, PathBuf};

use crate::crash_points::{compiled, log_of, log_path};
use crate::support::{Outcome, Project, Recount, decoded, files_below, lines_of};

/// The checksum of each landed migration. A landed one is never edited: a new one is added.
const MIGRATIONS: [(&str, &str); 12] = [
    ("0001_first.sql", "4a461cec020605a0"),
    ("0002_replaced.sql", "ac47371957cc5a3a"),
    ("0003_point.sql", "70a4737d41d2a67a"),
    ("0004_title.sql", "991bdc6385698d76"),
    ("0005_retention.sql", "c836dae6cb2b7993"),
    ("0006_grouping.sql", "f9977e48a127ea9b"),
    ("0007_stored.sql", "443f69116eecdfea"),
    ("0008_pauses.sql", "23f74e62942bc3a0"),
    ("0009_waiting.sql", "bf0bb51373269f3e"),
    ("0010_samples.sql", "1f20592c42bea09e"),
    ("0011_uncounted.sql", "4a7471539b5897c7"),
    ("0012_packed.sql", "7707e08573a3b0ec"),
];

/// The ledgers in `fixtures/state`.
const STATES: [&str; 2] = ["schema-1", "schema-2"];

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/state").join(name)
}

/// Returns a project on a copy of an old state; its objects are no longer in the source.
pub(crate) fn project_with(schema: &str) -> Project {
    let project = Project::new();
    for (name, bytes) in files_below(&fixture("schema-2")).into_iter().chain(files_below(&fixture(schema))) {
        let path = project.path("state").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    project
}

/// Requires that all agrees but the index, whose format is an older one: the next run builds it again.
pub(crate) fn verifies_but_for_the_index(project: &Project) {
    let report = project.gzette("verify --json").json();
    let differences = report["differences"].as_array().unwrap();
    let [index] = differences.as_slice() else { panic!("{report:#}") };
    assert_eq!((&index["place"], &index["what"]), (&"index".into(), &"files".into()), "{report:#}");
}

#[test]
fn a_state_of_each_schema_gives_the_same_counts_and_lines() {
    let objects = files_below(&fixture("schema-2/mirror/prod"))
        .into_iter()
        .map(|(key, stored)| (key, decoded(&stored)))
        .collect();
    let expected = Recount::of(&objects);
    assert_eq!(expected.lines()[0], 328, "the sample is another one");
    for schema in STATES {
        let project = project_with(schema);
        // Commands that only read leave the schema alone.
        verifies_but_for_the_index(&project);
        project.gzette("digest --print").exits(0);
        let run = project.gzette("run --json").exits(0);
        // Its index has another format: it is built again, once.
        assert!(run.stderr.contains("written by another version"), "{schema}: {}", run.stderr);
        let again = project.gzette("run").exits(0);
        assert!(!again.stderr.contains("another version"), "{schema}: {}", again.stderr);
        let summary = run.json();
        assert_eq!(summary["lines"]["total"], 0, "{schema}: it was counted already");
        project.counts_these(&expected);
        project.verifies();
        for needle in ["did thing 3", "Basket.java:4)", "out of memory", "nowhere"] {
            let lines = objects.values().flat_map(|text| lines_of(text));
            let mut there: Vec<_> =
                lines.filter(|line| memchr::memmem::find(line, needle.as_bytes()).is_some()).collect();
            there.sort();
            assert!(project.finds(needle.as_bytes()) == there, "{schema}: `{needle}`");
        }
    }
}

/// Each point lies where the ledger is rewritten with room for checksums: most of what a run of an old state does to it.
#[test]
fn a_crash_while_an_older_ledger_gets_its_checksums_loses_nothing() {
    let shim = compiled("old_states_shim.so");
    let run = |project: &Project, at: usize, what: &str| {
        let mut command = project.command(&["run"]);
        command.env("LD_PRELOAD", &shim).env("CRASH_DIR", project.dir().canonicalize().unwrap());
        command.env("CRASH_LOG", log_path(project)).env("CRASH_AT", at.to_string()).env("CRASH_DO", what);
        Outcome::of(command.output().unwrap()).code()
    };
    let calm = project_with("schema-2");
    assert_eq!(run(&calm, 0, ""), Some(0));
    let counts = calm.gzette("count --by app,level,hour --json").exits(0).text();
    let calls = log_of(&calm);
    let of_ledger: Vec<usize> = (1..)
        .zip(calls.lines())
        .filter(|(_, call)| call.contains("ledger.sqlite"))
        .map(|(number, _)| number)
        .collect();
    assert!(of_ledger.len() > 40, "{calls}");
    let stored = fs::read(fixture("schema-2/ledger.sqlite")).unwrap();
    assert_eq!(stored[20], 0, "the sample has checksums already");
    let mut killed = 0;
    for (number, what) in (0..12).zip(["before", "torn", "cut", "after"].into_iter().cycle()) {
        let project = project_with("schema-2");
        let at = of_ledger[number * of_ledger.len() / 12];
        killed += usize::from(run(&project, at, what).is_none());
        // Commands that only read cope with the remains.
        assert_eq!(project.gzette("count --by app,level,hour --json").exits(0).text(), counts, "{what} {at}");
        project.gzette("run").exits(0);
        project.verifies();
        assert_eq!(project.gzette("count --by app,level,hour --json").text(), counts, "{what} {at}");
        let ledger = fs::read(project.path("state/ledger.sqlite")).unwrap();
        assert_eq!((ledger[20], &ledger[68..72]), (8, &b"gzck"[..]), "{what} {at}");
    }
    assert!(killed > 8, "only {killed} runs were killed");
}

#[test]
fn a_ledger_of_each_schema_in_between_is_brought_up_to_date() {
    for stop in 3..=MIGRATIONS.len() {
        let project = project_with("schema-2");
        let ledger = gzette::edges::ledger::connect(&project.path("state/ledger.sqlite")).unwrap();
        for (name, _) in &MIGRATIONS[2..stop] {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/edges/ledger/migrations").join(name);
            ledger.execute_batch(&fs::read_to_string(path).unwrap()).unwrap();
        }
        ledger.pragma_update(None, "user_version", stop as i64).unwrap();
        drop(ledger);
        // Commands that only read cope with the old schema.
        verifies_but_for_the_index(&project);
        for command in ["count", "status", "search order", "group list", "digest --print"] {
            project.gzette(command).exits(0);
        }
        project.gzette("run").exits(0);
        project.verifies();
    }
}

#[test]
fn a_state_of_a_newer_version_is_refused() {
    let project = project_with("schema-2");
    let ledger = gzette::edges::ledger::connect(&project.path("state/ledger.sqlite")).unwrap();
    ledger.pragma_update(None, "user_version", 999).unwrap();
    drop(ledger);
    for command in ["run", "search order", "verify", "count", "status"] {
        let error = ["the ledger has schema 999", "a newer gzette wrote it"];
        project.gzette(command).exits(1).says(&error, "install the newer gzette");
    }
}

#[test]
fn a_landed_migration_is_never_edited() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/edges/ledger/migrations");
    let found: Vec<_> = files_below(&dir)
        .into_iter()
        .map(|(name, bytes)| (name, blake3::hash(&bytes).to_hex()[..16].to_owned()))
        .collect();
    let known: Vec<_> = MIGRATIONS.iter().map(|&(name, sum)| (name.to_owned(), sum.to_owned())).collect();
    assert_eq!(found, known);
}
