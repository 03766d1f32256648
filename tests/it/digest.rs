//! The digest from a view to a server, a folder or SES, with everything that can go wrong on the way.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use gzette::edges::ledger::Ledger;
use gzette::edges::mail::{
    self, MailErrorKind, MailOptions, SesCredentials, SmtpTransport, Transport, TransportSetting,
};
use gzette::flows::digest::{
    Delivery, DigestSettings, Tries, When, deliver, eml, plan, render, send_pending,
};
use gzette::flows::report::{
    Change, Completeness, Figures, GroupState, GroupView, Heat, SampleRole, SampleView, Verdict, View,
};
use gzette_core::model::{GroupId, GroupKind, HOUR_MS, Level, MINUTE_MS, UtcMs};
use mailin::AuthMechanism;

use crate::servers;
use crate::smtp::{PASSWORD, Script, Security, SmtpServer, USER, closed_port};

/// 2026-11-24T09:00:00Z.
const NOW: UtcMs = UtcMs::new(1_795_510_800_000);

const HOSTILE: &str =
    "x\r\nBcc: evil@example.org\r\n\r\n.\r\nQUIT\r\n<img src=//evil.example>\u{202e}\u{1b}[2J é 😀";

fn view(now_ms: UtcMs, titles: &[&str]) -> View {
    let groups: Vec<GroupView> =
        titles.iter().zip(1..).map(|(title, bits)| group(bits, title, now_ms)).collect();
    View {
        aliases: std::collections::BTreeMap::new(),
        now_ms,
        verdict: Verdict {
            headline: titles.first().map_or("All quiet", |title| title).to_owned(),
            detail: "4 errors in 24 hours.".to_owned(),
            needs_attention: !titles.is_empty(),
        },
        figures: Figures::default(),
        attention: (0..groups.len()).collect(),
        silent: Vec::new(),
        dark: None,
        unread: Vec::new(),
        unclear: Vec::new(),
        group_count: groups.len() as u64,
        groups,
        apps: Vec::new(),
        errors: Vec::new(),
        heat: Heat::default(),
        completeness: Completeness::default(),
    }
}

fn group(bits: u64, title: &str, now_ms: UtcMs) -> GroupView {
    let sample = SampleView {
        role: SampleRole::Latest,
        time_ms: now_ms,
        app: "shop".into(),
        level: Level::Error,
        logger: None,
        thread: None,
        text: format!("{title} and more of it"),
        object: "s3://logs/x.gz".to_owned(),
        line: 1,
    };
    GroupView {
        family: None,
        id: GroupId::from_bits(bits),
        kind: GroupKind::Message,
        title: title.to_owned(),
        template: title.to_owned(),
        state: GroupState::New,
        reason: "seen for the first time today".to_owned(),
        factor: None,
        day: Change { now: 4.0, ..Change::default() },
        total: 4,
        first_ms: now_ms - HOUR_MS,
        last_ms: now_ms,
        apps: vec![("shop".into(), 4, 4)],
        levels: vec![(Level::Error, 4)],
        hours: vec![0; 24],
        trend: Vec::new(),
        samples: vec![sample],
    }
}

fn settings() -> DigestSettings {
    DigestSettings {
        name: "ops".to_owned(),
        from: "gzette <gzette@example.com>".to_owned(),
        to: vec!["Ops <ops@example.com>".to_owned(), "lead@example.com".to_owned()],
        ..DigestSettings::default()
    }
}

/// A ledger, a clock and the way to a server: the mail side of a schedule of runs.
struct Desk {
    ledger: Ledger,
    _folder: tempfile::TempDir,
    settings: DigestSettings,
    transport: Box<dyn Transport>,
    now_ms: UtcMs,
}

impl Desk {
    async fn at(url: &str, options: &MailOptions) -> Self {
        let setting: TransportSetting = url.parse().unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self {
            ledger: Ledger::open(&folder.path().join("ledger.sqlite")).unwrap(),
            _folder: folder,
            settings: settings(),
            transport: mail::open(&setting, options).await.unwrap(),
            now_ms: NOW,
        }
    }

    async fn plain(server: &SmtpServer) -> Self {
        let url = format!("smtp://localhost:{}?tls=none", server.port);
        Self::at(&url, &MailOptions::default()).await
    }

    /// A run ten minutes after the last one, in which `titles` need attention.
    async fn run(&mut self, titles: &[&str]) -> Delivery {
        self.now_ms += 10 * MINUTE_MS;
        let view = view(self.now_ms, titles);
        deliver(&mut self.ledger, &view, &self.settings, self.transport.as_ref(), Tries::Due).await.unwrap()
    }

    /// A run that renders nothing.
    async fn resend(&mut self) -> Delivery {
        self.now_ms += 10 * MINUTE_MS;
        let (settings, transport) = (&self.settings, self.transport.as_ref());
        send_pending(&mut self.ledger, settings, transport, self.now_ms, Tries::Due).await.unwrap()
    }
}

fn header<'a>(eml: &'a [u8], name: &str) -> Option<&'a str> {
    let text = std::str::from_utf8(eml).unwrap();
    let headers = text.split_once("\r\n\r\n").unwrap().0;
    headers.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn options_for(server: &SmtpServer) -> MailOptions {
    MailOptions {
        ca_file: Some(server.ca_file()),
        smtp_password: Some(PASSWORD.to_owned()),
        ..MailOptions::default()
    }
}

#[tokio::test]
async fn a_mail_reaches_every_recipient_once() {
    let server = SmtpServer::start(Script::default());
    let mut desk = Desk::plain(&server).await;
    let delivery = desk.run(&["disk full"]).await;
    assert_eq!(delivery.due.as_deref(), Some("[gzette] disk full"));
    assert_eq!((delivery.sent, delivery.is_complete()), (1, true), "{delivery:?}");

    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].from, "gzette@example.com");
    assert_eq!(mails[0].to, ["ops@example.com", "lead@example.com"]);
    assert!(!mails[0].encrypted);
    let id = header(&mails[0].eml, "Message-ID").unwrap();
    assert!(id.starts_with("<gzette.ops.20261124.") && id.ends_with("@example.com>"), "{id}");
    assert_eq!(header(&mails[0].eml, "In-Reply-To"), None);
}

#[tokio::test]
async fn the_same_state_is_mailed_once_a_day_and_news_in_the_same_thread() {
    let server = SmtpServer::start(Script::default());
    let mut desk = Desk::plain(&server).await;
    desk.run(&["disk full"]).await;
    for titles in [&["disk full"][..], &[], &["disk full"]] {
        assert_eq!(desk.run(titles).await, Delivery::default());
    }
    assert_eq!(desk.run(&["disk full", "no route"]).await.sent, 1);
    let mails = server.mails();
    assert_eq!(mails.len(), 2);
    assert_eq!(header(&mails[1].eml, "In-Reply-To"), header(&mails[0].eml, "Message-ID"));
    assert_eq!(header(&mails[1].eml, "References"), header(&mails[0].eml, "Message-ID"));

    desk.now_ms += 24 * HOUR_MS;
    assert_eq!(desk.run(&[]).await.due.as_deref(), Some("[gzette] All quiet"));
    desk.settings.when = When::Always;
    assert_eq!((desk.run(&[]).await.sent, desk.run(&[]).await.sent), (1, 1));
    assert_eq!(server.mails().len(), 5);
}

#[tokio::test]
async fn starttls_and_tls_encrypt_and_both_mechanisms_sign_in() {
    for (security, query, scheme) in
        [(Security::Starttls, "", "smtp"), (Security::Tls, "", "smtps"), (Security::Tls, "?tls=tls", "smtp")]
    {
        for mechanism in [AuthMechanism::Plain, AuthMechanism::Login] {
            let server = SmtpServer::start(Script { security, auth: Some(mechanism), ..Script::default() });
            let url = format!("{scheme}://{USER}@localhost:{}{query}", server.port);
            let mut desk = Desk::at(&url, &options_for(&server)).await;
            let delivery = desk.run(&["disk full"]).await;
            assert_eq!(delivery.failures, []);
            let mails = server.mails();
            assert_eq!(mails.len(), 1, "{url}");
            assert!(mails[0].encrypted);
            assert_eq!(mails[0].user.as_deref(), Some(USER));
        }
    }
}

#[tokio::test]
async fn a_password_in_the_url_is_decoded() {
    let server = SmtpServer::start(Script {
        security: Security::Starttls,
        auth: Some(AuthMechanism::Plain),
        ..Script::default()
    });
    let url = format!("smtp://{USER}:p%40ss%3Aword%2F%C3%BC@localhost:{}", server.port);
    let options = MailOptions { smtp_password: None, ..options_for(&server) };
    assert_eq!(Desk::at(&url, &options).await.run(&[]).await.sent, 1);
}

#[tokio::test]
async fn a_wrong_password_is_said_and_the_mail_waits() {
    let server = SmtpServer::start(Script {
        security: Security::Starttls,
        auth: Some(AuthMechanism::Plain),
        ..Script::default()
    });
    let url = format!("smtp://{USER}@localhost:{}", server.port);
    let options = MailOptions { smtp_password: Some("wrong".to_owned()), ..options_for(&server) };
    let mut desk = Desk::at(&url, &options).await;
    let delivery = desk.run(&["disk full"]).await;
    assert_eq!((delivery.sent, delivery.pending()), (0, 1));
    assert_eq!(delivery.failures[0].kind, MailErrorKind::Auth);
    assert_eq!(
        delivery.failures[0].to_string(),
        format!("mail by `smtp://localhost:{}`: 535 Invalid credentials", server.port)
    );

    let right = url.parse().unwrap();
    desk.transport = mail::open(&right, &options_for(&server)).await.unwrap();
    assert_eq!(desk.run(&["disk full"]).await.sent, 1);
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn a_server_without_tls_or_with_an_unknown_certificate_gets_nothing() {
    let plain = SmtpServer::start(Script::default());
    let url = format!("smtp://{USER}@localhost:{}", plain.port);
    let failure = Desk::at(&url, &options_for(&plain)).await.run(&["x"]).await.failures.remove(0);
    assert_eq!(failure.kind, MailErrorKind::Config);
    assert!(failure.reason.contains("offers no STARTTLS"), "{failure}");
    assert_eq!(plain.mails(), []);

    for (security, scheme) in [(Security::Starttls, "smtp"), (Security::Tls, "smtps")] {
        let server = SmtpServer::start(Script { security, ..Script::default() });
        let url = format!("{scheme}://localhost:{}", server.port);
        let failure = Desk::at(&url, &MailOptions::default()).await.run(&["x"]).await.failures.remove(0);
        assert_eq!(failure.kind, MailErrorKind::Config, "{failure}");
        assert!(failure.reason.contains("certificate is not trusted"), "{failure}");
        assert_eq!(server.mails(), []);
    }
}

#[tokio::test]
async fn a_ca_file_must_hold_a_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.pem");
    let open = || {
        let options = MailOptions { ca_file: Some(path.clone()), ..MailOptions::default() };
        let setting = "smtps://localhost".parse().unwrap();
        async move { mail::open(&setting, &options).await.err().unwrap().to_string() }
    };
    assert!(open().await.contains("No such file"));
    fs::write(&path, "x").unwrap();
    assert!(open().await.contains("holds no PEM certificate"));
}

#[tokio::test]
async fn a_refused_recipient_does_not_keep_the_mail_from_the_others() {
    let server = SmtpServer::start(Script {
        refuse: vec![("lead@example.com", 550, "no such user\u{1b}[2J")],
        ..Script::default()
    });
    let mut desk = Desk::plain(&server).await;
    let delivery = desk.run(&["disk full"]).await;
    assert_eq!((delivery.sent, delivery.pending()), (1, 0));
    assert_eq!(delivery.refused[0].recipient, "lead@example.com");
    assert_eq!(delivery.refused[0].reason, "550 no such user‹ESC›[2J");
    assert_eq!(server.mails()[0].to, ["ops@example.com"]);
    assert_eq!(desk.resend().await, Delivery::default());
}

#[tokio::test]
async fn a_recipient_to_try_later_is_tried_without_those_who_have_the_mail() {
    let server = SmtpServer::start(Script {
        refuse: vec![("lead@example.com", 451, "greylisted, try later")],
        ..Script::default()
    });
    let mut desk = Desk::plain(&server).await;
    let delivery = desk.run(&["disk full"]).await;
    assert_eq!((delivery.sent, delivery.pending()), (0, 1));
    assert!(delivery.refused[0].again);

    let willing = SmtpServer::start(Script::default());
    let setting = format!("smtp://localhost:{}?tls=none", willing.port).parse().unwrap();
    desk.transport = mail::open(&setting, &MailOptions::default()).await.unwrap();
    assert_eq!(desk.resend().await.sent, 1);
    assert_eq!(server.mails()[0].to, ["ops@example.com"]);
    assert_eq!(willing.mails()[0].to, ["lead@example.com"]);
    assert_eq!(server.mails()[0].eml, willing.mails()[0].eml, "the same mail");
}

#[tokio::test]
async fn a_mail_that_everyone_refuses_is_given_up_after_days_and_said_so() {
    let refuse = vec![("lead@example.com", 550, "no"), ("ops@example.com", 550, "not here")];
    let server = SmtpServer::start(Script { refuse, ..Script::default() });
    let mut desk = Desk::plain(&server).await;
    let first = desk.run(&["disk full"]).await;
    assert_eq!(first.failures[0].kind, MailErrorKind::Refused);
    assert!(first.failures[0].reason.contains("ops@example.com: 550 not here; lead@example.com: 550 no"));
    let mut runs = 1;
    let last = loop {
        runs += 1;
        let delivery = desk.resend().await;
        if !delivery.given_up.is_empty() {
            break delivery;
        }
        assert_eq!((delivery.pending(), delivery.is_complete()), (1, false));
    };
    assert_eq!((runs, server.connections()), (729, 36), "tried for five days, with growing pauses");
    assert!(last.given_up[0].wait.failure.as_ref().unwrap().contains("550 not here"));
    assert_eq!(last.pending(), 0);
    assert!(!desk.resend().await.is_complete(), "no mail has told it yet");
    assert_eq!(server.connections(), 36);

    assert_eq!(desk.ledger.retry_given_up_mails("ops").unwrap(), 1);
    assert_eq!(desk.resend().await.pending(), 1);
}

#[tokio::test]
async fn a_connection_dropped_after_the_content_is_tried_again_and_taken_once() {
    let server = SmtpServer::start(Script { drops: 1, ..Script::default() });
    let mut desk = Desk::plain(&server).await;
    let delivery = desk.run(&["disk full"]).await;
    assert_eq!((delivery.sent, delivery.pending()), (0, 1));
    assert_eq!(delivery.failures[0].kind, MailErrorKind::Network);
    assert!(delivery.failures[0].reason.contains("closed the connection"), "{}", delivery.failures[0]);
    assert_eq!(desk.run(&["disk full"]).await.sent, 1);
    assert_eq!(desk.run(&["disk full"]).await.sent, 0);
    assert_eq!(server.mails().len(), 1);
}

#[tokio::test]
async fn a_copy_of_a_mail_that_was_taken_without_an_answer_has_the_same_message_id() {
    let server = SmtpServer::start(Script { drops: 1, takes_before_dropping: true, ..Script::default() });
    let mut desk = Desk::plain(&server).await;
    assert_eq!(desk.run(&["disk full"]).await.pending(), 1);
    assert_eq!(desk.resend().await.sent, 1);
    let mails = server.mails();
    assert_eq!(mails.len(), 2, "at least once, and here twice");
    assert_eq!(mails[0].eml, mails[1].eml);
}

#[tokio::test]
async fn a_server_that_asks_to_try_later_gets_the_mail_later() {
    let server = SmtpServer::start(Script {
        content_answers: vec![(451, "disk full here too"), (452, "still")],
        ..Script::default()
    });
    let mut desk = Desk::plain(&server).await;
    let first = desk.run(&["disk full"]).await;
    assert_eq!(first.failures[0].reason, "451 disk full here too");
    assert_eq!(desk.resend().await.pending(), 1);
    assert_eq!(desk.resend().await.sent, 1);
}

#[tokio::test]
async fn several_waiting_mails_go_in_order_and_one_dead_server_is_asked_once_a_run() {
    let url = format!("smtp://localhost:{}?tls=none", closed_port());
    let mut desk = Desk::at(&url, &MailOptions::default()).await;
    let failure = desk.run(&["first"]).await.failures.remove(0);
    assert_eq!(failure.kind, MailErrorKind::Network);
    let second = desk.run(&["first", "second"]).await;
    assert_eq!((second.pending(), second.failures.len()), (2, 1));

    let server = SmtpServer::start(Script::default());
    let setting = format!("smtp://localhost:{}?tls=none", server.port).parse().unwrap();
    desk.transport = mail::open(&setting, &MailOptions::default()).await.unwrap();
    assert_eq!(desk.resend().await.sent, 2);
    let ids: Vec<_> =
        server.mails().iter().map(|mail| header(&mail.eml, "Message-ID").unwrap().to_owned()).collect();
    assert!(ids[0].starts_with("<gzette.ops.20261124."));
    assert_eq!(header(&server.mails()[1].eml, "In-Reply-To"), Some(ids[0].as_str()));
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up_in_time() {
    let server = SmtpServer::start(Script { silent: true, ..Script::default() });
    let TransportSetting::Smtp(setting) = format!("smtp://localhost:{}", server.port).parse().unwrap() else {
        panic!("no smtp");
    };
    let options = MailOptions { command_limit: Some(Duration::from_millis(50)), ..MailOptions::default() };
    let mut desk = Desk::plain(&server).await;
    desk.transport = Box::new(SmtpTransport::new(&setting, &options).unwrap());
    let failure = desk.run(&["x"]).await.failures.remove(0);
    assert_eq!((failure.kind, failure.reason.as_str()), (MailErrorKind::Network, "no answer in time"));
}

#[tokio::test]
async fn a_process_that_dies_while_sending_does_not_lose_the_mail() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.sqlite");
    let server = SmtpServer::start(Script::default());
    let mut desk = Desk::plain(&server).await;
    desk.ledger = Ledger::open(&path).unwrap();
    desk.run(&["disk full"]).await;
    // As a crash between sending and marking leaves it.
    let mut desk = Desk { ledger: Ledger::open(&path).unwrap(), ..desk };
    let view = view(desk.now_ms + HOUR_MS, &["disk full", "no route"]);
    let due = plan(&view, &desk.settings, desk.ledger.digest_memory("ops").unwrap().as_deref()).unwrap();
    let bytes = eml(&render(&view, &desk.settings), &desk.settings, view.now_ms, &due).unwrap();
    let new = gzette::edges::ledger::NewMail {
        digest: "ops",
        message_id: &due.message_id,
        subject: "disk full",
        eml: &bytes,
        created_ms: view.now_ms,
        memory: &due.memory,
        tells: &[],
    };
    assert!(desk.ledger.enqueue_mail(&new).unwrap());
    let id = desk.ledger.pending_mails("ops").unwrap()[0].mail.id;
    desk.ledger.begin_sending(id, &gzette::edges::ledger::MailWait::default()).unwrap();
    drop(desk.ledger);

    desk.ledger = Ledger::open(&path).unwrap();
    desk.now_ms = view.now_ms;
    assert_eq!(desk.run(&["disk full", "no route"]).await.sent, 1);
    assert_eq!(header(&server.mails()[1].eml, "Message-ID"), Some(due.message_id.as_str()));
}

#[tokio::test]
async fn a_hostile_log_is_content_and_nothing_else() {
    let server = SmtpServer::start(Script::default());
    let mut desk = Desk::plain(&server).await;
    desk.settings.subject_prefix = format!("[{HOSTILE}]");
    assert_eq!(desk.run(&[HOSTILE, "\r\n.\r\nMAIL FROM:<evil@example.org>\r\n"]).await.sent, 1);
    let mails = server.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["ops@example.com", "lead@example.com"]);
    let parsed = parse_with_python(&mails[0].eml);
    let names: Vec<&str> =
        parsed["headers"].as_array().unwrap().iter().map(|pair| pair[0].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "From",
            "Subject",
            "Date",
            "Message-ID",
            "To",
            "List-Id",
            "Auto-Submitted",
            "X-Auto-Response-Suppress",
            "MIME-Version",
            "Content-Type"
        ]
    );
    assert_eq!(parsed["defects"], serde_json::json!([]));
    let html = parsed["parts"][1]["text"].as_str().unwrap();
    assert!(html.contains("&lt;img src=//evil.example&gt;") && !html.contains("<img"));
}

#[tokio::test]
async fn a_file_opens_in_any_mail_program() {
    let folder = tempfile::tempdir().unwrap();
    let outbox_dir = folder.path().join("outbox");
    let options = MailOptions { outbox_dir: outbox_dir.clone(), ..MailOptions::default() };
    let mut desk = Desk::at("file", &options).await;
    desk.settings.from = "Späher <gzette@example.com>".to_owned();
    assert_eq!(desk.run(&["Überlauf in der Zahlung 😀"]).await.sent, 1);
    let names: Vec<String> = fs::read_dir(&outbox_dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 1);
    assert!(names[0].starts_with("20261124T091000Z-gzette.ops.20261124."), "{names:?}");
    assert!(names[0].ends_with("-example.com.eml"), "{names:?}");

    let bytes = fs::read(outbox_dir.join(&names[0])).unwrap();
    assert!(bytes.is_ascii());
    let parsed = parse_with_python(&bytes);
    let header = |name: &str| {
        let headers = parsed["headers"].as_array().unwrap();
        headers.iter().find(|pair| pair[0] == name).map(|pair| pair[1].as_str().unwrap().to_owned()).unwrap()
    };
    assert_eq!(header("Subject"), "[gzette] Überlauf in der Zahlung 😀");
    assert_eq!(header("From"), "Späher <gzette@example.com>");
    assert_eq!(header("To"), "Ops <ops@example.com>, lead@example.com");
    assert_eq!(header("Date"), "Tue, 24 Nov 2026 09:10:00 +0000");
    assert_eq!(header("List-Id"), "<ops.gzette.example.com>");
    assert_eq!(header("Auto-Submitted"), "auto-generated");
    assert_eq!(parsed["type"], "multipart/alternative");
    let part = |at: usize| &parsed["parts"][at];
    assert_eq!((part(0)["type"].as_str(), part(1)["type"].as_str()), (Some("text/plain"), Some("text/html")));
    assert!(part(0)["text"].as_str().unwrap().starts_with("Überlauf in der Zahlung 😀\n"));
    assert!(part(1)["text"].as_str().unwrap().ends_with("</html>"));
    assert_eq!(parsed["defects"], serde_json::json!([]));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_said_with_its_path() {
    let folder = tempfile::tempdir().unwrap();
    let outbox_dir = folder.path().join("taken");
    fs::write(&outbox_dir, "a file").unwrap();
    let options = MailOptions { outbox_dir, ..MailOptions::default() };
    let failure = Desk::at("file", &options).await.run(&["x"]).await.failures.remove(0);
    assert_eq!(failure.kind, MailErrorKind::Local);
    assert!(failure.place.ends_with("/taken"), "{failure}");
}

#[tokio::test]
async fn ses_takes_the_same_bytes_and_says_why_it_does_not() {
    let endpoint = &servers::moto().endpoint;
    let options = ses_options(endpoint);
    let mut desk = Desk::at("ses", &options).await;
    let refused = desk.run(&["disk full"]).await.failures.remove(0);
    assert_eq!(refused.kind, MailErrorKind::Refused, "{refused}");
    assert!(refused.to_string().starts_with("mail by `ses eu-central-1`: MessageRejected"), "{refused}");

    let written = desk.ledger.pending_mails("ops").unwrap().remove(0).eml;
    verify_sender(endpoint, "gzette@example.com");
    let delivery = desk.run(&["disk full"]).await;
    assert_eq!((delivery.sent, delivery.failures), (1, vec![]));
    let taken = mails_of_moto(endpoint);
    assert_eq!(taken.as_array().unwrap().len(), 1);
    assert_eq!(taken[0]["source"], "gzette@example.com");
    assert_eq!(taken[0]["raw_data"].as_str().unwrap().as_bytes(), written);
    let to = &taken[0]["destinations"];
    assert_eq!((&to[0], &to[1]), (&"ops@example.com".into(), &"lead@example.com".into()));
}

#[tokio::test]
async fn an_endpoint_of_ses_that_is_not_there_is_a_matter_of_the_network() {
    let options =
        MailOptions { endpoint_url: Some(format!("http://127.0.0.1:{}", closed_port())), ..ses_options("") };
    let failure = Desk::at("ses", &options).await.run(&["x"]).await.failures.remove(0);
    assert_eq!(failure.kind, MailErrorKind::Network, "{failure}");
    assert!(!failure.reason.contains('\n'));
}

fn ses_options(endpoint: &str) -> MailOptions {
    MailOptions {
        region: Some("eu-central-1".to_owned()),
        endpoint_url: Some(endpoint.to_owned()),
        credentials: Some(SesCredentials {
            access_key_id: "test".to_owned(),
            secret_access_key: "test".to_owned(),
        }),
        ..MailOptions::default()
    }
}

/// Tells moto that the sender's address is verified, as an owner of an SES account does once.
fn verify_sender(endpoint: &str, address: &str) {
    let script = "import sys, boto3\n\
        ses = boto3.client('sesv2', region_name='eu-central-1', endpoint_url=sys.argv[1],\n\
            aws_access_key_id='test', aws_secret_access_key='test')\n\
        ses.create_email_identity(EmailIdentity=sys.argv[2])\n";
    python(servers::tool("python3"), &["-c", script, endpoint, address], b"");
}

/// Returns what moto was sent as raw mail.
fn mails_of_moto(endpoint: &str) -> serde_json::Value {
    let script = "import json, sys, urllib.request\n\
        data = json.load(urllib.request.urlopen(sys.argv[1] + '/moto-api/data.json'))\n\
        json.dump(data['ses']['RawMessage'], sys.stdout)\n";
    serde_json::from_slice(&python("python3", &["-c", script, endpoint], b"")).unwrap()
}

/// Parses a mail with Python's `email`, a reader that shares no code with the writer.
pub(crate) fn parse_with_python(eml: &[u8]) -> serde_json::Value {
    let script = "import email, email.policy, json, sys\n\
        mail = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)\n\
        defects = [str(d) for part in mail.walk() for d in part.defects]\n\
        defects += [str(d) for _, value in mail.items() for d in value.defects]\n\
        json.dump({'headers': [[n, str(v)] for n, v in mail.items()], 'type': mail.get_content_type(),\n\
            'parts': [{'type': p.get_content_type(), 'text': p.get_content().replace('\\r\\n', '\\n').strip()} for p in mail.iter_parts()],\n\
            'defects': defects}, sys.stdout)\n";
    serde_json::from_slice(&python("python3", &["-c", script], eml)).unwrap()
}

/// Runs Python with `input` and returns its output.
fn python(program: impl AsRef<OsStr>, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut child =
        Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}
