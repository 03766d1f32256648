//! One trace of each language, and what of it decides.

use super::{FramePrefixes, GroupSettings, group, group_with};

/// The key of a trace, without its hash.
fn key(text: &str) -> String {
    group("it failed", Some(text)).template
}

const JAVA: &str = "com.acme.pay.ChargeException: provider timed out after 500 ms
\tat com.acme.pay.Client.charge(Client.java:40)
\tat com.acme.pay.Client$$SpringCGLIB$$0.charge(<generated>)
\tat org.springframework.aop.Proxy.invoke(Proxy.java:1)
\tat app//com.acme.pay.Worker.lambda$run$3(Worker.java:8)
\tSuppressed: java.io.IOException: close
\t\tat com.acme.pay.Client.close(Client.java:4)
\tCaused by: java.io.EOFException
\t\tat com.acme.pay.Client.flush(Client.java:4)
Caused by: java.net.SocketTimeoutException: Read timed out
\tat java.base/java.net.Socket.read(Socket.java:99)
\tat com.acme.pay.Http.get(Http.java:7)
\tat com.acme.pay.Client.charge(Client.java:38)
\t... 2 more";

#[test]
fn java() {
    let expected = "com.acme.pay.ChargeException\n  at com.acme.pay.Client.charge\n  at com.acme.pay.Worker.lambda$run$\n\
        java.net.SocketTimeoutException\n  at com.acme.pay.Http.get";
    assert_eq!(key(JAVA), expected);
    for (from, to) in [
        ("\t... 2 more", "\tat com.acme.pay.Worker.lambda$run$3(Worker.java:8)"),
        ("\t... 2 more", "\t... 2 common frames omitted"),
        ("\n\t... 2 more", ""),
        ("\n\tat com.acme.pay.Client.charge(Client.java:38)\n\t... 2 more", ""),
        ("Client$$SpringCGLIB$$0", "Client$$EnhancerBySpringCGLIB$$1a2b3c"),
        ("com.acme.pay.ChargeException: p", "Exception in thread \"pool-1\" com.acme.pay.ChargeException: p"),
        (":40)", ":41)"),
    ] {
        assert!(JAVA.contains(from));
        assert_eq!(key(&JAVA.replace(from, to)), expected, "{from} -> {to}");
    }
    let cut = JAVA.find("etTimeoutException").unwrap();
    let without_root = expected.split("\njava.net").next().unwrap();
    assert_eq!(key(&JAVA[..cut]), without_root, "a type that may be cut does not count");
}

#[test]
fn scala_and_kotlin() {
    let trace = "java.lang.IllegalStateException: closed
\tat com.acme.Shop.$anonfun$load$2$adapted(Shop.scala:4)
\tat com.acme.OrderService$load$14.invokeSuspend(OrderService.kt:9)
\tat _COROUTINE._BOUNDARY._(CoroutineDebugging.kt:46)
\tat kotlinx.coroutines.DispatchedTask.run(DispatchedTask.kt:108)
\tat com.acme.Main$$Lambda/0x00007f01.run(Unknown Source)";
    assert_eq!(
        key(trace),
        "java.lang.IllegalStateException\n  at com.acme.Shop.$anonfun$load$$adapted\n  at com.acme.OrderService$load$.invokeSuspend"
    );
}

const PYTHON: &str = "Traceback (most recent call last):
  File \"/app/orders.py\", line 42, in book
    charge(order)
  File \"/usr/lib/python3.11/site-packages/httpx/_client.py\", line 900, in send
    raise exc
KeyError: 'id'

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File \"/app/main.py\", line 7, in <module>
    main()
  File \"/app/orders.py\", line 44, in run
    raise acme.BookingError(\"no\") from error
acme.BookingError: order 4711 failed
";

#[test]
fn python() {
    let expected =
        "acme.BookingError\n  at orders.py:run\n  at main.py:<module>\nKeyError\n  at orders.py:book";
    assert_eq!(key(PYTHON), expected);
    let elsewhere = PYTHON.replace("/app/", "/srv/releases/7/").replace("line 44", "line 45");
    assert_eq!(key(&elsewhere), expected);
    let indented = format!("    {}", PYTHON.trim_end().replace('\n', "\n    "));
    assert_eq!(key(&indented), expected);
    assert_eq!(group("x", Some(PYTHON)).title, "BookingError: order <*> failed");
}

#[test]
fn javascript() {
    let trace = "TypeError [ERR_X]: Cannot read properties of undefined (reading 'id')
    at charge (/app/dist/orders.js:10:15)
    at async OrderService.book (file:///app/dist/main.4f3a2b1c9d.js:22:3)
    at new Order (/app/node_modules/orm/index.js:1:2)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)
    at async Promise.all (index 0)
    at /app/dist/server.js:5:1 {
  [cause]: Error: socket hang up
      at connect [as open] (/app/dist/net.js:1:1)
}";
    let trace = trace.replace("5:1 {", "5:1");
    let expected = "TypeError\n  at orders.js:charge\n  at main.js:OrderService.book\n  at server.js:<anonymous>\nError\n  at net.js:connect";
    assert_eq!(key(&trace), expected);
    assert_eq!(key(&trace.replace(":10:15", ":11:1").replace("4f3a2b1c9d", "00aa11bb22")), expected);
}

#[test]
fn go() {
    let trace = "panic: runtime error: index out of range [5] with length 3 [recovered]
\tpanic: again

goroutine 18 [running]:
panic({0x4c1, 0xc0})
\t/usr/local/go/src/runtime/panic.go:884 +0x213
main.(*Server).handle(0xc000010000, {0x1, 0x2})
\t/src/app/server.go:88 +0x1d
github.com/gin-gonic/gin.(*Context).Next(...)
\t/root/go/pkg/mod/github.com/gin-gonic/gin@v1.9.1/context.go:174
main.run.func1.2()
\t/src/app/main.go:12 +0x1
created by main.main in goroutine 1
\t/src/app/main.go:10 +0x2

goroutine 1 [select]:
main.wait()
\t/src/app/wait.go:1 +0x1";
    let expected = "panic: runtime error: index out of range <*> with length <*>\n  at main.(*Server).handle\n  at main.run.func";
    assert_eq!(key(trace), expected);
    assert_eq!(
        key(&trace.replace("[5]", "[17]").replace(":88", ":90").replace("func1.2", "func4")),
        expected
    );
    let logged = "main.load\n\t/src/app/load.go:7\nmain.main\n\t/src/app/main.go:3";
    assert_eq!(key(logged), "it failed\n  at main.load\n  at main.main");
}

#[test]
fn rust() {
    let trace = "thread 'main' panicked at src/main.rs:4:5:
index out of bounds: the len is 3 but the index is 99
stack backtrace:
   0: rust_begin_unwind
             at /rustc/07dca489ac2d933c78d3c5158e3f43beefeb02ce/library/std/src/panicking.rs:645:5
   1: core::panicking::panic_fmt
   2: 0x55d7 - app::load::h0123456789abcdef
             at ./src/load.rs:4:5
   3: app::main
   4: main";
    let expected =
        "panic: index out of bounds: the len is <*> but the index is <*>\n  at app::load\n  at app::main";
    assert_eq!(key(trace), expected);
    let before = trace.replace(
        "src/main.rs:4:5:\nindex out of bounds: the len is 3 but the index is 99",
        "'index out of bounds: the len is 7 but the index is 8', src/main.rs:9:9",
    );
    assert_eq!(key(&before), expected);
    let alone = group("thread 'main' panicked at src/main.rs:4:5:\nno 7", None);
    assert_eq!(alone.id, group("thread 'w-2' panicked at src/main.rs:5:5:\nno 8", None).id);
}

#[test]
fn dot_net() {
    let trace = "System.InvalidOperationException: outer 7
 ---> System.ArgumentException: inner
   at Acme.Http.Get(String url) in C:\\src\\Http.cs:line 42
   at System.Net.Send(Int32 n)
   --- End of inner exception stack trace ---
   at Acme.Orders.<BookAsync>d__5.MoveNext() in /src/Orders.cs:line 7
--- End of stack trace from previous location ---
   at Acme.Program.<>c__DisplayClass3_0.<Main>b__1(Object o)";
    let expected = "System.InvalidOperationException\n  at Acme.Orders.<BookAsync>d\n  at Acme.Program.<>c__DisplayClass.<Main>b\n\
        System.ArgumentException\n  at Acme.Http.Get";
    assert_eq!(key(trace), expected);
    let one_line = trace.replace("7\n --->", "8 --->").replace("line 42", "line 43").replace("d__5", "d__11");
    assert_eq!(key(&format!("Unhandled exception. {one_line}")), expected);
}

#[test]
fn whose_frames_are_own_can_be_said() {
    let trace = "a.X: y\n\tat org.apache.acme.Job.run(J.java:1)\n\tat com.acme.base.Retry.call(R.java:2)\n\tat com.acme.Main.main(M.java:3)";
    let prefixes = FramePrefixes {
        own: vec!["org.apache.acme.".to_owned()],
        foreign: vec!["com.acme.base.".to_owned()],
    };
    let settings = GroupSettings { frames: prefixes, ..GroupSettings::default() };
    let said = group_with("x", Some(trace), &settings).template;
    assert_eq!(said, "a.X\n  at org.apache.acme.Job.run\n  at com.acme.Main.main");
}

#[test]
fn prose_is_no_trace() {
    for text in
        ["failed\nat home (really)", "stopped\nat 12:30:05 sharp", "see\n... 5 more", "a.go: b\nno frames"]
    {
        assert_eq!(group(text, None).kind.name(), "message", "{text}");
    }
}
