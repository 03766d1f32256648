//! Traces of Go: `panic: message`, `goroutine 1 [running]:`, then two lines a frame: the function with its
//! arguments, and, behind a tab, the file. Without the first two lines, as error packages and loggers write them, too; and
//! as gin does, the file first.

use std::borrow::Cow;

use super::{Exception, Frame, MAX_FRAMES, lines};

/// Reads the first goroutine of a text; the others only wait.
pub(super) fn exceptions(text: &str) -> Vec<Exception<'_>> {
    let mut exception = Exception::default();
    let mut before = "";
    for line in lines(text) {
        if let Some(message) = panicked(line) {
            if exception.message.is_empty() && exception.frames.is_empty() {
                exception.message = message.split(" [recovered").next().unwrap_or(message);
            }
        } else if line.trim().is_empty() && !exception.frames.is_empty() {
            break;
        } else if let Some(frame) = file(line)
            .and_then(|file| function(before).map(|name| Frame { name, file }))
            .or_else(|| gin(before, line))
            && exception.frames.len() < MAX_FRAMES
        {
            exception.frames.push(frame);
        }
        before = line;
    }
    (!exception.frames.is_empty()).then_some(exception).into_iter().collect()
}

/// Reads `panic: message`, `fatal error: message` or `http: panic serving 10.0.0.7:5000: message`.
fn panicked(line: &str) -> Option<&str> {
    let plain = line.strip_prefix("panic: ").or_else(|| line.strip_prefix("fatal error: "));
    plain.or_else(|| Some(line.split_once("panic serving ")?.1.split_once(": ")?.1))
}

/// Reads `\t/src/x.go:8 +0x1d`.
fn file(line: &str) -> Option<&str> {
    let path = line.strip_prefix(['\t', ' '])?.trim_start();
    path_of(path)
}

/// The file of `/src/x.go:8`.
fn path_of(place: &str) -> Option<&str> {
    let end = memchr::memmem::find(place.as_bytes(), b".go:")? + ".go".len();
    let is_line = place.as_bytes().get(end + 1).is_some_and(u8::is_ascii_digit);
    is_line.then_some(&place[..end])
}

/// Reads gin's `/src/x.go:31 (0x55d)` and, on the next line, `\tmain.pay: source`.
fn gin<'t>(before: &'t str, line: &'t str) -> Option<Frame<'t>> {
    let file = path_of(before).filter(|_| before.contains(" (0x"))?;
    let (name, _) = line.strip_prefix('\t')?.split_once(": ")?;
    Some(Frame { name, file })
}

/// Whether a line, which was indented or not, is the place of a frame.
pub(super) fn is_place(line: &str, is_indented: bool) -> bool {
    path_of(line).is_some_and(|file| !file.contains(' ') && (is_indented || line.contains(" (0x")))
}

/// Whether a line is `goroutine 18 [running]:`.
pub(super) fn is_goroutine(line: &str) -> bool {
    line.strip_prefix("goroutine ").is_some_and(|rest| rest.ends_with("]:") && rest.contains(" ["))
}

/// Whether a line is the first of a frame, a function of a package with its arguments.
pub(super) fn is_call(line: &str) -> bool {
    let is_called = line.ends_with(')') && !line.starts_with([' ', '\t']) && line.contains('.');
    is_called && function(line).is_some_and(|name| name.len() < line.len() && name.contains('.'))
}

/// Reads `main.(*Server).handle(0xc000010000)`. The place where a goroutine was created is not a frame of its own.
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
    if !name.contains(".func") && !name.contains("[...]") && !name.contains(".gowrap") {
        return Cow::Borrowed(name);
    }
    let plain = name.replace("[...]", "");
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let parts = plain.split('.').map(|part| {
        let generated =
            ["func", "gowrap"].into_iter().find(|mark| part.strip_prefix(mark).is_some_and(is_number));
        generated.unwrap_or(part)
    });
    let parts: Vec<_> = parts.filter(|part| part.is_empty() || !is_number(part)).collect();
    Cow::Owned(parts.join("."))
}
