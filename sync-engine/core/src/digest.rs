//! Digest of a set of entry ids, kept as entries arrive.
//!
//! LtHash with 1,024 lanes of 16 bits (Bellare and Micciancio 1997; parameters
//! of Lewi et al., "Securing Update Propagation with Homomorphic Hashing", 2019):
//! each id expands to a vector, a set is the sum of its vectors, so that adding
//! costs the same whatever the size, order does not matter, and nobody can craft
//! two different sets with one digest.

use node_model::EntryId;

const LANES: usize = 1_024;

/// Bytes of a [`SetDigest`] in storage.
pub const STATE_BYTES: usize = LANES * 2;

/// The running sum over a set.
#[derive(Clone, PartialEq, Eq)]
pub struct SetDigest(Box<[u16; LANES]>);

impl Default for SetDigest {
    fn default() -> Self {
        Self(Box::new([0; LANES]))
    }
}

impl SetDigest {
    /// Adds an id that was not in the set.
    pub fn add(&mut self, id: EntryId) {
        self.change(id, u16::wrapping_add);
    }

    /// Takes out an id that was in the set.
    pub fn remove(&mut self, id: EntryId) {
        self.change(id, u16::wrapping_sub);
    }

    fn change(&mut self, id: EntryId, change: fn(u16, u16) -> u16) {
        let mut expanded = [0; STATE_BYTES];
        let mut hasher = blake3::Hasher::new_derive_key("kith 2026-11 set digest");
        hasher.update(&id.0).finalize_xof().fill(&mut expanded);
        for (lane, bytes) in self.0.iter_mut().zip(expanded.chunks_exact(2)) {
            *lane = change(*lane, u16::from_le_bytes([bytes[0], bytes[1]]));
        }
    }

    /// 32 bytes that are equal when the sets are.
    #[must_use]
    pub fn finish(&self) -> [u8; 32] {
        *blake3::hash(&self.to_bytes()).as_bytes()
    }

    /// The state, to store it.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|lane| lane.to_le_bytes()).collect()
    }

    /// The state from storage; `None` when its length is wrong.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != STATE_BYTES {
            return None;
        }
        let mut digest = Self::default();
        for (lane, bytes) in digest.0.iter_mut().zip(bytes.chunks_exact(2)) {
            *lane = u16::from_le_bytes([bytes[0], bytes[1]]);
        }
        Some(digest)
    }
}

impl std::fmt::Debug for SetDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SetDigest({})", blake3::Hash::from_bytes(self.finish()).to_hex())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_does_not_matter_and_every_id_does() {
        let ids: Vec<_> = (0..20u8).map(|i| EntryId([i; 32])).collect();
        let mut forward = SetDigest::default();
        let mut backward = SetDigest::default();
        for (id, opposite) in ids.iter().zip(ids.iter().rev()) {
            assert_ne!(forward, backward.clone_with(*id));
            forward.add(*id);
            backward.add(*opposite);
        }
        assert_eq!(forward, backward);
        assert_eq!(SetDigest::from_bytes(&forward.to_bytes()), Some(forward.clone()));
        backward.add(EntryId([99; 32]));
        assert_ne!(forward.finish(), backward.finish());
        backward.remove(EntryId([99; 32]));
        assert_eq!(forward, backward);
    }

    impl SetDigest {
        fn clone_with(&self, id: EntryId) -> Self {
            let mut copy = self.clone();
            copy.add(id);
            copy.add(EntryId([200; 32]));
            copy
        }
    }
}
