use node_model::{EntryId, pack::Header};

use super::*;
use crate::{
    decision::{Action, Question},
    trust::tests::{NOW, admit, device, entropy, found, garden, meet, remove},
    words::{Reach, Role},
};

fn sealed(trust: &Trust, space: SpaceId) -> (Header, SealKey) {
    trust.seal_pack(&mut entropy(trust), space).expect("the space is here")
}

#[test]
fn a_pack_opens_for_members_and_custodians_and_for_nobody_else() {
    let ([ada, bo, cy, di], space) = garden([Role::Writer, Role::Reader, Role::Custodian]);
    let stranger = device(5, 0);
    for maker in [&ada, &bo, &cy, &di] {
        let (header, key) = sealed(maker, space);
        assert_eq!(header.slots.len(), 4);
        for reader in [&ada, &bo, &cy, &di] {
            assert_eq!(reader.open_pack(&header), Some(key.clone()));
        }
        assert_eq!(stranger.open_pack(&header), None);
        let elsewhere = Header { space: SpaceId([9; 32]), ..header };
        assert_eq!(bo.open_pack(&elsewhere), None, "a slot is for one space");
    }
    assert!(sealed(&ada, space).0.shared.is_some());
    assert_eq!(sealed(&di, space).0.shared, None, "a custodian has no key of the space");
}

#[test]
fn a_removed_member_does_not_open_what_is_packed_afterwards() {
    let ([mut ada, bo, cy, _], space) = garden([Role::Writer; 3]);
    let before = sealed(&ada, space);
    remove(&mut ada, space, &bo, vec![]).expect("Ada may");
    let (after, key) = sealed(&ada, space);
    assert_eq!(bo.open_pack(&before.0), Some(before.1));
    assert_eq!(bo.open_pack(&after), None);
    // Cy has not heard of the new key of the space; the slot opens all the same.
    assert_eq!(cy.open_pack(&after), Some(key));
}

#[test]
fn a_device_that_the_maker_does_not_know_opens_with_the_key_of_the_space() {
    let ([ada, bo, ..], space) = garden([Role::Writer; 3]);
    let (mut header, key) = sealed(&ada, space);
    header.slots.clear();
    assert_eq!(bo.open_pack(&header), Some(key));
}

#[test]
fn what_concerns_a_space_lets_a_member_decide_and_tells_of_nothing_else() {
    let ([mut ada, bo, cy, _], space) = garden([Role::Writer; 3]);
    let mut eve = device(5, 0);
    meet(&mut [&mut ada, &mut eve]);
    let other = found(&mut ada, "other", Reach::Private);
    admit(&mut ada, other, &eve, Role::Writer).expect("Ada may");
    remove(&mut ada, space, &bo, vec![]).expect("Ada may");
    let ids = ada.concerning(space);
    let said: Vec<&Attestation> = ids.iter().filter_map(|id| ada.attestation(*id)).collect();
    assert!(said.iter().all(|said| said.issuer != eve.agent() && said.scope.0 != other.0));
    assert!(!ids.contains(&AttestationId(other.0)));
    let mut cy = cy;
    cy.receive(said.iter().map(|said| said.bytes()), NOW).expect("memory does not fail");
    let action = Action::Write(space, Some((0, EntryId([1; 32]))));
    for (author, may) in [(&ada, true), (&bo, false), (&cy, true)] {
        let question = Question { device: author.device(), action };
        assert_eq!(cy.decide(question).is_allowed(), may);
    }
    assert_eq!(ada.concerning(SpaceId([9; 32])), []);
}
