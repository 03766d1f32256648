//! From a view to a sent mail. First the outbox row, then the sending, then the mark: a crash between the
//! last two sends the mail a second time under the same Message-ID, never not at all.

use super::{DigestError, DigestSettings, eml, plan, render};
use crate::ledger::{Ledger, NewMail, PendingMail};
use crate::mail::{self, Letter, MailError, MailErrorKind, Receipt, Refusal, Transport};
use crate::model::UtcMs;
use crate::report::View;

/// How often a mail is tried before it is given up.
pub const MAX_ATTEMPTS: u32 = 5;

/// What came of a run's mails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The subject of the mail that was due in this run; `None` when none was.
    pub due: Option<String>,
    /// Mails sent.
    pub sent: usize,
    /// Mails that wait for the next run.
    pub pending: usize,
    /// Mails given up in this run, by Message-ID.
    pub given_up: Vec<String>,
    /// Recipients who were refused a mail that others have; those with `again` get it with a later try.
    pub refused: Vec<Refusal>,
    /// Why mails wait or were given up.
    pub failures: Vec<MailError>,
}

impl Delivery {
    /// Returns whether everything that was to be sent is sent.
    pub fn is_complete(&self) -> bool {
        self.pending == 0 && self.given_up.is_empty() && self.refused.is_empty()
    }
}

/// Puts the mail of the view into the outbox if one is due, and sends all that wait there for this digest.
pub async fn deliver(
    ledger: &mut Ledger,
    view: &View,
    settings: &DigestSettings,
    transport: &dyn Transport,
) -> Result<Delivery, DigestError> {
    settings.check()?;
    let due = enqueue(ledger, view, settings)?;
    let delivery = send_pending(ledger, settings, transport, view.now_ms).await?;
    Ok(Delivery { due, ..delivery })
}

/// Sends what waits in the outbox for this digest.
pub async fn send_pending(
    ledger: &mut Ledger,
    settings: &DigestSettings,
    transport: &dyn Transport,
    now_ms: UtcMs,
) -> Result<Delivery, DigestError> {
    let mut delivery = Delivery::default();
    let mut is_reachable = true;
    for mail in ledger.pending_mails(&settings.name, MAX_ATTEMPTS)? {
        if !is_reachable {
            delivery.pending += 1;
            continue;
        }
        ledger.begin_sending(mail.id)?;
        let outcome = send(&mail, settings, transport).await?;
        // What would fail the same way for the next mail is not tried again in this run.
        is_reachable = !matches!(&outcome, Err(error) if error.kind != MailErrorKind::Refused);
        settle(ledger, &mail, settings, outcome, now_ms, &mut delivery)?;
    }
    Ok(delivery)
}

fn enqueue(
    ledger: &mut Ledger,
    view: &View,
    settings: &DigestSettings,
) -> Result<Option<String>, DigestError> {
    let memory = ledger.digest_memory(&settings.name)?;
    let Some(due) = plan(view, settings, memory.as_deref()) else {
        return Ok(None);
    };
    let mail = render(view, settings);
    let eml = eml(&mail, settings, view.now_ms, &due)?;
    let is_new = ledger.enqueue_mail(&NewMail {
        digest: &settings.name,
        message_id: &due.message_id,
        eml: &eml,
        created_ms: view.now_ms,
        memory: &due.memory,
    })?;
    Ok(is_new.then_some(mail.subject))
}

async fn send(
    mail: &PendingMail,
    settings: &DigestSettings,
    transport: &dyn Transport,
) -> Result<Result<Receipt, MailError>, DigestError> {
    let to = remaining(mail, settings)?;
    if to.is_empty() {
        return Ok(Ok(Receipt::default()));
    }
    let from = mail::mailbox(&settings.from)?.email;
    let letter = Letter {
        from: from.as_ref(),
        to: &to,
        message_id: &mail.message_id,
        created_ms: mail.created_ms,
        eml: &mail.eml,
    };
    Ok(transport.send(letter).await)
}

/// Returns the addresses that do not have the mail yet.
fn remaining(mail: &PendingMail, settings: &DigestSettings) -> Result<Vec<String>, DigestError> {
    let mut to = Vec::new();
    for recipient in &settings.to {
        let address = mail::mailbox(recipient)?.email.to_string();
        if !mail.taken_by.contains(&address) && !to.contains(&address) {
            to.push(address);
        }
    }
    Ok(to)
}

fn settle(
    ledger: &mut Ledger,
    mail: &PendingMail,
    settings: &DigestSettings,
    outcome: Result<Receipt, MailError>,
    now_ms: UtcMs,
    delivery: &mut Delivery,
) -> Result<(), DigestError> {
    let is_last = mail.attempts + 1 >= MAX_ATTEMPTS;
    match outcome {
        Ok(receipt) if is_last || !receipt.refused.iter().any(|refusal| refusal.again) => {
            let refused = (!receipt.refused.is_empty()).then(|| words(&receipt.refused));
            ledger.mark_mail_sent(mail.id, now_ms, refused.as_deref())?;
            delivery.sent += 1;
            delivery.refused.extend(receipt.refused);
            return Ok(());
        }
        Ok(receipt) => {
            // Who refused for good is left out of the next try like those who have the mail.
            let again = |address: &String| receipt.refused.iter().any(|r| r.again && r.recipient == *address);
            let mut taken_by = mail.taken_by.clone();
            taken_by.extend(remaining(mail, settings)?.into_iter().filter(|to| !again(to)));
            ledger.mark_mail_failed(mail.id, &words(&receipt.refused), &taken_by)?;
            delivery.refused.extend(receipt.refused);
        }
        Err(error) => {
            ledger.mark_mail_failed(mail.id, &error.to_string(), &mail.taken_by)?;
            delivery.failures.push(error);
        }
    }
    if is_last {
        delivery.given_up.push(mail.message_id.clone());
    } else {
        delivery.pending += 1;
    }
    Ok(())
}

fn words(refused: &[Refusal]) -> String {
    let each: Vec<String> =
        refused.iter().map(|refusal| format!("{}: {}", refusal.recipient, refusal.reason)).collect();
    each.join("; ")
}
