//! The plain part: 78 columns, made to be read in a terminal or on a watch at seven in the morning.

use std::fmt::Write as _;

use super::brief::{Brief, Figure, Item, Top};
use super::format::wrap;

const WIDTH: usize = 78;
/// Where the texts beside badges and labels begin.
const BADGE: usize = 11;
const LABEL: usize = 16;

/// Lays out a brief as text, lines ending in `\n`.
pub(super) fn render(brief: &Brief) -> String {
    let mut out = String::new();
    wrap(&mut out, &brief.headline, "", "", WIDTH);
    let detail = [brief.recovered.as_ref(), Some(&brief.detail), brief.warning.as_ref()];
    for text in detail.into_iter().flatten().chain(&brief.notices) {
        if !text.is_empty() && *text != brief.headline {
            out.push('\n');
            wrap(&mut out, text, "", "", WIDTH);
        }
    }
    if let Some(link) = &brief.link {
        let _ = writeln!(out, "\n{link}");
    }
    attention(&mut out, brief);
    figures(&mut out, &brief.figures);
    top(&mut out, brief);
    completeness(&mut out, &brief.completeness);
    out.push_str("\n-- \n");
    wrap(&mut out, &brief.footer, "", "", WIDTH);
    out
}

fn heading(out: &mut String, text: &str) {
    let _ = writeln!(out, "\n{text}\n{}", "-".repeat(text.chars().count()));
}

fn attention(out: &mut String, brief: &Brief) {
    if brief.items.is_empty() {
        return;
    }
    heading(out, "Needs attention");
    for (at, item) in brief.items.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        entry(out, item);
    }
    if brief.more_items > 0 {
        let _ = writeln!(out, "\n{:BADGE$}and {} more", "", brief.more_items);
    }
}

fn entry(out: &mut String, item: &Item) {
    let indent = " ".repeat(BADGE);
    let badge = format!("{:BADGE$}", item.badge.word());
    wrap(out, &item.title, &badge, &indent, WIDTH);
    for text in [Some(&item.reason), item.counts.as_ref(), Some(&item.seen)].into_iter().flatten() {
        wrap(out, text, &indent, &indent, WIDTH);
    }
    if let Some(line) = &item.line {
        let quote = format!("{indent}> ");
        wrap(out, line, &quote, &quote, WIDTH);
    }
    if let Some(place) = item.link.as_ref().or(item.command.as_ref()) {
        let _ = writeln!(out, "{indent}{place}");
    }
}

fn figures(out: &mut String, figures: &[Figure]) {
    heading(out, "Last 24 hours");
    let mut row = |name: &str, now: &str, yesterday: &str, last_week: &str| {
        let line = format!("{name:26}{now:>12}  {yesterday:>18}  {last_week:>18}");
        let _ = writeln!(out, "{}", line.trim_end());
    };
    row("", "now", "yesterday", "last week");
    for figure in figures {
        row(figure.name, &figure.now, &figure.yesterday, &figure.last_week);
    }
}

fn top(out: &mut String, brief: &Brief) {
    if brief.top.is_empty() {
        return;
    }
    heading(out, "Most events in 24 hours");
    let width = |texts: fn(&Top) -> &String| {
        let widths = brief.top.iter().map(|top| texts(top).chars().count());
        widths.max().unwrap_or(0)
    };
    let (counts, changes) = (width(|top| &top.count), width(|top| &top.change));
    let indent = " ".repeat(counts + changes + 4);
    for top in &brief.top {
        let first = format!("{:>counts$}  {:>changes$}  ", top.count, top.change);
        let text =
            if top.apps.is_empty() { top.title.clone() } else { format!("{} ({})", top.title, top.apps) };
        wrap(out, &text, &first, &indent, WIDTH);
    }
    if brief.more_top > 0 {
        let _ = writeln!(out, "{indent}and {} more groups", brief.more_top);
    }
}

fn completeness(out: &mut String, rows: &[(String, String)]) {
    heading(out, "How complete this is");
    let indent = " ".repeat(LABEL);
    for (label, value) in rows {
        if label.chars().count() < LABEL {
            wrap(out, value, &format!("{label:LABEL$}"), &indent, WIDTH);
        } else {
            wrap(out, label, "", "", WIDTH);
            wrap(out, value, &indent, &indent, WIDTH);
        }
    }
}
