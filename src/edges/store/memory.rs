//! A store in memory, which tests use instead of a bucket; it passes the same suite.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use md5::{Digest as _, Md5};

use super::count::Counter;
use super::{Action, Listing, ObjectStore, PutOptions, Service, StoreError, StoreErrorKind, StoreFuture};
use gzette_core::model::{ListedObject, Requests, UtcMs};

/// Objects in memory; etags are MD5, as for simple uploads to S3.
#[derive(Debug, Default)]
pub struct MemoryStore {
    objects: Mutex<BTreeMap<String, Stored>>,
    counter: Counter,
}

#[derive(Clone, Debug)]
struct Stored {
    body: Vec<u8>,
    etag: String,
    /// No clock here: the number of the write.
    modified_ms: UtcMs,
    options: PutOptions,
}

impl MemoryStore {
    /// Returns an empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns what the object of `key` was stored with.
    pub fn options(&self, key: &str) -> Option<PutOptions> {
        self.locked().get(key).map(|stored| stored.options.clone())
    }

    fn locked(&self) -> MutexGuard<'_, BTreeMap<String, Stored>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn list_now(&self, prefix: &str, delimited: bool) -> Listing {
        self.counter.list();
        let mut objects = Vec::new();
        let mut prefixes = BTreeSet::new();
        for (key, stored) in self.locked().range(prefix.to_owned()..) {
            let Some(rest) = key.strip_prefix(prefix) else {
                break;
            };
            match rest.find('/').filter(|_| delimited) {
                Some(slash) => {
                    prefixes.insert(key[..=prefix.len() + slash].to_owned());
                }
                None => objects.push(stored.listed_as(key)),
            }
        }
        Listing { objects, prefixes: prefixes.into_iter().collect() }
    }

    fn get_now(&self, object: &ListedObject, matched: bool) -> Result<Vec<u8>, StoreError> {
        self.counter.get();
        let place = self.describe(&object.key);
        let fail = |kind, reason| StoreError::new(kind, self.service(), Action::Get, &place, reason);
        let objects = self.locked();
        let Some(stored) = objects.get(object.key.as_str()) else {
            return Err(fail(StoreErrorKind::Missing, "no such key"));
        };
        if matched && stored.etag != object.etag {
            return Err(fail(StoreErrorKind::Changed, "the etag differs"));
        }
        self.counter.received(stored.body.len());
        if stored.body.len() as u64 != object.size_bytes {
            return Err(fail(StoreErrorKind::Odd, "the size differs from the listing"));
        }
        Ok(stored.body.clone())
    }

    fn put_now(&self, key: &str, body: Vec<u8>, options: &PutOptions) {
        self.counter.put();
        self.counter.sent(body.len());
        let stored = Stored {
            etag: hex(&Md5::digest(&body)),
            modified_ms: UtcMs::new(self.counter.requests().put as i64),
            body,
            options: options.clone(),
        };
        self.locked().insert(key.to_owned(), stored);
    }
}

impl Stored {
    fn listed_as(&self, key: &str) -> ListedObject {
        ListedObject {
            key: key.into(),
            etag: self.etag.clone(),
            size_bytes: self.body.len() as u64,
            modified_ms: self.modified_ms,
        }
    }
}

impl ObjectStore for MemoryStore {
    fn list<'a>(&'a self, prefix: &'a str, delimited: bool) -> StoreFuture<'a, Listing> {
        Box::pin(async move { Ok(self.list_now(prefix, delimited)) })
    }

    fn get<'a>(&'a self, object: &'a ListedObject) -> StoreFuture<'a, Vec<u8>> {
        Box::pin(async move { self.get_now(object, true) })
    }

    fn get_unmatched<'a>(&'a self, object: &'a ListedObject) -> StoreFuture<'a, Vec<u8>> {
        Box::pin(async move { self.get_now(object, false) })
    }

    fn put<'a>(&'a self, key: &'a str, body: Vec<u8>, options: &'a PutOptions) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.put_now(key, body, options);
            Ok(())
        })
    }

    fn delete<'a>(&'a self, key: &'a str) -> StoreFuture<'a, ()> {
        Box::pin(async move {
            self.counter.put();
            self.locked().remove(key);
            Ok(())
        })
    }

    fn service(&self) -> Service {
        Service::Memory
    }

    fn requests(&self) -> Requests {
        self.counter.requests()
    }

    fn describe(&self, key: &str) -> String {
        format!("memory:{key}")
    }
}

/// Returns bytes as lowercase hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}
