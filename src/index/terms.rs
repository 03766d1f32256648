//! The common words of a segment, which are terms of tantivy's: their documents, and those words that have a
//! part in common. There are some thousands of them in a segment, so a part is looked for by walking them all.

use memchr::memmem;
use tantivy::schema::IndexRecordOption;
use tantivy::{DocId, DocSet as _, InvertedIndexReader, TERMINATED};

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

    fn is_of(self, finder: &memmem::Finder, word: &[u8]) -> bool {
        match self {
            Part::Prefix(part) => word.starts_with(part),
            Part::Suffix(part) => word.ends_with(part),
            Part::Inner(_) => finder.find(word).is_some(),
        }
    }
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
    }
}
