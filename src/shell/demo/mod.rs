//! A week of sample FluentD objects in a folder, seeded and ending now: three applications, stack traces, a
//! spike, a new error, one that comes back, a late object, a damaged one, a duplicate delivery and
//! a few lines that are not JSON. The normal pipeline reads them.

pub mod lines;
pub mod random;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;

use self::lines::{ERRORS, ErrorKind, write_error, write_info};
use self::random::Random;
use gzette_core::model::{DAY_MS, HOUR_MS, MINUTE_MS, UtcMs};

/// What was generated.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DemoSummary {
    /// The folder of the objects.
    pub dir: PathBuf,
    /// Objects.
    pub objects: u64,
    /// Lines in them.
    pub lines: u64,
    /// Stored bytes.
    pub bytes: u64,
}

/// An application: its name, its info lines in a busy hour, and the errors it has by
/// (index into [`ERRORS`], how many in a busy day).
struct App {
    name: &'static str,
    lines_an_hour: u64,
    errors: &'static [(usize, u64)],
}

const APPS: [App; 3] = [
    App {
        name: "checkout-api",
        lines_an_hour: 700,
        errors: &[(3, 60), (4, 35), (5, 90), (6, 40), (8, 18), (12, 25)],
    },
    App { name: "inventory-sync", lines_an_hour: 350, errors: &[(2, 45), (3, 25), (11, 6)] },
    App { name: "payments-worker", lines_an_hour: 500, errors: &[(0, 50), (4, 15), (9, 30), (10, 12)] },
];

const TIMEOUT: &ErrorKind = &ERRORS[0];
const NULL_BASKET: &ErrorKind = &ERRORS[1];
const WAREHOUSE: &ErrorKind = &ERRORS[7];
const HOSTILE: &ErrorKind = &ERRORS[13];

/// How far the objects reach back.
const DAYS: i64 = 8;
/// How much of the day an hour sees, in percent, by UTC hour.
const RHYTHM: [u64; 24] =
    [12, 8, 6, 5, 6, 10, 22, 40, 62, 78, 88, 95, 100, 96, 92, 94, 90, 84, 76, 68, 55, 42, 28, 18];
/// Traffic on Saturday and Sunday, in percent of a weekday.
const WEEKEND: u64 = 45;
/// The length of most traces.
const TRACE_BYTES: u64 = 1800;

/// Writes the objects under `dir/logs/{app}/yyyyMMdd/`, for a week that ends at `now_ms`.
pub fn write_objects(dir: &Path, now_ms: UtcMs, seed: u64) -> io::Result<DemoSummary> {
    let root = dir.join("logs");
    let mut summary = DemoSummary { dir: root.clone(), ..DemoSummary::default() };
    let first_hour = (now_ms - DAYS * DAY_MS).stretch(HOUR_MS);
    for app in &APPS {
        for hour in first_hour..=now_ms.stretch(HOUR_MS) {
            write_hour(&root, app, hour, now_ms, seed, &mut summary)?;
        }
    }
    write_oddities(&root, now_ms, seed, &mut summary)?;
    Ok(summary)
}

/// Writes the objects of one application and hour.
fn write_hour(
    root: &Path,
    app: &App,
    hour: i64,
    now_ms: UtcMs,
    seed: u64,
    summary: &mut DemoSummary,
) -> io::Result<()> {
    let start_ms = UtcMs::EPOCH + hour * HOUR_MS;
    let name_sum =
        app.name.bytes().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let mut random = Random::new(seed ^ name_sum ^ (hour as u64) << 20);
    let mut events = Vec::new();
    let percent = busy_percent(hour);
    for _ in 0..app.lines_an_hour * percent / 100 {
        events.push((start_ms + random.below(HOUR_MS as u64) as i64, None));
    }
    for &(error, a_day) in app.errors {
        let expected = a_day * percent * 100 / RHYTHM.iter().sum::<u64>();
        let count = expected / 100 + u64::from(random.chance(expected % 100, 100));
        for _ in 0..count {
            events.push((start_ms + random.below(HOUR_MS as u64) as i64, Some(&ERRORS[error])));
        }
    }
    add_story(app, start_ms, now_ms, &mut random, &mut events);
    events.retain(|&(time_ms, _)| time_ms < now_ms);
    events.sort_by_key(|&(time_ms, _)| time_ms);
    write_events(root, app.name, start_ms, &events, &mut random, summary)
}

/// Adds what the week is remembered for.
fn add_story(
    app: &App,
    start_ms: UtcMs,
    now_ms: UtcMs,
    random: &mut Random,
    events: &mut Vec<(UtcMs, Option<&'static ErrorKind>)>,
) {
    let mut add = |from_ms: UtcMs, to_ms: UtcMs, count: u64, kind| {
        let (from_ms, to_ms) = (from_ms.max(start_ms), to_ms.min(start_ms + HOUR_MS));
        if from_ms < to_ms {
            let share = count * (to_ms - from_ms) as u64 / HOUR_MS as u64;
            events.extend(
                (0..share).map(|_| (from_ms + random.below((to_ms - from_ms) as u64) as i64, Some(kind))),
            );
        }
    };
    match app.name {
        "payments-worker" => add(now_ms - 100 * MINUTE_MS, now_ms, 320, TIMEOUT),
        "checkout-api" => {
            add(now_ms - 3 * HOUR_MS, now_ms, 9, NULL_BASKET);
            add(now_ms - 5 * HOUR_MS, now_ms - 4 * HOUR_MS, 2, HOSTILE);
        }
        _ => {
            // Silent for seven days, and back.
            add(now_ms - DAYS * DAY_MS, now_ms - DAYS * DAY_MS + 9 * HOUR_MS, 8, WAREHOUSE);
            add(now_ms - 2 * HOUR_MS, now_ms, 14, WAREHOUSE);
        }
    }
}

fn busy_percent(hour: i64) -> u64 {
    let weekday = (hour.div_euclid(24) + 3).rem_euclid(7); // 1970-01-01 was a Thursday; Monday is 0
    let rhythm = RHYTHM[hour.rem_euclid(24) as usize];
    if weekday >= 5 { rhythm * WEEKEND / 100 } else { rhythm }
}

/// Writes an hour's events as one object of several gzip members, as FluentD appends them.
fn write_events(
    root: &Path,
    app: &str,
    start_ms: UtcMs,
    events: &[(UtcMs, Option<&ErrorKind>)],
    random: &mut Random,
    summary: &mut DemoSummary,
) -> io::Result<()> {
    let mut object = Vec::new();
    for chunk in events.chunks(200) {
        let mut text = String::new();
        for &(time_ms, kind) in chunk {
            match kind {
                None => write_info(&mut text, random, time_ms),
                Some(kind) => {
                    let trace_bytes = TRACE_BYTES / 2 + random.below(TRACE_BYTES);
                    write_error(&mut text, random, time_ms, kind, trace_bytes as usize);
                }
            }
        }
        add_member(&mut object, text.as_bytes())?;
        summary.lines += chunk.len() as u64;
    }
    if object.is_empty() {
        return Ok(());
    }
    write_object(root, app, start_ms, 0, &object, summary)
}

fn add_member(object: &mut Vec<u8>, text: &[u8]) -> io::Result<()> {
    let mut encoder = GzEncoder::new(object, Compression::new(6));
    encoder.write_all(text)?;
    encoder.finish()?;
    Ok(())
}

fn write_object(
    root: &Path,
    app: &str,
    start_ms: UtcMs,
    number: u64,
    object: &[u8],
    summary: &mut DemoSummary,
) -> io::Result<()> {
    let time = start_ms.stamp().ok_or_else(|| io::Error::other("the time is outside the calendar"))?;
    let folder = root.join(app).join(time.strftime("%Y%m%d").to_string());
    fs::create_dir_all(&folder)?;
    fs::write(folder.join(format!("{app}.{}_{number}.gz", time.strftime("%Y%m%d%H"))), object)?;
    summary.objects += 1;
    summary.bytes += object.len() as u64;
    Ok(())
}

/// Writes what goes wrong in every real week: a late object, one delivered twice, a damaged one, one with
/// lines that are not JSON.
fn write_oddities(root: &Path, now_ms: UtcMs, seed: u64, summary: &mut DemoSummary) -> io::Result<()> {
    let mut random = Random::new(!seed);
    let hour_ms = now_ms.start_of(HOUR_MS);
    let some = |random: &mut Random, start_ms: UtcMs, count: i64| {
        let mut text = String::new();
        for place in 0..count {
            write_info(&mut text, random, start_ms + place * 1_500);
        }
        let mut object = Vec::new();
        add_member(&mut object, text.as_bytes()).map(|()| object)
    };

    let late_ms = hour_ms - 3 * DAY_MS;
    write_object(root, "inventory-sync", late_ms, 7, &some(&mut random, late_ms, 120)?, summary)?;

    let twice_ms = hour_ms - 26 * HOUR_MS;
    let twice = some(&mut random, twice_ms, 90)?;
    write_object(root, "checkout-api", twice_ms, 1, &twice, summary)?;
    write_object(root, "checkout-api", twice_ms, 2, &twice, summary)?;

    let damaged_ms = hour_ms - 9 * HOUR_MS;
    let whole = some(&mut random, damaged_ms, 300)?;
    write_object(root, "payments-worker", damaged_ms, 3, &whole[..whole.len() * 2 / 3], summary)?;

    let mut plain = Vec::new();
    let text = "Picked up JAVA_TOOL_OPTIONS: -XX:MaxRAMPercentage=75.0\n\
                OpenJDK 64-Bit Server VM warning: Sharing is only supported for boot loader classes\n\
                Killed process 4711 (java) total-vm:8123456kB\n";
    add_member(&mut plain, text.as_bytes())?;
    write_object(root, "inventory-sync", hour_ms - 6 * HOUR_MS, 4, &plain, summary)?;
    summary.lines += 120 + 90 + 90 + 200 + 3;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_time_make_the_same_objects() {
        let now_ms = UtcMs::new(1_764_000_000_000);
        let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = write_objects(one.path(), now_ms, 7).unwrap();
        let second = write_objects(two.path(), now_ms, 7).unwrap();
        assert_eq!((first.objects, first.lines, first.bytes), (second.objects, second.lines, second.bytes));
        assert!(first.objects > 500, "{first:?}");
    }
}
