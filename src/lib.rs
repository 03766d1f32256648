//! gzette mirrors gz log objects from S3, counts and groups the errors in them, renders a static
//! dashboard, mails what changed and searches the lines offline.
//!
//! Four floors, each built on those below it (`tests/it/tidy.rs` holds the table, ARCHITECTURE.md says why):
//!
//! - [`gzette_core`], a crate of its own: values in and values out, without files, network or clock;
//! - [`edges`]: one outside thing each;
//! - [`flows`]: the use cases;
//! - [`shell`]: the configuration, the command line and what it prints.

pub mod edges;
pub mod flows;
pub mod shell;
