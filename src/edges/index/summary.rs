//! A summary of a segment, in a file beside the segment's own, so that a segment that cannot match is
//! not even opened: its times, a Bloom filter of all its words, and as text, for parts of words, those that are terms
//! and the long ones that are not packed. A segment without its summary (of an older version, or lost) is opened.
//!
//! The filter is a blocked one, five bits for each word: a word has its bits in one cache line (Putze, Sanders and
//! Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007). One in eight absent words seems to be present,
//! which costs a read of one segment in eight. A lower rate would need more bytes than an index of at most 5 % of the
//! lines has to spare.
//!
//! Format: a header of 64 bytes (`gzs1`; as little endian numbers the filter's cache lines, u32, the bytes of the text,
//! u32, 4 bytes unused, the first and the last time, i64; a bit for each length of packed words that occurs, 32 bytes),
//! the filter, the text (`\n` word `\n` word `\n`, or nothing), the first 8 bytes of BLAKE3 over all that.

use std::cell::OnceCell;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

use memchr::memmem;

use super::directory::UNFINISHED_EXTENSION;
use super::guard::{Guard, checksum};
use super::rare::Packed;
use super::schema::{CUT_LINE_FLAG, SAMPLED_FLAG, UNICODE_ESCAPE_FLAG};
use super::terms::Part;
use crate::edges::disk;
use gzette_core::model::{UtcMs, Window};
use gzette_core::query::Need;
use gzette_core::words::grams::is_sampled;
use gzette_core::words::hex::{self, is_digit, is_hex, packed_len};
use gzette_core::words::numbers::{ShortNumbers, is_short_number};

/// The bytes of a cache line.
const LINE_BYTES: usize = 64;
/// How many bits of the filter there are for each word.
const BITS_A_WORD: usize = 5;
/// How many of them a word sets, the best number for as many.
const BITS: u32 = 3;
/// What the file begins with.
const MAGIC: [u8; 4] = *b"gzs1";
/// The bytes before the filter.
const HEADER_BYTES: usize = 64;
/// The checksum's bytes at the end.
const CHECKSUM_BYTES: usize = 8;
/// What the name of the file ends with, after the segment's.
const EXTENSION: &str = "summary";
/// What those of an older version end with.
const FORMER_EXTENSION: &str = "rare";

/// A rare word that is not packed is long, and in the text, with more bytes than an id of 64 bits has digits. Shorter ones
/// may be in every line, and would take too much room.
const LONG_BYTES: usize = 16;
/// A text longer than this is left out: parts of words are then looked for in the segment itself. Of common logs it has
/// some thousands of words; of one with a token of many letters in each line as many as lines.
const MAX_TEXT_BYTES: usize = 256 << 10;
/// What the header says of a text that was left out.
const NO_TEXT: u32 = u32::MAX;

/// How a segment holds a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// As a term.
    Common,
    /// With the blocks that hold it.
    Rare,
}

/// Gathers the summary of a segment.
pub(super) struct SummaryBuilder {
    /// A hash of each word. Two words that share one only seem to be there together.
    hashes: Vec<u32>,
    /// Which lengths of packed words there are.
    lengths: [u8; 32],
    span_ms: (UtcMs, UtcMs),
    /// Terms and long words, with a newline before and after each; `None`: too many.
    text: Option<Vec<u8>>,
}

impl Default for SummaryBuilder {
    fn default() -> Self {
        Self {
            hashes: Vec::new(),
            lengths: [0; 32],
            span_ms: (UtcMs::MAX, UtcMs::MIN),
            text: Some(Vec::new()),
        }
    }
}

impl SummaryBuilder {
    /// Adds the times of a block.
    pub(super) fn add_span(&mut self, first_ms: UtcMs, last_ms: UtcMs) {
        self.span_ms = (self.span_ms.0.min(first_ms), self.span_ms.1.max(last_ms));
    }

    /// Adds packed words with so many letters each.
    pub(super) fn add_packed(&mut self, letters: usize, packed: &[u8]) {
        self.hashes.extend(packed.chunks_exact(packed_len(letters)).map(|word| hash_packed(letters, word)));
        self.lengths[letters / 8] |= 1 << (letters % 8);
    }

    /// Adds short numbers.
    pub(super) fn add_numbers(&mut self, numbers: &ShortNumbers) {
        for number in numbers.iter() {
            self.hashes.push(hash(number.as_bytes(), How::Rare));
            self.lengths[0] |= 1 << number.len();
        }
    }

    /// Adds a flag.
    pub(super) fn add_flag(&mut self, flag: &[u8]) {
        self.hashes.push(hash(flag, How::Common));
    }

    /// Adds a word that is not packed.
    pub(super) fn add_unpacked(&mut self, word: &[u8], how: How) {
        self.hashes.push(hash(word, how));
        let Some(text) = &mut self.text else { return };
        if how == How::Rare && word.len() <= LONG_BYTES {
            return;
        }
        if text.is_empty() {
            text.push(b'\n');
        }
        text.extend_from_slice(word);
        text.push(b'\n');
        if text.len() > MAX_TEXT_BYTES {
            self.text = None;
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.hashes.len() * size_of::<u32>() + self.text.as_ref().map_or(0, Vec::len)
    }

    /// Returns the content of the file.
    fn finish(mut self) -> Vec<u8> {
        // Sorted and distinct, so that the size of the filter follows from the number of different words.
        self.hashes.sort_unstable();
        self.hashes.dedup();
        let lines = (self.hashes.len() * BITS_A_WORD).div_ceil(8 * LINE_BYTES).max(1);
        let header = Header {
            lines,
            text_bytes: self.text.as_ref().map(Vec::len),
            span_ms: self.span_ms,
            lengths: self.lengths,
        };
        let mut file = header.write();
        file.resize(HEADER_BYTES + lines * LINE_BYTES, 0);
        let filter = &mut file[HEADER_BYTES..];
        for &hash in &self.hashes {
            let (line, places) = places(hash, lines);
            let line = &mut filter[line * LINE_BYTES..(line + 1) * LINE_BYTES];
            places.for_each(|place| line[place / 8] |= 1 << (place % 8));
        }
        file.extend(self.text.unwrap_or_default());
        let checksum = checksum(&file);
        file.extend_from_slice(&checksum);
        file
    }

    /// Writes the file of a segment, durably. It is there whole or not at all: a merged segment may be searched before
    /// its summary is written.
    pub(super) fn write(self, dir: &Path, segment: &str) -> io::Result<()> {
        let path = path(dir, segment);
        disk::replace(&path, &path.with_extension(UNFINISHED_EXTENSION), &self.finish())
    }
}

/// The start of the file.
struct Header {
    lines: usize,
    text_bytes: Option<usize>,
    span_ms: (UtcMs, UtcMs),
    lengths: [u8; 32],
}

impl Header {
    fn write(&self) -> Vec<u8> {
        let text_bytes = self.text_bytes.map_or(NO_TEXT, |bytes| bytes as u32);
        let mut header = Vec::with_capacity(HEADER_BYTES);
        header.extend(MAGIC);
        header.extend((self.lines as u32).to_le_bytes());
        header.extend(text_bytes.to_le_bytes());
        header.extend([0; 4]);
        header.extend(self.span_ms.0.get().to_le_bytes());
        header.extend(self.span_ms.1.get().to_le_bytes());
        header.extend(self.lengths);
        header
    }

    fn read(bytes: &[u8; HEADER_BYTES]) -> Option<Self> {
        let (magic, rest) = bytes.split_first_chunk::<4>()?;
        let (lines, rest) = rest.split_first_chunk()?;
        let (text_bytes, rest) = rest.split_first_chunk()?;
        let (first_ms, rest) = rest.get(4..)?.split_first_chunk()?;
        let (last_ms, lengths) = rest.split_first_chunk()?;
        let text_bytes = u32::from_le_bytes(*text_bytes);
        let time = |bytes: &[u8; 8]| UtcMs::new(i64::from_le_bytes(*bytes));
        let header = Self {
            lines: u32::from_le_bytes(*lines) as usize,
            text_bytes: (text_bytes != NO_TEXT).then_some(text_bytes as usize),
            span_ms: (time(first_ms), time(last_ms)),
            lengths: lengths.try_into().ok()?,
        };
        (*magic == MAGIC && header.lines > 0).then_some(header)
    }

    fn text_at(&self) -> usize {
        HEADER_BYTES + self.lines * LINE_BYTES
    }

    fn file_bytes(&self) -> usize {
        self.text_at() + self.text_bytes.unwrap_or(0) + CHECKSUM_BYTES
    }
}

/// The summary of a segment.
pub(super) struct Summary {
    file: File,
    header: Header,
    /// The text, once it was asked for.
    text: OnceCell<Option<Vec<u8>>>,
}

impl Summary {
    /// Opens the summary of a segment, if it has one.
    pub(super) fn open(guard: &Guard, segment: &str) -> Option<Self> {
        let file = File::open(path(guard.dir(), segment)).ok()?;
        let metadata = file.metadata().ok()?;
        let check = || {
            let mut bytes = vec![0; metadata.len() as usize];
            file.read_exact_at(&mut bytes, 0)?;
            Ok(is_whole(&bytes))
        };
        // Without a summary a segment is opened: slower, never wrong. So every doubt here ends in `None`.
        if !guard.is_sound(&name(segment), &metadata, check).ok()? {
            return None;
        }
        let mut header = [0; HEADER_BYTES];
        file.read_exact_at(&mut header, 0).ok()?;
        let header = Header::read(&header)?;
        let is_whole = metadata.len() == header.file_bytes() as u64;
        is_whole.then_some(Self { file, header, text: OnceCell::new() })
    }

    /// Whether the segment may contain a block with times in the window that meets the need.
    pub(super) fn may_meet(&self, window: Window, need: &Need) -> bool {
        let (first_ms, last_ms) = self.header.span_ms;
        // The words of a line that was cut are not all known.
        window.meets(first_ms, last_ms)
            && (self.may_fulfil(need) || self.may_hold(CUT_LINE_FLAG, How::Common))
    }

    fn may_fulfil(&self, need: &Need) -> bool {
        match need {
            Need::Anything | Need::Levels(_) => true,
            Need::Word(word) if is_sampled(word) => self.may_hold(SAMPLED_FLAG, How::Common),
            Need::Word(word) => self.may_hold(word, How::Common) || self.may_hold(word, How::Rare),
            Need::UnicodeEscape => self.may_hold(UNICODE_ESCAPE_FLAG, How::Common),
            Need::Prefix(part) => self.may_hold_part(Part::Prefix(part)),
            Need::Suffix(part) => self.may_hold_part(Part::Suffix(part)),
            Need::Inner(part) => self.may_hold_part(Part::Inner(part)),
            Need::Any(needs) => needs.iter().any(|need| self.may_fulfil(need)),
            Need::All(needs) => needs.iter().all(|need| self.may_fulfil(need)),
        }
    }

    fn may_hold_part(&self, part: Part<'_>) -> bool {
        self.packed(part) != Packed::Nowhere
            || self.may_hold(SAMPLED_FLAG, How::Common)
            || self.text().is_none_or(|text| memmem::find(text, &part.needle()).is_some())
            || self.may_be_unlisted(part)
    }

    /// Whether words may have the part that are neither packed nor in the text.
    pub(super) fn may_be_unlisted(&self, part: Part<'_>) -> bool {
        let letters = part.bytes();
        self.text().is_none()
            || letters.len() < LONG_BYTES
            || letters.len() == LONG_BYTES && self.may_hold(letters, How::Rare)
    }

    /// Returns whether the segment may hold a word, or a flag, in this way.
    pub(super) fn may_hold(&self, word: &[u8], how: How) -> bool {
        let hash = if is_hex(word) {
            let mut packed = Vec::new();
            hex::pack(word, &mut packed);
            hash_packed(word.len(), &packed)
        } else {
            hash(word, how)
        };
        let (at, mut places) = places(hash, self.header.lines);
        let mut line = [0; LINE_BYTES];
        let offset = HEADER_BYTES + at * LINE_BYTES;
        // What cannot be read may hold anything.
        self.file.read_exact_at(&mut line, offset as u64).is_err()
            || places.all(|place| line[place / 8] & 1 << (place % 8) != 0)
    }

    /// Returns where words with the part may occur among the packed ones.
    pub(super) fn packed(&self, part: Part<'_>) -> Packed {
        let letters = part.bytes();
        let has = |length: &usize| self.header.lengths[length / 8] & 1 << (length % 8) != 0;
        if !letters.iter().all(|&byte| is_digit(byte)) {
            Packed::Nowhere
        // Lengths are enough to rule out most segments: ids of one kind have one length, and a whole id is not a part
        // of an equally long one.
        } else if (letters.len() + 1..256).any(|length| has(&length)) {
            Packed::Inside
        } else if (is_hex(letters) || is_short_number(letters))
            && has(&letters.len())
            && self.may_hold(letters, How::Rare)
        {
            Packed::Whole
        } else {
            Packed::Nowhere
        }
    }

    /// Returns the terms and the long words that are not packed, with a newline before and after each; `None`: they are not
    /// known.
    pub(super) fn text(&self) -> Option<&[u8]> {
        let read = || {
            let mut text = vec![0; self.header.text_bytes?];
            self.file.read_exact_at(&mut text, self.header.text_at() as u64).ok()?;
            Some(text)
        };
        self.text.get_or_init(read).as_deref()
    }
}

/// Returns the line of a hash and the places of its bits there.
fn places(hash: u32, lines: usize) -> (usize, impl Iterator<Item = usize>) {
    let line = ((u64::from(hash) * lines as u64) >> 32) as usize;
    // Mixed, for the upper bits chose the line.
    let mixed = mix(u64::from(hash));
    (line, (0..BITS).map(move |bit| (mixed >> (9 * bit)) as usize % (8 * LINE_BYTES)))
}

/// The hash of a word that is not packed, or of a flag.
fn hash(word: &[u8], how: How) -> u32 {
    hash_bytes(word, word.len() as u64 | (how as u64) << 32)
}

/// The hash of a packed word.
fn hash_packed(letters: usize, word: &[u8]) -> u32 {
    hash_bytes(word, letters as u64 | 1 << 40)
}

/// A hash that stays the same on all machines and for ever: files hold it.
fn hash_bytes(bytes: &[u8], start: u64) -> u32 {
    let mixed = bytes.chunks(8).fold(start, |state, chunk| {
        let mut bytes = [0; 8];
        bytes[..chunk.len()].copy_from_slice(chunk);
        mix(state ^ u64::from_le_bytes(bytes))
    });
    (mixed >> 32) as u32
}

/// The finaliser of `MurmurHash3` (Appleby).
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ bits >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    bits = (bits ^ bits >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    bits ^ bits >> 33
}

fn is_whole(bytes: &[u8]) -> bool {
    bytes.split_last_chunk().is_some_and(|(rest, sum)| checksum(rest) == *sum)
}

/// Returns the name of a segment's summary.
pub(super) fn name(segment: &str) -> PathBuf {
    format!("{segment}.{EXTENSION}").into()
}

fn path(dir: &Path, segment: &str) -> PathBuf {
    dir.join(name(segment))
}

/// Returns the summary of a segment if it is damaged. One that is not there is not.
pub(super) fn damaged(dir: &Path, segment: &str) -> io::Result<Option<PathBuf>> {
    let path = path(dir, segment);
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes?,
    };
    Ok((!is_whole(&bytes)).then_some(path))
}

/// Removes the summaries in `dir` that belong to none of the segments or never became whole.
pub(super) fn remove_strays(dir: &Path, segments: &[String]) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let is = |wanted| path.extension().is_some_and(|extension| extension == wanted);
        let belongs =
            path.file_stem().is_some_and(|stem| segments.iter().any(|segment| stem == segment.as_str()));
        if is(EXTENSION) && !belongs || is(UNFINISHED_EXTENSION) || is(FORMER_EXTENSION) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn guard(dir: &tempfile::TempDir) -> Guard {
        Guard::new(dir.path()).unwrap()
    }

    /// The summary of a segment with one block of these words.
    fn builder(words: &[Vec<u8>], how: How) -> SummaryBuilder {
        let mut builder = SummaryBuilder::default();
        builder.add_span(UtcMs::new(10), UtcMs::new(20));
        for word in words {
            // As blocks have them: of a word that looks random they hold samples, and the segment a flag.
            if is_sampled(word) {
                builder.add_flag(SAMPLED_FLAG);
            } else if is_hex(word) {
                let mut packed = Vec::new();
                hex::pack(word, &mut packed);
                builder.add_packed(word.len(), &packed);
            } else {
                builder.add_unpacked(word, how);
            }
        }
        builder
    }

    fn summary(words: &[Vec<u8>], how: How) -> Summary {
        let dir = tempfile::tempdir().unwrap();
        builder(words, how).write(dir.path(), "a").unwrap();
        Summary::open(&guard(&dir), "a").unwrap()
    }

    fn words(words: &[&str]) -> Vec<Vec<u8>> {
        words.iter().map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn few_words_seem_to_be_there_that_are_not() {
        for words in [1_000_u64, 30_000, 1_500_000] {
            let word = |number: u64| format!("{:016x}", mix(number)).into_bytes();
            let summary = summary(&(0..words).map(word).collect::<Vec<_>>(), How::Rare);
            let is_found = |number: &u64| summary.may_hold(&word(words + number), How::Rare);
            let false_finds = (0..20_000).filter(is_found).count();
            assert!(false_finds < 4000, "{false_finds} of 20,000 with {words} words");
        }
    }

    #[test]
    fn a_segment_is_ruled_out_by_its_times_its_words_and_parts_of_them() {
        let mut builder = builder(&words(&["timeout", "orders_7", "4711", "0123456789ab"]), How::Common);
        builder.add_unpacked(b"exception_in_thread", How::Rare);
        builder.add_unpacked(b"xception_in_thre", How::Rare);
        let dir = tempfile::tempdir().unwrap();
        builder.write(dir.path(), "a").unwrap();
        let summary = Summary::open(&guard(&dir), "a").unwrap();
        let may_meet = |need: &Need| summary.may_meet(Window::ALL, need);
        assert!(
            summary.may_meet(Window { start_ms: UtcMs::new(20), end_ms: UtcMs::new(30) }, &Need::Anything)
        );
        assert!(
            !summary.may_meet(Window { start_ms: UtcMs::new(21), end_ms: UtcMs::new(30) }, &Need::Anything)
        );
        for there in ["timeout", "imeou", "s_7", "4711", "71", "0123456789ab", "456789ab", "12"] {
            assert!(may_meet(&Need::Inner(there.into())), "{there}");
        }
        for absent in ["timeouts_everywhere", "0123456789abcdef", "471100000000000000"] {
            assert!(!may_meet(&Need::Inner(absent.into())), "{absent}");
            assert!(!may_meet(&Need::Word(absent.into())), "{absent}");
        }
        // A short word may have it that is not in the text.
        assert!(may_meet(&Need::Inner("g".into())) && !may_meet(&Need::Word("g".into())));
        assert!(may_meet(&Need::Inner("xception_in_thre".into())));
        assert!(!may_meet(&Need::Inner("xception_in_then".into())));
        assert!(may_meet(&Need::any([Need::Word("g".into()), Need::Prefix("order".into())])));
        assert!(!may_meet(&Need::all([Need::Word("g".into()), Need::Prefix("order".into())])));
        assert_eq!(summary.packed(Part::Inner(b"0123456789ab")), Packed::Whole);
        assert_eq!(summary.packed(Part::Inner(b"0123456789a")), Packed::Inside);
        assert_eq!(summary.packed(Part::Inner(b"0123456789g")), Packed::Nowhere);
    }

    #[test]
    fn a_segment_with_a_cut_line_may_hold_anything() {
        let mut builder = builder(&words(&["timeout"]), How::Rare);
        builder.add_flag(CUT_LINE_FLAG);
        let dir = tempfile::tempdir().unwrap();
        builder.write(dir.path(), "a").unwrap();
        let summary = Summary::open(&guard(&dir), "a").unwrap();
        assert!(summary.may_meet(Window::ALL, &Need::Word("other".into())));
    }

    #[test]
    fn too_much_text_is_not_kept() {
        let many: Vec<_> =
            (0..MAX_TEXT_BYTES / 16).map(|number| format!("token_{number:012}").into_bytes()).collect();
        let summary = summary(&many, How::Rare);
        assert_eq!(summary.text(), None);
        assert!(summary.may_meet(Window::ALL, &Need::Inner("an_absent_long_word".into())));
        assert!(summary.may_hold(&many[7], How::Rare));
    }

    #[test]
    fn a_wreck_is_no_summary_and_is_told() {
        let dir = tempfile::tempdir().unwrap();
        builder(&words(&["word"]), How::Rare).write(dir.path(), "a").unwrap();
        assert!(Summary::open(&guard(&dir), "a").unwrap().may_hold(b"word", How::Rare));
        assert_eq!(damaged(dir.path(), "a").unwrap(), None);
        assert_eq!(damaged(dir.path(), "b").unwrap(), None);
        let whole = std::fs::read(path(dir.path(), "a")).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(path(dir.path(), "a"), &whole[..cut]).unwrap();
            assert!(Summary::open(&guard(&dir), "a").is_none(), "cut at {cut}");
            assert!(damaged(dir.path(), "a").unwrap().is_some());
        }
        std::fs::write(dir.path().join("other"), "x").unwrap();
        std::fs::write(dir.path().join("b.rare"), "of an older version").unwrap();
        std::fs::write(dir.path().join("b.unfinished"), &whole[..9]).unwrap();
        assert!(Summary::open(&guard(&dir), "b").is_none());
        assert_eq!(damaged(dir.path(), "b").unwrap(), None);
        remove_strays(dir.path(), &["b".to_owned()]).unwrap();
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
        assert!(dir.path().join("other").exists());
    }

    proptest! {
        #[test]
        fn every_word_and_part_is_found(
            words in prop::collection::vec("[0-9a-f]{0,40}|[a-z0-9_\u{e9}]{0,12}", 0..200),
            places in any::<[prop::sample::Index; 3]>(),
        ) {
            let words: Vec<_> = words.into_iter().map(String::into_bytes).collect();
            for how in [How::Rare, How::Common] {
                let summary = summary(&words, how);
                for word in &words {
                    prop_assert!(summary.may_meet(Window::ALL, &Need::Word(word.clone())));
                    let [start, end] = [0, 1].map(|at| places[at].index(word.len() + 1));
                    let (start, end) = (start.min(end), start.max(end));
                    for need in [
                        Need::Prefix(word[..end].to_vec()),
                        Need::Suffix(word[start..].to_vec()),
                        Need::Inner(word[start..end].to_vec()),
                    ] {
                        prop_assert!(summary.may_meet(Window::ALL, &need), "{need:?} of {word:?}");
                    }
                }
            }
        }
    }
}
