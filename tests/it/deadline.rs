//! Silence holds up nothing else: a real server behind a relay that does not answer for a part of it, and runs
//! that must end in time. Whatever hangs, the rest is complete in each run.

use std::sync::Arc;
use std::time::Duration;

use gzette_core::model::{HOUR_MS, MINUTE_MS};

use crate::faults::kinds::silence;
use crate::faults::relay::{Answer, Asked, Relay, Sent, is_list};
use crate::pipeline::bucket::Cloud;
use crate::servers::seaweedfs;
use crate::support::{Project, day_of, event, files_below, text_of};

const APPS: [&str; 4] = ["api", "jobs", "shop", "web"];

/// A source before the other one, in the same bucket.
const OTHER: &str = r#"[[source]]
name = "other"
url = "s3://BUCKET/logs/other/"

[[source]]"#;

/// A bucket that is read through a relay which does not answer some requests.
struct Half {
    cloud: Cloud,
    client: Project,
    relay: Relay,
}

impl Half {
    /// Two days of each application; `hangs` says which targets get no answer.
    fn new(bucket: &str, hangs: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        let mut cloud = Cloud::new(bucket);
        for app in APPS {
            for back in [0, 1, 2, 6] {
                for number in 0..3 {
                    put(&cloud.project, app, back, number);
                }
            }
        }
        cloud.upload();
        let relay = Relay::start_where(&seaweedfs().endpoint, hangs, Arc::new(|_: &_, _| silence()));
        let client = Cloud::client(bucket, &relay.endpoint);
        Self { cloud, client, relay }
    }

    /// Requires of three runs, each with something new, that all but what hangs is complete.
    fn is_complete_but_for(&mut self, hung: impl Fn(&str) -> bool) {
        for run in 0..3 {
            let outcome = self.client.gzette("run --json --deadline 10s");
            let keys = files_below(&self.cloud.project.path("logs"));
            let healthy = keys.keys().filter(|key| !hung(key)).count();
            assert_eq!(outcome.code(), Some(3), "{}", outcome.stderr);
            let status = self.client.gzette("status --json").json();
            assert_eq!(status["objects"]["mirrored"], healthy, "run {run}: {}\n{status}", outcome.stderr);
            assert_eq!(status["objects"]["deleted"], 0);
            for app in APPS {
                put(&self.cloud.project, app, 0, 10 + run);
            }
            self.cloud.upload();
            self.client.now_ms += 10 * MINUTE_MS;
        }
        self.relay.calm_down();
        self.client.now_ms += 2 * HOUR_MS;
        self.client.gzette("run").exits(0);
        let status = self.client.gzette("status --json").json();
        assert_eq!(status["objects"]["mirrored"], files_below(&self.cloud.project.path("logs")).len());
        self.client.verifies();
    }
}

fn put(project: &Project, app: &str, days_back: i64, number: i64) {
    let start_ms = project.now_ms - (days_back * 24 + 2) * HOUR_MS + number * MINUTE_MS;
    let key = format!("{app}/{}/{app}_{number}.gz", day_of(start_ms));
    project.put(&key, text_of(app, start_ms, 20 + number));
}

#[test]
fn an_application_whose_listing_hangs_keeps_no_other_waiting() {
    let mut half = Half::new("deadline-app", |target| is_list(target) && target.contains("logs%2Fweb%2F"));
    half.is_complete_but_for(|key| key.starts_with("web/"));
}

#[test]
fn a_day_whose_listing_hangs_keeps_no_other_waiting() {
    let mut half =
        Half::new("deadline-day", |target| is_list(target) && target.contains("logs%2Fweb%2F20260301"));
    half.is_complete_but_for(|key| key.starts_with("web/20260301/"));
}

#[test]
fn reads_that_hang_give_their_places_to_others() {
    // More of them than are read at a time.
    let mut half = Half::new("deadline-get", |target| !is_list(target) && target.contains("/logs/web/"));
    for number in 20..40 {
        put(&half.cloud.project, "web", number % 3, number);
    }
    half.cloud.upload();
    half.is_complete_but_for(|key| key.starts_with("web/"));
}

#[test]
fn reads_on_a_slow_line_are_not_begun_again() {
    let mut cloud = Cloud::new("deadline-slow");
    for number in 0..32 {
        let line = |at: i64| {
            let text = blake3::hash(&(at + 1000 * number).to_le_bytes()).to_hex();
            event(cloud.project.now_ms - HOUR_MS, "INFO", &text)
        };
        let text: String = (0..500).map(line).collect();
        cloud.project.put(&format!("api/20260301/api_{number}.gz"), text);
    }
    cloud.upload();
    // Each takes longer than a read that hangs may keep others waiting.
    let slowly = |_: &Asked<'_>, answer: Answer| {
        let bytes = answer.bytes();
        let pieces = bytes.chunks(bytes.len().div_ceil(15).max(1)).map(<[u8]>::to_vec).collect();
        Sent { pieces, wait: Duration::from_millis(100), hold: false }
    };
    let relay = Relay::start_where(&seaweedfs().endpoint, |target| !is_list(target), Arc::new(slowly));
    let client = Cloud::client("deadline-slow", &relay.endpoint);
    client.gzette("run --deadline 20s").exits(0);
    assert_eq!(relay.hits(), 32);
}

#[test]
fn a_source_that_hangs_keeps_no_other_waiting() {
    let mut half = Half::new("deadline-source", |target| target.contains("other"));
    half.client.reconfigure("[[source]]", &OTHER.replace("BUCKET", "deadline-source"));
    half.is_complete_but_for(|_| false);
}

#[test]
fn without_a_deadline_what_is_listed_is_read_while_another_listing_hangs() {
    let half = Half::new("deadline-none", |target| is_list(target) && target.contains("logs%2Fweb%2F"));
    let mut run = half.client.start("run");
    let others = APPS.len() - 1;
    let mirrored = || {
        let status = half.client.gzette("status --json");
        if status.code() == Some(0) { status.json()["objects"]["mirrored"].as_u64() } else { None }
    };
    while mirrored() < Some(others as u64 * 12) {
        assert!(run.try_wait().unwrap().is_none(), "the run waits for the listing");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(run.try_wait().unwrap().is_none(), "the run waits for the listing");
    run.kill().unwrap();
    run.wait().unwrap();
}
