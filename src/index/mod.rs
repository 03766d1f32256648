//! The tantivy index of blocks. It says where to look, never what is there: its answer to a search is a
//! superset of blocks, and the lines in the mirror decide. Writing is in [`write`], asking in [`candidates`],
//! the common words of a segment in [`terms`], those that are in few blocks in [`rare`], and what a whole segment
//! holds in [`summary`].

mod candidates;
mod rare;
mod schema;
mod summary;
mod terms;
#[cfg(test)]
mod tests;
mod write;

pub use candidates::{Candidate, Candidates, Wanted};
pub use write::{IndexWriter, SegmentBuilder, Segments};

use std::fs::File;
use std::path::{Path, PathBuf};

use tantivy::directory::MmapDirectory;
use tantivy::store::Compressor;
use tantivy::{IndexSettings, TantivyError};

use crate::model::{GenerationId, Level, UtcMs};

/// Where a block lies and what times and levels it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockAddress {
    /// The ingested object.
    pub generation: GenerationId,
    /// The number of its first line, from 1.
    pub first_line: u64,
    /// How many lines.
    pub lines: u64,
    /// Its first byte in the decoded object.
    pub offset: u64,
    /// Its length in the decoded object.
    pub length: u64,
    /// The earliest and the latest time of its lines, those that inherit theirs included.
    pub first_ms: UtcMs,
    /// See `first_ms`.
    pub last_ms: UtcMs,
    /// The time that a line without one inherits at the block's start.
    pub carry_ms: UtcMs,
    /// The level of the event that a continuation line at the block's start belongs to.
    pub carry_level: Level,
    /// A mask of [`Level::bit`]s of its lines.
    pub levels: u8,
    /// The CRC-32 of its decoded bytes, by which a search knows that they are those that were indexed.
    pub crc: u32,
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
}

/// What an index call returns.
pub type Result<T> = std::result::Result<T, IndexError>;

/// An open index.
pub struct Index {
    inner: tantivy::Index,
    fields: schema::Fields,
    dir: PathBuf,
}

impl Index {
    /// Opens the index in `dir`; `None` when there is none, or it is of another schema. Its files are not looked at
    /// before they are needed; see [`Index::is_whole`].
    pub fn open(dir: &Path) -> Option<Self> {
        let (schema, fields) = schema::schema();
        let inner = tantivy::Index::open(MmapDirectory::open(dir).ok()?).ok()?;
        (inner.schema() == schema).then(|| Self { inner, fields, dir: dir.to_owned() })
    }

    /// Whether none of its files is missing or cut.
    pub fn is_whole(&self) -> bool {
        self.searcher().is_ok()
    }

    /// Creates an empty index in `dir`, replacing what is there.
    pub fn create(dir: &Path) -> Result<Self> {
        let io = |source| IndexError::Io { path: dir.to_owned(), source };
        if dir.exists() {
            std::fs::remove_dir_all(dir).map_err(io)?;
        }
        std::fs::create_dir_all(dir).map_err(io)?;
        let (schema, fields) = schema::schema();
        let directory = MmapDirectory::open(dir).map_err(TantivyError::from)?;
        let inner = tantivy::Index::create(directory, schema, settings())?;
        Ok(Self { inner, fields, dir: dir.to_owned() })
    }

    /// Removes the index in `dir`, if there is one; the next ingest builds it again from the mirror.
    pub fn remove(dir: &Path) -> Result<()> {
        match std::fs::remove_dir_all(dir) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                Err(IndexError::Io { path: dir.to_owned(), source })
            }
            _ => Ok(()),
        }
    }

    fn io(&self, source: std::io::Error) -> IndexError {
        IndexError::Io { path: self.dir.clone(), source }
    }

    /// Returns a random id for this index.
    pub fn new_uuid(&self) -> String {
        self.inner.new_segment().id().uuid_string()
    }

    /// Returns what the last commit says of itself; `None` when it says nothing (no commit, or a wreck).
    pub fn payload(&self) -> Option<Payload> {
        let metas = self.inner.load_metas().ok()?;
        serde_json::from_str(metas.payload.as_deref()?).ok()
    }

    /// Returns the number of documents by generation, for comparing with the ledger.
    pub fn generations(&self) -> Result<Vec<(GenerationId, i64, u64)>> {
        let searcher = self.searcher()?;
        let mut found = std::collections::BTreeMap::new();
        for reader in searcher.segment_readers() {
            let generations = reader.fast_fields().i64("generation")?.first_or_default_col(0);
            let batches = reader.fast_fields().i64("batch")?.first_or_default_col(0);
            for doc in reader.doc_ids_alive() {
                *found.entry((GenerationId(generations.get_val(doc)), batches.get_val(doc))).or_default() +=
                    1;
            }
        }
        Ok(found.into_iter().map(|((generation, batch), documents)| (generation, batch, documents)).collect())
    }

    /// Checks the checksum of every file; returns the damaged ones.
    pub fn damaged_files(&self) -> Result<Vec<PathBuf>> {
        let mut damaged: Vec<_> = self.inner.validate_checksum()?.into_iter().collect();
        for segment in self.segment_names()? {
            let summary = summary::damaged(&self.dir, &segment);
            damaged.extend(summary.map_err(|source| self.io(source))?);
        }
        Ok(damaged)
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
        let io = |source| IndexError::Io { path: self.dir.clone(), source };
        File::open(&self.dir).map_err(io)?.sync_all().map_err(io)
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
