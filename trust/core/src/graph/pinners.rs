//! Who may say up to where somebody's entries count.

use std::collections::BTreeSet;

use node_model::{AgentId, DeviceId, SpaceId};

use super::Graph;
use crate::words::Role;

impl Graph {
    /// The devices that may cut off entries of `author` in a space: those of its admins, and
    /// of the admins of groups by which members are in it, since they remove members; and
    /// the author's own, since they take devices back. `None` as long as no device of one
    /// of them is known.
    #[must_use]
    pub fn pinners(&self, space: SpaceId, author: AgentId) -> Option<BTreeSet<DeviceId>> {
        let mut agents = BTreeSet::from([author]);
        let (mut seen, mut left) = (BTreeSet::from([space]), vec![space]);
        while let Some(facts) = left.pop().and_then(|id| self.spaces.get(&id)) {
            for (agent, member) in &facts.members {
                if member.role.includes(Role::Admin) {
                    agents.insert(*agent);
                }
                left.extend(member.via.filter(|group| seen.insert(*group)));
            }
        }
        if agents.iter().any(|agent| !self.devices_of.contains_key(agent)) {
            return None;
        }
        let devices = agents.into_iter().flat_map(|agent| self.devices_of(agent));
        Some(devices.map(|(device, _)| device).collect())
    }
}
