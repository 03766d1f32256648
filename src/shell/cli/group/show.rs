//! `gzette group show`: all about one group.

use super::list::minute;
use crate::edges::ledger::{Cell, CountFilter, Dimension, Ledger, StoredSample};
use crate::flows::report::{SampleRole, states};
use crate::shell::cli::CommandError;
use crate::shell::cli::context::Context;
use crate::shell::cli::filter::unknown_group;
use crate::shell::error::Exit;
use gzette_core::custom::shown_template;
use gzette_core::human;
use gzette_core::model::{GroupId, GroupKind, Grouped, UtcMs, Window};
use gzette_core::parse::{ParseSettings, Parser};
use gzette_core::partial::{SAMPLE_BYTES, SourceSettings};
use gzette_core::stats::GroupState;
use gzette_core::visible::terminal;

/// The days shown.
const DAYS: usize = 14;
/// The width of the longest bar.
const BAR_CHARS: u64 = 40;

/// The arguments of `gzette group show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "An id from earlier rules works too.\n\
    Example:  gzette group show hyc3xeyydbrx")]
pub(super) struct Args {
    /// The group's id, as shown in lists, pages and mails
    #[arg(value_name = "ID")]
    id: GroupId,
}

/// What is known of a group.
struct Facts {
    group: Grouped,
    state: GroupState,
    /// Why it is in that state; `None` for one without recent events.
    reason: Option<String>,
    apps: Vec<(String, u64)>,
    levels: Vec<(String, u64)>,
    days: Vec<(String, u64)>,
    samples: Vec<(SampleRole, StoredSample)>,
    span_ms: (UtcMs, UtcMs),
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let ledger = project.ledger_read_only()?;
    let id = ledger.group_aliases()?.get(&args.id).copied().unwrap_or(args.id);
    if id != args.id {
        context.ui.note(&format!("{} has the id {id} under the current rules", args.id));
    }
    let facts = facts(&ledger, id, context.now_ms())?;
    let Some(facts) = facts else {
        return Err(unknown_group(args.id).into());
    };
    if context.global.json {
        context.ui.result_json(&json(&facts))?;
    } else {
        print(context, &facts, &project.ingest_settings())?;
    }
    Ok(Exit::Fine)
}

fn facts(ledger: &Ledger, id: GroupId, now_ms: UtcMs) -> Result<Option<Facts>, CommandError> {
    let span_ms = ledger.group_spans(Some(id))?.remove(&id);
    let Some((group, span_ms)) = ledger.group(id)?.zip(span_ms) else { return Ok(None) };
    let filter = CountFilter { apps: Vec::new(), levels: u8::MAX, window: Window::ALL, group: Some(id) };
    let counted = |dimension: Dimension| -> Result<Vec<(String, u64)>, CommandError> {
        let rows = ledger.count(&[dimension], &filter)?;
        Ok(rows.iter().filter_map(|row| Some((name(row.cells.first()?), row.events))).collect())
    };
    let most_first = |mut rows: Vec<(String, u64)>| {
        rows.sort_by(|a, b| (b.1, &a.0).cmp(&(a.1, &b.0)));
        rows
    };
    // Only groups with events of the last weeks have a verdict.
    let (state, reason) = states(ledger, now_ms)?.remove(&id).unzip();
    Ok(Some(Facts {
        state: state.unwrap_or(GroupState::Quiet),
        reason,
        apps: most_first(counted(Dimension::App)?),
        levels: most_first(counted(Dimension::Level)?),
        days: counted(Dimension::Day)?,
        span_ms,
        samples: first_and_latest(ledger.samples(id)?),
        group,
    }))
}

/// Returns the first and the latest event; one that is both is the latest.
fn first_and_latest(samples: Vec<StoredSample>) -> Vec<(SampleRole, StoredSample)> {
    let early = |sample: &&StoredSample| (!sample.end.is_believed, sample.end.time_ms, sample.end.rank);
    let first = samples.iter().filter(|sample| !sample.end.is_last).min_by_key(early).cloned();
    let latest = samples.into_iter().max_by_key(|sample| (sample.end.is_last, sample.end.time_ms));
    let place = |sample: &StoredSample| (sample.end.generation, sample.end.line);
    let first = first.filter(|first| latest.as_ref().map(place) != Some(place(first)));
    let first = first.map(|first| (SampleRole::First, first));
    first.into_iter().chain(latest.map(|latest| (SampleRole::Latest, latest))).collect()
}

fn name(cell: &Cell) -> String {
    match cell {
        Cell::Name(name) => name.to_string(),
        Cell::Level(level) => level.name().to_owned(),
        Cell::Time(time_ms) => human::time(*time_ms).chars().take(10).collect(),
        Cell::Group(group) => group.to_string(),
        Cell::None => "-".to_owned(),
    }
}

/// Returns what an event says, its trace included: escapes resolved, one line each.
fn text(settings: &ParseSettings, sample: &StoredSample) -> String {
    let mut lines = sample.raw.split(|&byte| byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let is_cut = sample.raw.len() >= SAMPLE_BYTES;
    let mut parser = Parser::new(settings, None);
    let mut texts = match parser.parse_alone(first, is_cut) {
        Some(event) => {
            let trace = event.trace.map(|trace| trace.text().into_owned());
            [Some(event.message.text().into_owned()), trace].into_iter().flatten().collect()
        }
        None => vec![String::from_utf8_lossy(first).into_owned()],
    };
    texts.extend(lines.map(|line| String::from_utf8_lossy(line).into_owned()));
    texts.join("\n")
}

fn print(context: &Context, facts: &Facts, settings: &SourceSettings) -> Result<(), CommandError> {
    let ui = &context.ui;
    let line = |text: &str| ui.result(&terminal(text));
    let head = |text: &str| ui.result("").and_then(|()| ui.result(&ui.bold(text)));
    let Grouped { id, kind, title, template } = &facts.group;
    ui.result(&ui.bold(&terminal(title)))?;
    let total: u64 = facts.apps.iter().map(|app| app.1).sum();
    let reason = facts.reason.as_deref().unwrap_or("no events in the last 28 days");
    line(&format!("{id}  {}: {reason}", facts.state.name()))?;
    let (first, last) = (minute(facts.span_ms.0), minute(facts.span_ms.1));
    line(&format!("{} from {first} to {last} UTC", human::plural(total, "event")))?;

    head(match kind {
        GroupKind::Message => "Decided by the message",
        GroupKind::Trace => "Decided by the stack trace",
        GroupKind::Exception => "Decided by the exception",
        GroupKind::Custom => "Decided by a custom group of the configuration",
    })?;
    shown_template(*kind, template).lines().try_for_each(|text| line(&format!("  {text}")))?;
    for (heading, rows) in [("By application", &facts.apps), ("By level", &facts.levels)] {
        head(heading)?;
        rows.iter().try_for_each(|(name, events)| line(&format!("{:>12}  {name}", human::count(*events))))?;
    }
    head("By day")?;
    let days = &facts.days[facts.days.len().saturating_sub(DAYS)..];
    let most = days.iter().map(|day| day.1).max().unwrap_or(1).max(1);
    for (day, events) in days {
        let bar = "█".repeat((events * BAR_CHARS).div_ceil(most) as usize);
        ui.result(&format!("  {day}  {bar} {}", human::count(*events)))?;
    }
    for (role, sample) in &facts.samples {
        let name = if *role == SampleRole::First { "First event" } else { "Latest event" };
        head(&format!("{name}, {}", human::time(sample.end.time_ms)))?;
        line(&format!("  {}:{}", sample.place, sample.end.line))?;
        let text = text(&settings.of(&sample.source).parse, sample);
        text.lines().try_for_each(|text| line(&format!("  {text}")))?;
    }
    head("All events")?;
    line(&format!("  {}", ui.invocation().command(&["search", "--group", &id.to_string()])))?;
    Ok(())
}

fn json(facts: &Facts) -> serde_json::Value {
    let Grouped { id, kind, title, template } = &facts.group;
    let map = |rows: &[(String, u64)]| -> serde_json::Map<String, serde_json::Value> {
        rows.iter().map(|(name, events)| (name.clone(), (*events).into())).collect()
    };
    let samples: Vec<_> = facts
        .samples
        .iter()
        .map(|(role, sample)| {
            serde_json::json!({
                "role": role.name(),
                "time": human::time(sample.end.time_ms),
                "app": sample.app,
                "object": sample.place,
                "line": sample.end.line,
                "raw": String::from_utf8_lossy(&sample.raw),
            })
        })
        .collect();
    serde_json::json!({
        "id": id.to_string(),
        "kind": kind.name(),
        "title": title,
        "template": shown_template(*kind, template),
        "state": facts.state.name(),
        "reason": facts.reason,
        "events": facts.apps.iter().map(|app| app.1).sum::<u64>(),
        "first": human::time(facts.span_ms.0),
        "last": human::time(facts.span_ms.1),
        "apps": map(&facts.apps),
        "levels": map(&facts.levels),
        "days": map(&facts.days),
        "samples": samples,
    })
}
