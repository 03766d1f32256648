//! Configurations that cannot work: wrong keys and values, a missing bucket, wrong credentials, a dead endpoint.
//! One sentence with the place, one hint, and nothing is changed.

use std::fs;
use std::sync::Arc;

use gzette_core::model::HOUR_MS;

use super::a_week;
use super::bucket::Cloud;
use crate::faults::kinds::{refusal, whole};
use crate::faults::relay::{Answer, Asked, Relay, Spoil};
use crate::servers::{free_ports, seaweedfs};
use crate::support::Project;

#[test]
fn a_wrong_configuration_is_told_in_one_sentence() {
    let project = Project::new();
    project.put_week();
    for (from, to, error, hint) in [
        ("state_dir", "state_dri", "unknown key `state_dri`", "did you mean `state_dir`?"),
        (
            "url = \"logs/\"",
            "url = \"logs/\"\nlookback_days = 4",
            "`lookback_days` in `[[source]]`",
            "`look_back_days`",
        ),
        ("transport", "transprot", "unknown key `transprot`", "`transport`"),
    ] {
        let text = fs::read_to_string(project.path("gzette.toml")).unwrap();
        project.configure(&text.replace("from =", "transport = \"file\"\nfrom ="));
        project.reconfigure(from, to);
        for command in ["run", "status", "search x"] {
            project.gzette(command).exits(2).says(&["gzette.toml: line ", error], hint);
        }
        project.configure(&text);
    }
    fs::remove_file(project.path("gzette.toml")).unwrap();
    project
        .gzette("run")
        .exits(2)
        .says(&["found no configuration; looked for `", "/gzette.toml`"], "`gzette init` writes one");
    project.gzette("run --config no/such.toml").exits(2).says(&["no/such.toml"], "--config FILE");
    assert!(!project.path("state").exists() && !project.path("site").exists());
}

#[test]
fn asking_before_the_first_run_is_told_what_to_do() {
    let project = Project::new();
    for command in ["status", "search x", "count"] {
        project.gzette(command).exits(1).says(&["nothing was ingested yet"], "gzette run");
    }
    assert!(!project.path("site").exists());
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let project = Project::new();
    fs::remove_dir(project.path("logs")).unwrap();
    project.gzette("run").exits(2).says(&["list `", "logs", "no such folder"], "check the `url`");
    assert!(!project.path("site").exists());
}

/// Each way in which S3 refuses: how to provoke it, the exit code, the message.
fn refusals() -> Vec<(&'static str, Cloud, i32, Vec<&'static str>, &'static str)> {
    let [port] = free_ports();
    let cloud = |name: &str| {
        let mut cloud = Cloud::new(name);
        cloud.project.put_week();
        cloud.upload();
        cloud
    };
    let no_bucket = cloud("e2e-no-bucket");
    no_bucket.project.reconfigure("s3://e2e-no-bucket/", "s3://e2e-never-made/");
    let mut wrong_secret = cloud("e2e-wrong-secret");
    wrong_secret.project.set_env("AWS_SECRET_ACCESS_KEY", "not the secret");
    let mut unknown_key = cloud("e2e-unknown-key");
    unknown_key.project.set_env("AWS_ACCESS_KEY_ID", "nobody");
    let mut no_server = cloud("e2e-no-server");
    no_server.project.set_env("AWS_ENDPOINT_URL", &format!("http://127.0.0.1:{port}"));
    let mut no_credentials = cloud("e2e-no-credentials");
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        no_credentials.project.unset_env(name);
    }
    vec![
        (
            "no bucket",
            no_bucket,
            2,
            vec!["list `s3://e2e-never-made/logs/`", "NoSuchBucket"],
            "check the `url`",
        ),
        (
            "wrong secret",
            wrong_secret,
            2,
            vec!["list `s3://e2e-wrong-secret/logs/`", "SignatureDoesNotMatch"],
            "AWS_PROFILE",
        ),
        (
            "unknown key",
            unknown_key,
            2,
            vec!["list `s3://e2e-unknown-key/logs/`", "InvalidAccessKeyId"],
            "AWS_ACCESS_KEY_ID",
        ),
        ("no server", no_server, 1, vec!["list `s3://e2e-no-server/logs/`", "refused"], "AWS_ENDPOINT_URL"),
        ("no credentials", no_credentials, 2, vec!["list `s3://e2e-no-credentials/logs/`"], "AWS_PROFILE"),
    ]
}

#[test]
fn a_source_that_refuses_is_told_in_one_sentence_and_nothing_is_made_of_it() {
    for (name, cloud, code, error, hint) in refusals() {
        let run = cloud.project.gzette("run").exits(code);
        run.says(&error, hint);
        assert!(run.stdout.is_empty(), "{name}");
        assert!(!cloud.project.path("site").exists(), "{name}: no site is made from nothing");
        assert!(!cloud.project.path("state/outbox").exists(), "{name}: no mail is made from nothing");
        let last = &cloud.project.gzette("status --json").json()["last_run"];
        assert_eq!(last["exit_code"], code, "{name}");
        assert!(last["summary"]["error"].as_str().unwrap().contains(error[0]), "{name}");
    }
}

#[test]
fn a_first_run_that_may_list_nothing_makes_no_page_of_it() {
    Cloud::new("e2e-never-listed");
    for (spoil, error, hint) in [
        (
            Arc::new(|_: &Asked<'_>, _| refusal("403 Forbidden", "AccessDenied")) as Arc<Spoil>,
            "AccessDenied",
            "s3:ListBucket",
        ),
        (
            Arc::new(|_: &Asked<'_>, _| whole(&Answer::new("200 OK", "text/html", "<html>log in</html>"))),
            "list `",
            "s3:ListBucket",
        ),
        (
            Arc::new(|_: &Asked<'_>, _| refusal("500 Internal Server Error", "InternalError")),
            "InternalError",
            "AWS_ENDPOINT_URL",
        ),
    ] {
        let relay = Relay::start_where(&seaweedfs().endpoint, |_| true, spoil);
        let project = Cloud::client("e2e-never-listed", &relay.endpoint);
        project.reconfigure("[site]", "timeout_seconds = 1\n\n[site]");
        project.gzette("run").exits(1).says(&["s3://e2e-never-listed/logs/", error], hint);
        assert!(!project.path("site").exists() && !project.path("state/outbox").exists(), "{error}");
    }
}

#[test]
fn a_source_that_no_longer_answers_is_told_and_all_that_was_read_stays() {
    let mut cloud = Cloud::new("e2e-went-away");
    cloud.project.put_week();
    cloud.upload();
    cloud.project.gzette("run").exits(0);
    let counts = cloud.project.gzette("count --by app,level,hour,group --json").text();
    let [port] = free_ports();
    cloud.project.set_env("AWS_ENDPOINT_URL", &format!("http://127.0.0.1:{port}"));
    cloud.project.now_ms += HOUR_MS;
    let run = cloud.project.gzette("run").exits(3);
    for words in [
        "s3://e2e-went-away/logs/",
        "Nothing could be read since 12:00 UTC",
        "source prod: not read since 12:00 UTC",
    ] {
        assert!(run.stderr.contains(words), "{}", run.stderr);
    }
    let page = fs::read_to_string(cloud.project.path("site/index.html")).unwrap();
    assert!(page.contains("Nothing could be read since 12:00 UTC"));
    assert_eq!(cloud.project.gzette("count --by app,level,hour,group --json").text(), counts);
    assert_eq!(cloud.project.gzette("status --json").json()["objects"]["listed"], 42);
    cloud.project.verifies();
}

#[test]
fn one_of_two_sources_that_refuses_does_not_keep_the_other() {
    let project = Project::new();
    project.put_week();
    project.reconfigure("[site]", "[[source]]\nname = \"gone\"\nurl = \"no/such/folder\"\n\n[site]");
    let run = project.gzette("run").exits(3);
    assert!(run.stderr.contains("warning   source `gone`: list `"), "{}", run.stderr);
    project.counts_what_is_there();
    project.verifies();
    assert!(project.path("site/index.html").exists());
}

#[test]
fn a_state_that_cannot_be_written_is_named() {
    let project = a_week();
    project.reconfigure("state_dir = \"state\"", "state_dir = \"gzette.toml/state\"");
    project
        .gzette("run")
        .exits(1)
        .says(&["cannot write the state directory", "gzette.toml/state"], "state_dir");
    project.reconfigure("state_dir = \"gzette.toml/state\"", "state_dir = \"state\"");
    project.reconfigure("dir = \"site\"", "dir = \"gzette.toml/site\"");
    // Counts stay and are mailed; only the pages are missing.
    let run = project.gzette("run").exits(3);
    assert!(
        run.stderr.contains("cannot write the site into `") && run.stderr.contains("gzette.toml/site"),
        "{}",
        run.stderr
    );
    project.verifies();
}
