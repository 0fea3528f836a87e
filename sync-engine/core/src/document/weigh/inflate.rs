//! Unpacks deflated bytes up to a cap.

use flate2::{Decompress, FlushDecompress, Status};

use super::{Flaw, Measure, TooHeavy};

/// Bytes unpacked between two looks at the cap.
const STEP_BYTES: usize = 64 * 1024;

/// Unpacks a raw deflate stream that ends with `deflated`. Holds `bytes_max` and
/// one step more at most, whatever the stream claims.
pub(super) fn inflate(deflated: &[u8], bytes_max: u64) -> Result<Vec<u8>, Flaw> {
    let mut unpack = Decompress::new(false);
    let mut out = Vec::new();
    loop {
        out.reserve(STEP_BYTES);
        let read = usize::try_from(unpack.total_in()).map_err(|_| Flaw::Malformed)?;
        let rest = deflated.get(read..).ok_or(Flaw::Malformed)?;
        let before = out.len();
        let status = unpack.decompress_vec(rest, &mut out, FlushDecompress::None);
        TooHeavy::unless_within(Measure::InflatedBytes, out.len() as u64, bytes_max)?;
        match status {
            Ok(Status::StreamEnd) => {
                let is_whole = unpack.total_in() == deflated.len() as u64;
                return if is_whole { Ok(out) } else { Err(Flaw::Malformed) };
            }
            Ok(Status::Ok | Status::BufError) => {
                let is_stuck = out.len() == before && unpack.total_in() == read as u64;
                if is_stuck {
                    return Err(Flaw::Malformed);
                }
            }
            Err(_) => return Err(Flaw::Malformed),
        }
    }
}
