//! Which rare words a segment holds: a Bloom filter in a file beside the segment's, five bits for each word.
//! An id that is in one segment of many is looked for in that one alone. A segment without its filter (of an
//! older version, or lost) is read instead, as is one whose filter says that it may hold the word.
//!
//! The filter is a blocked one: a word has its bits in one cache line (Putze, Sanders and Singler, "Cache-, Hash- and
//! Space-Efficient Bloom Filters", 2007). One in eight words that are not there seems to be, which costs the reading of one
//! segment in eight; fewer would cost more bytes than an index of at most 5 % of the lines has to spare.
//!
//! Format: `gzf1`, the cache lines, the first 8 bytes of BLAKE3 over both.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// The bytes of a cache line.
const LINE_BYTES: usize = 64;
/// How many bits of the filter there are for each word.
const BITS_A_WORD: usize = 5;
/// How many of them a word sets, the best number for as many.
const BITS: u32 = 3;
/// What the file begins with.
const MAGIC: &[u8; 4] = b"gzf1";
/// The checksum's bytes at the end.
const CHECKSUM_BYTES: usize = 8;
/// What the name of the file ends with, after the segment's.
const EXTENSION: &str = "rare";

/// Gathers the rare words of a segment.
#[derive(Default)]
pub(super) struct FilterBuilder {
    /// A hash of each word. Two words that share one only seem to be there together.
    hashes: Vec<u32>,
}

impl FilterBuilder {
    pub(super) fn add(&mut self, word: &[u8]) {
        self.hashes.push(hash(word));
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.hashes.len() * size_of::<u32>()
    }

    /// Returns the content of the file.
    fn finish(mut self) -> Vec<u8> {
        self.hashes.sort_unstable();
        self.hashes.dedup();
        let lines = (self.hashes.len() * BITS_A_WORD).div_ceil(8 * LINE_BYTES).max(1);
        let mut file = vec![0; MAGIC.len() + lines * LINE_BYTES];
        file[..MAGIC.len()].copy_from_slice(MAGIC);
        let bits = &mut file[MAGIC.len()..];
        for &hash in &self.hashes {
            let (line, places) = places(hash, lines);
            let line = &mut bits[line * LINE_BYTES..(line + 1) * LINE_BYTES];
            places.for_each(|place| line[place / 8] |= 1 << (place % 8));
        }
        let checksum = checksum(&file);
        file.extend_from_slice(&checksum);
        file
    }

    /// Writes the file of a segment, durably.
    pub(super) fn write(self, dir: &Path, segment: &str) -> io::Result<()> {
        let mut file = File::create(path(dir, segment))?;
        file.write_all(&self.finish())?;
        file.sync_data()
    }
}

/// The filter of a segment.
pub(super) struct Filter {
    file: File,
    lines: usize,
}

impl Filter {
    /// Opens the filter of a segment, if it has one.
    pub(super) fn open(dir: &Path, segment: &str) -> Option<Self> {
        let file = File::open(path(dir, segment)).ok()?;
        let bytes = (file.metadata().ok()?.len() as usize).checked_sub(MAGIC.len() + CHECKSUM_BYTES)?;
        let mut start = [0; MAGIC.len()];
        file.read_exact_at(&mut start, 0).ok()?;
        let is_whole = start == *MAGIC && bytes > 0 && bytes.is_multiple_of(LINE_BYTES);
        is_whole.then_some(Self { file, lines: bytes / LINE_BYTES })
    }

    /// Returns whether the segment may hold a word among its rare ones.
    pub(super) fn may_hold(&self, word: &[u8]) -> bool {
        let (at, mut places) = places(hash(word), self.lines);
        let mut line = [0; LINE_BYTES];
        let offset = MAGIC.len() + at * LINE_BYTES;
        // What cannot be read may hold anything.
        self.file.read_exact_at(&mut line, offset as u64).is_err()
            || places.all(|place| line[place / 8] & 1 << (place % 8) != 0)
    }
}

/// Returns the line of a hash and the places of its bits there.
fn places(hash: u32, lines: usize) -> (usize, impl Iterator<Item = usize>) {
    let line = ((u64::from(hash) * lines as u64) >> 32) as usize;
    // Mixed, for the upper bits chose the line.
    let mixed = mix(u64::from(hash));
    (line, (0..BITS).map(move |bit| (mixed >> (9 * bit)) as usize % (8 * LINE_BYTES)))
}

/// A hash that stays the same on all machines and for ever: files hold it.
fn hash(word: &[u8]) -> u32 {
    let start = word.len() as u64;
    let mixed = word.chunks(8).fold(start, |state, chunk| {
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

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut first = [0; CHECKSUM_BYTES];
    first.copy_from_slice(&blake3::hash(bytes).as_bytes()[..CHECKSUM_BYTES]);
    first
}

fn path(dir: &Path, segment: &str) -> PathBuf {
    dir.join(format!("{segment}.{EXTENSION}"))
}

/// Returns the filter of a segment if it is damaged. One that is not there is not.
pub(super) fn damaged(dir: &Path, segment: &str) -> io::Result<Option<PathBuf>> {
    let path = path(dir, segment);
    let bytes = match std::fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes?,
    };
    let is_whole = bytes.split_last_chunk().is_some_and(|(rest, sum)| checksum(rest) == *sum);
    Ok((!is_whole).then_some(path))
}

/// Removes the filters in `dir` that belong to none of the segments.
pub(super) fn remove_strays(dir: &Path, segments: &[String]) -> io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        let is_filter = path.extension().is_some_and(|extension| extension == EXTENSION);
        let belongs =
            path.file_stem().is_some_and(|stem| segments.iter().any(|segment| stem == segment.as_str()));
        if is_filter && !belongs {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn filter(words: &[Vec<u8>]) -> Filter {
        let dir = tempfile::tempdir().unwrap();
        let mut builder = FilterBuilder::default();
        for word in words {
            builder.add(word);
        }
        builder.write(dir.path(), "a").unwrap();
        Filter::open(dir.path(), "a").unwrap()
    }

    #[test]
    fn few_words_seem_to_be_there_that_are_not() {
        for words in [1_000_u64, 30_000, 1_500_000] {
            let word = |number: u64| format!("{:016x}", mix(number)).into_bytes();
            let filter = filter(&(0..words).map(word).collect::<Vec<_>>());
            let false_finds = (0..20_000).filter(|number| filter.may_hold(&word(words + number))).count();
            assert!(false_finds < 4000, "{false_finds} of 20,000 with {words} words");
        }
    }

    #[test]
    fn a_wreck_is_no_filter_and_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut builder = FilterBuilder::default();
        builder.add(b"word");
        builder.write(dir.path(), "a").unwrap();
        assert!(Filter::open(dir.path(), "a").unwrap().may_hold(b"word"));
        assert_eq!(damaged(dir.path(), "a").unwrap(), None);
        assert_eq!(damaged(dir.path(), "b").unwrap(), None);
        let whole = std::fs::read(path(dir.path(), "a")).unwrap();
        for cut in 0..whole.len() {
            std::fs::write(path(dir.path(), "a"), &whole[..cut]).unwrap();
            assert!(Filter::open(dir.path(), "a").is_none(), "cut at {cut}");
            assert!(damaged(dir.path(), "a").unwrap().is_some());
        }
        std::fs::write(dir.path().join("other"), "x").unwrap();
        remove_strays(dir.path(), &["b".to_owned()]).unwrap();
        assert!(!path(dir.path(), "a").exists());
        assert!(dir.path().join("other").exists());
    }

    proptest! {
        #[test]
        fn every_word_is_found(words in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..200)) {
            let filter = filter(&words);
            for word in &words {
                prop_assert!(filter.may_hold(word));
            }
        }
    }
}
