//! FluentD's `out_file` lines: time and tag in front of a JSON object change nothing of what it says but the time that
//! it lacks.
#![no_main]

use gzette_fuzz::object::{Setting, check_lines};
use gzette_core::model::{Event, UtcMs};
use gzette_core::parse::{Format, ParseSettings, Parsed, Parser};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&first, text)) = data.split_first() else { return };
    check_lines(text, &Setting::of(first, Format::OutFile), |_, _| {});
    text.split(|&byte| byte == b'\n').filter(|line| line.starts_with(b"{")).for_each(check_same_object);
});

fn check_same_object(json: &[u8]) {
    let mut asked = parser(Format::Json);
    let _ = asked.parse(json);
    if asked.format() != Some(Format::Json) {
        return;
    }
    // An event borrows its parser, so the format is asked of another.
    let mut alone = parser(Format::Json);
    let Parsed::Event(mut event) = alone.parse(json) else { return };
    event.time_ms = event.time_ms.or(Some(UtcMs::new(1_698_646_237_000)));
    let line = [b"2023-10-30T06:10:37+00:00\tapp.orders\t", json].concat();
    let mut wrapped = parser(Format::OutFile);
    let Parsed::Event(read) = wrapped.parse(&line) else { panic!("an object behind time and tag is an event") };
    assert_eq!(said(&read), said(&event));
}

/// What an event says, however it is escaped.
fn said<'a>(event: &'a Event<'_>) -> impl PartialEq + std::fmt::Debug + 'a {
    let texts = [event.logger, event.thread, Some(event.message), event.trace];
    (event.time_ms, event.level, texts.map(|text| text.map(|text| text.text().into_owned())))
}

fn parser(format: Format) -> Parser {
    Parser::new(&ParseSettings { format: Some(format), ..ParseSettings::default() }, None)
}
