//! JSON Patch (RFC 6902), as it arrives, with one operation more.

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
    /// Adds to a counter; not of RFC 6902. What devices add while they are apart adds
    /// up. A whole number becomes a counter, and so does nothing: from 0.
    Increment {
        /// Where.
        path: String,
        /// How much; less than 0 takes away.
        by: i64,
    },
    /// Goes on only if this is there.
    Test {
        /// Where.
        path: String,
        /// What.
        value: Value,
    },
}
