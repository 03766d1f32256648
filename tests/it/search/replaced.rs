//! Searches beside runs that replace what they read: each object is in every answer once, by one of its versions.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use crate::support::{NOON_MS, Outcome, Project, event};

fn key(object: usize) -> String {
    format!("api/20260301/api_{object:02}.gz")
}

/// Returns an object's lines in one version: the same number, at the same times.
fn text_of(object: usize, version: usize, lines: usize, filling: &str) -> String {
    let line = |number: usize| {
        let time_ms = NOON_MS - 10_000_000 + (object * lines + number) as i64 * 1000;
        event(time_ms, "INFO", &format!("needle of={object} version={version} line={number} {filling}"))
    };
    (0..lines).map(line).collect()
}

fn number(line: &str, name: &str) -> usize {
    let found = line.split(['=', ' ', '"']).skip_while(|word| *word != name).nth(1);
    found.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no {name} in {line}"))
}

/// Returns what an answer has of each object: the version, and the numbers of the lines.
fn by_object(answer: &str) -> BTreeMap<usize, (usize, Vec<usize>)> {
    let mut objects: BTreeMap<usize, (usize, Vec<usize>)> = BTreeMap::new();
    for line in answer.lines().filter(|line| *line != "--") {
        let (object, version) = (number(line, "of"), number(line, "version"));
        let known = objects.entry(object).or_insert((version, Vec::new()));
        assert_eq!(known.0, version, "two versions of object {object} in one answer");
        known.1.push(number(line, "line"));
    }
    objects
}

/// A search that waits for its reader while a run replaces everything.
fn replaced_under(line: &str) -> (Outcome, usize) {
    let (objects, lines) = (40, 200);
    let filling = "x".repeat(1000);
    let project = Project::new();
    let put = |version| {
        (0..objects).for_each(|object| project.put(&key(object), text_of(object, version, lines, &filling)));
    };
    put(1);
    project.gzette("run").exits(0);
    let mut search = project.start(line);
    let mut stdout = search.stdout.take().unwrap();
    // It has begun to write, and no more than a pipe holds is out.
    let mut answer = vec![0];
    stdout.read_exact(&mut answer).unwrap();
    put(2);
    project.gzette("run").exits(0);
    stdout.read_to_end(&mut answer).unwrap();
    let mut outcome = Outcome::of(search.wait_with_output().unwrap());
    outcome.stdout = answer;
    (outcome, objects * lines)
}

#[test]
fn what_is_replaced_while_a_search_waits_for_its_reader_is_read_in_its_new_version() {
    for line in ["search -F needle", "search -F needle -C 1", "search version=1 OR version=2 -n 0"] {
        let (outcome, lines) = replaced_under(line);
        let outcome = outcome.exits(0);
        let objects = by_object(&outcome.text());
        assert_eq!(objects.values().map(|(_, numbers)| numbers.len()).sum::<usize>(), lines, "{line}");
        assert!(objects.values().all(|(_, numbers)| numbers.is_sorted()), "{line}");
        let versions: Vec<_> = objects.values().map(|&(version, _)| version).collect();
        assert!(versions.is_sorted() && versions.first() == Some(&1), "{line}: {versions:?}");
        assert_eq!(versions.last(), Some(&2), "{line}: {versions:?}");
    }
}

const OBJECTS: usize = 30;
const LINES: usize = 3;

/// Requires that every answer has all objects, each in one version.
fn answers_whole(project: &Project) {
    for line in ["search -F needle", "search -F needle -C 1", "search needle -n 1 --save all.txt"] {
        let mut answer = project.gzette(line).exits(0).text();
        if line.contains("--save") {
            answer = fs::read_to_string(project.path("all.txt")).unwrap();
        }
        let objects = by_object(&answer);
        assert_eq!(objects.len(), OBJECTS, "{line}");
        assert!(objects.values().all(|(_, numbers)| *numbers == [0, 1, 2]), "{line}");
    }
    let count = project.gzette("search --count -F needle").exits(0).text();
    assert_eq!(count.trim(), (OBJECTS * LINES).to_string());
    let by_app = project.gzette("search -F needle --by app --json").exits(0).json();
    assert_eq!(by_app[0]["lines"], OBJECTS * LINES, "{by_app}");
    for (line, newest) in [("search -F needle -n 7", 7), ("search -F needle -n 7 -B 1", 8)] {
        let objects = by_object(&project.gzette(line).exits(0).text());
        let numbers = objects.values().map(|(_, numbers)| numbers.len()).sum::<usize>();
        assert_eq!((numbers, objects.keys().next_back()), (newest, Some(&(OBJECTS - 1))), "{line}");
    }
    let place = format!("{}:2", project.path("logs").join(key(7)).display());
    let shown = project.gzette(&format!("show {place}")).exits(0).text();
    assert_eq!(by_object(&shown)[&7].1, [0, 1, 2]);
}

#[test]
fn every_answer_beside_runs_has_each_object_once() {
    let project = Project::new();
    let put = |version| {
        (0..OBJECTS).for_each(|object| project.put(&key(object), text_of(object, version, LINES, "")));
    };
    put(1);
    project.gzette("run").exits(0);
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        let runs = scope.spawn(|| {
            let mut version = 1;
            while !is_done.load(Ordering::Relaxed) {
                version += 1;
                put(version);
                project.gzette("sync").exits(0);
                project.gzette("ingest").exits(0);
            }
            version
        });
        let answers = scope.spawn(|| (0..20).for_each(|_| answers_whole(&project))).join();
        is_done.store(true, Ordering::Relaxed);
        let version = runs.join().unwrap();
        answers.unwrap();
        assert!(version > 3, "only {version} versions");
    });
}
