//! The integration tests: one binary, a module a feature.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod clarity;
mod commands;
mod crash_points;
mod deadline;
mod decode;
mod digest;
mod docs;
mod examples;
mod faults;
mod groups;
mod hints;
mod house;
mod ledger_file;
mod moved;
mod old_states;
mod order;
mod outages;
mod outbox;
mod pasted;
mod pipeline;
mod points;
mod readers;
mod retention;
mod rot;
mod search;
mod servers;
mod shapes;
mod site;
mod smtp;
mod sources;
mod stages;
mod store;
mod support;
mod sync;
mod tidy;
