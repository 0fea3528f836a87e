//! `kith-bench kill`: real nodes that write, synchronise and are killed, again and again.
//!
//! Two people write into one space and a custodian keeps it for them; all three are
//! processes. One of them is killed at a moment that a seed chooses, starts again, and
//! everybody goes on. Now and then they are left alone until all are equal; then whatever
//! any of them acknowledged has to be at both people.
//!
//! Non-goal: a machine that loses power. A killed process leaves to the system what it
//! wrote; `tests/sim` has disks that forget.

mod check;
mod writers;

use std::time::Duration;

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde_json::{Value, json};

use self::{
    check::{Ledger, Settled, settle},
    writers::{Acknowledged, Writers},
};
use crate::{
    cost::{Meter, rounded},
    real::Member,
};

/// Kills between two checks.
const KILLS_A_CHECK: u64 = 20;

/// A kill comes at most so long after everybody runs: time to connect, to catch up, and to
/// write and bundle for a while; and as likely in the middle of each.
const CALM_MAX_MS: u64 = 1_500;

/// One start in so many is killed before it is ready.
const STARTS_A_KILL: u64 = 6;

/// Such a start is killed at most so long after it began; about what a start takes.
const START_MAX_MS: u64 = 400;

/// Most problems that are told: more than anybody needs to find the first one.
const PROBLEMS_MAX: usize = 20;

/// Those who write come first.
const NAMES: [&str; 3] = ["ada", "ben", "cleo"];
const PEOPLE: usize = 2;

/// Runs it. Says what it came to, and whether nothing was lost.
///
/// # Panics
/// When a node does not start or answer.
pub async fn kill(loops: u64, seed: u64) -> (Value, bool) {
    let meter = Meter::start_clock();
    let mut trial = Trial::new(seed).await;
    for number in 0..loops {
        trial.kill_one().await;
        if (number + 1) % KILLS_A_CHECK == 0 && number + 1 < loops {
            trial.check(false).await;
            trial.begin_period().await;
        }
    }
    trial.end().await;
    let is_good = trial.problems.is_empty() && trial.settled.iter().all(Settled::is_settled);
    (trial.report(loops, seed, meter.seconds()), is_good)
}

/// What happened while something was tried.
#[derive(Default)]
struct Counts {
    killed: [u64; NAMES.len()],
    killed_while_starting: u64,
    acknowledged: u64,
    refused: u64,
    lost: u64,
    diverged: u64,
}

struct Trial {
    dice: ChaCha8Rng,
    members: Vec<Member>,
    space: String,
    /// The document that everybody changes, another one in each period: it stays small.
    shared: String,
    period: u64,
    lives: u64,
    writers: Vec<Writers>,
    /// Acknowledged since the last check.
    new: Vec<Acknowledged>,
    ledger: Ledger,
    counts: Counts,
    settled: Vec<Settled>,
    problems: Vec<String>,
}

impl Trial {
    async fn new(seed: u64) -> Self {
        let mut members = Vec::new();
        for name in NAMES {
            members.push(Member::new(name).await);
        }
        let space = members[0].found("album").await;
        members[1].join(&members[0], &space, "writer").await;
        members[2].join(&members[0], &space, "custodian").await;
        let mut trial = Self {
            dice: ChaCha8Rng::seed_from_u64(seed),
            members,
            space,
            shared: String::new(),
            period: 0,
            lives: 0,
            writers: Vec::new(),
            new: Vec::new(),
            ledger: Ledger::default(),
            counts: Counts::default(),
            settled: Vec::new(),
            problems: Vec::new(),
        };
        trial.begin_period().await;
        trial
    }

    fn dice_below(&mut self, bound: u64) -> u64 {
        self.dice.next_u64() % bound
    }

    /// Everybody has the next shared document, and both people write.
    async fn begin_period(&mut self) {
        self.period += 1;
        let value = json!({"title": format!("Shared {}", self.period)});
        self.shared = self.members[0].write(&self.space, value).await;
        let path = format!("/api/v1/spaces/{}/docs/{}", self.space, self.shared);
        acceptance::until("the shared document to arrive", async || {
            (self.members[1].get(&path).await.status == 200).then_some(())
        })
        .await;
        for person in 0..PEOPLE {
            let writers = self.writers_of(person);
            self.writers.push(writers);
        }
    }

    fn writers_of(&mut self, person: usize) -> Writers {
        self.lives += 1;
        let member = &self.members[person];
        let life = format!("{}{}", member.name, self.lives);
        Writers::start(&member.program(), &self.space, &self.shared, &life)
    }

    /// One loop: a random one of them, at a random moment.
    async fn kill_one(&mut self) {
        let calm = self.dice_below(CALM_MAX_MS);
        tokio::time::sleep(Duration::from_millis(calm)).await;
        let victim = usize::try_from(self.dice_below(NAMES.len() as u64)).expect("a few");
        self.members[victim].kill().await;
        self.counts.killed[victim] += 1;
        if victim < PEOPLE {
            let writers = std::mem::take(&mut self.writers[victim]);
            self.end_of(writers).await;
        }
        while self.dice_below(STARTS_A_KILL) == 0 {
            let after = Duration::from_millis(self.dice_below(START_MAX_MS));
            self.members[victim].start_and_kill(after).await;
            self.counts.killed_while_starting += 1;
        }
        self.members[victim].start().await;
        if victim < PEOPLE {
            self.writers[victim] = self.writers_of(victim);
        }
    }

    async fn end_of(&mut self, writers: Writers) {
        for acknowledged in writers.end().await {
            if let Acknowledged::Refused(why) = acknowledged {
                self.counts.refused += 1;
                self.problem(why);
            } else {
                self.counts.acknowledged += 1;
                self.new.push(acknowledged);
            }
        }
    }

    fn problem(&mut self, problem: String) {
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(problem);
        }
    }

    /// Lets everybody become equal, and looks at what is new; at `is_last`, at everything.
    async fn check(&mut self, is_last: bool) {
        for writers in std::mem::take(&mut self.writers) {
            writers.stop();
            self.end_of(writers).await;
        }
        self.settled.push(settle(&self.members).await);
        let new = std::mem::take(&mut self.new);
        self.ledger.note(new, &self.shared);
        let people = &self.members[..PEOPLE];
        let found = self.ledger.check(people, &self.space, is_last).await;
        self.counts.lost += found.lost.len() as u64;
        self.counts.diverged += found.diverged.len() as u64;
        for problem in found.lost.into_iter().chain(found.diverged) {
            self.problem(problem);
        }
    }

    /// All are killed at once, and started once more.
    async fn end(&mut self) {
        for member in &mut self.members {
            member.kill().await;
        }
        for member in &mut self.members {
            member.start().await;
        }
        self.check(true).await;
        for member in &mut self.members {
            member.stop().await;
            // A command opens what the node left, all of it.
            let status = member.home.kith(&["status"]).json().await;
            let alarms = acceptance::list(&status, "alarms");
            if !alarms.is_empty() {
                let problem = format!("{}: {alarms:?}", member.name);
                self.problems.push(problem);
            }
        }
    }

    fn report(self, loops: u64, seed: u64, seconds: f64) -> Value {
        let Self { counts, ledger, settled, problems, .. } = self;
        let killed = NAMES.iter().zip(counts.killed).map(|(name, count)| (*name, count));
        let killed: std::collections::BTreeMap<_, _> = killed.collect();
        let slowest = settled.iter().map(|it| it.seconds).fold(0.0, f64::max);
        let unsettled: Vec<&Value> = settled.iter().flat_map(|it| &it.causes).collect();
        let (documents, blobs) = ledger.counts();
        json!({
            "name": "kill", "loops": loops, "seed": seed, "seconds": rounded(seconds),
            "killed": killed, "killed_while_starting": counts.killed_while_starting,
            "acknowledged": counts.acknowledged, "documents": documents, "blobs": blobs,
            "refused": counts.refused, "lost": counts.lost, "diverged": counts.diverged,
            "checks": settled.len(), "slowest_until_equal_seconds": rounded(slowest),
            "unsettled": unsettled, "problems": problems,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The short form of what `kith-bench kill` does 200 times.
    #[tokio::test]
    async fn five_kills_of_real_nodes_lose_nothing() {
        let (said, is_good) = kill(5, 1).await;
        assert!(is_good && said["lost"] == 0 && said["diverged"] == 0, "{said}");
        assert!(said["acknowledged"].as_u64() > Some(0), "{said}");
    }
}
