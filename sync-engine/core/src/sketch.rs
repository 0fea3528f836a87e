//! Sketch of a set of entry ids: the differences of two sets, at a cost that grows
//! with the difference and not with the sets.
//!
//! A rateless invertible Bloom lookup table (Yang, Gilad and Alizadeh, "Practical
//! Rateless Set Reconciliation", SIGCOMM 2024). A set has an endless sequence of
//! coded symbols, each the sum of the ids that are mapped to it. The holder sends
//! the first of them, the receiver subtracts its own, and [`Decoder`] finds the ids
//! that only one side has: 1,000 of them in about 1,400 symbols of 26 bytes.
//!
//! *One key for all.* Stores keep their first symbols as entries arrive, so both
//! sides must sum up the same thing without having met: nothing here depends on a
//! session. A key for each space would protect nobody either, since who may write
//! in a space knows its key, and an entry id already covers the space. So a writer
//! can grind ids that harm: two with the same mapping take 2^32 hashes, two with
//! the same short id 2^64. Neither does more than make a sketch fail: the decoder
//! ends as [`Progress::Hopeless`], or the digests ([`crate::digest`]) still differ
//! afterwards, and the caller compares lists, as it would without sketches. Once
//! both sides hold such ids they cancel out.
//!
//! *Short ids* are the beginnings of entry ids and no hash of their own: the store's
//! index finds an entry by its short id.
//!
//! Invariants: decoding ends, whatever arrives, within a small number of steps for
//! each symbol received; every platform gives the same symbols for the same set.
//! Non-goals: saying that two sets are equal (the digest does), messages, when to
//! list instead.

mod decoder;
mod estimate;
mod mapping;
mod shard;
mod wire;

use std::ops::Range;

use node_model::EntryId;

pub use decoder::{Decoder, Difference, Progress};
pub use estimate::{COUNTS, Counts, symbols_for};
pub use shard::{SHARD_BITS_MAX, Shard};
pub use wire::{Malformed, Run, SYMBOL_BYTES_MIN};

use mapping::Mapping;

/// Symbols that a store keeps. They decode 1,000 differences, our goal, with a third
/// to spare, up to about 1,400. Memory and storage: 64 KiB a store; an insertion
/// changes about 15 of them. Up to some thousand ids a store need not keep them:
/// [`coded_symbols`] takes less than a microsecond an id.
pub const KEPT_SYMBOLS: usize = 2_048;

/// Most symbols that anybody makes or reads: enough for 11,500 differences, 512 KiB
/// while decoding. Those beyond the kept ones cost a pass over all ids; with more
/// differences than that a list is no worse.
pub const SYMBOLS_MAX: usize = 16_384;

/// Bytes of a [`Sketch`] in storage.
pub const STATE_BYTES: usize = KEPT_SYMBOLS * STORED_BYTES;

/// Bytes of a symbol in storage.
const STORED_BYTES: usize = 32;

/// Separates these hashes from all others.
const FINGERPRINT_KEY: &[u8; 32] = b"kith 2026-11 sketch of entry ids";

/// The first half of an entry id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ShortId(pub [u8; 16]);

impl ShortId {
    /// The short id of an entry.
    #[must_use]
    pub fn of(id: EntryId) -> Self {
        Self(*id.0.first_chunk().expect("an entry id has 32 bytes"))
    }

    /// The smallest entry id that begins like this.
    #[must_use]
    pub fn first(self) -> EntryId {
        self.followed_by([0; 16])
    }

    /// The largest entry id that begins like this.
    #[must_use]
    pub fn last(self) -> EntryId {
        self.followed_by([0xff; 16])
    }

    fn followed_by(self, rest: [u8; 16]) -> EntryId {
        let mut id = [0; 32];
        id[..16].copy_from_slice(&self.0);
        id[16..].copy_from_slice(&rest);
        EntryId(id)
    }

    /// The checksum that is summed up beside the id, and where its mapping begins.
    fn fingerprint(self) -> (u64, Mapping) {
        let hash = blake3::keyed_hash(FINGERPRINT_KEY, &self.0);
        let word = |at: usize| {
            let bytes = hash.as_bytes()[at..at + 8].try_into().expect("a hash has 32 bytes");
            u64::from_be_bytes(bytes)
        };
        (word(0), Mapping::new(word(8)))
    }
}

/// The sum of the ids that are mapped to one index. A difference of two sets' symbols
/// is the symbol of their difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodedSymbol {
    /// XOR of the short ids, as big-endian numbers.
    sum: u128,
    /// XOR of their checksums.
    check: u64,
    /// How many they are; in a difference those of the other side count negative.
    count: i64,
}

impl CodedSymbol {
    fn is_zero(self) -> bool {
        self == Self::default()
    }

    fn change(&mut self, id: ShortId, check: u64, count: i64) {
        self.sum ^= u128::from_be_bytes(id.0);
        self.check ^= check;
        self.count = self.count.wrapping_add(count);
    }

    fn plus(self, other: Self) -> Self {
        Self {
            sum: self.sum ^ other.sum,
            check: self.check ^ other.check,
            count: self.count.wrapping_add(other.count),
        }
    }

    fn negative(self) -> Self {
        Self { count: self.count.wrapping_neg(), ..self }
    }
}

/// The first [`KEPT_SYMBOLS`] symbols of a set, kept as it changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sketch(Vec<CodedSymbol>);

impl Default for Sketch {
    fn default() -> Self {
        Self(vec![CodedSymbol::default(); KEPT_SYMBOLS])
    }
}

impl Sketch {
    /// Adds an id that was not in the set.
    pub fn insert(&mut self, id: EntryId) {
        change_all(&mut self.0, 0, ShortId::of(id), 1);
    }

    /// Takes out an id that was in the set.
    pub fn remove(&mut self, id: EntryId) {
        change_all(&mut self.0, 0, ShortId::of(id), -1);
    }

    /// How many ids are in the set.
    #[must_use]
    pub fn size(&self) -> u64 {
        // Every id is mapped to index 0.
        self.0[0].count.cast_unsigned()
    }

    /// The symbols, from index 0 on.
    #[must_use]
    pub fn symbols(&self) -> &[CodedSymbol] {
        &self.0
    }

    /// The symbols of `range` to send, as far as they are kept.
    #[must_use]
    pub fn run(&self, range: Range<usize>) -> Run {
        let end = range.end.min(KEPT_SYMBOLS);
        let first = range.start.min(end);
        Run { size: self.size(), first, symbols: self.0[first..end].to_vec() }
    }

    /// The state, to store it: of each symbol the sum (16 bytes), the checksum (8) and
    /// the count (8), big-endian.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(STATE_BYTES);
        for symbol in &self.0 {
            bytes.extend_from_slice(&symbol.sum.to_be_bytes());
            bytes.extend_from_slice(&symbol.check.to_be_bytes());
            bytes.extend_from_slice(&symbol.count.to_be_bytes());
        }
        bytes
    }

    /// The state from storage; `None` when its length is wrong.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != STATE_BYTES {
            return None;
        }
        let symbols = bytes.chunks_exact(STORED_BYTES).map(|stored| {
            let (sum, rest) = stored.split_first_chunk()?;
            let (check, rest) = rest.split_first_chunk()?;
            Some(CodedSymbol {
                sum: u128::from_be_bytes(*sum),
                check: u64::from_be_bytes(*check),
                count: i64::from_be_bytes(rest.try_into().ok()?),
            })
        });
        symbols.collect::<Option<Vec<_>>>().map(Self)
    }
}

impl FromIterator<EntryId> for Sketch {
    /// The sketch of distinct ids, such as those that a filter selects.
    fn from_iter<I: IntoIterator<Item = EntryId>>(ids: I) -> Self {
        Self(coded_symbols(ids, 0..KEPT_SYMBOLS))
    }
}

/// The symbols of a range of indexes over distinct ids, for those that no sketch
/// keeps. Costs one pass over the ids; indexes from [`SYMBOLS_MAX`] on are left out.
#[must_use]
pub fn coded_symbols(
    ids: impl IntoIterator<Item = EntryId>,
    range: Range<usize>,
) -> Vec<CodedSymbol> {
    let end = range.end.min(SYMBOLS_MAX);
    let mut symbols = vec![CodedSymbol::default(); end.saturating_sub(range.start)];
    for id in ids {
        change_all(&mut symbols, range.start, ShortId::of(id), 1);
    }
    symbols
}

/// Adds an id to, or takes it out of, the symbols it is mapped to among those from
/// index `first` on.
fn change_all(symbols: &mut [CodedSymbol], first: usize, id: ShortId, count: i64) {
    let (check, mapping) = id.fingerprint();
    for index in mapping.within(first..first + symbols.len()) {
        symbols[index - first].change(id, check, count);
    }
}

#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;
