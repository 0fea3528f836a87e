//! One turn of a node: what `node-runtime`'s driver does between two waits.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use node_core::{Effect, Failure, Input, Request, Response};
use node_model::{DocumentId, EntryId, SpaceId};
use sync_engine_core::{
    entry,
    store::{Arrival, StoreHead},
};

use crate::{
    describe,
    disk::SimDisk,
    fault::Fault,
    invariants, log,
    workload::Asked,
    world::{Event, World},
};

/// Inputs handled between two commits, as in the driver.
const INPUTS_A_FLUSH_MAX: usize = 256;

/// What a turn made durable, by space.
#[derive(Default)]
pub(crate) struct Stored {
    /// What is new.
    pub(crate) arrivals: BTreeMap<SpaceId, Vec<Arrival>>,
    /// All that a store holds whose order is another one now, because something was set aside or
    /// taken back.
    pub(crate) reordered: BTreeMap<SpaceId, Vec<EntryId>>,
}

/// What came of a turn, for the invariants.
pub(crate) struct Turn {
    pub(crate) machine: usize,
    /// How many inputs it took.
    pub(crate) inputs: usize,
    /// Whether the disk refused something meanwhile.
    pub(crate) has_disk_failed: bool,
    pub(crate) stored: Stored,
    /// Whether the node knew before of whoever is removed.
    pub(crate) knew_of_removal: bool,
    /// Documents of which it told that they changed, by space.
    pub(crate) changed: BTreeMap<SpaceId, BTreeSet<DocumentId>>,
    /// Errors that were logged.
    pub(crate) errors: Vec<String>,
    /// What was answered.
    pub(crate) replies: Vec<(Asked, Result<Response, Failure>)>,
}

impl World {
    /// Handles what is in the inbox, commits, and does what the node wants done.
    pub(crate) fn turn(&mut self, machine: usize) {
        let virtual_now = self.now();
        let now = self.machines[machine].now(virtual_now);
        let Some(process) = self.machines[machine].process.as_mut() else { return };
        process.is_woken = false;
        let count = process.inbox.len().min(INPUTS_A_FLUSH_MAX);
        let inputs: Vec<Input> = process.inbox.drain(..count).collect();
        let (heads, boot) = (process.heads(), process.boot);
        let leaving = self.leaving().map(|number| self.machines[number].agent);
        let Some(process) = self.machines[machine].process.as_mut() else { return };
        let knew_of_removal = leaving.is_some_and(|agent| process.knows_without(self.space, agent));
        let failures = disk_failures(&self.machines[machine].disk);
        let Some(process) = self.machines[machine].process.as_mut() else { return };
        for input in inputs {
            process.node.handle(now, input);
        }
        process.node.flush(now);
        let is_waiting = !process.inbox.is_empty();
        let disk = &self.machines[machine].disk;
        if disk.boot() != boot {
            self.stage.faults.count(Fault::PowerCutInOperation);
            return self.end_process(machine, "power cut");
        }
        let has_disk_failed = disk_failures(disk) != failures;
        if has_disk_failed {
            self.machines[machine].disk_failed_at = Some(self.now());
        }
        if is_waiting {
            self.wake(machine);
        }
        let stored = self.stored_since(machine, &heads);
        let mut turn = Turn {
            machine,
            inputs: count,
            has_disk_failed,
            stored,
            knew_of_removal,
            changed: BTreeMap::new(),
            errors: log::take_errors(),
            replies: Vec::new(),
        };
        for effect in self.effects(machine) {
            self.perform(machine, effect, &mut turn);
        }
        self.wind_timer(machine);
        invariants::check_turn(self, &turn);
        self.take_answers(turn);
    }

    fn effects(&mut self, machine: usize) -> Vec<Effect> {
        let process = self.machines[machine].process.as_mut();
        process.map(|p| std::iter::from_fn(|| p.node.poll_effect()).collect()).unwrap_or_default()
    }

    /// Hands answers to who asked.
    fn take_answers(&mut self, turn: Turn) {
        for (asked, answer) in turn.replies {
            if matches!(asked, Asked::SetUp) {
                self.answers.push(answer);
            } else {
                self.joined(&asked, answer);
            }
        }
    }

    /// What became durable; and all that stores hold which are in another order now.
    fn stored_since(&mut self, machine: usize, before: &BTreeMap<SpaceId, StoreHead>) -> Stored {
        let mut stored = Stored::default();
        let Some(process) = &self.machines[machine].process else { return stored };
        let mut unreadable = None;
        for (space, now) in process.heads() {
            let before = before.get(&space);
            let is_reordered = before.is_some_and(|before| before.epoch != now.epoch);
            let place = before.filter(|_| !is_reordered).map_or(0, |before| before.arrivals);
            let Some(window) = process.stores.get(space) else { continue };
            if !is_reordered && now.arrivals <= place {
                continue;
            }
            match (window.arrivals_after(place), window.ids_after(0)) {
                (Ok(mut arrivals), Ok(ids)) => {
                    if is_reordered {
                        let held = self.reference.held.get(&(machine, space));
                        let held: BTreeSet<_> = held.into_iter().flatten().copied().collect();
                        let mut is_new = ids.iter().map(|id| !held.contains(id));
                        arrivals.retain(|_| is_new.next().unwrap_or(true));
                        stored.reordered.insert(space, ids);
                    }
                    stored.arrivals.insert(space, arrivals);
                }
                (Err(error), _) | (_, Err(error)) => unreadable = Some(error),
            }
        }
        if let Some(error) = unreadable {
            self.object("a store can be read", format!("machine {machine}: {error}"));
        }
        stored
    }

    fn perform(&mut self, machine: usize, effect: Effect, turn: &mut Turn) {
        let now = self.now();
        let trace = &mut self.stage.trace;
        match effect {
            Effect::Net(command) => {
                let bytes = describe::command_bytes(&command);
                trace.note(now, machine, "net", &bytes, || describe::command(&command));
                self.network.command(&mut self.stage, machine, command);
            }
            Effect::Verify { job, entries } => {
                trace.note(now, machine, "verify", &entries.concat(), || entries.len().to_string());
                self.work(machine, || Input::Verified { job, results: entry::read_batch(entries) });
            }
            Effect::Load(order) => {
                let text = format!("{order:?}");
                trace.note(now, machine, "load", text.as_bytes(), || text.clone());
                self.work(machine, || Input::Loaded(Box::new(order.load())));
            }
            Effect::Bundle(order) => {
                let text = format!("{order:?}");
                trace.note(now, machine, "bundle", text.as_bytes(), || text.clone());
                self.work(machine, || Input::Bundled(Box::new(order.make())));
            }
            Effect::Reply(id, answer) => {
                let text = format!("{answer:?}");
                trace.note(now, machine, "reply", text.as_bytes(), || describe::short(&text));
                let process = self.machines[machine].process.as_mut();
                match process.and_then(|process| process.asked.remove(&id)) {
                    Some(asked) => turn.replies.push((asked, answer)),
                    None => self.object("a request is answered once", format!("{id:?}: {text}")),
                }
            }
            Effect::Changed { space, documents } => {
                let text = format!("{space} {documents:?}");
                trace.note(now, machine, "changed", text.as_bytes(), || text.clone());
                turn.changed.entry(space).or_default().extend(documents);
            }
            Effect::Unlocked { space } => {
                trace.note(now, machine, "unlocked", &space.0, || space.to_string());
            }
            Effect::Purged { space } => {
                trace.note(now, machine, "purged", &space.0, || space.to_string());
            }
            Effect::PairingCode { device, code } => {
                trace.note(now, machine, "code", code.as_bytes(), || code.clone());
                if let Some(process) = self.machines[machine].process.as_mut() {
                    process.codes.insert(device, code);
                }
            }
            Effect::Paired { device, name } => {
                trace.note(now, machine, "paired", &device.0, || name.clone());
            }
            // Nobody in the simulator looks for words.
            Effect::Search { .. } => {}
            Effect::Denied(denied) => {
                let text = format!("{denied:?}");
                trace.note(now, machine, "denied", text.as_bytes(), || text.clone());
            }
        }
    }

    fn wind_timer(&mut self, machine: usize) {
        let now = self.now();
        let Some(process) = self.machines[machine].process.as_mut() else { return };
        let Some(due) = process.due() else { return };
        let at = due.max(now);
        if process.timer_at.is_none_or(|set| at < set) {
            process.timer_at = Some(at);
            let life = process.life;
            self.stage.agenda.at(at, Event::Timer { machine, life });
        }
    }

    /// A worker of a machine does something, and is done a while later.
    fn work(&mut self, machine: usize, job: impl FnOnce() -> Input) {
        let Some(process) = self.machines[machine].process.as_mut() else { return };
        process.jobs += 1;
        let life = process.life;
        let delay = self.dice.between_ms(1..30);
        self.stage.agenda.after(delay, Event::Input { machine, life, input: Box::new(job()) });
    }

    /// Asks something that a node answers at once and that changes nothing.
    pub(crate) fn look(&mut self, machine: usize, request: Request) -> Option<Response> {
        let now = self.machines[machine].now(self.now());
        let process = self.machines[machine].process.as_mut()?;
        let id = process.next_request();
        process.node.handle(now, Input::Request(id, request));
        let mut found = None;
        while let Some(effect) = process.node.poll_effect() {
            match effect {
                Effect::Reply(to, answer) => found = answer.ok().filter(|_| to == id),
                Effect::Load(order) => {
                    process.node.handle(now, Input::Loaded(Box::new(order.load())));
                }
                Effect::Bundle(order) => {
                    process.node.handle(now, Input::Bundled(Box::new(order.make())));
                }
                Effect::Net(_)
                | Effect::Verify { .. }
                | Effect::Changed { .. }
                | Effect::Unlocked { .. }
                | Effect::Purged { .. }
                | Effect::PairingCode { .. }
                | Effect::Paired { .. }
                | Effect::Search { .. }
                | Effect::Denied(_) => {
                    self.object("looking changes nothing", format!("{effect:?}"));
                    return None;
                }
            }
        }
        found
    }
}

/// How often a disk refused something.
pub(crate) fn disk_failures(disk: &SimDisk) -> u64 {
    let counts = disk.counts();
    counts.sync_errors + counts.write_errors + counts.disk_full
}

/// How long something took, for reports.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}
