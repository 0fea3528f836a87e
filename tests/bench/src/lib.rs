//! What the benchmarks share: the reference community, a pair of nodes, real processes,
//! and what this machine says they cost.

pub mod ask;
pub mod community;
pub mod cost;
pub mod doctor;
pub mod edits;
pub mod examine;
pub mod kill;
pub mod options;
pub mod pair;
pub mod real;
pub mod sets;
pub mod trust;
