//! The binary beside the real `zgrep`: filters, forms of output, terminals, mishaps.

use std::fs;
use std::io::Write as _;
use std::process::Command;

use gzette_core::model::HOUR_MS;

use crate::servers::tool;
use crate::support::{NOON_MS, Project, event, gz, lines_of, text_of, week};

/// Objects as programs write them, with all that makes lines hard.
fn hard_project() -> Project {
    let project = Project::new();
    project.put_week();
    let today = "20260301";
    let mut text =
        event(NOON_MS, "ERROR", r#"caf\u00e9 \ud83d\ude00 C:\\temp\\new user=\"a b\"\n\tat x"#).into_bytes();
    text.extend(b"dos line\r\n\nnul \0 inside\n\xff\xfe not UTF-8 caf\xc3\xa9\n");
    text.extend(format!("{}\n", "w".repeat(300)).bytes());
    text.extend(format!("{} lorem\n", "long line ".repeat(20_000)).bytes());
    text.extend(b"- dashes -- first\n'quoted' $HOME `x` \\backslash\nno newline at the end");
    let stored = [gz(&text[..100]), gz(&text[100..])].concat();
    project.put_stored(&format!("api/{today}/hard_0.gz"), &stored);
    project
}

#[test]
fn the_binary_finds_what_zgrep_finds() {
    let project = hard_project();
    project.gzette("run").exits(0);
    let needles: [&[u8]; 36] = [
        b"order 4",
        b"rder",
        b"r",
        b"\"",
        b"\\",
        b"\\n",
        b"\\n\\tat",
        b"n\\tat com",
        b"tat com.acme.Basket",
        b"java:4)",
        b"IllegalState",
        b"illegalstate",
        b"out of memory",
        b"thing 12\\\"",
        b"\\\"thing",
        b"T0",
        b"\"logLevel\":\"FATAL\"",
        b"u00e9",
        b"00e9 ",
        b"e9 \\ud83d",
        b"\\ude00",
        b"C:\\\\temp\\\\new",
        b"temp\\\\n",
        b"a b\\\"",
        b"dos line\r",
        b"\r",
        b"\xff\xfe",
        b"caf\xc3\xa9",
        b"\xa9",
        b"wwwwwwwwww",
        b"lorem",
        b"- dashes --",
        b"--",
        b"'quoted' $HOME `x`",
        b"at the end",
        b"never written anywhere",
    ];
    for needle in needles {
        assert!(project.finds(needle) == zgrep(&project, needle), "`{}`", String::from_utf8_lossy(needle));
    }
    assert_eq!(project.finds(b"").len(), zgrep(&project, b"").len());
}

/// Returns the lines that the real `zgrep` finds, sorted.
fn zgrep(project: &Project, needle: &[u8]) -> Vec<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt as _;
    let mut command = Command::new("zgrep");
    project.prepare(&mut command);
    command.env("LC_ALL", "C").args(["-h", "-a", "-F", "-e"]).arg(std::ffi::OsStr::from_bytes(needle));
    let keys = crate::support::files_below(&project.path("logs")).into_keys();
    let output = command.arg("--").args(keys.map(|key| project.path("logs").join(key))).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut found = lines_of(&output.stdout);
    found.sort();
    found
}

/// Applications, levels and hours of one day, each line with a word of its own.
fn small_project() -> Project {
    let project = Project::new();
    for app in ["api", "web"] {
        let mut text = String::new();
        for hour in 0..4 {
            for level in ["INFO", "ERROR"] {
                let message = format!(r"Tick-{hour} of {app}\nDone {}", level.to_lowercase());
                text.push_str(&event(NOON_MS - hour * HOUR_MS, level, &message));
            }
        }
        project.put(&format!("{app}/20260301/{app}_0.gz"), text);
    }
    project.gzette("run").exits(0);
    project
}

#[test]
fn filters_choose_lines() {
    let project = small_project();
    // 2 applications × 4 hours × 2 levels.
    for (line, expected) in [
        ("search", 16),
        ("search tick", 16),
        ("search TICK done", 16),
        ("search tic", 0),
        ("search ndone", 0),
        ("search --fixed tick", 0),
        ("search --fixed Tick-2", 4),
        ("search --fixed ick-2 rro", 2),
        ("search tick-2", 0),
        ("search Tick-2", 4),
        ("search --app api", 8),
        ("search --app api,web", 16),
        ("search --level error", 8),
        ("search --level error,info", 16),
        ("search --level fatal", 0),
        ("search --since 2h", 12), // 10:00 is in it
        ("search --since 119m", 8),
        ("search --from 2026-03-01T10:00 --to 2026-03-01T12:00", 8), // 10 and 11, not 12
        ("search --from 2026-03-01T10:00:00.001Z", 8),
        ("search --to 2026-03-01T09:00", 0),
        ("search --limit 3", 3),
        ("search --limit 0", 16),
        ("search --limit 5 --app web --level info", 4),
        ("search error --app web --level error --since 1h", 2),
    ] {
        let found = project.gzette(line).exits(0);
        assert_eq!(lines_of(&found.stdout).len(), expected, "{line}");
        if !line.contains("--limit") {
            let counted = project.gzette(&format!("{line} --count")).exits(0);
            assert_eq!(counted.text(), format!("{expected}\n"), "{line}");
        }
    }
    assert_eq!(project.gzette("search tick --count --json").json(), serde_json::json!({ "lines": 16 }));
    for line in [
        "search \"open",
        "search --from 2026-03-02 --to 2026-03-01",
        "search --since soon",
        "search --level loud",
        "search --app nobody",
    ] {
        let failed = project.gzette(line).exits(2);
        assert!(failed.stdout.is_empty() && !failed.stderr.is_empty());
    }
}

#[test]
fn output_is_the_line_json_or_text() {
    let project = small_project();
    let raw = project.gzette("search --app api --level error --limit 2").exits(0).text();
    let expected = [1, 0]
        .map(|hour| event(NOON_MS - hour * HOUR_MS, "ERROR", &format!(r"Tick-{hour} of api\nDone error")));
    assert_eq!(raw, expected.concat());

    let json = project.gzette("search --app api --level error --limit 2 --output json").exits(0).text();
    let rows: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let object = project.path("logs/api/20260301/api_0.gz");
    for ((row, line), (number, time)) in rows.iter().zip(&expected).zip([(4, "11"), (2, "12")]) {
        let expected = serde_json::json!({
            "time": format!("2026-03-01T{time}:00:00.000Z"), "level": "error", "app": "api",
            "object": object.to_str().unwrap(), "line": number, "raw": line.trim_end(),
        });
        assert_eq!(row, &expected);
    }
    assert_eq!(rows.len(), 2);
    assert_eq!(project.gzette("search --app api --level error --limit 2 --json").exits(0).text(), json);

    let text = project.gzette("search --app api --level error --limit 1 --output text").exits(0).text();
    assert_eq!(text, format!("{}:2:{}", object.display(), expected[1]));
}

#[test]
fn control_characters_are_made_visible_on_a_terminal_only() {
    let project = Project::new();
    let line = b"\x1b[31mred\x07 \xe2\x80\xae turned \xff";
    project.put("api/20260301/api_0.gz", [&line[..], b"\n"].concat());
    project.gzette("run").exits(0);
    assert_eq!(project.gzette("search turned").exits(0).stdout, [&line[..], b"\n"].concat());

    let shown = on_a_terminal(&project, &["search", "turned", "--no-color"]);
    assert!(shown.contains(r"\x1b[31mred\x07 \u{202e} turned"), "{shown}");
    assert!(!shown.contains(['\x1b', '\x07', '\u{202e}']), "{shown:?}");
}

/// On a terminal what was looked for is in grep's colour, context dimmed, and nothing of a line is a sequence.
#[test]
fn what_was_looked_for_is_marked_on_a_terminal() {
    let project = Project::new();
    let lines = [event(NOON_MS, "INFO", "before"), event(NOON_MS, "WARN", "Lost one, lost two")];
    let text = [lines.concat().as_bytes(), b"\x1b[31m lost\x1b[0m and \x1b[32m\n"].concat();
    project.put("api/20260301/api_0.gz", text);
    project.gzette("run").exits(0);
    let shown = on_a_terminal(&project, &["search", "lost OR /.\\[3./", "-B", "1", "-q"]);
    assert!(shown.contains("\x1b[1;31mLost\x1b[0m one, \x1b[1;31mlost\x1b[0m two"), "{shown:?}");
    assert!(shown.starts_with("\x1b[2m{\"") && shown.contains("before\"}\x1b[0m"), "{shown:?}");
    // What stands in the line is shown, not done, marked or not.
    let wreck = [r"\x1b[31", "lost", r"\x1b[32"].map(|found| format!("\x1b[1;31m{found}\x1b[0m"));
    let wreck = format!(r"{}m {}\x1b[0m and {}m", wreck[0], wreck[1], wreck[2]);
    assert!(shown.contains(&wreck), "{shown:?}");
    assert_eq!(shown.matches('\x1b').count(), 2 * 5 + 2, "{shown:?}");

    let table = on_a_terminal(&project, &["search", "lost", "-q", "--output", "table"]);
    assert!(table.contains("\x1b[1;31mLost\x1b[0m one, \x1b[1;31mlost\x1b[0m two"), "{table:?}");
    assert!(!project.gzette("search lost").exits(0).text().contains("\x1b[1"));
}

/// Returns what the binary prints on a terminal: Python's pty is one.
fn on_a_terminal(project: &Project, args: &[&str]) -> String {
    let mut command = Command::new(tool("python3"));
    command.args(["-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"]);
    command.arg(env!("CARGO_BIN_EXE_gzette")).args(args);
    project.prepare(&mut command);
    let output = command.output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{shown}");
    shown
}

#[test]
fn a_week_is_searched_through_the_binary_after_every_mishap() {
    let project = Project::new();
    let needles = ["thing 3", "Basket.java:4", "out of memory", "JAVA_TOOL", "api did", "\\\"", "nowhere"];
    let objects = week(NOON_MS);
    let (first, second) = objects.split_at(objects.len() / 2);
    for (key, text) in first {
        project.put(key, text);
    }
    project.gzette("run").exits(0);
    project.finds_what_is_there(needles);
    for (key, text) in second {
        project.put(key, text);
    }
    project.gzette("run").exits(0);
    project.finds_what_is_there(needles);
    project.put(&objects[0].0, text_of("replaced", NOON_MS, 300));
    project.gzette("run").exits(0);
    project.finds_what_is_there(needles.into_iter().chain(["replaced did"]));
    fs::remove_dir_all(project.path("state/index")).unwrap();
    project.finds_what_is_there(needles);
    project.gzette("ingest").exits(0);
    project.finds_what_is_there(needles);
    project.verifies();
    fs::File::create(project.path("state/index/meta.json")).unwrap().write_all(b"{").unwrap();
    project.finds_what_is_there(needles);
}
