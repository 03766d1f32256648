//! Configurations that are found from any folder, and printed commands that do the same when they are pasted there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use gzette_core::model::HOUR_MS;

use crate::support::{NOON_MS, Outcome, Project, copy_folder, text_of};

/// A name that a shell would take apart, and that does not fit a line.
const HARD_NAME: &str = "it's \"my\" $HOME, wow!\n`x`";

/// Returns a project that has read one object.
fn of_one_object() -> Project {
    let project = Project::new();
    project.put("api/20260301/api_0.gz", text_of("api", NOON_MS - HOUR_MS, 40));
    project.gzette("run").exits(0);
    project
}

/// Moves a project's configuration, logs and state into another folder of it.
fn moved(project: &Project, folder: &str) -> PathBuf {
    let to = project.path(folder);
    copy_folder(&project.path("logs"), &to.join("logs"));
    copy_folder(&project.path("state"), &to.join("state"));
    fs::rename(project.path("gzette.toml"), to.join("gzette.toml")).unwrap();
    to
}

/// Runs a line as a shell at a prompt of another folder would.
fn pasted(project: &Project, line: &str) -> Outcome {
    let program = Path::new(env!("CARGO_BIN_EXE_gzette")).parent().unwrap();
    let mut shell = Command::new("bash");
    project.prepare(&mut shell);
    shell.args(["--norc", "--noprofile"]).current_dir("/").stdin(Stdio::piped());
    shell.env("PATH", format!("{}:/usr/bin:/bin", program.display()));
    let mut shell = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let script = format!("set -o history -o histexpand\n{line}\n");
    std::io::Write::write_all(&mut shell.stdin.take().unwrap(), script.as_bytes()).unwrap();
    Outcome::of(shell.wait_with_output().unwrap())
}

/// Returns the commands in backticks of a text.
fn commands_in(text: &str) -> Vec<String> {
    let pieces = text.split('`').skip(1).step_by(2);
    pieces.filter(|piece| piece.starts_with("gzette ")).map(str::to_owned).collect()
}

fn a_group(project: &Project) -> String {
    let groups = project.gzette("group list --json").exits(0).text();
    let first: serde_json::Value = serde_json::from_str(groups.lines().next().unwrap()).unwrap();
    first["id"].as_str().unwrap().to_owned()
}

#[test]
fn the_configuration_is_looked_for_in_order() {
    let mut project = of_one_object();
    let text = fs::read_to_string(project.path("gzette.toml")).unwrap();
    let place = |path: &str| {
        let path = project.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
        path
    };
    let user = place(".config/gzette/gzette.toml");
    let xdg = place("xdg/gzette/gzette.toml");
    let variable = place("variable/any.toml");
    let here = project.path("gzette.toml");
    let named_by = |project: &Project, options: &str| {
        let status = project.gzette(&format!("{options} status -v --state state")).exits(0);
        let line = status.stderr.lines().find_map(|line| line.trim().strip_prefix("configuration "));
        line.unwrap_or_else(|| panic!("{}", status.stderr)).to_owned()
    };
    assert_eq!(named_by(&project, "--config variable/any.toml"), variable.to_str().unwrap());
    assert_eq!(named_by(&project, ""), here.to_str().unwrap());
    project.set_env("GZETTE_CONFIG", "variable/any.toml");
    assert_eq!(named_by(&project, ""), variable.to_str().unwrap());
    assert_eq!(named_by(&project, "--config gzette.toml"), here.to_str().unwrap());
    project.set_env("GZETTE_CONFIG", "");
    fs::remove_file(&here).unwrap();
    assert_eq!(named_by(&project, ""), user.to_str().unwrap());
    project.set_env("XDG_CONFIG_HOME", project.path("xdg").to_str().unwrap());
    assert_eq!(named_by(&project, ""), xdg.to_str().unwrap());
    // The specification of XDG passes over a path that is not absolute.
    project.set_env("XDG_CONFIG_HOME", "xdg");
    assert_eq!(named_by(&project, ""), user.to_str().unwrap());
}

#[test]
fn without_a_configuration_the_places_are_named() {
    let project = Project::new();
    fs::remove_file(project.path("gzette.toml")).unwrap();
    let here = project.path("gzette.toml");
    let user = project.path(".config/gzette/gzette.toml");
    let places = [here.to_str().unwrap(), user.to_str().unwrap(), "/etc/gzette/gzette.toml"];
    project.gzette("status").exits(2).says(&places, "GZETTE_CONFIG");
}

#[test]
fn a_configuration_that_was_named_is_not_replaced_by_another() {
    let mut project = Project::new();
    project.gzette("--config other.toml status").exits(2).says(&["other.toml"], "--config FILE");
    project.set_env("GZETTE_CONFIG", "/no/such.toml");
    project.gzette("status").exits(2).says(&["`/no/such.toml`, which GZETTE_CONFIG names"], "gzette init");
    project.set_env("GZETTE_CONFIG", "");
    // One that cannot be read is an error, not a reason to look on.
    fs::remove_file(project.path("gzette.toml")).unwrap();
    fs::create_dir(project.path("gzette.toml")).unwrap();
    let here = project.path("gzette.toml");
    project.gzette("status").exits(2).says(&[here.to_str().unwrap()], "gzette init");
}

#[test]
fn init_makes_the_folder_of_the_users_configuration() {
    let project = Project::new();
    fs::remove_file(project.path("gzette.toml")).unwrap();
    let init = project.gzette("init --config .config/gzette/gzette.toml").exits(0);
    // It is found from anywhere.
    assert!(init.stderr.contains("then `gzette run`"), "{}", init.stderr);
    assert!(project.path(".config/gzette/gzette.toml").exists());
    let init = project.gzette("init").exits(0);
    assert!(init.stderr.contains("then `gzette --config /"), "{}", init.stderr);
}

/// `gzette search --group ID` on a page of `group show` did nothing in another folder.
#[test]
fn a_printed_search_finds_its_lines_from_any_folder() {
    let project = of_one_object();
    let id = a_group(&project);
    let expected = project.gzette(&format!("search --group {id}")).exits(0).stdout;
    assert!(!expected.is_empty());
    let hard = moved(&project, HARD_NAME);
    let shown = project.gzette_with(&[
        "--config".as_ref(),
        hard.join("gzette.toml").as_os_str(),
        "group".as_ref(),
        "show".as_ref(),
        id.as_ref(),
    ]);
    let shown = shown.exits(0).text();
    let command = shown.lines().last().unwrap().trim();
    assert!(command.starts_with("gzette --config "), "{shown}");
    assert_eq!(pasted(&project, command).exits(0).stdout, expected, "{command}");
}

#[test]
fn a_mail_without_links_names_a_search_that_works() {
    let project = Project::new();
    project.put_week_and_a_new_error();
    project.gzette("run").exits(0);
    let mail = project.gzette("digest --print").exits(0).text();
    let command = mail.lines().map(str::trim).find(|line| line.starts_with("gzette --config "));
    let found = pasted(&project, command.unwrap_or_else(|| panic!("{mail}"))).exits(0).text();
    assert!(found.contains("the printer is on fire"), "{found}");
}

#[test]
fn a_hint_names_the_state_directory_that_was_chosen() {
    let project = of_one_object();
    let failed = project.gzette("status --state elsewhere").exits(1);
    let [command] = commands_in(&failed.stderr).try_into().unwrap();
    assert!(command.ends_with(" run"), "{command}");
    pasted(&project, &command).exits(0);
    project.gzette("status --state elsewhere").exits(0);
}

#[test]
fn what_is_found_from_anywhere_is_not_named() {
    let project = of_one_object();
    let id = a_group(&project);
    let text = fs::read_to_string(project.path("gzette.toml")).unwrap();
    fs::create_dir_all(project.path(".config/gzette")).unwrap();
    let absolute = text.replace("\"state\"", &format!("{:?}", project.path("state")));
    fs::write(project.path(".config/gzette/gzette.toml"), absolute).unwrap();
    fs::remove_file(project.path("gzette.toml")).unwrap();
    let shown = project.gzette(&format!("group show {id}")).exits(0).text();
    let command = shown.lines().last().unwrap().trim();
    assert_eq!(command, format!("gzette search --group {id}"));
    assert!(!pasted(&project, command).exits(0).stdout.is_empty());
}

#[test]
fn the_demo_prints_commands_that_work() {
    let project = Project::new();
    let demo = project.gzette_with(&["demo", "--dir", HARD_NAME]).exits(0).text();
    let commands: Vec<_> = demo.lines().skip_while(|line| *line != "try").skip(1).collect();
    assert!(commands.len() > 3, "{demo}");
    // One object of the demo is damaged; `verify` counts its readable part.
    for command in commands {
        // The demo was made for the time of `--now`.
        let command = command.replace(" --since 2h", "");
        assert!(!pasted(&project, &command).exits(0).stdout.is_empty(), "{command}");
    }
}
