//! Texts from logs made fit for a page: capped, with control and direction characters made visible.
//! Escaping of markup is maud's work; file names are here because a hostile name reaches them too.

use std::fmt::Write as _;

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

/// Returns `text` as one line of at most `max_chars` characters, what cannot be seen made visible.
pub(super) fn line(text: &str, max_chars: usize) -> String {
    let mut out = String::new();
    for (place, c) in text.chars().enumerate() {
        if place == max_chars {
            out.push('…');
            break;
        }
        push_visible(&mut out, c);
    }
    out
}

/// Returns `text` cut at `max_bytes`, its line ends and tabs kept, what cannot be seen made visible.
pub(super) fn block(text: &str, max_bytes: usize) -> String {
    let cut = &text[..text.floor_char_boundary(max_bytes)];
    let mut out = String::with_capacity(cut.len());
    let mut rest = cut.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '\n' | '\t' => out.push(c),
            '\r' if rest.peek() == Some(&'\n') => {}
            _ => push_visible(&mut out, c),
        }
    }
    if cut.len() < text.len() {
        let _ = write!(out, "\n… {} more bytes", text.len() - cut.len());
    }
    out
}

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

/// The control characters by their names in ASCII (ISO 646); pictures of them (U+2400) are in few fonts.
const CONTROLS: [&str; 32] = [
    "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "TAB", "LF", "VT", "FF", "CR", "SO", "SI",
    "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS", "RS",
    "US",
];

/// Control characters become `‹ESC›`, the rest of what cannot be seen `‹U+202E›`.
fn push_visible(out: &mut String, c: char) {
    if let Some(name) = CONTROLS.get(c as usize) {
        let _ = write!(out, "‹{name}›");
    } else if c == '\u{7f}' {
        out.push_str("‹DEL›");
    } else if c.is_control() || is_invisible(c) {
        let _ = write!(out, "‹U+{:04X}›", c as u32);
    } else {
        out.push(c);
    }
}

/// Characters that change how their neighbours read, or that nothing shows: direction marks and overrides,
/// zero-width and soft breaks, separators, tags, and the code points that are no characters.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fdd0}'..='\u{fdef}'
        | '\u{e0000}'..='\u{e007f}')
        || (c as u32) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_seen_is_shown() {
        assert_eq!(line("a\x1b[31mb\nc\x7f\u{85}", 99), "a‹ESC›[31mb‹LF›c‹DEL›‹U+0085›");
        assert_eq!(line("user\u{202e}cod.exe\u{ffff}", 99), "user‹U+202E›cod.exe‹U+FFFF›");
        assert_eq!(block("a\r\n\tb\rc", 99), "a\n\tb‹CR›c");
    }

    #[test]
    fn texts_are_cut_between_characters_and_say_so() {
        assert_eq!(line("äöü", 2), "äö…");
        assert_eq!(line("äö", 2), "äö");
        assert_eq!(block("aä", 2), "a\n… 2 more bytes");
        assert_eq!(title(" ", 9), "(empty message)");
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
