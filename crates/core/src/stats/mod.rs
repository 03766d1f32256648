//! Counts to states, baselines, spikes, silences and comparisons. Values in, values out: `now` is a
//! parameter, nothing is read here. `docs/numbers.md` says the same in words for users.

mod baseline;
mod clarity;
mod series;
mod silence;
mod state;
#[cfg(test)]
mod tests;
mod windows;

pub use baseline::{HISTORY_HOURS, hourly_limit, weekday_of_slot, young_limit};
pub use clarity::{Clarity, Fault, JUDGED_MS, Unclear};
pub use series::Series;
pub use silence::{Habit, Presence, SWITCHED_OFF_MS, habit};
pub use state::{GroupHistory, GroupState, Judgement, MIN_SPIKE_EVENTS, judge};
pub use windows::{DAY_SLOTS, HOUR_SLOTS, MAX_LAG_SLOTS, WEEK_SLOTS, Windows, slots_starting_in};
