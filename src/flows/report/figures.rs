//! The figures of the first screen and the heat map.

use super::facts::{AppFacts, Facts};
use super::groups::{Judged, change};
use super::view::{Change, Figures, Heat};
use gzette_core::stats::{DAY_SLOTS, GroupState, HOUR_SLOTS, Series, weekday_of_slot};

/// The hours of the heat map: four of each weekday and hour.
const HEAT_SLOTS: i64 = 28 * DAY_SLOTS;

/// Returns the figures.
pub(super) fn figures(facts: &Facts, judged: &[Judged]) -> Figures {
    let summed = |series: fn(&AppFacts) -> &Series| {
        change(facts, |slots| facts.apps.iter().map(|app| series(app).sum(slots.clone())).sum::<u64>() as f64)
    };
    let errors = summed(|app| &app.errors);
    let events = summed(|app| &app.events);
    let in_state = |state| judged.iter().filter(|judged| judged.judgement.state == state).count();
    Figures {
        errors,
        error_rate: share(errors, events),
        events,
        open_groups: groups_hit(judged, errors),
        new_groups: in_state(GroupState::New),
        regressed_groups: in_state(GroupState::Regressed),
        apps_hit: change(facts, |slots| {
            facts.apps.iter().filter(|app| app.errors.first_in(slots.clone()).is_some()).count() as f64
        }),
        apps: facts.apps.len(),
        newest_event_ms: facts.newest_ms(),
    }
}

/// Returns one change as a share of another; of nothing, 0.
fn share(part: Change, whole: Change) -> Change {
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let both =
        |part: Option<f64>, whole: Option<f64>| part.zip(whole).map(|(part, whole)| share(part, whole));
    Change {
        now: share(part.now, whole.now),
        yesterday: both(part.yesterday, whole.yesterday),
        last_week: both(part.last_week, whole.last_week),
    }
}

/// Returns how many groups had events in each window; `known` says which windows the ledger covers.
fn groups_hit(judged: &[Judged], known: Change) -> Change {
    let count =
        |value: fn(&Change) -> f64| judged.iter().filter(|group| value(&group.day) > 0.0).count() as f64;
    Change {
        now: count(|day| day.now),
        yesterday: known.yesterday.map(|_| count(|day| day.yesterday.unwrap_or(0.0))),
        last_week: known.last_week.map(|_| count(|day| day.last_week.unwrap_or(0.0))),
    }
}

/// Returns the errors of the last 28 days by weekday and hour.
pub(super) fn heat(facts: &Facts) -> Heat {
    let mut heat = Heat::default();
    let slots = facts.hour_end - HEAT_SLOTS..facts.hour_end;
    for &(slot, events) in facts.apps.iter().flat_map(|app| app.errors.within(slots.clone())) {
        let hour = slot.number().rem_euclid(DAY_SLOTS) / HOUR_SLOTS;
        heat.cells[weekday_of_slot(slot)][hour as usize] += events;
    }
    heat
}
