//! Lines around those found are those that the real grep prints.

use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::{NOON_MS, Outcome, Project, decoded, event, gz, lines_of};

const KEY: &str = "api/20260301/api_0.gz";

/// One object of many blocks: matches alone, beside one another, at both ends and around the borders of blocks.
fn project() -> Project {
    let project = Project::new();
    let marked = [1, 2, 5, 127, 128, 129, 256, 257, 384, 385, 390, 700, 703, 706, 999, 1000];
    let mut text = String::new();
    for number in 1..=1000 {
        let word = if marked.contains(&number) { "marked" } else { "plain" };
        match number % 10 {
            7 => writeln!(text, "\tat com.acme.{word}.Call(Call.java:{number})").unwrap(),
            _ => text.push_str(&event(NOON_MS + number * 1000, "INFO", &format!("{word} {number}"))),
        }
    }
    let text = text.trim_end();
    project.put_stored(KEY, &[gz(&text.as_bytes()[..50_000]), gz(&text.as_bytes()[50_000..])].concat());
    project.gzette("run").exits(0);
    project
}

/// Returns what the real grep prints of the object.
fn grep(project: &Project, options: &[&str], needle: &str) -> String {
    let path = project.path("text");
    fs::write(&path, decoded(&fs::read(project.path("logs").join(KEY)).unwrap())).unwrap();
    let mut command = Command::new("grep");
    project.prepare(&mut command);
    command.args(options).args(["-h", "-a", "-F", "-e", needle, "--"]).arg(path);
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

fn search(project: &Project, options: &[&str], needle: &str) -> String {
    let args = [&["search", "--fixed", needle], options].concat();
    project.gzette_with(&args).exits(0).text()
}

fn agrees(project: &Project, what: &str) {
    for needle in ["marked", "marked 1000", "plain 128", "marked 257", "Call.java:127)", "nowhere"] {
        for options in [
            &["-C", "1"][..],
            &["-C", "2"],
            &["-C", "300"],
            &["-A", "3"],
            &["-B", "3"],
            &["-A", "1", "-B", "130"],
            &["-A", "5", "-C", "1"],
            &["-C", "18446744073709551615"],
        ] {
            // grep does not take such a number; a thousand lines are all there are.
            let of_grep: Vec<_> =
                options.iter().map(|option| if option.len() > 9 { "9999" } else { option }).collect();
            let (found, expected) = (search(project, options, needle), grep(project, &of_grep, needle));
            assert!(found == expected, "{what}: {needle} {options:?}:\n{found}\nand not\n{expected}");
        }
    }
}

#[test]
fn context_is_that_of_grep_whatever_is_at_hand() {
    let project = project();
    agrees(&project, "from the mirror");
    fs::remove_dir_all(project.path("state/mirror")).unwrap();
    agrees(&project, "fetched");
    // Read for the matches, for their context and for the file: fetched once.
    let once = project.gzette("search --fixed marked -C 1 --limit 2 --save all.log").exits(0);
    assert!(once.stderr.contains("fetch     1 object that"), "{}", once.stderr);
    let refused = project.gzette("search --fixed marked -C 1 --offline").exits(3);
    assert!(refused.stdout.is_empty() && refused.stderr.contains("--offline"), "{}", refused.stderr);
    fs::remove_dir_all(project.path("state/index")).unwrap();
    agrees(&project, "fetched, without an index");
}

/// The newest matches with what stands around them; older matches are context like any other line, and matches.
#[test]
fn a_limit_counts_matches_and_not_their_context() {
    let project = project();
    let rows = |line: &str| -> Vec<(u64, bool)> {
        let text = project.gzette(line).exits(0).text();
        let rows = text.lines().map(|row| serde_json::from_str::<Value>(row).unwrap());
        rows.map(|row| (row["line"].as_u64().unwrap(), row["match"].as_bool().unwrap())).collect()
    };
    assert_eq!(
        rows("search --fixed marked -C 1 --limit 2 --json"),
        [(998, false), (999, true), (1000, true)]
    );
    assert_eq!(
        rows("search --fixed marked -B 4 --limit 3 --json"),
        [
            (702, false),
            (703, true),
            (704, false),
            (705, false),
            (706, true),
            (995, false),
            (996, false),
            (997, false),
            (998, false),
            (999, true),
            (1000, true),
        ]
    );
    assert_eq!(rows("search --fixed marked --level info --limit 1 --json -A 1"), [(1000, true)]);
    let text = project.gzette("search --fixed marked -B 1 --limit 1 --output text").exits(0).text();
    let object = project.path("logs").join(KEY);
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with(&format!("{}:999:{{", object.display())), "{text}");
    assert!(lines[1].starts_with(&format!("{}:1000:{{", object.display())), "{text}");
}

/// A line of context has the time and level of its own event, read from wherever its block begins.
#[test]
fn context_has_its_own_time_and_level() {
    let project = Project::new();
    let mut text = event(NOON_MS, "ERROR", "first");
    for frame in 0..400 {
        writeln!(text, "\tat com.acme.Deep.call(Deep.java:{frame})").unwrap();
    }
    text.push_str("loose\n");
    text.push_str(&event(NOON_MS + 5000, "WARN", "second"));
    project.put(KEY, &text);
    project.gzette("run").exits(0);
    let rows: Vec<Value> = project
        .gzette("search --fixed Deep.java:399 -C 2 -o json")
        .exits(0)
        .text()
        .lines()
        .map(|row| serde_json::from_str(row).unwrap())
        .collect();
    let told: Vec<_> =
        rows.iter().map(|row| (row["time"].as_str().unwrap(), row["level"].as_str().unwrap())).collect();
    let noon = "2026-03-01T12:00:00.000Z";
    let expected = [
        (noon, "error"),
        (noon, "error"),
        (noon, "error"),
        (noon, "unknown"),
        ("2026-03-01T12:00:05.000Z", "warn"),
    ];
    assert_eq!(told, expected);
}

/// The lines of a group, searched event by event, have context as well.
#[test]
fn a_group_has_context() {
    let project = Project::new();
    let mut text = String::new();
    for number in 0..300 {
        text.push_str(&event(NOON_MS + number, "INFO", &format!("before {number}")));
    }
    text.push_str(&event(NOON_MS + 400, "ERROR", "basket is gone"));
    text.push_str("\tat com.acme.Basket.add(Basket.java:1)\n");
    text.push_str(&event(NOON_MS + 500, "INFO", "after"));
    project.put(KEY, &text);
    project.gzette("run").exits(0);
    let counted = project.gzette("count --by group --level error --json").json();
    let group = counted[0]["group"].as_str().unwrap().to_owned();
    let found = project.gzette(&format!("search --group {group} -C 2")).exits(0);
    assert_eq!(lines_of(&found.stdout), lines_of(text.as_bytes())[298..]);
}

#[test]
fn several_objects_are_shown_one_after_another() {
    let project = Project::new();
    for (app, shift) in [("api", 0), ("web", 1)] {
        let lines =
            (0..6).map(|number| event(NOON_MS + number * 10 + shift, "INFO", &format!("{app} {number}")));
        project.put(&format!("{app}/20260301/{app}_0.gz"), lines.collect::<String>());
    }
    project.gzette("run").exits(0);
    let shown = |line: &str| Outcome::text(&project.gzette(line).exits(0));
    for line in ["search /[15]\"/ -C 1", "search /[15]\"/ -C 1 --limit 4"] {
        let text = shown(line);
        let words: Vec<_> = text
            .lines()
            .map(|line| line.split("Entry\":\"").nth(1).map_or(line, |rest| rest.trim_end_matches("\"}")))
            .collect();
        let expected = [
            "api 0", "api 1", "api 2", "--", "api 4", "api 5", "--", "web 0", "web 1", "web 2", "--",
            "web 4", "web 5",
        ];
        assert_eq!(words, expected, "{line}");
    }
}
