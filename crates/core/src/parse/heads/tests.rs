//! Lines of real loggers and daemons, and what they mean.

use crate::model::{Level, UtcMs};
use crate::parse::FieldNames;
use crate::parse::names::Names;
use crate::parse::text;
use crate::parse::time::Clock;

use jiff::tz::TimeZone;

fn clock() -> Clock {
    Clock::new(&TimeZone::UTC).on(Some(jiff::civil::date(2026, 11, 20)))
}

fn show(time_ms: Option<UtcMs>) -> String {
    time_ms.map_or_else(String::new, |time_ms| time_ms.stamp().unwrap().to_string())
}

/// Reads a line to its time of day on the day of the tests, level, logger, thread and message.
fn read(line: &str) -> Option<[String; 5]> {
    let names = Names::new(&FieldNames::default());
    let event = text::event(line.as_bytes(), &names, &mut clock())?;
    let time = show(event.time_ms);
    let time =
        time.strip_prefix("2026-11-20T").map_or(time.clone(), |time| time.trim_end_matches('Z').to_owned());
    let part = |field: Option<crate::model::Field<'_>>| {
        field.map(|field| field.text().into_owned()).unwrap_or_default()
    };
    Some([time, event.level.to_string(), part(event.logger), part(event.thread), part(Some(event.message))])
}

fn check(cases: &[(&str, [&str; 5])]) {
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(line, expected)| {
            let have = read(line);
            let is_same = have.as_ref().is_some_and(|have| have.iter().zip(expected).all(|(a, b)| a == b));
            (!is_same).then(|| format!("{line}\n  have {have:?}\n  want {expected:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{} of {} differ\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

const MS: &str = "06:10:01.143";
const S: &str = "06:10:01";
const M: &str = "it broke";

#[test]
fn pairs_of_logfmt() {
    check(&[
        (
            r#"time="2026-11-20T06:10:01Z" level=error msg="it broke" component=cart"#,
            [S, "error", "cart", "", M],
        ),
        (
            r#"level=error ts=2026-11-20T06:10:01.143Z caller=cart.go:31 msg="it broke" err="reset by peer""#,
            [MS, "error", "", "", M],
        ),
        ("ts=2026-11-20T06:10:01.143Z caller=log.go:1 lvl=eror msg=broke", [MS, "error", "", "", "broke"]),
        (
            r#"t=2026-11-20T06:10:01.143Z lvl=warn logger=http.server msg="it broke" status=500"#,
            [MS, "warn", "http.server", "", M],
        ),
        (
            r#"time=2026-11-20T06:10:01.143+01:00 level=ERROR msg="say \"no\"" user=ann"#,
            ["05:10:01.143", "error", "", "", "say \"no\""],
        ),
        ("level=info msg=ready flag", ["", "info", "", "", "ready"]),
        (r#"ts=1795155001.143 level=debug msg="it broke" a= b=c"#, [MS, "debug", "", "", M]),
        (r#"at=2026 level=fatal error="it broke" code=7"#, ["", "fatal", "", "", M]),
        ("2026-11-20 06:10:01 level=error msg=broke x=1", [S, "error", "", "", "broke"]),
    ]);
    for line in
        ["a=b c=d", "level=error", "x = y level=error", "=level error=1", "1=2 level=error", "a=\"b level=c"]
    {
        assert_eq!(read(line), None, "{line}");
    }
}

#[test]
fn glog_and_its_kin() {
    check(&[
        ("E1120 06:10:01.143456       1 controller.go:12] it broke", [MS, "error", "controller.go", "1", M]),
        ("W1120 06:10:01.143456   77 a/b.cc:12] it broke", [MS, "warn", "a/b.cc", "77", M]),
        ("I20261120 06:10:01.143456 12 main.cc:7] it broke", [MS, "info", "main.cc", "12", M]),
        (
            "F261120 06:10:01.143456 12 server/node.go:7 ⋮ [n1] it broke",
            [MS, "fatal", "server/node.go", "12", "it broke"],
        ),
        (
            r#"E1120 06:10:01.143456 1 x.go:1] "it broke" err="no""#,
            [MS, "error", "x.go", "1", r#""it broke" err="no""#],
        ),
        (
            "E1231 06:10:01.143456       1 x.go:12] it broke",
            ["2026-12-31T06:10:01.143Z", "error", "x.go", "1", M],
        ),
    ]);
    assert_eq!(read("E1120 is a food additive"), None);
    assert_eq!(read("I1399 06:10:01.143 1 x.go:1] y"), None);
}

#[test]
fn loggers_of_ruby_python_php_and_erlang() {
    check(&[
        ("E, [2026-11-20T06:10:01.143456 #12] ERROR -- shop: it broke", [MS, "error", "shop", "", M]),
        ("I, [2026-11-20T06:10:01.143456 #12]  INFO -- : it broke", [MS, "info", "", "", M]),
        (
            "F, [2026-11-20T06:10:01.143456 #12] FATAL -- : [r1] it broke",
            [MS, "fatal", "", "", "[r1] it broke"],
        ),
        ("F, [2026-11-20T06:10:01.143456 #12] FATAL -- :", [MS, "fatal", "", "", ""]),
        ("A, [2026-11-20T06:10:01.143456 #12]   ANY -- : it broke", [MS, "unknown", "", "", M]),
        ("ERROR:root:it broke", ["", "error", "root", "", M]),
        ("WARNING:shop.cart:it broke", ["", "warn", "shop.cart", "", M]),
        ("CRITICAL:a_b:it broke: now", ["", "fatal", "a_b", "", "it broke: now"]),
        ("ERROR:    it broke", ["", "error", "", "", M]),
        ("[20-Nov-2026 06:10:01 UTC] PHP Fatal error:  it broke", [S, "error", "", "", M]),
        ("[20-Nov-2026 06:10:01 Europe/Berlin] PHP Warning:  it broke", ["05:10:01", "warn", "", "", M]),
        ("[20-Nov-2026 06:10:01] PHP Notice:  it broke", [S, "info", "", "", M]),
        ("[20-Nov-2026 06:10:01] WARNING: [pool www] it broke", [S, "warn", "", "pool www", M]),
        ("PHP Parse error:  it broke", ["", "error", "", "", M]),
        ("PHP Deprecated:  it broke", ["", "info", "", "", M]),
        ("=ERROR REPORT==== 20-Nov-2026::06:10:01.143 ===", [MS, "error", "", "", ""]),
        ("=CRASH REPORT==== 20-Nov-2026::06:10:01 ===", [S, "error", "", "", ""]),
        ("=PROGRESS REPORT==== 20-Nov-2026::06:10:01 ===", [S, "info", "", "", ""]),
        ("06:10:01.143 [error] it broke", [MS, "error", "", "", M]),
        ("06:10:01.143 request_id=F7 user=ann [error] it broke", [MS, "error", "", "", M]),
        ("2026-11-20 06:10:01.143 [error] <0.123.0> it broke", [MS, "error", "", "", "<0.123.0> it broke"]),
        (
            "[2026-11-20 06:10:01] production.ERROR: it broke {\"a\":1}",
            [S, "error", "production", "", "it broke {\"a\":1}"],
        ),
        (
            "[2026-11-20T06:10:01.143456+00:00] app.CRITICAL: it broke [] []",
            [MS, "fatal", "app", "", "it broke [] []"],
        ),
        ("[2026-11-20 06:10:01] local.INFO: it broke", [S, "info", "local", "", M]),
    ]);
}

#[test]
fn frameworks_of_python_and_javascript() {
    check(&[
        ("[2026-11-20 06:10:01 +0000] [12] [ERROR] it broke", [S, "error", "", "", M]),
        (
            "[2026-11-20 06:10:01,143: ERROR/ForkPoolWorker-1] it broke",
            [MS, "error", "", "ForkPoolWorker-1", M],
        ),
        ("[2026-11-20 06:10:01,143: WARNING/MainProcess] it broke", [MS, "warn", "", "MainProcess", M]),
        (
            "[20/Nov/2026 06:10:01] ERROR [django.request:241] it broke",
            [S, "error", "django.request:241", "", M],
        ),
        (
            "2026-11-20 06:10:01.143 | ERROR    | shop.cart:pay:31 - it broke",
            [MS, "error", "shop.cart", "", M],
        ),
        (
            "2026-11-20 06:10:01 [scrapy.core.engine] ERROR: it broke",
            [S, "error", "scrapy.core.engine", "", M],
        ),
        ("2026-11-20 06:10:01,143 - shop.cart - ERROR - it broke", [MS, "error", "shop.cart", "", M]),
        ("2026-11-20 06:10:01,143 ERROR shop.cart: it broke", [MS, "error", "shop.cart", "", M]),
        ("[2026-11-20, 06:10:01 UTC] {taskinstance.py:12} ERROR - it broke", [S, "error", "", "", M]),
        ("[2026-11-20 06:10:01,143] {taskinstance.py:12} WARNING - it broke", [MS, "warn", "", "", M]),
        ("[E 261120 06:10:01 web:1670] it broke", [S, "error", "web", "", M]),
        ("[W 2026-11-20 06:10:01.143 NotebookApp] it broke", [MS, "warn", "NotebookApp", "", M]),
        (
            "2026-11-20 06:10:01.143 12 ERROR nova.compute [req-1] it broke",
            [MS, "error", "nova.compute", "", "[req-1] it broke"],
        ),
        ("[Nest] 17  - 11/20/2026, 6:10:01 AM   ERROR [Cart] it broke", [S, "error", "", "Cart", M]),
        ("[Nest] 17  - 20/11/2026, 06:10:01     LOG [Cart] it broke", [S, "info", "", "Cart", M]),
        ("[2026-11-20T06:10:01.143] [ERROR] cart - it broke", [MS, "error", "cart", "", M]),
        ("[06:10:01.143] ERROR (17): it broke", [MS, "error", "", "", M]),
        (
            "[2026-11-20T06:10:01.143Z] ERROR: shop/17 on host: it broke",
            [MS, "error", "", "", "shop/17 on host: it broke"],
        ),
        ("error: it broke {\"a\":1}", ["", "error", "", "", "it broke {\"a\":1}"]),
        ("2026-11-20T06:10:01.143Z error: it broke", [MS, "error", "", "", M]),
        ("2026-11-20T06:10:01.143Z [cart] error: it broke", [MS, "error", "", "cart", M]),
        ("2026-11-20T06:10:01.143Z pid=12 tid=abc class=Pay ERROR: it broke", [MS, "error", "", "", M]),
        ("2026-11-20T06:10:01.143Z 12 TID-abc ERROR: it broke", [MS, "error", "", "", M]),
    ]);
}

const SERVERS: &[(&str, [&str; 5])] = &[
    (
        "[Fri Nov 20 06:10:01.143456 2026] [core:error] [pid 12:tid 139] [client 192.0.2.1:80] it broke",
        [MS, "error", "core", "", M],
    ),
    ("[Fri Nov 20 06:10:01 2026] [error] [client 192.0.2.1] it broke", [S, "error", "", "", M]),
    (
        "[Fri Nov 20 06:10:01.143456 2026] [mpm_event:notice] [pid 12:tid 139] it broke",
        [MS, "info", "mpm_event", "", M],
    ),
    ("2026/11/20 06:10:01 [crit] 29#29: *18 it broke", [S, "fatal", "", "", M]),
    ("2026/11/20 06:10:01 [emerg] 1#1: it broke", [S, "fatal", "", "", M]),
    ("2026-11-20 06:10:01.143 UTC [77] ERROR:  it broke", [MS, "error", "", "", M]),
    ("2026-11-20 06:10:01.143 CET [77] FATAL:  it broke", ["05:10:01.143", "fatal", "", "", M]),
    ("2026-11-20 06:10:01.143 -03 [77] ERROR:  it broke", ["09:10:01.143", "error", "", "", M]),
    ("2026-11-20 06:10:01 UTC [77] shop@orders ERROR:  it broke", [S, "error", "", "", M]),
    ("2026-11-20 06:10:01 UTC:10.0.0.7(35258):shop@orders:[7317]:ERROR:  it broke", [S, "error", "", "", M]),
    ("2026-11-20 06:10:01 UTC::@:[25852]:FATAL:  it broke", [S, "fatal", "", "", M]),
    (
        "2026-11-20 06:10:01 UTC [99]: [1-1] user=shop,db=orders,app=x y,client=10.0.0.7 ERROR:  it broke",
        [S, "error", "", "", M],
    ),
    ("2026-11-20 06:10:01.143 UTC [77] LOG:  it broke", [MS, "info", "", "", M]),
    ("2026-11-20T06:10:01.143456Z 12 [ERROR] [MY-010119] [Server] it broke", [MS, "error", "", "Server", M]),
    ("2026-11-20 06:10:01 12 [Warning] it broke", [S, "warn", "", "", M]),
    ("261120  6:10:01 [ERROR] it broke", [S, "error", "", "", M]),
    ("1:M 20 Nov 2026 06:10:01.143 # it broke", [MS, "warn", "", "1", M]),
    ("12:C 20 Nov 2026 06:10:01.143 * it broke", [MS, "info", "", "12", M]),
    ("7:S 20 Nov 06:10:01.143 - it broke", [MS, "debug", "", "7", M]),
    ("2026-11-20T06:10:01.143+0000 E NETWORK  [conn1] it broke", [MS, "error", "NETWORK", "conn1", M]),
    ("2026-11-20T06:10:01.143+0000 I -        [main] it broke", [MS, "info", "-", "main", M]),
    ("2026-11-20 06:10:01.143456 E | etcdserver: it broke", [MS, "error", "etcdserver", "", M]),
    (
        "[2026-11-20 06:10:01.143][12][error][config] [source/common/config.cc:1] it broke",
        [MS, "error", "", "config", M],
    ),
    (
        "2026-11-20T06:10:01.143456Z\terror\tenvoy config external/x.cc:1\tit broke",
        [MS, "error", "", "", "envoy config external/x.cc:1\tit broke"],
    ),
    (
        "[2026-11-20T06:10:01.143Z] \"GET /a HTTP/1.1\" 503 UF",
        [MS, "error", "", "", "\"GET /a HTTP/1.1\" 503"],
    ),
    ("[2026/11/20 06:10:01] [error] [output:s3:s3.0] it broke", [S, "error", "", "output:s3:s3.0", M]),
    ("[2026/11/20 06:10:01] [ warn] [engine] it broke", [S, "warn", "", "engine", M]),
    ("2026-11-20 06:10:01 +0000 [error]: #0 it broke", [S, "error", "", "", "#0 it broke"]),
    (
        "[2026-11-20T06:10:01,143][ERROR][o.e.b.Bootstrap          ] [node-1] it broke",
        [MS, "error", "o.e.b.Bootstrap", "", "[node-1] it broke"],
    ),
    (
        "[2026-11-20T06:10:01,143][WARN ][logstash.agent           ] it broke",
        [MS, "warn", "logstash.agent", "", M],
    ),
    (
        "ERROR [main] 2026-11-20 06:10:01,143 CassandraDaemon.java:12 - it broke",
        [MS, "error", "CassandraDaemon.java", "main", M],
    ),
    ("http 2026-11-20T06:10:01.143456Z app/lb 192.0.2.1:80", [MS, "unknown", "", "", "app/lb 192.0.2.1:80"]),
    ("1795155001.143     12 10.0.0.7 TCP_MISS/200", [MS, "unknown", "", "", "12 10.0.0.7 TCP_MISS/200"]),
    (
        "<Nov 20, 2026 6:10:01,143 AM UTC> <Error> <HTTP> <BEA-101017> <it broke>",
        [MS, "error", "HTTP", "", M],
    ),
    (
        "####<Nov 20, 2026 6:10:01 AM UTC> <Warning> <JDBC> <host> <srv> <[ACTIVE] x> <<WLS>> <> <> <179> <BEA-1> <it broke> ",
        [S, "warn", "JDBC", "", M],
    ),
];

#[test]
fn servers_and_databases() {
    check(SERVERS);
    for line in [
        "2026-11-20 06:10:04 UTC [99]: [2-1] user=shop,db=orders DETAIL:  Key (id)=(17) already exists.",
        "2026-11-20 06:10:01 UTC:10.0.0.7(35258):shop@orders:[7317]:STATEMENT:  UPDATE stock",
        "2026-11-20 06:10:01.143 UTC [77] HINT:  See server log",
    ] {
        assert_eq!(read(line), None, "{line}");
        assert!(text::continues(line.as_bytes()), "{line}");
    }
}

#[test]
fn the_jvm_and_dotnet() {
    let foo = "com.acme.Foo";
    check(&[
        (
            "20-Nov-2026 06:10:01.143 SEVERE [main] com.acme.Foo.start it broke",
            [MS, "error", "com.acme.Foo.start", "main", M],
        ),
        (
            "2026-11-20 06:10:01,143 ERROR [com.acme.Foo] (default task-1) it broke",
            [MS, "error", foo, "default task-1", M],
        ),
        ("06:10:01,143 INFO  [com.acme.Foo] (main) it broke", [MS, "info", foo, "main", M]),
        (
            "2026-11-20 06:10:01.143 ERROR [orders,4bf92f,00f0] 1 --- [main] com.acme.Foo : it broke",
            [MS, "error", foo, "orders,4bf92f,00f0", M],
        ),
        ("26/11/20 06:10:01 ERROR Executor: it broke", [S, "error", "Executor", "", M]),
        (
            "2026-11-20 06:10:01.143+0000 [id=12]\tSEVERE\tj.util.Foo#bar: it broke",
            [MS, "error", "j.util.Foo#bar", "id=12", M],
        ),
        (
            "[11/20/26 6:10:01:143 UTC] 0000001a Cart          E   it broke",
            [MS, "error", "Cart", "0000001a", M],
        ),
        (
            "[11/20/26 6:10:01:143 CET] 0000001a Cart          A   it broke",
            ["05:10:01.143", "info", "Cart", "0000001a", M],
        ),
        (
            "[11/20/26, 6:10:01:143 UTC] 0000001a com.acme.Foo   W   it broke",
            [MS, "warn", foo, "0000001a", M],
        ),
        (
            "[2026-11-20 06:10:01,143] ERROR it broke (kafka.server.Foo)",
            [MS, "error", "", "", "it broke (kafka.server.Foo)"],
        ),
        ("2026-11-20 06:10:01,143 [myid:1] - ERROR [main:Foo@12] - it broke", [MS, "error", "", "myid:1", M]),
        ("2026-11-20 06:10:01.143 +00:00 [ERR] it broke", [MS, "error", "", "", M]),
        ("2026-11-20 06:10:01.143 +00:00 [FTL] it broke", [MS, "fatal", "", "", M]),
        ("[06:10:01 WRN] it broke", [S, "warn", "", "", M]),
        ("[06:10:01 INF] it broke", [S, "info", "", "", M]),
        ("2026-11-20 06:10:01.1430|ERROR|Acme.Cart|it broke", [MS, "error", "Acme.Cart", "", M]),
        ("2026-11-20 06:10:01,143 [1] ERROR Acme.Cart - it broke", [MS, "error", "Acme.Cart", "", M]),
        ("fail: Acme.Orders.Cart[0]", ["", "error", "Acme.Orders.Cart", "", ""]),
        ("warn: Acme.Orders.Cart[17] it broke", ["", "warn", "Acme.Orders.Cart", "", M]),
        ("crit: Acme.Host[-1]", ["", "fatal", "Acme.Host", "", ""]),
        ("2026-11-20 06:10:01 AM ERROR it broke", [S, "error", "", "", M]),
        ("11/20/2026 6:10:01 PM ERROR it broke", ["18:10:01", "error", "", "", M]),
    ]);
}

#[test]
fn go_rust_c_and_mobile() {
    check(&[
        ("2026-11-20T06:10:01.143456Z ERROR shop::cart: it broke", [MS, "error", "shop::cart", "", M]),
        (
            "2026-11-20T06:10:01.143456Z  INFO request{id=1 user=\"x y\"}: shop::cart: it broke",
            [MS, "info", "shop::cart", "", M],
        ),
        ("[2026-11-20T06:10:01Z ERROR shop::cart] it broke", [S, "error", "shop::cart", "", M]),
        (
            "2026-11-20T06:10:01.143Z [ERROR] agent: it broke: k=v",
            [MS, "error", "agent", "", "it broke: k=v"],
        ),
        ("2026-11-20T06:10:01Z ERR it broke", [S, "error", "", "", M]),
        ("6:10AM WRN it broke", ["06:10:00", "warn", "", "", M]),
        ("[2026-11-20 06:10:01.143] [cart] [error] it broke", [MS, "error", "", "cart", M]),
        ("2026-11-20T06:10:01.143Z\tERROR\tcart\tcart/cart.go:31\tit broke", [MS, "error", "cart", "", M]),
        ("11-20 06:10:01.143  1234  5678 E Cart    : it broke", [MS, "error", "Cart", "", M]),
        ("[ERROR:flutter/lib/ui.cc(209)] it broke", ["", "error", "flutter/lib/ui.cc(209)", "", M]),
        (
            "\x1b[2m2026-11-20T06:10:01.143456Z\x1b[0m \x1b[31mERROR\x1b[0m \x1b[2mshop::cart\x1b[0m\x1b[2m:\x1b[0m it broke",
            [MS, "error", "shop::cart", "", M],
        ),
        ("\x1b[31m2026-11-20 06:10:01 ERROR it \x1b[1mbroke\x1b[0m", [S, "error", "", "", M]),
        ("\x1b[32minfo\x1b[39m: it broke", ["", "info", "", "", M]),
        ("\x1b[31mlevel=error\x1b[0m msg=\"it broke\" x=1", ["", "error", "", "", M]),
        (
            "2026-11-20T06:10:01.143Z\te6ffdb72-1be8-4e9d-90f4-b66850933570\tERROR\tit broke",
            [MS, "error", "", "e6ffdb72-1be8-4e9d-90f4-b66850933570", M],
        ),
        (
            "[ERROR]\t2026-11-20T06:10:01.143Z\te6ffdb72-1be8-4e9d-90f4-b66850933570\tit broke",
            [MS, "error", "", "e6ffdb72-1be8-4e9d-90f4-b66850933570", M],
        ),
        (
            "2026-11-20T06:10:01.143Z e6ffdb72-1be8-4e9d-90f4-b66850933570 Task timed out after 3.00 seconds",
            [MS, "error", "", "e6ffdb72-1be8-4e9d-90f4-b66850933570", "Task timed out after 3.00 seconds"],
        ),
    ]);
}

#[test]
fn syslog() {
    check(&[
        ("Nov 20 06:10:01 host sshd[77]: it broke", [S, "unknown", "sshd", "77", M]),
        ("Nov 20 06:10:01 host app: it broke", [S, "unknown", "app", "", M]),
        ("Nov 20 06:10:01 host kernel: [12345.678901] it broke", [S, "unknown", "kernel", "", M]),
        ("<11>Nov 20 06:10:01 host app: it broke", [S, "error", "app", "", M]),
        ("<11>Nov 20 06:10:01 host app[7]: it broke", [S, "error", "app", "7", M]),
        ("<4>it broke", ["", "warn", "", "", M]),
        ("<165>1 2026-11-20T06:10:01.143Z host app 77 ID47 - it broke", [MS, "info", "app", "77", M]),
        (
            r#"<11>1 2026-11-20T06:10:01.143Z host app - ID47 [a@1 b="]\"" c="\]"][d@2] it broke"#,
            [MS, "error", "app", "", M],
        ),
        ("<14>Nov 20 06:10:01 host app[7]: ERROR it broke", [S, "error", "app", "7", M]),
        ("Nov 20 06:10:01 host app[7]: level=error msg=\"it broke\"", [S, "error", "app", "7", M]),
        ("2026-11-20T06:10:01.143456+00:00 host app[7]: it broke", [MS, "unknown", "app", "7", M]),
        ("2026-11-20T06:10:01.143456+00:00 heroku[router]: it broke", [MS, "unknown", "heroku", "router", M]),
    ]);
}

#[test]
fn prose_behind_a_time_is_no_level() {
    check(&[
        ("2026-11-20 06:10:01 error rate is 0 %", [S, "unknown", "", "", "error rate is 0 %"]),
        (
            "2026-11-20 06:10:01 Warning signs were ignored",
            [S, "unknown", "", "", "Warning signs were ignored"],
        ),
        ("2026-11-20 06:10:01 info@acme.com wrote", [S, "unknown", "", "", "info@acme.com wrote"]),
        ("2026-11-20 06:10:01 fatal flaw, error: none", [S, "unknown", "", "", "fatal flaw, error: none"]),
        ("2026-11-20 06:10:01 no error", [S, "unknown", "", "", "no error"]),
        ("2026-11-20 06:10:01 -10 items left", [S, "unknown", "", "", "-10 items left"]),
        ("2026-11-20 06:10:01 error    it broke", [S, "error", "", "", M]),
    ]);
}

#[test]
fn dates_in_every_order() {
    for date in [
        "20-11-2026 06:10:01",
        "20.11.2026 06:10:01",
        "20/11/2026 06:10:01",
        "11/20/2026 06:10:01",
        "20 Nov 2026 06:10:01",
        "20-Nov-2026 06:10:01",
        "20/Nov/2026:06:10:01 +0000",
        "Nov 20, 2026 6:10:01 AM",
        "Fri Nov 20 06:10:01 UTC 2026",
        "Fri Nov 20 06:10:01 2026",
        "Fri, 20 Nov 2026 06:10:01 GMT",
        "11/20/2026, 6:10:01 AM",
        "2026-11-20 06:10:01 AM",
        "November 20, 2026 at 6:10:01 AM",
        "2026.11.20 06:10:01",
        "20261120 06:10:01",
        "2026-11-20\t06:10:01",
        "20 November 2026 06:10:01",
        "11/20/26 6:10:01",
        "2026-11-20 01:10:01 EST",
        "2026-11-20 07:10:01 CET",
        "2026-11-20 03:10:01 -03",
        "Nov 20 06:10:01",
        "2026-11-20T06:10:01+00:00",
        "06:10:01",
        "Fri Nov 20 2026 06:10:01 GMT+0000",
    ] {
        let line = format!("{date} ERROR it broke");
        assert_eq!(
            read(&line).map(|read| [read[0].clone(), read[4].clone()]),
            Some([S.into(), M.into()]),
            "{line}"
        );
        let bracketed = format!("[{date}] ERROR it broke");
        assert_eq!(read(&bracketed).map(|read| read[0].clone()), Some(S.into()), "{bracketed}");
    }
}

#[test]
fn a_line_that_repeats_a_head_is_read_once() {
    let names = Names::new(&FieldNames::default());
    for head in [
        "Nov 20 06:10:01 h a: ",
        "<11>",
        "level=error ",
        "[",
        "\x1b[31m",
        "E, [",
        "a=\"",
        "[error] ",
        "{x=1} ",
    ] {
        let line = head.repeat(1 << 20 >> 3);
        let read = text::event(line.as_bytes(), &names, &mut clock());
        assert!(read.is_none_or(|event| event.level <= Level::Fatal), "{head}");
    }
}
