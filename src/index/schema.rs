//! The fields of a block's document.

use tantivy::schema::document::{ReferenceValue, ReferenceValueLeaf, Value};
use tantivy::schema::{BytesOptions, FAST, Field, INDEXED, Schema};

use super::BlockAddress;
use crate::words::BlockWords;

/// Stands among the words of a block that holds a word too long to be indexed. No word has these bytes.
pub(super) const LONG_WORD_FLAG: &[u8] = b"\0long";
/// Stands among the words of a block that holds a `\uXXXX` escape.
pub(super) const UNICODE_ESCAPE_FLAG: &[u8] = b"\0u";

/// Stands among the words of a block with a line that was cut: the rest of it may hold anything.
pub(super) const CUT_LINE_FLAG: &[u8] = b"\0cut";

/// The schema's fields.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    pub(super) words: Field,
    pub(super) generation: Field,
}

const NUMBERS: [&str; 10] = [
    "generation",
    "batch",
    "first_line",
    "lines",
    "offset",
    "length",
    "first_ms",
    "last_ms",
    "carry_ms",
    "levels",
];

/// Returns the schema: distinct words without frequencies, positions or norms; numbers as fast fields.
pub(super) fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let words = builder.add_bytes_field("words", BytesOptions::default().set_indexed());
    let generation = builder.add_i64_field(NUMBERS[0], INDEXED | FAST);
    for name in &NUMBERS[1..] {
        builder.add_i64_field(name, FAST);
    }
    (builder.build(), Fields { words, generation })
}

/// A block on its way into a segment.
pub(super) struct BlockDocument {
    fields: Fields,
    numbers: [i64; NUMBERS.len()],
    words: BlockWords,
}

impl BlockDocument {
    pub(super) fn new(fields: Fields, address: &BlockAddress, batch: i64, words: BlockWords) -> Self {
        let numbers = [
            address.generation.0,
            batch,
            address.first_line as i64,
            address.lines as i64,
            address.offset as i64,
            address.length as i64,
            address.first_ms,
            address.last_ms,
            address.carry_ms,
            i64::from(address.levels) | i64::from(address.carry_level as u8) << 8,
        ];
        Self { fields, numbers, words }
    }

    fn flags(&self) -> impl Iterator<Item = &[u8]> {
        let long = self.words.has_long.then_some(LONG_WORD_FLAG);
        let escape = self.words.has_unicode_escape.then_some(UNICODE_ESCAPE_FLAG);
        let cut = self.words.has_cut_line.then_some(CUT_LINE_FLAG);
        long.into_iter().chain(escape).chain(cut)
    }
}

impl tantivy::Document for BlockDocument {
    type Value<'a> = BlockValue<'a>;
    type FieldsValuesIter<'a> = Box<dyn Iterator<Item = (Field, BlockValue<'a>)> + 'a>;

    fn iter_fields_and_values(&self) -> Self::FieldsValuesIter<'_> {
        let words = self.words.iter().chain(self.flags());
        let words = words.map(|word| (self.fields.words, BlockValue::Bytes(word)));
        let first = self.fields.generation.field_id();
        let numbers = self.numbers.iter().zip(first..);
        let numbers = numbers.map(|(&number, id)| (Field::from_field_id(id), BlockValue::Number(number)));
        Box::new(words.chain(numbers))
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
