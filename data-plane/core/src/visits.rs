//! Peers that come through an HTTP doorway: one more transport, where the other side asks
//! and we answer.
//!
//! To the node a visit is a connection like any other: it connects, sends frames, and is
//! gone. A device with a visit hears and is heard through it alone, so that no frame overtakes
//! another one: a connection of the other transport is closed, and the node dials again when
//! the visit is over.
//!
//! What the node wants to fetch of a visitor waits as an errand: the visitor is told that there
//! is one, and comes for it.
//!
//! Invariants: a visit belongs to the device whose token came with it, and batches count up;
//! frames wait outside while much waits for the visitor to fetch; errands end with the visit.
//! Non-goals: who may come (the doorway asks the trust plane, at each batch) and how blobs go.

mod visit;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use node_model::{BlobId, DeviceId};

use self::visit::{Turn, Visit};
use crate::{
    batch::{Batch, Frame, Returned, VisitId},
    net::{Lane, NetCommand, NetEvent},
};

/// Most visits at a time: what waits for them is memory.
pub const VISITS_MAX: usize = 32;

/// Most visits of devices that are not admitted: they come to pair, and must not keep others out.
pub const GUESTS_MAX: usize = 4;

/// How long a visit lasts without a batch, and an errand until the visitor begins it. It has no
/// reason to be silent for longer than it takes to bring something over a slow line.
pub const IDLE_MAX: Duration = Duration::from_secs(60);

/// With as much a visit is over: what a few frames can be answered with beyond what is looked
/// at while something waits, each a page and a largest entry.
const OUTGOING_BYTES_MAX: usize = 256 * 1024 * 1024;

/// The address of a visitor, for whoever shows one.
const ADDRESS: &str = "doorway";

/// Names a batch until it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TurnId(pub u64);

/// Why a batch was not taken. Nothing of it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another visit, or another number than the next. The visit is over.
    #[error("this visit is over, or never began")]
    Over,
    /// An earlier batch is not answered yet.
    #[error("an earlier batch of this device is not answered yet")]
    Busy,
    /// Enough visitors.
    #[error("too many devices visit at this moment")]
    Full,
}

/// Blobs that the node wants of a visitor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Errand {
    /// Names it in events.
    pub job: u64,
    /// Which.
    pub blobs: Vec<BlobId>,
    /// How many bytes of them at most: one that does not fit ends the errand.
    pub bytes_max: u64,
}

/// All visits of a node.
#[derive(Debug, Default)]
pub struct Visits {
    visits: BTreeMap<DeviceId, Visit>,
    /// Whom the other transport reaches.
    direct: BTreeSet<DeviceId>,
    /// To whom more is open than pairing.
    admitted: BTreeSet<DeviceId>,
    commands: VecDeque<NetCommand>,
    events: VecDeque<NetEvent>,
    answers: VecDeque<(TurnId, Result<Returned, Refused>)>,
}

impl Visits {
    /// Takes a batch of a device; the answer comes by [`Self::poll_answer`].
    pub fn arrive(&mut self, now: Duration, device: DeviceId, turn: TurnId, batch: Batch) {
        if let Err(refused) = self.take(now, device, turn, batch) {
            self.answers.push_back((turn, Err(refused)));
        }
    }

    fn take(
        &mut self,
        now: Duration,
        device: DeviceId,
        turn: TurnId,
        batch: Batch,
    ) -> Result<(), Refused> {
        let Batch { visit: id, number, wait, is_last, frames } = batch;
        let is_known = self.visits.get(&device).is_some_and(|visit| visit.id == id);
        if !is_known {
            self.open(now, device, id, number)?;
        }
        let Some(visit) = self.visits.get_mut(&device) else { return Err(Refused::Over) };
        if visit.turn.is_some() {
            return Err(Refused::Busy);
        }
        let is_unasked = !visit.incoming.is_empty() && !frames.is_empty();
        if number != visit.number || visit.is_ending || is_unasked {
            self.end(device);
            return Err(Refused::Over);
        }
        visit.number += 1;
        visit.heard_at = now;
        visit.is_ending = is_last;
        visit.incoming.extend(frames);
        visit.turn = Some(Turn { id: turn, number, until: now + wait });
        Ok(())
    }

    fn open(
        &mut self,
        now: Duration,
        device: DeviceId,
        id: VisitId,
        number: u64,
    ) -> Result<(), Refused> {
        if number != 0 {
            return Err(Refused::Over);
        }
        if self.visits.contains_key(&device) {
            self.end(device);
        } else if self.visits.len() >= VISITS_MAX || !self.has_room_for(device) {
            return Err(Refused::Full);
        }
        if self.direct.contains(&device) {
            self.commands.push_back(NetCommand::Disconnect { device });
            self.events.push_back(NetEvent::Disconnected { device });
        }
        self.visits.insert(device, Visit::new(id, now));
        let address = ADDRESS.to_owned();
        self.events.push_back(NetEvent::Connected { device, address, outbound: false });
        Ok(())
    }

    fn has_room_for(&self, device: DeviceId) -> bool {
        let guests = self.visits.keys().filter(|visitor| !self.admitted.contains(visitor));
        self.admitted.contains(&device) || guests.count() < GUESTS_MAX
    }

    /// Takes what the other transport tells.
    pub fn on_net(&mut self, event: NetEvent) {
        let visits = |device| self.visits.contains_key(device);
        let is_hidden = match &event {
            NetEvent::Connected { device, .. } => {
                self.direct.insert(*device);
                if visits(device) {
                    self.commands.push_back(NetCommand::Disconnect { device: *device });
                }
                visits(device)
            }
            NetEvent::Disconnected { device } => {
                self.direct.remove(device);
                visits(device)
            }
            NetEvent::Frame { device, .. } | NetEvent::Congested { device, .. } => visits(device),
            NetEvent::FetchEnded { job, .. } => {
                for visit in self.visits.values_mut() {
                    visit.errands.retain(|errand| errand.job != *job);
                }
                false
            }
            NetEvent::Listening { .. }
            | NetEvent::Circuit { .. }
            | NetEvent::DialFailed { .. }
            | NetEvent::Discovered { .. }
            | NetEvent::BlobsRequested { .. }
            | NetEvent::BlobFetched { .. }
            | NetEvent::NoRoom { .. }
            | NetEvent::BlobRefused { .. } => false,
        };
        if !is_hidden {
            self.events.push_back(event);
        }
    }

    /// Takes what the node wants; what is for the other transport comes back.
    pub fn command(&mut self, command: NetCommand) -> Option<NetCommand> {
        match command {
            NetCommand::Send { device, lane, frame } if self.visits.contains_key(&device) => {
                self.send(device, lane, frame);
                None
            }
            NetCommand::Fetch { job, device, blobs, bytes_max } => {
                let Some(visit) = self.visits.get_mut(&device) else {
                    return Some(NetCommand::Fetch { job, device, blobs, bytes_max });
                };
                if blobs.is_empty() {
                    self.events.push_back(NetEvent::FetchEnded { job, error: None });
                } else {
                    visit.errands.push_back(Errand { job, blobs, bytes_max });
                    visit.has_begun = false;
                }
                None
            }
            NetCommand::Admit { device } => {
                self.admitted.insert(device);
                Some(command)
            }
            NetCommand::Forbid { device } => {
                self.admitted.remove(&device);
                self.end(device);
                Some(command)
            }
            NetCommand::Disconnect { device } => {
                self.end(device);
                Some(command)
            }
            NetCommand::Dial { .. } | NetCommand::Send { .. } | NetCommand::Answer { .. } => {
                Some(command)
            }
        }
    }

    fn send(&mut self, device: DeviceId, lane: Lane, bytes: bytes::Bytes) {
        let Some(visit) = self.visits.get_mut(&device).filter(|visit| visit.is_told) else {
            return;
        };
        visit.outgoing_bytes += bytes.len();
        visit.outgoing.push_back(Frame { lane, bytes });
        if visit.outgoing_bytes > OUTGOING_BYTES_MAX {
            tracing::warn!(%device, "a visitor asks for more than it fetches");
            self.end(device);
        }
    }

    /// Has the batch of a device answered now, whatever there is. Says whether one waited.
    pub fn hurry(&mut self, now: Duration, device: DeviceId) -> bool {
        let turn = self.visits.get_mut(&device).and_then(|visit| visit.turn.as_mut());
        turn.map(|turn| turn.until = turn.until.min(now)).is_some()
    }

    /// Whether a device visits.
    #[must_use]
    pub fn is_visiting(&self, device: DeviceId) -> bool {
        self.visits.contains_key(&device)
    }

    /// What the node wants of a visitor first, who goes for it now.
    pub fn begin_errand(&mut self, device: DeviceId) -> Option<&Errand> {
        let visit = self.visits.get_mut(&device)?;
        visit.has_begun = true;
        visit.waiting_since = None;
        visit.errands.front()
    }

    /// The next thing for the other transport to do.
    pub fn poll_command(&mut self) -> Option<NetCommand> {
        self.commands.pop_front()
    }

    /// The next thing that happened on any transport. Everything is to be taken before a
    /// frame of a visitor.
    pub fn poll_event(&mut self) -> Option<NetEvent> {
        let event = self.events.pop_front()?;
        if let NetEvent::Connected { device, .. } = &event
            && let Some(visit) = self.visits.get_mut(device)
        {
            visit.is_told = true;
        }
        Some(event)
    }

    /// The next frame of a visitor who fetches what is for it.
    pub fn poll_frame(&mut self) -> Option<NetEvent> {
        let (device, visit) = self.visits.iter_mut().find(|(_, visit)| visit.has_work())?;
        let Frame { lane, bytes: frame } = visit.incoming.pop_front()?;
        Some(NetEvent::Frame { device: *device, lane, frame })
    }

    /// Whether [`Self::poll_event`] or [`Self::poll_frame`] has something.
    #[must_use]
    pub fn has_work(&self) -> bool {
        !self.events.is_empty() || self.visits.values().any(Visit::has_work)
    }

    /// The next answer. To be asked after what was handled is durable.
    pub fn poll_answer(&mut self, now: Duration) -> Option<(TurnId, Result<Returned, Refused>)> {
        if let Some(answer) = self.answers.pop_front() {
            return Some(answer);
        }
        let (device, visit) = self.visits.iter_mut().find(|(_, visit)| visit.is_due(now))?;
        let (device, is_over) = (*device, visit.is_ending && visit.incoming.is_empty());
        let answer = visit.answer();
        if is_over {
            self.end(device);
        }
        answer
    }

    /// Ends the visits of those who went away without a word.
    pub fn on_timeout(&mut self, now: Duration) {
        let is_gone = |visit: &Visit| visit.turn.is_none() && now >= visit.heard_at + IDLE_MAX;
        let gone = self.visits.iter().filter(|(_, visit)| is_gone(visit));
        for device in gone.map(|(device, _)| *device).collect::<Vec<_>>() {
            self.end(device);
        }
        for visit in self.visits.values_mut().filter(|visit| visit.has_waiting_errand()) {
            let since = *visit.waiting_since.get_or_insert(now);
            if now >= since + IDLE_MAX {
                visit.waiting_since = None;
                let ended = visit.errands.drain(..);
                self.events.extend(ended.map(|errand| unbrought(errand, "it brings no blobs")));
            }
        }
    }

    /// When [`Self::on_timeout`] or [`Self::poll_answer`] is due next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Duration> {
        let due = |visit: &Visit| {
            let answer = visit.turn.as_ref().map_or(visit.heard_at + IDLE_MAX, |turn| turn.until);
            let errand = visit.waiting_since.map_or(visit.heard_at, |since| since + IDLE_MAX);
            if visit.has_waiting_errand() { answer.min(errand) } else { answer }
        };
        self.visits.values().map(due).min()
    }

    /// The device is gone. Who waits for an answer gets what there is.
    fn end(&mut self, device: DeviceId) {
        let Some(mut visit) = self.visits.remove(&device) else { return };
        if let Some((turn, answer)) = visit.answer() {
            self.answers.push_back((turn, answer));
        }
        let ended = visit.errands.drain(..);
        self.events.extend(ended.map(|errand| unbrought(errand, "the visit is over")));
        self.events.push_back(NetEvent::Disconnected { device });
    }
}

fn unbrought(errand: Errand, why: &str) -> NetEvent {
    NetEvent::FetchEnded { job: errand.job, error: Some(why.to_owned()) }
}

#[cfg(test)]
mod tests;
