//! Nodes that reach each other through a doorway only: the frames of a connection, carried
//! in batches by somebody who visits both.

use data_plane_core::{
    batch::{Batch, Returned, VisitId},
    pipe::{Pipe, Side},
    visits::{TurnId, Visits},
};

use super::*;
use crate::request::Party;

/// Nodes that know each other, and who reaches whom how.
struct Street {
    company: Company,
    visits: Vec<Visits>,
    /// Who is connected otherwise.
    direct: BTreeSet<(usize, usize)>,
    /// Every frame that came to a node, as bytes.
    heard: Vec<Vec<u8>>,
}

impl Street {
    /// Puts an end to all connections of nodes that have met.
    fn of(mut company: Company) -> Self {
        let count = company.nodes.len();
        for at in 0..count {
            for other in (0..count).filter(|other| *other != at) {
                let device = company.devices[other];
                company.inbox.push_back((at, Input::Net(NetEvent::Disconnected { device })));
            }
        }
        let visits = (0..count).map(|_| Visits::default()).collect();
        let mut street =
            Self { company, visits, direct: BTreeSet::new(), heard: vec![vec![]; count] };
        street.run();
        street
    }

    fn connect(&mut self, one: usize, other: usize) {
        for (at, to) in [(one, other), (other, one)] {
            self.direct.insert((at, to));
            let (device, address) = (self.company.devices[to], String::new());
            let event = NetEvent::Connected { device, address, outbound: false };
            self.visits[at].on_net(event);
        }
        self.run();
    }

    /// Until nobody has anything to do any more.
    fn run(&mut self) {
        loop {
            for at in 0..self.visits.len() {
                let visits = &mut self.visits[at];
                let events =
                    std::iter::from_fn(|| visits.poll_event().or_else(|| visits.poll_frame()));
                for event in events {
                    if let NetEvent::Frame { frame, .. } = &event {
                        self.heard[at].extend_from_slice(frame);
                    }
                    self.company.inbox.push_back((at, Input::Net(event)));
                }
            }
            let Some((at, input)) = self.company.inbox.pop_front() else { return };
            let now = self.company.now();
            self.company.nodes[at].handle(now, input);
            self.company.nodes[at].flush(now);
            while let Some(effect) = self.company.nodes[at].poll_effect() {
                match effect {
                    Effect::Net(command) => self.command(at, command),
                    Effect::Load(_)
                    | Effect::Bundle(_)
                    | Effect::Verify { .. }
                    | Effect::Reply(..)
                    | Effect::Changed { .. }
                    | Effect::Unlocked { .. }
                    | Effect::Purged { .. }
                    | Effect::PairingCode { .. }
                    | Effect::Paired { .. }
                    | Effect::Search { .. }
                    | Effect::Denied(_) => self.company.carry(at, effect),
                }
            }
        }
    }

    fn command(&mut self, at: usize, command: NetCommand) {
        match self.visits[at].command(command) {
            Some(NetCommand::Send { device, lane, frame }) => {
                let to = self.company.find(device).expect("is one of us");
                if self.direct.contains(&(at, to)) {
                    let device = self.company.devices[at];
                    self.visits[to].on_net(NetEvent::Frame { device, lane, frame });
                }
            }
            // Nobody is found by dialling.
            None
            | Some(
                NetCommand::Dial { .. }
                | NetCommand::Disconnect { .. }
                | NetCommand::Admit { .. }
                | NetCommand::Forbid { .. }
                | NetCommand::Fetch { .. }
                | NetCommand::Answer { .. },
            ) => {}
        }
    }

    /// Brings a batch to the doorway of a node, as it would travel, and waits.
    fn bring(&mut self, from: usize, to: usize, batch: &Batch) -> Returned {
        let batch = Batch::decode(&batch.encode()).expect("is a batch");
        let now = self.company.now().monotonic;
        self.visits[to].arrive(now, self.company.devices[from], TurnId(batch.number), batch);
        self.run();
        self.company.wall += 1_000;
        let now = self.company.now().monotonic;
        let (turn, answer) = self.visits[to].poll_answer(now).expect("the wait is over");
        let answer = answer.expect("the visit goes on");
        assert_eq!(turn, TurnId(answer.number));
        Returned::decode(&answer.encode()).expect("is an answer")
    }

    /// One visits the doorway of the other one until both have nothing to say.
    fn visit(&mut self, here: usize, there: usize) {
        let mut pipe = Pipe::new(VisitId([here as u8; 16]), VisitId([there as u8; 16]));
        while !pipe.is_quiet() {
            let batch = pipe.next(Side::There);
            let returned = self.bring(here, there, &batch);
            pipe.returned(Side::There, returned).expect("in order");
            let batch = pipe.next(Side::Here);
            let returned = self.bring(there, here, &batch);
            pipe.returned(Side::Here, returned).expect("in order");
        }
        let state = |street: &Self, at: usize, other: usize| {
            street.company.nodes[at].peer_sync_state(street.company.devices[other])
        };
        assert_eq!(state(self, here, there), PeerSyncState::Synced);
        assert_eq!(state(self, there, here), PeerSyncState::Synced);
        let last = pipe.last(Side::There);
        self.bring(here, there, &last);
        let last = pipe.last(Side::Here);
        self.bring(there, here, &last);
        self.run();
        assert_eq!(state(self, here, there), PeerSyncState::Unreachable);
    }

    fn ask(&mut self, at: usize, request: Request) -> Result<Response, Failure> {
        let id = RequestId(self.company.next_request);
        self.company.next_request += 1;
        self.company.inbox.push_back((at, Input::Request(id, request)));
        self.run();
        let answers = &mut self.company.answers;
        let place = answers.iter().position(|(node, asked, _)| (*node, *asked) == (at, id));
        answers.remove(place.expect("every request is answered")).2
    }

    fn write(&mut self, at: usize, space: SpaceId, id: &str) {
        self.ask(at, note(space, id, json!({"id": id}))).expect("writes");
    }

    fn has(&mut self, at: usize, space: SpaceId, id: &str) -> bool {
        let document = content_document(space, id);
        self.ask(at, Request::ReadDocument { space, document }).is_ok()
    }
}

/// Nodes of which the first one has a space; the others have these roles in it.
fn with_guests(roles: &[Role]) -> (Company, SpaceId) {
    let mut company = Company::new(roles.len() as u8 + 1);
    let space = company.space(0);
    for (at, role) in roles.iter().enumerate() {
        let issue = Request::IssueTicket {
            grant: Some((space, *role)),
            is_for_own_device: false,
            lifetime: Duration::from_secs(60),
        };
        let Response::Ticket(ticket) = company.ask(0, issue).expect("issues") else {
            panic!("not the answer");
        };
        company.accept(at + 1, ticket).expect("pairs");
    }
    (company, space)
}

#[test]
fn two_who_know_only_a_doorway_become_equal_in_both_directions() {
    let (company, space) = with_guests(&[Role::Writer]);
    let mut street = Street::of(company);
    for number in 0..40 {
        street.write(0, space, &format!("of 0: {number}"));
        street.write(1, space, &format!("of 1: {number}"));
    }
    assert!(!street.has(1, space, "of 0: 39"));
    street.visit(1, 0);
    for number in 0..40 {
        assert!(street.has(1, space, &format!("of 0: {number}")));
        assert!(street.has(0, space, &format!("of 1: {number}")));
    }
    street.write(0, space, "later");
    street.visit(0, 1);
    assert!(street.has(1, space, "later"));
}

#[test]
fn a_blind_custodian_passes_on_what_came_through_its_doorway() {
    const CANARY: &str = "canary-71-sings-in-no-frame";
    let (mut company, space) = with_guests(&[Role::Custodian, Role::Writer]);
    // The two who do not meet any more have heard of each other.
    company.write(0, space, "before");
    let mut street = Street::of(company);
    street.connect(1, 2);
    street.write(0, space, CANARY);
    street.visit(0, 1);
    assert!(street.has(2, space, CANARY), "it went on to who is connected");
    street.write(2, space, "back");
    street.visit(0, 1);
    assert!(street.has(0, space, "back"));
    assert!(!street.has(1, space, CANARY), "the custodian reads nothing");
    for heard in &street.heard {
        assert!(heard.len() > 1_000);
        assert!(!heard.windows(CANARY.len()).any(|part| part == CANARY.as_bytes()));
    }
}

#[test]
fn garbage_of_a_visitor_changes_nothing_and_a_good_frame_after_it_counts() {
    let (company, space) = with_guests(&[Role::Writer]);
    let mut street = Street::of(company);
    street.write(0, space, "one");
    let lanes = [Lane::Pair, Lane::Trust, Lane::Sync];
    let frames = lanes.into_iter().flat_map(|lane| {
        [vec![], vec![0xff; 300], vec![0xa1; 40]].map(|bytes| (lane, bytes.into()))
    });
    let frames = frames.map(|(lane, bytes)| data_plane_core::batch::Frame { lane, bytes });
    let garbage = Batch {
        visit: VisitId([9; 16]),
        number: 0,
        wait: Duration::ZERO,
        is_last: false,
        frames: frames.collect(),
    };
    street.bring(1, 0, &garbage);
    street.visit(1, 0);
    assert!(street.has(1, space, "one"));
}

#[test]
fn whom_the_owner_takes_out_is_out_in_the_middle_of_a_visit() {
    let (company, space) = with_guests(&[Role::Writer]);
    let mut street = Street::of(company);
    let opening = Batch {
        visit: VisitId([9; 16]),
        number: 0,
        wait: Duration::ZERO,
        is_last: false,
        frames: vec![],
    };
    assert!(!street.bring(1, 0, &opening).frames.is_empty(), "it is greeted");
    let agent = street.company.nodes[1].trust().agent();
    street.ask(0, Request::Revoke { space, party: Party::Agent(agent) }).expect("is its admin");
    street.ask(0, Request::Part { agent }).expect("they are related");
    let device = street.company.devices[1];
    assert_eq!(street.company.nodes[0].peer_sync_state(device), PeerSyncState::Unreachable);
    let next = Batch { number: 1, ..opening };
    let now = street.company.now().monotonic;
    street.visits[0].arrive(now, device, TurnId(1), next);
    let (_, answer) = street.visits[0].poll_answer(now).expect("an answer");
    assert!(answer.is_err(), "the visit is over");
}
