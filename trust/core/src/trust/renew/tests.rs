use std::collections::BTreeMap;

use node_model::sign::Signer;
use rand_chacha::{ChaCha8Rng, rand_core::SeedableRng};

use super::*;
use crate::{
    attestation::{Attestation, Statement},
    decision::{Action, Question},
    trust::tests::{Disk, NOW, admit, device, entropy, found, hear, keys, meet, on, tell},
    words::{Reach, Role},
};

/// Ada's laptop with other device keys.
fn next() -> DeviceKeys {
    DeviceKeys::new(&[77; 32], &[78; 32], keys(1, 0).standing)
}

#[test]
fn a_renewed_device_has_all_that_it_had_and_is_known_by_its_link() {
    let disk = Disk::default();
    let (mut ada, mut bo) = (on(&disk, keys(1, 0)).expect("new"), device(2, 0));
    let old = ada.device();
    let garden = found(&mut ada, "garden", Reach::Private);
    meet(&mut [&mut ada, &mut bo]);
    admit(&mut ada, garden, &bo, Role::Writer).expect("Ada may");
    ada.put_note("a note", &7_u64).expect("memory");
    ada.decide_and_note(NOW, Question { device: bo.device(), action: Action::Hold(garden) });
    ada.flush_journal().expect("memory");
    meet(&mut [&mut ada, &mut bo]);
    let (said, lines) = (ada.attestation_count(), ada.journal().count());

    ada.renew(&mut ChaCha8Rng::seed_from_u64(5), NOW, &next()).expect("has the root");
    assert!(on(&disk, keys(1, 0)).is_err(), "nothing opens with the old keys");
    assert_eq!(is_sealed_to(&disk, &keys(1, 0)), Ok(false));
    assert_eq!(is_sealed_to(&disk, &next()), Ok(true));
    let mut renewed = next();
    renewed.previous = Some(old);
    let mut ada = on(&disk, renewed).expect("opens");
    assert_eq!((ada.device(), ada.previous_device()), (next().device.device(), Some(old)));
    assert!(ada.attestation_count() > said);
    assert_eq!((ada.note("a note"), ada.journal().count()), (Some(7_u64), lines));
    assert!(ada.is_journal_whole());
    assert_eq!(ada.label_of(garden).as_deref(), Some("garden"));
    assert!(ada.writing_epoch(garden).is_some(), "it was handed the keys");

    let mut entropy = entropy(&ada);
    ada.revoke_device(&mut entropy, NOW, old, &BTreeMap::new()).expect("it is ours");
    assert_eq!(ada.previous_device(), None, "that is done once");
    tell(&ada, &mut bo);
    let may = |device| {
        let question = Question { device, action: Action::Write(garden, None) };
        bo.decide(question).is_allowed()
    };
    assert!(may(ada.device()) && !may(old));
}

/// Whoever has the old key lets it consent to Eve, as low as can be.
#[test]
fn a_device_that_was_stolen_and_linked_again_is_renewed_and_taken_back() {
    let disk = Disk::default();
    let mut ada = on(&disk, keys(1, 0)).expect("new");
    let old = ada.device();
    let own = ada.graph.link(old, ada.agent()).expect("its own").clone();
    let eve = Signer::from_secret(&[90; 32]);
    let stolen = &keys(1, 0).device;
    let consent = stolen.sign(Domain::DeviceLink, &eve.agent().0);
    let hpke = keys(1, 0).hpke_public();
    let claim = Claim::DeviceLink { device: old, hpke, name: "mine".to_owned(), consent };
    let statement = Statement { claim, height: 0, prev: None, issued_at: NOW, expires_at: None };
    hear(&mut ada, &[&Attestation::issue(&eve, eve.agent(), statement)]);
    assert_eq!(ada.graph.agent_of(old), Some(eve.agent()), "the lowest is first for the graph");

    ada.renew(&mut ChaCha8Rng::seed_from_u64(5), NOW, &next()).expect("has the root");
    let mut renewed = next();
    renewed.previous = Some(old);
    let mut ada = on(&disk, renewed).expect("opens");
    assert_eq!(ada.graph.devices[&ada.device()].name, own.name);
    assert_eq!(ada.previous_device(), Some(old));
    let mut entropy = entropy(&ada);
    ada.revoke_device(&mut entropy, NOW, old, &BTreeMap::new()).expect("it is ours");
    assert_eq!(ada.previous_device(), None);
}

#[test]
fn without_the_root_nothing_changes() {
    let disk = Disk::default();
    let mut ada = device(1, 0);
    let phone = DeviceKeys::from_secrets(&[79; 32], &[9; 32], &[80; 32]);
    let (hpke, agent) = (phone.hpke_public(), ada.agent());
    let consent = phone.device.sign(Domain::DeviceLink, &agent.0);
    let mut entropy = entropy(&ada);
    let linked = (phone.device.device(), hpke, "phone".to_owned(), consent);
    ada.link_device(&mut entropy, NOW, linked, &[]).expect("has the root");
    let links = ada.visible_to(agent).into_iter().filter_map(|id| {
        let said = ada.attestation(id)?;
        matches!(said.claim, Claim::DeviceLink { .. }).then(|| said.bytes().to_vec())
    });
    let standing = || crate::keyring::Standing::Linked { agent, links: links.clone().collect() };
    let phone = || DeviceKeys::new(&[79; 32], &[80; 32], standing());
    let trust = on(&disk, phone()).expect("it is linked");
    let refused = trust.renew(&mut ChaCha8Rng::seed_from_u64(5), NOW, &next());
    assert!(matches!(refused, Err(TrustError::NoRoot)), "{refused:?}");
    on(&disk, phone()).expect("as before");
}
