//! Bundles of changes, as they come out of entries.

use node_model::{EntryId, cbor};
use serde_bytes::ByteBuf;
use sync_engine_core::document::Body;

use crate::{
    seeds,
    wire::{self, DOCUMENT},
};

/// The body of a bundle.
pub fn bundles(data: &[u8]) {
    take_bundle(data.to_vec());
}

/// A bundle whose stored document has a right checksum.
pub fn history_contents(data: &[u8]) {
    let history = ByteBuf::from(wire::chunk(0, data));
    take_bundle(cbor::encode(&(Some(history), Vec::<ByteBuf>::new())));
}

/// A bundle for an empty document and for one with a history: what is there stays there.
fn take_bundle(body: Vec<u8>) {
    let bundle = (EntryId([9; 32]), Body::Bundle(body));
    let mut empty = seeds::empty([0; 16]);
    empty.apply([bundle.clone()]);
    let _ = (empty.value(), empty.meta(), empty.summary(DOCUMENT), empty.head_entries());
    assert!(empty.changes_count() == empty.history(None, 1).expect("the newest").total as u64);
    let mut document = seeds::document();
    document.apply([bundle.clone()]);
    assert!(
        document.history(None, 1).expect("the newest").total > 0 && !document.heads().is_empty()
    );
    // However it comes, it is not half taken.
    let mut later = seeds::empty([0; 16]);
    later.apply([bundle]);
    later.apply([seeds::first_brought()]);
    if later.refused().is_empty() && document.refused().is_empty() {
        assert_eq!(later.value(), document.value());
    }
}
