//! What a source is like beyond its objects: servers that answer oddly all the time, objects that stay out of reach,
//! addresses and layouts that are wrong. Said once, and in words that help.

use std::sync::Arc;

use gzette_core::model::{DAY_MS, HOUR_MS, MINUTE_MS};

use crate::faults::kinds::{refusal, whole};
use crate::faults::relay::{Answer, Asked, Relay, Sent, is_list};
use crate::pipeline::bucket::Cloud;
use crate::servers::seaweedfs;
use crate::support::{Outcome, Project, text_of};

/// A bucket with the week of three applications, and a client of it through a relay.
fn through(
    bucket: &str,
    only: impl Fn(&str) -> bool + Send + Sync + 'static,
    spoil: impl Fn(&Asked<'_>, Answer) -> Sent + Send + Sync + 'static,
) -> (Cloud, Project, Relay) {
    let mut cloud = Cloud::new(bucket);
    cloud.project.put_week();
    cloud.upload();
    let relay = Relay::start_where(&seaweedfs().endpoint, only, Arc::new(spoil));
    let client = Cloud::client(bucket, &relay.endpoint);
    (cloud, client, relay)
}

const OTHER_ETAGS: &str = "the server returns other etags for reads than for listings";

/// Requires that all objects come, whatever their etags, and that this is said once.
fn reads_all(cloud: &mut Cloud, client: &mut Project) {
    let run = client.gzette("run").exits(0);
    assert_eq!(run.stderr.matches(OTHER_ETAGS).count(), 1, "{}", run.stderr);
    client.verifies();
    let count = |project: &Project| project.gzette("status --json").json()["objects"]["mirrored"].clone();
    assert_eq!(count(client), 42);
    // Known from now on: one read for each object.
    client.now_ms += 10 * MINUTE_MS;
    cloud.project.put("api/20260301/more.gz", text_of("more", client.now_ms - HOUR_MS, 30));
    cloud.upload();
    let run = client.gzette("run --json").exits(0);
    assert!(!run.stderr.contains(OTHER_ETAGS), "{}", run.stderr);
    assert_eq!(run.json()["requests"]["get"], 1);
    assert_eq!(count(client), 43);
    finds_what_is_pruned(client);
}

/// Requires that a search fetches what the mirror lacks, whatever its etags.
fn finds_what_is_pruned(client: &Project) {
    let found = |client: &Project| client.gzette("search order --count").exits(0);
    let before = found(client).text();
    client.reconfigure("[site]", "[retention]\nmirror_days = 2\n\n[site]");
    client.gzette("prune").exits(0);
    let after = found(client);
    assert_eq!(after.text(), before);
    assert!(after.stderr.contains("objects that the mirror lacks"), "{}", after.stderr);
}

#[test]
fn a_proxy_that_gives_other_etags_is_read_by_checksum() {
    let (mut cloud, mut client, _relay) = through(
        "etags-proxy",
        |target| !is_list(target),
        |_, answer| whole(&answer.with("ETag", "\"proxied\"")),
    );
    reads_all(&mut cloud, &mut client);
}

#[test]
fn a_gateway_that_refuses_the_listed_etag_is_read_by_checksum() {
    let (mut cloud, mut client, _relay) = through(
        "etags-gateway",
        |target| !is_list(target),
        |asked, answer| {
            if asked.head.to_lowercase().contains("if-match") {
                return refusal("412 Precondition Failed", "PreconditionFailed");
            }
            whole(&answer.with("ETag", "\"decrypted\""))
        },
    );
    reads_all(&mut cloud, &mut client);
}

#[test]
fn damaged_bytes_under_another_etag_are_not_taken_for_the_object() {
    let (_cloud, client, _relay) = through(
        "etags-damaged",
        |target| target.contains("/api/20260301/"),
        |asked, mut answer| {
            // Other bytes at each read, and no checksum for them.
            answer.headers.retain(|(name, _)| !name.to_lowercase().starts_with("x-amz-checksum"));
            let at = asked.head.len() % 7 + asked.random as usize % answer.body.len().max(1);
            let count = client_reads();
            if let Some(byte) = answer.body.get_mut((at + count) % 60 + 20) {
                *byte ^= count as u8 | 1;
            }
            whole(&answer.with("ETag", "\"odd\""))
        },
    );
    let run = client.gzette("run -v").exits(3);
    assert!(run.stderr.contains("two reads gave different bytes"), "{}", run.stderr);
}

/// Returns how often it was called.
fn client_reads() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static READS: AtomicUsize = AtomicUsize::new(0);
    READS.fetch_add(1, Ordering::SeqCst)
}

/// Returns how many objects a run names with a reason. A note says of their application that it is not read.
fn named(run: &Outcome, reason: &str) -> usize {
    let is_named = |line: &&str| line.contains("s3://") && line.contains(reason);
    run.stderr.lines().filter(is_named).count()
}

#[test]
fn what_stays_denied_is_named_once_and_counted_then() {
    let (_cloud, mut client, relay) = through(
        "stays-denied",
        |target| target.contains("/api/20260301/"),
        |_, _| refusal("403 Forbidden", "AccessDenied"),
    );
    let first = client.gzette("run").exits(3);
    assert_eq!(named(&first, "AccessDenied"), 2, "{}", first.stderr);
    client.now_ms += 10 * MINUTE_MS;
    let second = client.gzette("run").exits(3);
    let line = "2 objects of api denied since 2026-03-01 12:00 UTC, next try 2026-03-01 12:30 UTC";
    assert!(second.stderr.contains(line) && named(&second, "AccessDenied") == 0, "{}", second.stderr);
    client.now_ms += 10 * MINUTE_MS;
    let third = client.gzette("run --json --quiet").exits(3);
    assert_eq!((third.stderr.as_str(), &third.json()["requests"]["get"]), ("", &0.into()), "nothing is new");
    let all = client.gzette("run -v").exits(3);
    assert_eq!(named(&all, "AccessDenied"), 2, "{}", all.stderr);
    relay.calm_down();
    client.now_ms += 20 * MINUTE_MS;
    client.gzette("run").exits(0);
    assert_eq!(client.gzette("status --json").json()["objects"]["mirrored"], 42);
}

#[test]
fn what_failed_where_the_source_no_longer_looks_is_forgotten() {
    let (_cloud, mut client, _relay) = through(
        "moved-away",
        |target| (is_list(target) && target.contains("api%2F2026")) || target.contains("/web/20260301/"),
        |_, _| refusal("403 Forbidden", "AccessDenied"),
    );
    client.gzette("run").exits(3);
    client.reconfigure("s3://moved-away/logs/", "s3://moved-away/logs/jobs/");
    client.reconfigure("url = \"s3", "layout = \"{date}/\"\nurl = \"s3");
    client.now_ms += 10 * MINUTE_MS;
    let run = client.gzette("run").exits(0);
    assert!(!run.stderr.contains("AccessDenied"), "{}", run.stderr);
    assert!(!client.gzette("status").exits(0).text().contains("AccessDenied"));
}

#[test]
fn what_is_archived_is_told_once_and_found_when_it_is_restored() {
    let (_cloud, mut client, relay) = through(
        "stays-archived",
        |target| target.contains("/api/20260301/"),
        |_, _| refusal("403 Forbidden", "InvalidObjectState"),
    );
    let first = client.gzette("run").exits(3);
    assert_eq!(named(&first, "InvalidObjectState"), 2, "{}", first.stderr);
    let mut gets = 0;
    for _ in 0..12 {
        client.now_ms += 10 * MINUTE_MS;
        let run = client.gzette("run --json").exits(0);
        assert_eq!(named(&run, "InvalidObjectState"), 0, "{}", run.stderr);
        gets += run.json()["requests"]["get"].as_u64().unwrap();
    }
    assert_eq!(gets, 2 * 3, "after 10, 30 and 70 minutes");
    assert_eq!(client.gzette("status --json").json()["objects"]["archived"], 2);
    relay.calm_down();
    client.now_ms += DAY_MS;
    client.gzette("run").exits(0);
    assert_eq!(client.gzette("status --json").json()["objects"]["mirrored"], 42);
}

#[test]
fn a_stray_key_is_told_once() {
    let mut project = Project::new();
    project.put_week();
    project.put("loose.gz", "x\n");
    project.put("api/archive/old.gz", "y\n");
    let first = project.gzette("run").exits(3);
    assert!(first.stderr.contains("loose.gz: the key does not fit the layout"), "{}", first.stderr);
    assert!(first.stderr.contains("api/archive/: the folder does not fit the layout"), "{}", first.stderr);
    project.now_ms += 10 * MINUTE_MS;
    let second = project.gzette("run --quiet").exits(0);
    assert_eq!(second.stderr, "");
    assert_eq!(project.gzette("status --json").json()["strays"], 2);
    project.put("another.gz", "z\n");
    let third = project.gzette("run --quiet").exits(3);
    assert!(
        third.stderr.contains("another.gz: the key does not fit the layout, nor do 1 more here"),
        "{}",
        third.stderr
    );
}

#[test]
fn an_empty_prefix_is_doubted() {
    let project = Project::new();
    let run = project.gzette("run").exits(0);
    assert!(run.stderr.contains("nothing below `"), "{}", run.stderr);
    assert!(run.stderr.contains("/logs/`: no key and no folder; is the prefix right?"), "{}", run.stderr);
    project.put_week();
    assert!(!project.gzette("run").exits(0).stderr.contains("nothing below"));
}

#[test]
fn a_layout_that_no_key_fits_is_shown_beside_a_key() {
    let project = Project::new();
    project.put_week();
    project.reconfigure("url = \"logs/\"", "url = \"logs/\"\nlayout = \"{date:%Y-%m-%d}/{app}/\"");
    let run = project.gzette("run").exits(3);
    let said = "source `prod`: no key fits the layout `{date:%Y-%m-%d}/{app}/`, which expects keys such as \
        `2026-01-31/checkout-api/pod-7.gz`; found keys such as `";
    assert!(run.stderr.contains(said), "{}", run.stderr);
    project.reconfigure("{date:%Y-%m-%d}/{app}/", "%Y/%m/%d");
    let run = project.gzette("run").exits(2);
    let said = "`%Y` is outside `{date:...}`; write `{date:%Y/%m/%d}`";
    assert!(run.stderr.contains(said), "{}", run.stderr);
}

#[test]
fn a_web_page_in_place_of_a_listing_is_called_so() {
    let page = |status: &'static str| {
        move |_: &Asked<'_>, _| {
            whole(&Answer::new(
                status,
                "text/html",
                "<!DOCTYPE html>\n<html><body>Please log in</body></html>",
            ))
        }
    };
    for (bucket, status) in [("html-fine", "200 OK"), ("html-refused", "404 Not Found")] {
        let (_cloud, client, _relay) = through(bucket, is_list, page(status));
        let run = client.gzette("run");
        assert_ne!(run.code(), Some(0));
        let said = "the answer is HTML, not S3's XML: is `endpoint_url` a web page or a login portal?";
        assert!(run.stderr.contains(said), "{}", run.stderr);
        let told = run.stderr.lines().filter(|line| line.starts_with("warning") || line.starts_with("error"));
        assert!(told.clone().count() > 0 && !told.collect::<String>().contains(['{', '(']), "{}", run.stderr);
    }
}
