//! The options that choose events: applications, levels, times, a group.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use super::CommandError;
use super::context::Context;
use crate::edges::ledger::Ledger;
use crate::shell::error::Failure;
use crate::shell::ui::Ui;
use gzette_core::human;
use gzette_core::model::{AppName, DAY_MS, GroupId, HOUR_MS, Level, MINUTE_MS, UtcMs, Window};

/// No more applications are named to who misspelt one.
const SHOWN_NAMES: usize = 10;

/// The filters of `search` and `count`.
#[derive(Debug, clap::Args)]
pub(super) struct Filter {
    /// Only these applications
    #[arg(long, value_delimiter = ',', value_name = "APP,...")]
    app: Vec<AppName>,
    /// Only these levels: trace, debug, info, warn, error, fatal, unknown
    #[arg(long, value_delimiter = ',', value_name = "LEVEL,...")]
    level: Vec<Level>,
    /// Only events of this error group
    #[arg(long, value_name = "ID")]
    group: Option<GroupId>,
    /// Only the time span up to now: 90s, 30m, 4h, 2d, 1w
    #[arg(long, value_name = "SPAN", value_parser = parse_span, conflicts_with_all = ["from", "to"])]
    since: Option<i64>,
    /// Only this day (UTC): 2026-01-31, today or yesterday
    #[arg(long, value_name = "DAY", value_parser = parse_day, conflicts_with_all = ["since", "from", "to"])]
    on: Option<OnDay>,
    /// Only from this time on: 2026-01-31, 2026-01-31T12:00, 2026-01-31T12:00:00Z (default zone: UTC)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Option<UtcMs>,
    /// Only before this time (excluded)
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    to: Option<UtcMs>,
}

/// What the filters say.
pub(super) struct Chosen {
    pub(super) apps: Vec<AppName>,
    pub(super) levels: u8,
    pub(super) group: Option<GroupId>,
    pub(super) window: Window,
}

impl Chosen {
    /// Returns the filters with the id that the group has now, which the ledger knows.
    pub(super) fn on(mut self, ledger: &Ledger, ui: &Ui) -> Result<Self, CommandError> {
        if let Some(id) = self.group
            && let Some(now) = ledger.group_aliases()?.get(&id)
        {
            ui.note(&format!("{id} has the id {now} under the current rules"));
            self.group = Some(*now);
        }
        check(&self.apps, self.group, ledger)?;
        Ok(self)
    }

    /// Returns the window, one that begins somewhere and does not end until now.
    pub(super) fn window_until(&self, now_ms: UtcMs) -> Window {
        let Window { start_ms, end_ms } = self.window;
        let goes_to_now = end_ms == UtcMs::MAX && start_ms != UtcMs::MIN && start_ms < now_ms;
        Window { start_ms, end_ms: if goes_to_now { now_ms } else { end_ms } }
    }
}

/// Refuses an application or a group that the ledger does not know: nothing would be found, without a word. An empty
/// ledger knows none, and may yet.
fn check(apps: &[AppName], group: Option<GroupId>, ledger: &Ledger) -> Result<(), CommandError> {
    let known = ledger.app_names()?;
    if known.is_empty() {
        return Ok(());
    }
    if let Some(unknown) = apps.iter().find(|app| !known.contains(app)) {
        let failure = Failure::usage(format!("no application is named `{unknown}`"));
        return Err(failure.hint(other_names(unknown, &known)).into());
    }
    match group {
        Some(id) if ledger.group(id)?.is_none() => Err(unknown_group(id).into()),
        _ => Ok(()),
    }
}

/// The name that was meant, or the names there are.
fn other_names(unknown: &str, known: &[AppName]) -> String {
    if let Some(near) = human::nearest(unknown, known.iter().map(AppName::as_str)) {
        return format!("did you mean `{near}`?");
    }
    let names: Vec<_> = known.iter().take(SHOWN_NAMES).map(|name| format!("`{name}`")).collect();
    let more = match known.len().saturating_sub(SHOWN_NAMES) {
        0 => String::new(),
        left => format!(" and {} more; `gzette count --by app` lists all", human::count(left as u64)),
    };
    format!("the applications are {}{more}", names.join(", "))
}

/// Returns the failure for a group that does not exist.
pub(super) fn unknown_group(id: GroupId) -> Failure {
    Failure::usage(format!("there is no group `{id}` in the ledger"))
        .hint("`gzette group list` shows the existing groups")
}

impl Filter {
    /// Refuses what the ledger does not know.
    pub(super) fn check(&self, ledger: &Ledger) -> Result<(), CommandError> {
        let group = match self.group {
            Some(id) => Some(ledger.group_aliases()?.get(&id).copied().unwrap_or(id)),
            None => None,
        };
        check(&self.app, group, ledger)
    }

    pub(super) fn chosen(&self, context: &Context) -> Result<Chosen, CommandError> {
        let levels = self.level.iter().fold(0, |mask, level| mask | level.bit());
        let on = self.on.map(|day| day.window(context.now_ms()));
        let window = match self.since {
            _ if on.is_some() => on.unwrap_or(Window::ALL),
            Some(span_ms) => Window { start_ms: context.now_ms() - span_ms, end_ms: UtcMs::MAX },
            None => {
                Window { start_ms: self.from.unwrap_or(UtcMs::MIN), end_ms: self.to.unwrap_or(UtcMs::MAX) }
            }
        };
        if window.start_ms >= window.end_ms {
            return Err(Failure::usage("`--from` is not before `--to`: the window is empty").into());
        }
        Ok(Chosen {
            apps: self.app.clone(),
            levels: if levels == 0 { u8::MAX } else { levels },
            group: self.group,
            window,
        })
    }
}

/// A day, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnDay {
    /// This many days before today.
    Back(i64),
    /// The day that begins then.
    Of(UtcMs),
}

impl OnDay {
    fn window(self, now_ms: UtcMs) -> Window {
        let start_ms = match self {
            Self::Back(days) => now_ms.start_of(DAY_MS) - days * DAY_MS,
            Self::Of(start_ms) => start_ms,
        };
        Window { start_ms, end_ms: start_ms + DAY_MS }
    }
}

fn parse_day(text: &str) -> Result<OnDay, String> {
    match text {
        "today" => Ok(OnDay::Back(0)),
        "yesterday" => Ok(OnDay::Back(1)),
        date => {
            // A time of day would be read and passed over.
            let is_date = date.len() <= "2026-01-31".len();
            let day = date.parse::<Date>().ok().filter(|_| is_date);
            let start = day.and_then(|day| day.at(0, 0, 0, 0).to_zoned_datetime(TimeZone::UTC).ok());
            let start = start
                .ok_or_else(|| format!("`{text}` is not a day; write 2026-01-31, today or yesterday"))?;
            Ok(OnDay::Of(start.timestamp().into()))
        }
    }
}

/// Reads a span: a number with `s`, `m`, `h`, `d` or `w`.
pub(super) fn parse_span(text: &str) -> Result<i64, String> {
    let wrong = || format!("`{text}` is not a span of time; write 30m, 4h or 2d");
    let split = text.find(|character: char| !character.is_ascii_digit()).ok_or_else(wrong)?;
    let number: i64 = text[..split].parse().map_err(|_| wrong())?;
    let unit = match &text[split..] {
        "s" => 1_000,
        "m" | "min" => MINUTE_MS,
        "h" => HOUR_MS,
        "d" => DAY_MS,
        "w" => 7 * DAY_MS,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit).ok_or_else(wrong)
}

/// Reads a time: RFC 3339, or a date with or without a time of day, in UTC.
pub(super) fn parse_time(text: &str) -> Result<UtcMs, String> {
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        return Ok(timestamp.into());
    }
    let civil = text.parse::<DateTime>().or_else(|_| text.parse::<Date>().map(|date| date.at(0, 0, 0, 0)));
    civil
        .ok()
        .and_then(|civil| civil.to_zoned_datetime(TimeZone::UTC).ok())
        .map(|zoned| zoned.timestamp().into())
        .ok_or_else(|| {
            format!("`{text}` is not a time; write 2026-01-31, 2026-01-31T12:00 or 2026-01-31T12:00:00Z")
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_times_are_read() {
        assert_eq!(parse_span("4h"), Ok(4 * HOUR_MS));
        assert_eq!(parse_span("30m"), Ok(30 * MINUTE_MS));
        for wrong in ["", "h", "4", "4y", "-1h", "99999999999999999999d"] {
            assert!(parse_span(wrong).is_err(), "{wrong}");
        }
        let noon = UtcMs::new(1_769_860_800_000);
        for text in ["2026-01-31T12:00:00Z", "2026-01-31T12:00", "2026-01-31T13:00:00+01:00"] {
            assert_eq!(parse_time(text), Ok(noon), "{text}");
        }
        assert_eq!(parse_time("2026-01-31"), Ok(noon - 12 * HOUR_MS));
        assert!(parse_time("soon").is_err());
        let day = |text: &str| parse_day(text).map(|day| day.window(noon));
        let of = |start_ms| Ok(Window { start_ms, end_ms: start_ms + DAY_MS });
        assert_eq!(day("today"), of(noon - 12 * HOUR_MS));
        assert_eq!(day("yesterday"), of(noon - 36 * HOUR_MS));
        assert_eq!(day("2026-01-30"), day("yesterday"));
        assert!(day("2026-01-31T12:00").is_err() && day("tomorrow").is_err());
    }
}
