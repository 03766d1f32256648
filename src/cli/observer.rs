//! How the stages of the pipeline are shown: a progress bar on a terminal, one line a stage.

use std::sync::Mutex;
use std::time::Instant;

use indicatif::ProgressBar;

use crate::digest::{Delivery, DigestError};
use crate::ingest::IngestReport;
use crate::publish::{PublishError, PublishReport};
use crate::report::View;
use crate::run::Observer;
use crate::site::Written;
use crate::sync::{Progress, SyncReport};
use crate::ui::{self, Ui};

/// So many problems are told one by one.
const TOLD: usize = 5;

/// Shows the stages to the user.
pub(super) struct Shown<'u> {
    ui: &'u Ui,
    bar: Mutex<Option<ProgressBar>>,
    begin: Mutex<Instant>,
}

impl<'u> Shown<'u> {
    pub(super) fn new(ui: &'u Ui) -> Self {
        Self { ui, bar: Mutex::new(None), begin: Mutex::new(Instant::now()) }
    }

    fn progress(&self, stage: &str, message: String) {
        if let Ok(mut bar) = self.bar.lock() {
            bar.get_or_insert_with(|| self.ui.progress(stage)).set_message(message);
        }
    }

    /// Ends the bar and says what the stage did, and how long it took.
    fn stage(&self, name: &str, what: &str) {
        if let Some(bar) = self.bar.lock().ok().and_then(|mut bar| bar.take()) {
            bar.finish_and_clear();
        }
        let seconds = self.begin.lock().map_or(0.0, |mut begin| {
            std::mem::replace(&mut *begin, Instant::now()).elapsed().as_secs_f64()
        });
        self.ui.stage(name, &format!("{what}, {seconds:.1} s"));
    }

    fn problems<T>(&self, all: &[T], count: u64, told: impl Fn(&T) -> String) {
        all.iter().take(TOLD).for_each(|problem| self.ui.warn(&told(problem)));
        if count > TOLD as u64 {
            self.ui.warn(&format!("and {} more: see the ingest page", ui::count(count - TOLD as u64)));
        }
    }
}

impl Progress for Shown<'_> {
    fn listed(&self, source: &str, prefixes: u64, objects: u64) {
        let what = format!("{source}: {}, {}", ui::things(prefixes, "prefix"), ui::things(objects, "object"));
        self.progress("sync", what.replace("prefixs", "prefixes"));
    }

    fn got(&self, source: &str, done: u64, total: u64, bytes: u64) {
        self.progress("sync", format!("{source}: {} of {}, {}", ui::count(done), ui::things(total, "object"), ui::bytes(bytes)));
    }
}

impl Observer for Shown<'_> {
    fn ingested(&self, objects: u64, bytes: u64) {
        self.progress("ingest", format!("{}, {}", ui::things(objects, "object"), ui::bytes(bytes)));
    }

    fn synced(&self, report: &SyncReport) {
        let mut what = format!(
            "{} listed, {} fetched ({})",
            ui::things(report.listed, "object"),
            ui::count(report.got),
            ui::bytes(report.got_bytes)
        );
        for (count, name) in [(report.changed, "changed"), (report.gone, "gone"), (report.waiting, "waiting")] {
            if count > 0 {
                what += &format!(", {} {name}", ui::count(count));
            }
        }
        self.stage("sync", &what);
        for failed in &report.source_errors {
            self.ui.warn(&format!("source `{}`: {}", failed.source, failed.error));
        }
        self.problems(&report.problems, report.problem_count, |problem| {
            format!("{}: {}", problem.place, problem.reason)
        });
        if report.deadline_reached {
            self.ui.warn("the time for this run was up; the next one goes on");
        }
    }

    fn counted(&self, report: &IngestReport) {
        let mut what = format!(
            "{}, {} ({}), {}, {}",
            ui::things(report.objects, "object"),
            ui::things(report.lines.total, "line"),
            ui::bytes(report.decoded_bytes),
            ui::things(report.errors, "error"),
            ui::things(report.new_groups, "new group"),
        );
        for (count, name) in [(report.damaged, "damaged"), (report.lines.unparsed, "unparsed")] {
            if count > 0 {
                what += &format!(", {} {name}", ui::count(count));
            }
        }
        self.stage("ingest", &what);
        if report.reindexed > 0 {
            let objects = ui::things(report.reindexed, "object");
            self.ui.warn(&format!("the index lacked {objects} (a crash, or a lost index); they are in it again"));
        }
        if report.damaged > 0 {
            self.ui.warn(&format!("{} damaged; what could be read is counted", ui::things(report.damaged, "object")));
        }
        self.problems(&report.unreadable, report.unreadable.len() as u64, |(key, reason)| {
            format!("{key}: {reason}; it is fetched again by the next run")
        });
    }

    fn rendered(&self, view: &View, written: &Written) {
        let pages = ui::things((written.changed + written.unchanged) as u64, "file");
        self.stage("report", &format!("{}: {pages}, {} changed", view.verdict.headline, ui::count(written.changed as u64)));
    }

    fn published(&self, target: &str, result: &Result<PublishReport, PublishError>) {
        match result {
            Ok(report) => self.stage(
                "publish",
                &format!(
                    "{target}: {} put, {} unchanged, {} deleted",
                    ui::count(report.put),
                    ui::count(report.unchanged),
                    ui::count(report.deleted)
                ),
            ),
            Err(error) => self.ui.warn(&format!("the site was not published: {error}")),
        }
    }

    fn delivered(&self, digest: &str, result: &Result<Delivery, DigestError>) {
        match result {
            Ok(delivery) => {
                let subject = delivery.due.as_deref().unwrap_or("nothing new to say");
                self.stage("digest", &format!("{digest}: {subject}; {} sent, {} waiting", delivery.sent, delivery.pending));
                for failure in &delivery.failures {
                    self.ui.warn(&format!("digest `{digest}`: {failure}"));
                }
                for refusal in &delivery.refused {
                    self.ui.warn(&format!("digest `{digest}`: {} was refused: {}", refusal.recipient, refusal.reason));
                }
            }
            Err(error) => self.ui.warn(&format!("digest `{digest}`: {error}")),
        }
    }
}
