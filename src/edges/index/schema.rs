//! The fields of a block's document.

use std::convert::Infallible;
use std::sync::Arc;

use tantivy::schema::document::{ReferenceValue, ReferenceValueLeaf, Value};
use tantivy::schema::{BytesOptions, FAST, Field, INDEXED, NumericOptions, Schema};

use super::numbers::{NAMES, Numbers};
use gzette_core::words::{BlockWords, WordSet};

/// A flag among the words of a block with a filter of sampled words. No word has these bytes.
pub(super) const SAMPLED_FLAG: &[u8] = b"\0sampled";
/// A flag among the words of a block that contains a `\uXXXX` escape.
pub(super) const UNICODE_ESCAPE_FLAG: &[u8] = b"\0u";

/// A flag among the words of a block with a line that was cut: the rest of that line may contain anything.
pub(super) const CUT_LINE_FLAG: &[u8] = b"\0cut";

/// The schema's fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    /// The common words, as terms.
    pub(super) words: Field,
    /// The rare words, packed, and the filter of the sampled ones.
    pub(super) stored: Field,
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
    let stored = builder.add_bytes_field("rare", BytesOptions::default().set_stored());
    let mut add = |name| {
        // Deletions find documents by their generation.
        let is_term = name == NAMES.generation;
        let options: NumericOptions = if is_term { (INDEXED | FAST).into() } else { FAST.into() };
        Ok::<_, Infallible>(builder.add_i64_field(name, options))
    };
    let Ok(numbers) = NAMES.try_map(&mut add);
    let streams = builder.add_bytes_field(STREAMS, BytesOptions::default().set_fast());
    (builder.build(), Fields { words, stored, numbers, streams })
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
    /// What [`Stored::read`] reads.
    pub(super) stored: Vec<u8>,
    pub(super) streams: Vec<u8>,
}

/// Returns the flags to add to a block's words.
pub(super) fn flags(words: &BlockWords) -> Vec<&'static [u8]> {
    let sampled = (!words.grams.is_empty()).then_some(SAMPLED_FLAG);
    let escape = words.has_unicode_escape.then_some(UNICODE_ESCAPE_FLAG);
    let cut = words.has_cut_line.then_some(CUT_LINE_FLAG);
    sampled.into_iter().chain(escape).chain(cut).collect()
}

/// Whether a term is a flag.
pub(super) fn is_flag(term: &[u8]) -> bool {
    [SAMPLED_FLAG, UNICODE_ESCAPE_FLAG, CUT_LINE_FLAG].contains(&term)
}

/// What is stored of a block.
pub(super) struct Stored<'d> {
    /// The rare words, packed.
    pub(super) rare: &'d [u8],
    /// The filter of the sampled words; empty where there are none.
    pub(super) filter: &'d [u8],
}

impl Stored<'_> {
    /// Returns the bytes: both parts, then their lengths, so that they are found at the end of a stored document.
    pub(super) fn write(&self) -> Vec<u8> {
        let lengths = [self.rare, self.filter].map(|part| (part.len() as u32).to_le_bytes());
        [self.rare, self.filter, &lengths[0], &lengths[1]].concat()
    }

    /// Reads a stored document, whose only stored value it is. tantivy's own reader would copy it byte by byte.
    pub(super) fn read(document: &[u8]) -> Option<Stored<'_>> {
        let (rest, filter_bytes) = document.split_last_chunk::<4>()?;
        let (rest, rare_bytes) = rest.split_last_chunk::<4>()?;
        let [filter_bytes, rare_bytes] =
            [filter_bytes, rare_bytes].map(|length| u32::from_le_bytes(*length) as usize);
        let (rest, filter) = rest.split_at_checked(rest.len().checked_sub(filter_bytes)?)?;
        Some(Stored { rare: rest.get(rest.len().checked_sub(rare_bytes)?..)?, filter })
    }
}

impl tantivy::Document for BlockDocument {
    type Value<'a> = BlockValue<'a>;
    type FieldsValuesIter<'a> = Box<dyn Iterator<Item = (Field, BlockValue<'a>)> + 'a>;

    fn iter_fields_and_values(&self) -> Self::FieldsValuesIter<'_> {
        let common = self.common.iter().map(|&number| self.words.word(number));
        let words = common.chain(self.flags.iter().copied());
        let words = words.map(|word| (self.fields.words, BlockValue::Bytes(word)));
        let stored = (self.fields.stored, BlockValue::Bytes(&self.stored));
        let numbers = self.fields.numbers.in_order().zip(self.numbers.in_order());
        let numbers = numbers.map(|(&field, &number)| (field, BlockValue::Number(number)));
        let streams =
            (!self.streams.is_empty()).then_some((self.fields.streams, BlockValue::Bytes(&self.streams)));
        Box::new(words.chain([stored]).chain(numbers).chain(streams))
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
