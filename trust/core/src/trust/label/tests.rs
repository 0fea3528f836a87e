use super::*;
use crate::{
    attestation::Party,
    trust::{
        Admission,
        tests::{NOW, admit, device, entropy, found, garden, meet},
    },
    words::Role,
};

#[test]
fn who_holds_its_keys_knows_a_circle_and_its_name() {
    let ([mut ada, mut bo, mut cy, mut di], garden) = garden([Role::Reader; 3]);
    let circle = ada.found_circle(&mut entropy(&ada), NOW, "family").expect("memory");
    admit(&mut ada, circle, &bo, Role::Reader).expect("Ada may");
    admit(&mut ada, circle, &cy, Role::Custodian).expect("Ada may");
    meet(&mut [&mut ada, &mut bo, &mut cy, &mut di]);
    for inside in [&ada, &bo] {
        assert_eq!(inside.label_of(circle).as_deref(), Some("family"));
        assert!(inside.is_circle(circle) && !inside.is_circle(garden));
    }
    assert_eq!((cy.label_of(circle), cy.is_circle(circle)), (None, false), "Cy has no key");
    assert!(!di.graph().spaces.contains_key(&circle), "Di was told nothing");
    assert!(!ada.is_circle(ada.home_space().expect("she has one")));
}

#[test]
fn a_circle_that_is_called_like_ones_own_space_is_not_it() {
    let mut ada = device(1, 0);
    let home = ada.home_space();
    for _ in 0..8 {
        ada.found_circle(&mut entropy(&ada), NOW, "Private").expect("memory does not fail");
    }
    assert_eq!(ada.home_space(), home);
}

#[test]
fn a_circle_in_a_space_brings_whoever_joins_it_later() {
    let mut people = [1, 2, 3].map(|person| device(person, 0));
    meet(&mut people.each_mut());
    let [ada, bo, cy] = &mut people;
    let circle = ada.found_circle(&mut entropy(ada), NOW, "family").expect("memory");
    let album = found(ada, "album", Reach::Invited);
    admit(ada, album, cy, Role::Writer).expect("Ada may");
    let party = Party::Group(circle);
    let family = Admission { space: album, party, role: Role::Reader, pins: vec![] };
    ada.grant(&mut entropy(ada), NOW, family).expect("Ada may");
    meet(&mut [ada, bo, cy]);
    assert_eq!(bo.role_in(album), None);
    admit(ada, circle, bo, Role::Reader).expect("Ada may");
    assert!(ada.keep_keys(&mut entropy(ada), NOW).expect("memory"), "the album's are due");
    meet(&mut [ada, bo, cy]);
    assert_eq!(
        (bo.role_in(album), bo.label_of(album).as_deref()),
        (Some(Role::Reader), Some("album"))
    );
    // Cy is in the album, not in the circle: there, too, the decision is the same.
    let at_cy = |cy: &Trust| cy.graph().spaces[&album].members.contains_key(&bo.agent());
    assert!(at_cy(cy) && cy.label_of(circle).is_none());
    ada.revoke(&mut entropy(ada), NOW, circle, Party::Agent(bo.agent()), vec![]).expect("she may");
    meet(&mut [ada, cy]);
    assert!(!at_cy(cy));
}
