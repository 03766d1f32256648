//! Asking: which blocks may hold a match. A segment whose summary says that it holds none is not opened. In one that is,
//! whole words are looked up first, and parts of words only while the blocks left are still many, for many words may
//! have them. A word is among a segment's terms or packed with its blocks, in a merged segment both.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tantivy::columnar::BytesColumn;
use tantivy::directory::OwnedBytes;
use tantivy::directory::error::OpenReadError;
use tantivy::index::SegmentComponent;
use tantivy::store::StoreReader;
use tantivy::{DocId, InvertedIndexReader, SegmentReader, TantivyError};

use super::numbers::{Column, NAMES, Numbers, column};
use super::rare::Packed;
use super::schema::{CUT_LINE_FLAG, SAMPLED_FLAG, STREAMS, Stored, UNICODE_ESCAPE_FLAG};
use super::summary::{How, Summary};
use super::terms::{self, Part};
use super::{Index, IndexError, IndexedBlock, Result, rare};
use gzette_core::model::{GenerationId, UtcMs, Window};
use gzette_core::query::Need;
use gzette_core::words::grams::{self, is_sampled};
use gzette_core::words::numbers::is_short_number;
use gzette_core::workers;

/// With no more blocks than this left, reading them is cheaper than walking a segment's terms: a block is
/// read and matched in about 0.1 ms, ten thousand terms are walked in about 1 ms.
const FEW_BLOCKS: usize = 32;

/// The stored documents of a segment are read in order; a few of tantivy's 16 KiB blocks of them are kept.
const CACHED_BLOCKS: usize = 4;

/// How often the list of segments is read, when one of them was merged away meanwhile.
const TRIES: u32 = 5;

/// A part of a word with more words than this says too little to be worth their postings.
const MANY_WORDS: usize = 4096;

/// More than one in this many documents counts as most of them.
const MOST: usize = 4;

/// A part of a word of fewer digits than this is in some id of nearly every block.
const SHORT_PART: usize = 3;

/// What a search asks of the index.
pub struct Wanted<'w> {
    /// The condition on words.
    pub need: &'w Need,
    /// The generations searched; the ledger knows which count.
    pub generations: &'w HashSet<GenerationId>,
    /// The times searched.
    pub window: Window,
    /// A mask of [`Level::bit`](gzette_core::model::Level::bit)s.
    pub levels: u8,
    /// The batch up to which the index has to hold all blocks.
    pub batch: i64,
}

/// The candidates of a search, ordered by generation and place.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// The blocks.
    pub blocks: Vec<IndexedBlock>,
    /// How many blocks the index holds.
    pub of: u64,
}

impl Index {
    /// Returns the blocks that may hold a match.
    pub fn candidates(&self, wanted: &Wanted<'_>) -> Result<Candidates> {
        let mut tries = TRIES;
        loop {
            tries -= 1;
            match self.candidates_now(wanted) {
                Err(IndexError::Tantivy(error)) if tries > 0 && is_gone(&error) => {}
                found => return found,
            }
        }
    }

    /// Each segment is opened when its turn comes and closed afterwards, so that a large index takes little memory. A
    /// concurrent run may merge one away before that.
    fn candidates_now(&self, wanted: &Wanted<'_>) -> Result<Candidates> {
        let segments = self.segments(wanted.batch)?;
        let mut blocks = self.collect(&segments, wanted)?;
        blocks.sort_unstable_by_key(|block: &IndexedBlock| (block.generation, block.block.first_line));
        // A read that failed half-way may have left blocks that its repetition wrote again.
        blocks.dedup_by_key(|block| (block.generation, block.block.first_line));
        let documents = segments.iter().map(|segment| u64::from(segment.meta().num_docs())).sum();
        Ok(Candidates { blocks, of: documents })
    }

    /// Asks the segments, as many at a time as there are processors.
    fn collect(&self, segments: &[tantivy::Segment], wanted: &Wanted<'_>) -> Result<Vec<IndexedBlock>> {
        let next = AtomicUsize::new(0);
        let work = || -> Result<Vec<IndexedBlock>> {
            let mut blocks = Vec::new();
            while let Some(segment) = segments.get(next.fetch_add(1, Ordering::Relaxed)) {
                let summary = Summary::open(&self.guard, &segment.id().uuid_string());
                if summary.as_ref().is_none_or(|summary| summary.may_meet(wanted.window, wanted.need)) {
                    let reader = SegmentReader::open(segment)?;
                    Segment::open(self, segment, &reader, summary)?.collect(wanted, &mut blocks)?;
                }
            }
            Ok(blocks)
        };
        let found: Result<Vec<_>> =
            workers::each(workers::count().min(segments.len()), work).into_iter().collect();
        Ok(found?.concat())
    }
}

/// Whether a file was removed since the list of segments was read.
fn is_gone(error: &TantivyError) -> bool {
    matches!(error, TantivyError::OpenReadError(OpenReadError::FileDoesNotExist(_)))
}

/// Some of a segment's documents, in order.
type Docs = Vec<DocId>;

struct Segment<'s> {
    index: &'s Index,
    reader: &'s SegmentReader,
    columns: Columns,
    rare: StoreReader,
    summary: Option<Summary>,
    /// The stored data of all documents, as in the file.
    stored: OwnedBytes,
}

impl<'s> Segment<'s> {
    fn open(
        index: &'s Index,
        segment: &tantivy::Segment,
        reader: &'s SegmentReader,
        summary: Option<Summary>,
    ) -> Result<Self> {
        let io = |source| index.io(source);
        let stored = segment.open_read(SegmentComponent::Store).map_err(TantivyError::from)?;
        Ok(Self {
            index,
            reader,
            columns: Columns::open(reader)?,
            rare: reader.get_store_reader(CACHED_BLOCKS).map_err(io)?,
            summary,
            stored: stored.read_bytes().map_err(io)?,
        })
    }

    fn collect(&self, wanted: &Wanted<'_>, blocks: &mut Vec<IndexedBlock>) -> Result<()> {
        if !self.columns.may_meet(wanted.window) {
            return Ok(());
        }
        let within: Docs =
            self.reader.doc_ids_alive().filter(|&doc| self.columns.is_wanted(doc, wanted)).collect();
        // The words of a line that was cut are not all known.
        let cut = common_to(within.clone(), &self.postings(&[CUT_LINE_FLAG])?);
        let docs = union(self.docs(wanted.need, within)?, cut);
        for doc in docs {
            blocks.push(self.columns.block(doc).map_err(|source| self.index.io(source))?);
        }
        Ok(())
    }

    /// The documents of `within` that fulfil `need`, or more.
    fn docs(&self, need: &Need, within: Docs) -> Result<Docs> {
        if within.is_empty() {
            return Ok(within);
        }
        match need {
            Need::Anything => Ok(within),
            Need::Word(word) => self.word(word, within),
            Need::UnicodeEscape => Ok(common_to(within, &self.postings(&[UNICODE_ESCAPE_FLAG])?)),
            Need::Levels(levels) => Ok(self.with_levels(*levels, within)),
            Need::Prefix(part) => self.part(Part::Prefix(part), within),
            Need::Suffix(part) => self.part(Part::Suffix(part), within),
            Need::Inner(part) => self.part(Part::Inner(part), within),
            Need::Any(needs) => self.any(needs, &within),
            Need::All(needs) => self.all(needs, within),
        }
    }

    fn with_levels(&self, levels: u8, mut within: Docs) -> Docs {
        within.retain(|&doc| self.columns.has_level(doc, levels));
        within
    }

    fn any(&self, needs: &[Need], within: &Docs) -> Result<Docs> {
        needs.iter().try_fold(Vec::new(), |found, need| Ok(union(found, self.docs(need, within.clone())?)))
    }

    fn all(&self, needs: &[Need], mut within: Docs) -> Result<Docs> {
        let (cheap, mut dear): (Vec<_>, Vec<_>) = needs.iter().partition(|need| longest_part(need) == 0);
        for need in cheap {
            within = self.docs(need, within)?;
        }
        dear.sort_by_key(|need| std::cmp::Reverse(longest_part(need)));
        for need in dear {
            if within.len() <= FEW_BLOCKS {
                break;
            }
            within = self.docs(need, within)?;
        }
        Ok(within)
    }

    fn word(&self, word: &[u8], within: Docs) -> Result<Docs> {
        if is_sampled(word) {
            return self.sampled(&grams::Part::new(word, true, true), within);
        }
        let postings = self.postings(&[word])?;
        if self.may_hold(word, How::Rare) {
            return Ok(self.holding(&postings, &rare::Finder::word(word), within));
        }
        Ok(common_to(within, &postings))
    }

    fn part(&self, part: Part<'_>, within: Docs) -> Result<Docs> {
        let found = self.part_of_words(part, within.clone())?;
        let mut rest = within;
        rest.retain(|doc| found.binary_search(doc).is_err());
        Ok(union(found, self.sampled(&part.of_sampled(), rest)?))
    }

    /// The documents whose sampled words may have a part.
    fn sampled(&self, part: &grams::Part, within: Docs) -> Result<Docs> {
        let mut docs = common_to(within, &self.postings(&[SAMPLED_FLAG])?);
        docs.retain(|&doc| self.has_stored(doc, |stored| part.may_be_in(stored.filter)));
        Ok(docs)
    }

    /// The documents that have a part among the words that are kept as themselves.
    fn part_of_words(&self, part: Part<'_>, within: Docs) -> Result<Docs> {
        let packed = self.summary.as_ref().map_or(Packed::of(part), |summary| summary.packed(part));
        if packed == Packed::Inside && part.bytes().len() < SHORT_PART {
            return Ok(within);
        }
        let text = self.summary.as_ref().and_then(Summary::text);
        let words = match text {
            Some(text) => terms::in_text(text, part, MANY_WORDS),
            None => terms::with_part(&*self.common()?, part, MANY_WORDS)
                .map_err(|source| self.index.io(source))?,
        };
        let Some(words) = words else { return Ok(within) };
        let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let in_text = self.summary.as_ref().is_none_or(|summary| summary.may_be_unlisted(part))
            || words.iter().any(|word| self.may_hold(word, How::Rare));
        let postings = self.postings(&words)?;
        if packed == Packed::Nowhere && !in_text {
            return Ok(common_to(within, &postings));
        }
        Ok(self.holding(&postings, &rare::Finder::part(part, packed, in_text), within))
    }

    fn may_hold(&self, word: &[u8], how: How) -> bool {
        self.summary.as_ref().is_none_or(|summary| summary.may_hold(word, how))
    }

    /// Keeps the documents that are in `postings` or whose rare words match.
    fn holding(&self, postings: &[DocId], finder: &rare::Finder, within: Docs) -> Docs {
        let (mut found, mut rest): (Docs, Docs) =
            within.into_iter().partition(|doc| postings.binary_search(doc).is_ok());
        // Searching the stored data of all documents at once is faster than that of most, one by one.
        if rest.len() < self.reader.max_doc() as usize / MOST || finder.may_be_among(&self.stored) {
            rest.retain(|&doc| self.has_rare(doc, finder));
            found = union(found, rest);
        }
        found
    }

    fn has_rare(&self, doc: DocId, finder: &rare::Finder) -> bool {
        self.has_stored(doc, |stored| finder.is_in(stored.rare))
    }

    /// A document that cannot be read may hold anything.
    fn has_stored(&self, doc: DocId, holds: impl Fn(Stored<'_>) -> bool) -> bool {
        let document = self.rare.get_document_bytes(doc);
        document.map_or(true, |document| Stored::read(&document).is_none_or(holds))
    }

    /// The documents with any of some common words, in order.
    fn postings(&self, words: &[&[u8]]) -> Result<Docs> {
        let words: Vec<_> = words.iter().copied().filter(|word| self.may_hold(word, How::Common)).collect();
        if words.is_empty() {
            return Ok(Vec::new());
        }
        terms::documents(&*self.common()?, &words).map_err(|source| self.index.io(source))
    }

    fn common(&self) -> Result<Arc<InvertedIndexReader>> {
        Ok(self.reader.inverted_index(self.index.fields.words)?)
    }
}

fn union(mut docs: Docs, other: Docs) -> Docs {
    docs.extend(other);
    docs.sort_unstable();
    docs.dedup();
    docs
}

fn common_to(mut within: Docs, other: &[DocId]) -> Docs {
    within.retain(|doc| other.binary_search(doc).is_ok());
    within
}

/// The length of the longest part of a word in `need`, 0 if it has none.
fn longest_part(need: &Need) -> usize {
    match need {
        Need::Prefix(part) | Need::Suffix(part) | Need::Inner(part) => part.len().max(1),
        Need::All(needs) | Need::Any(needs) => needs.iter().map(longest_part).max().unwrap_or(0),
        // Short numbers are read with the blocks, as most parts are.
        Need::Word(word) if is_short_number(word) => word.len(),
        Need::Anything | Need::Word(_) | Need::UnicodeEscape | Need::Levels(_) => 0,
    }
}

/// The fast fields of a segment.
struct Columns {
    numbers: Numbers<Column>,
    /// `None` where no block of the segment has any.
    streams: Option<BytesColumn>,
}

impl Columns {
    fn open(reader: &SegmentReader) -> Result<Self> {
        let numbers = NAMES.try_map(|name| column(reader, name))?;
        Ok(Self { numbers, streams: reader.fast_fields().bytes(STREAMS)? })
    }

    /// Whether the times of some document may be in a window.
    fn may_meet(&self, window: Window) -> bool {
        let Numbers { first_ms, last_ms, .. } = &self.numbers;
        window.meets(UtcMs::new(first_ms.min_value()), UtcMs::new(last_ms.max_value()))
    }

    /// Whether the document's generation, times and levels are those wanted.
    fn is_wanted(&self, doc: DocId, wanted: &Wanted<'_>) -> bool {
        let Numbers { generation, first_ms, last_ms, .. } = &self.numbers;
        self.has_level(doc, wanted.levels)
            && wanted.window.meets(UtcMs::new(first_ms.get_val(doc)), UtcMs::new(last_ms.get_val(doc)))
            && wanted.generations.contains(&GenerationId(generation.get_val(doc)))
    }

    fn has_level(&self, doc: DocId, wanted: u8) -> bool {
        self.numbers.levels.get_val(doc) as u8 & wanted != 0
    }

    /// Returns the streams that go on in a block, as they were written.
    fn streams(&self, doc: DocId) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let Some(column) = &self.streams else { return Ok(bytes) };
        if let Some(ord) = column.term_ords(doc).next() {
            column.ord_to_bytes(ord, &mut bytes)?;
        }
        Ok(bytes)
    }

    fn block(&self, doc: DocId) -> io::Result<IndexedBlock> {
        Ok(self.numbers.of_document(doc).block(&self.streams(doc)?))
    }
}
