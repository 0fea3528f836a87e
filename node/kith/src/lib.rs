//! The `kith` program: its command line over the node and its doorway.

pub mod args;
pub mod client;
pub mod commands;
mod doorway;
pub mod duration;
mod elsewhere;
pub mod error;
mod guide;
pub mod home;
pub mod log;
#[cfg(test)]
mod refusals;
pub mod show;
