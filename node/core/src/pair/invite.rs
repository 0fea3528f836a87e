//! The side that made the ticket.

use std::time::Duration;

use data_plane_core::net::Lane;
use node_model::{
    AttestationId, DeviceId, Now, SpaceId, cbor, random_bytes,
    sign::Signature,
    ticket::{ADDRESSES_MAX, Ticket, TicketSecret},
};
use serde_bytes::ByteBuf;
use trust_core::{
    Action, Admission, Party, Role,
    pairing::{IssuedTicket, Message, Refusal, TicketKey, Transcript, commitment, ticket_key},
};

use super::{
    Accepting, INVITED_MAX, Invited, PAIRING_MAX, Pairings, TICKET_NOTES, said::introduced,
    ticket_note,
};
use crate::{
    effect::Effect,
    failure::Failure,
    node::Node,
    request::{Pairing, Response},
};

impl Pairings {
    /// Pairings in which both have shown who they are and a person has not agreed yet:
    /// with whom, and whether the ticket is ours.
    pub(crate) fn unconfirmed(&self) -> impl Iterator<Item = (DeviceId, bool)> {
        let invited = self.invited.iter().filter(|(_, pairing)| pairing.is_proven);
        let waits = |pairing: &Accepting| pairing.code.is_some() && !pairing.is_confirmed;
        let accepting = self.accepting.iter().filter(move |(_, pairing)| waits(pairing));
        let invited = invited.map(|(device, _)| (*device, true));
        invited.chain(accepting.map(|(device, _)| (*device, false)))
    }
}

impl Node {
    pub(crate) fn issue_ticket(
        &mut self,
        now: Now,
        (grant, is_for_own_device): (Option<(SpaceId, Role)>, bool),
        lifetime: Duration,
    ) -> Result<Response, Failure> {
        if is_for_own_device && !self.trust.holds_root() {
            return Err(trust_core::TrustError::NoRoot.into());
        }
        if let Some((space, role_there)) = grant {
            match self.trust.role_in(space) {
                None => return Err(Failure::no_such_space()),
                Some(role) if !role.includes(Role::Admin) => {
                    let error = trust_core::TrustError::NotAdmin(space);
                    let space = Some(self.space_word(space));
                    let mend = crate::Mend::Invite { space, role: Some(role_there) };
                    return Err(self.explained(error, &mend));
                }
                Some(_) => {}
            }
        }
        let ticket = Ticket {
            agent: self.trust.agent(),
            device: self.trust.device(),
            addresses: self.usual_addresses().into_iter().take(ADDRESSES_MAX).collect(),
            space: grant.map(|(space, _)| space),
            expires_at: now.wall.plus(lifetime),
            secret: TicketSecret(random_bytes(self.entropy.as_mut())),
        };
        let issued = IssuedTicket {
            secret: ticket.secret,
            expires_at: ticket.expires_at,
            grant,
            is_for_own_device,
            bound_to: None,
            is_used: false,
        };
        self.trust.put_note(&ticket_note(ticket_key(ticket.secret)), &issued)?;
        Ok(Response::Ticket(ticket))
    }

    /// Whether a device that may not connect may pair with us now: a ticket is open that it may
    /// hold, or a pairing is under way. So a doorway lets it in, as far as pairing goes.
    pub(crate) fn is_guest(&self, now: Now, device: DeviceId) -> bool {
        if self.may(device, Action::Connect) {
            return false;
        }
        let keys = self.trust.note_keys(TICKET_NOTES);
        let mut tickets = keys.filter_map(|key| self.trust.note::<IssuedTicket>(key));
        self.is_pairing_with(device) || tickets.any(|ticket| ticket.check(device, now.wall).is_ok())
    }

    pub(super) fn on_open(
        &mut self,
        now: Now,
        device: DeviceId,
        ticket: TicketKey,
        commitment: [u8; 32],
    ) {
        let Some(issued) = self.trust.note::<IssuedTicket>(&ticket_note(ticket)) else {
            self.refuse(device, Refusal::Unknown);
            return;
        };
        if let Err(reason) = issued.check(device, now.wall) {
            self.refuse(device, reason);
            return;
        }
        if self.pairings.invited.len() >= INVITED_MAX {
            self.refuse(device, Refusal::Unverified);
            return;
        }
        let own_nonce = random_bytes(self.entropy.as_mut());
        let ends_at = now.monotonic + PAIRING_MAX;
        let invited = Invited { ticket, commitment, own_nonce, is_proven: false, ends_at };
        self.pairings.invited.insert(device, invited);
        self.send(device, Lane::Pair, Message::Challenge { nonce: own_nonce }.encode());
    }

    pub(super) fn on_reveal(
        &mut self,
        now: Now,
        device: DeviceId,
        nonce: [u8; 32],
        proof: [u8; 32],
    ) {
        let Some(invited) = self.pairings.invited.get_mut(&device) else {
            self.refuse(device, Refusal::Unverified);
            return;
        };
        let transcript = Transcript {
            inviter: self.trust.device(),
            acceptor: device,
            inviter_nonce: invited.own_nonce,
            acceptor_nonce: nonce,
        };
        let note = ticket_note(invited.ticket);
        let Some(mut issued) = self.trust.note::<IssuedTicket>(&note) else {
            self.refuse(device, Refusal::Unknown);
            return;
        };
        let is_good =
            commitment(&nonce) == invited.commitment && transcript.is_proof(issued.secret, &proof);
        if !is_good {
            self.refuse(device, Refusal::Unverified);
            return;
        }
        invited.is_proven = true;
        // Somebody else may have proven to hold it meanwhile.
        if let Err(reason) = issued.check(device, now.wall) {
            self.refuse(device, reason);
            return;
        }
        issued.bound_to = Some(device);
        if let Err(error) = self.trust.put_note(&note, &issued) {
            tracing::error!(%error, "could not bind a ticket");
            self.refuse(device, Refusal::Unverified);
            return;
        }
        let code = transcript.code();
        self.pairings.show(Pairing { device, code: code.clone(), agent: None, name: None });
        self.effects.push_back(Effect::PairingCode { device, code });
    }

    pub(super) fn on_confirm(&mut self, now: Now, device: DeviceId, attestations: &[ByteBuf]) {
        let proven = self.pairings.invited.remove(&device).filter(|invited| invited.is_proven);
        let Some(invited) = proven else {
            self.refuse(device, Refusal::Unverified);
            return;
        };
        match self.complete_invited(now, device, invited.ticket, attestations) {
            Ok(()) => {}
            Err(error) => {
                tracing::warn!(%device, %error, "pairing failed");
                self.refuse(device, Refusal::Unverified);
            }
        }
    }

    fn complete_invited(
        &mut self,
        now: Now,
        device: DeviceId,
        ticket: TicketKey,
        attestations: &[ByteBuf],
    ) -> Result<(), trust_core::TrustError> {
        let note = ticket_note(ticket);
        let Some(mut issued) = self.trust.note::<IssuedTicket>(&note) else {
            self.refuse(device, Refusal::Unknown);
            return Ok(());
        };
        if issued.is_for_own_device {
            self.refuse(device, Refusal::OtherPurpose);
            return Ok(());
        }
        let Some(agent) = introduced(device, self.trust.agent(), attestations) else {
            self.refuse(device, Refusal::Unverified);
            return Ok(());
        };
        self.trust.welcome(attestations.iter().map(|bytes| bytes.as_slice()), now.wall)?;
        issued.is_used = true;
        let notes = [(note, cbor::encode(&issued))];
        self.trust.relate_by_pairing(now.wall, agent, &notes)?;
        // A ticket never takes away what somebody may already.
        let facts = |space| self.trust.graph().spaces.get(&space)?.members.get(&agent);
        let grant = issued.grant.filter(|(space, role)| {
            facts(*space).is_none_or(|member| !member.role.includes(*role))
        });
        if let Some((space, role)) = grant {
            let admission = Admission { space, party: Party::Agent(agent), role, pins: vec![] };
            self.trust.grant(self.entropy.as_mut(), now.wall, admission)?;
        }
        self.pairings.introductions.note_pairing(device);
        // The doors open before the other side hears that it may come in.
        self.trust_changed(now);
        let attestations = self.introduction(self.essentials(agent));
        self.send(device, Lane::Pair, Message::Complete { attestations }.encode());
        let name = self.trust.name_of(agent);
        let code = self.pairings.shown.iter().find(|pairing| pairing.device == device);
        let code = code.map(|pairing| pairing.code.clone()).unwrap_or_default();
        let pairing = Pairing { device, code, agent: Some(agent), name: Some(name.clone()) };
        self.pairings.show(pairing);
        self.effects.push_back(Effect::Paired { device, name });
        Ok(())
    }

    /// Somebody with a ticket for a device of our own wants to be one.
    pub(super) fn on_link(
        &mut self,
        now: Now,
        device: DeviceId,
        (hpke, name, consent): ([u8; 32], String, Signature),
    ) {
        let proven = self.pairings.invited.remove(&device).filter(|invited| invited.is_proven);
        let note = proven.map(|invited| ticket_note(invited.ticket));
        let issued = note.as_ref().and_then(|note| self.trust.note::<IssuedTicket>(note));
        let (Some(note), Some(mut issued)) = (note, issued) else {
            self.refuse(device, Refusal::Unverified);
            return;
        };
        if !issued.is_for_own_device {
            self.refuse(device, Refusal::OtherPurpose);
            return;
        }
        issued.is_used = true;
        let notes = [(note, cbor::encode(&issued))];
        let asked = (device, hpke, name.clone(), consent);
        match self.trust.link_device(self.entropy.as_mut(), now.wall, asked, &notes) {
            Ok(()) => {
                self.pairings.introductions.note_pairing(device);
                self.trust_changed(now);
                let attestations = self.introduction(self.own_links());
                self.send(device, Lane::Pair, Message::Complete { attestations }.encode());
                let agent = Some(self.trust.agent());
                let code = self.pairings.shown.iter().find(|it| it.device == device);
                let code = code.map(|it| it.code.clone()).unwrap_or_default();
                let pairing = Pairing { device, code, agent, name: Some(name.clone()) };
                self.pairings.show(pairing);
                self.effects.push_back(Effect::Paired { device, name });
            }
            Err(error) => {
                tracing::warn!(%device, %error, "linking failed");
                self.refuse(device, Refusal::Unverified);
            }
        }
    }

    /// The links of our devices, the newest first: it is the one that must arrive.
    fn own_links(&self) -> Vec<AttestationId> {
        let graph = self.trust.graph();
        let links = graph.devices_of(self.trust.agent()).map(|(_, device)| device.evidence);
        let mut links: Vec<_> =
            links.filter_map(|id| Some((self.trust.attestation(id)?.height, id))).collect();
        links.sort_unstable_by(|one, other| other.cmp(one));
        links.into_iter().map(|(_, id)| id).collect()
    }
}
