//! Decides from listing and ledger what to list, get, keep and mark as gone. Pure: `now` and what the ledger
//! knows are parameters, the answers are values; [`crate::sync`] carries them out.
//!
//! - [`Layout`]: which part of a key names the application and the day;
//! - [`Survey`]: which prefixes this run lists, and why ([`Why`]);
//! - [`diff`]: a complete listing against the known objects;
//! - [`is_to_try`], [`pause_ms`]: when something that failed is tried again.
//!
//! # What an idle run costs
//! With `{app}/{date:%Y%m%d}/`, A applications, W existing day prefixes from today+1 back to
//! today−`look_back_days`, and n older ones in range, a run every ten minutes sends
//!
//! ```text
//! 1 (applications) + A (their days) + W (look-back) + at most ceil(n / 144) + 1 (older, in turn)
//! ```
//!
//! listings, of one request per started thousand entries, and no reads. Over a whole day the last
//! term adds up to n. The next run makes up for a missed one: it takes over its share of the older days.
//!
//! Where one listing of everything takes far fewer requests ([`Survey::prices`]), a run sends those instead: with 2,000
//! applications of two days and one object a day, 4 instead of 6,001.

mod diff;
mod layout;
mod pause;
mod survey;
#[cfg(test)]
mod tests;

pub use diff::{Arranged, Diff, KnownObject, ObjectState, PlacedObject, arrange, diff};
pub use layout::{Layout, LayoutError, Level, Placement};
pub use pause::{eager_pause_ms, has_rested, is_to_try, pause_ms};
pub use survey::{KnownListing, ListTask, Prices, Rank, Reach, Survey, Why};

use crate::model::{DAY_MS, UtcMs};

/// The application of a key that the layout gives none.
pub const UNPLACED_APP: &str = "unplaced";

/// Returns whether the moment `phase_ms` after any midnight (UTC) has passed after `since_ms` and by `now_ms`.
fn has_passed(phase_ms: i64, since_ms: UtcMs, now_ms: UtcMs) -> bool {
    let days = |time_ms: UtcMs| (time_ms - phase_ms).stretch(DAY_MS);
    days(now_ms) > days(since_ms)
}
