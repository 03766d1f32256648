//! `gzette count`: the ledger's counts of events.

use super::CommandError;
use super::context::Context;
use super::filter::Filter;
use crate::edges::ledger::{Cell, CountFilter, Dimension};
use crate::shell::error::{Exit, Failure};
use gzette_core::human;
use gzette_core::visible::terminal;

/// The arguments of `gzette count`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gzette count --by app,level --since 24h\n  \
    gzette count --by day,group --level error,fatal --app checkout-api --json\n\
    Times select whole ten-minute slots: those that begin in the window.")]
pub(super) struct Args {
    /// Count by app, level, hour, day (both UTC), group; without it, print one total
    #[arg(long, value_delimiter = ',', value_name = "DIMENSION,...", value_parser = parse_dimension)]
    by: Vec<Dimension>,
    #[command(flatten)]
    filter: Filter,
}

fn parse_dimension(text: &str) -> Result<Dimension, String> {
    let found = Dimension::ALL.into_iter().find(|dimension| dimension.name() == text);
    found.ok_or_else(|| format!("`{text}` is not one of app, level, hour, day, group"))
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let ledger = project.ledger_read_only()?;
    let chosen = args.filter.chosen(context)?.on(&ledger, &context.ui)?;
    if args.by.iter().enumerate().any(|(place, dimension)| args.by[..place].contains(dimension)) {
        return Err(Failure::usage("`--by` names a key twice").into());
    }
    let filter =
        CountFilter { apps: chosen.apps, levels: chosen.levels, window: chosen.window, group: chosen.group };
    let rows = ledger.count(&args.by, &filter)?;
    if context.global.json {
        let rows: Vec<_> = rows.iter().map(|row| json_row(&args.by, &row.cells, row.events)).collect();
        context.ui.result_json(&rows)?;
        return Ok(Exit::Fine);
    }
    for row in rows {
        let cells: Vec<String> = row.cells.iter().map(|cell| format!("  {:<20}", show(cell))).collect();
        let line = format!("{:>12}{}", human::count(row.events), cells.concat());
        context.ui.result(line.trim_end())?;
    }
    Ok(Exit::Fine)
}

fn json_row(by: &[Dimension], cells: &[Cell], events: u64) -> serde_json::Value {
    let mut row: serde_json::Map<_, _> = by
        .iter()
        .zip(cells)
        .map(|(dimension, cell)| {
            let value = if *cell == Cell::None { serde_json::Value::Null } else { show(cell).into() };
            (dimension.name().to_owned(), value)
        })
        .collect();
    row.insert("events".to_owned(), events.into());
    row.into()
}

fn show(cell: &Cell) -> String {
    match cell {
        Cell::None => "-".to_owned(),
        Cell::Name(name) => terminal(name.as_str()).into_owned(),
        Cell::Level(level) => level.name().to_owned(),
        Cell::Time(time_ms) => human::time(*time_ms).replace(".000Z", "Z"),
        Cell::Group(group) => group.to_string(),
    }
}
