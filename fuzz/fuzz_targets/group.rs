//! Messages and stack traces to groups: an id is the same for the same event, with other line ends and line numbers
//! too; it survives being written; titles are short
//! and plain; of a message one line decides.
#![no_main]

use arbitrary::Arbitrary;
use gzette_core::group::{group, template};
use gzette_core::model::{GroupId, GroupKind};
use gzette_core::trace::{FramePrefixes, TraceFollower, begins_crash, continues_trace, frame_lines};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Case<'a> {
    message: &'a str,
    trace: Option<&'a str>,
}

fuzz_target!(|case: Case<'_>| {
    let grouped = group(case.message, case.trace);
    assert_eq!(group(case.message, case.trace), grouped, "the same event");
    assert_eq!(grouped.id.to_string().parse::<GroupId>(), Ok(grouped.id));
    assert!(grouped.title.chars().count() <= 300);
    assert!(!grouped.title.is_empty() && !grouped.title.chars().any(char::is_control));

    let shown = template(case.message);
    assert!(shown.len() <= 3 * (4096 + 1), "no more than every byte masked or replaced");
    assert_eq!(template(&shown), shown, "the template of a template is itself");
    if grouped.kind == GroupKind::Message {
        let says_nothing = case.message.trim().is_empty();
        let said = if says_nothing { case.trace.unwrap_or(case.message) } else { case.message };
        let alone = group(first_line(said), None);
        assert!(alone.kind != GroupKind::Message || alone.id == grouped.id, "one line decides");
    }

    frame_lines(case.message, &FramePrefixes::default());
    let mut follower = TraceFollower::enter(first_line(case.message).as_bytes());
    for line in case.message.lines().map(str::as_bytes) {
        let is_taken = follower.as_mut().is_some_and(|follower| follower.takes(line));
        assert!(is_taken || follower.is_none() || !continues_trace(line), "what continues any trace continues this one");
        begins_crash(line);
    }

    let trace = case.trace.map(renumbered);
    assert_eq!(group(case.message, trace.as_deref()).id, grouped.id, "line numbers do not matter");
    if ![Some(case.message), case.trace].into_iter().flatten().any(|text| text.contains('\r')) {
        let ended = |text: &str| text.replace('\n', "\r\n");
        let same = group(&ended(case.message), case.trace.map(ended).as_deref());
        assert_eq!(same.id, grouped.id, "line ends do not matter");
    }
});

/// The first line that says something.
fn first_line(message: &str) -> &str {
    message.lines().find(|line| !line.trim().is_empty()).unwrap_or(message)
}

/// A trace whose Java frames come from other lines of their files.
fn renumbered(trace: &str) -> String {
    let lines = trace.split('\n').map(|line| match line.rsplit_once(".java:") {
        Some((frame, place)) if frame.trim_start().starts_with("at ") && is_number_of_line(place) => {
            format!("{frame}.java:7)")
        }
        _ => line.to_owned(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// `42)`.
fn is_number_of_line(place: &str) -> bool {
    let digits = place.strip_suffix(')');
    digits.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
}
