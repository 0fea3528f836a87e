use serde_json::json;

use super::*;
use crate::{
    document::Meta,
    engine::{
        Limit, SyncEngine,
        testing::{DOCUMENT, Node, SPACE},
    },
    entry::read_batch,
};

/// What an engine says to its peer now.
fn said(engine: &mut SyncEngine) -> Vec<Message> {
    let outputs = std::iter::from_fn(|| engine.poll_output());
    let frames = outputs.filter_map(|output| {
        let Output::Send { frame, .. } = output else { return None };
        Some(Message::decode(&frame).expect("it is ours"))
    });
    frames.collect()
}

fn hear(engine: &mut SyncEngine, from: DeviceId, messages: &[Message]) {
    for message in messages {
        engine.on_frame(from, &message.encode(), &|_| true).expect("they speak alike");
    }
}

/// While Ada reads what Ben has she writes something herself, and then there is no room for
/// what he has.
#[test]
fn what_was_written_while_a_peer_was_read_is_told_though_what_it_sent_cannot_be_kept() {
    let (mut ada, mut ben) = (Node::new(1, &[]), Node::new(2, &[]));
    let [a, b] = [&ada, &ben].map(|node| node.signer.device());
    ben.fill(&json!({"text": "long ".repeat(1_000)}));
    ben.engine.share(a, &[SPACE].into()).expect("memory");
    ada.engine.share(b, &[SPACE].into()).expect("memory");
    let words = said(&mut ben.engine);
    hear(&mut ada.engine, b, &words);
    let words = said(&mut ada.engine);
    assert!(words.iter().any(|it| matches!(it, Message::Pull { .. })), "{words:?}");
    hear(&mut ben.engine, a, &words);

    let meta = Meta { kind: "note".into(), ..Meta::default() };
    ada.write(|engine, writer| {
        engine.write_document(writer, SPACE, DOCUMENT, &meta, &json!({})).expect("it is small");
    });
    let is_head = |message: &Message| matches!(message, Message::Heads { .. });
    assert!(!said(&mut ada.engine).iter().any(is_head), "once she is through");

    let room = ada.engine.stored_bytes(SPACE);
    ada.engine.limit(vec![Limit { spaces: [SPACE].into(), bytes: room }]);
    let words = said(&mut ben.engine);
    hear(&mut ada.engine, b, &words);
    let verify = std::iter::from_fn(|| ada.engine.poll_output()).find_map(|output| {
        let Output::Verify { job, entries } = output else { return None };
        Some((job, entries))
    });
    let (job, entries) = verify.expect("his entry came");
    ada.engine.on_verified(job, read_batch(entries), &mut |_| true);
    assert_eq!(ada.engine.flush().result(SPACE), Err(StoreError::Quota));
    let own = ada.engine.head(SPACE).expect("is here");
    let told = said(&mut ada.engine).into_iter().find_map(|message| {
        let Message::Heads { heads, .. } = message else { return None };
        heads.first().copied()
    });
    assert_eq!(told.map(|head| head.digest), Some(own.digest));
}
