//! The traces of traces.txt: those of one error are one group, and those of two are two.

use proptest::prelude::*;

use super::{FramePrefixes, Grouped, frame_lines, group};
use crate::model::GroupKind;
use crate::trace::{TraceFollower, begins_crash, continues_trace};

/// A trace, and one to compare it with.
struct Pair<'t> {
    name: &'t str,
    trace: &'t str,
    other: &'t str,
    is_one: bool,
}

/// Cuts the file into its pairs.
fn pairs() -> Vec<Pair<'static>> {
    let mut out = Vec::new();
    for block in include_str!("traces.txt").split("\n## ").skip(1) {
        let (name, text) = block.split_once('\n').unwrap();
        let cut = |text: &'static str| -> Vec<(bool, &'static str)> {
            let same = text.split("\n==\n").enumerate();
            same.flat_map(|(number, part)| {
                let mut others = part.split("\n!=\n");
                let first = others.next().map(|trace| (number > 0, trace));
                first.into_iter().chain(others.map(|trace| (false, trace)))
            })
            .collect()
        };
        let traces = cut(text);
        let trace = traces[0].1;
        out.extend(traces[1..].iter().map(|&(is_one, other)| Pair { name, trace, other, is_one }));
    }
    out
}

fn of(trace: &str) -> Grouped {
    group("it failed", Some(trace))
}

#[test]
fn traces_of_one_error_are_one_group_and_those_of_two_are_two() {
    let pairs = pairs();
    let mut wrong = Vec::new();
    for Pair { name, trace, other, is_one } in &pairs {
        let (a, b) = (of(trace), of(other));
        if (a.id == b.id) != *is_one || a.kind == GroupKind::Message || b.kind == GroupKind::Message {
            wrong.push(format!("{name}: one {is_one}\n{}\n---\n{}\n", a.template, b.template));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), pairs.len(), wrong.join("\n"));
    let languages: std::collections::BTreeSet<_> =
        pairs.iter().filter_map(|pair| pair.name.split(',').next()).collect();
    assert!(languages.len() >= 15 + 3 && pairs.len() >= 90, "{} of {languages:?}", pairs.len());
}

#[test]
fn a_trace_is_the_same_error_in_the_message_in_a_field_and_without_line_ends_of_one_kind() {
    for Pair { name, trace, .. } in pairs() {
        let id = of(trace).id;
        assert_eq!(group(&format!("it failed\n{trace}"), None).id, id, "{name}");
        assert_eq!(of(&trace.replace('\n', "\r\n")).id, id, "{name}");
        let indented = format!("    {}", trace.replace('\n', "\n    "));
        let is_told_by_margin =
            name.starts_with("Perl") || name.starts_with("Go") || name.starts_with("Rust");
        assert!(
            is_told_by_margin || of(&indented).id == id,
            "{name}\n{}\n{}",
            of(&indented).template,
            of(trace).template
        );
    }
}

#[test]
fn a_trace_that_comes_line_by_line_is_followed_to_its_end() {
    let mut lost = Vec::new();
    for Pair { name, trace, .. } in pairs() {
        let mut follower: Option<TraceFollower> = None;
        for line in trace.lines().map(str::as_bytes) {
            let is_taken = if let Some(follower) = &mut follower {
                follower.takes(line)
            } else {
                // What a log line says before a trace is no line of it.
                follower = TraceFollower::enter(line);
                true
            };
            if !is_taken {
                lost.push(format!("{name}: {}", String::from_utf8_lossy(line)));
            }
        }
        if follower.is_none() {
            lost.push(format!("{name}: no line of it"));
        }
    }
    lost.dedup();
    assert!(lost.is_empty(), "{}", lost.join("\n"));
}

proptest! {
    #[test]
    fn lines_of_traces_in_any_order_are_survived(
        picks in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<bool>()), 0..40),
        odd in "\\PC{0,12}",
    ) {
        let lines: Vec<&str> = include_str!("traces.txt").lines().collect();
        let cut = |line: &str, at: &prop::sample::Index| line[..line.floor_char_boundary(at.index(line.len() + 1))].to_owned();
        let pick = |(line, at, is_cut): &(prop::sample::Index, prop::sample::Index, bool)| {
            let line = *line.get(&lines);
            if *is_cut { format!("{}{odd}", cut(line, at)) } else { line.to_owned() }
        };
        let text = picks.iter().map(pick).collect::<Vec<_>>().join("\n");
        let grouped = group(&text, None);
        prop_assert_eq!(&group(&text, None), &grouped);
        prop_assert_eq!(group("", Some(&text)).id, group("", Some(&text.replace('\n', "\r\n"))).id);
        prop_assert_eq!(frame_lines(&text, &FramePrefixes::default()).len(), text.lines().count());
        let mut follower = None;
        for line in text.lines().map(str::as_bytes) {
            follower = follower.or_else(|| TraceFollower::enter(line));
            let is_taken = follower.as_mut().is_some_and(|follower: &mut TraceFollower| follower.takes(line));
            prop_assert!(is_taken || !continues_trace(line), "what continues any trace continues this one");
            begins_crash(line);
        }
    }
}

#[test]
fn log_lines_and_prose_neither_begin_nor_continue_a_trace() {
    for line in [
        "2026-11-20 06:10:01 INFO [main] com.acme.Cart - paid order 17",
        "10.0.0.7 - - [20/Nov/2026:06:10:01 +0000] \"GET /a HTTP/1.1\" 200 12 \"-\" \"curl/8\"",
        "started at 10:00 on port 8080",
        "user ann@shop.example: logged in at 10:15:20",
        "#1 retry at 10:00 (3): waiting",
        "at home (really)",
        "Caught up with 3 orders",
        "Next order is 17",
        "[info] ready",
        "key: value",
        "GET /cart.php:80 200",
        "Error rate is 0 %",
        "level=error msg=\"x\"",
        "{\"a\":1}",
        "| a | b |",
        "- item",
        "",
    ] {
        assert_eq!(begins_crash(line.as_bytes()), None, "{line}");
        assert!(!continues_trace(line.as_bytes()), "{line}");
    }
}
