//! Objects that the mirror lacks, or has only in part, fetched from their sources for one search.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::runtime::Runtime;

use crate::edges::ledger::Ledger;
use crate::edges::store::{ObjectStore, StoreError, StoreErrorKind, get_version};
use crate::shell::project::{Project, runtime};
use crate::shell::ui::Ui;
use gzette_core::human;
use gzette_core::model::{GenerationId, ListedObject, ObjectVersion, SourceName, UtcMs};

/// This many bytes are kept for readers that need an object twice: for its context, or for a file.
const KEPT_BYTES: u64 = 32 << 20;

/// The sources of a project, connected when the first object is wanted.
pub(super) struct Remote<'p> {
    project: &'p Project,
    offline: bool,
    connected: OnceLock<Result<Connected, String>>,
    /// Sources that cannot be reached at all, and why: they are asked once.
    broken: Mutex<BTreeMap<SourceName, String>>,
    kept: Mutex<BTreeMap<GenerationId, Vec<u8>>>,
    objects: AtomicU64,
    bytes: AtomicU64,
}

struct Connected {
    runtime: Runtime,
    stores: BTreeMap<SourceName, Arc<dyn ObjectStore>>,
    /// What is known of the bytes of each version. The search's own ledger belongs to its thread.
    ledger: Mutex<Ledger>,
}

impl<'p> Remote<'p> {
    /// Returns the sources; `offline` ones refuse everything.
    pub(super) fn new(project: &'p Project, offline: bool) -> Self {
        Self {
            project,
            offline,
            connected: OnceLock::new(),
            broken: Mutex::default(),
            kept: Mutex::default(),
            objects: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// Says how much was fetched, if anything was.
    pub(super) fn tell(&self, ui: &Ui) {
        let (objects, bytes) = (self.objects.load(Ordering::Relaxed), self.bytes.load(Ordering::Relaxed));
        if objects > 0 {
            let objects = human::plural(objects, "object");
            ui.stage(
                "fetch",
                &format!("{objects} that the mirror lacks or has only in part ({})", human::bytes(bytes)),
            );
        }
    }

    /// Fetches one version of an object; its etag and size are checked as in a sync, its bytes where the etag differs.
    pub(super) fn fetch(&self, object: &ObjectVersion) -> io::Result<Vec<u8>> {
        if self.offline {
            return Err(io::Error::other("`--offline` forbids it"));
        }
        if let Some(bytes) = self.kept().get(&object.generation) {
            return Ok(bytes.clone());
        }
        let connected = self.connected.get_or_init(|| connect(self.project));
        let connected = connected.as_ref().map_err(|reason| io::Error::other(reason.clone()))?;
        let store = connected.stores.get(&object.source).ok_or_else(|| {
            io::Error::other(format!("the configuration has no source `{}`", object.source))
        })?;
        if let Some(reason) = self.broken().get(&object.source) {
            return Err(io::Error::other(reason.clone()));
        }
        match connected.read(store.as_ref(), object) {
            Ok(bytes) => {
                self.objects.fetch_add(1, Ordering::Relaxed);
                let length = bytes.len() as u64;
                if self.bytes.fetch_add(length, Ordering::Relaxed) + length <= KEPT_BYTES {
                    self.kept().insert(object.generation, bytes.clone());
                }
                Ok(bytes)
            }
            Err(error) => {
                if is_for_all(&error) {
                    self.broken().insert(object.source.clone(), error.reason.clone());
                }
                Err(io::Error::other(error.reason))
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, BTreeMap<GenerationId, Vec<u8>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn broken(&self) -> MutexGuard<'_, BTreeMap<SourceName, String>> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connected {
    fn read(&self, store: &dyn ObjectStore, object: &ObjectVersion) -> Result<Vec<u8>, StoreError> {
        let wanted = ListedObject {
            key: object.key.clone(),
            etag: object.etag.clone(),
            size_bytes: object.size_bytes,
            modified_ms: UtcMs::EPOCH,
        };
        // A ledger that does not answer proves nothing: then only the etag does.
        let known = self.ledger().known_bytes_of(object).unwrap_or_default();
        self.runtime.block_on(get_version(store, &wanted, &known))
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn connect(project: &Project) -> Result<Connected, String> {
    let runtime = runtime().map_err(|failure| failure.message)?;
    let sources = runtime.block_on(project.sources()).map_err(|failure| failure.message)?;
    let stores = sources.into_iter().map(|source| (source.name, source.store)).collect();
    let ledger = Mutex::new(project.ledger_read_only().map_err(|failure| failure.message)?);
    Ok(Connected { runtime, stores, ledger })
}

/// Whether the next object of the source would fare no better.
fn is_for_all(error: &StoreError) -> bool {
    use StoreErrorKind::{Clock, Config, Credentials, Network, NoBucket};
    matches!(error.kind, Network | Credentials | Clock | Config | NoBucket)
}
