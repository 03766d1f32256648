//! Counts, duplicates and problems, read back from a ledger that a story of lines made.

use super::testing::Story;
use super::*;
use gzette_core::model::{DAY_MS, GenerationId, HOUR_MS, Level, MINUTE_MS, UtcMs, Window};
use gzette_core::plan::ObjectState;

/// 2023-10-30 00:00 UTC.
const MIDNIGHT: UtcMs = UtcMs::new(1_698_624_000_000);

fn all() -> CountFilter {
    CountFilter { apps: Vec::new(), levels: u8::MAX, window: Window::ALL, group: None }
}

fn story() -> Story {
    Story::default()
        .events(3, "orders", MIDNIGHT + HOUR_MS, Level::Error, "no stock")
        .events(2, "orders", MIDNIGHT + HOUR_MS, Level::Info, "sold")
        .events(4, "orders", MIDNIGHT - HOUR_MS, Level::Error, "no stock")
        .events(5, "billing", MIDNIGHT - HOUR_MS, Level::Warn, "slow")
        .events(1, "billing", UtcMs::EPOCH - 30 * MINUTE_MS, Level::Fatal, "gone")
}

/// Counts as text, a row a line.
fn rows(ledger: &Ledger, by: &[Dimension], filter: &CountFilter) -> Vec<(String, u64)> {
    let text = |cell: &Cell| match cell {
        Cell::None => "-".to_owned(),
        Cell::Name(name) => name.to_string(),
        Cell::Level(level) => level.to_string(),
        Cell::Time(time_ms) => time_ms.stamp().unwrap().to_string(),
        Cell::Group(_) => "group".to_owned(),
    };
    let rows = ledger.count(by, filter).unwrap().into_iter();
    rows.map(|row| (row.cells.iter().map(text).collect::<Vec<_>>().join(" "), row.events)).collect()
}

#[test]
fn counts_by_application_level_and_time() {
    let ledger = story().ledger(MIDNIGHT);
    assert_eq!(rows(&ledger, &[], &all()), [(String::new(), 15)]);
    assert_eq!(
        rows(&ledger, &[Dimension::App, Dimension::Level], &all()),
        [("billing warn", 5), ("billing fatal", 1), ("orders info", 2), ("orders error", 7)]
            .map(|(key, events)| (key.to_owned(), events))
    );
    assert_eq!(
        rows(&ledger, &[Dimension::Day], &all()),
        [("1969-12-31T00:00:00Z", 1), ("2023-10-29T00:00:00Z", 9), ("2023-10-30T00:00:00Z", 5)]
            .map(|(key, events)| (key.to_owned(), events))
    );
    assert_eq!(rows(&ledger, &[Dimension::Hour], &all())[0], ("1969-12-31T23:00:00Z".to_owned(), 1));
    let by_group = rows(&ledger, &[Dimension::Group], &all());
    assert_eq!(by_group[0], ("-".to_owned(), 7));
    assert_eq!(by_group.len(), 3);
}

#[test]
fn counts_take_the_slots_that_begin_in_the_window() {
    let ledger = story().ledger(MIDNIGHT);
    let cut = MIDNIGHT + HOUR_MS + 1;
    let count = |start_ms, end_ms| {
        let window = Window { start_ms, end_ms };
        ledger.count(&[], &CountFilter { window, ..all() }).unwrap()[0].events
    };
    assert_eq!((count(UtcMs::MIN, cut), count(cut, UtcMs::MAX)), (15, 0));
    assert_eq!((count(UtcMs::MIN, cut - 1), count(cut - 1, UtcMs::MAX)), (10, 5));
}

#[test]
fn counts_are_filtered_by_names_that_are_only_names() {
    let ledger = story().ledger(MIDNIGHT);
    let of = |app: &str| {
        let filter = CountFilter { apps: vec![app.into()], levels: Level::Error.bit(), ..all() };
        ledger.count(&[], &filter).unwrap()[0].events
    };
    assert_eq!((of("orders"), of("billing"), of("') OR 1 --")), (7, 0, 0));
}

#[test]
fn records_delivered_twice_count_once() {
    let ledger = story().twice("orders", MIDNIGHT + HOUR_MS).ledger(MIDNIGHT);
    assert_eq!(ledger.count(&[], &all()).unwrap()[0].events, 15);
    let mut counted = 0;
    ledger.each_count(|count| counted += count.events).unwrap();
    assert_eq!(counted, 15);
    let (problems, number) = ledger.problems(10).unwrap();
    assert_eq!(number, 1);
    assert_eq!(problems[0].kind, ProblemKind::Duplicate);
    assert!(problems[0].reason.starts_with("the same bytes as `logs/orders/"));
    assert_eq!(ledger.app_totals(MIDNIGHT, UtcMs::EPOCH).unwrap()[1].lines.total, 9);
}

#[test]
fn harmless_problems_come_last_into_the_limit() {
    let mut ledger = story()
        .twice("orders", MIDNIGHT + HOUR_MS)
        .unreadable("x/1.gz", ObjectState::Denied, "AccessDenied")
        .ledger(MIDNIGHT);
    let source = ledger.source_id(&super::testing::SOURCE.into(), "s3://bucket/logs").unwrap();
    let now_ms = MIDNIGHT + DAY_MS;
    let failed =
        FailedListing { prefix: "logs/y/", now_ms, why: "timed out", attempts: Some(1), pause_ms: 0 };
    ledger.record_failed_listing(source, &failed).unwrap();
    let (problems, number) = ledger.problems(2).unwrap();
    assert_eq!(number, 3);
    let shown: Vec<_> =
        problems.iter().map(|p| (p.kind.name(), p.place.as_str(), p.reason.as_str())).collect();
    assert_eq!(
        shown,
        [
            ("listing failed", "s3://bucket/logs/y/", "timed out"),
            ("denied", "s3://bucket/logs/x/1.gz", "AccessDenied")
        ]
    );
    assert_eq!(ledger.source_totals().unwrap()[0].failed_prefixes, 1);
}

#[test]
fn mirrored_versions_follow_one_another_round_and_round() {
    let mut ledger = story().ledger(MIDNIGHT);
    let number = ledger.generation_count().unwrap();
    let after = |ledger: &Ledger, from, number| -> Vec<GenerationId> {
        let found = ledger.mirrored_after(from, number).unwrap();
        found.into_iter().map(|object| object.generation).collect()
    };
    let all = after(&ledger, GenerationId(i64::MIN), 100);
    assert_eq!((all.len() as u64, all.is_sorted()), (number, true));
    let last = all.len() - 1;
    assert_eq!(after(&ledger, all[last - 1], 2), [all[last], all[0]]);
    assert_eq!(after(&ledger, all[0], 100), [&all[1..], &all[..1]].concat());
    let source = ledger.source_rows().unwrap().remove(0);
    assert_eq!(ledger.source_objects(source.id).unwrap(), number);
    ledger.rename_source(&source, &"live".into(), MIDNIGHT).unwrap();
    assert!(after(&ledger, all[0], 100).is_empty(), "the files may still have their old names");
    let old = Some(super::testing::SOURCE.into());
    assert_eq!(ledger.sources_in_mirror().unwrap(), [("live".into(), old)]);
    ledger.forget_old_name(source.id).unwrap();
    assert_eq!(after(&ledger, all[0], 100).len(), all.len());
    assert_eq!(ledger.sources_in_mirror().unwrap(), [("live".into(), None)]);
}

#[test]
fn how_a_source_was_read_goes_with_its_name() {
    let mut ledger = story().ledger(MIDNIGHT);
    let source = ledger.source_rows().unwrap().remove(0);
    ledger.set_fact(&reading_fact(&source.name), "UTC").unwrap();
    ledger.set_fact(&reading_fact(&"live".into()), "of one that was dropped long ago").unwrap();
    ledger.rename_source(&source, &"live".into(), MIDNIGHT).unwrap();
    assert_eq!(ledger.fact(&reading_fact(&source.name)).unwrap(), None);
    assert_eq!(ledger.fact(&reading_fact(&"live".into())).unwrap().as_deref(), Some("UTC"));
    ledger.forget_source(source.id).unwrap();
    assert_eq!(ledger.fact(&reading_fact(&"live".into())).unwrap(), None);
}

#[test]
fn misfits_are_told_when_they_grow_and_counted_as_they_are() {
    let mut ledger = story().ledger(MIDNIGHT);
    let source = ledger.source_rows().unwrap().remove(0).id;
    for (number, is_told) in [(5, true), (5, false), (2, false), (2, false), (3, true), (3, false)] {
        let told = ledger.note_stray(source, "logs/x/", ("logs/x/a", number), MIDNIGHT).unwrap();
        assert_eq!((told, ledger.stray_count().unwrap()), (is_told, number));
    }
}

#[test]
fn a_run_with_nothing_to_do_reads_no_table_of_objects_from_end_to_end() {
    let ledger = Ledger::in_memory().unwrap();
    for sql in [super::batch::PENDING, &super::grouping::outdated(), &ledger.unread()] {
        let mut plan = ledger.connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps =
            plan.raw_query().mapped(|row| row.get(3)).collect::<rusqlite::Result<Vec<String>>>().unwrap();
        let is_whole = |step: &&String| {
            step.starts_with("SCAN") && ["object", "generation"].iter().any(|table| step.contains(table))
        };
        let whole: Vec<_> = steps.iter().filter(is_whole).collect();
        let allowed =
            |step: &&String| step.contains("object_uncounted") || step.contains("generation_damaged");
        assert!(whole.iter().all(allowed), "{sql}: {steps:#?}");
        assert!(!steps.is_empty());
    }
}

#[test]
fn what_is_counted_again_is_pending_and_nothing_else() {
    let mut ledger = story().ledger(MIDNIGHT);
    assert_eq!(ledger.pending(10).unwrap(), []);
    let forgotten = ledger.generations().unwrap().remove(1).object;
    ledger.forget_generation(forgotten.generation).unwrap();
    assert_eq!(ledger.pending(10).unwrap(), [forgotten]);
}
