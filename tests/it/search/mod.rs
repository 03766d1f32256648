//! Search finds what grep finds, exactly: in the library over generated objects, and the binary beside
//! the real `zgrep`.

mod any_line;
mod binary;
mod context;
mod counting;
mod expressions;
mod follow;
mod hints;
mod inherited;
mod letters;
mod newest;
mod output;
mod readings;
mod replaced;
mod rot;
mod show;
mod wrecks;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::{fs, thread};

use gzette::edges::index::Index;
use gzette::edges::ledger::Ledger;
use gzette::edges::mirror::Mirror;
use gzette::edges::store::{MemoryStore, ObjectStore as _, PutOptions};
use gzette::flows::ingest::{ingest, own_index};
use gzette::flows::prune::{PruneReport, PruneSettings, prune};
use gzette::flows::search::{Hit, Library, Request, SearchReport, search};
use gzette::flows::sync::{SyncOptions, SyncSource, sync};
use gzette_core::model::ObjectVersion;
use gzette_core::partial::SourceSettings;
use gzette_core::plan::Layout;
use gzette_core::query::Expr;
use gzette_core::retention::Retention;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::support::{NOON_MS, gz, lines_of, once};

/// A store, its mirror, ledger and index, through the library.
struct Shelf {
    runtime: Runtime,
    store: Arc<MemoryStore>,
    source: SyncSource,
    ledger: Ledger,
    mirror: Mirror,
    settings: SourceSettings,
    dir: TempDir,
    /// The objects of the store, decoded and stored.
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
            name: "prod".into(),
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

    /// Puts an object of this many members, cut anywhere.
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

    /// Drops what has expired. As in [`Self::ingest`], a program that is just starting may hold the index's lock.
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

    /// Returns what is found with the present index.
    fn search(&self, request: &Request) -> (Vec<Hit>, SearchReport) {
        self.search_with(self.index().as_ref(), request)
    }

    /// Fetches from the store what was pruned from the mirror.
    fn search_with(&self, index: Option<&Index>, request: &Request) -> (Vec<Hit>, SearchReport) {
        let stored = &self.stored;
        let fetch = |object: &ObjectVersion| Ok(stored[object.key.as_str()].clone());
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
