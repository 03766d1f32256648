//! The shell: what people configure, type and read.

pub mod cli;
pub mod config;
pub mod demo;
pub mod error;
pub mod project;
pub mod ui;
