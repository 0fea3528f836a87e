//! Who the other side says that it is, read from what it brought.

use node_model::{AgentId, DeviceId};
use serde_bytes::ByteBuf;
use trust_core::{Attestation, Claim};

/// The links of devices to `agent` among attestations, by device.
pub(super) fn links_of(agent: AgentId, attestations: &[ByteBuf]) -> Vec<(DeviceId, Vec<u8>)> {
    let read = attestations.iter().filter_map(|bytes| Attestation::read(bytes).ok());
    let own = read.filter(|it| it.issuer == agent && it.is_rooted());
    let mut links = Vec::new();
    for attestation in own {
        if let Claim::DeviceLink { device, .. } = attestation.claim {
            links.push((device, attestation.bytes().to_vec()));
        }
    }
    links
}

/// The agent that introduces itself as the owner of `device` and as related to
/// `us`, if the attestations say both.
pub(super) fn introduced(
    device: DeviceId,
    us: AgentId,
    attestations: &[ByteBuf],
) -> Option<AgentId> {
    let read: Vec<Attestation> =
        attestations.iter().filter_map(|bytes| Attestation::read(bytes).ok()).collect();
    let is_link = |it: &&Attestation| matches!(it.claim, Claim::DeviceLink { device: linked, .. } if linked == device);
    let owner = read.iter().filter(|it| it.is_rooted()).find(is_link)?.issuer;
    let is_related = read.iter().any(|attestation| {
        attestation.issuer == owner
            && matches!(
                attestation.claim,
                Claim::Relationship { with, terms: Some(_) } if with == us
            )
    });
    is_related.then_some(owner)
}
