//! What the benchmarks share: the reference community, a pair of nodes, real processes,
//! and what this machine says they cost.

pub mod ask;
pub mod calm;
pub mod circuit;
pub mod community;
pub mod cost;
pub mod doctor;
pub mod edits;
pub mod examine;
pub mod growth;
pub mod kill;
pub mod open;
pub mod options;
pub mod pair;
pub mod path;
pub mod pending;
pub mod real;
pub mod resident;
pub mod sets;
pub mod start;
pub mod trust;
