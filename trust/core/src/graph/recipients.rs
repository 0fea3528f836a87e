//! Whom keys of spaces are wrapped to.
//!
//! Devices, and the root of each agent: whoever lost all devices comes back by the recovery
//! phrase, and what others keep of theirs, sealed, opens again (decision 27).

use node_model::{AgentId, DeviceId, sign::agreement_key};

use super::Graph;

/// Something that keys are wrapped to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Recipient {
    /// A device, by the HPKE key of its link; a device that several agents linked is several.
    Device {
        /// Which.
        device: DeviceId,
        /// Its public X25519 key.
        hpke: [u8; 32],
    },
    /// The root of an agent.
    Root(AgentId),
}

impl Recipient {
    /// What wraps for it are filed under: the public signing key.
    #[must_use]
    pub fn id(self) -> DeviceId {
        match self {
            Self::Device { device, .. } => device,
            Self::Root(agent) => DeviceId(agent.0),
        }
    }

    /// The X25519 key to seal to; `None` when a root is no point of the curve.
    #[must_use]
    pub fn hpke_public(self) -> Option<[u8; 32]> {
        match self {
            Self::Device { hpke, .. } => Some(hpke),
            Self::Root(agent) => agreement_key(&agent.0),
        }
    }
}

impl Graph {
    /// The devices of an agent, and its root, once it has signed the link of one: others may
    /// let in any bytes, to which nothing can be wrapped.
    pub(crate) fn recipients_of(&self, agent: AgentId) -> impl Iterator<Item = Recipient> {
        let device = |(device, facts): (DeviceId, &super::Device)| Recipient::Device {
            device,
            hpke: facts.hpke,
        };
        let root = self.devices_of.contains_key(&agent).then_some(Recipient::Root(agent));
        self.devices_of(agent).map(device).chain(root)
    }

    /// Whom that is given to which is wrapped to a key: the agents of the device, or the one
    /// whose root it is.
    pub(crate) fn agents_behind(&self, key: DeviceId) -> impl Iterator<Item = AgentId> {
        let root = self.links(key).next().is_none().then_some(AgentId(key.0));
        self.agents_of(key).chain(root)
    }
}
