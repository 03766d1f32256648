//! Whose frames are not the application's own: frameworks, libraries and runtimes, by language. Changing a list
//! changes group ids: raise [`crate::group::VERSION`].

use super::{Frame, Language, jvm};

/// What frames of a language that are not the application's own look like.
struct Vendor {
    /// What their names begin with.
    names: &'static [&'static str],
    /// What their files' paths hold.
    paths: &'static [&'static str],
}

static JVM: Vendor = Vendor {
    names: &[
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
        "oracle.",
        "net.bytebuddy.",
        "$Proxy",
    ],
    paths: &[],
};

static DOT_NET: Vendor = Vendor {
    names: &[
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
    ],
    paths: &[],
};

static JAVASCRIPT: Vendor = Vendor {
    names: &[],
    paths: &["node_modules/", "node_modules\\", "node:", "internal/", "webpack/", "<anonymous>"],
};

static PYTHON: Vendor = Vendor {
    names: &[],
    paths: &["site-packages/", "dist-packages/", "/lib/python", "site-packages\\", "\\Lib\\", "<frozen "],
};

static GO: Vendor = Vendor {
    names: &[
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
    ],
    paths: &["/usr/local/go/src/", "/usr/lib/go", "/pkg/mod/", "/vendor/"],
};

static RUST: Vendor = Vendor {
    names: &[
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
    ],
    paths: &[],
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
    pub(in crate::group) fn is_own(&self, language: Language, frame: &Frame<'_>) -> bool {
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
        let name = frame.name.trim_start_matches('<');
        let first = name.as_bytes().first();
        let mut near = self.names.iter().filter(|vendor| vendor.as_bytes().first() == first);
        near.any(|vendor| name.starts_with(vendor)) || self.paths.iter().any(|part| frame.file.contains(part))
    }
}
