//! The state of a group, and why.

use jiff::tz::TimeZone;

use super::baseline::{HISTORY_HOURS, hourly_limit, largest, mean, young_limit};
use super::series::Series;
use super::windows::{HOUR_SLOTS, WEEK_SLOTS, Windows};
use crate::human::{count, day_and_time, duration};
use crate::model::{DAY_MS, SLOT_MS, Slot, UtcMs};

/// Fewer events in an hour are never a spike, whatever the baseline: two after none are not news.
pub const MIN_SPIKE_EVENTS: u64 = 10;
/// A group that began fewer hours before the judged hour has no baseline: a first burst is part of being new.
const MIN_BASELINE_HOURS: i64 = 6;
/// The baseline leaves out this many hours before the judged one, if enough others remain: otherwise a spike would
/// raise its own limit within the hour and look normal while it continues.
const SPIKE_HOURS: i64 = 24;

/// The state of a group (docs/numbers.md).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupState {
    /// Over its baseline in the current hour.
    Spiking,
    /// First seen in the window.
    New,
    /// Silent for `quiet_days`, and back.
    Regressed,
    /// Seen in the window, as usual.
    Ongoing,
    /// Not seen in the window.
    Quiet,
}

impl GroupState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Spiking, Self::New, Self::Regressed, Self::Ongoing, Self::Quiet];

    /// Returns its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Spiking => "spiking",
            Self::New => "new",
            Self::Regressed => "regressed",
            Self::Ongoing => "ongoing",
            Self::Quiet => "quiet",
        }
    }

    /// Returns the state of a name.
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What is known about a group's events.
#[derive(Clone, Copy, Debug)]
pub struct GroupHistory<'a> {
    /// Its events up to now, of the last weeks.
    pub events: &'a Series,
    /// The first and the last slot with events before those of `events`.
    pub earlier: Option<(Slot, Slot)>,
    /// Where the judged hour ends ([`Windows::hour_end`]).
    pub hour_end: Slot,
    /// The first slot that the ledger has history for.
    pub reach: Option<Slot>,
    /// Events of any level in each of the group's applications: without any, an absence of errors says nothing.
    pub app_events: &'a [&'a Series],
    /// A group that comes back after this many days without an event has regressed.
    pub quiet_days: u32,
    /// Now.
    pub now_ms: UtcMs,
}

/// A state with its reason.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The state.
    pub state: GroupState,
    /// Why, in a sentence.
    pub reason: String,
    /// For a spike: how many times its limit it is at.
    pub factor: Option<f64>,
}

/// Returns the state of a group. Of several that apply, the first in the order of [`GroupState`].
pub fn judge(history: &GroupHistory<'_>, windows: &Windows) -> Judgement {
    let day = windows.day();
    let Some(return_slot) = history.events.first_in(day.clone()) else {
        return quiet(history);
    };
    let last_before =
        history.events.last_in(Slot::MIN..day.start).or(history.earlier.map(|earlier| earlier.1));
    let comeback = last_before.and_then(|last| comeback(history, last, return_slot));
    let since = comeback.map_or_else(|| history.first_slot(), |_| Some(return_slot));
    if let Some(spike) = since.and_then(|since| spike(history, windows, since)) {
        return spike;
    }
    let events = history.events.sum(day.clone());
    match (last_before, comeback) {
        (None, _) => first_seen(history, windows, return_slot, events),
        (_, Some(silence_ms)) => judgement(
            GroupState::Regressed,
            format!("back after {} without an event; {} since then", duration(silence_ms), count(events)),
        ),
        _ => ongoing(history, windows, events),
    }
}

impl GroupHistory<'_> {
    fn first_slot(&self) -> Option<Slot> {
        let first = self.events.points().first().map(|&(slot, _)| slot);
        self.earlier.map(|earlier| earlier.0).or(first)
    }
}

/// Returns how long the group was away, if that makes its return a regression.
fn comeback(history: &GroupHistory<'_>, last_before: Slot, return_slot: Slot) -> Option<i64> {
    let silence_ms = (return_slot - last_before) * SLOT_MS;
    let long = silence_ms >= i64::from(history.quiet_days) * DAY_MS;
    let app_logged =
        || history.app_events.iter().any(|events| events.first_in(last_before + 1..return_slot).is_some());
    // When the application itself was silent, the absence of its errors does not show that they were gone.
    (long && app_logged()).then_some(silence_ms)
}

/// Judges the hour that ends at `hour_end` against a week before it; the group began, or came back, with slot `since`.
fn spike(history: &GroupHistory<'_>, windows: &Windows, since: Slot) -> Option<Judgement> {
    let hour_start = history.hour_end - HOUR_SLOTS;
    let events = history.events.sum(hour_start..history.hour_end);
    let age = hour_start - since;
    if events < MIN_SPIKE_EVENTS || age < MIN_BASELINE_HOURS * HOUR_SLOTS {
        return None;
    }
    // As far as the history suffices, the last day is left out: a spike that goes on must not become its own
    // baseline.
    let left_out = (age - MIN_BASELINE_HOURS * HOUR_SLOTS).min(SPIKE_HOURS * HOUR_SLOTS) / HOUR_SLOTS;
    let baseline_end = hour_start - left_out * HOUR_SLOTS;
    let hours = history.events.stretches(baseline_end, HOUR_SLOTS, HISTORY_HOURS);
    let (limit, habit) = if age >= WEEK_SLOTS {
        (
            hourly_limit(&hours, baseline_end, hour_start),
            format!("its usual hour has {}", rounded(mean(&hours))),
        )
    } else {
        (young_limit(&hours), format!("its largest hour before had {}", count(largest(&hours) as u64)))
    };
    // At least one below the floor, so that a spike is always over its limit.
    let limit = limit.max((MIN_SPIKE_EVENTS - 1) as f64);
    (events as f64 > limit).then(|| Judgement {
        state: GroupState::Spiking,
        reason: format!(
            "{} in {}; its limit is {}, {habit}",
            count(events),
            hour_name(history.hour_end, windows),
            count(limit.floor() as u64)
        ),
        factor: Some(events as f64 / limit),
    })
}

fn first_seen(history: &GroupHistory<'_>, windows: &Windows, first: Slot, events: u64) -> Judgement {
    if !windows.can_tell_new(history.reach) {
        let reason = format!("{} in the last 24 hours; first run: no history yet", count(events));
        return judgement(GroupState::Ongoing, reason);
    }
    let ago = duration(history.now_ms - first.begins());
    judgement(GroupState::New, format!("first seen {ago} ago; {} since then", count(events)))
}

fn ongoing(history: &GroupHistory<'_>, windows: &Windows, events: u64) -> Judgement {
    let (_, yesterday, _) = windows.compare(history.reach, |slots| history.events.sum(slots));
    let before = yesterday.map(|events| format!(", {} the day before", count(events)));
    judgement(
        GroupState::Ongoing,
        format!("{} in the last 24 hours{}", count(events), before.unwrap_or_default()),
    )
}

fn quiet(history: &GroupHistory<'_>) -> Judgement {
    let last = history.events.points().last().map(|&(slot, _)| slot);
    let reason = match last.or(history.earlier.map(|earlier| earlier.1)) {
        Some(last) => format!("last seen {} ago", duration(history.now_ms - last.begins())),
        None => "not seen up to now".to_owned(),
    };
    judgement(GroupState::Quiet, reason)
}

fn judgement(state: GroupState, reason: String) -> Judgement {
    Judgement { state, reason, factor: None }
}

/// `the last hour`, or `the hour to 11:40 UTC` where later events have not come yet.
fn hour_name(hour_end: Slot, windows: &Windows) -> String {
    if hour_end == windows.end() {
        return "the last hour".to_owned();
    }
    let time = day_and_time(hour_end.begins(), windows.end().begins(), &TimeZone::UTC);
    format!("the hour to {time} UTC")
}

fn rounded(number: f64) -> String {
    if number >= 10.0 { count(number.round() as u64) } else { format!("{number:.1}") }
}
