//! What the ledger holds in all, and the runs that made it.

use rusqlite::types::{FromSqlResult, ValueRef};
use rusqlite::{OptionalExtension, params};

use super::column::{Column, Name, value};
use super::read::{BELIEVED_FROM_MS, BELIEVED_UNTIL};
use super::rows::{LINE_SUMS, line_counts, unsigned};
use super::schema::Added;
use super::{Ledger, Result, packed};
use gzette_core::model::{DAY_MS, LineCounts, UtcMs};
use gzette_core::plan::ObjectState;

/// Objects by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ObjectTotals {
    /// Keys ever listed.
    pub listed: u64,
    /// Of these, in the mirror.
    pub mirrored: u64,
    /// Counted, with their file pruned from the mirror.
    pub pruned: u64,
    /// Dropped with their counts, because they were past their time.
    pub expired: u64,
    /// Ingested with damage.
    pub damaged: u64,
    /// Not found when they were to be read.
    pub missing: u64,
    /// Not permitted to read.
    pub denied: u64,
    /// In an archive tier.
    pub archived: u64,
    /// Not read for another reason; tried again.
    pub failed: u64,
    /// Not reached yet; the next run asks for them.
    pub waiting: u64,
    /// No longer listed.
    pub deleted: u64,
    /// Holding the same records as another; not counted again.
    pub duplicate: u64,
}

/// The stamps of events, and those that no clock in order gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stamps {
    /// The newest event whose stamp can be believed.
    pub newest_ms: Option<UtcMs>,
    /// Events stamped more than a day after now, or after their object was stored. They are in totals alone.
    pub future: u64,
    /// Events stamped before 2000. They are in totals alone.
    pub past: u64,
}

/// A command that keeps its summary in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RunCommand {
    /// `run`
    Run,
    /// `sync`
    Sync,
    /// `ingest`
    Ingest,
    /// `group rebuild`
    GroupRebuild,
    /// `publish`
    Publish,
    /// A command of another version of gzette.
    Other(String),
}

impl RunCommand {
    const KNOWN: [Self; 5] = [Self::Run, Self::Sync, Self::Ingest, Self::GroupRebuild, Self::Publish];

    /// Returns it as people call it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Run => "run",
            Self::Sync => "sync",
            Self::Ingest => "ingest",
            Self::GroupRebuild => "group rebuild",
            Self::Publish => "publish",
            Self::Other(name) => name,
        }
    }
}

impl Column for RunCommand {
    fn read(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let name = value.as_str()?;
        let known = Self::KNOWN.into_iter().find(|command| command.as_str() == name);
        Ok(known.unwrap_or_else(|| Self::Other(name.to_owned())))
    }
}

/// A finished or unfinished run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// The command.
    pub command: RunCommand,
    /// When it began.
    pub started_ms: UtcMs,
    /// When it ended; `None` while it runs, or when it was killed.
    pub finished_ms: Option<UtcMs>,
    /// How it ended.
    pub exit_code: Option<i32>,
    /// Its summary, JSON.
    pub summary: String,
}

/// Objects whose listed version is counted and not in the mirror any more.
const PRUNED: &str = "
    SELECT count(*) FROM object JOIN generation ON generation.object_id = object.id
    WHERE object.state = 'mirrored' AND generation.mirrored = 0
      AND (generation.etag, generation.size_bytes) = (object.etag, object.size_bytes)";

impl Ledger {
    /// Returns the objects by what became of them.
    pub fn object_totals(&self) -> Result<ObjectTotals> {
        let state = |state: ObjectState| {
            let sql = "SELECT count(*) FROM object WHERE state = ?1";
            self.connection.query_row(sql, [Name(state)], |row| unsigned(row, 0))
        };
        let number = |sql| self.connection.query_row(sql, [], |row| unsigned(row, 0));
        let (mut pruned, mut expired) = (0, 0);
        if self.has(Added::Retention) {
            pruned = number(PRUNED)?;
            expired = number("SELECT count(*) FROM object WHERE state = 'mirrored' AND expired")?;
        }
        Ok(ObjectTotals {
            listed: number("SELECT count(*) FROM object")?,
            mirrored: state(ObjectState::Mirrored)? - pruned - expired,
            pruned,
            expired,
            damaged: number("SELECT count(*) FROM generation WHERE damage_reason IS NOT NULL")?,
            missing: state(ObjectState::Missing)?,
            denied: state(ObjectState::Denied)?,
            archived: state(ObjectState::Archived)?,
            failed: state(ObjectState::Failed)?,
            waiting: state(ObjectState::Listed)?,
            deleted: state(ObjectState::Deleted)?,
            duplicate: number("SELECT count(*) FROM generation WHERE duplicate_of IS NOT NULL")?,
        })
    }

    /// Returns how many prefixes have been listed or are to be, and of how many the last try failed.
    pub fn prefix_totals(&self) -> Result<(u64, u64)> {
        let sql = "SELECT count(*), count(failure) FROM listing";
        Ok(self.connection.query_row(sql, [], |row| Ok((unsigned(row, 0)?, unsigned(row, 1)?)))?)
    }

    /// Returns the accounting of all lines that count.
    pub fn line_totals(&self) -> Result<LineCounts> {
        let sql = format!("SELECT {LINE_SUMS} FROM generation WHERE duplicate_of IS NULL");
        Ok(self.connection.query_row(&sql, [], line_counts)?)
    }

    /// Returns what the stamps of all events that count say of time at `now_ms`.
    pub fn stamps(&self, now_ms: UtcMs) -> Result<Stamps> {
        let limit = format!("min(?1, {BELIEVED_UNTIL})");
        let from = BELIEVED_FROM_MS.get();
        let newest_ms = self.connection.query_row(
            &format!(
                "SELECT max(last_ms) FROM generation CROSS JOIN object ON object.id = generation.object_id
                 WHERE duplicate_of IS NULL AND last_ms BETWEEN {from} AND {limit}"
            ),
            [now_ms.get()],
            |row| value(row, 0),
        )?;
        let mut stamps = Stamps { newest_ms, ..Stamps::default() };
        // If an object has a wrong timestamp, its other events are known only by their slots. CROSS JOIN keeps SQLite from
        // beginning with the counts: the times of generations rule out most of them.
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT first_ms, last_ms, {BELIEVED_UNTIL}, groups, counts FROM generation
             CROSS JOIN object ON object.id = generation.object_id
             CROSS JOIN counted ON counted.generation_id = generation.id
             WHERE duplicate_of IS NULL AND (last_ms > {limit} OR first_ms < {from})"
        ))?;
        let mut rows = statement.query([now_ms.get()])?;
        while let Some(row) = rows.next()? {
            let (first_ms, last_ms, until_ms): (UtcMs, UtcMs, UtcMs) =
                (value(row, 0)?, value(row, 1)?, value(row, 2)?);
            let limit_ms = now_ms.min(until_ms);
            // A clock that is some minutes ahead is normal.
            let far_ms = (now_ms + DAY_MS).min(until_ms);
            packed::counts_in(row, 3, |_, _, slot, events| {
                let at_ms = slot.begins();
                if last_ms > limit_ms && (BELIEVED_FROM_MS..=limit_ms).contains(&at_ms) {
                    stamps.newest_ms = stamps.newest_ms.max(Some(at_ms));
                }
                stamps.future += if last_ms > far_ms && at_ms > far_ms { events } else { 0 };
                stamps.past +=
                    if first_ms < BELIEVED_FROM_MS && at_ms < BELIEVED_FROM_MS { events } else { 0 };
            })?;
        }
        Ok(stamps)
    }

    /// Returns the newest run of any command, finished or not.
    pub fn last_run(&self) -> Result<Option<RunRow>> {
        self.newest_run("1")
    }

    /// Returns the newest finished run of a command that reads the sources.
    pub fn last_sync(&self) -> Result<Option<RunRow>> {
        self.newest_run("command IN ('run', 'sync') AND finished_ms IS NOT NULL")
    }

    fn newest_run(&self, condition: &str) -> Result<Option<RunRow>> {
        let sql = format!(
            // By id, not by time: the clock may have been set back between two runs.
            "SELECT command, started_ms, finished_ms, exit_code, summary FROM run
             WHERE {condition} ORDER BY id DESC LIMIT 1"
        );
        let row = self.connection.query_row(&sql, [], |row| {
            Ok(RunRow {
                command: value(row, 0)?,
                started_ms: value(row, 1)?,
                finished_ms: value(row, 2)?,
                exit_code: row.get(3)?,
                summary: row.get(4)?,
            })
        });
        Ok(row.optional()?)
    }

    /// Notes that a command begins; returns its row.
    pub fn start_run(&mut self, command: &RunCommand, now_ms: UtcMs) -> Result<i64> {
        self.connection.execute(
            "INSERT INTO run (command, started_ms) VALUES (?1, ?2)",
            params![command.as_str(), now_ms.get()],
        )?;
        Ok(self.connection.last_insert_rowid())
    }

    /// Notes how a command ended, with its summary.
    pub fn finish_run(&mut self, run: i64, now_ms: UtcMs, exit_code: i32, summary: &str) -> Result<()> {
        self.connection.execute(
            "UPDATE run SET finished_ms = ?2, exit_code = ?3, summary = ?4 WHERE id = ?1",
            params![run, now_ms.get(), exit_code, summary],
        )?;
        Ok(())
    }

    /// Returns a number that the summaries of all runs hold, added up: `/requests/list`.
    pub fn summed_over_runs(&self, pointer: &str) -> Result<u64> {
        let mut statement = self.connection.prepare("SELECT summary FROM run")?;
        let summaries = statement.query_map([], |row| row.get::<_, String>(0))?;
        let mut sum = 0;
        for summary in summaries {
            // A run that was killed left no summary, and adds nothing.
            let summary: serde_json::Value = serde_json::from_str(&summary?).unwrap_or_default();
            sum += summary.pointer(pointer).and_then(serde_json::Value::as_u64).unwrap_or(0);
        }
        Ok(sum)
    }
}
