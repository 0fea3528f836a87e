use std::collections::BTreeMap;

use node_model::{AttestationId, Epoch, SpaceId, sign::Domain};

use crate::{
    attestation::{Attestation, Claim, Party},
    trust::{
        Admission, Trust,
        tests::{Disk, NOW, entropy, garden, hear, keys, meet, on, remove},
    },
    words::Role,
};

fn keep(trust: &mut Trust) {
    let mut random = entropy(trust);
    trust.keep_keys(&mut random, NOW).expect("memory does not fail");
}

/// What one knows and another does not, of one kind.
fn news(from: &Trust, to: &Trust, is_wanted: impl Fn(&Claim) -> bool) -> Vec<Attestation> {
    let said = from.attestations.values();
    let fresh = said.filter(|said| !to.attestations.contains_key(&said.id));
    fresh.filter(|said| is_wanted(&said.claim)).cloned().collect()
}

fn is_epoch(claim: &Claim) -> bool {
    matches!(claim, Claim::SpaceEpoch { .. })
}

fn tell_some(from: &Trust, to: &mut Trust, is_wanted: impl Fn(&Claim) -> bool) {
    let said = news(from, to, is_wanted);
    hear(to, &said.iter().collect::<Vec<_>>());
}

fn opens(trust: &Trust, space: SpaceId, epoch: u32) -> bool {
    trust.keyring().epochs(space).any(|(number, ..)| number == Epoch(epoch))
}

fn newest_after(trust: &Trust) -> Vec<AttestationId> {
    let said = trust.attestations.values();
    let epochs = said.filter_map(|said| {
        let Claim::SpaceEpoch { epoch, after, .. } = &said.claim else { return None };
        Some((*epoch, after.clone()))
    });
    epochs.max().map(|(_, after)| after).expect("there is one")
}

/// Bo knows that Cy left and Ada, the admin, does not yet: she hears of the new key first.
#[test]
fn whoever_hears_of_a_key_before_the_departure_hands_it_to_nobody_who_left() {
    let ([mut ada, mut bo, mut cy, _], space) = garden([Role::Writer; 3]);
    let own = Party::Agent(cy.agent());
    let mut random = entropy(&cy);
    cy.revoke(&mut random, NOW, space, own, vec![]).expect("they may leave");
    tell_some(&cy, &mut bo, |_| true);
    let mut random = entropy(&bo);
    assert!(bo.prepare_to_write(&mut random, NOW, space).expect("memory does not fail"));

    tell_some(&bo, &mut ada, is_epoch);
    assert!(opens(&ada, space, 2), "what he writes opens");
    keep(&mut ada);
    let used = ada.writing_epoch(space).map(|(epoch, ..)| epoch);
    assert_eq!(used, Some(Epoch(1)), "she does not know whom his key is kept from");
    tell_some(&ada, &mut cy, |_| true);
    assert!(!opens(&cy, space, 2));

    tell_some(&bo, &mut ada, |_| true);
    keep(&mut ada);
    assert_eq!(ada.writing_epoch(space).map(|(epoch, ..)| epoch), Some(Epoch(2)));
    tell_some(&ada, &mut cy, |_| true);
    assert!(!opens(&cy, space, 2));
}

/// Cy's laptop takes back the phone, and Ada hears of the key before she hears of that.
#[test]
fn a_device_that_was_taken_back_gets_no_new_key_from_who_has_not_heard() {
    let ([mut ada, _, mut cy, _], space) = garden([Role::Writer; 3]);
    let phone = keys(3, 1);
    let consent = phone.device.sign(Domain::DeviceLink, &cy.agent().0);
    let link = (phone.device.device(), phone.hpke_public(), "phone".to_owned(), consent);
    let mut random = entropy(&cy);
    cy.link_device(&mut random, NOW, link, &[]).expect("it agreed");
    meet(&mut [&mut ada, &mut cy]);
    let mut random = entropy(&cy);
    let device = phone.device.device();
    cy.revoke_device(&mut random, NOW, device, &BTreeMap::new()).expect("it is theirs");

    tell_some(&cy, &mut ada, is_epoch);
    let wraps_of = |trust: &Trust| {
        let epochs = trust.graph().spaces[&space].epochs.iter();
        epochs.filter(|(_, it)| it.wraps.contains_key(&device)).count()
    };
    let before = wraps_of(&ada);
    keep(&mut ada);
    assert_eq!(wraps_of(&ada), before);
    tell_some(&cy, &mut ada, |_| true);
    keep(&mut ada);
    assert_eq!(wraps_of(&ada), before);
}

/// The same where Cy is in the garden by a choir: Di leads the choir.
#[test]
fn who_left_a_group_gets_no_new_key_from_who_has_not_heard() {
    let ([mut ada, mut bo, mut cy, mut di], space) =
        garden([Role::Writer, Role::Writer, Role::Admin]);
    let mut random = entropy(&di);
    let choir = di.found_space(&mut random, NOW, "choir", crate::words::Reach::Private, true);
    let choir = choir.expect("memory does not fail");
    let admit = |by: &mut Trust, space, party, role| {
        let mut random = entropy(by);
        by.grant(&mut random, NOW, Admission { space, party, role, pins: vec![] })
    };
    for (whom, role) in [(ada.agent(), Role::Reader), (cy.agent(), Role::Reader)] {
        admit(&mut di, choir, Party::Agent(whom), role).expect("Di leads it");
    }
    admit(&mut di, space, Party::Group(choir), Role::Reader).expect("Di may");
    remove(&mut ada, space, &cy, vec![]).expect("Ada may");
    meet(&mut [&mut ada, &mut bo, &mut cy, &mut di]);
    keep(&mut ada);
    keep(&mut di);
    meet(&mut [&mut ada, &mut bo, &mut cy, &mut di]);
    assert!(opens(&cy, space, 2), "Cy reads it by the choir");

    remove(&mut di, choir, &cy, vec![]).expect("Di leads it");
    let mut random = entropy(&di);
    di.prepare_to_write(&mut random, NOW, space).expect("memory does not fail");
    let (epoch, ..) = di.writing_epoch(space).expect("there is a clean one");
    tell_some(&di, &mut ada, is_epoch);
    keep(&mut ada);
    tell_some(&ada, &mut cy, |_| true);
    assert!(!opens(&cy, space, epoch.0));
}

#[test]
fn who_was_removed_and_is_back_gets_all_keys() {
    let ([mut ada, mut bo, mut cy, _], space) = garden([Role::Writer; 3]);
    remove(&mut ada, space, &cy, vec![]).expect("Ada may");
    meet(&mut [&mut ada, &mut bo, &mut cy]);
    assert!(!opens(&cy, space, 2));
    crate::trust::tests::admit(&mut ada, space, &cy, Role::Writer).expect("Ada may");
    keep(&mut ada);
    meet(&mut [&mut ada, &mut bo, &mut cy]);
    assert!(opens(&cy, space, 2));
}

/// Bo says that his key is after something that nobody has.
#[test]
fn a_key_after_what_nobody_has_is_not_written_with() {
    let ([mut ada, bo, _, _], space) = garden([Role::Writer; 3]);
    let mut random = entropy(&bo);
    let made = bo.keyring().epochs(space).next().expect("the first").2.next(&mut random);
    let mut drafts = bo.drafts(NOW);
    let readers: Vec<_> = bo.graph().readers(space).into_iter().collect();
    let after = [AttestationId([7; 32])];
    bo.hand_out(&mut random, &mut drafts, (space, Epoch(2), &made), Some(&after), &readers);
    let said = drafts.into_list();
    hear(&mut ada, &said.iter().collect::<Vec<_>>());
    assert!(opens(&ada, space, 2));
    assert_eq!(ada.writing_epoch(space).map(|(epoch, ..)| epoch), Some(Epoch(1)));
    let mut random = entropy(&ada);
    assert!(!ada.prepare_to_write(&mut random, NOW, space).expect("memory does not fail"));
}

#[test]
fn a_key_names_who_lost_the_newest_first_and_no_more_than_fit() {
    let ([mut ada, ..], space) = garden([Role::Writer; 3]);
    for person in 5..=14 {
        let mut guest = on(&Disk::default(), keys(person, 0)).expect("memory does not fail");
        meet(&mut [&mut ada, &mut guest]);
        crate::trust::tests::admit(&mut ada, space, &guest, Role::Reader).expect("Ada may");
        remove(&mut ada, space, &guest, vec![]).expect("Ada may");
        let after = newest_after(&ada);
        assert_eq!(after.len(), crate::attestation::LOSSES_MAX.min(usize::from(person) - 4));
        let removals = ada.attestations.values();
        let removals = removals.filter(|it| matches!(it.claim, Claim::SpaceRevocation { .. }));
        let last = removals.max_by_key(|said| said.height);
        assert!(last.is_some_and(|last| after.contains(&last.id)), "{person}");
    }
}
