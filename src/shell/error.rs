//! What a failed command tells its user: one sentence, a hint where there is one, an exit code.

use std::fmt;
use std::io;
use std::path::Path;

use crate::edges::clock;
use crate::edges::index::IndexError;
use crate::edges::ledger::{FileFault, LedgerError};
use crate::edges::mail::{MailError, MailErrorKind, TransportKind};
use crate::edges::state::LockError;
use crate::edges::store::{Action, Service, StoreError, StoreErrorKind};
use crate::flows::error::StateError;
use crate::flows::publish::PublishError;
use crate::flows::run::RunError;
use gzette_core::human;
use gzette_core::model::{MINUTE_MS, UtcMs};

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// All is well.
    Fine = 0,
    /// It failed.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// Done, but something was damaged, denied or missing.
    Partly = 3,
}

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    /// What is wrong: lower case, no full stop, values in backticks.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The exit code.
    pub exit: Exit,
    /// The fault of the ledger that the message tells of and whose file it does not name.
    unnamed: Option<Box<LedgerError>>,
}

impl Failure {
    /// Returns a failure of the work itself.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), hint: None, exit: Exit::Failed, unnamed: None }
    }

    /// Returns a failure of the command line or the configuration.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self { exit: Exit::Usage, ..Self::failed(message) }
    }

    /// Names the ledger in a message that is about its file and does not say which: `SQLite` does not know it, and a
    /// command works on one.
    #[must_use]
    pub fn naming(self, ledger: &Path) -> Self {
        match self.unnamed {
            Some(error) => Self::from(error.in_file(ledger)),
            None => self,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

const LOG_IN: &str =
    "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in again with `aws sso login`";

const MAKE_ROOM: &str = "make room on the disk and run again; the last state is intact";

/// What to do about a ledger that cannot be used.
pub const REBUILD: &str = "`gzette verify --repair` rebuilds it from the mirror";

const ASK_OWNER: &str =
    "its owner can let others read the state directory with `chmod -R a+rX`, and new files with `umask 022`";
const TRY_LATER: &str =
    "try again when the run has ended, or after `gzette status` by the owner of the state directory";

const FAILING: &str =
    "the disk failed: see the kernel's log (`dmesg`); `gzette verify` shows what was damaged";

const READ_ONLY: &str =
    "the file system is read-only; after a disk error, the kernel's log (`dmesg`) shows why";

const NOT_ALLOWED: &str =
    "check the owner and the permissions; gzette must run as the user that owns its state";

/// Returns what to do about what the file system said, by its kind, never by its words.
pub fn io_hint(error: &io::Error) -> Option<&'static str> {
    if error.raw_os_error() == Some(libc::EIO) {
        return Some(FAILING);
    }
    Some(match error.kind() {
        io::ErrorKind::StorageFull => MAKE_ROOM,
        io::ErrorKind::QuotaExceeded => {
            "the disk quota is used up (`quota`): raise it or make room, and run again"
        }
        io::ErrorKind::FileTooLarge => {
            "the file size limit (`ulimit -f`) is reached, not the disk's: raise it and run again"
        }
        io::ErrorKind::ReadOnlyFilesystem => READ_ONLY,
        io::ErrorKind::PermissionDenied => NOT_ALLOWED,
        _ => return None,
    })
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        let hint = io_hint(&error).map(str::to_owned);
        Self { hint, ..Self::failed(error) }
    }
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        let hint = match &error {
            LedgerError::TooNew { .. } => "install the newer gzette, or use another state directory",
            LedgerError::Corrupt { .. } | LedgerError::Unreadable { .. } => REBUILD,
            LedgerError::Denied { .. } => ASK_OWNER,
            LedgerError::Unshared { .. } => TRY_LATER,
            LedgerError::Uncompressed(_) => return Self::failed(error),
            LedgerError::Sqlite(_) => match error.file_fault() {
                Some(FileFault::Full) => MAKE_ROOM,
                Some(FileFault::Failed) => {
                    "the disk failed, or a quota or a file size limit is reached: `dmesg`, `quota` and `ulimit -f` show which"
                }
                Some(FileFault::ReadOnly) => READ_ONLY,
                Some(FileFault::Closed) => NOT_ALLOWED,
                None => return Self::failed(error),
            },
        };
        let failure = Self::failed(&error).hint(hint);
        Self { unnamed: error.lacks_file().then(|| Box::new(error)), ..failure }
    }
}

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Self {
        let failure = Self::failed(&error);
        let hint = match error.io() {
            Some(error) => io_hint(error),
            None => os_error_in(&failure.message).as_ref().and_then(io_hint),
        };
        failure.hint(
            hint.unwrap_or("`gzette ingest` rebuilds the index from the mirror if its folder is removed"),
        )
    }
}

/// Returns the system error whose number a text names: a thread of tantivy passes on only the text. The
/// number is in the text of every `io::Error` that has one, whatever the language of the words before it.
fn os_error_in(text: &str) -> Option<io::Error> {
    let (_, rest) = text.rsplit_once("(os error ")?;
    let number = rest.split(')').next()?.parse().ok()?;
    Some(io::Error::from_raw_os_error(number))
}

impl From<StateError> for Failure {
    fn from(error: StateError) -> Self {
        match error {
            StateError::Lock(error) => error.into(),
            StateError::Ledger(error) => error.into(),
            StateError::Index(error) => error.into(),
            StateError::File(error) => error.into(),
            StateError::Mirror(ref source) => {
                Self { hint: io_hint(source).map(str::to_owned), ..Self::failed(&error) }
            }
            StateError::Panicked => Self::failed(error),
        }
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        let failure = Self::failed(&error);
        match error {
            LockError::Held { .. } => {
                failure.hint("it ends by itself; the next scheduled run continues where it stopped")
            }
            LockError::Io { source, .. } => {
                let usual = "`state_dir` in gzette.toml names it; check its permissions and free space";
                failure.hint(
                    io_hint(&source)
                        .filter(|_| source.kind() != io::ErrorKind::PermissionDenied)
                        .unwrap_or(usual),
                )
            }
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::State(error) => error.into(),
            RunError::NoSource(error) => error.into(),
            RunError::Site { ref source, .. } => {
                Self { hint: io_hint(source).map(str::to_owned), ..Self::failed(&error) }
            }
        }
    }
}

impl From<PublishError> for Failure {
    fn from(error: PublishError) -> Self {
        match error {
            PublishError::Ledger(error) => error.into(),
            PublishError::Store(error) => error.into(),
            PublishError::Twice(_) | PublishError::Stopped => Self::failed(error),
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let exit = match error.kind {
            StoreErrorKind::NoBucket
            | StoreErrorKind::Config
            | StoreErrorKind::Credentials
            | StoreErrorKind::Clock => Exit::Usage,
            _ => Exit::Failed,
        };
        Self { hint: store_hint(&error), exit, ..Self::failed(&error) }
    }
}

/// Returns what to do about a store's failure.
pub fn store_hint(error: &StoreError) -> Option<String> {
    let hint = match error.kind {
        StoreErrorKind::NoBucket => "check the `url` of the source or of `[site] publish` in gzette.toml",
        StoreErrorKind::Credentials => LOG_IN,
        StoreErrorKind::Clock => return Some(clock_hint(error.server_ms, clock::now_ms(None))),
        StoreErrorKind::Denied if error.service == Service::S3 => return denied_hint(error),
        StoreErrorKind::Denied => "check the owner and the permissions of the folder",
        StoreErrorKind::Network => "check the network, AWS_REGION and AWS_ENDPOINT_URL; nothing was changed",
        StoreErrorKind::Config => {
            "check AWS_REGION and AWS_ENDPOINT_URL, or `region` and `endpoint_url` in gzette.toml"
        }
        StoreErrorKind::Archived => "restore the object from its archive tier; the next run reads it",
        StoreErrorKind::Odd => {
            "this is not an answer of S3: check AWS_ENDPOINT_URL, any proxies, and that the role has s3:ListBucket"
        }
        StoreErrorKind::Missing | StoreErrorKind::Changed | StoreErrorKind::Local => {
            return None;
        }
    };
    Some(hint.to_owned())
}

/// The permission that an operation lacks (Service Authorization Reference, "Amazon S3"), and that for the key of
/// encrypted objects when it is about one.
fn denied_hint(error: &StoreError) -> Option<String> {
    let (action, on, key_action) = match error.what {
        Action::List => ("s3:ListBucket", "bucket", "kms:Decrypt"),
        Action::Get => ("s3:GetObject", "objects", "kms:Decrypt"),
        Action::Put => ("s3:PutObject", "objects", "kms:GenerateDataKey"),
        Action::Delete => ("s3:DeleteObject", "objects", "kms:Decrypt"),
        Action::Open | Action::Create => return None,
    };
    Some(if is_about_key(&error.reason) {
        format!("the role needs {key_action} on the KMS key, and {action} on the {on}")
    } else {
        format!("the role needs {action} on the {on}; docs/config.md has the whole policy")
    })
}

/// Whether a denial is about the key of encrypted objects. S3 has one code, `AccessDenied`, for both; only the text names
/// what was not allowed: `... is not authorized to perform: kms:Decrypt on resource ...`, or the key itself, an ARN of `kms`.
fn is_about_key(reason: &str) -> bool {
    reason.to_ascii_lowercase().contains("kms")
}

/// Tells how far this machine's clock is off.
fn clock_hint(server_ms: Option<UtcMs>, now_ms: UtcMs) -> String {
    let set = "set it, for example with `timedatectl set-ntp true`";
    match server_ms.map(|server_ms| now_ms - server_ms) {
        Some(ahead) if ahead >= MINUTE_MS => {
            format!("this machine's clock is {} ahead of the server's; {set}", human::duration(ahead))
        }
        Some(ahead) if ahead <= -MINUTE_MS => {
            format!("this machine's clock is {} behind the server's; {set}", human::duration(-ahead))
        }
        _ => format!("compare this machine's clock with the correct time, and {set}"),
    }
}

/// Returns what to do about a mail that could not be sent. It waits in the outbox.
pub fn mail_hint(error: &MailError) -> Option<String> {
    let is_ses = error.transport == Some(TransportKind::Ses);
    Some(match error.kind {
        MailErrorKind::Denied => {
            "the role needs ses:SendRawEmail and ses:SendEmail on the identity of the sender".to_owned()
        }
        MailErrorKind::Auth if is_ses => LOG_IN.to_owned(),
        MailErrorKind::Auth => {
            "check the user in `transport` and the password in GZETTE_SMTP_PASSWORD".to_owned()
        }
        MailErrorKind::Network if is_ses => {
            "check the network and AWS_REGION; the next run sends the mail".to_owned()
        }
        MailErrorKind::Network => {
            "check host and port in `transport`; the next run sends the mail".to_owned()
        }
        MailErrorKind::Config => "check `transport` and the addresses in gzette.toml".to_owned(),
        MailErrorKind::Refused | MailErrorKind::Later | MailErrorKind::Local => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint_of(number: i32) -> String {
        let error = || io::Error::from_raw_os_error(number);
        let index = Failure::from(IndexError::Io { path: "index".into(), source: error() });
        let mirror = Failure::from(StateError::Mirror(error()));
        let site = Failure::from(RunError::Site { dir: "site".into(), source: error() });
        assert_eq!((&index.hint, &mirror.hint), (&site.hint, &site.hint), "{number}");
        site.hint.unwrap()
    }

    /// A failing disk was told as a full one.
    #[test]
    fn each_fault_of_a_disk_has_its_own_hint() {
        let faults =
            [libc::ENOSPC, libc::EDQUOT, libc::EFBIG, libc::EROFS, libc::EACCES, libc::EIO].map(hint_of);
        let signs = ["make room", "quota", "ulimit -f", "read-only", "owner", "the disk failed"];
        for (hint, sign) in faults.iter().zip(signs) {
            assert!(hint.contains(sign), "{hint}");
            assert_eq!(faults.iter().filter(|other| *other == hint).count(), 1, "{hint}");
        }
    }

    #[test]
    fn the_number_of_an_error_of_the_system_is_read_from_its_text() {
        let error = io::Error::from_raw_os_error(libc::ENOSPC);
        let text = format!("an error of a thread: `{error}` in a segment");
        assert_eq!(os_error_in(&text).map(|error| error.kind()), Some(io::ErrorKind::StorageFull), "{text}");
        assert!(os_error_in("no number").is_none());
    }

    #[test]
    fn a_damaged_ledger_is_named_where_it_is_known_which() {
        let damage = LedgerError::Corrupt { path: None, reason: "page 3".to_owned() };
        let failure = Failure::from(damage).naming(Path::new("/s/ledger.sqlite"));
        assert_eq!(failure.message, "the ledger `/s/ledger.sqlite` is damaged: page 3");
        assert_eq!(failure.hint.as_deref(), Some(REBUILD));
    }

    #[test]
    fn a_clock_that_is_off_is_told_with_by_how_much() {
        let now_ms = UtcMs::new(1_772_366_400_000);
        assert!(clock_hint(Some(now_ms - 3 * 3_600_000), now_ms).contains("3 hours ahead of the server's"));
        assert!(clock_hint(Some(now_ms + 3 * 3_600_000), now_ms).contains("3 hours behind the server's"));
        assert!(clock_hint(None, now_ms).contains("timedatectl"));
    }

    #[test]
    fn a_denial_names_the_permission() {
        for (what, reason, expected) in [
            (Action::List, "AccessDenied", "s3:ListBucket on the bucket"),
            (Action::Get, "AccessDenied", "s3:GetObject on the objects"),
            (
                Action::Get,
                "AccessDenied: not authorized to perform: kms:Decrypt",
                "kms:Decrypt on the KMS key",
            ),
            (Action::Put, "AccessDenied", "s3:PutObject on the objects"),
            (Action::Put, "AccessDenied: KMS", "kms:GenerateDataKey on the KMS key"),
            (Action::Delete, "AccessDenied", "s3:DeleteObject on the objects"),
        ] {
            let error = StoreError::new(StoreErrorKind::Denied, Service::S3, what, "s3://b/k", reason);
            let hint = store_hint(&error).unwrap();
            assert!(hint.contains(expected), "{hint}");
        }
    }

    /// A relative folder may have any name.
    #[test]
    fn a_hint_is_about_the_kind_of_store_and_transport_whatever_they_are_called() {
        let denied = StoreErrorKind::Denied;
        let folder = StoreError::new(denied, Service::Folder, Action::Get, "s3://like/this", "no");
        assert!(store_hint(&folder).unwrap().contains("permissions of the folder"));
        let hint =
            |kind| mail_hint(&MailError::new(MailErrorKind::Auth, Some(kind), "ses.example.com", "no"));
        assert!(hint(TransportKind::Smtp).unwrap().contains("GZETTE_SMTP_PASSWORD"));
        assert_eq!(hint(TransportKind::Ses).unwrap(), LOG_IN);
    }
}
