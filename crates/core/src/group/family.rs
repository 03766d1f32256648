//! Families: templates that differ in one word, seen as one where lists are long. A view over the templates there
//! are, never a key: it does not depend on their order, and a new template can only join families, never part them.

use std::collections::{BTreeSet, HashMap};

/// Longer templates are families of their own.
const MAX_WORDS: usize = 64;
/// So many other words have letters, or two templates have too little in common.
const MIN_FIXED_WORDS: usize = 3;
/// A word with so many values is one that varies.
const MIN_VALUES: usize = 6;

/// Returns the family of each template: the first in byte order of those that belong together.
///
/// Templates that differ in exactly one word do, when that word is a variable in one of them, or when there are
/// six of them or more.
pub fn families<'t>(templates: impl IntoIterator<Item = &'t str>) -> HashMap<&'t str, &'t str> {
    let templates: Vec<&str> = templates.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
    let mut parents: Vec<usize> = (0..templates.len()).collect();
    let mut words: Vec<Word> =
        templates.iter().enumerate().flat_map(|(number, template)| words(number, template)).collect();
    words.sort_unstable_by_key(|word| word.context);
    for alike in words.chunk_by(|a, b| a.context == b.context) {
        let varies = alike.len() >= MIN_VALUES || alike.iter().any(|word| word.is_variable);
        for pair in alike.windows(2).filter(|_| varies) {
            unite(&mut parents, pair[0].template, pair[1].template);
        }
    }
    (0..templates.len()).map(|at| (templates[at], templates[root(&mut parents, at)])).collect()
}

/// A word of a template.
struct Word {
    /// A hash of its place, of how many words there are, and of those left and right of it.
    context: u128,
    template: usize,
    is_variable: bool,
}

/// The words of a template that have enough fixed ones beside them.
fn words(number: usize, template: &str) -> Vec<Word> {
    let words: Vec<_> = template.split(' ').collect();
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
        if count - usize::from(lettered[at]) >= MIN_FIXED_WORDS {
            let context = chained(LEFT, chained(LEFT, left, at as u128), rights[at]);
            out.push(Word { context, template: number, is_variable: is_variable(word) });
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

fn hash(word: &str) -> u128 {
    let mut first = [0; 16];
    first.copy_from_slice(&blake3::hash(word.as_bytes()).as_bytes()[..16]);
    u128::from_le_bytes(first)
}

/// The smallest member of the set that `at` is in.
fn root(parents: &mut [usize], mut at: usize) -> usize {
    while parents[at] != at {
        parents[at] = parents[parents[at]];
        at = parents[at];
    }
    at
}

fn unite(parents: &mut [usize], a: usize, b: usize) {
    let (a, b) = (root(parents, a), root(parents, b));
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
    fn too_little_in_common_is_not_enough() {
        let all = families(["read <*> failed", "read x failed", "a b <*> c d", "a b <*> c e"]);
        assert!(all.iter().all(|(template, family)| template == family));
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_more_templates_never_part(
            templates in prop::collection::vec("(a|b|<\\*>)( (a|b|c|<\\*>)){3,4}", 0..30),
            cut in 0_usize..30,
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
