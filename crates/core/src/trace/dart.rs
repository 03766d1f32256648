//! Traces of Dart and Flutter: what was thrown, then `#0      Cart.pay (package:shop/cart.dart:31:7)`, innermost first; and
//! those of the package `stack_trace`, `package:shop/cart.dart 31:7  Cart.pay`.

use std::borrow::Cow;

use super::{Exception, Frame, MAX_FRAMES, file_name, has_extension, lines, numbered, numbered_end, typed};

/// Reads a trace that has frames.
pub(super) fn exceptions(text: &str) -> Vec<Exception<'_>> {
    let mut exception = Exception::default();
    let mut said = "";
    let mut is_announced = false;
    for line in lines(text) {
        let trimmed = line.trim();
        if let Some(frame) = frame(trimmed) {
            if exception.frames.len() < MAX_FRAMES {
                exception.frames.push(frame);
            }
        } else if !exception.frames.is_empty() || trimmed.is_empty() || is_announced && !said.is_empty() {
        } else if trimmed.ends_with("nhandled exception:") {
            (is_announced, said) = (true, "");
        } else {
            said = trimmed;
        }
    }
    let thrown = typed(said)
        .filter(|found| found.kind.starts_with(|first: char| first.is_uppercase() || first == '_'));
    let Exception { kind, message, .. } =
        thrown.unwrap_or(Exception { message: said, ..Exception::default() });
    let exception = Exception { kind, message, ..exception };
    (!exception.frames.is_empty()).then_some(exception).into_iter().collect()
}

/// Reads a frame of either kind.
pub(super) fn frame(line: &str) -> Option<Frame<'_>> {
    let Some(rest) = line.strip_prefix('#').and_then(numbered) else {
        return terse(line);
    };
    let (name, place) = rest.trim_start().strip_suffix(')')?.rsplit_once(" (")?;
    is_library(place).then(|| Frame { name, file: file(place) })
}

/// Reads `package:shop/cart.dart 31:7  Cart.pay`.
fn terse(line: &str) -> Option<Frame<'_>> {
    let (file, rest) = line.split_once(' ')?;
    let (place, name) = rest.trim_start().split_once("  ")?;
    let is_place = place.bytes().all(|byte| byte.is_ascii_digit() || byte == b':');
    (is_library(file) && is_place).then(|| Frame { name: name.trim_start(), file })
}

fn is_library(place: &str) -> bool {
    let is_scheme = ["package:", "dart:", "file:"].iter().any(|scheme| place.starts_with(scheme));
    is_scheme || has_extension(file(place), &["dart"])
}

/// The file of `package:shop/cart.dart:31:7`.
fn file(place: &str) -> &str {
    let line = numbered_end(place).unwrap_or(place);
    numbered_end(line).unwrap_or(line)
}

/// File and function, without closures.
pub(super) fn normalised<'t>(frame: &Frame<'t>) -> Cow<'t, str> {
    let name = frame.name.strip_prefix("new ").unwrap_or(frame.name);
    let name = name.split(".<").next().unwrap_or(name);
    Cow::Owned(format!("{}:{name}", file_name(frame.file)))
}
