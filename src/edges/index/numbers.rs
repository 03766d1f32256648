//! The numbers of a block's document. Their one list is [`Numbers`]: the schema's fields, what is written, the columns
//! that a search reads and the block that it returns follow from it.

use std::sync::Arc;

use tantivy::SegmentReader;
use tantivy::columnar::ColumnValues;

use super::IndexedBlock;
use gzette_core::events::Place;
use gzette_core::model::{GenerationId, UtcMs};
use gzette_core::partial::Block;

/// The values of a number in all documents of a segment.
pub(super) type Column = Arc<dyn ColumnValues<i64>>;

/// Opens the column of a number, by its name.
pub(super) fn column(segment: &SegmentReader, name: &str) -> tantivy::Result<Column> {
    Ok(segment.fast_fields().i64(name)?.first_or_default_col(0))
}

// The names of the fields are those in the index, and their order is that of the schema: both belong to its format.
macro_rules! numbers {
    ($($name:ident),* $(,)?) => {
        /// Something for each number: its name, its value, its column.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) struct Numbers<T> {
            $(pub(super) $name: T,)*
        }

        /// The names of the numbers.
        pub(super) const NAMES: Numbers<&str> = Numbers { $($name: stringify!($name),)* };

        impl<T> Numbers<T> {
            /// Makes something else of each, in order.
            pub(super) fn try_map<U, E>(
                self,
                mut make: impl FnMut(T) -> Result<U, E>,
            ) -> Result<Numbers<U>, E> {
                Ok(Numbers { $($name: make(self.$name)?,)* })
            }

            /// Returns them in order.
            pub(super) fn in_order(&self) -> impl Iterator<Item = &T> {
                [$(&self.$name),*].into_iter()
            }
        }

        impl Numbers<Column> {
            /// Returns the numbers of a document.
            pub(super) fn of_document(&self, doc: tantivy::DocId) -> Numbers<i64> {
                Numbers { $($name: self.$name.get_val(doc),)* }
            }
        }
    };
}

numbers! {
    generation,
    batch,
    first_line,
    lines,
    offset,
    length,
    first_ms,
    last_ms,
    // The time of the block's place. Its streams are a field of their own.
    carry_ms,
    levels,
    crc,
}

impl Numbers<i64> {
    /// Returns the numbers of a block.
    pub(super) fn of(generation: GenerationId, batch: i64, block: &Block) -> Self {
        let &Block { first_line, lines, offset, length, first_ms, last_ms, ref place, levels, crc } = block;
        Self {
            generation: generation.0,
            batch,
            first_line: first_line as i64,
            lines: lines as i64,
            offset: offset as i64,
            length: length as i64,
            first_ms: first_ms.get(),
            last_ms: last_ms.get(),
            carry_ms: place.time_ms.get(),
            levels: i64::from(levels),
            crc: i64::from(crc),
        }
    }

    /// Returns the block with these numbers and streams.
    pub(super) fn block(self, streams: &[u8]) -> IndexedBlock {
        let Self {
            generation,
            batch: _,
            first_line,
            lines,
            offset,
            length,
            first_ms,
            last_ms,
            carry_ms,
            levels,
            crc,
        } = self;
        let block = Block {
            first_line: first_line as u64,
            lines: lines as u64,
            offset: offset as u64,
            length: length as u64,
            first_ms: UtcMs::new(first_ms),
            last_ms: UtcMs::new(last_ms),
            place: Place::from_bytes(UtcMs::new(carry_ms), streams),
            levels: levels as u8,
            crc: crc as u32,
        };
        IndexedBlock { generation: GenerationId(generation), block }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Indexes of this format have these fields, in this order; with others [`super::super::Index::open`] refuses them.
    #[test]
    fn names_and_order_are_those_of_the_format() {
        let names: Vec<&str> = NAMES.in_order().copied().collect();
        let format = "generation batch first_line lines offset length first_ms last_ms carry_ms levels crc";
        assert_eq!(names.join(" "), format);
    }

    #[test]
    fn a_block_comes_back_as_it_was() {
        let block = Block {
            first_line: 1,
            lines: 2,
            offset: 3,
            length: 4,
            first_ms: UtcMs::new(-5),
            last_ms: UtcMs::new(6),
            place: Place { time_ms: UtcMs::new(7), streams: Vec::new() },
            levels: 0x81,
            crc: u32::MAX,
        };
        let indexed = Numbers::of(GenerationId(-9), 8, &block).block(&block.place.stream_bytes());
        assert_eq!(indexed, IndexedBlock { generation: GenerationId(-9), block });
    }
}
