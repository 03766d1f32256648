//! The source keeps to ARCHITECTURE.md: who may import whom, which crate is used where, who may print.
//! A file is read as text; comments and unit tests are left out. What the core may import, Cargo holds as well.

use std::fs;
use std::path::Path;

use crate::house::source::{is_name, rust_files};

/// The floors, lowest first; a module may use those of lower floors. The core is a crate of its own, so Cargo keeps it
/// from using the others.
const FLOORS: [(&str, Within, &[&str]); 4] = [
    (
        "core",
        Within::Earlier,
        &[
            "model",
            "human",
            "visible",
            "paste",
            "words",
            "decode",
            "trace",
            "parse",
            "events",
            "group",
            "query",
            "custom",
            "partial",
            "proof",
            "plan",
            "retention",
            "stats",
            "workers",
        ],
    ),
    ("edges", Within::Nothing, &["clock", "disk", "state", "store", "mirror", "ledger", "index", "mail"]),
    (
        "flows",
        Within::Earlier,
        &[
            "error", "identity", "sync", "ingest", "search", "report", "site", "digest", "publish", "verify",
            "prune", "run",
        ],
    ),
    ("shell", Within::Earlier, &["error", "config", "project", "ui", "demo", "cli"]),
];

/// What every edge may use of the others: how a file is written whole.
const SHARED_EDGE: &str = "disk";

/// What a module may use of its own floor.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    /// Nothing.
    Nothing,
    /// The modules before it in the table.
    Earlier,
}

/// Crates (or what their names begin with) and the places that may use them.
const CRATES: [(&str, &[&str]); 11] = [
    ("aws_", &["store/s3/", "mail/ses.rs"]),
    ("rusqlite", &["ledger/"]),
    ("tantivy", &["index/"]),
    ("lettre", &["mail/", "digest/"]),
    ("maud", &["site/", "digest/"]),
    ("clap", &["cli/"]),
    ("clap_complete", &["cli/"]),
    ("indicatif", &["ui.rs", "cli/observer.rs", "cli/scanning.rs"]),
    ("signal_hook", &["cli/"]),
    ("toml", &["config.rs", "config/"]),
    ("tokio", &["store/", "mail/", "digest/", "sync/", "publish.rs", "run.rs", "project/", "cli/"]),
];

/// How files are written, and the places that may: the durable write, and the files that a demo makes up.
const WRITES: [(&str, &[&str]); 5] = [
    ("fs::rename", &["disk.rs"]),
    ("fs::write", &["demo/", "cli/demo.rs"]),
    ("File::create", &["disk.rs"]),
    ("sync_all()", &["disk.rs"]),
    ("sync_data()", &["disk.rs"]),
];

/// What the core does without: files, network, clock, environment, async.
const NOT_IN_CORE: [&str; 6] = ["std::fs", "std::net", "std::env", "std::process", "std::time", "async fn"];

/// What no file may contain, and what only ui.rs may.
const NOWHERE: [&str; 3] = ["todo!", "unimplemented!", "dbg!"];
const PRINTS: [&str; 6] = ["println!", "eprintln!", "print!", "eprint!", "io::stdout()", "io::stderr()"];

#[test]
fn the_source_keeps_to_its_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = [rust_files(&root.join("crates/core/src")), rust_files(&root.join("src"))].concat();
    assert!(files.len() > 200, "only {} files were found", files.len());
    let wrong: Vec<String> = files
        .iter()
        .flat_map(|file| {
            let path = file.strip_prefix(root).unwrap().to_str().unwrap();
            check(path, &fs::read_to_string(file).unwrap())
        })
        .collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn every_module_has_a_floor() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let architecture = fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    for (floor, _, modules) in FLOORS {
        let file =
            if floor == "core" { "crates/core/src/lib.rs".into() } else { format!("src/{floor}/mod.rs") };
        let declared = fs::read_to_string(root.join(file)).unwrap();
        let mut declared: Vec<_> =
            declared.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
        let mut known = modules.to_vec();
        declared.sort_unstable();
        known.sort_unstable();
        assert_eq!(declared, known, "the modules of `{floor}` and those of tests/it/tidy.rs");
        let row = architecture.lines().find(|line| line.starts_with(&format!("| {floor} |")));
        let row = row.unwrap_or_else(|| panic!("ARCHITECTURE.md has no floor `{floor}`"));
        let names: Vec<_> = row.split('`').skip(1).step_by(2).take(modules.len()).collect();
        assert_eq!(names, modules, "the floor `{floor}` of ARCHITECTURE.md");
    }
}

#[test]
fn the_check_finds_what_it_is_for() {
    let core = |path| format!("crates/core/src/{path}");
    let house = |path| format!("src/{path}");
    let cases = [
        (core("parse/x.rs"), "//! X.\nuse crate::query::Expr;", "`parse` uses `query`"),
        (house("edges/store/x.rs"), "//! X.\nuse crate::edges::mirror::Mirror;", "`store` uses `mirror`"),
        (house("edges/x.rs"), "//! X.\nuse crate::flows::run;", "`x` uses `run`"),
        (house("flows/sync/x.rs"), "//! X.\nfn f() { crate::flows::run::go() }", "`sync` uses `run`"),
        (house("flows/ingest/x.rs"), "//! X.\nuse crate::flows::{run, search::Hit};", "one module an import"),
        (house("flows/ingest.rs"), "//! X.\nuse super::cli::main;", "`ingest` goes round `crate::`"),
        (core("plan/x.rs"), "//! X.\nuse super::super::sync::sync;", "`plan` goes round `crate::`"),
        (core("plan/x.rs"), "//! X.\nuse std::fs::File;", "`std::fs` in the core"),
        (house("flows/report/x.rs"), "//! X.\nuse rusqlite::Connection;", "`rusqlite` is used"),
        (house("flows/sync/x.rs"), "//! X.\nlet c = aws_config::load();", "`aws_` is used"),
        (house("flows/sync/x.rs"), "//! X.\nfn f() { file.sync_all() }", "files are written whole by `disk`"),
        (
            house("edges/mirror.rs"),
            "//! X.\nfn f() { fs::rename(a, b) }",
            "files are written whole by `disk`",
        ),
        (house("flows/sync/x.rs"), "fn f() {}", "does not begin with `//!`"),
        (house("flows/sync/x.rs"), "//! X.\nfn f() { todo!() }", "`todo!`"),
        (house("shell/cli/x.rs"), "//! X.\nfn f() { println!(\"x\") }", "`println!` outside ui.rs"),
    ];
    for (path, text, expected) in cases {
        let found = check(&path, text);
        assert_eq!(found.len(), 1, "{path}: {text}: {found:?}");
        assert!(found[0].contains(expected), "{found:?} lacks {expected}");
    }
}

#[test]
fn the_check_leaves_in_peace_what_is_right() {
    let cases = [
        (
            "crates/core/src/model/x.rs",
            "//! See [`crate::plan`].\n/// println! is not for us.\nuse super::UtcMs;",
        ),
        (
            "src/edges/ledger/x.rs",
            "//! X.\nuse rusqlite::Connection;\nuse gzette_core::{model::Day, query::Expr};",
        ),
        ("src/edges/mirror.rs", "//! X.\nuse crate::edges::disk;"),
        ("src/shell/ui.rs", "//! X.\nfn f() { println!(\"x\") }"),
        ("crates/core/src/plan/tests.rs", "//! X.\nuse crate::stats::Series;"),
        (
            "crates/core/src/plan/x.rs",
            "//! X.\nfn f() {}\n#[cfg(test)]\nmod tests {\n    use crate::stats::Series;\n}\n",
        ),
        ("src/flows/site/x.rs", "//! X.\nfn f() { blueprint!(); my_tokio::spawn(); }"),
        ("src/flows/site/x.rs", "//! X.\nconst VENDOR: [&str; 2] = [\"std::\", \"tokio::\"];"),
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
    let (floor, inner) = floor_of(path);
    let module = inner.split('/').next().unwrap_or_default().trim_end_matches(".rs");
    wrong.extend(imports(&code).iter().filter_map(|used| wrong_import(floor, module, used)));
    if !["", "lib", "main", "mod"].contains(&module) && has(&code, &"super::".repeat(depth_of(inner))) {
        wrong.push(format!("`{module}` goes round `crate::` with `super::`"));
    }
    for (name, places) in CRATES {
        let is_prefix = name.ends_with('_');
        let used = if is_prefix { starts_word(&code, name) } else { has(&code, &format!("{name}::")) };
        if used && !places.iter().any(|place| inner.starts_with(place)) {
            wrong.push(format!("`{name}` is used; only {} may", places.join(", ")));
        }
    }
    for (call, places) in WRITES {
        if starts_word(&code, call) && !places.iter().any(|place| inner.starts_with(place)) {
            wrong.push(format!("`{call}` is used; files are written whole by `disk`"));
        }
    }
    let in_core = NOT_IN_CORE.iter().filter(|word| floor == "core" && has(&code, word));
    wrong.extend(in_core.map(|word| format!("`{word}` in the core")));
    wrong.extend(NOWHERE.iter().filter(|word| has(&code, word)).map(|word| format!("`{word}`")));
    let prints = PRINTS.iter().filter(|word| path != "src/shell/ui.rs" && has(&code, word));
    wrong.extend(prints.map(|word| format!("`{word}` outside ui.rs")));
    wrong.into_iter().map(|what| format!("{path}: {what}")).collect()
}

/// Returns the floor of a file, and its path below that.
fn floor_of(path: &str) -> (&str, &str) {
    if let Some(inner) = path.strip_prefix("crates/core/src/") {
        return ("core", inner);
    }
    let inner = path.strip_prefix("src/").unwrap_or(path);
    inner.split_once('/').unwrap_or(("", inner))
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

/// Returns the paths of this crate that some code names, without `crate::`, two names of each.
fn imports(code: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let is_word = code[..at].chars().next_back().is_none_or(|before| !is_name(before));
        let rest = &code[at + "crate::".len()..];
        let path: String =
            rest.chars().take_while(|&letter| is_name(letter) || ":{".contains(letter)).collect();
        if is_word {
            paths.push(path.split("::").take(2).collect::<Vec<_>>().join("::"));
        }
    }
    paths.sort();
    paths.dedup();
    paths
}

/// Returns why code of a module may not use a path of its crate.
fn wrong_import(floor: &str, module: &str, path: &str) -> Option<String> {
    let mut names = path.split("::");
    let (at, used) = match names.next() {
        Some(name) if floor == "core" => ("core", name),
        Some(name) => (name, names.next().unwrap_or_default()),
        None => return None,
    };
    if used.starts_with('{') || at.starts_with('{') {
        return Some("names several modules at once: one module an import".to_owned());
    }
    let from = FLOORS.iter().position(|(name, ..)| *name == floor)?;
    let to = FLOORS.iter().position(|(name, ..)| *name == at)?;
    let (_, within, modules) = FLOORS[from];
    let place = |name| modules.iter().position(|&module| module == name);
    let is_earlier = within == Within::Earlier && place(used) < place(module);
    let is_allowed = to < from || (to == from && (used == module || used == SHARED_EDGE || is_earlier));
    (!is_allowed).then(|| format!("`{module}` uses `{used}`, which is not below it"))
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
