//! An object of lines, and what has to hold for each of them whatever it is.

use std::io;

use jiff::tz::TimeZone;

use gzette_core::decode::Limits;
use gzette_core::model::{Day, Event, Field, UtcMs};
use gzette_core::events::read_sample;
use gzette_core::parse::{Format, ParseSettings, Parsed, Parser};
use gzette_core::partial::{About, Partial, ReadSettings, SAMPLE_BYTES, read_object};

/// The first and the last time that a line can have: 0001-01-01 less the largest offset, and the end of 9999.
const TIMES: std::ops::RangeInclusive<UtcMs> =
    UtcMs::new(-62_135_596_800_000 - 26 * 3_600_000)..=UtcMs::new(253_402_207_200_000);

/// Zones with their peculiarities: whole hours, changes at 00:01, half an hour of summer, a skipped day.
const ZONES: [&str; 4] = ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia"];

/// How an object is read, by its first byte.
#[derive(Clone, Debug)]
pub struct Setting {
    pub settings: ParseSettings,
    pub day: Option<Day>,
    /// Whether every line counts as cut at the line limit.
    pub cut: bool,
}

impl Setting {
    /// Returns the setting that `byte` stands for: found out or `format`, a zone, a day, lines cut.
    pub fn of(byte: u8, format: Format) -> Self {
        let zone = match byte & 7 {
            at @ 0..4 => TimeZone::get(ZONES[usize::from(at)]).expect("the zones are bundled"),
            _ => TimeZone::UTC,
        };
        Self {
            settings: ParseSettings {
                zone,
                format: (byte & 8 == 0).then_some(format),
                ..ParseSettings::default()
            },
            day: (byte & 16 != 0).then(|| jiff::civil::date(2024, 2, 29)),
            cut: byte & 32 != 0,
        }
    }

    pub fn parser(&self) -> Parser {
        Parser::new(&self.settings, self.day)
    }
}

/// Reads the lines of `text`, checks each answer, and hands it to `each` with its line.
pub fn check_lines(text: &[u8], setting: &Setting, mut each: impl FnMut(&[u8], &Parsed<'_>)) {
    let mut parser = setting.parser();
    for line in text.split(|&byte| byte == b'\n') {
        let mut again = parser.clone();
        let mut read = |parser: &mut Parser| {
            let parsed = if setting.cut { parser.parse_cut(line) } else { parser.parse(line) };
            if let Parsed::Event(event) = &parsed {
                check_event(event);
            }
            each(line, &parsed);
            format!("{parsed:?}")
        };
        assert_eq!(read(&mut parser), read(&mut again), "read twice");
        assert_eq!(parser.format(), again.format());
        read_sample(line, &setting.settings);
    }
    // Reading an object costs far more than its lines do.
    if text.len().is_multiple_of(8) {
        check_partial(text, setting);
    }
}

fn check_event(event: &Event<'_>) {
    let fields = [Some(event.message), event.trace, event.logger, event.thread];
    for field in fields.into_iter().flatten() {
        check_field(&field);
    }
    if let Some(time_ms) = event.time_ms {
        assert!(TIMES.contains(&time_ms), "{time_ms:?} is out of range");
        time_ms.stamp().expect("every time can be shown");
    }
}

/// The text of a field is not longer than replaced bytes make it.
fn check_field(field: &Field<'_>) {
    if !field.nested {
        assert!(field.text().len() <= 3 * field.raw.len());
    }
}

/// Reads the object as the ingest does and checks the accounting of its lines.
fn check_partial(text: &[u8], setting: &Setting) {
    // A first byte that no compression begins with: what is read are the lines.
    let stored = [b"\n", text].concat();
    let settings = ReadSettings { limits: Limits::default(), parse: setting.settings.clone(), ..ReadSettings::default() };
    let partial = read(&stored, &settings, setting.day);
    assert_eq!(partial, read(&stored, &settings, setting.day), "read twice");
    assert_eq!(partial.decoded_bytes, stored.len() as u64);
    let ended = usize::from(stored.last() != Some(&b'\n'));
    // A line that holds several records counts as that many.
    assert!(partial.lines.total as usize >= memchr::memchr_iter(b'\n', &stored).count() + ended);
    check_accounting(&partial);
}

fn read(stored: &[u8], settings: &ReadSettings, day: Option<Day>) -> Partial {
    read_object::<_, ReadError>(stored, settings, &About { day, ..About::default() }, |_, _| Ok(())).expect("memory can be read")
}

/// What has to hold for what an object adds to the ledger.
pub fn check_accounting(partial: &Partial) {
    let lines = &partial.lines;
    assert_eq!(lines.total, lines.events + lines.continuation + lines.unparsed);
    assert!(lines.undated <= lines.events);
    assert_eq!(partial.counts.iter().map(|count| count.events).sum::<u64>(), lines.events);
    for sighting in &partial.sightings {
        let of_group = partial.counts.iter().filter(|count| count.group == Some(sighting.group.id));
        assert_eq!(of_group.map(|count| count.events).sum::<u64>(), sighting.events);
        assert!(sighting.first.time_ms <= sighting.last.time_ms);
        for sample in [&sighting.first, &sighting.last] {
            assert!((1..=lines.total).contains(&sample.line));
            assert!(sample.raw.len() <= SAMPLE_BYTES);
        }
    }
    if let Some((first_ms, last_ms)) = partial.span_ms {
        assert!(first_ms <= last_ms);
    }
}

/// Why reading memory fails: never.
#[derive(Debug)]
pub struct ReadError(#[expect(dead_code, reason = "shown when it happens all the same")] io::Error);

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self(error)
    }
}
