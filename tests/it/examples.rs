//! Every example of `--help`, README.md and docs/ is run, in a project that holds what they look for;
//! and every command with every option, at least once.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use clap::ArgMatches;
use clap::parser::ValueSource;
use gzette::edges::store::{ObjectStore as _, PutOptions, S3Store};
use jiff::Timestamp;

use crate::servers::moto;
use crate::store::options_for;
use crate::support::{Outcome, Project, gz};

/// The time at which the examples are run: what they look for is of that morning.
const NOW: &str = "2026-01-31T10:00:00Z";

/// The places where objects of the examples are: sources, and what their objects lie in.
const SOURCES: [(&str, &str); 3] =
    [("prod", "s3://acme-logs/logs/"), ("bucket", "s3://logs/"), ("folder", "logs/")];

/// Examples that are only parsed, and why. None.
const ONLY_PARSED: [&str; 0] = [];

#[test]
fn every_example_runs() {
    let stage = Stage::new();
    let examples: Vec<_> = of_help().into_iter().chain(of_documents()).collect();
    assert!(examples.len() > 40, "only {} examples were found", examples.len());
    let failed: Vec<_> = examples.iter().filter_map(|example| stage.fault(example)).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn every_example_of_help_is_found() {
    // A command outside of backticks that is not taken for an example would not be run.
    let shown = commands().into_iter().map(|command| {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let is_shown = |line: &&str| line.split('`').step_by(2).any(|text| text.contains("gzette "));
        text.lines().filter(is_shown).count()
    });
    assert_eq!(of_help().len(), shown.sum::<usize>());
}

#[test]
fn every_command_runs_with_every_option() {
    let mut project = Project::new();
    project.put_week_and_a_new_error();
    project.reconfigure("[site]\n", "[site]\npublish = \"published\"\n");
    // A source that is read once and then no longer configured, for `prune --source`.
    let old = "[[source]]\nname = \"old\"\nurl = \"old/\"\n\n";
    fs::create_dir(project.path("old")).unwrap();
    project.reconfigure("[site]\n", &format!("{old}[site]\n"));
    project.gzette("run").exits(0);
    project.reconfigure(old, "");
    let group = word_of(&project, "group list --is new", 7);
    let place = word_of(&project, "search printer --open", 0);
    project.set_env("SHELL", "/bin/sh");
    let mut used = BTreeSet::new();
    for case in CASES {
        let words: Vec<_> =
            case.split(' ').map(|word| word.replace("ID", &group).replace("PLACE", &place)).collect();
        note_used(&words, &mut used);
        let mut command = project.command(&words);
        let outcome =
            if case.contains("--follow") { followed(&mut command) } else { with_stdin(&mut command) };
        outcome.exits(0);
    }
    let missing: Vec<_> = all_options().into_iter().filter(|option| !used.contains(option)).collect();
    assert!(missing.is_empty(), "no case of tests/it/examples.rs uses {missing:#?}");
}

/// Command lines that together use every option; `ID` is a group, `PLACE` a line of an object. All end well.
const CASES: [&str; 60] = [
    "init --config fresh/gzette.toml",
    "run --deadline 1h",
    "run --quiet",
    "sync --deadline 10m",
    "ingest --verbose",
    "report --no-color",
    "publish",
    "digest --print",
    "digest --json",
    "digest --retry",
    "status --state state",
    "search order failed",
    "search --fixed --ignore-case ORDER",
    "search order --app api --level error --since 4h",
    "search --group ID",
    "search order --on 2026-02-28",
    "search order --from 2026-02-28T06:00 --to 2026-03-01",
    "search order --last-run --limit 3",
    "search order --after-context 1 --before-context 2",
    "search order --context 1",
    "search order --offline",
    "search order --count",
    "search order --by app,day",
    "search order --histogram",
    "search order --output table",
    "search order --save hits.jsonl.gz",
    "search order --open",
    "search order --follow",
    "show PLACE --after-context 1 --before-context 2",
    "show PLACE --context 1 --offline",
    "count --by app,level",
    "count --app api --level error --since 7d",
    "count --group ID --on today",
    "count --from 2026-02-28 --to 2026-03-01",
    "group list order --sort last",
    "group list --is new,ongoing --families",
    "group list --app api --level error --since 7d --limit 3",
    "group list --group ID --on today",
    "group list --from 2026-02-28 --to 2026-03-01",
    "group show ID",
    "group explain --app api",
    "group explain --message",
    "group id --template",
    "group id --families",
    "group rebuild --all",
    "verify",
    "verify --repair",
    "prune --dry-run",
    "prune --source old",
    "prune",
    "demo --dir tour --seed 3",
    "completions bash",
    "completions elvish",
    "completions fish",
    "completions powershell",
    "completions zsh",
    "--version",
    "--help",
    "search --help",
    "help group list",
];

/// A project in which the examples find what they look for, and a `gzette` whose present is [`NOW`].
struct Stage {
    project: Project,
    program: PathBuf,
}

struct Example {
    /// The document or command that shows it.
    shown_in: String,
    line: String,
}

impl Stage {
    fn new() -> Self {
        let mut project = Project::new();
        project.now_ms = NOW.parse::<Timestamp>().unwrap().into();
        project.set_env("AWS_ENDPOINT_URL", &moto().endpoint);
        for (name, value) in [("ACCESS_KEY_ID", "any"), ("SECRET_ACCESS_KEY", "any"), ("REGION", "us-east-1")]
        {
            project.set_env(&format!("AWS_{name}"), value);
        }
        let sources = SOURCES.map(|(name, url)| format!("[[source]]\nname = \"{name}\"\nurl = \"{url}\"\n"));
        project.reconfigure("[[source]]\nname = \"prod\"\nurl = \"logs/\"\n", &sources.join("\n"));
        project.reconfigure("[site]\n", "[site]\npublish = \"published\"\n");
        put_objects(&project);
        let program = project.path("bin/gzette");
        fs::create_dir(project.path("bin")).unwrap();
        let script = format!("#!/bin/sh\nexec '{}' --now {NOW} \"$@\"\n", env!("CARGO_BIN_EXE_gzette"));
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        project.gzette("run").exits(0);
        Self { project, program }
    }

    /// Runs an example as a shell would; returns what is wrong with it.
    fn fault(&self, example: &Example) -> Option<String> {
        let line = example.line.as_str();
        if ONLY_PARSED.contains(&line) {
            return None;
        }
        let mut command = Command::new("bash");
        self.project.prepare(&mut command);
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", self.program.parent().unwrap().display());
        command.env("PATH", path).args(["-o", "pipefail", "-c", &self.placed(line)]);
        if line.starts_with("gzette init") {
            let fresh = tempfile::tempdir_in(self.project.dir()).unwrap().keep();
            command.current_dir(fresh);
        }
        let outcome =
            if line.contains("--follow") { followed(&mut command) } else { with_stdin(&mut command) };
        let is_silent = outcome.stdout.is_empty() && !line.contains('>') && asks(line);
        if outcome.code() == Some(0) && !is_silent {
            return None;
        }
        let Example { shown_in, line } = example;
        Some(format!(
            "{shown_in}: {line}\nexit code {:?}\n{}{}",
            outcome.code(),
            outcome.text(),
            outcome.stderr
        ))
    }

    /// Returns a line with the machine's places replaced by those of the project.
    fn placed(&self, line: &str) -> String {
        let here = |name: &str| self.project.path(name).display().to_string();
        let line = line.replace("/etc/gzette/gzette.toml", &here("gzette.toml"));
        line.replace("/etc/bash_completion.d/gzette", &here("completion"))
    }
}

/// Whether a command without output has missed what it should find.
fn asks(line: &str) -> bool {
    ["search", "show", "count", "group", "status"].iter().any(|name| line.contains(&format!("gzette {name}")))
}

/// Puts the objects that the examples speak of into the buckets and the folder.
fn put_objects(project: &Project) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for (name, url) in SOURCES {
        for (key, text) in objects(name) {
            let Some((bucket, prefix)) = url.strip_prefix("s3://").and_then(|url| url.split_once('/')) else {
                project.put(&key, text);
                continue;
            };
            let store = runtime.block_on(S3Store::connect(bucket, &options_for(moto())));
            // It may be there already.
            let _ = runtime.block_on(store.create_bucket());
            let key = format!("{prefix}{key}");
            runtime.block_on(store.put(&key, gz(text.as_bytes()), &PutOptions::default())).unwrap();
        }
    }
}

/// Returns the objects of a source: four applications' of the morning, and one of a week before.
fn objects(source: &str) -> Vec<(String, String)> {
    // As much as in the morning: history that groups can be new after.
    let old = filler(source, "checkout-api", "2026-01-24T07:31:00Z");
    let mut objects = vec![("checkout-api/20260124/pod_7.gz".to_owned(), old.join("\n"))];
    for app in ["checkout-api", "payments-worker", "orders", "billing"] {
        objects.push((format!("{app}/20260131/pod_7.gz"), morning(source, app)));
    }
    objects
}

fn morning(source: &str, app: &str) -> String {
    let mut lines = vec![
        entry("2026-01-31T07:30:00Z", "ERROR", "order 4711 not found"),
        entry("2026-01-31T07:30:01Z", "ERROR", "Read timed out: timeout of the order service"),
        entry("2026-01-31T07:30:02Z", "ERROR", r#"basket 17: timed out, say \"hi\""#),
        entry("2026-01-31T07:30:03Z", "WARN", "the disk is nearly full"),
        r#"2026-01-31 07:30:04 INFO user="a b" is here"#.to_owned(),
    ];
    lines.extend(filler(source, app, "2026-01-31T07:31:00Z"));
    lines.join("\n") + "\n"
}

fn filler(source: &str, app: &str, time: &str) -> Vec<String> {
    (0..1300).map(|number| entry(time, "INFO", &format!("{app} of {source} did thing {number}"))).collect()
}

/// Returns a line; `message` is JSON text.
fn entry(time: &str, level: &str, message: &str) -> String {
    format!(
        r#"{{"@timestamp":"{time}","logLevel":"{level}","logger":"com.acme.Basket","status":503,"origLogEntry":"{message}"}}"#
    )
}

/// Runs a command with an event on stdin.
fn with_stdin(command: &mut Command) -> Outcome {
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::io::Write::write_all(&mut writer, entry(NOW, "ERROR", "order 4711 not found").as_bytes()).unwrap();
    drop(writer);
    Outcome::of(command.stdin(reader).output().unwrap())
}

/// Runs a search that goes on until it has printed a line, and then interrupts it.
fn followed(command: &mut Command) -> Outcome {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    reader.read_line(&mut first).unwrap();
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    std::io::copy(&mut reader, &mut std::io::sink()).unwrap();
    let mut outcome = Outcome::of(child.wait_with_output().unwrap());
    outcome.stdout = first.into_bytes();
    outcome
}

/// Returns the program and each of its commands.
fn commands() -> Vec<clap::Command> {
    fn below(command: &clap::Command) -> Vec<clap::Command> {
        let commands = command.get_subcommands().filter(|command| command.get_name() != "help");
        std::iter::once(command.clone()).chain(commands.flat_map(below)).collect()
    }
    let mut root = gzette::shell::cli::command();
    root.build();
    below(&root)
}

fn of_help() -> Vec<Example> {
    let of = |command: clap::Command| {
        let shown_in = format!("{} --help", command.get_bin_name().unwrap_or("gzette"));
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let lines: Vec<_> = text.lines().filter_map(example_of_help).collect();
        lines.into_iter().map(move |line| Example { shown_in: shown_in.clone(), line })
    };
    commands().into_iter().flat_map(of).collect()
}

/// Returns the command of a line of help: `Example:  COMMAND`, or an indented `COMMAND   what it does`.
fn example_of_help(line: &str) -> Option<String> {
    let text = match line.split_once(":  ") {
        Some((_, rest)) => rest,
        None => line.strip_prefix("  ")?,
    };
    let text = without_schedule(text.trim()).split("   ").next()?;
    text.contains("gzette ").then(|| text.to_owned())
}

/// Returns a line of a crontab without its five fields of time.
fn without_schedule(line: &str) -> &str {
    let is_field = |word: &str| word.chars().all(|letter| "0123456789*/,-".contains(letter));
    let mut rest = line;
    for _ in 0..5 {
        match rest.split_once(' ') {
            Some((word, after)) if !word.is_empty() && is_field(word) => rest = after.trim_start(),
            _ => return line,
        }
    }
    rest
}

fn of_documents() -> Vec<Example> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let mut documents: Vec<_> = docs.filter(|path| path.extension().is_some_and(|end| end == "md")).collect();
    documents.push(root.join("README.md"));
    documents.sort();
    let mut examples = Vec::new();
    for path in documents {
        let shown_in = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut is_code = false;
        for line in fs::read_to_string(&path).unwrap().lines() {
            is_code ^= line.starts_with("```");
            if let Some(line) = Some(line).filter(|_| is_code).and_then(example_of_document) {
                examples.push(Example { shown_in: shown_in.clone(), line });
            }
        }
    }
    examples
}

/// Returns the command of a line of a code block, if it is one of gzette.
fn example_of_document(line: &str) -> Option<String> {
    let line = without_schedule(line.strip_prefix("$ ").unwrap_or(line));
    let line = line.replace("cargo run --release -- ", "gzette ");
    let is_one = line.starts_with("gzette ") && !line.starts_with("gzette, ") || line.contains("| gzette ");
    is_one.then_some(line)
}

/// Returns each option and argument of each command; those of all commands once.
fn all_options() -> BTreeSet<(String, String)> {
    let mut options = BTreeSet::new();
    for command in commands() {
        let name = command.get_bin_name().unwrap_or("gzette");
        let own = command.get_arguments().filter(|option| name == "gzette" || !option.is_global_set());
        let ids = own.map(|option| option.get_id().to_string()).filter(|id| id != "help" && id != "version");
        options.extend(ids.map(|id| (name.to_owned(), id)));
        if !command.has_subcommands() {
            options.insert((name.to_owned(), String::new()));
        }
    }
    options
}

/// Notes which options a command line uses.
fn note_used(words: &[String], used: &mut BTreeSet<(String, String)>) {
    let mut line = ["gzette", "--now", NOW].map(str::to_owned).to_vec();
    line.extend_from_slice(words);
    let mut root = gzette::shell::cli::command();
    root.build();
    // Help and version are not parsed into options.
    let Ok(matches) = root.clone().try_get_matches_from(line) else { return };
    let (mut command, mut matches): (&clap::Command, &ArgMatches) = (&root, &matches);
    loop {
        let name = command.get_bin_name().unwrap_or("gzette").to_owned();
        used.insert((name.clone(), String::new()));
        for option in command.get_arguments() {
            let id = option.get_id().as_str();
            if matches.value_source(id) == Some(ValueSource::CommandLine) {
                let name = if option.is_global_set() { "gzette" } else { &name };
                used.insert((name.to_owned(), id.to_owned()));
            }
        }
        let Some((next, below)) = matches.subcommand() else { return };
        (command, matches) = (command.find_subcommand(next).unwrap(), below);
    }
}

/// Returns a word of the first line that a command prints.
fn word_of(project: &Project, line: &str, number: usize) -> String {
    let text = project.gzette(line).exits(0).text();
    let first = text.lines().next().unwrap_or_else(|| panic!("`{line}` prints nothing"));
    first.split_whitespace().nth(number).unwrap().to_owned()
}
