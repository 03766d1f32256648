//! Every kind of local file, and every way in which it rots, from a state that was run once: what commands say of it, and
//! what becomes of it. All failing cells are reported, not only the first.
//!
//! `just rot` (`GZETTE_ROT=all`) tries all cells, and prints a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use gzette_core::model::{HOUR_MS, MINUTE_MS};
use serde_json::Value;

use crate::support::{NOON_MS, Project, Recount, files_below, lines_of, matching, text_of};

/// How many cells the test suite tries.
const SAMPLE: usize = 16;
/// Cells tried at a time.
const WORKERS: usize = 3;
/// The searches: for words in many lines, in one object, in none.
const NEEDLES: [&str; 4] = ["did", "Basket.java:4)", "plain did", "nowhere"];

/// The kinds of local files, and which of the project's files are of it.
type Kind = (&'static str, fn(&str) -> bool);

const KINDS: [Kind; 11] = [
    ("mirror", |name| name.starts_with("state/mirror/prod/")),
    ("mirror identity", |name| name == "state/mirror/~state"),
    ("state identity", |name| name == "state/id"),
    ("ledger", |name| name == "state/ledger.sqlite"),
    ("ledger log", |name| name == "state/ledger.sqlite-wal"),
    ("index file", |name| name.starts_with("state/index/") && !is_summary(name) && !name.contains(".json")),
    ("index summary", |name| name.starts_with("state/index/") && is_summary(name)),
    ("index meta.json", |name| name == "state/index/meta.json"),
    ("site", |name| name.starts_with("site/") && name != MANIFEST),
    ("site manifest", |name| name == MANIFEST),
    ("mail", |name| name.starts_with("state/outbox/")),
];

const MANIFEST: &str = "site/.gzette-site";

fn is_summary(name: &str) -> bool {
    name.contains(".summary")
}

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rot {
    Deleted,
    Half,
    Emptied,
    /// One byte, at the place that the number leads to.
    Changed(u64),
    /// Replaced by a file of its kind from another state.
    OfAnotherState,
}

const ROTS: [Rot; 7] = [
    Rot::Deleted,
    Rot::Half,
    Rot::Emptied,
    Rot::Changed(1),
    Rot::Changed(2),
    Rot::Changed(3),
    Rot::OfAnotherState,
];

/// A state that was run, with its right answers.
struct Scene {
    /// Holds the logs, which are never touched.
    project: Project,
    /// The files of the project after a run, and after one that was killed.
    whole: BTreeMap<String, Vec<u8>>,
    killed: BTreeMap<String, Vec<u8>>,
    /// Those of another one.
    other: BTreeMap<String, Vec<u8>>,
    recount: Recount,
    found: Vec<Vec<Vec<u8>>>,
    /// The site after two more runs of an undamaged state.
    site: BTreeMap<String, Vec<u8>>,
}

#[test]
fn no_rot_gives_a_wrong_answer_and_one_repair_makes_all_whole() {
    let cells = cells();
    let scene = Scene::new();
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(&(kind, rot)) = cells.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let outcome = scene.check(kind, rot);
                    done.lock().unwrap().insert((kind.0, rot), outcome);
                }
            });
        }
    });
    let done = done.into_inner().unwrap();
    let mut text = String::new();
    for ((kind, rot), outcome) in &done {
        match outcome {
            Ok(said) => println!("| {kind} | {rot:?} | {said} |"),
            Err(why) => {
                println!("| {kind} | {rot:?} | WRONG |");
                writeln!(text, "== {kind}, {rot:?}: {why}").unwrap();
            }
        }
    }
    assert!(text.is_empty(), "of {} cells:\n{text}", done.len());
}

/// Returns the cells to try: all, or some that a hash of their names chooses.
fn cells() -> Vec<(&'static Kind, Rot)> {
    let mut cells: Vec<_> = KINDS.iter().flat_map(|kind| ROTS.map(|rot| (kind, rot))).collect();
    if !is_long() {
        cells.sort_by_key(|(kind, rot)| *blake3::hash(format!("{} {rot:?}", kind.0).as_bytes()).as_bytes());
        cells.truncate(SAMPLE);
    }
    cells
}

#[expect(clippy::disallowed_methods, reason = "the long form of a test is asked for by the environment")]
fn is_long() -> bool {
    std::env::var("GZETTE_ROT").is_ok_and(|value| value == "all")
}

impl Scene {
    fn new() -> Self {
        let project = Project::new();
        let at = |hours: i64| NOON_MS - hours * HOUR_MS;
        project.put("api/20260301/api_0.gz", text_of("api", at(6), 40));
        project.put("jobs/20260228/jobs_0.gz", text_of("jobs", at(20), 40));
        project.put_stored("web/20260301/web_0.log", text_of("plain", at(5), 30).as_bytes());
        let started = Self::started(&project);
        started.gzette("run").exits(0);
        let whole = files_of(&started);
        let other = Project::new();
        other.put("api/20260301/api_0.gz", text_of("other", at(4), 30));
        other.put("else/20260301/else_0.gz", text_of("else", at(3), 30));
        other.gzette("run").exits(0);
        let other = files_of(&other);
        let objects = project.objects();
        let found = NEEDLES.map(|needle| {
            let mut lines: Vec<_> =
                objects.values().flat_map(|text| matching(text, needle.as_bytes())).collect();
            lines.sort();
            lines
        });
        let recount = Recount::of(&objects);
        let mut scene = Self {
            project,
            whole,
            killed: BTreeMap::new(),
            other,
            recount,
            found: found.into(),
            site: BTreeMap::new(),
        };
        scene.killed = scene.killed();
        let calm = scene.start(&scene.whole);
        scene.goes_on(&calm).unwrap();
        scene.site = files_below(&calm.path("site"));
        scene
    }

    /// Returns a project with only the scene's logs.
    fn started(of: &Project) -> Project {
        let project = Project::new();
        project.reconfigure("logs/", &of.path("logs").display().to_string());
        project
    }

    fn start(&self, files: &BTreeMap<String, Vec<u8>>) -> Project {
        let mut project = Self::started(&self.project);
        for (name, bytes) in files {
            let path = project.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        project.now_ms += 10 * MINUTE_MS;
        project
    }

    /// Returns the files that a run leaves when it is killed before it has copied its log into the ledger.
    fn killed(&self) -> BTreeMap<String, Vec<u8>> {
        let project = Self::started(&self.project);
        project.gzette("sync").exits(0);
        // While another connection is open, the log stays.
        let held = gzette::edges::ledger::connect(&project.path("state/ledger.sqlite")).unwrap();
        held.query_row("SELECT count(*) FROM object", [], |row| row.get::<_, i64>(0)).unwrap();
        project.gzette("run").exits(0);
        let files = files_of(&project);
        drop(held);
        assert!(files["state/ledger.sqlite-wal"].len() > 20_000);
        files
    }

    fn check(&self, kind: &Kind, rot: Rot) -> Result<String, String> {
        let files = if kind.0 == "ledger log" { &self.killed } else { &self.whole };
        let project = self.start(files);
        let name = rot.strike(&project, kind, files, &self.other);
        let told = |why: String| format!("{name}: {why}");
        let (before, _) = self.answers(&project).map_err(told)?;
        let run = self.goes_on(&project).map_err(told)?;
        // A ledger that was rebuilt knows nothing of the runs before.
        let is_same = kind.0.starts_with("ledger") || files_below(&project.path("site")) == self.site;
        let pages = || differing(&files_below(&project.path("site")), &self.site);
        if is_same { Ok(format!("{before} {run}")) } else { Err(told(format!("other pages: {}", pages()))) }
    }

    /// A run, a repair and a run; returns how they ended.
    fn goes_on(&self, project: &Project) -> Result<String, String> {
        let run = project.gzette("run");
        self.answers(project).map_err(|why| format!("after the run: {why}\n{}", run.stderr))?;
        let verify = project.gzette("verify");
        let repair = project.gzette("verify --repair");
        let (ends, is_whole) = self.answers(project).map_err(|why| format!("after the repair: {why}"))?;
        let codes = format!("{:?} {:?} {:?} {ends}", run.code(), verify.code(), repair.code());
        let told =
            || format!("{codes}\n{}\n{}\n{}{}", run.stderr, verify.stderr, repair.stderr, repair.text());
        if !is_whole || repair.code() != Some(0) {
            return Err(format!("the repair leaves something: {}", told()));
        }
        let later = project.gzette("run");
        let after = project.gzette("verify");
        if later.code() != Some(0) || after.code() != Some(0) {
            let more = format!("{}{}{}", later.stderr, after.text(), after.stderr);
            return Err(format!("not whole after the repair: {}\n{more}", told()));
        }
        let (_, is_whole) = self.answers(project)?;
        if is_whole { Ok(codes) } else { Err(format!("not whole in the end: {}", told())) }
    }

    /// Asks for counts and lines. What ends with exit code 0 has to be right. Returns the codes, and whether all were 0.
    fn answers(&self, project: &Project) -> Result<(String, bool), String> {
        let mut codes = Vec::new();
        let count = project.gzette("count --by app,level,hour --json");
        if count.code() == Some(0) && !self.recount.is_counted(&count.json()) {
            return Err(format!("count is wrong: {}", count.text()));
        }
        codes.push(count.code());
        for (needle, expected) in NEEDLES.iter().zip(&self.found) {
            let search = project.gzette_with(&["search", "--fixed", needle]);
            let mut lines = lines_of(&search.stdout);
            lines.sort();
            if search.code() == Some(0) && lines != *expected {
                return Err(format!(
                    "`{needle}` finds {} of {}: {}",
                    lines.len(),
                    expected.len(),
                    search.stderr
                ));
            }
            if search.code() != Some(0) && search.stderr.is_empty() {
                return Err(format!("`{needle}` fails and says nothing"));
            }
            codes.push(search.code());
        }
        let is_whole = codes.iter().all(|code| *code == Some(0));
        let text = codes.iter().map(|code| code.map_or("killed".to_owned(), |code| code.to_string()));
        Ok((text.collect(), is_whole))
    }
}

impl Recount {
    /// Whether rows of `count --by app,level,hour --json` are these.
    fn is_counted(&self, rows: &Value) -> bool {
        let rows = rows.as_array().unwrap().iter().map(|row| {
            let text = |name: &str| row[name].as_str().unwrap().to_owned();
            ((text("app"), text("level"), text("hour")), row["events"].as_u64().unwrap())
        });
        rows.collect::<BTreeMap<_, _>>() == *self.by_app_level_hour()
    }
}

impl Rot {
    /// Does it to a file of the kind that a hash chooses; returns its name.
    fn strike(
        self,
        project: &Project,
        kind: &Kind,
        files: &BTreeMap<String, Vec<u8>>,
        other: &BTreeMap<String, Vec<u8>>,
    ) -> String {
        let of_kind = |files: &BTreeMap<String, Vec<u8>>| -> Vec<String> {
            files
                .iter()
                .filter(|(name, bytes)| kind.1(name) && !bytes.is_empty())
                .map(|(name, _)| name.clone())
                .collect()
        };
        let names = of_kind(files);
        assert!(!names.is_empty(), "no file is of the kind {}", kind.0);
        let random = |what: &str, below: usize| {
            let hash = blake3::hash(format!("{what} {} {self:?}", kind.0).as_bytes());
            u64::from_le_bytes(*hash.as_bytes().first_chunk().unwrap()) as usize % below
        };
        let name = names[random("file", names.len())].clone();
        let (path, mut bytes) = (project.path(&name), files[&name].clone());
        match self {
            Self::Deleted => {
                fs::remove_file(&path).unwrap();
                return name;
            }
            Self::Half => bytes.truncate(bytes.len() / 2),
            Self::Emptied => bytes.clear(),
            Self::Changed(_) => {
                let at = random("place", bytes.len());
                bytes[at] ^= 1 << random("bit", 8);
            }
            Self::OfAnotherState => {
                let names = of_kind(other);
                if let Some(from) = (!names.is_empty()).then(|| &names[random("other", names.len())]) {
                    bytes.clone_from(&other[from]);
                }
            }
        }
        fs::write(path, bytes).unwrap();
        name
    }
}

/// Returns the files of a project's state and site, by path.
fn files_of(project: &Project) -> BTreeMap<String, Vec<u8>> {
    let below = |part: &str| {
        let files = files_below(&project.path(part)).into_iter();
        files.map(|(name, bytes)| (format!("{part}/{name}"), bytes)).collect::<Vec<_>>()
    };
    ["state", "site"].map(below).into_iter().flatten().collect()
}

fn differing(found: &BTreeMap<String, Vec<u8>>, expected: &BTreeMap<String, Vec<u8>>) -> String {
    let names = found.keys().chain(expected.keys()).filter(|name| found.get(*name) != expected.get(*name));
    names.map(String::as_str).collect::<Vec<_>>().join(", ")
}
