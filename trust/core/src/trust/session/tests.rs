use std::{collections::BTreeMap, time::Duration};

use super::*;
use crate::{
    session::{CHALLENGE_LIFETIME, CHALLENGES_MAX, TOKEN_LIFETIME},
    trust::tests::{NOW, device, entropy, meet},
    words::Layer,
};

const HOST: &str = "127.0.0.1:4718";

fn after(time: Duration) -> Now {
    Now { monotonic: time, wall: NOW.plus(time) }
}

/// Ada's rack and laptop, who know each other, and Bo, to whom she is related.
fn household() -> [Trust; 3] {
    let mut all = [device(1, 0), device(1, 1), device(2, 0)];
    meet(&mut all.each_mut());
    let [rack, _, bo] = &mut all;
    let (ada, other) = (rack.agent(), bo.agent());
    let terms = crate::Terms::of(Layer::Sovereign);
    rack.relate(NOW, other, (terms.clone(), None), &[]).expect("memory does not fail");
    bo.relate(NOW, ada, (terms, None), &[]).expect("memory does not fail");
    meet(&mut all.each_mut());
    assert!(
        all[0].decide(Question { device: all[2].device(), action: Action::Connect }).is_allowed()
    );
    all
}

/// What the doorway of `rack` would make of an answer to a challenge of its.
fn prove(rack: &mut Trust, device: &Trust, now: Now) -> Option<Token> {
    let mut entropy = entropy(rack);
    let (nonce, _) = rack.challenge(&mut entropy, now, device.device(), false);
    let answered = answer(device, nonce, rack.device());
    rack.redeem(&mut entropy, now, &answered, false).map(|(token, _)| token)
}

fn answer(device: &Trust, nonce: Nonce, node: DeviceId) -> Answered {
    let challenge = Challenge::new(nonce, node, HOST).expect("a good host");
    let signature = challenge.sign(device.signer());
    challenge.verify(device.device(), &signature).expect("its answer")
}

fn take_back(rack: &mut Trust, laptop: &Trust) {
    let (mut entropy, none) = (entropy(rack), BTreeMap::new());
    rack.revoke_device(&mut entropy, NOW, laptop.device(), &none).expect("it is Ada's");
}

#[test]
fn own_devices_and_peers_get_a_token_and_only_own_ones_come_in_with_it() {
    let [mut rack, laptop, bo] = household();
    let (now, stranger) = (after(Duration::ZERO), device(3, 0));
    let token = prove(&mut rack, &laptop, now).expect("it is Ada's");
    assert_eq!(rack.token_holder(now, &token), Some(laptop.device()));
    assert_eq!(rack.token_holder(after(TOKEN_LIFETIME), &token), None);
    assert_eq!(rack.token_peer(now, &token), Some(laptop.device()));
    let of_bo = prove(&mut rack, &bo, now).expect("he may synchronise");
    assert_eq!(rack.token_holder(now, &of_bo), None, "related is not enough");
    assert_eq!(rack.token_peer(now, &of_bo), Some(bo.device()));
    assert_eq!(rack.token_peer(after(TOKEN_LIFETIME), &of_bo), None);
    assert!(prove(&mut rack, &stranger, now).is_none());
    let other: Token = "00".repeat(32).parse().expect("a token");
    assert_eq!(rack.token_holder(now, &other), None);
}

#[test]
fn a_challenge_looks_the_same_for_everybody_and_is_kept_for_peers_only() {
    let [mut rack, laptop, bo] = household();
    let (now, mut entropy) = (after(Duration::ZERO), entropy(&rack));
    let (nonce, end) = rack.challenge(&mut entropy, now, laptop.device(), false);
    assert_eq!(end, now.wall.plus(CHALLENGE_LIFETIME));
    for number in 0..=CHALLENGES_MAX {
        let mut id = bo.device();
        id.0[..8].copy_from_slice(&(number as u64).to_be_bytes());
        let (other, end_of_other) = rack.challenge(&mut entropy, now, id, false);
        assert!(other != nonce && end_of_other == end);
    }
    let answered = answer(&laptop, nonce, rack.device());
    assert!(
        rack.redeem(&mut entropy, now, &answered, false).is_some(),
        "strangers pushed nothing out"
    );
    assert!(rack.redeem(&mut entropy, now, &answered, false).is_none(), "it was used");
}

#[test]
fn an_answer_for_another_doorway_is_none_for_this_one() {
    let [mut rack, laptop, _] = household();
    let (now, mut entropy) = (after(Duration::ZERO), entropy(&rack));
    let (nonce, _) = rack.challenge(&mut entropy, now, laptop.device(), false);
    let elsewhere = answer(&laptop, nonce, laptop.device());
    assert!(rack.redeem(&mut entropy, now, &elsewhere, false).is_none());
}

#[test]
fn a_device_that_is_taken_back_is_out_at_every_step() {
    let [mut rack, laptop, _] = household();
    let (now, mut entropy) = (after(Duration::ZERO), entropy(&rack));
    let token = prove(&mut rack, &laptop, now).expect("it is Ada's");
    let (nonce, _) = rack.challenge(&mut entropy, now, laptop.device(), false);
    take_back(&mut rack, &laptop);
    assert_eq!(rack.token_peer(now, &token), None);
    assert_eq!(rack.token_holder(now, &token), None);
    let answered = answer(&laptop, nonce, rack.device());
    assert!(rack.redeem(&mut entropy, now, &answered, false).is_none());
    assert!(prove(&mut rack, &laptop, now).is_none());
}

#[test]
fn a_peer_with_whom_we_part_is_out_at_once() {
    let [mut rack, _, bo] = household();
    let now = after(Duration::ZERO);
    let token = prove(&mut rack, &bo, now).expect("he may synchronise");
    rack.part(NOW, bo.agent()).expect("memory does not fail");
    assert_eq!(rack.token_peer(now, &token), None);
    assert!(prove(&mut rack, &bo, now).is_none());
}

#[test]
fn a_node_that_was_taken_back_lets_nobody_in_and_answers_nobody() {
    let [mut rack, mut laptop, _] = household();
    take_back(&mut rack, &laptop);
    meet(&mut [&mut rack, &mut laptop]);
    let now = after(Duration::ZERO);
    assert!(prove(&mut laptop, &rack, now).is_none());
    let challenge = Challenge::new(Nonce([1; 32]), rack.device(), HOST).expect("a good host");
    assert!(laptop.answer_challenge(&challenge, false).is_none());
}

#[test]
fn only_doorways_of_own_devices_and_peers_get_an_answer() {
    let [rack, laptop, bo] = household();
    let asked_by = |node| Challenge::new(Nonce([1; 32]), node, HOST).expect("a good host");
    for node in [rack.device(), laptop.device(), bo.device()] {
        let signature = laptop.answer_challenge(&asked_by(node), false).expect("it is Ada's");
        assert!(asked_by(node).verify(laptop.device(), &signature).is_ok());
    }
    assert!(laptop.answer_challenge(&asked_by(device(3, 0).device()), false).is_none());
}
