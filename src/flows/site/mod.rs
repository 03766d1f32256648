//! Renders the view as static pages: maud, inline SVG, embedded assets.
//!
//! [`render`] is pure: the same view and settings give the same bytes. Data that changes with every run even if
//! nothing happened (the time of rendering, totals of objects) is in `status.js`, so that a group's page keeps
//! its bytes, and need not be published again, until that group or its hour changes.
//! [`write`] puts the files into a folder and removes its own obsolete files.
//!
//! Every text of the view may come from a hostile log: it passes [`text`] (caps, control and direction characters
//! made visible) and maud's escaping. Pages carry a strict Content-Security-Policy, no inline style and no inline
//! script, and use relative links, so that they work from S3, from a subfolder and from `file://`.

mod about;
mod app;
mod assets;
mod chart;
mod format;
mod group;
mod groups;
mod ingest;
mod moved;
mod overview;
mod page;
mod parts;
mod text;
mod trace;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use crate::flows::report::{GroupView, View};
use assets::Assets;
use gzette_core::group::FramePrefixes;
use gzette_core::model::GroupId;
use page::Page;

pub use write::{Written, write};

/// A file of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its place below the root, with `/` between: `g/abcdefgh2345.html`.
    pub path: String,
    /// Its `Content-Type`.
    pub content_type: &'static str,
    /// Its content, not compressed.
    pub bytes: Vec<u8>,
    /// Whether the path names the content, so that it may be kept by caches for ever.
    pub immutable: bool,
}

/// What the pages say beyond the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteSettings {
    /// The name at the top of every page.
    pub title: String,
    /// The version of gzette that made the pages.
    pub version: String,
    /// What the user says about whose frames are whose.
    pub frames: FramePrefixes,
}

impl Default for SiteSettings {
    fn default() -> Self {
        Self {
            title: "gzette".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            frames: FramePrefixes::default(),
        }
    }
}

/// Returns the files of the site in the order in which they should appear: assets, pages, `index.html` last.
pub fn render(view: &View, settings: &SiteSettings) -> Vec<File> {
    let site = Site::new(view, settings);
    let mut pages: Vec<Page> = Vec::new();
    pages.extend(site.shown_groups().map(|place| group::page(&site, place)));
    pages.extend(site.moved_groups().map(|(old, group)| moved::page(old, group)));
    pages.extend(view.apps.iter().map(|app| app::page(&site, app)));
    pages.extend(groups::pages(&site));
    pages.push(ingest::page(&site));
    pages.push(about::page(&site));
    pages.push(overview::page(&site));

    let mut files = site.assets.files();
    files.push(page::status(&site));
    files.extend(pages.into_iter().map(|page| page.into_file(&site)));
    files
}

/// What every page needs: the view, the settings and where things are.
struct Site<'a> {
    view: &'a View,
    settings: &'a SiteSettings,
    assets: Assets,
    /// The page of each application.
    app_pages: BTreeMap<&'a str, String>,
    /// The class of each application's colour.
    colours: BTreeMap<&'a str, usize>,
    group_pages: BTreeSet<GroupId>,
}

impl<'a> Site<'a> {
    fn new(view: &'a View, settings: &'a SiteSettings) -> Self {
        let names = || view.apps.iter().map(|app| app.name.as_str());
        Self {
            view,
            settings,
            assets: Assets::new(),
            app_pages: names().map(|name| (name, format!("a/{}.html", text::file_stem(name)))).collect(),
            colours: names().enumerate().map(|(place, name)| (name, place.min(chart::COLOURS))).collect(),
            group_pages: view.groups.iter().map(|group| group.id).collect(),
        }
    }

    /// Returns the groups that have a page, as places in the view's list. The others are only counted.
    fn shown_groups(&self) -> std::ops::Range<usize> {
        0..self.view.groups.len()
    }

    /// Returns the ids that groups with a page had before.
    fn moved_groups(&self) -> impl Iterator<Item = (GroupId, &GroupView)> {
        let shown: BTreeMap<_, _> =
            self.view.groups[self.shown_groups()].iter().map(|group| (group.id, group)).collect();
        self.view.aliases.iter().filter_map(move |(old, new)| Some((*old, *shown.get(new)?)))
    }

    /// Returns the page of an application; `None` when the view knows it only from a group.
    fn app_page(&self, name: &str) -> Option<&str> {
        self.app_pages.get(name).map(String::as_str)
    }

    /// Returns the page of a group; `None` when it is beyond the limit.
    fn group_page(&self, id: GroupId) -> Option<String> {
        self.group_pages.contains(&id).then(|| format!("g/{id}.html"))
    }

    /// Returns the class of an application's colour, the same on every page of one view.
    fn colour(&self, name: &str) -> String {
        format!("s{}", self.colours.get(name).copied().unwrap_or(chart::COLOURS))
    }
}
