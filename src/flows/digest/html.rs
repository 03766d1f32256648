//! The HTML part: one column of tables with the styles in attributes, since mail programs strip what they
//! do not know. The `<style>` block only adds dark mode where it is understood. No images, no scripts,
//! nothing from another host; maud escapes every text.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::brief::{Badge, Brief, Figure, Item, Top};

const DARK: &str = "@media (prefers-color-scheme:dark){\
.page{background:#15171c!important}.card{background:#1e2128!important;border-color:#343945!important}\
.ink{color:#eceef2!important}.dim{color:#a9b0bd!important}.link{color:#8ab4ff!important}\
.code{background:#15171c!important;color:#eceef2!important}.rule{border-color:#343945!important}\
.warn{background:#3a2a10!important;color:#ffd591!important}}";

const FONT: &str = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const INK: &str = "#1b1f27";
const DIM: &str = "#565e6c";
const LINK: &str = "#1f55c4";
const RULE: &str = "#dfe3ea";
const PAGE: &str = "#f3f5f8";

/// Lays out a brief as HTML.
pub(super) fn render(brief: &Brief) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width,initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="supported-color-schemes" content="light dark";
                title { (brief.headline) }
                style { (PreEscaped(DARK)) }
            }
            body.page style=(format!("margin:0;padding:0;background:{PAGE}")) {
                // What mail programs show beside the subject.
                div style="display:none;max-height:0;overflow:hidden" { (brief.detail) }
                table.page role="presentation" width="100%" cellpadding="0" cellspacing="0" style=(format!("background:{PAGE}")) {
                    tr { td align="center" style="padding:16px 8px" { (card(brief)) } }
                }
            }
        }
    }
}

fn card(brief: &Brief) -> Markup {
    let style =
        format!("max-width:660px;background:#ffffff;border:1px solid {RULE};border-radius:8px;{FONT}");
    html! {
        table.card role="presentation" width="100%" cellpadding="0" cellspacing="0" style=(style) {
            tr { td style="padding:20px 20px 24px" {
                (verdict(brief))
                (attention(brief))
                (figures(&brief.figures))
                (top(brief))
                (completeness(&brief.completeness))
                p.dim style=(small("margin:20px 0 0")) { (brief.footer) }
            } }
        }
    }
}

fn verdict(brief: &Brief) -> Markup {
    html! {
        h1.ink style=(format!("margin:0;font-size:21px;line-height:1.3;color:{INK};{BREAK}")) { (brief.headline) }
        @if let Some(recovered) = &brief.recovered {
            p.ink style=(body("margin:8px 0 0")) { (recovered) }
        }
        @if !brief.detail.is_empty() && brief.detail != brief.headline {
            p.ink style=(body("margin:8px 0 0")) { (brief.detail) }
        }
        @for warning in brief.warning.iter().chain(&brief.notices) {
            p.warn style="margin:12px 0 0;padding:8px 12px;border-radius:6px;background:#fff3dc;color:#6b4300;font-size:14px;line-height:1.45" {
                (warning)
            }
        }
        @if let Some(link) = &brief.link {
            p style="margin:12px 0 0" { (anchor(link, "Open the dashboard")) }
        }
    }
}

fn attention(brief: &Brief) -> Markup {
    html! {
        @if !brief.items.is_empty() {
            (heading("Needs attention"))
            @for item in &brief.items { (entry(item)) }
            @if brief.more_items > 0 {
                p.dim style=(small("margin:10px 0 0")) { "and " (brief.more_items) " more" }
            }
        }
    }
}

fn entry(item: &Item) -> Markup {
    html! {
        table.rule role="presentation" width="100%" cellpadding="0" cellspacing="0" style=(format!("border-top:1px solid {RULE}")) {
            tr { td style="padding:12px 0" {
                div.ink style=(body("font-weight:600")) {
                    (badge(item.badge)) " "
                    @match &item.link {
                        Some(link) => (anchor(link, &item.title)),
                        None => (item.title),
                    }
                }
                div.ink style=(body("margin-top:4px")) { (item.reason) }
                @if let Some(counts) = &item.counts {
                    div.ink style=(body("")) { (counts) }
                }
                div.dim style=(small("")) { (item.seen) }
                @if let Some(line) = &item.line {
                    div.code style=(CODE) { (line) }
                }
                @if let (None, Some(command)) = (&item.link, &item.command) {
                    div.dim style=(small("margin-top:4px")) { (command) }
                }
            } }
        }
    }
}

fn figures(figures: &[Figure]) -> Markup {
    html! {
        (heading("Last 24 hours"))
        table width="100%" cellpadding="0" cellspacing="0" style="border-collapse:collapse" {
            tr {
                th.dim scope="col" align="left" style=(head()) { "" }
                @for name in ["now", "yesterday", "last week"] {
                    th.dim scope="col" align="right" style=(head()) { (name) }
                }
            }
            @for figure in figures {
                tr {
                    td.ink.rule style=(cell("")) { (figure.name) }
                    td.ink.rule align="right" style=(cell("font-weight:600")) { (figure.now) }
                    td.dim.rule align="right" style=(cell(FAINT)) { (compared(&figure.yesterday)) }
                    td.dim.rule align="right" style=(cell(FAINT)) { (compared(&figure.last_week)) }
                }
            }
        }
    }
}

/// Returns `292 (+4 %)` that breaks before the bracket and nowhere else.
fn compared(text: &str) -> String {
    let (number, change) = text.split_at(text.find('(').unwrap_or(text.len()));
    format!("{number}{}", change.replace(' ', "\u{a0}"))
}

fn top(brief: &Brief) -> Markup {
    html! {
        @if !brief.top.is_empty() {
            (heading("Most events in 24 hours"))
            table width="100%" cellpadding="0" cellspacing="0" style="border-collapse:collapse" {
                @for top in &brief.top { (top_row(top)) }
            }
            @if brief.more_top > 0 {
                p.dim style=(small("margin:8px 0 0")) { "and " (brief.more_top) " more groups" }
            }
        }
    }
}

fn top_row(top: &Top) -> Markup {
    html! {
        tr {
            td.ink.rule align="right" valign="top" width="44" style=(cell("font-weight:600")) { (top.count) }
            td.dim.rule align="right" valign="top" width="52" style=(cell(&format!("white-space:nowrap;{FAINT}"))) { (top.change) }
            td.ink.rule style=(cell(BREAK)) {
                @match &top.link {
                    Some(link) => (anchor(link, &top.title)),
                    None => (top.title),
                }
                br; span.dim style=(FAINT) { (top.apps) }
            }
        }
    }
}

fn completeness(rows: &[(String, String)]) -> Markup {
    html! {
        (heading("How complete this is"))
        table width="100%" cellpadding="0" cellspacing="0" style="border-collapse:collapse" {
            @for (label, value) in rows {
                tr {
                    td.dim.rule valign="top" width="110" style=(cell(FAINT)) { (label) }
                    td.ink.rule style=(cell(BREAK)) { (value) }
                }
            }
        }
    }
}

fn heading(text: &str) -> Markup {
    html! {
        h2.ink style=(format!("margin:26px 0 8px;font-size:16px;line-height:1.3;color:{INK}")) { (text) }
    }
}

fn badge(badge: Badge) -> Markup {
    // White on each is at least 4.5:1.
    let color = match badge {
        Badge::Spiking => "#b42318",
        Badge::New => "#0a569f",
        Badge::Regressed | Badge::Unread | Badge::Unclear => "#855000",
        Badge::Silent | Badge::Other => "#475061",
    };
    html! {
        span style=(format!("display:inline-block;padding:1px 7px;border-radius:4px;background:{color};color:#ffffff;font-size:12px;line-height:18px;font-weight:700")) {
            (badge.word())
        }
    }
}

fn anchor(link: &str, text: &str) -> Markup {
    html! { a.link href=(link) style=(format!("color:{LINK};text-decoration:none;{BREAK}")) { (text) } }
}

/// The colour of the least important text.
const FAINT: &str = "color:#565e6c";
/// Breaks a word that is wider than the screen.
const BREAK: &str = "word-break:break-word;overflow-wrap:anywhere";

const CODE: &str = "margin-top:6px;padding:6px 8px;border-radius:4px;background:#f3f5f8;color:#1b1f27;\
font-family:Consolas,Menlo,monospace;font-size:13px;line-height:1.4;word-break:break-word;overflow-wrap:anywhere";

fn body(more: &str) -> String {
    format!("font-size:15px;line-height:1.45;color:{INK};{BREAK};{more}")
}

fn small(more: &str) -> String {
    format!("font-size:13px;line-height:1.45;color:{DIM};{more}")
}

fn head() -> String {
    format!("padding:4px 8px 4px 0;font-size:13px;font-weight:400;color:{DIM}")
}

fn cell(more: &str) -> String {
    format!("padding:6px 8px 6px 0;border-top:1px solid {RULE};font-size:14px;line-height:1.4;{more}")
}
