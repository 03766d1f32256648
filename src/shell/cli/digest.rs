//! `gzette digest`: the mail of what changed.

use super::CommandError;
use super::context::Context;
use crate::flows::digest::Delivery;
use crate::flows::run::Delivered;
use crate::shell::error::Exit;
use gzette_core::human;

/// The arguments of `gzette digest`.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Sends the mail of each [[digest]] that is due, and retries every waiting mail, even during its pause.\n\
    To read the mail without sending it:  gzette digest --print"
)]
pub(super) struct Args {
    /// Print the text of the mail and send nothing
    #[arg(long)]
    print: bool,
    /// Also send mails that were given up after days of failures
    #[arg(long, conflicts_with = "print")]
    retry: bool,
}

pub(super) fn run(args: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let stages = context.stages(&project)?;
    if args.print {
        let mail = stages.preview()?;
        if context.global.json {
            let json = serde_json::json!({ "subject": mail.subject, "text": mail.text });
            context.ui.result_json(&json)?;
        } else {
            context.ui.result(&format!("Subject: {}\n\n{}", mail.subject, mail.text))?;
        }
        return Ok(Exit::Fine);
    }
    let delivered = stages.digest(args.retry)?;
    if context.global.json {
        let each: Vec<_> = delivered.iter().map(json).collect();
        context.ui.result_json(&each)?;
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
            "waiting": delivery.pending(),
            "since": delivery.waiting.as_ref().map(|waiting| human::time(waiting.since_ms)),
            "next_try": delivery.waiting.as_ref().map(|waiting| human::time(waiting.next_try_ms)),
            "given_up": delivery.given_up.len(),
            "error": reason(delivery),
        }),
        Err(error) => serde_json::json!({
            "name": name, "subject": null, "sent": 0, "waiting": 0, "since": null, "next_try": null, "given_up": 0,
            "error": error.to_string(),
        }),
    }
}

/// Returns why mails wait, else why one was given up or was refused.
fn reason(delivery: &Delivery) -> Option<String> {
    let waiting = delivery.waiting.as_ref().map(|waiting| waiting.reason.clone());
    let failure = || delivery.failures.first().map(ToString::to_string);
    let given_up = || delivery.given_up.first().and_then(|mail| mail.wait.failure.clone());
    let refused =
        || delivery.refused.first().map(|refusal| format!("{}: {}", refusal.recipient, refusal.reason));
    waiting.or_else(failure).or_else(given_up).or_else(refused)
}
