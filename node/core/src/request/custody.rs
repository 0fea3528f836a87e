//! What a node answers about who holds what.

use node_model::{AgentId, DeviceId, Timestamp};
use trust_core::{Description, Layer, Nearness, Role};

use super::SpaceInfo;

/// A space, and who holds it.
#[derive(Clone, Debug)]
pub struct CustodyInfo {
    /// The space.
    pub info: SpaceInfo,
    /// What whoever founded it wants to be called.
    pub founder: String,
    /// Entries that this node keeps of it.
    pub entries: u64,
    /// Those of them for which nobody else signed: they would be lost with this device.
    pub only_here: u64,
    /// Places beside that of this device where all of them are, as somebody signed who may
    /// still hold them: what would be lost together is one place.
    pub places: usize,
    /// Every device that may hold the space: this one, then who is connected, who is near, who
    /// is close.
    pub holders: Vec<HolderInfo>,
}

/// A device that may hold a space, and what is known of what it holds.
#[derive(Clone, Debug)]
pub struct HolderInfo {
    /// Which.
    pub device: DeviceId,
    /// What its owner calls it.
    pub device_name: String,
    /// What is said of it.
    pub description: Description,
    /// Whose.
    pub agent: AgentId,
    /// What they want to be called.
    pub name: String,
    /// Whether it is this one.
    pub is_this: bool,
    /// What they may do in the space.
    pub role: Role,
    /// Whether they are no member, and keep it for its founder.
    pub is_keeper: bool,
    /// How close they are to us, if related; `None` for ourselves.
    pub layer: Option<Layer>,
    /// How near the device is.
    pub nearness: Nearness,
    /// Whether a connection exists; it does with this very device.
    pub is_connected: bool,
    /// Whether both said since they connected that they hold the same of the space.
    pub is_equal: bool,
    /// What it signed for; for this very device, what is on its disk.
    pub signed: Option<SignedInfo>,
    /// What the location index says of it.
    pub location: Option<LocationInfo>,
    /// When both last confirmed that all that they share is equal.
    pub last_sync: Option<Timestamp>,
    /// Where it may be found.
    pub addresses: Vec<String>,
}

/// For what of a space a device signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedInfo {
    /// How many of the entries that this node keeps.
    pub entries: u64,
    /// When, by the signer's clock.
    pub at: Timestamp,
}

/// What a device announced to hold of a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocationInfo {
    /// Bytes of entries and files.
    pub bytes: u64,
    /// Until when that is said.
    pub expires_at: Option<Timestamp>,
}
