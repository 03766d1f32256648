//! What a search writes: formats for people, spreadsheets and programs, into files and to readers that have gone.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::servers::tool;
use crate::support::{NOON_MS, Outcome, Project, decoded, event, lines_of};

/// One object with what makes cells hard.
fn project() -> Project {
    let project = Project::new();
    let mut text = event(NOON_MS, "ERROR", r#"=HYPERLINK(\"http://evil\")"#);
    text.push_str(&event(NOON_MS + 1, "INFO", r"two\nlines, a \u001b[31m comma"));
    text.push_str("-2 plain\u{7} text\n");
    text.push_str("\tat com.acme.Basket.add(Basket.java:1)\n");
    project.put("api/20260301/api_0.gz", text);
    project.gzette("run").exits(0);
    project
}

/// Returns the records of a text as Python's csv module reads them.
fn records(csv: &[u8]) -> Vec<Vec<String>> {
    let script = "import csv, json, sys, io\n\
        text = io.TextIOWrapper(sys.stdin.buffer, 'utf-8', newline='')\n\
        print(json.dumps(list(csv.reader(text, strict=True))))";
    let mut command = Command::new(tool("python3"));
    let mut child =
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), csv).unwrap();
    serde_json::from_slice(&Outcome::of(child.wait_with_output().unwrap()).exits(0).stdout).unwrap()
}

#[test]
fn csv_is_read_by_others_and_runs_no_formula() {
    let project = project();
    let csv = project.gzette("search --output csv").exits(0).stdout;
    let rows = records(&csv);
    assert_eq!(rows[0], ["time", "level", "app", "object", "line", "message", "raw"]);
    let object = project.path("logs/api/20260301/api_0.gz").to_str().unwrap().to_owned();
    assert_eq!(rows[1][..5], ["2026-03-01T12:00:00.000Z", "error", "api", &object, "1"]);
    let messages: Vec<_> = rows[1..].iter().map(|row| row[5].as_str()).collect();
    assert_eq!(
        messages,
        [
            "'=HYPERLINK(\"http://evil\")",
            // The colour is not part of the message.
            r"two\x0alines, a  comma",
            r"'-2 plain\x07 text",
            r"'\x09at com.acme.Basket.add(Basket.java:1)",
        ]
    );
    assert_eq!(rows[3][6], r"'-2 plain\x07 text");
    assert!(csv.ends_with(b"\r\n") && !csv.contains(&0x1b) && !csv.contains(&7));
    let around = records(&project.gzette("search HYPERLINK -A 1 --output csv").exits(0).stdout);
    let told: Vec<_> = around.iter().map(|row| row[7].as_str()).collect();
    assert_eq!(told, ["match", "true", "false"]);
    assert_eq!(records(&project.gzette("search nowhere --output csv").exits(0).stdout).len(), 1);
}

/// A pipe gets all of a message, a terminal what has room.
#[test]
fn a_table_has_columns() {
    let project = Project::new();
    let long = "word ".repeat(40);
    let line = |logger: &str, message: &str| {
        let line = event(NOON_MS, "WARN", message);
        line.replace("\"origLog", &format!("\"logClass\":\"{logger}\",\"origLog"))
    };
    let text = [line("com.acme.orders.checkout.BasketService", &long), line("Cart", "short\\ttab")].concat();
    project.put("api/20260301/api_0.gz", text);
    project.put("payments/20260301/p_0.gz", event(NOON_MS + 1, "FATAL", "last"));
    project.gzette("run").exits(0);
    let table = project.gzette("search --output table").exits(0).text();
    let expected = format!(
        "2026-03-01T12:00:00.000Z  warn   api       …orders.checkout.BasketService  {}\n\
         2026-03-01T12:00:00.000Z  warn   api       Cart                            short\\x09tab\n\
         2026-03-01T12:00:00.001Z  fatal  payments                                  last\n",
        long.trim_end()
    );
    assert_eq!(table, expected);

    let script = "import pty, sys, fcntl, termios, struct, os\n\
        pid, fd = pty.fork()\n\
        if pid == 0:\n    fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack('HHHH', 24, 100, 0, 0)); os.execv(sys.argv[1], sys.argv[1:])\n\
        data = b''\n\
        while True:\n    \
            try:\n        part = os.read(fd, 65536)\n    \
            except OSError: break\n    \
            if not part: break\n    \
            data += part\n\
        os.waitpid(pid, 0)\n\
        sys.stdout.buffer.write(data)";
    let mut command = Command::new(tool("python3"));
    command.args(["-c", script, env!("CARGO_BIN_EXE_gzette"), "search", "-o", "table", "--no-color", "-q"]);
    project.prepare(&mut command);
    let shown = Outcome::of(command.output().unwrap()).exits(0).text();
    let widths: Vec<_> = shown.lines().map(|line| line.trim_end_matches('\r').chars().count()).collect();
    assert_eq!(widths.len(), 3, "{shown}");
    assert_eq!(widths[0], 100, "{shown}");
    assert!(shown.lines().next().unwrap().trim_end().ends_with('…'), "{shown}");
}

#[test]
fn open_prints_places() {
    let project = project();
    let object = project.path("logs/api/20260301/api_0.gz");
    let places = project.gzette("search --open plain OR Basket").exits(0).text();
    assert_eq!(places, format!("{0}:3\n{0}:4\n", object.display()));
    let json = project.gzette("search --open --json plain OR Basket").exits(0).text();
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found: Vec<_> = lines.iter().map(|line| line["place"].as_str().unwrap()).collect();
    assert_eq!(found, places.lines().collect::<Vec<_>>());
    assert_eq!((&lines[1]["object"], &lines[1]["line"]), (&object.to_str().unwrap().into(), &4.into()));
    project.gzette("search --open --count x").exits(2);
}

#[test]
fn case_is_ignored_by_the_binary_as_by_grep() {
    let project = project();
    for (needle, expected) in
        [("BASKET.ADD", 1), ("Com.Acme", 1), ("hyperlink", 1), ("PLAIN\u{7}", 1), ("ÄÖ", 0)]
    {
        let count = |flags: &[&str]| {
            let args = [&["search", "--count", needle], flags].concat();
            project.gzette_with(&args).exits(0).text().trim().parse::<u32>().unwrap()
        };
        assert_eq!(count(&["--fixed", "--ignore-case"]), expected, "{needle}");
        assert_eq!(count(&["-F", "-i"]), expected, "{needle}");
        assert_eq!(count(&["-F"]), 0, "{needle}");
    }
    project.gzette("search -i hyperlink").exits(2);
}

/// Thirty lines, of which a limit shows two.
fn thirty() -> (Project, String) {
    let project = Project::new();
    let lines = (0..30).map(|number| event(NOON_MS + number, "INFO", &format!("tick {number}")));
    let text: String = lines.collect();
    project.put("api/20260301/api_0.gz", &text);
    project.gzette("run").exits(0);
    (project, text)
}

#[test]
fn all_is_saved_and_the_limit_is_shown() {
    let (project, text) = thirty();
    let saved = |name: &str| fs::read(project.path(name)).unwrap();
    let run = |name: &str, more: &str| {
        let outcome = project.gzette(&format!("search tick --limit 2 --save {name} {more}")).exits(0);
        assert!(outcome.stderr.contains(&format!("30 lines in {name} (")), "{}", outcome.stderr);
        outcome
    };
    let shown = run("hits.log", "").stdout;
    assert_eq!(lines_of(&shown), lines_of(text.as_bytes())[28..]);
    assert!(saved("hits.log") == text.as_bytes());
    run("hits.log.gz", "");
    assert!(decoded(&saved("hits.log.gz")) == text.as_bytes());
    // The file's name decides its format; the option is for the screen, and for names without a known ending.
    let shown = run("hits.jsonl", "--output raw").stdout;
    assert_eq!(lines_of(&shown), lines_of(text.as_bytes())[28..]);
    let all_as = |format: &str| project.gzette(&format!("search tick --output {format}")).exits(0).stdout;
    assert!(saved("hits.jsonl") == all_as("json"));
    run("hits.csv.gz", "");
    assert!(decoded(&saved("hits.csv.gz")) == all_as("csv"));
    run("hits", "--output table");
    assert!(saved("hits") == all_as("table"));
    run("hits.txt", "--json");
    assert!(saved("hits.txt") == all_as("json"));
}

#[test]
fn a_saved_file_replaces_another_whole_and_as_a_redirection_would() {
    let (project, text) = thirty();
    let path = project.path("hits.log");
    fs::write(&path, "an older result").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    symlink(&path, project.path("link.log")).unwrap();
    project.gzette("search tick --save link.log").exits(0);
    assert!(fs::read(&path).unwrap() == text.as_bytes());
    assert!(project.path("link.log").is_symlink());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
    // A new one has what the umask leaves of 0666, as a redirection's.
    project.gzette("search tick --save new.log").exits(0);
    fs::File::create(project.path("other.log")).unwrap();
    let mode = |name: &str| fs::metadata(project.path(name)).unwrap().permissions().mode();
    assert_eq!(mode("new.log"), mode("other.log"));
    // A device is written to and stays a device.
    project.gzette("search tick --save /dev/null").exits(0);
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
    let left: Vec<_> = fs::read_dir(project.dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("gzette-save"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn what_cannot_be_saved_is_said_and_what_was_there_stays() {
    let (project, _) = thirty();
    project.gzette("search tick --save no/such/hits.log").exits(1).says(&["no/such/hits.log"], "folder");
    project.gzette("search tick --save logs").exits(1).says(&["logs", "directory"], "name a file");
    fs::write(project.path("hits.log"), "an older result").unwrap();
    project.gzette("search tick --save hits.log --count").exits(2);
    assert_eq!(fs::read(project.path("hits.log")).unwrap(), b"an older result");
}

/// The file needs every object, also those that the newest lines on the screen do not. That is reported even when the
/// reader of stdout has gone.
#[test]
fn what_the_file_lacks_is_said() {
    let (project, _) = thirty();
    project.put("api/20260228/old_0.gz", event(NOON_MS - 86_400_000, "INFO", "tick of old"));
    project.gzette("run").exits(0);
    for (name, _) in crate::support::files_below(&project.path("state/mirror")) {
        if name.contains("old") {
            fs::remove_file(project.path("state/mirror").join(name)).unwrap();
        }
    }
    let outcome = project.gzette("search tick --limit 1 --save hits.log --offline").exits(3);
    assert_eq!(lines_of(&outcome.stdout).len(), 1);
    assert!(outcome.stderr.contains("old_0.gz: missing or cut short in the mirror"), "{}", outcome.stderr);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let args = ["search", "tick", "--save", "hits.log", "--offline"];
    let outcome = Outcome::of(project.command(&args).stdout(writer).output().unwrap()).exits(3);
    assert!(outcome.stderr.contains("old_0.gz: missing or cut short in the mirror"), "{}", outcome.stderr);
    let args = ["search", "tick", "--save", "no/hits.log"];
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    Outcome::of(project.command(&args).stdout(writer).output().unwrap())
        .exits(1)
        .says(&["no/hits.log"], "folder");
}

/// The line of README.md: applications, texts that are all there, a time, a limit for the screen, a file.
#[test]
fn a_support_team_asks_in_one_line() {
    let project = Project::new();
    for app in ["orders", "billing", "other"] {
        let mut text = String::new();
        for minute in (0..600).rev() {
            let message = ["basket 17 timed out", "basket 18 timed out", "basket 17 is full"][minute % 3];
            text.push_str(&event(NOON_MS - minute as i64 * 60_000, "ERROR", &format!("{message} at {app}")));
        }
        project.put(&format!("{app}/20260301/{app}_0.gz"), text);
    }
    project.gzette("run").exits(0);
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let line = readme.lines().find(|line| line.contains("--save")).unwrap();
    assert!(line.starts_with("gzette search ") && line.ends_with(" --save hits.jsonl"), "{line}");
    let mut command = Command::new("bash");
    project.prepare(&mut command);
    let folder = std::path::Path::new(env!("CARGO_BIN_EXE_gzette")).parent().unwrap();
    command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display()));
    let outcome =
        Outcome::of(command.args(["-c", &format!("{line} --now 2026-03-01T12:00:00Z")]).output().unwrap())
            .exits(0);
    // Every third minute of the last four hours, noon and eight o'clock included, of two applications.
    let shown = lines_of(&outcome.stdout);
    assert_eq!(shown.len(), 50);
    assert!(shown.iter().all(|line| String::from_utf8_lossy(line).contains("basket 17 timed out at ")));
    let saved = fs::read_to_string(project.path("hits.jsonl")).unwrap();
    let rows: Vec<serde_json::Value> = saved.lines().map(|row| serde_json::from_str(row).unwrap()).collect();
    assert_eq!(rows.len(), 2 * 81);
    assert!(
        rows.iter()
            .all(|row| row["app"] != "other" && row["time"].as_str() >= Some("2026-03-01T08:00:00.000Z"))
    );
}

/// Whoever reads the first line only still has all in the file.
#[test]
fn a_reader_that_has_gone_costs_nothing_of_the_file() {
    let (project, text) = thirty();
    let into_nothing = |line: &str| {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let args: Vec<_> = line.split(' ').collect();
        Outcome::of(project.command(&args).stdout(writer).output().unwrap()).exits(0)
    };
    let outcome = into_nothing("search tick --save hits.log");
    assert!(fs::read(project.path("hits.log")).unwrap() == text.as_bytes());
    assert!(!outcome.stderr.contains("error"), "{}", outcome.stderr);
    for line in ["search tick -C 2", "search tick -o csv", "search tick -o table", "search tick --open"] {
        assert_eq!(into_nothing(line).stderr, "", "{line}");
    }
}
