//! Commands as a person pastes them into a shell: quoted, and with the options that lead to the same configuration
//! and state from any folder.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::visible::is_hidden;

/// Commands that read no configuration.
const WITHOUT_CONFIGURATION: [&str; 3] = ["init", "demo", "completions"];

/// How gzette has to be called to do the same from elsewhere. The default is the bare name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Invocation {
    /// ` --config '/a b/gzette.toml'`, or nothing.
    options: String,
    /// The configuration in use, whether it has to be named or not.
    config: Option<PathBuf>,
}

impl Invocation {
    /// Returns a call that uses the configuration `config`, an absolute path. `is_found` says that it is found from
    /// any folder without being named.
    pub fn new(config: &Path, is_found: bool) -> Self {
        let mut options = String::new();
        if !is_found {
            push_option(&mut options, "--config", config);
        }
        Self { options, config: Some(config.to_owned()) }
    }

    /// Adds the state directory, an absolute path, if it is not the configuration's.
    #[must_use]
    pub fn with_state(mut self, dir: Option<&Path>) -> Self {
        if let Some(dir) = dir {
            push_option(&mut self.options, "--state", dir);
        }
        self
    }

    /// Returns the command with these arguments, each quoted.
    pub fn command(&self, arguments: &[&str]) -> String {
        let mut command = format!("gzette{}", self.options);
        for argument in arguments {
            command.push(' ');
            command.push_str(&quoted(argument.as_bytes()));
        }
        command
    }

    /// Makes a hint particular: commands in backticks (`` `gzette verify` ``) get the options that they need here, and
    /// `gzette.toml` becomes the path of the configuration in use.
    pub fn told<'t>(&self, hint: &'t str) -> Cow<'t, str> {
        let Some(config) = self.config.as_ref().filter(|_| hint.contains("gzette")) else {
            return hint.into();
        };
        let mut told = String::with_capacity(hint.len());
        for (number, piece) in hint.split("`gzette ").enumerate() {
            if number > 0 {
                let verb = piece.split([' ', '`']).next().unwrap_or_default();
                let is_plain = WITHOUT_CONFIGURATION.contains(&verb) || verb.starts_with('-');
                let options = if is_plain { "" } else { &self.options };
                let _ = write!(told, "`gzette{options} ");
            }
            told.push_str(&piece.replace(" in gzette.toml", &format!(" in `{}`", config.display())));
        }
        told.into()
    }
}

fn push_option(options: &mut String, name: &str, path: &Path) {
    let _ = write!(options, " {name} {}", quoted(path.as_os_str().as_bytes()));
}

/// Returns an argument as a POSIX shell reads it back, byte for byte. Text that a terminal or a line would not survive
/// (control characters, newlines, characters that turn the direction, bytes that are not UTF-8) is written as `$'\012'`
/// (POSIX.1-2024, XCU 2.2.4; long supported by bash, zsh and ksh). The crate `shlex` leaves such characters as they are.
pub fn quoted(argument: &[u8]) -> String {
    let text = String::from_utf8_lossy(argument);
    if text.chars().any(|letter| is_hidden(letter) || letter == '\u{fffd}') {
        return octal(argument);
    }
    let is_bare = |letter: char| letter.is_ascii_alphanumeric() || "-_./:,=+@%".contains(letter);
    // A leading `=` is a path in zsh.
    if !text.is_empty() && text.chars().all(is_bare) && !text.starts_with('=') {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn octal(argument: &[u8]) -> String {
    let mut quoted = "$'".to_owned();
    for &byte in argument {
        match byte {
            // `!` and quotes would be safe in most shells only.
            b' '..=b'~' if !br"'\!".contains(&byte) => quoted.push(byte as char),
            _ => {
                let _ = write!(quoted, "\\{byte:03o}");
            }
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// What a shell would take for something else, and what a line would not hold.
    const HARD: [&[u8]; 18] = [
        b"",
        b"plain-key_1.gz",
        b"a b",
        b"it's",
        b"\"quoted\"",
        b"$HOME `id` $(id)",
        b"wow!!",
        b"!1",
        b"back\\slash\\",
        b"*?[a]{b,c}~",
        b"=ls",
        b"~root",
        b"#no comment",
        b";&|<>()",
        b"line\nline\n",
        b"it's\x1b[31m\\ red!\t",
        b"\xff\xfe not text",
        "caf\u{e9} \u{202e}gnp".as_bytes(),
    ];

    #[test]
    fn a_shell_reads_back_every_byte() {
        for argument in HARD {
            let line = quoted(argument);
            assert!(!line.contains(is_hidden), "{line:?} does not fit a line");
            let output = Command::new("bash").args(["-c", &format!("printf '%s' {line}")]).output().unwrap();
            assert_eq!(output.stdout, argument, "{line}");
        }
    }

    /// Shells at a prompt replace `!` by earlier commands, within double quotes too.
    #[test]
    fn a_shell_at_a_prompt_reads_them_back_too() {
        for argument in HARD {
            let line = quoted(argument);
            let script = format!("set -o history -o histexpand\nprintf '%s' {line}\n");
            let mut bash = Command::new("bash");
            bash.args(["--norc", "--noprofile"]).stdin(std::process::Stdio::piped());
            let mut bash = bash.stdout(std::process::Stdio::piped()).spawn().unwrap();
            std::io::Write::write_all(&mut bash.stdin.take().unwrap(), script.as_bytes()).unwrap();
            assert_eq!(bash.wait_with_output().unwrap().stdout, argument, "{line}");
        }
    }

    #[test]
    fn what_is_plain_stays_readable() {
        assert_eq!(quoted(b"s3://logs/app/20260131/a.gz:12"), "s3://logs/app/20260131/a.gz:12");
        assert_eq!(quoted(b"a b"), "'a b'");
    }

    #[test]
    fn commands_name_the_configuration_that_is_not_found_without() {
        let here = Invocation::new(Path::new("/my logs/gzette.toml"), false);
        assert_eq!(
            here.command(&["search", "it's"]),
            r"gzette --config '/my logs/gzette.toml' search 'it'\''s'"
        );
        assert_eq!(
            here.told(
                "`gzette init` writes one; `gzette verify --repair` counts again; see `url` in gzette.toml"
            ),
            "`gzette init` writes one; `gzette --config '/my logs/gzette.toml' verify --repair` counts again; \
             see `url` in `/my logs/gzette.toml`"
        );
        let system = Invocation::new(Path::new("/etc/gzette/gzette.toml"), true);
        assert_eq!(system.command(&["status"]), "gzette status");
        let elsewhere = system.with_state(Some(Path::new("/tmp/s")));
        assert_eq!(elsewhere.told("run `gzette run` first"), "run `gzette --state /tmp/s run` first");
        assert_eq!(Invocation::default().told("run `gzette run`"), "run `gzette run`");
    }
}
