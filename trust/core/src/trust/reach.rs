//! Whom the spaces that we founded reach, beyond those who were let in.

use node_model::{AgentId, DeviceId, SpaceId};

use super::Trust;
use crate::{
    attestation::{Claim, Party},
    decision::{Action, Question, Rule, reached},
    words::Reach,
};

impl Trust {
    /// Spaces that we founded and that this device may hold by their reach alone. Not those from
    /// which its agent was removed, unless by their own word or by ours: reach is no way around
    /// what another admin said, and whether it is one around ours the caller knows.
    #[must_use]
    pub fn reaching(&self, device: DeviceId) -> Vec<SpaceId> {
        let (me, graph) = (self.agent(), &self.graph);
        let Some(agent) = self.agent_of(device).filter(|agent| *agent != me) else {
            return vec![];
        };
        let founded = graph.spaces.iter().filter(|(_, facts)| facts.founder == me);
        let open = founded.filter(|(space, _)| {
            let action = Action::Hold(**space);
            let rule = self.decide(Question { device, action }).rule;
            // By its agent, not by another one who says that the device is theirs.
            matches!(rule, Rule::WithinReach | Rule::Commons) && self.reaches(**space, agent)
        });
        let welcome = open.filter(|(_, facts)| {
            let past = facts.membership.former.get(&Party::Agent(agent));
            let because = past.into_iter().flat_map(|past| &past.because);
            let mut said = because.filter_map(|id| self.attestations.get(id));
            said.all(|it| {
                let is_removal = matches!(it.claim, Claim::SpaceRevocation { .. });
                !is_removal || it.issuer == me || it.issuer == agent
            })
        });
        welcome.map(|(space, _)| *space).collect()
    }

    /// Whether a space reaches an agent, whether they are in it or not.
    #[must_use]
    pub fn reaches(&self, space: SpaceId, agent: AgentId) -> bool {
        self.graph.spaces.get(&space).is_some_and(|facts| {
            facts.reach == Reach::Commons || reached(&self.graph, facts, agent).is_some()
        })
    }
}
