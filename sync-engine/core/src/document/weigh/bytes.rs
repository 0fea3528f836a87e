//! Reads numbers and pieces of a chunk, never past its end.

use super::Flaw;

/// What is left of some bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes<'a>(pub(super) &'a [u8]);

impl<'a> Bytes<'a> {
    pub(super) fn is_empty(self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn take(&mut self, count: u64) -> Result<&'a [u8], Flaw> {
        let count = usize::try_from(count).map_err(|_| Flaw::Malformed)?;
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Flaw::Malformed)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, Flaw> {
        let (first, rest) = self.0.split_first().ok_or(Flaw::Malformed)?;
        self.0 = rest;
        Ok(*first)
    }

    /// A number as LEB128. Automerge's two readers differ about numbers that are
    /// not the shortest or too large for 64 bits; here both are malformed.
    pub(super) fn unsigned(&mut self) -> Result<u64, Flaw> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if (shift == 63 && byte > 1) || (shift > 0 && byte == 0) {
                return Err(Flaw::Malformed);
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Flaw::Malformed)
    }

    /// A number with a sign as LEB128, as strictly.
    pub(super) fn signed(&mut self) -> Result<i64, Flaw> {
        let (mut number, mut last) = (0_i64, 0_u8);
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let repeats_sign =
                (byte == 0 && last & 0x40 == 0) || (byte == 0x7f && last & 0x40 != 0);
            if (shift == 63 && byte != 0 && byte != 0x7f) || (shift > 0 && repeats_sign) {
                return Err(Flaw::Malformed);
            }
            number |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                let is_negative = byte & 0x40 != 0 && shift + 7 < 64;
                return Ok(if is_negative { number | (-1_i64 << (shift + 7)) } else { number });
            }
            last = byte;
        }
        Err(Flaw::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_back_and_others_are_malformed() {
        let unsigned = |bytes: &[u8]| Bytes(bytes).unsigned().ok();
        let signed = |bytes: &[u8]| Bytes(bytes).signed().ok();
        assert_eq!(unsigned(&[0x81, 0x01]), Some(129));
        assert_eq!(unsigned(&[[0xff; 9].as_slice(), &[1]].concat()), Some(u64::MAX));
        assert_eq!(signed(&[0x7f]), Some(-1));
        assert_eq!(signed(&[0xff, 0x00]), Some(127));
        assert_eq!(signed(&[[0x80; 9].as_slice(), &[0x7f]].concat()), Some(i64::MIN));
        assert_eq!(signed(&[[0xff; 9].as_slice(), &[0]].concat()), Some(i64::MAX));
        assert_eq!(unsigned(&[[0xff; 9].as_slice(), &[2]].concat()), None, "too large");
        assert_eq!(signed(&[[0xff; 9].as_slice(), &[1]].concat()), None, "too large");
        assert_eq!((unsigned(&[0x80, 0]), signed(&[0x80, 0])), (None, None), "not the shortest");
        assert_eq!((unsigned(&[0x80]), signed(&[])), (None, None), "cut off");
    }
}
