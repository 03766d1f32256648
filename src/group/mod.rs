//! Message and stack trace to template to group id: pure functions of the event.
