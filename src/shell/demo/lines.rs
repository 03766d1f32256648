//! Made-up log lines of a Java service, as FluentD ships them: JSON with `@timestamp`, `logLevel`,
//! `logClass`, `thread` and `origLogEntry`.

use std::fmt::Write as _;

use super::random::Random;
use gzette_core::model::{Level, UtcMs};

/// An error that the made-up services write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErrorKind {
    /// The class that logs it.
    pub class: &'static str,
    /// The message, with placeholders: see `fill`.
    pub message: &'static str,
    /// The exceptions, outermost first, each with its message; empty for an error without a trace.
    pub exceptions: &'static [(&'static str, &'static str)],
    /// The service's own methods, innermost first.
    pub frames: &'static [&'static str],
}

const INFO: [(&str, &str); 10] = [
    (
        "com.acme.orders.OrderService",
        "order ~ accepted for customer # total=#.## EUR items=# requestId=@ in # ms",
    ),
    (
        "com.acme.web.AccessLog",
        "POST /api/v2/orders/~/items 201 # ms requestId=@ agent=\\\"acme-app/4.# (android)\\\" bytes=#",
    ),
    (
        "com.acme.payments.ChargeWorker",
        "charge ~ authorised by provider=adyen reference=& amount=#.## EUR attempt=1 requestId=@",
    ),
    ("com.acme.catalog.PriceCache", "refreshed # prices for site=# from pricing-engine in # ms (etag @)"),
    (
        "com.acme.inventory.StockSync",
        "stock level of sku=# at warehouse=# changed from # to # by event & requestId=@",
    ),
    (
        "com.acme.auth.SessionFilter",
        "session opened for user # from %: method=password factor=totp requestId=@",
    ),
    ("com.acme.mail.Dispatcher", "mail ~ queued template=order-confirmation locale=de_DE size=# requestId=@"),
    (
        "com.acme.batch.Exporter",
        "exported # rows to s3://acme-exports/daily/part-#.parquet checksum=@ in # ms",
    ),
    (
        "com.acme.web.AccessLog",
        "GET /api/v2/products/#?currency=EUR&site=# 200 # ms requestId=@ cache=HIT upstream=%",
    ),
    (
        "com.acme.messaging.Consumer",
        "consumed message & from topic orders.events partition=# offset=~ lag=# requestId=@",
    ),
];

const WARN: [(&str, &str); 4] = [
    (
        "com.zaxxer.hikari.pool.HikariPool",
        "HikariPool-1 - thread starvation or clock leap detected (housekeeper delta=#s)",
    ),
    (
        "com.acme.payments.ProviderClient",
        "provider answered slowly: # ms for charge ~ requestId=@, will retry",
    ),
    (
        "com.acme.inventory.StockSync",
        "event & for sku=# arrived out of order, expected version # requestId=@",
    ),
    ("com.acme.web.RateLimiter", "client % exceeded # requests per minute, answered 429 requestId=@"),
];

const VENDOR_FRAMES: [&str; 24] = [
    "org.springframework.aop.framework.ReflectiveMethodInvocation.proceed(ReflectiveMethodInvocation.java:184)",
    "org.springframework.transaction.interceptor.TransactionInterceptor.invoke(TransactionInterceptor.java:119)",
    "org.springframework.aop.framework.CglibAopProxy$DynamicAdvisedInterceptor.intercept(CglibAopProxy.java:720)",
    "org.springframework.web.method.support.InvocableHandlerMethod.doInvoke(InvocableHandlerMethod.java:255)",
    "org.springframework.web.servlet.mvc.method.annotation.RequestMappingHandlerAdapter.handleInternal(RequestMappingHandlerAdapter.java:926)",
    "org.springframework.web.servlet.DispatcherServlet.doDispatch(DispatcherServlet.java:1089)",
    "org.springframework.web.servlet.FrameworkServlet.processRequest(FrameworkServlet.java:1014)",
    "jakarta.servlet.http.HttpServlet.service(HttpServlet.java:590)",
    "org.apache.catalina.core.ApplicationFilterChain.internalDoFilter(ApplicationFilterChain.java:205)",
    "org.apache.catalina.core.StandardWrapperValve.invoke(StandardWrapperValve.java:167)",
    "org.apache.catalina.authenticator.AuthenticatorBase.invoke(AuthenticatorBase.java:482)",
    "org.apache.catalina.valves.ErrorReportValve.invoke(ErrorReportValve.java:93)",
    "org.apache.coyote.http11.Http11Processor.service(Http11Processor.java:391)",
    "org.apache.tomcat.util.net.NioEndpoint$SocketProcessor.doRun(NioEndpoint.java:1744)",
    "org.apache.tomcat.util.threads.ThreadPoolExecutor$Worker.run(ThreadPoolExecutor.java:659)",
    "org.hibernate.internal.SessionImpl.fireMerge(SessionImpl.java:829)",
    "org.hibernate.engine.jdbc.internal.ResultSetReturnImpl.extract(ResultSetReturnImpl.java:57)",
    "com.zaxxer.hikari.pool.ProxyPreparedStatement.executeQuery(ProxyPreparedStatement.java:52)",
    "io.netty.channel.AbstractChannelHandlerContext.invokeChannelRead(AbstractChannelHandlerContext.java:444)",
    "io.netty.channel.nio.NioEventLoop.processSelectedKey(NioEventLoop.java:788)",
    "java.base/jdk.internal.reflect.DirectMethodHandleAccessor.invoke(DirectMethodHandleAccessor.java:103)",
    "java.base/java.util.concurrent.FutureTask.run(FutureTask.java:317)",
    "java.base/java.util.concurrent.ThreadPoolExecutor.runWorker(ThreadPoolExecutor.java:1144)",
    "java.base/java.lang.Thread.run(Thread.java:1583)",
];

/// The errors, by name in [`super`].
pub const ERRORS: [ErrorKind; 14] = [
    ErrorKind {
        class: "com.acme.payments.ProviderClient",
        message: "Failed to charge order ~ after # ms, requestId=@",
        exceptions: &[
            ("com.acme.payments.ChargeException", "payment provider timed out after # ms"),
            ("java.net.SocketTimeoutException", "Read timed out"),
        ],
        frames: &[
            "com.acme.payments.ProviderClient.charge",
            "com.acme.payments.ChargeWorker.process",
            "com.acme.payments.ChargeWorker.run",
        ],
    },
    ErrorKind {
        class: "com.acme.checkout.BasketController",
        message: "Unexpected error while serving requestId=@",
        exceptions: &[(
            "java.lang.NullPointerException",
            "Cannot invoke \\\"Basket.items()\\\" because \\\"basket\\\" is null",
        )],
        frames: &[
            "com.acme.checkout.BasketController.addItem",
            "com.acme.checkout.BasketController.lambda$submit$3",
        ],
    },
    ErrorKind {
        class: "com.acme.inventory.StockRepository",
        message: "Could not write stock level of sku=#",
        exceptions: &[
            (
                "org.springframework.dao.DeadlockLoserDataAccessException",
                "PreparedStatementCallback; SQL [update stock set level = ? where sku = ?]; deadlock detected",
            ),
            (
                "org.postgresql.util.PSQLException",
                "ERROR: deadlock detected\\n  Detail: Process # waits for ShareLock on transaction #",
            ),
        ],
        frames: &["com.acme.inventory.StockRepository.update", "com.acme.inventory.StockSync.apply"],
    },
    ErrorKind {
        class: "com.acme.catalog.PricingClient",
        message: "Price lookup failed for sku=# requestId=@",
        exceptions: &[(
            "org.springframework.web.client.HttpServerErrorException$ServiceUnavailable",
            "503 Service Unavailable: \\\"pricing-engine\\\"",
        )],
        frames: &["com.acme.catalog.PricingClient.lookup", "com.acme.catalog.PriceCache.refresh"],
    },
    ErrorKind {
        class: "com.acme.orders.OrderRepository",
        message: "Order ~ was updated by another transaction",
        exceptions: &[(
            "jakarta.persistence.OptimisticLockException",
            "Row was updated or deleted by another transaction: [com.acme.orders.Order#~]",
        )],
        frames: &["com.acme.orders.OrderRepository.save", "com.acme.orders.OrderService.confirm"],
    },
    ErrorKind {
        class: "com.acme.auth.TokenFilter",
        message: "Access denied for user # from %: token expired at #",
        exceptions: &[],
        frames: &[],
    },
    ErrorKind {
        class: "com.acme.checkout.AddressMapper",
        message: "Could not read request body, requestId=@",
        exceptions: &[(
            "com.fasterxml.jackson.core.JsonParseException",
            "Unexpected character (',' (code 44)): expected a value at [line: #, column: #]",
        )],
        frames: &["com.acme.checkout.AddressMapper.read", "com.acme.checkout.CheckoutController.submit"],
    },
    ErrorKind {
        class: "com.acme.inventory.WarehouseClient",
        message: "Warehouse # is not reachable",
        exceptions: &[
            ("java.util.concurrent.CompletionException", "java.net.ConnectException: Connection refused"),
            ("java.net.ConnectException", "Connection refused: %:8443"),
        ],
        frames: &["com.acme.inventory.WarehouseClient.fetch", "com.acme.inventory.StockSync.pull"],
    },
    ErrorKind {
        class: "com.acme.orders.InvoiceService",
        message: "Invoice ~ cannot be cancelled",
        exceptions: &[("java.lang.IllegalStateException", "invoice # is in state CLOSED")],
        frames: &["com.acme.orders.InvoiceService.cancel", "com.acme.orders.InvoiceController.delete"],
    },
    ErrorKind {
        class: "com.acme.mail.Dispatcher",
        message: "Mail ~ was rejected: 550 5.1.1 mailbox unavailable",
        exceptions: &[],
        frames: &[],
    },
    ErrorKind {
        class: "com.acme.payments.Ledger",
        message: "Duplicate booking for charge ~: ORA-00001: unique constraint (PAY.BOOKING_UK) violated",
        exceptions: &[(
            "java.sql.SQLIntegrityConstraintViolationException",
            "ORA-00001: unique constraint (PAY.BOOKING_UK) violated",
        )],
        frames: &["com.acme.payments.Ledger.book", "com.acme.payments.ChargeWorker.process"],
    },
    ErrorKind {
        class: "com.acme.catalog.ImageResizer",
        message: "Could not resize image #.png",
        exceptions: &[("java.lang.OutOfMemoryError", "Java heap space")],
        frames: &["com.acme.catalog.ImageResizer.scale", "com.acme.catalog.ImageJob.run"],
    },
    ErrorKind {
        class: "com.acme.checkout.VoucherService",
        message: "Voucher service answered 502 for voucher # after # ms",
        exceptions: &[],
        frames: &[],
    },
    ErrorKind {
        class: "com.acme.web.FormController",
        message: "Rejected comment <script>alert(document.cookie)</script> \\u001b[31m from %\\r\\nSet-Cookie: admin=1",
        exceptions: &[],
        frames: &[],
    },
];

/// Writes one line into `out`, with its newline.
pub fn write_info(out: &mut String, random: &mut Random, time_ms: UtcMs) {
    let (level, (class, message)) = match random.below(100) {
        0..4 => (Level::Warn, WARN[random.below(WARN.len() as u64) as usize]),
        4..14 => (Level::Debug, INFO[random.below(INFO.len() as u64) as usize]),
        _ => (Level::Info, INFO[random.below(INFO.len() as u64) as usize]),
    };
    begin(out, random, time_ms, level, class);
    fill(out, random, message);
    out.push_str("\"}\n");
}

/// Writes one error line into `out`, its trace about `trace_bytes` long if it has one.
pub fn write_error(
    out: &mut String,
    random: &mut Random,
    time_ms: UtcMs,
    kind: &ErrorKind,
    trace_bytes: usize,
) {
    begin(out, random, time_ms, Level::Error, kind.class);
    fill(out, random, kind.message);
    let start = out.len();
    for (place, &(exception, message)) in kind.exceptions.iter().enumerate() {
        out.push_str(if place == 0 { "\\n" } else { "\\nCaused by: " });
        let _ = write!(out, "{exception}: ");
        fill(out, random, message);
        for (line, frame) in kind.frames.iter().enumerate() {
            let file = frame.rsplit('.').nth(1).unwrap_or("Main");
            let _ = write!(out, "\\n\\tat {frame}({file}.java:{})", 40 + 17 * line + 3 * place);
        }
        let share = trace_bytes * (place + 1) / kind.exceptions.len();
        let mut vendor = 0;
        while out.len() - start < share {
            let _ = write!(out, "\\n\\tat {}", VENDOR_FRAMES[vendor % VENDOR_FRAMES.len()]);
            vendor += 1;
        }
        if place > 0 {
            let _ = write!(out, "\\n\\t... {} more", kind.frames.len() + 20);
        }
    }
    out.push_str("\"}\n");
}

fn begin(out: &mut String, random: &mut Random, time_ms: UtcMs, level: Level, class: &str) {
    out.push_str("{\"@timestamp\":\"");
    write_stamp(out, time_ms);
    let level = level.name().to_ascii_uppercase();
    let thread = random.below(32) + 1;
    let _ = write!(
        out,
        "\",\"logLevel\":\"{level}\",\"logClass\":\"{class}\",\"thread\":\"http-nio-8080-exec-{thread}\",\"origLogEntry\":\""
    );
}

/// Writes a stamp without a zone, in UTC, as the services' logging does.
fn write_stamp(out: &mut String, time_ms: UtcMs) {
    let Some(time) = time_ms.stamp() else { return };
    let _ = write!(out, "{}", time.strftime("%Y-%m-%d %H:%M:%S.%3f"));
}

/// Writes a message, each placeholder replaced: `#` a number of up to 4 digits, `~` one of 8 digits, `@` 16 hex
/// digits, `&` a UUID, `%` an address.
fn fill(out: &mut String, random: &mut Random, message: &str) {
    for character in message.chars() {
        let bits = random.bits();
        let _ = match character {
            '#' => write!(out, "{}", bits % 10_u64.pow(1 + (bits >> 60) as u32 % 4)),
            '~' => write!(out, "{}", 10_000_000 + bits % 90_000_000),
            '@' => write!(out, "{bits:016x}"),
            '&' => {
                let more = random.bits();
                write!(
                    out,
                    "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                    bits >> 32,
                    bits >> 16 & 0xffff,
                    bits & 0xfff,
                    more >> 52,
                    more & 0xffff_ffff_ffff
                )
            }
            '%' => write!(out, "10.{}.{}.{}", bits >> 8 & 3, bits >> 16 & 0xff, bits >> 24 & 0xff),
            other => {
                out.push(other);
                Ok(())
            }
        };
    }
}
