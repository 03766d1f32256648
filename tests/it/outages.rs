//! Partial outages: ten faults of S3, each of one application, of one of two sources and of everything, over six
//! simulated hours in which all applications but one go on logging. No page, mail or command reports as silent what was not
//! read; what was not read is named with its reason and since when; an application that is truly silent is still reported; and one run
//! after the fault makes all of it right.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use gzette_core::model::{HOUR_MS, MINUTE_MS, UtcMs};

use crate::faults::kinds::{refusal, silence, whole};
use crate::faults::relay::{Answer, Asked, Relay, Sent, Spoil, is_list};
use crate::pipeline::bucket::Cloud;
use crate::servers::seaweedfs;
use crate::support::{NOON_MS, Outcome, Project, copy_folder, day_of, event, files_below};

/// Cells at a time: most of them wait for answers.
const WORKERS: usize = 10;
/// The last calm run: 20:00, so that the outage lasts over midnight.
const BEGIN_MS: UtcMs = UtcMs::new(NOON_MS.get() + 8 * HOUR_MS);
/// When the faulty runs come after it, and the calm one after them.
const STEPS_MS: [i64; 3] = [30 * MINUTE_MS, 2 * HOUR_MS, 6 * HOUR_MS];
const CALM_MS: i64 = 8 * HOUR_MS;
/// The time between two lines of an application.
const STEP_MS: i64 = 5 * MINUTE_MS;

/// The applications of the two sources that log all the time.
const PROD: [&str; 3] = ["checkout-api", "payments", "auth"];
const BATCH: [&str; 2] = ["mailer", "reports"];
/// The fault that takes all the time there is.
const HANG: &str = "list hangs";
/// An application of the first source that stops with the last calm run.
const SLEEPER: &str = "sleeper";

/// A fault: its name, whether it hits listings (else reads), what of it must be named, and what it does.
struct Fault {
    name: &'static str,
    lists: bool,
    reason: &'static str,
    spoil: fn(Answer) -> Sent,
}

const FAULTS: [Fault; 10] = [
    fault("list denied", true, "AccessDenied", |_| refusal("403 Forbidden", "AccessDenied")),
    fault("list 500", true, "InternalError", |_| refusal("500 Internal Server Error", "InternalError")),
    fault("list SlowDown", true, "SlowDown", |_| refusal("503 Slow Down", "SlowDown")),
    fault("list HTML", true, "not listed", |_| {
        whole(&Answer::new("200 OK", "text/html", "<html><body>Please log in</body></html>"))
    }),
    fault(HANG, true, "not listed", |_| silence()),
    fault("get denied", false, "AccessDenied", |_| refusal("403 Forbidden", "AccessDenied")),
    fault("get 500", false, "InternalError", |_| refusal("500 Internal Server Error", "InternalError")),
    fault("get SlowDown", false, "SlowDown", |_| refusal("503 Slow Down", "SlowDown")),
    fault("get cut", false, "failed", |answer| {
        let half = answer.body[..answer.body.len() / 2].to_vec();
        whole(&Answer { body: half, ..answer })
    }),
    fault("get archived", false, "InvalidObjectState", |_| refusal("403 Forbidden", "InvalidObjectState")),
];

const fn fault(name: &'static str, lists: bool, reason: &'static str, spoil: fn(Answer) -> Sent) -> Fault {
    Fault { name, lists, reason, spoil }
}

/// What a fault hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    App,
    Source,
    Everything,
}

impl Scope {
    /// Whether a request is for a part of it.
    fn holds(self, target: &str) -> bool {
        let target = target.replace("%2F", "/");
        match self {
            Self::App => target.contains("logs/prod/checkout-api/"),
            Self::Source => target.contains("logs/batch/"),
            Self::Everything => true,
        }
    }

    /// Returns the applications that log and cannot be read.
    fn apps(self) -> Vec<&'static str> {
        match self {
            Self::App => vec![PROD[0]],
            Self::Source => BATCH.to_vec(),
            Self::Everything => PROD.into_iter().chain(BATCH).collect(),
        }
    }

    /// Returns what a page names: listings fail for a source as a whole.
    fn named(self, lists: bool) -> Vec<&'static str> {
        match (self, lists) {
            (Self::Source, true) => vec!["source batch"],
            (Self::Everything, true) => vec!["source batch", "source prod"],
            _ => self.apps(),
        }
    }
}

/// A fault with its scope, and the project that meets it.
struct Cell {
    fault: &'static Fault,
    scope: Scope,
    relay: Relay,
    project: Project,
    wrong: Vec<String>,
}

#[test]
fn nobody_is_called_silent_for_what_was_not_read() {
    static FAULTS: [Fault; 10] = self::FAULTS;
    let mut cloud = Cloud::new("e2e-outages");
    configure(&cloud.project);
    cloud.project.now_ms = BEGIN_MS;
    for app in PROD.into_iter().chain(BATCH).chain([SLEEPER]) {
        put(&cloud.project, app, BEGIN_MS - 30 * HOUR_MS, BEGIN_MS);
    }
    cloud.upload();
    cloud.project.gzette("run").exits(0);

    let scopes = [Scope::App, Scope::Source, Scope::Everything];
    let cells: Vec<Mutex<Cell>> = FAULTS
        .iter()
        .flat_map(|fault| scopes.map(|scope| Mutex::new(Cell::new(fault, scope, &cloud.project))))
        .collect();
    let mut before_ms = BEGIN_MS;
    for after_ms in STEPS_MS.into_iter().chain([CALM_MS]) {
        let now_ms = BEGIN_MS + after_ms;
        for app in PROD.into_iter().chain(BATCH) {
            put(&cloud.project, app, before_ms, now_ms);
        }
        cloud.upload();
        before_ms = now_ms;
        each(&cells, |cell| if after_ms == CALM_MS { cell.calm(now_ms) } else { cell.step(now_ms) });
    }
    let mut table = String::new();
    for cell in cells {
        let cell = cell.into_inner().unwrap();
        for wrong in &cell.wrong {
            writeln!(table, "| {} | {:?} | {wrong} |", cell.fault.name, cell.scope).unwrap();
        }
    }
    assert!(table.is_empty(), "\n| fault | scope | wrong |\n|---|---|---|\n{table}");
}

/// Has the cells worked on side by side.
fn each(cells: &[Mutex<Cell>], work: impl Fn(&mut Cell) + Sync) {
    let next = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(cell) = cells.get(next.fetch_add(1, Ordering::SeqCst)) {
                    work(&mut cell.lock().unwrap());
                }
            });
        }
    });
}

fn configure(project: &Project) {
    let second =
        "[[source]]\nname = \"batch\"\nurl = \"s3://e2e-outages/logs/batch/\"\ntimeout_seconds = 1\n\n[site]";
    project.reconfigure("s3://e2e-outages/logs/", "s3://e2e-outages/logs/prod/");
    project.reconfigure("[site]", &format!("timeout_seconds = 1\n\n{second}"));
}

/// Puts an object with an event every five minutes of a stretch of time for each day it touches.
fn put(project: &Project, app: &str, from_ms: UtcMs, to_ms: UtcMs) {
    let times: Vec<UtcMs> =
        (0..(to_ms - from_ms) / STEP_MS).map(|number| from_ms + number * STEP_MS).collect();
    let days: BTreeSet<String> = times.iter().map(|at| day_of(*at)).collect();
    for day in days {
        let of_day = times.iter().filter(|at| day_of(**at) == day);
        let text: String = of_day.map(|at| event(*at, "INFO", &format!("{app} at {}", at.get()))).collect();
        let source = if BATCH.contains(&app) { "batch" } else { "prod" };
        project.put(&format!("{source}/{app}/{day}/{}.gz", to_ms.get()), text);
    }
}

impl Cell {
    fn new(fault: &'static Fault, scope: Scope, calm: &Project) -> Self {
        let aims = move |target: &str| is_list(target) == fault.lists && scope.holds(target);
        let spoil: Arc<Spoil> = Arc::new(|_: &Asked<'_>, answer| (fault.spoil)(answer));
        let relay = Relay::start_where(&seaweedfs().endpoint, aims, spoil);
        let project = Cloud::client("e2e-outages", &relay.endpoint);
        configure(&project);
        copy_folder(&calm.path("state"), &project.path("state"));
        Self { fault, scope, relay, project, wrong: Vec::new() }
    }

    fn run(&mut self, now_ms: UtcMs) -> Outcome {
        self.project.now_ms = now_ms;
        // What hangs takes its time for each prefix.
        let is_hanging = self.fault.name == HANG && now_ms < BEGIN_MS + CALM_MS;
        self.project.gzette(if is_hanging { "run --deadline 12s" } else { "run" })
    }

    /// Runs while the fault lasts.
    fn step(&mut self, now_ms: UtcMs) {
        let run = self.run(now_ms);
        self.expect(run.code() == Some(3), now_ms, &format!("exit {:?}: {}", run.code(), run.stderr));
        let said = Said::of(&self.project, &run.stderr);
        for app in self.scope.apps() {
            for (place, text) in &said.texts {
                let word = calls_silent(text, app);
                self.expect(word.is_none(), now_ms, &format!("{place} says `{}`", word.unwrap_or_default()));
            }
        }
        for (place, text) in &said.texts {
            for word in ["All quiet", "No lines from any application", "Nothing is new"] {
                self.expect(!text.contains(word), now_ms, &format!("{place} says `{word}`"));
            }
        }
        self.names_what_was_not_read(now_ms, &said);
        // What hangs may leave no time for the others, which are then named as not read.
        let is_left = said.get("status").contains(&format!("{SLEEPER}: not read since"));
        let is_dark = self.fault.lists && self.scope == Scope::Everything;
        let is_known = !is_dark && !is_left;
        self.expect(!is_left || self.fault.name == HANG, now_ms, "the sleeper is not read");
        let is_silent = now_ms - BEGIN_MS >= 2 * HOUR_MS;
        let tells = calls_silent(said.get("index.html"), SLEEPER).is_some();
        self.expect(
            tells == (is_known && is_silent),
            now_ms,
            &format!("the sleeper is told silent: {tells}"),
        );
    }

    fn names_what_was_not_read(&mut self, now_ms: UtcMs, said: &Said) {
        // Objects listed and not read are known since the first run that listed them.
        let since_ms = if self.fault.lists { BEGIN_MS } else { BEGIN_MS + STEPS_MS[0] };
        let clock = if self.fault.lists { "20:00" } else { "20:30" };
        let with_date =
            if day_of(since_ms) == day_of(now_ms) { clock.to_owned() } else { format!("1 Mar {clock}") };
        for name in self.scope.named(self.fault.lists) {
            for (place, begin) in [
                ("run", format!("{name}: not read since ")),
                ("status", format!("{name}: not read since ")),
                ("index.html", format!("Not read {name} not read since ")),
                ("ingest.html", format!("Not read {name} not read since ")),
                ("mail", format!("NOT READ {name} ")),
            ] {
                let text = said.get(place);
                let from = text.find(&begin).map(|at| &text[at..]);
                let part: String = from.unwrap_or_default().chars().take(220).collect();
                let is_whole = part.contains(&with_date) && part.contains(self.fault.reason);
                self.expect(is_whole, now_ms, &format!("{place} does not name {name}: `{part}`"));
            }
        }
        if self.scope == Scope::Everything && (self.fault.lists || now_ms - BEGIN_MS >= 2 * HOUR_MS) {
            for place in ["run", "index.html", "mail"] {
                let is_said = said.get(place).contains("Nothing could be read since ");
                self.expect(is_said, now_ms, &format!("{place} does not say that nothing could be read"));
            }
        }
    }

    /// Runs after the fault.
    fn calm(&mut self, now_ms: UtcMs) {
        self.relay.calm_down();
        let run = self.run(now_ms);
        self.expect(run.code() == Some(0), now_ms, &format!("exit {:?}: {}", run.code(), run.stderr));
        let said = Said::of(&self.project, &run.stderr);
        for (place, text) in &said.texts {
            let app = PROD.into_iter().chain(BATCH).find(|app| calls_silent(text, app).is_some());
            self.expect(app.is_none(), now_ms, &format!("{place} still calls {app:?} silent"));
            for word in ["not read since", "could be read", "NOT READ"] {
                self.expect(!text.contains(word), now_ms, &format!("{place} still says `{word}`"));
            }
        }
        let is_told = calls_silent(said.get("index.html"), SLEEPER).is_some();
        self.expect(is_told, now_ms, "the sleeper is not told silent");
        let status = self.project.gzette("status --json").json();
        let is_whole = status["objects"]["mirrored"] == status["objects"]["listed"];
        self.expect(is_whole, now_ms, &format!("not all is read: {}", status["objects"]));
    }

    fn expect(&mut self, holds: bool, now_ms: UtcMs, wrong: &str) {
        if !holds {
            let minutes = (now_ms - BEGIN_MS) / MINUTE_MS;
            self.wrong.push(format!("+{minutes} min: {}", wrong.replace('\n', " / ")));
        }
    }
}

/// All that a user reads after a run, by where, on one line each without markup.
struct Said {
    texts: Vec<(String, String)>,
}

impl Said {
    fn of(project: &Project, stderr: &str) -> Self {
        let mut texts = vec![
            ("run".to_owned(), flat(stderr)),
            ("status".to_owned(), flat(&project.gzette("status").text())),
            ("mail".to_owned(), flat(&project.gzette("digest --print").text())),
        ];
        for (path, bytes) in files_below(&project.path("site")) {
            let is_page = path.contains(".html") && path != "about.html";
            if is_page {
                texts.push((path, flat(&without_tags(&String::from_utf8(bytes).unwrap()))));
            }
        }
        Self { texts }
    }

    fn get(&self, place: &str) -> &str {
        &self.texts.iter().find(|(name, _)| name == place).unwrap().1
    }
}

fn without_tags(html: &str) -> String {
    let mut text = String::new();
    for part in html.split('<').skip(1) {
        let (tag, after) = part.split_once('>').unwrap_or((part, ""));
        // Inline elements break no word: `<bdi>source</bdi>:`.
        let is_inline =
            ["bdi", "/bdi", "time", "/time"].iter().any(|name| tag.split(' ').next() == Some(name));
        if !is_inline {
            text.push(' ');
        }
        text.push_str(after);
    }
    text
}

fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns the words in which a text calls an application silent or quiet.
fn calls_silent(text: &str, app: &str) -> Option<String> {
    let exact = [
        format!("SILENT {app}"),
        format!("Silent {app}"),
        format!("{app} Silent"),
        format!("{app} has gone silent"),
        format!("{app} have gone silent"),
        format!("No lines from {app}"),
        "applications have gone silent".to_owned(),
    ];
    let paired = || {
        let at = text.find("have gone silent")?;
        let before: String =
            text[..at].chars().rev().take(60).collect::<Vec<_>>().into_iter().rev().collect();
        before.contains(&format!("{app} and ")).then_some(before)
    };
    exact.into_iter().find(|words| text.contains(words)).or_else(paired)
}
