//! Lines that real loggers wrote, and lines as manuals show them, with what they mean: `cases/*.txt`.
//!
//! A case begins with `## ` and who wrote it. Its lines stand as they were written, but for `␛`, which is an escape. Behind
//! them each event has a line `--> LEVEL TIME LINES [trace] | TEXT`: its own level and time of day (`-`: none, `?`: any), the
//! lines it has, whether grouping finds a trace in it, and how its message begins (behind `~`: what the event holds).
//! `--> unparsed N` counts the lines that belong to no event.
//!
//! The real ones were written at 2026-11-20T06:10:01.143Z by programs that call `info`, `warn`, `error`, `error` with an exception
//! and `fatal` with the same five messages, so that what a line means is known from the call.

use std::fmt::Write as _;

use super::{About, ReadSettings, read_object};
use crate::events::tests::{WRAPPERS, wrapped};
use crate::events::{Begun, Continued, Line, Reader, Step};
use crate::model::{Field, GroupId, GroupKind, Level, UtcMs};
use crate::parse::ParseSettings;

const FILES: [(&str, &str); 4] = [
    ("python", include_str!("cases/python.txt")),
    ("javascript", include_str!("cases/javascript.txt")),
    ("others", include_str!("cases/others.txt")),
    ("documented", include_str!("cases/documented.txt")),
];

/// An event as it is read.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Seen {
    pub(super) level: Level,
    pub(super) time_ms: Option<UtcMs>,
    pub(super) lines: usize,
    pub(super) message: String,
    pub(super) rest: String,
    /// Its group, if it counts as an error.
    pub(super) group: Option<(GroupId, GroupKind)>,
    /// The line that it begins with.
    line: u64,
}

impl Seen {
    fn text(&self) -> String {
        format!("{}\n{}", self.message, self.rest).trim_end().to_owned()
    }
}

/// Reads a text to its events and the number of lines of none. Every line has to be told, and once unless it holds several
/// records; a partial has to count what was told.
pub(super) fn seen(text: &str) -> (Vec<Seen>, usize) {
    let day = Some(jiff::civil::date(2026, 11, 20));
    let mut reader = Reader::new(&ParseSettings::default(), day, UtcMs::EPOCH);
    let (mut events, mut unparsed) = (Vec::<(usize, Seen)>::new(), 0);
    let mut told = vec![0; text.lines().count() + 1];
    let mut take = |step: Step<'_>| match step {
        Step::Begins(Begun { slot, line, event, .. }) => {
            let of =
                |field: Option<Field<'_>>| field.map(|field| field.text().into_owned()).unwrap_or_default();
            let (message, rest) = (of(Some(event.message)), of(event.trace));
            told[line as usize] += 1;
            let (level, time_ms) = (event.level, event.time_ms);
            events.push((slot, Seen { level, time_ms, lines: 1, message, rest, group: None, line }));
        }
        Step::Continues(Continued { slot, line, text, .. }) => {
            told[line as usize] += 1;
            let (_, event) = events.iter_mut().rev().find(|(of, _)| *of == slot).unwrap();
            event.lines += 1;
            if let Some(text) = text {
                let newline = if event.rest.is_empty() { "" } else { "\n" };
                write!(event.rest, "{newline}{}", String::from_utf8_lossy(text)).unwrap();
            }
        }
        Step::Unparsed { line, .. } => {
            told[line as usize] += 1;
            unparsed += 1;
        }
        Step::Ends { .. } => {}
    };
    for (number, line) in (1..).zip(text.lines()) {
        reader.read(&Line { number, bytes: line.as_bytes(), is_cut: false }, &mut take);
    }
    reader.end(&mut take);
    assert!(told[1..].iter().all(|times| *times > 0), "a line was not told: {told:?}\n{text}");
    let mut events: Vec<Seen> = events.into_iter().map(|(_, event)| event).collect();
    count(text, &mut events, unparsed);
    (events, unparsed)
}

/// Counts a text and adds the groups of its events. Lines are events, continuation lines and unparsed ones, and nothing else.
fn count(text: &str, events: &mut [Seen], unparsed: usize) {
    let asked: Vec<u64> = (1..=text.lines().count() as u64).collect();
    let day = Some(jiff::civil::date(2026, 11, 20));
    let about = About { day, asked: &asked, ..About::default() };
    let partial =
        read_object::<_, std::io::Error>(text.as_bytes(), &ReadSettings::default(), &about, |_, _| Ok(()))
            .unwrap();
    let lines = partial.lines;
    assert_eq!(lines.total, lines.events + lines.continuation + lines.unparsed, "{text}");
    let continuation: usize = events.iter().map(|event| event.lines - 1).sum();
    let found = [lines.events, lines.continuation, lines.unparsed];
    assert_eq!(found, [events.len() as u64, continuation as u64, unparsed as u64], "{text}");
    for event in events {
        let id = partial.answers.iter().find(|(line, _)| *line == event.line).map(|(_, id)| *id);
        let kind = |id| partial.sightings.iter().find(|seen| seen.group.id == id).map(|seen| seen.group.kind);
        event.group = id.and_then(|id| Some((id, kind(id)?)));
    }
}

struct Case<'t> {
    name: String,
    log: String,
    wants: Vec<&'t str>,
}

fn cases() -> Vec<Case<'static>> {
    let mut cases = Vec::new();
    for (file, text) in FILES {
        for part in text.split("## ").filter(|part| !part.trim().is_empty()) {
            let (name, body) = part.split_once('\n').unwrap();
            let (wants, lines): (Vec<&str>, Vec<&str>) =
                body.lines().partition(|line| line.starts_with("--> "));
            let log = lines.join("\n").trim_end_matches('\n').replace('␛', "\u{1b}");
            cases.push(Case { name: format!("{file}: {name}"), log, wants });
        }
    }
    cases
}

/// Returns what differs between an event and what is wanted.
fn differs(want: &str, event: &Seen) -> Option<String> {
    let (head, sign, text) = match want.split_once(" | ") {
        Some((head, text)) => (head, '|', text),
        None => want.split_once(" ~ ").map(|(head, text)| (head, '~', text)).unwrap(),
    };
    let [level, time, lines, is_trace @ ..] = &head.split(' ').collect::<Vec<_>>()[..] else {
        panic!("{want}")
    };
    let mut wrong = Vec::new();
    let has_level = if event.level == Level::Unknown { "-" } else { event.level.name() };
    if *level != has_level {
        wrong.push(format!("level {has_level}"));
    }
    let has_time = event.time_ms.map_or("-".to_owned(), |ms| {
        let time = jiff::Timestamp::from_millisecond(ms.get()).unwrap().to_string();
        time.strip_prefix("2026-11-20T").map_or(time.clone(), |time| time.trim_end_matches('Z').to_owned())
    });
    if *time != "?" && *time != has_time {
        wrong.push(format!("time {has_time}"));
    }
    if *lines != event.lines.to_string() {
        wrong.push(format!("{} lines", event.lines));
    }
    let plain = event.text().replace("\u{1b}[39m", "").replace("\u{1b}[36m", "");
    let is_said = if sign == '|' { plain.starts_with(text) } else { plain.contains(text) };
    if !is_said {
        wrong.push(format!("text {:?}", plain.lines().next().unwrap_or_default()));
    }
    let kind = event.group.map(|(_, kind)| kind);
    if !is_trace.is_empty() && kind != Some(GroupKind::Trace) {
        wrong.push(format!("group {kind:?}"));
    }
    (!wrong.is_empty()).then(|| format!("want {want}\n      have {}", wrong.join(", ")))
}

#[test]
fn lines_mean_what_their_loggers_mean() {
    let mut wrong = Vec::new();
    let cases = cases();
    for case in &cases {
        let (events, unparsed) = seen(&case.log);
        let wanted = case.wants.iter().filter_map(|want| want.strip_prefix("--> unparsed "));
        let wanted_unparsed: usize = wanted.map(|number| number.parse::<usize>().unwrap()).sum();
        let wants: Vec<&str> =
            case.wants.iter().map(|want| &want[4..]).filter(|want| !want.starts_with("unparsed")).collect();
        let mut faults: Vec<String> =
            wants.iter().zip(&events).filter_map(|(want, event)| differs(want, event)).collect();
        if wants.len() != events.len() || wanted_unparsed != unparsed {
            faults.push(format!("{} events and {unparsed} unparsed, not {}", events.len(), wants.len()));
        }
        if case.name.contains(": (unmet) ") {
            let is_met = faults.is_empty();
            faults = if is_met { vec!["it is met now: take the mark off".to_owned()] } else { Vec::new() };
        }
        if !faults.is_empty() {
            wrong.push(format!("{}\n   {}", case.name, faults.join("\n   ")));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases differ\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// What a collector puts around the lines of a case changes nothing but the time of those that have none.
#[test]
fn wrapped_lines_mean_the_same() {
    let mut wrong = Vec::new();
    let mut cells = 0;
    let told = |events: &[Seen]| -> Vec<(Level, usize, String)> {
        events.iter().map(|event| (event.level, event.lines, event.text())).collect()
    };
    for case in cases() {
        let (bare, unparsed) = seen(&case.log);
        // Lines without a head and objects of records are no lines of an application in a record.
        if unparsed > 0 || case.log.starts_with("{\"Records\"") || case.log.contains("\"logEvents\"") {
            continue;
        }
        if case.log.contains("resourceLogs") || case.log.contains("{\"records\"") {
            continue;
        }
        for wrapper in WRAPPERS {
            cells += 1;
            let lines: Vec<_> = case.log.lines().map(|line| wrapped(wrapper, line)).collect();
            let (found, _) = seen(&lines.join("\n"));
            if told(&found) != told(&bare) {
                wrong.push(format!(
                    "{wrapper}: {}\n  bare  {:?}\n  found {:?}",
                    case.name,
                    told(&bare),
                    told(&found)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cells}:\n{}", wrong.len(), wrong.join("\n"));
}
