//! The common words of each segment in a flat, compressed side file, for finding words by a part of them:
//! scanning it with memmem is an order of magnitude quicker than walking the term dictionary.
//!
//! A cache, derived from the committed segment and named by its id: a file that is missing or unreadable
//! is made again by the next commit, and until then the dictionary itself is walked.
//!
//! Format: frames of (compressed length, decoded length: u32 little endian each; zstd of `\n` word `\n` word `\n`).

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use memchr::memmem;
use tantivy::SegmentReader;

use super::{Index, IndexError, Result};

/// The decoded length of a frame.
const FRAME_BYTES: usize = 1 << 20;
/// The fastest level keeps nine tenths of what the default saves on words.
const LEVEL: i32 = 1;

/// A part of a word, in lower case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Prefix(&'a [u8]),
    Suffix(&'a [u8]),
    Inner(&'a [u8]),
}

impl<'a> Part<'a> {
    /// Returns the part itself.
    pub(super) fn bytes(self) -> &'a [u8] {
        let (Part::Prefix(bytes) | Part::Suffix(bytes) | Part::Inner(bytes)) = self;
        bytes
    }

    /// Returns the bytes to look for where a newline stands on both sides of each word.
    pub(super) fn needle(self) -> Vec<u8> {
        match self {
            Part::Prefix(part) => [b"\n", part].concat(),
            Part::Suffix(part) => [part, b"\n"].concat(),
            Part::Inner(part) => part.to_vec(),
        }
    }
}

/// Makes the files of segments that have none and removes those of segments that are gone.
pub(super) fn refresh(index: &Index) -> Result<()> {
    let dir = folder(index);
    let io = |source| IndexError::Io { path: dir.clone(), source };
    fs::create_dir_all(&dir).map_err(io)?;
    let searcher = index.searcher()?;
    let mut wanted = BTreeSet::new();
    for reader in searcher.segment_readers() {
        let path = file(&dir, reader);
        if !path.exists() {
            write(index, reader, &path)?;
        }
        wanted.insert(path);
    }
    for entry in fs::read_dir(&dir).map_err(io)? {
        let path = entry.map_err(io)?.path();
        if !wanted.contains(&path) {
            fs::remove_file(&path).map_err(io)?;
        }
    }
    Ok(())
}

/// Returns the segment's words that have the part; `None` when there are more than `limit`.
pub(super) fn find(
    index: &Index,
    reader: &SegmentReader,
    part: Part<'_>,
    limit: usize,
) -> Result<Option<Vec<Vec<u8>>>> {
    let finder = memmem::Finder::new(&part.needle()).into_owned();
    let mut found = Vec::new();
    let frames = fs::read(file(&folder(index), reader)).ok();
    if let Some(few) = frames.and_then(|frames| scan(&frames, &finder, limit, &mut found)) {
        return Ok(few.then_some(found));
    }
    found.clear();
    let few = walk(index, reader, &finder, limit, &mut found)?;
    Ok(few.then_some(found))
}

fn folder(index: &Index) -> PathBuf {
    index.dir.join("vocabulary")
}

fn file(dir: &Path, reader: &SegmentReader) -> PathBuf {
    dir.join(reader.segment_id().uuid_string())
}

fn write(index: &Index, reader: &SegmentReader, path: &Path) -> Result<()> {
    let io = |source| IndexError::Io { path: path.to_owned(), source };
    let temporary = path.with_extension("tmp");
    let mut out = std::io::BufWriter::new(fs::File::create(&temporary).map_err(io)?);
    let mut frame = vec![b'\n'];
    let terms = reader.inverted_index(index.fields.words)?;
    let mut stream = terms.terms().stream().map_err(io)?;
    while stream.advance() {
        frame.extend_from_slice(stream.key());
        frame.push(b'\n');
        if frame.len() >= FRAME_BYTES {
            write_frame(&mut out, &frame).map_err(io)?;
            frame.truncate(1);
        }
    }
    write_frame(&mut out, &frame).and_then(|()| out.flush()).map_err(io)?;
    // A file that a power cut has shortened to whole frames, or to nothing, would look like one of fewer words.
    out.get_ref().sync_all().map_err(io)?;
    fs::rename(&temporary, path).map_err(io)
}

fn write_frame(out: &mut impl std::io::Write, frame: &[u8]) -> std::io::Result<()> {
    let compressed = zstd::bulk::compress(frame, LEVEL)?;
    out.write_all(&(compressed.len() as u32).to_le_bytes())?;
    out.write_all(&(frame.len() as u32).to_le_bytes())?;
    out.write_all(&compressed)
}

/// Scans a file's frames: `Some(true)` when all matches are in `found`, `Some(false)` when there are too
/// many, `None` when the file makes no sense.
fn scan(mut file: &[u8], finder: &memmem::Finder, limit: usize, found: &mut Vec<Vec<u8>>) -> Option<bool> {
    let mut decompressor = zstd::bulk::Decompressor::new().ok()?;
    let mut frame = Vec::with_capacity(FRAME_BYTES + FRAME_BYTES / 4);
    while !file.is_empty() {
        let (compressed_len, rest) = file.split_first_chunk::<4>()?;
        let (decoded_len, rest) = rest.split_first_chunk::<4>()?;
        let compressed = rest.get(..u32::from_le_bytes(*compressed_len) as usize)?;
        file = &rest[compressed.len()..];
        let decoded_len = u32::from_le_bytes(*decoded_len) as usize;
        if decoded_len > 2 * FRAME_BYTES {
            return None;
        }
        frame.clear();
        frame.reserve(decoded_len);
        decompressor.decompress_to_buffer(compressed, &mut frame).ok()?;
        if !scan_frame(&frame, finder, limit, found) {
            return Some(false);
        }
    }
    Some(true)
}

/// Adds a frame's matching words; returns whether they are still few enough.
fn scan_frame(frame: &[u8], finder: &memmem::Finder, limit: usize, found: &mut Vec<Vec<u8>>) -> bool {
    let mut from = 0;
    while let Some(at) = finder.find(&frame[from..]) {
        // The word around the match: a prefix's needle begins with the newline before it, a suffix's ends
        // with the one after it.
        let inside = from + at + usize::from(frame[from + at] == b'\n');
        let start = memchr::memrchr(b'\n', &frame[..inside]).map_or(0, |newline| newline + 1);
        let end = memchr::memchr(b'\n', &frame[inside..]).map_or(frame.len(), |newline| inside + newline);
        if found.len() == limit {
            return false;
        }
        found.push(frame[start..end].to_vec());
        from = end;
    }
    true
}

/// Walks the term dictionary instead of the file.
fn walk(
    index: &Index,
    reader: &SegmentReader,
    finder: &memmem::Finder,
    limit: usize,
    found: &mut Vec<Vec<u8>>,
) -> Result<bool> {
    let io = |source| IndexError::Io { path: index.dir.clone(), source };
    let terms = reader.inverted_index(index.fields.words)?;
    let mut stream = terms.terms().stream().map_err(io)?;
    let mut word = Vec::new();
    while stream.advance() {
        word.clear();
        word.push(b'\n');
        word.extend_from_slice(stream.key());
        word.push(b'\n');
        if finder.find(&word).is_some() {
            if found.len() == limit {
                return Ok(false);
            }
            found.push(stream.key().to_vec());
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scanned(words: &[&str], part: Part<'_>) -> Vec<String> {
        let frame = format!("\n{}\n", words.join("\n"));
        let finder = memmem::Finder::new(&part.needle()).into_owned();
        let mut found = Vec::new();
        assert!(scan_frame(frame.as_bytes(), &finder, 100, &mut found));
        found.into_iter().map(|word| String::from_utf8(word).unwrap()).collect()
    }

    #[test]
    fn parts_find_the_words_that_have_them() {
        let words = ["abc", "abcd", "bcd", "xabc", "zz"];
        assert_eq!(scanned(&words, Part::Prefix(b"abc")), ["abc", "abcd"]);
        assert_eq!(scanned(&words, Part::Suffix(b"bc")), ["abc", "xabc"]);
        assert_eq!(scanned(&words, Part::Inner(b"bc")), ["abc", "abcd", "bcd", "xabc"]);
        assert_eq!(scanned(&words, Part::Inner(b"z")), ["zz"]);
        assert!(scanned(&words, Part::Inner(b"q")).is_empty());
    }

    #[test]
    fn frames_survive_and_wrecks_are_noticed() {
        let mut file = Vec::new();
        write_frame(&mut file, b"\nalpha\nbeta\n").unwrap();
        let first_frame = file.len();
        write_frame(&mut file, b"\ngamma\n").unwrap();
        let finder = memmem::Finder::new(b"a\n");
        let mut found = Vec::new();
        assert_eq!(scan(&file, &finder, 100, &mut found), Some(true));
        assert_eq!(found, [b"alpha".to_vec(), b"beta".to_vec(), b"gamma".to_vec()]);
        assert_eq!(scan(&file, &finder, 2, &mut Vec::new()), Some(false));
        for cut in (1..file.len()).filter(|&cut| cut != first_frame) {
            assert_eq!(scan(&file[..cut], &finder, 100, &mut Vec::new()), None, "cut at {cut}");
        }
    }
}
