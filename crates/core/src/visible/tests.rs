//! What passes the gate, and what does not.

use proptest::prelude::*;

use super::*;

/// Characters that no form lets through, written down without the table: controls, bidirectional, without width, blank
/// fillers, annotations, tags, and what is not a character.
const NEVER: [(u32, u32); 19] = [
    (0x00, 0x1f),
    (0x7f, 0x9f),
    (0xad, 0xad),
    (0x34f, 0x34f),
    (0x61c, 0x61c),
    (0x115f, 0x1160),
    (0x180e, 0x180e),
    (0x200b, 0x200b),
    (0x200e, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x206f),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xfdd0, 0xfdef),
    (0xfeff, 0xfeff),
    (0xffa0, 0xffa0),
    (0xfff9, 0xfffb),
    (0xfffe, 0xffff),
    (0xe0000, 0xe007f),
];

/// Sentences and names as people write them, with the joiners and selectors that they need.
const SCRIPTS: [&str; 34] = [
    "Zażółć gęślą jaźń – „Grüße“ à l’œuvre, ¿qué?",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία",
    "Съешь же ещё этих мягких французских булок",
    "שָׁלוֹם עולם",
    "مرحبا بالعالم، كيف الحال؟",
    "می\u{200c}خواهم خانه\u{200c}ای",
    "ܫܠܡܐ",
    "ދިވެހި",
    "नमस्ते क्\u{200d}ष र\u{94d}\u{200c}य",
    "স্বাগতম র\u{9cd}\u{200d}য",
    "ਸਤ ਸ੍ਰੀ ਅਕਾਲ",
    "નમસ્તે",
    "ନମସ୍କାର",
    "வணக்கம்",
    "నమస్కారం",
    "ನಮಸ್ಕಾರ",
    "അവന\u{d4d}\u{200d} വന്നു",
    "ක\u{dca}\u{200d}ර ශ\u{dca}\u{200d}රී",
    "สวัสดีชาวโลก",
    "ສະບາຍດີ",
    "བཀྲ་ཤིས་བདེ་ལེགས།",
    "မင်္ဂလာပါ",
    "გამარჯობა",
    "Բարեւ",
    "ሰላም ልዑል",
    "ᏣᎳᎩ ᐃᓄᒃᑎᑐᑦ",
    "សួស្តី",
    "ᠮᠣᠩᠭᠣᠯ\u{180b}",
    "你好，世界 葛\u{e0100}城",
    "こんにちは、世界 ﾊﾝｶｸ",
    "안녕하세요 각",
    "⠓⠑⠇⠇⠕ 𝔘𝔫𝔦 𐍈",
    "👩\u{200d}💻 🏳\u{fe0f}\u{200d}🌈 👍🏽 ❤\u{fe0f} 1\u{fe0f}\u{20e3} 🇩🇪",
    "a\u{a0}b\u{2003}c\u{3000}d\u{202f}e",
];

/// Returns what each form makes of a text, with what it keeps of line ends and tabs taken away.
fn forms(text: &str) -> [(&'static str, String); 8] {
    let most = usize::MAX;
    [
        ("terminal", terminal(text).replace('\t', "")),
        ("Terminal", Terminal(text.as_bytes()).to_string().replace('\t', "")),
        ("cell", cell(text).into_owned()),
        ("page_line", page_line(text, most)),
        ("page_block", page_block(text, most).replace(['\n', '\t'], "")),
        ("header", header(text, most)),
        ("one_line", one_line(text, most)),
        ("columns", columns(text).into_owned()),
    ]
}

fn never() -> impl Iterator<Item = char> {
    NEVER.into_iter().flat_map(|(first, last)| first..=last).filter_map(char::from_u32)
}

#[test]
fn no_hidden_character_passes_any_form() {
    for character in never() {
        for (before, after) in [("a", "b"), ("", ""), ("ی", "خ"), ("🏳", "🌈"), ("क्", "ष"), ("葛", "1")]
        {
            let text = format!("{before}{character}{after}");
            for (form, shown) in forms(&text) {
                assert!(!shown.contains(character), "{form} lets U+{:04X} through", u32::from(character));
            }
        }
    }
}

#[test]
fn text_of_all_scripts_passes_every_form_as_it_is() {
    for text in SCRIPTS {
        assert!(!has_hidden(text), "{text}: {:?}", hidden(text).collect::<Vec<_>>());
        for (form, shown) in forms(text).into_iter().filter(|(form, _)| *form != "header") {
            assert_eq!(shown, text, "{form}");
        }
        let spaced: Vec<_> = text.split_whitespace().collect();
        assert_eq!(header(text, usize::MAX), spaced.join(" "));
    }
}

#[test]
fn every_letter_digit_and_mark_passes() {
    const FILLERS: [char; 6] = ['\u{115f}', '\u{1160}', '\u{17b4}', '\u{17b5}', '\u{3164}', '\u{ffa0}'];
    let letters = ('\0'..=char::MAX).filter(|letter| letter.is_alphanumeric() && !FILLERS.contains(letter));
    let lost: Vec<_> = letters.filter(|&letter| is_hidden(letter)).collect();
    assert!(lost.is_empty(), "{lost:?}");
}

#[test]
fn a_joiner_that_shapes_nothing_is_shown() {
    for text in [
        "pass\u{200d}word",
        "a\u{200c}b",
        "\u{200d}",
        "ی\u{200c}",
        "ی\u{200c}\u{200c}خ",
        "🏳\u{200d}a",
        "x\u{fe0f}",
        "葛\u{e0100}\u{e0101}",
    ] {
        assert!(has_hidden(text), "{text:?}");
    }
}

#[test]
fn each_form_has_its_own_way_of_showing() {
    let text = "a\x1b[31m\tb\u{202e}c";
    assert_eq!(terminal(text), "a\\x1b[31m\tb\\u{202e}c");
    assert_eq!(terminal(b"a\rb \xff"), "a\\x0db \u{fffd}");
    assert_eq!(cell(text), "a\\x1b[31m\\x09b\\u{202e}c");
    assert_eq!(page_line(text, 99), "a‹ESC›[31m‹TAB›b‹U+202E›c");
    assert_eq!(page_line("\0\x7f\u{85}\u{ffff}", 99), "‹NUL›‹DEL›‹U+0085›‹U+FFFF›");
    assert_eq!(page_block("a\r\n\tb\rc", 99), "a\n\tb‹CR›c");
    assert_eq!(header("  a \r\n\t b\x1bc \u{2028} d ", 99), "a b‹ESC›c d");
    assert_eq!(one_line(text, 99), "a [31m b c");
    assert_eq!(columns(text), "a\u{fffd}[31m\u{fffd}b\u{fffd}c");
}

#[test]
fn texts_are_cut_between_characters_and_say_so() {
    assert_eq!((page_line("äöü", 2), page_line("äö", 2)), ("äö…".to_owned(), "äö".to_owned()));
    assert_eq!(page_block("aä", 2), "a\n… 2 more bytes");
    assert_eq!((header("a bc d", 4), header("a bc", 4)), ("a bc…".to_owned(), "a bc".to_owned()));
    assert_eq!((one_line("äöü", 2), one_line("äö", 2)), ("ä…".to_owned(), "äö".to_owned()));
}

/// Text with more than its share of what is hidden.
fn hostile() -> impl Strategy<Value = String> {
    let never: Vec<char> = never().collect();
    let shaping = vec![
        '\u{200c}',
        '\u{200d}',
        '\u{fe0f}',
        '\u{e0101}',
        '\u{180b}',
        '\u{94d}',
        'ی',
        '🏳',
        '葛',
        '1',
        'a',
    ];
    let character =
        prop_oneof![any::<char>(), proptest::sample::select(never), proptest::sample::select(shaping)];
    proptest::collection::vec(character, 0..40).prop_map(|characters| characters.into_iter().collect())
}

proptest! {
    /// A form lets nothing through that it would not let through the second time: what it made is harmless.
    #[test]
    fn what_a_form_has_made_has_nothing_hidden(text in hostile()) {
        for (form, shown) in forms(&text) {
            let left: Vec<_> = hidden(&shown).collect();
            prop_assert!(left.is_empty(), "{}: {:?} of {:?}", form, left, text);
            prop_assert!(!shown.contains(char::is_control), "{}: {:?}", form, shown);
        }
    }

    #[test]
    fn no_form_is_longer_than_it_may_be(text in hostile(), most in 1_usize..50) {
        prop_assert!(header(&text, most).chars().count() <= most + 1);
        prop_assert!(one_line(&text, most).chars().count() <= most);
        prop_assert_eq!(columns(&text).chars().count(), text.chars().count());
    }
}
