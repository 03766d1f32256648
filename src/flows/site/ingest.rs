//! How complete the numbers are: sources, objects, lines, problems, applications and their lag.

use maud::{Markup, html};

use super::chart::{Chart, Series};
use super::format::{self, Show};
use super::page::{self, Page, Tab, card};
use super::parts::{self, Figure, LIST_ROWS};
use super::{Site, text};
use gzette_core::model::DAY_MS;

/// The bytes of text that the table of problems may hold: hostile keys are long and do not compress.
const PROBLEM_TEXT_BYTES: usize = 24_000;

/// Returns `ingest.html`.
pub(super) fn page(site: &Site<'_>) -> Page {
    Page {
        path: "ingest.html".to_owned(),
        title: "Ingest".to_owned(),
        description: "How complete the numbers are: sources, objects, lines and problems".to_owned(),
        tab: Tab::Ingest,
        redirect: None,
        body: html! {
            h1 { "Ingest" }
            p.lead { (page::completeness(site)) }
            (figures(site))
            @if !site.view.unread.is_empty() { (card("unread", "Not read", &parts::unread_list(site))) }
            @if !site.view.unclear.is_empty() { (card("unclear", "Not understood", &parts::unclear_list(site))) }
            (card("problems", "Problems", &problems(site)))
            (card("sources", "Sources", &sources(site)))
            (card("days", "Events by day", &days(site)))
            (card("lines", "Lines", &lines(site)))
            (card("apps", "Applications", &apps(site)))
            @if !site.view.completeness.mails.is_empty() { (card("mails", "Mails that were not sent", &mails(site))) }
            (card("run", if site.view.completeness.run_goes_on { "This run so far" } else { "Last run" }, &run(site)))
        },
    }
}

fn figures(site: &Site<'_>) -> Markup {
    let all = &site.view.completeness;
    let lacking = all.objects_unread + all.objects_damaged;
    let note = |text: String| vec![html! { (text) }];
    parts::figures(&[
        Figure {
            label: "Objects listed",
            value: html! { (format::count(all.objects_listed)) },
            side: html! {},
            notes: with_more(
                format!("in {}", format::counted(all.sources.len() as u64, "source")),
                &[(all.objects_deleted, "more no longer listed")],
            ),
        },
        Figure {
            label: "Objects read",
            value: html! { (format::count(all.objects_mirrored)) },
            side: html! {},
            notes: with_more(
                format!("{} delivered twice, counted once", format::count(all.objects_duplicate)),
                &[(all.objects_pruned, "pruned from the mirror")],
            ),
        },
        Figure {
            label: "Not fully read",
            value: html! { (format::count(lacking)) },
            side: html! { @if lacking > 0 { span.up { "see below" } } @else { span.down { "none" } } },
            notes: note(format!(
                "{} damaged · {} missing, denied or failed",
                format::count(all.objects_damaged),
                format::count(all.objects_unread)
            )),
        },
        Figure {
            label: "Lines",
            value: html! { (format::count(all.lines.total)) },
            side: html! {},
            notes: note(format!("{} unparsed", format::count(all.lines.unparsed))),
        },
        Figure {
            label: "Size",
            value: html! { (format::bytes(all.stored_bytes)) },
            side: html! {},
            notes: note(format!("{} decoded", format::bytes(all.decoded_bytes))),
        },
    ])
}

/// A note, and `3 more no longer listed` for each number that is not 0.
fn with_more(first: String, more: &[(u64, &str)]) -> Vec<Markup> {
    let more = more.iter().filter(|(number, _)| *number > 0);
    let more = more.map(|(number, what)| format!("{} {what}", format::count(*number)));
    std::iter::once(first).chain(more).map(|text| html! { (text) }).collect()
}

fn lines(site: &Site<'_>) -> Markup {
    let all = &site.view.completeness;
    parts::line_accounting(&all.lines, Some(all.misdated))
}

fn problems(site: &Site<'_>) -> Markup {
    let all = &site.view.completeness;
    let mut bytes = 0;
    let fits = |problem: &&crate::flows::report::ObjectProblem| {
        bytes += problem.place.len() + problem.reason.len().min(300);
        bytes <= PROBLEM_TEXT_BYTES
    };
    let shown: Vec<_> = all.problems.iter().take(LIST_ROWS).take_while(fits).collect();
    let left_out = (all.problem_count as usize).max(all.problems.len()) - shown.len();
    html! {
        @if all.problem_count == 0 && shown.is_empty() { p.empty { "Every listed object was fully read." } }
        @else {
            table.facts {
                caption.sr { "Objects and prefixes with a problem, newest first" }
                thead { tr { th scope="col" { "Object or prefix" } th.kind scope="col" { "Kind" } th.w scope="col" { "Tried" } } }
                tbody { @for problem in &shown {
                    tr {
                        th scope="row" { code { bdi { (text::line(&problem.place, text::PLACE_CHARS)) } }
                            div.sub { bdi { (text::line(&problem.reason, 300)) } } }
                        td.kind { span.badge.silent { (problem.kind.name()) } }
                        td.w.seen { (format::time(problem.tried_ms, Show::Minute)) }
                    }
                } }
            }
            (parts::more(left_out, "problem"))
        }
    }
}

fn sources(site: &Site<'_>) -> Markup {
    let all = &site.view.completeness.sources;
    html! {
        @if all.is_empty() { p.empty { "No sources are configured." } }
        @else {
            table.facts {
                caption.sr { "Sources" }
                thead { tr { th scope="col" { "Source" } th.n scope="col" { "Objects" }
                    th.w scope="col" { "Last complete listing" } th.n scope="col" { "Failed prefixes" } } }
                tbody { @for source in all.iter().take(LIST_ROWS) {
                    tr {
                        th scope="row" { bdi { (text::name(&source.name)) }
                            div.sub { code { bdi { (text::line(&source.url, 300)) } } } }
                        td.n { (format::count(source.objects)) }
                        td.w { @match source.listed_ms {
                            Some(at) => (format::time(at, Show::Minute)),
                            None => "never",
                        } }
                        td.n { @if source.failed_prefixes > 0 { span.up { (format::count(source.failed_prefixes)) } } @else { "0" } }
                    }
                } }
            }
            (parts::more(all.len().saturating_sub(LIST_ROWS), "source"))
        }
    }
}

fn days(site: &Site<'_>) -> Markup {
    let days = &site.view.completeness.days;
    let all: u64 = days.iter().map(|day| day.events).sum();
    let chart = Chart {
        label: format!("Events of the last 14 days by day: {} in all", format::counted(all, "event")),
        noun: "event",
        series: vec![Series { name: "Events".to_owned(), class: "s0".to_owned(), buckets: days.clone() }],
        bucket_ms: DAY_MS,
        now_ms: site.view.now_ms,
        mark: None,
    };
    html! {
        @if all == 0 { p.empty { "No events in the last 14 days." } }
        @else { (chart.render(DAY_MS, DAY_MS)) }
    }
}

fn apps(site: &Site<'_>) -> Markup {
    let all = &site.view.apps;
    html! {
        @if all.is_empty() { p.empty { "No applications yet." } }
        @else {
            table.facts {
                caption.sr { "Applications, their lines and their newest event" }
                thead { tr { th scope="col" { "Application" } th.n scope="col" { "Errors, 24 h" } th.w.n scope="col" { "Events, 24 h" }
                    th.w.n scope="col" { "Objects" } th.w.n scope="col" { "Lines" } th.w.n scope="col" { "Unparsed" }
                    th scope="col" { "Newest event" } } }
                tbody { @for app in all.iter().take(LIST_ROWS) {
                    tr {
                        th scope="row" { (parts::app_link(site, "", &app.name))
                            @if app.is_silent { " " span.badge.silent { "Silent" } } }
                        td.n { (format::whole(app.errors.now)) }
                        td.w.n { (format::whole(app.events.now)) }
                        td.w.n { (format::count(app.objects)) }
                        td.w.n { (format::count(app.lines.total)) }
                        td.w.n { (format::count(app.lines.unparsed)) }
                        td.seen { @match app.newest_event_ms {
                            Some(at) => (format::time(at, Show::Minute)),
                            None => "none",
                        } }
                    }
                } }
            }
            (parts::more(all.len().saturating_sub(LIST_ROWS), "application"))
        }
    }
}

fn mails(site: &Site<'_>) -> Markup {
    let all = &site.view.completeness.mails;
    html! {
        table.facts {
            caption.sr { "Mails that wait or were given up, oldest first" }
            thead { tr { th scope="col" { "Mail" } th.w scope="col" { "Waiting since" } th scope="col" { "Next try" } } }
            tbody { @for mail in all.iter().take(LIST_ROWS) {
                tr {
                    th scope="row" { bdi { (text::line(&mail.subject, 120)) }
                        div.sub { bdi { (text::name(&mail.digest)) } ", made " (format::time(mail.created_ms, Show::Minute)) }
                        div.sub { bdi { (text::line(&mail.reason, 300)) } } }
                    td.w.seen { (format::time(mail.since_ms, Show::Minute)) }
                    td.seen { @if mail.is_given_up { span.up { "given up" } }
                        @else if mail.next_try_ms <= site.view.now_ms { "now" }
                        @else { (format::time(mail.next_try_ms, Show::Minute)) } }
                }
            } }
        }
        (parts::more(all.len().saturating_sub(LIST_ROWS), "mail"))
    }
}

fn run(site: &Site<'_>) -> Markup {
    let all = &site.view.completeness;
    let requests = &all.requests;
    html! {
        table.facts.short {
            caption.sr { "Requests of the run to the stores" }
            tbody {
                tr { th scope="row" { "Began" } td.n { @match all.run_started_ms {
                    Some(at) => (format::time(at, Show::Minute)),
                    None => "not known",
                } } }
                @for (name, number) in [("List requests", requests.list), ("Get requests", requests.get),
                    ("Put and delete requests", requests.put)] {
                    tr { th scope="row" { (name) } td.n { (format::count(number)) } }
                }
                tr { th scope="row" { "Received" } td.n { (format::bytes(requests.received_bytes)) } }
                tr { th scope="row" { "Sent" } td.n { (format::bytes(requests.sent_bytes)) } }
            }
        }
    }
}
