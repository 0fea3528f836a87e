//! Data plane, without I/O: where bytes live and how they move. It never reads
//! plaintext.

pub mod net;
pub mod plane;
