//! The words of a block that consist of hex digits only: ids and numbers in nearly all cases, and most of them occur once.
//! They are packed as they come, two letters a byte, and only a word that came shortly before is left out: looking each of
//! them up among all others would cost more than its bytes.

use super::MAX_WORD_BYTES;

/// Shorter words are few, and packing saves nothing on them.
const MIN_BYTES: usize = 4;
/// How many of the last words are remembered, a power of two: most of the words that a block repeats, in 4 KB.
const RECENT: usize = 1024;
/// The most bytes of a packed word.
const MAX_PACKED_BYTES: usize = MAX_WORD_BYTES / 2;

/// Returns whether a word, folded, is one that is packed.
#[inline]
pub fn is_hex(word: &[u8]) -> bool {
    is_hex_len(word.len()) && word.iter().all(|&byte| is_digit(byte))
}

/// Returns whether a word of hex digits that is so long is packed.
#[inline]
pub(super) fn is_hex_len(len: usize) -> bool {
    (MIN_BYTES..=MAX_WORD_BYTES).contains(&len)
}

/// Returns whether a byte is a hex digit in lower case.
pub fn is_digit(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// Returns how many bytes a packed word of so many letters has.
pub fn packed_len(letters: usize) -> usize {
    letters.div_ceil(2)
}

/// Adds the letters of a word of hex digits to `packed`: high half first, an unused half is 0.
pub fn pack(word: &[u8], packed: &mut Vec<u8>) {
    let mut bytes = [0; MAX_PACKED_BYTES];
    for word in word.chunks(MAX_WORD_BYTES) {
        packed.extend_from_slice(pack_into(word, &mut bytes));
    }
}

/// Packs a word of at most [`MAX_WORD_BYTES`].
#[inline]
fn pack_into<'p>(word: &[u8], packed: &'p mut [u8; MAX_PACKED_BYTES]) -> &'p [u8] {
    // Nearly all have at most 16 letters: two overlapping halves of a number, without a loop.
    if let (Some((first, last)), true) = (word.first_chunk().zip(word.last_chunk()), word.len() <= 16) {
        let halves =
            u64::from(halves_of(*first)) << 32 | u64::from(halves_of(*last)) << (4 * (16 - word.len()));
        packed[..8].copy_from_slice(&halves.to_be_bytes());
    } else {
        for (letters, packed) in word.chunks(8).zip(packed.chunks_exact_mut(4)) {
            let mut padded = [b'0'; 8];
            padded[..letters.len()].copy_from_slice(letters);
            packed.copy_from_slice(&halves_of(padded).to_be_bytes());
        }
    }
    &packed[..packed_len(word.len())]
}

/// Returns the values of eight hex digits, the first in the highest four bits.
#[inline]
fn halves_of(letters: [u8; 8]) -> u32 {
    let letters = u64::from_be_bytes(letters);
    // A digit's value is in its lower half; a letter, which has bit 6 set, is nine above that.
    let values = (letters & 0x0f0f_0f0f_0f0f_0f0f) + 9 * (letters >> 6 & 0x0101_0101_0101_0101);
    let pairs = (values | values >> 4) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs | pairs >> 8) & 0x0000_ffff_0000_ffff;
    (fours | fours >> 16) as u32
}

/// Returns packed words of one length as text, with a newline before and after each.
pub fn unpack(letters: usize, packed: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = Vec::with_capacity(packed.len() * 2 + packed.len() / packed_len(letters) + 1);
    text.push(b'\n');
    for word in packed.chunks_exact(packed_len(letters)) {
        let end = text.len() + letters;
        text.extend(
            word.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]),
        );
        // A word of odd length has an unused last half.
        text.truncate(end);
        text.push(b'\n');
    }
    text
}

/// The packed words of a block, by their number of letters. A word may be there more than once.
#[derive(Debug)]
pub struct HexWords {
    classes: [Vec<u8>; MAX_WORD_BYTES + 1],
    /// Where recent words stand in their classes, by a hash. What it says is compared with what is there, so it need not be
    /// right, nor be cleared.
    recent: Box<[u32; RECENT]>,
}

impl Default for HexWords {
    fn default() -> Self {
        Self { classes: [const { Vec::new() }; MAX_WORD_BYTES + 1], recent: Box::new([0; RECENT]) }
    }
}

impl HexWords {
    /// Adds a word that [`is_hex`].
    #[inline]
    pub(super) fn add(&mut self, word: &[u8]) {
        let mut packed = [0; MAX_PACKED_BYTES];
        let packed = pack_into(word, &mut packed);
        let class = &mut self.classes[word.len()];
        let recent = &mut self.recent[slot(packed)];
        let place = *recent as usize * packed.len();
        if class.get(place..place + packed.len()) != Some(packed) {
            *recent = (class.len() / packed.len()) as u32;
            class.extend_from_slice(packed);
        }
    }

    /// Returns the number of letters and the packed words of each class that has any.
    pub fn classes(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let classes = self.classes.iter().enumerate();
        classes.filter(|(_, words)| !words.is_empty()).map(|(letters, words)| (letters, words.as_slice()))
    }

    /// Returns the words, unpacked.
    pub fn iter(&self) -> impl Iterator<Item = Vec<u8>> {
        self.classes().flat_map(|(letters, packed)| {
            let text = unpack(letters, packed);
            let words = text.split(|&byte| byte == b'\n').filter(|word| !word.is_empty());
            words.map(<[u8]>::to_vec).collect::<Vec<_>>()
        })
    }

    /// Forgets everything but the memory.
    pub(super) fn clear(&mut self) {
        self.classes.iter_mut().for_each(Vec::clear);
    }
}

/// Multiplicative hashing of both ends: ids that count up differ in the last bytes, those with a time at the start in both.
#[inline]
fn slot(packed: &[u8]) -> usize {
    let number = |bytes: &[u8]| bytes.iter().fold(0, |number: u64, &byte| number << 8 | u64::from(byte));
    let ends = match (packed.first_chunk::<8>(), packed.last_chunk::<8>()) {
        (Some(first), Some(last)) => u64::from_le_bytes(*first) ^ u64::from_le_bytes(*last).rotate_left(32),
        _ => number(packed),
    };
    (ends.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_word_that_came_shortly_before_is_left_out() {
        let mut words = HexWords::default();
        for word in ["cafe1", "0cafe1", "cafe1", "cafe10", "2026", "0cafe1", "2026"] {
            words.add(word.as_bytes());
        }
        assert_eq!(words.iter().collect::<Vec<_>>(), [b"2026".as_slice(), b"cafe1", b"0cafe1", b"cafe10"]);
        words.clear();
        words.add(b"cafe1");
        assert_eq!(words.iter().collect::<Vec<_>>(), [b"cafe1"]);
    }

    proptest! {
        /// No word is lost, whatever came before in this block and in others.
        #[test]
        fn all_words_are_held(blocks in prop::collection::vec(prop::collection::vec("[0-9a-f]{4,64}|0{4,20}|[0-3]{4}", 0..60), 1..4)) {
            let mut words = HexWords::default();
            for block in blocks {
                words.clear();
                for word in &block { words.add(word.as_bytes()); }
                let expected: BTreeSet<Vec<u8>> = block.into_iter().map(String::into_bytes).collect();
                prop_assert_eq!(words.iter().collect::<BTreeSet<_>>(), expected);
            }
        }
    }
}
