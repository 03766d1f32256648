//! The pages of an S3 listing, checked before they are believed: a cut, repeated or inconsistent page
//! must never read as "nothing new". Plain values; [`super::s3`] fills them from the wire.

use std::collections::HashSet;

use percent_encoding::percent_decode_str;

use super::Listing;
use gzette_core::model::{ListedObject, UtcMs};

/// A listing ends here, whatever the server says: 100 million keys.
const MAX_PAGES: usize = 100_000;

/// One page as it came: nothing decoded, nothing believed.
#[derive(Clone, Debug, Default)]
pub(super) struct Page {
    /// `KeyCount`: entries and prefixes.
    pub(super) key_count: Option<i64>,
    /// `Prefix`: what the server thinks it was asked for.
    pub(super) prefix: Option<String>,
    /// `IsTruncated`.
    pub(super) truncated: Option<bool>,
    /// `NextContinuationToken`.
    pub(super) next_token: Option<String>,
    /// Whether `EncodingType` says that keys and prefixes are URL-encoded.
    pub(super) url_encoded: bool,
    /// `Contents`.
    pub(super) entries: Vec<Entry>,
    /// `CommonPrefixes`.
    pub(super) prefixes: Vec<Option<String>>,
}

/// One of a page's `Contents`.
#[derive(Clone, Debug, Default)]
pub(super) struct Entry {
    pub(super) key: Option<String>,
    pub(super) etag: Option<String>,
    pub(super) size_bytes: Option<i64>,
    pub(super) modified_ms: Option<UtcMs>,
}

/// The pages of one listing so far.
pub(super) struct Pages<'a> {
    prefix: &'a str,
    delimited: bool,
    tokens: HashSet<String>,
    listing: Listing,
}

impl<'a> Pages<'a> {
    pub(super) fn new(prefix: &'a str, delimited: bool) -> Self {
        Self { prefix, delimited, tokens: HashSet::new(), listing: Listing::default() }
    }

    /// Takes a page in and returns the token of the next one, or why the page is odd.
    pub(super) fn add(&mut self, page: Page) -> Result<Option<String>, String> {
        check_count(&page)?;
        self.check_asked(&page)?;
        // Without this a page that lacks `IsTruncated` would end the listing, and the rest of the bucket would look
        // deleted.
        let truncated = page.truncated.ok_or("the page does not say whether it is the last")?;
        for entry in page.entries {
            let object = self.object_of(entry, page.url_encoded)?;
            self.listing.objects.push(object);
        }
        for prefix in page.prefixes {
            let prefix = self.below_prefix(prefix, page.url_encoded)?;
            self.check_common(&prefix)?;
            self.listing.prefixes.push(prefix);
        }
        if truncated { self.next_of(page.next_token).map(Some) } else { Ok(None) }
    }

    /// Returns the whole listing in byte order, or why it is odd.
    pub(super) fn finish(self) -> Result<Listing, String> {
        let mut listing = self.listing;
        listing.objects.sort_by(|a, b| a.key.cmp(&b.key));
        listing.prefixes.sort();
        let keys = listing.objects.iter().map(|object| object.key.as_str());
        let prefixes = listing.prefixes.iter().map(String::as_str);
        // A key that comes twice shows pages of two different states, or the same page again: one of them may hide
        // what changed.
        match repeated(keys).or_else(|| repeated(prefixes)) {
            Some(name) => Err(format!("`{name}` is listed twice")),
            None => Ok(listing),
        }
    }

    /// A proxy that keeps answers and does not look at the query gives that of another prefix; were it empty, it
    /// would read as "all deleted".
    fn check_asked(&self, page: &Page) -> Result<(), String> {
        let Some(said) = &page.prefix else { return Ok(()) };
        // Some servers encode the prefix that they echo, and some do not.
        let is_asked = said == self.prefix || decoded(said).is_ok_and(|said| said == self.prefix);
        if is_asked { Ok(()) } else { Err(format!("the page is about another prefix, `{said}`")) }
    }

    fn object_of(&self, entry: Entry, url_encoded: bool) -> Result<ListedObject, String> {
        let key = self.below_prefix(entry.key, url_encoded)?;
        let lacking = |what: &str| format!("`{key}` is listed without {what}");
        let etag = entry.etag.map(|etag| unquoted(&etag).to_owned());
        let etag = etag.filter(|etag| !etag.is_empty()).ok_or_else(|| lacking("an etag"))?;
        let size_bytes = entry.size_bytes.and_then(|size| u64::try_from(size).ok());
        Ok(ListedObject {
            etag,
            size_bytes: size_bytes.ok_or_else(|| lacking("a size"))?,
            modified_ms: entry.modified_ms.ok_or_else(|| lacking("a time"))?,
            key: key.into(),
        })
    }

    /// Decodes a key or common prefix and checks that it was asked for.
    fn below_prefix(&self, name: Option<String>, url_encoded: bool) -> Result<String, String> {
        let name = name.ok_or("an entry has no key")?;
        let name = if url_encoded { decoded(&name)? } else { name };
        if name.starts_with(self.prefix) {
            Ok(name)
        } else {
            Err(format!("`{name}` is listed, which is outside the prefix"))
        }
    }

    fn check_common(&self, prefix: &str) -> Result<(), String> {
        if !self.delimited {
            Err(format!("prefix `{prefix}` is listed, but none was asked for"))
        } else if prefix.len() > self.prefix.len() && prefix.ends_with('/') {
            Ok(())
        } else {
            Err(format!("common prefix `{prefix}` is not below the prefix"))
        }
    }

    fn next_of(&mut self, token: Option<String>) -> Result<String, String> {
        let token = token
            .filter(|token| !token.is_empty())
            .ok_or("the page is truncated, but has no continuation token")?;
        if self.tokens.len() >= MAX_PAGES {
            return Err(format!("the listing has more than {MAX_PAGES} pages"));
        }
        // A server that repeats itself would be asked for ever.
        if self.tokens.insert(token.clone()) {
            Ok(token)
        } else {
            Err("a continuation token came twice".to_owned())
        }
    }
}

fn check_count(page: &Page) -> Result<(), String> {
    let read = (page.entries.len() + page.prefixes.len()) as i64;
    match page.key_count {
        // Not every server sends a count, so only a wrong one is odd.
        Some(said) if said != read => Err(format!("the page states {said} keys, but has {read}")),
        _ => Ok(()),
    }
}

/// Returns the first of the sorted names that occurs twice.
fn repeated<'a>(mut names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut last = None;
    names.find(|&name| last.replace(name) == Some(name))
}

/// Decodes a key of `encoding-type=url`: form encoding, where `+` is a space.
fn decoded(name: &str) -> Result<String, String> {
    let spaced = name.replace('+', " ");
    let text = percent_decode_str(&spaced).decode_utf8();
    text.map(std::borrow::Cow::into_owned).map_err(|_| format!("the listed key `{name}` is not UTF-8"))
}

/// Returns an etag without its quotes.
pub(super) fn unquoted(etag: &str) -> &str {
    etag.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or(etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str) -> Entry {
        Entry {
            key: Some(key.to_owned()),
            etag: Some("\"e\"".to_owned()),
            size_bytes: Some(1),
            modified_ms: Some(UtcMs::EPOCH),
        }
    }

    fn page(keys: &[&str]) -> Page {
        Page {
            key_count: Some(keys.len() as i64),
            truncated: Some(false),
            entries: keys.iter().map(|key| entry(key)).collect(),
            ..Page::default()
        }
    }

    fn listed(pages: impl IntoIterator<Item = Page>) -> Result<Listing, String> {
        let mut all = Pages::new("a/", true);
        for page in pages {
            all.add(page)?;
        }
        all.finish()
    }

    #[test]
    fn keys_come_decoded_and_in_byte_order() {
        let encoded = Page { url_encoded: true, ..page(&["a/z%0A%2525", "a/b+c%2Bd"]) };
        let listing = listed([encoded]).unwrap();
        let keys: Vec<_> = listing.objects.iter().map(|object| object.key.as_str()).collect();
        assert_eq!(keys, ["a/b c+d", "a/z\n%25"]);
        assert_eq!(listing.objects[0].etag, "e");
    }

    #[test]
    fn keys_that_were_not_encoded_stay_as_they_are() {
        let listing = listed([page(&["a/b+c%20"])]).unwrap();
        assert_eq!(listing.objects[0].key.as_str(), "a/b+c%20");
    }

    #[test]
    fn what_is_odd_is_an_error() {
        let more = |token: Option<&str>| Page {
            truncated: Some(true),
            next_token: token.map(str::to_owned),
            ..page(&[])
        };
        let without = |change: fn(&mut Entry)| {
            let mut odd = page(&["a/1"]);
            change(&mut odd.entries[0]);
            vec![odd]
        };
        let common =
            |prefix: &str| Page { key_count: None, prefixes: vec![Some(prefix.to_owned())], ..page(&[]) };
        let encoded = |key: &str| Page { url_encoded: true, ..page(&[key]) };
        let cases: Vec<(Vec<Page>, &str)> = vec![
            (vec![Page { key_count: Some(2), ..page(&["a/1"]) }], "states 2 keys, but has 1"),
            (vec![Page { truncated: None, ..page(&["a/1"]) }], "whether it is the last"),
            (vec![more(None)], "no continuation token"),
            (vec![more(Some(""))], "no continuation token"),
            (vec![more(Some("t")), more(Some("u")), more(Some("t"))], "came twice"),
            (vec![page(&["b/1"])], "outside the prefix"),
            (vec![Page { prefix: Some("b/".to_owned()), ..page(&[]) }], "about another prefix, `b/`"),
            (vec![page(&["a/1"]), page(&["a/1"])], "`a/1` is listed twice"),
            (vec![common("a/x/"), common("a/x/")], "`a/x/` is listed twice"),
            (vec![common("a/")], "not below"),
            (vec![common("a/x")], "not below"),
            (vec![encoded("a/%FF")], "not UTF-8"),
            (without(|entry| entry.etag = Some("\"\"".to_owned())), "without an etag"),
            (without(|entry| entry.size_bytes = Some(-1)), "without a size"),
            (without(|entry| entry.modified_ms = None), "without a time"),
            (without(|entry| entry.key = None), "no key"),
        ];
        for (pages, expected) in cases {
            let reason = listed(pages).unwrap_err();
            assert!(reason.contains(expected), "{reason} / {expected}");
        }
    }

    #[test]
    fn a_prefix_nobody_asked_for_is_odd() {
        let mut pages = Pages::new("a/", false);
        let page = Page { key_count: Some(1), prefixes: vec![Some("a/x/".to_owned())], ..page(&[]) };
        assert!(pages.add(page).unwrap_err().contains("none was asked for"));
    }
}
