//! One event a format, the joining of lines, time stamps.

use proptest::prelude::*;

use super::time::Clock;
use super::*;
use crate::events::{SampleText, read_sample};
use crate::model::{Level, UtcMs};

const SEED: &str = r#"{"@timestamp":"2023-10-30 06:10:37.143","logLevel":"ERROR","logClass":"com.acme.orders.OrderService","thread":"http-nio-8080-exec-7","origLogEntry":"Failed to book order 17\njava.net.SocketTimeoutException: Read timed out\n\tat com.acme.orders.OrderService.book(OrderService.java:42)"}"#;

/// Returns a parser that lives as long as what it reads.
fn parser() -> &'static mut Parser {
    Box::leak(Box::new(Parser::new(&ParseSettings::default(), Some(jiff::civil::date(2023, 10, 30)))))
}

fn event(line: &str) -> Event<'_> {
    match parser().parse(line.as_bytes()) {
        Parsed::Event(event) => event,
        other => panic!("{other:?}: {line}"),
    }
}

/// Returns time, level, logger, thread and message, readable.
fn read(line: &str) -> [String; 5] {
    let event = event(line);
    let text = |field: Option<Field<'_>>| field.map(|field| field.text().into_owned()).unwrap_or_default();
    [
        event.time_ms.map(show).unwrap_or_default(),
        event.level.to_string(),
        text(event.logger),
        text(event.thread),
        text(Some(event.message)),
    ]
}

fn show(time_ms: UtcMs) -> String {
    time_ms.stamp().unwrap().to_string()
}

#[test]
fn the_seeds_json_line() {
    assert_eq!(
        read(SEED),
        [
            "2023-10-30T06:10:37.143Z",
            "error",
            "com.acme.orders.OrderService",
            "http-nio-8080-exec-7",
            "Failed to book order 17\njava.net.SocketTimeoutException: Read timed out\n\tat com.acme.orders.OrderService.book(OrderService.java:42)",
        ]
    );
}

#[test]
fn fluent_bits_json_lines() {
    assert_eq!(
        read(
            r#"{"date":1698646237.143,"log":"hello","stream":"stderr","kubernetes":{"pod":["a}",{"b":"\"]"}]}}"#
        ),
        ["2023-10-30T06:10:37.143Z", "unknown", "", "", "hello"]
    );
}

#[test]
fn a_text_line_that_a_collector_wrapped_gives_what_the_json_does_not() {
    assert_eq!(
        read(r#"{"log":"2023-10-30 06:10:37,143 ERROR [main] com.acme.Foo - bad\n","stream":"stderr"}"#),
        ["2023-10-30T06:10:37.143Z", "error", "com.acme.Foo", "main", "bad",]
    );
}

#[test]
fn the_first_name_of_the_list_and_the_last_of_duplicates_count() {
    assert_eq!(read(r#"{"msg":"b","message":"a","log":"c","level":"info"}"#)[4], "a");
    assert_eq!(read(r#"{"message":"a","message":"b"}"#)[4], "b");
    assert_eq!(read(r#"{"message":"a","msg":"b","\u006dessage":"c"}"#)[4], "c");
    assert_eq!(read(r#"{"message":null,"msg":"b"}"#)[4], "b");
}

#[test]
fn a_field_of_its_own_holds_the_trace() {
    let line = r#"{"level":"error","message":"bad","stack_trace":"java.lang.X: y\n\tat a.B.c(B.java:1)"}"#;
    assert_eq!(event(line).trace.unwrap().text(), "java.lang.X: y\n\tat a.B.c(B.java:1)");
    assert_eq!(event(r#"{"level":"error","error.stack_trace":"t"}"#).trace.unwrap().text(), "t");
}

#[test]
fn an_object_without_a_message_is_its_own() {
    let line = r#"{"level":"error","code":5}"#;
    assert_eq!(read(line)[4], line);
}

#[test]
fn levels_are_words_or_numbers() {
    for (level, expected) in [
        (r#""ERROR""#, Level::Error),
        (r#"" Warning ""#, Level::Warn),
        (r#""[SEVERE]""#, Level::Error),
        (r#""E""#, Level::Error),
        ("50", Level::Error),
        ("60", Level::Fatal),
        ("3", Level::Error),
        (r#""30""#, Level::Info),
        ("{}", Level::Unknown),
        (r#""loud""#, Level::Unknown),
    ] {
        assert_eq!(event(&format!(r#"{{"level":{level},"msg":"m"}}"#)).level, expected, "{level}");
    }
}

#[test]
fn broken_json_is_unparsed() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(129), "]".repeat(129));
    for line in [
        "{",
        "{}x",
        r#"{"a"}"#,
        r#"{"a":1,}"#,
        r#"{"a":}"#,
        r#"{"a":[}}"#,
        r#"{"a":"b}"#,
        r#"{"a":tru}"#,
        "{a:1}",
        r#"{"a":1}{"b":2}"#,
        r#"{"a":"\"}"#,
        &deep,
    ] {
        assert_eq!(parser().parse(line.as_bytes()), Parsed::Unparsed, "{line}");
    }
    for line in ["{}", r#" { "a" : [ { } ] , "b":-1.5e3 } "#, r#"{"a":"\\"}"#] {
        assert!(matches!(parser().parse(line.as_bytes()), Parsed::Event(_)), "{line}");
    }
}

#[test]
fn a_cut_line_counts_as_far_as_it_goes() {
    let whole = event(SEED);
    for end in 1..SEED.len() {
        let Parsed::Event(cut) = parser().parse_cut(&SEED.as_bytes()[..end]) else {
            panic!("cut at {end}");
        };
        let is_prefix = |part: &str, all: Field<'_>| all.text().starts_with(part);
        if end > 250 {
            assert_eq!((cut.time_ms, cut.level), (whole.time_ms, whole.level));
            assert!(is_prefix(&cut.message.text(), whole.message), "cut at {end}");
        }
        assert_eq!(parser().parse(&SEED.as_bytes()[..end]), Parsed::Unparsed, "cut at {end}");
    }
}

#[test]
fn byte_order_marks_carriage_returns_and_nuls_are_no_part_of_a_line() {
    for line in ["\u{feff}{\"msg\":\"a\"}\r", "\0\0{\"msg\":\"a\"}", "{\"msg\":\"a\"}\0\r"] {
        assert_eq!(read(line)[4], "a", "{line:?}");
    }
}

#[test]
fn out_file_lines() {
    assert_eq!(
        read("2023-10-30T06:10:37+01:00\tapp.orders\t{\"level\":\"error\",\"message\":\"bad\"}"),
        ["2023-10-30T05:10:37Z", "error", "", "", "bad"]
    );
    assert_eq!(
        read("2023-10-30T06:10:37+01:00\tt\t{\"time\":1000000000,\"msg\":\"x\"}")[0],
        "2001-09-09T01:46:40Z"
    );
}

#[test]
fn ltsv_lines() {
    assert_eq!(
        read(
            "time:2023-10-30T06:10:37.143+01:00\tlevel:ERROR\tlogger:com.acme.Foo\tthread:main\tmessage:a: b\\n"
        ),
        ["2023-10-30T05:10:37.143Z", "error", "com.acme.Foo", "main", "a: b\\n"]
    );
    // The example of the specification: no message, so that the line is it.
    let access = "host:127.0.0.1\tident:-\tuser:frank\ttime:[10/Oct/2000:13:55:36 -0700]\treq:GET / HTTP/1.0\tstatus:200";
    assert_eq!(read(access), ["2000-10-10T20:55:36Z", "unknown", "", "", access]);
    assert_eq!(read("msg:one\tmsg:two\t\tlevel:warn\r"), ["", "warn", "", "", "two"]);
    assert_eq!(read("@timestamp:1698646237\tlog:ERROR bad")[..2], ["2023-10-30T06:10:37Z", "error"]);
    let cut = parser().parse_cut(b"level:error\tmsg:bad\tothe");
    assert!(matches!(cut, Parsed::Event(event) if event.level == Level::Error), "{cut:?}");
}

#[test]
fn text_with_tabs_and_colons_is_no_ltsv() {
    for line in [
        "level:error",
        "one:1\ttwo:2",
        "level:error\tno label",
        "level:error\tmy label:x",
        ":x\tlevel:error",
        "12:30\tlevel:error",
        "level: error\tmsg:x",
    ] {
        assert_eq!(parser().parse(line.as_bytes()), Parsed::Unparsed, "{line}");
    }
    let settings = ParseSettings { format: Some(Format::Ltsv), ..ParseSettings::default() };
    for (line, is_event) in
        [("level:error", true), ("one:1", true), ("7: x", true), ("no label", false), ("my label:x", false)]
    {
        let mut parser = Parser::new(&settings, None);
        let parsed = parser.parse(line.as_bytes());
        assert_eq!(matches!(parsed, Parsed::Event(_)), is_event, "{line}");
    }
}

#[test]
fn a_single_value_is_the_message_whatever_it_is() {
    let settings = ParseSettings { format: Some(Format::SingleValue), ..ParseSettings::default() };
    let mut parser = Parser::new(&settings, None);
    let mut read = |line: &str| match parser.parse(line.as_bytes()) {
        Parsed::Event(event) => {
            (event.time_ms.map(show).unwrap_or_default(), event.level, event.message.text().into_owned())
        }
        other => (String::new(), Level::Unknown, format!("{other:?}")),
    };
    for line in
        ["\tat first", "hello", "error handling is hard", r#"{"level":"error"}"#, "level:error\tmsg:x"]
    {
        assert_eq!(read(line), (String::new(), Level::Unknown, line.to_owned()));
        read("no trace");
    }
    let head = "2023-10-30 06:10:37 ERROR bad";
    assert_eq!(read(head), ("2023-10-30T06:10:37Z".to_owned(), Level::Error, head.to_owned()));
    for line in ["java.io.IOException: closed", "\tat a.B.c(B.java:1)", "Caused by: x", "", "\t... 2 more"] {
        assert_eq!(read(line).2, "Continuation", "{line}");
    }
    assert_eq!(read("and on").2, "and on");
}

const TIME: &str = "2023-10-30T06:10:37.143Z";
const SECOND: &str = "2023-10-30T06:10:37Z";
const FOO: &str = "com.acme.Foo";

/// Lines, and their time, level, logger, thread and message.
const LAYOUTS: &[(&str, [&str; 5])] = &[
    ("2023/10/30 06:10:37 error opening x", [SECOND, "unknown", "", "", "error opening x"]),
    ("2023/10/30 06:10:37 Config loaded", [SECOND, "unknown", "", "", "Config loaded"]),
    ("2023-10-30 06:10:37,143 info | main | com.acme.Foo: it broke", [TIME, "info", FOO, "main", "it broke"]),
    (
        "2023-10-30 06:10:37,143 ERROR [main] com.acme.Foo - it broke",
        [TIME, "error", FOO, "main", "it broke"],
    ),
    (
        "2023-10-30 06:10:37,143 [main] ERROR com.acme.Foo - it broke",
        [TIME, "error", FOO, "main", "it broke"],
    ),
    (
        "2023-10-30 06:10:37.143 ERROR 4711 --- [nio-8080-exec-1] com.acme.Foo    : it broke",
        [TIME, "error", FOO, "nio-8080-exec-1", "it broke"],
    ),
    (
        "2023-10-30T06:10:37.143Z  WARN 1 --- [orders] [main] com.acme.Foo : it broke",
        [TIME, "warn", FOO, "orders", "it broke"],
    ),
    (
        "2023-10-30 06:10:37,143 INFO [main] com.acme.Foo: Created token for job 7",
        [TIME, "info", FOO, "main", "Created token for job 7"],
    ),
    ("2023-10-30 06:10:37,143 - com.acme.Foo - ERROR - it broke", [TIME, "error", FOO, "", "it broke"]),
    ("06:10:37.143 [main] ERROR com.acme.Foo - it broke", [TIME, "error", FOO, "main", "it broke"]),
    (
        "[2023-10-30 06:10:37,143] ERROR [Broker 1] it broke (kafka.server)",
        [TIME, "error", "", "Broker 1", "it broke (kafka.server)"],
    ),
    ("[2023-10-30T06:10:37.143Z] [error] it broke", [TIME, "error", "", "", "it broke"]),
    ("[ERROR] 2023-10-30 06:10:37,143 it broke", [TIME, "error", "", "", "it broke"]),
    ("ERROR 2023-10-30 06:10:37,143 it broke", [TIME, "error", "", "", "it broke"]),
    ("2023/10/30 06:10:37 [error] 31#31: *1 it broke", [SECOND, "error", "", "", "it broke"]),
    ("2023/10/30 06:10:37 it broke", [SECOND, "unknown", "", "", "it broke"]),
    ("2023-10-30 06:10:37.143 UTC [77] ERROR:  it broke", [TIME, "error", "", "", "it broke"]),
    ("Oct 30 06:10:37 host sshd[77]: it broke", [SECOND, "unknown", "sshd", "77", "it broke"]),
    ("<11>Oct 30 06:10:37 host app: it broke", [SECOND, "error", "app", "", "it broke"]),
    ("<10>1 2023-10-30T06:10:37.143Z host app 77 - - it broke", [TIME, "fatal", "app", "77", "it broke"]),
    (
        "192.0.2.1 - - [30/Oct/2023:06:10:37 +0000] \"GET / HTTP/1.1\" 500 12",
        [SECOND, "error", "", "", "\"GET / HTTP/1.1\" 500"],
    ),
    ("ERROR it broke", ["", "error", "", "", "it broke"]),
    ("[main] ERROR com.acme.Foo - it broke", ["", "error", FOO, "main", "it broke"]),
    ("error: it broke", ["", "error", "", "", "it broke"]),
    ("2023-10-30 06:10:37,143 ERROR -5 is no amount", [TIME, "error", "", "", "-5 is no amount"]),
    (
        "2023-10-30 06:10:37,143 failed to send error report",
        [TIME, "unknown", "", "", "failed to send error report"],
    ),
    ("2023-10-30 06:10:37,143 ERROR", [TIME, "error", "", "", ""]),
];

#[test]
fn text_lines_of_common_layouts() {
    for (line, expected) in LAYOUTS {
        assert_eq!(read(line), *expected, "{line}");
    }
}

#[test]
fn text_without_a_time_or_level_is_unparsed() {
    for line in
        ["hello", "error handling is hard", "12345", "<nothing>", "[x", "\u{fffd}", "10.0.0.1 - - [x] y"]
    {
        assert_eq!(parser().parse(line.as_bytes()), Parsed::Unparsed, "{line}");
    }
}

/// Returns a letter a line: event, continuation, unparsed.
fn kinds(lines: &[&str]) -> String {
    let parser = parser();
    let mut kind = |line: &&str| match parser.parse(line.as_bytes()) {
        Parsed::Event(_) => 'e',
        Parsed::Continuation => 'c',
        Parsed::Unparsed => 'u',
    };
    lines.iter().map(&mut kind).collect()
}

#[test]
fn traces_split_over_lines_are_joined() {
    let head = "2023-10-30 06:10:37,143 ERROR com.acme.Foo - bad";
    assert_eq!(
        kinds(&[
            head,
            "java.lang.IllegalStateException: what",
            "is this",
            "\tat com.acme.Foo.bar(Foo.java:1)",
            "Caused by: java.io.IOException: closed",
            "\t... 12 more",
            "",
            head,
        ]),
        "ecccccce"
    );
    assert_eq!(
        kinds(&[
            head,
            "Traceback (most recent call last):",
            "  File \"/app/main.py\", line 3, in <module>",
            "    main()",
            "ValueError: bad",
            head,
        ]),
        "ecccce"
    );
    assert_eq!(kinds(&["\tat a.B.c(B.java:1)", head, "stray", "\tat a.B.c(B.java:1)"]), "uecc");
    assert_eq!(kinds(&[SEED, "\tat a.B.c(B.java:1)", "stray", SEED]), "ecue");
}

/// What programs print when they die, by language.
const CRASHES: [&str; 7] = [
    "panic: runtime error: index out of range [5] with length 3\n\ngoroutine 18 [running]:\npanic({0x4c1, 0xc0})\n\t/usr/local/go/src/runtime/panic.go:884 +0x213\nmain.(*Server).handle(0xc000010000)\n\t/src/app/server.go:88 +0x1d\ncreated by main.main in goroutine 1\n\t/src/app/main.go:10 +0x2",
    "fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [chan receive]:\nmain.main()\n\t/src/app/main.go:10 +0x2",
    "thread 'main' panicked at src/main.rs:4:5:\nno order 7\nstack backtrace:\n   0: rust_begin_unwind\n             at /rustc/07dc/library/std/src/panicking.rs:645:5\n   1: app::main\nnote: run with `RUST_BACKTRACE=full`",
    "Traceback (most recent call last):\n  File \"/app/a.py\", line 1, in a\n    b()\nKeyError: 'id'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"/app/a.py\", line 3, in a\n    c()\nacme.Refused: no",
    "TypeError: x is not a function\n    at charge (/app/orders.js:10:15)\n    at async /app/server.js:5:1\n  [cause]: Error: y\n      at connect (/app/net.js:1:1)",
    "Unhandled exception. System.InvalidOperationException: outer\n ---> System.ArgumentException: inner\n   at Acme.Http.Get(String url) in /src/Http.cs:line 42\n   --- End of inner exception stack trace ---\n   at Acme.Program.Main()",
    "Exception in thread \"main\" com.acme.PayException: no\n\tat com.acme.Client.charge(Client.java:40)\n\tSuppressed: java.io.IOException: close\n\t\tat com.acme.Client.close(Client.java:4)\nCaused by: java.net.ConnectException: refused\n\tat com.acme.Http.get(Http.java:7)\n\t... 3 more",
];

#[test]
fn the_lines_of_a_crash_are_one_event_or_belong_to_the_one_before() {
    let json = r#"{"level":"info","message":"serving"}"#;
    let text = "2023-10-30 06:10:37,143 INFO [main] com.acme.Foo - serving";
    for crash in CRASHES {
        let lines: Vec<_> = crash.split('\n').collect();
        let whole = format!("e{}", "c".repeat(lines.len() - 1));
        assert_eq!(kinds(&lines), whole, "{crash}");
        for head in [json, text] {
            let around = kinds(&[&[head], lines.as_slice(), &[head]].concat());
            let (own, joined) = (format!("e{whole}e"), format!("ec{}e", &whole[1..]));
            assert!(around == joined || around == own && crash.starts_with("panic: "), "{around}: {crash}");
        }
        let settings = ParseSettings { format: Some(Format::SingleValue), ..ParseSettings::default() };
        let mut parser = Parser::new(&settings, None);
        let events = lines.iter().filter(|line| matches!(parser.parse(line.as_bytes()), Parsed::Event(_)));
        assert_eq!(events.count(), 1, "{crash}");
    }
    assert_eq!(kinds(&[json, "Traceback (most recent call last):", "  x", "a.Bad: y", "stray"]), "ecccu");
    assert_eq!(kinds(&["main.go is here (really)", json, "see a.b (and c)"]), "ueu");
}

#[test]
fn wrapped_trace_lines_are_joined_while_their_level_is_the_same() {
    let head = r#"{"level":"error","log":"bad"}"#;
    let frame = r#"{"log":"\tat a.B.c(B.java:1)\n","stream":"stderr"}"#;
    let cause = r#"{"level":"error","log":"Caused by: java.io.IOException: closed"}"#;
    let info = r#"{"level":"info","log":"Caused by: a change of plans"}"#;
    assert_eq!(kinds(&[head, frame, cause, info, frame]), "eccec");
    assert_eq!(kinds(&[frame, head, r#"{"log":"    indented"}"#]), "eec");
}

#[test]
fn the_format_is_that_of_most_events() {
    let parser = parser();
    assert_eq!(parser.format(), None);
    parser.parse(b"2023-10-30 06:10:37 ERROR one");
    parser.parse(br#"{"msg":"two"}"#);
    parser.parse(br#"{"msg":"three"}"#);
    assert_eq!(parser.format(), Some(Format::Json));
    for format in Format::ALL {
        assert_eq!(format.name().parse(), Ok(format));
    }
}

#[test]
fn field_names_can_be_chosen() {
    let fields = FieldNames {
        message: vec![
            "what happened".to_owned(),
            "a rather long name of a field, longer than most".to_owned(),
        ],
        ..FieldNames::default()
    };
    let mut parser = Parser::new(&ParseSettings { fields, ..ParseSettings::default() }, None);
    for line in [
        r#"{"msg":"no","what happened":"yes"}"#,
        r#"{"a rather long name of a field, longer than most":"yes"}"#,
    ] {
        let Parsed::Event(event) = parser.parse(line.as_bytes()) else {
            panic!("{line}");
        };
        assert_eq!(event.message.text(), "yes");
    }
}

#[test]
fn a_sample_reads_back_as_text() {
    let settings = ParseSettings::default();
    let raw = r#"{"time":1698646237,"level":"error","logger":"a.B","thread":"t","msg":"bad \"x\"","stack":"E: y\n\tat z"}
	at more
{"log":"\tat wrapped\n"}"#;
    assert_eq!(
        read_sample(raw.as_bytes(), &settings),
        SampleText {
            time_ms: Some(UtcMs::new(1_698_646_237_000)),
            level: Level::Error,
            logger: Some("a.B".to_owned()),
            thread: Some("t".to_owned()),
            text: "bad \"x\"\nE: y\n\tat z\n\tat more\n\tat wrapped".to_owned(),
        }
    );
    let cut = read_sample(&SEED.as_bytes()[..200], &settings);
    assert_eq!((cut.level, cut.text.starts_with("Failed to book")), (Level::Error, true));
    assert_eq!(read_sample(b"no format\xff", &settings).text, "no format\u{fffd}");
}

fn time_in(text: &str, zone: &str) -> Option<String> {
    let zone = TimeZone::get(zone).unwrap();
    time::read(text.as_bytes(), &mut Clock::new(&zone)).map(show)
}

#[test]
fn stamps_of_every_style() {
    for (text, expected) in [
        ("2023-10-30 06:10:37.143", "2023-10-30T06:10:37.143Z"),
        ("2023-10-30T06:10:37,143999", "2023-10-30T06:10:37.143Z"),
        ("2023-10-30T06:10:37Z", "2023-10-30T06:10:37Z"),
        ("2023-10-30T06:10:37.1+05:30", "2023-10-30T00:40:37.1Z"),
        ("2023-10-30 06:10:37 +0000", "2023-10-30T06:10:37Z"),
        ("2023-10-30 06:10:37 -0130", "2023-10-30T07:40:37Z"),
        ("2023-10-30 06:10:37 UTC", "2023-10-30T06:10:37Z"),
        ("2023-10-30 06:10:37.5+02", "2023-10-30T04:10:37.5Z"),
        ("2023-10-30T06:10:37+01:00[Europe/Berlin]", "2023-10-30T05:10:37Z"),
        ("30/Oct/2023:06:10:37 +0100", "2023-10-30T05:10:37Z"),
        ("20231030T061037Z", "2023-10-30T06:10:37Z"),
        ("20231030061037", "2023-10-30T06:10:37Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("1970-01-01 00:00:00", "1970-01-01T00:00:00Z"),
        ("9999-12-30 21:59:59.999", "9999-12-30T21:59:59.999Z"),
        ("9999-12-31 23:59:59", "9999-12-30T22:00:00Z"),
        ("9999-12-31T23:59:59-12:00", "9999-12-30T22:00:00Z"),
        ("0", "1970-01-01T00:00:00Z"),
        ("1698646237", "2023-10-30T06:10:37Z"),
        ("1698646237.143", "2023-10-30T06:10:37.143Z"),
        ("1698646237143", "2023-10-30T06:10:37.143Z"),
        ("1698646237143.5", "2023-10-30T06:10:37.143Z"),
        ("1698646237143000", "2023-10-30T06:10:37.143Z"),
        ("1698646237143000000", "2023-10-30T06:10:37.143Z"),
        ("1.698646237143E9", "2023-10-30T06:10:37.143Z"),
    ] {
        assert_eq!(time_in(text, "UTC").as_deref(), Some(expected), "{text}");
    }
    for text in [
        "",
        "now",
        "2023-10-30",
        "2023-02-29 00:00:00",
        "2023-13-01 00:00:00",
        "2023-10-30 24:00:00",
        "2023-10-30 06:10:37 XYZ",
        "2023-10-30 06:10:371",
        "06:10:37",
        "-5",
        "1e400",
        "99999999999999999999",
        "1.2.3",
        "0x10",
        "2023-10-30T06:10:37+1",
        "2023-10-30T06:10:37.143Zulu",
        "0000-01-01 00:00:00",
    ] {
        assert_eq!(time_in(text, "UTC"), None, "{text}");
    }
}

#[test]
fn gaps_shift_forward_and_folds_take_the_earlier() {
    for (text, expected) in [
        ("2023-07-01 12:00:00", "2023-07-01T10:00:00Z"),
        ("2023-03-26 01:59:59", "2023-03-26T00:59:59Z"),
        ("2023-03-26 02:30:00", "2023-03-26T01:30:00Z"),
        ("2023-03-26 03:00:00", "2023-03-26T01:00:00Z"),
        ("2023-10-29 02:30:00", "2023-10-29T00:30:00Z"),
        ("2023-10-29 03:00:00", "2023-10-29T02:00:00Z"),
        ("9999-12-31 12:00:00", "9999-12-30T22:00:00Z"),
    ] {
        assert_eq!(time_in(text, "Europe/Berlin").as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn the_repeated_hour_goes_by_the_order_of_lines() {
    let zone = TimeZone::get("Europe/Berlin").unwrap();
    let mut clock = Clock::new(&zone);
    let mut read = |text: &str| time::read(text.as_bytes(), &mut clock).map(show).unwrap();
    for (stamp, expected) in [
        ("2023-10-29 01:59:59", "2023-10-28T23:59:59Z"),
        ("2023-10-29 02:10:00", "2023-10-29T00:10:00Z"),
        ("2023-10-29 02:50:00", "2023-10-29T00:50:00Z"),
        ("2023-10-29 02:49:30", "2023-10-29T00:49:30Z"),
        ("2023-10-29 02:05:00", "2023-10-29T01:05:00Z"),
        ("2023-10-29 02:50:00", "2023-10-29T01:50:00Z"),
        ("2023-10-29 03:00:00", "2023-10-29T02:00:00Z"),
    ] {
        assert_eq!(read(stamp), expected, "{stamp}");
    }
}

#[test]
fn a_syslog_stamp_after_its_day_is_of_the_year_before() {
    let january = Some(jiff::civil::date(2024, 1, 2));
    let mut clock = Clock::new(&TimeZone::UTC).on(january);
    let read = |text: &[u8], clock: &mut Clock| time::scan(text, clock).map(|(time_ms, _)| show(time_ms));
    assert_eq!(read(b"Dec 31 23:59:59 x", &mut clock).unwrap(), "2023-12-31T23:59:59Z");
    assert_eq!(read(b"Jan  2 00:00:00", &mut clock).unwrap(), "2024-01-02T00:00:00Z");
}

proptest! {
    #[test]
    fn a_written_time_reads_back(
        time_ms in -62_000_000_000_000_i64..253_000_000_000_000,
        style in 0..6,
        zone in prop::sample::select(vec!["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]),
    ) {
        let stamp = UtcMs::new(time_ms).stamp().unwrap();
        let zoned = stamp.in_tz(zone).unwrap();
        let format = [
            "%Y-%m-%d %H:%M:%S%.3f", "%Y-%m-%dT%H:%M:%S,%3f", "%Y-%m-%dT%H:%M:%S%.3fZ", "%Y-%m-%d %H:%M:%S%.6f %z",
            "%Y-%m-%dT%H:%M:%S%.3f%:z", "%Y/%m/%d %H:%M:%S%.9f",
        ][style as usize];
        let civil = if style == 2 { stamp.in_tz("UTC").unwrap() } else { zoned.clone() };
        // Local mean time had seconds in its offset, which no stamp shows.
        prop_assume!(zoned.offset().seconds() % 60 == 0 || !matches!(style, 3 | 4));
        let text = civil.strftime(format).to_string();
        let expected = if matches!(style, 0 | 1 | 5) {
            zoned.time_zone().to_timestamp(zoned.datetime()).unwrap()
        } else {
            stamp
        };
        let expected = UtcMs::from(expected);
        let mut clock = Clock::new(zoned.time_zone());
        prop_assert_eq!(time::read(text.as_bytes(), &mut clock), Some(expected), "{}", text);
        // The second look-up comes from the remembered offset.
        prop_assert_eq!(time::read(text.as_bytes(), &mut clock), Some(expected), "{}", text);
    }

    #[test]
    fn any_bytes_are_one_of_three(lines in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 0..6)) {
        let parser = parser();
        for line in &lines {
            parser.parse(line);
            parser.parse_cut(line);
            read_sample(line, &ParseSettings::default());
        }
    }

    #[test]
    fn anything_like_a_line_is_one_of_three(
        line in r#"(\[|<3>|[{])?(2023-10-30 06:10:37|Oct 30 06:10:37|[0-9:/,.TZ+-]{0,25})[ \t|:\]-]{0,3}(ERROR|\[main\]|com.acme|"msg":"|[ -~é]{0,12}){0,5}"#,
    ) {
        parser().parse(line.as_bytes());
        parser().parse_cut(line.as_bytes());
        time_in(&line, "Europe/Berlin");
    }

    #[test]
    fn what_serde_reads_is_an_event(message in any::<String>(), key in "[a-z]{1,3}", number in any::<f64>()) {
        let value = serde_json::json!({ key: [number, {"x": message.clone()}], "message": message.clone(), "level": "error" });
        let line = value.to_string();
        let parser = parser();
        let Parsed::Event(event) = parser.parse(line.as_bytes()) else {
            panic!("{line}");
        };
        // Without a message the record stands for it.
        let expected = if message.is_empty() { &line } else { &message };
        prop_assert_eq!(&event.message.text(), expected);
    }
}
