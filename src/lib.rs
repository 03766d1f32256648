//! gzette mirrors gz log objects from S3, counts and groups the errors in them, renders a static
//! dashboard, mails what changed and searches the lines offline.
//!
//! The modules in reading order; each imports only from those above it (`tests/it/tidy.rs` holds
//! the table, ARCHITECTURE.md says why):
//!
//! - words: [`model`];
//! - core, values in and values out: [`human`], [`words`], [`decode`], [`parse`], [`group`], [`query`],
//!   [`overrides`], [`partial`], [`proof`], [`plan`], [`retention`], [`stats`];
//! - files written whole: [`disk`];
//! - edges, one outside thing each: [`store`], [`mirror`], [`ledger`], [`index`], [`mail`], [`clock`],
//!   [`state`];
//! - use cases: [`identity`], [`sync`], [`ingest`], [`search`], [`report`], [`site`], [`digest`], [`publish`],
//!   [`verify`], [`prune`], [`run`];
//! - shell: [`error`], [`config`], [`ui`], [`demo`], [`cli`].

pub mod model;

pub mod decode;
pub mod group;
pub mod human;
pub mod overrides;
pub mod parse;
pub mod partial;
pub mod paste;
pub mod plan;
pub mod proof;
pub mod query;
pub mod retention;
pub mod stats;
pub mod words;
pub mod workers;

pub mod disk;

pub mod clock;
pub mod index;
pub mod ledger;
pub mod mail;
pub mod mirror;
pub mod state;
pub mod store;

pub mod digest;
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

pub mod cli;
pub mod config;
pub mod demo;
pub mod error;
pub mod ui;
