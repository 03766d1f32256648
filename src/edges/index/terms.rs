//! The common words of a segment, which are terms of tantivy's: their documents, and those words that have a
//! part in common, from the text of the segment's summary or by walking all terms.

use memchr::memmem;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet as _, InvertedIndexReader, TERMINATED};

use gzette_core::words::grams;

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

    /// Returns the bytes to search for when each word has a newline on both sides.
    pub(super) fn needle(self) -> Vec<u8> {
        match self {
            Part::Prefix(part) => [b"\n", part].concat(),
            Part::Suffix(part) => [part, b"\n"].concat(),
            Part::Inner(part) => part.to_vec(),
        }
    }

    /// Returns what to ask of filters of sampled words.
    pub(super) fn of_sampled(self) -> grams::Part {
        match self {
            Part::Prefix(part) => grams::Part::new(part, true, false),
            Part::Suffix(part) => grams::Part::new(part, false, true),
            Part::Inner(part) => grams::Part::new(part, false, false),
        }
    }

    fn is_of(self, finder: &memmem::Finder, word: &[u8]) -> bool {
        match self {
            Part::Prefix(part) => word.starts_with(part),
            Part::Suffix(part) => word.ends_with(part),
            Part::Inner(_) => finder.find(word).is_some(),
        }
    }
}

/// Calls `found` with each term.
pub(super) fn each(index: &InvertedIndexReader, mut found: impl FnMut(&[u8])) -> std::io::Result<()> {
    let mut stream = index.terms().stream()?;
    while stream.advance() {
        found(stream.key());
    }
    Ok(())
}

/// Returns the words that have the part; `None` when there are more than `limit`.
pub(super) fn with_part(
    index: &InvertedIndexReader,
    part: Part<'_>,
    limit: usize,
) -> std::io::Result<Option<Vec<Vec<u8>>>> {
    let finder = memmem::Finder::new(part.bytes());
    let mut stream = index.terms().stream()?;
    let mut found = Vec::new();
    while stream.advance() {
        if part.is_of(&finder, stream.key()) {
            if found.len() == limit {
                return Ok(None);
            }
            found.push(stream.key().to_vec());
        }
    }
    Ok(Some(found))
}

/// Returns the words of a text that contain the part; each has a newline before and after it. `None` if there are
/// more than `limit`.
pub(super) fn in_text(text: &[u8], part: Part<'_>, limit: usize) -> Option<Vec<Vec<u8>>> {
    let finder = memmem::Finder::new(&part.needle()).into_owned();
    let mut found = Vec::new();
    let mut from = 0;
    while let Some(at) = finder.find(&text[from..]).map(|at| from + at) {
        // The part itself may begin with the newline before the word.
        let start = memchr::memrchr(b'\n', &text[..=at]).map_or(0, |newline| newline + 1);
        let end = memchr::memchr(b'\n', &text[start..]).map_or(text.len(), |newline| start + newline);
        if found.len() == limit {
            return None;
        }
        found.push(text[start..end].to_vec());
        from = end;
    }
    Some(found)
}

/// Returns the documents with any of the words, in order.
pub(super) fn documents(index: &InvertedIndexReader, words: &[&[u8]]) -> std::io::Result<Vec<DocId>> {
    let mut docs = Vec::new();
    for word in words {
        let Some(term) = index.terms().get(word)? else { continue };
        let mut postings = index.read_postings_from_terminfo(&term, IndexRecordOption::Basic)?;
        docs.reserve(postings.doc_freq() as usize);
        while postings.doc() != TERMINATED {
            docs.push(postings.doc());
            postings.advance();
        }
    }
    docs.sort_unstable();
    docs.dedup();
    Ok(docs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_of_the_words_that_have_them() {
        let having = |part: Part<'_>| {
            let finder = memmem::Finder::new(part.bytes());
            let words = ["abc", "abcd", "bcd", "xabc", "zz"];
            words.into_iter().filter(|word| part.is_of(&finder, word.as_bytes())).collect::<Vec<_>>()
        };
        assert_eq!(having(Part::Prefix(b"abc")), ["abc", "abcd"]);
        assert_eq!(having(Part::Suffix(b"bc")), ["abc", "xabc"]);
        assert_eq!(having(Part::Inner(b"bc")), ["abc", "abcd", "bcd", "xabc"]);
        assert!(having(Part::Inner(b"q")).is_empty());
        let in_text = |part, limit| in_text(b"\nabc\nabcd\nbcd\nxabc\nzz\n", part, limit);
        assert_eq!(in_text(Part::Prefix(b"abc"), 2).unwrap(), [b"abc".to_vec(), b"abcd".to_vec()]);
        assert_eq!(in_text(Part::Suffix(b"bc"), 2).unwrap(), [b"abc".to_vec(), b"xabc".to_vec()]);
        assert_eq!(in_text(Part::Inner(b"z"), 1).unwrap(), [b"zz".to_vec()]);
        assert_eq!(in_text(Part::Inner(b"bc"), 3), None);
        assert_eq!(in_text(Part::Inner(b"q"), 0).unwrap(), Vec::<Vec<u8>>::new());
    }
}
