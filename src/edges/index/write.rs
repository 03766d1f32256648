//! Writing: workers build segments of their own, one commit takes them all in.

use std::sync::{Arc, Mutex, PoisonError};

use tantivy::index::SegmentId;
use tantivy::indexer::{AddOperation, NoMergePolicy, SegmentWriter};
use tantivy::{SegmentMeta, SegmentReader, Term};

use super::numbers::{NAMES, Numbers, column};
use super::schema::{self, BlockDocument, Fields, Stored};
use super::summary::{self, How, SummaryBuilder};
use super::terms;
use super::{Index, Payload, Result, rare};
use gzette_core::model::{GenerationId, UtcMs};
use gzette_core::partial::Block;
use gzette_core::words::numbers::ShortNumbers;
use gzette_core::words::{BlockWords, WordSet};

/// The memory that the words of a worker's segment may take before it is written out. Fewer and larger
/// segments make searches quicker; two workers and their buffers stay well under 300 MB.
const SEGMENT_BYTES: usize = 40 << 20;

/// The memory budget of a segment that tantivy is given, from which it sizes its first table. The common words
/// of a segment need less.
const TANTIVY_BYTES: usize = 16 << 20;

/// A word that is in no more blocks of a segment than this is a rare one, and packed with each of them: a
/// term of tantivy's takes about 2 µs and 10 bytes, a packed word a tenth of the time and half its letters.
const RARE_BLOCKS: u8 = 4;

/// A block's filter of sampled words takes at most one byte in so many of the block.
const FILTER_SHARE: usize = 12;

/// tantivy's own worker is not used; this is the least it accepts, and it takes it only when used.
const UNUSED_WORKER_BYTES: usize = 15_000_000;

/// A merge makes segments of at most this many documents, so that it stays short, and that searches, which hold a segment
/// or two in memory, need little of it.
const MERGE_DOCUMENTS: u64 = 20_000;

/// The blocks of stored documents that are kept while a merged segment is read in order.
const MERGED_BLOCKS: usize = 1;

/// When this many segments could be merged with another, a commit is followed by a merge.
const MANY_SMALL: usize = 100;

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
        // tantivy would merge in the background, into segments without a summary. Merges are made here, between
        // batches.
        inner.set_merge_policy(Box::new(NoMergePolicy));
        // What a crashed run left half-written may have the name of what comes now.
        inner.garbage_collect_files().wait()?;
        Ok(IndexWriter { index: self, inner })
    }

    /// Returns a builder of segments for one worker thread.
    pub fn segment_builder<'s>(&'s self, finished: &'s Segments) -> SegmentBuilder<'s> {
        SegmentBuilder { index: self, finished, gathered: Gathered::default() }
    }

    /// Writes the summary of a segment that has none.
    pub(super) fn write_summary(&self, segment: &tantivy::Segment) -> Result<()> {
        let Some(summary) = self.summary(&SegmentReader::open(segment)?)? else { return Ok(()) };
        let name = segment.id().uuid_string();
        summary.write(self.dir(), &name).map_err(|source| self.io(source))
    }

    /// Returns what a segment holds; `None` when its documents make no sense.
    fn summary(&self, segment: &SegmentReader) -> Result<Option<SummaryBuilder>> {
        let io = |source| self.io(source);
        let mut builder = SummaryBuilder::default();
        let (first_ms, last_ms) = (column(segment, NAMES.first_ms)?, column(segment, NAMES.last_ms)?);
        builder.add_span(UtcMs::new(first_ms.min_value()), UtcMs::new(last_ms.max_value()));
        let store = segment.get_store_reader(MERGED_BLOCKS).map_err(io)?;
        let mut rare_text = WordSet::default();
        terms::each(&*segment.inverted_index(self.fields.words)?, |term| {
            if schema::is_flag(term) {
                builder.add_flag(term);
            } else {
                builder.add_unpacked(term, How::Common);
            }
        })
        .map_err(io)?;
        let mut numbers = ShortNumbers::default();
        for doc in 0..segment.max_doc() {
            let document = store.get_document_bytes(doc)?;
            let Some(Stored { rare: packed, .. }) = Stored::read(&document) else { return Ok(None) };
            let Some(packed) = rare::parts(packed) else { return Ok(None) };
            numbers.add_all(&packed.numbers);
            packed.classes.iter().for_each(|&(letters, words)| builder.add_packed(letters, words));
            packed.text_words().for_each(|word| _ = rare_text.add(word));
        }
        builder.add_numbers(&numbers);
        rare_text.iter().for_each(|word| builder.add_unpacked(word, How::Rare));
        Ok(Some(builder))
    }
}

impl IndexWriter<'_> {
    /// Removes the documents of a generation with the next commit.
    pub fn delete_generation(&self, generation: GenerationId) {
        self.inner.delete_term(Term::from_field_i64(self.index.fields.numbers.generation, generation.0));
    }

    /// Commits the finished segments and the deletions durably, as the state after `payload.batch`.
    pub fn commit(&mut self, finished: &Segments, payload: &Payload) -> Result<()> {
        let finished = std::mem::take(&mut *finished.0.lock().unwrap_or_else(PoisonError::into_inner));
        let has_finished = !finished.is_empty();
        for meta in finished {
            self.inner.add_segment(meta)?;
        }
        self.commit_payload(payload)?;
        // What a crashed run left half-written goes with it.
        self.inner.garbage_collect_files().wait()?;
        // Summaries of segments that wait for a commit are still needed.
        if has_finished { self.remove_stray_summaries() } else { Ok(()) }
    }

    fn remove_stray_summaries(&self) -> Result<()> {
        let segments = self.index.segment_names()?;
        summary::remove_strays(self.index.dir(), &segments).map_err(|source| self.index.io(source))
    }

    /// Merges segments to one with a summary of its own.
    fn merge(&mut self, segments: &[SegmentId]) -> Result<()> {
        let Some(merged) = self.inner.merge(segments).wait()? else { return Ok(()) };
        let segment = self.index.inner.segment(merged);
        // Without a summary the segment is read.
        self.index.write_summary(&segment)
    }

    /// Rewrites segments that deletions have left half empty, so that these free their space; keeps the
    /// payload.
    pub fn shrink(&mut self, payload: &Payload) -> Result<()> {
        let mut metas = self.index.inner.searchable_segment_metas()?;
        metas.retain(|meta| meta.num_deleted_docs() * 2 >= meta.max_doc());
        for meta in &metas {
            self.merge(&[meta.id()])?;
        }
        if metas.is_empty() {
            return Ok(());
        }
        self.commit_payload(payload)?;
        self.inner.garbage_collect_files().wait()?;
        self.remove_stray_summaries()
    }

    /// Merges the smallest segments when there are many; keeps the payload.
    pub fn merge_if_many(&mut self, payload: &Payload) -> Result<()> {
        let mut metas = self.index.inner.searchable_segment_metas()?;
        metas.retain(|meta| u64::from(meta.num_docs()) <= MERGE_DOCUMENTS / 2);
        if metas.len() <= MANY_SMALL {
            return Ok(());
        }
        metas.sort_by_key(|meta| (meta.num_docs(), meta.id()));
        let mut documents = 0;
        let small: Vec<_> = metas
            .iter()
            .take_while(|meta| {
                documents += u64::from(meta.num_docs());
                documents <= MERGE_DOCUMENTS
            })
            .map(SegmentMeta::id)
            .collect();
        self.merge(&small)?;
        self.commit_payload(payload)?;
        self.inner.garbage_collect_files().wait()?;
        self.remove_stray_summaries()
    }

    fn commit_payload(&mut self, payload: &Payload) -> Result<()> {
        let mut prepared = self.inner.prepare_commit()?;
        prepared.set_payload(&serde_json::json!(payload).to_string());
        prepared.commit()?;
        // tantivy renames its meta file without syncing the folder.
        self.index.sync_dir()?;
        self.index.seal()
    }
}

/// Builds the segments of one worker.
pub struct SegmentBuilder<'s> {
    index: &'s Index,
    finished: &'s Segments,
    gathered: Gathered,
}

/// The blocks of a segment. Which of their words are common is known when the last one is there.
#[derive(Default)]
struct Gathered {
    packed_bytes: usize,
    summary: SummaryBuilder,
    /// The short numbers of all blocks.
    short: ShortNumbers,
    /// The words that are not packed with every block.
    words: WordSet,
    /// The number of blocks that hold each word, as far as it matters.
    blocks_with: Vec<u8>,
    /// The words of all blocks, block after block.
    numbers: Vec<u32>,
    blocks: Vec<GatheredBlock>,
}

struct GatheredBlock {
    numbers: Numbers<i64>,
    flags: Vec<&'static [u8]>,
    packed: Vec<u8>,
    /// Of the sampled words.
    filter: Vec<u8>,
    streams: Vec<u8>,
    /// Where its words end in [`Gathered::numbers`].
    end: usize,
}

impl SegmentBuilder<'_> {
    /// Adds a block of a generation.
    pub fn add(
        &mut self,
        generation: GenerationId,
        batch: i64,
        block: &Block,
        words: &BlockWords,
    ) -> Result<()> {
        self.gathered.add(Numbers::of(generation, batch, block), block.place.stream_bytes(), words);
        if self.gathered.memory_bytes() >= SEGMENT_BYTES {
            self.finish()?;
        }
        Ok(())
    }

    /// Writes out the collected documents; they wait for a commit.
    pub fn finish(&mut self) -> Result<()> {
        let gathered = std::mem::take(&mut self.gathered);
        if gathered.blocks.is_empty() {
            return Ok(());
        }
        let segment = self.index.inner.new_segment();
        let mut writer = SegmentWriter::for_segment(TANTIVY_BYTES, segment.clone())?;
        let documents = gathered.blocks.len() as u32;
        let summary = gathered.each_document(self.index.fields, |document| {
            writer.add_document(AddOperation { opstamp: 0, document })
        })?;
        writer.finalize()?;
        let name = segment.id().uuid_string();
        summary.write(self.index.dir(), &name).map_err(|source| self.index.io(source))?;
        let meta = segment.with_max_doc(documents).meta().clone();
        meta.untrack_temp_docstore();
        self.finished.0.lock().unwrap_or_else(PoisonError::into_inner).push(meta);
        Ok(())
    }
}

impl Gathered {
    fn add(&mut self, numbers: Numbers<i64>, streams: Vec<u8>, words: &BlockWords) {
        self.summary.add_span(UtcMs::new(numbers.first_ms), UtcMs::new(numbers.last_ms));
        self.short.add_all(&words.numbers);
        words.hex.classes().for_each(|(letters, words)| self.summary.add_packed(letters, words));
        for word in words.text.iter() {
            let number = self.words.add(word);
            match self.blocks_with.get_mut(number as usize) {
                Some(blocks) => *blocks = blocks.saturating_add(1),
                None => self.blocks_with.push(1),
            }
            self.numbers.push(number);
        }
        let (flags, packed) = (schema::flags(words), rare::pack(words));
        let filter = if words.grams.is_empty() {
            Vec::new()
        } else {
            words.grams.filter(numbers.length as usize / FILTER_SHARE)
        };
        self.packed_bytes += packed.len() + filter.len() + streams.len();
        self.blocks.push(GatheredBlock { numbers, flags, packed, filter, streams, end: self.numbers.len() });
    }

    fn memory_bytes(&self) -> usize {
        self.packed_bytes
            + self.summary.memory_bytes()
            + self.words.memory_bytes()
            + self.blocks_with.capacity()
            + self.numbers.capacity() * 4
    }

    /// Makes the documents, and the summary of all.
    fn each_document(
        self,
        fields: Fields,
        mut add: impl FnMut(BlockDocument) -> tantivy::Result<()>,
    ) -> tantivy::Result<SummaryBuilder> {
        let mut summary = self.summary;
        summary.add_numbers(&self.short);
        for (word, &blocks) in self.words.iter().zip(&self.blocks_with) {
            summary.add_unpacked(word, if blocks <= RARE_BLOCKS { How::Rare } else { How::Common });
        }
        let words = Arc::new(self.words);
        let mut start = 0;
        for block in self.blocks {
            let of_block = self.numbers[start..block.end].iter();
            let (rare, common): (Vec<u32>, Vec<u32>) =
                of_block.partition(|&&number| self.blocks_with[number as usize] <= RARE_BLOCKS);
            let mut packed = block.packed;
            rare::add_text(&mut packed, rare.iter().map(|&number| words.word(number)));
            block.flags.iter().for_each(|flag| summary.add_flag(flag));
            start = block.end;
            add(BlockDocument {
                fields,
                numbers: block.numbers,
                words: Arc::clone(&words),
                common,
                flags: block.flags,
                stored: Stored { rare: &packed, filter: &block.filter }.write(),
                streams: block.streams,
            })?;
        }
        Ok(summary)
    }
}
