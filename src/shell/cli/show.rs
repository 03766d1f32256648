//! `gzette show`: one line of an object, with its event and the lines around it.

use std::path;

use super::CommandError;
use super::context::Context;
use super::remote::Remote;
use super::search::AroundArgs;
use super::search::output::Found;
use crate::edges::ledger::GenerationRow;
use crate::flows::search::{Library, ShowError, Shown, object_at, show};
use crate::shell::error::{Exit, Failure};
use crate::shell::project::Project;
use crate::shell::ui::{OutputError, Ui, write_json};
use gzette_core::human;
use gzette_core::model::ObjectVersion;
use gzette_core::visible::terminal;

/// The default number of lines before and after an event.
const AROUND_LINES: u64 = 5;

/// How often the ledger is looked at, when a run beside the command replaces the object.
const LOOKS: u32 = 20;

/// The arguments of `gzette show`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    gzette search timeout --open --limit 1                        prints a place\n  \
    gzette show s3://logs/checkout-api/20260131/pod_7.gz:1203 -C 20\n  \
    gzette show logs/checkout-api/20260131/pod_7.gz:1203 --json\n\
    `>` marks the line, `|` the other lines of its event; an event is shown whole.")]
pub(super) struct Args {
    /// The object and the line number: `s3://bucket/key:LINE`, or a path for a folder source
    #[arg(value_name = "OBJECT:LINE", value_parser = parse_place)]
    place: (String, u64),
    #[command(flatten)]
    around: AroundArgs,
    /// Fetch nothing: an object that was pruned from the mirror cannot be shown
    #[arg(long)]
    offline: bool,
}

fn parse_place(text: &str) -> Result<(String, u64), String> {
    let found = text.rsplit_once(':').and_then(|(object, line)| {
        let line = line.parse().ok().filter(|&line| line > 0)?;
        (!object.is_empty()).then(|| (object.to_owned(), line))
    });
    found.ok_or_else(|| {
        format!("`{text}` is not an object with a line; write OBJECT:LINE with lines from 1, as `gzette search --open` prints it")
    })
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let ledger = project.ledger_read_only()?;
    let (index, mirror, settings) = (project.index(&ledger)?, project.mirror(), project.ingest_settings());
    let remote = Remote::new(&project, args.offline);
    let fetch = |object: &ObjectVersion| remote.fetch(object);
    let library = Library {
        ledger: &ledger,
        index: index.as_ref(),
        mirror: &mirror,
        fetch: Some(&fetch),
        settings: &settings,
        progress: None,
    };
    let mut looks = LOOKS;
    while !print_line(args, context, &library, &project, looks == 1)? {
        looks -= 1;
    }
    context.ui.flush()?;
    remote.tell(&context.ui);
    Ok(Exit::Fine)
}

/// Prints the line and the lines around it. Returns `false`, with nothing printed, if a run replaced the object meanwhile.
fn print_line(
    args: &Args,
    context: &Context,
    library: &Library<'_>,
    project: &Project,
    is_last_look: bool,
) -> Result<bool, CommandError> {
    let (object, line) = &args.place;
    let row = find(library, object, project)?;
    let mut failure = None;
    let result = show(library, &row, *line, args.around.lines(AROUND_LINES), &mut |shown| {
        failure = print(context, &shown).err();
        failure.is_none()
    });
    match (failure, result) {
        (Some(error), _) => Err(error.into()),
        (None, Err(ShowError::Replaced)) if !is_last_look => Ok(false),
        (None, result) => result.map(|()| true).map_err(|error| refused(&row, *line, error)),
    }
}

/// Finds an object by its place; a path may be relative to the working directory.
fn find(library: &Library<'_>, object: &str, project: &Project) -> Result<GenerationRow, CommandError> {
    if let Some(row) = object_at(library, object)? {
        return Ok(row);
    }
    let absolute = path::absolute(object).ok().filter(|_| !object.contains("://"));
    if let Some(absolute) = absolute.as_deref().and_then(path::Path::to_str)
        && let Some(row) = object_at(library, absolute)?
    {
        return Ok(row);
    }
    let message = format!("no object `{object}` was ingested, or its retention has expired");
    let sources: Vec<_> = project.config.sources.iter().map(|source| format!("`{}`", source.url)).collect();
    let hint = format!(
        "the sources are {}; `gzette search --open` prints objects and lines, `gzette status` shows what is still unread",
        sources.join(", ")
    );
    Err(Failure::failed(message).hint(hint).into())
}

fn refused(row: &GenerationRow, line: u64, error: ShowError) -> CommandError {
    let place = row.place();
    let failure = match error {
        ShowError::Search(error) => return error.into(),
        ShowError::Beyond { lines } => {
            let lines = human::plural(lines, "line");
            Failure::failed(format!("`{place}` has no line {line}")).hint(format!("it has {lines}"))
        }
        ShowError::Replaced => {
            Failure::failed(format!("`{place}`: {error}")).hint("a run is at work: try again")
        }
        ShowError::Io(error) => Failure::failed(format!("`{place}`: {error}")).hint(
            "`gzette status` shows what the mirror lacks; without --offline, it is fetched from its source",
        ),
    };
    failure.into()
}

fn print(context: &Context, shown: &Shown) -> Result<(), OutputError> {
    let ui = &context.ui;
    if context.global.json {
        let mut json = serde_json::json!(Found::of(&shown.line, true));
        json["event"] = shown.in_event.into();
        return ui.results(|out| {
            write_json(out, &json)?;
            out.write_all(b"\n")
        });
    }
    ui.result(&text(ui, shown))
}

fn text(ui: &Ui, shown: &Shown) -> String {
    let (line, raw) = (shown.line.line, terminal(&shown.line.raw));
    let mark = match shown {
        shown if shown.line.is_match => '>',
        shown if shown.in_event => '|',
        _ => ' ',
    };
    let text = format!("{mark} {line:>6}  {raw}");
    if shown.line.is_match {
        ui.bold(&text).into_owned()
    } else if shown.in_event {
        text
    } else {
        ui.dim(&text).to_string()
    }
}
