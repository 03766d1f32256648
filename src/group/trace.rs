//! Stack traces of Java, Kotlin and Scala: exceptions from the outermost to the root, each with its frames.

use std::borrow::Cow;

/// Frames of these packages are not the application's own.
const VENDOR: [&str; 46] = [
    "java.",
    "javax.",
    "jakarta.",
    "jdk.",
    "sun.",
    "com.sun.",
    "kotlin.",
    "kotlinx.",
    "scala.",
    "akka.",
    "org.apache.",
    "org.springframework.",
    "org.hibernate.",
    "org.eclipse.",
    "org.jboss.",
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
    "ch.qos.logback.",
    "com.zaxxer.hikari.",
    "com.fasterxml.",
    "com.google.common.",
    "com.google.gson.",
    "com.google.inject.",
    "com.mysql.",
    "com.mongodb.",
    "com.netflix.",
    "com.amazonaws.",
    "software.amazon.",
    "io.netty.",
    "io.grpc.",
    "io.micrometer.",
    "io.opentelemetry.",
    "io.reactivex.",
    "reactor.",
    "oracle.",
];

/// An endless recursion prints 1,024 frames; no more are looked at.
const MAX_FRAMES: usize = 1024;
/// A chain of causes longer than this is cut.
const MAX_EXCEPTIONS: usize = 32;
/// The longest cycle of frames that is looked for.
const MAX_CYCLE: usize = 8;

/// One exception of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exception<'t> {
    /// The full name of its type; empty when the trace begins with a frame.
    pub(super) kind: &'t str,
    /// What it says, on its first line.
    pub(super) message: &'t str,
    /// Class and method of each frame, innermost first.
    pub(super) frames: Vec<&'t str>,
}

/// Reads the trace in `text`; empty when there is none.
pub(super) fn exceptions(text: &str) -> Vec<Exception<'_>> {
    let mut found: Vec<Exception<'_>> = Vec::new();
    let mut header = None;
    let mut in_suppressed = false;
    let mut frames = 0;
    for line in lines(text) {
        let trimmed = line.trim_start();
        if let Some(frame) = frame(trimmed) {
            frames += 1;
            if found.is_empty() {
                found.push(header.take().unwrap_or_default());
            }
            if let Some(last) = found.last_mut().filter(|_| !in_suppressed && frames <= MAX_FRAMES) {
                last.frames.push(frame);
            }
        } else if let Some(cause) = trimmed.strip_prefix("Caused by: ") {
            // A cause of a suppressed exception is indented, the next one of the trace itself is not.
            in_suppressed = in_suppressed && trimmed.len() < line.len();
            if !in_suppressed && found.len() < MAX_EXCEPTIONS {
                found.extend(found.is_empty().then(|| header.take()).flatten());
                found.push(exception(cause).unwrap_or(Exception { message: cause, ..Exception::default() }));
            }
        } else if trimmed.starts_with("Suppressed: ") {
            in_suppressed = true;
        } else if found.is_empty()
            && let Some(exception) = exception(trimmed)
        {
            header = Some(exception);
        }
    }
    if found.is_empty() {
        found.extend(header.filter(|header| is_thrown(text, header)));
    }
    found
}

/// A type without frames counts when it begins the text or a line of it and is named like an exception.
fn is_thrown(text: &str, header: &Exception<'_>) -> bool {
    let named = ["Exception", "Error", "Throwable", "Failure"].iter().any(|end| header.kind.ends_with(end));
    named && lines(text).any(|line| line.trim_start().starts_with(header.kind))
}

/// Reads `[Exception in thread "x" ]package.Type[: message]`.
fn exception(line: &str) -> Option<Exception<'_>> {
    let line = line
        .strip_prefix("Exception in thread \"")
        .map_or(line, |rest| rest.split_once("\" ").map_or(rest, |(_, rest)| rest));
    let end = line.find(|character: char| !is_name(character)).unwrap_or(line.len());
    let (kind, rest) = line.split_at(end);
    let simple = kind.rsplit(['.', '$']).next().unwrap_or_default();
    let is_type = kind.contains('.')
        && simple.starts_with(|first: char| first.is_uppercase())
        && !kind.starts_with('.')
        && (rest.is_empty() || rest.starts_with(':'));
    is_type.then(|| Exception { kind, message: rest.trim_start_matches([':', ' ']), frames: Vec::new() })
}

fn is_name(character: char) -> bool {
    character.is_alphanumeric() || matches!(character, '.' | '_' | '$')
}

/// As `str::lines`, by a quicker search for line ends: traces are long.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', rest.as_bytes());
        let line = &rest[..end.unwrap_or(rest.len())];
        rest = end.map_or("", |end| &rest[end + 1..]);
        Some(line.strip_suffix('\r').unwrap_or(line))
    })
}

/// Reads `at [loader/][module/]package.Class.method(File.java:1)`; gives class and method.
fn frame(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("at ")?;
    let open = memchr::memchr(b'(', rest.as_bytes())?;
    let name = &rest[..open];
    let name = memchr::memrchr(b'/', name.as_bytes())
        .filter(|&slash| !name[..slash].contains("$$Lambda"))
        .map_or(name, |slash| &name[slash + 1..]);
    let is_plain = name.is_ascii() && !name.bytes().any(|byte| byte.is_ascii_whitespace());
    let is_name = is_plain || !name.contains(char::is_whitespace);
    (memchr::memchr(b'.', name.as_bytes()).is_some() && is_name).then_some(name)
}

/// Replaces what a run of the JVM or a build made up: lambda and proxy numbers, hashes of generated classes.
pub(super) fn normalised(name: &str) -> Cow<'_, str> {
    if !name.contains('$') && !name.contains("Accessor") {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let generated = ["$$Lambda", "$$EnhancerBy", "$$FastClassBy", "$$SpringCGLIB", "$Proxy", "$anonfun"];
        if let Some(marker) = generated.iter().find(|marker| rest.starts_with(*marker)) {
            out.push_str(marker);
            let tail = &rest[marker.len()..];
            rest = &tail[tail.find('.').unwrap_or(tail.len())..];
        } else {
            out.push('$');
            rest = rest[1..].trim_start_matches(|digit: char| digit.is_ascii_digit());
        }
    }
    out.push_str(rest);
    let accessor = ["GeneratedMethodAccessor", "GeneratedConstructorAccessor"];
    if let Some((at, marker)) = accessor.iter().find_map(|marker| Some((out.find(marker)?, marker))) {
        let digits = out[at + marker.len()..].bytes().take_while(u8::is_ascii_digit).count();
        out.replace_range(at + marker.len()..at + marker.len() + digits, "");
    }
    Cow::Owned(out)
}

/// Returns whether a frame is the application's own.
pub(super) fn is_in_app(frame: &str) -> bool {
    let first = frame.as_bytes().first();
    let mut near = VENDOR.iter().filter(|vendor| vendor.as_bytes().first() == first);
    !near.any(|vendor| frame.starts_with(vendor)) && !frame.starts_with("$Proxy")
}

/// Collapses recursion: a run of frames that repeats at once is kept once.
pub(super) fn without_recursion<'t>(frames: Vec<Cow<'t, str>>) -> Vec<Cow<'t, str>> {
    let mut out: Vec<Cow<'t, str>> = Vec::with_capacity(frames.len());
    for frame in frames {
        out.push(frame);
        let repeated = (1..=MAX_CYCLE.min(out.len() / 2)).find(|&cycle| {
            let (before, last) = out.split_at(out.len() - cycle);
            before.ends_with(last)
        });
        if let Some(cycle) = repeated {
            out.truncate(out.len() - cycle);
        }
    }
    out
}
