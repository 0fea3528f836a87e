//! Who is removed or leaves in the time of trouble, and what that must mean afterwards.

use std::{collections::BTreeMap, time::Duration};

use node_core::{
    Request,
    request::{Party, Role},
};
use node_model::{DeviceId, EntryId};
use trust_core::attestation::{Claim, Prefix};

use crate::{
    fault::Fault,
    workload::Asked,
    world::{Event, World},
};

/// When people lose patience and begin again.
const PATIENCE: Duration = Duration::from_secs(45);

/// Somebody is removed by the founder, or leaves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Removal {
    pub(crate) machine: usize,
    /// Who says so: the founder's machine, or their own.
    pub(crate) by: usize,
}

impl World {
    /// Enters who is removed within the next `length` into the agenda.
    pub(crate) fn plan_removal(&mut self, length: Duration) {
        let others: Vec<usize> = (1..self.machines.len())
            .filter(|machine| self.joiner != Some(*machine))
            .filter(|machine| self.hold_together_without(*machine))
            .collect();
        let is_planned = self.stage.faults.is_enabled(Fault::Removal) && self.machines.len() > 2;
        let Some(machine) = self.dice.pick(&others).copied().filter(|_| is_planned) else { return };
        self.machines[machine].is_leaving = true;
        let by = if self.dice.chance(300) { machine } else { 0 };
        let at = self.dice.between_ms(0..length.as_millis() as u64);
        self.stage.agenda.after(at, Event::Removal(Removal { machine, by }));
    }

    /// Asks for a removal until the founder knows of it.
    pub(crate) fn remove_member(&mut self, removal: Removal) {
        let Removal { machine, by } = removal;
        let founder = self.machines[0].process.as_ref();
        let members = founder.map(|process| {
            let space = process.node.trust().graph().spaces.get(&self.space);
            space.is_some_and(|space| space.members.contains_key(&self.machines[machine].agent))
        });
        if members == Some(false) {
            return self.stage.faults.count(Fault::Removal);
        }
        let (space, agent) = (self.space, self.machines[machine].agent);
        let request = Request::Revoke { space, party: Party::Agent(agent) };
        self.request(by, request, Asked::Removal);
        self.stage.agenda.after(PATIENCE, Event::Removal(removal));
    }

    /// Whether everybody else still reaches everybody. Nothing is taken to come by who joins
    /// later: they introduce themselves, but may not know where to dial those who were away.
    fn hold_together_without(&self, left_out: usize) -> bool {
        let mut reached = std::collections::BTreeSet::from([0]);
        let mut is_growing = true;
        while std::mem::take(&mut is_growing) {
            for (one, other) in self.network.links() {
                let is_left_out = one == left_out || other == left_out;
                let is_reached = |machine| reached.contains(&machine);
                let (from, to) = if is_reached(one) { (one, other) } else { (other, one) };
                let leads_on = is_reached(from) && self.joiner != Some(from);
                if !is_left_out && leads_on && !is_reached(to) {
                    reached.insert(to);
                    is_growing = true;
                }
            }
        }
        reached.len() + 1 == self.machines.len()
    }

    /// Machines whose people stay in the space.
    pub(crate) fn staying(&self) -> Vec<usize> {
        (0..self.machines.len()).filter(|number| !self.machines[*number].is_leaving).collect()
    }

    /// The machine of whoever is removed.
    pub(crate) fn leaving(&self) -> Option<usize> {
        self.machines.iter().position(|machine| machine.is_leaving)
    }

    /// What a machine may do in the end.
    pub(crate) fn last_role(&self, machine: usize) -> Option<Role> {
        let machine = &self.machines[machine];
        (!machine.is_leaving).then_some(machine.role)
    }

    /// Whether an entry is by whoever is removed, as far as somebody held it once.
    pub(crate) fn is_by_leaving(&self, id: EntryId) -> bool {
        let author = self.reference.written.get(&id).map(|(author, _)| *author);
        self.leaving().is_some_and(|number| author == Some(self.machines[number].device))
    }

    /// What the revocations that a machine knows name as the last entries that count, by device:
    /// of several the earliest. Read from the statements themselves.
    pub(crate) fn pins(&self, machine: usize) -> BTreeMap<DeviceId, (u64, Prefix)> {
        let Some(process) = &self.machines[machine].process else { return BTreeMap::new() };
        let trust = process.node.trust();
        let Some(space) = trust.graph().spaces.get(&self.space) else { return BTreeMap::new() };
        let mut common: Option<BTreeMap<DeviceId, (u64, Prefix)>> = None;
        for id in &space.membership.removals {
            let Some(Claim::SpaceRevocation { pins, .. }) =
                trust.attestation(*id).map(|attestation| &attestation.claim)
            else {
                continue;
            };
            let named = pins.iter().map(|pin| (pin.device, (pin.sequence, pin.entry)));
            let named: BTreeMap<_, _> = named.collect();
            common = Some(match common {
                None => named,
                Some(before) => before
                    .into_iter()
                    .filter_map(|(device, pin)| Some((device, pin.min(*named.get(&device)?))))
                    .collect(),
            });
        }
        common.unwrap_or_default()
    }
}
