//! The only writer to stdout and stderr: results go to the one, everything else to the other. Control characters
//! from logs never reach a terminal.

use std::borrow::Cow;
use std::fmt::{self, Display};
use std::io::{self, BufWriter, IsTerminal, Stdout, Write};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::Serialize;

use crate::shell::error::Failure;
use gzette_core::human;
use gzette_core::paste::Invocation;
use gzette_core::visible::{hidden, terminal};

/// How much is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Only results and errors.
    Quiet,
    /// A line a stage.
    #[default]
    Normal,
    /// Everything that was noticed.
    Verbose,
}

/// At most this many problems are named one by one, unless all are requested.
const TOLD_PROBLEMS: usize = 20;

/// The width of a terminal that does not tell it.
const FALLBACK_COLUMNS: usize = 80;

/// Results could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the results: {0}")]
pub struct OutputError(#[from] pub io::Error);

impl OutputError {
    /// Whether the reader of the results has gone, which is not a failure.
    pub fn is_gone(&self) -> bool {
        self.0.kind() == io::ErrorKind::BrokenPipe
    }
}

/// The user's side of a command.
pub struct Ui {
    verbosity: Verbosity,
    wants_colour: bool,
    stdout_is_terminal: bool,
    stderr_is_terminal: bool,
    out: Mutex<BufWriter<Stdout>>,
    invocation: OnceLock<Invocation>,
}

impl Ui {
    /// Returns the user's side; colours only on a terminal, and not when `no_colour`.
    pub fn new(verbosity: Verbosity, no_colour: bool) -> Self {
        let stdout_is_terminal = io::stdout().is_terminal();
        Self {
            verbosity,
            wants_colour: !no_colour,
            stdout_is_terminal,
            stderr_is_terminal: io::stderr().is_terminal(),
            out: Mutex::new(BufWriter::with_capacity(64 << 10, io::stdout())),
            invocation: OnceLock::new(),
        }
    }

    /// Has commands in hints and notes written so that they do the same from any folder. The first word counts.
    pub fn set_invocation(&self, invocation: Invocation) {
        let _ = self.invocation.set(invocation);
    }

    /// Returns how the commands of hints, notes and results are written.
    pub fn invocation(&self) -> Invocation {
        self.invocation.get().cloned().unwrap_or_default()
    }

    /// Returns whether a person reads the results.
    pub fn is_terminal(&self) -> bool {
        self.stdout_is_terminal
    }

    fn shows_colour(&self) -> bool {
        self.wants_colour && self.stdout_is_terminal
    }

    /// Has results written as they are.
    pub fn results(&self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), OutputError> {
        Ok(write(&mut *self.out.lock().unwrap_or_else(PoisonError::into_inner))?)
    }

    /// Writes result bytes as they are.
    pub fn result_bytes(&self, bytes: &[u8]) -> Result<(), OutputError> {
        self.results(|out| out.write_all(bytes))
    }

    /// Writes a line of results.
    pub fn result(&self, line: &str) -> Result<(), OutputError> {
        self.results(|out| {
            out.write_all(line.as_bytes())?;
            out.write_all(b"\n")
        })
    }

    /// Writes a line of results as JSON ([`write_json`]).
    pub fn result_json(&self, value: &impl Serialize) -> Result<(), OutputError> {
        self.results(|out| {
            write_json(out, value)?;
            out.write_all(b"\n")
        })
    }

    /// Flushes the output; call it before the end.
    pub fn flush(&self) -> Result<(), OutputError> {
        Ok(self.out.lock().unwrap_or_else(PoisonError::into_inner).flush()?)
    }

    /// Returns whether the results go to a pipe whose other end is closed.
    pub fn reader_is_gone(&self) -> bool {
        let stdout = io::stdout();
        // Asked without writing: a command that follows and finds nothing would never learn from EPIPE that
        // its reader has gone. ERR and HUP are reported whether asked for or not (poll(2)).
        let mut asked = [PollFd::new(&stdout, PollFlags::empty())];
        let gone = PollFlags::ERR | PollFlags::HUP;
        poll(&mut asked, Some(&Timespec::default())).is_ok() && asked[0].revents().intersects(gone)
    }

    /// Returns `text` in bold where colours are shown.
    pub fn bold<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.shows_colour() { format!("\x1b[1m{text}\x1b[0m").into() } else { text.into() }
    }

    /// Returns `text` dimmed where colours are shown.
    pub fn dim<'t>(&self, text: &'t dyn Display) -> impl Display + 't {
        self.styled("\x1b[2m", text)
    }

    /// Returns `text` as a match, in grep's colour if colours are on.
    pub fn mark<'t>(&self, text: &'t dyn Display) -> impl Display + 't {
        self.styled("\x1b[1;31m", text)
    }

    fn styled<'t>(&self, style: &'static str, text: &'t dyn Display) -> impl Display + 't {
        let (begin, end) = if self.shows_colour() { (style, "\x1b[0m") } else { ("", "") };
        fmt::from_fn(move |formatter| write!(formatter, "{begin}{text}{end}"))
    }

    /// Returns the columns of the terminal that shows the results; `None` when none does.
    pub fn columns(&self) -> Option<usize> {
        self.stdout_is_terminal.then(|| {
            let size = terminal_size::terminal_size_of(io::stdout());
            size.map_or(FALLBACK_COLUMNS, |(width, _)| usize::from(width.0)).max(40)
        })
    }

    /// Writes a help text as a result, in colour where colours are shown.
    pub fn help(&self, plain: &str, coloured: &str) -> Result<(), OutputError> {
        self.result_bytes(if self.shows_colour() { coloured } else { plain }.as_bytes())?;
        self.flush()
    }

    /// Prints what is wrong with the command line, in colour if colours are on.
    pub fn complain(&self, plain: &str, coloured: &str) {
        let shows_colour = self.stderr_is_terminal && self.wants_colour;
        let _ = io::stderr().write_all(if shows_colour { coloured } else { plain }.as_bytes());
    }

    /// Says what a stage did.
    pub fn stage(&self, name: &str, what: &str) {
        if self.verbosity > Verbosity::Quiet {
            say(&format!("{name:<9} {what}"));
        }
    }

    /// Returns whether only results and problems are wanted.
    pub fn is_quiet(&self) -> bool {
        self.verbosity == Verbosity::Quiet
    }

    /// Returns whether everything that was noticed is wanted.
    pub fn is_verbose(&self) -> bool {
        self.verbosity == Verbosity::Verbose
    }

    /// Says what only a curious user wants to know.
    pub fn detail(&self, what: &str) {
        if self.verbosity == Verbosity::Verbose {
            say(&format!("          {what}"));
        }
    }

    /// Says what a user may not expect.
    pub fn note(&self, what: &str) {
        if self.verbosity > Verbosity::Quiet {
            say(&format!("note      {}", self.invocation().told(what)));
        }
    }

    /// Prints a warning.
    pub fn warn(&self, what: &str) {
        say(&format!("warning   {what}"));
    }

    /// Warns of something that an earlier run reported; silent if only news are wanted.
    pub fn warn_again(&self, what: &str) {
        if self.verbosity > Verbosity::Quiet {
            self.warn(what);
        }
    }

    /// Warns of problems, only of the first ones unless all are wanted; `rest` says where to find the others.
    /// `count` is how many there are; `all` may hold fewer.
    pub fn warn_of<T>(&self, problems: &[T], count: u64, rest: &str, told: impl Fn(&T) -> String) {
        let named = if self.is_verbose() { problems.len() } else { problems.len().min(TOLD_PROBLEMS) };
        problems.iter().take(named).for_each(|problem| self.warn(&told(problem)));
        if count > named as u64 {
            self.warn(&format!("and {} more: {rest}", human::count(count - named as u64)));
        }
    }

    /// Says why the command failed.
    pub fn failure(&self, failure: &Failure) {
        // An expression that cannot be read is shown below the message, with a mark under the place.
        let mut head = "error";
        for line in failure.message.split('\n') {
            say(&format!("{head:<9} {line}"));
            head = "";
        }
        if let Some(hint) = &failure.hint {
            self.hint(hint);
        }
    }

    /// Says what to do about a warning or a failure.
    pub fn hint(&self, hint: &str) {
        say(&format!("hint      {}", self.invocation().told(hint)));
    }

    /// Returns a progress bar for a stage; hidden unless a person looks on.
    pub fn progress(&self, stage: &str) -> ProgressBar {
        let bar = ProgressBar::hidden();
        self.show_progress(&bar, stage);
        bar
    }

    /// Shows a progress bar that was hidden; nothing happens unless a person looks on.
    pub fn show_progress(&self, bar: &ProgressBar, stage: &str) {
        if !self.stderr_is_terminal || self.verbosity == Verbosity::Quiet {
            return;
        }
        bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(8));
        if let Ok(style) = ProgressStyle::with_template("{prefix:<9} {msg} {elapsed}") {
            bar.set_style(style);
        }
        bar.set_prefix(stage.to_owned());
        bar.enable_steady_tick(Duration::from_millis(250));
    }
}

/// Writes a line to stderr with control characters escaped. A closed stderr is ignored.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{}", terminal(line));
}

/// Writes a value as JSON in which what would not be safe on a terminal is escaped, wherever it goes: it is read as the
/// same value.
pub fn write_json(out: &mut dyn Write, value: &impl Serialize) -> io::Result<()> {
    Ok(value.serialize(&mut serde_json::Serializer::with_formatter(out, Escaped))?)
}

/// JSON on one line. `serde_json` itself escapes the control characters of ASCII, except the last.
struct Escaped;

impl serde_json::ser::Formatter for Escaped {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut shown = 0;
        let is_plain = fragment.is_ascii() && !fragment.contains('\x7f');
        for (at, character) in hidden(if is_plain { "" } else { fragment }) {
            out.write_all(&fragment.as_bytes()[shown..at])?;
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(out, "\\u{unit:04x}")?;
            }
            shown = at + character.len_utf8();
        }
        out.write_all(&fragment.as_bytes()[shown..])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_harmless_and_the_same_value() {
        let text = "a\x1b[31m\u{9b}2J \u{202e}é\x7f\t\"\\ \u{1f600}\u{feff}\u{e0041}";
        let mut written = Vec::new();
        write_json(&mut written, &serde_json::json!({ "text": text, "\u{85}": [1, null] })).unwrap();
        let written = String::from_utf8(written).unwrap();
        assert_eq!(
            written,
            r#"{"text":"a\u001b[31m\u009b2J \u202eé\u007f\t\"\\ 😀\ufeff\udb40\udc41","\u0085":[1,null]}"#
        );
        let read: serde_json::Value = serde_json::from_str(&written).unwrap();
        assert_eq!((&read["text"], &read["\u{85}"][0]), (&text.into(), &1.into()));
    }
}
