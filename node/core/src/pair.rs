//! Pairing: both sides of the conversation of [`trust_core::pairing`], and what
//! is attested at its end.

mod invite;
mod refused;
mod said;

use std::{collections::BTreeMap, time::Duration};

use data_plane_core::{
    net::{Lane, NetCommand},
    plane::Command,
};
use node_model::{AttestationId, DeviceId, Now, random_bytes, ticket::Ticket};
use serde_bytes::ByteBuf;
use trust_core::{
    Claim, Layer,
    pairing::{Message, Refusal, TicketKey, Transcript, commitment, ticket_key},
};

use self::{
    refused::{CODES_DIFFER, refused},
    said::{introduced, links_of},
};

use crate::{
    effect::Effect,
    failure::{Failure, FailureKind},
    introduce::Introductions,
    node::{Node, RequestId},
    request::{Pairing, Response},
};

/// How long a pairing may take, comparing the codes included.
const PAIRING_MAX: Duration = Duration::from_secs(300);

/// How long to wait for the other side before there is a code.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Most strangers that may be pairing with us at a time.
const INVITED_MAX: usize = 16;

/// Most finished pairings that are shown.
const SHOWN_MAX: usize = 32;

/// Most attestations in an introduction: with 1 KiB each it fits into a frame.
pub(crate) const INTRODUCTION_MAX: usize = 14;

/// How notes of tickets begin.
const TICKET_NOTES: &str = "ticket/";

fn ticket_note(key: TicketKey) -> String {
    format!("{TICKET_NOTES}{}", AttestationId(key.0))
}

/// Pairings under way.
#[derive(Debug, Default)]
pub(crate) struct Pairings {
    /// With tickets of ours, by who came.
    invited: BTreeMap<DeviceId, Invited>,
    /// With tickets of others, by who made them.
    accepting: BTreeMap<DeviceId, Accepting>,
    shown: Vec<Pairing>,
    /// Without a ticket.
    pub(crate) introductions: Introductions,
}

#[derive(Debug)]
struct Invited {
    ticket: TicketKey,
    commitment: [u8; 32],
    own_nonce: [u8; 32],
    is_proven: bool,
    ends_at: Duration,
}

#[derive(Debug)]
struct Accepting {
    ticket: Ticket,
    is_link: bool,
    nonce: [u8; 32],
    request: Option<RequestId>,
    code: Option<String>,
    is_confirmed: bool,
    ends_at: Duration,
}

impl Pairings {
    pub(crate) fn poll_timeout(&self) -> Option<Duration> {
        let invited = self.invited.values().map(|pairing| pairing.ends_at);
        let accepting = self.accepting.values().map(|pairing| pairing.ends_at);
        invited.chain(accepting).min()
    }

    pub(crate) fn shown(&self) -> Vec<Pairing> {
        self.shown.clone()
    }

    fn show(&mut self, pairing: Pairing) {
        self.shown.retain(|other| other.device != pairing.device);
        if self.shown.len() >= SHOWN_MAX {
            self.shown.remove(0);
        }
        self.shown.push(pairing);
    }
}

fn lost(reason: &str) -> Failure {
    Failure::new(
        FailureKind::Unreachable,
        format!("the other side could not be reached: {reason}"),
        "check that its node is running (kith up) and that both are on the same network, then: kith pair TICKET",
    )
}

impl Node {
    /// Begins to accept a ticket; the answer comes when there is a code.
    pub(crate) fn accept_ticket(
        &mut self,
        now: Now,
        request: RequestId,
        ticket: Ticket,
        is_link: bool,
    ) {
        let device = ticket.device;
        if device == self.trust.device() || ticket.agent == self.trust.agent() {
            let message = "this ticket was made by this very node";
            let fix = "make the ticket on one device and accept it on the other";
            self.reply(request, Err(Failure::new(FailureKind::Invalid, message, fix)));
            return;
        }
        if now.wall >= ticket.expires_at {
            let message = "the ticket has expired; whoever made it can make a new one";
            self.reply(request, Err(refused(&ticket, is_link, message)));
            return;
        }
        if ticket.addresses.is_empty() {
            self.reply(request, Err(lost("the ticket names no address: its node was not running")));
            return;
        }
        let addresses = ticket.addresses.clone();
        let accepting = Accepting {
            ticket,
            is_link,
            nonce: random_bytes(self.entropy.as_mut()),
            request: Some(request),
            code: None,
            is_confirmed: false,
            ends_at: now.monotonic + ANSWER_MAX,
        };
        if let Some(before) = self.pairings.accepting.insert(device, accepting)
            && let Some(request) = before.request
        {
            self.reply(request, Err(lost("the pairing was begun again")));
        }
        self.data.command(now.monotonic, Command::Dial { device, addresses });
    }

    pub(crate) fn pairing_connected(&mut self, now: Now, device: DeviceId) {
        let Some(accepting) = self.pairings.accepting.get_mut(&device) else {
            return;
        };
        accepting.ends_at = now.monotonic + ANSWER_MAX;
        let open = Message::Open {
            ticket: ticket_key(accepting.ticket.secret),
            commitment: commitment(&accepting.nonce),
        };
        self.send(device, Lane::Pair, open.encode());
    }

    pub(crate) fn pairing_lost(&mut self, device: DeviceId, reason: &str) {
        self.pairings.invited.remove(&device);
        self.fail_accepting(device, lost(reason));
    }

    fn fail_accepting(&mut self, device: DeviceId, failure: Failure) {
        if let Some(accepting) = self.pairings.accepting.remove(&device)
            && let Some(request) = accepting.request
        {
            self.reply(request, Err(failure));
        }
    }

    pub(crate) fn expire_pairings(&mut self, now: Now) {
        self.pairings.invited.retain(|_, pairing| now.monotonic < pairing.ends_at);
        let over: Vec<DeviceId> = self
            .pairings
            .accepting
            .iter()
            .filter(|(_, pairing)| now.monotonic >= pairing.ends_at)
            .map(|(device, _)| *device)
            .collect();
        for device in over {
            self.fail_accepting(device, lost("no answer in time"));
        }
    }

    pub(crate) fn receive_pairing(&mut self, now: Now, device: DeviceId, frame: &[u8]) {
        let message = match Message::decode(frame) {
            Ok(message) => message,
            Err(error) => {
                tracing::warn!(%device, %error, "bad pairing frame");
                return;
            }
        };
        match message {
            Message::Open { ticket, commitment } => self.on_open(now, device, ticket, commitment),
            Message::Challenge { nonce } => self.on_challenge(now, device, nonce),
            Message::Reveal { nonce, proof } => self.on_reveal(now, device, nonce, proof),
            Message::Confirm { attestations } => self.on_confirm(now, device, &attestations),
            Message::Link { hpke, name, consent } => {
                self.on_link(now, device, (hpke, name, consent));
            }
            Message::Complete { attestations } => self.on_complete(now, device, &attestations),
            Message::Who => self.on_who(device),
            Message::Introduction { attestations } => {
                self.on_introduction(now, device, &attestations);
            }
            Message::Farewell { attestations } => self.on_farewell(now, device, &attestations),
            Message::Refused { reason } => {
                self.take_back(now, device);
                let message = format!("{reason}; whoever made the ticket can make a new one");
                self.refuse_accepting(device, &message);
            }
        }
    }

    /// Our side of a relationship was attested for the other one to see; it did not
    /// want it.
    fn take_back(&mut self, now: Now, device: DeviceId) {
        let confirmed = self.pairings.accepting.get(&device);
        let confirmed = confirmed.filter(|accepting| accepting.is_confirmed && !accepting.is_link);
        let Some(agent) = confirmed.map(|accepting| accepting.ticket.agent) else { return };
        let graph = self.trust.graph();
        if graph.relationship(self.trust.agent(), agent).is_none()
            && let Err(error) = self.trust.part(now.wall, agent)
        {
            tracing::warn!(%device, %error, "could not take back a relationship");
        }
    }

    fn refuse(&mut self, device: DeviceId, reason: Refusal) {
        self.tell_refusal(device, reason);
        self.pairings.invited.remove(&device);
        self.send(device, Lane::Pair, Message::Refused { reason }.encode());
    }

    fn on_challenge(&mut self, now: Now, device: DeviceId, inviter_nonce: [u8; 32]) {
        let acceptor = self.trust.device();
        let Some(accepting) = self.pairings.accepting.get_mut(&device) else {
            return;
        };
        if accepting.code.is_some() {
            return;
        }
        let transcript = Transcript {
            inviter: device,
            acceptor,
            inviter_nonce,
            acceptor_nonce: accepting.nonce,
        };
        let code = transcript.code();
        accepting.code = Some(code.clone());
        accepting.ends_at = now.monotonic + PAIRING_MAX;
        let reveal = Message::Reveal {
            nonce: accepting.nonce,
            proof: transcript.proof(accepting.ticket.secret),
        };
        let request = accepting.request.take();
        self.send(device, Lane::Pair, reveal.encode());
        if let Some(request) = request {
            self.reply(request, Ok(Response::PairingCode { device, code }));
        }
    }

    /// The person compared the codes.
    pub(crate) fn confirm_pairing(
        &mut self,
        now: Now,
        request: RequestId,
        device: DeviceId,
        is_same: bool,
    ) {
        let ready = self
            .pairings
            .accepting
            .get_mut(&device)
            .filter(|accepting| accepting.code.is_some() && !accepting.is_confirmed);
        let Some(accepting) = ready else {
            let fix = "begin again: kith pair TICKET";
            let message = "no pairing with this device is waiting for the codes to be compared";
            self.reply(request, Err(Failure::new(FailureKind::NotFound, message, fix)));
            return;
        };
        if !is_same {
            let refused = refused(&accepting.ticket, accepting.is_link, CODES_DIFFER);
            self.pairings.accepting.remove(&device);
            self.effects.push_back(Effect::Net(NetCommand::Disconnect { device }));
            self.reply(request, Err(refused));
            return;
        }
        self.pairings.introductions.note_pairing(device);
        accepting.is_confirmed = true;
        accepting.request = Some(request);
        accepting.ends_at = now.monotonic + ANSWER_MAX;
        let inviter = accepting.ticket.agent;
        if accepting.is_link {
            let (hpke, consent) = self.trust.consent_to(inviter);
            let name = self.identity().device_name;
            self.send(device, Lane::Pair, Message::Link { hpke, name, consent }.encode());
            return;
        }
        match self.trust.relate_by_pairing(now.wall, inviter, &[]) {
            Ok(()) => {
                let attestations = self.introduction(self.essentials(inviter));
                self.send(device, Lane::Pair, Message::Confirm { attestations }.encode());
            }
            Err(error) => self.fail_accepting(device, error.into()),
        }
    }

    pub(crate) fn is_pairing_with(&self, device: DeviceId) -> bool {
        self.pairings.invited.contains_key(&device) || self.pairings.accepting.contains_key(&device)
    }

    pub(crate) fn introduction(&self, ids: Vec<AttestationId>) -> Vec<ByteBuf> {
        ids.into_iter()
            .filter_map(|id| self.trust.attestation(id))
            .map(|attestation| ByteBuf::from(attestation.bytes()))
            .take(INTRODUCTION_MAX)
            .collect()
    }

    /// What fits into one frame: who we are, and that we are related; the rest follows on the
    /// trust lane.
    fn essentials(&self, agent: node_model::AgentId) -> Vec<AttestationId> {
        let own = self.trust.agent();
        let mut ids = self.trust.visible_to(agent);
        ids.retain(|id| {
            self.trust.attestation(*id).is_some_and(|attestation| {
                let is_essential = matches!(
                    attestation.claim,
                    Claim::DeviceLink { .. } | Claim::Profile { .. } | Claim::Relationship { .. }
                );
                is_essential && attestation.issuer == own
            })
        });
        ids
    }

    fn on_linked(&mut self, device: DeviceId, ticket: &Ticket, attestations: &[ByteBuf]) {
        let links = links_of(ticket.agent, attestations);
        let is_linked = links.iter().any(|(linked, _)| *linked == self.trust.device());
        if !is_linked {
            let message = "the other side did not link this device; nothing was accepted";
            self.refuse_accepting(device, message);
            return;
        }
        let request = self.pairings.accepting.remove(&device).and_then(|done| done.request);
        if let Some(request) = request {
            let links = links.into_iter().map(|(_, bytes)| bytes).collect();
            let (agent, addresses) = (ticket.agent, ticket.addresses.clone());
            self.reply(request, Ok(Response::Linked { agent, links, device, addresses }));
        }
    }

    fn on_complete(&mut self, now: Now, device: DeviceId, attestations: &[ByteBuf]) {
        let confirmed = self
            .pairings
            .accepting
            .get(&device)
            .filter(|accepting| accepting.is_confirmed)
            .map(|accepting| accepting.ticket.clone());
        let Some(ticket) = confirmed else {
            return;
        };
        if self.pairings.accepting.get(&device).is_some_and(|accepting| accepting.is_link) {
            self.on_linked(device, &ticket, attestations);
            return;
        }
        if introduced(device, self.trust.agent(), attestations) != Some(ticket.agent) {
            let message = "the other side is not who the ticket says; nothing was accepted";
            self.refuse_accepting(device, message);
            return;
        }
        let bytes = attestations.iter().map(|bytes| bytes.as_slice());
        if let Err(error) = self.trust.welcome(bytes, now.wall) {
            self.fail_accepting(device, error.into());
            return;
        }
        let request = self.pairings.accepting.remove(&device).and_then(|done| done.request);
        self.learn_addresses(now, device, ticket.addresses);
        self.trust_changed(now);
        if let Some(request) = request {
            let name = self.trust.name_of(ticket.agent);
            let (agent, layer) = (ticket.agent, Layer::Reciprocal);
            self.reply(request, Ok(Response::Paired { device, agent, name, layer }));
        }
    }
}
