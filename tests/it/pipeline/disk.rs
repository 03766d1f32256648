//! Disks that are full: the run says so, the last state stays whole, the next run with room goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{NOON_MS, Outcome, Project, files_below, text_of};
use gzette_core::model::HOUR_MS;

/// A small file system, unmounted at the end.
struct Tmpfs(PathBuf);

impl Tmpfs {
    /// Returns `None` where the test may not mount.
    fn mount(dir: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(dir).unwrap();
        let option = format!("size={size}");
        let done =
            Command::new("mount").args(["-t", "tmpfs", "-o", &option, "tmpfs"]).arg(dir).output().unwrap();
        done.status.success().then(|| Self(dir.to_owned()))
    }

    fn resize(&self, size: &str) {
        let option = format!("remount,size={size}");
        let done = Command::new("mount").args(["-o", &option]).arg(&self.0).status().unwrap();
        assert!(done.success());
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).status().unwrap();
    }
}

/// Objects of about 3 MB, too much for small disks.
fn a_lot(project: &Project) {
    for number in 0..40 {
        let mut text = text_of(&format!("pod{number}"), NOON_MS - 3 * HOUR_MS, 60);
        // What does not compress.
        for line in 0..600 {
            let words =
                ["a", "b", "c"].map(|word| blake3::hash(format!("{number} {line} {word}").as_bytes()));
            text.extend([&line.to_string(), " ", &words.map(|word| word.to_string()).join(" "), "\n"]);
        }
        project.put(&format!("api/20260301/pod_{number}.gz"), text);
    }
}

#[test]
fn a_full_disk_ends_the_run_and_the_next_goes_on() {
    let project = Project::new();
    a_lot(&project);
    let Some(disk) = Tmpfs::mount(&project.path("state"), "700k") else {
        // The other test of this file needs no mount; this one reports that it did nothing.
        eprintln!("may not mount a tmpfs: a full disk is tested by a file size limit only");
        return;
    };
    // The mirror, the ledger, the index: each of them runs out of room at one of these.
    for size in ["700k", "1m", "1500k", "2m", "2500k", "3m", "3500k"] {
        disk.resize(size);
        let run = project.gzette("run");
        if run.code() == Some(0) {
            continue;
        }
        run.exits(1).says(&[], "room on the disk");
        project.gzette("status").exits(0);
    }
    let failed = project.gzette("status --json").json();
    assert_eq!(failed["last_run"]["command"], "run");
    disk.resize("64m");
    project.gzette("run").exits(0);
    project.verifies();
    project.counts_what_is_there();
    project.finds_what_is_there(["out of memory", "pod7 did"]);
}

/// The same without a mount: no file may grow beyond a size, as on a disk with a quota.
#[test]
fn a_file_that_may_not_grow_ends_the_run_and_the_next_goes_on() {
    let project = Project::new();
    a_lot(&project);
    let mut failed = 0;
    // In KiB: a mirrored object, the ledger, a segment.
    for limit in [8, 64, 160, 320] {
        let mut command = Command::new("bash");
        project.prepare(&mut command);
        let run = format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" run --now 2026-03-01T12:00:00Z");
        let run = Outcome::of(command.args(["-c", &run, env!("CARGO_BIN_EXE_gzette")]).output().unwrap());
        if run.code() == Some(0) {
            continue;
        }
        failed += 1;
        run.exits(1).says(&[], "disk");
    }
    assert!(failed >= 2, "the limits were too high");
    project.gzette("run").exits(0);
    project.verifies();
    project.counts_what_is_there();
    let unfinished =
        files_below(&project.path("state/mirror")).into_keys().filter(|name| name.starts_with(".tmp"));
    assert_eq!(unfinished.count(), 0);
}
