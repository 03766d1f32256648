//! The user's word on groups: what varies in messages, whose frames are whose, and rules that make a group of
//! whatever an expression holds for. Which objects a change of it touches is worked out here as well.

use std::borrow::Cow;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::group::{self, FramePrefixes, GroupSettings};
use crate::model::Grouped;
use crate::query::{Expr, Facts, FieldName, ObjectFacts};

/// The longest value of a field that tells groups apart, in characters.
const VALUE_CHARS: usize = 200;

/// How the words and phrases of conditions are compared. Raised when a condition holds for other events than before.
const READING: u8 = 1;

/// All that the user says about groups.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(into = "Basis", try_from = "Basis")]
pub struct Overrides {
    /// What the built-in rules see.
    pub settings: GroupSettings,
    /// Rules for single groups; the first that holds for an event decides.
    pub rules: Vec<Rule>,
}

/// A `[[group]]` of the configuration: error events that are one group, or one for each value of a field.
#[derive(Clone, Debug)]
pub struct Rule {
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

impl Overrides {
    /// Returns the rules that may hold for the events of an object.
    pub fn given(&self, app: &str, place: &str) -> Cow<'_, [Rule]> {
        if !self.rules.iter().any(|rule| rule.condition.asks_about_objects()) {
            return Cow::Borrowed(&self.rules);
        }
        // Which groups an object has is not known before it is read.
        let object = ObjectFacts { app, place, has_group: &|_| true };
        let given = |rule: &Rule| Rule { condition: rule.condition.given(&object), ..rule.clone() };
        let mut rules: Vec<_> = self.rules.iter().map(given).collect();
        rules.retain(|rule| !rule.condition.is_nothing());
        Cow::Owned(rules)
    }

    /// Returns everything that groups depend on besides the events.
    pub fn basis(&self) -> Basis {
        let GroupSettings { frames, masks } = &self.settings;
        Basis {
            version: group::VERSION,
            own: frames.own.clone(),
            foreign: frames.foreign.clone(),
            masks: masks.iter().map(|mask| mask.as_str().to_owned()).collect(),
            rules: self.rules.iter().map(RuleBasis::of).collect(),
        }
    }
}

impl Rule {
    /// Returns the rule's group of an event that the built-in rules put into `base`; `None` when it does not hold.
    pub fn apply(&self, base: &Grouped, event: &[u8], facts: &mut Facts<'_>) -> Option<Grouped> {
        let holds = self.condition.judge(event).unwrap_or_else(|| self.condition.holds(event, facts));
        if !holds {
            return None;
        }
        let title = self.title.as_deref().unwrap_or(&base.title);
        let Some(field) = &self.split else {
            return Some(group::by_rule(&[&self.name], title, self.template("")));
        };
        let value = field.value_in(facts).unwrap_or_default();
        let value: String = value.chars().take(VALUE_CHARS).collect();
        let shown = if value.is_empty() { "(none)" } else { &value };
        let part = format!("{} = {shown}", field.text());
        let title = format!("{title} ({part})");
        Some(group::by_rule(&[&self.name, field.text(), &value], &title, self.template(&part)))
    }

    /// `rule NAME`, and which value.
    fn template(&self, part: &str) -> String {
        if part.is_empty() { format!("rule {}", self.name) } else { format!("rule {}\n{part}", self.name) }
    }
}

impl From<Overrides> for Basis {
    fn from(overrides: Overrides) -> Self {
        overrides.basis()
    }
}

impl TryFrom<Basis> for Overrides {
    type Error = String;

    fn try_from(basis: Basis) -> Result<Self, String> {
        let Basis { version, own, foreign, masks, rules } = basis;
        if version != group::VERSION {
            return Err(format!("groups are made by version {version} of the rules, not {}", group::VERSION));
        }
        let masks = masks.iter().map(|mask| Regex::new(mask).map_err(|error| error.to_string()));
        let settings =
            GroupSettings { frames: FramePrefixes { own, foreign }, masks: masks.collect::<Result<_, _>>()? };
        Ok(Self { settings, rules: rules.into_iter().map(RuleBasis::rule).collect::<Result<_, _>>()? })
    }
}

/// Returns the name of the rule that made a group, from its template.
pub fn rule_name(template: &str) -> Option<&str> {
    template.lines().next()?.strip_prefix("rule ")
}

/// Everything that groups depend on besides the events, as the ledger remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    version: u8,
    own: Vec<String>,
    foreign: Vec<String>,
    masks: Vec<String>,
    rules: Vec<RuleBasis>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct RuleBasis {
    name: String,
    title: Option<String>,
    text: String,
    split: Option<String>,
    /// See [`READING`].
    #[serde(default)]
    reading: u8,
}

impl RuleBasis {
    fn of(rule: &Rule) -> Self {
        let split = rule.split.as_ref().map(|field| field.text().to_owned());
        let Rule { name, title, text, .. } = rule.clone();
        Self { name, title, text, split, reading: READING }
    }

    fn rule(self) -> Result<Rule, String> {
        let Self { name, title, text, split, .. } = self;
        let condition = Expr::parse(&text).map_err(|error| error.to_string())?;
        Ok(Rule { name, title, condition, text, split: split.as_deref().map(FieldName::named) })
    }
}

/// The objects that a change of the basis touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    /// None.
    Nothing,
    /// Those that hold events of rules that are gone or changed, and those that may hold events for which a new or
    /// changed rule holds.
    Rules {
        /// The names of rules that are gone or changed.
        old: Vec<String>,
        /// The names of rules that are new or changed.
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
        let kept = |a: &Self, b: &Self| -> Vec<RuleBasis> {
            a.rules.iter().filter(|rule| b.rules.contains(rule)).cloned().collect()
        };
        // The first rule that holds decides: in another order, others do.
        let is_reordered = kept(self, earlier) != kept(earlier, self);
        let names = |of: &Self, other: &Self| -> Vec<String> {
            let changed = of.rules.iter().filter(|rule| is_reordered || !other.rules.contains(rule));
            changed.map(|rule| rule.name.clone()).collect()
        };
        Touched::Rules { old: names(earlier, self), new: names(self, earlier) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Level;
    use crate::parse::{ParseSettings, Parser};

    fn rule(name: &str, text: &str) -> Rule {
        let condition = Expr::parse(text).unwrap();
        Rule { name: name.to_owned(), title: None, condition, text: text.to_owned(), split: None }
    }

    fn apply(rule: &Rule, line: &str) -> Option<Grouped> {
        let base = group::group("queue full", None);
        let mut parser = Parser::new(&ParseSettings::default(), None);
        let head = line.as_bytes();
        let mut facts =
            Facts { level: Level::Error, group: Some(base.id), head, is_cut: false, parser: &mut parser };
        rule.apply(&base, head, &mut facts)
    }

    #[test]
    fn a_rule_is_one_group_whatever_its_events_say() {
        let rule = Rule { title: Some("No room".to_owned()), ..rule("full", "full OR overflow") };
        let one = apply(&rule, r#"{"message":"queue full"}"#).unwrap();
        assert_eq!(apply(&rule, r#"{"message":"overflow of 7"}"#).as_ref(), Some(&one));
        assert_eq!((one.title.as_str(), rule_name(&one.template)), ("No room", Some("full")));
        assert_eq!(apply(&rule, r#"{"message":"queue empty"}"#), None);
        assert_eq!(apply(&self::rule("full", "full"), "full").unwrap().id, one.id, "the name is the id");
    }

    #[test]
    fn a_field_splits_a_rule() {
        let rule = Rule { split: Some(FieldName::named("tenant.id")), ..rule("full", "full") };
        let of = |id: &str| apply(&rule, &format!(r#"{{"message":"full","tenant":{{"id":{id}}}}}"#)).unwrap();
        assert_eq!(of("7").id, of("\"7\"").id);
        assert_ne!(of("7").id, of("8").id);
        assert_eq!(of("7").title, "queue full (tenant.id = 7)");
        assert_eq!(of("\"\"").title, "queue full (tenant.id = (none))");
        assert_eq!(rule_name(&of("7").template), Some("full"));
    }

    #[test]
    fn a_condition_may_name_the_application_the_object_and_the_built_in_group() {
        let id = group::group("queue full", None).id;
        let overrides = Overrides {
            rules: vec![rule("a", "app:shop object:x.gz"), rule("b", &format!("group:{id}"))],
            ..Overrides::default()
        };
        let names = |app, place| -> Vec<String> {
            overrides.given(app, place).iter().map(|rule| rule.name.clone()).collect()
        };
        assert_eq!(names("shop", "s3://b/x.gz"), ["a", "b"]);
        assert_eq!(names("pay", "s3://b/x.gz"), ["b"]);
        let given = overrides.given("shop", "s3://b/x.gz");
        assert!(apply(&given[0], "anything").is_some());
        assert!(apply(&given[1], "anything").is_some());
    }

    #[test]
    fn a_change_touches_what_it_must() {
        let overrides = |rules: &[(&str, &str)]| Overrides {
            rules: rules.iter().map(|(name, text)| rule(name, text)).collect(),
            ..Overrides::default()
        };
        let basis = |rules: &[(&str, &str)]| overrides(rules).basis();
        let touched = |old: &[&str], new: &[&str]| {
            let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
            Touched::Rules { old: names(old), new: names(new) }
        };
        let before = basis(&[("a", "x"), ("b", "y")]);
        assert_eq!(before.touched_since(&before), Touched::Nothing);
        assert_eq!(basis(&[("a", "x")]).touched_since(&before), touched(&["b"], &[]));
        assert_eq!(basis(&[("a", "x"), ("b", "z")]).touched_since(&before), touched(&["b"], &["b"]));
        let one_more = basis(&[("c", "z"), ("a", "x"), ("b", "y")]);
        assert_eq!(one_more.touched_since(&before), touched(&[], &["c"]));
        let swapped = basis(&[("b", "y"), ("a", "x")]);
        assert_eq!(swapped.touched_since(&before), touched(&["a", "b"], &["b", "a"]));
        let mut masked = overrides(&[("a", "x"), ("b", "y")]);
        masked.settings.masks = vec![regex::Regex::new("job-[a-z]+").unwrap()];
        assert_eq!(masked.basis().touched_since(&before), Touched::Errors);
        let newer = Basis { version: before.version + 1, ..before.clone() };
        assert_eq!(newer.touched_since(&before), Touched::Everything);
        assert_ne!(newer.fingerprint(), before.fingerprint());
        let mut earlier = before.clone();
        earlier.rules.iter_mut().for_each(|rule| rule.reading = 0);
        assert_eq!(before.touched_since(&earlier), touched(&["a", "b"], &["a", "b"]));
        let read: Basis = serde_json::from_str(&serde_json::json!(newer).to_string()).unwrap();
        assert_eq!(read, newer);
    }
}
