//! What a single line is to a stack trace, for readers that get a trace line by line. Pure functions of the line; what
//! they say costs a look at its first letters, and a few searches in it.

use super::{
    Language, beam, called_at, dart, go, has_extension, javascript, jvm, native, numbered, numbered_end,
    perl, php, python, ruby, rust,
};

/// No more of a line is looked at: frames are short, and so are the headers of exceptions up to their message.
const MAX_LINE_BYTES: usize = 2048;

/// Returns the language in which a line can be the first of a crash that no log line introduces: what a runtime
/// writes of an uncaught exception, or an exception's own header, `java.io.IOException: reset`. The line alone does not
/// prove a crash; the frames that follow do. Behind a log line, the same line begins the trace of its event.
pub fn begins_crash(line: &[u8]) -> Option<Language> {
    let line = looked_at(line)?;
    let starts = |marks: &[&str]| marks.iter().any(|mark| line.starts_with(mark));
    // Only the traces of Python's exception groups begin indented.
    if line.starts_with([' ', '\t']) {
        return python::is_start(line.trim_start_matches([' ', '+'])).then_some(Language::Python);
    }
    if starts(&["Exception in thread \"", "Exception: java.", "FATAL EXCEPTION: "]) {
        Some(Language::Jvm)
    } else if python::is_start(line) {
        Some(Language::Python)
    } else if starts(&["panic: ", "fatal error: "])
        || go::is_goroutine(line)
        || line.starts_with("http: panic serving ")
    {
        Some(Language::Go)
    } else if line.starts_with("thread '") && rust::is_panic(line) {
        Some(Language::Rust)
    } else if starts(&["Unhandled exception. ", "Unhandled Exception: "]) {
        Some(Language::DotNet)
    } else if php::is_fatal(line) {
        Some(Language::Php)
    } else if line.starts_with("** (") {
        Some(Language::Elixir)
    } else if starts(&["=CRASH REPORT===", "=ERROR REPORT===", "** exception ", "escript: exception "]) {
        Some(Language::Erlang)
    } else if line.ends_with("nhandled exception:") {
        Some(Language::Dart)
    } else if begins_natively(line) {
        Some(Language::Native)
    } else if ruby::call(line).is_some_and(|(_, rest)| rest.starts_with(": ")) || ruby::is_thrown(line) {
        Some(Language::Ruby)
    } else if line.ends_with('.') && perl::died(line).is_some_and(|(_, file)| perl::is_script(file)) {
        Some(Language::Perl)
    } else {
        begins_in_node(line).or_else(|| header(line))
    }
}

/// What C++ says of an uncaught exception, and sanitizers, debuggers and Swift of the reason of a crash.
fn begins_natively(line: &str) -> bool {
    match line.as_bytes().first() {
        Some(b't' | b'l') => native::terminated(line).is_some(),
        Some(b'=' | b'*' | b'P') => native::said(line).is_some(),
        _ => {
            line.starts_with("Fatal error: ")
                || [".swift:", ": Assertion `", ", suspect faulting"].iter().any(|mark| line.contains(mark))
                    && native::said(line).is_some()
        }
    }
}

/// Node.js says first where it was, `/app/cart.js:31` or `node:internal/process:9`.
fn begins_in_node(line: &str) -> Option<Language> {
    let file = numbered_end(line)?;
    let is_script = has_extension(file, &["js", "mjs", "cjs", "ts"]);
    (!file.contains(' ') && (is_script || file.starts_with("node:"))).then_some(Language::JavaScript)
}

/// The language of a line that is an exception's type and what it says.
fn header(line: &str) -> Option<Language> {
    let line = line.strip_prefix("Uncaught ").unwrap_or(line);
    if line.starts_with("Error: ") {
        return Some(Language::JavaScript);
    }
    let kind = jvm::thrown_in(line)?.kind;
    Some(match kind.contains('.') {
        true if kind.starts_with(char::is_uppercase) => Language::DotNet,
        true => Language::Jvm,
        false => Language::JavaScript,
    })
}

/// Whether a line belongs to a stack trace of any language and is never its first: a frame, a cause, the margin or the
/// note that a runtime writes between them. The source lines that some runtimes quote, and messages of several lines, look
/// like any other text: [`TraceFollower`] knows them.
pub fn continues_trace(line: &[u8]) -> bool {
    let Some(line) = looked_at(line) else { return false };
    let trimmed = line.trim_start();
    let starts = |marks: &[&str]| marks.iter().any(|mark| trimmed.starts_with(mark));
    match trimmed.as_bytes().first() {
        None => false,
        Some(b'.') if trimmed.starts_with("...") => omits_frames(trimmed),
        Some(b'-') => starts(&["--- End of ", "---> "]),
        Some(b'|' | b'+') => python::is_margin(line),
        Some(b'[') => starts(&[
            "[cause]: ",
            "[stacktrace]",
            "[previous exception]",
            "[CIRCULAR REFERENCE",
            "[signal SIG",
            "[Previous line repeated ",
        ]),
        Some(b'<') => starts(&["<asynchronous suspension>"]),
        Some(b'=') => starts(&["===== asynchronous gap"]),
        Some(b'^' | b'~') => trimmed.bytes().all(|byte| b"^~ ".contains(&byte)),
        Some(_) if starts(&MARKS) || php::is_next(trimmed) => true,
        Some(_) => go::is_call(line) || rust::is_frame(trimmed) || is_frame(line),
    }
}

/// Whether a line is a frame of a stack trace of any language.
pub fn is_frame_line(line: &[u8]) -> bool {
    looked_at(line).is_some_and(|line| rust::is_frame(line.trim_start()) || is_frame(line))
}

/// What stands between the frames of a trace.
const MARKS: [&str; 20] = [
    "Caused by: ",
    "Wrapped by: ",
    "Suppressed: ",
    "Caused by:",
    "(Inner Exception #",
    "During handling of the above exception",
    "The above exception was the direct cause",
    "created by ",
    "exit status ",
    "stack backtrace:",
    "Stack backtrace:",
    "note: run with `RUST_BACKTRACE",
    "note: Some details are omitted",
    "Stack trace:",
    "Stack Trace:",
    "stack traceback:",
    "Current stack trace:",
    "thrown in ",
    "what():",
    "Node.js v",
];

/// A frame that shows its language, but is not a first line.
fn is_frame(line: &str) -> bool {
    match language_of(line) {
        None => false,
        Some(Language::Python) => !python::is_start(line.trim_start()),
        Some(Language::Rust) => !rust::is_panic(line),
        Some(Language::Native) => native::terminated(line).is_none(),
        Some(Language::Elixir) => !line.starts_with("** ("),
        Some(Language::Ruby) => {
            ruby::call(line.trim_start()).is_some_and(|(_, rest)| !rest.starts_with(": "))
        }
        Some(_) => true,
    }
}

/// `... 12 more`, `... 3 common frames omitted`, `... 5 frames truncated`, `... 7 lines matching cause stack
/// trace ...`.
fn omits_frames(line: &str) -> bool {
    let rest = line.strip_prefix("... ").and_then(numbered);
    rest.is_some_and(|rest| {
        rest == " more"
            || [" common frames", " frames ", " lines matching "].iter().any(|mark| rest.starts_with(mark))
    })
}

/// The language that a line tells: a frame, or what only this language writes. `None` for most lines.
pub(super) fn language_of(line: &str) -> Option<Language> {
    let trimmed = line.trim_start();
    match trimmed.as_bytes().first()? {
        b'a' if trimmed.starts_with("at ") => return called_at(trimmed),
        b'#' if php::call(trimmed).is_some() => return Some(Language::Php),
        b'#' | b'p' if dart::frame(trimmed).is_some() => return Some(Language::Dart),
        b'#' | b'0'..=b'9' if native::frame(trimmed).is_some() => return Some(Language::Native),
        b'@' if trimmed.starts_with("@ ") => return native::frame(trimmed).map(|_| Language::Native),
        b'*' if trimmed.starts_with("** (") => return Some(Language::Elixir),
        b'(' if beam::elixir_frame(trimmed).is_some() => return Some(Language::Elixir),
        b'i' if beam::in_function(trimmed).is_some() => return Some(Language::Erlang),
        b'g' if go::is_goroutine(trimmed) => return Some(Language::Go),
        b'T' | b'E' | b'+' if python::is_start(trimmed.trim_start_matches(['+', ' '])) => {
            return Some(Language::Python);
        }
        b'|' if python::is_start(trimmed.trim_start_matches(['|', '+', ' '])) => {
            return Some(Language::Python);
        }
        b's' | b'S' | b'C' if rust::is_mark(trimmed) => return Some(Language::Rust),
        _ => {}
    }
    by_what_it_holds(trimmed, line.len() > trimmed.len())
}

/// The language of a line by what stands somewhere in it.
fn by_what_it_holds(line: &str, is_indented: bool) -> Option<Language> {
    let bytes = line.as_bytes();
    let holds = |mark: &str| memchr::memmem::find(bytes, mark.as_bytes()).is_some();
    // A search for one byte spares most lines the dearer ones.
    if memchr::memchr(b':', bytes).is_some() {
        if ruby::call(line).is_some() {
            return Some(Language::Ruby);
        }
        if go::is_place(line, is_indented) {
            return Some(Language::Go);
        }
        if memchr::memchr(b'@', bytes).is_some() && javascript::frame(line).is_some() {
            return Some(Language::JavaScript);
        }
        if is_indented && beam::elixir_frame(line).is_some() {
            return Some(Language::Elixir);
        }
        if line.ends_with(|last: char| last.is_ascii_digit()) && php::call(line).is_some() {
            return Some(Language::Php);
        }
    }
    if line.ends_with("@[native code]") {
        return Some(Language::JavaScript);
    }
    if holds("ed at ") && perl::call(line).is_some() {
        Some(Language::Perl)
    } else if holds("ed at ") && rust::is_panic(line) {
        Some(Language::Rust)
    } else if holds(",[{file,\"") {
        Some(Language::Erlang)
    } else if holds("terminat") && native::terminated(line).is_some()
        || line.ends_with(']') && native::frame(line).is_some()
    {
        Some(Language::Native)
    } else {
        None
    }
}

/// The beginning of a line, as text; `None` if it is not text.
fn looked_at(line: &[u8]) -> Option<&str> {
    let line = &line[..line.len().min(MAX_LINE_BYTES)];
    let line = line.trim_ascii_end();
    match str::from_utf8(line) {
        Ok(text) => Some(text),
        // Cut within a character, or not text from there on.
        Err(error) => str::from_utf8(&line[..error.valid_up_to()]).ok(),
    }
}

/// Follows a trace that comes line by line, through what only the lines before explain: quoted source, the message behind
/// `panicked at`, the type behind Python's frames. It is small: one for each open trace costs nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceFollower {
    language: Language,
    /// The next line is the message, whatever it says.
    awaits_message: bool,
    /// An exception's header is still to come.
    awaits_header: bool,
}

impl TraceFollower {
    /// Returns one for the trace that a line begins; `None` if it begins none.
    pub fn begin(line: &[u8]) -> Option<Self> {
        begins_crash(line).map(|language| Self::at(language, line))
    }

    /// Returns one for the trace that a line belongs to, its first or not, behind the log line of an event; `None` if it
    /// belongs to none.
    pub fn enter(line: &[u8]) -> Option<Self> {
        let within = || {
            let language = looked_at(line).and_then(language_of).unwrap_or(Language::Jvm);
            continues_trace(line).then_some(Self { language, awaits_message: false, awaits_header: false })
        };
        Self::begin(line).or_else(within)
    }

    fn at(language: Language, line: &[u8]) -> Self {
        let line = looked_at(line).unwrap_or_default();
        Self {
            language,
            awaits_message: match language {
                Language::Rust => line.ends_with(':'),
                Language::Dart => line.ends_with("exception:"),
                _ => false,
            },
            awaits_header: match language {
                Language::Python => true,
                Language::JavaScript => begins_in_node(line).is_some(),
                Language::Erlang => line.starts_with('='),
                _ => false,
            },
        }
    }

    /// Returns whether a line goes on with the trace. Blank lines do; what follows says whether the trace was over.
    pub fn takes(&mut self, line: &[u8]) -> bool {
        let is_blank = line.trim_ascii().is_empty();
        if std::mem::take(&mut self.awaits_message) || is_blank || continues_trace(line) {
            // A header alone tells little of the language.
            self.language = looked_at(line).and_then(language_of).unwrap_or(self.language);
            return true;
        }
        if let Some(next) = begins_crash(line) {
            return self.goes_on_with(next, line);
        }
        let Some(text) = looked_at(line) else { return false };
        let is_last = self.awaits_header && self.language == Language::Python && python::is_last(text);
        self.awaits_header &= !is_last;
        is_last || text.starts_with([' ', '\t']) || self.notes(text)
    }

    /// Whether a line that could be the first of a crash is one of this trace.
    fn goes_on_with(&mut self, next: Language, line: &[u8]) -> bool {
        let is_header = self.awaits_header && looked_at(line).and_then(header).is_some();
        let goes_on = next == self.language || is_header;
        if goes_on {
            *self = Self { awaits_header: self.awaits_header && !is_header, ..Self::at(self.language, line) };
        }
        goes_on
    }

    /// Whether a line is one that only this language writes beside its frames.
    fn notes(self, line: &str) -> bool {
        let starts = |marks: &[&str]| marks.iter().any(|mark| line.starts_with(mark));
        match self.language {
            Language::JavaScript => matches!(line, "{" | "}"),
            Language::Php => line.starts_with("\"}"),
            Language::Elixir | Language::Erlang => starts(&[
                "Last message",
                "State: ",
                "Client ",
                "Function: ",
                "Process Label: ",
                "Start Call: ",
                "Initial Call: ",
            ]),
            Language::Dart => starts(&["dart:", "package:"]),
            Language::Native => starts(&native::NOTES),
            _ => false,
        }
    }
}
