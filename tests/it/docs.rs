//! The documents keep up with the program: the command line's help, its description in docs/cli.md, the keys of
//! docs/config.md and of the example configuration, and the links between documents.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Command;
use gzette::shell::config::{Config, SECTIONS, TEMPLATE};
use gzette_core::plan::Layout;
use gzette_core::query::Expr;
use jiff::civil::date;

/// The width that help is rendered for.
const HELP_COLUMNS: usize = 100;

#[test]
fn the_whole_command_line() {
    let reference: String = commands().iter().map(|command| help(name_of(command))).collect();
    insta::assert_snapshot!(reference);
}

#[test]
fn every_command_and_flag_is_described() {
    let sections = sections(&read("docs/cli.md"));
    let mut missing = Vec::new();
    for command in commands() {
        let name = name_of(&command);
        let is_root = name == "gzette";
        if command.has_subcommands() && !is_root {
            continue;
        }
        let heading = if is_root { "Global options".to_owned() } else { format!("`{name}`") };
        let Some(described) = described(&sections, &heading) else {
            missing.push(format!("no heading {heading}"));
            continue;
        };
        let flags = command.get_arguments().filter(|flag| is_root || !flag.is_global_set());
        for flag in flags.filter_map(|flag| flag.get_long()).filter(|&flag| is_root || flag != "help") {
            if !flags_of_rows(&described).contains(flag) {
                missing.push(format!("`{name}`: --{flag}"));
            }
        }
    }
    assert!(missing.is_empty(), "docs/cli.md lacks {missing:#?}");
}

#[test]
fn every_described_command_and_flag_exists() {
    let text = read("docs/cli.md");
    let commands = commands();
    let flags: BTreeSet<_> =
        commands.iter().flat_map(Command::get_arguments).filter_map(|flag| flag.get_long()).collect();
    let unknown: Vec<_> = flags_in(&text).into_iter().filter(|flag| !flags.contains(flag.as_str())).collect();
    assert!(unknown.is_empty(), "docs/cli.md describes flags that do not exist: {unknown:?}");
    let names: BTreeSet<_> = commands.iter().map(name_of).collect();
    for section in sections(&text) {
        let name = section.heading.strip_prefix("`gzette").and_then(|_| section.heading.split('`').nth(1));
        assert!(name.is_none_or(|name| names.contains(name)), "docs/cli.md describes {}", section.heading);
    }
}

#[test]
fn every_configuration_key_is_described_and_no_other() {
    let sections = sections(&read("docs/config.md"));
    for known in &SECTIONS {
        let heading = if known.header.is_empty() { "The top" } else { known.header };
        let section = sections.iter().find(|section| section.heading.contains(heading));
        let section = section.unwrap_or_else(|| panic!("docs/config.md has no heading `{heading}`"));
        let keys: BTreeSet<_> = section.text.lines().flat_map(keys_of_row).collect();
        let expected: BTreeSet<_> = known.keys.iter().map(|&key| key.to_owned()).collect();
        assert_eq!(keys, expected, "the keys of `{heading}` in docs/config.md");
    }
}

#[test]
fn every_link_leads_to_a_file() {
    let mut links = 0;
    let mut broken = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for link in links_of(&text) {
            links += 1;
            if !leads_somewhere(&document, &text, &link) {
                broken.push(format!("{}: {link}", document.display()));
            }
        }
    }
    assert!(links > 10, "only {links} links were found");
    assert!(broken.is_empty(), "links that lead nowhere: {broken:#?}");
}

#[test]
fn links_are_found_where_they_are() {
    let text = "[a](b.md) ![c](d.png 'e') `[f](g)` [h](https://i) [![j](k.svg)](l.md#m)\n```\n[n](o)\n```\n[p]: q.md";
    assert_eq!(links_of(text), ["b.md", "d.png", "k.svg", "l.md#m", "q.md"]);
}

#[test]
fn the_example_configuration_names_every_key() {
    let example = Config::parse(TEMPLATE, Path::new("/etc/gzette"));
    assert!(example.is_ok(), "{}", example.unwrap_err().message);
    let whole: String = TEMPLATE.lines().map(|line| uncommented(line).to_owned() + "\n").collect();
    let config = Config::parse(&whole, Path::new("/etc/gzette"));
    assert!(config.is_ok(), "{}\n{whole}", config.unwrap_err().message);
    let top: toml::Table = whole.parse().unwrap();
    for section in &SECTIONS {
        let table = if section.name.is_empty() { &top } else { first_table(&top[section.name]) };
        let missing: Vec<_> = section.keys.iter().filter(|&&key| !table.contains_key(key)).collect();
        assert!(missing.is_empty(), "assets/gzette.toml lacks {missing:?} in `{}`", section.header);
    }
}

#[test]
fn the_described_configurations_and_layouts_are_ones() {
    let text = read("docs/config.md");
    let example = text.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let config = Config::parse(example, Path::new("/etc/gzette"));
    assert!(config.is_ok(), "{}", config.unwrap_err().message);
    let rows: Vec<_> = text.lines().filter_map(layout_and_key).collect();
    assert!(rows.len() > 2, "only {} layouts were found", rows.len());
    for (layout, key) in rows {
        let parsed = Layout::parse(layout).unwrap();
        let placement = parsed.place(key);
        assert!(placement.fits, "`{layout}` does not fit `{key}`");
        assert_eq!((placement.app, placement.day), (Some("checkout"), Some(date(2026, 1, 31))), "`{layout}`");
    }
}

/// Every search that README.md and the documents show can be parsed.
#[test]
fn every_example_of_a_search_is_one() {
    let mut examples = 0;
    for document in ["README.md", "docs/cli.md", "docs/search.md"] {
        let text = read(document);
        let code = text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
        for line in
            code.flat_map(str::lines).filter(|line| line.starts_with("gzette s") && !line.contains("$("))
        {
            let words = shell_words(line);
            let parsed = gzette::shell::cli::command().try_get_matches_from(&words);
            let matches = parsed.unwrap_or_else(|error| panic!("{document}: {line}\n{error}"));
            let Some(("search", search)) = matches.subcommand() else { continue };
            examples += 1;
            let texts = search.get_raw("text").unwrap_or_default().map(|text| text.to_str().unwrap());
            let texts: Vec<_> = texts.collect();
            if !search.get_flag("fixed") {
                Expr::parse(&texts.join(" ")).unwrap_or_else(|error| panic!("{document}: {line}\n{error}"));
            }
        }
    }
    assert!(examples > 10, "only {examples} examples were found");
}

/// Returns the words of a command as a shell makes them, up to a comment or a redirection.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quote = None;
    for letter in line.chars() {
        match (quote, letter) {
            (Some(open), letter) if open == letter => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None, ' ') => words.push(String::new()),
            (None, '#' | '>') => break,
            (_, letter) => words.last_mut().unwrap().push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// Returns the two cells of a row that shows a layout and a key.
fn layout_and_key(row: &str) -> Option<(&str, &str)> {
    let (layout, key) = row.strip_prefix("| `")?.strip_suffix("` |")?.split_once("` | `")?;
    layout.contains("{app}").then_some((layout, key))
}

/// Returns the program and each of its commands, those that group others included.
fn commands() -> Vec<Command> {
    let mut root = gzette::shell::cli::command();
    root.build();
    with_those_below(&root)
}

fn with_those_below(command: &Command) -> Vec<Command> {
    let below = command.get_subcommands().filter(|command| command.get_name() != "help");
    std::iter::once(command.clone()).chain(below.flat_map(with_those_below)).collect()
}

fn name_of(command: &Command) -> &str {
    command.get_bin_name().unwrap_or("gzette")
}

/// Returns what a command prints when it is asked for help, after the line that asks.
fn help(name: &str) -> String {
    let asked = format!("{name} --help");
    let command = gzette::shell::cli::command().term_width(HELP_COLUMNS);
    let answer = command.try_get_matches_from(asked.split(' ')).unwrap_err();
    let lines = format!("$ {asked}\n{answer}\n");
    lines.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// A heading of a document and the text up to the next one.
struct Section {
    heading: String,
    text: String,
}

fn sections(document: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let mut is_code = false;
    for line in document.lines() {
        is_code ^= line.starts_with("```");
        match line.strip_prefix('#').filter(|_| !is_code) {
            Some(heading) => {
                let heading = heading.trim_start_matches('#').trim().to_owned();
                sections.push(Section { heading, text: String::new() });
            }
            None => {
                if let Some(section) = sections.last_mut() {
                    section.text += line;
                    section.text.push('\n');
                }
            }
        }
    }
    sections
}

/// Returns the text below the heading that holds `name`, and below those of the same document that it links to.
fn described(sections: &[Section], name: &str) -> Option<String> {
    let section = sections.iter().find(|section| section.heading.contains(name))?;
    let links = links_of(&section.text);
    let linked = links.iter().filter_map(|link| link.strip_prefix('#'));
    let linked = linked.filter_map(|at| sections.iter().find(|section| anchor(&section.heading) == at));
    Some(linked.fold(section.text.clone(), |text, section| text + &section.text))
}

/// Returns the long names of the flags that a text names.
fn flags_in(text: &str) -> BTreeSet<String> {
    let is_inside = |character: char| character.is_ascii_alphanumeric() || character == '-';
    text.match_indices("--")
        .filter(|&(at, _)| !text[..at].ends_with(is_inside))
        .map(|(at, _)| text[at + 2..].split(|character| !is_inside(character)).next().unwrap_or_default())
        .filter(|flag| flag.starts_with(|first: char| first.is_ascii_lowercase()))
        .map(str::to_owned)
        .collect()
}

/// Returns the flags that rows of tables are about.
fn flags_of_rows(text: &str) -> BTreeSet<String> {
    text.lines().flat_map(|row| flags_in(first_cell(row))).collect()
}

/// Returns the keys that a row of a table is about.
fn keys_of_row(row: &str) -> Vec<String> {
    first_cell(row)
        .split(", ")
        .map(|key| key.trim_matches('`').to_owned())
        .filter(|key| !key.is_empty())
        .collect()
}

/// Returns the first cell of a row of a table, if it begins with a backtick.
fn first_cell(row: &str) -> &str {
    row.strip_prefix("| ")
        .filter(|row| row.starts_with('`'))
        .and_then(|row| row.split(" |").next())
        .unwrap_or_default()
}

/// Returns the documents of the repository that people begin with.
fn documents() -> Vec<PathBuf> {
    let mut documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"].map(repository_file).to_vec();
    let docs = fs::read_dir(repository_file("docs")).unwrap().map(|entry| entry.unwrap().path());
    documents.extend(docs.filter(|path| path.extension().is_some_and(|end| end == "md")));
    documents.sort();
    documents
}

/// Returns where the links and images of a document lead, except to other hosts.
fn links_of(document: &str) -> Vec<String> {
    let mut links = Vec::new();
    let mut is_code = false;
    for line in document.lines() {
        is_code ^= line.starts_with("```");
        if is_code {
            continue;
        }
        let text: String = line.split('`').step_by(2).collect();
        let inline = text.match_indices("](").map(|(at, mark)| &text[at + mark.len()..]);
        links.extend(inline.filter_map(|rest| rest.split([')', ' ']).next()).map(str::to_owned));
        let definition = text.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
        links.extend(definition.map(|(_, target)| target.trim().to_owned()));
    }
    links.retain(|link| !link.contains("://") && !link.starts_with("mailto:"));
    links
}

fn leads_somewhere(document: &Path, text: &str, link: &str) -> bool {
    let (path, at) = link.split_once('#').map_or((link, None), |(path, at)| (path, Some(at)));
    let target = if path.is_empty() {
        Some(text.to_owned())
    } else {
        let path = document.parent().unwrap().join(path);
        if at.is_none() {
            return path.exists();
        }
        fs::read_to_string(path).ok()
    };
    let has_heading =
        |text: &str| sections(text).iter().any(|section| Some(anchor(&section.heading).as_str()) == at);
    target.is_some_and(|text| has_heading(&text))
}

/// Returns what a heading is linked to as: lower case, blanks as `-`, without punctuation.
fn anchor(heading: &str) -> String {
    let kept = |character: &char| character.is_alphanumeric() || " -_".contains(*character);
    heading.to_lowercase().chars().filter(kept).map(|kept| if kept == ' ' { '-' } else { kept }).collect()
}

/// Returns a line of the example with its comment sign taken off a key or a header.
fn uncommented(line: &str) -> &str {
    match line.strip_prefix("# ") {
        Some(rest) if rest.starts_with('[') || rest.split(" = ").next().is_some_and(is_key) => rest,
        _ => line,
    }
}

fn is_key(text: &str) -> bool {
    text.chars().all(|character| character.is_ascii_lowercase() || character == '_')
}

fn first_table(value: &toml::Value) -> &toml::Table {
    value.as_array().map_or(value, |tables| &tables[0]).as_table().unwrap()
}

fn repository_file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    let path = repository_file(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
