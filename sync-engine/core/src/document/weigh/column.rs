//! Counts what a column holds, run by run, without writing it out.
//!
//! Runs as in Automerge's binary format, section "Run length encoding": a count
//! and a value; minus a count and that many values; zero, a count, and no value.

use super::{Flaw, bytes::Bytes};

/// What the values of a column are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Values {
    Unsigned,
    Signed,
    Text,
}

/// What a column adds up to. Sums stop at the largest number there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counted {
    /// Items, those without a value too.
    pub(super) items: u64,
    /// All numbers together.
    pub(super) sum: u64,
    /// Bytes of all texts together, a repeated one each time.
    pub(super) text_bytes: u64,
    /// Items that are each of the numbers that were asked for.
    pub(super) matching: [u64; 2],
}

/// Counts a column of runs; `wanted` are numbers to look for.
pub(super) fn runs(column: &[u8], values: Values, wanted: [u64; 2]) -> Result<Counted, Flaw> {
    let mut bytes = Bytes(column);
    let mut counted = Counted::default();
    while !bytes.is_empty() {
        match bytes.signed()? {
            0 => {
                let nulls = bytes.unsigned()?;
                counted.items = counted.items.saturating_add(nulls);
            }
            count @ 1.. => counted.add(count.unsigned_abs(), values, wanted, &mut bytes)?,
            count => {
                // Each one takes a byte at least, so the bytes end it.
                for _ in 0..count.unsigned_abs() {
                    counted.add(1, values, wanted, &mut bytes)?;
                }
            }
        }
    }
    Ok(counted)
}

impl Counted {
    fn add(
        &mut self,
        times: u64,
        values: Values,
        wanted: [u64; 2],
        bytes: &mut Bytes<'_>,
    ) -> Result<(), Flaw> {
        self.items = self.items.saturating_add(times);
        match values {
            Values::Unsigned => {
                let number = bytes.unsigned()?;
                self.sum = self.sum.saturating_add(number.saturating_mul(times));
                for (matching, wanted) in self.matching.iter_mut().zip(wanted) {
                    *matching = matching.saturating_add(if wanted == number { times } else { 0 });
                }
            }
            Values::Signed => {
                bytes.signed()?;
            }
            Values::Text => {
                let length = bytes.unsigned()?;
                bytes.take(length)?;
                self.text_bytes = self.text_bytes.saturating_add(length.saturating_mul(times));
            }
        }
        Ok(())
    }
}

/// Counts the items of a column of truths: runs of false and true by turns.
pub(super) fn truths(column: &[u8]) -> Result<u64, Flaw> {
    let mut bytes = Bytes(column);
    let mut items = 0_u64;
    while !bytes.is_empty() {
        items = items.saturating_add(bytes.unsigned()?);
    }
    Ok(items)
}
