//! Transports for a finished mail: SMTP, SES, a folder of .eml files. They take bytes and addresses and
//! say what became of them; what a mail says and when it is due is decided by [`crate::flows::digest`].

mod file;
mod ses;
mod setting;
mod smtp;

#[cfg(test)]
mod tests;

pub use file::FileTransport;
pub use ses::SesTransport;
pub use setting::{SmtpSetting, SmtpTls, TransportSetting};
pub use smtp::{SmtpTransport, check_ca_file};

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::time::Duration;

use lettre::message::Mailbox;

use gzette_core::model::UtcMs;
use gzette_core::visible::{has_hidden, header};

/// The longest reason that is kept of what a server said, in characters.
const REASON_CHARS: usize = 300;
/// The longest path of RFC 5321, 4.5.3.1.3, plus a display name of the same length.
const ADDRESS_BYTES: usize = 512;

/// A finished mail on its way.
#[derive(Clone, Copy, Debug)]
pub struct Letter<'a> {
    /// The envelope's sender, a bare address.
    pub from: &'a str,
    /// The envelope's recipients, bare addresses.
    pub to: &'a [String],
    /// The Message-ID with its angle brackets.
    pub message_id: &'a str,
    /// When the mail was made; part of a file's name.
    pub created_ms: UtcMs,
    /// The whole mail (RFC 5322), ASCII, lines ending in CRLF.
    pub eml: &'a [u8],
}

/// What became of a mail that was handed over: taken for everyone but those refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// Recipients that the server did not take; never all of them.
    pub refused: Vec<Refusal>,
}

/// A recipient that a server did not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The address.
    pub recipient: String,
    /// What the server said, in one line.
    pub reason: String,
    /// Whether the server asks to try again later (4xx).
    pub again: bool,
}

/// The kind of a [`MailError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MailErrorKind {
    /// Configuration has to change: transport, address, certificate, no STARTTLS on offer.
    Config,
    /// No credentials, or wrong ones.
    Auth,
    /// The credentials are right, and do not allow it.
    Denied,
    /// The server understood and said no for good (5xx): to the sender, to every recipient or to the content.
    Refused,
    /// The server asks to try this mail again later (4xx).
    Later,
    /// The server cannot be reached, takes nothing at all, broke off or did not answer in time.
    Network,
    /// The local disk refused.
    Local,
}

impl MailErrorKind {
    /// Returns whether the next mail by the same way would fail the same way.
    pub fn is_for_all(self) -> bool {
        !matches!(self, Self::Refused | Self::Later)
    }
}

/// What kind of transport it is. What to do about a failure depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransportKind {
    /// An SMTP server.
    Smtp,
    /// Amazon SES.
    Ses,
    /// A folder of .eml files.
    Folder,
}

/// A mail that was not handed over.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("mail by `{place}`: {reason}")]
pub struct MailError {
    /// The kind.
    pub kind: MailErrorKind,
    /// The transport's kind; `None` for a part of the configuration.
    pub transport: Option<TransportKind>,
    /// The transport as [`Transport::describe`] writes it, or the part of the configuration.
    pub place: String,
    /// The fault or the server's answer, in one line, without control characters.
    pub reason: String,
}

impl MailError {
    /// Returns an error whose reason is made one line of visible characters.
    pub fn new(kind: MailErrorKind, transport: Option<TransportKind>, place: &str, reason: &str) -> Self {
        Self { kind, transport, place: header(place, ADDRESS_BYTES), reason: header(reason, REASON_CHARS) }
    }
}

/// What sending returns: boxed, so that transports can be chosen at run time.
pub type MailFuture<'a> = Pin<Box<dyn Future<Output = Result<Receipt, MailError>> + Send + 'a>>;

/// A way out for mails.
pub trait Transport: Send + Sync {
    /// Hands a mail over. After an error, gzette assumes that no recipient has it, although a server that broke off
    /// after the content may have taken it.
    fn send<'a>(&'a self, letter: Letter<'a>) -> MailFuture<'a>;

    /// Returns how people would write the way: `smtp://host:587`, without user and password.
    fn describe(&self) -> String;

    /// Returns a mark that changes with the setting, so that a mail which the setting kept from going is tried
    /// again as soon as the setting is another one.
    fn mark(&self) -> String {
        mark_of(&[&self.describe()])
    }
}

/// Returns a short mark of texts. It is short on purpose: it tells that a password changed and does not help to guess it.
pub(crate) fn mark_of(texts: &[&str]) -> String {
    let mut hasher = blake3::Hasher::new();
    for text in texts {
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize().to_hex()[..4].to_owned()
}

/// The way of a setting that cannot be used: each mail waits, for the reason given.
struct Unusable {
    error: MailError,
}

impl Transport for Unusable {
    fn send<'a>(&'a self, _: Letter<'a>) -> MailFuture<'a> {
        Box::pin(async { Err(self.error.clone()) })
    }

    fn describe(&self) -> String {
        self.error.place.clone()
    }

    fn mark(&self) -> String {
        mark_of(&[&self.error.to_string()])
    }
}

/// What a transport needs beside its setting.
#[derive(Clone, Default)]
pub struct MailOptions {
    /// The folder of the `file` transport; made when it is not there.
    pub outbox_dir: PathBuf,
    /// The SMTP password (`GZETTE_SMTP_PASSWORD`), used when the setting holds none.
    pub smtp_password: Option<String>,
    /// A PEM file of further certificate authorities to trust for SMTP, beside those built in and the system's.
    pub ca_file: Option<PathBuf>,
    /// The AWS region of `ses`; by default that of the environment.
    pub region: Option<String>,
    /// Another endpoint for `ses`.
    pub endpoint_url: Option<String>,
    /// The AWS profile of `ses`.
    pub profile: Option<String>,
    /// Credentials in place of the standard chain's; for embedding, no configuration file holds them.
    pub credentials: Option<SesCredentials>,
    /// How long to wait for a connection to the SMTP server and for each of its answers; `None` for 30 seconds.
    pub command_limit: Option<Duration>,
}

/// Fixed AWS credentials.
#[derive(Clone)]
pub struct SesCredentials {
    /// The access key's id.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
}

/// Returns the transport that `setting` names; when it cannot be used, one that says so of each mail.
pub async fn open_or_say(setting: &TransportSetting, options: &MailOptions) -> Box<dyn Transport> {
    open(setting, options).await.unwrap_or_else(|error| Box::new(Unusable { error }))
}

/// Returns the transport that `setting` names, ready to send.
pub async fn open(
    setting: &TransportSetting,
    options: &MailOptions,
) -> Result<Box<dyn Transport>, MailError> {
    Ok(match setting {
        TransportSetting::File => Box::new(FileTransport::new(options.outbox_dir.clone())),
        TransportSetting::Smtp(smtp) => Box::new(SmtpTransport::new(smtp, options)?),
        TransportSetting::Ses => Box::new(SesTransport::connect(options).await),
    })
}

/// Parses `ops@example.com` or `Ops <ops@example.com>`. Only ASCII addresses are taken (a foreign domain
/// in its `xn--` form), so that every server can carry the mail.
pub fn mailbox(text: &str) -> Result<Mailbox, MailError> {
    let wrong = |reason: &str| MailError::new(MailErrorKind::Config, None, text, reason);
    if text.len() > ADDRESS_BYTES || has_hidden(text) {
        return Err(wrong("is too long or contains control characters"));
    }
    let parsed: Mailbox = text
        .trim()
        .parse()
        .map_err(|_| wrong("is not a mail address; allowed: `ops@example.com`, `Ops <ops@example.com>`"))?;
    if AsRef::<str>::as_ref(&parsed.email).is_ascii() {
        Ok(parsed)
    } else {
        Err(wrong("is not an ASCII address; write the domain in its `xn--` form"))
    }
}
