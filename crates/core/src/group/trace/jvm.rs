//! Traces of Java, Kotlin and Scala: `Type: message`, frames `\tat package.Class.method(File.java:1)`, then
//! `Caused by: ` and so on to the root. `... N more` stands for frames of the exception before, which decide nothing.

use std::borrow::Cow;

use super::{Exception, Frame, MAX_EXCEPTIONS, MAX_FRAMES, lines, typed};

/// Reads a trace that has frames.
pub(super) fn exceptions(text: &str) -> Vec<Exception<'_>> {
    let mut walk = Walk::default();
    let mut last_line_is_cause = false;
    for line in lines(text) {
        let trimmed = line.trim_start();
        last_line_is_cause = false;
        if let Some(frame) = frame(trimmed) {
            walk.frame(frame);
        } else if let Some(cause) = trimmed.strip_prefix("Caused by: ") {
            // A cause of a suppressed exception is indented, the next one of the trace itself is not.
            walk.in_suppressed = walk.in_suppressed && trimmed.len() < line.len();
            last_line_is_cause = walk.cause(cause);
        } else if trimmed.starts_with("Suppressed: ") {
            walk.in_suppressed = true;
        } else if walk.found.is_empty() {
            walk.header = header(trimmed).or(walk.header);
        }
    }
    // Cut in its name, perhaps.
    if last_line_is_cause && walk.found.len() > 1 && !text.ends_with('\n') {
        walk.found.pop();
    }
    walk.found
}

/// Reads the exception that a text without frames begins with, or a line of it.
pub(super) fn thrown(text: &str) -> Vec<Exception<'_>> {
    let named = ["Exception", "Error", "Throwable", "Failure"];
    let found = lines(text)
        .filter_map(|line| header(line.trim_start()).filter(|exception| exception.kind.contains('.')))
        .last()
        .filter(|exception| named.iter().any(|end| exception.kind.ends_with(end)));
    found.into_iter().collect()
}

/// The state of reading a trace line by line.
#[derive(Default)]
struct Walk<'t> {
    found: Vec<Exception<'t>>,
    header: Option<Exception<'t>>,
    in_suppressed: bool,
}

impl<'t> Walk<'t> {
    fn frame(&mut self, frame: Frame<'t>) {
        if self.found.is_empty() {
            self.found.push(self.header.take().unwrap_or_default());
        }
        let last = self.found.last_mut().filter(|last| last.frames.len() < MAX_FRAMES);
        if let Some(last) = last.filter(|_| !self.in_suppressed) {
            last.frames.push(frame);
        }
    }

    /// Starts a cause; returns whether it counts.
    fn cause(&mut self, line: &'t str) -> bool {
        let counts = !self.in_suppressed && self.found.len() < MAX_EXCEPTIONS;
        if counts {
            self.found.extend(self.found.is_empty().then(|| self.header.take()).flatten());
            let untyped = Exception { message: line, ..Exception::default() };
            self.found.push(header(line).unwrap_or(untyped));
        }
        counts
    }
}

/// Reads `[Exception in thread "x" ]package.Type[: message]`.
fn header(line: &str) -> Option<Exception<'_>> {
    let line = line
        .strip_prefix("Exception in thread \"")
        .map_or(line, |rest| rest.split_once("\" ").map_or(rest, |(_, rest)| rest));
    let exception = typed(line)?;
    let simple = exception.kind.rsplit(['.', '$']).next().unwrap_or_default();
    let is_type = exception.kind.contains('.') || simple.ends_with("Exception") || simple.ends_with("Error");
    (is_type && simple.starts_with(char::is_uppercase)).then_some(exception)
}

/// Reads `at [loader/][module/]package.Class.method(File.java:1)`; gives class and method.
pub(super) fn frame(line: &str) -> Option<Frame<'_>> {
    let rest = line.strip_prefix("at ")?;
    let open = memchr::memchr(b'(', rest.as_bytes())?;
    let name = &rest[..open];
    let name = memchr::memrchr(b'/', name.as_bytes())
        .filter(|&slash| !name[..slash].contains("$$Lambda"))
        .map_or(name, |slash| &name[slash + 1..]);
    let is_plain = name.is_ascii() && !name.bytes().any(|byte| byte.is_ascii_whitespace());
    let is_name = is_plain || !name.contains(char::is_whitespace);
    (memchr::memchr(b'.', name.as_bytes()).is_some() && is_name).then_some(Frame { name, file: "" })
}

/// Classes that a library or the JVM generates; what follows the mark differs from run to run. Their frames
/// stand between the application's own ones and come and go with an annotation.
const GENERATED: [&str; 7] = [
    "$$Lambda",
    "$$EnhancerBy",
    "$$FastClassBy",
    "$$SpringCGLIB",
    "$Proxy",
    "GeneratedMethodAccessor",
    "GeneratedConstructorAccessor",
];

/// Whether a frame is one of a generated class.
pub(super) fn is_generated(name: &str) -> bool {
    (name.contains('$') || name.contains("Accessor")) && GENERATED.iter().any(|mark| name.contains(mark))
}

/// Replaces what a run of the JVM or a build made up: lambda and proxy numbers, hashes of generated classes.
pub(super) fn normalised(name: &str) -> Cow<'_, str> {
    if let Some((at, mark)) = GENERATED.iter().find_map(|mark| Some((name.find(mark)?, mark))) {
        let tail = &name[at + mark.len()..];
        let method = &tail[tail.find('.').unwrap_or(tail.len())..];
        return Cow::Owned(format!("{}{mark}{method}", &name[..at]));
    }
    if !name.contains('$') {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len());
    for (number, part) in name.split('$').enumerate() {
        if number > 0 {
            out.push('$');
            out.push_str(part.trim_start_matches(|digit: char| digit.is_ascii_digit()));
        } else {
            out.push_str(part);
        }
    }
    Cow::Owned(out)
}
