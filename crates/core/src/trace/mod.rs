//! Stack traces: which exceptions a text holds, from the outermost to the root, each with its frames from the
//! innermost call on. A file a family of languages reads its way of writing them; `vendor` says whose frames are
//! not the application's own.
//!
//! **Traces that a length limit cut.** A group's id is a function of one event, so a cut trace can only have the
//! id of the whole one if the lost part is not in the key. Of each exception only the [`KEY_FRAMES`] topmost
//! own frames are, and a last `Caused by` line with nothing behind it is passed over, for it may break off in its
//! name. So a JVM, JavaScript, Go or Rust trace agrees with the whole one when the cut is behind those frames of
//! the root. What no pure function can give: a trace that lost its root, or Python's that lost its last line
//! (where the type stands) groups by what it has.

mod beam;
mod dart;
mod dotnet;
mod go;
mod javascript;
mod jvm;
mod line;
mod native;
mod perl;
mod php;
mod python;
mod ruby;
mod rust;
mod vendor;

use std::borrow::Cow;
use std::collections::HashSet;

pub use line::{TraceFollower, begins_crash, continues_trace, is_frame_line};
pub use vendor::FramePrefixes;

pub(super) use jvm::thrown_in;

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
pub enum Language {
    /// Java, Kotlin, Scala, Groovy, Clojure.
    Jvm,
    /// JavaScript in V8 (Node.js, Chrome), Firefox and Safari.
    JavaScript,
    /// C#, F#, Visual Basic.
    DotNet,
    /// Python.
    Python,
    /// Go.
    Go,
    /// Rust.
    Rust,
    /// Ruby.
    Ruby,
    /// PHP.
    Php,
    /// Elixir.
    Elixir,
    /// Erlang.
    Erlang,
    /// Dart, Flutter.
    Dart,
    /// C, C++, Swift, Objective-C.
    Native,
    /// Perl.
    Perl,
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
    /// Where a panic of Rust's was; empty for all others.
    pub(super) place: &'t str,
}

/// A call on the stack.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Frame<'t> {
    /// The function, with its module or class where the language writes it.
    pub(super) name: &'t str,
    /// The file, without a line number; empty where the name says it all.
    pub(super) file: &'t str,
}

/// Reads the trace in `text`: in the language of the first line that tells one. Without frames, a text that an
/// exception's type begins is one, too.
pub(super) fn read(text: &str) -> Option<Trace<'_>> {
    let told = lines(text).find_map(line::language_of);
    let language = told.unwrap_or(Language::Jvm);
    let exceptions = match language {
        Language::Jvm if told.is_none() => jvm::thrown(text),
        Language::Jvm => jvm::exceptions(text),
        Language::JavaScript => javascript::exceptions(text),
        Language::DotNet => dotnet::exceptions(text),
        Language::Python => python::exceptions(text),
        Language::Go => go::exceptions(text),
        Language::Rust => rust::exceptions(text),
        Language::Ruby => ruby::exceptions(text),
        Language::Php => php::exceptions(text),
        Language::Elixir => beam::elixir(text),
        Language::Erlang => beam::erlang(text),
        Language::Dart => dart::exceptions(text),
        Language::Native => native::exceptions(text),
        Language::Perl => perl::exceptions(text),
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
        let mut places = [frame.name, frame.file].into_iter().filter_map(|part| offset(text, part));
        // Go writes the file below the function; others may name it on the line of another frame.
        let count = if trace.language == Language::Go { 2 } else { 1 };
        for at in places.by_ref().take(count) {
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

/// Returns where a part of a text stands in it; `None` for a text that is not part of it.
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

    /// Whether a line is one that an exception's message was read from.
    pub(super) fn holds(&self, line: &str) -> bool {
        let held = |part: &str| offset(line, part).is_some();
        self.exceptions.iter().any(|found| held(found.kind) || held(found.message) || held(found.place))
    }

    /// What stands for the type of an exception that has none: its message, or of a failed `unwrap` its place, which is the
    /// function when there are frames. `None` when it says nothing, either.
    pub(super) fn told_by(
        &self,
        exception: &Exception<'_>,
        template: impl Fn(&str) -> String,
    ) -> Option<String> {
        let is_panic = matches!(self.language, Language::Go | Language::Rust);
        if exception.message.is_empty() {
            return None;
        }
        let said = match rust::unwrapped(exception.message).filter(|_| self.language == Language::Rust) {
            Some(said) if self.has_frames() => said.to_owned(),
            Some(said) => format!("{said} at {}", exception.place),
            None => template(exception.message),
        };
        Some(if is_panic { format!("panic: {said}") } else { said })
    }

    /// Whether no frame that decides says more than that a minifier named it.
    pub(super) fn is_nameless(&self, prefixes: &FramePrefixes) -> bool {
        let is_told = |frame: &Frame<'_>| frame.name != javascript::MINIFIED && frame.name != "<anonymous>";
        let frames = || self.exceptions.iter().flat_map(|exception| &exception.frames);
        let has_minified = frames().any(|frame| frame.name == javascript::MINIFIED);
        has_minified && !frames().any(|frame| is_told(frame) && prefixes.is_own(self.language, frame))
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
    /// The type of an exception as its language writes it: PHP's has two backslashes for one in JSON.
    pub(super) fn kind<'t>(self, exception: &Exception<'t>) -> Cow<'t, str> {
        if self == Self::Php && exception.kind.contains("\\\\") {
            return Cow::Owned(exception.kind.replace("\\\\", "\\"));
        }
        Cow::Borrowed(exception.kind)
    }

    /// A frame's name without what a build, a run or a place of installation made up.
    pub(super) fn named<'t>(self, frame: &Frame<'t>) -> Cow<'t, str> {
        match self {
            Self::Jvm => jvm::normalised(frame.name),
            Self::DotNet => dotnet::normalised(frame.name),
            Self::JavaScript => javascript::normalised(frame),
            Self::Python => Cow::Owned(format!("{}:{}", file_name(frame.file), frame.name)),
            Self::Go => go::normalised(frame.name),
            Self::Rust | Self::Perl => Cow::Borrowed(frame.name),
            Self::Ruby => ruby::normalised(frame),
            Self::Php => php::normalised(frame),
            Self::Elixir | Self::Erlang => beam::normalised(frame.name),
            Self::Dart => dart::normalised(frame),
            Self::Native => native::normalised(frame.name),
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
    is_type.then(|| Exception { kind, message: rest.trim_start_matches([':', ' ']), ..Exception::default() })
}

/// Strips a number off the start of a text.
fn numbered(text: &str) -> Option<&str> {
    let rest = text.trim_start_matches(|letter: char| letter.is_ascii_digit());
    (rest.len() < text.len()).then_some(rest)
}

/// Strips `:12` off the end of a place in a file.
fn numbered_end(place: &str) -> Option<&str> {
    let rest = place.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if rest.len() < place.len() { rest.strip_suffix(':') } else { None }
}

/// Whether a file's name ends with a dot and one of these.
fn has_extension(file: &str, extensions: &[&str]) -> bool {
    let found = file_name(file).rsplit_once('.').map_or("", |(_, extension)| extension);
    extensions.contains(&found)
}

/// Strips `:12` or `:12:5` from a place in a file.
fn without_line(place: &str) -> &str {
    place.trim_end_matches(|letter: char| letter.is_ascii_digit() || letter == ':')
}
