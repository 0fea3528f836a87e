//! What the script says.

use std::time::Duration;

use node_model::{DeviceId, Now, Timestamp};
use serde::Deserialize;

use crate::ask::Ask;

/// When something happened, by both clocks of the script, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Moment {
    /// Since the Unix epoch.
    wall_ms: u64,
    /// Since the script began; never goes back.
    ms: u64,
}

impl From<Moment> for Now {
    fn from(moment: Moment) -> Self {
        Self { monotonic: Duration::from_millis(moment.ms), wall: Timestamp(moment.wall_ms) }
    }
}

/// A call, without its pieces.
#[derive(Debug, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Call {
    /// Opens the node: the first call, and only that. Pieces: a seed of 32 bytes, the keys if
    /// there are some, then keys and values of all records.
    Open {
        /// What the person wants to be called; used when the identity is new.
        agent_name: String,
        /// What the device is called; used when the identity is new.
        device_name: String,
        /// Whether there are keys.
        has_keys: bool,
    },
    /// Somebody asks for something.
    Ask {
        /// Names the question in its reply.
        id: u64,
        /// What.
        ask: Ask,
    },
    /// A doorway answered with a challenge.
    Knock {
        /// Who it says that it is.
        node: DeviceId,
        /// Where it was reached.
        host: String,
        /// 64 hexadecimal digits.
        challenge: String,
    },
    /// A doorway let us in, and answered our challenge.
    Enter {
        /// Who it says that it is.
        node: DeviceId,
        /// 128 hexadecimal digits.
        signature: String,
    },
    /// The answer to a batch; the piece has it.
    Returned,
    /// There was no answer to a batch, or none that is one.
    Lost {
        /// What is known of it.
        why: String,
    },
    /// A device cannot be reached from here.
    Unreachable {
        /// Which.
        device: DeviceId,
        /// Why.
        why: String,
    },
    /// Loads the document of the first `load` effect that was not called for.
    Load,
    /// Time went by.
    Tick,
}

/// A call with its time.
#[derive(Debug, Deserialize)]
pub(crate) struct Timed {
    pub(crate) now: Moment,
    #[serde(flatten)]
    pub(crate) call: Call,
}
