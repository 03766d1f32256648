//! The first page: what changed, in five seconds; then where and when.

use std::cmp::Reverse;

use maud::{Markup, html};

use super::chart::{self, Chart};
use super::format::{self, Show};
use super::page::{Page, Tab, card};
use super::parts::{self, Figure, GroupList, Unit};
use super::{Site, text};
use crate::flows::report::Bucket;
use gzette_core::model::{HOUR_MS, UtcMs};

/// Rows that a reader takes in; everything is on the page of groups.
const ATTENTION_ROWS: usize = 12;
const TOP_ROWS: usize = 12;
const APP_ROWS: usize = 12;
const SILENT_ROWS: usize = 10;

/// Returns `index.html`.
pub(super) fn page(site: &Site<'_>) -> Page {
    let headline = text::line(&site.view.verdict.headline, 120);
    Page {
        path: "index.html".to_owned(),
        description: text::line(&site.view.verdict.detail, 200),
        tab: Tab::Overview,
        redirect: None,
        body: html! {
            (verdict(site, &headline))
            (figures(site))
            (card("attention", "Needs attention", &attention(site)))
            (card("over-time", "Errors over time", &over_time(site)))
            div.two {
                (card("when", "When it happens", &when(site)))
                (card("apps", "Applications", &apps(site)))
            }
            (card("top", "Top groups", &top(site)))
        },
        title: headline,
    }
}

fn verdict(site: &Site<'_>, headline: &str) -> Markup {
    let verdict = &site.view.verdict;
    let (class, path) = if verdict.needs_attention {
        ("verdict alarm", "M8 1.5 15 14H1zM8 6v4m0 2v.2")
    } else {
        ("verdict calm", "M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zM5 8l2 2 4-4")
    };
    html! {
        div class=(class) {
            (parts::icon(path))
            h1 { bdi { (headline) } }
            p { bdi { (text::line(&verdict.detail, 400)) } }
        }
    }
}

fn figures(site: &Site<'_>) -> Markup {
    let figures = &site.view.figures;
    // Fewer errors are not good news when not everything could be read.
    let is_whole = site.view.unread.is_empty() && site.view.unclear.is_empty();
    let compared = |of, unit| {
        if is_whole {
            parts::comparisons(of, unit, site.view.now_ms)
        } else {
            vec![html! { "of what was read and understood" }]
        }
    };
    parts::figures(&[
        Figure {
            label: "Errors, last 24 h",
            value: html! { (format::whole(figures.errors.now)) },
            side: html! {},
            notes: compared(&figures.errors, Unit::Percent),
        },
        Figure {
            label: "Error rate",
            value: html! {
                @if figures.events.now > 0.0 { (format::share(figures.error_rate.now)) } @else { "–" }
            },
            side: html! { "of " (chart::short(figures.events.now.max(0.0) as u64)) " events" },
            notes: compared(&figures.error_rate, Unit::Points),
        },
        Figure {
            label: "Open groups",
            value: html! { (format::whole(figures.open_groups.now)) },
            side: html! { @if figures.new_groups > 0 { span.up { (figures.new_groups) " new" } } },
            notes: compared(&figures.open_groups, Unit::Count),
        },
        Figure {
            label: "Applications hit",
            value: html! { (format::whole(figures.apps_hit.now)) span.of { " of " (figures.apps) } },
            side: html! {},
            notes: compared(&figures.apps_hit, Unit::Count),
        },
        newest(site),
    ])
}

fn newest(site: &Site<'_>) -> Figure {
    let all = &site.view.completeness;
    let sources = format::counted(all.sources.len() as u64, "source");
    let failed = all.sources.iter().filter(|source| source.failed_prefixes > 0).count();
    let lacking = all.objects_unread + all.objects_damaged;
    let newest = site.view.figures.newest_event_ms;
    let listed = html! {
        @if all.sources.is_empty() { "no sources" }
        @else if failed == 0 { (sources) " listed" }
        @else { span.up { (failed) " of " (sources) " failed" } }
    };
    let read = html! {
        @if lacking > 0 { a href="ingest.html" { (format::counted(lacking, "object")) " not fully read" } }
        @else if all.objects_listed > 0 { "every object read" }
    };
    Figure {
        label: "Data through",
        value: html! { @match newest {
            Some(at) => (format::time(at, Show::clock_of(at, site.view.now_ms))),
            None => "no data",
        } },
        side: html! { @if let Some(at) = newest {
            span data-ago=(at.get()) { (format::ago(at, site.view.now_ms)) }
        } },
        notes: vec![listed, read],
    }
}

fn attention(site: &Site<'_>) -> Markup {
    let view = site.view;
    let shown = &view.attention[..view.attention.len().min(ATTENTION_ROWS)];
    html! {
        @if !view.verdict.needs_attention {
            p.empty { "Nothing is new, back, spiking or silent." }
        } @else if shown.is_empty() && view.silent.is_empty() && view.unread.is_empty() && view.unclear.is_empty() {
            p.empty { bdi { (text::line(&view.verdict.headline, 120)) } }
        }
        @if !shown.is_empty() {
            (parts::group_table(site, "", shown, GroupList {
                caption: "Groups that are spiking, new or back", reasons: true, ..GroupList::default()
            }))
            @if view.attention.len() > shown.len() {
                p.more { a href="groups.html" { "and "
                    (format::counted((view.attention.len() - shown.len()) as u64, "more group")) } }
            }
        }
        @if !view.unread.is_empty() { (parts::unread_list(site)) }
        @if !view.unclear.is_empty() { (parts::unclear_list(site)) }
        @if !view.silent.is_empty() { (silent(site)) }
    }
}

fn silent(site: &Site<'_>) -> Markup {
    html! {
        ul.silences {
            @for app in site.view.silent.iter().take(SILENT_ROWS) {
                li {
                    (parts::silent_badge()) " " strong { (parts::app_link(site, "", &app.name)) } " "
                    span.muted { "no lines since " (format::time(app.since_ms, Show::Minute))
                        "; its longest gap in 14 days was " (format::span(app.habit_ms)) }
                }
            }
        }
        (parts::more(site.view.silent.len().saturating_sub(SILENT_ROWS), "silent application"))
    }
}

fn over_time(site: &Site<'_>) -> Markup {
    let series = stacks(site);
    let all: u64 = series.iter().flat_map(|series| &series.buckets).map(|bucket| bucket.events).sum();
    if all == 0 {
        return html! { p.empty { "No errors in the last 7 days." } };
    }
    let legend = html! {
        ul.legend {
            @for series in &series {
                li { span.swatch { svg aria-hidden="true" width="10" height="10" {
                        rect class=(series.class) width="10" height="10" rx="2" {} } }
                    bdi { (series.name) } }
            }
        }
    };
    let chart = Chart {
        label: format!(
            "Errors of the last 7 days by hour and application: {} in all",
            format::counted(all, "error")
        ),
        noun: "error",
        series,
        bucket_ms: HOUR_MS,
        now_ms: site.view.now_ms,
        mark: None,
    };
    html! { (legend) (chart.render(HOUR_MS, 6 * HOUR_MS)) }
}

fn when(site: &Site<'_>) -> Markup {
    let heat = &site.view.heat;
    html! {
        @if heat.cells.iter().flatten().all(|&events| events == 0) {
            p.empty { "No errors in the last 28 days." }
        } @else { (chart::heat(heat)) }
    }
}

/// The applications in their colours; those beyond the colours are summed up.
fn stacks(site: &Site<'_>) -> Vec<chart::Series> {
    let all = &site.view.errors;
    // One too many is shown as itself, in the colour of the rest.
    let own = if all.len() <= chart::COLOURS + 1 { all.len() } else { chart::COLOURS };
    let mut out: Vec<chart::Series> = all[..own]
        .iter()
        .map(|series| chart::Series {
            name: text::line(&text::name(&series.name), 40),
            class: site.colour(&series.name),
            buckets: series.buckets.clone(),
        })
        .collect();
    if own < all.len() {
        let mut sums = std::collections::BTreeMap::<UtcMs, u64>::new();
        for bucket in all[own..].iter().flat_map(|series| &series.buckets) {
            *sums.entry(bucket.start_ms).or_default() += bucket.events;
        }
        out.push(chart::Series {
            name: format!("{} others", all.len() - own),
            class: format!("s{}", chart::COLOURS),
            buckets: sums.into_iter().map(|(start_ms, events)| Bucket { start_ms, events }).collect(),
        });
    }
    out
}

fn apps(site: &Site<'_>) -> Markup {
    let apps = &site.view.apps;
    let rows: Vec<_> = apps
        .iter()
        .take(APP_ROWS)
        .map(|app| {
            (parts::app_link(site, "", &app.name), app.errors.now.round() as u64, site.colour(&app.name))
        })
        .collect();
    html! {
        @if rows.is_empty() { p.empty { "No applications yet." } }
        @else {
            p.muted.lead { "Errors in the last 24 hours" }
            (parts::breakdown(&rows))
            @if apps.len() > rows.len() {
                p.more { a href="ingest.html" { "and "
                    (format::counted((apps.len() - rows.len()) as u64, "more application")) } }
            }
        }
    }
}

fn top(site: &Site<'_>) -> Markup {
    let mut places: Vec<usize> =
        site.shown_groups().filter(|&place| site.view.groups[place].day.now > 0.0).collect();
    places.sort_by_key(|&place| Reverse(site.view.groups[place].day.now.round() as u64));
    places.truncate(TOP_ROWS);
    html! {
        @if places.is_empty() { p.empty { "No errors in the last 24 hours." } }
        @else {
            (parts::group_table(site, "", &places, GroupList {
                caption: "Groups with the most errors in the last 24 hours", ..GroupList::default()
            }))
        }
        @if !site.view.groups.is_empty() {
            p.more { a href="groups.html" { (all_groups(site)) } }
        }
    }
}

fn all_groups(site: &Site<'_>) -> String {
    let (all, shown) = (site.view.group_count, site.shown_groups().len() as u64);
    let all_told = format::counted(all, "group");
    if shown < all {
        format!("{} of {all_told} of the last 14 days", format::count(shown))
    } else {
        format!("All {all_told} of the last 14 days")
    }
}
