//! `gzette digest`: the mail of what changed.

use super::CommandError;
use super::context::{Context, runtime};
use crate::digest;
use crate::error::{Exit, Failure};
use crate::run::Delivered;

/// The arguments of `gzette digest`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Sends the mail of each [[digest]] that is due, and those that wait.\n\
    To read what it would say without sending:  gzette digest --print")]
pub(super) struct Args {
    /// Print the text of the mail and send nothing
    #[arg(long)]
    print: bool,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let stages = context.stages(&project)?;
    if args.print {
        let view = stages.pipeline().view(&project.ledger_read_only()?, None).map_err(Failure::from)?;
        let plan = stages.settings.digests.first().map(|plan| plan.settings.clone()).unwrap_or_default();
        let mail = digest::render(&view, &plan);
        context.ui.result(&if context.global.json {
            serde_json::json!({ "subject": mail.subject, "text": mail.text }).to_string()
        } else {
            format!("Subject: {}\n\n{}", mail.subject, mail.text)
        })?;
        return Ok(Exit::Fine);
    }
    if stages.settings.digests.is_empty() {
        return Err(Failure::usage("there is no `[[digest]]`")
            .hint("`gzette init` writes an example")
            .into());
    }
    let _lock = context.lock(&project.state, "digest")?;
    let mut ledger = project.ledger()?;
    let view = stages.pipeline().view(&ledger, None).map_err(Failure::from)?;
    let delivered = stages.pipeline().deliver(&runtime()?, &mut ledger, &view).map_err(Failure::from)?;
    if context.global.json {
        let each = delivered.iter().map(json).collect();
        context.ui.result(&serde_json::Value::Array(each).to_string())?;
    }
    let is_complete = delivered.iter().all(Delivered::is_complete);
    Ok(if is_complete { Exit::Fine } else { Exit::Partly })
}

fn json(delivered: &Delivered) -> serde_json::Value {
    let name = &delivered.digest;
    match &delivered.result {
        Ok(delivery) => serde_json::json!({
            "name": name,
            "subject": delivery.due,
            "sent": delivery.sent,
            "waiting": delivery.pending,
            "error": delivery.failures.first().map(ToString::to_string),
        }),
        Err(error) => serde_json::json!({
            "name": name, "subject": null, "sent": 0, "waiting": 0, "error": error.to_string(),
        }),
    }
}
