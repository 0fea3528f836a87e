//! Who keeps, sealed, what somebody founded: by their relationship, without being let in.
//!
//! Invariant: both sides said so, and nothing but the relationship decides: it ends with it.
//! Non-goals: how much is kept (the keeper's word, and its node's business), and spaces that
//! somebody is merely in: whoever founded those has their own people.

use std::collections::BTreeSet;

use node_model::{AgentId, SpaceId};

use super::{Graph, Side};
use crate::attestation::Party;

impl Graph {
    /// The founder's side and the keeper's, if that agent keeps this space for its founder.
    /// Whoever is in it needs no such right, and who was removed or left does not keep it.
    #[must_use]
    pub fn keeper(&self, space: SpaceId, agent: AgentId) -> Option<(&Side, &Side)> {
        let facts = self.spaces.get(&space)?;
        let founder = facts.founder;
        let is_outside = !facts.members.contains_key(&agent)
            && !facts.membership.former.contains_key(&Party::Agent(agent));
        if !is_outside || !facts.members.contains_key(&founder) {
            return None;
        }
        self.relationship(founder, agent)
            .filter(|(theirs, keepers)| theirs.terms.lets_them_keep && keepers.terms.keeps_for_them)
    }

    /// Who keeps a space for its founder.
    pub fn keepers(&self, space: SpaceId) -> impl Iterator<Item = AgentId> {
        let (first, last) = (AgentId([0; 32]), AgentId([255; 32]));
        let of_founder = self
            .spaces
            .get(&space)
            .map(|facts| self.sides.range((facts.founder, first)..=(facts.founder, last)));
        let agents = of_founder.into_iter().flatten().map(|((_, agent), _)| *agent);
        agents.filter(move |agent| self.keeper(space, *agent).is_some())
    }

    /// The spaces that an agent keeps for others.
    #[must_use]
    pub fn kept_by(&self, agent: AgentId) -> BTreeSet<SpaceId> {
        let spaces = self.spaces.keys().copied();
        spaces.filter(|space| self.keeper(*space, agent).is_some()).collect()
    }
}
