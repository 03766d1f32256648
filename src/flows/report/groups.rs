//! Groups: all are judged, those that are carried become views.

use std::cmp::Reverse;
use std::ops::Range;

use super::facts::{Facts, GroupFacts};
use super::samples;
use super::settings::ReportSettings;
use super::view::{Bucket, Change, GroupView};
use crate::edges::ledger::{BELIEVED_FROM_MS, Ledger};
use crate::flows::error::StateError;
use gzette_core::custom::shown_template;
use gzette_core::model::{AppName, GroupId, GroupKind, Grouped, HOUR_MS, Level, Slot, UtcMs};
use gzette_core::partial::End;
use gzette_core::stats::{GroupHistory, GroupState, HOUR_SLOTS, Judgement, Series, judge};

/// The most groups that are carried in full. What needs attention comes first.
pub(super) const MAX_CARRIED: usize = 500;
/// A group that comes back after this many days without an event has regressed.
const QUIET_DAYS: u32 = 7;
/// The hours that the page of a group shows.
const SHOWN_HOURS: usize = 14 * 24;

/// A group with its state.
#[derive(Debug)]
pub(super) struct Judged {
    /// Index into [`Facts::groups`].
    at: usize,
    pub(super) judgement: Judgement,
    pub(super) day: Change,
    /// Events in the shown period.
    shown: u64,
}

impl Judged {
    pub(super) fn id(&self, facts: &Facts) -> GroupId {
        facts.groups[self.at].id
    }
}

/// A group that becomes a view.
#[derive(Debug)]
pub(super) struct Carried<'a> {
    facts: &'a GroupFacts,
    judged: &'a Judged,
    /// By application (index into [`Facts::apps`]): events in the shown period.
    pub(super) shown_by_app: Vec<(u32, u64)>,
}

/// Returns the state of every group.
pub(super) fn judge_all(facts: &Facts) -> Vec<Judged> {
    let one = |(at, group): (usize, &GroupFacts)| {
        let series = facts.series_of(group);
        let app_events: Vec<_> =
            group.totals.iter().map(|&(app, _)| &facts.apps[app as usize].events).collect();
        let history = GroupHistory {
            events: &series,
            earlier: group.earlier(),
            hour_end: facts.hour_end_of(group),
            reach: facts.reach,
            app_events: &app_events,
            quiet_days: QUIET_DAYS,
            now_ms: facts.now_ms,
        };
        Judged {
            at,
            judgement: judge(&history, &facts.windows),
            day: change(facts, |slots| series.sum(slots) as f64),
            shown: series.sum(shown(facts)),
        }
    };
    facts.groups.iter().enumerate().map(one).collect()
}

/// Returns `measure` of the last 24 hours beside yesterday's and last week's.
pub(super) fn change(facts: &Facts, measure: impl Fn(Range<Slot>) -> f64) -> Change {
    let (now, yesterday, last_week) = facts.windows.compare(facts.reach, measure);
    Change { now, yesterday, last_week }
}

fn shown(facts: &Facts) -> Range<Slot> {
    facts.hour_end - SHOWN_HOURS as i64 * HOUR_SLOTS..facts.hour_end
}

/// Returns how many groups have events in the shown period.
pub(super) fn shown_count(judged: &[Judged]) -> u64 {
    judged.iter().filter(|judged| judged.shown > 0).count() as u64
}

/// Returns the groups to carry, at most `max`, in the order of the view. What needs attention stays when
/// there are more.
pub(super) fn carried<'a>(facts: &'a Facts, judged: &'a [Judged], max: usize) -> Vec<Carried<'a>> {
    let order = |judged: &&Judged| {
        let group = &facts.groups[judged.at];
        (Reverse(judged.day.now as u64), Reverse(group.events()), group.id)
    };
    let mut kept: Vec<&Judged> = judged.iter().filter(|judged| judged.shown > 0).collect();
    kept.sort_by_cached_key(|judged| (judged.judgement.state >= GroupState::Ongoing, order(judged)));
    kept.truncate(max);
    kept.sort_by_cached_key(order);
    kept.into_iter().map(|judged| carry(facts, judged)).collect()
}

fn carry<'a>(facts: &'a Facts, judged: &'a Judged) -> Carried<'a> {
    let group = &facts.groups[judged.at];
    let shown = shown(facts);
    let of_app = |app: u32| {
        let rows = facts.rows_of(group).iter();
        let inside = rows.filter(|(key, _)| key.app() == app && shown.contains(&facts.slot_of(*key)));
        inside.map(|(_, events)| events).sum()
    };
    Carried {
        facts: group,
        judged,
        shown_by_app: group.totals.iter().map(|&(app, _)| (app, of_app(app))).collect(),
    }
}

/// Returns the views of the carried groups, in their order.
pub(super) fn views(
    ledger: &Ledger,
    facts: &Facts,
    carried: &[Carried<'_>],
    settings: &ReportSettings,
) -> Result<Vec<GroupView>, StateError> {
    carried.iter().map(|group| view(ledger, facts, group, settings)).collect()
}

fn view(
    ledger: &Ledger,
    facts: &Facts,
    carried: &Carried<'_>,
    settings: &ReportSettings,
) -> Result<GroupView, StateError> {
    let group = carried.facts;
    let series = facts.series_of(group);
    let grouped = ledger.group(group.id)?.unwrap_or_else(|| nameless(group.id));
    let (first_ms, last_ms) = first_and_last(&ledger.sample_ends(group.id)?, &series, facts.now_ms);
    let Judgement { state, reason, factor } = carried.judged.judgement.clone();
    Ok(GroupView {
        id: group.id,
        kind: grouped.kind,
        title: grouped.title,
        template: shown_template(grouped.kind, &grouped.template).into_owned(),
        state,
        reason,
        factor,
        day: carried.judged.day,
        total: group.events(),
        first_ms,
        last_ms,
        apps: by_app(facts, group),
        levels: by_level(group),
        hours: series.stretches(facts.hour_end, HOUR_SLOTS, 24),
        trend: hourly(&series, facts.hour_end, SHOWN_HOURS),
        samples: samples::read(ledger, group.id, facts.now_ms, settings)?,
        family: None,
    })
}

/// A group that is counted but not described, which the ledger's foreign keys rule out.
fn nameless(id: GroupId) -> Grouped {
    Grouped { id, kind: GroupKind::Message, title: id.to_string(), template: String::new() }
}

/// Returns the times of the first event and of the last, of those whose stamps can be believed.
fn first_and_last(ends: &[End], series: &Series, now_ms: UtcMs) -> (UtcMs, UtcMs) {
    let points = series.points();
    let slot_ms = |point: Option<&(Slot, u64)>| point.map_or(now_ms, |&(slot, _)| slot.begins());
    let believed = |end: &&End| end.is_believed && (BELIEVED_FROM_MS..=now_ms).contains(&end.time_ms);
    let times = || ends.iter().filter(believed).map(|end| (end.is_last, end.time_ms));
    let last = times().filter(|time| time.0).map(|time| time.1).max();
    let first = times().filter(|time| !time.0).map(|time| time.1).min();
    let first = first.unwrap_or_else(|| slot_ms(points.first()));
    (first, last.unwrap_or(first).max(slot_ms(points.last())))
}

fn by_app(facts: &Facts, group: &GroupFacts) -> Vec<(AppName, u64, u64)> {
    let day = facts.windows.day();
    let of_app = |&(app, totals): &(u32, super::facts::Totals)| {
        let rows = facts.rows_of(group).iter();
        let of_day = rows.filter(|(key, _)| key.app() == app && day.contains(&facts.slot_of(*key)));
        let name = facts.apps[app as usize].totals.name.clone();
        (name, of_day.map(|(_, events)| events).sum::<u64>(), totals.events())
    };
    let mut apps: Vec<_> = group.totals.iter().map(of_app).collect();
    apps.sort_by(|a, b| (b.1, b.2, &a.0).cmp(&(a.1, a.2, &b.0)));
    apps
}

fn by_level(group: &GroupFacts) -> Vec<(Level, u64)> {
    let of_level = |level: Level| {
        let events = group.totals.iter().map(|(_, totals)| totals.levels[level as usize]).sum();
        (level, events)
    };
    let mut levels: Vec<_> = Level::ALL.into_iter().map(of_level).filter(|&(_, events)| events > 0).collect();
    levels.sort_by_key(|&(level, events)| (Reverse(events), Reverse(level)));
    levels
}

/// Returns `hours` hourly buckets, the last one ending before slot `end`.
pub(super) fn hourly(series: &Series, end: Slot, hours: usize) -> Vec<Bucket> {
    let start_ms = end.begins() - hours as i64 * HOUR_MS;
    let starts = (0..).map(|hour| start_ms + hour * HOUR_MS);
    starts
        .zip(series.stretches(end, HOUR_SLOTS, hours))
        .map(|(start_ms, events)| Bucket { start_ms, events })
        .collect()
}
