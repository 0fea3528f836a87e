//! How large a difference is, before any symbol was sent.
//!
//! The difference of two sets' counts at index i has the mean m·p and the variance
//! d·p·(1 − p), where p = 1 / (1 + i/2), m is the difference of the sizes and d how
//! many ids are on one side only. So counts alone, at a byte or two each, tell d to
//! within some ten percent (one standard deviation), and the holder sends about as
//! many symbols as it takes, in one go.
//!
//! Advice only: a wrong estimate costs a round trip or bytes.

use super::{
    KEPT_SYMBOLS, SYMBOLS_MAX, Sketch,
    wire::{Malformed, put_count, put_varint, take_count, take_varint},
};

/// Counts that are compared. The error falls with their square root: 9 % with 256,
/// which take 300 bytes for 100,000 ids and 500 for a million.
pub const COUNTS: usize = 256;

const _: () = assert!(COUNTS <= KEPT_SYMBOLS);

/// Symbols beyond three halves of an estimate: differences of up to ten take up to
/// this many more, and their estimates are the least certain.
const SYMBOLS_SPARE: u64 = 16;

/// The counts of a set's first symbols.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    size: u64,
    counts: Vec<i64>,
}

impl Counts {
    /// `size ‖ counts`: a varint and [`COUNTS`] counts as in a run.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(2 * COUNTS);
        put_varint(&mut bytes, self.size);
        for (index, count) in self.counts.iter().enumerate() {
            put_count(&mut bytes, self.size, index, *count);
        }
        bytes
    }

    /// Reads counts.
    ///
    /// # Errors
    /// [`Malformed`]: cut off, too long, or a number that is not in its shortest form.
    pub fn decode(mut bytes: &[u8]) -> Result<Self, Malformed> {
        let size = take_varint(&mut bytes)?;
        let counts = (0..COUNTS)
            .map(|index| take_count(&mut bytes, size, index))
            .collect::<Result<_, _>>()?;
        if bytes.is_empty() { Ok(Self { size, counts }) } else { Err(Malformed) }
    }
}

impl Sketch {
    /// The counts to send, to be told about as many symbols as it takes.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let counts = self.symbols()[..COUNTS].iter().map(|symbol| symbol.count).collect();
        Counts { size: self.size(), counts }
    }

    /// About how many ids are in one of two sets only.
    #[must_use]
    pub fn estimate(&self, theirs: &Counts) -> u64 {
        let ours = self.symbols().iter().map(|symbol| symbol.count);
        let pairs = ours.zip(&theirs.counts);
        estimate(&pairs.map(|(ours, theirs)| ours.wrapping_sub(*theirs)).collect::<Vec<_>>())
    }
}

/// How many symbols to send for an estimated difference: 1.4 times as many decode
/// 1,000 differences, and an eighth more makes up for most errors of the estimate.
#[must_use]
pub fn symbols_for(differences: u64) -> usize {
    let symbols = differences.saturating_add(differences / 2).saturating_add(SYMBOLS_SPARE);
    usize::try_from(symbols).unwrap_or(SYMBOLS_MAX).min(SYMBOLS_MAX)
}

/// About how many ids stand behind the counts of a difference's symbols, from index 0
/// on: a mean of what each says, weighted by how certain it is of a first, cruder mean.
pub(super) fn estimate(counts: &[i64]) -> u64 {
    let Some(sizes) = counts.first().copied() else {
        return 0;
    };
    let said = || {
        counts.iter().enumerate().skip(1).map(move |(index, count)| {
            let density = 2.0 / (index as f64 + 2.0);
            let off = *count as f64 - sizes as f64 * density;
            (off * off, density * (1.0 - density))
        })
    };
    let mean = |crude: f64| {
        let weighted = said().map(|(square, spread)| {
            let weight = 1.0 / (1.0 + 2.0 * crude * spread);
            (square * weight, spread * weight)
        });
        let (squares, spreads) = weighted.fold((0.0, 0.0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        if spreads > 0.0 { squares / spreads } else { 0.0 }
    };
    // Counts that are no set's may overflow to infinity or no number: both convert.
    (mean(mean(0.0)).ceil() as u64).max(sizes.unsigned_abs())
}
