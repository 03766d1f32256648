//! The words of a line: what the index knows about it. A word is a maximal run of `[A-Za-z0-9_]` and
//! bytes ≥ 0x80, compared without regard to ASCII case. JSON's escapes (RFC 8259, section 7: `\n`, `\"`,
//! `\u00e9`, …) stand between words, so that `\nCaused` holds `caused` and not `ncaused`; any other
//! backslash is an ordinary separator.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

/// The longest word that is indexed as itself. A longer one sets [`BlockWords::has_long`].
pub const MAX_WORD_BYTES: usize = 200;

const SEPARATOR: u8 = 0;
const WORD: u8 = 1;
const BACKSLASH: u8 = 2;

/// What each byte is to the walk.
const CLASS: [u8; 256] = {
    let mut class = [SEPARATOR; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = byte as u8;
        if value.is_ascii_alphanumeric() || value == b'_' || value >= 0x80 {
            class[byte] = WORD;
        }
        byte += 1;
    }
    class[b'\\' as usize] = BACKSLASH;
    class
};

/// Returns whether `byte` can stand in a word.
pub fn is_word_byte(byte: u8) -> bool {
    CLASS[byte as usize] == WORD
}

/// Returns the length of the JSON escape at the start of `rest`, which begins with a backslash;
/// 1 when it is no escape.
pub fn escape_len(rest: &[u8]) -> usize {
    match rest.get(1) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => 2,
        Some(b'u') if rest.len() >= 6 && rest[2..6].iter().all(u8::is_ascii_hexdigit) => 6,
        _ => 1,
    }
}

/// Calls `found` with the place of each word of `line`, as `start..end`, and returns whether there was a
/// `\uXXXX` escape.
pub fn each_word(line: &[u8], mut found: impl FnMut(usize, usize)) -> bool {
    let mut has_unicode_escape = false;
    let mut at = 0;
    while at < line.len() {
        match CLASS[line[at] as usize] {
            WORD => {
                let start = at;
                at = word_end(line, start);
                found(start, at);
            }
            BACKSLASH => {
                let len = escape_len(&line[at..]);
                has_unicode_escape |= len == 6;
                at += len;
            }
            _ => at += 1,
        }
    }
    has_unicode_escape
}

/// Returns the end of the word that begins at `start`.
#[inline]
fn word_end(text: &[u8], start: usize) -> usize {
    let mut end = start + 1;
    while end < text.len() && CLASS[text[end] as usize] == WORD {
        end += 1;
    }
    end
}

/// Returns the last place of `text`, but for those before `from`, up to which its words depend on nothing behind it: one
/// behind a byte that is neither a word's nor, perhaps, an escape's.
fn last_boundary(text: &[u8], from: usize) -> usize {
    let is_separator = |&byte: &u8| CLASS[byte as usize] == SEPARATOR;
    text[from..].iter().rposition(is_separator).map_or(from, |at| from + at + 1)
}

/// Returns how many bytes both texts begin with.
#[inline]
fn same_bytes(a: &[u8], b: &[u8]) -> usize {
    const STEP: usize = size_of::<u128>();
    let (a_steps, _) = a.as_chunks::<STEP>();
    let (b_steps, _) = b.as_chunks::<STEP>();
    let steps = a_steps.iter().zip(b_steps).take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[steps * STEP..], &b[steps * STEP..]);
    steps * STEP + a.iter().zip(b).take(STEP).take_while(|(a, b)| a == b).count()
}

/// Returns whether `line` holds `word` as a whole word, ignoring ASCII case.
pub fn has_word(line: &[u8], word: &[u8]) -> bool {
    has_word_that(line, &|held| held.eq_ignore_ascii_case(word))
}

/// Returns whether `line` holds a word that passes the test.
pub fn has_word_that(line: &[u8], test: &dyn Fn(&[u8]) -> bool) -> bool {
    let mut held = false;
    each_word(line, |start, end| held = held || test(&line[start..end]));
    held
}

/// A set of words, numbered in the order of their first appearance. The table's seed is the process's own, so
/// that no log can be written to make it slow; nothing that is returned depends on it.
#[derive(Debug, Default)]
pub struct WordSet {
    bytes: Vec<u8>,
    places: Vec<(u32, u32)>,
    table: HashTable<u32>,
    seed: RandomState,
}

impl WordSet {
    /// Adds a word, unless it is there; returns its number.
    #[inline]
    pub fn add(&mut self, word: &[u8]) -> u32 {
        let (bytes, places, seed) = (&self.bytes, &self.places, &self.seed);
        let at = |number: u32| {
            let (from, to) = places[number as usize];
            &bytes[from as usize..to as usize]
        };
        let hash = |word: &[u8]| {
            let mut hasher = seed.build_hasher();
            hasher.write(word);
            hasher.finish()
        };
        let entry =
            self.table.entry(hash(word), |&number| is_same(at(number), word), |&number| hash(at(number)));
        match entry {
            Entry::Occupied(found) => *found.get(),
            Entry::Vacant(free) => {
                let number = places.len() as u32;
                free.insert(number);
                let start = bytes.len() as u32;
                self.bytes.extend_from_slice(word);
                self.places.push((start, self.bytes.len() as u32));
                number
            }
        }
    }

    /// Returns the word of a number.
    pub fn word(&self, number: u32) -> &[u8] {
        let (from, to) = self.places[number as usize];
        &self.bytes[from as usize..to as usize]
    }

    /// Returns the words in the order of their numbers.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.places.iter().map(|&(from, to)| &self.bytes[from as usize..to as usize])
    }

    /// Returns the number of words.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Returns whether there are no words.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// Returns about how much memory the set takes.
    pub fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.places.capacity() * 8 + self.table.capacity() * 6
    }

    /// Forgets everything but the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
        self.table.clear();
    }
}

/// Compares words; most are so short that a call costs more than the comparing.
#[inline]
fn is_same(a: &[u8], b: &[u8]) -> bool {
    if a.len() != b.len() {
        return false;
    }
    if let (Some((a_first, b_first)), Some((a_last, b_last))) =
        (a.first_chunk::<8>().zip(b.first_chunk::<8>()), a.last_chunk::<8>().zip(b.last_chunk::<8>()))
        && a.len() <= 16
    {
        return u64::from_ne_bytes(*a_first) == u64::from_ne_bytes(*b_first)
            && u64::from_ne_bytes(*a_last) == u64::from_ne_bytes(*b_last);
    }
    if a.len() > 16 { a == b } else { a.iter().zip(b).all(|(a, b)| a == b) }
}

/// The distinct words of a run of lines, lower-cased, in the order of their first appearance.
///
/// Lines of a log repeat each other. Behind a word that was there before, the text is compared with what stood
/// behind it then; as far as both are the same, so are their words, and none of them is looked up again.
#[derive(Debug, Default)]
pub struct BlockWords {
    words: WordSet,
    /// All lines so far, a newline behind each.
    text: Vec<u8>,
    /// Where each word ended in `text` when it was last looked up.
    ends: Vec<usize>,
    /// The line at hand, lower-cased.
    lower: Vec<u8>,
    /// Whether a word was longer than [`MAX_WORD_BYTES`]: then only the line itself knows it.
    pub has_long: bool,
    /// Whether there was a `\uXXXX` escape.
    pub has_unicode_escape: bool,
    /// Whether a line was cut at the line limit: then only the line itself knows the words of its rest.
    pub has_cut_line: bool,
}

impl BlockWords {
    /// Adds the words of a line.
    pub fn add_line(&mut self, line: &[u8]) {
        self.lower.clear();
        self.lower.extend_from_slice(line);
        self.lower.make_ascii_lowercase();
        let begin = self.text.len();
        self.text.extend_from_slice(line);
        self.text.push(b'\n');
        let mut at = begin;
        // Up to here, the text is known to be what stood behind an earlier word.
        let mut same_until = 0;
        while let Some(&byte) = self.text.get(at) {
            match CLASS[byte as usize] {
                WORD => {
                    let end = word_end(&self.text, at);
                    let before = self.add_word(at - begin..end - begin, end);
                    at = end;
                    // What was compared is not compared again, or a line could be written that takes for ever.
                    if let (Some(before), true) = (before, at >= same_until) {
                        same_until = at + same_bytes(&self.text[before..], &self.text[at..]);
                        at = last_boundary(&self.text[..same_until], at);
                    }
                }
                BACKSLASH => {
                    let len = escape_len(&self.text[at..]);
                    self.has_unicode_escape |= len == 6;
                    at += len;
                }
                _ => at += 1,
            }
        }
    }

    /// Adds the word at a place of the line, which ends at `end` of the text; returns where it ended the last time.
    fn add_word(&mut self, place: Range<usize>, end: usize) -> Option<usize> {
        if place.len() > MAX_WORD_BYTES {
            self.has_long = true;
            return None;
        }
        let number = self.words.add(&self.lower[place]) as usize;
        if number == self.ends.len() {
            self.ends.push(end);
            return None;
        }
        Some(std::mem::replace(&mut self.ends[number], end))
    }

    /// Returns the words.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.words.iter()
    }

    /// Forgets everything but the memory.
    pub fn clear(&mut self) {
        self.words.clear();
        self.text.clear();
        self.ends.clear();
        self.has_long = false;
        self.has_unicode_escape = false;
        self.has_cut_line = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn words(line: &[u8]) -> Vec<String> {
        let mut block = BlockWords::default();
        block.add_line(line);
        block.iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    #[test]
    fn escapes_stand_between_words() {
        assert_eq!(
            words(br#"{"a":"x\nCaused by\tat\\node C:\data"}"#),
            ["a", "x", "caused", "by", "at", "node", "c", "data"]
        );
        assert_eq!(words(br"caf\u00e9 \u12 \"), ["caf", "u12"]);
        assert_eq!(words("Zürich é".as_bytes()), ["zürich", "é"]);
    }

    #[test]
    fn words_are_distinct_without_regard_to_case() {
        assert_eq!(words(b"Error error ERROR order_7"), ["error", "order_7"]);
        assert!(has_word(b"an ERROR here", b"error"));
        assert!(!has_word(b"errors", b"error"));
    }

    #[test]
    fn a_long_word_is_flagged_and_not_kept() {
        let mut block = BlockWords::default();
        block.add_line(&[b'x'; MAX_WORD_BYTES + 1]);
        assert!(block.has_long && block.iter().count() == 0);
        block.clear();
        block.add_line(&[b'x'; MAX_WORD_BYTES]);
        assert!(!block.has_long && block.iter().count() == 1);
    }

    #[test]
    fn a_line_of_nothing_but_repetitions_takes_no_time() {
        let mut block = BlockWords::default();
        block.add_line(&br"\a".repeat(1 << 20));
        assert_eq!(block.iter().collect::<Vec<_>>(), [b"a"]);
    }

    proptest! {
        /// What is passed over because it repeats what stood before holds nothing new.
        #[test]
        fn repetitions_hide_no_word(lines in prop::collection::vec(r#"([ab1 "\\N\n]|\\u|00e9|at com|x{190}|x{15}){0,40}"#, 0..12)) {
            let mut block = BlockWords::default();
            let (mut expected, mut long, mut escape) = (Vec::<Vec<u8>>::new(), false, false);
            for line in &lines {
                block.add_line(line.as_bytes());
                escape |= each_word(line.as_bytes(), |start, end| {
                    let word = line.as_bytes()[start..end].to_ascii_lowercase();
                    if word.len() > MAX_WORD_BYTES {
                        long = true;
                    } else if !expected.contains(&word) {
                        expected.push(word);
                    }
                });
            }
            prop_assert_eq!(block.iter().map(<[u8]>::to_vec).collect::<Vec<_>>(), expected);
            prop_assert_eq!((block.has_long, block.has_unicode_escape), (long, escape));
        }
    }
}
