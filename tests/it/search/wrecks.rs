//! Whatever becomes of a file of the index, a search finds what plain decoding finds, and the next ingest makes the index
//! whole.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gzette::edges::index::Index;
use gzette::flows::search::Request;
use gzette_core::query::Expr;

use super::Shelf;
use crate::support::{NOON_MS, files_below, lines_of, text_of};

/// What the files of an index end with, and the names of those of all segments.
const KINDS: [&str; 11] = [
    "del",
    "term",
    "idx",
    "pos",
    "fieldnorm",
    "fast",
    "store",
    "summary",
    "meta.json",
    ".managed.json",
    ".seals",
];

/// Damages a file, where a random number decides.
type Wreck = fn(&Path, &mut u64);

/// What can become of a file.
const WRECKS: [(&str, Wreck); 5] = [
    ("lost", |path, _| fs::remove_file(path).unwrap()),
    ("emptied", |path, _| fs::write(path, b"").unwrap()),
    ("cut", |path, random| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..below(random, bytes.len())]).unwrap();
    }),
    ("a bit flipped", flip),
    ("a bit flipped and the time put back", |path, random| {
        let modified = fs::metadata(path).unwrap().modified().unwrap();
        flip(path, random);
        fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
    }),
];

fn flip(path: &Path, random: &mut u64) {
    let mut bytes = fs::read(path).unwrap();
    let at = below(random, bytes.len());
    bytes[at] ^= 1 << below(random, 8);
    fs::write(path, bytes).unwrap();
}

/// Returns the next number below `limit` of a linear congruential generator (Knuth's MMIX).
fn below(random: &mut u64, limit: usize) -> usize {
    *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*random >> 33) as usize % limit.max(1)
}

/// An expression and what a line has to hold for it.
const ASKED: [(&str, &str); 6] = [
    ("memory", "memory"),
    ("\"did \\\\\\\"thing 1\"", "did \\\"thing 1"),
    ("\"nowhere at all\"", "nowhere at all"),
    ("/Basket.java:1\\d/", "Basket.java:1"),
    ("\"772366\"", "772366"),
    ("JAVA_TOOL_OPT*", "JAVA_TOOL_OPT"),
];

fn agrees(shelf: &Shelf, what: &str) {
    for (expr, text) in ASKED {
        let lines = shelf.held.values().flat_map(|text| lines_of(text));
        let is_asked = |line: &Vec<u8>| {
            let at = memchr::memmem::find(line, text.as_bytes());
            at.is_some_and(|at| text != "Basket.java:1" || line[at + text.len()].is_ascii_digit())
        };
        let mut expected: Vec<_> = lines.filter(is_asked).collect();
        expected.sort();
        let (hits, _) = shelf.search(&Request::new(Expr::parse(expr).unwrap()));
        let mut found: Vec<_> = hits.into_iter().map(|hit| hit.raw).collect();
        found.sort();
        assert!(found == expected, "{what}: `{expr}`: {} and not {}", found.len(), expected.len());
    }
}

#[test]
fn no_wreck_of_the_index_is_believed_and_the_next_ingest_makes_it_whole() {
    let mut shelf = Shelf::new();
    for number in 0..3 {
        shelf.put(&format!("api/20260301/pod_{number}.gz"), text_of("api", NOON_MS, 140).as_bytes(), 2);
        shelf.take_in();
    }
    delete_from_a_segment(&mut shelf);
    let (mut random, mut rounds, mut kinds) = (7, 0, BTreeSet::new());
    for (what, wreck) in WRECKS {
        for kind in KINDS {
            let Some(file) = largest(&shelf, kind) else { continue };
            kinds.insert(kind);
            wreck(&file, &mut random);
            let told = format!("{what}: {}", file.file_name().unwrap().display());
            agrees(&shelf, &told);
            rounds += 1;
            let text = text_of(&format!("round{rounds}"), NOON_MS, 30 + i64::from(rounds));
            shelf.put(&format!("api/20260301/pod_{}.gz", rounds % 4), text.as_bytes(), 1);
            shelf.take_in();
            agrees(&shelf, &told);
            let index = shelf.index().expect("the index is usable again");
            assert_eq!(index.damaged_files().unwrap(), Vec::<PathBuf>::new(), "{told}");
            let payload = index.payload().map(|payload| payload.batch);
            assert_eq!(payload, Some(shelf.ledger.last_batch().unwrap()), "{told}");
        }
    }
    assert_eq!(kinds.len(), KINDS.len(), "{kinds:?}");
}

/// Replaces objects until one of them was not alone in its segment: of five, two are read by one of four workers.
fn delete_from_a_segment(shelf: &mut Shelf) {
    let key = |number: i64| format!("web/20260301/pod_{number}.gz");
    let text = |number| text_of("web", NOON_MS, 20 + number);
    (0..5).for_each(|number| shelf.put(&key(number), text(number).as_bytes(), 1));
    shelf.take_in();
    for number in 0..5 {
        if largest(shelf, "del").is_none() {
            shelf.put(&key(number), text(10 + number).as_bytes(), 1);
            shelf.take_in();
        }
    }
}

/// Returns the largest file of the index with that name or ending.
fn largest(shelf: &Shelf, kind: &str) -> Option<PathBuf> {
    let files = files_below(&shelf.index_dir());
    let named = files.iter().filter(|(name, _)| name.as_str() == kind || name.ends_with(&format!(".{kind}")));
    named.max_by_key(|(_, bytes)| bytes.len()).map(|(name, _)| shelf.index_dir().join(name))
}

/// A search that began before the index was built again held the new one, which was empty yet, for its own.
#[test]
fn an_index_that_took_the_place_of_the_one_that_was_opened_is_not_asked() {
    let mut shelf = Shelf::new();
    shelf.put("api/20260301/pod.gz", text_of("api", NOON_MS, 300).as_bytes(), 2);
    shelf.take_in();
    let opened = shelf.index();
    Index::create(&shelf.index_dir()).unwrap();
    let (hits, _) = shelf.search_with(opened.as_ref(), &Request::new(Expr::parse("memory").unwrap()));
    assert!(!hits.is_empty());
}
