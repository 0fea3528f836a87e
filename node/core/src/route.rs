//! The only crossing: here one plane's event becomes another plane's command.

use std::{cell::RefCell, collections::BTreeSet};

use data_plane_core::{
    net::Lane,
    plane::{Command, Event, Nearness},
};
use node_model::{DeviceId, Now, SpaceId};
use sync_engine_core::{
    JobId, Output,
    entry::{EntryError, VerifiedEntry},
};
use trust_core::{Action, Question, Rule, Trust};

use crate::{effect::Effect, node::Node, purge::is_purged};

/// What a device may, and how near it is, by the trust plane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    pub(crate) is_admitted: bool,
    pub(crate) spaces: BTreeSet<SpaceId>,
    pub(crate) nearness: Nearness,
}

impl Node {
    /// Carries events across until none is left.
    pub(crate) fn route(&mut self, now: Now) {
        loop {
            while let Some(output) = self.sync.poll_output() {
                self.route_sync(now, output);
            }
            while let Some(command) = self.data.poll_effect() {
                self.effects.push_back(Effect::Net(command));
            }
            let Some(event) = self.data.poll_event() else {
                return;
            };
            self.route_data(now, event);
        }
    }

    fn route_sync(&mut self, now: Now, output: Output) {
        match output {
            Output::Send { peer, frame } => self.send(peer, Lane::Sync, frame),
            Output::Verify { job, entries } => {
                self.effects.push_back(Effect::Verify { job, entries });
            }
            Output::Changed { space, documents } => {
                self.kept.note(space);
                self.effects.push_back(Effect::Changed { space, documents });
            }
            Output::Chosen { space } => self.note_chosen(space),
            Output::Fork { space, author, proof } => self.note_fork(space, author, proof),
            Output::Equal { peer, space } => self.owe_receipt(now, peer, space),
            Output::Receipt { peer, receipt } => self.take_receipt(now, peer, &receipt),
            Output::Unreferenced { space, blobs } => {
                self.data.command(now.monotonic, Command::Release { space, blobs });
            }
            Output::Referenced { space, blobs } => {
                self.data.command(now.monotonic, Command::Refer { space, blobs });
            }
        }
    }

    fn route_data(&mut self, now: Now, event: Event) {
        match event {
            Event::Connected { device } => {
                self.pairing_connected(now, device);
                let is_stranger = !self.may(device, Action::Connect);
                self.acquaintances.entry(device).or_default().came_as_stranger = is_stranger;
                self.bid_farewell(device);
                self.ask_who(device);
                self.greet(now, device);
            }
            Event::Disconnected { device } => {
                self.sync.disconnect(device);
                self.search_without(now, device);
                self.doctor.forget_connection(device);
                self.acquaintances.remove(&device);
                self.pairings.introductions.forget(device);
                self.pairing_lost(device, "the connection was lost");
            }
            Event::Unreachable { device, reason } => {
                self.pairing_lost(device, &reason);
                self.sync_unreachable(device);
            }
            Event::BlobArrived { blob } => {
                tracing::debug!(%blob, "blob arrived");
                self.kept.note_file();
                self.owe_for_files(now, [blob]);
            }
        }
    }

    /// Takes a frame, by lane. The transport opens the lanes other than pairing
    /// only to admitted devices; the decision is asked again all the same.
    pub(crate) fn receive(&mut self, now: Now, device: DeviceId, lane: Lane, frame: &[u8]) {
        tracing::trace!(%device, ?lane, bytes = frame.len(), "frame");
        match lane {
            Lane::Pair => self.receive_pairing(now, device, frame),
            Lane::Trust if self.may(device, Action::Connect) => {
                self.receive_trust(now, device, frame);
            }
            Lane::Sync if self.may(device, Action::Connect) => {
                let trust = &self.trust;
                let denied = RefCell::new(Vec::new());
                let may_hold = |space| {
                    let question = Question { device, action: Action::Hold(space) };
                    let decision = trust.decide(question);
                    let is_allowed = decision.is_allowed();
                    // Whoever asks for what nobody knows leaves no trace.
                    if !is_allowed && trust.graph().spaces.contains_key(&space) {
                        denied.borrow_mut().push((now.wall, question, decision));
                    }
                    is_allowed
                };
                let taken = self.sync.on_frame(device, frame, &may_hold);
                if let Err(error) = &taken {
                    tracing::warn!(%device, %error, "bad sync frame");
                }
                self.doctor.note_frame(device, taken.err().as_ref());
                self.denials.extend(denied.into_inner());
            }
            Lane::Search if self.may(device, Action::Connect) => {
                self.receive_search(now, device, frame);
            }
            Lane::Trust | Lane::Sync | Lane::Search => {
                tracing::warn!(%device, ?lane, "frame of a stranger");
            }
        }
    }

    pub(crate) fn verified(
        &mut self,
        now: Now,
        job: JobId,
        results: Vec<Result<VerifiedEntry, EntryError>>,
    ) {
        if let Some(asked) = self.carrying.take(job) {
            return self.carried(now, asked, results);
        }
        let trust = &mut self.trust;
        self.sync.on_verified(job, results, &mut |entry| may_write(trust, now, entry));
    }

    /// What the trust plane knows has changed: opens spaces, admits devices,
    /// shares what they may hold, passes on what they lack.
    pub(crate) fn trust_changed(&mut self, now: Now) {
        for acquaintance in self.acquaintances.values_mut() {
            acquaintance.lacking.retain(|id| self.trust.attestation(*id).is_none());
        }
        self.keep_trust(now);
        for space in self.trust.spaces().collect::<Vec<_>>() {
            self.open_or_note(now, space);
        }
        self.find_kept();
        self.limit_kept(now);
        let own = self.trust.device();
        let devices: Vec<DeviceId> =
            self.trust.graph().devices.keys().copied().filter(|device| *device != own).collect();
        let mut sought = BTreeSet::new();
        for device in devices {
            let share = self.share_of(device);
            if share.is_admitted {
                sought.insert(device);
            }
            if self.shares.get(&device) != Some(&share) {
                self.note_share(now, device, &share);
                if !share.is_admitted && self.data.connected().any(|other| other == device) {
                    // The lane for it stays open, all others close now.
                    self.bid_farewell(device);
                    self.sync.stop_sharing(device);
                }
                let Share { is_admitted, spaces, nearness } = share.clone();
                self.shares.insert(device, share);
                let share = Command::Share { device, spaces, is_admitted, nearness };
                self.data.command(now.monotonic, share);
            }
        }
        sought.extend(self.owed_farewells());
        self.data.command(now.monotonic, Command::Seek { devices: sought });
        for device in self.data.connected().collect::<Vec<_>>() {
            self.greet(now, device);
        }
        for space in self.trust.spaces().collect::<Vec<_>>() {
            self.unsorted.insert(space);
            self.log_store_error(|node| node.sync.retry_refused(space));
        }
    }

    fn share_of(&self, device: DeviceId) -> Share {
        if !self.may(device, Action::Connect) {
            return Share::default();
        }
        // Whom a space only reaches is offered it, and has it once they follow (decision 22),
        // unless they keep it for its founder.
        let is_in = |space: &SpaceId| {
            let question = Question { device, action: Action::Hold(*space) };
            let decision = self.trust.decide(question);
            let is_reached = matches!(decision.rule, Rule::WithinReach | Rule::Commons);
            decision.is_allowed() && (!is_reached || self.trust.is_kept_on(*space, device))
        };
        let spaces = self.trust.spaces().filter(is_in).collect();
        Share { is_admitted: true, spaces, nearness: self.nearness_of(device) }
    }

    fn nearness_of(&self, device: DeviceId) -> Nearness {
        match self.trust.graph().nearness(self.trust.device(), device) {
            trust_core::Nearness::SameSite => Nearness::SameSite,
            trust_core::Nearness::SameRegion => Nearness::SameRegion,
            trust_core::Nearness::Elsewhere => Nearness::Elsewhere,
        }
    }
}

/// The trust plane's word on the author of an entry that came from outside, noted.
pub(crate) fn may_write(trust: &mut Trust, now: Now, entry: &VerifiedEntry) -> bool {
    let header = entry.header();
    if is_purged(trust, now.wall, entry) {
        return false;
    }
    let action = Action::Write(header.space, Some((header.sequence, entry.id())));
    let decision = trust.decide(Question { device: header.author, action });
    // Whoever may write may write all: one line for it.
    let is_all = decision.rule == Rule::RoleSuffices;
    let action = if is_all { Action::Write(header.space, None) } else { action };
    let question = Question { device: header.author, action };
    trust.note_decision(now.wall, question, &decision);
    decision.is_allowed()
}
