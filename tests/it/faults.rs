//! Faults of listing and transfer: the real binary, a real S3 server, and a relay between them that spoils a part of
//! the answers. Whatever the fault, a run ends by itself in its time, either complete and exact or with exit code 3
//! (or 1 and 2 when nothing could be read) and each missing object or prefix named and counted; nothing is taken for
//! deleted; and the next calm run is complete and exact.
//!
//! `just faults` (`GZETTE_FAULTS=all`, or a number of seeds) has every fault at two rates, and prints a table.

pub(crate) mod kinds;
pub(crate) mod relay;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use gzette_core::model::{HOUR_MS, MINUTE_MS};

use crate::pipeline::bucket::Cloud;
use crate::servers::seaweedfs;
use crate::support::{Outcome, Project, Recount, day_of, files_below, text_of};
use kinds::{FAULTS, Fault};
use relay::{Aim, Relay};

/// Runs at a time.
const WORKERS: usize = 6;
/// What a run is given, and what it may take beyond that on a busy machine to count and render what came.
const DEADLINE: Duration = Duration::from_secs(24);
const GRACE: Duration = Duration::from_secs(30);

/// What every run of a bucket must arrive at.
struct Goal {
    bucket: String,
    keys: Vec<String>,
    recount: Recount,
}

/// One fault at one rate.
#[derive(Clone, Copy)]
struct Case {
    fault: &'static Fault,
    percent: u64,
    seed: u64,
}

#[test]
fn every_fault_ends_in_a_complete_run_or_a_named_gap() {
    let seeds = seeds();
    let is_all = seeds.is_some();
    let goal = goal(if is_all { 5 } else { 2 });
    let cases: Vec<Case> = match seeds {
        // Seeds that hit something: those of the listings are few.
        None => FAULTS.iter().map(|fault| Case { fault, percent: 30, seed: u64::from(fault.gets) }).collect(),
        Some(seeds) => {
            let of = |fault, percent| (0..seeds).map(move |seed| Case { fault, percent, seed });
            FAULTS.iter().flat_map(|fault| of(fault, 5).chain(of(fault, 30))).collect()
        }
    };
    let (next, done) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let outcome = case.check(&goal);
                    if is_all {
                        println!("{}", case.row(&outcome));
                    }
                    done.lock().unwrap().insert((case.fault.name, case.percent, case.seed), outcome);
                }
            });
        }
    });
    let done = done.into_inner().unwrap();
    let wrong: Vec<_> =
        done.iter().filter_map(|(case, outcome)| Some((case, outcome.as_ref().err()?))).collect();
    let mut text = String::new();
    for ((name, percent, seed), why) in &wrong {
        writeln!(text, "== {name} at {percent} %, seed {seed}: {why}").unwrap();
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{text}", wrong.len(), done.len());
}

#[expect(clippy::disallowed_methods, reason = "the long form of a test is asked for by the environment")]
fn seeds() -> Option<u64> {
    let value = std::env::var("GZETTE_FAULTS").ok()?;
    Some(if value == "all" { 4 } else { value.parse().expect("GZETTE_FAULTS is `all` or a number of seeds") })
}

/// Fills a bucket with this many objects a day of two applications, on days in and before the look-back.
fn goal(objects_a_day: i64) -> Goal {
    let bucket = "e2e-faults".to_owned();
    let mut cloud = Cloud::new(&bucket);
    let project = &cloud.project;
    for app in ["api", "web"] {
        for back in [0, 1, 6] {
            for number in 0..objects_a_day {
                let start_ms = project.now_ms - (back * 24 + 2) * HOUR_MS + number * MINUTE_MS;
                let key = format!("{app}/{}/{app}_{number}.gz", day_of(start_ms));
                project.put(&key, text_of(app, start_ms, 20 + number));
            }
        }
    }
    cloud.upload();
    let keys = files_below(&cloud.project.path("logs")).into_keys().collect();
    Goal { bucket, keys, recount: Recount::of(&cloud.project.objects()) }
}

impl Case {
    /// Two faulty runs, the second on what the first left, then a calm one. Returns how the faulty ones ended.
    fn check(&self, goal: &Goal) -> Result<String, String> {
        let aim = Aim {
            percent: self.percent,
            seed: self.seed,
            sticks: self.seed % 2 == 1,
            lists: self.fault.lists,
            gets: self.fault.gets,
        };
        let relay = Relay::start(&seaweedfs().endpoint, aim, (self.fault.spoil)());
        let mut project = Cloud::client(&goal.bucket, &relay.endpoint);
        project.reconfigure("[site]", "timeout_seconds = 1\n\n[site]");
        let mut ends = Vec::new();
        for _ in 0..2 {
            ends.push(Self::faulty_run(&project, goal)?);
            project.now_ms += 10 * MINUTE_MS;
        }
        let hits = relay.hits();
        relay.calm_down();
        // What failed rests longer each time.
        project.now_ms += HOUR_MS;
        if hits == 0 && self.percent == 30 && self.seed == u64::from(self.fault.gets) {
            return Err("no request was hit".to_owned());
        }
        let calm = project.gzette("run --json -v");
        let status = project.gzette("status --json").json();
        let mirrored = status["objects"]["mirrored"].as_u64();
        if calm.code() != Some(0) || mirrored != Some(goal.keys.len() as u64) {
            return Err(format!(
                "the calm run is not complete: {:?}\n{}\n{status}",
                calm.code(),
                calm.stderr
            ));
        }
        is_exact(&project, goal)?;
        Ok(format!("{}, {hits} hits", ends.join(" ")))
    }

    /// Returns how it went, as a row of a table.
    fn row(&self, outcome: &Result<String, String>) -> String {
        let said = outcome.as_ref().map_or("WRONG", String::as_str);
        format!("| {} | {} % | {} | {said} |", self.fault.name, self.percent, self.seed)
    }

    fn faulty_run(project: &Project, goal: &Goal) -> Result<String, String> {
        let begin = Instant::now();
        let line = format!("run --json -v --deadline {}s", DEADLINE.as_secs());
        let outcome = project.gzette(&line);
        let took = begin.elapsed();
        let fail = |what: &str| {
            Err(format!("{what} after {took:.1?}, exit {:?}\n{}", outcome.code(), outcome.stderr))
        };
        if took > DEADLINE + GRACE {
            return fail("took too long");
        }
        if outcome.stderr.contains("panicked") {
            return fail("panicked");
        }
        match outcome.code() {
            // An archived object stays away until it is restored: it is reported once.
            Some(0) if project.gzette("status --json").json()["objects"]["archived"] != 0 => {
                is_named(project, goal, &outcome)
                    .map(|missing| format!("{missing} archived"))
                    .or_else(|why| fail(&why))
            }
            Some(0) => {
                is_exact(project, goal)?;
                Ok("complete".to_owned())
            }
            Some(code @ (1 | 2)) => {
                if !outcome.stderr.contains("error ") || !outcome.stderr.contains("s3://") {
                    return fail("names no place");
                }
                Ok(format!("exit {code}"))
            }
            Some(3) => match is_named(project, goal, &outcome) {
                Ok(missing) => Ok(format!("exit 3, {missing} missing")),
                Err(why) => fail(&why),
            },
            _ => fail("ended otherwise"),
        }
    }
}

/// Requires that verify agrees and the counts are those of plain decoding.
fn is_exact(project: &Project, goal: &Goal) -> Result<(), String> {
    let verify = project.gzette("verify --json").json();
    if verify["ok"] != true {
        return Err(format!("verify: {verify:#}"));
    }
    let check = std::panic::AssertUnwindSafe(|| project.counts_these(&goal.recount));
    std::panic::catch_unwind(check).map_err(|_| "the counts are not those of an undisturbed run".to_owned())
}

/// Requires that each missing object, or a prefix of it, is named on stderr and counted; returns how many are missing.
fn is_named(project: &Project, goal: &Goal, outcome: &Outcome) -> Result<usize, String> {
    let status = project.gzette("status --json").json();
    let objects = &status["objects"];
    let number = |name: &str| objects[name].as_u64().unwrap();
    if number("deleted") > 0 {
        return Err(format!("taken for deleted: {status}"));
    }
    let apart: u64 =
        ["missing", "denied", "archived", "failed", "waiting"].iter().map(|name| number(name)).sum();
    if number("listed") != number("mirrored") + apart {
        return Err(format!("not all counted: {status}"));
    }
    let have = files_below(&project.path("state")).into_keys().collect::<Vec<_>>();
    let is_there = |key: &String| {
        have.iter().any(|path| {
            path.contains(key.rsplit('/').next().unwrap()) && path.contains(key.split('/').nth(1).unwrap())
        })
    };
    let missing: Vec<&String> = goal.keys.iter().filter(|key| !is_there(key)).collect();
    if (missing.len() as u64) < apart {
        return Err(format!("{} objects are missing: {status}", missing.len()));
    }
    let unlisted = goal.keys.len() as u64 - number("listed");
    if unlisted > 0 && status["prefixes"]["failed"] == 0 {
        return Err(format!("{unlisted} objects are unlisted and no prefix is counted as failed: {status}"));
    }
    let place = |line: &str| Some(line.split("s3://").nth(1)?.split(['`', ':']).next()?.to_owned());
    let named: Vec<String> = outcome.stderr.lines().filter_map(place).collect();
    for key in &missing {
        let whole = format!("{}/logs/{key}", goal.bucket);
        if !named.iter().any(|name| whole.starts_with(name.as_str())) {
            return Err(format!("`{key}` is missing and not named"));
        }
    }
    Ok(missing.len())
}
