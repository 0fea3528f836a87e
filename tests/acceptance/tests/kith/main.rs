//! The real `kith` as people and scripts use it; see the crate `acceptance` for the harness.

mod alone;
mod conflicts;
mod crash;
mod devices;
mod directory;
mod disk;
mod doctor;
mod doorway;
mod errors;
mod folder;
mod hung;
mod keyring;
mod keys;
mod log;
mod pack;
mod past;
mod places;
mod ports;
mod privacy;
mod removal;
mod search;
mod sharing;
mod tickets;
mod together;
mod tokens;
mod visits;
