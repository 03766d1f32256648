//! Asking: which blocks may hold a match. Whole words are looked up first; parts of words are resolved
//! against the vocabulary only while the blocks left are still many.

use std::collections::HashSet;

use tantivy::schema::IndexRecordOption;
use tantivy::{DocSet as _, SegmentReader, TERMINATED};

use super::schema::{CUT_LINE_FLAG, LONG_WORD_FLAG, UNICODE_ESCAPE_FLAG};
use super::vocabulary::{self, Part};
use super::{BlockAddress, Index, IndexError, Result};
use crate::model::{GenerationId, Level, Window};
use crate::query::Need;

/// With no more blocks than this left, reading them is cheaper than scanning a vocabulary: a block is read
/// and matched in about 0.1 ms, a vocabulary of half a million words is scanned in about 5 ms.
const FEW_BLOCKS: usize = 32;

/// A part of a word with more words than this says too little to be worth their postings.
const MANY_WORDS: usize = 4096;

/// What a search asks of the index.
pub struct Wanted<'w> {
    /// The condition on words.
    pub need: &'w Need,
    /// The generations searched; the ledger knows which count.
    pub generations: &'w HashSet<GenerationId>,
    /// The times searched.
    pub window: Window,
    /// A mask of [`Level::bit`]s.
    pub levels: u8,
}

/// A block that may hold a match.
pub type Candidate = BlockAddress;

/// The candidates of a search, ordered by generation and place.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    /// The blocks.
    pub blocks: Vec<Candidate>,
    /// How many blocks the index holds.
    pub of: u64,
}

impl Index {
    /// Returns the blocks that may hold a match.
    pub fn candidates(&self, wanted: &Wanted<'_>) -> Result<Candidates> {
        let searcher = self.searcher()?;
        let mut blocks = Vec::new();
        for reader in searcher.segment_readers() {
            Segment { index: self, reader }.collect(wanted, &mut blocks)?;
        }
        blocks.sort_unstable_by_key(|block: &Candidate| (block.generation, block.first_line));
        // A read that failed half-way may have left blocks behind which its repetition wrote again.
        blocks.dedup_by_key(|block| (block.generation, block.first_line));
        Ok(Candidates { blocks, of: searcher.num_docs() })
    }
}

/// A set of a segment's documents; `None` is all of them.
type Docs = Option<Vec<u32>>;

struct Segment<'s> {
    index: &'s Index,
    reader: &'s SegmentReader,
}

impl Segment<'_> {
    fn collect(&self, wanted: &Wanted<'_>, blocks: &mut Vec<Candidate>) -> Result<()> {
        let docs = match self.docs(wanted.need)? {
            Some(docs) => self.with_cut_lines(docs)?,
            None => (0..self.reader.max_doc()).collect(),
        };
        if docs.is_empty() {
            return Ok(());
        }
        let columns = Columns::open(self.reader)?;
        let alive = self.reader.alive_bitset();
        let alive = docs.into_iter().filter(|&doc| alive.is_none_or(|alive| alive.is_alive(doc)));
        blocks.extend(alive.map(|doc| columns.block(doc)).filter(|block| {
            block.levels & wanted.levels != 0
                && wanted.window.meets(block.first_ms, block.last_ms)
                && wanted.generations.contains(&block.generation)
        }));
        Ok(())
    }

    /// Adds the documents whose words are not all known.
    fn with_cut_lines(&self, mut docs: Vec<u32>) -> Result<Vec<u32>> {
        let known = docs.len();
        self.add_postings(CUT_LINE_FLAG, &mut docs)?;
        if docs.len() > known {
            docs.sort_unstable();
            docs.dedup();
        }
        Ok(docs)
    }

    /// The documents that fulfil `need`, or more.
    fn docs(&self, need: &Need) -> Result<Docs> {
        match need {
            Need::Anything => Ok(None),
            Need::Word(word) => self.word(word).map(Some),
            Need::UnicodeEscape => self.word(UNICODE_ESCAPE_FLAG).map(Some),
            Need::LongWord => self.word(LONG_WORD_FLAG).map(Some),
            Need::Prefix(part) => self.part(Part::Prefix(part)),
            Need::Suffix(part) => self.part(Part::Suffix(part)),
            Need::Inner(part) => self.part(Part::Inner(part)),
            Need::Any(needs) => self.any(needs),
            Need::All(needs) => self.all(needs),
        }
    }

    fn any(&self, needs: &[Need]) -> Result<Docs> {
        let mut union = Vec::new();
        for need in needs {
            match self.docs(need)? {
                Some(docs) => union.extend(docs),
                None => return Ok(None),
            }
        }
        union.sort_unstable();
        union.dedup();
        Ok(Some(union))
    }

    fn all(&self, needs: &[Need]) -> Result<Docs> {
        let mut left = None;
        let (cheap, dear): (Vec<_>, Vec<_>) = needs.iter().partition(|need| !needs_vocabulary(need));
        for need in cheap {
            left = intersect(left, self.docs(need)?);
        }
        let mut dear = dear;
        dear.sort_by_key(|need| std::cmp::Reverse(longest_part(need)));
        for need in dear {
            if left.as_ref().is_some_and(|docs| docs.len() <= FEW_BLOCKS) {
                break;
            }
            left = intersect(left, self.docs(need)?);
        }
        Ok(left)
    }

    fn word(&self, word: &[u8]) -> Result<Vec<u32>> {
        let mut docs = Vec::new();
        self.add_postings(word, &mut docs)?;
        Ok(docs)
    }

    fn part(&self, part: Part<'_>) -> Result<Docs> {
        let Some(words) = vocabulary::find(self.index, self.reader, part, MANY_WORDS)? else {
            return Ok(None);
        };
        let mut docs = Vec::new();
        for word in words {
            self.add_postings(&word, &mut docs)?;
        }
        docs.sort_unstable();
        docs.dedup();
        Ok(Some(docs))
    }

    fn add_postings(&self, word: &[u8], docs: &mut Vec<u32>) -> Result<()> {
        let io = |source| IndexError::Io { path: self.index.dir.clone(), source };
        let inverted = self.reader.inverted_index(self.index.fields.words)?;
        let Some(term) = inverted.terms().get(word).map_err(io)? else {
            return Ok(());
        };
        let mut postings =
            inverted.read_postings_from_terminfo(&term, IndexRecordOption::Basic).map_err(io)?;
        docs.reserve(postings.doc_freq() as usize);
        while postings.doc() != TERMINATED {
            docs.push(postings.doc());
            postings.advance();
        }
        Ok(())
    }
}

fn needs_vocabulary(need: &Need) -> bool {
    longest_part(need) > 0
}

/// The length of the longest part of a word in `need`, 0 if it has none.
fn longest_part(need: &Need) -> usize {
    match need {
        Need::Prefix(part) | Need::Suffix(part) | Need::Inner(part) => part.len().max(1),
        Need::All(needs) | Need::Any(needs) => needs.iter().map(longest_part).max().unwrap_or(0),
        Need::Anything | Need::Word(_) | Need::UnicodeEscape | Need::LongWord => 0,
    }
}

fn intersect(left: Docs, right: Docs) -> Docs {
    match (left, right) {
        (None, docs) | (docs, None) => docs,
        (Some(left), Some(right)) => {
            let right: HashSet<u32> = right.into_iter().collect();
            Some(left.into_iter().filter(|doc| right.contains(doc)).collect())
        }
    }
}

/// The fast fields of a segment.
struct Columns {
    columns: [std::sync::Arc<dyn tantivy::columnar::ColumnValues<i64>>; 9],
}

impl Columns {
    fn open(reader: &SegmentReader) -> Result<Self> {
        let fast = reader.fast_fields();
        let open = |name| Ok::<_, tantivy::TantivyError>(fast.i64(name)?.first_or_default_col(0));
        Ok(Self {
            columns: [
                open("generation")?,
                open("first_line")?,
                open("lines")?,
                open("offset")?,
                open("length")?,
                open("first_ms")?,
                open("last_ms")?,
                open("carry_ms")?,
                open("levels")?,
            ],
        })
    }

    fn block(&self, doc: u32) -> BlockAddress {
        let [generation, first_line, lines, offset, length, first_ms, last_ms, carry_ms, levels] =
            self.columns.each_ref().map(|column| column.get_val(doc));
        BlockAddress {
            generation: GenerationId(generation),
            first_line: first_line as u64,
            lines: lines as u64,
            offset: offset as u64,
            length: length as u64,
            first_ms,
            last_ms,
            carry_ms,
            carry_level: Level::from_number((levels >> 8) as u8),
            levels: levels as u8,
        }
    }
}
