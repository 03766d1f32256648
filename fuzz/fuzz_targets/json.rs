//! JSON lines: what `serde_json` takes for an object is an event or a line of one, and the message is in what it reads under
//! the same names.
#![no_main]

use gzette_core::model::Event;
use gzette_fuzz::object::{Setting, check_lines};
use gzette_core::parse::{FieldNames, Format, Parsed};
use libfuzzer_sys::fuzz_target;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Some((&first, text)) = data.split_first() else { return };
    let setting = Setting::of(first, Format::Json);
    check_lines(text, &setting, |line, parsed| {
        let Ok(Pairs(pairs)) = serde_json::from_slice(line) else { return };
        assert_ne!(*parsed, Parsed::Unparsed, "an object is read");
        if let Parsed::Event(event) = parsed
            && setting.settings.format.is_some()
        {
            check_texts(event, &pairs);
        }
    });
});

fn check_texts(event: &Event<'_>, pairs: &[(String, Value)]) {
    let names = FieldNames::default();
    let (message, trace) = (value_of(&names.message, pairs), value_of(&names.trace, pairs));
    // A message may be a line of the application, with a head of its own or JSON: then a part of it is the event's.
    if let Some(Value::String(said)) = message
        && !said.trim_start().starts_with(['{', '['])
        && !said.trim().is_empty()
    {
        assert!(said.contains(&*event.message.text()), "{said:?} says {:?}", event.message.text());
    }
    if message.is_none() && trace.is_none() {
        assert!(!event.message.is_empty(), "without a message, the line or its longest text is one");
    }
}

/// The value under the first of the names, of one name the last: strings, numbers, `true` and `false` count.
fn value_of<'p>(names: &[String], pairs: &'p [(String, Value)]) -> Option<&'p Value> {
    let is_plain = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
    let of_name = |name| {
        let found = pairs.iter().rev().find(|(key, value)| key == name && is_plain(value));
        found.map(|(_, value)| value)
    };
    names.iter().find_map(of_name)
}

/// An object with all of its pairs, duplicates too.
struct Pairs(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Pairs;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(All)
    }
}
