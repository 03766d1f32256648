//! The real binary from objects to site and mail: what it counts, that it counts it once, what it costs,
//! and that odd objects and hostile text stay harmless.

pub(crate) mod bucket;
mod crash;
mod disk;
mod refused;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use gzette_core::model::{DAY_MS, HOUR_MS, MINUTE_MS};
use serde_json::json;

use crate::support::{NOON_MS, Outcome, Project, Recount, event, files_below, gz, text_of};

/// Parts of lines that a week has, and one that it has not.
const NEEDLES: [&str; 6] = ["thing 3", "Basket.java:4)", "out of memory", "JAVA_TOOL", "\\\"", "nowhere"];

/// A project of a week that was run once.
fn a_week() -> Project {
    let project = Project::new();
    project.put_week();
    project.gzette("run").exits(0);
    project
}

#[test]
fn a_run_counts_what_plain_decoding_counts() {
    let project = Project::new();
    project.put_week();
    let summary = project.gzette("run --json").exits(0).json();
    let recount = Recount::of(&project.objects());
    let [total, events, continuation, unparsed] = recount.lines();
    assert!(events > 1000 && continuation > 100 && unparsed > 100, "the week is too poor: {recount:?}");
    assert_eq!(summary["objects"], json!({ "listed": 42, "new": 42, "damaged": 0 }));
    assert_eq!(summary["lines"]["total"], total);
    assert_eq!((&summary["has_problems"], &summary["stopped"]), (&json!(false), &json!(false)));

    let status = project.gzette("status --json").exits(0).json();
    for (name, count) in
        [("listed", 42), ("mirrored", 42), ("damaged", 0), ("missing", 0), ("denied", 0), ("duplicate", 0)]
    {
        assert_eq!(status["objects"][name], count, "{name}");
    }
    let lines = &status["lines"];
    assert_eq!(lines["total"], total);
    assert_eq!(lines["events"], events);
    assert_eq!(lines["continuation"], continuation);
    assert_eq!(lines["unparsed"], unparsed);
    assert_eq!(lines["quarantined"], 0);
    assert_eq!(status["newest_event"], recount.newest);
    assert_eq!((&status["batch"], &status["index_batch"]), (&json!(1), &json!(1)));
    // The root, three applications, seven days each.
    assert_eq!(status["requests"], json!({ "list": 1 + 3 + 21, "get": 42, "put": 0 }));
    let last = &status["last_run"];
    assert_eq!((&last["command"], &last["exit_code"]), (&json!("run"), &json!(0)));
    assert_eq!(last["started"], "2026-03-01T12:00:00.000Z");
    assert_eq!(last["summary"], summary);

    project.counts_what_is_there();
    project.verifies();
    project.finds_what_is_there(NEEDLES);
    let index = fs::read_to_string(project.path("site/index.html")).unwrap();
    assert!(index.contains("out of memory"));
    let mails = files_below(&project.path("state/outbox"));
    let names: Vec<_> = mails.keys().filter_map(|name| name.strip_suffix(".eml")).collect();
    assert_eq!((mails.len(), names.len()), (1, 1), "{:?}", mails.keys());
}

#[test]
fn a_second_run_changes_nothing_and_reads_nothing() {
    let mut project = a_week();
    let counts = project.gzette("count --by app,level,hour,group --json").text();
    let mirror = files_below(&project.path("state/mirror"));
    project.now_ms += 10 * MINUTE_MS;
    let again = project.gzette("run --json").exits(0).json();
    assert_eq!((&again["objects"]["new"], &again["lines"]["total"]), (&json!(0), &json!(0)));
    // An idle run lists the root, three applications and the five days of the look-back that there are.
    let requests = &again["requests"];
    assert_eq!(
        (&requests["list"], &requests["get"], &requests["put"]),
        (&json!(1 + 3 + 15), &json!(0), &json!(0))
    );
    assert_eq!(project.gzette("count --by app,level,hour,group --json").text(), counts);
    assert!(files_below(&project.path("state/mirror")) == mirror);
    assert_eq!(files_below(&project.path("state/outbox")).len(), 1, "the same news is mailed once");
    project.counts_what_is_there();
    project.verifies();
}

#[test]
fn a_late_object_of_an_old_day_is_found_within_a_day() {
    let mut project = a_week();
    let late_ms = NOON_MS - 6 * DAY_MS;
    project.put("web/20260223/late_10.gz", text_of("late", late_ms, 30));
    project.now_ms += DAY_MS;
    let summary = project.gzette("run --json").exits(0).json();
    assert_eq!((&summary["objects"]["new"], &summary["requests"]["get"]), (&json!(1), &json!(1)));
    project.counts_what_is_there();
    project.finds_what_is_there(["late did"]);
    project.verifies();
}

#[test]
fn an_overwritten_object_replaces_its_counts_and_lines() {
    let mut project = a_week();
    let before = project.objects();
    project.put("api/20260301/api_0.gz", text_of("rewritten", NOON_MS - HOUR_MS, 90));
    project.put("web/20260226/web_1.gz", ""); // and one that has become empty
    project.now_ms += 10 * MINUTE_MS;
    let summary = project.gzette("run --json").exits(0).json();
    assert_eq!((&summary["objects"]["new"], &summary["requests"]["get"]), (&json!(2), &json!(2)));
    assert_ne!(Recount::of(&before), Recount::of(&project.objects()));
    project.counts_what_is_there();
    project.finds_what_is_there(NEEDLES.into_iter().chain(["rewritten", "api did"]));
    project.verifies();
}

/// Went wrong: the title of the object that came first was taken for that of every other, and verify found them different.
#[test]
fn events_of_one_group_with_other_words_verify() {
    let project = Project::new();
    for (name, said) in [("a", "closed"), ("b", "not open"), ("c", "full")] {
        let message = format!(
            r"failed\njava.lang.IllegalStateException: {said}\n\tat com.acme.Basket.add(Basket.java:7)"
        );
        project.put(&format!("api/20260301/{name}.gz"), event(NOON_MS - HOUR_MS, "ERROR", &message));
    }
    project.gzette("run").exits(0);
    project.verifies();
}

#[test]
fn the_same_records_under_two_keys_count_once() {
    let mut project = a_week();
    let text = text_of("twice", NOON_MS - HOUR_MS, 20);
    project.put("api/20260301/b.gz", &text);
    project.put("web/20260301/b.gz", &text); // another application's copy is not a duplicate
    project.gzette("run").exits(0);
    project.counts_what_is_there();
    for name in ["c", "a"] {
        // In other members, and then under a key that comes before the one that counted so far.
        project.put_stored(
            &format!("api/20260301/{name}.gz"),
            &[gz(&text.as_bytes()[..99]), gz(&text.as_bytes()[99..])].concat(),
        );
        project.now_ms += 10 * MINUTE_MS;
        project.gzette("run").exits(0);
        project.counts_what_is_there();
        project.finds_what_is_there(["twice"]);
    }
    assert_eq!(project.gzette("status --json").json()["objects"]["duplicate"], 2);
    // The one that counts changes: another takes its place.
    project.put("api/20260301/a.gz", text_of("once", NOON_MS - HOUR_MS, 20));
    project.gzette("run").exits(0);
    assert_eq!(project.gzette("status --json").json()["objects"]["duplicate"], 1);
    project.counts_what_is_there();
    project.finds_what_is_there(["twice", "once"]);
    project.verifies();
}

#[test]
fn a_damaged_object_is_named_and_the_rest_goes_on() {
    let mut project = Project::new();
    project.put_week();
    let text = text_of("broken", NOON_MS - HOUR_MS, 400);
    let whole = gz(text.as_bytes());
    project.put_stored("jobs/20260301/cut_3.gz", &whole[..whole.len() * 2 / 3]);
    let run = project.gzette("run").exits(3);
    assert!(run.stderr.contains("warning   jobs/20260301/cut_3.gz: damaged: "), "{}", run.stderr);
    let status = project.gzette("status --json").json();
    assert_eq!((&status["objects"]["damaged"], &status["lines"]["quarantined"]), (&json!(1), &json!(1)));
    // What stood before the cut is kept: the first lines are there, byte for byte.
    let found = project.finds(b"broken did");
    let all: Vec<_> = text
        .lines()
        .filter(|line| line.contains("broken did"))
        .map(|line| line.as_bytes().to_vec())
        .collect();
    assert!(found.len() > all.len() / 3 && found.len() < all.len(), "{} of {}", found.len(), all.len());
    assert!(found.iter().filter(|line| all.contains(line)).count() >= found.len() - 1);
    project.verifies();
    let page = fs::read_to_string(project.path("site/ingest.html")).unwrap();
    assert!(page.contains("jobs/20260301/cut_3.gz"));

    project.put_stored("jobs/20260301/cut_3.gz", &whole);
    project.now_ms += 10 * MINUTE_MS;
    project.gzette("run").exits(0);
    assert_eq!(project.gzette("status --json").json()["objects"]["damaged"], 0);
    project.counts_what_is_there();
    project.verifies();
}

#[test]
fn what_is_missing_or_denied_is_named_and_the_rest_goes_on() {
    let project = Project::new();
    project.put_week();
    let outside = project.path("outside.gz");
    fs::write(&outside, gz(event(NOON_MS, "ERROR", "secret").as_bytes())).unwrap();
    symlink(&outside, project.path("logs/api/20260301/denied.gz")).unwrap();
    symlink("nowhere.gz", project.path("logs/api/20260301/missing.gz")).unwrap();
    let run = project.gzette("run").exits(3);
    for name in ["api/20260301/denied.gz", "api/20260301/missing.gz"] {
        assert!(
            run.stderr.lines().any(|line| line.starts_with("warning") && line.contains(name)),
            "{}",
            run.stderr
        );
    }
    let objects = &project.gzette("status --json").json()["objects"];
    let states = ["listed", "mirrored", "missing", "denied"].map(|state| objects[state].as_u64().unwrap());
    assert_eq!(states, [44, 42, 1, 1]);
    project.verifies();
}

#[test]
fn the_second_of_two_runs_says_who_is_at_work() {
    let project = a_week();
    let before = project.gzette("status --json").text();
    // Another process, as the lock's file would be copied into every program that this one starts.
    let mut holder = Command::new("bash");
    project.prepare(&mut holder);
    let script =
        "exec 9<>state/lock && flock 9 && echo 'process 7, `a test` since noon' >&9 && echo held && read";
    let mut holder =
        holder.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
    assert_eq!(said, "held\n");
    for command in ["run", "sync", "ingest", "verify"] {
        let error = ["another gzette is using `", "process 7, `a test` since noon"];
        project.gzette(command).exits(1).says(&error, "ends by itself");
    }
    // Those that only read need not wait.
    assert_eq!(project.gzette("status --json").exits(0).text(), before);
    project.counts_what_is_there();
    project.finds_what_is_there(["out of memory"]);
    drop(holder.stdin.take());
    holder.wait().unwrap();
    project.gzette("run").exits(0);
}

#[test]
fn control_characters_in_keys_and_lines_stay_off_the_screen() {
    let project = Project::new();
    let evil = "\x1b]0;owned\x07\x1b[2J\u{202e}\r";
    let text = event(NOON_MS - HOUR_MS, "ERROR", &format!("boom {evil}")) + &format!("plain {evil} text\n");
    project.put(&format!("ev{evil}il/20260301/a{evil}.gz"), &text);
    let stored = gz(text_of("cut", NOON_MS - HOUR_MS, 200).as_bytes());
    project.put_stored(&format!("ev{evil}il/20260301/cut{evil}.gz"), &stored[..stored.len() / 2]);
    symlink("nowhere", project.path(&format!("logs/ev{evil}il/20260301/gone{evil}.gz"))).unwrap();
    let outcomes = [
        project.gzette("run -v").exits(3),
        project.gzette("run -v").exits(3),
        project.gzette("search boom --output table -v").exits(0),
        project.gzette("search plain --output table").exits(0),
        project.gzette("search boom --output json").exits(0),
        project.gzette("count --by app,level,group").exits(0),
        project.gzette("count --by app,level --json").exits(0),
        project.gzette("status").exits(0),
        project.gzette("verify").exits(0),
        project.gzette("verify --json").exits(0),
        project.gzette("report -v").exits(0),
    ];
    for outcome in &outcomes {
        for text in [&outcome.stderr, &outcome.text()] {
            // JSON writes control characters as escapes; what only turns the text's direction is data there.
            let is_json = text.starts_with(['{', '[']);
            let is_alive = |c: char| c.is_control() && !"\n\t".contains(c) || c == '\u{202e}' && !is_json;
            assert!(!text.contains(is_alive), "{text:?}");
        }
    }
    assert!(outcomes[2].text().contains(r"\x1b]0;owned\x07"), "{}", outcomes[2].text());
    // Where bytes are wanted, the line comes unchanged.
    assert_eq!(project.gzette("search plain").exits(0).text(), format!("plain {evil} text\n"));
    // A mirror of such keys lies in the state directory and nowhere else.
    let mut names = files_below(&project.path("state/mirror"));
    assert!(names.remove("~state").is_some());
    assert!(names.len() == 2 && names.keys().all(|name| name.starts_with("prod/")), "{:?}", names.keys());
    // Keys that begin like options or climb are names like any other.
    assert!(!project.path("state/mirror/prod").join("..").join("20260301").exists());
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let project = Project::new();
    let text: String =
        (0..20_000).map(|number| event(NOON_MS - HOUR_MS, "INFO", &format!("line {number}"))).collect();
    project.put("api/20260301/api_0.gz", text);
    project.gzette("run").exits(0);
    for line in ["search line", "search --json line", "search --output table line", "search --count line"] {
        let mut command = Command::new("bash");
        project.prepare(&mut command);
        let script = format!("{} {line} | head -n 1; exit ${{PIPESTATUS[0]}}", env!("CARGO_BIN_EXE_gzette"));
        let outcome = Outcome::of(command.args(["-c", &script]).output().unwrap());
        assert!([0, 141].contains(&outcome.code().unwrap()), "{outcome:?}");
        assert_eq!((outcome.stderr.as_str(), outcome.text().lines().count()), ("", 1), "{line}");
    }
    // A closed stderr does not matter either.
    let mut command = Command::new("bash");
    project.prepare(&mut command);
    let script = format!("exec {} run 2>&-", env!("CARGO_BIN_EXE_gzette"));
    Outcome::of(command.args(["-c", &script]).output().unwrap()).exits(0);
}

#[test]
fn the_demo_leaves_a_dashboard_and_a_mail() {
    let project = Project::new();
    let demo = project.gzette("demo --dir tour").exits(0);
    let shown = demo.text();
    let named =
        |what: &str| shown.lines().find_map(|line| line.strip_prefix(what)).unwrap().trim().to_owned();
    assert!(fs::read_to_string(named("dashboard")).unwrap().starts_with("<!DOCTYPE html>"));
    let mail = fs::read_to_string(named("mail")).unwrap();
    assert!(mail.contains("\r\nTo: support@example.com\r\n"), "{mail}");
    project.gzette("verify --config tour/gzette.toml").exits(0);
    // Its own advice works.
    for line in
        shown.lines().skip_while(|line| *line != "try").skip(1).filter(|line| !line.ends_with(" verify"))
    {
        let mut command = Command::new("bash");
        project.prepare(&mut command);
        let now = "--now 2026-03-01T12:00:00Z";
        let outcome = Outcome::of(command.args(["-c", &format!("{line} {now}")]).output().unwrap()).exits(0);
        assert!(!outcome.stdout.is_empty(), "{line}");
    }
    // It makes room for itself only where a demo was.
    fs::create_dir(project.path("mine")).unwrap();
    fs::write(project.path("mine/precious"), "x").unwrap();
    project.gzette("demo --dir mine").exits(2).says(&["holds something else than a demo"], "--dir");
    assert_eq!(fs::read(project.path("mine/precious")).unwrap(), b"x");
}

#[test]
fn arguments_are_bytes_and_help_is_a_result() {
    let project = a_week();
    let outcome =
        project.gzette_with(&[std::ffi::OsStr::from_bytes(b"search"), std::ffi::OsStr::from_bytes(b"\xff")]);
    outcome.exits(2).says(&["not UTF-8"], "--fixed");
    for (line, code) in
        [("--help", 0), ("search --help", 0), ("--version", 0), ("serach", 2), ("run --bogus", 2)]
    {
        // Without `--now`, which would change what is asked.
        let mut command = Command::new(env!("CARGO_BIN_EXE_gzette"));
        project.prepare(&mut command);
        let outcome =
            Outcome::of(command.args(line.split(' ')).stdin(Stdio::null()).output().unwrap()).exits(code);
        assert_eq!((outcome.stdout.is_empty(), outcome.stderr.is_empty()), (code != 0, code == 0), "{line}");
    }
}
