//! Pieces that several pages show: badges, figures, changes, lists of groups, breakdowns, copy buttons.

use maud::{Markup, html};

use super::format::{self, Show};
use super::text::{self, LIST_TITLE_CHARS, TITLE_CHARS};
use super::{Site, chart};
use crate::flows::report::{Change, GroupState, GroupView, Unread, UnreadPlace};
use gzette_core::model::{GroupId, LineCounts, UtcMs};

/// The longest list on a page; further rows are only counted.
pub(super) const LIST_ROWS: usize = 100;
/// The most places that are named as unread.
const UNREAD_ROWS: usize = 20;

/// How a change is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// As a share of what it was.
    Percent,
    /// As a number of events.
    Count,
    /// As percentage points; the values are shares.
    Points,
}

/// Returns how `now` differs from `then`: `▲ 38 %`, red when there are more errors, green when fewer.
pub(super) fn change(now: f64, then: Option<f64>, unit: Unit) -> Markup {
    let Some(then) = then else {
        return html! { span.flat { span aria-hidden="true" { "–" } span.sr { "no earlier data" } } };
    };
    let difference = now - then;
    let size = match unit {
        Unit::Percent if then <= 0.0 => "from none".to_owned(),
        Unit::Percent => short_percent(difference.abs() / then),
        Unit::Count => format::whole(difference.abs()),
        Unit::Points => format!("{:.2} pt", difference.abs() * 100.0),
    };
    let unchanged = difference == 0.0 || size == "0 %" || size == "0.00 pt";
    html! {
        @if unchanged { span.flat { "no change" } }
        @else if difference > 0.0 { span.up { span aria-hidden="true" { "▲ " } span.sr { "up " } (size) } }
        @else { span.down { span aria-hidden="true" { "▼ " } span.sr { "down " } (size) } }
    }
}

fn short_percent(share: f64) -> String {
    if share >= 10.0 {
        return format!("× {:.0}", share + 1.0);
    }
    format!("{:.0} %", share * 100.0)
}

/// Returns the lines below a figure: its change against yesterday and last week.
pub(super) fn comparisons(of: &Change, unit: Unit, now_ms: UtcMs) -> Vec<Markup> {
    if of.yesterday.is_none() && of.last_week.is_none() {
        return vec![html! { "no earlier data" }];
    }
    let against = |then, what: String| html! { (change(of.now, then, unit)) " vs. " (what) };
    let mut lines = vec![against(of.yesterday, "yesterday".to_owned())];
    if of.last_week.is_some() {
        lines.push(against(of.last_week, format!("last {}", format::weekday(now_ms))));
    }
    lines
}

/// One figure of the row at the top of a page.
pub(super) struct Figure {
    /// What it is.
    pub(super) label: &'static str,
    /// The number.
    pub(super) value: Markup,
    /// Beside the number, in a few words.
    pub(super) side: Markup,
    /// Below: what it is measured against, a line each.
    pub(super) notes: Vec<Markup>,
}

/// Returns the row of figures.
pub(super) fn figures(figures: &[Figure]) -> Markup {
    html! {
        dl.figures {
            @for figure in figures {
                div.card {
                    dt { (figure.label) }
                    dd.value { span.big { (figure.value) } span.side { (figure.side) } }
                    @for note in &figure.notes { dd.note { (note) } }
                }
            }
        }
    }
}

/// Returns a group's state as a badge; an ongoing or quiet group has a plain one.
pub(super) fn badge(group: &GroupView) -> Markup {
    match group.state {
        GroupState::Spiking => html! {
            span.badge.spiking { (icon("M1 9h3l2-6 3 11 3-8 1 3h2")) "Spiking"
                @if let Some(factor) = group.factor.filter(|factor| factor.is_finite() && *factor >= 1.05) {
                    " ×" (if factor < 99.5 { format!("{factor:.1}") } else { format::whole(factor) })
                } }
        },
        GroupState::New => html! { span.badge.new { (icon("M8 2v12M2 8h12M4 4l8 8M12 4l-8 8")) "New" } },
        GroupState::Regressed => {
            html! { span.badge.back { (icon("M13 4v4a3 3 0 0 1-3 3H3m3-3-3 3 3 3")) "Regressed" } }
        }
        GroupState::Ongoing => html! { span.badge { "Ongoing" } },
        GroupState::Quiet => html! { span.badge { "Quiet" } },
    }
}

/// Returns the badge of an application that has gone silent.
pub(super) fn silent_badge() -> Markup {
    html! { span.badge.silent { (icon("M2 8h3m3 0h0m3 0h3")) "Silent" } }
}

/// Returns the badge of what could not be read.
pub(super) fn unread_badge() -> Markup {
    html! { span.badge.silent { (icon("M8 1.5 15 14H1zM8 6v4m0 2v.2")) "Not read" } }
}

/// Returns what could not be read: what, since when and why.
pub(super) fn unread_list(site: &Site<'_>) -> Markup {
    html! {
        ul.silences {
            @for unread in site.view.unread.iter().take(UNREAD_ROWS) {
                li { (unread_badge()) " " strong {
                    @match &unread.place {
                        UnreadPlace::App(name) => (app_link(site, "", name)),
                        UnreadPlace::Source(name) => { "source " bdi { (text::name(name)) } }
                    } } " " (unread_why(unread)) }
            }
        }
        @if let Some(left @ [_, ..]) = site.view.unread.get(UNREAD_ROWS..) {
            p.muted.more { "and " (Unread::counted(left, "more ")) " not read" }
        }
    }
}

/// Returns `not read since 23 Nov 09:40: 12 objects denied (AccessDenied)`.
pub(super) fn unread_why(unread: &Unread) -> Markup {
    html! {
        span.muted {
            @match unread.since_ms {
                Some(at) => { "not read since " (format::time(at, Show::Minute)) ": " }
                None => "never read: ",
            }
            bdi { (text::line(&unread.why(), 200)) }
        }
    }
}

/// Returns the applications that are not understood: what is missing, what to do, and lines as examples.
pub(super) fn unclear_list(site: &Site<'_>) -> Markup {
    html! {
        ul.silences {
            @for unclear in site.view.unclear.iter().take(UNREAD_ROWS) {
                li { span.badge.silent { (icon("M8 1.5 15 14H1zM8 6v4m0 2v.2")) "Not understood" } " "
                    strong { (app_link(site, "", &unclear.app)) } " "
                    span.muted { (unclear.why()) "; " (text::line(unclear.remedy(), 200)) }
                    @for line in &unclear.examples { div.sub { code { bdi { (text::line(line, 200)) } } } } }
            }
        }
        @if let Some(left) = site.view.unclear.len().checked_sub(UNREAD_ROWS).filter(|left| *left > 0) {
            p.muted.more { "and " (format::counted(left as u64, "more application")) }
        }
    }
}

/// Returns a small picture of one stroke in a box of 16.
pub(super) fn icon(path: &str) -> Markup {
    html! { svg.icon aria-hidden="true" viewBox="0 0 16 16" width="12" height="12" { path d=(path) {} } }
}

/// Returns an application's name, linked where it has a page.
pub(super) fn app_link(site: &Site<'_>, root: &str, name: &str) -> Markup {
    let shown = text::name(name);
    html! {
        @if let Some(page) = site.app_page(name) { a href={ (root) (page) } { bdi { (shown) } } }
        @else { bdi { (shown) } }
    }
}

/// Returns a group's title, linked where it has a page.
pub(super) fn group_link(site: &Site<'_>, root: &str, group: &GroupView) -> Markup {
    let shown = text::title(&group.title, LIST_TITLE_CHARS);
    html! {
        @if let Some(page) = site.group_page(group.id) { a.title href={ (root) (page) } { bdi { (shown) } } }
        @else { span.title { bdi { (shown) } } }
    }
}

/// Returns what a browser shows as the name of a group's page.
pub(super) fn group_title(group: &GroupView) -> String {
    text::title(&group.title, TITLE_CHARS)
}

/// Returns a group's id with the means to copy it.
pub(super) fn id_with_copy(id: GroupId) -> Markup {
    html! { code #group-id { (id) } " " (copy_button("group-id", "Copy id")) }
}

/// Returns a button that copies the text of the element `target`; without script it does not show.
pub(super) fn copy_button(target: &str, label: &str) -> Markup {
    html! { button.js.copy type="button" data-copy=(target) { (label) } }
}

/// How a list of groups looks.
#[derive(Clone, Copy, Default)]
pub(super) struct GroupList<'a> {
    /// Its caption, for those who do not see the heading.
    pub(super) caption: &'a str,
    /// Whether each says why it is in its state.
    pub(super) reasons: bool,
    /// Counts are of this application alone.
    pub(super) app: Option<&'a str>,
    /// The id of the table, when a filter belongs to it; it can then be sorted too.
    pub(super) id: Option<&'a str>,
    /// Whether a column has all events in the ledger.
    pub(super) totals: bool,
}

/// Returns a table of groups; `places` are places in the view's list.
pub(super) fn group_table(site: &Site<'_>, root: &str, places: &[usize], list: GroupList<'_>) -> Markup {
    let sort = |kind: &'static str| list.id.map(|_| kind);
    html! {
        table.groups id=[list.id] {
            caption.sr { (list.caption) }
            thead { tr {
                th scope="col" data-sort=[sort("text")] { "Error" }
                @if list.app.is_none() { th.w.app scope="col" data-sort=[sort("text")] { "Application" } }
                th.w.trend scope="col" { "Last 24 h" }
                th.n.count scope="col" data-sort=[sort("number")] { "Count" }
                @if list.app.is_none() { th.n.diff scope="col" data-sort=[sort("number")] { "vs. yesterday" } }
                @if list.totals || list.app.is_some() { th.w.n.count scope="col" data-sort=[sort("number")] { "In all" } }
                th.w.seen scope="col" data-sort=[sort("number")] { "Last seen" }
            } }
            tbody {
                @for group in places.iter().filter_map(|&place| site.view.groups.get(place)) {
                    (group_row(site, root, group, list))
                }
            }
        }
    }
}

fn group_row(site: &Site<'_>, root: &str, group: &GroupView, list: GroupList<'_>) -> Markup {
    let of_app = list.app.and_then(|name| group.apps.iter().find(|(app, ..)| app == name));
    let (day, total) =
        of_app.map_or((group.day.now.round() as u64, group.total), |(_, day, total)| (*day, *total));
    let difference = group.day.now - group.day.yesterday.unwrap_or(0.0);
    let value = |value: i64| list.id.map(|_| value);
    html! {
        tr {
            th scope="row" {
                (group_link(site, root, group))
                div.sub {
                    @if group.state <= GroupState::Regressed || list.id.is_some() { (badge(group)) }
                    @if list.reasons { span.reason { bdi { (text::line(&group.reason, 200)) } } }
                    code { (group.id) }
                    @if let Some(family) = group.family { span.muted { (family.groups) " variants" } }
                    @if list.app.is_none() { span.phone { (first_app(site, root, group)) } }
                }
            }
            @if list.app.is_none() { td.w.app { (first_app(site, root, group)) } }
            td.w.trend { (chart::sparkline(&group.hours, site.view.now_ms, "error")) }
            td.n.count data-v=[value(day as i64)] {
                (format::count(day))
                @if list.app.is_none() {
                    span.phone.diff { (change(group.day.now, group.day.yesterday, Unit::Count)) }
                }
            }
            @if list.app.is_none() {
                td.n.diff data-v=[value(difference.round() as i64)] {
                    (change(group.day.now, group.day.yesterday, Unit::Count))
                }
            }
            @if list.totals || list.app.is_some() { td.w.n.count data-v=[value(total as i64)] { (format::count(total)) } }
            td.w.seen data-v=[value(group.last_ms.get())] { (format::time(group.last_ms, Show::Minute)) }
        }
    }
}

fn first_app(site: &Site<'_>, root: &str, group: &GroupView) -> Markup {
    html! {
        @if let Some((name, ..)) = group.apps.first() { (app_link(site, root, name)) }
        @if group.apps.len() > 1 { span.muted { " +" (group.apps.len() - 1) } }
    }
}

/// Returns names with bars and counts, the largest the widest.
pub(super) fn breakdown(rows: &[(Markup, u64, String)]) -> Markup {
    let peak = rows.iter().map(|row| row.1).max().unwrap_or(0);
    html! {
        ul.breakdown {
            @for (name, events, class) in rows {
                li { span.name { (name) } (chart::bar(*events, peak, class)) span.n { (format::count(*events)) } }
            }
        }
    }
}

/// Returns the line below a list that was cut.
pub(super) fn more(left_out: usize, noun: &str) -> Markup {
    html! { @if left_out > 0 { p.muted.more { "and " (format::counted(left_out as u64, &format!("more {noun}"))) } } }
}

/// Returns the accounting of lines: every line is in one of the first three rows. Misdated events are counted for all
/// applications together.
pub(super) fn line_accounting(lines: &LineCounts, misdated: Option<u64>) -> Markup {
    let rows = [
        ("Events", lines.events, "lines that start an event"),
        ("Continuation", lines.continuation, "lines of a stack trace or text that belong to the event above"),
        ("Unparsed", lines.unparsed, "lines of no known format; search finds them anyway"),
        ("Quarantined", lines.quarantined, "stretches of bytes that could not be read"),
        ("Truncated", lines.truncated, "lines cut at the length limit"),
        ("Undated", lines.undated, "events that took the time of a neighbour or their key"),
    ];
    let wrong_clocks =
        "events with a time before 2000, or a day or more after their object; counted in totals only";
    let misdated = misdated.map(|number| ("Misdated", number, wrong_clocks));
    html! {
        table.facts {
            caption.sr { "Kinds of lines" }
            thead { tr { th scope="col" { "Kind" } th.n scope="col" { "Number" } th.w scope="col" { "What it means" } } }
            tbody {
                tr.all { th scope="row" { "Lines read" } td.n { (format::count(lines.total)) }
                    td.w { "events + continuation + unparsed" } }
                @for (name, number, meaning) in rows.into_iter().chain(misdated) {
                    tr { th scope="row" { (name) } td.n { (format::count(number)) } td.w { (meaning) } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(now: f64, then: Option<f64>, unit: Unit) -> String {
        let html = change(now, then, unit).into_string();
        let mut out = String::new();
        let mut inside = false;
        for c in html.chars() {
            match c {
                '<' => inside = true,
                '>' => inside = false,
                _ if !inside => out.push(c),
                _ => {}
            }
        }
        out
    }

    #[test]
    fn changes_read_well() {
        assert_eq!(words(138.0, Some(100.0), Unit::Percent), "▲ up 38 %");
        assert_eq!(words(50.0, Some(100.0), Unit::Percent), "▼ down 50 %");
        assert_eq!(words(100.2, Some(100.0), Unit::Percent), "no change");
        assert_eq!(words(5.0, Some(0.0), Unit::Percent), "▲ up from none");
        assert_eq!(words(5000.0, Some(100.0), Unit::Percent), "▲ up × 50");
        assert_eq!(words(0.0105, Some(0.0084), Unit::Points), "▲ up 0.21 pt");
        assert_eq!(words(2475.0, Some(1000.0), Unit::Count), "▲ up 1,475");
        assert_eq!(words(1.0, None, Unit::Count), "–no earlier data");
    }
}
