//! Who is in a space, and who keeps it.

use std::collections::BTreeMap;

use node_model::{AgentId, SpaceId};
use trust_core::{Role, TrustError};

use crate::{
    failure::Failure,
    node::Node,
    request::{MemberInfo, Response},
};

impl Node {
    pub(crate) fn members(&self, space: SpaceId) -> Result<Response, Failure> {
        self.need_role(space, Role::Custodian)?;
        self.member_infos(space).map(Response::Members)
    }

    pub(crate) fn member_infos(&self, space: SpaceId) -> Result<Vec<MemberInfo>, Failure> {
        let graph = self.trust.graph();
        let facts = graph.spaces.get(&space).ok_or(TrustError::NoSuchSpace)?;
        let mut holds: BTreeMap<AgentId, u64> = BTreeMap::new();
        for (_, holding) in graph.holders(self.trust.agent(), space) {
            let most = holds.entry(holding.agent).or_default();
            *most = holding.bytes.max(*most);
        }
        let members = facts.members.iter().map(|(agent, member)| MemberInfo {
            agent: *agent,
            name: self.trust.name_of(*agent),
            role: member.role,
            via: member.via,
            is_founder: *agent == facts.founder,
            is_keeper: false,
            holds: holds.get(agent).copied(),
        });
        let keepers = graph.keepers(space).map(|agent| MemberInfo {
            agent,
            name: self.trust.name_of(agent),
            role: Role::Custodian,
            via: None,
            is_founder: false,
            is_keeper: true,
            holds: holds.get(&agent).copied(),
        });
        Ok(members.chain(keepers).collect())
    }
}
