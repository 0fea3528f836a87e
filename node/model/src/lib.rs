//! Words that every plane shares: ids, signatures, challenges, seals, tickets, packs, limits, time.
//!
//! Invariant: nothing here does I/O, reads a clock or draws randomness; callers
//! pass time and an [`Entropy`] in.
//! Non-goal: domain rules; those live in the plane cores.

pub mod cbor;
pub mod challenge;
pub mod id;
pub mod limit;
mod now;
pub mod pack;
#[cfg(feature = "planted-bugs")]
pub mod planted;
pub mod program;
pub mod seal;
pub mod sign;
pub mod ticket;

pub use id::{AgentId, AttestationId, BlobId, DeviceId, DocumentId, EntryId, Epoch, SpaceId};
pub use now::{Now, Timestamp};

/// Source of randomness that a core is given; the operating system's in a
/// process, a seed's in simulation.
pub type Entropy = dyn rand_core::CryptoRng + Send;

/// Fills a fresh array from `entropy`.
pub fn random_bytes<const N: usize>(entropy: &mut Entropy) -> [u8; N] {
    let mut bytes = [0; N];
    rand_core::Rng::fill_bytes(entropy, &mut bytes);
    bytes
}
