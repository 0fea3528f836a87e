//! Transports on loopback, with real sockets and stores.

mod blobs;
mod circuits;
mod frames;
mod node;
mod starting;
