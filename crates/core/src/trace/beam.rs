//! Traces of Elixir, `** (Type) message` and `    (app 1.0) lib/cart.ex:31: Cart.pay/1`, and of Erlang, `in function
//! cart:pay/1 (cart.erl, line 31)` or the term `{cart,pay,1,[{file,"cart.erl"},{line,31}]}`.

use std::borrow::Cow;

use super::{Exception, Frame, MAX_EXCEPTIONS, MAX_FRAMES, has_extension, lines, numbered_end};

/// Reads the exceptions of Elixir, from the outermost to the root; they need not have frames.
pub(super) fn elixir(text: &str) -> Vec<Exception<'_>> {
    let mut found: Vec<Exception<'_>> = Vec::new();
    let mut indents = Vec::new();
    for line in lines(text) {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        if let Some(next) = header(trimmed) {
            if found.len() < MAX_EXCEPTIONS {
                found.push(next);
                indents.push(indent);
            }
        } else if let Some(frame) = elixir_frame(trimmed) {
            if found.is_empty() {
                found.push(Exception::default());
                indents.push(0);
            }
            // The frames of an exception are indented deeper than itself, and those of the root come first.
            let at = indents.iter().rposition(|&of| of < indent).unwrap_or(found.len() - 1);
            if found[at].frames.len() < MAX_FRAMES {
                found[at].frames.push(frame);
            }
        } else if trimmed.starts_with("Client #PID<") {
            // What waits for the process has a stack of its own.
            break;
        }
    }
    found
}

/// Reads `** (Type) message`. An exit is identified by its message.
pub(super) fn header(line: &str) -> Option<Exception<'_>> {
    let (kind, message) = line.strip_prefix("** (")?.split_once(')')?;
    let kind = if kind.starts_with(char::is_uppercase) && !kind.starts_with("EXIT") { kind } else { "" };
    Some(Exception { kind, message: message.trim_start(), ..Exception::default() })
}

/// Reads `(app 1.0) lib/cart.ex:31: Cart.pay/1`; the file is with its application.
pub(super) fn elixir_frame(line: &str) -> Option<Frame<'_>> {
    let rest = match line.strip_prefix('(') {
        Some(rest) => rest.split_once(") ")?.1,
        None => line,
    };
    let (place, name) = rest.split_once(": ")?;
    let file = numbered_end(place)?;
    let is_file = has_extension(file, &["ex", "exs", "erl", "eex", "heex", "leex"]);
    let end = line.len() - rest.len() + file.len();
    (is_file && !file.contains(' ')).then(|| Frame { name, file: &line[..end] })
}

/// The application that a frame of Elixir's names.
pub(super) fn application(file: &str) -> Option<&str> {
    file.strip_prefix('(')?.split([' ', ')']).next()
}

/// Reads what Erlang says of one crash.
pub(super) fn erlang(text: &str) -> Vec<Exception<'_>> {
    let mut exception = Exception::default();
    for line in lines(text) {
        if exception.message.is_empty() && exception.frames.is_empty() {
            exception.message = reason(line).unwrap_or_default();
        }
        let room = MAX_FRAMES - exception.frames.len();
        exception.frames.extend(in_function(line.trim_start()));
        exception.frames.extend(terms(line).take(room));
        exception.frames.truncate(MAX_FRAMES);
    }
    (!exception.frames.is_empty()).then_some(exception).into_iter().collect()
}

/// The reason in `exception error: REASON` or `{REASON,[{module,function,…`.
fn reason(line: &str) -> Option<&str> {
    let named = ["exception error: ", "exception exit: ", "exception throw: "];
    if let Some((at, mark)) = named.iter().find_map(|mark| Some((line.find(mark)?, mark))) {
        return Some(&line[at + mark.len()..]);
    }
    let stack = line.find(",[{")?;
    let start = line[..stack].find('{')?;
    is_stack(&line[stack + 2..]).then(|| &line[start + 1..stack])
}

/// Reads `in function  cart:pay/1 (cart.erl, line 31)` or `in call from …`.
pub(super) fn in_function(line: &str) -> Option<Frame<'_>> {
    let rest = line.strip_prefix("in function ").or_else(|| line.strip_prefix("in call from "))?.trim_start();
    let (name, place) = rest.split_once(" (").unwrap_or((rest, ""));
    let file = place.split(", line ").next().unwrap_or(place);
    (name.contains(':') && !name.contains(' ')).then_some(Frame { name, file })
}

/// Whether a text begins with `{module,function,arity,[{file,`.
fn is_stack(text: &str) -> bool {
    terms(text).next().is_some_and(|frame| text[1..].starts_with(frame.name))
}

/// The frames of a line that are terms.
fn terms(line: &str) -> impl Iterator<Item = Frame<'_>> {
    const FILE: &str = ",[{file,\"";
    let mut from = 0;
    std::iter::from_fn(move || {
        loop {
            let at = from + memchr::memmem::find(&line.as_bytes()[from..], FILE.as_bytes())?;
            let start = memchr::memrchr(b'{', &line.as_bytes()[from..at]).map(|open| from + open + 1);
            from = at + FILE.len();
            let file = &line[from..from + memchr::memchr(b'"', &line.as_bytes()[from..])?];
            if let Some(start) = start {
                return Some(Frame { name: &line[start..at], file });
            }
        }
    })
}

/// Module and function, without arity, arguments and the names of closures.
pub(super) fn normalised(name: &str) -> Cow<'_, str> {
    let name = name.rsplit(" in ").next().unwrap_or(name);
    let generated = name.split_once("\"-").or_else(|| name.split_once("'-"));
    if let Some((module, function)) = generated {
        return Cow::Owned(format!("{module}{}", bare(function)));
    }
    if name.contains('(') || !name.contains(',') {
        return Cow::Borrowed(bare(name));
    }
    // `cart,pay,1` of a term.
    let mut parts = name.split(',');
    let (module, function) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    match function.strip_prefix("'-") {
        Some(function) => Cow::Owned(format!("{module}:{}", bare(function))),
        None => Cow::Owned(format!("{module}:{function}")),
    }
}

/// A function without arity or arguments.
fn bare(name: &str) -> &str {
    let end = name.find('(').or_else(|| name.find('/')).unwrap_or(name.len());
    &name[..end]
}
