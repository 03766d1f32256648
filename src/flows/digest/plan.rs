//! Whether a mail is due. A digest's day begins at 08:00 in its zone. The first run of that
//! day always mails, even if all is quiet; later runs mail only what was not in a mail of that day.
//! So everything is mailed at most once a day, however often it comes and goes, and a missing mail has a meaning.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::DigestSettings;
use super::thing::{Name, Thing};
use crate::flows::report::{Unread, View};
use gzette_core::model::{Day, HOUR_MS, MINUTE_MS, UtcMs};

/// The most things remembered of a day. Beyond them a mail is due only with the next day.
const MAX_KNOWN: usize = 10_000;
/// When a digest's day begins, in milliseconds after midnight: the first run after it mails in any case.
const DAY_BEGINS_MS: i64 = 8 * HOUR_MS;
/// What could not be read for a shorter time makes no mail due; every mail says it all the same.
const LASTING_MS: i64 = 30 * MINUTE_MS;

/// When a digest is mailed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// When something new needs attention, and once a day in any case.
    #[default]
    Changes,
    /// With every run.
    Always,
}

impl FromStr for When {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        match word {
            "changes" => Ok(Self::Changes),
            "always" => Ok(Self::Always),
            _ => Err(format!("`when = \"{word}\"` is not known; one of changes, always")),
        }
    }
}

/// A mail that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// Its Message-ID with angle brackets: a pure function of installation, digest, day and what it announces.
    pub message_id: String,
    /// The day's first mail, when this is a later one.
    pub replies_to: Option<String>,
    /// What the digest has to remember once the mail is in the outbox.
    pub memory: String,
    /// What it says beyond the view.
    pub news: News,
}

/// What a mail says that the view does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Lines arrive again: since when the digest's mails had reported that none came.
    pub dark_since_ms: Option<UtcMs>,
}

/// A day of a digest, which begins at 08:00. Its spelling, `yyyymmdd`, is part of Message-IDs and of what is remembered:
/// another spelling would make a second mail of a day due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct DigestDay(Day);

impl fmt::Display for DigestDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.strftime("%Y%m%d").fmt(f)
    }
}

impl From<DigestDay> for String {
    fn from(day: DigestDay) -> Self {
        day.to_string()
    }
}

impl TryFrom<String> for DigestDay {
    type Error = jiff::Error;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Day::strptime("%Y%m%d", text).map(Self)
    }
}

/// What a digest remembers of its day, and of what outlasts days.
#[derive(Default, Serialize, Deserialize)]
struct Memory {
    day: Option<DigestDay>,
    known: BTreeSet<Thing>,
    /// The Message-ID of the day's first mail; older versions did not keep it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<String>,
    /// Since when its mails have said that no lines come.
    #[serde(default)]
    dark_since_ms: Option<UtcMs>,
}

impl Memory {
    /// Returns what has ended: only a newer line ends a silence, never that nothing could be read.
    fn news(&self, view: &View) -> News {
        let has_newer = |since_ms: &UtcMs| view.figures.newest_event_ms.is_some_and(|at| at > *since_ms);
        News { dark_since_ms: self.dark_since_ms.filter(|_| view.dark.is_none()).filter(has_newer) }
    }
}

/// Returns the mail that is due by `view.now_ms`, if any. `memory` is that of the digest's last mail;
/// an unreadable one counts as none.
pub fn plan(view: &View, settings: &DigestSettings, memory: Option<&str>) -> Option<Due> {
    let day = DigestDay((view.now_ms - DAY_BEGINS_MS).day(&settings.zone));
    let memory: Memory = memory.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let is_first = memory.day != Some(day);
    let news = memory.news(view);
    let dark_since_ms = memory.dark_since_ms;
    // Without this, a regrouping would make every known error news.
    let mut known = if is_first { BTreeSet::new() } else { renamed(memory.known, view) };
    let now = attention(view);
    let fresh = now.difference(&known).count();
    let has_fresh = fresh > 0 && known.len() + fresh <= MAX_KNOWN;
    let is_due = is_first || settings.when == When::Always || has_fresh || news != News::default();
    if !is_due {
        return None;
    }
    let replies_to = (!is_first).then(|| memory.first.unwrap_or_else(|| first_id_before(settings, day)));
    let message_id = if is_first {
        message_id(settings, day, None)
    } else {
        // With `always` the same things are mailed more than once a day, so the time makes the id differ. Otherwise
        // the same news has the same id, and a repetition after a crash is not a second mail.
        let salt = (settings.when == When::Always).then_some(view.now_ms);
        let salt = salt.or(news.dark_since_ms);
        message_id(settings, day, Some(&checksum(&now, salt)))
    };
    known.extend(now.into_iter().take(MAX_KNOWN));
    let is_over = news.dark_since_ms.is_some();
    let dark_since_ms = view.dark.as_ref().map(|dark| dark.since_ms).or(dark_since_ms.filter(|_| !is_over));
    let first = Some(replies_to.clone().unwrap_or_else(|| message_id.clone()));
    let memory =
        serde_json::to_string(&Memory { day: Some(day), known, first, dark_since_ms }).unwrap_or_default();
    Some(Due { message_id, replies_to, memory, news })
}

/// Returns the remembered items under the current ids of groups.
fn renamed(known: BTreeSet<Thing>, view: &View) -> BTreeSet<Thing> {
    let rename = |thing| match thing {
        Thing::Group(id, state) => Thing::Group(view.aliases.get(&id).copied().unwrap_or(id), state),
        other => other,
    };
    known.into_iter().map(rename).collect()
}

/// Returns what needs attention.
fn attention(view: &View) -> BTreeSet<Thing> {
    let groups = view.attention.iter().filter_map(|&at| view.groups.get(at));
    let groups = groups.map(|group| Thing::Group(group.id, group.state));
    let silent = view.silent.iter().map(|app| Thing::Silent(Name::of(&app.name), app.since_ms));
    let dark = view.dark.iter().map(|dark| Thing::Dark(dark.since_ms));
    let unread = view.unread.iter().filter(|unread| has_lasted(unread, view.now_ms));
    let unread = unread.map(|unread| Thing::Unread(Name::of(&unread.name())));
    let unclear = view.unclear.iter().map(|unclear| Thing::Unclear(Name::of(&unclear.app)));
    groups.chain(silent).chain(dark).chain(unread).chain(unclear).collect()
}

/// Whether something has been unread for long enough to be worth a mail of its own: the next run reads most of what
/// one run could not.
fn has_lasted(unread: &Unread, now_ms: UtcMs) -> bool {
    unread.since_ms.is_none_or(|since_ms| now_ms - since_ms >= LASTING_MS)
}

fn checksum(things: &BTreeSet<Thing>, salt: Option<UtcMs>) -> String {
    let mut hasher = blake3::Hasher::new();
    // In the order of their words, which earlier versions kept: the same things make the same Message-ID.
    let words: BTreeSet<String> = things.iter().map(ToString::to_string).collect();
    for word in words {
        hasher.update(word.as_bytes());
        hasher.update(b"\n");
    }
    if let Some(now_ms) = salt {
        hasher.update(&now_ms.get().to_le_bytes());
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

fn message_id(settings: &DigestSettings, day: DigestDay, checksum: Option<&str>) -> String {
    let name = super::format::slug(&settings.name);
    let domain = super::format::domain(settings);
    let sender = sender(settings);
    match checksum {
        Some(checksum) => format!("<gzette.{name}.{day}.{checksum}.{sender}@{domain}>"),
        None => format!("<gzette.{name}.{day}.{sender}@{domain}>"),
    }
}

/// Returns what tells a digest from those of other installations, and from others whose names have the same slug.
fn sender(settings: &DigestSettings) -> String {
    let mut hasher = blake3::Hasher::new();
    for part in [&settings.installation, &settings.name] {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize().to_hex()[..12].to_owned()
}

/// Returns the Message-ID that older versions gave the first mail of a day.
fn first_id_before(settings: &DigestSettings, day: DigestDay) -> String {
    let name = super::format::slug(&settings.name);
    format!("<gzette.{name}.{day}@{}>", super::format::domain(settings))
}
