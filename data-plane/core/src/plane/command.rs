//! What the node tells the data plane, and what that tells the node.

use std::collections::BTreeSet;

use node_model::{BlobId, DeviceId, SpaceId};

/// How near a peer is: of several the nearest is dialled and asked first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearness {
    /// In the same place.
    SameSite,
    /// Not far.
    SameRegion,
    /// Anywhere, as far as anybody said.
    #[default]
    Elsewhere,
}

/// Room for blobs of some spaces together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    /// The spaces.
    pub spaces: BTreeSet<SpaceId>,
    /// How many bytes more.
    pub bytes: u64,
}

/// What the node tells the data plane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Where a device may be found; remembered beside what is known.
    Know {
        /// The device.
        device: DeviceId,
        /// Multiaddrs without a peer id.
        addresses: Vec<String>,
    },
    /// The devices to be connected with, whenever they can be reached.
    Seek {
        /// All of them.
        devices: BTreeSet<DeviceId>,
    },
    /// The spaces that a device may hold; none admits it to nothing but pairing.
    Share {
        /// The device.
        device: DeviceId,
        /// All of its spaces.
        spaces: BTreeSet<SpaceId>,
        /// Whether lanes other than pairing are open to it.
        is_admitted: bool,
        /// How near it is.
        nearness: Nearness,
    },
    /// Entries of a space refer to these blobs.
    Refer {
        /// The space.
        space: SpaceId,
        /// The blobs.
        blobs: BTreeSet<BlobId>,
    },
    /// Entries of a space do not refer to these blobs any more.
    Release {
        /// The space.
        space: SpaceId,
        /// The blobs.
        blobs: BTreeSet<BlobId>,
    },
    /// These blobs are complete here.
    Hold {
        /// The blobs, each with its length in bytes.
        blobs: Vec<(BlobId, u64)>,
    },
    /// How much room there is for more blobs of some spaces; for those of all others there is
    /// room.
    Limit {
        /// No space is in two of them.
        rooms: Vec<Room>,
    },
    /// Ask peers again for what they did not have: it may have reached them since.
    FetchAgain,
    /// Try every peer now, whatever the last failure.
    DialNow,
    /// Dial one device once, for pairing.
    Dial {
        /// The device.
        device: DeviceId,
        /// Multiaddrs without a peer id.
        addresses: Vec<String>,
    },
}

/// What the data plane tells the node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A connection to the device exists now.
    Connected {
        /// The device.
        device: DeviceId,
    },
    /// The last connection to the device is gone.
    Disconnected {
        /// The device.
        device: DeviceId,
    },
    /// A dial failed.
    Unreachable {
        /// The device.
        device: DeviceId,
        /// Why.
        reason: String,
    },
    /// A blob that an entry refers to is here now.
    BlobArrived {
        /// The blob.
        blob: BlobId,
    },
}
