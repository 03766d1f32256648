//! What all pages share: head, header, navigation, footer, and `status.js` with what changes each run.

use std::fmt::Write as _;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::format::{self, Show};
use super::{File, Site};

/// How often the site is made, in minutes: a page older than twice this says that it is stale.
const REFRESH_MINUTES: u32 = 10;

/// No other page is likely to have it, which tells pages that were made here.
pub(super) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'";

/// The entries of the navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Overview,
    Groups,
    Ingest,
    About,
    /// A page that the navigation does not name.
    None,
}

/// A page before it gets its frame.
pub(super) struct Page {
    /// Its place below the root.
    pub(super) path: String,
    /// Its title, fit for a page.
    pub(super) title: String,
    /// One sentence on what it shows.
    pub(super) description: String,
    /// Its tab in the navigation.
    pub(super) tab: Tab,
    /// The page that it leads to at once, if it is only a signpost.
    pub(super) redirect: Option<String>,
    /// The content of `<main>`.
    pub(super) body: Markup,
}

impl Page {
    /// Returns the page with its frame.
    pub(super) fn into_file(self, site: &Site<'_>) -> File {
        let root = if self.path.contains('/') { "../" } else { "" };
        let markup = html! {
            (DOCTYPE)
            html lang="en" {
                (self.head(site, root))
                body {
                    a.skip href="#main" { "Skip to the content" }
                    (header(site, root, self.tab))
                    p.stale role="status" { "This page is old." }
                    main #main { (self.body) }
                    (footer(site, root))
                }
            }
        };
        File {
            path: self.path,
            content_type: "text/html; charset=utf-8",
            bytes: markup.into_string().into_bytes(),
            immutable: false,
        }
    }

    fn head(&self, site: &Site<'_>, root: &str) -> Markup {
        html! {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                meta name="robots" content="noindex";
                meta name="description" content=(self.description);
                @if let Some(target) = &self.redirect { meta http-equiv="refresh" content={ "0; url=" (target) }; }
                title { (self.title) " · " (site.settings.title) }
                link rel="icon" type="image/svg+xml" href={ (root) (site.assets.icon) };
                link rel="stylesheet" href={ (root) (site.assets.css) };
                // Before the page is painted, so that the theme and the stale banner do not flash or shift it.
                script src={ (root) "status.js" } {}
                script src={ (root) (site.assets.js) } {}
            }
        }
    }
}

fn header(site: &Site<'_>, root: &str, tab: Tab) -> Markup {
    let entries = [
        (Tab::Overview, "index.html", "Overview"),
        (Tab::Groups, "groups.html", "Groups"),
        (Tab::Ingest, "ingest.html", "Ingest"),
        (Tab::About, "about.html", "About"),
    ];
    html! {
        header.top {
            a.brand href={ (root) "index.html" } {
                img src={ (root) (site.assets.icon) } alt="" width="24" height="24";
                (site.settings.title)
            }
            nav aria-label="Pages" {
                @for (entry, path, name) in entries {
                    a href={ (root) (path) } aria-current=[(entry == tab).then_some("page")] { (name) }
                }
            }
            div.tools {
                span.built {}
                button.js #zone type="button" { "UTC" }
                button.js #theme type="button" { "Theme: auto" }
            }
        }
    }
}

fn footer(site: &Site<'_>, root: &str) -> Markup {
    html! {
        footer {
            p.run { "Made by gzette " (site.settings.version) ". How complete the numbers are: see "
                a href={ (root) "ingest.html" } { "Ingest" } "." }
            p { "Windows of 24 hours end when the page was made; hours and days are UTC. "
                a href={ (root) "about.html" } { "About the numbers" } }
        }
    }
}

/// Returns `status.js`: when the site was made and what it was made from, for every page.
pub(super) fn status(site: &Site<'_>) -> File {
    let status = serde_json::json!({
        "built": site.view.now_ms,
        "refresh": REFRESH_MINUTES,
        "run": completeness(site),
    });
    File {
        path: "status.js".to_owned(),
        content_type: "text/javascript; charset=utf-8",
        bytes: format!("window.gzette={};\n", script_safe(&status.to_string())).into_bytes(),
        immutable: false,
    }
}

/// One sentence on what the numbers rest on.
pub(super) fn completeness(site: &Site<'_>) -> String {
    let all = &site.view.completeness;
    let mut out = format!(
        "Made by gzette {} from {}, {} and {}.",
        site.settings.version,
        format::counted(all.sources.len() as u64, "source"),
        format::counted(all.objects_mirrored, "object"),
        format::counted(all.lines.total, "line"),
    );
    let lacking = all.objects_unread + all.objects_damaged;
    if lacking > 0 {
        let _ = write!(out, " {} could not be fully read.", format::counted(lacking, "object"));
    }
    if let Some(newest_ms) = all.newest_event_ms {
        let _ = write!(out, " Newest event {} UTC.", format::text(newest_ms, Show::Minute));
    }
    out
}

/// Escapes what could end a script element or a line of script.
fn script_safe(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            _ => out.push(c),
        }
    }
    out
}

/// Returns a card with a heading.
pub(super) fn card(id: &str, heading: &str, body: &Markup) -> Markup {
    html! {
        section.card aria-labelledby=(id) {
            h2 id=(id) { (heading) }
            (PreEscaped(&body.0))
        }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_script_cannot_be_ended_from_within() {
        assert_eq!(super::script_safe("\"</script>&\u{2028}\""), r#""\u003c/script\u003e\u0026\u2028""#);
    }
}
