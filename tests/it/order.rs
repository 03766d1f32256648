//! Objects in any order, spread over any number of runs, leave what one run leaves that finds them all: the same rows
//! in the ledger, the same site byte for byte, the same hits of searches.
//!
//! `just order` (`GZETTE_ORDER=300`) tries more cases.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use gzette::edges::ledger::Ledger;
use gzette::edges::mirror::Mirror;
use gzette::edges::store::{MemoryStore, ObjectStore as _, PutOptions};
use gzette::flows::error::StateError;
use gzette::flows::ingest::{IngestReport, ingest, own_index};
use gzette::flows::report::{self, ReportSettings};
use gzette::flows::search::{Library, Request, search};
use gzette::flows::site::{self, SiteSettings};
use gzette::flows::sync::{SyncOptions, SyncSource, sync};
use gzette_core::plan::Layout;
use gzette_core::query::Expr;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use rusqlite::types::ValueRef;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::{NOON_MS, gz, partials};
use gzette_core::partial::SourceSettings;

/// Cases without being asked for more.
const CASES: u32 = 8;

/// Lines of every format, with errors of few groups, so that groups meet across objects.
const LINES: [&str; 12] = [
    r#"{"@timestamp":"2026-03-01T06:00:00Z","level":"error","message":"order 17 not found"}"#,
    r#"{"@timestamp":"2026-02-27T06:10:00Z","level":"error","message":"order 9 not found"}"#,
    r#"{"@timestamp":"2026-02-28T23:59:59Z","level":"fatal","message":"disk full"}"#,
    r#"{"@timestamp":"2026-03-01T07:00:00Z","level":"error","message":"failed\njava.lang.IllegalStateException: closed\n\tat com.acme.Basket.add(Basket.java:7)"}"#,
    r#"{"@timestamp":"2026-03-01T05:00:00Z","level":"error","message":"failed\njava.lang.IllegalStateException: not open\n\tat com.acme.Basket.add(Basket.java:9)"}"#,
    r#"{"@timestamp":"2026-03-01T06:30:00Z","level":"info","message":"order 17 accepted"}"#,
    "2026-03-01 06:40:00.123 ERROR [main] com.acme.Worker - order 5 not found",
    "java.io.IOException: disk",
    "\tat com.acme.Worker.run(Worker.java:40)",
    "Caused by: java.net.SocketException: reset",
    "time:2026-03-01T06:00:00Z\tlevel:ERROR\tmessage:disk full",
    "Picked up JAVA_TOOL_OPTIONS",
];

const NEEDLES: [&str; 5] = ["order", "Basket.java:", "disk", "at com", "nowhere"];

/// The times of fetching and storing, and row numbers, which depend on the order. Everything else is compared.
///
/// - `object`: `modified_ms`, here the number of the write into the bucket;
/// - `generation`: `batch_id`, the batch it came in, and `batch` itself;
/// - `id`, `object_id`, `app_id`, `source_id`: row numbers; names stand in their place;
/// - `error_group`: groups that no object holds any more, those of replaced objects, and the title that counts only where
///   a sample has no title itself; `group_number`: numbers of rows; the others are compared with what they stand in;
/// - `fact`: the identity of the index;
/// - `run`, `outbox`, `published`: what commands did, not what objects hold.
const TABLES: [(&str, &str); 5] = [
    ("app", "SELECT name FROM app ORDER BY name"),
    ("listing", "SELECT prefix, tried_ms, listed_ms, objects, failure FROM listing ORDER BY prefix"),
    (
        "object",
        "SELECT key, app.name, day, etag, size_bytes, first_listed_ms, last_listed_ms, state, reason, attempts
         FROM object JOIN app ON app.id = app_id ORDER BY key",
    ),
    (
        "generation",
        "SELECT generation.id, object.key, app.name, generation.etag, generation.size_bytes, parser_version, lines,
            events, continuation, unparsed, quarantined, truncated, undated, decoded_bytes, checksum, first_ms, last_ms,
            blocks, damage_offset, damage_member, damage_reason, duplicate_of
         FROM generation JOIN object ON object.id = object_id JOIN app ON app.id = generation.app_id
         ORDER BY object.key, generation.id",
    ),
    ("sample", "SELECT * FROM sample ORDER BY group_id, generation_id, is_last"),
];

/// An object as it comes.
#[derive(Clone, Debug)]
struct Delivery {
    /// The number of its key.
    key: usize,
    lines: Vec<&'static str>,
    /// How the lines are compressed, and whether they are damaged.
    form: u8,
}

/// What is compared, by name: tables of the ledger, searches, pages.
type Outcome = BTreeMap<String, String>;

#[test]
fn any_order_and_any_split_leave_the_same() {
    let config = Config { cases: cases(), failure_persistence: None, ..Config::default() };
    let runtime = Runtime::new().unwrap();
    let same = |(deliveries, order, ends): (Vec<Delivery>, Vec<usize>, Vec<bool>)| {
        let expected = Scene::new().outcome(&runtime, &[last_versions(&deliveries)]);
        let found = Scene::new().outcome(&runtime, &split(arranged(&deliveries, &order), &ends));
        prop_assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        for (part, text) in &expected {
            prop_assert_eq!(difference(&found[part], text), None, "{}", part);
        }
        Ok(())
    };
    TestRunner::new(config).run(&case(), same).unwrap();
}

/// Returns where two texts begin to differ, with what stands there.
fn difference<'t>(found: &'t str, expected: &'t str) -> Option<(&'t str, &'t str)> {
    let at = found.bytes().zip(expected.bytes()).position(|(a, b)| a != b);
    let at = at.unwrap_or(found.len().min(expected.len()));
    let from = (0..=at.saturating_sub(100)).rev().find(|&at| expected.is_char_boundary(at))?;
    let shown = |text: &'t str| &text[from..text.ceil_char_boundary(from + 300)];
    (found != expected).then(|| (shown(found), shown(expected)))
}

#[expect(clippy::disallowed_methods, reason = "the long form of a test is asked for by the environment")]
fn cases() -> u32 {
    std::env::var("GZETTE_ORDER").map_or(CASES, |cases| cases.parse().expect("GZETTE_ORDER is a number"))
}

/// Deliveries, the order they come in, and behind which of them a run ends.
fn case() -> impl Strategy<Value = (Vec<Delivery>, Vec<usize>, Vec<bool>)> {
    prop::collection::vec(delivery(), 1..14).prop_flat_map(|deliveries| {
        let count = deliveries.len();
        let order = Just((0..count).collect::<Vec<_>>()).prop_shuffle();
        (Just(deliveries), order, prop::collection::vec(prop::bool::weighted(0.3), count))
    })
}

/// Few lines, so that two objects often hold the same.
fn delivery() -> impl Strategy<Value = Delivery> {
    let lines = prop::collection::vec(prop::sample::select(&LINES[..]), 0..5);
    (0_usize..12, lines, 0_u8..8).prop_map(|(key, lines, form)| Delivery { key, lines, form })
}

impl Delivery {
    /// Two applications on three days of the look-back, two objects each.
    fn key(&self) -> String {
        let app = ["api", "jobs"][self.key % 2];
        let day = ["20260226", "20260228", "20260301"][self.key / 2 % 3];
        format!("logs/{app}/{day}/{app}_{}.gz", self.key / 6)
    }

    fn stored(&self) -> Vec<u8> {
        let text = self.lines.join("\n").into_bytes();
        let packed = gz(&text);
        match self.form {
            0 => text,
            1 => zstd::encode_all(&text[..], 1).unwrap(),
            2 => gz(&packed),
            3 => [packed.clone(), packed].concat(),
            4 => packed[..packed.len() - 5].to_vec(),
            5 => [packed, b"garbage".to_vec()].concat(),
            _ => packed,
        }
    }
}

/// What the bucket holds in the end.
fn last_versions(deliveries: &[Delivery]) -> Vec<Delivery> {
    let last: BTreeMap<_, _> = deliveries.iter().map(|delivery| (delivery.key, delivery)).collect();
    last.into_values().cloned().collect()
}

/// The deliveries in another order; the versions of one key stay in theirs.
fn arranged(deliveries: &[Delivery], order: &[usize]) -> Vec<Delivery> {
    let mut versions: BTreeMap<usize, Vec<&Delivery>> = BTreeMap::new();
    for delivery in deliveries.iter().rev() {
        versions.entry(delivery.key).or_default().push(delivery);
    }
    let next = |&at: &usize| versions.get_mut(&deliveries[at].key)?.pop().cloned();
    order.iter().filter_map(next).collect()
}

/// The deliveries of each run.
fn split(deliveries: Vec<Delivery>, ends: &[bool]) -> Vec<Vec<Delivery>> {
    let mut runs = vec![Vec::new()];
    for (delivery, &ends) in deliveries.into_iter().zip(ends) {
        runs.last_mut().unwrap().push(delivery);
        if ends {
            runs.push(Vec::new());
        }
    }
    runs
}

/// A bucket and a state. All runs are at the same time: what comes when is not what this is about.
struct Scene {
    dir: TempDir,
    store: Arc<MemoryStore>,
    settings: SourceSettings,
}

impl Scene {
    fn new() -> Self {
        Self {
            dir: tempfile::tempdir().unwrap(),
            store: Arc::new(MemoryStore::new()),
            settings: SourceSettings::default(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn outcome(&self, runtime: &Runtime, runs: &[Vec<Delivery>]) -> Outcome {
        let mut ledger = Ledger::open(&self.path("ledger")).unwrap();
        for deliveries in runs {
            self.run(runtime, &mut ledger, deliveries);
        }
        let view = report::build(&ledger, NOON_MS, &ReportSettings::default()).unwrap();
        let files = site::render(&view, &SiteSettings::default());
        let pages = files.into_iter().map(|file| (file.path, String::from_utf8(file.bytes).unwrap()));
        self.tables().chain([self.partials()]).chain(self.searches(&ledger)).chain(pages).collect()
    }

    fn run(&self, runtime: &Runtime, ledger: &mut Ledger, deliveries: &[Delivery]) {
        let mirror = Mirror::new(self.path("mirror"));
        runtime.block_on(async {
            for delivery in deliveries {
                self.store.put(&delivery.key(), delivery.stored(), &PutOptions::default()).await.unwrap();
            }
            sync(&[self.source()], ledger, &mirror, &SyncOptions::new(NOON_MS), &()).await.unwrap();
        });
        let stop = AtomicBool::new(false);
        let index_dir = self.path("index");
        let ingest = || ingest(ledger, &mirror, &index_dir, &self.settings, NOON_MS, &stop, &|_, _| {});
        until_unlocked(ingest);
    }

    fn source(&self) -> SyncSource {
        SyncSource {
            name: "prod".into(),
            url: "s3://bucket/logs".to_owned(),
            layout: Layout::parse("{app}/{date:%Y%m%d}/").unwrap(),
            zone: TimeZone::UTC,
            look_back_days: 4,
            backfill_days: 30,
            store: Arc::clone(&self.store) as _,
            prefix: "logs/".to_owned(),
        }
    }

    fn tables(&self) -> impl Iterator<Item = (String, String)> {
        let connection = gzette::edges::ledger::connect(&self.path("ledger")).unwrap();
        TABLES.into_iter().map(move |(table, query)| (table.to_owned(), dump(&connection, query)))
    }

    /// The counts and the sightings of every object.
    fn partials(&self) -> (String, String) {
        let rows = partials(&self.path("ledger")).into_iter().map(|(row, partial)| {
            let sightings = partial.sightings.iter().map(|seen| {
                let (first, last) = (&seen.first, &seen.last);
                let group = (seen.group.id, seen.group.kind, &seen.group.template);
                format!(
                    "{group:?} {} {:?} {} {:?} {}",
                    seen.events, first.time_ms, first.line, last.time_ms, last.line
                )
            });
            let sightings = sightings.collect::<Vec<_>>().join("\n");
            format!("{}\n{:?}\n{sightings}\n", row.object.key, partial.counts)
        });
        ("counts and sightings".to_owned(), rows.collect())
    }

    fn searches(&self, ledger: &Ledger) -> impl Iterator<Item = (String, String)> {
        let mirror = Mirror::new(self.path("mirror"));
        let index = own_index(ledger, &self.path("index")).unwrap().unwrap();
        NEEDLES.into_iter().map(move |needle| {
            let library = Library {
                ledger,
                index: Some(&index),
                mirror: &mirror,
                settings: &self.settings,
                progress: None,
                fetch: None,
            };
            let request = Request::new(Expr::fixed([needle.as_bytes()]).unwrap());
            let mut hits = String::new();
            search(&library, &request, &mut |hit| {
                writeln!(hits, "{hit:?}").unwrap();
                ControlFlow::Continue(())
            })
            .unwrap();
            (format!("search for `{needle}`"), hits)
        })
    }
}

/// Ingests, again while the index of the run before is locked: a process that another test starts holds a copy of that
/// lock until it is on its feet.
fn until_unlocked(mut ingest: impl FnMut() -> Result<IngestReport, StateError>) {
    for _ in 0..500 {
        match ingest() {
            Err(error) if format!("{error:?}").contains("LockBusy") => {
                thread::sleep(Duration::from_millis(20));
            }
            result => return drop(result.unwrap()),
        }
    }
    panic!("the index stays locked");
}

/// The rows of a query, one a line.
fn dump(connection: &rusqlite::Connection, query: &str) -> String {
    let mut statement = connection.prepare(query).unwrap();
    let columns = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    let mut text = String::new();
    while let Some(row) = rows.next().unwrap() {
        for column in 0..columns {
            match row.get_ref(column).unwrap() {
                ValueRef::Text(value) => write!(text, "{:?} ", String::from_utf8_lossy(value)).unwrap(),
                value => write!(text, "{value:?} ").unwrap(),
            }
        }
        text.push('\n');
    }
    text
}
