//! Traces of Java, Kotlin, Scala, Groovy and Clojure: `Type: message`, frames `\tat package.Class.method(File.java:1)`, then
//! `Caused by: ` and so on to the root; or the root first and `Wrapped by: `. `... N more` stands for frames of the
//! exception before, which decide nothing.

use std::borrow::Cow;

use super::{Exception, Frame, MAX_EXCEPTIONS, MAX_FRAMES, lines, typed};

/// Reads a trace that has frames.
pub(super) fn exceptions(text: &str) -> Vec<Exception<'_>> {
    let mut walk = Walk::default();
    let mut last_line_is_cause = false;
    let mut root_is_first = false;
    for line in lines(text) {
        let trimmed = line.trim_start();
        last_line_is_cause = false;
        if let Some(frame) = frame(trimmed) {
            walk.frame(frame);
        } else if let Some(cause) = trimmed.strip_prefix("Caused by: ") {
            // A cause of a suppressed exception is indented, the next one of the trace itself is not.
            walk.in_suppressed = walk.in_suppressed && trimmed.len() < line.len();
            last_line_is_cause = walk.cause(cause);
        } else if let Some(wrapper) = trimmed.strip_prefix("Wrapped by: ") {
            root_is_first = true;
            walk.in_suppressed = walk.in_suppressed && trimmed.len() < line.len();
            last_line_is_cause = walk.cause(wrapper);
        } else if trimmed.starts_with("Suppressed: ") {
            walk.in_suppressed = true;
        } else if walk.found.is_empty() {
            walk.header = header(trimmed).or_else(|| header_behind(trimmed)).or(walk.header);
        }
    }
    // Cut in its name, perhaps.
    if last_line_is_cause && walk.found.len() > 1 && !text.ends_with('\n') {
        walk.found.pop();
    }
    // Every reader hands out a trace from the outermost exception to the root.
    if root_is_first {
        walk.found.reverse();
    }
    walk.found
}

/// Reads the exception that a text without frames begins with, or a line of it, and its causes.
pub(super) fn thrown(text: &str) -> Vec<Exception<'_>> {
    let mut found: Vec<Exception<'_>> = Vec::new();
    for line in lines(text) {
        let trimmed = line.trim_start();
        match trimmed.strip_prefix("Caused by: ") {
            Some(cause) if found.len() < MAX_EXCEPTIONS => {
                found.extend(thrown_in(cause).filter(|_| !found.is_empty()));
            }
            None if found.is_empty() => found.extend(thrown_in(trimmed)),
            _ => {}
        }
    }
    found
}

/// Reads a line that a name begins which only an exception has: `java.io.IOException: reset`, `ValueError: bad card`.
pub(crate) fn thrown_in(line: &str) -> Option<Exception<'_>> {
    const ENDS: [&str; 5] = ["Exception", "Error", "Throwable", "Failure", "ExceptionInfo"];
    let exception = header(line)?;
    let simple = exception.kind.rsplit(['.', '$']).next().unwrap_or_default();
    let end = ENDS.iter().find_map(|end| simple.strip_suffix(end))?;
    // The mere words `Error: ` begin many a message.
    (exception.kind.contains('.') || !end.is_empty()).then_some(exception)
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
    // A hash of the trace, of logstash-logback-encoder; and what JBoss writes before a trace.
    let line = line.strip_prefix("<#").and_then(|rest| rest.split_once("> ")).map_or(line, |(_, line)| line);
    let line = line.strip_prefix(": ").unwrap_or(line);
    let exception = typed(line)?;
    let simple = exception.kind.rsplit(['.', '$']).next().unwrap_or_default();
    let is_type = exception.kind.contains('.') || simple.ends_with("Exception") || simple.ends_with("Error");
    (is_type && simple.starts_with(char::is_uppercase)).then_some(exception)
}

/// Reads the exception behind the words of a log line: `pay failed java.io.IOException: reset`.
fn header_behind(line: &str) -> Option<Exception<'_>> {
    let mut ends = memchr::memmem::find_iter(line.as_bytes(), b"Exception")
        .chain(memchr::memmem::find_iter(line.as_bytes(), b"Error"));
    let end = ends.next()?;
    let start = line[..end].rfind(char::is_whitespace)? + 1;
    thrown_in(&line[start..]).filter(|exception| exception.kind.contains('.'))
}

/// Reads `at [loader/][module/]package.Class.method(File.java:1)`; gives class and method.
pub(super) fn frame(line: &str) -> Option<Frame<'_>> {
    let rest = line.strip_prefix("at ")?;
    let open = memchr::memchr(b'(', rest.as_bytes())?;
    let name = &rest[..open];
    // A slash in a name is one of a hidden class, `A$$Lambda/0x7f01` or `A/0x7f01`.
    let is_module =
        |slash: &usize| !name[*slash + 1..].starts_with("0x") && !name[..*slash].contains("$$Lambda");
    let name = memchr::memrchr(b'/', name.as_bytes()).map_or(name, |last| {
        let slash =
            if is_module(&last) { Some(last) } else { memchr::memrchr(b'/', &name.as_bytes()[..last]) };
        slash.filter(is_module).map_or(name, |slash| &name[slash + 1..])
    });
    // Looks at all bytes, since the compiler then looks at many at once.
    let has_blank = name.bytes().fold(false, |has, byte| has | byte.is_ascii_whitespace());
    let is_plain = name.is_ascii() && !has_blank;
    let is_name = is_plain || !name.contains(char::is_whitespace);
    (memchr::memchr(b'.', name.as_bytes()).is_some() && is_name).then_some(Frame { name, file: "" })
}

/// Classes that a library or the JVM generates; what follows the mark differs from run to run. Their frames
/// stand between the application's own ones and come and go with an annotation.
const GENERATED: [&str; 17] = [
    "$$Lambda",
    "$$EnhancerBy",
    "$$FastClassBy",
    "$$SpringCGLIB",
    "$$_javassist",
    "$$_jvst",
    "$$_Weld",
    "$HibernateProxy",
    "$ByteBuddy$",
    "$MockitoMock$",
    "$auxiliary$",
    "$Proxy",
    "_ClientProxy.",
    "_Subclass.",
    "LambdaForm$",
    "GeneratedMethodAccessor",
    "GeneratedConstructorAccessor",
];

/// Where the mark of a generated class begins and ends in a name.
fn generated(name: &str) -> Option<(usize, usize)> {
    // Rules out most names before each of the marks is looked for.
    let may_be = name.contains('$')
        || name.contains("Accessor")
        || name.contains("_ClientProxy.")
        || name.contains("_Subclass.");
    if !may_be {
        return None;
    }
    let marked = |mark: &&str| Some((name.find(*mark)?, mark.trim_end_matches('.').len()));
    let (at, len) = GENERATED.iter().find_map(marked)?;
    Some((at, at + len))
}

/// Whether a frame is one of a generated class.
pub(super) fn is_generated(name: &str) -> bool {
    generated(name).is_some()
}

/// Names that compilers number: of closures, functions and expressions of Groovy, Clojure, Scala and Kotlin.
const NUMBERED: [&str; 9] =
    ["closure", "lambda-", "lambda", "fn__", "eval", "reify__", "iter__", "liftedTree", "anonfun"];

/// Replaces what a run of the JVM or a build made up: lambda and proxy numbers, hashes of generated classes.
pub(super) fn normalised(name: &str) -> Cow<'_, str> {
    if let Some((start, end)) = generated(name) {
        let tail = &name[end..];
        let method = &tail[tail.find('.').unwrap_or(tail.len())..];
        return Cow::Owned(format!("{}{}{method}", &name[..start], &name[start..end]));
    }
    let is_plain = !name.contains(['$', '/', '-']) && !is_script(name);
    if is_plain {
        return Cow::Borrowed(name);
    }
    let mut out = String::with_capacity(name.len());
    for (number, part) in name.split('.').enumerate() {
        if number > 0 {
            out.push('.');
        }
        let part = part.split("/0x").next().unwrap_or(part);
        // What Kotlin puts behind the name of a function with arguments of inline classes.
        let part = part
            .split_once('-')
            .filter(|(name, hash)| !name.is_empty() && hash.len() == 7)
            .map_or(part, |(name, _)| name);
        write_class(part, &mut out);
    }
    if is_script(&out) {
        let end = out.find('.').unwrap_or(out.len());
        let start = out[..end].trim_end_matches(|digit: char| digit.is_ascii_digit()).len();
        out.replace_range(start..end, "");
    }
    Cow::Owned(out)
}

/// Whether a name is one of a script of Groovy's, `Script12.run`.
fn is_script(name: &str) -> bool {
    let class = name.split(['.', '$']).next().unwrap_or(name);
    let rest = class.strip_prefix("Script").or_else(|| class.strip_prefix("script"));
    rest.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Writes a class or a function without numbers.
fn write_class(part: &str, out: &mut String) {
    for (number, part) in part.split('$').enumerate() {
        if number == 0 {
            out.push_str(part);
            continue;
        }
        out.push('$');
        let part = part.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let plain =
            part.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == '_' || letter == '-');
        let is_numbered = NUMBERED.iter().any(|mark| {
            plain.ends_with(mark.trim_end_matches(['_', '-']))
                || part.starts_with(mark) && mark.ends_with('_')
        });
        out.push_str(if is_numbered { numbered_name(part) } else { part });
    }
}

/// A numbered name up to its number.
fn numbered_name(part: &str) -> &str {
    let end = part.find(|letter: char| letter.is_ascii_digit()).unwrap_or(part.len());
    part[..end].trim_end_matches(['_', '-'])
}
