//! Where objects are stored: one trait, implemented by S3, a folder and memory. All three pass the same suite
//! (`tests/it/store.rs`). Retries, time limits and checks of answers are in `s3`, where faults occur.

mod count;
mod damage;
mod dir;
mod error;
mod failure;
mod location;
mod memory;
mod page;
mod s3;
mod version;

pub use dir::DirStore;
pub use error::{Action, Service, StoreError, StoreErrorKind};
pub use location::{Location, open, parse_url};
pub use memory::MemoryStore;
pub use s3::{S3Credentials, S3Limits, S3Options, S3Store};
pub use version::get_version;

use std::future::Future;
use std::pin::Pin;

use gzette_core::model::{ListedObject, Requests};

/// What a store call returns: boxed, so that stores can be chosen at run time.
pub type StoreFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A complete listing of a prefix.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The objects, in the byte order of their keys.
    pub objects: Vec<ListedObject>,
    /// With a delimiter: the prefixes up to and including it, in byte order.
    pub prefixes: Vec<String>,
}

/// What to store an object with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PutOptions {
    /// `Content-Type`.
    pub content_type: String,
    /// `Content-Encoding`, when the bytes are compressed for the reader.
    pub content_encoding: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
}

/// A place of objects. Keys are whole keys of the bucket (for a folder: paths below it, `/` between).
pub trait ObjectStore: Send + Sync {
    /// Lists everything under `prefix`; with `delimited`, only up to the next `/`. Complete or an error:
    /// a failed or odd page never reads as an end.
    fn list<'a>(&'a self, prefix: &'a str, delimited: bool) -> StoreFuture<'a, Listing>;

    /// Lists everything under `prefix`, unless that takes more than `most_pages` requests: then the answer is `None`.
    fn list_within<'a>(&'a self, prefix: &'a str, most_pages: u64) -> StoreFuture<'a, Option<Listing>> {
        // What needs no requests has no pages.
        let _ = most_pages;
        Box::pin(async move { self.list(prefix, false).await.map(Some) })
    }

    /// Reads the whole object if its etag is still the listed one, checked against listed size and, where the
    /// etag is one, MD5. A damaged object that no checksum vouches for is read twice.
    fn get<'a>(&'a self, object: &'a ListedObject) -> StoreFuture<'a, Vec<u8>>;

    /// Reads the whole object whatever its etag is when it is read, for a server that gives other etags for reading than
    /// for listing, and for [`get_version`]. What vouches for the bytes is their size, and their own checksums or a second read.
    fn get_unmatched<'a>(&'a self, object: &'a ListedObject) -> StoreFuture<'a, Vec<u8>> {
        self.get(object)
    }

    /// Writes an object.
    fn put<'a>(&'a self, key: &'a str, body: Vec<u8>, options: &'a PutOptions) -> StoreFuture<'a, ()>;

    /// Deletes an object; a missing one is not an error.
    fn delete<'a>(&'a self, key: &'a str) -> StoreFuture<'a, ()>;

    /// Returns whether objects keep the headers they are put with; where not, bytes must be stored as
    /// they are to be read, not compressed for a browser.
    fn keeps_headers(&self) -> bool {
        true
    }

    /// Returns what kind of store it is.
    fn service(&self) -> Service;

    /// Returns the requests sent so far.
    fn requests(&self) -> Requests;

    /// Returns how people would write the place of `key`: `s3://bucket/key` or a path.
    fn describe(&self, key: &str) -> String;
}
