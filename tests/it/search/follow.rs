//! `--follow` shows what other processes take in, each line once, and ends when it is asked to.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use crate::support::{NOON_MS, Project, event};

/// Longer than any run of these tests takes: with it, a line that does not come is a failure and no wait for ever.
const PATIENCE: Duration = Duration::from_mins(1);

/// A search that goes on, and the lines that it prints.
struct Follower {
    child: Child,
    lines: Receiver<String>,
}

impl Follower {
    fn start(project: &Project, line: &str) -> Self {
        let mut child = project.start(line);
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || stdout.lines().try_for_each(|line| sender.send(line.unwrap())));
        Self { child, lines }
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap()
    }

    /// Requires that lines with these words come next.
    fn shows(&self, words: &[&str]) {
        for word in words {
            let line = self.next();
            assert!(line.contains(&format!("\"{word}\"")), "{word}: {line}");
        }
    }

    /// Ends it by a signal; requires a clean end and no further output.
    fn ends(mut self) {
        let killed = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap();
        assert!(killed.success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0));
        assert_eq!(self.lines.iter().collect::<Vec<_>>(), Vec::<String>::new());
    }
}

fn lines(words: &[&str]) -> String {
    let number =
        |word: &str| word.trim_matches(|letter: char| letter.is_alphabetic()).parse::<i64>().unwrap();
    words.iter().map(|word| event(NOON_MS + number(word) * 1000, "INFO", word)).collect()
}

#[test]
fn each_line_of_each_new_batch_is_shown_once() {
    let project = Project::new();
    project.put("api/20260301/api_0.gz", lines(&["a1", "a2", "a3"]));
    project.gzette("run").exits(0);
    let follower = Follower::start(&project, "search logLevel NOT b5 --follow --limit 2");
    follower.shows(&["a2", "a3"]);
    project.put("api/20260301/api_1.gz", lines(&["b4", "b5", "b6"]));
    project.gzette("run").exits(0);
    follower.shows(&["b4", "b6"]);
    // Of a grown object only the new lines; of one that is delivered again, none.
    project.put("api/20260301/api_1.gz", lines(&["b4", "b5", "b6", "b6x", "b7"]));
    project.put("api/20260301/api_2.gz", lines(&["a1", "a2", "a3"]));
    project.gzette("run").exits(0);
    follower.shows(&["b6x", "b7"]);
    project.gzette("run").exits(0);
    project.put("web/20260301/web_0.gz", lines(&["w1"]));
    project.gzette("run").exits(0);
    follower.shows(&["w1"]);
    follower.ends();
}

#[test]
fn other_formats_come_as_they_are_found_too() {
    let project = Project::new();
    project.put("api/20260301/api_0.gz", lines(&["a1"]));
    project.gzette("run").exits(0);
    let table = Follower::start(&project, "search logLevel -f -o table");
    let csv = Follower::start(&project, "search logLevel -f -o csv");
    assert!(table.next().ends_with("  a1"));
    assert!(csv.next().starts_with("time,") && csv.next().contains(",a1,"));
    project.put("api/20260301/api_1.gz", lines(&["b2"]));
    project.gzette("run").exits(0);
    assert!(table.next().ends_with("  b2"));
    assert!(csv.next().contains(",b2,"));
    table.ends();
    csv.ends();
}

/// As in `| head -1`: it ends then and there, not with the next line.
#[test]
fn a_reader_that_has_gone_ends_it() {
    let project = Project::new();
    project.put("api/20260301/api_0.gz", lines(&["a1"]));
    project.gzette("run").exits(0);
    let mut child = project.command(&["search", "logLevel", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    assert!(line.contains("a1"), "{line}");
    drop(stdout);
    let (sender, ended) = channel();
    thread::spawn(move || sender.send(child.wait().unwrap().code()));
    assert_eq!(ended.recv_timeout(PATIENCE).unwrap(), Some(0));
}
