//! Texts from logs made fit for a page: how long each may be, and words for what is empty. What is hidden is shown by
//! `visible`, markup is escaped by maud; file names are here because a hostile name reaches them too.

pub(super) use gzette_core::visible::{page_block as block, page_line as line};

/// The longest title on a page of its own, in characters.
pub(super) const TITLE_CHARS: usize = 300;
/// The longest title in a list, in characters.
pub(super) const LIST_TITLE_CHARS: usize = 160;
/// The longest name of an application, logger or thread, in characters.
pub(super) const NAME_CHARS: usize = 80;
/// The longest place of an object, in characters; an S3 key has at most 1024 bytes.
pub(super) const PLACE_CHARS: usize = 1200;
/// The longest sample, in bytes of its source text.
pub(super) const SAMPLE_BYTES: usize = 8 * 1024;

/// Returns the name of an application for people; an empty one gets words.
pub(super) fn name(text: &str) -> String {
    if text.trim().is_empty() {
        return "(no name)".to_owned();
    }
    line(text, NAME_CHARS)
}

/// Returns the title of a group for people; an empty one gets words.
pub(super) fn title(text: &str, max_chars: usize) -> String {
    if text.trim().is_empty() {
        return "(empty message)".to_owned();
    }
    line(text, max_chars)
}

/// Returns the stem of the file of the application `app`: the name itself where it is short and of `[a-z0-9-]`,
/// else a readable slug, `_` (which no plain name holds) and 64 bits of BLAKE3.
pub(super) fn file_stem(app: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if (1..=60).contains(&app.len()) && app.chars().all(plain) && !is_device_name(app) {
        return app.to_owned();
    }
    let mut slug = String::new();
    for c in app.chars().flat_map(char::to_lowercase) {
        if slug.len() == 40 {
            break;
        }
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let checksum = blake3::hash(app.as_bytes()).to_hex();
    format!("{}_{}", slug.trim_end_matches('-'), &checksum[..16])
}

/// Windows opens these as devices, whatever the ending.
fn is_device_name(name: &str) -> bool {
    let numbered = |stem: &str| name.strip_prefix(stem).is_some_and(|rest| rest.len() == 1);
    matches!(name, "con" | "prn" | "aux" | "nul") || numbered("com") || numbered("lpt")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_empty_has_words() {
        assert_eq!((title(" ", 9), name("")), ("(empty message)".to_owned(), "(no name)".to_owned()));
    }

    #[test]
    fn file_stems_are_plain_and_tell_names_apart() {
        assert_eq!(file_stem("checkout-api"), "checkout-api");
        let hostile = ["", "..", "a/b", "A", "a b", "con", "com1", "é", "../../etc", "a\0b", "Ab", "aB"];
        let stems: std::collections::BTreeSet<String> = hostile.map(file_stem).into();
        assert_eq!(stems.len(), hostile.len());
        for stem in stems {
            assert!(stem.contains('_') && stem.len() <= 60, "{stem}");
            assert!(stem.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(c)));
        }
        assert!(file_stem(&"x".repeat(900)).len() < 60);
    }
}
