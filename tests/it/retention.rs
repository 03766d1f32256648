//! The retention: what it drops is gone everywhere, is not fetched or counted again, and everything else
//! is as if it had never been different. Days are counted by the keys, from a fixed clock.

use std::collections::BTreeMap;
use std::fs;

use gzette_core::model::{DAY_MS, MINUTE_MS};
use serde_json::{Value, json};

use crate::pipeline::bucket::Cloud;
use crate::support::{NOON_MS, Project, Recount, copy_folder, day_of, event, files_below, once};

/// Parts of lines that a week has, and one that it has not.
const NEEDLES: [&str; 4] = ["thing 3", "Basket.java:4)", "out of memory", "nowhere"];

/// A project of a week that was run once, with the retention set afterwards.
fn a_week(retention: &str) -> Project {
    let project = Project::new();
    project.put_week();
    project.gzette("run").exits(0);
    project.reconfigure("[site]", &format!("[retention]\n{retention}\n\n[site]"));
    project
}

/// Returns the objects whose day is one of the `days` before today, or today.
fn of_days(project: &Project, days: i64) -> BTreeMap<String, Vec<u8>> {
    let first = day_of(NOON_MS - days * DAY_MS);
    let mut objects = project.objects();
    objects.retain(|key, _| key.split('/').nth(1).unwrap() >= first.as_str());
    once(objects)
}

fn mirrored(project: &Project) -> usize {
    files_below(&project.path("state/mirror/prod")).len()
}

/// Takes the sources away, so that nothing can be fetched.
fn hide_the_source(project: &Project) {
    fs::rename(project.path("logs"), project.path("hidden")).unwrap();
}

fn show_the_source(project: &Project) {
    fs::rename(project.path("hidden"), project.path("logs")).unwrap();
}

fn objects_of(project: &Project) -> Value {
    project.gzette("status --json").exits(0).json()["objects"].clone()
}

#[test]
fn nothing_is_dropped_unless_it_is_asked_for() {
    let project = a_week("mirror_days = 0");
    let before = files_below(&project.path("state/mirror"));
    let report = project.gzette("prune --json").exits(0).json();
    assert_eq!(
        (&report["unmirrored"], &report["expired"], &report["unindexed"]),
        (&json!(0), &json!(0), &json!(0))
    );
    project.gzette("run").exits(0);
    assert_eq!(files_below(&project.path("state/mirror")), before);
}

#[test]
fn pruned_files_are_counted_found_and_not_fetched_again() {
    let mut project = a_week("mirror_days = 2");
    let kept = of_days(&project, 2).len();
    let bytes: u64 = files_below(&project.path("logs")).values().map(|stored| stored.len() as u64).sum();
    let would = project.gzette("prune --dry-run --json").exits(0).json();
    assert_eq!(mirrored(&project), 42, "a dry run changes nothing");
    let report = project.gzette("prune --json").exits(0).json();
    assert_eq!((&would["dry_run"], &report["dry_run"]), (&json!(true), &json!(false)));
    assert_eq!((&report["unmirrored"], &would["unmirrored"]), (&json!(42 - kept), &json!(42 - kept)));
    assert!(report["mirror_bytes"].as_u64().unwrap() < bytes);
    assert_eq!((mirrored(&project), &report["expired"]), (kept, &json!(0)));

    // Neither a run of the same day nor one that lists the old days again brings them back.
    for later_ms in [MINUTE_MS * 10, DAY_MS - MINUTE_MS] {
        project.now_ms = NOON_MS + later_ms;
        let run = project.gzette("sync --json").exits(0).json();
        assert_eq!((&run["requests"]["get"], &run["has_problems"]), (&json!(0), &json!(false)));
    }
    project.now_ms = NOON_MS;
    assert_eq!(mirrored(&project), kept);
    let objects = objects_of(&project);
    for (name, count) in
        [("mirrored", kept), ("pruned", 42 - kept), ("missing", 0), ("deleted", 0), ("waiting", 0)]
    {
        assert_eq!(objects[name], count, "{name}");
    }
    project.counts_what_is_there();
    let verify = project.gzette("verify --json").exits(0).json();
    assert_eq!(
        (&verify["ok"], &verify["objects"], &verify["pruned"]["objects"]),
        (&json!(true), &json!(kept), &json!(42 - kept))
    );

    // Searches fetch what they need and keep nothing.
    project.finds_what_is_there(NEEDLES);
    assert_eq!(mirrored(&project), kept);
}

#[test]
fn an_offline_search_names_what_it_lacks() {
    let project = a_week("mirror_days = 2");
    project.gzette("prune").exits(0);
    let kept = of_days(&project, 2);
    let expected = Recount::of(&kept).lines()[0];
    let pruned = 42 - kept.len();
    let offline = project.gzette("search --offline --count --verbose").exits(3);
    assert_eq!(offline.text().trim(), expected.to_string());
    assert_eq!(offline.stderr.matches("`--offline` forbids it").count(), pruned, "{}", offline.stderr);
    assert!(
        offline.stderr.contains(&format!("api/{}/api_1.gz: ", day_of(NOON_MS - 5 * DAY_MS))),
        "{}",
        offline.stderr
    );

    // Of many, some are enough.
    let short = project.gzette("search --offline --count").exits(3);
    let named = short.stderr.matches("`--offline` forbids it").count();
    let rest = format!("and {} more: `--verbose` names all", pruned - named);
    assert!(named < pruned && short.stderr.contains(&rest), "{}", short.stderr);

    // What the index rules out is not asked for.
    let newest = project.gzette("search --offline --since 1d --count").exits(0).text();
    assert_ne!(newest.trim(), "0");

    // Without the source the answer is the same as offline; a changed object is not taken for the old one.
    hide_the_source(&project);
    let lost = project.gzette("search --count --verbose").exits(3);
    assert_eq!(
        (lost.text().trim(), lost.stderr.matches("not fetched").count()),
        (expected.to_string().as_str(), pruned)
    );
    show_the_source(&project);
    let old = format!("api/{}/api_0.gz", day_of(NOON_MS - 5 * DAY_MS - DAY_MS / 4));
    project.put(&old, event(NOON_MS, "INFO", "out of memory"));
    let changed = project.gzette("search --fixed memory").exits(3);
    assert!(changed.text().contains("out of memory"));
    assert!(!changed.text().contains(&day_of(NOON_MS)), "{}", changed.text());
    assert_eq!(changed.stderr.matches("has changed").count(), 1, "{}", changed.stderr);
}

/// A source that was moved or encrypted again has other etags for the same bytes. The ledger knows the bytes.
#[test]
fn a_search_knows_pruned_objects_by_their_bytes() {
    let project = a_week("mirror_days = 2");
    project.gzette("prune").exits(0);
    let kept = of_days(&project, 2);
    for (key, stored) in files_below(&project.path("logs")) {
        project.put_stored(&key, &stored);
    }
    project.finds_what_is_there(NEEDLES);
    let shown =
        project.gzette(&format!("show logs/api/{}/api_0.gz:3", day_of(NOON_MS - 6 * DAY_MS))).exits(0);
    assert!(shown.text().contains("thing 2"), "{}", shown.text());

    // As many other bytes are not the object, although they decode.
    let old = day_of(NOON_MS - 5 * DAY_MS);
    let key = files_below(&project.path("logs"))
        .into_keys()
        .find(|key| key.contains(&old) && !kept.contains_key(key))
        .unwrap();
    let mut stored = fs::read(project.path("logs").join(&key)).unwrap();
    // The time in the head of gzip (RFC 1952), which its own checksum does not cover.
    stored[4] ^= 1;
    project.put_stored(&key, &stored);
    let changed = project.gzette("search --fixed memory").exits(3);
    let named = |line: &&str| line.contains(&key) && line.contains("has changed");
    assert_eq!(changed.stderr.lines().filter(named).count(), 1, "{}", changed.stderr);
}

#[test]
fn the_oldest_files_make_room() {
    let project = a_week("mirror_bytes = 20000");
    project.gzette("run").exits(0);
    let left = files_below(&project.path("state/mirror/prod"));
    let bytes: usize = left.values().map(Vec::len).sum();
    assert!((10_000..=20_000).contains(&bytes), "{bytes}");
    let oldest = left.keys().map(|name| name.split('/').nth(1).unwrap()).min().unwrap().to_owned();
    let report = project.gzette("search --offline --count").exits(3);
    let gone = report
        .stderr
        .lines()
        .filter(|line| line.contains("--offline"))
        .map(|line| line.split('/').rev().nth(1).unwrap().to_owned());
    assert!(gone.max().unwrap() <= oldest, "{oldest}: {}", report.stderr);
}

#[test]
fn documents_leave_the_index_and_lines_are_found_all_the_same() {
    let project = a_week("index_days = 3");
    let blocks = project.gzette("verify --json").json()["documents"].as_u64().unwrap();
    let report = project.gzette("prune --json").exits(0).json();
    assert_eq!((&report["unmirrored"], &report["expired"]), (&json!(0), &json!(0)));
    let verify = project.gzette("verify --json").exits(0).json();
    assert_eq!(verify["documents"].as_u64().unwrap(), blocks - report["blocks"].as_u64().unwrap());
    assert!(report["blocks"].as_u64().unwrap() > 0);
    project.finds_what_is_there(NEEDLES);
    hide_the_source(&project);
    let found = project.gzette("search --offline --count").exits(0).text();
    show_the_source(&project);
    assert_eq!(found.trim(), Recount::of(&project.objects()).lines()[0].to_string());
    // Neither a run nor a rebuilt index brings them back.
    project.gzette("run").exits(0);
    fs::remove_dir_all(project.path("state/index")).unwrap();
    project.gzette("ingest").exits(0);
    assert_eq!(project.gzette("verify --json").exits(0).json()["documents"], verify["documents"]);
}

#[test]
fn counts_past_their_time_go_with_all_that_hangs_on_them() {
    let mut project = a_week("counts_days = 2");
    let kept = of_days(&project, 2);
    project.gzette("run").exits(0);
    project.counts_these(&Recount::of(&kept));
    assert_eq!(mirrored(&project), kept.len());
    project.verifies();
    let found = project.gzette("search --offline --count").exits(0).text();
    assert_eq!(found.trim(), Recount::of(&kept).lines()[0].to_string());
    assert_eq!(objects_of(&project)["expired"], 42 - kept.len());

    // Listed again, in turn and all over, they are neither fetched nor counted.
    project.reconfigure("url = \"logs/\"", "url = \"logs/\"\nlook_back_days = 10");
    project.now_ms += 10 * MINUTE_MS;
    let run = project.gzette("run --json").exits(0).json();
    assert_eq!((&run["objects"]["listed"], &run["requests"]["get"]), (&json!(42), &json!(0)));
    project.counts_these(&Recount::of(&kept));

    // Other bytes under an old key are a new generation, until the next prune.
    let old = format!("api/{}/api_0.gz", day_of(NOON_MS - 5 * DAY_MS - DAY_MS / 4));
    project.put(&old, event(NOON_MS - 5 * DAY_MS, "INFO", "late news"));
    project.gzette("sync").exits(0);
    project.gzette("ingest").exits(0);
    assert_eq!(project.finds(b"late news").len(), 1);
    project.gzette("prune").exits(0);
    assert!(project.finds(b"late news").is_empty());
    project.counts_these(&Recount::of(&kept));
    project.verifies();
}

#[test]
fn a_file_stays_until_the_index_has_it() {
    let project = a_week("mirror_days = 2");
    let kept = of_days(&project, 2).len();
    fs::remove_dir_all(project.path("state/index")).unwrap();
    let report = project.gzette("prune --json").exits(0).json();
    assert_eq!((&report["unmirrored"], &report["needed"], mirrored(&project)), (&json!(0), &json!(42), 42));
    project.gzette("run").exits(0);
    assert_eq!(mirrored(&project), kept);
    project.verifies();
    project.finds_what_is_there(NEEDLES);
}

#[test]
fn a_lost_index_is_built_again_with_and_without_the_source() {
    let project = a_week("mirror_days = 2");
    project.gzette("prune").exits(0);
    let documents = project.gzette("verify --json").exits(0).json()["documents"].clone();
    let kept = mirrored(&project);

    // A repair fetches what it needs; the next prune takes it back.
    fs::remove_dir_all(project.path("state/index")).unwrap();
    let verify = project.gzette("verify --repair --json").exits(0).json();
    assert_eq!((&verify["documents"], &verify["pruned"]["objects"]), (&documents, &json!(0)));
    project.gzette("run").exits(0);
    assert_eq!(mirrored(&project), kept);

    // An ingest sends no request: it says what the index is built without, which searches then read whole.
    fs::remove_dir_all(project.path("state/index")).unwrap();
    let ingest = project.gzette("ingest").exits(0);
    assert!(ingest.stderr.contains(&format!("without {} objects", 42 - kept)), "{}", ingest.stderr);
    project.verifies();
    project.finds_what_is_there(NEEDLES);
    project.counts_what_is_there();
}

/// The ledger said that files and documents had gone, and the process died before they had.
#[test]
fn what_a_crash_leaves_goes_with_the_next_ingest() {
    let project = a_week("mirror_days = 2\nindex_days = 3\ncounts_days = 4");
    let before = project.path("before");
    copy_folder(&project.path("state"), &before);
    project.gzette("prune").exits(0);
    let after = files_below(&project.path("state/mirror"));
    let documents = project.gzette("verify --json").exits(0).json()["documents"].clone();

    for part in ["mirror", "index"] {
        fs::remove_dir_all(project.path("state").join(part)).unwrap();
        copy_folder(&before.join(part), &project.path("state").join(part));
    }
    // The rows that name the files are those of the prune before it removed them.
    let ledger = gzette::edges::ledger::connect(&project.path("state/ledger.sqlite")).unwrap();
    let again = "INSERT INTO replaced SELECT object.id, object.etag, object.size_bytes FROM object
        LEFT JOIN generation ON generation.object_id = object.id
        WHERE generation.id IS NULL OR generation.mirrored = 0";
    assert!(ledger.execute(again, []).unwrap() > 10);
    drop(ledger);
    let found = project.gzette("search --count").exits(0).text();
    assert_eq!(found.trim(), Recount::of(&of_days(&project, 4)).lines()[0].to_string());
    project.gzette("ingest").exits(0);
    assert_eq!(files_below(&project.path("state/mirror")), after);
    assert_eq!(project.gzette("verify --json").exits(0).json()["documents"], documents);
    project.counts_these(&Recount::of(&of_days(&project, 4)));
}

#[test]
fn deleted_objects_are_kept_and_marked() {
    let project = Project::new();
    project.put_week();
    project.gzette("run").exits(0);
    let all = project.objects();
    let gone = format!("api/{}/api_0.gz", day_of(NOON_MS - DAY_MS - DAY_MS / 4));
    fs::remove_file(project.path("logs").join(&gone)).unwrap();
    project.gzette("run").exits(0);
    assert_eq!(objects_of(&project)["deleted"], 1);
    project.counts_these(&Recount::of(&all));
    project.verifies();
    project.gzette("report").exits(0);
    let page = fs::read_to_string(project.path("site/ingest.html")).unwrap();
    assert!(page.contains("1 more no longer listed"), "{page}");

    // From now on they go; one that comes back is counted again.
    project.reconfigure("url = \"logs/\"", "url = \"logs/\"\nkeep_deleted = false");
    let report = project.gzette("prune --json").exits(0).json();
    assert_eq!(
        (&report["expired"], &report["deleted"], &report["unmirrored"]),
        (&json!(1), &json!(1), &json!(1))
    );
    project.counts_what_is_there();
    assert_eq!(mirrored(&project), 41);
    project.verifies();
    project.put(&gone, &all[&gone]);
    project.gzette("run").exits(0);
    project.counts_these(&Recount::of(&all));
    project.verifies();
}

#[test]
fn a_bucket_gives_back_what_was_pruned_and_keeps_or_drops_what_is_deleted() {
    let mut cloud = Cloud::new("retention");
    cloud.project.put_week();
    cloud.upload();
    cloud.project.reconfigure("[site]", "[retention]\nmirror_days = 2\n\n[site]");
    let run = cloud.project.gzette("run --json").exits(0).json();
    assert_eq!(run["requests"]["get"], 42);
    let kept = of_days(&cloud.project, 2).len();
    assert_eq!(mirrored(&cloud.project), kept);
    cloud.project.finds_what_is_there(NEEDLES);
    cloud.project.now_ms += 10 * MINUTE_MS;
    assert_eq!(cloud.project.gzette("run --json").exits(0).json()["requests"]["get"], 0);

    let all = cloud.project.objects();
    let gone = format!("api/{}/api_0.gz", day_of(NOON_MS - DAY_MS - DAY_MS / 4));
    cloud.delete(&gone);
    cloud.project.now_ms += 10 * MINUTE_MS;
    cloud.project.gzette("run").exits(0);
    assert_eq!(objects_of(&cloud.project)["deleted"], 1);
    cloud.project.counts_these(&Recount::of(&all));
    cloud.project.verifies();
    cloud.project.reconfigure("/logs/\"", "/logs/\"\nkeep_deleted = false");
    cloud.project.now_ms += 10 * MINUTE_MS;
    cloud.project.gzette("run").exits(0);
    cloud.project.counts_what_is_there();
    cloud.project.verifies();
    assert_eq!(mirrored(&cloud.project), kept - 1);
}

/// A failed listing deletes nothing, whatever the configuration does with deleted objects.
#[test]
fn what_could_not_be_listed_is_not_deleted() {
    let project = Project::new();
    project.reconfigure("url = \"logs/\"", "url = \"logs/\"\nkeep_deleted = false");
    project.put_week();
    project.gzette("run").exits(0);
    let all = project.objects();
    hide_the_source(&project);
    assert_ne!(project.gzette("run").code(), Some(0));
    project.gzette("prune").exits(0);
    project.counts_these(&Recount::of(&all));
    assert_eq!(objects_of(&project)["deleted"], 0);
}
