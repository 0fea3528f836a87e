use node_model::Timestamp;

use super::*;
use crate::{
    attestation::{Attestation, Claim, Terms},
    tests_people::Person,
};

/// For each reach, the most distant layer that it is open to without being named:
/// the whole table, once more, by hand (regression case 14: a comparison turned
/// round would open family matters to everybody).
#[test]
fn the_table_of_reach_and_relationship() {
    use Layer::{Gift, Invested, Reciprocal, Sovereign};
    let table: [(Reach, [bool; 4]); 8] = [
        (Reach::Private, [false, false, false, false]),
        (Reach::Invited, [false, false, false, false]),
        (Reach::Local, [true, true, false, false]),
        (Reach::Neighborhood, [true, true, true, false]),
        (Reach::Municipal, [true, true, true, true]),
        (Reach::Bioregional, [true, true, true, true]),
        (Reach::Regional, [true, true, true, true]),
        (Reach::Commons, [true, true, true, true]),
    ];
    assert_eq!(table.map(|(reach, _)| reach).as_slice(), Reach::ALL);
    for (reach, open) in table {
        for (layer, is_open) in [Sovereign, Reciprocal, Invested, Gift].into_iter().zip(open) {
            assert_eq!(reaches(reach, layer), is_open, "{reach} {layer}");
        }
    }
}

/// The same through the decision: Ada founded a space of each reach; Bo is related
/// to her in each layer, or not at all; asked at Ada's node and at that of Cy, a reader.
#[test]
fn reach_counts_at_the_founders_nodes_only() {
    for reach in Reach::ALL {
        for layer in [None, Some(0), Some(1), Some(2), Some(3)] {
            let layer = layer.map(|code| Layer::try_from(code).expect("a layer"));
            let [mut ada, mut bo, mut cy] = [1, 2, 3].map(Person::new);
            let mut all = vec![ada.link(), bo.link(), cy.link()];
            let (space, founding) = ada.found(*reach);
            all.push(founding);
            all.push(ada.grant(space, cy.agent(), Role::Reader, &[]));
            if let Some(layer) = layer {
                let terms = Some(Terms::of(layer));
                all.push(ada.say(Claim::Relationship { with: bo.agent(), terms }));
                let terms = Some(Terms::of(Layer::Sovereign));
                all.push(bo.say(Claim::Relationship { with: ada.agent(), terms }));
            }
            let graph = Graph::derive(all.iter(), Timestamp(5));
            let question = Question { device: bo.id(), action: Action::Hold(space) };
            let at_ada = decide(&graph, ada.id(), question);
            let at_cy = decide(&graph, cy.id(), question);
            let is_commons = *reach == Reach::Commons;
            let is_open = is_commons || layer.is_some_and(|layer| reaches(*reach, layer));
            // A copy that they cannot read is another matter, and everybody's who knows.
            let is_kept = layer.is_some_and(|layer| Terms::of(layer).lets_them_keep);
            let expected = |is_open| match (is_open, is_kept) {
                (true, _) => Verdict::Full,
                (false, true) => Verdict::Sealed,
                (false, false) => Verdict::Deny,
            };
            assert_eq!(at_ada.verdict, expected(is_open), "{reach} {layer:?}");
            assert_eq!(at_cy.verdict, expected(is_commons), "{reach} {layer:?}");
            // Nobody writes by reach.
            let write = Question { device: bo.id(), action: Action::Write(space, None) };
            assert!(!decide(&graph, ada.id(), write).is_allowed());
        }
    }
}

#[test]
fn one_side_is_no_relationship_and_an_expired_one_neither() {
    let [mut ada, mut bo] = [1, 2].map(Person::new);
    let links = [ada.link(), bo.link()];
    let terms = Some(Terms::of(Layer::Reciprocal));
    let mine = ada.say(Claim::Relationship { with: bo.agent(), terms: terms.clone() });
    let theirs =
        bo.say_as(false, Claim::Relationship { with: ada.agent(), terms }, Some(Timestamp(50)));
    let question = Question { device: bo.id(), action: Action::Connect };
    let rule = |all: &[&Attestation], now| {
        let graph = Graph::derive(all.iter().copied().chain(&links), Timestamp(now));
        decide(&graph, ada.id(), question).rule
    };
    assert_eq!(rule(&[&mine], 5), Rule::Stranger);
    assert_eq!(rule(&[&theirs], 5), Rule::Stranger);
    assert_eq!(rule(&[&mine, &theirs], 49), Rule::Related);
    assert_eq!(rule(&[&mine, &theirs], 50), Rule::Stranger);
    let ended = ada.say(Claim::Relationship { with: bo.agent(), terms: None });
    let graph = Graph::derive([&mine, &theirs, &ended].into_iter().chain(&links), Timestamp(5));
    assert_eq!(decide(&graph, ada.id(), question).rule, Rule::Stranger);
}

/// Clocks that are wrong by ten years, both ways, change no right (threat 38).
#[test]
fn absurd_dates_change_no_right() {
    const TEN_YEARS: u64 = 10 * 365 * 24 * 60 * 60 * 1_000;
    let now = 2 * TEN_YEARS;
    let derive = |of_ada: u64, of_bo: u64| {
        let [mut ada, mut bo, mut cy] = [1, 2, 3].map(Person::new);
        (ada.clock, bo.clock) = (Timestamp(of_ada), Timestamp(of_bo));
        let (space, founding) = ada.found(Reach::Private);
        let to_bo = ada.grant(space, bo.agent(), Role::Admin, &[]);
        let to_cy = bo.grant(space, cy.agent(), Role::Writer, &[&to_bo]);
        bo.clock = Timestamp(of_ada);
        let removal = bo.revoke(space, cy.agent(), vec![], &[&to_cy]);
        bo.clock = Timestamp(of_bo);
        let profile = bo.say(Claim::Profile { name: "first".into() });
        bo.clock = Timestamp(of_ada);
        let renamed = bo.say(Claim::Profile { name: "second".into() });
        let all =
            [ada.link(), bo.link(), cy.link(), founding, to_bo, to_cy, removal, profile, renamed];
        let graph = Graph::derive(all.iter(), Timestamp(now));
        assert_eq!(graph.names[&bo.agent()], "second");
        let verdicts: Vec<bool> = [ada.id(), bo.id(), cy.id()]
            .map(|device| Question { device, action: Action::Write(space, None) })
            .map(|question| decide(&graph, ada.id(), question).is_allowed())
            .to_vec();
        verdicts
    };
    for of_ada in [now, now - TEN_YEARS, now + TEN_YEARS] {
        for of_bo in [now, now - TEN_YEARS, now + TEN_YEARS] {
            assert_eq!(derive(of_ada, of_bo), [true, true, false]);
        }
    }
}

#[test]
fn ten_thousand_sybils_come_after_those_we_know() {
    let [mut ada, mut bo] = [1, 2].map(Person::new);
    let (space, founding) = ada.found(Reach::Commons);
    let to_bo = ada.grant(space, bo.agent(), Role::Reader, &[]);
    let held = |device| Claim::Location { space, collection: String::new(), device, bytes: 1 };
    let until = Some(Timestamp(u64::MAX));
    let of_bo = bo.say_as(false, held(bo.id()), until);
    let mut all = vec![ada.link(), bo.link(), founding, to_bo, of_bo];
    for number in 0u32..10_000 {
        let mut secret = [77; 32];
        secret[..4].copy_from_slice(&number.to_be_bytes());
        let mut sybil = Person::new(3);
        sybil.root = node_model::sign::Signer::from_secret(&secret);
        secret[31] = 78;
        sybil.device = node_model::sign::Signer::from_secret(&secret);
        all.push(sybil.link());
        all.push(sybil.say_as(false, held(sybil.id()), until));
    }
    let graph = Graph::derive(all.iter(), Timestamp(5));
    let holders = graph.holders(ada.agent(), space);
    assert_eq!(holders.len(), 10_001);
    assert_eq!(holders[0].0, bo.id());
}

#[test]
fn rules_have_words_that_read_back() {
    for rule in Rule::ALL {
        assert_eq!(rule.word().parse(), Ok(*rule));
        assert!(!rule.in_words().is_empty());
    }
    assert!("because".parse::<Rule>().is_err());
}
