//! Mails that wait or were given up, as commands tell them: in words and as JSON.

use crate::edges::ledger::UnsentMail;
use crate::flows::digest::Waiting;
use gzette_core::human;
use gzette_core::model::UtcMs;

/// What can be done about a mail that was given up.
pub(super) const RETRY: &str = "`gzette digest --retry` sends what was given up";

/// Returns ``2 mails wait since 2026-03-01T12:00:00.000Z (2 hours), next try at 2026-03-01T14:20:00.000Z: mail by …``.
pub(super) fn waiting(waiting: &Waiting, now_ms: UtcMs) -> String {
    let Waiting { mails, since_ms, next_try_ms, reason } = waiting;
    let wait = if *mails == 1 { "1 mail waits".to_owned() } else { format!("{mails} mails wait") };
    format!("{wait} {}: {reason}", span(*since_ms, *next_try_ms, now_ms))
}

/// Returns the same of one mail.
pub(super) fn told(mail: &UnsentMail, now_ms: UtcMs) -> String {
    if mail.wait.given_up_ms.is_some() {
        return format!("{}: {}", mail.digest, given_up(mail, now_ms));
    }
    let (digest, subject) = (&mail.digest, subject(mail));
    let reason = mail.wait.failure.as_deref().unwrap_or("it was not tried yet");
    let since_ms = mail.wait.first_failed_ms.unwrap_or(mail.created_ms);
    format!("{digest}: {subject} waits {}: {reason}", span(since_ms, mail.wait.next_try_ms, now_ms))
}

/// Returns that a mail is not tried any more, and why.
pub(super) fn given_up(mail: &UnsentMail, now_ms: UtcMs) -> String {
    let reason = mail.wait.failure.as_deref().unwrap_or("no reason is known");
    let age = human::duration((now_ms - mail.created_ms).max(0));
    format!("{} of {} ({age} ago) was given up: {reason}", subject(mail), human::time(mail.created_ms))
}

/// Returns a mail as JSON.
pub(super) fn json(mail: &UnsentMail) -> serde_json::Value {
    let wait = &mail.wait;
    let is_given_up = wait.given_up_ms.is_some();
    serde_json::json!({
        "digest": mail.digest,
        "subject": mail.subject,
        "message_id": mail.message_id,
        "made": human::time(mail.created_ms),
        "tries": mail.attempts,
        "since": wait.first_failed_ms.map(human::time),
        "next_try": (!is_given_up).then(|| human::time(wait.next_try_ms.max(mail.created_ms))),
        "given_up": wait.given_up_ms.map(human::time),
        "reason": wait.failure,
    })
}

fn span(since_ms: UtcMs, next_try_ms: UtcMs, now_ms: UtcMs) -> String {
    let age = human::duration((now_ms - since_ms).max(0));
    let next = if next_try_ms <= now_ms {
        "next try with the next run".to_owned()
    } else {
        format!("next try after {}", human::time(next_try_ms))
    };
    format!("since {} ({age}), {next}", human::time(since_ms))
}

fn subject(mail: &UnsentMail) -> String {
    if mail.subject.is_empty() { "a mail".to_owned() } else { format!("`{}`", mail.subject) }
}
