//! How a world begins: nodes start, one founds a space, the others pair with it. By real requests,
//! on a network that only takes its time.

use std::{collections::BTreeSet, time::Duration};

use node_core::{
    Failure, Request, Response,
    request::{Reach, Role},
};

use crate::{network::address, workload::Asked, world::World};

/// How long a step of the set-up may take.
const STEP_MAX: Duration = Duration::from_secs(120);

/// Longer than any clock is wrong.
pub(crate) const TICKET_LIFETIME: Duration = Duration::from_secs(40 * 365 * 24 * 60 * 60);

/// An answer to the set-up.
pub(crate) type Answer = Result<Response, Failure>;

impl World {
    /// Starts all machines and brings them into one space.
    pub(crate) fn set_up(&mut self) {
        self.skew_clocks();
        for machine in 0..self.machines.len() {
            self.start(machine);
        }
        self.settle("all nodes start", |world| world.machines.iter().all(|m| m.process.is_some()));
        let found = Request::FoundSpace {
            name: "Family".to_owned(),
            reach: Reach::Invited,
            has_open_history: true,
        };
        if let Some(Response::Space(info)) = self.ask(0, found) {
            self.space = info.space;
        }
        let members: Vec<_> =
            (0..self.machines.len()).filter(|number| self.joiner != Some(*number)).collect();
        for machine in members.iter().copied().skip(1) {
            let role = self.draw_role(machine);
            self.pair(machine, role);
        }
        self.settle("all nodes have the space", |world| {
            members.iter().all(|number| {
                world.machines[*number].process.as_ref().is_some_and(|process| {
                    let graph = process.node.trust().graph();
                    let facts = graph.spaces.get(&world.space);
                    facts.is_some_and(|space| space.members.len() == members.len())
                })
            })
        });
        self.draw_links(&members);
        let now = self.now();
        let text = self.to_string();
        self.stage.trace.note(now, 0, "world", text.as_bytes(), || text.clone());
    }

    pub(crate) fn draw_role(&mut self, machine: usize) -> Role {
        // At least two write.
        match self.dice.below(10) {
            0 if machine > 1 => Role::Custodian,
            1 if machine > 1 => Role::Reader,
            2 => Role::Admin,
            _ => Role::Writer,
        }
    }

    fn pair(&mut self, machine: usize, role: Role) {
        self.machines[machine].grant(role);
        let grant = Some((self.space, role));
        let issue =
            Request::IssueTicket { grant, is_for_own_device: false, lifetime: TICKET_LIFETIME };
        let Some(Response::Ticket(ticket)) = self.ask(0, issue) else { return };
        let accept = Request::Pair { ticket, is_link: false };
        let Some(Response::PairingCode { device, code }) = self.ask(machine, accept) else {
            return;
        };
        let theirs = self.machines[machine].device;
        self.settle("the other side shows the code", |world| {
            let process = world.machines[0].process.as_ref();
            process.is_some_and(|process| process.codes.get(&theirs) == Some(&code))
        });
        let confirm = Request::ConfirmPairing { device, is_same: true };
        self.ask(machine, confirm);
    }

    /// A line or a mesh, by seed; some pairs then never meet. Who comes later knows the founder.
    fn draw_links(&mut self, members: &[usize]) {
        let mut order = members.to_vec();
        for at in (1..order.len()).rev() {
            order.swap(at, self.dice.below(at + 1));
        }
        let mut links: BTreeSet<(usize, usize)> =
            order.windows(2).map(|two| (two[0].min(two[1]), two[0].max(two[1]))).collect();
        links.extend(self.joiner.map(|joiner| (0, joiner)));
        let extra = self.dice.below(3) as u32 * 500;
        for one in 0..self.machines.len() {
            for other in one + 1..self.machines.len() {
                if self.dice.chance(extra) {
                    links.insert((one, other));
                }
            }
        }
        for (one, other) in links.clone() {
            let device = self.machines[other].device;
            self.ask(one, Request::AddPeer { device, addresses: vec![address(other)] });
        }
        self.network.set_links(&mut self.stage, links);
    }

    /// Asks and waits for the answer.
    fn ask(&mut self, machine: usize, request: Request) -> Option<Response> {
        self.answers.clear();
        let text = format!("{request:?}");
        self.request(machine, request, Asked::SetUp);
        self.run_until(STEP_MAX, |world| !world.answers.is_empty());
        match self.answers.pop() {
            Some(Ok(response)) => return Some(response),
            Some(Err(failure)) => self.object("the set-up works", format!("{failure}: {text}")),
            None => self.object("the set-up works", format!("no answer: {text}")),
        }
        None
    }

    fn settle(&mut self, what: &str, done: impl FnMut(&mut Self) -> bool) {
        if !self.run_until(STEP_MAX, done) {
            self.object("the set-up works", format!("not in time: {what}"));
        }
    }
}
