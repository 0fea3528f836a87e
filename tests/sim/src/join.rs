//! Who comes in and who rises in the time of trouble: pairing and grants by real requests, tried
//! again until they work, as people do.

use std::time::Duration;

use node_core::{
    Failure, Request, Response,
    request::{Party, Role},
};
use node_model::DeviceId;

use crate::{
    setup::TICKET_LIFETIME,
    workload::Asked,
    world::{Event, World},
};

/// When people lose patience and begin again.
const PATIENCE: Duration = Duration::from_secs(45);

/// A step of coming in or rising.
#[derive(Clone, Debug)]
pub(crate) enum Join {
    /// The founder makes a ticket for a machine.
    Begin { machine: usize },
    /// Both people look at their codes.
    Compare { machine: usize, device: DeviceId, code: String },
    /// The founder makes a writer of a machine's agent.
    Promote { machine: usize },
}

impl World {
    /// Enters who comes in and who rises within the next `length` into the agenda.
    pub(crate) fn plan_joins(&mut self, length: Duration) {
        if let Some(machine) = self.joiner {
            let role = self.draw_role(machine);
            self.machines[machine].grant(role);
            let at = self.dice.between_ms(0..length.as_millis() as u64);
            self.stage.agenda.after(at, Event::Join(Join::Begin { machine }));
        }
        for machine in 0..self.machines.len() {
            let this = &self.machines[machine];
            let is_lesser = !this.role.includes(Role::Writer) && !this.is_leaving;
            if is_lesser && self.joiner != Some(machine) && self.dice.chance(700) {
                let at = self.dice.between_ms(0..length.as_millis() as u64);
                self.stage.agenda.after(at, Event::Join(Join::Promote { machine }));
            }
        }
    }

    pub(crate) fn join(&mut self, step: Join) {
        match step {
            Join::Begin { machine } if self.is_member(machine) => {}
            Join::Begin { machine } => {
                let grant = Some((self.space, self.machines[machine].role));
                let issue = Request::IssueTicket {
                    grant,
                    is_for_own_device: false,
                    lifetime: TICKET_LIFETIME,
                };
                self.request(0, issue, Asked::Ticket { machine });
                self.stage.agenda.after(PATIENCE, Event::Join(Join::Begin { machine }));
            }
            Join::Compare { machine, device, code } => {
                let theirs = self.machines[machine].device;
                let founder = self.machines[0].process.as_ref();
                let is_same = founder.is_some_and(|p| p.codes.get(&theirs) == Some(&code));
                if is_same {
                    let confirm = Request::ConfirmPairing { device, is_same };
                    self.request(machine, confirm, Asked::Join);
                }
            }
            Join::Promote { machine } if self.machines[machine].role.includes(Role::Writer) => {}
            Join::Promote { machine } => {
                let agent = self.machines[machine].agent;
                let (space, party, role) = (self.space, Party::Agent(agent), Role::Writer);
                self.request(0, Request::Grant { space, party, role }, Asked::Grant { machine });
                self.stage.agenda.after(PATIENCE, Event::Join(Join::Promote { machine }));
            }
        }
    }

    /// Goes on with what was answered.
    pub(crate) fn joined(&mut self, asked: &Asked, answer: Result<Response, Failure>) {
        match (asked, answer) {
            (Asked::Ticket { machine }, Ok(Response::Ticket(ticket))) => {
                self.request(
                    *machine,
                    Request::Pair { ticket, is_link: false },
                    Asked::Pair { machine: *machine },
                );
            }
            (Asked::Pair { machine }, Ok(Response::PairingCode { device, code })) => {
                let step = Join::Compare { machine: *machine, device, code };
                let delay = self.dice.between_ms(500..5_000);
                self.stage.agenda.after(delay, Event::Join(step));
            }
            (Asked::Grant { machine }, Ok(_)) => self.machines[*machine].role = Role::Writer,
            (_, Ok(_) | Err(_)) => {}
        }
    }

    /// Whether both the founder and the machine itself know that it belongs to the space.
    fn is_member(&self, machine: usize) -> bool {
        let agent = self.machines[machine].agent;
        [0, machine].into_iter().all(|number| {
            self.machines[number].process.as_ref().is_some_and(|process| {
                let space = process.node.trust().graph().spaces.get(&self.space);
                space.is_some_and(|space| space.members.contains_key(&agent))
            })
        })
    }
}
