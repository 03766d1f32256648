//! Search finds what grep finds, exactly: in the library over generated objects, and the binary beside
//! the real `zgrep`.

mod context;
mod counting;
mod expressions;
mod follow;
mod letters;
mod output;
mod readings;
mod replaced;
mod rot;
mod show;
mod wrecks;

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;

use gzette::edges::index::Index;
use gzette::edges::ledger::{Cell, CountFilter, CountRow, Dimension, Ledger};
use gzette::edges::mirror::Mirror;
use gzette::edges::store::{MemoryStore, ObjectStore as _, PutOptions};
use gzette::flows::ingest::{ingest, own_index};
use gzette::flows::prune::{PruneReport, PruneSettings, prune};
use gzette::flows::search::{Hit, Library, Request, SearchReport, search};
use gzette::flows::sync::{SyncOptions, SyncSource, sync};
use gzette_core::model::{HOUR_MS, Level, ObjectVersion, UtcMs, Window};
use gzette_core::plan::Layout;
use gzette_core::query::Expr;
use gzette_core::retention::Retention;
use jiff::tz::TimeZone;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index as Pick, select};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::servers::tool;
use crate::support::{NOON_MS, Project, event, gz, lines_of, once, text_of, week};
use gzette_core::partial::SourceSettings;

/// A store, its mirror, ledger and index, through the library.
struct Shelf {
    runtime: Runtime,
    store: Arc<MemoryStore>,
    source: SyncSource,
    ledger: Ledger,
    mirror: Mirror,
    settings: SourceSettings,
    dir: TempDir,
    /// What the store holds, decoded and as it is stored.
    put: BTreeMap<String, Vec<u8>>,
    stored: BTreeMap<String, Vec<u8>>,
    /// What search is to find.
    held: BTreeMap<String, Vec<u8>>,
}

impl Shelf {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(MemoryStore::new());
        let source = SyncSource {
            name: "prod".to_owned(),
            url: "memory".to_owned(),
            layout: Layout::parse("{app}/{date:%Y%m%d}/").unwrap(),
            zone: TimeZone::UTC,
            look_back_days: 4,
            backfill_days: 30,
            store: store.clone(),
            prefix: String::new(),
        };
        Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap(),
            store,
            source,
            ledger: Ledger::open(&dir.path().join("ledger.sqlite")).unwrap(),
            mirror: Mirror::new(dir.path().join("mirror")),
            settings: SourceSettings::default(),
            dir,
            put: BTreeMap::new(),
            stored: BTreeMap::new(),
            held: BTreeMap::new(),
        }
    }

    /// Puts an object of so many members, cut anywhere.
    fn put(&mut self, key: &str, text: &[u8], members: usize) {
        let stored: Vec<u8> = text.chunks(text.len() / members + 1).flat_map(gz).collect();
        self.stored.insert(key.to_owned(), stored.clone());
        self.runtime.block_on(self.store.put(key, stored, &PutOptions::default())).unwrap();
        self.put.insert(key.to_owned(), text.to_vec());
    }

    fn sync(&mut self) {
        let sources = [self.source.clone()];
        let options = SyncOptions::new(NOON_MS);
        let sync = sync(&sources, &mut self.ledger, &self.mirror, &options, &());
        let report = self.runtime.block_on(sync).unwrap();
        assert!(!report.has_problems(), "{report:?}");
    }

    /// Takes the mirror in. Other tests of this process start programs, which between fork and exec hold copies of
    /// its files, the lock of an index just closed among them: then once more, as after a crash.
    fn ingest(&mut self) {
        let index_dir = self.index_dir();
        let go_on = AtomicBool::new(false);
        let report = loop {
            let (ledger, mirror, settings) = (&mut self.ledger, &self.mirror, &self.settings);
            match ingest(ledger, mirror, &index_dir, settings, NOON_MS, &go_on, &|_, _| ()) {
                Err(error) if error.to_string().contains("LockBusy") => thread::yield_now(),
                other => break other.unwrap(),
            }
        };
        assert_eq!((report.damaged.len(), report.unreadable.len()), (0, 0));
        self.held = once(self.put.clone());
    }

    fn take_in(&mut self) {
        self.sync();
        self.ingest();
    }

    fn lose_index(&self) {
        fs::remove_dir_all(self.index_dir()).unwrap();
    }

    fn index_dir(&self) -> PathBuf {
        self.dir.path().join("index")
    }

    /// Drops what is past its time. As in [`Self::ingest`], the index's lock may be held by nobody for a moment.
    fn prune(&mut self, retention: Retention) -> PruneReport {
        let settings = PruneSettings { retention, ..PruneSettings::default() };
        let index_dir = self.index_dir();
        loop {
            match prune(&mut self.ledger, &self.mirror, &index_dir, &settings, NOON_MS, false) {
                Err(error) if error.to_string().contains("LockBusy") => thread::yield_now(),
                other => break other.unwrap(),
            }
        }
    }

    fn index(&self) -> Option<Index> {
        own_index(&self.ledger, &self.index_dir()).unwrap()
    }

    /// Returns what is found with the index as it is.
    fn search(&self, request: &Request) -> (Vec<Hit>, SearchReport) {
        self.search_with(self.index().as_ref(), request)
    }

    /// What is pruned from the mirror is fetched from the store.
    fn search_with(&self, index: Option<&Index>, request: &Request) -> (Vec<Hit>, SearchReport) {
        let stored = &self.stored;
        let fetch = |object: &ObjectVersion| Ok(stored[&object.key].clone());
        let library = Library {
            ledger: &self.ledger,
            index,
            mirror: &self.mirror,
            fetch: Some(&fetch),
            settings: &self.settings,
            progress: None,
        };
        let mut hits = Vec::new();
        let report = search(&library, request, &mut |hit| {
            hits.push(hit);
            ControlFlow::Continue(())
        });
        (hits, report.unwrap())
    }

    /// Returns the lines that hold every needle, by plain scanning, sorted.
    fn scan(&self, needles: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let finders: Vec<_> = needles.iter().map(memchr::memmem::Finder::new).collect();
        let lines = self.held.values().flat_map(|text| lines_of(text));
        let mut found: Vec<_> =
            lines.filter(|line| finders.iter().all(|finder| finder.find(line).is_some())).collect();
        found.sort();
        found
    }

    /// Requires that search finds what the scan finds, and counts it.
    fn agrees(&self, needles: &[Vec<u8>]) -> Result<(), TestCaseError> {
        let expected = self.scan(needles);
        let told: Vec<_> = needles.iter().map(|needle| String::from_utf8_lossy(needle)).collect();
        let request = Request::new(Expr::fixed(needles.iter().map(Vec::as_slice)).unwrap());
        let (hits, report) = self.search(&request);
        let mut found: Vec<_> = hits.into_iter().map(|hit| hit.raw).collect();
        found.sort();
        prop_assert_eq!(found.len(), expected.len(), "lines with {:?}", told);
        prop_assert!(found == expected, "other lines with {:?}", told);
        prop_assert_eq!(report.hits, expected.len() as u64);
        let counted = self.search(&Request { count_only: true, ..request }).1;
        prop_assert_eq!(counted.hits, expected.len() as u64, "count of {:?}", told);
        Ok(())
    }
}

/// A generated object.
#[derive(Clone)]
struct Made {
    app: &'static str,
    lines: Vec<Vec<u8>>,
    members: usize,
    has_last_newline: bool,
}

impl fmt::Debug for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {} members: \"{}\"", self.app, self.members, self.text().escape_ascii())
    }
}

impl Made {
    fn text(&self) -> Vec<u8> {
        let mut text = self.lines.join(&b'\n');
        if self.has_last_newline {
            text.push(b'\n');
        }
        text
    }
}

/// How a needle comes from a line.
#[derive(Clone, Copy, Debug)]
enum How {
    Cut,
    /// From inside an escape on.
    InEscape,
    AtWord,
    OneByte,
    Altered,
    OtherCase,
    Absent,
    /// Three parts of the line.
    Anded,
}

#[derive(Clone, Debug)]
struct Probe {
    how: How,
    line: Pick,
    places: [Pick; 3],
    length: usize,
}

impl Probe {
    fn needles(&self, held: &BTreeMap<String, Vec<u8>>) -> Vec<Vec<u8>> {
        let lines: Vec<_> = held.values().flat_map(|text| lines_of(text)).collect();
        let line = if lines.is_empty() { b"nothing".to_vec() } else { self.line.get(&lines).clone() };
        let line = if line.is_empty() { b"x".to_vec() } else { line };
        let cut = |at: usize| line[at..line.len().min(at + self.length)].to_vec();
        let [first, second, third] = self.places.map(|place| place.index(line.len()));
        let needle = match self.how {
            How::Cut => cut(first),
            How::InEscape => cut(after(&line, first, |byte| byte == b'\\') + second % 6),
            How::AtWord => cut(after(&line, first, |byte| !byte.is_ascii_alphanumeric())),
            How::OneByte => vec![line[first]],
            How::Altered => altered(cut(first), second, third),
            How::OtherCase => {
                cut(first).iter().map(|byte| byte ^ 0x20).filter(|&byte| byte != b'\n').collect()
            }
            How::Absent => b"zzz nowhere to be seen".to_vec(),
            How::Anded => return vec![cut(first), cut(second), cut(third)],
        };
        vec![needle]
    }
}

/// Returns the next place, from `from` on, of such a byte; the last place before the end otherwise.
fn after(line: &[u8], from: usize, is_wanted: impl Fn(u8) -> bool) -> usize {
    let at = line[from..].iter().position(|&byte| is_wanted(byte)).map_or(from, |at| from + at);
    at.min(line.len().saturating_sub(6))
}

fn altered(mut needle: Vec<u8>, at: usize, by: usize) -> Vec<u8> {
    let at = at % needle.len();
    needle[at] = b"aZ9\\\"u e.\xe9"[by % 10];
    needle
}

/// Pieces of lines: words that share parts, escapes whole and broken, what stands between.
const PIECES: [&[u8]; 52] = [
    b"order",
    b"Order",
    b"border",
    b"orders",
    b"or",
    b"error",
    b"timeout",
    b"id42",
    b"42",
    b"7",
    b"a",
    b"_",
    b"x_y",
    b"caf\xc3\xa9",
    b"na\xefve",
    b"\xff\xfe",
    b"\xf0\x9f\x98\x80",
    b" ",
    b" ",
    b".",
    b":",
    b"=",
    b"-",
    b"\t",
    b"\0",
    b"\\n",
    b"\\t",
    b"\\\"",
    b"\\\\",
    b"\\u00e9",
    b"\\ud83d\\ude00",
    b"\\u12",
    b"\\x",
    b"\\",
    b"\\r\\n",
    b"\\/",
    b"\\b",
    b"user=\\\"a b\\\"",
    b"Caused by: java.io.IOException",
    b"\\n\\tat com.acme",
    "‘basket’".as_bytes(),
    "order→shipped".as_bytes(),
    "timeout…".as_bytes(),
    "Ошибка".as_bytes(),
    "ошибка".as_bytes(),
    "\u{212a}".as_bytes(),
    "ſ".as_bytes(),
    "e\u{301}".as_bytes(),
    "⚠\u{fe0f}".as_bytes(),
    "字段".as_bytes(),
    b"\xe2\x80",
    b"\x99",
];

fn pieces() -> impl Strategy<Value = Vec<u8>> {
    vec(select(&PIECES[..]), 0..14).prop_map(|pieces| pieces.concat())
}

fn word(lengths: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    (select(&b"abcXYZ019"[..]), lengths, pieces()).prop_map(|(byte, length, around)| {
        let word: Vec<u8> = (0..length).map(|place| byte + u8::from(place % 3 == 2)).collect();
        [around.as_slice(), &word, &around].concat()
    })
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    let json =
        (0..3 * HOUR_MS, select(&["INFO", "WARN", "ERROR"][..]), pieces()).prop_map(|(ms, level, text)| {
            let line = event(NOON_MS - 3 * HOUR_MS + ms, level, "TEXT");
            let at = line.find("TEXT").unwrap();
            [&line.as_bytes()[..at], &text, line[at + 4..].trim_end().as_bytes()].concat()
        });
    let trace = select(
        &["\tat com.acme.Shop.buy(Shop.java:42)", "Caused by: java.io.IOException: x", "\t... 12 more"][..],
    );
    let bytes =
        vec(any::<u8>(), 0..60).prop_map(|bytes| bytes.into_iter().filter(|&byte| byte != b'\n').collect());
    let plain = prop_oneof![
        8 => json,
        4 => pieces(),
        2 => trace.prop_map(|line| line.as_bytes().to_vec()),
        1 => bytes,
        1 => Just(Vec::new()),
        1 => word(190..280),
        1 => (pieces(), 1..400_usize).prop_map(|(text, times)| text.repeat(times)),
    ];
    (plain, prop::bool::weighted(0.1)).prop_map(|(mut line, is_dos)| {
        line.extend(is_dos.then_some(b'\r'));
        line
    })
}

fn made() -> impl Strategy<Value = Made> {
    let app = select(&["api", "web"][..]);
    // Repeated, so that an object has several blocks.
    let lines = (vec(line(), 0..40), 1..12_usize).prop_map(|(lines, times)| {
        let numbered = (0..times).flat_map(|time| {
            lines.iter().map(move |line| if time % 2 == 0 { line.clone() } else { numbered(line, time) })
        });
        numbered.collect()
    });
    (app, lines, 1..5_usize, any::<bool>()).prop_map(|(app, lines, members, has_last_newline)| Made {
        app,
        lines,
        members,
        has_last_newline,
    })
}

fn numbered(line: &[u8], number: usize) -> Vec<u8> {
    [line, b"n", number.to_string().as_bytes()].concat()
}

fn probe() -> impl Strategy<Value = Probe> {
    use How::{Absent, Altered, Anded, AtWord, Cut, InEscape, OneByte, OtherCase};
    let how = select(
        &[Cut, Cut, Cut, InEscape, InEscape, AtWord, OneByte, Altered, Altered, OtherCase, Absent, Anded][..],
    );
    let length = prop_oneof![4 => 1..9_usize, 4 => 9..40_usize, 1 => 40..400_usize];
    (how, any::<Pick>(), any::<[Pick; 3]>(), length).prop_map(|(how, line, places, length)| Probe {
        how,
        line,
        places,
        length,
    })
}

/// The objects of a case, one that replaces the first, and what is searched.
fn case() -> impl Strategy<Value = (Vec<Made>, Made, Vec<Probe>)> {
    (vec(made(), 1..5), made(), vec(probe(), 10))
}

/// Over 10 cases with 10 probes at 6 points: 600 searches, as many counts.
#[test]
fn any_part_of_any_line_finds_what_a_scan_finds() {
    let config = ProptestConfig {
        cases: 10,
        failure_persistence: None,
        max_shrink_iters: 150,
        ..ProptestConfig::default()
    };
    proptest!(config, |((objects, replacement, probes) in case())| {
        let mut shelf = Shelf::new();
        let key = |number: usize| format!("{}/20260301/pod_{number}.gz", objects[number].app);
        shelf.put(&key(0), &objects[0].text(), objects[0].members);
        shelf.take_in();
        agree(&shelf, &probes)?;
        for (number, object) in objects.iter().enumerate().skip(1) {
            shelf.put(&key(number), &object.text(), object.members);
        }
        shelf.take_in();
        agree(&shelf, &probes)?;
        shelf.put(&key(0), &replacement.text(), replacement.members);
        shelf.sync();
        agree(&shelf, &probes)?; // what is not yet ingested is not found, what it replaces still is
        shelf.ingest();
        agree(&shelf, &probes)?;
        shelf.lose_index();
        agree(&shelf, &probes)?;
        shelf.ingest();
        agree(&shelf, &probes)?;
    });
}

fn agree(shelf: &Shelf, probes: &[Probe]) -> Result<(), TestCaseError> {
    probes.iter().try_for_each(|probe| shelf.agrees(&probe.needles(&shelf.held)))
}

/// Of a line longer than the limit only its beginning is parsed and indexed; all of it is searched.
#[test]
fn the_end_of_an_endless_line_is_found() {
    let long = |end: &str| {
        format!("{{\"logLevel\":\"INFO\",\"msg\":\"{}{end}\"}}\n", "lorem ipsum ".repeat(100_000))
    };
    let mut text = event(NOON_MS, "INFO", "before");
    text.push_str(&long(" needle-one final words"));
    for number in 0..300 {
        text.push_str(&event(NOON_MS, "INFO", &format!("between {number}")));
    }
    text.push_str(&long(" the very last"));
    let mut shelf = Shelf::new();
    shelf.put("api/20260301/pod_0.gz", text.as_bytes(), 3);
    shelf.take_in();
    for needle in
        [" final ", "needle-one", "words\"}", "ery last", "e-o", "between 299", "sum lorem", "absent"]
    {
        shelf.agrees(&[needle.as_bytes().to_vec()]).unwrap();
    }
    let words = |text| Request::new(Expr::parse(text).unwrap());
    assert_eq!(shelf.search(&words("FINAL")).1.hits, 1);
    assert_eq!(shelf.search(&words("very last lorem")).1.hits, 1);
    for level in [Level::Info, Level::Unknown] {
        let request = Request { levels: level.bit(), ..words("final") };
        assert_eq!(shelf.search(&request).1.hits, u64::from(level == Level::Info));
    }
}

/// A line, and the time and level it has or inherits.
struct Known {
    line: String,
    time_ms: UtcMs,
    level: Level,
}

/// An object in which everything is inherited that can be: undated events, a stack trace longer than any
/// block, lines that are nothing, at the start too, and stretches without a match longer than any piece.
fn inheriting() -> Vec<Known> {
    let midnight_ms = NOON_MS - 12 * HOUR_MS;
    let mut known = Vec::new();
    let mut add =
        |line: &str, time_ms, level| known.push(Known { line: line.trim_end().to_owned(), time_ms, level });
    add("mark starting up", midnight_ms, Level::Unknown);
    add(r#"{"logLevel":"WARN","msg":"mark undated at the start"}"#, midnight_ms, Level::Warn);
    for round in 0..4 {
        let time_ms = NOON_MS + round * HOUR_MS;
        add(&event(time_ms, "ERROR", "mark failed"), time_ms, Level::Error);
        for frame in 0..1_500 {
            let mark = if frame % 500 == 499 { "mark" } else { "free" };
            add(&format!("\tat com.acme.{mark}.Deep.call(Deep.java:{frame})"), time_ms, Level::Error);
        }
        add(r#"{"logLevel":"INFO","msg":"mark undated"}"#, time_ms, Level::Info);
        add("mark nothing that is known", time_ms, Level::Unknown);
        for number in 0..2_000 {
            let time_ms = time_ms + number * 500;
            let filler = "filler ".repeat(40);
            add(&event(time_ms, "DEBUG", &filler), time_ms, Level::Debug);
        }
        let time_ms = time_ms + 1_999 * 500;
        add(r#"{"logLevel":"FATAL","msg":"undated"}"#, time_ms, Level::Fatal);
        add("nothing that is known", time_ms, Level::Unknown);
        add("mark as little", time_ms, Level::Unknown);
    }
    known
}

#[test]
fn times_and_levels_are_inherited_alike_with_and_without_an_index() {
    let known = inheriting();
    let text: Vec<u8> = known.iter().flat_map(|known| [known.line.as_bytes(), b"\n"].concat()).collect();
    let mut shelf = Shelf::new();
    shelf.put("api/20260301/pod_0.gz", &text, 4);
    shelf.take_in();
    let windows = [Window::ALL, window(-12, 1), window(0, 2), window(1, 3), window(3, 4)];
    let masks = Level::ALL.map(Level::bit).into_iter().chain([u8::MAX]);
    for (levels, window) in masks.flat_map(|levels| windows.map(|window| (levels, window))) {
        let wanted = |known: &&Known| {
            known.line.contains("mark") && levels & known.level.bit() != 0 && window.holds(known.time_ms)
        };
        let expected: Vec<_> = known
            .iter()
            .filter(wanted)
            .map(|known| (known.line.as_str(), known.time_ms, known.level))
            .collect();
        let request = Request { levels, window, ..Request::new(Expr::fixed([&b"mark"[..]]).unwrap()) };
        for index in [shelf.index(), None] {
            let (hits, report) = shelf.search_with(index.as_ref(), &request);
            let found: Vec<_> =
                hits.iter().map(|hit| (str::from_utf8(&hit.raw).unwrap(), hit.time_ms, hit.level)).collect();
            assert_eq!(found, expected, "{levels:b} {window:?}, index: {}", index.is_some());
            assert_eq!(report.hits, expected.len() as u64);
        }
    }
}

/// A stack trace that is longer than a block belongs to its event to the end.
#[test]
fn a_group_is_all_lines_of_its_events() {
    let known = inheriting();
    let text: Vec<u8> = known.iter().flat_map(|known| [known.line.as_bytes(), b"\n"].concat()).collect();
    let mut shelf = Shelf::new();
    shelf.put("api/20260301/pod_0.gz", &text, 4);
    shelf.take_in();
    let filter = CountFilter { apps: vec![], levels: Level::Error.bit(), window: Window::ALL, group: None };
    let counted = shelf.ledger.count(&[Dimension::Group], &filter).unwrap();
    let [CountRow { cells, events: 4 }] = &counted[..] else { panic!("{counted:?}") };
    let [Cell::Group(group)] = cells[..] else { panic!("{cells:?}") };
    for (needle, window) in
        [("", Window::ALL), ("mark", Window::ALL), (".mark.", window(1, 3)), (":1499)", window(0, 1))]
    {
        let wanted = |known: &&Known| {
            known.level == Level::Error && known.line.contains(needle) && window.holds(known.time_ms)
        };
        let expected: Vec<_> = known.iter().filter(wanted).map(|known| known.line.as_str()).collect();
        assert!(!expected.is_empty());
        let expr = Expr::fixed([needle.as_bytes()]).unwrap();
        let request = Request { group: Some(group), window, ..Request::new(expr) };
        for index in [shelf.index(), None] {
            let hits = shelf.search_with(index.as_ref(), &request).0;
            let found: Vec<_> = hits.iter().map(|hit| str::from_utf8(&hit.raw).unwrap()).collect();
            assert!(found == expected, "`{needle}`: {} of {} lines", found.len(), expected.len());
        }
    }
}

/// From so many hours after noon to so many.
fn window(from: i64, to: i64) -> Window {
    Window { start_ms: NOON_MS + from * HOUR_MS, end_ms: NOON_MS + to * HOUR_MS }
}

#[test]
fn a_limit_keeps_the_newest_whatever_the_objects_are_called() {
    let mut shelf = Shelf::new();
    let mut times = Vec::new();
    for number in 0..12_i64 {
        // Interleaved, so that the newest lines lie in many objects.
        let lines = (0..50).map(|place| NOON_MS - (place * 12 + number * 7 % 12) * 1_000);
        let lines: Vec<_> = lines.rev().collect();
        let text: String = lines.iter().map(|&time_ms| event(time_ms, "INFO", "tick")).collect();
        shelf.put(&format!("api/20260301/pod_{number}.gz"), text.as_bytes(), 2);
        times.extend(lines);
    }
    shelf.take_in();
    times.sort_unstable();
    for limit in [1, 2, 13, 100, 599, 600, 1000] {
        let request = Request { limit: Some(limit), ..Request::new(Expr::parse("tick").unwrap()) };
        for index in [shelf.index(), None] {
            let found: Vec<_> =
                shelf.search_with(index.as_ref(), &request).0.iter().map(|hit| hit.time_ms).collect();
            assert_eq!(found, times[times.len().saturating_sub(limit)..], "the newest {limit}");
        }
    }
}

/// Of an object with more lines than are held at a time only the newest are kept while it is read, wherever they stand.
#[test]
fn a_limit_keeps_the_newest_of_a_large_object() {
    const LINES: i64 = 30_000;
    let mut shelf = Shelf::new();
    // 7919 is prime: each of these times once, in disorder.
    let times = (0..LINES).map(|number| NOON_MS - (number * 7919 % LINES) * 100);
    let text: String = times.map(|time_ms| event(time_ms, "INFO", &"tick ".repeat(30))).collect();
    shelf.put("api/20260301/pod_0.gz", text.as_bytes(), 1);
    shelf.take_in();
    for limit in [1, 100, 20_000] {
        let request = Request { limit: Some(limit), ..Request::new(Expr::parse("tick").unwrap()) };
        for index in [shelf.index(), None] {
            let (hits, report) = shelf.search_with(index.as_ref(), &request);
            let newest = (0..limit as i64).rev().map(|number| NOON_MS - number * 100);
            assert!(hits.iter().map(|hit| hit.time_ms).eq(newest), "the newest {limit}");
            assert!(index.is_some() || report.hits == LINES as u64, "{} hits", report.hits);
        }
    }
}

/// Objects as programs write them, with all that makes lines hard.
fn hard_project() -> Project {
    let project = Project::new();
    project.put_week();
    let today = "20260301";
    let mut text =
        event(NOON_MS, "ERROR", r#"caf\u00e9 \ud83d\ude00 C:\\temp\\new user=\"a b\"\n\tat x"#).into_bytes();
    text.extend(b"dos line\r\n\nnul \0 inside\n\xff\xfe not UTF-8 caf\xc3\xa9\n");
    text.extend(format!("{}\n", "w".repeat(300)).bytes());
    text.extend(format!("{} lorem\n", "long line ".repeat(20_000)).bytes());
    text.extend(b"- dashes -- first\n'quoted' $HOME `x` \\backslash\nno newline at the end");
    let stored = [gz(&text[..100]), gz(&text[100..])].concat();
    project.put_stored(&format!("api/{today}/hard_0.gz"), &stored);
    project
}

#[test]
fn the_binary_finds_what_zgrep_finds() {
    let project = hard_project();
    project.gzette("run").exits(0);
    let needles: [&[u8]; 36] = [
        b"order 4",
        b"rder",
        b"r",
        b"\"",
        b"\\",
        b"\\n",
        b"\\n\\tat",
        b"n\\tat com",
        b"tat com.acme.Basket",
        b"java:4)",
        b"IllegalState",
        b"illegalstate",
        b"out of memory",
        b"thing 12\\\"",
        b"\\\"thing",
        b"T0",
        b"\"logLevel\":\"FATAL\"",
        b"u00e9",
        b"00e9 ",
        b"e9 \\ud83d",
        b"\\ude00",
        b"C:\\\\temp\\\\new",
        b"temp\\\\n",
        b"a b\\\"",
        b"dos line\r",
        b"\r",
        b"\xff\xfe",
        b"caf\xc3\xa9",
        b"\xa9",
        b"wwwwwwwwww",
        b"lorem",
        b"- dashes --",
        b"--",
        b"'quoted' $HOME `x`",
        b"at the end",
        b"never written anywhere",
    ];
    for needle in needles {
        assert!(project.finds(needle) == zgrep(&project, needle), "`{}`", String::from_utf8_lossy(needle));
    }
    assert_eq!(project.finds(b"").len(), zgrep(&project, b"").len());
}

/// Returns the lines that the real `zgrep` finds, sorted.
fn zgrep(project: &Project, needle: &[u8]) -> Vec<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt as _;
    let mut command = Command::new("zgrep");
    project.prepare(&mut command);
    command.env("LC_ALL", "C").args(["-h", "-a", "-F", "-e"]).arg(std::ffi::OsStr::from_bytes(needle));
    let keys = crate::support::files_below(&project.path("logs")).into_keys();
    let output = command.arg("--").args(keys.map(|key| project.path("logs").join(key))).output().unwrap();
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut found = lines_of(&output.stdout);
    found.sort();
    found
}

/// Applications, levels and hours of one day, each line with a word of its own.
fn small_project() -> Project {
    let project = Project::new();
    for app in ["api", "web"] {
        let mut text = String::new();
        for hour in 0..4 {
            for level in ["INFO", "ERROR"] {
                let message = format!(r"Tick-{hour} of {app}\nDone {}", level.to_lowercase());
                text.push_str(&event(NOON_MS - hour * HOUR_MS, level, &message));
            }
        }
        project.put(&format!("{app}/20260301/{app}_0.gz"), text);
    }
    project.gzette("run").exits(0);
    project
}

#[test]
fn filters_choose_lines() {
    let project = small_project();
    // 2 applications × 4 hours × 2 levels.
    for (line, expected) in [
        ("search", 16),
        ("search tick", 16),
        ("search TICK done", 16),
        ("search tic", 0),
        ("search ndone", 0),
        ("search --fixed tick", 0),
        ("search --fixed Tick-2", 4),
        ("search --fixed ick-2 rro", 2),
        ("search tick-2", 0),
        ("search Tick-2", 4),
        ("search --app api", 8),
        ("search --app api,web", 16),
        ("search --level error", 8),
        ("search --level error,info", 16),
        ("search --level fatal", 0),
        ("search --since 2h", 12), // 10:00 is in it
        ("search --since 119m", 8),
        ("search --from 2026-03-01T10:00 --to 2026-03-01T12:00", 8), // 10 and 11, not 12
        ("search --from 2026-03-01T10:00:00.001Z", 8),
        ("search --to 2026-03-01T09:00", 0),
        ("search --limit 3", 3),
        ("search --limit 0", 16),
        ("search --limit 5 --app web --level info", 4),
        ("search error --app web --level error --since 1h", 2),
    ] {
        let found = project.gzette(line).exits(0);
        assert_eq!(lines_of(&found.stdout).len(), expected, "{line}");
        if !line.contains("--limit") {
            let counted = project.gzette(&format!("{line} --count")).exits(0);
            assert_eq!(counted.text(), format!("{expected}\n"), "{line}");
        }
    }
    assert_eq!(project.gzette("search tick --count --json").json(), serde_json::json!({ "lines": 16 }));
    for line in [
        "search \"open",
        "search --from 2026-03-02 --to 2026-03-01",
        "search --since soon",
        "search --level loud",
        "search --app nobody",
    ] {
        let failed = project.gzette(line).exits(2);
        assert!(failed.stdout.is_empty() && !failed.stderr.is_empty());
    }
}

#[test]
fn output_is_the_line_json_or_text() {
    let project = small_project();
    let raw = project.gzette("search --app api --level error --limit 2").exits(0).text();
    let expected = [1, 0]
        .map(|hour| event(NOON_MS - hour * HOUR_MS, "ERROR", &format!(r"Tick-{hour} of api\nDone error")));
    assert_eq!(raw, expected.concat());

    let json = project.gzette("search --app api --level error --limit 2 --output json").exits(0).text();
    let rows: Vec<serde_json::Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let object = project.path("logs/api/20260301/api_0.gz");
    for ((row, line), (number, time)) in rows.iter().zip(&expected).zip([(4, "11"), (2, "12")]) {
        let expected = serde_json::json!({
            "time": format!("2026-03-01T{time}:00:00.000Z"), "level": "error", "app": "api",
            "object": object.to_str().unwrap(), "line": number, "raw": line.trim_end(),
        });
        assert_eq!(row, &expected);
    }
    assert_eq!(rows.len(), 2);
    assert_eq!(project.gzette("search --app api --level error --limit 2 --json").exits(0).text(), json);

    let text = project.gzette("search --app api --level error --limit 1 --output text").exits(0).text();
    assert_eq!(text, format!("{}:2:{}", object.display(), expected[1]));
}

#[test]
fn control_characters_are_made_visible_on_a_terminal_only() {
    let project = Project::new();
    let line = b"\x1b[31mred\x07 \xe2\x80\xae turned \xff";
    project.put("api/20260301/api_0.gz", [&line[..], b"\n"].concat());
    project.gzette("run").exits(0);
    assert_eq!(project.gzette("search turned").exits(0).stdout, [&line[..], b"\n"].concat());

    let shown = on_a_terminal(&project, &["search", "turned", "--no-color"]);
    assert!(shown.contains(r"\x1b[31mred\x07 \u{202e} turned"), "{shown}");
    assert!(!shown.contains(['\x1b', '\x07', '\u{202e}']), "{shown:?}");
}

/// On a terminal what was looked for is in grep's colour, context dimmed, and nothing of a line is a sequence.
#[test]
fn what_was_looked_for_is_marked_on_a_terminal() {
    let project = Project::new();
    let lines = [event(NOON_MS, "INFO", "before"), event(NOON_MS, "WARN", "Lost one, lost two")];
    let text = [lines.concat().as_bytes(), b"\x1b[31m lost\x1b[0m and \x1b[32m\n"].concat();
    project.put("api/20260301/api_0.gz", text);
    project.gzette("run").exits(0);
    let shown = on_a_terminal(&project, &["search", "lost OR /.\\[3./", "-B", "1", "-q"]);
    assert!(shown.contains("\x1b[1;31mLost\x1b[0m one, \x1b[1;31mlost\x1b[0m two"), "{shown:?}");
    assert!(shown.starts_with("\x1b[2m{\"") && shown.contains("before\"}\x1b[0m"), "{shown:?}");
    // What stands in the line is shown, not done, marked or not.
    let wreck = [r"\x1b[31", "lost", r"\x1b[32"].map(|found| format!("\x1b[1;31m{found}\x1b[0m"));
    let wreck = format!(r"{}m {}\x1b[0m and {}m", wreck[0], wreck[1], wreck[2]);
    assert!(shown.contains(&wreck), "{shown:?}");
    assert_eq!(shown.matches('\x1b').count(), 2 * 5 + 2, "{shown:?}");

    let table = on_a_terminal(&project, &["search", "lost", "-q", "--output", "table"]);
    assert!(table.contains("\x1b[1;31mLost\x1b[0m one, \x1b[1;31mlost\x1b[0m two"), "{table:?}");
    assert!(!project.gzette("search lost").exits(0).text().contains("\x1b[1"));
}

/// Returns what the binary prints on a terminal: Python's pty is one.
fn on_a_terminal(project: &Project, args: &[&str]) -> String {
    let mut command = Command::new(tool("python3"));
    command.args(["-c", "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)"]);
    command.arg(env!("CARGO_BIN_EXE_gzette")).args(args);
    project.prepare(&mut command);
    let output = command.output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{shown}");
    shown
}

#[test]
fn a_week_is_searched_through_the_binary_after_every_mishap() {
    let project = Project::new();
    let needles = ["thing 3", "Basket.java:4", "out of memory", "JAVA_TOOL", "api did", "\\\"", "nowhere"];
    let objects = week(NOON_MS);
    let (first, second) = objects.split_at(objects.len() / 2);
    for (key, text) in first {
        project.put(key, text);
    }
    project.gzette("run").exits(0);
    project.finds_what_is_there(needles);
    for (key, text) in second {
        project.put(key, text);
    }
    project.gzette("run").exits(0);
    project.finds_what_is_there(needles);
    project.put(&objects[0].0, text_of("replaced", NOON_MS, 300));
    project.gzette("run").exits(0);
    project.finds_what_is_there(needles.into_iter().chain(["replaced did"]));
    fs::remove_dir_all(project.path("state/index")).unwrap();
    project.finds_what_is_there(needles);
    project.gzette("ingest").exits(0);
    project.finds_what_is_there(needles);
    project.verifies();
    fs::File::create(project.path("state/index/meta.json")).unwrap().write_all(b"{").unwrap();
    project.finds_what_is_there(needles);
}
