//! One seed from beginning to end: set up, trouble, healing, judgement.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use crate::{
    fault::Counts,
    invariants::{self, Violation},
    log::{self, Log},
    turn::seconds,
    world::World,
};

/// How long nodes may take to become equal once nothing goes wrong any more.
const CONVERGENCE_MAX: Duration = Duration::from_secs(600);

/// Most frames that one end of a link sends in a round of comparing when all is equal: what it
/// speaks, its head, a receipt, and what each node says that it holds, passed on by everybody.
const FRAMES_A_ROUND_MAX: u64 = 7;

/// How to run a seed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether to print what happens.
    pub is_verbose: bool,
    /// Whether disks say that something is durable when it is not. No node survives that; it
    /// shows that the simulator would notice.
    pub has_lying_drives: bool,
}

/// What one seed led to.
#[derive(Debug)]
pub struct Outcome {
    /// Which invariant did not hold, if one did not.
    pub violation: Option<Violation>,
    /// Hash of everything that happened.
    pub trace_hash: String,
    /// How many things happened.
    pub events: u64,
    /// What struck.
    pub counts: Counts,
}

/// Runs one seed.
#[must_use]
pub fn run(seed: u64, options: Options) -> Outcome {
    let mut world = World::new(seed, options);
    log::take_errors();
    let logged = Log { is_verbose: options.is_verbose };
    let ended = catch_unwind(AssertUnwindSafe(|| {
        tracing::subscriber::with_default(logged, || live(&mut world));
    }));
    if let Err(panic) = ended {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        world.object("nothing panics", text.unwrap_or_default());
    }
    let disks = world.machines.iter().map(|machine| machine.disk_counts());
    Outcome {
        counts: world.stage.faults.counts(disks),
        trace_hash: world.stage.trace.hash(),
        events: world.stage.trace.events(),
        violation: world.violation.take(),
    }
}

fn live(world: &mut World) {
    world.set_up();
    if world.violation.is_some() {
        return;
    }
    let length = world.dice.between_ms(20_000..120_000);
    world.plan_work(length);
    world.plan_removal(length);
    world.plan_joins(length);
    world.plan_trouble(length);
    world.stage.faults.begin();
    world.run_until(length, |_| false);
    world.heal();
    let healed_at = world.now();
    if !world.run_until(CONVERGENCE_MAX, |world| world.difference().is_none()) {
        let difference = world.difference().unwrap_or_default();
        let waited = seconds(world.now() - healed_at);
        world.object("healed nodes become equal", format!("after {waited}: {difference}"));
    }
    stay_quiet(world);
    invariants::check_end(world);
}

/// Two rounds of comparing: nodes that are equal have little to say. In the round before, they
/// still tell each other that they are, and what they hold now.
fn stay_quiet(world: &mut World) {
    world.run_until(world.sync_interval, |_| false);
    let before = world.network.sent;
    world.run_until(world.sync_interval * 2, |_| false);
    let sent = world.network.sent - before;
    let ends = 2 * world.network.links().count() as u64;
    // Rounds of different nodes do not begin together.
    if sent > ends * FRAMES_A_ROUND_MAX * 3 {
        world.object("a quiet network stays quiet", format!("{sent} frames between {ends} ends"));
    }
}
