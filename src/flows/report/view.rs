//! The types of the view. Plain values; texts from logs are raw here, and renderers escape them.

use std::collections::BTreeMap;

pub use crate::edges::ledger::ProblemKind;
use gzette_core::human::{count, plural};
use gzette_core::model::{AppName, GroupId, GroupKind, Level, LineCounts, SourceName, UtcMs};
pub use gzette_core::stats::{GroupState, Unclear};

/// Everything that a report shows.
#[derive(Clone, Debug)]
pub struct View {
    /// The time the view was made for.
    pub now_ms: UtcMs,
    /// The sentence at the top.
    pub verdict: Verdict,
    /// The five figures.
    pub figures: Figures,
    /// Groups that are new, regressed or spiking, most urgent first; indices into `groups`.
    pub attention: Vec<usize>,
    /// Applications without lines for longer than their habit.
    pub silent: Vec<SilentApp>,
    /// Whether that is all of them.
    pub dark: Option<Dark>,
    /// What may hold newer lines and could not be read, sources first.
    pub unread: Vec<Unread>,
    /// Applications of which too much is not understood.
    pub unclear: Vec<Unclear>,
    /// The groups with events in the shown period (14 days), at most as many as the settings say, by events in the last 24 hours, then in all, then id.
    pub groups: Vec<GroupView>,
    /// All groups with events in the shown period, carried in `groups` or not.
    pub group_count: u64,
    /// Ids that groups had by earlier rules, with those that most of their events have now.
    pub aliases: BTreeMap<GroupId, GroupId>,
    /// All applications, by errors in the last 24 hours, then name.
    pub apps: Vec<AppView>,
    /// Errors over the last 7 days, one series an application in the order of `apps`, by hour.
    pub errors: Vec<Series>,
    /// Errors of the last 28 days by weekday and hour, UTC.
    pub heat: Heat,
    /// How complete all this is.
    pub completeness: Completeness,
}

/// The verdict: the digest's subject and the overview's title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// At most 90 characters: `payments-worker errors are spiking`, `All quiet`.
    pub headline: String,
    /// One or two sentences.
    pub detail: String,
    /// Whether anything is new, regressed, spiking, silent, unread or not understood.
    pub needs_attention: bool,
}

/// A number beside the same of yesterday and of last week at this time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Change {
    /// Now.
    pub now: f64,
    /// The same window one day earlier; `None` when the ledger does not reach back that far.
    pub yesterday: Option<f64>,
    /// The same window seven days earlier.
    pub last_week: Option<f64>,
}

/// The figures of the first screen; windows are the 24 hours before now.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Error events.
    pub errors: Change,
    /// Error events per event, 0 to 1.
    pub error_rate: Change,
    /// Events of any level.
    pub events: Change,
    /// Groups with an event in the window.
    pub open_groups: Change,
    /// Of these, the new ones.
    pub new_groups: usize,
    /// Groups that came back.
    pub regressed_groups: usize,
    /// Applications with an error in the window.
    pub apps_hit: Change,
    /// Applications known.
    pub apps: usize,
    /// The newest event of all.
    pub newest_event_ms: Option<UtcMs>,
}

/// One error group.
#[derive(Clone, Debug)]
pub struct GroupView {
    /// The id.
    pub id: GroupId,
    /// What decided the group.
    pub kind: GroupKind,
    /// One line for lists.
    pub title: String,
    /// The hashed text in readable form.
    pub template: String,
    /// Its state.
    pub state: GroupState,
    /// Why it is in that state, in a sentence: `41 in the last hour; its limit is 12`.
    pub reason: String,
    /// How many times its limit or usual hour it is at; for the spiking badge.
    pub factor: Option<f64>,
    /// Events in the last 24 hours.
    pub day: Change,
    /// Events in all the ledger.
    pub total: u64,
    /// The earliest event in the ledger.
    pub first_ms: UtcMs,
    /// The latest.
    pub last_ms: UtcMs,
    /// Applications with their events in the last 24 hours and in all, most first.
    pub apps: Vec<(AppName, u64, u64)>,
    /// Events by level in all.
    pub levels: Vec<(Level, u64)>,
    /// The last 24 hours by hour, oldest first; 24 entries, ending with the hour of now.
    pub hours: Vec<u64>,
    /// The last 14 days by hour, with its start; 336 entries.
    pub trend: Vec<Bucket>,
    /// The first, the latest and further events, without repetition; at most 5.
    pub samples: Vec<SampleView>,
    /// The groups that differ from it in one word, if there are any.
    pub family: Option<Family>,
}

/// Groups whose templates differ in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// The id of the one whose template is the first in byte order.
    pub id: GroupId,
    /// How many groups of the view it has.
    pub groups: usize,
}

/// A count over a stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// The first millisecond.
    pub start_ms: UtcMs,
    /// How many.
    pub events: u64,
}

/// Which of a group's events a sample is, in the order in which they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SampleRole {
    /// The first.
    First,
    /// The latest.
    Latest,
    /// One between them.
    Earlier,
}

impl SampleRole {
    /// Returns it as a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Latest => "latest",
            Self::Earlier => "earlier",
        }
    }
}

/// One event as people are shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleView {
    /// Which it is.
    pub role: SampleRole,
    /// When.
    pub time_ms: UtcMs,
    /// Which application.
    pub app: AppName,
    /// Its level.
    pub level: Level,
    /// The logger, if the line names it.
    pub logger: Option<String>,
    /// The thread, if the line names it.
    pub thread: Option<String>,
    /// The message with its trace, escapes resolved; at most 8 KiB.
    pub text: String,
    /// The object as people write it: `s3://bucket/key` or a path.
    pub object: String,
    /// The line in the object, from 1.
    pub line: u64,
}

/// One application.
#[derive(Clone, Debug)]
pub struct AppView {
    /// Its name.
    pub name: AppName,
    /// Errors in the last 24 hours.
    pub errors: Change,
    /// Events of any level in the last 24 hours.
    pub events: Change,
    /// Errors of the last 7 days by hour; 168 entries.
    pub trend: Vec<Bucket>,
    /// Its groups with events in the shown period; indices into [`View::groups`], most events of this application first.
    pub groups: Vec<usize>,
    /// Its newest event.
    pub newest_event_ms: Option<UtcMs>,
    /// Whether no lines came since, for longer than usual or for more than a week.
    pub is_silent: bool,
    /// Objects and lines of this application.
    pub objects: u64,
    /// The accounting of its lines.
    pub lines: LineCounts,
}

/// An application that has gone silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SilentApp {
    /// Its name.
    pub name: AppName,
    /// Its newest event.
    pub since_ms: UtcMs,
    /// The longest gap between its events in the last 14 days before this one, in milliseconds.
    pub habit_ms: i64,
}

/// A silence of everything: the shipping of logs has stopped, whatever the applications do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dark {
    /// The newest event of all.
    pub since_ms: UtcMs,
    /// The application, when there is but one.
    pub only: Option<AppName>,
}

/// Something that may hold newer lines and could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// Where.
    pub place: UnreadPlace,
    /// The known applications that it concerns, by name.
    pub apps: Vec<AppName>,
    /// Up to when all of it was read; `None` when nothing of it ever was.
    pub since_ms: Option<UtcMs>,
    /// The faults, each with its number of objects or prefixes.
    pub troubles: Vec<(Trouble, u64)>,
    /// The last error in the store's words; may be empty.
    pub error: String,
}

/// What an [`Unread`] is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UnreadPlace {
    /// A source: all of it, or its levels above the applications.
    Source(SourceName),
    /// An application.
    App(AppName),
}

/// Why something was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// Prefixes that could not be listed.
    NotListed,
    /// The source was not listed for a day.
    Stale,
    /// Objects that may not be read.
    Denied,
    /// Objects in an archive tier.
    Archived,
    /// Objects that are listed and not there.
    Missing,
    /// Objects that could not be read for another reason, damage among them.
    Failed,
    /// Objects that were not asked for yet.
    Waiting,
    /// Objects in the mirror that were not counted yet.
    NotCounted,
}

impl Unread {
    /// Returns whether a later run may read it. An archived object stays archived until it is restored.
    pub fn may_pass(&self) -> bool {
        self.troubles.iter().any(|(trouble, _)| *trouble != Trouble::Archived)
    }

    /// Returns how many places these are: `3 applications`, `1 more source`; `more` precedes the noun.
    pub fn counted(places: &[Self], more: &str) -> String {
        let number = places.len() as u64;
        let sources = places.iter().filter(|unread| matches!(unread.place, UnreadPlace::Source(_))).count();
        match sources {
            0 => plural(number, &format!("{more}application")),
            all if all == places.len() => plural(number, &format!("{more}source")),
            _ => format!("{} {more}sources and applications", count(number)),
        }
    }

    /// Returns what it is about: `checkout-api`, `source prod`.
    pub fn name(&self) -> String {
        match &self.place {
            UnreadPlace::Source(name) => format!("source {name}"),
            UnreadPlace::App(name) => name.to_string(),
        }
    }

    /// Returns why: `12 objects denied, 1 prefix not listed (AccessDenied)`. The error is a store's text.
    pub fn why(&self) -> String {
        let each: Vec<String> = self.troubles.iter().map(|&(trouble, number)| trouble.told(number)).collect();
        let why = each.join(", ");
        if self.error.is_empty() { why } else { format!("{why} ({})", self.error) }
    }

    /// Returns the whole sentence: `checkout-api: not read since 09:40 UTC: 12 objects denied (AccessDenied)`.
    pub fn sentence(&self, time: impl Fn(UtcMs) -> String) -> String {
        let since =
            self.since_ms.map_or("never read".to_owned(), |at| format!("not read since {}", time(at)));
        format!("{}: {since}: {}", self.name(), self.why())
    }
}

impl Trouble {
    fn told(self, number: u64) -> String {
        let objects = plural(number, "object");
        match self {
            Self::NotListed if number == 1 => "1 prefix not listed".to_owned(),
            Self::NotListed => format!("{} prefixes not listed", count(number)),
            Self::Stale => "not listed for more than a day".to_owned(),
            Self::Denied => format!("{objects} denied"),
            Self::Archived => format!("{objects} archived"),
            Self::Missing => format!("{objects} missing"),
            Self::Failed => format!("{objects} failed"),
            Self::Waiting => format!("{objects} not fetched yet"),
            Self::NotCounted => format!("{objects} not counted yet"),
        }
    }
}

/// A named row of buckets.
#[derive(Clone, Debug)]
pub struct Series {
    /// The application.
    pub name: AppName,
    /// Its counts, oldest first; all series of a chart have the same starts.
    pub buckets: Vec<Bucket>,
}

/// Errors by weekday (Monday first) and hour, UTC.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heat {
    /// `cells[weekday][hour]`.
    pub cells: [[u64; 24]; 7],
}

/// How much of the existing data was read.
#[derive(Clone, Debug, Default)]
pub struct Completeness {
    /// The sources.
    pub sources: Vec<SourceView>,
    /// Objects listed.
    pub objects_listed: u64,
    /// Objects in the mirror.
    pub objects_mirrored: u64,
    /// Objects with damage.
    pub objects_damaged: u64,
    /// Objects listed and not read (missing, denied, archived, failed).
    pub objects_unread: u64,
    /// Objects whose records were delivered twice.
    pub objects_duplicate: u64,
    /// Objects read whose file was pruned from the mirror.
    pub objects_pruned: u64,
    /// Objects that are no longer listed.
    pub objects_deleted: u64,
    /// The accounting of all lines.
    pub lines: LineCounts,
    /// The decoded length of all objects.
    pub decoded_bytes: u64,
    /// The stored length of all objects.
    pub stored_bytes: u64,
    /// The newest event.
    pub newest_event_ms: Option<UtcMs>,
    /// Events with a stamp that no clock in order gives: far in the future, or before 2000. They are in totals alone.
    pub misdated: u64,
    /// Objects whose counts the retention has dropped.
    pub objects_expired: u64,
    /// Up to 100 objects or prefixes with a problem, newest first.
    pub problems: Vec<ObjectProblem>,
    /// How many problems there are in all.
    pub problem_count: u64,
    /// Lines by day for the last 14 days (day's start, events of any level), oldest first.
    pub days: Vec<Bucket>,
    /// When the run that made this view began, and the requests and bytes it cost so far.
    pub run_started_ms: Option<UtcMs>,
    /// Listing, get and put requests of the last run.
    pub requests: gzette_core::model::Requests,
    /// Whether that run is still at work, so that more requests may follow.
    pub run_goes_on: bool,
    /// Mails that wait or were given up, oldest first.
    pub mails: Vec<MailView>,
    /// The fault of the pages that a mail links to, if there is one.
    pub pages_trouble: Option<PagesTrouble>,
}

/// A mail that is not sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailView {
    /// Its row in the outbox.
    pub id: i64,
    /// The name of its digest.
    pub digest: String,
    /// Its subject; may be empty.
    pub subject: String,
    /// When it was made.
    pub created_ms: UtcMs,
    /// Since when it waits.
    pub since_ms: UtcMs,
    /// When it is tried next.
    pub next_try_ms: UtcMs,
    /// Why it was not sent.
    pub reason: String,
    /// Whether it is not tried any more.
    pub is_given_up: bool,
    /// Whether a mail that was sent has told that it was given up.
    pub is_told: bool,
}

/// Why the pages that people see are not those of the view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PagesTrouble {
    /// What failed, as a clause: ``the site was not published: put `s3://…`: no answer``.
    pub failure: String,
    /// The time of the existing pages; `None` if there are none.
    pub of_ms: Option<UtcMs>,
}

/// A source of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceView {
    /// Its name.
    pub name: SourceName,
    /// Where it is.
    pub url: String,
    /// Objects listed.
    pub objects: u64,
    /// Its last complete listing.
    pub listed_ms: Option<UtcMs>,
    /// Prefixes whose last listing failed.
    pub failed_prefixes: u64,
}

/// An object or prefix with a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectProblem {
    /// The object or prefix as people write it.
    pub place: String,
    /// What is wrong with it.
    pub kind: ProblemKind,
    /// Why.
    pub reason: String,
    /// When it was last tried or listed.
    pub tried_ms: UtcMs,
}
