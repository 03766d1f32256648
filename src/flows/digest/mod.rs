//! The mail of what changed: rendered from the report's view, put into the outbox, sent. What a mail says
//! ([`render`]), whether one is due ([`plan`]) and how it is written down ([`eml`]) are values worked out
//! from the view alone; only [`deliver`] touches the ledger and a transport.

mod brief;
mod deliver;
mod eml;
mod format;
mod html;
mod patience;
mod plan;
mod text;
mod thing;

#[cfg(test)]
mod tests;

pub use deliver::{Delivery, Waiting, deliver, send_pending};
pub use eml::eml;
pub use patience::Tries;
pub use plan::{Due, News, When, plan};

use jiff::tz::TimeZone;

use crate::edges::ledger::LedgerError;
use crate::edges::mail::{self, MailError};
use crate::flows::report::View;
use gzette_core::paste::Invocation;
use gzette_core::visible::header;

use brief::{Brief, DETAILS, Detail};

/// The most bytes of both parts together. Base64 makes 4/3 of it and a line end every 76, which leaves room
/// for the headers below 90 KB; Gmail cuts a mail at 102 KB.
const PARTS_BYTES: usize = 62_000;
/// The longest subject, in characters.
const SUBJECT_CHARS: usize = 120;

/// The settings of a digest.
#[derive(Clone, Debug)]
pub struct DigestSettings {
    /// Its name; in the Message-ID and the List-Id.
    pub name: String,
    /// The sender: `ops@example.com` or `Ops <ops@example.com>`.
    pub from: String,
    /// The recipients, written like the sender.
    pub to: Vec<String>,
    /// What the subject begins with; may be empty.
    pub subject_prefix: String,
    /// Where the site is published (`https://...`); no links when `None`.
    pub site_url: Option<String>,
    /// When a mail is due.
    pub when: When,
    /// The zone of the times in the mail and of the day's begin.
    pub zone: TimeZone,
    /// How the commands in the mail are written.
    pub invocation: Invocation,
    /// What tells the installation from others, for the Message-ID; [`deliver`] takes it from the ledger.
    pub installation: String,
}

impl Default for DigestSettings {
    /// Returns settings without addresses: times are in UTC.
    fn default() -> Self {
        Self {
            name: "digest".to_owned(),
            from: String::new(),
            to: Vec::new(),
            subject_prefix: "[gzette]".to_owned(),
            site_url: None,
            when: When::Changes,
            zone: TimeZone::UTC,
            invocation: Invocation::default(),
            installation: String::new(),
        }
    }
}

impl DigestSettings {
    /// Checks addresses and the link, so that a mistake is found when the configuration is read.
    pub fn check(&self) -> Result<(), DigestError> {
        mail::mailbox(&self.from)?;
        for to in &self.to {
            mail::mailbox(to)?;
        }
        if self.to.is_empty() {
            return Err(DigestError::NoRecipient(self.name.clone()));
        }
        match &self.site_url {
            Some(url) if !format::is_link(url) => Err(DigestError::Link(header(url, 200))),
            _ => Ok(()),
        }
    }
}

/// What can go wrong before a mail is in the outbox, and the ledger at any time. A transport's failure is
/// no error of the digest: it is reported by [`Delivery`].
#[derive(Debug, thiserror::Error)]
pub enum DigestError {
    /// The ledger refused.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// An address cannot be used.
    #[error(transparent)]
    Address(#[from] MailError),
    /// There is no recipient.
    #[error("digest `{0}`: `to` names no recipient")]
    NoRecipient(String),
    /// The site's address is not valid.
    #[error("`site_url` is `{0}`; allowed: `https://...` or `http://...` without spaces and quotes")]
    Link(String),
    /// It was asked to stop, or its time was up.
    #[error("stopped before everything was sent (a signal or `--deadline`); the next run continues")]
    Stopped,
    /// The mail cannot be written.
    #[error("mail: {0}")]
    Message(#[from] lettre::error::Error),
}

/// A rendered mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    /// The subject: one line without control characters.
    pub subject: String,
    /// The plain part, at most 78 columns wide except for links.
    pub text: String,
    /// The HTML part.
    pub html: String,
}

/// Renders the mail of a view. Pure: the same view and settings give the same bytes. With much to say it
/// says less of each thing, so that both parts stay under 62 KB and the mail under 90 KB.
pub fn render(view: &View, settings: &DigestSettings) -> Mail {
    render_with(view, settings, &News::default())
}

/// As [`render`], with what the digest knows beyond the view.
pub fn render_with(view: &View, settings: &DigestSettings, news: &News) -> Mail {
    let compose = |detail: &Detail| {
        let brief = Brief::of(view, settings, news, detail);
        Mail {
            subject: subject(view, settings, news),
            text: text::render(&brief),
            html: html::render(&brief).into_string(),
        }
    };
    let fits = |mail: &Mail| mail.text.len() + mail.html.len() <= PARTS_BYTES;
    let [.., least] = &DETAILS;
    DETAILS.iter().map(compose).find(fits).unwrap_or_else(|| compose(least))
}

fn subject(view: &View, settings: &DigestSettings, news: &News) -> String {
    let whole = format!("{} {}", settings.subject_prefix, brief::headline(view, news));
    header(&whole, SUBJECT_CHARS)
}
