//! The network transport of a node: libp2p over TCP with TLS and over QUIC.
//!
//! It moves frames on lanes and blobs by verified ranges, and tells the node
//! what happened. Peers are authenticated by their device key; whom to trust is
//! the node's decision, told by `Admit` and `Forbid`.
//!
//! Invariants: a frame arrives between `Connected` and `Disconnected` of its
//! device; until a device is admitted nothing but pairing reaches the node; a
//! blob is reported only when it is durable; the swarm is never kept waiting by
//! the node, a peer or the disk.
//! Non-goals: finding addresses beyond the local network, and deciding anything.

mod address;
mod behaviour;
mod circuit;
mod config;
mod dial;
mod gate;
mod handler;
mod inbound;
mod jobs;
mod lane;
mod meeting;
mod muxer;
mod outbound;
mod peer;
mod start;
mod swarm_task;
mod task;

pub use config::{NetConfig, Network, StartError};
pub use start::start;
