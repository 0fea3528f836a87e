//! Seeds, and what they must show: that the invariants hold, that a seed replays, and that every
//! planted bug is found.
//!
//! `KITH_SIM_SEED=n` replays one seed and prints what happens; `KITH_SIM_SEEDS=n` runs that many,
//! and `KITH_SIM_FIRST=n` begins at another one than 0.

#![expect(clippy::print_stdout, reason = "what a run found is for a person")]

use std::sync::{Mutex, MutexGuard, PoisonError};

use sim::{Counts, Options, Outcome, run};

const SEEDS: u64 = 2_000;

/// From this many seeds on, every class of faults must have struck.
const SEEDS_FOR_ALL_FAULTS: u64 = 1_000;

/// SQLite's generator is one for the process, so worlds take turns.
static TURN: Mutex<()> = Mutex::new(());

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable}={text} is not a number")))
}

fn failure(seed: u64, outcome: &Outcome) -> Option<String> {
    let violation = outcome.violation.as_ref()?;
    Some(format!(
        "seed {seed}: {violation}\nreplay: KITH_SIM_SEED={seed} cargo nextest run -p sim \
         -E 'test(two_thousand_seeds_hold)' --no-capture"
    ))
}

#[test]
#[expect(clippy::disallowed_methods, reason = "measures how long the seeds take; decides nothing")]
fn two_thousand_seeds_hold() {
    let _turn = turn();
    if let Some(seed) = number("KITH_SIM_SEED") {
        return replay(seed);
    }
    let seeds = number("KITH_SIM_SEEDS").unwrap_or(SEEDS);
    let started = std::time::Instant::now();
    let mut counts = Counts::default();
    let mut events = 0;
    let mut failures = Vec::new();
    let first = number("KITH_SIM_FIRST").unwrap_or(0);
    for seed in first..first + seeds {
        let outcome = run(seed, Options::default());
        failures.extend(failure(seed, &outcome));
        counts.add(&outcome.counts);
        events += outcome.events;
    }
    let elapsed = started.elapsed().as_secs_f64();
    println!("{seeds} seeds, {:.1} a second, {events} events", seeds as f64 / elapsed);
    println!("faults: {counts}");
    assert!(failures.is_empty(), "{} failed\n{}", failures.len(), failures.join("\n"));
    let missing: Vec<_> = counts.missing().collect();
    assert!(seeds < SEEDS_FOR_ALL_FAULTS || missing.is_empty(), "never struck: {missing:?}");
}

fn replay(seed: u64) {
    let outcome = run(seed, Options { is_verbose: true, ..Options::default() });
    println!("seed {seed}, {} events, trace {}", outcome.events, outcome.trace_hash);
    println!("faults: {}", outcome.counts);
    if let Some(failure) = failure(seed, &outcome) {
        panic!("{failure}");
    }
}

#[test]
fn a_seed_replays_event_by_event() {
    let _turn = turn();
    for seed in [0, 1, 2, 3, 5, 8, 13, 21, 34, 55] {
        let (first, second) = (run(seed, Options::default()), run(seed, Options::default()));
        assert_eq!(first.trace_hash, second.trace_hash, "seed {seed}");
        assert_eq!(first.counts, second.counts, "seed {seed}");
    }
}

#[test]
fn a_lying_drive_is_found_out() {
    let _turn = turn();
    let options = Options { has_lying_drives: true, ..Options::default() };
    let mut found = (0..100).filter_map(|seed| Some((seed, run(seed, options).violation?)));
    let (seed, violation) = found.next().expect("half of all syncs do nothing");
    println!("seed {seed}: {violation}");
}

#[cfg(feature = "planted-bugs")]
mod planted {
    use node_model::planted::{Bug, plant};

    use super::{Options, run, turn};

    /// A planted bug must be found within this many seeds.
    const SEEDS_MAX: u64 = 1_500;

    fn is_found(bug: Bug) {
        let _turn = turn();
        for seed in 0..SEEDS_MAX {
            plant(Some(bug));
            let found = run(seed, Options::default()).violation;
            plant(None);
            let Some(found) = found else { continue };
            println!("{bug:?}: seed {seed}: {found}");
            let healthy = run(seed, Options::default()).violation;
            assert_eq!(healthy, None, "seed {seed} fails without {bug:?} too");
            return;
        }
        panic!("{bug:?} was not found within {SEEDS_MAX} seeds");
    }

    #[test]
    fn a_skipped_fsync_is_found() {
        is_found(Bug::SkippedFsync);
    }

    #[test]
    fn an_acknowledgement_before_the_commit_is_found() {
        is_found(Bug::AcknowledgedBeforeCommit);
    }

    #[test]
    fn a_wrong_signature_that_is_accepted_is_found() {
        is_found(Bug::WrongSignatureAccepted);
    }

    #[test]
    fn a_tombstone_that_edits_undo_is_found() {
        is_found(Bug::ReorderedTombstone);
    }

    #[test]
    fn a_key_that_outlives_a_removal_is_found() {
        is_found(Bug::KeptKey);
    }

    #[test]
    fn a_removed_writer_who_is_still_heard_is_found() {
        is_found(Bug::RemovedWriterAccepted);
    }

    #[test]
    fn a_nonce_that_is_used_twice_is_found() {
        is_found(Bug::ReusedNonce);
    }

    #[test]
    fn a_silent_leave_is_found() {
        is_found(Bug::SilentLeave);
    }

    #[test]
    fn a_short_bundle_is_found() {
        is_found(Bug::ShortBundle);
    }

    #[test]
    fn a_lost_last_frame_is_found() {
        is_found(Bug::LostLastFrame);
    }
}
