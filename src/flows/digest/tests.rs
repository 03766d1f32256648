//! What a mail says, when it is due, and what a hostile log cannot do to it.

use std::collections::BTreeMap;

use super::*;
use crate::flows::report::{
    Change, Completeness, Dark, Figures, GroupState, GroupView, Heat, MailView, ObjectProblem, PagesTrouble,
    ProblemKind, SampleRole, SampleView, SilentApp, SourceView, Trouble, Unread, UnreadPlace, Verdict, View,
};
use gzette_core::model::{
    DAY_MS, GroupId, GroupKind, HOUR_MS, Level, LineCounts, MINUTE_MS, Requests, UtcMs,
};

/// 2026-11-24T09:00:00Z, a Tuesday.
const NOW: UtcMs = UtcMs::new(1_795_510_800_000);

fn change(now: f64, yesterday: f64, last_week: f64) -> Change {
    Change { now, yesterday: Some(yesterday), last_week: Some(last_week) }
}

fn group(bits: u64, state: GroupState, title: &str) -> GroupView {
    GroupView {
        id: GroupId::from_bits(bits),
        kind: GroupKind::Exception,
        title: title.to_owned(),
        template: title.to_owned(),
        state,
        reason: "seen for the first time at 08:12".to_owned(),
        factor: None,
        day: Change { now: 7.0, ..Change::default() },
        total: 7,
        first_ms: NOW - 48 * MINUTE_MS,
        last_ms: NOW - 8 * MINUTE_MS,
        apps: vec![("payments-worker".into(), 7, 7)],
        levels: vec![(Level::Error, 7)],
        hours: vec![0; 24],
        trend: Vec::new(),
        samples: vec![sample(title)],
        family: None,
    }
}

fn sample(text: &str) -> SampleView {
    SampleView {
        role: SampleRole::Latest,
        time_ms: NOW - 8 * MINUTE_MS,
        app: "payments-worker".into(),
        level: Level::Error,
        logger: None,
        thread: None,
        text: text.to_owned(),
        object: "s3://logs/x.gz".to_owned(),
        line: 1,
    }
}

fn quiet() -> View {
    View {
        now_ms: NOW,
        verdict: Verdict {
            headline: "All quiet".to_owned(),
            detail: "292 errors in 24 hours, as usual.".to_owned(),
            needs_attention: false,
        },
        figures: Figures {
            errors: change(1204.0, 292.0, 310.0),
            error_rate: change(0.0084, 0.0021, 0.0022),
            events: change(143_210.0, 139_020.0, 140_888.0),
            open_groups: change(23.0, 21.0, 20.0),
            apps_hit: Change { now: 6.0, yesterday: Some(6.0), last_week: None },
            apps: 9,
            newest_event_ms: Some(NOW - MINUTE_MS),
            ..Figures::default()
        },
        attention: Vec::new(),
        silent: Vec::new(),
        dark: None,
        unread: Vec::new(),
        unclear: Vec::new(),
        group_count: 1,
        groups: vec![GroupView {
            day: change(180.0, 176.0, 190.0),
            ..group(9, GroupState::Ongoing, "connection reset by <*>")
        }],
        aliases: BTreeMap::new(),
        apps: Vec::new(),
        errors: Vec::new(),
        heat: Heat::default(),
        completeness: completeness(),
    }
}

fn completeness() -> Completeness {
    Completeness {
        sources: vec![SourceView {
            name: "prod".into(),
            url: "s3://logs/".to_owned(),
            objects: 12_403,
            listed_ms: Some(NOW - 2 * MINUTE_MS),
            failed_prefixes: 0,
        }],
        objects_listed: 12_403,
        objects_mirrored: 12_403,
        lines: LineCounts {
            total: 45_123_001,
            events: 44_000_000,
            continuation: 1_122_989,
            unparsed: 12,
            ..LineCounts::default()
        },
        newest_event_ms: Some(NOW - MINUTE_MS),
        requests: Requests { list: 45, get: 12, received_bytes: 1_234_567, ..Requests::default() },
        run_goes_on: true,
        ..Completeness::default()
    }
}

fn busy() -> View {
    let mut view = quiet();
    view.verdict = Verdict {
        headline: "payments-worker errors are spiking".to_owned(),
        detail: "1,204 errors in 24 hours, 4.1 times yesterday's; 1 new group, 1 came back, 1 application is silent.".to_owned(),
        needs_attention: true,
    };
    let spiking = GroupView {
        day: change(412.0, 38.0, 41.0),
        reason: "412 in the last hour; its limit is 12".to_owned(),
        samples: vec![sample(
            "\nTimeoutException: Read timed out after 30000 ms calling https://bank.example/api/v2/transfers?account=4711&currency=EUR\n\tat com.acme.pay.BankClient.call",
        )],
        ..group(
            1,
            GroupState::Spiking,
            "TimeoutException: Read timed out after <*> ms calling https://bank.example/api/v2/transfers?account=<*>&currency=<*>",
        )
    };
    let new = group(
        2,
        GroupState::New,
        "NullPointerException: Cannot invoke \"Order.id()\" because \"order\" is null",
    );
    let regressed = GroupView {
        reason: "last seen 21 days before".to_owned(),
        day: change(3.0, 0.0, 0.0),
        ..group(3, GroupState::Regressed, "ORA-01555: snapshot too old")
    };
    view.groups.splice(0..0, [spiking, new, regressed]);
    view.attention = vec![0, 1, 2];
    view.silent = vec![SilentApp {
        name: "invoice-export".into(),
        since_ms: NOW - 250 * MINUTE_MS,
        habit_ms: 12 * MINUTE_MS,
    }];
    view.completeness.objects_damaged = 1;
    view.completeness.problem_count = 1;
    view.completeness.problems = vec![ObjectProblem {
        place: "s3://logs/prod/payments-worker/20261124/payments_10.gz".to_owned(),
        kind: ProblemKind::Damaged,
        reason: "member ends early".to_owned(),
        tried_ms: NOW,
    }];
    view
}

fn settings() -> DigestSettings {
    DigestSettings {
        name: "Ops team".to_owned(),
        from: "gzette <gzette@example.com>".to_owned(),
        to: vec!["Ops <ops@example.com>".to_owned(), "lead@example.com".to_owned()],
        site_url: Some("https://errors.example.com/prod/".to_owned()),
        ..DigestSettings::default()
    }
}

/// What an attacker would write into a log, a key or a configuration that is generated.
const HOSTILE: &str = "x\r\nBcc: evil@example.org\r\n\r\n<script>alert(1)</script>\u{202e}gpj.exe\u{1b}[2J\0\"'&]]>\u{2028}--gzette";

fn hostile() -> View {
    let mut view = busy();
    view.verdict.headline = HOSTILE.to_owned();
    view.verdict.detail = HOSTILE.to_owned();
    for group in &mut view.groups {
        group.title = HOSTILE.to_owned();
        group.reason = HOSTILE.to_owned();
        group.apps = vec![(HOSTILE.into(), 1, 1); 9];
        group.samples = vec![sample(HOSTILE)];
        group.last_ms = UtcMs::MAX;
    }
    view.silent[0].name = HOSTILE.into();
    view.silent[0].since_ms = UtcMs::MIN;
    view.completeness.sources[0].name = HOSTILE.into();
    view.completeness.sources[0].listed_ms = Some(UtcMs::MIN);
    view.completeness.problems[0].place = HOSTILE.to_owned();
    view.completeness.newest_event_ms = Some(UtcMs::MAX);
    view.completeness.mails = vec![MailView {
        subject: HOSTILE.to_owned(),
        reason: HOSTILE.to_owned(),
        ..unsent(1, HOSTILE, true)
    }];
    view.completeness.pages_trouble = Some(PagesTrouble { failure: HOSTILE.to_owned(), of_ms: None });
    view.attention.push(99);
    view
}

/// A view in which everything is as long and as many as it can be, of characters that grow when encoded.
fn huge(letter: &str) -> View {
    let mut view = busy();
    let long = letter.repeat(8192);
    view.verdict.headline.clone_from(&long);
    view.verdict.detail.clone_from(&long);
    view.groups = (0..500)
        .map(|bits| GroupView {
            reason: long.clone(),
            apps: vec![(long.as_str().into(), 1, 1); 40],
            samples: vec![sample(&long)],
            ..group(bits, GroupState::New, &long)
        })
        .collect();
    view.attention = (0..500).collect();
    view.silent = vec![SilentApp { name: long.as_str().into(), since_ms: NOW - DAY_MS, habit_ms: 1 }; 500];
    let source = SourceView {
        name: long.as_str().into(),
        url: long.clone(),
        objects: u64::MAX,
        listed_ms: None,
        failed_prefixes: 1,
    };
    view.completeness.sources = vec![source; 100];
    let problem =
        ObjectProblem { place: long.clone(), kind: ProblemKind::Unlisted, reason: long, tried_ms: NOW };
    view.completeness.problems = vec![problem; 100];
    view.completeness.problem_count = 100;
    let mail = MailView {
        subject: letter.repeat(8192),
        reason: letter.repeat(8192),
        ..unsent(1, &letter.repeat(8192), true)
    };
    view.completeness.mails = vec![mail; 100];
    view
}

fn due() -> Due {
    plan(&busy(), &settings(), None).unwrap()
}

fn written(mail: &Mail) -> Vec<u8> {
    eml(mail, &settings(), NOW, &due()).unwrap()
}

#[test]
fn the_text_part_reads_from_verdict_to_completeness() {
    let mail = render(&busy(), &settings());
    assert_eq!(mail.subject, "[gzette] payments-worker errors are spiking");
    insta::assert_snapshot!(mail.text);
    let widest =
        mail.text.lines().filter(|line| !line.contains("https://")).map(|line| line.chars().count()).max();
    assert!(widest.unwrap() <= 78);
}

#[test]
fn the_html_part_is_one_column_of_escaped_tables() {
    insta::assert_snapshot!(render(&busy(), &settings()).html.replace("<t", "\n<t"));
}

#[test]
fn a_quiet_day_is_a_short_mail() {
    let without_site = DigestSettings { site_url: None, ..settings() };
    insta::assert_snapshot!(render(&quiet(), &without_site).text);
}

#[test]
fn a_group_without_a_page_names_the_command_that_shows_it() {
    let without_site = DigestSettings { site_url: None, ..settings() };
    let mail = render(&busy(), &without_site);
    assert!(mail.text.contains("gzette search --group aaaaaaaaaaab"));
    assert!(mail.html.contains("gzette search --group aaaaaaaaaaab"));
    assert!(!mail.html.contains("<a "));
}

#[test]
fn an_old_or_failed_listing_is_said_at_the_top() {
    let mut view = quiet();
    view.completeness.sources[0].listed_ms = Some(NOW - 5 * HOUR_MS);
    view.completeness.sources[0].failed_prefixes = 2;
    let warning = "Not everything was read: 2 prefixes not listed, source prod last listed 5 h ago.";
    let joined = render(&view, &settings()).text.replace('\n', " ");
    assert!(joined.contains(warning), "{joined}");
}

#[test]
fn times_are_those_of_the_zone() {
    let berlin = DigestSettings { zone: TimeZone::get("Europe/Berlin").unwrap(), ..settings() };
    let text = render(&busy(), &berlin).text;
    assert!(text.contains("last at 09:52 (8 min ago)"));
    assert!(text.contains("Tue 24 Nov 2026 10:00; times in Europe/Berlin."));
}

#[test]
fn the_same_view_gives_the_same_bytes() {
    let once = written(&render(&busy(), &settings()));
    assert_eq!(once, written(&render(&busy(), &settings())));
    assert_ne!(once, written(&render(&quiet(), &settings())));
}

#[test]
fn headers_say_who_what_and_that_no_one_is_to_answer() {
    let whole = String::from_utf8(written(&render(&busy(), &settings()))).unwrap();
    let headers = whole.split_once("\r\n\r\n").unwrap().0.replace("\r\n", "\n");
    insta::assert_snapshot!(headers);
}

#[test]
fn nothing_of_a_log_becomes_a_header_or_markup_or_moves_the_text() {
    let mail = render(&hostile(), &settings());
    for text in [&mail.subject, &mail.text, &mail.html] {
        let odd = |c: char| (c.is_control() && c != '\n') || ('\u{2028}'..='\u{202e}').contains(&c);
        assert!(!text.contains(odd), "{text:?}");
    }
    assert!(!mail.subject.contains('\n'));
    assert!(mail.subject.contains("Bcc: evil@example.org"), "shown, not obeyed");
    assert!(mail.text.contains("‹U+202E›gpj.exe‹ESC›[2J‹NUL›"));
    assert!(!mail.html.contains("<script"));
    assert!(mail.html.contains("&lt;script&gt;"));

    let whole = String::from_utf8(written(&mail)).unwrap();
    let headers = whole.split_once("\r\n\r\n").unwrap().0;
    assert!(!headers.to_lowercase().contains("\nbcc:"), "{headers}");
    assert!(headers.lines().all(|line| line.len() <= 998));
}

#[test]
fn a_mail_stays_small_whatever_the_logs_held() {
    for letter in ["a", "\"", "&", "\u{1f600}", "\u{202e}", "a ", "=", "<"] {
        let mail = render(&huge(letter), &settings());
        let size = written(&mail).len();
        assert!(size < 90_000, "{letter:?}: {size} bytes");
        assert!(mail.html.len() + mail.text.len() <= PARTS_BYTES, "{letter:?}");
        assert!(mail.text.contains("SILENT") && mail.text.contains("NEW"), "both kinds get room");
    }
}

#[test]
fn the_first_run_of_a_day_mails_and_later_ones_only_what_is_fresh() {
    let settings = settings();
    let first = plan(&quiet(), &settings, None).unwrap();
    assert_eq!(first.message_id, "<gzette.ops-team.20261124.b296580614b0@example.com>");
    assert_eq!(first.replies_to, None);
    let mut later = quiet();
    later.now_ms += 10 * MINUTE_MS;
    assert_eq!(plan(&later, &settings, Some(&first.memory)), None, "still quiet");

    let spike = plan(&busy(), &settings, Some(&first.memory)).unwrap();
    assert_eq!(spike.replies_to, Some(first.message_id));
    assert_eq!(plan(&turned(), &settings, Some(&spike.memory)).unwrap().replies_to, spike.replies_to);
    assert!(spike.message_id.starts_with("<gzette.ops-team.20261124."));
    assert_eq!(plan(&busy(), &settings, Some(&spike.memory)), None, "nothing is fresh");

    let mut fewer = busy();
    fewer.attention.pop();
    assert_eq!(plan(&fewer, &settings, Some(&spike.memory)), None, "less is no news");

    let turned = plan(&turned(), &settings, Some(&spike.memory)).unwrap();
    assert_ne!(turned.message_id, spike.message_id);
    assert_eq!(plan(&busy(), &settings, Some(&turned.memory)), None, "what was mailed today stays mailed");
}

fn turned() -> View {
    let mut turned = busy();
    turned.groups[1].state = GroupState::Spiking;
    turned
}

#[test]
fn no_two_installations_or_digests_have_a_message_id_in_common() {
    let id = |installation: &str, name: &str| {
        let installation = installation.to_owned();
        let settings = DigestSettings { installation, name: name.to_owned(), ..settings() };
        plan(&busy(), &settings, None).unwrap().message_id
    };
    assert_ne!(id("aa", "ops"), id("bb", "ops"));
    assert_ne!(id("aa", "Ops team"), id("aa", "ops-team"), "both are `ops-team` as a slug");
    assert_eq!(id("aa", "ops"), id("aa", "ops"));
}

#[test]
fn a_mail_replies_to_the_first_of_its_day_even_if_an_older_version_sent_that() {
    let settings = DigestSettings { installation: "aa".to_owned(), ..settings() };
    let by_older_version = r#"{"day":"20261124","known":[]}"#;
    let reply = plan(&busy(), &settings, Some(by_older_version)).unwrap();
    let first = Some("<gzette.ops-team.20261124@example.com>".to_owned());
    assert_eq!(reply.replies_to, first);
    assert_eq!(plan(&turned(), &settings, Some(&reply.memory)).unwrap().replies_to, first);
}

fn unsent(id: i64, digest: &str, is_given_up: bool) -> MailView {
    MailView {
        id,
        digest: digest.to_owned(),
        subject: "[gzette] checkout errors are spiking".to_owned(),
        created_ms: NOW - 3 * HOUR_MS,
        since_ms: NOW - 3 * HOUR_MS,
        next_try_ms: NOW + HOUR_MS,
        reason: "mail by `smtp://mail.example.com:587`: no answer in time".to_owned(),
        is_given_up,
        is_told: false,
    }
}

#[test]
fn a_mail_says_which_others_were_not_sent() {
    let mut view = quiet();
    let told = MailView { is_told: true, ..unsent(9, "Ops team", true) };
    view.completeness.mails =
        vec![unsent(1, "Ops team", true), unsent(2, "Ops team", false), told, unsent(3, "leads", false)];
    let mail = render(&view, &settings());
    let text = mail.text.replace('\n', " ");
    let given_up = "1 mail could not be sent and was given up, made at 06:00 (3 h ago) \"[gzette] checkout errors are \
        spiking\" for digest Ops team: mail by `smtp://mail.example.com:587`: no answer in time. \
        `gzette digest --retry` sends what was given up.";
    assert!(text.contains(given_up), "{text}");
    assert!(text.contains("1 mail of another digest waits, made at 06:00 (3 h ago)"), "{text}");
    assert!(!text.contains("2 mails"), "{text}");
    assert!(mail.html.contains("could not be sent and was given up"));
}

#[test]
fn a_mail_says_when_the_pages_that_it_links_to_are_old_or_not_there() {
    let say = |of_ms: Option<UtcMs>, site_url: Option<String>| {
        let mut view = quiet();
        let failure = "the site was not published: put `s3://dash/x`: no answer".to_owned();
        view.completeness.pages_trouble = Some(PagesTrouble { failure, of_ms });
        let mail = render(&view, &DigestSettings { site_url, ..settings() });
        assert_eq!(mail.html.matches("was not published").count(), 1);
        mail.text.replace('\n', " ")
    };
    let url = settings().site_url;
    let why = "the site was not published: put `s3://dash/x`: no answer.";
    let old = format!("The pages that this mail links to are from 07:00 (2 h ago): {why}");
    assert!(say(Some(NOW - 2 * HOUR_MS), url.clone()).contains(&old));
    assert!(
        say(None, url.clone()).contains(&format!("The pages that this mail links to do not exist: {why}"))
    );
    assert!(say(None, None).contains(&format!("The pages do not exist: {why}")));
    assert!(say(Some(NOW), url).contains("The published pages are up to date."));
}

#[test]
fn a_day_begins_at_its_hour_in_its_zone() {
    let berlin = DigestSettings { zone: TimeZone::get("Europe/Berlin").unwrap(), ..settings() };
    let at = |hour: i64| View { now_ms: NOW + (hour - 10) * HOUR_MS, ..quiet() };
    let before = plan(&at(7), &berlin, None).unwrap();
    assert!(before.message_id.contains(".20261123."), "07:00 is still yesterday");
    assert!(plan(&at(8), &berlin, Some(&before.memory)).unwrap().message_id.contains(".20261124."));
}

#[test]
fn always_mails_with_every_run_and_once_for_a_run_repeated() {
    let always = DigestSettings { when: When::Always, ..settings() };
    let first = plan(&quiet(), &always, None).unwrap();
    let mut later = quiet();
    later.now_ms += 1;
    let second = plan(&later, &always, Some(&first.memory)).unwrap();
    assert_ne!(second.message_id, first.message_id);
    assert_eq!(plan(&later, &always, Some(&first.memory)).unwrap(), second);
}

#[test]
fn an_unreadable_memory_counts_as_none() {
    assert_eq!(plan(&quiet(), &settings(), Some("{")), plan(&quiet(), &settings(), None));
}

#[test]
fn settings_are_checked_before_anything_is_sent() {
    let wrong = |change: fn(&mut DigestSettings)| {
        let mut settings = settings();
        change(&mut settings);
        settings.check().unwrap_err().to_string()
    };
    assert!(settings().check().is_ok());
    assert!(wrong(|settings| settings.from.clear()).contains("not a mail address"));
    assert!(wrong(|settings| settings.to = vec!["x".to_owned()]).contains("`x`"));
    assert!(wrong(|settings| settings.to.clear()).contains("names no recipient"));
    for url in ["javascript:alert(1)", "https://", "https://a b", "https://a\"b", "example.com"] {
        let settings = DigestSettings { site_url: Some(url.to_owned()), ..settings() };
        assert!(settings.check().unwrap_err().to_string().contains("allowed: `https://...`"), "{url}");
    }
}

#[test]
fn numbers_read_as_people_write_them() {
    assert_eq!(format::count(0), "0");
    assert_eq!(format::count(999), "999");
    assert_eq!(format::count(1_204_000), "1,204,000");
    assert_eq!(format::percent(0.000_084), "0.01 %");
    assert_eq!(format::percent(0.123), "12 %");
    assert_eq!(format::change(1.0, 0.0), "");
    assert_eq!(format::change(50.0, 100.0), "−50 %");
    assert_eq!(format::span(26 * HOUR_MS), "1 day 2 h");
    assert_eq!(format::bytes(999), "999 B");
    assert_eq!(format::bytes(999_600), "1.0 MB");
    assert_eq!(
        format::time_and_age(NOW + 3 * HOUR_MS, NOW, &TimeZone::UTC),
        "12:00 (3 h ahead of the clock)"
    );
}

#[test]
fn long_words_are_cut_and_links_are_not() {
    let wrapped = |text: &str| {
        let mut out = String::new();
        format::wrap(&mut out, text, "> ", "  ", 10);
        out
    };
    assert_eq!(wrapped("aa bb cc dd"), "> aa bb cc\n  dd\n");
    assert_eq!(wrapped("aaaaaaaaaaaaaaaaaaa b"), "> aaaaaaaa\n  aaaaaaaa\n  aaa b\n");
    assert_eq!(wrapped("x https://example.com/long"), "> x\n  https://example.com/long\n");
    assert_eq!(wrapped(""), ">\n");
}

fn dark_since(since_ms: UtcMs, now_ms: UtcMs) -> View {
    let mut view = quiet();
    view.now_ms = now_ms;
    view.verdict.headline = "No lines from any application since Tue 24 Nov 09:00 UTC (7 days)".to_owned();
    view.verdict.needs_attention = true;
    view.dark = Some(Dark { since_ms, only: None });
    view.figures.newest_event_ms = Some(since_ms);
    view
}

#[test]
fn the_end_of_a_silence_of_everything_is_told_once_with_its_length() {
    let mut memory = None;
    for day in 1..=9 {
        let due = plan(&dark_since(NOW, NOW + day * DAY_MS), &settings(), memory.as_deref()).unwrap();
        assert_eq!(due.news, News::default());
        memory = Some(due.memory);
    }
    let mut view = quiet();
    view.now_ms = NOW + 9 * DAY_MS + 10 * MINUTE_MS;
    view.figures.newest_event_ms = Some(view.now_ms);
    let due = plan(&view, &settings(), memory.as_deref()).expect("a mail is due on the same day");
    let mail = render_with(&view, &settings(), &due.news);
    assert_eq!(mail.subject, "[gzette] Lines are arriving again after 9 days");
    let sentence = "For 9 days, since Tue 24 Nov 09:00, there were none";
    assert!(mail.text.contains(sentence) && mail.html.contains(sentence), "{}", mail.text);
    view.now_ms += 10 * MINUTE_MS;
    assert!(plan(&view, &settings(), Some(&due.memory)).is_none());
}

fn unread(minutes: i64) -> Unread {
    Unread {
        place: UnreadPlace::App("checkout-api".into()),
        apps: vec!["checkout-api".into()],
        since_ms: Some(NOW - minutes * MINUTE_MS),
        troubles: vec![(Trouble::Denied, 12)],
        error: "AccessDenied: <no>\r\nBcc: x".to_owned(),
    }
}

#[test]
fn what_could_not_be_read_is_an_item_and_makes_a_mail_due_when_it_lasts() {
    let mut view = quiet();
    let memory = plan(&view, &settings(), None).unwrap().memory;
    view.unread = vec![unread(20)];
    assert!(plan(&view, &settings(), Some(&memory)).is_none(), "the next run may read it");
    view.unread = vec![unread(40)];
    let due = plan(&view, &settings(), Some(&memory)).unwrap();
    let mail = render_with(&view, &settings(), &due.news);
    assert!(
        mail.text.contains("NOT READ   checkout-api\n           12 objects denied (AccessDenied: <no>"),
        "{}",
        mail.text
    );
    assert!(mail.text.contains("not read since 08:20 (40 min ago)"), "{}", mail.text);
    assert!(!mail.html.contains("<no>"));
}
