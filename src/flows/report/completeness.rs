//! How much of the existing data was read.

use super::facts::{Facts, day_end};
use super::settings::ReportSettings;
use super::view::{Bucket, Completeness, MailView, ObjectProblem, PagesTrouble, SourceView};
use crate::edges::ledger::{Ledger, Problem, SourceTotals, UnsentMail};
use crate::flows::error::StateError;
use gzette_core::model::{DAY_MS, Requests, UtcMs};
use gzette_core::stats::DAY_SLOTS;

/// The most problems that are named.
const MAX_PROBLEMS: usize = 100;
/// The days of the chart of lines.
const SHOWN_DAYS: usize = 14;

/// Reads the completeness of the ledger.
pub(super) fn read(
    ledger: &Ledger,
    facts: &Facts,
    settings: &ReportSettings,
) -> Result<Completeness, StateError> {
    let objects = ledger.object_totals()?;
    let (decoded_bytes, stored_bytes) = ledger.byte_totals()?;
    let (problems, problem_count) = ledger.problems(MAX_PROBLEMS)?;
    let (run_started_ms, requests) = run(ledger, settings)?;
    let (lines, stamps) = (ledger.line_totals()?, ledger.stamps(facts.now_ms)?);
    Ok(Completeness {
        sources: ledger.source_totals()?.into_iter().map(source_view).collect(),
        objects_listed: objects.listed - objects.deleted - objects.expired,
        objects_mirrored: objects.mirrored + objects.pruned,
        objects_pruned: objects.pruned,
        objects_deleted: objects.deleted,
        objects_damaged: objects.damaged,
        objects_unread: objects.missing + objects.denied + objects.archived + objects.failed,
        objects_duplicate: objects.duplicate,
        lines,
        decoded_bytes,
        stored_bytes,
        newest_event_ms: facts.newest_ms(),
        misdated: stamps.future + stamps.past,
        objects_expired: objects.expired,
        problems: problems.into_iter().map(problem_view).collect(),
        problem_count,
        days: days(facts),
        run_started_ms,
        requests,
        run_goes_on: settings.run.is_some(),
        mails: ledger.unsent_mails()?.into_iter().map(mail_view).collect(),
        pages_trouble: pages_trouble(ledger)?,
    })
}

/// Returns when the run began and its requests: those given, else those of the last run that read the sources.
fn run(ledger: &Ledger, settings: &ReportSettings) -> Result<(Option<UtcMs>, Requests), StateError> {
    if let Some((started_ms, requests)) = settings.run {
        return Ok((Some(started_ms), requests));
    }
    let Some(run) = ledger.last_sync()? else {
        return Ok((None, Requests::default()));
    };
    // A summary of another version may lack the requests. They are shown as none, which is not worth an error.
    let summary: serde_json::Value = serde_json::from_str(&run.summary).unwrap_or_default();
    let requests = serde_json::from_value(summary["requests"].clone()).unwrap_or_default();
    Ok((Some(run.started_ms), requests))
}

/// Returns the events of any level by UTC day, today last.
fn days(facts: &Facts) -> Vec<Bucket> {
    let end = day_end(facts.hour_end);
    let mut days: Vec<Bucket> = (0..SHOWN_DAYS as i64)
        .map(|day| Bucket { start_ms: end.begins() - (SHOWN_DAYS as i64 - day) * DAY_MS, events: 0 })
        .collect();
    for app in &facts.apps {
        let of_app = app.events.stretches(end, DAY_SLOTS, SHOWN_DAYS);
        days.iter_mut().zip(of_app).for_each(|(day, events)| day.events += events);
    }
    days
}

fn mail_view(mail: UnsentMail) -> MailView {
    MailView {
        id: mail.id,
        digest: mail.digest,
        subject: mail.subject,
        created_ms: mail.created_ms,
        since_ms: mail.wait.first_failed_ms.unwrap_or(mail.created_ms),
        next_try_ms: mail.wait.next_try_ms,
        reason: mail.wait.failure.unwrap_or_default(),
        is_given_up: mail.wait.given_up_ms.is_some(),
        is_told: mail.is_told,
    }
}

/// Returns the fault of the pages when they were last made.
fn pages_trouble(ledger: &Ledger) -> Result<Option<PagesTrouble>, StateError> {
    let pages = ledger.pages()?;
    Ok(pages.failure.map(|failure| PagesTrouble { failure, of_ms: pages.good_ms }))
}

fn source_view(source: SourceTotals) -> SourceView {
    SourceView {
        name: source.name,
        url: source.url,
        objects: source.objects,
        listed_ms: source.listed_ms,
        failed_prefixes: source.failed_prefixes,
    }
}

fn problem_view(problem: Problem) -> ObjectProblem {
    ObjectProblem {
        place: problem.place,
        kind: problem.kind,
        reason: problem.reason,
        tried_ms: problem.tried_ms,
    }
}
