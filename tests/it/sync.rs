//! Syncing from a store that keeps a record of every request and breaks on demand.
#![expect(clippy::unwrap_used, reason = "a helper of a test may panic like the test")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use gzette::edges::ledger::Ledger;
use gzette::edges::mirror::Mirror;
use gzette::edges::store::{
    Action, Listing, ObjectStore, PutOptions, Service, StoreError, StoreErrorKind, StoreFuture,
};
use gzette::flows::error::StateError;
use gzette::flows::sync::{Deadline, SyncOptions, SyncReport, SyncSource, sync};
use gzette_core::model::{GenerationId, ListedObject, MINUTE_MS, Requests, SourceName, UtcMs};
use gzette_core::plan::{Layout, ObjectState, Why};
use jiff::civil::date;
use jiff::tz::TimeZone;
use md5::{Digest as _, Md5};
use tempfile::TempDir;

use crate::support::files_below;

/// 2026-03-01T12:00:00Z.
const NOON_MS: UtcMs = UtcMs::new(1_772_366_400_000);
const RUN_MS: i64 = 10 * MINUTE_MS;

/// A bucket in memory.
#[derive(Default)]
struct Bucket(Mutex<State>);

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    lists: Vec<String>,
    gets: Vec<String>,
    refused_lists: BTreeMap<String, StoreErrorKind>,
    refused_gets: BTreeMap<String, StoreErrorKind>,
    /// Whether one listing of everything is refused.
    refuses_walks: bool,
    /// What happens to a key just before it is read, once: new bytes, or none when it is deleted.
    races: BTreeMap<String, Option<Vec<u8>>>,
    /// A key that every listing holds, wherever it lies.
    intruder: Option<String>,
    sizes_in_flight: Vec<usize>,
    most_in_flight: (usize, usize),
}

impl Bucket {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    fn forget_requests(&self) {
        let mut state = self.state();
        (state.lists, state.gets) = Default::default();
    }

    fn refusal(&self, kind: StoreErrorKind, what: Action, key: &str) -> StoreError {
        StoreError::new(kind, Service::Memory, what, &self.describe(key), &format!("{kind:?}").to_lowercase())
    }
}

fn entry(key: &str, bytes: &[u8]) -> ListedObject {
    let mut etag = String::new();
    for byte in Md5::digest(bytes) {
        write!(etag, "{byte:02x}").unwrap();
    }
    ListedObject { key: key.into(), etag, size_bytes: bytes.len() as u64, modified_ms: UtcMs::EPOCH }
}

impl ObjectStore for Bucket {
    fn list<'a>(&'a self, prefix: &'a str, delimited: bool) -> StoreFuture<'a, Listing> {
        Box::pin(async move {
            let mut state = self.state();
            state.lists.push(prefix.to_owned());
            if state.refuses_walks && !delimited && prefix == "logs/" {
                return Err(self.refusal(StoreErrorKind::Denied, Action::List, prefix));
            }
            if let Some(kind) = state.refused_lists.get(prefix) {
                return Err(self.refusal(*kind, Action::List, prefix));
            }
            let mut listing = Listing::default();
            let below =
                state.objects.range(prefix.to_owned()..).take_while(|(key, _)| key.starts_with(prefix));
            for (key, bytes) in below {
                match key[prefix.len()..].find('/').filter(|_| delimited) {
                    Some(slash) => listing.prefixes.push(key[..=prefix.len() + slash].to_owned()),
                    None => listing.objects.push(entry(key, bytes)),
                }
            }
            listing.prefixes.dedup();
            listing.objects.extend(state.intruder.iter().map(|key| entry(key, b"")));
            Ok(listing)
        })
    }

    fn get<'a>(&'a self, object: &'a ListedObject) -> StoreFuture<'a, Vec<u8>> {
        Box::pin(async move {
            let size = object.size_bytes as usize;
            self.state().enter(&object.key, size);
            for _ in 0..3 {
                tokio::task::yield_now().await;
            }
            let mut state = self.state();
            let left = state.sizes_in_flight.iter().position(|other| *other == size).unwrap();
            state.sizes_in_flight.swap_remove(left);
            if let Some(kind) = state.refused_gets.get(object.key.as_str()) {
                return Err(self.refusal(*kind, Action::Get, &object.key));
            }
            match state.objects.get(object.key.as_str()) {
                None => Err(self.refusal(StoreErrorKind::Missing, Action::Get, &object.key)),
                Some(bytes) if entry(&object.key, bytes).etag != object.etag => {
                    Err(self.refusal(StoreErrorKind::Changed, Action::Get, &object.key))
                }
                Some(bytes) => Ok(bytes.clone()),
            }
        })
    }

    fn put<'a>(&'a self, key: &'a str, body: Vec<u8>, _options: &'a PutOptions) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.state().objects.insert(key.to_owned(), body);
            Ok(())
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.state().objects.remove(key);
            Ok(())
        })
    }

    fn requests(&self) -> Requests {
        let state = self.state();
        Requests { list: state.lists.len() as u64, get: state.gets.len() as u64, ..Requests::default() }
    }

    fn service(&self) -> Service {
        Service::Memory
    }

    fn describe(&self, key: &str) -> String {
        format!("s3://bucket/{key}")
    }
}

impl State {
    fn enter(&mut self, key: &str, size: usize) {
        self.gets.push(key.to_owned());
        match self.races.remove(key) {
            Some(Some(bytes)) => drop(self.objects.insert(key.to_owned(), bytes)),
            Some(None) => drop(self.objects.remove(key)),
            None => {}
        }
        self.sizes_in_flight.push(size);
        let (most, bytes) = self.most_in_flight;
        let now = (self.sizes_in_flight.len(), self.sizes_in_flight.iter().sum());
        self.most_in_flight = (most.max(now.0), bytes.max(now.1));
    }
}

/// A source, a state directory and a clock.
struct World {
    bucket: Arc<Bucket>,
    source: SyncSource,
    ledger: Ledger,
    /// Where the ledger lies.
    state: tempfile::TempDir,
    mirror: Mirror,
    options: SyncOptions,
    dir: TempDir,
}

impl World {
    fn new() -> Self {
        let bucket = Arc::new(Bucket::default());
        let dir = tempfile::tempdir().unwrap();
        let source = SyncSource {
            name: "prod".into(),
            url: "s3://bucket/logs".to_owned(),
            layout: Layout::parse("{app}/{date:%Y%m%d}/").unwrap(),
            zone: TimeZone::UTC,
            look_back_days: 4,
            backfill_days: 30,
            store: bucket.clone(),
            prefix: "logs".to_owned(),
        };
        let (mirror, state) = (Mirror::new(dir.path().join("mirror")), tempfile::tempdir().unwrap());
        Self {
            bucket,
            source,
            ledger: Ledger::open(&state.path().join("ledger.sqlite")).unwrap(),
            state,
            mirror,
            options: SyncOptions::new(NOON_MS),
            dir,
        }
    }

    fn lose_ledger(&mut self) {
        self.state = tempfile::tempdir().unwrap();
        self.ledger = Ledger::open(&self.state.path().join("ledger.sqlite")).unwrap();
    }

    /// Three applications, seven days, two objects a day.
    fn with_week() -> Self {
        let world = Self::new();
        for app in ["api", "web", "jobs"] {
            for back in 0..7 {
                let day = date(2026, 3, 1) - jiff::Span::new().days(back);
                for index in 0..2 {
                    world.put(&format!("logs/{app}/{}/pod_{index}.gz", day.strftime("%Y%m%d")), b"line\n");
                }
            }
        }
        world
    }

    fn put(&self, key: &str, bytes: &[u8]) {
        self.bucket.state().objects.insert(key.to_owned(), bytes.to_vec());
    }

    async fn run(&mut self) -> SyncReport {
        self.try_run().await.unwrap()
    }

    async fn try_run(&mut self) -> Result<SyncReport, StateError> {
        self.bucket.forget_requests();
        let sources = [self.source.clone()];
        let report = sync(&sources, &mut self.ledger, &self.mirror, &self.options, &()).await;
        self.options.now_ms += RUN_MS;
        report
    }

    /// Returns the mirrored bytes of a key, as of the version that the bucket holds.
    fn mirrored(&self, key: &str) -> Option<Vec<u8>> {
        self.mirrored_version(&entry(key, self.bucket.state().objects.get(key)?))
    }

    fn mirrored_version(&self, object: &ListedObject) -> Option<Vec<u8>> {
        let generation = GenerationId::of(&"prod".into(), &object.key, &object.etag, object.size_bytes);
        let mut bytes = Vec::new();
        self.mirror.open(&"prod".into(), &object.key, generation).ok()?.read_to_end(&mut bytes).unwrap();
        Some(bytes)
    }

    fn states(&self) -> Vec<(ObjectState, u64)> {
        let totals = self.ledger.object_totals().unwrap();
        let states = [
            (ObjectState::Listed, totals.waiting),
            (ObjectState::Mirrored, totals.mirrored),
            (ObjectState::Missing, totals.missing),
            (ObjectState::Denied, totals.denied),
            (ObjectState::Archived, totals.archived),
            (ObjectState::Failed, totals.failed),
            (ObjectState::Deleted, totals.deleted),
        ];
        states.into_iter().filter(|(_, number)| *number > 0).collect()
    }

    fn lists(&self) -> Vec<String> {
        let mut lists = self.bucket.state().lists.clone();
        lists.sort();
        lists
    }

    fn gets(&self) -> usize {
        self.bucket.state().gets.len()
    }
}

const DAY: &str = "logs/web/20260301/";

fn in_day(name: &str) -> String {
    format!("{DAY}{name}")
}

/// Sixty applications with two days each: more prefixes than one listing of everything has pages.
fn with_many_prefixes() -> World {
    let world = World::new();
    for app in 0..60 {
        for day in ["20260228", "20260301"] {
            world.put(&format!("logs/app-{app:02}/{day}/pod.gz"), b"line\n");
        }
    }
    world
}

/// Changes a bit of everything, and returns what the next run has made of it.
async fn after_changes(world: &mut World) -> (SyncReport, Vec<(ObjectState, u64)>) {
    world.put("logs/app-00/20260301/new.gz", b"new\n");
    world.put("logs/app-01/20260301/pod.gz", b"changed\n");
    world.put("logs/app-99/20260301/pod.gz", b"a new application\n");
    world.put("logs/app-02/20260115/pod.gz", b"before the backfill\n");
    world.put("logs/app-03/odd/pod.gz", b"a folder that does not fit\n");
    world.put("logs/pod.gz", b"a key that does not fit\n");
    world.bucket.state().objects.remove("logs/app-04/20260301/pod.gz");
    for day in ["20260228", "20260301"] {
        world.bucket.state().objects.remove(&format!("logs/app-05/{day}/pod.gz"));
    }
    let report = world.run().await;
    (report, world.states())
}

#[tokio::test]
async fn very_many_prefixes_are_answered_by_one_listing_and_nothing_else_differs() {
    let (mut walked, mut by_prefix) = (with_many_prefixes(), with_many_prefixes());
    by_prefix.bucket.state().refuses_walks = true;
    for world in [&mut walked, &mut by_prefix] {
        assert_eq!((world.run().await.got, world.lists().len()), (120, 1 + 60 + 120));
    }
    walked.run().await;
    assert_eq!(walked.lists(), ["logs/"]);
    by_prefix.run().await;
    assert_eq!(by_prefix.lists().len(), 1 + 1 + 60 + 120);
    let (report, states) = after_changes(&mut walked).await;
    assert_eq!(walked.lists(), ["logs/"]);
    assert_eq!((report.new, report.changed, report.gone, report.got), (4, 1, 3, 5), "{report:?}");
    let (other, other_states) = after_changes(&mut by_prefix).await;
    // It is not tried again on the same day.
    assert_eq!(by_prefix.lists().iter().filter(|prefix| *prefix == "logs/").count(), 1);
    assert_eq!(format!("{report:?}"), format!("{other:?}"));
    assert_eq!(states, other_states);
    for world in [&mut walked, &mut by_prefix] {
        let report = world.run().await;
        assert_eq!((report.new, report.changed, report.gone, report.got), (0, 0, 0, 0));
    }
}

#[tokio::test]
async fn an_object_that_changes_during_one_listing_is_listed_again_by_its_prefix() {
    let mut world = with_many_prefixes();
    world.run().await;
    world.put("logs/app-07/20260301/new.gz", b"one\n");
    world.bucket.state().races.insert("logs/app-07/20260301/new.gz".to_owned(), Some(b"two\n".to_vec()));
    let report = world.run().await;
    assert_eq!(world.lists(), ["logs/", "logs/app-07/20260301/"]);
    assert!(!report.has_problems(), "{report:?}");
    assert_eq!(world.mirrored("logs/app-07/20260301/new.gz"), Some(b"two\n".to_vec()));
}

#[tokio::test]
async fn an_idle_run_costs_nineteen_listings_and_no_get() {
    let mut world = World::with_week();
    let first = world.run().await;
    assert_eq!((first.new, first.got, world.gets(), world.lists().len()), (42, 42, 42, 1 + 3 + 15 + 6));
    assert!(!first.has_problems() && first.waiting == 0);

    let second = world.run().await;
    assert_eq!((second.listed, second.new, second.got, world.gets()), (30, 0, 0, 0));
    let mut expected = vec!["logs/".to_owned()];
    for app in ["api", "web", "jobs"] {
        expected.push(format!("logs/{app}/"));
        expected.extend(
            ["20260225", "20260226", "20260227", "20260228", "20260301"]
                .map(|day| format!("logs/{app}/{day}/")),
        );
    }
    expected.sort();
    assert_eq!(world.lists(), expected);
    let why = [(Why::Discover, 4), (Why::LookBack, 15)];
    assert_eq!(second.prefixes_listed, why.into());
}

#[tokio::test]
async fn older_days_take_turns_between_idle_runs() {
    let mut world = World::with_week();
    world.run().await;
    let mut older = 0;
    // To midnight, when the look-back moves on.
    for _ in 0..71 {
        let report = world.run().await;
        let in_turn = report.prefixes_listed.get(&Why::InTurn).copied().unwrap_or(0);
        assert!(in_turn <= 1 && world.lists().len() as u64 == 19 + in_turn && world.gets() == 0);
        older += in_turn;
    }
    // Of the moments at 0, 4, 8, 12, 16 and 20 o'clock.
    assert_eq!(older, 2);
}

#[tokio::test]
async fn ten_is_found_though_it_sorts_before_nine() {
    let mut world = World::new();
    world.put(&in_day("pod_9.gz"), b"nine");
    world.run().await;
    world.put(&in_day("pod_10.gz"), b"ten");
    let report = world.run().await;
    assert_eq!((report.new, report.got), (1, 1));
    assert_eq!(world.mirrored(&in_day("pod_10.gz")).unwrap(), b"ten");
}

#[tokio::test]
async fn an_overwritten_object_stands_beside_its_older_version() {
    let mut world = World::new();
    let key = in_day("pod_0.gz");
    world.put(&key, b"old bytes");
    world.run().await;
    world.put(&key, b"new bytes");
    let report = world.run().await;
    assert_eq!((report.changed, report.got, report.new), (1, 1, 0));
    assert_eq!(world.mirrored(&key).unwrap(), b"new bytes");
    assert_eq!(world.mirrored_version(&entry(&key, b"old bytes")).unwrap(), b"old bytes");
}

#[tokio::test]
async fn a_late_object_of_an_old_day_is_found_within_a_day() {
    let mut world = World::new();
    for day in ["20260301", "20260210", "20260211", "20260212"] {
        world.put(&format!("logs/web/{day}/pod_0.gz"), b"line");
    }
    world.run().await;
    world.put("logs/web/20260211/late.gz", b"late");
    let mut found = 0;
    for _ in 0..144 {
        found += world.run().await.got;
    }
    assert_eq!(found, 1);
    assert_eq!(world.mirrored("logs/web/20260211/late.gz").unwrap(), b"late");
    // A day that did not exist at all is seen by the next run.
    world.put("logs/web/20260205/later.gz", b"later");
    assert_eq!(world.run().await.got, 1);
}

#[tokio::test]
async fn the_backfill_ends_where_it_was_told_to() {
    let mut world = World::new();
    for day in ["20260301", "20260130", "20260129", "20200101"] {
        world.put(&format!("logs/web/{day}/pod_0.gz"), b"line");
    }
    let report = world.run().await;
    assert_eq!((report.got, report.too_old), (2, 2));
    world.source.backfill_days = 0;
    assert_eq!(world.run().await.got, 2);
}

#[tokio::test]
async fn a_failed_listing_neither_deletes_nor_hides() {
    for kind in [StoreErrorKind::Denied, StoreErrorKind::Odd, StoreErrorKind::Network] {
        let mut world = World::with_week();
        world.run().await;
        world.bucket.state().refused_lists.insert(DAY.to_owned(), kind);
        world.put(&in_day("hidden.gz"), b"hidden");
        world.put("logs/api/20260301/seen.gz", b"seen");
        let report = world.run().await;
        assert_eq!((report.gone, report.got, report.prefixes_failed), (0, 1, 1), "{kind:?}");
        assert_eq!(report.problems[0].place, format!("s3://bucket/{DAY}"));
        assert_eq!(world.states(), [(ObjectState::Mirrored, 43)]);
        world.bucket.state().refused_lists.clear();
        assert_eq!(world.run().await.got, 1);
    }
}

#[tokio::test]
async fn an_answer_about_something_else_is_not_believed() {
    let mut world = World::with_week();
    world.run().await;
    world.bucket.state().objects.clear();
    world.bucket.state().intruder = Some("elsewhere/x".to_owned());
    let report = world.run().await;
    assert_eq!((report.gone, report.prefix_count()), (0, 0));
    assert_eq!(report.problems[0].reason, "the answer holds keys outside the prefix");
    assert_eq!(world.states(), [(ObjectState::Mirrored, 42)]);
}

#[tokio::test]
async fn refused_objects_are_recorded_and_the_rest_goes_on() {
    let mut world = World::with_week();
    let refusals = [("pod_0.gz", StoreErrorKind::Denied), ("pod_1.gz", StoreErrorKind::Archived)];
    for (name, kind) in refusals {
        world.bucket.state().refused_gets.insert(in_day(name), kind);
    }
    let report = world.run().await;
    assert_eq!((report.got, report.failed, report.waiting), (40, 2, 2));
    assert!(report.has_problems());
    let expected = [(ObjectState::Mirrored, 40), (ObjectState::Denied, 1), (ObjectState::Archived, 1)];
    assert_eq!(world.states(), expected);
    // After 10 minutes, then after pauses that double to a day. They are counted in a line, and not named again.
    let mut tries = 0;
    for _ in 0..144 {
        let report = world.run().await;
        tries += world.gets();
        assert_eq!((report.problem_count, report.known.len(), report.waiting), (0, 2, 2));
        assert!(report.has_problems(), "the denied one may be permitted");
    }
    assert_eq!(tries, 2 * 7);
    world.bucket.state().refused_gets.remove(&in_day("pod_0.gz"));
    for _ in 0..144 {
        world.run().await;
    }
    let report = world.run().await;
    assert!(!report.has_problems() && report.waiting == 1, "an archived object does not come by itself");
    world.bucket.state().refused_gets.clear();
    for _ in 0..144 {
        world.run().await;
    }
    assert_eq!(world.states(), [(ObjectState::Mirrored, 42)]);
}

#[tokio::test]
async fn what_is_deleted_is_marked_and_kept() {
    let mut world = World::with_week();
    world.run().await;
    let gone = [in_day("pod_0.gz"), in_day("pod_1.gz"), "logs/api/20260301/pod_0.gz".to_owned()];
    for key in &gone {
        world.bucket.state().objects.remove(key);
    }
    // One of the two days is gone whole, so no listing of its application names it any more.
    let report = world.run().await;
    assert_eq!((report.gone, world.gets()), (3, 0));
    assert_eq!(world.states(), [(ObjectState::Mirrored, 39), (ObjectState::Deleted, 3)]);
    for key in &gone {
        assert_eq!(world.mirrored_version(&entry(key, b"line\n")).unwrap(), b"line\n");
    }
    // Back again: it is in the mirror already.
    world.put(&gone[0], b"line\n");
    let report = world.run().await;
    assert_eq!((report.new, report.adopted, world.gets()), (1, 1, 0));
}

#[tokio::test]
async fn an_object_overwritten_between_list_and_get_is_gotten_in_the_same_run() {
    let mut world = World::new();
    let key = in_day("pod_0.gz");
    world.put(&key, b"old");
    world.bucket.state().races.insert(key.clone(), Some(b"new".to_vec()));
    let report = world.run().await;
    assert_eq!((report.got, report.failed, report.changed), (1, 0, 1));
    assert!(!report.has_problems(), "{:?}", report.problems);
    assert_eq!(report.prefixes_listed.get(&Why::Again), Some(&1));
    assert_eq!(world.mirrored(&key).unwrap(), b"new");
}

#[tokio::test]
async fn an_object_deleted_between_list_and_get_is_gone() {
    let mut world = World::new();
    world.put(&in_day("pod_0.gz"), b"short-lived");
    world.put(&in_day("pod_1.gz"), b"staying");
    world.bucket.state().races.insert(in_day("pod_0.gz"), None);
    let report = world.run().await;
    assert_eq!((report.got, report.failed, report.gone, report.waiting), (1, 0, 1, 0));
    assert!(!report.has_problems(), "{:?}", report.problems);
}

#[tokio::test]
async fn an_object_that_is_listed_but_never_there_is_a_problem() {
    let mut world = World::new();
    world.put(&in_day("ghost.gz"), b"boo");
    world.bucket.state().refused_gets.insert(in_day("ghost.gz"), StoreErrorKind::Missing);
    let report = world.run().await;
    assert_eq!((report.failed, report.problem_count, world.gets()), (1, 1, 1));
    assert_eq!(world.states(), [(ObjectState::Missing, 1)]);
}

#[tokio::test]
async fn hostile_keys_come_to_lie_inside_the_mirror() {
    let mut world = World::new();
    let long = "x".repeat(1000);
    let names = [
        "../../../etc/passwd",
        "..",
        ".",
        "",
        "a//b",
        "a/",
        "a",
        "A",
        "a~1",
        "-rf",
        "\u{202e}gz",
        "%2e%2e/x",
        "b\n\0c",
        &long,
    ];
    for name in names {
        world.put(&in_day(name), name.as_bytes());
    }
    world.put("logs/../20260301/x.gz", b"no application");
    world.put("logs/loose.gz", b"loose");
    world.put("logs/web/archive/deep/x.gz", b"stray");
    let report = world.run().await;
    // The empty name is a folder marker.
    assert_eq!((report.got, report.folder_markers, report.unplaced, report.waiting), (16, 1, 3, 0));
    let keys: Vec<String> = world.bucket.state().objects.keys().cloned().collect();
    for key in keys.iter().filter(|key| *key != DAY) {
        assert_eq!(world.mirrored(key).unwrap(), world.bucket.state().objects[key], "{key:?}");
    }
    let inside = std::fs::read_dir(world.dir.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(inside.collect::<Vec<_>>(), ["mirror"]);
    // Told where they are, by folder and by key.
    let places: Vec<&str> = report.problems.iter().map(|problem| problem.place.as_str()).collect();
    for place in ["s3://bucket/logs/../", "s3://bucket/logs/loose.gz", "s3://bucket/logs/web/archive/"] {
        assert!(places.contains(&place), "{places:?}");
    }
}

#[tokio::test]
async fn a_deadline_stops_and_the_next_run_goes_on() {
    let mut world = World::with_week();
    world.options.parallel_gets = 1;
    let bucket = world.bucket.clone();
    world.options.deadline = Deadline::When(Arc::new(move || bucket.state().gets.len() >= 5));
    let report = world.run().await;
    assert!(report.deadline_reached && report.has_problems());
    assert_eq!((report.got, report.waiting), (5, 37));
    // The newest day came first.
    assert!(world.bucket.state().gets.iter().all(|key| key.contains("/20260301/")));
    world.options.deadline = Deadline::Never;
    let report = world.run().await;
    assert_eq!((report.got, report.waiting, report.new), (37, 0, 0));
}

#[tokio::test]
async fn a_deadline_before_the_backfill_is_listed_loses_no_day() {
    let mut world = World::with_week();
    let bucket = world.bucket.clone();
    world.options.deadline = Deadline::When(Arc::new(move || bucket.state().lists.len() >= 6));
    assert_eq!(world.run().await.got, 0);
    world.options.deadline = Deadline::Never;
    assert_eq!(world.run().await.got, 42);
}

#[tokio::test]
async fn a_source_that_cannot_be_read_does_not_stop_the_next() {
    use StoreErrorKind::{Config, Credentials, Network, NoBucket};
    for kind in [Credentials, NoBucket, Config, Network] {
        let mut world = World::with_week();
        world.put("other/web/20260301/x.gz", b"x");
        world.bucket.state().refused_lists.insert("logs/".to_owned(), kind);
        let other = SyncSource { name: "other".into(), prefix: "other/".to_owned(), ..world.source.clone() };
        let sources = [world.source.clone(), other];
        let report = sync(&sources, &mut world.ledger, &world.mirror, &world.options, &()).await.unwrap();
        assert_eq!((report.got, report.source_errors.len()), (1, 1));
        assert_eq!(
            (report.source_errors[0].source.as_str(), report.source_errors[0].error.kind),
            ("prod", kind)
        );
        // One request was enough to know.
        assert_eq!(world.lists().iter().filter(|prefix| prefix.starts_with("logs/")).count(), 1);
    }
}

#[tokio::test]
async fn credentials_that_end_while_reading_leave_the_rest_for_later() {
    let mut world = World::with_week();
    world.options.parallel_gets = 1;
    world
        .bucket
        .state()
        .refused_gets
        .insert("logs/jobs/20260301/pod_0.gz".to_owned(), StoreErrorKind::Credentials);
    let report = world.run().await;
    // The second object that is read.
    assert_eq!((report.got, report.failed, report.source_errors.len()), (1, 0, 1));
    assert!(world.gets() == 2 && world.states().contains(&(ObjectState::Mirrored, 1)));
    world.bucket.state().refused_gets.clear();
    let report = world.run().await;
    assert_eq!((report.got, report.waiting), (41, 0));
}

#[tokio::test]
async fn bytes_in_flight_are_bounded_and_a_large_object_goes_alone() {
    let mut world = World::new();
    for index in 0..20 {
        world.put(&in_day(&format!("small_{index}.gz")), &[index; 100]);
    }
    world.options.max_bytes_in_flight = 450;
    assert_eq!(world.run().await.got, 20);
    assert_eq!(world.bucket.state().most_in_flight, (4, 400));
    world.put(&in_day("a.gz"), &[1; 2000]);
    world.put(&in_day("b.gz"), &[2; 100]);
    world.bucket.state().most_in_flight = (0, 0);
    assert_eq!(world.run().await.got, 2);
    assert_eq!(world.bucket.state().most_in_flight, (1, 2000));
}

#[tokio::test]
async fn a_lost_ledger_takes_up_the_mirror_without_a_get() {
    let mut world = World::with_week();
    world.run().await;
    world.lose_ledger();
    let report = world.run().await;
    assert_eq!((report.adopted, report.got, world.gets()), (42, 0, 0));
    assert_eq!(world.states(), [(ObjectState::Mirrored, 42)]);

    // A file that rotted meanwhile is read again, although its length is the same.
    let rotten = files_below(&world.dir.path().join("mirror")).into_keys().next().unwrap();
    let rotten = world.dir.path().join("mirror").join(rotten);
    let mut bytes = std::fs::read(&rotten).unwrap();
    bytes[0] ^= 1;
    std::fs::write(&rotten, &bytes).unwrap();
    world.lose_ledger();
    let report = world.run().await;
    assert_eq!((report.adopted, report.got, world.gets()), (41, 1, 1));
    assert!(std::fs::read(&rotten).unwrap() != bytes);
}

#[tokio::test]
async fn a_disk_that_refuses_ends_the_run_and_the_next_goes_on() {
    let mut world = World::with_week();
    let blocked = world.dir.path().join("mirror/prod/logs");
    std::fs::create_dir_all(blocked.parent().unwrap()).unwrap();
    std::fs::write(&blocked, b"in the way").unwrap();
    let error = world.try_run().await.unwrap_err();
    assert!(error.to_string().contains("mirror/prod/logs"), "{error}");
    std::fs::remove_file(&blocked).unwrap();
    let report = world.run().await;
    assert_eq!((report.got + report.adopted, report.waiting), (42, 0));
}

#[tokio::test]
async fn today_is_where_the_keys_are_named() {
    let mut world = World::new();
    world.source.zone = TimeZone::get("Asia/Tokyo").unwrap();
    world.options.now_ms = NOON_MS + 4 * 60 * MINUTE_MS; // 01:00 on the 2nd in Tokyo
    for day in ["20260303", "20260226", "20260225"] {
        world.put(&format!("logs/web/{day}/pod_0.gz"), b"line");
    }
    world.run().await;
    world.run().await;
    assert_eq!(world.lists(), ["logs/", "logs/web/", "logs/web/20260226/", "logs/web/20260303/"]);
}

#[tokio::test]
async fn a_corrected_layout_moves_what_is_known() {
    let mut world = World::with_week();
    world.source.layout = Layout::parse("{date}/{app}/").unwrap();
    let report = world.run().await;
    assert_eq!((report.got, report.unplaced), (42, 42));
    world.source.layout = Layout::parse("{app}/{date}/").unwrap();
    let report = world.run().await;
    assert_eq!((report.got, report.unplaced, report.new, report.gone), (0, 0, 0, 0));
    let id = world.ledger.source_id(&"prod".into(), "s3://bucket/logs").unwrap();
    let known = world.ledger.known_objects(id, "logs/", false).unwrap();
    assert!(known.iter().all(|object| object.app.as_str() != "unplaced" && object.day.is_some()));
}

#[tokio::test]
async fn progress_is_told_without_printing() {
    struct Counter(AtomicUsize, AtomicUsize);
    impl gzette::flows::sync::Progress for Counter {
        fn listed(&self, _source: &SourceName, prefixes: u64, _objects: u64) {
            self.0.store(prefixes as usize, Ordering::Relaxed);
        }
        fn got(&self, _source: &SourceName, done: u64, total: u64, _bytes: u64) {
            assert!(done <= total);
            self.1.store(done as usize, Ordering::Relaxed);
        }
    }
    let mut world = World::with_week();
    let counter = Counter(AtomicUsize::new(0), AtomicUsize::new(0));
    sync(&[world.source.clone()], &mut world.ledger, &world.mirror, &world.options, &counter).await.unwrap();
    assert_eq!((counter.0.into_inner(), counter.1.into_inner()), (25, 42));
}
