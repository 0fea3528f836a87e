//! Data plane, without I/O: where bytes live and how they move. It never reads
//! plaintext.

pub mod batch;
pub mod net;
pub mod pipe;
pub mod plane;
pub mod visitor;
pub mod visits;
