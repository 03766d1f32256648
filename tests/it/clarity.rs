//! An application whose lines are not understood is never called quiet.

use std::fmt::Write as _;

use gzette::edges::ledger::Ledger;
use gzette_core::model::{HOUR_MS, UtcMs};

use crate::support::{Project, text_of};

/// Lines whose level stands in a field of no known name.
fn odd(from_ms: UtcMs) -> String {
    let mut text = String::new();
    for number in 0..40 {
        let time = gzette_core::human::time(from_ms + number * 1000);
        let grade = if number % 10 == 0 { "ERROR" } else { "INFO" };
        writeln!(text, r#"{{"time":"{time}","x_grade":"{grade}","message":"order {number} <b>taken</b>"}}"#)
            .unwrap();
    }
    text
}

fn project() -> Project {
    let project = Project::new();
    let from_ms = project.now_ms - HOUR_MS;
    project.put("odd/20260301/a.gz", odd(from_ms));
    project.put("web/20260301/a.gz", text_of("web", from_ms, 40));
    project
}

fn unclear(project: &Project) -> serde_json::Value {
    project.gzette("status --json").exits(0).json()["not_understood"].clone()
}

#[test]
fn what_is_not_understood_is_said_wherever_errors_are_counted() {
    let project = project();
    let run = project.gzette("run").exits(0);
    assert!(
        run.stderr.contains("odd: 100 % of its events have no level; name the field in `fields`"),
        "{}",
        run.stderr
    );
    assert!(run.stderr.contains("order 0 <b>taken</b>"), "{}", run.stderr);
    assert!(project.gzette("status").exits(0).text().contains("unclear       odd: 100 %"));
    assert_eq!(unclear(&project)[0]["app"], "odd");
    assert_eq!(unclear(&project).as_array().unwrap().len(), 1);
    for page in ["index.html", "ingest.html"] {
        let page = std::fs::read_to_string(project.path("site").join(page)).unwrap();
        assert!(page.contains("Not understood") && page.contains("100 % of its events have no level"));
        assert!(page.contains("order 0 &lt;b&gt;taken"), "an example, escaped");
        assert!(!page.contains("All quiet") && !page.contains("<b>taken"));
    }
}

#[test]
fn a_named_field_or_an_application_without_levels_is_understood() {
    let project = project();
    project.gzette("run").exits(0);
    project.reconfigure("url =", "unlevelled = [\"odd\"]\nurl =");
    assert_eq!(unclear(&project).as_array().unwrap().len(), 0);
    project.reconfigure("unlevelled = [\"odd\"]", "fields = { level = [\"x_grade\"] }");
    let run = project.gzette("run").exits(0);
    assert!(run.stderr.contains("fields of `prod` changed: 2 objects read again"), "{}", run.stderr);
    assert_eq!(unclear(&project).as_array().unwrap().len(), 0);
    let counted = project.gzette("count --app odd --by level --json").exits(0).text();
    assert!(counted.contains("\"error\"") && !counted.contains("\"unknown\""), "{counted}");
    let ledger = Ledger::open_read_only(&project.path("state/ledger.sqlite")).unwrap();
    assert_eq!(ledger.clarity(UtcMs::EPOCH).unwrap()[0].1.unlevelled, 0);
}
