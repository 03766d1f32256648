//! The core of gzette: values in, values out. No files, network, clock, randomness, printing or async; `now` is a
//! parameter. Only [`workers`] starts threads.
//!
//! The modules in reading order, each built on those before it: [`model`], [`human`], [`visible`], [`paste`], [`words`], [`decode`],
//! [`trace`], [`parse`], [`events`], [`group`], [`query`], [`custom`], [`partial`], [`proof`], [`plan`], [`retention`], [`stats`], [`workers`].

pub mod custom;
pub mod decode;
pub mod events;
pub mod group;
pub mod human;
pub mod model;
pub mod parse;
pub mod partial;
pub mod paste;
pub mod plan;
pub mod proof;
pub mod query;
pub mod retention;
pub mod stats;
pub mod trace;
pub mod visible;
pub mod words;
pub mod workers;
