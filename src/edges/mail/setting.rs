//! The transport of a digest as the configuration writes it: `file`, `ses` or an SMTP URL.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use super::{MailError, MailErrorKind};

const FORMS: &str = "allowed: `file`, `ses`, `smtp://user@host:587?tls=starttls`, `smtps://user@host:465`";

/// Ports by RFC 8314, 3.3 (submission over TLS, submission) and RFC 5321 (relay).
const PORT_TLS: u16 = 465;
const PORT_STARTTLS: u16 = 587;
const PORT_PLAIN: u16 = 25;

/// Which way mails go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TransportSetting {
    /// .eml files in the outbox folder.
    #[default]
    File,
    /// An SMTP server.
    Smtp(SmtpSetting),
    /// The SES v2 API with the standard AWS credentials.
    Ses,
}

/// How an SMTP connection is secured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpTls {
    /// TLS from the first byte.
    Tls,
    /// STARTTLS, and nothing is sent when the server does not offer it.
    Starttls,
    /// No TLS.
    None,
}

/// An SMTP server.
#[derive(Clone, PartialEq, Eq)]
pub struct SmtpSetting {
    /// Its name or address; an IPv6 address without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is secured.
    pub tls: SmtpTls,
    /// The user to sign in as, if any.
    pub user: Option<String>,
    /// The password, when the URL holds it. Better kept out of it.
    pub password: Option<String>,
}

impl SmtpSetting {
    /// Returns the URL without user and password.
    pub fn place(&self) -> String {
        let scheme = if self.tls == SmtpTls::Tls { "smtps" } else { "smtp" };
        if self.host.contains(':') {
            format!("{scheme}://[{}]:{}", self.host, self.port)
        } else {
            format!("{scheme}://{}:{}", self.host, self.port)
        }
    }

    /// Returns whether the server is this machine.
    pub fn is_local(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

/// Leaves the password out.
impl fmt::Debug for SmtpSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpSetting")
            .field("place", &self.place())
            .field("tls", &self.tls)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

impl FromStr for TransportSetting {
    type Err = MailError;

    /// Parses the setting. No error repeats the user and password part of a URL.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim() {
            "" | "file" => Ok(Self::File),
            "ses" => Ok(Self::Ses),
            url => match url.split_once("://") {
                Some(("smtp", rest)) => smtp(rest, false).map(Self::Smtp),
                Some(("smtps", rest)) => smtp(rest, true).map(Self::Smtp),
                Some((scheme, _)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                    Err(wrong(&format!("`{scheme}://` is not a transport; {FORMS}")))
                }
                _ if url.contains('@') => Err(wrong(&format!("no transport is named; {FORMS}"))),
                _ => Err(wrong(&format!("`{url}` is not a transport; {FORMS}"))),
            },
        }
    }
}

fn smtp(rest: &str, wrapped: bool) -> Result<SmtpSetting, MailError> {
    // A password may hold what ends an authority when it was not encoded: the last `@` decides.
    let (login, server) = match rest.rsplit_once('@') {
        Some((login, server)) => (Some(login), server),
        None => (None, rest),
    };
    let (server, query) = server.split_once('?').unwrap_or((server, ""));
    let (host, port) = host_and_port(server.strip_suffix('/').unwrap_or(server))?;
    let tls = tls_of(query, wrapped, port)?;
    let (user, password) = match login {
        Some(login) => user_and_password(login)?,
        None => (None, None),
    };
    Ok(SmtpSetting {
        host,
        port: port.unwrap_or(match tls {
            SmtpTls::Tls => PORT_TLS,
            SmtpTls::Starttls => PORT_STARTTLS,
            SmtpTls::None => PORT_PLAIN,
        }),
        tls,
        user,
        password,
    })
}

fn host_and_port(server: &str) -> Result<(String, Option<u16>), MailError> {
    let (host, port) = match server.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest
                .split_once(']')
                .ok_or_else(|| wrong("the host's `[` has no `]`; allowed: `[::1]:587`"))?;
            (host, rest.strip_prefix(':'))
        }
        None => match server.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (server, None),
        },
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_fine = if server.starts_with('[') {
        host.parse::<std::net::Ipv6Addr>().is_ok()
    } else {
        !host.is_empty() && host.bytes().all(is_name)
    };
    if !is_fine {
        return Err(wrong(&format!(
            "the host `{host}` is not a name; allowed: letters, digits, `-` and `.`, or `[ipv6]`"
        )));
    }
    let port = port
        .map(|port| match port.parse::<u16>() {
            Ok(number) if number > 0 => Ok(number),
            // The message repeats only numbers: with a forgotten `@`, this is a password.
            Ok(_) | Err(_) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                Err(wrong(&format!("the port `{port}` is not a number from 1 to 65535")))
            }
            _ => Err(wrong("the port is not a number from 1 to 65535")),
        })
        .transpose()?;
    Ok((host.to_owned(), port))
}

fn tls_of(query: &str, wrapped: bool, port: Option<u16>) -> Result<SmtpTls, MailError> {
    let mut asked = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        asked = Some(match (name, value) {
            ("tls", "starttls") => SmtpTls::Starttls,
            ("tls", "tls") => SmtpTls::Tls,
            ("tls", "none") => SmtpTls::None,
            ("tls", _) => {
                return Err(wrong(&format!("`tls={value}` is unknown; allowed: `starttls`, `tls`, `none`")));
            }
            _ => return Err(wrong(&format!("the option `{name}` is unknown; allowed: `tls`"))),
        });
    }
    match asked {
        Some(SmtpTls::Starttls | SmtpTls::None) if wrapped => {
            Err(wrong("`smtps://` is implicit TLS; for anything else write `smtp://`"))
        }
        Some(tls) => Ok(tls),
        // On port 465 a server waits for TLS and says nothing before it (RFC 8314), so STARTTLS would only
        // time out.
        None if wrapped || port == Some(PORT_TLS) => Ok(SmtpTls::Tls),
        None => Ok(SmtpTls::Starttls),
    }
}

fn user_and_password(login: &str) -> Result<(Option<String>, Option<String>), MailError> {
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (login, None),
    };
    let user = decode("user", user)?;
    if user.is_empty() {
        return Err(wrong("the user before `@` is empty; allowed: `user@host`"));
    }
    let password = password
        .filter(|password| !password.is_empty())
        .map(|password| decode("password", password))
        .transpose()?;
    Ok((Some(user), password))
}

fn decode(part: &str, text: &str) -> Result<String, MailError> {
    let decoded = percent_decode_str(text)
        .decode_utf8()
        .map_err(|_| wrong(&format!("the {part} is not UTF-8 after percent-decoding")))?;
    // A newline would end the command of the protocol that carries it.
    if decoded.chars().any(char::is_control) {
        return Err(wrong(&format!("the {part} contains control characters")));
    }
    Ok(decoded.into_owned())
}

fn wrong(reason: &str) -> MailError {
    MailError::new(MailErrorKind::Config, None, "transport", reason)
}
