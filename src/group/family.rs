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
    for alike in buckets(&templates).into_values() {
        let varies = alike.len() >= MIN_VALUES || alike.iter().any(|&(_, is_variable)| is_variable);
        for pair in alike.windows(2).filter(|_| varies) {
            unite(&mut parents, pair[0].0, pair[1].0);
        }
    }
    (0..templates.len()).map(|at| (templates[at], templates[root(&mut parents, at)])).collect()
}

/// The place of a word, how many words there are, and a hash of those left and right of it.
type Context = (usize, usize, [u8; 16]);

/// Templates with all words alike but one, and whether that one is a variable.
fn buckets(templates: &[&str]) -> HashMap<Context, Vec<(usize, bool)>> {
    let mut out: HashMap<_, Vec<_>> = HashMap::new();
    for (number, template) in templates.iter().enumerate() {
        let words: Vec<_> = template.split(' ').collect();
        if words.len() > MAX_WORDS {
            continue;
        }
        let has_letter = |word: &&str| word.replace(super::VARIABLE, "").contains(char::is_alphabetic);
        let lettered = words.iter().filter(|word| has_letter(word)).count();
        let mut start = 0;
        for (at, word) in words.iter().enumerate() {
            if lettered - usize::from(has_letter(word)) >= MIN_FIXED_WORDS {
                let context = (at, words.len(), hash(&template[..start], &template[start + word.len()..]));
                out.entry(context).or_default().push((number, is_variable(word)));
            }
            start += word.len() + 1;
        }
    }
    out
}

/// Whether a word is nothing but a variable, marks around it apart.
fn is_variable(word: &str) -> bool {
    word.trim_matches(|letter| ".,:;()[]\"'".contains(letter)) == super::VARIABLE
}

fn hash(left: &str, right: &str) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(left.len() as u64).to_le_bytes());
    hasher.update(left.as_bytes()).update(right.as_bytes());
    let mut out = [0; 16];
    out.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
    out
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
