//! The ledger to the view.

use std::collections::BTreeMap;

use super::clarity::unclear;
use super::facts::Facts;
use super::settings::ReportSettings;
use super::unread::{Knowledge, SourceShape};
use super::view::{Unread, Verdict, View};
use super::{apps, completeness, families, figures, groups, verdict};
use crate::edges::ledger::{Ledger, LedgerError};
use crate::flows::error::StateError;
use gzette_core::model::{GroupId, SourceName, UtcMs};
use gzette_core::stats::GroupState;

/// Returns the view of the ledger at `now_ms`. The same ledger, time and settings give the same view.
pub fn build(ledger: &Ledger, now_ms: UtcMs, settings: &ReportSettings) -> Result<View, StateError> {
    build_with(ledger, now_ms, settings, groups::MAX_CARRIED)
}

/// Returns the same with another limit of groups that are carried in full.
pub(super) fn build_with(
    ledger: &Ledger,
    now_ms: UtcMs,
    settings: &ReportSettings,
    max_carried: usize,
) -> Result<View, StateError> {
    let facts = Facts::read(ledger, now_ms)?;
    let judged = groups::judge_all(&facts);
    let carried = groups::carried(&facts, &judged, max_carried);
    let order = apps::order(&facts);
    let mut groups = groups::views(ledger, &facts, &carried, settings)?;
    families::mark(&mut groups);
    let completeness = completeness::read(ledger, &facts, settings)?;
    let newest = facts.apps.iter().map(|app| (app.totals.name.clone(), app.newest_ms()));
    let knowledge = Knowledge::read(ledger, newest, &settings.shapes, now_ms)?;
    let (silent, dark) = apps::silences(&facts, &knowledge);
    let mut view = View {
        now_ms,
        verdict: Verdict { headline: String::new(), detail: String::new(), needs_attention: false },
        figures: figures::figures(&facts, &judged),
        attention: attention(&groups),
        silent,
        dark,
        apps: apps::views(&facts, &order, &carried, &knowledge),
        unread: knowledge.unread,
        unclear: unclear(ledger, now_ms, &settings.unlevelled)?,
        errors: apps::errors(&facts, &order),
        heat: figures::heat(&facts),
        groups,
        group_count: groups::shown_count(&judged),
        aliases: ledger.group_aliases()?,
        completeness,
    };
    view.verdict = verdict::verdict(&view, facts.windows.can_tell_new(facts.reach));
    Ok(view)
}

/// Returns what may hold newer lines than are counted and could not be read.
pub fn unread(
    ledger: &Ledger,
    now_ms: UtcMs,
    shapes: &BTreeMap<SourceName, SourceShape>,
) -> Result<Vec<Unread>, LedgerError> {
    let totals = ledger.app_totals(now_ms, now_ms)?;
    let newest = totals.into_iter().map(|app| (app.name, app.newest_ms));
    Ok(Knowledge::read(ledger, newest, shapes, now_ms)?.unread)
}

/// Returns the state of every group with events in the last 28 days, and why it is in it.
pub fn states(
    ledger: &Ledger,
    now_ms: UtcMs,
) -> Result<BTreeMap<GroupId, (GroupState, String)>, LedgerError> {
    let facts = Facts::read(ledger, now_ms)?;
    let judged = groups::judge_all(&facts).into_iter();
    Ok(judged.map(|judged| (judged.id(&facts), (judged.judgement.state, judged.judgement.reason))).collect())
}

/// Returns the groups that need attention: by state, then events of the last 24 hours, then id.
fn attention(groups: &[super::GroupView]) -> Vec<usize> {
    let mut attention: Vec<usize> =
        (0..groups.len()).filter(|&at| groups[at].state < GroupState::Ongoing).collect();
    // `groups` are in the order of their events already, and the sort is stable.
    attention.sort_by_key(|&at| groups[at].state);
    attention
}
