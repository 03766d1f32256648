//! `gzette search`: lines, offline.

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::os::unix::ffi::OsStrExt;

use super::CommandError;
use super::context::Context;
use super::filter::Filter;
use crate::error::{Exit, Failure};
use crate::human;
use crate::query::{Expr, lower_case_operator};
use crate::search::{Hit, Library, Request, SearchReport, search};
use crate::ui::{OutputError, Ui, visible};

/// On a terminal, no more than so many lines are shown unless asked for.
const SCREEN_LINES: usize = 200;

const SHELL_HINT: &str = "the shell takes one pair of quotes: write '\"two words\"', or use --fixed";

/// The arguments of `gzette search`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gzette search timeout order --app checkout-api --since 4h     both words\n  \
    gzette search '\"Read timed out\"' --level error                exactly these bytes\n  \
    gzette search 'level>=warn AND NOT (retry OR /timed? out/i)'   an expression\n  \
    gzette search 'status>=500 logger:Basket'                     fields of the line\n  \
    gzette search --fixed 'user=\"a b\"' --count                    as grep -F would\n  \
    gzette search --group abcdefgh2345 --output json              one error group\n\
    On a terminal the newest 200 lines are shown; into a file or a pipe go all.")]
pub(super) struct Args {
    /// Words, "exact substrings", /regexes/, prefix*, field:value, joined by AND, OR, NOT and parentheses
    #[arg(value_name = "TEXT")]
    text: Vec<OsString>,
    /// Take each argument as bytes, as grep -F would
    #[arg(short = 'F', long)]
    fixed: bool,
    /// With --fixed: ignore the case of ASCII letters, as grep -iF would
    #[arg(short, long, requires = "fixed")]
    ignore_case: bool,
    #[command(flatten)]
    filter: Filter,
    /// Only the newest N lines; 0 for all; not used with --count
    #[arg(short = 'n', long, value_name = "N")]
    limit: Option<usize>,
    /// Print only the number of lines
    #[arg(short, long)]
    count: bool,
    /// How lines are printed
    #[arg(short, long, value_name = "FORMAT", value_enum, default_value = "raw")]
    output: Output,
}

/// How lines are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Output {
    /// The line itself
    Raw,
    /// One JSON object a line: time, level, app, object, line, raw
    Json,
    /// Time, level, application, object and line, then the line
    Table,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let ledger = project.ledger_read_only()?;
    let request = request(args, context)?;
    let (index, mirror, settings) = (project.index(), project.mirror(), project.ingest_settings());
    let library = Library { ledger: &ledger, index: index.as_ref(), mirror: &mirror, settings: &settings };
    let output = if context.global.json { Output::Json } else { args.output };
    let mut failure = None;
    let report = search(&library, &request, &mut |hit| match print(&context.ui, output, &hit) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            failure = Some(error);
            ControlFlow::Break(())
        }
    })?;
    if let Some(error) = failure {
        return Err(error.into());
    }
    finish(args, context, &request, &report)
}

fn request(args: &Args, context: &Context) -> Result<Request, CommandError> {
    let chosen = args.filter.chosen(context)?;
    let expr = expr(args, &context.ui)?;
    let on_screen = context.ui.is_terminal() && !args.count;
    let limit = args.limit.or(on_screen.then_some(SCREEN_LINES)).filter(|&limit| limit > 0);
    Ok(Request {
        expr,
        apps: chosen.apps,
        levels: chosen.levels,
        window: chosen.window,
        group: chosen.group,
        limit: limit.filter(|_| !args.count),
        count_only: args.count,
    })
}

/// Reads what is searched for.
fn expr(args: &Args, ui: &Ui) -> Result<Expr, Failure> {
    let needles = args.text.iter().map(|text| text.as_bytes());
    if args.fixed {
        let fixed = if args.ignore_case { Expr::fixed_ignoring_case(needles) } else { Expr::fixed(needles) };
        return fixed.map_err(Failure::usage);
    }
    let text = words(&args.text)?;
    if let Some(word) = lower_case_operator(&text) {
        ui.note(&format!("`{word}` is searched as a word; the operator is `{}`", word.to_uppercase()));
    }
    Expr::parse(&text).map_err(|error| {
        let hint = error.hint.clone().unwrap_or_else(|| SHELL_HINT.to_owned());
        Failure::usage(error).hint(hint)
    })
}

/// Returns the arguments as one text.
fn words(args: &[OsString]) -> Result<String, Failure> {
    let words: Option<Vec<_>> = args.iter().map(|text| text.to_str()).collect();
    words
        .map(|words| words.join(" "))
        .ok_or_else(|| Failure::usage("the text to search for is no UTF-8").hint("--fixed takes any bytes"))
}

fn print(ui: &Ui, output: Output, hit: &Hit) -> Result<(), OutputError> {
    match output {
        Output::Raw if ui.is_terminal() => ui.result(&visible(&hit.raw)),
        Output::Raw => ui.result_bytes(&hit.raw).and_then(|()| ui.result_bytes(b"\n")),
        Output::Json => ui.result(
            &serde_json::json!({
                "time": human::time(hit.time_ms),
                "level": hit.level,
                "app": hit.app,
                "object": hit.object,
                "line": hit.line,
                "raw": String::from_utf8_lossy(&hit.raw),
            })
            .to_string(),
        ),
        Output::Table => {
            let place = format!("{}:{}", hit.object, hit.line);
            let head = format!("{}  {:<7}  {}  {place}", human::time(hit.time_ms), hit.level, hit.app);
            ui.result(&ui.bold(&visible(head.as_bytes())))?;
            ui.result(&format!("    {}", visible(&hit.raw)))
        }
    }
}

fn finish(
    args: &Args,
    context: &Context,
    request: &Request,
    report: &SearchReport,
) -> Result<Exit, CommandError> {
    let ui = &context.ui;
    if args.count {
        let count = report.hits.to_string();
        ui.result(&if context.global.json { format!("{{\"lines\": {count}}}") } else { count })?;
    }
    ui.flush()?;
    let read = format!(
        "{} of {} read, {} of {}",
        human::count(report.objects_read),
        human::plural(report.objects, "object"),
        human::count(report.blocks_read),
        human::plural(report.blocks, "block"),
    );
    if ui.is_terminal() && !args.count {
        let shown = request.limit.map_or(report.hits, |limit| report.hits.min(limit as u64));
        let more = if shown < report.hits || request.limit.is_some_and(|limit| shown == limit as u64) {
            "the newest "
        } else {
            ""
        };
        ui.stage("search", &format!("{more}{}; {read}", human::plural(shown, "line")));
    } else {
        ui.detail(&read);
    }
    if report.duplicates > 0 {
        let objects = human::plural(report.duplicates, "object");
        ui.detail(&format!("{objects} passed over: another holds the same records"));
    }
    for (place, reason) in &report.unreadable {
        ui.warn(&format!("{place}: {reason}"));
    }
    Ok(if report.unreadable.is_empty() { Exit::Fine } else { Exit::Partly })
}
