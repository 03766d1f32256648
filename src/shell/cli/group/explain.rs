//! `gzette group explain`: which group an event is in, and why.

use std::borrow::Cow;
use std::io::{self, Read};

use crate::shell::cli::CommandError;
use crate::shell::cli::context::Context;
use crate::shell::error::{Exit, Failure};
use crate::shell::ui::Ui;
use gzette_core::group::{ExplainedException, Explanation};
use gzette_core::model::{AppName, GroupKind};
use gzette_core::partial::{About, EventExplanation, explain_event};
use gzette_core::visible::terminal;

/// No more of a text is printed, in characters.
const SHOWN_CHARS: usize = 4000;
/// More than this is not an event.
const MAX_BYTES: u64 = 1 << 20;

/// The arguments of `gzette group explain`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Reads one event: its first line as in the log (JSON, LTSV, text), and the lines that belong to it.\n\
    Examples:\n  \
    echo 'order 4711 not found' | gzette group explain --message\n  \
    gzette search --group hyc3xeyydbrx -n 1 | gzette group explain\n\
    With a configuration, `[grouping]` and `[[group]]` apply, and lines are read as lines of its first source."
)]
pub(super) struct Args {
    /// The application of the event, for custom groups that use it
    #[arg(long, value_name = "APP")]
    app: Option<AppName>,
    /// Take the text as the event's message, not as a log line
    #[arg(long)]
    message: bool,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let mut text = Vec::new();
    io::stdin().lock().take(MAX_BYTES).read_to_end(&mut text)?;
    let settings = context.read_settings()?;
    let app = args.app.clone().unwrap_or_default();
    let about = About { app: &app, ..About::default() };
    let explained = explain_event(&text, args.message, &settings, &about);
    let Some(explained) = explained else {
        let failure = Failure::usage("the text on stdin is not an event");
        return Err(failure.hint("`--message` takes it as a message").into());
    };
    if context.global.json {
        context.ui.result_json(&json(&explained))?;
    } else {
        print(&context.ui, &explained)?;
    }
    Ok(Exit::Fine)
}

fn print(ui: &Ui, event: &EventExplanation) -> Result<(), CommandError> {
    let Explanation { text, template, masked, exceptions, group: base } = &event.explanation;
    let row = |name: &str, text: &str| ui.result(&format!("{name:<9} {}", terminal(text)));
    let group = &event.group;
    ui.result(&ui.bold(&format!("{:<9} {}", "group", group.id)))?;
    row("title", &group.title)?;
    row("level", event.level.name())?;
    match &event.custom {
        Some(name) => {
            row("decided", &format!("by the custom group `{name}`; without it, group {}", base.id))?;
        }
        None => row("decided", decided_by(base.kind))?,
    }
    if !event.is_counted {
        let why = "no: an event of this level without a stack trace is not an error";
        row("counted", why)?;
    }
    row("text", &beginning(text))?;
    row("template", &beginning(template))?;
    if !masked.is_empty() {
        row("masked", &beginning(&masked.join(" | ")))?;
    }
    exceptions.iter().try_for_each(|exception| print_exception(ui, exception))
}

/// As much of a text as a person looks at.
fn beginning(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((at, _)) => format!("{}…", &text[..at]).into(),
        None => text.into(),
    }
}

fn decided_by(kind: GroupKind) -> &'static str {
    match kind {
        GroupKind::Message => "by the template of the message",
        GroupKind::Trace => "by the types of the exceptions and the frames marked with >",
        GroupKind::Exception => "by the type of the exception and the template of its message",
        GroupKind::Custom => "by a custom group",
    }
}

fn print_exception(ui: &Ui, exception: &ExplainedException) -> Result<(), CommandError> {
    let kind = if exception.kind.is_empty() { "(no type)" } else { &exception.kind };
    ui.result(&format!("{:<9} {}", "exception", terminal(kind)))?;
    for frame in &exception.frames {
        let mark = if frame.decides { '>' } else { ' ' };
        let whose = if frame.is_own { "own" } else { "" };
        ui.result(&format!("        {mark} {whose:<3} {}", terminal(&frame.name)))?;
    }
    Ok(())
}

fn json(event: &EventExplanation) -> serde_json::Value {
    let Explanation { text, template, masked, exceptions, group: base } = &event.explanation;
    let exceptions: Vec<_> = exceptions
        .iter()
        .map(|exception| {
            let frames: Vec<_> = exception
                .frames
                .iter()
                .map(|frame| {
                    serde_json::json!({ "name": frame.name, "own": frame.is_own, "decides": frame.decides })
                })
                .collect();
            serde_json::json!({ "type": exception.kind, "frames": frames })
        })
        .collect();
    serde_json::json!({
        "id": event.group.id.to_string(),
        "kind": event.group.kind.name(),
        "title": event.group.title,
        "level": event.level,
        "counted": event.is_counted,
        "custom": event.custom,
        "built_in_id": base.id.to_string(),
        "text": text,
        "template": template,
        "masked": masked,
        "exceptions": exceptions,
    })
}
