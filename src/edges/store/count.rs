//! Requests and bytes, counted from many tasks at once.

use std::sync::atomic::{AtomicU64, Ordering};

use gzette_core::model::Requests;

/// Counts what a store sends and receives.
#[derive(Debug, Default)]
pub(super) struct Counter {
    list: AtomicU64,
    get: AtomicU64,
    put: AtomicU64,
    received_bytes: AtomicU64,
    sent_bytes: AtomicU64,
}

impl Counter {
    pub(super) fn list(&self) {
        // Relaxed, here and below: the numbers guard nothing else in memory.
        self.list.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) {
        self.get.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn put(&self) {
        self.put.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn received(&self, bytes: usize) {
        self.received_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.sent_bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn requests(&self) -> Requests {
        Requests {
            list: self.list.load(Ordering::Relaxed),
            get: self.get.load(Ordering::Relaxed),
            put: self.put.load(Ordering::Relaxed),
            received_bytes: self.received_bytes.load(Ordering::Relaxed),
            sent_bytes: self.sent_bytes.load(Ordering::Relaxed),
        }
    }
}
