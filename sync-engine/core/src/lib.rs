//! x
pub mod digest;
pub mod document;
pub mod entry;
pub mod json;
pub mod patch;
pub mod store;
