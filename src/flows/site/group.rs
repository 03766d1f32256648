//! The page of one group: why it is in its state, its course, where it happens, and what it looks like.

use maud::{Markup, html};

use super::chart::{Chart, Series};
use super::format::{self, Show};
use super::page::{Page, Tab, card};
use super::parts::{self, Figure, Unit};
use super::text::{self, NAME_CHARS, PLACE_CHARS};
use super::{Site, trace};
use crate::flows::report::{Bucket, Family, GroupView, SampleView};
use gzette_core::model::{GroupKind, HOUR_MS};
use gzette_core::paste::quoted;

/// Pages of groups are one folder down.
const ROOT: &str = "../";
/// The most variants named.
const MAX_VARIANTS: usize = 20;
/// The longest template shown, in bytes.
const TEMPLATE_BYTES: usize = 4096;

/// Returns `g/<id>.html` of the group at `place`.
pub(super) fn page(site: &Site<'_>, place: usize) -> Page {
    let group = &site.view.groups[place];
    let title = parts::group_title(group);
    Page {
        path: format!("g/{}.html", group.id),
        title: format!("{} ({})", text::line(&title, 80), group.id),
        description: format!("Error group {}: {}", group.id, text::line(&title, 150)),
        tab: Tab::None,
        redirect: None,
        body: html! {
            (head(site, group, &title))
            (figures(site, group))
            (card("trend", "Last 14 days", &trend(site, group)))
            div.two {
                (card("day", "Last 24 hours", &day(site, group)))
                (card("where", "Where it happens", &breakdowns(site, group)))
            }
            (card("find", "Find it on the command line", &command(group)))
            (card("samples", "Samples", &samples(site, group)))
            (card("key", "What makes this group", &key(group)))
            @if let Some(family) = group.family { (card("family", "Variants", &variants(site, group, family))) }
        },
    }
}

/// The other groups that differ from it in one word.
fn variants(site: &Site<'_>, group: &GroupView, family: Family) -> Markup {
    let others = site.view.groups.iter().filter(|other| other.family == Some(family) && other.id != group.id);
    html! {
        p.muted { "Groups whose messages differ from this one in one word." }
        ul {
            @for other in others.take(MAX_VARIANTS) {
                li { (parts::group_link(site, ROOT, other)) " " span.muted { (format::count(other.total)) } }
            }
        }
        (parts::more((family.groups - 1).saturating_sub(MAX_VARIANTS), "variant"))
    }
}

fn head(site: &Site<'_>, group: &GroupView, title: &str) -> Markup {
    html! {
        nav.crumbs aria-label="Breadcrumb" {
            a href="../index.html" { "Overview" } " / "
            @if let Some((app, ..)) = group.apps.first() { (parts::app_link(site, ROOT, app)) " / " }
            span aria-current="page" { (group.id) }
        }
        h1 { bdi { (title) } }
        p.state { (parts::badge(group)) " " bdi { (text::line(&group.reason, 300)) } }
        p.id { (parts::id_with_copy(group.id)) }
    }
}

fn figures(site: &Site<'_>, group: &GroupView) -> Markup {
    let lead = group.apps.first().map(|(name, ..)| text::line(&text::name(name), 40));
    parts::figures(&[
        Figure {
            label: "Errors, last 24 h",
            value: html! { (format::whole(group.day.now)) },
            side: html! {},
            notes: parts::comparisons(&group.day, Unit::Percent, site.view.now_ms),
        },
        Figure {
            label: "In all",
            value: html! { (format::count(group.total)) },
            side: html! {},
            notes: vec![html! { "events in the ledger" }],
        },
        Figure {
            label: "First seen",
            value: html! { (format::time(group.first_ms, Show::Minute)) },
            side: html! {},
            notes: vec![html! { span data-ago=(group.first_ms.get()) { (format::weekday(group.first_ms)) } }],
        },
        Figure {
            label: "Last seen",
            value: html! { (format::time(group.last_ms, Show::Minute)) },
            side: html! {},
            notes: vec![html! { span data-ago=(group.last_ms.get()) { (format::weekday(group.last_ms)) } }],
        },
        Figure {
            label: "Applications",
            value: html! { (group.apps.len()) },
            side: html! {},
            notes: vec![
                html! { @if let Some(name) = lead { bdi { (name) } @if group.apps.len() > 1 { " leads" } } },
            ],
        },
    ])
}

fn trend(site: &Site<'_>, group: &GroupView) -> Markup {
    let all: u64 = group.trend.iter().map(|bucket| bucket.events).sum();
    let chart = Chart {
        label: format!("Errors of this group in the last 14 days: {}", format::counted(all, "error")),
        noun: "error",
        series: vec![Series {
            name: "Errors".to_owned(),
            class: "s0".to_owned(),
            buckets: group.trend.clone(),
        }],
        bucket_ms: HOUR_MS,
        now_ms: site.view.now_ms,
        mark: Some((group.first_ms, "first seen")),
    };
    html! {
        @if all == 0 { p.empty { "No events in the last 14 days." } }
        @else { (chart.render(3 * HOUR_MS, 12 * HOUR_MS)) }
    }
}

fn day(site: &Site<'_>, group: &GroupView) -> Markup {
    let all: u64 = group.hours.iter().sum();
    let last_ms = site.view.now_ms.start_of(HOUR_MS);
    let hours = group.hours.iter().rev().zip(0_i64..);
    let mut buckets: Vec<Bucket> =
        hours.map(|(&events, back)| Bucket { start_ms: last_ms - back * HOUR_MS, events }).collect();
    buckets.reverse();
    let chart = Chart {
        label: format!("Errors of this group in the last 24 hours: {}", format::counted(all, "error")),
        noun: "error",
        series: vec![Series { name: "Errors".to_owned(), class: "s0".to_owned(), buckets }],
        bucket_ms: HOUR_MS,
        now_ms: site.view.now_ms,
        mark: None,
    };
    html! {
        @if all == 0 { p.empty { "No errors in the last 24 hours." } }
        @else { (chart.render(HOUR_MS, HOUR_MS)) }
    }
}

fn breakdowns(site: &Site<'_>, group: &GroupView) -> Markup {
    let apps: Vec<_> = group
        .apps
        .iter()
        .take(10)
        .map(|(name, _, total)| (parts::app_link(site, ROOT, name), *total, site.colour(name)))
        .collect();
    let levels: Vec<_> = group
        .levels
        .iter()
        .map(|(level, events)| (html! { (level.name()) }, *events, "s0".to_owned()))
        .collect();
    html! {
        h3 { "By application, in total" }
        (parts::breakdown(&apps))
        (parts::more(group.apps.len().saturating_sub(10), "application"))
        @if !levels.is_empty() { h3 { "By level, in total" } (parts::breakdown(&levels)) }
    }
}

fn command(group: &GroupView) -> Markup {
    // A group that is quiet now has nothing in the last day.
    let since = if group.day.now > 0.0 { "24h" } else { "14d" };
    html! {
        p.command {
            code #find-command { "gzette search " span { "--group " (group.id) } " " span { "--since " (since) } } " "
            (parts::copy_button("find-command", "Copy"))
        }
    }
}

fn samples(site: &Site<'_>, group: &GroupView) -> Markup {
    html! {
        @if group.samples.is_empty() { p.empty { "No samples were kept." } }
        @for (place, sample) in group.samples.iter().take(5).enumerate() { (one_sample(site, sample, place)) }
    }
}

fn one_sample(site: &Site<'_>, sample: &SampleView, place: usize) -> Markup {
    let text_id = format!("sample-{place}");
    let place_id = format!("place-{place}");
    let command = format!("gzette show {}", quoted(format!("{}:{}", sample.object, sample.line).as_bytes()));
    let shown = text::line(&command, PLACE_CHARS);
    html! {
        article.sample {
            h3 { (capitalised(sample.role.name())) " · " (format::time(sample.time_ms, Show::Full)) }
            p.meta {
                (parts::app_link(site, ROOT, &sample.app)) span.badge { (sample.level.name()) }
                @for (what, name) in [("logger", &sample.logger), ("thread", &sample.thread)] {
                    @if let Some(name) = name {
                        span { span.muted { (what) " " } bdi { (text::line(name, NAME_CHARS)) } }
                    }
                }
            }
            div id=(text_id) { (trace::render(&sample.text, &site.settings.frames)) }
            p.place {
                code id=(place_id) { bdi { (shown) } } " "
                (parts::copy_button(&text_id, "Copy text"))
                // What had to be cut leads nowhere.
                @if shown == command { " " (parts::copy_button(&place_id, "Copy command")) }
            }
        }
    }
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn key(group: &GroupView) -> Markup {
    let why = match group.kind {
        GroupKind::Message => {
            "Events belong to this group if their message has this template; <*> stands for the variable parts."
        }
        GroupKind::Trace => "Events belong to this group if they have these exceptions and own frames.",
        GroupKind::Exception => {
            "Events belong to this group if their exception has this type and message; <*> stands for the variable parts."
        }
        GroupKind::Custom => {
            "Events belong to this custom group if its expression in the configuration matches them."
        }
    };
    html! {
        p.muted { (why) }
        div.trace { pre { (text::block(&group.template, TEMPLATE_BYTES)) } }
    }
}
