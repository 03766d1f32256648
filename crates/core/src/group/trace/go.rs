//! Traces of Go: `panic: message`, `goroutine 1 [running]:`, then two lines a frame: the function with its
//! arguments, and, behind a tab, the file. Without the first two lines, as error packages and loggers write them, too.

use std::borrow::Cow;

use super::{Exception, Frame, MAX_FRAMES, lines};

/// Reads the first goroutine of a text; the others only wait.
pub(super) fn exceptions(text: &str) -> Vec<Exception<'_>> {
    let mut exception = Exception::default();
    let mut before = "";
    for line in lines(text) {
        if let Some(message) = line.strip_prefix("panic: ").or(line.strip_prefix("fatal error: ")) {
            if exception.message.is_empty() && exception.frames.is_empty() {
                exception.message = message.split(" [recovered").next().unwrap_or(message);
            }
        } else if line.trim().is_empty() && !exception.frames.is_empty() {
            break;
        } else if let Some(file) = file(line)
            && let Some(name) = function(before)
            && exception.frames.len() < MAX_FRAMES
        {
            exception.frames.push(Frame { name, file });
        }
        before = line;
    }
    (!exception.frames.is_empty()).then_some(exception).into_iter().collect()
}

/// Reads `\t/src/x.go:8 +0x1d`.
fn file(line: &str) -> Option<&str> {
    let path = line.strip_prefix(['\t', ' '])?.trim_start();
    let end = path.find(".go:")?;
    Some(&path[..end + ".go".len()])
}

/// Reads `main.(*Server).handle(0xc000010000)`. Where a goroutine was created is no frame of its own.
fn function(line: &str) -> Option<&str> {
    let line = line.trim();
    let name = match line.rsplit_once('(') {
        Some((name, arguments)) if arguments.ends_with(')') => name,
        _ => line,
    };
    let is_name = !name.is_empty() && !name.contains(char::is_whitespace) && !name.ends_with(':');
    is_name.then_some(name)
}

/// Leaves out the numbers of closures: `main.run.func1.2`.
pub(super) fn normalised(name: &str) -> Cow<'_, str> {
    if !name.contains(".func") && !name.contains("[...]") {
        return Cow::Borrowed(name);
    }
    let plain = name.replace("[...]", "");
    let parts = plain.split('.').map(|part| match part.strip_prefix("func") {
        Some(number) if number.bytes().all(|byte| byte.is_ascii_digit()) => "func",
        _ => part,
    });
    let parts: Vec<_> =
        parts.filter(|part| part.is_empty() || !part.bytes().all(|byte| byte.is_ascii_digit())).collect();
    Cow::Owned(parts.join("."))
}
