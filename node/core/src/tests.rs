//! Whole nodes in memory that hear each other at once: what needs no disk, no
//! faults and no time is shown here, everything else in the simulator.

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use data_plane_core::net::{Lane, NetCommand, NetEvent};
use node_model::{DeviceId, Now, SpaceId, Timestamp, ticket::Ticket};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};
use serde_json::json;
use sync_engine_core::{
    content_document, entry,
    reconcile::{Head, Message, PROTOCOL},
    store::{EntryStore, MemoryStore, StoreEpoch, StoreError},
};
use trust_core::{Reach, Role, keyring::DeviceKeys};

use self::opened::{node, node_of, node_on, node_with};
use crate::{
    Config, Effect, Failure, FailureKind, Input, Node, Request, RequestId, Response, SpaceStorage,
    request::{Changes, Meta, PeerSyncState, WriteDocument},
};

mod capabilities;
mod circles;
mod collection;
mod conflicts;
mod custody;
mod denied;
mod doctor;
mod farewell;
mod holders;
mod introduce;
mod offers;
mod opened;
mod parked;
mod progress;
mod purge;
mod receipts;
mod search;
mod sites;
mod statements;
mod unknown;
mod visits;

struct InMemory;

impl SpaceStorage for InMemory {
    fn open(&mut self, _: SpaceId, epoch: StoreEpoch) -> Result<Box<dyn EntryStore>, StoreError> {
        Ok(Box::new(MemoryStore::new(epoch)))
    }
}

/// A question that waits for whoever has the index.
#[derive(Debug)]
struct Asked {
    at: usize,
    device: DeviceId,
    question: u64,
    text: String,
    spaces: BTreeSet<SpaceId>,
}

/// Nodes that are all connected as soon as one dials another.
struct Company {
    nodes: Vec<Node>,
    devices: Vec<DeviceId>,
    answers: Vec<(usize, RequestId, Result<Response, Failure>)>,
    inbox: VecDeque<(usize, Input)>,
    /// Whom each node lets in beyond pairing.
    admitted: BTreeSet<(usize, DeviceId)>,
    /// Frames of closed lanes, which a transport holds back until the peer is let in.
    parked: Vec<(usize, DeviceId, Input)>,
    /// Whom nobody reaches.
    apart: Option<usize>,
    /// Who hears no statements.
    deaf: Option<usize>,
    /// What nodes were asked to look for.
    questions: Vec<Asked>,
    /// Who neither says nor hears what a program speaks, like one of before.
    early: Option<usize>,
    next_request: u64,
    wall: u64,
}

impl Company {
    fn new(count: u8) -> Self {
        let nodes: Vec<Node> = (0..count).map(node).collect();
        let devices = nodes.iter().map(|node| node.trust().device()).collect();
        let inbox = (0..nodes.len())
            .map(|at| {
                let address = format!("/ip4/10.0.0.{at}/tcp/1");
                (at, Input::Net(NetEvent::Listening { address }))
            })
            .collect();
        Self {
            nodes,
            devices,
            answers: vec![],
            inbox,
            admitted: BTreeSet::new(),
            parked: vec![],
            apart: None,
            deaf: None,
            questions: vec![],
            early: None,
            next_request: 0,
            wall: 1_000,
        }
    }

    fn now(&self) -> Now {
        Now { monotonic: Duration::from_millis(self.wall), wall: Timestamp(self.wall) }
    }

    fn ask(&mut self, at: usize, request: Request) -> Result<Response, Failure> {
        let id = RequestId(self.next_request);
        self.next_request += 1;
        self.inbox.push_back((at, Input::Request(id, request)));
        self.run();
        let place = self.answers.iter().position(|it| (it.0, it.1) == (at, id));
        self.answers.remove(place.expect("every request is answered")).2
    }

    fn run(&mut self) {
        while let Some((at, input)) = self.inbox.pop_front() {
            let now = self.now();
            self.nodes[at].handle(now, input);
            self.nodes[at].flush(now);
            while let Some(effect) = self.nodes[at].poll_effect() {
                self.carry(at, effect);
            }
        }
    }

    fn carry(&mut self, at: usize, effect: Effect) {
        match effect {
            Effect::Reply(id, answer) => self.answers.push((at, id, answer)),
            Effect::Load(order) => {
                self.inbox.push_back((at, Input::Loaded(Box::new(order.load()))));
            }
            Effect::Bundle(order) => {
                self.inbox.push_back((at, Input::Bundled(Box::new(order.make()))));
            }
            Effect::Verify { job, entries } => {
                let results = entry::read_batch(entries);
                self.inbox.push_back((at, Input::Verified { job, results }));
            }
            Effect::Net(NetCommand::Dial { device, .. }) => match self.find(device) {
                Some(other) if self.apart.is_none_or(|apart| apart != at && apart != other) => {
                    self.connect(at, other, true);
                    self.connect(other, at, false);
                }
                Some(_) | None => {
                    let reason = "nobody is there".to_owned();
                    self.inbox.push_back((at, Input::Net(NetEvent::DialFailed { device, reason })));
                }
            },
            Effect::Net(NetCommand::Send { device, lane, frame }) => {
                let hears = |other: &usize| {
                    (lane != Lane::Trust || self.deaf != Some(*other))
                        && !self.is_unheard_of((at, *other), lane, &frame)
                };
                if let Some(other) = self.find(device).filter(hears) {
                    let device = self.devices[at];
                    let input = Input::Net(NetEvent::Frame { device, lane, frame });
                    if lane.is_public() || self.admitted.contains(&(other, device)) {
                        self.inbox.push_back((other, input));
                    } else {
                        self.parked.push((other, device, input));
                    }
                }
            }
            Effect::Net(NetCommand::Admit { device }) => {
                self.admitted.insert((at, device));
                let (now, later): (Vec<_>, Vec<_>) = std::mem::take(&mut self.parked)
                    .into_iter()
                    .partition(|(to, from, _)| (*to, *from) == (at, device));
                self.parked = later;
                self.inbox.extend(now.into_iter().map(|(to, _, input)| (to, input)));
            }
            Effect::Net(NetCommand::Forbid { device }) => {
                self.admitted.remove(&(at, device));
            }
            Effect::Net(
                NetCommand::Disconnect { .. }
                | NetCommand::Fetch { .. }
                | NetCommand::Answer { .. },
            )
            | Effect::Changed { .. }
            | Effect::Unlocked { .. }
            | Effect::Purged { .. }
            | Effect::PairingCode { .. }
            | Effect::Paired { .. }
            | Effect::Denied(_) => {}
            Effect::Search { device, question, text, spaces, .. } => {
                self.questions.push(Asked { at, device, question, text, spaces });
            }
        }
    }

    fn connect(&mut self, at: usize, other: usize, outbound: bool) {
        let device = self.devices[other];
        let address = format!("/ip4/10.0.0.{other}/tcp/1");
        self.inbox.push_back((at, Input::Net(NetEvent::Connected { device, address, outbound })));
    }

    fn find(&self, device: DeviceId) -> Option<usize> {
        self.devices.iter().position(|known| *known == device)
    }

    fn space(&mut self, at: usize) -> SpaceId {
        let found = Request::FoundSpace {
            name: "garden".into(),
            reach: Reach::Private,
            has_open_history: true,
        };
        let Response::Space(info) = self.ask(at, found).expect("founds") else {
            panic!("not the answer");
        };
        info.space
    }

    fn ticket(&mut self, at: usize, space: Option<SpaceId>) -> Ticket {
        let grant = space.map(|space| (space, Role::Writer));
        let issue = Request::IssueTicket {
            grant,
            is_for_own_device: false,
            lifetime: Duration::from_secs(60),
        };
        let Response::Ticket(ticket) = self.ask(at, issue).expect("issues") else {
            panic!("not the answer");
        };
        ticket
    }

    fn accept(&mut self, at: usize, ticket: Ticket) -> Result<(), Failure> {
        let Response::PairingCode { device, code } =
            self.ask(at, Request::Pair { ticket, is_link: false })?
        else {
            panic!("no code");
        };
        let inviter = self.find(device).expect("is one of us");
        let Response::Pairings(shown) = self.ask(inviter, Request::Pairings)? else {
            panic!("no pairings");
        };
        assert_eq!(shown.last().map(|pairing| pairing.code.clone()), Some(code));
        self.ask(at, Request::ConfirmPairing { device, is_same: true }).map(|_| ())
    }

    fn write(&mut self, at: usize, space: SpaceId, id: &str) {
        self.ask(at, note(space, id, json!({"id": id}))).expect("writes");
    }

    fn has(&mut self, at: usize, space: SpaceId, id: &str) -> bool {
        let document = content_document(space, id);
        self.ask(at, Request::ReadDocument { space, document }).is_ok()
    }
}

fn note(space: SpaceId, id: &str, value: serde_json::Value) -> Request {
    let meta = Meta { kind: "note".into(), ..Meta::default() };
    let documents = vec![WriteDocument { document: content_document(space, id), meta, value }];
    Request::WriteDocuments { space, documents }
}

#[test]
fn a_ticket_relates_two_and_brings_the_space() {
    let mut company = Company::new(2);
    let space = company.space(0);
    company.write(0, space, "before");
    let ticket = company.ticket(0, Some(space));
    company.accept(1, ticket).expect("pairs");
    company.write(1, space, "after");
    assert!(company.has(1, space, "before") && company.has(0, space, "after"));
    let sync = Request::Sync { device: None, is_full: false };
    let Ok(Response::Synced(report)) = company.ask(0, sync) else {
        panic!("does not sync");
    };
    assert_eq!(report.peers, [(company.devices[1], PeerSyncState::Synced)]);
}

#[test]
fn who_derives_something_is_told_what_changed_since() {
    let mut company = Company::new(2);
    let space = company.space(0);
    let changes = |company: &mut Company, at, since: Option<&Changes>| {
        let since = since.map(|changes| changes.stamp.clone());
        let asked = company.ask(at, Request::Changes { space, since }).expect("answers");
        let Response::Changes(changes) = asked else {
            panic!("not the answer");
        };
        changes
    };
    company.write(0, space, "one");
    let first = changes(&mut company, 0, None).expect("readable");
    assert_eq!((first.documents.len(), first.is_all, first.is_more), (1, true, false));
    for at in 0..600 {
        company.write(0, space, &format!("document {}", at % 599));
    }
    let mut seen = std::collections::BTreeSet::new();
    let mut last = first.clone();
    let mut rounds = 0;
    loop {
        last = changes(&mut company, 0, Some(&last)).expect("readable");
        seen.extend(last.documents.iter().copied());
        rounds += 1;
        if !last.is_more {
            break;
        }
    }
    assert_eq!((seen.len(), rounds, last.is_all), (599, 2, false));
    let none = changes(&mut company, 0, Some(&last)).expect("readable");
    assert_eq!((none.documents.len(), &none.stamp), (0, &last.stamp));

    // Another copy of the space has another history, and a stranger none.
    assert_eq!(changes(&mut company, 1, Some(&first)), None);
    let ticket = company.ticket(0, Some(space));
    company.accept(1, ticket).expect("pairs");
    company.write(1, space, "theirs");
    let other = changes(&mut company, 1, Some(&last)).expect("readable");
    assert_eq!((other.documents.len(), other.is_all), (601, true));
    for odd in [vec![], vec![0; 64], vec![255; 64], vec![7; 200]] {
        let odd = Changes { stamp: odd, ..last.clone() };
        assert!(changes(&mut company, 0, Some(&odd)).expect("readable").is_all);
    }
}

#[test]
fn a_group_grows_member_by_member() {
    let mut company = Company::new(7);
    let space = company.space(0);
    for guest in 1..7 {
        let host = guest - 1;
        let ticket = company.ticket(0, Some(space));
        company.accept(guest, ticket).expect("joins the space");
        let ticket = company.ticket(host, None);
        if host > 0 {
            company.accept(guest, ticket).expect("relates to another member");
        }
        company.write(guest, space, &format!("from {guest}"));
    }
    for reader in 0..7 {
        for guest in 1..7 {
            assert!(company.has(reader, space, &format!("from {guest}")), "{reader} {guest}");
        }
    }
}

#[test]
fn a_ticket_is_good_once_and_for_a_time() {
    let mut company = Company::new(4);
    let ticket = company.ticket(0, None);
    company.accept(1, ticket.clone()).expect("pairs");
    let again = company.accept(2, ticket).expect_err("is used");
    assert_eq!(again.kind, FailureKind::NotAllowed);

    let late = company.ticket(0, None);
    company.wall += 61_000;
    let late = company.accept(2, late).expect_err("has expired");
    assert_eq!(late.kind, FailureKind::NotAllowed);

    let mut forged = company.ticket(0, None);
    forged.secret.0[0] ^= 1;
    assert!(company.accept(2, forged).is_err());

    let mut foreign = company.ticket(3, None);
    foreign.device = company.devices[0];
    assert!(company.accept(2, foreign).is_err());
    let Ok(Response::Peers(peers)) = company.ask(2, Request::Peers) else {
        panic!("no peers");
    };
    assert!(peers.is_empty(), "nobody became related by a bad ticket");
}

#[test]
fn without_a_role_nothing_of_a_space_is_served() {
    let mut company = Company::new(2);
    let space = company.space(0);
    company.write(0, space, "secret");
    let ticket = company.ticket(0, None);
    company.accept(1, ticket).expect("pairs");
    let hidden = company.ask(1, Request::Documents { space }).expect_err("is not a member");
    let unknown = Request::Documents { space: SpaceId([9; 32]) };
    assert_eq!(hidden, company.ask(1, unknown).expect_err("is not there"));
}
