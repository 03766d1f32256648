//! What a failed command tells its user: one sentence, a hint where there is one, an exit code.

use std::fmt;

use crate::identity::IdentityError;
use crate::index::IndexError;
use crate::ingest::IngestError;
use crate::ledger::LedgerError;
use crate::prune::PruneError;
use crate::publish::PublishError;
use crate::report::ReportError;
use crate::run::RunError;
use crate::search::SearchError;
use crate::state::LockError;
use crate::store::{StoreError, StoreErrorKind};
use crate::sync::SyncError;
use crate::verify::VerifyError;

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
}

impl Failure {
    /// Returns a failure of the work itself.
    pub fn failed(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), hint: None, exit: Exit::Failed }
    }

    /// Returns a failure of the command line or the configuration.
    pub fn usage(message: impl fmt::Display) -> Self {
        Self { message: message.to_string(), hint: None, exit: Exit::Usage }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

const MAKE_ROOM: &str = "make room on the disk and run again; the last state is whole";

/// What to do about a ledger that cannot be used.
pub const REBUILD: &str = "`gzette verify --repair` rebuilds it from the mirror";

const ASK_OWNER: &str =
    "its owner lets others read the state directory with `chmod -R a+rX`, and new files with `umask 022`";
const TRY_LATER: &str =
    "try again when the run has ended, or after `gzette status` by the owner of the state directory";

/// Returns whether an error says that no more can be written: the disk is full, a quota is used up, a file
/// may not grow. `SQLite` has but one word for the last two.
fn is_full(text: &str) -> bool {
    ["No space left", "StorageFull", "disk is full", "disk I/O", "quota exceeded", "File too large"]
        .iter()
        .any(|sign| text.contains(sign))
}

impl From<LedgerError> for Failure {
    fn from(error: LedgerError) -> Self {
        let text = error.to_string();
        let failure = Self::failed(&text);
        if matches!(error, LedgerError::TooNew { .. }) {
            failure.hint("install the newer gzette, or use another state directory")
        } else if matches!(error, LedgerError::Corrupt { .. }) {
            failure.hint(REBUILD)
        } else if matches!(error, LedgerError::Denied { .. }) {
            failure.hint(ASK_OWNER)
        } else if matches!(error, LedgerError::Unshared { .. }) {
            failure.hint(TRY_LATER)
        } else if is_full(&text) {
            failure.hint(MAKE_ROOM)
        } else {
            failure
        }
    }
}

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Self {
        let text = error.to_string();
        let failure = Self::failed(&text);
        if is_full(&text) {
            failure.hint(MAKE_ROOM)
        } else {
            failure.hint("`gzette ingest` rebuilds the index from the mirror if its folder is removed")
        }
    }
}

impl From<IngestError> for Failure {
    fn from(error: IngestError) -> Self {
        match error {
            IngestError::Ledger(error) => error.into(),
            IngestError::Index(error) => error.into(),
        }
    }
}

impl From<SearchError> for Failure {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Ledger(error) => error.into(),
            SearchError::Index(error) => error.into(),
        }
    }
}

impl From<IdentityError> for Failure {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Ledger(error) => error.into(),
            IdentityError::Io(error) => error.into(),
        }
    }
}

impl From<PruneError> for Failure {
    fn from(error: PruneError) -> Self {
        match error {
            PruneError::Ledger(error) => error.into(),
            PruneError::Index(error) => error.into(),
            PruneError::Mirror(_) => Self::failed(error),
        }
    }
}

impl From<VerifyError> for Failure {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Ledger(error) => error.into(),
            VerifyError::Index(error) => error.into(),
        }
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        let failure = Self::failed(&error);
        match error {
            LockError::Held { .. } => {
                failure.hint("it ends by itself; the next scheduled run goes on where it stopped")
            }
            LockError::Io { .. } => {
                failure.hint("`state_dir` in gzette.toml names it; check its permissions and free space")
            }
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Ledger(error)
            | RunError::Sync(SyncError::Ledger(error))
            | RunError::Report(ReportError::Ledger(error)) => error.into(),
            RunError::Ingest(error) => error.into(),
            RunError::Prune(error) => error.into(),
            RunError::NoSource(error) => error.into(),
            RunError::Site { .. } | RunError::Sync(_) => {
                let failure = Self::failed(&error);
                if is_full(&failure.message) { failure.hint(MAKE_ROOM) } else { failure }
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
            StoreErrorKind::NoBucket | StoreErrorKind::Config | StoreErrorKind::Credentials => Exit::Usage,
            _ => Exit::Failed,
        };
        let hint = store_hint(error.kind);
        Self { message: error.to_string(), hint: hint.map(str::to_owned), exit }
    }
}

/// What to do about a store's failure.
pub fn store_hint(kind: StoreErrorKind) -> Option<&'static str> {
    Some(match kind {
        StoreErrorKind::NoBucket => "check the `url` of the source or of `[site] publish` in gzette.toml",
        StoreErrorKind::Credentials => {
            "set AWS_PROFILE or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or log in again with `aws sso login`"
        }
        StoreErrorKind::Denied => {
            "the role needs s3:ListBucket on the bucket and s3:GetObject on the objects"
        }
        StoreErrorKind::Network => "check the network, AWS_REGION and AWS_ENDPOINT_URL; nothing was changed",
        StoreErrorKind::Config => {
            "check AWS_REGION and AWS_ENDPOINT_URL, or `region` and `endpoint_url` of the source"
        }
        StoreErrorKind::Archived => "restore the object from its archive tier; the next run reads it",
        StoreErrorKind::Odd => {
            "this is not what S3 answers: check AWS_ENDPOINT_URL, proxies on the way, and that the role has s3:ListBucket"
        }
        StoreErrorKind::Missing | StoreErrorKind::Changed | StoreErrorKind::Local => {
            return None;
        }
    })
}
