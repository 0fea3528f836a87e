//! A device that took new keys says whose it is, where nobody else might.
//!
//! Its agent's root signed that, so it does not matter who brings it. The lane for pairing is
//! open to everybody, all others open once it is known.
//!
//! Invariant: from somebody unknown nothing is kept but the link of that very device to an agent
//! that we know, and what takes back another device of the same agent.

use node_model::{AttestationId, DeviceId, Now};
use serde_bytes::ByteBuf;
use trust_core::{Action, Attestation, Claim, pairing::Message};

use crate::node::Node;
use data_plane_core::net::Lane;

/// Most attestations in an introduction: with 1 KiB each it fits into a frame.
pub(crate) const INTRODUCTION_MAX: usize = 14;

impl Node {
    pub(crate) fn introduction(&self, ids: Vec<AttestationId>) -> Vec<ByteBuf> {
        ids.into_iter()
            .filter_map(|id| self.trust.attestation(id))
            .map(|attestation| ByteBuf::from(attestation.bytes()))
            .take(INTRODUCTION_MAX)
            .collect()
    }

    /// Tells a peer whose device this is, if it may know it by another name only.
    pub(crate) fn introduce_anew(&mut self, device: DeviceId) {
        if !self.trust.is_renewed() || !self.may(device, Action::Connect) {
            return;
        }
        let (own, me) = (self.trust.device(), self.trust.agent());
        let says_so = |said: &&Attestation| match &said.claim {
            Claim::DeviceLink { device, .. } => said.issuer == me && *device == own,
            Claim::DeviceRevocation { .. } => said.issuer == me && said.signer == own,
            Claim::Profile { .. }
            | Claim::Relationship { .. }
            | Claim::Vouch { .. }
            | Claim::SpaceFounding { .. }
            | Claim::SpaceGrant { .. }
            | Claim::SpaceRevocation { .. }
            | Claim::SpaceEpoch { .. }
            | Claim::Location { .. }
            | Claim::Custody { .. }
            | Claim::EconomicEvent { .. }
            | Claim::RecoveryShare { .. }
            | Claim::WitnessReceipt { .. }
            | Claim::DeviceDescription { .. }
            | Claim::DocumentPurge { .. }
            | Claim::Unknown { .. } => false,
        };
        let visible = self.trust.visible_to(me).into_iter();
        let mut said: Vec<&Attestation> =
            visible.filter_map(|id| self.trust.attestation(id)).filter(says_so).collect();
        said.sort_unstable_by_key(|said| (said.height, said.id));
        let ids: Vec<AttestationId> = said.into_iter().map(|said| said.id).collect();
        let attestations = self.introduction(ids);
        self.send(device, Lane::Pair, Message::Introduce { attestations }.encode());
    }

    /// A device says whose it is.
    pub(crate) fn on_introduction(&mut self, now: Now, device: DeviceId, attestations: &[ByteBuf]) {
        if self.trust.graph().devices.contains_key(&device) || attestations.len() > INTRODUCTION_MAX
        {
            return;
        }
        let read = attestations.iter().filter_map(|bytes| Attestation::read(bytes).ok());
        let read: Vec<Attestation> = read.collect();
        let link = read.iter().find(|said| {
            said.is_rooted()
                && matches!(said.claim, Claim::DeviceLink { device: of, .. } if of == device)
        });
        let Some(agent) = link.map(|link| link.issuer).filter(|it| self.trust.knows(*it)) else {
            return;
        };
        let is_wanted = |said: &&Attestation| {
            let takes_back = matches!(said.claim, Claim::DeviceRevocation { .. });
            said.issuer == agent && (Some(*said) == link || (takes_back && said.signer == device))
        };
        let wanted = read.iter().filter(is_wanted).map(|said| ByteBuf::from(said.bytes()));
        self.receive_attestations(now, device, &wanted.collect::<Vec<_>>());
    }
}
