//! Applications: their figures, their errors over time, and those that have gone silent.

use std::cmp::Reverse;

use super::facts::{AppFacts, Facts};
use super::groups::{Carried, change, hourly};
use super::view::{AppView, Series, SilentApp};
use crate::model::UtcMs;
use crate::stats::{HOUR_SLOTS, Presence, silence};

/// The hours of an application's chart.
const SHOWN_HOURS: usize = 7 * 24;

/// Returns the indices of [`Facts::apps`] in the order of the view: by errors in the last 24 hours, then name.
pub(super) fn order(facts: &Facts) -> Vec<usize> {
    let mut order: Vec<usize> = (0..facts.apps.len()).collect();
    order.sort_by_cached_key(|&at| Reverse(facts.apps[at].errors.sum(facts.windows.day())));
    order
}

/// Returns the applications in that order.
pub(super) fn views(facts: &Facts, order: &[usize], carried: &[Carried<'_>]) -> Vec<AppView> {
    let mut groups = groups_by_app(facts, carried);
    order.iter().map(|&at| view(facts, &facts.apps[at], std::mem::take(&mut groups[at]))).collect()
}

fn view(facts: &Facts, app: &AppFacts, groups: Vec<usize>) -> AppView {
    AppView {
        name: app.totals.name.clone(),
        errors: change(facts, |slots| app.errors.sum(slots) as f64),
        events: change(facts, |slots| app.events.sum(slots) as f64),
        hours: app.errors.stretches(facts.hour_end, HOUR_SLOTS, 24),
        trend: hourly(&app.errors, facts.hour_end, SHOWN_HOURS),
        groups,
        newest_event_ms: app.newest_ms(),
        objects: app.totals.objects,
        lines: app.totals.lines,
    }
}

/// Returns for each application the carried groups with events in the shown period, most events first.
fn groups_by_app(facts: &Facts, carried: &[Carried<'_>]) -> Vec<Vec<usize>> {
    let mut by_app: Vec<Vec<(Reverse<u64>, usize)>> = vec![Vec::new(); facts.apps.len()];
    for (group, carried) in carried.iter().enumerate() {
        for &(app, events) in carried.shown_by_app.iter().filter(|(_, events)| *events > 0) {
            by_app[app as usize].push((Reverse(events), group));
        }
    }
    let sorted = by_app.into_iter().map(|mut groups| {
        groups.sort_unstable();
        groups.into_iter().map(|(_, group)| group).collect()
    });
    sorted.collect()
}

/// Returns the errors over time, a row an application.
pub(super) fn errors(facts: &Facts, order: &[usize]) -> Vec<Series> {
    let row = |&at: &usize| Series {
        name: facts.apps[at].totals.name.clone(),
        buckets: hourly(&facts.apps[at].errors, facts.hour_end, SHOWN_HOURS),
    };
    order.iter().map(row).collect()
}

/// Returns the applications that have gone silent, the latest to do so first. `known_until_ms` is when
/// objects were last looked for: what came later cannot be missed yet.
pub(super) fn silent(facts: &Facts, known_until_ms: UtcMs) -> Vec<SilentApp> {
    let one = |app: &AppFacts| {
        let newest_ms = app.newest_ms()?;
        let found = silence(&Presence {
            events: &app.events,
            newest_ms,
            known_until_ms,
            delivery_ms: &app.totals.delivery_ms,
        })?;
        Some(SilentApp { name: app.totals.name.clone(), since_ms: newest_ms, habit_ms: found.habit_ms })
    };
    let mut silent: Vec<_> = facts.apps.iter().filter_map(one).collect();
    silent.sort_by_key(|app| Reverse(app.since_ms));
    silent
}
