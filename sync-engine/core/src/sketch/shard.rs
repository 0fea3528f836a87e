//! Shards of a set: the ids that begin with the same bits.
//!
//! A sketch decodes so many differences and no more. Ids are hashes, so each of 2ⁿ shards
//! holds about as many ids as any other, and of the differences, too, unless somebody grinds
//! ids; a shard with too many of them is split.

use node_model::EntryId;
use serde::{Deserialize, Serialize};

/// Most bits: so many shards that each of a billion ids' holds some ten thousand.
pub const SHARD_BITS_MAX: u8 = 16;

/// By how many bits a shard is split.
const SPLIT_BITS: u8 = 2;

/// The ids that begin with some bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    bits: u8,
    begin: u16,
}

impl Shard {
    /// All shards of so many bits, at most [`SHARD_BITS_MAX`].
    pub fn all(bits: u8) -> impl DoubleEndedIterator<Item = Self> {
        let bits = bits.min(SHARD_BITS_MAX);
        let last = u16::try_from((1_u32 << bits) - 1).expect("at most 16 bits");
        (0..=last).map(move |begin| Self { bits, begin })
    }

    /// Whether the bits are as many as it says.
    #[must_use]
    pub fn is_well_formed(self) -> bool {
        self.bits <= SHARD_BITS_MAX && u32::from(self.begin) < 1 << self.bits
    }

    /// The shards that it consists of; `None` when it is one of the smallest.
    #[must_use]
    pub fn split(self) -> Option<impl DoubleEndedIterator<Item = Self>> {
        let bits = self.bits + SPLIT_BITS;
        let begin = self.begin.checked_shl(u32::from(SPLIT_BITS)).unwrap_or_default();
        (bits <= SHARD_BITS_MAX)
            .then(|| (0..1 << SPLIT_BITS).map(move |more| Self { bits, begin: begin | more }))
    }

    /// The smallest id in it.
    #[must_use]
    pub fn first(self) -> EntryId {
        self.followed_by(0)
    }

    /// The largest id in it.
    #[must_use]
    pub fn last(self) -> EntryId {
        self.followed_by(0xff)
    }

    fn followed_by(self, rest: u8) -> EntryId {
        let free = u32::from(SHARD_BITS_MAX - self.bits.min(SHARD_BITS_MAX));
        let begin = u32::from(self.begin) << free;
        let begin = if rest == 0 { begin } else { begin | ((1 << free) - 1) };
        let mut id = [rest; 32];
        id[..2].copy_from_slice(&begin.to_be_bytes()[2..]);
        EntryId(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_and_what_they_split_into_follow_each_other_without_gaps() {
        for bits in [0, 1, 5, SHARD_BITS_MAX] {
            let shards: Vec<Shard> = Shard::all(bits).collect();
            assert_eq!(shards.len(), 1 << bits);
            assert_follow(&shards, (EntryId([0; 32]), EntryId([0xff; 32])));
            for shard in [shards[0], shards[shards.len() / 2], shards[shards.len() - 1]] {
                let Some(parts) = shard.split() else {
                    assert_eq!(bits, SHARD_BITS_MAX);
                    continue;
                };
                assert_follow(&parts.collect::<Vec<_>>(), (shard.first(), shard.last()));
            }
        }
    }

    fn assert_follow(shards: &[Shard], (first, last): (EntryId, EntryId)) {
        assert!(shards.iter().all(|shard| shard.is_well_formed()));
        assert_eq!((shards[0].first(), shards[shards.len() - 1].last()), (first, last));
        for pair in shards.windows(2) {
            let [high, low, ..] = pair[0].last().0;
            let mut next = [0; 32];
            next[..2].copy_from_slice(&(u16::from_be_bytes([high, low]) + 1).to_be_bytes());
            assert_eq!(pair[1].first(), EntryId(next));
        }
    }

    #[test]
    fn more_bits_than_it_says_are_none() {
        assert!(!Shard { bits: 3, begin: 8 }.is_well_formed());
        assert!(!Shard { bits: 17, begin: 0 }.is_well_formed());
        assert!(Shard { bits: 16, begin: u16::MAX }.is_well_formed());
    }
}
