//! Text lines: a message is the end of its line, and what follows a time and a level does not change them.
#![no_main]

use gzette_core::model::{Level, UtcMs};
use gzette_fuzz::object::{Setting, check_lines};
use gzette_core::parse::{Format, ParseSettings, Parsed, Parser};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&first, text)) = data.split_first() else { return };
    let setting = Setting::of(first, Format::Text);
    check_lines(text, &setting, |_, _| {});
    text.split(|&byte| byte == b'\n').for_each(check_head);
});

fn check_head(rest: &[u8]) {
    let line = [b"2023-10-30 06:10:37.143 ERROR ", rest].concat();
    let settings = ParseSettings { format: Some(Format::Text), ..ParseSettings::default() };
    let mut parser = Parser::new(&settings, None);
    let Parsed::Event(event) = parser.parse(&line) else {
        panic!("a head is an event")
    };
    assert_eq!((event.level, event.time_ms), (Level::Error, Some(UtcMs::new(1_698_646_237_143))));
    let end = line.iter().rposition(|byte| !b"\0\r".contains(byte)).map_or(0, |last| last + 1);
    assert!(line[..end].ends_with(event.message.raw), "the message is the line's end");
}
