//! The edges: each module deals with one outside thing and knows none of the others.

pub mod clock;
pub mod disk;
pub mod index;
pub mod ledger;
pub mod mail;
pub mod mirror;
pub mod state;
pub mod store;
