//! Frames of the largest size.

use node_model::{DeviceId, cbor, limit::FRAME_BYTES_MAX};
use serde_bytes::ByteBuf;
use sync_engine_core::{reconcile, store::StoreEpoch};
use trust_core::exchange;

use crate::{targets, wire::SPACE};

/// A frame and its reader.
pub type Frame = (fn(&[u8]), Vec<u8>);

/// Messages as large as a frame, with a list of as many empty items as fit, and who reads them.
#[must_use]
pub fn full_of_nothing() -> Vec<Frame> {
    let (mark, text) = ([0xab; 3], "zzz");
    let (store, entries) = (StoreEpoch([1; 16]), vec![ByteBuf::from(mark)]);
    let page = reconcile::Message::Page {
        space: SPACE,
        store,
        after: 0,
        upto: 1,
        more: true,
        entries: entries.clone(),
    };
    let sync = [page, reconcile::Message::Entries { space: SPACE, entries: entries.clone() }];
    let trust = [
        exchange::Message::Attestations { attestations: entries },
        exchange::Message::Here { addresses: vec![text.to_owned()] },
        exchange::Message::There {
            whereabouts: vec![exchange::Whereabouts {
                device: DeviceId([7; 32]),
                addresses: vec![text.to_owned()],
            }],
        },
    ];
    let lists = [cbor::encode(&(ByteBuf::from(mark),)), cbor::encode(&(text,))];
    let full = |message: Vec<u8>| {
        let found = lists.iter().find_map(|list| {
            let at = message.windows(list.len()).position(|window| window == list)?;
            Some((at, list))
        });
        let (at, list) = found.expect("the list is in it");
        let count = u32::try_from(FRAME_BYTES_MAX - message.len()).expect("a frame is small");
        // The list's head in its longest form, and empty items of the same kind.
        let head = [&[0x9a][..], &count.to_be_bytes()].concat();
        let items = vec![list[1] & 0xe0; count as usize];
        [&message[..at], &head, &items, &message[at + list.len()..]].concat()
    };
    let sync = sync.iter().map(|message| (targets::sync_messages as fn(&[u8]), message.encode()));
    let trust =
        trust.iter().map(|message| (targets::trust_messages as fn(&[u8]), message.encode()));
    sync.chain(trust).map(|(run, message)| (run, full(message))).collect()
}
