//! A mirrored file that has changed since it was counted never gives a wrong answer: it is fetched again, or named.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::{NOON_MS, Project, event, files_below, gz, lines_of};

const KEY: &str = "api/20260301/api_0.gz";

/// The newest line with the needle, and some others: far inside, so that access points are used.
const NEEDLE_LINES: [i64; 4] = [700, 20_000, 20_001, 39_000];

/// Every way of reading lines; each answer is known from the undamaged file.
const COMMANDS: [&str; 9] = [
    "search -F needle",
    "search --count -F needle",
    "search -F needle -n 2",
    "search -F needle -C 1",
    "search -F needle -n 1 -B 2",
    "search -F needle --by level",
    "search -F needle --histogram",
    "search -F needle -o json",
    "show PLACE -C 2",
];

/// About 6 MB of lines, a few of them with a needle.
fn text() -> String {
    let mut text = String::new();
    for number in 0..40_000 {
        let word = if NEEDLE_LINES.contains(&number) { "needle" } else { "hay" };
        let noise = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let message =
            format!("{word} {number} {noise:016x} {:016x}", noise.rotate_left(17).wrapping_mul(noise));
        text += &event(NOON_MS - 40_000_000 + number * 1000, "INFO", &message);
    }
    text
}

/// A project of one object, whose source has lost it.
struct Rotting {
    project: Project,
    stored: Vec<u8>,
    file: PathBuf,
    /// The answers before the damage.
    answers: Vec<String>,
}

impl Rotting {
    fn new(stored: Vec<u8>) -> Self {
        let project = Project::new();
        project.put_stored(KEY, &stored);
        project.gzette("run").exits(0);
        let files = files_below(&project.path("state/mirror/prod"));
        let [name] = files.keys().collect::<Vec<_>>()[..] else { panic!("{files:?}") };
        let file = project.path("state/mirror/prod").join(name);
        let mut rotting = Self { project, stored, file, answers: Vec::new() };
        rotting.answers = COMMANDS.map(|command| rotting.run(command, 0)).to_vec();
        assert!(rotting.answers.iter().all(|answer| !answer.is_empty()));
        rotting
    }

    fn command(&self, command: &str) -> String {
        let place = format!("{}:20002", self.project.path("logs").join(KEY).display());
        command.replace("PLACE", &place)
    }

    fn run(&self, command: &str, code: i32) -> String {
        self.project.gzette(&self.command(command)).exits(code).text()
    }

    fn change(&self, at: usize) {
        let mut stored = self.stored.clone();
        stored[at] ^= 0x15;
        fs::write(&self.file, stored).unwrap();
    }

    /// Requires of every answer without the source that it is right, or names the object and has no line that was not
    /// there. Returns how many are not whole.
    fn answers_right_or_names_the_file(&self, about: &str) -> usize {
        let mut named = 0;
        for (command, answer) in COMMANDS.iter().zip(&self.answers) {
            let outcome = self.project.gzette(&format!("{} --offline", self.command(command)));
            let told = format!("{about}: {command}: {outcome:?}");
            if outcome.code() == Some(0) {
                assert!(outcome.text() == *answer, "{told}");
                continue;
            }
            named += 1;
            assert_eq!(outcome.code(), Some(if command.starts_with("show") { 1 } else { 3 }), "{told}");
            assert!(outcome.stderr.contains("has changed since it was counted"), "{told}");
            assert!(outcome.stderr.contains("verify --repair"), "{told}");
            let right: HashSet<_> = lines_of(answer.as_bytes()).into_iter().collect();
            let counts = ["--count", "--by", "--histogram"].iter().any(|form| command.contains(form));
            assert!(counts || lines_of(&outcome.stdout).iter().all(|line| right.contains(line)), "{told}");
        }
        named
    }

    /// Requires that every answer is right while the source has the object.
    fn answers_right(&self, about: &str) {
        for (command, answer) in COMMANDS.iter().zip(&self.answers) {
            assert!(self.run(command, 0) == *answer, "{about}: {command}");
        }
    }
}

/// Compressed in one member, so lightly that a byte of the text is a byte of the file.
fn in_the_open(text: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::none());
    encoder.write_all(text).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn a_changed_byte_is_noticed_wherever_it_stands() {
    let text = text();
    let rotting = Rotting::new(in_the_open(text.as_bytes()));
    let needles: Vec<_> = memchr::memmem::find_iter(&rotting.stored, b"needle").collect();
    assert_eq!(needles.len(), NEEDLE_LINES.len());
    for (number, &at) in needles.iter().enumerate() {
        rotting.change(at + 2);
        assert!(rotting.answers_right_or_names_the_file(&format!("needle {number}")) > 0, "needle {number}");
    }
    rotting.change(needles[1] + 2);
    rotting.answers_right("with the source");
    // Without an index, nothing is known of blocks.
    fs::remove_dir_all(rotting.project.path("state/index")).unwrap();
    assert_eq!(rotting.answers_right_or_names_the_file("without an index"), COMMANDS.len());
    rotting.answers_right("without an index, with the source");
    rotting.project.gzette("verify --repair").exits(0);
    rotting.answers_right("repaired");
    assert_eq!(rotting.answers_right_or_names_the_file("repaired"), 0);
}

#[test]
fn broken_compression_is_no_short_answer() {
    let rotting = Rotting::new(gz(text().as_bytes()));
    let length = rotting.stored.len();
    let mut named = 0;
    for tenth in 1..10 {
        rotting.change(length * tenth / 10 + tenth);
        named += rotting.answers_right_or_names_the_file(&format!("{tenth} tenths"));
    }
    assert!(named >= COMMANDS.len(), "{named}");
    rotting.answers_right("with the source");
}

#[test]
fn a_line_too_long_to_be_held_is_checked_before_it_is_shown() {
    let project = Project::new();
    let long = "abcdefgh".repeat(700_000);
    let mut text = String::new();
    for number in 0..3 {
        let _ = writeln!(text, "before {number}\nneedle {number} {long}\nbehind {number}");
    }
    let stored = in_the_open(text.as_bytes());
    project.put_stored(KEY, &stored);
    project.gzette("run").exits(0);
    let whole = project.gzette("search -F needle -C 1").exits(0).stdout;
    assert!(whole == text.as_bytes(), "{} bytes", whole.len());
    let files = files_below(&project.path("state/mirror"));
    let file = project.path("state/mirror").join(files.keys().next().unwrap());
    let mut changed = stored.clone();
    let last = memchr::memmem::rfind(&stored, b"needle 2").unwrap();
    changed[last + 5_000_000] ^= 1;
    fs::write(file, changed).unwrap();
    for command in ["search -F needle -C 1 --offline", "search -F needle --offline"] {
        let outcome = project.gzette(command).exits(3);
        assert!(memchr::memmem::find(&outcome.stdout, b"needle 2").is_none(), "{command}");
    }
    assert!(project.gzette("search -F needle -C 1").exits(0).stdout == text.as_bytes());
}
