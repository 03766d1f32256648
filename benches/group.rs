//! How fast errors are grouped: `cargo bench --bench group`. First the throughput over the messages of errors as the
//! corpus of docs/performance.md has them, with a trace, and over short ones, beside a peer that masks the most common
//! variables by one regular expression and hashes the rest. Then the slowest of hostile inputs of a megabyte. One thread, medians of several rounds.

#![expect(clippy::print_stdout, reason = "a program for developers, with results to say")]

use std::hint::black_box;
use std::time::Instant;

use gzette::shell::demo::lines::{ERRORS, write_error};
use gzette::shell::demo::random::Random;
use gzette_core::group::{families, group};
use gzette_core::model::UtcMs;
use gzette_core::parse::{ParseSettings, Parsed, Parser};
use regex::Regex;

const EVENTS: usize = 20_000;
const ROUNDS: usize = 9;
const MEGABYTE: usize = 1 << 20;
/// No input of a megabyte may take longer.
const MOST_MS: f64 = 50.0;

fn main() {
    let (with_trace, without_trace) = messages();
    println!("{:<22} {:>8} {:>8} {:>8} {:>7}", "messages", "bytes", "MB/s", "peer", "ratio");
    throughput("those of the corpus", &with_trace);
    throughput("without a trace", &without_trace);
    println!("\n{:<44} {:>8}", "a megabyte of", "ms");
    let mut slowest = hostile();
    slowest.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    for (name, ms) in &slowest {
        println!("{name:<44} {ms:>8.2}{}", if *ms > MOST_MS { "  TOO SLOW" } else { "" });
    }
}

/// The messages of made-up errors: those that hold a trace; all others, and the first lines of those.
fn messages() -> (Vec<String>, Vec<String>) {
    let mut random = Random::new(1);
    let mut parser = Parser::new(&ParseSettings::default(), None);
    let (mut with_trace, mut without_trace) = (Vec::new(), Vec::new());
    for _ in 0..EVENTS {
        let mut line = String::new();
        let kind = &ERRORS[random.below(ERRORS.len() as u64) as usize];
        let trace_bytes = 1_000 + random.below(7_000) as usize;
        write_error(&mut line, &mut random, UtcMs::new(1_767_571_200_000), kind, trace_bytes);
        let Parsed::Event(event) = parser.parse(line.trim_end().as_bytes()) else {
            panic!("no event: {line}");
        };
        let message = event.message.text().into_owned();
        without_trace.push(message.lines().next().unwrap_or_default().to_owned());
        if !kind.exceptions.is_empty() {
            with_trace.push(message);
        }
    }
    (with_trace, without_trace)
}

fn throughput(name: &str, messages: &[String]) {
    let masks = Regex::new(
        r"(?x) [0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12} | [a-z]+://\S+ | (?:/[\w.-]+){2,}
        | \d+\.\d+\.\d+\.\d+(?::\d+)? | 0x[0-9a-f]+ | \b[0-9a-f]{8,}\b | \d+",
    )
    .expect("a regular expression");
    let bytes: usize = messages.iter().map(String::len).sum();
    let (mut ours, mut peers) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(seconds(|| messages.iter().for_each(|message| drop(black_box(group(message, None))))));
        peers.push(seconds(|| {
            for message in messages {
                let masked = masks.replace_all(message, "<*>");
                black_box(blake3::hash(masked.as_bytes()));
            }
        }));
    }
    let rate = |rounds| bytes as f64 / 1e6 / median(rounds);
    let (ours, peers) = (rate(ours), rate(peers));
    println!("{name:<22} {:>8} {ours:>8.0} {peers:>8.0} {:>7.1}", bytes / messages.len(), ours / peers);
}

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn median(mut rounds: Vec<f64>) -> f64 {
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

/// A piece that is repeated up to a megabyte, behind a beginning.
const HOSTILE: [(&str, &str, &str); 60] = [
    ("letters", "", "x"),
    ("digits", "", "1"),
    ("blanks", "", " "),
    ("line ends", "", "\n"),
    ("escapes", "", "\x1b["),
    ("escapes with digits", "", "\x1b[1"),
    ("colours", "", "\x1b[31m"),
    ("opening brackets", "", "("),
    ("opening brackets of all kinds", "", "([{<"),
    ("nested brackets", "", "([{<1>}]) "),
    ("variables in brackets", "", "(1"),
    ("quotes", "", "\""),
    ("equals signs", "", "a="),
    ("assignments", "", "a=b "),
    ("JSON keys", "", "\"a\":\"b\","),
    ("colons", "", "a:"),
    ("double colons", "", "abc::"),
    ("dots", "", "a.."),
    ("slashes", "", "a/"),
    ("slashes and digits", "", "a/1"),
    ("backslashes", "", "a\\"),
    ("schemes", "", "a://"),
    ("at signs", "", "a@"),
    ("hashes", "", "#"),
    ("months", "", "jan "),
    ("commas", "", "jan,"),
    ("months and a number", "1 ", "jan - "),
    ("days", "", "mon , "),
    ("lists", "", "1, "),
    ("nouns", "", "user a "),
    ("letters of two bytes", "", "é"),
    ("JVM frames", "a.BException: c\n", "\tat com.acme.A.b(A.java:1)\n"),
    ("JVM frames, generated", "a.BException: c\n", "\tat com.acme.A$$Lambda$1.b(A.java:1)\n"),
    (
        "JVM causes",
        "a.BException: c\n\tat a.B.c(D.java:1)\n",
        "Caused by: a.BException: c\n\tat a.B.c(D.java:1)\n",
    ),
    ("JVM headers", "", "a.BException: c\n"),
    ("Python tracebacks", "", "Traceback (most recent call last):\n  File \"a\", line 1, in b\nE: c\n"),
    ("Python frames", "Traceback (most recent call last):\n", "  File \"a\", line 1, in b\n"),
    ("JavaScript frames", "E: c\n", "    at a (b.js:1:2)\n"),
    ("JavaScript causes", "E: c\n    at a (b.js:1:2)\n", "  [cause]: E: c\n    at a (b.js:1:2)\n"),
    (".NET frames", "A.E: c\n", "   at A.B.C(Int32 d) in e.cs:line 1\n"),
    (".NET inner exceptions", "A.E: c\n   at A.B.C(Int32 d)\n", " ---> A.E: c\n"),
    ("Go frames", "panic: a\n\ngoroutine 1 [running]:\n", "main.a(0x1)\n\t/b/c.go:1 +0x1\n"),
    ("opening brackets and a number", "[[[[[[[[1]]]]]]]] ", "[["),
    ("empty values", "", "a=, "),
    ("quoted inputs", "", "value 'a' "),
    ("offsets", "", "f+0x1/"),
    ("Ruby frames", "", "x.rb:1:in `a'\n"),
    ("Ruby exceptions", "", "x.rb:1:in `a': b (C)\n"),
    ("PHP frames", "E: c in /a.php:1\n", "#0 /a.php(1): b()\n"),
    ("Elixir exceptions", "", "    ** (A) b\n        (a 1.0) b.ex:1: c\n"),
    ("Erlang terms", "", "{a,b,1,[{file,\"c\"},{line,1}]},"),
    ("Dart frames", "E: c\n", "#0      a (package:b/c.dart:1:2)\n"),
    ("debugger frames", "", "#0 0x1 in a<b> (c) at d.c:1\n"),
    ("symbols", "", "a(b+0x1) [0x2]\n"),
    ("Swift frames", "", "0 a 0x1 b + 1\n"),
    ("Perl frames", "a at b line 1.\n", "\ta(b) called at c line 1\n"),
    ("Firefox frames", "", "a@https://b/c-BxK3a9Qz.js:1:2\n"),
    (
        "Python groups",
        "",
        "  | Traceback (most recent call last):\n  |   File \"a\", line 1, in b\n  | E: c\n  +-+--- 1 ---\n",
    ),
    ("Rust causes", "x\n\nCaused by:\n", "    0: a\n"),
    ("Rust frames", "thread 'main' panicked at a.rs:1:2:\nb\nstack backtrace:\n", "   0: app::a\n"),
];

/// The milliseconds that each hostile input takes: as a message, and as a trace.
fn hostile() -> Vec<(String, f64)> {
    let mut inputs: Vec<_> = HOSTILE
        .iter()
        .map(|(name, start, piece)| (*name, format!("{start}{}", piece.repeat(MEGABYTE / piece.len()))))
        .collect();
    let numbered = |start: &str, package: &str| {
        let frames = (0..MEGABYTE / 30).map(|n| format!("\tat {package}.A{n}.b(A.java:1)\n"));
        format!("{start}{}", frames.collect::<String>())
    };
    inputs.push(("different JVM frames", numbered("a.BException: c\n", "com.acme")));
    inputs.push(("different vendor frames", numbered("a.BException: c\n", "java")));
    let lines = ["x: ", "at ", "\tat x", "panic: ", "x.Error: y", " ---> "];
    for line in lines {
        inputs.push(("one long line", line.repeat(MEGABYTE / line.len())));
        inputs.push(("short lines", format!("{line}\n").repeat(MEGABYTE / (line.len() + 1))));
    }
    let mut out: Vec<_> = inputs
        .iter()
        .map(|(name, text)| {
            let ms = |trace| {
                1e3 * median((0..3).map(|_| seconds(|| drop(black_box(group(text, trace))))).collect())
            };
            let shown: String = text.chars().take(12).collect();
            (format!("{name} {shown:?}"), f64::max(ms(None), ms(Some(text))))
        })
        .collect();
    out.extend(hostile_families());
    out
}

/// A name, and what makes the template of each number.
type Shape = (&'static str, fn(usize) -> String);

/// As many templates as a megabyte holds, all alike but for a word.
fn hostile_families() -> Vec<(String, f64)> {
    let count = MEGABYTE / 32;
    let shapes: [Shape; 3] = [
        ("families of templates that differ in a word", |n| format!("could not open file w{n:06} of it")),
        ("families of templates that differ in two", |n| {
            format!("could not open w{:03} of y{:03}", n % 181, n / 181)
        }),
        ("families of templates of 64 words", |n| format!("{}{n}", "a ".repeat(63))),
    ];
    let timed = |shape: fn(usize) -> String| {
        let templates: Vec<_> = (0..count).map(shape).collect();
        let bytes: usize = templates.iter().map(String::len).sum();
        let ms = 1e3 * seconds(|| drop(black_box(families(templates.iter().map(String::as_str)))));
        ms * MEGABYTE as f64 / bytes as f64
    };
    shapes.map(|(name, shape)| (name.to_owned(), timed(shape))).into()
}
