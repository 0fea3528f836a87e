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
mod keep;
mod keyring;
mod log;
mod pack;
mod places;
mod ports;
mod removal;
mod search;
mod sharing;
mod tickets;
mod together;
mod tokens;
