//! What a line takes from others or from its place: times and levels, groups, and its turn when there is a limit.

use gzette::edges::ledger::{Cell, CountFilter, CountRow, Dimension};
use gzette::flows::search::Request;
use gzette_core::model::{HOUR_MS, Level, UtcMs, Window};
use gzette_core::query::Expr;

use super::Shelf;
use crate::support::{NOON_MS, event};

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

/// An object in which lines inherit all they can: undated events, a stack trace longer than any
/// block, unparsed lines, at the start too, and stretches without a match longer than any piece.
fn inheriting() -> Vec<Known> {
    let mut known = Vec::new();
    let mut add =
        |line: &str, time_ms, level| known.push(Known { line: line.trim_end().to_owned(), time_ms, level });
    // What stands before the first time takes it.
    add("mark starting up", NOON_MS, Level::Unknown);
    add(r#"{"logLevel":"WARN","msg":"mark undated at the start"}"#, NOON_MS, Level::Warn);
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

/// The window from one number of hours after noon to another.
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
