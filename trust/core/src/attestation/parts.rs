//! What claims are made of: scopes, parties, pins, terms.

use node_model::{AgentId, AttestationId, DeviceId, EntryId, SpaceId};
use serde::{Deserialize, Serialize};

use crate::{sites::Label, words::Layer};

/// What one chain of statements is about; chains are hash-linked for each signer
/// and scope, so whoever may see a scope sees all of it, and notices gaps.
///
/// A space's id, the other agent of a pair, the issuer itself for what it says
/// to everybody, or zeros for the founding of a space, which begins a scope.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Scope(#[serde(with = "serde_bytes")] pub [u8; 32]);

impl Scope {
    /// The scope of what founds others.
    pub const FOUNDING: Self = Self([0; 32]);
}

impl std::fmt::Debug for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Scope({})", SpaceId(self.0))
    }
}

/// Who is admitted to a space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Party {
    /// An agent.
    Agent(AgentId),
    /// All members of another space that hold its keys; as readers or custodians.
    Group(SpaceId),
}

/// The first half of an id: enough to tell it from all others that one signer made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Prefix(#[serde(with = "serde_bytes")] pub [u8; 16]);

impl From<AttestationId> for Prefix {
    fn from(id: AttestationId) -> Self {
        Self::of(&id.0)
    }
}

impl From<EntryId> for Prefix {
    fn from(id: EntryId) -> Self {
        Self::of(&id.0)
    }
}

impl Prefix {
    fn of(id: &[u8; 32]) -> Self {
        let mut prefix = [0; 16];
        prefix.copy_from_slice(&id[..16]);
        Self(prefix)
    }
}

/// The last entry of a device that still counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryPin {
    /// Its author.
    pub device: DeviceId,
    /// Its number.
    pub sequence: u64,
    /// Which entry has that number.
    pub entry: Prefix,
}

/// What of a revoked device still counts in one scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicePin {
    /// The scope.
    pub scope: Scope,
    /// Its last statement there, if it made one.
    pub tip: Option<Prefix>,
    /// Its last entry, where the scope is a space.
    pub entry: Option<(u64, Prefix)>,
}

/// What a relationship consists of, as one side sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// How close.
    pub layer: Layer,
    /// I keep copies for them.
    pub keeps_for_them: bool,
    /// They may keep copies for me.
    pub lets_them_keep: bool,
    /// They may ask for my recovery in an emergency.
    pub is_emergency_contact: bool,
    /// How much I keep for them, in bytes.
    pub quota_bytes: u64,
    /// What they are to me, in my words. No right rests on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Label>,
}

impl Terms {
    /// What meeting by a ticket brings: whoever shares an album has not agreed to keep
    /// everything of each other (decision 27).
    #[must_use]
    pub fn of_pairing() -> Self {
        Self { keeps_for_them: false, lets_them_keep: false, ..Self::of(Layer::Reciprocal) }
    }

    /// What a layer brings by itself (architecture, section 3): custody for
    /// sovereign and reciprocal relations, nothing for the others until asked.
    #[must_use]
    pub fn of(layer: Layer) -> Self {
        let has_custody = match layer {
            Layer::Sovereign | Layer::Reciprocal => true,
            Layer::Invested | Layer::Gift => false,
        };
        Self {
            layer,
            keeps_for_them: has_custody,
            lets_them_keep: has_custody,
            is_emergency_contact: false,
            quota_bytes: layer.quota_bytes(),
            kind: None,
        }
    }
}
