//! A ledger for tests, told as a story of log lines.

use std::collections::BTreeMap;
use std::io;

use super::{GetRecord, Ledger, ListingRecord};
use gzette_core::model::{DAY_MS, HOUR_MS, Level, ListedObject, MINUTE_MS, UtcMs};
use gzette_core::parse::PARSER_VERSION;
use gzette_core::partial::{About, Ingested, Partial, ReadSettings, Reading, read_object};
use gzette_core::plan::{Diff, ObjectState, PlacedObject};

/// The name of the story's source.
pub(crate) const SOURCE: &str = "prod";
/// What the story's keys begin with.
pub(crate) const PREFIX: &str = "logs/";

/// Log lines by object; an object holds an hour of an application and is stored two minutes after it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Story {
    objects: BTreeMap<String, Told>,
    backwards: bool,
    failed: Vec<(String, ObjectState, &'static str)>,
    uncounted: Vec<String>,
}

#[derive(Clone, Debug)]
struct Told {
    app: String,
    modified_ms: UtcMs,
    text: Vec<u8>,
}

impl Story {
    /// Adds an event.
    pub(crate) fn event(mut self, app: &str, time_ms: UtcMs, level: Level, message: &str) -> Self {
        let hour = time_ms.stretch(HOUR_MS);
        let key = format!("{PREFIX}{app}/{hour}.gz");
        let object = self.objects.entry(key).or_insert_with(|| Told {
            app: app.to_owned(),
            modified_ms: UtcMs::EPOCH + (hour + 1) * HOUR_MS + 2 * MINUTE_MS,
            text: Vec::new(),
        });
        let time = time_ms.stamp().unwrap();
        let message = serde_json::Value::from(message);
        let line = format!(
            "{{\"@timestamp\":\"{time}\",\"level\":\"{level}\",\"logger\":\"c.Main\",\"message\":{message}}}\n"
        );
        object.text.extend(line.into_bytes());
        self
    }

    /// Adds an INFO event to the object of an hour that is stamped with a time of its own.
    pub(crate) fn ahead(mut self, app: &str, time_ms: UtcMs, stamp_ms: UtcMs) -> Self {
        let key = format!("{PREFIX}{app}/{}.gz", time_ms.stretch(HOUR_MS));
        let time = stamp_ms.stamp().unwrap();
        let line = format!("{{\"@timestamp\":\"{time}\",\"level\":\"INFO\",\"message\":\"ahead\"}}\n");
        self.objects.get_mut(&key).unwrap().text.extend(line.into_bytes());
        self
    }

    /// Adds `number` events, a second apart.
    pub(crate) fn events(self, number: u64, app: &str, time_ms: UtcMs, level: Level, message: &str) -> Self {
        (0..number as i64).fold(self, |story, at| story.event(app, time_ms + at * 1000, level, message))
    }

    /// Adds an INFO event every ten minutes of the `days` before `until_ms`.
    pub(crate) fn heartbeat(self, app: &str, days: i64, until_ms: UtcMs) -> Self {
        let beats = days * DAY_MS / (10 * MINUTE_MS);
        (1..=beats).rev().fold(self, |story, beat| {
            story.event(app, until_ms - beat * 10 * MINUTE_MS, Level::Info, "alive")
        })
    }

    /// Adds an object with the bytes of another one.
    pub(crate) fn twice(mut self, app: &str, time_ms: UtcMs) -> Self {
        let hour = time_ms.stretch(HOUR_MS);
        let copy = self.objects[&format!("{PREFIX}{app}/{hour}.gz")].clone();
        self.objects.insert(format!("{PREFIX}{app}/{hour}_1.gz"), copy);
        self
    }

    /// Adds an object of an hour that holds only damage.
    pub(crate) fn damaged(mut self, app: &str, time_ms: UtcMs) -> Self {
        let hour = time_ms.stretch(HOUR_MS);
        let modified_ms = UtcMs::EPOCH + (hour + 1) * HOUR_MS + 2 * MINUTE_MS;
        let told = Told { app: app.to_owned(), modified_ms, text: b"\x1f\x8b\x08 no more of it".to_vec() };
        self.objects.insert(format!("{PREFIX}{app}/{hour}.gz"), told);
        self
    }

    /// Adds an event to the object of an hour that is fetched and not counted.
    pub(crate) fn uncounted(self, app: &str, time_ms: UtcMs) -> Self {
        let key = format!("{PREFIX}{app}/{}.gz", time_ms.stretch(HOUR_MS));
        let mut story = self.event(app, time_ms, Level::Info, "not counted");
        story.uncounted.push(key);
        story
    }

    /// Adds an object that cannot be read.
    pub(crate) fn unreadable(mut self, key: &str, state: ObjectState, why: &'static str) -> Self {
        self.failed.push((format!("{PREFIX}{key}"), state, why));
        self
    }

    /// Commits the last object first, each in a batch of its own.
    pub(crate) fn backwards(mut self) -> Self {
        self.backwards = true;
        self
    }

    /// Returns the ledger, all objects listed at `now_ms`.
    pub(crate) fn ledger(&self, now_ms: UtcMs) -> Ledger {
        let mut ledger = Ledger::in_memory().unwrap();
        let source = ledger.source_id(&SOURCE.into(), "s3://bucket/logs").unwrap();
        let read =
            self.objects.iter().map(|(key, told)| placed(key, &told.app, told.modified_ms, &told.text));
        let app = |key: &str| key[PREFIX.len()..].split('/').next().unwrap_or_default().to_owned();
        let failed = self.failed.iter().map(|(key, ..)| placed(key, &app(key), now_ms, b""));
        let mut new: Vec<_> = read.chain(failed).collect();
        if self.backwards {
            new.reverse();
        }
        let diff = Diff { new, ..Diff::default() };
        let entries = diff.new.len() as u64;
        let listing = ListingRecord { prefix: PREFIX, now_ms, entries, diff: &diff, found: &[] };
        ledger.record_listing(source, &listing).unwrap();
        self.get_all(&mut ledger, source);
        self.ingest_all(&mut ledger, now_ms);
        ledger
    }

    fn get_all(&self, ledger: &mut Ledger, source: i64) {
        let pending = ledger.pending_objects(source).unwrap();
        let get = |id| {
            let object = ledger.listed_object(id).unwrap();
            let failure = self.failed.iter().find(|(key, ..)| object.key == **key);
            GetRecord {
                object_id: id,
                etag: object.etag,
                size_bytes: object.size_bytes,
                state: failure.map_or(ObjectState::Mirrored, |failure| failure.1),
                reason: failure.map(|failure| failure.2.to_owned()),
                stored_checksum: None,
            }
        };
        let gets: Vec<_> = pending.iter().map(|object| get(object.id)).collect();
        ledger.record_gets(&gets, UtcMs::EPOCH).unwrap();
    }

    fn ingest_all(&self, ledger: &mut Ledger, now_ms: UtcMs) {
        let mut pending = ledger.pending(usize::MAX >> 1).unwrap();
        pending.retain(|object| !self.uncounted.iter().any(|key| object.key == **key));
        if self.backwards {
            pending.reverse();
        }
        let batch_objects = if self.backwards { 1 } else { pending.len().max(1) };
        for objects in pending.chunks(batch_objects) {
            let ingested = objects.iter().map(|object| Ingested {
                object: object.clone(),
                partial: read(&self.objects[object.key.as_str()].text),
                reading: Reading { parser_version: PARSER_VERSION, grouping: 1 },
                stored_checksum: None,
                is_read_again: false,
            });
            let batch: Vec<_> = ingested.collect();
            ledger.commit_batch(&batch, now_ms).unwrap();
        }
    }
}

fn placed(key: &str, app: &str, modified_ms: UtcMs, text: &[u8]) -> PlacedObject {
    PlacedObject {
        object: ListedObject {
            key: key.into(),
            etag: blake3::hash(text).to_hex()[..32].to_owned(),
            size_bytes: text.len() as u64,
            modified_ms,
        },
        app: app.into(),
        day: None,
    }
}

fn read(text: &[u8]) -> Partial {
    read_object::<_, io::Error>(text, &ReadSettings::default(), &About::default(), |_, _| Ok(())).unwrap()
}
