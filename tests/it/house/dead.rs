//! No dead rooms: every public item is used outside of tests. rustc finds unused private items only, and an item
//! that a test calls looks used to everybody. The check knows names, not types, so an item with the name of another one
//! that is used escapes it.

use std::collections::{BTreeMap, HashMap};

use super::source::{Source, house, names, sources};

/// What stands before the name of an item.
const KINDS: [&str; 7] = ["fn", "struct", "enum", "trait", "type", "const", "static"];

/// What stands there all the same, and why.
const KEPT: [(&str, &str); 3] = [
    ("MemoryStore", "the store without an outside: another store is compared with it"),
    ("page_line", "the gate of pages"),
    ("page_block", "the gate of pages"),
];

#[test]
fn nothing_is_public_for_tests_alone() {
    let others = sources(&["benches", "fuzz"]);
    let mut dead = dead_items(&house(), &others);
    for (name, _) in KEPT {
        let before = dead.len();
        dead.retain(|item| !item.ends_with(&format!(" {name}")));
        assert!(dead.len() < before, "`{name}` is used now: take it off the list");
    }
    assert!(dead.is_empty(), "only tests use these, or nothing at all:\n{}", dead.join("\n"));
}

#[test]
fn the_check_finds_what_only_tests_use() {
    let cases: [(&[&str], &[&str]); 12] = [
        (&["pub fn a() {}"], &["a"]),
        (&["pub fn a() {}", "fn b() { a() }"], &[]),
        (&["pub fn a() {}", "fn b() { v.map(a) }"], &[]),
        (&["pub fn a() {}", "fn b(s: S) -> u8 { s.a }"], &["a"]),
        (&["pub fn a() {}", "fn b() -> S { S { a: 1 } }"], &["a"]),
        (&["pub fn a() {}", "pub use x::a;"], &["a"]),
        (&["pub fn a() {}", "use x::a as b;"], &[]),
        (&["impl S {\n    pub(crate) const fn a(self) {}\n}\nfn b(s: S) { s.a() }"], &[]),
        (&["#[cfg(test)]\npub fn a() {}"], &[]),
        (&["pub struct A;\nimpl A {}\nimpl T for A {}"], &["A"]),
        (&["pub const A: u8 = 1;\npub struct B;", "fn c() { let _ = \"A\"; }"], &["A", "B"]),
        (&["pub const A: u8 = 1;", "fn c() { format!(\"{A}\"); }"], &[]),
    ];
    for (texts, expected) in cases {
        let source = |(number, text): (usize, &&str)| Source {
            path: format!("src/{number}.rs"),
            code: super::source::without_text(text),
        };
        let files: Vec<_> = texts.iter().enumerate().map(source).collect();
        let dead = dead_items(&files, &[]);
        let found: Vec<_> = dead.iter().filter_map(|item| item.rsplit(' ').next()).collect();
        assert_eq!(found, expected, "{texts:?}");
    }
}

/// Returns the public items of `files` that nothing in these or the other files uses, a line each.
fn dead_items(files: &[Source], others: &[Source]) -> Vec<String> {
    let mut public = BTreeMap::new();
    let mut uses: HashMap<&str, Vec<bool>> = HashMap::new();
    for source in files.iter().chain(others) {
        for (at, name) in names(&source.code) {
            let (before, after) = (&source.code[..at], &source.code[at + name.len()..]);
            if let Some(kind) = KINDS.into_iter().find(|kind| last_word(before) == *kind) {
                if is_public(before) && files.iter().any(|file| std::ptr::eq(file, source)) {
                    public.insert(name, format!("{}: {kind} {name}", source.path));
                }
            } else if last_word(before) == "impl" || before.ends_with(" for ") {
                // A type is not used by what it can do.
            } else if !is_reexport(before) || source.code[at..].starts_with(&format!("{name} as ")) {
                uses.entry(name).or_default().push(is_call(before, after));
            }
        }
    }
    let is_dead = |(name, line): &(&str, String)| {
        let is_fn = line.contains(": fn ");
        uses.get(name).is_none_or(|uses| is_fn && !uses.contains(&true))
    };
    public.into_iter().filter(is_dead).map(|(_, line)| line).collect()
}

fn last_word(before: &str) -> &str {
    before.trim_end().rsplit(|letter: char| !letter.is_alphanumeric()).next().unwrap_or_default()
}

/// Whether the line that leads to an item's name begins with `pub`, outside tests.
fn is_public(before: &str) -> bool {
    let mut lines = before.rsplit('\n');
    lines.next().is_some_and(|line| line.trim_start().starts_with("pub"))
        && lines.next().is_none_or(|line| line.trim() != "#[cfg(test)]")
}

/// Whether a name stands in a `use`, which hands on and uses nothing.
fn is_reexport(before: &str) -> bool {
    let statement = before.rsplit([';', '}']).next().unwrap_or_default();
    let braces = before.rsplit(';').next().unwrap_or_default();
    let begins = |text: &str| {
        let text = text.trim_start();
        text.starts_with("use ") || text.starts_with("pub") && text.contains(" use ") && !text.contains("fn ")
    };
    begins(statement) || begins(braces)
}

/// Whether a name in code may stand for a function: called, named by a path, or handed over. A field is not one.
fn is_call(before: &str, after: &str) -> bool {
    let is_handed_over = before.trim_end().ends_with(['(', ',', '=', ':'])
        && after.trim_start().starts_with([')', ',', ';'])
        && !before.trim_end().ends_with("let");
    before.ends_with("::") || after.starts_with('(') || after.starts_with("::<") || is_handed_over
}
