//! The fields of a block's document.

use std::convert::Infallible;
use std::sync::Arc;

use tantivy::schema::document::{ReferenceValue, ReferenceValueLeaf, Value};
use tantivy::schema::{BytesOptions, FAST, Field, INDEXED, NumericOptions, Schema};

use super::numbers::{NAMES, Numbers};
use gzette_core::words::{BlockWords, WordSet};

/// A flag among the words of a block that contains a word too long to be indexed. No word has these bytes.
pub(super) const LONG_WORD_FLAG: &[u8] = b"\0long";
/// A flag among the words of a block that contains a `\uXXXX` escape.
pub(super) const UNICODE_ESCAPE_FLAG: &[u8] = b"\0u";

/// A flag among the words of a block with a line that was cut: the rest of that line may contain anything.
pub(super) const CUT_LINE_FLAG: &[u8] = b"\0cut";

/// The schema's fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    /// The common words, as terms.
    pub(super) words: Field,
    /// The rare words, packed.
    pub(super) rare: Field,
    pub(super) numbers: Numbers<Field>,
    /// The streams whose event goes on in the block; nearly always empty.
    pub(super) streams: Field,
}

/// The name of [`Fields::streams`].
pub(super) const STREAMS: &str = "streams";

/// Returns the schema: common words as terms without frequencies, positions or norms; rare words as stored
/// bytes ([`super::rare`]); numbers as fast fields.
pub(super) fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let words = builder.add_bytes_field("words", BytesOptions::default().set_indexed());
    let rare = builder.add_bytes_field("rare", BytesOptions::default().set_stored());
    let mut add = |name| {
        // Deletions find documents by their generation.
        let is_term = name == NAMES.generation;
        let options: NumericOptions = if is_term { (INDEXED | FAST).into() } else { FAST.into() };
        Ok::<_, Infallible>(builder.add_i64_field(name, options))
    };
    let Ok(numbers) = NAMES.try_map(&mut add);
    let streams = builder.add_bytes_field(STREAMS, BytesOptions::default().set_fast());
    (builder.build(), Fields { words, rare, numbers, streams })
}

/// A block on its way into a segment.
pub(super) struct BlockDocument {
    pub(super) fields: Fields,
    pub(super) numbers: Numbers<i64>,
    /// The words of the segment.
    pub(super) words: Arc<WordSet>,
    /// The common ones of this block.
    pub(super) common: Vec<u32>,
    /// The flags among them, see [`flags`].
    pub(super) flags: Vec<&'static [u8]>,
    /// The rare words, packed, followed by their length, which [`rare_words`] reads.
    pub(super) rare: Vec<u8>,
    pub(super) streams: Vec<u8>,
}

/// Returns the flags to add to a block's words.
pub(super) fn flags(words: &BlockWords) -> Vec<&'static [u8]> {
    let long = words.has_long.then_some(LONG_WORD_FLAG);
    let escape = words.has_unicode_escape.then_some(UNICODE_ESCAPE_FLAG);
    let cut = words.has_cut_line.then_some(CUT_LINE_FLAG);
    long.into_iter().chain(escape).chain(cut).collect()
}

/// Whether a term is a flag.
pub(super) fn is_flag(term: &[u8]) -> bool {
    [LONG_WORD_FLAG, UNICODE_ESCAPE_FLAG, CUT_LINE_FLAG].contains(&term)
}

/// Adds the length to packed words, so that they are found at the end of a stored document.
pub(super) fn with_length(mut packed: Vec<u8>) -> Vec<u8> {
    packed.extend_from_slice(&(packed.len() as u32).to_le_bytes());
    packed
}

/// Returns the packed words of a stored document, whose only stored value they are. tantivy's own reader
/// would copy them byte by byte.
pub(super) fn rare_words(document: &[u8]) -> Option<&[u8]> {
    let (rest, length) = document.split_last_chunk::<4>()?;
    rest.get(rest.len().checked_sub(u32::from_le_bytes(*length) as usize)?..)
}

impl tantivy::Document for BlockDocument {
    type Value<'a> = BlockValue<'a>;
    type FieldsValuesIter<'a> = Box<dyn Iterator<Item = (Field, BlockValue<'a>)> + 'a>;

    fn iter_fields_and_values(&self) -> Self::FieldsValuesIter<'_> {
        let common = self.common.iter().map(|&number| self.words.word(number));
        let words = common.chain(self.flags.iter().copied());
        let words = words.map(|word| (self.fields.words, BlockValue::Bytes(word)));
        let rare = (self.fields.rare, BlockValue::Bytes(&self.rare));
        let numbers = self.fields.numbers.in_order().zip(self.numbers.in_order());
        let numbers = numbers.map(|(&field, &number)| (field, BlockValue::Number(number)));
        let streams =
            (!self.streams.is_empty()).then_some((self.fields.streams, BlockValue::Bytes(&self.streams)));
        Box::new(words.chain([rare]).chain(numbers).chain(streams))
    }
}

/// A field's value, borrowed from the block.
#[derive(Clone, Copy, Debug)]
pub(super) enum BlockValue<'a> {
    Bytes(&'a [u8]),
    Number(i64),
}

impl<'a> Value<'a> for BlockValue<'a> {
    type ArrayIter = std::iter::Empty<Self>;
    type ObjectIter = std::iter::Empty<(&'a str, Self)>;

    fn as_value(&self) -> ReferenceValue<'a, Self> {
        ReferenceValue::Leaf(match *self {
            Self::Bytes(bytes) => ReferenceValueLeaf::Bytes(bytes),
            Self::Number(number) => ReferenceValueLeaf::I64(number),
        })
    }
}
