//! The user's word on groups: what varies in messages, whose frames are whose, and custom groups of the events that an
//! expression holds for. Which objects a change of it touches is worked out here as well.
//!
//! Ledgers hold what earlier versions wrote, which called a custom group a rule: the key `rules` of a [`Basis`] and the
//! beginning of a template ([`name_of`]) stay as they are.

use std::borrow::Cow;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::group::{self, FramePrefixes, GroupSettings};
use crate::model::{GroupKind, Grouped};
use crate::query::{Expr, Facts, FieldName, ObjectFacts};

/// What the template of a custom group begins with in a ledger.
const STORED: &str = "rule ";

/// The longest value of a field that tells groups apart, in characters.
const VALUE_CHARS: usize = 200;

/// How the words and phrases of conditions are compared. Raised when a condition holds for other events than before.
const READING: u8 = 1;

/// All that the user says about groups.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(into = "Basis", try_from = "Basis")]
pub struct CustomGrouping {
    /// What the built-in rules see.
    pub settings: GroupSettings,
    /// The custom groups; the first that holds for an event decides.
    pub groups: Vec<CustomGroup>,
}

/// A `[[group]]` of the configuration: error events that are one group, or one for each value of a field.
#[derive(Clone, Debug)]
pub struct CustomGroup {
    /// Its name, which the group's id is made of.
    pub name: String,
    /// What the group is called; `None` for what the built-in rules call it.
    pub title: Option<String>,
    /// Which error events. It is matched against the event's first line and the lines that belong to it.
    pub condition: Expr,
    /// The condition as it was written.
    pub text: String,
    /// The field whose values are groups of their own.
    pub split: Option<FieldName>,
}

impl CustomGrouping {
    /// Returns the custom groups that may hold for the events of an object.
    pub fn given(&self, app: &str, place: &str) -> Cow<'_, [CustomGroup]> {
        if !self.groups.iter().any(|group| group.condition.asks_about_objects()) {
            return Cow::Borrowed(&self.groups);
        }
        // Which groups an object has is not known before it is read.
        let object = ObjectFacts { app, place, has_group: &|_| true };
        let given =
            |group: &CustomGroup| CustomGroup { condition: group.condition.given(&object), ..group.clone() };
        let mut groups: Vec<_> = self.groups.iter().map(given).collect();
        groups.retain(|group| !group.condition.is_nothing());
        Cow::Owned(groups)
    }

    /// Returns everything that groups depend on besides the events.
    pub fn basis(&self) -> Basis {
        let GroupSettings { frames, masks } = &self.settings;
        Basis {
            version: group::VERSION,
            own: frames.own.clone(),
            foreign: frames.foreign.clone(),
            masks: masks.iter().map(|mask| mask.as_str().to_owned()).collect(),
            groups: self.groups.iter().map(GroupBasis::of).collect(),
        }
    }
}

impl CustomGroup {
    /// Returns the group of an event that the built-in rules put into `base`; `None` when the condition does not hold.
    pub fn apply(&self, base: &Grouped, event: &[u8], facts: &mut Facts<'_>) -> Option<Grouped> {
        let holds = self.condition.judge(event).unwrap_or_else(|| self.condition.holds(event, facts));
        if !holds {
            return None;
        }
        let title = self.title.as_deref().unwrap_or(&base.title);
        let Some(field) = &self.split else {
            return Some(group::custom(&[&self.name], title, self.template("")));
        };
        let value = field.value_in(facts).unwrap_or_default();
        let value: String = value.chars().take(VALUE_CHARS).collect();
        let shown = if value.is_empty() { "(none)" } else { &value };
        let part = format!("{} = {shown}", field.text());
        let title = format!("{title} ({part})");
        Some(group::custom(&[&self.name, field.text(), &value], &title, self.template(&part)))
    }

    /// Its name, and which value.
    fn template(&self, part: &str) -> String {
        let first = stored_template(&self.name);
        if part.is_empty() { first } else { format!("{first}\n{part}") }
    }
}

impl From<CustomGrouping> for Basis {
    fn from(custom: CustomGrouping) -> Self {
        custom.basis()
    }
}

impl TryFrom<Basis> for CustomGrouping {
    type Error = String;

    fn try_from(basis: Basis) -> Result<Self, String> {
        let Basis { version, own, foreign, masks, groups } = basis;
        if version != group::VERSION {
            return Err(format!("groups are made by version {version} of the rules, not {}", group::VERSION));
        }
        let masks = masks.iter().map(|mask| Regex::new(mask).map_err(|error| error.to_string()));
        let settings =
            GroupSettings { frames: FramePrefixes { own, foreign }, masks: masks.collect::<Result<_, _>>()? };
        let groups = groups.into_iter().map(GroupBasis::group).collect::<Result<_, _>>()?;
        Ok(Self { settings, groups })
    }
}

/// Returns the name of a custom group, from its template.
pub fn name_of(template: &str) -> Option<&str> {
    template.lines().next()?.strip_prefix(STORED)
}

/// Returns the first line of the template of a custom group, as the ledger holds it.
pub fn stored_template(name: &str) -> String {
    format!("{STORED}{name}")
}

/// Returns the template of a group as people are shown it.
pub fn shown_template(kind: GroupKind, template: &str) -> Cow<'_, str> {
    match template.strip_prefix(STORED) {
        Some(rest) if kind == GroupKind::Custom => format!("custom group {rest}").into(),
        _ => template.into(),
    }
}

/// Everything that groups depend on besides the events, as the ledger remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    version: u8,
    own: Vec<String>,
    foreign: Vec<String>,
    masks: Vec<String>,
    #[serde(rename = "rules")]
    groups: Vec<GroupBasis>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct GroupBasis {
    name: String,
    title: Option<String>,
    text: String,
    split: Option<String>,
    /// See [`READING`].
    #[serde(default)]
    reading: u8,
}

impl GroupBasis {
    fn of(group: &CustomGroup) -> Self {
        let split = group.split.as_ref().map(|field| field.text().to_owned());
        let CustomGroup { name, title, text, .. } = group.clone();
        Self { name, title, text, split, reading: READING }
    }

    fn group(self) -> Result<CustomGroup, String> {
        let Self { name, title, text, split, .. } = self;
        let condition = Expr::parse(&text).map_err(|error| error.to_string())?;
        Ok(CustomGroup { name, title, condition, text, split: split.as_deref().map(FieldName::named) })
    }
}

/// The objects that a change of the basis touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// None.
    Nothing,
    /// Those that hold events of custom groups that are gone or changed, and those that may hold events of new or changed
    /// ones.
    Groups {
        /// The names of those that are gone or changed.
        old: Vec<String>,
        /// The names of those that are new or changed.
        new: Vec<String>,
    },
    /// Those with errors.
    Errors,
    /// All.
    Everything,
}

impl Basis {
    /// Returns a number that tells one basis from another.
    pub fn fingerprint(&self) -> i64 {
        let text = serde_json::json!(self).to_string();
        let mut first = [0; 8];
        first.copy_from_slice(&blake3::hash(text.as_bytes()).as_bytes()[..8]);
        // Never 0, which means that no basis was recorded.
        i64::from_le_bytes(first) | 1
    }

    /// Returns what is affected when this basis follows `earlier`.
    pub fn touched_since(&self, earlier: &Self) -> Touched {
        if self == earlier {
            return Touched::Nothing;
        }
        if self.version != earlier.version {
            return Touched::Everything;
        }
        let of_all = |basis: &Self| (basis.own.clone(), basis.foreign.clone(), basis.masks.clone());
        if of_all(self) != of_all(earlier) {
            return Touched::Errors;
        }
        let kept = |a: &Self, b: &Self| -> Vec<GroupBasis> {
            a.groups.iter().filter(|group| b.groups.contains(group)).cloned().collect()
        };
        // The first that holds decides: in another order, others do.
        let is_reordered = kept(self, earlier) != kept(earlier, self);
        let names = |of: &Self, other: &Self| -> Vec<String> {
            let changed = of.groups.iter().filter(|group| is_reordered || !other.groups.contains(group));
            changed.map(|group| group.name.clone()).collect()
        };
        Touched::Groups { old: names(earlier, self), new: names(self, earlier) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Level;
    use crate::parse::{ParseSettings, Parser};

    fn custom(name: &str, text: &str) -> CustomGroup {
        let condition = Expr::parse(text).unwrap();
        CustomGroup { name: name.to_owned(), title: None, condition, text: text.to_owned(), split: None }
    }

    fn apply(custom: &CustomGroup, line: &str) -> Option<Grouped> {
        let base = group::group("queue full", None);
        let mut parser = Parser::new(&ParseSettings::default(), None);
        let head = line.as_bytes();
        let mut facts =
            Facts { level: Level::Error, group: Some(base.id), head, is_cut: false, parser: &mut parser };
        custom.apply(&base, head, &mut facts)
    }

    #[test]
    fn a_custom_group_is_one_whatever_its_events_say() {
        let full = CustomGroup { title: Some("No room".to_owned()), ..custom("full", "full OR overflow") };
        let one = apply(&full, r#"{"message":"queue full"}"#).unwrap();
        assert_eq!(apply(&full, r#"{"message":"overflow of 7"}"#).as_ref(), Some(&one));
        assert_eq!((one.title.as_str(), name_of(&one.template)), ("No room", Some("full")));
        assert_eq!(apply(&full, r#"{"message":"queue empty"}"#), None);
        assert_eq!(apply(&custom("full", "full"), "full").unwrap().id, one.id, "the name is the id");
    }

    #[test]
    fn a_field_splits_a_custom_group() {
        let full = CustomGroup { split: Some(FieldName::named("tenant.id")), ..custom("full", "full") };
        let of = |id: &str| apply(&full, &format!(r#"{{"message":"full","tenant":{{"id":{id}}}}}"#)).unwrap();
        assert_eq!(of("7").id, of("\"7\"").id);
        assert_ne!(of("7").id, of("8").id);
        assert_eq!(of("7").title, "queue full (tenant.id = 7)");
        assert_eq!(of("\"\"").title, "queue full (tenant.id = (none))");
        assert_eq!(name_of(&of("7").template), Some("full"));
    }

    #[test]
    fn a_condition_may_name_the_application_the_object_and_the_built_in_group() {
        let id = group::group("queue full", None).id;
        let grouping = CustomGrouping {
            groups: vec![custom("a", "app:shop object:x.gz"), custom("b", &format!("group:{id}"))],
            ..CustomGrouping::default()
        };
        let names = |app, place| -> Vec<String> {
            grouping.given(app, place).iter().map(|group| group.name.clone()).collect()
        };
        assert_eq!(names("shop", "s3://b/x.gz"), ["a", "b"]);
        assert_eq!(names("pay", "s3://b/x.gz"), ["b"]);
        let given = grouping.given("shop", "s3://b/x.gz");
        assert!(apply(&given[0], "anything").is_some());
        assert!(apply(&given[1], "anything").is_some());
    }

    #[test]
    fn a_change_touches_what_it_must() {
        let grouping = |groups: &[(&str, &str)]| CustomGrouping {
            groups: groups.iter().map(|(name, text)| custom(name, text)).collect(),
            ..CustomGrouping::default()
        };
        let basis = |groups: &[(&str, &str)]| grouping(groups).basis();
        let touched = |old: &[&str], new: &[&str]| {
            let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
            Touched::Groups { old: names(old), new: names(new) }
        };
        let before = basis(&[("a", "x"), ("b", "y")]);
        assert_eq!(before.touched_since(&before), Touched::Nothing);
        assert_eq!(basis(&[("a", "x")]).touched_since(&before), touched(&["b"], &[]));
        assert_eq!(basis(&[("a", "x"), ("b", "z")]).touched_since(&before), touched(&["b"], &["b"]));
        let one_more = basis(&[("c", "z"), ("a", "x"), ("b", "y")]);
        assert_eq!(one_more.touched_since(&before), touched(&[], &["c"]));
        let swapped = basis(&[("b", "y"), ("a", "x")]);
        assert_eq!(swapped.touched_since(&before), touched(&["a", "b"], &["b", "a"]));
        let mut masked = grouping(&[("a", "x"), ("b", "y")]);
        masked.settings.masks = vec![regex::Regex::new("job-[a-z]+").unwrap()];
        assert_eq!(masked.basis().touched_since(&before), Touched::Errors);
        let newer = Basis { version: before.version + 1, ..before.clone() };
        assert_eq!(newer.touched_since(&before), Touched::Everything);
        assert_ne!(newer.fingerprint(), before.fingerprint());
        let mut earlier = before.clone();
        earlier.groups.iter_mut().for_each(|group| group.reading = 0);
        assert_eq!(before.touched_since(&earlier), touched(&["a", "b"], &["a", "b"]));
        let read: Basis = serde_json::from_str(&serde_json::json!(newer).to_string()).unwrap();
        assert_eq!(read, newer);
    }

    /// What earlier versions wrote into ledgers is compared with it: another text would read everything again.
    #[test]
    fn a_basis_is_written_as_it_always_was() {
        let grouping = CustomGrouping { groups: vec![custom("a", "x")], ..CustomGrouping::default() };
        let text = serde_json::json!(grouping.basis()).to_string();
        assert_eq!(
            text.replace(&format!("\"version\":{}", group::VERSION), "\"version\":0"),
            r#"{"version":0,"own":[],"foreign":[],"masks":[],"rules":[{"name":"a","title":null,"text":"x","split":null,"reading":1}]}"#
        );
        let one = apply(&grouping.groups[0], "x").unwrap();
        assert_eq!((one.template.as_str(), one.kind.stored_name()), ("rule a", "rule"));
        assert_eq!(shown_template(one.kind, &one.template), "custom group a");
        assert_eq!(shown_template(GroupKind::Message, "rule a broken"), "rule a broken");
    }
}
