//! What could not be read, and until when each application is known: none is called silent while its lines are
//! unread in the bucket.
//!
//! An application is known until the earliest of
//! - the last listing of its sources;
//! - for each prefix that could not be listed and may hold new lines of it, its last successful listing;
//! - its newest event, if newer objects of it are unread.
//!
//! Anything older than its newest event (archived or damaged objects of last month) is a separate problem and hides
//! no silence.

use std::collections::{BTreeMap, HashMap};

use jiff::tz::TimeZone;

use super::view::{Trouble, Unread, UnreadPlace};
use crate::edges::ledger::{BELIEVED_FROM_MS, Ledger, LedgerError, PrefixState, UnreadObject};
use gzette_core::model::{AppName, DAY_MS, Day, SourceName, UtcMs};
use gzette_core::plan::{Layout, Level, ObjectState};

/// A source whose last listing is older has not been read, whatever came of that listing.
const STALE_MS: i64 = DAY_MS;
/// Days of keys are named in the zone of their source, which may be a day off.
const ZONE_DAYS: i64 = 1;

/// How the keys of a source are built.
#[derive(Clone, Debug)]
pub struct SourceShape {
    /// The layout of what follows the prefix.
    pub layout: Layout,
    /// What all keys begin with; empty, or ending in `/`.
    pub prefix: String,
}

/// Until when applications are known, and what is unread.
#[derive(Debug, Default)]
pub(super) struct Knowledge {
    /// Up to when each application is known, by its name.
    until_ms: HashMap<AppName, UtcMs>,
    /// What could not be read.
    pub(super) unread: Vec<Unread>,
}

impl Knowledge {
    /// Returns up to when an application is known; of one that no source feeds any more, its newest event.
    pub(super) fn until_ms(&self, app: &AppName, newest_ms: UtcMs) -> UtcMs {
        self.until_ms.get(app).copied().unwrap_or(newest_ms)
    }

    /// Reads it from the ledger. `newest` are the applications with their newest events; without `shapes`, every
    /// prefix concerns all applications of its source.
    pub(super) fn read(
        ledger: &Ledger,
        newest: impl IntoIterator<Item = (AppName, Option<UtcMs>)>,
        shapes: &BTreeMap<SourceName, SourceShape>,
        now_ms: UtcMs,
    ) -> Result<Self, LedgerError> {
        let is_ours = |source: &SourceName| shapes.is_empty() || shapes.contains_key(source);
        let mut feeds = ledger.feeds()?;
        feeds.retain(|(source, _)| is_ours(source));
        let mut survey = Survey {
            newest: newest.into_iter().filter_map(|(app, newest_ms)| Some((app, newest_ms?))).collect(),
            feeds,
            shapes,
            now_ms,
            tallies: BTreeMap::new(),
            until_ms: HashMap::new(),
        };
        let mut prefixes = ledger.prefix_states()?;
        prefixes.retain(|prefix| is_ours(&prefix.source));
        survey.add_listings(&prefixes);
        ledger.each_unread(|object| {
            if is_ours(&object.source) {
                survey.add_object(&object);
            }
        })?;
        Ok(survey.finish())
    }
}

/// Takes what the ledger knows as it comes.
struct Survey<'s> {
    newest: HashMap<AppName, UtcMs>,
    /// Sources with the applications that they hold.
    feeds: Vec<(SourceName, AppName)>,
    shapes: &'s BTreeMap<SourceName, SourceShape>,
    now_ms: UtcMs,
    tallies: BTreeMap<UnreadPlace, Tally>,
    until_ms: HashMap<AppName, UtcMs>,
}

/// The faults at one place.
#[derive(Debug, Default)]
struct Tally {
    apps: Vec<AppName>,
    troubles: BTreeMap<Trouble, u64>,
    since_ms: Option<UtcMs>,
    /// The last try and its error.
    error: (UtcMs, String),
}

impl Tally {
    fn add(&mut self, trouble: Trouble, since_ms: Option<UtcMs>, error: (UtcMs, &str)) {
        *self.troubles.entry(trouble).or_default() += 1;
        self.since_ms = earliest(self.since_ms, since_ms);
        if error.0 >= self.error.0 && !error.1.is_empty() {
            self.error = (error.0, error.1.to_owned());
        }
    }
}

/// Returns the earlier of two times, either of which may be unknown.
fn earliest(one: Option<UtcMs>, other: Option<UtcMs>) -> Option<UtcMs> {
    one.into_iter().chain(other).min()
}

impl Survey<'_> {
    fn add_listings(&mut self, prefixes: &[PrefixState]) {
        for of_source in prefixes.chunk_by(|a, b| a.source == b.source) {
            let source = &of_source[0].source;
            let listed_ms = of_source.iter().filter_map(|prefix| prefix.listed_ms).max();
            for app in self.apps_of(source) {
                let newest_ms = self.newest.get(&app).copied();
                self.known_until(&app, listed_ms.or(newest_ms));
            }
            let folders = self.folders(of_source);
            for prefix in of_source {
                self.add_prefix(prefix, &folders);
            }
            let is_stale = listed_ms.is_some_and(|listed_ms| self.now_ms - listed_ms > STALE_MS);
            let place = UnreadPlace::Source(source.clone());
            if is_stale && !self.tallies.contains_key(&place) {
                let apps = self.apps_of(source);
                let tally = self.tallies.entry(place).or_insert_with(|| Tally { apps, ..Tally::default() });
                tally.add(Trouble::Stale, listed_ms, (UtcMs::EPOCH, ""));
            }
        }
    }

    fn apps_of(&self, source: &SourceName) -> Vec<AppName> {
        self.feeds.iter().filter(|feed| feed.0 == *source).map(|feed| feed.1.clone()).collect()
    }

    /// Returns when the folder of each application, if it has its own, was last listed. Levels above it
    /// then say nothing about that application.
    fn folders(&self, of_source: &[PrefixState]) -> HashMap<AppName, UtcMs> {
        let mut folders = HashMap::new();
        for prefix in of_source {
            if let (Some((Some(app), None)), Some(listed_ms)) = (self.meaning(prefix), prefix.listed_ms) {
                let latest = folders.entry(app).or_insert(listed_ms);
                *latest = listed_ms.max(*latest);
            }
        }
        folders
    }

    /// Returns which application and which last day a prefix is of, as far as its layout says it; `None` for a prefix
    /// outside the layout.
    fn meaning(&self, prefix: &PrefixState) -> Option<(Option<AppName>, Option<Day>)> {
        let Some(shape) = self.shapes.get(&prefix.source) else {
            return Some((None, None));
        };
        let relative = prefix.prefix.strip_prefix(&shape.prefix)?;
        let Level::Folder { days, .. } = shape.layout.level(relative) else {
            return None;
        };
        let app = shape.layout.place(relative).app.map(AppName::from);
        Some((app, days.map(|days| days.1)))
    }

    fn add_prefix(&mut self, prefix: &PrefixState, folders: &HashMap<AppName, UtcMs>) {
        let (Some(failure), Some((app, day))) = (&prefix.failure, self.meaning(prefix)) else {
            return;
        };
        let is_above =
            |app: &AppName| folders.get(app).is_none_or(|&listed| Some(listed) <= prefix.listed_ms);
        let place = match &app {
            Some(app) => UnreadPlace::App(app.clone()),
            None => UnreadPlace::Source(prefix.source.clone()),
        };
        let mut apps = match app {
            Some(app) => vec![app],
            None => self.apps_of(&prefix.source).into_iter().filter(is_above).collect(),
        };
        let has_apps = !apps.is_empty();
        apps.retain(|app| self.may_be_new(app, day));
        // Only days before the newest events failed, which hide no silence.
        if has_apps && apps.is_empty() {
            return;
        }
        let mut since_ms = prefix.listed_ms;
        for app in &apps {
            let newest_ms = self.newest.get(app).copied();
            let until_ms = prefix.listed_ms.or(newest_ms);
            since_ms = earliest(since_ms, until_ms);
            self.known_until(app, until_ms);
        }
        let tally = self.tallies.entry(place).or_default();
        tally.add(Trouble::NotListed, since_ms, (prefix.tried_ms, failure));
        tally.apps.extend(apps);
    }

    /// Whether objects of that day may hold lines of an application after its newest event.
    fn may_be_new(&self, app: &AppName, day: Option<Day>) -> bool {
        let (Some(day), Some(&newest_ms)) = (day, self.newest.get(app)) else {
            return true;
        };
        day >= (newest_ms - ZONE_DAYS * DAY_MS).day(&TimeZone::UTC)
    }

    fn add_object(&mut self, object: &UnreadObject) {
        // A store with another clock says nothing of when it was.
        let is_plausible = (BELIEVED_FROM_MS..=self.now_ms).contains(&object.modified_ms);
        let stored_ms = if is_plausible { object.modified_ms } else { object.first_listed_ms };
        let newest_ms = self.newest.get(&object.app).copied();
        let is_new = newest_ms.is_none_or(|newest_ms| {
            let is_later_day = object.day.is_some_and(|day| day > newest_ms.day(&TimeZone::UTC));
            is_later_day || stored_ms > newest_ms && self.may_be_new(&object.app, object.day)
        });
        if !is_new {
            return;
        }
        // What came after its newest event is there, though not how much.
        self.known_until(&object.app, newest_ms.or(Some(stored_ms)));
        let tally = self.tallies.entry(UnreadPlace::App(object.app.clone())).or_default();
        tally.add(Trouble::of(object.state), Some(stored_ms), (stored_ms, &object.reason));
        tally.apps.push(object.app.clone());
    }

    fn known_until(&mut self, app: &AppName, until_ms: Option<UtcMs>) {
        let until_ms = until_ms.unwrap_or(self.now_ms).min(self.now_ms);
        let known = self.until_ms.entry(app.clone()).or_insert(until_ms);
        // The earliest of all causes counts: behind it something of the application may be unread.
        *known = until_ms.min(*known);
    }

    /// Merges failed listings of single applications into the failure of their whole source.
    fn merge(&mut self) {
        let of_source = |place: &UnreadPlace| matches!(place, UnreadPlace::Source(_));
        let (mut sources, apps): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.tallies).into_iter().partition(|(place, _)| of_source(place));
        for (place, tally) in apps {
            let is_listing = tally.troubles.keys().eq([&Trouble::NotListed]);
            let covers = |source: &&mut (UnreadPlace, Tally)| {
                let has_same = source.1.troubles.contains_key(&Trouble::NotListed);
                has_same && tally.apps.iter().all(|app| source.1.apps.contains(app))
            };
            match sources.iter_mut().find(covers).filter(|_| is_listing) {
                Some((_, source)) => {
                    let number = tally.troubles.values().sum::<u64>();
                    *source.troubles.entry(Trouble::NotListed).or_default() += number;
                    source.since_ms = earliest(source.since_ms, tally.since_ms);
                }
                None => {
                    self.tallies.insert(place, tally);
                }
            }
        }
        self.tallies.extend(sources);
    }

    fn finish(mut self) -> Knowledge {
        self.merge();
        let unread = self.tallies.into_iter().map(|(place, mut tally)| {
            tally.apps.sort();
            tally.apps.dedup();
            Unread {
                place,
                apps: tally.apps,
                since_ms: tally.since_ms.map(|since_ms| since_ms.min(self.now_ms)),
                troubles: tally.troubles.into_iter().collect(),
                error: tally.error.1,
            }
        });
        let mut unread: Vec<Unread> = unread.collect();
        // What concerns most comes first.
        unread.sort_by_key(|unread| (matches!(unread.place, UnreadPlace::App(_)), unread.since_ms));
        Knowledge { until_ms: self.until_ms, unread }
    }
}

impl Trouble {
    fn of(state: ObjectState) -> Self {
        match state {
            ObjectState::Denied => Self::Denied,
            ObjectState::Archived => Self::Archived,
            ObjectState::Missing => Self::Missing,
            ObjectState::Failed => Self::Failed,
            ObjectState::Mirrored => Self::NotCounted,
            ObjectState::Listed | ObjectState::Deleted => Self::Waiting,
        }
    }
}
