//! Crashes by enumeration: a preloaded library (tests/crash/shim.c) counts the calls by which a run changes its
//! files, and for one call after the other lets that one go wrong: the process is killed before, after or within it,
//! the power is cut, the disk is full or fails. Calm runs afterwards must leave what an undisturbed run leaves.
//!
//! Here a sample, spread over calls and kinds; `just crash` tries all of them, and kills at random moments.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use flate2::read::MultiGzDecoder;
use gzette_core::model::{DAY_MS, HOUR_MS};

use crate::support::{NOON_MS, Outcome, Project, Recount, day_of, files_below, gz, matching, once, text_of};

/// How many points the test suite tries.
const SAMPLE: usize = 40;
/// How many kills by time `just crash` adds.
const KILLS: usize = 200;

/// Parts of lines: of old objects, of each new one, of a replaced one, and of no object.
const NEEDLES: [&str; 6] =
    ["Basket.java:4)", "late did", "fresh did", "whole did", "replaced did", "before did"];

/// The second run also takes the counts of one object, the files of two more and the documents of those of two days.
const RETENTION: &str = "[retention]\nmirror_days = 2\nindex_days = 1\ncounts_days = 3\n\n[site]";

/// What may happen to a call, and to which it may.
const KINDS: [(&str, &[&str]); 7] = [
    ("before", &[]),
    ("cut", &[]),
    ("torn", &["write", "pwrite", "writev", "pwritev"]),
    ("EIO", &[]),
    (
        "ENOSPC",
        &["open", "write", "pwrite", "writev", "pwritev", "rename", "link", "fsync", "fdatasync", "mkdir"],
    ),
    ("EINTR", &["open", "write", "pwrite", "writev", "pwritev", "rename", "fsync", "fdatasync", "ftruncate"]),
    ("after", &[]),
];

/// What happens to which call of a run.
#[derive(Clone, Debug)]
struct Point {
    number: usize,
    kind: &'static str,
    call: String,
}

#[test]
fn a_crash_at_any_call_loses_nothing_and_counts_nothing_twice() {
    let scene = Scene::new();
    let points = scene.points();
    assert!(points.len() > 500, "only {} points: does the library still see the calls?", points.len());
    match wanted() {
        Some(wanted) => {
            scene.try_points(&spread(&points, wanted));
            scene.try_kills();
        }
        None => scene.try_points(&spread(&points, SAMPLE)),
    }
}

/// Returns how many points `just crash` asks for, `None` when it is not at work.
#[expect(clippy::disallowed_methods, reason = "how much to try is no configuration of the program")]
fn wanted() -> Option<usize> {
    let text = std::env::var("GZETTE_CRASH_POINTS").ok()?;
    Some(if text == "all" { usize::MAX } else { text.parse().expect("`all` or a number") })
}

/// Returns this many of the points, far from one another.
fn spread(points: &[Point], wanted: usize) -> Vec<Point> {
    let wanted = wanted.min(points.len());
    (0..wanted).map(|at| points[(at * points.len() + points.len() / 2) / wanted].clone()).collect()
}

/// A project that was run once and then got new objects, and what the second run must make of them.
struct Scene {
    project: Project,
    shim: PathBuf,
    calls: Vec<String>,
    whole: Duration,
    expected: Expected,
}

/// What must be there in the end.
#[derive(Default)]
struct Expected {
    counts: String,
    site: BTreeMap<String, Vec<u8>>,
    mails: Vec<String>,
    mirror: BTreeSet<String>,
    found: Vec<Vec<Vec<u8>>>,
}

impl Scene {
    fn new() -> Self {
        let mut project = Project::new();
        project.reconfigure("logs/", &format!("{}/logs/", project.dir().display()));
        put_first(&project);
        project.gzette("run").exits(0);
        fs::create_dir(project.path("start")).unwrap();
        copy(&[&project.path("state"), &project.path("site")], &project.path("start"));
        put_second(&project);
        project.reconfigure("[site]", RETENTION);
        project.now_ms += DAY_MS;
        let shim = compiled("crash_shim.so");
        let expected = Expected::default();
        let mut scene = Self { project, shim, calls: Vec::new(), whole: Duration::ZERO, expected };
        let begun = Instant::now();
        let calm = scene.copy();
        calm.gzette("run").exits(3);
        scene.whole = begun.elapsed();
        calm.gzette("run").exits(0);
        scene.expected = Expected::of(&calm).unwrap();
        scene.is_right(&calm);
        let counted = scene.copy();
        assert_eq!(scene.run(&counted, 0, "").0.code(), Some(3));
        scene.calls =
            log_of(&counted).lines().map(|line| line.split(' ').nth(2).unwrap().to_owned()).collect();
        scene
    }

    /// Requires of the undisturbed result what plain decoding says.
    fn is_right(&self, calm: &Project) {
        let decoded = |stored: &[u8]| {
            let mut text = Vec::new();
            // A damaged object counts up to the damage.
            let _ = MultiGzDecoder::new(stored).read_to_end(&mut text);
            text
        };
        let mut logs = files_below(&self.project.path("logs"));
        assert!(logs.remove(&key("jobs", 3, "old")).is_some());
        let objects = once(logs.into_iter().map(|(key, stored)| (key, decoded(&stored))).collect());
        calm.counts_these(&Recount::of(&objects));
        for (needle, found) in NEEDLES.iter().zip(&self.expected.found) {
            let mut lines: Vec<_> =
                objects.values().flat_map(|text| matching(text, needle.as_bytes())).collect();
            lines.sort();
            assert!(*found == lines, "`{needle}`: {} lines, {} expected", found.len(), lines.len());
            assert_eq!(lines.is_empty(), *needle == "before did", "`{needle}`");
        }
        assert_eq!(self.expected.mails.len(), 2, "{:?}", self.expected.mails);
        assert!(self.expected.site.len() > 8 && self.expected.mirror.len() == logs_of(&self.project) - 3);
    }

    /// Returns a project with the state and site before the second run, and the same objects.
    fn copy(&self) -> Project {
        let mut project = Project::new();
        project.configure(&fs::read_to_string(self.project.path("gzette.toml")).unwrap());
        project.now_ms = self.project.now_ms;
        let start = self.project.path("start");
        copy(&[&start.join("state"), &start.join("site")], project.dir());
        project
    }

    fn points(&self) -> Vec<Point> {
        let mut points = Vec::new();
        for (kind, calls) in KINDS {
            for (at, call) in self.calls.iter().enumerate() {
                if calls.is_empty() || calls.contains(&call.as_str()) {
                    points.push(Point { number: at + 1, kind, call: call.clone() });
                }
            }
        }
        points
    }

    /// Runs with the library preloaded; returns how it ended and what the library says it did.
    fn run(&self, project: &Project, number: usize, kind: &str) -> (Outcome, Option<i32>) {
        let mut command = project.command(&["run"]);
        command.env("LD_PRELOAD", &self.shim).env("CRASH_DIR", project.dir().canonicalize().unwrap());
        command.env("CRASH_LOG", log_path(project)).env("CRASH_AT", number.to_string()).env("CRASH_DO", kind);
        let output = command.output().unwrap();
        let signal = output.status.signal();
        (Outcome::of(output), signal)
    }

    /// Tries all points on all cores; each failure is named with its number, kind and call.
    fn try_points(&self, points: &[Point]) {
        let tried: Mutex<BTreeMap<(&str, &str), usize>> = Mutex::default();
        let failures = in_parallel(points.len(), |at| {
            let point = &points[at];
            let project = self.copy();
            let (hit, result) = self.try_point(&project, point);
            let what = if hit.is_empty() { "not reached" } else { hit.split(' ').nth(1).unwrap() };
            *tried
                .lock()
                .unwrap()
                .entry((point.kind, if what == point.kind { "ran" } else { "" }))
                .or_default() += 1;
            result.map_err(|why| format!("{} {} ({}): {hit}: {why}", point.number, point.kind, point.call))
        });
        let tried = tried.into_inner().unwrap();
        let ran: usize = tried.iter().filter(|((_, how), _)| *how == "ran").map(|(_, count)| count).sum();
        say(&format!(
            "{ran} of {} points ran, {} calls, failures {}",
            points.len(),
            self.calls.len(),
            failures.len()
        ));
        for ((kind, how), count) in &tried {
            say(&format!(
                "  {kind} {}: {count}",
                if *how == "ran" { "ran" } else { "met another call or none" }
            ));
        }
        assert!(failures.is_empty(), "{} failures\n{}", failures.len(), failures.join("\n"));
        // Threads make the order of calls vary, on a busy machine more than on a quiet one.
        assert!(ran * 2 >= points.len(), "only {ran} of {} points were reached", points.len());
    }

    fn try_point(&self, project: &Project, point: &Point) -> (String, Result<(), String>) {
        let (outcome, signal) = self.run(project, point.number, point.kind);
        let hit = log_of(project).trim_end().to_owned();
        let is_hit = hit.split(' ').nth(1) == Some(point.kind);
        let is_sane = match point.kind {
            _ if !is_hit => outcome.code() == Some(3),
            // Whoever is interrupted tries again.
            "EINTR" => outcome.code() == Some(3),
            "EIO" | "ENOSPC" => match outcome.code() {
                Some(1) => outcome.stderr.lines().any(|line| line.starts_with("error ")),
                code => code == Some(3),
            },
            // A thread at work may touch a mapped file after it was cut and before the process is killed: SIGBUS.
            "cut" => matches!(signal, Some(7 | 9)),
            _ => signal == Some(9),
        };
        if !is_sane || outcome.stderr.contains("panicked") {
            return (hit, Err(format!("ended with {:?}, {signal:?}: {}", outcome.code(), outcome.stderr)));
        }
        (hit, self.is_made_good(project))
    }

    /// Requires that calm runs leave what the undisturbed one left.
    fn is_made_good(&self, project: &Project) -> Result<(), String> {
        // The first may have met the damaged object, the second has nothing left to do.
        for codes in [[0, 3], [0, 0]] {
            let calm = project.gzette("run");
            if !codes.iter().any(|&code| calm.code() == Some(code)) {
                return Err(format!("a calm run ended with {:?}: {}", calm.code(), calm.stderr));
            }
        }
        let verify = project.gzette("verify --json");
        if verify.code() != Some(0) || verify.json()["ok"] != true {
            return Err(format!("verify: {}{}", verify.text(), verify.stderr));
        }
        self.expected.differs(&Expected::of(project)?)
    }

    /// Kills runs at moments between their start and their end.
    fn try_kills(&self) {
        let at_work = AtomicUsize::new(0);
        let failures = in_parallel(KILLS, |at| {
            let project = self.copy();
            let share = f64::from(u16::from_le_bytes(
                *blake3::hash(&at.to_le_bytes()).as_bytes().first_chunk().unwrap(),
            )) / f64::from(u16::MAX);
            let wait = self.whole.mul_f64(share);
            let mut child =
                project.command(&["run"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            thread::sleep(wait);
            at_work.fetch_add(usize::from(child.try_wait().unwrap().is_none()), Ordering::Relaxed);
            child.kill().unwrap();
            child.wait().unwrap();
            self.is_made_good(&project).map_err(|why| format!("killed after {wait:?}: {why}"))
        });
        say(&format!(
            "{KILLS} kills by time, {} met a run at work, failures {}",
            at_work.into_inner(),
            failures.len()
        ));
        assert!(failures.is_empty(), "{}", failures.join("\n"));
    }
}

impl Expected {
    /// Returns what is there.
    fn of(project: &Project) -> Result<Self, String> {
        let counts = project.gzette("count --by app,level,hour --json");
        if counts.code() != Some(0) {
            return Err(format!("count: {}", counts.stderr));
        }
        let mut found = Vec::new();
        for needle in NEEDLES {
            let search = project.gzette_with(&["search", "--fixed", "-q", needle]);
            let mut lines = matching(&search.stdout, b"");
            lines.sort();
            found.push(lines);
        }
        let names = |folder: &str| files_below(&project.path(folder));
        let is_left =
            |name: &String| [".tmp", ".unfinished", ".gzette-"].iter().any(|part| name.contains(part));
        let all = names("state").into_keys().chain(names("site").into_keys());
        if let Some(left) = all.filter(|name| name != ".gzette-site").find(is_left) {
            return Err(format!("`{left}` is left"));
        }
        Ok(Self {
            counts: counts.text(),
            site: names("site"),
            mails: names("state/outbox").iter().map(|(name, eml)| mail_id(name, eml)).collect(),
            mirror: names("state/mirror/prod").into_keys().collect(),
            found,
        })
    }

    fn differs(&self, other: &Self) -> Result<(), String> {
        if self.counts != other.counts {
            return Err(format!("counts: {}", other.counts));
        }
        for ((needle, ours), theirs) in NEEDLES.iter().zip(&self.found).zip(&other.found) {
            if ours != theirs {
                return Err(format!("`{needle}` finds {} lines, not {}", theirs.len(), ours.len()));
            }
        }
        if self.mails != other.mails {
            return Err(format!("mails: {:?}, not {:?}", other.mails, self.mails));
        }
        if self.mirror != other.mirror {
            let differing: Vec<_> = self.mirror.symmetric_difference(&other.mirror).collect();
            return Err(format!("mirrored files: {differing:?}"));
        }
        let names: BTreeSet<_> = self.site.keys().chain(other.site.keys()).collect();
        match names.into_iter().find(|name| self.site.get(*name) != other.site.get(*name)) {
            Some(name) => Err(format!("the page {name} differs")),
            None => Ok(()),
        }
    }
}

/// Returns a mail's Message-ID without the part that is the installation's own, or what else lies there.
fn mail_id(name: &str, eml: &[u8]) -> String {
    let text = String::from_utf8_lossy(eml);
    let id = text.lines().find_map(|line| line.strip_prefix("Message-ID: "));
    let id = id.and_then(|id| Some(id.split_once('@')?.0.rsplit_once('.')?.0));
    id.filter(|_| name.strip_suffix(".eml").is_some()).unwrap_or(name).to_owned()
}

#[expect(clippy::print_stderr, reason = "`just crash` takes minutes and has figures to tell")]
fn say(text: &str) {
    eprintln!("{text}");
}

/// Runs a number of jobs on all cores; returns those that failed.
fn in_parallel(count: usize, work: impl Fn(usize) -> Result<(), String> + Sync) -> Vec<String> {
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        // A run waits for the disk about as long as it works.
        for _ in 0..2 * cores {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    if at >= count {
                        break;
                    }
                    if at > 0 && at.is_multiple_of(200) {
                        say(&format!("{at} of {count} begun"));
                    }
                    if let Err(failure) = work(at) {
                        say(&format!("failed: {failure}"));
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    failures.into_inner().unwrap()
}

/// The objects of the first run.
fn put_first(project: &Project) {
    for (app, back) in [("api", 1), ("api", 2), ("jobs", 1), ("jobs", 3)] {
        put(project, app, back, "old", &text_of(app, NOON_MS - back * DAY_MS, 12));
    }
    put(project, "api", 0, "changes", &text_of("before", NOON_MS - HOUR_MS, 9));
    put(project, "api", 0, "twin_1", &text_of("twin", NOON_MS - 2 * HOUR_MS, 8));
}

/// A new object, a replaced one, a late one, a duplicate, one that is cut within its second member.
fn put_second(project: &Project) {
    put(project, "api", -1, "fresh", &text_of("fresh", NOON_MS + 20 * HOUR_MS, 15));
    put(project, "api", 0, "changes", &text_of("replaced", NOON_MS - HOUR_MS, 11));
    put(project, "jobs", 2, "late", &text_of("late", NOON_MS - 2 * DAY_MS - HOUR_MS, 10));
    put(project, "api", 0, "twin_0", &text_of("twin", NOON_MS - 2 * HOUR_MS, 8));
    let whole = gz(text_of("whole", NOON_MS + 19 * HOUR_MS, 10).as_bytes());
    project.put_stored(&key("api", -1, "damaged"), &[&whole, &whole[..14]].concat());
}

fn put(project: &Project, app: &str, back: i64, name: &str, text: &str) {
    project.put(&key(app, back, name), text);
}

fn key(app: &str, back: i64, name: &str) -> String {
    format!("{app}/{}/{name}.gz", day_of(NOON_MS - back * DAY_MS))
}

fn logs_of(project: &Project) -> usize {
    files_below(&project.path("logs")).len()
}

pub(crate) fn log_path(project: &Project) -> PathBuf {
    let mut path = project.dir().as_os_str().to_owned();
    path.push(".calls");
    path.into()
}

/// Returns what the library wrote, and removes it.
pub(crate) fn log_of(project: &Project) -> String {
    let path = log_path(project);
    let text = fs::read_to_string(&path).unwrap_or_default();
    let _ = fs::remove_file(path);
    text
}

/// Compiles the library to a file of that name.
pub(crate) fn compiled(name: &str) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/crash/shim.c");
    let shim = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut gcc = Command::new("gcc");
    gcc.args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]).arg(&shim).arg(source);
    let made = gcc.args(["-ldl", "-lpthread"]).status().expect("gcc compiles tests/crash/shim.c");
    assert!(made.success());
    shim
}

fn copy(from: &[&Path], into: &Path) {
    let done = Command::new("cp").arg("-a").args(from).arg(into).status().unwrap();
    assert!(done.success());
}
