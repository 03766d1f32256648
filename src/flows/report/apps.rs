//! Applications: their figures, their errors over time, and those that have gone silent.

use std::cmp::Reverse;

use super::facts::{AppFacts, Facts};
use super::groups::{Carried, change, hourly};
use super::unread::Knowledge;
use super::view::{AppView, Dark, Series, SilentApp};
use gzette_core::model::{AppName, DAY_MS, HOUR_MS, UtcMs};
use gzette_core::stats::{Habit, Presence, SWITCHED_OFF_MS, habit};

/// The hours of an application's chart.
const SHOWN_HOURS: usize = 7 * 24;
/// Applications that are too young for a habit are dark with the others after this.
const YOUNG_DARK_MS: i64 = HOUR_MS;
/// When nothing has come of any application for longer, not even a weekly job is between two runs.
const SURE_DARK_MS: i64 = 8 * DAY_MS;

/// Returns the indices of [`Facts::apps`] in the order of the view: by errors in the last 24 hours, then name.
pub(super) fn order(facts: &Facts) -> Vec<usize> {
    let mut order: Vec<usize> = (0..facts.apps.len()).collect();
    order.sort_by_cached_key(|&at| Reverse(facts.apps[at].errors.sum(facts.windows.day())));
    order
}

/// Returns the applications in that order.
pub(super) fn views(
    facts: &Facts,
    order: &[usize],
    carried: &[Carried<'_>],
    knowledge: &Knowledge,
) -> Vec<AppView> {
    let mut groups = groups_by_app(facts, carried);
    let view = |&at: &usize| view(facts, &facts.apps[at], std::mem::take(&mut groups[at]), knowledge);
    order.iter().map(view).collect()
}

fn view(facts: &Facts, app: &AppFacts, groups: Vec<usize>, knowledge: &Knowledge) -> AppView {
    let pause = Pause::of(app, knowledge);
    AppView {
        is_silent: pause.is_some_and(|pause| pause.is_silent() || pause.is_switched_off()),
        name: app.totals.name.clone(),
        errors: change(facts, |slots| app.errors.sum(slots) as f64),
        events: change(facts, |slots| app.events.sum(slots) as f64),
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

/// Returns the applications that have gone silent, the latest to do so first, and whether that is all of them.
pub(super) fn silences(facts: &Facts, knowledge: &Knowledge) -> (Vec<SilentApp>, Option<Dark>) {
    let pauses: Vec<Pause<'_>> = facts.apps.iter().filter_map(|app| Pause::of(app, knowledge)).collect();
    let dark = dark(&pauses);
    // When everything is dark it is the shipping of logs that has stopped, and no application is switched off.
    let is_told = |pause: &&Pause<'_>| pause.is_silent() && (dark.is_some() || !pause.is_switched_off());
    let mut silent: Vec<_> = pauses.iter().filter(is_told).filter_map(Pause::told).collect();
    silent.sort_by_key(|app| Reverse(app.since_ms));
    (silent, dark)
}

/// How long an application has logged nothing, as far as that is known.
struct Pause<'f> {
    name: &'f AppName,
    newest_ms: UtcMs,
    silent_ms: i64,
    habit: Option<Habit>,
}

impl<'f> Pause<'f> {
    fn of(app: &'f AppFacts, knowledge: &Knowledge) -> Option<Self> {
        let newest_ms = app.newest_ms()?;
        let name = &app.totals.name;
        let presence = Presence {
            events: &app.events,
            newest_ms,
            known_until_ms: knowledge.until_ms(name, newest_ms),
            delivery_ms: &app.totals.delivery_ms,
        };
        Some(Self { name, newest_ms, silent_ms: presence.silent_ms(), habit: habit(&presence) })
    }

    fn is_silent(&self) -> bool {
        self.habit.is_some_and(|habit| self.silent_ms > habit.limit_ms)
    }

    fn is_switched_off(&self) -> bool {
        self.silent_ms > SWITCHED_OFF_MS
    }

    fn told(&self) -> Option<SilentApp> {
        let habit_ms = self.habit?.habit_ms;
        Some(SilentApp { name: self.name.clone(), since_ms: self.newest_ms, habit_ms })
    }
}

/// Returns since when nothing has come of any application that was alive by then. Those without a habit have to be
/// silent for [`YOUNG_DARK_MS`]; after [`SURE_DARK_MS`] no habit explains it.
fn dark(pauses: &[Pause<'_>]) -> Option<Dark> {
    let since_ms = pauses.iter().map(|pause| pause.newest_ms).max()?;
    // Applications that were switched off long before the others cannot vote on whether the shipping has stopped.
    let alive: Vec<_> = pauses.iter().filter(|pause| since_ms - pause.newest_ms <= SWITCHED_OFF_MS).collect();
    let is_dark = |pause: &&Pause<'_>| match pause.habit {
        Some(habit) => pause.silent_ms > habit.limit_ms,
        None => pause.silent_ms > YOUNG_DARK_MS,
    };
    let has_habit = alive.iter().any(|pause| pause.habit.is_some());
    let is_sure = alive.iter().all(|pause| pause.silent_ms > SURE_DARK_MS);
    let only = (alive.len() == 1).then(|| alive[0].name.clone());
    (is_sure || has_habit && alive.iter().all(is_dark)).then_some(Dark { since_ms, only })
}
