//! What single commands print: JSON that is one value, differences in words, one sentence for one failure, and
//! how they end when their reader or their user has gone.

use std::io::Read as _;
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};

use gzette_core::model::HOUR_MS;
use serde_json::json;

use crate::old_states::{project_with, verifies_but_for_the_index};
use crate::support::{NOON_MS, Outcome, Project, count_otherwise, event, text_of};

/// Returns a project that has read one object.
fn of_one_object() -> Project {
    let project = Project::new();
    project.put("api/20260301/api_0.gz", text_of("api", NOON_MS - HOUR_MS, 40));
    project.gzette("run").exits(0);
    project
}

/// `demo --json` printed its summary and then the words for people.
#[test]
fn results_as_json_are_one_value() {
    let project = Project::new();
    let demo = project.gzette("demo --dir tour --json").exits(0).json();
    assert_eq!(demo["objects"]["damaged"], 1);
    for (name, end) in
        [("dashboard", "tour/site/index.html"), ("mail", ".eml"), ("config", "tour/gzette.toml")]
    {
        let path = demo[name].as_str().unwrap();
        assert!(path.ends_with(end) && std::path::Path::new(path).exists(), "{path}");
    }
    let project = of_one_object();
    let report = project.gzette("report --json").exits(0).json();
    assert_eq!(report, json!({ "index": project.path("site/index.html") }));
    let nothing = json!([{
        "name": "ops", "subject": null, "sent": 0, "waiting": 0, "since": null, "next_try": null, "given_up": 0,
        "error": null,
    }]);
    assert_eq!(project.gzette("digest --json").exits(0).json(), nothing);
    let mail = project.gzette("digest --print --json").exits(0).json();
    assert!(mail["text"].as_str().unwrap().contains("Last 24 hours"), "{mail}");
}

#[test]
fn a_digest_that_waits_says_so_in_json() {
    let project = Project::new();
    project.put("api/20260301/api_0.gz", text_of("api", NOON_MS - HOUR_MS, 40));
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    project.reconfigure("from =", &format!("transport = \"smtp://{closed}?tls=none\"\nfrom ="));
    project.gzette("sync").exits(0);
    project.gzette("ingest").exits(0);
    let digest = &project.gzette("digest --json").exits(3).json()[0];
    assert_eq!((&digest["sent"], &digest["waiting"]), (&json!(0), &json!(1)), "{digest}");
    assert!(digest["subject"].is_string() && digest["error"].as_str().unwrap().contains("smtp"), "{digest}");
}

/// It said `counts: the ledger says 634, found 634`, and `Some((1769860800000, ...))` for times.
#[test]
fn verify_says_in_words_what_differs_first() {
    let project = of_one_object();
    let ledger = gzette::edges::ledger::connect(&project.path("state/ledger.sqlite")).unwrap();
    ledger
        .execute_batch(
            "UPDATE generation SET lines = lines + 1, unparsed = unparsed + 1, first_ms = first_ms - 3600000,
                damage_reason = 'member ends early', damage_offset = 99, damage_member = 2;",
        )
        .unwrap();
    count_otherwise(&ledger);
    let verify = project.gzette("verify").exits(3).text();
    let logs = project.path("logs");
    insta::assert_snapshot!(verify.replace(logs.to_str().unwrap(), "[logs]"));
}

/// A verify of a ledger of a version without access points and retention waited forever: its threads held
/// results that no thread took any more.
#[test]
fn verify_reads_an_older_ledger_and_ends_when_it_cannot() {
    let project = project_with("schema-2");
    verifies_but_for_the_index(&project);
    let ledger = gzette::edges::ledger::connect(&project.path("state/ledger.sqlite")).unwrap();
    ledger.execute_batch("UPDATE error_group SET kind = 'unheard of'").unwrap();
    let verify = project.gzette("verify").exits(1);
    assert!(verify.stderr.contains("kind"), "{}", verify.stderr);
    drop(ledger);
}

/// A verify that found differences ended with 0 when `head` had read its first line.
#[test]
fn verify_keeps_its_exit_code_when_its_reader_has_gone() {
    let project = Project::new();
    for number in 0..300 {
        let key = format!("api/20260301/{}{number}.gz", "long".repeat(40));
        project.put(&key, event(NOON_MS - HOUR_MS, "INFO", &format!("number {number}")));
    }
    project.gzette("run").exits(0);
    let into_nothing = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Outcome::of(project.command(&["verify"]).stdout(writer).output().unwrap())
    };
    into_nothing().exits(0);
    // One difference is held back up to the end; all of them are more than that.
    let mirror = project.path("state/mirror/prod/api/20260301");
    let mut files = std::fs::read_dir(&mirror).unwrap().map(|entry| entry.unwrap().path());
    std::fs::remove_file(files.next().unwrap()).unwrap();
    into_nothing().exits(3);
    files.for_each(|file| std::fs::remove_file(file).unwrap());
    assert!(project.gzette("verify").exits(3).stdout.len() > 64 << 10);
    let outcome = into_nothing().exits(3);
    assert_eq!(outcome.stderr, "");
}

/// The first signal was noted, and nothing looked at the note.
#[test]
fn a_signal_ends_what_has_nothing_to_tidy_up() {
    let project = of_one_object();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    project.reconfigure(
        "from =",
        &format!("when = \"always\"\ntransport = \"smtp://{address}?tls=none\"\nfrom ="),
    );
    let mut digest =
        project.command(&["digest"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // Connected, it waits for a greeting that does not come.
    let (mut connection, _) = server.accept().unwrap();
    // Not SIGINT: a shell has what it starts in the background ignore that.
    let killed = Command::new("kill").args(["-TERM", &digest.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(digest.wait().unwrap().signal(), Some(15));
    assert_eq!(connection.read_to_end(&mut Vec::new()).unwrap_or_default(), 0);
}

/// The SDK tells where it looked, in a paragraph; it was cut, and printed twice.
#[test]
fn missing_credentials_are_one_short_sentence_said_once() {
    let project = Project::new();
    project.reconfigure("url = \"logs/\"", "url = \"s3://some-bucket/logs/\"");
    project.reconfigure("from =", "transport = \"ses\"\nfrom =");
    for command in ["run", "sync"] {
        let outcome = project.gzette(&format!("{command} --quiet")).exits(2);
        insta::allow_duplicates! {
            insta::assert_snapshot!(outcome.stderr, @r"
            error     list `s3://some-bucket/logs/`: no AWS credentials were found
            hint      set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in again with `aws sso login`
            ");
        }
    }
    let mut project = project;
    project.set_env("AWS_REGION", "eu-central-1");
    let digest = project.gzette("digest --quiet").exits(3);
    insta::assert_snapshot!(digest.stderr, @r"
    warning   digest `ops`: 1 mail waits since 2026-03-01T12:00:00.000Z (less than a minute), next try after 2026-03-01T12:10:00.000Z: mail by `ses eu-central-1`: no AWS credentials were found
    hint      set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in again with `aws sso login`
    ");
}

#[test]
fn when_every_source_fails_the_first_ends_the_run_and_the_others_are_warned_of() {
    let project = Project::new();
    std::fs::remove_dir(project.path("logs")).unwrap();
    project.reconfigure("[site]", "[[source]]\nname = \"other\"\nurl = \"no/such/folder\"\n\n[site]");
    let run = project.gzette("run --quiet").exits(2);
    let kinds: Vec<_> = run.stderr.lines().map(|line| line.split(' ').next().unwrap()).collect();
    assert_eq!(kinds, ["warning", "hint", "error", "hint"], "{}", run.stderr);
    assert!(run.stderr.starts_with("warning   source `other`: "), "{}", run.stderr);
}

#[test]
fn status_says_that_lines_of_duplicates_are_left_out() {
    let project = of_one_object();
    assert!(!project.gzette("status").text().contains("without"));
    project.put("api/20260301/again.gz", text_of("api", NOON_MS - HOUR_MS, 40));
    project.gzette("run").exits(0);
    let status = project.gzette("status").exits(0).text();
    let lines = status.lines().find(|line| line.starts_with("lines")).unwrap();
    assert!(lines.ends_with(" unparsed, without duplicates"), "{status}");
}

/// `group list --state new` panicked: the name belonged to the global option for the state directory.
#[test]
fn no_option_of_a_command_clashes_with_a_global_one() {
    let root = gzette::shell::cli::command();
    root.clone().debug_assert();
    let globals: Vec<_> = root.get_arguments().filter(|option| option.is_global_set()).collect();
    assert!(globals.len() > 5, "{} global options", globals.len());
    let mut left: Vec<_> = root.get_subcommands().collect();
    let mut options = 0;
    while let Some(command) = left.pop() {
        left.extend(command.get_subcommands());
        for option in command.get_arguments() {
            options += 1;
            for global in &globals {
                let clash = option.get_id() == global.get_id()
                    || names(option).iter().any(|name| names(global).contains(name));
                assert!(!clash, "`{}` of `{}` is a global option", option.get_id(), command.get_name());
            }
        }
    }
    assert!(options > 40, "only {options} options were looked at");
}

/// Returns the names by which an option is written, the aliases too.
fn names(option: &clap::Arg) -> Vec<String> {
    let long = option.get_long_and_visible_aliases().unwrap_or_default();
    let hidden = option.get_all_aliases().unwrap_or_default();
    let short = option.get_short_and_visible_aliases().unwrap_or_default();
    let long = long.into_iter().chain(hidden).map(|name| format!("--{name}"));
    long.chain(short.into_iter().map(|name| format!("-{name}"))).collect()
}

#[test]
fn groups_are_listed_by_state_and_from_another_state_directory() {
    let project = Project::new();
    project.put_week_and_a_new_error();
    project.gzette("run").exits(0);
    let all = project.gzette("group list").exits(0).text();
    let new = project.gzette("group list --is new").exits(0).text();
    assert!(new.ends_with("the printer is on fire\n") && new.lines().count() == 1, "{new}");
    assert_eq!(project.gzette("group list --is new,spiking,regressed,ongoing,quiet").exits(0).text(), all);
    std::fs::rename(project.path("state"), project.path("elsewhere")).unwrap();
    for line in ["--state elsewhere group list --is new", "group list --state elsewhere --is new"] {
        assert_eq!(project.gzette(line).exits(0).text(), new, "{line}");
    }
    project.gzette("group list --state elsewhere --is old").exits(2);
}

/// They found nothing, exited with 0 and said nothing.
#[test]
fn an_unknown_application_or_group_is_a_mistake() {
    let project = of_one_object();
    for command in ["search order", "search order --follow", "count", "group list"] {
        let unknown = project.gzette(&format!("{command} --app apo,api")).exits(2);
        unknown.says(&["no application is named `apo`"], "did you mean `api`?");
        let unknown = project.gzette(&format!("{command} --app qqq")).exits(2);
        unknown.says(&["no application is named `qqq`"], "the applications are `api`");
        let unknown = project.gzette(&format!("{command} --group s4ryz45tkl2q")).exits(2);
        unknown.says(&["there is no group `s4ryz45tkl2q`"], "`gzette group list` shows");
    }
    let unknown = project.gzette("group show s4ryz45tkl2q").exits(2);
    unknown.says(&["there is no group `s4ryz45tkl2q`"], "`gzette group list` shows");
    // Before anything was read, every name is accepted.
    let empty = Project::new();
    empty.gzette("run").exits(0);
    empty.gzette("count --app api").exits(0);
}

/// A title from a log turned the text of a terminal around, and made `group id --json` no JSON.
#[test]
fn no_json_holds_a_character_that_a_terminal_obeys() {
    let project = Project::new();
    let hostile = "evil \u{202e}\u{9b}2J\u{200b} order";
    project.put("a\u{202e}pi/20260301/a\u{9b}.gz", event(NOON_MS - HOUR_MS, "ERROR", hostile));
    project.gzette("run --json").exits(0);
    let text = project.gzette("group list --json").exits(0).text();
    let group: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(group["apps"].as_object().unwrap().keys().any(|app| app.contains('\u{202e}')), "{group}");
    let id = group["id"].as_str().unwrap().to_owned();
    let lines = [
        "run --json",
        "status --json",
        "sync --json",
        "ingest --json",
        "report --json",
        "digest --json",
        "digest --print --json",
        "verify --json",
        "prune --json",
        "count --by app,level,group --json",
        "search order --json",
        "search order --by app,object --json",
        "group list --json",
        &format!("group show {id} --json"),
    ];
    let mut outcomes: Vec<_> = lines.iter().map(|line| (*line, project.gzette(line).exits(0))).collect();
    for line in ["group id --json", "group id --families --json", "group explain --message --json"] {
        outcomes.push((line, project.gzette_reading(line, hostile.as_bytes()).exits(0)));
    }
    for (line, outcome) in outcomes {
        let text = outcome.text();
        let odd = |letter: char| letter.is_control() && letter != '\n' || "\u{202e}\u{200b}".contains(letter);
        assert!(!text.contains(odd), "{line}: {text:?}");
        for value in text.lines() {
            serde_json::from_str::<serde_json::Value>(value)
                .unwrap_or_else(|error| panic!("{line}: {error}: {text}"));
        }
    }
}
