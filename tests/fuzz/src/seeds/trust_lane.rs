//! What nodes say to each other on the trust lane.

use node_model::{AttestationId, DeviceId};
use serde_bytes::ByteBuf;
use trust_core::{
    Reach,
    exchange::{Message, Offer, Whereabouts},
};

use super::attestations;
use crate::wire::SPACE;

pub(crate) fn trust_messages() -> Vec<Vec<u8>> {
    let attestations = attestations().into_iter().map(ByteBuf::from).collect();
    let offer = |reach| Offer { space: SPACE, name: "orchard".into(), reach };
    let messages = [
        Message::Here { addresses: vec!["/ip4/10.0.0.1/tcp/1".into(), "/ip6/::1/tcp/2".into()] },
        Message::There {
            whereabouts: vec![Whereabouts {
                device: DeviceId([1; 32]),
                addresses: vec!["/ip4/10.0.0.2/tcp/1".into()],
            }],
        },
        Message::have(&[AttestationId([1; 32]), AttestationId([2; 32])]),
        Message::Attestations { attestations },
        Message::Attestations { attestations: vec![ByteBuf::new(); 40] },
        Message::Offers { offers: vec![offer(Reach::Local), offer(Reach::Commons)] },
        Message::Follow { space: SPACE },
        Message::Again,
    ];
    messages.iter().map(Message::encode).collect()
}
