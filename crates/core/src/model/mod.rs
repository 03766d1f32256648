//! The words that every other module uses: plain types, no behaviour beyond their own spelling.

pub(crate) mod bytes;
mod event;
mod group;
mod line;
mod nested;
mod object;
mod requests;
mod state;
mod window;

pub(crate) use event::colour;
pub(crate) use event::unescape_one;
pub use event::{Event, Field, Level};
pub use group::{GroupId, GroupKind, Grouped};
pub use line::{Damage, LineCounts, RawLine};
pub use object::{
    AppName, Checksum, GenerationId, KnownBytes, ListedObject, ObjectKey, ObjectVersion, SourceName, rank,
};
pub use requests::Requests;
pub use state::StateId;
pub use window::{DAY_MS, Day, HOUR_MS, MINUTE_MS, SLOT_MS, Slot, UtcMs, Window};
