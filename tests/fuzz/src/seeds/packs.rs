use node_model::{
    BlobId,
    pack::{Frame, Header, SHARED_BYTES, SLOT_BYTES, Sealer},
};
use serde_bytes::ByteBuf;

use super::entropy;
use crate::wire::{self, SPACE};

pub(crate) fn packs() -> Vec<Vec<u8>> {
    let headers = [
        Header {
            space: SPACE,
            slots: vec![[1; SLOT_BYTES], [2; SLOT_BYTES]],
            shared: Some(vec![3; SHARED_BYTES]),
        },
        Header { space: SPACE, slots: vec![], shared: None },
    ];
    let pack = headers.map(|header| {
        let header = header.encode();
        let mut sealer = Sealer::new(&wire::key(), &header);
        let sealed = frames().into_iter().map(|frame| sealer.seal(&mut entropy(), &frame));
        let sealed: Vec<_> = sealed.collect();
        [header, sealed.concat()].concat()
    });
    pack.to_vec()
}

pub(crate) fn pack_frames() -> Vec<Vec<u8>> {
    frames().iter().map(Frame::encode).collect()
}

fn frames() -> Vec<Frame> {
    let ids = |byte| ByteBuf::from(vec![byte; 64]);
    vec![
        Frame::Attestations { attestations: vec![ByteBuf::from(b"who")] },
        Frame::Entries { entries: vec![ByteBuf::from(b"what"), ByteBuf::new()] },
        Frame::Covered { attestations: ids(1), entries: ids(2), blobs: ByteBuf::new() },
        Frame::Blob { blob: BlobId([7; 32]) },
        Frame::Piece { bytes: ByteBuf::from(vec![9; 300]) },
        Frame::End { attestations: 1, entries: 2, blobs: 1 },
    ]
}
