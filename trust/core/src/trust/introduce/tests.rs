use super::*;
use crate::{
    decision::Rule,
    trust::tests::{NOW, admit, device, garden, hear, meet, remove},
    words::Reach,
};

/// One introduces itself to another one, who says whether it lets it in now.
fn introduce(from: &Trust, to: &mut Trust) -> bool {
    let said: Vec<Vec<u8>> =
        from.introduction_to(to.device()).into_iter().map(|said| said.bytes().to_vec()).collect();
    let bytes: usize = said.iter().map(Vec::len).sum();
    assert!(said.len() <= INTRODUCTION_STATEMENTS_MAX && bytes <= INTRODUCTION_BYTES_MAX);
    let known = to.attestation_count();
    let weighed = to.weigh_introduction(from.device(), said.iter().map(Vec::as_slice));
    let is_in = weighed.is_some_and(|it| to.take_introduction(it, NOW).expect("memory holds"));
    assert_eq!(is_in, connects(to, from.device()) == Rule::SharesSpace || is_own(to, from));
    assert!(is_in || to.attestation_count() == known, "it leaves no trace");
    is_in
}

fn connects(trust: &Trust, device: DeviceId) -> Rule {
    trust.decide(Question { device, action: Action::Connect }).rule
}

fn is_own(to: &Trust, from: &Trust) -> bool {
    connects(to, from.device()) == Rule::OwnDevice
}

#[test]
fn who_was_let_in_while_one_was_away_is_known_by_the_grant() {
    let ([mut ada, mut bo, mut cy, mut di], space) = garden([Role::Writer; 3]);
    let mut eve = device(5, 0);
    meet(&mut [&mut ada, &mut eve]);
    hear(&mut ada, &eve.attestations.values().collect::<Vec<_>>());
    // By an admin of whom Bo has not heard that she is one.
    admit(&mut ada, space, &cy, Role::Admin).expect("Ada may");
    meet(&mut [&mut ada, &mut cy]);
    hear(&mut cy, &eve.attestations.values().collect::<Vec<_>>());
    admit(&mut cy, space, &eve, Role::Reader).expect("Cy may");
    meet(&mut [&mut cy, &mut eve]);
    assert!(bo.introduction_to(eve.device()).is_empty(), "nobody whom he knows");
    assert!(introduce(&eve, &mut bo));
    let again = eve.introduction_to(bo.device()).into_iter().map(Attestation::bytes);
    assert!(bo.weigh_introduction(eve.device(), again).is_none(), "nothing of it is new");
    assert_eq!(bo.name_of(eve.agent()), "Eve");
    // It grants what the grant says, and nothing else.
    assert_eq!(bo.graph.spaces[&space].members[&eve.agent()].role, Role::Reader);
    assert!(!bo.graph.spaces.values().any(|it| it.founder == eve.agent()));

    // Removed and let in again, while others know of the removal only.
    meet(&mut [&mut ada, &mut bo, &mut cy, &mut di, &mut eve]);
    remove(&mut ada, space, &eve, vec![]).expect("Ada may");
    meet(&mut [&mut ada, &mut bo]);
    assert!(!introduce(&eve, &mut bo), "what she has is known, and over");
    admit(&mut ada, space, &eve, Role::Writer).expect("Ada may");
    meet(&mut [&mut ada, &mut eve]);
    assert!(introduce(&eve, &mut bo));
    assert_eq!(bo.graph.spaces[&space].members[&eve.agent()].role, Role::Writer);
}

#[test]
fn a_grant_that_knew_of_a_purge_counts_for_who_was_away() {
    let ([mut ada, mut bo, ..], space) = garden([Role::Writer; 3]);
    let mut eve = device(5, 0);
    meet(&mut [&mut ada, &mut eve]);
    hear(&mut ada, &eve.attestations.values().collect::<Vec<_>>());
    ada.purge(NOW, space, &[node_model::DocumentId([7; 16])]).expect("Ada may");
    admit(&mut ada, space, &eve, Role::Reader).expect("Ada may");
    meet(&mut [&mut ada, &mut eve]);
    assert!(introduce(&eve, &mut bo));
}

#[test]
fn a_new_device_of_somebody_known_is_known_by_its_link() {
    let ([_, mut bo, mut cy, _], _) = garden([Role::Writer; 3]);
    let mut phone = device(3, 1);
    meet(&mut [&mut cy, &mut phone]);
    assert!(introduce(&phone, &mut bo));
    // And a new device of one's own.
    let mut tablet = device(2, 1);
    hear(&mut tablet, &bo.attestations.values().collect::<Vec<_>>());
    assert!(introduce(&tablet, &mut bo));
    assert_eq!(tablet.introduction_to(bo.device()).len(), 2, "the link and a name");
}

#[test]
fn nobody_is_known_by_what_somebody_else_says() {
    let ([mut ada, mut bo, ..], space) = garden([Role::Writer; 3]);
    let mut eve = device(5, 0);
    // Eve founds a space of her own, and is in nothing that Bo is in.
    let own = crate::trust::tests::found(&mut eve, "own", Reach::Private);
    let all: Vec<Vec<u8>> = eve.attestations.values().map(|said| said.bytes().to_vec()).collect();
    assert!(bo.weigh_introduction(eve.device(), all.iter().map(Vec::as_slice)).is_none());
    assert!(!bo.graph.spaces.contains_key(&own));
    // With the grant of another one, which is real.
    hear(&mut ada, &eve.attestations.values().collect::<Vec<_>>());
    let mut fay = device(6, 0);
    hear(&mut ada, &fay.attestations.values().collect::<Vec<_>>());
    admit(&mut ada, space, &fay, Role::Admin).expect("Ada may");
    meet(&mut [&mut ada, &mut fay]);
    let theirs = fay.introduction_to(bo.device()).into_iter().map(|it| it.bytes().to_vec());
    let all: Vec<Vec<u8>> = theirs.chain(all).take(INTRODUCTION_STATEMENTS_MAX).collect();
    let weighed = bo.weigh_introduction(eve.device(), all.iter().map(Vec::as_slice));
    let known = bo.attestation_count();
    assert!(!bo.take_introduction(weighed.expect("Ada's word is new"), NOW).expect("holds"));
    assert_eq!(bo.attestation_count(), known);
    // One that was changed under way.
    let mut said: Vec<Vec<u8>> =
        fay.introduction_to(bo.device()).into_iter().map(|it| it.bytes().to_vec()).collect();
    let link = said.first_mut().expect("there is one");
    let last = link.len() - 1;
    link[last] ^= 1;
    assert!(bo.weigh_introduction(fay.device(), said.iter().map(Vec::as_slice)).is_none());
    assert!(introduce(&fay, &mut bo));
}

#[test]
fn a_long_absence_fits_as_far_as_a_frame_goes() {
    for (changes, is_enough) in [(8, true), (60, false)] {
        let ([mut ada, mut bo, _, di], space) = garden([Role::Writer; 3]);
        let mut eve = device(5, 0);
        hear(&mut ada, &eve.attestations.values().collect::<Vec<_>>());
        for change in 0..changes {
            let role = [Role::Reader, Role::Writer][change % 2];
            admit(&mut ada, space, &di, role).expect("Ada may");
        }
        admit(&mut ada, space, &eve, Role::Writer).expect("Ada may");
        meet(&mut [&mut ada, &mut eve]);
        assert_eq!(introduce(&eve, &mut bo), is_enough, "{changes}");
    }
}
