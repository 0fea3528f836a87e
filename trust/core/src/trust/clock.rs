//! Whose clock is ahead of ours, as far as statements tell.

use std::{collections::BTreeMap, time::Duration};

use node_model::{DeviceId, Timestamp};

use super::Trust;

/// How far apart two clocks may be before it is worth a word: nobody sets a clock closer
/// by hand, and what ends here ends in minutes or more.
pub const CLOCK_SKEW_MAX: Duration = Duration::from_secs(120);

impl Trust {
    /// Devices that dated a statement later than our clock by more than
    /// [`CLOCK_SKEW_MAX`], and how much later the latest one is.
    #[must_use]
    pub fn dated_ahead(&self, now: Timestamp) -> BTreeMap<DeviceId, Duration> {
        let mut ahead: BTreeMap<DeviceId, Duration> = BTreeMap::new();
        for said in self.attestations.values() {
            let by = Duration::from_millis(said.issued_at.0.saturating_sub(now.0));
            if by > CLOCK_SKEW_MAX {
                let most = ahead.entry(said.signer).or_default();
                *most = by.max(*most);
            }
        }
        ahead
    }
}
