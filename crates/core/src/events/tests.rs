//! Lines of loggers in the records of collectors, streams, records over lines, and the bounds of it all.

use std::fmt::Write as _;

use super::*;
use crate::model::{Field, Level};
use crate::parse::FieldNames;

/// Lines as loggers write them, with what stands behind the first where an event has several.
const LINES: [&str; 52] = [
    "2026-03-01 06:10:37,143 ERROR [main] com.acme.Cart - no stock for order 17",
    "2026-03-01 06:10:37.143 ERROR 4711 --- [nio-8080-exec-7] com.acme.orders.Cart : no stock for order 17",
    "2026-03-01T06:10:37.143Z INFO com.acme.Cart ready",
    "2026-03-01 06:10:37,143 - shop.cart - ERROR - no stock \"17\"",
    "2026-03-01 06:10:37.143+01:00 [ERROR] [worker 3] pay: refused",
    "ERROR no stock for order 17",
    "[ERROR] no stock",
    "WARNING: slow",
    "[2026-03-01 06:10:37] production.ERROR: no stock",
    "2026/03/01 06:10:37 [error] 31#31: *5 open() failed",
    "06:10:37.143 [main] DEBUG com.acme.Cart - paid",
    "192.0.2.1 - frank [01/Mar/2026:06:10:37 +0000] \"GET /a HTTP/1.1\" 500 12",
    "Mar  1 06:10:37 host orders[17]: error: no stock",
    "<11>1 2026-03-01T06:10:37Z host orders 17 - - no stock",
    "2026-03-01 06:10:37 ERROR a\tb\\c \"quoted\" é",
    "2026-03-01T06:10:37.143456789Z WARN slow query",
    "2026-03-01 06:10:37,143 ERROR [main] com.acme.Cart - pay failed\njava.lang.IllegalStateException: closed\n\tat com.acme.Cart.pay(Cart.java:88)\n\tat com.acme.Main.main(Main.java:7)",
    "2026-03-01 06:10:37,143 ERROR pay failed\nTraceback (most recent call last):\n  File \"/app/a.py\", line 3, in pay\n    charge()\nValueError: no card",
    "2026-03-01 06:10:37,143 FATAL [main] com.acme.Cart - out",
    r#"{"time":"2026-03-01T06:10:37.143Z","level":"error","logger":"com.acme.Cart","message":"no stock for order 17"}"#,
    r#"{"@timestamp":"2026-03-01T06:10:37.143Z","log.level":"ERROR","log.logger":"com.acme.Cart","process.thread.name":"main","message":"no stock"}"#,
    r#"{"level":50,"time":1772345437143,"pid":1,"msg":"no stock"}"#,
    r#"{"level":"error","ts":1772345437.143,"logger":"orders","caller":"a.go:3","msg":"no stock","stacktrace":"main.main\n\t/src/a.go:3"}"#,
    r#"{"event":"no stock","level":"error","timestamp":"2026-03-01T06:10:37.143Z"}"#,
    r#"{"@t":"2026-03-01T06:10:37.143Z","@l":"Error","@m":"no stock","SourceContext":"Acme.Cart"}"#,
    r#"{"timestamp":"2026-03-01T06:10:37.143Z","level":"ERROR","message":"pay failed","stack_trace":"java.io.IOException: reset\n\tat com.acme.Cart.pay(Cart.java:88)"}"#,
    r#"{"severity":"ERROR","message":"no stock","time":"2026-03-01T06:10:37.143Z"}"#,
    r#"{"asctime":"2026-03-01 06:10:37,143","levelname":"ERROR","name":"shop.cart","message":"no stock"}"#,
    r#"{"datetime":"2026-03-01T06:10:37.143+00:00","level_name":"ERROR","channel":"app","message":"no stock"}"#,
    r#"{"time":"2026-03-01T06:10:37.143Z","level":"INFO","msg":"said \"yes\" and \\ too"}"#,
    r#"{"time":"2026-03-01T06:10:37.143Z","level":"warn","thread":"t-1","msg":"é ü \u00fc"}"#,
    r#"{"time":"2026-03-01T06:10:37.143Z","level":"debug","msg":"x","nested":{"level":"error"}}"#,
    r#"{"level":"error","time":"2026-03-01T06:10:37.143Z","code":5}"#,
    "time:2026-03-01T06:10:37Z\tlevel:ERROR\tmessage:no stock",
    "2026-03-01T06:10:37Z ERROR msg=\"no stock for order 17\" component=cart",
    "CRITICAL: out of memory",
    "2026-03-01 06:10:37 ERROR [http-nio-1] c.a.Cart - {\"a\": 1}",
    "2026-03-01 06:10:37.143 [ERR] No stock for order 17",
    "2026-03-01T06:10:37.143Z\tERROR\tcart\tno stock",
    "2026-03-01 06:10:37,143 INFO  [Thread-1] x.Y:12 - a=b c=d",
    "[2026-03-01 06:10:37 +0000] [31] [ERROR] Worker failed",
    "2026-03-01 06:10:37.143 ERROR (cart) no stock",
    "time=\"2026-03-01T06:10:37Z\" level=error msg=\"no stock for order 17\" component=cart",
    "level=warn ts=2026-03-01T06:10:37.143Z caller=cart.go:31 msg=\"slow \\\"query\\\"\" err=reset",
    "ts=2026-03-01T06:10:37.143Z lvl=info msg=ready",
    "E0301 06:10:37.143456       1 controller.go:12] no stock for order 17",
    "W20260301 06:10:37.143456 12 cart.cc:31] slow query",
    "2026-03-01T06:10:37.143Z,ERROR,shop.cart,no stock for order 17",
    "http 2026-03-01T06:10:37.143456Z app/lb/1 10.0.0.7:1 10.0.0.8:80 0.1 0.1 0.1 502 502 0 57 \"GET http://a:80/pay HTTP/1.1\" \"curl\"",
    "Mar 01, 2026 6:10:37 AM com.acme.Cart pay\nSEVERE: no stock for order 17\njava.lang.IllegalStateException: closed\n\tat com.acme.Cart.pay(Cart.java:88)",
    "2026-03-01 06:10:37,143 ERROR [stderr] (main) java.io.IOException: reset\n2026-03-01 06:10:37,143 ERROR [stderr] (main) \tat com.acme.Cart.pay(Cart.java:88)",
    "F, [2026-03-01T06:10:37.143456 #12] FATAL -- : [r1]   \nF, [2026-03-01T06:10:37.143456 #12] FATAL -- : [r1] Acme::NoStock (no stock):\nF, [2026-03-01T06:10:37.143456 #12] FATAL -- : [r1] app/cart.rb:31:in `pay'",
];

/// Ways to wrap a line, by name.
pub(crate) const WRAPPERS: [&str; 8] =
    ["docker", "CRI", "CRI parsed", "FireLens", "out_file", "out_file without tag", "message", "OTel body"];

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

/// Returns a line as a wrapper writes it.
pub(crate) fn wrapped(wrapper: &str, line: &str) -> String {
    let time = "2026-03-01T06:10:38.000000001Z";
    match wrapper {
        "docker" => {
            format!(r#"{{"log":{},"stream":"stdout","time":"{time}"}}"#, json(&format!("{line}\n")))
        }
        "CRI" => format!("{time} stdout F {line}"),
        "CRI parsed" => format!(
            r#"{{"date":1772345438.0,"stream":"stderr","logtag":"F","log":{},"kubernetes":{{"pod_name":"a-1","container_name":"a","labels":{{"level":"gold"}}}}}}"#,
            json(line)
        ),
        "FireLens" => format!(
            r#"{{"date":"{time}","log":{},"container_id":"ab12","container_name":"/ecs-a","source":"stdout"}}"#,
            json(line)
        ),
        "out_file" => {
            format!("2026-03-01T06:10:38+00:00\tkube.a\t{{\"log\":{},\"stream\":\"stdout\"}}", json(line))
        }
        "out_file without tag" => format!("2026-03-01T06:10:38+00:00\t{{\"message\":{}}}", json(line)),
        "message" => format!("{{\"message\":{}}}", json(line)),
        "OTel body" => format!(r#"{{"timestamp":"{time}","body":{},"resource":{{}}}}"#, json(line)),
        other => panic!("{other}"),
    }
}

/// An event as its writer meant it: time, level, logger, thread and text.
type Meant = (Option<UtcMs>, Level, String, String, String);

/// Returns the events of a text, and of what its lines are: `e`, `c`, `u`.
fn events(text: &str) -> (Vec<Meant>, String) {
    let mut reader = Reader::new(&settings(), Some(jiff::civil::date(2026, 3, 1)), UtcMs::EPOCH);
    let (mut events, mut kinds) = (Vec::<(usize, Meant)>::new(), String::new());
    let mut told = |step: Step<'_>| match step {
        Step::Begins(Begun { slot, event, .. }) => {
            let of =
                |field: Option<Field<'_>>| field.map(|field| field.text().into_owned()).unwrap_or_default();
            let trace = of(event.trace);
            let text = [of(Some(event.message)), trace].join("\n").trim_end().to_owned();
            events.push((slot, (event.time_ms, event.level, of(event.logger), of(event.thread), text)));
            kinds.push('e');
        }
        Step::Continues(Continued { slot, text, .. }) => {
            let (_, event) = events.iter_mut().rev().find(|(of, _)| *of == slot).unwrap();
            if let Some(text) = text {
                write!(event.4, "\n{}", String::from_utf8_lossy(text)).unwrap();
            }
            kinds.push('c');
        }
        Step::Unparsed { .. } => kinds.push('u'),
        Step::Ends { .. } => {}
    };
    for (number, line) in (1..).zip(text.lines()) {
        reader.read(&Line { number, bytes: line.as_bytes(), is_cut: false }, &mut told);
    }
    reader.end(&mut told);
    (events.into_iter().map(|(_, event)| event).collect(), kinds)
}

fn settings() -> ParseSettings {
    ParseSettings { fields: FieldNames::default(), ..ParseSettings::default() }
}

#[test]
fn a_wrapped_line_is_the_event_that_it_is_alone() {
    let mut wrong = Vec::new();
    for line in LINES {
        let bare = events(line).0;
        assert_eq!(bare.len(), 1, "{line}");
        for wrapper in WRAPPERS {
            let text: Vec<_> = line.lines().map(|line| wrapped(wrapper, line)).collect();
            let mut found = events(&text.join("\n")).0;
            // Where the line says no time, the record's counts.
            if bare[0].0.is_none() {
                for event in &mut found {
                    event.0 = None;
                }
            }
            if found != bare {
                wrong.push(format!("{wrapper}: {}\n  bare  {bare:?}\n  found {found:?}", text.join("\n")));
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), LINES.len() * WRAPPERS.len(), wrong.join("\n"));
}

#[test]
fn a_trace_in_records_is_one_event_whatever_stands_between() {
    let record = |container: &str, line: &str| {
        format!(r#"{{"log":{},"container_id":"{container}","source":"stderr"}}"#, json(line))
    };
    let trace = [
        "2026-03-01 06:10:37,143 ERROR a.B - pay failed",
        "java.lang.IllegalStateException: closed",
        "\tat com.acme.Cart.pay(Cart.java:88)",
        "Caused by: java.io.IOException: reset",
        "\t... 3 more",
    ];
    let mut lines = Vec::new();
    for (number, line) in trace.iter().enumerate() {
        lines.push(record("aa11", line));
        lines.push(record("bb22", &format!("2026-03-01 06:10:37,{number}00 INFO a.C - tick")));
        lines.push(record("cc33", line));
    }
    let (events, kinds) = events(&lines.join("\n"));
    assert_eq!(kinds, format!("eee{}", "cec".repeat(4)));
    let errors: Vec<_> = events.iter().filter(|event| event.1 == Level::Error).collect();
    assert_eq!(errors.len(), 2);
    assert_eq!(errors[0], errors[1]);
    assert!(errors[0].4.ends_with("Caused by: java.io.IOException: reset\n\t... 3 more"), "{errors:?}");
}

#[test]
fn parts_of_a_line_are_one() {
    let line = |text: &str| wrapped("docker", text);
    let long = format!("2026-03-01 06:10:37,143 ERROR a.B - {}", "no stock ".repeat(3000));
    let docker: Vec<String> = long
        .as_bytes()
        .chunks(16_384)
        .map(|part| {
            let end = if part.len() == 16_384 { "" } else { "\n" };
            let text = json(&(String::from_utf8_lossy(part).into_owned() + end));
            format!(r#"{{"log":{text},"stream":"stdout","time":"2026-03-01T06:10:38Z"}}"#)
        })
        .collect();
    let (whole, _) = events(&long);
    assert_eq!(events(&docker.join("\n")), (whole, "ec".to_owned()), "docker");
    let object = r#"{"message":"no stock","level":"error","time":"2026-03-01T06:10:37Z"}"#;
    let (start, end) = object.split_at(20);
    let time = "2026-03-01T06:10:38Z";
    let cri = format!("{time} stdout P {start}\n{time} stderr F ERROR other\n{time} stdout F {end}");
    let (found, kinds) = events(&cri);
    assert_eq!((found[1].clone(), kinds.as_str()), (events(object).0[0].clone(), "eec"), "{found:?}");
    let part = |text: &str, last: bool| {
        format!(
            r#"{{"log":{},"container_id":"a","partial_message":"true","partial_last":"{last}"}}"#,
            json(text)
        )
    };
    let firelens = [part(start, false), part(end, true), line("ERROR next")].join("\n");
    assert_eq!(events(&firelens).1, "ece");
    let firelens = [part(object, false), part("", true)].join("\n");
    assert_eq!(events(&firelens), (events(object).0, "ec".to_owned()), "an empty last part");
    // What never ends is told all the same.
    assert_eq!(events(&format!("{time} stdout P ERROR a")).1, "e");
}

#[test]
fn records_are_found_on_one_line_and_over_lines() {
    let one = |level: &str| format!(r#"{{"time":"2026-03-01T06:10:37Z","level":"{level}","message":"x"}}"#);
    let glued = one("error") + &one("info") + &one("error");
    for text in [
        glued.clone(),
        format!("[{},{}, {}]", one("error"), one("info"), one("error")),
        format!("[{},\n{},\n{}]", one("error"), one("info"), one("error")),
    ] {
        let levels: Vec<_> = events(&text).0.iter().map(|event| event.1).collect();
        assert_eq!(levels, [Level::Error, Level::Info, Level::Error], "{text}");
    }
    let pretty: serde_json::Value = serde_json::from_str(&one("error")).unwrap();
    let pretty = serde_json::to_string_pretty(&pretty).unwrap();
    let (found, kinds) = events(&format!("{pretty}\n{pretty}"));
    assert_eq!(kinds, "ecccc".repeat(2));
    assert_eq!(found[1], events(&one("error")).0[0]);
    let records: Vec<_> = pretty.lines().map(|line| wrapped("docker", line)).collect();
    assert_eq!(events(&records.join("\n")).0, [events(&one("error")).0[0].clone()]);
    let array = format!("[\n{},\n{}\n]", indented(&pretty), indented(&pretty));
    assert_eq!(events(&array).1, format!("u{}u", "ecccc".repeat(2)));
    // What only looks like the first line of an object is read line by line.
    assert_eq!(events("{\nERROR a\nERROR b").1, "uee");
    let (joined, kinds) = events(&wrapped(
        "docker",
        "2026-03-01 06:10:37 ERROR a\r\n\tat b.C.d(C.java:1)\n2026-03-01 06:10:38 WARN b\r\n",
    ));
    let texts: Vec<_> = joined.iter().map(|event| (event.1, event.4.as_str())).collect();
    assert_eq!(kinds, "ee");
    assert_eq!(texts, [(Level::Error, "a\r\n\tat b.C.d(C.java:1)"), (Level::Warn, "b")]);
    let csv = "\"2026-03-01T06:10:37Z\",\"ERROR\",\"no \"\"stock\"\", 17\"";
    let (found, _) = events(csv);
    assert_eq!((found[0].1, found[0].4.as_str()), (Level::Error, "no \"\"stock\"\", 17"));
    let ruby = r#"{"level"=>"ERROR", "message"=>"no => stock", "user"=>nil}"#;
    assert_eq!(events(ruby).0[0].4, "no => stock");
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[test]
fn text_in_front_of_a_record_is_time_and_tag() {
    let record = r#"{"level":"ERROR","message":"no stock"}"#;
    for (head, time) in [
        ("2026-03-01T06:10:37+00:00\tapp.orders\t", Some(1_772_345_437_000)),
        ("2026-03-01T06:10:37+00:00 app.orders ", Some(1_772_345_437_000)),
        ("2026-03-01T06:10:37+00:00,app.orders,", Some(1_772_345_437_000)),
        ("2026-03-01T06:10:37+00:00app.orders", Some(1_772_345_437_000)),
        ("2026-03-01T06:10:37+00:00\u{1}app.orders\u{1}", Some(1_772_345_437_000)),
        ("2026-03-01T06:10:37+00:00\t", Some(1_772_345_437_000)),
        ("app.orders\t", None),
        ("1772345437\tapp.orders\t", Some(1_772_345_437_000)),
        ("1772345437.143\tapp.orders\t", Some(1_772_345_437_143)),
        ("2026-03-01 06:10:37.143456789 +0000 app.orders: ", Some(1_772_345_437_143)),
    ] {
        let (found, _) = events(&format!("{head}{record}"));
        let (time_ms, level, _, _, text) = &found[0];
        assert_eq!(
            (time_ms.map(UtcMs::get), *level, text.as_str()),
            (time, Level::Error, "no stock"),
            "{head}"
        );
    }
    let (found, _) = events(&format!("2026-03-01 06:10:37 INFO {record}"));
    assert_eq!((found[0].1, found[0].4.as_str()), (Level::Info, record), "a line of text");
}

/// A search that begins at any settled line is told of each line what the count was told.
#[test]
fn a_reader_that_begins_in_the_middle_is_told_the_same() {
    let mut lines = Vec::new();
    for (number, line) in LINES.iter().enumerate() {
        let wrapper = WRAPPERS[number % WRAPPERS.len()];
        lines.extend(line.lines().map(|line| wrapped(wrapper, line)));
        lines.extend(line.lines().map(str::to_owned));
        lines.push("2026-03-01T06:10:38Z stdout P part".to_owned());
        lines.push("2026-03-01T06:10:38Z stderr F \tat com.acme.A.b(A.java:1)".to_owned());
        lines.push("2026-03-01T06:10:38Z stdout F  and the rest".to_owned());
    }
    let whole = told_from(&lines, 0, &Place::default());
    for start in 0..lines.len() {
        let Some(place) = place_at(&lines, start) else { continue };
        let found = told_from(&lines, start, &place);
        assert_eq!(found, whole[start..], "from line {start}: {}", lines[start]);
    }
}

/// What a line was told to be: the line of its event, time and level.
type Facts = Vec<Option<(u64, UtcMs, Level)>>;

fn told_from(lines: &[String], start: usize, place: &Place) -> Facts {
    let mut reader = Reader::new(&settings(), None, UtcMs::EPOCH);
    reader.resume(place);
    let mut facts = vec![None; lines.len()];
    let mut told = |step: Step<'_>| match step {
        Step::Begins(begun) => {
            facts[begun.line as usize - 1] = Some((begun.line, begun.time_ms, begun.event.level));
        }
        Step::Continues(Continued { line, before, .. }) => {
            facts[line as usize - 1] = Some((before.line, before.time_ms, before.level));
        }
        _ => {}
    };
    for (number, line) in (1..).zip(lines).skip(start) {
        reader.read(&Line { number, bytes: line.as_bytes(), is_cut: false }, &mut told);
    }
    reader.end(&mut told);
    facts.split_off(start)
}

/// Returns where a reader stands before a line, with all streams that go on; `None` where a line waits.
fn place_at(lines: &[String], end: usize) -> Option<Place> {
    let mut reader = Reader::new(&settings(), None, UtcMs::EPOCH);
    for (number, line) in (1..).zip(&lines[..end]) {
        reader.read(&Line { number, bytes: line.as_bytes(), is_cut: false }, &mut |_| {});
    }
    let time_ms = reader.time_ms();
    let mut streams: Vec<StreamPlace> = Vec::new();
    let is_settled = reader.is_settled();
    for (number, line) in (1..).zip(lines).skip(end) {
        let line = Line { number, bytes: line.as_bytes(), is_cut: false };
        reader.read(&line, &mut |step| {
            if let Step::Continues(Continued { before, .. }) = step
                && before.line <= end as u64
                && streams.iter().all(|stream| stream.key != before.key)
            {
                streams.push(before);
            }
        });
    }
    let place = Place { time_ms, streams };
    assert_eq!(Place::from_bytes(time_ms, &place.stream_bytes()), place);
    is_settled.then_some(place)
}

#[test]
fn every_line_is_told_once_and_many_streams_take_little() {
    let mut reader = Reader::new(&settings(), None, UtcMs::EPOCH);
    let (mut told, mut open, mut most) = (0_u64, 0_usize, 0);
    let lines = 20_000;
    for number in 1..=lines {
        let text = match number % 3 {
            0 => format!(r#"{{"log":"ERROR {number}","container_id":"{number}"}}"#),
            1 => format!(r#"{{"log":"part {number}","container_id":"{number}","partial_message":"true"}}"#),
            _ => "{".to_owned(),
        };
        reader.read(&Line { number, bytes: text.as_bytes(), is_cut: false }, &mut |step| match step {
            Step::Begins(_) => {
                told += 1;
                open += 1;
                most = most.max(open);
            }
            Step::Ends { .. } => open -= 1,
            _ => told += 1,
        });
    }
    reader.end(&mut |step| told += u64::from(!matches!(step, Step::Ends { .. })));
    assert_eq!(told, lines);
    assert!(most as u64 <= STREAM_RECORDS + WAITING_LINES + 1, "{most}");
}

/// What is held of an object grows with none of these: more streams, longer events, deeper nesting, more heads without an end.
#[test]
fn what_is_held_does_not_grow_with_the_object() {
    let time = "2026-03-01T06:10:38Z";
    let stream =
        |number: u64| format!(r#"{{"log":"ERROR {number}","container_id":"{number}","source":"stdout"}}"#);
    let head = |number: u64| {
        format!(r#"{{"log":"Mar 01, 2026 6:10:37 AM com.acme.Cart pay","container_id":"{number}"}}"#)
    };
    let part =
        |number: u64| format!(r#"{{"log":"part","container_id":"{number}","partial_message":"true"}}"#);
    let endless =
        |number: u64| if number == 1 { format!("{time} ERROR a") } else { "\tat a.B.c(B.java:1)".to_owned() };
    let opened = |_| "{".to_owned();
    let nested = |number: u64| format!(r#"{{"a":{}{}"#, "[{\"a\":".repeat(100 + number as usize % 50), "1");
    let kinds: [(&str, &dyn Fn(u64) -> String); 6] = [
        ("streams", &stream),
        ("heads", &head),
        ("parts", &part),
        ("one event", &endless),
        ("open objects", &opened),
        ("nesting", &nested),
    ];
    for (kind, line) in kinds {
        let mut reader = Reader::new(&settings(), None, UtcMs::EPOCH);
        let (mut told, mut most) = (0, 0);
        for number in 1..=30_000 {
            let text = line(number);
            let line = Line { number, bytes: text.as_bytes(), is_cut: false };
            reader.read(&line, &mut |step| told += u64::from(!matches!(step, Step::Ends { .. })));
            most = most.max(reader.streams.held());
        }
        reader.end(&mut |step| told += u64::from(!matches!(step, Step::Ends { .. })));
        assert_eq!(told, 30_000, "{kind}");
        let bound = 3 * (STREAM_RECORDS + WAITING_LINES) + WAITING_LINES;
        assert!(most as u64 <= bound, "{kind}: {most}");
    }
}

/// Lines that only say what a line before them says are told with it wherever a reader begins.
#[test]
fn lines_before_the_first_time_take_it() {
    let text = "starting\n  with care\nERROR early\n2026-03-01 06:10:37,143 ERROR late\nERROR undated";
    let mut reader = Reader::new(&settings(), None, UtcMs::new(5));
    let mut times = Vec::new();
    let mut take = |step: Step<'_>| match step {
        Step::Begins(begun) => times.push((begun.line, begun.time_ms)),
        Step::Unparsed { line, time_ms } => times.push((line, time_ms)),
        _ => {}
    };
    for (number, line) in (1..).zip(text.lines()) {
        reader.read(&Line { number, bytes: line.as_bytes(), is_cut: false }, &mut take);
        assert_eq!(reader.is_settled(), number > 3, "{number}");
    }
    reader.end(&mut take);
    let time = UtcMs::new(1_772_345_437_143);
    assert_eq!(times, [1, 2, 3, 4, 5].map(|line| (line, time)));
    // Without any time, what the key says counts, and no more lines wait than a block has.
    let mut reader = Reader::new(&settings(), None, UtcMs::new(5));
    let mut undated = 0;
    for number in 1..=1000 {
        let line = Line { number, bytes: b"ERROR a", is_cut: false };
        reader.read(&line, &mut |step| {
            undated += u64::from(matches!(step, Step::Begins(begun) if begun.time_ms == UtcMs::new(5)));
        });
        assert!(number - undated <= 128, "{number} {undated}");
    }
}
