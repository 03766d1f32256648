//! The verdict: what changed, in a sentence short enough for the subject of a mail.

use jiff::tz::TimeZone;

use super::view::{GroupState, GroupView, Unclear, Unread, UnreadPlace, Verdict, View};
use gzette_core::human::{count, day_and_time, duration, plural};
use gzette_core::model::{AppName, SourceName, UtcMs};
use gzette_core::visible::one_line;

/// The most characters of a headline: what mail programs show of a subject.
const HEADLINE_CHARS: usize = 90;
/// The most characters of an application's name in it: two of them and their verb fit.
const NAME_CHARS: usize = 32;
/// The unread places that the detail names.
const UNREAD_NAMED: usize = 2;
/// The further applications that are not understood whose names the detail gives.
const UNCLEAR_NAMED: usize = 6;
/// The most characters of each.
const UNREAD_CHARS: usize = 140;
const NOTHING_LISTED: &str = "No objects found so far: check `url` and `layout` of the sources.";

/// Returns the verdict on a view whose own verdict is not set yet. Without history, nothing can be new.
pub(super) fn verdict(view: &View, has_history: bool) -> Verdict {
    let all = [dark, blind, spiking, new, regressed, unread, silent, unclear].map(|finding| finding(view));
    let findings: Vec<String> = all.into_iter().flatten().collect();
    if findings.is_empty() {
        return Verdict {
            headline: uneventful(view, has_history),
            detail: if is_untouched(view) { NOTHING_LISTED.to_owned() } else { errors_sentence(view) },
            needs_attention: false,
        };
    }
    let (headline, left) = headline(view, &findings);
    let also = if left.is_empty() { String::new() } else { format!("Also: {}. ", left.join(", ")) };
    let (unread, unclear) = (unread_sentences(view), unclear_sentences(view));
    let detail = format!("{also}{unread}{unclear}{}", errors_sentence(view));
    Verdict { headline, detail, needs_attention: true }
}

/// Returns as many findings as fit, and the others. A single new error is named.
fn headline<'f>(view: &View, findings: &'f [String]) -> (String, &'f [String]) {
    if let (1, 1, Some(group)) = (findings.len(), view.figures.new_groups, first_in(view, GroupState::New)) {
        let named = format!("New error in {}: {}", app_of(group), one_line(&group.title, HEADLINE_CHARS));
        return (one_line(&named, HEADLINE_CHARS), &[]);
    }
    let mut text = findings[0].clone();
    let mut used = 1;
    for finding in &findings[1..] {
        let longer = format!("{text}, {finding}");
        if longer.chars().count() > HEADLINE_CHARS {
            break;
        }
        text = longer;
        used += 1;
    }
    (one_line(&text, HEADLINE_CHARS), &findings[used..])
}

fn spiking(view: &View) -> Option<String> {
    first_in(view, GroupState::Spiking)?;
    let mut apps = Vec::new();
    for group in in_state(view, GroupState::Spiking) {
        let app = app_of(group);
        if !apps.contains(&app) {
            apps.push(app);
        }
    }
    Some(match apps.as_slice() {
        [app] => format!("{app} errors are spiking"),
        [one, other] => format!("{one} and {other} errors are spiking"),
        more => format!("Errors of {} applications are spiking", more.len()),
    })
}

fn new(view: &View) -> Option<String> {
    let group = first_in(view, GroupState::New)?;
    Some(match view.figures.new_groups {
        1 => format!("1 new error in {}", app_of(group)),
        number => format!("{} since yesterday", plural(number as u64, "new error")),
    })
}

fn regressed(view: &View) -> Option<String> {
    let group = first_in(view, GroupState::Regressed)?;
    Some(match view.figures.regressed_groups {
        1 => format!("1 error is back in {}", app_of(group)),
        number => format!("{} are back", plural(number as u64, "error")),
    })
}

/// Names a silence of all applications: it is more likely the collector's than theirs.
fn dark(view: &View) -> Option<String> {
    if let Some(dark) = &view.dark {
        let of = dark.only.as_ref().map_or("any application".to_owned(), |name| one_line(name, NAME_CHARS));
        let age = duration(view.now_ms - dark.since_ms);
        return Some(format!("No lines from {of} since {} ({age})", clock(dark.since_ms, view.now_ms)));
    }
    let has_forgotten = view.figures.newest_event_ms.is_none() && view.completeness.objects_expired > 0;
    has_forgotten.then(|| {
        "No lines from any application: the retention of everything that was read has expired".to_owned()
    })
}

/// Says that nothing can be said.
fn blind(view: &View) -> Option<String> {
    let since_ms = view.unread.iter().map(|unread| unread.since_ms).max()?;
    is_blind(view).then(|| match since_ms {
        Some(since_ms) => format!("Nothing could be read since {}", clock(since_ms, view.now_ms)),
        None => "Nothing could be read yet".to_owned(),
    })
}

/// Whether every application that is alive is unread, and that is most of them; without applications, every source.
fn is_blind(view: &View) -> bool {
    let is_unread = |app: &AppName| view.unread.iter().any(|unread| unread.apps.contains(app));
    let mut alive = view.apps.iter().filter(|app| !app.is_silent && app.newest_event_ms.is_some()).peekable();
    if alive.peek().is_some() {
        let unread = view.apps.iter().filter(|app| is_unread(&app.name)).count();
        return alive.all(|app| is_unread(&app.name)) && unread > view.silent.len();
    }
    let is_listed = |name: &SourceName| {
        !view.unread.iter().any(|unread| unread.place == UnreadPlace::Source(name.clone()))
    };
    let mut sources = view.completeness.sources.iter().peekable();
    sources.peek().is_some() && !view.unread.is_empty() && !sources.any(|source| is_listed(&source.name))
}

/// Names what could not be read, where something else could.
fn unread(view: &View) -> Option<String> {
    if is_blind(view) {
        return None;
    }
    let name = |at: usize| one_line(&view.unread[at].name(), NAME_CHARS);
    let who = match view.unread.len() {
        0 => return None,
        1 => name(0),
        2 => format!("{} and {}", name(0), name(1)),
        _ => Unread::counted(&view.unread, ""),
    };
    // Of several, the latest: since then none of them was read.
    let since_ms = view.unread.iter().map(|unread| unread.since_ms).max()?;
    Some(match since_ms {
        Some(since_ms) => format!("{who} not read since {}", clock(since_ms, view.now_ms)),
        None => format!("{who} could not be read"),
    })
}

/// `checkout-api: not read since 09:40 UTC: 12 objects denied (AccessDenied). `
fn unread_sentences(view: &View) -> String {
    let sentence = |unread: &Unread| {
        let sentence = unread.sentence(|at| clock(at, view.now_ms));
        one_line(&sentence, UNREAD_CHARS) + ". "
    };
    let named: String = view.unread.iter().take(UNREAD_NAMED).map(sentence).collect();
    match view.unread.get(UNREAD_NAMED..) {
        Some(left @ [_, ..]) => format!("{named}{} not read. ", Unread::counted(left, "more ")),
        _ => named,
    }
}

fn silent(view: &View) -> Option<String> {
    if view.dark.is_some() {
        return None;
    }
    let name = |at: usize| one_line(&view.silent[at].name, NAME_CHARS);
    Some(match view.silent.len() {
        0 => return None,
        1 => format!("{} has gone silent", name(0)),
        2 => format!("{} and {} have gone silent", name(0), name(1)),
        number => format!("{number} applications have gone silent"),
    })
}

/// Names what is not understood: errors may hide in it.
fn unclear(view: &View) -> Option<String> {
    let name = |at: usize| one_line(&view.unclear[at].app, NAME_CHARS);
    Some(match view.unclear.len() {
        0 => return None,
        1 => format!("{} is not understood", name(0)),
        2 => format!("{} and {} are not understood", name(0), name(1)),
        number => format!("{number} applications are not understood"),
    })
}

/// `web: 97 % of its events have no level. `; behind the first ones, the names alone.
fn unclear_sentences(view: &View) -> String {
    let sentence =
        |unclear: &Unclear| one_line(&format!("{}: {}", unclear.app, unclear.why()), UNREAD_CHARS) + ". ";
    let explained: String = view.unclear.iter().take(UNREAD_NAMED).map(sentence).collect();
    let left = view.unclear.get(UNREAD_NAMED..).unwrap_or_default();
    let named: Vec<_> =
        left.iter().take(UNCLEAR_NAMED).map(|unclear| one_line(&unclear.app, NAME_CHARS)).collect();
    match left.len() - named.len() {
        0 if named.is_empty() => explained,
        0 => format!("{explained}Not understood either: {}. ", named.join(", ")),
        more => format!("{explained}Not understood either: {} and {more} more. ", named.join(", ")),
    }
}

/// Whether no event is known and no object ever was: more likely a wrong address than a quiet day.
fn is_untouched(view: &View) -> bool {
    view.figures.newest_event_ms.is_none() && view.completeness.objects_listed == 0
}

fn uneventful(view: &View, has_history: bool) -> String {
    if view.figures.newest_event_ms.is_none() {
        return "No log lines yet".to_owned();
    }
    if has_history {
        return "All quiet".to_owned();
    }
    format!("First look: {} in the last 24 hours", errors(view))
}

/// `1,234 errors in 14 groups in the last 24 hours, 12 % more than yesterday; 2 objects ...`
fn errors_sentence(view: &View) -> String {
    let change = view.figures.errors;
    let mut text = errors(view);
    if change.now > 0.0 {
        text = format!("{text} in {}", plural(view.figures.open_groups.now as u64, "group"));
    }
    text.push_str(" in the last 24 hours");
    for (then, what) in [(change.yesterday, "yesterday"), (change.last_week, "last week")] {
        // A decrease is not good news while something is unread.
        if let Some(then) = then.filter(|_| view.unread.is_empty()) {
            text = format!("{text}, {}", against(change.now, then, what));
        }
    }
    let unread = view.completeness.objects_unread + view.completeness.objects_damaged;
    if unread > 0 {
        text = format!("{text}; {} could not be fully read", plural(unread, "object"));
    }
    if !view.unclear.is_empty() {
        text.push_str(", of what is understood");
    }
    if change.now <= 0.0 {
        text.replace_range(..1, "N");
    }
    text + "."
}

fn errors(view: &View) -> String {
    match view.figures.errors.now as u64 {
        0 => "no errors".to_owned(),
        number => plural(number, "error"),
    }
}

fn against(now: f64, then: f64, what: &str) -> String {
    let share = ((now - then).abs() / then * 100.0).round();
    if then <= 0.0 {
        return if now > 0.0 { format!("none {what}") } else { format!("as {what}") };
    }
    if share < 1.0 {
        return format!("as {what}");
    }
    if now >= 3.0 * then {
        return format!("{} times {what}'s", count((now / then).round() as u64));
    }
    let direction = if now > then { "more" } else { "fewer" };
    format!("{share:.0} % {direction} than {what}")
}

fn in_state(view: &View, state: GroupState) -> impl Iterator<Item = &GroupView> {
    let groups = view.attention.iter().map(|&at| &view.groups[at]);
    groups.filter(move |group| group.state == state)
}

fn first_in(view: &View, state: GroupState) -> Option<&GroupView> {
    in_state(view, state).next()
}

fn app_of(group: &GroupView) -> String {
    group.apps.first().map_or_else(|| group.id.to_string(), |app| one_line(&app.0, NAME_CHARS))
}

/// Returns a time as people write it beside `now_ms`: `09:40 UTC`, `Sat 21 Nov 09:40 UTC`.
fn clock(time_ms: UtcMs, now_ms: UtcMs) -> String {
    format!("{} UTC", day_and_time(time_ms, now_ms, &TimeZone::UTC))
}
