use super::*;
use crate::{
    attestation::Party,
    decision::{Action, Question, Rule},
    trust::tests::{NOW, admit, device, entropy, found, meet},
    words::{Reach, Role},
};

const DIARY: DocumentId = DocumentId([9; 16]);

/// Ada founded the garden; Bo is an admin of it, Cy a writer.
fn garden() -> ([Trust; 3], SpaceId) {
    let mut people = [1, 2, 3].map(|person| device(person, 0));
    let [ada, bo, cy] = &mut people;
    let garden = found(ada, "garden", Reach::Private);
    meet(&mut [ada, bo, cy]);
    admit(ada, garden, bo, Role::Admin).expect("Ada may");
    admit(ada, garden, cy, Role::Writer).expect("Ada may");
    meet(&mut [ada, bo, cy]);
    (people, garden)
}

fn is_purged(at: &Trust, space: SpaceId, document: DocumentId) -> bool {
    let question = Question { device: at.device(), action: Action::Keep(space, document) };
    at.decide(question).rule == Rule::Purged
}

#[test]
fn an_admin_purges_and_everybody_knows() {
    let ([mut ada, mut bo, mut cy], garden) = garden();
    let refused = cy.purge(NOW, garden, &[DIARY]);
    assert!(matches!(refused, Err(TrustError::NotAdmin(_))), "{refused:?}");
    bo.purge(NOW, garden, &[DIARY]).expect("Bo may");
    let count = bo.attestation_count();
    bo.purge(NOW, garden, &[DIARY]).expect("it is purged");
    assert_eq!(bo.attestation_count(), count, "nothing is said twice");
    meet(&mut [&mut ada, &mut bo, &mut cy]);
    for trust in [&ada, &bo, &cy] {
        assert!(is_purged(trust, garden, DIARY));
        assert!(!is_purged(trust, garden, DocumentId([8; 16])));
    }
}

#[test]
fn more_documents_than_a_statement_names_take_several() {
    let ([mut ada, ..], garden) = garden();
    let count = u8::try_from(2 * PURGED_MAX + 1).expect("few");
    let documents: Vec<DocumentId> = (0..count).map(|number| DocumentId([number; 16])).collect();
    let before = ada.attestation_count();
    ada.purge(NOW, garden, &documents).expect("Ada may");
    assert_eq!(ada.attestation_count(), before + 3);
    assert!(documents.into_iter().all(|document| is_purged(&ada, garden, document)));
}

#[test]
fn a_purge_stands_if_the_removal_of_its_issuer_knew_of_it() {
    for knew in [true, false] {
        let ([mut ada, mut bo, mut cy], garden) = garden();
        bo.purge(NOW, garden, &[DIARY]).expect("Bo may");
        if knew {
            meet(&mut [&mut ada, &mut bo]);
        }
        let party = Party::Agent(bo.agent());
        ada.revoke(&mut entropy(&ada), NOW, garden, party, vec![]).expect("Ada may");
        meet(&mut [&mut ada, &mut bo, &mut cy]);
        assert_eq!(is_purged(&ada, garden, DIARY), knew);
        assert_eq!(is_purged(&cy, garden, DIARY), knew);
    }
}
