use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

/// The operating system's randomness; the only place that asks for it.
#[derive(Clone, Copy, Debug, Default)]
pub struct OsEntropy;

impl TryRng for OsEntropy {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    #[expect(clippy::disallowed_methods, reason = "this is the source of randomness")]
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        // A node without randomness must not go on: it would reuse nonces.
        getrandom::fill(bytes).expect("the operating system gives randomness");
        Ok(())
    }
}

impl TryCryptoRng for OsEntropy {}
