//! What a mail says, before it is laid out: the view's values as short texts, each one line of visible
//! characters and capped. The text and the HTML part are two layouts of the same brief.

use super::format::{bytes, change, count, date_and_time, number, percent, plural, span, time_and_age};
use super::{DigestSettings, News, format};
use crate::flows::report::{
    Change, Completeness, GroupState, GroupView, MailView, ObjectProblem, PagesTrouble, SampleView,
    SilentApp, SourceView, Unclear, Unread, View,
};
use gzette_core::human::day_and_time;
use gzette_core::model::{HOUR_MS, MINUTE_MS, UtcMs};
use gzette_core::visible::header;

/// A listing older than this is said at the top.
const STALE_LISTING_MS: i64 = 2 * HOUR_MS;
/// Names of applications beside a group.
const APPS: usize = 3;
/// The longest title in the list of top groups: about two lines of text.
const TOP_CHARS: usize = 100;
/// The longest subject or reason of a mail that was not sent.
const NOTICE_CHARS: usize = 120;
/// The longest name of an application, a source, a kind.
const NAME_CHARS: usize = 60;

/// How much is said of each thing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Detail {
    items: usize,
    line_chars: usize,
    title_chars: usize,
    top: usize,
    sources: usize,
    problems: usize,
}

/// From much to little; a mail takes the first that fits. The last always fits.
pub(super) const DETAILS: [Detail; 5] = [
    detail(20, 200, 160, 10, 12, 5),
    detail(14, 200, 140, 8, 8, 4),
    detail(8, 160, 120, 6, 5, 3),
    detail(5, 120, 100, 4, 3, 2),
    detail(2, 80, 80, 2, 2, 1),
];

const fn detail(
    items: usize,
    line_chars: usize,
    title_chars: usize,
    top: usize,
    sources: usize,
    problems: usize,
) -> Detail {
    Detail { items, line_chars, title_chars, top, sources, problems }
}

/// A mail's content.
#[derive(Clone, Debug)]
pub(super) struct Brief {
    /// The verdict.
    pub(super) headline: String,
    /// The verdict's sentences.
    pub(super) detail: String,
    /// That lines come again, and how long none did.
    pub(super) recovered: Option<String>,
    /// That not everything was read, and what not.
    pub(super) warning: Option<String>,
    /// Faults of the pages that the mail links to, and mails that were not sent.
    pub(super) notices: Vec<String>,
    /// What needs attention.
    pub(super) items: Vec<Item>,
    /// How many of it are left out.
    pub(super) more_items: usize,
    /// The last 24 hours in figures.
    pub(super) figures: Vec<Figure>,
    /// The groups with most events.
    pub(super) top: Vec<Top>,
    /// How many other groups had events in the last 24 hours.
    pub(super) more_top: usize,
    /// Label and value, in reading order.
    pub(super) completeness: Vec<(String, String)>,
    /// The overview page.
    pub(super) link: Option<String>,
    /// When and for which digest it was made.
    pub(super) footer: String,
}

/// A thing that needs attention.
#[derive(Clone, Debug)]
pub(super) struct Item {
    /// What kind of thing.
    pub(super) badge: Badge,
    /// The group's title or the application's name.
    pub(super) title: String,
    /// Why it is here.
    pub(super) reason: String,
    /// Its events against yesterday and last week.
    pub(super) counts: Option<String>,
    /// Where and when it was seen last.
    pub(super) seen: String,
    /// One real line.
    pub(super) line: Option<String>,
    /// Its page.
    pub(super) link: Option<String>,
    /// The command that shows it.
    pub(super) command: Option<String>,
}

/// The kind of an [`Item`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Badge {
    Spiking,
    New,
    Regressed,
    Unread,
    Unclear,
    Silent,
    Other,
}

impl Badge {
    /// Returns the word shown.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Spiking => "SPIKING",
            Self::New => "NEW",
            Self::Regressed => "REGRESSED",
            Self::Unread => "NOT READ",
            Self::Unclear => "UNCLEAR",
            Self::Silent => "SILENT",
            Self::Other => "SEEN",
        }
    }
}

/// A row of figures.
#[derive(Clone, Debug)]
pub(super) struct Figure {
    pub(super) name: &'static str,
    pub(super) now: String,
    pub(super) yesterday: String,
    pub(super) last_week: String,
}

/// A row of the top groups.
#[derive(Clone, Debug)]
pub(super) struct Top {
    pub(super) count: String,
    pub(super) change: String,
    pub(super) title: String,
    pub(super) apps: String,
    pub(super) link: Option<String>,
}

impl Brief {
    /// Returns the brief of a view, as detailed as `detail` says.
    pub(super) fn of(view: &View, settings: &DigestSettings, news: &News, detail: &Detail) -> Self {
        let made = date_and_time(view.now_ms, &settings.zone);
        let zone = settings.zone.iana_name().unwrap_or("UTC");
        let groups: Vec<&GroupView> = view.attention.iter().filter_map(|&at| view.groups.get(at)).collect();
        let wanted = groups.len() + view.unread.len() + view.unclear.len() + view.silent.len();
        let teller = Teller { now_ms: view.now_ms, settings, detail };
        let items = teller.items(&groups, view);
        let (top, more_top) = teller.top(&view.groups);
        Self {
            headline: header(&headline(view, news), 120),
            detail: header(&view.verdict.detail, 400),
            recovered: teller.recovered(news),
            warning: teller.warning(&view.completeness),
            notices: teller.notices(&view.completeness),
            more_items: wanted - items.len(),
            items,
            figures: figures(view),
            top,
            more_top,
            completeness: teller.completeness(&view.completeness),
            link: teller.link("index.html"),
            footer: format!(
                "gzette, digest {}, {made}; times in {zone}.",
                header(&settings.name, NAME_CHARS)
            ),
        }
    }
}

/// What every text of a brief depends on.
struct Teller<'a> {
    now_ms: UtcMs,
    settings: &'a DigestSettings,
    detail: &'a Detail,
}

impl Teller<'_> {
    /// Returns groups in the view's order, then what was not read or not understood, then silent applications; where
    /// room is short, each gets some.
    fn items(&self, groups: &[&GroupView], view: &View) -> Vec<Item> {
        let room = self.detail.items;
        let unread = view.unread.iter().map(|unread| self.unread(unread));
        let gaps: Vec<Item> =
            unread.chain(view.unclear.iter().map(|unclear| self.unclear(unclear))).collect();
        let share =
            |wanted: usize, others: usize| wanted.min((room / 3).max(1).max(room.saturating_sub(others)));
        let for_gaps = share(gaps.len(), groups.len() + view.silent.len());
        let for_silent = share(view.silent.len(), groups.len() + for_gaps).min(room - for_gaps);
        let groups = groups.iter().take(room - for_gaps - for_silent).map(|group| self.group(group));
        let silent = view.silent.iter().take(for_silent).map(|app| self.silent(app));
        groups.chain(gaps.into_iter().take(for_gaps)).chain(silent).collect()
    }

    fn unclear(&self, unclear: &Unclear) -> Item {
        Item {
            badge: Badge::Unclear,
            title: header(&unclear.app, NAME_CHARS),
            reason: header(&unclear.why(), self.detail.title_chars),
            counts: None,
            seen: unclear.remedy().to_owned(),
            line: unclear.examples.first().map(|line| header(line, self.detail.line_chars)),
            link: self.link("ingest.html"),
            command: None,
        }
    }

    fn unread(&self, unread: &Unread) -> Item {
        let since = unread.since_ms.map(|since_ms| self.time_and_age(since_ms));
        Item {
            badge: Badge::Unread,
            title: header(&unread.name(), NAME_CHARS),
            reason: header(&unread.why(), self.detail.title_chars),
            counts: None,
            seen: since.map_or("never read".to_owned(), |since| format!("not read since {since}")),
            line: None,
            link: self.link("ingest.html"),
            command: None,
        }
    }

    fn group(&self, group: &GroupView) -> Item {
        let latest = group.samples.iter().max_by_key(|sample| sample.time_ms);
        let title = header(&group.title, self.detail.title_chars);
        let line = latest.map(|sample| self.line(sample));
        Item {
            badge: match group.state {
                GroupState::Spiking => Badge::Spiking,
                GroupState::New => Badge::New,
                GroupState::Regressed => Badge::Regressed,
                GroupState::Ongoing | GroupState::Quiet => Badge::Other,
            },
            // A line that only repeats the title says nothing.
            line: line.filter(|line| !line.is_empty() && *line != title),
            title,
            reason: header(&group.reason, self.detail.title_chars),
            counts: Some(counts(&group.day)),
            seen: format!("{}, last at {}", apps(group), self.time_and_age(group.last_ms)),
            link: self.link(&format!("g/{}.html", group.id)),
            command: Some(self.settings.invocation.command(&["search", "--group", &group.id.to_string()])),
        }
    }

    /// Returns that lines come again, and how long none did.
    fn recovered(&self, news: &News) -> Option<String> {
        let since_ms = news.dark_since_ms?;
        let length = span(self.now_ms - since_ms);
        Some(format!(
            "Lines are arriving again. For {length}, since {}, there were none from any application.",
            day_and_time(since_ms, self.now_ms, &self.settings.zone)
        ))
    }

    fn silent(&self, app: &SilentApp) -> Item {
        Item {
            badge: Badge::Silent,
            title: header(&app.name, NAME_CHARS),
            reason: format!(
                "no lines for {}; before that, never more than {} apart",
                span(self.now_ms - app.since_ms),
                span(app.habit_ms.max(MINUTE_MS))
            ),
            counts: None,
            seen: format!("last line at {}", self.time_and_age(app.since_ms)),
            line: None,
            link: None,
            command: None,
        }
    }

    /// Returns the first line of a sample that holds anything.
    fn line(&self, sample: &SampleView) -> String {
        let first = sample.text.lines().find(|line| !line.trim().is_empty());
        header(first.unwrap_or_default(), self.detail.line_chars)
    }

    /// Returns the groups with most events, those of a family as one, and how many groups are left.
    fn top(&self, groups: &[GroupView]) -> (Vec<Top>, usize) {
        let mut rows: Vec<Vec<&GroupView>> = Vec::new();
        for group in groups.iter().filter(|group| group.day.now > 0.0) {
            let of_family =
                rows.iter_mut().find(|row| group.family.is_some() && row[0].family == group.family);
            match of_family {
                Some(row) => row.push(group),
                None => rows.push(vec![group]),
            }
        }
        let events = |row: &Vec<&GroupView>| row.iter().map(|group| group.day.now).sum::<f64>();
        rows.sort_by(|a, b| events(b).total_cmp(&events(a)));
        let more = rows.iter().skip(self.detail.top).map(Vec::len).sum();
        (rows.iter().take(self.detail.top).map(|row| self.top_row(row)).collect(), more)
    }

    fn top_row(&self, row: &[&GroupView]) -> Top {
        let group = row[0];
        let now: f64 = row.iter().map(|group| group.day.now).sum();
        let yesterday: Option<f64> = row.iter().map(|group| group.day.yesterday).sum();
        let title = header(&group.title, self.detail.title_chars.min(TOP_CHARS));
        Top {
            count: number(now),
            change: yesterday.map(|before| change(now, before)).unwrap_or_default(),
            title: if row.len() > 1 { format!("{title} [{} variants]", row.len()) } else { title },
            apps: apps(group),
            link: self.link(&format!("g/{}.html", group.id)),
        }
    }

    fn completeness(&self, whole: &Completeness) -> Vec<(String, String)> {
        let row = |label: &str, value: String| (label.to_owned(), value);
        let newest = match whole.newest_event_ms {
            Some(time_ms) => self.time_and_age(time_ms),
            None => "none read yet".to_owned(),
        };
        let mut rows =
            vec![row("newest event", newest), row("objects", objects(whole)), row("lines", lines(whole))];
        for source in whole.sources.iter().take(self.detail.sources) {
            rows.push((format!("source {}", header(&source.name, NAME_CHARS)), self.source(source)));
        }
        if let Some(more @ 1..) = whole.sources.len().checked_sub(self.detail.sources) {
            rows.push(row("sources", format!("{more} more, on the ingest page")));
        }
        for problem in whole.problems.iter().take(self.detail.problems) {
            rows.push(row(problem.kind.name(), self.problem(problem)));
        }
        let shown = whole.problems.len().min(self.detail.problems) as u64;
        if whole.problem_count > shown {
            rows.push(row("problems", format!("{} more", count(whole.problem_count - shown))));
        }
        rows.push(row(if whole.run_goes_on { "this run so far" } else { "last run" }, requests(whole)));
        rows
    }

    fn source(&self, source: &SourceView) -> String {
        let listed = match source.listed_ms {
            Some(time_ms) => format!("listed at {}", self.time_and_age(time_ms)),
            None => "never listed completely".to_owned(),
        };
        let objects = plural(source.objects, "object", "objects");
        match source.failed_prefixes {
            0 => format!("{objects}, {listed}"),
            failed => format!("{objects}, {listed}, {} failed", plural(failed, "prefix", "prefixes")),
        }
    }

    fn problem(&self, problem: &ObjectProblem) -> String {
        let place = header(&problem.place, self.detail.line_chars);
        format!("{place}: {}", header(&problem.reason, self.detail.title_chars))
    }

    /// Returns the note on what the numbers lack.
    fn warning(&self, whole: &Completeness) -> Option<String> {
        let mut parts = Vec::new();
        if whole.objects_unread > 0 {
            parts.push(format!("{} unread", plural(whole.objects_unread, "object", "objects")));
        }
        if whole.objects_damaged > 0 {
            parts.push(format!("{} damaged", plural(whole.objects_damaged, "object", "objects")));
        }
        let failed: u64 = whole.sources.iter().map(|source| source.failed_prefixes).sum();
        if failed > 0 {
            parts.push(format!("{} not listed", plural(failed, "prefix", "prefixes")));
        }
        let stale: Vec<String> = whole.sources.iter().filter_map(|source| self.stale(source)).collect();
        parts.extend(stale.iter().take(3).cloned());
        if stale.len() > 3 {
            parts.push(format!("{} more sources with old listings", stale.len() - 3));
        }
        (!parts.is_empty()).then(|| format!("Not everything was read: {}.", parts.join(", ")))
    }

    fn notices(&self, whole: &Completeness) -> Vec<String> {
        let pages = whole.pages_trouble.iter().map(|trouble| self.pages(trouble));
        let is_own = |mail: &&MailView| mail.digest == self.settings.name;
        let given_up: Vec<_> = whole.mails.iter().filter(|mail| mail.is_given_up && !mail.is_told).collect();
        // Mails of this digest are sent before this one, or reported when they are given up.
        let waiting: Vec<_> = whole.mails.iter().filter(|mail| !mail.is_given_up && !is_own(mail)).collect();
        let given_up = self.unsent(
            &given_up,
            "could not be sent and was given up",
            "could not be sent and were given up",
        );
        let waiting = self.unsent(&waiting, "of another digest waits", "of other digests wait");
        let retry = self.settings.invocation.command(&["digest", "--retry"]);
        let with_hint = given_up.map(|text| format!("{text} `{retry}` sends what was given up."));
        pages.chain(with_hint).chain(waiting).collect()
    }

    fn pages(&self, trouble: &PagesTrouble) -> String {
        let failure = header(&trouble.failure, self.detail.line_chars);
        let pages =
            if self.settings.site_url.is_some() { "The pages that this mail links to" } else { "The pages" };
        match trouble.of_ms {
            Some(of_ms) if of_ms >= self.now_ms => {
                format!("Note: {failure}. The published pages are up to date.")
            }
            Some(of_ms) => format!("{pages} are from {}: {failure}.", self.time_and_age(of_ms)),
            None => format!("{pages} do not exist: {failure}."),
        }
    }

    /// Returns how many mails are not sent, with the latest of them and the reason.
    fn unsent(&self, mails: &[&MailView], one: &str, many: &str) -> Option<String> {
        let latest = mails.last()?;
        let subject = header(&latest.subject, self.detail.title_chars.min(NOTICE_CHARS));
        let subject = if subject.is_empty() { String::new() } else { format!(" \"{subject}\"") };
        Some(format!(
            "{} {}, made at {}{subject} for digest {}: {}.",
            plural(mails.len() as u64, "mail", "mails"),
            if mails.len() == 1 { one.to_owned() } else { format!("{many}; the latest") },
            self.time_and_age(latest.created_ms),
            header(&latest.digest, NAME_CHARS),
            header(&latest.reason, self.detail.line_chars.min(NOTICE_CHARS)),
        ))
    }

    fn stale(&self, source: &SourceView) -> Option<String> {
        let name = header(&source.name, NAME_CHARS);
        match source.listed_ms.map(|time_ms| self.now_ms - time_ms) {
            None => Some(format!("source {name} never listed")),
            Some(age_ms) if age_ms > STALE_LISTING_MS => {
                Some(format!("source {name} last listed {} ago", span(age_ms)))
            }
            Some(_) => None,
        }
    }

    fn time_and_age(&self, time_ms: UtcMs) -> String {
        time_and_age(time_ms, self.now_ms, &self.settings.zone)
    }

    fn link(&self, page: &str) -> Option<String> {
        let base = self.settings.site_url.as_deref().filter(|url| format::is_link(url))?;
        Some(format!("{}/{page}", base.trim_end_matches('/')))
    }
}

/// Returns the verdict; without bad news, the good news.
pub(super) fn headline(view: &View, news: &News) -> String {
    match news.dark_since_ms {
        Some(since_ms) if !view.verdict.needs_attention => {
            format!("Lines are arriving again after {}", span(view.now_ms - since_ms))
        }
        _ => view.verdict.headline.clone(),
    }
}

/// Returns `412 in 24 h (yesterday 38, last week 41)`.
fn counts(day: &Change) -> String {
    let before: Vec<String> = [("yesterday", day.yesterday), ("last week", day.last_week)]
        .into_iter()
        .filter_map(|(name, value)| value.map(|value| format!("{name} {}", number(value))))
        .collect();
    let now = number(day.now);
    if before.is_empty() {
        format!("{now} in 24 h")
    } else {
        format!("{now} in 24 h ({})", before.join(", "))
    }
}

fn apps(group: &GroupView) -> String {
    let mut names: Vec<String> =
        group.apps.iter().take(APPS).map(|(name, _, _)| header(name, NAME_CHARS)).collect();
    if let Some(more @ 1..) = group.apps.len().checked_sub(APPS) {
        names.push(format!("{more} more"));
    }
    names.join(", ")
}

fn figures(view: &View) -> Vec<Figure> {
    let figures = &view.figures;
    vec![
        figure("errors", &figures.errors, number),
        figure("error rate", &figures.error_rate, percent),
        figure("events", &figures.events, number),
        figure("error groups", &figures.open_groups, number),
        figure("applications with errors", &figures.apps_hit, number),
    ]
}

fn figure(name: &'static str, change: &Change, write: fn(f64) -> String) -> Figure {
    let before = |value: Option<f64>| match value {
        None => "–".to_owned(),
        Some(value) => {
            let ratio = format::change(change.now, value);
            match ratio.as_str() {
                "" => write(value),
                ratio => format!("{} ({ratio})", write(value)),
            }
        }
    };
    Figure {
        name,
        now: write(change.now),
        yesterday: before(change.yesterday),
        last_week: before(change.last_week),
    }
}

fn objects(whole: &Completeness) -> String {
    let mut parts = vec![
        format!("{} listed", count(whole.objects_listed)),
        format!("{} read", count(whole.objects_mirrored)),
    ];
    let rest = [
        (whole.objects_unread, "unread"),
        (whole.objects_damaged, "damaged"),
        (whole.objects_duplicate, "delivered twice (counted once)"),
    ];
    parts.extend(named(&rest));
    parts.join(", ")
}

fn lines(whole: &Completeness) -> String {
    let lines = &whole.lines;
    let mut parts =
        vec![format!("{} read", count(lines.total)), format!("{} not parsed", count(lines.unparsed))];
    let rest = [
        (
            lines.quarantined,
            if lines.quarantined == 1 { "stretch unreadable" } else { "stretches unreadable" },
        ),
        (lines.truncated, "cut at the length limit"),
        (lines.undated, "without a time"),
        (whole.misdated, "with a time far in the future or before 2000"),
    ];
    parts.extend(named(&rest));
    parts.join(", ")
}

fn requests(whole: &Completeness) -> String {
    let requests = &whole.requests;
    format!(
        "{} list, {} get, {} put requests; {} received, {} sent",
        count(requests.list),
        count(requests.get),
        count(requests.put),
        bytes(requests.received_bytes),
        bytes(requests.sent_bytes)
    )
}

fn named(values: &[(u64, &str)]) -> Vec<String> {
    values
        .iter()
        .filter(|(value, _)| *value > 0)
        .map(|(value, name)| format!("{} {name}", count(*value)))
        .collect()
}
