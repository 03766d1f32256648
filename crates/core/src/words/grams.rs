//! Words that would take too many bytes as themselves: long ones, and those that look like random text (tokens, blobs in
//! base64, ids of letters and digits). Of the words of a block a [`Filter`] knows which parts they may have, in a bounded
//! number of bytes. It never denies a part that a word has.
//!
//! Each word is taken with a blank before and after it, so that its ends are parts of their own. Of every
//! [`WINDOW`] neighbouring grams, which are [`GRAM`] bytes each, the filter holds the one with the least hash
//! (Schleimer, Wilkerson, Aiken, "Winnowing: Local Algorithms for Document Fingerprinting", 2003): half of all grams, and
//! at least one of each part of [`GRAM`] + [`WINDOW`] - 1 bytes. Shorter parts are judged by the letters that occur, and at the
//! ends of words by beginnings and ends of two and four bytes.
//!
//! Format: a bit for each letter that occurs ([`letter`], u64 little endian), then a Bloom filter with two bits for each gram.

use std::ops::Range;

use super::MAX_WORD_BYTES;

/// The bytes of a gram.
const GRAM: usize = 5;
/// Of so many neighbouring grams one is kept.
const WINDOW: usize = 3;

/// The lengths of the beginnings and ends that are kept besides.
const ENDS: [usize; 2] = [2, 4];

/// What stands before and after a word. No word has it.
const BLANK: u8 = b' ';

/// A word of fewer bytes is kept as itself, whatever it looks like.
const MIN_RANDOM_BYTES: usize = 20;
/// A word in which letters and digits take turns so often looks random: base64 has ten digits in 64 letters.
const MIN_TURNS: usize = 4;

/// The bits of a filter for each gram: one in twenty grams that are absent seems to be there.
const BITS_A_GRAM: usize = 8;
/// A filter's bits come in so many bytes, so that it can be halved several times.
const STEP_BYTES: usize = 64;
/// It is halved while fewer of its bits are set than one in so many, since grams repeat each other.
const SPARSE: usize = 6;

/// The bytes of the letters.
const LETTERS_BYTES: usize = size_of::<u64>();

/// Returns whether a word, folded, is one that only a filter knows. Short hex and decimal words are not: they are packed.
#[inline]
pub fn is_sampled(word: &[u8]) -> bool {
    word.len() > MAX_WORD_BYTES || word.len() >= MIN_RANDOM_BYTES && looks_random(word)
}

#[inline(never)]
fn looks_random(word: &[u8]) -> bool {
    let turns = word.windows(2).filter(|pair| pair[0].is_ascii_digit() != pair[1].is_ascii_digit()).count();
    turns >= MIN_TURNS && !word.iter().all(u8::is_ascii_hexdigit)
}

/// The bit of a letter.
fn letter(byte: u8) -> u64 {
    1 << match byte {
        b'a'..=b'z' => byte - b'a',
        b'0'..=b'9' => 26 + (byte - b'0'),
        b'_' => 36,
        // Of characters beyond ASCII.
        other => 37 + other % 27,
    }
}

/// Gathers the sampled words of a block.
#[derive(Debug, Default)]
pub struct Grams {
    letters: u64,
    hashes: Vec<u32>,
    /// The word at hand with its blanks.
    word: Vec<u8>,
}

impl Grams {
    /// Adds a word, folded.
    pub(super) fn add(&mut self, word: &[u8]) {
        self.letters = word.iter().fold(self.letters, |letters, &byte| letters | letter(byte));
        self.word.clear();
        self.word.push(BLANK);
        self.word.extend_from_slice(word);
        self.word.push(BLANK);
        sample(&self.word, &mut self.hashes);
        for end in ends(&self.word).into_iter().flatten() {
            self.hashes.push(hash_end(&self.word[end]));
        }
    }

    /// Returns whether there are no words.
    pub fn is_empty(&self) -> bool {
        self.letters == 0
    }

    /// Returns the filter, of about `max_bytes` at most.
    pub fn filter(&self, max_bytes: usize) -> Vec<u8> {
        let steps = (self.hashes.len() * BITS_A_GRAM / 8).min(max_bytes).div_ceil(STEP_BYTES).max(1);
        let mut bits = vec![0_u64; steps * STEP_BYTES / 8];
        for &hash in &self.hashes {
            for place in places(hash, bits.len() * 64) {
                bits[place / 64] |= 1 << (place % 64);
            }
        }
        while bits.len().is_multiple_of(2) && is_sparse(&bits) {
            bits = bits.chunks_exact(2).map(|pair| halved(pair[0]) | halved(pair[1]) << 32).collect();
        }
        let bits = bits.iter().flat_map(|word| word.to_le_bytes());
        self.letters.to_le_bytes().into_iter().chain(bits).collect()
    }

    /// Forgets everything but the memory.
    pub(super) fn clear(&mut self) {
        self.letters = 0;
        self.hashes.clear();
    }
}

fn is_sparse(bits: &[u64]) -> bool {
    let set: u32 = bits.iter().map(|word| word.count_ones()).sum();
    set as usize * SPARSE < bits.len() * 64
}

/// Returns 32 bits, each set where one of two neighbours is ("Hacker's Delight", 7-4: compress).
fn halved(word: u64) -> u64 {
    const MASKS: [u64; 5] = [
        0x3333_3333_3333_3333,
        0x0f0f_0f0f_0f0f_0f0f,
        0x00ff_00ff_00ff_00ff,
        0x0000_ffff_0000_ffff,
        0x0000_0000_ffff_ffff,
    ];
    let either = (word | word >> 1) & 0x5555_5555_5555_5555;
    (0..).zip(MASKS).fold(either, |bits, (step, mask)| (bits | bits >> (1 << step)) & mask)
}

/// The beginnings and ends of a word with its blanks, with the blank.
fn ends(word: &[u8]) -> [Option<Range<usize>>; 2 * ENDS.len()] {
    let whole = 0..word.len();
    let fits = |len: usize| len < whole.len();
    let [short, long] = ENDS;
    [
        fits(short).then_some(0..short + 1),
        fits(long).then_some(0..long + 1),
        fits(short).then_some(whole.end.saturating_sub(short + 1)..whole.end),
        fits(long).then_some(whole.end.saturating_sub(long + 1)..whole.end),
    ]
}

/// Adds the least hash of each window of grams.
fn sample(text: &[u8], hashes: &mut Vec<u32>) {
    let mut recent = [u32::MAX; WINDOW];
    let mut kept = None;
    for (at, gram) in text.windows(GRAM).enumerate() {
        recent[at % WINDOW] = hash(gram);
        if at + 1 >= WINDOW {
            let least = recent.into_iter().min();
            hashes.extend(least.filter(|_| least != kept));
            kept = least;
        }
    }
}

/// Multiplicative hashing (Knuth, "The Art of Computer Programming", volume 3, 6.4) of up to eight bytes. It is part of
/// what is stored: the same in every process.
fn hash(gram: &[u8]) -> u32 {
    let value = gram.iter().fold(0, |value, &byte| value << 8 | u64::from(byte));
    (value.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32
}

/// The hash of a beginning or an end: another one than that of a gram of the same bytes.
fn hash_end(end: &[u8]) -> u32 {
    hash(end).rotate_left(16) ^ end.len() as u32
}

/// The two places of a gram in a filter of so many bits, by multiplication (Lemire, "Fast Random Integer Generation in an
/// Interval", 2019): in a filter of half the bits they are half as far.
fn places(hash: u32, bits: usize) -> [usize; 2] {
    let other = hash.wrapping_mul(0x85eb_ca6b);
    [hash.wrapping_mul(0xc2b2_ae35), other ^ other >> 15]
        .map(|hash| ((u64::from(hash) * bits as u64) >> 32) as usize)
}

/// A part of a word to ask filters about.
#[derive(Clone, Debug)]
pub struct Part {
    letters: u64,
    hashes: Vec<u32>,
}

impl Part {
    /// Returns a part, folded; with `begins` it stands at the beginning of a word, with `ends` at its end.
    pub fn new(part: &[u8], begins: bool, ends: bool) -> Self {
        let blank = |is_there: bool| if is_there { &[BLANK][..] } else { &[] };
        let text = [blank(begins), part, blank(ends)].concat();
        let mut hashes = Vec::new();
        sample(&text, &mut hashes);
        for len in ENDS {
            if begins && part.len() >= len {
                hashes.push(hash_end(&text[..=len]));
            }
            if ends && part.len() >= len {
                hashes.push(hash_end(&text[text.len() - len - 1..]));
            }
        }
        hashes.sort_unstable();
        hashes.dedup();
        Self { letters: part.iter().fold(0, |letters, &byte| letters | letter(byte)), hashes }
    }

    /// Returns whether a word of the filter may have the part. A filter that makes no sense may hold anything.
    pub fn may_be_in(&self, filter: &[u8]) -> bool {
        let Some((letters, bits)) = filter.split_first_chunk::<LETTERS_BYTES>() else { return true };
        if bits.is_empty() {
            return true;
        }
        let is_set = |place: usize| bits[place / 8] & 1 << (place % 8) != 0;
        let holds = |&hash: &u32| places(hash, bits.len() * 8).into_iter().all(is_set);
        self.letters & !u64::from_le_bytes(*letters) == 0 && self.hashes.iter().all(holds)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filter(words: &[Vec<u8>], max_bytes: usize) -> Vec<u8> {
        let mut grams = Grams::default();
        for word in words {
            grams.add(word);
        }
        grams.filter(max_bytes)
    }

    /// Words of pseudo-random letters (Marsaglia, "Xorshift RNGs", 2003).
    fn random(seed: u64, letters: &[u8], words: usize, len: usize) -> Vec<Vec<u8>> {
        let mut state = seed;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            letters[(state >> 33) as usize % letters.len()]
        };
        (0..words).map(|_| (0..len).map(|_| next()).collect()).collect()
    }

    const BASE36: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

    #[test]
    fn tokens_look_random_and_names_do_not() {
        for word in ["01arz3ndektsv4rrffq69g5fav", "eyjhbgcioijiuzi1niisinr5cci6", "0ujtszwn8tlcz5qk7xv2ab"] {
            assert!(is_sampled(word.as_bytes()), "{word}");
        }
        for word in [
            "reflectivemethodinvocation",
            "550e8400e29b41d4a716446655440000",
            "http2_server_connection",
            "x86_64",
        ] {
            assert!(!is_sampled(word.as_bytes()), "{word}");
        }
        assert!(is_sampled(&[b'a'; MAX_WORD_BYTES + 1]));
    }

    #[test]
    fn absent_parts_of_seven_letters_are_mostly_denied() {
        for letters in [b"0123456789abcdef".as_slice(), BASE36] {
            let words = random(1, letters, 40, 300);
            for (max_bytes, most) in [(1 << 16, 120), (1600, 450)] {
                let filter = filter(&words, max_bytes);
                assert!(
                    filter.len() <= LETTERS_BYTES + max_bytes + STEP_BYTES,
                    "{} of {max_bytes}",
                    filter.len()
                );
                let parts = random(2, letters, 1000, 7);
                let seem = parts.iter().filter(|part| Part::new(part, false, false).may_be_in(&filter));
                assert!(seem.count() < most, "{max_bytes}");
                let whole = random(3, letters, 1000, 24);
                let seem = whole.iter().filter(|word| Part::new(word, true, true).may_be_in(&filter));
                assert!(seem.count() < most / 20);
            }
        }
    }

    #[test]
    fn repeated_words_take_no_more_room() {
        let words = random(5, BASE36, 1, 400);
        let often: Vec<_> = std::iter::repeat_n(words[0].clone(), 500).collect();
        assert!(filter(&often, 1 << 16).len() <= 4 * filter(&words, 1 << 16).len());
    }

    #[test]
    fn short_parts_are_judged_by_letters_and_ends() {
        let filter = filter(&random(7, b"0123456789abcdef", 3, 300), 4096);
        let may = |part: &[u8], begins, ends| Part::new(part, begins, ends).may_be_in(&filter);
        assert!(!may(b"order", false, false) && !may(b"zz", true, false));
        assert!(may(b"a0", false, false));
        let seem = random(8, b"0123456789abcdef", 200, 4);
        assert!(seem.iter().filter(|part| may(part, true, false)).count() < 40);
    }

    #[test]
    fn wrecks_may_hold_anything() {
        assert!(
            [&b""[..], b"1234567", b"12345678"]
                .iter()
                .all(|wreck| { Part::new(b"zzzzzzzzz", true, true).may_be_in(wreck) })
        );
    }

    proptest! {
        /// A part of a word is never denied, however few bytes there are.
        #[test]
        fn every_part_may_be_there(
            words in prop::collection::vec("[a-z0-9_é]{1,90}", 1..20),
            places in any::<[prop::sample::Index; 3]>(),
            max_bytes in 0_usize..4096,
        ) {
            let words: Vec<_> = words.into_iter().map(String::into_bytes).collect();
            let filter = filter(&words, max_bytes);
            let word = &words[places[0].index(words.len())];
            let [a, b] = [1, 2].map(|at| places[at].index(word.len() + 1));
            let (start, end) = (a.min(b), a.max(b));
            let part = Part::new(&word[start..end], start == 0, end == word.len());
            prop_assert!(part.may_be_in(&filter));
        }
    }
}
