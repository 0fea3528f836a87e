mod disk;

use node_model::EntryId;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

pub(crate) use self::disk::Disk;
use super::*;
use crate::words::Role;
use crate::{
    attestation::{Claim, EntryPin, Party, Prefix, Statement},
    decision::{Action, Rule},
    history::AnomalyKind,
    tests_people::Person,
};

pub(crate) const NOW: Timestamp = Timestamp(1_800_000_000_000);

pub(crate) const NAMES: [&str; 6] = ["Ada", "Bo", "Cy", "Di", "Eve", "Fay"];

/// Randomness that is another one for each device, and after each statement.
pub(crate) fn entropy(trust: &Trust) -> ChaCha8Rng {
    let mut seed = trust.device().0;
    seed[..8].copy_from_slice(&(trust.attestation_count() as u64).to_be_bytes());
    ChaCha8Rng::from_seed(seed)
}

/// The keys of a device of a person.
pub(crate) fn keys(person: u8, device: u8) -> DeviceKeys {
    let number = 10 * person + device;
    DeviceKeys::from_secrets(&[number; 32], &[person; 32], &[100 + number; 32])
}

fn open(person: u8, device: u8, disk: &Disk) -> Result<Trust, TrustError> {
    let mut entropy = ChaCha8Rng::seed_from_u64((10 * person + device).into());
    let ledger = Box::new(disk.clone());
    let name = NAMES[usize::from(person) - 1];
    let device_name = ["laptop", "phone"][usize::from(device)];
    Trust::open(keys(person, device), ledger, &mut entropy, NOW, name, device_name)
}

/// A device of Ada's on a disk, with any keys.
pub(crate) fn on(disk: &Disk, keys: DeviceKeys) -> Result<Trust, TrustError> {
    let mut entropy = ChaCha8Rng::seed_from_u64(keys.device.device().0[0].into());
    Trust::open(keys, Box::new(disk.clone()), &mut entropy, NOW, NAMES[0], "laptop")
}

/// A device of a person, from 1, with nothing but itself.
pub(crate) fn device(person: u8, device: u8) -> Trust {
    open(person, device, &Disk::default()).expect("memory does not fail")
}

/// Passes on what concerns the other.
pub(crate) fn tell(from: &Trust, to: &mut Trust) -> Received {
    let ids = from.visible_to(to.agent());
    let bytes: Vec<&[u8]> =
        ids.iter().filter_map(|id| from.attestation(*id)).map(Attestation::bytes).collect();
    to.receive(bytes.into_iter(), NOW).expect("memory does not fail")
}

/// Everybody tells everybody what concerns them, until nobody hears anything new.
pub(crate) fn meet(all: &mut [&mut Trust]) {
    let mut is_news = true;
    while is_news {
        is_news = false;
        for from in 0..all.len() {
            for to in (0..all.len()).filter(|to| *to != from) {
                let [from, to] = all.get_disjoint_mut([from, to]).expect("two places");
                is_news |= !tell(from, to).new.is_empty();
            }
        }
    }
}

pub(crate) fn hear(trust: &mut Trust, said: &[&Attestation]) -> Received {
    trust.receive(said.iter().map(|said| said.bytes()), NOW).expect("memory does not fail")
}

pub(crate) fn found(trust: &mut Trust, name: &str, reach: Reach) -> SpaceId {
    trust.found_space(&mut entropy(trust), NOW, name, reach, true).expect("memory does not fail")
}

pub(crate) fn admit(
    trust: &mut Trust,
    space: SpaceId,
    whom: &Trust,
    role: Role,
) -> Result<(), TrustError> {
    let party = Party::Agent(whom.agent());
    trust.grant(&mut entropy(trust), NOW, Admission { space, party, role, pins: vec![] })
}

pub(crate) fn remove(
    trust: &mut Trust,
    space: SpaceId,
    whom: &Trust,
    pins: Vec<EntryPin>,
) -> Result<(), TrustError> {
    trust.revoke(&mut entropy(trust), NOW, space, Party::Agent(whom.agent()), pins)
}

fn opens(trust: &Trust, space: SpaceId, epoch: u32) -> bool {
    trust.keyring().epochs(space).any(|(number, ..)| number == Epoch(epoch))
}

fn writes_with(trust: &Trust, space: SpaceId) -> Option<(Epoch, KeyId)> {
    trust.writing_epoch(space).map(|(epoch, key, _)| (epoch, key))
}

/// Ada founded a garden; Bo, Cy and Di are in it, as told.
pub(crate) fn garden(roles: [Role; 3]) -> ([Trust; 4], SpaceId) {
    let mut people = [1, 2, 3, 4].map(|person| device(person, 0));
    meet(&mut people.each_mut());
    let [ada, others @ ..] = &mut people;
    let space = found(ada, "garden", Reach::Private);
    for (other, role) in others.iter().zip(roles) {
        admit(ada, space, other, role).expect("Ada may");
    }
    meet(&mut people.each_mut());
    (people, space)
}

#[test]
fn a_removed_member_cannot_open_the_next_epoch_and_the_others_can() {
    let ([mut ada, mut bo, mut cy, mut di], space) = garden([Role::Writer; 3]);
    assert!([&ada, &bo, &cy, &di].iter().all(|it| opens(it, space, 1)));
    remove(&mut ada, space, &bo, vec![]).expect("Ada may");
    meet(&mut [&mut ada, &mut cy, &mut di]);
    let next = writes_with(&ada, space);
    assert!(next.is_some_and(|(epoch, _)| epoch == Epoch(2)));
    for other in [&cy, &di] {
        assert_eq!(writes_with(other, space), next);
    }
    // Bo even gets hold of all that Ada ever said.
    let all: Vec<&Attestation> = ada.attestations.values().collect();
    hear(&mut bo, &all);
    assert!(bo.graph().spaces[&space].epochs.len() == 2 && !opens(&bo, space, 2));
    assert!(opens(&bo, space, 1), "what Bo received stays readable");
    assert_eq!(bo.label_of(space).as_deref(), Some("garden"));
}

#[test]
fn concurrent_removals_leave_no_clean_epoch_until_somebody_writes() {
    let ([mut ada, mut bo, mut cy, mut di], space) =
        garden([Role::Admin, Role::Writer, Role::Writer]);
    remove(&mut ada, space, &cy, vec![]).expect("Ada may");
    remove(&mut bo, space, &di, vec![]).expect("Bo may");
    let all: Vec<Attestation> =
        [&ada, &bo].iter().flat_map(|it| it.attestations.values().cloned()).collect();
    for other in [&mut ada, &mut bo, &mut cy, &mut di] {
        hear(other, &all.iter().collect::<Vec<_>>());
    }
    // Each of the two keys went to somebody whom the other one removed.
    assert_eq!(ada.graph().spaces[&space].epochs.len(), 3);
    assert_eq!((writes_with(&ada, space), writes_with(&bo, space)), (None, None));
    let mut random = entropy(&bo);
    assert!(bo.prepare_to_write(&mut random, NOW, space).expect("Bo writes"));
    assert!(!bo.prepare_to_write(&mut random, NOW, space).expect("nothing to do"));
    let all: Vec<Attestation> = bo.attestations.values().cloned().collect();
    for other in [&mut ada, &mut cy, &mut di] {
        hear(other, &all.iter().collect::<Vec<_>>());
    }
    assert!(writes_with(&bo, space).is_some_and(|(epoch, _)| epoch == Epoch(3)));
    assert_eq!(writes_with(&ada, space), writes_with(&bo, space));
    assert!(!opens(&cy, space, 3) && !opens(&di, space, 3));
}

#[test]
fn a_smaller_role_for_a_writer_pins_what_they_wrote() {
    let ([mut ada, mut bo, ..], space) = garden([Role::Writer; 3]);
    let (device, last) = (bo.device(), EntryId([7; 32]));
    let pins = vec![EntryPin { device, sequence: 4, entry: Prefix::from(last) }];
    let party = Party::Agent(bo.agent());
    let admission = Admission { space, party, role: Role::Reader, pins };
    ada.grant(&mut entropy(&ada), NOW, admission).expect("Ada may");
    meet(&mut [&mut ada, &mut bo]);
    for at in [&ada, &bo] {
        assert_eq!(at.graph().spaces[&space].members[&bo.agent()].role, Role::Reader);
        let rule = |entry| at.decide(Question { device, action: Action::Write(space, entry) }).rule;
        assert_eq!(rule(Some((3, EntryId([1; 32])))), Rule::BeforeRemoval);
        assert_eq!(rule(Some((4, last))), Rule::BeforeRemoval);
        assert_eq!(rule(Some((4, EntryId([1; 32])))), Rule::AfterRemoval);
        assert_eq!(rule(Some((5, last))), Rule::AfterRemoval);
        assert_eq!(rule(None), Rule::RoleTooSmall);
    }
    assert!(opens(&bo, space, 2), "a reader gets the next key");
    admit(&mut ada, space, &bo, Role::Writer).expect("Ada may");
    let action = Action::Write(space, Some((5, last)));
    assert_eq!(ada.decide(Question { device, action }).rule, Rule::RoleSuffices);
}

#[test]
fn a_junior_admin_cannot_remove_a_senior_one() {
    let ([mut ada, mut bo, mut cy, _], space) = garden([Role::Admin, Role::Reader, Role::Reader]);
    admit(&mut bo, space, &cy, Role::Admin).expect("Bo may");
    meet(&mut [&mut ada, &mut bo, &mut cy]);
    for (junior, senior) in [(&mut bo, &ada), (&mut cy, &ada)] {
        let before = junior.attestation_count();
        let refused = remove(junior, space, senior, vec![]);
        assert!(matches!(refused, Err(TrustError::NotSenior(_, agent)) if agent == ada.agent()));
        let smaller = admit(junior, space, senior, Role::Reader);
        assert!(matches!(smaller, Err(TrustError::NotSenior(_, agent)) if agent == ada.agent()));
        assert_eq!(junior.attestation_count(), before, "nothing was said");
    }
    assert!(matches!(remove(&mut cy, space, &bo, vec![]), Err(TrustError::NotSenior(..))));
    remove(&mut bo, space, &cy, vec![]).expect("Bo is senior to Cy");
}

#[test]
fn who_floods_is_capped_and_named_and_pushes_out_nobody() {
    let (mut ada, mut eve) = (device(1, 0), Person::new(50));
    let subject = ada.agent();
    let vouch = |number: u64| Claim::Vouch { subject, text: number.to_string() };
    let said: Vec<Attestation> = (0..8_200).map(|number| eve.say(vouch(number))).collect();
    let received = hear(&mut ada, &said.iter().collect::<Vec<_>>());
    assert_eq!(received.new.len(), STRANGER_ATTESTATIONS_MAX);
    assert_eq!(received.flooding, [eve.id()].into());
    let received = hear(&mut ada, &[&eve.say(vouch(0))]);
    assert!(received.new.is_empty() && received.flooding.contains(&eve.id()));
    let received = tell(&device(2, 0), &mut ada);
    assert!(!received.new.is_empty() && received.flooding.is_empty());
    ada.vouch(NOW, eve.agent(), "talks much").expect("there is room for us");
}

/// A node with some decisions in its journal, on a disk.
fn node_that_decided() -> (Disk, Trust) {
    let disk = Disk::default();
    let mut ada = open(1, 0, &disk).expect("memory does not fail");
    for number in 0..5 {
        let question = Question { device: DeviceId([number; 32]), action: Action::Connect };
        for _ in 0..2 {
            ada.decide_and_note(NOW.plus(std::time::Duration::from_secs(number.into())), question);
        }
    }
    ada.flush_journal().expect("memory does not fail");
    (disk, ada)
}

#[test]
fn the_journal_survives_a_restart_in_order_and_a_missing_line_shows() {
    let (disk, ada) = node_that_decided();
    let lines: Vec<Journalled> = ada.journal().cloned().collect();
    assert!(lines.iter().map(|line| line.number).eq(0..5) && ada.is_journal_whole());
    drop(ada);
    let mut again = open(1, 0, &disk).expect("opens");
    assert!(again.journal().eq(&lines) && again.is_journal_whole());
    let question = Question { device: DeviceId([9; 32]), action: Action::Connect };
    again.decide_and_note(NOW, lines[0].question);
    again.decide_and_note(NOW, question);
    assert_eq!(again.journal().last().map(|line| line.number), Some(5));
    again.flush_journal().expect("memory does not fail");
    assert!(open(1, 0, &disk).expect("opens").is_journal_whole());

    let place = [&b"j"[..], &2_u64.to_be_bytes()].concat();
    disk.0.lock().expect("no thread died").remove(&place).expect("it was there");
    let again = open(1, 0, &disk).expect("the rest can be read");
    assert!(again.journal().count() == 5 && !again.is_journal_whole());
}

#[test]
fn tampered_records_and_another_identity_are_damage() {
    let (disk, _) = node_that_decided();
    assert!(open(1, 0, &disk.copy()).is_ok());
    for tag in *b"anj" {
        let (key, sealed) = disk.record(tag);
        for place in [0, sealed.len() / 2, sealed.len() - 1] {
            let (mut copy, mut sealed) = (disk.copy(), sealed.clone());
            sealed[place] ^= 1;
            copy.put(&[(key.clone(), sealed)]).expect("memory does not fail");
            assert!(matches!(open(1, 0, &copy), Err(TrustError::Damaged)));
        }
        // A record in the place of another one, or in one that nobody reads.
        for other in [[&[tag], &[0xff; 32][..]].concat(), b"x".to_vec()] {
            let mut copy = disk.copy();
            copy.put(&[(other, sealed.clone())]).expect("memory does not fail");
            assert!(matches!(open(1, 0, &copy), Err(TrustError::Damaged)));
        }
    }
    assert!(matches!(open(2, 0, &disk), Err(TrustError::Damaged)));
}

#[test]
fn a_copied_node_that_speaks_twice_is_a_fork_that_everybody_hears_of() {
    let ([mut ada, mut bo, mut cy, _], _) = garden([Role::Reader; 3]);
    let disk = Disk::default();
    let mut first = open(1, 0, &disk).expect("memory does not fail");
    hear(&mut first, &ada.attestations.values().collect::<Vec<_>>());
    let mut second = open(1, 0, &disk.copy()).expect("memory does not fail");
    assert!(second.graph().anomalies.is_empty());
    first.vouch(NOW, bo.agent(), "yes").expect("memory does not fail");
    second.vouch(NOW, bo.agent(), "no").expect("memory does not fail");
    tell(&first, &mut cy);
    assert!(cy.graph().anomalies.is_empty());
    tell(&second, &mut cy);
    let [fork] = cy.graph().anomalies.as_slice() else { panic!("one anomaly") };
    assert_eq!((fork.kind, fork.signer), (AnomalyKind::Fork, ada.device()));
    assert_eq!((fork.scope, fork.evidence.len()), (Scope(ada.agent().0), 2));
    // Both sides are kept and passed on, also to the node that was copied.
    let visible = cy.visible_to(bo.agent());
    assert!(fork.evidence.iter().all(|id| visible.contains(id)));
    let fork = fork.clone();
    meet(&mut [&mut cy, &mut bo, &mut ada]);
    for other in [&bo, &ada] {
        assert_eq!(other.graph().anomalies, std::slice::from_ref(&fork));
    }
}

#[test]
fn a_fork_is_one_whatever_its_dates() {
    let ([ada, bo, mut cy, _], _) = garden([Role::Reader; 3]);
    let disk = Disk::default();
    let mut first = open(1, 0, &disk).expect("memory does not fail");
    hear(&mut first, &ada.attestations.values().collect::<Vec<_>>());
    let mut second = open(1, 0, &disk.copy()).expect("memory does not fail");
    first.vouch(NOW, bo.agent(), "yes").expect("memory does not fail");
    let days_before = Timestamp(NOW.0 - 3 * 24 * 60 * 60 * 1_000);
    second.vouch(days_before, bo.agent(), "no").expect("memory does not fail");
    tell(&second, &mut cy);
    tell(&first, &mut cy);
    let kinds: Vec<_> = cy.graph().anomalies.iter().map(|anomaly| anomaly.kind).collect();
    assert_eq!(kinds, [AnomalyKind::Fork, AnomalyKind::Backdated]);
}

#[test]
fn what_is_known_changes_nothing_when_it_is_heard_again_after_a_restart() {
    let ([ada, ..], space) = garden([Role::Writer; 3]);
    let disk = Disk::default();
    let mut cy = open(3, 0, &disk).expect("memory does not fail");
    tell(&ada, &mut cy);
    let (graph, count) = (cy.graph().clone(), cy.attestation_count());
    drop(cy);
    let mut cy = open(3, 0, &disk).expect("opens");
    assert!(*cy.graph() == graph && opens(&cy, space, 1));
    assert_eq!(tell(&ada, &mut cy), Received::default());
    assert!(*cy.graph() == graph && cy.attestation_count() == count);
}

#[test]
fn a_kind_of_a_later_version_is_kept_and_passed_on() {
    let ([ada, mut bo, mut cy, _], space) = garden([Role::Reader; 3]);
    let keys = keys(1, 0);
    let said = [Scope(ada.agent().0), Scope(space.0)].map(|scope| {
        let claim = Claim::Unknown { kind: 999, scope, body: vec![1, 2, 3] };
        let statement =
            Statement { claim, height: 99, prev: None, issued_at: NOW, expires_at: None };
        Attestation::issue(&keys.device, ada.agent(), statement)
    });
    let graph = bo.graph().spaces.clone();
    assert_eq!(hear(&mut bo, &said.each_ref()).new.len(), 2);
    assert_eq!(bo.graph().spaces, graph, "it is not obeyed");
    tell(&bo, &mut cy);
    assert!(said.iter().all(|said| cy.attestation(said.id) == Some(said)));
}

#[test]
fn what_a_device_said_before_it_was_taken_back_counts_and_nothing_after() {
    let mut people = [device(1, 0), device(1, 1), device(2, 0), device(3, 0), device(4, 0)];
    meet(&mut people.each_mut());
    let [mut laptop, mut phone, mut bo, mut cy, di] = people;
    let space = found(&mut phone, "garden", Reach::Private);
    admit(&mut phone, space, &bo, Role::Admin).expect("the phone may");
    meet(&mut [&mut laptop, &mut phone, &mut bo]);
    let lost = phone.device();
    let last = EntryId([7; 32]);
    let taken = |trust: &mut Trust, device| {
        let entries = BTreeMap::from([(space, (4, Prefix::from(last)))]);
        trust.revoke_device(&mut entropy(trust), NOW, device, &entries)
    };
    assert!(matches!(taken(&mut phone, lost), Err(TrustError::ThisDevice)));
    assert!(matches!(taken(&mut bo, lost), Err(TrustError::NotOwnDevice(_))));
    taken(&mut laptop, lost).expect("the laptop may");
    assert!(matches!(taken(&mut laptop, lost), Err(TrustError::NotOwnDevice(_))));

    // Whoever found the phone goes on as Ada.
    admit(&mut phone, space, &di, Role::Admin).expect("it does not know");
    phone.vouch(NOW, di.agent(), "a friend").expect("it does not know");
    meet(&mut [&mut laptop, &mut bo, &mut cy]);
    tell(&phone, &mut bo);
    let members = &bo.graph().spaces[&space].members;
    assert!(members.contains_key(&bo.agent()) && !members.contains_key(&di.agent()));
    assert!(!bo.graph().vouches.contains_key(&di.agent()));
    let rule = |action| bo.decide(Question { device: lost, action }).rule;
    assert_eq!(rule(Action::Connect), Rule::RevokedDevice);
    assert_eq!(rule(Action::Hold(space)), Rule::RevokedDevice);
    assert_eq!(rule(Action::Write(space, Some((4, last)))), Rule::BeforeRemoval);
    assert_eq!(rule(Action::Write(space, Some((5, last)))), Rule::AfterRemoval);
    assert_eq!(writes_with(&bo, space), writes_with(&laptop, space));
    assert!(opens(&bo, space, 2) && !opens(&phone, space, 2));
}
