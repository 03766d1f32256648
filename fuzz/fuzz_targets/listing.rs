//! The pages of an S3 listing, and what the plan makes of them: a listing that is believed is whole, sorted, below its
//! prefix and without duplicates; each entry is new, changed or kept once, and the second look finds nothing to do.
#![no_main]

use std::collections::HashSet;

use arbitrary::Arbitrary;
use gzette_core::model::{Day, ListedObject, UtcMs};
use gzette_core::plan::{
    Arranged, KnownObject, Layout, ObjectState, PlacedObject, Reach, Survey, arrange, diff,
};
use gzette_fuzz::store::{Listing, WirePage, entries, read};
use libfuzzer_sys::fuzz_target;

const LAYOUTS: [&str; 5] = [
    "{app}/{date:%Y%m%d}/",
    "{app}/",
    "{date:%Y/%m/%d}/{app}/{*}.gz",
    "y={date:%Y}/d={date:%j}/",
    "{app}-{date}_{*}",
];

#[derive(Arbitrary, Debug)]
struct Case<'a> {
    prefix: &'a str,
    delimited: bool,
    layout: u8,
    pages: Vec<WirePage>,
    /// What was listed before: places in the listing of now, and whether it was another version.
    known: Vec<(u8, bool)>,
    /// A layout that somebody configured.
    text: &'a str,
}

fuzz_target!(|case: Case<'_>| {
    let layout = Layout::parse(LAYOUTS[usize::from(case.layout) % LAYOUTS.len()]).expect("it is one");
    let (listing, used) = match read(&case.pages, case.prefix, case.delimited) {
        Ok(listing) => listing,
        Err(reason) => return assert!(!reason.is_empty()),
    };
    check_listing(&listing, &case.pages[..used], case.prefix, case.delimited);
    check_survey(&layout, case.prefix, &listing.prefixes);
    if let Ok(layout) = Layout::parse(case.text) {
        check_plan(&layout, case.prefix, listing.objects.clone(), &case.known);
    }
    check_plan(&layout, case.prefix, listing.objects, &case.known);
});

fn check_listing(listing: &Listing, pages: &[WirePage], prefix: &str, delimited: bool) {
    assert!(pages.iter().all(WirePage::counts_right));
    assert_eq!(listing.objects.len() + listing.prefixes.len(), entries(pages), "every entry is listed");
    assert!(listing.objects.is_sorted_by(|one, next| one.key < next.key));
    assert!(listing.prefixes.is_sorted_by(|one, next| one < next));
    for object in &listing.objects {
        assert!(object.key.starts_with(prefix));
        assert!(!object.etag.is_empty());
    }
    for child in &listing.prefixes {
        assert!(delimited && child.starts_with(prefix) && child.len() > prefix.len());
        assert!(child.ends_with('/'));
    }
}

/// A survey ends, asks for no prefix twice, and for none outside its root.
fn check_survey(layout: &Layout, root: &str, children: &[String]) {
    let reach = Reach {
        today: jiff::civil::date(2024, 2, 29),
        look_back_days: 4,
        backfill_days: 30,
        first_day: jiff::civil::date(2024, 2, 1),
        now_ms: UtcMs::new(1_709_200_000_000),
        last_run_ms: None,
    };
    let mut survey = Survey::new(layout, root, &reach, Vec::new());
    let mut asked = HashSet::new();
    loop {
        let tasks = survey.next_tasks();
        if tasks.is_empty() {
            break;
        }
        for task in tasks {
            assert!(task.prefix.starts_with(root), "`{}` is outside `{root}`", task.prefix);
            assert!(asked.insert(task.prefix.clone()), "`{}` is listed twice", task.prefix);
            survey.found(children);
        }
    }
}

fn check_plan(layout: &Layout, prefix: &str, objects: Vec<ListedObject>, known: &[(u8, bool)]) {
    let listed = objects.len();
    let Arranged { objects, folder_markers, too_old, unplaced, .. } =
        arrange(objects, layout, prefix, &"source".into(), Day::MIN);
    assert_eq!((objects.len() as u64 + folder_markers + too_old) as usize, listed, "no entry is lost");
    assert!(unplaced <= objects.len() as u64);
    assert!(objects.iter().all(|placed| !placed.app.is_empty()));
    let known = known_of(&objects, known);
    let changes = diff(objects.clone(), &known);
    assert_eq!(changes.new.len() + changes.changed.len() + changes.kept.len(), objects.len());
    let gone: HashSet<_> = changes.gone.iter().collect();
    assert!(changes.kept.iter().all(|id| !gone.contains(id)));
    let all = objects.iter().zip(0..).map(|(placed, id)| row(placed, id)).collect::<Vec<_>>();
    let again = diff(objects, &all);
    assert!(
        again.new.is_empty() && again.changed.is_empty() && again.moved.is_empty() && again.gone.is_empty()
    );
    assert_eq!(again.kept.len(), all.len());
}

/// Rows of some of the objects, some of another version.
fn known_of(objects: &[PlacedObject], known: &[(u8, bool)]) -> Vec<KnownObject> {
    let mut seen = HashSet::new();
    let rows = known.iter().filter_map(|&(at, other)| {
        let at = usize::from(at);
        let mut known = row(objects.get(at).filter(|_| seen.insert(at))?, at as i64);
        known.etag.extend(other.then_some('x'));
        Some(known)
    });
    rows.collect()
}

fn row(placed: &PlacedObject, id: i64) -> KnownObject {
    KnownObject {
        id,
        key: placed.object.key.clone(),
        etag: placed.object.etag.clone(),
        size_bytes: placed.object.size_bytes,
        state: ObjectState::Mirrored,
        app: placed.app.clone(),
        day: placed.day,
    }
}
