//! The user's word on what the built-in rules see: whose frames are the application's own, and what else varies
//! in messages.

use std::borrow::Cow;

use regex::Regex;

use super::VARIABLE;
use crate::trace::FramePrefixes;

/// What the user says about grouping, apart from custom groups.
#[derive(Clone, Debug, Default)]
pub struct GroupSettings {
    /// Whose frames are the application's own.
    pub frames: FramePrefixes,
    /// Parts of messages that vary; masked before anything else is.
    pub masks: Vec<Regex>,
}

impl GroupSettings {
    /// Returns the template of a text.
    pub(super) fn template(&self, text: &str) -> String {
        super::template(&self.masked(text))
    }

    fn masked<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut masked = Cow::Borrowed(text);
        for mask in &self.masks {
            // `Borrowed` means that nothing matched: most messages are not copied for any mask.
            if let Cow::Owned(text) = mask.replace_all(&masked, VARIABLE) {
                masked = Cow::Owned(text);
            }
        }
        masked
    }
}
