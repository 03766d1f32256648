//! Publishes the rendered site to an object store: changed files only; first what pages refer to, then the pages,
//! `index.html` last, deletions at the very end. A reader never meets a link to a missing file,
//! and an interrupted publish continues where it stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::sync::Arc;

use flate2::{Compression, GzBuilder};
use tokio::task::JoinSet;

use crate::edges::ledger::{Ledger, LedgerError, PublishedChecksum};
use crate::edges::store::{ObjectStore, PutOptions, StoreError};
use gzette_core::model::UtcMs;

/// The page that is sent when all others are there.
const INDEX: &str = "index.html";
/// Files sent at once.
const PARALLEL_PUTS: usize = 8;
/// For files whose name changes with their bytes: a year, the longest that is understood (RFC 9111, 5.2.2).
const KEEP: &str = "public, max-age=31536000, immutable";
/// For all others: ask each time, the etag answers cheaply.
const ASK: &str = "no-cache";
/// Changed when files are served in another way for the same bytes, so that all are sent again.
const SERVING_VERSION: u8 = 1;

/// A file of the site.
#[derive(Clone, Copy, Debug)]
pub struct SiteFile<'a> {
    /// Its path below the site, `/` between.
    pub path: &'a str,
    /// Its `Content-Type`.
    pub content_type: &'a str,
    /// Its bytes, not compressed.
    pub bytes: &'a [u8],
    /// Whether the name changes with the bytes, so that browsers may keep it.
    pub immutable: bool,
}

/// Where a site goes.
#[derive(Clone)]
pub struct Target {
    /// The target's name in the ledger; its address.
    pub name: String,
    /// The store.
    pub store: Arc<dyn ObjectStore>,
    /// What every key begins with: empty, or ending in `/`.
    pub prefix: String,
}

/// What a publish did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct PublishReport {
    /// Files sent.
    pub put: u64,
    /// Files that were there already.
    pub unchanged: u64,
    /// Files deleted.
    pub deleted: u64,
}

/// Why a publish stopped. What had been sent is recorded; the next one goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// It was asked to stop, or its time was up.
    #[error("stopped before everything was sent (a signal or `--deadline`); the next run continues")]
    Stopped,
    /// Two files have one path.
    #[error("the site has two files named `{0}`")]
    Twice(String),
}

/// Sends what `target` does not have yet, then deletes what the site no longer has. Only files that were
/// published before are ever deleted.
pub async fn publish(
    files: &[SiteFile<'_>],
    target: &Target,
    ledger: &mut Ledger,
    now_ms: UtcMs,
) -> Result<PublishReport, PublishError> {
    let there = ledger.published(&target.name)?;
    let plan = plan(files, &there)?;
    let mut report =
        PublishReport { unchanged: (files.len() - plan.put.len()) as u64, ..PublishReport::default() };
    let paths: Vec<&str> = plan.put.iter().map(|file| file.path).collect();
    // What is about to be sent counts as unknown from here on: after a crash in the middle of a put it is sent again.
    ledger.begin_publish(&target.name, &paths, now_ms)?;
    for stage in plan.put.chunk_by(|a, b| stage_of(a) == stage_of(b)) {
        put_all(stage, target, ledger, now_ms).await?;
        report.put += stage.len() as u64;
    }
    // After all pages: until then an old page may still refer to the file.
    for path in plan.delete {
        target.store.delete(&target.key(&path)).await?;
        ledger.forget_published(&target.name, &path)?;
        report.deleted += 1;
    }
    Ok(report)
}

impl Target {
    fn key(&self, path: &str) -> String {
        format!("{}{path}", self.prefix)
    }
}

/// The writes and deletions of a publish.
struct Plan<'a> {
    /// In the order of [`stage_of`].
    put: Vec<SiteFile<'a>>,
    delete: Vec<String>,
}

fn plan<'a>(
    files: &[SiteFile<'a>],
    there: &BTreeMap<String, Option<PublishedChecksum>>,
) -> Result<Plan<'a>, PublishError> {
    let mut paths = BTreeSet::new();
    if let Some(twice) = files.iter().find(|file| !paths.insert(file.path)) {
        return Err(PublishError::Twice(twice.path.to_owned()));
    }
    let same = |file: &&SiteFile<'_>| there.get(file.path) != Some(&Some(checksum_of(file)));
    let mut put: Vec<SiteFile<'a>> = files.iter().filter(same).copied().collect();
    put.sort_by_key(stage_of);
    let gone = there.keys().filter(|path| !paths.contains(path.as_str()));
    Ok(Plan { put, delete: gone.cloned().collect() })
}

/// Returns when a file's turn is: what pages need, pages, the first page.
fn stage_of(file: &SiteFile<'_>) -> u8 {
    if file.path == INDEX {
        2
    } else {
        u8::from(file.content_type.starts_with("text/html") && !file.immutable)
    }
}

fn checksum_of(file: &SiteFile<'_>) -> PublishedChecksum {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[SERVING_VERSION, u8::from(file.immutable)]);
    // The length keeps type and bytes apart: otherwise two files could share a checksum.
    hasher.update(&(file.content_type.len() as u64).to_le_bytes());
    hasher.update(file.content_type.as_bytes());
    hasher.update(file.bytes);
    *hasher.finalize().as_bytes()
}

/// Sends files, some at once, and records each that arrived. After a failure no more are begun, but what
/// is on its way is waited for and recorded.
async fn put_all(
    files: &[SiteFile<'_>],
    target: &Target,
    ledger: &mut Ledger,
    now_ms: UtcMs,
) -> Result<(), PublishError> {
    let mut waiting = files.iter().enumerate();
    let mut running = JoinSet::new();
    let mut failure = None;
    loop {
        while failure.is_none() && running.len() < PARALLEL_PUTS {
            let Some((number, file)) = waiting.next() else {
                break;
            };
            running.spawn(put_one(number, file, target));
        }
        let Some(first) = running.join_next().await else {
            break;
        };
        let mut done = Vec::new();
        for outcome in std::iter::once(first).chain(std::iter::from_fn(|| running.try_join_next())) {
            // Puts do not panic and are never aborted.
            match outcome {
                Ok((number, Ok(()))) => done.push((files[number].path, checksum_of(&files[number]))),
                Ok((_, Err(error))) => failure = Some(error),
                Err(stopped) => std::panic::resume_unwind(stopped.into_panic()),
            }
        }
        ledger.confirm_published(&target.name, &done, now_ms)?;
    }
    failure.map_or(Ok(()), |error| Err(error.into()))
}

/// Returns the sending of one file, which owns all it needs.
fn put_one(
    number: usize,
    file: &SiteFile<'_>,
    target: &Target,
) -> impl Future<Output = (usize, Result<(), StoreError>)> + Send + 'static {
    let store = Arc::clone(&target.store);
    let key = target.key(file.path);
    // A folder cannot say that a file is compressed, so a web server would send gzip as HTML.
    let compress = store.keeps_headers() && is_text(file.content_type);
    let options = PutOptions {
        content_type: file.content_type.to_owned(),
        content_encoding: compress.then(|| "gzip".to_owned()),
        cache_control: Some(if file.immutable { KEEP } else { ASK }.to_owned()),
    };
    let body = if compress { gzipped(file.bytes) } else { file.bytes.to_vec() };
    async move { (number, store.put(&key, body, &options).await) }
}

fn is_text(content_type: &str) -> bool {
    const TEXT: [&str; 5] = [
        "application/javascript",
        "application/json",
        "application/xml",
        "application/manifest+json",
        "image/svg+xml",
    ];
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.starts_with("text/") || TEXT.contains(&kind)
}

/// Returns the same bytes for the same bytes: the header names no time and no system.
fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzBuilder::new()
        .mtime(0)
        .operating_system(255)
        .write(Vec::with_capacity(bytes.len() / 3), Compression::best());
    // Writing to memory cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_bytes_compress_to_the_same_bytes() {
        let gz = gzipped(b"hello hello hello");
        assert_eq!(gz, gzipped(b"hello hello hello"));
        assert_eq!(gz[4..8], [0; 4], "no time in the header");
        assert_eq!(gz[9], 255, "no system in the header");
    }
}
