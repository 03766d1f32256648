//! All groups, with a filter in the page. More groups than a page may weigh go to further pages.

use maud::{Markup, html};

use super::Site;
use super::format;
use super::page::{Page, Tab, card};
use super::parts::{self, GroupList};
use super::text::{self, LIST_TITLE_CHARS};

/// The most rows of a page, and the most bytes of titles and names on it (hostile ones do not compress).
const PAGE_ROWS: usize = 250;
const PAGE_TEXT_BYTES: usize = 40_000;

/// Returns `groups.html`, `groups-2.html` and so on.
pub(super) fn pages(site: &Site<'_>) -> Vec<Page> {
    let chunks = chunks(site);
    let last = chunks.len();
    chunks.iter().enumerate().map(|(place, chunk)| page(site, chunk, place + 1, last)).collect()
}

fn chunks(site: &Site<'_>) -> Vec<Vec<usize>> {
    let mut out = vec![Vec::new()];
    let mut bytes = 0;
    for place in site.shown_groups() {
        let group = &site.view.groups[place];
        let app = group.apps.first().map_or(0, |(name, ..)| text::name(name).len());
        let bytes_of_row = text::title(&group.title, LIST_TITLE_CHARS).len() + app;
        let full = |rows: &Vec<usize>| {
            rows.len() >= PAGE_ROWS || (bytes + bytes_of_row > PAGE_TEXT_BYTES && !rows.is_empty())
        };
        if out.last().is_some_and(full) {
            out.push(Vec::new());
            bytes = 0;
        }
        bytes += bytes_of_row;
        if let Some(rows) = out.last_mut() {
            rows.push(place);
        }
    }
    out
}

fn path(number: usize) -> String {
    if number == 1 { "groups.html".to_owned() } else { format!("groups-{number}.html") }
}

fn page(site: &Site<'_>, places: &[usize], number: usize, last: usize) -> Page {
    let shown = site.shown_groups().len() as u64;
    let all = site.view.group_count.max(shown);
    let part = if last > 1 { format!(", page {number} of {last}") } else { String::new() };
    Page {
        path: path(number),
        title: format!("Groups{part}"),
        description: "All error groups with events in the last 14 days".to_owned(),
        tab: Tab::Groups,
        redirect: None,
        body: html! {
            h1 { "Groups" }
            p.lead { (format::counted(all, "group")) " with events in the last 14 days" (part) "."
                @if shown < all { " The " (format::count(shown)) " that need attention or have most events are shown." } }
            (card("list", "By errors in the last 24 hours", &list(site, places, last > 1)))
            @if last > 1 { (turn(number, last)) }
            @if number == last { (parts::more((all - shown) as usize, "group")) }
        },
    }
}

fn list(site: &Site<'_>, places: &[usize], one_of_many: bool) -> Markup {
    html! {
        @if places.is_empty() { p.empty { "No errors in the last 14 days." } }
        @else {
            p.filter.js {
                label for="filter" { @if one_of_many { "Filter this page" } @else { "Filter" } }
                input #filter type="search" data-filter="groups" autocomplete="off" spellcheck="false"
                    placeholder="title, application, state or id";
                output for="filter" {}
            }
            (parts::group_table(site, "", places, GroupList {
                caption: "Groups by errors in the last 24 hours", id: Some("groups"), totals: true, ..GroupList::default()
            }))
        }
    }
}

fn turn(number: usize, last: usize) -> Markup {
    html! {
        nav.turn aria-label="Further groups" {
            @if number > 1 { a rel="prev" href=(path(number - 1)) { "Previous page" } }
            @if number < last { a rel="next" href=(path(number + 1)) { "Next page" } }
        }
    }
}
