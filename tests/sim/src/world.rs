//! The world: machines, the network between them, and the loop that carries time forward.

use std::time::Duration;

use node_core::{Input, Request};
use node_model::SpaceId;

use crate::{
    clock::Agenda,
    describe,
    dice::Dice,
    fault::{Fault, Faults},
    invariants::{self, Violation},
    join::Join,
    log,
    machine::{Machine, StartFailure},
    network::{self, NetStep, Network},
    reference::Reference,
    removal::Removal,
    run::Options,
    trace::Trace,
    trouble::{self, Trouble},
    turn::disk_failures,
    workload::Asked,
};
use data_plane_core::net::NetEvent;

/// Most events of a world; far more than a healthy one needs.
const EVENTS_MAX: u64 = 200_000;

/// Most turns of a machine at one instant before it counts as spinning.
const TURNS_AT_ONCE_MAX: u32 = 500;

/// A pause in which nothing happens, long enough to look around.
const REST: Duration = Duration::from_millis(40);

/// What all parts of the world share.
pub(crate) struct Stage {
    pub(crate) agenda: Agenda<Event>,
    pub(crate) faults: Faults,
    pub(crate) trace: Trace,
}

/// What happens next.
pub(crate) enum Event {
    /// An input for a process, if it still runs.
    Input {
        machine: usize,
        life: u64,
        input: Box<Input>,
    },
    /// A process takes what is in its inbox.
    Wake {
        machine: usize,
        life: u64,
    },
    /// A process's timer.
    Timer {
        machine: usize,
        life: u64,
    },
    /// A machine starts its node.
    Start {
        machine: usize,
    },
    Net(NetStep),
    Trouble(Trouble),
    Join(Join),
    Removal(Removal),
    /// Somebody does something.
    Work,
}

/// What a person wants to know first of a seed.
impl std::fmt::Display for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for machine in &self.machines {
            let id = machine.device.to_string();
            write!(f, "{} is {} (…{}), ", machine.number, machine.role, &id[id.len() - 4..])?;
        }
        let links: Vec<_> = self.network.links().collect();
        write!(f, "links {links:?}, joins later: {:?}, {}", self.joiner, self.stage.faults)
    }
}

/// A simulated world.
pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) network: Network,
    pub(crate) machines: Vec<Machine>,
    pub(crate) reference: Reference,
    /// What people do.
    pub(crate) work: Dice,
    /// Everything else that is left to chance.
    pub(crate) dice: Dice,
    /// The space that all share, once it is founded.
    pub(crate) space: SpaceId,
    pub(crate) sync_interval: Duration,
    /// The machine that comes in later.
    pub(crate) joiner: Option<usize>,
    pub(crate) options: Options,
    /// Whether some documents are larger than a page of entries.
    pub(crate) is_bulky: bool,
    /// Since when nothing goes wrong any more.
    pub(crate) healed_at: Option<Duration>,
    /// Answers to what the set-up asked, oldest first.
    pub(crate) answers: Vec<crate::setup::Answer>,
    pub(crate) violation: Option<Violation>,
    /// Whether something happened since the last look around.
    is_changed: bool,
    turns_at_once: (Duration, u32),
}

impl World {
    /// A world whose machines are off.
    pub(crate) fn new(seed: u64, options: Options) -> Self {
        let mut dice = Dice::new(seed, "world");
        let count = 2 + dice.below(3);
        let sync_interval = dice.between_ms(10_000..60_000);
        let machines: Vec<_> =
            (0..count).map(|number| Machine::new(seed, number, sync_interval)).collect();
        let devices = machines.iter().map(|machine| machine.device).collect();
        Self {
            stage: Stage {
                agenda: Agenda::new(),
                faults: Faults::new(seed),
                trace: Trace::new(options.is_verbose),
            },
            network: Network::new(seed, devices),
            machines,
            reference: Reference::default(),
            work: Dice::new(seed, "work"),
            joiner: (count > 2 && dice.chance(400)).then_some(count - 1),
            options,
            is_bulky: dice.below(100) == 0,
            dice,
            space: SpaceId([0; 32]),
            sync_interval,
            healed_at: None,
            answers: Vec::new(),
            violation: None,
            is_changed: false,
            turns_at_once: (Duration::ZERO, 0),
        }
    }

    /// Carries on until `done` says so at a moment of rest, or `limit` has passed. Says which.
    pub(crate) fn run_until(
        &mut self,
        limit: Duration,
        mut done: impl FnMut(&mut Self) -> bool,
    ) -> bool {
        let end = self.stage.agenda.now() + limit;
        while self.violation.is_none() {
            let now = self.stage.agenda.now();
            let next_at = self.stage.agenda.next_at().unwrap_or(Duration::MAX);
            if next_at > now + REST {
                if std::mem::take(&mut self.is_changed) {
                    invariants::check_rest(self);
                }
                if done(self) {
                    return true;
                }
            }
            if next_at > end {
                self.stage.agenda.pass_to(end);
                return false;
            }
            self.step();
        }
        false
    }

    fn step(&mut self) {
        let Some(event) = self.stage.agenda.next() else { return };
        self.is_changed = true;
        if self.stage.trace.events() > EVENTS_MAX {
            self.object("a quiet network stays quiet", "there is no end to it".to_owned());
        }
        match event {
            Event::Input { machine, life, input } => self.input(machine, life, *input),
            Event::Wake { machine, life } => {
                if self.is_alive(machine, life) {
                    self.turn(machine);
                    self.watch_for_spinning(machine);
                }
            }
            Event::Timer { machine, life } => self.timer(machine, life),
            Event::Start { machine } => self.start(machine),
            Event::Net(step) => self.network.step(&mut self.stage, step),
            Event::Trouble(trouble) => self.trouble(trouble),
            Event::Join(step) => self.join(step),
            Event::Removal(removal) => self.remove_member(removal),
            Event::Work => self.somebody_works(),
        }
    }

    fn is_alive(&self, machine: usize, life: u64) -> bool {
        self.machines[machine].process.as_ref().is_some_and(|process| process.life == life)
    }

    fn input(&mut self, machine: usize, life: u64, input: Input) {
        let Some(process) = self.machines[machine].process.as_mut().filter(|p| p.life == life)
        else {
            return;
        };
        if matches!(input, Input::Verified { .. } | Input::Loaded(_) | Input::Bundled(_)) {
            process.jobs -= 1;
        }
        let now = self.stage.agenda.now();
        let (bytes, text) = (describe::input_bytes(&input), || describe::input(&input));
        self.stage.trace.note(now, machine, "input", &bytes, text);
        process.inbox.push_back(input);
        self.wake(machine);
    }

    /// Lets a process take a turn soon; what arrives until then shares a commit.
    pub(crate) fn wake(&mut self, machine: usize) {
        let Some(process) = self.machines[machine].process.as_mut() else { return };
        if std::mem::replace(&mut process.is_woken, true) {
            return;
        }
        let life = process.life;
        let is_busy = self.dice.chance(300);
        let delay = if is_busy { self.dice.between_ms(1..30) } else { Duration::ZERO };
        self.stage.agenda.after(delay, Event::Wake { machine, life });
    }

    fn timer(&mut self, machine: usize, life: u64) {
        let now = self.stage.agenda.now();
        if !self.is_alive(machine, life) {
            return;
        }
        let Some(process) = self.machines[machine].process.as_mut() else { return };
        if process.timer_at == Some(now) {
            process.timer_at = None;
            process.inbox.push_back(Input::Timeout);
            self.wake(machine);
        }
    }

    /// Asks a node; `asked` remembers what for.
    pub(crate) fn request(&mut self, machine: usize, request: Request, asked: Asked) {
        let Some(process) = self.machines[machine].process.as_mut() else { return };
        let id = process.next_request();
        process.asked.insert(id, asked);
        process.inbox.push_back(Input::Request(id, request));
        self.wake(machine);
    }

    // Lives.

    pub(crate) fn start(&mut self, machine: usize) {
        let now = self.stage.agenda.now();
        if self.machines[machine].process.is_some() {
            return;
        }
        self.maybe_cut_at_start(machine);
        let disk = self.machines[machine].disk.clone();
        disk.set_time(i64::try_from(self.machines[machine].now(now).wall.0).unwrap_or(i64::MAX));
        let failures = disk_failures(&disk);
        let started = self.machines[machine].start(now).map(|process| process.life);
        log::take_errors();
        if disk_failures(&disk) != failures {
            self.machines[machine].disk_failed_at = Some(now);
        }
        match started {
            Ok(life) => {
                disk.crash_at_operation(trouble::NEVER);
                let address = network::address(machine);
                let held = self.network.fetches.held(machine).iter();
                let held = held.map(|blob| (*blob, 1)).collect();
                if let Some(process) = self.machines[machine].process.as_mut() {
                    process.inbox.push_back(Input::Net(NetEvent::Listening { address }));
                    process.inbox.push_back(Input::BlobsHeld(held));
                }
                self.network.process_started(machine, life);
                self.stage.trace.note(now, machine, "start", &life.to_le_bytes(), String::new);
                self.wake(machine);
                invariants::check_start(self, machine);
            }
            Err(StartFailure::PowerCut) => {
                self.stage.faults.count(Fault::PowerCutAtStart);
                self.stage.trace.note(now, machine, "power cut", &[], || "at start".to_owned());
                self.start_later(machine);
            }
            Err(StartFailure::Refused(reason)) => {
                self.stage
                    .trace
                    .note(now, machine, "no start", reason.as_bytes(), || reason.clone());
                if disk_failures(&disk) == failures {
                    self.object("a node comes up again", format!("machine {machine}: {reason}"));
                }
                self.start_later(machine);
            }
        }
    }

    pub(crate) fn start_later(&mut self, machine: usize) {
        let delay = self.dice.between_ms(100..15_000);
        self.stage.agenda.after(delay, Event::Start { machine });
    }

    /// The process is gone, whatever it was doing; the machine starts it again.
    pub(crate) fn end_process(&mut self, machine: usize, how: &str) {
        let now = self.stage.agenda.now();
        self.stage.trace.note(now, machine, how, &[], String::new);
        self.machines[machine].process = None;
        log::take_errors();
        self.network.process_ended(&mut self.stage, machine);
        self.start_later(machine);
    }

    // Looks.

    pub(crate) fn now(&self) -> Duration {
        self.stage.agenda.now()
    }

    /// Notes that an invariant does not hold.
    pub(crate) fn object(&mut self, invariant: &'static str, details: String) {
        let at = self.now();
        self.violation.get_or_insert(Violation { invariant, details, at });
    }

    fn watch_for_spinning(&mut self, machine: usize) {
        let now = self.now();
        if self.turns_at_once.0 == now {
            self.turns_at_once.1 += 1;
        } else {
            self.turns_at_once = (now, 0);
        }
        if self.turns_at_once.1 > TURNS_AT_ONCE_MAX {
            let due = self.machines[machine].process.as_ref().and_then(|process| process.due());
            let details = format!("machine {machine} never rests; it is due at {due:?}");
            self.object("a node comes to rest", details);
        }
    }
}
