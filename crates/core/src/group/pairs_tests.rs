//! Pairs that must be one group, and pairs that must be two: messages in pairs.txt, traces below.

use super::{group, template};

#[test]
fn pairs_of_messages() {
    let mut pairs = 0;
    for line in include_str!("pairs.txt").lines().filter(|line| !line.starts_with('#')) {
        let (a, b) = line[2..].split_once(" | ").expect("a pair");
        let is_one = group(a, None).id == group(b, None).id;
        assert_eq!(is_one, line.starts_with('='), "{line}\n{}\n{}", template(a), template(b));
        pairs += 1;
    }
    assert!(pairs >= 120, "only {pairs} pairs");
}

const BASE: &str = "com.acme.PayException: order 7 failed
\tat com.acme.Client.charge(Client.java:40)
\tat com.acme.Service.pay(Service.java:12)
\tat com.acme.Service$$SpringCGLIB$$0.pay(<generated>)
\tat org.springframework.web.Servlet.service(Servlet.java:9)
\tat com.acme.Filter.lambda$doFilter$0(Filter.java:3)
Caused by: java.net.ConnectException: Connection refused
\tat java.base/sun.nio.ch.Net.connect(Native Method)
\tat com.acme.Http.get(Http.java:7)
\t... 5 more";

/// Changes of a trace that leave the group as it is.
const SAME: [(&str, &str); 9] = [
    (":40)", ":44)"),
    ("order 7", "order 81"),
    ("order 7 failed", "payment declined"),
    ("SpringCGLIB$$0", "EnhancerBySpringCGLIB$$ab12"),
    ("\tat com.acme.Service$$SpringCGLIB$$0.pay(<generated>)\n", ""),
    ("doFilter$0", "doFilter$12"),
    (
        "org.springframework.web.Servlet.service(Servlet.java:9)",
        "org.apache.catalina.Valve.invoke(Valve.java:1)",
    ),
    ("... 5 more", "... 27 more"),
    ("\n\t... 5 more", "\n\tat com.ac"),
];

/// Changes that make another.
const OTHER: [(&str, &str); 6] = [
    ("PayException", "RefundException"),
    ("ConnectException", "SocketTimeoutException"),
    ("Http.get", "Http.post"),
    ("Client.charge", "Client.refund"),
    ("com.acme.Service.pay", "com.acme.Batch.pay"),
    ("\tat com.acme.Http.get(Http.java:7)\n", ""),
];

#[test]
fn pairs_of_traces() {
    let id = |trace: &str| group("failed", Some(trace)).id;
    for (pairs, is_one) in [(SAME.as_slice(), true), (OTHER.as_slice(), false)] {
        for (from, to) in pairs {
            assert!(BASE.contains(from), "{from}");
            assert_eq!(id(&BASE.replace(from, to)) == id(BASE), is_one, "{from} -> {to}");
        }
    }
}

#[test]
fn a_trace_cut_behind_its_deciding_frames_is_in_the_group_of_the_whole() {
    let whole = group("failed", Some(BASE)).id;
    let from = BASE.find("Http.get(").unwrap() + "Http.get(".len();
    for cut in from..BASE.len() {
        assert_eq!(group("failed", Some(&BASE[..cut])).id, whole, "{}", &BASE[..cut]);
    }
}

#[test]
fn no_more_than_the_topmost_own_frames_decide() {
    let deep = |depth: usize| {
        let frames: Vec<_> = (0..depth).map(|at| format!("\tat com.acme.Layer{at}.call(L.java:1)")).collect();
        group("failed", Some(&format!("a.BadException: x\n{}", frames.join("\n")))).id
    };
    assert_eq!(deep(9), deep(200));
    assert_ne!(deep(7), deep(9));
}
