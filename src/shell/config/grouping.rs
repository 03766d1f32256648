//! `[grouping]` and `[[group]]`: the user's word on groups, and custom groups.

use regex::{Regex, RegexBuilder};
use serde::Deserialize;

use super::{Failure, check_names};
use gzette_core::custom::{CustomGroup, CustomGrouping};
use gzette_core::group::{FramePrefixes, GroupSettings};
use gzette_core::query::{Expr, FieldName};

/// The most bytes that a mask's automaton may take: a pattern that needs more is slow.
const MASK_BYTES: usize = 1 << 20;

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct RawGrouping {
    own: Vec<String>,
    foreign: Vec<String>,
    mask: Vec<String>,
}

#[derive(Deserialize)]
pub(super) struct RawGroup {
    name: String,
    title: Option<String>,
    #[serde(rename = "match")]
    condition: String,
    split: Option<String>,
}

pub(super) fn checked(raw: RawGrouping, groups: Vec<RawGroup>) -> Result<CustomGrouping, Failure> {
    check_names("groups", groups.iter().map(|group| group.name.as_str()))?;
    for (key, prefixes) in [("own", &raw.own), ("foreign", &raw.foreign)] {
        if prefixes.iter().any(String::is_empty) {
            return Err(Failure::usage(format!(
                "`[grouping]`: `{key}` contains an empty prefix, which matches all frames"
            )));
        }
    }
    let frames = FramePrefixes { own: raw.own, foreign: raw.foreign };
    let masks = raw.mask.iter().map(|pattern| mask(pattern)).collect::<Result<_, _>>()?;
    let groups = groups.into_iter().map(custom_group).collect::<Result<_, _>>()?;
    Ok(CustomGrouping { settings: GroupSettings { frames, masks }, groups })
}

fn mask(pattern: &str) -> Result<Regex, Failure> {
    let wrong = |what: String| Failure::usage(format!("`[grouping]`: `mask`: `{pattern}` {what}"));
    let mask = RegexBuilder::new(pattern).size_limit(MASK_BYTES).build();
    let mask = mask.map_err(|error| {
        let last = error.to_string();
        wrong(format!("is not a regular expression: {}", last.lines().last().unwrap_or_default().trim()))
    })?;
    if mask.is_match("") {
        return Err(wrong("matches an empty text".to_owned()));
    }
    Ok(mask)
}

fn custom_group(raw: RawGroup) -> Result<CustomGroup, Failure> {
    let name = raw.name;
    let wrong = |what: String| Failure::usage(format!("custom group `{name}`: {what}"));
    let condition = Expr::parse(&raw.condition).map_err(|error| {
        let failure = wrong(format!("`match`: {error}"));
        match error.hint.clone() {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    })?;
    if condition.asks_about_sets_of_groups() {
        return Err(wrong(
            "`match` asks for a family or a custom group, which depend on the groups that it defines"
                .to_owned(),
        ));
    }
    if matches!(condition, Expr::Everything) {
        return Err(wrong("`match` is empty and would match every error".to_owned()));
    }
    if raw.title.as_ref().is_some_and(|title| title.trim().is_empty()) {
        return Err(wrong("`title` is empty; leave it out to show the built-in title".to_owned()));
    }
    if raw.split.as_ref().is_some_and(|field| field.trim().is_empty()) {
        return Err(wrong("`split` is empty; write the name of a field".to_owned()));
    }
    let split = raw.split.as_deref().map(FieldName::named);
    Ok(CustomGroup { name: name.clone(), title: raw.title, condition, text: raw.condition, split })
}
