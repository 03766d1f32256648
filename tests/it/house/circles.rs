//! No two files import one another, also not by way of others: what one of them is can be read without the rest of the
//! circle. An edge leads from a file to the file that defines what it names, past every `pub use` on the way.
//!
//! The head of a folder (`mod.rs`, or `x.rs` beside `x/`) and the files below it may name one another: the head gives its
//! rooms their common types and hands on what they offer (ARCHITECTURE.md).

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Source, house, is_name, names, without_text};

/// Files that may import one another, as ARCHITECTURE.md argues.
const ARGUED: [[&str; 2]; 1] = [["crates/core/src/query/expr.rs", "crates/core/src/query/field.rs"]];

#[test]
fn no_files_import_one_another_in_a_circle() {
    let circles = circles(&house(), &ARGUED);
    assert!(circles.is_empty(), "these files import one another:\n{}", circles.join("\n"));
}

#[test]
fn the_check_finds_circles() {
    let cases: [(&[(&str, &str)], bool); 9] = [
        (&[("a.rs", "use crate::b::B;\npub struct A;"), ("b.rs", "use crate::a::A;\npub struct B;")], true),
        (
            &[
                ("a.rs", "use super::b::{self, C};\npub struct A;"),
                ("b.rs", "pub struct C;\nfn f(a: super::a::A) {}"),
            ],
            true,
        ),
        (
            &[("a.rs", "use super::b;\npub fn a() { b::f() }"), ("b.rs", "use super::a::a;\npub fn f() {}")],
            true,
        ),
        (&[("a.rs", "use crate::b::B;\npub struct A;"), ("b.rs", "pub struct B;")], false),
        // By way of what the head hands on.
        (
            &[
                ("m/mod.rs", "mod a;\nmod b;\npub use a::A;"),
                ("m/a.rs", "use super::b::B;\npub struct A;"),
                ("m/b.rs", "use super::A;\npub struct B;"),
            ],
            true,
        ),
        // The head and its rooms.
        (&[("m/mod.rs", "mod a;\npub struct M(a::A);"), ("m/a.rs", "use super::M;\npub struct A;")], false),
        (&[("m.rs", "mod a;\npub struct M(a::A);"), ("m/a.rs", "use super::M;\npub struct A;")], false),
        (
            &[
                ("a.rs", "use crate::c::C;\npub struct A;"),
                ("b.rs", "use crate::a::A;\npub struct B;"),
                ("c.rs", "use crate::b::B;\npub struct C;"),
            ],
            true,
        ),
        (
            &[
                ("a.rs", "use crate::m::{A as B, x::y};\nfn f(b: B) {}\npub struct C;"),
                ("m.rs", "pub use super::c::A;"),
                ("c.rs", "pub struct A(super::a::C);"),
            ],
            true,
        ),
    ];
    for (files, expected) in cases {
        let source =
            |(path, text): &(&str, &str)| Source { path: format!("src/{path}"), code: without_text(text) };
        let found = circles(&files.iter().map(source).collect::<Vec<_>>(), &[]);
        assert_eq!(!found.is_empty(), expected, "{files:?}: {found:?}");
    }
}

type Path = Vec<String>;

/// A file as a module.
#[derive(Default)]
struct Module {
    file: String,
    /// The names that it defines.
    defines: BTreeSet<String>,
    /// The names that it imports or hands on, with their paths.
    imports: BTreeMap<String, Path>,
    /// The paths that it names, apart from those that it only hands on.
    uses: Vec<Path>,
}

type House = BTreeMap<Path, Module>;

/// Returns the circles, a line each.
fn circles(files: &[Source], argued: &[[&str; 2]]) -> Vec<String> {
    let places: BTreeSet<Path> = files.iter().map(|file| module_path(&file.path)).collect();
    let house: House = files.iter().map(|file| (module_path(&file.path), module(file, &places))).collect();
    let is_argued = |from: &Module, to: &Path| {
        let to = house[to].file.as_str();
        argued.iter().any(|pair| pair.contains(&from.file.as_str()) && pair.contains(&to))
    };
    let edges = |path, module| -> BTreeSet<&Path> {
        edges(path, module, &house).into_iter().filter(|to| !is_argued(module, to)).collect()
    };
    let edges: BTreeMap<_, _> = house.iter().map(|(path, module)| (path, edges(path, module))).collect();
    let line = |from: &Path| {
        let back: Vec<_> = edges[from].iter().filter(|&&to| reaches(to, from, &edges)).collect();
        let files: Vec<_> = back.iter().map(|&&to| house[to].file.as_str()).collect();
        (!files.is_empty()).then(|| format!("{} imports {}", house[from].file, files.join(", ")))
    };
    house.keys().filter_map(line).collect()
}

/// Whether the edges lead from one file to another.
fn reaches(from: &Path, to: &Path, edges: &BTreeMap<&Path, BTreeSet<&Path>>) -> bool {
    let (mut seen, mut next) = (BTreeSet::from([from]), vec![from]);
    while let Some(at) = next.pop() {
        if at == to {
            return true;
        }
        next.extend(edges[at].iter().copied().filter(|&step| seen.insert(step)));
    }
    false
}

/// Returns the path of the module that a file is: `["gzette", "flows", "sync"]`.
fn module_path(file: &str) -> Path {
    let (name, inner) = match file.strip_prefix("crates/core/src/") {
        Some(inner) => ("gzette_core", inner),
        None => ("gzette", file.strip_prefix("src/").unwrap_or(file)),
    };
    let inner = inner.trim_end_matches(".rs").trim_end_matches("/mod");
    let parts = inner.split('/').filter(|part| *part != "lib");
    std::iter::once(name).chain(parts).map(str::to_owned).collect()
}

/// Reads a file: what it defines, imports and names.
fn module(file: &Source, places: &BTreeSet<Path>) -> Module {
    let here = module_path(&file.path);
    let mut module = Module { file: file.path.clone(), ..Module::default() };
    let mut rest = String::new();
    for statement in file.code.split_inclusive(';') {
        let Some((before, tree, is_public)) = import(statement) else {
            rest.push_str(statement);
            continue;
        };
        rest.push_str(before);
        for (path, name) in leaves(&[], tree) {
            let Some(path) = absolute(&here, &path, places) else { continue };
            if !is_public {
                module.uses.push(path.clone());
            }
            module.imports.insert(name, path);
        }
    }
    module.defines = defined(&rest);
    for path in paths(&rest) {
        let imported = module.imports.get(&path[0]).map(|start| [start, &path[1..]].concat());
        module.uses.extend(imported.or_else(|| absolute(&here, &path, places)));
    }
    module
}

/// Splits what ends with a `use` into what stands before it, its tree, and whether it hands on.
fn import(statement: &str) -> Option<(&str, &str, bool)> {
    let text = statement.strip_suffix(';')?;
    let at = text.match_indices("use ").map(|(at, _)| at).find(|&at| {
        let line = text[..at].rsplit('\n').next().unwrap_or_default().trim();
        line.is_empty() || line.starts_with("pub") && !line.contains('{')
    })?;
    let begin = text[..at].rfind('\n').map_or(0, |end| end + 1);
    Some((&text[..begin], &text[at + "use ".len()..], text[begin..at].contains("pub")))
}

/// Returns the paths of a tree of imports with the names that they get.
fn leaves(before: &[String], tree: &str) -> Vec<(Path, String)> {
    let tree = tree.trim();
    if let Some((head, inner)) = tree.split_once('{') {
        let head = [before, &segments(head)].concat();
        let inner = inner.rsplit_once('}').map_or(inner, |(inner, _)| inner);
        return branches(inner).into_iter().flat_map(|branch| leaves(&head, branch)).collect();
    }
    let (path, name) = tree.split_once(" as ").map_or((tree, None), |(path, name)| (path, Some(name.trim())));
    let mut path = [before, &segments(path)].concat();
    if path.last().is_some_and(|last| last == "self") {
        path.pop();
    }
    let Some(last) = path.last().cloned() else { return Vec::new() };
    vec![(path, name.map_or(last, str::to_owned))]
}

/// Splits at the commas outside braces.
fn branches(inner: &str) -> Vec<&str> {
    let mut depth = 0;
    inner
        .split(|letter: char| {
            depth += i32::from(letter == '{') - i32::from(letter == '}');
            letter == ',' && depth == 0
        })
        .collect()
}

fn segments(path: &str) -> Path {
    path.split("::").map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Returns a path from the root of its crate; `None` for one of another crate.
fn absolute(here: &[String], path: &[String], places: &BTreeSet<Path>) -> Option<Path> {
    let (first, rest) = path.split_first()?;
    match first.as_str() {
        "crate" => Some([&here[..1], rest].concat()),
        "gzette" | "gzette_core" => Some(path.to_vec()),
        "self" => Some([here, rest].concat()),
        "super" => {
            let ups = path.iter().take_while(|part| *part == "super").count();
            Some([here.get(..here.len().checked_sub(ups)?)?, &path[ups..]].concat())
        }
        _ => {
            let child = [here, path].concat();
            places.contains(&child[..=here.len()]).then_some(child)
        }
    }
}

/// Returns the names of the items in some code.
fn defined(code: &str) -> BTreeSet<String> {
    const KINDS: [&str; 8] = ["fn", "struct", "enum", "trait", "type", "const", "static", "macro_rules!"];
    let words: Vec<&str> = code.split_whitespace().collect();
    let item = words.windows(2).filter(|pair| KINDS.contains(&pair[0]));
    item.filter_map(|pair| names(pair[1]).next().map(|(_, name)| name.to_owned())).collect()
}

/// Returns the paths of two names or more in some code.
fn paths(code: &str) -> Vec<Path> {
    let parts = code.split(|letter: char| !is_name(letter) && letter != ':');
    let paths = parts.filter(|part| part.contains("::") && !part.starts_with("::"));
    paths.map(|part| segments(part.trim_end_matches(':'))).filter(|path| path.len() > 1).collect()
}

/// Returns the modules that define what a module names, except its heads and its rooms.
fn edges<'h>(here: &Path, module: &Module, house: &'h House) -> BTreeSet<&'h Path> {
    let found = module.uses.iter().filter_map(|path| defining(path, house, 0));
    found.filter(|to| !here.starts_with(to) && !to.starts_with(here)).collect()
}

/// Returns the module that defines what a path leads to, past those that hand it on.
fn defining<'h>(path: &[String], house: &'h House, steps: usize) -> Option<&'h Path> {
    let length = (1..=path.len()).rev().find(|&length| house.contains_key(&path[..length]))?;
    let (place, module) = house.get_key_value(&path[..length])?;
    // A path that ends with a module only gives it a name; what is used of it is a longer path.
    let name = path.get(length)?;
    match module.imports.get(name) {
        Some(next) if !module.defines.contains(name) && steps < 8 => {
            defining(&[next, &path[length + 1..]].concat(), house, steps + 1)
        }
        _ => Some(place),
    }
}
