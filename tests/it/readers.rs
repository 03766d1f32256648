//! Who may read a state may ask it: another user, or who has a copy that cannot be written. What may not be read is
//! named, and never a silent empty answer.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use gzette_core::model::HOUR_MS;
use tempfile::TempDir;

use crate::ledger_file::leave_log;
use crate::support::{NOON_MS, Outcome, Project, day_of, text_of};

/// The user that owns nothing.
const NOBODY: u32 = 65534;

const QUESTIONS: [&str; 7] = [
    "count --by app,level,hour",
    "search -c order",
    "search order --limit 5",
    "search order --by app",
    "group list",
    "status",
    "verify",
];

#[test]
fn another_user_gets_the_owners_answers() {
    let project = project();
    is_answered(&project, "after a run", &QUESTIONS);
}

#[test]
fn another_user_gets_the_owners_answers_beside_a_run() {
    let project = project();
    let lock = File::open(project.path("state/lock")).unwrap();
    lock.lock().unwrap();
    let run = gzette::edges::ledger::connect(&project.path("state/ledger.sqlite")).unwrap();
    run.query_row("SELECT count(*) FROM generation", [], |_| Ok(())).unwrap();
    // It locks out who wants to verify, its owner as well.
    is_answered(&project, "beside a run that only reads", &QUESTIONS[..6]);
    run.execute_batch("BEGIN; UPDATE generation SET lines = lines; COMMIT; BEGIN; DELETE FROM counted")
        .unwrap();
    is_answered(&project, "beside a run that writes", &QUESTIONS[..6]);
}

#[test]
fn another_user_gets_what_a_killed_run_had_committed() {
    let project = project();
    leave_log(&project);
    let asked = Stranger::of(&project).answers(&QUESTIONS);
    assert!(project.path("state/ledger.sqlite-wal").exists());
    is_same(&project, "with all that was left", &QUESTIONS, &asked);

    leave_log(&project);
    fs::remove_file(project.path("state/ledger.sqlite-shm")).unwrap();
    let asked = Stranger::of(&project).answers(&QUESTIONS);
    assert!(!project.path("state/ledger.sqlite-shm").exists());
    is_same(&project, "with the log alone", &QUESTIONS, &asked);
}

#[test]
fn what_may_not_be_read_is_named_and_nothing_is_made_of_it() {
    let project = project();
    leave_log(&project);
    let right = Stranger::of(&project).ask("search -c order").exits(0).text();
    assert_ne!(right, "0\n");
    let names =
        ["ledger.sqlite", "ledger.sqlite-wal", "index", "index/meta.json", "index/.managed.json", "mirror"];
    let mut paths: Vec<PathBuf> = names.iter().map(|name| project.path("state").join(name)).collect();
    paths.extend(fs::read_dir(project.path("state/index")).unwrap().map(|entry| entry.unwrap().path()));
    paths.push(project.path("state"));
    paths.retain(|path| path.extension().is_none_or(|end| end != "lock"));
    for path in paths {
        let stranger = Stranger::of(&project);
        let mode = path.metadata().unwrap().permissions();
        fs::set_permissions(&path, Permissions::from_mode(0o000)).unwrap();
        let outcome = stranger.ask("search -c order");
        fs::set_permissions(&path, mode).unwrap();
        drop(stranger);
        let (name, said) = (path.display(), &outcome.stderr);
        assert!(outcome.code() != Some(0) || outcome.text() == right, "{name}: {outcome:?}");
        if path.ends_with("index") || path.ends_with("meta.json") {
            assert!(said.contains("warning") && outcome.code() == Some(0), "{name}: {outcome:?}");
        }
        // Of the mirror, objects are named.
        if !path.ends_with("mirror") {
            let is_used = !said.is_empty() || outcome.code() != Some(0);
            assert!(!is_used || said.contains("ermission denied"), "{name}: {outcome:?}");
            assert!(!is_used || said.contains(path.file_name().unwrap().to_str().unwrap()), "{name}: {said}");
        }
    }
}

#[test]
fn files_get_the_modes_that_the_umask_gives() {
    for (umask, file_mode, folder_mode) in
        [("022", 0o644, 0o755), ("027", 0o640, 0o750), ("077", 0o600, 0o700)]
    {
        let project = Project::new();
        put(&project, "api", 2);
        let mut command = Command::new("sh");
        project.prepare(&mut command);
        let script = format!("umask {umask}; exec \"$0\" --now 2026-03-01T12:00:00Z run");
        Outcome::of(command.args(["-c", &script, env!("CARGO_BIN_EXE_gzette")]).output().unwrap()).exits(0);
        assert!(project.path("state/outbox").exists());
        for folder in ["state", "site"] {
            each_below(&project.path(folder), &mut |path| {
                let found = path.metadata().unwrap();
                let wanted = if found.is_dir() { folder_mode } else { file_mode };
                assert_eq!(found.mode() & 0o777, wanted, "{} with umask {umask}", path.display());
            });
        }
    }
}

/// Requires of another user's answers that they are the owner's.
fn is_answered(project: &Project, when: &str, questions: &[&str]) {
    let asked = Stranger::of(project).answers(questions);
    is_same(project, when, questions, &asked);
}

fn is_same(project: &Project, when: &str, questions: &[&str], asked: &[Outcome]) {
    for (question, found) in questions.iter().zip(asked) {
        let own = project.gzette(question).exits(0);
        assert_eq!(found.code(), Some(0), "{when}: {question}: {found:?}");
        assert_eq!(found.text(), own.text(), "{when}: {question}: {}", found.stderr);
        assert!(!found.stderr.contains("warning"), "{when}: {question}: {}", found.stderr);
    }
}

/// A user who may read a project but not write in it.
struct Stranger<'p> {
    project: &'p Project,
    is_root: bool,
}

impl<'p> Stranger<'p> {
    /// Opens the project to the other user; who is not root loses the right to write for as long as this lives.
    fn of(project: &'p Project) -> Self {
        let is_root = project.dir().metadata().unwrap().uid() == 0;
        fs::set_permissions(project.dir(), Permissions::from_mode(0o755)).unwrap();
        let stranger = Self { project, is_root };
        stranger.may_write(false);
        stranger
    }

    fn may_write(&self, may: bool) {
        if !self.is_root {
            each_below(&self.project.path("state"), &mut |path| {
                let mode = path.metadata().unwrap().mode();
                let mode = if may { mode | 0o200 } else { mode & !0o222 };
                fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
            });
        }
    }

    fn ask(&self, question: &str) -> Outcome {
        let mut command =
            Command::new(if self.is_root { program() } else { Path::new(env!("CARGO_BIN_EXE_gzette")) });
        self.project.prepare(&mut command);
        if self.is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.args(["--now", "2026-03-01T12:00:00Z"]).args(question.split_whitespace());
        Outcome::of(command.output().unwrap())
    }

    fn answers(&self, questions: &[&str]) -> Vec<Outcome> {
        questions.iter().map(|question| self.ask(question)).collect()
    }
}

impl Drop for Stranger<'_> {
    fn drop(&mut self) {
        self.may_write(true);
    }
}

/// Returns a copy of the program where any user may run it.
fn program() -> &'static Path {
    static COPY: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = COPY.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        let path = dir.path().join("gzette");
        // By another process: one that this one starts meanwhile would hold the file open, and it could not be run.
        let done = Command::new("cp").arg(env!("CARGO_BIN_EXE_gzette")).arg(&path).status().unwrap();
        assert!(done.success());
        (dir, path)
    });
    path
}

fn each_below(path: &Path, visit: &mut dyn FnMut(&Path)) {
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            each_below(&entry.unwrap().path(), visit);
        }
    }
    visit(path);
}

/// Returns a project with two objects, run once.
fn project() -> Project {
    let project = Project::new();
    put(&project, "api", 2);
    put(&project, "jobs", 5);
    project.gzette("run").exits(0);
    project
}

fn put(project: &Project, app: &str, hours: i64) {
    let start_ms = NOON_MS - hours * HOUR_MS;
    project.put(&format!("{app}/{}/{app}.gz", day_of(start_ms)), text_of(app, start_ms, 40));
}
