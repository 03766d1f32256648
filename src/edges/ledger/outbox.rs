//! Mails on their way: the row comes first, the sending after, the mark last. A try is written down as failed before it
//! is made, so that a process that dies in it cannot send a mail without end.

use rusqlite::types::{FromSqlResult, ValueRef};
use rusqlite::{Row, Transaction, params};

use super::column::{Column, value};
use super::facts::set_fact;
use super::schema::Added;
use super::{Ledger, Result};
use gzette_core::model::{DAY_MS, UtcMs};

/// How long the row of a sent mail is kept. Its content goes at once.
const KEPT_MS: i64 = 30 * DAY_MS;
/// The fact that tells this installation from all others.
const INSTALLATION: &str = "installation";

/// A mail to put into the outbox.
#[derive(Clone, Copy, Debug)]
pub struct NewMail<'a> {
    /// The name of the digest.
    pub digest: &'a str,
    /// The Message-ID with its angle brackets.
    pub message_id: &'a str,
    /// Its subject, for people.
    pub subject: &'a str,
    /// The whole mail.
    pub eml: &'a [u8],
    /// When it was made.
    pub created_ms: UtcMs,
    /// What the digest has to remember from now on, as [`Ledger::digest_memory`] gives it back.
    pub memory: &'a str,
    /// The mails whose giving up it tells.
    pub tells: &'a [i64],
}

/// A mail that was not yet taken for everyone and is still tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PendingMail {
    /// What is known of it.
    pub mail: UnsentMail,
    /// The whole mail.
    pub eml: Vec<u8>,
    /// Recipients who have it already.
    pub taken_by: Vec<String>,
}

/// The kind of a failure, as far as it decides when the mail is tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum MailCause {
    /// No try has failed yet, or the last one was interrupted.
    #[default]
    None,
    /// The configuration is wrong.
    Config,
    /// The credentials are wrong, or do not allow it: neither goes away before something is changed.
    Auth,
    /// The server said no for good.
    Refused,
    /// The server asked to try again later.
    Later,
    /// The server could not be reached.
    Network,
    /// The local disk refused.
    Local,
    /// The word of another version of gzette, kept as it is. The mail is tried again like one that found no server.
    Other(String),
}

impl MailCause {
    const KNOWN: [Self; 7] =
        [Self::None, Self::Config, Self::Auth, Self::Refused, Self::Later, Self::Network, Self::Local];

    fn as_str(&self) -> &str {
        match self {
            Self::None => "",
            Self::Config => "config",
            Self::Auth => "auth",
            Self::Refused => "refused",
            Self::Later => "later",
            Self::Network => "network",
            Self::Local => "local",
            Self::Other(word) => word,
        }
    }
}

impl Column for MailCause {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let word = value.as_str()?;
        let known = Self::KNOWN.into_iter().find(|cause| cause.as_str() == word);
        Ok(known.unwrap_or_else(|| Self::Other(word.to_owned())))
    }
}

/// Why a mail waits, and until when.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailWait {
    /// When a try failed first; `None` before the first failure.
    pub first_failed_ms: Option<UtcMs>,
    /// When it is tried next.
    pub next_try_ms: UtcMs,
    /// The kind of the last failure.
    pub cause: MailCause,
    /// A mark of the setting of the last try.
    pub setting: String,
    /// What the last failure was.
    pub failure: Option<String>,
    /// When it was given up; `None` while it is tried.
    pub given_up_ms: Option<UtcMs>,
}

/// A mail that is not sent: it waits, or was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsentMail {
    /// The row.
    pub id: i64,
    /// The name of the digest.
    pub digest: String,
    /// The Message-ID with its angle brackets.
    pub message_id: String,
    /// Its subject; empty for one of an older version.
    pub subject: String,
    /// When it was made.
    pub created_ms: UtcMs,
    /// Tries so far.
    pub attempts: u32,
    /// The state of the tries.
    pub wait: MailWait,
    /// Whether a mail that was sent has told that this one was given up.
    pub is_told: bool,
}

impl Ledger {
    /// Returns what tells this installation from all others: 16 hexadecimal digits, made once.
    pub fn installation(&self) -> Result<String> {
        Ok(self.fact(INSTALLATION)?.unwrap_or_default())
    }

    /// Puts a mail into the outbox and keeps what its digest remembers, both or neither. Returns whether it
    /// is new; a Message-ID that was there before changes nothing.
    pub fn enqueue_mail(&mut self, mail: &NewMail<'_>) -> Result<bool> {
        let transaction = self.connection.transaction()?;
        let added = transaction.execute(
            // The id is a function of what the mail announces, so a run that was killed after this commit
            // does not make the same mail again.
            "INSERT INTO outbox (digest, message_id, subject, created_ms, eml) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (message_id) DO NOTHING",
            params![mail.digest, mail.message_id, mail.subject, mail.created_ms.get(), mail.eml],
        )?;
        if added > 0 {
            let id = transaction.last_insert_rowid();
            for given_up in mail.tells {
                transaction.execute("UPDATE outbox SET told_by = ?2 WHERE id = ?1", [*given_up, id])?;
            }
            set_fact(&transaction, &memory_name(mail.digest), mail.memory)?;
            // Here, because only a new mail lets the table grow.
            drop_old_rows(&transaction, mail.created_ms)?;
        }
        transaction.commit()?;
        Ok(added > 0)
    }

    /// Returns what the digest was told to remember with its last mail.
    pub fn digest_memory(&self, digest: &str) -> Result<Option<String>> {
        self.fact(&memory_name(digest))
    }

    /// Returns the digest's mails that are neither sent nor given up, in the order in which they were made.
    pub fn pending_mails(&self, digest: &str) -> Result<Vec<PendingMail>> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {UNSENT_COLUMNS}, eml, taken_by FROM outbox
             WHERE digest = ?1 AND sent_ms IS NULL AND given_up_ms IS NULL ORDER BY id"
        ))?;
        let rows = statement.query_map([digest], pending_mail)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Returns the mails of all digests that wait or were given up, in the order in which they were made. Older versions
    /// gave a mail up after five tries.
    pub fn unsent_mails(&self) -> Result<Vec<UnsentMail>> {
        let columns = if self.has(Added::MailWaits) { UNSENT_COLUMNS } else { UNSENT_COLUMNS_BEFORE_WAITS };
        let sql = format!("SELECT {columns} FROM outbox WHERE sent_ms IS NULL ORDER BY id");
        let mut statement = self.connection.prepare_cached(&sql)?;
        let rows = statement.query_map([], unsent_mail)?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// Counts a try that is about to be made. Unless it is said otherwise, it failed as `wait` says.
    pub fn begin_sending(&mut self, id: i64, wait: &MailWait) -> Result<()> {
        self.connection.execute("UPDATE outbox SET attempts = attempts + 1 WHERE id = ?1", [id])?;
        self.keep_waiting(id, wait)
    }

    /// Says why a mail waits, or that it is given up.
    pub fn keep_waiting(&mut self, id: i64, wait: &MailWait) -> Result<()> {
        let MailWait { first_failed_ms, next_try_ms, cause, setting, failure, given_up_ms } = wait;
        self.connection.execute(
            "UPDATE outbox SET first_failed_ms = ?2, next_try_ms = ?3, cause = ?4, setting = ?5, failure = ?6,
               given_up_ms = ?7 WHERE id = ?1",
            params![
                id,
                first_failed_ms.map(UtcMs::get),
                next_try_ms.get(),
                cause.as_str(),
                setting,
                failure,
                given_up_ms.map(UtcMs::get)
            ],
        )?;
        Ok(())
    }

    /// Notes all recipients who have the mail by now.
    pub fn set_taken_by(&mut self, id: i64, taken_by: &[String]) -> Result<()> {
        let taken_by = taken_by.join("\n");
        self.connection.execute("UPDATE outbox SET taken_by = ?2 WHERE id = ?1", params![id, taken_by])?;
        Ok(())
    }

    /// Marks a mail as sent and drops its content; its news count as reported. `failure` names recipients who will never
    /// get it.
    pub fn mark_mail_sent(&mut self, id: i64, sent_ms: UtcMs, failure: Option<&str>) -> Result<()> {
        let transaction = self.connection.transaction()?;
        transaction.execute(
            // The row stays, so that its Message-ID stays taken; the content, most of its bytes, has done its
            // work.
            "UPDATE outbox SET sent_ms = ?2, failure = ?3, given_up_ms = NULL, eml = x'' WHERE id = ?1",
            params![id, sent_ms.get(), failure],
        )?;
        transaction.execute("UPDATE outbox SET told_ms = ?2 WHERE told_by = ?1", [id, sent_ms.get()])?;
        Ok(transaction.commit()?)
    }

    /// Has the digest's given-up mails tried again as if for the first time. Returns how many there are.
    pub fn retry_given_up_mails(&mut self, digest: &str) -> Result<usize> {
        let changed = self.connection.execute(
            "UPDATE outbox SET attempts = 0, first_failed_ms = NULL, next_try_ms = 0, given_up_ms = NULL,
               told_by = NULL, told_ms = NULL
             WHERE digest = ?1 AND sent_ms IS NULL AND given_up_ms IS NOT NULL",
            [digest],
        )?;
        Ok(changed)
    }
}

fn drop_old_rows(transaction: &Transaction<'_>, now_ms: UtcMs) -> Result<()> {
    transaction.execute(
        "DELETE FROM outbox WHERE sent_ms < ?1 OR (given_up_ms < ?1 AND told_ms < ?1)",
        [(now_ms - KEPT_MS).get()],
    )?;
    Ok(())
}

fn memory_name(digest: &str) -> String {
    format!("digest:{digest}")
}

/// The columns that [`unsent_mail`] reads.
const UNSENT_COLUMNS: &str = "id, digest, message_id, subject, created_ms, attempts, told_ms IS NOT NULL,
    first_failed_ms, next_try_ms, cause, setting, failure, given_up_ms";

/// The same of a ledger that knows nothing of why mails wait.
const UNSENT_COLUMNS_BEFORE_WAITS: &str = "id, digest, message_id, '', created_ms, attempts, 0,
    iif(attempts > 0, created_ms, NULL), 0, '', '', failure, iif(attempts >= 5, created_ms, NULL)";

fn pending_mail(row: &Row<'_>) -> rusqlite::Result<PendingMail> {
    let taken_by: String = row.get(14)?;
    Ok(PendingMail {
        mail: unsent_mail(row)?,
        eml: row.get(13)?,
        taken_by: taken_by.lines().map(str::to_owned).collect(),
    })
}

fn unsent_mail(row: &Row<'_>) -> rusqlite::Result<UnsentMail> {
    Ok(UnsentMail {
        id: row.get(0)?,
        digest: row.get(1)?,
        message_id: row.get(2)?,
        subject: row.get(3)?,
        created_ms: value(row, 4)?,
        attempts: row.get(5)?,
        is_told: row.get(6)?,
        wait: MailWait {
            first_failed_ms: value(row, 7)?,
            next_try_ms: value(row, 8)?,
            cause: value(row, 9)?,
            setting: row.get(10)?,
            failure: row.get(11)?,
            given_up_ms: value(row, 12)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(message_id: &str, created_ms: i64) -> NewMail<'_> {
        let subject = "[gzette] All quiet";
        NewMail {
            digest: "ops",
            message_id,
            subject,
            eml: b"From: a@b",
            created_ms: UtcMs::new(created_ms),
            memory: message_id,
            tells: &[],
        }
    }

    fn failed(at_ms: i64) -> MailWait {
        let at_ms = UtcMs::new(at_ms);
        let failure = Some("no route".to_owned());
        MailWait { first_failed_ms: Some(at_ms), next_try_ms: at_ms + 10, failure, ..MailWait::default() }
    }

    fn given_up(at_ms: i64) -> MailWait {
        MailWait { given_up_ms: Some(UtcMs::new(at_ms)), ..failed(at_ms) }
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
            ledger.pending_mails("ops").unwrap().into_iter().map(|pending| pending.mail.message_id).collect();
        assert_eq!(ids, ["<1@x>", "<2@x>"]);
        assert!(ledger.pending_mails("other").unwrap().is_empty());
    }

    #[test]
    fn an_installation_has_a_name_of_its_own() {
        let (one, other) = (Ledger::in_memory().unwrap(), Ledger::in_memory().unwrap());
        let name = one.installation().unwrap();
        assert_eq!(name.len(), 16);
        assert_eq!(one.installation().unwrap(), name);
        assert_ne!(other.installation().unwrap(), name);
    }

    #[test]
    fn a_mail_is_pending_until_it_is_sent_or_given_up() {
        let mut ledger = Ledger::in_memory().unwrap();
        ledger.enqueue_mail(&mail("<1@x>", 10)).unwrap();
        ledger.enqueue_mail(&mail("<2@x>", 20)).unwrap();
        let id = ledger.pending_mails("ops").unwrap()[0].mail.id;
        ledger.begin_sending(id, &failed(30)).unwrap();
        ledger.set_taken_by(id, &["a@x".to_owned(), "b@x".to_owned()]).unwrap();
        let first = &ledger.pending_mails("ops").unwrap()[0];
        assert_eq!((first.mail.attempts, first.taken_by.join(" ")), (1, "a@x b@x".to_owned()));
        assert_eq!(first.mail.wait, failed(30));

        ledger.begin_sending(id, &given_up(40)).unwrap();
        let pending = ledger.pending_mails("ops").unwrap();
        assert_eq!(pending.len(), 1, "the first is given up");
        let unsent = ledger.unsent_mails().unwrap();
        assert_eq!((unsent.len(), unsent[0].attempts, &unsent[0].wait), (2, 2, &given_up(40)));
        assert_eq!(ledger.retry_given_up_mails("ops").unwrap(), 1);
        assert_eq!(ledger.pending_mails("ops").unwrap().len(), 2);

        ledger.mark_mail_sent(id, UtcMs::new(99), None).unwrap();
        ledger.mark_mail_sent(pending[0].mail.id, UtcMs::new(99), Some("c@x: no such user")).unwrap();
        assert!(ledger.unsent_mails().unwrap().is_empty());
    }

    #[test]
    fn a_given_up_mail_is_told_when_the_mail_that_tells_it_is_sent() {
        let mut ledger = Ledger::in_memory().unwrap();
        ledger.enqueue_mail(&mail("<1@x>", 10)).unwrap();
        let lost = ledger.pending_mails("ops").unwrap()[0].mail.id;
        ledger.keep_waiting(lost, &given_up(20)).unwrap();
        ledger.enqueue_mail(&NewMail { tells: &[lost], ..mail("<2@x>", 30) }).unwrap();
        let is_told = |ledger: &Ledger| ledger.unsent_mails().unwrap()[0].is_told;
        assert!(!is_told(&ledger));
        let teller = ledger.pending_mails("ops").unwrap()[0].mail.id;
        ledger.mark_mail_sent(teller, UtcMs::new(40), None).unwrap();
        assert!(is_told(&ledger));
        ledger.enqueue_mail(&mail("<3@x>", KEPT_MS + 39)).unwrap();
        assert_eq!(ledger.unsent_mails().unwrap().len(), 2);
        ledger.enqueue_mail(&mail("<4@x>", KEPT_MS + 41)).unwrap();
        assert_eq!(ledger.unsent_mails().unwrap().len(), 2, "a month after it was told, it goes");
    }

    #[test]
    fn the_cause_of_another_version_stays_what_it_is() {
        let mut ledger = Ledger::in_memory().unwrap();
        ledger.enqueue_mail(&mail("<1@x>", 10)).unwrap();
        let wait = |ledger: &Ledger| ledger.unsent_mails().unwrap().remove(0).wait;
        for cause in MailCause::KNOWN {
            ledger.keep_waiting(1, &MailWait { cause: cause.clone(), ..failed(20) }).unwrap();
            assert_eq!(wait(&ledger).cause, cause);
        }
        ledger.connection.execute("UPDATE outbox SET cause = 'quota'", []).unwrap();
        assert_eq!(wait(&ledger).cause, MailCause::Other("quota".to_owned()));
        ledger.keep_waiting(1, &wait(&ledger)).unwrap();
        let sql = "SELECT cause FROM outbox";
        let kept: String = ledger.connection.query_row(sql, [], |row| row.get(0)).unwrap();
        assert_eq!(kept, "quota");
    }

    #[test]
    fn rows_of_sent_mails_go_after_a_month_and_unsent_ones_stay() {
        let mut ledger = Ledger::in_memory().unwrap();
        ledger.enqueue_mail(&mail("<sent@x>", 0)).unwrap();
        ledger.enqueue_mail(&mail("<unsent@x>", 0)).unwrap();
        let id = ledger.pending_mails("ops").unwrap()[0].mail.id;
        ledger.mark_mail_sent(id, UtcMs::new(5), None).unwrap();
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
