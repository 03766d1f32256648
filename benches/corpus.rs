//! Writes the corpus of docs/performance.md: `cargo bench --bench corpus -- DIR [LINES]`. Two million lines
//! (about 1 GB) by default, 5 % of them errors with traces of 1 to 8 KB, in 48 objects of three applications
//! and four days; of more lines, more days. The same on every machine.

#![expect(clippy::print_stdout, reason = "a program for developers, with one line to say")]

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use gzette::shell::demo::lines::{ERRORS, write_error, write_info};
use gzette::shell::demo::random::Random;
use gzette_core::model::{DAY_MS, HOUR_MS, UtcMs};

const APPS: [&str; 3] = ["checkout-api", "inventory-sync", "payments-worker"];
const OBJECTS_A_DAY: u64 = 4;
/// The lines of a day, from the fifth day on.
const LINES_A_DAY: u64 = 500_000;
/// 2026-01-05T00:00:00Z, a Monday.
const START: UtcMs = UtcMs::new(1_767_571_200_000);

fn main() {
    let mut args = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let dir = PathBuf::from(args.next().expect("usage: cargo bench --bench corpus -- DIR [LINES]"));
    let lines: u64 = args.next().map_or(2_000_000, |lines| lines.parse().expect("LINES is a number"));
    let days = (lines / LINES_A_DAY).max(4);
    let objects = APPS.len() as u64 * days * OBJECTS_A_DAY;
    let bytes: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|half| {
                let dir = &dir;
                scope.spawn(move || {
                    (half..objects)
                        .step_by(2)
                        .map(|number| write_object(dir, number, days, lines / objects))
                        .sum::<u64>()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("a writer failed")).sum()
    });
    println!(
        "{objects} objects, {} lines, {bytes} raw bytes in {}",
        lines / objects * objects,
        dir.display()
    );
}

/// Writes one object; returns its raw bytes.
fn write_object(dir: &std::path::Path, number: u64, days: u64, lines: u64) -> u64 {
    let app = APPS[(number % 3) as usize];
    let (day, part) = (number / 3 % days, number / 3 / days);
    let start_ms = START + day as i64 * DAY_MS + part as i64 * 6 * HOUR_MS;
    let date = start_ms.stamp().expect("a time of our days").strftime("%Y%m%d").to_string();
    let folder = dir.join("logs").join(app).join(date);
    fs::create_dir_all(&folder).expect("the folder can be made");
    let file = fs::File::create(folder.join(format!("{app}_{part}.gz"))).expect("the object can be made");
    let mut encoder = GzEncoder::new(std::io::BufWriter::new(file), Compression::new(6));
    let mut random = Random::new(number + 1);
    let errors: Vec<_> = ERRORS.iter().filter(|kind| !kind.exceptions.is_empty()).collect();
    let mut text = String::new();
    let mut bytes = 0;
    for line in 0..lines {
        let time_ms = start_ms + (line as i64 * 6 * HOUR_MS) / lines as i64;
        if random.chance(5, 100) {
            let kind = random.pick(&errors);
            let trace_bytes = 1_000 + random.below(7_000);
            write_error(&mut text, &mut random, time_ms, kind, trace_bytes as usize);
        } else {
            write_info(&mut text, &mut random, time_ms);
        }
        if text.len() > 1 << 16 {
            bytes += text.len() as u64;
            encoder.write_all(text.as_bytes()).expect("the object can be written");
            text.clear();
        }
    }
    encoder.write_all(text.as_bytes()).expect("the object can be written");
    encoder.finish().and_then(|mut file| file.flush()).expect("the object can be written");
    bytes + text.len() as u64
}
