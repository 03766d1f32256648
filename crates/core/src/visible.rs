//! The one gate for text that people see. Log lines, keys, listings and answers of servers are hostile: a control
//! character is an order to a terminal, a bidirectional one makes `gpj.exe` of `exe.jpg`, and a name with a character that
//! nothing shows is not the name that it looks like. One table says which characters are hidden; each form says what
//! stands in their place, and the caller chooses the form. maud escapes markup, and the code that quotes escapes quotes.
//!
//! | form | for | a hidden character becomes | stays |
//! |---|---|---|---|
//! | [`terminal`], [`Terminal`] | output and errors on a terminal | `\x1b`, `\u{202e}` | tab |
//! | [`cell`] | a cell of a table or of CSV | the same | |
//! | [`page_line`], [`page_block`] | a line, a text of the site | `‹ESC›`, `‹U+202E›` | in a block: line ends, tabs |
//! | [`header`] | headers, mails, errors: one line | the same; white space becomes one space | |
//! | [`one_line`] | a sentence | a space | |
//! | [`columns`] | what is counted in columns | U+FFFD, one for one | |
//!
//! Text in any script passes every form as it is: joiners and variation selectors stay where they shape a neighbour.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter, Write as _};

const NON_JOINER: char = '\u{200c}';
const JOINER: char = '\u{200d}';
/// Makes an emoji of the symbol before it.
const EMOJI_SELECTOR: char = '\u{fe0f}';

/// Returns whether a character has no shape of its own or moves others, wherever it stands.
///
/// Controls; what Unicode calls `Default_Ignorable_Code_Point` (UCD, `DerivedCoreProperties.txt`), the separators of lines
/// and paragraphs, annotations, the blank Braille pattern, and code points that are not characters.
pub fn is_hidden(character: char) -> bool {
    // Most text is ASCII.
    if character < '\u{7f}' {
        return character < ' ';
    }
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fdd0}'..='\u{fdef}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
        || u32::from(character) & 0xfffe == 0xfffe
}

/// Returns the hidden characters of a text and where they stand, without those that shape their neighbours.
pub fn hidden(text: &str) -> impl Iterator<Item = (usize, char)> + '_ {
    let mut before = None;
    let mut characters = text.char_indices().peekable();
    std::iter::from_fn(move || {
        loop {
            let (at, character) = characters.next()?;
            let after = characters.peek().map(|&(_, after)| after);
            let is_shaping = |before| is_shaping(character, before, after);
            if is_hidden(character) && !before.is_some_and(is_shaping) {
                // Something else is shown in its place, which nothing shapes.
                before = None;
                return Some((at, character));
            }
            before = Some(character);
        }
    })
}

/// Returns whether a text has hidden characters.
pub fn has_hidden(text: &str) -> bool {
    // Most text is ASCII, and titles are looked at once an event.
    !text.bytes().all(|byte| matches!(byte, b' '..=b'~')) && hidden(text).next().is_some()
}

/// Whether a character that is not seen itself changes how the one before it looks, or the one behind it: in Persian, in
/// the scripts of India, in emoji. Anywhere else it would only tell apart what looks the same.
fn is_shaping(character: char, before: char, after: Option<char>) -> bool {
    match character {
        NON_JOINER | JOINER if is_virama(before) => true,
        NON_JOINER | JOINER if joins(before) => after.is_some_and(joins),
        JOINER => (is_picture(before) || before == EMOJI_SELECTOR) && after.is_some_and(is_picture),
        '\u{fe00}'..='\u{fe0f}' => has_variants(before),
        '\u{e0100}'..='\u{e01ef}' => is_ideograph(before),
        '\u{180b}'..='\u{180d}' | '\u{180f}' => matches!(before, '\u{1820}'..='\u{18aa}'),
        _ => false,
    }
}

/// The sign of the scripts of India that takes a vowel away; a joiner behind it chooses the form (RFC 5892, A.1).
fn is_virama(character: char) -> bool {
    let is_in_place = matches!(character, '\u{900}'..='\u{dff}') && u32::from(character) & 0x7f == 0x4d;
    is_in_place || character == '\u{dca}'
}

/// The blocks of scripts whose letters join.
fn joins(character: char) -> bool {
    !is_hidden(character)
        && matches!(character,
            '\u{600}'..='\u{dff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{18af}' | '\u{1900}'..='\u{1cff}'
            | '\u{a800}'..='\u{abff}' | '\u{fb50}'..='\u{fefc}' | '\u{10a00}'..='\u{11fff}' | '\u{1e900}'..='\u{1e95f}')
}

/// The blocks of symbols and emoji.
fn is_picture(character: char) -> bool {
    !is_hidden(character) && matches!(character, '\u{2190}'..='\u{2bff}' | '\u{1f000}'..='\u{1faff}')
}

/// What a variation selector may stand behind: symbols and letters outside ASCII; of ASCII only keycaps.
fn has_variants(character: char) -> bool {
    if character.is_ascii() {
        return character.is_ascii_digit() || matches!(character, '#' | '*');
    }
    !is_hidden(character) && !character.is_whitespace()
}

fn is_ideograph(character: char) -> bool {
    matches!(character, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

/// Writes a text with another thing in the place of each hidden character.
fn rewrite(
    text: &str,
    out: &mut impl fmt::Write,
    write: impl Fn(&mut dyn fmt::Write, char) -> fmt::Result,
) -> fmt::Result {
    let mut shown = 0;
    for (at, character) in hidden(text) {
        out.write_str(&text[shown..at])?;
        write(out, character)?;
        shown = at + character.len_utf8();
    }
    out.write_str(&text[shown..])
}

/// Bytes as a terminal may have them: what it would obey or not show as `\x1b` or `\u{202e}` (a tab stays), invalid UTF-8
/// as U+FFFD.
pub struct Terminal<'b>(pub &'b [u8]);

impl Display for Terminal<'_> {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            rewrite(chunk.valid(), formatter, |out, character| match character {
                '\t' => out.write_char('\t'),
                _ => escape(out, character),
            })?;
            if !chunk.invalid().is_empty() {
                formatter.write_str("\u{fffd}")?;
            }
        }
        Ok(())
    }
}

/// Returns [`Terminal`] text.
pub fn terminal<T: AsRef<[u8]> + ?Sized>(text: &T) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(text.as_ref());
    let is_plain = !has_hidden(&text) || hidden(&text).all(|(_, character)| character == '\t');
    if is_plain { text } else { Terminal(text.as_bytes()).to_string().into() }
}

/// Returns text for one cell of a table: as for a terminal, and a tab is `\x09`.
pub fn cell(text: &str) -> Cow<'_, str> {
    if !has_hidden(text) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    let _ = rewrite(text, &mut out, escape);
    out.into()
}

/// Writes `\x1b`, `\u{202e}`.
fn escape(out: &mut dyn fmt::Write, character: char) -> fmt::Result {
    let code = u32::from(character);
    if character.is_ascii() { write!(out, "\\x{code:02x}") } else { write!(out, "\\u{{{code:x}}}") }
}

/// Returns text as one line of a page, of at most `max_chars` characters; what is hidden is spelled out.
pub fn page_line(text: &str, max_chars: usize) -> String {
    let cut = text.char_indices().nth(max_chars).map_or(text.len(), |(at, _)| at);
    let mut out = String::with_capacity(cut + 3);
    let _ = rewrite(&text[..cut], &mut out, spell);
    if cut < text.len() {
        out.push('…');
    }
    out
}

/// Returns text for a page, cut at `max_bytes`, its line ends and tabs kept; what else is hidden is spelled out.
pub fn page_block(text: &str, max_bytes: usize) -> String {
    let cut = text[..text.floor_char_boundary(max_bytes)].replace("\r\n", "\n");
    let mut out = String::with_capacity(cut.len());
    let _ = rewrite(&cut, &mut out, |out, character| match character {
        '\n' | '\t' => out.write_char(character),
        _ => spell(out, character),
    });
    let left = text.len() - text.floor_char_boundary(max_bytes);
    if left > 0 {
        let _ = write!(out, "\n… {left} more bytes");
    }
    out
}

/// Returns text in one line of at most `max_chars` characters, for headers, mails and errors: white space becomes one
/// space, what is hidden is spelled out.
pub fn header(text: &str, max_chars: usize) -> String {
    let (mut out, mut chars_left) = (String::new(), max_chars);
    let mut hidden = hidden(text).map(|(at, _)| at).peekable();
    let mut gap = false;
    for (at, character) in text.char_indices() {
        let is_hidden = hidden.next_if_eq(&at).is_some();
        if character.is_whitespace() {
            gap = !out.is_empty();
            continue;
        }
        let mut shown = String::new();
        let _ = if is_hidden { spell(&mut shown, character) } else { shown.write_char(character) };
        let wanted = shown.chars().count() + usize::from(gap);
        if wanted > chars_left {
            out.push('…');
            break;
        }
        if std::mem::take(&mut gap) {
            out.push(' ');
        }
        out.push_str(&shown);
        chars_left -= wanted;
    }
    out
}

/// Writes `‹ESC›` for a control character of ASCII (ISO 646; the pictures from U+2400 on are in few fonts), `‹U+202E›` for
/// another character.
fn spell(out: &mut dyn fmt::Write, character: char) -> fmt::Result {
    const NAMES: [&str; 32] = [
        "NUL", "SOH", "STX", "ETX", "EOT", "ENQ", "ACK", "BEL", "BS", "TAB", "LF", "VT", "FF", "CR", "SO",
        "SI", "DLE", "DC1", "DC2", "DC3", "DC4", "NAK", "SYN", "ETB", "CAN", "EM", "SUB", "ESC", "FS", "GS",
        "RS", "US",
    ];
    match (NAMES.get(character as usize), character) {
        (Some(name), _) => write!(out, "‹{name}›"),
        (None, '\u{7f}') => out.write_str("‹DEL›"),
        (None, _) => write!(out, "‹U+{:04X}›", u32::from(character)),
    }
}

/// Returns text as a sentence of at most `max_chars` characters; the last is `…` where it was cut, and a space stands for
/// what is hidden.
pub fn one_line(text: &str, max_chars: usize) -> String {
    let mut out = String::with_capacity(text.len());
    let _ = rewrite(text, &mut out, |out, _| out.write_char(' '));
    if let Some((cut, _)) = out.char_indices().nth(max_chars) {
        let last = out[..cut].char_indices().next_back().map_or(0, |(at, _)| at);
        out.truncate(last);
        out.push('…');
    }
    out
}

/// Returns text with U+FFFD for each hidden character, so that the number of characters stays.
pub fn columns(text: &str) -> Cow<'_, str> {
    if !has_hidden(text) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len());
    let _ = rewrite(text, &mut out, |out, _| out.write_char('\u{fffd}'));
    out.into()
}

#[cfg(test)]
mod tests;
