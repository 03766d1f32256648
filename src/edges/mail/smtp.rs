//! Submission to an SMTP server (RFC 5321, RFC 6409) by lettre's client, command by command, so that
//! every answer is known by what it answers: signing in, one recipient, the content.

use std::error::Error as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error as LettreError;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{
    Certificate, CertificateStore, SmtpConnection, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{CertificateError, RootCertStore};

use super::{
    Letter, MailError, MailErrorKind, MailFuture, MailOptions, Receipt, Refusal, SmtpSetting, SmtpTls,
    Transport, TransportKind,
};
use gzette_core::visible::header;

/// How long to wait for a connection and for the answer to a command.
const COMMAND_LIMIT: Duration = Duration::from_secs(30);
/// How long to wait for the answer to the content. Giving up here risks a second copy, so RFC 5321,
/// 4.5.3.2.6, asks for 10 minutes; a run comes every 10 minutes, and the fixed Message-ID marks a copy.
const CONTENT_LIMIT: Duration = Duration::from_mins(2);

/// How long to wait for the answer to QUIT, which changes nothing any more.
const GOODBYE_LIMIT: Duration = Duration::from_secs(5);

/// Sends mails through an SMTP server, one connection a mail.
#[derive(Clone)]
pub struct SmtpTransport {
    setting: SmtpSetting,
    credentials: Option<Credentials>,
    tls: Option<TlsParameters>,
    command_limit: Duration,
    trust: Trust,
    mark: String,
}

/// The step in which something went wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connect,
    Auth,
    Mail,
}

impl SmtpTransport {
    /// Returns a transport to the server of `setting`. Nothing is connected yet.
    pub fn new(setting: &SmtpSetting, options: &MailOptions) -> Result<Self, MailError> {
        let trust = Trust::read(setting, options.ca_file.as_deref())?;
        Ok(Self {
            credentials: credentials(setting, options)?,
            tls: tls_parameters(setting, &trust)?,
            trust,
            setting: setting.clone(),
            command_limit: options.command_limit.unwrap_or(COMMAND_LIMIT),
            mark: mark(setting, options),
        })
    }

    fn submit(&self, from: Address, to: Vec<Address>, eml: &[u8]) -> Result<Receipt, MailError> {
        let mut connection = self.connect()?;
        let receipt = self.transact(&mut connection, from, to, eml);
        // The mail is taken or refused by now; a server that does not answer QUIT must not hold up the run.
        let _ = connection.set_timeout(Some(self.command_limit.min(GOODBYE_LIMIT)));
        connection.abort();
        receipt
    }

    fn connect(&self) -> Result<SmtpConnection, MailError> {
        let hello = ClientId::default();
        // With `smtps://` TLS begins before the first word; with STARTTLS only once the server has offered
        // it.
        let wrapped = self.tls.as_ref().filter(|_| self.setting.tls == SmtpTls::Tls);
        let server = (self.setting.host.as_str(), self.setting.port);
        let mut connection = SmtpConnection::connect(server, Some(self.command_limit), &hello, wrapped, None)
            .map_err(|error| self.explain(Stage::Connect, &error))?;
        if let (SmtpTls::Starttls, Some(parameters)) = (self.setting.tls, &self.tls) {
            // To go on in the clear would let an attacker who removes the offer read the mail and the
            // password.
            if !connection.can_starttls() {
                connection.abort();
                let reason = "the server offers no STARTTLS, so nothing was sent; \
                    allowed: `smtps://` for implicit TLS, `tls=none` for none";
                return Err(self.error(MailErrorKind::Config, reason));
            }
            connection.starttls(parameters, &hello).map_err(|error| self.explain(Stage::Connect, &error))?;
        }
        if let Some(credentials) = &self.credentials {
            connection
                .auth(DEFAULT_MECHANISMS, credentials)
                .map_err(|error| self.explain(Stage::Auth, &error))?;
        }
        Ok(connection)
    }

    fn transact(
        &self,
        connection: &mut SmtpConnection,
        from: Address,
        to: Vec<Address>,
        eml: &[u8],
    ) -> Result<Receipt, MailError> {
        let explain = |error: LettreError| self.explain(Stage::Mail, &error);
        connection.command(Mail::new(Some(from), vec![])).map_err(explain)?;
        let asked = to.len();
        let mut refused = Vec::new();
        for recipient in to {
            if let Err(error) = connection.command(Rcpt::new(recipient.clone(), vec![])) {
                // No answer at all is about the connection, not about this recipient.
                if error.status().is_none() {
                    return Err(explain(error));
                }
                refused.push(Refusal {
                    reason: header(&spoken(&error), super::REASON_CHARS),
                    again: error.is_transient(),
                    recipient: recipient.to_string(),
                });
            }
        }
        // Before DATA, which a server refuses without a recipient, with a reason that names none of them.
        if refused.len() == asked {
            let is_for_good = refused.iter().all(|refusal| !refusal.again);
            let kind = if is_for_good { MailErrorKind::Refused } else { MailErrorKind::Later };
            return Err(self.error(kind, &refusals(&refused)));
        }
        connection.command(Data).map_err(explain)?;
        let content_limit = CONTENT_LIMIT.max(self.command_limit);
        connection
            .set_timeout(Some(content_limit))
            .map_err(|error| self.error(MailErrorKind::Network, &error.to_string()))?;
        connection.message(eml).map_err(explain)?;
        Ok(Receipt { refused })
    }

    fn explain(&self, stage: Stage, error: &LettreError) -> MailError {
        if let Some(problem) = certificate_problem(error) {
            let mut reason = format!("the server's certificate is not trusted: {problem}");
            // An authority that was made again has the name of the one that is known, and another key.
            if matches!(problem, CertificateError::UnknownIssuer | CertificateError::BadSignature) {
                reason = format!("{reason}; {}", self.trust.advice());
            }
            return self.error(MailErrorKind::Config, &reason);
        }
        let kind = match stage {
            Stage::Auth if error.is_permanent() || error.is_client() => MailErrorKind::Auth,
            Stage::Mail if error.is_permanent() => MailErrorKind::Refused,
            // 421: the server closes, whatever the mail.
            Stage::Mail if error.is_transient() && !is_closing(error) => MailErrorKind::Later,
            _ if error.is_permanent() || error.is_transient() => MailErrorKind::Network,
            _ if error.is_client() || error.is_tls() => MailErrorKind::Config,
            _ => MailErrorKind::Network,
        };
        self.error(kind, &spoken(error))
    }

    fn error(&self, kind: MailErrorKind, reason: &str) -> MailError {
        MailError::new(kind, Some(TransportKind::Smtp), &self.describe(), reason)
    }
}

impl Transport for SmtpTransport {
    fn send<'a>(&'a self, letter: Letter<'a>) -> MailFuture<'a> {
        Box::pin(async move {
            let from = address(letter.from)?;
            let to = letter.to.iter().map(|to| address(to)).collect::<Result<Vec<_>, _>>()?;
            if to.is_empty() {
                return Err(self.error(MailErrorKind::Config, "there is no recipient"));
            }
            let (transport, eml) = (self.clone(), letter.eml.to_vec());
            // lettre's `SmtpConnection` blocks until each answer has come.
            tokio::task::spawn_blocking(move || transport.submit(from, to, &eml))
                .await
                .unwrap_or_else(|error| Err(self.error(MailErrorKind::Local, &error.to_string())))
        })
    }

    fn describe(&self) -> String {
        self.setting.place()
    }

    fn mark(&self) -> String {
        self.mark.clone()
    }
}

fn address(text: &str) -> Result<Address, MailError> {
    super::mailbox(text).map(|mailbox| mailbox.email)
}

fn mark(setting: &SmtpSetting, options: &MailOptions) -> String {
    let password = setting.password.as_ref().or(options.smtp_password.as_ref());
    let ca = options.ca_file.as_ref().and_then(|path| fs::read_to_string(path).ok());
    let text = |text: Option<&String>| text.cloned().unwrap_or_default();
    let server = format!("{setting:?}");
    super::mark_of(&[&server, &text(setting.user.as_ref()), &text(password), &text(ca.as_ref())])
}

fn credentials(setting: &SmtpSetting, options: &MailOptions) -> Result<Option<Credentials>, MailError> {
    let wrong = |reason| {
        Err(MailError::new(MailErrorKind::Config, Some(TransportKind::Smtp), &setting.place(), reason))
    };
    let Some(user) = &setting.user else {
        return Ok(None);
    };
    let Some(password) = setting.password.as_ref().or(options.smtp_password.as_ref()) else {
        return wrong("a user but no password; it is read from the variable `GZETTE_SMTP_PASSWORD`");
    };
    if setting.tls == SmtpTls::None && !setting.is_local() {
        return wrong(
            "a password is not sent over a plain connection to another machine; use TLS or no user",
        );
    }
    Ok(Some(Credentials::new(user.clone(), password.clone())))
}

fn tls_parameters(setting: &SmtpSetting, trust: &Trust) -> Result<Option<TlsParameters>, MailError> {
    if setting.tls == SmtpTls::None {
        return Ok(None);
    }
    let builder =
        TlsParameters::builder(setting.host.clone()).certificate_store(CertificateStore::WebpkiRoots);
    let builder = trust.authorities.iter().cloned().fold(builder, TlsParametersBuilder::add_root_certificate);
    builder.build().map(Some).map_err(|error| {
        MailError::new(MailErrorKind::Config, Some(TransportKind::Smtp), &setting.place(), &error.to_string())
    })
}

/// Whom a connection trusts beside the authorities that are built in.
#[derive(Clone, Default)]
struct Trust {
    authorities: Vec<Certificate>,
    ca_file: Option<PathBuf>,
    /// Why a part of the system's certificates could not be read.
    failure: Option<String>,
}

impl Trust {
    /// Reads the authorities that the system trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR` name others) and those of
    /// `ca_file`.
    fn read(setting: &SmtpSetting, ca_file: Option<&Path>) -> Result<Self, MailError> {
        if setting.tls == SmtpTls::None {
            return Ok(Self::default());
        }
        let system = rustls_native_certs::load_native_certs();
        let usable = system.certs.into_iter().filter(is_usable);
        let mut authorities: Vec<_> =
            usable.filter_map(|der| Certificate::from_der(der.to_vec()).ok()).collect();
        authorities.extend(ca_file.map(certificates).transpose()?);
        let failure = system.errors.first().map(ToString::to_string);
        Ok(Self { authorities, ca_file: ca_file.map(Path::to_owned), failure })
    }

    /// Returns what can be done about an unknown authority.
    fn advice(&self) -> String {
        let mut advice = match &self.ca_file {
            Some(path) => format!("`ca_file`, `{}`, does not contain its authority", path.display()),
            None => "`ca_file` of the digest names a file with a private authority".to_owned(),
        };
        if let Some(failure) = &self.failure {
            advice.push_str("; some of the system's certificates could not be read: ");
            advice.push_str(failure);
        }
        advice
    }
}

/// A certificate that cannot be parsed is left out, as other programs do: systems hold old ones.
fn is_usable(der: &CertificateDer<'_>) -> bool {
    RootCertStore::empty().add(der.clone()).is_ok()
}

/// Checks that a `ca_file` can be read and holds certificates.
pub fn check_ca_file(path: &Path) -> Result<(), MailError> {
    certificates(path).map(drop)
}

fn certificates(path: &Path) -> Result<Certificate, MailError> {
    let wrong = |reason: &str| {
        let reason = format!("`ca_file` {reason}");
        MailError::new(MailErrorKind::Config, Some(TransportKind::Smtp), &path.display().to_string(), &reason)
    };
    let pem = fs::read(path).map_err(|error| wrong(&format!("cannot be read: {error}")))?;
    let all: Vec<_> = CertificateDer::pem_slice_iter(&pem)
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(&format!("is not PEM: {error}")))?;
    if all.is_empty() {
        return Err(wrong("holds no PEM certificate"));
    }
    if let Some(at) = all.iter().position(|der| !is_usable(der)) {
        return Err(wrong(&format!("holds a certificate that cannot be read, number {}", at + 1)));
    }
    Certificate::from_pem(&pem).map_err(|error| wrong(&error.to_string()))
}

/// Returns the server's answer, such as `550 no such user`, or the cause if there was none.
fn spoken(error: &LettreError) -> String {
    let cause = error.source().map(ToString::to_string);
    match (error.status(), cause) {
        (Some(code), Some(cause)) => format!("{code} {cause}"),
        (Some(code), None) => code.to_string(),
        (None, _) if is_timeout(error) => "no answer in time".to_owned(),
        (None, Some(_)) if is_broken_off(error) => "the server closed the connection".to_owned(),
        (None, Some(cause)) => cause,
        (None, None) => error.to_string(),
    }
}

/// Returns whether the connection ended before a whole answer. lettre has no kind for it, only these words.
fn is_broken_off(error: &LettreError) -> bool {
    error.is_response() && error.source().is_some_and(|cause| cause.to_string() == "incomplete response")
}

/// Returns whether the server shuts down: 421 (RFC 5321, 3.8).
fn is_closing(error: &LettreError) -> bool {
    error.status().is_some_and(|code| u16::from(code) == 421)
}

/// A socket's time limit shows as `TimedOut` while connecting and as `WouldBlock` while reading on Unix.
fn is_timeout(error: &LettreError) -> bool {
    let cause = error.source().and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| matches!(cause.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock))
}

fn refusals(refused: &[Refusal]) -> String {
    let each: Vec<String> =
        refused.iter().map(|refusal| format!("{}: {}", refusal.recipient, refusal.reason)).collect();
    format!("every recipient was refused: {}", each.join("; "))
}

/// Returns what rustls says against a certificate. The handshake happens in the first read or write,
/// so its error comes wrapped in an I/O error.
fn certificate_problem(error: &LettreError) -> Option<CertificateError> {
    let inner = error.source()?.downcast_ref::<io::Error>()?.get_ref()?;
    match inner.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(problem) => Some(problem.clone()),
        _ => None,
    }
}
