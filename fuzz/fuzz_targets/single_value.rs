//! Lines that are messages whatever they look like: each is an event with the whole line as its message, or belongs to
//! the one before.
#![no_main]

use gzette_fuzz::object::{Setting, check_lines};
use gzette_core::parse::{Format, Parsed};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&first, text)) = data.split_first() else { return };
    let setting = Setting::of(first & !8, Format::SingleValue);
    let mut is_first = true;
    check_lines(text, &setting, |line, parsed| match parsed {
        Parsed::Event(event) => {
            is_first = false;
            // The reader of records takes the ends off, and the parser of lines once more.
            assert_eq!(event.message.raw, without_ends(without_ends(line)));
            assert!(!event.message.escaped);
        }
        Parsed::Continuation => assert!(!is_first, "nothing to belong to"),
        Parsed::Unparsed => panic!("every line is a message"),
    });
});

/// A line without what is not part of it.
fn without_ends(line: &[u8]) -> &[u8] {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    let is_text = |byte: &u8| *byte != 0 && *byte != b'\r';
    let end = line.iter().rposition(is_text).map_or(0, |last| last + 1);
    let start = line[..end].iter().take_while(|&&byte| byte == 0).count();
    &line[start..end]
}
