//! Why an event is in its group: what was masked, and which frames decided.

use std::borrow::Cow;
use std::collections::HashSet;

use super::{GroupSettings, VARIABLE, bounded, first_line, group_with, read, said_by, typed_by};
use crate::model::Grouped;
use crate::trace;

/// What decided the group of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The group by the built-in rules.
    pub group: Grouped,
    /// The text that the template was made of: the message's first line, or what the outermost exception says.
    pub text: String,
    /// Its template.
    pub template: String,
    /// What stands in the text where the template has a variable, as far as the two run alongside.
    pub masked: Vec<String>,
    /// The exceptions of the stack trace, outermost first.
    pub exceptions: Vec<ExplainedException>,
}

/// An exception of a stack trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedException {
    /// Its type; empty when there is none.
    pub kind: String,
    /// Its frames, innermost first.
    pub frames: Vec<ExplainedFrame>,
}

/// A frame of a stack trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExplainedFrame {
    /// Its name without what differs between builds.
    pub name: String,
    /// Whether it is the application's own.
    pub is_own: bool,
    /// Whether it is part of what decides.
    pub decides: bool,
}

/// Returns why an event is in its group; the arguments are those of [`group_with`].
pub fn explain(message: &str, trace: Option<&str>, settings: &GroupSettings) -> Explanation {
    let (message, trace) = (bounded(message), trace.map(bounded));
    let group = group_with(message, trace, settings);
    let found = read(message, trace);
    let first = found.as_ref().and_then(|trace| trace.exceptions.first());
    let text = first.map_or("", |first| typed_by(message, first).1);
    let text = if text.is_empty() { first_line(said_by(message, trace)) } else { text };
    let template = settings.template(text);
    let exceptions = found.map(|trace| exceptions(&trace, settings)).unwrap_or_default();
    Explanation { group, masked: masked(text, &template), text: text.to_owned(), template, exceptions }
}

fn exceptions(trace: &trace::Trace<'_>, settings: &GroupSettings) -> Vec<ExplainedException> {
    let of_one = |(exception, key): (&trace::Exception<'_>, Vec<Cow<'_, str>>)| {
        let mut key: HashSet<String> = key.into_iter().map(Cow::into_owned).collect();
        let frame = |frame: &trace::Frame<'_>| {
            let name = trace.language.named(frame);
            // Of a recursion the first round counts.
            let decides = key.remove(name.as_ref());
            ExplainedFrame {
                is_own: settings.frames.is_own(trace.language, frame),
                name: name.into_owned(),
                decides,
            }
        };
        ExplainedException {
            kind: trace.language.kind(exception).into_owned(),
            frames: exception.frames.iter().map(frame).collect(),
        }
    };
    trace.exceptions.iter().zip(trace.key_frames(&settings.frames)).map(of_one).collect()
}

/// Walks text and template side by side.
fn masked(text: &str, template: &str) -> Vec<String> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut pieces = template.split(VARIABLE);
    let Some(mut rest) = pieces.next().and_then(|start| text.strip_prefix(start)) else {
        return Vec::new();
    };
    let mut masked = Vec::new();
    for piece in pieces {
        let end = if piece.is_empty() { Some(rest.len()) } else { rest.find(piece) };
        let Some(end) = end else { break };
        masked.push(rest[..end].to_owned());
        rest = &rest[end + piece.len()..];
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn masks_are_told_with_what_they_hide() {
        let told = explain("order 4711 not  found in \"shop-7\"", None, &GroupSettings::default());
        assert_eq!(told.template, told.group.template);
        assert_eq!(told.masked[0], "4711");
        assert!(told.exceptions.is_empty());
    }

    #[test]
    fn frames_are_told_with_whose_they_are() {
        let trace = "a.X: order 7\n\tat java.util.List.get(L.java:1)\n\tat com.acme.A.b(A.java:2)\n\tat com.acme.A.b(A.java:2)";
        let told = explain("it broke", Some(trace), &GroupSettings::default());
        assert_eq!((told.text.as_str(), told.masked), ("order 7", vec!["7".to_owned()]));
        let frames: Vec<_> = told.exceptions[0]
            .frames
            .iter()
            .map(|frame| (frame.name.as_str(), frame.is_own, frame.decides))
            .collect();
        assert_eq!(
            frames,
            [
                ("java.util.List.get", false, false),
                ("com.acme.A.b", true, true),
                ("com.acme.A.b", true, false)
            ]
        );
    }
}
