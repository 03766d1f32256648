//! Layouts, surveys and diffs.

use jiff::civil::date;
use proptest::prelude::*;

use super::*;
use crate::model::{DAY_MS, Day, HOUR_MS, ListedObject, MINUTE_MS, UtcMs};

fn layout(text: &str) -> Layout {
    Layout::parse(text).unwrap()
}

fn placed(text: &str, key: &str) -> String {
    let layout = layout(text);
    let place = layout.place(key);
    let day = place.day.map_or("-".to_owned(), |day| day.to_string());
    format!("{} {day}{}", place.app.unwrap_or("-"), if place.fits { "" } else { " (does not fit)" })
}

#[test]
fn keys_are_placed() {
    let usual = "logs/{app}/{date:%Y%m%d}/";
    for (text, key, expected) in [
        (usual, "logs/web/20260301/pod_0.gz", "web 2026-03-01"),
        (usual, "logs/web/20260301/12/pod_0.gz", "web 2026-03-01"),
        (usual, "logs/web/20260301/", "web 2026-03-01"),
        (usual, "logs/web/20260301", "web - (does not fit)"),
        (usual, "logs/web/20260230/x.gz", "web - (does not fit)"),
        (usual, "logs/web/2026+301/x.gz", "web - (does not fit)"),
        (usual, "logs/../20260301/x.gz", "- - (does not fit)"),
        (usual, "logs//20260301/x.gz", "- - (does not fit)"),
        (usual, "other/web/20260301/x.gz", "- - (does not fit)"),
        ("{app}/{date}", "web/20260301/x.gz", "web 2026-03-01"),
        ("{app}/{date:%Y/%m/%d}/", "web/2026/03/01/x.gz", "web 2026-03-01"),
        ("{app}/{date:%Y/%m/%d/%H}/", "web/2026/03/01/23/x.gz", "web 2026-03-01"),
        ("{app}/{date:%F}/", "web/2026-03-01/x.gz", "web 2026-03-01"),
        ("{app}/{date:%Y-%j}/", "web/2026-060/x.gz", "web 2026-03-01"),
        (
            "app={app}/year={date:%Y}/month={date:%m}/day={date:%d}/",
            "app=a b/year=2026/month=03/day=01/x",
            "a b 2026-03-01",
        ),
        ("{date}/{app}/", "20260301/web/x.gz", "web 2026-03-01"),
        ("{date}/{app}/", "20260301/x.gz", "- 2026-03-01 (does not fit)"),
        ("{app}-{date}/", "my-app-20260301/x.gz", "my-app 2026-03-01"),
        ("{*}/{app}/{date}/{*}/", "eu/web/20260301/h1/x.gz", "web 2026-03-01"),
        ("{app}/{date}_{*}.gz", "web/20260301_12.gz", "web 2026-03-01"),
        ("{app}/{date}_{*}.gz", "web/sub/20260301_12.gz", "web - (does not fit)"),
        ("{app}.{date}.{*}", "web.api.20260301.x.gz", "web.api 2026-03-01"),
        ("{app}/", "web/x.gz", "web -"),
        ("{date}/", "20260301/x.gz", "- 2026-03-01"),
        ("", "x.gz", "- -"),
    ] {
        assert_eq!(placed(text, key), expected, "{text} {key}");
    }
}

#[test]
fn wrong_layouts_say_what_is_wrong() {
    let wrong = [
        "{app",
        "app}",
        "{ap}/",
        "{date:%Y%y}/",
        "{date:%Y%}",
        "{date:%Y%m}/",
        "{app}/{app}/",
        "{app}{*}/",
        "{*}-{*}/",
        "/{app}/",
        "{app}//",
    ];
    let said: Vec<String> = wrong.iter().map(|text| Layout::parse(text).unwrap_err().to_string()).collect();
    insta::assert_snapshot!(said.join("\n"), @"
    layout `{app`: a brace at byte 0 has no partner
    layout `app}`: a brace at byte 3 has no partner
    layout `{ap}/`: `{ap}` is not known; use `{app}`, `{date:%Y%m%d}` or `{*}`
    layout `{date:%Y%y}/`: `%y` is not supported in a date; use %Y, %m, %d, %j, %H, %F or %%
    layout `{date:%Y%}`: `%` is not supported in a date; use %Y, %m, %d, %j, %H, %F or %%
    layout `{date:%Y%m}/`: the date needs %Y, %m and %d (or %Y and %j)
    layout `{app}/{app}/`: `{app}` occurs twice
    layout `{app}{*}/`: segment 1 is ambiguous; separate its placeholders
    layout `{*}-{*}/`: segment 1 is ambiguous; separate its placeholders
    layout `/{app}/`: segment 1 is empty; a layout is relative to the source's prefix and starts without `/`
    layout `{app}//`: segment 2 is empty; a layout is relative to the source's prefix and starts without `/`
    ");
    assert!(Layout::parse(&"x".repeat(1025)).is_err());
}

#[test]
fn literal_text_is_no_stray() {
    let layout = layout("logs/prod-{app}/{date}/gz/");
    assert_eq!(layout.descend(""), "logs/");
    assert_eq!(layout.descend("logs/prod-a/20260301/"), "logs/prod-a/20260301/gz/");
    assert_eq!(layout.level("logs/dev-a/"), Level::Outside);
    assert_eq!(layout.level("logs/prod-a/archive/"), Level::Stray);
    assert_eq!(layout.level("logs/prod-a/20260301/gz/deeper/"), Level::Outside);
    assert_eq!(layout.level("logs/prod-a/"), Level::Folder { is_leaf: false, days: None });
    assert_eq!(layout.leaf_of("logs/prod-a/20260301/gz/x/y.gz"), Some("logs/prod-a/20260301/gz/"));
    assert_eq!(layout.leaf_of("logs/prod-a/20260301/x.gz"), None);
}

#[test]
fn a_part_of_a_date_spans_its_days() {
    let layout = layout("{date:%Y/%m/%d}/");
    let days = |first, last| Level::Folder { is_leaf: false, days: Some((first, last)) };
    assert_eq!(layout.level("2024/"), days(date(2024, 1, 1), date(2024, 12, 31)));
    assert_eq!(layout.level("2024/02/"), days(date(2024, 2, 1), date(2024, 2, 29)));
}

proptest! {
    #[test]
    fn any_text_is_a_layout_or_an_error(text in ".{0,40}", key in ".{0,60}") {
        if let Ok(layout) = Layout::parse(&text) {
            let _ = (layout.place(&key), layout.level(&key), layout.descend(&key), layout.leaf_of(&key));
        }
    }

    #[test]
    fn what_is_written_by_a_layout_is_read_by_it(app in "[a-z][a-z0-9-]{0,8}", days in 0..20_000_i64, name in "[a-z_0-9/]{1,12}") {
        let day = date(1990, 1, 1) + jiff::Span::new().days(days);
        for format in ["%Y%m%d", "%Y/%m/%d", "%Y-%j"] {
            let layout = layout(&format!("l/{{app}}/{{date:{format}}}/"));
            let key = format!("l/{app}/{}/{name}", day.strftime(format));
            prop_assert_eq!(layout.place(&key), Placement { app: Some(&app), day: Some(day), fits: true });
        }
    }
}

/// A world of prefixes and a memory of what was listed, to run surveys on.
struct World {
    layout: Layout,
    prefixes: Vec<String>,
    known: Vec<KnownListing>,
    reach: Reach,
}

const MIDNIGHT: UtcMs = UtcMs::new(20_513 * DAY_MS); // 2026-03-01

impl World {
    fn new(layout_text: &str, prefixes: impl IntoIterator<Item = String>) -> Self {
        let reach = Reach {
            today: date(2026, 3, 1),
            look_back_days: 4,
            backfill_days: 30,
            first_day: date(2026, 3, 1),
            now_ms: MIDNIGHT,
            last_run_ms: None,
        };
        Self {
            layout: layout(layout_text),
            prefixes: prefixes.into_iter().collect(),
            known: Vec::new(),
            reach,
        }
    }

    /// Runs a survey whose listings all succeed, and notes them.
    fn run(&mut self) -> Vec<ListTask> {
        let known = self.known.clone();
        let mut survey = Survey::new(&self.layout, "", &self.reach, known);
        let mut all = Vec::new();
        loop {
            let tasks = survey.next_tasks();
            if tasks.is_empty() {
                break;
            }
            for task in &tasks {
                let children: Vec<String> = children(&self.prefixes, &task.prefix);
                let entries = if task.delimited {
                    children.len() as u64
                } else {
                    self.prefixes.iter().filter(|prefix| prefix.starts_with(&task.prefix)).count() as u64
                };
                if task.delimited {
                    survey.found(&children);
                }
                self.known.retain(|listing| listing.prefix != task.prefix);
                self.known.push(KnownListing {
                    prefix: task.prefix.clone(),
                    tried_ms: self.reach.now_ms,
                    listed_ms: Some(self.reach.now_ms),
                    entries: Some(entries),
                    ..KnownListing::default()
                });
            }
            all.extend(tasks);
        }
        self.reach.last_run_ms = Some(self.reach.now_ms);
        all
    }

    fn later(&mut self, by_ms: i64) -> &mut Self {
        self.reach.now_ms += by_ms;
        let days = (self.reach.now_ms - MIDNIGHT).div_euclid(DAY_MS);
        self.reach.today = date(2026, 3, 1) + jiff::Span::new().days(days);
        self
    }
}

fn children(prefixes: &[String], of: &str) -> Vec<String> {
    let mut found: Vec<String> = prefixes
        .iter()
        .filter_map(|prefix| prefix.strip_prefix(of)?.split_once('/'))
        .map(|(name, _)| format!("{of}{name}/"))
        .collect();
    found.sort();
    found.dedup();
    found
}

fn days(apps: usize, count: i64) -> Vec<String> {
    let day = |back: i64| date(2026, 3, 1) - jiff::Span::new().days(back);
    (0..apps)
        .flat_map(|app| (0..count).map(move |back| format!("app{app}/{}/", day(back).strftime("%Y%m%d"))))
        .collect()
}

fn why(tasks: &[ListTask], why: Why) -> usize {
    tasks.iter().filter(|task| task.why == why).count()
}

#[test]
fn the_first_run_goes_back_as_far_as_told() {
    let mut world = World::new("{app}/{date}/", days(3, 60));
    let first = world.run();
    assert_eq!(
        (why(&first, Why::Discover), why(&first, Why::LookBack), why(&first, Why::New)),
        (4, 3 * 5, 3 * 26)
    );
    let mut world = World::new("{app}/{date}/", days(3, 60));
    world.reach.backfill_days = 0;
    assert_eq!(why(&world.run(), Why::New), 3 * 55);
}

#[test]
fn older_days_are_listed_once_a_day_and_evenly() {
    for (apps, count) in [(3, 7), (3, 30), (40, 31)] {
        let mut world = World::new("{app}/{date}/", days(apps, count));
        world.run();
        let older = apps * (count as usize - 5);
        let mut listed = std::collections::HashMap::new();
        // Up to the midnight that moves the look-back; the moments of the last ten minutes are left out.
        for _ in 1..144 {
            let tasks = world.later(10 * MINUTE_MS).run();
            assert_eq!(why(&tasks, Why::Discover) + why(&tasks, Why::LookBack), 1 + apps + 5 * apps);
            assert!(why(&tasks, Why::InTurn) <= older.div_ceil(144) + 1, "{apps} {count}");
            for task in tasks.into_iter().filter(|task| task.why == Why::InTurn) {
                *listed.entry(task.prefix).or_insert(0) += 1;
            }
        }
        assert!(listed.len() >= older - older.div_ceil(144), "{apps} {count}: {} of {older}", listed.len());
        assert!(listed.values().all(|times| *times == 1), "{apps} {count}");
    }
}

#[test]
fn no_older_day_waits_for_more_than_a_day() {
    let mut world = World::new("{app}/{date}/", days(5, 40));
    world.run();
    for run in 0..500 {
        // Days arrive, so ranks shift.
        if run % 30 == 0 {
            world.prefixes.push(format!("new{run}/20260210/"));
        }
        world.later(10 * MINUTE_MS).run();
        let (now_ms, floor) = (world.reach.now_ms, world.reach.floor());
        for known in &world.known {
            let Level::Folder { days: Some((_, last)), .. } = world.layout.level(&known.prefix) else {
                continue;
            };
            assert!(last < floor || now_ms - known.tried_ms <= DAY_MS + 10 * MINUTE_MS, "{known:?}");
        }
    }
}

#[test]
fn a_nightly_run_lists_everything_in_range() {
    let mut world = World::new("{app}/{date}/", days(3, 20));
    world.run();
    let tasks = world.later(DAY_MS).run();
    assert_eq!(why(&tasks, Why::InTurn) + why(&tasks, Why::LookBack), 60);
}

#[test]
fn a_dated_tree_is_only_descended_where_days_can_be() {
    let mut world = World::new(
        "{app}/{date:%Y/%m/%d}/",
        ["2024/12/31", "2026/01/30", "2026/02/01", "2026/02/27", "2026/03/01"]
            .map(|day| format!("web/{day}/")),
    );
    world.run();
    let tasks = world.later(MINUTE_MS).run();
    let mut prefixes: Vec<&str> =
        tasks.iter().filter(|task| task.why != Why::InTurn).map(|task| task.prefix.as_str()).collect();
    prefixes.sort_unstable();
    assert_eq!(
        prefixes,
        ["", "web/", "web/2026/", "web/2026/02/", "web/2026/02/27/", "web/2026/03/", "web/2026/03/01/"]
    );
    // A day that appears late in a month that is not looked at on every run is found within a day.
    world.prefixes.push("web/2026/01/31/".to_owned());
    let found =
        (0..145).flat_map(|_| world.later(10 * MINUTE_MS).run()).any(|task| task.prefix == "web/2026/01/31/");
    assert!(found);
}

#[test]
fn a_vanished_day_is_listed_until_it_is_seen_empty() {
    let mut world = World::new("{app}/{date}/", days(1, 2));
    world.run();
    world.prefixes.remove(0);
    let lists = |tasks: Vec<ListTask>| tasks.iter().any(|task| task.prefix == "app0/20260301/");
    assert!(lists(world.later(MINUTE_MS).run()));
    assert!(!lists(world.later(MINUTE_MS).run()));
}

#[test]
fn strays_and_the_future_are_listed_once_a_day() {
    let mut world = World::new("{app}/{date}/", ["web/archive/", "web/20990101/"].map(str::to_owned));
    assert_eq!(why(&world.run(), Why::New), 2);
    let again: Vec<ListTask> = (0..144).flat_map(|_| world.later(10 * MINUTE_MS).run()).collect();
    assert_eq!(why(&again, Why::InTurn), 2);
}

#[test]
fn a_layout_without_folders_of_days_lists_all_on_every_run() {
    let mut world = World::new("{app}/", ["web/", "api/"].map(str::to_owned));
    world.run();
    assert_eq!(why(&world.later(MINUTE_MS).run(), Why::Undated), 2);
}

#[test]
fn a_failed_day_is_listed_by_the_next_run() {
    let mut world = World::new("{app}/{date}/", days(1, 10));
    world.run();
    let failed = world.known.iter_mut().find(|listing| listing.prefix == "app0/20260220/").unwrap();
    (failed.listed_ms, failed.entries, failed.failed) = (None, None, true);
    assert_eq!(why(&world.later(MINUTE_MS).run(), Why::New), 1);
    // One that had been listed before does not wait for its turn either.
    for listing in &mut world.known {
        listing.failed = listing.prefix.as_str() < "app0/20260224/" && listing.prefix.contains("/2026");
    }
    assert_eq!(why(&world.later(MINUTE_MS).run(), Why::InTurn), 4);
}

#[test]
fn a_wrong_clock_does_not_stop_the_turns() {
    let mut world = World::new("{app}/{date}/", days(1, 10));
    world.later(400 * DAY_MS).run();
    world.reach.backfill_days = 0;
    world.later(-400 * DAY_MS).run();
    assert_eq!(why(&world.later(HOUR_MS).run(), Why::LookBack), 5);
    assert!(world.known.iter().all(|known| known.tried_ms <= world.reach.now_ms + HOUR_MS));
}

fn entry(key: &str, etag: &str) -> ListedObject {
    ListedObject { key: key.into(), etag: etag.to_owned(), size_bytes: 3, modified_ms: UtcMs::EPOCH }
}

#[test]
fn a_listing_is_compared_with_what_is_known() {
    let layout = layout("{app}/{date}/");
    let listed =
        ["same", "other", "back", "fresh"].map(|name| entry(&format!("p/web/20260301/{name}"), "e1"));
    let arranged = arrange(listed.into(), &layout, "p/", &"prod".into(), Day::MIN);
    let known = |id, name: &str, etag: &str, state| KnownObject {
        id,
        key: format!("p/web/20260301/{name}").into(),
        etag: etag.to_owned(),
        size_bytes: 3,
        state,
        app: "web".into(),
        day: Some(date(2026, 3, 1)),
    };
    let known = [
        known(1, "same", "e1", ObjectState::Mirrored),
        known(2, "other", "e0", ObjectState::Mirrored),
        known(3, "back", "e1", ObjectState::Deleted),
        known(4, "away", "e1", ObjectState::Mirrored),
        known(5, "long away", "e1", ObjectState::Deleted),
    ];
    let diff = diff(arranged.objects, &known);
    let names = |placed: &[PlacedObject]| {
        placed
            .iter()
            .map(|placed| placed.object.key.rsplit('/').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (names(&diff.new), names(&diff.changed)),
        (vec!["back".into(), "fresh".into()], vec!["other".into()])
    );
    assert_eq!((diff.kept, diff.gone, diff.moved), (vec![1], vec![4], vec![]));
}

#[test]
fn nothing_is_left_out_for_its_name() {
    let layout = layout("{app}/{date}/");
    let mut listed = ["p/readme", "p/web/notes.gz", "p/web/20260301/x", "p/web/20200101/x"]
        .map(|key| entry(key, "e"))
        .to_vec();
    listed.push(ListedObject { size_bytes: 0, ..entry("p/web/", "e") });
    let arranged = arrange(listed, &layout, "p/", &"prod".into(), date(2026, 1, 1));
    let apps: Vec<&str> = arranged.objects.iter().map(|placed| placed.app.as_str()).collect();
    assert_eq!(apps, [UNPLACED_APP, "web", "web"]);
    assert_eq!((arranged.unplaced, arranged.folder_markers, arranged.too_old), (2, 1, 1));
    assert_eq!(arranged.first_unplaced.as_deref(), Some("p/readme"));
}

#[test]
fn what_failed_is_tried_after_pauses_that_grow_to_a_day() {
    let tries = |longest_day: i64| {
        let (mut attempts, mut next_ms, mut tries) = (0, UtcMs::EPOCH, Vec::new());
        for run in 0..144 * longest_day {
            let now_ms = UtcMs::new(run * 10 * MINUTE_MS);
            if is_to_try(ObjectState::Archived, next_ms, now_ms) {
                attempts += 1;
                tries.push(run * 10);
                next_ms = now_ms + pause_ms(attempts);
            }
        }
        tries
    };
    assert_eq!(tries(1), [0, 10, 30, 70, 150, 310, 630, 1270]);
    assert_eq!(tries(6).len(), 8 + 5);
    let is_tried = |state, next_ms, now_ms| is_to_try(state, UtcMs::new(next_ms), UtcMs::new(now_ms));
    assert!(!is_tried(ObjectState::Mirrored, 0, 0) && !is_tried(ObjectState::Deleted, 0, 0));
    // A scheduler that comes a little early, and a clock that was wrong.
    assert!(is_tried(ObjectState::Failed, 10 * MINUTE_MS, 10 * MINUTE_MS - 5_000));
    assert!(is_tried(ObjectState::Failed, 400 * DAY_MS, MINUTE_MS));
}

#[test]
fn a_prefix_that_failed_comes_last_and_rests_longer_each_time() {
    let mut world = World::new("{app}/{date}/", days(2, 3));
    world.run();
    let failing = |world: &mut World, attempts, pause_ms| {
        let now_ms = world.reach.now_ms;
        let failed = world.known.iter_mut().find(|known| known.prefix == "app1/20260301/").unwrap();
        (failed.failed, failed.attempts, failed.next_try_ms) = (true, attempts, now_ms + pause_ms);
    };
    failing(&mut world, 1, eager_pause_ms(1));
    let tasks = world.later(10 * MINUTE_MS).run();
    let at = |prefix: &str| tasks.iter().position(|task| task.prefix == prefix);
    assert!(at("app1/20260301/") > at("app0/20260227/"), "{tasks:?}");
    failing(&mut world, 5, eager_pause_ms(5));
    let tasks = world.later(10 * MINUTE_MS).run();
    assert!(!tasks.iter().any(|task| task.prefix == "app1/20260301/"));
    let tasks = world.later(10 * MINUTE_MS).run();
    assert!(tasks.iter().any(|task| task.prefix == "app1/20260301/"));
}
