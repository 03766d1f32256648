//! The words of a line: what the index knows about it. A word is a maximal run of Unicode letters, numbers and `_`, and of
//! the marks after them ([`letter`]), compared without regard to case. All other characters separate words, and so
//! does each invalid UTF-8 byte. JSON's escapes (RFC 8259, section 7: `\n`, `\"`, `\u00e9`, …) separate words, so
//! that `\nCaused` holds `caused` and not `ncaused`; any other backslash is an ordinary separator.
//!
//! A line holds a word as well if it does so once its escapes are undone, or undone twice ([`escapes`]): `M\u00fcller` holds
//! `müller`. In these readings a backslash is an ordinary separator.

pub mod escapes;
pub mod grams;
pub mod hex;
mod letter;
pub mod numbers;

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use foldhash::fast::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use self::escapes::{changed_segments, changes_words, escape_len, segment, undo, undone};
use self::grams::{Grams, is_sampled};
use self::hex::{HexWords, is_hex, is_hex_len};
use self::letter::Kind;
pub use self::letter::is_unspaced;
use self::numbers::{ShortNumbers, is_short_number};

/// The longest word that is indexed as itself, folded. Of longer ones only parts are known ([`grams`]).
pub const MAX_WORD_BYTES: usize = 64;

// Bits, so that a walk over a word can gather which kinds of bytes it has.
const SEPARATOR: u8 = 0;
const DIGIT: u8 = 1;
/// Of a letter that is a hex digit.
const HEX_LETTER: u8 = 1 << 1;
const OTHER_LETTER: u8 = 1 << 2;
const BACKSLASH: u8 = 1 << 3;
/// Of a character beyond ASCII, or not UTF-8.
const BEYOND: u8 = 1 << 4;

/// What words of ASCII are made of.
const WORD: u8 = DIGIT | HEX_LETTER | OTHER_LETTER;

/// What each byte is to the walk.
const CLASS: [u8; 256] = {
    let mut class = [SEPARATOR; 256];
    let mut byte = 0;
    while byte < 256 {
        let value = byte as u8;
        if value >= 0x80 {
            class[byte] = BEYOND;
        } else if value.is_ascii_digit() {
            class[byte] = DIGIT;
        } else if value.is_ascii_hexdigit() {
            class[byte] = HEX_LETTER;
        } else if value.is_ascii_alphabetic() || value == b'_' {
            class[byte] = OTHER_LETTER;
        }
        byte += 1;
    }
    class[b'\\' as usize] = BACKSLASH;
    class
};

/// Returns whether `byte` always separates words, and cannot be part of the start of an escape.
pub fn is_separator(byte: u8) -> bool {
    CLASS[byte as usize] == SEPARATOR
}

/// What begins at a position of a text that is not inside a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// A word, which ends there.
    Word(usize),
    /// A character that parts words, or a byte that is none, with its length.
    Between(usize),
}

/// Returns what begins at `at`, where no word continues and no escape begins.
#[inline]
pub fn standing_at(text: &[u8], at: usize) -> Standing {
    match CLASS[text[at] as usize] {
        BEYOND => beyond_at(text, at),
        class if class & WORD != 0 => Standing::Word(word_end(text, at + 1).0),
        _ => Standing::Between(1),
    }
}

#[inline(never)]
fn beyond_at(text: &[u8], at: usize) -> Standing {
    match letter::decode(&text[at..]) {
        Some((character, len)) if letter::kind(character) == Kind::Letter => {
            Standing::Word(word_end(text, at + len).0)
        }
        Some((_, len)) => Standing::Between(len),
        None => Standing::Between(1),
    }
}

/// Returns the end of the word that goes on up to `end`, or farther, and which classes its bytes from there have.
#[inline]
fn word_end(text: &[u8], mut end: usize) -> (usize, u8) {
    let mut classes = 0;
    while let Some(&byte) = text.get(end) {
        let class = CLASS[byte as usize];
        if class & WORD != 0 {
            end += 1;
        } else if class == BEYOND
            && let Some(len) = letter_or_mark_len(&text[end..])
        {
            end += len;
        } else {
            break;
        }
        classes |= class;
    }
    (end, classes)
}

#[inline(never)]
fn letter_or_mark_len(rest: &[u8]) -> Option<usize> {
    letter::decode(rest).filter(|&(character, _)| letter::kind(character) != Kind::Other).map(|(_, len)| len)
}

/// Returns how many bytes at the start of a text may belong to a word before the text: the rest of a
/// character, and marks.
pub fn tail_len(text: &[u8]) -> usize {
    let mut len = text.iter().take_while(|&byte| byte & 0xc0 == 0x80).count();
    while let Some((character, mark_len)) = letter::decode(&text[len..])
        && letter::kind(character) == Kind::Mark
    {
        len += mark_len;
    }
    len
}

/// Returns whether a text may be the beginning of a character that continues after it.
pub fn is_cut(rest: &[u8]) -> bool {
    let len = rest.first().and_then(|&first| letter::length(first));
    len.is_some_and(|len| len > rest.len())
}

/// Returns whether a text is one word.
pub fn is_word(text: &[u8]) -> bool {
    !text.is_empty() && standing_at(text, 0) == Standing::Word(text.len())
}

/// Calls `found` with the place of each word of `line` as it stands, as `start..end`, and returns whether there may be other
/// words once escapes are undone.
pub fn each_word(line: &[u8], mut found: impl FnMut(usize, usize)) -> bool {
    let mut has_others = false;
    let mut at = 0;
    while at < line.len() {
        if line[at] == b'\\' {
            let len = escape_len(&line[at..]);
            has_others |= changes_words(&line[at..], len);
            at += len;
            continue;
        }
        match standing_at(line, at) {
            Standing::Word(end) => {
                found(at, end);
                at = end;
            }
            Standing::Between(len) => at += len,
        }
    }
    has_others
}

/// Returns the places of the words of a text in which a backslash is an ordinary separator.
pub fn plain_word_places(text: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < text.len() {
            match standing_at(text, at) {
                Standing::Word(end) => return Some(std::mem::replace(&mut at, end)..end),
                Standing::Between(len) => at += len,
            }
        }
        None
    })
}

/// Returns the words of a text in which a backslash is an ordinary separator.
pub fn plain_words(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    plain_word_places(text).map(|place| &text[place])
}

/// Returns the last position of `text`, at least `from`, up to which its words depend on nothing that follows: one
/// after an ASCII byte that is neither part of a word nor possibly part of an escape.
fn last_boundary(text: &[u8], from: usize) -> usize {
    let is_separator = |&byte: &u8| is_separator(byte);
    text[from..].iter().rposition(is_separator).map_or(from, |at| from + at + 1)
}

/// Returns how many bytes both texts begin with.
#[inline]
fn same_bytes(a: &[u8], b: &[u8]) -> usize {
    const STEP: usize = size_of::<u64>();
    let (a_steps, a_rest) = a.as_chunks::<STEP>();
    let (b_steps, _) = b.as_chunks::<STEP>();
    let mut same = 0;
    for (a, b) in a_steps.iter().zip(b_steps) {
        let differing = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differing != 0 {
            return same + differing.trailing_zeros() as usize / 8;
        }
        same += STEP;
    }
    let rest = if same + STEP > a.len() { a_rest } else { &a[same..] };
    same + rest.iter().zip(&b[same..]).take_while(|(a, b)| a == b).count()
}

/// Returns the character that all of some characters are in another case, if there is one.
pub fn common_fold(mut characters: impl Iterator<Item = char>) -> Option<char> {
    let folded = letter::fold(characters.next()?);
    characters.all(|other| letter::fold(other) == folded).then_some(folded)
}

/// Returns a word, or a part of one, as the index holds it. Bytes that are not UTF-8 stay what they are.
pub fn folded(word: &[u8]) -> Vec<u8> {
    let mut folded = Vec::with_capacity(word.len());
    add_folded(word, &mut folded);
    folded
}

fn add_folded(mut word: &[u8], folded: &mut Vec<u8>) {
    while let Some(&first) = word.first() {
        if let Some((character, len)) = letter::decode(word) {
            folded.extend_from_slice(letter::fold(character).encode_utf8(&mut [0; 4]).as_bytes());
            word = &word[len..];
        } else {
            folded.push(first);
            word = &word[1..];
        }
    }
}

/// Returns how many bytes of a word match `start`, if the word begins with it in any case.
pub fn start_len(word: &[u8], start: &[u8]) -> Option<usize> {
    if word.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start)) {
        return Some(start.len());
    }
    // As a rule the first letters say it.
    let is_other = |(a, b): (&u8, &u8)| a.is_ascii() && b.is_ascii() && !a.eq_ignore_ascii_case(b);
    if word.first().zip(start.first()).is_some_and(is_other) || word.is_ascii() && start.is_ascii() {
        return None;
    }
    let (mut taken, mut rest) = (0, start);
    while !rest.is_empty() {
        let (wanted, wanted_len) = letter::decode(rest)?;
        let (held, held_len) = letter::decode(&word[taken..])?;
        if letter::fold(wanted) != letter::fold(held) {
            return None;
        }
        rest = &rest[wanted_len..];
        taken += held_len;
    }
    Some(taken)
}

/// Returns whether two words are the same in any case.
pub fn is_same_word(word: &[u8], other: &[u8]) -> bool {
    start_len(word, other) == Some(word.len())
}

/// Returns whether `line` holds a word that passes the test, as it stands or with its escapes undone.
pub fn has_word_that(line: &[u8], test: &dyn Fn(&[u8]) -> bool) -> bool {
    let mut held = false;
    let has_others = each_word(line, |start, end| held = held || test(&line[start..end]));
    let has_other = |segment| undone(segment).any(|reading| plain_words(&reading).any(test));
    held || has_others && changed_segments(line).any(has_other)
}

/// A set of words, numbered in the order of their first appearance. The table's seed is the process's own, so
/// that no log can be written to make it slow; nothing that is returned depends on it.
#[derive(Debug, Default)]
pub struct WordSet {
    bytes: Vec<u8>,
    places: Vec<(u32, u32)>,
    table: HashTable<Numbered>,
    seed: RandomState,
}

/// A word in the table. What tells most words apart is in the table itself: their bytes lie elsewhere, and a look at them
/// would miss the cache.
#[derive(Clone, Copy, Debug)]
struct Numbered {
    ends: Ends,
    number: u32,
}

/// The first and the last bytes of a word, up to eight of each, and its length: all of a word of up to 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ends {
    first: u64,
    last: u64,
    len: u32,
}

impl Ends {
    #[inline]
    fn of(word: &[u8]) -> Self {
        let (first, last) = match word {
            [] => (0, 0),
            // Three bytes at most: which of them a word has is in its length.
            &[a] => (u64::from(a), 0),
            &[a, .., b] if word.len() < 4 => (u64::from(a), u64::from(word[1]) << 8 | u64::from(b)),
            _ => match (word.first_chunk::<8>(), word.last_chunk::<8>()) {
                (Some(first), Some(last)) => (u64::from_ne_bytes(*first), u64::from_ne_bytes(*last)),
                _ => (four_bytes(word.first_chunk()), four_bytes(word.last_chunk())),
            },
        };
        Self { first, last, len: word.len() as u32 }
    }

    #[inline]
    fn are_all(&self) -> bool {
        self.len <= 16
    }

    #[inline]
    fn hash(&self, word: &[u8], seed: &RandomState) -> u64 {
        let mut hasher = seed.build_hasher();
        if self.are_all() {
            hasher.write_u64(self.first);
            hasher.write_u64(self.last ^ u64::from(self.len) << 56);
        } else {
            hasher.write(word);
        }
        hasher.finish()
    }
}

#[inline]
fn four_bytes(bytes: Option<&[u8; 4]>) -> u64 {
    bytes.map_or(0, |bytes| u64::from(u32::from_ne_bytes(*bytes)))
}

impl WordSet {
    /// Adds a word, unless it is there; returns its number.
    #[inline]
    pub fn add(&mut self, word: &[u8]) -> u32 {
        let ends = Ends::of(word);
        let (bytes, places, seed) = (&self.bytes, &self.places, &self.seed);
        let at = |number: u32| {
            let (from, to) = places[number as usize];
            &bytes[from as usize..to as usize]
        };
        let is_same = |held: &Numbered| held.ends == ends && (ends.are_all() || at(held.number) == word);
        let rehash = |held: &Numbered| held.ends.hash(at(held.number), seed);
        match self.table.entry(ends.hash(word, seed), is_same, rehash) {
            Entry::Occupied(found) => found.get().number,
            Entry::Vacant(free) => {
                let number = places.len() as u32;
                free.insert(Numbered { ends, number });
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
        self.bytes.capacity()
            + self.places.capacity() * 8
            + self.table.capacity() * (size_of::<Numbered>() + 1)
    }

    /// Forgets everything but the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.places.clear();
        self.table.clear();
    }
}

/// Where a word ended that no line holds as it stands.
const NOWHERE: usize = usize::MAX;

/// The distinct words of a run of lines, folded: those of the lines as they stand, and those that they have with their escapes
/// undone.
///
/// Lines of a log repeat each other. After a word seen before, the following text is compared with what
/// followed it last time; words in the matching stretch are not looked up again. Where the match ends, in an id mostly, the
/// text after both ids is compared in the same way. Ids and numbers themselves are not looked up at all ([`hex`]).
#[derive(Debug, Default)]
pub struct BlockWords {
    /// The words that are not among the others, in the order of their first appearance.
    pub text: WordSet,
    /// Numbers of up to three digits.
    pub numbers: ShortNumbers,
    /// The words that consist of hex digits, but for short ones.
    pub hex: HexWords,
    /// The words that are not among the others: long ones, and those that look random.
    pub grams: Grams,
    /// All lines so far, with a newline after each.
    lines: Vec<u8>,
    /// Where each word of `text` ended in `lines` when it was last looked up, or [`NOWHERE`].
    ends: Vec<usize>,
    /// The line at hand, its ASCII lower-cased.
    lower: Vec<u8>,
    /// The word at hand, if it has more than ASCII.
    folded: Vec<u8>,
    /// The segment at hand with its escapes undone once and twice.
    undone: [Vec<u8>; escapes::DEPTH],
    /// Whether there was a `\uXXXX` escape, or an escape of an escape (`\\n` in JSON that is a string of JSON), after
    /// which letters of a word may stand.
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
        let begin = self.lines.len();
        self.lines.extend_from_slice(line);
        self.lines.push(b'\n');
        let mut at = begin;
        // Up to here, the text is known to repeat what followed an earlier word.
        let mut same_until = 0;
        // Up to here, escapes have been undone where that changes words.
        let mut undone_until = 0;
        // A place of this line, and the place of earlier text that it repeats the text before.
        let mut twins = (usize::MAX, 0);
        while let Some(&byte) = self.lines.get(at) {
            // One table access per position: this loop and the lookup after it take a quarter of an ingest.
            let (end, classes) = match CLASS[byte as usize] {
                SEPARATOR => {
                    at += 1;
                    continue;
                }
                BACKSLASH => {
                    let len = escape_len(&self.lines[at..]);
                    if changes_words(&self.lines[at..], len) && at >= undone_until {
                        undone_until = self.add_undone(begin, at);
                    }
                    at += len;
                    continue;
                }
                BEYOND => match beyond_at(&self.lines, at) {
                    Standing::Word(end) => (end, BEYOND),
                    Standing::Between(len) => {
                        at += len;
                        continue;
                    }
                },
                class => {
                    let (end, classes) = word_end(&self.lines, at + 1);
                    (end, class | classes)
                }
            };
            let before = self.add_word(at - begin..end - begin, classes, end);
            // What follows an id is nearly always what followed the id in its place.
            let before = before.or_else(|| (twins.0 == at).then(|| self.end_of_twin(twins.1)).flatten());
            at = end;
            // Text is never compared twice; otherwise a hostile line could take quadratic time.
            if let (Some(before), true) = (before, at >= same_until && !self.goes_on_undone(at)) {
                same_until = at + same_bytes(&self.lines[before..], &self.lines[at..]);
                at = last_boundary(&self.lines[..same_until], at);
                twins = (at, before + at - end);
            }
        }
    }

    /// Adds the word at a place of the line, whose bytes have these classes and which ends at `end` of the lines; returns where
    /// it ended the last time, if that is known.
    #[inline]
    fn add_word(&mut self, place: Range<usize>, classes: u8, end: usize) -> Option<usize> {
        let mut word = &self.lower[place];
        if classes & (OTHER_LETTER | BEYOND) == 0 {
            if is_hex_len(word.len()) {
                self.hex.add(word);
                return None;
            }
            if classes == DIGIT && word.len() <= numbers::MAX_DIGITS {
                self.numbers.add(word);
                return None;
            }
        }
        if classes & BEYOND != 0 {
            self.folded.clear();
            add_folded(word, &mut self.folded);
            word = &self.folded;
        }
        if is_sampled(word) {
            self.grams.add(word);
            return None;
        }
        let number = self.text.add(word) as usize;
        if number == self.ends.len() {
            self.ends.push(end);
            return None;
        }
        let before = std::mem::replace(&mut self.ends[number], end);
        (before != NOWHERE).then_some(before)
    }

    /// Returns where the word ends that begins at a place of earlier text, unless it is long.
    #[inline]
    fn end_of_twin(&self, start: usize) -> Option<usize> {
        const MAX_CHAR_BYTES: usize = 4;
        // Bounded: a long word may be the twin of any number of short ones.
        let text = &self.lines[..self.lines.len().min(start + MAX_WORD_BYTES + MAX_CHAR_BYTES)];
        let (end, _) = word_end(text, start);
        // Nearer to where the text was cut, a character may have been cut, too.
        (end + MAX_CHAR_BYTES <= text.len()).then_some(end)
    }

    /// Whether the word that ends there may be a longer one once escapes are undone. Then what follows it is not passed over,
    /// however often it was there: it followed other words.
    fn goes_on_undone(&self, end: usize) -> bool {
        matches!(self.lines[end..], [b'\\', b'u' | b'\\', ..])
    }

    /// Adds the words that the segment around `at` has with its escapes undone; returns where it ends. The line begins at
    /// `begin`.
    #[inline(never)]
    fn add_undone(&mut self, begin: usize, at: usize) -> usize {
        self.has_unicode_escape = true;
        let segment = segment(&self.lines[begin..], at - begin);
        let end = begin + segment.end;
        let [mut once, mut twice] = std::mem::take(&mut self.undone);
        once.clear();
        undo(&self.lines[begin + segment.start..end], &mut once);
        self.add_plain(&once);
        if memchr::memchr(b'\\', &once).is_some() {
            twice.clear();
            undo(&once, &mut twice);
            self.add_plain(&twice);
        }
        self.undone = [once, twice];
        end
    }

    /// Adds the words of a text that no line holds as it stands.
    fn add_plain(&mut self, text: &[u8]) {
        for word in plain_words(text) {
            self.folded.clear();
            add_folded(word, &mut self.folded);
            if is_hex(&self.folded) {
                self.hex.add(&self.folded);
            } else if is_short_number(&self.folded) {
                self.numbers.add(&self.folded);
            } else if is_sampled(&self.folded) {
                self.grams.add(&self.folded);
            } else if self.text.add(&self.folded) as usize == self.ends.len() {
                self.ends.push(NOWHERE);
            }
        }
    }

    /// Returns all words that are known as themselves, once each.
    pub fn known(&self) -> BTreeSet<Vec<u8>> {
        let text = self.text.iter().map(<[u8]>::to_vec);
        let numbers = self.numbers.iter().map(String::into_bytes);
        text.chain(numbers).chain(self.hex.iter()).collect()
    }

    /// Forgets everything but the memory.
    pub fn clear(&mut self) {
        self.text.clear();
        self.hex.clear();
        self.grams.clear();
        self.numbers = ShortNumbers::default();
        self.lines.clear();
        self.ends.clear();
        self.has_unicode_escape = false;
        self.has_cut_line = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set<const N: usize>(words: [&str; N]) -> BTreeSet<String> {
        words.map(str::to_owned).into()
    }

    fn words(line: &[u8]) -> BTreeSet<String> {
        let mut block = BlockWords::default();
        block.add_line(line);
        block.known().iter().map(|word| String::from_utf8_lossy(word).into_owned()).collect()
    }

    #[test]
    fn escapes_stand_between_words() {
        assert_eq!(
            words(br#"{"a":"x\nCaused by\tat\\node C:\data"}"#),
            set(["a", "x", "caused", "by", "at", "node", "ode", "c", "data"])
        );
        assert_eq!(words(br"caf\u00e9 \u12 \"), set(["caf", "café", "u12"]));
        assert_eq!(
            words(br#""{\"msg\":\"M\\u00fcller\\nat\"}""#),
            set(["msg", "m", "u00fcller", "nat", "müller", "at"])
        );
        assert_eq!(words("Zürich é".as_bytes()), set(["zürich", "é"]));
    }

    #[test]
    fn words_end_at_whatever_is_no_letter() {
        let line = "‘basket’ — timeout… “Refused” order→shipped ⚠\u{fe0f}disk １２ａ 字 \u{212a}Ошибка e\u{301}t 1\u{20e3}";
        let expected = [
            "basket",
            "timeout",
            "refused",
            "order",
            "shipped",
            "disk",
            "１２ａ",
            "字",
            "kошибка",
            "e\u{301}t",
            "1\u{20e3}",
        ];
        assert_eq!(words(line.as_bytes()), set(expected));
        assert_eq!(
            words(b"na\xefve \xe2\x80 caf\xc3\xa9\xa9x \xf0\x9f\x98a"),
            set(["na", "ve", "café", "x", "a"])
        );
        assert_eq!(words("ΟΔΟΣ οδος οδοσ İ ı I".as_bytes()), set(["οδοσ", "İ", "ı", "i"]));
    }

    #[test]
    fn a_beginning_is_as_long_as_it_stands_in_the_word() {
        for (word, start, expected) in [
            ("Timeout", "time", Some(4)),
            ("Ошибка", "ошИ", Some(6)),
            ("\u{212a}ilo", "ki", Some(4)),
            ("kilo", "\u{212a}I", Some(2)),
            ("\u{23a}b", "\u{2c65}", Some(2)),
            ("ab", "abc", None),
            ("é", "e", None),
            ("e\u{301}", "e", Some(1)),
            ("x", "", Some(0)),
        ] {
            assert_eq!(start_len(word.as_bytes(), start.as_bytes()), expected, "{word} {start}");
        }
        assert!(
            is_same_word("STRASSE".as_bytes(), b"stra\xc5\xbfse")
                && !is_same_word("straße".as_bytes(), b"strasse")
        );
    }

    #[test]
    fn words_are_distinct_without_regard_to_case() {
        assert_eq!(
            words(b"Error error ERROR order_7 7 07 7 CAFE1 cafe1"),
            set(["error", "order_7", "7", "07", "cafe1"])
        );
        let has_error = |line: &[u8]| has_word_that(line, &|held| is_same_word(held, b"error"));
        assert!(has_error(b"an ERROR here") && !has_error(b"errors") && !has_error(b"erro"));
    }

    #[test]
    fn a_long_word_is_sampled_and_not_kept() {
        let mut block = BlockWords::default();
        block.add_line(&[b'x'; MAX_WORD_BYTES + 1]);
        assert!(!block.grams.is_empty() && block.known().is_empty());
        block.clear();
        block.add_line(&[b'x'; MAX_WORD_BYTES]);
        assert!(block.grams.is_empty() && block.known().len() == 1);
    }

    #[test]
    fn a_line_of_nothing_but_repetitions_takes_no_time() {
        let mut block = BlockWords::default();
        block.add_line(&br"\a".repeat(1 << 20));
        assert_eq!(block.known(), BTreeSet::from([b"a".to_vec()]));
    }

    /// Lines that repeat each other except for a letter, a mark, or half a character.
    fn pieces() -> impl Strategy<Value = Vec<u8>> {
        let long = [b'x'; 190];
        let pieces: Vec<Vec<u8>> = [
            "a",
            "b",
            "1",
            "b1f",
            "20",
            " ",
            "\"",
            "\\",
            "N",
            "n",
            "\\u",
            "\\\\",
            "00e9",
            "005c",
            "\\n",
            "/",
            "at com",
            "é",
            "É",
            "e",
            "\u{301}",
            "→",
            "к",
            "К",
            "k",
            "\u{212a}",
            "字",
            "\u{fe0f}",
            "xxxxxxxxxxxxxxx",
            "…",
        ]
        .iter()
        .map(|piece| piece.as_bytes().to_vec())
        .chain([long.to_vec(), b"\xc3".to_vec(), b"\xa9".to_vec(), b"\xe2\x80".to_vec()])
        .collect();
        prop::collection::vec(prop::sample::select(pieces), 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        /// Text that is skipped because it repeats earlier text contains nothing new, and no word of a line with its escapes
        /// undone is missing.
        #[test]
        fn repetitions_hide_no_word(lines in prop::collection::vec(pieces(), 0..12)) {
            let mut block = BlockWords::default();
            let (mut expected, mut long, mut escape) = (BTreeSet::new(), false, false);
            for line in &lines {
                block.add_line(line);
                let mut add = |word: &[u8]| {
                    let word = folded(word);
                    if is_sampled(&word) { long = true } else { expected.insert(word); }
                };
                escape |= each_word(line, |start, end| add(&line[start..end]));
                undone(line).for_each(|reading| plain_words(&reading).for_each(&mut add));
            }
            prop_assert_eq!(block.known(), expected);
            prop_assert_eq!((!block.grams.is_empty(), block.has_unicode_escape), (long, escape));
        }

        /// A word is found in a line by its segments as in the whole line.
        #[test]
        fn a_line_has_the_words_of_all_its_readings(line in pieces()) {
            let mut block = BlockWords::default();
            block.add_line(&line);
            let mut readings = Vec::new();
            each_word(&line, |start, end| readings.push(line[start..end].to_vec()));
            undone(&line).for_each(|reading| readings.extend(plain_words(&reading).map(<[u8]>::to_vec)));
            for word in &readings {
                prop_assert!(has_word_that(&line, &|held| held == word));
            }
            prop_assert!(!has_word_that(&line, &|held| !readings.iter().any(|word| word == held)));
        }
    }
}
