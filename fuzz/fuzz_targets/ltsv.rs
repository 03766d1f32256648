//! LTSV lines: a value is given back as it stands, wherever in the line it stands.
#![no_main]

use gzette_core::model::{Level, UtcMs};
use gzette_fuzz::object::{Setting, check_lines};
use gzette_core::parse::{Format, ParseSettings, Parsed, Parser};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&first, text)) = data.split_first() else { return };
    check_lines(text, &Setting::of(first, Format::Ltsv), |_, _| {});
    text.split(|byte| b"\n\t".contains(byte)).for_each(check_value);
});

fn check_value(value: &[u8]) {
    for (before, after) in [("", "\ttime:2023-10-30T06:10:37Z"), ("time:2023-10-30T06:10:37Z\t", "\tx:")] {
        let line = [before.as_bytes(), b"level:ERROR\tmessage:", value, after.as_bytes()].concat();
        let settings = ParseSettings { format: Some(Format::Ltsv), ..ParseSettings::default() };
        let mut parser = Parser::new(&settings, None);
        let Parsed::Event(event) = parser.parse(&line) else { panic!("labels and values are an event") };
        // The line of a record that says nothing stands for its message, and a value may have a head of its own.
        let said = if value.is_empty() { &line } else { value };
        assert!(memchr::memmem::find(said, event.message.raw).is_some(), "{:?}", event.message);
        assert_eq!((event.level, event.time_ms), (Level::Error, Some(UtcMs::new(1_698_646_237_000))));
    }
}
