//! Views of ledgers that a story of lines made: states, figures, charts, samples, sentences.

#![expect(clippy::float_cmp, reason = "counts kept as floats are whole numbers")]

use super::*;
use crate::edges::ledger::testing::{PREFIX, Story};
use gzette_core::model::{DAY_MS, HOUR_MS, Level, MINUTE_MS, UtcMs};
use gzette_core::plan::ObjectState;

/// 2023-10-30 12:05 UTC, a Monday.
const NOW: UtcMs = UtcMs::new(1_698_667_500_000);
/// Noon.
const NOON: UtcMs = UtcMs::new(NOW.get() - 5 * MINUTE_MS);

fn view(story: &Story) -> View {
    view_with(story, &ReportSettings::default())
}

fn view_with(story: &Story, settings: &ReportSettings) -> View {
    build(&story.ledger(NOW), NOW, settings).unwrap()
}

/// Two applications that have logged for three weeks; `orders` has an error an hour.
fn usual() -> Story {
    let story = Story::default().heartbeat("orders", 21, NOON).heartbeat("billing", 21, NOON);
    (1..=21 * 24).fold(story, |story, hours| {
        story.event("orders", NOON - hours * HOUR_MS, Level::Error, &format!("order {hours} has no stock"))
    })
}

fn titled<'v>(view: &'v View, title: &str) -> &'v GroupView {
    view.groups.iter().find(|group| group.title.contains(title)).unwrap()
}

#[test]
fn a_day_like_any_other_is_quiet() {
    let view = view(&usual());
    // The slot of now is the last of the 24 hours: they begin at 12:10 yesterday.
    assert_eq!(view.verdict.headline, "All quiet");
    assert_eq!(view.verdict.detail, "23 errors in 1 group in the last 24 hours, as yesterday, as last week.");
    assert!(!view.verdict.needs_attention);
    assert!(view.attention.is_empty());
    assert!(view.silent.is_empty());
    let errors = view.figures.errors;
    assert_eq!((errors.now, errors.yesterday, errors.last_week), (23.0, Some(23.0), Some(23.0)));
    assert_eq!(view.figures.events.now, 23.0 + 2.0 * 143.0);
    assert_eq!(view.figures.error_rate.now, 23.0 / (23.0 + 2.0 * 143.0));
    assert_eq!((view.figures.apps_hit.now, view.figures.apps), (1.0, 2));
    assert_eq!(view.figures.open_groups.yesterday, Some(1.0));
    assert_eq!(view.figures.newest_event_ms, Some(NOON - 10 * MINUTE_MS));
}

#[test]
fn a_new_error_is_named() {
    let story = usual().events(3, "billing", NOON - 2 * HOUR_MS, Level::Fatal, "card 17 was charged twice");
    let view = view(&story);
    assert_eq!(view.verdict.headline, "New error in billing: card <*> was charged twice");
    assert!(view.verdict.needs_attention);
    assert_eq!(view.figures.new_groups, 1);
    let group = &view.groups[view.attention[0]];
    assert_eq!(group.state, GroupState::New);
    assert_eq!(group.reason, "first seen 2 hours ago; 3 since then");
    assert_eq!(group.apps, [("billing".into(), 3, 3)]);
    assert_eq!(group.levels, [(Level::Fatal, 3)]);
    assert_eq!(group.first_ms, NOON - 2 * HOUR_MS);
    assert_eq!(group.last_ms, NOON - 2 * HOUR_MS + 2000);
}

#[test]
fn what_changed_is_told_together() {
    let story = usual()
        .events(200, "orders", NOON - 40 * MINUTE_MS, Level::Error, "order 9 has no stock")
        .event("billing", NOON - 2 * HOUR_MS, Level::Error, "card declined")
        .event("billing", NOON - 3 * HOUR_MS, Level::Error, "printer on fire")
        .event("billing", NOON - 12 * DAY_MS, Level::Error, "disk full")
        .event("billing", NOON - HOUR_MS, Level::Error, "disk full");
    let view = view(&story);
    assert_eq!(
        view.verdict.headline,
        "orders errors are spiking, 2 new errors since yesterday, 1 error is back in billing"
    );
    let states: Vec<_> = view.attention.iter().map(|&at| view.groups[at].state).collect();
    assert_eq!(states, [GroupState::Spiking, GroupState::New, GroupState::New, GroupState::Regressed]);
    let spike = titled(&view, "no stock");
    assert_eq!(spike.reason, "201 in the hour to 12:00 UTC; its limit is 9, its usual hour has 1.0");
    assert!(spike.factor.unwrap() > 20.0);
    assert_eq!(titled(&view, "disk full").reason, "back after 11 days without an event; 1 since then");
}

#[test]
fn an_application_that_stops_has_gone_silent() {
    let story = usual().heartbeat("sync", 21, NOON - 5 * HOUR_MS);
    let view = view(&story);
    assert_eq!(view.verdict.headline, "sync has gone silent");
    assert_eq!(
        view.silent,
        [SilentApp {
            name: "sync".into(),
            since_ms: NOON - 5 * HOUR_MS - 10 * MINUTE_MS,
            habit_ms: 10 * MINUTE_MS
        }]
    );
}

#[test]
fn silence_of_all_is_told_as_one() {
    let story = Story::default().heartbeat("orders", 21, NOON - 6 * HOUR_MS).heartbeat(
        "billing",
        21,
        NOON - 6 * HOUR_MS,
    );
    let view = view(&story);
    assert_eq!(view.verdict.headline, "No lines from any application since 05:50 UTC (6 hours)");
}

#[test]
fn the_first_look_calls_nothing_new() {
    let story = Story::default().heartbeat("orders", 1, NOON).events(
        7,
        "orders",
        NOON - HOUR_MS,
        Level::Error,
        "no stock",
    );
    let view = view(&story);
    assert_eq!(view.verdict.headline, "First look: 7 errors in the last 24 hours");
    assert_eq!(view.groups[0].state, GroupState::Ongoing);
    assert_eq!(view.figures.errors.yesterday, None);
    assert_eq!(view.figures.open_groups.yesterday, None);
}

#[test]
fn an_empty_ledger_has_a_view() {
    let view = view(&Story::default());
    assert_eq!(view.verdict.headline, "No log lines yet");
    assert!(view.verdict.detail.starts_with("No objects found so far"), "{}", view.verdict.detail);
    assert!(view.apps.is_empty() && view.groups.is_empty() && view.errors.is_empty());
    assert_eq!(view.completeness.days.len(), 14);
    assert_eq!(view.completeness.lines.total, 0);
}

#[test]
fn charts_add_up() {
    let view = view(&usual());
    let group = &view.groups[0];
    assert_eq!((group.hours.len(), group.trend.len()), (24, 14 * 24));
    assert_eq!(group.hours.iter().sum::<u64>(), 23, "the hour of now has begun, the 24th is not over");
    assert_eq!(group.trend.last().unwrap().start_ms, NOON);
    assert_eq!(group.total, 21 * 24);
    let app = &view.apps[0];
    assert_eq!((app.name.as_str(), app.groups.as_slice()), ("orders", &[0][..]));
    assert_eq!(app.trend.len(), 7 * 24);
    assert_eq!(view.errors[0].buckets, app.trend);
    assert_eq!(view.errors[1].name.as_str(), "billing");
    let heat: u64 = view.heat.cells.iter().flatten().sum();
    assert_eq!(heat, 21 * 24);
    assert_eq!(view.heat.cells[0], [3; 24], "three Mondays");
    let days = &view.completeness.days;
    assert_eq!(days.last().unwrap().start_ms, NOON - 12 * HOUR_MS);
    assert_eq!(days[5].events, 24 + 2 * 144);
}

#[test]
fn samples_are_first_latest_and_others_without_repetition() {
    let view = view(&usual());
    let samples = &view.groups[0].samples;
    let roles: Vec<_> = samples.iter().map(|sample| sample.role.name()).collect();
    assert_eq!(roles, ["first", "latest", "earlier", "earlier", "earlier"]);
    assert_eq!(samples[0].text, "order 504 has no stock");
    assert_eq!(samples[1].text, "order 1 has no stock");
    assert!(samples[2..].windows(2).all(|pair| pair[0].time_ms > pair[1].time_ms));
    assert_eq!(samples[1].logger.as_deref(), Some("c.Main"));
    assert_eq!(samples[1].level, Level::Error);
    let hour = (NOON - HOUR_MS).stretch(HOUR_MS);
    assert_eq!(samples[1].object, format!("s3://bucket/{PREFIX}orders/{hour}.gz"));
    assert_eq!(samples[1].line, 7, "six beats come before it");
}

#[test]
fn the_same_words_are_shown_once_and_the_latest() {
    let story = usual().event("billing", NOON - 30 * HOUR_MS, Level::Error, "disk full").event(
        "billing",
        NOON - 3 * HOUR_MS,
        Level::Error,
        "disk full",
    );
    let view = view(&story);
    let group = titled(&view, "disk full");
    assert_eq!(group.samples.len(), 1);
    assert_eq!((group.samples[0].role.name(), group.samples[0].time_ms), ("latest", NOON - 3 * HOUR_MS));
    assert_eq!(group.first_ms, NOON - 30 * HOUR_MS);
}

#[test]
fn what_needs_attention_is_carried_when_there_are_too_many_groups() {
    let words = ["alpha", "beta", "gamma", "delta", "epsilon"];
    let story = words.iter().fold(usual(), |story, word| {
        let story = story.events(50, "orders", NOON - 20 * HOUR_MS, Level::Error, word);
        story.events(50, "orders", NOON - 3 * DAY_MS, Level::Error, word)
    });
    let story = story.event("billing", NOON - HOUR_MS, Level::Error, "brand-new");
    let view = build::build_with(&story.ledger(NOW), NOW, &ReportSettings::default(), 3).unwrap();
    assert_eq!(view.groups.len(), 3);
    assert_eq!(view.groups[2].title, "brand-new");
    assert_eq!(view.attention, [2]);
    assert_eq!(view.figures.open_groups.now, 7.0);
    assert!(view.apps.iter().flat_map(|app| &app.groups).all(|&group| group < 3));
}

#[test]
fn stamps_of_clocks_gone_wrong_move_nothing() {
    let story = usual()
        .event("orders", UtcMs::new(5), Level::Error, "order 0 has no stock")
        .event("orders", NOW + 900 * DAY_MS, Level::Error, "order 0 has no stock")
        .event("orders", NOON - 27 * DAY_MS, Level::Error, "strayed stamp")
        .event("billing", NOON - HOUR_MS, Level::Error, "brand-new")
        .event("billing", UtcMs::new(5), Level::Error, "brand-new");
    let view = view(&story);
    assert_eq!(view.figures.newest_event_ms, Some(NOON - 10 * MINUTE_MS));
    assert_eq!(view.figures.errors.now, 24.0);
    assert_eq!(titled(&view, "brand-new").state, GroupState::New);
    let group = titled(&view, "no stock");
    assert_eq!((group.state, group.total), (GroupState::Ongoing, 21 * 24 + 2));
    assert_eq!(group.last_ms, NOON - HOUR_MS);
    assert_eq!(group.first_ms, NOON - 21 * 24 * HOUR_MS);
    assert_eq!(view.completeness.misdated, 3);
}

#[test]
fn a_stamp_of_the_future_ends_no_silence_when_its_time_comes() {
    let story = usual().heartbeat("sync", 21, NOON - 5 * HOUR_MS);
    let story = story.ahead("sync", NOON - 6 * HOUR_MS, NOON + 3 * DAY_MS);
    let mut ledger = story.ledger(NOW);
    assert_eq!(build(&ledger, NOW, &ReportSettings::default()).unwrap().silent.len(), 1);
    let now_ms = NOW + 3 * DAY_MS;
    let source = ledger.source_id(&crate::edges::ledger::testing::SOURCE.into(), "s3://bucket/logs").unwrap();
    list(&mut ledger, source, PREFIX, now_ms);
    let view = build(&ledger, now_ms, &ReportSettings::default()).unwrap();
    assert!(view.silent.iter().any(|app| *app.name == *"sync"), "{:?}", view.silent);
    assert_eq!(view.figures.newest_event_ms, Some(NOON - 10 * MINUTE_MS));
    assert_eq!(ledger.stamps(now_ms).unwrap().future, 1);
}

#[test]
fn problems_are_counted_and_said() {
    let story = usual()
        .unreadable("failing/1.gz", ObjectState::Denied, "AccessDenied")
        .unreadable("failing/2.gz", ObjectState::Archived, "in Glacier")
        .twice("orders", NOON - 5 * HOUR_MS);
    let view = view(&story);
    let completeness = &view.completeness;
    assert_eq!(completeness.objects_unread, 2);
    assert_eq!(completeness.objects_duplicate, 1);
    assert_eq!(completeness.objects_mirrored + 2, completeness.objects_listed);
    assert_eq!(completeness.problem_count, 3);
    assert_eq!(completeness.lines.events, 21 * 24 + 2 * 21 * 144);
    assert_eq!(completeness.sources[0].listed_ms, Some(NOW));
    assert!(view.verdict.detail.ends_with("; 2 objects could not be fully read."));
    assert_eq!(view.verdict.headline, "failing not read since 12:05 UTC");
    let sentence = "failing: not read since 12:05 UTC: 1 object denied, 1 object archived (";
    assert!(view.verdict.detail.starts_with(sentence), "{}", view.verdict.detail);
}

#[test]
fn an_application_is_not_silent_while_newer_objects_of_it_are_unread() {
    let stopped = || usual().heartbeat("sync", 21, NOON - 5 * HOUR_MS);
    for (state, why) in [(ObjectState::Denied, "AccessDenied"), (ObjectState::Archived, "in Glacier")] {
        let view = view(&stopped().unreadable("sync/new.gz", state, why));
        assert_eq!(view.verdict.headline, "sync not read since 12:05 UTC");
        assert!(view.silent.is_empty(), "{:?}", view.silent);
        assert!(view.unread[0].why().ends_with(&format!("({why})")), "{}", view.unread[0].why());
    }
    // An old one hides nothing.
    let story = stopped().unreadable("sync/old.gz", ObjectState::Archived, "in Glacier");
    let mut ledger = story.ledger(NOON - 9 * HOUR_MS);
    let source = ledger.source_id(&crate::edges::ledger::testing::SOURCE.into(), "s3://bucket/logs").unwrap();
    list(&mut ledger, source, PREFIX, NOW);
    let view = build(&ledger, NOW, &ReportSettings::default()).unwrap();
    assert_eq!(view.verdict.headline, "sync has gone silent");
    assert!(view.unread.is_empty(), "{:?}", view.unread);
}

#[test]
fn an_application_is_not_silent_while_what_came_of_it_is_not_understood() {
    let stopped = || usual().heartbeat("sync", 21, NOON - 5 * HOUR_MS);
    for (story, why) in [
        (stopped().damaged("sync", NOON - HOUR_MS), "1 object failed ("),
        (stopped().uncounted("sync", NOON - HOUR_MS), "1 object not counted yet"),
    ] {
        let view = view(&story);
        assert_eq!(view.verdict.headline, "sync not read since 12:02 UTC");
        assert!(view.silent.is_empty(), "{:?}", view.silent);
        assert!(view.unread[0].why().starts_with(why), "{}", view.unread[0].why());
    }
    // An object that came before its newest event hides nothing.
    let view = view(&stopped().damaged("sync", NOON - 22 * DAY_MS));
    assert_eq!(view.verdict.headline, "sync has gone silent");
}

#[test]
fn a_silence_is_told_when_all_objects_have_been_deleted() {
    let story = Story::default().heartbeat("orders", 21, NOON).heartbeat("billing", 21, NOON);
    let now_ms = NOW + 4 * DAY_MS;
    let mut ledger = story.ledger(NOW);
    let source = ledger.source_id(&crate::edges::ledger::testing::SOURCE.into(), "s3://bucket/logs").unwrap();
    let known = ledger.known_objects(source, PREFIX, false).unwrap();
    let gone = known.into_iter().map(|object| object.id).collect();
    let diff = gzette_core::plan::Diff { gone, ..gzette_core::plan::Diff::default() };
    let listing =
        crate::edges::ledger::ListingRecord { prefix: PREFIX, now_ms, entries: 0, diff: &diff, found: &[] };
    ledger.record_listing(source, &listing).unwrap();
    let view = build(&ledger, now_ms, &ReportSettings::default()).unwrap();
    assert_eq!(view.verdict.headline, "No lines from any application since Mon 30 Oct 11:50 UTC (4 days)");
}

#[test]
fn sources_and_applications_that_were_not_read_are_called_what_they_are() {
    let unread = |place| Unread {
        place,
        apps: Vec::new(),
        since_ms: None,
        troubles: Vec::new(),
        error: String::new(),
    };
    let (app, source) = (UnreadPlace::App("web".into()), UnreadPlace::Source("prod".into()));
    let counted = |places: &[&UnreadPlace]| {
        let places: Vec<Unread> = places.iter().map(|&place| unread(place.clone())).collect();
        Unread::counted(&places, "more ")
    };
    assert_eq!(counted(&[&app, &app]), "2 more applications");
    assert_eq!(counted(&[&source]), "1 more source");
    assert_eq!(counted(&[&source, &app]), "2 more sources and applications");
}

/// Notes a listing that changed nothing.
fn list(ledger: &mut crate::edges::ledger::Ledger, source: i64, prefix: &str, now_ms: UtcMs) {
    let diff = gzette_core::plan::Diff::default();
    let listing = crate::edges::ledger::ListingRecord { prefix, now_ms, entries: 1, diff: &diff, found: &[] };
    ledger.record_listing(source, &listing).unwrap();
}

#[test]
fn a_silence_of_everything_is_never_forgotten() {
    let story = Story::default().heartbeat("orders", 21, NOON).heartbeat("billing", 21, NOON);
    for (days, since) in [
        (1, "Mon 30 Oct 11:50 UTC (24 hours)"),
        (10, "Mon 30 Oct 11:50 UTC (10 days)"),
        (60, "Mon 30 Oct 11:50 UTC (60 days)"),
        (200, "30 Oct 2023 11:50 UTC (200 days)"),
    ] {
        let now_ms = NOW + days * DAY_MS;
        let mut ledger = story.ledger(NOW);
        let source =
            ledger.source_id(&crate::edges::ledger::testing::SOURCE.into(), "s3://bucket/logs").unwrap();
        list(&mut ledger, source, PREFIX, now_ms);
        let view = build(&ledger, now_ms, &ReportSettings::default()).unwrap();
        assert_eq!(view.verdict.headline, format!("No lines from any application since {since}"));
        assert!(view.verdict.needs_attention);
    }
}

#[test]
fn a_single_application_that_was_switched_off_leaves_the_headline_and_stays_in_the_list() {
    let view = view(&usual().heartbeat("legacy", 21, NOON - 8 * DAY_MS));
    assert_eq!(view.verdict.headline, "All quiet");
    let silent: Vec<_> = view.apps.iter().filter(|app| app.is_silent).map(|app| app.name.as_str()).collect();
    assert_eq!(silent, ["legacy"]);
}

#[test]
fn the_order_of_arrival_changes_nothing() {
    let story = usual()
        .event("billing", NOON - HOUR_MS, Level::Error, "disk full")
        .event("orders", NOON - HOUR_MS, Level::Error, "disk full")
        .twice("orders", NOON - 5 * HOUR_MS);
    let forwards = format!("{:?}", view(&story));
    assert_eq!(format!("{:?}", view(&story)), forwards);
    assert_eq!(format!("{:?}", view(&story.backwards())), forwards);
}

#[test]
fn a_headline_stays_short_and_on_one_line() {
    let name = "payments\r\nBcc: everyone ".repeat(20);
    let story = usual().event(&name, NOON - HOUR_MS, Level::Error, &"long ".repeat(100));
    let verdict = view(&story).verdict;
    assert!(verdict.headline.starts_with("New error in payments  Bcc"), "{}", verdict.headline);
    assert!(verdict.headline.chars().count() <= 90);
    assert!(!verdict.headline.contains(['\r', '\n']));
}

#[test]
fn what_does_not_fit_the_headline_is_in_the_detail() {
    let long = |word: &str| format!("{word}-service-with-a-really-long-name");
    let story = ["alpha", "beta"].iter().fold(usual(), |story, word| {
        let app = long(word);
        let message = format!("{word} failed");
        let story = story.heartbeat(&app, 10, NOON);
        let story = (1..=10 * 24)
            .fold(story, |story, hours| story.event(&app, NOON - hours * HOUR_MS, Level::Error, &message));
        story.events(500, &app, NOON - 40 * MINUTE_MS, Level::Error, &message)
    });
    let verdict = view(&story.heartbeat("sync", 21, NOON - 5 * HOUR_MS)).verdict;
    assert!(verdict.headline.chars().count() <= 90, "{}", verdict.headline);
    assert!(verdict.headline.ends_with("errors are spiking"), "{}", verdict.headline);
    assert!(verdict.detail.starts_with("Also: sync has gone silent. "), "{}", verdict.detail);
}
