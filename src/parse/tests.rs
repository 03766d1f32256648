//! One event a format, the joining of lines, time stamps.

use proptest::prelude::*;

use super::time::Clock;
use super::*;

const SEED: &str = r#"{"@timestamp":"2023-10-30 06:10:37.143","logLevel":"ERROR","logClass":"com.acme.orders.OrderService","thread":"http-nio-8080-exec-7","origLogEntry":"Failed to book order 17\njava.net.SocketTimeoutException: Read timed out\n\tat com.acme.orders.OrderService.book(OrderService.java:42)"}"#;

fn parser() -> Parser {
    Parser::new(&ParseSettings::default(), Some(jiff::civil::date(2023, 10, 30)))
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
    jiff::Timestamp::from_millisecond(time_ms).unwrap().to_string()
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
