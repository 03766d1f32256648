//! The verdict: what changed, in a sentence short enough for the subject of a mail.

use super::view::{GroupState, GroupView, Verdict, View};
use crate::human::{count, plural};
use crate::model::{DAY_MS, HOUR_MS, MINUTE_MS, UtcMs};

/// The most characters of a headline: what mail programs show of a subject.
const HEADLINE_CHARS: usize = 90;
/// The most characters of an application's name in it: two of them and their verb fit.
const NAME_CHARS: usize = 32;
/// An application without events for so long has been switched off, and cannot go silent.
const SWITCHED_OFF_MS: i64 = 7 * DAY_MS;
const NOTHING_LISTED: &str =
    "No objects were found so far: `url` and `layout` of the sources say where they are looked for.";

/// Returns the verdict on a view whose own verdict is not set yet. Without history, nothing can be new.
pub(super) fn verdict(view: &View, has_history: bool) -> Verdict {
    let findings: Vec<String> = [outage(view), spiking(view), new(view), regressed(view), silent(view)]
        .into_iter()
        .flatten()
        .collect();
    if findings.is_empty() {
        return Verdict {
            headline: uneventful(view, has_history),
            detail: if is_untouched(view) { NOTHING_LISTED.to_owned() } else { errors_sentence(view) },
            needs_attention: false,
        };
    }
    let (headline, left) = headline(view, &findings);
    let also = if left.is_empty() { String::new() } else { format!("Also: {}. ", left.join(", ")) };
    Verdict { headline, detail: also + &errors_sentence(view), needs_attention: true }
}

/// Returns as many findings as fit, and the others. A single new error is named.
fn headline<'f>(view: &View, findings: &'f [String]) -> (String, &'f [String]) {
    if let (1, 1, Some(group)) = (findings.len(), view.figures.new_groups, first_in(view, GroupState::New)) {
        let named = format!("New error in {}: {}", app_of(group), plain(&group.title, HEADLINE_CHARS));
        return (plain(&named, HEADLINE_CHARS), &[]);
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
    (plain(&text, HEADLINE_CHARS), &findings[used..])
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
fn outage(view: &View) -> Option<String> {
    let first = view.silent.first().filter(|_| is_outage(view))?;
    Some(format!("No lines of any application since {}", clock(first.since_ms)))
}

fn is_outage(view: &View) -> bool {
    view.silent.len() > 1 && view.silent.len() == living(view)
}

fn silent(view: &View) -> Option<String> {
    if is_outage(view) {
        return None;
    }
    let name = |at: usize| plain(&view.silent[at].name, NAME_CHARS);
    Some(match view.silent.len() {
        0 => return None,
        1 => format!("{} has gone silent", name(0)),
        2 => format!("{} and {} have gone silent", name(0), name(1)),
        number => format!("{number} applications have gone silent"),
    })
}

/// Returns how many applications could go silent.
fn living(view: &View) -> usize {
    let newest = view.apps.iter().filter_map(|app| app.newest_event_ms);
    newest.filter(|&newest| view.now_ms - newest <= SWITCHED_OFF_MS).count()
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
        if let Some(then) = then {
            text = format!("{text}, {}", against(change.now, then, what));
        }
    }
    let unread = view.completeness.objects_unread + view.completeness.objects_damaged;
    if unread > 0 {
        text = format!("{text}; {} could not be read whole", plural(unread, "object"));
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
    group.apps.first().map_or_else(|| group.id.to_string(), |app| plain(&app.0, NAME_CHARS))
}

/// Returns a time of day, as `09:40 UTC`.
fn clock(time_ms: UtcMs) -> String {
    let of_day = time_ms.rem_euclid(DAY_MS);
    format!("{:02}:{:02} UTC", of_day / HOUR_MS, of_day % HOUR_MS / MINUTE_MS)
}

/// Returns a text on one line of at most `max` characters.
fn plain(text: &str, max: usize) -> String {
    let mut plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if plain.chars().count() > max {
        plain = plain.chars().take(max - 1).collect();
        plain.push('…');
    }
    plain
}
