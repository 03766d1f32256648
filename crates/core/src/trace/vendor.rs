//! Whose frames are not the application's own: frameworks, libraries and runtimes, by language. Changing a list
//! changes group ids: raise [`crate::group::VERSION`].

use std::sync::OnceLock;

use super::{Frame, Language, beam, jvm};

/// What frames of a language that are not the application's own look like.
struct Vendor {
    /// What their names begin with.
    names: Prefixes,
    /// What their files' paths hold.
    paths: &'static [&'static str],
    /// The applications that they are of, where frames name one.
    applications: &'static [&'static str],
}

/// Prefixes, found by their first byte: each frame of each trace asks.
struct Prefixes {
    all: &'static [&'static str],
    by_first: OnceLock<Vec<Vec<&'static str>>>,
}

impl Prefixes {
    const fn new(all: &'static [&'static str]) -> Self {
        Self { all, by_first: OnceLock::new() }
    }

    /// Whether a name begins with one of them.
    fn begin(&self, name: &str) -> bool {
        let Some(&first) = name.as_bytes().first() else { return false };
        let by_first = self.by_first.get_or_init(|| self.sorted());
        by_first[usize::from(first)].iter().any(|prefix| name.starts_with(prefix))
    }

    fn sorted(&self) -> Vec<Vec<&'static str>> {
        let begins = |first: u8| move |prefix: &&&str| prefix.as_bytes().first() == Some(&first);
        (0..=u8::MAX).map(|first| self.all.iter().filter(begins(first)).copied().collect()).collect()
    }
}

static JVM: Vendor = Vendor {
    names: Prefixes::new(&[
        "java.",
        "javax.",
        "jakarta.",
        "jdk.",
        "sun.",
        "com.sun.",
        "kotlin.",
        "kotlinx.",
        "_COROUTINE.",
        "scala.",
        "akka.",
        "org.apache.",
        "org.springframework.",
        "org.hibernate.",
        "org.eclipse.",
        "org.jboss.",
        "org.wildfly.",
        "org.postgresql.",
        "org.mariadb.",
        "org.h2.",
        "org.slf4j.",
        "org.aspectj.",
        "org.junit.",
        "org.mockito.",
        "org.quartz.",
        "org.glassfish.",
        "org.codehaus.",
        "org.mongodb.",
        "org.elasticsearch.",
        "org.redisson.",
        "org.flywaydb.",
        "org.jooq.",
        "org.thymeleaf.",
        "org.xnio.",
        "ch.qos.logback.",
        "com.zaxxer.hikari.",
        "com.fasterxml.",
        "com.google.common.",
        "com.google.gson.",
        "com.google.inject.",
        "com.google.protobuf.",
        "com.mysql.",
        "com.mongodb.",
        "com.netflix.",
        "com.amazonaws.",
        "com.github.benmanes.caffeine.",
        "com.microsoft.sqlserver.",
        "software.amazon.",
        "io.netty.",
        "io.grpc.",
        "io.micrometer.",
        "io.opentelemetry.",
        "io.reactivex.",
        "io.undertow.",
        "io.vertx.",
        "io.quarkus.",
        "io.micronaut.",
        "io.lettuce.",
        "io.ktor.",
        "io.github.resilience4j.",
        "okhttp3.",
        "okio.",
        "retrofit2.",
        "feign.",
        "reactor.",
        "play.",
        "cats.",
        "zio.",
        "groovy.",
        "clojure.",
        "ring.",
        "org.codehaus.groovy.",
        "net.sf.cglib.",
        "javassist.",
        "com.squareup.",
        "android.",
        "androidx.",
        "dalvik.",
        "LambdaForm$",
        "oracle.",
        "net.bytebuddy.",
        "$Proxy",
    ]),
    paths: &[],
    applications: &[],
};

static DOT_NET: Vendor = Vendor {
    names: Prefixes::new(&[
        "System.",
        "Microsoft.",
        "Newtonsoft.",
        "Npgsql.",
        "MySql.",
        "Oracle.",
        "MongoDB.",
        "StackExchange.",
        "Serilog.",
        "NLog.",
        "log4net.",
        "Polly.",
        "MediatR.",
        "AutoMapper.",
        "Autofac.",
        "Castle.",
        "Dapper.",
        "Grpc.",
        "Google.",
        "Amazon.",
        "Azure.",
        "MassTransit.",
        "Hangfire.",
        "Quartz.",
        "RabbitMQ.",
        "Xunit.",
        "NUnit.",
    ]),
    paths: &[],
    applications: &[],
};

static JAVASCRIPT: Vendor = Vendor {
    names: Prefixes::new(&[]),
    paths: &["node_modules/", "node_modules\\", "node:", "internal/", "webpack/", "<anonymous>"],
    applications: &[],
};

static PYTHON: Vendor = Vendor {
    names: Prefixes::new(&[]),
    paths: &["site-packages/", "dist-packages/", "/lib/python", "site-packages\\", "\\Lib\\", "<frozen "],
    applications: &[],
};

static GO: Vendor = Vendor {
    names: Prefixes::new(&[
        "panic",
        "runtime.",
        "runtime/",
        "net/",
        "net.",
        "reflect.",
        "testing.",
        "sync.",
        "encoding/",
        "database/",
        "golang.org/x/",
        "google.golang.org/",
        "go.uber.org/",
        "github.com/gin-gonic/",
        "github.com/labstack/",
        "github.com/gorilla/",
        "github.com/go-chi/",
        "github.com/sirupsen/",
        "github.com/jackc/",
        "gorm.io/",
        "github.com/pkg/errors",
        "github.com/spf13/",
    ]),
    paths: &["/usr/local/go/src/", "/usr/lib/go", "/pkg/mod/", "/vendor/"],
    applications: &[],
};

static RUST: Vendor = Vendor {
    names: Prefixes::new(&[
        "std::",
        "core::",
        "alloc::",
        "tokio::",
        "futures",
        "hyper::",
        "axum::",
        "actix",
        "tower",
        "rayon",
        "tracing",
        "anyhow::",
        "backtrace::",
        "eyre::",
        "__rustc::",
        "async_std::",
        "h2::",
        "mio::",
        "reqwest::",
        "rocket::",
        "serde",
        "sqlx",
        "diesel::",
        "test::",
        "tonic::",
        "warp::",
    ]),
    paths: &[],
    applications: &[],
};

static RUBY: Vendor = Vendor {
    names: Prefixes::new(&[]),
    paths: &["/gems/", "/lib/ruby/", "<internal:", "/rubygems", "/vendor/bundle/", "/vendor_ruby/"],
    applications: &[],
};

static PHP: Vendor = Vendor {
    names: Prefixes::new(&[
        "Illuminate\\",
        "Laravel\\",
        "Symfony\\",
        "Doctrine\\",
        "GuzzleHttp\\",
        "Monolog\\",
        "Psr\\",
        "Slim\\",
        "Twig\\",
        "League\\",
        "PHPUnit\\",
        "Composer\\",
        "Predis\\",
        "Swoole\\",
        "React\\",
        "Amp\\",
        "yii\\",
        "Cake\\",
        "Zend\\",
        "Laminas\\",
        "PDO->",
        "PDOStatement->",
        "mysqli",
        "Redis->",
        "Closure->",
        "ReflectionMethod->",
        "SoapClient->",
    ]),
    paths: &["/vendor/", "[internal function]"],
    applications: &[],
};

static ELIXIR: Vendor = Vendor {
    names: Prefixes::new(&[]),
    paths: &["/deps/", "deps/"],
    applications: &[
        "elixir",
        "stdlib",
        "kernel",
        "erts",
        "compiler",
        "crypto",
        "ssl",
        "inets",
        "logger",
        "mix",
        "iex",
        "ex_unit",
        "eex",
        "phoenix",
        "phoenix_html",
        "phoenix_live_view",
        "phoenix_pubsub",
        "phoenix_ecto",
        "plug",
        "plug_cowboy",
        "plug_crypto",
        "cowboy",
        "cowlib",
        "ranch",
        "bandit",
        "thousand_island",
        "ecto",
        "ecto_sql",
        "db_connection",
        "postgrex",
        "myxql",
        "oban",
        "broadway",
        "gen_stage",
        "absinthe",
        "absinthe_plug",
        "jason",
        "poison",
        "tesla",
        "hackney",
        "finch",
        "mint",
        "req",
        "httpoison",
        "telemetry",
        "poolboy",
        "nimble_pool",
        "redix",
        "amqp",
        "grpc",
        "sentry",
    ],
};

static ERLANG: Vendor = Vendor {
    names: Prefixes::new(&[
        "gen_server",
        "gen_statem",
        "gen_event",
        "gen_fsm",
        "gen:",
        "gen,",
        "proc_lib",
        "supervisor",
        "application",
        "erlang:",
        "erlang,",
        "lists:",
        "lists,",
        "maps:",
        "maps,",
        "ets:",
        "ets,",
        "timer:",
        "timer,",
        "file:",
        "file,",
        "io:",
        "io,",
        "erl_eval",
        "escript:",
        "init:",
        "shell:",
        "rpc:",
        "rpc,",
        "ssl",
        "cowboy_",
        "ranch",
        "hackney",
        "mnesia",
        "error_handler",
        "code_server",
    ]),
    paths: &[],
    applications: &[],
};

static DART: Vendor = Vendor {
    names: Prefixes::new(&[]),
    paths: &[
        "dart:",
        "package:flutter",
        "package:async/",
        "package:http/",
        "package:dio/",
        "package:shelf",
        "package:bloc/",
        "package:provider/",
        "package:riverpod",
        "package:stack_trace/",
        "package:stream_channel/",
        "package:test",
        "package:grpc/",
        "package:postgres/",
        "package:sentry",
        "package:get/",
        "package:go_router/",
        "package:collection/",
        "package:rxdart/",
        "/.pub-cache/",
    ],
    applications: &[],
};

static NATIVE: Vendor = Vendor {
    names: Prefixes::new(&[
        "std::",
        "__",
        "_Unwind",
        "_start",
        "_sigtramp",
        "??",
        "n/a",
        "void std::",
        "boost::",
        "absl::",
        "google::",
        "grpc::",
        "grpc_core::",
        "folly::",
        "testing::",
        "operator new",
        "operator delete",
        "abort",
        "raise",
        "gsignal",
        "pthread_kill",
        "start_thread",
        "thread_start",
        "clone",
        "malloc",
        "free",
        "memcpy",
        "memmove",
        "strlen",
        "swift::",
        "_swift_",
        "swift_",
        "closure #1 in static NIO",
        "NIO",
        "Vapor.",
        "Swift.",
        "objc_",
        "UIApplicationMain",
        "_dispatch",
        "_CF",
        "CFRunLoop",
        "GSEvent",
    ]),
    paths: &[
        "/usr/include/",
        "/usr/lib",
        "/lib/x86_64",
        "/lib/aarch64",
        "/lib64/",
        "/c++/",
        "sysdeps/",
        "/libsanitizer/",
        "compiler-rt/",
        "csu/libc",
        "../csu/",
        "libc.so",
        "libc-2",
        "libc.musl",
        "libstdc++",
        "libgcc_s",
        "libpthread",
        "libswift",
        "libsystem_",
        "libdispatch",
        "libobjc",
        "libdyld",
        "CoreFoundation",
        "Foundation",
        "UIKit",
        "SwiftUI",
        "GraphicsServices",
        "[system]",
        "[ra] [system]",
    ],
    applications: &[],
};

static PERL: Vendor = Vendor {
    names: Prefixes::new(&[
        "Carp::",
        "Try::Tiny",
        "Moose::",
        "Moo::",
        "Class::MOP",
        "Mojo::",
        "Mojolicious::",
        "Plack::",
        "Dancer",
        "Catalyst::",
        "DBI::",
        "DBIx::",
        "LWP::",
        "HTTP::",
        "Test::",
        "eval",
        "require",
    ]),
    paths: &[
        "/usr/share/perl",
        "/usr/lib/x86_64-linux-gnu/perl",
        "/usr/local/share/perl",
        "/usr/local/lib/",
        "/perl5/",
        "/site_perl/",
    ],
    applications: &[],
};

impl Language {
    fn vendor(self) -> &'static Vendor {
        match self {
            Self::Jvm => &JVM,
            Self::DotNet => &DOT_NET,
            Self::JavaScript => &JAVASCRIPT,
            Self::Python => &PYTHON,
            Self::Go => &GO,
            Self::Rust => &RUST,
            Self::Ruby => &RUBY,
            Self::Php => &PHP,
            Self::Elixir => &ELIXIR,
            Self::Erlang => &ERLANG,
            Self::Dart => &DART,
            Self::Native => &NATIVE,
            Self::Perl => &PERL,
        }
    }
}

/// What the user says about frames, before the built-in lists: prefixes of their names (of the class in Java, of
/// the function in Go) or of their files' paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FramePrefixes {
    /// Frames of the application, whatever the built-in lists say.
    pub own: Vec<String>,
    /// Frames of others: the team's own framework, say.
    pub foreign: Vec<String>,
}

impl FramePrefixes {
    /// Whether a frame is the application's own.
    pub(crate) fn is_own(&self, language: Language, frame: &Frame<'_>) -> bool {
        let starts = |prefix: &String| {
            frame.name.starts_with(prefix) || !frame.file.is_empty() && frame.file.starts_with(prefix)
        };
        if self.own.iter().any(starts) {
            return true;
        }
        !self.foreign.iter().any(starts) && !language.vendor().holds(frame) && !is_generated(language, frame)
    }
}

fn is_generated(language: Language, frame: &Frame<'_>) -> bool {
    language == Language::Jvm && jvm::is_generated(frame.name)
}

impl Vendor {
    fn holds(&self, frame: &Frame<'_>) -> bool {
        // Rust: `<tokio::task::Unconstrained<F> as Future>::poll`.
        let name = if frame.name.starts_with('<') { frame.name.trim_start_matches('<') } else { frame.name };
        self.names.begin(name)
            || self.paths.iter().any(|part| frame.file.contains(part))
            || !self.applications.is_empty()
                && beam::application(frame.file)
                    .is_some_and(|application| self.applications.contains(&application))
    }
}
