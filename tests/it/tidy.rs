//! The source keeps to ARCHITECTURE.md: who may import whom, which crate is used where, who may print.
//! A file is read as text; comments and unit tests are left out.

use std::fs;
use std::path::{Path, PathBuf};

/// The layers, lowest first; a module may use those of lower layers.
const LAYERS: [(&str, Within, &[&str]); 6] = [
    ("words", Within::Earlier, &["model"]),
    (
        "core",
        Within::Earlier,
        &[
            "human",
            "paste",
            "words",
            "decode",
            "parse",
            "group",
            "query",
            "overrides",
            "partial",
            "proof",
            "plan",
            "retention",
            "stats",
            "workers",
        ],
    ),
    ("files", Within::Nothing, &["disk"]),
    ("edges", Within::Nothing, &["store", "mirror", "ledger", "index", "mail", "clock", "state"]),
    (
        "use cases",
        Within::Earlier,
        &[
            "identity", "sync", "ingest", "search", "report", "site", "digest", "publish", "verify", "prune",
            "run",
        ],
    ),
    ("shell", Within::Earlier, &["error", "config", "ui", "demo", "cli"]),
];

/// What a module may use of its own layer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// Nothing.
    Nothing,
    /// The modules before it in the table.
    Earlier,
}

/// Crates (or what their names begin with) and the places that may use them.
const CRATES: [(&str, &[&str]); 12] = [
    ("aws_", &["store/s3.rs", "mail/ses.rs"]),
    ("rusqlite", &["ledger/"]),
    ("tantivy", &["index/"]),
    ("lettre", &["mail/", "digest/"]),
    ("maud", &["site/", "digest/"]),
    ("memmap2", &["mirror.rs"]),
    ("clap", &["cli/"]),
    ("clap_complete", &["cli/"]),
    ("indicatif", &["ui.rs", "cli/observer.rs", "cli/scanning.rs"]),
    ("signal_hook", &["cli/"]),
    ("toml", &["config.rs", "config/"]),
    ("tokio", &["store/", "mail/", "digest/", "sync/", "publish.rs", "run.rs", "cli/"]),
];

/// What the core does without: files, network, clock, environment, async.
const NOT_IN_CORE: [&str; 6] = ["std::fs", "std::net", "std::env", "std::process", "std::time", "async fn"];

/// What nobody writes, and what only ui.rs writes.
const NOWHERE: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];
const PRINTS: [&str; 6] = ["println!", "eprintln!", "print!", "eprint!", "io::stdout()", "io::stderr()"];

#[test]
fn the_source_keeps_to_its_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&root);
    assert!(files.len() > 50, "only {} files were found", files.len());
    let wrong: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let path = file.strip_prefix(&root).unwrap().to_str().unwrap();
            check(path, &fs::read_to_string(file).unwrap())
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_module_has_a_layer() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = fs::read_to_string(root.join("lib.rs")).unwrap();
    let declared: Vec<_> =
        lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(!declared.is_empty());
    for module in &declared {
        assert!(place_of(module).is_some(), "`{module}` is in no layer of tests/it/tidy.rs");
    }
    let architecture = fs::read_to_string(root.join("../ARCHITECTURE.md")).unwrap();
    for (layer, _, modules) in LAYERS {
        let row = architecture.lines().find(|line| line.starts_with(&format!("| {layer} |")));
        let row = row.unwrap_or_else(|| panic!("ARCHITECTURE.md has no layer `{layer}`"));
        let names: Vec<_> = row.split('`').skip(1).step_by(2).take(modules.len()).collect();
        assert_eq!(names, modules, "the layer `{layer}` of ARCHITECTURE.md");
    }
}

#[test]
fn the_check_finds_what_it_is_for() {
    let cases = [
        ("model/x.rs", "//! X.\nuse crate::ledger::Ledger;", "`model` uses `ledger`"),
        ("store/x.rs", "//! X.\nuse crate::mirror::Mirror;", "`store` uses `mirror`"),
        ("sync/x.rs", "//! X.\nfn f() { crate::run::go() }", "`sync` uses `run`"),
        (
            "ingest.rs",
            "//! X.\nuse crate::{\n    model::Day,\n    search::{self, Hit},\n};",
            "`ingest` uses `search`",
        ),
        ("ingest.rs", "//! X.\nuse super::cli::main;", "`ingest` goes round `crate::`"),
        ("plan/x.rs", "//! X.\nuse super::super::sync::sync;", "`plan` goes round `crate::`"),
        ("plan/x.rs", "//! X.\nuse std::fs::File;", "`std::fs` in the core"),
        ("report/x.rs", "//! X.\nuse rusqlite::Connection;", "`rusqlite` is used"),
        ("sync/x.rs", "//! X.\nlet c = aws_config::load();", "`aws_` is used"),
        ("sync/x.rs", "fn f() {}", "does not begin with `//!`"),
        ("sync/x.rs", "//! X.\nfn f() { todo!() }", "`todo!`"),
        ("cli/x.rs", "//! X.\nfn f() { println!(\"x\") }", "`println!` outside ui.rs"),
    ];
    for (path, text, expected) in cases {
        let found = check(path, text);
        assert_eq!(found.len(), 1, "{path}: {text}: {found:?}");
        assert!(found[0].contains(expected), "{found:?} lacks {expected}");
    }
}

#[test]
fn the_check_leaves_in_peace_what_is_right() {
    let cases = [
        ("model/x.rs", "//! See [`crate::ledger`].\n/// println! is not for us.\nuse super::UtcMs;"),
        ("ledger/x.rs", "//! X.\nuse rusqlite::Connection;\nuse crate::{model::Day, partial::Partial};"),
        ("ui.rs", "//! X.\nfn f() { println!(\"x\") }"),
        ("plan/tests.rs", "//! X.\nuse crate::ledger::Ledger;"),
        ("plan/x.rs", "//! X.\nfn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::ledger::Ledger;\n}\n"),
        ("site/x.rs", "//! X.\nfn f() { blueprint!(); my_tokio::spawn(); }"),
        ("site/x.rs", "//! X.\nconst VENDOR: [&str; 2] = [\"std::\", \"tokio::\"];"),
    ];
    for (path, text) in cases {
        assert_eq!(check(path, text), Vec::<String>::new(), "{text}");
    }
}

/// Returns what is wrong with a file, a line each.
fn check(path: &str, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    if !text.starts_with("//!") {
        wrong.push("does not begin with `//!`".to_owned());
    }
    let code = code_of(path, text);
    let module = path.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    if !["lib", "main"].contains(&module) {
        wrong.extend(imports(&code).into_iter().filter_map(|used| wrong_import(module, &used)));
        if has(&code, &"super::".repeat(depth_of(path))) {
            wrong.push(format!("`{module}` goes round `crate::` with `super::`"));
        }
    }
    for (name, places) in CRATES {
        let is_prefix = name.ends_with('_');
        let used = if is_prefix { starts_word(&code, name) } else { has(&code, &format!("{name}::")) };
        if used && !places.iter().any(|place| path.starts_with(place)) {
            wrong.push(format!("`{name}` is used; only {} may", places.join(", ")));
        }
    }
    let is_core = place_of(module).is_some_and(|(layer, _)| layer < 2);
    wrong.extend(
        NOT_IN_CORE
            .iter()
            .filter(|word| is_core && has(&code, word))
            .map(|word| format!("`{word}` in the core")),
    );
    wrong.extend(NOWHERE.iter().filter(|word| has(&code, word)).map(|word| format!("`{word}`")));
    let prints = PRINTS.iter().filter(|word| path != "ui.rs" && has(&code, word));
    wrong.extend(prints.map(|word| format!("`{word}` outside ui.rs")));
    wrong.into_iter().map(|what| format!("src/{path}: {what}")).collect()
}

/// Returns how many `super::` lead out of the file's top module.
fn depth_of(path: &str) -> usize {
    path.trim_end_matches("/mod.rs").split('/').count()
}

/// Returns a file without its comments and unit tests.
fn code_of(path: &str, text: &str) -> String {
    if path.ends_with("tests.rs") || path.contains("/tests/") {
        return String::new();
    }
    let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    text.split_inclusive('\n').filter(|line| !line.trim_start().starts_with("//")).collect()
}

/// Returns the modules of this crate that some code names.
fn imports(code: &str) -> Vec<String> {
    let mut names = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let is_word = code[..at].chars().next_back().is_none_or(|before| !is_name(before));
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            _ if !is_word => {}
            Some(list) => names.extend(first_names(list)),
            None => names.push(rest.chars().take_while(|&letter| is_name(letter)).collect()),
        }
    }
    names.sort();
    names.dedup();
    names
}

/// Returns the first name of each path in a braced list, whose opening brace is left out.
fn first_names(list: &str) -> Vec<String> {
    let mut depth = 0;
    let mut parts = vec![String::new()];
    for letter in list.chars() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => parts.push(String::new()),
            _ if depth == 0 => parts.last_mut().unwrap().push(letter),
            _ => {}
        }
    }
    let first = |part: String| part.trim().split("::").next().unwrap_or_default().to_owned();
    parts.into_iter().map(first).filter(|name| !name.is_empty()).collect()
}

fn wrong_import(module: &str, used: &str) -> Option<String> {
    let (from, to) = (place_of(module)?, place_of(used)?);
    let within = LAYERS[from.0].1;
    let is_allowed =
        module == used || to.0 < from.0 || (to.0 == from.0 && within == Within::Earlier && to.1 < from.1);
    (!is_allowed).then(|| format!("`{module}` uses `{used}`, which is not below it"))
}

/// Returns a module's layer and place in it.
fn place_of(module: &str) -> Option<(usize, usize)> {
    LAYERS.iter().enumerate().find_map(|(layer, (_, _, modules))| {
        modules.iter().position(|&name| name == module).map(|place| (layer, place))
    })
}

/// Whether code has a text that neither goes on from a longer name nor begins a string literal.
fn has(code: &str, text: &str) -> bool {
    code.match_indices(text).any(|(at, _)| {
        let before = code[..at].chars().next_back();
        let is_begin = before.is_none_or(|before| !is_name(before) && before != ':' && before != '"');
        is_begin || (text.starts_with("io::") && before == Some(':'))
    })
}

fn starts_word(code: &str, start: &str) -> bool {
    code.match_indices(start)
        .any(|(at, _)| code[..at].chars().next_back().is_none_or(|before| !is_name(before)))
}

fn is_name(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
