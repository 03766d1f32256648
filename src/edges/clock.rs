//! The clock: the only place that asks the machine for the time. Everything else is handed `now`.

use std::time::{SystemTime, UNIX_EPOCH};

use gzette_core::model::UtcMs;

/// Returns the present time, or the fixed one of `--now`.
pub fn now_ms(fixed: Option<UtcMs>) -> UtcMs {
    fixed.unwrap_or_else(system_now_ms)
}

#[expect(clippy::disallowed_methods, reason = "the one caller of the machine's clock")]
fn system_now_ms() -> UtcMs {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(UtcMs::EPOCH, |since| UtcMs::new(since.as_millis() as i64))
}
