//! The pages of an S3 listing, as a server that means no good may send them.

use arbitrary::Arbitrary;

use gzette_core::model::{ListedObject, UtcMs};

#[path = "../../src/edges/store/page.rs"]
mod page;

/// As `gzette::store::Listing`.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    pub objects: Vec<ListedObject>,
    pub prefixes: Vec<String>,
}

/// A page on the wire.
#[derive(Arbitrary, Clone, Debug)]
pub struct WirePage {
    key_count: Count,
    prefix: Option<String>,
    truncated: Option<bool>,
    next_token: Option<String>,
    url_encoded: bool,
    entries: Vec<WireEntry>,
    prefixes: Vec<Option<String>>,
}

/// What a page says of its length; a right number is too rare among all.
#[derive(Arbitrary, Clone, Copy, Debug)]
enum Count {
    Right,
    Unsaid,
    Other(i64),
}

#[derive(Arbitrary, Clone, Debug)]
struct WireEntry {
    key: Option<String>,
    etag: Option<String>,
    size_bytes: Option<i64>,
    modified_ms: Option<i64>,
}

/// How many entries and prefixes the pages hold.
pub fn entries(pages: &[WirePage]) -> usize {
    pages.iter().map(WirePage::len).sum()
}

/// Reads the pages up to the last, as the S3 store does; a listing that wants another page is an error.
pub fn read(pages: &[WirePage], prefix: &str, delimited: bool) -> Result<(Listing, usize), String> {
    let mut all = page::Pages::new(prefix, delimited);
    for (at, wire) in pages.iter().enumerate() {
        if all.add(wire.page())?.is_none() {
            return Ok((all.finish()?, at + 1));
        }
    }
    Err("no more pages".to_owned())
}

impl WirePage {
    fn len(&self) -> usize {
        self.entries.len() + self.prefixes.len()
    }

    /// Returns whether the page says the right number, or none.
    pub fn counts_right(&self) -> bool {
        match self.key_count {
            Count::Right | Count::Unsaid => true,
            Count::Other(said) => said == self.len() as i64,
        }
    }

    fn page(&self) -> page::Page {
        page::Page {
            key_count: match self.key_count {
                Count::Right => Some(self.len() as i64),
                Count::Unsaid => None,
                Count::Other(said) => Some(said),
            },
            prefix: self.prefix.clone(),
            truncated: self.truncated,
            next_token: self.next_token.clone(),
            url_encoded: self.url_encoded,
            entries: self.entries.iter().map(WireEntry::entry).collect(),
            prefixes: self.prefixes.clone(),
        }
    }
}

impl WireEntry {
    fn entry(&self) -> page::Entry {
        page::Entry {
            key: self.key.clone(),
            etag: self.etag.clone(),
            size_bytes: self.size_bytes,
            modified_ms: self.modified_ms.map(UtcMs::new),
        }
    }
}
