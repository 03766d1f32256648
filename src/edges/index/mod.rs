//! The tantivy index of blocks. It says where to look, never what is there: its answer to a search is a
//! superset of blocks, and the lines in the mirror decide. [`write`] writes, [`candidates`] searches,
//! the common words of a segment in [`terms`], those that are in few blocks in [`rare`], what a whole segment holds in
//! [`summary`], and which files are trusted in [`guard`].

mod candidates;
mod directory;
mod guard;
mod numbers;
mod rare;
mod repair;
mod schema;
mod summary;
mod terms;
#[cfg(test)]
mod tests;
mod write;

pub use candidates::{Candidates, Wanted};
pub use repair::INCOMPLETE;
pub use write::{IndexWriter, SegmentBuilder, Segments};

use std::path::{Path, PathBuf};

use tantivy::directory::error::{OpenReadError, OpenWriteError};
use tantivy::store::Compressor;
use tantivy::{IndexSettings, TantivyError};

use self::guard::Guard;
use self::numbers::{NAMES, column};
use crate::edges::disk;
use gzette_core::model::GenerationId;
use gzette_core::partial::Block;

/// A block of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexedBlock {
    /// The ingested object.
    pub generation: GenerationId,
    /// Where it is in the object, and what it holds.
    pub block: Block,
}

/// What the last commit says of itself.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Payload {
    /// The last batch it holds.
    pub batch: i64,
    /// The id of this index, as the ledger knows it.
    pub uuid: String,
}

/// What went wrong in the index.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// tantivy refused.
    #[error("index: {0}")]
    Tantivy(#[from] TantivyError),
    /// A file of the index could not be read or written.
    #[error("index `{path}`: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Since it was opened, another index was put in its place, or a repair has given up some of its segments.
    #[error("index: it was replaced or repaired meanwhile")]
    Replaced,
}

impl IndexError {
    /// Returns the underlying error of the file system, if there is one.
    pub fn io(&self) -> Option<&std::io::Error> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Tantivy(
                TantivyError::IoError(error)
                | TantivyError::OpenWriteError(OpenWriteError::IoError { io_error: error, .. })
                | TantivyError::OpenReadError(OpenReadError::IoError { io_error: error, .. }),
            ) => Some(error),
            _ => None,
        }
    }
}

/// Why an index is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unusable {
    /// It is not there, cannot be opened, or has another format.
    #[error("the index was lost, damaged or written by another version of gzette")]
    Unreadable,
    /// It is not the one that the ledger names.
    #[error("the index belonged to another ledger")]
    Foreign,
}

/// What an index call returns.
pub type Result<T> = std::result::Result<T, IndexError>;

/// An open index.
pub struct Index {
    inner: tantivy::Index,
    fields: schema::Fields,
    guard: Guard,
    uuid: String,
}

impl Index {
    /// Opens the index in `dir` that has this id. Its files are not looked at before they are needed; see
    /// [`Index::repair`].
    pub fn open(dir: &Path, uuid: &str) -> std::result::Result<Self, Unusable> {
        let (schema, fields) = schema::schema();
        let open = || {
            let guard = Guard::new(dir)?;
            Ok::<_, TantivyError>((tantivy::Index::open(guard.clone())?, guard))
        };
        let (inner, guard) = open().map_err(|_| Unusable::Unreadable)?;
        let index = Self { inner, fields, guard, uuid: uuid.to_owned() };
        if index.inner.schema() != schema {
            return Err(Unusable::Unreadable);
        }
        if index.payload().is_none() { Err(Unusable::Foreign) } else { Ok(index) }
    }

    /// Returns what there is of an index in `dir` that this user may not read, and why; `None`: nothing.
    pub fn refused(dir: &Path) -> Option<IndexError> {
        directory::refused(dir).map(|(path, source)| IndexError::Io { path, source })
    }

    /// Removes what a crash left half-written in `dir`. Only for the holder of the state directory's lock.
    pub fn clean(dir: &Path) -> Result<()> {
        directory::clean(dir).map(drop).map_err(|source| IndexError::Io { path: dir.to_owned(), source })
    }

    /// Creates an empty index with a new id in `dir`, replacing an existing one.
    pub fn create(dir: &Path) -> Result<Self> {
        Self::remove(dir)?;
        let io = |source| IndexError::Io { path: dir.to_owned(), source };
        std::fs::create_dir_all(dir).map_err(io)?;
        let (schema, fields) = schema::schema();
        let guard = Guard::new(dir)?;
        let inner = tantivy::Index::create(guard.clone(), schema, settings())?;
        let uuid = inner.new_segment().id().uuid_string();
        Ok(Self { inner, fields, guard, uuid })
    }

    /// Removes the index in `dir`, if there is one; the next ingest builds it again from the mirror.
    pub fn remove(dir: &Path) -> Result<()> {
        let removed = match std::fs::symlink_metadata(dir) {
            Ok(metadata) if !metadata.is_dir() => std::fs::remove_file(dir),
            _ => std::fs::remove_dir_all(dir),
        };
        match removed {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(IndexError::Io { path: dir.to_owned(), source })
            }
            _ => Ok(()),
        }
    }

    fn io(&self, source: std::io::Error) -> IndexError {
        IndexError::Io { path: self.dir().to_owned(), source }
    }

    fn dir(&self) -> &Path {
        self.guard.dir()
    }

    /// Returns its id, which the ledger knows.
    pub fn uuid(&self) -> &str {
        &self.uuid
    }

    /// Returns what the last commit says of itself; `None` when it says nothing (no commit, or a wreck), or is that of
    /// another index.
    pub fn payload(&self) -> Option<Payload> {
        self.payload_of(&self.inner.load_metas().ok()?)
    }

    fn payload_of(&self, metas: &tantivy::IndexMeta) -> Option<Payload> {
        let payload: Payload = serde_json::from_str(metas.payload.as_deref()?).ok()?;
        (payload.uuid == self.uuid).then_some(payload)
    }

    /// Returns the segments of the last commit, if that holds all batches up to one.
    fn segments(&self, batch: i64) -> Result<Vec<tantivy::Segment>> {
        let metas = self.inner.load_metas()?;
        if self.payload_of(&metas).is_none_or(|payload| payload.batch < batch) {
            return Err(IndexError::Replaced);
        }
        Ok(metas.segments.into_iter().map(|meta| self.inner.segment(meta)).collect())
    }

    /// Returns the number of documents by generation, for comparing with the ledger.
    pub fn generations(&self) -> Result<Vec<(GenerationId, i64, u64)>> {
        let searcher = self.searcher()?;
        let mut found = std::collections::BTreeMap::new();
        for reader in searcher.segment_readers() {
            let (generations, batches) = (column(reader, NAMES.generation)?, column(reader, NAMES.batch)?);
            for doc in reader.doc_ids_alive() {
                *found.entry((GenerationId(generations.get_val(doc)), batches.get_val(doc))).or_default() +=
                    1;
            }
        }
        Ok(found.into_iter().map(|((generation, batch), documents)| (generation, batch, documents)).collect())
    }

    /// Returns what the names of the segments' files begin with.
    fn segment_names(&self) -> Result<Vec<String>> {
        let ids = self.inner.searchable_segment_ids()?;
        Ok(ids.iter().map(tantivy::index::SegmentId::uuid_string).collect())
    }

    fn searcher(&self) -> Result<tantivy::Searcher> {
        let builder = self.inner.reader_builder().reload_policy(tantivy::ReloadPolicy::Manual);
        let reader: tantivy::IndexReader = builder.try_into()?;
        Ok(reader.searcher())
    }

    fn sync_dir(&self) -> Result<()> {
        disk::sync_folder(self.dir()).map_err(|source| self.io(source))
    }
}

/// Returns how tantivy keeps documents: as they are, since packed words hardly get smaller.
fn settings() -> IndexSettings {
    IndexSettings {
        docstore_compression: Compressor::None,
        docstore_compress_dedicated_thread: false,
        ..IndexSettings::default()
    }
}
