//! Writing: workers build segments of their own, one commit takes them all in.

use std::sync::Mutex;

use tantivy::indexer::{AddOperation, NoMergePolicy, SegmentWriter};
use tantivy::{Segment, SegmentMeta, Term};

use super::schema::{BlockDocument, Fields};
use super::{BlockAddress, Index, Payload, Result, vocabulary};
use crate::words::BlockWords;

/// The memory that a worker's segment may take before it is written out. Fewer and larger segments make
/// searches quicker; two workers and their buffers stay well under 300 MB.
const SEGMENT_BYTES: usize = 48 << 20;

/// tantivy's own worker is not used; this is the least it accepts, and it takes it only when used.
const UNUSED_WORKER_BYTES: usize = 15_000_000;

/// Over so many segments, a commit is followed by a merge.
const MANY_SEGMENTS: usize = 100;

/// A merge takes the smallest segments, at most so many documents in all, so that it stays short.
const MERGE_DOCUMENTS: u64 = 200_000;

/// The index, open for one batch after another. Only one writer can be open.
pub struct IndexWriter<'i> {
    index: &'i Index,
    inner: tantivy::IndexWriter<BlockDocument>,
}

/// The segments that workers have finished and no commit has taken in yet.
#[derive(Default)]
pub struct Segments(Mutex<Vec<SegmentMeta>>);

impl Index {
    /// Opens the index for writing.
    pub fn writer(&self) -> Result<IndexWriter<'_>> {
        let inner = self.inner.writer_with_num_threads(1, UNUSED_WORKER_BYTES)?;
        inner.set_merge_policy(Box::new(NoMergePolicy));
        Ok(IndexWriter { index: self, inner })
    }

    /// Returns a builder of segments for one worker thread.
    pub fn segment_builder<'s>(&'s self, finished: &'s Segments) -> SegmentBuilder<'s> {
        SegmentBuilder { index: self, finished, open: None }
    }
}

impl IndexWriter<'_> {
    /// Removes the documents of a generation with the next commit.
    pub fn delete_generation(&self, generation: crate::model::GenerationId) {
        self.inner.delete_term(Term::from_field_i64(self.index.fields.generation, generation.0));
    }

    /// Takes in the finished segments and what was deleted, durably, as the state after `payload.batch`.
    pub fn commit(&mut self, finished: &Segments, payload: &Payload) -> Result<()> {
        for meta in finished.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).drain(..) {
            self.inner.add_segment(meta)?;
        }
        self.commit_payload(payload)?;
        // What a crashed run left half-written goes with it.
        self.inner.garbage_collect_files().wait()?;
        vocabulary::refresh(self.index)
    }

    /// Merges the smallest segments when there are many; keeps the payload.
    pub fn merge_if_many(&mut self, payload: &Payload) -> Result<()> {
        let mut metas = self.index.inner.searchable_segment_metas()?;
        if metas.len() <= MANY_SEGMENTS {
            return Ok(());
        }
        metas.sort_by_key(|meta| (meta.num_docs(), meta.id()));
        let mut documents = 0;
        let small: Vec<_> = metas
            .iter()
            .take(metas.len() - MANY_SEGMENTS / 4)
            .take_while(|meta| {
                documents += u64::from(meta.num_docs());
                documents <= MERGE_DOCUMENTS
            })
            .map(SegmentMeta::id)
            .collect();
        if small.len() < 2 {
            return Ok(());
        }
        self.inner.merge(&small).wait()?;
        self.commit_payload(payload)?;
        self.inner.garbage_collect_files().wait()?;
        vocabulary::refresh(self.index)
    }

    fn commit_payload(&mut self, payload: &Payload) -> Result<()> {
        let mut prepared = self.inner.prepare_commit()?;
        prepared.set_payload(&serde_json::json!(payload).to_string());
        prepared.commit()?;
        // tantivy renames its meta file without syncing the folder.
        self.index.sync_dir()
    }
}

/// Builds the segments of one worker.
pub struct SegmentBuilder<'s> {
    index: &'s Index,
    finished: &'s Segments,
    open: Option<(Segment, SegmentWriter)>,
}

impl SegmentBuilder<'_> {
    /// Adds a block.
    pub fn add(&mut self, address: &BlockAddress, batch: i64, words: BlockWords) -> Result<()> {
        let fields: Fields = self.index.fields;
        let (_, writer) = if let Some(open) = &mut self.open {
            open
        } else {
            let segment = self.index.inner.new_segment();
            let writer = SegmentWriter::for_segment(SEGMENT_BYTES, segment.clone())?;
            self.open.insert((segment, writer))
        };
        let document = BlockDocument::new(fields, address, batch, words);
        writer.add_document(AddOperation { opstamp: 0, document })?;
        if writer.mem_usage() >= SEGMENT_BYTES {
            self.finish()?;
        }
        Ok(())
    }

    /// Writes out what is open; it waits for a commit.
    pub fn finish(&mut self) -> Result<()> {
        let Some((segment, writer)) = self.open.take() else {
            return Ok(());
        };
        let documents = writer.max_doc();
        writer.finalize()?;
        let meta = segment.with_max_doc(documents).meta().clone();
        meta.untrack_temp_docstore();
        self.finished.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(meta);
        Ok(())
    }
}
