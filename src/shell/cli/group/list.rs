//! `gzette group list`: the groups there are.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::edges::ledger::{Cell, CountFilter, Dimension, Ledger};
use crate::flows::report::{GroupState, states};
use crate::shell::cli::CommandError;
use crate::shell::cli::context::Context;
use crate::shell::cli::filter::Filter;
use crate::shell::error::Exit;
use gzette_core::custom::shown_template;
use gzette_core::group::families;
use gzette_core::human;
use gzette_core::model::{AppName, GroupId, GroupKind, Grouped, UtcMs};
use gzette_core::visible::terminal;

/// By default, a terminal shows at most this many groups.
const SCREEN_GROUPS: usize = 40;
/// The longest title shown, in characters.
const TITLE_CHARS: usize = 160;

/// The arguments of `gzette group list`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gzette group list --since 24h                          what happened today, most events first\n  \
    gzette group list --is new,spiking --app checkout-api\n  \
    gzette group list timeout --sort last --json           one JSON object per group\n\
    Events are counted in whole ten-minute slots; states are current.")]
pub(super) struct Args {
    /// Only groups whose title, template or id contains each TEXT, ignoring case
    #[arg(value_name = "TEXT")]
    text: Vec<String>,
    /// Which groups come first
    #[arg(long, value_enum, default_value = "events")]
    sort: Sort,
    /// Only groups in these states
    #[arg(long, value_parser = state_parser(), value_delimiter = ',', value_name = "STATE,...")]
    is: Vec<GroupState>,
    #[command(flatten)]
    filter: Filter,
    /// Only the first N groups; 0 for all
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,
    /// Show groups that differ in one word as one
    #[arg(long)]
    families: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Sort {
    /// Groups with the most events
    Events,
    /// Groups that first appeared most recently
    First,
    /// Groups with the most recent event
    Last,
    /// Alphabetically by title
    Title,
}

/// Returns what reads the name of a state.
fn state_parser() -> impl TypedValueParser<Value = GroupState> {
    PossibleValuesParser::new(GroupState::ALL.map(GroupState::name))
        .try_map(|name| GroupState::of_name(&name).ok_or("an unknown state"))
}

struct Row {
    group: Grouped,
    state: GroupState,
    reason: String,
    events: u64,
    /// With their events, most first.
    apps: Vec<(AppName, u64)>,
    first_ms: UtcMs,
    last_ms: UtcMs,
    /// The number of groups in its family, if it represents one.
    variants: usize,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let ledger = project.ledger_read_only()?;
    let chosen = args.filter.chosen(context)?.on(&ledger, &context.ui)?;
    let filter =
        CountFilter { apps: chosen.apps, levels: chosen.levels, window: chosen.window, group: chosen.group };
    let mut rows = rows(&ledger, &filter, context.now_ms())?;
    rows.retain(|row| args.wants(row));
    if args.families {
        rows = by_family(rows);
    }
    rows.sort_by_cached_key(|row| args.order(row));
    let on_screen = context.ui.is_terminal() && !context.global.json;
    let limit = args.limit.or(on_screen.then_some(SCREEN_GROUPS)).filter(|&limit| limit > 0);
    let left = limit.map_or(0, |limit| rows.len().saturating_sub(limit));
    rows.truncate(limit.unwrap_or(usize::MAX));
    if context.global.json {
        rows.iter().try_for_each(|row| context.ui.result_json(&json(row)))?;
        return Ok(Exit::Fine);
    }
    print(context, &rows)?;
    if left > 0 {
        let all = human::plural(left as u64, "more group");
        context.ui.flush()?;
        context.ui.note(&format!("{all}; `--limit 0` shows all"));
    }
    Ok(Exit::Fine)
}

impl Args {
    fn wants(&self, row: &Row) -> bool {
        let Grouped { id, title, template, .. } = &row.group;
        let all = format!("{id}\n{title}\n{template}").to_lowercase();
        let in_state = self.is.is_empty() || self.is.contains(&row.state);
        in_state && self.text.iter().all(|text| all.contains(&text.to_lowercase()))
    }

    fn order(&self, row: &Row) -> (Reverse<i64>, String, GroupId) {
        let (number, text) = match self.sort {
            Sort::Events => (row.events as i64, String::new()),
            Sort::First => (row.first_ms.get(), String::new()),
            Sort::Last => (row.last_ms.get(), String::new()),
            Sort::Title => (0, row.group.title.to_lowercase()),
        };
        (Reverse(number), text, row.group.id)
    }
}

fn rows(ledger: &Ledger, filter: &CountFilter, now_ms: UtcMs) -> Result<Vec<Row>, CommandError> {
    let states = states(ledger, now_ms)?;
    let mut apps: BTreeMap<GroupId, Vec<(AppName, u64)>> = BTreeMap::new();
    for row in ledger.count(&[Dimension::Group, Dimension::App], filter)? {
        if let [Cell::Group(id), Cell::Name(app)] = row.cells.as_slice() {
            apps.entry(*id).or_default().push((app.clone(), row.events));
        }
    }
    let spans = ledger.group_spans(None)?;
    let mut rows = Vec::new();
    for (id, mut apps) in apps {
        let Some(group) = ledger.group(id)? else { continue };
        apps.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
        let (first_ms, last_ms) = spans.get(&id).copied().unwrap_or_default();
        let (state, reason) = states.get(&id).map_or_else(
            || (GroupState::Quiet, "no events in the last 28 days".to_owned()),
            |(state, reason)| (*state, reason.clone()),
        );
        let events = apps.iter().map(|app| app.1).sum();
        rows.push(Row { group, state, reason, events, apps, first_ms, last_ms, variants: 1 });
    }
    Ok(rows)
}

/// Joins the groups of a family in the one with most events.
fn by_family(mut rows: Vec<Row>) -> Vec<Row> {
    rows.sort_by_key(|row| (Reverse(row.events), row.group.id));
    let is_message = |row: &&Row| row.group.kind == GroupKind::Message;
    let templates: Vec<String> =
        rows.iter().filter(is_message).map(|row| row.group.template.clone()).collect();
    let families = families(templates.iter().map(String::as_str));
    let mut leaders: HashMap<&str, usize> = HashMap::new();
    let mut joined: Vec<Row> = Vec::new();
    for row in rows {
        let family = families.get(row.group.template.as_str()).filter(|_| is_message(&&row));
        if let Some(&leader) = family.and_then(|family| leaders.get(family)) {
            join(&mut joined[leader], row);
        } else {
            leaders.extend(family.map(|family| (*family, joined.len())));
            joined.push(row);
        }
    }
    joined
}

fn join(leader: &mut Row, other: Row) {
    leader.variants += 1;
    leader.events += other.events;
    leader.first_ms = leader.first_ms.min(other.first_ms);
    leader.last_ms = leader.last_ms.max(other.last_ms);
    for (app, events) in other.apps {
        match leader.apps.iter_mut().find(|known| known.0 == app) {
            Some(known) => known.1 += events,
            None => leader.apps.push((app, events)),
        }
    }
    leader.apps.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
}

fn print(context: &Context, rows: &[Row]) -> Result<(), CommandError> {
    let apps: Vec<String> = rows.iter().map(|row| apps_text(&row.apps)).collect();
    let events: Vec<String> = rows.iter().map(|row| human::count(row.events)).collect();
    let width = |texts: &[String], head: &str| {
        texts.iter().map(|text| text.chars().count()).max().unwrap_or_default().max(head.len())
    };
    let (events_width, apps_width) = (width(&events, "EVENTS"), width(&apps, "APPLICATION"));
    if context.ui.is_terminal() && !rows.is_empty() {
        let head = format!(
            "{:>events_width$}  {:<9}  {:<16}  {:<16}  {:<apps_width$}  {:<12}  TITLE",
            "EVENTS", "STATE", "FIRST", "LAST", "APPLICATION", "ID"
        );
        context.ui.result(&context.ui.bold(&head))?;
    }
    for ((row, apps), events) in rows.iter().zip(&apps).zip(&events) {
        let title: String = row.group.title.chars().take(TITLE_CHARS).collect();
        let variants = if row.variants > 1 { format!(" [{} variants]", row.variants) } else { String::new() };
        context.ui.result(&format!(
            "{events:>events_width$}  {:<9}  {}  {}  {apps:<apps_width$}  {}  {}{variants}",
            row.state.name(),
            minute(row.first_ms),
            minute(row.last_ms),
            row.group.id,
            terminal(&title)
        ))?;
    }
    Ok(())
}

/// `2026-01-31 12:00`
pub(super) fn minute(time_ms: UtcMs) -> String {
    human::time(time_ms).chars().take(16).collect::<String>().replace('T', " ")
}

fn apps_text(apps: &[(AppName, u64)]) -> String {
    let first = apps.first().map_or("", |app| app.0.as_str());
    let first = terminal(first).into_owned();
    if apps.len() > 1 { format!("{first} +{}", apps.len() - 1) } else { first }
}

fn json(row: &Row) -> serde_json::Value {
    let Grouped { id, kind, title, template } = &row.group;
    let apps: serde_json::Map<_, _> =
        row.apps.iter().map(|(app, events)| (app.to_string(), (*events).into())).collect();
    serde_json::json!({
        "id": id.to_string(),
        "kind": kind.name(),
        "title": title,
        "template": shown_template(*kind, template),
        "state": row.state.name(),
        "reason": row.reason,
        "events": row.events,
        "apps": apps,
        "first": human::time(row.first_ms),
        "last": human::time(row.last_ms),
        "variants": row.variants,
    })
}
