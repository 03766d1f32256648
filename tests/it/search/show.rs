//! `gzette show`: a place that a search printed leads back to the line, its event and its neighbours.

use std::fmt::Write as _;
use std::fs;

use serde_json::Value;

use crate::support::{NOON_MS, Project, event, lines_of};

const KEY: &str = "api/20260301/api_0.gz";

/// An object with an event that is longer than many blocks: lines 301 to 1101.
fn project() -> (Project, Vec<String>) {
    let project = Project::new();
    let mut text = String::new();
    for number in 1..=300 {
        text.push_str(&event(NOON_MS + number, "INFO", &format!("early {number}")));
    }
    text.push_str(&event(NOON_MS + 400, "ERROR", "deep"));
    for frame in 0..800 {
        writeln!(text, "\tat com.acme.Deep.call(Deep.java:{frame})").unwrap();
    }
    for number in 1..=300 {
        text.push_str(&event(NOON_MS + 500 + number, "WARN", &format!("late {number}")));
    }
    project.put(KEY, &text);
    project.gzette("run").exits(0);
    (project, text.lines().map(str::to_owned).collect())
}

/// Returns number, whether asked for, whether of the event, and text of each line shown.
fn rows(project: &Project, line: &str) -> Vec<(usize, bool, bool, String)> {
    let object = project.path("logs").join(KEY);
    let text = project.gzette(&format!("show {}:{line} --json", object.display())).exits(0).text();
    let row = |row: Value| {
        assert_eq!(row["object"], object.to_str().unwrap());
        (
            row["line"].as_u64().unwrap() as usize,
            row["match"] == true,
            row["event"] == true,
            row["raw"].as_str().unwrap().to_owned(),
        )
    };
    text.lines().map(|line| row(serde_json::from_str(line).unwrap())).collect()
}

fn shows(project: &Project, lines: &[String], what: &str) {
    for (asked, options, first, last, event) in [
        (1, "", 1, 6, 1..=1),
        (150, "-C 2", 148, 152, 150..=150),
        (301, "-C 1", 300, 1102, 301..=1101),
        (700, "-B 3 -A 0", 298, 1101, 301..=1101),
        (1101, "-A 2", 301, 1103, 301..=1101),
        (1102, "-C 0", 1102, 1102, 1102..=1102),
        (1401, "-C 20", 1381, 1401, 1401..=1401),
        (700, "-C 99999", 1, 1401, 301..=1101),
    ] {
        let expected: Vec<_> = (first..=last)
            .map(|number| (number, number == asked, event.contains(&number), lines[number - 1].clone()))
            .collect();
        assert!(rows(project, &format!("{asked} {options}")) == expected, "{what}: {asked} {options}");
    }
}

#[test]
fn an_event_is_shown_whole_whatever_is_at_hand() {
    let (project, lines) = project();
    shows(&project, &lines, "from the mirror");
    fs::remove_dir_all(project.path("state/index")).unwrap();
    shows(&project, &lines, "without an index");
    project.gzette("ingest").exits(0);
    fs::remove_dir_all(project.path("state/mirror")).unwrap();
    shows(&project, &lines, "fetched");
    let object = project.path("logs").join(KEY);
    let place = format!("{}:1", object.display());
    let refused = project.gzette(&format!("show {place} --offline")).exits(1);
    refused.says(&["api_0.gz", "`--offline` forbids it"], "without --offline");
    fs::remove_file(object).unwrap();
    project.gzette(&format!("show {place}")).exits(1).says(&["api_0.gz", "not fetched"], "status");
}

#[test]
fn places_of_a_search_are_shown_and_the_line_is_marked() {
    let (project, lines) = project();
    let places = project.gzette("search --open deep OR Deep.java:799").exits(0).text();
    let place = places.lines().last().unwrap();
    assert!(place.ends_with(":1101"), "{places}");
    let shown = project.gzette(&format!("show {place} -B 0 -A 1")).exits(0).text();
    let shown: Vec<_> = shown.lines().collect();
    assert_eq!(shown.len(), 802);
    assert_eq!(shown[0], format!("|    301  {}", lines[300]));
    assert_eq!(shown[800], format!(">   1101  {}", lines[1100]));
    assert_eq!(shown[801], format!("    1102  {}", lines[1101]));
    // A path may be relative.
    let relative = project.gzette(&format!("show logs/{KEY}:2 -C 0")).exits(0);
    assert_eq!(relative.text(), format!(">      2  {}\n", lines[1]));
}

#[test]
fn what_is_not_there_is_said() {
    let (project, _) = project();
    project.gzette(&format!("show logs/{KEY}:1402")).exits(1).says(&["no line 1402", KEY], "1,401 lines");
    project.gzette("show s3://other/key.gz:1").exits(1).says(&["s3://other/key.gz"], "logs");
    for wrong in ["nothing", "key.gz:0", "key.gz:x", ":3", "key.gz:"] {
        let refused = project.gzette(&format!("show {wrong}")).exits(2);
        assert!(refused.stderr.contains("search --open"), "{}", refused.stderr);
    }
}

#[test]
fn control_characters_are_visible() {
    let project = Project::new();
    project.put(KEY, b"\x1b[31mred\x07\n");
    project.gzette("run").exits(0);
    let shown = project.gzette(&format!("show logs/{KEY}:1")).exits(0);
    assert_eq!(lines_of(&shown.stdout), [br">      1  \x1b[31mred\x07".to_vec()]);
}

/// A line far inside a large object is read from an access point: what stands before it may be damaged.
#[test]
fn what_stands_before_is_not_read() {
    let project = Project::new();
    let mut text = String::new();
    for number in 0..90_000 {
        let noise = blake3::hash(&[number as u8, (number >> 8) as u8, (number >> 16) as u8]);
        text.push_str(&event(NOON_MS + number, "INFO", &format!("{noise} {number}")));
    }
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6));
    std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
    project.put_stored(KEY, &encoder.finish().unwrap());
    project.gzette("run").exits(0);
    let mirrored = crate::support::files_below(&project.path("state/mirror"));
    let (name, mut stored) = mirrored.into_iter().next().unwrap();
    stored[20..1000].fill(0xff);
    fs::write(project.path("state/mirror").join(name), stored).unwrap();
    let shown = project.gzette(&format!("show logs/{KEY}:89000 -C 0")).exits(0).text();
    assert!(shown.contains(" 88999\"}"), "{shown}");
    let refused = project.gzette(&format!("show logs/{KEY}:9 -C 0 --offline")).exits(1);
    assert!(refused.stderr.contains("has changed since it was counted"), "{}", refused.stderr);
    project.gzette(&format!("show logs/{KEY}:9 -C 0")).exits(0);
}
