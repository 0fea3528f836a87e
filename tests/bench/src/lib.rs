//! What the benchmarks share: the reference community, a pair of nodes, and what
//! this machine says they cost.

pub mod ask;
pub mod community;
pub mod cost;
pub mod edits;
pub mod pair;
pub mod sets;
pub mod trust;
