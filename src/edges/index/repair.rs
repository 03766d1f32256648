//! Repairs an index whose files are missing, cut or changed: the segments they belong to are dropped, and the
//! next ingest rebuilds their blocks.

use std::path::{Path, PathBuf};

use tantivy::index::SegmentComponent;
use tantivy::{Directory as _, SegmentMeta};

use super::summary::{self, Summary};
use super::{Index, IndexError, Payload, Result};

/// The file in which tantivy lists the segments.
const META: &str = "meta.json";

/// The batch that an index claims while it lacks something: searches then read the mirror, and the next
/// ingest tries again.
pub const INCOMPLETE: i64 = 0;

impl Index {
    /// Gives up the segments that have lost a file or hold a changed one, and returns these files. An index that was
    /// whole costs a look at the names and times of its files.
    pub fn repair(&self) -> Result<Vec<PathBuf>> {
        let mut metas = self.inner.load_metas()?;
        let mut damaged = Vec::new();
        metas.segments.retain(|meta| {
            let unsound = files(meta).find(|name| !self.guard.has_sound(name));
            damaged.extend(unsound.iter().cloned());
            unsound.is_none()
        });
        // Claimed before anything else is done: a kill from here on leaves an index that says it is incomplete.
        if !damaged.is_empty() {
            let payload = Payload { batch: INCOMPLETE, uuid: self.uuid.clone() };
            metas.payload = Some(serde_json::json!(payload).to_string());
            let content = serde_json::json!(metas).to_string();
            let written = self.inner.directory().atomic_write(Path::new(META), content.as_bytes());
            written.map_err(|source| self.io(source))?;
            self.sync_dir()?;
        }
        for meta in metas.segments {
            let segment = self.inner.segment(meta);
            // A lost summary costs time only, so the segment is kept and gets a new one.
            if Summary::open(&self.guard, &segment.id().uuid_string()).is_none() {
                self.write_summary(&segment)?;
            }
        }
        self.seal()?;
        Ok(damaged)
    }

    /// Returns the files that are missing or not as they were written, by reading all of them.
    pub fn damaged_files(&self) -> Result<Vec<PathBuf>> {
        let metas = self.inner.load_metas()?;
        let names = metas.segments.iter().flat_map(files);
        let mut damaged: Vec<_> = names.filter(|name| !self.guard.has_sound_bytes(name)).collect();
        for segment in self.segment_names()? {
            let summary = summary::damaged(self.dir(), &segment);
            damaged.extend(summary.map_err(|source| self.io(source))?);
        }
        Ok(damaged)
    }

    /// Seals the files of the last commit.
    pub(super) fn seal(&self) -> Result<()> {
        let metas = self.inner.load_metas()?;
        let summaries = metas.segments.iter().map(|meta| summary::name(&meta.id().uuid_string()));
        let names = metas.segments.iter().flat_map(files).chain(summaries);
        self.guard.seal(names).map_err(|source| IndexError::Io { path: self.dir().to_owned(), source })
    }
}

/// Returns the files that tantivy wrote for a segment.
fn files(meta: &SegmentMeta) -> impl Iterator<Item = PathBuf> {
    use SegmentComponent::{Delete, FastFields, FieldNorms, Positions, Postings, Store, Terms};
    let deletes = meta.has_deletes().then_some(Delete);
    let parts = [Terms, Postings, Positions, FieldNorms, FastFields, Store].into_iter().chain(deletes);
    parts.map(|part| meta.relative_path(part))
}
