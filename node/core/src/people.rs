//! Requests about people: members, relationships, devices; and what this node says
//! by itself since the world has changed.

use std::{collections::BTreeMap, time::Duration};

use node_model::{AgentId, DeviceId, Now, SpaceId, Timestamp, limit::NAME_BYTES_MAX, random_bytes};
use sync_engine_core::{entry::VerifiedEntry, store::StoreEpoch};
use trust_core::{
    Action, Admission, Party, Question, Role, Terms,
    attestation::{EntryPin, Prefix},
    graph::WriteLimit,
};

use crate::{
    failure::{Failure, FailureKind},
    mend::Mend,
    node::Node,
    purge::is_purged,
    request::{DeviceInfo, RelationInfo, Response, VouchInfo},
    route::Share,
};

/// Longest relationship that ends by itself.
const RELATION_LIFETIME_MAX: Duration = Duration::from_secs(100 * 365 * 24 * 60 * 60);

impl Node {
    pub(crate) fn grant(
        &mut self,
        now: Now,
        space: SpaceId,
        party: Party,
        role: Role,
    ) -> Result<Response, Failure> {
        self.admit(now, space, party, role)?;
        // What a person says holds whatever the reach.
        self.forget_follower(space, party)?;
        self.trust_changed(now);
        Ok(Response::Done)
    }

    /// Says that somebody is a member.
    pub(crate) fn admit(
        &mut self,
        now: Now,
        space: SpaceId,
        party: Party,
        role: Role,
    ) -> Result<(), Failure> {
        let pins = self.pins_of(space, party)?;
        let admission = Admission { space, party, role, pins };
        let granted = self.trust.grant(self.entropy.as_mut(), now.wall, admission);
        let mend = Mend::Grant { space: self.space_word(space), party: printed(party), role };
        granted.map_err(|error| self.explained(error, &mend))
    }

    /// Removes an agent or a group from a space, or leaves it.
    pub(crate) fn revoke(
        &mut self,
        now: Now,
        space: SpaceId,
        party: Party,
    ) -> Result<Response, Failure> {
        if self.trust.home_space() == Some(space) {
            let message = "this is your private space; nobody can be removed from it";
            return Err(Failure::new(FailureKind::Invalid, message, "kith space list"));
        }
        self.need_no_keeper(space, party)?;
        // First: who is removed must not come back by the reach.
        self.forget_follower(space, party)?;
        self.dismiss(now, space, party)?;
        self.trust_changed(now);
        Ok(Response::Done)
    }

    /// Says that somebody is no member any more.
    pub(crate) fn dismiss(
        &mut self,
        now: Now,
        space: SpaceId,
        party: Party,
    ) -> Result<(), Failure> {
        let pins = self.pins_of(space, party)?;
        let revoked = self.trust.revoke(self.entropy.as_mut(), now.wall, space, party, pins);
        let mend = Mend::Remove { space: self.space_word(space), party: printed(party) };
        revoked.map_err(|error| self.explained(error, &mend))
    }

    /// The last entries of an agent's devices that are here. Groups write nothing.
    fn pins_of(&self, space: SpaceId, party: Party) -> Result<Vec<EntryPin>, Failure> {
        let Party::Agent(agent) = party else { return Ok(vec![]) };
        let graph = self.trust.graph();
        let tips = self.sync.tips(space)?;
        let own = tips.into_iter().filter(|(device, _)| graph.link(*device, agent).is_some());
        let pins = own.map(|(device, tip)| EntryPin {
            device,
            sequence: tip.sequence,
            entry: Prefix::from(tip.id),
        });
        Ok(pins.collect())
    }

    /// An agent by its id, the id of a device of its, or a name that only one has.
    pub(crate) fn find_agent(&self, text: &str) -> Result<AgentId, Failure> {
        match text.parse::<AgentId>() {
            Ok(agent) => return Ok(agent),
            Err(error) if text.starts_with("did:") => {
                let fix = "kith relation list";
                return Err(Failure::new(FailureKind::Invalid, error.to_string(), fix));
            }
            Err(_) => {}
        }
        let graph = self.trust.graph();
        if let Ok(device) = text.parse::<DeviceId>()
            && let Some(agent) = self.trust.agent_of(device)
        {
            return Ok(agent);
        }
        let named: Vec<AgentId> =
            graph.names.iter().filter(|(_, name)| *name == text).map(|(agent, _)| *agent).collect();
        match named.as_slice() {
            [one] => Ok(*one),
            [] => {
                let message = format!("nobody here is called {text:?}");
                Err(Failure::new(FailureKind::NotFound, message, "kith relation list"))
            }
            [_, ..] => {
                let message = format!("{} people are called {text:?}; use the id", named.len());
                Err(Failure::new(FailureKind::Invalid, message, "kith relation list"))
            }
        }
    }

    pub(crate) fn relations(&self) -> Vec<RelationInfo> {
        let (me, graph) = (self.trust.agent(), self.trust.graph());
        let mut others: Vec<AgentId> = graph
            .sides
            .keys()
            .filter_map(|(one, other)| match (*one == me, *other == me) {
                (true, _) => Some(*other),
                (_, true) => Some(*one),
                (false, false) => None,
            })
            .collect();
        others.sort_unstable();
        others.dedup();
        let info = |agent: AgentId| {
            let (mine, theirs) = (graph.sides.get(&(me, agent)), graph.sides.get(&(agent, me)));
            let vouches = graph.vouches.get(&agent).into_iter().flatten();
            RelationInfo {
                agent,
                name: self.trust.name_of(agent),
                devices: graph
                    .devices_of(agent)
                    .map(|(device, facts)| (device, facts.description.clone()))
                    .collect(),
                mine: mine.map(|side| side.terms.clone()),
                theirs: theirs.map(|side| side.terms.clone()),
                layer: graph.closeness(me, agent),
                kept_bytes: self.bytes_kept_for(agent),
                expires_at: [mine, theirs]
                    .into_iter()
                    .flatten()
                    .filter_map(|it| it.expires_at)
                    .min(),
                vouches: vouches
                    .map(|vouch| VouchInfo {
                        by: vouch.by,
                        name: self.trust.name_of(vouch.by),
                        text: vouch.text.clone(),
                    })
                    .collect(),
            }
        };
        others.into_iter().map(info).collect()
    }

    pub(crate) fn relate(
        &mut self,
        now: Now,
        agent: AgentId,
        terms: Terms,
        lifetime: Option<Duration>,
    ) -> Result<Response, Failure> {
        if agent == self.trust.agent() {
            let message = "that is you";
            return Err(Failure::new(FailureKind::Invalid, message, "kith relation list"));
        }
        let expires_at =
            lifetime.map(|lifetime| now.wall.plus(lifetime.min(RELATION_LIFETIME_MAX)));
        self.trust.relate(now.wall, agent, (terms, expires_at), &[])?;
        self.trust_changed(now);
        self.keep_more();
        Ok(Response::Done)
    }

    pub(crate) fn part(&mut self, now: Now, agent: AgentId) -> Result<Response, Failure> {
        // They hear of it before the door closes.
        self.trust.part(now.wall, agent)?;
        for device in self.data.connected().collect::<Vec<_>>() {
            if self.trust.graph().is_device_of(device, agent) {
                self.pass_on(now, device, agent);
            }
        }
        self.trust_changed(now);
        Ok(Response::Done)
    }

    pub(crate) fn vouch(
        &mut self,
        now: Now,
        agent: AgentId,
        text: &str,
    ) -> Result<Response, Failure> {
        let text = text.trim();
        if text.is_empty() || text.len() > NAME_BYTES_MAX {
            let message = format!("what you vouch for has 1 to {NAME_BYTES_MAX} bytes");
            return Err(Failure::new(FailureKind::Invalid, message, "kith relation vouch --help"));
        }
        self.trust.vouch(now.wall, agent, text)?;
        self.trust_changed(now);
        Ok(Response::Done)
    }

    pub(crate) fn devices(&self) -> Vec<DeviceInfo> {
        let own = self.trust.agent();
        let graph = self.trust.graph();
        let devices = graph.devices.keys().filter_map(|id| Some((id, graph.link(*id, own)?)));
        devices
            .map(|(device, facts)| DeviceInfo {
                device: *device,
                name: facts.name.clone(),
                description: facts.description.clone(),
                is_this: *device == self.trust.device(),
                is_revoked: facts.revoked.is_some(),
            })
            .collect()
    }

    pub(crate) fn revoke_device(
        &mut self,
        now: Now,
        device: DeviceId,
    ) -> Result<Response, Failure> {
        let mut last = BTreeMap::new();
        for space in self.trust.spaces().collect::<Vec<_>>() {
            if let Some(tip) = self.sync.tips(space)?.get(&device) {
                last.insert(space, (tip.sequence, Prefix::from(tip.id)));
            }
        }
        self.trust.revoke_device(self.entropy.as_mut(), now.wall, device, &last)?;
        // It hears of it before the door closes.
        self.pass_on(now, device, self.trust.agent());
        self.trust_changed(now);
        Ok(Response::Done)
    }

    /// Takes back the device that this one was before it took new keys.
    pub(crate) fn retire_previous(&mut self, now: Now) {
        let Some(previous) = self.trust.previous_device() else { return };
        if let Err(failure) = self.revoke_device(now, previous) {
            tracing::error!(device = %previous, %failure, "could not take back the device before");
        }
    }

    /// Says what is due without being asked: keys for new devices and after
    /// somebody left, and what this node holds. Says whether there was anything.
    pub(crate) fn keep_trust(&mut self, now: Now) -> bool {
        let parted = self.part_with_followers(now);
        let mut held = BTreeMap::new();
        for space in self.trust.spaces().collect::<Vec<_>>() {
            let bytes = self.sync.stored_bytes(space);
            // Who keeps a part is nobody to ask for the space.
            if bytes > 0 && self.sync.kept(space).is_none() {
                held.insert(space, bytes);
            }
        }
        let kept = self.trust.keep_keys(self.entropy.as_mut(), now.wall);
        let located = self.trust.locate(now.wall, &held);
        match (kept, located) {
            (Ok(kept), Ok(located)) => parted || kept || located,
            (Err(error), _) | (_, Err(error)) => {
                tracing::warn!(%error, "could not say what is due");
                parted
            }
        }
    }

    /// A space must not be written to with keys that somebody has who left.
    pub(crate) fn prepare_to_write(&mut self, now: Now, space: SpaceId) -> Result<(), Failure> {
        if self.trust.prepare_to_write(self.entropy.as_mut(), now.wall, space)? {
            self.trust_changed(now);
        }
        Ok(())
    }

    pub(crate) fn note_decision(&mut self, now: Now, device: DeviceId, action: Action) {
        self.trust.decide_and_note(now.wall, Question { device, action });
    }

    /// Writes down what a device may have now and what it might have before.
    pub(crate) fn note_share(&mut self, now: Now, device: DeviceId, share: &Share) {
        self.note_decision(now, device, Action::Connect);
        let before = self.shares.get(&device).map(|share| share.spaces.clone());
        let spaces = before.into_iter().flatten().chain(share.spaces.iter().copied());
        for space in spaces.collect::<std::collections::BTreeSet<_>>() {
            self.note_decision(now, device, Action::Hold(space));
        }
    }

    /// Sets aside what does not count any more in spaces whose writers changed. After
    /// a flush, when nothing is staged.
    pub(crate) fn sort_out(&mut self, now: Now) {
        for space in std::mem::take(&mut self.unsorted) {
            self.purge_what_is_due(space);
            let limits = self.write_limits(space);
            let is_sorted = self.sorted.get(&space) == Some(&limits);
            let has_aside = self.sync.aside_count(space).is_ok_and(|count| count > 0);
            if is_sorted || (limits.is_empty() && !has_aside) {
                continue;
            }
            let epoch = StoreEpoch(random_bytes(self.entropy.as_mut()));
            let trust = &mut self.trust;
            let mut counts = |entry: &VerifiedEntry| counts(trust, now.wall, entry);
            match self.sync.sort_out(space, &mut counts, epoch) {
                Ok(()) => {
                    self.sorted.insert(space, limits);
                }
                Err(error) => tracing::error!(%space, %error, "could not set entries aside"),
            }
        }
    }

    /// Authors whose entries are not all welcome, and how far they are. Of a device whose
    /// disk was set back there may be two entries of one number: the last one alone
    /// tells nothing.
    fn write_limits(&self, space: SpaceId) -> BTreeMap<DeviceId, WriteLimit> {
        let graph = self.trust.graph();
        if !graph.spaces.contains_key(&space) {
            return BTreeMap::new();
        }
        let tips = self.sync.tips(space).unwrap_or_default();
        let others = tips.into_keys().filter(|device| *device != self.trust.device());
        let limits = others.map(|author| (author, graph.write_limit(space, author)));
        limits.filter(|(_, limit)| *limit != WriteLimit::Everything).collect()
    }
}

/// How a command names a party.
fn printed(party: Party) -> String {
    match party {
        Party::Agent(agent) => agent.to_string(),
        Party::Group(space) => space.to_string(),
    }
}

/// Whether an entry counts. What this very device wrote stays on it.
fn counts(trust: &mut trust_core::Trust, now: Timestamp, entry: &VerifiedEntry) -> bool {
    let header = entry.header();
    let action = Action::Write(header.space, Some((header.sequence, entry.id())));
    let question = Question { device: header.author, action };
    if is_purged(trust, now, entry) {
        return false;
    }
    if header.author == trust.device() {
        return true;
    }
    let decision = trust.decide(question);
    if !decision.is_allowed() {
        trust.note_decision(now, question, &decision);
    }
    decision.is_allowed()
}
