//! Error groups over time: an upgrade makes nothing new, and changed rules apply to the past as if they had always
//! held.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use gzette_core::model::{GroupId, HOUR_MS};
use rusqlite::Connection;

use crate::old_states::verifies_but_for_the_index;
use crate::support::{Project, copy_folder, event, files_below, gz, lines_of, matching, partials};

/// A change to the configuration, as the text that is added to it.
const CHANGES: [&str; 8] = [
    "[[group]]\nname = 'basket'\ntitle = 'Baskets that are shut'\nmatch = 'IllegalStateException app:api'\n",
    "[[group]]\nname = 'basket'\ntitle = 'Baskets that are shut'\nmatch = 'IllegalStateException'\nsplit = 'tenant'\n",
    "[[group]]\nname = 'memory'\nmatch = '\"out of memory\"'\n[[group]]\nname = 'main'\nmatch = '/Main\\.java:[0-9]/'\n",
    "[[group]]\nname = 'main'\nmatch = '/Main\\.java:[0-9]/'\n[[group]]\nname = 'memory'\nmatch = '\"out of memory\"'\n",
    "[grouping]\nmask = ['quota of [a-z]+']\n",
    "[grouping]\nforeign = ['com.acme.Basket']\n",
    "",
    "[[group]]\nname = 'web'\nmatch = 'app:web object:/web_1/'\n",
];

/// A project on the stored state whose groups an older version made, a day after its last run.
fn old_project() -> Project {
    let mut project = Project::new();
    project.reconfigure("name = \"ops\"", "name = \"support\"");
    project.now_ms += 8 * HOUR_MS;
    copy_folder(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/state/schema-5"),
        &project.path("state"),
    );
    project
}

fn ledger(project: &Project) -> Connection {
    gzette::edges::ledger::connect(&project.path("state/ledger.sqlite")).unwrap()
}

/// Returns the ids that have events, with how many.
fn groups(project: &Project) -> BTreeMap<String, u64> {
    let mut groups = BTreeMap::new();
    for (_, partial) in partials(&project.path("state/ledger.sqlite")) {
        for count in partial.counts {
            let Some(group) = count.group else { continue };
            *groups.entry(group.to_string()).or_default() += count.events;
        }
    }
    groups
}

/// Returns what the ledger says of errors, readable.
fn counted(project: &Project) -> Vec<String> {
    let mut rows = Vec::new();
    for (row, partial) in partials(&project.path("state/ledger.sqlite")) {
        let key = &row.object.key;
        rows.extend(partial.counts.iter().map(|count| format!("{key} {count:?}")));
        rows.extend(partial.sightings.iter().map(|sighting| format!("{key} {sighting:?}")));
    }
    rows.sort();
    rows
}

/// Returns how many objects a command said it read again.
fn read_again(stderr: &str) -> usize {
    let line = stderr.lines().find_map(|line| line.strip_prefix("regroup "));
    line.map_or(0, |line| line.split_whitespace().next().unwrap().parse().unwrap())
}

#[test]
fn an_upgrade_makes_nothing_new_and_old_ids_lead_on() {
    let project = old_project();
    let before = groups(&project);
    assert_eq!(before.values().sum::<u64>(), 216, "the stored state is another one");
    // Commands that only read leave it alone.
    verifies_but_for_the_index(&project);
    assert_eq!(groups(&project), before);

    let run = project.gzette("run --json").exits(0);
    assert_eq!(read_again(&run.stderr), 24, "{}", run.stderr);
    assert_eq!(run.json()["groups_new"], 0);
    assert_eq!(run.json()["lines"]["total"], 0, "nothing is counted twice");
    assert!(!project.path("state/outbox").exists(), "a mail was sent: {}", run.stderr);
    let after = groups(&project);
    assert!(before.keys().all(|id| !after.contains_key(id)), "{after:?}");
    // 24 events of level info carry a trace, and count since.
    assert_eq!(after.values().sum::<u64>(), 240);
    let listed = project.gzette("group list --json").exits(0).text();
    assert_eq!(listed.lines().count(), after.len());
    assert!(!listed.contains("\"state\":\"new\""), "{listed}");
    project.verifies();

    for old in before.keys() {
        let shown = project.gzette(&format!("group show {old} --json")).exits(0).json();
        let new = shown["id"].as_str().unwrap();
        assert!(after.contains_key(new), "{old} leads to {new}");
        let page = fs::read_to_string(project.path(&format!("site/g/{old}.html"))).unwrap();
        assert!(page.contains(&format!("content=\"0; url={new}.html\"")), "{page}");
        assert!(project.path(&format!("site/g/{new}.html")).exists());
        let found = |args: &str| project.gzette(&format!("search -q {args}")).exits(0).stdout;
        assert!(!found(&format!("--group {old}")).is_empty());
        assert_eq!(found(&format!("--group {old}")), found(&format!("group:{new}")));
        assert_eq!(found(&format!("group:{old}")), found(&format!("group:{new}")));
        let count = |id: &str| project.gzette(&format!("count --group {id}")).exits(0).stdout;
        assert_eq!(count(old), count(new));
    }
    assert_eq!(read_again(&project.gzette("run").exits(0).stderr), 0, "once is enough");
}

#[test]
fn groups_of_pruned_objects_follow_their_samples() {
    let project = old_project();
    let before = groups(&project);
    let pruned = "object_id IN (SELECT id FROM object WHERE day < '2026-02-24')";
    let changed = ledger(&project).execute(&format!("UPDATE generation SET mirrored = 0 WHERE {pruned}"), []);
    assert_eq!(changed.unwrap(), 12);
    for name in files_below(&project.path("state/mirror")).into_keys() {
        let day = name.split('/').nth(2).unwrap();
        if day < "20260224" {
            fs::remove_file(project.path("state/mirror").join(name)).unwrap();
        }
    }
    let run = project.gzette("run").exits(0);
    assert_eq!(read_again(&run.stderr), 12, "{}", run.stderr);
    assert!(run.stderr.contains("12 more, already pruned"), "{}", run.stderr);
    let after = groups(&project);
    assert!(before.keys().all(|id| !after.contains_key(id)), "{after:?}");
    assert_eq!(after.values().sum::<u64>(), 216 + 12);
    assert!(!project.gzette("group list --json").exits(0).text().contains("\"state\":\"new\""));
    assert_eq!(read_again(&project.gzette("ingest").exits(0).stderr), 0);
}

/// A week of objects, some of whose errors name tenants and quotas.
fn project_with_errors() -> Project {
    let project = Project::new();
    project.put_week();
    for (number, app) in ["api", "web"].into_iter().enumerate() {
        let mut text = String::new();
        for minute in 0..30_i64 {
            let start = project.now_ms - 30 * HOUR_MS + minute * 60_000;
            let message = format!("quota of {} used up", ["ann", "bob", "eve"][minute as usize % 3]);
            let line = event(start, "ERROR", &message);
            let tenant = format!("\"tenant\":\"t{}\",", minute % 2 + number as i64);
            text.push_str(&line.replacen('{', &format!("{{{tenant}"), 1));
            text.push_str(&event(start, "INFO", "waiting"));
        }
        project.put_stored(&format!("{app}/20260228/{app}_9.gz"), &gz(text.as_bytes()));
    }
    project
}

#[test]
fn changed_rules_apply_to_the_past_as_if_they_had_always_held() {
    let project = project_with_errors();
    project.gzette("run").exits(0);
    let plain = fs::read_to_string(project.path("gzette.toml")).unwrap();
    let objects = project.objects().len();
    for change in CHANGES {
        project.configure(&format!("{plain}\n{change}"));
        let rebuild = project.gzette("group rebuild").exits(0);
        let again = read_again(&rebuild.stderr);
        project.verifies();
        let fresh = project_with_errors();
        fresh.configure(&format!("{plain}\n{change}"));
        fresh.gzette("run").exits(0);
        let (found, expected) = (counted(&project), counted(&fresh));
        assert!(found == expected, "{change}: {} rows, {} expected", found.len(), expected.len());
        let is_of_all = change.is_empty() || change.starts_with("[grouping]") || change.contains("Main");
        assert!(is_of_all || again < objects, "{change}: {again} of {objects} objects were read again");
        assert_eq!(read_again(&project.gzette("group rebuild").exits(0).stderr), 0, "{change}");
    }
}

#[test]
fn only_objects_that_a_custom_group_may_touch_are_read_again() {
    let project = project_with_errors();
    project.gzette("run").exits(0);
    let custom = "[[group]]\nname = 'quota'\ntitle = 'Quota used up'\nmatch = 'used'\n";
    let plain = fs::read_to_string(project.path("gzette.toml")).unwrap();
    let before: BTreeSet<_> = groups(&project).into_keys().collect();
    for (config, title) in [(format!("{plain}\n{custom}"), "Quota used up"), (plain, "quota of <*> used up")]
    {
        project.configure(&config);
        let run = project.gzette("run").exits(0);
        assert_eq!(read_again(&run.stderr), 2, "{}", run.stderr);
        let listed = project.gzette("group list used --json").exits(0).text();
        assert!(listed.contains(title) || title.starts_with("quota"), "{listed}");
    }
    assert_eq!(groups(&project).into_keys().collect::<BTreeSet<_>>(), before, "the custom group has gone");
}

#[test]
fn a_custom_group_splits_by_a_field_and_its_events_are_found() {
    let project = project_with_errors();
    let plain = fs::read_to_string(project.path("gzette.toml")).unwrap();
    project.configure(&format!(
        "{plain}\n[[group]]\nname = 'quota'\ntitle = 'Quota'\nmatch = '\"used up\"'\nsplit = 'tenant'\n"
    ));
    project.gzette("run").exits(0);
    let listed = project.gzette("group list Quota --json --sort title").exits(0).text();
    let rows: Vec<serde_json::Value> =
        listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |row: &serde_json::Value| {
        (row["title"].as_str().unwrap().to_owned(), row["events"].as_u64().unwrap())
    };
    let expected = [("Quota (tenant = t0)", 15), ("Quota (tenant = t1)", 30), ("Quota (tenant = t2)", 15)];
    let expected: BTreeMap<_, _> = expected.map(|(title, events)| (title.to_owned(), events)).into();
    assert_eq!(rows.iter().map(of).collect::<BTreeMap<_, _>>(), expected);
    for row in &rows {
        let found = project.gzette(&format!("search -q --group {}", row["id"].as_str().unwrap())).exits(0);
        let tenant = &row["title"].as_str().unwrap()[16..18];
        let all: Vec<_> = project.objects().values().flat_map(|text| lines_of(text)).collect();
        let needle = format!("\"tenant\":\"{tenant}\"");
        let expected = all.iter().filter(|line| !matching(line, needle.as_bytes()).is_empty()).count();
        assert_eq!(lines_of(&found.stdout).len(), expected, "{row}");
    }
}

#[test]
fn families_and_custom_groups_are_searched_as_the_groups_in_them() {
    let project = project_with_errors();
    let plain = fs::read_to_string(project.path("gzette.toml")).unwrap();
    project.configure(&format!(
        "{plain}\n[[group]]\nname = 'memory'\nmatch = '\"out of memory\"'\nsplit = 'logLevel'\n"
    ));
    let found = |text: &str| {
        let mut lines = lines_of(&project.gzette_with(&["search", "-q", text]).exits(0).stdout);
        lines.sort();
        lines
    };
    project.put("jobs/20260301/jobs_9.gz", event(project.now_ms - HOUR_MS, "ERROR", "quota of 7 used up"));
    project.gzette("run").exits(0);
    let listed = project.gzette("group list quota --json").exits(0).text();
    let id = |line: &str| {
        serde_json::from_str::<serde_json::Value>(line).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let ids: Vec<_> = listed.lines().map(id).collect();
    assert_eq!(ids.len(), 4, "{listed}");
    let all = found("\"used up\"");
    assert_eq!(all.len(), 61);
    for id in &ids {
        assert!(found(&format!("group:{id}")).len() < all.len());
        assert_eq!(found(&format!("family:{id}")), all);
    }
    let memory = found("custom:memory");
    assert!(!memory.is_empty());
    let groups = project.gzette("group list memory --json").exits(0).text();
    let of_each = groups.lines().map(id).flat_map(|id| found(&format!("group:{id}")));
    let mut of_each: Vec<_> = of_each.collect();
    of_each.sort();
    assert_eq!(memory, of_each);
    assert_eq!(found("custom:memory OR NOT custom:memory"), found(""), "a condition that always holds");
    assert_eq!(found("NOT custom:memory").len() + memory.len(), found("").len());
    assert!(found("custom:nothing").is_empty());
    // The word that they had before is read, and said once not to be the word any more.
    let old = project.gzette_with(&["search", "rule:memory OR rule:nothing"]).exits(0);
    let mut by_old_name = lines_of(&old.stdout);
    by_old_name.sort();
    assert_eq!(by_old_name, memory);
    assert_eq!(old.stderr.matches("write `custom:NAME`").count(), 1, "{}", old.stderr);
    assert!(!project.gzette("search custom:memory").exits(0).stderr.contains("write"));
    let wrong = "[[group]]\nname = 'x'\nmatch = 'custom:memory'\n";
    project.configure(&format!("{plain}\n{wrong}"));
    let refused = project.gzette("search x").exits(2).stderr;
    assert!(refused.contains("custom group `x`: `match` asks for a family or a custom group"), "{refused}");
}

#[test]
fn what_the_last_run_took_in_and_what_was_of_a_day_is_found() {
    let mut project = Project::new();
    project.put_week();
    project.gzette("run").exits(0);
    project.now_ms += 600_000;
    project.put("late/20260226/late_0.gz", event(project.now_ms - 72 * HOUR_MS, "INFO", "better late"));
    project.gzette("run").exits(0);
    let found_in =
        |project: &Project, args: &str| project.gzette(&format!("search -q {args}")).exits(0).text();
    let found = |args: &str| found_in(&project, args);
    assert_eq!(found("--last-run").lines().count(), 1);
    assert!(found("--last-run").contains("better late"));
    let of_yesterday = found("--on yesterday");
    assert!(!of_yesterday.is_empty());
    assert_eq!(of_yesterday, found("--on 2026-02-28"));
    assert_eq!(of_yesterday, found("--from 2026-02-28 --to 2026-03-01"));
    assert!(found("--on 2026-02-26").contains("better late"));
    project.now_ms += 600_000;
    project.gzette("run").exits(0);
    assert_eq!(found_in(&project, "--last-run"), "", "it took nothing in");
    project.gzette("search x --on yesterday --since 1h").exits(2);
}

#[test]
fn an_index_from_before_a_rebuild_is_made_good() {
    let project = project_with_errors();
    project.gzette("run").exits(0);
    let old = tempfile::tempdir().unwrap();
    copy_folder(&project.path("state/index"), old.path());
    let plain = fs::read_to_string(project.path("gzette.toml")).unwrap();
    project.configure(&format!("{plain}\n[[group]]\nname = 'quota'\nmatch = 'used'\n"));
    project.gzette("group rebuild").exits(0);
    // As a crash between the commits of ledger and index would leave it.
    fs::remove_dir_all(project.path("state/index")).unwrap();
    copy_folder(old.path(), &project.path("state/index"));
    let run = project.gzette("run").exits(0);
    assert!(run.stderr.contains("the index lacked 2 objects"), "{}", run.stderr);
    project.verifies();
    project.finds_what_is_there(["used up", "waiting", "tenant", "out of memory"]);
}

#[test]
fn an_event_is_explained_as_it_is_grouped() {
    let project = project_with_errors();
    let plain = fs::read_to_string(project.path("gzette.toml")).unwrap();
    project.configure(&format!("{plain}\n[[group]]\nname = 'quota'\nmatch = '\"used up\"'\n"));
    project.gzette("run").exits(0);
    let listed = project.gzette("group list --json --limit 0").exits(0).text();
    let mut custom = 0;
    for row in listed.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()) {
        let id = row["id"].as_str().unwrap();
        let shown = project.gzette(&format!("group show {id} --json")).exits(0).json();
        let raw = shown["samples"][0]["raw"].as_str().unwrap();
        let explained = project.gzette_reading("group explain --json", raw.as_bytes()).exits(0).json();
        assert_eq!(explained["id"], row["id"], "{raw}");
        assert_eq!(explained["counted"], true);
        custom += u32::from(explained["custom"] == "quota");
        let text = project.gzette_reading("group explain", raw.as_bytes()).exits(0).text();
        assert!(text.starts_with(&format!("group     {id}")), "{text}");
    }
    assert_eq!(custom, 1);
    let none = project.gzette_reading("group explain", b"").exits(2);
    none.says(&["the text on stdin is not an event"], "`--message`");
}

#[test]
fn groups_are_listed_and_shown_readably() {
    let project = project_with_errors();
    project.gzette("run").exits(0);
    let all = project.gzette("group list").exits(0).text();
    assert_eq!(all.lines().count(), groups(&project).len());
    let events =
        |line: &str| -> u64 { line.split_whitespace().next().unwrap().replace(',', "").parse().unwrap() };
    let counts: Vec<_> = all.lines().map(events).collect();
    assert!(counts.is_sorted_by(|a, b| a >= b), "{all}");
    let total: u64 = groups(&project).values().sum();
    assert_eq!(counts.iter().sum::<u64>(), total);
    let memory = project.gzette("group list MEMORY").exits(0).text();
    assert_eq!(memory.lines().count(), 1, "{memory}");
    project.put("jobs/20260301/jobs_9.gz", event(project.now_ms - HOUR_MS, "ERROR", "quota of 7 used up"));
    project.gzette("run").exits(0);
    let families = project.gzette("group list --families quota --json").exits(0).json();
    assert_eq!((families["variants"].as_u64(), families["events"].as_u64()), (Some(4), Some(61)));
    let id = memory.split_whitespace().find(|word| word.len() == 12 && word.parse::<GroupId>().is_ok());
    let shown = project.gzette(&format!("group show {}", id.unwrap())).exits(0).text();
    for part in [
        "out of memory",
        "Decided by the stack trace",
        "com.acme.Main.run",
        "By day",
        "_0.gz:",
        " search --group ",
    ] {
        assert!(shown.contains(part), "`{part}` is not in {shown}");
    }
    project.gzette("group show aaaaaaaaaaaa").exits(2).says(&["there is no group"], "gzette group list");
}
