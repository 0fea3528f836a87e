//! Looks for whole numbers among values: those of counters are added up.

use super::{Flaw, bytes::Bytes};

/// What a value is: the low four bits that describe it; above them its length.
const LENGTH_SHIFT: u32 = 4;
const KIND: u64 = 0b1111;
const KIND_UNSIGNED: u64 = 3;
const KIND_SIGNED: u64 = 4;
const KIND_COUNTER: u64 = 8;

/// The whole numbers that are furthest from zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Furthest {
    /// Where a counter begins.
    pub(super) counter: u64,
    /// Any other, among them what is added to counters.
    pub(super) number: u64,
}

impl Furthest {
    /// Reads values by what the column `described` says of them.
    pub(super) fn read(described: &[u8], values: &[u8]) -> Result<Self, Flaw> {
        let (mut described, mut values) = (Bytes(described), Bytes(values));
        let mut furthest = Self::default();
        while !described.is_empty() {
            match described.signed()? {
                0 => {
                    described.unsigned()?;
                }
                count @ 1.. => {
                    let description = described.unsigned()?;
                    furthest.add(count.unsigned_abs(), description, &mut values)?;
                }
                count => {
                    for _ in 0..count.unsigned_abs() {
                        let description = described.unsigned()?;
                        furthest.add(1, description, &mut values)?;
                    }
                }
            }
        }
        Ok(furthest)
    }

    fn add(&mut self, times: u64, description: u64, values: &mut Bytes<'_>) -> Result<(), Flaw> {
        let length = description >> LENGTH_SHIFT;
        if length == 0 {
            return Ok(());
        }
        // Each one takes a byte at least, so the bytes end it.
        for _ in 0..times {
            let mut value = Bytes(values.take(length)?);
            let place = match description & KIND {
                KIND_UNSIGNED => {
                    self.number = self.number.max(value.unsigned()?);
                    continue;
                }
                KIND_SIGNED => &mut self.number,
                KIND_COUNTER => &mut self.counter,
                _ => continue,
            };
            *place = (*place).max(value.signed()?.unsigned_abs());
        }
        Ok(())
    }
}
