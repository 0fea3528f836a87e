//! To which symbols an id is mapped.
//!
//! Index i with probability 1 / (1 + i/2), index 0 always, by drawing the gaps
//! between an id's indexes (Yang et al., section 4.2). That the gap behind index i is
//! longer than g has the probability of no hit at i + 1 … i + g, which is
//! (i + 1)(i + 2) / ((i + g + 1)(i + g + 2)); for a draw r of 64 bits the gap is the
//! least g for which this is at most (r + 1) / 2^64.
//!
//! Numbers are drawn by SplitMix64 (Steele, Lea and Flood, "Fast Splittable
//! Pseudorandom Number Generators", 2014). The gap is computed in IEEE 754 double
//! precision with conversion, addition, multiplication, division, square root and
//! rounding up only: the standard defines each of them to the last bit, and Rust never
//! fuses two, so every platform that we build for gets the same indexes.

use std::ops::Range;

/// An id's indexes, ascending, without end.
#[derive(Clone, Debug)]
pub(super) struct Mapping {
    state: u64,
    next: u64,
}

impl Mapping {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed, next: 0 }
    }

    /// The indexes within a range.
    pub(super) fn within(self, range: Range<usize>) -> impl Iterator<Item = usize> {
        let (start, end) = (range.start as u64, range.end as u64);
        let ahead = self.skip_while(move |index| *index < start);
        ahead.take_while(move |index| *index < end).map(|index| index as usize)
    }

    fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// 2^64, the number of values drawn.
const DRAWS: f64 = 18_446_744_073_709_551_616.0;

impl Iterator for Mapping {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let index = self.next;
        let (at, draw) = (index as f64, self.draw() as f64);
        // With y = i + g + 1.5, the product that is divided by is y² − 0.25.
        let square = (at + 1.0) * (at + 2.0) * DRAWS / (draw + 1.0) + 0.25;
        let gap = (square.sqrt() - (at + 1.5)).ceil();
        // The conversion saturates. A gap of zero comes of a draw that rounds to 2^64.
        self.next = index.saturating_add((gap as u64).max(1));
        Some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_hit_as_often_as_the_paper_says() {
        let seeds = 40_000;
        let mut hits = [0_u32; 64];
        for seed in 0..seeds {
            for index in Mapping::new(seed).within(0..hits.len()) {
                hits[index] += 1;
            }
        }
        for (index, hits) in hits.into_iter().enumerate() {
            let density = 1.0 / (1.0 + index as f64 / 2.0);
            let expected = seeds as f64 * density;
            let deviation = (expected * (1.0 - density)).sqrt();
            let off = (f64::from(hits) - expected).abs();
            assert!(off <= 5.0 * deviation, "{index}: {hits} for {expected}");
        }
    }

    #[test]
    fn indexes_ascend_to_the_end_of_the_numbers() {
        for seed in [0, 1, u64::MAX, 0x61c8_8646_80b5_83eb] {
            let indexes: Vec<u64> = Mapping::new(seed).take(200).collect();
            assert_eq!(indexes[0], 0);
            let ascends = |pair: &[u64]| pair[0] < pair[1] || pair[0] == u64::MAX;
            assert!(indexes.windows(2).all(ascends), "{seed}");
        }
    }

    #[test]
    fn a_range_begins_and_ends_where_it_says() {
        let all: Vec<usize> = Mapping::new(7).within(0..1_000).collect();
        let parts = [0..3, 3..64, 64..64, 64..1_000];
        let joined: Vec<usize> =
            parts.into_iter().flat_map(|part| Mapping::new(7).within(part)).collect();
        assert_eq!(all, joined);
    }
}
