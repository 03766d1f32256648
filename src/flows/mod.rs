//! The use cases, in the order of a run: each takes what the edges give, has the core work it out, and hands it on.

pub mod digest;
pub mod error;
pub mod identity;
pub mod ingest;
pub mod prune;
pub mod publish;
pub mod report;
pub mod run;
pub mod search;
pub mod site;
pub mod sync;
pub mod verify;
