//! Functions read at a glance: none is longer than 60 lines, and half of them have at most 8.

use super::source::{Source, house, without_text};

/// The most lines of a function, its signature and braces included.
const MOST_LINES: usize = 60;
/// The most lines of the middle one of all.
const MEDIAN_LINES: usize = 8;

#[test]
fn functions_are_short() {
    let files = house();
    let mut all: Vec<(usize, String)> = files.iter().flat_map(functions).collect();
    all.sort();
    let median = all[all.len() / 2].0;
    println!("{} functions, half of them up to {median} lines, the longest {:?}", all.len(), all.last());
    let long: Vec<_> = all.iter().filter(|(lines, _)| *lines > MOST_LINES).collect();
    assert!(long.is_empty(), "longer than {MOST_LINES} lines: {long:?}");
    assert!(median <= MEDIAN_LINES, "half of the functions have more than {median} lines");
}

#[test]
fn the_check_counts_lines() {
    let text = "impl S {\n    pub fn one(&self) -> u8 { 1 }\n\n    fn five(\n        &self,\n    ) {\n        a();\n    }\n}\n\
                trait T {\n    fn none(&self);\n}\nfn three() {\n    \"fn four() {\\\n    }\";\n}\n";
    let source = Source { path: "src/x.rs".to_owned(), code: without_text(text) };
    let found: Vec<_> = functions(&source).into_iter().map(|(lines, _)| lines).collect();
    assert_eq!(found, [1, 5, 3]);
}

/// Returns the functions of a file, formatted by rustfmt, with their numbers of lines.
fn functions(source: &Source) -> Vec<(usize, String)> {
    let lines: Vec<&str> = source.code.lines().collect();
    let begins = lines.iter().enumerate().filter(|(_, line)| is_signature(line));
    begins
        .filter_map(|(at, line)| Some((length(&lines[at..])?, format!("{}: {}", source.path, line.trim()))))
        .collect()
}

/// Whether a line begins a function.
fn is_signature(line: &str) -> bool {
    let mut words = line.split_whitespace().map(|word| word.split('(').next().unwrap_or_default());
    let is_prefix =
        |word: &&str| ["pub", "const", "async", "unsafe", "extern", "crate)", "super)"].contains(word);
    words.find(|word| !is_prefix(word)) == Some("fn")
}

/// Returns how many lines a function has; `None` for one without a body.
fn length(lines: &[&str]) -> Option<usize> {
    let indent = &lines[0][..lines[0].len() - lines[0].trim_start().len()];
    let head = lines.iter().position(|line| line.trim_end().ends_with(['{', '}', ';']))?;
    if !lines[head].trim_end().ends_with('{') {
        return lines[head].trim_end().ends_with('}').then_some(head + 1);
    }
    let end = lines[head..].iter().position(|line| line.strip_prefix(indent) == Some("}"))?;
    Some(head + end + 1)
}
