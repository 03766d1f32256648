//! How the stages of the pipeline are shown: a progress bar on a terminal, one line a stage.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::time::Instant;

use indicatif::ProgressBar;
use jiff::tz::TimeZone;

use crate::flows::digest::{Delivery, DigestError};
use crate::flows::identity::Lost;
use crate::flows::ingest::IngestReport;
use crate::flows::prune::PruneReport;
use crate::flows::publish::{PublishError, PublishReport};
use crate::flows::report::View;
use crate::flows::run::{Observer, RunError};
use crate::flows::site::Written;
use crate::flows::sync::{Known, Progress, SyncReport};
use crate::flows::verify::{Rebuilt, VerifyReport};
use crate::shell::error::{mail_hint, store_hint};
use crate::shell::ui::Ui;
use gzette_core::human;
use gzette_core::model::{SourceName, UtcMs};
use gzette_core::plan::ObjectState;
use gzette_core::visible;

/// At most this many unread places are noted after each run; the ingest page lists all.
const TOLD_UNREAD: usize = 20;
/// The most characters of a line that is shown as an example.
const EXAMPLE_CHARS: usize = 160;

/// What no other part of a state holds.
const ONLY_THERE: &str = "This loses the history of mails and runs, and the counts of objects that are no longer listed or mirrored";

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

    /// Ends the bar.
    fn clear(&self) {
        if let Some(bar) = self.bar.lock().ok().and_then(|mut bar| bar.take()) {
            bar.finish_and_clear();
        }
    }

    /// Ends the bar and says what the stage did, and how long it took.
    fn stage(&self, name: &str, what: &str) {
        self.clear();
        let seconds = self
            .begin
            .lock()
            .map_or(0.0, |mut begin| std::mem::replace(&mut *begin, Instant::now()).elapsed().as_secs_f64());
        self.ui.stage(name, &format!("{what}, {seconds:.1} s"));
    }

    /// Says in a line each what earlier runs have told one by one.
    fn still_wrong(&self, report: &SyncReport) {
        for known in report.known.iter().filter(|known| known.may_pass()) {
            self.ui.warn_again(&still_told(known));
        }
        for (place, reason) in report.known_places.iter().filter(|_| self.ui.is_verbose()) {
            self.ui.detail(&format!("{place}: {reason}"));
        }
    }

    fn hint(&self, hint: Option<String>) {
        if let Some(hint) = hint {
            self.ui.hint(&hint);
        }
    }

    fn problems<T>(&self, all: &[T], count: u64, told: impl Fn(&T) -> String) {
        self.ui.warn_of(all, count, "`--verbose` names all, the ingest page the latest", told);
    }
}

impl Progress for Shown<'_> {
    fn listed(&self, source: &SourceName, prefixes: u64, objects: u64) {
        let prefixes = human::count(prefixes);
        self.progress(
            "sync",
            format!("{source}: {} in {prefixes} listings", human::plural(objects, "object")),
        );
    }

    fn got(&self, source: &SourceName, done: u64, total: u64, bytes: u64) {
        self.progress(
            "sync",
            format!(
                "{source}: {} of {}, {}",
                human::count(done),
                human::plural(total, "object"),
                human::bytes(bytes)
            ),
        );
    }
}

impl Observer for Shown<'_> {
    fn ingested(&self, objects: u64, bytes: u64) {
        self.progress("ingest", format!("{}, {}", human::plural(objects, "object"), human::bytes(bytes)));
    }

    fn missed(&self, is_ledger_lost: bool, lost: &Lost) {
        let ui = self.ui;
        if is_ledger_lost {
            ui.warn(&format!(
                "the ledger is lost; a new one is built from the sources and the mirror. {ONLY_THERE}"
            ));
        }
        if let Some(folder) = &lost.folder {
            ui.warn(&format!(
                "the mirrored files in `{}` are gone; the counts stay. Mount the disk that holds them, or run \
                 `gzette verify --repair`, which fetches them again",
                folder.display()
            ));
        }
        for (object, reason) in &lost.files {
            ui.warn(&format!("{}: {reason}; it is fetched again", object.key));
        }
        for (object, reason) in &lost.for_good {
            ui.warn(&format!("{}: {reason}, and the source no longer has it; its counts stay", object.key));
        }
    }

    fn synced(&self, report: &SyncReport) {
        let mut what = format!(
            "{} listed, {} fetched ({})",
            human::plural(report.listed, "object"),
            human::count(report.got),
            human::bytes(report.got_bytes)
        );
        add_counts(
            &mut what,
            &[(report.changed, "changed"), (report.gone, "gone"), (report.waiting, "waiting")],
        );
        self.stage("sync", &what);
        report.notes.iter().for_each(|note| self.ui.note(note));
        for failed in &report.source_errors {
            self.ui.warn(&format!("source `{}`: {}", failed.source, failed.error));
            self.hint(store_hint(&failed.error));
        }
        self.problems(&report.problems, report.problem_count, |problem| {
            format!("{}: {}", problem.place, problem.reason)
        });
        self.still_wrong(report);
        report.refusals.iter().for_each(|error| self.hint(store_hint(error)));
        if report.deadline_reached {
            self.ui.warn(
                "stopped before everything was fetched (a signal or `--deadline`); the next run continues",
            );
        }
    }

    fn counted(&self, report: &IngestReport) {
        let mut what = format!(
            "{}, {} ({}), {}, {}",
            human::plural(report.objects, "object"),
            human::plural(report.lines.total, "line"),
            human::bytes(report.decoded_bytes),
            human::plural(report.errors, "error"),
            human::plural(report.new_groups, "new group"),
        );
        add_counts(
            &mut what,
            &[(report.damaged.len() as u64, "damaged"), (report.lines.unparsed, "unparsed")],
        );
        self.stage("ingest", &what);
        report.notes.iter().for_each(|note| self.ui.note(note));
        if report.read_again + report.regrouped > 0 {
            let objects = human::plural(report.read_again, "object");
            let samples = match report.regrouped {
                0 => String::new(),
                number => {
                    format!("; {} more, already pruned, regrouped from their samples", human::count(number))
                }
            };
            self.stage("regroup", &format!("{objects} regrouped because the rules changed{samples}"));
        }
        if let Some(fault) = &report.index_fault {
            self.ui.warn(&format!("{fault}; what is missing is rebuilt from the mirror"));
        }
        if report.reindexed > 0 {
            let objects = human::plural(report.reindexed, "object");
            self.ui.warn(&format!(
                "the index lacked {objects} (after a crash, a loss or an upgrade); they are in it again"
            ));
        }
        if report.unindexed > 0 {
            let objects = human::plural(report.unindexed, "object");
            self.ui.warn(&format!(
                "the index was rebuilt without {objects} that were pruned from the mirror; searches \
                 fetch these and read them whole"
            ));
        }
        self.problems(&report.damaged, report.damaged.len() as u64, |(key, reason)| {
            format!("{key}: damaged: {reason}; what could be read is counted")
        });
        self.problems(&report.unreadable, report.unreadable.len() as u64, |(key, reason)| {
            format!("{key}: {reason}; the next run fetches it again")
        });
    }

    fn rendered(&self, view: &View, result: &Result<Written, RunError>) {
        let written = match result {
            Ok(written) => written,
            Err(error) => return self.ui.warn(&error.to_string()),
        };
        let pages = human::plural((written.changed + written.unchanged) as u64, "file");
        self.stage(
            "report",
            &format!("{}: {pages}, {} changed", view.verdict.headline, human::count(written.changed as u64)),
        );
        let time = |at| format!("{} UTC", human::day_and_time(at, view.now_ms, &TimeZone::UTC));
        // New entries already caused a warning when they occurred.
        for unread in view.unread.iter().take(TOLD_UNREAD) {
            self.ui.note(&unread.sentence(time));
        }
        for unclear in view.unclear.iter().take(TOLD_UNREAD) {
            self.ui.note(&format!("{}: {}; {}", unclear.app, unclear.why(), unclear.remedy()));
            for line in &unclear.examples {
                self.ui.note(&format!("  {}", visible::one_line(line, EXAMPLE_CHARS)));
            }
        }
    }

    fn published(&self, target: &str, result: &Result<PublishReport, PublishError>) {
        match result {
            Ok(report) => self.stage(
                "publish",
                &format!(
                    "{target}: {} put, {} unchanged, {} deleted",
                    human::count(report.put),
                    human::count(report.unchanged),
                    human::count(report.deleted)
                ),
            ),
            Err(error) => {
                self.ui.warn(&format!("the site was not published: {error}"));
                if let PublishError::Store(error) = error {
                    self.hint(store_hint(error));
                }
            }
        }
    }

    fn pruned(&self, report: &PruneReport) {
        self.stage("prune", &describe_prune(report));
    }

    fn recounting(&self, done: u64, objects: u64) {
        self.progress("verify", format!("{} of {}", human::count(done), human::plural(objects, "object")));
    }

    fn recounted(&self) {
        self.clear();
    }

    fn differs(&self, report: &VerifyReport) {
        differences(report).for_each(|difference| self.ui.warn(&difference));
    }

    fn rebuilding(&self, why: &str) {
        self.ui.warn(&format!("{why}; it is rebuilt from the sources and the mirror. {ONLY_THERE}"));
    }

    fn rebuilt(&self, rebuilt: &Rebuilt) {
        let what = format!(
            "{} listed: {} taken over from the mirror, {} fetched",
            human::plural(rebuilt.listed, "object"),
            human::count(rebuilt.adopted),
            human::count(rebuilt.fetched)
        );
        self.ui.stage("rebuild", &what);
        if rebuilt.left > 0 {
            self.ui.warn(&format!(
                "the mirror holds {} of objects or versions that the sources no longer list: kept but not counted",
                human::plural(rebuilt.left, "file")
            ));
        }
        for folder in &rebuilt.strangers {
            self.ui.warn(&format!(
                "`{}` belongs to no source of the configuration: its files are kept but not counted",
                folder.display()
            ));
        }
        if let Some(old) = &rebuilt.kept_as {
            self.ui.stage("rebuild", &format!("the old ledger is kept as `{}`", old.display()));
        }
    }

    fn delivered(&self, digest: &str, result: &Result<Delivery, DigestError>, now_ms: UtcMs) {
        let delivery = match result {
            Ok(delivery) => delivery,
            Err(error) => return self.ui.warn(&format!("digest `{digest}`: {error}")),
        };
        let subject = delivery.due.as_deref().unwrap_or("nothing new to report");
        self.stage(
            "digest",
            &format!("{digest}: {subject}; {} sent, {} waiting", delivery.sent, delivery.pending()),
        );
        for what in unsent(delivery, now_ms) {
            self.ui.warn(&format!("digest `{digest}`: {what}"));
        }
        self.hint(delivery.failures.first().and_then(mail_hint));
        if !delivery.given_up.is_empty() {
            self.ui.hint(super::mails::RETRY);
        }
    }
}

/// Returns each difference in a line.
pub(super) fn differences(report: &VerifyReport) -> impl Iterator<Item = String> {
    report.differences.iter().map(|difference| {
        format!(
            "{}: {}: the ledger says {}, found {}",
            difference.place, difference.what, difference.ledger, difference.found
        )
    })
}

/// `3 files of the mirror (1.2 MB), 40 blocks of 3 objects in the index, the counts of 2 objects`.
pub(super) fn describe_prune(report: &PruneReport) -> String {
    let deleted = match report.deleted {
        0 => String::new(),
        number => format!(", {} of them no longer listed", human::count(number)),
    };
    let needed = match report.needed {
        0 => String::new(),
        number => format!("; {} stay until the index has them", human::plural(number, "file")),
    };
    format!(
        "{} of the mirror ({}), {} of {} in the index, the counts of {}{deleted}{needed}",
        human::plural(report.unmirrored, "file"),
        human::bytes(report.mirror_bytes),
        human::plural(report.blocks, "block"),
        human::plural(report.unindexed, "object"),
        human::plural(report.expired, "object"),
    )
}

/// `12 objects of checkout-api denied since 2026-03-01 09:40, next try 10:20 (UTC)`.
fn still_told(known: &Known) -> String {
    let Known { source, trouble } = known;
    let state = match trouble.state {
        ObjectState::Listed => "changing",
        state => state.name(),
    };
    let what = match &trouble.app {
        Some(app) => format!("{} of {app} {state}", human::plural(trouble.number, "object")),
        None if trouble.number == 1 => format!("1 prefix of {source} not listed"),
        None => format!("{} prefixes of {source} not listed", human::count(trouble.number)),
    };
    let (since, next) = (human::minute(trouble.since_ms), human::minute(trouble.next_try_ms));
    format!("{what} since {since}, next try {next}")
}

/// Returns what did not go, each in a clause.
fn unsent(delivery: &Delivery, now_ms: UtcMs) -> Vec<String> {
    let waiting = delivery.waiting.iter().map(|waiting| super::mails::waiting(waiting, now_ms));
    let given_up = delivery.given_up.iter().map(|mail| super::mails::given_up(mail, now_ms));
    let refused = delivery.refused.iter();
    let refused = refused.map(|refusal| format!("{} was refused: {}", refusal.recipient, refusal.reason));
    let said: Vec<&str> = delivery.waiting.iter().map(|waiting| waiting.reason.as_str()).collect();
    let failures =
        delivery.failures.iter().map(ToString::to_string).filter(|failure| !said.contains(&&**failure));
    waiting.chain(failures).chain(given_up).chain(refused).collect()
}

/// Adds `, 3 damaged` for each that is not 0.
fn add_counts(what: &mut String, counts: &[(u64, &str)]) {
    for (number, name) in counts.iter().filter(|(number, _)| *number > 0) {
        let _ = write!(what, ", {} {name}", human::count(*number));
    }
}
