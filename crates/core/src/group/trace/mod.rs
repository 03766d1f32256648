//! Stack traces: which exceptions a text holds, from the outermost to the root, each with its frames from the
//! innermost call on. A file a family of languages reads its way of writing them; `vendor` says whose frames are
//! not the application's own.
//!
//! **Traces that a length limit cut.** A group's id is a function of one event, so a cut trace can only have the
//! id of the whole one if what was lost is no part of the key. Of each exception only the [`KEY_FRAMES`] topmost
//! own frames are, and a last `Caused by` line with nothing behind it is passed over, for it may break off in its
//! name. So a JVM, JavaScript, Go or Rust trace agrees with the whole one when the cut is behind those frames of
//! the root. What no pure function can give: a trace that lost its root, or Python's that lost its last line
//! (where the type stands) groups by what it has.

mod dotnet;
mod go;
mod javascript;
mod jvm;
mod python;
mod rust;
#[cfg(test)]
mod tests;
mod vendor;

use std::borrow::Cow;
use std::collections::HashSet;

pub use vendor::FramePrefixes;

/// The topmost own frames of an exception that decide.
const KEY_FRAMES: usize = 8;
/// An endless recursion prints 1,024 frames; no more are looked at.
const MAX_FRAMES: usize = 1024;
/// A chain of causes longer than this is cut.
const MAX_EXCEPTIONS: usize = 32;
/// The longest cycle of frames that is looked for.
const MAX_CYCLE: usize = 8;

/// Whose way of writing a trace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    /// Java, Kotlin, Scala.
    Jvm,
    /// JavaScript in V8: Node.js, Chrome.
    JavaScript,
    /// C#, F#, Visual Basic.
    DotNet,
    Python,
    Go,
    Rust,
}

/// The exceptions of a text, from the outermost to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trace<'t> {
    pub(super) language: Language,
    pub(super) exceptions: Vec<Exception<'t>>,
}

/// One exception of a trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Exception<'t> {
    /// The name of its type; empty when the trace does not say it, and for panics, which have none.
    pub(super) kind: &'t str,
    /// What it says, on its first line.
    pub(super) message: &'t str,
    /// Its frames, innermost first.
    pub(super) frames: Vec<Frame<'t>>,
}

/// A call on the stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Frame<'t> {
    /// The function, with its module or class where the language writes it.
    pub(super) name: &'t str,
    /// The file, without a line number; empty where the name says it all.
    pub(super) file: &'t str,
}

/// Reads the trace in `text`. Without frames, a text that a dotted exception type begins is one, too.
pub(super) fn read(text: &str) -> Option<Trace<'_>> {
    let (language, exceptions) = if memchr::memchr(b'\n', text.as_bytes()).is_none() {
        (Language::Jvm, jvm::thrown(text))
    } else if memchr::memmem::find(text.as_bytes(), python::START.as_bytes()).is_some() {
        (Language::Python, python::exceptions(text))
    } else if rust::is_panic(text) {
        (Language::Rust, rust::exceptions(text))
    } else if let Some(language) = lines(text).find_map(called_at) {
        let exceptions = match language {
            Language::DotNet => dotnet::exceptions(text),
            Language::JavaScript => javascript::exceptions(text),
            _ => jvm::exceptions(text),
        };
        (language, exceptions)
    } else if memchr::memmem::find(text.as_bytes(), b".go:").is_some() {
        (Language::Go, go::exceptions(text))
    } else {
        (Language::Jvm, jvm::thrown(text))
    };
    (!exceptions.is_empty()).then_some(Trace { language, exceptions })
}

/// Returns for each line of a text whether it is a frame of the application's own, or of others; `None` for a line that
/// is no frame. Groups are told apart by the same judgement.
pub fn frame_lines(text: &str, prefixes: &FramePrefixes) -> Vec<Option<bool>> {
    let starts: Vec<usize> = lines(text).map(|line| offset(text, line).unwrap_or_default()).collect();
    let mut marks: Vec<Option<bool>> = lines(text).map(|line| called(line, prefixes)).collect();
    let Some(trace) = read(text) else {
        return marks;
    };
    for frame in trace.exceptions.iter().flat_map(|exception| &exception.frames) {
        let is_own = prefixes.is_own(trace.language, frame);
        // Go writes the file below the function.
        for at in [frame.name, frame.file].into_iter().filter_map(|part| offset(text, part)) {
            let line = starts.partition_point(|&start| start <= at).saturating_sub(1);
            marks[line] = Some(is_own);
        }
    }
    marks
}

/// Judges a line by itself: frames of suppressed exceptions decide no group, but are shown.
fn called(line: &str, prefixes: &FramePrefixes) -> Option<bool> {
    let language = called_at(line)?;
    let line = line.trim_start();
    let frame = match language {
        Language::JavaScript => javascript::frame(line)?,
        _ => jvm::frame(line)?,
    };
    Some(prefixes.is_own(language, &frame))
}

/// Returns where a part of a text stands in it; `None` for a text that is no part of it.
fn offset(text: &str, part: &str) -> Option<usize> {
    let at = (part.as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    (!part.is_empty() && at < text.len()).then_some(at)
}

/// The language of a line `at …`, if it is a frame of one.
fn called_at(line: &str) -> Option<Language> {
    let line = line.trim_start();
    if !line.starts_with("at ") {
        return None;
    }
    if javascript::frame(line).is_some() {
        return Some(Language::JavaScript);
    }
    jvm::frame(line).map(|_| if dotnet::is_frame(line) { Language::DotNet } else { Language::Jvm })
}

impl Trace<'_> {
    pub(super) fn has_frames(&self) -> bool {
        self.exceptions.iter().any(|exception| !exception.frames.is_empty())
    }

    /// Whether an exception of this language is told by what it says, for want of a type.
    pub(super) fn is_panic(&self) -> bool {
        matches!(self.language, Language::Go | Language::Rust)
    }

    /// The frames of each exception that decide: the topmost own ones, or of all, if none is the application's.
    /// Those of a cause end at the first that the exception around it has, too, so that it does not matter
    /// whether the rest is printed, left out as `... 12 more`, or cut off.
    pub(super) fn key_frames(&self, prefixes: &FramePrefixes) -> Vec<Vec<Cow<'_, str>>> {
        let is_own = |frame: &&Frame<'_>| prefixes.is_own(self.language, frame);
        let any_own =
            self.exceptions.iter().any(|exception| exception.frames.iter().any(|frame| is_own(&frame)));
        let mut around = HashSet::new();
        let mut out = Vec::new();
        for exception in &self.exceptions {
            let frames: Vec<_> = exception.frames.iter().filter(|frame| !any_own || is_own(frame)).collect();
            let new = frames.iter().take_while(|frame| !around.contains(*frame));
            out.push(topmost(new.map(|frame| self.language.named(frame))));
            around = frames.into_iter().collect();
        }
        out
    }
}

impl Language {
    /// A frame's name without what a build, a run or a place of installation made up.
    pub(super) fn named<'t>(self, frame: &Frame<'t>) -> Cow<'t, str> {
        match self {
            Self::Jvm => jvm::normalised(frame.name),
            Self::DotNet => dotnet::normalised(frame.name),
            Self::JavaScript => javascript::normalised(frame),
            Self::Python => Cow::Owned(format!("{}:{}", file_name(frame.file), frame.name)),
            Self::Go => go::normalised(frame.name),
            Self::Rust => Cow::Borrowed(frame.name),
        }
    }
}

/// The last part of a path of either kind.
fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// The first [`KEY_FRAMES`] frames, recursion collapsed: a run of frames that repeats at once is kept once.
fn topmost<'t>(frames: impl Iterator<Item = Cow<'t, str>>) -> Vec<Cow<'t, str>> {
    let mut out: Vec<Cow<'t, str>> = Vec::new();
    for frame in frames {
        out.push(frame);
        let repeated = (1..=MAX_CYCLE.min(out.len() / 2)).find(|&cycle| {
            let (before, last) = out.split_at(out.len() - cycle);
            before.ends_with(last)
        });
        if let Some(cycle) = repeated {
            out.truncate(out.len() - cycle);
        }
        // No cycle reaches back from here to the frames that decide.
        if out.len() > KEY_FRAMES + 2 * MAX_CYCLE {
            break;
        }
    }
    out.truncate(KEY_FRAMES);
    out
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

/// Splits `Type: message`; the type is a name, dotted or not.
fn typed(line: &str) -> Option<Exception<'_>> {
    let is_name = |letter: char| letter.is_alphanumeric() || matches!(letter, '.' | '_' | '$' | '`' | '+');
    let end = line.find(|letter| !is_name(letter)).unwrap_or(line.len());
    let (kind, rest) = line.split_at(end);
    let starts = kind.starts_with(|first: char| first.is_alphabetic() || first == '_');
    let is_type = starts && (rest.is_empty() || rest.starts_with(':'));
    is_type.then(|| Exception { kind, message: rest.trim_start_matches([':', ' ']), frames: Vec::new() })
}

/// Strips `:12` or `:12:5` from a place in a file.
fn without_line(place: &str) -> &str {
    place.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == ':')
}
