//! Which characters are letters of words, and which are the same letter in another case.
//!
//! A letter is what Unicode calls Alphabetic or a number (general category N), and `_`. A mark (category M) that is not
//! Alphabetic belongs to the word that it follows. Letters are compared by simple case folding (`C` and `S` of
//! Unicode's `CaseFolding.txt`): `Ош` is `ош`, `ς` is `σ`, `K` (U+212A) is `k`, `ẞ` is `ß`; `ß` is not `ss`, and of `İ` and
//! `ı` neither is `i`. The tables are those of the standard library, whose version belongs to the index's format.

use std::sync::LazyLock;

use regex_syntax::hir::{Class, HirKind};

/// What a character is to a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Part of words.
    Letter,
    /// Part of the word that it follows.
    Mark,
    /// Parts words.
    Other,
}

/// The first character that takes two bytes, and the first that takes three.
const SMALL: std::ops::Range<u32> = 0x80..0x800;

/// What the characters of two bytes are, and what they fold to: Latin, Greek, Cyrillic, Hebrew and Arabic letters.
static SMALL_LETTERS: LazyLock<Vec<(Kind, char)>> = LazyLock::new(|| {
    let known =
        |number| char::from_u32(number).map(|letter| (kind_by_tables(letter), fold_by_tables(letter)));
    SMALL.map(|number| known(number).unwrap_or((Kind::Other, char::REPLACEMENT_CHARACTER))).collect()
});

/// The ranges of general category M, in order.
static MARKS: LazyLock<Vec<(char, char)>> = LazyLock::new(|| {
    let parsed = regex_syntax::parse(r"\p{M}").map(regex_syntax::hir::Hir::into_kind);
    let Ok(HirKind::Class(Class::Unicode(class))) = parsed else { return Vec::new() };
    class.ranges().iter().map(|range| (range.start(), range.end())).collect()
});

/// Returns the character that `bytes` begin with, and its length; `None` where no UTF-8 begins.
pub(super) fn decode(bytes: &[u8]) -> Option<(char, usize)> {
    let first = *bytes.first()?;
    let len = length(first)?;
    let text = std::str::from_utf8(bytes.get(..len)?).ok()?;
    text.chars().next().map(|character| (character, len))
}

/// Returns how many bytes a character takes that begins so; `None` if none does.
pub(super) fn length(first: u8) -> Option<usize> {
    match first {
        0x00..=0x7f => Some(1),
        0xc2..=0xdf => Some(2),
        0xe0..=0xef => Some(3),
        0xf0..=0xf4 => Some(4),
        _ => None,
    }
}

/// Returns what a character is to a word.
pub(super) fn kind(character: char) -> Kind {
    match character {
        // Han and Hangul.
        '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' => Kind::Letter,
        _ => small(character).map_or_else(|| kind_by_tables(character), |(kind, _)| kind),
    }
}

/// Returns the character that represents a letter in any case.
pub(super) fn fold(letter: char) -> char {
    match letter {
        '\0'..='\x7f' => letter.to_ascii_lowercase(),
        // East Asian letters have no case.
        '\u{2e80}'..='\u{a63f}' | '\u{ac00}'..='\u{faff}' => letter,
        _ => small(letter).map_or_else(|| fold_by_tables(letter), |(_, folded)| folded),
    }
}

/// Returns whether a letter is of a script that writes several words without spaces between them: Han, Kana, Hangul, Thai, Lao,
/// Burmese, Khmer.
pub fn is_unspaced(letter: char) -> bool {
    matches!(letter,
        '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1100}'..='\u{11ff}' | '\u{1780}'..='\u{17ff}'
        | '\u{2e80}'..='\u{2fdf}' | '\u{3005}'..='\u{3007}' | '\u{3040}'..='\u{318f}' | '\u{31f0}'..='\u{31ff}'
        | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}'
        | '\u{ff66}'..='\u{ff9f}' | '\u{20000}'..='\u{3ffff}')
}

fn small(character: char) -> Option<(Kind, char)> {
    let at = u32::from(character).checked_sub(SMALL.start)?;
    SMALL.contains(&u32::from(character)).then(|| SMALL_LETTERS[at as usize])
}

fn kind_by_tables(character: char) -> Kind {
    if character.is_alphanumeric() || character == '_' {
        Kind::Letter
    } else if is_mark(character) {
        Kind::Mark
    } else {
        Kind::Other
    }
}

fn is_mark(character: char) -> bool {
    let after = MARKS.partition_point(|&(start, _)| start <= character);
    after > 0 && character <= MARKS[after - 1].1
}

/// The lower case of the upper case, where each is one character: so far that is simple folding, except for a letter whose
/// upper case is another letter's, and for three pairs that are the same only in all of their cases.
fn fold_by_tables(letter: char) -> char {
    let single = |mut mapped: Box<dyn Iterator<Item = char>>| {
        let first = mapped.next();
        first.filter(|_| mapped.next().is_none())
    };
    match letter {
        '\u{131}' => letter,
        '\u{1fd3}' => '\u{390}',
        '\u{1fe3}' => '\u{3b0}',
        '\u{fb05}' => '\u{fb06}',
        _ => {
            let upper = single(Box::new(letter.to_uppercase())).unwrap_or(letter);
            single(Box::new(upper.to_lowercase())).unwrap_or(upper)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use regex_syntax::hir::{ClassUnicode, ClassUnicodeRange};

    use super::*;

    fn all() -> impl Iterator<Item = char> {
        '\0'..=char::MAX
    }

    /// Another implementation has tables of its own, of a Unicode version that may be older.
    #[test]
    fn letters_are_folded_as_unicode_folds_them() {
        let assigned = regex_syntax::parse(r"\P{Cn}").unwrap().into_kind();
        let HirKind::Class(Class::Unicode(assigned)) = assigned else { panic!("a class") };
        let is_assigned =
            |letter| assigned.ranges().iter().any(|range| (range.start()..=range.end()).contains(&letter));
        let mut class_of = BTreeMap::new();
        for letter in all().filter(|&letter| fold(letter) != letter || letter.is_alphabetic()) {
            let mut class = ClassUnicode::new([ClassUnicodeRange::new(letter, letter)]);
            class.case_fold_simple();
            let class: Vec<char> =
                class.ranges().iter().flat_map(|range| range.start()..=range.end()).collect();
            for &other in &class {
                assert_eq!(fold(other), fold(letter), "{letter:?} and {other:?}");
            }
            if class.len() > 1 || fold(letter) != letter && is_assigned(letter) {
                let first = class_of.entry(fold(letter)).or_insert(class[0]);
                assert_eq!(*first, class[0], "{letter:?} folds to {:?}", fold(letter));
            }
        }
        assert!(class_of.len() > 1400, "{}", class_of.len());
    }

    #[test]
    fn what_has_a_case_is_a_letter_and_folds_once() {
        for letter in all() {
            let folded = fold(letter);
            assert_eq!(fold(folded), folded, "{letter:?}");
            assert_eq!(kind(letter), kind_by_tables(letter), "{letter:?}");
            assert_eq!(folded, if letter.is_ascii() { folded } else { fold_by_tables(letter) }, "{letter:?}");
            if folded != letter {
                assert_eq!((kind(letter), kind(folded)), (Kind::Letter, Kind::Letter), "{letter:?}");
            }
            let is_odd = folded.is_ascii() && !letter.is_ascii();
            assert_eq!(is_odd, ['\u{17f}', '\u{212a}'].contains(&letter), "{letter:?}");
        }
    }

    #[test]
    fn marks_are_neither_letters_nor_others() {
        for mark in ['\u{301}', '\u{94d}', '\u{fe0f}', '\u{20e3}'] {
            assert_eq!(kind(mark), Kind::Mark, "{mark:?}");
        }
        for letter in ['é', 'Ж', '字', '한', '٣', '²', 'Ⅻ', 'ａ', '\u{93e}', '\u{345}', '𝔘', '_']
        {
            assert_eq!(kind(letter), Kind::Letter, "{letter:?}");
        }
        for other in
            ['‘', '”', '…', '→', '—', '。', '\u{200d}', '\u{ad}', '\u{feff}', '😀', '\u{1f3fb}', '\u{a0}']
        {
            assert_eq!(kind(other), Kind::Other, "{other:?}");
        }
    }
}
