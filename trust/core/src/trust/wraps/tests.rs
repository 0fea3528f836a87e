use node_model::{AgentId, DeviceId, Epoch, SpaceId, sign::Domain};
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::{super::Trust, ASKED_MAX};
use crate::{
    attestation::{Attestation, Claim, Party},
    keyring::{DeviceKeys, EpochKeys, KeyId, Standing, WrappedKey},
    trust::tests::{Disk, NOW, admit, device, entropy, garden, hear, keys, meet, on},
    words::Role,
};

/// What is due, as a node does when something changed.
fn keep(trust: &mut Trust) -> bool {
    let mut random = entropy(trust);
    trust.keep_keys(&mut random, NOW).expect("memory does not fail")
}

fn has(trust: &Trust, space: SpaceId, (epoch, key): (Epoch, KeyId)) -> bool {
    trust.keyring().contains(space, epoch, key)
}

/// Hands a device something that does not open, in the name of a key.
fn hand_rubbish(by: &mut Trust, to: &Trust, space: SpaceId, (epoch, key): (Epoch, KeyId)) {
    let rubbish = |device| WrappedKey { device, encapsulated: [7; 32], ciphertext: vec![7; 80] };
    let wraps = vec![rubbish(to.device()), rubbish(DeviceId(to.agent().0))];
    let claim = Claim::SpaceEpoch { space, epoch, key, is_new: false, wraps, after: vec![] };
    by.say_now(NOW, claim).expect("memory does not fail");
}

/// A phone of Eve's. Her root is elsewhere, and what is wrapped to it does not open here.
fn linked_device() -> Trust {
    let (mut laptop, phone) = (device(5, 0), keys(5, 1));
    let agent = laptop.agent();
    let consent = phone.device.sign(Domain::DeviceLink, &agent.0);
    let link = (phone.device.device(), phone.hpke_public(), "phone".to_owned(), consent);
    let mut random = entropy(&laptop);
    laptop.link_device(&mut random, NOW, link, &[]).expect("she agreed");
    let is_link = |said: &&Attestation| matches!(said.claim, Claim::DeviceLink { .. });
    let said = statements(&laptop);
    let links = said.iter().filter(is_link).map(|said| said.bytes().to_vec()).collect();
    let standing = Standing::Linked { agent, links };
    let (device, hpke) = (*phone.device.secret(), *phone.hpke_seed());
    on(&Disk::default(), DeviceKeys::new(&device, &hpke, standing)).expect("memory does not fail")
}

fn statements(trust: &Trust) -> Vec<Attestation> {
    trust.attestations.values().cloned().collect()
}

fn tell_all(from: &Trust, to: &mut Trust) {
    let said = statements(from);
    hear(to, &said.iter().collect::<Vec<_>>());
}

/// Bo makes an epoch that Eve is not known to yet, and Cy, a reader, is first to hand her
/// something for it.
#[test]
fn rubbish_in_the_name_of_a_key_keeps_a_newcomer_out_only_until_they_say_so() {
    let ([mut ada, mut bo, mut cy, _], space) = garden([Role::Writer, Role::Reader, Role::Reader]);
    let mut eve = linked_device();
    let mut random = entropy(&bo);
    let mut drafts = bo.drafts(NOW);
    let graph = bo.graph().clone();
    bo.draft_rotation(&mut random, &mut drafts, &graph, space);
    bo.commit(drafts.into_list(), &[], NOW).expect("memory does not fail");
    let key = bo.writing_epoch(space).map(|(epoch, key, _)| (epoch, key)).expect("is his");
    tell_all(&eve, &mut ada);
    admit(&mut ada, space, &eve, Role::Writer).expect("Ada may");
    tell_all(&ada, &mut cy);
    tell_all(&bo, &mut cy);
    hand_rubbish(&mut cy, &eve, space, key);
    meet(&mut [&mut ada, &mut bo, &mut cy, &mut eve]);
    keep(&mut ada);
    keep(&mut bo);
    meet(&mut [&mut ada, &mut bo, &mut cy, &mut eve]);
    assert!(has(&ada, space, key) && !has(&eve, space, key), "she seems to have one");

    assert!(keep(&mut eve), "she says that it does not open");
    assert!(!keep(&mut eve), "once");
    meet(&mut [&mut ada, &mut bo, &mut cy, &mut eve]);
    assert!(keep(&mut ada), "it is on her to hand it out");
    meet(&mut [&mut ada, &mut eve]);
    assert!(has(&eve, space, key));
    assert_eq!(eve.writing_epoch(space).map(|(epoch, ..)| epoch), Some(key.0));
    // More rubbish, and asking again, changes nothing.
    hand_rubbish(&mut cy, &eve, space, key);
    meet(&mut [&mut ada, &mut bo, &mut cy, &mut eve]);
    let count = ada.attestation_count();
    keep(&mut ada);
    keep(&mut eve);
    assert_eq!(ada.attestation_count(), count);
}

#[test]
fn a_good_wrap_beside_a_bad_one_opens() {
    let ([mut ada, _, mut cy, _], space) = garden([Role::Writer, Role::Reader, Role::Reader]);
    let mut eve = device(5, 0);
    let key = ada.writing_epoch(space).map(|(epoch, key, _)| (epoch, key)).expect("is clean");
    hand_rubbish(&mut cy, &eve, space, key);
    tell_all(&eve, &mut ada);
    admit(&mut ada, space, &eve, Role::Writer).expect("Ada may");
    tell_all(&cy, &mut eve);
    tell_all(&ada, &mut eve);
    assert!(has(&eve, space, key));
    keep(&mut eve);
    let asks = statements(&eve)
        .iter()
        .filter(|said| said.issuer == eve.agent())
        .any(|said| matches!(&said.claim, Claim::SpaceEpoch { wraps, .. } if wraps.is_empty()));
    assert!(!asks);
}

/// A root cannot say that it was handed rubbish, and whoever it belongs to notices only when
/// all else is lost.
#[test]
fn rubbish_for_a_root_does_not_count_unless_who_gave_it_rules_anyhow() {
    let ([mut ada, _, mut cy, _], space) = garden([Role::Writer, Role::Reader, Role::Reader]);
    let mut eve = linked_device();
    let root = DeviceId(eve.agent().0);
    let key = ada.writing_epoch(space).map(|(epoch, key, _)| (epoch, key)).expect("is clean");
    hand_rubbish(&mut cy, &eve, space, key);
    tell_all(&cy, &mut ada);
    tell_all(&eve, &mut ada);
    admit(&mut ada, space, &eve, Role::Writer).expect("Ada may");
    tell_all(&ada, &mut eve);
    let given = |by: &Trust| {
        let given = &eve.graph().spaces[&space].epochs[&key].given;
        given.contains(&(by.agent(), root))
    };
    assert!(given(&cy) && given(&ada));
    assert!(!keep(&mut ada), "once is enough");
}

/// An admin lets in what is nobody's key: no point of the curve, one of small order, and
/// somebody who never said anything.
#[test]
fn who_is_let_in_and_is_nobody_makes_no_one_talk() {
    let ([mut ada, ..], space) = garden([Role::Writer, Role::Reader, Role::Reader]);
    let unknown = keys(5, 0).agent();
    for agent in [AgentId([2; 32]), AgentId([0; 32]), unknown] {
        let (party, role, after) = (Party::Agent(agent), Role::Reader, vec![]);
        ada.say_now(NOW, Claim::SpaceGrant { space, party, role, after }).expect("memory");
        assert!(ada.graph().spaces[&space].members.contains_key(&agent));
        assert!(!keep(&mut ada), "there is nothing to hand out");
    }
}

#[test]
fn made_up_keys_make_nobody_talk_without_end() {
    let ([_, mut bo, mut cy, mut di], space) = garden([Role::Reader, Role::Reader, Role::Reader]);
    let mut random = ChaCha8Rng::seed_from_u64(9);
    for number in 0..2 * ASKED_MAX as u32 {
        let key = (Epoch(number + 2), EpochKeys::random(&mut random).id());
        hand_rubbish(&mut bo, &di, space, key);
        if number == 0 {
            tell_all(&bo, &mut di);
            assert!(!keep(&mut di), "one alone made it up");
        }
        hand_rubbish(&mut cy, &di, space, key);
    }
    tell_all(&bo, &mut di);
    tell_all(&cy, &mut di);
    let before = di.attestation_count();
    keep(&mut di);
    assert_eq!(di.attestation_count(), before + ASKED_MAX);
    assert!(!keep(&mut di));
}
