//! Facts of all three planes about what may keep copies from being equal.

use std::collections::BTreeMap;

use node_model::{AgentId, DeviceId, DocumentId, Now, SpaceId};
use sync_engine_core::{DocumentTrouble, reconcile::PeerState};
use trust_core::{Party, Role};

use super::{
    DoctorOf,
    causes::Consent,
    diagnosis::{Facts, Out, PeerFacts, SpaceFacts},
};
use crate::node::Node;

/// Documents that are looked at for a warning: nobody waits for more.
const WARNED_LOOKS_MAX: usize = 128;

/// Which documents are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Documents {
    None,
    /// Those that were looked at before, and few more.
    Known,
    All,
}

impl Node {
    /// Gathers what is to be known now.
    pub(super) fn facts(&mut self, now: Now, of: DoctorOf, looked_at: Documents) -> Facts {
        let wanted = self.data.wanted_by_space();
        let mut sharing = self.sharing(of);
        let spaces: Vec<SpaceId> = self.trust.spaces().filter(|it| of.has_space(*it)).collect();
        let mut facts = Facts::default();
        for space in spaces {
            let out = self.out_of(space);
            if out.is_none() && self.has_left(space) {
                continue;
            }
            let (documents, is_all) = self.troubles(space, of, looked_at);
            facts.has_unknown_documents |= !is_all;
            let unopened = self.sync.unopened().get(&space);
            facts.spaces.push(SpaceFacts {
                space,
                out,
                is_open: self.sync.has_space(space),
                lacks_room: self.data.lacks_room(space),
                store_error: unopened.or_else(|| self.sync.store_error(space)).cloned(),
                peers: self.peers_of(space, sharing.remove(&space).unwrap_or_default()),
                files_wanted: wanted.get(&space).copied().unwrap_or_default(),
                documents,
            });
        }
        self.note_clocks(now, &mut facts);
        if of == DoctorOf::Everything {
            facts.consents = self.consents();
        }
        facts
    }

    /// Looks whether the clocks of those who refuse us are ahead.
    fn note_clocks(&self, now: Now, facts: &mut Facts) {
        let refuses = |peer: &&mut PeerFacts| {
            peer.copies.as_ref().is_some_and(|copies| copies.state == PeerState::Denied)
        };
        let peers = facts.spaces.iter_mut().flat_map(|space| &mut space.peers);
        let refusing: Vec<&mut PeerFacts> = peers.filter(refuses).collect();
        // It means to look through all statements.
        if refusing.is_empty() {
            return;
        }
        let ahead = self.trust.dated_ahead(now.wall);
        for peer in refusing {
            peer.clock_ahead = ahead.get(&peer.peer).copied();
        }
    }

    /// For each space the peers that share it, connected or not. Most pairs of a large node
    /// are well, and the loop stands still meanwhile: what is the same in all spaces of a
    /// peer is looked up once.
    fn sharing(&self, of: DoctorOf) -> BTreeMap<SpaceId, Vec<PeerFacts>> {
        let mut sharing: BTreeMap<SpaceId, Vec<PeerFacts>> = BTreeMap::new();
        for (device, share) in &self.shares {
            let coming = self.data.fetching_from(*device);
            let known = self.data.peer(*device);
            let foreign = self.doctor.foreign.get(device).copied();
            for space in share.spaces.iter().filter(|space| of.has_space(**space)) {
                sharing.entry(*space).or_default().push(PeerFacts {
                    peer: *device,
                    is_connected: known.is_some_and(|it| it.is_connected),
                    has_address: known.is_some_and(|it| !it.addresses.is_empty()),
                    failure: known.and_then(|it| it.last_failure.clone()),
                    foreign,
                    is_circuit: known.is_some_and(|it| it.circuit.is_some()),
                    is_congested: known.is_some_and(|it| it.is_congested),
                    clock_ahead: None,
                    copies: None,
                    files_coming: coming.get(space).copied().unwrap_or_default(),
                });
            }
        }
        sharing
    }

    /// The same with how their copies of the space compare with ours.
    fn peers_of(&self, space: SpaceId, mut peers: Vec<PeerFacts>) -> Vec<PeerFacts> {
        let devices = peers.iter().map(|peer| peer.peer);
        let mut copies = self.sync.copy_facts(space, devices).unwrap_or_else(|error| {
            tracing::warn!(%space, %error, "could not look how far peers were read");
            BTreeMap::new()
        });
        for peer in &mut peers {
            peer.copies = copies.remove(&peer.peer);
        }
        peers
    }

    /// How others put us out of a space, if they did.
    fn out_of(&self, space: SpaceId) -> Option<Out> {
        let graph = self.trust.graph();
        let own = graph.link(self.trust.device(), self.trust.agent());
        if own.is_some_and(|own| own.revoked.is_some()) {
            return Some(Out::DeviceRevoked);
        }
        (self.is_former(space) && !self.has_left(space)).then_some(Out::Removed)
    }

    fn is_former(&self, space: SpaceId) -> bool {
        let me = self.trust.agent();
        self.trust.graph().spaces.get(&space).is_some_and(|facts| {
            facts.membership.former.contains_key(&Party::Agent(me))
                && !facts.members.contains_key(&me)
        })
    }

    fn has_left(&self, space: SpaceId) -> bool {
        self.is_former(space) && self.leave_of(space).is_some()
    }

    /// What is wrong with documents, and whether that is all.
    fn troubles(
        &mut self,
        space: SpaceId,
        of: DoctorOf,
        looked_at: Documents,
    ) -> (Vec<(DocumentId, DocumentTrouble)>, bool) {
        // Whoever keeps it sealed sees no documents.
        if looked_at == Documents::None || self.need_role(space, Role::Reader).is_err() {
            return (Vec::new(), true);
        }
        let troubles = match looked_at {
            Documents::Known => self.sync.known_troubles(space, WARNED_LOOKS_MAX),
            Documents::None | Documents::All => {
                self.sync.document_troubles(space).map(|troubles| (troubles, true))
            }
        };
        match troubles {
            Ok((troubles, is_all)) => {
                let asked = troubles.iter().filter(|(document, _)| of.has_document(**document));
                (asked.map(|(document, trouble)| (*document, *trouble)).collect(), is_all)
            }
            Err(error) => {
                tracing::warn!(%space, %error, "could not look at documents");
                (Vec::new(), false)
            }
        }
    }

    /// Who has to agree before there is anything to share.
    fn consents(&self) -> Vec<(Option<DeviceId>, Consent)> {
        let mut waiting: BTreeMap<Option<DeviceId>, Consent> = BTreeMap::new();
        let (me, graph) = (self.trust.agent(), self.trust.graph());
        let said = graph.sides.keys().filter(|(by, _)| *by == me).map(|(_, of)| *of);
        for agent in said.filter(|agent| graph.relationship(me, *agent).is_none()) {
            if let Some(devices) = self.shut_out(agent) {
                waiting.extend(devices.into_iter().map(|it| (it, Consent::Relationship(agent))));
            }
        }
        for (device, is_inviting) in self.pairings.unconfirmed() {
            let consent = if is_inviting { Consent::Inviting } else { Consent::Accepting };
            waiting.insert(Some(device), consent);
        }
        waiting.into_iter().collect()
    }

    /// The known devices of an agent, or `None` in place of them, if none may come in;
    /// nothing if one may, because the two share a space.
    fn shut_out(&self, agent: AgentId) -> Option<Vec<Option<DeviceId>>> {
        let devices: Vec<_> =
            self.trust.graph().devices_of(agent).map(|(device, _)| device).collect();
        let is_admitted =
            |device: &DeviceId| self.shares.get(device).is_some_and(|share| share.is_admitted);
        if devices.iter().any(is_admitted) {
            return None;
        }
        let known = devices.into_iter().map(Some).collect::<Vec<_>>();
        Some(if known.is_empty() { vec![None] } else { known })
    }
}
