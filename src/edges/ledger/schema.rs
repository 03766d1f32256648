//! What later schemas added. A command that only reads leaves an older ledger as it is, so each read of something added
//! later asks here whether the file has it.

use super::Ledger;

/// Something that a ledger of an older schema lacks. The number is that of the migration that brought it.
#[derive(Clone, Copy)]
pub(super) enum Added {
    /// The table `point`.
    Points = 3,
    /// `sighting.title`.
    Titles = 4,
    /// `generation.mirrored`, `generation.indexed`, `object.expired`.
    Retention = 5,
    /// `generation.grouping`; the present form of `group_alias`.
    Grouping = 6,
    /// The columns `stored_checksum`.
    StoredChecksums = 7,
    /// The table `stray`; the columns `next_try_ms` and `failing_since_ms`.
    Troubles = 8,
    /// The columns of `outbox` that say why a mail waits.
    MailWaits = 9,
    /// The table `sample`, which has the raw lines that `sighting` had.
    Samples = 10,
    /// `object.uncounted` and the indices of what is looked for among all versions.
    Uncounted = 11,
}

impl Ledger {
    /// Returns whether the file has what a later schema added.
    pub(super) fn has(&self, added: Added) -> bool {
        self.schema >= added as i64
    }
}
