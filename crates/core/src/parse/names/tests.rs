//! Records as loggers write them, and what they mean.

use jiff::tz::TimeZone;

use crate::model::Level;
use crate::parse::json;
use crate::parse::names::{FieldNames, Names};
use crate::parse::time::Clock;

/// Reads a record to its time, level, logger, message and the first line of its trace.
fn read(record: &str) -> [String; 5] {
    let names = Names::new(&FieldNames::default());
    let fields =
        json::fields(record.as_bytes(), &names, false).unwrap_or_else(|| panic!("no record: {record}"));
    let mut clock = Clock::new(&TimeZone::UTC).on(Some(jiff::civil::date(2026, 11, 20)));
    let event = fields.event(record.as_bytes());
    let time = fields.time(&mut clock).map_or_else(String::new, |time_ms| {
        let time = time_ms.stamp().unwrap().to_string();
        time.strip_prefix("2026-11-20T").map_or(time.clone(), |time| time.trim_end_matches('Z').to_owned())
    });
    let text = |field: Option<crate::model::Field<'_>>| {
        field.map(|field| field.text().into_owned()).unwrap_or_default()
    };
    let trace = text(event.trace).lines().next().unwrap_or_default().to_owned();
    [time, event.level.to_string(), text(event.logger), text(Some(event.message)), trace]
}

fn check(cases: &[(&str, [&str; 5])]) {
    let differs =
        |(record, expected): &&(&str, [&str; 5])| read(record).iter().zip(expected).any(|(a, b)| a != b);
    let wrong: Vec<String> = cases
        .iter()
        .filter(differs)
        .map(|(record, expected)| format!("{record}\n  have {:?}\n  want {expected:?}", read(record)))
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

const MS: &str = "06:10:01.143";
const M: &str = "it broke";

#[test]
fn loggers_of_the_jvm() {
    check(&[
        (
            r#"{"@timestamp":"2026-11-20T06:10:01.143Z","log.level":"ERROR","message":"it broke","ecs.version":"1.2.0","log.logger":"a.B","error.type":"x","error.stack_trace":"java.lang.X: y\n\tat z"}"#,
            [MS, "error", "a.B", M, "java.lang.X: y"],
        ),
        (
            r#"{"@timestamp":"2026-11-20T06:10:01.143Z","log":{"level":"WARN","logger":"a.B"},"message":"it broke","error":{"stack_trace":"X: y\n\tat z"}}"#,
            [MS, "warn", "a.B", M, "X: y"],
        ),
        (
            r#"{"@timestamp":"2026-11-20T06:10:01.143+00:00","@version":"1","message":"it broke","logger_name":"a.B","thread_name":"main","level":"ERROR","level_value":40000,"stack_trace":"X: y\n\tat z"}"#,
            [MS, "error", "a.B", M, "X: y"],
        ),
        (
            r#"{"@timestamp":"2026-11-20T06:10:01.143Z","level_value":30000,"message":"it broke"}"#,
            [MS, "warn", "", M, ""],
        ),
        (
            r#"{"@timestamp":"2026-11-20T06:10:01.143Z","@message":"it broke","@fields":{"level":"ERROR","logger_name":"a.B"}}"#,
            [MS, "error", "a.B", M, ""],
        ),
        (
            r#"{"instant":{"epochSecond":1795155001,"nanoOfSecond":143000000},"thread":"main","level":"ERROR","loggerName":"a.B","message":"it broke","thrown":{"name":"a.X","message":"y","extendedStackTrace":[{"class":"a.B","method":"c","file":"B.java","line":41}]}}"#,
            [MS, "error", "a.B", M, "a.X: y"],
        ),
        (r#"{"timeMillis":1795155001143,"level":"FATAL","message":"it broke"}"#, [MS, "fatal", "", M, ""]),
        (
            r#"{"timestamp":"2026-11-20T06:10:01.143Z","loggerClassName":"org.jboss.logging.Logger","loggerName":"a.B","level":"ERROR","message":"it broke","exception":{"refId":1,"exceptionType":"a.X","message":"y","frames":[{"class":"a.B","method":"c","line":41}],"causedBy":{"exception":{"exceptionType":"a.Z","message":"w"}}}}"#,
            [MS, "error", "a.B", M, "a.X: y"],
        ),
        (
            r#"{"timestamp":1795155001143,"level":"SEVERE","message":"it broke","levelValue":1000}"#,
            [MS, "error", "", M, ""],
        ),
        (r#"{"date":"2026-11-20T06:10:01.143Z","level":900,"message":"it broke"}"#, [MS, "warn", "", M, ""]),
    ]);
}

#[test]
fn loggers_of_dotnet() {
    check(&[
        (
            r#"{"@t":"2026-11-20T06:10:01.1430000Z","@mt":"No {Id}","@m":"No 17","@l":"Error","@x":"A.X: y\n   at Z()","SourceContext":"A.B"}"#,
            [MS, "error", "A.B", "No 17", "A.X: y"],
        ),
        (r#"{"@t":"2026-11-20T06:10:01.143Z","@mt":"it broke"}"#, [MS, "info", "", M, ""]),
        (r#"{"Time":"06:10:01.143","Message":"it broke"}"#, [MS, "unknown", "", M, ""]),
        (
            r#"{"Timestamp":"2026-11-20T06:10:01.143+00:00","Level":"Fatal","MessageTemplate":"No {Id}","RenderedMessage":"it broke","Exception":"A.X: y","Properties":{"SourceContext":"A.B"}}"#,
            [MS, "fatal", "A.B", M, "A.X: y"],
        ),
        (
            r#"{"Timestamp":"2026-11-20T06:10:01.143Z","EventId":0,"LogLevel":"Critical","Category":"A.B","Message":"it broke","State":{"Message":"x"}}"#,
            [MS, "fatal", "A.B", M, ""],
        ),
        (
            r#"{"time":"2026-11-20 06:10:01.1430","level":"ERROR","logger":"A.B","message":"it broke"}"#,
            [MS, "error", "A.B", M, ""],
        ),
    ]);
}

#[test]
fn loggers_of_javascript() {
    check(&[
        (
            r#"{"level":50,"time":1795155001143,"pid":1,"hostname":"h","err":{"type":"TypeError","message":"y","stack":"TypeError: y\n    at z"},"msg":"it broke"}"#,
            [MS, "error", "", M, "TypeError: y"],
        ),
        (r#"{"level":60,"time":1795155001143,"msg":"it broke"}"#, [MS, "fatal", "", M, ""]),
        (r#"{"level":"warn","time":"2026-11-20T06:10:01.143Z","msg":"it broke"}"#, [MS, "warn", "", M, ""]),
        (
            r#"{"name":"shop","hostname":"h","pid":1,"level":40,"msg":"it broke","time":"2026-11-20T06:10:01.143Z","v":0}"#,
            [MS, "warn", "shop", M, ""],
        ),
        (
            r#"{"level":"error","message":"it broke","timestamp":"2026-11-20T06:10:01.143Z","stack":"Error: y\n    at z"}"#,
            [MS, "error", "", M, "Error: y"],
        ),
        (
            r#"{"startTime":"2026-11-20T06:10:01.143Z","categoryName":"cart","level":{"level":40000,"levelStr":"ERROR"},"data":["it broke"]}"#,
            [
                MS,
                "error",
                "cart",
                r#"{"startTime":"2026-11-20T06:10:01.143Z","categoryName":"cart","level":{"level":40000,"levelStr":"ERROR"},"data":["it broke"]}"#,
                "",
            ],
        ),
        (
            r#"{"time":"2026-11-20T06:10:01.143Z","level":"silly","message":"it broke"}"#,
            [MS, "trace", "", M, ""],
        ),
    ]);
}

#[test]
fn loggers_of_python() {
    check(&[
        (
            r#"{"event":"it broke","level":"error","timestamp":"2026-11-20T06:10:01.143Z","logger":"a.b","exception":"Traceback (most recent call last):\n  File"}"#,
            [MS, "error", "a.b", M, "Traceback (most recent call last):"],
        ),
        (
            r#"{"event":"it broke","level":"error","timestamp":"2026-11-20T06:10:01.143Z","exception":[{"exc_type":"Down","exc_value":"y","frames":[{"filename":"/a.py","lineno":3,"name":"f"}]}]}"#,
            [MS, "error", "", M, "Traceback (most recent call last):"],
        ),
        (
            r#"{"asctime":"2026-11-20 06:10:01,143","name":"a.b","levelname":"ERROR","message":"it broke","exc_info":"Traceback (most recent call last):\nX: y"}"#,
            [MS, "error", "a.b", M, "Traceback (most recent call last):"],
        ),
        (
            r#"{"asctime":"2026-11-20 06:10:01,143","level":40,"funcName":"f","message":"it broke"}"#,
            [MS, "error", "", M, ""],
        ),
        (
            r#"{"created":1795155001.143,"levelno":30,"message":"it broke","exc_info":null}"#,
            [MS, "warn", "", M, ""],
        ),
        (
            r#"{"text":"2026 | ERROR | x","record":{"level":{"name":"ERROR","no":40},"message":"it broke","name":"a.b","time":{"repr":"2026-11-20 06:10:01.143000+00:00","timestamp":1795155001.143}}}"#,
            [MS, "error", "", M, ""],
        ),
        (
            r#"{"text":"x","record":{"level":{"name":"ERROR"},"message":"it broke","exception":{"type":"Down","value":"17","traceback":true}}}"#,
            ["", "error", "", M, ""],
        ),
        (
            r#"{"event":"it broke","log_level":"warning","exc_info":true,"timestamp":"2026-11-20T06:10:01.143Z"}"#,
            [MS, "warn", "", M, ""],
        ),
    ]);
}

#[test]
fn loggers_of_go_rust_php_and_ruby() {
    check(&[
        (
            r#"{"level":"error","ts":1795155001.143,"logger":"a","caller":"c.go:31","msg":"it broke","error":"y","stacktrace":"main.f\n\t/a.go:1"}"#,
            [MS, "error", "a", M, "main.f"],
        ),
        (r#"{"level":"dpanic","ts":1795155001.143,"msg":"it broke"}"#, [MS, "fatal", "", M, ""]),
        (
            r#"{"level":"error","error":"y","time":1795155001,"message":"it broke","stack":[{"func":"f","line":"20","source":"a.go"}]}"#,
            ["06:10:01", "error", "", M, "f(...)"],
        ),
        (
            r#"{"level":"error","error":"it broke","time":"2026-11-20T06:10:01.143Z"}"#,
            [MS, "error", "", M, ""],
        ),
        (
            r#"{"time":"2026-11-20T06:10:01.143456Z","level":"ERROR","source":{"function":"f","file":"a.go","line":1},"msg":"it broke"}"#,
            [MS, "error", "", M, ""],
        ),
        (
            r#"{"timestamp":"2026-11-20T06:10:01.143Z","level":"ERROR","fields":{"message":"it broke","order":17},"target":"shop::cart"}"#,
            [MS, "error", "shop::cart", M, ""],
        ),
        (
            r#"{"message":"it broke","context":{"exception":{"class":"RuntimeException","message":"y","code":0,"file":"/a.php:31","trace":["/b.php:12"]}},"level":400,"level_name":"ERROR","channel":"app","datetime":"2026-11-20T06:10:01.143000+00:00"}"#,
            [MS, "error", "app", M, "RuntimeException: y"],
        ),
        (
            r#"{"message":"it broke","level":550,"datetime":"2026-11-20T06:10:01.143Z"}"#,
            [MS, "fatal", "", M, ""],
        ),
        (
            r#"{"message":"it broke","level":250,"datetime":{"date":"x"},"time":"2026-11-20T06:10:01.143Z"}"#,
            [MS, "info", "", M, ""],
        ),
        (
            r#"{"@timestamp":"2026-11-20T06:10:01.143Z","severity":"FATAL","progname":"a","message":"it broke"}"#,
            [MS, "fatal", "", M, ""],
        ),
    ]);
}

const COLLECTORS: &[(&str, [&str; 5])] = &[
    (
        r#"{"version":"1.1","host":"h","short_message":"it broke","full_message":"more","timestamp":1795155001.143,"level":3,"_logger":"a.B"}"#,
        [MS, "error", "a.B", M, ""],
    ),
    (r#"{"short_message":"it broke","timestamp":1795155001.143,"level":6}"#, [MS, "info", "", M, ""]),
    (
        r#"{"__REALTIME_TIMESTAMP":"1795155001143000","PRIORITY":"3","MESSAGE":"it broke","SYSLOG_IDENTIFIER":"app"}"#,
        [MS, "error", "app", M, ""],
    ),
    (
        r#"{"severity":"ERROR","timestamp":"2026-11-20T06:10:01.143Z","textPayload":"it broke"}"#,
        [MS, "error", "", M, ""],
    ),
    (
        r#"{"severity":"ERROR","timestamp":"2026-11-20T06:10:01.143Z","jsonPayload":{"message":"it broke"}}"#,
        [MS, "error", "", M, ""],
    ),
    (
        r#"{"timestamp":{"seconds":1795155001,"nanos":143000070},"severity":500,"message":"it broke"}"#,
        [MS, "error", "", M, ""],
    ),
    (
        r#"{"timestampSeconds":1795155001,"timestampNanos":143000000,"severity":"DEFAULT","message":"it broke"}"#,
        [MS, "unknown", "", M, ""],
    ),
    (
        r#"{"timestamp":"2026-11-20T06:10:01.143Z","level":"ERROR","message":{"errorType":"E","errorMessage":"it broke","stackTrace":["a","b"]}}"#,
        [MS, "error", "", M, "a"],
    ),
    (
        r#"{"status":"error","timestamp":"2026-11-20T06:10:01.143Z","message":"it broke"}"#,
        [MS, "error", "", M, ""],
    ),
    (
        r#"{"status":500,"timestamp":"2026-11-20T06:10:01.143Z","message":"it broke"}"#,
        [MS, "unknown", "", M, ""],
    ),
    (
        r#"{"t":{"$date":"2026-11-20T06:10:01.143+00:00"},"s":"E","c":"NETWORK","id":23016,"ctx":"l","msg":"it broke"}"#,
        [MS, "error", "NETWORK", M, ""],
    ),
    (
        r#"{"body":"it broke","severity_number":17,"timestamp":"2026-11-20T06:10:01.143Z","attributes":{"exception.stacktrace":"X: y\n\tat z"}}"#,
        [MS, "error", "", M, "X: y"],
    ),
    (
        r#"{"timeUnixNano":"1795155001143000000","severityNumber":21,"body":{"stringValue":"it broke"}}"#,
        [MS, "fatal", "", M, ""],
    ),
    (
        r#"{"Timestamp":"1795155001143000000","SeverityText":"WARN","SeverityNumber":13,"Body":"it broke"}"#,
        [MS, "warn", "", M, ""],
    ),
    (
        r#"{"date":1795155037.5,"log":"x\n","log_processed":{"level":"error","msg":"it broke","time":"2026-11-20T06:10:01.143Z"},"kubernetes":{"labels":{"level":"gold"}}}"#,
        [MS, "error", "", M, ""],
    ),
    (r#"{"LOG_LEVEL":"E","TIME":"2026-11-20T06:10:01.143000","BODY":"it broke"}"#, [MS, "error", "", M, ""]),
];

#[test]
fn collectors_clouds_and_daemons() {
    check(COLLECTORS);
}

#[test]
fn the_first_readable_value_counts() {
    check(&[
        (
            r#"{"time":null,"@timestamp":"-","ts":"","timestamp":"2026-11-20T06:10:01.143Z","msg":"it broke"}"#,
            [MS, "unknown", "", M, ""],
        ),
        (
            r#"{"time":0.5,"timestamp":"2026-11-20T06:10:01.143Z","msg":"it broke"}"#,
            [MS, "unknown", "", M, ""],
        ),
        (
            r#"{"@timestamp":["2026-11-20T06:10:01.143Z"],"severity":"INFO","level":"","msg":"it broke"}"#,
            [MS, "info", "", M, ""],
        ),
        (r#"{"level":"loud","severity":"ERROR","message":"","err":"it broke"}"#, ["", "error", "", M, ""]),
        (
            r#"{"level":"error","error":{"message":"it broke","stack":"E: y\n    at z"}}"#,
            ["", "error", "", M, "E: y"],
        ),
        (
            r#"{"level":"error","host":"a","what":"it broke here","ua":"Mozilla/5.0 (X11; Linux x86_64) and so on"}"#,
            ["", "error", "", "it broke here", ""],
        ),
        (r#"{"level":"error","code":5}"#, ["", "error", "", r#"{"level":"error","code":5}"#, ""]),
        (
            r#"{"message":"no errors found","kubernetes":{"labels":{"level":"error"}}}"#,
            ["", "unknown", "", "no errors found", ""],
        ),
        (r#"{"type":"error","message":"it broke"}"#, ["", "error", "", M, ""]),
        (r#"{"type":"order","status":"paid","label":"x","message":"it broke"}"#, ["", "unknown", "", M, ""]),
        (
            r#"{"message":"it broke","exception":{},"stack":"","exc_info":true,"trace":null}"#,
            ["", "unknown", "", M, ""],
        ),
    ]);
}

#[test]
fn a_trace_is_text_an_array_or_an_object_under_any_of_its_names() {
    let text = r#""a.X: y\n\tat a.B.c(B.java:1)""#;
    let array = r#"["a.X: y","\tat a.B.c(B.java:1)"]"#;
    let object = r#"{"class":"a.X","message":"y","stackTrace":"\tat a.B.c(B.java:1)"}"#;
    for name in [
        "stack_trace",
        "stackTrace",
        "stacktrace",
        "STACK_TRACE",
        "exception",
        "Exception",
        "exc_info",
        "traceback",
        "@x",
        "thrown",
        "throwable",
        "stack",
        "trace",
        "errorVerbose",
        "backtrace",
        "error.stack_trace",
        "err.stack",
        "exception.stacktrace",
    ] {
        for value in [text, array, object] {
            let record = format!(r#"{{"level":"error","{name}":{value},"message":"m"}}"#);
            assert_eq!(read(&record)[4], "a.X: y", "{record}");
        }
    }
    for path in [
        "error.stack_trace",
        "err.stack",
        "exception.stacktrace",
        "thrown.extendedStackTrace",
        "context.exception.trace",
    ] {
        let value = path.rsplit('.').fold(text.to_owned(), |value, key| format!(r#"{{"{key}":{value}}}"#));
        let record = format!(r#"{{"level":"error","message":"m",{}"#, &value[1..]);
        assert_eq!(read(&record)[4], "a.X: y", "{record}");
    }
}

#[test]
fn levels_of_every_logger_are_known_by_word_and_number() {
    let names = Names::new(&FieldNames::default());
    for (name, value, expected) in [
        ("level", "WRN", Level::Warn),
        ("level", "ERR", Level::Error),
        ("level", "INF", Level::Info),
        ("level", "DBG", Level::Debug),
        ("level", "TRC", Level::Trace),
        ("level", "FTL", Level::Fatal),
        ("level", "SEVERE", Level::Error),
        ("level", "notice", Level::Info),
        ("level", "FINEST", Level::Trace),
        ("level", "emerg", Level::Fatal),
        ("level", "alert", Level::Fatal),
        ("level", "crit", Level::Fatal),
        ("level", "W", Level::Warn),
        ("level", "dbug", Level::Debug),
        ("level", "fail", Level::Error),
        ("level", "Information", Level::Info),
        ("level", "Success", Level::Info),
        ("level", "http", Level::Debug),
        ("level", "panic", Level::Fatal),
        ("level", "10", Level::Trace),
        ("level", "30", Level::Info),
        ("level", "35", Level::Info),
        ("level", "50", Level::Error),
        ("level", "0", Level::Fatal),
        ("level", "7", Level::Debug),
        ("level", "100", Level::Debug),
        ("level", "500", Level::Fatal),
        ("level", "600", Level::Fatal),
        ("level", "1000", Level::Error),
        ("level", "800", Level::Info),
        ("level", "40000", Level::Error),
        ("level", "5000", Level::Trace),
        ("severity", "600", Level::Fatal),
        ("severity", "400", Level::Warn),
        ("severity_number", "9", Level::Info),
        ("severity_number", "24", Level::Fatal),
        ("severity_number", "1", Level::Trace),
        ("levelno", "20", Level::Info),
        ("levelno", "50", Level::Fatal),
        // Without a name of journald's or syslog's it is the importance of a task.
        ("priority", "4", Level::Unknown),
        ("priority", "warning", Level::Warn),
        ("priority", "high", Level::Unknown),
        ("priority", "10", Level::Unknown),
        ("level", "off", Level::Unknown),
        ("level", "-1", Level::Unknown),
        ("level", "9999999999", Level::Unknown),
    ] {
        let record = format!(r#"{{"{name}":"{value}","msg":"m"}}"#);
        let fields = json::fields(record.as_bytes(), &names, false).unwrap();
        assert_eq!(fields.event(b"").level, expected, "{record}");
    }
}

#[test]
fn names_compare_without_case_and_signs() {
    for name in ["logger_name", "loggerName", "LOGGER_NAME", "LoggerName", "logger-name", "Logger Name"] {
        assert_eq!(read(&format!(r#"{{"{name}":"a.B","msg":"m"}}"#))[2], "a.B", "{name}");
    }
    let fields =
        FieldNames { message: vec!["what happened".to_owned(), "a.b".to_owned()], ..FieldNames::default() };
    let names = Names::new(&fields);
    for record in [r#"{"what_happened":"m"}"#, r#"{"a":{"b":"m"}}"#, r#"{"A.B":"m","msg":"x"}"#] {
        let event = json::fields(record.as_bytes(), &names, false).unwrap().event(b"");
        assert_eq!(event.message.text(), "m", "{record}");
    }
}
