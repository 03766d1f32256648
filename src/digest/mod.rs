//! The mail of what changed, rendered from the report's view.
