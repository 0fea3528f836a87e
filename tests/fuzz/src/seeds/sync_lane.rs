//! Messages of the sync lane.

use node_model::Timestamp;
use serde_bytes::ByteBuf;
use sync_engine_core::{
    part::SelectionId,
    receipt::Receipt,
    reconcile::{self, Head, PartHead},
    rule::Rule,
    sketch::Shard,
    store::StoreEpoch,
};

use super::{entries, sketch};
use crate::wire::{self, SPACE};

fn rule() -> Rule {
    Rule {
        kinds: ["recipe".to_owned()].into(),
        folders: ["food/sweet".to_owned(), String::new()].into(),
        since: Some(Timestamp(1)),
        until: None,
    }
}

pub(crate) fn sync_messages() -> Vec<Vec<u8>> {
    use reconcile::Message;
    let (space, store) = (SPACE, StoreEpoch([1; 16]));
    let (digest, seen) = ([2; 32], Some((store, 300)));
    let head = Head { space, store, arrivals: 7, digest, seen, part: None };
    let part = Some(PartHead { selection: SelectionId([3; 32]), entries: 5 });
    let entries: Vec<_> = entries().into_iter().take(2).map(ByteBuf::from).collect();
    let ids = ByteBuf::from([9; 96]);
    let counts = ByteBuf::from(sketch().counts().encode());
    let messages = [
        Message::Heads { protocol: 1, heads: vec![head, Head { seen: None, part, ..head }] },
        Message::Keep { space, documents: Some(ByteBuf::from([9; 16])) },
        Message::Keep { space, documents: None },
        Message::Choose { space, rule: Some(rule()) },
        Message::Choose { space, rule: None },
        Message::Chosen { space, documents: ByteBuf::from([9; 32]) },
        Message::Hello(reconcile::Hello::ours(true)),
        Message::Pull { space, after: 1 << 40 },
        Message::Page { space, store, after: 8, upto: 9, more: true, entries: entries.clone() },
        Message::List { space, after: 0 },
        Message::Ids { space, store, after: 2, upto: 3, more: false, ids: ids.clone() },
        Message::Get { space, ids },
        Message::Entries { space, entries },
        Message::Sketch { space, counts: counts.clone(), first: 0, length: 0, shard: None },
        Message::Sketch { space, counts, first: 0, length: 0, shard: Shard::all(5).last() },
        Message::Symbols {
            space,
            store,
            arrivals: 300,
            run: ByteBuf::from(sketch().run(0..40).encode()),
        },
        Message::Lacking { space, store, arrivals: 300, ids: ByteBuf::from([9; 96]) },
        Message::Find { space, ids: ByteBuf::from([9; 96]) },
        Message::Receipt(Receipt::sign(&wire::device(), SPACE, [5; 32], Timestamp(6))),
        Message::Receipt(
            Receipt::sign(&wire::device(), SPACE, [5; 32], Timestamp(6))
                .with_files(&wire::device()),
        ),
        Message::Denied { space },
        Message::Hindered { space, why: Some(2) },
    ];
    messages.iter().map(Message::encode).collect()
}
