//! Who holds a space: by their signatures, by the location index, and by what connected peers
//! say now.
//!
//! Invariant: whoever may not hold a space is in no answer, whatever they say.
//! Non-goals: files, which nobody signs for; who shall hold what.

use std::collections::{BTreeMap, BTreeSet};

use node_model::{AgentId, DeviceId, Now, SpaceId};
use sync_engine_core::EngineError;
use trust_core::{
    Role, TrustError,
    graph::{Graph, Holding},
};

use crate::{
    failure::Failure,
    node::Node,
    request::{CustodyInfo, HolderInfo, LocationInfo, Response, SignedInfo},
};

impl Node {
    /// Who holds a space, or each that we may hold; circles have nothing to hold.
    pub(crate) fn custody(&self, now: Now, space: Option<SpaceId>) -> Result<Response, Failure> {
        let spaces: Vec<SpaceId> = match space {
            Some(space) => {
                self.need_role(space, Role::Custodian)?;
                vec![space]
            }
            None => {
                let spaces = self.trust.spaces().filter(|it| !self.trust.is_circle(*it));
                spaces.filter(|it| self.need_role(*it, Role::Custodian).is_ok()).collect()
            }
        };
        let infos = spaces.into_iter().map(|space| self.custody_of(now, space));
        infos.collect::<Result<_, _>>().map(Response::Custody)
    }

    fn custody_of(&self, now: Now, space: SpaceId) -> Result<CustodyInfo, Failure> {
        let info = self.space_info(space).ok_or(TrustError::NoSuchSpace)?;
        let entries = self.sync.kept_head(space).map_or(0, |head| head.entries);
        let elsewhere = self.sync.entries_up_to(space, self.elsewhere_up_to(space))?;
        let mut holders = self.holders(now, space)?;
        let me = self.trust.agent();
        let distance = |it: &HolderInfo| match it.layer {
            Some(layer) => 1 + u8::from(layer),
            None if it.agent == me => 0,
            None => u8::MAX,
        };
        holders.sort_by_key(|it| (!it.is_this, !it.is_connected, it.nearness, distance(it)));
        let graph = self.trust.graph();
        let own = graph.failure_domain(self.trust.device());
        let whole = holders.iter().filter(|it| !it.is_this && holds_all(it, entries));
        let places: BTreeSet<_> = whole.map(|it| graph.failure_domain(it.device)).collect();
        Ok(CustodyInfo {
            founder: self.founder_name(space),
            entries,
            only_here: entries.saturating_sub(elsewhere),
            places: places.into_iter().filter(|place| *place != own).count(),
            holders,
            info,
        })
    }

    fn holders(&self, now: Now, space: SpaceId) -> Result<Vec<HolderInfo>, EngineError> {
        let (own, graph) = (self.trust.device(), self.trust.graph());
        let located: BTreeMap<DeviceId, Holding> =
            graph.holders(self.trust.agent(), space).into_iter().collect();
        let sharing = self.shares.iter().filter(|(_, share)| share.spaces.contains(&space));
        let sharing = sharing.map(|(device, _)| *device);
        let devices: BTreeSet<DeviceId> =
            [own].into_iter().chain(sharing).chain(located.keys().copied()).collect();
        // Many signed for the same, and to count it may take a look at the disk.
        let mut counted: BTreeMap<u64, u64> = BTreeMap::new();
        let mut holders = Vec::new();
        for device in devices {
            let Some((agent, role)) = self.may_hold(graph, space, device) else { continue };
            let mut holder = self.holder(space, (device, agent, role));
            holder.location = located.get(&device).map(|holding| LocationInfo {
                bytes: holding.bytes,
                expires_at: holding.expires_at,
            });
            let place = if holder.is_this { u64::MAX } else { self.signed_up_to(space, device) };
            let at = if holder.is_this { Some(now.wall) } else { self.signed_at(space, device) };
            if let Some(at) = at.filter(|_| place > 0) {
                let entries = match counted.get(&place) {
                    Some(entries) => *entries,
                    None => self.sync.entries_up_to(space, place)?,
                };
                counted.insert(place, entries);
                holder.signed = Some(SignedInfo { entries, at });
            }
            holders.push(holder);
        }
        Ok(holders)
    }

    /// Whose a device is, and as what they hold a space, if they may.
    fn may_hold(&self, graph: &Graph, space: SpaceId, device: DeviceId) -> Option<(AgentId, Role)> {
        let agent = self.trust.agent_of(device)?;
        let member = graph.spaces.get(&space)?.members.get(&agent).map(|member| member.role);
        let keeper = || graph.keeper(space, agent).map(|_| Role::Custodian);
        Some((agent, member.or_else(keeper)?))
    }

    fn holder(
        &self,
        space: SpaceId,
        (device, agent, role): (DeviceId, AgentId, Role),
    ) -> HolderInfo {
        let (own, graph) = (self.trust.device(), self.trust.graph());
        let is_this = device == own;
        let facts = self.data.peer(device).cloned().unwrap_or_default();
        let link = self.trust.link_of(device);
        let equal = self.sync.equal_at(space, device);
        HolderInfo {
            device,
            device_name: link.map(|link| link.name.clone()).unwrap_or_default(),
            description: link.map(|link| link.description.clone()).unwrap_or_default(),
            agent,
            name: self.trust.name_of(agent),
            is_this,
            role,
            is_keeper: graph.keeper(space, agent).is_some(),
            layer: graph.closeness(self.trust.agent(), agent),
            nearness: graph.nearness(own, device),
            is_connected: is_this || facts.is_connected,
            is_equal: is_this || equal.is_some_and(|it| it.is_all_of_ours && it.is_still),
            signed: None,
            location: None,
            last_sync: self.last_sync.get(&device).copied(),
            addresses: if is_this { self.own_addresses() } else { facts.addresses },
        }
    }
}

fn holds_all(holder: &HolderInfo, entries: u64) -> bool {
    holder.signed.is_some_and(|signed| signed.entries >= entries)
}
