//! How long what failed is left alone: growing pauses, so that a lasting fault costs little and a passing one is
//! noticed soon.

use crate::model::{DAY_MS, HOUR_MS, MINUTE_MS, UtcMs};

use super::ObjectState;

/// The pause after the first failure; doubled after each further one.
const FIRST_PAUSE_MS: i64 = 10 * MINUTE_MS;
/// The longest pause.
const LONGEST_PAUSE_MS: i64 = DAY_MS;
/// The longest pause of a prefix in which objects are still arriving, when its fault may pass.
const LONGEST_EAGER_MS: i64 = HOUR_MS;
/// Such a prefix is listed by the next run after its first failures.
const EAGER_TRIES: u32 = 3;
/// Schedulers are not exact: a pause that ends this soon has ended.
const EARLY_MS: i64 = MINUTE_MS;

/// Returns the pause after an object or prefix has failed `attempts` times: 10 minutes, doubled up to a day.
pub fn pause_ms(attempts: u32) -> i64 {
    let doubled = FIRST_PAUSE_MS.saturating_mul(1 << attempts.saturating_sub(1).min(16));
    doubled.min(LONGEST_PAUSE_MS)
}

/// Returns the pause of a prefix that is listed on every run and whose fault may pass: none at first, an hour at most.
pub fn eager_pause_ms(attempts: u32) -> i64 {
    if attempts <= EAGER_TRIES { 0 } else { pause_ms(attempts - EAGER_TRIES).min(LONGEST_EAGER_MS) }
}

/// Returns whether a pause has ended. One that is longer than any comes from a wrong clock.
pub fn has_rested(next_try_ms: UtcMs, now_ms: UtcMs) -> bool {
    next_try_ms <= now_ms + EARLY_MS || next_try_ms > now_ms + LONGEST_PAUSE_MS
}

/// Returns whether an object in this state is requested now.
pub fn is_to_try(state: ObjectState, next_try_ms: UtcMs, now_ms: UtcMs) -> bool {
    match state {
        ObjectState::Mirrored | ObjectState::Deleted => false,
        _ => has_rested(next_try_ms, now_ms),
    }
}
