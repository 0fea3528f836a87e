//! Decisions in random villages, compared with an oracle that was written from the
//! rules. A case is a set of statements, a moment, a question and the device that is
//! asked; a failure names the seed of its village.

mod cases;
mod council;
mod evidence;
mod people;
mod rules;
mod village;

use std::collections::{BTreeMap, BTreeSet};

use node_model::{AttestationId, DeviceId, SpaceId, Timestamp};

use self::{
    evidence::Evidence,
    rules::Oracle,
    village::{DOCUMENTS, Dice, MOMENTS, SEQUENCES, Village, entry},
};
use crate::{
    attestation::Attestation,
    decision::{Action, Decision, Question, Rule, decide},
    graph::Graph,
    trust::tests as nodes,
};

/// Villages of one run: a quarter of a million cases, in a second or two.
const VILLAGES: u64 = 200;

/// What a run compares at least.
const CASES_MIN: usize = 10_000;

/// Villages in which a node writes down and replays what it decides.
const NODES: u64 = 20;

/// What these nodes write down at least.
const LINES_MIN: usize = 1_000;

/// A rule left out, or read in another way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Twist {
    NothingExpires,
    NothingIsTakenBack,
    OneSideIsEnough,
    ReachCountsEverywhere,
    GroupsBringNobody,
    NobodyNeedsToKnow,
    ConcurrentGrantsWin,
    JuniorsRemoveSeniors,
    NobodyJustLeaves,
    TheSmallestRoleHolds,
    RemovalsPinNothing,
    /// Of two agents that linked a device the lower one has it, and the other one nothing.
    TheFirstLinkTakesAll,
    /// A device may take itself back.
    DevicesTakeThemselvesBack,
    /// Pins count whoever says them: of two stolen devices each chooses what stays of
    /// the other.
    TheTakenBackStillPin,
    /// Of several pins of a scope one has the tip, instead of each its chain.
    OneTipForAScope,
    /// A pinned chain goes on in another scope, if a statement names one from there.
    ChainsLeaveTheirScope,
    /// What lies before an expired statement is in no pinned chain.
    ChainsBreakAtTheExpired,
    /// A statement that was taken back, or never counted, is not here for
    /// those that know of it.
    WhatDoesNotStandIsNotKnown,
    /// Of two ways through one group the first that is walked counts, not the larger.
    EachGroupIsSeenOnce,
    /// Whoever reads a group that keeps for another counts as a reader of that one.
    TheLastGroupDecides,
    /// Whoever says to keep for somebody does, and whoever is let, too.
    OneSideKeeps,
    /// Whoever was removed still keeps for the founder.
    TheRemovedKeepOn,
}

/// Each of these makes a difference that has to be noticed.
const RULES_LEFT_OUT: &[Twist] = &[
    Twist::NothingExpires,
    Twist::NothingIsTakenBack,
    Twist::OneSideIsEnough,
    Twist::ReachCountsEverywhere,
    Twist::GroupsBringNobody,
    Twist::NobodyNeedsToKnow,
    Twist::ConcurrentGrantsWin,
    Twist::JuniorsRemoveSeniors,
    Twist::NobodyJustLeaves,
    Twist::TheSmallestRoleHolds,
    Twist::RemovalsPinNothing,
    Twist::TheFirstLinkTakesAll,
    Twist::DevicesTakeThemselvesBack,
    Twist::TheTakenBackStillPin,
    Twist::OneTipForAScope,
    Twist::ChainsLeaveTheirScope,
    Twist::ChainsBreakAtTheExpired,
    Twist::WhatDoesNotStandIsNotKnown,
    Twist::EachGroupIsSeenOnce,
    Twist::TheLastGroupDecides,
    Twist::OneSideKeeps,
    Twist::TheRemovedKeepOn,
];

/// How the oracle reads the rules.
#[derive(Clone, Debug)]
struct Reading(BTreeSet<Twist>);

impl Reading {
    fn new<'a>(twists: impl IntoIterator<Item = &'a Twist>) -> Self {
        Self(twists.into_iter().copied().collect())
    }

    fn has(&self, twist: Twist) -> bool {
        self.0.contains(&twist)
    }
}

/// The device that is asked, and what.
type Case = (DeviceId, Question);

/// What somebody knows of a village at a moment, and cases.
struct View<'a> {
    seed: u64,
    known: BTreeMap<AttestationId, &'a Attestation>,
    now: Timestamp,
    cases: Vec<Case>,
}

#[test]
fn decisions_in_random_villages_are_those_of_the_rules() {
    let reading = Reading::new([]);
    let mut cases = 0;
    let mut rules_seen = BTreeSet::new();
    for seed in 0..VILLAGES {
        let village = Village::random(seed);
        for view in views(seed, &village) {
            let graph = view.graph();
            let oracle = view.oracle(&reading);
            for case in &view.cases {
                let decision = decide(&graph, case.0, case.1);
                rules_seen.insert(decision.rule);
                if let Some(difference) = view.difference(&oracle, *case, &decision) {
                    panic!("{difference}");
                }
            }
            cases += view.cases.len();
        }
    }
    assert!(cases >= CASES_MIN, "{cases} cases");
    assert_eq!(rules_seen, Rule::ALL.iter().copied().collect());
}

#[test]
fn every_rule_that_is_left_out_is_noticed() {
    for twist in RULES_LEFT_OUT {
        let reading = Reading::new([twist]);
        assert!(first_difference(&reading).is_some(), "{twist:?} makes no difference");
    }
}

#[test]
fn villages_add_up_to_the_same_in_every_order() {
    for seed in 0..VILLAGES {
        let village = Village::random(seed);
        let expected = Graph::derive(village.said.iter(), MOMENTS[1]);
        let mut said: Vec<&Attestation> = village.said.iter().collect();
        Dice::new(seed).shuffle(&mut said);
        assert!(Graph::derive(said.into_iter(), MOMENTS[1]) == expected, "seed {seed}");
    }
}

#[test]
fn the_evidence_of_a_decision_is_enough_to_come_to_it_again() {
    let reading = Reading::new([]);
    let mut cases = 0;
    for seed in 0..VILLAGES / 4 {
        let village = Village::random(seed);
        for view in views(seed, &village) {
            let graph = view.graph();
            let mut evidence = Evidence::new(&view, view.oracle(&reading));
            for case in &view.cases {
                let decision = decide(&graph, case.0, case.1);
                let again = evidence.decide_again(*case, &decision);
                assert_eq!(again, decision, "seed {seed} at {}: {case:?}", view.now.0);
            }
            cases += view.cases.len();
        }
    }
    assert!(cases >= CASES_MIN, "{cases} cases");
}

#[test]
fn a_node_comes_to_its_decisions_again_from_what_it_wrote_down() {
    let (mut lines, now) = (0, MOMENTS[1]);
    for seed in 0..NODES {
        let village = Village::random(seed);
        // Another device of somebody who lives there.
        let mut node = nodes::device(1, 0);
        let bytes = village.said.iter().map(Attestation::bytes);
        node.receive(bytes, now).expect("memory does not fail");
        for (_, question) in cases(&mut Dice::new(seed), &village) {
            node.decide_and_note(now, question);
        }
        for line in node.journal() {
            assert_eq!(node.replay(line), Ok(()), "seed {seed}: {:?}", line.question);
            lines += 1;
        }
    }
    assert!(lines >= LINES_MIN, "{lines} lines");
}

fn first_difference(reading: &Reading) -> Option<String> {
    // Some rules matter seldom; most are noticed in the first villages.
    (0..5 * VILLAGES).find_map(|seed| {
        let village = Village::random(seed);
        views(seed, &village).iter().find_map(|view| {
            let (graph, oracle) = (view.graph(), view.oracle(reading));
            view.cases
                .iter()
                .find_map(|case| view.difference(&oracle, *case, &decide(&graph, case.0, case.1)))
        })
    })
}

impl View<'_> {
    fn graph(&self) -> Graph {
        Graph::derive(self.known.values().copied(), self.now)
    }

    fn oracle(&self, reading: &Reading) -> Oracle<'_> {
        Oracle::new(self.known.values().copied().collect(), self.now, reading)
    }

    fn difference(&self, oracle: &Oracle, case: Case, decision: &Decision) -> Option<String> {
        let (verdict, rules) = oracle.answer(case.0, case.1);
        let is_same = decision.verdict == verdict && rules.contains(&decision.rule);
        let View { seed, now, .. } = self;
        let Question { device, action } = case.1;
        (!is_same).then(|| {
            format!(
                "seed {seed} at {}: {device} asks {} for {action:?}: {:?} by {:?}, \
                 not {verdict:?} by {rules:?}",
                now.0, case.0, decision.verdict, decision.rule,
            )
        })
    }
}

/// Three views of a village, the second one of all that was said.
fn views(seed: u64, village: &Village) -> Vec<View<'_>> {
    let mut dice = Dice::new(!seed);
    let mut views = vec![];
    for (at, now) in MOMENTS.into_iter().enumerate() {
        let withheld = if at == 1 { 0 } else { dice.below(12) };
        let known = village.said.iter().filter(|_| !dice.happens(withheld));
        let known = known.map(|said| (said.id, said)).collect();
        views.push(View { seed, known, now, cases: cases(&mut dice, village) });
    }
    views
}

/// Every device about every space, asked of three devices; some are unknown.
fn cases(dice: &mut Dice, village: &Village) -> Vec<Case> {
    let mut devices = village.devices();
    devices.push(DeviceId([3; 32]));
    let mut spaces: Vec<SpaceId> = village.places.iter().map(|place| place.id).collect();
    spaces.push(SpaceId([3; 32]));
    let mut cases = vec![];
    for device in &devices {
        for own in [*dice.pick(&devices), *dice.pick(&devices), *dice.pick(&devices)] {
            let mut ask = |action| cases.push((own, Question { device: *device, action }));
            ask(Action::Connect);
            for space in &spaces {
                let sequence = dice.below(SEQUENCES) as u64;
                let entry = entry(*device, sequence, dice.happens(20));
                ask(Action::Hold(*space));
                ask(Action::Administer(*space));
                ask(Action::Keep(*space, village::document(sequence as usize % DOCUMENTS)));
                ask(Action::Write(*space, None));
                ask(Action::Write(*space, Some((sequence, entry))));
            }
        }
    }
    cases
}
