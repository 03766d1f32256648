//! Messages that are one error, and messages that are two.

use proptest::prelude::*;

use super::{group, template};

#[test]
fn what_varies_is_masked() {
    for (message, expected) in [
        ("order 4711 accepted in 12 ms", "order <*> accepted in <*>"),
        ("GET https://shop.example.com/a?b=1 failed", "GET <*> failed"),
        ("could not open /var/lib/app/data.bin: permission denied", "could not open <*>: permission denied"),
        ("user alice from 10.0.0.7 rejected", "user <*> from <*> rejected"),
        ("retry=3 timeout=500 reason=busy", "retry=<*> timeout=<*> reason=busy"),
        ("state=OPEN for circuit payments", "state=OPEN for circuit payments"),
        ("ORA-00001: unique constraint violated", "ORA-00001: unique constraint violated"),
        (r#"{"id":"77f","state":"broken"}"#, r#"{"id":<*>,"state":"broken"}"#),
        ("12.5 % of 3 files (7, 8)", "<*> of <*> file"),
        ("", ""),
        ("12345", "<*>"),
    ] {
        assert_eq!(template(message), expected, "{message}");
    }
}

/// Pairs that must share a group.
const ONE: [(&str, &str); 16] = [
    ("Read timed out after 5000 ms", "Read timed out after 12 ms"),
    ("connection to db-7.internal:5432 refused", "connection to db-12.internal:5432 refused"),
    ("order 1 not found", "order 998877 not found"),
    ("could not read /tmp/a.txt", "could not read /home/b/c.txt"),
    ("user alice from 10.1.1.1 failed", "user bob from 10.9.9.9 failed"),
    ("deleted 1 file", "deleted 3 files"),
    ("took 3.5 s", "took 12 s"),
    ("took 3 ms", "took 3 s"),
    ("mail to a@b.example bounced", "mail to c.d@e.example bounced"),
    (
        "request 550e8400-e29b-41d4-a716-446655440000 failed",
        "request 00000000-0000-4000-a000-000000000000 failed",
    ),
    ("lock held by 0xdeadbeef", "lock held by 0x1f"),
    ("job started at 2026-01-31T12:00:00Z", "job started at 2025-11-01T00:00:01Z"),
    ("seen on Mon Jan 5 2026 by host", "seen on Tue Feb 17 2026 by host"),
    ("peer fe80::1:2:3:4 closed", "peer 2001:db8:0:1::5 closed"),
    ("retry=1 failed", "retry=25 failed"),
    ("\u{1b}[31mdisk full\u{1b}[0m", "disk full"),
];

/// Pairs that must not.
const TWO: [(&str, &str); 12] = [
    ("connection refused", "connection reset"),
    ("order not found", "order not paid"),
    ("state=OPEN", "state=CLOSED"),
    ("ORA-00001: failed", "ORA-01017: failed"),
    ("could not read config", "could read config"),
    ("reason=timeout", "reason=denied"),
    ("can't connect", "can connect"),
    ("upload failed: quota", "upload failed: network"),
    ("java.lang.IllegalStateException: closed", "java.lang.IllegalArgumentException: closed"),
    ("level=high", "level=low"),
    ("md5 mismatch", "sha256 mismatch"),
    ("insert into orders failed", "insert into invoices failed"),
];

#[test]
fn masking_again_changes_nothing_where_it_once_did() {
    let long = "a 1 b ".repeat(1000);
    for message in
        ["1 \ny.o\u{2026}1%", "alice\t=/truesec.'sjan:", "deadbeef.#", "\x1b[\x1b[1m1m x", "1 jan-feb", &long]
    {
        let once = template(message);
        assert_eq!(template(&once), once, "{message}");
    }
}

#[test]
fn brackets_within_brackets_are_passed_over_but_for_one_level() {
    assert_eq!(template("[<1>] read failed"), "<*> read failed");
    let deep = format!("{}1{} read failed", "[".repeat(1000), "]".repeat(1000));
    assert_eq!(template(&deep), deep.replace('1', "<*>"));
}

#[test]
fn one_error_is_one_group_and_two_are_two() {
    for (a, b) in ONE {
        assert_eq!(group(a, None).id, group(b, None).id, "{a} | {b}: {} | {}", template(a), template(b));
    }
    for (a, b) in TWO {
        assert_ne!(group(a, None).id, group(b, None).id, "{a} | {b}: {}", template(a));
    }
}

const TRACE: &str = "Failed to charge order 4711\n\
    com.acme.pay.ChargeException: provider timed out after 500 ms\n\
    \tat com.acme.pay.Client.charge(Client.java:40)\n\
    \tat org.springframework.aop.Proxy.invoke(Proxy.java:1)\n\
    \tat com.acme.pay.Worker.lambda$run$3(Worker.java:8)\n\
    Caused by: java.net.SocketTimeoutException: Read timed out\n\
    \tat java.base/java.net.Socket.read(Socket.java:99)\n\
    \tat com.acme.pay.Http.get(Http.java:7)\n\
    \t... 12 more";

#[test]
fn a_trace_groups_by_types_and_own_frames() {
    let whole = group(TRACE, None);
    assert_eq!(whole.title, "ChargeException: provider timed out after <*>");
    assert_eq!(
        whole.template,
        "com.acme.pay.ChargeException\n  at com.acme.pay.Client.charge\n  at com.acme.pay.Worker.lambda$run$\n\
         java.net.SocketTimeoutException\n  at com.acme.pay.Http.get"
    );
    let same = TRACE
        .replace(":40)", ":41)")
        .replace("4711", "9")
        .replace("$run$3", "$run$17")
        .replace("12 more", "3 more");
    assert_eq!(group(&same, None).id, whole.id, "lines, ids and lambda numbers do not matter");
    let (message, trace) = TRACE.split_once('\n').unwrap();
    assert_eq!(group(message, Some(trace)).id, whole.id, "nor where the trace stands");
    assert_ne!(group(&TRACE.replace("Http.get", "Http.post"), None).id, whole.id);
    assert_ne!(group(&TRACE.replace("SocketTimeout", "SocketClosed"), None).id, whole.id);
}

#[test]
fn recursion_does_not_make_another_group() {
    let trace = |depth: usize| {
        let cycle =
            "\tat com.acme.Tree.walk(Tree.java:3)\n\tat com.acme.Tree.visit(Tree.java:9)\n".repeat(depth);
        format!("java.lang.StackOverflowError\n{cycle}\tat com.acme.Main.main(Main.java:1)")
    };
    assert_eq!(group(&trace(2), None).id, group(&trace(400), None).id);
}

#[test]
fn without_frames_the_type_and_its_message_decide() {
    let one = group("java.lang.IllegalStateException: invoice 7 is closed", None);
    let same = group("java.lang.IllegalStateException: invoice 12 is closed", None);
    let other = group("java.lang.IllegalStateException: invoice 12 is open", None);
    assert_eq!((one.id, one.title.as_str()), (same.id, "IllegalStateException: invoice <*> is closed"));
    assert_ne!(one.id, other.id);
}

/// Where `0` stands in a message's masked tokens, another digit may.
fn with_digits(shape: &str, digits: &[u8]) -> String {
    let mut digits = digits.iter().cycle();
    shape
        .chars()
        .map(|letter| if letter == '0' { char::from(*digits.next().unwrap_or(&b'1')) } else { letter })
        .collect()
}

proptest! {
    #[test]
    fn other_digits_in_the_same_places_are_the_same_group(digits in prop::collection::vec(b'1'..=b'9', 40)) {
        let shape = "order 000 of user-00 at 10.0.0.00:0000 took 00.0 ms, id 00f0-00b0, took {\"n\":000}, /v0/x/000";
        let first = group(&with_digits(shape, b"1"), None);
        prop_assert_eq!(group(&with_digits(shape, &digits), None), first);
    }

    #[test]
    fn masking_again_changes_nothing(words in prop::collection::vec("(order|queue|read|closed|file)|[0-9]{1,6}|/[a-z]{1,4}/[a-z]{1,4}|[a-z]{3}-[0-9]{2}", 0..9)) {
        let once = template(&format!("failed {}", words.join(" ")));
        prop_assert_eq!(template(&once), once);
    }

    #[test]
    fn the_template_of_a_template_is_itself(
        pieces in prop::collection::vec(
            "[a-z]{1,8}|[0-9]{1,6}|[0-9a-f]{8}|<\\*>|[ \n\t]|[\\[\\](){}<>\"'=:;,./@#$*%-]|jan|mon|user|for|from|ms|files",
            0..20,
        ),
        text in any::<String>(),
    ) {
        for text in [pieces.concat(), pieces.join(" "), text] {
            let once = template(&text);
            prop_assert_eq!(template(&once), once);
        }
    }

    #[test]
    fn any_text_has_a_group_and_a_short_plain_title(text in any::<String>(), trace in any::<Option<String>>()) {
        let grouped = group(&text, trace.as_deref());
        prop_assert_eq!(&group(&text, trace.as_deref()), &grouped);
        prop_assert!(grouped.title.chars().count() <= 300);
        prop_assert!(!grouped.title.chars().any(char::is_control));
    }

    #[test]
    fn structure_of_any_kind_is_survived(text in "([a-z0-9]{0,3}[\\[\\](){}<>\"'=:;,./@#$ \n-]){0,60}") {
        template(&text);
        group(&text, Some(&text));
    }
}
