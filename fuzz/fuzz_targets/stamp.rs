//! Time stamps: those of the calendar are what jiff makes of them in any zone; all are in range, and the same whatever
//! stamps were read before.
#![no_main]

use std::fmt::Write;

use arbitrary::Arbitrary;
use gzette_core::model::UtcMs;
use gzette_core::parse::{Format, ParseSettings, Parsed, Parser};
use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use libfuzzer_sys::fuzz_target;

const ZONES: [&str; 8] = [
    "UTC",
    "Europe/Berlin",
    "Europe/Amsterdam",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "Africa/Monrovia",
];

#[derive(Arbitrary, Debug)]
struct Stamps<'a> {
    zone: u8,
    dated: bool,
    stamps: Vec<Stamp<'a>>,
}

#[derive(Arbitrary, Debug)]
enum Stamp<'a> {
    /// Any bytes, in the field of the time or at the start of a line.
    Any(&'a str),
    Line(&'a [u8]),
    Calendar(Calendar),
}

/// A time of the calendar and how it is written.
#[derive(Arbitrary, Debug)]
struct Calendar {
    year: u16,
    month: u8,
    day: u8,
    /// Milliseconds since midnight.
    ms: u32,
    offset_minutes: Option<i16>,
    style: u8,
}

fuzz_target!(|stamps: Stamps<'_>| {
    let name = ZONES[usize::from(stamps.zone) % ZONES.len()];
    let zone = TimeZone::get(name).expect("the zones are bundled");
    let mut parser = parser(&zone, stamps.dated);
    for stamp in &stamps.stamps {
        let line = line_of(stamp);
        let time_ms = read(&mut parser.clone(), &line);
        assert_eq!(read(&mut self::parser(&zone, stamps.dated), &line), time_ms, "after others and alone");
        read(&mut parser, &line);
        if let Some(time_ms) = time_ms {
            time_ms.stamp().expect("every time can be shown");
        }
        if let Stamp::Calendar(calendar) = stamp {
            assert_eq!(time_ms, calendar.expected(&zone), "{} in {name}", String::from_utf8_lossy(&line));
        }
    }
});

fn parser(zone: &TimeZone, dated: bool) -> Parser {
    let settings =
        ParseSettings { zone: zone.clone(), format: Some(Format::Json), ..ParseSettings::default() };
    Parser::new(&settings, dated.then(|| jiff::civil::date(2023, 3, 26)))
}

fn read(parser: &mut Parser, line: &[u8]) -> Option<UtcMs> {
    match parser.parse(line) {
        Parsed::Event(event) => event.time_ms,
        Parsed::Continuation | Parsed::Unparsed => None,
    }
}

fn line_of(stamp: &Stamp<'_>) -> Vec<u8> {
    match stamp {
        Stamp::Any(text) => serde_json::json!({ "level": "info", "time": text }).to_string().into_bytes(),
        Stamp::Line(line) => line.to_vec(),
        Stamp::Calendar(calendar) => {
            format!(r#"{{"level":"info","time":"{}"}}"#, calendar.text()).into_bytes()
        }
    }
}

impl Calendar {
    /// Years in which no zone can lead out of what is shown.
    fn year(&self) -> u16 {
        2 + self.year % 9996
    }

    fn seconds(&self) -> u32 {
        self.ms / 1000 % 86_400
    }

    fn offset_minutes(&self) -> Option<i16> {
        self.offset_minutes.map(|minutes| minutes % (25 * 60))
    }

    fn text(&self) -> String {
        let (year, month, day) = (self.year(), self.month % 14, self.day % 33);
        let (hour, minute, second) = (self.seconds() / 3600, self.seconds() / 60 % 60, self.seconds() % 60);
        let mut text = match self.style & 3 {
            0 => format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"),
            1 => format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"),
            2 => format!("{year:04}/{month:02}/{day:02} {hour:02}:{minute:02}:{second:02}"),
            _ => format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}"),
        };
        let point = if self.style & 4 == 0 { '.' } else { ',' };
        let _ = write!(text, "{point}{:03}", self.ms % 1000);
        if let Some(minutes) = self.offset_minutes() {
            let sign = if minutes < 0 { '-' } else { '+' };
            let colon = if self.style & 8 == 0 { ":" } else { "" };
            let _ = write!(text, "{sign}{:02}{colon}{:02}", minutes.abs() / 60, minutes.abs() % 60);
        }
        text
    }

    /// What jiff makes of it; `None` for a day that does not exist.
    fn expected(&self, zone: &TimeZone) -> Option<UtcMs> {
        let seconds = self.seconds() as i32;
        let local = DateTime::new(
            self.year() as i16,
            (self.month % 14) as i8,
            (self.day % 33) as i8,
            (seconds / 3600) as i8,
            (seconds / 60 % 60) as i8,
            (seconds % 60) as i8,
            (self.ms % 1000) as i32 * 1_000_000,
        )
        .ok()?;
        let stamp = match self.offset_minutes() {
            Some(minutes) => Offset::from_seconds(i32::from(minutes) * 60).ok()?.to_timestamp(local).ok()?,
            None => zone.to_timestamp(local).ok()?,
        };
        Some(stamp.into())
    }
}
