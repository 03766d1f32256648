//! `gzette status`: what was read, and how complete it is.

use std::path::PathBuf;

use jiff::tz::TimeZone;

use super::context::Context;
use super::{CommandError, mails};
use crate::edges::index::Index;
use crate::edges::ledger::{Ledger, LedgerError, ObjectTotals, PagesState, RunRow, Stamps, UnsentMail};
use crate::flows::identity::{Identity, lost_folder};
use crate::flows::report::{self, Unclear, Unread, UnreadPlace};
use crate::shell::error::Exit;
use crate::shell::project::Project;
use crate::shell::ui::OutputError;
use gzette_core::human::{self, count};
use gzette_core::model::{LineCounts, SourceName, UtcMs};
use gzette_core::visible::terminal;

/// The arguments of `gzette status`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example, for a monitor:  gzette status --json")]
pub(super) struct Args {}

/// Everything that is shown.
struct Status {
    objects: ObjectTotals,
    prefixes: (u64, u64),
    strays: u64,
    /// Sources that are not configured, with their objects.
    unconfigured: Vec<(SourceName, u64)>,
    lines: LineCounts,
    stamps: Stamps,
    unread: Vec<Unread>,
    unclear: Vec<Unclear>,
    now_ms: UtcMs,
    last_run: Option<RunRow>,
    batch: i64,
    index_batch: Option<i64>,
    requests: [(u64, &'static str); 3],
    mails: Vec<UnsentMail>,
    pages: PagesState,
    /// The folder of mirrored files that is gone.
    lost: Option<String>,
}

pub(super) fn run(_: &Args, context: &Context) -> Result<Exit, CommandError> {
    let project = context.project()?;
    let status = Status::read(&project, &project.ledger_read_only()?, context.now_ms())?;
    if status.index_batch.is_none() {
        context.tell_of_index(&project);
    }
    if context.global.json {
        context.ui.result_json(&status.json())?;
    } else {
        status.show(context.now_ms(), |line| context.ui.result(line))?;
        if status.mails.iter().any(|mail| mail.wait.given_up_ms.is_some()) {
            context.ui.hint(mails::RETRY);
        }
    }
    Ok(Exit::Fine)
}

impl Status {
    fn read(project: &Project, ledger: &Ledger, now_ms: UtcMs) -> Result<Self, CommandError> {
        let requests = |kind| {
            let sent = ledger.summed_over_runs(&format!("/requests/{kind}"))?;
            Ok::<_, LedgerError>((sent, kind))
        };
        Ok(Self {
            objects: ledger.object_totals()?,
            prefixes: ledger.prefix_totals()?,
            strays: ledger.stray_count()?,
            unconfigured: unconfigured(project, ledger)?,
            lines: ledger.line_totals()?,
            stamps: ledger.stamps(now_ms)?,
            unread: report::unread(ledger, now_ms, &project.source_shapes())?,
            unclear: report::unclear(ledger, now_ms, &project.unlevelled_apps())?,
            now_ms,
            last_run: ledger.last_run()?,
            batch: ledger.last_batch()?,
            index_batch: project
                .index(ledger)?
                .as_ref()
                .and_then(Index::payload)
                .map(|payload| payload.batch),
            lost: lost_mirror(project, ledger)?.map(|folder| folder.display().to_string()),
            requests: [requests("list")?, requests("get")?, requests("put")?],
            mails: ledger.unsent_mails()?,
            pages: ledger.pages()?,
        })
    }

    fn lost_line(&self) -> Option<String> {
        let folder = self.lost.as_ref()?;
        let what = "mount the disk that holds them, or run `gzette verify --repair`";
        Some(format!("the files in `{folder}` are gone: {what}"))
    }

    fn json(&self) -> serde_json::Value {
        let last_run = self.last_run.as_ref().map(|run| {
            serde_json::json!({
                "command": run.command.as_str(),
                "started": human::time(run.started_ms),
                "finished": run.finished_ms.map(human::time),
                "exit_code": run.exit_code,
                "summary": serde_json::from_str::<serde_json::Value>(&run.summary).unwrap_or_default(),
            })
        });
        let requests: serde_json::Map<_, _> =
            self.requests.iter().map(|&(sent, kind)| (kind.to_owned(), sent.into())).collect();
        serde_json::json!({
            "objects": self.objects,
            "prefixes": { "known": self.prefixes.0, "failed": self.prefixes.1 },
            "strays": self.strays,
            "unconfigured": self.unconfigured.iter().map(|(name, _)| name).collect::<Vec<_>>(),
            "lines": self.lines,
            "newest_event": self.stamps.newest_ms.map(human::time),
            "stamps": { "future": self.stamps.future, "before_2000": self.stamps.past },
            "unread": self.unread.iter().map(unread_json).collect::<Vec<_>>(),
            "not_understood": self.unclear.iter().map(unclear_json).collect::<Vec<_>>(),
            "last_run": last_run,
            "batch": self.batch,
            "index_batch": self.index_batch,
            "requests": requests,
            "mails": self.mails_json(),
            "pages": {
                "place": (!self.pages.place.is_empty()).then_some(&self.pages.place),
                "made": self.pages.good_ms.map(human::time),
                "failed_since": self.pages.failed_ms.map(human::time),
                "error": self.pages.failure,
            },
            "lost_mirror": self.lost,
        })
    }

    fn mails_json(&self) -> serde_json::Value {
        let of = |is_given_up: bool| {
            let mails = self.mails.iter().filter(|mail| mail.wait.given_up_ms.is_some() == is_given_up);
            mails.map(mails::json).collect::<Vec<_>>()
        };
        serde_json::json!({ "waiting": of(false), "given_up": of(true) })
    }

    /// Shows the newest event, stamps that cannot be right, and what may be newer and was not read.
    fn show_newest(&self, line: &impl Fn(&str, &str) -> Result<(), OutputError>) -> Result<(), OutputError> {
        let newest = self.stamps.newest_ms.map(human::time);
        line("newest event", newest.as_deref().unwrap_or("none"))?;
        let wrong = [(self.stamps.future, "far in the future"), (self.stamps.past, "before 2000")];
        if wrong.iter().any(|&(number, _)| number > 0) {
            line("stamps", &format!("{} (kept, but used in no figure)", counted(&wrong, ", ")))?;
        }
        let time = |at| format!("{} UTC", human::day_and_time(at, self.now_ms, &TimeZone::UTC));
        for unread in &self.unread {
            line("not read", &terminal(&unread.sentence(time)))?;
        }
        Ok(())
    }

    /// Shows the objects by what became of them.
    fn show_objects(&self, line: &impl Fn(&str, &str) -> Result<(), OutputError>) -> Result<(), OutputError> {
        let objects = &self.objects;
        line(
            "objects",
            &counted(
                &[
                    (objects.listed, "listed"),
                    (objects.mirrored, "mirrored"),
                    (objects.damaged, "damaged"),
                    (objects.missing, "missing"),
                    (objects.denied, "denied"),
                    (objects.archived, "archived"),
                    (objects.failed, "failed"),
                    (objects.waiting, "waiting"),
                    (objects.duplicate, "duplicate"),
                ],
                ", ",
            ),
        )?;
        let gone = [
            (objects.deleted, "no longer listed"),
            (objects.pruned, "pruned from the mirror"),
            (objects.expired, "dropped with their counts"),
        ];
        if gone.iter().any(|&(number, _)| number > 0) {
            line("gone", &counted(&gone, ", "))?;
        }
        Ok(())
    }

    /// Shows why the pages are not those of the last run, if something failed.
    fn show_pages(&self, line: &impl Fn(&str, &str) -> Result<(), OutputError>) -> Result<(), OutputError> {
        let Some(failure) = &self.pages.failure else { return Ok(()) };
        let since = self.pages.failed_ms.map(human::time).unwrap_or_default();
        let made = self.pages.good_ms.map_or("there are none".to_owned(), |at| {
            format!("the existing ones are from {}", human::time(at))
        });
        line("pages", &format!("{failure}; since {since}, {made}"))
    }

    fn show(
        &self,
        now_ms: UtcMs,
        print: impl Fn(&str) -> Result<(), OutputError>,
    ) -> Result<(), OutputError> {
        let line = |name: &str, what: &str| print(&format!("{name:<14}{what}"));
        self.show_objects(&line)?;
        self.lost_line().map_or(Ok(()), |what| line("mirror", &what))?;
        let (known, failed) = self.prefixes;
        line("prefixes", &counted(&[(known, "known"), (failed, "not listed at the last try")], ", "))?;
        if self.strays > 0 {
            line("strays", &format!("{} keys and folders that do not fit the layout", count(self.strays)))?;
        }
        for (name, objects) in &self.unconfigured {
            line("note", &crate::flows::sync::unconfigured(name, *objects))?;
        }
        self.show_lines(&line)?;
        self.show_newest(&line)?;
        let last = self.last_run.as_ref().map_or("never".to_owned(), |run| {
            let end = run.exit_code.map_or("not finished".to_owned(), |code| format!("exit code {code}"));
            format!("{} ({}), {end}", human::time(run.started_ms), run.command.as_str())
        });
        line("last run", &last)?;
        let index = self.index_batch.map_or("none".to_owned(), |batch| batch.to_string());
        line("batch", &format!("{} in the ledger, {index} in the index", self.batch))?;
        line("requests", &counted(&self.requests, ", "))?;
        self.show_pages(&line)?;
        self.mails.iter().try_for_each(|mail| line("mail", &mails::told(mail, now_ms)))
    }

    /// Shows the lines, and the applications whose lines are not understood.
    fn show_lines(&self, line: &impl Fn(&str, &str) -> Result<(), OutputError>) -> Result<(), OutputError> {
        let lines = &self.lines;
        let parts =
            [(lines.events, "events"), (lines.continuation, "continuation"), (lines.unparsed, "unparsed")];
        let without = if self.objects.duplicate > 0 { ", without duplicates" } else { "" };
        line("lines", &format!("{} = {}{without}", count(lines.total), counted(&parts, " + ")))?;
        self.unclear.iter().try_for_each(|unclear| {
            let (app, why, remedy) = (terminal(unclear.app.as_str()), unclear.why(), unclear.remedy());
            line("unclear", &format!("{app}: {why}; {remedy}"))
        })
    }
}

/// Returns the sources of the ledger that the configuration does not name.
fn unconfigured(project: &Project, ledger: &Ledger) -> Result<Vec<(SourceName, u64)>, LedgerError> {
    let mut rows = ledger.source_rows()?;
    rows.retain(|row| {
        // One with the same address has been renamed, which the next run sees.
        let is_same =
            |source: &crate::shell::config::Source| source.name == row.name || source.url == row.url;
        !project.config.sources.iter().any(is_same)
    });
    let counted = rows.into_iter().map(|row| Ok((row.name, ledger.source_objects(row.id)?)));
    counted.filter(|counted| !matches!(counted, Ok((_, 0)))).collect()
}

fn unread_json(unread: &Unread) -> serde_json::Value {
    let (source, app) = match &unread.place {
        UnreadPlace::Source(name) => (Some(name), None),
        UnreadPlace::App(name) => (None, Some(name)),
    };
    serde_json::json!({
        "source": source,
        "app": app,
        "since": unread.since_ms.map(human::time),
        "why": unread.why(),
    })
}

fn unclear_json(unclear: &Unclear) -> serde_json::Value {
    serde_json::json!({ "app": unclear.app, "why": unclear.why(), "remedy": unclear.remedy() })
}

/// Returns the folder of mirrored files that is gone, if one is.
fn lost_mirror(project: &Project, ledger: &Ledger) -> Result<Option<PathBuf>, CommandError> {
    let missing = Identity::read(&project.state, Some(ledger))?.misses_mirror();
    let is_needed = || Ok::<_, LedgerError>(!ledger.sources_in_mirror()?.is_empty());
    match lost_folder(ledger, &project.mirror())? {
        None if missing && is_needed()? => Ok(Some(project.state.mirror())),
        folder => Ok(folder),
    }
}

/// `3 listed, 2 mirrored`.
fn counted(parts: &[(u64, &str)], between: &str) -> String {
    parts.iter().map(|(number, name)| format!("{} {name}", count(*number))).collect::<Vec<_>>().join(between)
}
