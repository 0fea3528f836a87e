//! The simulated transport: connections between machines, with frames in the order of their lane.
//!
//! What it promises a node, and so what a real transport must keep:
//! - `Connected` and `Disconnected` alternate for each peer; a new connection that replaces one
//!   whose other end is gone is first `Disconnected`, then `Connected`;
//! - frames of a lane arrive in order, and only while connected; what was under way when a
//!   connection broke is lost;
//! - frames of closed lanes wait until the peer is admitted, or the connection ends;
//! - every dial ends in a connection or in `DialFailed`.
//!
//! Faults may break the second promise on the sync lane (see `Fault`); the trust and pairing lanes
//! rely on it, so there a frame is never lost without its connection.

mod fetch;
mod frames;
mod tamper;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use bytes::Bytes;
use data_plane_core::net::{Lane, NetCommand, NetEvent};
use node_core::Input;
use node_model::DeviceId;

use self::fetch::Fetches;
use crate::{
    dice::Dice,
    fault::Fault,
    world::{Event, Stage},
};

/// How long a connection survives without the other end: TCP's retries, or a ping.
pub(crate) const KEEPALIVE: Duration = Duration::from_secs(15);

/// Something that happens in the network.
pub(crate) enum NetStep {
    Dialled { from: usize, life: u64, device: DeviceId },
    Opened { connection: u64, end: usize, outbound: bool },
    Closed { connection: u64, end: usize },
    Arrived { connection: u64, to: usize, lane: Lane, frame: Bytes },
    Asked { request: u64 },
    Answered { request: u64, provided: Vec<bool> },
}

/// One machine as the network sees it.
#[derive(Default)]
pub(crate) struct Side {
    /// The process that is running, if one is.
    life: Option<u64>,
    pub(crate) admitted: BTreeSet<usize>,
    parked: BTreeMap<usize, Vec<(Lane, Bytes)>>,
    /// The connection that it believes to have, by peer.
    current: BTreeMap<usize, u64>,
}

/// Between two processes.
struct Connection {
    ends: [usize; 2],
    lives: [u64; 2],
    latency: Duration,
    is_broken: bool,
    /// When each end learned of it.
    opened: [bool; 2],
    /// Whether a frame was lost, overtaken or changed on it.
    is_tainted: bool,
    in_flight: usize,
    /// When the last frame of a lane arrives at an end.
    tails: BTreeMap<(usize, Lane), Duration>,
}

impl Connection {
    fn side_of(&self, end: usize) -> usize {
        usize::from(self.ends[1] == end)
    }

    fn peer_of(&self, end: usize) -> usize {
        self.ends[1 - self.side_of(end)]
    }
}

pub(crate) struct Network {
    dice: Dice,
    devices: Vec<DeviceId>,
    sides: Vec<Side>,
    connections: BTreeMap<u64, Connection>,
    next_connection: u64,
    /// Pairs that can reach each other at all, the smaller number first.
    links: BTreeSet<(usize, usize)>,
    /// Until when nothing passes from one to the other.
    cuts: BTreeMap<(usize, usize), Duration>,
    pub(crate) fetches: Fetches,
    /// Frames that one machine sent another, some of the last ones.
    past: BTreeMap<(usize, usize), VecDeque<(Lane, Bytes)>>,
    /// How many frames were sent.
    pub(crate) sent: u64,
}

impl Network {
    /// A network in which everybody reaches everybody.
    pub(crate) fn new(seed: u64, devices: Vec<DeviceId>) -> Self {
        let count = devices.len();
        let links = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b))).collect();
        Self {
            dice: Dice::new(seed, "network"),
            sides: (0..count).map(|_| Side::default()).collect(),
            devices,
            connections: BTreeMap::new(),
            next_connection: 0,
            links,
            cuts: BTreeMap::new(),
            fetches: Fetches::new(count),
            past: BTreeMap::new(),
            sent: 0,
        }
    }

    /// Does what a node asks of its transport.
    pub(crate) fn command(&mut self, stage: &mut Stage, from: usize, command: NetCommand) {
        match command {
            NetCommand::Dial { device, .. } => {
                let Some(life) = self.sides[from].life else { return };
                let delay = self.dice.between_ms(2..80);
                stage.agenda.after(delay, Event::Net(NetStep::Dialled { from, life, device }));
            }
            NetCommand::Disconnect { device } => {
                if let Some(connection) = self.connection(from, device) {
                    self.break_off(stage, connection, [Duration::ZERO; 2]);
                }
            }
            NetCommand::Admit { device } => self.admit(stage, from, device),
            NetCommand::Forbid { device } => {
                if let Some(peer) = self.number_of(device) {
                    self.sides[from].admitted.remove(&peer);
                }
            }
            NetCommand::Send { device, lane, frame } => {
                self.send(stage, from, device, lane, frame);
            }
            NetCommand::Fetch { job, device, blobs, bytes_max } => {
                self.fetch(stage, from, (job, device), (blobs, bytes_max));
            }
            NetCommand::Answer { request, allowed } => {
                self.answer(stage, from, request, &allowed);
            }
        }
    }

    /// Goes on with something of its own.
    pub(crate) fn step(&mut self, stage: &mut Stage, step: NetStep) {
        match step {
            NetStep::Dialled { from, life, device } => self.dialled(stage, (from, life), device),
            NetStep::Opened { connection, end, outbound } => {
                self.opened(stage, connection, end, outbound);
            }
            NetStep::Closed { connection, end } => self.closed(stage, connection, end),
            NetStep::Arrived { connection, to, lane, frame } => {
                self.arrived(stage, connection, to, lane, frame);
            }
            NetStep::Asked { request } => self.asked(stage, request),
            NetStep::Answered { request, provided } => self.answered(stage, request, &provided),
        }
    }

    // Machines.

    pub(crate) fn process_started(&mut self, end: usize, life: u64) {
        self.sides[end] = Side { life: Some(life), ..Side::default() };
    }

    pub(crate) fn process_ended(&mut self, stage: &mut Stage, end: usize) {
        let side = std::mem::take(&mut self.sides[end]);
        self.fetches.forget(end);
        for connection in side.current.into_values() {
            let delay = self.notice_delay(stage);
            self.break_off(stage, connection, [delay; 2]);
        }
    }

    /// Restricts who can reach whom, for good.
    pub(crate) fn set_links(&mut self, stage: &mut Stage, links: BTreeSet<(usize, usize)>) {
        self.links = links;
        for id in self.ids() {
            let ends = self.connections[&id].ends;
            if !self.links.contains(&pair(ends[0], ends[1])) {
                self.break_off(stage, id, [Duration::ZERO; 2]);
            }
        }
    }

    pub(crate) fn links(&self) -> impl Iterator<Item = (usize, usize)> {
        self.links.iter().copied()
    }

    // Cuts.

    /// Lets nothing pass from one machine to another for a while. A connection waits for short
    /// cuts, and breaks in long ones.
    pub(crate) fn cut(&mut self, stage: &mut Stage, from: usize, to: usize, length: Duration) {
        self.cuts.insert((from, to), stage.agenda.now() + length);
        if length < KEEPALIVE {
            return;
        }
        for id in self.ids() {
            let ends = self.connections[&id].ends;
            if pair(ends[0], ends[1]) == pair(from, to) {
                let delays = [(); 2].map(|()| self.dice.between_ms(8_000..15_000));
                self.break_off(stage, id, delays);
            }
        }
    }

    pub(crate) fn heal(&mut self) {
        self.cuts.clear();
    }

    fn cut_until(&self, now: Duration, from: usize, to: usize) -> Option<Duration> {
        self.cuts.get(&(from, to)).copied().filter(|until| *until > now)
    }

    // Connections.

    fn dialled(&mut self, stage: &mut Stage, (from, life): (usize, u64), device: DeviceId) {
        if self.sides[from].life != Some(life) {
            return;
        }
        let to = self.number_of(device).filter(|to| self.links.contains(&pair(from, *to)));
        let now = stage.agenda.now();
        let Some((to, other)) = to.and_then(|to| Some((to, self.sides[to].life?))) else {
            return self.fail_dial(stage, from, device, 5..500);
        };
        if self.live_between(from, to).is_some() {
            // Both dialled at once, or the event is on its way: one connection serves.
            return;
        }
        let is_cut =
            [(from, to), (to, from)].iter().any(|c| self.cut_until(now, c.0, c.1).is_some());
        if is_cut || stage.faults.strikes(Fault::DialFailure) {
            return self.fail_dial(stage, from, device, 500..5_000);
        }
        let latency = self.dice.between_ms(1..60);
        let id = self.next_connection;
        self.next_connection += 1;
        let connection = Connection {
            ends: [from, to],
            lives: [life, other],
            latency,
            is_broken: false,
            opened: [false; 2],
            is_tainted: false,
            in_flight: 0,
            tails: BTreeMap::new(),
        };
        self.connections.insert(id, connection);
        let open = |end, outbound| Event::Net(NetStep::Opened { connection: id, end, outbound });
        stage.agenda.after(Duration::ZERO, open(to, false));
        stage.agenda.after(latency, open(from, true));
    }

    fn fail_dial(
        &mut self,
        stage: &mut Stage,
        from: usize,
        device: DeviceId,
        after_ms: std::ops::Range<u64>,
    ) {
        let delay = self.dice.between_ms(after_ms);
        let reason = "simulated".to_owned();
        self.tell_after(stage, delay, from, NetEvent::DialFailed { device, reason });
    }

    fn opened(&mut self, stage: &mut Stage, id: u64, end: usize, outbound: bool) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let (side, peer) = (connection.side_of(end), connection.peer_of(end));
        let device = self.devices[peer];
        if self.sides[end].life != Some(connection.lives[side]) {
            return self.break_off(stage, id, [Duration::ZERO; 2]);
        }
        if connection.is_broken {
            if outbound {
                self.fail_dial(stage, end, device, 1..50);
            }
            return;
        }
        connection.opened[side] = true;
        if let Some(before) = self.sides[end].current.get(&peer).copied() {
            self.closed(stage, before, end);
        }
        self.sides[end].current.insert(peer, id);
        let address = address(peer);
        self.tell(stage, end, NetEvent::Connected { device, address, outbound });
        self.maybe_replay(stage, id, (peer, end));
    }

    /// Breaks a connection; each end notices after its delay.
    fn break_off(&mut self, stage: &mut Stage, id: u64, delays: [Duration; 2]) {
        let Some(connection) = self.connections.get_mut(&id).filter(|c| !c.is_broken) else {
            return;
        };
        connection.is_broken = true;
        for (end, delay) in connection.ends.into_iter().zip(delays) {
            stage.agenda.after(delay, Event::Net(NetStep::Closed { connection: id, end }));
        }
    }

    fn closed(&mut self, stage: &mut Stage, id: u64, end: usize) {
        let Some(connection) = self.connections.get(&id) else { return };
        let (side, peer) = (connection.side_of(end), connection.peer_of(end));
        let is_current = self.sides[end].current.get(&peer) == Some(&id);
        if !is_current || self.sides[end].life != Some(connection.lives[side]) {
            return;
        }
        self.sides[end].current.remove(&peer);
        self.sides[end].parked.remove(&peer);
        self.abort_fetches(stage, end, peer);
        self.tell(stage, end, NetEvent::Disconnected { device: self.devices[peer] });
    }

    /// How long it takes to notice that the other end is gone.
    fn notice_delay(&mut self, stage: &mut Stage) -> Duration {
        if stage.faults.strikes(Fault::HalfOpen) {
            self.dice.between_ms(1_000..20_000)
        } else {
            self.dice.between_ms(1..100)
        }
    }

    // Looks.

    pub(crate) fn number_of(&self, device: DeviceId) -> Option<usize> {
        self.devices.iter().position(|other| *other == device)
    }

    pub(crate) fn device(&self, end: usize) -> DeviceId {
        self.devices[end]
    }

    pub(crate) fn latency_ms(&mut self) -> Duration {
        self.dice.between_ms(1..60)
    }

    pub(crate) fn is_alive_between(&self, one: usize, other: usize) -> bool {
        self.live_between(one, other).is_some()
    }

    fn live_between(&self, one: usize, other: usize) -> Option<&Connection> {
        self.connections.values().rev().find(|connection| {
            !connection.is_broken
                && pair(connection.ends[0], connection.ends[1]) == pair(one, other)
        })
    }

    /// The connection that a machine believes to have.
    pub(crate) fn connection(&self, from: usize, device: DeviceId) -> Option<u64> {
        self.sides[from].current.get(&self.number_of(device)?).copied()
    }

    pub(crate) fn is_admitted(&self, end: usize, peer: usize) -> bool {
        self.sides[end].admitted.contains(&peer)
    }

    fn ids(&self) -> Vec<u64> {
        self.connections.keys().copied().collect()
    }

    pub(crate) fn tell(&self, stage: &mut Stage, end: usize, event: NetEvent) {
        self.tell_after(stage, Duration::ZERO, end, event);
    }

    pub(crate) fn tell_after(
        &self,
        stage: &mut Stage,
        delay: Duration,
        end: usize,
        event: NetEvent,
    ) {
        if let Some(life) = self.sides[end].life {
            let input = Input::Net(event);
            stage.agenda.after(delay, Event::Input { machine: end, life, input: Box::new(input) });
        }
    }
}

/// Where a machine listens.
pub(crate) fn address(machine: usize) -> String {
    format!("/ip4/10.0.0.{}/tcp/4001", machine + 1)
}

fn pair(one: usize, other: usize) -> (usize, usize) {
    (one.min(other), one.max(other))
}
