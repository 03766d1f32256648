//! The source as text: without comments, strings and unit tests, so that what is left is code.

use std::fs;
use std::path::{Path, PathBuf};

/// A file and its code.
pub(crate) struct Source {
    /// Its path below the root.
    pub(crate) path: String,
    pub(crate) code: String,
}

/// Returns the code of both packages, sorted by path.
pub(crate) fn house() -> Vec<Source> {
    sources(&["crates/core/src", "src"])
}

/// Returns the code below some folders of the root.
pub(crate) fn sources(folders: &[&str]) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = folders.iter().flat_map(|folder| rust_files(&root.join(folder)));
    let source = |file: PathBuf| {
        let path = file.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
        let code = code(&path, &fs::read_to_string(&file).unwrap());
        Source { path, code }
    };
    files.map(source).collect()
}

/// Returns the Rust files below a folder, sorted.
pub(crate) fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Returns a file without its comments, unit tests and the contents of its strings.
pub(crate) fn code(path: &str, text: &str) -> String {
    if path.ends_with("tests.rs") || path.ends_with("testing.rs") || path.contains("/tests/") {
        return String::new();
    }
    without_text(without_tests(text))
}

/// Cuts off the unit tests, which stand last.
pub(crate) fn without_tests(text: &str) -> &str {
    let is_tests = |at: &usize| {
        let next = text[*at..].lines().nth(1).unwrap_or_default();
        next.contains("mod ") && next.ends_with('{')
    };
    let at = text.match_indices("#[cfg(test)]\n").map(|(at, _)| at).find(is_tests);
    &text[..at.unwrap_or(text.len())]
}

/// Drops comments and what stands in strings, except the names that a format string captures.
pub(crate) fn without_text(text: &str) -> String {
    let mut code = String::new();
    let mut rest = text;
    while let Some(letter) = rest.chars().next() {
        let used = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if let Some(length) = string_length(rest) {
            code.extend(["\"", &captures(&rest[..length]), "\""]);
            length
        } else if let Some(length) = letter_length(rest) {
            code.push_str("' '");
            length
        } else {
            code.push(letter);
            letter.len_utf8()
        };
        rest = &rest[used..];
    }
    code
}

/// Returns the length of the string that text begins with, if it begins with one.
fn string_length(text: &str) -> Option<usize> {
    if let Some(rest) = text.strip_prefix("r") {
        let marks = rest.len() - rest.trim_start_matches('#').len();
        let end = format!("\"{}", &rest[..marks]);
        return rest[marks..].strip_prefix('"')?.find(&end).map(|at| 1 + marks + 1 + at + end.len());
    }
    let mut letters = text.strip_prefix('"')?.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => drop(letters.next()),
            '"' => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// Returns the length of the character literal that text begins with; a lifetime is not one.
fn letter_length(text: &str) -> Option<usize> {
    let rest = text.strip_prefix('\'')?;
    let first = rest.chars().next()?;
    let inner = if first == '\\' { rest.get(2..)?.find('\'')? + 2 } else { first.len_utf8() };
    rest.get(inner..)?.starts_with('\'').then_some(inner + 2)
}

/// Returns the names in the braces of a format string.
fn captures(string: &str) -> String {
    let names = string.split('{').skip(1).filter_map(|part| {
        let name = part.split(['}', ':']).next()?;
        (!name.is_empty() && name.chars().all(is_name)).then(|| format!(" {name} "))
    });
    names.collect()
}

/// Returns the names in some code with the places where they begin.
pub(crate) fn names(code: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    code.split_inclusive(|letter: char| !is_name(letter)).filter_map(move |part| {
        let begin = at;
        at += part.len();
        let name = part.trim_end_matches(|letter: char| !is_name(letter));
        (!name.is_empty()).then_some((begin, name))
    })
}

pub(crate) fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

#[test]
fn strings_and_comments_are_no_code() {
    let cases = [
        ("let a = \"fn x() { b }\"; // c", "let a = \"\"; "),
        ("f('\"', '\\'', 'x', \"\\\"y\")", "f(' ', ' ', ' ', \"\")"),
        ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
        ("format!(\"{sql} {} {{x}} {n:>3}\")", "format!(\" sql  x  n \")"),
        ("r#\"a \" b\"# + r\"c\"", "\"\" + \"\""),
    ];
    for (text, expected) in cases {
        assert_eq!(without_text(text), expected, "{text}");
    }
    assert_eq!(without_tests("a\n#[cfg(test)]\nmod tests {\n b }"), "a\n");
    assert_eq!(without_tests("#[cfg(test)]\nmod tests;\nb"), "#[cfg(test)]\nmod tests;\nb");
}
