//! Runs that end where they should not: killed at any moment, stopped by a signal, ledger and index from
//! different times. A calm run afterwards makes everything whole.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use gzette_core::model::{HOUR_MS, MINUTE_MS};
use serde_json::json;

use super::{NEEDLES, a_week};
use crate::support::{NOON_MS, Outcome, Project, Recount, count_otherwise, files_below, text_of, week};

/// How many kills have to hit a run at work.
const KILLS: u32 = 12;

#[test]
fn a_run_killed_at_any_moment_is_made_good_by_the_next() {
    let project = Project::new();
    project.put_week();
    let begun = Instant::now();
    project.gzette("run").exits(0);
    let mut whole = begun.elapsed();
    let expected = Recount::of(&project.objects());
    project.counts_these(&expected);
    let (mut kills, mut tries) = (0, 0);
    while kills < KILLS {
        tries += 1;
        assert!(tries < 20 * KILLS, "only {kills} of {tries} kills hit a run at work");
        for part in ["state", "site"] {
            fs::remove_dir_all(project.path(part)).unwrap();
        }
        if !killed_after(project.start("run"), whole * kills / KILLS) {
            // It was quicker than the first.
            whole = whole * 9 / 10;
            project.gzette("run").exits(0);
            continue;
        }
        kills += 1;
        // Half of the states are hit a second time.
        if kills % 2 == 0 && project.path("state").exists() {
            killed_after(project.start("run"), whole / 3);
        }
        project.gzette("run").exits(0);
        project.verifies();
        project.counts_these(&expected);
        assert!(project.path("site/index.html").exists());
    }
    project.finds_what_is_there(NEEDLES);
    let outbox = files_below(&project.path("state/outbox"));
    let mails = outbox.keys().filter_map(|name| name.strip_suffix(".eml"));
    assert_eq!(mails.count(), 1, "{:?}", outbox.keys());
}

/// Kills with SIGKILL after a while; returns whether the process was still at work.
fn killed_after(mut child: Child, wait: Duration) -> bool {
    thread::sleep(wait);
    let was_at_work = child.try_wait().unwrap().is_none();
    child.kill().unwrap();
    child.wait().unwrap();
    was_at_work
}

#[test]
fn a_signal_ends_a_run_cleanly_and_the_next_completes_it() {
    for signal in ["TERM", "INT"] {
        let project = Project::new();
        for number in 0..120 {
            let text = text_of(&format!("pod{number}"), NOON_MS - 3 * HOUR_MS, 250);
            project.put(&format!("api/20260301/pod_{number}.gz"), text);
        }
        let mut child = project.start("run");
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.starts_with("sync ") {
            line.clear();
            assert!(stderr.read_line(&mut line).unwrap() > 0, "the run ended before its sync");
        }
        // It is about to ingest.
        send(signal, &child);
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(3), "{rest}");
        assert!(rest.lines().last().unwrap().starts_with("stopped "), "{rest}");
        assert!(!project.path("site").exists(), "no page is made of half a batch");
        project.gzette("run").exits(0);
        project.counts_what_is_there();
        project.verifies();
    }
}

/// A server that takes a connection and never answers: the run waited for it minutes after the signal to stop.
#[test]
fn a_signal_ends_a_run_that_waits_for_a_server() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut project = a_week();
    project.reconfigure("url = \"logs/\"", "url = \"s3://bucket/logs/\"");
    project.set_env("AWS_ENDPOINT_URL", &format!("http://{}", server.local_addr().unwrap()));
    project.set_env("AWS_ACCESS_KEY_ID", "key");
    project.set_env("AWS_SECRET_ACCESS_KEY", "secret");
    project.set_env("AWS_REGION", "us-east-1");
    let child = project.start("run");
    let _connection = server.accept().unwrap();
    send("TERM", &child);
    let outcome = Outcome::of(child.wait_with_output().unwrap()).exits(3);
    assert!(outcome.stderr.lines().last().unwrap().starts_with("stopped "), "{}", outcome.stderr);
    project.verifies();
    project.counts_what_is_there();
}

fn send(signal: &str, child: &Child) {
    let sent = Command::new("bash").args(["-c", &format!("kill -{signal} {}", child.id())]).status().unwrap();
    assert!(sent.success());
}

/// A project of two batches, and copies of its ledger and index after the first.
struct TwoBatches {
    project: Project,
}

impl TwoBatches {
    fn new() -> Self {
        let project = Project::new();
        let objects = week(NOON_MS);
        let (first, second) = objects.split_at(objects.len() / 2);
        for (key, text) in first {
            project.put(key, text);
        }
        project.gzette("run").exits(0);
        for part in ["index", "ledger.sqlite"] {
            copy(&project.path("state").join(part), &project.path("before").join(part));
        }
        for (key, text) in second {
            project.put(key, text);
        }
        // And one that replaces one of the first batch.
        project.put(&first[3].0, text_of("replaced", NOON_MS - HOUR_MS, 70));
        project.gzette("run").exits(0);
        Self { project }
    }

    /// Puts back what was before the second batch.
    fn back(&self, part: &str) {
        let there = self.project.path("state").join(part);
        if there.is_dir() {
            fs::remove_dir_all(&there).unwrap();
        }
        copy(&self.project.path("before").join(part), &there);
    }

    fn is_whole(&self) {
        self.project.verifies();
        self.project.counts_what_is_there();
        self.project.finds_what_is_there(NEEDLES.into_iter().chain(["replaced"]));
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().unwrap()).unwrap();
    let done = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(done.success());
}

#[test]
fn an_index_from_before_the_last_batch_is_caught_up() {
    let two = TwoBatches::new();
    two.back("index");
    // Until then searches still find the lines, and verify names the fault.
    two.project.finds_what_is_there(NEEDLES.into_iter().chain(["replaced"]));
    let report = two.project.gzette("verify --json").exits(3).json();
    assert!(!report["differences"].as_array().unwrap().is_empty());
    let ingest = two.project.gzette("ingest").exits(0);
    assert!(ingest.stderr.contains("the index lacked 22 objects"), "{}", ingest.stderr);
    two.is_whole();
    let again = two.project.gzette("ingest").exits(0);
    assert!(!again.stderr.contains("lacked"), "{}", again.stderr);
}

#[test]
fn an_index_from_after_the_ledgers_last_batch_is_cut_back() {
    let two = TwoBatches::new();
    two.back("ledger.sqlite");
    // The first version of the replaced object is nowhere any more: until the next run it is named, and only
    // its lines are not found.
    let ingest = two.project.gzette("ingest").exits(3);
    assert!(ingest.stderr.contains("the next run fetches it again"), "{}", ingest.stderr);
    let search = two.project.gzette("search --fixed JAVA_TOOL --count").exits(3);
    assert!(search.stderr.contains("warning") && search.text() != "0\n", "{search:?}");
    // What the older ledger does not know is taken up from the mirror.
    let summary = two.project.gzette("run --json").json();
    assert_eq!((&summary["objects"]["new"], &summary["requests"]["get"]), (&json!(22), &json!(0)));
    two.is_whole();
    two.project.gzette("run").exits(0);
    two.is_whole();
}

/// A file of the mirror and the index are lost: its lines were not indexed again, and no message said so.
#[test]
fn what_the_mirror_and_the_index_have_lost_is_fetched_and_indexed_again() {
    let mut project = a_week();
    let mirror = files_below(&project.path("state/mirror"));
    fs::remove_file(project.path("state/mirror").join(mirror.keys().next().unwrap())).unwrap();
    fs::remove_dir_all(project.path("state/index")).unwrap();
    project.gzette("ingest").exits(3);
    let search = project.gzette("search --offline --fixed memory").exits(3);
    assert!(search.stderr.contains("warning   ") && !search.stdout.is_empty(), "{}", search.stderr);
    project.put("api/20260301/more.gz", text_of("more", NOON_MS, 20));
    project.now_ms += 10 * MINUTE_MS;
    let summary = project.gzette("run --json").exits(0).json();
    assert_eq!(summary["requests"]["get"], 2);
    project.counts_what_is_there();
    project.finds_what_is_there(NEEDLES.into_iter().chain(["more did"]));
    project.verifies();
}

#[test]
fn an_index_that_cannot_be_read_is_built_again() {
    let two = TwoBatches::new();
    let index = two.project.path("state/index");
    let wrecks: [fn(&Path); 5] = [
        |index| fs::remove_dir_all(index).unwrap(),
        |index| fs::write(index.join("meta.json"), "{ no json").unwrap(),
        |index| fs::write(index.join("meta.json"), "").unwrap(),
        |index| fs::remove_file(index.join("meta.json")).unwrap(),
        |index| {
            fs::remove_dir_all(index).unwrap();
            fs::create_dir(index).unwrap();
            for number in 0..9 {
                fs::write(index.join(format!("garbage{number}")), [number; 999]).unwrap();
            }
        },
    ];
    for wreck in wrecks {
        wreck(&index);
        two.project.finds_what_is_there(["out of memory"]);
        two.project.gzette("ingest").exits(0);
        two.is_whole();
    }
}

/// The commit was whole, and a file of it is not any more: a disk went bad, or somebody tidied up. Searches ended with
/// an error, and so did every ingest that had something to do.
#[test]
fn an_index_with_a_file_missing_or_cut_is_built_again() {
    let two = TwoBatches::new();
    let index = two.project.path("state/index");
    for wreck in [cut as fn(&Path), removed] {
        for end in ["term", "idx", "fast"] {
            wreck(&largest(&index, end));
            two.project.gzette("verify").exits(3);
            two.project.finds_what_is_there(["out of memory", "Basket.java:4)"]);
            let ingest = two.project.gzette("ingest").exits(0);
            assert!(ingest.stderr.contains(&format!(".{end}` was lost or damaged")), "{}", ingest.stderr);
            two.project.verifies();
        }
    }
    two.is_whole();
}

/// No search reads the positions of words, so their loss went unnoticed until a run had something to delete.
#[test]
fn a_run_with_a_replaced_object_and_a_repair_do_without_a_lost_file() {
    let two = TwoBatches::new();
    let index = two.project.path("state/index");
    removed(&largest(&index, "pos"));
    let (key, _) = &week(NOON_MS)[5];
    two.project.put(key, text_of("replaced once more", NOON_MS - HOUR_MS, 60));
    let run = two.project.gzette("run").exits(0);
    assert!(run.stderr.contains(".pos` was lost or damaged"), "{}", run.stderr);
    two.is_whole();
    removed(&largest(&index, "pos"));
    repairs(&two.project);
    two.is_whole();
}

/// Its answer for objects that it did not know was that they hold no line.
#[test]
fn the_index_of_another_state_is_not_believed() {
    let (project, other) = (a_week(), Project::new());
    other.put("api/20260301/other.gz", text_of("other", NOON_MS, 9));
    other.gzette("run").exits(0);
    let index = project.path("state/index");
    fs::remove_dir_all(&index).unwrap();
    copy(&other.path("state/index"), &index);
    project.finds_what_is_there(NEEDLES);
    let all = Recount::of(&project.objects()).lines()[0];
    assert_eq!(project.gzette("search --count").exits(0).text().trim(), all.to_string());
    let status = project.gzette("status --json").exits(0).json();
    assert_eq!(status["index_batch"], json!(null));
    project.gzette("verify").exits(3);
    project.gzette("prune").exits(0);
    project.finds_what_is_there(NEEDLES);
    let ingest = project.gzette("ingest").exits(0);
    assert!(ingest.stderr.contains("the index belonged to another ledger"), "{}", ingest.stderr);
    project.verifies();
    project.finds_what_is_there(NEEDLES);
}

#[test]
fn a_bit_of_the_index_that_is_another_is_named() {
    let two = TwoBatches::new();
    let index = two.project.path("state/index");
    let path = largest(&index, "idx");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let report = two.project.gzette("verify --json").exits(3).json();
    let what = report["differences"].as_array().unwrap().iter().map(|difference| &difference["what"]);
    assert_eq!(what.collect::<Vec<_>>(), ["checksum of a file"]);
    fs::remove_dir_all(&index).unwrap();
    two.project.gzette("ingest").exits(0);
    two.is_whole();
}

/// Returns the largest file of the index with that ending.
fn largest(index: &Path, end: &str) -> PathBuf {
    let files = files_below(index);
    let named = files.iter().filter(|(name, _)| name.rsplit('.').next() == Some(end));
    index.join(named.max_by_key(|(_, bytes)| bytes.len()).unwrap().0)
}

fn cut(path: &Path) {
    let bytes = fs::read(path).unwrap();
    fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
}

fn removed(path: &Path) {
    fs::remove_file(path).unwrap();
}

#[test]
fn a_repair_makes_good_what_verify_names() {
    let project = a_week();
    let counts = project.gzette("count --by app,level,hour --json").exits(0).stdout;

    let ledger = gzette::edges::ledger::connect(&project.path("state/ledger.sqlite")).unwrap();
    count_otherwise(&ledger);
    ledger.execute("UPDATE generation SET lines = lines + 1, events = events + 1", []).unwrap();
    drop(ledger);
    assert_ne!(project.gzette("count --by app,level,hour --json").exits(0).stdout, counts);
    repairs(&project);
    assert_eq!(project.gzette("count --by app,level,hour --json").exits(0).stdout, counts);

    let is_store = |name: &String| Path::new(name).extension().is_some_and(|end| end == "store");
    let store = files_below(&project.path("state/index")).into_keys().find(is_store);
    let store = project.path("state/index").join(store.unwrap());
    let mut bytes = fs::read(&store).unwrap();
    bytes[7] ^= 1;
    fs::write(&store, bytes).unwrap();
    repairs(&project);

    let mirror = files_below(&project.path("state/mirror"));
    fs::remove_file(project.path("state/mirror").join(mirror.keys().next().unwrap())).unwrap();
    repairs(&project);
    assert_eq!(project.gzette("count --by app,level,hour --json").exits(0).stdout, counts);
    project.finds_what_is_there(NEEDLES);
}

fn repairs(project: &Project) {
    project.gzette("verify").exits(3);
    let repaired = project.gzette("verify --repair").exits(0);
    assert!(repaired.stderr.contains("warning"), "{}", repaired.stderr);
    project.verifies();
}

#[test]
fn a_mirrored_file_that_is_lost_is_named_and_a_lost_ledger_is_counted_again() {
    let mut project = a_week();
    let mirror = files_below(&project.path("state/mirror"));
    fs::remove_file(project.path("state/mirror").join(mirror.keys().next().unwrap())).unwrap();
    let report = project.gzette("verify --json").exits(3).json();
    assert_eq!(report["differences"].as_array().unwrap().len(), 1, "{report:#}");
    let search = project.gzette("search --offline --fixed memory").exits(3);
    assert!(search.stderr.contains("warning") && !search.stdout.is_empty(), "{}", search.stderr);

    fs::remove_file(project.path("state/ledger.sqlite")).unwrap();
    project.now_ms += 10 * MINUTE_MS;
    let run = project.gzette("run --json").exits(3);
    assert!(run.stderr.contains("the ledger is lost; a new one is built"), "{}", run.stderr);
    assert_eq!(run.json()["requests"]["get"], 1, "the others are in the mirror");
    project.counts_what_is_there();
    project.finds_what_is_there(NEEDLES);
    project.verifies();
}

/// The lock is the process's, not the file's.
#[test]
fn a_killed_run_leaves_no_lock() {
    let project = a_week();
    let mut stopped =
        project.command(&["verify"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    stopped.kill().unwrap();
    stopped.wait().unwrap();
    assert!(project.path("state/lock").exists());
    Outcome::of(project.command(&["run"]).output().unwrap()).exits(0);
}
