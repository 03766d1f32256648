//! `--by` and `--histogram` count what a plain reading of every line counts.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{NOON_MS, Project, event, lines_of, matching};

/// A week, and an object with fields.
fn project() -> Project {
    let project = Project::new();
    project.put_week();
    let mut text = String::new();
    for number in 0..200 {
        let line = event(NOON_MS - number * 61_000, "INFO", "GET /basket");
        let status = [200, 404, 503][number as usize % 3];
        let fields = json!({
            "status": status, "user": { "name": format!("u{}", number % 5) },
            "logClass": format!("com.acme.C{}", number % 4), "thread": format!("t{}", number % 2),
        });
        text.push_str(&line.replace("}\n", &format!(",{}\n", &fields.to_string()[1..])));
    }
    text.push_str("\u{1b}[31m no JSON\n");
    project.put("access/20260301/access_0.gz", text);
    project.gzette("run").exits(0);
    project
}

/// Counts the lines with a needle by what `key` says of application and line.
fn naive(
    project: &Project,
    needle: &str,
    key: impl Fn(&str, &Value) -> Option<String>,
) -> BTreeMap<Option<String>, u64> {
    let mut counts = BTreeMap::new();
    for (object, text) in project.objects() {
        for line in matching(&text, needle.as_bytes()) {
            let fields = serde_json::from_slice(&line).unwrap_or(Value::Null);
            *counts.entry(key(object.split('/').next().unwrap(), &fields)).or_default() += 1;
        }
    }
    counts
}

fn counted(project: &Project, line: &str, key: &str) -> BTreeMap<Option<String>, u64> {
    let rows = project.gzette(&format!("{line} --json")).exits(0).json();
    let pair = |row: &Value| (row[key].as_str().map(str::to_owned), row["lines"].as_u64().unwrap());
    rows.as_array().unwrap().iter().map(pair).collect()
}

#[test]
fn keys_count_what_a_plain_reading_counts() {
    let project = project();
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Null => None,
        other => Some(other.to_string()),
    };
    let start = |fields: &Value, length: usize, end: &str| {
        fields["@timestamp"].as_str().map(|time| format!("{}{end}", &time[..length]))
    };
    let by = |needle: &str, key: &str| counted(&project, &format!("search --fixed {needle} --by {key}"), key);
    for needle in ["acme", "logLevel", "basket"] {
        assert_eq!(by(needle, "app"), naive(&project, needle, |app, _| Some(app.to_owned())), "{needle}");
        assert_eq!(by(needle, "status"), naive(&project, needle, |_, fields| text(&fields["status"])));
        assert_eq!(
            by(needle, "user.name"),
            naive(&project, needle, |_, fields| text(&fields["user"]["name"]))
        );
        assert_eq!(by(needle, "logger"), naive(&project, needle, |_, fields| text(&fields["logClass"])));
        assert_eq!(by(needle, "thread"), naive(&project, needle, |_, fields| text(&fields["thread"])));
    }
    let hours = naive(&project, "logLevel", |_, fields| start(fields, 13, ":00:00Z"));
    assert_eq!(by("logLevel", "hour"), hours);
    assert_eq!(
        by("logLevel", "day"),
        naive(&project, "logLevel", |_, fields| start(fields, 10, "T00:00:00Z"))
    );
    let level = |fields: &Value| text(&fields["logLevel"]).map(|level| level.to_lowercase());
    assert_eq!(by("logLevel", "level"), naive(&project, "logLevel", |_, fields| level(fields)));
    assert!(hours.len() == 19, "{hours:?}");
}

/// Each group has as many lines as a search for that group finds; the other lines have no group.
#[test]
fn groups_have_the_lines_of_their_events() {
    let project = project();
    let mut groups = counted(&project, "search --by group", "group");
    let total: u64 = groups.values().sum();
    assert_eq!(total, project.objects().values().map(|text| lines_of(text).len() as u64).sum::<u64>());
    assert!(groups.remove(&None).is_some() && groups.len() >= 2, "{groups:?}");
    for (group, lines) in groups {
        let found = project.gzette(&format!("search --group {} --count", group.unwrap())).exits(0);
        assert_eq!(found.text(), format!("{lines}\n"));
    }
}

#[test]
fn rows_are_in_the_order_of_time_or_the_largest_first() {
    let project = project();
    let rows = project.gzette("search --fixed GET --count --by status,thread").exits(0).text();
    let expected = "\
        34  200  t0\n\
        33  200  t1\n\
        34  404  t1\n";
    assert!(
        rows.lines().count() == 6
            && rows.lines().is_sorted_by_key(|row| std::cmp::Reverse(row[..2].to_owned())),
        "{rows}"
    );
    assert!(expected.lines().all(|row| rows.contains(row)), "{rows}");
    let by_time = project.gzette("search logLevel --by app,day --app api,web --json").exits(0).json();
    let days: Vec<_> =
        by_time.as_array().unwrap().iter().map(|row| row["day"].as_str().unwrap().to_owned()).collect();
    assert!(days.is_sorted() && days.len() == 14 && days[0] == days[1], "{days:?}");
    let csv = project.gzette("search --fixed JSON --by status,app --output csv").exits(0).text();
    assert_eq!(csv, "status,app,lines\r\n,access,1\r\n");
    let table = project.gzette("search --fixed JSON --by status,app").exits(0).text();
    assert_eq!(table, "1  -  access\n");
    assert_eq!(project.gzette("search nowhere --by app --json").exits(0).json(), json!([]));
    for wrong in ["search --by app,,level", "search --by app --save x", "search --by app --histogram"] {
        project.gzette(wrong).exits(2);
    }
}

/// With very many keys the rest is counted as such.
#[test]
fn what_is_too_much_to_tell_apart_is_counted_together() {
    let project = Project::new();
    let mut text = String::new();
    for number in 0..10_050 {
        text.push_str(
            &event(NOON_MS, "INFO", "x").replace("}\n", &format!(",\"id\":\"n{}\"}}\n", number.min(10_020))),
        );
    }
    project.put("api/20260301/api_0.gz", text);
    project.gzette("run").exits(0);
    let rows = project.gzette("search --by id --json").exits(0).json();
    assert_eq!(rows.as_array().unwrap().len(), 10_001);
    assert_eq!(rows[10_000], json!({ "other": true, "lines": 50 }));
    let text = project.gzette("search --by id").exits(0).text();
    assert_eq!(text.lines().last(), Some("50  (other)"));
}

#[test]
fn a_histogram_counts_every_line_once_and_shows_gaps() {
    let project = Project::new();
    let minutes = [0, 0, 0, 1, 4, 4, 59];
    let text: String = minutes.iter().map(|minute| event(NOON_MS + minute * 60_000, "WARN", "x")).collect();
    project.put("api/20260301/api_0.gz", text);
    project.gzette("run").exits(0);
    let found = project.gzette("search --histogram --json").exits(0).json();
    assert_eq!(found["bucket_seconds"], 300);
    let lines: Vec<_> =
        found["buckets"].as_array().unwrap().iter().map(|row| row["lines"].as_u64().unwrap()).collect();
    assert_eq!(lines, [6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    assert_eq!(found["buckets"][11]["time"], "2026-03-01T12:55:00.000Z");
    let drawn =
        project.gzette("search --histogram --to 2026-03-01T12:30 --from 2026-03-01T12:00").exits(0).text();
    let rows: Vec<_> = drawn.lines().collect();
    assert_eq!(rows.len(), 30);
    assert_eq!(
        rows[..5],
        [
            format!("2026-03-01 12:00  3  {}", "█".repeat(58)).as_str(),
            &format!("2026-03-01 12:01  1  {}▍", "█".repeat(19)),
            "2026-03-01 12:02  0",
            "2026-03-01 12:03  0",
            &format!("2026-03-01 12:04  2  {}▋", "█".repeat(38)),
        ]
    );
    // From 8:00 on, and beyond noon, which is now, as far as there are lines.
    let hours = project.gzette("search --histogram --since 4h --output csv").exits(0).text();
    assert_eq!(hours.lines().count(), 1 + 30);
    assert_eq!(hours.lines().filter(|row| !row.ends_with(",0")).count(), 1 + 2);
    assert_eq!(project.gzette("search nowhere --histogram").exits(0).text(), "");
}
