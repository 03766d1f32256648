//! One version of an object, read from a store where its etag may have become another one.

use std::io::Cursor;

use super::{ObjectStore, StoreError, StoreErrorKind};
use gzette_core::decode::Limits;
use gzette_core::model::{KnownBytes, ListedObject};
use gzette_core::proof::prove;

/// Reads the version of an object that was listed: as [`ObjectStore::get`] does, and under another etag if the bytes
/// are proved by what is known of them.
pub async fn get_version(
    store: &dyn ObjectStore,
    object: &ListedObject,
    known: &KnownBytes,
) -> Result<Vec<u8>, StoreError> {
    // A bucket that was moved or encrypted again has other etags for the same bytes, and so has a gateway that
    // encrypts. Without a checksum nothing tells such an object from one that was replaced.
    let changed = match store.get(object).await {
        Err(error) if error.kind == StoreErrorKind::Changed && known.has_checksum() => error,
        read => return read,
    };
    match store.get_unmatched(object).await {
        Ok(bytes) => proved(bytes, object, known).await.ok_or(changed),
        // Another size.
        Err(error) if error.kind == StoreErrorKind::Odd => Err(changed),
        Err(error) => Err(error),
    }
}

/// Returns the bytes if they are the version, off the threads that wait for the network.
async fn proved(bytes: Vec<u8>, object: &ListedObject, known: &KnownBytes) -> Option<Vec<u8>> {
    let (etag, known) = (object.etag.clone(), *known);
    let work = move || {
        let is_version = prove(&mut Cursor::new(&bytes), &etag, &known, &Limits::default()).is_ok();
        is_version.then_some(bytes)
    };
    match tokio::task::spawn_blocking(work).await {
        Ok(proved) => proved,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
