//! Mails on their way: the row comes first, the sending after, the mark last. A try is counted before it
//! is made, so that a process that dies in it cannot send a mail without end.

use rusqlite::{OptionalExtension as _, Row, params};

use super::{Ledger, Result};
use crate::model::{DAY_MS, UtcMs};

/// How long the row of a sent mail is kept. Its content goes at once.
const KEPT_MS: i64 = 30 * DAY_MS;

/// A mail to put into the outbox.
#[derive(Clone, Copy, Debug)]
pub struct NewMail<'a> {
    /// The name of the digest.
    pub digest: &'a str,
    /// The Message-ID with its angle brackets.
    pub message_id: &'a str,
    /// The whole mail.
    pub eml: &'a [u8],
    /// When it was made.
    pub created_ms: UtcMs,
    /// What the digest has to remember from now on, as [`Ledger::digest_memory`] gives it back.
    pub memory: &'a str,
}

/// A mail that was not yet taken for everyone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingMail {
    /// The row.
    pub id: i64,
    /// The Message-ID with its angle brackets.
    pub message_id: String,
    /// When it was made.
    pub created_ms: UtcMs,
    /// The whole mail.
    pub eml: Vec<u8>,
    /// Tries so far.
    pub attempts: u32,
    /// Recipients who have it already.
    pub taken_by: Vec<String>,
}

/// A mail that is not tried any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenUp {
    /// The name of the digest.
    pub digest: String,
    /// The Message-ID with its angle brackets.
    pub message_id: String,
    /// When it was made.
    pub created_ms: UtcMs,
    /// Tries.
    pub attempts: u32,
    /// Why the last one failed.
    pub failure: String,
}

impl Ledger {
    /// Puts a mail into the outbox and keeps what its digest remembers, both or neither. Returns whether it
    /// is new; a Message-ID that was there before changes nothing.
    pub fn enqueue_mail(&mut self, mail: &NewMail<'_>) -> Result<bool> {
        let transaction = self.connection.transaction()?;
        let added = transaction.execute(
            "INSERT INTO outbox (digest, message_id, created_ms, eml) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (message_id) DO NOTHING",
            params![mail.digest, mail.message_id, mail.created_ms, mail.eml],
        )?;
        if added > 0 {
            transaction.execute(
                "INSERT INTO fact (name, value) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET value = excluded.value",
                params![memory_name(mail.digest), mail.memory],
            )?;
            transaction.execute(
                "DELETE FROM outbox WHERE sent_ms < ?1",
                params![mail.created_ms.saturating_sub(KEPT_MS)],
            )?;
        }
        transaction.commit()?;
        Ok(added > 0)
    }

    /// Returns what the digest was told to remember with its last mail.
    pub fn digest_memory(&self, digest: &str) -> Result<Option<String>> {
        let value = self
            .connection
            .query_row("SELECT value FROM fact WHERE name = ?1", params![memory_name(digest)], |row| {
                row.get(0)
            })
            .optional()?;
        Ok(value)
    }

    /// Returns the digest's mails that are not sent and were tried less than `max_attempts` times, oldest first.
    pub fn pending_mails(&self, digest: &str, max_attempts: u32) -> Result<Vec<PendingMail>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT id, message_id, created_ms, eml, attempts, taken_by FROM outbox
             WHERE digest = ?1 AND sent_ms IS NULL AND attempts < ?2 ORDER BY created_ms, id",
        )?;
        let rows = statement.query_map(params![digest, max_attempts], pending_mail)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Counts a try that is about to be made.
    pub fn begin_sending(&mut self, id: i64) -> Result<()> {
        self.connection.execute(
            "UPDATE outbox SET attempts = attempts + 1, failure = 'the try was broken off' WHERE id = ?1",
            params![id],
        )?;
        Ok(())
    }

    /// Marks a mail as sent and drops its content. `failure` names recipients who will never have it.
    pub fn mark_mail_sent(&mut self, id: i64, sent_ms: UtcMs, failure: Option<&str>) -> Result<()> {
        self.connection.execute(
            "UPDATE outbox SET sent_ms = ?2, failure = ?3, eml = x'' WHERE id = ?1",
            params![id, sent_ms, failure],
        )?;
        Ok(())
    }

    /// Marks a try as failed. `taken_by` are all recipients who have the mail by now.
    pub fn mark_mail_failed(&mut self, id: i64, failure: &str, taken_by: &[String]) -> Result<()> {
        self.connection.execute(
            "UPDATE outbox SET failure = ?2, taken_by = ?3 WHERE id = ?1",
            params![id, failure, taken_by.join("\n")],
        )?;
        Ok(())
    }

    /// Returns the mails of all digests that were tried `max_attempts` times without being taken, newest first.
    pub fn given_up_mails(&self, max_attempts: u32) -> Result<Vec<GivenUp>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT digest, message_id, created_ms, attempts, coalesce(failure, '') FROM outbox
             WHERE sent_ms IS NULL AND attempts >= ?1 ORDER BY created_ms DESC, id DESC",
        )?;
        let rows = statement.query_map(params![max_attempts], |row| {
            Ok(GivenUp {
                digest: row.get(0)?,
                message_id: row.get(1)?,
                created_ms: row.get(2)?,
                attempts: row.get(3)?,
                failure: row.get(4)?,
            })
        })?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Gives the digest's given-up mails as many tries again, after the cause was put right. Returns how many.
    pub fn retry_given_up_mails(&mut self, digest: &str, max_attempts: u32) -> Result<usize> {
        let changed = self.connection.execute(
            "UPDATE outbox SET attempts = 0 WHERE digest = ?1 AND sent_ms IS NULL AND attempts >= ?2",
            params![digest, max_attempts],
        )?;
        Ok(changed)
    }
}

fn memory_name(digest: &str) -> String {
    format!("digest:{digest}")
}

fn pending_mail(row: &Row<'_>) -> rusqlite::Result<PendingMail> {
    let taken_by: String = row.get(5)?;
    Ok(PendingMail {
        id: row.get(0)?,
        message_id: row.get(1)?,
        created_ms: row.get(2)?,
        eml: row.get(3)?,
        attempts: row.get(4)?,
        taken_by: taken_by.lines().map(str::to_owned).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(message_id: &str, created_ms: UtcMs) -> NewMail<'_> {
        NewMail { digest: "ops", message_id, eml: b"From: a@b", created_ms, memory: message_id }
    }

    #[test]
    fn a_message_id_is_enqueued_once() {
        let mut ledger = Ledger::in_memory().unwrap();
        assert_eq!(ledger.digest_memory("ops").unwrap(), None);
        assert!(ledger.enqueue_mail(&mail("<1@x>", 10)).unwrap());
        assert!(ledger.enqueue_mail(&mail("<2@x>", 20)).unwrap());
        assert!(!ledger.enqueue_mail(&mail("<1@x>", 30)).unwrap());
        assert_eq!(ledger.digest_memory("ops").unwrap().as_deref(), Some("<2@x>"));
        let ids: Vec<_> =
            ledger.pending_mails("ops", 5).unwrap().into_iter().map(|mail| mail.message_id).collect();
        assert_eq!(ids, ["<1@x>", "<2@x>"]);
        assert!(ledger.pending_mails("other", 5).unwrap().is_empty());
    }

    #[test]
    fn a_mail_is_pending_until_it_is_sent_or_given_up() {
        let mut ledger = Ledger::in_memory().unwrap();
        ledger.enqueue_mail(&mail("<1@x>", 10)).unwrap();
        ledger.enqueue_mail(&mail("<2@x>", 20)).unwrap();
        let id = ledger.pending_mails("ops", 2).unwrap()[0].id;
        ledger.begin_sending(id).unwrap();
        ledger.mark_mail_failed(id, "no route", &["a@x".to_owned(), "b@x".to_owned()]).unwrap();
        let first = &ledger.pending_mails("ops", 2).unwrap()[0];
        assert_eq!((first.attempts, first.taken_by.join(" ")), (1, "a@x b@x".to_owned()));
        ledger.begin_sending(id).unwrap();

        let pending = ledger.pending_mails("ops", 2).unwrap();
        assert_eq!(pending.len(), 1, "the first is given up");
        let given_up = ledger.given_up_mails(2).unwrap();
        assert_eq!((given_up[0].attempts, given_up[0].failure.as_str()), (2, "the try was broken off"));
        assert_eq!(ledger.retry_given_up_mails("ops", 2).unwrap(), 1);
        assert!(ledger.given_up_mails(2).unwrap().is_empty());

        ledger.mark_mail_sent(id, 99, None).unwrap();
        ledger.mark_mail_sent(pending[0].id, 99, Some("c@x: no such user")).unwrap();
        assert!(ledger.pending_mails("ops", 2).unwrap().is_empty());
    }

    #[test]
    fn rows_of_sent_mails_go_after_a_month_and_unsent_ones_stay() {
        let mut ledger = Ledger::in_memory().unwrap();
        ledger.enqueue_mail(&mail("<sent@x>", 0)).unwrap();
        ledger.enqueue_mail(&mail("<unsent@x>", 0)).unwrap();
        let id = ledger.pending_mails("ops", 1).unwrap()[0].id;
        ledger.mark_mail_sent(id, 5, None).unwrap();
        ledger.enqueue_mail(&mail("<late@x>", KEPT_MS + 6)).unwrap();
        let rows: Vec<String> = ledger
            .connection
            .prepare("SELECT message_id FROM outbox ORDER BY id")
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<rusqlite::Result<_>>()
            .unwrap();
        assert_eq!(rows, ["<unsent@x>", "<late@x>"]);
    }
}
