//! Traces of Perl, as Carp writes them: `message at Cart.pm line 31.`, then `\tCart::pay(17) called at server.pl line 12`.
//!
//! A line names the place of a call and the function called, so a function's own file is on the line before its own.

use super::{Exception, Frame, MAX_FRAMES, has_extension, lines};

/// Reads a trace that has frames.
pub(super) fn exceptions(text: &str) -> Vec<Exception<'_>> {
    let mut exception = Exception::default();
    let mut file = "";
    for line in lines(text) {
        if let Some((name, place)) = call(line.trim_start()) {
            if exception.frames.len() < MAX_FRAMES {
                exception.frames.push(Frame { name, file });
            }
            file = place;
        } else if exception.frames.is_empty()
            && let Some((message, place)) = died(line)
        {
            (exception.message, file) = (message, place);
        }
    }
    (!exception.frames.is_empty()).then_some(exception).into_iter().collect()
}

/// Reads `message at FILE line 31.`.
pub(super) fn died(line: &str) -> Option<(&str, &str)> {
    let (before, number) = line.trim_end().rsplit_once(" line ")?;
    let number = number.split([',', '.']).next().unwrap_or(number);
    let (message, file) = before.rsplit_once(" at ")?;
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && !file.is_empty() && !file.contains('"')).then_some((message.trim_start(), file))
}

/// Reads `Cart::pay(17) called at FILE line 12`; returns function and file.
pub(super) fn call(line: &str) -> Option<(&str, &str)> {
    let (call, place) = line.rsplit_once(" called at ")?;
    let file = place.split(" line ").next().unwrap_or(place);
    let name = call.split(['(', ' ']).next().unwrap_or(call);
    let is_call = call.ends_with([')', '}']) || call.starts_with("require ");
    (is_call && place.contains(" line ") && !name.is_empty()).then_some((name, file))
}

/// Whether a file is one of Perl's, or a script given on the command line.
pub(super) fn is_script(file: &str) -> bool {
    file == "-e" || has_extension(file, &["pl", "pm", "t", "cgi", "psgi"])
}
