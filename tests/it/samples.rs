//! The raw lines of error groups: few of each, whatever happens to the objects that they are from, and none of those that are
//! no longer counted.

use std::fs;

use gzette::edges::ledger::connect;
use gzette_core::model::{DAY_MS, HOUR_MS};

use crate::old_states::project_with;
use crate::support::{NOON_MS, Project, day_of, event};

/// The number of days, each with one object.
const DAYS: i64 = 12;

fn key(day: i64) -> String {
    format!("api/{}/api.gz", day_of(NOON_MS - day * DAY_MS))
}

/// Two errors of one group, some hours apart, on the day so many days ago.
fn errors(day: i64) -> String {
    let at = NOON_MS - day * DAY_MS - 5 * HOUR_MS;
    [(0, 10), (3, 20)]
        .map(|(hours, which)| event(at + hours * HOUR_MS, "ERROR", &format!("order {day} lost part {which}")))
        .concat()
}

/// A project whose every object has errors of one group, run once.
fn project() -> Project {
    let project = Project::new();
    project.reconfigure("url = \"logs/\"", "url = \"logs/\"\nlook_back_days = 20");
    (1..=DAYS).for_each(|day| project.put(&key(day), errors(day)));
    project.gzette("run").exits(0);
    project
}

/// The raw lines that the ledger keeps, and how many it still has to read.
fn kept(project: &Project) -> (Vec<String>, i64) {
    let ledger = connect(&project.path("state/ledger.sqlite")).unwrap();
    let mut statement =
        ledger.prepare("SELECT raw FROM sample WHERE raw IS NOT NULL ORDER BY time_ms").unwrap();
    let raws = statement.query_map([], |row| row.get::<_, Vec<u8>>(0)).unwrap();
    let text = |raw: Vec<u8>| String::from_utf8(zstd::decode_all(&raw[..]).unwrap()).unwrap();
    let unread = ledger.query_row("SELECT count(*) FROM sample WHERE raw IS NULL", [], |row| row.get(0));
    (raws.map(|raw| text(raw.unwrap())).collect(), unread.unwrap())
}

/// The days of the first and the latest event as `group show` gives them, and its raw lines.
fn shown(project: &Project) -> Vec<(String, String)> {
    let listed = project.gzette("group list --json").exits(0).json();
    let shown =
        project.gzette(&format!("group show {} --json", listed["id"].as_str().unwrap())).exits(0).json();
    let samples = shown["samples"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    samples.map(|sample| (text(&sample["role"]), text(&sample["raw"]))).collect()
}

fn line(day: i64, which: &str) -> String {
    let text = errors(day);
    text.lines().find(|line| line.contains(which)).unwrap().to_owned()
}

#[test]
fn a_group_keeps_few_lines_of_many_objects() {
    let project = project();
    let (lines, unread) = kept(&project);
    assert!((2..=7).contains(&lines.len()) && unread == 0, "{lines:#?}");
    assert_eq!(lines.first(), Some(&line(DAYS, "part 10")));
    assert_eq!(lines.last(), Some(&line(1, "part 20")));
    let roles = [("first", line(DAYS, "part 10")), ("latest", line(1, "part 20"))];
    assert_eq!(shown(&project), roles.map(|(role, line)| (role.to_owned(), line)));
    project.verifies();
}

/// The place of a sample that goes with its object is taken by the one that would have been chosen without it.
#[test]
fn samples_of_what_is_replaced_or_deleted_are_chosen_again() {
    let project = project();
    for day in [DAYS, 1, 5, 7] {
        project.put(&key(day), event(NOON_MS - day * DAY_MS, "INFO", "nothing is lost"));
    }
    // Grows, as objects do that are written again and again.
    project.put(&key(2), errors(2) + &event(NOON_MS - 2 * DAY_MS, "ERROR", "order 2 lost part 99"));
    project.gzette("run").exits(0);
    let fresh = Project::new();
    fresh.reconfigure(
        "url = \"logs/\"",
        &format!("url = \"{}/\"\nlook_back_days = 20", project.path("logs").display()),
    );
    fresh.gzette("run").exits(0);
    let (lines, unread) = kept(&project);
    assert_eq!((&lines, unread), (&kept(&fresh).0, 0));
    assert_eq!(lines.first(), Some(&line(DAYS - 1, "part 10")));
    assert!(lines.last().unwrap().contains("part 99"), "{lines:#?}");
    assert_eq!(shown(&project), shown(&fresh));
    project.verifies();
}

#[test]
fn no_line_of_an_expired_object_is_kept() {
    let mut project = project();
    project.reconfigure("[site]", "[retention]\nmirror_days = 1\ncounts_days = 6\n\n[site]");
    project.gzette("prune").exits(0);
    let (lines, _) = kept(&project);
    assert!(!lines.is_empty(), "{lines:#?}");
    for day in 7..=DAYS {
        assert!(
            !lines.contains(&line(day, "part 10")) && !lines.contains(&line(day, "part 20")),
            "{lines:#?}"
        );
    }
    // What is not in the mirror any more cannot be read from it, and is not asked for again and again.
    project.now_ms += HOUR_MS;
    let ingest = project.gzette("ingest").exits(0);
    assert!(!ingest.stderr.contains("unreadable"), "{}", ingest.stderr);
    assert_eq!(shown(&project).last().unwrap().1, line(1, "part 20"));
    project.verifies();
}

#[test]
fn verify_notices_a_line_that_is_not_the_objects() {
    let project = project();
    let ledger = connect(&project.path("state/ledger.sqlite")).unwrap();
    let sql = "UPDATE sample SET raw = (SELECT raw FROM sample WHERE is_last) WHERE NOT is_last";
    assert!(ledger.execute(sql, []).unwrap() > 1);
    drop(ledger);
    let verify = project.gzette("verify").exits(3);
    assert!(verify.text().contains("the first `"), "{}", verify.text());
    project.gzette("verify --repair").exits(0);
    assert_eq!(kept(&project).0.last(), Some(&line(1, "part 20")));
    project.verifies();
}

#[test]
fn an_older_ledger_keeps_some_of_its_lines() {
    let project = project_with("schema-2");
    let old = connect(&project.path("state/ledger.sqlite")).unwrap();
    let groups: i64 =
        old.query_row("SELECT count(DISTINCT group_id) FROM sighting", [], |row| row.get(0)).unwrap();
    drop(old);
    // Neither recounts nor regroups: the lines are those of the old ledger.
    gzette::edges::ledger::Ledger::open(&project.path("state/ledger.sqlite")).unwrap();
    let ledger = connect(&project.path("state/ledger.sqlite")).unwrap();
    let counts = "SELECT count(*), count(DISTINCT group_id), max(number) FROM
        (SELECT group_id, count(*) OVER (PARTITION BY group_id) AS number FROM sample WHERE raw IS NOT NULL)";
    let (samples, with_samples, most): (i64, i64, i64) =
        ledger.query_row(counts, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    assert!(samples > with_samples && with_samples == groups && most <= 7, "{samples} {with_samples} {most}");
    drop(ledger);
    assert!(!shown_raws(&project).is_empty());
    project.gzette("run").exits(0);
    project.verifies();
    assert!(fs::read_dir(project.path("site/g")).unwrap().count() >= groups as usize);
}

/// The raw lines of all groups.
fn shown_raws(project: &Project) -> Vec<String> {
    let listed = project.gzette("group list --json").exits(0).text();
    let ids = listed.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let shown = ids.map(|row| {
        project.gzette(&format!("group show {} --json", row["id"].as_str().unwrap())).exits(0).json()
    });
    shown
        .flat_map(|shown| shown["samples"].as_array().unwrap().clone())
        .map(|sample| sample["raw"].to_string())
        .collect()
}
