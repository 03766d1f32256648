//! A project in a temporary folder: gz objects, a configuration, and the real binary run on both with a
//! fixed clock and a clean environment. What a test expects is worked out here from the objects
//! themselves, by plain decoding.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use gzette::edges::ledger::{GenerationRow, Ledger};
use gzette_core::model::{HOUR_MS, UtcMs};
use gzette_core::partial::Partial;
use gzette_core::partial::packed::{GroupPart, Packed, Span, each_count, each_span};
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

/// 2026-03-01T12:00:00Z.
pub(crate) const NOON_MS: UtcMs = UtcMs::new(1_772_366_400_000);

const CONFIG: &str = r#"state_dir = "state"

[[source]]
name = "prod"
url = "logs/"

[site]
dir = "site"

[[digest]]
name = "ops"
to = ["ops@example.com"]
from = "gzette@example.com"
"#;

/// A configuration, its objects and its state.
pub(crate) struct Project {
    dir: TempDir,
    /// What `--now` says.
    pub(crate) now_ms: UtcMs,
    env: Vec<(String, String)>,
}

/// How a command ended and what it said.
#[derive(Debug)]
pub(crate) struct Outcome {
    status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Project {
    /// Returns an empty project whose source is the folder `logs`.
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("logs")).unwrap();
        let project = Self { dir, now_ms: NOON_MS, env: Vec::new() };
        project.configure(CONFIG);
        project
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn configure(&self, text: &str) {
        fs::write(self.path("gzette.toml"), text).unwrap();
    }

    /// Replaces a part of the configuration, which must be there.
    pub(crate) fn reconfigure(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.path("gzette.toml")).unwrap();
        assert!(text.contains(from), "`{from}` is not in {text}");
        self.configure(&text.replace(from, to));
    }

    /// Sets a variable of the commands' environment.
    pub(crate) fn set_env(&mut self, name: &str, value: &str) {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Takes a variable out of the commands' environment.
    pub(crate) fn unset_env(&mut self, name: &str) {
        self.env.retain(|(known, _)| known != name);
    }

    /// Puts an object into the folder, given its stored bytes.
    pub(crate) fn put_stored(&self, key: &str, stored: &[u8]) {
        let path = self.path("logs").join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Another file than the one before, as a bucket would have it: another inode, another etag.
        let temporary = self.path("logs").join(".gzette-put-test");
        fs::write(&temporary, stored).unwrap();
        fs::rename(&temporary, path).unwrap();
    }

    /// Puts an object whose text is compressed in one member.
    pub(crate) fn put(&self, key: &str, text: impl AsRef<[u8]>) {
        self.put_stored(key, &gz(text.as_ref()));
    }

    /// Puts three applications' objects of the seven days to now.
    pub(crate) fn put_week(&self) {
        for (key, text) in week(self.now_ms) {
            self.put(&key, text);
        }
    }

    /// Puts the week and an error of the last hour that was never there before.
    pub(crate) fn put_week_and_a_new_error(&self) {
        self.put_week();
        let text = event(self.now_ms - HOUR_MS / 2, "ERROR", "the printer is on fire");
        self.put(&format!("api/{}/new.gz", day_of(self.now_ms)), text);
    }

    /// Returns the command line, ready to be run.
    pub(crate) fn command<A: AsRef<OsStr>>(&self, args: &[A]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gzette"));
        self.prepare(&mut command);
        // First, for behind `--` it would be a text.
        command.args(["--now".to_owned(), self.now_ms.stamp().unwrap().to_string()]);
        command.args(args);
        command
    }

    /// Gives a command the project's folder and environment.
    pub(crate) fn prepare(&self, command: &mut Command) {
        command.current_dir(self.dir()).stdin(Stdio::null()).env_clear();
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("HOME", self.dir());
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("LC_ALL", "C.UTF-8");
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
    }

    /// Runs `gzette` with arguments that hold no spaces.
    pub(crate) fn gzette(&self, line: &str) -> Outcome {
        self.gzette_with(&line.split_whitespace().collect::<Vec<_>>())
    }

    /// Runs `gzette` with arguments of any kind.
    pub(crate) fn gzette_with<A: AsRef<OsStr>>(&self, args: &[A]) -> Outcome {
        Outcome::of(self.command(args).output().unwrap())
    }

    /// Runs `gzette` with arguments that hold no spaces and a text on stdin.
    pub(crate) fn gzette_reading(&self, line: &str, stdin: &[u8]) -> Outcome {
        let mut command = self.command(&line.split_whitespace().collect::<Vec<_>>());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A command that has seen enough does not read on.
        let _ = child.stdin.take().unwrap().write_all(stdin);
        Outcome::of(child.wait_with_output().unwrap())
    }

    /// Starts `gzette` and leaves it at work.
    pub(crate) fn start(&self, line: &str) -> Child {
        let mut command = self.command(&line.split_whitespace().collect::<Vec<_>>());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs `gzette verify` and requires that all agrees.
    pub(crate) fn verifies(&self) {
        let report = self.gzette("verify --json").json();
        assert_eq!(report["ok"], true, "{report:#}");
    }

    /// Returns the lines that `gzette search --fixed` finds, sorted, each with a newline.
    pub(crate) fn finds(&self, needle: &[u8]) -> Vec<Vec<u8>> {
        use std::os::unix::ffi::OsStrExt as _;
        let args: [&OsStr; 5] =
            ["search".as_ref(), "--fixed".as_ref(), "-q".as_ref(), "--".as_ref(), OsStr::from_bytes(needle)];
        // The options of the project stand before `--`.
        let mut command = self.command::<&OsStr>(&[]);
        command.args(args);
        let mut found = lines_of(&Outcome::of(command.output().unwrap()).exits(0).stdout);
        found.sort();
        found
    }

    /// Requires that each needle finds what plain decoding finds.
    pub(crate) fn finds_what_is_there<'n>(&self, needles: impl IntoIterator<Item = &'n str>) {
        let objects = self.objects();
        for needle in needles {
            let mut expected: Vec<_> =
                objects.values().flat_map(|text| matching(text, needle.as_bytes())).collect();
            expected.sort();
            assert!(
                self.finds(needle.as_bytes()) == expected,
                "`{needle}`: {} lines expected",
                expected.len()
            );
        }
    }

    /// Returns the decoded objects by key; of those of one application that hold the same, the first.
    pub(crate) fn objects(&self) -> BTreeMap<String, Vec<u8>> {
        once(
            files_below(&self.path("logs"))
                .into_iter()
                .map(|(key, stored)| (key, decoded(&stored)))
                .collect(),
        )
    }

    /// Requires that status and counts say what plain decoding says.
    pub(crate) fn counts_what_is_there(&self) {
        self.counts_these(&Recount::of(&self.objects()));
    }

    /// Requires that status and counts say this.
    pub(crate) fn counts_these(&self, expected: &Recount) {
        let status = self.gzette("status --json").json();
        let lines = &status["lines"];
        let parts = ["total", "events", "continuation", "unparsed"].map(|part| lines[part].as_u64().unwrap());
        assert_eq!(parts, expected.lines(), "{status:#}");
        let counted = self.gzette("count --by app,level,hour --json").json();
        let counted = counted.as_array().unwrap().iter().map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            ((text("app"), text("level"), text("hour")), row["events"].as_u64().unwrap())
        });
        assert_eq!(counted.collect::<BTreeMap<_, _>>(), expected.by_app_level_hour);
    }
}

impl Outcome {
    pub(crate) fn of(output: Output) -> Self {
        let stderr = String::from_utf8(output.stderr).expect("stderr is UTF-8");
        Self { status: output.status, stdout: output.stdout, stderr }
    }

    pub(crate) fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Requires an exit code.
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}\n{}\n{}", self.status, self.text(), self.stderr);
        self
    }

    /// Returns stdout as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Returns stdout as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Requires one sentence and one hint on stderr, each with the words it must contain. Commands in hints are compared
    /// without the configuration that they name.
    pub(crate) fn says(&self, error: &[&str], hint: &str) {
        let lines: Vec<&str> = self.stderr.lines().collect();
        let of = |kind: &str| {
            let mut found = lines.iter().filter_map(|line| line.strip_prefix(kind));
            let first = found.next().unwrap_or_else(|| panic!("no `{kind}` in {}", self.stderr));
            assert_eq!(found.next(), None, "{}", self.stderr);
            first
        };
        for word in error {
            assert!(of("error ").contains(word), "`{word}` is not in {}", self.stderr);
        }
        let mut told = of("hint ").to_owned();
        while let Some((before, after)) = told.split_once("`gzette --config ") {
            let command = after.split_once(' ').map_or("", |(_, command)| command);
            told = format!("{before}`gzette {command}");
        }
        assert!(told.contains(hint), "`{hint}` is not in {}", self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }
}

/// What plain decoding counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Recount {
    events: u64,
    continuation: u64,
    unparsed: u64,
    /// The stamp of the newest event.
    pub(crate) newest: String,
    by_app_level_hour: BTreeMap<(String, String, String), u64>,
}

impl Recount {
    /// Counts objects whose lines are JSON events, lines of stack traces, or neither.
    pub(crate) fn of(objects: &BTreeMap<String, Vec<u8>>) -> Self {
        let mut recount = Self::default();
        for (key, text) in objects {
            let app = key.split('/').next().unwrap();
            for line in lines_of(text) {
                recount.add(app, &line);
            }
        }
        recount
    }

    fn add(&mut self, app: &str, line: &[u8]) {
        if let Ok(event) = serde_json::from_slice::<Value>(line) {
            let text = |name: &str| event[name].as_str().unwrap().to_owned();
            let time = text("@timestamp");
            let hour = format!("{}:00:00Z", &time[..13]);
            self.events += 1;
            *self
                .by_app_level_hour
                .entry((app.to_owned(), text("logLevel").to_lowercase(), hour))
                .or_default() += 1;
            self.newest = time.max(std::mem::take(&mut self.newest));
        } else if line.starts_with(b"\tat ") || line.starts_with(b"Caused by: ") {
            self.continuation += 1;
        } else {
            self.unparsed += 1;
        }
    }

    /// Returns the events by application, level and hour.
    pub(crate) fn by_app_level_hour(&self) -> &BTreeMap<(String, String, String), u64> {
        &self.by_app_level_hour
    }

    /// Returns lines, events, continuation, unparsed.
    pub(crate) fn lines(&self) -> [u64; 4] {
        let Self { events, continuation, unparsed, .. } = *self;
        [events + continuation + unparsed, events, continuation, unparsed]
    }
}

/// Returns the objects of three applications in the seven days to `now_ms`, by key: two a day, each with
/// events of every level, stack traces and unparsed lines.
pub(crate) fn week(now_ms: UtcMs) -> Vec<(String, String)> {
    let mut objects = Vec::new();
    for app in ["api", "jobs", "web"] {
        for back in 0..7 {
            for number in 0..2 {
                let start_ms = now_ms - (back * 24 + 6 * (number + 1)) * HOUR_MS;
                let day = day_of(start_ms);
                objects.push((format!("{app}/{day}/{app}_{number}.gz"), text_of(app, start_ms, 40 + number)));
            }
        }
    }
    objects
}

/// Returns the text of an object with this many events, a minute apart.
pub(crate) fn text_of(app: &str, start_ms: UtcMs, events: i64) -> String {
    let mut text = String::new();
    for number in 0..events {
        let level = ["INFO", "DEBUG", "WARN", "INFO", "ERROR", "INFO", "FATAL"][(number % 7) as usize];
        let message = match level {
            "ERROR" => format!(
                r"order {number} failed\njava.lang.IllegalStateException: basket\n\tat com.acme.Basket.add(Basket.java:{number})"
            ),
            "FATAL" => "out of memory".to_owned(),
            _ => format!(r#"{app} did \"thing {number}\" of {}"#, start_ms.get()),
        };
        text.push_str(&event(start_ms + number * 60_000, level, &message));
        if level == "FATAL" {
            text.push_str("\tat com.acme.Main.run(Main.java:7)\nCaused by: java.io.IOException: disk\n");
        }
        if number % 10 == 9 {
            text.push_str("Picked up JAVA_TOOL_OPTIONS\n");
        }
    }
    text
}

/// Returns an event's line; `message` is JSON text.
pub(crate) fn event(time_ms: UtcMs, level: &str, message: &str) -> String {
    let time = time_ms.stamp().unwrap();
    format!("{{\"@timestamp\":\"{time:.3}\",\"logLevel\":\"{level}\",\"origLogEntry\":\"{message}\"}}\n")
}

/// Returns a time's day as keys name it.
pub(crate) fn day_of(time_ms: UtcMs) -> String {
    time_ms.stamp().unwrap().strftime("%Y%m%d").to_string()
}

/// Compresses in one member.
pub(crate) fn gz(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

/// Returns what `zcat --force` would give: bytes that are not gzip come unchanged.
pub(crate) fn decoded(stored: &[u8]) -> Vec<u8> {
    if !stored.is_empty() && !stored.starts_with(&[0x1f, 0x8b]) {
        return stored.to_vec();
    }
    let mut text = Vec::new();
    MultiGzDecoder::new(stored).read_to_end(&mut text).unwrap();
    text
}

/// Leaves out what one application has twice: the first key counts.
pub(crate) fn once(mut objects: BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let mut seen = BTreeSet::new();
    objects.retain(|key, text| seen.insert((key.split('/').next().map(str::to_owned), text.clone())));
    objects
}

/// Returns the files below a folder, by path.
pub(crate) fn files_below(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned();
                files.insert(name, fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// Copies the files of a folder into another.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    for (name, bytes) in files_below(from) {
        let path = to.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Returns the lines of a text with those bytes in them, in order.
pub(crate) fn matching(text: &[u8], needle: &[u8]) -> Vec<Vec<u8>> {
    let finder = memchr::memmem::Finder::new(needle);
    lines_of(text).into_iter().filter(|line| finder.find(line).is_some()).collect()
}

/// Returns the lines of a text without their newlines; a last line need not have one.
pub(crate) fn lines_of(text: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = text.split(|&byte| byte == b'\n').map(<[u8]>::to_vec).collect();
    if lines.last().is_some_and(Vec::is_empty) {
        lines.pop();
    }
    lines
}

/// Returns what a ledger holds of each object, by key.
pub(crate) fn partials(ledger: &Path) -> Vec<(GenerationRow, Partial)> {
    let ledger = Ledger::open_read_only(ledger).unwrap();
    let rows = ledger.generations().unwrap().into_iter();
    rows.map(|row| (row.clone(), ledger.stored_partial(row.object.generation).unwrap().unwrap())).collect()
}

/// Has the objects of a ledger one event more in each group and slot, and all of them an hour earlier.
pub(crate) fn count_otherwise(ledger: &Connection) {
    let mut select = ledger.prepare("SELECT generation_id, groups, counts, spans FROM counted").unwrap();
    let rows = select.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap();
    for row in rows.collect::<Vec<_>>() {
        let (generation, groups, counts, spans): (i64, Vec<u8>, Vec<u8>, Vec<u8>) = row.unwrap();
        let mut parts: BTreeMap<_, GroupPart> = BTreeMap::new();
        each_count(&groups, &counts, |group, level, slot, events| {
            let count = if group == 0 { (level, slot, events) } else { (level, slot - 6, events + 1) };
            parts.entry(group).or_default().counts.push(count);
        })
        .unwrap();
        each_span(&groups, &spans, |group, span| {
            parts.entry(group).or_default().span = Some(Span { events: span.events + 1, ..span });
        })
        .unwrap();
        let Packed { groups, counts, spans } = Packed::of(&parts);
        let sql = "UPDATE counted SET groups = ?2, counts = ?3, spans = ?4 WHERE generation_id = ?1";
        ledger.execute(sql, (generation, groups, counts, spans)).unwrap();
    }
}
