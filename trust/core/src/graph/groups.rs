//! Who is in spaces by being in others.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{AgentId, AttestationId, SpaceId};

use super::{Graph, Member};
use crate::{attestation::Party, words::Role};

/// How deep groups are looked into.
const GROUP_DEPTH_MAX: usize = 8;

/// What membership of a group brings in the outermost space.
struct Within {
    role: Role,
    via: SpaceId,
    because: Vec<AttestationId>,
}

impl Graph {
    pub(super) fn expand_groups(&mut self) {
        let ids: Vec<SpaceId> = self.spaces.keys().copied().collect();
        for id in ids {
            let mut members = BTreeMap::new();
            self.collect_members(id, None, &mut BTreeSet::new(), &mut members);
            if let Some(space) = self.spaces.get_mut(&id) {
                space.members = members;
            }
        }
    }

    /// Members of a space and of the groups in it; a group that contains itself
    /// adds nobody.
    fn collect_members(
        &self,
        id: SpaceId,
        within: Option<&Within>,
        seen: &mut BTreeSet<SpaceId>,
        members: &mut BTreeMap<AgentId, Member>,
    ) {
        if seen.len() >= GROUP_DEPTH_MAX || !seen.insert(id) {
            return;
        }
        let space = self.spaces.get(&id);
        for (party, standing) in space.into_iter().flat_map(|it| &it.membership.members) {
            // In a group, whoever may read the group is meant.
            if within.is_some() && !standing.role.holds_keys() {
                continue;
            }
            let mut because = standing.because.clone();
            because.extend(within.into_iter().flat_map(|outer| outer.because.iter().copied()));
            match party {
                Party::Group(group) => {
                    let (role, via) =
                        within.map_or((standing.role, *group), |outer| (outer.role, outer.via));
                    let inner = Within { role, via, because };
                    self.collect_members(*group, Some(&inner), seen, members);
                }
                Party::Agent(agent) => {
                    let role = within.map_or(standing.role, |outer| outer.role);
                    let via = within.map(|outer| outer.via);
                    let member = Member { role, via, because };
                    let known = members.entry(*agent).or_insert_with(|| member.clone());
                    if role.includes(known.role) && role != known.role {
                        *known = member;
                    }
                }
            }
        }
        // Only on the way to itself a group counts once.
        seen.remove(&id);
    }
}
