//! Mails and pages on a hard day: the mail server is down for hours or refuses to sign in, the site's folder cannot be
//! written, the bucket takes nothing. The real binary, every ten minutes by its clock, and a real SMTP server.

use std::fs;

use gzette_core::model::{DAY_MS, HOUR_MS, MINUTE_MS};
use mailin::AuthMechanism;
use serde_json::Value;

use crate::digest::parse_with_python;
use crate::smtp::{PASSWORD, Received, Script, Security, SmtpServer, USER, closed_port};
use crate::support::{Outcome, Project, copy_folder, event, files_below};

/// A project with one application and one error an hour ago, whose mail goes to `port`.
fn project_mailing_to(port: u16) -> Project {
    let project = small_project();
    let transport = format!("transport = \"smtp://localhost:{port}?tls=none\"\nfrom =");
    project.reconfigure("from =", &transport);
    project
}

fn small_project() -> Project {
    let project = Project::new();
    let text = event(project.now_ms - HOUR_MS, "ERROR", "disk full");
    project.put("api/20260301/api_1.gz", text);
    project
}

impl Project {
    /// Lets some minutes pass, then runs.
    fn run_after(&mut self, minutes: i64) -> Outcome {
        self.now_ms += minutes * MINUTE_MS;
        self.gzette("run")
    }

    fn status(&self) -> Value {
        self.gzette("status --json").json()
    }

    /// Returns the text of the one mail of the file transport.
    fn mail_text(&self) -> String {
        let mut mails = files_below(&self.path("state/outbox")).into_values();
        let text = text_of_eml(&mails.next().expect("a mail was sent"));
        assert_eq!(mails.next(), None, "only one");
        text
    }
}

fn text_of_eml(eml: &[u8]) -> String {
    let text = parse_with_python(eml)["parts"][0]["text"].as_str().unwrap().replace('\n', " ");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn subjects(mails: &[Received]) -> Vec<String> {
    let subject = |mail: &Received| {
        let text = String::from_utf8_lossy(&mail.eml).into_owned();
        text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap().to_owned()
    };
    mails.iter().map(subject).collect()
}

#[test]
fn a_mail_server_that_is_down_for_hours_loses_no_mail() {
    let port = closed_port();
    let mut project = project_mailing_to(port);
    let first = project.gzette("run").exits(3);
    let why = "1 mail waits since 2026-03-01T12:00:00.000Z (less than a minute), next try after 2026-03-01T12:10:00.000Z: mail by";
    assert!(first.stderr.contains(why), "{}", first.stderr);
    assert!(first.stderr.contains("0 sent, 1 waiting"), "{}", first.stderr);
    for _ in 0..6 {
        let run = project.run_after(10).exits(3);
        assert!(run.stderr.contains("1 mail waits since 2026-03-01T12:00:00.000Z"), "{}", run.stderr);
    }
    let status = project.status();
    let waiting = &status["mails"]["waiting"][0];
    assert_eq!(waiting["digest"], "ops");
    assert_eq!(waiting["since"], "2026-03-01T12:00:00.000Z");
    assert_eq!((&waiting["tries"], &waiting["next_try"]), (&4.into(), &"2026-03-01T13:20:00.000Z".into()));
    assert!(waiting["reason"].as_str().unwrap().contains("Connection refused"), "{waiting}");
    let words = project.gzette("status").text();
    assert!(words.contains("\nmail          ops: `[gzette] "), "{words}");
    let page = fs::read_to_string(project.path("site/ingest.html")).unwrap();
    assert!(page.contains("Mails that were not sent") && page.contains("Connection refused"));

    let server = SmtpServer::start_at(port, Script::default());
    project.run_after(10).exits(3);
    assert_eq!(server.mails(), [], "its pause is not over");
    let sent = project.run_after(10).exits(0);
    assert!(sent.stderr.contains("1 sent, 0 waiting"), "{}", sent.stderr);
    assert_eq!(server.mails().len(), 1);
    assert_eq!(project.status()["mails"]["waiting"], serde_json::json!([]));
    project.run_after(10).exits(0);
    assert_eq!(server.mails().len(), 1);
}

#[test]
fn wrong_credentials_are_tried_rarely_and_at_once_when_they_are_others() {
    let server = SmtpServer::start(Script { auth: Some(AuthMechanism::Plain), ..Script::default() });
    let mut project = project_mailing_to(server.port);
    project.reconfigure("smtp://localhost", "smtp://ops%40example.com@localhost");
    let missing = project.gzette("run").exits(3);
    assert!(missing.stderr.contains("GZETTE_SMTP_PASSWORD"), "{}", missing.stderr);
    assert_eq!(server.connections(), 0);
    project.set_env("GZETTE_SMTP_PASSWORD", "wrong");
    project.run_after(0).exits(3);
    for _ in 0..12 {
        let run = project.run_after(10).exits(3);
        assert!(run.stderr.contains("535 Invalid credentials"), "{}", run.stderr);
    }
    assert_eq!(server.connections(), 5, "at 0, 10, 20, 40 and 80 minutes");
    project.set_env("GZETTE_SMTP_PASSWORD", PASSWORD);
    project.run_after(0).exits(0);
    assert_eq!(server.mails()[0].user.as_deref(), Some(USER));
}

#[test]
fn several_waiting_mails_are_sent_in_order_and_what_was_given_up_is_told() {
    let port = closed_port();
    let mut project = project_mailing_to(port);
    project.gzette("run").exits(3);
    // Half a day between each two: a new mail every day, and each try is made. A run lists the source, so that nothing else is new.
    for _ in 0..10 {
        project.now_ms += DAY_MS / 2;
        project.gzette("run").exits(3);
    }
    let mails = &project.status()["mails"];
    assert_eq!(mails["waiting"].as_array().unwrap().len(), 5, "{mails:#}");
    assert_eq!(mails["given_up"][0]["made"], "2026-03-01T12:00:00.000Z", "{mails:#}");
    assert_eq!(mails["given_up"].as_array().unwrap().len(), 1);
    let given_up = project.run_after(10).exits(3);
    assert!(given_up.stderr.contains("digest --retry` sends what was given up"), "{}", given_up.stderr);

    let server = SmtpServer::start_at(port, Script::default());
    project.now_ms += DAY_MS;
    let sent = project.gzette("run").exits(0);
    assert!(sent.stderr.contains("6 sent, 0 waiting"), "{}", sent.stderr);
    let dates: Vec<_> = server.mails().iter().map(|mail| parse_with_python(&mail.eml)).collect();
    let day = |mail: &Value| {
        let headers = mail["headers"].as_array().unwrap();
        headers.iter().find(|pair| pair[0] == "Date").unwrap()[1].as_str().unwrap()[5..7].to_owned()
    };
    assert_eq!(dates.iter().map(day).collect::<Vec<_>>(), ["02", "03", "04", "05", "06", "07"]);
    let last = text_of_eml(&server.mails()[5].eml);
    assert!(last.contains("1 mail could not be sent and was given up, made at Sun 1 Mar 12:00"), "{last}");
    assert!(!text_of_eml(&server.mails()[4].eml).contains("given up"));
    assert_eq!(project.status()["mails"]["given_up"].as_array().unwrap().len(), 1, "it stays in the status");

    project.gzette("digest --retry").exits(0);
    assert_eq!(server.mails().len(), 7);
    assert_eq!(project.status()["mails"]["given_up"], serde_json::json!([]));
}

#[test]
fn a_digest_by_hand_tries_now_and_another_digest_does_not_wait() {
    let port = closed_port();
    let mut project = project_mailing_to(port);
    let leads = "[[digest]]\nname = \"leads\"\nto = [\"lead@example.com\"]\nfrom = \"gzette@example.com\"\n";
    let config = fs::read_to_string(project.path("gzette.toml")).unwrap();
    project.configure(&format!("{config}\n{leads}"));
    let run = project.gzette("run").exits(3);
    assert!(run.stderr.contains("leads: ") && run.stderr.contains("1 sent, 0 waiting"), "{}", run.stderr);
    assert!(!project.mail_text().contains("waits"), "it did not wait when this mail was made");
    let tried = project.gzette("digest --json").exits(3).json();
    assert_eq!((&tried[0]["waiting"], &tried[0]["since"]), (&1.into(), &"2026-03-01T12:00:00.000Z".into()));
    let server = SmtpServer::start_at(port, Script::default());
    project.now_ms += MINUTE_MS;
    let tried = project.gzette("digest --json").exits(0).json();
    assert_eq!((&tried[0]["sent"], &tried[0]["next_try"]), (&1.into(), &Value::Null));
    assert_eq!(server.mails().len(), 1);
}

#[test]
fn a_server_that_postpones_or_closes_gets_the_mail_later() {
    let server = SmtpServer::start(Script {
        content_answers: vec![(451, "greylisted"), (421, "closing"), (554, "looks like spam")],
        ..Script::default()
    });
    let mut project = project_mailing_to(server.port);
    for (minutes, reason) in [(0, "451 greylisted"), (10, "421 closing"), (10, "554 looks like spam")] {
        let run = project.run_after(minutes).exits(3);
        assert!(run.stderr.contains(reason), "{}", run.stderr);
    }
    project.run_after(20).exits(0);
    assert_eq!(server.mails().len(), 1);
}

/// What can happen to the site's folder and to the place it is published to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Fine,
    Blocked,
    NotSet,
}

#[test]
fn whatever_becomes_of_the_pages_the_mail_goes_and_says_so() {
    for (folder, target, code, note) in [
        (Place::Fine, Place::NotSet, 0, None),
        (Place::Fine, Place::Fine, 0, None),
        (
            Place::Fine,
            Place::Blocked,
            3,
            Some("The pages that this mail links to do not exist: the site was not published: "),
        ),
        (
            Place::Blocked,
            Place::NotSet,
            3,
            Some("The pages that this mail links to do not exist: cannot write the site into "),
        ),
        (Place::Blocked, Place::Fine, 3, Some("Note: cannot write the site into ")),
        (
            Place::Blocked,
            Place::Blocked,
            3,
            Some("The pages that this mail links to do not exist: the site was not published: "),
        ),
    ] {
        let case = format!("folder {folder:?}, target {target:?}");
        let mut project = small_project();
        // A file where a folder is to be: not even root can write below it.
        fs::write(project.path("blocked"), "").unwrap();
        let place = |place: Place| if place == Place::Blocked { "blocked/x" } else { "there" };
        let publish = if target == Place::NotSet {
            String::new()
        } else {
            format!("\npublish = \"{}\"", place(target))
        };
        let dir = if folder == Place::Blocked { "blocked/site" } else { "site" };
        project.reconfigure(
            "dir = \"site\"",
            &format!("dir = \"{dir}\"\nbase_url = \"https://errors.example.com/\"{publish}"),
        );
        let run = project.gzette("run").exits(code);
        let text = project.mail_text();
        assert!(text.contains("https://errors.example.com/index.html"), "{case}: {text}");
        let notes = ["The pages that this mail", "Note: "].map(|start| text.matches(start).count());
        assert_eq!(notes.iter().sum::<usize>(), usize::from(note.is_some()), "{case}: {text}");
        let status = project.status();
        match note {
            None => assert_eq!(status["pages"]["error"], Value::Null, "{case}"),
            Some(note) => {
                assert!(text.contains(note), "{case}: {text}");
                assert!(run.stderr.contains("warning   "), "{case}: {}", run.stderr);
                assert_eq!(status["pages"]["failed_since"], "2026-03-01T12:00:00.000Z", "{case}");
                // The reason stays until it works.
                let again = project.run_after(10).exits(3);
                assert!(again.stderr.contains("blocked"), "{case}: {}", again.stderr);
                assert_eq!(project.status()["pages"]["failed_since"], "2026-03-01T12:00:00.000Z", "{case}");
                fs::remove_file(project.path("blocked")).unwrap();
                project.run_after(10).exits(0);
                assert_eq!(project.status()["pages"]["error"], Value::Null, "{case}");
            }
        }
    }
}

#[test]
fn pages_of_an_earlier_run_are_told_with_their_age() {
    let mut project = small_project();
    project.reconfigure(
        "dir = \"site\"",
        "dir = \"site\"\npublish = \"there\"\nbase_url = \"https://errors.example.com/\"",
    );
    project.gzette("run").exits(0);
    let first = project.mail_text();
    let files = files_below(&project.path("there")).len();
    assert!(first.contains(&format!(" {files} put requests")), "{files} files: {first}");
    assert!(first.contains("this run so far"), "{first}");

    fs::remove_dir_all(project.path("there")).unwrap();
    fs::write(project.path("there"), "").unwrap();
    fs::remove_dir_all(project.path("state/outbox")).unwrap();
    project.now_ms += DAY_MS;
    project.gzette("run").exits(3);
    let old = "The pages that this mail links to are from Sun 1 Mar 12:00 (1 day 0 h ago): the site was not published: ";
    assert!(project.mail_text().contains(old), "{}", project.mail_text());
    let words = project.gzette("status").text();
    assert!(words.contains("\npages         the site was not published: "), "{words}");
    let by_hand = project.gzette("digest --print").text();
    assert!(by_hand.contains("The pages that this mail links to are from "), "{by_hand}");
    assert!(by_hand.contains("last run"), "{by_hand}");
}

#[test]
fn a_mail_goes_when_the_time_is_up_before_all_was_published() {
    let hole = SmtpServer::start(Script { silent: true, ..Script::default() });
    let mut project = small_project();
    project.set_env("AWS_ACCESS_KEY_ID", "a");
    project.set_env("AWS_SECRET_ACCESS_KEY", "b");
    let endpoint = format!("endpoint_url = \"http://127.0.0.1:{}\"", hole.port);
    project.reconfigure(
        "dir = \"site\"",
        &format!(
            "dir = \"site\"\npublish = \"s3://dash/\"\nbase_url = \"https://errors.example.com/\"\n{endpoint}"
        ),
    );
    let run = project.gzette("run --deadline 15s").exits(3);
    assert!(
        run.stderr.contains("the site was not published: stopped before everything was sent"),
        "{}",
        run.stderr
    );
    let note = "The pages that this mail links to do not exist: the site was not published: stopped before everything was sent";
    assert!(project.mail_text().contains(note), "{}", project.mail_text());
}

#[test]
fn a_silent_mail_server_does_not_hold_a_run_beyond_its_deadline() {
    let hole = SmtpServer::start(Script { silent: true, ..Script::default() });
    let mut project = project_mailing_to(hole.port);
    let run = project.gzette("run --deadline 6s").exits(3);
    assert!(run.stderr.contains("digest `ops`: stopped before everything was sent"), "{}", run.stderr);
    assert_eq!(project.status()["mails"]["waiting"][0]["reason"], "the try was interrupted");
    drop(hole);
    project.run_after(10).exits(3);
}

#[test]
fn installations_with_one_configuration_send_mails_of_their_own() {
    let server = SmtpServer::start(Script::default());
    let ids = |mails: &[Received]| {
        let id = |mail: &Received| {
            let text = String::from_utf8_lossy(&mail.eml).into_owned();
            text.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap().to_owned()
        };
        mails.iter().map(id).collect::<Vec<_>>()
    };
    let one = project_mailing_to(server.port);
    let other = project_mailing_to(server.port);
    // A copy of the state before its first mail is the same installation: its mail is the same one.
    one.gzette("sync").exits(0);
    let copy = project_mailing_to(server.port);
    copy_folder(&one.path("state"), &copy.path("state"));
    for project in [&one, &other, &copy] {
        project.gzette("run");
    }
    let ids = ids(&server.mails());
    assert_eq!(ids.len(), 3);
    assert_ne!(ids[0], ids[1]);
    assert_eq!(ids[0], ids[2]);
    assert_eq!(subjects(&server.mails())[0], subjects(&server.mails())[1]);
}

#[test]
fn a_private_authority_is_trusted_by_ca_file_or_by_the_system() {
    let server = SmtpServer::start(Script { security: Security::Tls, ..Script::default() });
    let mut project = small_project();
    let transport = format!("transport = \"smtps://localhost:{}\"\nfrom =", server.port);
    project.reconfigure("from =", &transport);
    let refused = project.gzette("run").exits(3);
    let advice = "UnknownIssuer; `ca_file` of the digest names a file with a private authority";
    assert!(refused.stderr.contains(advice), "{}", refused.stderr);
    assert_eq!(server.mails(), []);

    fs::copy(server.ca_file(), project.path("ca.pem")).unwrap();
    project.reconfigure("transport =", "ca_file = \"ca.pem\"\ntransport =");
    project.run_after(0).exits(0);
    assert_eq!(server.mails().len(), 1, "tried at once, for the setting is another one");
    assert!(server.mails()[0].encrypted);

    project.reconfigure("ca_file = \"ca.pem\"\n", "");
    project.now_ms += DAY_MS;
    project.set_env("SSL_CERT_FILE", "no/such.pem");
    let unreadable = project.gzette("run").exits(3);
    assert!(unreadable.stderr.contains("no/such.pem"), "{}", unreadable.stderr);
    project.set_env("SSL_CERT_FILE", server.ca_file().to_str().unwrap());
    project.gzette("digest").exits(0);
    assert_eq!(server.mails().len(), 2);

    let stranger = SmtpServer::start(Script::default());
    project.unset_env("SSL_CERT_FILE");
    fs::copy(stranger.ca_file(), project.path("ca.pem")).unwrap();
    project.reconfigure("transport =", "ca_file = \"ca.pem\"\ntransport =");
    project.now_ms += DAY_MS;
    let other = project.gzette("run").exits(3);
    assert!(other.stderr.contains("/ca.pem`, does not contain its authority"), "{}", other.stderr);
}

#[test]
fn a_ca_file_that_cannot_be_used_is_a_mistake_in_the_configuration() {
    let project = small_project();
    project.reconfigure("from =", "ca_file = \"ca.pem\"\ntransport = \"smtps://localhost\"\nfrom =");
    let hint = "`ca_file` of `[[digest]]` names a PEM file";
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (content, error) in [
        (None, "`ca_file` cannot be read: No such file"),
        (Some("x"), "`ca_file` holds no PEM certificate"),
        (Some(broken), "`ca_file` holds a certificate that cannot be read, number 1"),
    ] {
        if let Some(content) = content {
            fs::write(project.path("ca.pem"), content).unwrap();
        }
        project.gzette("run").exits(2).says(&["digest `ops`: `", "/ca.pem`: ", error], hint);
    }
}

#[test]
fn an_interrupted_publish_goes_on_where_it_stopped_and_the_first_page_is_last() {
    let mut project = small_project();
    project.reconfigure("dir = \"site\"", "dir = \"site\"\npublish = \"there\"");
    // A folder in the place of a page cannot be replaced by it.
    fs::create_dir_all(project.path("there/ingest.html/in the way")).unwrap();
    let failed = project.gzette("run").exits(3);
    assert!(failed.stderr.contains("the site was not published: "), "{}", failed.stderr);
    assert!(failed.stderr.contains("ingest.html"), "{}", failed.stderr);
    assert!(!project.path("there/index.html").exists(), "it would lead to a page that is not there");

    fs::remove_dir_all(project.path("there/ingest.html")).unwrap();
    let there = files_below(&project.path("there")).len();
    assert!(there > 0, "what pages need came before them");
    project.now_ms += 1;
    let puts = &project.gzette("publish --json").exits(0).json()["requests"]["put"];
    let site = files_below(&project.path("site"));
    let all = site.keys().filter(|name| !name.starts_with('.')).count();
    assert!(
        puts.as_u64().unwrap() >= (all - there) as u64 && puts.as_u64().unwrap() < all as u64,
        "{puts} of {all}"
    );
    assert_eq!(files_below(&project.path("there")).len(), all);
}
