//! Formats × exceptions × ways of writing × wrappers: one error, whose group is that of its exception, and a line behind it.

use super::cases::{Seen, seen};
use crate::events::tests::{WRAPPERS, wrapped};
use crate::group::group;
use crate::model::{GroupKind, Level};

/// Formats of text: `{L}` is the level, `{M}` the message; the error's word and that of an information.
const TEXTS: [(&str, &str, &str, &str); 30] = [
    ("log4j 2", "ERROR", "INFO", "2026-11-20 06:10:01,143 {L} [main] com.acme.Cart - {M}"),
    ("logback", "ERROR", "INFO", "06:10:01.143 [main] {L} com.acme.Cart -- {M}"),
    (
        "Spring Boot",
        "ERROR",
        " INFO",
        "2026-11-20T06:10:01.143Z {L} 4711 --- [nio-8080-exec-7] com.acme.Cart : {M}",
    ),
    ("java.util.logging", "SEVERE", "INFO", "2026-11-20 06:10:01 {L} [com.acme.Cart] {M}"),
    ("java.util.logging, two lines", "SEVERE", "INFO", "Nov 20, 2026 6:10:01 AM com.acme.Cart pay\n{L}: {M}"),
    ("WildFly", "ERROR", "INFO ", "2026-11-20 06:10:01,143 {L} [com.acme.Cart] (default task-1) {M}"),
    ("Tomcat", "SEVERE", "INFO", "20-Nov-2026 06:10:01.143 {L} [main] com.acme.Cart.pay {M}"),
    ("Python, dashes", "ERROR", "INFO", "2026-11-20 06:10:01,143 - shop.cart - {L} - {M}"),
    ("Python, basicConfig", "ERROR", "INFO", "{L}:shop.cart:{M}"),
    ("loguru", "ERROR   ", "INFO    ", "2026-11-20 06:10:01.143 | {L} | shop.cart:pay:31 - {M}"),
    ("Celery", "ERROR", "INFO", "[2026-11-20 06:10:01,143: {L}/MainProcess] {M}"),
    ("gunicorn", "ERROR", "INFO", "[2026-11-20 06:10:01 +0000] [31] [{L}] {M}"),
    ("uvicorn", "ERROR", "INFO", "{L}:    {M}"),
    ("log4js", "ERROR", "INFO", "[2026-11-20T06:10:01.143] [{L}] shop.cart - {M}"),
    ("winston", "error", "info", "2026-11-20T06:10:01.143Z {L}: {M}"),
    ("NestJS", "ERROR", "LOG", "[Nest] 12  - 11/20/2026, 6:10:01 AM   {L} [Cart] {M}"),
    ("pino-pretty", "ERROR", "INFO", "[06:10:01.143] {L} (12): {M}"),
    ("zap console", "ERROR", "INFO", "2026-11-20T06:10:01.143Z\t{L}\tcart/cart.go:31\t{M}"),
    ("slog by default", "ERROR", "INFO", "2026/11/20 06:10:01 {L} {M}"),
    ("hclog", "[ERROR]", "[INFO] ", "2026-11-20T06:10:01.143Z {L} cart: {M}"),
    ("klog", "E", "I", "{L}1120 06:10:01.143456       1 cart.go:12] {M}"),
    ("tracing", "ERROR", " INFO", "2026-11-20T06:10:01.143456Z {L} shop::cart: {M}"),
    (
        "Ruby",
        "E, [2026-11-20T06:10:01.143456 #12] ERROR",
        "I, [2026-11-20T06:10:01.143456 #12]  INFO",
        "{L} -- shop: {M}",
    ),
    ("Monolog", "ERROR", "INFO", "[2026-11-20T06:10:01.143456+00:00] app.{L}: {M}"),
    ("Serilog", "ERR", "INF", "[06:10:01 {L}] {M}"),
    ("NLog", "ERROR", "INFO", "2026-11-20 06:10:01.1430|{L}|Acme.Cart|{M}"),
    (".NET console", "fail", "info", "{L}: Acme.Orders.Cart[0]\n      {M}"),
    ("Elixir", "[error]", "[info]", "06:10:01.143 {L} {M}"),
    ("syslog", "<11>", "<14>", "{L}1 2026-11-20T06:10:01.143Z web1 orders 12 - - {M}"),
    ("spdlog", "error", "info", "[2026-11-20 06:10:01.143] [cart] [{L}] {M}"),
];

/// Formats of JSON: `{T}` is the trace as a JSON string.
const RECORDS: [(&str, &str, &str, &str); 22] = [
    (
        "logstash",
        "ERROR",
        "INFO",
        r#"{"@timestamp":"2026-11-20T06:10:01.143Z","level":"{L}","logger_name":"a.B","thread_name":"main","message":"{M}","stack_trace":{T}}"#,
    ),
    (
        "ECS",
        "ERROR",
        "INFO",
        r#"{"@timestamp":"2026-11-20T06:10:01.143Z","log.level":"{L}","message":"{M}","error.stack_trace":{T}}"#,
    ),
    (
        "ECS, nested",
        "error",
        "info",
        r#"{"@timestamp":"2026-11-20T06:10:01.143Z","log":{"level":"{L}"},"message":"{M}","error":{"stack_trace":{T}}}"#,
    ),
    (
        "log4j 2",
        "ERROR",
        "INFO",
        r#"{"instant":{"epochSecond":1795155001,"nanoOfSecond":143000000},"level":"{L}","loggerName":"a.B","message":"{M}","thrown":{"extendedStackTrace":{T}}}"#,
    ),
    (
        "Quarkus",
        "ERROR",
        "INFO",
        r#"{"timestamp":"2026-11-20T06:10:01.143Z","loggerName":"a.B","level":"{L}","message":"{M}","stackTrace":{T}}"#,
    ),
    ("pino", "50", "30", r#"{"level":{L},"time":1795155001143,"pid":1,"err":{"stack":{T}},"msg":"{M}"}"#),
    (
        "bunyan",
        "50",
        "30",
        r#"{"name":"a","pid":1,"level":{L},"err":{"stack":{T}},"msg":"{M}","time":"2026-11-20T06:10:01.143Z","v":0}"#,
    ),
    (
        "winston",
        "error",
        "info",
        r#"{"level":"{L}","message":"{M}","stack":{T},"timestamp":"2026-11-20T06:10:01.143Z"}"#,
    ),
    (
        "structlog",
        "error",
        "info",
        r#"{"event":"{M}","level":"{L}","timestamp":"2026-11-20T06:10:01.143Z","exception":{T}}"#,
    ),
    (
        "python-json-logger",
        "ERROR",
        "INFO",
        r#"{"asctime":"2026-11-20 06:10:01,143","levelname":"{L}","name":"a.b","message":"{M}","exc_info":{T}}"#,
    ),
    (
        "powertools",
        "ERROR",
        "INFO",
        r#"{"level":"{L}","location":"pay:31","message":"{M}","timestamp":"2026-11-20 06:10:01,143+0000","service":"a","exception":{T}}"#,
    ),
    (
        "zap",
        "error",
        "info",
        r#"{"level":"{L}","ts":1795155001.143,"caller":"a.go:31","msg":"{M}","stacktrace":{T}}"#,
    ),
    (
        "zerolog",
        "error",
        "info",
        r#"{"level":"{L}","time":"2026-11-20T06:10:01Z","message":"{M}","stack":{T}}"#,
    ),
    ("slog", "ERROR", "INFO", r#"{"time":"2026-11-20T06:10:01.143Z","level":"{L}","msg":"{M}","stack":{T}}"#),
    (
        "Serilog",
        "Error",
        "Information",
        r#"{"@t":"2026-11-20T06:10:01.1430000Z","@mt":"{M}","@l":"{L}","@x":{T}}"#,
    ),
    (
        ".NET",
        "Error",
        "Information",
        r#"{"Timestamp":"2026-11-20T06:10:01.143Z","LogLevel":"{L}","Category":"A.B","Message":"{M}","Exception":{T}}"#,
    ),
    (
        "Monolog",
        "ERROR",
        "INFO",
        r#"{"message":"{M}","context":{"exception":{"trace":{T}}},"level_name":"{L}","channel":"app","datetime":"2026-11-20T06:10:01.143456+00:00"}"#,
    ),
    (
        "GELF",
        "3",
        "6",
        r#"{"version":"1.1","host":"h","short_message":"{M}","timestamp":1795155001.143,"level":{L},"_stacktrace":{T}}"#,
    ),
    (
        "Google Cloud",
        "ERROR",
        "INFO",
        r#"{"severity":"{L}","time":"2026-11-20T06:10:01.143Z","message":"{M}","stack_trace":{T}}"#,
    ),
    (
        "OpenTelemetry",
        "17",
        "9",
        r#"{"timestamp":"2026-11-20T06:10:01.143Z","severity_number":{L},"body":"{M}","attributes":{"exception.stacktrace":{T}}}"#,
    ),
    (
        "OTLP",
        "17",
        "9",
        r#"{"resourceLogs":[{"scopeLogs":[{"scope":{"name":"a.B"},"logRecords":[{"timeUnixNano":"1795155001143000000","severityNumber":{L},"body":{"stringValue":"{M}"},"attributes":[{"key":"exception.stacktrace","value":{"stringValue":{T}}}]}]}]}]}"#,
    ),
    (
        "Datadog",
        "error",
        "info",
        r#"{"status":"{L}","timestamp":"2026-11-20T06:10:01.143Z","message":"{M}","error":{"stack":{T}}}"#,
    ),
];

const TRACES: [(&str, &str); 12] = [
    (
        "Java",
        "java.lang.IllegalStateException: no stock\n\tat com.acme.Cart.pay(Cart.java:88)\n\tat com.acme.Main.main(Main.java:7)",
    ),
    (
        "Java with a cause",
        "java.lang.IllegalStateException: no stock\n\tat com.acme.Cart.pay(Cart.java:88)\nCaused by: java.io.IOException: reset\n\tat com.acme.Net.read(Net.java:3)\n\t... 3 more",
    ),
    (
        "Kotlin",
        "kotlin.UninitializedPropertyAccessException: no stock\n\tat com.acme.CartKt.pay(Cart.kt:88)\n\tat com.acme.CartKt$main$1.invokeSuspend(Cart.kt:3)",
    ),
    (
        "Python",
        "Traceback (most recent call last):\n  File \"/app/cart.py\", line 31, in pay\n    charge(order)\n  File \"/app/gateway.py\", line 9, in charge\n    raise Down(17)\nshop.gateway.Down: 17",
    ),
    (
        "Python with a cause",
        "Traceback (most recent call last):\n  File \"/app/cart.py\", line 31, in pay\n    charge(order)\nKeyError: 'a'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File \"/app/cart.py\", line 33, in pay\n    raise Down(17)\nshop.gateway.Down: 17",
    ),
    ("Node.js", "TypeError: no stock\n    at pay (/app/cart.js:31:11)\n    at async /app/server.js:7:3"),
    (
        "Node.js with a cause",
        "Error: order failed\n    at pay (/app/cart.js:31:11) {\n  [cause]: Error: reset\n      at read (/app/net.js:3:1)\n}",
    ),
    (
        "Go",
        "goroutine 1 [running]:\nmain.(*Cart).pay(0xc000010000)\n\t/src/cart.go:31 +0x1d\nmain.main()\n\t/src/main.go:7 +0x2a",
    ),
    ("Ruby", "app/models/cart.rb:31:in `pay'\napp/server.rb:12:in `handle'"),
    (
        "PHP",
        "Acme\\NoStock: no stock in /app/Cart.php:31\nStack trace:\n#0 /app/Main.php(12): Acme\\Cart->pay(17)\n#1 {main}",
    ),
    (
        ".NET",
        "System.InvalidOperationException: no stock\n   at Acme.Cart.Pay(Int32 order) in /src/Cart.cs:line 31\n   at Acme.Program.Main()",
    ),
    (
        "Elixir",
        "** (RuntimeError) no stock\n    (shop 1.0.0) lib/cart.ex:31: Shop.Cart.pay/1\n    (shop 1.0.0) lib/server.ex:7: Shop.Server.run/0",
    ),
];

fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn filled(template: &str, level: &str, message: &str, trace: &str) -> String {
    template.replace("{L}", level).replace("{M}", message).replace("{T}", trace)
}

/// The ways in which a format writes an error with this trace: lines, each an object of its own, before an information.
fn logs(trace: &str) -> Vec<(String, String)> {
    let mut logs = Vec::new();
    for (name, error, info, template) in TEXTS {
        let lines = filled(template, error, "pay failed", "") + "\n" + trace;
        logs.push((name.to_owned(), lines + "\n" + &filled(template, info, "paid order 16", "")));
    }
    for (name, error, info, template) in RECORDS {
        let elements = format!("[{}]", trace.lines().map(json).collect::<Vec<_>>().join(","));
        let after = filled(template, info, "paid order 16", r#""""#);
        for (form, value) in [("text", json(trace)), ("array", elements)] {
            // The protocol has no arrays of texts there.
            if name != "OTLP" || form == "text" {
                let lines = filled(template, error, "pay failed", &value) + "\n" + &after;
                logs.push((format!("{name}, {form}"), lines));
            }
        }
    }
    logs
}

/// What is wrong with the events of a log.
fn fault(events: &[Seen], unparsed: usize, wanted: &str) -> Option<String> {
    let levels: Vec<_> = events.iter().map(|event| event.level).collect();
    if levels != [Level::Error, Level::Info] || unparsed > 0 {
        return Some(format!("levels {levels:?}, {unparsed} unparsed"));
    }
    let found = events[0].group.map_or("none".to_owned(), |(id, kind)| format!("{id} {kind:?}"));
    if found != wanted {
        return Some(format!("group {found}, not {wanted}: {:?}", events[0]));
    }
    // .NET's console writes the message on the next line.
    let said = format!("{}{}", events[1].message, events[1].rest);
    (!said.contains("paid order 16")).then(|| format!("message {said:?}"))
}

#[test]
fn an_error_is_one_event_of_its_group_in_every_format() {
    let (mut cells, mut wrong) = (0, Vec::new());
    for (language, trace) in TRACES {
        let group = group("pay failed", Some(trace));
        assert_eq!(group.kind, GroupKind::Trace, "{language}");
        let wanted = format!("{} {:?}", group.id, group.kind);
        for (format, log) in logs(trace) {
            for wrapper in ["bare"].into_iter().chain(WRAPPERS) {
                // The protocol stands in no record. Where a trace says no type, the message is in the group, which .NET's
                // console has behind it.
                let is_out = format.starts_with("OTLP") && wrapper != "bare"
                    || format == ".NET console" && matches!(language, "Go" | "Ruby");
                if is_out {
                    continue;
                }
                let lines: Vec<_> = log
                    .lines()
                    .map(|line| if wrapper == "bare" { line.to_owned() } else { wrapped(wrapper, line) })
                    .collect();
                let (events, unparsed) = seen(&lines.join("\n"));
                cells += 1;
                if let Some(fault) = fault(&events, unparsed, &wanted) {
                    wrong.push(format!("{format}, {language}, {wrapper}: {fault}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {cells} cells differ\n{}", wrong.len(), wrong.join("\n"));
}
