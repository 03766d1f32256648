//! Every public item has a doc comment. The compiler's `missing_docs` asks only for what another crate can reach; this
//! asks for the public items of modules that are private, too, and prints the share.

use std::fs;
use std::path::Path;

use super::source::{rust_files, without_tests};

/// How a public item begins. What only its own folder sees (`pub(super)`) may speak for itself.
const PUBLIC: [&str; 2] = ["pub ", "pub(crate) "];
/// What such a line declares without a need of a comment: names of others, and modules, whose files have heads.
const LEFT_OUT: [&str; 2] = ["use ", "mod "];

#[test]
fn every_public_item_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = ["crates/core/src", "src"].into_iter().flat_map(|folder| rust_files(&root.join(folder)));
    let (mut public, mut bare) = (0, Vec::new());
    for file in files {
        let path = file.strip_prefix(root).unwrap().display().to_string();
        if !["tests.rs", "testing.rs"].iter().any(|end| path.ends_with(end)) && !path.contains("/tests/") {
            let found = items(&fs::read_to_string(&file).unwrap());
            public += found.len();
            let undocumented = found.into_iter().filter(|(_, is_documented)| !is_documented);
            bare.extend(undocumented.map(|(item, _)| format!("{path}: {item}")));
        }
    }
    println!("{public} public items, {} without a comment", bare.len());
    assert!(public > 1000, "only {public} public items were found");
    assert!(bare.is_empty(), "public and not documented:\n{}", bare.join("\n"));
}

#[test]
fn the_check_finds_what_has_no_comment() {
    let cases = [
        ("/// A.\npub fn a() {}", Some(true)),
        ("pub fn a() {}", Some(false)),
        ("/// A.\n#[derive(\n    Clone,\n)]\npub(crate) struct A;", Some(true)),
        ("#[must_use]\npub fn a() {}", Some(false)),
        ("struct A {\n    /// B.\n    b: u8,\n    pub c: u8,\n}", Some(false)),
        ("// A.\npub const A: u8 = 1;", Some(false)),
        ("pub use a::A;", None),
        ("pub mod a;", None),
        ("pub(super) fn a() {}", None),
        ("#[cfg(test)]\nmod tests {\n    pub fn a() {}\n}", None),
    ];
    for (text, expected) in cases {
        assert_eq!(items(text).first().map(|item| item.1), expected, "{text}");
    }
}

/// Returns the public items and fields of a file, formatted by rustfmt, and whether each has a doc comment.
fn items(text: &str) -> Vec<(String, bool)> {
    let lines: Vec<&str> = without_tests(text).lines().map(str::trim).collect();
    let is_public = |line: &str| {
        let rest = PUBLIC.iter().find_map(|start| line.strip_prefix(start));
        rest.is_some_and(|rest| !LEFT_OUT.iter().any(|start| rest.starts_with(start)))
    };
    let public = lines.iter().enumerate().filter(|(_, line)| is_public(line));
    public.map(|(at, line)| ((*line).to_owned(), is_documented(&lines[..at]))).collect()
}

/// Whether a doc comment ends the lines before an item, attributes left out.
fn is_documented(before: &[&str]) -> bool {
    let mut above = before.iter().rev();
    while let Some(line) = above.next() {
        if *line == "$(#[$doc])*" {
            // In a macro that makes types, whose callers document them.
            return true;
        }
        if line.starts_with("#[") {
            continue;
        }
        if !line.ends_with(")]") {
            return line.starts_with("///");
        }
        // The end of an attribute of several lines.
        above.find(|line| line.starts_with("#["));
    }
    false
}
