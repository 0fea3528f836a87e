//! placeholder

pub mod disk;
