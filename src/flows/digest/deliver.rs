//! From a view to a sent mail. First the outbox row, then the sending, then the mark: a crash between the
//! last two sends the mail a second time under the same Message-ID, never not at all.

use super::patience::{Tries, because, if_broken_off, turns, wait_after};
use super::{DigestError, DigestSettings, eml, plan, render_with};
use crate::edges::ledger::{Ledger, MailCause, MailWait, NewMail, PendingMail, UnsentMail};
use crate::edges::mail::{self, Letter, MailError, Receipt, Refusal, Transport};
use crate::flows::report::View;
use gzette_core::model::UtcMs;

/// The outcome of a run's mails.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// The subject of the mail that was due in this run; `None` when none was.
    pub due: Option<String>,
    /// Mails sent.
    pub sent: usize,
    /// Mails that wait, and for what.
    pub waiting: Option<Waiting>,
    /// Mails that were given up and that no mail has told of yet.
    pub given_up: Vec<UnsentMail>,
    /// Recipients who were refused a mail that others have; those with `again` get it with a later try.
    pub refused: Vec<Refusal>,
    /// Why mails were not sent in this run.
    pub failures: Vec<MailError>,
}

/// The mails of a digest that wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// How many.
    pub mails: usize,
    /// Since when the first of them does.
    pub since_ms: UtcMs,
    /// When the next of them is tried.
    pub next_try_ms: UtcMs,
    /// Why the first of them waits.
    pub reason: String,
}

impl Delivery {
    /// Returns whether every due mail was sent, and every loss reported.
    pub fn is_complete(&self) -> bool {
        self.waiting.is_none() && self.given_up.is_empty() && self.refused.is_empty()
    }

    /// Returns how many mails wait.
    pub fn pending(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.mails)
    }
}

/// Puts the mail of the view into the outbox if one is due, and sends those that wait there for this digest.
pub async fn deliver(
    ledger: &mut Ledger,
    view: &View,
    settings: &DigestSettings,
    transport: &dyn Transport,
    tries: Tries,
) -> Result<Delivery, DigestError> {
    settings.check()?;
    let settings = DigestSettings { installation: ledger.installation()?, ..settings.clone() };
    let due = enqueue(ledger, view, &settings)?;
    let delivery = send_pending(ledger, &settings, transport, view.now_ms, tries).await?;
    Ok(Delivery { due, ..delivery })
}

/// Sends what waits in the outbox for this digest and is to be tried now.
pub async fn send_pending(
    ledger: &mut Ledger,
    settings: &DigestSettings,
    transport: &dyn Transport,
    now_ms: UtcMs,
    tries: Tries,
) -> Result<Delivery, DigestError> {
    let pending = ledger.pending_mails(&settings.name)?;
    let setting = mail::mark_of(&[&transport.mark(), &settings.from, &settings.to.join("\n")]);
    let mails: Vec<_> = pending.iter().map(|pending| &pending.mail).collect();
    let turns = turns(&mails, &setting, now_ms, tries);
    let mut desk = Desk { ledger, settings, transport, now_ms, setting, delivery: Delivery::default() };
    // What would fail the same way for the next mail is not tried again in this run.
    let mut failure = None;
    for (mail, _) in pending.iter().zip(turns).filter(|(_, is_turn)| *is_turn) {
        match &failure {
            None => failure = desk.try_to_send(mail).await?,
            Some(error) => desk.postpone(mail, error)?,
        }
    }
    desk.hold_back()?;
    desk.close()
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
    let mail = render_with(view, settings, &due.news);
    let eml = eml(&mail, settings, view.now_ms, &due)?;
    let given_up = view.completeness.mails.iter().filter(|mail| mail.is_given_up && !mail.is_told);
    let tells: Vec<i64> = given_up.map(|mail| mail.id).collect();
    let is_new = ledger.enqueue_mail(&NewMail {
        digest: &settings.name,
        message_id: &due.message_id,
        subject: &mail.subject,
        eml: &eml,
        created_ms: view.now_ms,
        memory: &due.memory,
        tells: &tells,
    })?;
    Ok(is_new.then_some(mail.subject))
}

/// Where the mails of a digest are sent from.
struct Desk<'d> {
    ledger: &'d mut Ledger,
    settings: &'d DigestSettings,
    transport: &'d dyn Transport,
    now_ms: UtcMs,
    setting: String,
    delivery: Delivery,
}

impl Desk<'_> {
    /// Sends a mail. Returns why none of the others can be sent either.
    async fn try_to_send(&mut self, pending: &PendingMail) -> Result<Option<MailError>, DigestError> {
        let mail = &pending.mail;
        let wait = wait_after(mail, &self.setting, self.now_ms);
        // Counted as failed before it is made: a process that dies in it cannot try the same mail for ever.
        self.ledger.begin_sending(mail.id, &if_broken_off(&wait, self.now_ms))?;
        match self.send(pending).await? {
            Ok(receipt) => self.taken(pending, wait, receipt)?,
            Err(error) => {
                self.ledger.keep_waiting(mail.id, &because(wait, &error, self.now_ms))?;
                self.delivery.failures.push(error.clone());
                return Ok(error.kind.is_for_all().then_some(error));
            }
        }
        Ok(None)
    }

    async fn send(&self, pending: &PendingMail) -> Result<Result<Receipt, MailError>, DigestError> {
        let to = remaining(pending, self.settings)?;
        // Every remaining recipient was taken out of the configuration: nothing is left to send, and the mail is done.
        if to.is_empty() {
            return Ok(Ok(Receipt::default()));
        }
        let from = mail::mailbox(&self.settings.from)?.email;
        let letter = Letter {
            from: from.as_ref(),
            to: &to,
            message_id: &pending.mail.message_id,
            created_ms: pending.mail.created_ms,
            eml: &pending.eml,
        };
        Ok(self.transport.send(letter).await)
    }

    /// Marks a mail as sent, unless a recipient is to get it later.
    fn taken(&mut self, pending: &PendingMail, wait: MailWait, receipt: Receipt) -> Result<(), DigestError> {
        let id = pending.mail.id;
        let refused = words(&receipt.refused);
        let again = |address: &String| receipt.refused.iter().any(|r| r.again && r.recipient == *address);
        if receipt.refused.iter().any(|refusal| refusal.again) {
            // Who refused for good is left out of the next try like those who have the mail.
            let mut taken_by = pending.taken_by.clone();
            taken_by.extend(remaining(pending, self.settings)?.into_iter().filter(|to| !again(to)));
            self.ledger.set_taken_by(id, &taken_by)?;
            let cause = MailCause::Later;
            self.ledger.keep_waiting(id, &MailWait { cause, failure: Some(refused), ..wait })?;
        } else {
            let refused = (!receipt.refused.is_empty()).then_some(refused);
            self.ledger.mark_mail_sent(id, self.now_ms, refused.as_deref())?;
            self.delivery.sent += 1;
        }
        self.delivery.refused.extend(receipt.refused);
        Ok(())
    }

    /// Has a mail wait because the one before it found the way closed.
    fn postpone(&mut self, pending: &PendingMail, error: &MailError) -> Result<(), DigestError> {
        let mail = &pending.mail;
        let wait = wait_after(mail, &self.setting, self.now_ms);
        Ok(self.ledger.begin_sending(mail.id, &because(wait, error, self.now_ms))?)
    }

    /// Has mails that were not tried yet wait like the one before them.
    fn hold_back(&mut self) -> Result<(), DigestError> {
        let pending = self.ledger.pending_mails(&self.settings.name)?;
        let mails = pending.iter().map(|pending| &pending.mail);
        let Some(barred) = mails.clone().rfind(|mail| mail.wait.first_failed_ms.is_some()) else {
            return Ok(());
        };
        for mail in mails.filter(|mail| mail.wait.first_failed_ms.is_none()) {
            let first_failed_ms = Some(self.now_ms);
            self.ledger.keep_waiting(mail.id, &MailWait { first_failed_ms, ..barred.wait.clone() })?;
        }
        Ok(())
    }

    /// Returns the outcome.
    fn close(self) -> Result<Delivery, DigestError> {
        let name = &self.settings.name;
        let unsent = self.ledger.unsent_mails()?.into_iter().filter(|mail| mail.digest == *name);
        let (given_up, waiting): (Vec<_>, Vec<_>) = unsent.partition(|mail| mail.wait.given_up_ms.is_some());
        Ok(Delivery {
            waiting: Waiting::of(&waiting),
            given_up: given_up.into_iter().filter(|mail| !mail.is_told).collect(),
            ..self.delivery
        })
    }
}

impl Waiting {
    fn of(mails: &[UnsentMail]) -> Option<Self> {
        let first = mails.first()?;
        let next_try_ms = mails.iter().map(|mail| mail.wait.next_try_ms).min();
        Some(Self {
            mails: mails.len(),
            since_ms: first.wait.first_failed_ms.unwrap_or(first.created_ms),
            next_try_ms: next_try_ms.unwrap_or(first.wait.next_try_ms),
            reason: first.wait.failure.clone().unwrap_or_default(),
        })
    }
}

/// Returns the addresses that do not have the mail yet.
fn remaining(pending: &PendingMail, settings: &DigestSettings) -> Result<Vec<String>, DigestError> {
    let mut to = Vec::new();
    for recipient in &settings.to {
        let address = mail::mailbox(recipient)?.email.to_string();
        if !pending.taken_by.contains(&address) && !to.contains(&address) {
            to.push(address);
        }
    }
    Ok(to)
}

fn words(refused: &[Refusal]) -> String {
    let each: Vec<String> =
        refused.iter().map(|refusal| format!("{}: {}", refusal.recipient, refusal.reason)).collect();
    each.join("; ")
}
