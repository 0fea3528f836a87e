//! What a node answers about people and their devices.

use node_model::{AgentId, DeviceId, SpaceId, Timestamp};
use sync_engine_core::reconcile::{Agreement, EntryProgress};
use trust_core::{Description, Journalled, Layer, Nearness, Role, Terms, explain::Explanation};

use super::PeerSyncState;

/// Who and where a node is.
#[derive(Clone, Debug)]
pub struct Identity {
    /// This device.
    pub device: DeviceId,
    /// Whose it is.
    pub agent: AgentId,
    /// What they want to be called.
    pub name: String,
    /// What the device is called.
    pub device_name: String,
    /// Multiaddrs at which others reach it: where it listens, and who passes them on.
    pub listen: Vec<String>,
}

/// A member of a space.
#[derive(Clone, Debug)]
pub struct MemberInfo {
    /// Who.
    pub agent: AgentId,
    /// What they want to be called.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The group that they are in by.
    pub via: Option<SpaceId>,
    /// Whether they founded the space.
    pub is_founder: bool,
    /// Whether they are no member, and keep it for its founder.
    pub is_keeper: bool,
    /// How many bytes of it a device of theirs says that it holds.
    pub holds: Option<u64>,
}

/// A relationship, or one side of it.
#[derive(Clone, Debug)]
pub struct RelationInfo {
    /// With whom.
    pub agent: AgentId,
    /// What they want to be called.
    pub name: String,
    /// Their devices, and what they say of them.
    pub devices: Vec<(DeviceId, Description)>,
    /// What we say.
    pub mine: Option<Terms>,
    /// What they say.
    pub theirs: Option<Terms>,
    /// How close, once both said so.
    pub layer: Option<Layer>,
    /// How many bytes we keep for them now, entries and files.
    pub kept_bytes: u64,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Who stands for what about them.
    pub vouches: Vec<VouchInfo>,
}

/// Somebody stands for something.
#[derive(Clone, Debug)]
pub struct VouchInfo {
    /// Who.
    pub by: AgentId,
    /// What they want to be called.
    pub name: String,
    /// What, in their words.
    pub text: String,
}

/// One of our devices.
#[derive(Clone, Debug)]
pub struct DeviceInfo {
    /// Which.
    pub device: DeviceId,
    /// What it is called.
    pub name: String,
    /// What is said of it.
    pub description: Description,
    /// Whether it is this one.
    pub is_this: bool,
    /// Whether it was taken back.
    pub is_revoked: bool,
}

/// What becomes another of what is said of a device: `None` stays as it is, an empty
/// text says nothing any more.
#[derive(Clone, Debug, Default)]
pub struct DescriptionChange {
    /// The class: a word of [`DeviceClass`](trust_core::DeviceClass).
    pub class: Option<String>,
    /// The site.
    pub site: Option<String>,
    /// The region.
    pub region: Option<String>,
}

/// Devices in one place: ours, and those of people whom we are related to.
#[derive(Clone, Debug)]
pub struct ClusterInfo {
    /// The site; `None` for devices of which only the region is known.
    pub site: Option<String>,
    /// The region.
    pub region: Option<String>,
    /// How near this device is to it.
    pub nearness: Nearness,
    /// The devices.
    pub devices: Vec<ClusterDevice>,
}

/// A device in a place.
#[derive(Clone, Debug)]
pub struct ClusterDevice {
    /// Which.
    pub device: DeviceId,
    /// Whose.
    pub agent: AgentId,
    /// What its owner calls it.
    pub name: String,
    /// What is said of it.
    pub description: Description,
    /// Whether a connection exists; it does with this very device.
    pub is_connected: bool,
}

/// A decision, explained.
#[derive(Clone, Debug)]
pub struct WhyInfo {
    /// What was decided.
    pub line: Journalled,
    /// In words.
    pub explanation: Explanation,
    /// Whether it was written down before; else it is the answer of now.
    pub is_past: bool,
    /// Whether its statements give the same answer again, or why not.
    pub replay: Result<(), String>,
}

/// Another node.
#[derive(Clone, Debug)]
pub struct PeerInfo {
    /// The device.
    pub device: DeviceId,
    /// Whose it is.
    pub agent: Option<AgentId>,
    /// What they want to be called.
    pub name: String,
    /// What is said of the device.
    pub description: Description,
    /// How close, if related.
    pub layer: Option<Layer>,
    /// Whether a connection exists.
    pub is_connected: bool,
    /// Who passes that on, unless it is a direct one.
    pub circuit: Option<DeviceId>,
    /// What it and we speak with each other, once it has said anything of it since it
    /// connected.
    pub agreement: Option<Agreement>,
    /// How it stands.
    pub state: PeerSyncState,
    /// How far the exchange of entries is that is running with it, over all spaces.
    pub progress: Option<EntryProgress>,
    /// When both last confirmed that all shared spaces are equal.
    pub last_sync: Option<Timestamp>,
    /// Where it may be found.
    pub addresses: Vec<String>,
    /// Why the last dial failed.
    pub last_failure: Option<String>,
}

/// A pairing with one of our tickets.
#[derive(Clone, Debug)]
pub struct Pairing {
    /// Who came.
    pub device: DeviceId,
    /// The code that they see too.
    pub code: String,
    /// Who they turned out to be, once done.
    pub agent: Option<AgentId>,
    /// What they want to be called.
    pub name: Option<String>,
}
