//! The stages without the command line, as a scheduler or a queue calls them: they do the same, and what goes wrong says
//! the same.

use std::fs;
use std::sync::Mutex;

use gzette::flows::digest::{Delivery, DigestError};
use gzette::flows::identity::Lost;
use gzette::flows::ingest::IngestReport;
use gzette::flows::prune::PruneReport;
use gzette::flows::publish::{PublishError, PublishReport};
use gzette::flows::report::View;
use gzette::flows::run::{Observer, RunError};
use gzette::flows::site::Written;
use gzette::flows::sync::{Progress, SyncReport};
use gzette::flows::verify::{Rebuilt, VerifyReport};
use gzette::shell::error::Exit;
use gzette::shell::project::{Project as Opened, Stages};
use gzette_core::model::UtcMs;

use crate::support::{NOON_MS, Project};

/// Notes the stages that it is told of.
#[derive(Default)]
struct Noted(Mutex<Vec<&'static str>>);

impl Noted {
    fn note(&self, stage: &'static str) {
        self.0.lock().unwrap().push(stage);
    }
}

impl Progress for &Noted {}

impl Observer for &Noted {
    fn ingested(&self, _: u64, _: u64) {}
    fn missed(&self, is_ledger_lost: bool, lost: &Lost) {
        assert!(!is_ledger_lost && *lost == Lost::default());
    }
    fn synced(&self, _: &SyncReport) {
        self.note("sync");
    }
    fn counted(&self, _: &IngestReport) {
        self.note("ingest");
    }
    fn rendered(&self, _: &View, _: &Result<Written, RunError>) {
        self.note("report");
    }
    fn published(&self, _: &str, _: &Result<PublishReport, PublishError>) {}
    fn pruned(&self, _: &PruneReport) {}
    fn recounting(&self, _: u64, _: u64) {}
    fn recounted(&self) {
        self.note("verify");
    }
    fn differs(&self, report: &VerifyReport) {
        assert!(report.ok, "{:?}", report.differences);
    }
    fn rebuilding(&self, _: &str) {
        self.note("rebuilding");
    }
    fn rebuilt(&self, rebuilt: &Rebuilt) {
        assert!(rebuilt.is_complete(), "{rebuilt:?}");
    }
    fn delivered(&self, _: &str, _: &Result<Delivery, DigestError>, _: UtcMs) {
        self.note("digest");
    }
}

#[test]
fn another_way_in_runs_the_stages_of_the_command_line() {
    let (project, twin) = (Project::new(), Project::new());
    for project in [&project, &twin] {
        project.put_week();
    }
    let (opened, noted) = (open(&project), Noted::default());
    let done = Stages::new(&opened, NOON_MS, Box::new(&noted)).unwrap().run().unwrap();
    assert_eq!(noted.0.into_inner().unwrap(), ["sync", "ingest", "report", "digest"]);
    let told = twin.gzette("run --json").json();
    let mut summary = serde_json::json!(done.summary);
    summary["seconds"] = told["seconds"].clone();
    assert_eq!((done.exit, summary), (Exit::Fine, told));
    let page = |project: &Project| fs::read(project.path("site/index.html")).unwrap();
    assert!(page(&project) == page(&twin), "another first page");
}

#[test]
fn a_failure_of_a_stage_names_the_file_and_what_to_do() {
    let project = Project::new();
    project.put_week();
    project.gzette("run").exits(0);
    let path = project.path("state/ledger.sqlite");
    let mut bytes = fs::read(&path).unwrap();
    let pages = bytes.len() / 4096;
    // All but the first page, with which the ledger is opened.
    bytes[4096..pages * 4096].chunks_mut(4096).for_each(|page| page[2000] ^= 1);
    fs::write(&path, bytes).unwrap();
    let (opened, noted) = (open(&project), Noted::default());
    let stages = Stages::new(&opened, NOON_MS, Box::new(&noted)).unwrap();
    let failure = stages.ingest().err().unwrap();
    assert!(failure.message.contains(&format!("the ledger `{}` is damaged", path.display())), "{failure:?}");
    assert!(failure.hint.as_deref().unwrap_or_default().contains("verify --repair"), "{failure:?}");
    assert_eq!(failure.exit, Exit::Failed);
}

#[test]
fn another_way_in_rebuilds_a_ledger_that_cannot_be_used() {
    let project = Project::new();
    project.put_week();
    project.gzette("run").exits(0);
    fs::write(
        project.path("state/ledger.sqlite"),
        "no database, and longer than a header of one: ".repeat(9),
    )
    .unwrap();
    let (opened, noted) = (open(&project), Noted::default());
    let stages = Stages::new(&opened, NOON_MS, Box::new(&noted)).unwrap();
    let (report, is_complete) = stages.repair().unwrap();
    drop(stages);
    assert!(report.ok && is_complete, "{:?}", report.differences);
    assert_eq!(noted.0.into_inner().unwrap(), ["rebuilding", "sync", "ingest", "verify"]);
    project.gzette("verify").exits(0);
}

fn open(project: &Project) -> Opened {
    Opened::open(Some(&project.path("gzette.toml")), None).unwrap()
}
