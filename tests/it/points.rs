//! Lines far inside an object are read from an access point, and are the same as from the object's start.

use gzette::edges::ledger::Ledger;
use gzette::shell::demo::random::Random;
use gzette_core::model::UtcMs;

use crate::support::{Project, event};

/// 2026-03-01T06:00:00Z.
const MORNING_MS: UtcMs = UtcMs::new(1_772_344_800_000);

/// 7 MB of lines that compress badly, each with an id of its own.
fn text() -> (String, Vec<String>) {
    let mut random = Random::new(3);
    let mut ids = Vec::new();
    let mut text = String::new();
    while text.len() < 7 << 20 {
        let id = format!("{:016x}", random.bits());
        let message = format!("order {id} by {:032x} took {}", random.bits(), random.below(100_000));
        text.push_str(&event(MORNING_MS + ids.len() as i64, "INFO", &message));
        text.push('\n');
        ids.push(id);
    }
    (text, ids)
}

#[test]
fn lines_far_inside_an_object_are_found_from_points() {
    let project = Project::new();
    let (text, ids) = text();
    project.put("web/20260301/large.gz", &text);
    project.gzette("run -q").exits(0);

    let ledger = Ledger::open_read_only(&project.path("state/ledger.sqlite")).unwrap();
    let generation = ledger.generations().unwrap()[0].object.generation;
    let last = ledger.point_between(generation, 0, text.len() as u64).unwrap().unwrap();
    assert!(last.decoded_at > 5 << 20, "{} of {}", last.decoded_at, text.len());
    assert_eq!(ledger.point_between(generation, last.decoded_at, text.len() as u64).unwrap(), None);
    assert_eq!(ledger.point_between(generation, 0, 1 << 20).unwrap(), None);
    drop(ledger);

    let needles = [0, ids.len() / 3, ids.len() / 2, ids.len() - 1].map(|at| ids[at].as_str());
    project.finds_what_is_there(needles);
    // From one object in several places: over points and between them.
    project.finds_what_is_there([&ids[7][..5], "took 7777 "]);
    project.verifies();

    // The object comes back as another: what leads into the old one is gone with it.
    let (half, _) = text.split_at(text.len() / 2);
    project.put("web/20260301/large.gz", half);
    project.gzette("run -q").exits(0);
    project.finds_what_is_there(needles);
    project.verifies();
}
