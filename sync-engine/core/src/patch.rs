//! JSON Patch (RFC 6902), as it arrives.

use serde::Deserialize;
use serde_json::Value;

/// Most operations in one patch.
pub const PATCH_OPS_MAX: usize = 10_000;

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum PatchOp {
    /// Sets a key or inserts into a list.
    Add {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
    /// Removes what is there.
    Remove {
        /// Where.
        path: String,
    },
    /// Replaces what is there.
    Replace {
        /// Where.
        path: String,
        /// By what.
        value: Value,
    },
    /// Removes here, adds there.
    Move {
        /// From where.
        from: String,
        /// Where to.
        path: String,
    },
    /// Adds there what is here.
    Copy {
        /// From where.
        from: String,
        /// Where to.
        path: String,
    },
    /// Goes on only if this is there.
    Test {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
}
