//! An empty result says what to type instead, once, on stderr.

use crate::support::{NOON_MS, Project, event};

fn project() -> Project {
    let project = Project::new();
    let line = r#"{"@timestamp":"2026-03-01T11:00:00Z","level":"INFO","status":503,"user":{"name":"ann"},"message":"日本語テキスト clock"}"#;
    project.put("api/20260301/pod.gz", format!("{line}\n"));
    project.put("web/20260301/pod.gz", event(NOON_MS, "INFO", "tick"));
    project.gzette("run").exits(0);
    project
}

#[test]
fn an_empty_result_says_what_to_type_instead() {
    let project = project();
    for (args, hint) in [
        (&["*ock"][..], "a `*` stands only for the end of a word; instead of `*ock` write `'/ock\\b/i'`"),
        (
            &["日本語"],
            "`日本語` is searched as a whole word; write `日本語*` for the start of one, or `--fixed 日本語` for any part",
        ),
        (&["stauts>=500"], "the newest lines have no field `stauts`; did you mean `status`?"),
        (&["stauts:503"], "the newest lines have no field `stauts`; did you mean `status`?"),
        (&["user.nam:\"ann\""], "the newest lines have no field `user.nam`; did you mean `user.name`?"),
        (&["qqq:\"x\""], "the newest lines have no field `qqq`; put it in quotes to find it as a text"),
        (
            &["tick", "--on", "2026-01-31"],
            "no events are of that time: they go from 2026-03-01T11:00:00Z to 2026-03-01T12:00:00Z; write `--from 2026-03-01T11:00:00Z`",
        ),
        (
            &["--fixed", "clock", "--app", "web", "--to", "2026-03-01"],
            "no events are of that time: they go from 2026-03-01T12:00:00Z to 2026-03-01T12:00:00Z; write `--from 2026-03-01T12:00:00Z`",
        ),
    ] {
        for more in [&[][..], &["--count"], &["--json"]] {
            let found = project.gzette_with(&[&["search"], args, more].concat()).exits(0);
            assert_eq!(found.stderr, format!("hint      {hint}\n"), "{args:?}");
            assert!(found.text().is_empty() || found.text().contains('0'), "{}", found.text());
        }
        let quiet = project.gzette_with(&[&["search", "-q"], args].concat()).exits(0);
        assert_eq!((quiet.text(), quiet.stderr), (String::new(), String::new()), "{args:?}");
    }
}

#[test]
fn what_is_typed_instead_finds_it_and_what_is_right_gets_no_hint() {
    let project = project();
    for (args, lines) in [
        (&["/ock\\b/i"][..], 1),
        (&["日本語*"], 1),
        (&["--fixed", "日本語"], 1),
        (&["status>=500"], 1),
        (&["status>=900"], 0),
        (&["nowhere"], 0),
        (&["db-7:5432"], 0),
        (&["tick", "--from", "2026-03-01T12:00:00Z"], 1),
    ] {
        let found = project.gzette_with(&[&["search"], args].concat()).exits(0);
        assert_eq!((found.text().lines().count(), found.stderr.as_str()), (lines, ""), "{args:?}");
    }
}

#[test]
fn a_search_before_the_first_run_names_it() {
    let project = Project::new();
    project.gzette("run").exits(0);
    let found = project.gzette("search x").exits(0);
    assert!(found.stderr.starts_with("hint      nothing was ingested yet: `gzette"), "{}", found.stderr);
}
