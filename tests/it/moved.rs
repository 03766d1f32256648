//! A changed configuration applies to all known objects.

use gzette::edges::ledger::Ledger;
use gzette_core::model::{HOUR_MS, MINUTE_MS};

use crate::support::{Project, text_of};

fn later(project: &mut Project) -> &Project {
    project.now_ms += 10 * MINUTE_MS;
    project
}

/// Returns how many events each application has.
fn by_app(project: &Project) -> String {
    project.gzette("count --by app").exits(0).text()
}

/// Requires the counts, verify and searches of a new state with the same configuration.
fn is_as_if_new(project: &Project) {
    project.verifies();
    let new = Project::new();
    new.configure(&std::fs::read_to_string(project.path("gzette.toml")).unwrap());
    std::fs::remove_dir(new.path("logs")).unwrap();
    std::os::unix::fs::symlink(project.path("logs"), new.path("logs")).unwrap();
    new.gzette("run");
    for line in [
        "count --by app,level,hour",
        "count --by group",
        "search order --app api --count",
        "search order --count",
    ] {
        assert_eq!(project.gzette(line).exits(0).text(), new.gzette(line).exits(0).text(), "{line}");
    }
}

#[test]
fn a_corrected_layout_moves_what_is_counted() {
    let mut project = Project::new();
    project.put_week();
    project.reconfigure("url = \"logs/\"", "url = \"logs/\"\nlayout = \"{*}/{app}/\"");
    project.gzette("run");
    assert!(by_app(&project).contains("20260301"), "the days pass for applications");
    project.reconfigure("{*}/{app}/", "{app}/{date}/");
    let run = later(&mut project).gzette("run").exits(0);
    let said = "layout of `prod` changed: 42 objects moved to 3 applications";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    assert!(!by_app(&project).contains("20260301"), "{}", by_app(&project));
    is_as_if_new(&project);
    let run = later(&mut project).gzette("run").exits(0);
    assert!(!run.stderr.contains("layout"), "{}", run.stderr);
}

#[test]
fn a_changed_time_zone_reads_everything_again() {
    let mut project = Project::new();
    project.put("api/20260301/a.gz", "2026-03-01 09:00:00,000 ERROR [main] c.Main - order failed\n");
    project.gzette("run").exits(0);
    let hours = |project: &Project| project.gzette("count --by hour").exits(0).text();
    assert!(hours(&project).contains("09:00"), "{}", hours(&project));
    project.reconfigure("url = \"logs/\"", "url = \"logs/\"\ntimezone = \"Europe/Berlin\"");
    let run = later(&mut project).gzette("run").exits(0);
    let said = "timezone of `prod` changed: 1 object read again";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    assert!(hours(&project).contains("08:00"), "{}", hours(&project));
    is_as_if_new(&project);
    project.reconfigure("Europe/Berlin", "Asia/Tokyo");
    project.reconfigure("name = \"prod\"", "name = \"live\"");
    let run = later(&mut project).gzette("run").exits(0);
    let said = "timezone of `live` changed: 1 object read again";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    is_as_if_new(&project);
}

#[test]
fn changed_names_of_fields_read_everything_again() {
    let mut project = Project::new();
    project.put(
        "api/20260301/a.gz",
        "{\"when\":\"2026-03-01T09:00:00Z\",\"how_bad\":\"ERROR\",\"words\":\"order 17 failed for siteCode=L236\"}\n",
    );
    project.gzette("run").exits(0);
    let levels = |project: &Project| project.gzette("count --by level").exits(0).text();
    assert!(levels(&project).contains("unknown"), "{}", levels(&project));
    let fields = "url = \"logs/\"\nfields = { level = [\"how_bad\"], message = [\"words\"] }";
    project.reconfigure("url = \"logs/\"", fields);
    let run = later(&mut project).gzette("run").exits(0);
    let said = "fields of `prod` changed: 1 object read again";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    assert!(levels(&project).contains("error"), "{}", levels(&project));
    for expression in ["siteCode:L236", "how_bad:error", "siteCode:L2*"] {
        assert_eq!(
            project.gzette(&format!("search --count {expression}")).exits(0).text().trim(),
            "1",
            "{expression}"
        );
    }
    assert!(project.gzette("search order --by siteCode").exits(0).text().contains("L236"));
    is_as_if_new(&project);
}

#[test]
fn a_renamed_source_is_counted_once() {
    let mut project = Project::new();
    project.put_week();
    let ten = text_of("ten", project.now_ms - HOUR_MS, 10);
    project.put("api/20260301/growing.gz", &ten);
    project.gzette("run").exits(0);
    project.reconfigure("name = \"prod\"", "name = \"live\"");
    let more = ten + &text_of("more", project.now_ms - HOUR_MS, 2);
    project.put("api/20260301/growing.gz", &more);
    let run = later(&mut project).gzette("run --json").exits(0);
    assert!(run.stderr.contains("source `prod` is now called `live`"), "{}", run.stderr);
    assert_eq!(run.json()["requests"]["get"], 1, "the mirrored files are found under the new name");
    project.counts_what_is_there();
    is_as_if_new(&project);
    assert!(!project.path("state/mirror/prod").exists());
}

#[test]
fn a_source_renamed_again_after_an_interrupted_run_keeps_its_files() {
    let mut project = Project::new();
    project.put_week();
    project.gzette("run").exits(0);
    // Here a run stops: the ledger knows the new name, no file has it yet.
    let mut ledger = Ledger::open(&project.path("state/ledger.sqlite")).unwrap();
    let source = ledger.source_rows().unwrap().remove(0);
    ledger.rename_source(&source, &"between".into(), project.now_ms).unwrap();
    drop(ledger);
    project.reconfigure("name = \"prod\"", "name = \"live\"");
    let status = project.gzette("status").text();
    assert!(!status.contains("gone"), "{status}");
    let run = later(&mut project).gzette("run --json").exits(0);
    assert_eq!(run.json()["requests"]["get"], 0, "the mirrored files are found under the new name");
    is_as_if_new(&project);
    for old in ["prod", "between"] {
        assert!(!project.path("state/mirror").join(old).exists(), "{old}");
    }
}

#[test]
fn objects_called_by_their_source_follow_its_name() {
    let mut project = Project::new();
    project.put_week();
    project.reconfigure("url = \"logs/\"", "url = \"logs/\"\nlayout = \"{*}/{date}/\"");
    project.gzette("run").exits(0);
    project.reconfigure("name = \"prod\"", "name = \"live\"");
    let run = later(&mut project).gzette("run").exits(0);
    assert!(run.stderr.contains("`live`: 42 objects moved to 1 application"), "{}", run.stderr);
    assert!(!run.stderr.contains("layout of"), "{}", run.stderr);
    assert!(by_app(&project).contains("live"), "{}", by_app(&project));
}

#[test]
fn a_removed_source_is_named_until_it_is_dropped() {
    let mut project = Project::new();
    project.put_week();
    project.gzette("run").exits(0);
    std::fs::create_dir_all(project.path("other/web/20260301")).unwrap();
    project.reconfigure("name = \"prod\"\nurl = \"logs/\"", "name = \"live\"\nurl = \"other/\"");
    let names = |text: &str| {
        text.contains("the ledger holds 42 objects of the source `prod`, which is not configured")
            && text.contains("prune --source prod` drops them")
    };
    let run = later(&mut project).gzette("run").exits(0);
    assert!(names(&run.stderr), "{}", run.stderr);
    let status = project.gzette("status").exits(0).text();
    assert!(names(&status), "{status}");
    project.gzette("prune --source live").exits(2);
    project.gzette("prune --source prod").exits(0);
    project.gzette("prune --source prod").exits(2);
    assert!(!project.path("state/mirror/prod").exists());
    project.verifies();
    assert_eq!(project.gzette("search order --count").exits(0).text().trim(), "0");
    assert_eq!(project.gzette("status --json").json()["objects"]["listed"], 0);
    let run = later(&mut project).gzette("run").exits(0);
    assert!(!run.stderr.contains("prod"), "{}", run.stderr);
    project.verifies();
}
