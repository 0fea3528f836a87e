//! Small cases that went wrong once, or that somebody would try. Each question is put
//! to the graph and to the oracle, and is come to again from its evidence.

use std::collections::BTreeMap;

use node_model::{
    AgentId, DeviceId, Epoch, SpaceId, Timestamp,
    sign::{Domain, Signer},
};

use super::{Evidence, Reading, View, village::entry};
use crate::{
    attestation::{Attestation, Claim, DevicePin, EntryPin, Party, Prefix, Scope, Statement},
    decision::{Action, Decision, Question, Rule, Verdict, decide},
    graph::Recipient,
    history::AnomalyKind,
    keyring::{DeviceKeys, EpochKeys, KeyId, wrap},
    tests_people::Person,
    trust::{
        STRANGER_ATTESTATIONS_MAX,
        tests::{self as nodes, NOW},
    },
    words::{Reach, Role},
};

/// After all that ends in these cases.
const LATER: Timestamp = Timestamp(100);

fn ask(said: &[&Attestation], own: DeviceId, device: DeviceId, action: Action) -> Decision {
    let known = said.iter().map(|said| (said.id, *said)).collect();
    let view = View { seed: 0, known, now: LATER, cases: vec![] };
    let case = (own, Question { device, action });
    let decision = decide(&view.graph(), own, case.1);
    let oracle = view.oracle(&Reading::new([]));
    assert_eq!(view.difference(&oracle, case, &decision), None);
    assert_eq!(Evidence::new(&view, oracle).decide_again(case, &decision), decision);
    decision
}

fn is_allowed(said: &[&Attestation], device: DeviceId, action: Action) -> bool {
    ask(said, device, device, action).is_allowed()
}

fn link(person: &mut Person, device: &Signer) -> Attestation {
    let consent = device.sign(Domain::DeviceLink, &person.agent().0);
    let claim =
        Claim::DeviceLink { device: device.device(), hpke: [9; 32], name: String::new(), consent };
    person.say_as(true, claim, None)
}

fn pin(space: SpaceId, tip: Option<&Attestation>, entry: Option<(u64, Prefix)>) -> DevicePin {
    DevicePin { scope: Scope(space.0), tip: tip.map(|said| Prefix::from(said.id)), entry }
}

fn taken_back(device: DeviceId, pins: Vec<DevicePin>) -> Claim {
    Claim::DeviceRevocation { device, pins }
}

fn bring_in(person: &mut Person, space: SpaceId, group: SpaceId, role: Role) -> Attestation {
    person.say(Claim::SpaceGrant { space, party: Party::Group(group), role, after: vec![] })
}

#[test]
fn a_stolen_device_does_not_choose_what_of_it_counts() {
    let [mut ada, mut eve] = [1, 3].map(Person::new);
    let links = [ada.link(), eve.link()];
    let (space, founding) = ada.found(Reach::Private);
    let lost = ada.say_as(true, taken_back(ada.id(), vec![]), None);
    let to_eve = ada.grant(space, eve.agent(), Role::Admin, &[]);
    let pins = vec![pin(space, Some(&to_eve), Some((u64::MAX, Prefix([0; 16]))))];
    let by_thief = ada.say(taken_back(ada.id(), pins));
    let all = [&links[0], &links[1], &founding, &to_eve, &by_thief, &lost];
    let late = Action::Write(space, Some((9, entry(ada.id(), 9, false))));
    assert!(!is_allowed(&all, eve.id(), Action::Administer(space)));
    assert!(!is_allowed(&all, ada.id(), late));
    // Alone it does not even take itself back.
    assert!(is_allowed(&all[..5], ada.id(), late));
}

#[test]
fn two_stolen_devices_do_not_choose_for_each_other() {
    let [mut ada, mut eve] = [1, 3].map(Person::new);
    let phone = Signer::from_secret(&[77; 32]);
    let links = [ada.link(), eve.link(), link(&mut ada, &phone)];
    let (space, founding) = ada.found(Reach::Private);
    let to_eve = ada.grant(space, eve.agent(), Role::Admin, &[]);
    let laptop = taken_back(ada.id(), vec![pin(space, Some(&to_eve), None)]);
    let by_phone = ada.say_with(&phone, laptop, None);
    let own = DevicePin { scope: Scope(ada.agent().0), ..pin(space, Some(&by_phone), None) };
    let by_laptop = ada.say(taken_back(phone.device(), vec![own]));
    let mut all = vec![&links[0], &links[1], &links[2], &founding, &to_eve, &by_phone];
    let administer = Action::Administer(space);
    assert!(is_allowed(&all, eve.id(), administer), "the phone may");
    all.push(&by_laptop);
    assert!(!is_allowed(&all, eve.id(), administer), "nobody knows which of them was stolen");
    // The root says that what the phone said until then counts.
    let by_root = ada.say_as(true, taken_back(phone.device(), vec![own]), None);
    all.push(&by_root);
    assert!(is_allowed(&all, eve.id(), administer));
}

/// Whoever has the key of Ada's laptop lets it consent to Eve, as low as can be.
#[test]
fn a_link_by_another_agent_takes_a_device_from_nobody() {
    let [mut ada, mut bo, mut eve] = [1, 2, 3].map(Person::new);
    let stolen = Signer::from_secret(ada.device.secret());
    let takeover = link(&mut eve, &stolen);
    ada.link();
    let links = [ada.link(), bo.link(), eve.link()];
    assert!(takeover.height < links[0].height);
    let (space, founding) = ada.found(Reach::Private);
    let to_bo = ada.grant(space, bo.agent(), Role::Writer, &[]);
    let laptop = ada.id();
    let known = [&links[0], &links[1], &links[2], &founding, &to_bo];
    let mut all = known.to_vec();
    all.push(&takeover);
    let later = Action::Write(space, Some((9, entry(laptop, 9, false))));
    let questions = [later, Action::Hold(space), Action::Administer(space)];
    for action in questions {
        assert!(ask(&known, laptop, laptop, action).is_allowed());
        assert!(ask(&all, laptop, laptop, action).is_allowed(), "{action:?}");
        // What it says in Ada's name goes on counting, and Eve got nothing by it.
        assert_eq!(is_allowed(&all, bo.id(), action), is_allowed(&known, bo.id(), action));
        assert!(!is_allowed(&all, eve.id(), action), "{action:?}");
    }
    assert!(ask(&all, bo.id(), laptop, Action::Connect).is_allowed());
    let graph = crate::graph::Graph::derive(all.iter().copied(), LATER);
    let mut alarms = graph.anomalies.iter().filter(|it| it.kind == AnomalyKind::TwoOwners);
    let alarm = alarms.next().expect("is named");
    assert_eq!((alarm.signer, alarm.evidence.len(), alarms.next()), (laptop, 2, None));
    // But nobody's node is ruled with it any more: its key is in two hands.
    for (own, device) in [(laptop, eve.id()), (eve.id(), laptop)] {
        assert_eq!(ask(&all, own, device, Action::Connect).rule, Rule::Stranger);
    }
    // Eve takes back what is hers only.
    let by_eve = eve.say_as(true, taken_back(laptop, vec![]), None);
    all.push(&by_eve);
    assert!(ask(&all, bo.id(), laptop, later).is_allowed());
    assert_eq!(ask(&all, laptop, laptop, Action::Connect).rule, Rule::OwnDevice);
    // And Ada what is hers, though Eve holds on to it.
    let pins = vec![pin(space, Some(&to_bo), None)];
    let by_ada = ada.say_as(true, taken_back(laptop, pins), None);
    all.retain(|said| said.id != by_eve.id);
    all.push(&by_ada);
    assert_eq!(ask(&all, bo.id(), laptop, later).rule, Rule::NotAMember);
    assert_eq!(ask(&all, bo.id(), laptop, Action::Connect).rule, Rule::Stranger);
    assert!(is_allowed(&all, bo.id(), Action::Hold(space)), "what is pinned counts");
}

#[test]
fn a_grant_that_ends_by_itself_is_none() {
    let mut ada = Person::new(1);
    let (space, _) = ada.found(Reach::Private);
    let party = Party::Agent(AgentId([5; 32]));
    let claim = Claim::SpaceGrant { space, party, role: Role::Reader, after: vec![] };
    let ends = ada.say_as(false, claim.clone(), Some(Timestamp(100)));
    let stays = ada.say_as(false, claim, None);
    assert!(Attestation::read(ends.bytes()).is_err());
    assert!(Attestation::read(stays.bytes()).is_ok());
}

#[test]
fn a_removal_holds_though_what_it_knew_of_counts_no_more() {
    let [mut ada, mut bo, mut cy, mut eve] = [1, 2, 3, 4].map(Person::new);
    let links = [ada.link(), bo.link(), cy.link(), eve.link()];
    let (space, founding) = ada.found(Reach::Private);
    let to_bo = ada.grant(space, bo.agent(), Role::Admin, &[]);
    let to_cy = ada.grant(space, cy.agent(), Role::Writer, &[&to_bo]);
    let by_bo = bo.grant(space, AgentId([5; 32]), Role::Writer, &[&to_cy]);
    let by_eve = eve.grant(space, eve.agent(), Role::Admin, &[&to_cy]);
    let removal = ada.revoke(space, cy.agent(), vec![], &[&by_bo, &by_eve]);
    let mut all: Vec<&Attestation> = links.iter().collect();
    all.extend([&founding, &to_bo, &to_cy, &by_bo, &by_eve, &removal]);
    let write = Action::Write(space, None);
    assert_eq!(ask(&all, ada.id(), cy.id(), write).rule, Rule::Removed);
    let lost = [&mut bo, &mut eve].map(|it| it.say_as(true, taken_back(it.id(), vec![]), None));
    all.extend(&lost);
    assert_eq!(ask(&all, ada.id(), cy.id(), write).rule, Rule::Removed);
}

#[test]
fn a_chain_goes_on_before_what_has_ended_and_not_into_another_scope() {
    let [mut ada, mut cy, mut eve] = [1, 2, 3].map(Person::new);
    let links = [ada.link(), cy.link(), eve.link()];
    let (space, founding) = ada.found(Reach::Private);
    let to_cy = ada.grant(space, cy.agent(), Role::Writer, &[]);
    let claim = Claim::Location { space, collection: String::new(), device: ada.id(), bytes: 1 };
    let ended = ada.say_as(false, claim, Some(Timestamp(50)));
    // A thief hides a grant behind a profile, and shows it later.
    let hidden = ada.grant(space, eve.agent(), Role::Admin, &[]);
    let device = Signer::from_secret(ada.device.secret());
    ada.continue_after(&device, Scope(ada.agent().0), hidden.id);
    let profile = ada.say(Claim::Profile { name: "Ada".into() });
    let own = DevicePin { scope: Scope(ada.agent().0), ..pin(space, Some(&profile), None) };
    let lost = taken_back(ada.id(), vec![pin(space, Some(&ended), None), own]);
    let lost = ada.say_as(true, lost, None);
    let mut all: Vec<&Attestation> = links.iter().collect();
    all.extend([&founding, &to_cy, &ended, &hidden, &profile, &lost]);
    assert!(is_allowed(&all, cy.id(), Action::Write(space, None)));
    assert!(!is_allowed(&all, eve.id(), Action::Administer(space)));
}

#[test]
fn of_two_tips_in_one_scope_both_chains_count() {
    let [mut ada, mut cy, mut di] = [1, 2, 3].map(Person::new);
    let phone = Signer::from_secret(&[77; 32]);
    let links = [ada.link(), cy.link(), di.link(), link(&mut ada, &phone)];
    let (space, founding) = ada.found(Reach::Private);
    let to_cy = ada.grant(space, cy.agent(), Role::Writer, &[]);
    ada.continue_after(&Signer::from_secret(ada.device.secret()), Scope(space.0), founding.id);
    let to_di = ada.grant(space, di.agent(), Role::Writer, &[]);
    let by_root = taken_back(ada.id(), vec![pin(space, Some(&to_cy), None)]);
    let by_root = ada.say_as(true, by_root, None);
    let by_phone = taken_back(ada.id(), vec![pin(space, Some(&to_di), None)]);
    let by_phone = ada.say_with(&phone, by_phone, None);
    let mut all: Vec<&Attestation> = links.iter().collect();
    all.extend([&founding, &to_cy, &to_di, &by_root, &by_phone]);
    for member in [cy.id(), di.id()] {
        assert!(is_allowed(&all, member, Action::Write(space, None)));
    }
}

#[test]
fn an_entry_that_one_of_two_pins_excludes_does_not_count() {
    let [mut ada, mut cy] = [1, 2].map(Person::new);
    let links = [ada.link(), cy.link()];
    let (space, founding) = ada.found(Reach::Private);
    let to_cy = ada.grant(space, cy.agent(), Role::Writer, &[]);
    let [one, other] = [false, true].map(|is_forged| entry(cy.id(), 4, is_forged));
    let pins = vec![EntryPin { device: cy.id(), sequence: 4, entry: one.into() }];
    let removal = ada.revoke(space, cy.agent(), pins, &[&to_cy]);
    let pins = vec![pin(space, None, Some((4, other.into())))];
    let lost = cy.say_as(true, taken_back(cy.id(), pins), None);
    let all = [&links[0], &links[1], &founding, &to_cy, &removal, &lost];
    let rule = |entry| ask(&all, ada.id(), cy.id(), Action::Write(space, Some(entry))).rule;
    assert_eq!([rule((4, one)), rule((4, other))], [Rule::AfterRemoval; 2]);
    assert_eq!(rule((3, entry(cy.id(), 3, false))), Rule::BeforeRemoval);
}

/// Grants by a stranger's device in somebody's name, with the same height.
fn flood(by: &Signer, of: AgentId, space: SpaceId, height: u64, count: u64) -> Vec<Attestation> {
    let speak = |at: u64| {
        let mut whom = [0; 32];
        whom[..8].copy_from_slice(&at.to_be_bytes());
        let party = Party::Agent(AgentId(whom));
        let claim = Claim::SpaceGrant { space, party, role: Role::Reader, after: vec![] };
        let issued_at = Timestamp(at);
        let statement = Statement { claim, height, prev: None, issued_at, expires_at: None };
        Attestation::issue(by, of, statement)
    };
    (0..count).map(speak).collect()
}

#[test]
fn floods_of_strangers_change_nothing() {
    let [mut ada, mut bo, mut eve] = [1, 2, 3].map(Person::new);
    let links = [ada.link(), bo.link(), eve.link()];
    let (space, founding) = ada.found(Reach::Private);
    let to_bo = ada.grant(space, bo.agent(), Role::Admin, &[]);
    let known: Vec<&Attestation> = links.iter().chain([&founding, &to_bo]).collect();
    let membership = |said: &[&Attestation]| {
        let known = said.iter().map(|said| (said.id, *said)).collect();
        let view = View { seed: 0, known, now: LATER, cases: vec![] };
        view.graph().spaces[&space].membership.clone()
    };
    let alone = membership(&known);
    assert_eq!(alone.heads, [to_bo.id]);
    for height in [0, u64::MAX] {
        let junk = flood(&eve.device, eve.agent(), space, height, 5_000);
        let all: Vec<&Attestation> = known.iter().copied().chain(&junk).collect();
        assert!(membership(&all) == alone, "height {height}");
    }
}

#[test]
fn somebody_elses_garbage_in_our_name_sets_no_height_and_takes_no_room() {
    let (mut ada, bo) = (nodes::device(1, 0), nodes::device(2, 0));
    let eve = Person::new(9);
    let space = nodes::found(&mut ada, "garden", Reach::Private);
    let junk = flood(&eve.device, ada.agent(), space, u64::MAX, 300);
    let received = nodes::hear(&mut ada, &junk.iter().collect::<Vec<_>>());
    assert_eq!(received.new.len(), STRANGER_ATTESTATIONS_MAX);
    assert!(received.flooding.contains(&eve.id()) && received.flooding.len() == 1);
    ada.vouch(NOW, bo.agent(), "a friend").expect("memory does not fail");
    let own = ada.visible_to(ada.agent());
    let own = own.iter().filter_map(|id| ada.attestation(*id));
    let heights = own.filter(|said| said.signer != eve.id()).map(|said| said.height);
    assert!(heights.max().is_some_and(|height| height < 20));
}

/// An epoch that Bo hands out: to Ada, with keys of his own.
fn epoch_by_bo(space: SpaceId, number: u32, ada: DeviceId) -> (Attestation, KeyId) {
    let keys = |person: u8| {
        let device = [10 * person; 32];
        DeviceKeys::from_secrets(&device, &[person; 32], &[100 + 10 * person; 32])
    };
    let (bo, mut entropy) = (keys(2), nodes::entropy(&nodes::device(2, 0)));
    let made = EpochKeys::random(&mut entropy);
    let (epoch, key) = (Epoch(number), made.id());
    let ada = Recipient::Device { device: ada, hpke: keys(1).hpke_public() };
    let wrapped = wrap(&mut entropy, space, epoch, &made, ada);
    let wraps = wrapped.into_iter().collect();
    let claim = Claim::SpaceEpoch { space, epoch, key, is_new: true, wraps, after: vec![] };
    let statement = Statement { claim, height: 1, prev: None, issued_at: NOW, expires_at: None };
    (Attestation::issue(&bo.device, bo.agent(), statement), key)
}

#[test]
fn nobody_writes_with_the_epoch_of_a_removed_member_whatever_its_number() {
    for (number, is_before) in [(77, false), (77, true), (u32::MAX, false), (u32::MAX, true)] {
        let (mut ada, mut bo) = (nodes::device(1, 0), nodes::device(2, 0));
        nodes::meet(&mut [&mut ada, &mut bo]);
        let space = nodes::found(&mut ada, "garden", Reach::Private);
        nodes::admit(&mut ada, space, &bo, Role::Writer).expect("Ada may");
        let (epoch, key) = epoch_by_bo(space, number, ada.device());
        if is_before {
            nodes::hear(&mut ada, &[&epoch]);
        }
        nodes::remove(&mut ada, space, &bo, vec![]).expect("Ada may");
        nodes::hear(&mut ada, &[&epoch]);
        assert!(ada.keyring().contains(space, Epoch(number), key));
        let mut random = nodes::entropy(&ada);
        ada.prepare_to_write(&mut random, NOW, space).expect("memory does not fail");
        let (_, used, _) = ada.writing_epoch(space).expect("there is a clean one");
        assert!(used != key, "{number}");
    }
}

#[test]
fn who_is_in_a_space_by_two_ways_has_the_larger_role() {
    // Ids decide which way is walked first.
    for nonce in 0..4 {
        let [mut ada, mut cy] = [1, 2].map(Person::new);
        ada.clock = Timestamp(nonce);
        let links = [ada.link(), cy.link()];
        let [space, keepers, family] = [(); 3].map(|()| ada.found(Reach::Private));
        let to_cy = ada.grant(family.0, cy.agent(), Role::Reader, &[]);
        let grants = [
            bring_in(&mut ada, keepers.0, family.0, Role::Reader),
            bring_in(&mut ada, space.0, keepers.0, Role::Custodian),
            bring_in(&mut ada, space.0, family.0, Role::Reader),
        ];
        let mut all = vec![&links[0], &links[1], &space.1, &keepers.1, &family.1, &to_cy];
        all.extend(&grants);
        let decision = ask(&all, ada.id(), cy.id(), Action::Hold(space.0));
        assert_eq!(decision.verdict, Verdict::Full, "clock {nonce}");
    }
}

#[test]
fn who_only_keeps_for_a_group_is_not_in_by_it() {
    let [mut ada, mut cy] = [1, 2].map(Person::new);
    let links = [ada.link(), cy.link()];
    let [space, club, family] = [(); 3].map(|()| ada.found(Reach::Private));
    let to_cy = ada.grant(family.0, cy.agent(), Role::Reader, &[]);
    let keeps = bring_in(&mut ada, club.0, family.0, Role::Custodian);
    let reads = bring_in(&mut ada, space.0, club.0, Role::Reader);
    let all = [&links[0], &links[1], &space.1, &club.1, &family.1, &to_cy, &keeps, &reads];
    let verdict = |space| ask(&all, ada.id(), cy.id(), Action::Hold(space)).verdict;
    assert_eq!([verdict(club.0), verdict(space.0)], [Verdict::Sealed, Verdict::Deny]);
}

#[test]
fn groups_are_looked_into_eight_deep_and_may_not_write() {
    let [mut ada, mut cy] = [1, 2].map(Person::new);
    let links = [ada.link(), cy.link()];
    let spaces: Vec<_> = (0..9).map(|_| ada.found(Reach::Private)).collect();
    let to_cy = ada.grant(spaces[8].0, cy.agent(), Role::Reader, &[]);
    let pairs = spaces.windows(2);
    let inner: Vec<Attestation> =
        pairs.map(|pair| bring_in(&mut ada, pair[0].0, pair[1].0, Role::Reader)).collect();
    let writes = bring_in(&mut ada, spaces[0].0, spaces[8].0, Role::Writer);
    let mut all = vec![&links[0], &links[1], &to_cy, &writes];
    all.extend(spaces.iter().map(|(_, founding)| founding).chain(&inner));
    let depths: BTreeMap<usize, bool> =
        (0..9).map(|at| (9 - at, is_allowed(&all, cy.id(), Action::Hold(spaces[at].0)))).collect();
    assert!(depths.iter().all(|(depth, is_in)| *is_in == (*depth <= 8)), "{depths:?}");
}
