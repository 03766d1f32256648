//! A view made by hand: eight applications, thirty-seven groups, and texts that mean harm.

use std::collections::BTreeMap;

use gzette::flows::report::{
    AppView, Bucket, Change, Completeness, Family, Figures, GroupState, GroupView, Heat, MailView,
    ObjectProblem, ProblemKind, SampleRole, SampleView, Series, SilentApp, SourceView, Trouble, Unread,
    UnreadPlace, Verdict, View,
};
use gzette_core::model::{
    AppName, DAY_MS, GroupId, GroupKind, HOUR_MS, Level, LineCounts, MINUTE_MS, Requests, UtcMs,
};

/// Monday 23 November 2026, 16:20 UTC.
pub(crate) const NOW: UtcMs = UtcMs::new(1_795_450_800_000);

/// The applications; the last two are hostile.
pub(crate) const APPS: [&str; 8] = [
    "checkout-api",
    "payments-worker",
    "auth-gateway",
    "inventory-sync",
    "mobile-bff",
    "email-dispatch",
    "../<img src=x onerror=alert(1)>",
    "Überweisung \u{202e}tset\u{202c} αβγ",
];

const TITLES: [&str; 12] = [
    "SocketTimeoutException: payment provider timed out after <*> ms",
    "NullPointerException: basket was null",
    "DeadlockLoserDataAccessException: stock row locked by <*>",
    "JsonParseException: unexpected token at line <*> column <*>",
    "HttpServerErrorException: 503 from pricing-engine",
    "OptimisticLockException: order <*> was updated by another transaction",
    "AccessDeniedException: token expired at <*>",
    "ConnectException: refused connection to <*>:5432",
    "OutOfMemoryError: Java heap space",
    "IllegalStateException: invoice <*> is in state CLOSED",
    "MessagingException: mailbox <*> rejected",
    "ArrayIndexOutOfBoundsException: index <*> out of bounds for length <*>",
];

/// Titles that try to leave their place.
pub(crate) const HOSTILE: [&str; 8] = [
    "</title></script><script>alert(1)</script>",
    "\" onmouseover=\"alert(1)\" x='",
    "\x1b[31mred\x1b[0m \x07bell \u{0}nul",
    "invoice\u{202e}fdp.exe \u{2066}isolated",
    "",
    "javascript:alert(1) &lt;b&gt; <!-- ]]> {{7*7}} ${x}",
    "表示エラー: 注文番号 <*> が見つかりません 🛒 שגיאה في النظام",
    "\u{feff}\u{200b}\u{ffff}\u{85}",
];

const TRACE: &str = "java.net.SocketTimeoutException: Read timed out
\tat java.base/sun.nio.ch.NioSocketImpl.timedRead(NioSocketImpl.java:278)
\tat java.base/sun.nio.ch.NioSocketImpl.implRead(NioSocketImpl.java:304)
\tat java.base/java.net.Socket$SocketInputStream.read(Socket.java:1099)
\tat org.apache.http.impl.io.SessionInputBufferImpl.streamRead(SessionInputBufferImpl.java:137)
\tat com.acme.payments.ProviderClient.charge(ProviderClient.java:142)
\tat com.acme.payments.ChargeWorker.run(ChargeWorker.java:88)
\tat org.springframework.aop.framework.CglibAopProxy.intercept(CglibAopProxy.java:708)
\tat java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:1144)
\tat java.base/java.lang.Thread.run(Thread.java:1583)
Caused by: java.io.IOException: <stream> closed & \"gone\"
\tat com.acme.net.Pool.borrow(Pool.java:51)
\t... 14 more";

/// Numbers that look like chance and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below.max(1)
    }
}

/// Returns the view of an ordinary bad Monday.
pub(crate) fn view() -> View {
    let groups: Vec<GroupView> = (0..37).map(group).collect();
    let apps: Vec<AppView> = APPS.iter().enumerate().map(|(place, name)| app(place, name, &groups)).collect();
    View {
        aliases: BTreeMap::from([(GroupId::from_bits(7), groups[2].id), (GroupId::from_bits(8), groups[9].id)]),
        now_ms: NOW,
        verdict: Verdict {
            headline: "payments-worker errors are spiking".to_owned(),
            detail: "1 error group is spiking, 2 are new since yesterday and 1 came back. The rest is within its usual range."
                .to_owned(),
            needs_attention: true,
        },
        figures: figures(),
        attention: vec![0, 1, 5, 7],
        silent: vec![SilentApp {
            name: "email-dispatch".into(),
            since_ms: NOW - 5 * HOUR_MS,
            habit_ms: 14 * MINUTE_MS,
        }],
        dark: None,
        unclear: Vec::new(),
        unread: vec![
            Unread {
                place: UnreadPlace::App(APPS[6].into()),
                apps: vec![APPS[6].into()],
                since_ms: Some(NOW - 30 * HOUR_MS),
                troubles: vec![(Trouble::NotListed, 1), (Trouble::Denied, 12)],
                error: "AccessDenied: <b>no</b> \x1b[1m".to_owned(),
            },
            Unread {
                place: UnreadPlace::App("auth-gateway".into()),
                apps: vec!["auth-gateway".into()],
                since_ms: Some(NOW - HOUR_MS),
                troubles: vec![(Trouble::Failed, 3)],
                error: "SlowDown: please".to_owned(),
            },
        ],
        group_count: 37,
        errors: apps.iter().map(|app| Series { name: app.name.clone(), buckets: app.trend.clone() }).collect(),
        groups,
        apps,
        heat: heat(),
        completeness: completeness(),
    }
}

/// Returns the view of a ledger that has nothing yet.
pub(crate) fn empty_view() -> View {
    View {
        aliases: BTreeMap::new(),
        now_ms: NOW,
        verdict: Verdict {
            headline: "All quiet".to_owned(),
            detail: "No errors in the last 24 hours.".to_owned(),
            needs_attention: false,
        },
        figures: Figures::default(),
        attention: Vec::new(),
        silent: Vec::new(),
        dark: None,
        unread: Vec::new(),
        unclear: Vec::new(),
        groups: Vec::new(),
        group_count: 0,
        apps: Vec::new(),
        errors: Vec::new(),
        heat: Heat::default(),
        completeness: Completeness::default(),
    }
}

fn figures() -> Figures {
    let change =
        |now, yesterday, last_week| Change { now, yesterday: Some(yesterday), last_week: Some(last_week) };
    Figures {
        errors: change(1942.0, 1407.0, 1734.0),
        error_rate: change(0.0084, 0.0063, 0.0081),
        events: change(231_004.0, 223_333.0, 214_074.0),
        open_groups: change(37.0, 35.0, 36.0),
        new_groups: 2,
        regressed_groups: 1,
        apps_hit: change(6.0, 6.0, 7.0),
        apps: 8,
        newest_event_ms: Some(NOW - 2 * MINUTE_MS),
    }
}

/// One group; the 8 hostile ones stand among the ordinary ones.
fn group(place: usize) -> GroupView {
    let title = title(place);
    let state = state(place);
    let (first_ms, quiet_ms) = life(state);
    let trend = trend(place, state);
    let sum = |hours: std::ops::Range<usize>| trend[hours].iter().map(|bucket| bucket.events).sum::<u64>();
    let (day, total) = (sum(312..336), sum(0..336));
    GroupView {
        family: (8..13).contains(&place).then_some(Family { id: GroupId::from_bits(3), groups: 5 }),
        id: GroupId::from_bits(0x0a5f_3c91_77d2_e4b1_u64.wrapping_mul(place as u64 * 2 + 1)),
        kind: [GroupKind::Trace, GroupKind::Message, GroupKind::Exception][place % 3],
        template: format!(
            "{title}\ncom.acme.payments.ProviderClient.charge\ncom.acme.payments.ChargeWorker.run"
        ),
        title,
        state,
        reason: reason(state).to_owned(),
        factor: (state == GroupState::Spiking).then_some(6.2),
        day: Change {
            now: day as f64,
            yesterday: (place != 3).then(|| sum(288..312) as f64),
            last_week: place.is_multiple_of(2).then(|| sum(144..168) as f64),
        },
        total,
        first_ms,
        last_ms: quiet_ms - 9 * MINUTE_MS,
        apps: shares(place, day, total),
        levels: vec![(Level::Error, total - total / 50), (Level::Fatal, total / 50)],
        hours: trend[312..].iter().map(|bucket| bucket.events).collect(),
        trend,
        samples: (0..=place % 5).map(|which| sample(place, which)).collect(),
    }
}

fn state(place: usize) -> GroupState {
    match place {
        0 => GroupState::Spiking,
        1 | 5 => GroupState::New,
        7 => GroupState::Regressed,
        30.. => GroupState::Quiet,
        _ => GroupState::Ongoing,
    }
}

/// When a group of this state was first and last seen.
fn life(state: GroupState) -> (UtcMs, UtcMs) {
    match state {
        GroupState::New => (NOW - 3 * HOUR_MS, NOW),
        GroupState::Quiet => (NOW - 9 * DAY_MS, NOW - 30 * HOUR_MS),
        _ => (NOW - 9 * DAY_MS, NOW),
    }
}

fn trend(place: usize, state: GroupState) -> Vec<Bucket> {
    let mut dice = Dice(place as u64 + 7);
    let (first_ms, quiet_ms) = life(state);
    let busy = 1 + 90 / (place as u64 + 1);
    let origin_ms = NOW.start_of(HOUR_MS) - 335 * HOUR_MS;
    (0..336)
        .map(|hour| {
            let start_ms = origin_ms + hour * HOUR_MS;
            let spike = if state == GroupState::Spiking && hour > 329 { 60 + dice.roll(50) } else { 0 };
            let silent = state == GroupState::Regressed && (100..310).contains(&hour);
            let alive = (first_ms..=quiet_ms).contains(&start_ms) && !silent;
            Bucket { start_ms, events: if alive { dice.roll(busy) + spike } else { 0 } }
        })
        .collect()
}

fn shares(place: usize, day: u64, total: u64) -> Vec<(AppName, u64, u64)> {
    let shares: &[u64] = [&[1][..], &[3, 1], &[4, 2, 1]][place % 3];
    let of: u64 = shares.iter().sum();
    let app = |more: usize| AppName::from(APPS[(place + 1 + more) % 8]);
    (0..).zip(shares).map(|(more, share)| (app(more), day * share / of, total * share / of)).collect()
}

fn title(place: usize) -> String {
    match place {
        20..28 => HOSTILE[place - 20].to_owned(),
        28 => "W".repeat(300),
        29 => "很".repeat(299),
        30 => "a long sentence about the state of the order of the customer of the shop ".repeat(6),
        _ => {
            let more = if place < 12 { String::new() } else { format!(" in shard {place}") };
            format!("{}{more}", TITLES[place % 12])
        }
    }
}

fn reason(state: GroupState) -> &'static str {
    match state {
        GroupState::Spiking => "101 in the last hour; its limit is 16",
        GroupState::New => "first seen today at 13:20",
        GroupState::Regressed => "back after 8 days of silence",
        GroupState::Ongoing => "seen as often as usual",
        GroupState::Quiet => "not seen for 30 hours",
    }
}

fn sample(place: usize, which: usize) -> SampleView {
    use SampleRole::{Earlier, First, Latest};
    let text = match (place, which) {
        (20..28, 0) => HOSTILE[place - 20].repeat(3),
        (21, 1) => "\x1b[2J\x1b]0;owned\x07 ".repeat(500),
        (22, 1) => TRACE.repeat(7),
        (23, 1) => "x".repeat(8192),
        (24, 1) => "\u{202e}".repeat(2700),
        _ => TRACE.to_owned(),
    };
    SampleView {
        role: [First, Latest, Earlier, Earlier, Earlier][which],
        time_ms: match (place, which) {
            (25, _) => UtcMs::MAX,
            (26, _) => UtcMs::EPOCH,
            _ => NOW - 9 * MINUTE_MS - which as i64 * HOUR_MS - 876,
        },
        app: AppName::from(APPS[(place + 1) % 8]),
        level: Level::Error,
        logger: Some("com.acme.payments.ProviderClient".to_owned()),
        thread: (which == 0).then(|| "charge-worker-<3>".to_owned()),
        text,
        object: format!("s3://acme-logs/{}/20261123/ip-10-2-1-4_{which}.log.gz", APPS[(place + 1) % 8]),
        line: 4182 + which as u64,
    }
}

fn app(place: usize, name: &str, groups: &[GroupView]) -> AppView {
    let mut dice = Dice(place as u64 + 99);
    let start_ms = NOW.start_of(HOUR_MS) - 167 * HOUR_MS;
    let trend: Vec<Bucket> = (0..168)
        .map(|hour| {
            let start_ms = start_ms + hour * HOUR_MS;
            let of_day = start_ms.stretch(HOUR_MS).rem_euclid(24);
            let load = (12 - (of_day - 13).abs()).max(1) as u64;
            let spike = if place == 1 && hour > 160 { 90 } else { 0 };
            Bucket { start_ms, events: (dice.roll(6) + 3) * load / (place as u64 + 2) + spike }
        })
        .collect();
    let errors = trend[144..].iter().map(|bucket| bucket.events).sum::<u64>() as f64;
    let lines = 1_226_541 / (place as u64 + 1);
    AppView {
        is_silent: name == "email-dispatch",
        name: name.into(),
        errors: Change {
            now: errors,
            yesterday: Some((errors * 0.8).round()),
            last_week: Some((errors * 1.1).round()),
        },
        events: Change { now: errors * 119.0, yesterday: Some(errors * 118.0), last_week: None },
        trend,
        groups: (0..groups.len()).filter(|&at| groups[at].apps.iter().any(|(app, ..)| app == name)).collect(),
        newest_event_ms: Some(NOW - 2 * MINUTE_MS - place as i64 * HOUR_MS),
        objects: 160 / (place as u64 + 1),
        lines: accounting(lines),
    }
}

fn accounting(total: u64) -> LineCounts {
    LineCounts {
        total,
        events: total - total / 9 - 12,
        continuation: total / 9,
        unparsed: 12,
        quarantined: 1,
        truncated: 3,
        undated: 40,
    }
}

fn heat() -> Heat {
    let mut dice = Dice(5);
    let mut heat = Heat::default();
    for (day, cells) in heat.cells.iter_mut().enumerate() {
        for (hour, cell) in cells.iter_mut().enumerate() {
            let load = 14_u64.saturating_sub((hour as u64).abs_diff(14));
            *cell = load * load * (if day < 5 { 4 } else { 1 }) / 4 + dice.roll(20);
        }
    }
    heat.cells[6][3] = 0;
    heat
}

fn completeness() -> Completeness {
    let source = |place: usize| SourceView {
        name: format!("{}-logs", APPS[place]).into(),
        url: format!("s3://acme-logs/{}/", APPS[place]),
        objects: 200 - place as u64,
        listed_ms: Some(NOW - MINUTE_MS),
        failed_prefixes: u64::from(place == 6),
    };
    let problem = |place: usize| ObjectProblem {
        place: format!("s3://acme-logs/{}/20261122/buffer_{place}.log.gz", APPS[place % 8]),
        kind: [ProblemKind::Damaged, ProblemKind::Denied, ProblemKind::Missing, ProblemKind::Unlisted]
            [place % 4],
        reason: "member 3 ends early at byte 48,211 <eof> \x1b[1m".to_owned(),
        tried_ms: NOW - place as i64 * HOUR_MS,
    };
    Completeness {
        sources: (0..7).map(source).collect(),
        objects_listed: 1291,
        objects_mirrored: 1284,
        objects_damaged: 3,
        objects_unread: 4,
        objects_duplicate: 11,
        objects_pruned: 0,
        objects_deleted: 0,
        objects_expired: 0,
        misdated: 2,
        lines: accounting(9_812_334),
        decoded_bytes: 5_210_448_000,
        stored_bytes: 736_120_400,
        newest_event_ms: Some(NOW - 2 * MINUTE_MS),
        problems: (0..7).map(problem).collect(),
        problem_count: 7,
        days: (0..14)
            .map(|day| Bucket {
                start_ms: NOW.start_of(DAY_MS) - (13 - day) * DAY_MS,
                events: 190_000 + (day as u64 * 7919) % 60_000,
            })
            .collect(),
        run_started_ms: Some(NOW - MINUTE_MS),
        requests: Requests { list: 42, get: 18, put: 31, received_bytes: 8_112_400, sent_bytes: 412_000 },
        run_goes_on: true,
        mails: vec![mail(1, false), mail(2, true)],
        pages_trouble: None,
    }
}

fn mail(id: i64, is_given_up: bool) -> MailView {
    MailView {
        id,
        digest: "ops <b>".to_owned(),
        subject: "[gzette] payments errors are spiking <script>\x1b[2J".to_owned(),
        created_ms: NOW - 3 * HOUR_MS,
        since_ms: NOW - 2 * HOUR_MS,
        next_try_ms: NOW + HOUR_MS,
        reason: "mail by `smtp://mail.example.com:587`: 451 <img src=x> later".to_owned(),
        is_given_up,
        is_told: false,
    }
}
