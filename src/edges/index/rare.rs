//! The rare words of a block, packed. Most distinct words of a log (request ids, order numbers, UUIDs) occur in
//! only one or two blocks. In a term dictionary each of them costs a sorted entry and a posting list;
//! here it costs its own bytes, half of them for digits and hex: the packed words are stored with the block's
//! document, and a search scans them (a few megabytes for each gigabyte of lines).
//!
//! Format: the short numbers ([`numbers`](gzette_core::words::numbers)); classes of words of one length, 4 to 64, that have only `[0-9a-f]`, two letters a byte, high half
//! first, an unused half is 0 ([`hex`]): length (u8), number of words (u16 little endian), the words; then 0; then
//! the other words as text, `\n` word `\n` word `\n`, or nothing.

use memchr::memmem;

use super::terms::Part;
use gzette_core::words::BlockWords;
use gzette_core::words::hex::{self, is_digit, is_hex, packed_len, unpack};
use gzette_core::words::numbers::{self, ShortNumbers, is_short_number};

/// With fewer packed bytes to look for, unpacking is cheaper than the false finds.
const MIN_NEEDLE_BYTES: usize = 3;

/// Returns the packed words of a block.
pub(super) fn pack(words: &BlockWords) -> Vec<u8> {
    let mut packed = Vec::new();
    words.numbers.write(&mut packed);
    packed.reserve(words.hex.classes().map(|(_, words)| words.len() + 3).sum::<usize>() + 1);
    for (letters, words) in words.hex.classes() {
        // The number of words is a u16. A class with more of them appears more than once, which readers accept.
        for words in words.chunks(packed_len(letters) * usize::from(u16::MAX)) {
            packed.push(letters as u8);
            packed.extend_from_slice(&((words.len() / packed_len(letters)) as u16).to_le_bytes());
            packed.extend_from_slice(words);
        }
    }
    packed.push(0);
    packed
}

/// Adds the rare words that are not packable.
pub(super) fn add_text<'w>(packed: &mut Vec<u8>, words: impl Iterator<Item = &'w [u8]>) {
    let before = packed.len();
    for word in words {
        packed.push(b'\n');
        packed.extend_from_slice(word);
    }
    if packed.len() > before {
        packed.push(b'\n');
    }
}

/// The classes of packed words and the text after them.
pub(super) struct Parts<'p> {
    pub(super) numbers: ShortNumbers,
    /// With the number of letters of each word.
    pub(super) classes: Vec<(usize, &'p [u8])>,
    text: &'p [u8],
}

impl Parts<'_> {
    /// Returns the words that are not packed.
    pub(super) fn text_words(&self) -> impl Iterator<Item = &[u8]> {
        self.text.split(|&byte| byte == b'\n').filter(|word| !word.is_empty())
    }
}

/// Returns the parts of the packed words of a block; `None` when the bytes make no sense.
pub(super) fn parts(packed: &[u8]) -> Option<Parts<'_>> {
    let (numbers, mut packed) = ShortNumbers::read(packed)?;
    let mut classes = Vec::new();
    loop {
        let (&class, rest) = packed.split_first()?;
        if class == 0 {
            return Some(Parts { numbers, classes, text: rest });
        }
        // Nothing here may panic: the bytes come from a file, and what makes no sense is read as if it held every
        // word.
        let (number, rest) = rest.split_at_checked(2)?;
        let number = usize::from(u16::from_le_bytes([number[0], number[1]]));
        let (words, rest) = rest.split_at_checked(number * packed_len(usize::from(class)))?;
        classes.push((usize::from(class), words));
        packed = rest;
    }
}

/// Where a part of a word may occur among the packed words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packed {
    /// None has it.
    Nowhere,
    /// Only a word that is no longer than the part.
    Whole,
    /// A longer word may have it.
    Inside,
}

impl Packed {
    /// Returns what is known about a part without a search.
    pub(super) fn of(part: Part<'_>) -> Self {
        if part.bytes().iter().all(|&byte| is_digit(byte)) { Self::Inside } else { Self::Nowhere }
    }
}

/// A search among the rare words of many blocks.
pub(super) struct Finder {
    /// How it is found among the words that are not packed, if it may be there.
    text: Option<memmem::Finder<'static>>,
    /// How it is found among the packed ones, if it may be there.
    packed: Option<Needle>,
    /// One of these occurs wherever the packed words of a block contain it; `None` if it is too short to rule much out.
    anywhere: Option<Vec<memmem::Finder<'static>>>,
}

/// A needle of hex digits.
enum Needle {
    /// A short number.
    Number(Vec<u8>),
    /// The whole word, packed.
    Word { letters: usize, packed: Vec<u8> },
    /// A part of one.
    Part(Box<PartNeedle>),
}

struct PartNeedle {
    letters: usize,
    /// Its whole bytes where it begins with a byte's first half, and where with its second; `None` when they
    /// are too few to look for.
    needles: Option<[memmem::Finder<'static>; 2]>,
    /// How it is found among unpacked words.
    text: memmem::Finder<'static>,
}

impl Finder {
    /// Returns a finder of a whole word, in lower case.
    pub(super) fn word(word: &[u8]) -> Self {
        if is_hex(word) || is_short_number(word) {
            return Self::new(None, Some(Needle::word(word)));
        }
        Self::new(Some(owned(&[b"\n", word, b"\n"].concat())), None)
    }

    /// Returns a finder for a part of a word, which may occur among the packed words as `packed` says, and among the others
    /// or not.
    pub(super) fn part(part: Part<'_>, packed: Packed, in_text: bool) -> Self {
        let text = owned(&part.needle());
        let packed = match packed {
            Packed::Nowhere => None,
            Packed::Whole => Some(Needle::word(part.bytes())),
            Packed::Inside => Some(Needle::part(part.bytes(), text.clone())),
        };
        Self::new(in_text.then_some(text), packed)
    }

    fn new(text: Option<memmem::Finder<'static>>, packed: Option<Needle>) -> Self {
        let mut finder = Self { text, packed, anywhere: None };
        finder.anywhere = finder.needles();
        finder
    }

    /// Returns byte strings, one of which occurs wherever packed words match.
    fn needles(&self) -> Option<Vec<memmem::Finder<'static>>> {
        let packed = match &self.packed {
            None => Vec::new(),
            Some(Needle::Number(_)) => return None,
            Some(Needle::Word { packed, .. }) => vec![owned(packed)],
            Some(Needle::Part(part)) => part.needles.clone()?.to_vec(),
        };
        let needles: Vec<_> = packed.into_iter().chain(self.text.clone()).collect();
        // One needle that is too short would make the scan of all blocks pointless, as it is found in most of them.
        needles.iter().all(|needle| needle.needle().len() >= MIN_NEEDLE_BYTES).then_some(needles)
    }

    /// Returns whether any of many blocks may match; these bytes contain their packed words.
    pub(super) fn may_be_among(&self, packed: &[u8]) -> bool {
        // One after the other: a search for a single needle runs at the speed of memory, one for several does not.
        let is_among = |needle: &memmem::Finder<'static>| needle.find(packed).is_some();
        self.anywhere.as_ref().is_none_or(|needles| needles.iter().any(is_among))
    }

    /// Returns whether the packed words of a block hold it. Bytes that make no sense may hold anything.
    pub(super) fn is_in(&self, packed: &[u8]) -> bool {
        let Some(parts) = parts(packed) else { return true };
        self.packed.as_ref().is_some_and(|needle| needle.is_in(&parts))
            || self.text.as_ref().is_some_and(|finder| finder.find(parts.text).is_some())
    }
}

impl Needle {
    fn word(word: &[u8]) -> Self {
        if is_short_number(word) {
            return Self::Number(word.to_vec());
        }
        let mut packed = Vec::new();
        hex::pack(word, &mut packed);
        Self::Word { letters: word.len(), packed }
    }

    fn part(letters: &[u8], text: memmem::Finder<'static>) -> Self {
        let needles = packed_needles(letters);
        Self::Part(Box::new(PartNeedle { letters: letters.len(), needles, text }))
    }

    fn is_in(&self, parts: &Parts<'_>) -> bool {
        match self {
            Self::Number(number) => parts.numbers.holds(number),
            Self::Word { letters, packed } => {
                let class = parts.classes.iter().filter(|(class, _)| class == letters);
                class.flat_map(|(_, words)| words.chunks_exact(packed.len())).any(|word| word == packed)
            }
            Self::Part(part) => {
                part.is_in_numbers(&parts.numbers)
                    || parts.classes.iter().any(|&(letters, words)| part.is_in_class(letters, words))
            }
        }
    }
}

impl PartNeedle {
    fn is_in_class(&self, letters: usize, words: &[u8]) -> bool {
        let may_be = |needles: &[memmem::Finder<'static>; 2]| {
            needles.iter().any(|needle| needle.find(words).is_some())
        };
        // The cheap tests first: unpacking is the dear part, and few classes get so far.
        self.letters <= letters
            && self.needles.as_ref().is_none_or(may_be)
            && self.text.find(&unpack(letters, words)).is_some()
    }

    fn is_in_numbers(&self, numbers: &ShortNumbers) -> bool {
        self.letters <= numbers::MAX_DIGITS
            && numbers.iter().any(|number| self.text.find(format!("\n{number}\n").as_bytes()).is_some())
    }
}

/// Returns the whole bytes of a part of hex digits: where it begins with a byte's first half, and where with its second.
fn packed_needles(letters: &[u8]) -> Option<[memmem::Finder<'static>; 2]> {
    let whole_bytes = |letters: &[u8]| {
        let mut packed = Vec::new();
        hex::pack(&letters[..letters.len() / 2 * 2], &mut packed);
        packed
    };
    // The half bytes at both ends are left out: their other halves belong to letters that are not known.
    let odd = whole_bytes(letters.get(1..)?);
    (odd.len() >= MIN_NEEDLE_BYTES).then(|| [owned(&whole_bytes(letters)), owned(&odd)])
}

fn owned(needle: &[u8]) -> memmem::Finder<'static> {
    memmem::Finder::new(needle).into_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packed<'w>(words: impl Iterator<Item = &'w [u8]>) -> Vec<u8> {
        let mut block = BlockWords::default();
        words.for_each(|word| block.add_line(word));
        let mut bytes = pack(&block);
        add_text(&mut bytes, block.text.iter());
        bytes
    }

    fn holds(packed: &[u8], part: Part<'_>) -> bool {
        Finder::part(part, Packed::of(part), true).is_in(packed)
    }

    #[test]
    fn ids_take_half_their_bytes() {
        let words: Vec<String> =
            (0..100_u64).map(|id| format!("{:016x}", id.wrapping_mul(0x9e37_79b9_7f4a_7c15))).collect();
        let packed = packed(words.iter().map(String::as_bytes));
        // No numbers, a class with its letters and how many words, the end of the classes.
        assert_eq!(packed.len(), 1 + (1 + 2 + 100 * 8) + 1);
        assert!(Finder::word(words[7].as_bytes()).is_in(&packed));
        assert!(!Finder::word(b"0123456789abcdef").is_in(&packed));
    }

    #[test]
    fn what_is_in_no_block_is_ruled_out_at_once() {
        let packed = packed([b"12345678abcd".as_slice(), b"word"].into_iter());
        for absent in [b"1234567eabcd".as_slice(), b"other", b"wor"] {
            assert!(!Finder::word(absent).may_be_among(&packed), "{absent:?}");
        }
        assert!(Finder::word(b"word").may_be_among(&packed));
        let part = |part| Finder::part(Part::Inner(part), Packed::Inside, true);
        assert!(part(b"345678ab").may_be_among(&packed));
        assert!(!part(b"345678a1").may_be_among(&packed));
        let known = |part, how, in_text| Finder::part(Part::Inner(part), how, in_text).is_in(&packed);
        assert!(known(b"12345678abcd", Packed::Whole, false) && known(b"wor", Packed::Nowhere, true));
        assert!(!known(b"2345678abcd", Packed::Whole, false) && !known(b"wor", Packed::Nowhere, false));
    }

    #[test]
    fn wrecks_may_hold_anything() {
        let packed = packed([b"12345678".as_slice(), b"word"].into_iter());
        assert!(!Finder::word(b"other").is_in(&packed));
        for cut in 0..8 {
            assert!(Finder::word(b"other").is_in(&packed[..cut]), "cut at {cut}");
        }
    }

    proptest! {
        /// What is found is what a plain look at the words finds, for words and parts at both ends and inside.
        #[test]
        fn words_and_their_parts_are_found(
            words in prop::collection::vec("[0-9a-f]{1,20}|[a-z0-9_]{1,12}|\u{e9}[a-f]{0,3}", 0..30),
            needle in "[0-9a-f]{1,12}|[a-z0-9_]{1,4}",
            cut in any::<prop::sample::Index>(),
            from_word in any::<bool>(),
        ) {
            let word = if words.is_empty() { "" } else { &words[cut.index(words.len())] };
            let start = cut.index(word.len().max(1));
            let inside = word.as_bytes().get(start..start + cut.index(word.len() - start.min(word.len()) + 1)).unwrap_or_default();
            let needle = if from_word && !inside.is_empty() { inside } else { needle.as_bytes() };
            let packed = packed(words.iter().map(String::as_bytes));
            let any = |test: &dyn Fn(&[u8]) -> bool| words.iter().any(|word| test(word.as_bytes()));
            prop_assert_eq!(Finder::word(needle).is_in(&packed), any(&|word| word == needle));
            prop_assert_eq!(holds(&packed, Part::Prefix(needle)), any(&|word| word.starts_with(needle)));
            prop_assert_eq!(holds(&packed, Part::Suffix(needle)), any(&|word| word.ends_with(needle)));
            let inner = |word: &[u8]| word.windows(needle.len()).any(|window| window == needle);
            prop_assert_eq!(holds(&packed, Part::Inner(needle)), any(&inner));
            let among = [b"something before".as_slice(), &packed, b"and behind"].concat();
            for finder in [
                Finder::word(needle),
                Finder::part(Part::Prefix(needle), Packed::of(Part::Inner(needle)), true),
                Finder::part(Part::Suffix(needle), Packed::of(Part::Inner(needle)), true),
                Finder::part(Part::Inner(needle), Packed::of(Part::Inner(needle)), true),
            ] {
                prop_assert!(finder.may_be_among(&among) || !finder.is_in(&packed));
            }
        }
    }
}
