//! Transports on loopback, with real sockets and stores.

mod blobs;
mod frames;
mod node;
mod starting;
