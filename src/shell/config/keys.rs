//! The sections and keys of the configuration, and what is said about one that is not known.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Failure;
use gzette_core::human::nearest;

/// A table of the configuration and the keys that it may have.
pub struct Section {
    /// How the file writes it: nothing for the top, `[site]`, `[[source]]`.
    pub header: &'static str,
    /// Its key at the top; empty for the top itself.
    pub name: &'static str,
    /// Its keys.
    pub keys: &'static [&'static str],
}

/// Every section and key; docs/config.md describes each.
pub const SECTIONS: [Section; 7] = [
    Section {
        header: "",
        name: "",
        keys: &["state_dir", "source", "site", "digest", "grouping", "group", "retention"],
    },
    Section {
        header: "[[source]]",
        name: "source",
        keys: &[
            "name",
            "url",
            "layout",
            "timezone",
            "look_back_days",
            "backfill_days",
            "format",
            "fields",
            "unlevelled",
            "keep_deleted",
            "region",
            "endpoint_url",
            "profile",
            "path_style",
            "timeout_seconds",
        ],
    },
    Section {
        header: "[site]",
        name: "site",
        keys: &[
            "dir",
            "title",
            "base_url",
            "publish",
            "region",
            "endpoint_url",
            "profile",
            "path_style",
            "timeout_seconds",
        ],
    },
    Section {
        header: "[[digest]]",
        name: "digest",
        keys: &["name", "to", "from", "transport", "ca_file", "subject_prefix", "when", "timezone"],
    },
    Section { header: "[grouping]", name: "grouping", keys: &["own", "foreign", "mask"] },
    Section { header: "[[group]]", name: "group", keys: &["name", "title", "match", "split"] },
    Section {
        header: "[retention]",
        name: "retention",
        keys: &["mirror_days", "mirror_bytes", "index_days", "counts_days"],
    },
];

/// Refuses the first unknown key, naming its line and the nearest known key.
pub(super) fn check_keys(text: &str) -> Result<(), Failure> {
    let file = DeTable::parse(text).map_err(|error| syntax(text, &error))?;
    for section in &SECTIONS {
        let value = if section.name.is_empty() { None } else { file.get_ref().get(section.name) };
        match value.map(Spanned::get_ref) {
            None if section.name.is_empty() => check_table(text, section, file.get_ref())?,
            Some(DeValue::Table(table)) => check_table(text, section, table)?,
            Some(DeValue::Array(tables)) => tables
                .iter()
                .filter_map(|table| table.get_ref().as_table())
                .try_for_each(|table| check_table(text, section, table))?,
            // The parsing that follows reports values of the wrong type.
            _ => {}
        }
    }
    Ok(())
}

fn check_table(text: &str, section: &Section, table: &DeTable<'_>) -> Result<(), Failure> {
    let unknown = table.keys().filter(|key| !section.keys.contains(&key.get_ref().as_ref()));
    let Some(first) = unknown.min_by_key(|key| key.span().start) else { return Ok(()) };
    let key = first.get_ref().escape_debug();
    let place = if section.header.is_empty() { String::new() } else { format!(" in `{}`", section.header) };
    let failure =
        Failure::usage(format!("line {}: unknown key `{key}`{place}", line_at(text, first.span().start)));
    Err(match nearest(first.get_ref(), section.keys.iter().copied()) {
        Some(near) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint(format!("known keys: {}", section.keys.join(", "))),
    })
}

/// An error of the TOML reader in one line, with its place.
pub(super) fn syntax(text: &str, error: &toml::de::Error) -> Failure {
    let line = error.span().map_or(1, |span| line_at(text, span.start));
    let message = error.message().lines().collect::<Vec<_>>().join(", ");
    Failure::usage(format!("line {line}: {message}"))
}

/// Returns the line, from 1, that holds a byte.
fn line_at(text: &str, offset: usize) -> usize {
    text.as_bytes().iter().take(offset).filter(|&&byte| byte == b'\n').count() + 1
}
