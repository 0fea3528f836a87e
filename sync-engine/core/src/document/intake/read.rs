//! What is looked at before a change is taken in.

use automerge::Change;

use super::{
    super::weigh::{self, ChunkKind, Flaw},
    Refusal, Share, guarded,
};

/// Weighs a change and reads it.
pub(super) fn read(bytes: Vec<u8>) -> Result<(Change, Share), Refusal> {
    let weight = weighed(&bytes)?;
    let change = guarded(|| Change::from_bytes(bytes).ok()).flatten().ok_or(Refusal::Malformed)?;
    let new_actors = u64::from(change.seq() == 1);
    Ok((change, Share { weight, new_actors }))
}

pub(super) fn share_of(bytes: &[u8], change: &Change) -> Result<Share, Refusal> {
    Ok(Share { weight: weighed(bytes)?, new_actors: u64::from(change.seq() == 1) })
}

fn weighed(bytes: &[u8]) -> Result<weigh::Weight, Refusal> {
    weighed_as(ChunkKind::Change, bytes)
}

pub(super) fn weighed_as(kind: ChunkKind, bytes: &[u8]) -> Result<weigh::Weight, Refusal> {
    match weigh::weigh(bytes) {
        Ok(weight) if weight.kind == kind => Ok(weight),
        Ok(_) | Err(Flaw::Malformed) => Err(Refusal::Malformed),
        Err(Flaw::TooHeavy(reason)) => Err(Refusal::TooHeavy(reason)),
    }
}
