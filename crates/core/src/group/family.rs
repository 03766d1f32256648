//! Families: templates that differ in one word, seen as one where lists are long. A view over the templates there
//! are, never a key: it does not depend on their order, and a new template can join families but never split one.

use std::collections::{BTreeSet, HashMap};

/// Longer templates are families of their own.
const MAX_WORDS: usize = 64;
/// With fewer other words that have letters, two templates have too little in common.
const MIN_FIXED_WORDS: usize = 3;
/// A word with this many values varies.
const MIN_VALUES: usize = 6;
/// Where less is in common, a word varies with this many values,
const MIN_VALUES_OF_SHORT: usize = 8;
/// and this many other words with letters.
const MIN_FIXED_WORDS_OF_SHORT: usize = 2;
/// A word in quotes or brackets varies with this many values.
const MIN_QUOTED_VALUES: usize = 3;

/// Returns the family of each template: the first in byte order of those that belong together.
///
/// Templates that differ in exactly one word do, when that word is a variable in one of them; when there are six of them or
/// more, or three with the word in quotes or brackets, or eight when there is less in common; and those whose words are alike
/// except for their letters, with a variable in them, as `QQ[<*>]` and `WeChat[<*>]`.
pub fn families<'t>(templates: impl IntoIterator<Item = &'t str>) -> HashMap<&'t str, &'t str> {
    // Sorted, so that the first of a family is the same in whatever order the groups come.
    let templates: Vec<&str> = templates.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let mut parents: Vec<usize> = (0..templates.len()).collect();
    let mut words: Vec<Word> =
        templates.iter().enumerate().flat_map(|(number, template)| words(number, template)).collect();
    // Templates that differ in one word meet here by the hash of all the others: no pair of templates is ever
    // compared.
    words.sort_unstable_by_key(|word| word.context);
    for alike in words.chunk_by(|a, b| a.context == b.context) {
        if varies(alike) {
            for pair in alike.windows(2) {
                unite(&mut parents, pair[0].template, pair[1].template);
            }
        } else {
            unite_some(alike, &mut parents);
        }
    }
    (0..templates.len()).map(|at| (templates[at], templates[root(&mut parents, at)])).collect()
}

/// Whether a word varies that is all that its templates differ in.
fn varies(alike: &[Word]) -> bool {
    if alike[0].fixed < MIN_FIXED_WORDS {
        return alike.len() >= MIN_VALUES_OF_SHORT;
    }
    alike.len() >= MIN_VALUES || alike.iter().any(|word| word.is_variable)
}

/// Joins templates that differ in a word in quotes or brackets, and those whose words are alike except for their letters.
fn unite_some(alike: &[Word], parents: &mut [usize]) {
    let quoted: Vec<&Word> =
        alike.iter().filter(|word| word.is_quoted && word.fixed >= MIN_FIXED_WORDS).collect();
    if quoted.len() >= MIN_QUOTED_VALUES {
        for pair in quoted.windows(2) {
            unite(parents, pair[0].template, pair[1].template);
        }
    }
    unite_alike_skeletons(alike, parents);
}

/// Joins templates whose words are alike except for their letters.
fn unite_alike_skeletons(alike: &[Word], parents: &mut [usize]) {
    let mut first_of: HashMap<u128, usize> = HashMap::new();
    for word in alike.iter().filter(|word| word.fixed >= MIN_FIXED_WORDS) {
        if let Some(skeleton) = word.skeleton {
            let first = *first_of.entry(skeleton).or_insert(word.template);
            unite(parents, first, word.template);
        }
    }
}

/// A word of a template.
struct Word {
    /// A hash of its place, of how many words there are, and of those left and right of it.
    context: u128,
    template: usize,
    is_variable: bool,
    /// In quotes or brackets, without a variable.
    is_quoted: bool,
    /// A hash of its shape, if it holds a variable and more.
    skeleton: Option<u128>,
    /// How many other words have letters.
    fixed: usize,
}

/// The words of a template that have enough fixed ones beside them.
fn words(number: usize, template: &str) -> Vec<Word> {
    let words: Vec<_> = template.split(' ').collect();
    // Dumps of data have no families, and every word of a template costs an entry.
    if words.len() > MAX_WORDS {
        return Vec::new();
    }
    let hashes: Vec<u128> = words.iter().map(|word| hash(word)).collect();
    let lettered: Vec<bool> = words.iter().map(|word| word.contains(char::is_alphabetic)).collect();
    let count = lettered.iter().filter(|&&lettered| lettered).count();
    let rights = rights(&hashes);
    let mut left = words.len() as u128;
    let mut out = Vec::with_capacity(words.len());
    for (at, word) in words.iter().enumerate() {
        let fixed = count - usize::from(lettered[at]);
        if fixed >= MIN_FIXED_WORDS_OF_SHORT {
            let context = chained(LEFT, chained(LEFT, left, at as u128), rights[at]);
            out.push(Word {
                context,
                template: number,
                is_variable: is_variable(word),
                is_quoted: is_quoted(word),
                skeleton: skeleton(word),
                fixed,
            });
        }
        left = chained(LEFT, left, hashes[at]);
    }
    out
}

/// The hash of the words right of each word.
fn rights(hashes: &[u128]) -> Vec<u128> {
    let mut out = vec![0; hashes.len()];
    for at in (1..hashes.len()).rev() {
        out[at - 1] = chained(RIGHT, out[at], hashes[at]);
    }
    out
}

/// Adds a word to the hash of those before it: a polynomial in the words' own hashes, so that the contexts of
/// all words of a template take one pass. Left and right have a base each, or words could change sides.
fn chained(base: u128, before: u128, word: u128) -> u128 {
    before.wrapping_mul(base).wrapping_add(word)
}

/// The golden ratio and the square root of two, as odd fractions of 2^128.
const LEFT: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
const RIGHT: u128 = 0x6a09_e667_f3bc_c908_b2fb_1366_ea95_7d3f;

/// Whether a word is nothing but a variable, marks around it apart.
fn is_variable(word: &str) -> bool {
    word.trim_matches(|letter| ".,:;()[]\"'".contains(letter)) == super::VARIABLE
}

/// Whether a word stands in quotes or brackets and holds no variable.
fn is_quoted(word: &str) -> bool {
    let word = word.trim_end_matches(|letter| ".,:;".contains(letter));
    let pairs = [('\'', '\''), ('"', '"'), ('[', ']'), ('(', ')'), ('<', '>'), ('`', '`')];
    let is_pair =
        |&(open, close): &(char, char)| word.len() > 2 && word.starts_with(open) && word.ends_with(close);
    pairs.iter().any(is_pair) && !word.contains(super::VARIABLE)
}

/// A hash of a word whose runs of letters are one letter each, if it holds letters, a variable and marks.
fn skeleton(word: &str) -> Option<u128> {
    if !word.contains(super::VARIABLE) || !word.contains(char::is_alphabetic) {
        return None;
    }
    let mut marks = String::with_capacity(word.len());
    for letter in word.chars() {
        let shown = if letter.is_alphabetic() { 'a' } else { letter };
        if shown != 'a' || !marks.ends_with('a') {
            marks.push(shown);
        }
    }
    let has_marks = marks.len() > super::VARIABLE.len() + 1;
    has_marks.then(|| hash(&marks))
}

fn hash(word: &str) -> u128 {
    let mut first = [0; 16];
    first.copy_from_slice(&blake3::hash(word.as_bytes()).as_bytes()[..16]);
    u128::from_le_bytes(first)
}

/// The smallest member of the set that `at` is in.
fn root(parents: &mut [usize], mut at: usize) -> usize {
    while parents[at] != at {
        // Halves the path, so that long chains are walked once only.
        parents[at] = parents[parents[at]];
        at = parents[at];
    }
    at
}

fn unite(parents: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parents, a), root(parents, b));
    // The smaller one stays the root, so the name of a family does not depend on the order of the unions.
    parents[a.max(b)] = a.min(b);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_variable_word_joins_and_so_do_six_values() {
        let few = ["cannot open file <*> for tenant", "cannot open file config for tenant"];
        assert_eq!(families(few)[few[1]], few[0]);
        let names = ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"];
        let many: Vec<_> = names.iter().map(|name| format!("queue {name} is not writable")).collect();
        let all = families(many.iter().map(String::as_str));
        assert!(all.values().all(|family| *family == "queue alpha is not writable"));
        let five = families(many[..5].iter().map(String::as_str));
        assert!(five.iter().all(|(template, family)| template == family));
    }

    #[test]
    fn three_quoted_values_join_and_so_do_words_with_a_variable_in_the_same_place() {
        let quoted = [
            "no bean named 'cart' found here",
            "no bean named 'mail' found here",
            "no bean named 'stock' found here",
        ];
        assert_eq!(families(quoted)[quoted[2]], quoted[0]);
        assert_eq!(families([quoted[0], quoted[1]]).values().collect::<BTreeSet<_>>().len(), 2);
        let placed = ["message from QQ[<*>] was lost", "message from WeChat[<*>] was lost"];
        assert_eq!(families(placed)[placed[1]], placed[0]);
        let eight: Vec<_> =
            (0..8).map(|at| format!("{} was lost", "abcdefgh".get(at..=at).unwrap())).collect();
        assert!(families(eight.iter().map(String::as_str)).values().all(|family| *family == "a was lost"));
        let seven = families(eight[..7].iter().map(String::as_str));
        assert!(seven.iter().all(|(template, family)| template == family));
    }

    #[test]
    fn too_little_in_common_is_not_enough() {
        let all = families(["read <*> failed", "read x failed", "a b <*> c d", "a b <*> c e"]);
        assert!(all.iter().all(|(template, family)| template == family));
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_more_templates_never_part(
            templates in prop::collection::vec("(a|b|<\\*>)( (a|b|c|'a'|'b'|\\[c\\]|a\\[<\\*>\\]|b\\[<\\*>\\]|<\\*>)){2,4}", 0..40),
            cut in 0_usize..40,
        ) {
            let all = families(templates.iter().map(String::as_str));
            prop_assert_eq!(&families(templates.iter().rev().map(String::as_str)), &all);
            let some = families(templates.iter().take(cut).map(String::as_str));
            for (a, a_family) in &some {
                for (b, b_family) in &some {
                    prop_assert!(a_family != b_family || all[a] == all[b]);
                }
            }
        }
    }
}
