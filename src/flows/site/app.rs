//! The page of one application: its figures, its course, its groups, and what became of its lines.

use maud::{Markup, html};

use super::chart::{Chart, Series};
use super::format::{self, Show};
use super::page::{Page, Tab, card};
use super::parts::{self, Figure, GroupList, LIST_ROWS, Unit};
use super::{Site, text};
use crate::flows::report::{AppView, Unread};
use gzette_core::model::HOUR_MS;

/// Pages of applications are one folder down.
const ROOT: &str = "../";

/// Returns `a/<name>.html`.
pub(super) fn page(site: &Site<'_>, app: &AppView) -> Page {
    let name = text::name(&app.name);
    let path = site.app_page(&app.name).unwrap_or_default().to_owned();
    Page {
        title: format!("{name} ({})", path.trim_start_matches("a/").trim_end_matches(".html")),
        description: format!("Errors of the application {name}"),
        tab: Tab::None,
        redirect: None,
        body: html! {
            nav.crumbs aria-label="Breadcrumb" {
                a href="../index.html" { "Overview" } " / " span aria-current="page" { bdi { (name) } }
            }
            h1 { bdi { (name) } }
            (unread(site, app))
            (silence(site, app))
            (figures(site, app))
            (card("trend", "Errors, last 7 days", &trend(site, app)))
            (card("groups", "Groups", &groups(site, app)))
            (card("lines", "Lines", &parts::line_accounting(&app.lines, None)))
        },
        path,
    }
}

fn unread(site: &Site<'_>, app: &AppView) -> Markup {
    html! { @for unread in unread_of(site, app) { p.state { (parts::unread_badge()) " " (parts::unread_why(unread)) } } }
}

fn unread_of<'v>(site: &Site<'v>, app: &'v AppView) -> impl Iterator<Item = &'v Unread> {
    site.view.unread.iter().filter(|unread| unread.apps.contains(&app.name))
}

fn silence(site: &Site<'_>, app: &AppView) -> Markup {
    html! {
        @if let Some(silent) = site.view.silent.iter().find(|silent| silent.name == app.name) {
            p.state { (parts::silent_badge()) " no lines since " (format::time(silent.since_ms, Show::Minute))
                "; its longest gap in 14 days was " (format::span(silent.habit_ms)) }
        } @else if app.is_silent {
            p.state { (parts::silent_badge()) " no lines for more than a week" }
        }
    }
}

fn figures(site: &Site<'_>, app: &AppView) -> Markup {
    let rate =
        if app.events.now > 0.0 { format::share(app.errors.now / app.events.now) } else { "–".to_owned() };
    parts::figures(&[
        Figure {
            label: "Errors, last 24 h",
            value: html! { (format::whole(app.errors.now)) },
            side: html! {},
            notes: if unread_of(site, app).next().is_some() {
                vec![html! { "of what could be read" }]
            } else {
                parts::comparisons(&app.errors, Unit::Percent, site.view.now_ms)
            },
        },
        Figure {
            label: "Error rate",
            value: html! { (rate) },
            side: html! {},
            notes: vec![html! { "of " (format::whole(app.events.now)) " events in 24 h" }],
        },
        Figure {
            label: "Groups",
            value: html! { (format::count(app.groups.len() as u64)) },
            side: html! {},
            notes: vec![html! { "with events in the last 14 days" }],
        },
        Figure {
            label: "Newest event",
            value: html! { @match app.newest_event_ms {
                Some(at) => (format::time(at, Show::Minute)),
                None => "none",
            } },
            side: html! {},
            notes: vec![
                html! { @if let Some(at) = app.newest_event_ms { span data-ago=(at.get()) { (format::weekday(at)) } } },
            ],
        },
        Figure {
            label: "Read",
            value: html! { (format::count(app.objects)) },
            side: html! {},
            notes: vec![html! { "objects · " (format::counted(app.lines.total, "line")) }],
        },
    ])
}

fn trend(site: &Site<'_>, app: &AppView) -> Markup {
    let all: u64 = app.trend.iter().map(|bucket| bucket.events).sum();
    let chart = Chart {
        label: format!("Errors of this application in the last 7 days: {}", format::counted(all, "error")),
        noun: "error",
        series: vec![Series {
            name: "Errors".to_owned(),
            class: site.colour(&app.name),
            buckets: app.trend.clone(),
        }],
        bucket_ms: HOUR_MS,
        now_ms: site.view.now_ms,
        mark: None,
    };
    html! {
        @if all == 0 { p.empty { "No errors in the last 7 days." } }
        @else { (chart.render(HOUR_MS, 6 * HOUR_MS)) }
    }
}

fn groups(site: &Site<'_>, app: &AppView) -> Markup {
    let shown = &app.groups[..app.groups.len().min(LIST_ROWS)];
    html! {
        @if shown.is_empty() { p.empty { "No errors in the last 14 days." } }
        @else {
            (parts::group_table(site, ROOT, shown, GroupList {
                caption: "Groups of this application", app: Some(&app.name), ..GroupList::default()
            }))
            (parts::more(app.groups.len() - shown.len(), "group"))
            p.muted.more { "Counts are for this application; the small charts are for the whole group." }
        }
    }
}
