//! Publishes the rendered site to an object store: changed files only; first what pages refer to, then the pages,
//! `index.html` last, deletions at the very end. A reader never meets a link to a missing file,
//! and an interrupted publish continues where it stopped.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
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
    ledger.begin_publish(&target.name, &paths, now_ms)?;
    for stage in plan.put.chunk_by(|a, b| stage_of(a) == stage_of(b)) {
        put_all(stage, target, ledger, now_ms).await?;
        report.put += stage.len() as u64;
    }
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

/// A file read from a rendered site's folder.
#[derive(Clone, Debug)]
pub struct FolderFile {
    path: String,
    content_type: &'static str,
    bytes: Vec<u8>,
    immutable: bool,
}

impl FolderFile {
    /// Returns the file as [`publish`] takes it.
    pub fn as_site_file(&self) -> SiteFile<'_> {
        SiteFile {
            path: &self.path,
            content_type: self.content_type,
            bytes: &self.bytes,
            immutable: self.immutable,
        }
    }
}

/// Reads a rendered site back from its folder, in the order of the paths. Hidden files and links are
/// passed over; the content type comes from the suffix, and a name with eight hexadecimal digits or more
/// before it is taken as one that changes with the bytes.
pub fn read_folder(dir: &Path) -> io::Result<Vec<FolderFile>> {
    let mut files = Vec::new();
    read_below(dir, "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn read_below(dir: &Path, base: &str, files: &mut Vec<FolderFile>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let name = entry.file_name().into_string();
        let Some(name) = name.ok().filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let found = entry.file_type()?;
        let path = format!("{base}{name}");
        if found.is_dir() {
            read_below(&entry.path(), &format!("{path}/"), files)?;
        } else if found.is_file() {
            files.push(FolderFile {
                content_type: content_type_of(&name),
                bytes: fs::read(entry.path())?,
                immutable: is_hashed(&name),
                path,
            });
        }
    }
    Ok(())
}

fn content_type_of(name: &str) -> &'static str {
    match name.rsplit_once('.').map_or("", |(_, suffix)| suffix) {
        "html" => "text/html; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "json" => "application/json",
        "csv" => "text/csv; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// `app.1f3a9c0d.js`, `app-1f3a9c0d.js`; pages keep their names, whatever those look like.
fn is_hashed(name: &str) -> bool {
    let Some((stem, suffix)) = name.rsplit_once('.') else {
        return false;
    };
    let last = stem.rsplit(['.', '-']).next().unwrap_or_default();
    let digits = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    suffix != "html" && last.len() < stem.len() && last.len() >= 8 && last.bytes().all(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_that_carry_a_hash_may_be_kept() {
        for name in ["app.1f3a9c0d.js", "site-0123456789abcdef.css"] {
            assert!(is_hashed(name), "{name}");
        }
        for name in ["app.js", "deadbeef.js", "g-deadbeef.html", "app.1f3a9c0.js", "data.2024010a-x.js", "x"]
        {
            assert!(!is_hashed(name), "{name}");
        }
    }

    #[test]
    fn the_same_bytes_compress_to_the_same_bytes() {
        let gz = gzipped(b"hello hello hello");
        assert_eq!(gz, gzipped(b"hello hello hello"));
        assert_eq!(gz[4..8], [0; 4], "no time in the header");
        assert_eq!(gz[9], 255, "no system in the header");
    }
}
