//! The newest lines of a search with a limit are whole, though their bytes are not held while it goes on.

use gzette::flows::search::Request;
use gzette_core::query::Expr;

use super::Shelf;
use crate::support::{NOON_MS, event, lines_of};

/// How many lines each object holds, every seventh of them short.
const OBJECTS: [(&str, i64); 3] = [("a", 40), ("b", 50), ("c", 60)];

fn line(pod: &str, number: i64) -> String {
    let filler = format!("{pod}{number} filler ").repeat(if number % 7 == 3 { 1 } else { 10_000 });
    event(NOON_MS - number * 1000, "INFO", &format!("tick {filler}"))
}

/// All of them were held until the end, however long they were.
#[test]
fn the_newest_lines_are_whole_though_they_are_more_than_is_held() {
    let mut shelf = Shelf::new();
    for (pod, lines) in OBJECTS {
        let text: String = (0..lines).rev().map(|number| line(pod, number)).collect();
        shelf.put(&format!("api/20260301/{pod}.gz"), text.as_bytes(), 2);
    }
    shelf.take_in();
    let mut expected: Vec<_> = shelf.held.values().flat_map(|text| lines_of(text)).collect();
    expected.sort();
    for index in [shelf.index(), None] {
        for limit in [3, 100, 1000] {
            let request = Request { limit: Some(limit), ..Request::new(Expr::parse("tick").unwrap()) };
            let (hits, _) = shelf.search_with(index.as_ref(), &request);
            assert_eq!(hits.len(), limit.min(150));
            assert!(hits.is_sorted_by_key(|hit| hit.time_ms));
            let mut raw: Vec<_> = hits.into_iter().map(|hit| hit.raw).collect();
            raw.sort();
            raw.dedup();
            assert_eq!(raw.len(), limit.min(150), "each line once");
            assert!(raw.iter().all(|raw| expected.binary_search(raw).is_ok()), "a line is not whole");
        }
    }
}
