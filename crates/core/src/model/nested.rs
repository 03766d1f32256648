//! Stack traces that a record holds as arrays and objects, as the text that programs of their language print.
//!
//! Known are frames as strings and as objects, the exception's type and message under the names that loggers give them,
//! and causes below `cause`, `innerException`, `previous` and the like: log4j2's `thrown`, Quarkus' `exception`, pino's
//! `err`, Monolog's `context.exception`, structlog's `dict_tracebacks`, zerolog's `stack`, AWS Lambda's `stackTrace`.

use serde_json::{Map, Value};

/// How many causes are followed.
const MAX_CAUSES: usize = 16;

/// Names compare without case and without `_`, `-` and `@`.
const KINDS: [&str; 10] = [
    "exceptiontype",
    "exctype",
    "errortype",
    "class",
    "classname",
    "type",
    "name",
    "kind",
    "exceptionclass",
    "errorclass",
];
const MESSAGES: [&str; 7] =
    ["message", "excvalue", "errormessage", "exceptionmessage", "msg", "value", "detail"];
const TRACES: [&str; 10] = [
    "stacktrace",
    "extendedstacktrace",
    "stack",
    "stacktracestring",
    "traceback",
    "backtrace",
    "trace",
    "frames",
    "stackframes",
    "stacktraceelements",
];
const CAUSES: [&str; 5] = ["cause", "causedby", "innerexception", "previous", "inner"];

/// Returns the text of a JSON array or object; empty when it holds nothing of a trace.
pub(super) fn text(json: &[u8]) -> String {
    match serde_json::from_str(&String::from_utf8_lossy(json)) {
        Ok(value) => rendered(&value, MAX_CAUSES),
        Err(_) => String::new(),
    }
}

fn rendered(value: &Value, causes: usize) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => list(items, causes),
        Value::Object(object) => exception(object, causes),
        _ => String::new(),
    }
}

/// An array holds the lines of a trace, its frames, or exceptions, each with the next as its cause.
fn list(items: &[Value], causes: usize) -> String {
    let is_frame = |item: &Value| item.as_object().and_then(frame).is_some();
    if items.iter().all(|item| item.is_string() || is_frame(item)) {
        return lines(items);
    }
    let exceptions = items.iter().take(causes).map(|item| rendered(item, 0));
    let exceptions: Vec<_> = exceptions.filter(|text| !text.is_empty()).collect();
    exceptions.join("\nCaused by: ")
}

fn lines(items: &[Value]) -> String {
    let line = |item: &Value| match item {
        Value::String(line) => Some(line.trim_end().to_owned()),
        Value::Object(object) => frame(object),
        _ => None,
    };
    let lines: Vec<_> = items.iter().filter_map(line).collect();
    lines.join("\n")
}

fn exception(object: &Map<String, Value>, causes: usize) -> String {
    let kind = string(object, &KINDS).unwrap_or_default();
    let message = string(object, &MESSAGES).unwrap_or_default();
    let head = match (kind, message) {
        ("", message) => message.to_owned(),
        (kind, "") => kind.to_owned(),
        (kind, message) => format!("{kind}: {message}"),
    };
    if TRACES.iter().any(|name| get(object, name).is_some_and(Value::is_boolean)) {
        // loguru says that there is a trace, but not which.
        return String::new();
    }
    let frames = value(object, &TRACES).map(|trace| rendered(trace, 0)).unwrap_or_default();
    let mut text = with_frames(head, kind, frames, object);
    let cause = value(object, &CAUSES).filter(|_| causes > 0).map(|cause| rendered(cause, causes - 1));
    if let Some(cause) = cause.filter(|cause| !cause.is_empty()) {
        text = format!("{text}\nCaused by: {cause}");
    }
    if text.is_empty() && causes > 0 {
        let inner = value(object, &["exception", "error", "err"]);
        return inner.map(|inner| rendered(inner, causes - 1)).unwrap_or_default();
    }
    text
}

/// Joins what an exception says with its frames, in the order of its language; a text that says it already stays as it is.
fn with_frames(head: String, kind: &str, frames: String, object: &Map<String, Value>) -> String {
    let simple = kind.rsplit(['.', '\\', '$']).next().unwrap_or_default();
    let first = frames.lines().next().unwrap_or_default();
    if frames.is_empty() {
        return head;
    }
    let says_kind = if simple.is_empty() { first.contains(": ") } else { first.contains(simple) };
    if frames.starts_with("Traceback") || says_kind && !is_frame_line(first) {
        return frames;
    }
    if first.trim_start().starts_with("File \"") {
        return format!("Traceback (most recent call last):\n{frames}\n{head}");
    }
    if head.is_empty() {
        return frames;
    }
    if let Some((first, _)) = place(first) {
        return php(&head, first, &frames, object);
    }
    format!("{head}\n{frames}")
}

fn is_frame_line(line: &str) -> bool {
    line.starts_with(char::is_whitespace) || line.starts_with("at ") || line.starts_with('#')
}

/// Writes Monolog's frames, `file:line` each, as PHP does.
fn php(head: &str, first: &str, frames: &str, object: &Map<String, Value>) -> String {
    let thrown = string(object, &["file"]).filter(|file| *file != first);
    let frames: Vec<_> = thrown
        .into_iter()
        .chain(frames.lines())
        .enumerate()
        .map(|(number, frame)| match place(frame) {
            Some((file, line)) => format!("#{number} {file}({line}): "),
            None => format!("#{number} {frame}"),
        })
        .collect();
    format!("{head}\n{}", frames.join("\n"))
}

/// Splits `path:line`.
fn place(text: &str) -> Option<(&str, &str)> {
    let (file, line) = text.rsplit_once(':')?;
    let is_line = !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit());
    (is_line && file.starts_with('/') && !file.contains(char::is_whitespace)).then_some((file, line))
}

/// Returns a frame as its language writes it, told by the name of the file.
fn frame(object: &Map<String, Value>) -> Option<String> {
    let class = string(object, &["class", "declaringclass", "classname"]);
    let method = string(object, &["method", "methodname", "function", "func", "funcname", "name"]);
    let file = string(object, &["file", "filename", "source", "path", "abspath", "sourcefile"]);
    let line = value(object, &["line", "lineno", "linenumber"]).map(|line| match line {
        Value::String(line) => line.clone(),
        line => line.to_string(),
    });
    let line = line.unwrap_or_default();
    let name = method.or(class.filter(|_| file.is_some()))?;
    let place = file.map_or_else(|| line.clone(), |file| format!("{file}:{line}"));
    Some(match (class, file.and_then(|file| file.rsplit('.').next())) {
        (Some(class), None) if method.is_some() => {
            let simple = class.rsplit(['.', '$']).next().unwrap_or_default();
            format!("\tat {class}.{name}({simple}.java:{line})")
        }
        (Some(class), _) if method.is_some() => {
            format!("\tat {class}.{name}({})", place.trim_end_matches(':'))
        }
        (_, Some("py" | "<string>" | "<stdin>" | "<console>")) => {
            format!("  File \"{}\", line {line}, in {name}", file.unwrap_or_default())
        }
        (_, Some("go")) => format!("{name}(...)\n\t{place}"),
        (_, Some("rb")) => format!("\tfrom {place}:in `{name}'"),
        (None, _) if file.is_none() && line.is_empty() => return None,
        _ => format!("    at {name} ({place})"),
    })
}

fn string<'o>(object: &'o Map<String, Value>, names: &[&str]) -> Option<&'o str> {
    let texts = names.iter().filter_map(|name| get(object, name)?.as_str());
    texts.into_iter().find(|text| !text.is_empty())
}

fn value<'o>(object: &'o Map<String, Value>, names: &[&str]) -> Option<&'o Value> {
    let is_some = |value: &&Value| match value {
        Value::Null | Value::Bool(_) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(object) => !object.is_empty(),
        Value::Number(_) => true,
    };
    names.iter().filter_map(|name| get(object, name)).find(is_some)
}

fn get<'o>(object: &'o Map<String, Value>, name: &str) -> Option<&'o Value> {
    let is_named = |key: &str| {
        let folded = key.bytes().filter(|byte| !matches!(byte, b'_' | b'-' | b'@'));
        folded.map(|byte| byte.to_ascii_lowercase()).eq(name.bytes())
    };
    object.iter().find(|(key, _)| is_named(key)).map(|(_, value)| value)
}
