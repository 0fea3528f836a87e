//! Frames on their way: lanes in order, and the faults that disturb them.

use std::time::Duration;

use bytes::Bytes;
use data_plane_core::net::{Lane, NetEvent};
use node_model::DeviceId;

use super::{Network, tamper::tamper};
use crate::{
    fault::Fault,
    network::NetStep,
    world::{Event, Stage},
};

/// Frames of one peer that wait to be let in; a real transport would stop reading.
const PARKED_MAX: usize = 1_024;

/// How many frames of the past somebody may send again.
const PAST_MAX: usize = 40;

impl Network {
    pub(super) fn send(
        &mut self,
        stage: &mut Stage,
        from: usize,
        device: DeviceId,
        lane: Lane,
        mut frame: Bytes,
    ) {
        let Some(id) = self.connection(from, device) else { return };
        self.sent += 1;
        if stage.faults.strikes(Fault::Reset) {
            let delays = [self.notice_delay(stage), self.notice_delay(stage)];
            return self.break_off(stage, id, delays);
        }
        self.remember(from, device, lane, &frame);
        if lane == Lane::Sync {
            self.maybe_tamper(stage, id, &mut frame);
        }
        for at in self.arrivals(stage, id, from, lane) {
            let Some(connection) = self.connections.get_mut(&id) else { return };
            connection.in_flight += 1;
            let (to, frame) = (connection.peer_of(from), frame.clone());
            stage.agenda.at(at, Event::Net(NetStep::Arrived { connection: id, to, lane, frame }));
        }
    }

    fn maybe_tamper(&mut self, stage: &mut Stage, id: u64, frame: &mut Bytes) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        for fault in [Fault::WrongSignature, Fault::WrongBody, Fault::ForeignEntry] {
            if stage.faults.could(fault)
                && let Some(changed) = tamper(frame, fault, &mut self.dice)
                && stage.faults.strikes(fault)
            {
                *frame = changed.into();
                connection.is_tainted = true;
            }
        }
    }

    fn remember(&mut self, from: usize, device: DeviceId, lane: Lane, frame: &Bytes) {
        if let Some(to) = self.number_of(device) {
            let past = self.past.entry((from, to)).or_default();
            past.push_back((lane, frame.clone()));
            while past.len() > PAST_MAX {
                past.pop_front();
            }
        }
    }

    /// Lets a peer say again, on a new connection, some of what it said on earlier ones.
    pub(super) fn maybe_replay(&mut self, stage: &mut Stage, id: u64, (from, to): (usize, usize)) {
        if !stage.faults.strikes(Fault::Replay) {
            return;
        }
        let past: Vec<_> = self.past.get(&(from, to)).into_iter().flatten().cloned().collect();
        for (lane, frame) in past {
            if lane.is_public() || self.dice.chance(700) {
                continue;
            }
            let at = stage.agenda.now() + self.dice.between_ms(1..3_000);
            let Some(connection) = self.connections.get_mut(&id) else { return };
            connection.in_flight += 1;
            connection.is_tainted = true;
            stage.agenda.at(at, Event::Net(NetStep::Arrived { connection: id, to, lane, frame }));
        }
    }

    /// When copies of a frame arrive: one, but for faults.
    fn arrivals(&mut self, stage: &mut Stage, id: u64, from: usize, lane: Lane) -> Vec<Duration> {
        let now = stage.agenda.now();
        let Some(connection) = self.connections.get_mut(&id).filter(|c| !c.is_broken) else {
            return vec![];
        };
        let to = connection.peer_of(from);
        let cut_until = self.cuts.get(&(from, to)).copied().unwrap_or_default();
        let tail = connection.tails.entry((to, lane)).or_default();
        let mut at = (now + connection.latency).max(*tail).max(cut_until);
        if stage.faults.strikes(Fault::Delay) {
            at += self.dice.between_ms(500..8_000);
        }
        if lane == Lane::Sync {
            if stage.faults.strikes(Fault::Drop) {
                connection.is_tainted = true;
                return vec![];
            }
            if stage.faults.strikes(Fault::Reorder) {
                connection.is_tainted = true;
                return vec![at + self.dice.between_ms(20..3_000)];
            }
        }
        *tail = at;
        if lane == Lane::Sync && stage.faults.strikes(Fault::Duplicate) {
            // The copy may come late: by then it is a replay.
            connection.is_tainted = true;
            return vec![at, at + self.dice.between_ms(0..500)];
        }
        vec![at]
    }

    pub(super) fn arrived(
        &mut self,
        stage: &mut Stage,
        id: u64,
        to: usize,
        lane: Lane,
        frame: Bytes,
    ) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        connection.in_flight -= 1;
        let (side, peer) = (connection.side_of(to), connection.peer_of(to));
        let is_alive = !connection.is_broken && self.sides[to].life == Some(connection.lives[side]);
        if !is_alive || self.sides[to].current.get(&peer) != Some(&id) {
            return;
        }
        if lane.is_public() || self.sides[to].admitted.contains(&peer) {
            let device = self.devices[peer];
            self.tell(stage, to, NetEvent::Frame { device, lane, frame });
            return;
        }
        let parked = self.sides[to].parked.entry(peer).or_default();
        if parked.len() < PARKED_MAX {
            parked.push((lane, frame));
        }
    }

    pub(super) fn admit(&mut self, stage: &mut Stage, end: usize, device: DeviceId) {
        let Some(peer) = self.number_of(device) else { return };
        self.sides[end].admitted.insert(peer);
        for (lane, frame) in self.sides[end].parked.remove(&peer).unwrap_or_default() {
            self.tell(stage, end, NetEvent::Frame { device, lane, frame });
        }
    }

    /// Whether two machines are connected, both know it, and nothing is under way between them.
    pub(crate) fn is_quiet_between(&self, one: usize, other: usize) -> bool {
        self.live_between(one, other).is_some_and(|connection| {
            connection.opened == [true; 2]
                && connection.in_flight == 0
                && connection.ends.iter().all(|end| {
                    let parked = &self.sides[*end].parked;
                    parked.get(&connection.peer_of(*end)).is_none_or(Vec::is_empty)
                })
        })
    }

    /// Whether the connection between two machines lost, mixed up or changed a frame.
    pub(crate) fn is_tainted_between(&self, one: usize, other: usize) -> bool {
        self.live_between(one, other).is_some_and(|connection| connection.is_tainted)
    }
}
