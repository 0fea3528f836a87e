//! The doorway: a node's HTTP entrance, for programs and for people with a
//! browser.
//!
//! Invariants: one table of routes (`routes.rs`) says who may use which; nothing
//! that a person stored runs as code in this origin; pages need no script.
//! Non-goal: deciding; the node does, the doorway asks it.

mod access;
mod api;
mod ask;
mod audit;
mod check;
mod config;
mod drain;
mod extract;
mod gates;
mod keys;
mod links;
mod markdown;
mod mastery;
mod openapi;
mod pages;
mod path;
mod problem;
mod progress;
mod range;
mod routes;
mod serve;
#[cfg(test)]
mod tests;
mod weight;

pub use config::{Access, DoorwayConfig, LocalToken};
pub use keys::ProgramKeys;
pub use openapi::openapi;
pub use pages::web::WEB_APP_INDEX;
pub use routes::router;
pub use serve::{serve_tcp, serve_unix};
